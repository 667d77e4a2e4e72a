/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/remote.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/auth.h"
#include "registry/ecr.h"
#include "registry/manifest.h"
#include "registry/places.h"
#include "registry/reference.h"
#include "registry/refusal.h"

#define PROBE_CONNECT_MS 5000
#define PROBE_MS 10000

struct stand_in {
    char *host; /* whom it stands in for */
    struct place_url url;
};

struct remote {
    struct http *http;
    struct auth *auth;
    char *ca_file;
    struct strv insecure;
    struct stand_in *mirrors;
    size_t mirrors_count;
    struct stand_in *endpoints;
    size_t endpoints_count;
    pthread_mutex_t lock; /* for all below */
    struct strv schemes;  /* "host=https", found by trying */
    struct strv warned;   /* texts of Warning headers shown */
};

void remote_settings_release(struct remote_settings *settings)
{
    strv_release(&settings->mirrors);
    strv_release(&settings->endpoints);
    strv_release(&settings->insecure);
    free(settings->ca_file);
    *settings = (struct remote_settings){0};
}

static void stand_ins_release(struct stand_in *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i].host);
        place_url_release(&items[i].url);
    }
    free(items);
}

void remote_free(struct remote *remote)
{
    if (!remote)
        return;
    auth_free(remote->auth);
    http_free(remote->http);
    stand_ins_release(remote->mirrors, remote->mirrors_count);
    stand_ins_release(remote->endpoints, remote->endpoints_count);
    free(remote->ca_file);
    strv_release(&remote->insecure);
    strv_release(&remote->schemes);
    strv_release(&remote->warned);
    pthread_mutex_destroy(&remote->lock);
    free(remote);
}

void remote_drop(struct remote **remote)
{
    remote_free(*remote);
}

struct http *remote_http(struct remote *remote)
{
    return remote->http;
}

struct auth *remote_auth(struct remote *remote)
{
    return remote->auth;
}

static int parse_stand_ins(const struct strv *texts, const char *what, struct stand_in **items,
                           size_t *count, struct err *err)
{
    *items = texts->count ? xcalloc(texts->count, sizeof(**items)) : NULL;
    for (size_t i = 0; i < texts->count; i++) {
        struct stand_in *item = &(*items)[i];

        if (place_pair_parse(texts->ptr[i], what, &item->host, &item->url, err) < 0)
            return -1;
        *count = i + 1;
    }
    return 0;
}

/* "docker.io" in an image name is "registry-1.docker.io" on the wire. */
static const char *api_host(const char *host)
{
    struct reference ref = {0};
    AUTO_FREE char *copy = xstrdup(host);

    ref.host = copy;
    return strcmp(host, "docker.io") == 0 ? reference_api_host(&ref) : host;
}

/* What an endpoint means to the http door: connect there instead, and speak plainly only to this
 * very machine. */
static int add_endpoint(struct remote *remote, const struct stand_in *endpoint,
                        struct strv *connect_to, struct err *err)
{
    const char *wire = api_host(endpoint->host);
    bool plain = endpoint->url.scheme && strcmp(endpoint->url.scheme, "http") == 0;
    struct str to_name, to_port;

    if (*endpoint->url.prefix)
        return err_set(
            err, ERR_USAGE, 0,
            "registry endpoint for %s: a path (%s) is not supported, only where to connect",
            endpoint->host, endpoint->url.prefix);
    if (plain && !place_is_loopback(endpoint->url.host) &&
        !place_listed(&remote->insecure, endpoint->host))
        return err_set(err, ERR_USAGE, 0,
                       "registry endpoint for %s: http to %s needs --insecure %s", endpoint->host,
                       endpoint->url.host, endpoint->host);
    place_host_cut(str_of(endpoint->url.host), &to_name, &to_port);
    if (!to_port.size)
        to_port = str_of(plain ? "80" : "443");
    strv_addf(connect_to, "%s=" STR_FMT ":" STR_FMT, wire, STR_ARG(to_name), STR_ARG(to_port));
    return 0;
}

static int add_insecure(struct remote *remote, const struct strv *hosts, struct err *err)
{
    for (size_t i = 0; i < hosts->count; i++) {
        AUTO_FREE char *host = place_host(str_trim(str_of(hosts->ptr[i])));

        if (!reference_host_valid(str_of(host)))
            return err_set(err, ERR_USAGE, 0, "--insecure \"%s\" is no registry host",
                           hosts->ptr[i]);
        strv_add(&remote->insecure, host);
        if (strcmp(api_host(host), host) != 0)
            strv_add(&remote->insecure, api_host(host));
    }
    return 0;
}

struct remote *remote_open(const struct remote_settings *settings, struct err *err)
{
    static const struct remote_settings none;
    SCOPED(remote_drop) struct remote *remote = xcalloc(1, sizeof(*remote));
    SCOPED(strv_release) struct strv connect_to = {0};
    struct http_options options = {0};

    pthread_mutex_init(&remote->lock, NULL);
    if (!settings)
        settings = &none;
    if (add_insecure(remote, &settings->insecure, err) < 0 ||
        parse_stand_ins(&settings->mirrors, "registry mirror", &remote->mirrors,
                        &remote->mirrors_count, err) < 0 ||
        parse_stand_ins(&settings->endpoints, "registry endpoint", &remote->endpoints,
                        &remote->endpoints_count, err) < 0)
        return NULL;
    for (size_t i = 0; i < remote->endpoints_count; i++)
        if (add_endpoint(remote, &remote->endpoints[i], &connect_to, err) < 0)
            return NULL;
    remote->ca_file = xstrdup(settings->ca_file);
    options.ca_file = settings->ca_file;
    options.insecure = &remote->insecure;
    options.connect_to = &connect_to;
    remote->http = http_open(&options, err);
    if (!remote->http)
        return NULL;
    remote->auth = auth_open(remote->http, settings->ca_file);
    return steal_ptr(&remote);
}

const char *remote_ca_file(const struct remote *remote)
{
    return remote->ca_file;
}

bool remote_is_insecure(const struct remote *remote, const char *host)
{
    return place_listed(&remote->insecure, host);
}

/* --- places --- */

static bool answers(struct remote *remote, const char *scheme, const char *host, int *status,
                    struct err *err)
{
    AUTO_FREE char *url = xasprintf("%s://%s/v2/", scheme, host);
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .no_redirect = true,
                                   .connect_timeout_ms = PROBE_CONNECT_MS,
                                   .timeout_ms = PROBE_MS};
    SCOPED(http_reply_release) struct http_reply reply = {0};

    if (http_send(remote->http, &request, &reply, err) < 0)
        return false;
    *status = reply.status;
    return true;
}

/*
 * https unless the user allowed http; then whichever answers. This very machine is asked in plain
 * http first: that is what registries here speak, and it saves opening the certificate store. A
 * server of https answers a plain request with 400, so 400 is no proof of http. When nothing
 * answers, the request itself will say what is wrong.
 */
static const char *try_schemes(struct remote *remote, const char *host, bool *found)
{
    static const char *const schemes[] = {"https", "http"};
    struct err failed[2] = {{0}, {0}};
    size_t first = place_is_loopback(host) ? 1 : 0;

    *found = true;
    for (size_t n = 0; n < 2; n++) {
        size_t i = n ? 1 - first : first;
        int status = 0;

        if (answers(remote, schemes[i], host, &status, &failed[i]) && (i == 0 || status != 400))
            return schemes[i];
        if (i == 1 && status == 400)
            err_set(&failed[1], ERR_REMOTE, status, "bad request");
    }
    log_debug("%s: https: %s; http: %s", host, failed[0].text, failed[1].text);
    *found = false;
    /* nobody there: the plain request tells that in plainer words than a failed TLS handshake */
    return failed[1].kind == ERR_REMOTE ? "https" : "http";
}

static const char *scheme_of(struct remote *remote, const char *host)
{
    const char *scheme;
    bool found;

    for (size_t i = 0; i < remote->endpoints_count; i++)
        if (strcmp(api_host(remote->endpoints[i].host), host) == 0 &&
            remote->endpoints[i].url.scheme)
            return strcmp(remote->endpoints[i].url.scheme, "http") == 0 ? "http" : "https";
    if (!place_is_loopback(host) && !place_listed(&remote->insecure, host))
        return "https";
    pthread_mutex_lock(&remote->lock);
    scheme = env_get(&remote->schemes, host);
    if (scheme) {
        scheme = strcmp(scheme, "http") == 0 ? "http" : "https";
    } else {
        scheme = try_schemes(remote, host, &found);
        if (found)
            env_set(&remote->schemes, host, scheme);
    }
    pthread_mutex_unlock(&remote->lock);
    return scheme;
}

void remote_places_release(struct remote_places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        free(places->items[i].base);
        free(places->items[i].host);
        free(places->items[i].repository);
    }
    free(places->items);
    *places = (struct remote_places){0};
}

static void add_place(struct remote *remote, struct remote_places *places,
                      const struct place_url *url, const struct reference *ref, bool is_mirror)
{
    struct remote_place *place = &places->items[places->count++];
    const char *scheme = url->scheme ? url->scheme : scheme_of(remote, api_host(url->host));

    place->base =
        xasprintf("%s://%s%s", scheme, api_host(url->host), url->prefix ? url->prefix : "");
    place->host = place_host(str_of(url->host));
    place->repository = xstrdup(ref->path);
    place->is_mirror = is_mirror;
}

int remote_find(struct remote *remote, const struct reference *ref, bool push,
                struct remote_places *places, struct err *err)
{
    struct place_url origin = {.host = ref->host};

    if (!ref->host || !ref->path)
        return err_set(err, ERR_USAGE, 0, "an image name without a registry has nowhere to go");
    *places =
        (struct remote_places){.items = xcalloc(remote->mirrors_count + 1, sizeof(*places->items))};
    for (size_t i = 0; i < remote->mirrors_count && !push; i++)
        if (strcmp(remote->mirrors[i].host, ref->host) == 0)
            add_place(remote, places, &remote->mirrors[i].url, ref, true);
    add_place(remote, places, &origin, ref, false);
    return 0;
}

/* --- requests --- */

/* Scheme, host and port are the registry's own: only then does its login go along. */
static bool is_own(const struct remote_place *place, const char *url)
{
    SCOPED(buf_release) struct buf own = {0};
    SCOPED(buf_release) struct buf other = {0};

    return http_host(place->base, &own) && http_host(url, &other) &&
           str_eq(buf_str(&own), buf_str(&other)) &&
           str_starts(str_of(place->base), "https:") == str_starts(str_of(url), "https:");
}

static bool ecr_of(const struct remote_place *place, struct ecr_host *out)
{
    struct str name, port;
    AUTO_FREE char *host = NULL;

    place_host_cut(str_of(place->host), &name, &port);
    host = str_dup(name);
    return ecr_host_parse(host, out);
}

bool remote_is_ecr(const struct remote_place *place)
{
    struct ecr_host ignored;

    return ecr_of(place, &ignored);
}

/* RFC 9111 (as RFC 7234 §5.5): 299 agent "text". Registries use it for notices; each is shown once.
 */
static void show_warnings(struct remote *remote, const struct remote_place *place,
                          const struct http_reply *reply)
{
    const char *value = http_header(reply, "Warning");

    for (; value; value = http_next_header(reply, "Warning", value)) {
        struct str text, rest;
        SCOPED(buf_release) struct buf line = {0};

        if (!str_starts(str_of(value), "299 ") || !str_cut(str_of(value), '"', &rest, &text))
            continue;
        str_cut(text, '"', &text, &rest);
        buf_addf(&line, "%s says: ", place->host);
        buf_add_escaped(&line, str_slice(text, 0, REFUSAL_TEXT_MAX));
        pthread_mutex_lock(&remote->lock);
        if (!strv_has(&remote->warned, buf_cstr(&line)) && remote->warned.count < 20) {
            strv_add(&remote->warned, buf_cstr(&line));
            log_warn("%s", buf_cstr(&line));
        }
        pthread_mutex_unlock(&remote->lock);
    }
}

/* The scope that matters goes first: some token services look at no other. */
static char *scope_of(const struct remote_call *call)
{
    SCOPED(buf_release) struct buf scope = {0};

    buf_addf(&scope, "repository:%s:%s", call->place->repository,
             call->push ? "pull,push" : "pull");
    if (call->mount_from)
        buf_addf(&scope, " repository:%s:pull", call->mount_from);
    return buf_steal(&scope);
}

int remote_send(struct remote *remote, const struct remote_call *call, struct http_reply *reply,
                struct err *err)
{
    AUTO_FREE char *url = call->url ? xstrdup(call->url)
                                    : xasprintf("%s/v2/%s/%s", call->place->base,
                                                call->place->repository, call->path);
    AUTO_FREE char *scope = scope_of(call);
    struct http_request request = call->http;
    int sent;

    request.url = url;
    if (is_own(call->place, url))
        sent = auth_send(remote->auth, call->place->host, scope, &request, reply, err);
    else
        sent = http_send(remote->http, &request, reply, err);
    if (sent < 0)
        return -1;
    show_warnings(remote, call->place, reply);
    return 0;
}

/* storage: where the place sent us, NULL: itself. */
static int explain(const struct remote_call *call, const struct http_reply *reply,
                   const struct refusal *refusal, const char *storage, const char *ecr_region,
                   struct err *err)
{
    SCOPED(auth_login_release) struct auth_login login = {0};
    struct err ignored = {0};
    struct refusal_request request = {
        .method = call->http.method,
        .host = call->place->host,
        .storage = storage,
        .repository = call->place->repository,
        .path = call->path ? call->path : "",
        .push = call->push,
        .authorized = ecr_region ||
                      auth_lookup(call->place->host, call->place->repository, &login, &ignored) > 0,
        .ecr_region = ecr_region,
        .retry_after = http_header(reply, "Retry-After"),
        .attempts = reply->attempts,
    };

    return refusal_explain(&request, reply->status, refusal, err);
}

int remote_refused(struct remote *remote, const struct remote_call *call,
                   const struct http_reply *reply, struct err *err)
{
    SCOPED(refusal_release) struct refusal refusal = {0};
    SCOPED(buf_release) struct buf from = {0};
    struct ecr_host ecr;
    bool is_ecr = ecr_of(call->place, &ecr);

    refusal_parse(buf_str(&reply->body), http_header(reply, "Content-Type"), &refusal);
    /* blobs are often sent from elsewhere (S3): say who refused */
    if (reply->url && !is_own(call->place, reply->url) && http_host(reply->url, &from) && from.size)
        return explain(call, reply, &refusal, buf_cstr(&from), NULL, err);
    if (reply->status == 401)
        return auth_explain(remote->auth, call->place->host, reply, err);
    return explain(call, reply, &refusal, NULL, is_ecr ? ecr.region : NULL, err);
}

int remote_no_repository(const struct remote_call *call, struct err *err)
{
    static const struct http_reply none = {.status = 404};
    SCOPED(refusal_release) struct refusal refusal = {.code = xstrdup("NAME_UNKNOWN")};
    struct ecr_host ecr;

    refusal.message = xasprintf("there is no repository %s", call->place->repository);
    return explain(call, &none, &refusal, NULL, ecr_of(call->place, &ecr) ? ecr.region : NULL, err);
}

/* --- manifests --- */

void remote_manifest_release(struct remote_manifest *manifest)
{
    buf_release(&manifest->bytes);
    free(manifest->media_type);
    *manifest = (struct remote_manifest){0};
}

static char *plain_type(const char *content_type)
{
    struct str type, rest;

    if (!content_type)
        return NULL;
    str_cut(str_of(content_type), ';', &type, &rest);
    type = str_trim(type);
    return type.size ? str_dup(type) : NULL;
}

/* The bytes are what was asked for, and what the registry says they are. */
static int check_manifest(const struct remote_place *place, const struct http_reply *reply,
                          const char *digest, struct remote_manifest *manifest, struct err *err)
{
    const char *told = http_header(reply, "Docker-Content-Digest");

    if (manifest->media_type && strcmp(manifest->media_type, "text/html") == 0)
        return err_set(err, ERR_REMOTE, reply->status,
                       "%s answered with a web page: it is no registry, or a proxy or login page "
                       "stands before it",
                       place->host);
    if (digest && strcmp(digest, manifest->digest) != 0)
        return err_set(err, ERR_REMOTE, 0,
                       "%s sent a wrong manifest: asked for %s, its bytes are %s", place->host,
                       digest, manifest->digest);
    if (told && digest_valid(told) && strcmp(told, manifest->digest) != 0)
        return err_set(err, ERR_REMOTE, 0,
                       "%s sent a damaged manifest: it says %s, its bytes are %s", place->host,
                       told, manifest->digest);
    return 1;
}

/* HEAD would do for the digest alone, but has no body to tell why not, and ECR's repositories are
 * told apart by it. */
int remote_get_manifest(struct remote *remote, const struct remote_place *place, bool push,
                        const char *tag, const char *digest, const atomic_bool *stop,
                        struct remote_manifest *manifest, bool *no_repository, struct err *err)
{
    AUTO_FREE char *path = xasprintf("manifests/%s", digest ? digest : tag);
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {.place = place, .path = path, .push = push};

    strv_add(&headers, "Accept: " MANIFEST_ACCEPT);
    call.http = (struct http_request){.method = "GET",
                                      .headers = &headers,
                                      .reply_max = MANIFEST_MAX,
                                      .repeatable = true,
                                      .stop = stop};
    if (remote_send(remote, &call, &reply, err) < 0)
        return err->code == HTTP_FAIL_TOO_LARGE && err->kind == ERR_NETWORK
                   ? err_set(err, ERR_REMOTE, 0, "%s sent a manifest of more than %d MiB",
                             place->host, MANIFEST_MAX >> 20)
                   : -1;
    if (reply.status != 200) {
        SCOPED(refusal_release) struct refusal refusal = {0};

        refusal_parse(buf_str(&reply.body), http_header(&reply, "Content-Type"), &refusal);
        if (no_repository)
            *no_repository = refusal_is(&refusal, "NAME_UNKNOWN");
        remote_refused(remote, &call, &reply, err);
        return reply.status == 404 ? 0 : -1;
    }
    manifest->media_type = plain_type(http_header(&reply, "Content-Type"));
    manifest->bytes = reply.body;
    reply.body = (struct buf){0};
    digest_of(buf_cstr(&manifest->bytes), manifest->bytes.size, manifest->digest);
    if (check_manifest(place, &reply, digest, manifest, err) < 0) {
        remote_manifest_release(manifest);
        return -1;
    }
    return 1;
}

int remote_fetch_manifest(struct remote *remote, const struct remote_places *places,
                          const char *tag, const char *digest, struct remote_manifest *manifest,
                          struct err *err)
{
    SCOPED(buf_release) struct buf before = {0};

    for (size_t i = 0; i < places->count; i++) {
        const struct remote_place *place = &places->items[i];
        struct err failed = {0};
        int found =
            remote_get_manifest(remote, place, false, tag, digest, NULL, manifest, NULL, &failed);

        if (found > 0) {
            manifest->place = i;
            return 1;
        }
        if (i + 1 == places->count) {
            *err = failed;
            if (before.size)
                err_add(err, " (before that%s)", buf_cstr(&before));
            return found;
        }
        if (found < 0)
            log_warn("mirror %s: %s; going on without it", place->base, failed.text);
        buf_addf(&before, "%s mirror %s: %s", before.size ? ";" : "", place->base, failed.text);
    }
    return -1;
}
