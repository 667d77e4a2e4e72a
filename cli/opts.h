/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPTS_H
#define CLI_OPTS_H

/*
 * Option tables: a command states its options once; parsing, --help and the manual's test come from
 * the table. Values land in the command's own struct, zeroed before parsing, at `offset`. Options
 * and operands may be mixed;
 * "--" ends options. "--name VALUE", "--name=VALUE", "-n VALUE", "-nVALUE", clustered flags
 * ("-it"). A command with stop_at_operand (run) takes no options after its first operand.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"

enum opt_type {
    OPT_END,
    OPT_FLAG, /* bool; --name, --name=true|false, --no-name when `negatable` */
    OPT_STR,  /* const char *, borrowed from argv; the last one wins */
    OPT_LIST, /* struct strv: may be given many times */
    OPT_U64,  /* uint64_t */
    OPT_SIZE, /* uint64_t with units: 10m */
};

struct opt {
    enum opt_type type;
    char letter; /* 0: none */
    const char *name;
    const char *value; /* "OS/ARCH", for --help; NULL for flags */
    const char *help;  /* lower case, no full stop */
    size_t offset;
    bool hidden;    /* accepted, not shown */
    bool negatable; /* a flag that --no-NAME takes back */
};

struct cmd_context; /* cli/commands.h */

struct cmd {
    const char *name;       /* "push", or two words: "ecs deploy" */
    const char *args;       /* "IMAGE [REFERENCE]" */
    const char *summary;    /* lower case, no full stop */
    const struct opt *opts; /* ends with OPT_END */
    size_t opts_size;       /* sizeof the options struct */
    int min_args, max_args; /* max -1: any number */
    bool stop_at_operand;
    /* Returns the exit status, or -1 with err set (ERR_USAGE: 2, else 1). args: operands, count of
     * them. */
    int (*run)(struct cmd_context *context, const void *opts, int count, char **args,
               struct err *err);
};

/* Options that every command takes beside its own; where both have a name or letter, the command's
 * counts. */
struct opt_table {
    const struct opt *opts; /* ends with OPT_END */
    void *values;
};

/* Fills opts from argv (argv[0] is the command's own name) and checks the number of operands.
 * 0; -1 with ERR_USAGE; 1 when --help was asked for. globals: NULL for none. */
int opts_parse(const struct cmd *cmd, const struct opt_table *globals, int argc, char **argv,
               void *opts, struct strv *operands, struct err *err);
void opts_release(const struct cmd *cmd, void *opts);                         /* the OPT_LISTs */
void opts_print_help(const struct cmd *cmd, const struct opt_table *globals); /* on stdout */
/* The nearest of the words to what was typed, if near enough to be a slip of the hand; borrowed,
 * NULL for none. */
const char *opts_nearest(const char *typed, const struct strv *words);

#endif
