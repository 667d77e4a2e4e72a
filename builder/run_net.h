/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUN_NET_H
#define BUILDER_RUN_NET_H

/* The network of one RUN step: its names in the plan, and the way out of a network of its own. */
#include "base/err.h"
#include "builder/run_options.h"
#include "runtime/plan.h"
#include "runtime/run.h"
#include "runtime/uplink.h"

/* hosts, resolv.conf and network. host_name: whose line /etc/hosts has. ERR_SYSTEM: a private one
 * without what it takes. */
int run_net_fill(const struct run_options *options, enum run_network network, const char *host_name,
                 struct plan *plan, struct err *err);
/* After run_start() of a plan that holds: the way out, then the command begins. On failure the run
 * is to be released. */
int run_net_begin(const struct plan *plan, struct run *run, struct uplink *uplink, struct err *err);

#endif
