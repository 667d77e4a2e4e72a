/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/giturl.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is accepted holds nothing that git or ssh would take for an option. */
static void check(const struct giturl *url)
{
    if (!url->remote || !url->host || url->remote[0] == '-' || url->host[0] == '-' || !url->host[0])
        abort();
    if (url->ref && (url->ref[0] == '-' || url->ref[0] == 0 || strpbrk(url->ref, " \n~^:")))
        abort();
    if (url->subdir && (url->subdir[0] == '/' || strncmp(url->subdir, "..", 3) == 0 ||
                        strncmp(url->subdir, "../", 3) == 0 || strstr(url->subdir, "/../")))
        abort();
    if (strpbrk(url->remote, " \n\r\t#?\\"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    AUTO_FREE char *text = xstrndup((const char *)bytes, size), *sub = NULL;
    SCOPED(buf_release) struct buf shown = {0};
    char *line = strchr(text, '\n');
    struct giturl url;
    struct err err = {0};
    int rc;

    if (line) {
        sub = xstrdup(line + 1);
        *line = 0;
    }
    giturl_show(text, &shown);
    rc = giturl_parse(text, &url, &err);
    if (rc == 1)
        check(&url);
    if (rc < 0 && !err.text[0])
        abort();
    giturl_release(&url);
    if (!sub)
        return 0;
    err = (struct err){0};
    rc = giturl_submodule(text, sub, &url, &err);
    if (rc == 0)
        check(&url);
    else if (!err.text[0])
        abort();
    giturl_release(&url);
    return 0;
}
