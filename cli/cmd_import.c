/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/import.h"
#include "cli/commands.h"
#include "registry/layout.h"

struct import_opts {
    const char *platform, *message;
    struct strv changes;
};

static void close_pool(struct pool **pool)
{
    pool_close(*pool);
}

static int open_input(const char *path, struct err *err)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_errno(err, "open %s", path) : fd;
}

static int import_run(struct cmd_context *context, const void *values, int count, char **args,
                      struct err *err)
{
    const struct import_opts *opts = values;
    struct import_options options = {
        .platform = platform_host(), .changes = &opts->changes, .message = opts->message};
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(close_pool) struct pool *pool = NULL;

    if (opts->platform && platform_parse(opts->platform, &options.platform, err) < 0)
        return -1;
    if (count > 1 && reference_parse(args[1], &ref, err) < 0)
        return -1;
    if (ref.digest)
        return err_set(err, ERR_USAGE, 0, "\"%s\": a new name cannot have a digest", args[1]);
    AUTO_FD int fd = open_input(args[0], err);
    if (fd < 0 || layout_open(&l, context->root, err) < 0)
        return -1;
    pool = pool_open(0);
    if (import_image(&l, pool, fd, &options, &d, err) < 0)
        return err_wrap(err, "%s", args[0]);
    if (layout_tag(&l, count > 1 ? &ref : NULL, &d, err) < 0)
        return -1;
    printf("%s\n", d.digest);
    return 0;
}

#define AT(field) offsetof(struct import_opts, field)
static const struct opt import_opts[] = {
    {.type = OPT_LIST,
     .letter = 'c',
     .name = "change",
     .value = "INSTRUCTION",
     .help = "apply a Dockerfile instruction to the configuration: \"CMD nginx\"",
     .offset = AT(changes)},
    {.type = OPT_STR,
     .letter = 'm',
     .name = "message",
     .value = "TEXT",
     .help = "comment for the history",
     .offset = AT(message)},
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "what the files are for (default: this host)",
     .offset = AT(platform)},
    {.type = OPT_END},
};
const struct cmd cmd_import = {.name = "import",
                               .args = "FILE|- [NAME]",
                               .summary = "make an image of a root file system's tar",
                               .opts = import_opts,
                               .opts_size = sizeof(struct import_opts),
                               .min_args = 1,
                               .max_args = 2,
                               .run = import_run};
