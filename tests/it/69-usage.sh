#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What steps used: kept in the store, shown by history --usage, in no image; as root and as an ordinary user.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids

export T
D=$USER_HOME/d
mkdir -p "$D"
echo f >"$D/f"
cat >"$D/Dockerfile" <<'E'
FROM base:1
COPY f /f
RUN i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; echo slow >/slow
RUN head -c 40000000 /dev/zero | tail -c 40000000 | wc -c
RUN echo small >/small
E
build() { # NAME OPTIONS…: what it tells as JSON is in $T/raw
    b_name=$1
    shift
    if [ "$who" = root ]; then slipway build --progress rawjson "$@" -t "$b_name" "$D"; else as_user slipway build --progress rawjson "$@" -t "$b_name" "$D"; fi 2>"$T/raw"
}
# what rawjson told of the third step's processor time is what the history has
told() { jq -s --argjson cpu "$1" '[.[].statuses[]? | select(.id == "cpu") | .current] | index($cpu) != null' "$T/raw" | grep -qx true; }
history() { if [ "$who" = root ]; then slipway history "$@"; else as_user slipway history "$@"; fi >"$T/h"; }
everything() {
    who=$1
    t "$who: a build" build x:1
    t "$who: history --usage --json" history --usage --json x:1
    t "$who: a slow command took time, and as much as rawjson told" told "$(jq '.[2].usage.cpu' "$T/h")"
    t "$who: ... more than the others" json "$T/h" '.[2].usage.cpu > 10000 and .[2].usage.cpu > .[0].usage.cpu and .[0].usage.cpu > 0'
    t "$who: a hungry one, whose layer is empty, took memory" json "$T/h" '.[1].usage.memory > 30000000 and .[1].usage.memory < 200000000'
    t "$who: ... the small one less" json "$T/h" '.[0].usage.memory < 30000000 and .[0].usage.read >= 0 and .[0].usage.written >= 0'
    t "$who: what runs no command has none" json "$T/h" 'all(.[3:][]; has("usage") | not) and length > 3'
    cp "$T/h" "$T/h.first"
    t "$who: a build that remembers" build x:2
    t "$who: ... ran nothing" lacks "$T/raw" '"id":"cpu"'
    t "$who: ... tells what it once cost" history --usage --json x:2
    t "$who: ... the same" same "$T/h.first" "$T/h"
    t "$who: without --usage" history --json x:1
    t "$who: ... nothing is told" lacks "$T/h" usage
    t "$who: the list" history --usage x:1
    t "$who: ... has its columns" matches "$T/h" '^CREATED +CREATED BY +SIZE +CPU +MEMORY +READ +WRITTEN +COMMENT'
    t "$who: ... and figures" matches "$T/h" 'RUN.*head -c .* 28B +[0-9]+\.[0-9][0-9]s +[3-9][0-9.]*MB'
    t "$who: the same again, which comes to the same layers" build y:1 --no-cache
    t "$who: ... by its time" history --usage --json y:1
    t "$who: ... as rawjson told it" told "$(jq '.[2].usage.cpu' "$T/h")"
}
t "a base" busybox_image base:1
t "and for the user" user_image base:1
chown -R "$test_user:" "$D"
everything root
everything user
# --- nothing of it leaves the store
t "a store of its own: two builds" sh -c 'export SOURCE_DATE_EPOCH=1700000000
    slipway build --quiet --no-cache -t e:1 "$1" >one && slipway build --quiet --no-cache --cache-to type=local,dest="$2" -t e:2 "$1" >two && cmp one two' sh "$D" "$T/exported"
t "the image does not have it" sh -c 'slipway save -o e.tar e:1 && mkdir e && tar -C e -xf e.tar && ! grep -rlE "cpuUs|\"usage\"" e'
t "nor has an exported cache" sh -c '! grep -rlE "cpuUs|\"usage\"" "$1" && test -s "$1/index.json"' sh "$T/exported"
t "a store that ran nothing" sh -c 'slipway --root "$T/other" load -i e.tar && slipway --root "$T/other" history --usage --json e:1 >h && jq -e "all(.[]; has(\"usage\") | not)" h'
t "equal steps under SOURCE_DATE_EPOCH are told by their text" sh -c 'slipway history --usage --json e:2 >h && jq -e ".[2].usage.cpu > .[0].usage.cpu and .[1].usage.memory > 30000000" h'
