/* Weight matrices: reading rows, and the packed view. The products are in forward.c and backward.c. */
#include "tensor/mat.h"
#include "tensor/isa.h"
#include "tensor/nf4.h"
#include "tensor/pack.h"
#include "tensor/pages.h"
#include "base/mem.h"
#include <stdlib.h>

void mat_segment_f32(const struct mat *m, int64_t row, int64_t from, int64_t n, float *out)
{
	int64_t r = mat_source_row(m, row);
	if (m->type == DT_NF4) {
		nf4_to_f32(m->src, m->side, r * m->cols + from, out, n);
	} else if (m->type == DT_I8) {
		i8_row_to_f32((const int8_t *)m->src + r * m->cols + from, m->side->absmax[r], out, n);
	} else {
		const struct dtype_traits *t = dtype_traits(m->type);
		const char *src = (const char *)m->src + (size_t)r * m->row_bytes + from / t->block_elements * t->block_bytes;
		isa_kernels()->to_f32[m->type](src, out, n);
	}
}

void mat_row_f32(const struct mat *m, int64_t row, float *out) { mat_segment_f32(m, row, 0, m->cols, out); }

struct pack_job {
	const struct mat *m;
	struct mat_pack *pack;
};

static void pack_share(void *arg, struct worker w)
{
	struct pack_job *job = arg;
	int64_t from, to;
	worker_range(w, (job->m->rows + GROUP - 1) / GROUP, 1, &from, &to);
	float *rows = pack_scratch(pack_rows_bytes(job->pack->form, job->m->cols));
	for (int64_t g = from; g < to; g++)
		pack_group(job->m, job->pack->form, g, job->pack->data + (size_t)g * job->pack->group_bytes, rows);
}

int mat_pack(struct mat *m, enum compute compute, struct pool *pool, struct err *err)
{
	enum form form = pack_form(m, compute);
	if (m->pack || form == FORM_F32)
		return 0;
	struct mat_pack *pack = mem_alloc(sizeof *pack);
	pack->form = form;
	pack->group_bytes = pack_group_bytes(form, m->cols);
	pack->bytes = pack->group_bytes * (size_t)((m->rows + GROUP - 1) / GROUP);
	pack->data = pages_alloc(pack->bytes, err);
	if (!pack->data) {
		free(pack);
		return err_wrap(err, "pack a %s matrix of %lld x %lld", dtype_traits(m->type)->name, (long long)m->rows,
				(long long)m->cols);
	}
	struct pack_job job = {m, pack};
	if (pool)
		pool_run(pool, pack_share, &job);
	else
		pack_share(&job, (struct worker){0, 1, NULL});
	m->pack = pack;
	return 0;
}

void mat_pack_free(struct mat *m)
{
	if (!m->pack)
		return;
	pages_free(m->pack->data);
	free(m->pack);
	m->pack = NULL;
}

size_t mat_pack_bytes(const struct mat *m) { return m->pack ? m->pack->bytes : 0; }
