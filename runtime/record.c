/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"
#include "runtime/userns.h"

static size_t print(const struct record *r, char out[static RECORD_TEXT_MAX])
{
    int n = r->kind
                ? snprintf(out, RECORD_TEXT_MAX, "%" PRIu32 " %" PRIu32 " %c %" PRIu32 " %" PRIu32,
                           r->uid, r->gid, r->kind, r->dev_major, r->dev_minor)
                : snprintf(out, RECORD_TEXT_MAX, "%" PRIu32 " %" PRIu32, r->uid, r->gid);

    return (size_t)n;
}

static bool take_id(struct str *text, uint32_t *id)
{
    struct str word;
    uint64_t n;

    str_cut(*text, ' ', &word, text);
    if (!str_u64(word, &n) || n > UINT32_MAX)
        return false;
    *id = (uint32_t)n;
    return true;
}

bool record_parse(struct str text, struct record *r)
{
    struct str kind;

    *r = (struct record){0};
    if (!take_id(&text, &r->uid) || !take_id(&text, &r->gid))
        return false;
    if (text.size == 0)
        return true;
    str_cut(text, ' ', &kind, &text);
    if (!str_is(kind, "c") && !str_is(kind, "b"))
        return false;
    r->kind = kind.ptr[0];
    return take_id(&text, &r->dev_major) && take_id(&text, &r->dev_minor) && text.size == 0;
}

int record_set_fd(int fd, const struct record *r)
{
    char text[RECORD_TEXT_MAX];

    return fsetxattr(fd, RECORD_XATTR, text, print(r, text), 0);
}

int record_set_path(const char *path, const struct record *r)
{
    char text[RECORD_TEXT_MAX];

    return setxattr(path, RECORD_XATTR, text, print(r, text), 0);
}

bool record_get_path(const char *path, struct record *r)
{
    char text[RECORD_TEXT_MAX];
    ssize_t n = getxattr(path, RECORD_XATTR, text, sizeof(text));

    return n > 0 && record_parse((struct str){text, (size_t)n}, r);
}

int record_chown_fd(int fd, uint32_t uid, uint32_t gid)
{
    const struct record r = {.uid = uid, .gid = gid};

    if (fchown(fd, uid, gid) == 0)
        return 0;
    return errno == EINVAL || errno == EPERM ? record_set_fd(fd, &r) : -1;
}

void record_items_release(struct record_items *items)
{
    free(items->items);
    *items = (struct record_items){0};
}

const struct record_item *record_items_find(const struct record_items *items, uint64_t ino)
{
    for (size_t i = items->count; i > 0; i--)
        if (items->items[i - 1].ino == ino)
            return &items->items[i - 1];
    return NULL;
}

int record_items_read(struct record_items *items, int fd, struct err *err)
{
    struct record_item one;
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, &one, sizeof(one), at)) == sizeof(one)) {
        VEC_GROW(items->items, items->count, items->capacity);
        items->items[items->count++] = one;
        at += n;
    }
    return n < 0 ? err_errno(err, "read the owners of links") : 0;
}

bool record_is_single(void)
{
    SCOPED(buf_release) struct buf text = {0};
    struct userns_map map = {.count = 0};
    struct err ignored = {0};

    return fs_read_file(AT_FDCWD, "/proc/self/uid_map", &text, 4096, &ignored) == 0 &&
           userns_parse_identity(buf_str(&text), &map, &ignored) == 0 && map.count == 1 &&
           map.ranges[0].count == 1;
}
