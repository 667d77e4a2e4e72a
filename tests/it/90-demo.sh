#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demo is the whole case: it runs to its end, as root and as an ordinary user, and leaves nothing behind.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need network registry botocore userns overlay mmdebstrap busybox htpasswd jq

cache=${SLIPWAY_TEST_CACHE:-$SOURCE_DIR/.cache}

judge() { # WHO LOG
    t "$1: the page came from the container" has "$2" 'page:             Svelte app: This page was built by slipway'
    t "$1: so did the bundle that was built" matches "$2" '^This page was built by slipway\.$'
    t "$1: the service runs the image by digest" matches "$2" "^runs:             $ECR_HOST/web@sha256:[0-9a-f]{64}\$"
    t "$1: its deployment is completed" has "$2" 'service:          prod/web, COMPLETED, 2 of 2 tasks'
    t "$1: on a new task definition" matches "$2" '^task definition:  arn:aws:ecs:us-east-1:123456789012:task-definition/web:2$'
    t "$1: the second build sent nothing" matches "$2" '^image: .*the second build and push: the same, no blob sent'
    t "$1: what is real and what is not is said" has "$2" 'ECS: our double'
}

if can root; then
    mkdir "$T/demo"
    t "the demo as root" env SLIPWAY_TEST_CACHE="$cache" SLIPWAY_TEST_TMP="$T/demo" "$SOURCE_DIR/tests/demo/run"
    cp "$T/out" "$T/root.out"
    cat "$T/err" >>"$T/root.out"
    judge root "$T/root.out"
    t "root: nothing is left" sh -c '[ -z "$(ls -A "$1")" ]' sh "$T/demo"
fi
if can user && can subids; then
    # the clone may be closed to others
    if as_user test -r "$SOURCE_DIR/tests/demo/run"; then
        mkdir "$T/user-demo"
        chmod 1777 "$T/user-demo"
        t "the demo as an ordinary user" as_user env SLIPWAY="$(as_user sh -c 'command -v slipway')" SLIPWAY_DEMO_AWS=double \
            SLIPWAY_TEST_CACHE="$cache" SLIPWAY_TEST_TMP="$T/user-demo" "$SOURCE_DIR/tests/demo/run"
        cp "$T/out" "$T/user.out"
        cat "$T/err" >>"$T/user.out"
        judge user "$T/user.out"
        t "user: nothing is left" sh -c '[ -z "$(ls -A "$1")" ]' sh "$T/user-demo"
    else
        skip "the demo as an ordinary user" "$SOURCE_DIR cannot be read by others"
    fi
else
    skip "the demo as an ordinary user" "$why"
fi
