/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_net.h"

#include "base/scope.h"
#include "runtime/net.h"

static enum plan_network plan_of(enum run_network network)
{
    switch (network) {
    case RUN_NETWORK_NONE:
        return PLAN_NETWORK_NONE;
    case RUN_NETWORK_PRIVATE:
        return PLAN_NETWORK_PRIVATE;
    default:
        return PLAN_NETWORK_HOST;
    }
}

/* A host without a resolv.conf, or with one that cannot be read, gives an empty one. */
static char *resolv_conf(const struct run_options *options, bool is_private)
{
    SCOPED(buf_release) struct buf host = {0};
    struct buf text = {0};
    struct err ignored = {0};

    if (net_resolv_conf(is_private, &host, &ignored) < 0)
        buf_clear(&host);
    box_print_resolv_conf(&options->box, buf_str(&host), &text);
    return buf_steal(&text);
}

int run_net_fill(const struct run_options *options, enum run_network network, const char *host_name,
                 struct plan *plan, struct err *err)
{
    struct buf hosts = {0};

    plan->network = plan_of(network);
    plan->hold = plan->network == PLAN_NETWORK_PRIVATE;
    if (plan->hold && (uplink_check_program(err) < 0 || uplink_check_tun(err) < 0))
        return err_wrap(err, "--network=private");
    if (net_hosts(host_name, &options->hosts, &hosts, err) < 0)
        return -1;
    plan->hosts = buf_steal(&hosts);
    plan->resolv_conf = resolv_conf(options, plan->hold);
    return 0;
}

int run_net_begin(const struct plan *plan, struct run *run, struct uplink *uplink, struct err *err)
{
    if (!plan->hold)
        return 0;
    if (uplink_begin(uplink, run->netns_fd, err) < 0)
        return err_wrap(err, "--network=private");
    run_go(run);
    return 0;
}
