/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/explain_fields.h"
#include "tests/tap.h"

static void split(const char *text, struct strv *out)
{
    struct str rest = str_of(text), head;

    for (bool more = rest.size > 0; more; strv_add_str(out, head))
        more = str_cut(rest, '|', &head, &rest);
}

static void fields(void)
{
    static const struct {
        const char *before, *now, *out;
    } rows[] = {
        {"a=1|b=2", "b=2|a=1", ""},
        {"a=1", "a=2", "    a: \"1\" became \"2\"\n"},
        {"a=1", "", "    a is gone: it was \"1\"\n"},
        {"", "a=1", "    a is new: \"1\"\n"},
        {"a=", "a=x=y", "    a: \"\" became \"x=y\"\n"},
        {"env 0=P=1|env 1=Q=2", "env 0=Q=2|env 1=P=1", ""},
        {"env 0=P=1", "env 0=P=2", "    ENV P: \"1\" became \"2\"\n"},
        {"env 0=P=1|ARG P=1", "env 0=P=2|ARG P=2", "    ARG P: \"1\" became \"2\"\n"},
        {"env 0=PX=1|ARG P=1", "env 0=PX=2|ARG P=1", "    ENV PX: \"1\" became \"2\"\n"},
        {"argv 0=sh|argv 1=x", "argv 0=sh|argv 1=y", "    argv 1: \"x\" became \"y\"\n"},
        {"files=a", "files=b", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv before = {0}, now = {0};
        SCOPED(buf_release) struct buf out = {0};

        split(rows[i].before, &before);
        split(rows[i].now, &now);
        EQ_INT(explain_fields(&before, &now, &out), rows[i].out[0] != 0);
        EQ_STR(buf_cstr(&out), rows[i].out);
    }
}

static void files(void)
{
    static const struct {
        const char *before, *now, *out;
    } rows[] = {
        {"644 aa x\n", "644 aa x\n", ""},
        {"644 aa x\n644 bb y\n", "644 bb y\n644 aa x\n", ""},
        {"644 aa x\n", "644 bb x\n", "    file x has another content\n"},
        {"644 aa x\n", "755 aa x\n", "    file x has another mode\n"},
        {"644 aa x\n", "644 aa y\n", "    file x is gone\n    file y is new\n"},
        {"777 ->61 x\n", "777 ->62 x\n", "    file x points elsewhere\n"},
        {"777 ->61 x\n", "644 aa x\n", "    file x has another content\n"},
        {"644 aa a b\n", "644 bb a b\n", "    file a b has another content\n"},
        {"no list", "", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};

        explain_files(str_of(rows[i].before), str_of(rows[i].now), &out);
        EQ_STR(buf_cstr(&out), rows[i].out);
    }
}

static void many_files(void)
{
    SCOPED(buf_release) struct buf now = {0}, out = {0};

    for (int i = 0; i < EXPLAIN_LINES_MAX + 5; i++)
        buf_addf(&now, "644 aa file-%03d\n", i);
    EQ_INT(explain_files(str_of(""), buf_str(&now), &out), EXPLAIN_LINES_MAX + 5);
    OK(str_ends(buf_str(&out), "    and 5 more files\n"));
}

TAP_MAIN({"fields", fields}, {"files", files}, {"many files", many_files})
