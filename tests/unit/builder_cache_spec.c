/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache_spec.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* One line that says all of a spec. */
static void show(const struct cache_spec *s, struct buf *out)
{
    static const char *const types[] = {"local", "registry", "inline"};

    buf_adds(out, types[s->type]);
    if (s->dir)
        buf_addf(out, " dir=%s", s->dir);
    if (s->tag)
        buf_addf(out, " tag=%s", s->tag);
    if (s->digest)
        buf_addf(out, " digest=%.12s", s->digest);
    if (s->ref)
        buf_addf(out, " ref=%s", s->ref);
    if (s->has_codec)
        buf_addf(out, " %s-%d", codec_name(s->codec), s->level);
    buf_addf(out, "%s%s%s%s%s", s->max ? " max" : "", s->insecure ? " insecure" : "",
             s->ignore_error ? " ignore" : "", s->required ? " required" : "",
             s->mounts ? " mounts" : "");
    if (s->mounts_max_size != CACHE_MOUNTS_MAX_SIZE)
        buf_addf(out, " %" PRIu64, s->mounts_max_size);
}

static void specs(void)
{
    static const struct {
        bool to;
        const char *text, *want, *err;
    } rows[] = {
        {true, "type=registry,ref=h/r:t", "registry ref=h/r:t", NULL},
        {true, "type=registry,ref=r,mode=max,image-manifest=true,oci-mediatypes=1,ignore-error=t",
         "registry ref=r max ignore", NULL},
        {true, "type=registry,ref=r,mode=min,registry.insecure=true", "registry ref=r insecure",
         NULL},
        {true, "h/r:t", "registry ref=h/r:t", NULL},
        {false, "h/r:t", "registry ref=h/r:t", NULL},
        {true, "dest=d,type=local,tag=x,compression=zstd,compression-level=9,force-compression=1",
         "local dir=d tag=x zstd-9", NULL},
        {true, "type=local,dest=d,compression-level=5", "local dir=d gzip-5", NULL},
        {true, "type=local,\"dest=a,b\",cache-mounts=true,cache-mounts-max-size=2k",
         "local dir=a,b mounts 2048", NULL},
        {false, "type=local,src=d,digest=sha256:" HEX64, "local dir=d digest=sha256:01234", NULL},
        {false, "type=registry,ref=r,ignore-error=false,cache-mounts=true",
         "registry ref=r required mounts", NULL},
        {true, "type=inline", "inline", NULL},
        {true, "type=inline,mode=min", "inline", NULL},

        {true, "", NULL, "nothing is given"},
        {true, "ref=a", NULL, "no type=… is given"},
        {true, "type=registry", NULL, "type=registry needs ref=NAME"},
        {true, "type=local", NULL, "type=local needs dest=DIRECTORY"},
        {false, "type=local", NULL, "type=local needs src=DIRECTORY"},
        {false, "type=inline", NULL,
         "an inline cache is read with type=registry,ref=NAME of the image"},
        {true, "type=inline,mode=max", NULL,
         "mode: an image holds the layers of its own stages only: mode=max needs type=registry or "
         "type=local"},
        {true, "type=registry,ref=r,mode=all", NULL, "mode: want min or max"},
        {true, "type=registry,ref=r,image-manifest=false", NULL,
         "image-manifest: not carried out: the cache is an OCI image manifest, which registries of "
         "every kind take"},
        {false, "type=registry,ref=r,mode=max", NULL,
         "mode: type=registry has no such key; it has ref, registry.insecure, ignore-error, "
         "cache-mounts"},
        {true, "type=registry,ref=r,compression=estargz", NULL,
         "compression: estargz layers are not made here; gzip, zstd and uncompressed are"},
        {true, "type=local,dest=d,compression=uncompressed,compression-level=3", NULL,
         "compression-level: gzip has 1 to 12, zstd 1 to 19, uncompressed none"},
        {true, "type=local,dest=d,tag=a/b", NULL,
         "tag: want up to 128 letters, digits, \"_\", \".\" and \"-\""},
        {false, "type=local,src=d,digest=x", NULL, "digest: want sha256:<64 hex digits>"},
        {true, "type=gha,scope=x", NULL,
         "type=gha is not carried out: keep a type=local directory with the cache action, or use "
         "type=registry"},
        {false, "type=s3", NULL,
         "type=s3 is not carried out: use type=registry, or type=local and copy the directory"},
        {true, "type=x", NULL, "type=x is not local, registry or inline"},
        {true, "type=local,type=local", NULL, "type is given twice"},
        {true, "type=local,dest", NULL, "\"dest\": want KEY=VALUE"},
        {true, "type=local,dest=", NULL, "dest: nothing is given"},
        {true, "type=local,dest=d,cache-mounts=perhaps", NULL, "cache-mounts: want true or false"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(cache_spec_release) struct cache_spec spec = {0};
        SCOPED(buf_release) struct buf shown = {0};
        struct err err = {0};
        int rc = cache_spec_parse(str_of(rows[i].text), rows[i].to, &spec, &err);

        if (rc == 0)
            show(&spec, &shown);
        EQ_STR(rc < 0 ? err.text : buf_cstr(&shown), rows[i].err ? rows[i].err : rows[i].want);
    }
}

TAP_MAIN({"--cache-to and --cache-from", specs})
