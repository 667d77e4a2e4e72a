#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Layers go to the registry while later steps run: the last step holds until the test has seen them there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need registry skopeo jq curl python3 busybox

put_blobs() { requests "\"PUT /v2/$1/blobs/uploads/[^ ]* HTTP[^\"]*\" 201"; }
sent_twice() { grep -o "\"PUT /v2/$1/blobs/uploads/[^ ]*digest=[^ &\"]*" "$REGISTRY_LOG" | sed 's/.*digest=//' | sort | uniq -d; }
have_blobs() { [ "$(put_blobs "$1")" -ge "$2" ]; }
no_tags() { ! curl -sf "http://$1/tags/list" >/dev/null && [ "$(requests '"PUT /v2/[^ ]*/manifests/')" -eq "$2" ]; }
digest_at() { skopeo inspect --raw --tls-verify=false "docker://$1" | sha256sum | sed 's/^/sha256:/; s/ .*//'; }
whole_at() {
    rm -rf "$T/copy"
    skopeo --insecure-policy copy -q --all --preserve-digests --src-tls-verify=false "docker://$1" "oci:$T/copy:x"
}
# Is the text in a blob of the registry, compressed or not?
registry_has() { find "$REGISTRY_DIR/data" -path '*/blobs/sha256/*' -name data -exec sh -c 'gzip -dc "$1" 2>/dev/null || cat "$1"' sh {} \; | grep -aq -e "$1"; }
puts_of_manifests() { requests '"PUT /v2/[^ ]*/manifests/'; }
# open_gate N: what a step waits for with `gate N`
open_gate() { skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$T/gate:x" "docker://$REGISTRY/gate$1:x"; }
gate() { echo "until wget -q -O /dev/null http://$REGISTRY/v2/gate$1/tags/list; do sleep 0.1; done"; }
# begin COMMAND…: in the background, to $T/b.out and $T/b.err
begin() { "$@" >"$T/b.out" 2>"$T/b.err" & begun=$!; }
end() {
    wait "$begun"
    end_status=$?
    sed 's/^/b.err: /' "$T/b.err" >&2
    return $end_status
}
not_well() { ! "$@"; }
running() { kill -0 "$begun"; }

t "the registry" start_registry
t "a gate" python3 "$SOURCE_DIR/tests/fake/mkimage.py" "$T/gate" x --seed gate --layer 100
t "a base image" busybox_image base:1
mkdir ctx
head -c 3000000 /dev/urandom >ctx/random
export SOURCE_DATE_EPOCH=1700000000

# --- the last step waits until the layers before it are there
cat >ctx/Dockerfile <<EOF
FROM base:1 AS tools
RUN echo tools >/tools
FROM base:1 AS below
COPY random /random
FROM below
RUN echo one >/one
COPY --from=tools /tools /tools
RUN $(gate 1); echo last >/last
EOF
begin slipway build --push -t "$REGISTRY/team/app:1" ctx
t "the base's layer, two COPY's and a RUN's arrive while the last step runs" wait_for 30 have_blobs team/app 4
t "... it does run" running
t "... nothing has a name" no_tags "$REGISTRY/v2/team/app" 0
open_gate 1
manifests=$(puts_of_manifests)
t "the build ends well" end
is "$(put_blobs team/app)" 6 "five layers and the config were sent"
is "$(sent_twice team/app)" "" "... each once"
is "$(requests '"POST /v2/team/app/blobs/uploads/')" 6 "... in as many sessions"
is "$(puts_of_manifests)" $((manifests + 1)) "... and one manifest"
t "skopeo reads all of it" whole_at "$REGISTRY/team/app:1"
is "$(jq '.layers | length' "$T/copy/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$T/copy/index.json")")" 5 "it has five layers"
t "pushed once more, by hand" slipway push "$REGISTRY/team/app:1" "$REGISTRY/by/hand:1"
is "$(digest_at "$REGISTRY/by/hand:1")" "$(digest_at "$REGISTRY/team/app:1")" "it is the same image"

# --- nothing to do
heads=$(requests '"HEAD /v2/team/app/blobs/')
t "all remembered" slipway build --push -t "$REGISTRY/team/app:1" ctx
is "$(requests '"HEAD /v2/team/app/blobs/')" "$heads" "asks after no blob"
is "$(put_blobs team/app)" 6 "... and sends none"

# --- a build that fails leaves blobs at most
manifests=$(puts_of_manifests)
cat >ctx/fail.Dockerfile <<EOF
FROM base:1
RUN echo fail >/fail
RUN $(gate 2); exit 3
EOF
begin slipway build --push -f ctx/fail.Dockerfile -t "$REGISTRY/team/fail:1" ctx
t "a build whose last step will fail sends layers" wait_for 30 have_blobs team/fail 1
open_gate 2
manifests=$((manifests + 1))
t "... and fails" not end
t "... for its own reason" has "$T/b.err" "exit status 3"
t "... without a name or a manifest" no_tags "$REGISTRY/v2/team/fail" "$manifests"

# --- two names of two repositories, and of one
cat >ctx/two.Dockerfile <<EOF
FROM base:1
RUN echo two >/two
RUN $(gate 3); echo last >/last
EOF
begin slipway build --push -f ctx/two.Dockerfile -t "$REGISTRY/one/app:1" -t "$REGISTRY/one/app:2" -t "$REGISTRY/two/app:1" ctx
arrived() { [ $(($(put_blobs one/app) + $(put_blobs two/app) + $(requests '"POST /v2/(one|two)/app/[^ ]*mount=[^ ]* HTTP[^"]*" 201'))) -ge 4 ]; }
t "two repositories get layers while the build runs" wait_for 30 arrived
t "... it does run" running
open_gate 3
t "... and it ends well" end
is "$(sent_twice one/app)$(sent_twice two/app)" "" "no blob is sent twice"
for name in one/app:1 one/app:2 two/app:1; do
    t "$name is whole" whole_at "$REGISTRY/$name"
done
is "$(digest_at "$REGISTRY/one/app:1")" "$(digest_at "$REGISTRY/two/app:1")" "they are the same"

# --- a registry that sweeps away what no manifest names
sed 's/gate3/gate8/; s/echo two/echo swept/' ctx/two.Dockerfile >ctx/swept.Dockerfile
begin slipway build --push -f ctx/swept.Dockerfile -t "$REGISTRY/swept/app:1" ctx
t "layers arrive" wait_for 30 sh -c 'find "$1"/data/docker/registry/v2/repositories/swept/app/_layers -name link 2>/dev/null | wc -l | grep -qx 2' sh "$REGISTRY_DIR"
rm -rf "$REGISTRY_DIR/data/docker/registry/v2/repositories/swept/app/_layers"
open_gate 8
t "the build ends well" end
t "... and says that it sent them again" has "$T/b.err" "sent again"
t "... the image is whole" whole_at "$REGISTRY/swept/app:1"

# --- killed while layers go
sed 's/gate3/gate10/; s/echo two/echo killed/' ctx/two.Dockerfile >ctx/killed.Dockerfile
begin slipway build --push -f ctx/killed.Dockerfile -t "$REGISTRY/killed/app:1" ctx
t "layers arrive" wait_for 30 sh -c 'find "$1"/data/docker/registry/v2/repositories/killed/app/_layers -name link 2>/dev/null | wc -l | grep -qx 2' sh "$REGISTRY_DIR"
kill -9 "$begun"
t "the build is killed" not_well end
t "... and nothing has a name" not curl -sf "http://$REGISTRY/v2/killed/app/manifests/1"
open_gate 10
t "the next one goes on" slipway build --push -f ctx/killed.Dockerfile -t "$REGISTRY/killed/app:1" ctx
is "$(sent_twice killed/app)" "" "... and sends nothing twice"
t "... the image is whole" whole_at "$REGISTRY/killed/app:1"

# --- layers in another codec
t "zstd layers" slipway build -f ctx/two.Dockerfile --no-cache -o "type=registry,name=$REGISTRY/zstd/app:1,compression=zstd" ctx
t "... are whole" whole_at "$REGISTRY/zstd/app:1"
is "$(sent_twice zstd/app)" "" "... and sent once"
t "force-compression" slipway build -f ctx/two.Dockerfile --no-cache -o "type=registry,name=$REGISTRY/zstd/all:1,compression=zstd,compression-level=7,force-compression=true" ctx
t "... is whole" whole_at "$REGISTRY/zstd/all:1"
is $(($(put_blobs zstd/all) + $(requests '"POST /v2/zstd/all/[^ ]*mount=[^ ]* HTTP[^"]*" 201'))) 4 "... and sends what it made, no layer that it was made of"

# --- a secret in a layer
printf 'very-secret-value-1234' >key
cat >ctx/secret.Dockerfile <<EOF
FROM base:1
RUN echo before >/before
RUN --mount=type=secret,id=key cp /run/secrets/key /leak
RUN sleep 1
EOF
manifests=$(puts_of_manifests)
t "a step that keeps a secret fails" expect_fail "secret key" slipway build --push -f ctx/secret.Dockerfile --secret id=key,src=key -t "$REGISTRY/team/secret:1" ctx
t "... and its layer did not go" not registry_has very-secret-value-1234
is "$(put_blobs team/secret)" 0 "... nor any other: all is searched first"
t "... (a layer that went is found)" registry_has tools
t "... nor a manifest" no_tags "$REGISTRY/v2/team/secret" "$manifests"

# --- an ordinary user
if can user && can userns; then
    as_user true
    cp -r ctx "$USER_HOME/ctx"
    cp "$T/busybox.tar" "$USER_HOME/"
    sed "s/gate1/gate9/" ctx/Dockerfile >"$USER_HOME/ctx/Dockerfile"
    chown -R "$(stat -c %u "$USER_HOME")" "$USER_HOME/ctx"
    as_user slipway import "$USER_HOME/busybox.tar" base:1 >/dev/null
    begin as_user SOURCE_DATE_EPOCH=1700000000 slipway build --push -t "$REGISTRY/user/app:1" "$USER_HOME/ctx"
    t "an ordinary user's layers arrive while the last step runs" wait_for 30 have_blobs user/app 4
    t "... it does run" running
    open_gate 9
    t "... and it ends well" end
    is "$(sent_twice user/app)" "" "... each sent once"
    t "... whole" whole_at "$REGISTRY/user/app:1"
else
    skip "an ordinary user's layers arrive while the last step runs" "$why"
fi

# --- a registry that fails on command
fake_registry() {
    rm -f "$T/fake.json"
    start "$T/fake.out" python3 "$SOURCE_DIR/tests/fake/registry.py" --ready "$T/fake.json" --log "$T/fake.log" "$@"
    wait_for 10 test -s "$T/fake.json" && FAKE=127.0.0.1:$(jq -r .port "$T/fake.json")
}
t "a faulty registry" fake_registry
rules() { curl -sSf -d "$1" "http://$FAKE/_rules" >/dev/null && curl -sSf -d '' "http://$FAKE/_log" >/dev/null; }
logged() { curl -sSf "http://$FAKE/_log" | jq -r "[.[] | select($1)] | length"; }
seen() { [ "$(logged "$1")" -ge "$2" ]; }
fake_file() { printf 'FROM base:1\nRUN echo %s >/one\nRUN %s; echo last >/last\n' "$1" "$(gate "$1")" >ctx/fake.Dockerfile; }

fake_file 4
rules '[{"method": "PUT", "path": "/blobs/uploads/", "status": 403, "times": 1}]'
begin slipway -v build --push -f ctx/fake.Dockerfile -t "$FAKE/app:1" ctx
t "one layer is refused early" wait_for 30 seen '.method == "PUT" and .status == 403' 1
t "... the other is taken" wait_for 30 seen '.method == "PUT" and .status == 201' 1
t "... the build goes on" running
open_gate 4
t "... and ends well" end
t "... the failure was a debug line" has "$T/b.err" "did not go before its image"
t "... and no failed step" lacks "$T/b.err" ERROR
is "$(logged '.method == "PUT" and .status == 201 and (.path | test("/blobs/uploads/"))')" 4 "the push sent what was missing, and no more"
t "the image is whole" whole_at "$FAKE/app:1"

fake_file 5
rules '[{"method": "PUT", "path": "/blobs/uploads/", "status": 403}]'
begin slipway build --push -f ctx/fake.Dockerfile -t "$FAKE/no:1" ctx
t "what cannot be mounted is refused early" wait_for 30 seen '.method == "PUT" and .status == 403' 1
t "... the build goes on" running
open_gate 5
t "... and the push fails" not end
t "... with the reason" has "$T/b.err" "push to $FAKE/no:1"
is "$(logged '.method == "PUT" and (.path | test("/manifests/"))')" 0 "... and without a manifest"

fake_file 6
rules '[{"method": "PUT", "path": "/blobs/uploads/", "delay": 60}]'
cat >ctx/stuck.Dockerfile <<EOF
FROM base:1
RUN echo 6 >/one
RUN $(gate 6); exit 3
EOF
begin slipway build --push -f ctx/stuck.Dockerfile -t "$FAKE/stuck:1" ctx
t "an upload hangs" wait_for 30 seen '.method == "POST"' 2
begun_s=$(date +%s)
open_gate 6
t "the build fails" not end
t "... and does not wait for it" [ $(($(date +%s) - begun_s)) -lt 20 ]
t "... for its own reason" has "$T/b.err" "exit status 3"

# --- ECR: layers go before the end there too; a repository that is missing is told at the end, by its own words
t "an ECR" fake_registry --ecr --auth basic --immutable --location relative --repo there
mkdir -p "$HOME/.docker"
printf '{"auths":{"%s":{"auth":"%s"}}}' "$ECR_HOST" "$(printf 'AWS:secret' | base64 -w 0)" >"$HOME/.docker/config.json"
export SLIPWAY_REGISTRY_ENDPOINT="$ECR_HOST=http://$FAKE"
fake_file 7
rules '[]'
begin slipway build --push -f ctx/fake.Dockerfile -t "$ECR_HOST/there:1" ctx
t "layers arrive while the last step runs" wait_for 30 seen '.method == "PUT" and .status == 201' 2
t "... it does run" running
open_gate 7
t "... and it ends well" end
is "$(logged '.method == "PUT" and .status == 201 and (.path | test("/blobs/uploads/"))')" 4 "each blob is sent once"
rules '[]'
t "a repository there is not" expect_fail "create the repository first" slipway build --push --no-cache -f ctx/fake.Dockerfile -t "$ECR_HOST/none/such:1" ctx
is "$(logged '.method == "PUT"')" 0 "... gets nothing"
t "the same tag again" slipway build --push -f ctx/fake.Dockerfile -t "$ECR_HOST/there:1" ctx
is "$(logged '.path | test("/there/blobs/")')" 0 "... asks after no blob"
