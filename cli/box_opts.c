/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/box_opts.h"

#include "base/scope.h"

static int set_resources(const struct box_opts *o, struct resources *r, struct err *err)
{
    const struct {
        const char *name, *value;
    } rows[] = {
        {"memory", o->memory},           {"memory-swap", o->memory_swap},
        {"cpu-period", o->cpu_period},   {"cpu-quota", o->cpu_quota},
        {"cpu-shares", o->cpu_shares},   {"cpus", o->cpus},
        {"cpuset-cpus", o->cpuset_cpus}, {"cpuset-mems", o->cpuset_mems},
        {"pids-limit", o->pids},         {"cgroup-parent", o->cgroup_parent},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].value && resources_set(r, rows[i].name, rows[i].value, err) < 0)
            return err_wrap(err, "--%s", rows[i].name);
    return resources_check(r, err);
}

int box_opts_make(const struct box_opts *opts, struct box *box, struct err *err)
{
    const struct {
        const char *name;
        const struct strv *given;
        int (*add)(struct box *, const char *, struct err *);
    } rows[] = {
        {"--security-opt", &opts->security, box_add_security},
        {"--dns", &opts->dns, box_add_dns},
        {"--dns-search", &opts->dns_search, box_add_dns_search},
        {"--dns-option", &opts->dns_options, box_add_dns_option},
    };

    if (box_set_caps(box, &opts->cap_add, &opts->cap_drop, err) < 0)
        return err_wrap(err, "--cap-add, --cap-drop");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t k = 0; k < rows[i].given->count; k++)
            if (rows[i].add(box, rows[i].given->ptr[k], err) < 0)
                return err_wrap(err, "%s", rows[i].name);
    for (size_t i = 0; i < opts->ulimits.count; i++)
        if (limits_add(&box->limits, str_of(opts->ulimits.ptr[i]), err) < 0)
            return err_wrap(err, "--ulimit");
    box->shm_size = opts->shm_size;
    return set_resources(opts, &box->resources, err);
}
