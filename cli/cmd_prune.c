/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "registry/layout.h"
#include "registry/layout_prune.h"
#include "runtime/session.h"

struct prune_opts {
    bool all, dry_run, json;
    const char *keep;
};

#define WAIT_MS 10000 /* a build that ends within this is waited for */

static void say(void *arg, const char *what, const char *name, uint64_t bytes)
{
    char size[HUMAN_SIZE];

    (void)arg;
    log_debug("removed %s %s (%s)", what, name, human_size(bytes, size));
}

static int prune_run(struct cmd_context *context, const void *values, int count, char **args,
                     struct err *err)
{
    const struct prune_opts *opts = values;
    SCOPED(session_release) struct session session = SESSION_CLOSED;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    struct prune_options options = {
        .all = opts->all, .dry_run = opts->dry_run, .wait_ms = WAIT_MS, .on_remove = say};
    struct prune_result result;
    char size[HUMAN_SIZE];

    (void)count, (void)args;
    if (opts->keep) {
        options.has_budget = true;
        if (!str_size(str_of(opts->keep), &options.keep_bytes))
            return err_set(err, ERR_USAGE, 0,
                           "option --keep-bytes: \"%s\" is not a size (try 500m or 2g)",
                           opts->keep);
    }
    /* An ordinary user's unpacked layers belong to subordinate ids: only in a session may he remove
     * them. */
    if (geteuid() != 0 && session_enter(NULL, &session, err) < 0)
        return -1;
    if (layout_open(&l, context->root, err) < 0 || layout_prune(&l, &options, &result, err) < 0)
        return -1;
    if (options.has_budget && result.left_bytes > options.keep_bytes)
        log_warn("the store still takes %s: the rest belongs to images that have names",
                 human_size(result.left_bytes, size));
    if (opts->json) {
        json_auto_t *doc = json_pack("{s:I, s:I}", "removed", (json_int_t)result.removed, "bytes",
                                     (json_int_t)result.removed_bytes);

        print_json(doc);
    } else {
        printf("%s %s\n", opts->dry_run ? "would free" : "freed",
               human_size(result.removed_bytes, size));
    }
    return 0;
}

#define AT(field) offsetof(struct prune_opts, field)
static const struct opt prune_opts[] = {
    {.type = OPT_FLAG,
     .letter = 'a',
     .name = "all",
     .help = "the caches of builds too, cache mounts among them",
     .offset = AT(all)},
    {.type = OPT_STR,
     .name = "keep-bytes",
     .value = "SIZE",
     .help = "only until the store takes no more than SIZE",
     .offset = AT(keep)},
    {.type = OPT_FLAG,
     .letter = 'n',
     .name = "dry-run",
     .help = "only say how much would be freed",
     .offset = AT(dry_run)},
    {.type = OPT_FLAG, .name = "json", .help = "as JSON", .offset = AT(json)},
    {.type = OPT_END},
};
const struct cmd cmd_prune = {.name = "prune",
                              .args = "",
                              .summary = "remove from the store what no image needs",
                              .opts = prune_opts,
                              .opts_size = sizeof(struct prune_opts),
                              .run = prune_run};
