/* SPDX-License-Identifier: Apache-2.0 */
/* Every line is a word; up to its first tab, so that the table of the unit test is a seed. */
#include <stdint.h>
#include <stdlib.h>

#include "base/scope.h"
#include "builder/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *env_entries[] = {(char[]){"A=one"},  (char[]){"B="},      (char[]){"P=a/b.c/d.tar.gz"},
                              (char[]){"S=x  y"}, (char[]){"G=*?\\*"}, NULL};

static void try_word(struct str word, char escape, bool keep_quotes)
{
    const struct strv env = {env_entries, ARRAY_SIZE(env_entries) - 1, 0};
    SCOPED(strv_release) struct strv words = {0}, unset = {0}, used = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct expand x = {expand_from_env, &env, escape, keep_quotes, &unset, &used};
    struct err err = {0};

    if (expand_word(&x, word, &out, &err) < 0) {
        if (!err.text[0] || out.size)
            abort();
        if (expand_words(&x, word, &words, &err) == 0)
            abort(); /* both read the same language */
    } else if (expand_words(&x, word, &words, &err) < 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, line, word, ignored;

    while (str_line(&rest, &line)) {
        str_cut(line, '\t', &word, &ignored);
        try_word(word, '\\', false);
        try_word(word, '`', false);
        try_word(word, '\\', true);
    }
    return 0;
}
