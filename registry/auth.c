/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/auth_token.h"
#include "registry/challenge.h"
#include "registry/ecr.h"

#define ROUNDS_MAX 4 /* login, wider scope, another login; each must bring something new */
#define TOKEN_MARGIN_MS 5000
#define SCOPE_MAX 4096

enum wants { WANTS_UNKNOWN, WANTS_BASIC, WANTS_BEARER };
enum login_from { FROM_NOWHERE, FROM_USER, FROM_STORE, FROM_AWS };

struct token {
    char *realm, *service, *scope;
    char *text;
    uint64_t until_ms;
};

/* A registry and a repository path in it, for logins may be kept for either. */
struct account {
    char *registry, *path;
    enum wants wants;
    char *realm, *service; /* of the last Bearer challenge */
    bool looked_up;
    enum login_from from;
    struct auth_login login;
    uint64_t login_until_ms; /* FROM_AWS: monotonic; 0: does not run out */
    struct token *tokens;
    size_t tokens_count, tokens_capacity;
    struct account *next;
};

struct given {
    char *registry, *user, *password, *source;
};

struct auth {
    struct http *http;
    char *ca_file;
    pthread_mutex_t mutex;    /* guards all below; held while a token is fetched, so that one thread
                                 fetches for all */
    struct account *accounts; /* a list: who asks holds on to his while others are added */
    struct given *given;
    size_t given_count, given_capacity;
};

/* One request on its way. */
struct asking {
    struct auth *auth;
    struct account *account;
    const char *url;
    struct buf scope;
    struct buf used;  /* the authorization last sent; empty: none */
    bool fresh_login; /* the AWS login was renewed for this request */
    bool fresh_token; /* … a token was fetched for it; refused once more, it is not fetched again …
                       */
    bool asks_other; /* … unless the challenge now asks for something else */
};

struct auth *auth_open(struct http *http, const char *ca_file)
{
    struct auth *auth = xcalloc(1, sizeof(*auth));

    auth->http = http;
    auth->ca_file = xstrdup(ca_file);
    pthread_mutex_init(&auth->mutex, NULL);
    return auth;
}

static void token_release(struct token *token)
{
    free(token->realm);
    free(token->service);
    free(token->scope);
    free(token->text);
}

static void account_free(struct account *a)
{
    for (size_t i = 0; i < a->tokens_count; i++)
        token_release(&a->tokens[i]);
    free(a->tokens);
    free(a->registry);
    free(a->path);
    free(a->realm);
    free(a->service);
    auth_login_release(&a->login);
    free(a);
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    while (auth->accounts) {
        struct account *a = auth->accounts;

        auth->accounts = a->next;
        account_free(a);
    }
    for (size_t i = 0; i < auth->given_count; i++) {
        free(auth->given[i].registry);
        free(auth->given[i].user);
        free(auth->given[i].password);
        free(auth->given[i].source);
    }
    free(auth->given);
    free(auth->ca_file);
    pthread_mutex_destroy(&auth->mutex);
    free(auth);
}

void auth_set(struct auth *auth, const char *registry, const char *user, const char *password,
              const char *source)
{
    VEC_GROW(auth->given, auth->given_count, auth->given_capacity);
    auth->given[auth->given_count++] =
        (struct given){xstrdup(registry), xstrdup(user), xstrdup(password), xstrdup(source)};
}

static bool is_ecr(const char *registry, bool *is_public)
{
    struct ecr_host host;

    if (!ecr_host_parse(registry, &host))
        return false;
    *is_public = host.is_public;
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void set_text(char **slot, const char *text)
{
    if (same_text(*slot, text))
        return;
    free(*slot);
    *slot = xstrdup(text);
}

/* "library/node" of "repository:library/node:pull …". */
static char *path_of_scope(const char *scope)
{
    struct str word, kind, rest, path, actions;

    str_cut(str_of(scope), ' ', &word, &rest);
    if (!str_cut(word, ':', &kind, &rest) || !str_is(kind, "repository") ||
        !str_cut_last(rest, ':', &path, &actions))
        return xstrdup("");
    return str_dup(path);
}

static struct account *account_of(struct auth *auth, const char *registry, const char *scope)
{
    AUTO_FREE char *path = path_of_scope(scope);
    struct account *sibling = NULL;
    bool is_public;

    for (struct account *a = auth->accounts; a; a = a->next) {
        if (strcmp(a->registry, registry) != 0)
            continue;
        if (strcmp(a->path, path) == 0)
            return a;
        sibling = a;
    }
    struct account *a = xcalloc(1, sizeof(*a));

    a->registry = xstrdup(registry);
    a->path = steal_ptr(&path);
    if (sibling) {
        /* What the host wants is known already: no request is spent on being refused. */
        a->wants = sibling->wants;
        a->realm = xstrdup(sibling->realm);
        a->service = xstrdup(sibling->service);
    } else if (is_ecr(registry, &is_public) && !is_public) {
        a->wants = WANTS_BASIC;
    }
    a->next = auth->accounts;
    auth->accounts = a;
    return a;
}

/* Another account of the registry may hold the AWS login already. */
static const struct account *aws_sibling(struct auth *auth, const struct account *a)
{
    for (const struct account *other = auth->accounts; other; other = other->next) {
        if (other != a && other->from == FROM_AWS && strcmp(other->registry, a->registry) == 0 &&
            (other->login_until_ms == 0 || other->login_until_ms > clock_mono_ms()))
            return other;
    }
    return NULL;
}

static void take_aws_login(struct account *a, const char *user, const char *password,
                           uint64_t until_ms)
{
    auth_login_release(&a->login);
    a->login.user = xstrdup(user);
    a->login.password = xstrdup(password);
    a->login.source = xstrdup("AWS credentials");
    a->login_until_ms = until_ms;
    a->from = FROM_AWS;
    a->looked_up = true;
}

/* GetAuthorizationToken; may_share: a login that another repository got will do. */
static int login_by_aws(struct auth *auth, struct account *a, bool may_share, struct err *err)
{
    const struct account *sibling = may_share ? aws_sibling(auth, a) : NULL;
    SCOPED(ecr_login_release) struct ecr_login fresh = {0};

    if (sibling) {
        take_aws_login(a, sibling->login.user, sibling->login.password, sibling->login_until_ms);
        return 0;
    }
    if (ecr_login(auth->ca_file, a->registry, &fresh, err) < 0)
        return -1;
    int64_t left = fresh.expires - (int64_t)clock_now().tv_sec;

    /* Renewed at half of its life. One that says it is over already was just given, and is used all
     * the same. */
    take_aws_login(a, fresh.user, fresh.password,
                   left > 0 ? clock_mono_ms() + (uint64_t)left * 500 : 0);
    return 0;
}

/* Fills a->login, once. A registry without any login is fine; for a private ECR one it is not. */
static int find_login(struct auth *auth, struct account *a, struct err *err)
{
    bool is_public = false;

    if (a->from == FROM_AWS && a->login_until_ms && a->login_until_ms <= clock_mono_ms()) {
        struct err why = {0};

        if (login_by_aws(auth, a, true, &why) < 0)
            log_debug("the old login is used on: %s", why.text);
        return 0;
    }
    if (a->looked_up)
        return 0;
    for (size_t i = 0; i < auth->given_count; i++) {
        const struct given *g = &auth->given[i];

        if (strcmp(g->registry, a->registry) != 0)
            continue;
        a->looked_up = true;
        a->from = FROM_USER;
        a->login.user = xstrdup(g->user);
        a->login.source = xstrdup(g->source);
        a->login.password = g->user ? xstrdup(g->password ? g->password : "") : NULL;
        return 0;
    }
    int found = auth_lookup(a->registry, a->path, &a->login, err);

    if (found < 0)
        return -1;
    if (found) {
        a->from = FROM_STORE;
        log_debug("login for %s: %s", a->registry, a->login.source);
    } else if (is_ecr(a->registry, &is_public) && !is_public) {
        return login_by_aws(auth, a, true, err);
    }
    a->looked_up = true;
    return 0;
}

static bool has_password(const struct account *a)
{
    return a->login.user && a->login.password;
}

static bool has_login(const struct account *a)
{
    return has_password(a) || a->login.identity_token || a->login.registry_token;
}

static struct token *find_token(struct account *a, struct str scope)
{
    for (size_t i = 0; i < a->tokens_count; i++) {
        struct token *t = &a->tokens[i];

        if (same_text(t->realm, a->realm) && same_text(t->service, a->service) &&
            auth_scope_covers(str_of(t->scope), scope))
            return t;
    }
    return NULL;
}

static void drop_token(struct account *a, struct token *token)
{
    token_release(token);
    *token = a->tokens[--a->tokens_count];
}

/* A token for the scope, from the cache unless it is `not_this` (it was refused) or run out. */
static int bearer(struct asking *ask, struct str not_this, struct buf *out, struct err *err)
{
    struct account *a = ask->account;
    struct token *kept = find_token(a, buf_str(&ask->scope));
    struct token fresh = {0};
    uint64_t lifetime_s;

    if (kept && kept->until_ms > clock_mono_ms()) {
        buf_addf(out, "Bearer %s", kept->text);
        if (!str_eq(buf_str(out), not_this))
            return 0;
        buf_clear(out);
    }
    if (kept)
        drop_token(a, kept);
    struct auth_token_ask what = {.registry_url = ask->url,
                                  .realm = a->realm,
                                  .service = a->service,
                                  .scope = buf_cstr(&ask->scope),
                                  .login = has_login(a) ? &a->login : NULL};

    if (auth_token_fetch(ask->auth->http, &what, &fresh.text, &lifetime_s, err) < 0)
        return -1;
    ask->fresh_token = true;
    fresh.realm = xstrdup(a->realm);
    fresh.service = xstrdup(a->service);
    fresh.scope = xstrdup(buf_cstr(&ask->scope));
    fresh.until_ms = clock_mono_ms() + lifetime_s * 1000 - TOKEN_MARGIN_MS;
    VEC_GROW(a->tokens, a->tokens_count, a->tokens_capacity);
    a->tokens[a->tokens_count++] = fresh;
    buf_addf(out, "Bearer %s", fresh.text);
    return 0;
}

/* The authorization to begin with: what is known to be wanted. Empty: none. */
static int first_try(struct asking *ask, struct buf *out, struct err *err)
{
    struct account *a = ask->account;

    if (a->wants == WANTS_UNKNOWN)
        return 0;
    if (find_login(ask->auth, a, err) < 0)
        return -1;
    if (a->login.registry_token)
        buf_addf(out, "Bearer %s", a->login.registry_token);
    else if (a->wants == WANTS_BEARER)
        return bearer(ask, STR(""), out, err);
    else if (has_password(a))
        auth_basic(&a->login, out);
    return 0;
}

/* Another login than the refused one: AWS's in place of a stored one that ran out; none in place of
 * a public one. */
static bool other_login(struct asking *ask)
{
    struct account *a = ask->account;
    struct err why = {0};
    bool is_public = false;

    if (!is_ecr(a->registry, &is_public) || a->from == FROM_USER || ask->fresh_login)
        return false;
    ask->fresh_login = true;
    if (a->from == FROM_STORE)
        log_debug("%s refused the login in %s; trying AWS credentials", a->registry,
                  a->login.source);
    if (login_by_aws(ask->auth, a, false, &why) == 0)
        return true;
    log_debug("%s", why.text);
    if (!is_public || a->from != FROM_STORE)
        return false;
    log_warn("%s refused the login in %s; going on without", a->registry, a->login.source);
    auth_login_release(&a->login);
    a->from = FROM_NOWHERE;
    return true;
}

static int answer_basic(struct asking *ask, struct buf *out)
{
    struct account *a = ask->account;

    if (!has_password(a))
        return 0;
    auth_basic(&a->login, out);
    if (!str_eq(buf_str(out), buf_str(&ask->used)))
        return 0;
    buf_clear(out);
    if (other_login(ask) && has_password(a))
        auth_basic(&a->login, out);
    return 0;
}

static int answer_bearer(struct asking *ask, struct buf *out, struct err *err)
{
    struct account *a = ask->account;
    struct err why = {0};

    if (a->login.registry_token) {
        buf_addf(out, "Bearer %s", a->login.registry_token);
        if (str_eq(buf_str(out), buf_str(&ask->used)))
            buf_clear(out);
        return 0;
    }
    if (ask->fresh_token && !ask->asks_other)
        return 0;
    if (bearer(ask, buf_str(&ask->used), out, &why) == 0)
        return 0;
    if (why.kind == ERR_REMOTE && a->from == FROM_STORE && other_login(ask))
        return bearer(ask, buf_str(&ask->used), out, err);
    *err = why;
    return -1;
}

static int read_challenges(const struct http_reply *reply, struct challenges *list, struct err *err)
{
    const char *value = NULL;

    while ((value = http_next_header(reply, "WWW-Authenticate", value))) {
        if (challenge_parse(str_of(value), list, err) < 0)
            return -1;
    }
    return 0;
}

/* Learns from the challenge what the host wants. */
static void learn(struct asking *ask, const struct challenge *c)
{
    SCOPED(buf_release) struct buf merged = {0};

    if (c->scheme == CHALLENGE_BASIC) {
        ask->account->wants = WANTS_BASIC;
        return;
    }
    ask->asks_other =
        !same_text(ask->account->realm, c->realm) || !same_text(ask->account->service, c->service);
    ask->account->wants = WANTS_BEARER;
    set_text(&ask->account->realm, c->realm);
    set_text(&ask->account->service, c->service);
    /* Nothing that a registry needs is longer, and merging takes the square of its time. */
    auth_scope_merge(buf_str(&ask->scope), str_slice(str_of(c->scope), 0, SCOPE_MAX), &merged);
    ask->asks_other = ask->asks_other || !str_eq(buf_str(&merged), buf_str(&ask->scope));
    buf_clear(&ask->scope);
    buf_add_str(&ask->scope, buf_str(&merged));
}

/* ECR says "run out" with 403, its public registry with 400 and no challenge. */
static bool says_expired(const struct asking *ask, const struct http_reply *reply)
{
    bool is_public = false;

    if (ask->used.size == 0 || !is_ecr(ask->account->registry, &is_public))
        return false;
    if (reply->status != 403 && !(is_public && reply->status == 400))
        return false;
    return str_search(buf_str(&reply->body), "expired") >= 0;
}

/* What to send after this refusal; empty: nothing better is known, the refusal stands. */
static int answer(struct asking *ask, const struct http_reply *reply, struct buf *out,
                  struct err *err)
{
    SCOPED(challenges_release) struct challenges list = {0};
    struct account *a = ask->account;

    if (read_challenges(reply, &list, err) < 0)
        return err_wrap(err, "%s", a->registry);
    const struct challenge *bearer_challenge = challenge_find(&list, CHALLENGE_BEARER);
    const struct challenge *basic_challenge = challenge_find(&list, CHALLENGE_BASIC);

    ask->asks_other = false;
    if (bearer_challenge && bearer_challenge->realm)
        learn(ask, bearer_challenge);
    else if (basic_challenge)
        learn(ask, basic_challenge);
    else if (list.count > 0 || a->wants == WANTS_UNKNOWN)
        return 0;
    if (find_login(ask->auth, a, err) < 0)
        return -1;
    return a->wants == WANTS_BEARER ? answer_bearer(ask, out, err) : answer_basic(ask, out);
}

static int begin(struct asking *ask, const char *registry, const char *scope, struct err *err)
{
    int result;

    pthread_mutex_lock(&ask->auth->mutex);
    ask->account = account_of(ask->auth, registry, scope);
    result = first_try(ask, &ask->used, err);
    pthread_mutex_unlock(&ask->auth->mutex);
    return result;
}

/* 1: ask->used is new, send again. 0: the reply stands. */
static int retry_with(struct asking *ask, const struct http_reply *reply, struct err *err)
{
    SCOPED(buf_release) struct buf next = {0};
    int result;

    pthread_mutex_lock(&ask->auth->mutex);
    result = answer(ask, reply, &next, err);
    pthread_mutex_unlock(&ask->auth->mutex);
    if (result < 0 || next.size == 0)
        return result;
    buf_clear(&ask->used);
    buf_add_str(&ask->used, buf_str(&next));
    return 1;
}

static void asking_release(struct asking *ask)
{
    buf_release(&ask->scope);
    if (ask->used.ptr)
        explicit_bzero(ask->used.ptr, ask->used.size);
    buf_release(&ask->used);
}

int auth_send(struct auth *auth, const char *registry, const char *scope,
              const struct http_request *request, struct http_reply *reply, struct err *err)
{
    SCOPED(asking_release) struct asking ask = {.auth = auth, .url = request->url};
    struct http_request sent = *request;

    buf_adds(&ask.scope, scope ? scope : "");
    if (begin(&ask, registry, scope, err) < 0)
        return -1;
    for (int round = 0;; round++) {
        sent.authorization = ask.used.size > 0 ? buf_cstr(&ask.used) : NULL;
        if (http_send(auth->http, &sent, reply, err) < 0)
            return -1;
        if ((reply->status != 401 && !says_expired(&ask, reply)) || round == ROUNDS_MAX)
            return 0;
        int next = retry_with(&ask, reply, err);

        if (next <= 0)
            return next;
    }
}

static void explain_login(const struct account *a, int status, const struct buf *words,
                          struct err *err)
{
    const char *user = a->login.user             ? a->login.user
                       : a->login.identity_token ? "an identity token"
                                                 : "a token";
    const char *source = a->login.source ? a->login.source : "the command line";
    const char *colon = words->size ? ": " : "";

    if (status != 401)
        err_set(err, ERR_REMOTE, status, "%s does not let %s (login from %s) do this: %d%s%s",
                a->registry, user, source, status, colon, buf_cstr(words));
    else if (a->from == FROM_STORE)
        err_set(err, ERR_REMOTE, status,
                "%s refused the login of %s from %s%s%s (slipway login %s makes a new one)",
                a->registry, user, source, colon, buf_cstr(words), a->registry);
    else
        err_set(err, ERR_REMOTE, status, "%s refused the login of %s from %s%s%s", a->registry,
                user, source, colon, buf_cstr(words));
}

int auth_explain(struct auth *auth, const char *registry, const struct http_reply *reply,
                 struct err *err)
{
    SCOPED(buf_release) struct buf words = {0};
    const struct account *a = NULL;

    auth_reply_words(reply, &words);
    pthread_mutex_lock(&auth->mutex);
    for (const struct account *other = auth->accounts; other; other = other->next) {
        if (strcmp(other->registry, registry) == 0 && (!a || has_login(other)))
            a = other;
    }
    if (a && has_login(a))
        explain_login(a, reply->status, &words, err);
    else
        err_set(err, ERR_REMOTE, reply->status, "%s %s (slipway login %s)%s%s", registry,
                a && a->wants == WANTS_BEARER ? "has no such repository, or wants a login for it"
                                              : "wants a login",
                registry, words.size ? "; it says " : "", buf_cstr(&words));
    pthread_mutex_unlock(&auth->mutex);
    return -1;
}
