/* Who goes first when an InferenceSet gets smaller. */
#include "check_main.h"

#include "base/mem.h"
#include "control/scale_down.h"
#include "kube/meta.h"
#include <string.h>

static struct scale_down_child child(const char *name, const char *created, bool ready, bool old)
{
	return (struct scale_down_child){json_pack("{s:{s:s,s:s}}", "metadata", "name", name, "creationTimestamp", created), ready, old};
}

static void check_order(struct scale_down_child *children, size_t n, size_t surplus, const char *wanted)
{
	char got[64] = "";
	scale_down_order(children, n, surplus);
	for (size_t i = 0; i < surplus; i++)
		memcpy(got + strlen(got), meta_name(children[i].child), 2);
	ck_assert_str_eq(got, wanted);
	for (size_t i = 0; i < n; i++)
		json_decref((json_t *)(uintptr_t)children[i].child);
}

START_TEST(old_images_then_not_ready_then_the_newest)
{
	struct scale_down_child c[] = {child("a", "1", true, false), child("b", "2", false, false), child("c", "3", true, true), child("d", "4", true, false)};
	check_order(c, 4, 3, "cbd");
}
END_TEST

START_TEST(as_many_ready_ones_stay_as_are_wanted)
{
	struct scale_down_child c[] = {child("a", "1", true, true), child("b", "2", true, false), child("c", "3", false, false)};
	check_order(c, 3, 1, "c"); /* though a is on the old image */
	struct scale_down_child all_down[] = {child("a", "1", false, false), child("b", "2", false, true)};
	check_order(all_down, 2, 1, "b");
	struct scale_down_child none_left[] = {child("a", "1", true, false), child("b", "2", true, false)};
	check_order(none_left, 2, 2, "ba");
}
END_TEST

START_TEST(only_the_base_image_can_be_old)
{
	static const struct { const char *image; bool old; } IMAGES[] = {
		{"mcr.microsoft.com/aks/kaito/kaito-base:0.5.0", false}, {"mcr.microsoft.com/aks/kaito/kaito-base:0.4.9", true},
		{"registry:5000/kaito-base:0.5.0", false}, {"example.com/vllm:0.4.9", false}, {"", false},
	};
	for (size_t i = 0; i < sizeof IMAGES / sizeof IMAGES[0]; i++) {
		CLEANUP(json_decrefp) json_t *set = json_pack("{s:{s:{s:{s:[{s:s}]}}}}", "spec", "template", "spec", "containers", "image", IMAGES[i].image);
		ck_assert_int_eq(scale_down_old_image(set, "0.5.0"), IMAGES[i].old);
	}
	ck_assert(!scale_down_old_image(NULL, "0.5.0"));
}
END_TEST

int main(void)
{
	CHECK_RUN("scale down", 20, old_images_then_not_ready_then_the_newest, as_many_ready_ones_stay_as_are_wanted, only_the_base_image_can_be_old);
}
