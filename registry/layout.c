/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"
#include "registry/layout_lock.h"

#define LAYOUT_FILE "{\"imageLayoutVersion\":\"1.0.0\"}"
#define EMPTY_INDEX "{\"manifests\":[],\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"schemaVersion\":2}"
#define BLOB_PREFIX "blob-"

char *layout_default_root(struct err *err)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (geteuid() == 0 && !(data && *data == '/'))
        return xstrdup("/var/lib/slipway");
    if (data && *data == '/')
        return path_join(data, "slipway");
    if (home && *home == '/')
        return path_join(home, ".local/share/slipway");
    err_set(err, ERR_USAGE, 0,
            "no place for the store: HOME is not set; use --root or SLIPWAY_ROOT");
    return NULL;
}

static char *absolute(const char *path, struct err *err)
{
    AUTO_FREE char *cwd = NULL;

    if (*path == '/')
        return path_clean(str_of(path));
    cwd = getcwd(NULL, 0);
    if (!cwd) {
        err_errno(err, "find the current directory");
        return NULL;
    }
    return path_join(cwd, path);
}

/* A new store goes into an empty directory only: a slip in --root must not scatter files over
 * someone's home. */
static int check_empty(int dir_fd, const char *root, struct err *err)
{
    static const char *const ours[] = {"blobs",      "cache",      "index.json", "lock",
                                       "lost+found", "oci-layout", "tmp",        "trees"};
    SCOPED(strv_release) struct strv names = {0};

    if (fs_list(dir_fd, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        size_t k = 0;

        while (k < ARRAY_SIZE(ours) && strcmp(names.ptr[i], ours[k]) != 0)
            k++;
        if (k == ARRAY_SIZE(ours))
            return err_set(err, ERR_USAGE, 0,
                           "%s is neither a store nor an empty directory: it holds \"%s\"", root,
                           names.ptr[i]);
    }
    return 0;
}

/* The file is born whole or, when another process was first, left as it is. */
static int create_once(int dir_fd, const char *name, const char *text, struct err *err)
{
    AUTO_FD int fd = fs_tmpfile(dir_fd, 0644, err);

    if (fd < 0) {
        /* No O_TMPFILE here: rename is as whole, and two makers write the same bytes. */
        if (faccessat(dir_fd, name, F_OK, 0) == 0)
            return 0;
        return fs_replace(dir_fd, name, text, strlen(text), 0644, true, err);
    }
    if (fs_write(fd, text, strlen(text), err) < 0)
        return err_wrap(err, "%s", name);
    return fs_link_tmpfile(fd, dir_fd, name, true, err);
}

static int create_store(const struct layout *l, struct err *err)
{
    if (check_empty(l->dir_fd, l->root, err) < 0)
        return -1;
    if (fs_mkdirs(l->dir_fd, "blobs/sha256", 0755, err) < 0 ||
        fs_mkdirs(l->dir_fd, "trees", 0700, err) < 0 ||
        fs_mkdirs(l->dir_fd, "cache/index", 0700, err) < 0 ||
        fs_mkdirs(l->dir_fd, "tmp", 0700, err) < 0)
        return -1;
    /* oci-layout goes last: it says that the rest is there. */
    if (create_once(l->dir_fd, "index.json", EMPTY_INDEX, err) < 0)
        return -1;
    return create_once(l->dir_fd, "oci-layout", LAYOUT_FILE, err);
}

static int check_version(const struct layout *l, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *doc = NULL;
    const char *version;

    if (fs_read_file(l->dir_fd, "oci-layout", &text, 4096, err) < 0)
        return -1;
    doc = json_parse(buf_str(&text), err);
    if (!doc)
        return err_wrap(err, "oci-layout");
    version = json_str(doc, "imageLayoutVersion");
    if (!version || strncmp(version, "1.", 2) != 0)
        return err_set(err, ERR_INPUT, 0, "oci-layout: not an image layout of version 1");
    return 0;
}

/* Directories that an OCI tool's layout lacks are made on the way. */
static int open_part(const struct layout *l, const char *name, mode_t mode, struct err *err)
{
    int fd = openat(l->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 || errno != ENOENT)
        return fd < 0 ? err_errno(err, "open directory %s", name) : fd;
    if (fs_mkdirs(l->dir_fd, name, mode, err) < 0)
        return -1;
    return fs_open_dir(l->dir_fd, name, err);
}

static int open_store(struct layout *l, struct err *err)
{
    l->dir_fd = open(l->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->dir_fd < 0 && errno == ENOENT) {
        if (fs_mkdirs(AT_FDCWD, l->root, 0700, err) < 0)
            return -1;
        l->dir_fd = open(l->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (l->dir_fd < 0)
        return err_errno(err, "open directory");
    if (faccessat(l->dir_fd, "oci-layout", F_OK, 0) < 0) {
        if (create_store(l, err) < 0)
            return -1;
    } else if (check_version(l, err) < 0) {
        return -1;
    }
    l->lock_fd = openat(l->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0)
        return err_errno(err, "open lock");
    l->blobs_fd = open_part(l, "blobs/sha256", 0755, err);
    l->trees_fd = l->blobs_fd < 0 ? -1 : open_part(l, "trees", 0700, err);
    l->cache_fd = l->trees_fd < 0 ? -1 : open_part(l, "cache", 0700, err);
    l->tmp_fd = l->cache_fd < 0 ? -1 : open_part(l, "tmp", 0700, err);
    if (l->tmp_fd < 0)
        return -1;
    if (lock_range(l->lock_fd, LOCK_BYTE_STORE, false, false, err) == 0)
        return 0;
    log_info("waiting for another slipway process that prunes %s", l->root);
    return lock_range(l->lock_fd, LOCK_BYTE_STORE, false, true, err);
}

int layout_open(struct layout *l, const char *root, struct err *err)
{
    SCOPED(layout_close) struct layout opened = LAYOUT_CLOSED;
    AUTO_FREE char *place = root ? xstrdup(root) : layout_default_root(err);

    if (!place)
        return -1;
    opened.root = absolute(place, err);
    if (!opened.root)
        return -1;
    if (open_store(&opened, err) < 0)
        return err_wrap(err, "store %s", opened.root);
    *l = opened;
    opened = (struct layout)LAYOUT_CLOSED;
    return 0;
}

void layout_close(struct layout *l)
{
    scope_close(&l->blobs_fd);
    scope_close(&l->trees_fd);
    scope_close(&l->cache_fd);
    scope_close(&l->tmp_fd);
    scope_close(&l->lock_fd);
    scope_close(&l->dir_fd);
    scope_free(&l->root);
}

int lock_range(int fd, off_t start, bool exclusive, bool wait, struct err *err)
{
    struct flock range = {.l_type = exclusive ? F_WRLCK : F_RDLCK,
                          .l_whence = SEEK_SET,
                          .l_start = start,
                          .l_len = 1};

    while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) < 0)
        if (errno != EINTR)
            return err_errno(err, "lock");
    return 0;
}

int lock_open(const struct layout *l, off_t start, bool exclusive, struct err *err)
{
    AUTO_FD int fd = openat(l->dir_fd, "lock", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open lock");
    if (lock_range(fd, start, exclusive, true, err) < 0)
        return -1;
    return steal_fd(&fd);
}

int layout_lock(const struct layout *l, const char *name, bool exclusive, struct err *err)
{
    uint8_t hash[SHA256_SIZE];
    uint64_t byte = 0;

    sha256_of(name, strlen(name), hash);
    for (int i = 0; i < 4; i++)
        byte = byte << 8 | hash[i];
    return lock_open(l, LOCK_BYTE_NAMES + (off_t)byte, exclusive, err);
}

static int check_digest(const char *digest, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (digest_valid(digest))
        return 0;
    buf_add_escaped(&shown, str_slice(str_of(digest), 0, 100));
    return err_set(err, ERR_INPUT, 0, "\"%s\" is not a sha256 digest", buf_cstr(&shown));
}

bool layout_has(const struct layout *l, const char *digest)
{
    struct stat st;

    return digest_valid(digest) &&
           fstatat(l->blobs_fd, digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode);
}

bool layout_can_have(const struct layout *l, const char *digest)
{
    return layout_has(l, digest) ||
           (l->fetch && digest_valid(digest) && l->fetch->can(l->fetch->arg, digest));
}

void layout_prefetch(const struct layout *l, const char *digest)
{
    if (l->fetch && !layout_has(l, digest) && layout_can_have(l, digest))
        l->fetch->prefetch(l->fetch->arg, digest);
}

int layout_need(const struct layout *l, const char *digest, struct err *err)
{
    if (check_digest(digest, err) < 0)
        return -1;
    /* Who can fetch it may know more of it than that its bytes are right. */
    if (l->fetch && l->fetch->can(l->fetch->arg, digest))
        return l->fetch->fetch(l->fetch->arg, digest, err);
    if (layout_has(l, digest))
        return 0;
    return err_set(err, ERR_INPUT, ENOENT, "blob %s is not in the store %s", digest, l->root);
}

int layout_open_blob(const struct layout *l, const char *digest, uint64_t *size, struct err *err)
{
    struct stat st;

    if (l->fetch && layout_need(l, digest, err) < 0)
        return -1;
    if (check_digest(digest, err) < 0)
        return -1;
    AUTO_FD int fd = openat(l->blobs_fd, digest_hex(digest), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_INPUT, ENOENT, "blob %s is not in the store %s", digest, l->root);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, "open blob %s", digest);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, 0, "blob %s in %s is not a file", digest, l->root);
    if (size)
        *size = (uint64_t)st.st_size;
    return steal_fd(&fd);
}

int layout_read_blob(const struct layout *l, const char *digest, size_t max, struct buf *out,
                     struct err *err)
{
    char found[DIGEST_SIZE];
    size_t begin = out->size;
    AUTO_FD int fd = layout_open_blob(l, digest, NULL, err);

    if (fd < 0)
        return -1;
    if (fs_read(fd, out, max, err) < 0)
        return err_wrap(err, "blob %s", digest);
    digest_of(buf_cstr(out) + begin, out->size - begin, found);
    if (strcmp(found, digest) == 0)
        return 0;
    out->size = begin;
    return err_set(err, ERR_INPUT, EBADMSG,
                   "blob %s in %s is damaged: its bytes have another digest; remove the file and "
                   "fetch the image again",
                   digest, l->root);
}

int layout_put(const struct layout *l, const void *bytes, size_t size,
               char digest_out[static DIGEST_SIZE], struct err *err)
{
    struct stat st;

    digest_of(bytes, size, digest_out);
    if (fstatat(l->blobs_fd, digest_hex(digest_out), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (uint64_t)st.st_size == size)
        return 0;
    AUTO_FD int fd = layout_tmpfile(l, err);
    if (fd < 0)
        return -1;
    if (fs_write(fd, bytes, size, err) < 0)
        return err_wrap(err, "store %s in %s", digest_out, l->root);
    return layout_commit(l, fd, digest_out, err);
}

static void random_name(const char *prefix, char *out, size_t capacity)
{
    uint64_t salt = 0;

    if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
        salt = (uint64_t)getpid() << 32 | (uint64_t)time(NULL);
    snprintf(out, capacity, "%s%016llx", prefix, (unsigned long long)salt);
}

/* Where the file system has no O_TMPFILE (older overlayfs): a file in tmp/, locked so that no
 * cleaner takes it. */
static int named_tmpfile(const struct layout *l, struct err *err)
{
    char name[32];
    AUTO_FD int gate = lock_open(l, LOCK_BYTE_TMP, true, err), fd = -1;

    if (gate < 0)
        return -1;
    random_name(BLOB_PREFIX, name, sizeof(name));
    fd = openat(l->tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return err_errno(err, "make a temporary file in %s/tmp", l->root);
    return steal_fd(&fd);
}

int layout_tmpfile(const struct layout *l, struct err *err)
{
    int fd = openat(l->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT))
        return named_tmpfile(l, err);
    return fd < 0 ? err_errno(err, "make a temporary file in %s/tmp", l->root) : fd;
}

/* "blob-…" when fd is a file of named_tmpfile(); false for a nameless one. */
static bool name_in_tmp(int fd, char *out, size_t capacity)
{
    char proc[FS_FD_PATH_MAX], path[4096];
    ssize_t n = readlink(fs_fd_path(fd, proc), path, sizeof(path));
    struct stat st;
    struct str base;

    if (fstat(fd, &st) < 0 || st.st_nlink == 0 || n <= 0 || n >= (ssize_t)sizeof(path))
        return false;
    base = path_base((struct str){path, (size_t)n});
    if (!str_starts(base, BLOB_PREFIX) || base.size >= capacity)
        return false;
    memcpy(out, base.ptr, base.size);
    out[base.size] = 0;
    return true;
}

static int give_name(const struct layout *l, int fd, int dir_fd, const char *name)
{
    char proc[FS_FD_PATH_MAX], temporary[32];

    if (!name_in_tmp(fd, temporary, sizeof(temporary)))
        return linkat(AT_FDCWD, fs_fd_path(fd, proc), dir_fd, name, AT_SYMLINK_FOLLOW);
    if (linkat(l->tmp_fd, temporary, dir_fd, name, 0) < 0)
        return -1;
    return unlinkat(l->tmp_fd, temporary, 0);
}

static int digest_of_file(int fd, char digest_out[static DIGEST_SIZE], struct err *err)
{
    enum { STEP = 1 << 18 };
    AUTO_FREE void *bytes = xmalloc(STEP);
    struct sha256 hash;
    ssize_t n;

    sha256_begin(&hash);
    while ((n = read(fd, bytes, STEP)) != 0) {
        if (n < 0 && errno != EINTR)
            return err_errno(err, "read");
        if (n > 0)
            sha256_add(&hash, bytes, (size_t)n);
    }
    sha256_end_digest(&hash, digest_out);
    return 0;
}

int layout_drop_damaged(const struct layout *l, const char *digest, struct err *err)
{
    char found[DIGEST_SIZE];
    AUTO_FD int fd = layout_open_blob(l, digest, NULL, err);

    if (fd < 0)
        return -1;
    if (digest_of_file(fd, found, err) < 0)
        return err_wrap(err, "blob %s in %s", digest, l->root);
    if (strcmp(found, digest) == 0)
        return 0;
    if (unlinkat(l->blobs_fd, digest_hex(digest), 0) < 0 && errno != ENOENT)
        return err_errno(err, "remove the damaged blob %s from %s", digest, l->root);
    log_warn("blob %s in %s was damaged: its bytes have another digest; it is removed", digest,
             l->root);
    return 1;
}

/* A power cut may have left a blob of the wrong size under this name: the whole one takes its
 * place. */
static int replace_blob(const struct layout *l, int fd, const char *hex, struct err *err)
{
    char name[32];

    random_name(BLOB_PREFIX, name, sizeof(name));
    flock(fd, LOCK_EX | LOCK_NB); /* no cleaner of tmp/ takes the name away */
    if (give_name(l, fd, l->tmp_fd, name) < 0 || renameat(l->tmp_fd, name, l->blobs_fd, hex) < 0)
        return err_errno(err, "replace blob %s in %s", hex, l->root);
    return 0;
}

int layout_commit(const struct layout *l, int fd, const char *digest, struct err *err)
{
    struct stat mine, there;

    if (check_digest(digest, err) < 0)
        return -1;
    if (fdatasync(fd) < 0)
        return err_errno(err, "write blob %s to %s", digest, l->root);
    if (give_name(l, fd, l->blobs_fd, digest_hex(digest)) == 0)
        return 0;
    if (errno != EEXIST)
        return err_errno(err, "link blob %s in %s", digest, l->root);
    if (fstat(fd, &mine) < 0 ||
        fstatat(l->blobs_fd, digest_hex(digest), &there, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "look at blob %s in %s", digest, l->root);
    if (mine.st_size != there.st_size || !S_ISREG(there.st_mode))
        return replace_blob(l, fd, digest_hex(digest), err);
    return 0;
}

int layout_sync(const struct layout *l, struct err *err)
{
    return fsync(l->blobs_fd) < 0 ? err_errno(err, "sync %s/blobs", l->root) : 0;
}
