/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "runtime/doctor.h"

struct doctor_opts {
    bool json;
};

static const struct opt doctor_opts[] = {
    {.type = OPT_FLAG,
     .name = "json",
     .help = "print a JSON object",
     .offset = offsetof(struct doctor_opts, json)},
    {.type = OPT_END},
};

struct finding {
    const struct doctor_probe *probe;
    bool held;
    struct err why;
};

#define FINDINGS_MAX 32

/* Probes make directories in the store: it is made if need be, but not opened, for its locks are no
 * matter of theirs. */
static int open_store(const char *root, struct err *err)
{
    if (!root)
        return err_set(err, ERR_USAGE, 0,
                       "there is no place for the store: give --root or set HOME");
    if (fs_mkdirs(AT_FDCWD, root, 0755, err) < 0)
        return -1;
    return fs_open_dir(AT_FDCWD, root, err);
}

static bool held(const struct finding *findings, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(findings[i].probe->name, name) == 0)
            return findings[i].held;
    return false;
}

static const char *rung(const struct finding *f, size_t count)
{
    return geteuid() == 0 && held(f, count, "root") ? "root"
           : held(f, count, "userns")               ? "userns"
           : held(f, count, "single")               ? "single"
                                                    : "none";
}

static void print_json(const struct finding *f, size_t count)
{
    json_auto_t *doc = json_pack("{s:s, s:b, s:[]}", "isolation", rung(f, count), "run",
                                 held(f, count, "sandbox"), "probes");
    SCOPED(buf_release) struct buf text = {0};

    for (size_t i = 0; i < count; i++) {
        json_t *one = json_pack("{s:s, s:s, s:b}", "name", f[i].probe->name, "what",
                                f[i].probe->what, "ok", f[i].held);

        if (!f[i].held) {
            json_object_set_new(one, "why", json_string(f[i].why.text));
            json_object_set_new(one, "errno",
                                json_integer(f[i].why.kind == ERR_SYSTEM ? f[i].why.code : 0));
        }
        json_array_append_new(json_object_get(doc, "probes"), one);
    }
    json_print(doc, &text);
    printf("%s\n", buf_cstr(&text));
}

static void print_plain(const struct finding *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%-4s %-9s %s\n", f[i].held ? "yes" : "no", f[i].probe->name, f[i].probe->what);
        if (!f[i].held)
            printf("%15s%s\n", "", f[i].why.text);
    }
    if (held(f, count, "sandbox"))
        printf("RUN and slipway run are carried out with isolation %s\n", rung(f, count));
    else
        printf("RUN and slipway run are not possible here; every other instruction is\n");
}

static int doctor_run(struct cmd_context *context, const void *values, int count, char **args,
                      struct err *err)
{
    const struct doctor_opts *opts = values;
    struct finding findings[FINDINGS_MAX] = {0};
    AUTO_FD int store_fd = open_store(context->root, err);

    (void)count;
    (void)args;
    if (store_fd < 0)
        return -1;
    BUG_ON(doctor_probes_count > FINDINGS_MAX);
    for (size_t i = 0; i < doctor_probes_count; i++) {
        findings[i].probe = &doctor_probes[i];
        findings[i].held = doctor_try(&doctor_probes[i], store_fd, &findings[i].why) == 0;
    }
    if (opts->json)
        print_json(findings, doctor_probes_count);
    else
        print_plain(findings, doctor_probes_count);
    return held(findings, doctor_probes_count, "sandbox") ? 0 : 1;
}

const struct cmd cmd_doctor = {.name = "doctor",
                               .args = "",
                               .summary =
                                   "say what this host allows, and what it takes to allow more",
                               .opts = doctor_opts,
                               .opts_size = sizeof(struct doctor_opts),
                               .min_args = 0,
                               .max_args = 0,
                               .run = doctor_run};
