/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/descriptor.h"

#include <string.h>

#include "base/scope.h"
#include "tests/tap.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D(members) "{\"mediaType\":\"a/b\",\"digest\":\"" DIGEST "\",\"size\":1" members "}"

static void parsing(void)
{
    static const struct {
        const char *text, *err; /* err NULL: accepted */
    } rows[] = {
        {D(""), NULL},
        {D(",\"platform\":null"), NULL},
        {D(",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},\"annotations\":{\"k\":"
           "\"v\"},\"x\":[1]"),
         NULL},
        {"7", "descriptor: not an object"},
        {"{\"digest\":\"" DIGEST "\",\"size\":1}", "descriptor: key \"mediaType\" is missing"},
        {"{\"mediaType\":\"a\",\"size\":1}", "descriptor: key \"digest\" is missing"},
        {"{\"mediaType\":\"a\",\"digest\":\"" DIGEST "\"}", "descriptor: key \"size\" is missing"},
        {"{\"mediaType\":\"\",\"digest\":\"" DIGEST "\",\"size\":1}",
         "descriptor: mediaType is not a media type"},
        {"{\"mediaType\":\"a\\nb\",\"digest\":\"" DIGEST "\",\"size\":1}",
         "descriptor: mediaType is not a media type"},
        {"{\"mediaType\":\"a\",\"digest\":\"sha256:12\",\"size\":1}",
         "descriptor: digest \"sha256:12\" is not sha256:<64 hex digits>"},
        {"{\"mediaType\":\"a\",\"digest\":\"../../x\",\"size\":1}",
         "descriptor: digest \"../../x\" is not sha256:<64 hex digits>"},
        {"{\"mediaType\":\"a\",\"digest\":\"" DIGEST "\",\"size\":-1}",
         "descriptor: size is negative"},
        {"{\"mediaType\":\"a\",\"digest\":\"" DIGEST "\",\"size\":9007199254740992}",
         "descriptor: size is beyond all reason"},
        {D(",\"platform\":7"), "descriptor: platform: not an object"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(descriptor_release) struct descriptor d = {0};
        struct err err = {0};
        json_auto_t *doc = NULL, *back = NULL;

        doc = json_loads(rows[i].text, JSON_DECODE_ANY, NULL);
        if (rows[i].err) {
            OK(descriptor_from_json(doc, &d, &err) < 0);
            EQ_STR(err.text, rows[i].err);
            OK(!d.media_type && !d.doc);
            continue;
        }
        OKF(descriptor_from_json(doc, &d, &err) == 0, "%s", err.text);
        back = descriptor_to_json(&d);
        if (json_is_null(json_object_get(doc, "platform")))
            continue;
        OKF(json_equal(doc, back), "row %zu reads and prints the same", i);
    }
}

static void made(void)
{
    SCOPED(descriptor_release) struct descriptor d = {0}, copy = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct platform p = {.os = "linux", .arch = "arm64"};
    json_auto_t *doc = NULL;

    descriptor_set(&d, "a/b", DIGEST, 5);
    descriptor_set_platform(&d, &p);
    descriptor_annotate(&d, "k", "v");
    descriptor_copy(&copy, &d);
    descriptor_annotate(&d, "k", NULL);
    EQ_STR(descriptor_annotation(&copy, "k"), "v");
    EQ_STR(descriptor_annotation(&d, "k"), NULL);
    doc = descriptor_to_json(&copy);
    json_print(doc, &text);
    EQ_STR(buf_cstr(&text),
           "{\"annotations\":{\"k\":\"v\"},\"digest\":\"" DIGEST "\",\"mediaType\":\"a/"
           "b\",\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"},\"size\":5}");
}

static void extras(void)
{
    SCOPED(descriptor_release) struct descriptor d = {0};
    struct err err = {0};
    json_auto_t *doc = json_parse(
        STR(D(",\"urls\":[\"https://x\"],\"data\":\"aGk=\",\"platform\":{\"os\":\"unknown\","
              "\"architecture\":\"unknown\"}")),
        &err);

    OK(descriptor_from_json(doc, &d, &err) == 0);
    EQ_INT(json_array_size(descriptor_urls(&d)), 1);
    EQ_STR(descriptor_data(&d), "aGk=");
    OK(descriptor_is_attestation(&d));
}

TAP_MAIN({"parsing", parsing}, {"made by us", made}, {"urls, data, attestations", extras})
