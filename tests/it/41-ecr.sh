#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ECR: the login slipway makes by itself. Data path: docker-registry under the ECR host's name, TLS and Basic; API: moto with its
# signature checks on (real code of somebody else's), then our double for what moto does not show.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry curl jq busybox htpasswd

busybox_image box:1 || exit 1
start_registry --tls --htpasswd || exit 1
export SLIPWAY_REGISTRY_ENDPOINT="$ECR_HOST=$REGISTRY_URL" SLIPWAY_CA_FILE="$CA_FILE" AWS_EC2_METADATA_DISABLED=true
push() { timeout 60 slipway push box:1 "$ECR_HOST/web:$1"; }

# --- moto ------------------------------------------------------------------------------------------------------------------

if can moto && start_moto; then
    # expiresAt is in 2015 there: the token must serve anyway, and must not be asked for again and again
    t "moto: push with a login by AWS credentials" push moto
    token_calls() { grep -c 'POST / HTTP' "$T/moto.log"; }
    asked_now() { at_before=$(token_calls); push again || return 1; is "$(($(token_calls) - at_before))" 1; }
    t "moto: one token for one push, though it has expired long ago" asked_now
    t "moto: a wrong secret" expect_fail 'SignatureDoesNotMatch' env AWS_SECRET_ACCESS_KEY=wrong timeout 60 slipway push box:1 "$ECR_HOST/web:2"
    t "moto: an unknown key" expect_fail 'the credentials came from the environment' env AWS_ACCESS_KEY_ID=AKIAUNKNOWN timeout 60 slipway push box:1 "$ECR_HOST/web:2"
    region_of_host() { # the environment's region does not count
        AWS_REGION=ap-south-1 push region || return 1
    }
    t "moto: the region is the host's" region_of_host
    unset AWS_ENDPOINT_URL_ECR AWS_REGION
else
    for name in push "one token" "a wrong secret" "an unknown key" "the region"; do skip "moto: $name" "${why:-moto did not start}"; done
fi

# --- our double ------------------------------------------------------------------------------------------------------------

if can botocore; then
    export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
    start_aws || exit 1
    export AWS_ENDPOINT_URL="$AWS_URL"
    script() { printf '%s\n' "$1" | curl -sSf -o /dev/null --data-binary @- "$AWS_URL/_admin/reset" || exit 1; }
    tokens() { jq -r 'select(.action == "GetAuthorizationToken") | "\(.region) \(.signature) \(.status)"' "$AWS_LOG"; }

    region_of_host() { AWS_REGION=eu-west-3 push 3 && is "$(tokens)" "us-east-1 ok 200"; }
    t "the region is the host's, whatever the environment says" region_of_host
    script '{"token_absolute": 1420070400.0}'
    t "a token that has expired is used once" push 4
    t "and not asked for again" is "$(tokens | wc -l)" 1
    script '{"keys": {"AKIDEXAMPLE": {"secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "deny": ["ecr:GetAuthorizationToken"]}}}'
    t "a denied login names the permission" expect_fail 'the missing permission is ecr:GetAuthorizationToken on *' push 5
    script '{"faults": [{"action": "GetAuthorizationToken", "times": 2, "code": "ThrottlingException", "message": "Rate exceeded"}]}'
    t "throttling of the login is survived" push 6
    script '{"faults": [{"action": "GetAuthorizationToken", "times": 9, "status": 500, "body": "<html><title>Oops</title></html>"}]}'
    t "an API that is down" expect_fail 'ecr GetAuthorizationToken: Oops (HTTP 500' push 7
    script '{"registry_token": "no colon in this one"}'
    t "a token that is none" expect_fail 'the token is not base64 of user:password' push 8
    script '{"registry_token": "AWS:wrong"}'
    t "a token that the registry does not take" expect_fail "$ECR_HOST" push 9

    # Tokens have no fixed size.
    long=$(head -c 6000 /dev/zero | tr '\0' x)
    start_registry --tls || exit 1
    SLIPWAY_REGISTRY_ENDPOINT=$ECR_HOST=$REGISTRY_URL
    script "{\"registry_token\": \"AWS:$long\"}"
    t "a token of 6000 bytes" slipway login --store "$ECR_HOST"
    stored() { jq -r ".auths[\"$ECR_HOST\"].auth" "$HOME/.docker/config.json" | base64 -d >stored && printf 'AWS:%s' "$long" | cmp - stored; }
    t "arrives whole" stored
else
    skip "the double" "$why"
fi
