#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cache-mounts=true: the contents of RUN --mount=type=cache go along with --cache-to and come with --cache-from.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need jq overlay umoci

wipe() { rm -rf "$SLIPWAY_ROOT" || remove_tree "$SLIPWAY_ROOT"; busybox_image base:1; }
manifest() { echo "$1/blobs/sha256/$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "latest").digest | ltrimstr("sha256:")' "$1/index.json")"; }
config() { echo "$1/blobs/sha256/$(jq -r '.config.digest | ltrimstr("sha256:")' "$(manifest "$1")")"; }
t "a base image" busybox_image base:1
mkdir ctx
cat >ctx/Dockerfile <<'D'
FROM base:1
ARG N
RUN --mount=type=cache,target=/c,id=deps,uid=7,gid=8,mode=0750 --mount=type=cache,target=/p,sharing=private \
    echo "$N: $(cat /c/log 2>/dev/null) $(cat /c/deep/secretish 2>/dev/null)" >/seen; \
    if [ ! -e /c/log ]; then echo first >/c/log; mkdir -p /c/deep; echo kept >/c/deep/secretish; chmod 600 /c/deep/secretish; \
    ln /c/log /c/hard; ln -s log /c/soft; chown 12:13 /c/deep; touch -d '2001-02-03 04:05:06' /c/log; echo p >/p/p; fi; \
    stat -c '%a %u %g' /c /c/deep/secretish /c/deep >>/seen; stat -c '%Y %h' /c/log >>/seen; readlink /c/soft >>/seen
D
seen() { slipway build -o type=tar --build-arg N="$1" ${2:+--cache-from "$2"} ctx 2>"$T/err" | tar -xO seen; }

t "written along" slipway build -t app:1 --build-arg N=0 --cache-to type=local,dest=dir,cache-mounts=true ctx
t "... one layer each" json "$(config dir)" '[.mounts[].id] | sort == ["/p", "deps"]'
t "... that is a tar of its files" sh -c 'zcat "dir/blobs/sha256/$(jq -r ".mounts[] | select(.id == \"deps\").layer | ltrimstr(\"sha256:\")" "$1")" | tar -tv --numeric-owner | grep -q "^-rw------- 0/0 .* deep/secretish$"' sh "$(config dir)"
first=$(cat "$(manifest dir)")
t "again" slipway build -t app:1 --build-arg N=0 --cache-to type=local,dest=dir,cache-mounts=true ctx
is "$(cat "$(manifest dir)" | jq -c '[.layers[].digest] | sort')" "$(echo "$first" | jq -c '[.layers[].digest] | sort')" "... a remembered step's mounts go along, with the same digests"
t "not asked for" slipway build -t app:1 --build-arg N=0 --cache-to type=local,dest=plain ctx
t "... not written" json "$(config plain)" '.mounts == null'

want=$(printf '1: first kept\n750 7 8\n600 0 0\n755 12 13\n981173106 2\nlog\n')
wipe
is "$(seen 1 type=local,src=dir,cache-mounts=true)" "$want" "an empty host has the contents, modes, owners, times and links"
wipe
is "$(seen 1 type=local,src=dir)" "$(printf '1:  \n750 7 8\n600 0 0\n755 12 13\n981173106 2\nlog\n')" "without cache-mounts=true it begins empty"
is "$(seen 2 type=local,src=dir,cache-mounts=true | head -n 1)" "2: first kept" "a cache that is there stays"
slipway build -t x:1 --build-arg N=3 - >/dev/null 2>&1 <<'D'
FROM base:1
ARG N
RUN --mount=type=cache,target=/c,id=deps,uid=7,gid=8,mode=0750 echo mine >/c/log
D
is "$(seen 4 type=local,src=dir,cache-mounts=true | head -n 1)" "4: mine kept" "... and keeps what it has"

# --- carried on by a host that never opened them
wipe
t "remembered, and written on" slipway build -t app:1 --build-arg N=0 --cache-from type=local,src=dir,cache-mounts=true --cache-to type=local,dest=on,cache-mounts=true ctx
is "$(jq -c '.mounts' "$(config on)")" "$(jq -c '.mounts' "$(config dir)")" "... the mounts go on as they came"

# --- bounds, damage
wipe
cat >big.Dockerfile <<'D'
FROM base:1
RUN --mount=type=cache,target=/big dd if=/dev/urandom of=/big/f bs=1024 count=200 2>/dev/null
RUN --mount=type=cache,target=/small echo small >/small/f
D
t "cache-mounts-max-size" slipway build -f big.Dockerfile -t big:1 --cache-to type=local,dest=big,cache-mounts=true,cache-mounts-max-size=100k ctx
t "... is told" has "$T/err" 'cache mount /big does not go along'
t "... the others go" json "$(config big)" '[.mounts[].id] == ["/small"]'
for layer in $(jq -r '.mounts[].layer | ltrimstr("sha256:")' "$(config dir)"); do
    printf x | dd of="dir/blobs/sha256/$layer" bs=1 seek=30 conv=notrunc 2>/dev/null
done
wipe
t "damaged contents" slipway build -t app:1 --build-arg N=9 --cache-from type=local,src=dir,cache-mounts=true ctx
t "... begin empty, with a warning" has "$T/err" 'begins without what the cache has'

# --- as an ordinary user
if can user; then
    cp -r ctx "$USER_HOME/ctx" && cp "$T/busybox.tar" "$USER_HOME/b.tar" && chmod -R a+rX "$USER_HOME/ctx" "$USER_HOME/b.tar"
    t "a user's base" as_user slipway import "$USER_HOME/b.tar" base:1
    t "a user writes" as_user slipway build -t app:1 --build-arg N=0 --cache-to "type=local,dest=$USER_HOME/dir,cache-mounts=true" "$USER_HOME/ctx"
    t "... on an empty host" as_user sh -c 'mv "$SLIPWAY_ROOT" "$SLIPWAY_ROOT.old" && slipway import ~/b.tar base:1'
    as_user slipway build -o type=tar,dest="$USER_HOME/o.tar" --build-arg N=1 --cache-from "type=local,src=$USER_HOME/dir,cache-mounts=true" "$USER_HOME/ctx" >/dev/null 2>"$T/err"
    is "$(tar -xOf "$USER_HOME/o.tar" seen)" "$want" "... reads the same, owners too"
else
    skip "as an ordinary user" "$why"
fi
