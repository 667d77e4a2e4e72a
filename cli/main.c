/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "registry/layout.h"

enum { EXIT_USAGE = 2 };

/* A program started with 0, 1 or 2 closed must not get a blob's descriptor there and print into it.
 * A closed standard output stays one that cannot be written: a result that nobody gets is an error.
 */
static void fill_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", fcntl(STDIN_FILENO, F_GETFD) < 0 ? O_RDWR : O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

/* SIGPIPE is ignored: a peer that goes away is an error of that write, not our end. Children get
 * the default back (base/proc, runtime). A reader of our own stdout that goes away ends us quietly.
 */
static int finish_stdout(int status)
{
    bool failed = fflush(stdout) != 0;
    int why = errno;

    failed = ferror(stdout) || failed;
    if (!failed)
        return status;
    if (why != EPIPE)
        log_error("write standard output: %s", strerror(why));
    return status ? status : EXIT_FAILURE;
}

static int apply_globals(const struct global_opts *g, struct err *err)
{
    enum progress_mode mode;

    if (g->quiet)
        progress_set_mode(PROGRESS_QUIET);
    if (g->verbose || g->quiet)
        log_set_level(g->verbose ? LOG_DEBUG : LOG_WARN);
    if (!g->progress)
        return 0;
    if (progress_mode_parse(g->progress, &mode) < 0)
        return err_set(err, ERR_USAGE, 0,
                       "option --progress: \"%s\" is not auto, plain, tty, quiet, none or rawjson",
                       g->progress);
    progress_set_mode(mode);
    return 0;
}

/* A command without a store must not fail for want of a place for it: layout_open() will say it. */
static char *store_root(const struct global_opts *g)
{
    const char *root = g->root ? g->root : getenv("SLIPWAY_ROOT");
    struct err ignored = {0};

    return root && *root ? xstrdup(root) : layout_default_root(&ignored);
}

static int tell(const char *name, const struct err *err)
{
    progress_clear();
    if (err->kind == ERR_USAGE) {
        log_error("%s%s%s", name ? name : "", name ? ": " : "", err->text);
        fprintf(stderr, "see slipway %s%s--help\n", name ? name : "", name ? " " : "");
        return EXIT_USAGE;
    }
    log_error("%s", err->text);
    return EXIT_FAILURE;
}

/* argv[0] is the last word of the command's name. */
static int run(const struct cmd *cmd, struct global_opts *g, int argc, char **argv)
{
    SCOPED(strv_release) struct strv operands = {0};
    AUTO_FREE void *opts = xcalloc(1, cmd->opts_size ? cmd->opts_size : 1);
    struct opt_table globals = {global_opts, g};
    AUTO_FREE char *root = NULL;
    struct cmd_context context = {0};
    struct err err = {0};
    int status = opts_parse(cmd, &globals, argc, argv, opts, &operands, &err);

    if (status > 0) {
        opts_print_help(cmd, &globals);
        status = 0;
    } else if (status == 0) {
        status = apply_globals(g, &err);
        root = store_root(g);
        context.root = root;
        context.quiet = g->quiet;
        context.progress = g->progress || g->quiet;
        if (status == 0)
            status = cmd->run(&context, opts, (int)operands.count, operands.ptr, &err);
    }
    opts_release(cmd, opts);
    return status < 0 ? tell(cmd->name, &err) : status;
}

/* "slipway help push" is "slipway push --help". */
static int help(int count, char **args)
{
    struct global_opts none = {0};
    struct opt_table globals = {global_opts, &none};
    struct err err = {0};
    const struct cmd *cmd;
    int used;

    if (count == 0 || (count == 1 && commands_is_group(args[0]))) {
        commands_print_help(count ? args[0] : NULL);
        return 0;
    }
    cmd = commands_find(count, args, &used, &err);
    if (!cmd)
        return tell(NULL, &err);
    opts_print_help(cmd, &globals);
    return 0;
}

static int dispatch(int argc, char **argv)
{
    /* What stands before the command's name: options of the program. */
    static const struct opt version_flag[] = {{.type = OPT_FLAG, .name = "version"},
                                              {.type = OPT_END}};
    static const struct cmd self = {.name = "",
                                    .args = "COMMAND",
                                    .opts = version_flag,
                                    .opts_size = sizeof(bool),
                                    .max_args = -1,
                                    .stop_at_operand = true};
    SCOPED(strv_release) struct strv rest = {0};
    struct global_opts g = {0};
    struct opt_table globals = {global_opts, &g};
    struct err err = {0};
    const struct cmd *cmd;
    bool version = false;
    int used, status = opts_parse(&self, &globals, argc, argv, &version, &rest, &err);

    if (status < 0)
        return tell(NULL, &err);
    if (version)
        strv_add(&rest, "version");
    if (status > 0) {
        commands_print_help(NULL);
        return 0;
    }
    if (rest.count == 0) {
        err_set(&err, ERR_USAGE, 0, "no command given");
        return tell(NULL, &err);
    }
    if (strcmp(rest.ptr[0], "help") == 0)
        return help((int)rest.count - 1, rest.ptr + 1);
    if (rest.count == 2 && commands_is_group(rest.ptr[0]) &&
        (strcmp(rest.ptr[1], "--help") == 0 || strcmp(rest.ptr[1], "-h") == 0))
        return help(1, rest.ptr);
    cmd = commands_find((int)rest.count, rest.ptr, &used, &err);
    if (!cmd)
        return tell(NULL, &err);
    return run(cmd, &g, (int)rest.count - used + 1, rest.ptr + used - 1);
}

int main(int argc, char **argv)
{
    fill_standard_fds();
    signal(SIGPIPE, SIG_IGN);
    return finish_stdout(dispatch(argc, argv));
}
