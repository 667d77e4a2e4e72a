/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/places.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "registry/reference.h"

void place_url_release(struct place_url *url)
{
    free(url->scheme);
    free(url->host);
    free(url->prefix);
    *url = (struct place_url){0};
}

static char *lower(struct str s)
{
    char *copy = str_dup(s);

    for (char *p = copy; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return copy;
}

char *place_host(struct str host)
{
    AUTO_FREE char *name = lower(host);

    if (strcmp(name, "index.docker.io") == 0 || strcmp(name, "registry-1.docker.io") == 0)
        return xstrdup("docker.io");
    return steal_ptr(&name);
}

void place_host_cut(struct str host, struct str *name, struct str *port)
{
    ptrdiff_t colon = str_rfind(host, ':');

    *name = host;
    *port = (struct str){0};
    if (colon < 0 || str_rfind(host, ']') > colon)
        return;
    *name = str_slice(host, 0, (size_t)colon);
    *port = str_slice(host, (size_t)colon + 1, host.size);
}

static bool prefix_valid(struct str prefix)
{
    for (size_t i = 0; i < prefix.size; i++) {
        char c = prefix.ptr[i];

        if (c <= ' ' || c == 0x7f || c == '?' || c == '#' || c == '\\' || c == '"')
            return false;
    }
    return str_search(prefix, "/../") < 0 && !str_ends(prefix, "/..");
}

static int url_parse(struct str text, struct place_url *url, struct err *err)
{
    SCOPED(place_url_release) struct place_url out = {0};
    struct str rest = str_trim(text);
    struct str host, prefix;
    ptrdiff_t slash;

    if (str_starts(rest, "http://"))
        out.scheme = xstrdup("http");
    else if (str_starts(rest, "https://"))
        out.scheme = xstrdup("https");
    else if (str_search(rest, "://") >= 0)
        return err_set(err, ERR_USAGE, 0, "\"" STR_FMT "\" is no http or https URL", STR_ARG(rest));
    if (out.scheme)
        rest = str_slice(rest, strlen(out.scheme) + 3, rest.size);
    slash = str_find(rest, '/');
    host = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    prefix = slash < 0 ? (struct str){0} : str_slice(rest, (size_t)slash, rest.size);
    if (str_find(host, '@') >= 0)
        return err_set(err, ERR_USAGE, 0,
                       "a login does not belong into a registry's URL: use slipway login");
    out.host = lower(host);
    if (!reference_host_valid(str_of(out.host)))
        return err_set(err, ERR_USAGE, 0, "\"" STR_FMT "\" has no valid host name",
                       STR_ARG(str_trim(text)));
    while (str_ends(prefix, "/"))
        prefix.size--;
    if (str_ends(prefix, "/v2"))
        prefix.size -= 3;
    while (str_ends(prefix, "/"))
        prefix.size--;
    if (!prefix_valid(prefix))
        return err_set(err, ERR_USAGE, 0, "\"" STR_FMT "\" is no URL of a registry",
                       STR_ARG(str_trim(text)));
    out.prefix = str_dup(prefix);
    *url = out;
    out = (struct place_url){0};
    return 0;
}

int place_pair_parse(const char *text, const char *what, char **host, struct place_url *url,
                     struct err *err)
{
    struct str left, right;
    AUTO_FREE char *name = NULL;

    if (!str_cut(str_of(text), '=', &left, &right))
        return err_set(err, ERR_USAGE, 0, "%s \"%s\" is not HOST=URL", what, text);
    name = place_host(str_trim(left));
    if (!reference_host_valid(str_of(name)))
        return err_set(err, ERR_USAGE, 0, "%s \"%s\": \"%s\" is no registry host", what, text,
                       name);
    if (url_parse(right, url, err) < 0)
        return err_wrap(err, "%s \"%s\"", what, text);
    *host = steal_ptr(&name);
    return 0;
}

bool place_listed(const struct strv *list, const char *host)
{
    for (size_t i = 0; i < list->count; i++) {
        AUTO_FREE char *entry = place_host(str_of(list->ptr[i]));

        if (strcmp(host, entry) == 0)
            return true;
    }
    return false;
}

enum reach { REACH_PUBLIC, REACH_LOOPBACK, REACH_PRIVATE };

static enum reach reach4(uint32_t a)
{
    if (a >> 24 == 127)
        return REACH_LOOPBACK;
    /* RFC 1918, link-local (cloud metadata), shared address space, "this" network */
    if (a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 16 == 0xa9fe ||
        a >> 22 == 0x191 || a >> 24 == 0)
        return REACH_PRIVATE;
    return REACH_PUBLIC;
}

static enum reach reach6(const struct in6_addr *a)
{
    const uint8_t *b = a->s6_addr;

    if (IN6_IS_ADDR_LOOPBACK(a))
        return REACH_LOOPBACK;
    if (IN6_IS_ADDR_V4MAPPED(a))
        return reach4((uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15]);
    if (IN6_IS_ADDR_LINKLOCAL(a) || (b[0] & 0xfe) == 0xfc || IN6_IS_ADDR_UNSPECIFIED(a))
        return REACH_PRIVATE;
    return REACH_PUBLIC;
}

/* Names are public: what they resolve to is not ours to know here. */
static enum reach reach(const char *host)
{
    struct str name, port;
    AUTO_FREE char *text = NULL;
    struct in_addr a4;
    struct in6_addr a6;

    place_host_cut(str_of(host), &name, &port);
    if (str_starts(name, "[") && str_ends(name, "]"))
        name = str_slice(name, 1, name.size - 1);
    if (str_is_nocase(name, "localhost"))
        return REACH_LOOPBACK;
    text = str_dup(name);
    /* inet_aton reads "127.1" and "0x7f000001" as the system's resolver would */
    if (inet_pton(AF_INET6, text, &a6) == 1)
        return reach6(&a6);
    if (inet_aton(text, &a4))
        return reach4(ntohl(a4.s_addr));
    return REACH_PUBLIC;
}

bool place_is_loopback(const char *host)
{
    return reach(host) == REACH_LOOPBACK;
}

bool place_may_send_to(const char *own, const char *other)
{
    struct str own_name, other_name, port;
    enum reach from = reach(own), to = reach(other);

    place_host_cut(str_of(own), &own_name, &port);
    place_host_cut(str_of(other), &other_name, &port);
    return to == REACH_PUBLIC || str_eq(own_name, other_name) || from == to ||
           (from == REACH_LOOPBACK && to == REACH_PRIVATE);
}
