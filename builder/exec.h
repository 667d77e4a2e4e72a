/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXEC_H
#define BUILDER_EXEC_H

/*
 * One instruction against one stage: what it is made of becomes its key; what the key gave before
 * is taken, or the instruction is carried out. Either way the stage grows by at most one layer and
 * its config by one history entry.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "builder/build.h"
#include "builder/cache_content.h"
#include "builder/cache_export.h"
#include "builder/cache_import.h"
#include "builder/context.h"
#include "builder/control.h"
#include "builder/crossing.h"
#include "builder/flights.h"
#include "builder/graph.h"
#include "builder/ground.h"
#include "builder/parse.h"
#include "builder/schedule.h"
#include "builder/stack.h"
#include "builder/state.h"

struct contexts;
struct early_push;
struct lazy;
struct sources;
struct build;
struct worktree;

/* What is to come out: one target for one platform. */
struct product {
    struct build *build;
    struct graph graph;
    struct making *stages; /* one for each of graph.stages */
};

enum outcome { OUTCOME_NONE, OUTCOME_DEFINED, OUTCOME_RESULT, OUTCOME_MADE };

/* What a step is by definition: see builder/define.h. */
struct definition {
    char hex[SHA256_HEX_SIZE];    /* "": not known yet */
    char recall[SHA256_HEX_SIZE]; /* its key in the cache: itself, and the layers it stands on */
    char unread[SHA256_HEX_SIZE]; /* for want of reading: all but the content; for this build alone
                                   */
    char shape[SHA256_HEX_SIZE];  /* of the context files it reads, when they were never read; or ""
                                   */
    struct strv fields;           /* "name=value", for --explain */
    enum outcome outcome;         /* what this build did about it */
};

/* A stage in the making; one thread at a time works on it. */
struct making {
    struct task task;
    struct product *product;
    struct stage *stage; /* borrowed */
    struct state state;
    struct stack stack;
    char created[CLOCK_TEXT_SIZE]; /* when its last layer was made; "" when nothing is known */
    bool begun, defined;
    atomic_bool wanted; /* this build makes it: what reads from it goes by what it comes to */
    struct stack ahead; /* what it will be, as far as the cache tells before anything is made */
    size_t recalled;    /* of stage->body: those before this one are in the cache */
    bool foreseen;      /* … and these are all */
    struct definition *definitions;   /* one for each of stage->body, once it is defined */
    char base_hex[SHA256_HEX_SIZE];   /* definition of what it is FROM; "": not known */
    char final_hex[SHA256_HEX_SIZE];  /* of its last step; "": not known yet */
    char definition[SHA256_HEX_SIZE]; /* of its last step that is done */
    size_t next;                      /* of stage->body, to be carried out */
    size_t number, numbers;           /* of the step in its stage, for titles */
    int shown;                        /* the running step, as base/progress knows it */
    size_t uploaded;                  /* of its layers, those that early_push knows */
    bool forget;                      /* the running step's result must not be remembered */
    uint64_t emulated_ms;             /* how long the running step ran under an emulator */
    struct step_usage usage;          /* of the running step, once its command has ended */
    struct worktree *worktree;        /* of plain sandboxes; NULL: none yet */
    struct buf output;                /* the last of it, of a step that failed */
    struct buf excerpt;               /* the lines at fault, after a failure */
};

/* An image that FROM or COPY --from names, once loaded. */
struct base_image {
    char *name; /* as written */
    struct platform platform;
    pthread_mutex_t lock; /* held while it is loaded */
    bool loaded;
    struct platform actual; /* what it is for; not `platform` when it has no choice to give */
    bool named;             /* the store has a name for it */
    struct descriptor root; /* what its reference names; empty for one that is not a registry's */
    struct stack stack;
    json_t *config;
};

/* What is shared by all stages. Threads change it only with the lock, or where said otherwise. */
struct build {
    const struct build_options *options;
    const struct build_tools *tools;
    struct build_result *result;
    struct dockerfile doc;
    struct product *products;
    size_t products_count;
    struct schedule schedule;
    struct flights flights;     /* has its own lock */
    struct lazy *lazy;          /* has its own lock */
    struct imported imported;   /* nobody changes it once steps are made */
    struct early_push *early;   /* has its own lock */
    struct contexts *contexts;  /* has its own lock */
    pthread_mutex_t lock;       /* of what follows, and of result */
    struct sources *sources;    /* what is fetched */
    struct base_image **images; /* each on its own: origins keep pointers into them */
    size_t images_count, images_capacity;
    struct cache_uses uses;         /* for --cache-to */
    struct cache_contents contents; /* the same */
    struct control control;         /* of the build arguments */
    struct crossing crossing;
    pthread_mutex_t shell_lock; /* held while a shell of --on-error is open; guards the next */
    bool shell_opened;
    bool has_epoch; /* SOURCE_DATE_EPOCH */
    int64_t epoch;
    struct ground ground; /* isolation in-place, where one stage is made at a time */
};

/* Carries out one instruction (not FROM). Errors say where. */
int exec_instruction(struct build *build, struct making *making, const struct instruction *in,
                     struct err *err);
/* FROM a context of --build-context: all its files as one layer on nothing. */
int exec_from_context(struct build *build, struct making *making, struct err *err);
/* Does it count in "[builder 2/5]"? */
bool exec_is_step(const struct instruction *in);
/* Puts the place before the error and keeps the lines at fault; returns -1. */
int exec_failed(struct making *making, const struct instruction *in, struct err *err);
/* The image that `source` names, for `platform`: from the store, else pulled. Borrowed from build.
 * NULL on failure. */
struct base_image *base_image_get(struct build *build, const char *name,
                                  const struct platform *platform, struct err *err);
void base_image_free(struct base_image *image);
/* Base images of which all is here now get their names in the store: a build without the network
 * finds them then, prune leaves them, and they can be listed and saved. */
void base_images_name(struct build *build);

#endif
