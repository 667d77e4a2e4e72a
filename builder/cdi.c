/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cdi.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/json.h"
#include "base/path.h"
#include "base/scope.h"

#define CLASS_ANNOTATION "org.mobyproject.buildkit.device.class"
#define ALLOW_ANNOTATION "org.mobyproject.buildkit.device.autoallow"

/* --- names (SPEC.md, "Kind" and "CDI Devices") --- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* Letters, digits and `others` between; an alphanumeric at each end, the first a letter if asked
 * for. */
static bool is_name(struct str s, const char *others, bool letter_first)
{
    if (!s.size || !is_alnum(s.ptr[s.size - 1]) ||
        !(letter_first ? is_letter(s.ptr[0]) : is_alnum(s.ptr[0])))
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!is_alnum(s.ptr[i]) && !(s.ptr[i] && strchr(others, s.ptr[i])))
            return false;
    return true;
}

static bool is_kind(struct str s)
{
    struct str vendor, class;

    return str_cut(s, '/', &vendor, &class) && vendor.size <= 253 && class.size <= 63 &&
           is_name(vendor, "-_.", true) && is_name(class, "-_.", true);
}

static bool is_device_name(struct str s)
{
    return is_name(s, "-_.:", false);
}

int cdi_name_parse(struct str text, struct str *kind, struct str *name, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    bool named = str_cut(text, '=', kind, name);

    if (!named)
        *name = (struct str){0};
    if (is_kind(*kind) && (!named || str_is(*name, "*") || is_device_name(*name)))
        return 0;
    buf_add_escaped(&shown, str_slice(text, 0, 120));
    return err_set(err, ERR_INPUT, 0,
                   "\"%s\" names no device; such a name is VENDOR/CLASS, VENDOR/CLASS=NAME or "
                   "VENDOR/CLASS=*",
                   buf_cstr(&shown));
}

/* --- edits --- */

void cdi_edits_release(struct cdi_edits *e)
{
    strv_release(&e->env);
    for (size_t i = 0; i < e->nodes_count; i++) {
        free(e->nodes[i].path);
        free(e->nodes[i].host_path);
    }
    for (size_t i = 0; i < e->binds_count; i++) {
        free(e->binds[i].host_path);
        free(e->binds[i].container_path);
    }
    free(e->nodes);
    free(e->binds);
    free(e->gids);
    free(e->missing);
    *e = (struct cdi_edits){0};
}

static struct cdi_node *add_node(struct cdi_edits *e)
{
    VEC_GROW(e->nodes, e->nodes_count, e->nodes_capacity);
    e->nodes[e->nodes_count] = (struct cdi_node){0};
    return &e->nodes[e->nodes_count++];
}

static struct cdi_bind *add_bind(struct cdi_edits *e)
{
    VEC_GROW(e->binds, e->binds_count, e->binds_capacity);
    e->binds[e->binds_count] = (struct cdi_bind){0};
    return &e->binds[e->binds_count++];
}

static void add_gid(struct cdi_edits *e, uint32_t gid)
{
    VEC_GROW(e->gids, e->gids_count, e->gids_capacity);
    e->gids[e->gids_count++] = gid;
}

void cdi_edits_add(struct cdi_edits *to, const struct cdi_edits *from)
{
    strv_copy(&to->env, &from->env);
    for (size_t i = 0; i < from->nodes_count; i++) {
        struct cdi_node *n = add_node(to);

        *n = from->nodes[i];
        n->path = xstrdup(n->path);
        n->host_path = xstrdup(n->host_path);
    }
    for (size_t i = 0; i < from->binds_count; i++) {
        struct cdi_bind *b = add_bind(to);

        *b = from->binds[i];
        b->host_path = xstrdup(b->host_path);
        b->container_path = xstrdup(b->container_path);
    }
    for (size_t i = 0; i < from->gids_count; i++)
        add_gid(to, from->gids[i]);
    if (!to->missing && from->missing)
        to->missing = xstrdup(from->missing);
}

void cdi_edits_print(const struct cdi_edits *e, struct buf *out)
{
    for (size_t i = 0; i < e->env.count; i++)
        buf_addf(out, "env %zu %s\n", strlen(e->env.ptr[i]), e->env.ptr[i]);
    for (size_t i = 0; i < e->nodes_count; i++) {
        const struct cdi_node *n = &e->nodes[i];

        buf_addf(out, "node %zu %s %zu %s %d %d %" PRId64 " %" PRId64 "\n", strlen(n->path),
                 n->path, strlen(n->host_path), n->host_path, n->type, n->has_number, n->major,
                 n->minor);
    }
    for (size_t i = 0; i < e->binds_count; i++) {
        const struct cdi_bind *b = &e->binds[i];

        buf_addf(out, "bind %zu %s %zu %s %d%d%d\n", strlen(b->host_path), b->host_path,
                 strlen(b->container_path), b->container_path, b->read_only, b->no_suid,
                 b->no_exec);
    }
    for (size_t i = 0; i < e->gids_count; i++)
        buf_addf(out, "gid %" PRIu32 "\n", e->gids[i]);
}

/* --- the file --- */

static int check_path(const char *path, const char *what, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (path[0] == '/' && path[1])
        return 0;
    buf_add_escaped(&shown, str_slice(str_of(path), 0, 200));
    return err_set(err, ERR_INPUT, 0, "%s \"%s\" is not an absolute path", what, buf_cstr(&shown));
}

/* A key that is written wrong would take something away, and nobody would notice. */
static int check_keys(json_t *from, const char *const *known, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value)
    {
        size_t i = 0;

        while (known[i] && strcmp(key, known[i]) != 0)
            i++;
        if (known[i])
            continue;
        buf_add_escaped(&shown, str_slice(str_of(key), 0, 80));
        return err_set(err, ERR_INPUT, 0, "unknown key \"%s\"", buf_cstr(&shown));
    }
    return 0;
}

static int take_env(json_t *list, struct cdi_edits *e, struct err *err)
{
    json_t *value;
    size_t i;

    json_array_foreach(list, i, value)
    {
        const char *text = json_string_value(value);

        if (!text || !strchr(text, '=') || text[0] == '=')
            return err_set(err, ERR_INPUT, 0, "env[%zu] is not NAME=value", i);
        strv_add(&e->env, text);
    }
    return 0;
}

static int take_node(json_t *from, struct cdi_edits *e, struct err *err)
{
    static const char *const known[] = {"path",     "hostPath",    "type", "major", "minor",
                                        "fileMode", "permissions", "uid",  "gid",   NULL};
    const char *path, *host = NULL, *type = NULL, *permissions = NULL;
    json_int_t major = -1, minor = -1, mode = -1, uid = -1, gid = -1;
    struct cdi_node *n;

    if (json_take(from, err, "{s:s, s?s, s?s, s?s, s?I, s?I, s?I, s?I, s?I}", "path", &path,
                  "hostPath", &host, "type", &type, "permissions", &permissions, "major", &major,
                  "minor", &minor, "fileMode", &mode, "uid", &uid, "gid", &gid) < 0 ||
        check_keys(from, known, err) < 0 || check_path(path, "path", err) < 0 ||
        (host && check_path(host, "hostPath", err) < 0))
        return -1;
    if (type && *type && (strlen(type) != 1 || !strchr("bcup", *type)))
        return err_set(err, ERR_INPUT, 0, "type of %s is none of b, c, u and p", path);
    if (permissions && permissions[strspn(permissions, "rwm")])
        return err_set(err, ERR_INPUT, 0, "permissions of %s are more than r, w and m", path);
    n = add_node(e);
    n->path = xstrdup(path);
    n->host_path = xstrdup(host && *host ? host : path);
    n->type = type ? *type : 0;
    n->has_number = major >= 0 && minor >= 0 && (major || minor);
    n->major = n->has_number ? major : 0;
    n->minor = n->has_number ? minor : 0;
    n->is_changed =
        mode > 0 || uid > 0 || gid > 0 ||
        (permissions && *permissions && !(strchr(permissions, 'r') && strchr(permissions, 'w')));
    return 0;
}

/* What is ours by the way binds are made, and what we can add to it. */
static int take_mount_option(const char *option, struct cdi_bind *b, struct err *err)
{
    static const char *const ours[] = {"bind",  "rbind",  "rw",       "private", "rprivate",
                                       "slave", "rslave", "relatime", "suid",    "exec"};

    if (strcmp(option, "ro") == 0)
        b->read_only = true;
    else if (strcmp(option, "nosuid") == 0)
        b->no_suid = true;
    else if (strcmp(option, "noexec") == 0)
        b->no_exec = true;
    else if (strcmp(option, "nodev") != 0) { /* every bound directory is */
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
            if (strcmp(option, ours[i]) == 0)
                return 0;
        return err_set(err, ERR_INPUT, 0, "option \"%.40s\" of the mount on %s is not supported",
                       option, b->container_path);
    }
    return 0;
}

static int take_mount(json_t *from, struct cdi_edits *e, struct err *err)
{
    static const char *const known[] = {"hostPath", "containerPath", "type", "options", NULL};
    const char *host, *container, *type = NULL;
    json_t *options = NULL, *value;
    struct cdi_bind *b;
    size_t i;

    if (json_take(from, err, "{s:s, s:s, s?s, s?o}", "hostPath", &host, "containerPath", &container,
                  "type", &type, "options", &options) < 0 ||
        check_keys(from, known, err) < 0 || check_path(host, "hostPath", err) < 0 ||
        check_path(container, "containerPath", err) < 0)
        return -1;
    if (type && *type && strcmp(type, "bind") != 0 && strcmp(type, "none") != 0) {
        if (!e->missing)
            e->missing = xasprintf("a mount of type %.40s on %.200s", type, container);
        return 0;
    }
    if (options && !json_is_array(options) && !json_is_null(options))
        return err_set(err, ERR_INPUT, 0, "options of the mount on %s are no list", container);
    b = add_bind(e);
    b->host_path = xstrdup(host);
    b->container_path = xstrdup(container);
    json_array_foreach(options, i, value)
    {
        if (!json_is_string(value))
            return err_set(err, ERR_INPUT, 0, "options of the mount on %s are no strings",
                           container);
        if (take_mount_option(json_string_value(value), b, err) < 0)
            return -1;
    }
    return 0;
}

static int take_gids(json_t *list, struct cdi_edits *e, struct err *err)
{
    json_t *value;
    size_t i;

    json_array_foreach(list, i, value)
    {
        json_int_t gid = json_is_integer(value) ? json_integer_value(value) : -1;

        if (gid < 0 || gid >= UINT32_MAX)
            return err_set(err, ERR_INPUT, 0, "additionalGids[%zu] is no group id", i);
        if (gid > 0) /* SPEC.md: a value of 0 is ignored */
            add_gid(e, (uint32_t)gid);
    }
    return 0;
}

/* Each element of a list, with its place before what is wrong with it. */
static int take_each(json_t *list, const char *what, struct cdi_edits *e,
                     int (*take)(json_t *, struct cdi_edits *, struct err *), struct err *err)
{
    json_t *value;
    size_t i;

    json_array_foreach(list, i, value)
    {
        if (!json_is_object(value))
            return err_set(err, ERR_INPUT, 0, "%s[%zu] is no object", what, i);
        if (take(value, e, err) < 0)
            return err_wrap(err, "%s[%zu]", what, i);
    }
    return 0;
}

static bool is_empty(const json_t *value)
{
    return json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* A vendor's hooks and whatever a later version adds: the device cannot be given without. */
static void note_missing(json_t *from, struct cdi_edits *e)
{
    static const char *const known[] = {"env", "deviceNodes", "mounts", "additionalGids"};
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value)
    {
        bool ours = is_empty(value);

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            ours = ours || strcmp(key, known[i]) == 0;
        if (!ours && !e->missing) {
            SCOPED(buf_release) struct buf shown = {0};

            buf_add_escaped(&shown, str_slice(str_of(key), 0, 80));
            e->missing = buf_steal(&shown);
        }
    }
}

static int take_edits(json_t *from, struct cdi_edits *e, struct err *err)
{
    json_t *env = NULL, *nodes = NULL, *mounts = NULL, *gids = NULL;
    json_t **lists[] = {&env, &nodes, &mounts, &gids};
    static const char *const names[] = {"env", "deviceNodes", "mounts", "additionalGids"};

    if (!from || json_is_null(from))
        return 0;
    if (!json_is_object(from))
        return err_set(err, ERR_INPUT, 0, "containerEdits is no object");
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        *lists[i] = json_object_get(from, names[i]);
        if (*lists[i] && !json_is_array(*lists[i]) && !json_is_null(*lists[i]))
            return err_set(err, ERR_INPUT, 0, "%s is no list", names[i]);
    }
    note_missing(from, e);
    if (take_env(env, e, err) < 0 || take_each(nodes, "deviceNodes", e, take_node, err) < 0 ||
        take_each(mounts, "mounts", e, take_mount, err) < 0)
        return -1;
    return take_gids(gids, e, err);
}

static int take_annotations(json_t *from, struct cdi_device *d, struct err *err)
{
    json_t *notes = json_object_get(from, "annotations"), *value;
    const char *key;

    if (notes && !json_is_object(notes) && !json_is_null(notes))
        return err_set(err, ERR_INPUT, 0, "annotations is no object");
    json_object_foreach(notes, key, value)
    {
        const char *text = json_string_value(value);

        if (!text)
            return err_set(err, ERR_INPUT, 0, "annotation %.100s is no string", key);
        if (strcmp(key, CLASS_ANNOTATION) == 0) {
            free(d->class);
            d->class = xstrdup(text);
        } else if (strcmp(key, ALLOW_ANNOTATION) == 0) {
            struct err ignored = {0};

            /* one that is no truth value allows nothing, as with BuildKit */
            if (csv_bool(text, &d->auto_allow, &ignored) < 0)
                d->auto_allow = false;
        }
    }
    return 0;
}

static int take_device(json_t *from, json_t *doc, struct cdi_spec *spec, struct err *err)
{
    static const char *const known[] = {"name", "annotations", "containerEdits", NULL};
    SCOPED(buf_release) struct buf shown = {0};
    struct cdi_device *d;
    const char *name;

    if (json_take(from, err, "{s:s}", "name", &name) < 0 || check_keys(from, known, err) < 0)
        return -1;
    buf_add_escaped(&shown, str_slice(str_of(name), 0, 120));
    if (!is_device_name(str_of(name)))
        return err_set(err, ERR_INPUT, 0, "device name \"%s\" is none", buf_cstr(&shown));
    for (size_t i = 0; i < spec->count; i++)
        if (strcmp(spec->devices[i].name, name) == 0)
            return err_set(err, ERR_INPUT, 0, "device %s is there twice", name);
    VEC_GROW(spec->devices, spec->count, spec->capacity);
    d = &spec->devices[spec->count++];
    *d = (struct cdi_device){.name = xstrdup(name)};
    if (take_annotations(doc, d, err) < 0 || take_annotations(from, d, err) < 0 ||
        take_edits(json_object_get(from, "containerEdits"), &d->edits, err) < 0)
        return err_wrap(err, "device %s", name);
    return 0;
}

/* Semantic versions, of which we know 0.3.0 to 1.1.x: a later minor one may have edits that we do
 * not know, which note_missing() finds. */
static int check_version(const char *version, struct err *err)
{
    static const char *const known[] = {"0.3.", "0.4.", "0.5.", "0.6.", "0.7.", "0.8.", "1."};
    SCOPED(buf_release) struct buf shown = {0};

    version += *version == 'v';
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strncmp(version, known[i], strlen(known[i])) == 0)
            return 0;
    buf_add_escaped(&shown, str_slice(str_of(version), 0, 40));
    return err_set(err, ERR_INPUT, 0, "cdiVersion \"%s\" is not known (0.3.0 to 1.1.0 are)",
                   buf_cstr(&shown));
}

static int take_spec(json_t *doc, struct cdi_spec *spec, struct err *err)
{
    static const char *const known[] = {"cdiVersion",     "kind",    "annotations",
                                        "containerEdits", "devices", NULL};
    const char *version, *kind;
    json_t *devices, *device;
    size_t i;

    if (json_take(doc, err, "{s:s, s:s, s:o}", "cdiVersion", &version, "kind", &kind, "devices",
                  &devices) < 0 ||
        check_version(version, err) < 0 || check_keys(doc, known, err) < 0)
        return -1;
    if (!is_kind(str_of(kind))) {
        SCOPED(buf_release) struct buf shown = {0};

        buf_add_escaped(&shown, str_slice(str_of(kind), 0, 120));
        return err_set(err, ERR_INPUT, 0, "kind \"%s\" is not VENDOR/CLASS", buf_cstr(&shown));
    }
    spec->kind = xstrdup(kind);
    if (!json_is_array(devices) || json_array_size(devices) == 0)
        return err_set(err, ERR_INPUT, 0, "devices is no list, or an empty one");
    json_array_foreach(devices, i, device)
    {
        if (take_device(device, doc, spec, err) < 0)
            return err_wrap(err, "devices[%zu]", i);
    }
    return take_edits(json_object_get(doc, "containerEdits"), &spec->edits, err);
}

int cdi_spec_parse(const char *file, json_t *doc, struct cdi_spec *spec, struct err *err)
{
    *spec = (struct cdi_spec){.file = xstrdup(file)};
    if (take_spec(doc, spec, err) == 0)
        return 0;
    err->kind = ERR_INPUT;
    cdi_spec_release(spec);
    return -1;
}

void cdi_spec_release(struct cdi_spec *spec)
{
    free(spec->file);
    free(spec->kind);
    cdi_edits_release(&spec->edits);
    for (size_t i = 0; i < spec->count; i++) {
        free(spec->devices[i].name);
        free(spec->devices[i].class);
        cdi_edits_release(&spec->devices[i].edits);
    }
    free(spec->devices);
    *spec = (struct cdi_spec){0};
}
