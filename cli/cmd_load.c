/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/bundle.h"
#include "cli/commands.h"
#include "registry/layout.h"

struct load_opts {
    const char *input, *tag;
};

static void close_pool(struct pool **pool)
{
    pool_close(*pool);
}

static int open_input(const char *path, struct err *err)
{
    bool standard = !path || strcmp(path, "-") == 0;
    int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);

    if (standard && isatty(STDIN_FILENO)) {
        close(fd);
        return err_set(err, ERR_USAGE, 0,
                       "no archive given: use -i FILE or redirect standard input");
    }
    return fd < 0 ? err_errno(err, "open %s", standard ? "standard input" : path) : fd;
}

static int load_run(struct cmd_context *context, const void *values, int count, char **args,
                    struct err *err)
{
    const struct load_opts *opts = values;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(bundle_release) struct bundle loaded = {0};
    SCOPED(close_pool) struct pool *pool = NULL;

    (void)count, (void)args;
    if (opts->tag && reference_parse(opts->tag, &ref, err) < 0)
        return -1;
    if (ref.digest)
        return err_set(err, ERR_USAGE, 0, "\"%s\": a new name cannot have a digest", opts->tag);
    AUTO_FD int fd = open_input(opts->input, err);
    if (fd < 0 || layout_open(&l, context->root, err) < 0)
        return -1;
    pool = pool_open(0);
    if (bundle_load(&l, pool, fd, opts->tag ? &ref : NULL, &loaded, err) < 0)
        return err_wrap(err, "%s", opts->input ? opts->input : "standard input");
    for (size_t i = 0; i < loaded.count; i++)
        printf("%s %s\n", loaded.images[i].name ? loaded.images[i].name : "<none>",
               loaded.images[i].descriptor.digest);
    return 0;
}

#define AT(field) offsetof(struct load_opts, field)
static const struct opt load_opts[] = {
    {.type = OPT_STR,
     .letter = 'i',
     .name = "input",
     .value = "FILE",
     .help = "read from FILE (default: standard input)",
     .offset = AT(input)},
    {.type = OPT_STR,
     .letter = 't',
     .name = "tag",
     .value = "NAME",
     .help = "the name for the archive's one image, instead of its own",
     .offset = AT(tag)},
    {.type = OPT_END},
};
const struct cmd cmd_load = {.name = "load",
                             .args = "",
                             .summary = "take images from an archive into the store",
                             .opts = load_opts,
                             .opts_size = sizeof(struct load_opts),
                             .run = load_run};
