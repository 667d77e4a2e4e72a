#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway ecs deploy against moto, which checks signatures and shapes on its own; its services never move.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need moto curl jq

start "$T/moto.log" env -u AWS_ACCESS_KEY_ID INITIAL_NO_AUTH_ACTION_COUNT=6 moto_server -H 127.0.0.1 -p 0
wait_for 60 grep -q 'Running on http' "$T/moto.log" || { cat "$T/moto.log"; exit 1; }
url=$(sed -n 's/.*Running on \(http:[^ ]*\).*/\1/p' "$T/moto.log" | head -n 1)
call() { # SERVICE CURL-ARGUMENT…: one of the first six calls, which are not checked
    c_service=$1
    shift
    curl -sSf --aws-sigv4 "aws:amz:us-east-1:$c_service" -u setup:setup "$@" "$url/"
}
ecs() { call ecs -H 'Content-Type: application/x-amz-json-1.1' -H "X-Amz-Target: AmazonEC2ContainerServiceV20141113.$1" -d "$2"; }
{
    call iam -d 'Version=2010-05-08&Action=CreateUser&UserName=ci' &&
        call iam -d 'Version=2010-05-08&Action=CreateAccessKey&UserName=ci' >"$T/key" &&
        call iam -d 'Version=2010-05-08&Action=PutUserPolicy&UserName=ci&PolicyName=deploy' --data-urlencode \
            'PolicyDocument={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:DescribeServices","ecs:RegisterTaskDefinition","ecs:ListTasks","ecs:ListServiceDeployments"],"Resource":"*"},{"Effect":"Allow","Action":"ecs:UpdateService","Resource":"*"}]}' &&
        ecs CreateCluster '{"clusterName": "prod"}' &&
        ecs RegisterTaskDefinition '{"family": "web", "containerDefinitions": [{"name": "web", "image": "old:1", "memory": 64}]}' &&
        ecs CreateService '{"cluster": "prod", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 1}'
} >"$T/setup.log" || { cat "$T/setup.log"; exit 1; }
AWS_ACCESS_KEY_ID=$(xml_member AccessKeyId <"$T/key") AWS_SECRET_ACCESS_KEY=$(xml_member SecretAccessKey <"$T/key")
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION=us-east-1 AWS_ENDPOINT_URL="$url"

cat >td.json <<'EOT'
{"family": "web", "executionRoleArn": "", "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
 "containerDefinitions": [{"name": "web", "image": "new:2", "memory": 64, "essential": true, "environment": [{"name": "E", "value": ""}]}]}
EOT
deploy() { timeout 100 slipway ecs deploy --cluster prod --service web --task-definition td.json "$@"; }

TD=arn:aws:ecs:us-east-1:123456789012:task-definition/web
started() { deploy --no-wait >out && is "$(cat out)" "$TD:2"; }
t "moto takes RegisterTaskDefinition and UpdateService, signatures checked" started
t "a deployment that never appears is a time-out" expect_status 4 "no deployment of $TD:3 has appeared" deploy --timeout 1s
t "a wrong secret is refused" expect_fail 'SignatureDoesNotMatch' env AWS_SECRET_ACCESS_KEY=wrong timeout 60 slipway ecs deploy --cluster prod \
    --service web --task-definition td.json
t "an unknown key is refused, and the error tells where it came from" expect_fail 'the credentials came from the environment' \
    env AWS_ACCESS_KEY_ID=AKIAUNKNOWN timeout 60 slipway ecs deploy --cluster prod --service web --task-definition td.json
t "a service that is not there" expect_fail 'there is no service "api" in cluster "prod"' slipway ecs deploy --cluster prod --service api \
    --task-definition td.json
