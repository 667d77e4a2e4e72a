/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/exec_step.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/ahead.h"
#include "builder/define.h"
#include "builder/early_push.h"
#include "builder/exec_run.h"
#include "builder/run_options.h"
#include "builder/tripwire.h"
#include "registry/layout.h"

#define TITLE_MAX 120

/* As docker shows it: FROM is step 1; a stage without a name goes by its number. */
static char *exec_title(const struct build *build, const struct making *making,
                        const struct instruction *in)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *label = making->stage->name ? xstrdup(making->stage->name)
                                                : xasprintf("stage-%zu", making->stage->index);

    buf_adds(&text, in->canonical);
    tripwire_clean(build->options->run->wire, &text);
    return xasprintf("[%s %zu/%zu] %.*s%s", label, making->number, making->numbers, TITLE_MAX,
                     buf_cstr(&text), text.size > TITLE_MAX ? "..." : "");
}

/* The moment a step ends, as its history and every later build of it will tell. */
static void stamp(const struct build *build, char out[static CLOCK_TEXT_SIZE])
{
    struct timespec now = clock_now();

    now.tv_nsec -= now.tv_nsec % 1000000; /* milliseconds say enough */
    if (build->has_epoch)
        now = (struct timespec){.tv_sec = build->epoch};
    clock_rfc3339(now, out);
}

void step_hash_common(const struct build *build, const struct making *making, struct cache_key *key)
{
    char platform[PLATFORM_TEXT_SIZE];

    cache_key_text(key, "platform", platform_format(&making->stage->platform, platform));
    cache_key_u64(key, "has epoch", build->has_epoch);
    cache_key_u64(key, "epoch", (uint64_t)build->epoch);
}

static void take_layer(struct making *making, const struct cache_record *record,
                       const char *created_by)
{
    if (record->has_layer)
        stack_push(&making->stack, record->diff_id, &record->blob);
    memcpy(making->created, record->created, sizeof(making->created));
    state_commit(&making->state, created_by, record->has_layer ? record->diff_id : NULL,
                 record->created[0] ? record->created : NULL);
}

static bool may_recall(const struct step *s)
{
    return cache_may_recall(s->build, s->making);
}

static void count_step(struct build *build, bool cached)
{
    pthread_mutex_lock(&build->lock);
    build->result->steps++;
    build->result->cached += cached;
    pthread_mutex_unlock(&build->lock);
}

static void settle_in(const struct step *s, const struct cache_record *record, bool cached)
{
    count_step(s->build, cached);
    take_layer(s->making, record, s->created_by);
    crossing_layer(s->build, s->making, s->in, record);
    progress_finish(s->making->shown, cached ? PROGRESS_CACHED : PROGRESS_DONE, NULL);
}

/* The place of the instruction among the stage's definitions; FROM a context has none. */
static struct definition *definition_of(const struct step *s)
{
    const struct making *m = s->making;

    return m->definitions && m->next < m->stage->count && m->stage->body[m->next] == s->in
               ? &m->definitions[m->next]
               : NULL;
}

static void note(struct step *s, enum outcome outcome)
{
    if (s->definition)
        s->definition->outcome = outcome;
}

int step_recall(struct step *s, struct err *err)
{
    SCOPED(cache_record_release) struct cache_record record = {0};
    AUTO_FREE char *title = NULL;
    struct making *m = s->making;
    int found;

    /* Nothing of a step that names a secret may be remembered. */
    if (exec_check_text(s->build, s->created_by, err) < 0)
        return -1;
    s->definition = definition_of(s);
    if (!s->definition)
        return 0;
    if (!s->definition->hex[0] && m->definition[0] &&
        define_step(s->build, m, s->in, m->definition, false, s->definition, err) < 0)
        return -1;
    if (s->definition->hex[0])
        define_key(s->definition, &m->stack, s->definition->recall);
    if (!s->definition->hex[0] || !may_recall(s) || define_reads_wanted(m, m->next))
        return 0;
    found = cache_recall(s->build, m, s->definition->recall, &record, err);
    if (found <= 0)
        return found;
    cache_used(s->build, m, s->definition->recall, &record);
    title = exec_title(s->build, m, s->in);
    m->shown = progress_begin("%s", title);
    note(s, OUTCOME_DEFINED);
    settle_in(s, &record, true);
    return 1;
}

int step_nothing(struct step *s, struct err *err)
{
    struct cache_record record = {0};
    struct making *m = s->making;

    memcpy(record.created, m->created, sizeof(m->created));
    state_commit(&m->state, s->created_by, NULL, m->created[0] ? m->created : NULL);
    note(s, OUTCOME_MADE);
    if (!s->definition || !s->definition->hex[0])
        return 0;
    cache_used(s->build, m, s->definition->recall, &record);
    return cache_save(s->build->tools->layout, s->definition->recall, &record, err);
}

/* For --cache-to. A key that is for this build alone is none. */
static void note_use(const struct step *s, const char *hex, const struct cache_record *record)
{
    if (hex)
        cache_used(s->build, s->making, hex, record);
    if (s->definition && s->definition->hex[0])
        cache_used(s->build, s->making, s->definition->recall, record);
}

/* Under its key by result, and by its definition. */
static int remember(struct step *s, const char *hex, const struct cache_record *record,
                    struct err *err)
{
    const struct layout *layout = s->build->tools->layout;

    note_use(s, hex, record);
    if (cache_save(layout, hex, record, err) < 0)
        return -1;
    if (!s->definition || !s->definition->hex[0])
        return 0;
    return cache_save(layout, s->definition->recall, record, err);
}

/* What could not be told before the step was carried out. */
static int settle(struct step *s, char hex[static SHA256_HEX_SIZE], struct err *err)
{
    struct cache_key key;
    struct definition *d = s->definition;

    if (s->settle(s, &key, err) < 0)
        return -1;
    cache_key_end(&key);
    memcpy(hex, key.hex, SHA256_HEX_SIZE);
    if (define_step(s->build, s->making, s->in, s->making->definition, true, d, err) < 0)
        return -1;
    define_key(d, &s->making->stack, d->recall);
    return cache_save_shape(s->build->tools->layout, d->shape, err);
}

/* Carries it out, and remembers it. */
static int carry_out(struct step *s, const char *hex, struct cache_record *record, struct err *err)
{
    SCOPED(layer_release) struct layer layer = {0};
    struct making *m = s->making;
    char settled[SHA256_HEX_SIZE];

    log_debug("%s has key %s", s->in->canonical, hex);
    m->forget = false;
    m->emulated_ms = 0;
    m->usage = (struct step_usage){0};
    ahead_missed(s->build, m);
    /* With secrets nothing goes before everything was searched. */
    if (tripwire_is_empty(s->build->options->run->wire))
        early_push_start(s->build->early);
    if (s->fn(s->build, m, s->arg, &layer, err) < 0)
        return -1;
    if (m->emulated_ms)
        crossing_emulated(s->build, m, s->in, m->emulated_ms);
    stamp(s->build, record->created);
    record->usage = m->usage;
    step_usage_name(&record->usage, s->created_by);
    record->has_layer = layer.diff_id[0] && (layer.entries || s->keep_empty);
    if (record->has_layer) {
        memcpy(record->diff_id, layer.diff_id, DIGEST_SIZE);
        descriptor_copy(&record->blob, &layer.descriptor);
        survey_copy(&record->survey, &layer.survey);
    }
    if (m->forget)
        return 0;
    if (!s->settle)
        return remember(s, hex, record, err);
    return settle(s, settled, err) < 0 ? -1 : remember(s, settled, record, err);
}

/* 1: the disk remembers it. */
static int find(struct step *s, const char *hex, struct cache_record *record, struct err *err)
{
    int found;

    if (s->settle || !may_recall(s))
        return 0;
    found = cache_recall(s->build, s->making, hex, record, err);
    if (found == 2) /* of a stranger: see cache_keep_imported() */
        note_use(s, hex, record);
    return found == 1 && remember(s, hex, record, err) < 0 ? -1 : found;
}

/* From this build, from the disk, or made: 1 remembered, 0 made, -1. */
static int obtain(struct step *s, const char *hex, struct cache_record *record, struct err *err)
{
    struct flights *flights = &s->build->flights;
    int found = flights_begin(flights, hex, record);

    if (found) {
        note_use(s, s->settle ? NULL : hex, record);
        return 1;
    }
    found = find(s, hex, record, err);
    if (found == 0 && carry_out(s, hex, record, err) < 0)
        found = -1;
    flights_end(flights, hex, found < 0 ? NULL : record);
    return found;
}

int step_make(struct step *s, struct cache_key *key, struct err *err)
{
    AUTO_FREE char *title = exec_title(s->build, s->making, s->in);
    SCOPED(cache_record_release) struct cache_record record = {0};
    int found;

    cache_key_end(key);
    s->making->shown = progress_begin("%s", title);
    found = obtain(s, key->hex, &record, err);
    if (found < 0) {
        note(s, OUTCOME_MADE);
        progress_finish(s->making->shown, PROGRESS_FAILED, NULL);
        return -1;
    }
    note(s, found ? OUTCOME_RESULT : OUTCOME_MADE);
    settle_in(s, &record, found > 0);
    return 0;
}
