/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_curl.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/library.h"
#include "base/log.h"
#include "base/scope.h"

#define CA_FILE_MAX (8u << 20)
#define IDLE_MAX 16

#define SYMBOL(name)                                                                               \
    {                                                                                              \
        "curl_" #name, offsetof(struct curl_api, name)                                             \
    }
static const struct library_symbol symbols[] = {
    SYMBOL(global_init),   SYMBOL(global_cleanup), SYMBOL(easy_init),      SYMBOL(easy_cleanup),
    SYMBOL(easy_reset),    SYMBOL(easy_setopt),    SYMBOL(easy_perform),   SYMBOL(easy_getinfo),
    SYMBOL(easy_strerror), SYMBOL(slist_append),   SYMBOL(slist_free_all), SYMBOL(share_init),
    SYMBOL(share_setopt),  SYMBOL(share_cleanup),  SYMBOL(version_info),
};

struct idle {
    CURL *easy;
    char *host; /* last spoken to */
};

struct http_wire {
    struct curl_api curl;
    pthread_mutex_t mutex; /* guards all below but share_mutex */
    pthread_mutex_t share_mutex[CURL_LOCK_DATA_LAST];
    bool ready;
    CURLSH *share;
    const char *ca_bytes;
    const char *ca_dir;   /* hashed; NULL: curl's own bundle */
    struct buf ca_bundle; /* certificates besides, or in place of that */
    const struct strv *connect_to;
    struct curl_slist *connect_list;
    struct idle idle[IDLE_MAX];
    size_t idle_count;
};

static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *arg)
{
    struct http_wire *wire = arg;

    (void)easy;
    (void)access;
    pthread_mutex_lock(&wire->share_mutex[data]);
}

static void share_unlock(CURL *easy, curl_lock_data data, void *arg)
{
    struct http_wire *wire = arg;

    (void)easy;
    pthread_mutex_unlock(&wire->share_mutex[data]);
}

struct http_wire *http_wire_open(const char *ca_bytes, const struct strv *connect_to)
{
    struct http_wire *wire = xcalloc(1, sizeof(*wire));

    pthread_mutex_init(&wire->mutex, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(wire->share_mutex); i++)
        pthread_mutex_init(&wire->share_mutex[i], NULL);
    wire->ca_bytes = ca_bytes;
    wire->connect_to = connect_to;
    return wire;
}

void http_wire_free(struct http_wire *wire)
{
    if (!wire)
        return;
    for (size_t i = 0; i < wire->idle_count; i++) {
        wire->curl.easy_cleanup(wire->idle[i].easy);
        free(wire->idle[i].host);
    }
    if (wire->ready) {
        wire->curl.share_cleanup(wire->share);
        wire->curl.slist_free_all(wire->connect_list);
        /* The library itself stays open: what it pulled in has exit handlers of its own. */
        wire->curl.global_cleanup();
    }
    buf_release(&wire->ca_bundle);
    for (size_t i = 0; i < ARRAY_SIZE(wire->share_mutex); i++)
        pthread_mutex_destroy(&wire->share_mutex[i]);
    pthread_mutex_destroy(&wire->mutex);
    free(wire);
}

static int load(struct curl_api *api, struct err *err)
{
    static const struct library libcurl = {.names = {"libcurl.so.4", "libcurl-gnutls.so.4"},
                                           .package = "libcurl4",
                                           symbols,
                                           ARRAY_SIZE(symbols)};

    if (library_load(&libcurl, api, err) == 0)
        return 0;
    err->kind = ERR_NETWORK;
    err->code = HTTP_FAIL_OTHER;
    return -1;
}

void http_preload(void)
{
    struct curl_api unused;
    struct err ignored = {0};

    if (load(&unused, &ignored) < 0)
        log_debug("%s", ignored.text);
}

static const char *env_value(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

/* A directory in which OpenSSL finds a certificate by its name's hash ("1a2b3c4d.0"). */
static bool is_hashed_dir(const char *path)
{
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    bool found = false;

    while (dir && !found && (entry = readdir(dir)))
        found = strlen(entry->d_name) == 10 && strcmp(entry->d_name + 8, ".0") == 0;
    if (dir)
        closedir(dir);
    return found;
}

/*
 * What is trusted. To read the system's whole bundle takes OpenSSL 3 a tenth of a second and more
 * for the first connection; from a hashed directory it takes the one certificate it needs, so that
 * is used where there is one. CURLOPT_CAINFO_BLOB replaces the bundle; our own certificates shall
 * be besides, so without a directory both go in.
 */
static void choose_trust(struct http_wire *wire)
{
    curl_version_info_data *info = wire->curl.version_info(CURLVERSION_NOW);
    bool knows_paths = info->age >= CURLVERSION_SEVENTH;
    const char *file = env_value("SSL_CERT_FILE");
    struct err ignored;

    wire->ca_dir = env_value("SSL_CERT_DIR");
    /* Many a CI image sets the variables to what is the default anyway. */
    if (file && knows_paths && info->cainfo && strcmp(file, info->cainfo) == 0)
        file = NULL;
    if (wire->ca_dir && !is_hashed_dir(wire->ca_dir))
        wire->ca_dir = NULL;
    if (!wire->ca_dir && !file && knows_paths && is_hashed_dir(info->capath))
        wire->ca_dir = info->capath;
    if (!file && !wire->ca_dir && knows_paths)
        file = info->cainfo;
    if (file && (wire->ca_bytes || file != info->cainfo))
        fs_read_file(AT_FDCWD, file, &wire->ca_bundle, CA_FILE_MAX, &ignored);
    if (wire->ca_bytes)
        buf_addf(&wire->ca_bundle, "\n%s", wire->ca_bytes);
}

static int make_ready(struct http_wire *wire, struct err *err)
{
    if (wire->ready)
        return 0;
    if (load(&wire->curl, err) < 0)
        return -1;
    if (wire->curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "libcurl cannot start");
    wire->share = wire->curl.share_init();
    if (!wire->share)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "libcurl cannot start");
    wire->curl.share_setopt(wire->share, CURLSHOPT_LOCKFUNC, share_lock);
    wire->curl.share_setopt(wire->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
    wire->curl.share_setopt(wire->share, CURLSHOPT_USERDATA, wire);
    wire->curl.share_setopt(wire->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    wire->curl.share_setopt(wire->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    for (size_t i = 0; wire->connect_to && i < wire->connect_to->count; i++)
        wire->connect_list = wire->curl.slist_append(wire->connect_list, wire->connect_to->ptr[i]);
    choose_trust(wire);
    wire->ready = true;
    return 0;
}

static void set_common(struct http_wire *wire, CURL *easy)
{
    const struct curl_api *curl = &wire->curl;

    curl->easy_setopt(easy, CURLOPT_SHARE, wire->share);
    curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    curl->easy_setopt(easy, CURLOPT_USERAGENT, "slipway/" SLIPWAY_VERSION);
    if (wire->connect_list)
        curl->easy_setopt(easy, CURLOPT_CONNECT_TO, wire->connect_list);
    if (wire->ca_dir) {
        curl->easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl->easy_setopt(easy, CURLOPT_CAPATH, wire->ca_dir);
    }
    if (wire->ca_bundle.size > 0) {
        struct curl_blob blob = {wire->ca_bundle.ptr, wire->ca_bundle.size, CURL_BLOB_NOCOPY};

        curl->easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
}

const struct curl_api *http_curl_api(const struct http_wire *wire)
{
    return &wire->curl;
}

CURL *http_curl_take(struct http_wire *wire, const char *host, struct err *err)
{
    CURL *easy = NULL;

    pthread_mutex_lock(&wire->mutex);
    if (make_ready(wire, err) < 0) {
        pthread_mutex_unlock(&wire->mutex);
        return NULL;
    }
    size_t found = wire->idle_count;

    for (size_t i = 0; i < wire->idle_count && found == wire->idle_count; i++) {
        if (strcmp(wire->idle[i].host, host) == 0)
            found = i;
    }
    /* Handles of other hosts are left to them while there is room for one more. */
    if (found == wire->idle_count && found == IDLE_MAX)
        found = 0;
    if (found < wire->idle_count) {
        easy = wire->idle[found].easy;
        free(wire->idle[found].host);
        wire->idle[found] = wire->idle[--wire->idle_count];
    }
    pthread_mutex_unlock(&wire->mutex);
    if (!easy)
        easy = wire->curl.easy_init();
    if (!easy) {
        err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "libcurl cannot start");
        return NULL;
    }
    set_common(wire, easy);
    return easy;
}

void http_curl_give(struct http_wire *wire, CURL *easy, const char *host)
{
    /* Keeps connections and caches; drops pointers into this exchange. */
    wire->curl.easy_reset(easy);
    pthread_mutex_lock(&wire->mutex);
    if (wire->idle_count < IDLE_MAX) {
        wire->idle[wire->idle_count++] = (struct idle){easy, xstrdup(host)};
        easy = NULL;
    }
    pthread_mutex_unlock(&wire->mutex);
    if (easy)
        wire->curl.easy_cleanup(easy);
}
