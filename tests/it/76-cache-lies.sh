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

# --- what a step stood on counts, though its definition is the same ---

mkdir -p ctx
cat >Dockerfile <<'D'
FROM base:1
RUN cat /proc/sys/kernel/random/uuid >/t
RUN cat /t >/u
D
agree() { [ -n "$(text "$1" t)" ] && is "$(text "$1" t)" "$(text "$1" u)"; }
t "a chain" slipway build -q -t m:1 -f Dockerfile ctx
t "... is one" agree m:1
first=$(text m:1 t)
layer=$(jq -r '.layers[1].digest' "$(blob "$(manifest m:1)")")
rm -f "$(blob "$layer")"
t "its first layer is lost" slipway build -q -t m:2 -f Dockerfile ctx
t "... and made again" not is "$(text m:2 t)" "$first"
t "... and so is what stood on it" agree m:2
sed -i 's/^RUN cat .t.*/RUN false/' Dockerfile
t "made again without the cache, and failing later" expect_fail 'exit status 1' slipway build -q --no-cache -t m:3 -f Dockerfile ctx
sed -i 's/^RUN false/RUN cat \/t >\/u/' Dockerfile
t "... then as it was" slipway build -q -t m:3 -f Dockerfile ctx
t "... is one again" agree m:3

# A stage that is made again for one copy is not remembered for the other.
cat >Dockerfile <<'D'
FROM base:1 AS s
RUN cat /proc/sys/kernel/random/uuid | tee /a >/b
FROM base:1
COPY --from=s /a /t
COPY --from=s /b /u
D
t "two copies of one stage" slipway build -q -t m:4 -f Dockerfile ctx
t "... agree" agree m:4
printf 'FROM base:1\nRUN cat /proc/sys/kernel/random/uuid | tee /a >/b\n' >other
slipway build -q --no-cache -t s:1 -f other ctx >/dev/null
sed -i 's#^COPY --from=s /b /u#COPY --from=s --chmod=600 /b /u#' Dockerfile
t "one of them changes, after the stage was made again elsewhere" slipway build -q -t m:5 -f Dockerfile ctx
t "... they agree" agree m:5

# Words with blanks are not several words.
cat >Dockerfile <<'D'
FROM base:1 AS s
RUN touch "/a b" /a /b
FROM base:1
COPY --from=s ["a b", "/c/"]
D
t "a name with a blank" slipway build -q -t m:6 -f Dockerfile ctx
is "$(names m:6)" "c/a b " "... is one file"
sed -i 's#^COPY.*#COPY --from=s a b /c/#' Dockerfile
t "two names" slipway build -q -t m:7 -f Dockerfile ctx
is "$(names m:7)" "c/a c/b " "... are two"

# What a cache mount begins with is part of the step.
printf 'FROM base:1 AS s\nRUN mkdir /d && echo 1 >/d/f\nFROM base:1\nRUN --mount=type=cache,target=/c,from=s,source=/d cat /c/f >/n\n' >Dockerfile
t "a cache that begins with a stage's files" slipway build -q -t m:8 -f Dockerfile ctx
sed -i 's/echo 1/echo 2/' Dockerfile
t "... other files" slipway build --progress plain -t m:8 -f Dockerfile ctx
is "$(grep -c '^#[0-9]* DONE' "$T/err")" 2 "... are a miss"
