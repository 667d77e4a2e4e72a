#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# COPY --link on a base image at a registry: its layers are not fetched, and another base takes the same layer.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry jq umoci skopeo

mark() { marked=$(requests '"GET /v2/[^ ]*/blobs/'); }
came() { echo $(($(requests '"GET /v2/[^ ]*/blobs/') - marked)); }
wipe() { rm -rf "$SLIPWAY_ROOT"; }
layers() { skopeo inspect --raw --tls-verify=false "docker://$1" | jq -r '.layers[].digest'; }

t "registry" start_registry
BASE=$REGISTRY/team/base:1
t "a base image" busybox_image "$BASE"
t "... at a registry" slipway push "$BASE"
mkdir -p ctx/sub; echo a >ctx/a; echo b >ctx/sub/b
printf 'FROM %s\nCOPY --link --chown=5:6 . /etc/app/\nCMD ["cat", "/etc/app/a"]\n' "$BASE" >ctx/Dockerfile
printf 'Dockerfile\n' >ctx/.dockerignore

wipe
mark
t "an image is made on it" slipway build -o type=registry,name="$REGISTRY/team/app:1" ctx
is "$(came)" 1 "... the config is all that came"
layers "$REGISTRY/team/app:1" >app1
layers "$BASE" >base1
is "$(head -n -1 app1)" "$(cat base1)" "... its layers are the base's and one more"

# another base of the same name
mkdir next && printf 'FROM %s\nRUN echo patched >/etc/patch && mkdir /etc/app && chmod 700 /etc/app\n' "$BASE" >next/Dockerfile
SLIPWAY_ROOT=$T/other slipway build -q --push -t "$BASE" next >/dev/null 2>next.err || cat next.err
layers "$BASE" >base2
t "the base changed" not cmp -s base1 base2
mark
t "the same on the new base" slipway build --pull -o type=registry,name="$REGISTRY/team/app:2" ctx
t "... the copy is remembered" grep -q CACHED "$T/err"
is "$(came)" 1 "... the new config is all that came"
layers "$REGISTRY/team/app:2" >app2
is "$(tail -n 1 app2)" "$(tail -n 1 app1)" "... its layer is the same"
is "$(head -n -1 app2)" "$(cat base2)" "... on the new base"
t "... nothing was unpacked" sh -c '[ -z "$(ls "$SLIPWAY_ROOT/trees" 2>/dev/null)" ]'
t "skopeo takes it" skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/team/app:2" oci:out:app
t "umoci takes it apart" umoci unpack --rootless --image out:app un
is "$(cat un/rootfs/etc/app/a un/rootfs/etc/app/sub/b un/rootfs/etc/patch | tr '\n' ' ')" "a b patched " "... both are there"
is "$(stat -c %a un/rootfs/etc/app) $(stat -c %a un/rootfs/etc)" "755 755" "... with the directories of the copy"
