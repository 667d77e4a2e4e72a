/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/git_run.h"
#include "registry/layout.h"

#define DEPTH_MAX 16 /* ours: repositories in repositories; more is a circle */

void git_commit_release(struct git_commit *commit)
{
    free(commit->ref);
    *commit = (struct git_commit){0};
}

static bool begins(const char *hash, const char *prefix)
{
    return strncasecmp(hash, prefix, strlen(prefix)) == 0;
}

static int check(const struct git_commit *c, const char *checksum, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (!checksum || begins(c->commit, checksum) || begins(c->object, checksum))
        return 0;
    buf_add_escaped(&shown, str_slice(str_of(checksum), 0, 100));
    return err_set(err, ERR_INPUT, 0, "the commit is %s, not one that begins with %s", c->commit,
                   buf_cstr(&shown));
}

static void set_hash(char out[static GIT_HASH_SIZE], struct str hash)
{
    snprintf(out, GIT_HASH_SIZE, STR_FMT, STR_ARG(hash));
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

/* The hash that ls-remote gave for one ref; empty: none. */
static struct str hash_of(struct str lines, const char *ref)
{
    struct str line, hash, name;

    while (str_line(&lines, &line))
        if (str_cut(line, '\t', &hash, &name) && str_is(name, ref) && git_is_hash(hash))
            return hash;
    return STR("");
}

/* A name as git would take it: "refs/<name>" in full, then a branch, then a tag. */
static bool pick(struct str lines, const char *name, struct git_commit *out)
{
    static const char *const prefixes[] = {"refs/", "refs/heads/", "refs/tags/"};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        bool whole = strncmp(name, prefixes[i], strlen(prefixes[i])) == 0;
        AUTO_FREE char *ref = xasprintf("%s%s", whole ? "" : prefixes[i], name),
                       *peeled = xasprintf("%s^{}", ref);
        struct str hash = hash_of(lines, ref), inner = hash_of(lines, peeled);

        if (!hash.size)
            continue;
        set_hash(out->object, hash);
        set_hash(out->commit, inner.size ? inner : hash);
        out->ref = steal_ptr(&ref);
        return true;
    }
    return false;
}

/* The branch that HEAD is, or HEAD alone. */
static bool pick_head(struct str lines, struct git_commit *out)
{
    struct str hash = hash_of(lines, "HEAD"), line, ref, name;

    if (!hash.size)
        return false;
    set_hash(out->object, hash);
    set_hash(out->commit, hash);
    while (str_line(&lines, &line))
        if (str_starts(line, "ref: refs/heads/") && str_cut(line, '\t', &ref, &name) &&
            str_is(name, "HEAD"))
            out->ref = str_dup(str_slice(ref, 5, ref.size));
    return true;
}

static int ask_remote(const struct git *git, const struct giturl *url, struct git_commit *out,
                      struct err *err)
{
    SCOPED(buf_release) struct buf lines = {0}, shown = {0};
    AUTO_FREE char *peeled = url->ref ? xasprintf("%s^{}", url->ref) : NULL;
    struct git_call call = {.url = url, .main_host = url->host};

    call.args = url->ref ? GIT_ARGS("ls-remote", "--quiet", "--", GIT_REMOTE, url->ref, peeled)
                         : GIT_ARGS("ls-remote", "--quiet", "--symref", "--", GIT_REMOTE, "HEAD");
    if (git_run(git, &call, &lines, NULL, err) < 0)
        return -1;
    if (url->ref ? pick(buf_str(&lines), url->ref, out) : pick_head(buf_str(&lines), out))
        return 0;
    giturl_show(url->remote, &shown);
    if (url->ref)
        return err_set(err, ERR_REMOTE, 404, "git repository %s has no branch or tag \"%s\"",
                       buf_cstr(&shown), url->ref);
    return err_set(err, ERR_REMOTE, 404, "git repository %s is empty: its HEAD leads to no commit",
                   buf_cstr(&shown));
}

int git_resolve(const struct git *git, const struct giturl *url, const char *checksum,
                struct git_commit *out, struct err *err)
{
    const char *named =
        url->ref && git_is_hash(str_of(url->ref)) ? url->ref
        : url->fetch_by_commit || (!url->ref && url->checksum && git_is_hash(str_of(url->checksum)))
            ? url->checksum
            : NULL;

    *out = (struct git_commit){0};
    if (named) {
        set_hash(out->object, str_of(named));
        set_hash(out->commit, str_of(named));
        if (url->ref && named != url->ref && strncmp(url->ref, "refs/", 5) != 0)
            out->ref = xasprintf("refs/heads/%s", url->ref);
        else if (url->ref && named != url->ref)
            out->ref = xstrdup(url->ref);
    } else if (ask_remote(git, url, out, err) < 0) {
        return -1;
    }
    if (check(out, checksum, err) == 0 && check(out, url->checksum, err) == 0)
        return 0;
    git_commit_release(out);
    return -1;
}

/* A .git of its own in dir: the one commit out of the mirror, its ref, the remote without a
 * password. */
static int make_git_dir(const struct git *git, const struct giturl *url,
                        const struct git_commit *commit, const struct git_mirror *mirror,
                        const char *dir, struct err *err)
{
    AUTO_FREE char *git_dir = xasprintf("%s/.git", dir),
                   *from = xasprintf("file://%s", mirror->path),
                   *what = xasprintf("refs/slipway/%s:%s", commit->object,
                                     commit->ref ? commit->ref : "refs/slipway/commit");
    SCOPED(buf_release) struct buf out = {0}, shown = {0};
    bool sha256 = strlen(commit->commit) == 64;
    struct git_call call = {.git_dir = git_dir, .mirror = mirror, .work_tree = dir, .local = true};
    const char *const *steps[] = {
        GIT_ARGS("init", "--quiet",
                 "--template=", sha256 ? "--object-format=sha256" : "--object-format=sha1"),
        GIT_ARGS("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head",
                 "--no-recurse-submodules", "--update-head-ok", "--", from, what),
        GIT_ARGS("checkout", "--quiet", "--force", "--detach", commit->commit),
        NULL,
    };

    giturl_show(url->remote, &shown);
    steps[3] = GIT_ARGS("config", "remote.origin.url", buf_cstr(&shown));
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        call.args = steps[i];
        if (git_run(git, &call, &out, NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int write_tree(const struct git *git, const struct git_commit *commit,
                      const struct git_mirror *mirror, const char *dir, struct err *err)
{
    AUTO_FREE char *index = xasprintf("%s.index", dir);
    SCOPED(buf_release) struct buf out = {0};
    struct git_call call = {.mirror = mirror, .work_tree = dir, .index = index};
    int rc;

    call.args = GIT_ARGS("read-tree", "--reset", "-u", commit->commit);
    rc = git_run(git, &call, &out, NULL, err);
    unlink(index);
    return rc;
}

static int read_time(const struct git *git, const struct git_mirror *mirror, const char *commit,
                     int64_t *out, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct git_call call = {.mirror = mirror};

    call.args = GIT_ARGS("log", "-1", "--format=%ct", commit);
    if (git_run(git, &call, &text, NULL, err) < 0)
        return -1;
    if (!str_i64(str_trim(buf_str(&text)), out))
        return err_set(err, ERR_INPUT, 0, "commit %s has no time", commit);
    return 0;
}

/* A commit of one repository in one directory. */
struct place {
    const struct giturl *url;
    const char *main_host;
    const char *dir;
    const char *subdir; /* only submodules that touch it; NULL: all */
    unsigned depth;
};

static int fill(const struct git *git, const struct place *place, const struct git_commit *commit,
                bool keep_git_dir, int64_t *commit_time, struct err *err);

static int fill_submodule(const struct git *git, const struct place *outer,
                          const struct git_submodule *sub, struct err *err)
{
    AUTO_FREE char *dir = xasprintf("%s/%s", outer->dir, sub->path);
    size_t size = strlen(sub->path);
    bool contains =
        outer->subdir && strncmp(outer->subdir, sub->path, size) == 0 && outer->subdir[size] == '/';
    struct place inner = {.url = &sub->url,
                          .main_host = outer->main_host,
                          .dir = dir,
                          .subdir = contains ? outer->subdir + size + 1 : NULL,
                          .depth = outer->depth + 1};
    struct git_commit commit = {0};
    AUTO_FD int outer_fd = open(outer->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* git made it with the tree; a link on the way would lead out of it. */
    AUTO_FD int fd = outer_fd < 0 ? -1
                                  : fs_open_beneath(outer_fd, sub->path, O_RDONLY | O_DIRECTORY, 0,
                                                    FS_NO_LINKS, err);

    if (outer_fd < 0)
        return err_errno(err, "open %s", outer->dir);
    if (fd < 0)
        return -1;
    if (inner.depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "submodules nested deeper than %d", DEPTH_MAX);
    set_hash(commit.object, str_of(sub->commit));
    set_hash(commit.commit, str_of(sub->commit));
    return fill(git, &inner, &commit, false, NULL, err);
}

static int fill_submodules(const struct git *git, const struct place *place,
                           const struct git_submodules *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (fill_submodule(git, place, &list->items[i], err) < 0)
            return err_wrap(err, "submodule %s", list->items[i].path);
    return 0;
}

/* The mirror is let go before those of the submodules are taken: one lock at a time. */
static int fill(const struct git *git, const struct place *place, const struct git_commit *commit,
                bool keep_git_dir, int64_t *commit_time, struct err *err)
{
    SCOPED(git_submodules_release) struct git_submodules subs = {0};
    SCOPED(git_mirror_close) struct git_mirror mirror = GIT_MIRROR_CLOSED;
    AUTO_FREE char *modules = xasprintf("%s/.gitmodules", place->dir);

    if (git_mirror_open(git, place->url, place->main_host, commit->object, &mirror, err) < 0)
        return -1;
    if (keep_git_dir ? make_git_dir(git, place->url, commit, &mirror, place->dir, err) < 0
                     : write_tree(git, commit, &mirror, place->dir, err) < 0)
        return -1;
    if (commit_time && read_time(git, &mirror, commit->commit, commit_time, err) < 0)
        return -1;
    if (place->url->submodules != GITURL_NO && access(modules, F_OK) == 0 &&
        git_submodules_list(git, &mirror, place->url, commit->commit, place->subdir, &subs, err) <
            0)
        return -1;
    git_mirror_close(&mirror);
    return fill_submodules(git, place, &subs, err);
}

int git_checkout(const struct git *git, const struct giturl *url, const struct git_commit *commit,
                 bool keep_git_dir, const char *dir, int64_t *commit_time, struct err *err)
{
    struct place place = {
        .url = url, .main_host = url->host, .dir = dir, .subdir = url->subdir, .depth = 0};

    return fill(git, &place, commit, keep_git_dir && !url->subdir, commit_time, err);
}
