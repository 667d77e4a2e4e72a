/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"

/* The child tells by a message as large as a struct err. */
int attempt_in_child(int (*run)(void *arg, struct err *err), void *arg, struct err *err)
{
    struct err told = {0};
    int ends[2];
    pid_t pid;
    ssize_t n;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    AUTO_FD int read_fd = ends[0], write_fd = ends[1];
    pid = fork();
    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0) {
        run(arg, &told);
        _exit(write(write_fd, &told, sizeof(told)) != sizeof(told));
    }
    scope_close(&write_fd);
    n = read(read_fd, &told, sizeof(told));
    waitpid(pid, NULL, 0);
    if (n != sizeof(told))
        return err_set(err, ERR_SYSTEM, EPIPE, "the attempt ended without a word");
    if (told.kind == ERR_NONE)
        return 0;
    *err = told;
    return -1;
}
