/* user_data.c: see user_data.h. A Node gets its claim's labels when it registers, so machines of all claims of a class and its taints share
 * one text, and one launch template. Until then the taint karpenter.sh/unregistered keeps pods away. */
#include "aws/user_data.h"

#include "base/buf.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>

#define USER_DATA_MAX 16384 /* EC2's, before base64 */

const char *const USER_DATA_FAMILIES[IMAGE_FAMILIES] = {[IMAGE_AL2023] = "AL2023", [IMAGE_BOTTLEROCKET] = "Bottlerocket", [IMAGE_CUSTOM] = "Custom"};

static json_t *taints_of(const struct claim_view *claim)
{
	json_t *taints = json_pack("[{s:s,s:s}]", "key", TAINT_UNREGISTERED, "effect", "NoExecute");
	if (json_is_array(claim->taints))
		json_array_extend(taints, (json_t *)(uintptr_t)claim->taints);
	if (json_is_array(claim->startup_taints))
		json_array_extend(taints, (json_t *)(uintptr_t)claim->startup_taints);
	return taints;
}

static int need_cluster(const struct aws_settings *s, struct err *err)
{
	if (s->cluster_endpoint[0] && s->cluster_ca[0])
		return 0;
	return err_set(err, ERR_CONFIG, "set CLUSTER_ENDPOINT and CLUSTER_CA (base64) so that machines can join: aws eks describe-cluster --name %s", s->cluster);
}

/* --- Amazon Linux 2023 ------------------------------------------------------------------------------------------------ */

static void put_part(struct buf *out, const char *type, const char *text)
{
	buf_printf(out, "--KAITO\nContent-Type: %s\n\n%s%s", type, text, str_ends(str_of(text), STR("\n")) ? "" : "\n");
}

static int put_custom_part(struct buf *out, const char *custom, struct err *err)
{
	if (!custom || !custom[0])
		return 0;
	if (strncmp(custom, "MIME-Version:", 13) == 0 || strncmp(custom, "Content-Type:", 13) == 0)
		return err_set(err, ERR_INVALID, "spec.userData is a MIME document; give the script or the NodeConfig alone");
	put_part(out, strncmp(custom, "#!", 2) == 0 ? "text/x-shellscript; charset=\"us-ascii\"" : "application/node.eks.aws", custom);
	return strstr(custom, "--KAITO") ? err_set(err, ERR_INVALID, "spec.userData has a line --KAITO, which separates its parts") : 0;
}

/* JSON is YAML. */
static int al2023(const struct aws_settings *s, const struct claim_view *claim, const char *custom, struct buf *out, struct err *err)
{
	if (need_cluster(s, err) < 0)
		return -1;
	if (!s->service_cidr[0])
		return err_set(err, ERR_CONFIG, "set CLUSTER_SERVICE_CIDR (10.100.0.0/16), which nodeadm asks for");
	CLEANUP(json_decrefp) json_t *config =
		json_pack("{s:s,s:s,s:{s:{s:s,s:s,s:s,s:s},s:{s:{s:o}}}}", "apiVersion", "node.eks.aws/v1alpha1", "kind", "NodeConfig", "spec", "cluster", "name", s->cluster,
			  "apiServerEndpoint", s->cluster_endpoint, "certificateAuthority", s->cluster_ca, "cidr", s->service_cidr, "kubelet", "config", "registerWithTaints", taints_of(claim));
	CLEANUP(buf_done) struct buf text = {0};
	json_print(config, JSON_PRINT_INDENT, &text);
	buf_puts(out, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"KAITO\"\n\n");
	if (put_custom_part(out, custom, err) < 0)
		return -1;
	put_part(out, "application/node.eks.aws", text.data);
	buf_puts(out, "--KAITO--\n");
	return 0;
}

/* --- Bottlerocket ----------------------------------------------------------------------------------------------------- */

static void put_toml(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "%s = ", key);
	json_put_string(out, str_of(value)); /* escapes of JSON are escapes of TOML */
	buf_putc(out, '\n');
}

static void put_toml_taints(struct buf *out, const struct claim_view *claim)
{
	CLEANUP(json_decrefp) json_t *taints = taints_of(claim), *by_key = json_object();
	const json_t *taint, *list;
	const char *key;
	size_t i;
	json_array_foreach(taints, i, taint) {
		const char *name = json_text_at(taint, "", "key", NULL);
		json_t *of_key = json_object_get(by_key, name);
		if (!of_key)
			json_object_set_new(by_key, name, of_key = json_array());
		json_array_append_new(of_key, json_sprintf("%s:%s", json_text_at(taint, "", "value", NULL), json_text_at(taint, "", "effect", NULL)));
	}
	json_object_foreach(by_key, key, list) {
		json_put_string(out, str_of(key));
		buf_puts(out, " = ");
		json_print(list, JSON_PRINT_SPACED, out);
		buf_putc(out, '\n');
	}
}

static int bottlerocket(const struct aws_settings *s, const struct claim_view *claim, const char *custom, struct buf *out, struct err *err)
{
	if (need_cluster(s, err) < 0)
		return -1;
	if (custom && strstr(custom, "settings.kubernetes"))
		return err_set(err, ERR_INVALID, "spec.userData has [settings.kubernetes], which is written here");
	if (custom)
		buf_printf(out, "%s\n", custom);
	buf_puts(out, "[settings.kubernetes]\n");
	put_toml(out, "cluster-name", s->cluster);
	put_toml(out, "api-server", s->cluster_endpoint);
	put_toml(out, "cluster-certificate", s->cluster_ca);
	buf_puts(out, "[settings.kubernetes.node-taints]\n");
	put_toml_taints(out, claim);
	return 0;
}

static int as_it_is(const struct aws_settings *s, const struct claim_view *claim, const char *custom, struct buf *out, struct err *err)
{
	(void)s, (void)claim, (void)err;
	buf_puts(out, custom ? custom : "");
	return 0;
}

/* --- all -------------------------------------------------------------------------------------------------------------- */

int user_data_text(enum image_family family, const struct aws_settings *s, const struct claim_view *claim, const char *custom, struct buf *out, struct err *err)
{
	static int (*const WRITERS[])(const struct aws_settings *s, const struct claim_view *claim, const char *custom, struct buf *out, struct err *err) = {
		[IMAGE_AL2023] = al2023, [IMAGE_BOTTLEROCKET] = bottlerocket, [IMAGE_CUSTOM] = as_it_is,
	};
	if (WRITERS[family](s, claim, custom, out, err) < 0)
		return -1;
	if (out->len > USER_DATA_MAX)
		return err_set(err, ERR_INVALID, "user data of %zu bytes; EC2 takes %d", out->len, USER_DATA_MAX);
	return 0;
}

int user_data_make(enum image_family family, const struct aws_settings *s, const struct claim_view *claim, const char *custom, char **out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (user_data_text(family, s, claim, custom, &text, err) < 0)
		return -1;
	*out = base64_encode(BASE64_STANDARD, buf_str(&text));
	return 0;
}
