/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/archive.h"
#include "builder/download.h"
#include "builder/extract.h"
#include "builder/git.h"
#include "registry/layout.h"
#include "registry/remote.h"

/* A directory of ours in the store's tmp/, and the context in it. */
struct place {
    struct layout_tmp tmp;
    struct context *context;
    struct place *next;
};

struct source {
    struct sources *table;
    struct source *next;
    char *text, *checksum;
    bool keep_git_dir;
    pthread_mutex_t lock; /* held while it is resolved or opened; guards all below */
    bool resolved, opened, is_archive;
    bool is_git;
    struct giturl url;
    struct git_commit commit;
    struct origin_blob blob;
    struct context *context; /* borrowed from the table's places */
    struct origin origin;
};

struct sources {
    struct sources_options options;
    pthread_mutex_t lock; /* guards the lists */
    struct source *first;
    struct place *places;
};

struct sources *sources_open(const struct sources_options *options)
{
    struct sources *s = xcalloc(1, sizeof(*s));

    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void source_free(struct source *s)
{
    pthread_mutex_destroy(&s->lock);
    free(s->text);
    free(s->checksum);
    giturl_release(&s->url);
    git_commit_release(&s->commit);
    free(s->blob.name);
    free(s);
}

void sources_close(struct sources *sources)
{
    if (!sources)
        return;
    while (sources->first) {
        struct source *s = sources->first;

        sources->first = s->next;
        source_free(s);
    }
    while (sources->places) {
        struct place *p = sources->places;

        sources->places = p->next;
        context_close(p->context);
        layout_tmp_close(sources->options.layout, &p->tmp);
        free(p);
    }
    pthread_mutex_destroy(&sources->lock);
    free(sources);
}

static struct place *add_place(struct sources *sources, struct err *err)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->tmp = (struct layout_tmp)LAYOUT_TMP_CLOSED;
    if (layout_tmp_open(sources->options.layout, &p->tmp, err) < 0) {
        free(p);
        return NULL;
    }
    pthread_mutex_lock(&sources->lock);
    p->next = sources->places;
    sources->places = p;
    pthread_mutex_unlock(&sources->lock);
    return p;
}

static struct context *open_place(struct sources *sources, struct place *p, const char *path,
                                  struct context_options *options, struct err *err)
{
    options->path = path;
    options->no_ignore = true;
    options->passing = true;
    p->context = context_open(sources->options.layout, options, err);
    return p->context;
}

/* The content of fd as the one file "context". */
static int put_file(int fd, int dir_fd, struct err *err)
{
    AUTO_FD int out =
        openat(dir_fd, "context", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (out < 0)
        return err_errno(err, "make the file \"context\"");
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, "go back to the beginning");
    return fs_copy(fd, out, UINT64_MAX, err);
}

struct context *sources_unpack(struct sources *sources, int fd, const char *label, bool *is_archive,
                               struct err *err)
{
    int archive = archive_probe(fd, err);
    struct context_options options = {.label = label};
    struct place *p = archive < 0 ? NULL : add_place(sources, err);
    AUTO_FREE char *path = NULL;

    if (!p)
        return NULL;
    if (is_archive)
        *is_archive = archive;
    if ((archive ? extract_archive(fd, p->tmp.fd, err) : put_file(fd, p->tmp.fd, err)) < 0) {
        err_wrap(err, "%s", label);
        return NULL;
    }
    path = xasprintf("%s/tmp/%s", sources->options.layout->root, p->tmp.name);
    return open_place(sources, p, path, &options, err);
}

struct context *sources_empty(struct sources *sources, const char *label, struct err *err)
{
    struct context_options options = {.label = label};
    struct place *p = add_place(sources, err);
    AUTO_FREE char *path =
        p ? xasprintf("%s/tmp/%s", sources->options.layout->root, p->tmp.name) : NULL;

    return p ? open_place(sources, p, path, &options, err) : NULL;
}

static int agree_keep(const struct source_request *request, struct giturl *url, struct err *err)
{
    if (request->keep_git_dir == GITURL_UNSAID)
        return 0;
    if (url->keep_git_dir != GITURL_UNSAID && url->keep_git_dir != request->keep_git_dir)
        return err_set(err, ERR_INPUT, 0, "--keep-git-dir and the URL's keep-git-dir disagree");
    url->keep_git_dir = request->keep_git_dir;
    return 0;
}

static int agree_checksum(const struct source_request *request, const struct giturl *url,
                          struct err *err)
{
    const char *checksum = request->checksum;
    size_t size = checksum ? strlen(checksum) : 0;

    if (!checksum)
        return 0;
    if (size == 0 || size > 64 || strspn(checksum, "0123456789abcdefABCDEF") != size)
        return err_set(err, ERR_INPUT, 0,
                       "--checksum of a git repository is the beginning of a commit's hash");
    if (url->checksum && strcasecmp(url->checksum, checksum) != 0)
        return err_set(err, ERR_INPUT, 0, "--checksum and the URL's checksum disagree");
    return 0;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* With the table's lock held. */
static struct source *find_or_add(struct sources *sources, const struct source_request *request,
                                  struct giturl *url)
{
    bool keep = url->keep_git_dir == GITURL_YES;
    struct source *s;

    for (s = sources->first; s; s = s->next)
        if (same(s->text, request->text) && same(s->checksum, request->checksum) &&
            s->keep_git_dir == keep)
            return s;
    s = xcalloc(1, sizeof(*s));
    s->table = sources;
    s->text = xstrdup(request->text);
    s->checksum = xstrdup(request->checksum);
    s->keep_git_dir = keep;
    s->is_git = url->remote != NULL;
    s->url = *url;
    *url = (struct giturl){0};
    pthread_mutex_init(&s->lock, NULL);
    s->next = sources->first;
    sources->first = s;
    return s;
}

int sources_find(struct sources *sources, const struct source_request *request, struct source **out,
                 struct err *err)
{
    SCOPED(giturl_release) struct giturl url = {0};
    int git = giturl_parse(request->text, &url, err);

    if (git < 0)
        return -1;
    if (!git && !download_is_url(request->text))
        return 0;
    if (git && (agree_keep(request, &url, err) < 0 || agree_checksum(request, &url, err) < 0))
        return -1;
    if (!git && request->keep_git_dir == GITURL_YES)
        return err_set(err, ERR_INPUT, 0, "--keep-git-dir is for git repositories");
    pthread_mutex_lock(&sources->lock);
    *out = find_or_add(sources, request, &url);
    pthread_mutex_unlock(&sources->lock);
    return 1;
}

bool source_is_git(const struct source *source)
{
    return source->is_git;
}

bool source_is_archive(const struct source *source)
{
    return source->is_archive;
}

static struct git git_of(const struct source *s)
{
    return (struct git){.layout = s->table->options.layout,
                        .remote = s->table->options.remote,
                        .secrets = s->table->options.secrets,
                        .ssh_socket = s->table->options.ssh_socket};
}

static int resolve_url(struct source *s, struct err *err)
{
    const struct sources_options *o = &s->table->options;
    struct download d;

    BUG_ON(!o->remote);
    if (download(o->layout, remote_http(o->remote), o->secrets, s->text, s->checksum, &d, err) < 0)
        return -1;
    s->blob =
        (struct origin_blob){.name = download_name(s->text), .size = d.size, .mtime = d.mtime};
    memcpy(s->blob.digest, d.digest, DIGEST_SIZE);
    return 0;
}

/* Not every failure of git names the repository. */
static int name_repository(const struct source *s, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    giturl_show(s->url.remote, &shown);
    return strstr(err->text, buf_cstr(&shown)) ? -1 : err_wrap(err, "%s", buf_cstr(&shown));
}

static int resolve_git(struct source *s, struct err *err)
{
    struct git git = git_of(s);

    return git_resolve(&git, &s->url, s->checksum, &s->commit, err) < 0 ? name_repository(s, err)
                                                                        : 0;
}

/* With the source's lock held. */
static int resolve(struct source *s, struct err *err)
{
    if (s->resolved)
        return 0;
    if (s->is_git ? resolve_git(s, err) < 0 : resolve_url(s, err) < 0)
        return -1;
    s->resolved = true;
    return 0;
}

int source_resolve(struct source *source, struct err *err)
{
    int rc;

    pthread_mutex_lock(&source->lock);
    rc = resolve(source, err);
    pthread_mutex_unlock(&source->lock);
    return rc;
}

void source_hash(const struct source *source, struct sha256 *h)
{
    const struct giturl *url = &source->url;

    sha256_add_u64(h, source->is_git);
    if (!source->is_git) {
        sha256_add_framed(h, str_of(source->blob.digest));
        sha256_add_framed(h, str_of(source->blob.name));
        return;
    }
    sha256_add_framed(h, str_of(source->commit.commit));
    sha256_add_framed(h, str_of(url->subdir));
    sha256_add_u64(h, url->submodules == GITURL_NO);
    sha256_add_u64(h, source->keep_git_dir);
    sha256_add_u64(h, url->mtime_commit || source->table->options.commit_time);
    if (!source->keep_git_dir)
        return;
    /* A .git tells these too. */
    sha256_add_framed(h, str_of(source->commit.object));
    sha256_add_framed(h, str_of(source->commit.ref));
    sha256_add_framed(h, str_of(url->remote));
}

/* The directory that a repository's subdir is: no link may lead there. */
static char *subdir_of(const struct source *s, const char *dir, struct err *err)
{
    if (!s->url.subdir)
        return xstrdup(dir);
    AUTO_FD int fd = fs_open_dir(AT_FDCWD, dir, err);
    AUTO_FD int sub =
        fd < 0 ? -1
               : fs_open_beneath(fd, s->url.subdir, O_RDONLY | O_DIRECTORY, 0, FS_NO_LINKS, err);
    if (sub < 0) {
        err_wrap(err, "subdir %s of the repository", s->url.subdir);
        return NULL;
    }
    return xasprintf("%s/%s", dir, s->url.subdir);
}

static int checkout(struct source *s, const char *label, struct err *err)
{
    struct sources *table = s->table;
    struct git git = git_of(s);
    struct context_options options = {.label = label, .git_modes = true};
    struct place *p = add_place(table, err);
    AUTO_FREE char *dir = NULL, *root = NULL;

    if (!p)
        return -1;
    dir = xasprintf("%s/tmp/%s/tree", table->options.layout->root, p->tmp.name);
    if (fs_mkdirs(p->tmp.fd, "tree", 0755, err) < 0 ||
        git_checkout(&git, &s->url, &s->commit, s->keep_git_dir, dir, &options.mtime, err) < 0)
        return -1;
    root = subdir_of(s, dir, err);
    if (!root)
        return -1;
    options.has_mtime = s->url.mtime_commit || table->options.commit_time;
    s->context = open_place(table, p, root, &options, err);
    return s->context ? 0 : -1;
}

static int open_git(struct source *s, const char *label, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    int step, rc;

    giturl_show(s->url.remote, &shown);
    step = progress_begin("fetch %s %s", buf_cstr(&shown), s->url.ref ? s->url.ref : "HEAD");
    rc = checkout(s, label, err);
    progress_finish(step, rc < 0 ? PROGRESS_FAILED : PROGRESS_DONE, s->commit.commit);
    return rc < 0 ? name_repository(s, err) : 0;
}

/* With the source's lock held. */
static int open_content(struct source *s, const char *label, struct err *err)
{
    if (s->opened)
        return 0;
    if (resolve(s, err) < 0 || (s->is_git && open_git(s, label, err) < 0))
        return -1;
    s->origin = (struct origin){.layout = s->table->options.layout, .label = s->text};
    if (s->is_git)
        s->origin.context = s->context;
    else
        s->origin.blob = &s->blob;
    s->opened = true;
    return 0;
}

struct origin *source_open(struct source *source, struct err *err)
{
    int rc;

    pthread_mutex_lock(&source->lock);
    rc = open_content(source, "repository", err);
    pthread_mutex_unlock(&source->lock);
    return rc < 0 ? NULL : &source->origin;
}

static int unpack_blob(struct source *s, const char *label, struct err *err)
{
    AUTO_FD int fd = layout_open_blob(s->table->options.layout, s->blob.digest, NULL, err);

    if (fd < 0)
        return -1;
    s->context = sources_unpack(s->table, fd, label, &s->is_archive, err);
    return s->context ? 0 : -1;
}

struct context *source_open_context(struct source *source, const char *label, struct err *err)
{
    int rc;

    pthread_mutex_lock(&source->lock);
    rc = open_content(source, label, err);
    if (rc == 0 && !source->context)
        rc = unpack_blob(source, label, err);
    pthread_mutex_unlock(&source->lock);
    return rc < 0 ? NULL : source->context;
}
