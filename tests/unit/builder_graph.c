/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "builder/graph.h"
#include "tests/tap.h"

struct made {
    struct dockerfile doc;
    struct graph graph;
    struct err err;
    int result;
};

static void made_release(struct made *m)
{
    graph_release(&m->graph);
    dockerfile_release(&m->doc);
}

/* args: "A=1 B=2" */
static void make(struct made *m, const char *text, const char *args, const char *target)
{
    SCOPED(strv_release) struct strv list = {0};
    struct graph_options options = {.build_args = &list,
                                    .target = target,
                                    .build = {.os = "linux", .arch = "amd64"},
                                    .wanted = {.os = "linux", .arch = "arm", .variant = "v7"}};
    struct str rest = str_of(args), head;

    for (bool more = rest.size > 0; more; strv_add_str(&list, head))
        more = str_cut(rest, ' ', &head, &rest);
    m->result = dockerfile_parse(str_of(text), "Dockerfile", &m->doc, &m->err);
    if (m->result == 0)
        m->result = graph_make(&m->doc, &options, &m->graph, &m->err);
}

/* "0:image<alpine>! 1b:stage<0>! 2:scratch" : index, name, base, "!" if needed, and "+1,2" for what
 * it needs */
static void show(const struct graph *g, struct buf *out)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct stage *s = &g->stages[i];

        buf_addf(out, "%s%zu%s:", i ? " " : "", i, s->name ? s->name : "");
        if (s->base.kind == SOURCE_IMAGE)
            buf_adds(out, s->base.image);
        else if (s->base.kind == SOURCE_STAGE)
            buf_addf(out, "<%zu>", s->base.stage);
        else
            buf_adds(out, "scratch");
        for (size_t k = 0; k < s->needs_count; k++)
            buf_addf(out, "%c%zu", k ? ',' : '+', s->needs[k]);
        if (s->needed)
            buf_addc(out, i == g->target ? '*' : '!');
    }
}

static void stages(void)
{
    static const struct {
        const char *text, *args, *target, *want;
    } rows[] = {
        {"FROM a", "", NULL, "0:a*"},
        {"FROM scratch", "", "", "0:scratch*"},
        {"FROM a AS x\nFROM b AS y\nFROM x\nCOPY --from=y q q", "", NULL, "0x:a! 1y:b! 2:<0>+0,1*"},
        {"FROM a AS x\nFROM b AS y\nFROM c\nCOPY --from=0 q q", "", NULL, "0x:a! 1y:b 2:c+0*"},
        {"FROM a AS x\nFROM b AS y\nFROM c", "", "Y", "0x:a 1y:b* 2:c"},
        {"FROM a AS x\nFROM b AS y\nFROM c", "", "0", "0x:a* 1y:b 2:c"},
        {"FROM a AS x\nFROM X\nFROM 1", "", NULL, "0x:a 1:<0>+0 2:1*"},
        {"FROM a AS x\nFROM b AS x\nFROM x\nCOPY --from=x q q", "", NULL, "0x:a 1x:b! 2:<1>+1*"},
        {"FROM a AS x\nCOPY --from=img:1 q q\nCOPY q q", "", NULL, "0x:a*"},
        {"FROM a AS x\nFROM x AS x\nFROM x AS x", "", NULL, "0x:a! 1x:<0>+0! 2x:<1>+1*"},
        {"FROM a AS x\nFROM x AS y\nFROM b AS z\nCOPY --from=y q q\nFROM z", "", NULL,
         "0x:a! 1y:<0>+0! 2z:b+1! 3:<2>+2*"},
        {"ARG V=1\nARG W=$V.2\nFROM a:$W", "", NULL, "0:a:1.2*"},
        {"ARG V=1\nARG W=$V.2\nFROM a:$W", "V=7", NULL, "0:a:7.2*"},
        {"ARG V=1\nARG W=$V.2\nFROM a:$W", "W=7 W=8", NULL, "0:a:8*"},
        {"ARG V\nFROM a:${V:-none}", "", NULL, "0:a:none*"},
        {"ARG base=build\nFROM a AS build\nFROM $base", "", NULL, "0build:a! 1:<0>+0*"},
        {"ARG TARGETARCH\nFROM a:$TARGETARCH$TARGETVARIANT-$BUILDARCH", "", NULL,
         "0:a:armv7-amd64*"},
        {"FROM a:$TARGETARCH", "TARGETARCH=mine", NULL, "0:a:mine*"},
        {"FROM a:$TARGETSTAGE AS last", "", NULL, "0last:a:last*"},
        {"FROM a:$TARGETSTAGE", "", NULL, "0:a:default*"},
        {"FROM \"a\":'1'", "", NULL, "0:a:1*"},
        /* what the target does not need may use what is not carried out */
        {"FROM a AS x\nRUN --mount=type=cache,target=/c make\nFROM b", "", NULL, "0x:a 1:b*"},
        {"FROM a\nRUN --network=default --security=sandbox make\nCOPY --link=false q q", "", NULL,
         "0:a*"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(made_release) struct made m = {0};
        SCOPED(buf_release) struct buf got = {0};

        make(&m, rows[i].text, rows[i].args, rows[i].target);
        OKF(m.result == 0, "row %zu: %s", i, m.err.text);
        show(&m.graph, &got);
        OKF(strcmp(buf_cstr(&got), rows[i].want) == 0, "row %zu\n#   got:  %s\n#   want: %s", i,
            buf_cstr(&got), rows[i].want);
    }
}

static void refusals(void)
{
    static const struct {
        const char *text, *target, *err;
        unsigned line; /* that failed */
    } rows[] = {
        {"FROM a AS build\nFROM b", "biuld",
         "Dockerfile has no stage \"biuld\"; did you mean \"build\"?", 0},
        {"FROM a AS build\nFROM b", "2", "Dockerfile has no stage \"2\"", 0},
        {"FROM a\nCOPY --from=$X q q", NULL,
         "Dockerfile:2: variables do not work in --from; write FROM with the variable, AS a name, "
         "and copy from that",
         2},
        {"FROM a AS x\nCOPY --from=x q q", NULL,
         "Dockerfile:2: COPY --from names the stage it stands in", 2},
        {"FROM a AS x\nCOPY --from=0 q q", NULL,
         "Dockerfile:2: COPY --from names the stage it stands in", 2},
        {"FROM a\nCOPY --from=y q q\nFROM b AS y", NULL,
         "Dockerfile:2: COPY --from names stage y, which begins later, on line 3", 2},
        {"FROM a\nCOPY --from=1 q q\nFROM b", NULL,
         "Dockerfile:2: COPY --from names stage 1, which begins later, on line 3", 2},
        {"FROM a\nCOPY --from=9 q q", NULL,
         "Dockerfile:2: COPY --from=9: there is no such stage; the last is 0", 2},
        {"FROM a\nCOPY --from=scratch q q", NULL,
         "Dockerfile:2: COPY --from=scratch: there is nothing in scratch", 2},
        {"FROM $BASE", NULL,
         "Dockerfile:1: image $BASE of FROM comes to nothing: BASE is not set (FROM sees only ARGs "
         "before the first FROM)",
         1},
        {"ARG VERSION=1\nFROM $VERSON", NULL,
         "Dockerfile:2: image $VERSON of FROM comes to nothing: VERSON is not set; did you mean "
         "VERSION?",
         2},
        {"ARG E=\nFROM $E", NULL, "Dockerfile:2: image $E of FROM comes to nothing", 2},
        {"FROM --platform=$TARGTPLATFORM a", NULL,
         "Dockerfile:1: --platform $TARGTPLATFORM of FROM comes to nothing: TARGTPLATFORM is not "
         "set; did you mean "
         "TARGETPLATFORM?",
         1},
        {"FROM ${A", NULL, "Dockerfile:1: missing } of a ${", 1},
        {"ARG A=${B?needed}\nFROM a", NULL, "Dockerfile:1: B: needed", 1},
        {"FROM a\nRUN true\nRUN --mount=type=cache,targt=/c \\\n  make", NULL,
         "Dockerfile:3: RUN --mount=type=cache,targt=/c: unknown option \"targt\"; did you mean "
         "target?",
         3},
        {"FROM a AS x\nRUN --mount=from=x,target=/a q", NULL,
         "Dockerfile:2: RUN --mount: from names the stage it stands in", 2},
        {"FROM a\nRUN --mount=from=y,target=/a q\nFROM b AS y", NULL,
         "Dockerfile:2: RUN --mount: from names stage y, which begins later, on line 3", 2},
        {"FROM a\nRUN --mount=from=$y,target=/a q", NULL,
         "Dockerfile:2: RUN --mount=from=$y,target=/a: variables do not work in from=; write FROM "
         "with the variable, AS a name, and mount from that",
         2},
        {"FROM a\nRUN --network=hots q", NULL,
         "Dockerfile:2: unknown network \"hots\"; did you mean host?", 2},
        {"FROM a\nRUN --security=root q", NULL,
         "Dockerfile:2: unknown security mode \"root\"; there are sandbox and insecure", 2},
        {"FROM a\nRUN --device=gpu,required q", NULL,
         "Dockerfile:2: --device: \"gpu\" names no device; such a name is VENDOR/CLASS, "
         "VENDOR/CLASS=NAME or VENDOR/CLASS=*",
         2},
        {"FROM a\nRUN --device=v.com/c=d,required=maybe q", NULL,
         "Dockerfile:2: --device: required: want true or false", 2},
        {"FROM a\nRUN --device=v.com/c=d,reqired q", NULL,
         "Dockerfile:2: unknown option \"reqired\" of --device; there are name and required", 2},
        {"FROM a\nCOPY https://example.org/x /", NULL,
         "Dockerfile:2: COPY cannot fetch a URL: https://example.org/x; ADD does", 2},
        {"FROM a\nCOPY git@example.org:x /", NULL,
         "Dockerfile:2: COPY cannot fetch a git repository: git@example.org:x; ADD does", 2},
        {"FROM a\nCOPY --exclude=[ q q", NULL,
         "Dockerfile:2: --exclude: pattern \"[\": malformed [class]", 2},
        {"FROM a\nCOPY --chmod=u=q q q", NULL,
         "Dockerfile:2: --chmod=u=q is neither octal (0 to 7777) nor of the form u=rwX,go=rX", 2},
        {"FROM a\nCOPY <<a/b /\na/b", NULL,
         "Dockerfile:2: heredoc name \"a/b\" cannot be a file's name", 2},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(made_release) struct made m = {0};

        make(&m, rows[i].text, "", rows[i].target);
        OKF(m.result < 0, "row %zu is accepted", i);
        EQ_STR(m.err.text, rows[i].err);
        EQ_INT(m.doc.failed.first, rows[i].line);
    }
}

static void bad_names(void)
{
    static const char *const rows[] = {"FROM a:", "FROM UPPER", "FROM --platform=a/b/c/d x",
                                       "FROM a\nCOPY --from=/x q q"};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(made_release) struct made m = {0};

        make(&m, rows[i], "", NULL);
        OKF(m.result < 0 && strncmp(m.err.text, "Dockerfile:", 11) == 0 && m.err.kind == ERR_INPUT,
            "%s: %s", rows[i], m.err.text);
    }
}

static void platforms(void)
{
    SCOPED(made_release) struct made m = {0};
    char text[PLATFORM_TEXT_SIZE];
    static const char *const want[] = {"linux/amd64", "linux/amd64", "linux/arm/v7", "linux/arm64",
                                       "linux/amd64"};

    make(&m,
         "FROM --platform=$BUILDPLATFORM a AS x\nFROM x AS y\nFROM b\nFROM --platform=linux/arm64 "
         "scratch\n"
         "FROM --platform=linux/s390x y",
         "", NULL);
    if (!OKF(m.result == 0, "%s", m.err.text))
        return;
    for (size_t i = 0; i < m.graph.count; i++)
        EQ_STR(platform_format(&m.graph.stages[i].platform, text), want[i]);
    EQ_INT(m.doc.warnings.count, 1);
    EQ_STR(m.doc.warnings.ptr[0],
           "Dockerfile:5: --platform has no effect here: the platform is that of stage y");
}

static void sources(void)
{
    SCOPED(made_release) struct made m = {0};

    make(&m,
         "FROM a AS x\nRUN q\nFROM b\nCOPY q q\nCOPY --from=x q q\nCOPY --from=img:2 q q\nADD q q",
         "", NULL);
    if (!OKF(m.result == 0, "%s", m.err.text))
        return;
    const struct stage *s = &m.graph.stages[1];
    EQ_INT(s->first, 3);
    EQ_INT(s->end, 7);
    EQ_INT(graph_source(s, s->body[0])->kind, SOURCE_CONTEXT);
    EQ_INT(graph_source(s, s->body[1])->kind, SOURCE_STAGE);
    EQ_INT(graph_source(s, s->body[1])->stage, 0);
    EQ_INT(graph_source(s, s->body[2])->kind, SOURCE_IMAGE);
    EQ_STR(graph_source(s, s->body[2])->image, "img:2");
    EQ_INT(graph_source(s, s->body[3])->kind, SOURCE_CONTEXT);
}

/* What no memory could hold is refused, with the line that is too much. */
static void limits(void)
{
    SCOPED(buf_release) struct buf chain = {0}, many = {0};
    SCOPED(made_release) struct made long_chain = {0}, many_stages = {0}, wide = {0};

    buf_adds(&chain, "FROM a AS s0\nENV A=1\n");
    for (int i = 1; i < 1000; i++)
        buf_addf(&chain, "FROM s%d AS s%d\nENV A=1\n", i - 1, i);
    make(&long_chain, buf_cstr(&chain), "", NULL);
    OK(long_chain.result < 0);
    EQ_STR(long_chain.err.text,
           "Dockerfile:1449: too many stages, each FROM the one before: up to here they inherit "
           "262450 instructions, and at most 262144 are supported");
    EQ_INT(long_chain.doc.failed.first, 1449);
    for (int i = 0; i < 3000; i++)
        buf_addf(&many, "FROM scratch AS s%d\n", i);
    make(&wide, buf_cstr(&many), "", NULL);
    OKF(wide.result == 0, "%s", wide.err.text);
    buf_clear(&many);
    for (int i = 0; i <= 20000; i++)
        buf_adds(&many, "FROM a\n");
    make(&many_stages, buf_cstr(&many), "", NULL);
    EQ_STR(many_stages.err.text, "Dockerfile:20001: more than 20000 stages");
}

static void triggers(void)
{
    SCOPED(made_release) struct made m = {0};
    SCOPED(strv_release) struct strv list = {0};
    struct stage *s;

    make(&m, "FROM a AS x\nFROM x\nRUN own", "", NULL);
    if (!OKF(m.result == 0, "%s", m.err.text))
        return;
    s = &m.graph.stages[1];
    strv_add(&list, "COPY --from=x q q");
    strv_add(&list, "RUN <<E\nhere\nE");
    if (!OKF(graph_fire(&m.graph, s, &list, &m.err) == 0, "%s", m.err.text))
        return;
    EQ_INT(s->count, 3);
    EQ_STR(s->body[0]->canonical, "COPY --from=x q q");
    EQ_INT(graph_source(s, s->body[0])->kind, SOURCE_STAGE);
    EQ_STR(s->body[1]->canonical, "RUN <<E");
    EQ_STR(s->body[2]->canonical, "RUN own");
    EQ_STR(s->body[2]->doc->name, "Dockerfile");
}

static void bad_triggers(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"RUNN q", "stage x's ONBUILD:1: unknown instruction \"RUNN\"; did you mean RUN?"},
        {"FROM b", "stage x's ONBUILD:1: FROM may not be an ONBUILD trigger"},
        {"ONBUILD RUN b", "stage x's ONBUILD:1: ONBUILD may not be an ONBUILD trigger"},
        {"COPY --from=3 q q",
         "stage x's ONBUILD:1: COPY --from=3: there is no such stage; the last is 1"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(made_release) struct made m = {0};
        SCOPED(strv_release) struct strv list = {0};

        make(&m, "FROM a AS x\nFROM x\nRUN own", "", NULL);
        strv_add(&list, rows[i].text);
        OK(graph_fire(&m.graph, &m.graph.stages[1], &list, &m.err) < 0);
        EQ_STR(m.err.text, rows[i].err);
    }
}

static void build_args(void)
{
    SCOPED(made_release) struct made m = {0};

    make(&m, "ARG A\nFROM a\nARG B C=1\nFROM b",
         "A=1 B=2 D=3 http_proxy=x ALL_PROXY=y TARGETOS=z BUILDKIT_INLINE_CACHE=1 "
         "SOURCE_DATE_EPOCH=0 D=4",
         NULL);
    OK(m.result == 0);
    AUTO_FREE char *unused = strv_join(&m.graph.unused, " ");
    EQ_STR(unused, "D");
    EQ_STR(env_get(&m.graph.build_args, "D"), "4");
    EQ_STR(env_get(&m.graph.globals, "A"), "1");
    EQ_STR(env_get(&m.graph.globals, "TARGETOS"), "z");
    EQ_STR(env_get(&m.graph.globals, "TARGETPLATFORM"), "linux/arm/v7");
    EQ_STR(env_get(&m.graph.globals, "BUILDVARIANT"), "");
    OK(env_get(&m.graph.globals, "B") == NULL);
}

TAP_MAIN({"stages", stages}, {"refusals", refusals}, {"bad names", bad_names},
         {"platforms", platforms}, {"sources", sources}, {"limits", limits}, {"triggers", triggers},
         {"bad triggers", bad_triggers}, {"build args", build_args})
