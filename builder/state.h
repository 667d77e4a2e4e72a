/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STATE_H
#define BUILDER_STATE_H

/*
 * The image config as a stage grows, instruction by instruction. Pure: no file system, no clock.
 *
 *     SCOPED(state_release) struct state state = {0};
 *     state_begin(&state, &graph, &graph.stages[i], base_config)      base_config NULL:
 * scratch state_inherit(&state, &graph, &graph.stages[i], &states[base])       FROM an earlier
 * stage for each instruction of the stage ENV LABEL EXPOSE … : state_apply(&state, in, created,
 * err)       config and history RUN                : state_run(&state, in, &run, err), then
 * state_commit(…) COPY ADD           : state_copy(&state, in, &copy, err), then state_commit(…)
 *         WORKDIR            : state_apply, then make the directory and state_commit(…), unless it
 * is "/" Errors read "NAME:LINE: …".
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "builder/chmod.h"
#include "builder/giturl.h"
#include "builder/graph.h"
#include "builder/ignore.h"

/* A variable that an instruction uses and nothing sets. */
struct unset_name {
    const struct instruction *in; /* borrowed */
    char *name, *near;            /* near: the variable it may stand for; "" when none is near */
};

struct state {
    const struct graph *graph; /* borrowed */
    const struct stage *stage; /* borrowed */
    json_t *config;            /* the whole image config document; owned; see registry/config.h */
    struct strv env;  /* seen by expansion and RUN: ENV and ARGs, the last declaration wins */
    struct strv args; /* names of the ARGs in scope, in order of declaration, each once */
    char *workdir;    /* absolute and clean; "/" when none was set */
    char *user;       /* "" when none was set */
    bool cmd_set;     /* CMD seen in this stage: ENTRYPOINT then keeps it */
    struct unset_name *unset; /* in the order of their use */
    size_t unset_count, unset_capacity;
};

/* FROM scratch (base_config NULL) or FROM an image. Gives PATH its default when the base has none;
 * drops `created`. */
void state_begin(struct state *s, const struct graph *graph, const struct stage *stage,
                 const json_t *base_config);
/* FROM an earlier stage: its config, environment and ARGs. */
void state_inherit(struct state *s, const struct graph *graph, const struct stage *stage,
                   const struct state *base);
void state_release(struct state *s);

/* Every instruction but FROM, RUN, COPY and ADD. `created` (RFC 3339, or NULL) goes to the history
 * entry. */
int state_apply(struct state *s, const struct instruction *in, const char *created,
                struct err *err);
/* After state_apply: are the directory, layer and history entry left to the caller (WORKDIR other
 * than "/")? */
bool state_needs_directory(const struct state *s, const struct instruction *in);
/* The text of the history entry of WORKDIR after state_apply: "WORKDIR /app". For free(). */
char *state_workdir_text(const struct state *s);
/* A step is done: history entry, and a layer unless diff_id is NULL. */
void state_commit(struct state *s, const char *created_by, const char *diff_id,
                  const char *created);

/* RUN, ready for execution. */
struct run_spec {
    struct strv argv;
    struct strv env;   /* ENV and ARGs; all of it belongs into the cache key */
    struct strv proxy; /* proxy variables of build args, undeclared: into env, not into the key */
    struct strv args;  /* ARGs in scope as "NAME=value": part of env and of the history text */
    /* RUN <<NAME whose body begins with "#!": argv is {"/dev/pipes/NAME"}, and the caller provides
     * that file, mode 0755, for the time of the step. Else NULL. */
    char *script_name;
    char *script;
    char *created_by; /* "RUN |1 a=b /bin/sh -c make # buildkit" */
};
int state_run(const struct state *s, const struct instruction *in, struct run_spec *out,
              struct err *err);
void run_spec_release(struct run_spec *run);

/* COPY or ADD, ready for execution. */
struct copy_file {
    char *name; /* the heredoc's delimiter */
    char *text; /* its body, expanded */
    size_t size;
};
struct copy_spec {
    bool is_add;
    const struct stage_source *from; /* borrowed from graph */
    struct strv sources;             /* expanded paths or patterns */
    struct copy_file *files;         /* heredocs, mode 0644 */
    size_t files_count;
    char *dest;  /* absolute, clean; a trailing "/" is kept: it must be a directory */
    char *chown; /* expanded, NULL: 0:0 */
    bool has_chmod;
    struct chmod chmod;
    bool link;             /* --link, and no --chmod: a layer that knows nothing of those below */
    bool parents;          /* --parents: sources keep their directories, from "/./" on */
    struct ignore exclude; /* --exclude: names below a source that is a directory, names of files */
    /* ADD alone: */
    char *checksum; /* expanded, NULL: none */
    enum giturl_choice keep_git_dir, unpack;
    char *created_by; /* "COPY --chown=1 a b /dest # buildkit" */
};
int state_copy(struct state *s, const struct instruction *in, struct copy_spec *out,
               struct err *err);
void copy_spec_release(struct copy_spec *copy);

#endif
