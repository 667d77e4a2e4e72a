/* SPDX-License-Identifier: Apache-2.0 */
/* testdata/expand/words.tsv, and what a table of words cannot say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/expand.h"
#include "tests/tap.h"

static char *entries[] = {(char[]){"A=one"},   (char[]){"E="},   (char[]){"P=a/b.c/d.tar.gz"},
                          (char[]){"S=x  y "}, (char[]){"N=한"}, NULL};
static const struct strv env = {entries, ARRAY_SIZE(entries) - 1, 0};

static void expand_row(const char *word, char escape, bool keep_quotes, struct buf *out)
{
    struct expand x = {
        .lookup = expand_from_env, .arg = &env, .escape = escape, .keep_quotes = keep_quotes};
    struct err err = {0};

    if (expand_word(&x, str_of(word), out, &err) < 0)
        buf_addf(out, "error: %s", err.text);
}

static void table(void)
{
    FILE *f = fopen("testdata/expand/words.tsv", "re");
    char line[512];
    int rows = 0, number = 0;

    if (!OK(f != NULL))
        return;
    while (fgets(line, sizeof(line), f)) {
        SCOPED(buf_release) struct buf got = {0};
        char *tab = strchr(line, '\t');

        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || !tab)
            continue;
        *tab = '\0';
        expand_row(line, '\\', false, &got);
        OKF(strcmp(buf_cstr(&got), tab + 1) == 0, "line %d: %s\n#   got:  %s\n#   want: %s", number,
            line, buf_cstr(&got), tab + 1);
        rows++;
    }
    fclose(f);
    OKF(rows > 90, "only %d rows", rows);
}

static void other_modes(void)
{
    static const struct {
        const char *word;
        char escape;
        bool keep_quotes;
        const char *want;
    } rows[] = {
        {"a\\b`$A", '`', false, "a\\b$A"},
        {"\"a`\"b\\\"", '`', false, "a\"b\\"},
        {"say \"$A\" '$A' \\$A", '\\', true, "say \"one\" 'one' $A"},
        {"it's ${U:-\"x\"}\n", '\\', true, "it's \"x\"\n"},
        {"two\nlines\\\nof $A\n", '\\', true, "two\nlines\nof one\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf got = {0};

        expand_row(rows[i].word, rows[i].escape, rows[i].keep_quotes, &got);
        EQ_STR(buf_cstr(&got), rows[i].want);
    }
}

static void division(void)
{
    static const struct {
        const char *word, *want;
    } rows[] = {
        {"80", "80"},
        {"80 443", "80|443"},
        {"$S", "x|y"},
        {"a${S}b", "ax|y|b"},
        {"\"$S\"z", "x  y z"},
        {"a\\ b c", "a b|c"},
        {"$U", ""},
        {"'' $E", ""},
        {"8${U:-0 9}0", "80|90"},
        {"a\xc2\xa0"
         "b",
         "a|b"},
    };
    struct expand x = {.lookup = expand_from_env, .arg = &env, .escape = '\\'};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv words = {0};
        struct err err = {0};

        OKF(expand_words(&x, str_of(rows[i].word), &words, &err) == 0, "%s: %s", rows[i].word,
            err.text);
        AUTO_FREE char *joined = strv_join(&words, "|");
        EQ_STR(joined, rows[i].want);
    }
}

/* Whatever the operator, as docker's build checks have it. */
static void unset_names(void)
{
    SCOPED(strv_release) struct strv unset = {0}, used = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct expand x = {
        .lookup = expand_from_env, .arg = &env, .escape = '\\', .unset = &unset, .used = &used};
    struct err err = {0};

    OK(expand_word(&x, STR("$A$U${V}${W:-x}${X+x}${U}${Y#a}${Z/a/b}"), &out, &err) == 0);
    AUTO_FREE char *joined = strv_join(&unset, " ");
    EQ_STR(joined, "U V W X Y Z");
    AUTO_FREE char *found = strv_join(&used, " ");
    EQ_STR(found, "A");
}

static void limits(void)
{
    SCOPED(buf_release) struct buf word = {0}, out = {0}, big = {0};
    struct expand x = {.lookup = expand_from_env, .arg = &env, .escape = '\\'};
    struct err err = {0};

    for (int i = 0; i < 40; i++)
        buf_adds(&word, "${U:-");
    OK(expand_word(&x, buf_str(&word), &out, &err) < 0);
    EQ_STR(err.text, "substitutions nested deeper than 32");
    EQ_INT(out.size, 0);

    buf_adds(&big, "B=");
    for (int i = 0; i < 1 << 20; i++)
        buf_addc(&big, 'x');
    AUTO_FREE char *entry = buf_steal(&big);
    struct strv large = {(char *[]){entry, NULL}, 1, 0};
    x.arg = &large;
    OK(expand_word(&x, STR("$B$B$B$B$B$B$B$B$B$B$B$B$B$B$B$B$B"), &out, &err) < 0);
    EQ_STR(err.text, "expands to more than 16777216 bytes");
    OK(expand_word(&x, STR("${B//?*?*?*?*?*?*y/z}"), &out, &err) < 0);
    EQ_STR(err.text, "pattern takes too long on a value of this size");

    buf_clear(&word);
    buf_adds(&word, "${B##");
    for (int i = 0; i < 100; i++)
        buf_adds(&word, "*?");
    buf_adds(&word, "y}");
    err = (struct err){0};
    OK(expand_word(&x, buf_str(&word), &out, &err) < 0);
    EQ_STR(err.text, "pattern takes too long on a value of this size");
}

TAP_MAIN({"table", table}, {"other modes", other_modes}, {"division", division},
         {"unset names", unset_names}, {"limits", limits})
