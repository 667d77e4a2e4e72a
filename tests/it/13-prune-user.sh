#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An ordinary user's store holds files of subordinate ids: du counts them and prune removes them all the same.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
export T
need user subids userns overlay busybox jq

busybox_image base:1 && slipway save -o base.tar base:1 || { echo "Bail out! no base image"; exit 1; }
make_user 2>/dev/null
mkdir -p "$T/user/ctx"
cp base.tar "$T/user/"
cat >"$T/user/ctx/Dockerfile" <<'D'
FROM base:1
RUN mkdir -m 700 /mine && head -c 1000000 /dev/urandom >/mine/big && chown -R 1000:1000 /mine && chmod 000 /mine
D
[ "$(id -u)" -eq 0 ] && chown -R "$test_user:" "$T/user"
chmod 755 "$T"
t "a build" as_user sh -c 'slipway load -i "$HOME/base.tar" && slipway build -t own:1 "$HOME/ctx"'
as_user slipway du --json >du.json 2>du.err
real=$(du -s --block-size=1 "$T/user/store" | cut -f1)
if [ "$(id -u)" -eq 0 ]; then
    is "$(jq .bytes du.json)" "$real" "du is what root's du sees"
fi
t "du sees into all of it" test ! -s du.err
t "prune while it has its name" as_user sh -c 'slipway prune && slipway inspect own:1 >/dev/null'
t "the tree is there" sh -c 'test -n "$(ls "$T/user/store/trees")"'
t "prune after it lost it" as_user sh -c 'slipway rm own:1 base:1 && slipway prune'
is "$(as_user ls -A "$T/user/store/trees" "$T/user/store/tmp" "$T/user/store/blobs/sha256" | grep -cE '^[0-9a-f]{64}$')" 0 "nothing is left"
t "du agrees" as_user sh -c 'slipway du --json | jq -e ".trees.count == 0 and .blobs.count == 0"'
