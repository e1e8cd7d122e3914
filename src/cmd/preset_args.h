/* preset_args.h: what `kaito models` and `kaito estimate` have in common: which model is meant, of which cloud, for a person or a machine. */
#pragma once
#include "catalog/model.h"
#include <jansson.h>

struct preset_args {
	const char *cloud;    /* --cloud; preset_args_check fills in $CLOUD_PROVIDER or azure */
	const char *output;   /* --output, -o: "table" or "json"; NULL: table */
	bool online;          /* --online */
	bool json;            /* set by preset_args_check */
	struct catalog_resolver *resolver;
};
#define PRESET_ARGS_FLAGS(a) \
	{"cloud", "NAME", FLAG_STRING, &(a)->cloud, "azure, aws or arc ($CLOUD_PROVIDER, else azure)", false, 0, 0}, \
	{"online", NULL, FLAG_BOOL, &(a)->online, "ask the model hub about ORG/NAME outside the catalogue", false, 0, 0}, \
	{"output", "FORMAT", FLAG_STRING, &(a)->output, "table or json; also -o", false, 0, 0}

void preset_args_done(struct preset_args *a);
/* argv with "-o" spelled out; the caller frees the array. */
char **preset_args_words(int argc, char **argv);
WARN_UNUSED int preset_args_check(struct preset_args *a, struct err *err);
/* ERR_NOT_FOUND names the nearest preset. *out lives as long as a. */
WARN_UNUSED int preset_args_find(struct preset_args *a, const char *name, const struct catalog_model **out, struct err *err);
/* The name a Workspace would use: the alias where there is one. */
const char *preset_args_name(const struct catalog_model *m);
/* Prints and releases value. */
void preset_args_print(json_t *value);
/* A number with two decimals. */
json_t *preset_args_gib(double gib);
