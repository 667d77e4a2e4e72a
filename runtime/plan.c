/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"

/* Both ends are one program, so numbers travel as they lie in memory; the magic tells versions
 * apart all the same. */
#define PLAN_MAGIC UINT64_C(0x736c69706c616e34)
#define ABSENT UINT64_MAX /* length of a string that is NULL */

void plan_release(struct plan *plan)
{
    strv_release(&plan->argv);
    strv_release(&plan->env);
    free(plan->cwd);
    free(plan->groups);
    free(plan->hostname);
    free(plan->hosts);
    free(plan->resolv_conf);
    free(plan->hostname_file);
    free(plan->arch_parsed);
    for (size_t i = 0; i < plan->mounts_count; i++) {
        free(plan->mounts[i].target);
        free(plan->mounts[i].source_name);
        buf_release(&plan->mounts[i].content);
    }
    free(plan->mounts);
    *plan = (struct plan)PLAN_INIT;
}

static struct plan_mount *add_mount(struct plan *plan, enum plan_mount_kind kind,
                                    const char *target)
{
    struct plan_mount *m;

    VEC_GROW(plan->mounts, plan->mounts_count, plan->mounts_capacity);
    m = &plan->mounts[plan->mounts_count++];
    *m = (struct plan_mount){.kind = kind, .target = xstrdup(target), .source_fd = -1};
    return m;
}

struct plan_mount *plan_add_bind(struct plan *plan, int source_fd, const char *target,
                                 bool read_only)
{
    struct plan_mount *m = add_mount(plan, PLAN_MOUNT_BIND, target);
    struct stat st;

    m->source_fd = source_fd;
    m->read_only = read_only;
    m->is_dir = fstat(source_fd, &st) == 0 && S_ISDIR(st.st_mode);
    return m;
}

struct plan_mount *plan_add_tmpfs(struct plan *plan, const char *target, uint64_t size,
                                  uint32_t mode)
{
    struct plan_mount *m = add_mount(plan, PLAN_MOUNT_TMPFS, target);

    m->is_dir = true;
    m->size = size;
    m->mode = mode;
    return m;
}

struct plan_mount *plan_add_file(struct plan *plan, const char *target, struct str content,
                                 uint32_t mode)
{
    struct plan_mount *m = add_mount(plan, PLAN_MOUNT_FILE, target);

    m->mode = mode;
    buf_add_str(&m->content, content);
    return m;
}

struct plan_mount *plan_add_move(struct plan *plan, int dir_fd, const char *name,
                                 const char *target)
{
    struct plan_mount *m = add_mount(plan, PLAN_MOUNT_MOVE, target);
    struct stat st;

    m->source_fd = dir_fd;
    m->source_name = xstrdup(name);
    m->is_dir = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
    return m;
}

static int check_mount(const struct plan_mount *m, struct err *err)
{
    if (m->target[0] != '/')
        return err_set(err, ERR_INPUT, 0, "mount target \"%s\" is not an absolute path", m->target);
    AUTO_FREE char *clean = path_clean(str_of(m->target));
    if (strcmp(clean, "/") == 0)
        return err_set(err, ERR_INPUT, 0, "mount target \"%s\" is the root itself", m->target);
    if ((m->kind == PLAN_MOUNT_BIND || m->kind == PLAN_MOUNT_MOVE) && m->source_fd < 0)
        return err_set(err, ERR_INPUT, 0, "mount on %s has no source", m->target);
    return 0;
}

int plan_check(const struct plan *plan, struct err *err)
{
    size_t fds = 7 + PLAN_CGROUPS_MAX;

    if (plan->argv.count == 0 || !plan->argv.ptr[0][0])
        return err_set(err, ERR_INPUT, 0, "there is no command to run");
    if (plan->root_fd < 0)
        return err_set(err, ERR_INPUT, 0, "there is no root to run in");
    if (plan->cwd && plan->cwd[0] != '/')
        return err_set(err, ERR_INPUT, 0, "working directory \"%s\" is not an absolute path",
                       plan->cwd);
    if (plan->uid == UINT32_MAX || plan->gid == UINT32_MAX)
        return err_set(err, ERR_INPUT, 0, "4294967295 is no user or group id");
    /* utsname's nodename is 64 bytes. */
    if (plan->hostname && (!plan->hostname[0] || strlen(plan->hostname) > 64))
        return err_set(err, ERR_INPUT, 0, "host name \"%s\" is empty or longer than 64 bytes",
                       plan->hostname);
    for (size_t i = 0; i < plan->mounts_count; i++) {
        if (check_mount(&plan->mounts[i], err) < 0)
            return -1;
        fds += plan->mounts[i].source_fd >= 0;
    }
    if (fds > PLAN_FDS_MAX)
        return err_set(err, ERR_INPUT, 0, "%zu mounts are more than a sandbox takes (%d)",
                       plan->mounts_count, PLAN_FDS_MAX - 7 - PLAN_CGROUPS_MAX);
    return 0;
}

static void put_u64(struct buf *b, uint64_t v)
{
    buf_add(b, &v, sizeof(v));
}

static void put_bytes(struct buf *b, const void *bytes, size_t size)
{
    put_u64(b, size);
    buf_add(b, bytes, size);
}

static void put_text(struct buf *b, const char *s)
{
    if (s)
        put_bytes(b, s, strlen(s));
    else
        put_u64(b, ABSENT);
}

static void put_strv(struct buf *b, const struct strv *v)
{
    put_u64(b, v->count);
    for (size_t i = 0; i < v->count; i++)
        put_text(b, v->ptr[i]);
}

static void put_mount(struct buf *b, const struct plan_mount *m)
{
    put_u64(b, m->kind);
    put_text(b, m->target);
    put_text(b, m->source_name);
    put_u64(b, m->source_fd >= 0);
    put_u64(b, m->is_dir);
    put_u64(b, m->read_only);
    put_u64(b, m->size);
    put_u64(b, m->mode);
    put_u64(b, m->uid);
    put_u64(b, m->gid);
    put_bytes(b, m->content.ptr, m->content.size);
}

static void put_limits(struct buf *b, const struct limits *limits)
{
    put_u64(b, limits->count);
    for (size_t i = 0; i < limits->count; i++) {
        put_u64(b, (uint64_t)limits->items[i].resource);
        put_u64(b, limits->items[i].soft);
        put_u64(b, limits->items[i].hard);
    }
}

void plan_print(const struct plan *plan, struct buf *out)
{
    put_u64(out, PLAN_MAGIC);
    put_u64(out, plan->root_fd >= 0);
    put_u64(out, plan->aside_fd >= 0);
    put_u64(out, plan->stdin_fd >= 0);
    put_u64(out, plan->stdout_fd >= 0);
    put_u64(out, plan->stderr_fd >= 0);
    put_u64(out, plan->network_fd >= 0);
    put_u64(out, plan->links_fd >= 0);
    put_u64(out, plan->cgroups_count);
    put_strv(out, &plan->argv);
    put_strv(out, &plan->env);
    put_text(out, plan->cwd);
    put_text(out, plan->hostname);
    put_text(out, plan->hosts);
    put_text(out, plan->resolv_conf);
    put_text(out, plan->hostname_file);
    put_text(out, plan->arch);
    put_u64(out, plan->uid);
    put_u64(out, plan->gid);
    put_bytes(out, plan->groups, plan->groups_count * sizeof(*plan->groups));
    put_u64(out, plan->network);
    put_u64(out, plan->caps);
    put_u64(out, plan->unconfined);
    put_u64(out, plan->no_filter);
    put_u64(out, plan->no_new_privs);
    put_u64(out, plan->read_only);
    put_u64(out, plan->tty);
    put_u64(out, plan->tty_rows);
    put_u64(out, plan->tty_columns);
    put_u64(out, plan->hold);
    put_u64(out, plan->plain);
    put_u64(out, plan->in_place);
    put_u64(out, plan->record);
    put_u64(out, plan->umask);
    put_u64(out, plan->shm_size);
    put_limits(out, &plan->limits);
    put_u64(out, plan->mounts_count);
    for (size_t i = 0; i < plan->mounts_count; i++)
        put_mount(out, &plan->mounts[i]);
}

size_t plan_fds(const struct plan *plan, int fds[static PLAN_FDS_MAX])
{
    const int fixed[] = {plan->root_fd,   plan->aside_fd,   plan->stdin_fd, plan->stdout_fd,
                         plan->stderr_fd, plan->network_fd, plan->links_fd};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        if (fixed[i] >= 0)
            fds[n++] = fixed[i];
    for (size_t i = 0; i < plan->cgroups_count; i++)
        fds[n++] = plan->cgroup_fds[i];
    for (size_t i = 0; i < plan->mounts_count && n < PLAN_FDS_MAX; i++)
        if (plan->mounts[i].source_fd >= 0)
            fds[n++] = plan->mounts[i].source_fd;
    return n;
}

/* A reader that turns sour at the first fault: every later take gives the empty value, and the end
 * tells. */
struct reader {
    const char *at, *end;
    const int *fds;
    size_t fds_count, fds_used;
    bool bad;
};

static uint64_t take_u64(struct reader *r)
{
    uint64_t v = 0;

    if (r->bad || (size_t)(r->end - r->at) < sizeof(v)) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->at, sizeof(v));
    r->at += sizeof(v);
    return v;
}

static uint64_t take_max(struct reader *r, uint64_t max)
{
    uint64_t v = take_u64(r);

    if (v <= max)
        return v;
    r->bad = true;
    return 0;
}

static struct str take_bytes(struct reader *r)
{
    uint64_t size = take_u64(r);
    struct str s = {r->at, size};

    if (r->bad || size > (size_t)(r->end - r->at)) {
        r->bad = true;
        return (struct str){0};
    }
    r->at += size;
    return s;
}

static char *take_text(struct reader *r)
{
    struct reader ahead = *r;
    struct str s;

    if (take_u64(&ahead) == ABSENT && !ahead.bad) {
        *r = ahead;
        return NULL;
    }
    s = take_bytes(r);
    if (!r->bad && s.size && memchr(s.ptr, 0, s.size))
        r->bad = true;
    return r->bad ? NULL : str_dup(s);
}

static void take_strv(struct reader *r, struct strv *v)
{
    uint64_t count = take_u64(r);

    for (uint64_t i = 0; i < count && !r->bad; i++) {
        char *s = take_text(r);

        if (s)
            strv_take(v, s);
        else
            r->bad = true;
    }
}

static int take_fd(struct reader *r, bool there)
{
    if (!there)
        return -1;
    if (r->fds_used >= r->fds_count) {
        r->bad = true;
        return -1;
    }
    return r->fds[r->fds_used++];
}

static void take_mount(struct reader *r, struct plan *plan)
{
    enum plan_mount_kind kind = (enum plan_mount_kind)take_max(r, PLAN_MOUNT_MOVE);
    AUTO_FREE char *target = take_text(r);
    struct plan_mount *m;

    if (!target) {
        r->bad = true;
        return;
    }
    m = add_mount(plan, kind, target);
    m->source_name = take_text(r);
    m->source_fd = take_fd(r, take_max(r, 1));
    m->detached = m->source_fd >= 0;
    m->is_dir = take_max(r, 1);
    m->read_only = take_max(r, 1);
    m->size = take_u64(r);
    m->mode = (uint32_t)take_max(r, 07777);
    m->uid = (uint32_t)take_max(r, UINT32_MAX);
    m->gid = (uint32_t)take_max(r, UINT32_MAX);
    buf_add_str(&m->content, take_bytes(r));
}

static void take_groups(struct reader *r, struct plan *plan)
{
    struct str s = take_bytes(r);

    if (s.size % sizeof(uint32_t))
        r->bad = true;
    if (r->bad || s.size == 0)
        return;
    plan->groups = xmemdup(s.ptr, s.size);
    plan->groups_count = s.size / sizeof(uint32_t);
}

static void take_limits(struct reader *r, struct limits *limits)
{
    uint64_t count = take_max(r, LIMITS_MAX);

    for (uint64_t i = 0; i < count; i++) {
        struct limit *l = &limits->items[limits->count++];

        l->resource = (int)take_max(r, LIMITS_MAX - 1);
        l->soft = take_u64(r);
        l->hard = take_u64(r);
    }
}

static void take_plan(struct reader *r, struct plan *plan)
{
    uint64_t count;

    plan->root_fd = take_fd(r, take_max(r, 1));
    plan->aside_fd = take_fd(r, take_max(r, 1));
    plan->stdin_fd = take_fd(r, take_max(r, 1));
    plan->stdout_fd = take_fd(r, take_max(r, 1));
    plan->stderr_fd = take_fd(r, take_max(r, 1));
    plan->network_fd = take_fd(r, take_max(r, 1));
    plan->links_fd = take_fd(r, take_max(r, 1));
    plan->cgroups_count = take_max(r, PLAN_CGROUPS_MAX);
    for (size_t i = 0; i < plan->cgroups_count; i++)
        plan->cgroup_fds[i] = take_fd(r, true);
    take_strv(r, &plan->argv);
    take_strv(r, &plan->env);
    plan->cwd = take_text(r);
    plan->hostname = take_text(r);
    plan->hosts = take_text(r);
    plan->resolv_conf = take_text(r);
    plan->hostname_file = take_text(r);
    plan->arch = plan->arch_parsed = take_text(r);
    plan->uid = (uint32_t)take_max(r, UINT32_MAX);
    plan->gid = (uint32_t)take_max(r, UINT32_MAX);
    take_groups(r, plan);
    plan->network = (enum plan_network)take_max(r, PLAN_NETWORK_PRIVATE);
    plan->caps = take_u64(r);
    plan->unconfined = take_max(r, 1);
    plan->no_filter = take_max(r, 1);
    plan->no_new_privs = take_max(r, 1);
    plan->read_only = take_max(r, 1);
    plan->tty = take_max(r, 1);
    plan->tty_rows = (uint16_t)take_max(r, UINT16_MAX);
    plan->tty_columns = (uint16_t)take_max(r, UINT16_MAX);
    plan->hold = take_max(r, 1);
    plan->plain = take_max(r, 1);
    plan->in_place = take_max(r, 1);
    plan->record = take_max(r, 1);
    plan->umask = (uint32_t)take_max(r, 0777);
    plan->shm_size = take_u64(r);
    take_limits(r, &plan->limits);
    count = take_max(r, PLAN_FDS_MAX + 4096);
    for (uint64_t i = 0; i < count && !r->bad; i++)
        take_mount(r, plan);
}

int plan_parse(struct str text, const int *fds, size_t fds_count, struct plan *plan,
               struct err *err)
{
    struct reader r = {
        .at = text.ptr, .end = text.ptr + text.size, .fds = fds, .fds_count = fds_count};

    if (take_u64(&r) != PLAN_MAGIC)
        return err_set(err, ERR_INPUT, 0, "these bytes are no plan");
    take_plan(&r, plan);
    if (r.bad || r.at != r.end || r.fds_used != r.fds_count) {
        plan_release(plan);
        return err_set(err, ERR_INPUT, 0, "the plan is damaged");
    }
    return 0;
}
