/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/scope.h"

/* The kernel's XATTR_SIZE_MAX and XATTR_LIST_MAX (linux/limits.h). */
#define VALUE_MAX 65536
#define NAMES_MAX 65536

int entry_path_cmp(const char *a, const char *b)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;

    if (a[0] == '.' && a[1] == '\0')
        x++;
    if (b[0] == '.' && b[1] == '\0')
        y++;
    while (*x && *x == *y) {
        x++;
        y++;
    }
    if (*x == *y)
        return 0;
    /* The end is lowest, then "/", then every other byte. */
    int left = *x == '/' ? 1 : *x ? *x + 1 : 0;
    int right = *y == '/' ? 1 : *y ? *y + 1 : 0;

    return left - right;
}

bool entry_path_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (strcmp(dir, ".") == 0)
        return strcmp(path, ".") != 0;
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

void entry_of_stat(struct entry *e, const struct stat *st)
{
    e->type = S_ISREG(st->st_mode)    ? ENTRY_FILE
              : S_ISDIR(st->st_mode)  ? ENTRY_DIR
              : S_ISLNK(st->st_mode)  ? ENTRY_SYMLINK
              : S_ISCHR(st->st_mode)  ? ENTRY_CHAR
              : S_ISBLK(st->st_mode)  ? ENTRY_BLOCK
              : S_ISFIFO(st->st_mode) ? ENTRY_FIFO
                                      : ENTRY_NONE;
    e->mode = st->st_mode & 07777;
    e->uid = st->st_uid;
    e->gid = st->st_gid;
    e->size = e->type == ENTRY_FILE ? (uint64_t)st->st_size : 0;
    e->mtime = st->st_mtim.tv_sec;
    e->dev_major = e->dev_minor = 0;
    if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
        e->dev_major = major(st->st_rdev);
        e->dev_minor = minor(st->st_rdev);
    }
}

const char *entry_type_name(enum entry_type type)
{
    static const char *const names[] = {
        [ENTRY_NONE] = "nothing",       [ENTRY_FILE] = "file",
        [ENTRY_DIR] = "directory",      [ENTRY_SYMLINK] = "symbolic link",
        [ENTRY_HARDLINK] = "hard link", [ENTRY_CHAR] = "character device",
        [ENTRY_BLOCK] = "block device", [ENTRY_FIFO] = "named pipe",
        [ENTRY_WHITEOUT] = "whiteout",
    };

    return names[type];
}

/* Name and value share one allocation: "name\0value". */
static void item_free(struct xattr *item)
{
    union {
        const char *in;
        void *out;
    } cast = {.in = item->name};

    free(cast.out);
}

void xattr_set_clear(struct xattr_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        item_free(&set->items[i]);
    set->count = 0;
    set->recorded = false;
}

void xattr_set_release(struct xattr_set *set)
{
    int saved = errno;

    xattr_set_clear(set);
    free(set->items);
    *set = (struct xattr_set){0};
    errno = saved;
}

void xattr_set_add(struct xattr_set *set, struct str name, struct str value)
{
    char *copy = xcalloc(1, name.size + 1 + value.size);
    struct xattr item = {.name = copy, .value = {copy + name.size + 1, value.size}};

    memcpy(copy, name.ptr, name.size);
    if (value.size)
        memcpy(copy + name.size + 1, value.ptr, value.size);
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].name, copy) == 0) {
            item_free(&set->items[i]);
            set->items[i] = item;
            return;
        }
    }
    VEC_GROW(set->items, set->count, set->capacity);
    set->items[set->count++] = item;
}

static int item_cmp(const void *a, const void *b)
{
    const struct xattr *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void xattr_set_sort(struct xattr_set *set)
{
    if (set->count > 1)
        qsort(set->items, set->count, sizeof(*set->items), item_cmp);
}

bool xattr_is_overlay(const char *name)
{
    return strncmp(name, "user.overlay.", 13) == 0 || strncmp(name, "trusted.overlay.", 16) == 0;
}

/* What travels with an image; the rest describes this host. */
static bool travels(const char *name)
{
    if (strcmp(name, RECORD_XATTR) == 0)
        return false;
    return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

/* Either an open file or a path. */
struct place {
    int fd;
    const char *path;
};

static ssize_t list_names(const struct place *p, char *out, size_t size)
{
    return p->path ? llistxattr(p->path, out, size) : flistxattr(p->fd, out, size);
}

static ssize_t get_value(const struct place *p, const char *name, void *out, size_t size)
{
    return p->path ? lgetxattr(p->path, name, out, size) : fgetxattr(p->fd, name, out, size);
}

static int read_one(struct xattr_set *set, const struct place *p, const char *name, struct err *err)
{
    char small[256];
    AUTO_FREE char *big = NULL;
    char *value = small;
    ssize_t n = get_value(p, name, small, sizeof(small));

    if (n < 0 && errno == ERANGE) {
        big = value = xmalloc(VALUE_MAX);
        n = get_value(p, name, big, VALUE_MAX);
    }
    if (n < 0)
        return errno == ENODATA ? 0 : err_errno(err, "extended attribute %s", name);
    xattr_set_add(set, str_of(name), (struct str){value, (size_t)n});
    return 0;
}

/* What an overlay attribute says. */
static unsigned mark_of(const struct place *p, const char *name)
{
    const char *last = strrchr(name, '.') + 1;
    char value[2];

    if (strcmp(last, "whiteout") == 0)
        return OVERLAY_WHITEOUT;
    if (strcmp(last, "redirect") == 0)
        return OVERLAY_REDIRECT;
    if (strcmp(last, "metacopy") == 0)
        return OVERLAY_METACOPY;
    if (strcmp(last, "opaque") == 0 && get_value(p, name, value, sizeof(value)) == 1)
        return value[0] == 'y' ? OVERLAY_OPAQUE : value[0] == 'x' ? OVERLAY_WHITEOUTS : 0;
    return 0;
}

static void read_record(struct xattr_set *set, const struct place *p)
{
    char text[RECORD_TEXT_MAX];
    ssize_t n = get_value(p, RECORD_XATTR, text, sizeof(text));

    set->recorded = n > 0 && record_parse((struct str){text, (size_t)n}, &set->record);
}

static int read_all(struct xattr_set *set, const struct place *p, unsigned *marks, struct err *err)
{
    char small[1024];
    AUTO_FREE char *big = NULL;
    char *names = small;
    ssize_t n = list_names(p, small, sizeof(small));

    if (n < 0 && errno == ERANGE) {
        big = names = xmalloc(NAMES_MAX);
        n = list_names(p, big, NAMES_MAX);
    }
    if (n < 0) {
        if (errno == ENOTSUP || errno == ENOSYS)
            return 0;
        return err_errno(err, "extended attributes");
    }
    for (const char *name = names; name < names + n; name += strlen(name) + 1) {
        if (strcmp(name, RECORD_XATTR) == 0)
            read_record(set, p);
        else if (xattr_is_overlay(name))
            *marks |= mark_of(p, name);
        else if (travels(name) && read_one(set, p, name, err) < 0)
            return -1;
    }
    xattr_set_sort(set);
    return 0;
}

int xattr_read_fd(struct xattr_set *set, int fd, struct err *err)
{
    unsigned marks = 0;

    return read_all(set, &(struct place){.fd = fd}, &marks, err);
}

int xattr_read_marked(struct xattr_set *set, const char *path, unsigned *marks, struct err *err)
{
    *marks = 0;
    return read_all(set, &(struct place){.fd = -1, .path = path}, marks, err);
}
