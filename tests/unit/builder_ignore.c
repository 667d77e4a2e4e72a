/* SPDX-License-Identifier: Apache-2.0 */
/* testdata/ignore/<case>: patterns, "--", then PATH <tab> in|out [prune|enter]. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "builder/ignore.h"
#include "tests/tap.h"

#define DIR_NAME "testdata/ignore"

static void check_path(const char *name, const struct ignore *ig, struct str line)
{
    struct str path, verdict, walk;
    bool out, enter;

    str_cut(line, '\t', &path, &verdict);
    str_cut(verdict, ' ', &verdict, &walk);
    out = ignore_match(ig, path);
    OKF(out == str_is(verdict, "out"), "%s: " STR_FMT " is %s", name, STR_ARG(path),
        out ? "out" : "in");
    if (walk.size == 0)
        return;
    enter = ignore_may_descend(ig, path);
    OKF(enter == str_is(walk, "enter"), "%s: " STR_FMT " is %s", name, STR_ARG(path),
        enter ? "entered" : "pruned");
}

static void check_case(const char *name)
{
    AUTO_FREE char *path = xasprintf(DIR_NAME "/%s", name);
    SCOPED(ignore_release) struct ignore ig = {0};
    SCOPED(buf_release) struct buf bytes = {0};
    FILE *f = fopen(path, "re");
    struct err err = {0};
    struct str line;

    if (!OKF(f != NULL, "open %s", path))
        return;
    buf_commit(&bytes, fread(buf_reserve(&bytes, 65536), 1, 65536, f));
    fclose(f);
    ptrdiff_t end = str_search(buf_str(&bytes), "\n--\n");
    if (!OKF(end > 0, "%s has no --", path))
        return;
    OKF(ignore_parse(&ig, str_slice(buf_str(&bytes), 0, (size_t)end + 1), path, &err) == 0, "%s",
        err.text);
    for (struct str rest = str_slice(buf_str(&bytes), (size_t)end + 4, bytes.size);
         str_line(&rest, &line);)
        check_path(name, &ig, line);
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
    OKF(seen >= 8, "only %d cases", seen);
}

static void refusals(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"a\n!\n", ".dockerignore:2: \"!\" without a pattern"},
        {"[a", ".dockerignore:1: pattern \"[a\": malformed [class]"},
        {"[]", ".dockerignore:1: pattern \"[]\": malformed [class]"},
        {"[a-]", ".dockerignore:1: pattern \"[a-]\": malformed [class]"},
        {"[^]", ".dockerignore:1: pattern \"[^]\": malformed [class]"},
        {"\n\na\\", ".dockerignore:3: pattern \"a\\\": ends in a lone \\"},
        {"x\x01[", ".dockerignore:1: pattern \"x\\x01[\": malformed [class]"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(ignore_release) struct ignore ig = {0};
        struct err err = {0};

        OK(ignore_parse(&ig, str_of(rows[i].text), ".dockerignore", &err) < 0);
        EQ_STR(err.text, rows[i].err);
    }
}

/* Stars do not multiply: this would take ages by trial and error. */
static void many_stars(void)
{
    SCOPED(ignore_release) struct ignore ig = {0};
    SCOPED(buf_release) struct buf pattern = {0}, path = {0};
    struct err err = {0};

    for (int i = 0; i < 300; i++)
        buf_adds(&pattern, "**/*a");
    buf_addc(&pattern, 'b');
    for (int i = 0; i < 3000; i++)
        buf_addc(&path, i % 7 ? 'a' : '/');
    OK(ignore_add(&ig, buf_str(&pattern), &err) == 0);
    OK(!ignore_match(&ig, str_slice(buf_str(&path), 1, path.size)));
    buf_adds(&pattern, "*cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
                       "cccccccccccccccc");
    for (int i = 0; i < 500; i++)
        buf_addc(&pattern, 'c');
    OK(ignore_add(&ig, buf_str(&pattern), &err) < 0);
    OK(strstr(err.text, "longer than 1024 characters") != NULL);
}

/* --parents: patterns as they stand, and where they reach. */
static void paths(void)
{
    static const struct {
        const char *pattern, *path;
        bool matches, below; /* path itself or a parent of it; something below it */
    } rows[] = {
        {"a/b", "a/b", true, false},      {"a/b", "a", false, true},
        {"a/b", "a/b/c", true, false},    {"a/b", "ab", false, false},
        {"a/b", "c", false, false},       {"!a", "!a", true, false},
        {"!a", "a", false, false},        {" a ", " a ", true, false},
        {" a ", "a", false, false},       {"a/**/c", "a/b/d", false, true},
        {"a/**/c", "a/b/c", true, true},  {"a/**/c", "b", false, false},
        {"*/x", "q", false, true},        {"*/x", "q/y", false, false},
        {"**/x", "deep/er", false, true}, {"a\\*", "a*", true, false},
        {"a\\*", "ab", false, false},     {"[ab]/c", "b", false, true},
        {"[ab]/c", "c", false, false},    {"#a", "#a", true, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(ignore_release) struct ignore ig = {0};
        struct err err = {0};

        OK(ignore_add_path(&ig, str_of(rows[i].pattern), &err) == 0);
        OKF(ignore_match(&ig, str_of(rows[i].path)) == rows[i].matches, "%s: %s", rows[i].pattern,
            rows[i].path);
        OKF(ignore_reaches_below(&ig, str_of(rows[i].path)) >= rows[i].below, "%s: below %s",
            rows[i].pattern, rows[i].path);
        OKF(rows[i].below || rows[i].matches || !ignore_reaches_below(&ig, str_of(rows[i].path)),
            "%s: not below %s", rows[i].pattern, rows[i].path);
    }
    SCOPED(ignore_release) struct ignore none = {0};
    struct err err = {0};
    OK(ignore_add_path(&none, STR(""), &err) == 0 && none.count == 0);
    OK(ignore_add_path(&none, STR("[a"), &err) < 0);
}

TAP_MAIN({"cases", cases}, {"refusals", refusals}, {"many stars", many_stars}, {"paths", paths})
