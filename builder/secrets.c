/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/secrets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/tripwire.h"

void secret_spec_release(struct secret_spec *spec)
{
    free(spec->id);
    free(spec->file);
    free(spec->env);
    *spec = (struct secret_spec){0};
}

static void take_text(char **slot, struct str value)
{
    free(*slot);
    *slot = value.size ? str_dup(value) : NULL;
}

static int take(struct secret_spec *spec, struct str field, bool *is_env, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    struct str key, value;
    bool pair = str_cut(field, '=', &key, &value);

    buf_add_escaped(&shown, str_slice(key, 0, 80));
    if (!pair)
        return err_set(err, ERR_USAGE, 0, "field \"%s\" is not KEY=VALUE", buf_cstr(&shown));
    if (str_is_nocase(key, "id")) {
        take_text(&spec->id, value);
    } else if (str_is_nocase(key, "src") || str_is_nocase(key, "source")) {
        take_text(&spec->file, value);
    } else if (str_is_nocase(key, "env")) {
        take_text(&spec->env, value);
    } else if (!str_is_nocase(key, "type")) {
        return err_set(err, ERR_USAGE, 0, "unknown key \"%s\"; there are id, src, env and type",
                       buf_cstr(&shown));
    } else if (!str_is(value, "file") && !str_is(value, "env")) {
        return err_set(err, ERR_USAGE, 0, "type is file or env");
    } else {
        *is_env = str_is(value, "env");
    }
    return 0;
}

int secret_spec_parse(struct str text, struct secret_spec *spec, struct err *err)
{
    SCOPED(strv_release) struct strv fields = {0};
    bool is_env = false;
    int rc = csv_fields(text, &fields, err);

    *spec = (struct secret_spec){0};
    for (size_t i = 0; i < fields.count && rc == 0; i++)
        rc = take(spec, str_of(fields.ptr[i]), &is_env, err);
    if (rc == 0 && !spec->id)
        rc = err_set(err, ERR_USAGE, 0, "there is no id: want id=NAME[,src=FILE|,env=VARIABLE]");
    if (rc == 0 && is_env && !spec->env)
        spec->env = steal_ptr(&spec->file);
    if (rc == 0 && spec->env && spec->file)
        rc = err_set(err, ERR_USAGE, 0, "secret %.80s: give src or env, not both", spec->id);
    if (rc < 0)
        secret_spec_release(spec);
    return rc;
}

static void secret_release(struct secret *s)
{
    free(s->id);
    if (s->value.ptr)
        explicit_bzero(s->value.ptr, s->value.capacity);
    buf_release(&s->value);
    *s = (struct secret){0};
}

void secrets_release(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++)
        secret_release(&secrets->items[i]);
    free(secrets->items);
    *secrets = (struct secrets){0};
}

static int read_value(const struct secret_spec *spec, struct buf *value, struct err *err)
{
    const char *env = spec->env ? spec->env : spec->file ? NULL : spec->id;
    const char *text = env ? getenv(env) : NULL, *file = spec->file ? spec->file : spec->id;

    /* An id alone is the variable of that name, or else the file. */
    if (spec->env || text) {
        if (!text)
            log_warn("secret %s: the variable %s is not set, so the secret is empty", spec->id,
                     env);
        buf_adds(value, text ? text : "");
        return 0;
    }
    /* Room for all of it at once: growing would leave copies behind. */
    buf_reserve(value, SECRET_MAX + 1);
    if (fs_read_file(AT_FDCWD, file, value, SECRET_MAX, err) < 0)
        return err_wrap(err, "secret %s", spec->id);
    return 0;
}

int secrets_add(struct secrets *secrets, struct str text, struct err *err)
{
    SCOPED(secret_spec_release) struct secret_spec spec = {0};
    struct secret s = {0};
    size_t at = 0;

    if (secret_spec_parse(text, &spec, err) < 0)
        return -1;
    if (read_value(&spec, &s.value, err) < 0) {
        secret_release(&s);
        return -1;
    }
    s.id = steal_ptr(&spec.id);
    while (at < secrets->count && strcmp(secrets->items[at].id, s.id) != 0)
        at++;
    if (at < secrets->count) {
        secret_release(&secrets->items[at]);
    } else {
        VEC_GROW(secrets->items, secrets->count, secrets->capacity);
        secrets->count++;
    }
    secrets->items[at] = s;
    return 0;
}

const struct secret *secrets_find(const struct secrets *secrets, const char *id)
{
    for (size_t i = 0; i < secrets->count; i++)
        if (strcmp(secrets->items[i].id, id) == 0)
            return &secrets->items[i];
    return NULL;
}

static int get(void *arg, const char *id, struct buf *out, struct err *err)
{
    const struct secret *secret = secrets_find(arg, id);

    (void)err;
    if (!secret)
        return 0;
    buf_add_str(out, buf_str(&secret->value));
    return 1;
}

struct secret_source secrets_source(struct secrets *secrets)
{
    return (struct secret_source){.get = get, .arg = secrets};
}

struct tripwire *secrets_tripwire(const struct secrets *secrets)
{
    struct tripwire *wire = secrets->count ? tripwire_new() : NULL;

    for (size_t i = 0; i < secrets->count; i++)
        tripwire_add(wire, secrets->items[i].id, buf_str(&secrets->items[i].value));
    if (!tripwire_is_empty(wire))
        return wire;
    tripwire_free(wire);
    return NULL;
}
