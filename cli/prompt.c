/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>

#include "base/fs.h"
#include "base/progress.h"
#include "base/scope.h"

#define LINE_MAX_BYTES 4096

enum key { KEY_INTERRUPT = 3, KEY_END = 4, KEY_BACK = 8, KEY_KILL = 21, KEY_DELETE = 127 };

static void drop_last(struct buf *out)
{
    if (out->size > 0)
        out->ptr[--out->size] = 0;
}

/* Byte by byte, since the terminal's own line keys are off: an interrupt must not leave it mute. */
static int read_secret(int tty, struct buf *out, struct err *err)
{
    for (;;) {
        unsigned char c;
        ssize_t n = read(tty, &c, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read from the terminal");
        if (n == 0 || c == '\n' || c == '\r' || c == KEY_END)
            return 0;
        if (c == KEY_INTERRUPT)
            return err_set(err, ERR_COMMAND, 130, "interrupted");
        if (c == KEY_BACK || c == KEY_DELETE)
            drop_last(out);
        else if (c == KEY_KILL)
            buf_clear(out);
        else if (out->size < LINE_MAX_BYTES)
            buf_addc(out, (char)c);
    }
}

static int read_line(int tty, struct buf *out, struct err *err)
{
    char c = 0;

    while (c != '\n' && out->size < LINE_MAX_BYTES) {
        ssize_t n = read(tty, &c, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read from the terminal");
        if (n == 0)
            break;
        if (c != '\n')
            buf_addc(out, c);
    }
    return 0;
}

int prompt_line(const char *question, bool secret, struct buf *out, struct err *err)
{
    AUTO_FD int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, mute;
    int result;

    if (tty < 0 || tcgetattr(tty, &before) < 0)
        return err_set(err, ERR_USAGE, 0, "there is no terminal to ask on");
    progress_clear();
    if (fs_write(tty, question, strlen(question), err) < 0)
        return -1;
    if (!secret)
        return read_line(tty, out, err);
    mute = before;
    mute.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
    mute.c_cc[VMIN] = 1;
    mute.c_cc[VTIME] = 0;
    if (tcsetattr(tty, TCSAFLUSH, &mute) < 0)
        return err_errno(err, "silence the terminal");
    result = read_secret(tty, out, err);
    tcsetattr(tty, TCSAFLUSH, &before);
    if (fs_write(tty, "\n", 1, err) < 0)
        return -1;
    return result;
}
