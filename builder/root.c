/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/root.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "runtime/overlay.h"
#include "runtime/plan.h"
#include "runtime/rootfs.h"

struct lowers {
    int *fds;
    size_t count;
};

static void lowers_release(struct lowers *l)
{
    for (size_t i = 0; i < l->count; i++)
        scope_close(&l->fds[i]);
    free(l->fds);
}

void root_release(struct root *root)
{
    scope_close(&root->upper_fd);
    scope_close(&root->work_fd);
    if (root->layout)
        layout_tmp_close(root->layout, &root->tmp);
}

/* The upper directory is the sandbox's "/": it looks as the layers say, if one of them says so. */
static int make_upper(struct root *root, const struct view *view, struct err *err)
{
    struct view_entry at;

    if (mkdirat(root->tmp.fd, "upper", 0755) < 0 || mkdirat(root->tmp.fd, "work", 0755) < 0)
        return err_errno(err, "make the sandbox's directories");
    root->upper_fd = fs_open_dir(root->tmp.fd, "upper", err);
    root->work_fd = root->upper_fd < 0 ? -1 : fs_open_dir(root->tmp.fd, "work", err);
    if (root->work_fd < 0)
        return -1;
    if (view_lookup(view, ".", &at) && (fchown(root->upper_fd, at.entry.uid, at.entry.gid) < 0 ||
                                        fchmod(root->upper_fd, at.entry.mode) < 0))
        return err_errno(err, "set up the sandbox's root directory");
    return 0;
}

static int open_lowers(struct root *root, struct stack *stack, const struct plan *plan,
                       struct lowers *l, struct err *err)
{
    int count;

    l->fds = xcalloc(stack->count + 2, sizeof(*l->fds));
    count = stack_open_lowers(stack, root->layout, root->tmp.fd, l->fds, err);
    if (count < 0)
        return -1;
    l->count = (size_t)count;
    l->fds[l->count] = rootfs_stubs(root->layout->cache_fd, plan, err);
    if (l->fds[l->count] < 0)
        return -1;
    l->count++;
    return 0;
}

int root_open(struct root *root, struct layout *layout, struct session *session,
              struct stack *stack, struct plan *plan, struct err *err)
{
    SCOPED(lowers_release) struct lowers lowers = {0};
    const struct view *view = stack_view(stack, layout, err);
    struct overlay overlay;

    root->layout = layout;
    if (!view || layout_tmp_open(layout, &root->tmp, err) < 0 || make_upper(root, view, err) < 0 ||
        open_lowers(root, stack, plan, &lowers, err) < 0)
        return -1;
    overlay = (struct overlay){.lower_fds = lowers.fds,
                               .lower_count = lowers.count,
                               .upper_fd = root->upper_fd,
                               .work_fd = root->work_fd};
    plan->root_fd = overlay_mount(session, &overlay, err);
    return plan->root_fd < 0 ? -1 : 0;
}
