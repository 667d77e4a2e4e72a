/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/scope.h"
#include "cli/registry_opts.h"
#include "registry/remote.h"
#include "tests/tap.h"

static char dir[] = "/tmp/slipway-opts.XXXXXX";

static bool write_config(const char *text)
{
    SCOPED(buf_release) struct buf path = {0};
    struct err err = {0};

    buf_addf(&path, "%s/config.json", dir);
    setenv("SLIPWAY_CONFIG", buf_cstr(&path), 1);
    return OKF(fs_replace(AT_FDCWD, buf_cstr(&path), text, strlen(text), 0600, false, &err) == 0,
               "%s", err.text);
}

static void remove_dir(void)
{
    struct err err = {0};

    fs_remove_tree(AT_FDCWD, dir, &err);
}

/* An option beats the environment, that beats the file: host by host. */
static void order(void)
{
    SCOPED(remote_settings_release) struct remote_settings got = {0};
    struct registry_opts opts = {.ca_file = NULL};
    AUTO_FREE char *mirrors = NULL, *endpoints = NULL, *insecure = NULL;
    struct err err = {0};

    if (!write_config("{\"registries\":{\"docker.io\":{\"mirrors\":[\"f1\"],\"insecure\":true},"
                      "\"quay.io\":{\"mirrors\":[\"f2\",\"f3\"],\"endpoint\":\"f4\"},"
                      "\"ghcr.io\":{\"mirrors\":[\"f5\"],\"endpoint\":\"f6\",\"insecure\":false}},"
                      "\"caFile\":\"/f.pem\"}"))
        return;
    setenv("SLIPWAY_REGISTRY_MIRROR", "index.docker.io=e1, quay.io=e2,,quay.io=e3", 1);
    setenv("SLIPWAY_REGISTRY_ENDPOINT", "quay.io=e4", 1);
    setenv("SLIPWAY_INSECURE_REGISTRY", "a:1,b", 1);
    setenv("SLIPWAY_CA_FILE", "", 1);
    strv_add(&opts.mirrors, "docker.io=o1");
    strv_add(&opts.mirrors, "docker.io=o2");
    if (OKF(registry_opts_settings(&opts, &got, &err) == 0, "%s", err.text)) {
        mirrors = strv_join(&got.mirrors, " ");
        endpoints = strv_join(&got.endpoints, " ");
        insecure = strv_join(&got.insecure, " ");
        EQ_STR(mirrors, "docker.io=o1 docker.io=o2 quay.io=e2 quay.io=e3 ghcr.io=f5");
        EQ_STR(endpoints, "quay.io=e4 ghcr.io=f6");
        EQ_STR(insecure, "a:1 b docker.io");
        EQ_STR(got.ca_file, "/f.pem");
    }
    strv_release(&opts.mirrors);
    unsetenv("SLIPWAY_REGISTRY_MIRROR");
    unsetenv("SLIPWAY_REGISTRY_ENDPOINT");
    unsetenv("SLIPWAY_INSECURE_REGISTRY");
    unsetenv("SLIPWAY_CA_FILE");
}

static void refused(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"{}", NULL},
        {"[]", "config.json: "},
        {"{\"registries\":[]}", "config.json: \"registries\" is no object"},
        {"{\"registry\":{}}", "config.json: slipway has no setting \"registry\""},
        {"{\"registries\":{\"a\":1}}", "config.json: registry a: "},
        {"{\"registries\":{\"a\":{\"mirrors\":\"x\"}}}",
         "config.json: registry a: \"mirrors\" is no list"},
        {"{\"registries\":{\"a\":{\"mirrors\":[1]}}}",
         "config.json: registry a: \"mirrors\" has an element that is no text"},
        {"{\"registries\":{\"a\":{\"insecure\":\"yes\"}}}", "config.json: registry a: "},
        {"{\"registries\":{\"a\":{\"Insecure\":true}}}",
         "config.json: registry a: a has no setting \"Insecure\""},
        {"{", "config.json: line 1"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(remote_settings_release) struct remote_settings got = {0};
        struct registry_opts opts = {.ca_file = NULL};
        struct err err = {0};
        const char *tail;

        if (!write_config(rows[i].text))
            return;
        EQ_INT(registry_opts_settings(&opts, &got, &err), rows[i].err ? -1 : 0);
        tail = strstr(err.text, "config.json");
        OKF(!rows[i].err || (tail && strncmp(tail, rows[i].err, strlen(rows[i].err)) == 0),
            "row %zu: %s", i, err.text);
    }
}

static void files(void)
{
    if (OK(mkdtemp(dir) != NULL)) {
        order();
        refused();
        remove_dir();
    }
}

TAP_MAIN({"options, environment, file", files})
