/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids that processes of a sandbox believe to have. All begin as the sandbox's first command;
 * who changes its ids gets an entry, and so does every descendant of it once it is heard of. Where
 * no entry is (the usual case: all is done as root) nothing has to be looked up.
 */
#include "runtime/notify_parts.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"

#define KEEP UINT32_MAX /* setresuid(2): -1 */
#define DEPTH_MAX 1000

static struct notify_process *find(struct notify *n, pid_t pid)
{
    for (size_t i = 0; i < n->processes_count; i++) {
        struct notify_process *p = &n->processes[i];

        if (p->pid != pid)
            continue;
        if (pidfd_send_signal(p->pidfd, 0, NULL, 0) == 0 || errno != ESRCH)
            return p;
        close(p->pidfd);
        *p = n->processes[--n->processes_count];
        return NULL;
    }
    return NULL;
}

static struct notify_process *add(struct notify *n, pid_t pid, const struct notify_ids *ids)
{
    int pidfd = pidfd_open(pid, 0);
    struct notify_process *p;

    if (pidfd < 0)
        return NULL;
    VEC_GROW(n->processes, n->processes_count, n->processes_capacity);
    p = &n->processes[n->processes_count++];
    *p = (struct notify_process){.pid = pid, .pidfd = pidfd, .ids = *ids};
    return p;
}

static void drop_ended(struct notify *n)
{
    for (size_t i = n->processes_count; i > 0; i--)
        find(n, n->processes[i - 1].pid);
}

/* The process or its nearest forebear that has an entry. */
static struct notify_process *find_forebear(struct notify *n, pid_t pid)
{
    for (int depth = 0; pid > 1 && depth < DEPTH_MAX; depth++) {
        struct notify_process *p = find(n, pid);

        if (p)
            return p;
        pid = (pid_t)notify_status(n, pid, "PPid", 10);
    }
    return NULL;
}

struct notify_ids *notify_ids_of(struct notify *n, pid_t tid)
{
    struct notify_process *p;
    struct notify_ids copy;
    pid_t pid;

    if (n->processes_count == 0)
        return &n->first;
    pid = (pid_t)notify_status(n, tid, "Tgid", 10);
    p = pid > 0 ? find_forebear(n, pid) : NULL;
    if (!p || p->pid == pid)
        return p ? &p->ids : &n->first;
    copy = p->ids;
    p = add(n, pid, &copy);
    return p ? &p->ids : &n->first;
}

/* The caller's own entry, to be changed. */
static struct notify_ids *own(struct notify_request *r)
{
    struct notify_ids copy = *notify_ids_of(r->n, r->tid);
    pid_t pid = (pid_t)notify_status(r->n, r->tid, "Tgid", 10);
    struct notify_process *p = find(r->n, pid);

    if (!p) {
        if (r->n->processes_count % 64 == 63)
            drop_ended(r->n);
        p = add(r->n, pid, &copy);
    }
    return p ? &p->ids : &r->n->first;
}

static bool has(const uint32_t ids[static 3], uint32_t id)
{
    return id == KEEP || id == ids[0] || id == ids[1] || id == ids[2];
}

/* What setresuid(2) and setresgid(2) allow. */
static void set_three(struct notify_request *r, bool gid, const uint32_t want[static 3])
{
    struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    const uint32_t *now = gid ? mine->gid : mine->uid;
    uint32_t *ids;

    if (!mine->powerful && !(has(now, want[0]) && has(now, want[1]) && has(now, want[2]))) {
        r->error = EPERM;
        return;
    }
    mine = own(r);
    ids = gid ? mine->gid : mine->uid;
    for (int i = 0; i < 3; i++)
        if (want[i] != KEEP)
            ids[i] = want[i];
    if (!gid && want[1] != KEEP)
        mine->powerful = want[1] == 0 || (mine->powerful && mine->keeps);
}

static void set_one(struct notify_request *r, bool gid)
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    uint32_t id = (uint32_t)r->args[0];
    uint32_t all[3] = {id, id, id}, effective[3] = {KEEP, id, KEEP};

    if (id == KEEP)
        r->error = EINVAL;
    else
        set_three(r, gid, mine->powerful ? all : effective);
}

/* setreuid(2): the saved one follows when the real one is set or the effective becomes another than
 * the real was. */
static void set_two(struct notify_request *r, bool gid)
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    const uint32_t *now = gid ? mine->gid : mine->uid;
    uint32_t want[3] = {(uint32_t)r->args[0], (uint32_t)r->args[1], KEEP};

    if (want[0] != KEEP || (want[1] != KEEP && want[1] != now[0]))
        want[2] = want[1] != KEEP ? want[1] : now[1];
    if (!mine->powerful && (!has(now, want[0]) || !has(now, want[1]))) {
        r->error = EPERM;
        return;
    }
    if (!mine->powerful && want[0] == now[2] && want[0] != now[0] && want[0] != now[1]) {
        r->error = EPERM;
        return;
    }
    set_three(r, gid, want);
}

static void set_groups(struct notify_request *r)
{
    uint32_t groups[NOTIFY_GROUPS_MAX];
    size_t count = (size_t)r->args[0];
    struct notify_ids *mine;

    if (!notify_ids_of(r->n, r->tid)->powerful) {
        r->error = EPERM;
        return;
    }
    if (count > NOTIFY_GROUPS_MAX || !r->native) {
        r->error = EINVAL;
        return;
    }
    if (count && !notify_read(r->tid, r->args[1], groups, count * sizeof(groups[0]))) {
        r->error = EFAULT;
        return;
    }
    mine = own(r);
    memcpy(mine->groups, groups, count * sizeof(groups[0]));
    mine->groups_count = (uint32_t)count;
}

static void get_groups(struct notify_request *r)
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    int room = (int)r->args[0];

    r->value = mine->groups_count;
    if (room == 0)
        return;
    if (room < (int)mine->groups_count)
        r->error = EINVAL;
    else if (!notify_write(r->tid, r->args[1], mine->groups,
                           mine->groups_count * sizeof(mine->groups[0])))
        r->error = EFAULT;
}

static void get_three(struct notify_request *r, bool gid)
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    const uint32_t *ids = gid ? mine->gid : mine->uid;

    for (int i = 0; i < 3; i++)
        if (!notify_write(r->tid, r->args[i], &ids[i], sizeof(ids[i])))
            r->error = EFAULT;
}

void notify_ids_exec(struct notify_request *r, bool set_uid, uint32_t uid, bool set_gid,
                     uint32_t gid)
{
    const struct notify_ids *now = notify_ids_of(r->n, r->tid);
    struct notify_ids next = *now;

    if (set_uid)
        next.uid[1] = uid;
    if (set_gid)
        next.gid[1] = gid;
    next.uid[2] = next.uid[1];
    next.gid[2] = next.gid[1];
    next.powerful = next.uid[1] == 0;
    next.keeps = false;
    if (next.powerful != now->powerful || next.keeps != now->keeps ||
        memcmp(next.uid, now->uid, sizeof(next.uid)) != 0 ||
        memcmp(next.gid, now->gid, sizeof(next.gid)) != 0)
        *own(r) = next;
}

void notify_ids_call(struct notify_request *r)
{
    const uint32_t three[3] = {(uint32_t)r->args[0], (uint32_t)r->args[1], (uint32_t)r->args[2]};
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);

    switch (r->call) {
    case NOTIFY_SETUID:
    case NOTIFY_SETGID:
        set_one(r, r->call == NOTIFY_SETGID);
        break;
    case NOTIFY_SETREUID:
    case NOTIFY_SETREGID:
        set_two(r, r->call == NOTIFY_SETREGID);
        break;
    case NOTIFY_SETRESUID:
    case NOTIFY_SETRESGID:
        set_three(r, r->call == NOTIFY_SETRESGID, three);
        break;
    case NOTIFY_SETFSUID: /* it follows the effective one; set by itself it is not followed */
        r->value = mine->uid[1];
        break;
    case NOTIFY_SETFSGID:
        r->value = mine->gid[1];
        break;
    case NOTIFY_SETGROUPS:
        set_groups(r);
        break;
    case NOTIFY_GETUID:
        r->value = mine->uid[0];
        break;
    case NOTIFY_GETEUID:
        r->value = mine->uid[1];
        break;
    case NOTIFY_GETGID:
        r->value = mine->gid[0];
        break;
    case NOTIFY_GETEGID:
        r->value = mine->gid[1];
        break;
    case NOTIFY_GETRESUID:
    case NOTIFY_GETRESGID:
        get_three(r, r->call == NOTIFY_GETRESGID);
        break;
    case NOTIFY_GETGROUPS:
        get_groups(r);
        break;
    case NOTIFY_KEEPCAPS:
        if (mine->keeps != (r->args[1] != 0))
            own(r)->keeps = r->args[1] != 0;
        r->go_on = true;
        break;
    default:
        r->go_on = true;
    }
}
