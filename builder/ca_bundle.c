/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ca_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/certs.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "runtime/plan.h"

#define PUT_MAX (4 * CA_BUNDLE_MAX) /* an image's, ours at its end, and what a command adds */
#define DEV_BUNDLE "/dev/ca-certificates/bundle.pem" /* no part of any image */
#define DEV_OWN "/dev/ca-certificates/own.pem"

/* Debian and Alpine; Fedora (a link, as a rule, to the next); SUSE; OpenSSL's own default. */
static const char *const places[CA_BUNDLE_PLACES] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cacert.pem"};

static const struct {
    const char *name, *path;
} variables[] = {
    {"SSL_CERT_FILE", DEV_BUNDLE},    {"CURL_CA_BUNDLE", DEV_BUNDLE},
    {"GIT_SSL_CAINFO", DEV_BUNDLE},   {"REQUESTS_CA_BUNDLE", DEV_BUNDLE},
    {"PIP_CERT", DEV_BUNDLE},         {"AWS_CA_BUNDLE", DEV_BUNDLE},
    {"NODE_EXTRA_CA_CERTS", DEV_OWN}, /* beside those that it has built in */
};

void ca_bundle_release(struct ca_bundle *b)
{
    buf_release(&b->own);
    buf_release(&b->host);
    *b = (struct ca_bundle){0};
}

void ca_use_release(struct ca_use *use)
{
    for (size_t i = 0; i < use->count; i++) {
        scope_close(&use->items[i].fd);
        free(use->items[i].path);
    }
    *use = (struct ca_use){0};
}

/* ---- what is given ---- */

/* This host's bundle as it is: 1, or 0 when none of the usual places has one. */
static int read_host(struct buf *out, const char **path)
{
    const char *given = getenv("SSL_CERT_FILE");
    struct err missing = {0};

    *path = given;
    if (given && *given && fs_read_file(AT_FDCWD, given, out, CA_BUNDLE_MAX, &missing) == 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        buf_clear(out);
        *path = places[i];
        if (fs_read_file(AT_FDCWD, places[i], out, CA_BUNDLE_MAX, &missing) == 0 && out->size)
            return 1;
    }
    buf_clear(out);
    return 0;
}

static void warn_of_times(const char *source, const struct certs *certs)
{
    time_t now = clock_now().tv_sec;

    for (size_t i = 0; i < certs->count; i++) {
        const struct cert *c = &certs->items[i];
        struct timespec t = {.tv_sec = now > c->until ? c->until : c->from};
        char text[CLOCK_TEXT_SIZE];

        if (now > c->until)
            log_warn("--ca-bundle %s: the certificate of %s expired on %.10s", source, c->name,
                     clock_rfc3339(t, text));
        else if (now < c->from)
            log_warn("--ca-bundle %s: the certificate of %s is not valid before %.10s", source,
                     c->name, clock_rfc3339(t, text));
    }
}

static int make_mark(struct ca_bundle *b, struct err *err)
{
    uint64_t n;

    if (getrandom(&n, sizeof(n), 0) != sizeof(n))
        return err_errno(err, "get random bytes");
    snprintf(b->mark, sizeof(b->mark), "slipway --ca-bundle %016" PRIx64, n);
    return 0;
}

static int read_source(const char *source, struct ca_bundle *b, struct buf *text, struct err *err)
{
    const char *path;
    int found = read_host(&b->host, &path);

    b->is_host = strcmp(source, CA_BUNDLE_HOST) == 0;
    if (!b->is_host)
        return fs_read_file(AT_FDCWD, source, text, CA_BUNDLE_MAX, err);
    if (!found)
        return err_set(err, ERR_USAGE, ENOENT,
                       "this host has no bundle of certificate authorities in any of the usual "
                       "places; name a file, or set SSL_CERT_FILE");
    buf_add_str(text, buf_str(&b->host));
    return 0;
}

int ca_bundle_open(const char *source, struct ca_bundle *b, struct err *err)
{
    SCOPED(certs_release) struct certs certs = {0};
    SCOPED(buf_release) struct buf text = {0};

    if (read_source(source, b, &text, err) < 0 || make_mark(b, err) < 0) {
        err->kind = ERR_USAGE;
        return err_wrap(err, "--ca-bundle");
    }
    if (certs_read(buf_str(&text), &certs, err) < 0) {
        err->kind = ERR_USAGE;
        return err_wrap(err, "--ca-bundle %s", source);
    }
    if (!b->is_host)
        warn_of_times(source, &certs);
    b->own = certs.pem;
    certs.pem = (struct buf){0};
    return 0;
}

/* ---- bytes ---- */

static void add_part(const struct ca_bundle *b, struct buf *out)
{
    buf_addf(out, "\n# %s\n", b->mark);
    buf_add_str(out, buf_str(&b->own));
}

void ca_bundle_join(const struct ca_bundle *b, struct buf *bundle)
{
    add_part(b, bundle);
}

bool ca_bundle_cut(const struct ca_bundle *b, struct buf *bundle)
{
    SCOPED(buf_release) struct buf part = {0};
    bool cut = false;
    char *at;

    add_part(b, &part);
    while (bundle->size && (at = memmem(bundle->ptr, bundle->size, part.ptr, part.size))) {
        size_t before = (size_t)(at - bundle->ptr);

        memmove(at, at + part.size, bundle->size - before - part.size);
        bundle->size -= part.size;
        bundle->ptr[bundle->size] = 0;
        cut = true;
    }
    return cut;
}

/* ---- files of the root ---- */

/* A bundle of the image, to be written to. -1 without an error: it is not there, or is no file. One
 * of several names is not opened: it would become two. */
static int open_place(int root_fd, const char *path, struct buf *content, struct err *err)
{
    struct err missing = {0};
    struct stat st;
    AUTO_FD int at = fs_open_beneath(root_fd, path, O_PATH | O_CLOEXEC, 0, FS_IN_ROOT, &missing);

    if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    if (st.st_nlink > 1)
        return err_set(err, ERR_INPUT, EMLINK, "it has several names");
    AUTO_FD int fd = fs_open_beneath(root_fd, path, O_RDWR | O_CLOEXEC, 0, FS_IN_ROOT, err);
    return fd < 0 || fs_read(fd, content, PUT_MAX, err) < 0 ? -1 : steal_fd(&fd);
}

/* Its time stays: only who was told otherwise sees a change. */
static int rewrite(int fd, const struct buf *content, const char *path, struct err *err)
{
    struct stat st;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

    if (fstat(fd, &st) < 0 || ftruncate(fd, 0) < 0)
        return err_errno(err, "write %s of the image", path);
    if (fs_pwrite(fd, content->ptr, content->size, 0, err) < 0)
        return err_wrap(err, "write %s of the image", path);
    times[1] = st.st_mtim;
    return futimens(fd, times) < 0 ? err_errno(err, "set the time of %s", path) : 0;
}

static bool is_put(const struct ca_use *use, int fd)
{
    struct stat st, other;

    for (size_t i = 0; i < use->count && fstat(fd, &st) == 0; i++)
        if (fstat(use->items[i].fd, &other) == 0 && st.st_dev == other.st_dev &&
            st.st_ino == other.st_ino)
            return true;
    return false;
}

/* One more bundle of the image; the first is what the variables' file begins with. */
static int put_place(const struct ca_bundle *b, int root_fd, const char *path, struct ca_use *use,
                     struct buf *first, struct err *err)
{
    SCOPED(buf_release) struct buf content = {0};
    struct err why = {0};
    AUTO_FD int fd = open_place(root_fd, path, &content, &why);

    if (why.kind == ERR_NONE && content.size > CA_BUNDLE_MAX)
        err_set(&why, ERR_INPUT, EFBIG, "it has more than %u bytes", CA_BUNDLE_MAX);
    if (why.kind != ERR_NONE)
        log_warn("--ca-bundle: %s of the image stays as it is: %s", path, why.text);
    if (fd < 0 || why.kind != ERR_NONE || is_put(use, fd))
        return 0;
    ca_bundle_cut(b, &content); /* of a step that failed, and whose root a shell has now */
    if (!first->size)
        buf_add_str(first, buf_str(&content));
    ca_bundle_join(b, &content);
    if (rewrite(fd, &content, path, err) < 0)
        return -1;
    use->items[use->count++] = (struct ca_place){xstrdup(path), steal_fd(&fd)};
    return 0;
}

static void set_variables(struct plan *plan)
{
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        if (!env_get(&plan->env, variables[i].name))
            env_set(&plan->env, variables[i].name, variables[i].path);
}

int ca_bundle_put(const struct ca_bundle *b, int root_fd, struct plan *plan, struct ca_use *use,
                  struct err *err)
{
    SCOPED(buf_release) struct buf bundle = {0}, own = {0};

    if (ca_bundle_is_empty(b))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (put_place(b, root_fd, places[i], use, &bundle, err) < 0)
            return err_wrap(err, "--ca-bundle");
    if (!bundle.size && !b->is_host)
        buf_add_str(&bundle, buf_str(&b->host));
    ca_bundle_join(b, &bundle);
    ca_bundle_join(b, &own);
    plan_add_file(plan, DEV_BUNDLE, buf_str(&bundle), 0444)->read_only = true;
    plan_add_file(plan, DEV_OWN, buf_str(&own), 0444)->read_only = true;
    set_variables(plan);
    return 0;
}

static int take_fd(const struct ca_bundle *b, int fd, const char *path, struct err *err)
{
    SCOPED(buf_release) struct buf content = {0};

    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, "read %s of the image", path);
    /* One that has grown past all bounds is the mark's business. */
    if (fs_read(fd, &content, PUT_MAX, &(struct err){0}) < 0 || !ca_bundle_cut(b, &content))
        return 0;
    return rewrite(fd, &content, path, err);
}

/* The file as it was, which may have another name now, and what has the name, which may be a copy.
 */
int ca_bundle_take(const struct ca_bundle *b, int root_fd, struct ca_use *use, struct err *err)
{
    if (ca_bundle_is_empty(b))
        return 0;
    for (size_t i = 0; i < use->count; i++)
        if (take_fd(b, use->items[i].fd, use->items[i].path, err) < 0)
            return err_wrap(err, "--ca-bundle");
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        SCOPED(buf_release) struct buf content = {0};
        AUTO_FD int fd = open_place(root_fd, places[i], &content, &(struct err){0});

        if (fd < 0 || is_put(use, fd) || !ca_bundle_cut(b, &content))
            continue;
        if (rewrite(fd, &content, places[i], err) < 0)
            return err_wrap(err, "--ca-bundle");
    }
    return 0;
}
