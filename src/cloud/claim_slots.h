/* claim_slots.h: what this process remembers of a claim between two steps besides its memo: a struct of the room's, by the claim's uid. A
 * restart loses it and only costs one more question. A slot lives from the first step of a claim to its last, is all zeros when new, and one
 * thread holds it at a time. Guarded by its own mutex. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct claim_slots;
struct claim_slots *claim_slots_new(size_t bytes); /* of the struct */
void claim_slots_free(struct claim_slots *s);
/* The claim's struct, made when it is new; NULL while another thread has it. */
void *claim_slots_take(struct claim_slots *s, const char *uid);
/* Gives it back; ended: it is forgotten. */
void claim_slots_give(struct claim_slots *s, const char *uid, bool ended);
