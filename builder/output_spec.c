/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/output_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/csv.h"
#include "base/scope.h"

#define LOCAL (1u << OUTPUT_LOCAL)
#define TAR (1u << OUTPUT_TAR)
#define OCI (1u << OUTPUT_OCI)
#define DOCKER (1u << OUTPUT_DOCKER)
#define IMAGE (1u << OUTPUT_IMAGE)
#define IMAGES (OCI | DOCKER | IMAGE)

void output_spec_release(struct output_spec *spec)
{
    free(spec->dest);
    free(spec->dangling);
    strv_release(&spec->names);
    annotations_release(&spec->annotations);
    *spec = (struct output_spec){0};
}

bool output_is_image(const struct output_spec *spec)
{
    return spec->type != OUTPUT_LOCAL && spec->type != OUTPUT_TAR;
}

bool output_to_stdout(const struct output_spec *spec)
{
    return spec->dest && strcmp(spec->dest, "-") == 0;
}

void output_spec_image(struct output_spec *out)
{
    *out = (struct output_spec){.type = OUTPUT_IMAGE, .store = true};
}

/* What the keys are read into: the spec, and what must wait for the others. */
struct reading {
    struct output_spec *spec;
    const char *type;  /* as written; NULL: not yet */
    const char *level; /* compression-level */
    bool tar;
};

typedef int key_fn(struct reading *r, const char *value, struct err *err);

static int read_dest(struct reading *r, const char *value, struct err *err)
{
    if (!*value)
        return err_set(err, ERR_USAGE, 0, "no path is given");
    free(r->spec->dest);
    r->spec->dest = xstrdup(value);
    return 0;
}

static int read_tar(struct reading *r, const char *value, struct err *err)
{
    return csv_bool(value, &r->tar, err);
}

static int read_mode(struct reading *r, const char *value, struct err *err)
{
    r->spec->remove = strcmp(value, "delete") == 0;
    if (!r->spec->remove && strcmp(value, "copy") != 0)
        return err_set(err, ERR_USAGE, 0, "want copy or delete");
    return 0;
}

static int read_split(struct reading *r, const char *value, struct err *err)
{
    bool on = false;

    if (csv_bool(value, &on, err) < 0)
        return -1;
    r->spec->split = on ? OUTPUT_SPLIT_ALWAYS : OUTPUT_SPLIT_NEVER;
    return 0;
}

static int read_name(struct reading *r, const char *value, struct err *err)
{
    struct str rest = str_of(value), name;

    while (rest.size) {
        str_cut(rest, ',', &name, &rest);
        name = str_trim(name);
        if (!name.size)
            return err_set(err, ERR_USAGE, 0, "an empty name");
        strv_add_str(&r->spec->names, name);
    }
    return 0;
}

static int read_dangling(struct reading *r, const char *value, struct err *err)
{
    (void)err;
    free(r->spec->dangling);
    r->spec->dangling = *value ? xstrdup(value) : NULL;
    return 0;
}

static int read_oci_types(struct reading *r, const char *value, struct err *err)
{
    bool oci = true;

    if (csv_bool(value, &oci, err) < 0)
        return -1;
    r->spec->docker_types = !oci;
    return 0;
}

static int read_codec(struct reading *r, const char *value, struct err *err)
{
    r->spec->has_codec = true;
    return codec_read(value, &r->spec->codec, err);
}

static int read_level(struct reading *r, const char *value, struct err *err)
{
    (void)err;
    r->level = value; /* what it means depends on the codec */
    return 0;
}

static int read_rewrite(struct reading *r, const char *value, struct err *err)
{
    bool on = false;

    if (csv_bool(value, &on, err) < 0)
        return -1;
    r->spec->rewrite_timestamp = on;
    r->spec->keep_timestamp = !on;
    return 0;
}

/* Keys that ask for what is not done here; false asks for nothing. */
static int read_never(struct reading *r, const char *value, struct err *err)
{
    bool on = false;

    (void)r;
    if (csv_bool(value, &on, err) < 0)
        return -1;
    return on ? err_set(err, ERR_USAGE, 0, "not carried out") : 0;
}

static int read_refused(struct reading *r, const char *value, struct err *err)
{
    (void)r;
    (void)value;
    return err_set(err, ERR_USAGE, 0, "not carried out");
}

/* Attestations are never made, so how they would be written has no meaning. */
static int read_no_meaning(struct reading *r, const char *value, struct err *err)
{
    bool ignored;

    (void)r;
    return csv_bool(value, &ignored, err);
}

#define FLAG(member)                                                                               \
    static int read_##member(struct reading *r, const char *value, struct err *err)                \
    {                                                                                              \
        return csv_bool(value, &r->spec->member, err);                                             \
    }
FLAG(push)
FLAG(push_by_digest)
FLAG(insecure)
FLAG(unpack)
FLAG(canonical)
FLAG(dangling_only)
FLAG(force)

static int read_store(struct reading *r, const char *value, struct err *err)
{
    if (csv_bool(value, &r->spec->store, err) < 0)
        return -1;
    r->spec->whole = r->spec->store;
    return 0;
}

static const struct {
    const char *name;
    unsigned types;
    key_fn *read;
} keys[] = {
    {"dest", LOCAL | TAR | OCI | DOCKER, read_dest},
    {"tar", OCI | DOCKER, read_tar},
    {"mode", LOCAL, read_mode},
    {"platform-split", LOCAL | TAR, read_split},
    {"name", IMAGES, read_name},
    {"push", IMAGE, read_push},
    {"push-by-digest", IMAGE, read_push_by_digest},
    {"registry.insecure", IMAGE, read_insecure},
    {"store", IMAGE, read_store},
    {"unpack", IMAGE, read_unpack},
    {"name-canonical", IMAGE, read_canonical},
    {"dangling-name-prefix", IMAGE, read_dangling},
    {"danging-name-empty-only", IMAGE, read_dangling_only}, /* BuildKit's own spelling */
    {"oci-mediatypes", IMAGES, read_oci_types},
    {"compression", IMAGES, read_codec},
    {"compression-level", IMAGES, read_level},
    {"force-compression", IMAGES, read_force},
    {"rewrite-timestamp", LOCAL | TAR | IMAGES, read_rewrite},
    {"oci-artifact", IMAGES, read_no_meaning},
    {"attestation-inline", IMAGES, read_no_meaning},
    {"prefer-nondist-layers", IMAGES, read_never},
    {"attestation-prefix", LOCAL | TAR, read_refused},
    {"compatibility-version", IMAGES, read_refused},
    {"danger-allow-unsafe", IMAGES, read_refused},
};

/* annotation[-PLACE][[os/arch]].KEY */
static bool is_annotation(const char *key)
{
    return str_starts(str_of(key), "annotation.") || str_starts(str_of(key), "annotation-") ||
           str_starts(str_of(key), "annotation[");
}

static int read_annotation(struct reading *r, struct str key, const char *value, struct err *err)
{
    struct str place, name, rest = str_slice(key, strlen("annotation"), key.size);
    ptrdiff_t end = str_find(rest, ']'), dot;
    SCOPED(buf_release) struct buf text = {0};

    /* A platform may hold a dot: the key begins after the bracket. */
    dot = str_find(str_slice(rest, end < 0 ? 0 : (size_t)end, rest.size), '.');
    if (!output_is_image(r->spec))
        return err_set(err, ERR_USAGE, 0, "only an image has annotations");
    if (dot < 0)
        return err_set(err, ERR_USAGE, 0, "want annotation.KEY=VALUE");
    dot += end < 0 ? 0 : end;
    place = str_slice(rest, 0, (size_t)dot);
    name = str_slice(rest, (size_t)dot + 1, rest.size);
    if (str_starts(place, "-"))
        place = str_slice(place, 1, place.size);
    else
        buf_adds(&text, "manifest");
    buf_add_str(&text, place);
    buf_addc(&text, ':');
    buf_add_str(&text, name);
    buf_addf(&text, "=%s", value);
    return annotations_parse(&r->spec->annotations, buf_str(&text), err);
}

static void list_keys(unsigned type, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].types & 1u << type && keys[i].read != read_refused)
            buf_addf(out, "%s%s", out->size ? ", " : "", keys[i].name);
}

static int read_key(struct reading *r, const char *name, const char *value, struct err *err)
{
    SCOPED(buf_release) struct buf known = {0}, shown = {0};

    if (is_annotation(name))
        return read_annotation(r, str_of(name), value, err);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (strcmp(keys[i].name, name) == 0 && keys[i].types & 1u << r->spec->type)
            return keys[i].read(r, value, err);
    list_keys(r->spec->type, &known);
    buf_add_escaped(&shown, str_slice(str_of(r->type), 0, 40));
    return err_set(err, ERR_USAGE, 0, "type=%s has no such key; it has %s", buf_cstr(&shown),
                   buf_cstr(&known));
}

static int set_type(struct reading *r, const char *value, struct err *err)
{
    static const struct {
        const char *name;
        enum output_type type;
    } types[] = {{"local", OUTPUT_LOCAL},   {"tar", OUTPUT_TAR},     {"oci", OUTPUT_OCI},
                 {"docker", OUTPUT_DOCKER}, {"image", OUTPUT_IMAGE}, {"registry", OUTPUT_IMAGE}};
    SCOPED(buf_release) struct buf shown = {0};

    if (r->type)
        return err_set(err, ERR_USAGE, 0, "type is given twice");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strcmp(types[i].name, value) != 0)
            continue;
        r->spec->type = types[i].type;
        r->type = types[i].name;
        r->spec->push = strcmp(value, "registry") == 0;
        r->spec->store = strcmp(value, "image") == 0;
        return 0;
    }
    buf_add_escaped(&shown, str_slice(str_of(value), 0, 100));
    return err_set(err, ERR_USAGE, 0, "type=%s is not local, tar, oci, docker, image or registry",
                   buf_cstr(&shown));
}

/* BuildKit's range for each codec, as far as it can be carried out. */
static int set_level(struct reading *r, struct err *err)
{
    struct output_spec *spec = r->spec;
    uint64_t level;

    if (!r->level)
        return 0;
    if (!str_u64(str_of(r->level), &level) || level > 22)
        return err_set(err, ERR_USAGE, 0, "compression-level: want a number from 0 to 22");
    if (!spec->has_codec)
        spec->codec = CODEC_GZIP;
    spec->has_codec = true;
    if (spec->codec == CODEC_NONE)
        return err_set(err, ERR_USAGE, 0,
                       "compression-level has no meaning with compression=uncompressed");
    if (spec->codec == CODEC_GZIP && level == 0)
        return err_set(
            err, ERR_USAGE, 0,
            "compression-level=0: for layers without compression say compression=uncompressed");
    if (!codec_level_valid(spec->codec, (int)level))
        return err_set(err, ERR_USAGE, 0, "compression-level=%s: %s goes to %d here", r->level,
                       codec_name(spec->codec), spec->codec == CODEC_GZIP ? 12 : 19);
    spec->level = (int)level;
    return 0;
}

/* What the keys say together. */
static int check(struct reading *r, struct err *err)
{
    struct output_spec *spec = r->spec;

    if (set_level(r, err) < 0)
        return -1;
    if (spec->type == OUTPUT_LOCAL && (!spec->dest || strcmp(spec->dest, "-") == 0))
        return err_set(err, ERR_USAGE, 0, "type=local needs dest=DIRECTORY");
    spec->is_dir = !r->tar;
    if (spec->is_dir && spec->type == OUTPUT_DOCKER)
        return err_set(err, ERR_USAGE, 0,
                       "tar=false: docker's form is an archive; type=oci has a directory form");
    if (spec->is_dir && (!spec->dest || strcmp(spec->dest, "-") == 0))
        return err_set(err, ERR_USAGE, 0, "tar=false needs dest=DIRECTORY");
    if (spec->docker_types && spec->has_codec && spec->codec == CODEC_ZSTD)
        return err_set(err, ERR_USAGE, 0,
                       "compression=zstd: Docker's media types know no zstd; leave "
                       "oci-mediatypes=false out");
    if (spec->docker_types && spec->annotations.count)
        return err_set(err, ERR_USAGE, 0,
                       "annotations need OCI media types; leave oci-mediatypes=false out");
    if (spec->push_by_digest && !spec->push)
        return err_set(err, ERR_USAGE, 0, "push-by-digest needs push=true");
    /* Docker's own archive without a place is what --load asks for: the image in the store. */
    if (spec->type == OUTPUT_DOCKER && !spec->dest) {
        spec->type = OUTPUT_IMAGE;
        spec->store = true;
    } else if (spec->type != OUTPUT_IMAGE && !spec->dest) {
        spec->dest = xstrdup("-");
    }
    return 0;
}

static int read_fields(struct reading *r, const struct strv *fields, struct err *err)
{
    for (int pass = 0; pass < 2; pass++) { /* type says what the others are */
        for (size_t i = 0; i < fields->count; i++) {
            struct str name, value;
            SCOPED(buf_release) struct buf shown = {0};

            if (!str_cut(str_of(fields->ptr[i]), '=', &name, &value)) {
                buf_add_escaped(&shown, str_slice(str_of(fields->ptr[i]), 0, 100));
                return err_set(err, ERR_USAGE, 0, "\"%s\": want KEY=VALUE", buf_cstr(&shown));
            }
            name = str_trim(name);
            AUTO_FREE char *key = str_dup(name);
            bool is_type = str_is_nocase(name, "type");

            if (is_type == (pass > 0))
                continue;
            buf_add_escaped(&shown, str_slice(name, 0, 100));
            if (is_type ? set_type(r, value.ptr, err) < 0 : read_key(r, key, value.ptr, err) < 0)
                return is_type ? -1 : err_wrap(err, "%s", buf_cstr(&shown));
        }
        if (!r->type)
            return err_set(err, ERR_USAGE, 0, "no type=… is given");
    }
    return check(r, err);
}

int output_spec_parse(struct str text, struct output_spec *out, struct err *err)
{
    SCOPED(strv_release) struct strv fields = {0};
    struct reading r = {.spec = out, .tar = true};
    int rc;

    *out = (struct output_spec){0};
    if (csv_fields(text, &fields, err) < 0)
        return -1;
    if (!fields.count)
        return err_set(err, ERR_USAGE, 0, "nothing is given");
    if (fields.count == 1 && str_is(text, fields.ptr[0]) && !str_starts(text, "type=")) {
        out->type = str_is(text, "-") ? OUTPUT_TAR : OUTPUT_LOCAL;
        out->dest = str_dup(text);
        return 0;
    }
    rc = read_fields(&r, &fields, err);
    if (rc < 0)
        output_spec_release(out);
    return rc;
}
