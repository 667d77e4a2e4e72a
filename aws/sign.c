/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sign.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "aws/creds.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "base/scope.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

/* Whole segments, without empty ones, "." and ".."; a slash at the end stays. As the AWS tools do
 * it. */
static void add_path(struct buf *out, struct str path)
{
    struct str *kept = xcalloc(path.size + 1, sizeof(*kept));
    bool slash = str_ends(path, "/");
    size_t count = 0;

    while (path.size) {
        struct str segment;

        str_cut(path, '/', &segment, &path);
        if (!segment.size || str_is(segment, "."))
            continue;
        if (str_is(segment, ".."))
            count -= count > 0;
        else
            kept[count++] = segment;
    }
    for (size_t i = 0; i < count; i++) {
        buf_addc(out, '/');
        percent_encode(out, kept[i], "");
    }
    if (slash || !count)
        buf_addc(out, '/');
    free(kept);
}

struct pair {
    char *name, *value;
    size_t order;
};

static int pair_cmp(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int d = strcmp(x->name, y->name);

    return d ? d : strcmp(x->value, y->value);
}

/* For headers: values of one name keep the order in which they were sent. */
static int header_cmp(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int d = strcmp(x->name, y->name);

    return d ? d : (x->order > y->order) - (x->order < y->order);
}

static void pairs_free(struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].name);
        free(pairs[i].value);
    }
    free(pairs);
}

/* Decoded and encoded again, so that both spellings of one byte sign alike. */
static char *encode_part(struct str text)
{
    SCOPED(buf_release) struct buf plain = {0};
    struct buf out = {0};

    if (!percent_decode(&plain, text)) {
        buf_clear(&plain);
        buf_add_str(&plain, text);
    }
    percent_encode(&out, buf_str(&plain), "");
    return out.ptr ? buf_steal(&out) : xstrdup("");
}

static void add_query(struct buf *out, struct str query)
{
    struct pair *pairs = NULL;
    size_t count = 0, capacity = 0;

    while (query.size) {
        struct str part, name, value;

        str_cut(query, '&', &part, &query);
        if (!part.size)
            continue;
        str_cut(part, '=', &name, &value);
        VEC_GROW(pairs, count, capacity);
        pairs[count++] = (struct pair){.name = encode_part(name), .value = encode_part(value)};
    }
    if (count)
        qsort(pairs, count, sizeof(*pairs), pair_cmp);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s%s=%s", i ? "&" : "", pairs[i].name, pairs[i].value);
    pairs_free(pairs, count);
}

/* Outer white space off, runs of inner white space made one space. */
static char *header_value(struct str value)
{
    struct buf out = {0};
    bool space = false;

    value = str_trim(value);
    buf_reserve(&out, value.size + 1);
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (isspace(c)) {
            space = true;
            continue;
        }
        if (space)
            buf_addc(&out, ' ');
        space = false;
        buf_addc(&out, (char)c);
    }
    return out.size ? buf_steal(&out) : (buf_release(&out), xstrdup(""));
}

static void add_headers(struct buf *out, struct buf *names, const struct strv *headers)
{
    struct pair *pairs = xcalloc(headers->count + 1, sizeof(*pairs));
    size_t count = 0;

    for (size_t i = 0; i < headers->count; i++) {
        struct str name, value;

        if (!str_cut(str_of(headers->ptr[i]), ':', &name, &value))
            continue;
        pairs[count] = (struct pair){
            .name = str_dup(str_trim(name)), .value = header_value(value), .order = i};
        for (char *p = pairs[count].name; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        count++;
    }
    qsort(pairs, count, sizeof(*pairs), header_cmp);
    for (size_t i = 0; i < count; i++) {
        if (i && !strcmp(pairs[i].name, pairs[i - 1].name)) {
            buf_addf(out, ",%s", pairs[i].value);
            continue;
        }
        buf_addf(out, "%s%s:%s", i ? "\n" : "", pairs[i].name, pairs[i].value);
        buf_addf(names, "%s%s", i ? ";" : "", pairs[i].name);
    }
    buf_addc(out, '\n');
    pairs_free(pairs, count);
}

static void add_hash(struct buf *out, struct str bytes)
{
    uint8_t hash[SHA256_SIZE];

    sha256_of(bytes.ptr ? bytes.ptr : "", bytes.size, hash);
    hex_encode(out, hash, sizeof(hash));
}

void sign_canonical(const struct sign_request *request, struct buf *canonical,
                    struct buf *signed_names)
{
    buf_addf(canonical, "%s\n", request->method);
    add_path(canonical, request->path);
    buf_addc(canonical, '\n');
    add_query(canonical, request->query);
    buf_addc(canonical, '\n');
    add_headers(canonical, signed_names, request->headers);
    buf_addf(canonical, "\n%s\n", buf_cstr(signed_names));
    add_hash(canonical, request->body);
}

static void add_scope(const struct sign_request *request, struct buf *out)
{
    char when[CLOCK_TEXT_SIZE];

    clock_basic(request->time, when);
    buf_addf(out, "%.8s/%s/%s/aws4_request", when, request->region, request->service);
}

static void sign_string(const struct sign_request *request, struct str canonical, struct buf *out)
{
    char when[CLOCK_TEXT_SIZE];

    buf_addf(out, ALGORITHM "\n%s\n", clock_basic(request->time, when));
    add_scope(request, out);
    buf_addc(out, '\n');
    add_hash(out, canonical);
}

static void signature(const struct sign_request *request, const char *secret, struct str text,
                      struct buf *out)
{
    SCOPED(buf_release) struct buf first = {0};
    char when[CLOCK_TEXT_SIZE];
    uint8_t key[SHA256_SIZE];

    clock_basic(request->time, when);
    buf_addf(&first, "AWS4%s", secret);
    hmac_sha256(first.ptr, first.size, when, 8, key);
    hmac_sha256(key, sizeof(key), request->region, strlen(request->region), key);
    hmac_sha256(key, sizeof(key), request->service, strlen(request->service), key);
    hmac_sha256(key, sizeof(key), "aws4_request", strlen("aws4_request"), key);
    hmac_sha256(key, sizeof(key), text.ptr, text.size, key);
    hex_encode(out, key, sizeof(key));
    explicit_bzero(first.ptr, first.size);
}

static bool has_header(const struct strv *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct str have, rest;

        str_cut(str_of(headers->ptr[i]), ':', &have, &rest);
        if (str_is_nocase(str_trim(have), name))
            return true;
    }
    return false;
}

void aws_sign(const struct sign_request *request, const struct aws_creds *creds,
              struct strv *headers, struct buf *authorization)
{
    SCOPED(strv_release) struct strv all = {0};
    SCOPED(buf_release) struct buf canonical = {0};
    SCOPED(buf_release) struct buf names = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct sign_request r = *request;
    char when[CLOCK_TEXT_SIZE];
    size_t given = headers->count;

    if (!has_header(r.headers, "x-amz-date"))
        strv_addf(headers, "X-Amz-Date: %s", clock_basic(r.time, when));
    if (creds->session_token && !has_header(r.headers, "x-amz-security-token"))
        strv_addf(headers, "X-Amz-Security-Token: %s", creds->session_token);
    strv_copy(&all, r.headers);
    for (size_t i = given; i < headers->count; i++)
        strv_add(&all, headers->ptr[i]);
    r.headers = &all;
    sign_canonical(&r, &canonical, &names);
    sign_string(&r, buf_str(&canonical), &text);
    buf_addf(authorization, ALGORITHM " Credential=%s/", creds->access_key_id);
    add_scope(&r, authorization);
    buf_addf(authorization, ", SignedHeaders=%s, Signature=", buf_cstr(&names));
    signature(&r, creds->secret_access_key, buf_str(&text), authorization);
}
