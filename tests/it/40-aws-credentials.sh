#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Where credentials, region and endpoint come from: the chain of the AWS tools, against a double that checks every signature.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need botocore curl jq

cat >"$T/keys.json" <<'EOT'
"keys": {"ENVKEY": {"secret": "env/secret+1"}, "SESSION": {"secret": "s", "token": "session/token=="}, "FILEKEY": {"secret": "file"},
 "CONFKEY": {"secret": "conf"}, "PROCKEY": {"secret": "proc", "token": "pt"}, "ROLEKEY": {"secret": "role", "token": "rt+/="},
 "WEBKEY": {"secret": "web", "token": "wt"}, "BOXKEY": {"secret": "box", "token": "bt"}, "HOSTKEY": {"secret": "host", "token": "ht"}},
"services": [{"cluster": "default", "name": "web"}],
"places": {"container": {"path": "/creds", "token": "Bearer box-token", "key": "BOXKEY"}, "instance": {"role": "ci", "key": "HOSTKEY"},
 "roles": {"arn:aws:iam::123456789012:role/deploy": {"key": "ROLEKEY", "external_id": "x 1"},
  "arn:aws:iam::123456789012:role/web": {"key": "WEBKEY", "web_token": "jwt.of.the.job"}}}
EOT
start_aws "{$(cat "$T/keys.json")}" || exit 1
script() { # MORE: the state above and more
    printf '{%s %s}' "$(cat "$T/keys.json")" "${1:+, $1}" | curl -sSf -o /dev/null --data-binary @- "$AWS_URL/_admin/reset" || exit 1
}
echo '{"family": "web", "containerDefinitions": [{"name": "web", "image": "x"}]}' >td.json
# No metadata service but the test's: 169.254.169.254 may be anything on the machine that runs this.
export AWS_ENDPOINT_URL="$AWS_URL" AWS_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true
ask() { env "$@" timeout 60 slipway ecs deploy --service web --task-definition td.json --dry-run; }
key_used() { jq -r 'select(.action == "DescribeServices" and .status == 200) | .key' "$AWS_LOG" | tail -n 1; }
asks_as() { # KEY VAR=VALUE…
    aa_key=$1
    shift
    : >"$AWS_LOG"
    ask "$@" >out || return 1
    is "$(key_used)" "$aa_key"
}
fails() { # STATUS TEXT VAR=VALUE…
    f_status=$1 f_text=$2
    shift 2
    expect_status "$f_status" "$f_text" ask "$@"
}

# --- environment -----------------------------------------------------------------------------------------------------------

t "environment" asks_as ENVKEY AWS_ACCESS_KEY_ID=ENVKEY AWS_SECRET_ACCESS_KEY=env/secret+1
t "environment with a session token" asks_as SESSION AWS_ACCESS_KEY_ID=SESSION AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=session/token==
t "half of a pair is an error" fails 1 'the environment: the access key id is there, the secret access key is not' AWS_ACCESS_KEY_ID=ENVKEY
t "the other half, too" fails 1 'the environment: the secret access key is there, the access key id is not' AWS_SECRET_ACCESS_KEY=x
t "nothing at all lists what was tried" fails 1 'no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, profile "default" has none in' A=b
t "a wrong session token is refused" fails 1 'UnrecognizedClientException' AWS_ACCESS_KEY_ID=SESSION AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=other

# --- files -----------------------------------------------------------------------------------------------------------------

mkdir -p "$HOME/.aws"
cat >"$HOME/.aws/credentials" <<'EOT'
[default]
aws_access_key_id = FILEKEY
aws_secret_access_key = file
[half]
aws_access_key_id = FILEKEY
[base]
aws_access_key_id = ENVKEY
aws_secret_access_key = env/secret+1
EOT
cat >"$HOME/.aws/config" <<EOT
[default]
region = ap-south-1
[profile conf]
aws_access_key_id = CONFKEY
aws_secret_access_key = conf
region = sa-east-1
[profile proc]
credential_process = "$T/helper" "one word" two\\ words
[profile badproc]
credential_process = $T/helper fail
[profile noproc]
credential_process = $T/missing
[profile role]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = base
external_id = x 1
[profile chain]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = role
external_id = x 1
[profile self]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = self
external_id = x 1
aws_access_key_id = CONFKEY
aws_secret_access_key = conf
[profile fromenv]
role_arn = arn:aws:iam::123456789012:role/deploy
credential_source = Environment
external_id = x 1
[profile loop]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = loop2
[profile loop2]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = loop
[profile nobase]
role_arn = arn:aws:iam::123456789012:role/deploy
[profile denied]
role_arn = arn:aws:iam::123456789012:role/other
source_profile = base
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile sso]
sso_session = s
[profile login]
login_session = arn:aws:iam::123456789012:user/me
[profile web]
role_arn = arn:aws:iam::123456789012:role/web
web_identity_token_file = $T/jwt
[profile endpoint]
aws_access_key_id = CONFKEY
aws_secret_access_key = conf
services = local
[services local]
ecs =
  endpoint_url = $AWS_URL
EOT
cat >"$T/helper" <<'EOT'
#!/bin/sh
[ "$1" = "one word" ] && [ "$2" = "two words" ] || { echo "helper: no" >&2; exit 3; }
echo '{"Version": 1, "AccessKeyId": "PROCKEY", "SecretAccessKey": "proc", "SessionToken": "pt", "Expiration": "2099-01-01T00:00:00Z"}'
EOT
chmod +x "$T/helper"
printf 'jwt.of.the.job\n' >"$T/jwt"

t "credentials file" asks_as FILEKEY A=b
t "environment comes before the file" asks_as ENVKEY AWS_ACCESS_KEY_ID=ENVKEY AWS_SECRET_ACCESS_KEY=env/secret+1
t "config file" asks_as CONFKEY AWS_PROFILE=conf
t "half a profile is an error" fails 1 'profile "half" of' AWS_PROFILE=half
t "credential_process, its words and its token" asks_as PROCKEY AWS_PROFILE=proc
t "credential_process that fails" fails 1 'ended with status 3: helper: no' AWS_PROFILE=badproc
t "credential_process that is not there" fails 1 'credential_process of profile "noproc"' AWS_PROFILE=noproc
t "a profile that is not there" fails 1 'the profile "nope" is neither in' AWS_PROFILE=nope
t "other files" asks_as CONFKEY AWS_CONFIG_FILE="$HOME/.aws/config" AWS_SHARED_CREDENTIALS_FILE=/nowhere AWS_PROFILE=conf
echo 'nonsense' >"$T/broken"
t "a broken file" fails 1 "$T/broken:1: text before the first [section]" AWS_CONFIG_FILE="$T/broken"

# --- roles -----------------------------------------------------------------------------------------------------------------

t "a role of another profile" asks_as ROLEKEY AWS_PROFILE=role
sts_caller() { jq -r 'select(.action == "AssumeRole") | .key' "$AWS_LOG" | tr '\n' ' '; }
t "is asked for with that profile's keys" is "$(sts_caller)" 'ENVKEY '
t "a role by way of a role" asks_as ROLEKEY AWS_PROFILE=chain
t "is asked for in two steps" is "$(sts_caller)" 'ENVKEY ROLEKEY '
t "a role with the profile's own keys" asks_as ROLEKEY AWS_PROFILE=self
t "a role with the environment's keys, which are not there" fails 1 'credential_source Environment has no credentials' AWS_PROFILE=fromenv
t "a circle" fails 1 'source_profile goes in a circle through profile "loop"' AWS_PROFILE=loop
t "a role of nobody" fails 1 'has role_arn and neither of source_profile and credential_source' AWS_PROFILE=nobase
t "a role that is not given" fails 1 'assume role arn:aws:iam::123456789012:role/other: sts AssumeRole: AccessDenied' AWS_PROFILE=denied
t "a second factor" fails 1 'mfa_serial' AWS_PROFILE=mfa
t "SSO names itself" fails 1 'signs in with SSO, which is not supported' AWS_PROFILE=sso
t "aws login names itself" fails 1 'signs in with `aws login`, which is not supported' AWS_PROFILE=login
t "web identity of a profile" asks_as WEBKEY AWS_PROFILE=web
t "web identity of the environment" asks_as WEBKEY AWS_WEB_IDENTITY_TOKEN_FILE="$T/jwt" \
    AWS_ROLE_ARN=arn:aws:iam::123456789012:role/web AWS_ROLE_SESSION_NAME=job-1
unsigned() { json_all "any(.[]; .action == \"AssumeRoleWithWebIdentity\" and .signature == null and .input.RoleSessionName == \"job-1\")"; }
json_all() { jq -s -e "$1" "$AWS_LOG" >/dev/null; }
t "is asked for unsigned, under the job's name" unsigned
echo other >"$T/jwt2"
t "a token that is refused" fails 1 'sts AssumeRoleWithWebIdentity: InvalidIdentityToken' AWS_WEB_IDENTITY_TOKEN_FILE="$T/jwt2" \
    AWS_ROLE_ARN=arn:aws:iam::123456789012:role/web
t "a token without a role" fails 1 'AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not' AWS_WEB_IDENTITY_TOKEN_FILE="$T/jwt"
t "a token file that is not there" fails 1 "web identity token: open $T/none" AWS_WEB_IDENTITY_TOKEN_FILE="$T/none" AWS_ROLE_ARN=x

# --- the place it runs in --------------------------------------------------------------------------------------------------

rm -r "$HOME/.aws"
t "container endpoint" asks_as BOXKEY AWS_CONTAINER_CREDENTIALS_FULL_URI="$AWS_URL/creds" AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer box-token"
printf 'Bearer box-token\n' >"$T/token"
t "its token's file comes before the token" asks_as BOXKEY AWS_CONTAINER_CREDENTIALS_FULL_URI="$AWS_URL/creds" \
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="$T/token" AWS_CONTAINER_AUTHORIZATION_TOKEN=other
t "a wrong token" fails 1 "the container credentials endpoint $AWS_URL/creds: HTTP 401" AWS_CONTAINER_CREDENTIALS_FULL_URI="$AWS_URL/creds"
printf 'a\nb' >"$T/token"
t "a token with a line break" fails 1 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE holds a line break' \
    AWS_CONTAINER_CREDENTIALS_FULL_URI="$AWS_URL/creds" AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="$T/token"
t "plain http to a stranger" fails 1 'plain http is for loopback and the container hosts only' AWS_CONTAINER_CREDENTIALS_FULL_URI=http://192.0.2.1/creds
t "instance metadata, version 2" asks_as HOSTKEY AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT="$AWS_URL/"
t "with its session token" grep -q '"/latest/api/token", "method": "PUT", "status": 200' "$AWS_LOG"
no_region() { (unset AWS_REGION && asks_as HOSTKEY AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT="$AWS_URL"); }
t "and its region" no_region
t "which signs" test "$(jq -r 'select(.action == "DescribeServices") | .region' "$AWS_LOG")" = eu-central-1
script '"places": {"instance": {"role": "ci", "key": "HOSTKEY", "v2": false}}'
t "version 1 where there is no other" asks_as HOSTKEY AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT="$AWS_URL/"
t "unless it is forbidden" fails 1 'gave no session token (HTTP 404) and AWS_EC2_METADATA_V1_DISABLED is set' \
    AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT="$AWS_URL/" AWS_EC2_METADATA_V1_DISABLED=true
script '"places": {"instance": {"role": "ci", "key": "HOSTKEY", "code": "AssumeRoleUnauthorizedAccess"}}'
t "a role that EC2 may not take" fails 1 'AssumeRoleUnauthorizedAccess' AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT="$AWS_URL/"
script

# --- endpoints -------------------------------------------------------------------------------------------------------------

export AWS_ACCESS_KEY_ID=ENVKEY AWS_SECRET_ACCESS_KEY=env/secret+1
t "the service's own endpoint comes first" asks_as ENVKEY AWS_ENDPOINT_URL=http://127.0.0.1:9 AWS_ENDPOINT_URL_ECS="$AWS_URL"
t "an endpoint with FIPS is refused" fails 1 'excludes AWS_USE_FIPS_ENDPOINT' AWS_USE_FIPS_ENDPOINT=true
t "an endpoint that is no URL" fails 1 'endpoint "here" is no http or https URL' AWS_ENDPOINT_URL=here
t "nobody there" fails 1 'ecs DescribeServices: ' AWS_ENDPOINT_URL=http://127.0.0.1:9 AWS_MAX_ATTEMPTS=1
t "a region that is none" fails 1 '"eu west" is no AWS region' AWS_REGION='eu west'
t "--region comes before AWS_REGION" slipway ecs deploy --service web --task-definition td.json --dry-run --region us-gov-west-1
t "and signs" test "$(jq -r .region "$AWS_LOG" | tail -n 1)" = us-gov-west-1
mkdir -p "$HOME/.aws"
printf '[default]\nservices = local\nregion = sa-east-1\n[services local]\necs =\n  endpoint_url = %s\n' "$AWS_URL" >"$HOME/.aws/config"
profile_endpoint() { (unset AWS_ENDPOINT_URL AWS_REGION && asks_as ENVKEY A=b); }
t "the profile's services section and region" profile_endpoint
t "its region signs" test "$(jq -r .region "$AWS_LOG" | tail -n 1)" = sa-east-1
has_none() { # the lines of the step before are gone by now
    slipway -v ecs deploy --service web --task-definition td.json --dry-run 2>debug || return 1
    has debug 'AWS credentials from the environment' && not grep -E 'env/secret|Signature=|Credential=' debug
}
t "secrets are in no debug line" has_none
