/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an index, and any tar made into one: what is opened answers every question within
 * its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "builder/index.h"
#include "builder/tar.h"
#include "builder/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static int count(void *ctx, const struct view_entry *at, bool *skip, struct err *err)
{
    size_t *n = ctx;

    (void)err;
    (void)skip;
    must(at->entry.type != ENTRY_NONE && at->entry.type != ENTRY_WHITEOUT);
    ++*n;
    return 0;
}

static void ask_all(struct index *x)
{
    SCOPED(view_release) struct view view = {0};
    struct err err = {0};
    size_t walked = 0, shown = 0, sum = 0;

    for (size_t i = 0; i < index_count(x); i++) {
        struct entry e;
        struct str content;

        index_get(x, i, &e);
        must(index_find(x, e.path) == i && index_end(x, i) > i &&
             index_end(x, i) <= index_count(x));
        for (size_t j = 0; j < e.xattrs_count; j++) {
            sum += strlen(e.xattrs[j].name);
            for (size_t k = 0; k < e.xattrs[j].value.size; k++)
                sum += (unsigned char)e.xattrs[j].value.ptr[k];
        }
        if (index_content(x, i, &content) && content.size)
            sum += (unsigned char)content.ptr[content.size - 1];
        shown += e.type != ENTRY_WHITEOUT;
    }
    view_push(&view, x);
    must(view_walk(&view, ".", count, &walked, &err) == 0 && walked == shown);
    must(sum < SIZE_MAX);
}

static void from_tar(const uint8_t *bytes, size_t size)
{
    struct str left = {(const char *)bytes, size};
    struct tar_reader *r = tar_reader_open(source_of_str(&left));
    struct index_builder *b = index_builder_new();
    SCOPED(buf_release) struct buf out = {0};
    struct err err = {0};
    struct entry e;
    int got;

    while ((got = tar_next(r, &e, &err)) > 0 && (got = index_builder_add(b, &e, &err)) == 0)
        ;
    if (got == 0 && index_builder_end(b, sink_of_buf(&out), &err) == 0) {
        struct index *x = index_from_bytes(out.ptr, out.size, &err);

        must(x != NULL);
        ask_all(x);
        index_close(x);
    } else {
        must(err.text[0]);
    }
    index_builder_free(b);
    tar_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err = {0};
    struct index *x = index_from_bytes(bytes, size, &err);

    if (x)
        ask_all(x);
    else
        must(err.text[0]);
    index_close(x);
    from_tar(bytes, size);
    return 0;
}
