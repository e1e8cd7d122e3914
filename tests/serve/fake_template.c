/* fake_template.c: "role: content\n" per message, then "assistant: ". */
#include "token/chat_template.h"

struct chat_template { int unused; };

int chat_template_render(const struct chat_template *t, const struct chat_render *r, struct buf *out, struct err *err)
{
	(void)t;
	size_t i;
	json_t *m;
	if (r->tools)
		buf_printf(out, "tools: %zu\n", json_array_size(r->tools));
	json_array_foreach((json_t *)r->messages, i, m) {
		const char *content = json_string_value(json_object_get(m, "content"));
		if (content && strcmp(content, "[raise]") == 0)
			return err_set(err, ERR_INVALID, "the template refuses this");
		buf_printf(out, "%s: %s\n", json_string_value(json_object_get(m, "role")), content ? content : "");
	}
	if (r->add_generation_prompt)
		buf_puts(out, "assistant: ");
	return 0;
}
