/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/scope.h"

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool clean_bytes(struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == 0x7f || c == '\\')
            return false;
    }
    return true;
}

static bool parse_port(struct str text, struct http_url *u)
{
    uint64_t n;

    if (text.size == 0 || text.size > 5 || !str_u64(text, &n) || n == 0 || n > 65535)
        return false;
    u->port = (uint16_t)n;
    u->has_port = true;
    return true;
}

static bool parse_authority(struct str text, struct http_url *u)
{
    if (text.size > 0 && text.ptr[0] == '[') {
        ptrdiff_t end = str_find(text, ']');
        struct in6_addr address;
        char literal[INET6_ADDRSTRLEN];

        if (end < 0 || (size_t)end > sizeof(literal))
            return false;
        u->host = str_slice(text, 1, (size_t)end);
        u->ipv6 = true;
        memcpy(literal, u->host.ptr, u->host.size);
        literal[u->host.size] = 0;
        if (inet_pton(AF_INET6, literal, &address) != 1)
            return false;
        text = str_slice(text, (size_t)end + 1, text.size);
        if (text.size == 0)
            return true;
        return text.ptr[0] == ':' && parse_port(str_slice(text, 1, text.size), u);
    }
    struct str host, port;
    bool has_port = str_cut(text, ':', &host, &port);

    if (host.size == 0 || host.size > 253)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        if (!host_char(host.ptr[i]))
            return false;
    }
    u->host = host;
    return !has_port || parse_port(port, u);
}

bool http_url_parse(struct str text, struct http_url *out)
{
    struct http_url u = {0};
    struct str rest, path, query;

    if (!clean_bytes(text))
        return false;
    if (text.size > 8 && str_is_nocase(str_slice(text, 0, 8), "https://")) {
        u.tls = true;
        rest = str_slice(text, 8, text.size);
    } else if (text.size > 7 && str_is_nocase(str_slice(text, 0, 7), "http://")) {
        rest = str_slice(text, 7, text.size);
    } else {
        return false;
    }
    u.port = u.tls ? 443 : 80;

    str_cut(rest, '#', &rest, &query);
    if (str_cut(rest, '?', &path, &query))
        u.query = query.ptr ? query : STR("");
    size_t slash = 0;
    while (slash < path.size && path.ptr[slash] != '/')
        slash++;
    u.path = str_slice(path, slash, path.size);
    if (!parse_authority(str_slice(path, 0, slash), &u))
        return false;
    *out = u;
    return true;
}

static void add_host(struct buf *out, const struct http_url *u)
{
    if (u->ipv6)
        buf_addc(out, '[');
    for (size_t i = 0; i < u->host.size; i++)
        buf_addc(out, lower(u->host.ptr[i]));
    if (u->ipv6)
        buf_addc(out, ']');
    if (u->port != (u->tls ? 443 : 80))
        buf_addf(out, ":%u", u->port);
}

bool http_host(const char *url, struct buf *out)
{
    struct http_url u;

    if (!http_url_parse(str_of(url), &u))
        return false;
    add_host(out, &u);
    return true;
}

bool http_url_same_origin(const char *a, const char *b)
{
    struct http_url ua, ub;
    SCOPED(buf_release) struct buf ha = {0};
    SCOPED(buf_release) struct buf hb = {0};

    if (!http_url_parse(str_of(a), &ua) || !http_url_parse(str_of(b), &ub) || ua.tls != ub.tls)
        return false;
    add_host(&ha, &ua);
    add_host(&hb, &ub);
    return str_eq(buf_str(&ha), buf_str(&hb));
}

/* The 16 bytes of an IP literal, IPv4 in its mapped form; false for names. */
static bool literal_address(const char *url, uint8_t out[static 16])
{
    struct http_url u;
    char text[INET6_ADDRSTRLEN];
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (!http_url_parse(str_of(url), &u) || u.host.size >= sizeof(text))
        return false;
    memcpy(text, u.host.ptr, u.host.size);
    text[u.host.size] = 0;
    if (u.ipv6)
        return inet_pton(AF_INET6, text, out) == 1;
    /* inet_aton, not inet_pton: the resolver takes 127.1, 0x7f000001 and 2130706433 for addresses
     * as well. */
    struct in_addr v4;

    if (inet_aton(text, &v4) == 0)
        return false;
    memcpy(out, mapped, sizeof(mapped));
    memcpy(out + 12, &v4, 4);
    return true;
}

static bool is_mapped(const uint8_t a[static 16])
{
    for (int i = 0; i < 10; i++) {
        if (a[i])
            return false;
    }
    return a[10] == 0xff && a[11] == 0xff;
}

static bool is_v6_loopback(const uint8_t a[static 16])
{
    for (int i = 0; i < 15; i++) {
        if (a[i])
            return false;
    }
    return a[15] == 1;
}

bool http_is_loopback(const char *url)
{
    struct http_url u;
    uint8_t a[16];

    if (literal_address(url, a))
        return is_mapped(a) ? a[12] == 127 : is_v6_loopback(a);
    if (!http_url_parse(str_of(url), &u))
        return false;
    /* RFC 6761 §6.3: names under localhost resolve to loopback. */
    struct str host = u.host;

    if (host.size >= 10 && host.ptr[host.size - 10] == '.')
        host = str_slice(host, host.size - 9, host.size);
    return str_is_nocase(host, "localhost");
}

bool http_is_link_local(const char *url)
{
    uint8_t a[16];

    if (!literal_address(url, a))
        return false;
    if (is_mapped(a))
        return a[12] == 169 && a[13] == 254;
    return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

bool http_is_private(const char *url)
{
    uint8_t a[16];
    bool zero = true;

    if (!literal_address(url, a))
        return false;
    if (is_mapped(a)) {
        uint8_t b = a[12], c = a[13];

        /* RFC 6890: this network, private, loopback, link-local, carrier NAT; multicast and above.
         */
        return b == 0 || b == 10 || b == 127 || (b == 169 && c == 254) ||
               (b == 172 && (c & 0xf0) == 16) || (b == 192 && c == 168) ||
               (b == 100 && (c & 0xc0) == 64) || b >= 224;
    }
    for (int i = 0; i < 16; i++)
        zero = zero && a[i] == 0;
    return zero || is_v6_loopback(a) || (a[0] & 0xfe) == 0xfc || a[0] == 0xff ||
           (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
}

void http_redact(const char *url, struct buf *out)
{
    struct str head, query, pair, name, value;

    str_cut(str_of(url), '#', &head, &query);
    bool has_query = str_cut(head, '?', &head, &query);
    buf_add_escaped(out, head);
    if (!has_query)
        return;
    char mark = '?';

    while (query.size > 0) {
        str_cut(query, '&', &pair, &query);
        buf_addc(out, mark);
        mark = '&';
        bool has_value = str_cut(pair, '=', &name, &value);
        buf_add_escaped(out, name);
        if (has_value)
            buf_adds(out, "=*");
    }
}

/* RFC 3986 §5.2.4, on an absolute path. */
static void add_path_without_dots(struct buf *out, struct str path)
{
    size_t floor = out->size;

    while (path.size > 0) {
        size_t end = 1;

        while (end < path.size && path.ptr[end] != '/')
            end++;
        struct str segment = str_slice(path, 0, end);
        bool last = end == path.size;

        path = str_slice(path, end, path.size);
        if (str_is(segment, "/.")) {
            if (last)
                buf_addc(out, '/');
        } else if (str_is(segment, "/..")) {
            while (out->size > floor && out->ptr[--out->size] != '/')
                ;
            if (out->ptr)
                out->ptr[out->size] = 0;
            if (last)
                buf_addc(out, '/');
        } else {
            buf_add_str(out, segment);
        }
    }
    if (out->size == floor)
        buf_addc(out, '/');
}

static bool has_scheme(struct str s)
{
    for (size_t i = 0; i < s.size; i++) {
        char c = lower(s.ptr[i]);

        if (c == ':')
            return i > 0;
        if (!((c >= 'a' && c <= 'z') ||
              (i > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))))
            return false;
    }
    return false;
}

static void add_origin(struct buf *out, const struct http_url *u)
{
    buf_adds(out, u->tls ? "https://" : "http://");
    if (u->ipv6)
        buf_addc(out, '[');
    buf_add_str(out, u->host);
    if (u->ipv6)
        buf_addc(out, ']');
    if (u->has_port)
        buf_addf(out, ":%u", u->port);
}

static void add_relative(struct buf *out, const struct http_url *base, struct str ref)
{
    struct str path, query;
    bool has_query = str_cut(ref, '?', &path, &query);

    add_origin(out, base);
    if (path.size == 0) {
        if (base->path.size > 0)
            buf_add_str(out, base->path);
        else
            buf_addc(out, '/');
        if (!has_query && base->query.ptr) {
            has_query = true;
            query = base->query;
        }
    } else if (path.ptr[0] == '/') {
        add_path_without_dots(out, path);
    } else {
        SCOPED(buf_release) struct buf merged = {0};
        ptrdiff_t slash = str_rfind(base->path, '/');

        buf_addc(&merged, '/');
        if (slash > 0)
            buf_add_str(&merged, str_slice(base->path, 1, (size_t)slash + 1));
        buf_add_str(&merged, path);
        add_path_without_dots(out, buf_str(&merged));
    }
    if (has_query) {
        buf_addc(out, '?');
        buf_add_str(out, query);
    }
}

char *http_resolve(const char *base, const char *location)
{
    struct http_url from, to;
    struct str ref = str_trim(str_of(location));
    struct str fragment;
    SCOPED(buf_release) struct buf out = {0};

    if (!http_url_parse(str_of(base), &from) || ref.size == 0)
        return NULL;
    str_cut(ref, '#', &ref, &fragment);
    /* An absolute URL stays byte for byte: its signature or upload state may cover every byte. */
    if (has_scheme(ref))
        buf_add_str(&out, ref);
    else if (str_starts(ref, "//"))
        buf_addf(&out, "%s:" STR_FMT, from.tls ? "https" : "http", STR_ARG(ref));
    else
        add_relative(&out, &from, ref);
    if (!http_url_parse(buf_str(&out), &to))
        return NULL;
    return buf_steal(&out);
}
