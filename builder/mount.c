/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/mount.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"

#define MODE_MAX 07777

static const char *const types[] = {
    [MOUNT_BIND] = "bind",     [MOUNT_CACHE] = "cache", [MOUNT_TMPFS] = "tmpfs",
    [MOUNT_SECRET] = "secret", [MOUNT_SSH] = "ssh",
};
static const char *const sharings[] = {
    [MOUNT_SHARED] = "shared", [MOUNT_PRIVATE] = "private", [MOUNT_LOCKED] = "locked"};

enum key {
    KEY_TYPE,
    KEY_FROM,
    KEY_SOURCE,
    KEY_TARGET,
    KEY_READ_ONLY,
    KEY_READ_WRITE,
    KEY_REQUIRED,
    KEY_SIZE,
    KEY_ID,
    KEY_SHARING,
    KEY_MODE,
    KEY_UID,
    KEY_GID,
    KEY_ENV,
};

#define OF(type) (1u << (type))
#define OF_ALL                                                                                     \
    (OF(MOUNT_BIND) | OF(MOUNT_CACHE) | OF(MOUNT_TMPFS) | OF(MOUNT_SECRET) | OF(MOUNT_SSH))
#define OF_OWNED (OF(MOUNT_CACHE) | OF(MOUNT_SECRET) | OF(MOUNT_SSH))

/* The first name of a key is the one that messages use. */
static const struct {
    const char *name;
    enum key key;
    unsigned types; /* those that have a use for it */
} keys[] = {
    {"type", KEY_TYPE, OF_ALL},
    {"from", KEY_FROM, OF(MOUNT_BIND) | OF(MOUNT_CACHE)},
    {"source", KEY_SOURCE, OF(MOUNT_BIND) | OF(MOUNT_CACHE) | OF(MOUNT_SECRET)},
    {"src", KEY_SOURCE, OF(MOUNT_BIND) | OF(MOUNT_CACHE) | OF(MOUNT_SECRET)},
    {"target", KEY_TARGET, OF_ALL},
    {"dst", KEY_TARGET, OF_ALL},
    {"destination", KEY_TARGET, OF_ALL},
    {"readonly", KEY_READ_ONLY, OF_ALL},
    {"ro", KEY_READ_ONLY, OF_ALL},
    {"readwrite", KEY_READ_WRITE, OF_ALL},
    {"rw", KEY_READ_WRITE, OF_ALL},
    {"required", KEY_REQUIRED, OF(MOUNT_SECRET) | OF(MOUNT_SSH)},
    {"size", KEY_SIZE, OF(MOUNT_TMPFS)},
    {"id", KEY_ID, OF_OWNED},
    {"sharing", KEY_SHARING, OF(MOUNT_CACHE)},
    {"mode", KEY_MODE, OF_OWNED},
    {"uid", KEY_UID, OF_OWNED},
    {"gid", KEY_GID, OF_OWNED},
    {"env", KEY_ENV, OF(MOUNT_SECRET)},
};

/* Of buildah and podman; Docker's builder refuses them too. */
static const char *const foreign[] = {
    "bind-nonrecursive",
    "bind-propagation",
    "chown",
    "dev",
    "exec",
    "idmap",
    "nodev",
    "noexec",
    "nosuid",
    "notmpcopyup",
    "o",
    "relabel",
    "suid",
    "tmpcopyup",
    "tmpfs-mode",
    "tmpfs-size",
    "u",
    "z",
};

void mount_release(struct mount *mount)
{
    free(mount->target);
    free(mount->source);
    free(mount->from);
    free(mount->id);
    free(mount->env);
    *mount = (struct mount){0};
}

const char *mount_type_name(enum mount_type type)
{
    return types[type];
}

const char *mount_sharing_name(enum mount_sharing sharing)
{
    return sharings[sharing];
}

/* Near enough for "did you mean". */
static const char *nearer(const char *near, struct str have, const char *want, unsigned *best)
{
    unsigned distance = str_distance(have, str_of(want));

    if (distance > 2 || distance >= *best || (size_t)distance * 2 > have.size)
        return near;
    *best = distance;
    return want;
}

static int unknown(const char *what, struct str have, const char *near, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(have, 0, 80));
    err_set(err, ERR_INPUT, 0, "unknown %s \"%s\"", what, buf_cstr(&shown));
    return near ? err_add(err, "; did you mean %s?", near) : -1;
}

static int find_key(struct str name, size_t *found, struct err *err)
{
    const char *near = NULL;
    unsigned best = 64;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (str_is_nocase(name, keys[i].name)) {
            *found = i;
            return 0;
        }
        near = nearer(near, name, keys[i].name, &best);
    }
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        if (str_is_nocase(name, foreign[i]))
            return err_set(err, ERR_INPUT, 0,
                           "option \"" STR_FMT
                           "\" is buildah's, not Docker's, and is not supported",
                           STR_ARG(name));
    return unknown("option", name, near, err);
}

/* ---- values ---- */

static int bad_value(const char *key, const char *value, const char *want, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(str_of(value), 0, 80));
    return err_set(err, ERR_INPUT, 0, "%s=%s: want %s", key, buf_cstr(&shown), want);
}

/* As Go reads them: docker's users write what it takes. */
static int take_bool(const char *key, const char *value, bool *out, struct err *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"}, *const no[] = {
                                                                                  "0",     "f",
                                                                                  "F",     "false",
                                                                                  "FALSE", "False"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *out = strcmp(value, yes[i]) == 0;
            return 0;
        }
    }
    return bad_value(key, value, "true or false", err);
}

static int take_id(const char *key, const char *value, uint32_t *out, struct err *err)
{
    uint64_t n;

    /* The last one means "no change" to the kernel. */
    if (!str_u64(str_of(value), &n) || n >= UINT32_MAX)
        return bad_value(key, value, "a number", err);
    *out = (uint32_t)n;
    return 0;
}

static int take_type(const char *value, struct mount *m, struct err *err)
{
    const char *near = NULL;
    unsigned best = 64;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strcmp(value, types[i]) == 0) {
            m->type = (enum mount_type)i;
            return 0;
        }
        near = nearer(near, str_of(value), types[i], &best);
    }
    return unknown("type", str_of(value), near, err);
}

static int take_sharing(const char *value, struct mount *m, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++) {
        if (str_is_nocase(str_of(value), sharings[i])) {
            m->sharing = (enum mount_sharing)i;
            return 0;
        }
    }
    return bad_value("sharing", value, "shared, private or locked", err);
}

static void take_text(char **slot, const char *value)
{
    free(*slot);
    *slot = *value ? xstrdup(value) : NULL;
}

static int take_mode(const char *value, struct mount *m, struct err *err)
{
    if (!str_octal(str_of(value), &m->mode) || m->mode > MODE_MAX)
        return bad_value("mode", value, "an octal number from 0 to 7777", err);
    m->has_mode = true;
    return 0;
}

static int take(enum key key, const char *value, struct mount *m, struct err *err)
{
    bool yes;

    switch (key) {
    case KEY_TYPE:
        return take_type(value, m, err);
    case KEY_FROM:
        take_text(&m->from, value);
        return 0;
    case KEY_SOURCE:
        take_text(&m->source, value);
        return 0;
    case KEY_TARGET:
        take_text(&m->target, value);
        return 0;
    case KEY_ID:
        take_text(&m->id, value);
        return 0;
    case KEY_ENV:
        take_text(&m->env, value);
        return 0;
    case KEY_READ_ONLY:
        return take_bool("readonly", value, &m->read_only, err);
    case KEY_READ_WRITE:
        if (take_bool("readwrite", value, &yes, err) < 0)
            return -1;
        m->read_only = !yes;
        return 0;
    case KEY_REQUIRED:
        return take_bool("required", value, &m->required, err);
    case KEY_SIZE:
        return str_size(str_of(value), &m->size)
                   ? 0
                   : bad_value("size", value, "bytes, with k, m or g", err);
    case KEY_SHARING:
        return take_sharing(value, m, err);
    case KEY_MODE:
        return take_mode(value, m, err);
    case KEY_UID:
        return take_id("uid", value, &m->uid, err);
    case KEY_GID:
        return take_id("gid", value, &m->gid, err);
    }
    return -1;
}

/* ---- fields ---- */

/* What one parse has seen of each key; types are known only when all fields are read. */
struct seen {
    bool given[KEY_ENV + 1];
    bool unknown[KEY_ENV + 1]; /* its value is a variable that was not expanded */
    const char *name[KEY_ENV + 1];
};

static bool is_flag(enum key key)
{
    return key == KEY_READ_ONLY || key == KEY_READ_WRITE || key == KEY_REQUIRED;
}

static int take_field(struct str field, mount_expand_fn *expand, void *ctx, struct mount *m,
                      struct seen *seen, struct err *err)
{
    SCOPED(buf_release) struct buf expanded = {0};
    struct str name, value;
    bool pair = str_cut(field, '=', &name, &value);
    size_t at = 0;

    if (find_key(name, &at, err) < 0)
        return -1;
    enum key key = keys[at].key;
    if (!pair && !is_flag(key))
        return err_set(err, ERR_INPUT, 0, "option \"%s\" needs a value: %s=…", keys[at].name,
                       keys[at].name);
    AUTO_FREE char *text = pair ? str_dup(value) : xstrdup("true");
    bool variable = strchr(text, '$') != NULL;
    if (variable && key == KEY_FROM)
        return err_set(err, ERR_INPUT, 0,
                       "variables do not work in from=; write FROM with the variable, AS a name, "
                       "and mount from that");
    seen->given[key] = true;
    seen->name[key] = keys[at].name;
    seen->unknown[key] = variable && !expand;
    if (seen->unknown[key])
        return 0;
    if (!expand || key == KEY_FROM)
        return take(key, text, m, err);
    if (expand(ctx, text, &expanded, err) < 0)
        return -1;
    return take(key, buf_cstr(&expanded), m, err);
}

/* What the type has no use for, and what goes only together. */
static int check(const struct mount *m, const struct seen *seen, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (seen->given[keys[i].key] && seen->name[keys[i].key] == keys[i].name &&
            !(keys[i].types & OF(m->type)))
            return err_set(err, ERR_INPUT, 0, "option \"%s\" is not for type %s", keys[i].name,
                           types[m->type]);
    if ((m->type == MOUNT_SECRET || m->type == MOUNT_SSH) && seen->given[KEY_READ_WRITE] &&
        !seen->unknown[KEY_READ_WRITE] && !m->read_only)
        return err_set(err, ERR_INPUT, 0, "type %s is read-only: \"%s\" is not for it",
                       types[m->type], seen->name[KEY_READ_WRITE]);
    if (m->type == MOUNT_CACHE && m->source && !m->from && !seen->unknown[KEY_SOURCE])
        return err_set(err, ERR_INPUT, 0, "source of a cache needs from: what it begins with");
    if (m->type != MOUNT_SECRET)
        return 0;
    if (m->source && m->id)
        return err_set(err, ERR_INPUT, 0, "source and id of a secret are the same: give one");
    if (!seen->given[KEY_ID] && !seen->given[KEY_SOURCE] && !seen->given[KEY_TARGET])
        return err_set(err, ERR_INPUT, 0, "a secret needs an id or a target");
    return 0;
}

int mount_parse(struct str text, mount_expand_fn *expand, void *ctx, struct mount *mount,
                struct err *err)
{
    SCOPED(strv_release) struct strv fields = {0};
    struct seen seen = {0};
    int rc = csv_fields(text, &fields, err);

    if (rc < 0)
        err->kind = ERR_INPUT;
    *mount = (struct mount){.type = MOUNT_BIND};
    for (size_t i = 0; i < fields.count && rc == 0; i++)
        rc = take_field(str_of(fields.ptr[i]), expand, ctx, mount, &seen, err);
    if (rc == 0 && !seen.unknown[KEY_TYPE])
        rc = check(mount, &seen, err);
    if (rc < 0) {
        mount_release(mount);
        return -1;
    }
    if (!seen.given[KEY_READ_ONLY] && !seen.given[KEY_READ_WRITE])
        mount->read_only = mount->type != MOUNT_CACHE && mount->type != MOUNT_TMPFS;
    mount->has_owner = seen.given[KEY_MODE] || seen.given[KEY_UID] || seen.given[KEY_GID];
    return 0;
}

static int set_target(struct mount *m, const char *workdir, struct err *err)
{
    AUTO_FREE char *given = m->target;

    m->target = NULL;
    if (!given)
        return err_set(err, ERR_INPUT, 0, "type %s needs a target", types[m->type]);
    m->target = path_join(workdir, given);
    if (strcmp(m->target, "/") == 0)
        return err_set(err, ERR_INPUT, 0, "target %.200s is the root itself", given);
    return 0;
}

static int resolve_secret(struct mount *m, const char *workdir, struct err *err)
{
    if (!m->id)
        m->id = m->source ? steal_ptr(&m->source) : NULL;
    if (!m->id && !m->target)
        return err_set(err, ERR_INPUT, 0, "a secret needs an id or a target");
    if (!m->id)
        m->id = str_dup(path_base(str_of(m->target)));
    if (!m->has_mode)
        m->mode = 0400;
    if (!m->target && m->env)
        return 0;
    if (!m->target) {
        struct str base = path_base(str_of(m->id));

        m->target = xasprintf("/run/secrets/" STR_FMT, STR_ARG(base));
    }
    return set_target(m, workdir, err);
}

int mount_resolve(struct mount *m, const char *workdir, unsigned ssh_number, struct err *err)
{
    switch (m->type) {
    case MOUNT_SECRET:
        return resolve_secret(m, workdir, err);
    case MOUNT_SSH:
        if (!m->id)
            m->id = xstrdup("default");
        if (!m->target)
            m->target = xasprintf("/run/buildkit/ssh_agent.%u", ssh_number);
        if (!m->has_mode)
            m->mode = 0600;
        return set_target(m, workdir, err);
    case MOUNT_CACHE:
        /* The id is the target as written, so that a relative one names the same cache under every
         * WORKDIR. */
        if (!m->id && m->target)
            m->id = path_clean(str_of(m->target));
        if (!m->has_mode)
            m->mode = 0755;
        return set_target(m, workdir, err);
    default:
        return set_target(m, workdir, err);
    }
}
