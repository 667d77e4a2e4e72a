/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

static void add_part(struct buf *out, const char *name, const char *value)
{
    if (value)
        buf_addf(out, " %s=[%s]", name, value);
}

/* One line for a list: "Bearer realm=[…] scope=[…] | Basic realm=[…]" */
static void show(const struct challenges *list, struct buf *out)
{
    static const char *const schemes[] = {"other:", "basic:", "bearer:"};

    for (size_t i = 0; i < list->count; i++) {
        const struct challenge *c = &list->items[i];

        buf_addf(out, "%s%s%s", i ? " | " : "", schemes[c->scheme], c->name);
        add_part(out, "realm", c->realm);
        add_part(out, "service", c->service);
        add_part(out, "scope", c->scope);
        add_part(out, "error", c->error);
    }
}

static void headers(void)
{
    static const struct {
        const char *value, *want, *err;
    } rows[] = {
        {"Basic realm=\"https://1.dkr.ecr.us-east-1.amazonaws.com/\",service=\"ecr.amazonaws.com\"",
         "basic:Basic realm=[https://1.dkr.ecr.us-east-1.amazonaws.com/] "
         "service=[ecr.amazonaws.com]",
         NULL},
        {"Bearer "
         "realm=\"https://auth.docker.io/"
         "token\",service=\"registry.docker.io\",scope=\"repository:a:pull\"",
         "bearer:Bearer realm=[https://auth.docker.io/token] service=[registry.docker.io] "
         "scope=[repository:a:pull]",
         NULL},
        {"bearer realm=\"r\", error=\"insufficient_scope\" , SCOPE=\"a:b:pull,push c:d:pull\"",
         "bearer:bearer realm=[r] scope=[a:b:pull,push c:d:pull] error=[insufficient_scope]", NULL},
        {"Negotiate, Basic realm=\"x\"", "other:Negotiate | basic:Basic realm=[x]", NULL},
        {"Negotiate YIIabc/+==, Bearer realm=r", "other:Negotiate | bearer:Bearer realm=[r]", NULL},
        {"Basic realm=\"a\", Bearer realm=\"b\",service=s",
         "basic:Basic realm=[a] | bearer:Bearer realm=[b] service=[s]", NULL},
        {"Basic", "basic:Basic", NULL},
        {"BASIC realm=\"a \\\"quoted\\\" \\\\ name, with comma\"",
         "basic:BASIC realm=[a \"quoted\" \\ name, with comma]", NULL},
        {"Bearer realm=https://h/token,service=s",
         "bearer:Bearer realm=[https://h/token] service=[s]", NULL},
        {"Bearer realm = \"a\" , realm=\"b\"", "bearer:Bearer realm=[a]", NULL},
        {"Bearer realm=\"\"", "bearer:Bearer realm=[]", NULL},
        {" , ,Basic realm=\"x\", ,", "basic:Basic realm=[x]", NULL},
        {"Digest qop=\"auth\", nonce=abc, Basic realm=y", "other:Digest | basic:Basic realm=[y]",
         NULL},
        {"", "", NULL},
        {"Basic realm=\"open", NULL, "WWW-Authenticate: the quotes of realm do not close"},
        {"Basic realm=\"open\\", NULL, "WWW-Authenticate: the quotes of realm do not close"},
        {"realm=\"x\"", NULL, "WWW-Authenticate: realm stands before any scheme"},
        {"Basic realm=\"x\" service=\"y\"", NULL, "WWW-Authenticate: no comma after realm"},
        {"Basic realm=\"x\"y", NULL, "WWW-Authenticate: no comma after realm"},
        {"\"Basic\"", NULL, "WWW-Authenticate: no scheme or parameter at \"\"Basic\"\""},
        {"Bearer/x", NULL, "WWW-Authenticate: no scheme or parameter at \"/x\""},
        {"Basic realm=\"a\nb\"", NULL, "WWW-Authenticate holds a control character"},
        {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", NULL, "WWW-Authenticate: more than 16 challenges"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(challenges_release) struct challenges list = {0};
        SCOPED(buf_release) struct buf shown = {0};
        struct err err = {0};
        int result = challenge_parse(str_of(rows[i].value), &list, &err);

        show(&list, &shown);
        OKF(result == (rows[i].err ? -1 : 0), "row %zu: %s", i, err.text);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
        EQ_STR(buf_cstr(&shown), rows[i].want ? rows[i].want : "");
    }
}

static void several_headers(void)
{
    SCOPED(challenges_release) struct challenges list = {0};
    struct err err = {0};

    OK(challenge_parse(STR("Basic realm=one"), &list, &err) == 0);
    OK(challenge_parse(STR("realm=two"), &list, &err) == -1);
    EQ_INT(list.count, 1);
    OK(challenge_parse(STR("Bearer realm=three"), &list, &err) == 0);
    EQ_STR(challenge_find(&list, CHALLENGE_BEARER)->realm, "three");
    EQ_STR(challenge_find(&list, CHALLENGE_BASIC)->realm, "one");
    OK(challenge_find(&list, CHALLENGE_OTHER) == NULL);
}

TAP_MAIN({"headers", headers}, {"several headers", several_headers})
