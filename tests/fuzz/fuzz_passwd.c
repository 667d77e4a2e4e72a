/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "runtime/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Three parts with a zero byte between: USER's text, passwd, group. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str rest = {(const char *)bytes, size}, text, passwd, group;
    SCOPED(user_release) struct user user = {0};
    struct err err = {0};

    str_cut(rest, 0, &text, &rest);
    str_cut(rest, 0, &passwd, &group);
    if (user_parse(text, passwd, group, &user, &err) < 0) {
        if (!err.text[0] || user.groups || user.home)
            abort();
        return 0;
    }
    if (user.uid == UINT32_MAX || user.gid == UINT32_MAX || user.groups_count > USER_GROUPS_MAX)
        abort();
    return 0;
}
