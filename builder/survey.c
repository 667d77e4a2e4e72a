/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PATH_SHOWN 120

void survey_release(struct survey *s)
{
    int saved = errno;

    for (size_t i = 0; i < s->count; i++)
        free(s->rows[i].path);
    *s = (struct survey){0};
    errno = saved;
}

void survey_copy(struct survey *to, const struct survey *from)
{
    *to = *from;
    for (size_t i = 0; i < to->count; i++)
        to->rows[i].path = xstrdup(from->rows[i].path);
}

static struct survey_row *row_of(struct survey *s, const char *arch)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].arch, arch) == 0)
            return &s->rows[i];
    if (s->count == SURVEY_MAX)
        return NULL;
    snprintf(s->rows[s->count].arch, sizeof(s->rows[s->count].arch), "%s", arch);
    return &s->rows[s->count++];
}

static void add(struct survey *s, const char *arch, const char *path)
{
    struct survey_row *row = row_of(s, arch);

    BUG_ON(!row);
    if (row->files++ == 0)
        row->path = xstrdup(path);
}

void survey_feed(struct survey_head *head, const void *bytes, size_t size)
{
    size_t room = sizeof(head->bytes) - head->size, some = size < room ? size : room;

    if (some == 0)
        return;
    memcpy(head->bytes + head->size, bytes, some);
    head->size += some;
}

void survey_file(struct survey *s, const struct survey_head *head, const char *path)
{
    struct elf_head elf;
    const char *arch;

    if (!elf_read((struct str){(const char *)head->bytes, head->size}, &elf) ||
        !elf_is_loaded(&elf))
        return;
    arch = elf_arch(&elf);
    if (arch)
        add(s, arch, path);
}

json_t *survey_to_json(const struct survey *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->count; i++) {
        const struct survey_row *r = &s->rows[i];
        /* A path need not be UTF-8, and JSON is. */
        json_t *path = json_string(r->path);

        json_array_append_new(list, json_pack("{s:s, s:I, s:o}", "arch", r->arch, "files",
                                              (json_int_t)r->files, "path",
                                              path ? path : json_string("?")));
    }
    return list;
}

int survey_from_json(const json_t *list, struct survey *s, struct err *err)
{
    size_t i;
    json_t *item;

    if (!json_is_array(list))
        return err_set(err, ERR_INPUT, 0, "elf is not a list");
    json_array_foreach(list, i, item)
    {
        struct survey_row *row;
        const char *arch, *path;
        json_int_t files;

        if (json_take(item, err, "{s:s, s:I, s:s}", "arch", &arch, "files", &files, "path", &path) <
            0)
            return -1;
        row = files > 0 && strlen(arch) < sizeof(row->arch) ? row_of(s, arch) : NULL;
        if (!row || row->files)
            return err_set(err, ERR_INPUT, 0, "elf has a row that cannot be");
        row->files = (uint64_t)files;
        row->path = xstrdup(path);
    }
    return 0;
}

static bool runs_on(const char *file, const char *arch)
{
    return strcmp(file, arch) == 0 || (strcmp(file, "386") == 0 && strcmp(arch, "amd64") == 0);
}

uint64_t survey_strangers(const struct survey *s, const char *arch, uint64_t *right,
                          struct buf *out)
{
    uint64_t fitting = 0, strange = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct survey_row *r = &s->rows[i];
        struct str path = str_of(r->path);

        if (runs_on(r->arch, arch)) {
            fitting += r->files;
            continue;
        }
        buf_addf(out, "%s%llu for %s (%s/", strange ? ", " : "", (unsigned long long)r->files,
                 r->arch, r->files == 1 ? "" : "such as ");
        buf_add_escaped(out, str_slice(path, 0, PATH_SHOWN));
        buf_adds(out, path.size > PATH_SHOWN ? "...)" : ")");
        strange += r->files;
    }
    if (right)
        *right = fitting;
    return strange;
}
