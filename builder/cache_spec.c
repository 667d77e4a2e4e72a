/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/csv.h"
#include "base/hash.h"
#include "base/scope.h"
#include "base/strv.h"

#define TO 1u
#define FROM 2u
#define LOCAL (1u << CACHE_LOCAL)
#define REGISTRY (1u << CACHE_REGISTRY)
#define INLINE (1u << CACHE_INLINE)
#define STORED (LOCAL | REGISTRY)

void cache_spec_release(struct cache_spec *spec)
{
    free(spec->dir);
    free(spec->tag);
    free(spec->digest);
    free(spec->ref);
    *spec = (struct cache_spec){0};
}

/* What the keys are read into: the spec, and what must wait for the others. */
struct reading {
    struct cache_spec *spec;
    bool to;
    const char *type;  /* as written; NULL: not yet */
    const char *level; /* compression-level */
};

typedef int key_fn(struct reading *r, const char *value, struct err *err);

static int set_text(char **to, const char *value, struct err *err)
{
    if (!*value)
        return err_set(err, ERR_USAGE, 0, "nothing is given");
    free(*to);
    *to = xstrdup(value);
    return 0;
}

static int read_dir(struct reading *r, const char *value, struct err *err)
{
    return set_text(&r->spec->dir, value, err);
}

/* As the tags of a registry (distribution spec, "Pulling manifests"). */
static int read_tag(struct reading *r, const char *value, struct err *err)
{
    size_t size = strlen(value);

    if (size > 128 || strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_.-") != size)
        return err_set(err, ERR_USAGE, 0, "want up to 128 letters, digits, \"_\", \".\" and \"-\"");
    return set_text(&r->spec->tag, value, err);
}

static int read_digest(struct reading *r, const char *value, struct err *err)
{
    if (!digest_valid(value))
        return err_set(err, ERR_USAGE, 0, "want sha256:<64 hex digits>");
    return set_text(&r->spec->digest, value, err);
}

static int read_ref(struct reading *r, const char *value, struct err *err)
{
    return set_text(&r->spec->ref, value, err);
}

static int read_mode(struct reading *r, const char *value, struct err *err)
{
    r->spec->max = strcmp(value, "max") == 0;
    if (!r->spec->max && strcmp(value, "min") != 0)
        return err_set(err, ERR_USAGE, 0, "want min or max");
    if (r->spec->max && r->spec->type == CACHE_INLINE)
        return err_set(err, ERR_USAGE, 0,
                       "an image holds the layers of its own stages only: mode=max needs "
                       "type=registry or type=local");
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

/* Layers in a codec that was asked for always are in it. */
static int read_force(struct reading *r, const char *value, struct err *err)
{
    bool ignored;

    (void)r;
    return csv_bool(value, &ignored, err);
}

/* Our form is the only one there is. */
static int read_form(struct reading *r, const char *value, struct err *err)
{
    bool on = false;

    (void)r;
    if (csv_bool(value, &on, err) < 0)
        return -1;
    return on ? 0
              : err_set(err, ERR_USAGE, 0,
                        "not carried out: the cache is an OCI image manifest, which registries "
                        "of every kind take");
}

static int read_error(struct reading *r, const char *value, struct err *err)
{
    if (csv_bool(value, &r->spec->ignore_error, err) < 0)
        return -1;
    r->spec->required = !r->to && !r->spec->ignore_error;
    return 0;
}

static int read_size(struct reading *r, const char *value, struct err *err)
{
    return str_size(str_of(value), &r->spec->mounts_max_size)
               ? 0
               : err_set(err, ERR_USAGE, 0, "want a size such as 500m or 2g");
}

#define FLAG(member)                                                                               \
    static int read_##member(struct reading *r, const char *value, struct err *err)                \
    {                                                                                              \
        return csv_bool(value, &r->spec->member, err);                                             \
    }
FLAG(insecure)
FLAG(mounts)

static const struct {
    const char *name;
    unsigned types, ways;
    key_fn *read;
} keys[] = {
    {"dest", LOCAL, TO, read_dir},
    {"src", LOCAL, FROM, read_dir},
    {"tag", LOCAL, TO | FROM, read_tag},
    {"digest", LOCAL, FROM, read_digest},
    {"ref", REGISTRY, TO | FROM, read_ref},
    {"registry.insecure", REGISTRY, TO | FROM, read_insecure},
    {"mode", STORED | INLINE, TO, read_mode},
    {"image-manifest", STORED, TO, read_form},
    {"oci-mediatypes", STORED, TO, read_form},
    {"compression", STORED, TO, read_codec},
    {"compression-level", STORED, TO, read_level},
    {"force-compression", STORED, TO, read_force},
    {"ignore-error", STORED, TO | FROM, read_error},
    {"cache-mounts", STORED, TO | FROM, read_mounts},
    {"cache-mounts-max-size", STORED, TO, read_size},
};

static void list_keys(const struct reading *r, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].types & 1u << r->spec->type && keys[i].ways & (r->to ? TO : FROM))
            buf_addf(out, "%s%s", out->size ? ", " : "", keys[i].name);
}

static int read_key(struct reading *r, const char *name, const char *value, struct err *err)
{
    SCOPED(buf_release) struct buf known = {0};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (strcmp(keys[i].name, name) == 0 && keys[i].types & 1u << r->spec->type &&
            keys[i].ways & (r->to ? TO : FROM))
            return keys[i].read(r, value, err);
    list_keys(r, &known);
    return err_set(err, ERR_USAGE, 0, "type=%s has no such key; it has %s", r->type,
                   known.size ? buf_cstr(&known) : "none");
}

static int set_type(struct reading *r, const char *value, struct err *err)
{
    static const struct {
        const char *name, *remedy; /* remedy NULL: carried out */
        enum cache_type type;
    } types[] = {
        {"local", NULL, CACHE_LOCAL},
        {"registry", NULL, CACHE_REGISTRY},
        {"inline", NULL, CACHE_INLINE},
        {"gha", "keep a type=local directory with the cache action, or use type=registry", 0},
        {"s3", "use type=registry, or type=local and copy the directory", 0},
        {"azblob", "use type=registry, or type=local and copy the directory", 0},
    };
    SCOPED(buf_release) struct buf shown = {0};

    if (r->type)
        return err_set(err, ERR_USAGE, 0, "type is given twice");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strcmp(types[i].name, value) != 0)
            continue;
        if (types[i].remedy)
            return err_set(err, ERR_USAGE, 0, "type=%s is not carried out: %s", value,
                           types[i].remedy);
        r->spec->type = types[i].type;
        r->type = types[i].name;
        return 0;
    }
    buf_add_escaped(&shown, str_slice(str_of(value), 0, 100));
    return err_set(err, ERR_USAGE, 0, "type=%s is not local, registry or inline", buf_cstr(&shown));
}

/* BuildKit's range for each codec, as far as it can be carried out. */
static int set_level(struct reading *r, struct err *err)
{
    struct cache_spec *spec = r->spec;
    uint64_t level;

    if (!r->level)
        return 0;
    if (!spec->has_codec)
        spec->codec = CODEC_GZIP;
    spec->has_codec = true;
    if (!str_u64(str_of(r->level), &level) || level == 0 || level > 22 ||
        spec->codec == CODEC_NONE || !codec_level_valid(spec->codec, (int)level))
        return err_set(err, ERR_USAGE, 0,
                       "compression-level: gzip has 1 to 12, zstd 1 to 19, uncompressed none");
    spec->level = (int)level;
    return 0;
}

/* What the keys say together. */
static int check(struct reading *r, struct err *err)
{
    const struct cache_spec *spec = r->spec;

    if (set_level(r, err) < 0)
        return -1;
    if (spec->type == CACHE_LOCAL && !spec->dir)
        return err_set(err, ERR_USAGE, 0, "type=local needs %s=DIRECTORY", r->to ? "dest" : "src");
    if (spec->type == CACHE_REGISTRY && !spec->ref)
        return err_set(err, ERR_USAGE, 0, "type=registry needs ref=NAME");
    if (spec->type == CACHE_INLINE && !r->to)
        return err_set(err, ERR_USAGE, 0,
                       "an inline cache is read with type=registry,ref=NAME of the image");
    return 0;
}

static int read_field(struct reading *r, const char *field, bool type_pass, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    struct str name, value;
    bool is_type;

    if (!str_cut(str_of(field), '=', &name, &value)) {
        buf_add_escaped(&shown, str_slice(str_of(field), 0, 100));
        return err_set(err, ERR_USAGE, 0, "\"%s\": want KEY=VALUE", buf_cstr(&shown));
    }
    name = str_trim(name);
    is_type = str_is_nocase(name, "type");
    if (is_type != type_pass)
        return 0;
    if (is_type)
        return set_type(r, value.ptr, err);
    AUTO_FREE char *key = str_dup(name);

    buf_add_escaped(&shown, str_slice(name, 0, 100));
    return read_key(r, key, value.ptr, err) < 0 ? err_wrap(err, "%s", buf_cstr(&shown)) : 0;
}

static int read_fields(struct reading *r, const struct strv *fields, struct err *err)
{
    for (int pass = 0; pass < 2; pass++) { /* type says what the others are */
        for (size_t i = 0; i < fields->count; i++)
            if (read_field(r, fields->ptr[i], pass == 0, err) < 0)
                return -1;
        if (!r->type)
            return err_set(err, ERR_USAGE, 0, "no type=… is given");
    }
    return check(r, err);
}

int cache_spec_parse(struct str text, bool to, struct cache_spec *out, struct err *err)
{
    SCOPED(strv_release) struct strv fields = {0};
    struct reading r = {.spec = out, .to = to};

    *out = (struct cache_spec){.mounts_max_size = CACHE_MOUNTS_MAX_SIZE};
    if (csv_fields(text, &fields, err) < 0)
        return -1;
    if (!fields.count)
        return err_set(err, ERR_USAGE, 0, "nothing is given");
    if (fields.count == 1 && !strchr(fields.ptr[0], '=')) {
        out->type = CACHE_REGISTRY;
        out->ref = xstrdup(fields.ptr[0]);
        return 0;
    }
    if (read_fields(&r, &fields, err) == 0)
        return 0;
    cache_spec_release(out);
    return -1;
}
