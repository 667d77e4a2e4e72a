/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/log.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "registry/layout.h"
#include "registry/layout_prune.h"
#include "runtime/session.h"

struct du_opts {
    bool json;
};

static void add_row(struct table *t, const char *name, const struct layout_part *part)
{
    char size[HUMAN_SIZE], dead[HUMAN_SIZE];

    table_cell(t, name);
    table_cellf(t, "%llu", (unsigned long long)part->count);
    table_cell(t, human_size(part->bytes, size));
    table_cell(t, human_size(part->dead_bytes, dead));
}

static void print_usage(const struct layout_usage *u)
{
    SCOPED(table_release) struct table t = {.columns = 4};
    struct layout_part all = {
        u->blobs.count + u->trees.count + u->caches.count + u->unfinished.count, u->bytes,
        u->blobs.dead_bytes + u->trees.dead_bytes + u->caches.dead_bytes};

    table_cell(&t, "TYPE");
    table_cell(&t, "TOTAL");
    table_cell(&t, "SIZE");
    table_cell(&t, "RECLAIMABLE");
    add_row(&t, "Blobs", &u->blobs);
    add_row(&t, "Unpacked layers", &u->trees);
    add_row(&t, "Caches", &u->caches);
    add_row(&t, "Unfinished", &u->unfinished);
    add_row(&t, "All", &all);
    table_print(&t);
}

static json_t *part_to_json(const struct layout_part *part)
{
    return json_pack("{s:I, s:I, s:I}", "count", (json_int_t)part->count, "bytes",
                     (json_int_t)part->bytes, "reclaimable", (json_int_t)part->dead_bytes);
}

static int du_run(struct cmd_context *context, const void *values, int count, char **args,
                  struct err *err)
{
    const struct du_opts *opts = values;
    SCOPED(session_release) struct session session = SESSION_CLOSED;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    struct layout_usage usage;

    (void)count, (void)args;
    /* An ordinary user's unpacked layers belong to subordinate ids: only in a session may he look
     * into them. */
    if (geteuid() != 0 && session_enter(NULL, &session, err) < 0)
        return -1;
    if (layout_open(&l, context->root, err) < 0 || layout_usage(&l, &usage, err) < 0)
        return -1;
    if (usage.unreadable)
        log_warn("%llu directories belong to subordinate ids and could not be looked into: the "
                 "figures are too small",
                 (unsigned long long)usage.unreadable);
    if (opts->json) {
        json_auto_t *doc =
            json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "root", l.root, "bytes",
                      (json_int_t)usage.bytes, "images", (json_int_t)usage.names, "unnamed",
                      (json_int_t)usage.unnamed, "blobs", part_to_json(&usage.blobs), "trees",
                      part_to_json(&usage.trees), "caches", part_to_json(&usage.caches),
                      "unfinished", part_to_json(&usage.unfinished));

        print_json(doc);
    } else {
        print_usage(&usage);
    }
    return 0;
}

static const struct opt du_opts[] = {
    {.type = OPT_FLAG,
     .name = "json",
     .help = "as JSON, sizes in bytes",
     .offset = offsetof(struct du_opts, json)},
    {.type = OPT_END},
};
const struct cmd cmd_du = {.name = "du",
                           .args = "",
                           .summary = "show what the store takes on the disk",
                           .opts = du_opts,
                           .opts_size = sizeof(struct du_opts),
                           .run = du_run};
