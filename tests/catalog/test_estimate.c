/* test_estimate.c: node counts against the table recorded from upstream's formula, and its message texts. */
#include "check_main.h"

#include "base/fd.h"
#include "base/str.h"
#include "catalog/estimate.h"

static struct err err;

/* The golden table's columns, in its order. */
static const struct gpu_config SHAPES[] = {
	{.gpus = 1, .gib = 24}, {.gpus = 2, .gib = 48}, {.gpus = 1, .gib = 80}, {.gpus = 2, .gib = 160}, {.gpus = 4, .gib = 320},
	{.gpus = 8, .gib = 640}, {.gpus = 1, .gib = 94}, {.gpus = 2, .gib = 188}, {.gpus = 8, .gib = 640}, {.gpus = 8, .gib = 1128},
};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof SHAPES[0] };

static str next_cell(str *line, char separator)
{
	size_t end = str_find(*line, separator, 0);
	str cell = str_sub(*line, 0, end);
	*line = str_sub(*line, end < line->len ? end + 1 : end, line->len);
	return cell;
}

START_TEST(node_counts_are_upstreams_for_every_model_and_shape)
{
	CLEANUP(buf_done) struct buf text = {0};
	ck_assert_int_eq(fd_read_file(source_path("tests/golden/catalog/node_counts.tsv"), 1 << 20, &text, &err), 0);
	str rest = buf_str(&text);
	next_cell(&rest, '\n');
	int checked = 0;
	while (rest.len) {
		str line = next_cell(&rest, '\n'), id = next_cell(&line, '\t');
		CLEANUP(mem_freep) char *name = mem_strndup(id.data, id.len);
		const struct catalog_model *m = catalog_model_find(name);
		ck_assert_msg(m != NULL, "%s", name);
		for (int i = 0; i < SHAPE_COUNT; i++, checked++) {
			int64_t want = 0;
			struct estimate e = {0};
			ck_assert(str_to_i64(next_cell(&line, '\t'), &want));
			ck_assert_msg(estimate_nodes(m, &SHAPES[i], 0, &e, &err) == 0, "%s: %s", name, err.message);
			ck_assert_msg(e.nodes == want, "%s, column %d: %d nodes, want %d", name, i, e.nodes, (int)want);
		}
	}
	ck_assert_int_eq(checked, 600);
}
END_TEST

START_TEST(long_context_needs_more_or_does_not_fit)
{
	const struct catalog_model *m = catalog_model_find("phi-3-mini-128k-instruct");
	struct estimate e = {0}, longer = {0};
	ck_assert_int_eq(estimate_nodes(m, &SHAPES[0], 2048, &e, &err), 0);
	ck_assert_int_eq(estimate_nodes(m, &SHAPES[0], 32768, &longer, &err), 0);
	ck_assert_int_gt(longer.nodes, e.nodes);
	ck_assert_int_lt(estimate_nodes(m, &SHAPES[0], 131072, &e, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_str_eq(err.message, "GPU memory 25769803776 bytes is too small, needs at least 64296683032 bytes");
}
END_TEST

START_TEST(a_mig_slice_is_never_shared)
{
	struct gpu_config slice = mig_profile_gpu_config(mig_profile_find("1g.10gb"));
	struct estimate e = {0};
	ck_assert_int_eq(estimate_nodes(catalog_model_find("qwen2.5-0.5b-instruct"), &slice, 0, &e, &err), 0);
	ck_assert_int_eq(e.nodes, 1);
	ck_assert_int_lt(estimate_nodes(catalog_model_find("phi-4"), &slice, 0, &e, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_str_eq(err.message, "model needs 30.5GB (weights 27.9GB + overhead 2.7GB) but MIG profile 1g.10gb only provides 10GB");
}
END_TEST

START_TEST(a_machine_without_gpu_is_refused)
{
	struct gpu_config none = {0};
	struct estimate e = {0};
	ck_assert_int_lt(estimate_nodes(catalog_model_find("phi-4"), &none, 0, &e, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
}
END_TEST

int main(void)
{
	CHECK_RUN("estimate", 10, node_counts_are_upstreams_for_every_model_and_shape, long_context_needs_more_or_does_not_fit, a_mig_slice_is_never_shared,
		  a_machine_without_gpu_is_refused);
}
