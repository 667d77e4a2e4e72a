/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/in_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "runtime/mountinfo.h"

#define MOUNTINFO_MAX (16 << 20)
#define PID_NAMESPACE_OF_THE_MACHINE 0xeffffffc /* linux/proc_ns.h, PROC_PID_INIT_INO */

static bool is_marked(void)
{
    static const char *const marks[] = {"/.dockerenv", "/run/.containerenv",
                                        "/var/run/secrets/kubernetes.io"};

    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        if (access(marks[i], F_OK) == 0)
            return true;
    return getenv("KUBERNETES_SERVICE_HOST") != NULL;
}

/* Of /proc/PID/stat (proc(5)): what stands behind the name, which may hold anything. */
static bool read_stat(const char *pid, uint64_t *parent, uint64_t *session, struct buf *name)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *path = xasprintf("/proc/%s/stat", pid);
    struct err ignored = {0};
    struct str head, rest, word;

    if (fs_read_file(AT_FDCWD, path, &text, 4096, &ignored) < 0 ||
        !str_cut_last(buf_str(&text), ')', &head, &rest))
        return false;
    str_cut(head, '(', &word, &head);
    buf_clear(name);
    buf_add_escaped(name, head);
    rest = str_trim(rest);
    str_cut(rest, ' ', &word, &rest); /* state */
    str_cut(rest, ' ', &word, &rest);
    if (!str_u64(word, parent))
        return false;
    str_cut(rest, ' ', &word, &rest); /* process group */
    str_cut(rest, ' ', &word, &rest);
    return str_u64(word, session);
}

#define ANCESTORS_MAX 64

/* The sessions of this process and of those that it comes from. */
static size_t own_sessions(uint64_t sessions[static ANCESTORS_MAX])
{
    SCOPED(buf_release) struct buf name = {0};
    uint64_t pid = (uint64_t)getpid(), parent;
    size_t count = 0;

    while (pid && count < ANCESTORS_MAX) {
        AUTO_FREE char *text = xasprintf("%llu", (unsigned long long)pid);

        if (!read_stat(text, &parent, &sessions[count], &name))
            break;
        count++;
        pid = parent;
    }
    return count;
}

/*
 * In a container that is there for this build alone nothing runs but its first process and what led
 * to us. Marks like /.dockerenv are on containers, too, in which people work for weeks.
 */
static int check_alone(struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    SCOPED(buf_release) struct buf name = {0};
    uint64_t sessions[ANCESTORS_MAX], pid, parent, session;
    size_t count = own_sessions(sessions);
    AUTO_FD int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (proc_fd < 0 || fs_list(proc_fd, &names, err) < 0 || count == 0)
        return err_set(err, ERR_SYSTEM, EPERM,
                       "isolation in-place has to see in /proc what else runs here");
    for (size_t i = 0; i < names.count; i++) {
        bool ours = false;

        if (!str_u64(str_of(names.ptr[i]), &pid) || pid == 1 ||
            !read_stat(names.ptr[i], &parent, &session, &name))
            continue;
        for (size_t j = 0; j < count && !ours; j++)
            ours = sessions[j] == session;
        if (!ours)
            return err_set(err, ERR_SYSTEM, EPERM,
                           "isolation in-place unpacks images over the root file system, and "
                           "others use it: process %s (%s) runs here, too",
                           names.ptr[i], buf_cstr(&name));
    }
    return 0;
}

/* Marks outlive what they mark: a machine made from an image of docker has its /.dockerenv. Its own
 * process namespace is no container's. */
static bool is_machine(void)
{
    SCOPED(buf_release) struct buf name = {0};
    struct err ignored = {0};
    struct stat st;

    if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == PID_NAMESPACE_OF_THE_MACHINE)
        return true;
    return fs_read_file(AT_FDCWD, "/proc/1/comm", &name, 64, &ignored) == 0 &&
           (str_is(str_trim(buf_str(&name)), "systemd") ||
            str_is(str_trim(buf_str(&name)), "init"));
}

int in_place_check(struct err *err)
{
    if (geteuid() != 0)
        return err_set(err, ERR_SYSTEM, EPERM, "isolation in-place needs to be started by root");
    if (!is_marked())
        return err_set(err, ERR_SYSTEM, EPERM,
                       "isolation in-place unpacks images over the root file system, and this does "
                       "not look like a container to be thrown away: there is no /.dockerenv and "
                       "no /run/.containerenv, and KUBERNETES_SERVICE_HOST is not set");
    if (is_machine())
        return err_set(err, ERR_SYSTEM, EPERM,
                       "isolation in-place unpacks images over the root file system, and this is a "
                       "machine: its own process namespace is ours, or the first process is "
                       "systemd or init");
    return check_alone(err);
}

int in_place_parse_mounts(struct str text, struct strv *paths, struct err *err)
{
    struct str line, word;

    while (text.size) {
        SCOPED(buf_release) struct buf path = {0};

        str_cut(text, '\n', &line, &text);
        for (int field = 1; field <= 5; field++)
            str_cut(line, ' ', &word, &line);
        if (!str_starts(word, "/") || !mountinfo_path(word, &path))
            return err_set(err, ERR_INPUT, EINVAL, "a list of mounts has the path \"" STR_FMT "\"",
                           STR_ARG(str_slice(word, 0, 80)));
        AUTO_FREE char *below = path_beneath(buf_str(&path));
        if (strcmp(below, ".") != 0)
            strv_add(paths, below);
    }
    return 0;
}

int in_place_mounts(struct strv *paths, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};

    if (fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, MOUNTINFO_MAX, err) < 0)
        return err_wrap(err, "isolation in-place has to know what is mounted");
    return in_place_parse_mounts(buf_str(&text), paths, err);
}
