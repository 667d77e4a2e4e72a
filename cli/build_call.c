/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/build.h"
#include "cli/commands.h"
#include "registry/layout.h"
#include "registry/remote.h"

static int set_method(const char *name, struct build_call *call, struct err *err)
{
    static const struct {
        const char *name;
        bool wanted;
        enum call call;
    } methods[] = {{"build", false, CALL_CHECK},
                   {"check", true, CALL_CHECK},
                   {"lint", true, CALL_CHECK},
                   {"outline", true, CALL_OUTLINE},
                   {"targets", true, CALL_TARGETS}};

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(methods[i].name, name) == 0) {
            call->wanted = methods[i].wanted;
            call->call = methods[i].call;
            return 0;
        }
    return err_set(err, ERR_USAGE, 0,
                   "--call: method \"%.100s\" is none of build, check, outline, targets", name);
}

/* METHOD[,format=json|text][,ignorestatus=BOOL] */
static int parse_call(const char *text, struct build_call *call, struct err *err)
{
    SCOPED(strv_release) struct strv fields = {0};
    bool has_method = false;

    if (csv_fields(str_of(text), &fields, err) < 0)
        return err_wrap(err, "--call");
    for (size_t i = 0; i < fields.count; i++) {
        const char *field = fields.ptr[i];

        if (!strchr(field, '=') && !has_method) {
            if (set_method(field, call, err) < 0)
                return -1;
            has_method = true;
        } else if (strcmp(field, "format=json") == 0 || strcmp(field, "format=text") == 0) {
            call->json = strcmp(field, "format=json") == 0;
        } else if (strcmp(field, "ignorestatus=true") == 0 ||
                   strcmp(field, "ignorestatus=false") == 0) {
            call->ignore_status = strcmp(field, "ignorestatus=true") == 0;
        } else {
            return err_set(err, ERR_USAGE, 0,
                           "--call: \"%.100s\" is none of format=text|json, "
                           "ignorestatus=true|false",
                           field);
        }
    }
    return has_method ? 0 : set_method("", call, err);
}

int build_call_parse(const struct build_opts *o, struct build_call *call, struct err *err)
{
    *call = (struct build_call){0};
    if (o->call && *o->call && parse_call(o->call, call, err) < 0)
        return -1;
    if (o->check && o->call && *o->call && !(call->wanted && call->call == CALL_CHECK))
        return err_set(err, ERR_USAGE, 0, "--check and --call=%.100s exclude each other", o->call);
    if (o->print_ast && (o->check || o->call))
        return err_set(err, ERR_USAGE, 0, "--print-ast and %s exclude each other",
                       o->check ? "--check" : "--call");
    if (o->check)
        call->wanted = true;
    if (o->print_ast)
        *call = (struct build_call){.wanted = true, .call = CALL_AST, .json = true};
    return 0;
}

struct opened {
    struct layout layout;
    struct ca_trust trust;
    struct build_tools tools;
};

static void opened_release(struct opened *o)
{
    pool_close(o->tools.pool);
    remote_free(o->tools.remote);
    ca_trust_close(&o->trust);
    layout_close(&o->layout);
}

/* Base images are looked up in the store, and what is fetched or unpacked lives there; a file of
 * this host needs none. */
static bool needs_store(const struct build_options *options, enum call call)
{
    struct stat st;

    return call == CALL_CHECK || call == CALL_OUTLINE || stat(options->context, &st) < 0 ||
           !S_ISDIR(st.st_mode) || (options->dockerfile && strstr(options->dockerfile, "://"));
}

/* What base images are looked up with. */
static int open_tools(const struct cmd_context *context, const struct build_opts *o,
                      const struct build_request *r, struct opened *out, struct err *err)
{
    struct registry_opts registry = o->registry; /* lists borrowed */
    AUTO_FREE char *root = context->root ? xstrdup(context->root) : layout_default_root(err);

    if (!root || layout_open(&out->layout, root, err) < 0 ||
        ca_trust_open(&r->run.ca, &out->layout, &registry, &out->trust, err) < 0)
        return -1;
    out->tools.remote = registry_opts_open(&registry, err);
    if (!out->tools.remote)
        return -1;
    out->tools.pool = pool_open(0);
    out->tools.layout = &out->layout;
    return 0;
}

int build_call_run(const struct cmd_context *context, const struct build_opts *o,
                   const struct build_request *request, const struct build_call *call,
                   struct err *err)
{
    SCOPED(opened_release)
    struct opened opened = {.layout = LAYOUT_CLOSED, .trust = CA_TRUST_CLOSED};
    SCOPED(call_result_release) struct call_result result = {0};

    if (needs_store(&request->options, call->call) &&
        open_tools(context, o, request, &opened, err) < 0)
        return -1;
    int answered = call_run(&request->options, &opened.tools, call->call, call->json, &result, err);
    fwrite(buf_cstr(&result.out), 1, result.out.size, stdout);
    fflush(stdout);
    for (size_t i = 0; i < result.notes.count; i++)
        log_warn("%s", result.notes.ptr[i]);
    if (answered < 0) {
        fputs(buf_cstr(&result.excerpt), stderr);
        return -1;
    }
    return result.warnings && !call->ignore_status ? EXIT_FAILURE : EXIT_SUCCESS;
}
