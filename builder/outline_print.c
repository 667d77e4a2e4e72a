/* SPDX-License-Identifier: Apache-2.0 */
/* Outlines and targets as docker prints them. */
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/lint.h"
#include "builder/outline.h"
#include "builder/state_words.h"
#include "builder/text.h"

/* Rows of cells in columns, `gap` spaces between them. */
struct grid {
    size_t columns, gap;
    struct strv cells;
};

static void cell(struct grid *grid, struct str text)
{
    SCOPED(buf_release) struct buf safe = {0};

    buf_add_escaped(&safe, text);
    strv_add(&grid->cells, buf_cstr(&safe));
}

static size_t width_of(const char *text)
{
    size_t width = 0;

    for (struct str s = str_of(text); s.size > 0; width++)
        s = str_slice(s, text_char(s), s.size);
    return width;
}

static void print_grid(struct grid *grid, struct buf *out)
{
    for (size_t i = 0; i < grid->cells.count; i++) {
        size_t column = i % grid->columns, widest = 0;
        const char *text = grid->cells.ptr[i];

        buf_adds(out, text);
        if (column + 1 == grid->columns) {
            while (out->size > 0 && out->ptr[out->size - 1] == ' ')
                out->ptr[--out->size] = '\0';
            buf_addc(out, '\n');
            continue;
        }
        for (size_t k = column; k < grid->cells.count; k += grid->columns)
            if (width_of(grid->cells.ptr[k]) > widest)
                widest = width_of(grid->cells.ptr[k]);
        for (size_t k = width_of(text); k < widest + grid->gap; k++)
            buf_addc(out, ' ');
    }
    strv_release(&grid->cells);
}

static void print_needs(const char *title, const struct outline_need *needs, size_t count,
                        struct buf *out)
{
    struct grid grid = {.columns = 2, .gap = 3};

    if (count == 0)
        return;
    cell(&grid, str_of(title));
    cell(&grid, STR("REQUIRED"));
    for (size_t i = 0; i < count; i++) {
        cell(&grid, str_of(needs[i].name));
        cell(&grid, needs[i].required ? STR("true") : STR(""));
    }
    print_grid(&grid, out);
    buf_addc(out, '\n');
}

static struct str target_description(const struct outline *o)
{
    const struct stage *target = &o->graph->stages[o->graph->target];

    return target->name ? dockerfile_description(o->graph->doc, target->from, target->name)
                        : (struct str){0};
}

void outline_print(const struct outline *outline, struct buf *out)
{
    const struct stage *target = &outline->graph->stages[outline->graph->target];
    struct str description = target_description(outline);
    struct grid head = {.columns = 2, .gap = 1}, args = {.columns = 3, .gap = 3};

    if (target->name) {
        cell(&head, STR("TARGET:"));
        cell(&head, str_of(target->name));
        if (description.size) {
            cell(&head, STR("DESCRIPTION:"));
            cell(&head, description);
        }
        print_grid(&head, out);
        buf_addc(out, '\n');
    }
    if (outline->args_count) {
        cell(&args, STR("BUILD ARG"));
        cell(&args, STR("VALUE"));
        cell(&args, STR("DESCRIPTION"));
        for (size_t i = 0; i < outline->args_count; i++) {
            cell(&args, str_of(outline->args[i].name));
            cell(&args, str_of(outline->args[i].value));
            cell(&args, outline->args[i].description);
        }
        print_grid(&args, out);
        buf_addc(out, '\n');
    }
    print_needs("SECRET", outline->secrets, outline->secrets_count, out);
    print_needs("SSH", outline->ssh, outline->ssh_count, out);
}

/* Members without a value are left out, as docker leaves them out. */
static void set_text(json_t *o, const char *key, struct str value)
{
    AUTO_FREE char *copy = str_dup(value);

    if (value.size)
        json_object_set_new(o, key, state_json_text(copy));
}

static json_t *place(const struct instruction *in)
{
    return lint_location(in->first_line, in->last_line);
}

static json_t *print_sources(const struct dockerfile *doc)
{
    SCOPED(buf_release) struct buf text = {0};

    base64_encode(&text, buf_cstr(&doc->source), doc->source.size);
    return json_pack("[s]", buf_cstr(&text));
}

static void set_needs(json_t *root, const char *key, const struct outline_need *needs, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *o = json_pack("{s:o, s:o}", "name", state_json_text(needs[i].name), "location",
                              place(needs[i].in));

        if (needs[i].required)
            json_object_set_new(o, "required", json_true());
        json_array_append_new(list, o);
    }
    if (count)
        json_object_set(root, key, list);
    json_decref(list);
}

void outline_print_json(const struct outline *outline, struct buf *out)
{
    const struct stage *target = &outline->graph->stages[outline->graph->target];
    json_auto_t *root = json_pack("{s:o}", "sources", print_sources(outline->graph->doc));
    json_t *args = json_array();

    set_text(root, "name", str_of(target->name));
    set_text(root, "description", target_description(outline));
    for (size_t i = 0; i < outline->args_count; i++) {
        const struct outline_arg *arg = &outline->args[i];
        json_t *o =
            json_pack("{s:o, s:o}", "name", state_json_text(arg->name), "location", place(arg->in));

        set_text(o, "value", str_of(arg->value));
        set_text(o, "description", arg->description);
        json_array_append_new(args, o);
    }
    if (outline->args_count)
        json_object_set(root, "args", args);
    json_decref(args);
    set_needs(root, "secrets", outline->secrets, outline->secrets_count);
    set_needs(root, "ssh", outline->ssh, outline->ssh_count);
    json_print_pretty(root, out);
}

/* The FROMs of the document; the last one is the default target. */
static const struct instruction *next_from(const struct dockerfile *doc,
                                           const struct instruction *before)
{
    const struct instruction *end = doc->instructions + doc->count;

    for (before = before ? before + 1 : doc->instructions; before < end; before++)
        if (before->kind == INSTR_FROM)
            return before;
    return NULL;
}

static struct str from_description(const struct dockerfile *doc, const struct instruction *from)
{
    return from->stage_name ? dockerfile_description(doc, from, from->stage_name) : (struct str){0};
}

void targets_print(const struct dockerfile *doc, struct buf *out)
{
    struct grid grid = {.columns = 2, .gap = 1};

    cell(&grid, STR("TARGET"));
    cell(&grid, STR("DESCRIPTION"));
    for (const struct instruction *in = NULL; (in = next_from(doc, in));) {
        SCOPED(buf_release) struct buf name = {0};
        bool is_last = !next_from(doc, in);

        buf_adds(&name, in->stage_name ?: "");
        if (is_last)
            buf_addf(&name, "%s(default)", in->stage_name ? " " : "");
        cell(&grid, buf_str(&name));
        cell(&grid, from_description(doc, in));
    }
    print_grid(&grid, out);
}

void targets_print_json(const struct dockerfile *doc, struct buf *out)
{
    json_t *targets = json_array();

    for (const struct instruction *in = NULL; (in = next_from(doc, in));) {
        json_t *o = json_pack("{s:o}", "location", place(in));

        set_text(o, "name", str_of(in->stage_name));
        set_text(o, "description", from_description(doc, in));
        set_text(o, "base", str_of(in->words[0].text));
        set_text(o, "platform", str_of(instr_flag(in, "platform")));
        if (!next_from(doc, in))
            json_object_set_new(o, "default", json_true());
        json_array_append_new(targets, o);
    }
    json_auto_t *root = json_pack("{s:o, s:o}", "targets", targets, "sources", print_sources(doc));
    json_print_pretty(root, out);
}
