/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/scope.h"
#include "registry/auth_files.h"
#include "registry/auth_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_config(json_t *doc)
{
    json_t *entry;
    const char *key;
    bool is_own;

    auth_helper_of(doc, "docker.io", &is_own);
    json_object_foreach(json_object_get(doc, "auths"), key, entry)
    {
        SCOPED(auth_login_release) struct auth_login login = {0};
        SCOPED(buf_release) struct buf host = {0};
        struct err err = {0};
        int found = auth_entry_read(entry, &login, &err);

        auth_key_host(str_of(key), &host);
        if ((found < 0) != (err.text[0] != 0))
            abort();
        if (found > 0 && !(login.user && login.password) && !login.identity_token &&
            !login.registry_token)
            abort();
    }
}

/* The same bytes as a configuration file, as a token service's reply, and as two scopes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    struct str a, b;
    AUTO_FREE char *token = NULL;
    uint64_t lifetime_s;
    struct err err = {0};
    json_auto_t *doc = json_parse(text, &err);
    SCOPED(buf_release) struct buf merged = {0};

    if (doc)
        read_config(doc);
    err = (struct err){0};
    if (auth_token_read(text, &token, &lifetime_s, &err) < 0 && !err.text[0])
        abort();
    str_cut(text, '\n', &a, &b);
    auth_scope_merge(a, b, &merged);
    if (!auth_scope_covers(buf_str(&merged), b) || !auth_scope_covers(buf_str(&merged), a))
        abort();
    return 0;
}
