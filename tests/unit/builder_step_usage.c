/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/step_usage.h"
#include "tests/tap.h"

static void parsed(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"{\"cpuUs\":1,\"memory\":2,\"read\":3,\"written\":4,\"step\":\"ab\"}", NULL},
        {"{\"cpuUs\":-1,\"memory\":2,\"read\":3,\"written\":4,\"step\":\"ab\"}",
         "usage has a value that cannot be"},
        {"{\"cpuUs\":1,\"memory\":2,\"read\":3,\"written\":4,\"step\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
         "usage has a value that cannot be"},
        {"[]", ""},
        {"{\"cpuUs\":1}", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct step_usage usage = {0};
        struct err err = {0};
        json_auto_t *value = json_parse(str_of(rows[i].text), &err);
        int rc = step_usage_from_json(value, &usage, &err);

        EQ_INT(rc, rows[i].err ? -1 : 0);
        OK(usage.known == !rows[i].err);
        if (rows[i].err && rows[i].err[0])
            EQ_STR(err.text, rows[i].err);
        if (rows[i].err)
            OK(err.text[0]);
    }
}

static void there_and_back(void)
{
    struct step_usage usage = {.known = true, .cpu_us = 1, .memory = 2, .read = 3, .written = 4};
    struct step_usage again = {0};
    json_auto_t *value = NULL;
    struct err err = {0};

    step_usage_name(&usage, "RUN true");
    value = step_usage_to_json(&usage);
    EQ_INT(step_usage_from_json(value, &again, &err), 0);
    EQ_INT(again.cpu_us, 1);
    EQ_INT(again.memory, 2);
    EQ_INT(again.read, 3);
    EQ_INT(again.written, 4);
    EQ_STR(again.step, usage.step);
}

static void found(void)
{
    struct step_usages_row rows[] = {
        {.usage = {.cpu_us = 1}, .created = "t1", .diff_id = "sha256:a"},
        {.usage = {.cpu_us = 2}, .created = "t2", .diff_id = "sha256:a"},
        {.usage = {.cpu_us = 3}, .created = "t1", .diff_id = "sha256:a"},
    };
    struct step_usages all = {.rows = rows, .count = ARRAY_SIZE(rows)};
    static const struct {
        const char *by, *created, *diff_id;
        uint64_t cpu_us; /* 0: none */
    } asked[] = {
        {"RUN a", "t1", "sha256:a", 1}, {"RUN a", "t2", "sha256:a", 2},
        {"RUN b", "t1", "sha256:a", 3}, {"RUN b", "t9", "sha256:a", 3},
        {"RUN c", "t1", "sha256:a", 0}, {"RUN a", "t1", "sha256:b", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        step_usage_name(&rows[i].usage, i == 2 ? "RUN b" : "RUN a");
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        const struct step_usage *u =
            step_usages_find(&all, asked[i].by, asked[i].created, asked[i].diff_id);

        EQ_INT(u ? u->cpu_us : 0, asked[i].cpu_us);
    }
}

TAP_MAIN({"parsed", parsed}, {"there and back", there_and_back}, {"found", found})
