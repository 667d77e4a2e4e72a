#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway ecs deploy against the double of ECS: every way a deployment can end, and every way it can be refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry botocore curl jq

# --- images in a registry, made by hand: config, one layer of nothing, manifest -------------------------------------------

put_blob() { # REPOSITORY FILE: its digest
    pb_digest=sha256:$(sha256sum <"$2" | cut -d' ' -f1)
    pb_where=$(curl -sS -D - -o /dev/null -X POST "$REGISTRY_URL/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    case $pb_where in /*) pb_where=$REGISTRY_URL$pb_where ;; esac
    case $pb_where in *\?*) pb_where="$pb_where&digest=$pb_digest" ;; *) pb_where="$pb_where?digest=$pb_digest" ;; esac
    curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$pb_where" >&2 && echo "$pb_digest"
}
put_manifest() { # REPOSITORY TAG FILE: its digest
    curl -sSf -X PUT -H "Content-Type: $(jq -r .mediaType "$3")" --data-binary "@$3" "$REGISTRY_URL/v2/$1/manifests/$2" >&2 &&
        echo "sha256:$(sha256sum <"$3" | cut -d' ' -f1)"
}
put_image() { # REPOSITORY TAG ARCH [VARIANT]: the manifest's digest
    printf '' | gzip -n >"$T/layer"
    pi_layer=$(put_blob "$1" "$T/layer") || return 1
    printf '{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$3" \
        "$(printf '' | sha256sum | cut -d' ' -f1)" >"$T/config"
    pi_config=$(put_blob "$1" "$T/config") || return 1
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}]}' \
        "$pi_config" "$(wc -c <"$T/config")" "$pi_layer" "$(wc -c <"$T/layer")" >"$T/manifest.$3"
    put_manifest "$1" "$2" "$T/manifest.$3"
}
put_index() { # REPOSITORY TAG ARCH…
    pn_repository=$1 pn_tag=$2 pn_list=''
    shift 2
    for pn_arch in "$@"; do
        pn_digest=$(put_image "$pn_repository" "part-$pn_arch" "$pn_arch") || return 1
        pn_list="$pn_list${pn_list:+,}{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"$pn_digest\",\"size\":$(wc -c <"$T/manifest.$pn_arch"),\"platform\":{\"os\":\"linux\",\"architecture\":\"$pn_arch\"}}"
    done
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$pn_list" >"$T/index"
    put_manifest "$pn_repository" "$pn_tag" "$T/index"
}

start_registry || exit 1
AMD64=$(put_image web 1 amd64) && ARM64=$(put_image web arm arm64) && BOTH=$(put_index web both amd64 arm64) &&
    put_index web armonly arm64 >/dev/null || exit 1
IMAGE=$REGISTRY/web

export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY AWS_REGION=eu-west-1
cat >taskdef.json <<'EOT'
{"family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"],
 "executionRoleArn": "", "taskRoleArn": null, "aFutureMember": {"kept": [1, ""]},
 "containerDefinitions": [{"name": "web", "image": "<IMAGE1_NAME>", "essential": true,
   "environment": [{"name": "EMPTY", "value": ""}, {"name": "SELF", "value": "image <IMAGE1_NAME>"}]}]}
EOT
services() { echo "{\"services\": [{\"cluster\": \"prod\", \"name\": \"web\", \"desired\": 2, $1}] ${2:+, $2}}"; }
start_aws || exit 1
export AWS_ENDPOINT_URL="$AWS_URL"
begin() { # PLAN-MEMBERS [MORE]: a fresh state of the double
    services "$1" "${2:-}" | curl -sSf -o /dev/null --data-binary @- "$AWS_URL/_admin/reset" || exit 1
}
deploy() { timeout 60 slipway ecs deploy --cluster prod --service web --task-definition taskdef.json --poll 20ms "$@"; }
calls() { jq -r .action "$AWS_LOG" | grep -cx "$1"; }
input() { jq -c "select(.action == \"$1\" and .status == 200) | .input" "$AWS_LOG"; }
all_signed() { # every request was signed rightly, and the model found nothing wrong with it
    jq -e -s 'length > 0 and all(.[]; .signature == "ok" and (.problems | length) == 0)' "$AWS_LOG" >/dev/null && return 0
    cat "$AWS_LOG" >&2
    return 1
}

# --- done ----------------------------------------------------------------------------------------------------------------

TD=arn:aws:ecs:eu-west-1:123456789012:task-definition/web:2

# shellcheck disable=SC2120 # t passes arguments
succeeds() {
    deploy --image "IMAGE1_NAME=$IMAGE:1" "$@" >out 2>err || { cat err >&2; return 1; }
}
follows_to_the_end() { # MODE
    succeeds || return 1
    is "$(cat out)" "$TD" || return 1
    input RegisterTaskDefinition >input.json
    json input.json ".containerDefinitions[0].image == \"$IMAGE@$AMD64\"" &&
        json input.json ".containerDefinitions[0].environment[1].value == \"image $IMAGE@$AMD64\"" &&
        json input.json '.containerDefinitions[0].environment[0].value == ""' &&
        json input.json 'has("executionRoleArn") or has("taskRoleArn") | not' &&
        json input.json '.aFutureMember == {"kept": [1, ""]}' &&
        has err "deployment completed" && has err "service web runs $TD" && all_signed
}
once_and_in_order() {
    grep -c 'has started 1 tasks' err | { read -r n; is "$n" 2; } || return 1
    lacks err 'event-' || return 1
    is "$(grep -nE 'has started|deployment completed|reached a steady' err | sed 's/.*(service web) //; s/(.*//' | tr '\n' '|')" \
        'has started 1 tasks: |has started 1 tasks: ||has reached a steady state.|'
}

begin '"polls": 3'
t "a service deployment is followed to its end" follows_to_the_end
t "events are told once and in order" once_and_in_order
t "the service deployment was asked for" test "$(calls DescribeServiceDeployments)" -ge 3
begin '"polls": 3' '"service_deployments": false'
t "without service deployments deployments[] is followed" follows_to_the_end
t "it was asked for once" test "$(calls ListServiceDeployments)" -eq 1
begin '"polls": 3' '"describe_revisions": false'
t "without revisions, too" follows_to_the_end
begin '"polls": 2, "listed_after": 3'
t "a service deployment that is listed late is waited for" follows_to_the_end
begin '"polls": 2' '"keys": {"AKIDEXAMPLE": {"secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "deny": ["ecs:ListServiceDeployments"]}}, "service_deployments": false'
t "without leave to list service deployments it goes on" succeeds
t "and says which permission would be good" has err 'the missing permission is ecs:ListServiceDeployments'

# --- other ends ----------------------------------------------------------------------------------------------------------

ends() { # STATUS TEXT ARGUMENT…
    e_status=$1 e_text=$2
    shift 2
    expect_status "$e_status" "$e_text" deploy --image "$IMAGE:1" "$@" >out 2>err && return 0
    cat err >&2
    return 1
}
for mode in true false; do
    more="\"service_deployments\": $mode"
    begin '"plan": "rollback", "polls": 2' "$more"
    t "a rollback is status 3 (service deployments: $mode)" ends 3 'was rolled back: '
    t "with the tasks' reasons" has err 'stopped: Essential container in task exited (EssentialContainerExited)'
    t "and the exit status explained" has err 'container web: exit status 1 (failed)'
    begin '"plan": "fail", "polls": 2' "$more"
    if [ $mode = true ]; then
        t "a failure without rollback is status 1" ends 1 'failed: ECS deployment circuit breaker: tasks failed to start.'
    fi
    begin '"plan": "stuck", "stopped": {"exit": 137, "reason": "OutOfMemoryError: container killed"}' "$more"
    t "time out is status 4 (service deployments: $mode)" ends 4 'is not done in time: ' --timeout 700ms
    t "the kernel's kill is explained" has err 'exit status 137 (killed, SIGKILL: out of memory, or did not end in time): OutOfMemoryError'
    begin '"plan": "superseded", "polls": 2' "$more"
    t "being overtaken is status 1 (service deployments: $mode)" ends 1 'failed: '
    begin '"plan": "drained", "polls": 2' "$more"
    t "a service that is deleted meanwhile ends it (service deployments: $mode)" ends 1 'failed: the service is DRAINING'
done
begin '"plan": "stopped", "polls": 2'
t "a deployment that somebody stops is status 1" ends 1 'failed: Service deployment was stopped by the user.'
begin '"plan": "stuck", "stopped": {"exit": null, "stop_code": "TaskFailedToStart", "stopped_reason": "CannotPullContainerError: no"}'
t "a task that never ran is told" ends 4 'not done in time' --timeout 300ms
t "with its reason" has err 'stopped: CannotPullContainerError: no (TaskFailedToStart)'
t "and its container" has err 'container web: never ran'

begin '"plan": "rollback", "polls": 2'
json_says() {
    deploy --image "$IMAGE:1" --json >out 2>err
    is "$?" 3 && json out '.outcome == "rolled-back" and .service == "web" and (.report | length) >= 2' &&
        json out ".images[0] == {\"image\": \"$IMAGE@$AMD64\", \"digest\": \"$AMD64\", \"tag\": \"1\", \"platform\": \"linux/amd64\", \"containers\": \"web\"}"
}
t "--json tells the outcome" json_says
begin '"polls": 2'
t "--no-wait ends once it has begun" succeeds --no-wait --json
t "and says so" json out '.outcome == "started" and (.deployment | startswith("ecs-svc/"))'
t "nothing was polled" test "$(calls DescribeServices)" -eq 1
begin '"polls": 2'
t "--dry-run" succeeds --dry-run --imagedefinitions images.json
t "prints the task definition" json out ".containerDefinitions[0].image == \"$IMAGE@$AMD64\""
t "and changes nothing" sh -c "test ! -e images.json && ! grep -qE 'RegisterTaskDefinition|UpdateService' '$AWS_LOG'"

# --- images ----------------------------------------------------------------------------------------------------------------

begin '"polls": 1'
t "by container name and by digest" deploy --image "web=$IMAGE@$AMD64" --imagedefinitions images.json --image-detail detail.json
t "imagedefinitions.json" json images.json ". == [{\"name\": \"web\", \"imageUri\": \"$IMAGE@$AMD64\"}]"
t "imageDetail.json" json detail.json ".ImageURI == \"$IMAGE@$AMD64\" and .ImageDigest == \"$AMD64\" and .Version == \"1.0\" and .RepositoryName == \"web\" and (.ImageSizeInBytes | test(\"^[0-9]+\$\"))"
t "an index is pinned whole" deploy --image "web=$IMAGE:both"
index_pinned() { input RegisterTaskDefinition | tail -n 1 >input.json && json input.json ".containerDefinitions[0].image == \"$IMAGE@$BOTH\""; }
t "by the index's digest" index_pinned

refused() { # TEXT ARGUMENT…: and nothing was changed
    r_before=$(grep -cE 'RegisterTaskDefinition|UpdateService' "$AWS_LOG")
    r_status=$1 r_text=$2
    shift 2
    expect_status "$r_status" "$r_text" "$@" || return 1
    is "$(grep -cE 'RegisterTaskDefinition|UpdateService' "$AWS_LOG")" "$r_before"
}
t "the wrong platform is refused before anything changes" refused 1 \
    "image $IMAGE@$ARM64 is for linux/arm64, the task definition runs on linux/amd64 (runtimePlatform X86_64); rebuild with --platform linux/amd64, or set \"runtimePlatform\": {\"cpuArchitecture\": \"ARM64\"" deploy --image "$IMAGE:arm"
t "so is an index without the right one" refused 1 'linux/arm64' deploy --image "$IMAGE:armonly"
jq '.runtimePlatform = {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}' taskdef.json >arm.json
t "the same image fits an ARM64 task definition" slipway ecs deploy --cluster prod --service web --task-definition arm.json \
    --image "web=$IMAGE:arm" --poll 20ms
t "an amd64 image does not" refused 1 'is for linux/amd64, the task definition runs on linux/arm64 (runtimePlatform ARM64)' \
    slipway ecs deploy --cluster prod --service web --task-definition arm.json --image "web=$IMAGE:1"
t "a tag that is not there" refused 1 "image $IMAGE:none: " deploy --image "$IMAGE:none"
t "a digest that is not there" refused 1 "image $IMAGE@sha256:" \
    deploy --image "$IMAGE@sha256:0000000000000000000000000000000000000000000000000000000000000000"
t "a container that is not there" refused 2 'no container "api" and no placeholder <api> in the task definition; it has: web' deploy --image "api=$IMAGE:1"
t "a placeholder that is left" refused 2 'container "web": image is still "<IMAGE1_NAME>"; give --image web=…' deploy
t "a broken reference" refused 2 'image ' deploy --image "web=:::"
t "an empty name" refused 2 'want NAME=IMAGE' deploy --image "=$IMAGE:1"
begin '"launch_type": "EC2", "polls": 1'
jq 'del(.requiresCompatibilities)' taskdef.json >ec2.json
on_ec2() { slipway ecs deploy --cluster prod --service web --task-definition ec2.json --image "web=$IMAGE:arm" --poll 20ms 2>ec2.err; }
t "on EC2 without runtimePlatform the instances decide" on_ec2
t "with a warning" has ec2.err "so its instances decide whether it runs"

# --- the service and its API -----------------------------------------------------------------------------------------------

begin '"controller": "CODE_DEPLOY"'
t "another controller's service is refused" refused 1 'is moved by the CODE_DEPLOY deployment controller' deploy --image "$IMAGE:1"
t "a service that is not there" refused 1 'there is no service "api" in cluster "prod" (MISSING)' \
    slipway ecs deploy --cluster prod --service api --task-definition taskdef.json --image "$IMAGE:1"
t "a cluster that is not there" refused 1 'ClusterNotFoundException: Cluster not found.' \
    slipway ecs deploy --cluster x --service web --task-definition taskdef.json --image "$IMAGE:1"
begin '"polls": 1' '"faults": [{"action": "UpdateService", "times": 2, "code": "ThrottlingException", "message": "Rate exceeded"}, {"action": "DescribeServices", "times": 1, "status": 500, "body": "<html><title>500 Oops</title></html>"}, {"action": "RegisterTaskDefinition", "times": 1, "drop": true}]'
t "throttling, a 500 in HTML and a cut connection are survived" succeeds
t "by calling again" test "$(calls UpdateService)" -eq 3
begin '"polls": 1' '"faults": [{"action": "UpdateService", "times": 9, "code": "ThrottlingException", "message": "Rate exceeded"}]'
t "throttling without end is told" ends 1 'ecs UpdateService: ThrottlingException: Rate exceeded (HTTP 400, request id req-'
t "with what was left behind" has err "; $TD is registered and unused"
begin '"polls": 2' '"faults": [{"action": "DescribeServices", "after": 2, "times": 18, "code": "ThrottlingException", "message": "Rate exceeded"}]'
t "throttling while it waits is waited out" succeeds
t "and told" has err 'Rate exceeded (HTTP 400, request id req-'
interrupt() { # a shell's background job ignores INT, and so would we; nohup's choice stands
    begin '"plan": "stuck"'
    timeout -k 5 30 python3 -c 'import signal, subprocess, sys
p = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
for line in p.stderr:
    print(line, end="")
    if "IN_PROGRESS" in line:
        p.send_signal(signal.SIGINT)
sys.exit(0 if p.wait() == -signal.SIGINT else 1)' slipway ecs deploy --cluster prod --service web --task-definition taskdef.json --image "$IMAGE:1" >interrupted.out
}
t "Ctrl-C ends the wait, by that signal" interrupt
t "and says what goes on" has interrupted.out 'slipway: interrupted while waiting; the deployment was started and goes on in ECS'
begin '"polls": 1' '"faults": [{"action": "DescribeServices", "times": 9, "status": 500, "body": "<html><title>500 Oops</title></html>"}]'
t "a 500 in HTML without end shows its title" ends 1 'ecs DescribeServices: 500 Oops (HTTP 500'
begin '"polls": 1' '"keys": {"AKIDEXAMPLE": {"secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "deny": ["ecs:UpdateService"]}}'
t "a denied call names the permission" ends 1 'the missing permission is ecs:UpdateService on *'
begin '"polls": 1' '"keys": {"AKIDEXAMPLE": {"secret": "other"}}'
t "a wrong secret" ends 1 'InvalidSignatureException: The request signature we calculated does not match'
t "says where the keys are from" has err 'the credentials came from the environment'
t "and does not show the canonical request" lacks err 'Canonical'
begin '"polls": 1' '"keys": {"OTHER": {"secret": "x"}}'
t "an unknown key" ends 1 'UnrecognizedClientException: The security token included in the request is invalid.'
begin '"polls": 1' '"keys": {"AKIDEXAMPLE": {"secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "expired": true}}'
t "an expired token" ends 1 'ExpiredTokenException: The security token included in the request is expired'
t "is tried twice" test "$(calls DescribeServices)" -eq 2
begin '"polls": 1' '"clock_skew": 3600'
t "a clock that is an hour off is put right" succeeds
t "with a warning" has err "this machine's clock is off by -3600 s from ecs's"
begin '"polls": 1' '"clock_skew": -7200'
t "the other way round, too" succeeds

# --- usage -------------------------------------------------------------------------------------------------------------------

t "--service is needed" expect_status 2 '--service is missing' slipway ecs deploy --task-definition taskdef.json
t "--task-definition is needed" expect_status 2 '--task-definition is missing' slipway ecs deploy --service web
t "a time that is none" expect_status 2 '--timeout 5x: want a time such as 90s, 30m or 2h' deploy --timeout 5x
t "a file that is not there" expect_fail 'open none.json: No such file or directory' \
    slipway ecs deploy --service web --task-definition none.json
echo '{"family": "web"' >broken.json
t "a file that is broken" expect_fail 'broken.json: line 2, column 0: ' slipway ecs deploy --service web --task-definition broken.json
no_region() { (unset AWS_REGION; AWS_EC2_METADATA_DISABLED=true; export AWS_EC2_METADATA_DISABLED; expect_fail 'no AWS region: give --region, set AWS_REGION' deploy); }
t "no region" no_region
t "a profile that is not there" expect_fail 'the profile "x" is neither in ' env AWS_PROFILE=x slipway ecs deploy --service web --task-definition taskdef.json
