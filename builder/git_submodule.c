/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/git_run.h"

#define SUBMODULES_MAX 1000 /* ours: of one repository */

void git_submodules_release(struct git_submodules *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].path);
        giturl_release(&list->items[i].url);
    }
    free(list->items);
    *list = (struct git_submodules){0};
}

/* "submodule.<name>.<key>\n<value>\0": the value of another key of the same submodule. */
static const char *value_of(const struct strv *lines, struct str name, const char *key)
{
    for (size_t i = 0; i < lines->count; i++) {
        struct str line = str_of(lines->ptr[i]), setting, value, head, last;

        str_cut(line, '\n', &setting, &value);
        str_cut_last(setting, '.', &head, &last);
        if (str_eq(head, name) && str_is_nocase(last, key))
            return value.ptr;
    }
    return NULL;
}

static int read_lines(const struct git *git, const struct git_mirror *mirror, const char *commit,
                      struct strv *lines, struct err *err)
{
    AUTO_FREE char *blob = xasprintf("--blob=%s:.gitmodules", commit);
    SCOPED(buf_release) struct buf out = {0};
    struct git_call call = {.mirror = mirror, .quiet = true};
    struct str rest, line;
    int status;

    call.args = GIT_ARGS("config", blob, "-z", "--get-regexp", "^submodule\\..*");
    if (git_run(git, &call, &out, &status, err) < 0)
        return -1;
    /* 1: nothing of the kind is in it. */
    if (status > 1)
        return err_set(err, ERR_INPUT, 0, ".gitmodules of commit %s cannot be read", commit);
    for (rest = buf_str(&out); rest.size;) {
        str_cut(rest, 0, &line, &rest);
        strv_add_str(lines, line);
    }
    return 0;
}

static bool touches(const char *path, const char *subdir)
{
    return !subdir || path_is_under(str_of(path), str_of(subdir)) ||
           path_is_under(str_of(subdir), str_of(path));
}

/* The commit that the tree has at path: 1; 0: there is no submodule there. */
static int find_commit(const struct git *git, const struct git_mirror *mirror, const char *commit,
                       const char *path, char out[static GIT_HASH_SIZE], struct err *err)
{
    SCOPED(buf_release) struct buf line = {0};
    struct git_call call = {.mirror = mirror};
    struct str rest, mode, type, hash;

    call.args = GIT_ARGS("ls-tree", "-z", "--full-tree", commit, "--", path);
    if (git_run(git, &call, &line, NULL, err) < 0)
        return -1;
    str_cut(buf_str(&line), '\t', &rest, &hash);
    str_cut(rest, ' ', &mode, &rest);
    str_cut(rest, ' ', &type, &hash);
    if (!str_is(mode, "160000") || !git_is_hash(hash))
        return 0;
    memcpy(out, hash.ptr, hash.size);
    out[hash.size] = 0;
    return 1;
}

static int add(const struct git *git, const struct git_mirror *mirror, const struct giturl *url,
               const char *commit, const char *path, const char *from, struct git_submodules *out,
               struct err *err)
{
    AUTO_FREE char *clean = path_beneath(str_of(path));
    struct git_submodule item = {0};
    int found;

    if (strcmp(clean, path) != 0)
        return err_set(err, ERR_INPUT, 0, ".gitmodules of commit %s: a path that is not clean",
                       commit);
    found = find_commit(git, mirror, commit, path, item.commit, err);
    if (found <= 0)
        return found;
    if (!from)
        return err_set(err, ERR_INPUT, 0, "submodule %s has no url", path);
    if (out->count == SUBMODULES_MAX)
        return err_set(err, ERR_INPUT, 0, "more than %d submodules in one repository",
                       SUBMODULES_MAX);
    if (giturl_submodule(url->remote, from, &item.url, err) < 0)
        return err_wrap(err, "submodule %s", path);
    item.path = xstrdup(path);
    VEC_GROW(out->items, out->count, out->capacity);
    out->items[out->count++] = item;
    return 0;
}

int git_submodules_list(const struct git *git, const struct git_mirror *mirror,
                        const struct giturl *url, const char *commit, const char *subdir,
                        struct git_submodules *out, struct err *err)
{
    SCOPED(strv_release) struct strv lines = {0};

    if (read_lines(git, mirror, commit, &lines, err) < 0)
        return -1;
    for (size_t i = 0; i < lines.count; i++) {
        struct str setting, value, name, key;
        const char *update;

        str_cut(str_of(lines.ptr[i]), '\n', &setting, &value);
        str_cut_last(setting, '.', &name, &key);
        if (!str_is_nocase(key, "path") || !value.size || !touches(value.ptr, subdir))
            continue;
        update = value_of(&lines, name, "update");
        if (update && strcmp(update, "none") == 0)
            continue;
        if (add(git, mirror, url, commit, value.ptr, value_of(&lines, name, "url"), out, err) < 0)
            return -1;
    }
    return 0;
}
