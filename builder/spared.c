/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/spared.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "builder/entry.h"
#include "registry/layout.h"
#include "runtime/in_place.h"

static int by_path(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return entry_path_cmp(*x, *y);
}

int spared_find(const struct layout *layout, struct strv *spared, struct err *err)
{
    char store[PATH_MAX], fd_path[FS_FD_PATH_MAX];
    ssize_t n = readlink(fs_fd_path(layout->dir_fd, fd_path), store, sizeof(store));

    if (n < 0 || (size_t)n == sizeof(store) || store[0] != '/')
        return err_errno(err, "find out where the store %s is", layout->root);
    strv_take(spared, path_beneath((struct str){store, (size_t)n}));
    strv_add(spared, SPARED_RECORD);
    strv_add(spared, "dev");
    strv_add(spared, "proc");
    strv_add(spared, "sys");
    if (in_place_mounts(spared, err) < 0)
        return -1;
    qsort(spared->ptr, spared->count, sizeof(*spared->ptr), by_path);
    return 0;
}

bool spared_has(const struct strv *spared, const char *path)
{
    for (size_t i = 0; spared && i < spared->count; i++)
        if (strcmp(spared->ptr[i], path) == 0 || entry_path_below(path, spared->ptr[i]))
            return true;
    return false;
}

const char *spared_below(const struct strv *spared, const char *path)
{
    for (size_t i = 0; spared && i < spared->count; i++)
        if (entry_path_below(spared->ptr[i], path))
            return spared->ptr[i];
    return NULL;
}
