/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
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

/* Nobody wonders why an ordinary user is not root. */
static bool is_refusal(const struct doctor_report *r, size_t i)
{
    return !r->findings[i].held && (geteuid() == 0 || !r->findings[i].for_root);
}

static void add_failure(json_t *one, const struct doctor_finding *f)
{
    const char *name = f->why.kind == ERR_SYSTEM ? strerrorname_np(f->why.code) : NULL;

    json_object_set_new(one, "why", json_string(f->why.text));
    json_object_set_new(one, "errno", json_integer(f->why.kind == ERR_SYSTEM ? f->why.code : 0));
    json_object_set_new(one, "error", name && f->why.code ? json_string(name) : json_null());
    json_object_set_new(one, "remedy", f->remedy[0] ? json_string(f->remedy) : json_null());
}

static void print_json(const struct doctor_report *r)
{
    json_auto_t *doc = json_pack("{s:s, s:b, s:I, s:[]}", "isolation", session_rung_name(r->rung),
                                 "run", r->run, "took_us", (json_int_t)r->took_us, "probes");
    SCOPED(buf_release) struct buf text = {0};

    for (size_t i = 0; i < r->count; i++) {
        const struct doctor_finding *f = &r->findings[i];
        json_t *one = json_pack("{s:s, s:s, s:b}", "name", f->name, "what", f->what, "ok", f->held);

        if (!f->held)
            add_failure(one, f);
        else if (f->why.text[0])
            json_object_set_new(one, "how", json_string(f->why.text));
        json_array_append_new(json_object_get(doc, "probes"), one);
    }
    json_print(doc, &text);
    printf("%s\n", buf_cstr(&text));
}

static void print_plain(const struct doctor_report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct doctor_finding *f = &r->findings[i];

        printf("%-4s %-10s %s\n", f->held ? "yes" : "no", f->name, f->what);
        if (f->why.text[0])
            printf("%16s%s\n", "", f->why.text);
        if (!f->held && f->remedy[0])
            printf("%16s%s\n", "", f->remedy);
    }
    for (size_t i = 0; i < r->rungs; i++)
        if (is_refusal(r, i))
            printf("isolation %s is not used: %s\n", r->findings[i].name, r->findings[i].why.text);
    if (r->run)
        printf("RUN and slipway run are carried out with isolation %s\n",
               session_rung_name(r->rung));
    else
        printf("RUN and slipway run are not possible here; every other instruction is\n");
}

static int doctor_run(struct cmd_context *context, const void *values, int count, char **args,
                      struct err *err)
{
    const struct doctor_opts *opts = values;
    AUTO_FREE struct doctor_report *report = xcalloc(1, sizeof(*report));
    AUTO_FD int store_fd = open_store(context->root, err);

    (void)count;
    (void)args;
    if (store_fd < 0 || doctor_examine(store_fd, report, err) < 0)
        return -1;
    if (opts->json)
        print_json(report);
    else
        print_plain(report);
    return report->run ? 0 : 1;
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
