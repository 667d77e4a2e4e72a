#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pull: what skopeo put into a real registry arrives whole, once, from the right place.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry skopeo jq

# image NAME ARG…: an image of mkimage's into the last registry, digests kept; $image_digest
image() {
    image_name=$1
    shift
    python3 "$SOURCE_DIR/tests/fake/mkimage.py" "$T/oci" "$image_name" --seed "$image_name" "$@" >"$T/mk.json" &&
        skopeo --insecure-policy copy -q --all --preserve-digests --dest-tls-verify=false \
            ${REGISTRY_USER:+--dest-creds "$REGISTRY_USER:$REGISTRY_PASSWORD"} \
            "oci:$T/oci:$image_name" "docker://$REGISTRY/$image_name" || return 1
    image_digest=$(jq -r .digest "$T/mk.json")
}
# docker_image FROM NAME: the same converted to Docker's types by skopeo, at NAME
docker_image() {
    skopeo --insecure-policy copy -q --all --format v2s2 --src-tls-verify=false --dest-tls-verify=false \
        "docker://$REGISTRY/$1" "docker://$REGISTRY/$2" || return 1
    image_digest=sha256:$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/$2" | sha256sum | cut -d ' ' -f 1)
}
# Every blob of the store hashes to its name.
store_is_sound() {
    find "$SLIPWAY_ROOT/blobs/sha256" -type f | while read -r sis_file; do
        [ "$(sha256sum <"$sis_file")" = "${sis_file##*/}  -" ] || { echo "$sis_file" >&2; exit 1; }
    done
}
blob_file() { echo "$SLIPWAY_ROOT/blobs/sha256/${1#sha256:}"; }
all_blobs_here() {
    for abh in $(jq -r '.blobs | keys[]' "$T/mk.json"); do
        [ -f "$(blob_file "$abh")" ] || { echo "missing: $abh" >&2; return 1; }
    done
}
fetch_count() { requests '"GET /v2/.*/blobs/'; }

t "registry" start_registry

# --- OCI and Docker images
image team/oci:1 --layer 300000 --layer 5000
t "an OCI image" slipway pull "$REGISTRY/team/oci:1"
is "$(cat "$T/out")" "$REGISTRY/team/oci@$image_digest" "its digest is the one result on stdout"
t "all its blobs are here" all_blobs_here
t "the store is sound" store_is_sound
before=$(fetch_count)
t "again" slipway pull "$REGISTRY/team/oci:1"
is "$(fetch_count)" "$before" "no blob is fetched twice"
rm "$(blob_file "$(jq -r '.blobs | to_entries | max_by(.value) | .key' "$T/mk.json")")"
t "with one blob lost" slipway pull "$REGISTRY/team/oci:1"
is "$(fetch_count)" "$((before + 1))" "only that one is fetched"
t "all are here again" all_blobs_here
t "by digest" slipway pull "$REGISTRY/team/oci@$image_digest"
t "by tag and digest" slipway pull "$REGISTRY/team/oci:9@$image_digest"
t "--json" slipway pull --json "$REGISTRY/team/oci:1"
t "its object" json "$T/out" ".digest == \"$image_digest\" and .blobsFetched == 0 and .blobsPresent == 3 and .bytesFetched == 0"
t "skopeo reads the store in place" skopeo inspect --raw "oci:$SLIPWAY_ROOT:$REGISTRY/team/oci:1"
is "sha256:$(sha256sum <"$T/out" | cut -d ' ' -f 1)" "$image_digest" "and finds the same manifest"

docker_image team/oci:1 team/docker:1
t "a Docker image" slipway pull --json "$REGISTRY/team/docker:1"
t "keeps its digest and type" json "$T/out" \
    ".digest == \"$image_digest\" and .mediaType == \"application/vnd.docker.distribution.manifest.v2+json\""

# --- indexes
image team/many:1 --platform linux/amd64 --platform linux/arm64 --platform linux/arm/v6 --layer 1000 --layer 2000 --attestation
many=$image_digest
t "an index, this host's platform" slipway pull "$REGISTRY/team/many:1"
is "$(cat "$T/out")" "$REGISTRY/team/many@$many" "is named by the index"
t "the index is kept as it came" cmp "$(blob_file "$many")" "$T/oci/blobs/sha256/${many#sha256:}"
is "$(find "$SLIPWAY_ROOT/blobs/sha256" -newer "$T/mk.json" -type f | wc -l)" 5 "index, manifest, config and two layers came"
t "another platform" slipway pull --json --platform linux/arm64 "$REGISTRY/team/many:1"
t "shares the common layer" json "$T/out" '.blobsFetched == 2 and .blobsPresent == 1'
t "a platform that another serves" slipway pull --platform linux/arm/v7 "$REGISTRY/team/many:1"
t "a platform there is not" expect_fail linux/amd64 slipway pull --platform linux/s390x "$REGISTRY/team/many:1"
t "is told what there is" has "$T/expected" linux/arm64
t "a platform that is none" expect_status 2 "" slipway pull --platform 'linux/' "$REGISTRY/team/many:1"
t "every platform" slipway pull --all "$REGISTRY/team/many:1"
t "and attestations" all_blobs_here
image team/two:1 --platform linux/amd64 --platform linux/arm64
docker_image team/two:1 team/list:1
t "a Docker manifest list" slipway pull --all --json "$REGISTRY/team/list:1"
t "keeps its digest and type" json "$T/out" \
    ".digest == \"$image_digest\" and .mediaType == \"application/vnd.docker.distribution.manifest.list.v2+json\""
t "the store is sound" store_is_sound
image team/arm:1 --platform linux/s390x
t "one manifest for another machine comes" sh -c "slipway pull --platform linux/amd64 $REGISTRY/team/arm:1 2>'$T/warned'"
t "with a warning that names both" has "$T/warned" "is an image for linux/s390x only, not for linux/amd64"

# --- several at once share one store
image team/par:1 --layer 3000000 --layer 2000000 --layer 1000000
pids=
for n in 1 2 3 4; do
    slipway pull -q "$REGISTRY/team/par:1" >"$T/par$n" 2>&1 &
    pids="$pids $!"
done
par_failed=0
for pid in $pids; do
    wait "$pid" || par_failed=1
done
is "$par_failed" 0 "four pulls of one image at the same time"
is "$(sort -u "$T/par1" "$T/par2" "$T/par3" "$T/par4")" "$REGISTRY/team/par@$image_digest" "have the same result"
t "the store is sound" store_is_sound

if can user; then
    t "an ordinary user pulls into a store of his own" as_user slipway pull -q "$REGISTRY/team/par:1"
    is "$(cat "$T/out")" "$REGISTRY/team/par@$image_digest" "the same image"
else
    skip "an ordinary user" "$why"
fi

# --- what is not there
t "a tag there is not" expect_fail "has no such tag or digest" slipway pull "$REGISTRY/team/oci:none"
is "$(cat "$T/out")" "" "nothing on stdout"
t "a registry there is not" expect_fail "127.0.0.1:1" slipway pull 127.0.0.1:1/x
t "a name that is none" expect_status 2 'image name "a::b"' slipway pull a::b

# --- mirrors
origin=$REGISTRY origin_log=$REGISTRY_LOG
t "a second registry" start_registry
image library/base:1 --layer 4000
mirror=$REGISTRY
t "a mirror of docker.io" slipway pull --registry-mirror "docker.io=http://$mirror" base:1
is "$(cat "$T/out")" "docker.io/library/base@$image_digest" "the name stays docker.io's"
t "a dead mirror and one without the image are passed over" sh -c "slipway pull --registry-mirror docker.io=http://127.0.0.1:1 \
    --registry-mirror docker.io=http://$origin --registry-mirror docker.io=$mirror docker.io/library/base:1 2>'$T/warned'"
t "the dead one is told" has "$T/warned" "mirror http://127.0.0.1:1"
t "the environment sets mirrors too" env SLIPWAY_REGISTRY_MIRROR="docker.io=http://127.0.0.1:1,docker.io=http://$mirror" \
    slipway pull base:1
mkdir -p "$HOME/.config/slipway"
printf '{"registries":{"docker.io":{"mirrors":["http://%s"]}}}' "$mirror" >"$HOME/.config/slipway/config.json"
t "and so does the settings file" slipway pull base:1
t "an option beats the file" expect_fail "mirror http://127.0.0.1:1" env HTTPS_PROXY=http://127.0.0.1:1 \
    slipway pull --registry-mirror docker.io=http://127.0.0.1:1 base:1
printf '{"registries":{"docker.io":{"mirror":["x"]}}}' >"$T/bad.json"
t "an unknown setting is refused" expect_fail "bad.json: registry docker.io: docker.io has no setting \"mirror\"" \
    env SLIPWAY_CONFIG="$T/bad.json" slipway pull base:1
t "a settings file that is named must be there" expect_fail "none.json" env SLIPWAY_CONFIG="$T/none.json" slipway pull base:1
t "a mirror that is no URL" expect_status 2 'registry mirror "docker.io=ftp://x"' slipway pull --registry-mirror docker.io=ftp://x base:1
rm "$HOME/.config/slipway/config.json"
is "$(REGISTRY_LOG=$origin_log; requests library/base)" 1 "the mirror without it was asked once"

# --- TLS, own authority, a login, another address
t "a registry with TLS and a password" start_registry --tls --htpasswd
REGISTRY_URL=$REGISTRY image web:1 --layer 3000
mkdir -p "$HOME/.docker"
login() { printf '{"auths":{"%s":{"auth":"%s"}}}' "$1" "$(printf '%s' "$2" | base64 -w 0)" >"$HOME/.docker/config.json"; }
t "the authority is not trusted" expect_fail "certificate" slipway pull --registry-endpoint "r.example=https://$REGISTRY" r.example/web:1
t "the certificate is for other names" expect_fail "certificate" slipway pull --ca-file "$CA_FILE" \
    --registry-endpoint "r.example=https://$REGISTRY" r.example/web:1
t "on this very machine too" expect_fail "certificate" slipway pull "$REGISTRY/web:1"
t "without a login" expect_fail "slipway login" slipway pull --ca-file "$CA_FILE" "$REGISTRY/web:1"
login "$REGISTRY" AWS:wr0ng-secret
t "with a wrong one" expect_fail "refused the login of AWS" slipway pull --ca-file "$CA_FILE" "$REGISTRY/web:1"
login "$REGISTRY" "AWS:$REGISTRY_PASSWORD"
t "the password is in no message" lacks "$T/expected" wr0ng
t "with the right one" slipway pull --ca-file "$CA_FILE" "$REGISTRY/web:1"
is "$(cat "$T/out")" "$REGISTRY/web@$image_digest" "and the image is it"
t "SLIPWAY_CA_FILE" env SLIPWAY_CA_FILE="$CA_FILE" slipway pull "$REGISTRY/web:1"
t "--insecure" slipway pull --insecure "$REGISTRY" "$REGISTRY/web:1"
login "$ECR_HOST" "AWS:$REGISTRY_PASSWORD"
rm -rf "$SLIPWAY_ROOT"
t "an ECR host at another address" slipway pull --ca-file "$CA_FILE" --registry-endpoint "$ECR_HOST=https://$REGISTRY" "$ECR_HOST/web:1"
is "$(cat "$T/out")" "$ECR_HOST/web@$image_digest" "keeps its name"
t "and its blobs are here" all_blobs_here
t "an endpoint with a path" expect_status 2 "a path (/x) is not supported" slipway pull --registry-endpoint a.example=https://b.example/x a.example/x
t "plain http to another machine" expect_status 2 "needs --insecure a.example" slipway pull --registry-endpoint a.example=http://10.0.0.1 a.example/x
