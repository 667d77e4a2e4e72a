#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pull and push against a registry that fails on command: what may be tried again is, what may not is told, and nothing
# wrong or half is left in the store.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need python3 jq curl

fake_count=0
# fake ARG…: the faulty registry; $FAKE is its host
fake() {
    fake_count=$((fake_count + 1))
    fake_ready=$T/fake$fake_count.json
    start "$T/fake$fake_count.out" python3 "$SOURCE_DIR/tests/fake/registry.py" --ready "$fake_ready" --log "$T/fake$fake_count.log" "$@"
    wait_for 10 test -s "$fake_ready" || { cat "$T/fake$fake_count.out" >&2; return 1; }
    FAKE=127.0.0.1:$(jq -r .port "$fake_ready")
}
rules() { curl -sSf -d "$1" "http://$FAKE/_rules" >/dev/null && curl -sSf -d '' "http://$FAKE/_log" >/dev/null; }
# logged JQ: an expression over the list of requests
logged() { curl -sSf "http://$FAKE/_log" | jq -r "$1"; }
count() { logged "[.[] | select($1)] | length"; }
layer_of() { jq -r ".images[\"$1\"].layers[0]" "$fake_ready"; }
in_store() { [ -e "$SLIPWAY_ROOT/blobs/sha256/${1#sha256:}" ]; }
clear_store() { rm -rf "$SLIPWAY_ROOT"; }
# nothing of an image: no blob of that digest, no name, nothing unfinished
left_nothing() {
    ! in_store "$1" && ! grep -q "$FAKE" "$SLIPWAY_ROOT/index.json" && [ -z "$(ls -A "$SLIPWAY_ROOT/tmp")" ] && return
    find "$SLIPWAY_ROOT" >&2
    return 1
}
now_ms() { date +%s%3N; }

# --- pull
t "a registry" fake --image a:1:2:200000 --image big:1:1:6000000
layer=$(layer_of a:1)
rules '[{"path": "/blobs/'"$layer"'", "corrupt": true}]'
t "a wrong blob" expect_fail "sent a wrong blob: asked for $layer" slipway pull "$FAKE/a:1"
t "leaves nothing" left_nothing "$layer"
rules '[{"path": "/manifests/", "corrupt": true}]'
t "a damaged manifest" expect_fail "sent a damaged manifest" slipway pull "$FAKE/a:1"
rules '[{"path": "/manifests/", "corrupt": true, "set": {"Docker-Content-Digest": null}}]'
t "a wrong manifest by digest" expect_fail "sent a wrong manifest: asked for" slipway pull "$FAKE/a@$(jq -r '.images["a:1"].manifest' "$fake_ready")"
t "leaves nothing" left_nothing "$(jq -r '.images["a:1"].manifest' "$fake_ready")"
rules '[{"path": "/manifests/", "status": 200, "body": "<html>hello", "headers": {"Content-Type": "text/html"}}]'
t "a web page" expect_fail "answered with a web page" slipway pull "$FAKE/a:1"
rules '[{"path": "/manifests/", "set": {"Content-Type": "application/vnd.oci.image.index.v1+json"}}]'
t "a manifest under another type" expect_fail "announced as application/vnd.oci.image.index.v1+json but says" slipway pull "$FAKE/a:1"
rules '[{"path": "/manifests/", "set": {"Content-Type": "application/vnd.oci.image.manifest.v1+json; charset=utf-8"}}]'
t "a type with parameters" slipway pull "$FAKE/a:1"
clear_store
rules '[{"path": "/blobs/'"$layer"'", "status": 200, "body": "short"}]'
t "a short blob" expect_fail "sent 5 bytes for blob $layer, its manifest says 200000" slipway pull "$FAKE/a:1"
t "leaves nothing" left_nothing "$layer"
config=$(jq -r '.images["a:1"].config' "$fake_ready")
rules '[]'
config_size=$(curl -sS "http://$FAKE/v2/a/blobs/$config" | wc -c)
clear_store
rules '[{"path": "/blobs/'"$config"'", "status": 200, "body": "'"$(printf '%02000d' 0)"'"}]'
t "a long blob" expect_fail "sent more for blob $config than the" slipway pull "$FAKE/a:1"
t "leaves nothing" left_nothing "$config"
manifest() { # CONFIG-SIZE LAYER-SIZE: a manifest of a:1 with these sizes, as a rule
    jq -nc --arg c "$config" --arg l "$layer" --argjson cs "$1" --argjson ls "$2" '[{path: "/manifests/", status: 200,
        headers: {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, body: ({schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json", config: {mediaType: "application/vnd.oci.image.config.v1+json",
        digest: $c, size: $cs}, layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $l, size: $ls}]} | tojson)}]'
}
clear_store
rules "$(manifest "$config_size" 1125899906842623)"
t "a size that no disk has" expect_fail "no space left in the store" slipway pull "$FAKE/a:1"
is "$(count ".path | contains(\"$layer\")")" 0 "costs no request"
rules "$(manifest "$config_size" -1)"
t "a negative size" expect_fail "size" slipway pull "$FAKE/a:1"
rules "$(manifest "$config_size" 100)"
t "a size too small" expect_fail "sent more for blob $layer than the 100 bytes" slipway pull "$FAKE/a:1"
t "leaves nothing" left_nothing "$layer"
rules '[]'
t "the right one" slipway pull "$FAKE/a:1"
rules "$(manifest "$config_size" 100)"
t "a size that is not what the store has" expect_fail "has 200000 bytes in the store, its manifest says 100" slipway pull "$FAKE/a:1"
rules '[]'
truncate -s 100 "$SLIPWAY_ROOT/blobs/sha256/${layer#sha256:}"
t "a blob cut in the store is fetched again" slipway pull "$FAKE/a:1"
is "$(stat -c %s "$SLIPWAY_ROOT/blobs/sha256/${layer#sha256:}")" 200000 "and is whole"
rules '[{"path": "/manifests/", "status": 200, "body": "'"$(head -c 5000 /dev/zero | tr '\0' ' ')"'", "headers": {"Content-Length": "9000000"}}]'
t "a manifest of 9 MB" expect_fail "sent a manifest of more than 4 MiB" slipway pull "$FAKE/a:1"
rules '[{"path": "/manifests/", "status": 200, "body": "{}", "headers": {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}}]'
t "schema 1" expect_fail "schema 1" slipway pull "$FAKE/a:1"

clear_store
big=$(layer_of big:1)
rules '[{"path": "/blobs/'"$big"'", "cut": 4000000, "times": 1}, {"path": "/blobs/'"$big"'", "cut": 500000, "times": 1}]'
t "a body cut twice" slipway pull --json "$FAKE/big:1"
is "$(logged "[.[] | select(.path | contains(\"$big\")) | .headers.range // \"-\"] | join(\" \")")" "- bytes=4000000- bytes=4500000-" "goes on where it stopped"
is "$(logged "[.[] | select(.path | contains(\"$big\")) | .sent] | add")" 6000000 "each byte comes once"
clear_store
rules '[{"path": "/blobs/'"$big"'", "cut": 4000000, "times": 1}, {"path": "/blobs/'"$big"'", "no_range": true}]'
t "a server that cannot go on" slipway pull "$FAKE/big:1"
clear_store
rules '[{"path": "/blobs/'"$big"'", "cut": 4000000, "times": 1}, {"path": "/blobs/'"$big"'", "corrupt": true}]'
t "a wrong second half" expect_fail "sent a wrong blob" slipway pull "$FAKE/big:1"
t "leaves nothing" left_nothing "$big"
rules '[{"path": "/blobs/'"$layer"'", "status": 429, "headers": {"Retry-After": "1"}, "times": 1}]'
begun=$(now_ms)
t "429 with Retry-After" slipway pull "$FAKE/a:1"
t "is waited for" test $(($(now_ms) - begun)) -ge 1000
clear_store
rules '[{"path": "/manifests/", "status": 503, "times": 2}, {"path": "/blobs/", "drop": true, "times": 3}]'
t "503 and lost connections pass" slipway pull "$FAKE/a:1"
rules '[{"path": "/manifests/", "status": 429, "headers": {"Retry-After": "3600"}, "body": "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slow down\"}]}"}]'
t "429 for an hour" expect_fail "429 TOOMANYREQUESTS: slow down; it asks to wait (retry-after: 3600); a login raises the limit" slipway pull "$FAKE/a:1"
rules '[{"path": "/manifests/", "status": 403, "body": "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access is denied\"}]}"}]'
t "403" expect_fail "403 DENIED: requested access is denied; no login was sent: run \`slipway login $FAKE\`" slipway pull "$FAKE/a:1"
clear_store
rules '[{"path": "/blobs/'"$layer"'", "status": 404, "body": "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"gone\"}]}"}]'
t "a blob that is not there" expect_fail "404 BLOB_UNKNOWN: gone" slipway pull "$FAKE/a:1"
rules '[{"method": "GET", "path": "/manifests/", "set": {"Warning": "299 - \"tag 1 goes away\""}}]'
t "a warning" sh -c "slipway pull '$FAKE/a:1' 2>'$T/warned'"
is "$(grep -c "says: tag 1 goes away" "$T/warned")" 1 "is shown once"

# --- redirects and tokens
login() { mkdir -p "$HOME/.docker" && printf '{"auths":{"%s":{"auth":"%s"}}}' "$1" "$(printf 'AWS:secret' | base64 -w 0)" >"$HOME/.docker/config.json"; }
clear_store
t "a registry with storage elsewhere" fake --auth bearer --redirect --image a:1:3:300000
t "without a login" expect_fail "slipway login $FAKE" slipway pull "$FAKE/a:1"
login "$FAKE"
rules '[{"server": "storage", "status": 403, "body": "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", "times": 1}]'
t "with one" slipway pull "$FAKE/a:1"
is "$(count '.server == "storage" and .headers.authorization')" 0 "storage never sees it"
is "$(count '.path == "/token"')" 1 "one token serves all"
clear_store
rules '[{"server": "storage", "path": "'"$(layer_of a:1)"'", "status": 403, "body": "<Error><Code>AccessDenied</Code><Message>see https://s3/x?X-Amz-Signature=abc</Message></Error>"}]'
t "storage that refuses" expect_fail "answered 403 AccessDenied: see https://s3/x?...; that is where $FAKE sent us" slipway pull "$FAKE/a:1"
t "no signature is told" lacks "$T/expected" abc

# --- push: Locations
rm -rf "$HOME/.docker"
clear_store
t "a source" fake --image a:1:3:300000
t "an image" slipway pull "$FAKE/a:1"
src=$FAKE/a:1 src_layer=$(layer_of a:1) src_ready=$fake_ready
src_config_size=$(curl -sS "http://$FAKE/v2/a/blobs/$(jq -r '.images["a:1"].config' "$fake_ready")" | wc -c)
rm -r "$SLIPWAY_ROOT/cache/origins"
for how in absolute relative query other; do
    t "uploads at a Location: $how" fake --location $how
    t "go there" slipway push --json "$src" "$FAKE/x/y:1"
    is "$(jq -c '[.blobs[] | .how, .sessions] | unique' "$T/out")" '[1,"uploaded"]' "in one session each"
    is "$(count '.method == "PUT" and .path != "/v2/x/y/manifests/1" and .status == 201 and (.body_sha256 as $b | .query | endswith("digest=sha256%3A" + $b))')" 4 "each PUT is its blob"
    # the faulty registry takes a manifest only when it has all its blobs
    is "$(count '.method == "PUT" and .path == "/v2/x/y/manifests/1" and .status == 201')" 1 "the manifest goes last, once"
    rm -r "$SLIPWAY_ROOT/cache/origins"
done
is "$(count '.server == "storage" and .method == "PUT"')" 4 "other means the other server"
rules '[{"method": "POST", "set": {"Location": null}}]'
t "no Location" expect_fail "began an upload without a Location" slipway push "$src" "$FAKE/x/z:1"
for bad in http://10.0.0.1/up http://169.254.169.254/x http://127.0.0.1:1/x; do
    rules '[{"method": "POST", "set": {"Location": "'$bad'"}}]'
    t "not to $bad" expect_fail "private address" slipway push --registry-endpoint "r.example=http://$FAKE" "$src" r.example/x/z:1
done

# --- push: what goes wrong under way
t "a registry" fake
# twice: where a kept connection dies libcurl itself tries once more on a new one
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${src_layer#sha256:}"'", "drop_after": 1000, "times": 2}]'
t "a cut upload" slipway push --json "$src" "$FAKE/a:1"
t "begins again in a new session" json "$T/out" ".blobs | all((.sessions > 1) == (.digest == \"$src_layer\"))"
t "and its bytes are told" json "$T/out" ".blobs[] | select(.digest == \"$src_layer\") | .sent > 300000"
rm -r "$SLIPWAY_ROOT/cache/origins"
rules '[{"method": "PUT", "path": "/blobs/", "real_status": 502, "times": 1}]'
t "a lost answer" slipway push --json "$src" "$FAKE/b:1"
is "$(jq -c '[.blobs[].sessions]' "$T/out")" '[1,1,1,1]' "is looked for, not sent again"
rm -r "$SLIPWAY_ROOT/cache/origins"
rules '[{"method": "PUT", "path": "/blobs/", "status": 429, "headers": {"Retry-After": "1"}, "times": 2}]'
t "429 at the upload" slipway push "$src" "$FAKE/c:1"
rm -r "$SLIPWAY_ROOT/cache/origins"
rules '[{"method": "PUT", "path": "/blobs/", "status": 413, "body": "<html><head><title>413 Request Entity Too Large</title></head></html>"}]'
t "413" expect_fail "answered 413 (too large): 413 Request Entity Too Large; the registry, or a proxy before it, takes no body of that size" slipway push "$src" "$FAKE/d:1"
is "$(count '.method == "PUT" and (.path | contains("/manifests/"))')" 0 "no manifest goes"
rules '[{"method": "POST", "path": "/blobs/", "status": 403, "body": "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}"}]'
t "403" expect_fail "403 DENIED: no" slipway push "$src" "$FAKE/e:1"
rules '[{"method": "PUT", "path": "/manifests/", "status": 400, "body": "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"blob unknown\",\"detail\":\"sha256:12\"}]}"}]'
t "a refused manifest" expect_fail "400 MANIFEST_BLOB_UNKNOWN: blob unknown (sha256:12)" slipway push "$src" "$FAKE/f:1"
rules '[{"method": "PUT", "path": "/manifests/", "set": {"Docker-Content-Digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}]'
t "a manifest that was changed" expect_fail "it was changed on the way" slipway push "$src" "$FAKE/g:1"
rules '[{"method": "HEAD", "status": 405}]'
t "a registry without HEAD" slipway push "$src" "$FAKE/h:1"
rules '[{"method": "HEAD", "status": 401}]'
t "one that wants more for HEAD than for POST" slipway push "$src" "$FAKE/h2:1"
rules '[{"method": "POST", "path": "mount=", "status": 500, "times": 1}]'
t "a mount that fails once" slipway push --json "$src" "$FAKE/i:1"
is "$(jq -c '[.blobs[].how] | unique' "$T/out")" '["mounted"]' "is tried again"

# --- foreign layers
if can registry && start_registry --tls && SLIPWAY_CA_FILE=$CA_FILE slipway push -q "$src" "$REGISTRY/vendor:1" >"$T/pushed"; then
    foreign=$(jq -nc --arg c "$(jq -r '.images["a:1"].config' "$src_ready")" --argjson cs "$src_config_size" --arg l "$src_layer" \
        --arg u "https://$REGISTRY/v2/vendor/blobs/$src_layer" '{schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json", config: {mediaType: "application/vnd.oci.image.config.v1+json",
        digest: $c, size: $cs}, layers: [{mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", digest: $l,
        size: 300000, urls: ["http://10.0.0.1/x", $u]}]}')
    clear_store
    FAKE=${src%/*}
    rules "$(jq -nc --arg b "$foreign" '[{path: "/manifests/", status: 200, body: $b,
        headers: {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}},
        {path: "nothing"}, {method: "GET", path: "/blobs/'"$src_layer"'", status: 404}]')"
    t "a foreign layer" slipway pull --ca-file "$CA_FILE" "$src"
    t "comes from its URL" in_store "$src_layer"
    t "a registry for it" fake
    t "the image goes" slipway push --json "$src" "$FAKE/win:1"
    is "$(jq -c '[.blobs[].digest] | contains(["'"$src_layer"'"])' "$T/out")" false "without the foreign layer"
    FAKE=${src%/*}
    rules '[]'
    clear_store
    t "the source again" slipway pull "$src"
else
    skip "foreign layers" "${why:-no registry}"
fi

# --- push: mounts
for how in no refuse; do
    t "a registry that mounts: $how" fake --mount $how
    t "one repository" slipway push "$src" "$FAKE/one:1"
    rules '[]'
    t "another" slipway push --json "$src" "$FAKE/two:1"
    is "$(jq -c '[.blobs[].how] | unique' "$T/out")" '["uploaded"]' "is uploaded"
    is "$(count '.method == "POST" and (.query | contains("mount=sha256%3A"))')" 4 "after one try each"
done
is "$(count '.method == "POST"')" 8 "a refused mount is asked for plainly"
t "a registry that mounts" fake --mount no
t "one repository" slipway push "$src" "$FAKE/one:1"
rules '[]'
t "another" slipway push "$src" "$FAKE/two:1"
is "$(count '.method == "POST"')" 4 "a mount that became a session is that session"

# --- push: tokens that run out, ECR's ways
login "$FAKE"
t "a registry with tokens" fake --auth bearer
login "$FAKE"
rules '[{"method": "PUT", "path": "/blobs/", "status": 401, "headers": {"WWW-Authenticate": "Bearer realm=\"http://'"$FAKE"'/token\",service=\"fake\",error=\"invalid_token\""}, "times": 1}]'
t "a token that runs out at an upload" slipway push "$src" "$FAKE/a:1"
is "$(count '.path == "/token"')" 2 "is fetched again"
is "$(count '.query | contains("pull%2Cpush") or contains("pull,push")')" 2 "with leave to push"

t "an ECR" fake --ecr --auth basic --immutable --location relative --repo there
login "$ECR_HOST"
ecr=$ECR_HOST
export SLIPWAY_REGISTRY_ENDPOINT="$ECR_HOST=http://$FAKE"
begun=$(now_ms)
t "a repository there is not" expect_fail "create the repository first: aws ecr create-repository --region us-east-1 --repository-name none/such" \
    slipway push "$src" "$ecr/none/such:1"
t "is told at once" test $(($(now_ms) - begun)) -lt 3000
t "one there is" slipway push "$src" "$ecr/there:1"
rules '[]'
t "the same tag again" slipway push --json "$src" "$ecr/there:1"
is "$(jq -c .unchanged "$T/out")" true "is success"
is "$(count 'true')" 1 "by one request"
t "second source" fake --image b:1
t "another image" slipway pull "$FAKE/b:1"
t "under a tag that does not move" expect_fail "the tag names another image already and there keeps tags as they are" slipway push "$FAKE/b:1" "$ecr/there:1"
t "pull of a repository there is not" expect_fail "there is no repository none/such at $ECR_HOST" slipway pull "$ecr/none/such:1"

# --- push: bytes that were damaged in the store
clear_store
t "a registry with one layer" fake --image a:1:1:300000
t "an image to damage" slipway pull "$FAKE/a:1"
damaged=$(layer_of a:1)
printf XYZ | dd of="$SLIPWAY_ROOT/blobs/sha256/${damaged#sha256:}" bs=1 seek=1000 conv=notrunc 2>/dev/null
source_image=$FAKE/a:1
t "another registry" fake
t "the store is blamed, not the registry" expect_fail "blob $damaged was damaged in the store, and is removed" slipway push "$source_image" "$FAKE/b:1"
t "a pull puts it right" slipway pull "$source_image"
t "then it is taken" slipway push "$source_image" "$FAKE/b:1"
