/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lex.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "builder/text.h"

static struct str trim_left(struct str s)
{
    for (size_t n; (n = text_space(s)) > 0;)
        s = str_slice(s, n, s.size);
    return s;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* White space as directives know it: ASCII, no vertical tab. */
static bool is_directive_space(char c)
{
    return is_blank(c) || c == '\f' || c == '\r';
}

int lex_begin(struct lex *lex, struct str source, unsigned *line, struct err *err)
{
    *lex = (struct lex){.source = source, .escape = '\\'};
    *line = 1;
    if (str_starts(source, "\xff\xfe") || str_starts(source, "\xfe\xff"))
        return err_set(err, ERR_INPUT, 0, "this is UTF-16; save the file as UTF-8");
    if (str_starts(source, "\xef\xbb\xbf"))
        lex->at = 3;
    const char *nul = source.size ? memchr(source.ptr, 0, source.size) : NULL;
    if (!nul)
        return 0;
    for (const char *p = source.ptr; p < nul; p++)
        *line += *p == '\n';
    return err_set(err, ERR_INPUT, 0, "a NUL byte; the file must be text in UTF-8");
}

/* The next line of the file with its line end; 1 got, 0 at the end, -1 too long. */
static int read_line(struct lex *lex, struct str *out, struct err *err)
{
    struct str rest = str_slice(lex->source, lex->at, lex->source.size);

    if (rest.size == 0)
        return 0;
    ptrdiff_t newline = str_find(rest, '\n');
    size_t size = newline < 0 ? rest.size : (size_t)newline;
    lex->line++;
    if (size > LEX_LINE_MAX)
        return err_set(err, ERR_INPUT, 0, "line is longer than %d bytes", LEX_LINE_MAX);
    *out = str_slice(rest, 0, newline < 0 ? size : size + 1);
    lex->at += out->size;
    return 1;
}

static struct str trim_newline(struct str s)
{
    while (s.size > 0 && (s.ptr[s.size - 1] == '\n' || s.ptr[s.size - 1] == '\r'))
        s.size--;
    return s;
}

static bool is_comment(struct str line)
{
    return str_starts(trim_left(line), "#");
}

bool lex_cut_directive(struct str comment, struct str *key, struct str *value)
{
    size_t n = 0;

    while (comment.size > 0 && is_directive_space(comment.ptr[0]))
        comment = str_slice(comment, 1, comment.size);
    while (n < comment.size && ((comment.ptr[n] | 32) >= 'a' && (comment.ptr[n] | 32) <= 'z'))
        n++;
    *key = str_slice(comment, 0, n);
    comment = str_slice(comment, n, comment.size);
    while (comment.size > 0 && is_directive_space(comment.ptr[0]))
        comment = str_slice(comment, 1, comment.size);
    if (key->size == 0 || !str_starts(comment, "="))
        return false;
    *value = str_trim(str_slice(comment, 1, comment.size));
    return value->size > 0;
}

const struct directive *lex_directive(const struct lex *lex, const char *name)
{
    for (size_t i = 0; i < lex->directives_count; i++)
        if (strcmp(lex->directives[i].name, name) == 0)
            return &lex->directives[i];
    return NULL;
}

static int set_escape(struct lex *lex, struct str value, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (str_is(value, "\\") || str_is(value, "`")) {
        lex->escape = value.ptr[0];
        return 0;
    }
    buf_add_escaped(&shown, value);
    return err_set(err, ERR_INPUT, 0, "escape directive: \"%s\" is neither \\ nor `",
                   buf_cstr(&shown));
}

static void add_comment(struct lex *lex, struct str text)
{
    VEC_GROW(lex->comments, lex->comments_count, lex->comments_capacity);
    lex->comments[lex->comments_count++] = (struct comment){text, lex->line};
    if (text.size == 0)
        lex->block = lex->comments_count;
}

/* Directives stand at the top: the first line that is none ends them. 1: this is one, 0: not. */
static int take_directive(struct lex *lex, struct str line, struct err *err)
{
    static const char *const names[] = {"syntax", "check", "escape"};
    struct str key, value;
    const char *name = NULL;

    if (lex->directives_done)
        return 0;
    if (lex->line == 1 && str_starts(line, "#!")) {
        lex->shebang = true;
        return 0;
    }
    if (str_starts(line, "#") && lex_cut_directive(str_slice(line, 1, line.size), &key, &value))
        for (size_t i = 0; i + lex->shebang < ARRAY_SIZE(names); i++)
            if (str_is_nocase(key, names[i]))
                name = names[i];
    lex->directives_done = !name;
    if (!name)
        return 0;
    if (lex_directive(lex, name))
        return err_set(err, ERR_INPUT, 0, "the %s directive is given twice", name);
    if (strcmp(name, "escape") == 0 && set_escape(lex, value, err) < 0)
        return -1;
    VEC_GROW(lex->directives, lex->directives_count, lex->directives_capacity);
    lex->directives[lex->directives_count++] = (struct directive){name, value, lex->line};
    return 1;
}

/*
 * A line goes on when its last character but blanks is the escape character and the one before is
 * not. (An escaped escape character before it is not looked at: that is how the language has always
 * been read.)
 */
static bool cut_continuation(struct str *line, char escape)
{
    size_t end = line->size;

    while (end > 0 && is_blank(line->ptr[end - 1]))
        end--;
    if (end == 0 || line->ptr[end - 1] != escape || (end > 1 && line->ptr[end - 2] == escape))
        return false;
    line->size = end - 1;
    return true;
}

static void add_text(struct lex_line *out, struct buf *text, struct str line, unsigned number)
{
    VEC_GROW(out->marks, out->marks_count, out->marks_capacity);
    out->marks[out->marks_count++] = (struct lex_mark){text->size, number};
    buf_add_str(text, line);
}

/* Lines after one that goes on. Comments between them vanish; so do blank lines, which is noted. */
static int read_continuations(struct lex *lex, struct lex_line *out, struct buf *text,
                              struct err *err)
{
    for (bool more = true; more;) {
        struct str line = {0};
        int got = read_line(lex, &line, err);

        if (got <= 0)
            return got;
        out->last_line = lex->line;
        line = trim_newline(line);
        if (is_comment(line)) {
            add_comment(lex, text_trim(str_slice(trim_left(line), 1, line.size)));
            continue;
        }
        if (trim_left(line).size == 0) {
            out->empty_line = 1;
            continue;
        }
        more = cut_continuation(&line, lex->escape);
        add_text(out, text, line, lex->line);
    }
    return 0;
}

int lex_next(struct lex *lex, struct lex_line *out, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct str line = {0};

    *out = (struct lex_line){0};
    lex->block = lex->comments_count;
    for (;;) {
        const char *start = lex->source.ptr + lex->at;
        int got = read_line(lex, &line, err);

        if (got <= 0)
            return got;
        if (trim_left(trim_newline(line)).size == 0) {
            lex->directives_done = true;
            continue;
        }
        line = trim_newline(trim_left(line));
        int directive = take_directive(lex, line, err);
        if (directive < 0)
            return -1;
        if (is_comment(line)) {
            if (!directive)
                add_comment(lex, text_trim(str_slice(line, 1, line.size)));
            continue;
        }
        out->source.ptr = start;
        break;
    }
    out->first_line = out->last_line = lex->line;
    out->comments_first = lex->block;
    out->comments_end = lex->comments_count;
    bool more = cut_continuation(&line, lex->escape);
    add_text(out, &text, line, lex->line);
    if (more && read_continuations(lex, out, &text, err) < 0) {
        lex_line_release(out);
        return -1;
    }
    if (out->empty_line)
        out->empty_line = out->last_line;
    out->source = trim_newline(
        (struct str){out->source.ptr, (size_t)(lex->source.ptr + lex->at - out->source.ptr)});
    out->size = text.size;
    out->text = text.size ? buf_steal(&text) : xstrdup("");
    return 1;
}

int lex_heredoc(struct lex *lex, const char *name, bool strip_tabs, struct str *body,
                struct err *err)
{
    size_t start = lex->at;

    for (;;) {
        size_t end = lex->at;
        struct str line = {0};
        int got = read_line(lex, &line, err);

        if (got <= 0)
            return got;
        line = trim_newline(line);
        while (strip_tabs && str_starts(line, "\t"))
            line = str_slice(line, 1, line.size);
        if (!str_is(line, name))
            continue;
        *body = str_slice(lex->source, start, end);
        return 1;
    }
}

unsigned lex_line_at(const struct lex_line *line, size_t offset)
{
    size_t low = 0, high = line->marks_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (line->marks[middle].at <= offset)
            low = middle;
        else
            high = middle;
    }
    return line->marks_count ? line->marks[low].line : line->first_line;
}

void lex_line_release(struct lex_line *line)
{
    free(line->text);
    free(line->marks);
    *line = (struct lex_line){0};
}

void lex_release(struct lex *lex)
{
    free(lex->directives);
    free(lex->comments);
    *lex = (struct lex){0};
}
