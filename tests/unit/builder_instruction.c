/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/scope.h"
#include "builder/instruction.h"
#include "tests/tap.h"

static void keywords(void)
{
    static const struct {
        const char *text, *keyword, *suggestion;
    } rows[] = {
        {"RUN", "RUN", NULL},
        {"run", "RUN", NULL},
        {"OnBuild", "ONBUILD", NULL},
        {"RUNN", NULL, "RUN"},
        {"FRM", NULL, "FROM"},
        {"ENTRYPIONT", NULL, "ENTRYPOINT"},
        {"EXPOES", NULL, "EXPOSE"},
        {"WORKDIRR", NULL, "WORKDIR"},
        {"apt-get", NULL, NULL},
        {"X", NULL, NULL},
        {"", NULL, NULL},
        {"&&", NULL, NULL},
        {"AB", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *suggestion;
        int kind = instr_kind_of(str_of(rows[i].text), &suggestion);

        EQ_STR(kind < 0 ? NULL : instr_keyword((enum instr_kind)kind), rows[i].keyword);
        if (kind < 0)
            EQ_STR(suggestion, rows[i].suggestion);
    }
}

/* Which flags there are, and which of them are carried out. */
static void flags(void)
{
    static const struct {
        enum instr_kind kind;
        const char *name, *value;
        bool known, supported;
    } rows[] = {
        {INSTR_COPY, "from", "x", true, true},
        {INSTR_COPY, "link", "true", true, true},
        {INSTR_COPY, "link", "false", true, true},
        {INSTR_COPY, "parents", "true", true, true},
        {INSTR_COPY, "exclude", "*.o", true, true},
        {INSTR_ADD, "exclude", "*.o", true, true},
        {INSTR_ADD, "link", "true", true, true},
        {INSTR_ADD, "parents", "true", false, true},
        {INSTR_COPY, "checksum", "x", false, true},
        {INSTR_ADD, "from", "x", false, true},
        {INSTR_ADD, "chown", "x", true, true},
        {INSTR_ADD, "unpack", "false", true, true},
        {INSTR_ADD, "checksum", "x", true, true},
        {INSTR_ADD, "keep-git-dir", "false", true, true},
        {INSTR_RUN, "mount", "x", true, true},
        {INSTR_RUN, "network", "default", true, true},
        {INSTR_RUN, "network", "none", true, true},
        {INSTR_RUN, "security", "insecure", true, true},
        {INSTR_RUN, "device", "x", true, true},
        {INSTR_FROM, "platform", "x", true, true},
        {INSTR_HEALTHCHECK, "start-interval", "1s", true, true},
        {INSTR_ENV, "x", "x", false, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct flag flag = {(char *)(uintptr_t)rows[i].name, (char *)(uintptr_t)rows[i].value, 7};
        struct instruction in = {.kind = rows[i].kind,
                                 .keyword = instr_keyword(rows[i].kind),
                                 .flags = &flag,
                                 .flags_count = 1};
        struct err err = {0};
        const char *suggestion;
        unsigned line = 0;
        bool known = instr_flag_rule(in.kind, str_of(flag.name), &suggestion) != NULL;
        bool supported = instr_check_flags(&in, &line, &err) == 0;

        OKF(known == rows[i].known, "%s --%s", in.keyword, flag.name);
        OKF(supported == rows[i].supported, "%s --%s=%s: %s", in.keyword, flag.name, flag.value,
            err.text);
        EQ_INT(line, supported ? 0 : 7);
    }
}

static void foreign_sources(void)
{
    static const struct {
        const char *source, *what; /* NULL: a path */
    } rows[] = {
        {"https://example.org/x.tar", "URL"},
        {"http://example.org", "URL"},
        {"https://example.org/x.git", "git repository"},
        {"https://example.org/x.git#v1:sub", "git repository"},
        {"git@example.org:x", "git repository"},
        {"git://example.org/x", "git repository"},
        {"ssh://example.org/x", "git repository"},
        {"x.git", NULL},
        {"httpsx", NULL},
        {"/git@x", NULL},
        {"", NULL},
    };
    struct instruction in = {.kind = INSTR_COPY, .keyword = "COPY"};
    struct instruction add = {.kind = INSTR_ADD, .keyword = "ADD"};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        int result = instr_check_source(&in, str_of(rows[i].source), &err);

        OKF((result == 0) == !rows[i].what, "%s: %s", rows[i].source, err.text);
        if (rows[i].what)
            OKF(strstr(err.text, rows[i].what) != NULL, "%s: %s", rows[i].source, err.text);
        OK(instr_check_source(&add, str_of(rows[i].source), &err) == 0);
    }
}

TAP_MAIN({"keywords", keywords}, {"flags", flags}, {"foreign sources", foreign_sources})
