/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"

/* Appends component c to out, which begins at a root or is relative; keeps `up` leading "..". */
static void add_component(struct buf *out, struct str c, bool rooted, size_t *floor)
{
    if (c.size == 0 || str_is(c, "."))
        return;
    if (str_is(c, "..")) {
        if (out->size > *floor) {
            ptrdiff_t at = str_rfind(buf_str(out), '/');

            out->size = at < 0 || (size_t)at < *floor ? *floor : (size_t)at;
            if (rooted && out->size == 0)
                out->size = 1;
            out->ptr[out->size] = 0;
            return;
        }
        if (rooted)
            return;
        if (out->size)
            buf_addc(out, '/');
        buf_adds(out, "..");
        *floor = out->size;
        return;
    }
    if (out->size && out->ptr[out->size - 1] != '/')
        buf_addc(out, '/');
    buf_add_str(out, c);
}

char *path_clean(struct str path)
{
    struct buf out = {0};
    bool rooted = path.size && path.ptr[0] == '/';
    size_t floor = rooted ? 1 : 0;
    struct str rest = path, c;

    buf_adds(&out, rooted ? "/" : "");
    while (rest.size) {
        str_cut(rest, '/', &c, &rest);
        add_component(&out, c, rooted, &floor);
    }
    if (out.size == 0)
        buf_addc(&out, '.');
    return buf_steal(&out);
}

char *path_join(const char *a, const char *b)
{
    AUTO_FREE char *joined = b[0] == '/' ? xstrdup(b) : xasprintf("%s/%s", a, b);

    return path_clean(str_of(joined));
}

static struct str without_slashes(struct str path)
{
    while (path.size > 1 && path.ptr[path.size - 1] == '/')
        path.size--;
    return path;
}

struct str path_base(struct str path)
{
    struct str dir, base;

    path = without_slashes(path);
    if (path.size <= 1)
        return path;
    return str_cut_last(path, '/', &dir, &base) ? base : path;
}

struct str path_dir(struct str path)
{
    struct str dir, base;

    path = without_slashes(path);
    if (!str_cut_last(path, '/', &dir, &base))
        return STR(".");
    return dir.size ? without_slashes(dir) : STR("/");
}

char *path_beneath(struct str path)
{
    AUTO_FREE char *rooted = xasprintf("/" STR_FMT, STR_ARG(path));
    char *clean = path_clean(str_of(rooted));

    if (clean[1] == 0)
        clean[0] = '.';
    else
        memmove(clean, clean + 1, strlen(clean));
    return clean;
}

bool path_is_under(struct str path, struct str dir)
{
    if (str_is(dir, "/") || str_is(dir, "."))
        return true;
    return path.size >= dir.size && memcmp(path.ptr, dir.ptr, dir.size) == 0 &&
           (path.size == dir.size || path.ptr[dir.size] == '/');
}
