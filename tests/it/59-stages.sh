#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stages: those that do not need each other run at once, equal steps run once, a failure ends the others, ONBUILD fires.
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq

manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
config() { blob "$(jq -r .config.digest "$(blob "$(manifest "$1")")")"; }
file_in() { # IMAGE PATH
    for digest in $(jq -r '.layers[].digest' "$(blob "$(manifest "$1")")"); do tar -xOzf "$(blob "$digest")" "$2" 2>/dev/null; done
}

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
mkdir ctx
echo data >ctx/data

# A server that answers only when two have come: stages one after the other would wait in vain.
start barrier.log python3 "$SOURCE_DIR/tests/fake/barrier.py"
wait_for 10 test -s barrier.log
port=$(cat barrier.log)
cat >ctx/Dockerfile <<D
FROM base:1 AS left
RUN timeout 20 nc 127.0.0.1 $port </dev/null >/left
FROM base:1 AS right
RUN timeout 20 nc 127.0.0.1 $port </dev/null >/right # the other one
FROM base:1
COPY --from=left /left /left
COPY --from=right /right /right
D
t "stages that do not need each other run at the same time" slipway build --jobs 2 -t two:1 ctx
is "$(file_in two:1 left)/$(file_in two:1 right)" "both are here/both are here" "each met the other"
digest=$(manifest two:1)
t "again, all remembered" slipway --progress plain build --jobs 1 -t two:1 ctx
is "$(manifest two:1)" "$digest" "with any --jobs the same image"

cat >ctx/Dockerfile <<'D'
FROM base:1 AS one
RUN cat /proc/sys/kernel/random/uuid >/id
FROM base:1 AS two
RUN cat /proc/sys/kernel/random/uuid >/id
FROM base:1
COPY --from=one /id /one
COPY --from=two /id /two
D
t "two stages with the same step" slipway build --no-cache --jobs 2 -t same:1 ctx
is "$(file_in same:1 one)" "$(file_in same:1 two)" "it ran once"

cat >ctx/Dockerfile <<'D'
FROM base:1 AS slow
RUN sleep 30
FROM base:1 AS broken
RUN sleep 0.3; echo no luck; exit 3
FROM base:1
COPY --from=slow /etc/passwd /a
COPY --from=broken /etc/passwd /b
D
begun=$(date +%s)
t "one fails, and is told with its place" expect_fail 'Dockerfile:4: the command failed with exit status 3' slipway build --jobs 2 -t failed:1 ctx
t "and what it said" has "$T/err" 'no luck'
t "the other was not waited for" [ $(($(date +%s) - begun)) -lt 15 ]

# --- ONBUILD ---
cat >ctx/Dockerfile <<'D'
FROM base:1 AS tools
RUN echo tool >/tool
FROM base:1 AS mother
ONBUILD ARG WHO=nobody
ONBUILD COPY data /from-context
ONBUILD COPY --from=tools /tool /from-stage
ONBUILD RUN <<E
echo "$WHO" >/who
E
FROM mother
ENV OWN=1
RUN echo after >/after
D
t "triggers of an earlier stage fire, and bring in a stage of their own" slipway build -t child:1 --build-arg WHO=me ctx
is "$(file_in child:1 from-context)-$(file_in child:1 from-stage)-$(file_in child:1 who)-$(file_in child:1 after)" data-tool-me-after "each in its turn"
t "they are gone after firing" json "$(config child:1)" '.config.OnBuild == null or .config.OnBuild == []'
t "the mother keeps them" slipway build -t mother:1 --target mother ctx
t "as they were written" json "$(config mother:1)" '.config.OnBuild == ["ARG WHO=nobody","COPY data /from-context","COPY --from=tools /tool /from-stage","RUN <<E\necho \"$WHO\" >/who\nE"]'
cat >ctx/Dockerfile <<'D'
FROM base:1 AS tools
RUN echo other >/tool
FROM mother:1
D
t "triggers of an image fire" slipway build -t child:2 ctx
is "$(file_in child:2 from-stage)-$(file_in child:2 who)" other-nobody "against the stages of this Dockerfile"
printf 'FROM mother:1\n' >ctx/Dockerfile
t "a trigger that cannot be carried out is told with its place" expect_fail "mother:1's ONBUILD:3: " slipway build ctx

# --- definitions: a hit looks at no layer ---
cat >ctx/Dockerfile <<'D'
FROM base:1 AS tools
WORKDIR /work
COPY data /work/
RUN cat data >made
FROM base:1
WORKDIR /srv
COPY --from=tools /work/made .
RUN cat made >seen
D
t "a file with everything in it" slipway build -t defined:1 ctx
digest=$(manifest defined:1)
rm -rf "$SLIPWAY_ROOT/cache/index" "$SLIPWAY_ROOT/trees"/*
t "all of it is remembered" slipway --progress plain build -t defined:1 ctx
is "$(grep -c CACHED "$T/err")/$(grep -c DONE "$T/err")" 3/0 "and of the first stage nothing is asked"
is "$(manifest defined:1)" "$digest" "the image is the same"
is "$(find "$SLIPWAY_ROOT/trees" "$SLIPWAY_ROOT/cache/index" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" 0 "no layer was looked into for it"
touch -d @1000000000 ctx/data
t "other times are no change" slipway --progress plain build -t defined:1 ctx
is "$(grep -c CACHED "$T/err")/$(grep -c DONE "$T/err")" 3/0 "all of it is remembered"
sed -i 's/cat data/cat  data/' ctx/Dockerfile
t "a stage defined in other words" slipway --progress plain build -t defined:2 ctx
is "$(grep -c DONE "$T/err")" 1 "is made again, and what it gave is the same, so the rest is remembered"
is "$(manifest defined:2)" "$digest" "the image is the same"
t "and is from then on, by definition" slipway --progress plain build -t defined:2 ctx
is "$(grep -c CACHED "$T/err")/$(grep -c DONE "$T/err")" 3/0 "all of it"
echo other >ctx/data
t "another content" slipway --progress plain build -t defined:3 ctx
is "$(grep -c DONE "$T/err")" 4 "makes what depends on it"
is "$(file_in defined:3 srv/seen)" other "and it is there"
