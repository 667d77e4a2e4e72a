/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/record.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/scope.h"
#include "tests/tap.h"

static void texts(void)
{
    static const struct {
        const char *text;
        bool ok;
        struct record want;
    } rows[] = {
        {"0 0", true, {0}},
        {"1000 2000", true, {.uid = 1000, .gid = 2000}},
        {"4294967295 1", true, {.uid = 4294967295u, .gid = 1}},
        {"1 2 c 3 4", true, {.uid = 1, .gid = 2, .kind = 'c', .dev_major = 3, .dev_minor = 4}},
        {"1 2 b 8 1", true, {.uid = 1, .gid = 2, .kind = 'b', .dev_major = 8, .dev_minor = 1}},
        {"", false, {0}},
        {"1", false, {0}},
        {"1 x", false, {0}},
        {"-1 0", false, {0}},
        {"4294967296 0", false, {0}},
        {"1 2 c 3", false, {0}},
        {"1 2 p 3 4", false, {0}},
        {"1 2 c 3 4 5", false, {0}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct record r;

        if (!OKF(record_parse(str_of(rows[i].text), &r) == rows[i].ok, "%s", rows[i].text) ||
            !rows[i].ok)
            continue;
        EQ_INT(r.uid, rows[i].want.uid);
        EQ_INT(r.gid, rows[i].want.gid);
        EQ_INT(r.kind, rows[i].want.kind);
        EQ_INT(r.dev_major, rows[i].want.dev_major);
        EQ_INT(r.dev_minor, rows[i].want.dev_minor);
    }
}

static void items(void)
{
    const struct record_item in[] = {{5, 1, 2}, {6, 3, 4}, {5, 7, 8}};
    SCOPED(record_items_release) struct record_items items = {0};
    AUTO_FD int fd = memfd_create("items", MFD_CLOEXEC);
    struct err err = {0};

    OK(write(fd, in, sizeof(in)) == sizeof(in));
    OK(record_items_read(&items, fd, &err) == 0);
    EQ_INT(items.count, 3);
    OK(record_items_find(&items, 5) && record_items_find(&items, 5)->uid == 7);
    OK(record_items_find(&items, 6) && record_items_find(&items, 6)->gid == 4);
    OK(!record_items_find(&items, 9));
}

TAP_MAIN({"texts", texts}, {"the later item of an inode wins", items})
