/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/ini.h"

#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

/* "section|key=value;key=value;" for each section */
static void print(const struct ini *ini, struct buf *out)
{
    for (size_t i = 0; i < ini->count; i++) {
        buf_addf(out, "%s|", ini->sections[i].name);
        for (size_t k = 0; k < ini->sections[i].count; k++)
            buf_addf(out, "%s=%s;", ini->sections[i].pairs[k].key, ini->sections[i].pairs[k].value);
    }
}

static void files(void)
{
    static const struct {
        const char *text, *want, *err;
    } rows[] = {
        {"", "", NULL},
        {"[default]\nregion = eu-west-1\n", "default|region=eu-west-1;", NULL},
        {"\xef\xbb\xbf[default]\r\nREGION=x\r\n", "default|region=x;", NULL},
        {"# c\n; c\n\n[a]\n  # c\nk = v # not a comment\n", "a|k=v # not a comment;", NULL},
        {"[profile  \"my x\"]\nk:v\n", "profile my x|k=v;", NULL},
        {"[ 'a' ]\nk=a=b:c\n", "a|k=a=b:c;", NULL},
        {"[a]\nk=1\n[b]\n[a]\nk=2\nl=\n", "a|k=2;l=;b|", NULL},
        {"[a]\nk = 1\n  more\n", "a|k=1\nmore;", NULL},
        {"[services s]\necr =\n  endpoint_url = http://h\n  x=y\necs =\n\tendpoint_url=z\n",
         "services s|ecr=;ecr.endpoint_url=http://h;ecr.x=y;ecs=;ecs.endpoint_url=z;", NULL},
        {"[a]\n  k = v\n", "a|k=v;", NULL},
        {"k = v\n", NULL, "f:1: text before the first [section]"},
        {"[a\n", NULL, "f:1: section is not closed with ]"},
        {"[]\n", NULL, "f:1: section without a name"},
        {"[ \"x ]\n", NULL, "f:1: section name has an open quote"},
        {"[a]\n\nnonsense\n", NULL, "f:3: expected \"key = value\""},
        {"[a]\n= v\n", NULL, "f:2: expected \"key = value\""},
        {"[a]\ns3 =\n  nonsense\n", NULL, "f:3: expected \"key = value\" in the block of \"s3\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(ini_release) struct ini ini = {0};
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};
        int rc = ini_parse(str_of(rows[i].text), "f", &ini, &err);

        EQ_INT(rc, rows[i].err ? -1 : 0);
        if (rc == 0)
            print(&ini, &got);
        EQ_STR(rc < 0 ? err.text : buf_cstr(&got), rows[i].err ? rows[i].err : rows[i].want);
    }
}

static void nul_byte(void)
{
    SCOPED(ini_release) struct ini ini = {0};
    struct err err = {0};

    EQ_INT(ini_parse((struct str){"[a]\nk=\0v\n", 9}, "f", &ini, &err), -1);
    EQ_STR(err.text, "f:2: line has a NUL byte");
    EQ_STR(ini_get(NULL, "k"), NULL);
    OK(!ini_section(&ini, "b"));
}

TAP_MAIN({"files", files}, {"a NUL byte", nul_byte})
