/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/emulator.h"

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/stack.h"
#include "registry/layout.h"
#include "registry/platform.h"
#include "runtime/emulate.h"

static const char *const places[] = {"/usr/bin", "/usr/local/bin", "/bin"};
static const struct {
    const char *before, *after;
} names[] = {{"", "-static"}, {"", ""}, {"buildkit-", ""}};

/* 1 and its descriptor; 0: it is not there. */
static int try(struct layout *layout, struct stack *stack, const char *path, int *fd,
               struct err *err)
{
    SCOPED(buf_release) struct buf real = {0};
    struct err ignored = {0};
    struct view_entry found;
    const struct view *view = stack_view(stack, layout, err);

    if (!view)
        return -1;
    if (view_resolve(view, path, VIEW_FOLLOW, &real, &found, &ignored) != 1 ||
        found.entry.type != ENTRY_FILE)
        return 0;
    *fd = stack_open_file(stack, layout, &found, err);
    return *fd < 0 ? -1 : 1;
}

int emulator_open(struct layout *layout, const struct descriptor *image_root, const char *arch,
                  char **path, struct err *err)
{
    SCOPED(image_release) struct image image = {0};
    SCOPED(stack_release) struct stack stack = {0};
    const struct platform host = platform_host();
    int i = emulate_find(arch), fd = -1;

    if (i < 0)
        return err_set(err, ERR_USAGE, 0, "no emulator for \"%s\" is known", arch);
    if (layout_load_image(layout, image_root, &host, &image, err) < 0 ||
        stack_push_image(&stack, &image, err) < 0)
        return -1;
    for (size_t n = 0; n < ARRAY_SIZE(names); n++)
        for (size_t p = 0; p < ARRAY_SIZE(places); p++) {
            AUTO_FREE char *at = xasprintf("%s/%s%s%s", places[p], names[n].before,
                                           emulate_program_name((size_t)i), names[n].after);
            int found = try(layout, &stack, at, &fd, err);

            if (found < 0)
                return err_wrap(err, "%s", at);
            if (found == 0)
                continue;
            *path = steal_ptr(&at);
            return fd;
        }
    return err_set(err, ERR_INPUT, 0, "it has no %s-static or %s in /usr/bin, /usr/local/bin, /bin",
                   emulate_program_name((size_t)i), emulate_program_name((size_t)i));
}
