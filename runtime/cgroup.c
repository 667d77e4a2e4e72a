/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "runtime/cgroup_guard.h"
#include "runtime/mountinfo.h"

#define TEXT_MAX (4 << 20)
#define PREFIX "slipway-"
#define REMOVE_WAIT_MS 500 /* a killed process leaves its cgroup a moment after it was reaped */

/* ---- where ---- */

static struct str word(struct str *rest)
{
    struct str head;

    str_cut(*rest, ' ', &head, rest);
    return head;
}

static bool has_word(struct str list, const char *name)
{
    struct str one;

    while (list.size) {
        str_cut(list, ',', &one, &list);
        if (str_is(one, name))
            return true;
    }
    return false;
}

/* The path of our cgroup in the hierarchy of this controller: "4:memory:/a", "0::/b". */
static bool own_path(struct str self, const char *controller, struct str *path)
{
    struct str line, number, controllers;

    while (str_line(&self, &line)) {
        str_cut(line, ':', &number, &line);
        str_cut(line, ':', &controllers, path);
        if (controller ? has_word(controllers, controller)
                       : str_is(number, "0") && controllers.size == 0)
            return str_starts(*path, "/");
    }
    return false;
}

struct mounted {
    struct str root, point;
};

/* "31 23 0:28 ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPEROPTIONS" */
static bool find_mount(struct str mountinfo, const char *controller, struct mounted *m)
{
    struct str line;

    while (str_line(&mountinfo, &line)) {
        struct str type;

        word(&line);
        word(&line);
        word(&line);
        m->root = word(&line);
        m->point = word(&line);
        while (line.size && !str_is(word(&line), "-"))
            ;
        type = word(&line);
        word(&line);
        if (controller ? str_is(type, "cgroup") && has_word(line, controller)
                       : str_is(type, "cgroup2"))
            return true;
    }
    return false;
}

/* What a path of the hierarchy is below the directory that is mounted. */
static struct str below(struct str path, struct str root)
{
    if (str_is(root, "/"))
        return path;
    if (path.size >= root.size && str_eq(str_slice(path, 0, root.size), root) &&
        (path.size == root.size || path.ptr[root.size] == '/'))
        return str_slice(path, root.size, path.size);
    return (struct str){0}; /* it lies outside of what is mounted here: the top will have to do */
}

bool cgroup_find(struct str mountinfo, struct str self, const char *controller, const char *parent,
                 struct buf *dir)
{
    struct mounted m;
    struct str path;

    if (!find_mount(mountinfo, controller, &m) || !own_path(self, controller, &path))
        return false;
    buf_clear(dir);
    if (!mountinfo_path(m.point, dir))
        return false;
    path = parent ? str_of(parent) : below(path, m.root);
    if (path.size && path.ptr[0] != '/')
        buf_addc(dir, '/');
    buf_add_str(dir, path);
    while (dir->size > 1 && dir->ptr[dir->size - 1] == '/')
        dir->ptr[--dir->size] = 0;
    return true;
}

/* ---- files ---- */

static int write_file(const char *dir, const char *name, const char *file, const char *value,
                      struct err *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s%s%s", dir, name, name[0] ? "/" : "", file);
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, value, strlen(value));

    return n < 0 ? err_errno(err, "write %s to %s", value, path) : 0;
}

static int read_file(const char *dir, const char *name, const char *file, struct buf *out)
{
    AUTO_FREE char *path = xasprintf("%s/%s%s%s", dir, name, name[0] ? "/" : "", file);

    buf_clear(out);
    return fs_read_file(AT_FDCWD, path, out, TEXT_MAX, &(struct err){0});
}

/* The number after a key, in "key number" lines. */
static uint64_t value_of(struct str text, const char *key)
{
    struct str line, name, value;
    uint64_t number = 0;

    while (str_line(&text, &line))
        if (str_cut(line, ' ', &name, &value) && str_is(name, key))
            str_u64(value, &number);
    return number;
}

/* ---- making ---- */

static void remove_dir(const char *base, const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", base, name);
    uint64_t until = clock_mono_ms() + REMOVE_WAIT_MS;

    while (rmdir(path) < 0 && errno == EBUSY && clock_mono_ms() < until)
        clock_sleep_ms(1);
    if (access(path, F_OK) == 0)
        log_debug("cgroup %s is still in use; a later slipway removes it", path);
}

static bool is_gone(struct str pid)
{
    uint64_t number;

    return str_u64(pid, &number) && number <= INT32_MAX && kill((pid_t)number, 0) < 0 &&
           errno == ESRCH;
}

/* One that still holds a process is not removed by the kernel. */
void cgroup_sweep(const char *base, pid_t of)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FD int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fs_list(fd, &names, &(struct err){0}) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        struct str rest = str_of(names.ptr[i]), pid;
        uint64_t number;

        if (!str_starts(rest, PREFIX))
            continue;
        str_cut(str_slice(rest, sizeof(PREFIX) - 1, rest.size), '-', &pid, &rest);
        if (of ? str_u64(pid, &number) && number == (uint64_t)of : is_gone(pid))
            remove_dir(base, names.ptr[i]);
    }
}

/* The first number that is free: several threads make some at once. */
static char *make_name(const char *base, struct err *err)
{
    for (unsigned i = 0;; i++) {
        AUTO_FREE char *name = xasprintf(PREFIX "%d-%u", (int)getpid(), i);
        AUTO_FREE char *path = xasprintf("%s/%s", base, name);

        if (mkdir(path, 0755) == 0)
            return steal_ptr(&name);
        if (errno != EEXIST) {
            err_errno(err, "make cgroup %s", path);
            return NULL;
        }
    }
}

static struct cgroup_dir *add_dir(struct cgroup *g, const char *base, bool unified, struct err *err)
{
    struct cgroup_dir *d;
    char *name;

    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->dirs[i].base, base) == 0)
            return &g->dirs[i];
    BUG_ON(g->count == PLAN_CGROUPS_MAX);
    name = make_name(base, err);
    if (!name)
        return NULL;
    d = &g->dirs[g->count++];
    *d = (struct cgroup_dir){
        .base = xstrdup(base), .name = name, .unified = unified, .procs_fd = -1};
    return d;
}

/* Version 1: a new set has neither processors nor memory, and takes no process until it has. */
static int inherit_set(const struct cgroup_dir *d, struct err *err)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        SCOPED(buf_release) struct buf text = {0};

        if (read_file(d->base, "", files[i], &text) < 0 ||
            write_file(d->base, d->name, files[i], buf_cstr(&text), err) < 0)
            return err->kind ? -1
                             : err_set(err, ERR_SYSTEM, ENOENT, "%s has no %s", d->base, files[i]);
    }
    return 0;
}

struct maps {
    struct buf mountinfo, self;
};

static void maps_release(struct maps *m)
{
    buf_release(&m->mountinfo);
    buf_release(&m->self);
}

static int read_maps(struct maps *m, struct err *err)
{
    if (fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &m->mountinfo, TEXT_MAX, err) < 0 ||
        fs_read_file(AT_FDCWD, "/proc/self/cgroup", &m->self, TEXT_MAX, err) < 0)
        return -1;
    return 0;
}

/* Version 2: a controller is handed down by the parent, which then may hold no process itself. */
static int hand_down(const char *base, const char *controller, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *plus = xasprintf("+%s", controller);
    struct str have, one;

    if (read_file(base, "", "cgroup.controllers", &text) < 0)
        return err_set(err, ERR_SYSTEM, ENOENT, "there is no cgroup %s", base);
    have = str_trim(buf_str(&text));
    while (have.size) {
        one = word(&have);
        if (str_is(one, controller))
            return write_file(base, "", "cgroup.subtree_control", plus, err);
    }
    return err_set(err, ERR_SYSTEM, ENOENT, "cgroup %s has no controller %s", base, controller);
}

/* The directory for a controller: of version 1 where that has it, else of version 2: where we are,
 * or at the top, which alone may hold processes and hand controllers down. */
static struct cgroup_dir *dir_for(struct cgroup *g, const struct maps *m, const struct resources *r,
                                  const char *controller, struct err *err)
{
    SCOPED(buf_release) struct buf base = {0};
    struct str mountinfo = buf_str(&m->mountinfo), self = buf_str(&m->self);
    struct cgroup_dir *d;
    size_t before = g->count;

    if (cgroup_find(mountinfo, self, controller, r->parent, &base)) {
        d = add_dir(g, buf_cstr(&base), false, err);
        if (d && g->count > before && strcmp(controller, "cpuset") == 0 && inherit_set(d, err) < 0)
            return NULL;
        return d;
    }
    if (!cgroup_find(mountinfo, self, NULL, r->parent, &base)) {
        err_set(err, ERR_SYSTEM, ENOENT, "no cgroup file system with controller %s is mounted",
                controller);
        return NULL;
    }
    if (hand_down(buf_cstr(&base), controller, err) < 0) {
        if (r->parent || !cgroup_find(mountinfo, self, NULL, "/", &base) ||
            hand_down(buf_cstr(&base), controller, &(struct err){0}) < 0)
            return NULL;
        *err = (struct err){0};
    }
    return add_dir(g, buf_cstr(&base), true, err);
}

static int apply(struct cgroup *g, const struct maps *m, const struct resources *r,
                 const struct resources_setting *s, struct err *err)
{
    struct cgroup_dir *d = dir_for(g, m, r, s->controller, err);
    const char *file = s->file, *value = s->value;
    struct err failure = {0};

    if (!d)
        return -1;
    if (d->unified) { /* the same setting in the other version's words */
        struct resources_setting other[RESOURCES_SETTINGS_MAX];
        size_t count = resources_settings(r, true, other);
        int rc = 0;

        for (size_t i = 0; i < count && rc == 0; i++)
            if (strcmp(other[i].controller, s->controller) == 0 &&
                write_file(d->base, d->name, other[i].file, other[i].value, &failure) < 0 &&
                !other[i].optional)
                rc = -1;
        resources_settings_release(other, count);
        if (rc < 0)
            *err = failure;
        return rc;
    }
    if (write_file(d->base, d->name, file, value, &failure) == 0 || s->optional)
        return 0;
    *err = failure;
    return -1;
}

static int open_procs(struct cgroup *g, struct err *err)
{
    for (size_t i = 0; i < g->count; i++) {
        struct cgroup_dir *d = &g->dirs[i];
        AUTO_FREE char *path = xasprintf("%s/%s/cgroup.procs", d->base, d->name);

        d->procs_fd = open(path, O_WRONLY | O_CLOEXEC);
        if (d->procs_fd < 0)
            return err_errno(err, "open %s", path);
    }
    return 0;
}

/* Only a place is asked for: all controllers of which it has one. */
static int make_places(struct cgroup *g, const struct maps *m, const struct resources *r,
                       struct err *err)
{
    static const char *const controllers[] = {"memory", "cpu", "pids", "cpuset"};

    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
        struct err failure = {0};

        if (!dir_for(g, m, r, controllers[i], &failure) && err->kind == ERR_NONE)
            *err = failure;
    }
    if (g->count == 0)
        return -1;
    *err = (struct err){0};
    return 0;
}

int cgroup_make(const struct resources *r, struct cgroup *g, struct err *err)
{
    struct resources_setting settings[RESOURCES_SETTINGS_MAX];
    SCOPED(maps_release) struct maps maps = {0};
    size_t count;
    int rc = 0;

    if (!resources_any(r) || r->by_rlimits)
        return 0;
    if (read_maps(&maps, err) < 0)
        return -1;
    if (r->parent && make_places(g, &maps, r, err) < 0)
        return -1;
    count = resources_settings(r, false, settings);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = apply(g, &maps, r, &settings[i], err);
    resources_settings_release(settings, count);
    return rc < 0 ? -1 : open_procs(g, err);
}

int cgroup_put(const struct resources *r, const struct cgroup *g, struct plan *plan,
               struct err *err)
{
    plan->cgroups_count = g->count;
    for (size_t i = 0; i < g->count; i++)
        plan->cgroup_fds[i] = g->dirs[i].procs_fd;
    return r->by_rlimits ? resources_to_limits(r, &plan->limits, err) : 0;
}

uint64_t cgroup_oom_kills(const struct cgroup *g)
{
    SCOPED(buf_release) struct buf text = {0};
    uint64_t kills = 0;

    for (size_t i = 0; i < g->count; i++) {
        const struct cgroup_dir *d = &g->dirs[i];

        if (read_file(d->base, d->name, d->unified ? "memory.events" : "memory.oom_control",
                      &text) == 0)
            kills += value_of(buf_str(&text), "oom_kill");
    }
    return kills;
}

uint64_t cgroup_memory_peak(const struct cgroup *g)
{
    SCOPED(buf_release) struct buf text = {0};
    uint64_t peak = 0;

    for (size_t i = 0; i < g->count && !peak; i++) {
        const struct cgroup_dir *d = &g->dirs[i];

        if (read_file(d->base, d->name, d->unified ? "memory.peak" : "memory.max_usage_in_bytes",
                      &text) == 0 &&
            !str_u64(str_trim(buf_str(&text)), &peak))
            peak = 0;
    }
    return peak;
}

void cgroup_release(struct cgroup *g)
{
    int saved = errno;

    for (size_t i = 0; i < g->count; i++) {
        scope_close(&g->dirs[i].procs_fd);
        remove_dir(g->dirs[i].base, g->dirs[i].name);
        free(g->dirs[i].base);
        free(g->dirs[i].name);
    }
    *g = (struct cgroup){0};
    errno = saved;
}

/* ---- whether ---- */

static void warn(const struct resources *r, const struct err *why)
{
    if (r->memory)
        log_warn("--memory holds for each process of a step alone, not for all together: %s",
                 why->text);
    if (r->pids)
        log_warn("--pids-limit counts all processes of the user, not of a step alone: %s",
                 why->text);
}

int cgroup_settle(struct resources *r, struct cgroup_guard *guard, struct err *err)
{
    SCOPED(cgroup_release) struct cgroup g = {0};
    struct limits ignored = {0};
    struct err why = {0};

    if (!resources_any(r))
        return 0;
    if (cgroup_make(r, &g, &why) == 0) {
        for (size_t i = 0; i < g.count; i++)
            cgroup_sweep(g.dirs[i].base, 0);
        return cgroup_guard_open(guard, &g, err);
    }
    /* Cgroups there are, but not with these values. */
    if (r->parent || why.code == EINVAL || why.code == ERANGE) {
        *err = why;
        return -1;
    }
    if (resources_to_limits(r, &ignored, err) < 0)
        return err_add(err, " (%s)", why.text);
    r->by_rlimits = true;
    warn(r, &why);
    return 0;
}
