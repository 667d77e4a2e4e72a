/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

/* Hidden (no summary). "bash": a script for `source <(slipway completion bash)`. "list": every
 * option of every command, one to a line, for the test that holds the manual against the tables. */

static void print_words(const struct opt *opts)
{
    for (const struct opt *o = opts; o && o->type != OPT_END; o++) {
        if (o->hidden)
            continue;
        if (o->letter)
            printf(" -%c", o->letter);
        if (o->name)
            printf(" --%s", o->name);
    }
}

static void print_bash(void)
{
    printf("_slipway() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} cmd=${COMP_WORDS[1]-} words=\n"
           "    [ \"$COMP_CWORD\" -gt 2 ] && cmd=\"$cmd ${COMP_WORDS[2]}\"\n"
           "    case $cur in\n"
           "    -*) ;;\n"
           "    *) if [ \"$COMP_CWORD\" -gt 1 ]; then\n"
           "           COMPREPLY=($(compgen -f -- \"$cur\")); [ \"$COMP_CWORD\" -gt 2 ] && return\n"
           "       fi ;;\n"
           "    esac\n"
           "    case $cmd in\n");
    for (size_t i = 0; commands[i]; i++) {
        if (!commands[i]->summary)
            continue;
        /* Two-word names come whole; of one-word names the second word may already be an operand.
         */
        printf("    '%s'", commands[i]->name);
        if (!strchr(commands[i]->name, ' '))
            printf("|'%s '*", commands[i]->name);
        printf(") words='--help");
        print_words(commands[i]->opts);
        print_words(global_opts);
        printf("' ;;\n");
    }
    printf("    esac\n"
           "    [ \"$COMP_CWORD\" -eq 1 ] && words='--help");
    for (size_t i = 0; commands[i]; i++)
        if (commands[i]->summary)
            printf(" %.*s", (int)strcspn(commands[i]->name, " "), commands[i]->name);
    printf("'\n");
    for (size_t i = 0; commands[i]; i++) {
        const char *space = strchr(commands[i]->name, ' ');

        if (space)
            printf(
                "    [ \"$COMP_CWORD\" -eq 2 ] && [ \"$cmd\" = '%.*s' ] && words=\"$words %s\"\n",
                (int)(space - commands[i]->name), commands[i]->name, space + 1);
    }
    printf("    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "}\n"
           "complete -F _slipway slipway\n");
}

static void print_list_of(const char *name, const struct opt *opts)
{
    for (const struct opt *o = opts; o && o->type != OPT_END; o++)
        if (!o->hidden && o->name)
            printf("%s\t%s%c\t--%s\t%s\n", name, o->letter ? "-" : "", o->letter ? o->letter : '-',
                   o->name, o->value ? o->value : "");
}

static int completion_run(struct cmd_context *context, const void *values, int count, char **args,
                          struct err *err)
{
    (void)context, (void)values, (void)count;
    if (strcmp(args[0], "bash") == 0) {
        print_bash();
        return 0;
    }
    if (strcmp(args[0], "list") != 0)
        return err_set(err, ERR_USAGE, 0, "completion: \"%s\" is neither bash nor list", args[0]);
    for (size_t i = 0; commands[i]; i++) {
        if (!commands[i]->summary)
            continue;
        printf("%s\n", commands[i]->name);
        print_list_of(commands[i]->name, commands[i]->opts);
    }
    print_list_of("", global_opts);
    return 0;
}

const struct cmd cmd_completion = {
    .name = "completion", .args = "bash|list", .min_args = 1, .max_args = 1, .run = completion_run};
