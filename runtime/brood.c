/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/brood.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#define PID_MAX (1 << 22)      /* PID_MAX_LIMIT, include/linux/threads.h */
#define CHILDREN_MAX (8 << 20) /* bytes of a list of pids */
#define DEPTH_MAX 64           /* deeper ones come to us when those above have gone */

int brood_adopt(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static bool is_spared(pid_t pid, const pid_t *spared, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (spared[i] == pid)
            return true;
    return false;
}

/* All below pid, too: what is killed together has less time to fork. -1: the kernel has no list. */
static int kill_below(pid_t pid, const pid_t *spared, size_t count, int depth)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};
    char path[64];
    struct str rest, word;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (fs_read_file(AT_FDCWD, path, &text, CHILDREN_MAX, &ignored) < 0)
        return -1;
    rest = str_trim(buf_str(&text));
    while (rest.size) {
        uint64_t child;

        str_cut(rest, ' ', &word, &rest);
        if (!str_u64(word, &child) || is_spared((pid_t)child, spared, count))
            continue;
        kill((pid_t)child, SIGSTOP);
        if (depth < DEPTH_MAX)
            kill_below((pid_t)child, spared, count, depth + 1);
        kill((pid_t)child, SIGKILL);
    }
    return 0;
}

/* Whose child a pid is can be asked of the kernel without reading anything. */
static void kill_by_trial(const pid_t *spared, size_t count)
{
    for (pid_t pid = 2; pid < PID_MAX; pid++) {
        siginfo_t info = {0};

        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            !is_spared(pid, spared, count))
            kill(pid, SIGKILL);
    }
}

void brood_kill_strays(const pid_t *spared, size_t count)
{
    if (kill_below(getpid(), spared, count, 0) < 0)
        kill_by_trial(spared, count);
}

void brood_kill(void)
{
    for (;;) {
        siginfo_t info = {0};

        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
            return;
        brood_kill_strays(NULL, 0);
        clock_sleep_ms(1);
    }
}

int brood_reap(pid_t of)
{
    int status, ended = -1;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == of)
            ended = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return ended;
}
