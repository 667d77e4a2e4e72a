/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/resolved.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/layout.h"
#include "registry/reference.h"

#define DIR_NAME "resolved"
#define RECORD_MAX 65536

static void record_path(const struct reference *ref, char out[static 96])
{
    AUTO_FREE char *name = reference_name(ref);
    char digest[DIGEST_SIZE];

    digest_of(name, strlen(name), digest);
    snprintf(out, 96, DIR_NAME "/%s", digest_hex(digest));
}

int resolved_find(const struct layout *l, const struct reference *ref, struct descriptor *out)
{
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *doc = NULL;
    struct err why = {0};
    char path[96];

    record_path(ref, path);
    if (fs_read_file(l->cache_fd, path, &text, RECORD_MAX, &why) < 0)
        return 0;
    doc = json_parse(buf_str(&text), &why);
    if (doc && descriptor_from_json(doc, out, &why) == 0)
        return 1;
    log_debug("%s counts as none: %s", path, why.text);
    return 0;
}

int resolved_save(const struct layout *l, const struct reference *ref, const struct descriptor *d,
                  struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *doc = descriptor_to_json(d);
    char path[96];

    json_print(doc, &text);
    record_path(ref, path);
    if (fs_mkdirs(l->cache_fd, DIR_NAME, 0700, err) < 0)
        return -1;
    return fs_replace(l->cache_fd, path, text.ptr, text.size, 0600, false, err);
}
