/* cmd_explain.c: `kaito explain nodeclaim NAME|FILE`: the request that the provisioner would send for a claim next, and why it would be
 * that one. Nothing is sent to the cloud. Node classes come from the same file, else from the cluster. */
#include "cmd/clouds.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/manifests.h"

#include "base/fd.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

struct explanation {
	const char *kubeconfig;
	struct clouds_options clouds;
	struct kube_client *kube;   /* NULL: only files */
	manifest_list objects;      /* of FILE */
	size_t explained;
};

static void explanation_done(struct explanation *e)
{
	manifests_done(&e->objects);
	kube_client_close(e->kube);
	clouds_done(&e->clouds);
}

static int connect(struct explanation *e, struct err *err)
{
	const struct kube_options options = {.kubeconfig = e->kubeconfig, .user_agent = "kaito-explain"};
	return e->kube ? 0 : kube_client_open(&e->kube, &options, err);
}

static const struct kube_resource *class_resource(const struct claim_view *v)
{
	if (strcmp(v->class_group, KUBE_NODE_CLASSES.group) == 0 && strcmp(v->class_kind, KUBE_NODE_CLASSES.kind) == 0)
		return &KUBE_NODE_CLASSES;
	if (strcmp(v->class_group, KUBE_AKS_NODE_CLASSES.group) == 0 && strcmp(v->class_kind, KUBE_AKS_NODE_CLASSES.kind) == 0)
		return &KUBE_AKS_NODE_CLASSES;
	return NULL;
}

/* The class's spec, new reference; NULL: there is none, the defaults hold. */
static json_t *find_class(struct explanation *e, const struct claim_view *v)
{
	const struct kube_resource *r = class_resource(v);
	json_t *found = NULL;
	struct err why = ERR_INIT;
	if (!r)
		return NULL;
	for (size_t i = 0; i < e->objects.len && !found; i++)
		if (strcmp(json_text_at(e->objects.data[i].object, "", "kind", NULL), r->kind) == 0 && strcmp(meta_name(e->objects.data[i].object), v->class_name) == 0)
			found = json_incref(e->objects.data[i].object);
	if (!found && e->kube && kube_get(e->kube, r, NULL, v->class_name, &found, &why) < 0)
		printf("# %s %s: %s; explained with the defaults\n", r->kind, v->class_name, why.message);
	json_t *spec = json_incref(json_object_get(found, "spec"));
	json_decref(found);
	return spec;
}

static int explain(struct explanation *e, const json_t *claim, struct err *err)
{
	struct claim_view v CLEANUP(claim_view_done) = {0};
	struct cloud *cloud = NULL;
	const struct cloud_hooks offline = {0};
	struct buf text = {0};
	if (claim_view_init(&v, claim, err) < 0 || clouds_open(&e->clouds, e->kube, &offline, &cloud, err) < 0)
		return -1;
	CLEANUP(json_decrefp) json_t *node_class = find_class(e, &v);
	v.node_class = node_class;
	if (!claim_managed(claim))
		printf("# not ours: spec.nodeClassRef is not kaito.sh/KaitoNodeClass, and there is no label %s or %s; the provisioner would leave it alone\n",
		       LABEL_KAITO_WORKSPACE, LABEL_KAITO_RAG_ENGINE);
	int rc = cloud->ops->explain(cloud, &v, &text, err);
	if (rc == 0 && text.len)
		fwrite(text.data, 1, text.len, stdout);
	buf_done(&text);
	cloud->ops->free(cloud);
	clouds_done(&e->clouds);
	e->explained++;
	return rc;
}

static int explain_file(struct explanation *e, const char *path, struct err *err)
{
	struct err none = ERR_INIT;
	if (manifests_read(path, &e->objects, err) < 0)
		return -1;
	if (e->kubeconfig && connect(e, &none) < 0)
		return err_set(err, none.kind, "%s", none.message);
	for (size_t i = 0; i < e->objects.len; i++)
		if (dialect_of(e->objects.data[i].object) && explain(e, e->objects.data[i].object, err) < 0)
			return err_wrap(err, "%s, document %d", path, e->objects.data[i].document);
	return e->explained ? 0 : err_set(err, ERR_NOT_FOUND, "%s has no karpenter.sh NodeClaim or Machine", path);
}

static int explain_name(struct explanation *e, const char *name, struct err *err)
{
	CLEANUP(json_decrefp) json_t *claim = NULL;
	struct err why = ERR_INIT;
	if (connect(e, err) < 0)
		return -1;
	if (kube_get(e->kube, &KUBE_NODE_CLAIMS, NULL, name, &claim, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		if (kube_get(e->kube, &KUBE_MACHINES, NULL, name, &claim, &why) < 0)
			return err_set(err, ERR_NOT_FOUND, "no file, NodeClaim or Machine is called '%s'", name);
	}
	return explain(e, claim, err);
}

int cmd_explain(int argc, char **argv, struct err *err)
{
	struct explanation e CLEANUP(explanation_done) = {.clouds = clouds_options_default()};
	const char *words[2] = {0};
	size_t n = 0;
	e.clouds.offline = true;
	const struct flag flags[] = {
		{"kubeconfig", "PATH", FLAG_STRING, &e.kubeconfig, "cluster to look claims and node classes up in ($KUBECONFIG, else the pod's own, else ~/.kube/config)", false, 0, 0, false},
		{"cloud", "NAME", FLAG_STRING, &e.clouds.cloud, CLOUDS_NAMES " ($CLOUD_PROVIDER, else azure)", false, 0, 0, false},
		{"arm-api-version", "DATE", FLAG_STRING, &e.clouds.arm_api_version, "of agent pools (2024-01-01)", false, 0, 0, false},
		{"azure-instances", "NAME", FLAG_STRING, &e.clouds.azure_instances, "pools or machines, as the provisioner has it (pools; machines with $PROVISION_MODE=aksmachineapi)", false, 0, 0, false},
		{"aks-machines-pool", "NAME", FLAG_STRING, &e.clouds.aks_machines_pool, "with machines: their agent pool ($AKS_MACHINES_POOL_NAME, else kaitomach)", false, 0, 0, false},
	};
	int rc = flags_parse("explain nodeclaim NAME|FILE [flags]", flags, sizeof flags / sizeof flags[0], argc, argv, words, 2, &n, err);
	if (rc != 0)
		return rc > 0 ? 0 : -1;
	if (n != 2 || (strcmp(words[0], "nodeclaim") != 0 && strcmp(words[0], "machine") != 0))
		return err_set(err, ERR_USAGE, "usage: kaito explain nodeclaim NAME|FILE");
	return fd_exists(words[1]) || strcmp(words[1], "-") == 0 ? explain_file(&e, words[1], err) : explain_name(&e, words[1], err);
}
