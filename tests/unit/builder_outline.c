/* SPDX-License-Identifier: Apache-2.0 */
/* --call=outline and --call=targets: what docker prints of the same files. */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/outline.h"
#include "tests/tap.h"

struct world {
    struct dockerfile doc;
    struct graph graph;
    struct outline outline;
    struct strv args;
    struct buf text, json;
};

static void world_release(struct world *w)
{
    outline_release(&w->outline);
    graph_release(&w->graph);
    dockerfile_release(&w->doc);
    strv_release(&w->args);
    buf_release(&w->text);
    buf_release(&w->json);
}

static int no_config(void *arg, const struct stage *stage, const json_t **config, struct err *err)
{
    (void)arg;
    (void)stage;
    (void)config;
    (void)err;
    return 0;
}

static bool make(struct world *w, const char *text, const char *target, struct err *err)
{
    struct graph_options options = {.build_args = &w->args,
                                    .target = target,
                                    .build = {.os = "linux", .arch = "amd64"},
                                    .wanted = {.os = "linux", .arch = "amd64"}};
    struct rehearsal rehearsal = {&w->graph, no_config, NULL};
    struct span at = {0};

    return dockerfile_parse(str_of(text), "Dockerfile", &w->doc, err) == 0 &&
           graph_make(&w->doc, &options, &w->graph, err) == 0 &&
           outline_make(&w->outline, &rehearsal, &at, err) == 0;
}

static const char file[] = "ARG inherited=box\n"
                           "ARG inherited2=box2\n"
                           "ARG unused=abc${inherited2}\n"
                           "# sfx is a suffix\n"
                           "ARG sfx=\"usy${inherited}\"\n"
                           "\n"
                           "FROM b${sfx} AS first\n"
                           "# this is not assigned to anything\n"
                           "ARG FOO=123\n"
                           "# BAR is a number\n"
                           "ARG BAR=456\n"
                           "RUN true\n"
                           "\n"
                           "FROM alpine${unused} AS second\n"
                           "ARG BAZ\n"
                           "RUN true\n"
                           "\n"
                           "FROM scratch AS third\n"
                           "ARG ABC=a\n"
                           "# check=skip=all\n"
                           "ARG password\n"
                           "# alternate_password will show up in the outline\n"
                           "# check=skip=all\n"
                           "ARG alternate_password\n"
                           "\n"
                           "# target defines build target\n"
                           "FROM third AS target\n"
                           "COPY --from=first /etc/passwd /\n"
                           "\n"
                           "FROM second\n";

static void args_of_a_target(void)
{
    SCOPED(world_release) struct world w = {0};
    struct err err = {0};

    strv_add(&w.args, "BAR=678");
    if (!OKF(make(&w, file, "target", &err), "%s", err.text))
        return;
    outline_print(&w.outline, &w.text);
    EQ_STR(buf_cstr(&w.text), "TARGET:      target\n"
                              "DESCRIPTION: defines build target\n"
                              "\n"
                              "BUILD ARG            VALUE    DESCRIPTION\n"
                              "inherited            box\n"
                              "sfx                  usybox   is a suffix\n"
                              "FOO                  123\n"
                              "BAR                  678      is a number\n"
                              "ABC                  a\n"
                              "password\n"
                              "alternate_password            will show up in the outline\n"
                              "\n");
    outline_print_json(&w.outline, &w.json);
    json_auto_t *doc = json_parse(buf_str(&w.json), &err);
    const char *name = NULL, *description = NULL, *arg = NULL, *value = NULL, *source = NULL;
    int line = 0;
    OKF(json_take(doc, &err, "{s:s, s:s, s:[{s:s, s:s, s:{s:[{s:{s:i}}]}}], s:[s]}", "name", &name,
                  "description", &description, "args", "name", &arg, "value", &value, "location",
                  "ranges", "start", "line", &line, "sources", &source) == 0,
        "%s", err.text);
    EQ_STR(name, "target");
    EQ_STR(description, "defines build target");
    EQ_STR(arg, "inherited");
    EQ_STR(value, "box");
    EQ_INT(line, 1);
    OK(strncmp(source, "QVJHIGluaGVyaXRlZD1ib3gK", 24) == 0);
    OK(json_object_get(doc, "secrets") == NULL);
    OK(json_object_get(json_array_get(json_object_get(doc, "args"), 5), "value") == NULL);
}

/* Without a name there is no head; a global that no stage uses is no argument of the target. */
static void args_of_the_default(void)
{
    SCOPED(world_release) struct world w = {0};
    struct err err = {0};

    if (!OKF(make(&w, file, NULL, &err), "%s", err.text))
        return;
    outline_print(&w.outline, &w.text);
    EQ_STR(buf_cstr(&w.text), "BUILD ARG    VALUE     DESCRIPTION\n"
                              "inherited2   box2\n"
                              "unused       abcbox2\n"
                              "BAZ\n"
                              "\n");
}

static void hidden_args(void)
{
    SCOPED(world_release) struct world w = {0};
    struct err err = {0};

    if (!OKF(make(&w,
                  "# A is global\nARG A=1 B=2\nFROM scratch AS x\nARG A B=own C=$A-$B TARGETARCH\n"
                  "ARG C=again\nFROM x\n# B is hidden\nARG B=last",
                  NULL, &err),
             "%s", err.text))
        return;
    outline_print(&w.outline, &w.text);
    EQ_STR(buf_cstr(&w.text), "BUILD ARG   VALUE   DESCRIPTION\n"
                              "A           1       is global\n"
                              "C           again\n"
                              "B           last    is hidden\n"
                              "\n");
}

static void mounts(void)
{
    SCOPED(world_release) struct world w = {0};
    struct err err = {0};
    static const char text[] =
        "FROM scratch AS x\n"
        "ARG N=dyn\n"
        "RUN --mount=type=secret,id=one,required --mount=type=ssh a\n"
        "RUN --mount=type=secret,target=/x/two --mount=type=secret,id=one b\n"
        "RUN --mount=type=cache,target=/c --mount=type=secret,src=$N,required=true c\n"
        "RUN --mount=type=ssh,id=gh,required=true d\n";

    if (!OKF(make(&w, text, NULL, &err), "%s", err.text))
        return;
    outline_print(&w.outline, &w.text);
    EQ_STR(buf_cstr(&w.text), "TARGET: x\n\n"
                              "BUILD ARG   VALUE   DESCRIPTION\nN           dyn\n\n"
                              "SECRET   REQUIRED\none      true\ntwo\ndyn      true\n\n"
                              "SSH       REQUIRED\ndefault\ngh        true\n\n");
}

/* Triggers of a base stage stand where its FROM is. */
static void triggers(void)
{
    SCOPED(world_release) struct world w = {0};
    struct err err = {0};

    if (!OKF(make(&w,
                  "FROM scratch AS a\nONBUILD ARG T=1\nONBUILD RUN --mount=type=secret,id=s x\n"
                  "ARG A=2\n\nFROM a AS b\nARG Z=$T$A\n",
                  "b", &err),
             "%s", err.text))
        return;
    outline_print(&w.outline, &w.text);
    EQ_STR(buf_cstr(&w.text), "TARGET: b\n\nBUILD ARG   VALUE   DESCRIPTION\nA           2\n"
                              "T           1\nZ           12\n\nSECRET   REQUIRED\ns\n\n");
    EQ_INT(w.outline.args[1].in->first_line, 6);
    EQ_INT(w.outline.secrets[0].in->first_line, 6);
}

static void targets(void)
{
    SCOPED(world_release) struct world w = {0}, last = {0};
    struct err err = {0};

    OK(dockerfile_parse(str_of(file), "Dockerfile", &w.doc, &err) == 0);
    targets_print(&w.doc, &w.text);
    EQ_STR(buf_cstr(&w.text), "TARGET    DESCRIPTION\n"
                              "first\n"
                              "second\n"
                              "third\n"
                              "target    defines build target\n"
                              "(default)\n");
    OK(dockerfile_parse(STR("ARG T=1\n# a does it\nFROM --platform=$BUILDPLATFORM x:$T As A\n"
                            "FROM a AS \xc3\xa9\n"),
                        "Dockerfile", &last.doc, &err) < 0);
    dockerfile_release(&last.doc);
    OK(dockerfile_parse(STR("ARG T=1\n# a does it\nFROM --platform=$BUILDPLATFORM x:$T As A"),
                        "Dockerfile", &last.doc, &err) == 0);
    targets_print(&last.doc, &last.text);
    EQ_STR(buf_cstr(&last.text), "TARGET      DESCRIPTION\na (default) does it\n");
    targets_print_json(&last.doc, &last.json);
    json_auto_t *doc = json_parse(buf_str(&last.json), &err);
    const char *name = NULL, *description = NULL, *image = NULL, *platform = NULL;
    int is_default = 0, line = 0;
    OKF(json_take(doc, &err, "{s:[{s:s, s:s, s:s, s:s, s:b, s:{s:[{s:{s:i}}]}}]}", "targets",
                  "name", &name, "description", &description, "base", &image, "platform", &platform,
                  "default", &is_default, "location", "ranges", "start", "line", &line) == 0,
        "%s", err.text);
    EQ_STR(name, "a");
    EQ_STR(description, "does it");
    EQ_STR(image, "x:$T");
    EQ_STR(platform, "$BUILDPLATFORM");
    EQ_INT(is_default, 1);
    EQ_INT(line, 3);
}

TAP_MAIN({"args of a target", args_of_a_target}, {"args of the default", args_of_the_default},
         {"hidden args", hidden_args}, {"mounts", mounts}, {"triggers", triggers},
         {"targets", targets})
