/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/secrets.h"

#include <string.h>

#include "base/scope.h"
#include "builder/run_options.h"
#include "builder/ssh.h"
#include "tests/tap.h"

static const char *shown(const char *s)
{
    return s ? s : "-";
}

static void specs(void)
{
    static const struct {
        const char *text, *want; /* "id file env", or the error */
    } rows[] = {
        {"id=a", "a - -"},
        {"id=a,src=f", "a f -"},
        {"ID=a,Source=f,type=file", "a f -"},
        {"id=a,env=E", "a - E"},
        {"type=env,id=a,src=E", "a - E"},
        {"src=E,id=a,type=env", "a - E"},
        {"id=a,type=env,env=E", "a - E"},
        {"id=a,\"src=f,g\"", "a f,g -"},
        {"id=a,id=b,src=", "b - -"},
        {"", "there is no id: want id=NAME[,src=FILE|,env=VARIABLE]"},
        {"src=f", "there is no id: want id=NAME[,src=FILE|,env=VARIABLE]"},
        {"a", "field \"a\" is not KEY=VALUE"},
        {"id=a,file=f", "unknown key \"file\"; there are id, src, env and type"},
        {"id=a,type=dir", "type is file or env"},
        {"id=a,src=f,env=E", "secret a: give src or env, not both"},
        {"id=a,\"src=f", "a quote is not closed"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(secret_spec_release) struct secret_spec spec = {0};
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};

        if (secret_spec_parse(str_of(rows[i].text), &spec, &err) < 0)
            buf_adds(&got, err.text);
        else
            buf_addf(&got, "%s %s %s", spec.id, shown(spec.file), shown(spec.env));
        OKF(strcmp(buf_cstr(&got), rows[i].want) == 0, "%s: \"%s\", not \"%s\"", rows[i].text,
            buf_cstr(&got), rows[i].want);
    }
}

static void agents(void)
{
    static const struct {
        const char *text, *want; /* "id path…", or the error */
    } rows[] = {
        {"default", "default"},
        {"", "default"},
        {"git=/s", "git /s"},
        {"git=a,b", "git a b"},
        {"=a", "default a"},
        {"x=a,,b,", "x a b"},
        {"x=a=b", "x a=b"},
        {"x=", "x=: there is no path after ="},
        {"x=,", "x=,: there is no path after ="},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(ssh_spec_release) struct ssh_spec spec = {0};
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};

        if (ssh_spec_parse(str_of(rows[i].text), &spec, &err) < 0)
            buf_adds(&got, err.text);
        else
            buf_adds(&got, spec.id);
        for (size_t k = 0; k < spec.paths.count; k++)
            buf_addf(&got, " %s", spec.paths.ptr[k]);
        OKF(strcmp(buf_cstr(&got), rows[i].want) == 0, "%s: \"%s\", not \"%s\"", rows[i].text,
            buf_cstr(&got), rows[i].want);
    }
}

static void hosts(void)
{
    static const struct {
        const char *text, *want; /* the entry, or NULL: refused */
    } rows[] = {
        {"a:10.0.0.1", "a:10.0.0.1"},
        {"a=10.0.0.1", "a:10.0.0.1"},
        {"a:fd00::1", "a:fd00::1"},
        {"a=[fd00::1]", "a:fd00::1"},
        {"a:[::1]", "a:::1"},
        {"a:host-gateway", "a:127.0.0.1"},
        {"a", NULL},
        {"a:b", NULL},
        {":10.0.0.1", NULL},
        {"a:10.0.0.1\nb:10.0.0.2", NULL},
        {"a b:10.0.0.1", NULL},
        {"a:[10.0.0", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(run_options_release) struct run_options o = {0};
        struct err err = {0};
        int rc = run_options_add_host(&o, rows[i].text, &err);

        OKF((rc == 0) == (rows[i].want != NULL), "%s: %s", rows[i].text, err.text);
        if (rows[i].want)
            EQ_STR(o.hosts.ptr[0], rows[i].want);
        else
            OK(err.kind == ERR_USAGE && err.text[0]);
    }
}

static void words(void)
{
    SCOPED(run_options_release) struct run_options o = {0};
    enum run_network network = RUN_NETWORK_DEFAULT;
    struct err err = {0};

    OK(run_network_parse("none", &network, &err) == 0 && network == RUN_NETWORK_NONE);
    OK(run_network_parse("nome", &network, &err) < 0);
    EQ_STR(err.text, "unknown network \"nome\"; did you mean none?");
    OK(run_network_parse("bridge", &network, &err) < 0);
    EQ_STR(err.text, "unknown network \"bridge\"; there are default, none, host and private");
    OK(run_options_allow(&o, "network.host", &err) == 0 && o.allowed == RUN_ALLOW_NETWORK_HOST);
    OK(run_options_allow(&o, "security.insecure", &err) == 0);
    OK(run_options_allow(&o, "device=v.example/gpu=0", &err) == 0 && !o.cdi_allowed.all);
    OK(strv_has(&o.cdi_allowed.names, "v.example/gpu=0"));
    OK(run_options_allow(&o, "device", &err) == 0 && o.cdi_allowed.all);
    OK(run_options_allow(&o, "device=gpu", &err) < 0);
    OK(run_options_allow(&o, "devices", &err) < 0);
    EQ_STR(err.text,
           "unknown entitlement \"devices\"; there are network.host, security.insecure, device and "
           "device=NAME");
}

TAP_MAIN({"secrets", specs}, {"ssh agents", agents}, {"hosts", hosts}, {"words", words})
