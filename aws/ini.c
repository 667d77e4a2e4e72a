/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/ini.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"

struct reader {
    struct ini *ini;
    const char *file;
    size_t line;
    size_t section; /* index + 1; 0: before the first */
    char *outer;    /* key whose value may go on in indented lines; NULL: none */
    bool nested;    /* … and whose value was empty, so that they are keys of their own */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Words with the quotes taken off, one space between: "profile   \"my x\"" is "profile my x". */
static int section_name(const struct reader *r, struct str text, struct buf *out, struct err *err)
{
    char quote = 0;
    bool space = false;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.ptr[i];

        if (quote && c == quote) {
            quote = 0;
        } else if (!quote && (c == '"' || c == '\'')) {
            quote = c;
        } else if (!quote && is_blank(c)) {
            space = out->size > 0;
        } else {
            if (space)
                buf_addc(out, ' ');
            space = false;
            buf_addc(out, c);
        }
    }
    if (quote)
        return err_set(err, ERR_INPUT, 0, "%s:%zu: section name has an open quote", r->file,
                       r->line);
    if (!out->size)
        return err_set(err, ERR_INPUT, 0, "%s:%zu: section without a name", r->file, r->line);
    return 0;
}

static size_t find_or_add(struct ini *ini, const char *name)
{
    for (size_t i = 0; i < ini->count; i++) {
        if (!strcmp(ini->sections[i].name, name))
            return i;
    }
    VEC_GROW(ini->sections, ini->count, ini->capacity);
    ini->sections[ini->count] = (struct ini_section){.name = xstrdup(name)};
    return ini->count++;
}

static struct ini_pair *find_pair(struct ini_section *s, const char *key)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!strcmp(s->pairs[i].key, key))
            return &s->pairs[i];
    }
    return NULL;
}

static void put(struct ini_section *s, const char *key, struct str value)
{
    struct ini_pair *pair = find_pair(s, key);

    if (!pair) {
        VEC_GROW(s->pairs, s->count, s->capacity);
        pair = &s->pairs[s->count++];
        *pair = (struct ini_pair){.key = xstrdup(key)};
    }
    free(pair->value);
    pair->value = str_dup(value);
}

static int begin_section(struct reader *r, struct str line, struct err *err)
{
    SCOPED(buf_release) struct buf name = {0};
    ptrdiff_t end = str_rfind(line, ']');

    if (end < 0)
        return err_set(err, ERR_INPUT, 0, "%s:%zu: section is not closed with ]", r->file, r->line);
    if (section_name(r, str_slice(line, 1, (size_t)end), &name, err) < 0)
        return -1;
    r->section = find_or_add(r->ini, buf_cstr(&name)) + 1;
    free(steal_ptr(&r->outer));
    return 0;
}

static bool split_pair(struct str line, struct buf *key, struct str *value)
{
    size_t at = 0;

    while (at < line.size && line.ptr[at] != '=' && line.ptr[at] != ':')
        at++;
    if (at == line.size)
        return false;
    struct str name = str_trim(str_slice(line, 0, at));
    for (size_t i = 0; i < name.size; i++)
        buf_addc(key, (char)tolower((unsigned char)name.ptr[i]));
    *value = str_trim(str_slice(line, at + 1, line.size));
    return name.size > 0;
}

/* An indented line: a key of the nested block, or more of the value before it. */
static int more(struct reader *r, struct str line, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct ini_section *s = &r->ini->sections[r->section - 1];
    struct str value;

    if (r->nested) {
        buf_addf(&text, "%s.", r->outer);
        if (!split_pair(line, &text, &value))
            return err_set(err, ERR_INPUT, 0,
                           "%s:%zu: expected \"key = value\" in the block of \"%s\"", r->file,
                           r->line, r->outer);
        put(s, buf_cstr(&text), value);
        return 0;
    }
    buf_addf(&text, "%s\n", find_pair(s, r->outer)->value);
    buf_add_str(&text, line);
    put(s, r->outer, buf_str(&text));
    return 0;
}

static int read_line(struct reader *r, struct str raw, struct err *err)
{
    SCOPED(buf_release) struct buf key = {0};
    struct str line = str_trim(raw), value;

    if (!line.size || line.ptr[0] == '#' || line.ptr[0] == ';')
        return 0;
    if (memchr(line.ptr, 0, line.size))
        return err_set(err, ERR_INPUT, 0, "%s:%zu: line has a NUL byte", r->file, r->line);
    if (is_blank(raw.ptr[0]) && r->outer)
        return more(r, line, err);
    if (line.ptr[0] == '[')
        return begin_section(r, line, err);
    if (!r->section)
        return err_set(err, ERR_INPUT, 0, "%s:%zu: text before the first [section]", r->file,
                       r->line);
    if (!split_pair(line, &key, &value))
        return err_set(err, ERR_INPUT, 0, "%s:%zu: expected \"key = value\"", r->file, r->line);
    put(&r->ini->sections[r->section - 1], buf_cstr(&key), value);
    free(r->outer);
    r->outer = buf_steal(&key);
    r->nested = !value.size;
    return 0;
}

int ini_parse(struct str text, const char *file, struct ini *ini, struct err *err)
{
    struct reader r = {.ini = ini, .file = file};
    struct str line;
    int rc = 0;

    if (str_starts(text, "\xef\xbb\xbf"))
        text = str_slice(text, 3, text.size);
    while (!rc && str_line(&text, &line)) {
        r.line++;
        rc = read_line(&r, line, err);
    }
    free(r.outer);
    return rc;
}

void ini_release(struct ini *ini)
{
    for (size_t i = 0; i < ini->count; i++) {
        struct ini_section *s = &ini->sections[i];

        for (size_t k = 0; k < s->count; k++) {
            free(s->pairs[k].key);
            free(s->pairs[k].value);
        }
        free(s->pairs);
        free(s->name);
    }
    free(ini->sections);
    *ini = (struct ini){0};
}

const struct ini_section *ini_section(const struct ini *ini, const char *name)
{
    for (size_t i = 0; i < ini->count; i++) {
        if (!strcmp(ini->sections[i].name, name))
            return &ini->sections[i];
    }
    return NULL;
}

const char *ini_get(const struct ini_section *section, const char *key)
{
    for (size_t i = 0; section && i < section->count; i++) {
        if (!strcmp(section->pairs[i].key, key))
            return section->pairs[i].value;
    }
    return NULL;
}
