/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/bundle.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "registry/layout.h"

struct save_opts {
    const char *output, *format, *platform;
};

/* The archive appears under its name only when it is whole; a pipe or device is written as it is.
 */
struct output {
    int fd;
    char *temporary; /* NULL: nothing to rename */
    const char *path;
};

static void output_release(struct output *o)
{
    if (o->temporary)
        unlink(o->temporary);
    scope_free(&o->temporary);
    scope_close(&o->fd);
}

static int output_open(struct output *o, const char *path, struct err *err)
{
    struct stat st;

    o->path = path;
    if (!path || strcmp(path, "-") == 0) {
        if (isatty(STDOUT_FILENO))
            return err_set(err, ERR_USAGE, 0,
                           "an archive is nothing to show on a terminal: use -o FILE or redirect");
        o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return o->fd < 0 ? err_errno(err, "standard output") : 0;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
        return o->fd < 0 ? err_errno(err, "open %s", path) : 0;
    }
    o->temporary = xasprintf("%s.part-%d", path, (int)getpid());
    o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (o->fd >= 0)
        return 0;
    scope_free(&o->temporary);
    return err_errno(err, "create %s", path);
}

static int output_finish(struct output *o, struct err *err)
{
    if (!o->temporary)
        return 0;
    if (rename(o->temporary, o->path) < 0)
        return err_errno(err, "rename %s to %s", o->temporary, o->path);
    scope_free(&o->temporary);
    return 0;
}

static int choose_format(const char *text, enum bundle_format *format, struct err *err)
{
    *format = text && strcmp(text, "docker") == 0 ? BUNDLE_DOCKER : BUNDLE_OCI;
    if (!text || *format == BUNDLE_DOCKER || strcmp(text, "oci") == 0)
        return 0;
    return err_set(err, ERR_USAGE, 0, "option --format: \"%s\" is neither oci nor docker", text);
}

static int save_run(struct cmd_context *context, const void *values, int count, char **args,
                    struct err *err)
{
    const struct save_opts *opts = values;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(bundle_release) struct bundle images = {0};
    SCOPED(output_release) struct output out = {.fd = -1};
    struct platform p, *want = opts->platform ? &p : NULL;
    enum bundle_format format;

    if (choose_format(opts->format, &format, err) < 0 ||
        (want && platform_parse(opts->platform, &p, err) < 0) ||
        layout_open(&l, context->root, err) < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        SCOPED(descriptor_release) struct descriptor d = {0};
        AUTO_FREE char *name = NULL;

        if (find_image(&l, args[i], &d, &name, err) < 0)
            return -1;
        bundle_add(&images, name, &d);
    }
    if (output_open(&out, opts->output, err) < 0)
        return -1;
    if (bundle_save(&l, &images, format, want, out.fd, err) < 0)
        return opts->output ? err_wrap(err, "%s", opts->output) : -1;
    return output_finish(&out, err);
}

#define AT(field) offsetof(struct save_opts, field)
static const struct opt save_opts[] = {
    {.type = OPT_STR,
     .letter = 'o',
     .name = "output",
     .value = "FILE",
     .help = "write to FILE (default: standard output)",
     .offset = AT(output)},
    {.type = OPT_STR,
     .name = "format",
     .value = "FORMAT",
     .help = "oci (default) or docker",
     .offset = AT(format)},
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "only this platform of each image",
     .offset = AT(platform)},
    {.type = OPT_END},
};
const struct cmd cmd_save = {.name = "save",
                             .args = "IMAGE...",
                             .summary = "write images to an archive",
                             .opts = save_opts,
                             .opts_size = sizeof(struct save_opts),
                             .min_args = 1,
                             .max_args = -1,
                             .run = save_run};
