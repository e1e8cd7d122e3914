/* manifest.h: image manifests and indexes (OCI image spec 1.1, Docker schema 2), parsed with every field checked that we
 * act on. Immutable after parsing. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "codec/digest.h"

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define ANNOTATION_MODEL_NAME "sh.kaito.model.name"
#define ANNOTATION_TITLE "org.opencontainers.image.title"
#define ANNOTATION_UNPACK "io.deis.oras.content.unpack"

struct descriptor {
	char digest[DIGEST_TEXT];
	uint64_t size;
	char *media_type;   /* never NULL */
	char *title;        /* file name of an artifact's layer, checked to be relative and without ".."; or NULL */
	bool unpack;        /* a titled layer that is a packed folder */
};
struct manifest {
	char *media_type, *artifact_type, *model_name; /* the last two may be NULL */
	struct descriptor config;
	struct descriptor *layers;
	size_t n_layers;
	bool is_image;      /* config is an image's: the layers are tar archives */
};

/* 0: *out is a manifest, manifest_done is the caller's. 1: it is an index; *chosen names the manifest for
 * linux/architecture ("amd64"). ERR_INVALID, ERR_LIMIT, ERR_UNSUPPORTED (old schema), ERR_NOT_FOUND (no such platform). */
WARN_UNUSED int manifest_parse(str text, const char *architecture, struct manifest *out, char chosen[DIGEST_TEXT], struct err *err);
void manifest_done(struct manifest *m);
/* The manifest's JSON text. Caller frees. */
char *manifest_print(const struct manifest *m);
const char *manifest_host_architecture(void);
