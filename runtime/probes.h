/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_PROBES_H
#define RUNTIME_PROBES_H

/* The single questions of runtime/doctor.h. Each is asked in a child that is thrown away, and may
 * leave it in any state but must leave nothing on disk. */
#include <stddef.h>

#include "base/err.h"
#include "runtime/session.h"

/* Of the process as it was started. */
struct probe {
    const char *name, *what;
    int (*run)(struct err *err);
};
extern const struct probe probes_host[];
extern const size_t probes_host_count;

/* Of the session that builds will have; store_fd was opened outside of it. */
struct probe_session {
    const char *name, *what;
    int (*run)(struct session *session, int store_fd, struct err *err);
};
extern const struct probe_session probes_session[];
extern const size_t probes_session_count;

#endif
