/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/glob.h"

#include <stdlib.h>

#include "base/scope.h"
#include "tests/tap.h"

/* From Go's path/filepath documentation of Match, and its corners. */
static void matches(void)
{
    static const struct {
        const char *pattern, *name;
        int want;
    } rows[] = {
        {"abc", "abc", 1},
        {"*", "abc", 1},
        {"*c", "abc", 1},
        {"a*", "a", 1},
        {"a*b*c*d", "aXbYcZd", 1},
        {"a*b*c*d", "aXbYcZ", 0},
        {"a?c", "abc", 1},
        {"a?c", "ac", 0},
        {"ab[c]", "abc", 1},
        {"ab[b-d]", "abc", 1},
        {"ab[e-g]", "abc", 0},
        {"ab[^c]", "abc", 0},
        {"ab[^e-g]", "abc", 1},
        {"a\\*b", "a*b", 1},
        {"a\\*b", "ab", 0},
        {"[\\]a]", "]", 1},
        {"[x\\-]", "-", 1},
        {"[", "a", -1},
        {"[a", "a", -1},
        {"a\\", "a", -1},
        {"", "", 1},
        {"", "a", 0},
        {"*", "", 1},
        {"package*.json", "package.json", 1},
        {"package*.json", "package-lock.json", 1},
        {"[]a]", "a", -1},
        {"a?c",
         "a\xc3\xa9"
         "c",
         1},
        {"a??c",
         "a\xc3\xa9"
         "c",
         0},
        {"[\xc3\xa0-\xc3\xbf]x", "\xc3\xa9x", 1},
        {"[^\xc3\xa9]x", "\xc3\xa9x", 0},
        {"\\\xc3\xa9", "\xc3\xa9", 1},
        {"?", "\xff", 1},
        {"[a-", "a", -1},
        {"[a-]", "a", -1},
        {"[-a]", "a", -1},
        {"*[", "abc", -1},
        {".*", ".env", 1},
        {"*", ".env", 1},
    };
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int got = glob_match(str_of(rows[i].pattern), str_of(rows[i].name), &err);

        OKF(got == rows[i].want, "%s against %s: %d", rows[i].pattern, rows[i].name, got);
    }
}

static void literals(void)
{
    AUTO_FREE char *plain = glob_literal(STR("a\\*b\\\\c"));

    EQ_STR(plain, "a*b\\c");
    OK(!glob_has_wildcard(STR("a\\*b")) && glob_has_wildcard(STR("a*")) &&
       glob_has_wildcard(STR("[x]")));
}

/* A pattern is judged whole, whatever names are there to be compared with it. */
static void checks(void)
{
    static const struct {
        const char *pattern;
        int result;
    } rows[] = {{"abc", 0},   {"a*?", 0},   {"[a-z]x", 0},    {"[^a]", 0}, {"\\[", 0},
                {"x[z", -1},  {"a[", -1},   {"q[^]", -1},     {"a\\", -1}, {"*[b", -1},
                {"[a-]", -1}, {"x[a]y", 0}, {"\xc3\xa9*", 0}, {"", 0}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};

        OKF(glob_check(str_of(rows[i].pattern), &err) == rows[i].result, "row %zu: %s", i,
            rows[i].pattern);
        OK(rows[i].result == 0 || err.text[0]);
    }
}

TAP_MAIN({"matches", matches}, {"checks", checks}, {"literals", literals})
