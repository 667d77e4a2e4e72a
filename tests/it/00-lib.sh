#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library itself: its checks can fail, its servers come up, its account is an ordinary one.
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"

printf 'one\ntwo\n' >text
t "has finds" has text two
t "lacks finds nothing" lacks text three
t "has can fail" not has text three
t "lacks can fail" not lacks text one
t "expect_fail wants the status" not expect_fail boom sh -c 'echo boom >&2; exit 0'
t "expect_fail wants the text" not expect_fail boom sh -c 'echo bang >&2; exit 1'
t "expect_fail holds" expect_fail boom sh -c 'echo the boom >&2; exit 1'
t "expect_fail refuses a signal" not expect_fail '' sh -c 'kill -SEGV $$'
t "not refuses a signal" not not sh -c 'kill -SEGV $$'
is "$(requests_of() { echo 1; }; requests_of)" 1 "is compares"

if can registry; then
    t "a plain registry answers" start_registry
    t "on its port" curl -sSf "$REGISTRY_URL/v2/"
    is "$(requests 'GET /v2/')" 1 "requests are counted"
    t "a registry with TLS and a password" start_registry --tls --htpasswd
    t "refuses without it" sh -c "[ \$(curl -sS --cacert '$CA_FILE' -o /dev/null -w '%{http_code}' '$REGISTRY_URL/v2/') = 401 ]"
    t "answers to the ECR name" curl -sSf --cacert "$CA_FILE" -u "AWS:$ECR_PASSWORD" \
        --connect-to "$ECR_HOST:443:$REGISTRY" "https://$ECR_HOST/v2/"
    is "$(requests ' 401 ')" 1 "each registry has its own count"
else
    skip "registries" "$why"
fi

if can user; then
    t "an ordinary account" sh -c '[ "$1" != 0 ]' sh "$(as_user id -u)"
    t "with a home it can write" as_user sh -c 'echo x >"$HOME/x"'
    t "and nothing of our environment" sh -c '! echo "$1" | grep -q "^BUILD="' sh "$(as_user env)"
else
    skip "an ordinary account" "$why"
fi

if can busybox; then
    t "a busybox root" busybox_rootfs "$T/root"
    t "with a shell in it" test -x "$T/root/bin/sh"
else
    skip "a busybox root" "$why"
fi

# What stop must end: a program below a function's shell, one that does not listen, and its children.
stubborn() { sh -c 'trap "" TERM; sleep 4711 & sleep 4711'; }
start "$T/stubborn" stubborn
t "a stubborn family runs" wait_for 5 pgrep -f '^sleep 4711'
stop "$started"
t "stop ends all of it" sh -c '! pgrep -f "^sleep 4711"'
