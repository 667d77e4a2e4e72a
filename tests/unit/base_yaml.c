/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "tests/tap.h"

static void values(void)
{
    static const struct {
        const char *text, *json; /* NULL: an error, which begins with … */
        const char *err;
    } rows[] = {
        {"a: 1", "{\"a\":1}", NULL},
        {"[0x1f, 0o17, 010, -3, +4]", "[31,15,8,-3,4]", NULL},
        {"[1.5, 1e3]", "[1.5,1000.0]", NULL},
        {"[true, False, ~, null, '']", "[true,false,null,null,\"\"]", NULL},
        {"[yes, on, 1_0, 0xg, 08, .5, 1.2.3, -, 0o, 0o8, -0o7]",
         "[\"yes\",\"on\",\"1_0\",\"0xg\",8.0,\".5\",\"1.2.3\",\"-\",\"0o\",\"0o8\",\"-0o7\"]",
         NULL},
        {"[\"1\", 'true', \"a\\nb\"]", "[\"1\",\"true\",\"a\\nb\"]", NULL},
        {"a:\n- b: |\n    x\n    y\n- >-\n  p\n  q\n", "{\"a\":[{\"b\":\"x\\ny\\n\"},\"p q\"]}",
         NULL},
        {"# note\n---\n{a: {b: [c]}}\n...\n", "{\"a\":{\"b\":[\"c\"]}}", NULL},
        {"a:", "{\"a\":null}", NULL},
        {"99999999999999999999", "1e20", NULL},
        {"", NULL, "line 1, column 1: an empty document"},
        {"# nothing\n", NULL, "line 2, column 1: an empty document"},
        {"a: 1\na: 2\n", NULL, "line 2, column 1: a key that stands there twice"},
        {"a: &x 1\nb: *x\n", NULL, "line 2, column 4: aliases are not supported"},
        {"a: !!str 1\n", NULL, "line 1, column 4: tags are not supported"},
        {"a: !!seq [1]\n", NULL, "line 1, column 4: tags are not supported"},
        {"a: !x {b: 1}\n", NULL, "line 1, column 4: tags are not supported"},
        {"!!str a: 1\n", NULL, "line 1, column 1: tags are not supported"},
        {"a: \"b\\0c\"\n", NULL, "line 1, column 4: text with a NUL byte"},
        {"? [x]\n: y\n", NULL, "line 1, column 3: a key that is no scalar"},
        {"--- 1\n--- 2\n", NULL, "line 2, column 1: a second document"},
        {"a: [1\n", NULL, "line 2, column 1: "},
        {"\ta: 1\n", NULL, "line 1, column 1: "},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        SCOPED(buf_release) struct buf got = {0};
        json_auto_t *doc = yaml_parse(str_of(rows[i].text), &err);

        if (doc)
            json_print(doc, &got);
        if (rows[i].json)
            EQ_STR(doc ? buf_cstr(&got) : err.text, rows[i].json);
        else
            OKF(!doc && strncmp(err.text, rows[i].err, strlen(rows[i].err)) == 0, "%s: %s",
                rows[i].text, doc ? buf_cstr(&got) : err.text);
    }
}

static void depth(void)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};
    json_auto_t *doc = NULL;

    for (int i = 0; i < 5000; i++)
        buf_addc(&text, '[');
    doc = yaml_parse(buf_str(&text), &err);
    OKF(!doc && strstr(err.text, "nested too deep"), "%s", err.text);
}

TAP_MAIN({"values", values}, {"depth", depth})
