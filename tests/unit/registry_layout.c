/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"
#include "registry/config.h"
#include "tests/tap.h"

/* A place of its own for each test, gone after it. */
struct place {
    char dir[64], root[80];
};

static void place_make(struct place *p)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(p->dir, sizeof(p->dir), "%.40s/layout-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(p->dir))
        abort();
    snprintf(p->root, sizeof(p->root), "%s/store", p->dir);
}

static void place_remove(struct place *p)
{
    struct err ignored = {0};

    fs_remove_tree(AT_FDCWD, p->dir, &ignored);
}

static void open_or_die(struct layout *l, const struct place *p)
{
    struct err err = {0};

    if (layout_open(l, p->root, &err) < 0) {
        OKF(false, "%s", err.text);
        abort();
    }
}

/* A manifest that says `text`; enough for names. */
static void put_manifest(const struct layout *l, const char *text, struct descriptor *d)
{
    char digest[DIGEST_SIZE];
    struct err err = {0};

    OKF(layout_put(l, text, strlen(text), digest, &err) == 0, "%s", err.text);
    descriptor_set(d, MEDIA_OCI_MANIFEST, digest, strlen(text));
}

/* A whole image of no layers, its environment told apart by `mark`. */
static void put_image(const struct layout *l, const char *arch, const char *mark,
                      struct descriptor *d)
{
    struct platform p = {.os = "linux"};
    json_auto_t *doc = NULL;
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(descriptor_release) struct descriptor config = {0};
    char digest[DIGEST_SIZE];
    struct err err = {0};

    snprintf(p.arch, sizeof(p.arch), "%s", arch);
    doc = config_new(&p);
    config_set_label(doc, "mark", mark);
    config_set_created(doc, "2026-01-02T03:04:05Z");
    config_print(doc, &text);
    OK(layout_put(l, text.ptr, text.size, digest, &err) == 0);
    descriptor_set(&config, MEDIA_OCI_CONFIG, digest, text.size);
    buf_clear(&text);
    manifest_print_image(&config, NULL, 0, NULL, &text);
    OK(layout_put(l, text.ptr, text.size, digest, &err) == 0);
    descriptor_set(d, MEDIA_OCI_MANIFEST, digest, text.size);
    descriptor_set_platform(d, &p);
}

static void parse_ref(const char *text, struct reference *ref)
{
    struct err err = {0};

    OKF(reference_parse(text, ref, &err) == 0, "%s", err.text);
}

static size_t count_names(const char *dir, const char *sub)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FREE char *path = xasprintf("%s/%s", dir, sub);
    struct err err = {0};
    AUTO_FD int fd = fs_open_dir(AT_FDCWD, path, &err);

    OKF(fd >= 0 && fs_list(fd, &names, &err) == 0, "%s", err.text);
    return names.count;
}

static void creation(void)
{
    SCOPED(place_remove) struct place p;
    struct err err = {0};

    place_make(&p);
    for (int i = 0; i < 2; i++) {
        SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
        SCOPED(buf_release) struct buf text = {0};

        open_or_die(&l, &p);
        EQ_STR(l.root, p.root);
        OK(fs_read_file(l.dir_fd, "oci-layout", &text, 100, &err) == 0);
        EQ_STR(buf_cstr(&text), "{\"imageLayoutVersion\":\"1.0.0\"}");
        buf_clear(&text);
        OK(fs_read_file(l.dir_fd, "index.json", &text, 1000, &err) == 0);
        EQ_STR(buf_cstr(&text),
               "{\"manifests\":[],\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"schemaVersion\":2}");
    }
}

static void foreign_directory(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    AUTO_FREE char *want = NULL;
    struct err err = {0};

    place_make(&p);
    OK(mkdir(p.root, 0700) == 0);
    want = xasprintf("%s/thesis.txt", p.root);
    OK(fs_replace(AT_FDCWD, want, "x", 1, 0600, false, &err) == 0);
    scope_free(&want);
    OK(layout_open(&l, p.root, &err) < 0);
    want =
        xasprintf("store %s: %s is neither a store nor an empty directory: it holds \"thesis.txt\"",
                  p.root, p.root);
    EQ_STR(err.text, want);
    EQ_INT(count_names(p.root, "."), 1);
    EQ_INT(l.dir_fd, -1);
}

static void wrong_version(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    AUTO_FREE char *want = NULL, *file = NULL;
    struct err err = {0};

    place_make(&p);
    OK(mkdir(p.root, 0700) == 0);
    file = xasprintf("%s/oci-layout", p.root);
    OK(fs_replace(AT_FDCWD, file, "{\"imageLayoutVersion\":\"2.0.0\"}", 30, 0600, false, &err) ==
       0);
    OK(layout_open(&l, p.root, &err) < 0);
    want = xasprintf("store %s: oci-layout: not an image layout of version 1", p.root);
    EQ_STR(err.text, want);
}

static void blobs(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(buf_release) struct buf got = {0};
    char digest[DIGEST_SIZE], other[DIGEST_SIZE];
    struct err err = {0};
    uint64_t size = 0;
    AUTO_FD int fd = -1;

    place_make(&p);
    open_or_die(&l, &p);
    OK(layout_put(&l, "hello", 5, digest, &err) == 0);
    EQ_STR(digest, "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    OK(layout_has(&l, digest) && layout_put(&l, "hello", 5, other, &err) == 0);
    OK(layout_read_blob(&l, digest, 5, &got, &err) == 0);
    EQ_STR(buf_cstr(&got), "hello");
    fd = layout_open_blob(&l, digest, &size, &err);
    OK(fd >= 0 && size == 5);
    OK(layout_read_blob(&l, digest, 4, &got, &err) < 0 &&
       strstr(err.text, "larger than the limit of 4 bytes"));
    digest_of("x", 1, other);
    OK(!layout_has(&l, other) && layout_open_blob(&l, other, NULL, &err) < 0);
    EQ_INT(err.code, ENOENT);
    OK(strstr(err.text, "is not in the store"));
    OK(!layout_has(&l, "sha256:../../../index.json") && !layout_has(&l, "") &&
       !layout_has(&l, "index.json"));
    OK(layout_open_blob(&l, "../../index.json", NULL, &err) < 0);
    EQ_STR(err.text, "\"../../index.json\" is not a sha256 digest");
    EQ_INT(count_names(p.root, "tmp"), 0);
}

/* What a power cut leaves under a blob's name: too short, or of the right size with other bytes. */
static void damaged_blobs(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(buf_release) struct buf got = {0};
    char digest[DIGEST_SIZE];
    struct err err = {0};

    place_make(&p);
    open_or_die(&l, &p);
    digest_of("hello", 5, digest);
    OK(fs_replace(l.blobs_fd, digest_hex(digest), "hel", 3, 0644, false, &err) == 0);
    OK(layout_read_blob(&l, digest, 10, &got, &err) < 0 && strstr(err.text, "is damaged") &&
       got.size == 0);
    OK(layout_put(&l, "hello", 5, digest, &err) == 0);
    OK(layout_read_blob(&l, digest, 10, &got, &err) == 0);
    OK(fs_replace(l.blobs_fd, digest_hex(digest), "hexxo", 5, 0644, false, &err) == 0);
    OK(layout_read_blob(&l, digest, 10, &got, &err) < 0 && strstr(err.text, "is damaged"));
}

static void temporary_files(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    struct err err = {0};
    char digest[DIGEST_SIZE];
    struct stat st;
    AUTO_FD int fd = -1, lost = -1;

    place_make(&p);
    open_or_die(&l, &p);
    fd = layout_tmpfile(&l, &err);
    lost = layout_tmpfile(&l, &err);
    OK(fd >= 0 && fs_write(fd, "abc", 3, &err) == 0 && lost >= 0 &&
       fs_write(lost, "abcd", 4, &err) == 0);
    digest_of("abc", 3, digest);
    OK(!layout_has(&l, digest));
    OKF(layout_commit(&l, fd, digest, &err) == 0, "%s", err.text);
    OK(layout_has(&l, digest) && fstatat(l.blobs_fd, digest_hex(digest), &st, 0) == 0 &&
       (st.st_mode & 0777) == 0644);
    OK(layout_commit(&l, fd, digest, &err) == 0);
    OK(layout_commit(&l, fd, "sha256:12", &err) < 0);
    scope_close(&lost);
    EQ_INT(count_names(p.root, "blobs/sha256"), 1);
    EQ_INT(count_names(p.root, "tmp"), 0);
}

static void names(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(reference_release) struct reference one = {0}, two = {0}, pinned = {0};
    SCOPED(descriptor_release) struct descriptor a = {0}, b = {0}, got = {0};
    AUTO_FREE char *text = NULL;
    struct err err = {0};

    place_make(&p);
    open_or_die(&l, &p);
    put_manifest(&l, "{\"a\":1}", &a);
    put_manifest(&l, "{\"b\":1}", &b);
    parse_ref("web:1", &one);
    parse_ref("h.io/x/web:2", &two);
    text = xasprintf("h.io/y:tag@%s", a.digest);
    parse_ref(text, &pinned);
    EQ_INT(layout_resolve(&l, &one, &got, &err), 0);
    OK(layout_tag(&l, &one, &a, &err) == 0 && layout_tag(&l, &two, &a, &err) == 0);
    EQ_INT(layout_resolve(&l, &one, &got, &err), 1);
    EQ_STR(got.digest, a.digest);
    EQ_STR(descriptor_annotation(&got, LAYOUT_REF_NAME), "docker.io/library/web:1");
    descriptor_release(&got);
    OK(layout_tag(&l, &one, &b, &err) == 0);
    EQ_INT(layout_resolve(&l, &one, &got, &err), 1);
    EQ_STR(got.digest, b.digest);
    descriptor_release(&got);
    EQ_INT(layout_resolve(&l, &pinned, &got, &err), 1); /* by digest, under any name */
    EQ_STR(got.digest, a.digest);
    descriptor_release(&got);
    EQ_INT(layout_untag(&l, &two, &err), 1);
    EQ_INT(layout_untag(&l, &two, &err), 0);
    EQ_INT(layout_resolve(&l, &pinned, &got, &err), 0);
    OK(layout_tag(&l, &pinned, &a, &err) == 0);
    EQ_INT(layout_resolve(&l, &pinned, &got, &err), 1);
    scope_free(&text);
    text = xasprintf("h.io/y@%s", a.digest);
    EQ_STR(descriptor_annotation(&got, LAYOUT_REF_NAME), text);
    descriptor_release(&a);
    descriptor_set(&a, MEDIA_OCI_MANIFEST,
                   "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 1);
    OK(layout_tag(&l, &one, &a, &err) < 0 && strstr(err.text, "is not in the store"));
}

static int note(void *arg, const char *name, const struct descriptor *d, struct err *err)
{
    (void)d, (void)err;
    strv_add(arg, name ? name : "(none)");
    return 0;
}

static void unnamed(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor a = {0}, b = {0};
    SCOPED(reference_release) struct reference one = {0};
    SCOPED(strv_release) struct strv list = {0};
    struct err err = {0};

    place_make(&p);
    open_or_die(&l, &p);
    put_manifest(&l, "{\"a\":1}", &a);
    put_manifest(&l, "{\"b\":1}", &b);
    parse_ref("web", &one);
    OK(layout_tag(&l, NULL, &a, &err) == 0 && layout_tag(&l, NULL, &a, &err) == 0 &&
       layout_tag(&l, NULL, &b, &err) == 0);
    OK(layout_each_tag(&l, note, &list, &err) == 0);
    EQ_INT(list.count, 2);
    OK(layout_tag(&l, &one, &a, &err) == 0); /* now it has a name */
    strv_clear(&list);
    OK(layout_each_tag(&l, note, &list, &err) == 0);
    EQ_INT(list.count, 2);
    OK(strv_has(&list, "(none)") && strv_has(&list, "docker.io/library/web:latest"));
    EQ_INT(layout_forget(&l, b.digest, &err), 1);
    EQ_INT(layout_forget(&l, b.digest, &err), 0);
}

/* skopeo and friends write what they were told; one entry that we cannot read hides no other. */
static void index_of_others(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor a = {0}, got = {0};
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(strv_release) struct strv list = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};

    place_make(&p);
    open_or_die(&l, &p);
    put_manifest(&l, "{\"a\":1}", &a);
    buf_addf(
        &text,
        "{\"schemaVersion\":2,\"x\":1,\"manifests\":[{\"mediaType\":\"a\",\"digest\":\"sha512:1\","
        "\"size\":1},"
        "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":7,\"annotations\":{\"" LAYOUT_REF_NAME
        "\":\"web\"}}]}",
        MEDIA_OCI_MANIFEST, a.digest);
    OK(fs_replace(l.dir_fd, "index.json", text.ptr, text.size, 0644, false, &err) == 0);
    parse_ref("web:latest", &ref);
    EQ_INT(layout_resolve(&l, &ref, &got, &err), 1);
    OK(layout_each_tag(&l, note, &list, &err) == 0 && list.count == 1);
    EQ_STR(list.ptr[0], "docker.io/library/web:latest");
    OK(layout_untag(&l, &ref, &err) == 1);
    buf_clear(&text);
    OK(fs_read_file(l.dir_fd, "index.json", &text, 1000, &err) == 0);
    EQ_STR(buf_cstr(&text), "{\"manifests\":[{\"digest\":\"sha512:1\",\"mediaType\":\"a\",\"size\":"
                            "1}],\"schemaVersion\":2,\"x\":1}");
    OK(fs_replace(l.dir_fd, "index.json", "{", 1, 0644, false, &err) == 0);
    OK(layout_resolve(&l, &ref, &got, &err) < 0 && strstr(err.text, "index.json: line 1"));
}

static void tag_many(const struct place *p, const char *prefix, int count)
{
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor d = {0};

    open_or_die(&l, p);
    put_manifest(&l, "{\"a\":1}", &d);
    for (int i = 0; i < count; i++) {
        SCOPED(reference_release) struct reference ref = {0};
        AUTO_FREE char *name = xasprintf("%s:%d", prefix, i);
        struct err err = {0};

        if (reference_parse(name, &ref, &err) < 0 || layout_tag(&l, &ref, &d, &err) < 0)
            _exit(1);
    }
}

static void two_processes_tag(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(strv_release) struct strv list = {0};
    static const char *const prefixes[] = {"a", "b"};
    struct err err = {0};
    pid_t pids[2];
    int status;

    place_make(&p);
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            tag_many(&p, prefixes[i], 100);
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++)
        OK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    open_or_die(&l, &p);
    OK(layout_each_tag(&l, note, &list, &err) == 0);
    EQ_INT(list.count, 200);
}

/* kill -9 while blobs are written and names are set, again and again: nothing partial counts,
 * nothing stays in tmp/. */
static void killed(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(strv_release) struct strv list = {0}, files = {0};
    struct err err = {0};
    int status;

    place_make(&p);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();

        if (pid == 0) {
            SCOPED(layout_close) struct layout mine = LAYOUT_CLOSED;
            struct layout_tmp tmp = LAYOUT_TMP_CLOSED;
            static char bytes[1 << 20];
            char digest[DIGEST_SIZE];

            open_or_die(&mine, &p);
            layout_tmp_open(&mine, &tmp, &err);
            for (int i = 0;; i++) {
                snprintf(bytes, sizeof(bytes), "%d %d", round, i);
                layout_put(&mine, bytes, sizeof(bytes), digest, &err);
                tag_many(&p, "a", 2);
            }
        }
        clock_sleep_ms((uint64_t)(5 + round * 2));
        kill(pid, SIGKILL);
        OK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    }
    open_or_die(&l, &p);
    OK(layout_each_tag(&l, note, &list, &err) == 0);
    OK(fs_list(l.blobs_fd, &files, &err) == 0 && files.count > 0);
    for (size_t i = 0; i < files.count; i++) {
        SCOPED(buf_release) struct buf bytes = {0};
        AUTO_FREE char *digest = xasprintf("sha256:%s", files.ptr[i]);

        OKF(layout_read_blob(&l, digest, 2 << 20, &bytes, &err) == 0, "%s", err.text);
    }
    OK(layout_clean_tmp(&l, &err) == 0);
    unlinkat(l.tmp_fd, "index.json",
             0); /* the next index, left by a kill: overwritten by the next writer */
    EQ_INT(count_names(p.root, "tmp"), 0);
}

static void temporary_directories(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED, other = LAYOUT_CLOSED;
    struct layout_tmp mine = LAYOUT_TMP_CLOSED, theirs = LAYOUT_TMP_CLOSED;
    struct err err = {0};

    place_make(&p);
    open_or_die(&l, &p);
    open_or_die(&other, &p);
    OK(layout_tmp_open(&l, &mine, &err) == 0 && layout_tmp_open(&other, &theirs, &err) == 0);
    OK(mkdirat(mine.fd, "deep", 0) == 0 && mkdirat(l.tmp_fd, "left-behind", 0700) == 0);
    EQ_INT(count_names(p.root, "tmp"), 3);
    OK(layout_clean_tmp(&other, &err) == 0);
    EQ_INT(count_names(p.root, "tmp"), 2); /* the living keep theirs */
    layout_tmp_close(&other, &theirs);
    layout_tmp_close(&other, &theirs);
    EQ_INT(count_names(p.root, "tmp"), 1);
    layout_tmp_close(&l, &mine);
    EQ_INT(count_names(p.root, "tmp"), 0);
}

static void locks(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    struct err err = {0};
    int first, second, status;
    pid_t pid;

    place_make(&p);
    open_or_die(&l, &p);
    first = layout_lock(&l, "x", false, &err);
    second = layout_lock(&l, "x", false, &err);
    OK(first >= 0 && second >= 0); /* shared */
    close(first);
    close(second);
    first = layout_lock(&l, "x", true, &err);
    second = layout_lock(&l, "y", true, &err); /* another name */
    OK(first >= 0 && second >= 0);
    pid = fork();
    if (pid == 0) {
        close(first);
        close(second);
        alarm(1);
        layout_lock(&l, "x", true, &err);
        _exit(0);
    }
    OK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
       WTERMSIG(status) == SIGALRM); /* it waited */
    close(first);
    close(second);
}

static void images(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    struct descriptor entries[2] = {0};
    SCOPED(descriptor_release) struct descriptor index = {0};
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(image_release) struct image image = {0};
    SCOPED(image_summary_release) struct image_summary summary = {0};
    struct platform arm = {.os = "linux", .arch = "arm64"},
                    s390x = {.os = "linux", .arch = "s390x"};
    char digest[DIGEST_SIZE];
    struct err err = {0};

    place_make(&p);
    open_or_die(&l, &p);
    put_image(&l, "amd64", "a", &entries[0]);
    put_image(&l, "arm64", "b", &entries[1]);
    manifest_print_index(entries, 2, NULL, &text);
    OK(layout_put(&l, text.ptr, text.size, digest, &err) == 0);
    descriptor_set(&index, MEDIA_OCI_INDEX, digest, text.size);
    OKF(layout_load_image(&l, &index, &arm, &image, &err) == 0, "%s", err.text);
    EQ_STR(image.descriptor.digest, entries[1].digest);
    EQ_STR(config_label(image.config, "mark"), "b");
    image_release(&image);
    OK(layout_load_image(&l, &index, &s390x, &image, &err) < 0 &&
       strstr(err.text, "no image for linux/s390x; there is linux/amd64, linux/arm64"));
    OK(layout_load_image(&l, &entries[0], &arm, &image, &err) < 0);
    EQ_STR(err.text, "the image is for linux/amd64, not for linux/arm64");
    OK(layout_load_image(&l, &entries[1], NULL, &image, &err) == 0);
    EQ_STR(image.platform.arch, "arm64");
    OKF(layout_summary(&l, &index, &summary, &err) == 0, "%s", err.text);
    EQ_STR(summary.id, index.digest);
    EQ_STR(summary.created, "2026-01-02T03:04:05Z");
    EQ_INT(summary.platforms.count, 2);
    for (size_t i = 0; i < 2; i++)
        descriptor_release(&entries[i]);
}

static void finding(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor a = {0}, b = {0}, got = {0};
    SCOPED(reference_release) struct reference one = {0};
    SCOPED(manifest_release) struct manifest m = {0};
    AUTO_FREE char *name = NULL, *text = NULL;
    struct err err = {0};

    place_make(&p);
    open_or_die(&l, &p);
    put_image(&l, "amd64", "a", &a);
    put_image(&l, "amd64", "b", &b);
    parse_ref("web", &one);
    OK(layout_tag(&l, &one, &a, &err) == 0 && layout_tag(&l, NULL, &b, &err) == 0);
    EQ_INT(layout_find(&l, "web", &got, &name, &err), 1);
    EQ_STR(name, "docker.io/library/web:latest");
    descriptor_release(&got);
    OK(layout_load_manifest(&l, &b, &m, &err) == 0);
    text = xasprintf("%.12s", digest_hex(m.config.digest));
    scope_free(&name);
    EQ_INT(layout_find(&l, text, &got, &name, &err), 1);
    EQ_STR(got.digest, b.digest);
    EQ_STR(name, NULL);
    descriptor_release(&got);
    EQ_INT(layout_find(&l, b.digest, &got, &name, &err), 1);
    descriptor_release(&got);
    EQ_INT(layout_find(&l, "absent", &got, &name, &err), 0);
    EQ_INT(layout_find(&l, "0000", &got, &name, &err), 0);
    OK(layout_find(&l, "A b", &got, &name, &err) < 0 && err.kind == ERR_USAGE);
}

TAP_MAIN({"a new store", creation}, {"a directory that is no store", foreign_directory},
         {"a layout of another version", wrong_version}, {"blobs", blobs},
         {"damaged blobs", damaged_blobs}, {"temporary files", temporary_files}, {"names", names},
         {"images without a name", unnamed}, {"an index that others wrote", index_of_others},
         {"two processes tag 100 names each", two_processes_tag}, {"kill -9 in the middle", killed},
         {"temporary directories", temporary_directories}, {"locks by name", locks},
         {"images of a platform", images}, {"what a user types", finding})
