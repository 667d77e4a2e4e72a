/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs to tests/fake/registry.py before their image is known, each once. Run from the source root.
 */
#include "registry/uploads.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/pool.h"
#include "base/scope.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/push.h"
#include "registry/reference.h"
#include "registry/remote.h"
#include "tests/fake/server.h"
#include "tests/tap.h"

#define BLOBS 3

/* A registry, a store with a few blobs, and what leads from one to the other. */
struct bench {
    struct server server;
    char dir[64];
    struct layout layout;
    struct remote *remote;
    struct pool *pool;
    struct uploads *uploads;
    struct descriptor blobs[BLOBS];
    const struct descriptor *list[BLOBS];
    struct push_blob records[BLOBS];
};

static void bench_end(struct bench *b)
{
    struct err ignored = {0};

    uploads_close(b->uploads);
    for (size_t i = 0; i < BLOBS; i++) {
        descriptor_release(&b->blobs[i]);
        free(b->records[i].from);
    }
    pool_close(b->pool);
    remote_free(b->remote);
    layout_close(&b->layout);
    server_stop(&b->server);
    fs_remove_tree(AT_FDCWD, b->dir, &ignored);
}

static void bench_begin(struct bench *b, const char *rules)
{
    SCOPED(reference_release) struct reference target = {0};
    AUTO_FREE char *name = NULL;
    struct err err = {0};

    *b = (struct bench){.layout = LAYOUT_CLOSED};
    server_start(&b->server, rules, NULL, server_redirects);
    snprintf(b->dir, sizeof(b->dir), "/tmp/slipway-uploads.XXXXXX");
    OK(mkdtemp(b->dir) != NULL);
    OKF(layout_open(&b->layout, b->dir, &err) == 0, "%s", err.text);
    b->remote = remote_open(NULL, &err);
    b->pool = pool_open(2);
    name = xasprintf("%s/app:1", strstr(buf_cstr(&b->server.url), "//") + 2);
    OKF(reference_parse(name, &target, &err) == 0, "%s", err.text);
    b->uploads = uploads_open(b->remote, &b->layout, b->pool, &target);
    for (size_t i = 0; i < BLOBS; i++) {
        char text[2] = {(char)('a' + i)}, digest[DIGEST_SIZE];

        OKF(layout_put(&b->layout, text, 1, digest, &err) == 0, "%s", err.text);
        descriptor_set(&b->blobs[i], MEDIA_OCI_CONFIG, digest, 1);
        b->list[i] = &b->blobs[i];
    }
}

static size_t count(struct bench *b, const char *method, int status)
{
    size_t total = server_count(&b->server), found = 0;

    for (size_t i = 0; i < total; i++) {
        const json_t *entry = json_array_get(b->server.log, i);

        found += strcmp(json_str(entry, "method"), method) == 0 &&
                 json_integer_value(json_object_get(entry, "status")) == status;
    }
    return found;
}

static void wait_for_count(struct bench *b, const char *method, int status, size_t want)
{
    for (int i = 0; i < 100 && count(b, method, status) < want; i++)
        clock_sleep_ms(50);
    EQ_INT(count(b, method, status), want);
}

static int finish(struct bench *b, struct err *err)
{
    *err = (struct err){0};
    if (uploads_ask(b->uploads, "1", "", err) < 0)
        return -1;
    return uploads_finish(b->uploads, b->list, BLOBS, b->records, err);
}

static void each_once(void)
{
    SCOPED(bench_end) struct bench b;
    struct err err;

    bench_begin(&b, "[]");
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < 2; i++)
            uploads_begin(b.uploads, &b.blobs[i]);
    wait_for_count(&b, "PUT", 201, 2);
    OKF(finish(&b, &err) == 0, "%s", err.text);
    EQ_INT(count(&b, "PUT", 201), 3);
    EQ_INT(count(&b, "HEAD", 404), 3);
    for (size_t i = 0; i < BLOBS; i++) {
        EQ_STR(b.records[i].digest, b.blobs[i].digest);
        EQ_INT(b.records[i].how, PUSH_UPLOADED);
    }
    OKF(finish(&b, &err) == 0, "%s", err.text);
    EQ_INT(count(&b, "HEAD", 404) + count(&b, "HEAD", 200), 3);
}

static void what_failed_comes_again(void)
{
    SCOPED(bench_end) struct bench b;
    struct err err;

    bench_begin(&b, "[{\"method\":\"PUT\",\"path\":\"/blobs/\",\"status\":403,\"times\":2}]");
    for (size_t i = 0; i < BLOBS; i++)
        uploads_begin(b.uploads, &b.blobs[i]);
    wait_for_count(&b, "PUT", 403, 2);
    OKF(finish(&b, &err) == 0, "%s", err.text);
    EQ_INT(count(&b, "PUT", 201), 3);
}

/* A registry that does not answer at first is asked once; the image asks anew. */
static void nobody_there_at_first(void)
{
    SCOPED(bench_end) struct bench b;
    struct err err;

    bench_begin(&b, "[{\"method\":\"GET\",\"path\":\"/manifests/\",\"status\":401,\"times\":1}]");
    for (size_t i = 0; i < BLOBS; i++)
        uploads_begin(b.uploads, &b.blobs[i]);
    wait_for_count(&b, "GET", 401, 1);
    EQ_INT(count(&b, "HEAD", 404), 0);
    OKF(finish(&b, &err) == 0, "%s", err.text);
    EQ_INT(count(&b, "PUT", 201), 3);
}

static void the_last_failure_counts(void)
{
    SCOPED(bench_end) struct bench b;
    struct err err;

    bench_begin(&b, "[{\"method\":\"PUT\",\"path\":\"/blobs/\",\"status\":403}]");
    uploads_begin(b.uploads, &b.blobs[0]);
    wait_for_count(&b, "PUT", 403, 1);
    EQ_INT(finish(&b, &err), -1);
    EQ_INT(err.kind, ERR_REMOTE);
    EQ_INT(err.code, 403);
}

static void looked_after_again(void)
{
    SCOPED(bench_end) struct bench b;
    struct err err;

    bench_begin(&b, "[{\"method\":\"HEAD\",\"path\":\"/blobs/\",\"status\":404,\"times\":4}]");
    uploads_begin(b.uploads, &b.blobs[0]);
    OKF(finish(&b, &err) == 0, "%s", err.text);
    EQ_INT(uploads_look_again(b.uploads, b.list, BLOBS, b.records, &err), 1);
    EQ_INT(count(&b, "PUT", 201), 4);
    EQ_INT(uploads_look_again(b.uploads, b.list, BLOBS, b.records, &err), 0);
    EQ_INT(count(&b, "PUT", 201), 4);
}

static void closed_at_any_time(void)
{
    static const char *const rules[] = {
        "[{\"method\":\"PUT\",\"path\":\"/blobs/\",\"delay\":30}]",
        "[{\"method\":\"PUT\",\"path\":\"/blobs/\",\"status\":503,\"headers\":{\"Retry-After\":"
        "\"30\"}}]",
        "[{\"method\":\"GET\",\"path\":\"/manifests/\",\"delay\":30}]",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        SCOPED(bench_end) struct bench b;
        uint64_t begun_ms;

        bench_begin(&b, rules[i]);
        for (size_t k = 0; k < BLOBS; k++)
            uploads_begin(b.uploads, &b.blobs[k]);
        clock_sleep_ms(300);
        begun_ms = clock_mono_ms();
        uploads_close(b.uploads);
        b.uploads = NULL;
        OKF(clock_mono_ms() - begun_ms < 5000, "row %zu: took too long", i);
        EQ_INT(count(&b, "PUT", 201), 0);
    }
}

TAP_MAIN({"each once", each_once}, {"what failed comes again", what_failed_comes_again},
         {"nobody there at first", nobody_there_at_first},
         {"the last failure counts", the_last_failure_counts},
         {"looked after again", looked_after_again}, {"closed at any time", closed_at_any_time})
