/* traits.h: the server flags that follow from a model's name and architecture, for models that no row of the catalogue describes.
 * A test proves that the rules give what every row says. Results are static text, "" for none. */
#pragma once
#include <stdbool.h>

struct traits { const char *tool_parser, *reasoning_parser, *chat_template, *tokenizer_mode, *extra_args; };

/* short_name: catalog_model_short_name's. mistral_format: the files are Mistral's own (consolidated*.safetensors, params.json). */
struct traits traits_of(const char *short_name, const char *architecture, bool mistral_format);
