/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/caps.h"

#include <linux/capability.h>

#include "base/scope.h"
#include "runtime/ladder.h"
#include "runtime/plan.h"
#include "tests/tap.h"

static void defaults(void)
{
    static const unsigned docker[] = {
        CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,           CAP_FOWNER,
        CAP_MKNOD,   CAP_NET_RAW,      CAP_SETGID,           CAP_SETUID,
        CAP_SETFCAP, CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT,
        CAP_KILL,    CAP_AUDIT_WRITE};
    uint64_t mask = 0;

    for (size_t i = 0; i < ARRAY_SIZE(docker); i++)
        mask |= UINT64_C(1) << docker[i];
    EQ_INT(ARRAY_SIZE(docker), 14);
    EQ_INT(CAPS_DEFAULT, mask);
    EQ_INT(PLAN_CAPS_DEFAULT, mask);
}

static void names(void)
{
    static const struct {
        const char *text;
        int cap; /* -1: refused, 64: all */
    } rows[] = {{"NET_RAW", CAP_NET_RAW},
                {"cap_net_raw", CAP_NET_RAW},
                {"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
                {"chown", 0},
                {"CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE},
                {"all", 64},
                {"", -1},
                {"CAP_", -1},
                {"NET", -1},
                {"CAP_CAP_CHOWN", -1}};
    char text[CAPS_NAME_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t mask = 0;
        bool ok = caps_parse(str_of(rows[i].text), &mask);

        OKF(ok == (rows[i].cap >= 0), "%s", rows[i].text);
        if (ok)
            EQ_INT(mask, rows[i].cap == 64 ? CAPS_ALL : UINT64_C(1) << rows[i].cap);
    }
    EQ_STR(caps_name(CAP_SYS_ADMIN, text), "CAP_SYS_ADMIN");
    EQ_STR(caps_name(CAP_BPF, text), "CAP_BPF");
    EQ_STR(caps_name(63, text), "CAP_63");
}

static void rungs(void)
{
    static const struct {
        const char *want;
        int rc;
        enum session_rung rung;
        const char *err;
    } rows[] = {
        {NULL, 1, SESSION_NONE, NULL},
        {"auto", 1, SESSION_NONE, NULL},
        {"root", 0, SESSION_ROOT, NULL},
        {"userns", 0, SESSION_USERNS, NULL},
        {"none", 0, SESSION_NONE, NULL},
        {"single", 0, SESSION_SINGLE, NULL},
        {"chroot", 0, SESSION_CHROOT, NULL},
        {"in-place", 0, SESSION_IN_PLACE, NULL},
        {"oci", -1, SESSION_NONE,
         "unknown isolation \"oci\"; want auto, root, userns, single, chroot, none or in-place"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum session_rung rung = SESSION_NONE;
        struct err err = {0};

        EQ_INT(ladder_parse(rows[i].want, &rung, &err), rows[i].rc);
        EQ_INT(rung, rows[i].rung);
        EQ_STR(rows[i].err ? err.text : "", rows[i].err ? rows[i].err : "");
        EQ_INT(err.kind, rows[i].err ? ERR_USAGE : ERR_NONE);
    }
}

static void none(void)
{
    struct session session = SESSION_CLOSED;
    struct err err = {0};

    OK(session_enter("none", &session, &err) == 0);
    EQ_INT(session.rung, SESSION_NONE);
    EQ_STR(session.why.text, "isolation \"none\" was asked for");
    EQ_STR(session_rung_name(session.rung), "none");
    session_release(&session);
    session_release(&session);
}

TAP_MAIN({"the default set is Docker's", defaults}, {"names", names}, {"rungs by name", rungs},
         {"rung none", none})
