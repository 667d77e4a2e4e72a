#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds at the edge: a full disk, two builds at once, kill -9 at many moments. Nothing half-made may count.
. "$(dirname "$0")/../lib.sh"
need root userns overlay busybox jq

export T
busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
mkdir ctx
head -c 6000000 /dev/urandom >ctx/big
printf 'FROM base:1\nCOPY big /big\n' >copy.Dockerfile
printf 'FROM base:1\nRUN head -c 6000000 /dev/urandom >/big\n' >run.Dockerfile

# A store on a tmpfs that is too small, in a mount namespace of its own.
mkdir small
small() {
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c 'mount -t tmpfs -o size=5m,mode=755 small "$1" && cp -a "$2/." "$1/" && shift 2 && "$@"' sh \
        "$PWD/small" "$T/store" "$@"
}
t "COPY onto a full disk says so" expect_fail 'No space left on device' small slipway --root "$PWD/small" build -f copy.Dockerfile -t x:1 ctx
t "RUN on a full disk fails, its layer too" small sh -c 'slipway --root small build -f run.Dockerfile -t x:1 ctx 2>err; cat err >&2; grep -q "no space left on the store" err'
t "... and leaves no name and no blob that lies" small sh -c '
    slipway --root small build -f copy.Dockerfile -t x:1 ctx 2>/dev/null
    ! grep -q library/x:1 small/index.json || exit 1
    for b in small/blobs/sha256/*; do [ "$(sha256sum <"$b")" = "$(basename "$b")  -" ] || exit 1; done
    [ -z "$(ls small/tmp | grep -v stub)" ]'

cat >both.Dockerfile <<'D'
FROM base:1
RUN for i in 1 2 3 4 5 6 7 8 9; do mkdir -p /d/$i; echo $i >/d/$i/f; done
COPY big /big
RUN rm -r /d/5 && sleep 0.3
D
SOURCE_DATE_EPOCH=1700000000
export SOURCE_DATE_EPOCH
slipway build -q -f both.Dockerfile -t both:1 ctx >one 2>one.err &
a=$!
slipway build -q -f both.Dockerfile -t both:2 ctx >two 2>two.err &
b=$!
t "two builds at once: the first" wait $a
t "... the second" wait $b
t "... give the same image" same one two

# kill -9 at moments spread over a build; then the same build gives the same image as an undisturbed one.
rm -rf "$T/fresh"
for delay in 0.01 0.03 0.06 0.1 0.15 0.2 0.3 0.4; do
    slipway --root "$T/fresh" import -q --change 'CMD ["/bin/sh"]' "$T/busybox.tar" base:1 >/dev/null 2>&1
    slipway --root "$T/fresh" build -q --no-cache -f both.Dockerfile -t both:1 ctx >/dev/null 2>&1 &
    pid=$!
    sleep $delay
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
unset SOURCE_DATE_EPOCH
clean() {
    for b in "$T"/fresh/blobs/sha256/*; do [ "$(sha256sum <"$b")" = "$(basename "$b")  -" ] || return 1; done
}
t "after kill -9 every blob is what its name says" clean
# The base image has another date here (imported without SOURCE_DATE_EPOCH): compare from one import.
t "the build goes through afterwards" sh -c 'SOURCE_DATE_EPOCH=1700000000 slipway --root "$T/fresh" build -q -f both.Dockerfile -t both:1 ctx >three'
layers() { jq -c '[.layers[].digest]' "$1/blobs/sha256/$(sed 's/sha256://' "$2")"; }
is "$(layers "$T/fresh" three)" "$(layers "$T/store" one)" "... to the same layers"
t "nothing unfinished is left" sh -c '! ls "$T/fresh/tmp" | grep -v stub | grep .'
