/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ports.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/scope.h"

static bool parse_port(struct str s, uint64_t *out)
{
    return str_u64(s, out) && *out <= 65535;
}

static bool parse_range(struct str s, uint64_t *low, uint64_t *high)
{
    struct str from, to;

    if (!str_cut(s, '-', &from, &to))
        to = from;
    return parse_port(from, low) && parse_port(to, high) && *low <= *high;
}

static bool is_address(struct str s)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (str_starts(s, "[") && str_ends(s, "]"))
        s = str_slice(s, 1, s.size - 1);
    AUTO_FREE char *text = str_dup(s);
    return inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1;
}

/* Address and host port are taken and checked, then forgotten: EXPOSE publishes nothing. */
static bool parse_host(struct str host, uint64_t width)
{
    struct str address, port;
    uint64_t low, high;

    if (!str_cut_last(host, ':', &address, &port)) {
        port = host;
        address = STR("");
    }
    if (address.size > 0 && !is_address(address))
        return false;
    if (port.size == 0)
        return true;
    return parse_range(port, &low, &high) && (width == 0 || high - low == width);
}

int ports_parse(struct str spec, struct strv *out, struct err *err)
{
    struct str text = spec, protocol, host;
    const char *name = NULL;
    uint64_t low, high;
    bool has_host = str_cut_last(text, ':', &host, &text);

    if (!has_host)
        text = spec;
    if (!str_cut(text, '/', &text, &protocol))
        protocol = STR("tcp");
    if (str_is_nocase(protocol, "tcp") || protocol.size == 0)
        name = "tcp";
    else if (str_is_nocase(protocol, "udp"))
        name = "udp";
    else if (str_is_nocase(protocol, "sctp"))
        name = "sctp";
    if (!name || !parse_range(text, &low, &high) || (has_host && !parse_host(host, high - low))) {
        SCOPED(buf_release) struct buf shown = {0};

        buf_add_escaped(&shown, str_slice(spec, 0, 100));
        return err_set(err, ERR_INPUT, 0,
                       "port \"%s\" is not PORT or PORT-PORT, with /tcp, /udp or /sctp or without",
                       buf_cstr(&shown));
    }
    for (uint64_t port = low; port <= high; port++)
        strv_addf(out, "%u/%s", (unsigned)port, name);
    return 0;
}
