/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"
#include "registry/layout_lock.h"

/*
 * Who lives holds a flock on what he makes in tmp/; the kernel drops it when he dies. A cleaner
 * takes that lock, without waiting, from each thing it finds: whatever it gets belonged to the
 * dead, and no second cleaner gets it. Making and locking is not one step, so both happen under the
 * lock of tmp/.
 */
#define CLEAN_MAX 64 /* claimed at a time; the rest waits for the next cleaner */

struct claim {
    int fd;
    const char *name; /* borrowed */
};

/* fd of name, locked; -1 when its maker lives or it cannot be opened. */
static int claim(const struct layout *l, const char *name)
{
    int fd = openat(l->tmp_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

static size_t claim_all(const struct layout *l, const struct strv *names,
                        struct claim claims[static CLEAN_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < names->count && count < CLEAN_MAX; i++) {
        int fd;

        /* The next index.json: written under its own lock, always over the old one. */
        if (strcmp(names->ptr[i], "index.json") == 0)
            continue;
        fd = claim(l, names->ptr[i]);
        if (fd >= 0)
            claims[count++] = (struct claim){fd, names->ptr[i]};
    }
    return count;
}

static void remove_claimed(const struct layout *l, struct claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};

        /* Trees of subordinate ids can be removed only from within a session: the next build will.
         */
        if (fs_remove_tree(l->tmp_fd, claims[i].name, &err) < 0)
            log_debug("clean %s/tmp: %s", l->root, err.text);
        close(claims[i].fd);
    }
}

int layout_clean_tmp(const struct layout *l, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    struct claim claims[CLEAN_MAX];
    size_t count;
    AUTO_FD int gate = lock_open(l, LOCK_BYTE_TMP, true, err);

    if (gate < 0)
        return -1;
    if (fs_list(l->tmp_fd, &names, err) < 0)
        return err_wrap(err, "%s/tmp", l->root);
    count = claim_all(l, &names, claims);
    scope_close(&gate);
    remove_claimed(l, claims, count);
    return 0;
}

static int make(const struct layout *l, struct layout_tmp *tmp, struct err *err)
{
    AUTO_FD int gate = lock_open(l, LOCK_BYTE_TMP, true, err);
    uint64_t salt;

    if (gate < 0)
        return -1;
    do {
        if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
            return err_errno(err, "random name");
        snprintf(tmp->name, sizeof(tmp->name), "%016llx", (unsigned long long)salt);
    } while (mkdirat(l->tmp_fd, tmp->name, 0700) < 0 && errno == EEXIST);
    tmp->fd = openat(l->tmp_fd, tmp->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tmp->fd < 0 || flock(tmp->fd, LOCK_EX) < 0) {
        err_errno(err, "make a directory in %s/tmp", l->root);
        scope_close(&tmp->fd);
        return -1;
    }
    return 0;
}

int layout_tmp_open(const struct layout *l, struct layout_tmp *tmp, struct err *err)
{
    struct err ignored = {0};

    tmp->fd = -1;
    if (layout_clean_tmp(l, &ignored) < 0)
        log_debug("clean %s/tmp: %s", l->root, ignored.text);
    return make(l, tmp, err);
}

void layout_tmp_close(const struct layout *l, struct layout_tmp *tmp)
{
    struct err ignored = {0};

    if (tmp->fd < 0)
        return;
    if (fs_remove_tree(l->tmp_fd, tmp->name, &ignored) < 0)
        log_debug("remove %s/tmp/%s: %s", l->root, tmp->name, ignored.text);
    scope_close(&tmp->fd);
}
