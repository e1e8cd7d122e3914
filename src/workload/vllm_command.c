/* vllm_command.c: the vLLM server's command line: one row per flag. To add a flag: a function that writes its value (false: leave the
 * flag out; nothing written: a flag without value) and a row. */
#include "workload/vllm_command.h"

#include "base/buf.h"
#include "crd/names.h"
#include "workload/pod_spec.h"
#include "workload/shell_word.h"
#include <ctype.h>
#include <string.h>

static bool put(struct buf *out, const char *text)
{
	if (!text)
		return false;
	buf_puts(out, text);
	return text[0] != 0;
}

static bool bare(const struct workload_plan *p, struct buf *out)
{
	(void)p;
	(void)out;
	return true;
}

/* Upstream writes the hub's name in lower case; the hub does not mind. */
static bool model(const struct workload_plan *p, struct buf *out)
{
	if (p->w->local_weights) {
		char *path = pod_local_weights_path(p);
		buf_puts(out, path);
		free(path);
		return true;
	}
	for (const char *c = p->model->id; *c; c++)
		buf_putc(out, (char)tolower((unsigned char)*c));
	return true;
}

static bool served_name(const struct workload_plan *p, struct buf *out)
{
	char name[256];
	plan_served_name(p, name, sizeof name);
	return put(out, name);
}

static bool local_load_format(const struct workload_plan *p, struct buf *out) { return p->w->local_weights && put(out, "runai_streamer"); }
static bool load_format(const struct workload_plan *p, struct buf *out) { return !p->w->local_weights && put(out, p->model->load_format); }
static bool download_dir(const struct workload_plan *p, struct buf *out) { return !p->w->local_weights && put(out, "/workspace/weights"); }
static bool code_revision(const struct workload_plan *p, struct buf *out) { return !p->w->local_weights && put(out, p->model->revision); }
static bool config_format(const struct workload_plan *p, struct buf *out) { return put(out, p->model->config_format); }
static bool tokenizer_mode(const struct workload_plan *p, struct buf *out) { return put(out, p->model->tokenizer_mode); }
static bool dtype(const struct workload_plan *p, struct buf *out) { return put(out, p->model->dtype); }
static bool max_model_len(const struct workload_plan *p, struct buf *out) { (void)p; return put(out, "auto"); }

/* Own nodes report the product with dashes. */
static bool is_a10(const char *gpu)
{
	static const char A10[] = "NVIDIA A10";
	size_t i = 0;
	for (; gpu && gpu[i] && i < sizeof A10 - 1; i++)
		if (gpu[i] != A10[i] && !(A10[i] == ' ' && gpu[i] == '-'))
			return false;
	return gpu && i == sizeof A10 - 1 && gpu[i] == 0;
}

static bool gpu_memory(const struct workload_plan *p, struct buf *out) { return put(out, is_a10(p->gpu.model) ? "0.82" : "0.84"); }

static bool tensor_parallel(const struct workload_plan *p, struct buf *out)
{
	buf_printf(out, "%d", plan_data_parallel(p) || p->gpu.mig ? 1 : p->gpu.gpus);
	return true;
}

static bool data_parallel(const struct workload_plan *p, struct buf *out)
{
	buf_printf(out, "%d", p->gpu.gpus);
	return plan_data_parallel(p);
}

static bool pipeline_parallel(const struct workload_plan *p, struct buf *out)
{
	buf_printf(out, "%d", p->nodes);
	return plan_multi_node(p);
}

static bool executor(const struct workload_plan *p, struct buf *out) { return plan_multi_node(p) && put(out, "ray"); }

/* Architectures whose KV cache cannot be moved to the host's memory. */
static bool keeps_cache(const char *architecture)
{
	static const char *const PREFIXES[] = {"NemotronH", "Gemma4", "Qwen3_5", "DeepseekV4", "DeepseekV32", "GptOss"};
	for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++)
		if (strncmp(architecture, PREFIXES[i], strlen(PREFIXES[i])) == 0)
			return true;
	return false;
}

static bool no_cache_offload(const struct workload_plan *p, struct buf *out)
{
	if (!keeps_cache(p->model->architecture) && !p->gpu.mig && !plan_data_parallel(p) && !plan_multi_node(p))
		return false;
	return put(out, "0");
}

static bool cache_events(const struct workload_plan *p, struct buf *out) { (void)p; return put(out, "{\"enable_kv_cache_events\":true}"); }
static bool fuse_allreduce(const struct workload_plan *p, struct buf *out) { (void)p; return put(out, "False"); }

static bool chat_template(const struct workload_plan *p, struct buf *out)
{
	buf_printf(out, "/workspace/chat_templates/%s", p->model->chat_template);
	return p->model->chat_template[0] != 0;
}

static bool tool_parser(const struct workload_plan *p, struct buf *out) { return put(out, p->model->tool_parser); }
static bool auto_tools(const struct workload_plan *p, struct buf *out) { (void)out; return p->model->tool_parser[0] != 0; }
static bool reasoning_parser(const struct workload_plan *p, struct buf *out) { return put(out, p->model->reasoning_parser); }
static bool enable_lora(const struct workload_plan *p, struct buf *out) { (void)out; return json_array_size(p->w->adapters) > 0; }
static bool config_file(const struct workload_plan *p, struct buf *out) { return p->w->config[0] && put(out, "/mnt/config/inference_config.yaml"); }

static bool performance(const struct workload_plan *p, struct buf *out)
{
	return strcmp(p->w->performance_mode, "balanced") != 0 && put(out, p->w->performance_mode);
}

static bool port(const struct workload_plan *p, struct buf *out)
{
	buf_printf(out, "%d", PORT_DECODE);
	return plan_decode(p);
}

static const struct flag { const char *name; bool (*value)(const struct workload_plan *p, struct buf *out); } FLAGS[] = {
	{"model", model},
	{"served-model-name", served_name},
	{"download-dir", download_dir},
	{"code-revision", code_revision},
	{"load_format", load_format},
	{"load-format", local_load_format},
	{"config_format", config_format},
	{"tokenizer_mode", tokenizer_mode},
	{"dtype", dtype},
	{"trust-remote-code", bare},
	{"max-model-len", max_model_len},
	{"gpu-memory-utilization", gpu_memory},
	{"tensor-parallel-size", tensor_parallel},
	{"data-parallel-size", data_parallel},
	{"pipeline-parallel-size", pipeline_parallel},
	{"distributed-executor-backend", executor},
	{"kaito-kv-cache-cpu-memory-utilization", no_cache_offload},
	{"kv-events-config", cache_events},
	{"compilation-config.pass_config.fuse_allreduce_rms", fuse_allreduce},
	{"chat-template", chat_template},
	{"tool-call-parser", tool_parser},
	{"enable-auto-tool-choice", auto_tools},
	{"reasoning-parser", reasoning_parser},
	{"enable-lora", enable_lora},
	{"kaito-config-file", config_file},
	{"performance-mode", performance},
	{"port", port},
};

static void put_flag(struct buf *out, str name, str value)
{
	buf_puts(out, " --");
	buf_put_str(out, name);
	if (value.len == 0)
		return;
	buf_putc(out, '=');
	shell_word_put(out, value);
}

/* The model's own flags: "key=value key", one full name shortened in the catalogue. */
static void put_extras(struct buf *out, str extras)
{
	for (size_t at = 0; at < extras.len;) {
		size_t end = str_find(extras, ' ', at), equals = str_find(extras, '=', at);
		if (equals > end)
			equals = end;
		str name = str_sub(extras, at, equals);
		if (str_eqz(name, "flashinfer_autotune"))
			name = STR("kernel-config.enable_flashinfer_autotune");
		if (name.len > 0)
			put_flag(out, name, equals < end ? str_sub(extras, equals + 1, end) : STR(""));
		at = end + 1;
	}
}

static void put_server(struct buf *out, const struct workload_plan *p)
{
	struct buf value = {0};
	buf_puts(out, "python3 /workspace/vllm/inference_api.py");
	for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
		buf_clear(&value);
		if (FLAGS[i].value(p, &value))
			put_flag(out, str_of(FLAGS[i].name), buf_str(&value));
	}
	put_extras(out, str_of(p->model->extra_args));
	buf_done(&value);
}

char *vllm_leader_address(const struct workload_plan *p)
{
	return mem_printf("%s-0.%s-headless.%s.svc.cluster.local", p->w->name, p->w->name, p->w->namespace_);
}

char *vllm_command(const struct workload_plan *p)
{
	struct buf out = {0};
	if (!plan_multi_node(p)) {
		put_server(&out, p);
		return buf_take(&out);
	}
	char *leader = vllm_leader_address(p);
	buf_printf(&out, "if [ \"${POD_INDEX}\" = \"0\" ]; then /workspace/vllm/multi-node-serving.sh leader --ray_cluster_size=%d --ray_port=%d; ",
		   p->nodes, PORT_RAY);
	put_server(&out, p);
	buf_printf(&out, "; else /workspace/vllm/multi-node-serving.sh worker --ray_address=%s --ray_port=%d; fi", leader, PORT_RAY);
	free(leader);
	return buf_take(&out);
}
