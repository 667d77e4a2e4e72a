/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"

void user_release(struct user *user)
{
    free(user->groups);
    free(user->home);
    *user = (struct user){0};
}

/* An id: 4294967295 means "leave it" to the kernel and is nobody's. */
static bool parse_id(struct str text, uint32_t *id)
{
    uint64_t n;

    if (!str_u64(text, &n) || n >= UINT32_MAX)
        return false;
    *id = (uint32_t)n;
    return true;
}

#define FIELDS_MAX 7

static size_t split(struct str line, struct str fields[static FIELDS_MAX])
{
    size_t n = 0;

    while (n < FIELDS_MAX) {
        bool more = str_cut(line, ':', &fields[n++], &line);

        if (!more)
            break;
    }
    return n;
}

/* Lines that are broken are not entries: libc's readers pass over them too. */
struct entry {
    struct str name, home, members;
    uint32_t uid, gid;
};

static bool next_passwd(struct str *text, struct entry *e)
{
    struct str line, f[FIELDS_MAX];

    while (str_line(text, &line)) {
        if (split(line, f) < 6 || f[0].size == 0 || !parse_id(f[2], &e->uid) ||
            !parse_id(f[3], &e->gid))
            continue;
        e->name = f[0];
        e->home = f[5];
        return true;
    }
    return false;
}

static bool next_group(struct str *text, struct entry *e)
{
    struct str line, f[FIELDS_MAX];

    while (str_line(text, &line)) {
        if (split(line, f) < 3 || f[0].size == 0 || !parse_id(f[2], &e->gid))
            continue;
        e->name = f[0];
        e->members = split(line, f) > 3 ? f[3] : (struct str){0};
        return true;
    }
    return false;
}

static bool is_member(struct str members, struct str name)
{
    struct str one;

    while (members.size) {
        str_cut(members, ',', &one, &members);
        if (str_eq(str_trim(one), name))
            return true;
    }
    return false;
}

static void add_group(struct user *user, uint32_t gid)
{
    for (size_t i = 0; i < user->groups_count; i++)
        if (user->groups[i] == gid)
            return;
    if (user->groups_count == USER_GROUPS_MAX)
        return;
    VEC_GROW(user->groups, user->groups_count, user->groups_capacity);
    user->groups[user->groups_count++] = gid;
}

static void add_groups(struct user *user, struct str group, struct str name)
{
    struct entry e;

    while (next_group(&group, &e))
        if (is_member(e.members, name))
            add_group(user, e.gid);
}

/* A name before a number: a user whose name is digits is found by it, as Docker does. */
static bool find_user(struct str who, struct str passwd, struct entry *found)
{
    struct str rest = passwd;
    struct entry e;
    uint32_t id;

    while (next_passwd(&rest, &e))
        if (str_eq(e.name, who)) {
            *found = e;
            return true;
        }
    for (rest = passwd; parse_id(who, &id) && next_passwd(&rest, &e);)
        if (e.uid == id) {
            *found = e;
            return true;
        }
    return false;
}

static int set_user(struct str who, struct str passwd, struct str *name, struct user *user,
                    struct err *err)
{
    struct entry e;

    if (find_user(who, passwd, &e)) {
        user->uid = e.uid;
        user->gid = e.gid;
        user->home = e.home.size ? str_dup(e.home) : NULL;
        *name = e.name;
        return 0;
    }
    if (parse_id(who, &user->uid))
        return 0;
    return err_set(err, ERR_INPUT, ENOENT,
                   "unable to find user " STR_FMT
                   ": no matching entries in the image's /etc/passwd",
                   STR_ARG(who));
}

static int set_group(struct str which, struct str group, struct user *user, struct err *err)
{
    struct entry e;

    while (next_group(&group, &e))
        if (str_eq(e.name, which)) {
            user->gid = e.gid;
            return 0;
        }
    if (parse_id(which, &user->gid))
        return 0;
    return err_set(err, ERR_INPUT, ENOENT,
                   "unable to find group " STR_FMT
                   ": no matching entries in the image's /etc/group",
                   STR_ARG(which));
}

int user_parse(struct str text, struct str passwd, struct str group, struct user *user,
               struct err *err)
{
    struct str who, which = {0}, name = {0};
    bool has_group = str_cut(text, ':', &who, &which) && which.size;
    bool is_default = who.size == 0;

    user_release(user);
    if (is_default)
        who = STR("0");
    if (set_user(who, passwd, &name, user, err) < 0 ||
        (has_group && set_group(which, group, user, err) < 0)) {
        user_release(user);
        return -1;
    }
    /* The primary group is among them: setgid must not be a way out of it (CVE-2022-36109). */
    add_group(user, user->gid);
    if (!has_group && name.size)
        add_groups(user, group, name);
    return 0;
}

static int read_file(int root_fd, const char *path, struct buf *out, struct err *err)
{
    struct err failure = {0};
    AUTO_FD int fd = fs_open_beneath(root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0,
                                     FS_IN_ROOT, &failure);
    struct stat st;

    if (fd < 0 && (failure.code == ENOENT || failure.code == ENOTDIR))
        return 0;
    if (fd < 0) {
        *err = failure;
        return err_wrap(err, "image");
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, 0, "/%s of the image is not a file", path);
    if (fs_read(fd, out, USER_FILE_MAX, err) < 0)
        return err_wrap(err, "/%s of the image", path);
    return 0;
}

int user_lookup(int root_fd, const char *text, struct user *user, struct err *err)
{
    SCOPED(buf_release) struct buf passwd = {0}, group = {0};

    if (read_file(root_fd, "etc/passwd", &passwd, err) < 0 ||
        read_file(root_fd, "etc/group", &group, err) < 0)
        return -1;
    return user_parse(str_of(text), buf_str(&passwd), buf_str(&group), user, err);
}
