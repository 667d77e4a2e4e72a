/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/contexts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/archive.h"
#include "builder/download.h"
#include "builder/extract.h"
#include "builder/giturl.h"
#include "builder/parse.h"
#include "builder/sources.h"
#include "registry/layout.h"

#define MAIN_LABEL "build context"
#define SPOOL_STEP (256 << 10)

struct contexts {
    struct contexts_options options;
    char *ignore_path; /* <Dockerfile>.dockerignore of a directory */
    pthread_mutex_t lock;
    struct context *main; /* borrowed from the sources unless main_is_own */
    bool main_is_own;
    struct context **named; /* one for each of options.named, opened ones */
};

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "-" as main context: a file of the store without a name, for archives are read more than once. */
static int spool_input(const struct contexts *c, struct err *err)
{
    AUTO_FD int fd = layout_tmpfile(c->options.layout, err);
    AUTO_FREE char *bytes = xmalloc(SPOOL_STEP);
    uint64_t size = 0;
    ssize_t n;

    if (fd < 0)
        return -1;
    while ((n = read(c->options.input_fd, bytes, SPOOL_STEP)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read standard input");
        size += (uint64_t)n;
        if (size > EXTRACT_SIZE_MAX)
            return err_set(err, ERR_INPUT, 0,
                           "build context -: more than %llu GiB (EXTRACT_SIZE_MAX)",
                           (unsigned long long)(EXTRACT_SIZE_MAX >> 30));
        if (fs_write(fd, bytes, (size_t)n, err) < 0)
            return -1;
    }
    if (size == 0)
        return err_set(err, ERR_INPUT, 0, "build context -: standard input is empty");
    return steal_fd(&fd);
}

static int read_all(int fd, struct buf *out, struct err *err)
{
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, "go back to the beginning");
    return fs_read(fd, out, DOCKERFILE_MAX, err);
}

/* Dockerfile, else dockerfile, in a context that was fetched or unpacked. */
static int read_inside(const struct contexts *c, struct buf *out, char **name, struct err *err)
{
    const char *given = c->options.dockerfile;
    struct err missing = {0};

    *name = str_dup(path_base(str_of(given ? given : "Dockerfile")));
    if (given)
        return context_read(c->main, given, DOCKERFILE_MAX, out, err);
    if (context_read(c->main, "Dockerfile", DOCKERFILE_MAX, out, &missing) == 0)
        return 0;
    if (missing.code == ENOENT &&
        context_read(c->main, "dockerfile", DOCKERFILE_MAX, out, err) == 0) {
        free(*name);
        *name = xstrdup("dockerfile");
        return 0;
    }
    *err = missing;
    return -1;
}

/* -f - and -f URL, whatever the context is. 1: done; 0: it is a path. */
static int read_elsewhere(const struct contexts *c, struct buf *out, char **name, struct err *err)
{
    const char *given = c->options.dockerfile;
    struct source *source = NULL;
    struct origin *origin;
    struct origin_file file;

    if (given && strcmp(given, "-") == 0) {
        *name = xstrdup("Dockerfile");
        return fs_read(c->options.input_fd, out, DOCKERFILE_MAX, err) < 0
                   ? err_wrap(err, "read the Dockerfile from standard input")
                   : 1;
    }
    if (!given || !download_is_url(given))
        return 0;
    *name = download_name(given);
    if (sources_find(c->options.sources, &(struct source_request){.text = given}, &source, err) < 0)
        return -1;
    if (source_is_git(source))
        return err_set(err, ERR_USAGE, 0, "--file: a git repository is no Dockerfile");
    origin = source_open(source, err);
    if (!origin || origin_find(origin, "/", true, &file, err) < 0)
        return -1;
    AUTO_FD int fd = origin_open(origin, file.ref, err);
    return fd < 0 || fs_read(fd, out, DOCKERFILE_MAX, err) < 0 ? err_wrap(err, "--file") : 1;
}

/* An archive has the Dockerfile in it; anything else is one. */
static int open_unpacked(struct contexts *c, int fd, bool from_input, struct buf *out, char **name,
                         struct err *err)
{
    int archive = archive_probe(fd, err), elsewhere;

    if (archive < 0)
        return -1;
    if (!archive && from_input && c->options.dockerfile)
        return err_set(err, ERR_USAGE, 0,
                       "build context -: standard input is a Dockerfile, and --file %.200s is "
                       "another",
                       c->options.dockerfile);
    if (!archive && from_input) {
        c->main = sources_empty(c->options.sources, MAIN_LABEL, err);
        *name = xstrdup("Dockerfile");
        return c->main ? read_all(fd, out, err) : -1;
    }
    c->main = sources_unpack(c->options.sources, fd, MAIN_LABEL, NULL, err);
    if (!c->main)
        return -1;
    elsewhere = read_elsewhere(c, out, name, err);
    return elsewhere ? (elsewhere < 0 ? -1 : 0) : read_inside(c, out, name, err);
}

static int open_input(struct contexts *c, struct buf *out, char **name, struct err *err)
{
    if (c->options.dockerfile && strcmp(c->options.dockerfile, "-") == 0)
        return err_set(err, ERR_USAGE, 0,
                       "standard input cannot be both the build context and the Dockerfile");
    AUTO_FD int fd = spool_input(c, err);
    return fd < 0 ? -1 : open_unpacked(c, fd, true, out, name, err);
}

static int open_dir(struct contexts *c, struct buf *out, char **name, struct err *err)
{
    const char *given = c->options.dockerfile;
    int elsewhere = read_elsewhere(c, out, name, err);
    AUTO_FREE char *path = NULL, *lower = NULL;

    if (elsewhere)
        return elsewhere < 0 ? -1 : 0;
    path = given ? xstrdup(given) : path_join(c->options.context, "Dockerfile");
    lower = path_join(c->options.context, "dockerfile");
    if (!given && access(path, F_OK) < 0 && access(lower, F_OK) == 0) {
        free(path);
        path = steal_ptr(&lower);
    }
    *name = str_dup(path_base(str_of(path)));
    c->ignore_path = xasprintf("%s.dockerignore", path);
    return fs_read_file(AT_FDCWD, path, out, DOCKERFILE_MAX, err);
}

/* The short form of old: "github.com/OWNER/REPOSITORY[#…]". */
static char *long_form(const char *text)
{
    struct str all = str_of(text), path, end = str_slice(all, strcspn(text, "#?"), all.size);

    if (!str_starts(all, "github.com/"))
        return xstrdup(text);
    path = str_slice(all, 0, all.size - end.size);
    return xasprintf("https://" STR_FMT "%s" STR_FMT, STR_ARG(path),
                     str_ends(path, ".git") ? "" : ".git", STR_ARG(end));
}

/* A URL that gives no archive gives the Dockerfile. */
static int open_fetched(struct contexts *c, struct source *source, struct buf *out, char **name,
                        struct err *err)
{
    int elsewhere;

    c->main = source_open_context(source, MAIN_LABEL, err);
    if (!c->main)
        return -1;
    elsewhere = read_elsewhere(c, out, name, err);
    if (elsewhere)
        return elsewhere < 0 ? -1 : 0;
    if (source_is_git(source) || source_is_archive(source))
        return read_inside(c, out, name, err);
    *name = download_name(c->options.context);
    return context_read(c->main, "context", DOCKERFILE_MAX, out, err);
}

/* What the URL itself says about its .git counts more. */
static int find_remote(const struct contexts *c, const char *text, struct source **source,
                       struct err *err)
{
    SCOPED(giturl_release) struct giturl url = {0};
    struct source_request request = {.text = text};
    struct err ignored = {0};

    if (c->options.keep_git_dir && giturl_parse(text, &url, &ignored) == 1 &&
        url.keep_git_dir == GITURL_UNSAID)
        request.keep_git_dir = GITURL_YES;
    return sources_find(c->options.sources, &request, source, err);
}

static int open_main(struct contexts *c, struct buf *out, char **name, struct err *err)
{
    const char *text = c->options.context;
    AUTO_FREE char *whole = NULL;
    struct source *source;
    int remote;

    if (strcmp(text, "-") == 0)
        return open_input(c, out, name, err);
    if (is_dir(text))
        return open_dir(c, out, name, err);
    whole = long_form(text);
    remote = find_remote(c, whole, &source, err);
    if (remote)
        return remote < 0 ? -1 : open_fetched(c, source, out, name, err);
    if (strstr(text, "://"))
        return err_set(err, ERR_USAGE, 0,
                       "build context %.200s: want a directory, an archive, -, a git repository or "
                       "an http(s) URL",
                       text);
    AUTO_FD int fd = open(text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "build context %s", text);
    remote = archive_probe(fd, err);
    if (remote < 0)
        return -1;
    if (!remote)
        return err_set(err, ERR_USAGE, 0, "build context %s is neither a directory nor an archive",
                       text);
    return open_unpacked(c, fd, false, out, name, err);
}

struct contexts *contexts_open(const struct contexts_options *options, struct buf *dockerfile,
                               char **name, struct err *err)
{
    struct contexts *c = xcalloc(1, sizeof(*c));
    size_t count = options->named ? options->named->count : 0;

    c->options = *options;
    c->named = xcalloc(count + 1, sizeof(struct context *));
    pthread_mutex_init(&c->lock, NULL);
    *name = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct named_context *n = &options->named->items[i];

        if (n->kind == NAMED_DIR && !is_dir(n->value)) {
            err_set(err, ERR_USAGE, 0, "--build-context %s=%s: not a directory", n->name, n->value);
            contexts_close(c);
            return NULL;
        }
    }
    if (open_main(c, dockerfile, name, err) == 0)
        return c;
    scope_free(name);
    contexts_close(c);
    return NULL;
}

void contexts_close(struct contexts *contexts)
{
    const struct named_contexts *named = contexts ? contexts->options.named : NULL;

    if (!contexts)
        return;
    if (contexts->main_is_own)
        context_close(contexts->main);
    for (size_t i = 0; named && i < named->count; i++)
        if (named->items[i].kind == NAMED_DIR)
            context_close(contexts->named[i]);
    free(contexts->named);
    free(contexts->ignore_path);
    pthread_mutex_destroy(&contexts->lock);
    free(contexts);
}

struct context *contexts_main(struct contexts *contexts, struct err *err)
{
    struct context_options options = {.path = contexts->options.context,
                                      .label = MAIN_LABEL,
                                      .ignore_path = contexts->ignore_path};
    struct context *found;

    pthread_mutex_lock(&contexts->lock);
    if (!contexts->main) {
        contexts->main = context_open(contexts->options.layout, &options, err);
        contexts->main_is_own = contexts->main != NULL;
    }
    found = contexts->main;
    pthread_mutex_unlock(&contexts->lock);
    return found;
}

struct context *contexts_main_opened(struct contexts *contexts)
{
    struct context *found;

    pthread_mutex_lock(&contexts->lock);
    found = contexts->main;
    pthread_mutex_unlock(&contexts->lock);
    return found;
}

static struct context *open_named(struct contexts *contexts, const struct named_context *n,
                                  struct err *err)
{
    AUTO_FREE char *label = xasprintf("context %s", n->name);
    struct context_options options = {.path = n->value, .label = label};
    struct source *source;

    if (n->kind == NAMED_DIR)
        return context_open(contexts->options.layout, &options, err);
    BUG_ON(n->kind != NAMED_FETCHED);
    if (sources_find(contexts->options.sources, &(struct source_request){.text = n->value}, &source,
                     err) < 0)
        return NULL;
    return source_open_context(source, label, err);
}

struct context *contexts_named(struct contexts *contexts, size_t index, struct err *err)
{
    const struct named_context *n = &contexts->options.named->items[index];
    struct context *found;

    /* What is fetched waits for itself alone, and is kept by its source. */
    if (n->kind == NAMED_FETCHED)
        return open_named(contexts, n, err);
    pthread_mutex_lock(&contexts->lock);
    if (!contexts->named[index])
        contexts->named[index] = open_named(contexts, n, err);
    found = contexts->named[index];
    pthread_mutex_unlock(&contexts->lock);
    return found;
}
