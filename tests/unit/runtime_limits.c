/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/resource.h>

#include "base/scope.h"
#include "runtime/limits.h"
#include "tests/tap.h"

static void accepted(void)
{
    struct limits l = {0};
    struct err err = {0};

    OKF(limits_add(&l, STR("nofile=1024:2048"), &err) == 0, "%s", err.text);
    OK(limits_add(&l, STR("core=-1"), &err) == 0);
    OK(limits_add(&l, STR("nproc=5:-1"), &err) == 0);
    OK(limits_add(&l, STR("nofile=10"), &err) == 0);
    EQ_INT(l.count, 3);
    OK(l.items[0].resource == RLIMIT_NOFILE && l.items[0].soft == 10 && l.items[0].hard == 10);
    OK(l.items[1].soft == LIMIT_NONE && l.items[1].hard == LIMIT_NONE);
    OK(l.items[2].soft == 5 && l.items[2].hard == LIMIT_NONE);
    EQ_STR(limit_name(RLIMIT_NPROC), "nproc");
}

static void refused(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"nofile", "nofile: want NAME=SOFT[:HARD], -1 for no limit"},
        {"nofile=", "nofile=: want NAME=SOFT[:HARD], -1 for no limit"},
        {"nofile=a", "nofile=a: want NAME=SOFT[:HARD], -1 for no limit"},
        {"nofile=1:", "nofile=1:: want NAME=SOFT[:HARD], -1 for no limit"},
        {"nofile=2:1", "nofile=2:1: the soft limit is above the hard one"},
        {"nofile=-1:1", "nofile=-1:1: the soft limit is above the hard one"},
        {"nofile=18446744073709551615",
         "nofile=18446744073709551615: want NAME=SOFT[:HARD], -1 for no limit"},
        {"as=1", "as=1: unknown limit; there are core, cpu, data, fsize, locks, memlock, msgqueue, "
                 "nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct limits l = {0};
        struct err err = {0};

        OKF(limits_add(&l, str_of(rows[i].text), &err) < 0, "%s is accepted", rows[i].text);
        EQ_STR(err.text, rows[i].err);
        OK(err.kind == ERR_USAGE);
    }
}

TAP_MAIN({"accepted", accepted}, {"refused", refused})
