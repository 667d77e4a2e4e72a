/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/scope.h"

static const struct {
    const char *name;
    int resource;
} names[] = {
    {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

const char *limit_name(int resource)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].resource == resource)
            return names[i].name;
    return "?";
}

static bool number(struct str text, uint64_t *out)
{
    if (str_is(text, "-1")) {
        *out = LIMIT_NONE;
        return true;
    }
    return str_u64(text, out) && *out != LIMIT_NONE;
}

static struct limit *place_of(struct limits *limits, int resource)
{
    for (size_t i = 0; i < limits->count; i++)
        if (limits->items[i].resource == resource)
            return &limits->items[i];
    return &limits->items[limits->count++];
}

int limits_add(struct limits *limits, struct str text, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    struct str name, values, soft, hard;
    struct limit limit = {.resource = -1};
    bool pair = str_cut(text, '=', &name, &values);

    buf_add_escaped(&shown, str_slice(text, 0, 80));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_is(name, names[i].name))
            limit.resource = names[i].resource;
    if (pair && limit.resource < 0)
        return err_set(err, ERR_USAGE, 0,
                       "%s: unknown limit; there are core, cpu, data, fsize, locks, memlock, "
                       "msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack",
                       buf_cstr(&shown));
    if (!str_cut(values, ':', &soft, &hard))
        hard = soft;
    if (!pair || !number(soft, &limit.soft) || !number(hard, &limit.hard))
        return err_set(err, ERR_USAGE, 0, "%s: want NAME=SOFT[:HARD], -1 for no limit",
                       buf_cstr(&shown));
    if (limit.soft > limit.hard)
        return err_set(err, ERR_USAGE, 0, "%s: the soft limit is above the hard one",
                       buf_cstr(&shown));
    *place_of(limits, limit.resource) = limit;
    return 0;
}

static rlim_t value_of(uint64_t value)
{
    return value == LIMIT_NONE ? RLIM_INFINITY : (rlim_t)value;
}

/* A command that crashes leaves no core in a layer; it may raise the limit itself. */
static int no_cores(struct err *err)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) < 0)
        return err_errno(err, "ask for limit core");
    limit.rlim_cur = 0;
    if (setrlimit(RLIMIT_CORE, &limit) < 0)
        return err_errno(err, "set limit core");
    return 0;
}

int limits_set(const struct limits *limits, struct err *err)
{
    if (no_cores(err) < 0)
        return -1;
    for (size_t i = 0; i < limits->count; i++) {
        const struct limit *l = &limits->items[i];
        struct rlimit now, wanted = {value_of(l->soft), value_of(l->hard)};

        if (getrlimit((__rlimit_resource_t)l->resource, &now) == 0 &&
            wanted.rlim_max > now.rlim_max)
            return err_set(err, ERR_SYSTEM, EPERM,
                           "limit %s: the hard limit here is %" PRIu64
                           " and cannot be raised; start slipway with a higher one",
                           limit_name(l->resource), (uint64_t)now.rlim_max);
        if (setrlimit((__rlimit_resource_t)l->resource, &wanted) < 0)
            return err_errno(err, "set limit %s", limit_name(l->resource));
    }
    return 0;
}
