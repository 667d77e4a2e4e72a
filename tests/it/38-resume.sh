#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Uploads that break in the middle: the line, the process, the server, the login. What the registry acknowledged is not sent
# twice, what comes after is right, and the journal in the store leads the next process to where the last one stopped.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need python3 jq curl skopeo

fake_count=0
# fake ARG…: the faulty registry; $FAKE is its host, $fake_log what it was asked
fake() {
    fake_count=$((fake_count + 1))
    fake_ready=$T/fake$fake_count.json fake_log=$T/fake$fake_count.log
    start "$T/fake$fake_count.out" python3 "$SOURCE_DIR/tests/fake/registry.py" --ready "$fake_ready" --log "$fake_log" "$@"
    wait_for 10 test -s "$fake_ready" || { cat "$T/fake$fake_count.out" >&2; return 1; }
    FAKE=127.0.0.1:$(jq -r .port "$fake_ready")
}
# wire PORT ARG…: a line to that port; $WIRE is its near end
wire() {
    rm -f "$T/wire"
    start "$T/wire.out" python3 "$SOURCE_DIR/tests/fake/wire.py" --ready "$T/wire" --to "$@"
    wait_for 10 test -s "$T/wire" || { cat "$T/wire.out" >&2; return 1; }
    WIRE=127.0.0.1:$(cat "$T/wire")
}
rules() { curl -sSf -d "$1" "http://$FAKE/_rules" >/dev/null && curl -sSf -d '' "http://$FAKE/_log" >/dev/null; }
logged() { curl -sSf "http://$FAKE/_log" | jq -r "$1"; }
count() { logged "[.[] | select($1)] | length"; }
journals() { find "$SLIPWAY_ROOT/cache/uploads" -type f 2>/dev/null | wc -l; }
forget() { rm -rf "$SLIPWAY_ROOT/cache/origins"; }
# at REPO: the digest that this repository of $FAKE holds for tag 1
at() { curl -sSf -I -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$FAKE/v2/$1/manifests/1" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip'; }
# whole REPO: all its blobs are what they say (skopeo reads and hashes them)
whole() {
    rm -rf "$T/read"
    skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$FAKE/$1:1" "dir:$T/read" && is "$(at "$1")" "$digest"
}
# never_twice LOG REPO: no byte that was acknowledged goes again; prints what went
never_twice() {
    python3 - "$1" "$2" <<'PY'
import json, sys
entries = [json.loads(l) for l in open(sys.argv[1])]
acked, total = [], 0  # acked: (when, up to where)
for e in sorted(entries, key=lambda e: e["n"]):
    if not e["path"].startswith(f"/v2/{sys.argv[2]}/blobs/uploads/") or e["method"] not in ("PUT", "PATCH"):
        continue
    span = e["headers"].get("content-range")
    if not span and int(e["headers"].get("content-length", 0)) < 100000:
        continue  # the config
    first = int(span.split("-")[0]) if span else 0
    total += e["body_size"]
    before = max((end for when, end in acked if when < e["begun"]), default=0)
    if first < before and e["body_size"]:
        sys.exit(f"request {e['n']} sends from {first} on, {before} bytes were acknowledged")
    if e["status"] in (201, 202, 204):
        acked.append((e["done"], first + e["body_size"]))
print(total)
PY
}

# --- the source
t "a source" fake --image a:1:1:50000000
src=$FAKE/a:1
t "is in the store" slipway pull -q "$src"
digest=$(jq -r '.images["a:1"].manifest' "$fake_ready")
layer=$(jq -r '.images["a:1"].layers[0]' "$fake_ready")
big='.blobs[] | select(.size == 50000000)'

# --- a line that breaks
t "a registry that keeps what came" fake
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1, "keep": true}]'
t "an upload that breaks at 30 MB" slipway push --json "$src" "$FAKE/a:1"
t "goes on in its session" json "$T/out" "$big | .sessions == 1 and .sent >= 50000000 and .sent < 70000000"
is "$(count '.method == "GET" and (.path | contains("/blobs/uploads/"))')" 1 "after the registry was asked once"
t "from there on" grep -q '"content-range": "30000000-' "$fake_log"
t "in parts" never_twice "$fake_log" a
t "and is whole" whole a
is "$(journals)" 0 "with nothing left to remember"

t "a registry that keeps nothing" fake
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1},
        {"method": "PATCH", "after": 2, "drop_after": 1000000, "times": 1}]'
t "an upload that breaks in its first request and in a part" slipway push --json "$src" "$FAKE/a:1"
t "goes on after the last part that arrived" json "$T/out" "$big | .sessions == 2 and .sent < 130000000"
t "no part that arrived goes again" never_twice "$fake_log" a
t "and is whole" whole a

t "a registry whose session is gone after a break" fake
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1, "keep": true},
        {"method": "GET", "path": "/blobs/uploads/", "status": 404, "body": "{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\",\"message\":\"gone\"}]}", "times": 1}]'
t "an upload that breaks there" slipway push --json "$src" "$FAKE/a:1"
t "begins a second session" json "$T/out" "$big | .sessions == 2"
t "and is whole" whole a

t "a registry that takes no parts" fake
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1}, {"method": "PATCH", "status": 405}]'
t "an upload that breaks there" slipway push --json "$src" "$FAKE/a:1"
t "goes whole in the end" json "$T/out" "$big | .sent >= 80000000"
t "and is whole" whole a

t "a registry that goes away for good" fake
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "status": 503, "headers": {"Retry-After": "0"}},
        {"method": "PATCH", "status": 503, "headers": {"Retry-After": "0"}}]'
t "gives up when nothing gets through" expect_fail "the upload of $layer failed 6 times, nothing more got through" slipway push "$src" "$FAKE/a:1"
t "no manifest went" test "$(count '.method == "PUT" and (.path | contains("/manifests/"))')" -eq 0
t "a journal stays" is "$(journals)" 1
rm -r "$SLIPWAY_ROOT/cache/uploads"

t "a registry that says it has more than was sent" fake
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1, "keep": true},
        {"method": "PATCH", "set": {"Range": "0-99999999", "Retry-After": "0"}}, {"method": "GET", "path": "/blobs/uploads/", "status": 404}]'
t "is not believed for ever" expect_fail "says it has 100000000 bytes of blob $layer" timeout 60 "$SLIPWAY" push "$src" "$FAKE/a:1"
rm -r "$SLIPWAY_ROOT/cache/uploads"

t "a registry whose answer and whose refusal differ" fake
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1, "keep": true},
        {"method": "GET", "path": "/blobs/uploads/", "set": {"Range": "0-34999999"}}]'
t "an upload that breaks there" slipway push --json "$src" "$FAKE/a:1"
t "goes on where the refusal says" json "$T/out" "$big | .sessions == 1"
t "and is whole" whole a

t "a registry that refuses what arrived" fake
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1},
        {"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "status": 400, "body": "{\"errors\":[{\"code\":\"DIGEST_INVALID\",\"message\":\"other bytes\"}]}"}]'
t "is told so" expect_fail 'DIGEST_INVALID: other bytes' slipway push "$src" "$FAKE/a:1"
is "$(count '.method == "PATCH"')" 2 "and does not get it all again and again"
rm -r "$SLIPWAY_ROOT/cache/uploads"

# --- a line with resets of its own
t "a registry behind a bad line" fake --keep --location relative
forget
t "the line" wire "${FAKE##*:}" --reset 20000000,9000000,1000000-5000000,12000000
t "resets at four places" slipway push --json "$src" "$WIRE/a:1"
t "cost no acknowledged byte" never_twice "$fake_log" a
t "and is whole" whole a

# --- ECR's ways: Range stands still, GET is refused, parts have 5 MiB, a broken part is gone
t "a registry like ECR" fake --ecr --repo shop --location relative
forget
ecr_config() {
    mkdir -p "$HOME/.docker"
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$ECR_HOST" "$(printf 'AWS:%s' "$ECR_PASSWORD" | base64 -w0)" >"$HOME/.docker/config.json"
}
t "its login" ecr_config
export SLIPWAY_REGISTRY_ENDPOINT="$ECR_HOST=http://$FAKE"
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 30000000, "times": 1},
        {"method": "PATCH", "after": 1, "drop_after": 6000000, "times": 1}, {"method": "PATCH", "after": 1, "real_status": 500, "times": 1}]'
t "an upload that breaks three times" slipway push --json "$src" "$ECR_HOST/shop:1"
t "goes on after what was acknowledged" json "$T/out" "$big | .sessions == 2"
is "$(count '.method == "GET" and (.path | contains("/blobs/uploads/"))')" 0 "without a question that ECR refuses"
is "$(count '.status == 416')" 1 "a part whose answer was lost is found by 416"
t "no part that arrived goes again" never_twice "$fake_log" shop
t "and is whole" whole shop
unset SLIPWAY_REGISTRY_ENDPOINT
rm "$HOME/.docker/config.json"

# --- killed processes
# killed MS DST: a push that is killed after so long; true unless it was done before
killed() {
    slipway push -q "$src" "$2" >"$T/killed" 2>&1 &
    k_pid=$!
    sleep "$1"
    kill -9 $k_pid 2>/dev/null
    wait $k_pid 2>/dev/null
    [ $? -eq 137 ]
}
t "a registry" fake --location relative
forget
t "behind a line of 20 MB/s" wire "${FAKE##*:}" --rate 20
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 1000000, "times": 1}]'
killed_in_part() {
    slipway push -q "$src" "$WIRE/k:1" >"$T/killed" 2>&1 &
    k_pid=$!
    wait_for 20 grep -rq '"offset":16777216' "$SLIPWAY_ROOT/cache/uploads"
    kill -9 $k_pid
    wait $k_pid 2>/dev/null
    [ $? -eq 137 ]
}
t "a push killed in its second part" killed_in_part
t "left a journal" is "$(journals)" 1
t "that only its owner reads" is "$(find "$SLIPWAY_ROOT/cache/uploads" -type f -printf %m)" 600
t "the next one" slipway push --json "$src" "$WIRE/k:1"
t "goes on where the registry stands" json "$T/out" "$big | .resumed >= 16777216 and .sent <= 50000000 - .resumed + 17000000 and .sessions == 0"
t "no acknowledged byte goes again" never_twice "$fake_log" k
t "and is whole" whole k
is "$(journals)" 0 "with nothing left to remember"

# --- a login that ends in the middle
t "a registry with tokens" fake --auth bearer --location relative
mkdir -p "$HOME/.docker"
printf '{"auths": {"%s": {"auth": "%s"}}}' "127.0.0.1:${FAKE##*:}" "$(printf AWS:secret | base64 -w0)" >"$HOME/.docker/config.json"
forget
rules '[{"method": "PUT", "path": "/blobs/.*digest=sha256%3A'"${layer#sha256:}"'", "drop_after": 1000000, "times": 1}, {"method": "PATCH", "delay": 0.3}]'
expired() {
    slipway push --json "$src" "$FAKE/t:1" >"$T/pushed" 2>"$T/push.err" &
    ex_pid=$!
    wait_for 20 grep -q '"method": "PATCH"' "$fake_log"
    curl -sSf -d '' "http://$FAKE/_expire"
    wait $ex_pid || { cat "$T/push.err" >&2; return 1; }
}
t "whose tokens expire between two parts" expired
t "the session goes on" json "$T/pushed" "$big | .sessions == 2"
t "no acknowledged byte goes again" never_twice "$fake_log" t
is "$(jq -s 'map(select(.path == "/token" and .status == 200)) | length' "$fake_log")" 2 "a second token was fetched"
is "$(jq -s 'map(select(.method == "PATCH" and .status == 401)) | length' "$fake_log")" 1 "after one 401"
rm "$HOME/.docker/config.json"

# twenty moments, four for each of five images: by chance, but the same at each run of this test
moments=$(python3 -c 'import random; r = random.Random(38); print(*(f"{r.uniform(0.02, 0.3):.3f}" for _ in range(20)))')
twenty() { # ARG… of the fake
    fake --location relative "$@" || return 1
    wire "${FAKE##*:}" --rate 100 || return 1
    tw_n=0 tw_killed=0
    for tw_moment in $moments; do
        tw_repo=r$((tw_n / 4))
        killed "$tw_moment" "$WIRE/$tw_repo:1" && tw_killed=$((tw_killed + 1))
        tw_n=$((tw_n + 1))
        sleep 0.25 # till the server has read what the line still held
        [ $((tw_n % 4)) -eq 0 ] || continue
        forget
        slipway push -q "$src" "$WIRE/$tw_repo:1" && whole "$tw_repo" || return 1
        tw_sent=$(never_twice "$fake_log" "$tw_repo") || return 1
        echo "$tw_repo: $tw_sent bytes for 50000000"
        forget
    done
    echo "killed $tw_killed of $tw_n"
    [ "$tw_killed" -ge 10 ] && [ "$(journals)" -eq 0 ]
}
forget
t "twenty kills, a registry that keeps what came" twenty --keep
diag "$(tr '\n' ';' <"$T/out")"
t "twenty kills, a registry that keeps whole parts" twenty
diag "$(tr '\n' ';' <"$T/out")"

# --- a journal that lies, and one that two processes want
t "a registry" fake
mkdir -p "$SLIPWAY_ROOT/cache/uploads"
# journal_of REPO: the file that speaks of the layer there
journal_of() {
    python3 -c 'import hashlib, struct, sys
print(hashlib.sha256(b"".join(struct.pack(">Q", len(a)) + a.encode() for a in sys.argv[1:])).hexdigest())' "http://$FAKE" "$1" "$layer"
}
lie=0
for text in '{"location": "http://169.254.169.254/latest", "offset": 16777216}' '{"location": "ftp://x/", "offset": 1}' '{"offset": -1}' 'no JSON' '' \
    '{"location": "http://'"$FAKE"'/v2/lie/blobs/uploads/none", "offset": 33554432}' '{"location": "http://'"$FAKE"'/", "offset": 99999999999}'; do
    lie=$((lie + 1))
    forget
    journal=$SLIPWAY_ROOT/cache/uploads/$(journal_of lie$lie)
    printf '%s\n' "$text" >"$journal"
    t "a journal that says: $(printf %.50s "$text")" slipway push -q "$src" "$FAKE/lie$lie:1"
    t "leads nowhere wrong" is "$(at lie$lie)" "$digest"
    t "and is gone" test ! -e "$journal"
done
forget
# another blob's session: the registry finds out at the end
other=$(curl -sS -o /dev/null -D - -d '' "http://$FAKE/v2/wrong/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //Ip')
head -c 20000000 /dev/urandom | curl -sSf -X PATCH --data-binary @- "$other" >/dev/null
printf '{"location": "%s", "offset": 20000000}\n' "$other" >"$SLIPWAY_ROOT/cache/uploads/$(journal_of wrong)"
t "a session that holds other bytes" slipway push --json "$src" "$FAKE/wrong:1"
t "is given up for a new one" json "$T/out" "$big | .sessions == 1 and .resumed == 20000000 and .sent >= 80000000"
t "and is whole" whole wrong
two() {
    slipway push -q "$src" "$FAKE/two:1" >"$T/first" 2>&1 &
    tw_pid=$!
    slipway push -q "$src" "$FAKE/two:1"
    tw_status=$?
    wait $tw_pid && [ $tw_status -eq 0 ]
}
forget
t "two processes, one blob" two
t "are both right" whole two
is "$(journals)" 0 "with nothing left to remember"

# --- a registry that is started anew
if can registry && start_registry; then
    registry_port=$REGISTRY_PORT
    forget
    restart_registry() {
        sed -i "s/addr: .*/addr: 127.0.0.1:$registry_port/" "$REGISTRY_DIR/config.yml"
        start "$REGISTRY_LOG.again" env OTEL_TRACES_EXPORTER=none docker-registry serve "$REGISTRY_DIR/config.yml"
        REGISTRY_PID=$started
        wait_for 15 grep -q 'listening on 127.0.0.1:' "$REGISTRY_LOG.again"
    }
    t "a line to Debian's registry" wire "$registry_port" --rate 60
    restarted() {
        slipway push -q "$src" "$WIRE/again:1" >"$T/pushed" 2>&1 &
        re_pid=$!
        sleep 0.4
        kill -9 "$REGISTRY_PID"
        sleep 0.3
        restart_registry || return 1
        wait $re_pid || { cat "$T/pushed" >&2; return 1; }
    }
    t "killed and started under a push" restarted
    FAKE=$REGISTRY
    t "the image is whole" whole again
    kills_there() {
        kt_n=0 kt_killed=0
        for kt_moment in $moments; do
            forget
            killed "$kt_moment" "$WIRE/k$((kt_n / 5)):1" && kt_killed=$((kt_killed + 1))
            kt_n=$((kt_n + 1))
            [ $((kt_n % 5)) -eq 0 ] || continue
            slipway push -q "$src" "$WIRE/k$((kt_n / 5 - 1)):1" && whole "k$((kt_n / 5 - 1))" || return 1
        done
        echo "killed $kt_killed of $kt_n"
        [ "$kt_killed" -ge 15 ] && [ "$(journals)" -eq 0 ]
    }
    t "twenty kills there" kills_there
    diag "$(tail -n 1 "$T/out")"
else
    skip "a registry that is started anew" "${why:-no registry}"
fi
