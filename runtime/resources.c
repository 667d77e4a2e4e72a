/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/resources.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "base/str.h"

/* Docker's bounds (moby, daemon/daemon_unix.go; kernel, sched-bwc). */
#define MEMORY_MIN (6u << 20)
#define PERIOD_DEFAULT 100000
#define PERIOD_MIN 1000
#define PERIOD_MAX 1000000
#define QUOTA_MIN 1000
#define SHARES_MIN 2
#define SHARES_MAX 262144
#define CPUS_MAX 4096

void resources_release(struct resources *r)
{
    free(r->cpuset_cpus);
    free(r->cpuset_mems);
    free(r->parent);
    *r = (struct resources){0};
}

bool resources_any(const struct resources *r)
{
    return r->memory || r->memory_swap || r->cpu_period || r->cpu_quota || r->cpu_shares ||
           r->pids || r->cpuset_cpus || r->cpuset_mems || r->parent;
}

/* ---- texts ---- */

static int refuse(struct err *err, const char *text, const char *want)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(str_of(text), 0, 80));
    return err_set(err, ERR_USAGE, 0, "\"%s\": want %s", buf_cstr(&shown), want);
}

static bool is_none(const char *text)
{
    return !text[0] || strcmp(text, "0") == 0 || strcmp(text, "-1") == 0;
}

static int set_memory(const char *text, uint64_t *out, struct err *err)
{
    if (is_none(text))
        return 0;
    if (!str_size(str_of(text), out) || *out > INT64_MAX)
        return refuse(err, text, "a size, as in 512m");
    if (*out < MEMORY_MIN)
        return refuse(err, text, "6m or more: nothing runs in less");
    return 0;
}

static int set_swap(const char *text, int64_t *out, struct err *err)
{
    uint64_t size = 0;

    *out = strcmp(text, "-1") == 0 ? -1 : 0;
    if (is_none(text))
        return 0;
    if (set_memory(text, &size, err) < 0)
        return -1;
    *out = (int64_t)size;
    return 0;
}

static int set_number(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *err)
{
    if (is_none(text))
        return 0;
    if (!str_u64(str_of(text), out) || *out < min || *out > max) {
        AUTO_FREE char *want = xasprintf("a number from %" PRIu64 " to %" PRIu64, min, max);

        return refuse(err, text, want);
    }
    return 0;
}

/* "1.5" processors: a quota of the default period; three digits after the point are what a quota of
 * 100 ms tells apart, with two more. */
static int set_cpus(struct resources *r, const char *text, struct err *err)
{
    struct str whole, part;
    uint64_t value = 0, unit = PERIOD_DEFAULT / 10;
    bool point = str_cut(str_of(text), '.', &whole, &part);

    if (is_none(text))
        return 0;
    if (!(whole.size == 0 && point) && (!str_u64(whole, &value) || value > CPUS_MAX))
        return refuse(err, text, "a number of processors, as in 1.5");
    value *= PERIOD_DEFAULT;
    for (size_t i = 0; i < part.size; i++, unit /= 10) {
        if (part.ptr[i] < '0' || part.ptr[i] > '9' || part.size > 9)
            return refuse(err, text, "a number of processors, as in 1.5");
        value += unit * (uint64_t)(part.ptr[i] - '0');
    }
    if (value < QUOTA_MIN)
        return refuse(err, text, "0.01 or more processors");
    if (r->cpu_quota || r->cpu_period)
        return err_set(err, ERR_USAGE, 0, "it says what --cpu-quota and --cpu-period say too");
    r->cpu_quota = value;
    r->cpu_period = PERIOD_DEFAULT;
    return 0;
}

static int set_list(const char *text, char **out, struct err *err)
{
    if (!text[0])
        return 0;
    if (text[strspn(text, "0123456789,-")] || !(text[0] >= '0' && text[0] <= '9'))
        return refuse(err, text, "numbers and ranges, as in 0-2,4");
    free(*out);
    *out = xstrdup(text);
    return 0;
}

static int set_parent(const char *text, char **out, struct err *err)
{
    if (!text[0])
        return 0;
    for (struct str rest = str_of(text), name; rest.size;) {
        str_cut(rest, '/', &name, &rest);
        if (str_is(name, ".."))
            return refuse(err, text, "a cgroup's path without \"..\"");
    }
    free(*out);
    *out = xstrdup(text);
    return 0;
}

int resources_set(struct resources *r, const char *name, const char *text, struct err *err)
{
    if (strcmp(name, "memory") == 0)
        return set_memory(text, &r->memory, err);
    if (strcmp(name, "memory-swap") == 0)
        return set_swap(text, &r->memory_swap, err);
    if (strcmp(name, "cpu-shares") == 0)
        return set_number(text, SHARES_MIN, SHARES_MAX, &r->cpu_shares, err);
    if (strcmp(name, "cpu-period") == 0)
        return set_number(text, PERIOD_MIN, PERIOD_MAX, &r->cpu_period, err);
    if (strcmp(name, "cpu-quota") == 0)
        return set_number(text, QUOTA_MIN, INT64_MAX / 1000, &r->cpu_quota, err);
    if (strcmp(name, "cpus") == 0)
        return set_cpus(r, text, err);
    if (strcmp(name, "pids-limit") == 0)
        return set_number(text, 1, 4194304, &r->pids, err);
    if (strcmp(name, "cpuset-cpus") == 0)
        return set_list(text, &r->cpuset_cpus, err);
    if (strcmp(name, "cpuset-mems") == 0)
        return set_list(text, &r->cpuset_mems, err);
    BUG_ON(strcmp(name, "cgroup-parent") != 0);
    return set_parent(text, &r->parent, err);
}

int resources_check(const struct resources *r, struct err *err)
{
    if (r->memory_swap && !r->memory)
        return err_set(err, ERR_USAGE, 0, "--memory-swap: it needs --memory, which it includes");
    if (r->memory_swap > 0 && (uint64_t)r->memory_swap < r->memory)
        return err_set(err, ERR_USAGE, 0,
                       "--memory-swap: it includes the memory, so it is --memory or more");
    return 0;
}

/* ---- files of a cgroup ---- */

struct settings {
    struct resources_setting *out;
    size_t count;
};

static struct resources_setting *add(struct settings *s, const char *controller, const char *file,
                                     char *value)
{
    BUG_ON(s->count == RESOURCES_SETTINGS_MAX);
    s->out[s->count] = (struct resources_setting){controller, file, value, false};
    return &s->out[s->count++];
}

static char *number(uint64_t value)
{
    return xasprintf("%" PRIu64, value);
}

static void add_memory(struct settings *s, const struct resources *r, bool unified)
{
    uint64_t both = r->memory_swap > 0          ? (uint64_t)r->memory_swap
                    : r->memory > INT64_MAX / 2 ? INT64_MAX
                                                : r->memory * 2;

    add(s, "memory", unified ? "memory.max" : "memory.limit_in_bytes", number(r->memory));
    if (unified)
        add(s, "memory", "memory.swap.max",
            r->memory_swap < 0 ? xstrdup("max") : number(both - r->memory))
            ->optional = r->memory_swap <= 0;
    else
        add(s, "memory", "memory.memsw.limit_in_bytes",
            r->memory_swap < 0 ? xstrdup("-1") : number(both))
            ->optional = r->memory_swap <= 0;
}

static void add_cpu(struct settings *s, const struct resources *r, bool unified)
{
    uint64_t period = r->cpu_period ? r->cpu_period : PERIOD_DEFAULT;

    if (unified && (r->cpu_quota || r->cpu_period)) {
        add(s, "cpu", "cpu.max",
            r->cpu_quota ? xasprintf("%" PRIu64 " %" PRIu64, r->cpu_quota, period)
                         : xasprintf("max %" PRIu64, period));
    } else if (r->cpu_quota || r->cpu_period) {
        add(s, "cpu", "cpu.cfs_period_us", number(period));
        if (r->cpu_quota)
            add(s, "cpu", "cpu.cfs_quota_us", number(r->cpu_quota));
    }
    /* The same mapping as other runtimes have: 2 to 262144 onto 1 to 10000. */
    if (r->cpu_shares)
        add(s, "cpu", unified ? "cpu.weight" : "cpu.shares",
            number(unified ? 1 + (r->cpu_shares - 2) * 9999 / 262142 : r->cpu_shares));
}

size_t resources_settings(const struct resources *r, bool unified,
                          struct resources_setting out[static RESOURCES_SETTINGS_MAX])
{
    struct settings s = {.out = out};

    if (r->cpuset_cpus)
        add(&s, "cpuset", "cpuset.cpus", xstrdup(r->cpuset_cpus));
    if (r->cpuset_mems)
        add(&s, "cpuset", "cpuset.mems", xstrdup(r->cpuset_mems));
    if (r->memory)
        add_memory(&s, r, unified);
    add_cpu(&s, r, unified);
    if (r->pids)
        add(&s, "pids", "pids.max", number(r->pids));
    return s.count;
}

void resources_settings_release(struct resources_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(settings[i].value);
}

/* ---- without a cgroup ---- */

static void put_limit(struct limits *limits, int resource, uint64_t value)
{
    for (size_t i = 0; i < limits->count; i++)
        if (limits->items[i].resource == resource)
            return;
    BUG_ON(limits->count == LIMITS_MAX);
    limits->items[limits->count++] = (struct limit){resource, value, value};
}

int resources_to_limits(const struct resources *r, struct limits *limits, struct err *err)
{
    const struct {
        bool asked;
        const char *option;
    } rows[] = {
        {r->cpu_quota || r->cpu_period, "--cpus, --cpu-quota and --cpu-period"},
        {r->cpu_shares, "--cpu-shares"},
        {r->cpuset_cpus, "--cpuset-cpus"},
        {r->cpuset_mems, "--cpuset-mems"},
        {r->parent, "--cgroup-parent"},
        {r->memory_swap > 0, "--memory-swap"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].asked)
            return err_set(err, ERR_SYSTEM, 0,
                           "%s: that takes a cgroup; start slipway in one of its own: systemd-run "
                           "--user --scope -p Delegate=yes slipway …",
                           rows[i].option);
    /* Data and not address space: programs reserve far more of that than they use. */
    if (r->memory)
        put_limit(limits, RLIMIT_DATA, r->memory);
    if (r->pids)
        put_limit(limits, RLIMIT_NPROC, r->pids);
    return 0;
}
