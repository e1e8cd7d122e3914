/* Fuzz target: what clients of the simulated AWS send. The first byte picks: f the form of a query request, with filters over it; a an
 * Authorization header, for which a signature is made; u user data, as it is before base64. */
#include "codec/json.h"
#include "simulate/aws_sim.h"
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_form(str text)
{
	struct aws_sim_form f = {0};
	struct sim_failure failure = {0};
	struct err err = ERR_INIT;
	if (aws_sim_form_read(&f, text, &err) < 0)
		return;
	json_t *tags = json_object(), *fields = json_pack("{s:s}", "instance-id", "i-1");
	aws_sim_form_tags(&f, "Tag", tags);
	(void)!aws_sim_filter_passes(&f, tags, fields, &failure);
	json_decref(tags);
	json_decref(fields);
	aws_sim_form_done(&f);
}

static const char *header_of(const void *context, const char *name)
{
	(void)context;
	return strcmp(name, "x-amz-date") == 0 ? "20261124T080000Z" : strcmp(name, "host") == 0 ? " a  b " : NULL;
}

static void try_authorization(str text)
{
	const struct aws_sim_signed q = {.method = STR("POST"), .path = STR("/"), .body = text, .header = header_of};
	struct aws_sim_authorization a;
	char signature[65];
	if (aws_sim_signature_parse(text, &a) && aws_sim_signature_of(&q, &a, "secret", signature) && strlen(signature) != 64)
		__builtin_trap();
}

static void try_user_data(str text)
{
	char location[] = "us-east-1", cluster[] = "kaito", why[200];
	const struct simulator s = {.location = location, .cluster = cluster};
	if (text.len > 16384)
		return;
	char *encoded = mem_alloc(text.len / 3 * 4 + 8);
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text.data, (int)text.len);
	json_t *taints = aws_sim_boot_taints(&s, encoded, why);
	if (!taints && !why[0])
		__builtin_trap();
	json_decref(taints);
	free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = size ? (str){(const char *)data + 1, size - 1} : STR("");
	if (size && data[0] == 'f')
		try_form(text);
	else if (size && data[0] == 'a')
		try_authorization(text);
	else if (size && data[0] == 'u')
		try_user_data(text);
	return 0;
}
