/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "base/str.h"
#include "builder/tripwire.h"
#include "runtime/net.h"

void run_options_release(struct run_options *o)
{
    strv_release(&o->hosts);
    box_release(&o->box);
    strv_release(&o->cdi_allowed.names);
    if (o->cdi)
        cdi_registry_release(o->cdi);
    free(o->cdi);
    secrets_release(&o->secrets);
    ssh_agents_release(&o->ssh);
    ca_bundle_release(&o->ca);
    tripwire_free(o->wire);
    tripwire_free(o->layer_wire);
    *o = (struct run_options){0};
}

int run_network_parse(const char *text, enum run_network *network, struct err *err)
{
    static const char *const names[] = {"default", "none", "host", "private"};
    SCOPED(buf_release) struct buf shown = {0};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *network = (enum run_network)i;
            return 0;
        }
    }
    buf_add_escaped(&shown, str_slice(str_of(text), 0, 80));
    err_set(err, ERR_USAGE, 0, "unknown network \"%s\"", buf_cstr(&shown));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_distance(str_of(text), str_of(names[i])) <= 2)
            return err_add(err, "; did you mean %s?", names[i]);
    return err_add(err, "; there are default, none, host and private");
}

int run_options_add_host(struct run_options *o, const char *text, struct err *err)
{
    SCOPED(buf_release) struct buf checked = {0};
    SCOPED(strv_release) struct strv one = {0};
    ptrdiff_t equals = str_find(str_of(text), '='), colon = str_find(str_of(text), ':');
    struct str name, address;

    /* An IPv6 address has colons of its own: the first of the two ends the name. */
    str_cut(str_of(text), equals >= 0 && (colon < 0 || equals < colon) ? '=' : ':', &name,
            &address);
    if (str_starts(address, "[") && str_ends(address, "]"))
        address = str_slice(address, 1, address.size - 1);
    if (str_is(address, "host-gateway"))
        address = STR("127.0.0.1");
    strv_addf(&one, STR_FMT ":" STR_FMT, STR_ARG(name), STR_ARG(address));
    if (net_hosts(NULL, &one, &checked, err) < 0)
        return -1;
    strv_add(&o->hosts, one.ptr[0]);
    return 0;
}

/* rest: what is behind "device". */
static int allow_device(struct run_options *o, const char *rest, struct err *err)
{
    struct str kind, name;

    if (!*rest) {
        o->cdi_allowed.all = true;
        return 0;
    }
    if (cdi_name_parse(str_of(rest + 1), &kind, &name, err) < 0) {
        err->kind = ERR_USAGE;
        return -1;
    }
    strv_add(&o->cdi_allowed.names, rest + 1);
    return 0;
}

int run_options_allow(struct run_options *o, const char *text, struct err *err)
{
    static const struct {
        const char *name;
        unsigned bit;
    } rows[] = {{"network.host", RUN_ALLOW_NETWORK_HOST},
                {"security.insecure", RUN_ALLOW_INSECURE}};
    SCOPED(buf_release) struct buf shown = {0};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(text, rows[i].name) == 0) {
            o->allowed |= rows[i].bit;
            return 0;
        }
    }
    if (strncmp(text, "device", 6) == 0 && (!text[6] || text[6] == '='))
        return allow_device(o, text + 6, err);
    buf_add_escaped(&shown, str_slice(str_of(text), 0, 80));
    return err_set(err, ERR_USAGE, 0,
                   "unknown entitlement \"%s\"; there are network.host, security.insecure, device "
                   "and device=NAME",
                   buf_cstr(&shown));
}

void run_options_add_cdi(struct run_options *o, const struct strv *dirs)
{
    o->cdi = xmalloc(sizeof(*o->cdi));
    cdi_registry_init(o->cdi);
    strv_copy(&o->cdi->dirs, dirs);
}

int run_options_set_ca(struct run_options *o, const char *source, struct err *err)
{
    if (ca_bundle_open(source, &o->ca, err) < 0)
        return -1;
    o->layer_wire = tripwire_new();
    for (size_t i = 0; i < o->secrets.count; i++)
        tripwire_add(o->layer_wire, o->secrets.items[i].id, buf_str(&o->secrets.items[i].value));
    tripwire_add(o->layer_wire, "--ca-bundle", str_of(o->ca.mark));
    return 0;
}
