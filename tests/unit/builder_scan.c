/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "tests/tap.h"

/* What a scan told, one line a change. */
static int note(void *ctx, enum scan_change change, const char *path, int dir_fd, const char *name,
                struct err *err)
{
    static const char letters[] = {'n', 'c', 'g', 'r'};
    struct stat st;

    (void)err;
    buf_addf(ctx, "%c %s\n", letters[change], path);
    if (change != SCAN_GONE && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        buf_addf(ctx, "! %s\n", path);
    return 0;
}

static void shell(const char *text)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-ec", text, (char *)NULL);
        _exit(127);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    if (status)
        printf("# fails: %s\n", text);
}

struct place {
    char dir[64];
    int dir_fd, root_fd;
    struct scan scan;
};

static void place_make(struct place *p, const char *text)
{
    struct err err = {0};
    struct scan_options o = {0};

    snprintf(p->dir, sizeof(p->dir), "/tmp/scan-XXXXXX");
    if (!mkdtemp(p->dir) || chdir(p->dir) < 0)
        return;
    shell("mkdir root");
    shell(text);
    p->dir_fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->root_fd = openat(p->dir_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    o.dir_fd = p->dir_fd;
    p->scan = (struct scan)SCAN_CLOSED;
    OK(scan_tree(p->root_fd, &o, &p->scan, &err) == 0);
    OK(scan_unshare(p->root_fd, &p->scan, &err) == 0);
    scan_settle(&p->scan);
}

static void place_look(struct place *p, const struct strv *held, struct buf *told)
{
    struct scan now = SCAN_CLOSED;
    struct scan_options o = {
        .dir_fd = p->dir_fd, .before = &p->scan, .held = held, .fn = note, .ctx = told};
    struct err err = {0};

    buf_clear(told);
    OK(scan_tree(p->root_fd, &o, &now, &err) == 0);
    OK(scan_unshare(p->root_fd, &now, &err) == 0);
    EQ_STR(err.text, "");
    scan_release(&p->scan);
    p->scan = now;
    scan_settle(&p->scan);
}

static void place_end(struct place *p)
{
    scan_release(&p->scan);
    close(p->root_fd);
    close(p->dir_fd);
    if (chdir("/") == 0)
        fs_remove_tree(AT_FDCWD, p->dir, &(struct err){0});
}

static void changes(void)
{
    static const struct {
        const char *done, *told;
    } rows[] = {
        {"true", ""},
        {"echo x >root/a/new", "c a\nn a/new\n"},
        {"printf y >>root/a/f", "c a/f\n"},
        /* The same size and time of modification. */
        {"touch -r root/a/f ref; printf zz >root/a/f; touch -r ref root/a/f", "c a/f\n"},
        {"chmod 600 root/a/f", "c a/f\n"},
        {"rm root/a/f", "c a\ng a/f\n"},
        {"rm -r root/b", "g b\n"},
        {"rm -r root/b; mkdir root/b", "r b\n"},
        {"rm -r root/b; mkdir -p root/b/c; echo 1 >root/b/c/same", "r b\nn b/c\nn b/c/same\n"},
        {"rm -r root/b; echo file >root/b", "n b\n"},
        {"rm root/z; mkdir root/z", "r z\n"},
        {"mv root/b root/b2", "g b\nn b2\nn b2/c\nn b2/c/same\nn b2/d\n"},
        {"mv root/a/f root/a/g", "c a\ng a/f\nn a/g\n"},
        {"rm root/a/f; echo fi >root/a/f", "c a\nn a/f\n"},
        {"ln root/a/f root/a/l", "c a\nc a/f\nn a/l\n"},
        {"ln -sfn y root/link", "n link\n"},
        {"rm root/a-b", "g a-b\n"},
        {"echo >root/a.x; echo >root/A", "n A\nn a.x\n"},
        {"rm -r root/*", "g a\ng a-b\ng b\ng link\ng z\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf told = {0};
        struct place p = {0};

        place_make(&p, "mkdir -p root/a root/b/c root/b/d; echo fi >root/a/f; echo 1 >root/z;"
                       "echo 2 >root/b/c/same; ln -s x root/link; echo 3 >root/a-b");
        shell(rows[i].done);
        place_look(&p, NULL, &told);
        EQ_STR(buf_cstr(&told), rows[i].told);
        place_look(&p, NULL, &told);
        /* Links were parted: their directory's ctime tells of it, and nothing else does. */
        EQ_STR(buf_cstr(&told), strstr(rows[i].done, "ln root") ? "c a\n" : "");
        place_end(&p);
    }
}

static void links(void)
{
    SCOPED(buf_release) struct buf told = {0};
    struct place p = {0};
    struct stat a, b;

    place_make(&p, "cd root; echo 1 >a; ln a b; ln a c; chmod 4755 a; touch -d @1000 a");
    OK(stat("root/a", &a) == 0 && stat("root/b", &b) == 0);
    OK(a.st_ino != b.st_ino && a.st_nlink == 1 && b.st_nlink == 1);
    EQ_INT(b.st_mode & 07777, 04755);
    EQ_INT(b.st_mtime, 1000);
    place_look(&p, NULL, &told);
    EQ_STR(buf_cstr(&told), "");
    shell("echo 2 >>root/b");
    place_look(&p, NULL, &told);
    EQ_STR(buf_cstr(&told), "c b\n");
    place_end(&p);
}

static void held(void)
{
    SCOPED(buf_release) struct buf told = {0};
    SCOPED(strv_release) struct strv paths = {0};
    struct place p = {0};

    strv_add(&paths, "0");
    strv_add(&paths, "e/hosts");
    place_make(&p, "mkdir -p root/e; echo 1 >root/e/hosts; echo 2 >root/e/other");
    shell("cd root/e; mv hosts ../..; mv ../../hosts .; mv other x; mv x other");
    place_look(&p, &paths, &told);
    EQ_STR(buf_cstr(&told), "c e\nc e/other\n");
    shell("cd root/e; echo 3 >hosts");
    place_look(&p, &paths, &told);
    EQ_STR(buf_cstr(&told), "c e/hosts\n");
    place_end(&p);
}

static void by_name(void)
{
    SCOPED(buf_release) struct buf told = {0};
    SCOPED(scan_release) struct scan now = SCAN_CLOSED;
    struct place p = {0};
    struct scan_options o = {.by_name = true, .fn = note, .ctx = &told};
    struct err err = {0};

    place_make(&p, "mkdir -p root/d root/e root/x; echo 1 >root/d/f; echo 1 >root/d/g;"
                   "echo 1 >root/d/h; echo 1 >root/d/i; echo 1 >root/t; echo 1 >root/e/gone");
    shell("cd root; chmod 700 d; rm -r e; mkdir e; echo 1 >e/new;" /* a directory is itself */
          "echo more >>d/f; chmod 600 d/i;"                        /* a file that stayed */
          "cp -p d/g c; mv c d/g;"                                 /* another that looks the same */
          "echo longer >c; mv c d/h;"                              /* … that does not */
          "rm -r t x; mkdir t; echo 1 >t/in; echo 1 >x");
    o.dir_fd = p.dir_fd;
    o.before = &p.scan;
    OK(scan_tree(p.root_fd, &o, &now, &err) == 0);
    EQ_STR(err.text, "");
    EQ_STR(buf_cstr(&told), "c d/h\ng e/gone\nn e/new\nr t\nn t/in\nn x\n");
    place_end(&p);
}

/* A change right after a look, again and again: none may have the ctime that was seen. */
static void quick(void)
{
    SCOPED(buf_release) struct buf told = {0};
    struct place p = {0};
    int fd, seen = 0;

    place_make(&p, "echo 0 >root/f");
    fd = open("root/f", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 40; i++) {
        char c = (char)('a' + i % 26);

        OK(pwrite(fd, &c, 1, 0) == 1);
        place_look(&p, NULL, &told);
        seen += strcmp(buf_cstr(&told), "c f\n") == 0;
    }
    EQ_INT(seen, 40);
    close(fd);
    place_end(&p);
}

TAP_MAIN({"changes", changes}, {"links", links}, {"held", held}, {"by_name", by_name},
         {"quick", quick})
