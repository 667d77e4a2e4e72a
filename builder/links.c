/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/links.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/index.h"
#include "builder/layer.h"
#include "builder/view.h"
#include "registry/layout.h"
#include "runtime/record.h"

/* all: owners of root too, for what is named here may have been something else before. */
static void add_layer(const struct index *index, int tree_fd, bool all, struct buf *out)
{
    for (size_t i = 0; i < index_count(index); i++) {
        struct record_item item;
        struct err ignored = {0}; /* a later layer has removed it */
        struct entry e;
        struct stat st;
        AUTO_FD int fd = -1;

        index_get(index, i, &e);
        if ((e.type != ENTRY_SYMLINK && e.type != ENTRY_FIFO) || (!all && !e.uid && !e.gid))
            continue;
        fd = fs_open_beneath(tree_fd, e.path, O_PATH | O_NOFOLLOW, 0, FS_NO_LINKS, &ignored);
        if (fd < 0 || fstat(fd, &st) < 0)
            continue;
        item = (struct record_item){st.st_ino, e.uid, e.gid};
        buf_add(out, &item, sizeof(item));
    }
}

int links_open(struct stack *stack, struct layout *layout, int tree_fd, struct err *err)
{
    SCOPED(buf_release) struct buf items = {0};
    const struct view *view = stack_view(stack, layout, err);
    AUTO_FD int fd = memfd_create("links", MFD_CLOEXEC);

    if (!view)
        return -1;
    if (fd < 0)
        return err_errno(err, "make a memory file");
    for (size_t i = 0; tree_fd >= 0 && i < view->count; i++)
        add_layer(view->layers[i], tree_fd, true, &items);
    for (size_t i = 0; tree_fd < 0 && i < view->count; i++) {
        char path[LAYER_TREE_PATH_MAX];
        AUTO_FD int tree =
            fs_open_dir(layout->dir_fd, layer_tree_path(stack->layers[i].diff_id, path), err);

        if (tree < 0)
            return -1;
        add_layer(view->layers[i], tree, false, &items);
    }
    if (fs_write(fd, items.ptr, items.size, err) < 0)
        return -1;
    return steal_fd(&fd);
}
