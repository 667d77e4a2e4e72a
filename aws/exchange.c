/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/exchange.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "aws/sign.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"

#define ATTEMPTS 3
#define PAUSE_MAX_MS 20000
#define BUCKET 500
#define COST 5
#define COST_TIMEOUT 10
#define SKEW_S 240
#define REPLY_MAX (16 << 20) /* DescribeTasks of 100 large tasks is the largest we ask for */
#define TIMEOUT_MS 60000

struct run {
    const struct exchange *x;
    struct buf url;
    unsigned attempts, tried;
    bool refresh, refreshed, skewed;
    char source[200]; /* of the credentials used last */
};

static unsigned attempts_of(const struct aws_config *config)
{
    const char *text = aws_config_env(config, "AWS_MAX_ATTEMPTS");
    uint64_t n;

    if (!text)
        text = ini_get(aws_config_profile(config, config->profile), "max_attempts");
    return text && str_u64(str_of(text), &n) && n >= 1 && n <= 100 ? (unsigned)n : ATTEMPTS;
}

static int find_endpoint(const struct exchange *x, struct buf *url, struct err *err)
{
    struct endpoint_want want = {
        .region = x->region,
        .url = aws_config_endpoint(x->config, x->service->id),
        .fips = aws_config_flag(x->config, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        .dual_stack =
            aws_config_flag(x->config, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
    };

    if (!want.url) {
        want.fips |= x->fips;
        want.dual_stack |= x->dual_stack;
    }
    if (!aws_region_valid(str_of(x->region)))
        return err_set(err, ERR_INPUT, 0, "\"%s\" is no AWS region", x->region ? x->region : "");
    return endpoint_url(x->service, &want, url, err);
}

static int sign(struct run *r, struct strv *headers, struct buf *authorization, struct err *err)
{
    const struct exchange *x = r->x;
    SCOPED(aws_creds_release) struct aws_creds creds = {0};
    SCOPED(buf_release) struct buf host = {0};
    SCOPED(strv_release) struct strv signed_headers = {0};
    SCOPED(strv_release) struct strv added = {0};
    struct str path = str_of(buf_cstr(&r->url));

    if (x->creds(x->creds_arg, r->refresh, &creds, err) < 0)
        return -1;
    r->refresh = false;
    snprintf(r->source, sizeof(r->source), "%s", creds.source ? creds.source : "");
    if (!http_host(buf_cstr(&r->url), &host))
        return err_set(err, ERR_INPUT, 0, "%s: endpoint %s is no URL", x->service->name,
                       buf_cstr(&r->url));
    path = str_slice(path, (size_t)str_search(path, "//") + 2, path.size);
    path = str_slice(path, (size_t)str_find(path, '/'), path.size);
    strv_addf(&signed_headers, "Host: %s", buf_cstr(&host));
    strv_copy(&signed_headers, headers);
    struct sign_request request = {
        .method = "POST",
        .path = path,
        .headers = &signed_headers,
        .body = x->body,
        .region = x->region,
        .service = x->service->signing,
        .time = clock_now().tv_sec + x->state->clock_offset,
    };
    aws_sign(&request, &creds, &added, authorization);
    strv_copy(headers, &added);
    return 0;
}

static int try_once(struct run *r, struct http_reply *reply, struct err *err)
{
    const struct exchange *x = r->x;
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(buf_release) struct buf authorization = {0};
    struct http_request request = {
        .method = "POST",
        .url = buf_cstr(&r->url),
        .headers = &headers,
        .body = x->body,
        .has_body = true,
        .reply_max = REPLY_MAX,
        .timeout_ms = TIMEOUT_MS,
        .no_redirect = true,
    };

    strv_addf(&headers, "Content-Type: %s", x->content_type);
    if (x->service->target)
        strv_addf(&headers, "X-Amz-Target: %s.%s", x->service->target, x->action);
    if (x->creds) {
        if (sign(r, &headers, &authorization, err) < 0)
            return -2;
        request.authorization = buf_cstr(&authorization);
    }
    return http_send(x->http, &request, reply, err);
}

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* "Mon, 23 Nov 2026 08:00:00 GMT" (RFC 9110, IMF-fixdate) */
static bool server_time(const struct http_reply *reply, int64_t *out)
{
    const char *date = http_header(reply, "date");
    struct tm tm = {0};
    char month[4] = "";

    if (!date || sscanf(date, "%*3s, %2d %3s %4d %2d:%2d:%2d", &tm.tm_mday, month, &tm.tm_year,
                        &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return false;
    tm.tm_year -= 1900;
    for (tm.tm_mon = 0; tm.tm_mon < 12 && strcmp(months[tm.tm_mon], month); tm.tm_mon++)
        ;
    if (tm.tm_mon == 12)
        return false;
    *out = (int64_t)timegm(&tm);
    return true;
}

/* True when our clock was the reason, and has been set to the server's. */
static bool clock_fixed(struct run *r, const struct http_reply *reply)
{
    int64_t theirs, off;

    if (r->skewed || !server_time(reply, &theirs))
        return false;
    off = theirs - (int64_t)clock_now().tv_sec;
    if (llabs(off - r->x->state->clock_offset) < SKEW_S)
        return false;
    r->skewed = true;
    r->x->state->clock_offset = off;
    log_warn("this machine's clock is off by %" PRId64 " s from %s's; signing with the server's",
             -off, r->x->service->name);
    return true;
}

/* Takes the pause before the next try; false when there is none left. */
static bool pause_before_retry(struct run *r, bool timed_out)
{
    unsigned cost = timed_out ? COST_TIMEOUT : COST;
    uint64_t limit = 1000;
    uint32_t random = 0;

    if (r->tried >= r->attempts || r->x->state->spent + cost > BUCKET)
        return false;
    r->x->state->spent += cost;
    for (unsigned i = 1; i < r->tried && limit < PAUSE_MAX_MS; i++)
        limit *= 2;
    if (limit > PAUSE_MAX_MS)
        limit = PAUSE_MAX_MS;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = UINT32_MAX / 2;
    clock_sleep_ms(limit * random / UINT32_MAX);
    return true;
}

/* Why another try makes sense after this refusal: true, with what had to change changed. */
static bool try_again(struct run *r, const struct http_reply *reply, const struct aws_fault *fault)
{
    if (fault_expired(fault) && r->x->creds && !r->refreshed) {
        r->refresh = r->refreshed = true;
        return true;
    }
    if (fault_signature(fault) && clock_fixed(r, reply))
        return true;
    return fault_transient(fault) && pause_before_retry(r, false);
}

static void read_fault(const struct http_reply *reply, struct aws_fault *fault)
{
    const char *id = http_header(reply, "x-amzn-requestid");

    fault_read(reply->status, http_header(reply, "x-amzn-errortype"), buf_str(&reply->body), fault);
    if (!id)
        id = http_header(reply, "x-amz-request-id");
    if (id && !fault->request_id[0]) {
        SCOPED(buf_release) struct buf safe = {0};

        buf_add_escaped(&safe, str_of(id));
        snprintf(fault->request_id, sizeof(fault->request_id), "%s", buf_cstr(&safe));
    }
}

static int run(struct run *r, struct http_reply *reply, struct aws_fault *fault, struct err *err)
{
    const struct exchange *x = r->x;

    for (;;) {
        int rc;

        http_reply_release(reply);
        *fault = (struct aws_fault){0};
        r->tried++;
        rc = try_once(r, reply, err);
        if (rc == -2)
            return -1;
        if (rc < 0) {
            bool again = err->kind == ERR_NETWORK && err->code != HTTP_FAIL_TLS &&
                         err->code != HTTP_FAIL_TOO_LARGE;

            if (again && pause_before_retry(r, err->code == HTTP_FAIL_TIMEOUT))
                continue;
            return err_wrap(err, "%s %s", x->service->name, x->action);
        }
        if (reply->status / 100 == 2) {
            x->state->spent -= x->state->spent ? 1 : 0;
            return 0;
        }
        read_fault(reply, fault);
        log_debug("%s %s: HTTP %d %s, try %u", x->service->name, x->action, fault->status,
                  fault->code, r->tried);
        if (!try_again(r, reply, fault))
            return fault_err(fault, x->service->name, x->action, r->source[0] ? r->source : NULL,
                             err);
    }
}

int exchange_run(const struct exchange *x, struct http_reply *reply, struct aws_fault *fault,
                 struct err *err)
{
    struct run r = {.x = x, .attempts = attempts_of(x->config)};
    struct err last = {0};
    int rc;

    rc = find_endpoint(x, &r.url, err);
    if (rc == 0) {
        rc = run(&r, reply, fault, &last);
        if (rc < 0)
            *err = last;
    }
    buf_release(&r.url);
    return rc;
}
