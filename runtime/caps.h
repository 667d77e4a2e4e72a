/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CAPS_H
#define RUNTIME_CAPS_H

/* Capability sets as 64-bit masks (capabilities(7)): the door to capset(2). */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define CAPS_ALL UINT64_MAX

/* CAP_CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW
 * SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP: what Docker leaves to a container's root. */
#define CAPS_DEFAULT UINT64_C(0xa80425fb)

#define CAPS_NAME_MAX 32
/* "CAP_NET_RAW"; "CAP_63" where it has no name. */
const char *caps_name(unsigned cap, char out[static CAPS_NAME_MAX]);
/* "NET_RAW", "cap_net_raw", "ALL"; false when there is none such. */
bool caps_parse(struct str name, uint64_t *mask);

/* Of this process. */
int caps_drop_bounding(uint64_t keep, struct err *err);
int caps_set(uint64_t effective_and_permitted,
             struct err *err); /* inheritable and ambient become empty */
int caps_effective(uint64_t *mask, struct err *err);

#endif
