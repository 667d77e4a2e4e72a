/* SPDX-License-Identifier: Apache-2.0 */
/* An ignore file, a line "--", then paths. A directory that need not be entered may hold nothing
 * that is put back, and a directory that no pattern reaches below holds nothing that matches. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/scope.h"
#include "builder/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(const struct ignore *ig, struct str path)
{
    bool left_out = ignore_match(ig, path);

    for (size_t i = 1; i + 1 < path.size; i++) {
        struct str dir = str_slice(path, 0, i);

        if (path.ptr[i] != '/')
            continue;
        if (left_out && !ig->has_negation && !ignore_match(ig, dir) &&
            !ignore_reaches_below(ig, dir))
            abort();
        if (!ignore_match(ig, dir))
            continue;
        if (!left_out && !ignore_may_descend(ig, dir))
            abort();
        if (!left_out && !ig->has_negation)
            abort();
    }
}

/* Each line as --parents takes it: as it stands, and a name without wildcards matches itself. */
static void try_path_pattern(struct str line)
{
    SCOPED(ignore_release) struct ignore ig = {0};
    AUTO_FREE char *clean = path_beneath(line);
    struct err err = {0};

    if (ignore_add_path(&ig, str_of(clean), &err) < 0) {
        if (!err.text[0])
            abort();
        return;
    }
    if (ig.has_negation)
        abort();
    if (strcmp(clean, ".") != 0 && !strpbrk(clean, "*?[]\\") && !ignore_match(&ig, str_of(clean)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(ignore_release) struct ignore ig = {0};
    struct str all = {(const char *)data, size}, path, ignored;
    ptrdiff_t end = str_search(all, "\n--\n");
    struct err err = {0};

    if (ignore_parse(&ig, str_slice(all, 0, end < 0 ? size : (size_t)end + 1), "ignore", &err) <
        0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    for (all = str_slice(all, end < 0 ? size : (size_t)end + 4, size); str_line(&all, &path);) {
        str_cut(path, '\t', &path, &ignored);
        AUTO_FREE char *clean = path_beneath(path);

        try_path_pattern(path);
        try_path(&ig, str_of(clean));
    }
    return 0;
}
