/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/http_url.h"
#include "base/scope.h"
#include "base/str.h"

static const char *env_either(const char *low, const char *high)
{
    const char *value = getenv(low);

    if (!value || !value[0])
        value = getenv(high);
    return value && value[0] ? value : NULL;
}

void http_proxy_from_env(struct http_proxy *out)
{
    const char *all = env_either("all_proxy", "ALL_PROXY");
    const char *https = env_either("https_proxy", "HTTPS_PROXY");
    const char *http = env_either("http_proxy", "HTTP_PROXY");

    out->https = xstrdup(https ? https : all);
    out->http = xstrdup(http ? http : all);
    out->except = xstrdup(env_either("no_proxy", "NO_PROXY"));
}

void http_proxy_release(struct http_proxy *proxy)
{
    free(proxy->https);
    free(proxy->http);
    free(proxy->except);
    *proxy = (struct http_proxy){0};
}

/* Bytes of an IP literal: 4 or 16, 0 for a name. */
static size_t address_of(struct str text, uint8_t out[static 16])
{
    char literal[INET6_ADDRSTRLEN];

    if (text.size == 0 || text.size >= sizeof(literal))
        return 0;
    memcpy(literal, text.ptr, text.size);
    literal[text.size] = 0;
    if (inet_pton(AF_INET, literal, out) == 1)
        return 4;
    return inet_pton(AF_INET6, literal, out) == 1 ? 16 : 0;
}

static bool in_network(struct str host, struct str network, struct str bits_text)
{
    uint8_t a[16], b[16];
    size_t size = address_of(host, a);
    uint64_t bits;

    if (size == 0 || address_of(network, b) != size || !str_u64(bits_text, &bits) ||
        bits > size * 8)
        return false;
    for (size_t i = 0; i < bits; i++) {
        uint8_t mask = (uint8_t)(0x80 >> (i % 8));

        if ((a[i / 8] ^ b[i / 8]) & mask)
            return false;
    }
    return true;
}

static bool is_suffix_nocase(struct str host, struct str suffix)
{
    if (host.size < suffix.size)
        return false;
    return strncasecmp(host.ptr + host.size - suffix.size, suffix.ptr, suffix.size) == 0;
}

static bool entry_matches(struct str entry, const struct http_url *u)
{
    struct str name = entry, port_text, network, bits;
    uint64_t port;

    if (str_is(entry, "*"))
        return true;
    if (str_cut(entry, '/', &network, &bits))
        return in_network(u->host, network, bits);
    if (str_starts(entry, "[")) {
        ptrdiff_t end = str_find(entry, ']');

        if (end < 0)
            return false;
        name = str_slice(entry, 1, (size_t)end);
        port_text = str_slice(entry, (size_t)end + 2, entry.size);
    } else if (str_find(entry, ':') == str_rfind(entry, ':')) {
        str_cut(entry, ':', &name, &port_text);
    } else {
        port_text = STR("");
    }
    if (port_text.size > 0 && (!str_u64(port_text, &port) || port != u->port))
        return false;
    if (str_starts(name, "*."))
        name = str_slice(name, 1, name.size);
    if (name.size == 0)
        return false;
    if (name.ptr[0] == '.')
        return is_suffix_nocase(u->host, name);
    if (u->host.size == name.size)
        return is_suffix_nocase(u->host, name);
    /* "example.com" covers sub.example.com as well. */
    return u->host.size > name.size && u->host.ptr[u->host.size - name.size - 1] == '.' &&
           is_suffix_nocase(u->host, name);
}

const char *http_proxy_for(const struct http_proxy *proxy, const char *url)
{
    struct http_url u;

    if (!http_url_parse(str_of(url), &u) || http_is_loopback(url) || http_is_link_local(url))
        return "";
    const char *chosen = u.tls ? proxy->https : proxy->http;
    struct str list = str_of(proxy->except);
    struct str entry;

    if (!chosen)
        return "";
    while (list.size > 0) {
        str_cut(list, ',', &entry, &list);
        entry = str_trim(entry);
        if (entry.size > 0 && entry_matches(entry, &u))
            return "";
    }
    return chosen;
}
