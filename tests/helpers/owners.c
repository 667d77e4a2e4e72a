/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs inside a sandbox, in an empty directory: each case in a process of its own, and what it saw
 * on stdout, one line for each look. On every rung the lines, and the files left behind, are to be
 * those of the rung root.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LOOK(call) look(#call, (long)(call))

static const char *current;
static const char *self;

static void look(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s: %s\n", current, what, strerror(errno));
    else
        printf("%s: %s: %ld\n", current, what, result);
    fflush(stdout);
}

static void show(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        printf("%s: %s: %s\n", current, path, strerror(errno));
    else
        printf("%s: %s: %u:%u %o\n", current, path, st.st_uid, st.st_gid, st.st_mode);
    fflush(stdout);
}

static void show_ids(void)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;

    getresuid(&r, &e, &s);
    getresgid(&rg, &eg, &sg);
    printf("%s: ids %u,%u,%u %u,%u,%u\n", current, r, e, s, rg, eg, sg);
    fflush(stdout);
}

static void make(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    fchmod(fd, mode);
    close(fd);
}

static void become(uid_t id)
{
    const gid_t groups[] = {id, 9};

    if (setgroups(2, groups) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
        perror("become");
}

/* Files of each kind. */
static void make_all(const char *dir)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/file", dir);
    close(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    show(path);
    snprintf(path, sizeof(path), "%s/dir", dir);
    mkdir(path, 0755);
    show(path);
    snprintf(path, sizeof(path), "%s/link", dir);
    if (symlink("file", path) == 0)
        show(path);
    snprintf(path, sizeof(path), "%s/pipe", dir);
    mkfifo(path, 0600);
    show(path);
}

/* Its parents are gone before it is heard of. */
static void daemon_case(void)
{
    int done[2];
    char byte;

    mkdir("daemon", 0777);
    chmod("daemon", 0777);
    if (pipe(done) < 0)
        return;
    if (fork() == 0) {
        pid_t parent;

        become(1000);
        parent = getpid();
        if (fork())
            _exit(0);
        close(done[0]);
        while (getppid() == parent)
            usleep(1000);
        usleep(20000);
        make_all("daemon");
        show_ids();
        _exit(0);
    }
    close(done[1]);
    wait(NULL);
    if (read(done[0], &byte, 1) < 0)
        perror("read");
}

static void peer_case(void)
{
    struct ucred who;
    socklen_t size = sizeof(who);
    int pair[2];

    become(1000);
    LOOK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    LOOK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &size));
    printf("%s: %u %u %d\n", current, who.uid, who.gid, who.pid == getpid());
}

static void attributes_case(void)
{
    char names[1000];

    make("attributes", 0644);
    LOOK(chown("attributes", 5, 6));
    LOOK(listxattr("attributes", NULL, 0));
    LOOK(setxattr("attributes", "user.one", "1", 1, 0));
    LOOK(listxattr("attributes", names, 5));
    LOOK(llistxattr("attributes", names, sizeof(names)));
    printf("%s: %s\n", current, names);
}

static void bits_case(void)
{
    make("bits", 06755);
    LOOK(chown("bits", (uid_t)-1, (gid_t)-1));
    show("bits");
    chmod("bits", 06755);
    LOOK(chown("bits", 5, (gid_t)-1));
    show("bits");
    mkdir("bits.dir", 0755);
    chmod("bits.dir", 02755);
    LOOK(chown("bits.dir", 5, 6));
    show("bits.dir");
}

static void nameless_case(void)
{
    struct open_how how = {.flags = O_CREAT | O_WRONLY | O_EXCL, .mode = 0640};
    int fd;

    mkdir("nameless", 0755);
    LOOK(chown("nameless", 1000, 1000));
    become(1000);
    fd = open("nameless", O_TMPFILE | O_RDWR, 0644);
    LOOK(fd < 0 ? -1 : 0);
    LOOK(linkat(AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "nameless/linked", AT_SYMLINK_FOLLOW));
    show("nameless/linked");
    LOOK(syscall(SYS_openat2, AT_FDCWD, "nameless/how", &how, sizeof(how)) < 0 ? -1 : 0);
    show("nameless/how");
    LOOK(open("nameless/how", O_CREAT | O_EXCL | O_WRONLY, 0644));
    LOOK(open("none/how", O_CREAT | O_WRONLY, 0644));
    LOOK(open("nameless", O_CREAT | O_WRONLY, 0644));
    LOOK(mkdir("nameless", 0755));
}

static void group_case(void)
{
    mkdir("group", 0755);
    LOOK(chown("group", 0, 50));
    LOOK(chmod("group", 02775));
    make_all("group");
    make_all("group/dir");
}

/* A link that has the inode of one that is gone has nothing else of it. */
static void number_case(void)
{
    char path[32];

    mkdir("numbers", 0755);
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof(path), "numbers/%d", i);
        if (symlink("to", "numbers/old") < 0 || mkfifo("numbers/pipe", 0600) < 0)
            perror("number");
        LOOK(lchown("numbers/old", 7, 7));
        LOOK(lchown("numbers/pipe", 8, 8));
        unlink("numbers/old");
        unlink("numbers/pipe");
        if (i % 2 ? symlink("to", path) < 0 : mkfifo(path, 0600) < 0)
            perror("number");
        show(path);
    }
}

static void ids_case(void)
{
    gid_t groups[10];

    show_ids();
    LOOK(seteuid(1000));
    show_ids();
    LOOK(chown(".", 3, 3));
    LOOK(setegid(5));
    LOOK(seteuid(0));
    LOOK(setegid(5));
    LOOK(setregid(7, (gid_t)-1));
    LOOK(setreuid(1000, 1001));
    show_ids();
    LOOK(setreuid(1001, 1000));
    show_ids();
    LOOK(setuid(0));
    LOOK(setuid(1001));
    LOOK(setgroups(0, NULL));
    LOOK(getgroups(10, groups));
    LOOK(setuid((uid_t)-1));
    show_ids();
}

static void keep_case(void)
{
    make("keep", 0644);
    LOOK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    LOOK(setuid(1000));
    show_ids();
    LOOK(setrlimit(RLIMIT_LOCKS, &(struct rlimit){7, RLIM_INFINITY}));
    show_ids();
    LOOK(setuid(1000));
    LOOK(setresuid(1000, 1000, 1000));
    LOOK(setuid(0));
    show_ids();
}

/* What follows a path in memory may not be there. */
static void edge_case(void)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *path = pages + 4096 - 5, longest[5000];
    struct stat st;

    make("edge", 0644);
    munmap(pages + 4096, 4096);
    memcpy(path, "edge", 5);
    LOOK(chown(path, 40, 41));
    show(path);
    memcpy(path, "edge?", 5);
    LOOK(chown(path, 1, 1));
    LOOK(syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0));
    LOOK(chown((const char *)8, 1, 1));
    LOOK(chown("", 1, 1));
    LOOK(chown("edge/", 1, 1));
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    LOOK(chown(longest, 1, 1));
    LOOK(syscall(SYS_newfstatat, AT_FDCWD, "edge", 8, 0));
}

static void flags_case(void)
{
    int fd;

    make("flags", 0644);
    if (symlink("flags", "flags.link") < 0)
        perror("symlink");
    fd = open("flags", O_PATH);
    LOOK(fchownat(AT_FDCWD, "flags", 1, 1, 0x4000000));
    LOOK(fchownat(fd, "", 3, 4, AT_EMPTY_PATH));
    LOOK(fchownat(fd, "", 9, 9, 0));
    LOOK(fchownat(AT_FDCWD, "flags.link", 5, 6, AT_SYMLINK_NOFOLLOW));
    show("flags");
    show("flags.link");
    LOOK(chown("flags.link", (uid_t)-1, 8));
    show("flags");
    LOOK(fchown(99, 1, 1));
    LOOK(chown("flags/x", 1, 1));
    LOOK(chown("/proc/self/cwd/flags", 11, 12));
    LOOK(chown("/dev/stdout", 0, 0));
    show("flags");
}

static void tick(int number)
{
    (void)number;
}

/* A signal does not make a call be done twice. */
static void signal_case(void)
{
    const struct itimerval often = {{0, 200}, {0, 200}};
    int failed = 0;

    mkdir("signal", 0755);
    if (chown("signal", 1000, 1000) < 0)
        perror("chown");
    become(1000);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = tick, .sa_flags = SA_RESTART}, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 2000; i++)
        failed += mkdir("signal/d", 0755) < 0 || rmdir("signal/d") < 0;
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    printf("%s: %d\n", current, failed);
}

static void execute(const char *path, bool at)
{
    char *const argv[] = {(char[]){"owners"}, (char[]){"ids"}, NULL};

    if (fork() == 0) {
        if (at)
            syscall(SYS_execveat, open(path, O_RDONLY), "", argv, NULL, AT_EMPTY_PATH);
        else
            execv(path, argv);
        printf("%s: %s\n", path, strerror(errno));
        _exit(1);
    }
    wait(NULL);
}

static void copy_self(const char *path)
{
    static char bytes[4 << 20];
    int from = open(self, O_RDONLY), to = open(path, O_WRONLY | O_CREAT, 0755);

    if (write(to, bytes, (size_t)read(from, bytes, sizeof(bytes))) < 0)
        perror("copy");
    close(from);
    close(to);
}

static void exec_case(void)
{
    int fd;

    copy_self("exec");
    fd = open("script", O_WRONLY | O_CREAT, 0755);
    dprintf(fd, "#!%s ids\n", self);
    close(fd);
    LOOK(chown("exec", 1001, 1002));
    LOOK(chown("script", 1001, 1002));
    LOOK(chmod("exec", 06755));
    LOOK(chmod("script", 06755));
    execute("exec", false);
    execute("exec", true);
    execute("script", false);
    become(1000);
    execute("exec", false);
    LOOK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    execute("exec", false);
}

static void root_case(void)
{
    mkdir("jail", 0755);
    make("jail/f", 0644);
    LOOK(chown("jail/f", 60, 61));
    LOOK(chroot("jail"));
    show("/f");
    show("jail/f");
    LOOK(chown("/f", 62, 63));
    LOOK(chdir("/"));
    show("../f");
    LOOK(symlink("/f", "/link"));
    LOOK(chown("/link", 64, 65));
    show("/f");
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"daemon", daemon_case},  {"peer", peer_case},         {"attributes", attributes_case},
    {"bits", bits_case},      {"nameless", nameless_case}, {"group", group_case},
    {"numbers", number_case}, {"ids", ids_case},           {"keep", keep_case},
    {"edge", edge_case},      {"flags", flags_case},       {"signal", signal_case},
    {"exec", exec_case},      {"root", root_case},
};

int main(int argc, char **argv)
{
    self = argv[0];
    current = "exec";
    if (argc > 1 && strcmp(argv[1], "ids") == 0) {
        show_ids();
        return 0;
    }
    umask(022);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
            current = cases[i].name;
            cases[i].run();
            exit(0);
        }
        waitpid(pid, &status, 0);
        if (status)
            printf("%s: status %d\n", cases[i].name, status);
        fflush(stdout);
    }
    return 0;
}
