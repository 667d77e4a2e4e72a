/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/scope.h"
#include "registry/layout.h"
#include "registry/origins.h"
#include "tests/tap.h"

static const char digest[] =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void remembered(void)
{
    char root[] = "/tmp/slipway-origins.XXXXXX";
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(strv_release) struct strv found = {0};
    AUTO_FREE char *text = NULL;
    struct err err = {0};

    if (!OK(mkdtemp(root) != NULL) || !OKF(layout_open(&l, root, &err) == 0, "%s", err.text))
        return;
    origins_find(&l, digest, "r.example", "x", &found);
    EQ_INT(found.count, 0);
    origins_add(&l, digest, "r.example", "team/a");
    origins_add(&l, digest, "r.example:5000", "team/b");
    origins_add(&l, digest, "r.example", "c");
    origins_add(&l, digest, "r.example", "team/a");
    origins_find(&l, digest, "r.example", "x", &found);
    text = strv_join(&found, " ");
    EQ_STR(text, "c team/a"); /* latest first, each once, this host only */
    strv_clear(&found);
    origins_find(&l, digest, "r.example", "c", &found);
    EQ_INT(found.count, 1);
    fs_remove_tree(AT_FDCWD, root, &err);
}

/* A file that something else wrote gives no repository that is none. */
static void damaged(void)
{
    static const char bytes[] =
        "r.example/good\nr.example/Bad\nr.example/../x\n\n/x\nr.example/a?b=c\nr.example/tail";
    char root[] = "/tmp/slipway-origins.XXXXXX";
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(strv_release) struct strv found = {0};
    AUTO_FREE char *text = NULL;
    struct err err = {0};

    if (!OK(mkdtemp(root) != NULL) || !OKF(layout_open(&l, root, &err) == 0, "%s", err.text))
        return;
    OK(fs_mkdirs(l.cache_fd, "origins", 0755, &err) == 0);
    OK(fs_replace(l.cache_fd,
                  "origins/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", bytes,
                  sizeof(bytes) - 1, 0644, false, &err) == 0);
    origins_find(&l, digest, "r.example", "x", &found);
    text = strv_join(&found, " ");
    EQ_STR(text, "tail good");
    fs_remove_tree(AT_FDCWD, root, &err);
}

TAP_MAIN({"remembered", remembered}, {"damaged", damaged})
