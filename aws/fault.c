/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/scope.h"

static void put(char *to, size_t size, struct str text)
{
    SCOPED(buf_release) struct buf safe = {0};

    buf_add_escaped(&safe, str_trim(text));
    snprintf(to, size, "%s", buf_cstr(&safe));
    if (safe.size >= size)
        memcpy(to + size - 4, "...", 4);
}

/* "com.amazonaws.ecs#Name" and "Name:http://…" are both Name. */
static void put_code(struct aws_fault *fault, struct str text)
{
    struct str head, rest;

    if (str_cut_last(text, '#', &head, &rest))
        text = rest;
    str_cut(text, ':', &head, &rest);
    put(fault->code, sizeof(fault->code), head);
}

static void add_entity(struct buf *out, struct str name)
{
    static const struct {
        const char *name, *text;
    } known[] = {{"lt", "<"},   {"gt", ">"},  {"amp", "&"}, {"quot", "\""},
                 {"apos", "'"}, {"#39", "'"}, {"#34", "\""}};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (str_is(name, known[i].name)) {
            buf_adds(out, known[i].text);
            return;
        }
    }
    buf_addf(out, "&" STR_FMT ";", STR_ARG(name));
}

static void add_unescaped(struct buf *out, struct str text)
{
    while (text.size) {
        ptrdiff_t amp = str_find(text, '&');
        struct str name, rest;

        if (amp < 0) {
            buf_add_str(out, text);
            return;
        }
        buf_add_str(out, str_slice(text, 0, (size_t)amp));
        text = str_slice(text, (size_t)amp + 1, text.size);
        if (!str_cut(text, ';', &name, &rest) || name.size > 8) {
            buf_addc(out, '&');
            continue;
        }
        add_entity(out, name);
        text = rest;
    }
}

bool xml_text(struct str xml, const char *tag, struct buf *out)
{
    size_t n = strlen(tag);

    while (xml.size) {
        ptrdiff_t at = str_find(xml, '<');
        struct str head, rest;

        if (at < 0)
            return false;
        xml = str_slice(xml, (size_t)at + 1, xml.size);
        if (!str_starts(xml, tag) || xml.size == n || !strchr("> \t\r\n", xml.ptr[n]))
            continue;
        if (!str_cut(xml, '>', &head, &rest))
            return false;
        str_cut(rest, '<', &head, &xml);
        add_unescaped(out, head);
        return true;
    }
    return false;
}

static bool read_json(struct str body, struct aws_fault *fault)
{
    static const char *const codes[] = {"__type", "code", "Code"};
    static const char *const messages[] = {"message", "Message", "errorMessage"};
    struct err ignored = {0};
    json_auto_t *doc = NULL;

    if (!body.size || body.ptr[0] != '{')
        return false;
    doc = json_parse(body, &ignored);
    if (!doc)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(codes) && !fault->code[0]; i++) {
        if (json_str(doc, codes[i]))
            put_code(fault, str_of(json_str(doc, codes[i])));
    }
    for (size_t i = 0; i < ARRAY_SIZE(messages) && !fault->message[0]; i++) {
        if (json_str(doc, messages[i]))
            put(fault->message, sizeof(fault->message), str_of(json_str(doc, messages[i])));
    }
    return true;
}

static void read_xml(struct str body, struct aws_fault *fault)
{
    SCOPED(buf_release) struct buf text = {0};

    if (!fault->code[0] && xml_text(body, "Code", &text))
        put_code(fault, buf_str(&text));
    buf_clear(&text);
    /* Of an HTML page only the title is for people. */
    if (xml_text(body, "Message", &text) || xml_text(body, "title", &text))
        put(fault->message, sizeof(fault->message), buf_str(&text));
    buf_clear(&text);
    if (xml_text(body, "RequestId", &text) || xml_text(body, "RequestID", &text))
        put(fault->request_id, sizeof(fault->request_id), buf_str(&text));
}

/* A refused signature comes with the canonical request, and that holds the session token: not for
 * any log. */
static void drop_canonical(struct aws_fault *fault)
{
    char *at = strstr(fault->message, "The Canonical String");

    if (!at)
        return;
    *at = 0;
    while (at > fault->message &&
           (at[-1] == ' ' || at[-1] == 'n' || at[-1] == '\\')) /* escaped line ends */
        *--at = 0;
}

static void read_body(struct str body, struct aws_fault *fault)
{
    struct str line;

    body = str_trim(body);
    if (read_json(body, fault))
        return;
    if (str_starts(body, "<")) {
        read_xml(body, fault);
        return;
    }
    while (!fault->message[0] && str_line(&body, &line))
        put(fault->message, sizeof(fault->message), line);
}

void fault_read(int status, const char *error_type, struct str body, struct aws_fault *fault)
{
    *fault = (struct aws_fault){.status = status};
    if (error_type)
        put_code(fault, str_of(error_type));
    read_body(body, fault);
    drop_canonical(fault);
}

bool fault_is(const struct aws_fault *fault, const char *code)
{
    return !strcmp(fault->code, code);
}

static bool any_of(const struct aws_fault *fault, const char *const *codes)
{
    for (; *codes; codes++) {
        if (fault_is(fault, *codes))
            return true;
    }
    return false;
}

bool fault_throttled(const struct aws_fault *fault)
{
    /* botocore: retries/standard.py. LimitExceededException is left out: for ECS and ECR it is a
     * quota, not a rate. */
    static const char *const codes[] = {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "SlowDown",
        "EC2ThrottledException",
        "ProvisionedThroughputExceededException",
        "PriorRequestNotComplete",
        "TransactionInProgressException",
        NULL,
    };

    return any_of(fault, codes) || fault->status == 429;
}

bool fault_transient(const struct aws_fault *fault)
{
    static const char *const codes[] = {"RequestTimeout",  "RequestTimeoutException",
                                        "InternalFailure", "ServiceUnavailable",
                                        "InternalError",   NULL};

    return fault_throttled(fault) || any_of(fault, codes) || fault->status == 500 ||
           fault->status == 502 || fault->status == 503 || fault->status == 504;
}

bool fault_expired(const struct aws_fault *fault)
{
    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException", "RequestExpired",
                                        NULL};

    return any_of(fault, codes);
}

bool fault_signature(const struct aws_fault *fault)
{
    static const char *const codes[] = {"SignatureDoesNotMatch", "InvalidSignatureException",
                                        "RequestTimeTooSkewed", "AuthFailure", NULL};

    return any_of(fault, codes);
}

/* The keys themselves are not known. */
static bool fault_credentials(const struct aws_fault *fault)
{
    static const char *const codes[] = {"UnrecognizedClientException",
                                        "InvalidClientTokenId",
                                        "InvalidAccessKeyId",
                                        "MissingAuthenticationToken",
                                        "MissingAuthenticationTokenException",
                                        "IncompleteSignature",
                                        "IncompleteSignatureException",
                                        "InvalidToken",
                                        NULL};

    return any_of(fault, codes);
}

bool fault_denied(const struct aws_fault *fault)
{
    static const char *const codes[] = {"AccessDenied",          "AccessDeniedException",
                                        "UnauthorizedOperation", "UnauthorizedException",
                                        "NotAuthorized",         NULL};

    return any_of(fault, codes);
}

/* IAM's own words: "… is not authorized to perform: iam:PassRole on resource: arn:… because …". */
static void add_permission(const char *message, const char *service, const char *action,
                           struct err *err)
{
    static const char perform[] = "not authorized to perform: ", on[] = "on resource: ";
    struct str text = str_of(message), what, rest, resource;
    ptrdiff_t at = str_search(text, perform);

    if (at < 0) {
        err_add(err, "; the missing permission is %s:%s", service, action);
        return;
    }
    str_cut(str_slice(text, (size_t)at + sizeof(perform) - 1, text.size), ' ', &what, &rest);
    rest = str_trim_left(rest);
    if (str_starts(rest, on)) {
        str_cut(str_slice(rest, sizeof(on) - 1, rest.size), ' ', &resource, &rest);
        err_add(err, "; the missing permission is " STR_FMT " on " STR_FMT, STR_ARG(what),
                STR_ARG(resource));
        return;
    }
    err_add(err, "; the missing permission is " STR_FMT, STR_ARG(what));
}

int fault_err(const struct aws_fault *fault, const char *service, const char *action,
              const char *source, struct err *err)
{
    const char *message = fault->message[0] ? fault->message : "no message";
    bool id = fault->request_id[0] != 0;

    /* AWS throttles with status 400 and a code: a caller that may wait sees 429. */
    err_set(err, ERR_REMOTE, fault_throttled(fault) ? 429 : fault->status,
            "%s %s: %s%s%s (HTTP %d%s%s)", service, action, fault->code, fault->code[0] ? ": " : "",
            message, fault->status, id ? ", request id " : "", fault->request_id);
    if (fault_denied(fault))
        add_permission(fault->message, service, action, err);
    if (source && (fault_credentials(fault) || fault_signature(fault) || fault_expired(fault)))
        err_add(err, "; the credentials came from %s", source);
    return -1;
}
