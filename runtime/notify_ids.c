/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids that processes of a sandbox believe to have. Each set of ids that anybody came to have
 * has a number, and a process carries its number in its soft limit for locks: that limit has meant
 * nothing since Linux 2.4, is handed on by fork and exec, and one call sets or reads it from
 * outside. So a daemon whose parents are long gone still is who they were. A process without a
 * number has the first set.
 */
#include "runtime/notify_parts.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"

#define KEEP UINT32_MAX /* setresuid(2): -1 */
#define TOKEN_FIRST (UINT64_C(1) << 40)
#define KNOWN_MAX 4096 /* sets of ids in one sandbox */
#define CAP(n) (UINT64_C(1) << (n))

void notify_ids_begin(struct notify *n, const struct notify_ids *first)
{
    VEC_GROW(n->known, n->known_count, n->known_capacity);
    n->known[n->known_count] = xcalloc(1, sizeof(*first));
    *n->known[n->known_count++] = *first;
}

bool notify_ids_all_first(const struct notify *n)
{
    return n->known_count == 1;
}

const struct notify_ids *notify_ids_of(const struct notify *n, pid_t tid)
{
    struct rlimit limit;

    if (n->known_count == 1 || prlimit(tid, RLIMIT_LOCKS, NULL, &limit) < 0 ||
        limit.rlim_cur < TOKEN_FIRST || limit.rlim_cur - TOKEN_FIRST >= n->known_count)
        return n->known[0];
    return n->known[limit.rlim_cur - TOKEN_FIRST];
}

/* The caller becomes that. Sets an error when it cannot be. */
static void become(struct notify_request *r, const struct notify_ids *ids)
{
    struct notify *n = r->n;
    struct rlimit limit;
    size_t i = 0;

    while (i < n->known_count && memcmp(n->known[i], ids, sizeof(*ids)) != 0)
        i++;
    if (i == KNOWN_MAX || prlimit(r->tid, RLIMIT_LOCKS, NULL, &limit) < 0) {
        r->error = EAGAIN;
        return;
    }
    if (i == n->known_count)
        notify_ids_begin(n, ids);
    limit.rlim_cur = TOKEN_FIRST + i;
    if (!notify_is_valid(r) || prlimit(r->tid, RLIMIT_LOCKS, &limit, NULL) < 0)
        r->error = EAGAIN; /* a hard limit was set for it */
}

static bool has(const uint32_t ids[static 3], uint32_t id)
{
    return id == KEEP || id == ids[0] || id == ids[1] || id == ids[2];
}

static bool any_root(const uint32_t uid[static 3])
{
    return !uid[0] || !uid[1] || !uid[2];
}

/* capabilities(7), "Effect of user ID changes on capabilities". */
static void follow_uid(struct notify_ids *next, const struct notify_ids *now)
{
    if (any_root(now->uid) && !any_root(next->uid) && !next->keeps)
        next->permitted = 0;
    if (next->uid[1] != 0)
        next->caps = now->uid[1] == 0 ? 0 : now->caps & next->permitted;
    else if (now->uid[1] != 0)
        next->caps = next->permitted;
}

/* What setresuid(2) and setresgid(2) allow. */
static void set_three(struct notify_request *r, bool gid, const uint32_t want[static 3])
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    const uint32_t *now = gid ? mine->gid : mine->uid;
    struct notify_ids next = *mine;
    uint32_t *ids = gid ? next.gid : next.uid;

    if (!(mine->caps & (gid ? CAP(CAP_SETGID) : CAP(CAP_SETUID))) &&
        !(has(now, want[0]) && has(now, want[1]) && has(now, want[2]))) {
        r->error = EPERM;
        return;
    }
    for (int i = 0; i < 3; i++)
        if (want[i] != KEEP)
            ids[i] = want[i];
    if (!gid)
        follow_uid(&next, mine);
    become(r, &next);
}

static void set_one(struct notify_request *r, bool gid)
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    uint32_t id = (uint32_t)r->args[0];
    const uint32_t all[3] = {id, id, id}, effective[3] = {KEEP, id, KEEP};

    if (id == KEEP)
        r->error = EINVAL;
    else
        set_three(r, gid, mine->caps & (gid ? CAP(CAP_SETGID) : CAP(CAP_SETUID)) ? all : effective);
}

/* setreuid(2): the saved one follows when the real one is set or the effective becomes another than
 * the real was. */
static void set_two(struct notify_request *r, bool gid)
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);
    const uint32_t *now = gid ? mine->gid : mine->uid;
    uint32_t want[3] = {(uint32_t)r->args[0], (uint32_t)r->args[1], KEEP};
    bool may = mine->caps & (gid ? CAP(CAP_SETGID) : CAP(CAP_SETUID));

    if (!may &&
        ((want[0] != KEEP && want[0] != now[0] && want[0] != now[1]) || !has(now, want[1]))) {
        r->error = EPERM;
        return;
    }
    if (want[0] != KEEP || (want[1] != KEEP && want[1] != now[0]))
        want[2] = want[1] != KEEP ? want[1] : now[1];
    set_three(r, gid, want);
}

static void set_groups(struct notify_request *r)
{
    struct notify_ids next = *notify_ids_of(r->n, r->tid);
    size_t count = (size_t)r->args[0];

    if (!(next.caps & CAP(CAP_SETGID))) {
        r->error = EPERM;
        return;
    }
    if (count > NOTIFY_GROUPS_MAX) {
        r->error = EINVAL;
        return;
    }
    memset(next.groups, 0, sizeof(next.groups));
    if (count && !notify_read(r->tid, r->args[1], next.groups, count * sizeof(next.groups[0]))) {
        r->error = EFAULT;
        return;
    }
    next.groups_count = (uint32_t)count;
    become(r, &next);
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

    if ((set_uid || set_gid) && notify_status(r->n, r->tid, "NoNewPrivs", 10) == 1)
        set_uid = set_gid = false;
    if (set_uid)
        next.uid[1] = uid;
    if (set_gid)
        next.gid[1] = gid;
    next.uid[2] = next.uid[1];
    next.gid[2] = next.gid[1];
    next.permitted = next.uid[0] == 0 || next.uid[1] == 0 ? next.bounding : 0;
    if (next.uid[1] == 0 && now->uid[1] == 0)
        next.permitted &= now->permitted; /* what root gave up, as a bounding set would say */
    next.caps = next.uid[1] == 0 ? next.permitted : 0;
    next.keeps = 0;
    if (memcmp(&next, now, sizeof(next)) != 0)
        become(r, &next);
}

static void keep_caps(struct notify_request *r)
{
    struct notify_ids next = *notify_ids_of(r->n, r->tid);

    r->go_on = true;
    if (next.keeps == (r->args[1] != 0))
        return;
    next.keeps = r->args[1] != 0;
    become(r, &next);
}

/* The kernel does it too: of what is its own it knows more than we. */
static void set_caps(struct notify_request *r)
{
    struct notify_ids next = *notify_ids_of(r->n, r->tid);
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2] = {{0}};
    uint64_t effective, permitted;
    size_t count;

    r->go_on = true;
    if (!notify_read(r->tid, r->args[0], &header, sizeof(header)))
        return;
    count = header.version == _LINUX_CAPABILITY_VERSION_1 ? 1 : 2;
    if (!notify_read(r->tid, r->args[1], data, count * sizeof(data[0])))
        return;
    effective = data[0].effective | (uint64_t)data[1].effective << 32;
    permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    next.permitted &= permitted;
    next.caps = effective & next.permitted;
    if (memcmp(&next, notify_ids_of(r->n, r->tid), sizeof(next)) != 0)
        become(r, &next);
}

/* Who is at a socket's other end: the kernel would say root of all. */
static void tell_peer(struct notify_request *r)
{
    pid_t pid = (pid_t)notify_status(r->n, r->tid, "Tgid", 10);
    AUTO_FD int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    AUTO_FD int fd = pidfd < 0 ? -1 : pidfd_getfd(pidfd, (int)r->args[0], 0);
    const struct notify_ids *theirs;
    struct ucred peer;
    socklen_t size = sizeof(peer), room = 0;
    long seen;

    r->go_on = r->args[1] != SOL_SOCKET || fd < 0 ||
               getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0 ||
               !notify_read(r->tid, r->args[4], &room, sizeof(room)) || room < sizeof(peer);
    if (r->go_on)
        return;
    theirs = notify_ids_of(r->n, peer.pid);
    seen = notify_status(r->n, peer.pid, "NSpid", 0);
    peer = (struct ucred){seen > 0 ? (pid_t)seen : 0, theirs->uid[1], theirs->gid[1]};
    if (!notify_write(r->tid, r->args[3], &peer, sizeof(peer)) ||
        !notify_write(r->tid, r->args[4], &size, sizeof(size)))
        r->error = EFAULT;
}

/* A limit that says nothing to the kernel is as good as set. */
static void set_limit(struct notify_request *r)
{
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};

    if (r->call == NOTIFY_PRLIMIT && r->args[3] &&
        !notify_write(r->tid, r->args[3], &none, sizeof(none)))
        r->error = EFAULT;
}

static void tell_ids(struct notify_request *r)
{
    const struct notify_ids *mine = notify_ids_of(r->n, r->tid);

    switch (r->call) {
    case NOTIFY_SETFSUID: /* it follows the effective one; set by itself it is not followed */
    case NOTIFY_GETEUID:
        r->value = mine->uid[1];
        break;
    case NOTIFY_SETFSGID:
    case NOTIFY_GETEGID:
        r->value = mine->gid[1];
        break;
    case NOTIFY_GETUID:
        r->value = mine->uid[0];
        break;
    case NOTIFY_GETGID:
        r->value = mine->gid[0];
        break;
    default:
        r->go_on = true;
    }
}

void notify_ids_call(struct notify_request *r)
{
    const uint32_t three[3] = {(uint32_t)r->args[0], (uint32_t)r->args[1], (uint32_t)r->args[2]};

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
    case NOTIFY_SETGROUPS:
        set_groups(r);
        break;
    case NOTIFY_GETGROUPS:
        get_groups(r);
        break;
    case NOTIFY_GETRESUID:
    case NOTIFY_GETRESGID:
        get_three(r, r->call == NOTIFY_GETRESGID);
        break;
    case NOTIFY_KEEPCAPS:
        keep_caps(r);
        break;
    case NOTIFY_CAPSET:
        set_caps(r);
        break;
    case NOTIFY_PEER:
        tell_peer(r);
        break;
    case NOTIFY_SETRLIMIT:
    case NOTIFY_PRLIMIT:
        set_limit(r);
        break;
    default:
        tell_ids(r);
    }
}
