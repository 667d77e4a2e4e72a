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

json_t *lint_location(unsigned first, unsigned last)
{
    return json_pack("{s:[{s:{s:i}, s:{s:i}}]}", "ranges", "start", "line", (int)first, "end",
                     "line", (int)last);
}

static json_t *print_warning(const struct lint_warning *warning)
{
    const struct lint_about *rule = lint_about(warning->rule);
    json_t *o = json_pack("{s:s, s:s, s:o, s:o}", "ruleName", rule->name, "description",
                          rule->description, "detail", state_json_text(warning->text), "location",
                          lint_location(warning->first, warning->last));

    if (rule->page) {
        AUTO_FREE char *url = NULL;
        SCOPED(buf_release) struct buf text = {0};

        buf_addf(&text, PAGES "%s/", rule->page);
        url = buf_steal(&text);
        json_object_set_new(o, "url", json_string(url));
    }
    return o;
}

void lint_print_json(const struct lint *lint, const struct dockerfile *doc,
                     const struct err *failed, const struct span *at, struct buf *out)
{
    SCOPED(buf_release) struct buf source = {0};
    json_t *warnings = json_array();

    for (size_t i = 0; i < lint->count; i++)
        json_array_append_new(warnings, print_warning(&lint->warnings[i]));
    base64_encode(&source, buf_cstr(&doc->source), doc->source.size);
    json_auto_t *root =
        json_pack("{s:o, s:[{s:o, s:s, s:s}]}", "warnings", warnings, "sources", "filename",
                  state_json_text(doc->name), "language", "Dockerfile", "data", buf_cstr(&source));
    if (failed) {
        json_t *o = json_pack("{s:o, s:o}", "message", state_json_text(failed->text), "location",
                              at->first ? lint_location(at->first, at->last) : json_object());

        json_object_set_new(root, "buildError", o);
    }
    json_print_pretty(root, out);
}
