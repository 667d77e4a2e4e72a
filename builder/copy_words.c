/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_words.h"

#include <string.h>

#include "base/scope.h"
#include "builder/chmod.h"

int copy_words_excludes(const struct instruction *in, struct ignore *exclude, struct err *err)
{
    for (size_t i = 0; i < in->flags_count; i++)
        if (strcmp(in->flags[i].name, "exclude") == 0 &&
            ignore_add(exclude, str_of(in->flags[i].value), err) < 0)
            return err_wrap(err, "--exclude");
    return 0;
}

int copy_words_check(const struct instruction *in, struct err *err)
{
    SCOPED(ignore_release) struct ignore exclude = {0};
    const char *mode = instr_flag(in, "chmod");
    struct chmod ignored;

    if (copy_words_excludes(in, &exclude, err) < 0)
        return -1;
    for (size_t i = 0; i < in->heredocs_count; i++)
        if (heredoc_check_name(in->heredocs[i].name, err) < 0)
            return -1;
    if (!mode || !*mode || strpbrk(mode, "$\\`\"'"))
        return 0;
    return chmod_parse(str_of(mode), &ignored, err);
}
