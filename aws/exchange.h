/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_EXCHANGE_H
#define AWS_EXCHANGE_H

/*
 * One request to an AWS endpoint until it is answered: signed anew for every try, retried as the
 * AWS tools do (botocore: retries/standard.py): AWS_MAX_ATTEMPTS or 3 tries on no reply and
 * transient faults, pause rand(0,1) * min(2^(n-1), 20) s, a bucket of 500 tokens that every retry
 * draws 5 (10 after a time-out) from. Besides, once each: fresh credentials when they expired; the
 * server's clock when ours is off by more than four minutes.
 */
#include <stdbool.h>
#include <stdint.h>

#include "aws/config.h"
#include "aws/creds.h"
#include "aws/endpoint.h"
#include "aws/fault.h"
#include "base/err.h"
#include "base/http.h"

struct exchange_state {   /* kept between exchanges; zero is the start */
    int64_t clock_offset; /* seconds to add to our clock */
    unsigned spent;       /* of the bucket */
};

struct exchange {
    const struct aws_config *config;
    struct http *http;
    struct exchange_state *state;
    const struct aws_service *service;
    const char *region;
    const char *action;
    const char *content_type;
    struct str body;
    bool fips, dual_stack; /* besides what config says */
    /* Gives the credentials to sign with, fresh ones when the last were refused; NULL: do not sign.
     */
    int (*creds)(void *arg, bool refresh, struct aws_creds *creds, struct err *err);
    void *creds_arg;
};

/* 0 with a 2xx reply; else -1, and fault filled when a server refused (fault->status 0: none
 * answered). */
int exchange_run(const struct exchange *x, struct http_reply *reply, struct aws_fault *fault,
                 struct err *err);

#endif
