/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "builder/chmod.h"
#include "tests/tap.h"

static void changes(void)
{
    static const struct {
        const char *text;
        unsigned before;
        bool is_dir;
        unsigned after;
    } rows[] = {
        {"755", 0644, false, 0755},
        {"0", 0777, true, 0},
        {"7777", 0, false, 07777},
        {"04755", 0, false, 04755},
        {"u+x", 0644, false, 0744},
        {"+x", 0644, false, 0755},
        {"a-w", 0666, false, 0444},
        {"go=", 0777, false, 0700},
        {"u=rwX,go=rX", 0600, false, 0644},
        {"u=rwX,go=rX", 0600, true, 0755},
        {"u=rwX,go=rX", 0700, false, 0755},
        {"g=u", 0640, false, 0660},
        {"o=g,g-w", 0660, false, 0646},
        {"ug+rw-x", 0111, false, 0661},
        {"u+s", 0755, false, 04755},
        {"g+s", 0755, true, 02755},
        {"o+s", 0755, true, 0755},
        {"+t", 0777, true, 01777},
        {"u+t", 0777, true, 01777},
        {"a=rx,u+w", 07777, false, 01755},
        {"u=", 04755, false, 0055},
        {"+", 0640, false, 0640},
        {"o+t", 0777, true, 0777},
        {"o=", 01777, true, 01770},
        {"u=t", 00755, true, 01055},
        {"a-x,+X", 0755, false, 0755},
        {"u+x,a-X", 0644, false, 0644},
        {"u+x,+X", 0644, false, 0744},
        {"u=g", 04750, false, 04550},
        {"-t", 01777, true, 0777},
        {"=", 06777, false, 0},
        {"+X", 0644, false, 0644},
        {"+X", 0644, true, 0755},
        {"u=rwx,g=u,o=g", 0, false, 0777},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct chmod c;
        struct err err = {0};

        OKF(chmod_parse(str_of(rows[i].text), &c, &err) == 0, "%s: %s", rows[i].text, err.text);
        unsigned after = chmod_apply(&c, rows[i].before, rows[i].is_dir);
        OKF(after == rows[i].after, "%s on %04o: %04o, not %04o", rows[i].text, rows[i].before,
            after, rows[i].after);
    }
}

static void refusals(void)
{
    static const char *const rows[] = {"",     "8",     "10000", "77777777777777", "u",
                                       "x",    "u+q",   "u?r",   "u+r,",           ",u+r",
                                       "u+ur", "a+r b", "-1 ",   "u+r,,g+r"};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct chmod c;
        struct err err = {0};

        OKF(chmod_parse(str_of(rows[i]), &c, &err) < 0 && err.text[0], "\"%s\" is accepted",
            rows[i]);
    }
    struct chmod c;
    struct err err = {0};
    OK(chmod_parse(STR("999"), &c, &err) < 0);
    EQ_STR(err.text, "--chmod=999 is neither octal (0 to 7777) nor of the form u=rwX,go=rX");
}

TAP_MAIN({"changes", changes}, {"refusals", refusals})
