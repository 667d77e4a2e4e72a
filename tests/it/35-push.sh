#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Push: what we send, skopeo and buildah read; what is there is not sent.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry skopeo jq

# image NAME ARG…: an image of mkimage's, through skopeo and the source registry, into the store; $image_digest
image() {
    image_name=$1
    shift
    python3 "$SOURCE_DIR/tests/fake/mkimage.py" "$T/oci" "$image_name" --seed "$image_name" "$@" >"$T/mk.json" &&
        skopeo --insecure-policy copy -q --all --preserve-digests --dest-tls-verify=false \
            "oci:$T/oci:$image_name" "docker://$source/$image_name" &&
        slipway pull -q "$source/$image_name" >"$T/pulled" || return 1
    image_digest=$(jq -r .digest "$T/mk.json")
    image_layer=$SLIPWAY_ROOT/blobs/sha256/$(jq -r '.blobs | to_entries | max_by(.value) | .key[7:]' "$T/mk.json")
}
# The manifest that a registry gives for NAME, as skopeo sees it.
digest_at() { skopeo inspect --raw --tls-verify=false "docker://$1" | sha256sum | sed 's/^/sha256:/; s/ .*//'; }
# skopeo fetches and verifies every blob of NAME
whole_at() {
    rm -rf "$T/copy"
    skopeo --insecure-policy copy -q --all --preserve-digests --src-tls-verify=false "docker://$1" "oci:$T/copy:x"
}
begun() { requests '"POST /v2/.*/blobs/uploads/ HTTP'; } # plain upload sessions
sent() { requests '"(PUT|PATCH) /v2/.*/blobs/uploads/'; }

t "the source" start_registry
source=$REGISTRY
t "the target" start_registry
target=$REGISTRY

# --- one image
image app:1 --layer 400000 --layer 3000
t "an image" slipway push "$source/app:1" "$target/team/app:1"
is "$(cat "$T/out")" "$target/team/app@$image_digest" "its digest is the one result on stdout"
is "$(digest_at "$target/team/app:1")" "$image_digest" "the registry has the same manifest"
t "skopeo reads it whole" whole_at "$target/team/app:1"
is "$(sent)" 3 "one request sent each blob"
t "again" slipway push --json "$source/app:1" "$target/team/app:1"
t "is no work" json "$T/out" ".unchanged and .blobs == [] and .digest == \"$image_digest\""
is "$(sent)" 3 "and sends nothing"
t "under another tag" slipway push --json "$source/app:1" "$target/team/app:2"
t "existing blobs cost no byte" json "$T/out" '(.unchanged | not) and (.blobs | length == 3 and all(.how == "existing" and .sent == 0))'
t "the largest stands first" json "$T/out" '.blobs | .[0].size > .[1].size and .[1].size > .[2].size'
is "$(sent)" 3 "nothing is sent"
is "$(digest_at "$target/team/app:2")" "$image_digest" "and it is there"
posts=$(begun)
t "into another repository" slipway push --json "$source/app:1" "$target/other/app:1"
t "blobs are mounted" json "$T/out" '.blobs | all(.how == "mounted" and .from == "team/app" and .sent == 0)'
is "$(sent)" 3 "nothing is sent"
is "$(begun)" "$posts" "and no upload begun"
t "skopeo reads it whole" whole_at "$target/other/app:1"
if can buildah; then
    t "buildah pulls it" buildah --root "$T/b" --runroot "$T/br" --storage-driver vfs pull -q --tls-verify=false "$target/other/app:1"
else
    skip "buildah pulls it" "$why"
fi
hint=$(find "$SLIPWAY_ROOT/cache/origins" -type f | head -n 1)
sed -i "s,$target/team/app,$target/no/such," "$hint"
t "a source that lacks the blob" slipway push --json "$source/app:1" "$target/third/app:1"
is "$(jq -c '[.blobs[].how] | sort' "$T/out")" '["mounted","mounted","mounted"]' "another is tried by the next hint"
printf '%s/no/such\n' "$target" >"$hint"
t "no source at all" slipway push --json "$source/app:1" "$target/fourth/app:1"
is "$(jq -c '[.blobs[].how] | sort' "$T/out")" '["mounted","mounted","uploaded"]' "that blob is sent"
t "under its own name" slipway push "$source/app:1"
t "an image there is not" expect_fail 'there is no image "nope"' slipway push nope "$target/x"
t "a name that is none" expect_status 2 'image name' slipway push "$source/app:1" 'X Y'
t "a tag that is missing its digest" expect_status 2 "cannot be pushed under another digest" slipway push "$source/app:1" \
    "$target/team/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
t "by digest alone" slipway push "$source/app:1" "$target/digest/app@$image_digest"
is "$(digest_at "$target/digest/app@$image_digest")" "$image_digest" "it is there"
t "two ways to say what" expect_status 2 "exclude each other" slipway push --all --platform linux/amd64 "$source/app:1"

# --- Docker's types
skopeo --insecure-policy copy -q --format v2s2 --src-tls-verify=false --dest-tls-verify=false "docker://$source/app:1" "docker://$source/docker:1"
t "a Docker image" slipway pull "$source/docker:1"
t "goes as it is" slipway push "$source/docker:1" "$target/docker:1"
is "$(digest_at "$target/docker:1")" "$(digest_at "$source/docker:1")" "with the same bytes"

# --- indexes
image many:1 --platform linux/amd64 --platform linux/arm64 --platform linux/arm/v6 --layer 1000 --layer 2000 --attestation
t "one platform of an index" sh -c "slipway push '$source/many:1' '$target/many:one' 2>'$T/warned'"
t "is told" has "$T/warned" "pushing the linux/amd64 image alone"
t "goes alone" sh -c "skopeo inspect --raw --tls-verify=false docker://$target/many:one | jq -e .config"
t "all of it cannot" expect_fail "not in the store: linux/arm64, linux/arm/v6, unknown/unknown" \
    slipway push --all "$source/many:1" "$target/many:all"
t "another platform is missing" expect_fail "" slipway push --platform linux/arm64 "$source/many:1" "$target/many:arm"
t "two platforms" slipway pull --platform linux/arm64 "$source/many:1"
t "are for the user to choose" expect_fail "in the store are linux/amd64, linux/arm64, but not linux/arm/v6, unknown/unknown; choose with --platform" \
    slipway push "$source/many:1" "$target/many:two"
t "so" slipway push --platform linux/arm64 "$source/many:1" "$target/many:arm"
is "$(skopeo inspect --config --raw --tls-verify=false "docker://$target/many:arm" | jq -r .architecture)" arm64 "the right one"
t "every platform" slipway pull --all "$source/many:1"
t "the index" slipway push --all "$source/many:1" "$target/many:1"
is "$(cat "$T/out")" "$target/many@$image_digest" "goes under its own digest"
is "$(digest_at "$target/many:1")" "$image_digest" "byte for byte"
t "skopeo reads all of it" whole_at "$target/many:1"
t "without --all too" slipway push "$source/many:1" "$target/again:1"
is "$(digest_at "$target/again:1")" "$image_digest" "the same"

# --- damage in the store
image lost:1 --layer 5000
rm "$image_layer"
t "a lost blob" expect_fail "is not in the store; pull or build the image again" slipway push "$source/lost:1" "$target/lost:1"
image short:1 --layer 6000
chmod u+w "$image_layer"
truncate -s 100 "$image_layer"
t "a short blob" expect_fail "the store is damaged" slipway push "$source/short:1" "$target/short:1"
image wrong:1 --layer 7000
chmod u+w "$image_layer"
printf X | dd of="$image_layer" bs=1 seek=50 conv=notrunc 2>/dev/null
t "a blob changed in the store is told as that" expect_fail "was damaged in the store, and is removed" slipway push "$source/wrong:1" "$target/wrong:1"
t "and nothing of it is visible" not skopeo inspect --tls-verify=false "docker://$target/wrong:1"

# --- refusals
t "a read-only registry" start_registry --readonly
t "says so" expect_fail "is it read-only" slipway push "$source/app:1" "$REGISTRY/app:1"
t "a registry with TLS and a password" start_registry --tls --htpasswd
mkdir -p "$HOME/.docker"
t "without a login" expect_fail "slipway login" slipway push --ca-file "$CA_FILE" "$source/app:1" "$REGISTRY/app:1"
is "$(requests '"(POST|PUT|PATCH)')" 0 "not one blob is tried"
printf '{"auths":{"%s":{"auth":"%s"}}}' "$ECR_HOST" "$(printf 'AWS:%s' "$REGISTRY_PASSWORD" | base64 -w 0)" >"$HOME/.docker/config.json"
export SLIPWAY_CA_FILE="$CA_FILE" SLIPWAY_REGISTRY_ENDPOINT="$ECR_HOST=https://$REGISTRY"
t "to an ECR host at another address" slipway push "$source/app:1" "$ECR_HOST/team/app:1"
pushed=$(cat "$T/out")
t "and back" slipway pull "$ECR_HOST/team/app:1"
is "$(cat "$T/out")" "$pushed" "the same"
t "another repository there" slipway push --json "$source/app:1" "$ECR_HOST/team/app2:1"
t "by mount" json "$T/out" '.blobs | all(.how == "mounted" and .from == "team/app")'
