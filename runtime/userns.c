/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/proc.h"
#include "base/scope.h"

#define SUB_FILE_MAX (4u << 20)
#define MAP_FILE_MAX (64u << 10)

static int add_range(struct userns_map *map, uint64_t inside, uint64_t outside, uint64_t count,
                     struct err *err)
{
    if (count == 0)
        return 0;
    /* 4294967295 is "no id" and belongs to nobody. */
    if (inside + count > UINT32_MAX || outside + count > UINT32_MAX)
        return err_set(err, ERR_INPUT, 0, "ids past 4294967294");
    if (map->count == USERNS_RANGES_MAX)
        return err_set(err, ERR_INPUT, 0, "more than %d ranges", USERNS_RANGES_MAX);
    map->ranges[map->count++] =
        (struct userns_range){(uint32_t)inside, (uint32_t)outside, (uint32_t)count};
    return 0;
}

int userns_parse_sub(struct str text, const char *name, uint32_t id, uint32_t *next,
                     struct userns_map *map, struct err *err)
{
    struct str line, who, rest, first, size;
    uint64_t number;

    for (int n = 1; str_line(&text, &line); n++) {
        uint64_t from, count;

        line = str_trim(line);
        if (!str_cut(line, ':', &who, &rest))
            continue;
        if (!(name && str_is(who, name)) && !(str_u64(who, &number) && number == id))
            continue;
        if (!str_cut(rest, ':', &first, &size) || !str_u64(first, &from) ||
            !str_u64(size, &count) || from > UINT32_MAX || count > UINT32_MAX)
            return err_set(err, ERR_INPUT, 0, "line %d: want \"%s:FIRST:COUNT\"", n,
                           name ? name : "UID");
        if (add_range(map, *next, from, count, err) < 0)
            return err_wrap(err, "line %d", n);
        *next += (uint32_t)count;
    }
    return 0;
}

static struct str take_word(struct str *line)
{
    struct str s = str_trim_left(*line);
    size_t n = 0;

    while (n < s.size && s.ptr[n] != ' ' && s.ptr[n] != '\t')
        n++;
    *line = str_slice(s, n, s.size);
    return str_slice(s, 0, n);
}

int userns_parse_identity(struct str text, struct userns_map *map, struct err *err)
{
    struct str line;

    while (str_line(&text, &line)) {
        uint64_t inside, outside, count;

        if (!str_u64(take_word(&line), &inside) || !str_u64(take_word(&line), &outside) ||
            !str_u64(take_word(&line), &count) || inside > UINT32_MAX || count > UINT32_MAX)
            return err_set(err, ERR_INPUT, 0, "id map: a line is not three numbers");
        if (add_range(map, inside, inside, count, err) < 0)
            return err_wrap(err, "id map");
    }
    if (map->count == 0)
        return err_set(err, ERR_INPUT, 0, "id map: it is empty");
    return 0;
}

static int write_proc(pid_t pid, const char *name, struct str text, struct err *err)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    /* One write, or the kernel takes the first piece for all of it. */
    if (fd < 0 || write(fd, text.ptr, text.size) != (ssize_t)text.size)
        return err_errno(err, "write %s", path);
    return 0;
}

static int write_one_identity(pid_t child, const char *name, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct userns_map map = {.count = 0};
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/%s", name);
    if (fs_read_file(AT_FDCWD, path, &text, MAP_FILE_MAX, err) < 0 ||
        userns_parse_identity(buf_str(&text), &map, err) < 0)
        return err_wrap(err, "%s", path);
    buf_clear(&text);
    for (size_t i = 0; i < map.count; i++)
        buf_addf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", map.ranges[i].inside,
                 map.ranges[i].outside, map.ranges[i].count);
    return write_proc(child, name, buf_str(&text), err);
}

static int count_ids(uint64_t *count, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct userns_map map = {.count = 0};

    if (fs_read_file(AT_FDCWD, "/proc/self/uid_map", &text, MAP_FILE_MAX, err) < 0 ||
        userns_parse_identity(buf_str(&text), &map, err) < 0)
        return err_wrap(err, "/proc/self/uid_map");
    *count = 0;
    for (size_t i = 0; i < map.count; i++)
        *count += map.ranges[i].count;
    return 0;
}

int userns_check_ids(uint64_t want, struct err *err)
{
    uint64_t count;

    if (count_ids(&count, err) < 0)
        return -1;
    if (count < want)
        return err_set(err, ERR_SYSTEM, EINVAL, "only %" PRIu64 " %s can be had here", count,
                       count == 1 ? "id" : "ids");
    return 0;
}

int userns_write_identity(pid_t child, struct err *err)
{
    if (write_one_identity(child, "uid_map", err) < 0)
        return -1;
    return write_one_identity(child, "gid_map", err);
}

int userns_write_single(pid_t child, struct err *err)
{
    char uids[32], gids[32];

    snprintf(uids, sizeof(uids), "0 %" PRIu32 " 1\n", (uint32_t)geteuid());
    snprintf(gids, sizeof(gids), "0 %" PRIu32 " 1\n", (uint32_t)getegid());
    if (write_proc(child, "setgroups", STR("deny"), err) < 0 ||
        write_proc(child, "uid_map", str_of(uids), err) < 0)
        return -1;
    return write_proc(child, "gid_map", str_of(gids), err);
}

static int find_one(const char *file, const char *name, uint32_t uid, struct userns_map *map,
                    struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err missing = {0};
    uint32_t next = 1;
    char number[16];

    snprintf(number, sizeof(number), "%" PRIu32, uid);
    if (fs_read_file(AT_FDCWD, file, &text, SUB_FILE_MAX, &missing) < 0 && missing.code != ENOENT) {
        *err = missing;
        return -1;
    }
    if (userns_parse_sub(buf_str(&text), name, uid, &next, map, err) < 0)
        return err_wrap(err, "%s", file);
    if (next == 1)
        return err_set(err, ERR_SYSTEM, ENOENT, "%s gives user %s no subordinate ids", file,
                       name ? name : number);
    return 0;
}

int userns_find_sub(uid_t uid, gid_t gid, struct userns_sub *sub, struct err *err)
{
    const struct passwd *pw = getpwuid(uid);
    const char *name = pw ? pw->pw_name : NULL;

    memset(sub, 0, sizeof(*sub));
    if (add_range(&sub->uids, 0, uid, 1, err) < 0 || add_range(&sub->gids, 0, gid, 1, err) < 0)
        return -1;
    if (find_one("/etc/subuid", name, uid, &sub->uids, err) < 0)
        return -1;
    return find_one("/etc/subgid", name, uid, &sub->gids, err);
}

static int run_helper(const char *helper, pid_t child, const struct userns_map *map,
                      struct err *err)
{
    SCOPED(strv_release) struct strv argv = {0};
    SCOPED(buf_release) struct buf out = {0}, errors = {0};
    struct proc proc = {.argv = &argv, .timeout_ms = 10000};
    int status = 0;

    strv_add(&argv, helper);
    strv_addf(&argv, "%d", child);
    for (size_t i = 0; i < map->count; i++) {
        strv_addf(&argv, "%" PRIu32, map->ranges[i].inside);
        strv_addf(&argv, "%" PRIu32, map->ranges[i].outside);
        strv_addf(&argv, "%" PRIu32, map->ranges[i].count);
    }
    if (proc_run(&proc, &out, &errors, &status, err) < 0)
        return -1;
    if (status != 0) {
        SCOPED(buf_release) struct buf words = {0};

        buf_add_escaped(&words, str_trim(buf_str(&errors)));
        return err_set(err, ERR_COMMAND, status, "%s failed with status %d: %s", helper, status,
                       buf_cstr(&words));
    }
    return 0;
}

int userns_write_sub(pid_t child, const struct userns_sub *sub, struct err *err)
{
    if (run_helper("newuidmap", child, &sub->uids, err) < 0)
        return -1;
    return run_helper("newgidmap", child, &sub->gids, err);
}
