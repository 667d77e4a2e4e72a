/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ca_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"
#include "runtime/plan.h"

#define BUNDLE_MAX (8u << 20)
#define BEGIN_MARK "\n# begin: what --ca-bundle adds while a step runs\n"
#define END_MARK "\n# end: what --ca-bundle adds\n"

/* Debian, Alpine, Arch, Gentoo; SUSE; Fedora and what comes of it; OpenELEC; Alpine, the BSDs. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
};

static const char *const variables[] = {
    "SSL_CERT_FILE",  "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO", "PIP_CERT",       "AWS_CA_BUNDLE",
};

/* ---- what is asked for ---- */

static void read_host(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(bundles) && !out->size; i++) {
        struct err ignored = {0};

        if (fs_read_file(AT_FDCWD, bundles[i], out, BUNDLE_MAX, &ignored) < 0)
            buf_clear(out);
    }
}

int ca_bundle_read(struct ca_bundle *bundle, const char *what, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};

    read_host(&bundle->host);
    if (strcmp(what, "host") != 0) {
        if (fs_read_file(AT_FDCWD, what, &text, BUNDLE_MAX, err) < 0) {
            err->kind = ERR_USAGE;
            return -1;
        }
    } else if (bundle->host.size) {
        buf_add_str(&text, buf_str(&bundle->host));
    } else {
        return err_set(err, ERR_USAGE, 0, "this host has no bundle of certificates (%s …)",
                       bundles[0]);
    }
    if (str_search(buf_str(&text), "-----BEGIN ") < 0)
        return err_set(err, ERR_USAGE, 0, "%s: there is no certificate in it (PEM)", what);
    if (str_search(buf_str(&text), "PRIVATE KEY-----") >= 0)
        return err_set(err, ERR_USAGE, 0, "%s: there is a private key in it", what);
    buf_adds(&bundle->extra, BEGIN_MARK);
    buf_add_str(&bundle->extra, str_trim(buf_str(&text)));
    buf_adds(&bundle->extra, END_MARK);
    return 0;
}

void ca_bundle_release(struct ca_bundle *bundle)
{
    buf_release(&bundle->extra);
    buf_release(&bundle->host);
}

/* ---- one root ---- */

void ca_change_release(struct ca_change *change)
{
    for (size_t i = 0; i < change->count; i++)
        buf_release(&change->places[i].before);
    *change = (struct ca_change){0};
}

void ca_bundle_plan(const struct ca_bundle *bundle, struct ca_change *change, struct plan *plan)
{
    if (!bundle->extra.size)
        return;
    change->mount = plan->mounts_count;
    plan_add_file(plan, CA_BUNDLE_TARGET, (struct str){0}, 0444)->read_only = true;
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        if (!env_get(&plan->env, variables[i]))
            env_set(&plan->env, variables[i], CA_BUNDLE_TARGET);
}

static bool is_known(const struct ca_change *change, const struct stat *st)
{
    for (size_t i = 0; i < change->count; i++)
        if (change->places[i].st.st_ino == st->st_ino && change->places[i].st.st_dev == st->st_dev)
            return true;
    return false;
}

/* The image's bundle of that name, if it is one. 1: opened. */
static int open_bundle(int root_fd, const char *path, int *fd, struct stat *st, struct err *err)
{
    struct err failure = {0};

    *fd =
        fs_open_beneath(root_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, FS_IN_ROOT, &failure);
    if (*fd < 0 && (failure.code == ENOENT || failure.code == ENOTDIR || failure.code == ELOOP))
        return 0;
    if (*fd < 0) {
        *err = failure;
        return -1;
    }
    if (fstat(*fd, st) < 0)
        return err_errno(err, "stat %s", path);
    return S_ISREG(st->st_mode);
}

static int write_bundle(int root_fd, const char *path, struct str head, struct str tail,
                        const struct timespec *mtime, struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    AUTO_FD int fd =
        fs_open_beneath(root_fd, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0, FS_IN_ROOT, err);

    if (fd < 0 || fs_pwrite(fd, head.ptr, head.size, 0, err) < 0 ||
        fs_pwrite(fd, tail.ptr, tail.size, (off_t)head.size, err) < 0)
        return -1;
    if (ftruncate(fd, (off_t)(head.size + tail.size)) < 0)
        return err_errno(err, "write %s", path);
    if (mtime)
        times[1] = *mtime;
    return futimens(fd, times) < 0 ? err_errno(err, "set the time of %s", path) : 0;
}

static int put_one(const struct ca_bundle *bundle, struct ca_change *change, int root_fd,
                   const char *path, struct err *err)
{
    struct ca_place *p = &change->places[change->count];
    struct stat st;
    AUTO_FD int fd = -1;
    int rc = open_bundle(root_fd, path, &fd, &st, err);

    if (rc <= 0 || is_known(change, &st))
        return rc < 0 ? -1 : 0;
    BUG_ON(change->count == CA_BUNDLE_PLACES_MAX);
    *p = (struct ca_place){.path = path, .st = st};
    change->count++;
    if (fs_read(fd, &p->before, BUNDLE_MAX, err) < 0)
        return -1;
    return write_bundle(root_fd, path, buf_str(&p->before), buf_str(&bundle->extra), NULL, err);
}

int ca_bundle_put(const struct ca_bundle *bundle, struct ca_change *change, int root_fd,
                  struct plan *plan, struct err *err)
{
    struct buf *mount;

    if (!bundle->extra.size)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(bundles); i++)
        if (put_one(bundle, change, root_fd, bundles[i], err) < 0)
            return err_wrap(err, "--ca-bundle");
    mount = &plan->mounts[change->mount].content;
    buf_add_str(mount, buf_str(change->count ? &change->places[0].before : &bundle->host));
    buf_add_str(mount, buf_str(&bundle->extra));
    return 0;
}

static int take_one(const struct ca_bundle *bundle, const struct ca_place *p, int root_fd,
                    struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct str now, head, tail, before = buf_str(&p->before);
    struct stat st;
    AUTO_FD int fd = -1;
    ptrdiff_t at;
    bool same;
    int rc = open_bundle(root_fd, p->path, &fd, &st, err);

    if (rc <= 0)
        return rc;
    /* What is larger than any bundle was written by the step. */
    if ((uint64_t)st.st_size > 2 * BUNDLE_MAX || fs_read(fd, &text, 2 * BUNDLE_MAX, err) < 0)
        return (uint64_t)st.st_size > 2 * BUNDLE_MAX ? 0 : -1;
    now = buf_str(&text);
    at = str_search(now, buf_cstr(&bundle->extra));
    if (at < 0)
        return 0;
    head = str_slice(now, 0, (size_t)at);
    tail = str_slice(now, (size_t)at + bundle->extra.size, now.size);
    same = tail.size == 0 && str_eq(head, before);
    return write_bundle(root_fd, p->path, head, tail, same ? &p->st.st_mtim : &st.st_mtim, err);
}

int ca_bundle_take(const struct ca_bundle *bundle, struct ca_change *change, int root_fd,
                   struct err *err)
{
    for (size_t i = 0; i < change->count; i++)
        if (take_one(bundle, &change->places[i], root_fd, err) < 0)
            return err_wrap(err, "take --ca-bundle out of the image again");
    return 0;
}
