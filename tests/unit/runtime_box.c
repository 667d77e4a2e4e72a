/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/box.h"

#include <linux/capability.h>

#include "base/scope.h"
#include "runtime/caps.h"
#include "runtime/plan.h"
#include "tests/tap.h"

#define ADMIN (UINT64_C(1) << CAP_SYS_ADMIN)
#define RAW (UINT64_C(1) << CAP_NET_RAW)

/* As Docker counts them (its --cap-add and --cap-drop). */
static void capabilities(void)
{
    static const struct {
        const char *add[2], *drop[2];
        uint64_t want;
    } rows[] = {
        {{NULL}, {NULL}, CAPS_DEFAULT},
        {{"SYS_ADMIN"}, {NULL}, CAPS_DEFAULT | ADMIN},
        {{NULL}, {"net_raw"}, CAPS_DEFAULT & ~RAW},
        {{NULL}, {"ALL"}, 0},
        {{"cap_sys_admin", "NET_RAW"}, {"all"}, ADMIN | RAW},
        {{"ALL"}, {NULL}, CAPS_ALL},
        {{"ALL"}, {"NET_RAW"}, CAPS_ALL & ~RAW},
        {{"ALL"}, {"ALL"}, CAPS_ALL},
        {{"NET_RAW"}, {"NET_RAW"}, CAPS_DEFAULT},
        {{NULL}, {"SYS_ADMIN"}, CAPS_DEFAULT},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(box_release) struct box box = {0};
        SCOPED(strv_release) struct strv add = {0}, drop = {0};
        struct err err = {0};

        for (size_t k = 0; k < 2; k++) {
            if (rows[i].add[k])
                strv_add(&add, rows[i].add[k]);
            if (rows[i].drop[k])
                strv_add(&drop, rows[i].drop[k]);
        }
        OKF(box_set_caps(&box, &add, &drop, &err) == 0 && box_caps(&box) == rows[i].want,
            "row %zu: %llx %s", i, (unsigned long long)box_caps(&box), err.text);
    }
}

static void unknown_capability(void)
{
    struct box box = {0};
    SCOPED(strv_release) struct strv names = {0};
    struct err err = {0};

    strv_add(&names, "CAP_\x1b");
    OK(box_set_caps(&box, NULL, &names, &err) < 0);
    EQ_STR(err.text, "unknown capability \"CAP_\\x1b\"");
}

static void security(void)
{
    static const struct {
        const char *text, *err;
        bool no_filter, no_new_privs;
    } rows[] = {
        {"seccomp=unconfined", NULL, true, false},
        {"seccomp:unconfined", NULL, true, false},
        {"seccomp=builtin", NULL, false, false},
        {"no-new-privileges", NULL, false, true},
        {"no-new-privileges:true", NULL, false, true},
        {"no-new-privileges=false", NULL, false, false},
        {"apparmor=unconfined", NULL, false, false},
        {"label:disable", NULL, false, false},
        {"", NULL, false, false},
        {"seccomp=/p:x.json",
         "security option \"seccomp=/p:x.json\"; a profile of one's own is not carried out: "
         "seccomp=unconfined and seccomp=builtin are",
         false, false},
        {"no-new-privileges=maybe",
         "security option \"no-new-privileges=maybe\"; want true or false", false, false},
        {"apparmor=docker-default",
         "security option \"apparmor=docker-default\"; no AppArmor profile and no SELinux label is "
         "ever set: apparmor=unconfined and label=disable are all there is",
         false, false},
        {"systempaths=unconfined",
         "security option \"systempaths=unconfined\" is not carried out; there are "
         "no-new-privileges, seccomp, apparmor and label",
         false, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(plan_release) struct plan plan = PLAN_INIT;
        struct box box = {0};
        struct err err = {0};
        int rc = box_add_security(&box, rows[i].text, &err);

        OKF(rc == (rows[i].err ? -1 : 0), "%s", rows[i].text);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
        box_put(&box, &plan);
        OK(plan.no_filter == rows[i].no_filter && plan.no_new_privs == rows[i].no_new_privs);
        EQ_INT(plan.caps, CAPS_DEFAULT);
    }
}

static void dns_words(void)
{
    static const struct {
        int (*add)(struct box *, const char *, struct err *);
        const char *text, *err;
    } rows[] = {
        {box_add_dns, "192.0.2.53", NULL},
        {box_add_dns, "2001:db8::53", NULL},
        {box_add_dns, "ns.example",
         "server \"ns.example\" is no address, as in 192.0.2.53 or 2001:db8::53"},
        {box_add_dns_search, "a b", "domain \"a b\" is no name of a domain"},
        {box_add_dns_search, "", "domain \"\" is no name of a domain"},
        {box_add_dns_option, "ndots:2\nnameserver",
         "option \"ndots:2\\nnameserver\" is none of resolv.conf, as in ndots:2"},
        {box_add_dns_option, "#", "option \"#\" is none of resolv.conf, as in ndots:2"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(box_release) struct box box = {0};
        struct err err = {0};

        EQ_INT(rows[i].add(&box, rows[i].text, &err), rows[i].err ? -1 : 0);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
    }
}

/* Only lines of a kind that was given go. */
static void resolv_conf(void)
{
    static const char host[] =
        "# here\nnameserver 10.0.0.1\ndomain a.example\nsearch\tb.example\noptions ndots:5\n";
    static const struct {
        const char *dns, *search, *option, *want;
    } rows[] = {
        {NULL, NULL, NULL, host},
        {"192.0.2.1", NULL, NULL,
         "# here\ndomain a.example\nsearch\tb.example\noptions ndots:5\nnameserver 192.0.2.1\n"},
        {NULL, "c.example", NULL,
         "# here\nnameserver 10.0.0.1\noptions ndots:5\nsearch c.example\n"},
        {NULL, ".", NULL, "# here\nnameserver 10.0.0.1\noptions ndots:5\n"},
        {NULL, NULL, "rotate",
         "# here\nnameserver 10.0.0.1\ndomain a.example\nsearch\tb.example\noptions rotate\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(box_release) struct box box = {0};
        SCOPED(buf_release) struct buf out = {0};
        struct err err = {0};

        if (rows[i].dns)
            box_add_dns(&box, rows[i].dns, &err);
        if (rows[i].search)
            box_add_dns_search(&box, rows[i].search, &err);
        if (rows[i].option)
            box_add_dns_option(&box, rows[i].option, &err);
        box_print_resolv_conf(&box, str_of(host), &out);
        EQ_STR(buf_cstr(&out), rows[i].want);
    }
}

TAP_MAIN({"capabilities", capabilities}, {"an unknown capability", unknown_capability},
         {"security options", security}, {"words for resolv.conf", dns_words},
         {"resolv.conf", resolv_conf})
