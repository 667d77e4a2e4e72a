/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/output_spec.h"

#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

/* One line that says all of a spec. */
static void show(const struct output_spec *s, struct buf *out)
{
    static const char *const types[] = {"local", "tar", "oci", "docker", "image"};
    static const char *const places[] = {"m", "i", "md", "id"};
    AUTO_FREE char *names = strv_join(&s->names, "+");

    buf_addf(out, "%s", types[s->type]);
    if (s->dest)
        buf_addf(out, " dest=%s", s->dest);
    if (s->names.count)
        buf_addf(out, " names=%s", names);
    if (s->has_codec)
        buf_addf(out, " %s-%d", codec_name(s->codec), s->level);
    if (s->dangling)
        buf_addf(out, " dangling=%s", s->dangling);
    buf_addf(out, "%s%s%s%s%s%s%s%s%s%s%s%s", s->is_dir ? " dir" : "", s->remove ? " remove" : "",
             s->split == OUTPUT_SPLIT_ALWAYS  ? " split"
             : s->split == OUTPUT_SPLIT_NEVER ? " whole"
                                              : "",
             s->push ? " push" : "", s->push_by_digest ? " by-digest" : "",
             s->insecure ? " insecure" : "", s->store ? " store" : "", s->unpack ? " unpack" : "",
             s->canonical ? " canonical" : "", s->docker_types ? " docker-types" : "",
             s->force ? " force" : "", s->rewrite_timestamp ? " rewrite" : "");
    for (size_t i = 0; i < s->annotations.count; i++) {
        const struct annotation *a = &s->annotations.items[i];
        char text[PLATFORM_TEXT_SIZE];

        buf_addf(out, " %s[%s]%s=%s", places[a->place],
                 a->has_platform ? platform_format(&a->platform, text) : "", a->key, a->value);
    }
}

static void specs(void)
{
    static const struct {
        const char *text, *want, *err;
    } rows[] = {
        {"out", "local dest=out", NULL},
        {"a=b", "local dest=a=b", NULL},
        {"dest=a,tar=true", NULL, "no type=… is given"},
        {"-", "tar dest=-", NULL},
        {"type=local,dest=d", "local dest=d", NULL},
        {"dest=d,type=local,mode=delete,platform-split=true", "local dest=d remove split", NULL},
        {"type=local,dest=d,platform-split=false,mode=copy", "local dest=d whole", NULL},
        {"\"type=local\",\"dest=a,b\"", "local dest=a,b", NULL},
        {"type=tar", "tar dest=-", NULL},
        {"type=oci,dest=x,tar=false,name=a:1", "oci dest=x names=a:1 dir", NULL},
        {"type=docker", "image store", NULL},
        {"type=docker,dest=x", "docker dest=x", NULL},
        {"type=image,\"name=a:1,b:2\",push=true", "image names=a:1+b:2 push store", NULL},
        {"type=registry,name=h/r,push-by-digest=1,registry.insecure=true",
         "image names=h/r push by-digest insecure", NULL},
        {"type=image,compression=zstd,compression-level=9,force-compression=true",
         "image zstd-9 store force", NULL},
        {"type=image,compression-level=7", "image gzip-7 store", NULL},
        {"type=image,compression=uncompressed", "image none-0 store", NULL},
        {"type=image,store=false,unpack=true,name-canonical=true,dangling-name-prefix=x",
         "image dangling=x unpack canonical", NULL},
        {"type=image,oci-mediatypes=false", "image store docker-types", NULL},
        {"type=image,rewrite-timestamp=true,prefer-nondist-layers=false,oci-artifact=true",
         "image store rewrite", NULL},
        {"type=image,annotation.a.b=c", "image store m[]a.b=c", NULL},
        {"type=image,annotation-index.a=c,annotation-manifest[linux/arm64].k.l=d=e",
         "image store i[]a=c m[linux/arm64]k.l=d=e", NULL},
        {"type=image,annotation[linux/arm/v7].k=", "image store m[linux/arm/v7]k=", NULL},
        {"type=oci,annotation-manifest-descriptor.k=v", "oci dest=- md[]k=v", NULL},

        {"", NULL, "nothing is given"},
        {"type=image,annotations.a=c", NULL,
         "annotations.a: type=image has no such key; it has name, push, push-by-digest, "
         "registry.insecure, store, unpack, name-canonical, dangling-name-prefix, "
         "danging-name-empty-only, oci-mediatypes, "
         "compression, compression-level, force-compression, rewrite-timestamp, oci-artifact, "
         "attestation-inline, prefer-nondist-layers"},
        {"type=cacheonly", NULL,
         "type=cacheonly is not local, tar, oci, docker, image or registry"},
        {"type=local", NULL, "type=local needs dest=DIRECTORY"},
        {"type=local,dest=-", NULL, "type=local needs dest=DIRECTORY"},
        {"type=local,dest=", NULL, "dest: no path is given"},
        {"type=local,dest=d,push=true", NULL,
         "push: type=local has no such key; it has dest, mode, platform-split, rewrite-timestamp"},
        {"type=local,dest=d,mode=move", NULL, "mode: want copy or delete"},
        {"type=tar,type=tar", NULL, "type is given twice"},
        {"type=tar,x", NULL, "\"x\": want KEY=VALUE"},
        {"type=image,push=yes", NULL, "push: want true or false"},
        {"type=image,compression=estargz", NULL,
         "compression: estargz layers are not made here; gzip, zstd and uncompressed are"},
        {"type=image,compression=none", NULL, "compression: want gzip, zstd or uncompressed"},
        {"type=image,compression-level=0", NULL,
         "compression-level=0: for layers without compression say compression=uncompressed"},
        {"type=image,compression=zstd,compression-level=22", NULL,
         "compression-level=22: zstd goes to 19 here"},
        {"type=image,compression-level=x", NULL, "compression-level: want a number from 0 to 22"},
        {"type=image,prefer-nondist-layers=true", NULL, "prefer-nondist-layers: not carried out"},
        {"type=image,compatibility-version=10", NULL, "compatibility-version: not carried out"},
        {"type=image,push-by-digest=true", NULL, "push-by-digest needs push=true"},
        {"type=image,oci-mediatypes=false,compression=zstd", NULL,
         "compression=zstd: Docker's media types know no zstd; leave oci-mediatypes=false out"},
        {"type=docker,dest=x,tar=false", NULL,
         "tar=false: docker's form is an archive; type=oci has a directory form"},
        {"type=local,dest=d,annotation.a=b", NULL, "annotation.a: only an image has annotations"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(output_spec_release) struct output_spec spec = {0};
        SCOPED(buf_release) struct buf shown = {0};
        struct err err = {0};
        int rc = output_spec_parse(str_of(rows[i].text), &spec, &err);

        OKF((rc < 0) == !!rows[i].err, "row %zu: %s", i, rows[i].text);
        if (rows[i].err) {
            EQ_STR(err.text, rows[i].err);
            continue;
        }
        show(&spec, &shown);
        EQ_STR(buf_cstr(&shown), rows[i].want);
    }
}

static void annotations(void)
{
    static const struct {
        const char *text, *want, *err;
    } rows[] = {
        {"a=b", " 0:a=b", NULL},
        {"a=", " 0:a=", NULL},
        {"index:a=b", " 1:a=b", NULL},
        {"manifest,index-descriptor:a=b", " 0:a=b 3:a=b", NULL},
        {"manifest-descriptor[linux/arm64]:a=b=c", " 2@linux/arm64:a=b=c", NULL},
        {"a:b=c", " 0:a:b=c", NULL},
        {"a=manifest:c", " 0:a=manifest:c", NULL},
        {"a", NULL, "want [TYPE:]KEY=VALUE"},
        {"=b", NULL, "want [TYPE:]KEY=VALUE"},
        {"index:=b", NULL, "want [TYPE:]KEY=VALUE"},
        {"manifest,x:a=b", NULL,
         "\"x\" is not manifest, index, manifest-descriptor, index-descriptor"},
        {"index[linux/arm64]:a=b", NULL, "index: an index has no platform"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(annotations_release) struct annotations list = {0};
        SCOPED(buf_release) struct buf shown = {0};
        struct err err = {0};
        int rc = annotations_parse(&list, str_of(rows[i].text), &err);

        OKF((rc < 0) == !!rows[i].err, "row %zu: %s", i, rows[i].text);
        for (size_t k = 0; k < list.count; k++) {
            char text[PLATFORM_TEXT_SIZE];

            buf_addf(
                &shown, " %d%s%s:%s=%s", list.items[k].place, list.items[k].has_platform ? "@" : "",
                list.items[k].has_platform ? platform_format(&list.items[k].platform, text) : "",
                list.items[k].key, list.items[k].value);
        }
        EQ_STR(rows[i].err ? err.text : buf_cstr(&shown), rows[i].err ? rows[i].err : rows[i].want);
    }
}

TAP_MAIN({"specs", specs}, {"annotations", annotations})
