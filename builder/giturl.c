/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/giturl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"

#define SUBMODULE_UPS_MAX 64 /* ours: "../" of one URL */

enum scheme { SCHEME_NONE, SCHEME_HTTP, SCHEME_HTTPS, SCHEME_SSH, SCHEME_GIT, SCHEME_SCP };

/* Slices of one text. */
struct parts {
    enum scheme scheme;
    struct str remote; /* up to query and fragment */
    struct str host;
    struct str path;
    struct str query, fragment;
    bool has_fragment;
};

static int wrong(struct err *err, struct str text, const char *why)
{
    AUTO_FREE char *copy = str_dup(str_slice(text, 0, 300));
    SCOPED(buf_release) struct buf shown = {0};

    giturl_show(copy, &shown);
    return err_set(err, ERR_INPUT, 0, "git URL %s: %s", buf_cstr(&shown), why);
}

bool git_is_hash(struct str text)
{
    if (text.size != 40 && text.size != 64)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!isxdigit((unsigned char)text.ptr[i]))
            return false;
    return true;
}

void giturl_show(const char *remote, struct buf *out)
{
    struct str text = str_of(remote), head, rest;
    ptrdiff_t scheme = str_search(text, "://");
    size_t from = scheme < 0 ? 0 : (size_t)scheme + 3;
    struct str host = str_slice(text, from, text.size);
    struct str user, password;

    for (size_t i = 0; i < host.size; i++)
        if (strchr("/?#", host.ptr[i])) {
            host = str_slice(host, 0, i);
            break;
        }
    if (scheme < 0 || !str_cut_last(host, '@', &head, &rest) ||
        !str_cut(head, ':', &user, &password)) {
        buf_add_escaped(out, text);
        return;
    }
    buf_add_escaped(out, str_slice(text, 0, from));
    buf_add_escaped(out, user);
    buf_adds(out, ":***@");
    buf_add_escaped(out, str_slice(text, (size_t)(rest.ptr - text.ptr), text.size));
}

/* Takes "?query" and "#fragment" off the end. */
static void split_end(struct str text, struct parts *p)
{
    p->has_fragment = str_cut(text, '#', &text, &p->fragment);
    str_cut(text, '?', &p->remote, &p->query);
}

static bool all_of(struct str s, const char *more)
{
    for (size_t i = 0; i < s.size; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && !strchr(more, s.ptr[i]))
            return false;
    return s.size > 0;
}

/* user@host:path, ssh's short form. */
static bool split_scp(struct str text, struct parts *p)
{
    struct str user, rest;

    split_end(text, p);
    if (!str_cut(p->remote, '@', &user, &rest) || !all_of(user, "-_") ||
        !str_cut(rest, ':', &p->host, &p->path) || !all_of(p->host, "-."))
        return false;
    p->scheme = SCHEME_SCP;
    return true;
}

/* scheme://[user[:password]@]host[:port]/path. */
static bool split_url(struct str text, struct parts *p)
{
    static const struct {
        const char *name;
        enum scheme scheme;
    } schemes[] = {
        {"http", SCHEME_HTTP}, {"https", SCHEME_HTTPS}, {"ssh", SCHEME_SSH}, {"git", SCHEME_GIT}};
    ptrdiff_t at = str_search(text, "://");
    struct str before, after;

    if (at < 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (str_is_nocase(str_slice(text, 0, (size_t)at), schemes[i].name))
            p->scheme = schemes[i].scheme;
    if (p->scheme == SCHEME_NONE)
        return false;
    split_end(text, p);
    p->host = str_slice(p->remote, (size_t)at + 3, p->remote.size);
    p->path = STR("");
    at = str_find(p->host, '/');
    if (at >= 0) {
        p->path = str_slice(p->host, (size_t)at, p->host.size);
        p->host = str_slice(p->host, 0, (size_t)at);
    }
    if (str_cut_last(p->host, '@', &before, &after))
        p->host = after;
    return true;
}

/* What git or ssh could take for something else. */
static int check_remote(const struct parts *p, struct err *err)
{
    struct str user = str_slice(p->remote, 0, (size_t)(p->host.ptr - p->remote.ptr));

    for (size_t i = 0; i < p->remote.size; i++)
        if ((unsigned char)p->remote.ptr[i] <= ' ' || p->remote.ptr[i] == 127 ||
            p->remote.ptr[i] == '\\')
            return wrong(err, p->remote,
                         "white space, control bytes and \"\\\" cannot stand in it");
    if (p->host.size == 0)
        return wrong(err, p->remote, "it names no host");
    if (str_starts(p->host, "-") || str_search(user, "://-") >= 0 || str_starts(user, "-"))
        return wrong(err, p->remote, "user and host cannot begin with \"-\"");
    if (!all_of(p->host, "-._:[]%"))
        return wrong(err, p->remote, "its host has characters that no host has");
    if (p->path.size == 0 || str_is(p->path, "/"))
        return wrong(err, p->remote, "it names no repository");
    if (p->scheme == SCHEME_SCP && str_starts(p->path, "-"))
        return wrong(err, p->remote, "its path cannot begin with \"-\"");
    return 0;
}

/* git-check-ref-format(1), without what needs a "refs/" before it. */
static bool ref_is_fine(struct str ref)
{
    if (ref.size == 0 || ref.size > 1000 || str_starts(ref, "-") || str_starts(ref, "/") ||
        str_ends(ref, "/") || str_ends(ref, ".") || str_ends(ref, ".lock") || str_is(ref, "@") ||
        str_search(ref, "..") >= 0 || str_search(ref, "@{") >= 0 || str_search(ref, "//") >= 0 ||
        str_search(ref, "/.") >= 0 || str_starts(ref, "."))
        return false;
    for (size_t i = 0; i < ref.size; i++)
        if ((unsigned char)ref.ptr[i] <= ' ' || strchr("~^:?*[\\\177", ref.ptr[i]))
            return false;
    return true;
}

/* Sets *slot, which may hold the same already. */
static int agree(char **slot, struct str value, const char *what, struct str url, struct err *err)
{
    AUTO_FREE char *why = NULL;

    if (*slot && !str_is(value, *slot)) {
        why = xasprintf("its %s is given twice, and not the same", what);
        return wrong(err, url, why);
    }
    if (!*slot)
        *slot = str_dup(value);
    return 0;
}

static int set_subdir(struct giturl *out, struct str value, struct str url, struct err *err)
{
    AUTO_FREE char *clean = path_beneath(value);

    if (memchr(value.ptr ? value.ptr : "", 0, value.size))
        return wrong(err, url, "a NUL byte in its subdir");
    if (strcmp(clean, ".") == 0)
        return 0;
    return agree(&out->subdir, str_of(clean), "subdir", url, err);
}

static int set_fragment(struct giturl *out, const struct parts *p, struct err *err)
{
    SCOPED(buf_release) struct buf decoded = {0};
    struct str fragment = p->fragment, ref, subdir;

    if (p->scheme != SCHEME_SCP) {
        if (!percent_decode(&decoded, fragment))
            return wrong(err, p->remote, "a \"%\" without two hex digits in its fragment");
        fragment = buf_str(&decoded);
    }
    str_cut(fragment, ':', &ref, &subdir);
    if (ref.size)
        out->ref = str_dup(ref);
    if (ref.size && memchr(ref.ptr, 0, ref.size))
        return wrong(err, p->remote, "a NUL byte in its ref");
    return set_subdir(out, subdir, p->remote, err);
}

static bool parse_bool(struct str value, bool *out)
{
    static const char *const yes[] = {"", "1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (str_is(value, yes[i])) {
            *out = true;
            return true;
        }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (str_is(value, no[i])) {
            *out = false;
            return true;
        }
    return false;
}

/* What the query said that is only put together at its end. */
struct query {
    struct giturl *out;
    struct str url;
    char *tag, *branch; /* "refs/tags/…", "refs/heads/…" */
    struct strv seen;
};

static void query_release(struct query *q)
{
    free(q->tag);
    free(q->branch);
    strv_release(&q->seen);
}

static char *with_prefix(struct str value, const char *prefix)
{
    return str_starts(value, prefix) ? str_dup(value)
                                     : xasprintf("%s" STR_FMT, prefix, STR_ARG(value));
}

static int set_switch(struct query *q, const char *key, struct str value, struct err *err)
{
    bool on;

    if (!parse_bool(value, &on)) {
        AUTO_FREE char *why = xasprintf("its %s is neither true nor false", key);

        return wrong(err, q->url, why);
    }
    if (strcmp(key, "keep-git-dir") == 0)
        q->out->keep_git_dir = on ? GITURL_YES : GITURL_NO;
    else if (strcmp(key, "submodules") == 0)
        q->out->submodules = on ? GITURL_YES : GITURL_NO;
    else
        q->out->fetch_by_commit = on;
    return 0;
}

static int set_checksum(struct query *q, struct str value, struct err *err)
{
    for (size_t i = 0; i < value.size; i++)
        if (!isxdigit((unsigned char)value.ptr[i]))
            return wrong(err, q->url, "its checksum is not the beginning of a commit's hash");
    if (value.size > 64)
        return wrong(err, q->url, "its checksum is longer than any commit's hash");
    if (q->out->checksum)
        return wrong(err, q->url, "it has both a checksum and a commit");
    q->out->checksum = str_dup(value);
    for (char *c = q->out->checksum; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return 0;
}

static int set_value(struct query *q, struct str key, struct str value, struct err *err)
{
    struct giturl *out = q->out;

    if (str_is(key, "keep-git-dir"))
        return set_switch(q, "keep-git-dir", value, err);
    if (str_is(key, "submodules"))
        return set_switch(q, "submodules", value, err);
    if (str_is(key, "fetch-by-commit"))
        return set_switch(q, "fetch-by-commit", value, err);
    if (value.size == 0)
        return wrong(err, q->url, "a part of its query has no value");
    if (str_is(key, "ref"))
        return agree(&out->ref, value, "ref", q->url, err);
    if (str_is(key, "subdir"))
        return set_subdir(out, value, q->url, err);
    if (str_is(key, "checksum") || str_is(key, "commit"))
        return set_checksum(q, value, err);
    if (str_is(key, "tag"))
        q->tag = with_prefix(value, "refs/tags/");
    else if (str_is(key, "branch"))
        q->branch = with_prefix(value, "refs/heads/");
    else if (str_is(key, "mtime") && (str_is(value, "commit") || str_is(value, "checkout")))
        out->mtime_commit = str_is(value, "commit");
    else if (str_is(key, "mtime"))
        return wrong(err, q->url, "its mtime is neither checkout nor commit");
    else
        return wrong(err, q->url,
                     "its query has a part that is none of ref, tag, branch, subdir, checksum, "
                     "commit, keep-git-dir, submodules, mtime, fetch-by-commit");
    return 0;
}

static bool decode(struct buf *out, struct str text)
{
    size_t from = out->size;

    if (!percent_decode(out, text))
        return false;
    for (size_t i = from; i < out->size; i++)
        if (out->ptr[i] == 0)
            return false;
    return true;
}

/* "+" stands for a space in queries, and no part of ours has one. */
static int set_query(struct giturl *out, const struct parts *p, struct err *err)
{
    SCOPED(query_release) struct query q = {.out = out, .url = p->remote};
    struct str rest = p->query, pair, key, value;

    while (rest.size) {
        SCOPED(buf_release) struct buf k = {0}, v = {0};

        str_cut(rest, '&', &pair, &rest);
        if (pair.size == 0)
            continue;
        str_cut(pair, '=', &key, &value);
        if (!decode(&k, key) || !decode(&v, value))
            return wrong(err, p->remote, "its query cannot be decoded");
        if (strv_has(&q.seen, buf_cstr(&k)))
            return wrong(err, p->remote, "a part of its query is there twice");
        strv_add(&q.seen, buf_cstr(&k));
        if (set_value(&q, buf_str(&k), buf_str(&v), err) < 0)
            return -1;
    }
    if (q.tag && q.branch)
        return wrong(err, p->remote, "it has both a tag and a branch");
    if (q.tag)
        return agree(&out->ref, str_of(q.tag), "ref", p->remote, err);
    return q.branch ? agree(&out->ref, str_of(q.branch), "ref", p->remote, err) : 0;
}

static int check_choice(const struct giturl *out, struct str url, struct err *err)
{
    if (out->ref && !ref_is_fine(str_of(out->ref)))
        return wrong(err, url, "its ref is not one that git allows");
    if (out->fetch_by_commit && (!out->checksum || !git_is_hash(str_of(out->checksum))) &&
        (!out->ref || !git_is_hash(str_of(out->ref))))
        return wrong(err, url, "fetch-by-commit needs the whole hash of a commit, as commit=");
    if (out->checksum && out->ref && git_is_hash(str_of(out->ref)) &&
        strncasecmp(out->ref, out->checksum, strlen(out->checksum)) != 0)
        return wrong(err, url, "its ref is a commit other than its checksum");
    return 0;
}

static int fill(const struct parts *p, struct giturl *out, struct err *err)
{
    if (check_remote(p, err) < 0)
        return -1;
    out->remote = str_dup(p->remote);
    /* git looks for a helper by the scheme, as written. */
    for (char *c = out->remote; p->scheme != SCHEME_SCP && *c != ':'; c++)
        *c = (char)tolower((unsigned char)*c);
    out->host = str_dup(p->host);
    out->ssh = p->scheme == SCHEME_SSH || p->scheme == SCHEME_SCP;
    if (set_fragment(out, p, err) < 0 || set_query(out, p, err) < 0)
        return -1;
    return check_choice(out, p->remote, err);
}

int giturl_parse(const char *text, struct giturl *out, struct err *err)
{
    struct str all = str_of(text);
    struct parts p = {0};

    *out = (struct giturl){0};
    if (str_starts(all, "./") || str_starts(all, "../") ||
        (!split_url(all, &p) && (str_search(all, "://") >= 0 || !split_scp(all, &p))))
        return 0;
    if ((p.scheme == SCHEME_HTTP || p.scheme == SCHEME_HTTPS) && !str_ends(p.path, ".git"))
        return 0;
    if (all.size > GITURL_MAX)
        return wrong(err, all, "it is too long");
    if (fill(&p, out, err) == 0)
        return 1;
    giturl_release(out);
    return -1;
}

/* git-submodule(1): "../x" takes the last component off the remote's path first. */
static char *relative(const char *remote, struct str url)
{
    struct str base = str_of(remote);
    char separator = '/';

    while (str_ends(base, "/"))
        base = str_slice(base, 0, base.size - 1);
    for (unsigned ups = 0; ups < SUBMODULE_UPS_MAX; ups++) {
        if (str_starts(url, "./")) {
            url = str_slice(url, 2, url.size);
        } else if (str_starts(url, "../")) {
            ptrdiff_t slash = str_rfind(base, '/'), colon = str_rfind(base, ':');
            ptrdiff_t cut = slash > colon ? slash : colon;

            if (cut <= 0 || base.ptr[cut - (cut > 0)] == '/')
                return NULL; /* above the host */
            separator = base.ptr[cut];
            base = str_slice(base, 0, (size_t)cut);
            url = str_slice(url, 3, url.size);
        } else {
            return xasprintf(STR_FMT "%c" STR_FMT, STR_ARG(base), separator, STR_ARG(url));
        }
    }
    return NULL;
}

int giturl_submodule(const char *remote, const char *url, struct giturl *out, struct err *err)
{
    AUTO_FREE char *whole = NULL;
    struct parts p = {0};
    struct str text = str_of(url);

    *out = (struct giturl){0};
    if (str_starts(text, "./") || str_starts(text, "../")) {
        whole = relative(remote, text);
        if (!whole)
            return wrong(err, text, "it leads above the host of its repository");
        text = str_of(whole);
    }
    if (text.size > GITURL_MAX || (!split_url(text, &p) && !split_scp(text, &p)))
        return wrong(err, text, "a submodule can be had by http, https, ssh and git only");
    p.query = p.fragment = STR("");
    if (fill(&p, out, err) == 0)
        return 0;
    giturl_release(out);
    return -1;
}

void giturl_release(struct giturl *url)
{
    free(url->remote);
    free(url->host);
    free(url->ref);
    free(url->subdir);
    free(url->checksum);
    *url = (struct giturl){0};
}
