#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Layers of base images come when something needs their bytes: what a build fetches, by the registry's own log.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry jq umoci

ctx() { mkdir -p "$1" && cat >"$1/Dockerfile"; }
blob() { echo "$SLIPWAY_ROOT/blobs/sha256/${1#sha256:}"; }
manifest() { slipway inspect --format '{{.Digest}}' "$1" 2>/dev/null || slipway images --json | jq -r --arg n "$1" '.[] | select(.name == $n) | .digest'; }
wipe() { rm -rf "$SLIPWAY_ROOT"; }
# Blobs that were asked for since the last mark.
mark() { marked=$(requests '"GET /v2/[^ ]*/blobs/'); }
came() { echo $(($(requests '"GET /v2/[^ ]*/blobs/') - marked)); }

t "registry" start_registry
BASE=$REGISTRY/team/base:1
t "a base image" busybox_image "$BASE"
t "... of two layers" sh -c 'mkdir two && printf "FROM %s\nRUN echo two >/two\n" "$1" >two/Dockerfile && slipway build --pull=false -t "$1" two 2>&1 || slipway build -t "$1" two' sh "$BASE"
t "... at a registry" slipway push "$BASE"

# --- nothing is needed
ctx meta <<EOF
FROM $BASE
ENV A=b
CMD ["x"]
EOF
wipe
mark
t "metadata alone, to the same registry" slipway build -o type=registry,name="$REGISTRY/team/meta:1" meta
is "$(came)" 1 "... fetches the config and no layer"
is "$(requests '"POST /v2/team/meta/blobs/uploads/[^"]*mount=[^"]*" 201')" 2 "... and mounts both layers"
t "... the image is whole there" sh -c 'rm -rf "$SLIPWAY_ROOT"; slipway pull "$1"' sh "$REGISTRY/team/meta:1"
wipe
t "the base has no name in the store" sh -c 'slipway build -o type=registry,name="$1" meta && slipway images -q 2>/dev/null | wc -l | grep -qx 0' sh "$REGISTRY/team/meta:1"
mark
t "again" slipway build -o type=registry,name="$REGISTRY/team/meta:1" meta
is "$(came)" 0 "... asks for no blob"

# --- a COPY asks for the layers' indexes, a RUN for their files
ctx copy <<EOF
FROM $BASE
COPY Dockerfile /here
EOF
wipe
mark
t "COPY, to another registry name" slipway build -o type=registry,name="$REGISTRY/team/copy:1" copy
t "... comes with what it needs" sh -c '[ "$1" -ge 1 ] && [ "$1" -le 3 ]' sh "$(came)"
ctx run <<EOF
FROM $BASE
RUN cat /two >/three
EOF
wipe
mark
t "RUN" slipway build -t run:1 run
is "$(came)" 3 "... fetches config and layers, each once"
t "the base is whole and has its name" slipway inspect "$BASE"
mark
t "again" slipway build -t run:1 run
is "$(came)" 0 "... fetches nothing"
ctx both <<EOF
FROM $BASE AS a
RUN cat /two >/a
FROM $BASE AS b
RUN cat /two >/b
FROM $BASE
COPY --from=a /a /
COPY --from=b /b /
EOF
wipe
mark
t "three stages at once" slipway build --jobs 3 -t both:1 both
is "$(came)" 3 "... one base, each blob once"
t "... umoci takes it apart" sh -c 'umoci unpack --rootless --image "$SLIPWAY_ROOT:docker.io/library/both:1" bundle && [ "$(cat bundle/rootfs/a bundle/rootfs/b)" = "two
two" ]'

# --- what the store names is there
wipe
mark
t "metadata alone, into the store" slipway build -t meta:1 meta
is "$(came)" 3 "... fetches the layers"
for output in type=oci,dest=o.tar type=docker,dest=d.tar,name=x:1 type=oci,dest=o.dir,tar=false type=tar,dest=f.tar type=local,dest=f.dir; do
    wipe
    t "$output" slipway build -o "$output" meta
done
t "... the archives are whole" sh -c 'mkdir oci && tar -xf o.tar -C oci && for l in $(jq -r ".layers[].digest" "oci/blobs/sha256/$(jq -r ".manifests[0].digest" oci/index.json | cut -d: -f2)"); do [ -f "oci/blobs/sha256/${l#sha256:}" ] || exit 1; done && tar -tf f.tar two && [ "$(cat f.dir/two)" = two ]'
wipe
t "--push needs no layer" slipway build --push -t "$REGISTRY/team/pushed:1" meta
t "... says that the store has no name for it" has "$T/err" 'the store has no name for it'
t "... and the store shows no image that lacks a layer" sh -c '[ -z "$(slipway images -q)" ]'
t "store=true fetches" slipway build -o type=image,push=true,store=true,name="$REGISTRY/team/pushed:1" meta
t "... and names it" slipway save -o saved.tar "$REGISTRY/team/pushed:1"

# --- what can go wrong
wipe
t "resolved, not fetched" slipway build -o type=registry,name="$REGISTRY/team/meta:2" meta
for command in images "inspect $BASE" du prune; do
    # shellcheck disable=SC2086 # words
    t "$command copes" sh -c '"$@"; [ $? -lt 2 ]' sh slipway $command
done
t "after prune it is resolved again" slipway build -o type=registry,name="$REGISTRY/team/meta:3" meta
layer=$(jq -r '.layers[0].digest' "$(blob "$(curl -s -o /dev/null -D - -H 'Accept: application/vnd.oci.image.manifest.v1+json' "$REGISTRY_URL/v2/team/base/manifests/1" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip')")")
find "$REGISTRY_DIR/data" -path "*${layer#sha256:}/data" | while read -r file; do echo damaged >"$file"; done
t "a damaged layer at the registry" expect_fail "$layer" slipway build -t run:2 run
t "... leaves nothing" sh -c '[ ! -e "$1" ]' sh "$(blob "$layer")"
t "... and no name" not slipway inspect run:2
