/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/bind.h"
#include "builder/cache_mount.h"
#include "builder/define.h"
#include "builder/exec_run.h"
#include "builder/mount.h"
#include "builder/origin.h"
#include "builder/run_options.h"
#include "builder/state_words.h"
#include "builder/tree_copy.h"
#include "registry/layout.h"
#include "runtime/relay.h"
#include "runtime/record.h"
#include "runtime/session.h"

#define TMPFS_MODE 01777 /* where the image has no directory to look like */

struct mount_use {
    struct mount mount;
    const struct stage_source *from; /* borrowed from the graph */
    bool has_origin;
    struct origin origin;
    char label[80];
    /* while the step runs */
    struct bind bind;
    char cache_name[CACHE_MOUNT_NAME];
    struct cache_mount cache;
    struct layout_tmp tmp; /* of the socket */
    struct layout *layout;
    struct relay *relay;
    int socket_fd;
};

static void use_close(struct mount_use *u)
{
    bind_release(&u->bind);
    relay_close(u->relay);
    u->relay = NULL;
    scope_close(&u->socket_fd);
    if (u->layout)
        layout_tmp_close(u->layout, &u->tmp);
}

void mounts_close(struct mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++)
        cache_mount_close(&mounts->items[i].cache);
    for (size_t i = 0; i < mounts->count; i++)
        use_close(&mounts->items[i]);
    free(mounts->relays);
    mounts->relays = NULL;
    mounts->relays_count = 0;
}

void mounts_release(struct mounts *mounts)
{
    mounts_close(mounts);
    for (size_t i = 0; i < mounts->count; i++) {
        origin_release(&mounts->items[i].origin);
        mount_release(&mounts->items[i].mount);
    }
    free(mounts->items);
    *mounts = (struct mounts){0};
}

/* ---- what they are ---- */

struct expansion {
    struct state *state;
    const struct instruction *in;
};

static int expand(void *ctx, const char *value, struct buf *out, struct err *err)
{
    struct expansion *x = ctx;

    return state_expand(x->state, x->in, value, out, err);
}

static const char *source_of(const struct mount_use *u)
{
    return u->mount.source ? u->mount.source : "/";
}

/* All of it will be looked at: the pool reads the directories of a context faster than one thread
 * would. What fails here fails again where it is told. */
static void load(struct build *build, struct mount_use *u)
{
    struct origin_file file;

    if (u->origin.context &&
        origin_find(&u->origin, source_of(u), true, &file, &(struct err){0}) > 0 &&
        file.entry.type == ENTRY_DIR)
        context_load_tree(u->origin.context, file.ref.node, build->tools->pool);
}

/* For --cache-to, also when the step is remembered. */
static void note_cache(struct build *build, const struct mount_use *u)
{
    char name[CACHE_MOUNT_NAME];

    if (u->mount.type != MOUNT_CACHE || !build->options->cache_to_count)
        return;
    cache_mount_name(&u->mount, build->control.cache_space, NULL, name);
    cache_content_used(build, name, u->mount.id);
}

static int take_one(struct build *build, struct making *making, const struct instruction *in,
                    size_t flag, unsigned ssh_number, struct mount_use *u, struct err *err)
{
    struct expansion x = {&making->state, in};

    if (mount_parse(str_of(in->flags[flag].value), expand, &x, &u->mount, err) < 0 ||
        mount_resolve(&u->mount, making->state.workdir, ssh_number, err) < 0)
        return -1;
    u->has_origin = u->mount.type == MOUNT_BIND || u->mount.from;
    if (!u->has_origin) {
        note_cache(build, u);
        return 0;
    }
    u->from = graph_mount_source(making->stage, in, flag);
    if (exec_open_origin(build, making, u->from, &u->origin, u->label, err) < 0)
        return -1;
    load(build, u);
    return 0;
}

int mounts_take(struct build *build, struct making *making, const struct instruction *in,
                struct mounts *mounts, struct err *err)
{
    unsigned ssh_number = 0;

    mounts->items = xcalloc(in->flags_count + 1, sizeof(*mounts->items));
    for (size_t i = 0; i < in->flags_count; i++) {
        SCOPED(buf_release) struct buf shown = {0};
        struct mount_use *u = &mounts->items[mounts->count];

        if (strcmp(in->flags[i].name, "mount") != 0)
            continue;
        mounts->count++;
        *u = (struct mount_use){.bind = BIND_CLOSED,
                                .cache = CACHE_MOUNT_CLOSED,
                                .tmp = LAYOUT_TMP_CLOSED,
                                .socket_fd = -1};
        buf_add_escaped(&shown, str_slice(str_of(in->flags[i].value), 0, 120));
        if (take_one(build, making, in, i, ssh_number, u, err) < 0)
            return err_wrap(err, "RUN --mount=%s", buf_cstr(&shown));
        ssh_number += u->mount.type == MOUNT_SSH;
    }
    return 0;
}

static void hash_fields(const struct mount *m, struct cache_key *key)
{
    cache_key_text(key, "mount", mount_type_name(m->type));
    cache_key_text(key, "target", m->target);
    cache_key_text(key, "source", m->source);
    cache_key_text(key, "from", m->from);
    cache_key_text(key, "id", m->id);
    cache_key_text(key, "variable", m->env);
    cache_key_text(key, "sharing", mount_sharing_name(m->sharing));
    cache_key_u64(key, "read only", m->read_only);
    cache_key_u64(key, "required", m->required);
    cache_key_u64(key, "mode", (uint64_t)m->has_mode << 32 | m->mode);
    cache_key_u64(key, "owner", (uint64_t)m->uid << 32 | m->gid);
    cache_key_u64(key, "size", m->size);
}

int mounts_hash(struct mounts *mounts, struct cache_key *key, struct err *err)
{
    cache_key_u64(key, "mounts", mounts->count);
    for (size_t i = 0; i < mounts->count; i++) {
        struct mount_use *u = &mounts->items[i];

        hash_fields(&u->mount, key);
        if (u->has_origin && bind_hash(&u->origin, source_of(u), &key->hash, err) < 0)
            return err_wrap(err, "RUN --mount on %s", u->mount.target);
    }
    return 0;
}

int mounts_define(struct mounts *mounts, const struct making *making, struct cache_key *key,
                  struct err *err)
{
    cache_key_u64(key, "mounts", mounts->count);
    for (size_t i = 0; i < mounts->count; i++) {
        struct mount_use *u = &mounts->items[i];
        int known = 1;

        hash_fields(&u->mount, key);
        if (!u->has_origin)
            continue;
        if (u->origin.stack)
            known = define_source(making, u->from, &u->origin, key);
        else if (bind_hash(&u->origin, source_of(u), &key->hash, err) < 0)
            known = err_wrap(err, "RUN --mount on %s", u->mount.target);
        if (known <= 0)
            return known;
    }
    return 1;
}

const char *mounts_changed(struct mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        struct mount_use *u = &mounts->items[i];
        const char *path =
            u->mount.type == MOUNT_BIND ? bind_changed(&u->origin, source_of(u)) : NULL;

        if (path)
            return path;
    }
    return NULL;
}

/* ---- the step ---- */

struct opening {
    struct build *build;
    struct making *making;
    struct plan *plan;
};

static bool is_plain(const struct opening *o)
{
    return session_is_plain(o->build->tools->session);
}

static int open_bind(struct opening *o, struct mount_use *u, struct err *err)
{
    struct plan_mount *at;

    if (bind_open(&u->bind, o->build->tools->session, &u->origin, source_of(u), !u->mount.read_only,
                  err) < 0)
        return -1;
    if (is_plain(o)) {
        plan_add_move(o->plan, u->bind.dir_fd, u->bind.name, u->mount.target);
        return 0;
    }
    at = plan_add_bind(o->plan, u->bind.mount_fd, u->mount.target, u->mount.read_only);
    at->is_dir = u->bind.is_dir;
    at->detached = true;
    return 0;
}

struct seed {
    struct opening *opening;
    struct mount_use *use;
    const struct imported_content *imported; /* NULL: none */
};

static int fill_from_origin(struct seed *s, int dir_fd, struct err *err)
{
    SCOPED(bind_release) struct bind bind = BIND_CLOSED;
    const struct tree_copy options = {0};

    if (bind_open(&bind, s->opening->build->tools->session, &s->use->origin, source_of(s->use),
                  false, err) < 0)
        return -1;
    if (!bind.is_dir)
        return err_set(err, ERR_INPUT, ENOTDIR, "what the cache begins with is not a directory");
    AUTO_FD int from = openat(bind.mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0)
        return err_errno(err, "open what the cache begins with");
    return tree_copy(from, dir_fd, &options, err);
}

/* What came with --cache-from, else what from= says, else nothing. */
static int fill_cache(void *ctx, int dir_fd, struct err *err)
{
    struct seed *s = ctx;
    const struct mount *m = &s->use->mount;
    int filled =
        s->imported ? cache_content_fill(s->opening->build->tools->layout, s->imported, dir_fd, err)
                    : 0;

    if (filled)
        return filled < 0 ? -1 : 0;
    if (s->use->has_origin)
        return fill_from_origin(s, dir_fd, err);
    return record_chown_fd(dir_fd, m->uid, m->gid) < 0 || fchmod(dir_fd, (mode_t)m->mode) < 0
               ? err_errno(err, "set owner and mode of a cache")
               : 0;
}

/* A cache that stands twice in one step is opened once: its own lock would keep it out. */
static int open_cache(struct opening *o, struct mounts *all, struct mount_use *u, struct err *err)
{
    struct seed seed = {o, u, imported_find_content(&o->build->imported, u->cache_name)};
    bool fill = u->has_origin || seed.imported;

    for (size_t i = 0; i < all->count; i++) {
        const struct mount_use *other = &all->items[i];

        if (other != u && other->cache.dir_fd >= 0 &&
            strcmp(other->cache_name, u->cache_name) == 0) {
            if (is_plain(o))
                return err_set(err, ERR_INPUT, ENOSYS,
                               "a cache that stands twice in one step cannot be shown with "
                               "isolation %s",
                               session_rung_name(o->build->tools->session->rung));
            u->cache.dir_fd = fcntl(other->cache.dir_fd, F_DUPFD_CLOEXEC, 3);
            return u->cache.dir_fd < 0 ? err_errno(err, "open a cache") : 0;
        }
    }
    return cache_mount_open(o->build->tools->layout, o->build->tools->session, &u->mount,
                            u->cache_name, fill ? fill_cache : NULL, &seed, &u->cache, err);
}

static int compare_caches(const void *a, const void *b)
{
    const struct mount_use *const *x = a, *const *y = b;

    return strcmp((*x)->cache_name, (*y)->cache_name);
}

static int name_cache(const struct opening *o, struct mount_use *u, struct err *err)
{
    uint8_t seed[SHA256_SIZE];
    struct sha256 h;

    if (u->has_origin) {
        sha256_begin(&h);
        if (bind_hash(&u->origin, source_of(u), &h, err) < 0)
            return -1;
        sha256_end(&h, seed);
    }
    cache_mount_name(&u->mount, o->build->control.cache_space, u->has_origin ? seed : NULL,
                     u->cache_name);
    cache_content_used(o->build, u->cache_name, u->mount.id);
    return 0;
}

/* All caches, in the order of their names, before anything else of the step. */
static int open_caches(struct opening *o, struct mounts *all, struct err *err)
{
    AUTO_FREE struct mount_use **caches = xcalloc(all->count + 1, sizeof(struct mount_use *));
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++) {
        struct mount_use *u = &all->items[i];

        if (u->mount.type != MOUNT_CACHE)
            continue;
        caches[count++] = u;
        if (name_cache(o, u, err) < 0)
            return err_wrap(err, "RUN --mount on %s", u->mount.target);
    }
    if (count > 1)
        qsort(caches, count, sizeof(struct mount_use *), compare_caches);
    for (size_t i = 0; i < count; i++)
        if (open_cache(o, all, caches[i], err) < 0)
            return err_wrap(err, "RUN --mount on %s", caches[i]->mount.target);
    return 0;
}

/* Like the directory it covers, as runc has it; else for everybody, as tmpfs itself has it. */
static int open_tmpfs(struct opening *o, struct mount_use *u, struct err *err)
{
    const struct view *view = stack_view(&o->making->stack, o->build->tools->layout, err);
    SCOPED(buf_release) struct buf resolved = {0};
    struct plan_mount *at;
    struct view_entry found;

    if (!view)
        return -1;
    at = plan_add_tmpfs(o->plan, u->mount.target, u->mount.size, TMPFS_MODE);
    at->read_only = u->mount.read_only;
    if (is_plain(o) && u->mount.size)
        log_warn("RUN --mount=type=tmpfs on %s: isolation %s does not bound its size",
                 u->mount.target, session_rung_name(o->build->tools->session->rung));
    if (view_resolve(view, u->mount.target, VIEW_FOLLOW, &resolved, &found, &(struct err){0}) > 0 &&
        found.entry.type == ENTRY_DIR) {
        at->mode = found.entry.mode;
        at->uid = found.entry.uid;
        at->gid = found.entry.gid;
    }
    return 0;
}

static int open_secret(struct opening *o, struct mount_use *u, struct err *err)
{
    const struct mount *m = &u->mount;
    const struct secret *secret = secrets_find(&o->build->options->run->secrets, m->id);
    struct plan_mount *at;

    if (!secret && m->required)
        return err_set(err, ERR_INPUT, ENOENT,
                       "secret %s is required and was not given: --secret id=%s,src=FILE", m->id,
                       m->id);
    if (!secret)
        return 0;
    if (m->env) {
        if (secret->value.size && memchr(secret->value.ptr, 0, secret->value.size))
            return err_set(err, ERR_INPUT, 0, "secret %s has a NUL byte: it cannot be a variable",
                           m->id);
        env_set(&o->plan->env, m->env, buf_cstr(&secret->value));
    }
    if (!m->target)
        return 0;
    at = plan_add_file(o->plan, m->target, buf_str(&secret->value), m->mode);
    at->uid = m->uid;
    at->gid = m->gid;
    at->read_only = true;
    return 0;
}

static int open_ssh(struct opening *o, struct mounts *all, struct mount_use *u, struct err *err)
{
    const struct mount *m = &u->mount;
    const char *path = ssh_agents_find(&o->build->options->run->ssh, m->id);

    if (!path && m->required)
        return err_set(err, ERR_INPUT, ENOENT,
                       "ssh agent %s is required and was not given: --ssh %s", m->id, m->id);
    if (!path)
        return 0;
    u->layout = o->build->tools->layout;
    if (layout_tmp_open(u->layout, &u->tmp, err) < 0)
        return -1;
    u->relay = relay_open(u->tmp.fd, "agent", m->mode, m->uid, m->gid, path, err);
    if (!u->relay)
        return -1;
    u->socket_fd = openat(u->tmp.fd, "agent", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (u->socket_fd < 0)
        return err_errno(err, "open a socket");
    if (is_plain(o))
        plan_add_move(o->plan, u->tmp.fd, "agent", m->target);
    else
        plan_add_bind(o->plan, u->socket_fd, m->target, false);
    /* The first is the one that ssh finds by itself. */
    if (!env_get(&o->plan->env, "SSH_AUTH_SOCK"))
        env_set(&o->plan->env, "SSH_AUTH_SOCK", m->target);
    all->relays[all->relays_count++] = u->relay;
    return 0;
}

/* One that is not to be written to is copied where that cannot be prevented. */
static int copy_cache(struct opening *o, struct mount_use *u, struct err *err)
{
    const struct tree_copy options = {0};

    u->layout = o->build->tools->layout;
    if (layout_tmp_open(u->layout, &u->tmp, err) < 0)
        return -1;
    if (mkdirat(u->tmp.fd, "cache", 0755) < 0)
        return err_errno(err, "copy a cache");
    AUTO_FD int fd = fs_open_dir(u->tmp.fd, "cache", err);
    if (fd < 0 || tree_copy(u->cache.dir_fd, fd, &options, err) < 0)
        return -1;
    plan_add_move(o->plan, u->tmp.fd, "cache", u->mount.target);
    return 0;
}

static int show_cache(struct opening *o, struct mount_use *u, struct err *err)
{
    if (!is_plain(o))
        plan_add_bind(o->plan, u->cache.dir_fd, u->mount.target, u->mount.read_only);
    else if (u->mount.read_only)
        return copy_cache(o, u, err);
    else
        plan_add_move(o->plan, u->cache.home_fd, u->cache.name, u->mount.target);
    return 0;
}

static int open_one(struct opening *o, struct mounts *all, struct mount_use *u, struct err *err)
{
    switch (u->mount.type) {
    case MOUNT_BIND:
        return open_bind(o, u, err);
    case MOUNT_CACHE:
        return show_cache(o, u, err);
    case MOUNT_TMPFS:
        return open_tmpfs(o, u, err);
    case MOUNT_SECRET:
        return open_secret(o, u, err);
    case MOUNT_SSH:
        return open_ssh(o, all, u, err);
    }
    return -1;
}

int mounts_open(struct mounts *mounts, struct build *build, struct making *making,
                struct plan *plan, struct err *err)
{
    struct opening o = {build, making, plan};

    mounts->relays = xcalloc(mounts->count + 1, sizeof(struct relay *));
    if (open_caches(&o, mounts, err) < 0)
        return -1;
    for (size_t i = 0; i < mounts->count; i++)
        if (open_one(&o, mounts, &mounts->items[i], err) < 0)
            return mounts->items[i].mount.target
                       ? err_wrap(err, "RUN --mount on %s", mounts->items[i].mount.target)
                       : -1;
    return 0;
}
