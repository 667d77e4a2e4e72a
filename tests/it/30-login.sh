#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# login and logout: checked by Debian's docker-registry (htpasswd, TLS), by a token service, by ECR's API; what is kept, how
# others read it, how it is used.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry htpasswd openssl jq curl

config=$HOME/.docker/config.json
# login_as PASSWORD ARG…: with the password on standard input
login_as() {
    la_password=$1
    shift
    printf '%s\n' "$la_password" | slipway login --password-stdin "$@"
}
kept() { jq -r ".auths[\"$1\"].auth // empty" "$config" | base64 -d; }
mode() { stat -c %a "$1"; }

# says TEXT COMMAND…: it succeeds and its standard error has TEXT
says() {
    says_text=$1
    shift
    "$@" 2>"$T/said"
    says_status=$?
    cat "$T/said" >&2
    [ "$says_status" -eq 0 ] && has "$T/said" "$says_text"
}

# --- the command line
t "a password without a user" expect_status 2 "say whose password it is with -u" login_as x localhost:1
t "no terminal" expect_status 2 "there is no terminal to ask on: say who logs in with -u" setsid slipway login localhost:1
t "no terminal for the password" expect_status 2 "there is no terminal to ask on: give the password with --password-stdin" \
    setsid slipway login -u me localhost:1
t "no registry" expect_status 2 '"word" is no registry: HOST[:PORT], with a dot, a port or "localhost"' login_as x -u me word
t "two passwords" expect_status 2 "-p and --password-stdin exclude each other" login_as x -u me -p y localhost:1
t "an empty password" expect_status 2 "the password is empty" login_as '' -u me localhost:1
t "--store elsewhere" expect_status 2 "--store is for logins by AWS credentials" login_as x -u me --store localhost:1

# --- Basic, over TLS with a private authority
t "a registry" start_registry --tls --htpasswd=me:pass:word
t "an unknown authority" expect_fail "is not trusted" login_as pass:word -u me "$REGISTRY"
t "its remedy is named" has "$T/expected" "(a private CA is given with --ca-file)"
t "nothing is kept" test ! -e "$config"
SLIPWAY_CA_FILE=$CA_FILE
export SLIPWAY_CA_FILE
t "a wrong password" expect_fail "$REGISTRY refused the login of me from the command line" login_as wrong -u me "$REGISTRY"
t "is not kept" test ! -e "$config"
t "the right one" says "login of me for $REGISTRY kept in $config" login_as pass:word -u me "$REGISTRY"
is "$(cat "$T/out")" "" "nothing on standard output"
t "the password is told nowhere" lacks "$T/said" pass:word
is "$(kept "$REGISTRY")" me:pass:word "docker's form"
is "$(mode "$config")" 600 "for its owner alone"
is "$(mode "$HOME/.docker")" 700 "in a directory of its own"
t "not even with -v" sh -c 'printf pass:word | slipway -v login -u me --password-stdin "$1" 2>&1 | grep -qE "pass:word|$2" && exit 1; exit 0' \
    sh "$REGISTRY" "$(printf me:pass:word | base64)"
t "-p is warned of" says "seen by everyone who lists processes" slipway login -u me -p pass:word "$REGISTRY"

if can skopeo; then
    t "skopeo reads it" expect_fail "404 (Not Found)" skopeo list-tags --tls-verify=false --authfile "$config" "docker://$REGISTRY/none"
fi
if can skopeo && can busybox; then
    busybox_image "$REGISTRY/app:1"
    t "push uses it" slipway push "$REGISTRY/app:1"
    t "skopeo sees what was pushed" skopeo inspect --raw --tls-verify=false --authfile "$config" "docker://$REGISTRY/app:1"
    slipway rm "$REGISTRY/app:1" >/dev/null 2>&1
    t "pull uses it" slipway pull "$REGISTRY/app:1"
    before=$(requests '" 401 ')
    t "pull again" slipway pull "$REGISTRY/app:1"
    t "is refused once at most" test "$(requests '" 401 ')" -le $((before + 2)) # the probe of the scheme is one, too
    cp "$config" "$T/config.saved"
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$REGISTRY" "$(printf me:stale | base64)" >"$config"
    t "a stale login" expect_fail "$REGISTRY refused the login of me from $config" slipway pull "$REGISTRY/app:2"
    t "its remedy is named" has "$T/expected" "slipway login $REGISTRY makes a new one"
    mv "$T/config.saved" "$config"
    t "logout" slipway logout "$REGISTRY"
    t "without a login" expect_fail "slipway login $REGISTRY" slipway pull "$REGISTRY/app:2"
else
    t "logout" slipway logout "$REGISTRY"
fi
is "$(kept "$REGISTRY")" "" "nothing is kept after logout"
t "logout twice" says "no login for $REGISTRY was kept" slipway logout "https://$REGISTRY/v2/"

# --- what else is in the file stays
echo '{"HttpHeaders": {"A": "b"}, "auths": {"other.example": {"auth": "eDp5"}}, "psFormat": "x"}' >"$config"
chmod 644 "$config"
t "login beside others" login_as pass:word -u me "$REGISTRY"
t "unknown members stay" json "$config" '.HttpHeaders.A == "b" and .psFormat == "x" and .auths["other.example"].auth == "eDp5"'
is "$(mode "$config")" 600 "no longer for everyone"
t "a broken file" sh -c 'echo "{" >"$1"; printf pass:word | slipway login -u me --password-stdin "$2"; [ $? = 1 ]' sh "$config" "$REGISTRY"
is "$(cat "$config")" "{" "is left as it is"
rm -f "$config"

# --- other places
t "DOCKER_CONFIG" env DOCKER_CONFIG="$T/docker" slipway login -u me -p pass:word "$REGISTRY"
t "holds it" test -f "$T/docker/config.json"
t "REGISTRY_AUTH_FILE" env REGISTRY_AUTH_FILE="$T/auth/file.json" slipway login -u me -p pass:word "$REGISTRY"
t "holds it too" json "$T/auth/file.json" ".auths[\"$REGISTRY\"].auth"

# --- a credential helper
cat >"$T/bin/docker-credential-memo" <<'EOT'
#!/bin/sh
dir=$(dirname "$0")
case $1 in
store) cat >"$dir/memo" ;;
get) read -r _; cat "$dir/memo" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) rm -f "$dir/memo" ;;
esac
EOT
chmod 755 "$T/bin/docker-credential-memo"
mkdir -p "$HOME/.docker"
echo '{"credsStore": "memo"}' >"$config"
t "into a helper" login_as pass:word -u me "$REGISTRY"
t "which has it" json "$T/bin/memo" ".ServerURL == \"$REGISTRY\" and .Username == \"me\" and .Secret == \"pass:word\""
is "$(jq -c . "$config")" '{"credsStore":"memo"}' "and the file does not"
t "out of it" expect_fail "manifest" slipway pull "$REGISTRY/none:1"
t "logout asks it" slipway logout "$REGISTRY"
t "and it forgot" test ! -e "$T/bin/memo"
rm -f "$config"

# --- a registry that asks for nothing
t "an open registry" start_registry
t "login there is unchecked" says "asks for no login, so this one was not checked" login_as any -u me "$REGISTRY"

# --- a token service
t "a token service" start "$T/fake.out" python3 "$SOURCE_DIR/tests/fake/registry.py" --ready "$T/fake.json" --log "$T/fake.log" \
    --auth bearer --user me:pass --image app:1
wait_for 10 test -s "$T/fake.json"
fake=127.0.0.1:$(jq -r .port "$T/fake.json")
t "its wrong password" expect_fail "token service $fake refused the login of me (from the command line): 401" login_as no -u me "$fake"
t "its right one" login_as pass -u me "$fake"
t "is used" slipway pull "$fake/app:1"
is "$(jq -r 'select(.path == "/token" and .status == 200) | .query' "$T/fake.log" | tail -n 1)" \
    "service=fake&scope=repository:app:pull&account=me" "for pull alone, by name"
is "$(jq -r 'select(.path == "/token" and .status == 200) | .path' "$T/fake.log" | wc -l)" 2 "one token for a login, one for a pull"

# --- ECR, by AWS credentials
if can botocore; then
    t "ECR's API" start "$T/aws.out" "$PYTHON" "$SOURCE_DIR/tests/fake/aws.py" --port-file "$T/aws.port" --log "$T/aws.log"
    wait_for 10 test -s "$T/aws.port"
    AWS_ENDPOINT_URL=http://127.0.0.1:$(cat "$T/aws.port")
    export AWS_ENDPOINT_URL AWS_EC2_METADATA_DISABLED=true
    t "ECR's registry" start_registry --tls --htpasswd
    SLIPWAY_REGISTRY_ENDPOINT=$ECR_HOST=https://$REGISTRY
    export SLIPWAY_REGISTRY_ENDPOINT
    rm -f "$config"
    t "without credentials" not slipway login "$ECR_HOST"
    t "the ways to give them are named" sh -c 'slipway login "$1" 2>&1 | grep -q "AWS_ACCESS_KEY_ID"' sh "$ECR_HOST"
    export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
    t "with them" says "AWS credentials open $ECR_HOST; slipway uses them by itself, nothing is stored" slipway login "$ECR_HOST"
    t "nothing is stored" test ! -e "$config"
    t "--store stores" slipway login --store "$ECR_HOST"
    is "$(kept "$ECR_HOST")" "AWS:$ECR_PASSWORD" "what other programs need"
    t "a password of ECR's" login_as "$ECR_PASSWORD" "$ECR_HOST"
    t "a pull needs no request for being refused" expect_fail "manifest" slipway pull "$ECR_HOST/none:1"
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$ECR_HOST" "$(printf AWS:expired | base64)" >"$config"
    calls=$(grep -c GetAuthorizationToken "$T/aws.log")
    t "a stale login gives way to AWS" expect_fail "no such tag" slipway -v pull "$ECR_HOST/none:1"
    is "$(($(grep -c GetAuthorizationToken "$T/aws.log") - calls))" 1 "with one call"

    # ECR says "run out" with 403 and no challenge
    t "a registry with ECR's ways" start "$T/ecr.out" python3 "$SOURCE_DIR/tests/fake/registry.py" --ready "$T/ecr.json" --log "$T/ecr.log" \
        --auth basic --user "AWS:$ECR_PASSWORD" --ecr --tls "$TLS_CERT" "$TLS_KEY" --image shop:1 \
        --rules '[{"path": "/blobs/", "status": 403, "times": 1, "body": "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Your authorization token has expired. Reauthenticate and try again.\"}]}"}]'
    wait_for 10 test -s "$T/ecr.json"
    SLIPWAY_REGISTRY_ENDPOINT=$ECR_HOST=https://127.0.0.1:$(jq -r .port "$T/ecr.json")
    rm -f "$config"
    calls=$(grep -c GetAuthorizationToken "$T/aws.log")
    t "a login that runs out on the way" slipway pull "$ECR_HOST/shop:1"
    is "$(($(grep -c GetAuthorizationToken "$T/aws.log") - calls))" 2 "is renewed once"
    is "$(jq -r '"\(.method) \(.status)"' "$T/ecr.log" | sort | uniq -c | tr -s ' ' | tr '\n' ',')" " 3 GET 200, 1 GET 403," "and never begins with being refused"

    # the public registry: tokens, anonymous pulls; a stale login does not stand in their way
    t "a registry with the public one's ways" start "$T/pub.out" python3 "$SOURCE_DIR/tests/fake/registry.py" --ready "$T/pub.json" --log "$T/pub.log" \
        --auth bearer --anonymous-pull --tls "$TLS_CERT" "$TLS_KEY" --image lib/app:1 --user AWS:none --realm https://public.ecr.aws/token
    wait_for 10 test -s "$T/pub.json"
    SLIPWAY_REGISTRY_ENDPOINT=public.ecr.aws=https://127.0.0.1:$(jq -r .port "$T/pub.json")
    SLIPWAY_INSECURE_REGISTRY=public.ecr.aws
    export SLIPWAY_INSECURE_REGISTRY
    t "an anonymous pull" slipway pull public.ecr.aws/lib/app:1
    slipway rm public.ecr.aws/lib/app:1 >/dev/null 2>&1
    printf '{"auths": {"public.ecr.aws": {"auth": "%s"}}}' "$(printf AWS:expired | base64)" >"$config"
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    t "a stale login there" says "public.ecr.aws refused the login in $config; going on without" slipway pull public.ecr.aws/lib/app:1
else
    skip "ECR by AWS credentials" "$why"
fi
