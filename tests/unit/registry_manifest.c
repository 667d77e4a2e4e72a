/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifest.h"

#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "tests/tap.h"

#define HEX1 "1111111111111111111111111111111111111111111111111111111111111111"
#define HEX2 "2222222222222222222222222222222222222222222222222222222222222222"
#define D(type, hex, more)                                                                         \
    "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" hex "\",\"size\":7" more "}"
#define BODY(config, layer) "\"config\":" D(config, HEX1, "") ",\"layers\":[" D(layer, HEX2, "") "]"
#define OCI_BODY BODY(MEDIA_OCI_CONFIG, MEDIA_OCI_LAYER_GZIP)

static void accepted(void)
{
    static const struct {
        const char *text, *content_type, *want;
    } rows[] = {
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"," OCI_BODY "}", NULL,
         MEDIA_OCI_MANIFEST},
        {"{\"schemaVersion\":2," OCI_BODY "}", MEDIA_OCI_MANIFEST "; charset=utf-8",
         MEDIA_OCI_MANIFEST},
        {"{\"schemaVersion\":2," OCI_BODY "}", NULL, MEDIA_OCI_MANIFEST},
        {"{\"schemaVersion\":2," OCI_BODY "}", "application/json", MEDIA_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST
         "\"," BODY(MEDIA_DOCKER_CONFIG, MEDIA_DOCKER_LAYER_GZIP) "}",
         "text/plain", MEDIA_DOCKER_MANIFEST},
        {"{\"schemaVersion\":2,\"manifests\":[" D(MEDIA_OCI_MANIFEST, HEX1, "") "]}", NULL,
         MEDIA_OCI_INDEX},
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_LIST "\",\"manifests\":[]}",
         MEDIA_DOCKER_LIST, MEDIA_DOCKER_LIST},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(manifest_release) struct manifest m = {0};
        struct err err = {0};
        char digest[DIGEST_SIZE];

        if (!OKF(manifest_parse(str_of(rows[i].text), rows[i].content_type, &m, &err) == 0, "%s",
                 err.text))
            continue;
        EQ_STR(m.media_type, rows[i].want);
        EQ_STR(buf_cstr(&m.bytes), rows[i].text);
        digest_of(rows[i].text, strlen(rows[i].text), digest);
        EQ_STR(m.digest, digest);
        EQ_INT(m.is_index ? m.layers_count : m.layers_count == 1, !m.is_index);
    }
}

static void refused(void)
{
    static const struct {
        const char *text, *content_type, *err;
    } rows[] = {
        {"", NULL, "manifest: line 1, column 0: '[' or '{' expected near end of file"},
        {"[]", NULL, "manifest: not a JSON object"},
        {"{\"schemaVersion\":2," OCI_BODY "}", MEDIA_DOCKER_LIST,
         "manifest: its members are not those of its media type"},
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"," OCI_BODY "}",
         MEDIA_DOCKER_MANIFEST,
         "manifest: announced as " MEDIA_DOCKER_MANIFEST " but says it is " MEDIA_OCI_MANIFEST},
        {"{\"schemaVersion\":2,\"manifests\":[]," OCI_BODY "}", NULL,
         "manifest: it is both an index and an image"},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL,
         "manifest: it is of Docker's schema 1, which is no longer supported; push the image again "
         "with a current tool"},
        {"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws",
         "manifest: it is of Docker's schema 1, which is no longer supported; push the image again "
         "with a current tool"},
        {"{\"schemaVersion\":3," OCI_BODY "}", NULL, "manifest: schemaVersion is not 2"},
        {"{\"mediaType\":\"application/x\"}", NULL,
         "manifest: mediaType \"application/x\" is not an image's"},
        {"{\"mediaType\":7}", NULL, "manifest: mediaType is not a string"},
        {"{}", NULL, "manifest: \"config\" is missing"},
        {"{\"config\":" D("a/b", HEX1, "") "}", NULL,
         "manifest: \"layers\" is missing or not a list"},
        {"{\"config\":" D("a/b", HEX1, "") ",\"layers\":[7]}", NULL,
         "manifest: layers[0]: descriptor: not an object"},
        {"{\"config\":7,\"layers\":[]}", NULL, "manifest: config: descriptor: not an object"},
        {"{\"manifests\":{}}", NULL, "manifest: \"manifests\" is missing or not a list"},
        {"{\"a\":1,\"a\":2}", NULL,
         "manifest: line 1, column 10: duplicate object key near '\"a\"'"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(manifest_release) struct manifest m = {0};
        struct err err = {0};

        OK(manifest_parse(str_of(rows[i].text), rows[i].content_type, &m, &err) < 0);
        EQ_STR(err.text, rows[i].err);
        EQ_INT(err.kind, ERR_INPUT);
        OK(!m.doc && !m.media_type);
    }
}

static void caps(void)
{
    SCOPED(manifest_release) struct manifest m = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};
    size_t head;

    buf_adds(&text, "{\"schemaVersion\":2,\"manifests\":[]");
    head = text.size;
    while (text.size < MANIFEST_MAX - 1)
        buf_addc(&text, ' ');
    buf_addc(&text, '}');
    OKF(manifest_parse(buf_str(&text), NULL, &m, &err) == 0, "%s", err.text);
    manifest_release(&m);
    buf_addc(&text, ' ');
    OK(manifest_parse(buf_str(&text), NULL, &m, &err) < 0);
    EQ_STR(err.text, "manifest: larger than 4194304 bytes");
    text.size = head - 1;
    for (int i = 0; i <= MANIFEST_LAYERS_MAX; i++)
        buf_addf(&text, "%s%s", i ? "," : "", D("a/b", HEX1, ""));
    buf_adds(&text, "]}");
    OK(manifest_parse(buf_str(&text), NULL, &m, &err) < 0);
    EQ_STR(err.text, "manifest: more than 2000 entries in \"manifests\"");
}

#define P(hex, os, arch, more)                                                                     \
    D(MEDIA_OCI_MANIFEST, hex,                                                                     \
      ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}")
#define HEX3 "3333333333333333333333333333333333333333333333333333333333333333"
#define HEX4 "4444444444444444444444444444444444444444444444444444444444444444"

static void selection(void)
{
    static const char index[] =
        "{\"schemaVersion\":2,\"manifests\":[" P(HEX1, "linux", "386", "") "," P(
            HEX2, "linux", "amd64",
            "") "," P(HEX3, "linux", "amd64",
                      "") "," P(HEX4, "linux", "arm",
                                ",\"variant\":\"v6\"") "," P(HEX1, "unknown", "unknown", "") "]}";
    static const struct {
        const char *want, *digest, *err;
    } rows[] = {
        {"linux/amd64", "sha256:" HEX2, NULL},
        {"linux/386", "sha256:" HEX1, NULL},
        {"linux/arm/v7", "sha256:" HEX4, NULL},
        {"linux/arm64", "sha256:" HEX4, NULL},
        {"linux/s390x", NULL,
         "no image for linux/s390x; there is linux/386, linux/amd64, linux/amd64, linux/arm/v6"},
    };
    SCOPED(manifest_release) struct manifest m = {0};
    struct err err = {0};

    OK(manifest_parse(STR(index), NULL, &m, &err) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct platform want;
        const struct descriptor *d;

        OK(platform_parse(rows[i].want, &want, &err) == 0);
        d = manifest_select(&m, &want, &err);
        EQ_STR(d ? d->digest : NULL, rows[i].digest);
        if (!d)
            EQ_STR(err.text, rows[i].err);
    }
}

/* Entries without a platform are a last choice. */
static void selection_without_platform(void)
{
    static const char index[] =
        "{\"manifests\":[" D(MEDIA_OCI_INDEX, HEX1, "") "," D(MEDIA_OCI_MANIFEST, HEX2, "") "]}";
    SCOPED(manifest_release) struct manifest m = {0}, empty = {0};
    struct platform want = {.os = "linux", .arch = "amd64"};
    const struct descriptor *d;
    struct err err = {0};

    OK(manifest_parse(STR(index), NULL, &m, &err) == 0);
    d = manifest_select(&m, &want, &err);
    EQ_STR(d ? d->digest : err.text, "sha256:" HEX2);
    OK(manifest_parse(STR("{\"manifests\":[]}"), NULL, &empty, &err) == 0);
    OK(!manifest_select(&empty, &want, &err));
    EQ_STR(err.text, "no image for linux/amd64; there is none for any platform");
}

static void printing(void)
{
    SCOPED(descriptor_release) struct descriptor config = {0}, layer = {0};
    SCOPED(buf_release) struct buf text = {0}, again = {0};
    SCOPED(manifest_release) struct manifest m = {0};
    json_auto_t *annotations = json_pack("{s:s}", "k", "v");
    struct err err = {0};

    descriptor_set(&config, MEDIA_OCI_CONFIG, "sha256:" HEX1, 7);
    descriptor_set(&layer, MEDIA_OCI_LAYER_GZIP, "sha256:" HEX2, 7);
    manifest_print_image(&config, &layer, 1, annotations, &text);
    EQ_STR(buf_cstr(&text),
           "{\"annotations\":{\"k\":\"v\"},\"config\":{\"digest\":\"sha256:" HEX1
           "\",\"mediaType\":\"" MEDIA_OCI_CONFIG
           "\",\"size\":7},\"layers\":[{\"digest\":\"sha256:" HEX2
           "\",\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP
           "\",\"size\":7}],\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"schemaVersion\":2}");
    OK(manifest_parse(buf_str(&text), MEDIA_OCI_MANIFEST, &m, &err) == 0);
    manifest_print_image(&m.config, m.layers, m.layers_count, annotations, &again);
    EQ_STR(buf_cstr(&again), buf_cstr(&text));
    manifest_release(&m);
    buf_clear(&text);
    manifest_print_index(&config, 1, NULL, &text);
    OK(manifest_parse(buf_str(&text), NULL, &m, &err) == 0 && m.is_index && m.manifests_count == 1);
}

static void types(void)
{
    OK(media_is_index(MEDIA_OCI_INDEX) && media_is_index(MEDIA_DOCKER_LIST) &&
       !media_is_index(MEDIA_OCI_MANIFEST));
    OK(media_is_layer(MEDIA_DOCKER_LAYER_GZIP) && media_is_gzip(MEDIA_DOCKER_LAYER_GZIP) &&
       !media_is_gzip(MEDIA_OCI_LAYER_ZSTD) && media_is_zstd(MEDIA_OCI_LAYER_ZSTD) &&
       !media_is_layer("a/b"));
    OK(media_is_foreign("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") &&
       !media_is_foreign(MEDIA_OCI_LAYER));
    EQ_STR(media_layer_type(true, true, false), MEDIA_DOCKER_LAYER_GZIP);
    EQ_STR(media_layer_type(false, false, true), MEDIA_OCI_LAYER_ZSTD);
    EQ_STR(media_layer_type(false, false, false), MEDIA_OCI_LAYER);
}

TAP_MAIN({"accepted", accepted}, {"refused", refused}, {"caps", caps}, {"selection", selection},
         {"selection without platforms", selection_without_platform}, {"printing", printing},
         {"media types", types})
