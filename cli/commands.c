/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "base/str.h"

/* One line each here and in the list below, in the order of `slipway --help`. */
extern const struct cmd cmd_build;
extern const struct cmd cmd_run;
extern const struct cmd cmd_push;
extern const struct cmd cmd_pull;
extern const struct cmd cmd_login;
extern const struct cmd cmd_logout;
extern const struct cmd cmd_images;
extern const struct cmd cmd_tag;
extern const struct cmd cmd_rm;
extern const struct cmd cmd_inspect;
extern const struct cmd cmd_history;
extern const struct cmd cmd_import;
extern const struct cmd cmd_save;
extern const struct cmd cmd_load;
extern const struct cmd cmd_prune;
extern const struct cmd cmd_du;
extern const struct cmd cmd_ecs_deploy;
extern const struct cmd cmd_doctor;
extern const struct cmd cmd_version;
extern const struct cmd cmd_completion;

const struct cmd *const commands[] = {
    &cmd_build, &cmd_run, &cmd_push,       &cmd_pull,    &cmd_login,   &cmd_logout,     &cmd_images,
    &cmd_tag,   &cmd_rm,  &cmd_inspect,    &cmd_history, &cmd_import,  &cmd_save,       &cmd_load,
    &cmd_prune, &cmd_du,  &cmd_ecs_deploy, &cmd_doctor,  &cmd_version, &cmd_completion, NULL,
};

const struct opt global_opts[] = {
    {.type = OPT_STR,
     .name = "root",
     .value = "DIR",
     .help = "the store (default $SLIPWAY_ROOT)",
     .offset = offsetof(struct global_opts, root)},
    {.type = OPT_STR,
     .name = "progress",
     .value = "HOW",
     .help = "auto, plain, tty, quiet, none or rawjson",
     .offset = offsetof(struct global_opts, progress)},
    {.type = OPT_FLAG,
     .letter = 'q',
     .name = "quiet",
     .help = "no progress, only warnings and errors",
     .offset = offsetof(struct global_opts, quiet)},
    {.type = OPT_FLAG,
     .letter = 'v',
     .name = "verbose",
     .help = "say what is done, line by line",
     .offset = offsetof(struct global_opts, verbose)},
    {.type = OPT_END},
};

static bool hidden(const struct cmd *cmd)
{
    return cmd->summary == NULL;
}

/* "ecs" of "ecs deploy"; empty for one-word names. */
static struct str group_of(const struct cmd *cmd)
{
    struct str head, rest;

    return str_cut(str_of(cmd->name), ' ', &head, &rest) ? head : STR("");
}

bool commands_is_group(const char *word)
{
    for (size_t i = 0; commands[i]; i++)
        if (str_is(group_of(commands[i]), word))
            return true;
    return false;
}

static const struct cmd *by_name(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static const struct cmd *unknown(const char *typed, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    const char *near;

    for (size_t i = 0; commands[i]; i++) {
        struct str group = group_of(commands[i]);

        if (hidden(commands[i]))
            continue;
        strv_add(&names, commands[i]->name);
        if (group.size)
            strv_add_str(&names, group);
    }
    near = opts_nearest(typed, &names);
    err_set(err, ERR_USAGE, 0, "unknown command \"%s\"", typed);
    if (near)
        err_add(err, "; did you mean %s?", near);
    return NULL;
}

const struct cmd *commands_find(int count, char **args, int *used, struct err *err)
{
    AUTO_FREE char *two = NULL;
    const struct cmd *cmd = by_name(args[0]);

    *used = 1;
    if (cmd || !commands_is_group(args[0]))
        return cmd ? cmd : unknown(args[0], err);
    if (count < 2) {
        err_set(err, ERR_USAGE, 0, "%s: which command? see slipway %s --help", args[0], args[0]);
        return NULL;
    }
    *used = 2;
    two = xasprintf("%s %s", args[0], args[1]);
    cmd = by_name(two);
    return cmd ? cmd : unknown(two, err);
}

void commands_print_help(const char *group)
{
    printf("usage: slipway [options] %s [arguments]\n\n", group ? group : "COMMAND");
    if (!group)
        printf("Dockerfile to image, image to registry, registry to Amazon ECS: no daemon, no "
               "Docker.\n\n");
    printf("commands:\n");
    for (size_t i = 0; commands[i]; i++)
        if (!hidden(commands[i]) && (!group || str_is(group_of(commands[i]), group)))
            printf("  %-22s%s\n", commands[i]->name, commands[i]->summary);
    printf("\n\"slipway COMMAND --help\" tells a command's options; man slipway-COMMAND tells the "
           "rest.\n");
}
