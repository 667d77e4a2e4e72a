/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ca_bundle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/plan.h"
#include "tests/tap.h"

#define FILE_NAME "etc/ssl/certs/ca-certificates.crt"
#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

/* A root with one bundle, "ours", of the year 2001. */
static int make_root(char *path)
{
    const struct timespec times[2] = {{.tv_sec = 981173106}, {.tv_sec = 981173106}};
    struct err err = {0};
    int fd;

    if (!mkdtemp(path))
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fs_mkdirs(fd, "etc/ssl/certs", 0755, &err);
    fs_replace(fd, FILE_NAME, "ours\n", 5, 0640, false, &err);
    utimensat(fd, FILE_NAME, times, 0);
    return fd;
}

static void write_text(int fd, const char *text, int flags)
{
    AUTO_FD int file = openat(fd, FILE_NAME, O_WRONLY | O_CREAT | flags | O_CLOEXEC, 0600);
    struct err err = {0};

    fs_write(file, text, strlen(text), &err);
}

static void untouched(int fd)
{
    (void)fd;
}
static void added_to(int fd)
{
    write_text(fd, "more\n", O_APPEND);
}
static void replaced(int fd)
{
    unlinkat(fd, FILE_NAME, 0);
    write_text(fd, "new\n", 0);
}
static void removed(int fd)
{
    unlinkat(fd, FILE_NAME, 0);
}
static void made_a_pipe(int fd)
{
    unlinkat(fd, FILE_NAME, 0);
    mkfifoat(fd, FILE_NAME, 0600);
}
static void made_a_loop(int fd)
{
    unlinkat(fd, FILE_NAME, 0);
    OK(symlinkat("ca-certificates.crt", fd, FILE_NAME) == 0);
}
static void led_outside(int fd)
{
    unlinkat(fd, FILE_NAME, 0);
    OK(symlinkat("/etc/passwd", fd, FILE_NAME) == 0);
}

/* What a step may do between putting and taking, and what is there then. */
static void steps(void)
{
    static const struct {
        void (*act)(int);
        const char *want; /* NULL: no file */
        bool same_time;
    } rows[] = {
        {untouched, "ours\n", true}, {added_to, "ours\nmore\n", false}, {replaced, "new\n", false},
        {removed, NULL, false},      {made_a_pipe, NULL, false},        {made_a_loop, NULL, false},
        {led_outside, NULL, false},
    };
    char extra[] = "/tmp/slipway-ca-XXXXXX";
    AUTO_FD int extra_fd = mkstemp(extra);
    SCOPED(ca_bundle_release) struct ca_bundle bundle = {0};
    struct err err = {0};

    fs_write(extra_fd, PEM, strlen(PEM), &err);
    OKF(ca_bundle_read(&bundle, extra, &err) == 0, "%s", err.text);
    unlink(extra);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char path[] = "/tmp/slipway-ca-root-XXXXXX";
        AUTO_FD int fd = make_root(path);
        SCOPED(plan_release) struct plan plan = PLAN_INIT;
        SCOPED(ca_change_release) struct ca_change change = {0};
        SCOPED(buf_release) struct buf text = {0};
        struct stat st = {0};

        ca_bundle_plan(&bundle, &change, &plan);
        EQ_STR(env_get(&plan.env, "SSL_CERT_FILE"), CA_BUNDLE_TARGET);
        OKF(ca_bundle_put(&bundle, &change, fd, &plan, &err) == 0, "%s", err.text);
        OK(fs_read_file(fd, FILE_NAME, &text, 4096, &err) == 0);
        OK(str_starts(buf_str(&text), "ours\n") && str_search(buf_str(&text), PEM) > 0);
        OK(str_eq(buf_str(&plan.mounts[0].content), buf_str(&text)));
        rows[i].act(fd);
        OKF(ca_bundle_take(&bundle, &change, fd, &err) == 0, "row %zu: %s", i, err.text);
        buf_clear(&text);
        if (rows[i].want && fs_read_file(fd, FILE_NAME, &text, 4096, &err) == 0)
            EQ_STR(buf_cstr(&text), rows[i].want);
        OK(fstatat(fd, FILE_NAME, &st, 0) < 0 ||
           (st.st_mtim.tv_sec == 981173106) == rows[i].same_time);
        fs_remove_tree(AT_FDCWD, path, &err);
    }
}

static void refused(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"text", "there is no certificate in it (PEM)"},
        {PEM "-----BEGIN PRIVATE KEY-----\n", "there is a private key in it"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char path[] = "/tmp/slipway-ca-XXXXXX";
        AUTO_FD int fd = mkstemp(path);
        SCOPED(ca_bundle_release) struct ca_bundle bundle = {0};
        struct err err = {0};

        fs_write(fd, rows[i].text, strlen(rows[i].text), &err);
        OK(ca_bundle_read(&bundle, path, &err) < 0);
        OKF(strstr(err.text, rows[i].err) && err.kind == ERR_USAGE, "%s", err.text);
        unlink(path);
    }
}

TAP_MAIN({"what a step may do", steps}, {"what is refused", refused})
