/* SPDX-License-Identifier: Apache-2.0 */
/* testdata/lint/<case>/Dockerfile against expect.txt: its warnings, by line. What takes more than a
 * Dockerfile (arguments, an ignore file, a base image) stands in rows. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/ignore.h"
#include "builder/lint.h"
#include "tests/tap.h"

#define DIR_NAME "testdata/lint"

/* Everything that goes into a check, and what comes out. */
struct world {
    struct dockerfile doc;
    struct graph graph;
    struct lint lint;
    struct ignore ignore;
    struct strv args;
    json_t *base; /* of every image; NULL: not known */
    struct buf out;
};

static void world_release(struct world *w)
{
    lint_release(&w->lint);
    graph_release(&w->graph);
    dockerfile_release(&w->doc);
    ignore_release(&w->ignore);
    strv_release(&w->args);
    json_decref(w->base);
    buf_release(&w->out);
}

static int base_config(void *arg, const struct stage *stage, const json_t **config, struct err *err)
{
    struct world *w = arg;

    (void)stage;
    (void)err;
    *config = w->base;
    return w->base != NULL;
}

static int run(struct world *w, struct str text, const char *target, struct err *err)
{
    struct graph_options options = {.build_args = &w->args,
                                    .target = target,
                                    .build = {.os = "linux", .arch = "amd64"},
                                    .wanted = {.os = "linux", .arch = "arm64"}};
    struct lint_input input = {
        .stages = {&w->graph, base_config, w}, .all_stages = !target, .ignore = &w->ignore};
    struct span at = {0};
    int parsed = dockerfile_parse(text, "Dockerfile", &w->doc, err);

    if (lint_begin(&w->lint, &w->doc, &w->args, &at, err) < 0)
        return -1;
    lint_file(&w->lint, &w->doc);
    if (parsed < 0)
        return -1;
    int made = graph_make(&w->doc, &options, &w->graph, err);
    lint_from(&w->lint, &w->graph);
    if (made < 0 || lint_stages(&w->lint, &input, &at, err) < 0)
        return -1;
    return lint_error(&w->lint, err);
}

/* A line for each warning, for each note, and for the failure. */
static const char *check(struct world *w, struct str text, const char *target)
{
    struct err err = {0};
    int rc = run(w, text, target, &err);

    lint_sort(&w->lint);
    for (size_t i = 0; i < w->lint.count; i++) {
        const struct lint_warning *warning = &w->lint.warnings[i];

        buf_addf(&w->out, "%u", warning->first);
        if (warning->last != warning->first)
            buf_addf(&w->out, "-%u", warning->last);
        buf_addf(&w->out, " %s: %s\n", lint_about(warning->rule)->name, warning->text);
    }
    for (size_t i = 0; i < w->lint.notes.count; i++)
        buf_addf(&w->out, "note: %s\n", w->lint.notes.ptr[i]);
    if (rc < 0)
        buf_addf(&w->out, "error: %s\n", err.text);
    return buf_cstr(&w->out);
}

static bool read_file(const char *path, struct buf *out)
{
    struct err err;

    return fs_read_file(AT_FDCWD, path, out, 1 << 20, &err) == 0;
}

static void check_case(const char *name)
{
    SCOPED(world_release) struct world w = {0};
    SCOPED(buf_release) struct buf text = {0}, want = {0};
    AUTO_FREE char *path = xasprintf(DIR_NAME "/%s/Dockerfile", name);
    AUTO_FREE char *expected = xasprintf(DIR_NAME "/%s/expect.txt", name);

    OKF(read_file(path, &text), "read %s", path);
    w.base = json_pack("{s:s, s:s, s:{s:[s]}}", "os", "linux", "architecture", "arm64", "config",
                       "Env", "BASE_VERSION=1");
    const char *got = check(&w, buf_str(&text), NULL);
    if (getenv("GOLDEN")) {
        FILE *f = fopen(expected, "we");

        if (f) {
            fputs(got, f);
            fclose(f);
        }
    }
    OKF(read_file(expected, &want), "read %s", expected);
    if (strcmp(got, buf_cstr(&want)) != 0)
        OKF(false, "%s differs; got:\n%s", expected, got);
}

static void cases(void)
{
    struct dirent **entries = NULL;
    int count = scandir(DIR_NAME, &entries, NULL, alphasort), seen = 0;

    for (int i = 0; i < count; i++) {
        AUTO_FREE struct dirent *entry = entries[i];

        if (entry->d_name[0] == '.')
            continue;
        check_case(entry->d_name);
        seen++;
    }
    free(entries);
    OKF(seen > 15, "only %d cases", seen);
}

static void arguments(void)
{
    static const struct {
        const char *args, *text, *want;
    } rows[] = {
        {"VERSION=latest", "ARG VERSION\nFROM busybox:$VERSION",
         "2 InvalidDefaultArgInFrom: Default value for ARG busybox:$VERSION results in empty or "
         "invalid base image name\n"},
        {"IMAGE=busybox", "ARG IMAGE\nFROM $IMAGE",
         "2 InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or invalid base "
         "image name\n"},
        {"SFX=-musl", "ARG SFX\nFROM busybox:stable$SFX", ""},
        {"SFX=-musl", "ARG SFX=\"\"\nFROM busybox:stable${SFX}", ""},
        {"BUILDKIT_DOCKERFILE_CHECK=skip=all", "# check=error=true\nFROM scratch as x", ""},
        {"BUILDKIT_DOCKERFILE_CHECK=skip=ConsistentInstructionCasing;error=true",
         "# check=skip=all\nFROM scratch as base\ncopy a .",
         "2 FromAsCasing: 'as' and 'FROM' keywords' casing do not match\n"
         "error: lint violation found for rules: FromAsCasing\n"},
        {"BUILDKIT_DOCKERFILE_CHECK=skip", "FROM scratch",
         "error: build argument BUILDKIT_DOCKERFILE_CHECK: check option \"skip\" is none of "
         "skip=RULE,…|all, experimental=RULE,…|all, error=true|false\n"},
        {"TARGETPLATFORM=linux/s390x", "FROM --platform=$TARGETPLATFORM scratch",
         "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is "
         "redundant as this is the default behavior\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};

        strv_add(&w.args, rows[i].args);
        EQ_STR(check(&w, str_of(rows[i].text), NULL), rows[i].want);
    }
}

static void ignored_files(void)
{
    static const char *const copies = "FROM scratch\nCOPY ./Dockerfile .\nADD /Dockerfile sub /w/";
    static const struct {
        const char *ignore, *text, *want;
    } rows[] = {
        {"Dockerfile", copies,
         "2 CopyIgnoredFile: Attempting to Copy file \"Dockerfile\" that is excluded by "
         ".dockerignore\n"
         "3 CopyIgnoredFile: Attempting to Add file \"/Dockerfile\" that is excluded by "
         ".dockerignore\n"},
        {"sub\n", copies,
         "3 CopyIgnoredFile: Attempting to Add file \"sub\" that is excluded by .dockerignore\n"},
        {"other", copies, ""},
        {"", copies, ""},
        {"**\n!Dockerfile", copies, ""},
        {".*", "FROM scratch\nCOPY . .", ""},
        {"*", "FROM scratch\nCOPY . .",
         "2 CopyIgnoredFile: Attempting to Copy file \".\" that is excluded by .dockerignore\n"},
        {"**/*", "FROM scratch\nCOPY / .",
         "2 CopyIgnoredFile: Attempting to Copy file \"/\" that is excluded by .dockerignore\n"},
        {"x", "FROM scratch AS b\nFROM scratch\nCOPY --from=b x /y", ""},
        {"x", "FROM scratch\n# check=skip=CopyIgnoredFile\nCOPY x /y", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        struct err err = {0};

        OK(ignore_parse(&w.ignore, str_of(rows[i].ignore), ".dockerignore", &err) == 0);
        EQ_STR(check(&w, str_of(rows[i].text), NULL), rows[i].want);
    }
}

/* What the base image says: its platform, its shell, its variables; nothing when it is not known.
 */
static void bases(void)
{
    static const struct {
        const char *base, *text, *want;
    } rows[] = {
        {"{\"os\":\"linux\",\"architecture\":\"amd64\"}", "FROM busybox:1",
         "1 InvalidBaseImagePlatform: Base image busybox:1 was pulled with platform "
         "\"linux/amd64\", expected \"linux/arm64\" for current build\n"},
        {"{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}", "FROM busybox", ""},
        {"{\"os\":\"linux\",\"architecture\":\"arm64\",\"config\":{\"Shell\":[\"/x\"]}}",
         "FROM busybox AS a\nCMD x\nFROM a\nENTRYPOINT y", ""},
        {"{\"os\":\"linux\",\"architecture\":\"arm64\"}", "FROM busybox\nCMD x",
         "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior "
         "related to OS signals\n"},
        {"{\"os\":\"linux\",\"architecture\":\"arm64\",\"config\":{\"Env\":[\"VERSION=1\"]}}",
         "FROM busybox\nARG A=$VERSION B=$VERSON\nARG C=$A",
         "2 UndefinedVar: Usage of undefined variable '$VERSON' (did you mean $VERSION?)\n"},
        {"{\"os\":\"linux\",\"architecture\":\"arm64\",\"config\":{\"OnBuild\":"
         "[\"ARG trig=1\",\"LABEL a=$trg\",\"CMD one\"]}}",
         "ARG x\nFROM busybox\nLABEL b=$trig\nCMD [\"two\"]",
         "2 UndefinedVar: Usage of undefined variable '$trg' (did you mean $trig?)\n"
         "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior "
         "related to OS signals\n"
         "2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the "
         "same stage because only the last one will be used\n"},
        {"{\"os\":\"linux\",\"architecture\":\"arm64\"}",
         "FROM busybox AS a\nONBUILD ARG t=$u\nONBUILD COPY --from=a $t /x\n"
         "# check=skip=UndefinedVar\nFROM a\nLABEL x=$t\nFROM busybox\nLABEL y=$t",
         "8 UndefinedVar: Usage of undefined variable '$t'\n"},
        {NULL,
         "FROM busybox AS a\nCMD x\nLABEL a=$b\nFROM a\nENTRYPOINT x\nLABEL c=$d\nMAINTAINER m",
         "7 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        struct err err = {0};

        if (rows[i].base)
            w.base = json_parse(str_of(rows[i].base), &err);
        EQ_STR(check(&w, str_of(rows[i].text), NULL), rows[i].want);
    }
}

/* With a target, only what it needs is gone through; the file as a whole is looked at anyway. */
static void targets(void)
{
    static const char text[] = "FROM scratch AS a\nENV a b\nFROM scratch AS b\nENV c d\n"
                               "FROM scratch AS C\n";
    SCOPED(world_release) struct world one = {0}, all = {0};

    EQ_STR(check(&one, str_of(text), "a"),
           "2 LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key "
           "value\" format\n"
           "5 StageNameCasing: Stage name 'C' should be lowercase\n");
    check(&all, str_of(text), NULL);
    EQ_INT(all.lint.count, 3);
}

static void printed(void)
{
    static const char text[] = "FROM scratch\nLABEL a=\"$x\x1b\" \\\n  b=\"$y\"\n";
    SCOPED(world_release) struct world w = {0};
    SCOPED(buf_release) struct buf out = {0}, json = {0}, line = {0};
    struct err err = {0};

    check(&w, str_of(text), NULL);
    lint_print(&w.lint, &w.doc, &out);
    EQ_STR(buf_cstr(&out),
           "\nWARNING: UndefinedVar - "
           "https://docs.docker.com/go/dockerfile/rule/undefined-var/\n"
           "Usage of undefined variable '$x'\n"
           "Dockerfile:2\n--------------------\n   1 |     FROM scratch\n"
           "   2 | >>> LABEL a=\"$x\\x1b\" \\\n   3 | >>>   b=\"$y\"\n--------------------\n"
           "\nWARNING: UndefinedVar - "
           "https://docs.docker.com/go/dockerfile/rule/undefined-var/\n"
           "Usage of undefined variable '$y'\n"
           "Dockerfile:2\n--------------------\n   1 |     FROM scratch\n"
           "   2 | >>> LABEL a=\"$x\\x1b\" \\\n   3 | >>>   b=\"$y\"\n--------------------\n");
    lint_print_short(&w.lint.warnings[0], &line);
    EQ_STR(buf_cstr(&line), "UndefinedVar: Usage of undefined variable '$x' (line 2)");
    err_set(&err, ERR_INPUT, 0, "no");
    lint_print_json(&w.lint, &w.doc, &err, &(struct span){2, 3}, &json);
    json_auto_t *doc = json_parse(buf_str(&json), &err);
    const char *rule = NULL, *url = NULL, *detail = NULL, *message = NULL, *name = NULL;
    int first = 0, last = 0, failed = 0;
    OKF(json_take(doc, &err,
                  "{s:[{s:s, s:s, s:s, s:{s:[{s:{s:i}, s:{s:i}}]}}, {}], s:[{s:s}], "
                  "s:{s:s, s:{s:[{s:{s:i}}]}}}",
                  "warnings", "ruleName", &rule, "url", &url, "detail", &detail, "location",
                  "ranges", "start", "line", &first, "end", "line", &last, "sources", "filename",
                  &name, "buildError", "message", &message, "location", "ranges", "start", "line",
                  &failed) == 0,
        "%s", err.text);
    EQ_STR(rule, "UndefinedVar");
    EQ_STR(url, "https://docs.docker.com/go/dockerfile/rule/undefined-var/");
    EQ_STR(detail, "Usage of undefined variable '$x'");
    EQ_STR(message, "no");
    EQ_STR(name, "Dockerfile");
    EQ_INT(first, 2);
    EQ_INT(last, 3);
    EQ_INT(failed, 2);
}

/* Each rule has a name and a text, and a name of its own. */
static void rules(void)
{
    int experimental = 0;

    for (int i = 0; i < LINT_RULES; i++) {
        const struct lint_about *rule = lint_about((enum lint_rule)i);

        OKF(rule->name && rule->description, "rule %d", i);
        OK((rule->page != NULL) == (i != LINT_INVALID_BASE_IMAGE_PLATFORM));
        experimental += rule->experimental;
        for (int k = 0; k < i; k++)
            OK(strcmp(rule->name, lint_about((enum lint_rule)k)->name) != 0);
    }
    EQ_INT(LINT_RULES, 22);
    EQ_INT(experimental, 1);
}

/* Two targets of one file: what both say is said once, what one says twice stays twice. */
static void merged(void)
{
    static const char text[] = "FROM scratch AS a\nLABEL a=$x b=$x\nFROM a AS b\nLABEL c=$y\n"
                               "FROM a AS C\nLABEL d=$z\n";
    SCOPED(world_release) struct world one = {0}, two = {0};
    SCOPED(buf_release) struct buf rules_of = {0};

    check(&one, str_of(text), "b");
    check(&two, str_of(text), "c");
    strv_add(&one.lint.notes, "n");
    strv_add(&two.lint.notes, "n");
    strv_add(&two.lint.notes, "m");
    lint_merge(&one.lint, &two.lint);
    lint_sort(&one.lint);
    for (size_t i = 0; i < one.lint.count; i++)
        buf_addf(&rules_of, "%u %s\n", one.lint.warnings[i].first,
                 lint_about(one.lint.warnings[i].rule)->name);
    EQ_STR(buf_cstr(&rules_of), "2 UndefinedVar\n2 UndefinedVar\n4 UndefinedVar\n"
                                "5 StageNameCasing\n6 UndefinedVar\n");
    EQ_INT(one.lint.notes.count, 2);
}

TAP_MAIN({"merged", merged}, {"cases", cases}, {"arguments", arguments},
         {"ignored files", ignored_files}, {"bases", bases}, {"targets", targets},
         {"printed", printed}, {"rules", rules})
