/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/crossing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/exec.h"
#include "builder/run_options.h"
#include "builder/tripwire.h"
#include "builder/graph.h"
#include "runtime/emulate.h"

#define STEPS_SHOWN 5
#define TITLE_SHOWN 60
#define HINT_FROM_MS 1000 /* a stage that took less is not worth the words */

void crossing_release(struct crossing *c)
{
    int saved = errno;

    for (size_t i = 0; i < c->count; i++)
        survey_release(&c->notes[i].survey);
    free(c->notes);
    *c = (struct crossing){0};
    errno = saved;
}

static void add(struct build *build, const struct crossing_note *note)
{
    struct crossing *c = &build->crossing;

    pthread_mutex_lock(&build->lock);
    VEC_GROW(c->notes, c->count, c->capacity);
    c->notes[c->count++] = *note;
    pthread_mutex_unlock(&build->lock);
}

void crossing_emulated(struct build *build, const struct making *making,
                       const struct instruction *in, uint64_t ms)
{
    add(build, &(struct crossing_note){.making = making, .in = in, .emulated_ms = ms ? ms : 1});
}

void crossing_layer(struct build *build, const struct making *making, const struct instruction *in,
                    const struct cache_record *record)
{
    struct crossing_note note = {.making = making, .in = in};
    SCOPED(buf_release) struct buf text = {0};

    if (survey_strangers(&record->survey, making->stage->platform.arch, NULL, &text) == 0)
        return;
    survey_copy(&note.survey, &record->survey);
    add(build, &note);
}

/* Is the image made of this stage: the target, or what it is FROM? */
static bool in_image(const struct making *m)
{
    const struct graph *g = &m->product->graph;

    for (size_t i = g->target;; i = g->stages[i].base.stage) {
        if (&g->stages[i] == m->stage)
            return true;
        if (g->stages[i].base.kind != SOURCE_STAGE)
            return false;
    }
}

static int by_place(const void *a, const void *b)
{
    const struct crossing_note *x = a, *y = b;

    if (x->making->product != y->making->product)
        return x->making->product < y->making->product ? -1 : 1;
    if (x->making != y->making)
        return x->making < y->making ? -1 : 1;
    return x->in->first_line < y->in->first_line   ? -1
           : x->in->first_line > y->in->first_line ? 1
                                                   : 0;
}

static int by_time(const void *a, const void *b)
{
    const struct crossing_note *x = a, *y = b;

    return x->emulated_ms > y->emulated_ms ? -1 : x->emulated_ms < y->emulated_ms ? 1 : 0;
}

/* ---- programs of another architecture ---- */

/* 0: nothing to say. */
static int tell_strangers(const struct build *b, const struct crossing_note *note, bool strict,
                          struct err *out)
{
    const struct platform *platform = &note->making->stage->platform;
    SCOPED(buf_release) struct buf text = {0};
    char shown[PLATFORM_TEXT_SIZE];
    uint64_t right;

    if (survey_strangers(&note->survey, platform->arch, &right, &text) == 0)
        return 0;
    if (!strict && right && strcmp(platform->arch, emulate_native()) == 0)
        return 0;
    tripwire_clean(b->options->run->wire, &text);
    err_set(out, ERR_INPUT, 0,
            "the image is for %s, but programs and libraries of this step are not: %s",
            platform_format(platform, shown), buf_cstr(&text));
    return dockerfile_wrap(note->in->doc, note->in->first_line, out);
}

static int report_strangers(struct build *b, bool strict, struct err *err)
{
    const struct crossing *c = &b->crossing;

    for (size_t i = 0; i < c->count; i++) {
        const struct crossing_note *note = &c->notes[i];
        struct err said = {0};

        if (!in_image(note->making) || tell_strangers(b, note, strict, &said) == 0)
            continue;
        if (!strict) {
            log_warn("%s", said.text);
            continue;
        }
        *err = said;
        if (note->in->doc)
            dockerfile_excerpt(note->in->doc, note->in->first_line, note->in->last_line,
                               &b->result->excerpt);
        return err_add(err, " (--strict-platform)");
    }
    return 0;
}

/* ---- time under emulators ---- */

static void add_step(const struct build *b, const struct crossing_note *note, struct buf *out)
{
    SCOPED(buf_release) struct buf title = {0}, clean = {0};
    struct str first = {0}, rest;
    char shown[PLATFORM_TEXT_SIZE];
    struct err place = {0};

    buf_adds(&clean, note->in->canonical);
    tripwire_clean(b->options->run->wire, &clean);
    str_cut(buf_str(&clean), '\n', &first, &rest);
    buf_add_escaped(&title, str_slice(first, 0, TITLE_SHOWN));
    err_set(&place, ERR_INPUT, 0, "%s%s", buf_cstr(&title), first.size > TITLE_SHOWN ? "..." : "");
    dockerfile_wrap(note->in->doc, note->in->first_line, &place);
    buf_addf(out, "\n  %6.1f s  %s (%s)", (double)note->emulated_ms / 1000, place.text,
             platform_format(&note->making->stage->platform, shown));
}

/* Stages that only hand files on, and could have been native. */
static void add_hint(const struct crossing *c, const struct making *m, struct strv *said,
                     struct buf *out)
{
    char label[32];
    const char *name;
    uint64_t ms = 0;

    for (size_t i = 0; i < c->count; i++)
        if (c->notes[i].making->stage->from == m->stage->from) /* for any platform */
            ms += c->notes[i].emulated_ms;
    name = graph_stage_label(m->stage, label);
    if (ms < HINT_FROM_MS || m->stage->platform_set || in_image(m) || strv_has(said, name))
        return;
    strv_add(said, name);
    buf_addf(out,
             "\n%s (line %u) ran %.1f s under an emulator, and only files are taken from it: FROM "
             "--platform=$BUILDPLATFORM makes it natively, and once for all platforms, if what it "
             "runs can cross-compile (ARG TARGETARCH)",
             name, m->stage->from->first_line, (double)ms / 1000);
}

static void report_time(struct build *b)
{
    struct crossing *c = &b->crossing;
    SCOPED(buf_release) struct buf out = {0};
    SCOPED(strv_release) struct strv said = {0};
    struct str rest, line;
    uint64_t total = 0;
    size_t steps = 0;

    for (size_t i = 0; i < c->count; i++) {
        total += c->notes[i].emulated_ms;
        steps += c->notes[i].emulated_ms != 0;
    }
    if (steps == 0)
        return;
    qsort(c->notes, c->count, sizeof(*c->notes), by_time);
    buf_addf(&out, "%zu step%s ran %.1f s under an emulator:", steps, steps == 1 ? "" : "s",
             (double)total / 1000);
    for (size_t i = 0; i < steps && i < STEPS_SHOWN; i++)
        add_step(b, &c->notes[i], &out);
    if (steps > STEPS_SHOWN)
        buf_addf(&out, "\n  and %zu more", steps - STEPS_SHOWN);
    for (size_t i = 0; i < steps; i++)
        add_hint(c, c->notes[i].making, &said, &out);
    rest = buf_str(&out);
    while (str_line(&rest, &line))
        log_info(STR_FMT, STR_ARG(line));
}

int crossing_report(struct build *build, bool strict, struct err *err)
{
    struct crossing *c = &build->crossing;

    if (c->count == 0)
        return 0;
    qsort(c->notes, c->count, sizeof(*c->notes), by_place);
    if (report_strangers(build, strict, err) < 0)
        return -1;
    report_time(build);
    return 0;
}
