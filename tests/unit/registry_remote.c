/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "registry/reference.h"
#include "registry/remote.h"
#include "tests/tap.h"

static void drop(struct remote **remote)
{
    remote_free(*remote);
}

static void settings_refused(void)
{
    static const struct {
        const char *mirror, *endpoint, *insecure, *ca_file, *err;
    } rows[] = {
        {NULL, NULL, NULL, NULL, NULL},
        {"docker.io=https://m.example", "a.example=https://127.0.0.1:5000", "b.example:5000", NULL,
         NULL},
        {"docker.io", NULL, NULL, NULL, "registry mirror \"docker.io\" is not HOST=URL"},
        {NULL, "a.example=x y", NULL, NULL,
         "registry endpoint \"a.example=x y\": \"x y\" has no valid host name"},
        {NULL, "a.example=https://b.example/x", NULL, NULL,
         "registry endpoint for a.example: a path (/x) is not supported, only where to connect"},
        {NULL, "a.example=http://b.example", NULL, NULL,
         "registry endpoint for a.example: http to b.example needs --insecure a.example"},
        {NULL, "a.example=http://b.example", "a.example", NULL, NULL},
        {NULL, "a.example=http://127.0.0.1:5000", NULL, NULL, NULL},
        {NULL, NULL, "a/b", NULL, "--insecure \"a/b\" is no registry host"},
        {NULL, NULL, NULL, "/nonexistent/ca.pem",
         "CA file: open /nonexistent/ca.pem: No such file or directory"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(remote_settings_release) struct remote_settings settings = {0};
        SCOPED(drop) struct remote *remote = NULL;
        struct err err = {0};

        if (rows[i].mirror)
            strv_add(&settings.mirrors, rows[i].mirror);
        if (rows[i].endpoint)
            strv_add(&settings.endpoints, rows[i].endpoint);
        if (rows[i].insecure)
            strv_add(&settings.insecure, rows[i].insecure);
        settings.ca_file = rows[i].ca_file ? strdup(rows[i].ca_file) : NULL;
        remote = remote_open(&settings, &err);
        OKF((remote != NULL) == (rows[i].err == NULL), "row %zu: %s", i, err.text);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
    }
}

/* Hosts that are neither loopback nor insecure are not asked which scheme they speak, so this needs
 * no network. */
static void places(void)
{
    static const struct {
        const char *image;
        bool push;
        const char *want; /* "base host repository[ mirror]; …" */
    } rows[] = {
        {"node:alpine", false,
         "https://m.example/hub m.example library/node mirror; https://n.example:5000 "
         "n.example:5000 library/node mirror; "
         "https://registry-1.docker.io docker.io library/node"},
        {"node:alpine", true, "https://registry-1.docker.io docker.io library/node"},
        {"r.example:5000/a/b", false, "https://r.example:5000 r.example:5000 a/b"},
        {"e.example/a", false, "http://e.example e.example a"},
    };
    SCOPED(remote_settings_release) struct remote_settings settings = {0};
    SCOPED(drop) struct remote *remote = NULL;
    struct err err = {0};

    strv_add(&settings.mirrors, "docker.io=https://m.example/hub/v2/");
    strv_add(&settings.mirrors, "quay.io=https://q.example");
    strv_add(&settings.mirrors, "index.docker.io=n.example:5000");
    strv_add(&settings.endpoints, "e.example=http://127.0.0.1:5000");
    remote = remote_open(&settings, &err);
    if (!OKF(remote != NULL, "%s", err.text))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(reference_release) struct reference ref = {0};
        SCOPED(remote_places_release) struct remote_places found = {0};
        SCOPED(buf_release) struct buf got = {0};

        OK(reference_parse(rows[i].image, &ref, &err) == 0);
        OK(remote_find(remote, &ref, rows[i].push, &found, &err) == 0);
        for (size_t j = 0; j < found.count; j++)
            buf_addf(&got, "%s%s %s %s%s", j ? "; " : "", found.items[j].base, found.items[j].host,
                     found.items[j].repository, found.items[j].is_mirror ? " mirror" : "");
        EQ_STR(buf_cstr(&got), rows[i].want);
    }
}

TAP_MAIN({"settings", settings_refused}, {"places", places})
