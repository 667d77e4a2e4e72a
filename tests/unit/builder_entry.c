/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/entry.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "base/scope.h"
#include "tests/tap.h"

/* In the order of layers; each against each. */
static void order(void)
{
    static const char *const sorted[] = {".",     "a",    "a/",  "a/ ",      "a/b", "a/b/c", "a/b-",
                                         "a/b.c", "a/c",  "a\1", "a b",      "a-b", "a.b",   "a0",
                                         "aa",    "aa/b", "b",   "\xc3\xa9", "\xff"};

    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
            int got = entry_path_cmp(sorted[i], sorted[j]);

            OKF(i < j   ? got < 0
                : i > j ? got > 0
                        : got == 0,
                "%s and %s: %d", sorted[i], sorted[j], got);
        }
    }
}

static void below(void)
{
    static const struct {
        const char *path, *dir;
        bool want;
    } rows[] = {{"a", ".", true},    {".", ".", false},      {"a/b", "a", true},
                {"a", "a", false},   {"ab", "a", false},     {"a-b", "a", false},
                {"a", "a/b", false}, {"a/b/c", "a/b", true}, {"a/bc/d", "a/b", false}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        OKF(entry_path_below(rows[i].path, rows[i].dir) == rows[i].want, "%s below %s",
            rows[i].path, rows[i].dir);
}

static void from_stat(void)
{
    struct stat st = {.st_mode = S_IFREG | 04755,
                      .st_uid = 3,
                      .st_gid = 4,
                      .st_size = 5,
                      .st_mtim = {.tv_sec = -6}};
    struct entry e = {.path = "kept"};

    entry_of_stat(&e, &st);
    OK(e.type == ENTRY_FILE && e.mode == 04755 && e.uid == 3 && e.gid == 4 && e.size == 5 &&
       e.mtime == -6);
    EQ_STR(e.path, "kept");
    st.st_mode = S_IFDIR | 0700;
    entry_of_stat(&e, &st);
    OK(e.type == ENTRY_DIR && e.size == 0);
    st.st_mode = S_IFCHR | 0600;
    st.st_rdev = makedev(5, 1);
    entry_of_stat(&e, &st);
    OK(e.type == ENTRY_CHAR && e.dev_major == 5 && e.dev_minor == 1);
    st.st_mode = S_IFSOCK;
    entry_of_stat(&e, &st);
    OK(e.type == ENTRY_NONE);
}

static void xattr_sets(void)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};

    xattr_set_add(&set, STR("user.b"), STR("1"));
    xattr_set_add(&set, STR("user.a"), (struct str){"\0x", 2});
    xattr_set_add(&set, STR("user.b"), STR("two"));
    xattr_set_sort(&set);
    OK(set.count == 2 && strcmp(set.items[0].name, "user.a") == 0 && set.items[0].value.size == 2);
    OK(str_is(set.items[1].value, "two"));
    OK(xattr_is_overlay("user.overlay.opaque") &&
       xattr_is_overlay("trusted.overlay.overlay.opaque"));
    OK(!xattr_is_overlay("user.overlayx") && !xattr_is_overlay("security.capability"));
}

TAP_MAIN({"order", order}, {"below", below}, {"from stat", from_stat}, {"xattr sets", xattr_sets})
