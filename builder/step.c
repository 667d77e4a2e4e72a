/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/state_words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/text.h"
#include "builder/words.h"

/*
 * Heredocs of RUN. A text that is nothing but one heredoc is a script: for SHELL, or, when it
 * begins with "#!", a file of its own. Any other text goes to the shell together with the bodies,
 * and the shell makes of it what it will.
 */
static void heredoc_command(const struct instruction *in, struct buf *command, struct run_spec *out)
{
    if (words_is_heredoc(str_of(in->text))) {
        heredoc_text(&in->heredocs[0], command);
        if (str_starts(buf_str(command), "#!")) {
            out->script_name = xstrdup(in->heredocs[0].name);
            out->script = buf_steal(command);
        }
        return;
    }
    buf_adds(command, in->text);
    for (size_t i = 0; i < in->heredocs_count; i++) {
        buf_addc(command, '\n');
        buf_add_str(command, in->heredocs[i].body);
        buf_adds(command, in->heredocs[i].name);
    }
}

static int set_argv(const struct state *s, const struct instruction *in, struct run_spec *out,
                    struct err *err)
{
    SCOPED(buf_release) struct buf command = {0};

    if (in->json) {
        strv_copy(&out->argv, &in->args);
        return 0;
    }
    heredoc_command(in, &command, out);
    if (out->script) {
        strv_addf(&out->argv, "/dev/pipes/%s", out->script_name);
        return heredoc_check_name(out->script_name, err);
    }
    state_shell(s, &out->argv);
    strv_add(&out->argv, buf_cstr(&command));
    return 0;
}

/* Undeclared proxy variables, under both spellings, unless the environment has them. */
static void set_proxy(const struct state *s, struct run_spec *out)
{
    const struct strv *given = &s->graph->build_args;

    for (size_t i = 0; i < given->count; i++) {
        struct str name, value;

        str_cut(str_of(given->ptr[i]), '=', &name, &value);
        if (!graph_is_proxy(name))
            continue;
        AUTO_FREE char *lower = str_dup(name), *upper = str_dup(name);
        for (size_t k = 0; k < name.size; k++) {
            lower[k] = (char)tolower((unsigned char)lower[k]);
            upper[k] = (char)toupper((unsigned char)upper[k]);
        }
        if (!env_get(&s->env, lower))
            env_set(&out->proxy, lower, value.ptr);
        if (!env_get(&s->env, upper))
            env_set(&out->proxy, upper, value.ptr);
    }
}

int state_run(const struct state *s, const struct instruction *in, struct run_spec *out,
              struct err *err)
{
    SCOPED(buf_release) struct buf said = {0};

    *out = (struct run_spec){0};
    if (set_argv(s, in, out, err) < 0) {
        run_spec_release(out);
        return dockerfile_wrap(in->doc, in->first_line, err);
    }
    strv_copy(&out->env, &s->env);
    set_proxy(s, out);
    buf_adds(&said, "RUN");
    if (s->args.count > 0)
        buf_addf(&said, " |%zu", s->args.count);
    for (size_t i = 0; i < s->args.count; i++) {
        const char *value = env_get(&s->env, s->args.ptr[i]);

        strv_addf(&out->args, "%s=%s", s->args.ptr[i], value ? value : "");
        buf_addf(&said, " %s", out->args.ptr[i]);
    }
    for (size_t i = 0; i < out->argv.count; i++)
        buf_addf(&said, " %s", out->argv.ptr[i]);
    buf_adds(&said, " # buildkit");
    out->created_by = buf_steal(&said);
    return 0;
}

void run_spec_release(struct run_spec *run)
{
    strv_release(&run->argv);
    strv_release(&run->env);
    strv_release(&run->proxy);
    strv_release(&run->args);
    free(run->script_name);
    free(run->script);
    free(run->created_by);
    *run = (struct run_spec){0};
}
