/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include <string.h>

#include "base/buf.h"
#include "base/scope.h"

/* text begins after the opening quote; what follows the closing one is left. */
static int quoted(struct str *text, struct buf *field, struct err *err)
{
    struct str piece;

    for (;;) {
        if (!str_cut(*text, '"', &piece, text))
            return err_set(err, ERR_USAGE, 0, "a quote is not closed");
        buf_add_str(field, piece);
        if (!text->size || text->ptr[0] != '"')
            return 0;
        buf_addc(field, '"');
        *text = str_slice(*text, 1, text->size);
    }
}

static int bare(struct str *text, struct buf *field, struct err *err)
{
    size_t end = 0;

    while (end < text->size && text->ptr[end] != ',') {
        if (text->ptr[end] == '"')
            return err_set(err, ERR_USAGE, 0,
                           "a quote stands inside a field; put the whole field in quotes");
        if (text->ptr[end] == '\n' || text->ptr[end] == '\r' || text->ptr[end] == 0)
            return err_set(err, ERR_USAGE, 0, "a line break stands outside quotes");
        end++;
    }
    buf_add_str(field, str_slice(*text, 0, end));
    *text = str_slice(*text, end, text->size);
    return 0;
}

int csv_fields(struct str text, struct strv *fields, struct err *err)
{
    while (text.size) {
        SCOPED(buf_release) struct buf field = {0};
        bool is_quoted = text.ptr[0] == '"';

        if (is_quoted)
            text = str_slice(text, 1, text.size);
        if ((is_quoted ? quoted(&text, &field, err) : bare(&text, &field, err)) < 0)
            return -1;
        strv_add_str(fields, buf_str(&field));
        if (!text.size)
            return 0;
        if (text.ptr[0] != ',')
            return err_set(err, ERR_USAGE, 0, "text follows a closing quote");
        text = str_slice(text, 1, text.size);
        if (!text.size)
            strv_add(fields, "");
    }
    return 0;
}

int csv_bool(const char *value, bool *out, struct err *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcmp(value, yes[i]) != 0 && strcmp(value, no[i]) != 0)
            continue;
        *out = strcmp(value, yes[i]) == 0;
        return 0;
    }
    return err_set(err, ERR_USAGE, 0, "want true or false");
}
