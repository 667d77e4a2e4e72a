/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/parse.h"

#include <string.h>

#include "base/json.h"
#include "base/scope.h"

#define CONTEXT_LINES 2
#define LINE_SHOWN 200
#define HEAD_SHOWN 12 /* of a long failing instruction its first and last lines are enough */
#define TAIL_SHOWN 4

static void show_line(struct buf *out, unsigned number, bool marked, struct str line)
{
    size_t shown = line.size;

    while (shown > LINE_SHOWN ||
           (shown > 0 && shown < line.size && (line.ptr[shown] & 0xc0) == 0x80))
        shown = shown > LINE_SHOWN ? LINE_SHOWN : shown - 1;
    buf_addf(out, "%5u | %s ", number, marked ? ">>>" : "   ");
    buf_add_escaped(out, str_slice(line, 0, shown));
    buf_adds(out, shown < line.size ? " …\n" : "\n");
}

void dockerfile_excerpt(const struct dockerfile *doc, unsigned first_line, unsigned last_line,
                        struct buf *out)
{
    struct str rest = buf_str(&doc->source), line;
    unsigned from = first_line > CONTEXT_LINES ? first_line - CONTEXT_LINES : 1;
    bool is_long = last_line - first_line >= HEAD_SHOWN + TAIL_SHOWN;

    if (first_line == 0 || last_line < first_line)
        return;
    if (str_starts(rest, "\xef\xbb\xbf"))
        rest = str_slice(rest, 3, rest.size);
    for (unsigned i = 1; str_line(&rest, &line); i++) {
        if (i > last_line && i - last_line > CONTEXT_LINES)
            return;
        if (is_long && i == first_line + HEAD_SHOWN)
            buf_adds(out, "      | >>> …\n");
        if (i < from || (is_long && i >= first_line + HEAD_SHOWN && i + TAIL_SHOWN <= last_line))
            continue;
        show_line(out, i, i >= first_line && i <= last_line, line);
    }
}

/* A string of the document; bytes that are no UTF-8 are shown escaped. */
static json_t *text(struct str s)
{
    json_t *value = json_stringn(s.ptr ? s.ptr : "", s.size);

    if (!value) {
        SCOPED(buf_release) struct buf shown = {0};

        buf_add_escaped(&shown, s);
        value = json_string(buf_cstr(&shown));
    }
    return value;
}

static json_t *text_or_null(const char *s)
{
    return s ? text(str_of(s)) : json_null();
}

static json_t *list(const struct strv *v)
{
    json_t *array = json_array();

    for (size_t i = 0; i < v->count; i++)
        json_array_append_new(array, text(str_of(v->ptr[i])));
    return array;
}

static json_t *print_words(const struct instruction *in)
{
    json_t *array = json_array();

    for (size_t i = 0; i < in->words_count; i++) {
        const struct word *w = &in->words[i];
        json_t *o = json_pack("{s:o, s:i}", "text", text(str_of(w->text)), "line", (int)w->line);

        if (w->heredoc >= 0)
            json_object_set_new(o, "heredoc", json_integer(w->heredoc));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *print_pairs(const struct instruction *in)
{
    json_t *array = json_array();

    for (size_t i = 0; i < in->pairs_count; i++)
        json_array_append_new(
            array, json_pack("{s:o, s:o, s:i}", "name", text(str_of(in->pairs[i].name)), "value",
                             text_or_null(in->pairs[i].value), "line", (int)in->pairs[i].line));
    return array;
}

static json_t *print_flags(const struct instruction *in)
{
    json_t *array = json_array();

    for (size_t i = 0; i < in->flags_count; i++)
        json_array_append_new(
            array, json_pack("{s:o, s:o, s:i}", "name", text(str_of(in->flags[i].name)), "value",
                             text(str_of(in->flags[i].value)), "line", (int)in->flags[i].line));
    return array;
}

static json_t *print_heredocs(const struct instruction *in)
{
    json_t *array = json_array();

    for (size_t i = 0; i < in->heredocs_count; i++) {
        const struct heredoc *h = &in->heredocs[i];

        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:b, s:b, s:i}", "name", text(str_of(h->name)),
                                        "body", text(h->body), "expand", (int)h->expand,
                                        "strip_tabs", (int)h->strip_tabs, "fd", (int)h->fd));
    }
    return array;
}

static json_t *print_instruction(const struct instruction *in)
{
    json_t *o = json_pack("{s:s, s:[i,i], s:o, s:o}", "instruction", in->keyword, "lines",
                          (int)in->first_line, (int)in->last_line, "text", text_or_null(in->text),
                          "canonical", text_or_null(in->canonical));

    if (in->flags_count)
        json_object_set_new(o, "flags", print_flags(in));
    if (in->json)
        json_object_set_new(o, "json", list(&in->args));
    if (in->legacy)
        json_object_set_new(o, "legacy", json_true());
    if (in->stage_name)
        json_object_set_new(o, "stage", text_or_null(in->stage_name));
    if (in->words_count)
        json_object_set_new(o, "words", print_words(in));
    if (in->pairs_count)
        json_object_set_new(o, "pairs", print_pairs(in));
    if (in->heredocs_count)
        json_object_set_new(o, "heredocs", print_heredocs(in));
    if (in->trigger)
        json_object_set_new(o, "trigger", print_instruction(in->trigger));
    return o;
}

void dockerfile_print_json(const struct dockerfile *doc, struct buf *out)
{
    char escape[2] = {doc->escape, 0};
    json_auto_t *root = json_pack("{s:s, s:o, s:o}", "escape", escape, "syntax",
                                  text_or_null(doc->syntax), "warnings", list(&doc->warnings));
    json_t *array = json_array();

    for (size_t i = 0; i < doc->count; i++)
        json_array_append_new(array, print_instruction(&doc->instructions[i]));
    json_object_set_new(root, "instructions", array);
    json_print_pretty(root, out);
}
