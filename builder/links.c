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

static void add_layer(const struct index *index, int tree_fd, struct buf *out)
{
    for (size_t i = 0; i < index_count(index); i++) {
        struct record_item item;
        struct entry e;
        struct stat st;

        index_get(index, i, &e);
        if ((e.type != ENTRY_SYMLINK && e.type != ENTRY_FIFO) || (!e.uid && !e.gid) ||
            fstatat(tree_fd, e.path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        item = (struct record_item){st.st_ino, e.uid, e.gid};
        buf_add(out, &item, sizeof(item));
    }
}

int links_open(struct stack *stack, struct layout *layout, struct err *err)
{
    SCOPED(buf_release) struct buf items = {0};
    const struct view *view = stack_view(stack, layout, err);
    AUTO_FD int fd = memfd_create("links", MFD_CLOEXEC);

    if (!view)
        return -1;
    if (fd < 0)
        return err_errno(err, "make a memory file");
    for (size_t i = 0; i < view->count; i++) {
        char path[LAYER_TREE_PATH_MAX];
        AUTO_FD int tree =
            fs_open_dir(layout->dir_fd, layer_tree_path(stack->layers[i].diff_id, path), err);

        if (tree < 0)
            return -1;
        add_layer(view->layers[i], tree, &items);
    }
    if (fs_write(fd, items.ptr, items.size, err) < 0)
        return -1;
    return steal_fd(&fd);
}
