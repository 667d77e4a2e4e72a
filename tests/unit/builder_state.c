/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "builder/state.h"
#include "registry/config.h"
#include "tests/tap.h"

struct world {
    struct dockerfile doc;
    struct graph graph;
    struct state states[4];
    struct run_spec run;   /* of the last RUN */
    struct copy_spec copy; /* of the last COPY or ADD */
    struct err err;
    int result;
};

static void world_release(struct world *w)
{
    for (size_t i = 0; i < ARRAY_SIZE(w->states); i++)
        state_release(&w->states[i]);
    run_spec_release(&w->run);
    copy_spec_release(&w->copy);
    graph_release(&w->graph);
    dockerfile_release(&w->doc);
}

static int apply(struct world *w, struct state *s, const struct instruction *in)
{
    if (in->kind == INSTR_RUN) {
        run_spec_release(&w->run);
        if (state_run(s, in, &w->run, &w->err) < 0)
            return -1;
        state_commit(s, w->run.created_by,
                     "sha256:00000000000000000000000000000000000000000000000000000000000000aa",
                     NULL);
        return 0;
    }
    if (in->kind == INSTR_COPY || in->kind == INSTR_ADD) {
        copy_spec_release(&w->copy);
        return state_copy(s, in, &w->copy, &w->err);
    }
    if (state_apply(s, in, "2026-01-02T03:04:05Z", &w->err) < 0)
        return -1;
    if (state_needs_directory(s, in)) {
        AUTO_FREE char *text = state_workdir_text(s);

        state_commit(s, text, NULL, NULL);
    }
    return 0;
}

/* Builds every needed stage of `text`; base: config of what the first FROM names, or NULL. */
static struct state *build(struct world *w, const char *text, const char *args, const char *base)
{
    SCOPED(strv_release) struct strv list = {0};
    json_auto_t *config = base ? json_parse(str_of(base), &w->err) : NULL;
    struct graph_options options = {.build_args = &list,
                                    .build = {.os = "linux", .arch = "amd64"},
                                    .wanted = {.os = "linux", .arch = "arm64"}};
    struct str rest = str_of(args), head;
    struct state *s = NULL;

    for (bool more = rest.size > 0; more; strv_add_str(&list, head))
        more = str_cut(rest, ' ', &head, &rest);
    w->result = dockerfile_parse(str_of(text), "Dockerfile", &w->doc, &w->err);
    if (w->result == 0)
        w->result = graph_make(&w->doc, &options, &w->graph, &w->err);
    for (size_t i = 0; i < w->graph.order_count && w->result == 0; i++) {
        const struct stage *stage = &w->graph.stages[w->graph.order[i]];

        s = &w->states[stage->index];
        if (stage->base.kind == SOURCE_STAGE)
            state_inherit(s, &w->graph, stage, &w->states[stage->base.stage]);
        else
            state_begin(s, &w->graph, stage, config);
        for (size_t k = stage->first; k < stage->end && w->result == 0; k++)
            w->result = apply(w, s, &w->doc.instructions[k]);
    }
    return s;
}

/* The inner config, compact and sorted. */
static void show_config(const struct state *s, struct buf *out)
{
    json_print(config_inner(s->config), out);
}

static const char *history(const struct state *s, size_t from_end, const char *member)
{
    const json_t *list = config_history(s->config);
    const json_t *entry = json_array_get(list, json_array_size(list) - 1 - from_end);

    return json_str(entry, member);
}

/* From scratch: instruction lines, the inner config without Env and WorkingDir where these are the
 * defaults, the history. */
static void configs(void)
{
    static const struct {
        const char *text, *config, *history;
    } rows[] = {
        {"CMD echo hi", "{\"ArgsEscaped\":true,\"Cmd\":[\"/bin/sh\",\"-c\",\"echo hi\"]}",
         "CMD [\"/bin/sh\" \"-c\" \"echo hi\"]"},
        {"CMD [\"a\",\"b c\"]", "{\"ArgsEscaped\":true,\"Cmd\":[\"a\",\"b c\"]}",
         "CMD [\"a\" \"b c\"]"},
        {"CMD []", "{\"ArgsEscaped\":true}", "CMD []"},
        {"ENTRYPOINT exec x", "{\"Entrypoint\":[\"/bin/sh\",\"-c\",\"exec x\"]}",
         "ENTRYPOINT [\"/bin/sh\" \"-c\" \"exec x\"]"},
        {"CMD [\"a\"]\nENTRYPOINT [\"b\"]",
         "{\"ArgsEscaped\":true,\"Cmd\":[\"a\"],\"Entrypoint\":[\"b\"]}", "ENTRYPOINT [\"b\"]"},
        {"ENTRYPOINT [\"b\"]\nENTRYPOINT []", "{}", "ENTRYPOINT []"},
        {"SHELL [\"/bin/bash\",\"-ec\"]\nCMD x $y",
         "{\"ArgsEscaped\":true,\"Cmd\":[\"/bin/bash\",\"-ec\",\"x "
         "$y\"],\"Shell\":[\"/bin/bash\",\"-ec\"]}",
         "CMD [\"/bin/bash\" \"-ec\" \"x $y\"]"},
        {"LABEL a=1 \"b c\"='$x' d=\"$PATH\"\nLABEL a=2",
         "{\"Labels\":{\"a\":\"2\",\"b "
         "c\":\"$x\",\"d\":\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"
         "bin\"}}",
         "LABEL a=2"},
        {"ARG p=90\nEXPOSE 80 443/UDP 8000-8001/tcp $p",
         "{\"ExposedPorts\":{\"443/udp\":{},\"80/tcp\":{},\"8000/tcp\":{},\"8001/tcp\":{},\"90/"
         "tcp\":{}}}",
         "EXPOSE [90/tcp 443/udp 80/tcp 8000/tcp 8001/tcp]"},
        {"ARG p='1 2'\nEXPOSE $p", "{\"ExposedPorts\":{\"1/tcp\":{},\"2/tcp\":{}}}",
         "EXPOSE [1/tcp 2/tcp]"},
        {"VOLUME /b /a\nVOLUME [\"/c d\"]", "{\"Volumes\":{\"/a\":{},\"/b\":{},\"/c d\":{}}}",
         "VOLUME [/c d]"},
        {"STOPSIGNAL SIGQUIT", "{\"StopSignal\":\"SIGQUIT\"}", "STOPSIGNAL SIGQUIT"},
        {"ARG s=9\nSTOPSIGNAL $s", "{\"StopSignal\":\"9\"}", "STOPSIGNAL 9"},
        {"USER a\nUSER b:1", "{\"User\":\"b:1\"}", "USER b:1"},
        {"HEALTHCHECK --interval=1m30s --retries=2 CMD curl x || exit 1",
         "{\"Healthcheck\":{\"Interval\":90000000000,\"Retries\":2,\"Test\":[\"CMD-SHELL\",\"curl "
         "x || exit 1\"]}}",
         "HEALTHCHECK {Test:[CMD-SHELL curl x || exit 1] Interval:1m30s Timeout:0s StartPeriod:0s "
         "StartInterval:0s "
         "Retries:2}"},
        {"HEALTHCHECK --timeout=500ms --start-period=0s --start-interval=2s CMD [\"a\",\"b\"]",
         "{\"Healthcheck\":{\"StartInterval\":2000000000,\"Test\":[\"CMD\",\"a\",\"b\"],"
         "\"Timeout\":500000000}}",
         "HEALTHCHECK {Test:[CMD a b] Interval:0s Timeout:500ms StartPeriod:0s StartInterval:2s "
         "Retries:0}"},
        {"HEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}",
         "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s "
         "Retries:0}"},
        {"LABEL x=1\nONBUILD RUN <<A\nb\nA\nONBUILD add . /",
         "{\"Labels\":{\"x\":\"1\"},\"OnBuild\":[\"RUN <<A\\nb\\nA\",\"add . /\"]}", "LABEL x=1"},
        {"ARG a b=2 c=\"$b 3\" d=", "{}", "ARG a b=2 c=2 3 d="},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        SCOPED(buf_release) struct buf got = {0};
        AUTO_FREE char *text = xasprintf("FROM scratch\n%s", rows[i].text);
        struct state *s = build(&w, text, "", NULL);

        if (!OKF(w.result == 0, "row %zu: %s", i, w.err.text))
            continue;
        config_set_list(s->config, "Env", NULL);
        EQ_STR(config_get(s->config, "WorkingDir"), "/");
        config_set(s->config, "WorkingDir", NULL);
        show_config(s, &got);
        EQ_STR(buf_cstr(&got), rows[i].config);
        EQ_STR(history(s, 0, "created_by"), rows[i].history);
    }
}

static void environment(void)
{
    static const struct {
        const char *text, *args, *name, *value;
    } rows[] = {
        {"ENV a=1 b=$a", "", "b", ""}, /* the environment of before the instruction */
        {"ENV a=1\nENV a=2 b=$a", "", "b", "1"},
        {"ENV a b  $PATH c", "", "a",
         "b  /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin c"},
        {"ENV a=\"x  y\"\nENV b=$a", "", "b", "x  y"},
        {"ARG n=k\nENV $n=1", "", "k", "1"},
        {"ARG a=1 b=$a", "", "b", "1"}, /* but a default sees those before it */
        {"ARG a=1", "a=2", "a", "2"},
        {"ARG a", "", "a", NULL},
        {"ARG a=", "", "a", ""},
        {"ARG a", "a=2", "a", "2"},
        {"ARG g", "", "g", "glob"},
        {"ARG g=own", "", "g", "own"},
        {"ARG g=own", "g=given", "g", "given"},
        {"ARG h", "", "h", "glob/1"},
        {"RUN x", "", "g", NULL}, /* a global is not there unless it is asked for */
        {"ARG TARGETARCH", "", "TARGETARCH", "arm64"},
        {"ARG BUILDPLATFORM", "", "BUILDPLATFORM", "linux/amd64"},
        {"ARG TARGETVARIANT", "", "TARGETVARIANT", ""},
        {"RUN x", "", "TARGETARCH", NULL},
        {"ARG a=1\nENV a=2", "", "a", "2"}, /* the last declaration wins */
        {"ENV a=2\nARG a=1", "", "a", "1"},
        {"ENV a=2\nARG a", "", "a", "2"},
        {"ARG v=1\nARG v", "", "v", "1"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        AUTO_FREE char *text = xasprintf("ARG g=glob\nARG h=$g/1\nFROM scratch\n%s", rows[i].text);
        struct state *s = build(&w, text, rows[i].args, NULL);

        if (!OKF(w.result == 0, "row %zu: %s", i, w.err.text))
            continue;
        OKF(true, "row %zu", i);
        EQ_STR(env_get(&s->env, rows[i].name), rows[i].value);
    }
}

static const char base_config[] =
    "{\"architecture\":\"arm64\",\"os\":\"linux\",\"created\":\"2020-01-01T00:00:00Z\",\"docker_"
    "version\":\"1\","
    "\"config\":{\"Env\":[\"X=1\",\"PATH=/"
    "p\"],\"Cmd\":[\"c\"],\"Entrypoint\":[\"e\"],\"User\":\"u\","
    "\"WorkingDir\":\"/w/\",\"Shell\":[\"/bin/"
    "bash\",\"-c\"],\"Custom\":{\"kept\":1},\"OnBuild\":[]},"
    "\"history\":[{\"created_by\":\"first\"}],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":"
    "[\"sha256:00000000000000000000000000000000000000000000000000000000000000bb\"]}}";

static void base_image(void)
{
    SCOPED(world_release) struct world w = {0};
    SCOPED(buf_release) struct buf got = {0};
    struct state *s = build(&w, "FROM a\nENTRYPOINT [\"n\"]\nENV PATH=$PATH:/q\nRUN go\nUSER\t$X",
                            "", base_config);

    if (!OKF(w.result == 0, "%s", w.err.text))
        return;
    show_config(s, &got);
    EQ_STR(buf_cstr(&got),
           "{\"Custom\":{\"kept\":1},\"Entrypoint\":[\"n\"],\"Env\":[\"X=1\",\"PATH=/p:/q\"],"
           "\"Shell\":[\"/bin/bash\",\"-c\"],\"User\":\"1\",\"WorkingDir\":\"/w/\"}");
    EQ_STR(s->workdir, "/w");
    EQ_STR(s->user, "1");
    OK(config_created(s->config) == NULL);
    OK(json_object_get(s->config, "docker_version") == NULL);
    AUTO_FREE char *argv = strv_join(&w.run.argv, "|");
    EQ_STR(argv, "/bin/bash|-c|go");
    EQ_INT(json_array_size(config_history(s->config)), 5);
    EQ_STR(history(s, 1, "created_by"), "RUN /bin/bash -c go # buildkit");
    SCOPED(strv_release) struct strv layers = {0};
    config_diff_ids(s->config, &layers);
    EQ_INT(layers.count, 2);
}

static void child_stage(void)
{
    SCOPED(world_release) struct world w = {0};
    struct state *s = build(&w,
                            "FROM scratch AS x\nARG a=1 q=r\nENV e=$a\nCMD [\"c\"]\nENV q=s\nFROM "
                            "x\nRUN t\nENTRYPOINT [\"d\"]",
                            "", NULL);

    if (!OKF(w.result == 0, "%s", w.err.text))
        return;
    AUTO_FREE char *args = strv_join(&w.run.args, " ");
    EQ_STR(args, "a=1 q=s");
    EQ_STR(env_get(&w.run.env, "a"), "1");
    EQ_STR(env_get(&w.run.env, "e"), "1");
    EQ_STR(env_get(&w.run.env, "q"), "s");
    EQ_STR(w.run.created_by, "RUN |2 a=1 q=s /bin/sh -c t # buildkit");
    SCOPED(strv_release) struct strv cmd = {0};
    OK(!config_get_list(s->config, "Cmd", &cmd)); /* CMD was not set in this stage */
    OK(config_get_list(w.states[0].config, "Cmd", &cmd));
}

static void workdirs(void)
{
    static const struct {
        const char *text, *workdir;
    } rows[] = {
        {"WORKDIR /a/b/../c/", "/a/c"},       {"WORKDIR a\nWORKDIR b", "/a/b"},
        {"WORKDIR /a\nWORKDIR ../..", "/"},   {"ENV d=/x\nWORKDIR $d/y", "/x/y"},
        {"WORKDIR /a\nWORKDIR $unset", "/a"}, {"WORKDIR \"/a b\"", "/a b"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        AUTO_FREE char *text = xasprintf("FROM scratch\n%s", rows[i].text);
        AUTO_FREE char *said = xasprintf("WORKDIR %s", rows[i].workdir);
        struct state *s = build(&w, text, "", NULL);

        OKF(w.result == 0, "row %zu: %s", i, w.err.text);
        EQ_STR(s->workdir, rows[i].workdir);
        EQ_STR(config_get(s->config, "WorkingDir"), rows[i].workdir);
        EQ_STR(history(s, 0, "created_by"), said);
        EQ_INT(json_array_size(config_history(s->config)),
               1 + (strchr(rows[i].text, '\n') != NULL));
    }
}

static void runs(void)
{
    static const struct {
        const char *text, *argv, *script;
    } rows[] = {
        {"RUN echo $HOME  \"x\"", "/bin/sh|-c|echo $HOME  \"x\"", NULL},
        {"RUN [\"a\", \"$b c\"]", "a|$b c", NULL},
        {"SHELL [\"s\"]\nRUN x", "s|x", NULL},
        {"RUN <<EOF\n echo $x\nEOF", "/bin/sh|-c| echo $x\n", NULL},
        {"RUN <<-EOF\n\t\techo\n\tEOF", "/bin/sh|-c|echo\n", NULL},
        {"RUN <<my.py\n#!/usr/bin/env python3\nprint(1)\nmy.py", "/dev/pipes/my.py",
         "#!/usr/bin/env python3\nprint(1)\n"},
        {"RUN <<-'X'\n\t#!/bin/sh\n\tX", "/dev/pipes/X", "#!/bin/sh\n"},
        {"RUN cat <<A - <<-B\na\nA\n\tb\n\tB\n", "/bin/sh|-c|cat <<A - <<-B\na\nA\n\tb\nB", NULL},
        {"ARG q\nRUN <<A | sh\nb\nA", "/bin/sh|-c|<<A | sh\nb\nA", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        AUTO_FREE char *text = xasprintf("FROM scratch\n%s", rows[i].text);

        build(&w, text, "", NULL);
        OKF(w.result == 0, "row %zu: %s", i, w.err.text);
        AUTO_FREE char *argv = strv_join(&w.run.argv, "|");
        EQ_STR(argv, rows[i].argv);
        EQ_STR(w.run.script, rows[i].script);
    }
}

/* Declared twice, an ARG is told once, with the value it has then. */
static void repeated_args(void)
{
    SCOPED(world_release) struct world w = {0};

    build(&w, "FROM scratch\nARG a=1 b\nARG a=2\nENV b=3\nRUN x", "", NULL);
    EQ_STR(w.run.created_by, "RUN |2 a=2 b=3 /bin/sh -c x # buildkit");
}

static void proxies(void)
{
    SCOPED(world_release) struct world w = {0};

    build(&w, "FROM scratch\nARG no_proxy\nENV ftp_proxy=mine\nRUN x",
          "HTTP_PROXY=h no_proxy=n ftp_proxy=f", NULL);
    AUTO_FREE char *proxy = strv_join(&w.run.proxy, " "), *args = strv_join(&w.run.args, " ");
    EQ_STR(proxy, "http_proxy=h HTTP_PROXY=h NO_PROXY=n FTP_PROXY=f");
    EQ_STR(args, "no_proxy=n");
    OK(env_get(&w.run.env, "HTTP_PROXY") == NULL);
    EQ_STR(w.run.created_by, "RUN |1 no_proxy=n /bin/sh -c x # buildkit");
}

static void copies(void)
{
    static const struct {
        const char *text, *sources, *dest, *said;
    } rows[] = {
        {"COPY a b* /c/", "a|b*", "/c/", "COPY a b* /c/ # buildkit"},
        {"WORKDIR /w\nCOPY a b", "a", "/w/b", "COPY a b # buildkit"},
        {"WORKDIR /w\nCOPY a .", "a", "/w/", "COPY a . # buildkit"},
        {"WORKDIR /w\nCOPY a ./", "a", "/w/", "COPY a ./ # buildkit"},
        {"WORKDIR /w\nCOPY a x/.", "a", "/w/x/", "COPY a x/. # buildkit"},
        {"WORKDIR /w\nCOPY a ..", "a", "/", "COPY a .. # buildkit"},
        {"WORKDIR /w\nCOPY a ../../x/", "a", "/x/", "COPY a ../../x/ # buildkit"},
        {"COPY a /", "a", "/", "COPY a / # buildkit"},
        {"COPY [\"a b\", \"/c d\"]", "a b", "/c d", "COPY a b /c d # buildkit"},
        {"COPY $unset x/", ".", "/x/", "COPY . x/ # buildkit"},
        {"ENV d=/dst s=\"x y\"\nCOPY $s \"$d/z\"", "x y", "/dst/z", "COPY x y /dst/z # buildkit"},
        {"ENV u=1000\nADD --chmod=755 --chown=$u:$u a /b", "a", "/b",
         "ADD --chown=1000:1000 --chmod=755 a /b # buildkit"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        AUTO_FREE char *text = xasprintf("FROM scratch\n%s", rows[i].text);

        build(&w, text, "", NULL);
        OKF(w.result == 0, "row %zu: %s", i, w.err.text);
        AUTO_FREE char *sources = strv_join(&w.copy.sources, "|");
        EQ_STR(sources, rows[i].sources);
        EQ_STR(w.copy.dest, rows[i].dest);
        EQ_STR(w.copy.created_by, rows[i].said);
        OK(w.copy.from && w.copy.from->kind == SOURCE_CONTEXT);
        OK(w.copy.is_add == (strstr(rows[i].text, "ADD") != NULL));
    }
}

static void copied_heredocs(void)
{
    SCOPED(world_release) struct world w = {0};

    build(&w,
          "FROM scratch\nENV a=1\nCOPY --chmod=u+x <<one f <<'two' <<-three /d/\n\"$a\" "
          "\\$a\none\n$a\ntwo\n\t$a\n"
          "\tthree\n",
          "", NULL);
    if (!OKF(w.result == 0 && w.copy.files_count == 3, "%s", w.err.text))
        return;
    EQ_STR(w.copy.files[0].name, "one");
    EQ_STR(w.copy.files[0].text, "\"1\" $a\n");
    EQ_INT(w.copy.files[0].size, 7);
    EQ_STR(w.copy.files[1].text, "$a\n");
    EQ_STR(w.copy.files[2].text, "1\n");
    EQ_INT(w.copy.sources.count, 1);
    OK(w.copy.has_chmod && chmod_apply(&w.copy.chmod, 0644, false) == 0744);
    EQ_STR(w.copy.created_by, "COPY --chmod=u+x f <<one <<two <<three /d/ # buildkit");
}

static void refusals(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"ENV a=${b", "Dockerfile:2: missing } of a ${"},
        {"\nENV a=1 \\\n $b=2", "Dockerfile:3: ENV: a name comes to nothing"},
        {"ENV \"a\\=b\"=2", "Dockerfile:2: a \" is not closed"},
        {"ARG q=a=b\nENV $q=1", "Dockerfile:3: ENV: a name may not hold a \"=\""},
        {"ARG a=\"${b:?is needed}\"", "Dockerfile:2: b: is needed"},
        {"EXPOSE x",
         "Dockerfile:2: port \"x\" is not PORT or PORT-PORT, with /tcp, /udp or /sctp or without"},
        {"VOLUME $a", "Dockerfile:2: VOLUME: a path comes to nothing"},
        {"STOPSIGNAL SIGNO", "Dockerfile:2: STOPSIGNAL: \"SIGNO\" is no signal"},
        {"COPY --chmod=u:x a b",
         "Dockerfile:2: --chmod=u:x is neither octal (0 to 7777) nor of the form u=rwX,go=rX"},
        {"ARG u=http://x/y\nCOPY $u /",
         "Dockerfile:3: COPY cannot fetch a URL: http://x/y; ADD does"},
        {"ADD --checksum=sha256:0 a /", "Dockerfile:2: ADD --checksum is for URLs and git "
                                        "repositories, not for local files"},
        {"ADD --checksum=sha256:0 http://x/y http://x/z /",
         "Dockerfile:2: ADD --checksum takes one source, not 2"},
        {"COPY <<../x /\nq\n../x\n", "Dockerfile:2: heredoc name \"../x\" cannot be a file's name"},
        {"COPY <<x /\n${a\nx\n", "Dockerfile:2: heredoc <<x: unknown operator \\n after ${a"},
        {"RUN <<a/b\n#!x\na/b\n", "Dockerfile:2: heredoc name \"a/b\" cannot be a file's name"},
        {"WORKDIR 'a", "Dockerfile:2: a ' is not closed"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(world_release) struct world w = {0};
        AUTO_FREE char *text = xasprintf("FROM scratch\n%s", rows[i].text);

        build(&w, text, "", NULL);
        OKF(w.result < 0, "row %zu is accepted", i);
        EQ_STR(w.err.text, rows[i].err);
    }
}

static void warnings(void)
{
    SCOPED(world_release) struct world w = {0};
    struct state *s = build(
        &w,
        "FROM scratch\nARG none VERSION=1\nENV a=$VERSON b=$VERSON c=${undefined_x:-1} d=$none\n"
        "COPY <<E x$yes_or /$zebra\n$queue \"$a\"\nE\nEXPOSE 80 $ports",
        "", NULL);
    SCOPED(buf_release) struct buf all = {0};

    OKF(w.result == 0, "%s", w.err.text);
    for (size_t i = 0; i < s->unset_count; i++)
        buf_addf(&all, "%u %s %s\n", s->unset[i].in->first_line, s->unset[i].name,
                 s->unset[i].near);
    EQ_STR(buf_cstr(&all), "3 VERSON VERSION\n3 VERSON VERSION\n3 undefined_x \n4 queue \n4 yes_or "
                           "\n4 zebra \n7 ports \n");
}

static void history_entries(void)
{
    SCOPED(world_release) struct world w = {0};
    struct state *s = build(&w, "FROM scratch\nENV a=1\nRUN x", "", NULL);
    const json_t *list = config_history(s->config);

    EQ_INT(json_array_size(list), 2);
    EQ_STR(json_str(json_array_get(list, 0), "created_by"), "ENV a=1");
    EQ_STR(json_str(json_array_get(list, 0), "created"), "2026-01-02T03:04:05Z");
    EQ_STR(json_str(json_array_get(list, 0), "comment"), "buildkit.dockerfile.v0");
    OK(json_is_true(json_object_get(json_array_get(list, 0), "empty_layer")));
    OK(json_object_get(json_array_get(list, 1), "empty_layer") == NULL);
}

TAP_MAIN({"configs", configs}, {"environment", environment}, {"base image", base_image},
         {"child stage", child_stage}, {"workdirs", workdirs}, {"runs", runs},
         {"repeated args", repeated_args}, {"proxies", proxies}, {"copies", copies},
         {"copied heredocs", copied_heredocs}, {"refusals", refusals}, {"warnings", warnings},
         {"history entries", history_entries})
