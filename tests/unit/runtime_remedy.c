/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/remedy.h"

#include <errno.h>

#include "base/scope.h"
#include "tests/tap.h"

static void packages(void)
{
    static const struct {
        const char *text, *command;
    } rows[] = {
        {"ID=debian\n", "apt-get install uidmap"},
        {"NAME=x\nID=\"fedora\"\n", "dnf install shadow-utils"},
        {"ID='alpine'", "apk add shadow-subids"},
        {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt-get install uidmap"},
        {"ID_LIKE=\"what suse\"\nID=sles\n", "zypper install shadow"},
        {"ID=arch\nID_LIKE=debian\n", "pacman -S shadow"},
        {"ID=plan9\n", NULL},
        {"IDX=debian\n#ID=debian\n", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EQ_STR(remedy_install(str_of(rows[i].text), REMEDY_UIDMAP), rows[i].command);
    EQ_STR(remedy_install(STR("ID=debian"), REMEDY_PASST), "apt-get install passt");
}

static void free_ids(void)
{
    static const struct {
        const char *text;
        uint32_t first;
    } rows[] = {
        {"", 100000},
        {"a:100000:65536\n", 165536},
        {"a:165536:65536\nb:100000:65536", 231072},
        {"a:1000:10\n", 100000},
        {"a:x:y\nb:200000\nc:300000:5\n", 300005},
        {"a:4294900000:60000\n", 100000},
        {"a:4294967295:4294967295\n", 100000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EQ_INT(remedy_free_ids(str_of(rows[i].text)), rows[i].first);
}

static void words(void)
{
    struct err err = {0};
    SCOPED(buf_release) struct buf text = {0};

    err_set(&err, ERR_SYSTEM, ENOSPC, "make a user namespace: none");
    remedy_add("single", 1000, &err);
    OK(str_search(str_of(err.text), "none; the kernel's count of user namespaces") >= 0);
    err_set(&err, ERR_SYSTEM, EACCES, "open");
    remedy_for("nothing of ours", 1000, &err, &text);
    EQ_INT((int)text.size, 0);
}

TAP_MAIN({"packages", packages}, {"free ids", free_ids}, {"words", words})
