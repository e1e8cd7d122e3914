/* peer_llamacpp.c: llama.cpp measured through its C library, the peer of `kaito bench`.
 * usage: peer_llamacpp MODEL.gguf THREADS bench   one JSON line: prefill of 512 tokens, decode of 128 after 128, 8 sequences
 *        peer_llamacpp MODEL.gguf THREADS first   reads 37 ids from the argument list, prints "first" at the first token, then RSS
 * Built by bench/run.sh against the library that llama-cpp-python installs. */
#include <llama.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
	(void)level, (void)text, (void)user;
}

static void add(struct llama_batch *b, llama_token id, int pos, int seq, bool logits)
{
	int i = b->n_tokens++;
	b->token[i] = id;
	b->pos[i] = pos;
	b->n_seq_id[i] = 1;
	b->seq_id[i][0] = seq;
	b->logits[i] = logits;
}

static void decode(struct llama_context *c, struct llama_batch *b)
{
	if (llama_decode(c, *b) != 0) {
		fprintf(stderr, "peer_llamacpp: llama_decode failed\n");
		exit(1);
	}
	llama_synchronize(c);
	b->n_tokens = 0;
}

static llama_token token(int i) { return 17 + (i * 7919) % 40000; }

static struct llama_context *context(struct llama_model *m, int threads, int n_ctx, int sequences)
{
	struct llama_context_params p = llama_context_default_params();
	p.n_ctx = (uint32_t)n_ctx;
	p.n_batch = 512;
	p.n_ubatch = 512;
	p.n_seq_max = (uint32_t)sequences;
	p.n_threads = threads;
	p.n_threads_batch = threads;
	struct llama_context *c = llama_init_from_model(m, p);
	if (!c)
		exit(1);
	return c;
}

static double prefill(struct llama_context *c, struct llama_batch *b, int seq, int n)
{
	double start = now_s();
	for (int i = 0; i < n; i++)
		add(b, token(i + seq * 31), i, seq, i == n - 1);
	decode(c, b);
	return (double)n / (now_s() - start);
}

static double generate(struct llama_context *c, struct llama_batch *b, int sequences, int from, int n)
{
	double start = now_s();
	for (int i = 0; i < n; i++) {
		for (int s = 0; s < sequences; s++)
			add(b, token(i * 3 + s), from + i, s, true);
		decode(c, b);
	}
	return (double)(n * sequences) / (now_s() - start);
}

static void bench(struct llama_model *m, int threads)
{
	struct llama_batch b = llama_batch_init(512, 0, 8);
	struct llama_context *c = context(m, threads, 1024, 1);
	prefill(c, &b, 0, 512); /* warm-up */
	llama_memory_clear(llama_get_memory(c), true);
	double p = prefill(c, &b, 0, 512);
	llama_memory_clear(llama_get_memory(c), true);
	prefill(c, &b, 0, 128);
	double d = generate(c, &b, 1, 128, 128);
	llama_free(c);
	c = context(m, threads, 4096, 8);
	for (int s = 0; s < 8; s++)
		prefill(c, &b, s, 128);
	double d8 = generate(c, &b, 8, 128, 64);
	llama_free(c);
	llama_batch_free(b);
	printf("{\"peer\": \"llama.cpp\", \"prefill_512\": %.1f, \"decode_1\": %.1f, \"decode_8\": %.1f}\n", p, d, d8);
}

static void first(struct llama_model *m, int threads, int n, char **ids)
{
	struct llama_batch b = llama_batch_init(512, 0, 1);
	struct llama_context *c = context(m, threads, 1024, 1);
	for (int i = 0; i < n; i++)
		add(&b, atoi(ids[i]), i, 0, i == n - 1); /* style: allowed, our own script passes the numbers */
	decode(c, &b);
	const float *logits = llama_get_logits_ith(c, -1);
	int best = 0;
	for (int i = 1; i < 49152; i++)
		if (logits[i] > logits[best])
			best = i;
	printf("first %d\n", best);
	fflush(stdout);
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, "VmRSS", 5) == 0)
			fputs(line, stdout);
	if (status)
		fclose(status);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	llama_log_set(quiet, NULL);
	llama_backend_init();
	struct llama_model_params p = llama_model_default_params();
	p.n_gpu_layers = 0;
	struct llama_model *m = llama_model_load_from_file(argv[1], p);
	if (!m)
		return 1;
	int threads = atoi(argv[2]); /* style: allowed, our own script passes the number */
	if (strcmp(argv[3], "bench") == 0)
		bench(m, threads);
	else
		first(m, threads, argc - 4, argv + 4);
	return 0;
}
