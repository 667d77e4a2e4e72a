/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "tests/tap.h"

static void fill(struct plan *p)
{
    p->root_fd = 10;
    p->stdout_fd = 11;
    p->network_fd = 12;
    strv_add(&p->argv, "sh");
    strv_add(&p->argv, "");
    strv_add(&p->env, "A=b\nc");
    p->cwd = xstrdup("/w");
    p->hosts = xstrdup("");
    p->hostname = xstrdup("box");
    p->arch = "arm64";
    p->uid = 7;
    p->gid = 4294967294;
    p->groups = xcalloc(2, sizeof(*p->groups));
    p->groups[1] = 5;
    p->groups_count = 2;
    p->network = PLAN_NETWORK_PRIVATE;
    p->tty = p->hold = p->read_only = true;
    p->tty_rows = 25;
    p->shm_size = 4096;
    p->limits = (struct limits){{{7, 10, LIMIT_NONE}}, 1};
    plan_add_bind(p, 13, "/x", true)->is_dir = true;
    plan_add_tmpfs(p, "/tmp", 4096, 01777);
    plan_add_file(p, "/run/secret", (struct str){"a\0b", 3}, 0400)->uid = 9;
    plan_add_move(p, 14, "a\nname", "/run/agent");
    p->plain = true;
    p->aside_fd = 15;
    p->cgroups_count = 2;
    p->cgroup_fds[0] = 16;
    p->cgroup_fds[1] = 17;
    p->no_filter = true;
}

static void round_trip(void)
{
    SCOPED(plan_release) struct plan a = PLAN_INIT, b = PLAN_INIT;
    SCOPED(buf_release) struct buf text = {0}, again = {0};
    int fds[PLAN_FDS_MAX];
    struct err err = {0};
    size_t n;

    fill(&a);
    plan_print(&a, &text);
    n = plan_fds(&a, fds);
    EQ_INT(n, 8);
    EQ_INT(fds[6], 13);
    OKF(plan_parse(buf_str(&text), fds, n, &b, &err) == 0, "%s", err.text);
    EQ_INT(b.root_fd, 10);
    EQ_INT(b.stdin_fd, -1);
    EQ_INT(b.stdout_fd, 11);
    EQ_INT(b.network_fd, 12);
    EQ_STR(b.argv.ptr[1], "");
    EQ_STR(b.env.ptr[0], "A=b\nc");
    EQ_STR(b.hosts, "");
    OK(b.resolv_conf == NULL);
    EQ_INT(b.gid, 4294967294);
    EQ_INT(b.groups[1], 5);
    EQ_INT(b.shm_size, 4096);
    EQ_INT(b.limits.count, 1);
    OK(b.limits.items[0].soft == 10 && b.limits.items[0].hard == LIMIT_NONE);
    EQ_INT(b.mounts_count, 4);
    EQ_INT(b.mounts[0].source_fd, 13);
    OK(b.mounts[0].is_dir && b.mounts[0].read_only && b.mounts[0].detached);
    EQ_INT(b.mounts[2].content.size, 3);
    OK(memcmp(b.mounts[2].content.ptr, "a\0b", 3) == 0);
    EQ_INT(b.mounts[3].kind, PLAN_MOUNT_MOVE);
    EQ_INT(b.mounts[3].source_fd, 14);
    EQ_STR(b.mounts[3].source_name, "a\nname");
    OK(b.plain && b.aside_fd == 15);
    EQ_INT(b.cgroups_count, 2);
    OK(b.cgroup_fds[0] == 16 && b.cgroup_fds[1] == 17 && b.no_filter);
    plan_print(&b, &again);
    OK(again.size == text.size && memcmp(again.ptr, text.ptr, text.size) == 0);
}

/* Every prefix and every other number of descriptors is refused, and leaves nothing behind. */
static void damage(void)
{
    SCOPED(plan_release) struct plan a = PLAN_INIT;
    SCOPED(buf_release) struct buf text = {0};
    int fds[PLAN_FDS_MAX];
    size_t n;

    fill(&a);
    plan_print(&a, &text);
    n = plan_fds(&a, fds);
    for (size_t size = 0; size < text.size; size++) {
        SCOPED(plan_release) struct plan b = PLAN_INIT;
        struct err err = {0};

        if (!OKF(plan_parse((struct str){text.ptr, size}, fds, n, &b, &err) < 0 && err.text[0],
                 "prefix of %zu", size))
            return;
    }
    for (size_t fewer = 0; fewer < n; fewer++) {
        SCOPED(plan_release) struct plan b = PLAN_INIT;
        struct err err = {0};

        OK(plan_parse(buf_str(&text), fds, fewer, &b, &err) < 0);
        EQ_STR(err.text, "the plan is damaged");
    }
}

static void set_argv(struct plan *p)
{
    strv_add(&p->argv, "x");
}
static void no_argv(struct plan *p)
{
    strv_clear(&p->argv);
}
static void empty_argv(struct plan *p)
{
    strv_clear(&p->argv);
    strv_add(&p->argv, "");
}
static void no_root(struct plan *p)
{
    p->root_fd = -1;
}
static void relative(struct plan *p)
{
    p->cwd = xstrdup("a/b");
}
static void nobody(struct plan *p)
{
    p->uid = UINT32_MAX;
}
static void long_name(struct plan *p)
{
    p->hostname = xasprintf("%065d", 0);
}
static void bad_target(struct plan *p)
{
    plan_add_tmpfs(p, "tmp", 0, 0);
}
static void on_root(struct plan *p)
{
    plan_add_tmpfs(p, "/a/../", 0, 0);
}
static void no_source(struct plan *p)
{
    plan_add_bind(p, -1, "/a", false);
}
static void too_many(struct plan *p)
{
    for (int i = 0; i < PLAN_FDS_MAX; i++)
        plan_add_bind(p, 5, "/a", false);
}

static void checks(void)
{
    static const struct {
        void (*change)(struct plan *);
        const char *err; /* NULL: accepted */
    } rows[] = {
        {NULL, NULL},
        {no_argv, "there is no command to run"},
        {empty_argv, "there is no command to run"},
        {no_root, "there is no root to run in"},
        {relative, "working directory \"a/b\" is not an absolute path"},
        {nobody, "4294967295 is no user or group id"},
        {long_name,
         "host name \"00000000000000000000000000000000000000000000000000000000000000000\" is empty "
         "or longer "
         "than 64 bytes"},
        {bad_target, "mount target \"tmp\" is not an absolute path"},
        {on_root, "mount target \"/a/../\" is the root itself"},
        {no_source, "mount on /a has no source"},
        {too_many, "240 mounts are more than a sandbox takes (228)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(plan_release) struct plan p = PLAN_INIT;
        struct err err = {0};
        int rc;

        p.root_fd = 5;
        set_argv(&p);
        if (rows[i].change)
            rows[i].change(&p);
        rc = plan_check(&p, &err);
        OKF(rc == (rows[i].err ? -1 : 0), "row %zu", i);
        if (rows[i].err)
            EQ_STR(err.text, rows[i].err);
    }
}

TAP_MAIN({"print and parse", round_trip}, {"damaged bytes are refused", damage},
         {"impossible plans are refused", checks})
