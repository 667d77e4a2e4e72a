/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "builder/mount.h"
#include "tests/tap.h"

/* Every "$x" becomes "X"; "$bad" is an error. */
static int expand(void *ctx, const char *value, struct buf *out, struct err *err)
{
    (void)ctx;
    if (strstr(value, "$bad"))
        return err_set(err, ERR_INPUT, 0, "bad variable");
    for (const char *p = value; *p; p++) {
        if (p[0] == '$' && p[1] == 'x') {
            buf_addc(out, 'X');
            p++;
        } else {
            buf_addc(out, *p);
        }
    }
    return 0;
}

static void print(const struct mount *m, struct buf *out)
{
    buf_addf(out, "%s %s", mount_type_name(m->type), m->target ? m->target : "-");
    if (m->source)
        buf_addf(out, " source=%s", m->source);
    if (m->from)
        buf_addf(out, " from=%s", m->from);
    if (m->id)
        buf_addf(out, " id=%s", m->id);
    if (m->env)
        buf_addf(out, " env=%s", m->env);
    buf_adds(out, m->read_only ? " ro" : " rw");
    if (m->type == MOUNT_CACHE)
        buf_addf(out, " %s%s", mount_sharing_name(m->sharing), m->has_owner ? " owned" : "");
    if (m->required)
        buf_adds(out, " required");
    if (m->mode || m->uid || m->gid)
        buf_addf(out, " %04o %u:%u", m->mode, m->uid, m->gid);
    if (m->size)
        buf_addf(out, " %llu", (unsigned long long)m->size);
}

static void accepted(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"target=/a", "bind /a ro"},
        {"type=bind,src=x/y,dst=b,rw", "bind /w/b source=x/y rw"},
        {"TYPE=bind,Source=x,DESTINATION=../b,ReadWrite=TRUE", "bind /b source=x rw"},
        {"from=Builder,target=/a,rw=false", "bind /a from=Builder ro"},
        {"target=/a,ro=0", "bind /a rw"},
        {"target=/a,target=/b", "bind /b ro"},
        {"type=cache,target=/c/./d/", "cache /c/d id=/c/d rw shared 0755 0:0"},
        {"type=cache,target=c", "cache /w/c id=c rw shared 0755 0:0"},
        {"type=cache,id=i,target=/c,sharing=LOCKED,mode=0700,uid=5,gid=6,ro",
         "cache /c id=i ro locked owned 0700 5:6"},
        {"type=cache,target=/c,from=base,source=/seed,sharing=private",
         "cache /c source=/seed from=base id=/c rw private 0755 0:0"},
        {"type=cache,target=/c,mode=0", "cache /c id=/c rw shared owned"},
        {"type=tmpfs,target=/t", "tmpfs /t rw"},
        {"type=tmpfs,target=/t,size=10m,ro", "tmpfs /t ro 10485760"},
        {"type=secret,id=k", "secret /run/secrets/k id=k ro 0400 0:0"},
        {"type=secret,source=a/k", "secret /run/secrets/k id=a/k ro 0400 0:0"},
        {"type=secret,target=/x/k,required", "secret /x/k id=k ro required 0400 0:0"},
        {"type=secret,id=k,env=K", "secret - id=k env=K ro 0400 0:0"},
        {"type=secret,id=k,env=K,target=k,mode=444,uid=1,readonly",
         "secret /w/k id=k env=K ro 0444 1:0"},
        {"type=ssh", "ssh /run/buildkit/ssh_agent.3 id=default ro 0600 0:0"},
        {"type=ssh,id=git,target=/s,required=true,gid=7", "ssh /s id=git ro required 0600 0:7"},
        {"\"target=/a,b\",\"source=q\"\"q\"", "bind /a,b source=q\"q ro"},
        {"type=cache,target=/$x/y,id=$x", "cache /X/y id=X rw shared 0755 0:0"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(mount_release) struct mount m = {0};
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};

        OKF(mount_parse(str_of(rows[i].text), expand, NULL, &m, &err) == 0, "%s: %s", rows[i].text,
            err.text);
        OKF(mount_resolve(&m, "/w", 3, &err) == 0, "%s: %s", rows[i].text, err.text);
        print(&m, &got);
        OKF(strcmp(buf_cstr(&got), rows[i].want) == 0, "%s: \"%s\", not \"%s\"", rows[i].text,
            buf_cstr(&got), rows[i].want);
    }
}

static void refused(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"", "type bind needs a target"},
        {"target=/a,", "unknown option \"\""},
        {"type=cahe,target=/a", "unknown type \"cahe\"; did you mean cache?"},
        {"type=Bind,target=/a", "unknown type \"Bind\"; did you mean bind?"},
        {"type=volume,target=/a", "unknown type \"volume\""},
        {"tagret=/a", "unknown option \"tagret\"; did you mean target?"},
        {"target", "option \"target\" needs a value: target=…"},
        {"type=bind", "type bind needs a target"},
        {"type=cache", "type cache needs a target"},
        {"type=cache,id=x", "type cache needs a target"},
        {"target=/", "target / is the root itself"},
        {"target=../..", "target ../.. is the root itself"},
        {"target=/a,ro=yes", "readonly=yes: want true or false"},
        {"target=/a,rw=", "readwrite=: want true or false"},
        {"target=/a,mode=755", "option \"mode\" is not for type bind"},
        {"target=/a,uid=1", "option \"uid\" is not for type bind"},
        {"type=tmpfs,target=/a,gid=1", "option \"gid\" is not for type tmpfs"},
        {"target=/a,sharing=locked", "option \"sharing\" is not for type bind"},
        {"type=secret,id=a,sharing=locked", "option \"sharing\" is not for type secret"},
        {"type=cache,target=/a,sharing=sole", "sharing=sole: want shared, private or locked"},
        {"target=/a,required", "option \"required\" is not for type bind"},
        {"type=cache,target=/a,size=1m", "option \"size\" is not for type cache"},
        {"type=tmpfs,target=/a,size=big", "size=big: want bytes, with k, m or g"},
        {"type=cache,target=/a,mode=9", "mode=9: want an octal number from 0 to 7777"},
        {"type=cache,target=/a,mode=17777", "mode=17777: want an octal number from 0 to 7777"},
        {"type=cache,target=/a,uid=-1", "uid=-1: want a number"},
        {"type=cache,target=/a,gid=4294967295", "gid=4294967295: want a number"},
        {"type=cache,target=/a,source=x", "source of a cache needs from: what it begins with"},
        {"type=secret", "a secret needs an id or a target"},
        {"type=secret,id=a,source=b", "source and id of a secret are the same: give one"},
        {"type=secret,id=a,rw", "type secret is read-only: \"rw\" is not for it"},
        {"type=secret,id=a,from=b", "option \"from\" is not for type secret"},
        {"type=ssh,source=a", "option \"source\" is not for type ssh"},
        {"type=ssh,env=a", "option \"env\" is not for type ssh"},
        {"target=/a,z", "option \"z\" is buildah's, not Docker's, and is not supported"},
        {"target=/a,U=true", "option \"U\" is buildah's, not Docker's, and is not supported"},
        {"type=tmpfs,target=/a,tmpfs-size=1", "option \"tmpfs-size\" is buildah's, not Docker's, "
                                              "and is not supported"},
        {"target=/a,from=$x", "variables do not work in from=; write FROM with the variable, AS a "
                              "name, and mount from that"},
        {"\"target=/a", "a quote is not closed"},
        {"\"target=/a\"b", "text follows a closing quote"},
        {"tar\"get=/a", "a quote stands inside a field; put the whole field in quotes"},
        {"target=$bad", "bad variable"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(mount_release) struct mount m = {0};
        struct err err = {0};

        OKF(mount_parse(str_of(rows[i].text), expand, NULL, &m, &err) < 0 ||
                mount_resolve(&m, "/w", 0, &err) < 0,
            "\"%s\" is accepted", rows[i].text);
        OKF(strcmp(err.text, rows[i].err) == 0, "\"%s\": %s", rows[i].text, err.text);
        OKF(err.kind == ERR_INPUT, "\"%s\": kind %d", rows[i].text, err.kind);
    }
}

/* Before the variables are known, only what is wrong in any case is wrong. */
static void unexpanded(void)
{
    static const char *const fine[] = {"type=cache,target=$x,mode=$x,uid=$x,sharing=$x",
                                       "type=secret,id=$x", "type=$x,size=1,target=/a",
                                       "target=/a,ro=$x"};
    static const char *const wrong[] = {"type=cache,target=$x,mode=9", "type=bind,size=$x,target=/",
                                        "target=$x,from=$y", "type=cach"};

    for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
        SCOPED(mount_release) struct mount m = {0};
        struct err err = {0};

        OKF(mount_parse(str_of(fine[i]), NULL, NULL, &m, &err) == 0, "%s: %s", fine[i], err.text);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        SCOPED(mount_release) struct mount m = {0};
        struct err err = {0};

        OKF(mount_parse(str_of(wrong[i]), NULL, NULL, &m, &err) < 0, "%s is accepted", wrong[i]);
    }
}

TAP_MAIN({"accepted", accepted}, {"refused", refused}, {"unexpanded", unexpanded})
