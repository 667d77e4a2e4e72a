#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The store shared and mistreated: writers side by side, kill -9, a full disk.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
export T
need jq busybox skopeo

busybox_image web:1 || { echo "Bail out! no image"; exit 1; }
tagger() { i=0; while [ $i -lt 100 ]; do slipway tag web:1 "$1:$i" || return 1; i=$((i + 1)); done; }
tagger a & one=$!
tagger b & two=$!
both() { wait $one && wait $two; }
t "two processes tag 100 names each" both
is "$(jq '.manifests | length' "$SLIPWAY_ROOT/index.json")" 201 "nothing is lost"
remover() { i=0; while [ $i -lt 100 ]; do slipway rm "$1:$i" >/dev/null || return 1; i=$((i + 1)); done; }
remover a & one=$!
tagger c & two=$!
wait $one; wait $two
is "$(slipway images --json | jq -c '[map(.repository) | group_by(.)[] | [.[0], length]]')" '[["b",100],["c",100],["web",1]]' "one removes, one adds"

# kill -9 at growing moments of an import of incompressible bytes; then the same import gives what it would have given.
head -c 8000000 /dev/urandom >big && tar --mtime=@1600000000 -cf big.tar big
export SOURCE_DATE_EPOCH=1700000000
want=$(slipway --root "$T/clean" import big.tar big:1)
for ms in 02 05 08 12 16 20 30 40 60 80; do
    slipway import big.tar big:1 >/dev/null 2>&1 &
    pid=$!
    sleep "0.0$ms"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
t "every blob that is there is whole" sh -c 'cd "$SLIPWAY_ROOT/blobs/sha256" && for f in *; do echo "$f  $f"; done | sha256sum --quiet -c'
is "$(slipway import big.tar big:1)" "$want" "the next import gives the same"
t "skopeo finds it whole" skopeo copy -q "oci:$SLIPWAY_ROOT:docker.io/library/big:1" dir:copy
slipway prune >/dev/null
is "$(find "$SLIPWAY_ROOT/tmp" -mindepth 1 ! -name index.json | wc -l)" 0 "nothing is left in tmp/"

# A disk that fills up. A tmpfs of our own where we may mount one.
cat >full.sh <<'EOT'
mkdir small && mount -t tmpfs -o size=4m tmpfs small || exit 77
slipway --root small/store import "$T/busybox.tar" fits:1 || exit 1
slipway --root small/store import big.tar big:1 2>err
test $? -eq 1 || exit 2
grep -q 'No space left on device' err || { cat err >&2; exit 3; }
grep -q "$PWD/small/store" err || { cat err >&2; echo 'the error does not say where' >&2; exit 8; }
skopeo inspect oci:small/store:docker.io/library/fits:1 >/dev/null || exit 4
slipway --root small/store load -i bigger.tar 2>err
test $? -eq 1 && grep -q 'No space left on device' err || { cat err >&2; exit 5; }
slipway --root small/store tag fits:1 again:1 || exit 6
slipway --root small/store prune && slipway --root small/store images | grep -q ^again || exit 7
dd if=/dev/zero of=small/fill bs=4k 2>/dev/null
slipway --root small/store images | grep -q ^again || exit 9
slipway --root small/store tag fits:1 third:1 2>err && exit 10
grep -q 'No space left on device' err || { cat err >&2; exit 11; }
rm small/fill
slipway --root small/store tag fits:1 third:1 && slipway --root small/store images | grep -q ^third || exit 12
EOT
slipway save -o bigger.tar big:1

if [ "$(id -u)" -eq 0 ]; then
    unshare --mount sh full.sh >"$T/full.out" 2>&1
else
    unshare --user --map-root-user --mount sh full.sh >"$T/full.out" 2>&1
fi
status=$?
if [ $status -eq 77 ]; then
    skip "a full disk is told, and leaves a store that works" "no tmpfs may be mounted here"
else
    is $status 0 "a full disk is told, and leaves a store that works"
    [ $status -eq 0 ] || diag "$(cat "$T/full.out")"
fi

# Many readers beside one writer never see a half index.
(i=0; while [ $i -lt 60 ]; do slipway tag web:1 "w:$i"; i=$((i + 1)); done) &
writer=$!
bad=0
while kill -0 $writer 2>/dev/null; do slipway images --json >r.json 2>&1 && jq -e 'length > 0' r.json >/dev/null || bad=$((bad + 1)); done
wait $writer
is $bad 0 "readers never see half an index"
