/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/registry_opts.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/platform.h"
#include "registry/push.h"
#include "registry/reference.h"
#include "registry/remote.h"

struct push_opts {
    const char *platform;
    bool all, json;
    struct registry_opts registry;
};

#define AT(field) offsetof(struct push_opts, field)
static const struct opt push_opts[] = {
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "push this platform only",
     .offset = AT(platform)},
    {.type = OPT_FLAG,
     .letter = 'a',
     .name = "all",
     .help = "push every platform of the index, or fail",
     .offset = AT(all)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a JSON object with a record of every blob",
     .offset = AT(json)},
    REGISTRY_OPTS(struct push_opts, registry),
    {.type = OPT_END},
};

static void drop_pool(struct pool **pool)
{
    pool_close(*pool);
}

static json_t *blob_record(const struct push_blob *b)
{
    return json_pack("{s:s, s:I, s:s, s:I, s:I, s:s*, s:I, s:I}", "digest", b->digest, "size",
                     (json_int_t)b->size, "how", push_how_name(b->how), "sent", (json_int_t)b->sent,
                     "resumed", (json_int_t)b->resumed, "from", b->from, "sessions",
                     (json_int_t)b->attempts, "ms", (json_int_t)b->time_ms);
}

static void print_json(const struct reference *target, const struct push_result *result)
{
    AUTO_FREE char *name = reference_name(target);
    AUTO_FREE char *repository = reference_repository(target);
    AUTO_FREE char *pinned = xasprintf("%s@%s", repository, result->digest);
    SCOPED(buf_release) struct buf text = {0};
    json_t *blobs = json_array();
    json_auto_t *doc =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:o}", "name", name, "image", pinned, "digest",
                  result->digest, "mediaType", result->media_type, "size", (json_int_t)result->size,
                  "unchanged", result->unchanged, "blobs", blobs);

    for (size_t i = 0; i < result->blobs_count; i++)
        json_array_append_new(blobs, blob_record(&result->blobs[i]));
    json_print(doc, &text);
    printf("%s\n", buf_cstr(&text));
}

static void sum_up(const struct push_result *result)
{
    size_t hows[3] = {0};
    uint64_t sent = 0;

    if (result->unchanged) {
        log_info("nothing to do: the registry has it under this name");
        return;
    }
    for (size_t i = 0; i < result->blobs_count; i++) {
        hows[result->blobs[i].how]++;
        sent += result->blobs[i].sent;
    }
    log_info("%zu blobs uploaded (%.1f MB), %zu mounted, %zu were there", hows[PUSH_UPLOADED],
             (double)sent / 1e6, hows[PUSH_MOUNTED], hows[PUSH_EXISTING]);
}

static void print(const struct reference *target, const struct push_result *result, bool as_json)
{
    AUTO_FREE char *repository = reference_repository(target);

    sum_up(result);
    if (as_json)
        print_json(target, result);
    else
        printf("%s@%s\n", repository, result->digest);
}

static int find_image(const struct layout *layout, const char *text, struct descriptor *image,
                      char **name, struct err *err)
{
    int found = layout_find(layout, text, image, name, err);

    if (found == 0)
        return err_set(err, ERR_INPUT, 0,
                       "there is no image \"%s\" in the store (slipway images lists them)", text);
    return found < 0 ? -1 : 0;
}

static int push_run(struct cmd_context *context, const void *values, int count, char **args,
                    struct err *err)
{
    const struct push_opts *opts = values;
    SCOPED(reference_release) struct reference target = {0};
    SCOPED(layout_close) struct layout layout = LAYOUT_CLOSED;
    SCOPED(remote_drop) struct remote *remote = NULL;
    SCOPED(drop_pool) struct pool *pool = NULL;
    SCOPED(descriptor_release) struct descriptor image = {0};
    SCOPED(push_result_release) struct push_result result = {0};
    AUTO_FREE char *name = NULL;
    struct platform platform;

    if (opts->all && opts->platform)
        return err_set(err, ERR_USAGE, 0, "--all and --platform exclude each other");
    if ((count > 1 && reference_parse(args[1], &target, err) < 0) ||
        (opts->platform && platform_parse(opts->platform, &platform, err) < 0))
        return -1;
    if (layout_open(&layout, context->root, err) < 0 ||
        find_image(&layout, args[0], &image, &name, err) < 0)
        return -1;
    if (count < 2 && !name)
        return err_set(err, ERR_USAGE, 0, "\"%s\" is an image without a name: say where to push it",
                       args[0]);
    if (count < 2 && reference_parse(name, &target, err) < 0)
        return -1;
    remote = registry_opts_open(&opts->registry, err);
    if (!remote)
        return -1;
    pool = pool_open(TRANSFERS);
    if (push_image(remote, &layout, pool, &image, opts->platform ? &platform : NULL, &target,
                   opts->all ? PUSH_ALL : 0, &result, err) < 0)
        return -1;
    print(&target, &result, opts->json);
    return 0;
}

const struct cmd cmd_push = {.name = "push",
                             .args = "IMAGE [REFERENCE]",
                             .summary = "send an image to its registry",
                             .opts = push_opts,
                             .opts_size = sizeof(struct push_opts),
                             .min_args = 1,
                             .max_args = 2,
                             .run = push_run};
