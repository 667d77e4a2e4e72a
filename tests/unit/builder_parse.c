/* SPDX-License-Identifier: Apache-2.0 */
/* testdata/parse/<case>/Dockerfile against expect.json, or expect.err: the error and its excerpt.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/parse.h"
#include "tests/tap.h"

#define DIR_NAME "testdata/parse"

static bool read_file(const char *path, struct buf *out)
{
    struct err err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    int failed = fs_read(fd, out, 1 << 20, &err);
    close(fd);
    return failed == 0;
}

static void write_file(const char *path, const struct buf *bytes)
{
    FILE *f = fopen(path, "we");

    if (f) {
        fwrite(buf_cstr(bytes), 1, bytes->size, f);
        fclose(f);
    }
}

/* The case's result as its file would hold it. */
static bool parse_case(const char *name, struct buf *out)
{
    AUTO_FREE char *path = xasprintf(DIR_NAME "/%s/Dockerfile", name);
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err = {0};

    OKF(read_file(path, &bytes), "read %s", path);
    if (dockerfile_parse(buf_str(&bytes), "Dockerfile", &doc, &err) == 0) {
        dockerfile_print_json(&doc, out);
        return true;
    }
    OKF(err.kind == ERR_INPUT, "%s: kind %d", name, err.kind);
    buf_addf(out, "%s\n", err.text);
    dockerfile_excerpt(&doc, doc.failed.first, doc.failed.last, out);
    return false;
}

static void check_case(const char *name)
{
    SCOPED(buf_release) struct buf got = {0}, want = {0};
    bool good = parse_case(name, &got);
    AUTO_FREE char *path = xasprintf(DIR_NAME "/%s/expect.%s", name, good ? "json" : "err");

    OKF(good == (strncmp(name, "fail-", 5) != 0), "%s: %s", name,
        good ? "accepted" : buf_cstr(&got));
    if (getenv("GOLDEN"))
        write_file(path, &got);
    OKF(read_file(path, &want), "%s: no %s", name, path);
    if (strcmp(buf_cstr(&got), buf_cstr(&want)) != 0)
        OKF(false, "%s differs; got:\n%s", path, buf_cstr(&got));
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
    OKF(seen > 50, "only %d cases", seen);
}

#define RULE "--------------------\n"

static void excerpts(void)
{
    static const char text[] = "FROM a\n2\n3\n4\n5\n6\n7";
    static const struct {
        unsigned first, last;
        const char *want;
    } rows[] = {
        {0, 0, ""},
        {1, 1, "D:1\n" RULE "   1 | >>> FROM a\n   2 |     2\n   3 |     3\n" RULE},
        {4, 4,
         "D:4\n" RULE
         "   2 |     2\n   3 |     3\n   4 | >>> 4\n   5 |     5\n   6 |     6\n" RULE},
        {4, 5, "D:4\n" RULE "   3 |     3\n   4 | >>> 4\n   5 | >>> 5\n   6 |     6\n" RULE},
        {7, 9, "D:7\n" RULE "   6 |     6\n   7 | >>> 7\n" RULE},
        {40, 41, ""},
        {5, 4, ""},
    };
    struct dockerfile doc = {.name = xstrdup("D")};

    buf_adds(&doc.source, text);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};

        dockerfile_excerpt(&doc, rows[i].first, rows[i].last, &out);
        EQ_STR(buf_cstr(&out), rows[i].want);
    }
    dockerfile_release(&doc);
}

/* A long line is cut between characters, and nothing of it reaches the terminal as control bytes.
 */
static void excerpt_of_foreign_text(void)
{
    struct dockerfile doc = {.name = xstrdup("D")};
    SCOPED(buf_release) struct buf out = {0};

    for (int i = 0; i < 100; i++)
        buf_adds(&doc.source, "\xed\x95\x9c");
    buf_adds(&doc.source, "\n\x1b[2J\n");
    dockerfile_excerpt(&doc, 1, 1, &out);
    OK(out.size < 300 && str_search(buf_str(&out), " …\n") > 0);
    OK(str_search(buf_str(&out), "\x1b") < 0 && str_search(buf_str(&out), "\\x1b[2J") > 0);
    dockerfile_release(&doc);
}

static void excerpt_of_many_lines(void)
{
    struct dockerfile doc = {.name = xstrdup("D")};
    SCOPED(buf_release) struct buf out = {0};

    for (int i = 1; i <= 100; i++)
        buf_addf(&doc.source, "line %d\n", i);
    dockerfile_excerpt(&doc, 10, 90, &out);
    OK(str_search(buf_str(&out), RULE "   9 |     line 9\n") >= 0);
    OK(str_search(buf_str(&out), "  21 | >>> line 21\n     | >>> …\n  87 | >>> line 87\n") > 0);
    OK(str_search(buf_str(&out), "  91 |     line 91\n" RULE) > 0);
    dockerfile_release(&doc);
}

/* A place is put before an error once, however many rooms it passes. */
static void places(void)
{
    struct dockerfile doc = {.name = (char[]){"D"}};
    struct err err = {0};

    OK(dockerfile_error(&doc, 3, &err, "it is %s", "bad") < 0);
    OK(dockerfile_wrap(&doc, 9, &err) < 0);
    EQ_STR(err.text, "D:3: it is bad");
    err_set(&err, ERR_INPUT, 0, "D:x: bad");
    dockerfile_wrap(&doc, 9, &err);
    EQ_STR(err.text, "D:9: D:x: bad");
    err_set(&err, ERR_INPUT, 0, "D: bad");
    dockerfile_wrap(&doc, 9, &err);
    EQ_STR(err.text, "D:9: D: bad");
    OK(dockerfile_error(&doc, 0, &err, "empty") < 0);
    EQ_STR(err.text, "D: empty");
}

static void lines_of_words(void)
{
    static const char text[] = "FROM a\nCOPY one \\\n  # c\n two \\\n\\\n  three\n";
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    struct err err = {0};

    OK(dockerfile_parse(str_of(text), "D", &doc, &err) == 0);
    if (!OK(doc.count == 2 && doc.instructions[1].words_count == 3))
        return;
    EQ_INT(doc.instructions[1].first_line, 2);
    EQ_INT(doc.instructions[1].last_line, 6);
    EQ_INT(doc.instructions[1].words[0].line, 2);
    EQ_INT(doc.instructions[1].words[1].line, 4);
    EQ_INT(doc.instructions[1].words[2].line, 6);
    EQ_INT(doc.instructions[1].source.ptr - doc.source.ptr, 7);
}

/* 65,535 bytes a line, its end not counted, as BuildKit has it; a heredoc's lines too. */
static void line_limit(void)
{
    for (size_t size = 65535; size <= 65536; size++) {
        SCOPED(dockerfile_release) struct dockerfile doc = {0};
        SCOPED(buf_release) struct buf text = {0};
        struct err err = {0};

        buf_adds(&text, "FROM a\nRUN <<E\n");
        for (size_t i = 0; i < size; i++)
            buf_addc(&text, 'x');
        buf_adds(&text, "\nE\n");
        OK((dockerfile_parse(buf_str(&text), "D", &doc, &err) == 0) == (size == 65535));
        if (size > 65535)
            EQ_STR(err.text, "D:2: line is longer than 65535 bytes");
    }
}

/* What stood before the line at fault stays in the document: the build checks look at it. */
static void half_a_document(void)
{
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    struct err err = {0};

    OK(dockerfile_parse(STR("# check=skip=all\nFROM a\n# c\nRUN x\nBADCMD\nRUN y\n"), "D", &doc,
                        &err) < 0);
    EQ_INT(doc.count, 2);
    EQ_INT(doc.comments_count, 1);
    OK(str_is(dockerfile_directive(&doc, "check"), "skip=all"));
    OK(dockerfile_directive(&doc, "syntax").size == 0);
}

static void descriptions(void)
{
    static const char text[] = "# x is the base\nFROM a AS x\n"
                               "# y is cut off\n#\nFROM a AS y\n"
                               "# z stands apart\n\nFROM a AS z\n"
                               "# other\n  # A  the name, \n# A not this\n# B too\nARG A B=1 C\n"
                               "# x\nFROM a AS x\n";
    static const struct {
        size_t index;
        const char *name, *want;
    } rows[] = {
        {0, "x", "is the base"}, {1, "y", ""}, {2, "z", ""}, {3, "A", "the name,"},
        {3, "B", "too"},         {3, "C", ""}, {4, "x", ""},
    };
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    struct err err = {0};

    if (!OKF(dockerfile_parse(str_of(text), "D", &doc, &err) == 0, "%s", err.text))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got =
            str_dup(dockerfile_description(&doc, &doc.instructions[rows[i].index], rows[i].name));

        EQ_STR(got, rows[i].want);
    }
}

TAP_MAIN({"line limit", line_limit}, {"half a document", half_a_document},
         {"descriptions", descriptions}, {"cases", cases}, {"excerpts", excerpts},
         {"excerpt of foreign text", excerpt_of_foreign_text},
         {"excerpt of many lines", excerpt_of_many_lines}, {"places", places},
         {"lines of words", lines_of_words})
