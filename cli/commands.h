/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* The list of commands (cli/commands.c) and what every command is handed. */
#include "cli/opts.h"

struct cmd_context {
    const char *root;  /* --root or $SLIPWAY_ROOT or NULL: the default place */
    bool json;         /* --json where a command has it */
};

extern const struct cmd *const commands[]; /* NULL-ended, in the order of `slipway --help` */

#endif
