/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "runtime/syscalls.h"

/*
 * How lower directories are named, best first. Kernels differ: by descriptor since 6.13, one by one
 * since 6.5, and before that one string of a page at most. /proc/self/fd/N serves as a path that is
 * short and needs no escapes.
 */
enum style { STYLE_FD, STYLE_PATH, STYLE_STRING, STYLE_END };

#define MOUNT_DATA_MAX 4095 /* one page with its NUL: fs/namespace.c, copy_mount_options() */

static const struct {
    const char *key, *value; /* value NULL: a flag */
    bool upper_only;
    bool may_lack; /* unknown to older kernels, where it is off anyway */
} settings[] = {
    {"userxattr", NULL, false, false},
    {"volatile", NULL, true, false},
    {"index", "off", false, true},
    {"metacopy", "off", false, true},
    {"xino", "off", false, true},
    {"uuid", "off", false, true},
    {"redirect_dir", "nofollow", false, true},
};

/* What the kernel has to say about the last failure: lines "e overlay: text" on the context's
 * descriptor. */
static void add_kernel_words(int fs_fd, struct err *err)
{
    char line[512];
    ssize_t n;

    while ((n = read(fs_fd, line, sizeof(line) - 1)) > 0) {
        line[n] = 0;
        if (line[n - 1] == '\n')
            line[n - 1] = 0;
        if (line[0] == 'e' && line[1] == ' ')
            err_add(err, " (%s)", line + 2);
    }
}

static int set_path(int fs_fd, const char *key, int dir_fd)
{
    char path[FS_FD_PATH_MAX];

    return fsconfig(fs_fd, FSCONFIG_SET_STRING, key, fs_fd_path(dir_fd, path), 0);
}

static int set_lowers(int fs_fd, const struct overlay *o, enum style style, struct err *err)
{
    for (size_t i = 0; i < o->lower_count; i++) {
        int rc = style == STYLE_FD
                     ? fsconfig(fs_fd, FSCONFIG_SET_FD, "lowerdir+", NULL, o->lower_fds[i])
                     : set_path(fs_fd, "lowerdir+", o->lower_fds[i]);
        if (rc < 0) {
            err_errno(err, "overlay: add lower directory %zu of %zu", i + 1, o->lower_count);
            add_kernel_words(fs_fd, err);
            return -1;
        }
    }
    return 0;
}

static int set_options(int fs_fd, const struct overlay *o, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        bool flag = !settings[i].value;

        if (settings[i].upper_only && o->upper_fd < 0)
            continue;
        if (fsconfig(fs_fd, flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, settings[i].key,
                     settings[i].value, 0) < 0 &&
            !settings[i].may_lack) {
            err_errno(err, "overlay: option %s", settings[i].key);
            add_kernel_words(fs_fd, err);
            return -1;
        }
    }
    if (o->upper_fd >= 0 && (set_path(fs_fd, "upperdir", o->upper_fd) < 0 ||
                             set_path(fs_fd, "workdir", o->work_fd) < 0)) {
        err_errno(err, "overlay: upper directory");
        add_kernel_words(fs_fd, err);
        return -1;
    }
    return 0;
}

static unsigned mount_attrs(const struct overlay *o)
{
    return MOUNT_ATTR_NODEV | (o->upper_fd < 0 ? MOUNT_ATTR_RDONLY : 0);
}

static int mount_by_context(const struct overlay *o, enum style style, struct err *err)
{
    AUTO_FD int fs_fd = fsopen("overlay", FSOPEN_CLOEXEC);
    int mount_fd;

    if (fs_fd < 0)
        return err_errno(err, "overlay: open the file system");
    if (set_lowers(fs_fd, o, style, err) < 0 || set_options(fs_fd, o, err) < 0)
        return -1;
    if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        err_errno(err, "overlay: mount of %zu lower directories", o->lower_count);
        add_kernel_words(fs_fd, err);
        return -1;
    }
    mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, mount_attrs(o));
    return mount_fd < 0 ? err_errno(err, "overlay: mount") : mount_fd;
}

/* Attached for a moment at a place of its own (this mount namespace is private), then cloned loose.
 */
static int mount_and_detach(const char *data, const struct overlay *o, struct err *err)
{
    char place[] = "/tmp/.slipway-overlay-XXXXXX";
    unsigned long flags = MS_NODEV | (o->upper_fd < 0 ? MS_RDONLY : 0);
    int mount_fd = -1, rc = 0;

    if (!mkdtemp(place))
        return err_errno(err, "make %s", place);
    if (mount("overlay", place, "overlay", flags, data) < 0) {
        rc = err_errno(err, "overlay: mount of %zu lower directories", o->lower_count);
    } else {
        mount_fd = open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (mount_fd < 0)
            rc = err_errno(err, "overlay: detach the mount");
        umount2(place, MNT_DETACH);
    }
    rmdir(place);
    return rc < 0 ? rc : mount_fd;
}

static int mount_by_string(const struct overlay *o, struct err *err)
{
    SCOPED(buf_release) struct buf data = {0};
    static const char *const optional[] = {
        ",index=off,metacopy=off,xino=off,uuid=off,redirect_dir=nofollow",
        ",index=off,metacopy=off,xino=off,redirect_dir=nofollow", ",index=off"};
    size_t base;

    buf_adds(&data, "lowerdir=");
    for (size_t i = 0; i < o->lower_count; i++)
        buf_addf(&data, "%s/proc/self/fd/%d", i ? ":" : "", o->lower_fds[i]);
    if (o->upper_fd >= 0)
        buf_addf(&data, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,volatile", o->upper_fd,
                 o->work_fd);
    buf_adds(&data, ",userxattr");
    base = data.size;
    for (size_t i = 0;; i++) {
        struct err failure = {0};
        int mount_fd;

        data.size = base;
        buf_adds(&data, optional[i]);
        if (data.size > MOUNT_DATA_MAX)
            return err_set(err, ERR_SYSTEM, E2BIG,
                           "overlay: %zu lower directories are more than this kernel takes (one "
                           "page of names)",
                           o->lower_count);
        mount_fd = mount_and_detach(buf_cstr(&data), o, &failure);
        if (mount_fd >= 0)
            return mount_fd;
        if (failure.code != EINVAL || i + 1 == ARRAY_SIZE(optional)) {
            *err = failure;
            return -1;
        }
    }
}

static int bind_one(int dir_fd, struct err *err)
{
    AUTO_FD int mount_fd =
        open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV};

    if (mount_fd < 0 || mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return err_errno(err, "bind a layer's directory");
    return steal_fd(&mount_fd);
}

/* Only these say that the kernel did not understand; anything else is about the directories. */
static bool not_understood(const struct err *failure)
{
    return failure->code == EINVAL || failure->code == ENOSYS || failure->code == EBADF;
}

int overlay_mount(struct session *session, const struct overlay *overlay, struct err *err)
{
    int first = atomic_load_explicit(&session->overlay_style, memory_order_relaxed);
    struct err told = {0};

    if (session->rung == SESSION_NONE) {
        *err = session->why;
        return err_wrap(err, "no file system can be mounted here");
    }
    if (session_is_plain(session))
        return err_set(err, ERR_SYSTEM, ENOSYS, "isolation %s mounts no file system",
                       session_rung_name(session->rung));
    if (overlay->lower_count == 0)
        return err_set(err, ERR_INPUT, 0, "overlay: there is no lower directory");
    if (overlay->lower_count > OVERLAY_LOWERS_MAX)
        return err_set(err, ERR_INPUT, 0,
                       "overlay: %zu layers are more than the kernel stacks (%d)",
                       overlay->lower_count, OVERLAY_LOWERS_MAX);
    if (overlay->lower_count == 1 && overlay->upper_fd < 0)
        return bind_one(overlay->lower_fds[0], err);
    for (int style = first; style < STYLE_END; style++) {
        struct err failure = {0};
        int fd = style == STYLE_STRING ? mount_by_string(overlay, &failure)
                                       : mount_by_context(overlay, (enum style)style, &failure);
        if (fd >= 0) {
            atomic_store_explicit(&session->overlay_style, style, memory_order_relaxed);
            return fd;
        }
        log_debug("%s", failure.text);
        if (style == first || !not_understood(&failure))
            told = failure;
        if (!not_understood(&failure))
            break;
    }
    *err = told;
    return -1;
}
