/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/scope.h"

#define RESOLV_MAX (1u << 20)

int net_raise_loopback(struct err *err)
{
    AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};

    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return err_errno(err, "look at lo");
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return err_errno(err, "raise lo");
    return 0;
}

/* The address of a "nameserver" line, or nothing. */
static bool is_server(struct str line, struct str *address)
{
    line = str_trim(line);
    if (!str_starts(line, "nameserver") || line.size < 11 ||
        (line.ptr[10] != ' ' && line.ptr[10] != '\t'))
        return false;
    *address = str_trim(str_slice(line, 10, line.size));
    return true;
}

static bool is_loopback(struct str address)
{
    return str_starts(address, "127.") || str_is(address, "::1");
}

void net_print_resolv_conf(struct str host, struct str upstream, bool private_network,
                           struct buf *out)
{
    struct str line, address;
    size_t servers = 0;

    while (str_line(&host, &line)) {
        if (is_server(line, &address)) {
            if (private_network && is_loopback(address))
                continue;
            servers++;
        }
        buf_add_str(out, line);
        buf_addc(out, '\n');
    }
    while (!servers && str_line(&upstream, &line))
        if (is_server(line, &address) && !is_loopback(address)) {
            buf_add_str(out, line);
            buf_addc(out, '\n');
        }
}

static int read_optional(const char *path, struct buf *out, struct err *err)
{
    struct err failure = {0};

    if (fs_read_file(AT_FDCWD, path, out, RESOLV_MAX, &failure) == 0 || failure.code == ENOENT)
        return 0;
    *err = failure;
    return -1;
}

int net_resolv_conf(bool private_network, struct buf *out, struct err *err)
{
    SCOPED(buf_release) struct buf host = {0}, upstream = {0};

    if (read_optional("/etc/resolv.conf", &host, err) < 0 ||
        read_optional("/run/systemd/resolve/resolv.conf", &upstream, err) < 0)
        return -1;
    net_print_resolv_conf(buf_str(&host), buf_str(&upstream), private_network, out);
    return 0;
}

static int add_entry(struct str entry, struct buf *out, struct err *err)
{
    unsigned char ignored[16];
    struct str name, address;

    ptrdiff_t equals = str_find(entry, '='), colon = str_find(entry, ':');

    /* An IPv6 address has colons of its own: the first of the two ends the name. */
    if (!str_cut(entry, equals >= 0 && (colon < 0 || equals < colon) ? '=' : ':', &name, &address))
        return err_set(err, ERR_USAGE, 0, "host entry \"" STR_FMT "\" is not NAME:ADDRESS",
                       STR_ARG(entry));
    AUTO_FREE char *text = str_dup(address);
    if (inet_pton(AF_INET, text, ignored) != 1 && inet_pton(AF_INET6, text, ignored) != 1)
        return err_set(err, ERR_USAGE, 0, "host entry \"" STR_FMT "\": \"%s\" is no IP address",
                       STR_ARG(entry), text);
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == '#')
            name.size = 0;
    if (name.size == 0)
        return err_set(err, ERR_USAGE, 0, "host entry \"" STR_FMT "\" has no usable name",
                       STR_ARG(entry));
    buf_addf(out, "%s\t" STR_FMT "\n", text, STR_ARG(name));
    return 0;
}

int net_hosts(const char *hostname, const struct strv *extra, struct buf *out, struct err *err)
{
    buf_adds(out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if (hostname && strcmp(hostname, "localhost") != 0)
        buf_addf(out, "127.0.0.1\t%s\n", hostname);
    for (size_t i = 0; extra && i < extra->count; i++)
        if (add_entry(str_of(extra->ptr[i]), out, err) < 0)
            return -1;
    return 0;
}

static bool port_number(struct str text, uint16_t *port)
{
    uint64_t n;

    if (!str_u64(text, &n) || n == 0 || n > UINT16_MAX)
        return false;
    *port = (uint16_t)n;
    return true;
}

static bool split_address(struct str host, struct str *address, struct str *number)
{
    if (!str_cut_last(host, ':', address, number)) {
        *address = (struct str){0};
        *number = host;
        return true;
    }
    if (str_starts(*address, "[") && str_ends(*address, "]"))
        *address = str_slice(*address, 1, address->size - 1);
    return address->size > 0;
}

int net_parse_port(struct str text, struct net_port *port, struct err *err)
{
    struct str spec, protocol = {0}, host, box, address, number;
    unsigned char ignored[16];

    *port = (struct net_port){.host = 0};
    if (str_cut(text, '/', &spec, &protocol) && !str_is(protocol, "tcp"))
        return err_set(err, ERR_USAGE, 0,
                       "port \"" STR_FMT "\": protocol \"" STR_FMT
                       "\" is not carried out, only tcp is",
                       STR_ARG(text), STR_ARG(protocol));
    if (!str_cut_last(spec, ':', &host, &box)) {
        box = spec;
        host = (struct str){0};
    }
    if (!port_number(box, &port->box))
        goto bad;
    if (host.size == 0)
        return 0;
    if (!split_address(host, &address, &number) ||
        (number.size && !port_number(number, &port->host)))
        goto bad;
    if (address.size >= sizeof(port->address))
        goto bad;
    if (address.size)
        memcpy(port->address, address.ptr, address.size);
    if (address.size && inet_pton(AF_INET, port->address, ignored) != 1 &&
        inet_pton(AF_INET6, port->address, ignored) != 1)
        return err_set(err, ERR_USAGE, 0, "port \"" STR_FMT "\": \"%s\" is no IP address",
                       STR_ARG(text), port->address);
    return 0;
bad:
    return err_set(err, ERR_USAGE, 0,
                   "port \"" STR_FMT
                   "\": want [[ADDRESS:]HOSTPORT:]PORT[/tcp] with ports 1 to 65535",
                   STR_ARG(text));
}
