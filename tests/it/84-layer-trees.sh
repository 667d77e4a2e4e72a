#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trees and blobs under pressure: several makers at once, kill -9, a full disk, a store that lies on an overlay itself.
. "$(dirname "$0")/../lib.sh"
need root setfattr unshare
layers=$BUILD/helpers/layers

mkdir -p big/d
i=0
while [ $i -lt 60 ]; do
    mkdir -p "big/d$((i % 7))/e$i"
    seq $i $((i + 20)) | while read -r n; do echo "$n $i" >"big/d$((i % 7))/e$i/f$n"; done
    i=$((i + 1))
done
head -c 4000000 /dev/urandom >big/noise
ln big/noise big/zz
find big -exec touch -h -d @1500000000 {} +
describe() { (cd "$1" && find . -mindepth 1 \( -type d -printf '%m %T@ %p\n' -o -printf '%m %s %T@ %n %p\n' \) | LC_ALL=C sort && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2); }
describe big >want
"$layers" write store big >line
# shellcheck disable=SC2046 # words
set -- $(cat line)
diffid=$1 digest=$2 tree=store/trees/${1#*:}

# --- the same bytes, however it is made -------------------------------------------------------------------------------
for threads in 1 2 3 8; do
    is "$("$layers" write --threads $threads store2 big)" "$(cat line)" "the same digest with $threads threads"
    rm -rf store2
done
is "$(nice "$layers" write --codec zstd --threads 1 store2 big)" "$("$layers" write --codec zstd --threads 5 store2 big)" "zstd: the same"

# --- many at once -------------------------------------------------------------------------------------------------------
race() {
    pids=''
    for n in 1 2 3 4 5; do
        "$layers" tree store "$digest" "$diffid" >"race.$n" 2>&1 &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid" || return 1; done
}
for round in 1 2 3; do
    rm -rf "$tree" store/cache/index
    t "round $round: five processes unpack one layer" race
    describe "$tree" >got
    t "... and it is right" same want got
    is "$(ls store/tmp)" "" "... and nothing is left"
done

# --- kill -9 at any moment -----------------------------------------------------------------------------------------------
sound=yes
for delay in 0 0.002 0.005 0.01 0.02 0.03 0.05 0.08; do
    rm -rf "$tree" store/cache/index
    "$layers" tree store "$digest" "$diffid" >/dev/null 2>&1 &
    killed=$!
    sleep $delay
    kill -9 $killed 2>/dev/null
    wait $killed 2>/dev/null
    # What is visible is whole.
    if [ -e "$tree" ]; then describe "$tree" >got; cmp -s want got || { sound=no; diag "after $delay s: a partial tree"; }; fi
    "$layers" tree store "$digest" "$diffid" >/dev/null || { sound=no; diag "after $delay s: cannot be made again"; }
    describe "$tree" >got
    cmp -s want got || { sound=no; diag "after $delay s: made again, wrong"; }
done
is $sound yes "a tree is whole or not there, whenever its maker is killed"
rm -rf "$tree"
"$layers" tree store "$digest" "$diffid" >/dev/null
is "$(ls store/tmp)" "" "what the killed left is removed by the next"
sound=yes
for delay in 0 0.005 0.02 0.05 0.1; do
    rm -rf store2
    "$layers" write store2 big >/dev/null 2>&1 &
    killed=$!
    sleep $delay
    kill -9 $killed 2>/dev/null
    wait $killed 2>/dev/null
    for blob in store2/blobs/sha256/*; do
        [ -e "$blob" ] || continue
        [ "$(sha256sum <"$blob" | cut -d' ' -f1)" = "${blob##*/}" ] || { sound=no; diag "after $delay s: a partial blob"; }
    done
    [ "$("$layers" write store2 big)" = "$(cat line)" ] || { sound=no; diag "after $delay s: another digest"; }
done
is $sound yes "a blob is whole or not there, whenever its maker is killed"

# --- a full disk -------------------------------------------------------------------------------------------------------
cat >full.sh <<'END'
mkdir -p small && mount -t tmpfs -o size=6m tmpfs small || exit 9
mkdir -p small/store/blobs && cp -r store/blobs/sha256 small/store/blobs/ || exit 8
"$1" tree small/store "$2" "$3"
status=$?
ls small/store/trees small/store/tmp small/store/cache/index | grep -v ':$' | grep . >&2 && echo "something is left" >&2
df small | tail -1 >&2
"$1" index small/store "$2" "$3" >/dev/null || exit 7
exit $status
END
t "a full disk is told" expect_fail "No space left on device" unshare -m sh full.sh "$layers" "$digest" "$diffid"
cp "$T/err" full.err
t "... and nothing is left" lacks full.err "something is left"
cat >full2.sh <<'END'
mkdir -p small && mount -t tmpfs -o size=2m tmpfs small || exit 9
exec "$1" write small/store big
END
t "a full disk while writing is told" expect_fail "write a layer: write: No space left on device" unshare -m sh full2.sh "$layers"

# --- a store on an overlay: no device 0:0 can be made there ---------------------------------------------------------------
cat >nested.sh <<'END'
set -e
mkdir -p n/l n/u n/w n/m base/dir view upper/dir && cd n
mount -t tmpfs tmpfs u && mkdir u/u u/w
mount -t overlay overlay -o lowerdir=l,upperdir=u/u,workdir=u/w m
cd ..
mknod n/m/try c 0 0 2>/dev/null && { echo "devices 0:0 can be made on an overlay"; exit 9; }
echo a >base/gone; echo b >base/dir/gone; echo c >base/dir/stays
mknod upper/gone c 0 0; mknod upper/dir/gone c 0 0; echo n >upper/dir/new
set -- "$1" $("$1" upper n/m/store upper)
tree=$("$1" tree n/m/store "$3" "$2")
test -f "$tree/gone" && test -f "$tree/dir/gone"
mount -t overlay overlay -o "lowerdir=$tree:base,userxattr" view
(cd view && find . | LC_ALL=C sort | tr '\n' ' ')
# and the tree reads as the same layer
again=$("$1" upper n/m/store "$tree" | cut -d' ' -f1)
[ "$again" = "$2" ] || { echo "the tree's own layer is $again, not $2" >&2; exit 1; }
END
if can overlay; then
    t "a store on an overlay: whiteouts are attributes" unshare -m sh nested.sh "$layers"
    cp "$T/out" seen
    t "... and hide" has seen ". ./dir ./dir/new ./dir/stays"
else
    skip "a store on an overlay" "$why"
fi
