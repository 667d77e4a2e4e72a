/* SPDX-License-Identifier: Apache-2.0 */
/* Build checks as docker prints them, for people and for programs. */
#include <stdlib.h>

#include "base/enc.h"
#include "base/scope.h"
#include "builder/lint.h"
#include "builder/state_words.h"

#define PAGES "https://docs.docker.com/go/dockerfile/rule/"

void lint_print(const struct lint *lint, const struct dockerfile *doc, struct buf *out)
{
    for (size_t i = 0; i < lint->count; i++) {
        const struct lint_warning *warning = &lint->warnings[i];
        const struct lint_about *rule = lint_about(warning->rule);

        buf_addf(out, "\nWARNING: %s", rule->name);
        if (rule->page)
            buf_addf(out, " - " PAGES "%s/", rule->page);
        buf_addc(out, '\n');
        buf_add_escaped(out, str_of(warning->text));
        buf_addc(out, '\n');
        dockerfile_excerpt(doc, warning->first, warning->last, out);
    }
}

void lint_print_short(const struct lint_warning *warning, struct buf *out)
{
    buf_addf(out, "%s: ", lint_about(warning->rule)->name);
    buf_add_escaped(out, str_of(warning->text));
    if (warning->first)
        buf_addf(out, " (line %u)", warning->first);
}

static json_t *range(unsigned first, unsigned last)
{
    return json_pack("{s:{s:i}, s:{s:i}}", "start", "line", (int)first, "end", "line", (int)last);
}

json_t *lint_location(unsigned first, unsigned last)
{
    return json_pack("{s:[o]}", "ranges", range(first, last));
}

static void set_url(json_t *o, const struct lint_about *rule)
{
    if (rule->page)
        json_object_set_new(o, "url", json_sprintf(PAGES "%s/", rule->page));
}

static json_t *print_warning(const struct lint_warning *warning)
{
    const struct lint_about *rule = lint_about(warning->rule);
    json_t *o = json_pack("{s:s, s:s, s:o, s:o}", "ruleName", rule->name, "description",
                          rule->description, "detail", state_json_text(warning->text), "location",
                          lint_location(warning->first, warning->last));

    set_url(o, rule);
    return o;
}

static json_t *in_base64(struct str s)
{
    SCOPED(buf_release) struct buf text = {0};

    base64_encode(&text, s.ptr, s.size);
    return json_string(buf_cstr(&text));
}

static json_t *print_source(const struct dockerfile *doc)
{
    return json_pack("{s:o, s:s, s:o}", "filename", state_json_text(doc->name), "language",
                     "Dockerfile", "data", in_base64(buf_str(&doc->source)));
}

json_t *lint_metadata(const struct lint *lint, const struct dockerfile *doc)
{
    json_t *list = json_array();

    for (size_t i = 0; i < lint->count; i++) {
        const struct lint_warning *warning = &lint->warnings[i];
        const struct lint_about *rule = lint_about(warning->rule);
        SCOPED(buf_release) struct buf text = {0};

        lint_print_short(warning, &text);
        json_t *o = json_pack("{s:i, s:o, s:[o], s:o, s:[o]}", "level", 1, "short",
                              in_base64(buf_str(&text)), "detail",
                              in_base64(str_of(rule->description)), "sourceInfo", print_source(doc),
                              "range", range(warning->first, warning->last));
        set_url(o, rule);
        json_array_append_new(list, o);
    }
    return list;
}

void lint_print_json(const struct lint *lint, const struct dockerfile *doc,
                     const struct err *failed, const struct span *at, struct buf *out)
{
    json_t *warnings = json_array();

    for (size_t i = 0; i < lint->count; i++)
        json_array_append_new(warnings, print_warning(&lint->warnings[i]));
    json_auto_t *root =
        json_pack("{s:o, s:[o]}", "warnings", warnings, "sources", print_source(doc));
    if (failed) {
        json_t *o = json_pack("{s:o, s:o}", "message", state_json_text(failed->text), "location",
                              at->first ? lint_location(at->first, at->last) : json_object());

        json_object_set_new(root, "buildError", o);
    }
    json_print_pretty(root, out);
}
