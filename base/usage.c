/* SPDX-License-Identifier: Apache-2.0 */
#include "base/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/scope.h"

#define DEPTH_MAX 4096

void usage_release(struct usage *u)
{
    scope_free(&u->seen);
    *u = (struct usage){0};
}

/* Inode 0 is no file's: it marks an empty slot. */
static bool insert(struct usage_link *slots, size_t capacity, struct usage_link link)
{
    size_t at = (size_t)((link.ino * 0x9e3779b97f4a7c15ULL) ^ link.dev) & (capacity - 1);

    for (; slots[at].ino; at = (at + 1) & (capacity - 1))
        if (slots[at].ino == link.ino && slots[at].dev == link.dev)
            return false;
    slots[at] = link;
    return true;
}

static void grow(struct usage *u)
{
    size_t capacity = u->seen_capacity ? u->seen_capacity * 2 : 64;
    struct usage_link *slots = xcalloc(capacity, sizeof(*slots));

    for (size_t i = 0; i < u->seen_capacity; i++)
        if (u->seen[i].ino)
            insert(slots, capacity, u->seen[i]);
    scope_free(&u->seen);
    u->seen = slots;
    u->seen_capacity = capacity;
}

static bool first_time(struct usage *u, const struct stat *st)
{
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return true;
    if (u->seen_count * 2 >= u->seen_capacity)
        grow(u);
    if (!insert(u->seen, u->seen_capacity, (struct usage_link){st->st_dev, st->st_ino}))
        return false;
    u->seen_count++;
    return true;
}

static int add(struct usage *u, int dir_fd, const char *name, unsigned depth, struct err *err);

static int add_children(struct usage *u, int fd, unsigned depth, struct err *err)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int result = 0;

    if (!dir) {
        close(fd);
        return err_errno(err, "read directory");
    }
    while (result == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = add(u, dirfd(dir), entry->d_name, depth + 1, err);
    closedir(dir);
    return result;
}

static int add(struct usage *u, int dir_fd, const char *name, unsigned depth, struct err *err)
{
    struct stat st;
    int fd;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "look at %s", name);
    u->files++;
    if (first_time(u, &st))
        u->bytes += (uint64_t)st.st_blocks * 512;
    if (!S_ISDIR(st.st_mode))
        return 0;
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_SYSTEM, ELOOP, "%s: nested too deep", name);
    /* To measure is not to use: access times tell what to evict. Only an owner may ask for that. */
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        u->unreadable++;
        return 0;
    }
    return add_children(u, fd, depth, err);
}

int usage_add(struct usage *u, int dir_fd, const char *name, struct err *err)
{
    return add(u, dir_fd, name, 0, err);
}
