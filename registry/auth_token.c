/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth_token.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/http_url.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/strv.h"
#include "registry/refusal.h"

#define CLIENT_ID "slipway"
#define LIFETIME_DEFAULT_S                                                                         \
    60 /* distribution "Token Authentication": 60 when not given, and never less */
#define REDIRECTS_MAX 3

static bool is_https(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

/* Host names without their ports; a registry's token service may listen beside it. */
static bool same_host(const char *a, const char *b)
{
    SCOPED(buf_release) struct buf ha = {0};
    SCOPED(buf_release) struct buf hb = {0};
    struct str na, nb, port;

    if (!http_host(a, &ha) || !http_host(b, &hb))
        return false;
    na = buf_str(&ha);
    nb = buf_str(&hb);
    if (na.ptr[na.size - 1] != ']')
        str_cut_last(na, ':', &na, &port);
    if (nb.ptr[nb.size - 1] != ']')
        str_cut_last(nb, ':', &nb, &port);
    return str_eq(na, nb);
}

int auth_realm_check(const char *registry_url, const char *realm, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    SCOPED(buf_release) struct buf host = {0};

    http_redact(realm, &shown);
    if (!http_host(realm, &host))
        return err_set(err, ERR_REMOTE, 401, "token service \"%s\": not an http or https URL",
                       buf_cstr(&shown));
    if (is_https(registry_url) && !is_https(realm))
        return err_set(err, ERR_REMOTE, 401,
                       "token service %s: plain http, though the registry is https",
                       buf_cstr(&shown));
    if (http_is_private(realm) && !same_host(registry_url, realm))
        return err_set(err, ERR_REMOTE, 401,
                       "token service %s: a private address that is not the registry's own",
                       buf_cstr(&shown));
    return 0;
}

/* "repository:a:pull,push" to "repository:a:" and "pull,push"; a word without colon is all name. */
static void split_scope(struct str word, struct str *name, struct str *actions)
{
    ptrdiff_t colon = str_rfind(word, ':');

    *name = str_slice(word, 0, colon < 0 ? word.size : (size_t)colon + 1);
    *actions = str_slice(word, name->size, word.size);
}

static bool next_word(struct str *rest, struct str *word)
{
    do {
        if (rest->size == 0)
            return false;
        str_cut(*rest, ' ', word, rest);
    } while (word->size == 0);
    return true;
}

static bool has_action(struct str actions, struct str action)
{
    struct str one;

    while (actions.size > 0) {
        str_cut(actions, ',', &one, &actions);
        if (str_eq(one, action))
            return true;
    }
    return false;
}

/* Adds the actions of `more` to those that stand in out from `begun` on. */
static void add_actions(struct buf *out, size_t begun, struct str more)
{
    struct str one;

    while (more.size > 0) {
        str_cut(more, ',', &one, &more);
        if (one.size == 0 || has_action(str_slice(buf_str(out), begun, out->size), one))
            continue;
        if (out->size > begun)
            buf_addc(out, ',');
        buf_add_str(out, one);
    }
}

static bool has_name(struct str scope, struct str name)
{
    struct str word, other, actions;

    while (next_word(&scope, &word)) {
        split_scope(word, &other, &actions);
        if (str_eq(other, name))
            return true;
    }
    return false;
}

void auth_scope_merge(struct str a, struct str b, struct buf *out)
{
    SCOPED(buf_release) struct buf all = {0};
    struct str rest, inner, word, name, actions, other, more;

    buf_addf(&all, STR_FMT " " STR_FMT, STR_ARG(a), STR_ARG(b));
    rest = buf_str(&all);
    while (next_word(&rest, &word)) {
        split_scope(word, &name, &actions);
        /* Those before it took all of its name. */
        if (has_name(str_slice(buf_str(&all), 0, (size_t)(word.ptr - all.ptr)), name))
            continue;
        if (out->size > 0)
            buf_addc(out, ' ');
        buf_add_str(out, name);
        size_t begun = out->size;

        add_actions(out, begun, actions);
        inner = rest;
        while (next_word(&inner, &word)) {
            split_scope(word, &other, &more);
            if (str_eq(other, name))
                add_actions(out, begun, more);
        }
    }
}

bool auth_scope_covers(struct str whole, struct str part)
{
    SCOPED(buf_release) struct buf merged = {0};
    SCOPED(buf_release) struct buf alone = {0};

    auth_scope_merge(whole, part, &merged);
    auth_scope_merge(whole, STR(""), &alone);
    return str_eq(buf_str(&merged), buf_str(&alone));
}

static void add_query(struct buf *out, char *mark, const char *name, struct str value)
{
    buf_addf(out, "%c%s=", *mark, name);
    percent_encode(out, value, ":/,");
    *mark = '&';
}

void auth_token_url(const struct auth_token_ask *ask, struct buf *out)
{
    char mark = strchr(ask->realm, '?') ? '&' : '?';
    struct str rest = str_of(ask->scope), word;

    buf_adds(out, ask->realm);
    if (ask->service)
        add_query(out, &mark, "service", str_of(ask->service));
    while (next_word(&rest, &word))
        add_query(out, &mark, "scope", word);
    if (ask->login && ask->login->user)
        add_query(out, &mark, "account", str_of(ask->login->user));
}

void auth_basic(const struct auth_login *login, struct buf *out)
{
    SCOPED(buf_release) struct buf pair = {0};

    buf_addf(&pair, "%s:%s", login->user, login->password);
    buf_adds(out, "Basic ");
    base64_encode(out, pair.ptr, pair.size);
    explicit_bzero(pair.ptr, pair.size);
}

static bool token_is_sane(const char *token)
{
    for (const char *c = token; *c; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return false;
    }
    return token[0] != 0;
}

int auth_token_read(struct str body, char **token, uint64_t *lifetime_s, struct err *err)
{
    json_auto_t *doc = json_parse(body, err);

    if (!doc)
        return err_wrap(err, "token service's reply");
    const char *text = json_str(doc, "token");
    const json_t *expires = json_object_get(doc, "expires_in");

    if (!text || !text[0])
        text = json_str(doc, "access_token");
    if (!text || !text[0])
        return err_set(err, ERR_REMOTE, 0, "token service's reply holds no token");
    if (!token_is_sane(text))
        return err_set(err, ERR_REMOTE, 0,
                       "token service's reply: the token holds a space or control character");
    *lifetime_s = LIFETIME_DEFAULT_S;
    if (json_is_number(expires) && json_number_value(expires) > LIFETIME_DEFAULT_S)
        *lifetime_s =
            json_number_value(expires) > 86400 ? 86400 : (uint64_t)json_number_value(expires);
    *token = xstrdup(text);
    return 0;
}

void auth_reply_words(const struct http_reply *reply, struct buf *out)
{
    SCOPED(refusal_release) struct refusal refusal = {0};

    refusal_parse(buf_str(&reply->body), http_header(reply, "Content-Type"), &refusal);
    if (refusal.code)
        buf_adds(out, refusal.code);
    if (refusal.message && (!refusal.code || strcmp(refusal.code, refusal.message) != 0))
        buf_addf(out, "%s%s", refusal.code ? ": " : "", refusal.message);
}

static int refused(const struct auth_token_ask *ask, const struct http_reply *reply,
                   struct err *err)
{
    SCOPED(buf_release) struct buf words = {0};
    SCOPED(buf_release) struct buf host = {0};
    const struct auth_login *login = ask->login;

    auth_reply_words(reply, &words);
    http_host(ask->realm, &host);
    if (login && (reply->status == 401 || reply->status == 403 || reply->status == 400))
        return err_set(err, ERR_REMOTE, reply->status,
                       "token service %s refused the login of %s (from %s): %d%s%s",
                       buf_cstr(&host), login->user ? login->user : "an identity token",
                       login->source ? login->source : "the command line", reply->status,
                       words.size ? ", " : "", buf_cstr(&words));
    err_set(err, ERR_REMOTE, reply->status, "token service %s answers %d%s%s", buf_cstr(&host),
            reply->status, words.size ? ", " : "", buf_cstr(&words));
    buf_clear(&host);
    if ((reply->status == 401 || reply->status == 403) && http_host(ask->registry_url, &host))
        err_add(err, " (slipway login %s)", buf_cstr(&host));
    return -1;
}

/* Our own redirects here, so that every hop is held to the guards; a login goes to the realm's host
 * alone. */
static int send_guarded(struct http *http, const struct auth_token_ask *ask,
                        struct http_request *request, struct http_reply *reply, struct err *err)
{
    AUTO_FREE char *url = xstrdup(request->url);

    request->no_redirect = true;
    request->reply_max = AUTH_TOKEN_MAX;
    for (int hops = 0;; hops++) {
        if (auth_realm_check(ask->registry_url, url, err) < 0)
            return -1;
        request->url = url;
        if (http_send(http, request, reply, err) < 0)
            return err_wrap(err, "token service");
        const char *location = http_header(reply, "Location");

        if (reply->status < 300 || reply->status > 308 || !location || request->body.size > 0)
            return 0;
        if (hops == REDIRECTS_MAX)
            return err_set(err, ERR_REMOTE, reply->status,
                           "token service redirects more than %d times", REDIRECTS_MAX);
        char *next = http_resolve(url, location);

        if (!next)
            return err_set(err, ERR_REMOTE, reply->status,
                           "token service redirects to what is no URL");
        if (!http_url_same_origin(next, ask->realm))
            request->authorization = NULL;
        free(url);
        url = next;
    }
}

static void add_form(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s%s=", out->size ? "&" : "", name);
    percent_encode(out, str_of(value), "");
}

/* An identity token is an OAuth refresh token: POST of a form. */
static int fetch_by_form(struct http *http, const struct auth_token_ask *ask,
                         struct http_reply *reply, struct err *err)
{
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(buf_release) struct buf form = {0};

    add_form(&form, "grant_type", "refresh_token");
    add_form(&form, "refresh_token", ask->login->identity_token);
    if (ask->service)
        add_form(&form, "service", ask->service);
    if (ask->scope && ask->scope[0])
        add_form(&form, "scope", ask->scope);
    add_form(&form, "client_id", CLIENT_ID);
    strv_add(&headers, "Content-Type: application/x-www-form-urlencoded");
    struct http_request request = {.method = "POST",
                                   .url = ask->realm,
                                   .headers = &headers,
                                   .body = buf_str(&form),
                                   .has_body = true,
                                   .repeatable = true};
    int result = send_guarded(http, ask, &request, reply, err);

    explicit_bzero(form.ptr, form.size);
    return result;
}

static int fetch_by_query(struct http *http, const struct auth_token_ask *ask,
                          struct http_reply *reply, struct err *err)
{
    SCOPED(buf_release) struct buf url = {0};
    SCOPED(buf_release) struct buf basic = {0};

    auth_token_url(ask, &url);
    if (ask->login && ask->login->user && ask->login->password)
        auth_basic(ask->login, &basic);
    struct http_request request = {.method = "GET",
                                   .url = buf_cstr(&url),
                                   .repeatable = true,
                                   .authorization = basic.size ? buf_cstr(&basic) : NULL};

    return send_guarded(http, ask, &request, reply, err);
}

int auth_token_fetch(struct http *http, const struct auth_token_ask *ask, char **token,
                     uint64_t *lifetime_s, struct err *err)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    bool by_form = ask->login && ask->login->identity_token;

    if (auth_realm_check(ask->registry_url, ask->realm, err) < 0)
        return -1;
    if (by_form && fetch_by_form(http, ask, &reply, err) < 0)
        return -1;
    /* Older services know only the GET; without a password that would be anonymous, and hide the
     * cause. */
    if (by_form && (reply.status == 404 || reply.status == 405) && ask->login->user &&
        ask->login->password)
        by_form = false;
    if (!by_form && fetch_by_query(http, ask, &reply, err) < 0)
        return -1;
    if (reply.status < 200 || reply.status > 299)
        return refused(ask, &reply, err);
    if (auth_token_read(buf_str(&reply.body), token, lifetime_s, err) < 0) {
        SCOPED(buf_release) struct buf host = {0};

        http_host(ask->realm, &host);
        return err_wrap(err, "%s", buf_cstr(&host));
    }
    return 0;
}
