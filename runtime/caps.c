/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

/* By number: capabilities(7), linux/capability.h. */
static const char *const names[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};

const char *caps_name(unsigned cap, char out[static CAPS_NAME_MAX])
{
    if (cap < ARRAY_SIZE(names))
        snprintf(out, CAPS_NAME_MAX, "CAP_%s", names[cap]);
    else
        snprintf(out, CAPS_NAME_MAX, "CAP_%u", cap);
    return out;
}

bool caps_parse(struct str name, uint64_t *mask)
{
    if (str_is_nocase(name, "all")) {
        *mask = CAPS_ALL;
        return true;
    }
    if (name.size > 4 && str_is_nocase(str_slice(name, 0, 4), "cap_"))
        name = str_slice(name, 4, name.size);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_is_nocase(name, names[i])) {
            *mask = UINT64_C(1) << i;
            return true;
        }
    return false;
}

int caps_drop_bounding(uint64_t keep, struct err *err)
{
    for (unsigned cap = 0; cap < 64; cap++) {
        if (keep >> cap & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
            if (errno == EINVAL) /* past the last capability this kernel knows */
                return 0;
            return err_errno(err, "drop capability %u from the bounding set", cap);
        }
    }
    return 0;
}

int caps_set(uint64_t mask, struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)mask, .permitted = (uint32_t)mask},
        {.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
    };

    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &head, data) < 0)
        return err_errno(err, "set capabilities");
    return 0;
}

int caps_effective(uint64_t *mask, struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &head, data) < 0)
        return err_errno(err, "read capabilities");
    *mask = data[0].effective | (uint64_t)data[1].effective << 32;
    return 0;
}
