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
#include "registry/pull.h"
#include "registry/reference.h"
#include "registry/remote.h"

struct pull_opts {
    const char *platform;
    bool all, json;
    struct registry_opts registry;
};

#define AT(field) offsetof(struct pull_opts, field)
static const struct opt pull_opts[] = {
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "take this platform's image (default: this host's)",
     .offset = AT(platform)},
    {.type = OPT_FLAG,
     .letter = 'a',
     .name = "all",
     .help = "take every platform of an index",
     .offset = AT(all)},
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a JSON object instead of the digest",
     .offset = AT(json)},
    REGISTRY_OPTS(struct pull_opts, registry),
    {.type = OPT_END},
};

static void drop_pool(struct pool **pool)
{
    pool_close(*pool);
}

static void print(const struct reference *ref, const struct descriptor *d,
                  const struct pull_result *result, bool as_json)
{
    AUTO_FREE char *name = reference_name(ref);
    AUTO_FREE char *repository = reference_repository(ref);
    SCOPED(buf_release) struct buf text = {0};

    if (!as_json) {
        printf("%s@%s\n", repository, d->digest);
        return;
    }
    json_auto_t *doc =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "name", name, "digest", d->digest,
                  "mediaType", d->media_type, "size", (json_int_t)d->size, "blobsFetched",
                  (json_int_t)result->fetched, "blobsPresent", (json_int_t)result->present,
                  "bytesFetched", (json_int_t)result->fetched_size);
    json_print(doc, &text);
    printf("%s\n", buf_cstr(&text));
}

static int pull_run(struct cmd_context *context, const void *values, int count, char **args,
                    struct err *err)
{
    const struct pull_opts *opts = values;
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(layout_close) struct layout layout = LAYOUT_CLOSED;
    SCOPED(remote_drop) struct remote *remote = NULL;
    SCOPED(drop_pool) struct pool *pool = NULL;
    SCOPED(descriptor_release) struct descriptor d = {0};
    struct pull_result result = {0};
    struct platform platform;

    (void)count;
    if (opts->all && opts->platform)
        return err_set(err, ERR_USAGE, 0, "--all and --platform exclude each other");
    if (reference_parse(args[0], &ref, err) < 0 ||
        (opts->platform && platform_parse(opts->platform, &platform, err) < 0))
        return -1;
    remote = registry_opts_open(&opts->registry, err);
    if (!remote || layout_open(&layout, context->root, err) < 0)
        return -1;
    pool = pool_open(TRANSFERS);
    if (pull_image_with(remote, &layout, pool, &ref, opts->platform ? &platform : NULL,
                        opts->all ? PULL_ALL : 0, &d, &result, err) < 0)
        return -1;
    log_info("%zu blobs fetched (%.1f MB), %zu were here", result.fetched,
             (double)result.fetched_size / 1e6, result.present);
    print(&ref, &d, &result, opts->json);
    return 0;
}

const struct cmd cmd_pull = {.name = "pull",
                             .args = "IMAGE",
                             .summary = "fetch an image from its registry",
                             .opts = pull_opts,
                             .opts_size = sizeof(struct pull_opts),
                             .min_args = 1,
                             .max_args = 1,
                             .run = pull_run};
