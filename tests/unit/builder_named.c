/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/named.h"

#include "base/scope.h"
#include "builder/graph.h"
#include "tests/tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void kinds(void)
{
    static const struct {
        const char *text, *name, *value;
        enum named_kind kind;
    } rows[] = {
        {"deps=../deps", "deps", "../deps", NAMED_DIR},
        {"deps=a=b", "deps", "a=b", NAMED_DIR},
        {"alpine:latest=x", "alpine", "x", NAMED_DIR},
        {"docker.io/library/alpine:3=x", "alpine:3", "x", NAMED_DIR},
        {"alpine=docker-image://alpine:3", "alpine", "alpine:3", NAMED_IMAGE},
        {"x=docker-image://scratch", "x", "scratch", NAMED_IMAGE},
        {"x=oci-layout://d:t", "x", "oci-layout://d:t", NAMED_LAYOUT},
        {"x=https://h/a.git#main", "x", "https://h/a.git#main", NAMED_FETCHED},
        {"x=git@h:a", "x", "git@h:a", NAMED_FETCHED},
        {"x=https://h/a.tar", "x", "https://h/a.tar", NAMED_FETCHED},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv texts = {0};
        struct named_contexts contexts;
        struct err err = {0};

        strv_add(&texts, rows[i].text);
        if (!OKF(named_parse(&texts, &contexts, &err) == 0, "%s: %s", rows[i].text, err.text))
            continue;
        EQ_STR(contexts.items[0].name, rows[i].name);
        EQ_STR(contexts.items[0].value, rows[i].value);
        EQ_INT(contexts.items[0].kind, rows[i].kind);
        named_release(&contexts);
    }
}

static void refusals(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"x", "--build-context x: want NAME=VALUE"},
        {"x=", "--build-context x=: want NAME=VALUE"},
        {"=x", "--build-context =x: want NAME=VALUE"},
        {"a b=x", "--build-context a b=x: \"a b\" is no name of a stage or an image"},
        {"x=-", "--build-context x=-: standard input can only be the main context"},
        {"x=target:y", "--build-context x=target:y: target: is for bake files alone"},
        {"x=s3://y", "--build-context x=s3://y: s3://y: a context is a directory, docker-image://, "
                     "oci-layout://, a git repository or an http(s) URL"},
        {"x=oci-layout://:t", "--build-context x=oci-layout://:t: oci-layout://:t: want "
                              "oci-layout://DIR[:TAG][@sha256:HEX]"},
        {"x=oci-layout://d@sha256:12", "--build-context x=oci-layout://d@sha256:12: "
                                       "oci-layout://d@sha256:12: want "
                                       "oci-layout://DIR[:TAG][@sha256:HEX]"},
        {"x=ssh://-o/y", "--build-context x=ssh://-o/y: git URL ssh://-o/y: user and host cannot "
                         "begin with \"-\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv texts = {0};
        struct named_contexts contexts;
        struct err err = {0};

        strv_add(&texts, rows[i].text);
        OKF(named_parse(&texts, &contexts, &err) == -1, "%s", rows[i].text);
        EQ_STR(err.text, rows[i].err);
        EQ_INT(err.kind, ERR_USAGE);
        EQ_INT(contexts.count, 0);
    }
}

static void finds(void)
{
    SCOPED(strv_release) struct strv texts = {0};
    struct named_contexts contexts;
    struct err err = {0};

    strv_add(&texts, "alpine=one");
    strv_add(&texts, "deps=two");
    strv_add(&texts, "alpine:latest=three");
    OK(named_parse(&texts, &contexts, &err) == 0);
    EQ_INT(contexts.count, 2);
    EQ_STR(contexts.items[0].value, "three");
    EQ_INT(named_find(&contexts, "alpine"), 0);
    EQ_INT(named_find(&contexts, "docker.io/library/alpine:latest"), 0);
    EQ_INT(named_find(&contexts, "alpine:3"), -1);
    EQ_INT(named_find(&contexts, "deps"), 1);
    EQ_INT(named_find(&contexts, "A B"), -1);
    EQ_INT(named_find(NULL, "deps"), -1);
    named_release(&contexts);
}

static void layouts(void)
{
    static const struct {
        const char *text, *dir, *tag, *digest;
    } rows[] = {
        {"oci-layout://d", "d", NULL, NULL},
        {"oci-layout:///a/b:1", "/a/b", "1", NULL},
        {"oci-layout://a:1/b", "a:1/b", NULL, NULL},
        {"oci-layout://d@sha256:" HEX, "d", NULL, "sha256:" HEX},
        {"oci-layout://./d:t@sha256:" HEX, "./d", "t", "sha256:" HEX},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(named_layout_release) struct named_layout layout = {0};
        struct err err = {0};

        OKF(named_split_layout(rows[i].text, &layout, &err) == 0, "%s: %s", rows[i].text, err.text);
        EQ_STR(layout.dir, rows[i].dir);
        EQ_STR(layout.tag ? layout.tag : "", rows[i].tag ? rows[i].tag : "");
        EQ_STR(layout.digest ? layout.digest : "", rows[i].digest ? rows[i].digest : "");
    }
}

/* Contexts come before stages, stages before images; a stage of a context's name is that context.
 */
static void stages(void)
{
    static const char text[] = "FROM alpine AS one\nRUN x\nFROM one AS two\nCOPY --from=files a /\n"
                               "FROM alpine:3\nCOPY --from=two a /\nCOPY --from=one b /\n";
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    SCOPED(graph_release) struct graph graph = {0};
    SCOPED(strv_release) struct strv texts = {0};
    struct named_contexts contexts;
    struct graph_options options = {.wanted = {.os = "linux", .arch = "arm64"},
                                    .contexts = &contexts};
    struct err err = {0};

    strv_add(&texts, "one=docker-image://other:1");
    strv_add(&texts, "files=dir");
    strv_add(&texts, "alpine:3=oci-layout://d");
    OK(named_parse(&texts, &contexts, &err) == 0);
    OK(dockerfile_parse(STR(text), "Dockerfile", &doc, &err) == 0);
    if (OKF(graph_make(&doc, &options, &graph, &err) == 0, "%s", err.text)) {
        const struct stage *s = graph.stages;

        EQ_INT(s[0].base.kind, SOURCE_IMAGE);
        EQ_STR(s[0].base.image, "other:1");
        EQ_INT(s[0].first, s[0].end);
        EQ_INT(s[1].base.kind, SOURCE_IMAGE);
        EQ_STR(s[1].base.image, "other:1");
        EQ_INT(s[1].sources[0].kind, SOURCE_NAMED);
        EQ_INT(s[1].sources[0].named, 1);
        EQ_STR(s[2].base.image, "oci-layout://d");
        EQ_INT(s[2].sources[0].kind, SOURCE_STAGE);
        EQ_INT(s[2].sources[1].kind, SOURCE_IMAGE);
    }
    named_release(&contexts);
}

TAP_MAIN({"kinds", kinds}, {"refusals", refusals}, {"finds", finds}, {"layouts", layouts},
         {"stages", stages})
