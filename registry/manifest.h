/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_MANIFEST_H
#define REGISTRY_MANIFEST_H

/*
 * Image manifests and indexes, OCI and Docker schema 2. A fetched manifest is its bytes: digest,
 * store and push `bytes`, never a re-print. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/descriptor.h"
#include "registry/platform.h"

#define MANIFEST_MAX (4 << 20) /* distribution spec, "Pushing manifests" */
#define MANIFEST_CONFIG_MAX                                                                        \
    (8 << 20)                    /* ours: an image config; history of huge images passes 1 MiB */
#define MANIFEST_LAYERS_MAX 2000 /* ours; overlay stops long before */
#define MANIFEST_DEPTH_MAX 4     /* an index inside an index inside … */

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
/* The Accept header of every manifest request: all four, or ECR converts. */
#define MANIFEST_ACCEPT                                                                            \
    MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST

bool media_is_index(const char *type);   /* OCI or Docker */
bool media_is_config(const char *type);  /* of a runnable image */
bool media_is_layer(const char *type);   /* a tar, however compressed, foreign ones too */
bool media_is_foreign(const char *type); /* nondistributable: never pushed unless asked */
bool media_is_gzip(const char *type);    /* by name; readers go by magic */
bool media_is_zstd(const char *type);
/* The layer type in the manifest's own family: a Docker manifest takes Docker layer types. */
const char *media_layer_type(bool docker, bool gzip, bool zstd);

struct manifest {
    bool is_index;
    char *media_type;
    struct buf bytes;          /* as they came */
    char digest[DIGEST_SIZE];  /* of bytes */
    struct descriptor config;  /* image manifests */
    struct descriptor *layers; /* bottom first */
    size_t layers_count;
    struct descriptor *manifests; /* indexes */
    size_t manifests_count;
    json_t *doc; /* the whole document, owned; annotations, subject, … */
};

void manifest_release(struct manifest *m);
/*
 * content_type: the reply's header (parameters are dropped) or the descriptor's media type; NULL:
 * go by the document. ERR_INPUT: larger than MANIFEST_MAX, not JSON, mediaType not what
 * content_type says, both index and manifest, schema 1.
 */
int manifest_parse(struct str bytes, const char *content_type, struct manifest *out,
                   struct err *err);
/* Best entry of an index for a platform; the first of equals. Attestations are passed over; entries
 * that are themselves indexes count by their platform, or as a last choice without one. NULL:
 * ERR_INPUT, text lists what there is. Borrowed. */
const struct descriptor *manifest_select(const struct manifest *index, const struct platform *want,
                                         struct err *err);

/* Appends a new OCI document: sorted keys, so the same input gives the same bytes. annotations:
 * object or NULL, borrowed. */
void manifest_print_image(const struct descriptor *config, const struct descriptor *layers,
                          size_t count, const json_t *annotations, struct buf *out);
void manifest_print_index(const struct descriptor *manifests, size_t count,
                          const json_t *annotations, struct buf *out);
/* The same as Docker schema 2, which knows no annotations. The descriptors have Docker's types. */
void manifest_print_docker_image(const struct descriptor *config, const struct descriptor *layers,
                                 size_t count, struct buf *out);
void manifest_print_docker_list(const struct descriptor *manifests, size_t count, struct buf *out);

#endif
