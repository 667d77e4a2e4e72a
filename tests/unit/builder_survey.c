/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/scope.h"
#include "builder/survey.h"
#include "runtime/emulate.h"
#include "tests/tap.h"

static void put(struct survey *s, const char *arch, const char *path)
{
    unsigned char bytes[EMULATE_PROGRAM_MAX];
    size_t size = emulate_program(arch, bytes);
    struct survey_head head = {0};

    for (size_t i = 0; i < size; i += 3) /* in pieces, as streams come */
        survey_feed(&head, bytes + i, size - i < 3 ? size - i : 3);
    survey_file(s, &head, path);
}

static void fill(struct survey *s)
{
    struct survey_head text = {0}, shortened = {0};

    put(s, "arm64", "bin/a");
    put(s, "amd64", "bin/b\nc");
    put(s, "amd64", "bin/d");
    put(s, "386", "bin/e");
    survey_feed(&text, "#!/bin/sh, and more than twenty bytes", 37);
    survey_file(s, &text, "bin/script");
    survey_feed(&shortened, "\177ELF", 4);
    survey_file(s, &shortened, "bin/short");
}

static void counted(void)
{
    static const struct {
        const char *arch, *text;
        unsigned strange, right;
    } rows[] = {
        {"arm64", "2 for amd64 (such as /bin/b\\nc), 1 for 386 (/bin/e)", 3, 1},
        {"amd64", "1 for arm64 (/bin/a)", 1, 3},
        {"386", "1 for arm64 (/bin/a), 2 for amd64 (such as /bin/b\\nc)", 3, 1},
        {"s390x", "1 for arm64 (/bin/a), 2 for amd64 (such as /bin/b\\nc), 1 for 386 (/bin/e)", 4,
         0},
    };
    SCOPED(survey_release) struct survey s = {0};

    fill(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCOPED(buf_release) struct buf text = {0};
        uint64_t right;

        EQ_INT(survey_strangers(&s, rows[i].arch, &right, &text), rows[i].strange);
        EQ_INT(right, rows[i].right);
        EQ_STR(buf_cstr(&text), rows[i].text);
    }
}

static void written(void)
{
    SCOPED(survey_release) struct survey s = {0}, back = {0}, copy = {0};
    SCOPED(buf_release) struct buf text = {0}, again = {0};
    struct err err = {0};

    fill(&s);
    json_auto_t *doc = survey_to_json(&s);
    json_print(doc, &text);
    OK(survey_from_json(doc, &back, &err) == 0);
    survey_copy(&copy, &back);
    json_auto_t *second = survey_to_json(&copy);
    json_print(second, &again);
    EQ_STR(buf_cstr(&again), buf_cstr(&text));
}

#define ROW "{\"arch\":\"arm\",\"files\":1,\"path\":\"a\"}"
static void refused(void)
{
    static const char *const rows[] = {
        "{}",
        "[1]",
        "[{\"arch\":\"arm64\",\"files\":1}]",
        "[{\"arch\":\"arm64\",\"files\":0,\"path\":\"a\"}]",
        "[{\"arch\":\"arm64\",\"files\":-1,\"path\":\"a\"}]",
        "[{\"arch\":\"a-name-that-is-too-long\",\"files\":1,\"path\":\"a\"}]",
        ("[" ROW "," ROW "]"),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCOPED(survey_release) struct survey s = {0};
        struct err err = {0};
        json_auto_t *doc = json_parse(str_of(rows[i]), &err);

        OK(doc && survey_from_json(doc, &s, &err) < 0 && err.text[0]);
    }
}

TAP_MAIN({"counted", counted}, {"written and read", written}, {"refused", refused})
