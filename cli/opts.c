/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opts.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "base/str.h"

/* One walk over argv. */
struct parse {
    const struct cmd *cmd;
    const struct opt_table *globals;
    void *values;
    int argc, next;
    char **argv;
    struct strv *operands;
    bool help;
    struct err *err;
};

/* Where an option was found: its table's values. */
struct found {
    const struct opt *opt;
    char *slot;
};

static struct found search(const struct opt *opts, void *values, struct str name, char letter)
{
    for (const struct opt *o = opts; o && o->type != OPT_END; o++)
        if (letter ? o->letter == letter : (o->name && str_is(name, o->name)))
            return (struct found){o, (char *)values + o->offset};
    return (struct found){NULL, NULL};
}

static struct found find(struct parse *p, struct str name, char letter)
{
    struct found f = search(p->cmd->opts, p->values, name, letter);

    if (!f.opt && p->globals)
        f = search(p->globals->opts, p->globals->values, name, letter);
    return f;
}

const char *opts_nearest(const char *typed, const struct strv *words)
{
    const char *best = NULL;
    unsigned best_distance = 64;

    for (size_t i = 0; i < words->count; i++) {
        unsigned d = str_distance(str_of(typed), str_of(words->ptr[i]));

        if (d < best_distance) {
            best_distance = d;
            best = words->ptr[i];
        }
    }
    /* A third of the word may be wrong; a short word may have one slip. */
    return best && best_distance <= 1 + strlen(typed) / 3 && best_distance < strlen(best) ? best
                                                                                          : NULL;
}

static void add_names(struct strv *names, const struct opt *opts)
{
    for (const struct opt *o = opts; o && o->type != OPT_END; o++)
        if (o->name && !o->hidden)
            strv_addf(names, "--%s", o->name);
}

static int unknown(struct parse *p, struct str shown)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FREE char *typed = str_dup(shown);
    const char *near;

    add_names(&names, p->cmd->opts);
    if (p->globals)
        add_names(&names, p->globals->opts);
    strv_add(&names, "--help");
    near = typed[1] == '-' ? opts_nearest(typed, &names) : NULL;
    err_set(p->err, ERR_USAGE, 0, "unknown option %s", typed);
    return near ? err_add(p->err, "; did you mean %s?", near) : -1;
}

/* value NULL: a flag without one. */
static int store(struct parse *p, struct found f, const char *shown, const char *value)
{
    struct str v = str_of(value);
    uint64_t number;

    switch (f.opt->type) {
    case OPT_FLAG:
        if (value && !str_is(v, "true") && !str_is(v, "false"))
            return err_set(p->err, ERR_USAGE, 0, "option %s takes no value but true or false",
                           shown);
        *(bool *)f.slot = !value || str_is(v, "true");
        return 0;
    case OPT_STR:
        *(const char **)(void *)f.slot = value;
        return 0;
    case OPT_LIST:
        strv_add((struct strv *)(void *)f.slot, value);
        return 0;
    case OPT_U64:
        if (!str_u64(v, &number))
            return err_set(p->err, ERR_USAGE, 0, "option %s: \"%s\" is not a number", shown, value);
        break;
    case OPT_SIZE:
        if (!str_size(v, &number))
            return err_set(p->err, ERR_USAGE, 0, "option %s: \"%s\" is not a size (try 500m or 2g)",
                           shown, value);
        break;
    default:
        BUG_ON(f.opt->type != OPT_END);
        return 0;
    }
    *(uint64_t *)(void *)f.slot = number;
    return 0;
}

static const char *take_value(struct parse *p, struct found f, const char *shown)
{
    if (p->next < p->argc)
        return p->argv[p->next++];
    err_set(p->err, ERR_USAGE, 0, "option %s needs a value: %s", shown,
            f.opt->value ? f.opt->value : "VALUE");
    return NULL;
}

static int long_option(struct parse *p, const char *arg)
{
    struct str whole = str_of(arg), shown, value;
    bool has_value = str_cut(whole, '=', &shown, &value);
    struct str name = str_slice(shown, 2, shown.size);
    struct found f = find(p, name, 0);
    AUTO_FREE char *text = str_dup(shown);
    const char *v = has_value ? value.ptr : NULL;

    if (!f.opt && str_is(name, "help")) {
        p->help = true;
        return 0;
    }
    if (!f.opt && str_starts(name, "no-") && !has_value) {
        f = find(p, str_slice(name, 3, name.size), 0);
        if (f.opt && f.opt->type == OPT_FLAG && f.opt->negatable)
            return store(p, f, text, "false");
        f.opt = NULL;
    }
    if (!f.opt)
        return unknown(p, shown);
    if (!v && f.opt->type != OPT_FLAG) {
        v = take_value(p, f, text);
        if (!v)
            return -1;
    }
    return store(p, f, text, v);
}

/* "-abc": flags in a row; the first that takes a value takes the rest, or the next word. */
static int short_options(struct parse *p, const char *arg)
{
    for (const char *c = arg + 1; *c; c++) {
        char shown[3] = {'-', *c, 0};
        struct found f = find(p, STR(""), *c);
        const char *v = NULL;

        if (!f.opt && *c == 'h') {
            p->help = true;
            continue;
        }
        if (!f.opt)
            return unknown(p, str_of(shown));
        if (f.opt->type != OPT_FLAG) {
            v = c[1] ? c + 1 + (c[1] == '=') : take_value(p, f, shown);
            return v ? store(p, f, shown, v) : -1;
        }
        if (c[1] == '=')
            return store(p, f, shown, c + 2);
        if (store(p, f, shown, NULL) < 0)
            return -1;
    }
    return 0;
}

static int check_operands(struct parse *p)
{
    const struct cmd *cmd = p->cmd;
    int count = (int)p->operands->count;

    if (cmd->max_args >= 0 && count > cmd->max_args) {
        const char *extra = p->operands->ptr[cmd->max_args];

        return err_set(p->err, ERR_USAGE, 0, "%s \"%s\"",
                       cmd->max_args ? "too many arguments: did not expect"
                                     : "takes no arguments, got",
                       extra);
    }
    if (count < cmd->min_args)
        return err_set(p->err, ERR_USAGE, 0, "missing argument: %s", cmd->args);
    return 0;
}

int opts_parse(const struct cmd *cmd, const struct opt_table *globals, int argc, char **argv,
               void *opts, struct strv *operands, struct err *err)
{
    struct parse p = {cmd, globals, opts, argc, 1, argv, operands, false, err};
    bool ended = false;

    if (cmd->opts_size)
        memset(opts, 0, cmd->opts_size);
    while (p.next < argc) {
        const char *arg = argv[p.next++];

        if (ended || arg[0] != '-' || !arg[1]) {
            strv_add(operands, arg);
            ended = ended || cmd->stop_at_operand;
        } else if (strcmp(arg, "--") == 0) {
            ended = true;
        } else if ((arg[1] == '-' ? long_option(&p, arg) : short_options(&p, arg)) < 0) {
            return -1;
        }
    }
    return p.help ? 1 : check_operands(&p);
}

void opts_release(const struct cmd *cmd, void *opts)
{
    for (const struct opt *o = cmd->opts; o && o->type != OPT_END; o++)
        if (o->type == OPT_LIST)
            strv_release((struct strv *)(void *)((char *)opts + o->offset));
}

#define HELP_COLUMN 32

static void print_options(const char *title, const struct opt *opts)
{
    bool any = false;

    for (const struct opt *o = opts; o && o->type != OPT_END; o++) {
        SCOPED(buf_release) struct buf left = {0};

        if (o->hidden)
            continue;
        if (!any)
            printf("\n%s:\n", title);
        any = true;
        buf_adds(&left, "  ");
        if (o->letter)
            buf_addf(&left, "-%c", o->letter);
        else
            buf_adds(&left, "  ");
        if (o->name)
            buf_addf(&left, "%s --%s%s", o->letter ? "," : " ", o->negatable ? "[no-]" : "",
                     o->name);
        if (o->value)
            buf_addf(&left, " %s", o->value);
        if (left.size >= HELP_COLUMN - 1)
            printf("%s\n%*s%s\n", buf_cstr(&left), HELP_COLUMN, "", o->help);
        else
            printf("%-*s%s\n", HELP_COLUMN, buf_cstr(&left), o->help);
    }
}

void opts_print_help(const struct cmd *cmd, const struct opt_table *globals)
{
    bool has_opts = cmd->opts && cmd->opts->type != OPT_END;

    printf("usage: slipway %s%s%s%s\n\n%s\n", cmd->name, has_opts ? " [options]" : "",
           cmd->args && *cmd->args ? " " : "", cmd->args ? cmd->args : "", cmd->summary);
    print_options("options", cmd->opts);
    if (globals)
        print_options("options of every command", globals->opts);
}
