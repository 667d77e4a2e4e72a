/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/resources.h"

#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

/* Options as "name=value name=value", into files and values, of version 1 and of version 2. */
static int set_all(struct resources *r, const char *text, struct err *err)
{
    struct str rest = str_of(text), one, name, value;

    while (rest.size) {
        str_cut(rest, ' ', &one, &rest);
        str_cut(one, '=', &name, &value);
        AUTO_FREE char *key = str_dup(name);
        AUTO_FREE char *word = str_dup(value);
        if (resources_set(r, key, word, err) < 0)
            return -1;
    }
    return resources_check(r, err);
}

static void print(const struct resources *r, bool unified, struct buf *out)
{
    struct resources_setting s[RESOURCES_SETTINGS_MAX];
    size_t count = resources_settings(r, unified, s);

    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s%s=%s%s", i ? " " : "", s[i].file, s[i].value, s[i].optional ? "?" : "");
    resources_settings_release(s, count);
}

static void files(void)
{
    static const struct {
        const char *options, *one, *two;
    } rows[] = {
        {"memory=0 memory-swap=0 cpu-quota=-1 cpu-shares=0 pids-limit=-1 cpuset-cpus=", "", ""},
        {"memory=64m", "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=134217728?",
         "memory.max=67108864 memory.swap.max=67108864?"},
        {"memory=64m memory-swap=65m",
         "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=68157440",
         "memory.max=67108864 memory.swap.max=1048576"},
        {"memory=64m memory-swap=-1",
         "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=-1?",
         "memory.max=67108864 memory.swap.max=max?"},
        {"cpus=1.5", "cpu.cfs_period_us=100000 cpu.cfs_quota_us=150000", "cpu.max=150000 100000"},
        {"cpus=.25", "cpu.cfs_period_us=100000 cpu.cfs_quota_us=25000", "cpu.max=25000 100000"},
        {"cpu-quota=5000", "cpu.cfs_period_us=100000 cpu.cfs_quota_us=5000", "cpu.max=5000 100000"},
        {"cpu-period=20000", "cpu.cfs_period_us=20000", "cpu.max=max 20000"},
        {"cpu-shares=1024", "cpu.shares=1024", "cpu.weight=39"},
        {"cpu-shares=2", "cpu.shares=2", "cpu.weight=1"},
        {"cpu-shares=262144", "cpu.shares=262144", "cpu.weight=10000"},
        {"cpuset-cpus=0-2,4 cpuset-mems=0", "cpuset.cpus=0-2,4 cpuset.mems=0",
         "cpuset.cpus=0-2,4 cpuset.mems=0"},
        {"pids-limit=20", "pids.max=20", "pids.max=20"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(resources_release) struct resources r = {0};
        SCOPED(buf_release) struct buf one = {0}, two = {0};
        struct err err = {0};

        OKF(set_all(&r, rows[i].options, &err) == 0, "%s: %s", rows[i].options, err.text);
        print(&r, false, &one);
        print(&r, true, &two);
        EQ_STR(buf_cstr(&one), rows[i].one);
        EQ_STR(buf_cstr(&two), rows[i].two);
        OK(resources_any(&r) == (rows[i].one[0] != 0));
    }
}

static void refused(void)
{
    static const struct {
        const char *options, *err;
    } rows[] = {
        {"memory=x", "\"x\": want a size, as in 512m"},
        {"memory=5m", "\"5m\": want 6m or more: nothing runs in less"},
        {"memory=99999999999999999999", "\"99999999999999999999\": want a size, as in 512m"},
        {"memory-swap=1g", "--memory-swap: it needs --memory, which it includes"},
        {"memory=64m memory-swap=32m",
         "--memory-swap: it includes the memory, so it is --memory or more"},
        {"cpus=two", "\"two\": want a number of processors, as in 1.5"},
        {"cpus=1.5.5", "\"1.5.5\": want a number of processors, as in 1.5"},
        {"cpus=5000", "\"5000\": want a number of processors, as in 1.5"},
        {"cpus=0.001", "\"0.001\": want 0.01 or more processors"},
        {"cpu-period=50000 cpus=1", "it says what --cpu-quota and --cpu-period say too"},
        {"cpu-shares=1", "\"1\": want a number from 2 to 262144"},
        {"cpu-period=999", "\"999\": want a number from 1000 to 1000000"},
        {"pids-limit=many", "\"many\": want a number from 1 to 4194304"},
        {"cpuset-cpus=a", "\"a\": want numbers and ranges, as in 0-2,4"},
        {"cpuset-mems=-1", "\"-1\": want numbers and ranges, as in 0-2,4"},
        {"cgroup-parent=/a/../b", "\"/a/../b\": want a cgroup's path without \"..\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(resources_release) struct resources r = {0};
        struct err err = {0};

        OKF(set_all(&r, rows[i].options, &err) < 0, "%s", rows[i].options);
        EQ_STR(err.text, rows[i].err);
    }
}

static void without_cgroup(void)
{
    SCOPED(resources_release) struct resources r = {0}, other = {0};
    struct limits limits = {{{RLIMIT_NPROC, 7, 8}}, 1};
    struct err err = {0};

    OK(set_all(&r, "memory=64m pids-limit=20", &err) == 0);
    OK(resources_to_limits(&r, &limits, &err) == 0);
    EQ_INT(limits.count, 2);
    OK(limits.items[0].soft == 7); /* --ulimit says it already */
    OK(limits.items[1].resource == RLIMIT_DATA && limits.items[1].hard == 64 << 20);
    OK(set_all(&other, "cpus=1", &err) == 0);
    OK(resources_to_limits(&other, &limits, &err) < 0);
    OK(strstr(err.text, "--cpus, --cpu-quota and --cpu-period: that takes a cgroup"));
}

TAP_MAIN({"files", files}, {"refused", refused}, {"without a cgroup", without_cgroup})
