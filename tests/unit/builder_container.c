/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/container.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

static void volumes(void)
{
    static const struct {
        const char *text, *source, *target;
        bool read_only;
        const char *err;
    } rows[] = {
        {"/a:/b", "/a", "/b", false, NULL},
        {"./a:/b:ro", "./a", "/b", true, NULL},
        {"/a:/b:rw,z", "/a", "/b", false, NULL},
        {"/a:/b:Z,ro", "/a", "/b", true, NULL},
        {"/a", NULL, NULL, false,
         "volume \"/a\": want HOST:CONTAINER[:ro]; volumes without a host path are not carried "
         "out"},
        {"data:/b", NULL, NULL, false,
         "volume \"data:/b\": \"data\" is a volume's name, and named volumes are not carried out; "
         "a path begins with / or ."},
        {"/a:b", NULL, NULL, false, "volume \"/a:b\": \"b\" is not an absolute path"},
        {"/a:", NULL, NULL, false, "volume \"/a:\": \"\" is not an absolute path"},
        {"/a:/b:shared", NULL, NULL, false,
         "volume \"/a:/b:shared\": option \"shared\" is not carried out (ro and rw are)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct container_volume v = {0};
        struct err err = {0};
        int rc = container_parse_volume(str_of(rows[i].text), &v, &err);

        OKF(rc == (rows[i].err ? -1 : 0), "%s: %s", rows[i].text, err.text);
        EQ_STR(v.source, rows[i].source);
        EQ_STR(v.target, rows[i].target);
        EQ_INT(v.read_only, rows[i].read_only);
        if (rows[i].err)
            EQ_STR(err.text, rows[i].err);
        free(v.source);
        free(v.target);
    }
}

static void words(struct strv *v, const char *text)
{
    struct str rest = str_of(text), word;

    while (rest.size) {
        str_cut(rest, ' ', &word, &rest);
        strv_add_str(v, word);
    }
}

/* docker run's table of ENTRYPOINT, CMD, --entrypoint and arguments. */
static void commands(void)
{
    static const struct {
        const char *entrypoint, *cmd, *option, *args, *want;
    } rows[] = {
        {"", "nginx -g", NULL, "", "nginx -g"},
        {"/e", "c d", NULL, "", "/e c d"},
        {"/e", "c d", NULL, "x", "/e x"},
        {"/e f", "", NULL, "", "/e f"},
        {"/e", "c", "/bin/sh", "", "/bin/sh"},
        {"/e", "c", "/bin/sh", "-c x", "/bin/sh -c x"},
        {"/e", "c", "", "x y", "x y"},
        {"/e", "c", "", "", NULL},
        {"", "", NULL, "", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv entrypoint = {0}, cmd = {0}, argv = {0};
        struct container_options o = {.entrypoint = rows[i].option};
        struct err err = {0};
        int rc;

        words(&entrypoint, rows[i].entrypoint);
        words(&cmd, rows[i].cmd);
        words(&o.args, rows[i].args);
        rc = container_command(&entrypoint, &cmd, &o, &argv, &err);
        AUTO_FREE char *got = strv_join(&argv, " ");
        OKF(rc == (rows[i].want ? 0 : -1), "row %zu", i);
        if (rows[i].want)
            EQ_STR(got, rows[i].want);
        else
            EQ_STR(err.text, "the image names no command (CMD or ENTRYPOINT): give one");
        strv_release(&o.args);
    }
}

TAP_MAIN({"volumes", volumes}, {"command lines", commands})
