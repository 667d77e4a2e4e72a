/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/emulator_opts.h"

#include <fcntl.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "base/str.h"
#include "builder/emulator.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/platform.h"
#include "runtime/session.h"

#define IMAGE "image:"

static int from_image(const struct registry_opts *registry, struct layout *layout, const char *name,
                      const char *arch, char **label, struct err *err)
{
    SCOPED(descriptor_release) struct descriptor image = {0};
    AUTO_FREE char *path = NULL;
    int found = layout_find(layout, name, &image, NULL, err), fd;

    if (found < 0 ||
        (found == 0 && registry_opts_pull(registry, layout, name, NULL, &image, err) < 0))
        return -1;
    fd = emulator_open(layout, &image, arch, &path, err);
    if (fd < 0)
        return err_wrap(err, "image %s", name);
    *label = xasprintf("%s of image %s", path, name);
    return fd;
}

static int give(const char *text, const struct registry_opts *registry, struct layout *layout,
                struct session *session, struct err *err)
{
    AUTO_FREE char *label = NULL;
    struct platform platform;
    struct str arch, value;
    AUTO_FD int fd = -1;

    if (!str_cut(str_of(text), '=', &arch, &value) || value.size == 0)
        return err_set(err, ERR_USAGE, 0,
                       "\"%s\": want ARCH=PATH or ARCH=image:NAME, such as "
                       "arm64=/usr/bin/qemu-aarch64-static",
                       text);
    AUTO_FREE char *name = str_dup(arch);
    if (platform_parse(name, &platform, err) < 0)
        return -1;
    if (str_starts(value, IMAGE)) {
        fd =
            from_image(registry, layout, value.ptr + sizeof(IMAGE) - 1, platform.arch, &label, err);
    } else {
        label = str_dup(value);
        fd = open(label, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            err_errno(err, "%s", label);
    }
    return fd < 0 ? -1
                  : emulators_give(&session->emulators, platform.arch, steal_fd(&fd), label, err);
}

int emulator_opts_give(const struct strv *list, const struct registry_opts *registry,
                       struct layout *layout, struct session *session, struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (give(list->ptr[i], registry, layout, session, err) < 0)
            return err_wrap(err, "--emulator");
    return 0;
}
