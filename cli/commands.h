/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* The list of commands (cli/commands.c) and what every command is handed. */
#include "cli/opts.h"

struct cmd_context {
    const char *root; /* --root, $SLIPWAY_ROOT or the default place, decided before any
                         session_enter(); NULL: there is none */
    bool quiet;       /* --quiet: a result is all that is said */
    bool progress;    /* the command line says how progress is shown */
};

extern const struct cmd *const commands[]; /* NULL-ended, in the order of `slipway --help` */

/* The command that args (of argv after the program's options) begin with: one word or two. *used:
 * how many words its name took. NULL with ERR_USAGE and what was probably meant. */
const struct cmd *commands_find(int count, char **args, int *used, struct err *err);
void commands_print_help(const char *group); /* all, or those of a group ("ecs"); on stdout */
bool commands_is_group(const char *word);

/* The program's own options, which every command takes too (cli/main.c fills them). */
struct global_opts {
    const char *root;
    const char *progress;
    bool verbose, quiet;
};
extern const struct opt global_opts[];

#endif
