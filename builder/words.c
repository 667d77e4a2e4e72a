/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/words.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/enc.h"
#include "base/json.h"
#include "base/scope.h"
#include "builder/text.h"

void words_release(struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i].text);
    free(w->items);
    *w = (struct words){0};
}

static void add(struct words *w, const struct lex_line *line, const char *at, struct str text)
{
    VEC_GROW(w->items, w->count, w->capacity);
    w->items[w->count++] = (struct word){
        .text = str_dup(text), .line = lex_line_at(line, (size_t)(at - line->text)), .heredoc = -1};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

void words_blank(struct words *w, const struct lex_line *line, struct str text)
{
    for (size_t at = 0; at < text.size;) {
        size_t end = at;

        while (end < text.size && !is_blank(text.ptr[end]))
            end++;
        if (end > at)
            add(w, line, text.ptr + at, str_slice(text, at, end));
        at = end + (end < text.size);
    }
}

/* From one word's first byte to behind its last. An escape character that ends the text is dropped.
 */
static size_t quoted_end(struct str text, size_t at, char escape, struct buf *out)
{
    char quote = 0;

    while (at < text.size) {
        size_t n = text_char(str_slice(text, at, text.size));
        char c = text.ptr[at];

        if (!quote && text_space(str_slice(text, at, text.size)))
            break;
        if (c == escape && quote != '\'') {
            if (at + 1 == text.size)
                return text.size;
            n = 1 + text_char(str_slice(text, at + 1, text.size));
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        }
        buf_add_str(out, str_slice(text, at, at + n));
        at += n;
    }
    return at;
}

void words_quoted(struct words *w, const struct lex_line *line, struct str text, char escape)
{
    SCOPED(buf_release) struct buf word = {0};

    for (size_t at = 0; at < text.size;) {
        size_t space = text_space(str_slice(text, at, text.size)), start = at;

        if (space) {
            at += space;
            continue;
        }
        buf_clear(&word);
        at = quoted_end(text, at, escape, &word);
        if (word.size > 0)
            add(w, line, text.ptr + start, buf_str(&word));
    }
}

/* One flag word off the text; quotes and escapes are taken away. */
static int flag_end(struct str text, size_t *at, char escape, struct buf *out, struct err *err)
{
    char quote = 0;

    for (; *at < text.size; (*at)++) {
        char c = text.ptr[*at];

        if (!quote && text_space(str_slice(text, *at, text.size)))
            return 0;
        if (c == escape) {
            if (*at + 1 < text.size)
                buf_addc(out, text.ptr[++*at]);
        } else if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
        } else {
            buf_addc(out, c);
        }
    }
    return quote ? err_set(err, ERR_INPUT, 0, "a %c in a flag is not closed", quote) : 0;
}

int words_flags(struct words *w, const struct lex_line *line, struct str text, char escape,
                struct str *rest, struct err *err)
{
    SCOPED(buf_release) struct buf word = {0};

    for (size_t at = 0;;) {
        size_t space, start;

        while ((space = text_space(str_slice(text, at, text.size))) > 0)
            at += space;
        *rest = text_trim(str_slice(text, at, text.size));
        if (!str_starts(*rest, "--"))
            return 0;
        start = at;
        buf_clear(&word);
        if (flag_end(text, &at, escape, &word, err) < 0)
            return -1;
        if (str_is(buf_str(&word), "--")) {
            *rest = text_trim(str_slice(text, at, text.size));
            return 0;
        }
        add(w, line, text.ptr + start, buf_str(&word));
    }
}

/* The code unit of a \uXXXX that begins at `at`; -1: none does. */
static int json_unit(struct str text, size_t at)
{
    struct str rest = str_slice(text, at, at + 6);
    SCOPED(buf_release) struct buf bytes = {0};

    if (rest.size < 6 || !str_starts(rest, "\\u") || !hex_decode(&bytes, str_slice(rest, 2, 6)))
        return -1;
    return (unsigned char)bytes.ptr[0] << 8 | (unsigned char)bytes.ptr[1];
}

/* JSON as Go reads it: bytes that are no UTF-8, and halves of surrogate pairs, are U+FFFD. */
static void mend_json(struct str text, struct buf *out)
{
    for (size_t at = 0; at < text.size;) {
        size_t n = text_char(str_slice(text, at, text.size));
        int unit = json_unit(text, at), low = unit < 0 ? -1 : json_unit(text, at + 6);

        if (n == 1 && ((unsigned char)text.ptr[at] & 0x80)) {
            buf_adds(out, "\xef\xbf\xbd");
        } else if (unit >= 0xd800 && unit < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            n = 12;
            buf_add_str(out, str_slice(text, at, at + n));
        } else if (unit >= 0xd800 && unit < 0xe000) {
            n = 6;
            buf_adds(out, "\\ufffd");
        } else {
            n = text.ptr[at] == '\\' && at + 1 < text.size ? 2 : n;
            buf_add_str(out, str_slice(text, at, at + n));
        }
        at += n;
    }
}

int words_json(struct str text, struct strv *out, struct err *err)
{
    SCOPED(buf_release) struct buf mended = {0};
    struct err ignored;
    const json_t *item;
    size_t i;

    text = text_trim(text);
    if (!str_starts(text, "["))
        return 0;
    mend_json(text, &mended);
    json_auto_t *doc = json_parse(buf_str(&mended), &ignored);
    if (!json_is_array(doc))
        return 0;
    json_array_foreach(doc, i, item)
    {
        if (!json_is_string(item))
            return err_set(err, ERR_INPUT, 0,
                           "the JSON form takes strings only; element %zu is none", i + 1);
        if (strlen(json_string_value(item)) != json_string_length(item))
            return err_set(err, ERR_INPUT, 0, "element %zu of the JSON form holds a NUL", i + 1);
        strv_add(out, json_string_value(item));
    }
    return 1;
}

/* Behind a $(( … )) or ${ … } that begins at `at`; `at` if none does, or if it is not closed. */
static size_t skip_dollar(struct str text, size_t at)
{
    struct str rest = str_slice(text, at, text.size);
    const char *close = str_starts(rest, "$((") ? "))" : str_starts(rest, "${") ? "}" : NULL;
    ptrdiff_t end = close ? str_search(rest, close) : -1;

    return end < 0 ? at : at + (size_t)end + strlen(close);
}

/* Behind the quoted string that begins at `at`; 0: it is not closed. */
static size_t skip_quotes(struct str text, size_t at)
{
    char quote = text.ptr[at];

    for (at++; at < text.size; at++) {
        if (text.ptr[at] == quote)
            return at + 1;
        if (text.ptr[at] == '\\' && quote == '"')
            at++;
    }
    return 0;
}

/* Behind the shell word at `at`, white space after a leading << included; 0: its quotes are not
 * closed. */
static size_t shell_word_end(struct str text, size_t at)
{
    while (at < text.size) {
        struct str rest = str_slice(text, at, text.size);
        size_t skipped = skip_dollar(text, at);

        if (skipped > at) {
            at = skipped;
        } else if (rest.ptr[0] == '\'' || rest.ptr[0] == '"') {
            at = skip_quotes(text, at);
            if (at == 0)
                return 0;
        } else if (str_starts(rest, "<<")) {
            at += 2;
            while (at < text.size && is_blank(text.ptr[at]))
                at++;
        } else if (text_space(rest)) {
            return at;
        } else if (rest.ptr[0] == '\\') {
            at += 1 + text_char(str_slice(rest, 1, rest.size));
        } else {
            at += text_char(rest);
        }
    }
    return at;
}

/* The delimiter with quotes and escapes taken away. False: it is no single word. */
static bool take_name(struct str raw, bool shell, struct heredoc *doc)
{
    SCOPED(buf_release) struct buf name = {0};
    char quote = 0;

    doc->expand = true;
    for (size_t at = 0; at < raw.size; at++) {
        char c = raw.ptr[at];

        if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
            doc->expand = false;
            continue;
        }
        if (c == '\\' && quote != '\'' && at + 1 < raw.size)
            c = raw.ptr[++at];
        else if (!quote && (c == '<' || text_space(str_slice(raw, at, raw.size))))
            return false;
        else if (!quote && shell && strchr(";&|()>", c))
            break;
        buf_addc(&name, c);
    }
    if (quote || name.size == 0)
        return false;
    doc->name = buf_steal(&name);
    return true;
}

/* word: [digits] << [-] [blanks] name */
static bool take_heredoc(struct str word, bool shell, struct heredoc *doc)
{
    size_t digits = 0;

    *doc = (struct heredoc){0};
    while (digits < word.size && word.ptr[digits] >= '0' && word.ptr[digits] <= '9')
        digits++;
    if (digits > 3)
        return false;
    for (size_t i = 0; i < digits; i++)
        doc->fd = doc->fd * 10 + (unsigned)(word.ptr[i] - '0');
    word = str_slice(word, digits, word.size);
    if (!str_starts(word, "<<"))
        return false;
    word = str_slice(word, 2, word.size);
    doc->strip_tabs = str_starts(word, "-");
    word = str_slice(word, doc->strip_tabs, word.size);
    while (word.size > 0 && is_blank(word.ptr[0]))
        word = str_slice(word, 1, word.size);
    return take_name(word, shell, doc);
}

void words_heredocs(struct str text, bool shell, struct heredoc **out, size_t *out_count)
{
    struct heredoc doc;
    size_t capacity = 0;

    *out = NULL;
    *out_count = 0;
    for (size_t at = 0; at < text.size;) {
        size_t space = text_space(str_slice(text, at, text.size));
        size_t end = space ? at + space : shell_word_end(text, at);

        if (end == 0)
            return;
        if (!space && take_heredoc(str_slice(text, at, end), shell, &doc)) {
            VEC_GROW(*out, *out_count, capacity);
            (*out)[(*out_count)++] = doc;
        }
        at = end;
    }
}

bool words_is_heredoc(struct str text)
{
    struct heredoc doc = {0};
    bool whole = take_heredoc(text, false, &doc);

    free(doc.name);
    return whole;
}
