/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/git_run.h"
#include "registry/layout.h"

void git_mirror_close(struct git_mirror *mirror)
{
    free(mirror->path);
    mirror->path = NULL;
    scope_close(&mirror->lock_fd);
}

/* Made beside its place and moved there: a mirror is whole or not there. */
static int create(const struct git *git, const struct git_mirror *mirror, const char *hex,
                  bool sha256, struct err *err)
{
    const struct layout *l = git->layout;
    SCOPED(buf_release) struct buf out = {0};
    struct layout_tmp tmp = LAYOUT_TMP_CLOSED;
    AUTO_FREE char *dir = NULL, *from = NULL, *to = NULL;
    int rc = -1;

    if (access(mirror->path, F_OK) == 0)
        return 0;
    if (fs_mkdirs(l->cache_fd, "git", 0700, err) < 0 || layout_tmp_open(l, &tmp, err) < 0)
        return -1;
    dir = xasprintf("%s/tmp/%s/git", l->root, tmp.name);
    from = xasprintf("%s/git", tmp.name);
    to = xasprintf("git/%s", hex);
    if (git_run(
            git,
            &(struct git_call){
                .args = GIT_ARGS("init", "--quiet", "--bare", "--template=",
                                 sha256 ? "--object-format=sha256" : "--object-format=sha1", dir)},
            &out, NULL, err) == 0)
        rc = renameat(l->tmp_fd, from, l->cache_fd, to) < 0 && errno != EEXIST && errno != ENOTEMPTY
                 ? err_errno(err, "make %s", mirror->path)
                 : 0;
    layout_tmp_close(l, &tmp);
    return rc;
}

/* What a fetch that was killed leaves: nobody else is here, for the mirror is locked. */
static void clean(const struct git_mirror *mirror, const char *object)
{
    AUTO_FREE char *lock = xasprintf("refs/slipway/%s.lock", object);
    SCOPED(strv_release) struct strv names = {0};
    struct err ignored = {0};
    AUTO_FD int fd = open(mirror->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int packs =
        fd < 0 ? -1 : openat(fd, "objects/pack", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    unlinkat(fd, "shallow.lock", 0);
    unlinkat(fd, lock, 0);
    if (packs < 0 || fs_list(packs, &names, &ignored) < 0)
        return;
    for (size_t i = 0; i < names.count; i++)
        if (str_starts(str_of(names.ptr[i]), "tmp_"))
            unlinkat(packs, names.ptr[i], 0);
}

static bool has(const struct git_mirror *mirror, const char *object)
{
    AUTO_FREE char *ref = xasprintf("%s/refs/slipway/%s", mirror->path, object);

    return access(ref, F_OK) == 0;
}

static int fetch(const struct git *git, const struct git_mirror *mirror, const struct giturl *url,
                 const char *main_host, const char *depth, const char *what, const char *more,
                 struct err *err)
{
    SCOPED(buf_release) struct buf out = {0};
    struct git_call call = {.mirror = mirror, .url = url, .main_host = main_host};

    call.args = GIT_ARGS("fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head",
                         "--no-recurse-submodules", depth, "--", GIT_REMOTE, what, more);
    return git_run(git, &call, &out, NULL, err);
}

/*
 * One object by its hash, without its history. Servers give those that a ref names, most give any
 * that a ref leads to. One that refuses, or cannot leave the history out, is asked for all its
 * branches and tags.
 */
static int fetch_object(const struct git *git, const struct git_mirror *mirror,
                        const struct giturl *url, const char *main_host, const char *object,
                        struct err *err)
{
    AUTO_FREE char *wanted = xasprintf("%s:refs/slipway/%s", object, object),
                   *shallow = xasprintf("%s/shallow", mirror->path),
                   *name = xasprintf("refs/slipway/%s", object),
                   *leads = xasprintf("%s^{commit}", object);
    SCOPED(buf_release) struct buf out = {0};
    struct err why = {0};

    if (fetch(git, mirror, url, main_host, "--depth=1", wanted, NULL, &why) == 0)
        return 0;
    log_debug("%s; all of it is asked for", why.text);
    if (fetch(git, mirror, url, main_host,
              access(shallow, F_OK) == 0 ? "--unshallow" : "--no-auto-gc",
              "refs/heads/*:refs/all/heads/*", "refs/tags/*:refs/all/tags/*", err) < 0)
        return -1;
    if (git_run(git,
                &(struct git_call){.mirror = mirror, .args = GIT_ARGS("cat-file", "-e", leads)},
                &out, NULL, &why) < 0)
        return err_set(err, ERR_REMOTE, 404,
                       "commit %s is not in the repository, or no branch or "
                       "tag leads to it",
                       object);
    return git_run(
        git, &(struct git_call){.mirror = mirror, .args = GIT_ARGS("update-ref", name, object)},
        &out, NULL, err);
}

int git_mirror_open(const struct git *git, const struct giturl *url, const char *main_host,
                    const char *object, struct git_mirror *mirror, struct err *err)
{
    AUTO_FREE char *lock = NULL;
    char hex[SHA256_HEX_SIZE];
    struct sha256 h;

    sha256_begin(&h);
    sha256_add_framed(&h, str_of(url->remote));
    sha256_add_u64(&h, strlen(object));
    sha256_end_hex(&h, hex);
    lock = xasprintf("git %s", hex);
    *mirror = (struct git_mirror)GIT_MIRROR_CLOSED;
    mirror->lock_fd = layout_lock(git->layout, lock, true, err);
    if (mirror->lock_fd < 0)
        return -1;
    mirror->path = xasprintf("%s/cache/git/%s", git->layout->root, hex);
    if (create(git, mirror, hex, strlen(object) == 64, err) == 0) {
        if (has(mirror, object))
            return 0;
        clean(mirror, object);
        if (fetch_object(git, mirror, url, main_host, object, err) == 0)
            return 0;
    }
    git_mirror_close(mirror);
    return -1;
}
