/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/in_place.h"

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

static void mounts(void)
{
    static const struct {
        const char *text, *paths, *err;
    } rows[] = {
        {"", "", ""},
        {"22 1 0:19 / / rw - overlay overlay rw\n", "", ""},
        {"22 1 0:19 / / rw - overlay o rw\n23 22 0:20 / /proc rw,nosuid - proc proc rw\n"
         "24 22 8:1 /x/hosts /etc/hosts rw master:1 - ext4 /dev/sda1 rw",
         "proc etc/hosts ", ""},
        {"24 22 8:1 / /a\\040b\\134c rw - ext4 x rw\n", "a b\\c ", ""},
        {"24 22 8:1 / /a\\04", "", "a list of mounts has the path \"/a\\04\""},
        {"24 22 8:1 / /a\\000 rw", "", "a list of mounts has the path \"/a\\000\""},
        {"24 22 8:1 / /a\\777 rw", "", "a list of mounts has the path \"/a\\777\""},
        {"24 22 8:1 / a rw", "", "a list of mounts has the path \"a\""},
        {"\n", "", "a list of mounts has the path \"\""},
        {"24 22", "", "a list of mounts has the path \"\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv paths = {0};
        SCOPED(buf_release) struct buf joined = {0};
        struct err err = {0};

        EQ_INT(in_place_parse_mounts(str_of(rows[i].text), &paths, &err), rows[i].err[0] ? -1 : 0);
        EQ_STR(err.text, rows[i].err);
        for (size_t j = 0; j < paths.count; j++)
            buf_addf(&joined, "%s ", paths.ptr[j]);
        EQ_STR(buf_cstr(&joined), rows[i].paths);
    }
}

TAP_MAIN({"mounts", mounts})
