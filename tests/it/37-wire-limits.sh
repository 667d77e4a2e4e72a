#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Limits of pull and push: memory does not grow with a layer, a full disk is told and leaves nothing, a killed pull too.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry skopeo jq python3

# peak COMMAND…: its exit status; the most memory it held, in KiB, into $T/peak
peak() {
    python3 - "$T/peak" "$@" <<'PY'
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as f:
    f.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
PY
}
image() {
    image_name=$1
    shift
    python3 "$SOURCE_DIR/tests/fake/mkimage.py" "$T/oci" "$image_name" --seed "$image_name" --plain "$@" >"$T/mk.json" &&
        skopeo --insecure-policy copy -q --preserve-digests --dest-tls-verify=false \
            "oci:$T/oci:$image_name" "docker://$REGISTRY/$image_name" || return 1
    image_digest=$(jq -r .digest "$T/mk.json")
    rm -rf "$T/oci"
}
# a sanitized program holds shadow memory; then only the growth counts
sanitized() { nm "$SLIPWAY" 2>/dev/null | grep -q __asan_init; }
mib_64() { [ "$(cat "$T/peak")" -le 65536 ] || sanitized || { echo "$(cat "$T/peak") KiB" >&2; return 1; }; }

t "a registry" start_registry
t "another" start_registry
target=$REGISTRY
t "the source" start_registry
image small:1 --layer 1000
image large:1 --layer 110000000 --layer 60000000
t "pull of a small image" peak slipway pull "$REGISTRY/small:1"
small=$(cat "$T/peak")
t "pull of 170 MB" peak slipway pull "$REGISTRY/large:1"
diag "pull: $small KiB for a small image, $(cat "$T/peak") KiB for 170 MB"
t "within 64 MiB" mib_64
t "and much the same" test $(($(cat "$T/peak") - small)) -lt 24000
t "push of a small image" peak slipway push "$REGISTRY/small:1" "$target/small:1"
small=$(cat "$T/peak")
t "push of 170 MB" peak slipway push "$REGISTRY/large:1" "$target/large:1"
diag "push: $small KiB for a small image, $(cat "$T/peak") KiB for 170 MB"
t "within 64 MiB" mib_64
t "and much the same" test $(($(cat "$T/peak") - small)) -lt 24000
t "it is whole" sh -c "skopeo inspect --raw --tls-verify=false docker://$target/large:1 | sha256sum | grep -q ${image_digest#sha256:}"

# --- killed at work
rm -rf "$SLIPWAY_ROOT"
slipway pull -q "$REGISTRY/large:1" >"$T/killed" 2>&1 &
pid=$!
wait_for 10 test -d "$SLIPWAY_ROOT/blobs/sha256"
# in the middle: when 20 of 170 MB are written
while w=$(awk '/^wchar/ { print $2 }' "/proc/$pid/io" 2>/dev/null) && [ -n "$w" ] && [ "$w" -lt 20000000 ]; do :; done
kill -9 $pid
wait $pid 2>/dev/null
t "a killed pull leaves no half blob" sh -c 'find "$1/blobs/sha256" -type f | while read -r f; do [ "$(sha256sum <"$f")" = "${f##*/}  -" ] || exit 1; done' sh "$SLIPWAY_ROOT"
t "and no name" sh -c '! grep -q large "$1/index.json"' sh "$SLIPWAY_ROOT"
t "the next one ends it" slipway pull -q "$REGISTRY/large:1"
is "$(cat "$T/out")" "$REGISTRY/large@$image_digest" "as if nothing had happened"

# --- a full disk
image wide:1 --layer 9000000 --layer 9000001 --layer 9000002
if can root && mkdir "$T/tmpfs" && mount -t tmpfs -o size=20m tmpfs "$T/tmpfs"; then
    on_exit "umount '$T/tmpfs'"
    nothing_left() {
        [ "$(find "$T/tmpfs/store/blobs" -type f -size +8000k | wc -l)" -le 2 ] && ! grep -q wide "$T/tmpfs/store/index.json" &&
            [ -z "$(ls -A "$T/tmpfs/store/tmp")" ] && return
        find "$T/tmpfs" >&2
        return 1
    }
    t "a layer that cannot fit" expect_fail "no space left in the store $T/tmpfs/store" slipway --root "$T/tmpfs/store" pull "$REGISTRY/large:1"
    t "layers that do not fit together" expect_fail "o space left" slipway --root "$T/tmpfs/store" pull "$REGISTRY/wide:1"
    diag "$(tail -n 1 "$T/expected")"
    t "leave no half of one" nothing_left
    used=$(df -k --output=used "$T/tmpfs" | tail -n 1)
    t "and no room taken by what is not there" test "$used" -le $((2 * 9000 + 200))
    rm -rf "$T/tmpfs/store"
    t "a small image fits again" slipway --root "$T/tmpfs/store" pull "$REGISTRY/small:1"
else
    skip "a full disk" "${why:-no tmpfs mount}"
fi
