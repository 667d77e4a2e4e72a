/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed Dockerfile as JSON; slipway-build(1) describes the form. */
#include "base/json.h"
#include "base/scope.h"
#include "builder/parse.h"

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

static json_t *lines(unsigned first, unsigned last)
{
    return json_pack("[i,i]", (int)first, (int)last);
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

        json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:b, s:b, s:i}", "name",
                                               text(str_of(h->name)), "body", text(h->body),
                                               "lines", lines(h->first_line, h->last_line),
                                               "expand", (int)h->expand, "strip_tabs",
                                               (int)h->strip_tabs, "fd", (int)h->fd));
    }
    return array;
}

static json_t *print_instruction(const struct instruction *in)
{
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o}", "instruction", in->keyword, "written",
                          text_or_null(in->written), "lines", lines(in->first_line, in->last_line),
                          "text", text_or_null(in->text), "canonical", text_or_null(in->canonical));

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

static json_t *print_directives(const struct dockerfile *doc)
{
    json_t *array = json_array();

    for (size_t i = 0; i < doc->directives_count; i++)
        json_array_append_new(array, json_pack("{s:s, s:o, s:i}", "name", doc->directives[i].name,
                                               "value", text(doc->directives[i].value), "line",
                                               (int)doc->directives[i].line));
    return array;
}

static json_t *print_comments(const struct dockerfile *doc)
{
    json_t *array = json_array();

    for (size_t i = 0; i < doc->comments_count; i++)
        json_array_append_new(array, json_pack("{s:o, s:i}", "text", text(doc->comments[i].text),
                                               "line", (int)doc->comments[i].line));
    return array;
}

void dockerfile_print_json(const struct dockerfile *doc, struct buf *out)
{
    char escape[2] = {doc->escape, 0};
    json_auto_t *root =
        json_pack("{s:i, s:o, s:s, s:o, s:o, s:o}", "version", 1, "name", text_or_null(doc->name),
                  "escape", escape, "directives", print_directives(doc), "comments",
                  print_comments(doc), "warnings", list(&doc->warnings));
    json_t *array = json_array();

    for (size_t i = 0; i < doc->count; i++)
        json_array_append_new(array, print_instruction(&doc->instructions[i]));
    json_object_set_new(root, "instructions", array);
    json_print_pretty(root, out);
}
