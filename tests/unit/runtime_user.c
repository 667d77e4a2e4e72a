/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/user.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "broken:x:12\n"
                             "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\r\n"
                             "1234:x:77:78::/digits:\n"
                             "app:x:1000:1000:App,,,:/home/app:/bin/sh\n"
                             "app:x:2000:2000::/second:/bin/sh\n"
                             "nohome:x:5:5:::\n"
                             "huge:x:4294967295:1::/:\n";
static const char group[] = "root:x:0:\n"
                            "wheel:x:10:root,app\n"
                            "docker:x:11:app, daemon\n"
                            "nobody\n"
                            "app:x:1000:app\n"
                            "55:x:56:\n";

static void lookups(void)
{
    static const struct {
        const char *text, *want, *err; /* "uid:gid home groups" */
    } rows[] = {
        {"", "0:0 /root 0 10", NULL},
        {"root", "0:0 /root 0 10", NULL},
        {"0", "0:0 /root 0 10", NULL},
        {"app", "1000:1000 /home/app 1000 10 11", NULL},
        {"1000", "1000:1000 /home/app 1000 10 11", NULL},
        {"app:wheel", "1000:10 /home/app 10", NULL},
        {"app:99", "1000:99 /home/app 99", NULL},
        {"app:", "1000:1000 /home/app 1000 10 11", NULL},
        {"daemon", "1:1 /usr/sbin 1 11", NULL},
        {"4242", "4242:0 - 0", NULL},
        {"4242:wheel", "4242:10 - 10", NULL},
        {"1:2", "1:2 /usr/sbin 2", NULL},
        {":wheel", "0:10 /root 10", NULL},
        {"1234", "77:78 /digits 78", NULL},
        {"app:55", "1000:56 /home/app 56", NULL},
        {"nohome", "5:5 - 5", NULL},
        {"broken", NULL,
         "unable to find user broken: no matching entries in the image's /etc/passwd"},
        {"huge", NULL, "unable to find user huge: no matching entries in the image's /etc/passwd"},
        {"4294967295", NULL,
         "unable to find user 4294967295: no matching entries in the image's /etc/passwd"},
        {"-1", NULL, "unable to find user -1: no matching entries in the image's /etc/passwd"},
        {"app:nogroup", NULL,
         "unable to find group nogroup: no matching entries in the image's /etc/group"},
        {"app:wheel:x", NULL,
         "unable to find group wheel:x: no matching entries in the image's /etc/group"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(user_release) struct user u = {0};
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};
        int rc = user_parse(str_of(rows[i].text), str_of(passwd), str_of(group), &u, &err);

        OKF(rc == (rows[i].err ? -1 : 0), "\"%s\": %s", rows[i].text, err.text);
        buf_addf(&got, "%" PRIu32 ":%" PRIu32 " %s", u.uid, u.gid, u.home ? u.home : "-");
        for (size_t g = 0; g < u.groups_count; g++)
            buf_addf(&got, " %" PRIu32, u.groups[g]);
        if (rows[i].err)
            EQ_STR(err.text, rows[i].err);
        else
            EQ_STR(buf_cstr(&got), rows[i].want);
    }
}

static void without_files(void)
{
    SCOPED(user_release) struct user u = {0};
    struct err err = {0};
    struct str none = {0};

    OK(user_parse(STR(""), none, none, &u, &err) == 0);
    OK(u.uid == 0 && u.gid == 0 && !u.home);
    OK(user_parse(STR("7:8"), none, none, &u, &err) == 0);
    OK(u.uid == 7 && u.gid == 8);
    OK(user_parse(STR("web"), none, none, &u, &err) < 0);
}

TAP_MAIN({"names and numbers", lookups}, {"an image without passwd", without_files})
