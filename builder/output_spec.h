/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OUTPUT_SPEC_H
#define BUILDER_OUTPUT_SPEC_H

/*
 * What comes out of a build, as `--output` says it, with the keys that BuildKit gave them (docker
 * buildx build, "--output"; BuildKit README, "Output"). Pure.
 *
 *     type=local,dest=DIR            files             type=oci,dest=FILE     an OCI archive
 *     type=tar,dest=FILE             files in a tar    type=docker,dest=FILE  a docker archive
 *     type=image, type=registry      an image in the store, at its registry
 *     DIR    is type=local,dest=DIR  -  is type=tar,dest=-
 *
 * A key that is not carried out is an error that names it, unless its value asks for nothing.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"
#include "builder/compress.h"
#include "registry/platform.h"

enum output_type { OUTPUT_LOCAL, OUTPUT_TAR, OUTPUT_OCI, OUTPUT_DOCKER, OUTPUT_IMAGE };
enum output_split { OUTPUT_SPLIT_AUTO, OUTPUT_SPLIT_NEVER, OUTPUT_SPLIT_ALWAYS };

/* Where an annotation goes (image-spec annotations.md). */
enum annotation_place {
    ANNOTATION_MANIFEST,
    ANNOTATION_INDEX,
    ANNOTATION_MANIFEST_DESCRIPTOR, /* the descriptor of the manifest, in what lists it */
    ANNOTATION_INDEX_DESCRIPTOR,
};

struct annotation {
    enum annotation_place place;
    bool has_platform; /* of this platform's manifest only */
    struct platform platform;
    char *key, *value;
};

struct annotations {
    struct annotation *items;
    size_t count, capacity;
};

struct output_spec {
    enum output_type type;
    char *dest;              /* NULL: none was given; "-": standard output */
    bool is_dir;             /* OUTPUT_OCI with tar=false */
    bool remove;             /* OUTPUT_LOCAL with mode=delete: what is not of the build goes */
    enum output_split split; /* OUTPUT_LOCAL, OUTPUT_TAR: a directory for each platform */

    /* Of images. */
    struct strv names;
    bool push;
    bool push_by_digest; /* no tag is written */
    bool insecure;       /* plain http and unverified TLS */
    bool store;          /* keep it in the store, under its names */
    bool whole;          /* … and fetch for that what pushing it does without */
    bool unpack;         /* its layers too */
    bool canonical;      /* name@digest is a name as well */
    char *dangling;      /* prefix@digest is a name as well */
    bool dangling_only;  /* … of an image without another */
    bool docker_types;   /* media types of Docker instead of OCI's */
    bool has_codec;
    enum codec codec;                       /* of the layers */
    int level;                              /* 0: the codec's default */
    bool force;                             /* of base layers too */
    bool rewrite_timestamp, keep_timestamp; /* rewrite-timestamp=true, =false */
    struct annotations annotations;
};

void annotations_release(struct annotations *list);
/* "key=value", "TYPE:key=value", "TYPE[os/arch],TYPE:key=value" with TYPE one of manifest, index,
 * manifest-descriptor, index-descriptor (docker buildx build, "--annotation"). Appends one for each
 * type. ERR_USAGE. */
int annotations_parse(struct annotations *list, struct str text, struct err *err);
void annotations_copy(struct annotations *to, const struct annotations *from); /* appends */

/* ERR_USAGE; out is empty on failure. Names are not checked here. */
int output_spec_parse(struct str text, struct output_spec *out, struct err *err);
void output_spec_release(struct output_spec *spec);
/* An image as a build without --output makes it: kept in the store. */
void output_spec_image(struct output_spec *out);
bool output_is_image(const struct output_spec *spec);  /* has a manifest: oci, docker, image */
bool output_to_stdout(const struct output_spec *spec); /* an archive goes there */

#endif
