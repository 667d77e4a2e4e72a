/* SPDX-License-Identifier: Apache-2.0 */
#include "base/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/scope.h"
#include "tests/tap.h"

static uint64_t du(const char *dir)
{
    SCOPED(strv_release) struct strv argv = {0};
    SCOPED(buf_release) struct buf out = {0}, errors = {0};
    struct proc proc = {.argv = &argv};
    struct err err = {0};
    int status = -1;

    strv_add(&argv, "du");
    strv_add(&argv, "-s");
    strv_add(&argv, "--block-size=1");
    strv_add(&argv, dir);
    OKF(proc_run(&proc, &out, &errors, &status, &err) == 0 && status == 0, "%s", err.text);
    return strtoull(buf_cstr(&out), NULL, 10);
}

static void same_as_du(void)
{
    char dir[] = "/tmp/usage-XXXXXX", name[64];
    static const char bytes[100000];
    SCOPED(usage_release) struct usage u = {0};
    struct err err = {0};
    int fd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    OK(fd >= 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "d%d/e/f", i % 10);
        OK(fs_mkdirs(fd, name, 0755, &err) == 0);
        snprintf(name, sizeof(name), "d%d/e/f/%d", i % 10, i);
        OK(fs_replace(fd, name, bytes, (size_t)i * 300, 0644, false, &err) == 0);
        if (i % 3 == 0) {
            char link[64];

            snprintf(link, sizeof(link), "d0/link%d", i);
            OK(linkat(fd, name, fd, link, 0) == 0);
        }
    }
    OK(symlinkat("/", fd, "root") == 0);
    OKF(usage_add(&u, fd, ".", &err) == 0, "%s", err.text);
    EQ_INT(u.bytes, du(dir));
    EQ_INT(u.files, 1 + 10 * 3 + 300 + 100 + 1);
    EQ_INT(u.seen_count, 100);
    OK(usage_add(&u, fd, "absent", &err) == 0);
    close(fd);
    fs_remove_tree(AT_FDCWD, dir, &err);
}

TAP_MAIN({"the figures of du(1)", same_as_du})
