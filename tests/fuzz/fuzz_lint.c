/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile through every question that needs no build: checks, outline, targets, all printed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/ignore.h"
#include "builder/lint.h"
#include "builder/outline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *base;

static int base_config(void *arg, const struct stage *stage, const json_t **config, struct err *err)
{
    (void)arg;
    (void)err;
    *config = stage->index % 2 ? base : NULL;
    return *config != NULL;
}

static void check_failure(int rc, const struct err *err)
{
    if (rc < 0 && !err->text[0])
        abort();
}

/* Printed JSON is JSON. */
static void check_json(const struct buf *text)
{
    struct err err;
    json_auto_t *doc = json_parse(buf_str(text), &err);

    if (!doc)
        abort();
}

static void lint(const struct dockerfile *doc, const struct graph *graph, bool parsed, bool made,
                 const struct lint_input *input)
{
    SCOPED(lint_release) struct lint lint = {0};
    SCOPED(buf_release) struct buf text = {0}, json = {0};
    struct span at = {0};
    struct err err = {0};
    int rc = lint_begin(&lint, doc, NULL, &at, &err);

    lint_file(&lint, doc);
    if (parsed)
        lint_from(&lint, graph);
    if (rc == 0 && made)
        rc = lint_stages(&lint, input, &at, &err);
    if (rc == 0)
        rc = lint_error(&lint, &err);
    check_failure(rc, &err);
    lint_sort(&lint);
    lint_print(&lint, doc, &text);
    for (size_t i = 0; i < lint.count; i++) {
        lint_print_short(&lint.warnings[i], &text);
        if (lint.warnings[i].first == 0 || lint.warnings[i].last < lint.warnings[i].first ||
            (i && lint.warnings[i].first < lint.warnings[i - 1].first))
            abort();
    }
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.ptr[i] < ' ' && text.ptr[i] != '\n')
            abort(); /* it goes to a terminal */
    lint_print_json(&lint, doc, rc < 0 ? &err : NULL, &at, &json);
    check_json(&json);
}

static void outline(const struct rehearsal *rehearsal)
{
    SCOPED(outline_release) struct outline outline = {0};
    SCOPED(buf_release) struct buf text = {0}, json = {0}, targets = {0};
    struct span at = {0};
    struct err err = {0};

    targets_print(rehearsal->graph->doc, &text);
    targets_print_json(rehearsal->graph->doc, &targets);
    check_json(&targets);
    int rc = outline_make(&outline, rehearsal, &at, &err);
    check_failure(rc, &err);
    if (rc < 0)
        return;
    outline_print(&outline, &text);
    outline_print_json(&outline, &json);
    check_json(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    SCOPED(graph_release) struct graph graph = {0};
    SCOPED(ignore_release) struct ignore ignore = {0};
    struct graph_options options = {.build = {.os = "linux", .arch = "amd64"},
                                    .wanted = {.os = "linux", .arch = "arm64"}};
    struct lint_input input = {
        .stages = {&graph, base_config, NULL}, .all_stages = true, .ignore = &ignore};
    struct err err = {0};

    if (!base)
        base = json_pack("{s:s, s:s, s:{s:[s]}}", "os", "linux", "architecture", "arm64", "config",
                         "Env", "VERSION=1");
    ignore_parse(&ignore, STR("a\n*.md\n"), ".dockerignore", &err);
    bool parsed =
        dockerfile_parse((struct str){(const char *)data, size}, "Dockerfile", &doc, &err) == 0;
    bool made = parsed && graph_make(&doc, &options, &graph, &err) == 0;
    lint(&doc, &graph, parsed, made, &input);
    if (made)
        outline(&input.stages);
    return 0;
}
