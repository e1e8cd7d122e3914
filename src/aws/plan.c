/* plan.c: see plan.h. Each thing that has to be known is a question of facts.h; a step that had to ask one is taken again. */
#include "aws/plan.h"

#include "aws/machine.h"
#include "base/limits.h"
#include "catalog/sku.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GIB ((int64_t)1 << 30)
#define DISK_DEFAULT_GIB 100
#define DISK_MAX_GIB 65536

struct planning {
	const struct plan_context *c;
	const struct claim_view *claim;
	json_t *class;           /* the spec; {} without a class */
	bool *spent;
	int64_t *wait_ms;
	struct err *err;
};

void plan_done(struct plan *p)
{
	json_decref(p->subnets);
	json_decref(p->tags);
	free(p->template_name);
	free(p->template_form);
	free(p->template_fact);
	*p = (struct plan){0};
}

static int ask(struct planning *p, const char *question, struct fact *out)
{
	return facts_ask(p->c->facts, question, p->spent, out, p->wait_ms, p->err);
}

/* The class's fault: positive. */
#define unusable(p, ...) ({ (void)err_set((p)->err, ERR_INVALID, __VA_ARGS__); 1; })

/* --- the class --------------------------------------------------------------------------------------------------------- */

static bool names_ec2_class(const struct claim_view *claim)
{
	return strcmp(claim->class_group, KUBE_EC2_NODE_CLASSES.group) == 0 && strcmp(claim->class_kind, KUBE_EC2_NODE_CLASSES.kind) == 0 && claim->class_name[0];
}

static int read_class(struct planning *p)
{
	CLEANUP(facts_release) struct fact f = {0};
	bool given = p->claim->node_class && json_object_get(p->claim->node_class, "amiSelectorTerms");
	p->class = given ? json_incref((json_t *)(uintptr_t)p->claim->node_class) : json_object();
	if (given || !names_ec2_class(p->claim) || p->c->offline)
		return 0;
	CLEANUP(mem_freep) char *question = mem_printf(FACTS_CLASS "%s", p->claim->class_name);
	int rc = ask(p, question, &f);
	if (rc != 0)
		return rc;
	if (!f.body)
		return unusable(p, "there is no EC2NodeClass %s", p->claim->class_name);
	json_decref(p->class);
	p->class = json_incref(json_object_get(f.body, "spec"));
	return plan_check_class(p->class, p->err);
}

static int check_terms(const json_t *spec, const char *key, struct err *err)
{
	size_t n = json_array_size(json_object_get(spec, key));
	if (n > 0 && n <= LIMIT_EC2_SELECTOR_TERMS)
		return 0;
	(void)err_set(err, ERR_INVALID, "spec.%s has %zu terms, must have 1 to %d", key, n, LIMIT_EC2_SELECTOR_TERMS);
	return 1;
}

static int check_images(const json_t *spec, struct err *err)
{
	const json_t *term;
	size_t i;
	json_array_foreach(json_object_get(spec, "amiSelectorTerms"), i, term)
		if (json_text_at(term, "", "id", NULL)[0] || json_text_at(term, "", "alias", NULL)[0])
			return 0;
	(void)err_set(err, ERR_INVALID, "spec.amiSelectorTerms: name an image by id or alias (al2023@latest, bottlerocket@latest); tags, names and owners are not looked for");
	return 1;
}

int plan_check_class(const json_t *spec, struct err *err)
{
	if (check_terms(spec, "amiSelectorTerms", err) || check_terms(spec, "subnetSelectorTerms", err) || check_terms(spec, "securityGroupSelectorTerms", err) || check_images(spec, err))
		return 1;
	if (json_text_at(spec, "", "role", NULL)[0] || json_text_at(spec, "", "instanceProfile", NULL)[0])
		return 0;
	(void)err_set(err, ERR_INVALID, "spec.instanceProfile is missing (or spec.role, whose instance profile has the role's name)");
	return 1;
}

/* --- selectors ---------------------------------------------------------------------------------------------------------- */

struct kind { const char *action, *id_field, *name_filter, *set, *id; }; /* how one kind of thing is asked for */
static const struct kind SUBNETS = {"DescribeSubnets", "SubnetId", NULL, "subnetSet", "subnetId"};
static const struct kind GROUPS = {"DescribeSecurityGroups", "GroupId", "group-name", "securityGroupInfo", "groupId"};

static void put_filter(struct buf *form, int n, const char *name, const char *value)
{
	ec2_put(form, name, "Filter.%d.Name", n);
	ec2_put(form, value, "Filter.%d.Value.1", n);
}

static void put_term(struct buf *form, const struct kind *k, const json_t *term)
{
	const char *key, *id = json_text_at(term, "", "id", NULL), *name = json_text_at(term, "", "name", NULL);
	const json_t *value;
	int n = 0;
	ec2_begin(form, k->action);
	if (id[0])
		ec2_put(form, id, "%s.1", k->id_field);
	if (name[0] && k->name_filter)
		put_filter(form, ++n, k->name_filter, name);
	json_object_foreach(json_object_get(term, "tags"), key, value) {
		CLEANUP(mem_freep) char *tag = mem_printf("tag:%s", key);
		const char *text = json_string_value(value) ? json_string_value(value) : "";
		bool any = strcmp(text, "*") == 0;
		put_filter(form, ++n, any ? "tag-key" : tag, any ? key : text);
	}
}

static bool is_empty_term(const json_t *term)
{
	return !json_text_at(term, "", "id", NULL)[0] && !json_text_at(term, "", "name", NULL)[0] && json_object_size(json_object_get(term, "tags")) == 0;
}

/* Appends what the terms select. */
static int select_all(struct planning *p, const struct kind *k, const json_t *terms, const char *where, json_t *out)
{
	const json_t *term;
	size_t i;
	json_array_foreach(terms, i, term) {
		CLEANUP(buf_done) struct buf form = {0};
		CLEANUP(facts_release) struct fact f = {0};
		if (is_empty_term(term))
			return unusable(p, "spec.%s[%zu] selects nothing: give id or tags", where, i);
		put_term(&form, k, term);
		int rc = ask(p, form.data, &f);
		if (rc != 0)
			return rc;
		if (!f.body)
			return unusable(p, "spec.%s[%zu]: %s: %.120s", where, i, f.code, f.text);
		json_t *set = json_object_get(f.body, k->set);
		if (json_is_array(set))
			json_array_extend(out, set);
	}
	return json_array_size(out) > 0 ? 0 : unusable(p, "spec.%s selects nothing", where);
}

/* What Karpenter's own documents tell people to tag. */
static json_t *terms_of(const struct planning *p, const char *where)
{
	json_t *terms = json_object_get(p->class, where);
	return terms ? json_incref(terms) : json_pack("[{s:{s:s}}]", "tags", "karpenter.sh/discovery", p->c->settings->cluster);
}

/* Without questions: ids as they stand, the rest in words. */
static void name_terms(const json_t *terms, const char *id, json_t *out)
{
	const json_t *term;
	size_t i;
	json_array_foreach(terms, i, term) {
		CLEANUP(buf_done) struct buf tags = {0};
		json_print(json_object_get(term, "tags"), JSON_PRINT_COMPACT, &tags);
		const char *known = json_text_at(term, "", "id", NULL);
		json_array_append_new(out, json_pack("{s:o}", id, known[0] ? json_string(known) : json_sprintf("<selected by %s>", buf_str(&tags).data)));
	}
}

static int choose(struct planning *p, const struct kind *k, const char *where, json_t **out)
{
	CLEANUP(json_decrefp) json_t *terms = terms_of(p, where);
	json_t *found = json_array();
	int rc = 0;
	if (p->c->offline)
		name_terms(terms, k->id, found);
	else
		rc = select_all(p, k, terms, where, found);
	if (rc == 0)
		*out = found;
	else
		json_decref(found);
	return rc;
}

static int64_t free_addresses(const json_t *subnet)
{
	int64_t n = 0;
	return str_to_i64(str_of(json_text_at(subnet, "", "availableIpAddressCount", NULL)), &n) ? n : 0;
}

static int choose_subnets(struct planning *p, struct plan *out)
{
	CLEANUP(json_decrefp) json_t *found = NULL, *best = json_object();
	const json_t *subnet;
	const char *zone;
	size_t i;
	int rc = choose(p, &SUBNETS, "subnetSelectorTerms", &found);
	if (rc != 0)
		return rc;
	json_array_foreach(found, i, subnet) {
		zone = json_text_at(subnet, "", "availabilityZone", NULL);
		const json_t *there = json_object_get(best, zone);
		if (!there || free_addresses(subnet) > free_addresses(there))
			json_object_set(best, zone, (json_t *)(uintptr_t)subnet);
	}
	out->subnets = json_array();
	json_object_foreach(best, zone, subnet)
		json_array_append_new(out->subnets, json_pack("{s:s,s:s}", "id", json_text_at(subnet, "", "subnetId", NULL), "zone", zone));
	return 0;
}

/* --- the image ---------------------------------------------------------------------------------------------------------- */

/* "nvidia", "neuron", "standard": which drivers the machine needs. */
static const char *variant_of(const char *type)
{
	const struct sku *sku = sku_find("aws", type);
	if (sku)
		return strncmp(sku->gpu_model, "NVIDIA", 6) == 0 ? "nvidia" : strncmp(sku->gpu_model, "AWS", 3) == 0 ? "neuron" : "standard";
	if (strncmp(type, "inf", 3) == 0 || strncmp(type, "trn", 3) == 0)
		return "neuron";
	return (type[0] == 'g' || type[0] == 'p') && type[1] >= '2' && type[1] <= '9' ? "nvidia" : "standard";
}

static int cluster_version(struct planning *p, char out[16])
{
	CLEANUP(facts_release) struct fact f = {0};
	snprintf(out, 16, "%.15s", p->c->settings->cluster_version);
	if (out[0] || p->c->offline)
		return snprintf(out, 16, "%.15s", out[0] ? p->c->settings->cluster_version : "VERSION"), 0;
	int rc = ask(p, FACTS_VERSION, &f);
	if (rc != 0)
		return rc;
	const char *minor = json_text_at(f.body, "", "minor", NULL);
	if (!minor[0])
		return unusable(p, "the cluster's version is not known: set CLUSTER_VERSION (1.33)");
	snprintf(out, 16, "%.3s.%.*s", json_text_at(f.body, "1", "major", NULL), (int)(strspn(minor, "0123456789") % 6), minor);
	return 0;
}

static char *parameter_name(enum image_family family, const char *version, const char *arch, const char *variant, const char *wanted)
{
	bool latest = strcmp(wanted, "latest") == 0;
	if (family == IMAGE_BOTTLEROCKET)
		return mem_printf("/aws/service/bottlerocket/aws-k8s-%s%s/%s/%s/image_id", version, strcmp(variant, "nvidia") == 0 ? "-nvidia" : "", arch, wanted[0] == 'v' ? wanted + 1 : wanted);
	CLEANUP(mem_freep) char *which = latest ? mem_strdup("recommended") : mem_printf("amazon-eks-node-al2023-%s-%s-%s-%s", arch, variant, version, wanted);
	return mem_printf("/aws/service/eks/optimized-ami/%s/amazon-linux-2023/%s/%s/%s/image_id", version, arch, variant, which);
}

static int image_of_alias(struct planning *p, const char *alias, enum image_family *family, char image[64])
{
	CLEANUP(facts_release) struct fact f = {0};
	const char *at = strchr(alias, '@'), *wanted = at ? at + 1 : "latest", *variant = variant_of(p->claim->instance_types[0]);
	size_t n = at ? (size_t)(at - alias) : strlen(alias);
	char version[16];
	if (n == 6 && strncasecmp(alias, "al2023", 6) == 0)
		*family = IMAGE_AL2023;
	else if (n == 12 && strncasecmp(alias, "bottlerocket", 12) == 0)
		*family = IMAGE_BOTTLEROCKET;
	else
		return unusable(p, "spec.amiSelectorTerms: the alias '%.40s' is unknown here; use al2023@… or bottlerocket@…, or an id", alias);
	int rc = cluster_version(p, version);
	if (rc != 0)
		return rc;
	CLEANUP(mem_freep) char *name = parameter_name(*family, version, strcmp(p->claim->arch, "arm64") == 0 ? "arm64" : "x86_64", variant, wanted);
	CLEANUP(mem_freep) char *question = mem_printf(FACTS_PARAMETER "%s", name);
	if (p->c->offline)
		return snprintf(image, 64, "<%.60s>", alias), 0;
	rc = ask(p, question, &f);
	if (rc != 0)
		return rc;
	const char *id = json_text_at(f.body, "", "Parameter", "Value", NULL);
	if (strncmp(id, "ami-", 4) != 0 || strlen(id) > 40)
		return unusable(p, "no image: Systems Manager has no %.100s (%s)", name, f.code);
	snprintf(image, 64, "%.60s", id);
	return 0;
}

static int choose_image(struct planning *p, enum image_family *family, char image[64])
{
	const json_t *terms = json_object_get(p->class, "amiSelectorTerms"), *term;
	const char *named = json_text_at(p->class, USER_DATA_FAMILIES[IMAGE_AL2023], "amiFamily", NULL);
	size_t i;
	*family = IMAGE_FAMILIES;
	for (int k = 0; k < IMAGE_FAMILIES; k++)
		if (strcmp(USER_DATA_FAMILIES[k], named) == 0)
			*family = (enum image_family)k;
	if (*family == IMAGE_FAMILIES)
		return unusable(p, "spec.amiFamily %.30s is not supported; use AL2023, Bottlerocket or Custom", named);
	json_array_foreach(terms, i, term) {
		const char *id = json_text_at(term, "", "id", NULL), *alias = json_text_at(term, "", "alias", NULL);
		if (id[0])
			return snprintf(image, 64, "%.60s", id), 0;
		if (alias[0])
			return image_of_alias(p, alias, family, image);
	}
	return image_of_alias(p, "al2023@latest", family, image);
}

/* --- the launch template -------------------------------------------------------------------------------------------------- */

#define DATA "LaunchTemplateData."

static int64_t size_gib(const json_t *volume)
{
	char *end;
	long long n = strtoll(json_text_at(volume, "0", "volumeSize", NULL), &end, 10);
	return n < 0 || n > DISK_MAX_GIB ? 0 : strcmp(end, "Ti") == 0 ? n * 1024 : n;
}

static void put_text(struct buf *f, const json_t *ebs, const char *member, int n, const char *field, const char *fallback)
{
	const json_t *v = json_object_get(ebs, member);
	char number[24];
	snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
	const char *text = json_is_string(v) ? json_string_value(v) : json_is_boolean(v) ? (json_is_true(v) ? "true" : "false") : json_is_integer(v) ? number : fallback;
	if (text)
		ec2_put(f, text, DATA "BlockDeviceMapping.%d.Ebs.%s", n, field);
}

static void put_disk(struct buf *f, int n, const char *device, const json_t *ebs, int64_t gib)
{
	char size[24];
	snprintf(size, sizeof size, "%lld", (long long)(gib < DISK_MAX_GIB ? gib : DISK_MAX_GIB));
	ec2_put(f, device, DATA "BlockDeviceMapping.%d.DeviceName", n);
	if (gib > 0)
		ec2_put(f, size, DATA "BlockDeviceMapping.%d.Ebs.VolumeSize", n);
	put_text(f, ebs, "volumeType", n, "VolumeType", "gp3");
	put_text(f, ebs, "encrypted", n, "Encrypted", "true");
	put_text(f, ebs, "deleteOnTermination", n, "DeleteOnTermination", "true");
	put_text(f, ebs, "iops", n, "Iops", NULL);
	put_text(f, ebs, "throughput", n, "Throughput", NULL);
	put_text(f, ebs, "kmsKeyID", n, "KmsKeyId", NULL);
	put_text(f, ebs, "snapshotID", n, "SnapshotId", NULL);
}

/* The disk that pods live on gets what the claim asks for; of Bottlerocket that is the second one. */
static void put_disks(struct planning *p, enum image_family family, struct buf *f)
{
	const json_t *mappings = json_object_get(p->class, "blockDeviceMappings"), *m;
	int64_t asked = (p->claim->storage_bytes + GIB - 1) / GIB;
	size_t i, root = 0;
	if (p->claim->storage_bytes > DISK_MAX_GIB * GIB)
		asked = DISK_MAX_GIB;
	json_array_foreach(mappings, i, m)
		if (json_is_true(json_object_get(m, "rootVolume")))
			root = i;
	json_array_foreach(mappings, i, m) {
		const json_t *ebs = json_object_get(m, "ebs");
		int64_t gib = size_gib(ebs);
		put_disk(f, (int)i + 1, json_text_at(m, "/dev/xvda", "deviceName", NULL), ebs, i == root && asked > gib ? asked : gib);
	}
	if (json_array_size(mappings) == 0 && family != IMAGE_CUSTOM)
		put_disk(f, 1, family == IMAGE_BOTTLEROCKET ? "/dev/xvdb" : "/dev/xvda", NULL, asked > 0 ? asked : DISK_DEFAULT_GIB);
}

static int put_profile(struct planning *p, struct buf *f)
{
	const char *named = json_text_at(p->class, json_text_at(p->class, p->c->settings->instance_profile, "role", NULL), "instanceProfile", NULL);
	if (!named[0] && !p->c->offline)
		return unusable(p, "no instance profile: set AWS_NODE_INSTANCE_PROFILE, or name an EC2NodeClass in the claim's nodeClassRef");
	bool arn = strncmp(named, "arn:", 4) == 0;
	ec2_put(f, named[0] ? named : "<AWS_NODE_INSTANCE_PROFILE>", arn ? DATA "IamInstanceProfile.Arn" : DATA "IamInstanceProfile.Name");
	return 0;
}

static int put_groups(struct planning *p, struct buf *f)
{
	CLEANUP(json_decrefp) json_t *found = NULL;
	const json_t *group;
	size_t i;
	int rc = choose(p, &GROUPS, "securityGroupSelectorTerms", &found);
	json_array_foreach(found, i, group)
		ec2_put(f, json_text_at(group, "", "groupId", NULL), DATA "SecurityGroupId.%zu", i + 1);
	return rc;
}

static void put_metadata(struct planning *p, struct buf *f)
{
	static const struct { const char *member, *field, *fallback; } ROWS[] = {
		{"httpEndpoint", "HttpEndpoint", "enabled"}, {"httpProtocolIPv6", "HttpProtocolIpv6", "disabled"}, {"httpTokens", "HttpTokens", "required"},
	};
	const json_t *options = json_object_get(p->class, "metadataOptions");
	char hops[24];
	snprintf(hops, sizeof hops, "%lld", (long long)json_int_at(options, 1, "httpPutResponseHopLimit", NULL));
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
		ec2_put(f, json_text_at(options, ROWS[i].fallback, ROWS[i].member, NULL), DATA "MetadataOptions.%s", ROWS[i].field);
	ec2_put(f, hops, DATA "MetadataOptions.HttpPutResponseHopLimit");
}

/* Without questions, where the cluster is not known: names in place of values. */
static void name_cluster(struct aws_settings *s)
{
	static char endpoint[] = "CLUSTER_ENDPOINT", ca[] = "CLUSTER_CA", cidr[] = "CLUSTER_SERVICE_CIDR";
	s->cluster_endpoint = s->cluster_endpoint[0] ? s->cluster_endpoint : endpoint;
	s->cluster_ca = s->cluster_ca[0] ? s->cluster_ca : ca;
	s->service_cidr = s->service_cidr[0] ? s->service_cidr : cidr;
}

static int put_user_data(struct planning *p, enum image_family family, struct buf *f)
{
	struct aws_settings known = *p->c->settings;
	CLEANUP(mem_freep) char *text = NULL;
	if (p->c->offline)
		name_cluster(&known);
	if (user_data_make(family, &known, p->claim, json_text_at(p->class, NULL, "userData", NULL), &text, p->err) < 0)
		return 1;
	if (text[0])
		ec2_put(f, text, DATA "UserData");
	return 0;
}

/* The form from after its name on: what the name is a hash of. */
static int template_data(struct planning *p, struct plan *out, struct buf *f)
{
	enum image_family family;
	int rc = choose_image(p, &family, out->image);
	if (rc != 0)
		return rc;
	ec2_put(f, out->image, DATA "ImageId");
	rc = put_profile(p, f);
	if (rc == 0)
		rc = put_groups(p, f);
	if (rc == 0)
		rc = put_user_data(p, family, f);
	if (rc != 0)
		return rc;
	put_disks(p, family, f);
	put_metadata(p, f);
	ec2_put(f, "launch-template", "TagSpecification.1.ResourceType");
	ec2_put(f, MACHINE_TAG_CLUSTER, "TagSpecification.1.Tag.1.Key");
	ec2_put(f, p->c->settings->cluster, "TagSpecification.1.Tag.1.Value");
	return 0;
}

void plan_template_question(const char *name, struct buf *out)
{
	ec2_begin(out, "DescribeLaunchTemplates");
	ec2_put(out, "launch-template-name", "Filter.1.Name");
	ec2_put(out, name, "Filter.1.Value.1");
}

static void name_template(const struct buf *data, struct plan *out)
{
	char digest[DIGEST_TEXT];
	struct buf form = {0}, question = {0};
	digest_of(data->data, data->len, digest);
	out->template_name = mem_printf("kaito-%.40s", digest_hex(digest));
	ec2_begin(&form, "CreateLaunchTemplate");
	ec2_put(&form, out->template_name, "LaunchTemplateName");
	buf_put_str(&form, buf_str(data));
	plan_template_question(out->template_name, &question);
	out->template_form = buf_take(&form);
	out->template_fact = buf_take(&question);
}

static int find_template(struct planning *p, struct plan *out)
{
	CLEANUP(facts_release) struct fact f = {0};
	int rc = p->c->offline ? 0 : ask(p, out->template_fact, &f);
	if (rc != 0 || p->c->offline)
		return rc;
	if (!f.body && !strstr(f.code, "NotFound"))
		return unusable(p, "DescribeLaunchTemplates: %s: %.150s", f.code, f.text);
	out->template_exists = json_array_size(json_object_get(f.body, "launchTemplates")) > 0;
	return 0;
}

/* --- all ------------------------------------------------------------------------------------------------------------------ */

static int make(struct planning *p, struct plan *out)
{
	CLEANUP(buf_done) struct buf data = {0};
	if (p->claim->n_instance_types == 0)
		return unusable(p, "the claim names no instance type");
	if (strcmp(p->claim->os, "linux") != 0)
		return unusable(p, "the claim asks for %.20s; only linux is made here", p->claim->os);
	int rc = read_class(p);
	out->tags = json_incref(json_object_get(p->class, "tags"));
	if (rc == 0)
		rc = choose_subnets(p, out);
	if (rc == 0)
		rc = template_data(p, out, &data);
	if (rc != 0)
		return rc;
	name_template(&data, out);
	return find_template(p, out);
}

int plan_make(const struct plan_context *c, const struct claim_view *claim, bool *spent, struct plan *out, int64_t *wait_ms, struct err *err)
{
	struct planning p = {.c = c, .claim = claim, .spent = spent, .wait_ms = wait_ms, .err = err};
	*out = (struct plan){0};
	int rc = make(&p, out);
	json_decref(p.class);
	if (rc != 0)
		plan_done(out);
	return rc;
}
