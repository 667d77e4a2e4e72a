/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/remedy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "runtime/userns.h"

#define TEXT_MAX (1 << 20)
#define SUB_FIRST 100000 /* login.defs(5), SUB_UID_MIN */
#define SUB_COUNT 65536

static const struct distribution {
    const char *id;
    const char *packages[2]; /* by enum remedy_package */
} distributions[] = {
    {"debian", {"apt-get install uidmap", "apt-get install passt"}},
    {"ubuntu", {"apt-get install uidmap", "apt-get install passt"}},
    {"fedora", {"dnf install shadow-utils", "dnf install passt"}},
    {"rhel", {"dnf install shadow-utils", "dnf install passt"}},
    {"centos", {"dnf install shadow-utils", "dnf install passt"}},
    {"amzn", {"dnf install shadow-utils", "dnf install passt"}},
    {"alpine", {"apk add shadow-subids", "apk add passt"}},
    {"arch", {"pacman -S shadow", "pacman -S passt"}},
    {"suse", {"zypper install shadow", "zypper install passt"}},
    {"opensuse", {"zypper install shadow", "zypper install passt"}},
};

static struct str os_value(struct str text, const char *key)
{
    struct str line, name, value;

    while (str_line(&text, &line))
        if (str_cut(line, '=', &name, &value) && str_is(name, key)) {
            value = str_trim(value);
            if (value.size >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\''))
                value = str_slice(value, 1, value.size - 1);
            return value;
        }
    return STR("");
}

static const struct distribution *find(struct str id)
{
    for (size_t i = 0; i < ARRAY_SIZE(distributions); i++)
        if (str_is(id, distributions[i].id))
            return &distributions[i];
    return NULL;
}

const char *remedy_install(struct str os_release, enum remedy_package package)
{
    const struct distribution *d = find(os_value(os_release, "ID"));
    struct str like = os_value(os_release, "ID_LIKE"), word;

    while (!d && like.size) {
        str_cut(like, ' ', &word, &like);
        d = find(word);
    }
    return d ? d->packages[package] : NULL;
}

uint32_t remedy_free_ids(struct str text)
{
    uint64_t next = SUB_FIRST, first, count;
    struct str line, name, rest, a, b;

    while (str_line(&text, &line))
        if (str_cut(line, ':', &name, &rest) && str_cut(rest, ':', &a, &b) && str_u64(a, &first) &&
            str_u64(str_trim(b), &count) && first <= UINT32_MAX && count <= UINT32_MAX - first &&
            first + count > next)
            next = first + count;
    return next > UINT32_MAX - SUB_COUNT ? SUB_FIRST : (uint32_t)next;
}

/* ---- what is so here ---- */

static bool sysctl_is(const char *path, const char *value)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};

    return fs_read_file(AT_FDCWD, path, &text, 64, &ignored) == 0 &&
           str_is(str_trim(buf_str(&text)), value);
}

static bool status_has(const char *line)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};

    return fs_read_file(AT_FDCWD, "/proc/self/status", &text, TEXT_MAX, &ignored) == 0 &&
           str_search(buf_str(&text), line) >= 0;
}

static bool no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool in_kubernetes(void)
{
    return getenv("KUBERNETES_SERVICE_HOST") != NULL;
}

static bool find_program(const char *name, struct stat *st)
{
    const char *path = getenv("PATH");
    struct str rest = str_of(path ? path : "/usr/bin:/bin"), dir;

    while (rest.size) {
        str_cut(rest, ':', &dir, &rest);
        AUTO_FREE char *file = xasprintf(STR_FMT "/%s", STR_ARG(dir), name);
        if (stat(file, st) == 0)
            return true;
    }
    return false;
}

static void install(enum remedy_package package, const char *what, struct buf *out)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};
    const char *command;

    if (fs_read_file(AT_FDCWD, "/etc/os-release", &text, TEXT_MAX, &ignored) < 0)
        buf_clear(&text);
    command = remedy_install(buf_str(&text), package);
    if (command)
        buf_addf(out, "as root: %s", command);
    else
        buf_addf(out, "install %s", what);
}

/* ---- causes, the surest first ---- */

/* usermod knows accounts alone; an id without one has its line written by hand. */
static void more_ids(uid_t uid, struct buf *out)
{
    SCOPED(buf_release) struct buf uids = {0}, gids = {0};
    const struct passwd *pw = getpwuid(uid);
    struct err ignored = {0};
    uint32_t u, g;

    if (fs_read_file(AT_FDCWD, "/etc/subuid", &uids, TEXT_MAX, &ignored) < 0)
        buf_clear(&uids);
    if (fs_read_file(AT_FDCWD, "/etc/subgid", &gids, TEXT_MAX, &ignored) < 0)
        buf_clear(&gids);
    u = remedy_free_ids(buf_str(&uids));
    g = remedy_free_ids(buf_str(&gids));
    if (pw)
        buf_addf(out,
                 "as root: usermod --add-subuids %" PRIu32 "-%" PRIu32 " --add-subgids %" PRIu32
                 "-%" PRIu32 " %s",
                 u, u + SUB_COUNT - 1, g, g + SUB_COUNT - 1, pw->pw_name);
    else
        buf_addf(out,
                 "as root: echo %u:%" PRIu32 ":%d >>/etc/subuid; echo %u:%" PRIu32
                 ":%d >>/etc/subgid",
                 uid, u, SUB_COUNT, uid, g, SUB_COUNT);
}

static void unconfined(struct buf *out)
{
    if (in_kubernetes())
        buf_adds(out, "the container's seccomp profile forbids it: give the pod "
                      "securityContext.seccompProfile.type Unconfined, or a profile that allows "
                      "unshare, clone and mount");
    else
        buf_adds(out, "the container's seccomp profile forbids it: start it with --security-opt "
                      "seccomp=unconfined, or a profile that allows unshare, clone and mount");
}

/* What keeps everyone from user namespaces; false when it is none of that. */
static bool no_namespaces(const struct err *why, struct buf *out)
{
    if (why->code == ENOSPC)
        buf_adds(out, "the kernel's count of user namespaces is used up or 0: as root: sysctl -w "
                      "user.max_user_namespaces=15000");
    else if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
        buf_adds(out, "as root: sysctl -w kernel.unprivileged_userns_clone=1");
    else if (sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
        buf_adds(out, "AppArmor restricts user namespaces: as root: sysctl -w "
                      "kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile "
                      "for slipway with the rule \"userns,\"");
    else if (why->code == EPERM && status_has("\nSeccomp:\t2"))
        unconfined(out);
    else if (why->code == EACCES)
        buf_adds(out, "a security module (AppArmor, SELinux, Landlock) forbids it: give slipway a "
                      "profile that allows user namespaces and mounts");
    else
        return false;
    return true;
}

static void for_userns(uid_t uid, const struct err *why, struct buf *out)
{
    struct userns_sub sub;
    struct err missing = {0};
    struct stat st;

    if (uid != 0 && userns_find_sub(uid, 0, &sub, &missing) < 0)
        more_ids(uid, out);
    else if (uid != 0 && !find_program("newuidmap", &st))
        install(REMEDY_UIDMAP, "newuidmap and newgidmap (shadow)", out);
    else if (no_namespaces(why, out))
        return;
    else if (uid != 0 && no_new_privs())
        buf_adds(out, in_kubernetes()
                          ? "newuidmap gains nothing under no_new_privs: give the container "
                            "securityContext.allowPrivilegeEscalation true"
                          : "newuidmap gains nothing under no_new_privs: start slipway without "
                            "(docker: no --security-opt no-new-privileges; systemd: "
                            "NoNewPrivileges=no)");
    else if (uid != 0 && find_program("newuidmap", &st) && !(st.st_mode & S_ISUID) &&
             why->kind == ERR_COMMAND)
        buf_adds(out, "newuidmap and newgidmap may have lost their set-user-id bits: as root: "
                      "chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap");
}

static void for_root(uid_t uid, const struct err *why, struct buf *out)
{
    if (uid != 0 || why->code != EPERM)
        return;
    if (status_has("\nSeccomp:\t2"))
        unconfined(out);
    else
        buf_adds(out, "root of this container lacks CAP_SYS_ADMIN; isolation userns does without");
}

static void for_single(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    no_namespaces(why, out);
}

static void for_overlay(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    if (why->code == EINVAL)
        buf_adds(out,
                 "the store lies where overlay cannot write (on another overlay?), which makes "
                 "steps slow: put it on a volume, an emptyDir or tmpfs, with --root DIR or "
                 "SLIPWAY_ROOT");
    else
        no_namespaces(why, out);
}

static void for_proc(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    if (why->code != EPERM || !str_starts(str_of(why->text), "mount"))
        return;
    buf_adds(out, in_kubernetes() ? "the container's /proc is masked: steps see its own; "
                                    "securityContext.procMount Unmasked gives them one"
                                  : "the container's /proc is masked: steps see its own; "
                                    "--security-opt systempaths=unconfined gives them one");
}

static void for_tun(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    if (why->code == ENOENT)
        buf_adds(out, "as root: modprobe tun; in a container: --device /dev/net/tun");
    else
        buf_adds(out, "as root: chmod 666 /dev/net/tun; in a container: --device /dev/net/tun");
}

static void for_pasta(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    (void)why;
    install(REMEDY_PASST, "pasta (passt)", out);
}

static void for_ids(uid_t uid, const struct err *why, struct buf *out)
{
    (void)why;
    if (uid != 0)
        more_ids(uid, out);
    else
        buf_adds(out, "give the container 65536 ids (rootless engines: more lines in /etc/subuid "
                      "on the host)");
}

static void for_cgroup(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    (void)why;
    buf_adds(out, "limits hold for single processes only; systemd-run --user --scope -p "
                  "Delegate=yes slipway ... gives it a cgroup of its own");
}

static void for_landlock(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    if (why->code == EOPNOTSUPP)
        buf_adds(out, "add landlock to the kernel's lsm= boot parameter");
}

static void for_privileges(uid_t uid, const struct err *why, struct buf *out)
{
    (void)uid;
    (void)why;
    buf_adds(out, in_kubernetes() ? "give the container securityContext.allowPrivilegeEscalation "
                                    "true"
                                  : "start slipway without no_new_privs");
}

static const struct {
    const char *probe;
    void (*say)(uid_t uid, const struct err *why, struct buf *out);
} remedies[] = {
    {"root", for_root},      {"userns", for_userns},     {"single", for_single},
    {"ids", for_ids},        {"overlay", for_overlay},   {"proc", for_proc},
    {"tun", for_tun},        {"pasta", for_pasta},       {"cgroup", for_cgroup},
    {"network", for_single}, {"landlock", for_landlock}, {"privileges", for_privileges},
};

void remedy_for(const char *probe, uid_t uid, const struct err *why, struct buf *out)
{
    if (why->kind != ERR_SYSTEM && why->kind != ERR_COMMAND)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
        if (strcmp(remedies[i].probe, probe) == 0)
            remedies[i].say(uid, why, out);
}

void remedy_add(const char *probe, uid_t uid, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};

    remedy_for(probe, uid, err, &text);
    if (text.size)
        err_add(err, "; %s", buf_cstr(&text));
}
