/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/reference.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/scope.h"

#define DOCKER_HUB "docker.io"
#define LIBRARY "library/"
#define TEXT_MAX 1024 /* ours: host 255 + path 255 + tag 128 + digest 71 and room */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool tag_valid(struct str tag)
{
    if (tag.size == 0 || tag.size > REFERENCE_TAG_MAX)
        return false;
    for (size_t i = 0; i < tag.size; i++) {
        char c = tag.ptr[i];

        if (!is_lower(c) && !is_upper(c) && !is_digit(c) && c != '_' &&
            (i == 0 || (c != '.' && c != '-')))
            return false;
    }
    return true;
}

/* Letters and digits, joined by one ".", one or two "_", or any number of "-". */
static bool path_component_valid(struct str part)
{
    size_t i = 0;

    for (;;) {
        size_t begin = i, joint;

        while (i < part.size && (is_lower(part.ptr[i]) || is_digit(part.ptr[i])))
            i++;
        if (i == begin)
            return false;
        if (i == part.size)
            return true;
        joint = i;
        while (i < part.size && part.ptr[i] == part.ptr[joint] && strchr("._-", part.ptr[i]))
            i++;
        if (i == joint || (part.ptr[joint] == '.' && i - joint > 1) ||
            (part.ptr[joint] == '_' && i - joint > 2))
            return false;
    }
}

bool reference_path_valid(struct str path)
{
    struct str part;
    bool more = path.size > 0 && path.size <= REFERENCE_PATH_MAX && !memchr(path.ptr, 0, path.size);

    if (!more)
        return false;
    do {
        more = str_cut(path, '/', &part, &path);
        if (!path_component_valid(part))
            return false;
    } while (more);
    return true;
}

static bool host_name_valid(struct str host)
{
    struct str part;
    bool more;

    do {
        more = str_cut(host, '.', &part, &host);
        if (part.size == 0 || part.ptr[0] == '-' || part.ptr[part.size - 1] == '-')
            return false;
        for (size_t i = 0; i < part.size; i++)
            if (!is_lower(part.ptr[i]) && !is_upper(part.ptr[i]) && !is_digit(part.ptr[i]) &&
                part.ptr[i] != '-')
                return false;
    } while (more);
    return true;
}

static bool port_valid(struct str port)
{
    uint64_t n;

    return port.size > 0 && port.size <= 5 && is_digit(port.ptr[0]) && str_u64(port, &n) && n > 0 &&
           n < 65536;
}

bool reference_host_valid(struct str host)
{
    struct str name = host, port;
    bool has_port;

    if (host.size == 0 || host.size > 255)
        return false;
    if (host.ptr[0] == '[') {
        bool closed = str_cut(str_slice(host, 1, host.size), ']', &name, &port);

        if (!closed || name.size == 0 || str_find(name, ':') < 0)
            return false;
        for (size_t i = 0; i < name.size; i++)
            if (!is_hex(name.ptr[i]) && name.ptr[i] != ':' && name.ptr[i] != '.')
                return false;
        return port.size == 0 || (port.ptr[0] == ':' && port_valid(str_slice(port, 1, port.size)));
    }
    has_port = str_cut(host, ':', &name, &port);
    return host_name_valid(name) && (!has_port || port_valid(port));
}

static int refuse(const char *text, struct err *err, const char *why)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(str_of(text), 0, 300));
    return err_set(err, ERR_USAGE, 0, "image name \"%s\": %s", buf_cstr(&shown), why);
}

static bool looks_like_host(struct str word)
{
    if (str_find(word, '.') >= 0 || str_find(word, ':') >= 0 || str_is(word, "localhost"))
        return true;
    for (size_t i = 0; i < word.size; i++)
        if (is_upper(word.ptr[i]))
            return true;
    return false;
}

static bool all_hex64(struct str s)
{
    if (s.size != 64)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!is_hex(s.ptr[i]) || is_upper(s.ptr[i]))
            return false;
    return true;
}

static const char *digest_trouble(struct str digest)
{
    AUTO_FREE char *copy = str_dup(digest);

    if (digest_valid(copy))
        return NULL;
    if (str_starts(digest, "sha256:"))
        return "the digest is not \"sha256:\" and 64 digits of 0-9 a-f";
    if (str_find(digest, ':') > 0)
        return "only sha256 digests are supported";
    return "after \"@\" there must be a digest, as in @sha256:…";
}

static const char *path_trouble(struct str path)
{
    bool upper = false;

    for (size_t i = 0; i < path.size; i++)
        upper = upper || is_upper(path.ptr[i]);
    if (upper)
        return "the repository name must be lower case";
    if (path.size == 0)
        return "the repository name is missing";
    if (path.size > REFERENCE_PATH_MAX)
        return "the repository name is longer than 255 characters";
    return "the repository name may have a-z, 0-9 and single separators . _ __ - between them";
}

int reference_parse(const char *text, struct reference *out, struct err *err)
{
    struct str whole = str_of(text), name, digest, host, path, tag;
    bool has_digest = str_cut(whole, '@', &name, &digest), has_tag;
    bool hub, library;

    if (whole.size == 0)
        return refuse(text, err, "it is empty");
    if (whole.size > TEXT_MAX)
        return refuse(text, err, "it is too long");
    if (str_search(whole, "://") >= 0)
        return refuse(text, err, "it is a URL; leave out what stands before \"://\" and that");
    if (all_hex64(name))
        return refuse(text, err, "a name of 64 hex digits would be taken for an image id");
    if (!str_cut(name, '/', &host, &path) || !looks_like_host(host)) {
        host = STR(DOCKER_HUB);
        path = name;
    } else if (!reference_host_valid(host)) {
        return refuse(text, err, "what stands before the first \"/\" is not a host name");
    }
    has_tag = str_cut(path, ':', &path, &tag);
    hub = str_is(host, DOCKER_HUB) || str_is(host, "index.docker.io");
    library = hub && str_find(path, '/') < 0;
    if (!reference_path_valid(path) ||
        (library && path.size + strlen(LIBRARY) > REFERENCE_PATH_MAX))
        return refuse(text, err, path_trouble(path));
    if (has_tag && !tag_valid(tag))
        return refuse(text, err,
                      "the tag may have up to 128 of A-Z a-z 0-9 _ . - and not begin with . or -");
    if (has_digest && digest_trouble(digest))
        return refuse(text, err, digest_trouble(digest));
    out->host = hub ? xstrdup(DOCKER_HUB) : str_dup(host);
    out->path = xasprintf("%s" STR_FMT, library ? LIBRARY : "", STR_ARG(path));
    out->tag = has_tag ? str_dup(tag) : has_digest ? NULL : xstrdup("latest");
    out->digest = has_digest ? str_dup(digest) : NULL;
    return 0;
}

void reference_release(struct reference *ref)
{
    scope_free(&ref->host);
    scope_free(&ref->path);
    scope_free(&ref->tag);
    scope_free(&ref->digest);
}

void reference_copy(struct reference *to, const struct reference *from)
{
    to->host = xstrdup(from->host);
    to->path = xstrdup(from->path);
    to->tag = xstrdup(from->tag);
    to->digest = xstrdup(from->digest);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool reference_eq(const struct reference *a, const struct reference *b)
{
    return same(a->host, b->host) && same(a->path, b->path) && same(a->tag, b->tag) &&
           same(a->digest, b->digest);
}

static char *print(const struct reference *ref, const char *host, const char *path)
{
    return xasprintf("%s%s%s%s%s%s%s", host, *host ? "/" : "", path, ref->tag ? ":" : "",
                     ref->tag ? ref->tag : "", ref->digest ? "@" : "",
                     ref->digest ? ref->digest : "");
}

char *reference_name(const struct reference *ref)
{
    return print(ref, ref->host, ref->path);
}

/* Only as short as it can be and still be read back as the same. */
char *reference_familiar(const struct reference *ref)
{
    struct str path = str_of(ref->path), rest, first, after;
    bool library = str_starts(path, LIBRARY);

    if (strcmp(ref->host, DOCKER_HUB) != 0)
        return reference_name(ref);
    rest = library ? str_slice(path, strlen(LIBRARY), path.size) : path;
    if (library && (str_find(rest, '/') >= 0 || all_hex64(rest)))
        return print(ref, "", ref->path);
    if (str_cut(rest, '/', &first, &after) && looks_like_host(first))
        return reference_name(ref);
    return print(ref, "", rest.ptr);
}

char *reference_repository(const struct reference *ref)
{
    return xasprintf("%s/%s", ref->host, ref->path);
}

const char *reference_api_host(const struct reference *ref)
{
    return strcmp(ref->host, DOCKER_HUB) == 0 ? "registry-1.docker.io" : ref->host;
}
