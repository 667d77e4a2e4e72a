#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two copies that differ never share a layer, also when nobody read their files before and both are of one build.
. "$(dirname "$0")/../lib.sh"
need busybox jq

manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
# names IMAGE: what its layers above the base hold
names() {
    for digest in $(jq -r '.layers[1:][].digest' "$(blob "$(manifest "$1")")"); do tar -tzf "$(blob "$digest")"; done | grep -v '/$' | sort -u | tr '\n' ' '
}
text() { # IMAGE PATH
    for digest in $(jq -r '.layers[1:][].digest' "$(blob "$(manifest "$1")")"); do tar -xOzf "$(blob "$digest")" "$2" 2>/dev/null; done
}

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
# both LINES-OF-A LINES-OF-B: two targets of one build, from a context that is new
both() {
    rm -rf ctx one two
    mkdir -p ctx/d one two
    head -c 30000000 /dev/urandom >ctx/f
    head -c 30000000 /dev/urandom >ctx/d/keep
    echo text >ctx/d/leave.md
    { echo 1; head -c 30000000 /dev/urandom; } >one/n
    { echo 2; head -c 30000000 /dev/urandom; } >two/n
    date +%N >ctx/d/now
    { echo 'FROM base:1 AS a'; printf '%b\n' "$1"; echo 'FROM base:1 AS b'; printf '%b\n' "$2"; } >Dockerfile
    slipway build -q --jobs 2 --build-context one=one --build-context two=two --target a=a:1 --target b=b:1 -f Dockerfile ctx >out 2>log || sed 's/^/# /' log
}
both 'WORKDIR /etc\nCOPY f .' 'WORKDIR /var\nCOPY f .'
is "$(names a:1)/$(names b:1)" 'etc/f /var/f ' 'the working directory'
both 'COPY d /x/' 'COPY --exclude=*.md d /x/'
is "$(names a:1)/$(names b:1)" 'x/keep x/leave.md x/now /x/keep x/now ' '--exclude'
both 'COPY f <<E /x/\none\nE' 'COPY f <<E /x/\ntwo\nE'
is "$(text a:1 x/E)/$(text b:1 x/E)" 'one/two' "a heredoc's text"
both 'COPY --from=one n /x/' 'COPY --from=two n /x/'
is "$(text a:1 x/n | head -n 1)/$(text b:1 x/n | head -n 1)" '1/2' 'the context'
