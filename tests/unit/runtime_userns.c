/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/userns.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

static void print(const struct userns_map *map, struct buf *out)
{
    for (size_t i = 0; i < map->count; i++)
        buf_addf(out, "%s%" PRIu32 "-%" PRIu32 "-%" PRIu32, i ? " " : "", map->ranges[i].inside,
                 map->ranges[i].outside, map->ranges[i].count);
}

static void subordinate(void)
{
    static const struct {
        const char *text, *map, *err;
    } rows[] = {
        {"", "", NULL},
        {"bob:100000:65536\n", "1-100000-65536", NULL},
        {"alice:1:2\nbob:100000:10\n1000:200000:5\n", "1-100000-10 11-200000-5", NULL},
        {"# bob:1:1\n\n  bob:300:4  \nbobby:1:1\n10000:1:1\n", "1-300-4", NULL},
        {"bob:100:0\n", "", NULL},
        {"alice:x:y\nbob:100:1", "1-100-1", NULL},
        {"bob:100", NULL, "line 1: want \"bob:FIRST:COUNT\""},
        {"\nbob:-1:5\n", NULL, "line 2: want \"bob:FIRST:COUNT\""},
        {"bob:1:5:7", NULL, "line 1: want \"bob:FIRST:COUNT\""},
        {"bob:4294967000:1000", NULL, "line 1: ids past 4294967294"},
        {"bob:1:4294967295", NULL, "line 1: ids past 4294967294"},
        {"bob:99999999999:5", NULL, "line 1: want \"bob:FIRST:COUNT\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};
        struct userns_map map = {.count = 0};
        struct err err = {0};
        uint32_t next = 1;
        int rc = userns_parse_sub(str_of(rows[i].text), "bob", 1000, &next, &map, &err);

        print(&map, &out);
        OKF(rc == (rows[i].err ? -1 : 0), "row %zu: %s", i, err.text);
        if (rows[i].err)
            EQ_STR(err.text, rows[i].err);
        else
            EQ_STR(buf_cstr(&out), rows[i].map);
    }
}

static void too_many(void)
{
    SCOPED(buf_release) struct buf text = {0};
    struct userns_map map = {.count = 0};
    struct err err = {0};
    uint32_t next = 1;

    for (int i = 0; i < USERNS_RANGES_MAX; i++)
        buf_addf(&text, "bob:%d:1\n", 1000 + 2 * i);
    OK(userns_parse_sub(buf_str(&text), "bob", 1, &next, &map, &err) == 0);
    OK(userns_parse_sub(STR("bob:9:1"), "bob", 1, &next, &map, &err) < 0);
    EQ_STR(err.text, "line 1: more than 340 ranges");
}

static void identity(void)
{
    static const struct {
        const char *text, *map, *err;
    } rows[] = {
        {"         0          0 4294967295\n", "0-0-4294967295", NULL},
        {"0 1000 1\n1 100000 65536\n", "0-0-1 1-1-65536", NULL},
        {"", NULL, "id map: it is empty"},
        {"0 0\n", NULL, "id map: a line is not three numbers"},
        {"0 0 x\n", NULL, "id map: a line is not three numbers"},
        {"5 0 4294967295\n", NULL, "id map: ids past 4294967294"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};
        struct userns_map map = {.count = 0};
        struct err err = {0};
        int rc = userns_parse_identity(str_of(rows[i].text), &map, &err);

        print(&map, &out);
        OKF(rc == (rows[i].err ? -1 : 0), "row %zu: %s", i, err.text);
        if (rows[i].err)
            EQ_STR(err.text, rows[i].err);
        else
            EQ_STR(buf_cstr(&out), rows[i].map);
    }
}

TAP_MAIN({"subordinate ids", subordinate}, {"no more ranges than the kernel takes", too_many},
         {"identity maps", identity})
