/* chat_template.c: any bytes as a chat template, rendered over a small conversation with tools. */
#include "base/vec.h"
#include "codec/json.h"
#include "token/chat_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char CHAT[] = "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"h\xC3\xA9\"}]},"
			   "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1.5}}}]}],"
			   "\"tools\":[{\"function\":{\"name\":\"f\"}}],\"extra\":{\"x\":[1,\"a\",null]}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *chat;
	struct err err = ERR_INIT;
	struct chat_template *t = NULL;
	if (!chat && json_parse(&chat, str_of(CHAT), "chat", &err) < 0)
		abort();
	if (chat_template_parse(&t, (str){(const char *)data, size}, &err) < 0)
		return 0;
	struct buf out = {0};
	struct chat_spans spans = {0};
	struct chat_render r = {.messages = json_object_get(chat, "messages"), .tools = json_object_get(chat, "tools"), .extra = json_object_get(chat, "extra"),
				.add_generation_prompt = true, .bos_token = "<s>", .eos_token = "</s>", .generation = &spans};
	if (chat_template_render(t, &r, &out, &err) < 0 && (err.kind == ERR_NONE || out.len))
		abort();
	vec_done(&spans);
	buf_done(&out);
	chat_template_free(t);
	return 0;
}
