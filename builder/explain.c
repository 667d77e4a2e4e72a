/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/copy.h"
#include "builder/explain_fields.h"
#include "builder/run_options.h"
#include "builder/state_words.h"
#include "builder/tripwire.h"
#include "registry/layout.h"

#define FILE_MAX (64 << 20) /* ours: a list of some 500,000 files */
#define TEXT_MAX 100        /* of an instruction, as it is shown */

static void path_of(const char *hex, char out[static 80])
{
    snprintf(out, 80, "explain/%s", hex);
}

static int keep(const struct layout *layout, const char *hex, const struct buf *text,
                struct err *err)
{
    char path[80];

    path_of(hex, path);
    if (fs_mkdirs(layout->cache_fd, "explain", 0700, err) < 0)
        return -1;
    return fs_replace(layout->cache_fd, path, text->ptr, text->size, 0600, false, err);
}

static bool has(const struct layout *layout, const char *hex)
{
    char path[80];

    path_of(hex, path);
    return faccessat(layout->cache_fd, path, F_OK, 0) == 0;
}

/* Nothing when it is not there. */
static void read_kept(const struct layout *layout, const char *hex, struct buf *out)
{
    struct err why = {0};
    char path[80];

    path_of(hex, path);
    if (fs_read_file(layout->cache_fd, path, out, FILE_MAX, &why) < 0)
        buf_clear(out);
}

void explain_keep_files(const struct layout *layout, const struct copy_request *request,
                        const char *hex)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err why = {0};

    if (!has(layout, hex) &&
        (copy_list(request, &text, &why) < 0 || keep(layout, hex, &text, &why) < 0))
        log_debug("the files of a step cannot be kept for --explain: %s", why.text);
}

/* ---- what this build did ---- */

/* One name for the same Dockerfile and context, whoever builds it from wherever. */
static void build_hex(const struct build *build, char out[static SHA256_HEX_SIZE])
{
    const struct build_options *o = build->options;
    AUTO_FREE char *here = getcwd(NULL, 0);
    struct sha256 h;

    sha256_begin(&h);
    sha256_add_framed(&h, STR("explain"));
    sha256_add_framed(&h, str_of(o->context[0] == '/' ? "" : here));
    sha256_add_framed(&h, str_of(o->context));
    sha256_add_framed(&h, str_of(build->doc.name));
    sha256_end_hex(&h, out);
}

static char *stage_of(const struct making *m)
{
    char label[32], platform[PLATFORM_TEXT_SIZE];

    return xasprintf("%s for %s", graph_stage_label(m->stage, label),
                     platform_format(&m->stage->platform, platform));
}

typedef void step_visit(void *arg, const struct making *m, size_t i);

static void each_step(const struct build *build, step_visit *visit, void *arg)
{
    for (size_t p = 0; p < build->products_count; p++) {
        const struct product *product = &build->products[p];

        for (size_t s = 0; s < product->graph.count; s++) {
            const struct making *m = &product->stages[s];

            for (size_t i = 0; m->definitions && i < m->stage->count; i++)
                if (exec_is_step(m->stage->body[i]))
                    visit(arg, m, i);
        }
    }
}

static void print_step(void *arg, const struct making *m, size_t i)
{
    const struct definition *d = &m->definitions[i];
    AUTO_FREE char *stage = stage_of(m);
    json_t *fields = json_array();

    for (size_t k = 0; k < d->fields.count; k++)
        json_array_append_new(fields, state_json_text(d->fields.ptr[k]));
    json_array_append_new(arg, json_pack("{s:s, s:o, s:s, s:o}", "stage", stage, "text",
                                         state_json_text(m->stage->body[i]->canonical), "key",
                                         d->recall, "fields", fields));
}

static void look(void *arg, const struct making *m, size_t i)
{
    bool *made = arg;

    *made = *made || m->definitions[i].outcome == OUTCOME_MADE;
}

/* ---- held against the last ---- */

struct comparison {
    const struct build *build;
    json_t *steps; /* of the last build; NULL: there was none */
    struct buf *out;
};

/* The step of the same stage and text; else the one that stood in its place. */
static json_t *step_before(const struct comparison *c, const struct making *m, size_t i)
{
    AUTO_FREE char *stage = stage_of(m);
    size_t place = 0, at = 0;
    json_t *same_place = NULL;

    for (size_t k = 0; k < i; k++)
        place += exec_is_step(m->stage->body[k]);
    for (size_t k = 0; k < json_array_size(c->steps); k++) {
        json_t *step = json_array_get(c->steps, k);
        const char *of = json_str(step, "stage");
        const char *text = json_str(step, "text");

        if (!of || !text || strcmp(of, stage) != 0)
            continue;
        if (strcmp(text, m->stage->body[i]->canonical) == 0)
            return step;
        if (at++ == place)
            same_place = step;
    }
    return same_place;
}

static void take_fields(json_t *step, struct strv *out)
{
    json_t *fields = json_object_get(step, "fields");

    for (size_t i = 0; i < json_array_size(fields); i++) {
        const char *text = json_string_value(json_array_get(fields, i));

        if (text)
            strv_add(out, text);
    }
}

static size_t compare_files(const struct comparison *c, const struct strv *before,
                            const struct strv *now)
{
    const char *old = explain_field(before, "files"), *new = explain_field(now, "files");
    SCOPED(buf_release) struct buf was = {0}, is = {0};
    size_t count;

    if (!old || !new || strcmp(old, new) == 0 || strlen(old) != SHA256_HEX_SIZE - 1)
        return 0;
    read_kept(c->build->tools->layout, old, &was);
    read_kept(c->build->tools->layout, new, &is);
    count = was.size ? explain_files(buf_str(&was), buf_str(&is), c->out) : 0;
    if (!count)
        buf_adds(c->out, "    the files that it reads differ\n");
    return 1;
}

static void tell_difference(const struct comparison *c, const struct making *m, size_t i)
{
    SCOPED(strv_release) struct strv before = {0};
    const struct definition *d = &m->definitions[i];
    json_t *step = c->steps ? step_before(c, m, i) : NULL;
    const char *key = step ? json_str(step, "key") : NULL;

    if (!step) {
        buf_adds(c->out,
                 c->steps ? "    the step is new\n" : "    nothing of it was built here before\n");
        return;
    }
    take_fields(step, &before);
    if (explain_fields(&before, &d->fields, c->out) + compare_files(c, &before, &d->fields) > 0)
        return;
    if (c->build->options->no_cache)
        buf_adds(c->out, "    --no-cache: nothing was to be remembered\n");
    else if (key && *key && strcmp(key, d->recall) == 0)
        buf_adds(c->out, "    nothing differs: what it gave is not in the store any more\n");
    else
        buf_adds(c->out, "    the step itself is the same: what is below it, or what it reads of "
                         "another stage, was made anew\n");
}

static void tell_step(void *arg, const struct making *m, size_t i)
{
    static const char *const words[] = {
        [OUTCOME_NONE] = "not needed",
        [OUTCOME_DEFINED] = "hit",
        [OUTCOME_RESULT] = "hit: what is below it was made anew, and is the same",
        [OUTCOME_MADE] = "miss",
    };
    struct comparison *c = arg;
    const struct definition *d = &m->definitions[i];
    const struct instruction *in = m->stage->body[i];
    struct str text = str_slice(str_of(in->canonical), 0, TEXT_MAX);
    char label[32];

    buf_addf(c->out, "%s, line %u: ", graph_stage_label(m->stage, label), in->first_line);
    buf_add_escaped(c->out, text);
    buf_addf(c->out, "\n  %s\n", words[d->outcome]);
    if (d->outcome == OUTCOME_MADE)
        tell_difference(c, m, i);
}

static void tell(const struct build *build, const char *hex, struct buf *out)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};
    json_auto_t *doc = NULL;
    struct comparison c = {.build = build, .out = out};

    read_kept(build->tools->layout, hex, &text);
    doc = text.size ? json_parse(buf_str(&text), &ignored) : NULL;
    c.steps = json_object_get(doc, "steps");
    each_step(build, tell_step, &c);
}

void explain_build(const struct build *build, struct buf *out)
{
    const struct layout *layout = build->tools->layout;
    SCOPED(buf_release) struct buf text = {0};
    char hex[SHA256_HEX_SIZE];
    struct err why = {0};
    bool made = false;

    build_hex(build, hex);
    if (build->options->explain)
        tell(build, hex, out);
    each_step(build, look, &made);
    if (!made && has(layout, hex))
        return;
    json_auto_t *steps = json_array();
    each_step(build, print_step, steps);
    json_auto_t *doc = json_pack("{s:O}", "steps", steps);
    json_print(doc, &text);
    if (tripwire_find(build->options->run->wire, buf_str(&text)))
        return; /* a secret's value among the fields: the step was refused for it */
    if (keep(layout, hex, &text, &why) < 0)
        log_debug("this build cannot be kept for --explain: %s", why.text);
}
