/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net.h"

#include "base/scope.h"
#include "tests/tap.h"

static void ports(void)
{
    static const struct {
        const char *text, *address;
        int host, box;
        const char *err;
    } rows[] = {
        {"80", "", 0, 80, NULL},
        {"8080:80", "", 8080, 80, NULL},
        {"8080:80/tcp", "", 8080, 80, NULL},
        {"0:80", "", 0, 80,
         "port \"0:80\": want [[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 to 65535"},
        {"127.0.0.1:8080:80", "127.0.0.1", 8080, 80, NULL},
        {"127.0.0.1::80", "127.0.0.1", 0, 80, NULL},
        {"[::1]:8080:80", "::1", 8080, 80, NULL},
        {"[::]::80", "::", 0, 80, NULL},
        {"8080:80/udp", "", 0, 0,
         "port \"8080:80/udp\": protocol \"udp\" is not carried out, only tcp is"},
        {"host:8080:80", "host", 8080, 80, "port \"host:8080:80\": \"host\" is no IP address"},
        {"", "", 0, 0, "port \"\": want [[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 to 65535"},
        {"x", "", 0, 0, "port \"x\": want [[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 to 65535"},
        {"80:65536", "", 0, 0,
         "port \"80:65536\": want [[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 to 65535"},
        {"80:", "", 0, 0,
         "port \"80:\": want [[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 to 65535"},
        {"8000-8010:80", "", 0, 80,
         "port \"8000-8010:80\": want [[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 to 65535"},
        {"1234567890123456789012345678901234567890123456789:1:2", "", 0, 0,
         "port \"1234567890123456789012345678901234567890123456789:1:2\": want "
         "[[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 "
         "to 65535"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct net_port p;
        struct err err = {0};
        int rc = net_parse_port(str_of(rows[i].text), &p, &err);

        OKF(rc == (rows[i].err ? -1 : 0), "\"%s\": %s", rows[i].text, err.text);
        if (rows[i].err) {
            EQ_STR(err.text, rows[i].err);
            EQ_INT(err.kind, ERR_USAGE);
            continue;
        }
        EQ_STR(p.address, rows[i].address);
        EQ_INT(p.host, rows[i].host);
        EQ_INT(p.box, rows[i].box);
    }
}

static void resolv_conf(void)
{
    static const struct {
        const char *host, *upstream;
        bool private_network;
        const char *want;
    } rows[] = {
        {"nameserver 127.0.0.53\nsearch x\n", "nameserver 192.0.2.5\n", false,
         "nameserver 127.0.0.53\nsearch x\n"},
        {"# c\nnameserver 127.0.0.53\nsearch x\n", "# up\nnameserver 192.0.2.5\nsearch y\n", true,
         "# c\nsearch x\nnameserver 192.0.2.5\n"},
        {"nameserver 192.0.2.1\nnameserver ::1\n", "nameserver 192.0.2.5\n", true,
         "nameserver 192.0.2.1\n"},
        {"nameserver\t127.0.0.1", "nameserver 127.0.0.1", true, ""},
        {"", "", true, ""},
        {"options edns0", "", true, "options edns0\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};

        net_print_resolv_conf(str_of(rows[i].host), str_of(rows[i].upstream),
                              rows[i].private_network, &out);
        EQ_STR(buf_cstr(&out), rows[i].want);
    }
}

static void hosts(void)
{
    static const struct {
        const char *entry, *line, *err;
    } rows[] = {
        {"db:192.0.2.9", "192.0.2.9\tdb\n", NULL},
        {"db=::1", "::1\tdb\n", NULL},
        {"db:fe80::1", "fe80::1\tdb\n", NULL},
        {"db", NULL, "host entry \"db\" is not NAME:ADDRESS"},
        {"db:x", NULL, "host entry \"db:x\": \"x\" is no IP address"},
        {":192.0.2.9", NULL, "host entry \":192.0.2.9\" has no usable name"},
        {"a b:192.0.2.9", NULL, "host entry \"a b:192.0.2.9\" has no usable name"},
    };
    static const char fixed[] =
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\tbox\n";

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv extra = {0};
        SCOPED(buf_release) struct buf out = {0};
        struct err err = {0};
        int rc;

        strv_add(&extra, rows[i].entry);
        rc = net_hosts("box", &extra, &out, &err);
        OKF(rc == (rows[i].err ? -1 : 0), "%s", rows[i].entry);
        if (rows[i].err)
            EQ_STR(err.text, rows[i].err);
        else
            EQ_STR(buf_cstr(&out) + sizeof(fixed) - 1, rows[i].line);
    }
}

TAP_MAIN({"ports", ports}, {"resolv.conf", resolv_conf}, {"hosts", hosts})
