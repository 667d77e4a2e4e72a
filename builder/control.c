/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/control.h"

#include <string.h>

#include "base/buf.h"
#include "base/scope.h"

static bool is_on(const char *value)
{
    return strcmp(value, "1") == 0 || str_is_nocase(str_of(value), "true");
}

static bool is_off(const char *value)
{
    return !*value || strcmp(value, "0") == 0 || str_is_nocase(str_of(value), "false");
}

static int read_epoch(const char *value, struct control *out, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    uint64_t seconds;

    if (!*value)
        return 0;
    if (!str_u64(str_of(value), &seconds) || seconds > INT64_MAX) {
        buf_add_escaped(&shown, str_slice(str_of(value), 0, 100));
        return err_set(err, ERR_USAGE, 0,
                       "SOURCE_DATE_EPOCH: \"%s\" is not a number of seconds; a time taken from "
                       "the context or a stage is not carried out",
                       buf_cstr(&shown));
    }
    out->has_epoch = true;
    out->epoch = (int64_t)seconds;
    return 0;
}

/* A host name as the kernel and DNS take it. */
static int read_hostname(const char *value, struct control *out, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    size_t size = strlen(value);

    if (size == 0)
        return 0;
    if (size < 64 && strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789.-_") == size) {
        out->hostname = value;
        return 0;
    }
    buf_add_escaped(&shown, str_slice(str_of(value), 0, 100));
    return err_set(err, ERR_USAGE, 0, "BUILDKIT_SANDBOX_HOSTNAME: \"%s\" is no host name",
                   buf_cstr(&shown));
}

int control_read(const struct strv *build_args, struct control *out, struct err *err)
{
    static const char *const no_meaning[] = {"BUILDKIT_SYNTAX", "BUILDKIT_BUILD_NAME",
                                             "BUILDKIT_DOCKERFILE_CHECK"};

    *out = (struct control){0};
    for (size_t i = 0; build_args && i < build_args->count; i++) {
        SCOPED(buf_release) struct buf shown = {0};
        struct str name, rest;
        const char *value;
        bool known = false;

        str_cut(str_of(build_args->ptr[i]), '=', &name, &rest);
        value = rest.ptr ? rest.ptr : "";
        if (str_is(name, "SOURCE_DATE_EPOCH") && read_epoch(value, out, err) < 0)
            return -1;
        if (!str_starts(name, "BUILDKIT_") || str_starts(name, "BUILDKIT_SBOM_SCAN_"))
            continue;
        for (size_t k = 0; k < ARRAY_SIZE(no_meaning); k++)
            known = known || str_is(name, no_meaning[k]);
        if (str_is(name, "BUILDKIT_MULTI_PLATFORM"))
            out->multi_platform = is_on(value);
        else if (str_is(name, "BUILDKIT_CONTEXT_KEEP_GIT_DIR"))
            out->keep_git_dir = is_on(value);
        else if (str_is(name, "BUILDKIT_CACHE_MOUNT_NS"))
            out->cache_space = *value ? value : NULL;
        else if (str_is(name, "BUILDKIT_INLINE_CACHE"))
            out->inline_cache = is_on(value);
        else if (str_is(name, "BUILDKIT_SANDBOX_HOSTNAME")) {
            if (read_hostname(value, out, err) < 0)
                return -1;
        } else if (!known && !is_off(value)) {
            buf_add_escaped(&shown, str_slice(name, 0, 100));
            return err_set(err, ERR_USAGE, 0, "build argument %s is not carried out",
                           buf_cstr(&shown));
        }
    }
    return 0;
}
