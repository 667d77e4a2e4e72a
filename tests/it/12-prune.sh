#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# du tells what the disk gives; prune frees what no name reaches and keeps its budget; neither touches what is needed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
export T
need jq busybox skopeo

disk() { du -s --block-size=1 "$SLIPWAY_ROOT" | cut -f1; }
busybox_image keep:1 && busybox_image drop:1 'ENV DROP=1' || { echo "Bail out! no images"; exit 1; }
head -c 3000000 /dev/urandom >big && tar -cf big.tar big && slipway import big.tar drop:2 >/dev/null
is "$(slipway du --json | jq .bytes)" "$(disk)" "du is the disk's figure"
is "$(slipway du --json | jq '.blobs.reclaimable + .trees.reclaimable')" 0 "nothing is dead while all have names"
t "removed names free nothing yet" sh -c 'slipway rm drop:1 drop:2 >/dev/null && slipway du --json | jq -e ".blobs.reclaimable > 3000000"'
before=$(disk)
would=$(slipway prune --dry-run --json | jq .bytes)
is "$(disk)" "$before" "a dry run removes nothing"
is "$(slipway prune --json | jq .bytes)" "$would" "prune frees what the dry run said"
is "$((before - $(disk)))" "$would" "and the disk agrees"
t "what has a name is whole" skopeo copy -q "oci:$SLIPWAY_ROOT:docker.io/library/keep:1" dir:kept
is "$(slipway prune --json | jq -c .)" '{"bytes":0,"removed":0}' "a second prune finds nothing"

# A budget is hard, and named images are above it.
for i in 1 2 3; do
    head -c 2000000 /dev/urandom >big && tar -cf big.tar big && slipway import big.tar "old:$i" >/dev/null
    touch -d "2020-01-0$i" "$SLIPWAY_ROOT/blobs/sha256/$(slipway inspect --raw "old:$i" | jq -r '.layers[0].digest' | cut -d: -f2)"
done
layer_of() { slipway inspect --raw "$1" | jq -r '.layers[0].digest' | sed 's/.*://'; }
one=$(layer_of old:1) three=$(layer_of old:3)
slipway rm old:1 old:2 old:3 >/dev/null
budget=$(($(disk) - 1000000))
t "prune to a budget" slipway prune --keep-bytes "$budget"
t "it holds" test "$(disk)" -le "$budget"
t "the least recently used went, the last stayed" test ! -e "$SLIPWAY_ROOT/blobs/sha256/$one" -a -e "$SLIPWAY_ROOT/blobs/sha256/$three"
t "named images stay whatever the budget" sh -c 'slipway prune --keep-bytes 1k 2>err && grep -q "the rest belongs to images that have names" err && skopeo inspect "oci:$SLIPWAY_ROOT:docker.io/library/keep:1" >/dev/null'

# Who uses the store is not pruned under.
mkfifo pipe
slipway import pipe slow:1 >import.out 2>&1 &
writer=$!
exec 3>pipe
sleep 0.3
t "a store in use is left alone" expect_fail 'is in use by another slipway process' timeout 30 slipway prune
cat "$T/busybox.tar" >&3
exec 3>&-
t "and the user ends well" wait "$writer"
t "what was made meanwhile is whole" slipway inspect slow:1
t "an image without a name goes" sh -c 'slipway import "$T/busybox.tar" >/dev/null && slipway images | grep -q "^<none>" && slipway prune && ! slipway images | grep -q "^<none>"'
