/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup.h"
#include "runtime/cgroup_guard.h"

#include <string.h>

#include "base/scope.h"
#include "tests/tap.h"

static const char hybrid[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw shared:7 master:2 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "42 31 0:39 / /a\\040b\\134 rw - cgroup cgroup rw,pids\n";
static const char hybrid_self[] = "4:memory:/user/a:b\n3:pids:/\n2:cpu,cpuacct:/x\n0::/u\n";
/* A container's: the mount shows its own part alone. */
static const char inner[] = "50 49 0:26 /docker/1f /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n";

static void places(void)
{
    static const struct {
        const char *mountinfo, *self, *controller, *parent, *want;
    } rows[] = {
        {hybrid, hybrid_self, "memory", NULL, "/sys/fs/cgroup/memory/user/a:b"},
        {hybrid, hybrid_self, "cpu", NULL, "/sys/fs/cgroup/cpu,cpuacct/x"},
        {hybrid, hybrid_self, "pids", NULL, "/a b\\"},
        {hybrid, hybrid_self, "cpuset", NULL, NULL},
        {hybrid, hybrid_self, NULL, NULL, "/sys/fs/cgroup/unified/u"},
        {hybrid, hybrid_self, "memory", "ci/jobs/", "/sys/fs/cgroup/memory/ci/jobs"},
        {hybrid, hybrid_self, NULL, "/", "/sys/fs/cgroup/unified"},
        {inner, "0::/docker/1f/job\n", NULL, NULL, "/sys/fs/cgroup/job"},
        {inner, "0::/docker/1f\n", NULL, NULL, "/sys/fs/cgroup"},
        {inner, "0::/docker/1f2\n", NULL, NULL, "/sys/fs/cgroup"},
        {inner, "0::/\n", NULL, NULL, "/sys/fs/cgroup"},
        {inner, "", NULL, NULL, NULL},
        {"", hybrid_self, "memory", NULL, NULL},
        {"1 2 3", hybrid_self, "memory", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf dir = {0};
        bool found = cgroup_find(str_of(rows[i].mountinfo), str_of(rows[i].self),
                                 rows[i].controller, rows[i].parent, &dir);

        OKF(found == (rows[i].want != NULL), "row %zu", i);
        if (found && rows[i].want)
            EQ_STR(buf_cstr(&dir), rows[i].want);
    }
}

static void nothing_asked(void)
{
    SCOPED(cgroup_release) struct cgroup g = {0};
    struct resources none = {0};
    struct cgroup_guard guard = CGROUP_GUARD_CLOSED;
    struct err err = {0};

    EQ_INT(cgroup_settle(&none, &guard, &err), 0);
    EQ_INT(guard.pid, 0);
    EQ_INT(cgroup_make(&none, &g, &err), 0);
    EQ_INT(g.count, 0);
    EQ_INT(cgroup_oom_kills(&g), 0);
}

TAP_MAIN({"places", places}, {"nothing asked for", nothing_asked})
