/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BOX_OPTS_H
#define CLI_BOX_OPTS_H

/* The options of build and run that are about the sandbox: rows for their tables, and what they
 * come to. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"
#include "cli/opts.h"
#include "runtime/box.h"

struct box_opts {
    struct strv cap_add, cap_drop, security, ulimits, dns, dns_search, dns_options;
    uint64_t shm_size;
    const char *memory, *memory_swap, *cpus, *cpu_shares, *cpu_period, *cpu_quota, *cpuset_cpus,
        *cpuset_mems, *pids, *cgroup_parent;
};

/* clang-format off */
#define BOX_OPTS(owner, field)                                                                                         \
    {.type = OPT_LIST, .name = "cap-add", .value = "NAME", .help = "give a capability, or ALL",                        \
     .offset = offsetof(owner, field.cap_add)},                                                                        \
    {.type = OPT_LIST, .name = "cap-drop", .value = "NAME", .help = "take a capability, or ALL",                       \
     .offset = offsetof(owner, field.cap_drop)},                                                                       \
    {.type = OPT_LIST, .name = "security-opt", .value = "OPTION",                                                      \
     .help = "no-new-privileges, or seccomp=unconfined", .offset = offsetof(owner, field.security)},                   \
    {.type = OPT_SIZE, .name = "shm-size", .value = "SIZE", .help = "size of /dev/shm (default: 64m)",                 \
     .offset = offsetof(owner, field.shm_size)},                                                                       \
    {.type = OPT_LIST, .name = "ulimit", .value = "NAME=SOFT[:HARD]", .help = "a resource limit",                      \
     .offset = offsetof(owner, field.ulimits)},                                                                        \
    {.type = OPT_LIST, .name = "dns", .value = "ADDRESS", .help = "a name server, in place of this host's",            \
     .offset = offsetof(owner, field.dns)},                                                                            \
    {.type = OPT_LIST, .name = "dns-search", .value = "DOMAIN", .help = "a domain to search in, in place of this host's",\
     .offset = offsetof(owner, field.dns_search)},                                                                     \
    {.type = OPT_LIST, .name = "dns-option", .value = "OPTION", .help = "an option of resolv.conf, in place of this host's",\
     .offset = offsetof(owner, field.dns_options)},                                                                    \
    {.type = OPT_STR, .letter = 'm', .name = "memory", .value = "SIZE", .help = "the memory it may use, as in 512m",   \
     .offset = offsetof(owner, field.memory)},                                                                         \
    {.type = OPT_STR, .name = "memory-swap", .value = "SIZE", .help = "memory and swap together (default: twice the memory)",\
     .offset = offsetof(owner, field.memory_swap)},                                                                    \
    {.type = OPT_STR, .name = "cpus", .value = "NUMBER", .help = "how many processors' time, as in 1.5",               \
     .offset = offsetof(owner, field.cpus)},                                                                           \
    {.type = OPT_STR, .letter = 'c', .name = "cpu-shares", .value = "NUMBER", .help = "its weight against others; 1024 is usual",\
     .offset = offsetof(owner, field.cpu_shares)},                                                                     \
    {.type = OPT_STR, .name = "cpu-period", .value = "US", .help = "the period of --cpu-quota (default: 100000)",      \
     .offset = offsetof(owner, field.cpu_period)},                                                                     \
    {.type = OPT_STR, .name = "cpu-quota", .value = "US", .help = "processor time in each period",                     \
     .offset = offsetof(owner, field.cpu_quota)},                                                                      \
    {.type = OPT_STR, .name = "cpuset-cpus", .value = "LIST", .help = "the processors it may use, as in 0-2,4",        \
     .offset = offsetof(owner, field.cpuset_cpus)},                                                                    \
    {.type = OPT_STR, .name = "cpuset-mems", .value = "LIST", .help = "the memory nodes it may use",                   \
     .offset = offsetof(owner, field.cpuset_mems)},                                                                    \
    {.type = OPT_STR, .name = "pids-limit", .value = "NUMBER", .help = "how many processes there may be",              \
     .offset = offsetof(owner, field.pids)},                                                                           \
    {.type = OPT_STR, .name = "cgroup-parent", .value = "PATH", .help = "the cgroup that its own is made in",          \
     .offset = offsetof(owner, field.cgroup_parent)}
/* clang-format on */

/* ERR_USAGE, with the option's name. */
int box_opts_make(const struct box_opts *opts, struct box *box, struct err *err);

#endif
