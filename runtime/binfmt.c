/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/binfmt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/syscalls.h"

static int mount_instance(struct err *err)
{
    AUTO_FD int fs_fd = fsopen("binfmt_misc", FSOPEN_CLOEXEC);
    int fd;

    if (fs_fd < 0 && errno == ENODEV)
        return err_set(err, ERR_SYSTEM, ENODEV,
                       "this kernel has no binfmt_misc (as root: modprobe binfmt_misc)");
    if (fs_fd < 0)
        return err_errno(err, "open binfmt_misc");
    if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return errno == EPERM
                   ? err_set(err, ERR_SYSTEM, EPERM,
                             "a user namespace gets no binfmt_misc of its own here (Linux 6.7 and "
                             "later give it one)")
                   : err_errno(err, "make a binfmt_misc");
    fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    return fd < 0 ? err_errno(err, "mount binfmt_misc") : fd;
}

/* The kernel opens the interpreter by name; the name, which emulated programs have in their host's
 * list of processes, shall say what it is. */
static int register_one(struct binfmt *b, size_t arch, int fd, struct err *err)
{
    SCOPED(buf_release) struct buf line = {0};
    char target[FS_FD_PATH_MAX], link[64] = "/";
    size_t size = 1;

    for (const char *c = emulate_program_name(arch); *c && size + 1 < sizeof(link); c++)
        link[size++] = *c;
    unlink(link);
    if (symlink(fs_fd_path(fd, target), link) < 0)
        return err_errno(err, "name the emulator");
    emulate_registration(arch, link, &line);
    AUTO_FD int register_fd = openat(b->mount_fd, "register", O_WRONLY | O_CLOEXEC);
    if (register_fd < 0)
        return err_errno(err, "open binfmt_misc's register");
    if (write(register_fd, line.ptr, line.size) != (ssize_t)line.size)
        return err_errno(err, "register the emulator in binfmt_misc");
    unlink(link);
    b->ours |= 1u << arch;
    return 0;
}

/* An emulator that cannot be registered is told of when it is asked for. */
static int open_instance(struct binfmt *b, size_t asked, const int fds[static EMULATE_ARCHS],
                         struct err *err)
{
    b->tried = true;
    b->mount_fd = mount_instance(&b->none);
    if (b->mount_fd < 0)
        return 0;
    for (size_t i = 0; i < EMULATE_ARCHS; i++) {
        struct err failure = {0};

        if (fds[i] < 0 || (emulate_may_be_native(i) && emulate_runs(emulate_archs[i])))
            continue;
        if (register_one(b, i, fds[i], &failure) < 0 && i == asked) {
            *err = failure;
            return -1;
        }
    }
    return 0;
}

static enum binfmt_verdict judge(struct binfmt *b, size_t arch, struct err *why)
{
    if (!emulate_runs(emulate_archs[arch])) {
        if (b->ours & 1u << arch)
            err_set(why, ERR_SYSTEM, ENOEXEC, "the emulator cannot run the smallest program");
        else if (b->none.kind != ERR_NONE)
            *why = b->none;
        return BINFMT_NONE;
    }
    if (b->ours & 1u << arch)
        return BINFMT_OURS;
    if (emulate_may_be_native(arch))
        return BINFMT_NATIVE;
    b->host |= 1u << arch;
    *why = b->none;
    return BINFMT_HOST;
}

enum binfmt_verdict binfmt_ask(struct binfmt *b, size_t arch, const int fds[static EMULATE_ARCHS],
                               bool may_mount, struct err *why)
{
    bool wanted = may_mount && !b->tried && fds[arch] >= 0;

    if (wanted && b->host) {
        size_t used = (size_t)__builtin_ctz(b->host);

        err_set(why, ERR_SYSTEM, EBUSY,
                "programs for %s already run by what the host registered, which would be lost: "
                "give that emulator too (--emulator %s=PATH)",
                emulate_archs[used], emulate_archs[used]);
        return BINFMT_NONE;
    }
    if (wanted && open_instance(b, arch, fds, why) < 0)
        return BINFMT_NONE;
    return judge(b, arch, why);
}
