/* SPDX-License-Identifier: Apache-2.0 */
/* fs, proc, pool, hash, json, clock, err: against the system and published vectors. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/proc.h"
#include "base/scope.h"
#include "tests/tap.h"

/* FIPS 180-4 examples, RFC 4231 test cases 1, 2 and 6. */
static void hashes(void)
{
    static const struct {
        const char *key, *text, *hex;
    } rows[] = {
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
         "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    };
    char digest[DIGEST_SIZE], hex[SHA256_HEX_SIZE];
    uint8_t raw[SHA256_SIZE];
    char longkey[131];
    struct sha256 h;

    digest_of("abc", 3, digest);
    EQ_STR(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    OK(digest_valid(digest) && !digest_valid("sha256:ba") && !digest_valid("sha512:ba"));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};

        hmac_sha256(rows[i].key, strlen(rows[i].key), rows[i].text, strlen(rows[i].text), raw);
        for (size_t n = 0; n < sizeof(raw); n++)
            buf_addf(&out, "%02x", raw[n]);
        EQ_STR(buf_cstr(&out), rows[i].hex);
    }
    memset(longkey, 0xaa, sizeof(longkey));
    hmac_sha256(longkey, sizeof(longkey), "Test Using Larger Than Block-Size Key - Hash Key First",
                54, raw);
    OK(raw[0] == 0x60 && raw[1] == 0xe4 && raw[31] == 0x54);
    sha256_begin(&h);
    sha256_add_framed(&h, STR("a"));
    sha256_add_framed(&h, STR("bc"));
    sha256_end_hex(&h, hex);
    sha256_begin(&h);
    sha256_add_framed(&h, STR("ab"));
    sha256_add_framed(&h, STR("c"));
    sha256_end_digest(&h, digest);
    OK(strcmp(hex, digest_hex(digest)) != 0);
}

static int scratch(char *path)
{
    struct err err = {0};

    return mkdtemp(path) ? fs_open_dir(AT_FDCWD, path, &err) : -1;
}

static void whole_files(void)
{
    char path[] = "/tmp/slipway-unit-XXXXXX";
    AUTO_FD int dir = scratch(path);
    SCOPED(buf_release) struct buf out = {0};
    SCOPED(strv_release) struct strv names = {0};
    struct err err = {0};
    struct stat st;

    OK(fs_mkdirs(dir, "a/b/c", 0755, &err) == 0);
    OK(fs_mkdirs(dir, "a/b/c", 0755, &err) == 0);
    OK(fs_replace(dir, "a/f", "one", 3, 0640, true, &err) == 0);
    OK(fs_replace(dir, "a/f", "second", 6, 0640, false, &err) == 0);
    OK(fs_read_file(dir, "a/f", &out, 6, &err) == 0);
    EQ_STR(buf_cstr(&out), "second");
    OK(fstatat(dir, "a/f", &st, 0) == 0 && (st.st_mode & 07777) == 0640);
    buf_clear(&out);
    OK(fs_read_file(dir, "a/f", &out, 5, &err) < 0);
    EQ_STR(err.text, "a/f: larger than the limit of 5 bytes");
    OK(fs_replace(dir, "no/f", "x", 1, 0600, false, &err) < 0 && err.kind == ERR_SYSTEM &&
       err.code == ENOENT);
    AUTO_FD int tmp = fs_tmpfile(dir, 0600, &err);
    OK(tmp >= 0 && fs_write(tmp, "t", 1, &err) == 0 &&
       fs_link_tmpfile(tmp, dir, "t", true, &err) == 0);
    OK(fs_link_tmpfile(tmp, dir, "t", false, &err) == 0);
    OK(symlinkat("/etc", dir, "link") == 0 && fchmodat(dir, "a/b", 0, 0) == 0);
    OK(fs_list(dir, &names, &err) == 0);
    AUTO_FREE char *joined = strv_join(&names, " ");
    EQ_STR(joined, "a link t");
    OK(fs_remove_tree(dir, "a", &err) == 0 && fs_remove_tree(dir, "link", &err) == 0);
    OK(fs_remove_tree(dir, "a", &err) == 0 && access("/etc/passwd", F_OK) == 0);
    OK(fs_remove_tree(AT_FDCWD, path, &err) == 0);
}

static void beneath(void)
{
    static const struct {
        const char *path;
        enum fs_resolve how;
        int code; /* 0: opens the file "in" */
    } rows[] = {
        {"d/in", FS_NO_LINKS, 0},        {"/d/in", FS_BENEATH, 0},
        {"abs/in", FS_IN_ROOT, 0},       {"abs/in", FS_BENEATH, EXDEV},
        {"abs/in", FS_NO_LINKS, ELOOP},  {"up/d/in", FS_IN_ROOT, 0},
        {"up/d/in", FS_BENEATH, EXDEV},  {"d/../d/in", FS_BENEATH, 0},
        {"d/../../d/in", FS_IN_ROOT, 0}, {"loop", FS_IN_ROOT, ELOOP},
        {"last", FS_IN_ROOT, 0},         {"last", FS_NO_LINKS, ELOOP},
        {"none/in", FS_IN_ROOT, ENOENT},
    };
    char path[] = "/tmp/slipway-unit-XXXXXX";
    AUTO_FD int dir = scratch(path);
    struct err err = {0};

    OK(fs_mkdirs(dir, "d", 0755, &err) == 0 &&
       fs_replace(dir, "d/in", "in", 2, 0644, false, &err) == 0);
    OK(symlinkat("/d", dir, "abs") == 0 && symlinkat("../..", dir, "up") == 0 &&
       symlinkat("loop", dir, "loop") == 0);
    OK(symlinkat("abs/in", dir, "last") == 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FD int fd = fs_open_beneath(dir, rows[i].path, O_RDONLY, 0, rows[i].how, &err);
        char two[2] = "";

        OKF((fd >= 0) == (rows[i].code == 0), "%s (%zu): fd %d, %s", rows[i].path, i, fd, err.text);
        if (fd >= 0)
            OK(read(fd, two, 2) == 2 && memcmp(two, "in", 2) == 0);
        else
            EQ_INT(err.code, rows[i].code);
    }
    OK(fs_remove_tree(AT_FDCWD, path, &err) == 0);
}

/* Kernels before 5.6 and some containers have no openat2: from here on neither has this process. */
static void beneath_without_openat2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {ARRAY_SIZE(code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
        tap_skip("seccomp: the kernel takes no filter");
        return;
    }
    beneath();
}

static int count_job(void *arg, struct err *err)
{
    atomic_int *counter = arg;

    if (atomic_fetch_add(counter, 1) == 41)
        return err_set(err, ERR_INPUT, 7, "number forty-two");
    return 0;
}

struct nested {
    struct pool *pool;
    atomic_int *counter;
};

static int nested_job(void *arg, struct err *err)
{
    struct nested *n = arg;

    return job_wait(pool_start(n->pool, count_job, n->counter), err);
}

static void jobs(void)
{
    struct pool *pool = pool_open(2);
    struct job *handles[200];
    atomic_int counter = 0;
    struct nested nested = {pool, &counter};
    struct err err = {0};
    int failures = 0;

    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        handles[i] =
            i % 2 ? pool_start(pool, count_job, &counter) : pool_start(pool, nested_job, &nested);
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        failures += job_wait(handles[i], &err) < 0;
    EQ_INT(counter, 200);
    EQ_INT(failures, 1);
    EQ_STR(err.text, "number forty-two");
    EQ_INT(err.code, 7);
    pool_close(pool);
}

static void helpers(void)
{
    SCOPED(strv_release) struct strv argv = {0}, slow = {0};
    SCOPED(buf_release) struct buf out = {0}, errors = {0};
    struct err err = {0};
    int status = -1;

    strv_add(&argv, "sh");
    strv_add(&argv, "-c");
    strv_add(&argv, "cat; echo oops >&2; exit 3");
    struct proc proc = {.argv = &argv, .input = STR("given")};
    OK(proc_run(&proc, &out, &errors, &status, &err) == 0);
    EQ_STR(buf_cstr(&out), "given");
    EQ_STR(buf_cstr(&errors), "oops\n");
    EQ_INT(status, 3);
    int pair[2];
    if (OK(pipe2(pair, O_CLOEXEC) == 0)) {
        SCOPED(strv_release) struct strv held = {0};
        SCOPED(buf_release) struct buf heard = {0};
        char byte = 0;

        strv_add(&held, "sh");
        strv_add(&held, "-c");
        strv_add(&held, "echo x >&3");
        struct proc holds = {.argv = &held, .held_fd = pair[1], .has_held_fd = true};
        OK(proc_run(&holds, &heard, &heard, &status, &err) == 0);
        EQ_INT(status, 0);
        OK(read(pair[0], &byte, 1) == 1 && byte == 'x');
        close(pair[0]);
        close(pair[1]);
    }
    strv_add(&slow, "sleep");
    strv_add(&slow, "10");
    struct proc late = {.argv = &slow, .timeout_ms = 100};
    OK(proc_run(&late, &out, &errors, &status, &err) < 0);
    EQ_STR(err.text, "sleep did not finish within 100 ms");
}

static void missing_program(void)
{
    SCOPED(strv_release) struct strv argv = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct proc proc = {.argv = &argv};
    struct err err = {0};
    int status;

    if (!tap_spawn_tells()) {
        tap_skip("posix_spawn() does not tell here (QEMU)");
        return;
    }
    strv_add(&argv, "slipway-no-such-program");
    OK(proc_run(&proc, &out, &out, &status, &err) < 0 && err.code == ENOENT);
}

static void documents(void)
{
    json_auto_t *doc = NULL, *wrong = NULL;
    SCOPED(buf_release) struct buf out = {0}, deep = {0};
    struct err err = {0};
    const char *digest;

    doc = json_parse(STR("{\"b\":1,\"a\":[true,null]}"), &err);
    OK(doc != NULL);
    json_print(doc, &out);
    EQ_STR(buf_cstr(&out), "{\"a\":[true,null],\"b\":1}");
    OK(json_take(doc, &err, "{s:s}", "digest", &digest) < 0);
    EQ_STR(err.text, "key \"digest\" is missing");
    OK(json_take(doc, &err, "{s:s}", "b", &digest) < 0);
    wrong = json_parse(STR("{\"a\":1,\"a\":2}"), &err);
    OKF(!wrong && strstr(err.text, "duplicate"), "%s", err.text);
    for (int i = 0; i < 100; i++)
        buf_addc(&deep, '[');
    for (int i = 0; i < 100; i++)
        buf_addc(&deep, ']');
    wrong = json_parse(buf_str(&deep), &err);
    OK(!wrong);
    EQ_STR(err.text, "nested deeper than 64 levels");
}

static void times(void)
{
    static const struct {
        const char *text, *again; /* again NULL: refused */
    } rows[] = {
        {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
        {"2026-01-02t03:04:05.120z", "2026-01-02T03:04:05.12Z"},
        {"2026-01-02T03:04:05+01:30", "2026-01-02T01:34:05Z"},
        {"1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"},
        {"2026-13-02T03:04:05Z", NULL},
        {"2026-01-02 03:04:05Z", NULL},
        {"2026-01-02T03:04:05", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct timespec t;
        char out[CLOCK_TEXT_SIZE];
        bool ok = clock_parse_rfc3339(str_of(rows[i].text), &t);

        OKF(ok == (rows[i].again != NULL), "%s", rows[i].text);
        if (ok)
            EQ_STR(clock_rfc3339(t, out), rows[i].again);
    }
}

static void errors(void)
{
    struct err err = {0};
    char big[2000];

    errno = ENOENT;
    OK(err_errno(&err, "open %s", "x") == -1 && err.kind == ERR_SYSTEM && err.code == ENOENT);
    EQ_STR(err.text, "open x: No such file or directory");
    err_wrap(&err, "layer %d", 1);
    err_add(&err, "; try again");
    EQ_STR(err.text, "layer 1: open x: No such file or directory; try again");
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    err_set(&err, ERR_INPUT, 0, "%s", big);
    OK(strlen(err.text) == sizeof(err.text) - 1 && str_ends(str_of(err.text), "x..."));
}

TAP_MAIN({"hashes", hashes}, {"whole files", whole_files}, {"beneath a root", beneath},
         {"jobs", jobs}, {"helper programs", helpers}, {"a missing program", missing_program},
         {"JSON", documents}, {"times", times}, {"errors", errors},
         {"beneath a root without openat2", beneath_without_openat2})
