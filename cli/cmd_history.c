/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/scope.h"
#include "builder/step_usage.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/table.h"
#include "registry/config.h"
#include "registry/layout.h"

#define CREATED_BY_WIDTH 60

struct history_opts {
    const char *platform;
    bool no_trunc, usage, json;
};

/* The history with the layer of each entry; newest first. Entries of layers that no history tells
 * of come last. */
static json_t *pair_up(const struct image *image)
{
    const json_t *history = config_history(image->config);
    json_auto_t *oldest_first = json_array();
    json_t *out = json_array();
    size_t layer = 0;

    for (size_t i = 0; i < json_array_size(history) || layer < image->manifest.layers_count; i++) {
        const json_t *entry = json_array_get(history, i);
        json_t *copy = entry ? json_deep_copy(entry) : json_object();

        json_object_set_new(copy, "size", json_integer(0));
        if (!json_is_true(json_object_get(copy, "empty_layer")) &&
            layer < image->manifest.layers_count) {
            const struct descriptor *d = &image->manifest.layers[layer++];

            json_object_set_new(copy, "layer", json_string(d->digest));
            json_object_set_new(copy, "size", json_integer((json_int_t)d->size));
        }
        json_array_append_new(oldest_first, copy);
    }
    for (size_t i = json_array_size(oldest_first); i-- > 0;)
        json_array_append(out, json_array_get(oldest_first, i));
    return out;
}

static json_t *usage_of(const struct step_usages *all, const json_t *entry, const char *diff_id)
{
    const char *by = json_str(entry, "created_by"), *created = json_str(entry, "created");
    const struct step_usage *u =
        by && created && diff_id ? step_usages_find(all, by, created, diff_id) : NULL;

    return u ? json_pack("{s:I, s:I, s:I, s:I}", "cpu", (json_int_t)u->cpu_us, "memory",
                         (json_int_t)u->memory, "read", (json_int_t)u->read, "written",
                         (json_int_t)u->written)
             : NULL;
}

/* To each entry what its command used, where this store remembers it. */
static void add_usage(json_t *newest_first, const struct image *image,
                      const struct step_usages *all)
{
    SCOPED(strv_release) struct strv diff_ids = {0};
    size_t layer = 0;

    config_diff_ids(image->config, &diff_ids);
    for (size_t i = json_array_size(newest_first); i-- > 0;) {
        json_t *entry = json_array_get(newest_first, i), *usage;
        const char *diff_id = NULL;

        if (json_object_get(entry, "layer") && layer < diff_ids.count)
            diff_id = diff_ids.ptr[layer++];
        usage = usage_of(all, entry, diff_id);
        if (usage)
            json_object_set_new(entry, "usage", usage);
    }
}

static void cell_cut(struct table *t, const char *text, bool whole)
{
    struct str s = str_of(text);

    if (whole || s.size <= CREATED_BY_WIDTH)
        table_cell(t, text ? text : "");
    else
        table_cellf(t, "%.*s...", CREATED_BY_WIDTH - 3, text);
}

/* Empty where nothing is remembered. */
static void usage_cells(struct table *t, const json_t *usage)
{
    static const char *const names[] = {"memory", "read", "written"};
    char size[HUMAN_SIZE];

    if (usage)
        table_cellf(t, "%.2fs", (double)json_integer_value(json_object_get(usage, "cpu")) / 1e6);
    else
        table_cell(t, "");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        table_cell(
            t,
            usage ? human_size((uint64_t)json_integer_value(json_object_get(usage, names[i])), size)
                  : "");
}

static void print_history(const json_t *entries, bool whole, bool usage)
{
    SCOPED(table_release) struct table t = {.columns = usage ? 8 : 4};
    time_t now = clock_now().tv_sec;

    table_cell(&t, "CREATED");
    table_cell(&t, "CREATED BY");
    table_cell(&t, "SIZE");
    if (usage) {
        table_cell(&t, "CPU");
        table_cell(&t, "MEMORY");
        table_cell(&t, "READ");
        table_cell(&t, "WRITTEN");
    }
    table_cell(&t, "COMMENT");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        char ago[HUMAN_AGO_SIZE], size[HUMAN_SIZE];

        table_cell(&t, human_ago(json_str(entry, "created"), now, ago));
        cell_cut(&t, json_str(entry, "created_by"), whole);
        table_cell(&t,
                   human_size((uint64_t)json_integer_value(json_object_get(entry, "size")), size));
        if (usage)
            usage_cells(&t, json_object_get(entry, "usage"));
        cell_cut(&t, json_str(entry, "comment"), whole);
    }
    table_print(&t);
}

static int history_run(struct cmd_context *context, const void *values, int count, char **args,
                       struct err *err)
{
    const struct history_opts *opts = values;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(image_release) struct image image = {0};
    struct platform p, *want = opts->platform ? &p : NULL;
    SCOPED(step_usages_release) struct step_usages usages = {0};
    json_auto_t *entries = NULL;

    (void)count;
    if (want && platform_parse(opts->platform, &p, err) < 0)
        return -1;
    if (layout_open(&l, context->root, err) < 0 || find_image(&l, args[0], &d, NULL, err) < 0)
        return -1;
    if (layout_load_image(&l, &d, want, &image, err) < 0)
        return err_wrap(err, "%s", args[0]);
    entries = pair_up(&image);
    if (opts->usage && step_usages_load(&l, &usages, err) < 0)
        return -1;
    if (opts->usage)
        add_usage(entries, &image, &usages);
    if (opts->json)
        print_json(entries);
    else
        print_history(entries, opts->no_trunc, opts->usage);
    return 0;
}

#define AT(field) offsetof(struct history_opts, field)
static const struct opt history_opts[] = {
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "the image of this platform (default the host's)",
     .offset = AT(platform)},
    {.type = OPT_FLAG, .name = "no-trunc", .help = "do not shorten texts", .offset = AT(no_trunc)},
    {.type = OPT_FLAG,
     .name = "usage",
     .help = "what the command of each RUN used here",
     .offset = AT(usage)},
    {.type = OPT_FLAG, .name = "json", .help = "as JSON", .offset = AT(json)},
    {.type = OPT_END},
};
const struct cmd cmd_history = {.name = "history",
                                .args = "IMAGE",
                                .summary = "show how an image was made, newest step first",
                                .opts = history_opts,
                                .opts_size = sizeof(struct history_opts),
                                .min_args = 1,
                                .max_args = 1,
                                .run = history_run};
