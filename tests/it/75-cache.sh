#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --cache-to and --cache-from: what a build remembers travels, and an empty host fetches no layer that nothing needs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry jq skopeo overlay

wipe() { rm -rf "$SLIPWAY_ROOT" || remove_tree "$SLIPWAY_ROOT"; }
mark() { marked=$(requests '"GET /v2/[^ ]*/blobs/'); }
came() { echo $(($(requests '"GET /v2/[^ ]*/blobs/') - marked)); }
# Steps that were carried out, by the words of their titles; those remembered.
made() { sed -n 's/^#\([0-9]*\) \[.*/\1/p' "$T/err" | sort -u | while read -r made_n; do grep -qE "^#$made_n DONE" "$T/err" && echo "$made_n"; done | wc -l; }
cached() { sed -n 's/^#\([0-9]*\) \[.*/\1/p' "$T/err" | sort -u | while read -r made_n; do grep -qE "^#$made_n CACHED" "$T/err" && echo "$made_n"; done | wc -l; }
build() { slipway --progress plain build "$@"; }
# The config of a cache.
records() { skopeo inspect --raw --tls-verify=false "docker://$1" >raw && curl -sS "$REGISTRY_URL/v2/${1#*/}" >/dev/null 2>&1; config=$(jq -r .config.digest raw); curl -sSf "$REGISTRY_URL/v2/$(echo "${1#*/}" | sed 's/:.*//')/blobs/$config"; }

t "registry" start_registry
BASE=$REGISTRY/team/base:1
t "a base image" busybox_image "$BASE"
t "... at a registry" slipway push "$BASE"
mkdir ctx
echo one >ctx/a
cat >ctx/Dockerfile <<D
FROM $BASE AS make
WORKDIR /w
COPY a .
RUN cat a a >b && date +%N >stamp
FROM $BASE
WORKDIR /srv
COPY --from=make /w/b .
RUN date +%N >stamp
ENV X=y
D
OUT=type=registry,name=$REGISTRY/team/app:1
MAX=$REGISTRY/team/cache:max MIN=$REGISTRY/team/cache:min

# --- out
t "--cache-to, max and min" build -o "$OUT" --cache-to "type=registry,ref=$MAX,mode=max" --cache-to "type=registry,ref=$MIN" ctx
app=$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/team/app:1" | sha256sum)
records "$MAX" >max.json
records "$MIN" >min.json
t "the manifest is an OCI image's with a config of its own" json raw '.mediaType == "application/vnd.oci.image.manifest.v1+json" and .config.mediaType == "application/vnd.slipway.cache.config.v1+json"'
t "max has the steps of every stage" json max.json '.records | length == 6'
t "min those of the target" json min.json '.records | length == 3'
t "no key twice" json max.json '[.records[].keys[]] | length == (unique | length)'

# --- and in, on an empty host
wipe
mark
t "--cache-from on an empty host" build -o "$OUT" --cache-from "$MAX" ctx
is "$(made) $(cached)" "0 3" "... nothing is carried out"
is "$(came)" 2 "... and two configs are all that comes"
is "$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/team/app:1" | sha256sum)" "$app" "... the image is the same"
t "... and the store shows no image that lacks a layer" sh -c '[ -z "$(slipway images -q)" ]'
wipe
t "into the store" build -t app:1 --cache-from "type=registry,ref=$MAX" ctx
is "$(made)" 0 "... nothing is carried out"
t "... all layers are there" slipway save -o app.tar app:1
t "... and remembered without it" build -t app:1 ctx
is "$(made)" 0 "... from now on"
wipe
mark
echo two >>ctx/Dockerfile.x
sed 's/X=y/X=z/; s/b \./b .\nRUN cat b >c/' ctx/Dockerfile >changed.Dockerfile
t "a step of its own after remembered ones" build -o "$OUT" --cache-from "$MAX" -f changed.Dockerfile ctx
is "$(made) $(cached)" "2 2" "... two are carried out"
is "$(came)" 5 "... the layers below it come: the base's, WORKDIR's, COPY's"

# --- min knows the target's stage alone
wipe
t "min, unchanged" build -o "$OUT" --cache-from "$MIN" ctx
is "$(made) $(cached)" "0 3" "... is enough"
wipe
sed 's|COPY --from=make /w/b .|COPY --from=make /w/b /w/stamp ./|' ctx/Dockerfile >other.Dockerfile
t "min, with another copy" build -o "$OUT" --cache-from "$MIN" -f other.Dockerfile ctx
is "$(made)" 5 "... makes the first stage again"
wipe
t "max, with another copy" build -o "$OUT" --cache-from "$MAX" -f other.Dockerfile ctx
is "$(made)" 2 "... makes the copy and what follows"

# --- again and again
wipe
t "taken from max and written again" build -o "$OUT" --cache-from "$MAX" --cache-to "type=registry,ref=$REGISTRY/team/cache:again,mode=max" ctx
records "$REGISTRY/team/cache:again" >again.json
t "... says the same" sh -c 'jq -S "[.records[] | {created, diffId, layer}] | sort" max.json >1; jq -S "[.records[] | {created, diffId, layer}] | sort" again.json >2; cmp 1 2'
t "... under the same keys" sh -c 'jq -S "[.records[].keys[]] | sort" max.json >1; jq -S "[.records[].keys[]] | sort" again.json >2; cmp 1 2'
mark
t "... and no layer of it came here" sh -c 'for l in $(jq -r ".records[].layer // empty" max.json); do [ ! -e "$SLIPWAY_ROOT/blobs/sha256/${l#sha256:}" ] || exit 1; done'

# --- a rebuilt parent with the same result
wipe
sed 's/COPY a ./COPY .\/a ./' ctx/Dockerfile >same.Dockerfile
t "another definition with the same result" build -o "$OUT" --cache-from "$MAX" -f same.Dockerfile ctx
is "$(made)" 0 "... is remembered by its result"

# --- local
wipe
t "type=local" build -t app:1 --cache-to type=local,dest=dir,mode=max ctx
t "... is an OCI layout" sh -c 'skopeo inspect --raw oci:dir:latest | jq -e ".config.mediaType == \"application/vnd.slipway.cache.config.v1+json\""'
wipe
mark
t "... read" build -t app:1 --cache-from type=local,src=dir ctx
is "$(made)" 0 "... nothing is carried out"
is "$(came)" 2 "... the registry gives the base alone"
t "... tag= and digest=" build -t app:1 --cache-to type=local,dest=dir,tag=two,compression=zstd ctx
t "... are told apart" sh -c 'skopeo inspect --raw oci:dir:two | jq -e "all(.layers[]; .mediaType | endswith(\"zstd\"))"'
wipe
t "... by digest" build -t app:1 --cache-from "type=local,src=dir,digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "two").digest' dir/index.json)" ctx
is "$(made)" 0 "... zstd layers, nothing is carried out"

# --- inline
wipe
t "type=inline" build -o "type=registry,name=$REGISTRY/team/in:1" --cache-to type=inline ctx
wipe
mark
t "... read" build -o "type=registry,name=$REGISTRY/team/in:2" --cache-from "$REGISTRY/team/in:1" ctx
is "$(made) $(cached)" "0 3" "... nothing is carried out"
is "$(came)" 2 "... two configs come"
wipe
t "BUILDKIT_INLINE_CACHE=1" build -t in:3 --build-arg BUILDKIT_INLINE_CACHE=1 ctx
t "... the same" sh -c 'slipway inspect in:3 | grep -q slipway.cache || jq -e ".[\"slipway.cache.v1\"]" "$SLIPWAY_ROOT"/blobs/sha256/*' 
t "an image without one" build -t in:4 --cache-from "$REGISTRY/team/app:1" ctx
t "... is told" has "$T/err" 'it is an image without a cache'

# --- which stages
t "--no-cache-filter" build -t app:1 --no-cache-filter make ctx
is "$(made)" 3 "... carries out the steps of that stage"
t "... an unknown one" build -t app:1 --no-cache-filter nope ctx
t "... is told" has "$T/err" 'there is no such stage'
t "--no-cache asks no cache" build -t app:1 --no-cache --cache-from "$MAX" ctx
t "... at all" lacks "$T/err" 'cache from'

# --- failures
t "a cache that is not there" build -t app:1 --cache-from "$REGISTRY/team/none:1" ctx
t "... is a warning" has "$T/err" 'nothing is taken from the cache'
t "... or an error" expect_fail 'team/none' build -t app:1 --cache-from "type=registry,ref=$REGISTRY/team/none:1,ignore-error=false" ctx
t "a place that cannot be written" expect_fail '--cache-to' build -t app:1 --cache-to type=local,dest=ctx/a/no ctx
t "... is a warning" build -t app:1 --cache-to type=local,dest=ctx/a/no,ignore-error=true ctx
for type in gha s3,bucket=b,region=r azblob,name=n; do
    t "type=$type" expect_status 2 'is not carried out' build --cache-to "type=$type" ctx
done
t "an unknown key" expect_status 2 'has no such key' build --cache-from "type=registry,ref=a,mode=max" ctx

# --- what strangers wrote
# forge NAME JQ: the local cache with its config changed.
forge() {
    rm -rf "$1" && cp -r dir "$1" && python3 - "$1" "$2" <<'P'
import hashlib, json, os, subprocess, sys
dir, program = sys.argv[1:]
def blob(digest): return os.path.join(dir, "blobs/sha256", digest.split(":")[1])
def put(doc):
    data = json.dumps(doc).encode()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    open(blob(digest), "wb").write(data)
    return digest, len(data)
index = json.load(open(os.path.join(dir, "index.json")))
entry = next(e for e in index["manifests"] if e["annotations"]["org.opencontainers.image.ref.name"] == "latest")
manifest = json.load(open(blob(entry["digest"])))
config = json.load(open(blob(manifest["config"]["digest"])))
config = json.loads(subprocess.check_output(["jq", "-c", program], input=json.dumps(config).encode()))
manifest["config"]["digest"], manifest["config"]["size"] = put(config)
entry["digest"], entry["size"] = put(manifest)
index["manifests"] = [entry]
json.dump(index, open(os.path.join(dir, "index.json"), "w"))
P
}
forge swapped '([.records[] | select(.layer) | .layer] | first) as $l | .records |= map(if .layer then .layer = $l else . end)'
wipe
t "layers under wrong diff ids" expect_fail 'but the cache says' build -t app:1 --cache-from type=local,src=swapped ctx
t "... give no image" not slipway inspect app:1
t "... and do not stay" build -t app:1 ctx
forge lost '.records |= map(if .layer then .layer = "sha256:" + ("0" * 64) else . end)'
wipe
t "layers that are not listed" build -t app:1 --cache-from type=local,src=lost ctx
t "... count as none" sh -c '[ "$1" -ge 5 ]' sh "$(made)"
for program in '.version = 9' '.records[0].keys = ["../../x"]' '.records[0].created = "never"' '.records = 3' 'del(.records[0].keys)' '.records[0].diffId = "sha256:x"'; do
    forge bad "$program"
    t "$program" build -t app:1 --cache-from type=local,src=bad ctx
    t "... is a warning" has "$T/err" 'nothing is taken from the cache bad'
done
rm -rf cut && cp -r dir cut
for file in cut/blobs/sha256/*; do [ "$(wc -c <"$file")" -lt 4000 ] || printf x >>"$file"; done
wipe
t "damaged blobs" sh -c 'slipway build -t app:1 --cache-from type=local,src=cut ctx 2>err || grep -q "not what its digest says" err'

# --- what cannot be written to is told before anything is built
t "a place with a digest" expect_status 2 'a name to give has no digest' slipway build -t app:1 --cache-to "type=registry,ref=$REGISTRY/c@sha256:$(printf '%064d' 0)" ctx
t "... at once" not grep -q '^#' "$T/err"
t "a place that is no name" expect_status 2 'image name "a//b"' slipway build -t app:1 --cache-to type=registry,ref=a//b ctx

# --- two at once, and an ordinary user
wipe
(build -t app:1 --cache-from "$MAX" --cache-to type=local,dest=both ctx >/dev/null 2>one.err) &
one=$!
t "two processes" build -t app:2 --cache-from "$MAX" --cache-to type=local,dest=both ctx
t "... both succeed" wait $one
wipe
t "... what they wrote is whole" build -t app:1 --cache-from type=local,src=both ctx
if can user; then
    cp -r ctx "$USER_HOME/ctx"
    chmod -R a+rX "$USER_HOME/ctx"
    t "as an ordinary user" as_user slipway --progress plain build -o "$OUT" --cache-from "$MAX" "$USER_HOME/ctx"
    is "$(made) $(cached)" "0 3" "... the keys are the same"
else
    skip "as an ordinary user" "$why"
fi
