/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opts.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

struct values {
    bool flag, other, kept;
    const char *text;
    struct strv list;
    uint64_t number, size;
};
#define AT(field) offsetof(struct values, field)
static const struct opt table[] = {
    {.type = OPT_FLAG, .letter = 'f', .name = "flag", .help = "h", .offset = AT(flag)},
    {.type = OPT_FLAG, .letter = 'o', .name = "other", .help = "h", .offset = AT(other)},
    {.type = OPT_FLAG, .name = "kept", .help = "h", .offset = AT(kept), .negatable = true},
    {.type = OPT_STR,
     .letter = 't',
     .name = "text",
     .value = "TEXT",
     .help = "h",
     .offset = AT(text)},
    {.type = OPT_LIST,
     .letter = 'l',
     .name = "list",
     .value = "ITEM",
     .help = "h",
     .offset = AT(list)},
    {.type = OPT_U64,
     .letter = 'n',
     .name = "number",
     .value = "N",
     .help = "h",
     .offset = AT(number)},
    {.type = OPT_SIZE, .name = "size", .value = "SIZE", .help = "h", .offset = AT(size)},
    {.type = OPT_END},
};
static const struct cmd plain = {
    .name = "x", .args = "A...", .opts = table, .opts_size = sizeof(struct values), .max_args = 3};
static const struct cmd stopping = {.name = "x",
                                    .opts = table,
                                    .opts_size = sizeof(struct values),
                                    .max_args = -1,
                                    .stop_at_operand = true};
static const struct cmd needy = {.name = "x",
                                 .args = "A B",
                                 .opts = table,
                                 .opts_size = sizeof(struct values),
                                 .min_args = 2,
                                 .max_args = 2};

/* "f=1 t=x l=a,b n=7 | operands" */
static void show(const struct values *v, const struct strv *operands, struct buf *out)
{
    AUTO_FREE char *list = strv_join(&v->list, ","), *words = strv_join(operands, " ");

    buf_addf(out, "%s%s%s", v->flag ? "f " : "", v->other ? "o " : "", v->kept ? "k " : "");
    if (v->text)
        buf_addf(out, "t=%s ", v->text);
    if (v->list.count)
        buf_addf(out, "l=%s ", list);
    if (v->number)
        buf_addf(out, "n=%llu ", (unsigned long long)v->number);
    if (v->size)
        buf_addf(out, "s=%llu ", (unsigned long long)v->size);
    buf_addf(out, "| %s", words);
}

static void parse(const struct cmd *cmd, const char *line, const char *want, int want_result)
{
    SCOPED(strv_release) struct strv argv = {0}, operands = {0};
    SCOPED(buf_release) struct buf got = {0};
    struct values v = {0};
    struct err err = {0};
    struct str rest = str_of(line), word;
    bool more = *line;
    int result;

    strv_add(&argv, "x");
    while (more) {
        more = str_cut(rest, ' ', &word, &rest);
        strv_add_str(&argv, word);
    }
    result = opts_parse(cmd, NULL, (int)argv.count, argv.ptr, &v, &operands, &err);
    if (result == 0)
        show(&v, &operands, &got);
    else
        buf_adds(&got, err.text);
    OKF(result == want_result, "\"%s\" gave %d", line, result);
    EQ_STR(buf_cstr(&got), want);
    if (result < 0)
        EQ_INT(err.kind, ERR_USAGE);
    opts_release(cmd, &v);
    OK(!v.list.ptr);
}

static void accepted(void)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"", "| "},
        {"a b", "| a b"},
        {"-f", "f | "},
        {"-fo a", "f o | a"},
        {"--flag --other=true", "f o | "},
        {"--flag --flag=false", "| "},
        {"--kept", "k | "},
        {"--kept --no-kept", "| "},
        {"-t x -ty", "t=y | "},
        {"-t=x", "t=x | "},
        {"--text=", "t= | "},
        {"--text --flag", "t=--flag | "},
        {"-ft x", "f t=x | "},
        {"-l a --list b --list=c,d", "l=a,b,c,d | "},
        {"-n 7 --size 2k", "n=7 s=2048 | "},
        {"a -f b", "f | a b"},
        {"-- -f --nope", "| -f --nope"},
        {"a -- -f", "| a -f"},
        {"-", "| -"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        parse(&plain, rows[i].line, rows[i].want, 0);
    parse(&stopping, "-f a -o --nope -- b", "f | a -o --nope -- b", 0);
    parse(&stopping, "-- -f", "| -f", 0);
    parse(&plain, "--help", "", 1);
    parse(&plain, "a b -h", "", 1);
    parse(&needy, "--help", "", 1);
}

static void refused(void)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"--falg", "unknown option --falg; did you mean --flag?"},
        {"--hlep", "unknown option --hlep; did you mean --help?"},
        {"--frobnicate", "unknown option --frobnicate"},
        {"-z", "unknown option -z"},
        {"-fz", "unknown option -z"},
        {"--no-flag", "unknown option --no-flag; did you mean --flag?"},
        {"--flag=1", "option --flag takes no value but true or false"},
        {"-f=1", "option -f takes no value but true or false"},
        {"--text", "option --text needs a value: TEXT"},
        {"-t", "option -t needs a value: TEXT"},
        {"-n x", "option -n: \"x\" is not a number"},
        {"-n -1", "option -n: \"-1\" is not a number"},
        {"-n 99999999999999999999", "option -n: \"99999999999999999999\" is not a number"},
        {"--size 1x", "option --size: \"1x\" is not a size (try 500m or 2g)"},
        {"a b c d", "too many arguments: did not expect \"d\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        parse(&plain, rows[i].line, rows[i].want, -1);
    parse(&needy, "a", "missing argument: A B", -1);
}

/* The command's own option wins over a global one of the same letter. */
static void globals(void)
{
    static const struct opt more[] = {
        {.type = OPT_FLAG, .letter = 'f', .name = "fast", .help = "h", .offset = 0},
        {.type = OPT_FLAG, .letter = 'q', .name = "quiet", .help = "h", .offset = 1},
        {.type = OPT_END},
    };
    SCOPED(strv_release) struct strv argv = {0}, operands = {0};
    bool global[2] = {false, false};
    struct opt_table extra = {more, global};
    struct values v = {0};
    struct err err = {0};

    strv_add(&argv, "x");
    strv_add(&argv, "-f");
    strv_add(&argv, "-q");
    OK(opts_parse(&plain, &extra, (int)argv.count, argv.ptr, &v, &operands, &err) == 0);
    OK(v.flag && !global[0] && global[1]);
    strv_clear(&argv);
    strv_add(&argv, "x");
    strv_add(&argv, "--fasst");
    OK(opts_parse(&plain, &extra, (int)argv.count, argv.ptr, &v, &operands, &err) < 0);
    EQ_STR(err.text, "unknown option --fasst; did you mean --fast?");
}

TAP_MAIN({"accepted", accepted}, {"refused", refused}, {"beside options of every command", globals})
