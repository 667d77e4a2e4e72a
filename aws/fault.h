/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_FAULT_H
#define AWS_FAULT_H

/*
 * What an AWS server, or something in front of it, said when it refused. Pure; reading never fails.
 * Services answer JSON
 * ("__type", "message" or "Message") or XML (<Code>, <Message>), proxies and doubles HTML or plain
 * text, and some put the code only into the x-amzn-errortype header.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* All text is escaped and cut to size. */
struct aws_fault {
    int status;     /* HTTP; 0: no reply */
    char code[128]; /* "ClusterNotFoundException", without name space; empty when the reply named
                       none */
    char message[600];
    char request_id[80];
};

/* error_type: the x-amzn-errortype header or NULL. */
void fault_read(int status, const char *error_type, struct str body, struct aws_fault *fault);
bool fault_is(const struct aws_fault *fault, const char *code);
bool fault_throttled(const struct aws_fault *fault);
bool fault_transient(const struct aws_fault *fault); /* worth another try as it stands: throttled,
                                                        5xx, request time-out */
bool fault_expired(const struct aws_fault *fault);   /* other credentials would do */
bool fault_signature(const struct aws_fault *fault); /* signature or clock refused */
bool fault_denied(const struct aws_fault *fault);
/*
 * ERR_REMOTE: "ecs UpdateService: ClusterNotFoundException: Cluster not found. (HTTP 400, request
 * id …)". When it is a denial, the missing permission follows, taken from the message, else
 * "<service>:<action>"; when the keys were refused, `source` says where they came from (NULL: not
 * told). Its code is the HTTP status, but 429 whenever the service throttles.
 */
int fault_err(const struct aws_fault *fault, const char *service, const char *action,
              const char *source, struct err *err);

/* Text of the first <tag> in an XML document, entities decoded; false when it is not there. */
bool xml_text(struct str xml, const char *tag, struct buf *out);

#endif
