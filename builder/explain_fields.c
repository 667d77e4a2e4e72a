/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/explain_fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"

#define VALUE_MAX 120 /* of a value that is shown */

/* ---- fields ---- */

struct field {
    struct str name, value;
};

/* "env 3=PATH=/bin" is the variable PATH wherever it stands; other lists keep their numbers. */
static struct field field_of(const char *text)
{
    struct field f;

    str_cut(str_of(text), '=', &f.name, &f.value);
    if (!str_starts(f.name, "env "))
        return f;
    struct str inner = f.value;
    str_cut(inner, '=', &f.name, &f.value);
    return f;
}

static bool is_env(const char *text)
{
    return str_starts(str_of(text), "env ");
}

/* An ARG stands in the environment too; it is told by its own name. */
static bool is_arg(const struct strv *fields, struct str name)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct str rest = str_of(fields->ptr[i]);

        if (!str_starts(rest, "ARG "))
            continue;
        rest = str_slice(rest, 4, rest.size);
        if (rest.size > name.size && rest.ptr[name.size] == '=' &&
            str_eq(str_slice(rest, 0, name.size), name))
            return true;
    }
    return false;
}

static const char *find(const struct strv *fields, const char *like)
{
    struct field wanted = field_of(like);

    for (size_t i = 0; i < fields->count; i++) {
        struct field f = field_of(fields->ptr[i]);

        if (is_env(fields->ptr[i]) == is_env(like) && str_eq(f.name, wanted.name))
            return fields->ptr[i];
    }
    return NULL;
}

const char *explain_field(const struct strv *fields, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < fields->count; i++)
        if (strncmp(fields->ptr[i], name, size) == 0 && fields->ptr[i][size] == '=')
            return fields->ptr[i] + size + 1;
    return NULL;
}

static void add_value(struct buf *out, struct str value)
{
    bool cut = value.size > VALUE_MAX;

    buf_addc(out, '"');
    buf_add_escaped(out, str_slice(value, 0, cut ? VALUE_MAX : value.size));
    buf_adds(out, cut ? "…\"" : "\"");
}

static void add_name(struct buf *out, const char *text)
{
    buf_adds(out, "    ");
    if (is_env(text))
        buf_adds(out, "ENV ");
    buf_add_escaped(out, field_of(text).name);
}

/* What stands behind it is told otherwise: files by their list, an ARG once. */
static bool passed_over(const struct strv *fields, const char *text)
{
    struct field f = field_of(text);

    return str_is(f.name, "files") || (is_env(text) && is_arg(fields, f.name));
}

size_t explain_fields(const struct strv *before, const struct strv *now, struct buf *out)
{
    size_t count = 0;

    for (size_t i = 0; i < now->count; i++) {
        const char *text = now->ptr[i], *old = find(before, text);

        if (passed_over(now, text) || (old && str_eq(field_of(old).value, field_of(text).value)))
            continue;
        add_name(out, text);
        buf_adds(out, old ? ": " : " is new: ");
        if (old) {
            add_value(out, field_of(old).value);
            buf_adds(out, " became ");
        }
        add_value(out, field_of(text).value);
        buf_addc(out, '\n');
        count++;
    }
    for (size_t i = 0; i < before->count; i++) {
        const char *text = before->ptr[i];

        if (passed_over(before, text) || find(now, text))
            continue;
        add_name(out, text);
        buf_adds(out, " is gone: it was ");
        add_value(out, field_of(text).value);
        buf_addc(out, '\n');
        count++;
    }
    return count;
}

/* ---- files ---- */

struct file {
    struct str path, mode, what;
};

struct files {
    struct file *items;
    size_t count, capacity;
};

static void files_release(struct files *f)
{
    free(f->items);
}

static int by_path(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    return str_cmp(x->path, y->path);
}

/* "<mode> <digest, or "->" and a link's target> <path>" */
static void read_list(struct str text, struct files *out)
{
    struct str line;

    while (str_line(&text, &line)) {
        struct file f;
        struct str rest;

        if (!str_cut(line, ' ', &f.mode, &rest) || !str_cut(rest, ' ', &f.what, &f.path))
            continue;
        VEC_GROW(out->items, out->count, out->capacity);
        out->items[out->count++] = f;
    }
    if (out->count > 1)
        qsort(out->items, out->count, sizeof(*out->items), by_path);
}

/* What differs between two states of one path; NULL on one side: it was not there. */
static const char *difference(const struct file *before, const struct file *now)
{
    if (!before)
        return "is new";
    if (!now)
        return "is gone";
    if (!str_eq(before->what, now->what))
        return str_starts(now->what, "->") && str_starts(before->what, "->")
                   ? "points elsewhere"
                   : "has another content";
    return str_eq(before->mode, now->mode) ? NULL : "has another mode";
}

size_t explain_files(struct str before, struct str now, struct buf *out)
{
    SCOPED(files_release) struct files old = {0}, new = {0};
    size_t i = 0, k = 0, count = 0;

    read_list(before, &old);
    read_list(now, &new);
    while (i < old.count || k < new.count) {
        int order = i == old.count   ? 1
                    : k == new.count ? -1
                                     : str_cmp(old.items[i].path, new.items[k].path);
        const struct file *a = order <= 0 ? &old.items[i++] : NULL;
        const struct file *b = order >= 0 ? &new.items[k++] : NULL;
        const char *how = difference(a, b);

        if (!how || ++count > EXPLAIN_LINES_MAX)
            continue;
        buf_adds(out, "    file ");
        buf_add_escaped(out, b ? b->path : a->path);
        buf_addf(out, " %s\n", how);
    }
    if (count > EXPLAIN_LINES_MAX)
        buf_addf(out, "    and %zu more files\n", count - EXPLAIN_LINES_MAX);
    return count;
}
