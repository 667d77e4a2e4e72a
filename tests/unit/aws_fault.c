/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/fault.h"

#include <string.h>

#include "base/scope.h"
#include "tests/tap.h"

static void bodies(void)
{
    static const struct {
        int status;
        const char *type, *body, *text;
    } rows[] = {
        {400, NULL, "{\"__type\":\"ClusterNotFoundException\",\"message\":\"Cluster not found.\"}",
         "ecs UpdateService: ClusterNotFoundException: Cluster not found. (HTTP 400)"},
        {400, NULL, "{\"__type\":\"com.amazonaws.ecs#ClientException\",\"Message\":\"no\"}",
         "ecs UpdateService: ClientException: no (HTTP 400)"},
        {400, "ServerException:http://internal.amazon.com/", "{\"message\":\"later\"}",
         "ecs UpdateService: ServerException: later (HTTP 400)"},
        {500, NULL,
         "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>x</h1>",
         "ecs UpdateService: 500 Internal Server Error (HTTP 500)"},
        {403, NULL,
         "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>a "
         "&lt;b&gt; "
         "&amp;c</Message></Error><RequestId>r-1</RequestId></ErrorResponse>",
         "ecs UpdateService: SignatureDoesNotMatch: a <b> &c (HTTP 403, request id r-1); the "
         "credentials came from here"},
        {403, NULL,
         "{\"__type\":\"InvalidSignatureException\",\"message\":\"The request signature we "
         "calculated does not "
         "match.\\n\\nThe Canonical String for this request should have "
         "been\\n'POST\\nx-amz-security-token:SECRET'\"}",
         "ecs UpdateService: InvalidSignatureException: The request signature we calculated does "
         "not match. (HTTP 403); "
         "the credentials came from here"},
        {502, NULL, "", "ecs UpdateService: no message (HTTP 502)"},
        {502, NULL, "\n\nbad \x1b[31m gateway\nsecond\n",
         "ecs UpdateService: bad \\x1b[31m gateway (HTTP 502)"},
        {400, NULL,
         "{\"__type\":\"AccessDeniedException\",\"message\":\"User: arn:aws:iam::1:user/ci is not "
         "authorized to "
         "perform: iam:PassRole on resource: arn:aws:iam::1:role/t because no policy allows it\"}",
         "ecs UpdateService: AccessDeniedException: User: arn:aws:iam::1:user/ci is not authorized "
         "to perform: iam:PassRole "
         "on resource: arn:aws:iam::1:role/t because no policy allows it (HTTP 400); the missing "
         "permission is "
         "iam:PassRole on arn:aws:iam::1:role/t"},
        {403, NULL, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
         "ecs UpdateService: AccessDenied: Access Denied (HTTP 403); the missing permission is "
         "ecs:UpdateService"},
        {400, NULL,
         "{\"__type\":\"AccessDeniedException\",\"message\":\"x is not authorized to perform: "
         "ecs:X\"}",
         "ecs UpdateService: AccessDeniedException: x is not authorized to perform: ecs:X (HTTP "
         "400); the missing "
         "permission is ecs:X"},
        {400, NULL, "{\"__type\":\"UnrecognizedClientException\",\"message\":\"no such key\"}",
         "ecs UpdateService: UnrecognizedClientException: no such key (HTTP 400); the credentials "
         "came from here"},
        {400, NULL, "{\"broken", "ecs UpdateService: {\"broken (HTTP 400)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct aws_fault fault;
        struct err err = {0};

        fault_read(rows[i].status, rows[i].type, str_of(rows[i].body), &fault);
        EQ_INT(fault_err(&fault, "ecs", "UpdateService", "here", &err), -1);
        EQ_STR(err.text, rows[i].text);
        EQ_INT(err.kind, ERR_REMOTE);
        EQ_INT(err.code, rows[i].status);
    }
}

static void kinds(void)
{
    static const struct {
        int status;
        const char *code;
        bool throttled, transient, expired, denied;
    } rows[] = {
        {400, "ThrottlingException", true, true, false, false},
        {429, "", true, true, false, false},
        {400, "LimitExceededException", false, false, false, false},
        {503, "", false, true, false, false},
        {501, "", false, false, false, false},
        {400, "ExpiredTokenException", false, false, true, false},
        {400, "AccessDeniedException", false, false, false, true},
        {400, "ClientException", false, false, false, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct aws_fault fault;

        fault_read(rows[i].status, rows[i].code, STR("{}"), &fault);
        OKF(fault_throttled(&fault) == rows[i].throttled &&
                fault_transient(&fault) == rows[i].transient &&
                fault_expired(&fault) == rows[i].expired && fault_denied(&fault) == rows[i].denied,
            "row %zu: %s", i, rows[i].code);
    }
}

static void long_texts(void)
{
    SCOPED(buf_release) struct buf body = {0};
    struct aws_fault fault;

    buf_adds(&body, "{\"__type\":\"");
    for (int i = 0; i < 500; i++)
        buf_addc(&body, 'x');
    buf_adds(&body, "\",\"message\":\"");
    for (int i = 0; i < 5000; i++)
        buf_addc(&body, 'y');
    buf_adds(&body, "\"}");
    fault_read(400, NULL, buf_str(&body), &fault);
    EQ_INT(strlen(fault.code), sizeof(fault.code) - 1);
    EQ_INT(strlen(fault.message), sizeof(fault.message) - 1);
    EQ_STR(fault.message + sizeof(fault.message) - 5, "y...");
}

static void xml(void)
{
    static const struct {
        const char *xml, *tag, *want;
    } rows[] = {
        {"<a><b>x</b></a>", "b", "x"},
        {"<ab>1</ab><a>2</a>", "a", "2"},
        {"<a k='v'>x &quot;&#39;&unknown; & y</a>", "a", "x \"'&unknown; & y"},
        {"<a/>", "a", NULL},
        {"<a>", "a", ""},
        {"<a", "a", NULL},
        {"", "a", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf got = {0};
        bool found = xml_text(str_of(rows[i].xml), rows[i].tag, &got);

        EQ_STR(found ? buf_cstr(&got) : NULL, rows[i].want);
    }
}

TAP_MAIN({"bodies", bodies}, {"kinds", kinds}, {"long texts", long_texts}, {"xml", xml})
