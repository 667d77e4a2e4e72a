/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/in_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#define MOUNTINFO_MAX (16 << 20)

static bool is_marked(void)
{
    static const char *const marks[] = {"/.dockerenv", "/run/.containerenv",
                                        "/var/run/secrets/kubernetes.io"};

    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        if (access(marks[i], F_OK) == 0)
            return true;
    return getenv("KUBERNETES_SERVICE_HOST") != NULL;
}

static bool is_machine(void)
{
    SCOPED(buf_release) struct buf name = {0};
    struct err ignored = {0};

    return fs_read_file(AT_FDCWD, "/proc/1/comm", &name, 64, &ignored) == 0 &&
           (str_is(str_trim(buf_str(&name)), "systemd") ||
            str_is(str_trim(buf_str(&name)), "init"));
}

int in_place_check(struct err *err)
{
    if (geteuid() != 0)
        return err_set(err, ERR_SYSTEM, EPERM, "isolation in-place needs to be started by root");
    if (!is_marked())
        return err_set(err, ERR_SYSTEM, EPERM,
                       "isolation in-place unpacks images over the root file system, and this does "
                       "not look like a container to be thrown away: there is no /.dockerenv and "
                       "no /run/.containerenv, and KUBERNETES_SERVICE_HOST is not set");
    if (is_machine())
        return err_set(err, ERR_SYSTEM, EPERM,
                       "isolation in-place unpacks images over the root file system, and this is a "
                       "machine: its first process is systemd or init");
    return 0;
}

/* "a\040b" is "a b". */
static bool unescape(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.size; i++) {
        uint32_t byte;

        if (text.ptr[i] != '\\') {
            buf_addc(out, text.ptr[i]);
            continue;
        }
        if (text.size - i < 4 || !str_octal(str_slice(text, i + 1, i + 4), &byte) || byte > 255 ||
            byte == 0)
            return false;
        buf_addc(out, (char)byte);
        i += 3;
    }
    return true;
}

int in_place_parse_mounts(struct str text, struct strv *paths, struct err *err)
{
    struct str line, word;

    while (text.size) {
        SCOPED(buf_release) struct buf path = {0};

        str_cut(text, '\n', &line, &text);
        for (int field = 1; field <= 5; field++)
            str_cut(line, ' ', &word, &line);
        if (!str_starts(word, "/") || !unescape(word, &path))
            return err_set(err, ERR_INPUT, EINVAL, "a list of mounts has the path \"" STR_FMT "\"",
                           STR_ARG(str_slice(word, 0, 80)));
        AUTO_FREE char *below = path_beneath(buf_str(&path));
        if (strcmp(below, ".") != 0)
            strv_add(paths, below);
    }
    return 0;
}

int in_place_mounts(struct strv *paths, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};

    if (fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, MOUNTINFO_MAX, err) < 0)
        return err_wrap(err, "isolation in-place has to know what is mounted");
    return in_place_parse_mounts(buf_str(&text), paths, err);
}
