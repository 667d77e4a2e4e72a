/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/duration.h"
#include "builder/ports.h"
#include "builder/state_words.h"
#include "builder/stopsignal.h"
#include "builder/text.h"
#include "registry/config.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HISTORY_COMMENT "buildkit.dockerfile.v0" /* scanners know our history's form by it */

/* "NAME=value" entries of the config go over into the environment. */
static void adopt_env(struct state *s)
{
    SCOPED(strv_release) struct strv list = {0};

    config_get_list(s->config, "Env", &list);
    for (size_t i = 0; i < list.count; i++) {
        struct str name, value;

        str_cut(str_of(list.ptr[i]), '=', &name, &value);
        AUTO_FREE char *key = str_dup(name), *copy = str_dup(value);
        env_set(&s->env, key, copy);
    }
}

static void set_config_env(struct state *s, const char *name, const char *value)
{
    SCOPED(strv_release) struct strv list = {0};

    config_get_list(s->config, "Env", &list);
    env_set(&list, name, value);
    config_set_list(s->config, "Env", &list);
    env_set(&s->env, name, value);
}

static void adopt_config(struct state *s)
{
    const char *workdir = config_get(s->config, "WorkingDir"),
               *user = config_get(s->config, "User");

    s->workdir = path_join("/", workdir ? workdir : "");
    s->user = xstrdup(user ? user : "");
    adopt_env(s);
    if (!env_get(&s->env, "PATH") && strcmp(s->stage->platform.os, "windows") != 0)
        set_config_env(s, "PATH", PATH_DEFAULT);
}

void state_begin(struct state *s, const struct graph *graph, const struct stage *stage,
                 const json_t *base_config)
{
    /* How the base was made is not how this image is. */
    static const char *const past[] = {"created", "container", "container_config",
                                       "docker_version"};

    *s = (struct state){.graph = graph, .stage = stage};
    if (!base_config) {
        s->config = config_new(&stage->platform);
        config_set(s->config, "WorkingDir", "/");
        adopt_config(s);
        return;
    }
    s->config = json_deep_copy(base_config);
    for (size_t i = 0; i < ARRAY_SIZE(past); i++)
        json_object_del(s->config, past[i]);
    config_set_list(s->config, "OnBuild", NULL);
    adopt_config(s);
}

void state_inherit(struct state *s, const struct graph *graph, const struct stage *stage,
                   const struct state *base)
{
    *s = (struct state){.graph = graph, .stage = stage};
    s->config = json_deep_copy(base->config);
    config_set_list(s->config, "OnBuild", NULL);
    strv_copy(&s->env, &base->env);
    strv_copy(&s->args, &base->args);
    adopt_config(s);
}

void state_release(struct state *s)
{
    json_decref(s->config);
    strv_release(&s->env);
    strv_release(&s->args);
    for (size_t i = 0; i < s->unset_count; i++) {
        free(s->unset[i].name);
        free(s->unset[i].near);
    }
    free(s->unset);
    free(s->workdir);
    free(s->user);
    *s = (struct state){0};
}

static void add_history(struct state *s, const char *created, const char *text)
{
    config_add_history(s->config, created, text, HISTORY_COMMENT, true);
}

void state_commit(struct state *s, const char *created_by, const char *diff_id, const char *created)
{
    if (diff_id)
        config_add_layer(s->config, diff_id);
    config_add_history(s->config, created, created_by, HISTORY_COMMENT, !diff_id);
}

bool state_needs_directory(const struct state *s, const struct instruction *in)
{
    return in->kind == INSTR_WORKDIR && strcmp(s->workdir, "/") != 0;
}

char *state_workdir_text(const struct state *s)
{
    return xasprintf("WORKDIR %s", s->workdir);
}

void state_shell(const struct state *s, struct strv *argv)
{
    bool windows = strcmp(s->stage->platform.os, "windows") == 0;

    config_get_list(s->config, "Shell", argv);
    if (argv->count > 0)
        return;
    strv_add(argv, windows ? "cmd" : "/bin/sh");
    strv_add(argv, windows ? "/S" : "-c");
    if (windows)
        strv_add(argv, "/C");
}

/* ENV and LABEL: every word sees the environment from before the instruction. */
static int apply_pairs(struct state *s, const struct instruction *in, struct buf *said,
                       struct err *err)
{
    SCOPED(strv_release) struct strv expanded = {0};

    for (size_t i = 0; i < in->pairs_count; i++) {
        SCOPED(buf_release) struct buf name = {0}, value = {0};

        if (state_expand(s, in, in->pairs[i].name, &name, err) < 0 ||
            state_expand(s, in, in->pairs[i].value, &value, err) < 0)
            return -1;
        if (name.size == 0)
            return err_set(err, ERR_INPUT, 0, "%s: a name comes to nothing", in->keyword);
        if (in->kind == INSTR_ENV && strchr(name.ptr, '='))
            return err_set(err, ERR_INPUT, 0, "ENV: a name may not hold a \"=\"");
        strv_add(&expanded, buf_cstr(&name));
        strv_add(&expanded, buf_cstr(&value));
    }
    for (size_t i = 0; i < expanded.count; i += 2) {
        if (in->kind == INSTR_ENV)
            set_config_env(s, expanded.ptr[i], expanded.ptr[i + 1]);
        else
            config_set_label(s->config, expanded.ptr[i], expanded.ptr[i + 1]);
        buf_addf(said, " %s=%s", expanded.ptr[i], expanded.ptr[i + 1]);
    }
    return 0;
}

/* Told to an SBOM scanner, never to a step (Dockerfile reference, "BuildKit built-in build args").
 */
static bool is_for_scanner(const char *name)
{
    return str_starts(str_of(name), "BUILDKIT_SBOM_SCAN_");
}

/* Build arg, else default, else the global of that name, else no value. Each default sees those
 * before it. */
static int apply_arg(struct state *s, const struct instruction *in, struct buf *said,
                     struct err *err)
{
    for (size_t i = 0; i < in->pairs_count; i++) {
        SCOPED(buf_release) struct buf value = {0};
        const struct pair *pair = &in->pairs[i];
        const char *given = env_get(&s->graph->build_args, pair->name);

        if (given) {
            buf_adds(&value, given);
        } else if (pair->value) {
            if (state_expand(s, in, pair->value, &value, err) < 0)
                return -1;
            given = buf_cstr(&value);
        } else {
            given = env_get(&s->graph->globals, pair->name);
        }
        if (given && !is_for_scanner(pair->name))
            env_set(&s->env, pair->name, given);
        if (!strv_has(&s->args, pair->name) && !is_for_scanner(pair->name))
            strv_add(&s->args, pair->name);
        buf_addf(said, " %s%s%s", pair->name, given ? "=" : "", given ? given : "");
    }
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int apply_expose(struct state *s, const struct instruction *in, struct buf *said,
                        struct err *err)
{
    SCOPED(strv_release) struct strv specs = {0}, words = {0}, ports = {0};

    for (size_t i = 0; i < in->words_count; i++)
        strv_add(&words, in->words[i].text);
    if (words.count > 1)
        qsort(words.ptr, words.count, sizeof(*words.ptr), compare_texts);
    for (size_t i = 0; i < words.count; i++)
        if (state_expand_words(s, in, words.ptr[i], &specs, err) < 0)
            return -1;
    for (size_t i = 0; i < specs.count; i++)
        if (ports_parse(str_of(specs.ptr[i]), &ports, err) < 0)
            return -1;
    for (size_t i = 0; i < ports.count; i++)
        config_add_key(s->config, "ExposedPorts", ports.ptr[i]);
    buf_addc(said, ' ');
    text_list(said, &ports);
    return 0;
}

static int apply_volume(struct state *s, const struct instruction *in, struct buf *said,
                        struct err *err)
{
    SCOPED(strv_release) struct strv volumes = {0};

    for (size_t i = 0; i < in->words_count; i++) {
        SCOPED(buf_release) struct buf path = {0};

        if (state_expand(s, in, in->words[i].text, &path, err) < 0)
            return -1;
        if (path.size == 0)
            return err_set(err, ERR_INPUT, 0, "VOLUME: a path comes to nothing");
        strv_add(&volumes, buf_cstr(&path));
    }
    for (size_t i = 0; i < volumes.count; i++)
        config_add_key(s->config, "Volumes", volumes.ptr[i]);
    buf_addc(said, ' ');
    text_list(said, &volumes);
    return 0;
}

static int apply_command(struct state *s, const struct instruction *in, struct buf *said,
                         struct err *err)
{
    SCOPED(strv_release) struct strv argv = {0};
    bool is_cmd = in->kind == INSTR_CMD;

    (void)err;
    if (in->json) {
        strv_copy(&argv, &in->args);
    } else {
        state_shell(s, &argv);
        strv_add(&argv, in->text);
    }
    config_set_list(s->config, is_cmd ? "Cmd" : "Entrypoint", argv.count ? &argv : NULL);
    if (is_cmd) {
        s->cmd_set = true;
        json_object_set_new(config_inner(s->config), "ArgsEscaped", json_true());
    } else if (!s->cmd_set) {
        config_set_list(s->config, "Cmd", NULL);
    }
    buf_addc(said, ' ');
    text_quote_list(said, &argv);
    return 0;
}

static int apply_shell(struct state *s, const struct instruction *in, struct buf *said,
                       struct err *err)
{
    (void)err;
    config_set_list(s->config, "Shell", &in->args);
    buf_addc(said, ' ');
    text_list(said, &in->args);
    return 0;
}

static void set_duration(json_t *health, const struct instruction *in, const char *flag,
                         const char *key, struct buf *said)
{
    const char *text = instr_flag(in, flag);
    int64_t ns = 0;

    if (text && duration_parse(str_of(text), &ns) && ns != 0)
        json_object_set_new(health, key, json_integer(ns));
    buf_addf(said, " %s:", key);
    duration_format(said, ns);
}

static int apply_healthcheck(struct state *s, const struct instruction *in, struct buf *said,
                             struct err *err)
{
    SCOPED(strv_release) struct strv test = {0};
    json_t *health = json_object(), *list = json_array();
    const char *retries = instr_flag(in, "retries");
    uint64_t count = 0;

    (void)err;
    strv_add(&test, strcmp(in->words[0].text, "NONE") == 0 ? "NONE"
                    : in->json                             ? "CMD"
                                                           : "CMD-SHELL");
    if (in->json)
        strv_copy(&test, &in->args);
    else if (*in->text)
        strv_add(&test, in->text);
    for (size_t i = 0; i < test.count; i++)
        json_array_append_new(list, state_json_text(test.ptr[i]));
    json_object_set_new(health, "Test", list);
    buf_adds(said, " {Test:");
    text_list(said, &test);
    set_duration(health, in, "interval", "Interval", said);
    set_duration(health, in, "timeout", "Timeout", said);
    set_duration(health, in, "start-period", "StartPeriod", said);
    set_duration(health, in, "start-interval", "StartInterval", said);
    if (retries && str_u64(str_of(retries), &count) && count > 0)
        json_object_set_new(health, "Retries", json_integer((json_int_t)count));
    buf_addf(said, " Retries:%llu}", (unsigned long long)count);
    json_object_set_new(config_inner(s->config), "Healthcheck", health);
    return 0;
}

static int apply_stopsignal(struct state *s, const char *value, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (stopsignal_parse(str_of(value)) >= 0) {
        config_set(s->config, "StopSignal", value);
        return 0;
    }
    buf_add_escaped(&shown, str_of(value));
    return err_set(err, ERR_INPUT, 0, "STOPSIGNAL: \"%s\" is no signal", buf_cstr(&shown));
}

/* Instructions whose argument is one text. */
static int apply_text(struct state *s, const struct instruction *in, struct buf *said,
                      struct err *err)
{
    SCOPED(buf_release) struct buf value = {0};

    if (in->kind == INSTR_MAINTAINER)
        buf_adds(&value, in->text);
    else if (state_expand(s, in, in->text, &value, err) < 0)
        return -1;
    if (in->kind == INSTR_USER) {
        free(s->user);
        s->user = xstrdup(buf_cstr(&value));
        config_set(s->config, "User", *s->user ? s->user : NULL);
    } else if (in->kind == INSTR_STOPSIGNAL) {
        if (apply_stopsignal(s, buf_cstr(&value), err) < 0)
            return -1;
    } else if (in->kind == INSTR_WORKDIR) {
        AUTO_FREE char *before = steal_ptr(&s->workdir);

        s->workdir = path_join(before, buf_cstr(&value));
        config_set(s->config, "WorkingDir", s->workdir);
        buf_addf(said, " %s", s->workdir);
        return 0;
    } else {
        json_object_set_new(s->config, "author", state_json_text(buf_cstr(&value)));
    }
    buf_addf(said, " %s", buf_cstr(&value));
    return 0;
}

static int apply_onbuild(struct state *s, const struct instruction *in, struct buf *said,
                         struct err *err)
{
    SCOPED(strv_release) struct strv triggers = {0};

    (void)err;
    (void)said;
    config_get_list(s->config, "OnBuild", &triggers);
    strv_add(&triggers, in->text);
    config_set_list(s->config, "OnBuild", &triggers);
    return 0;
}

typedef int apply_fn(struct state *s, const struct instruction *in, struct buf *said,
                     struct err *err);

static apply_fn *const appliers[INSTR_KINDS] = {
    [INSTR_ARG] = apply_arg,
    [INSTR_CMD] = apply_command,
    [INSTR_ENTRYPOINT] = apply_command,
    [INSTR_ENV] = apply_pairs,
    [INSTR_EXPOSE] = apply_expose,
    [INSTR_HEALTHCHECK] = apply_healthcheck,
    [INSTR_LABEL] = apply_pairs,
    [INSTR_MAINTAINER] = apply_text,
    [INSTR_ONBUILD] = apply_onbuild,
    [INSTR_SHELL] = apply_shell,
    [INSTR_STOPSIGNAL] = apply_text,
    [INSTR_USER] = apply_text,
    [INSTR_VOLUME] = apply_volume,
    [INSTR_WORKDIR] = apply_text,
};

int state_apply(struct state *s, const struct instruction *in, const char *created, struct err *err)
{
    SCOPED(buf_release) struct buf said = {0};

    BUG_ON(!appliers[in->kind]);
    buf_adds(&said, in->keyword);
    if (appliers[in->kind](s, in, &said, err) < 0)
        return dockerfile_wrap(in->doc, in->first_line, err);
    if (in->kind != INSTR_ONBUILD && !state_needs_directory(s, in))
        add_history(s, created, buf_cstr(&said));
    return 0;
}
