/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/csv.h"
#include "base/scope.h"
#include "base/str.h"
#include "builder/cdi_registry.h"
#include "builder/graph.h"
#include "builder/mount.h"

void run_flags_release(struct run_flags *flags)
{
    for (size_t i = 0; i < flags->devices_count; i++)
        free(flags->devices[i].name);
    free(flags->devices);
    *flags = (struct run_flags){0};
}

static int take_security(const char *value, struct run_flags *flags, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    bool insecure = strcmp(value, "insecure") == 0;

    if (insecure || strcmp(value, "sandbox") == 0) {
        flags->insecure = insecure;
        return 0;
    }
    buf_add_escaped(&shown, str_slice(str_of(value), 0, 80));
    err_set(err, ERR_INPUT, 0, "unknown security mode \"%s\"", buf_cstr(&shown));
    if (str_distance(str_of(value), STR("insecure")) <= 2)
        return err_add(err, "; did you mean insecure?");
    return err_add(err, "; there are sandbox and insecure");
}

/* "vendor.com/class=name", "name=vendor.com/class,required". */
static int take_device(const char *value, struct run_flags *flags, struct err *err)
{
    SCOPED(strv_release) struct strv fields = {0};
    bool required = false;
    struct str name = {0}, kind, device;

    if (csv_fields(str_of(value), &fields, err) < 0) {
        err->kind = ERR_INPUT;
        return -1;
    }
    for (size_t i = 0; i < fields.count; i++) {
        struct str field = str_of(fields.ptr[i]), key, rest;
        bool pair = str_cut(field, '=', &key, &rest);

        if (str_is_nocase(key, "required")) {
            required = true;
            if (pair && csv_bool(rest.ptr, &required, err) < 0) {
                err->kind = ERR_INPUT;
                return err_wrap(err, "--device: required");
            }
        } else if (str_is_nocase(key, "name") && pair && !name.size)
            name = rest;
        else if (!name.size)
            name = field;
        else
            return err_set(err, ERR_INPUT, 0,
                           "unknown option \"%.80s\" of --device; there are name and required",
                           fields.ptr[i]);
    }
    if (!name.size)
        return err_set(err, ERR_INPUT, 0, "--device names no device");
    if (cdi_name_parse(name, &kind, &device, err) < 0)
        return err_wrap(err, "--device");
    VEC_GROW(flags->devices, flags->devices_count, flags->devices_capacity);
    flags->devices[flags->devices_count++] =
        (struct run_device){.name = xstrdup(name.ptr), .required = required};
    return 0;
}

static int take_mount(const char *value, struct err *err)
{
    SCOPED(mount_release) struct mount mount = {0};
    SCOPED(buf_release) struct buf shown = {0};

    if (mount_parse(str_of(value), NULL, NULL, &mount, err) == 0)
        return 0;
    buf_add_escaped(&shown, str_slice(str_of(value), 0, 120));
    return err_wrap(err, "RUN --mount=%s", buf_cstr(&shown));
}

static int take(const struct flag *flag, struct run_flags *flags, struct err *err)
{
    if (strcmp(flag->name, "mount") == 0)
        return take_mount(flag->value, err);
    if (strcmp(flag->name, "security") == 0)
        return take_security(flag->value, flags, err);
    if (strcmp(flag->name, "device") == 0)
        return take_device(flag->value, flags, err);
    if (strcmp(flag->name, "network") != 0)
        return 0;
    flags->has_network = true;
    if (run_network_parse(flag->value, &flags->network, err) < 0) {
        err->kind = ERR_INPUT;
        return -1;
    }
    if (flags->network == RUN_NETWORK_PRIVATE)
        return err_set(err, ERR_INPUT, 0,
                       "--network=private is for the command line: build --network private");
    return 0;
}

int run_flags_parse(const struct instruction *in, struct run_flags *flags, unsigned *line,
                    struct err *err)
{
    *flags = (struct run_flags){0};
    for (size_t i = 0; i < in->flags_count; i++) {
        if (take(&in->flags[i], flags, err) == 0)
            continue;
        run_flags_release(flags);
        if (line)
            *line = in->flags[i].line;
        return -1;
    }
    return 0;
}

int run_flags_check_allowed(const struct run_flags *flags, unsigned allowed, struct err *err)
{
    if (flags->network == RUN_NETWORK_HOST && !(allowed & RUN_ALLOW_NETWORK_HOST))
        return err_set(err, ERR_INPUT, 0,
                       "RUN --network=host is not allowed without --allow network.host");
    if (flags->insecure && !(allowed & RUN_ALLOW_INSECURE))
        return err_set(err, ERR_INPUT, 0,
                       "RUN --security=insecure is not allowed without --allow security.insecure");
    return 0;
}

int run_flags_find_devices(const struct run_flags *flags, const struct run_options *options,
                           struct cdi_edits *edits, struct strv *absent, struct err *err)
{
    for (size_t i = 0; i < flags->devices_count; i++) {
        const struct run_device *d = &flags->devices[i];
        SCOPED(cdi_found_release) struct cdi_found found = {0};

        if (cdi_find(options->cdi, d->name, &options->cdi_allowed, &found, err) < 0)
            return err_wrap(err, "RUN --device");
        if (!found.names.count && d->required)
            return err_set(
                err, ERR_INPUT, 0,
                "RUN --device: %s is required, and no specification in %s tells of it", d->name,
                options->cdi->dirs.count ? "the directories of --cdi-spec-dir" : CDI_DIRS_WORDS);
        if (!found.names.count && absent)
            strv_add(absent, d->name);
        if (found.names.count)
            cdi_edits_add(edits, &found.edits);
    }
    return 0;
}

static int check_run(const struct instruction *in, const struct run_options *options,
                     struct err *err)
{
    SCOPED(run_flags_release) struct run_flags flags = {0};
    SCOPED(cdi_edits_release) struct cdi_edits edits = {0};

    if (run_flags_parse(in, &flags, NULL, err) < 0 ||
        run_flags_check_allowed(&flags, options->allowed, err) < 0)
        return -1;
    return run_flags_find_devices(&flags, options, &edits, NULL, err);
}

int run_flags_check_stage(const struct stage *stage, const struct run_options *options,
                          const struct instruction **at, struct err *err)
{
    for (size_t i = 0; i < stage->count; i++) {
        if (stage->body[i]->kind != INSTR_RUN)
            continue;
        *at = stage->body[i];
        if (check_run(*at, options, err) < 0)
            return -1;
    }
    return 0;
}
