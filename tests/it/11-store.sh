#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# images, tag, rm, inspect, history on a store that skopeo, umoci and jq read in place.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
export T
need skopeo umoci jq busybox

export SOURCE_DATE_EPOCH=1700000000
t "an image" busybox_image web:1 'ENV A=b' 'EXPOSE 80' 'LABEL x=y'
oci=oci:$SLIPWAY_ROOT
digest=$(jq -r '.manifests[0].digest' "$SLIPWAY_ROOT/index.json")

t "skopeo reads the store in place" sh -c "skopeo inspect $oci:docker.io/library/web:1 >s.json"
is "$(jq -r .Digest s.json)" "$digest" "skopeo sees the same digest"
is "$(jq -c '[.Architecture, .Os, .Labels.x]' s.json)" "$(slipway inspect web:1 | jq -c '[.[0].config.architecture, .[0].config.os, .[0].config.config.Labels.x]')" "and the same config"
t "umoci reads the store" sh -c "umoci stat --image '$SLIPWAY_ROOT:docker.io/library/web:1' >stat 2>&1 || umoci ls --layout '$SLIPWAY_ROOT' | grep -qx docker.io/library/web:1"
t "names" slipway tag web:1 web:latest localhost:5000/a/b:c
is "$(slipway images --json | jq -c 'map(.name)')" '["localhost:5000/a/b:c","web:1","web:latest"]' "images, sorted"
is "$(slipway images --json | jq -r 'map(.digest) | unique | .[]')" "$digest" "all the same image"
is "$(slipway images web:1 --json | jq length)$(slipway images web --json | jq length)" 12 "by repository and tag"
is "$(slipway images -q)" "$(jq -r .config.digest "$SLIPWAY_ROOT/blobs/$(echo "$digest" | tr : /)" | cut -c8-19)" "ids, each once, as docker has them"
slipway images >table
t "the table" matches table '^web +1 +[0-9a-f]{12} +.* (ago|N/A) +[0-9.]+[kMG]?B$'
id=$(slipway images -q)
t "by id and by digest" sh -c "slipway inspect $id >i1 && slipway inspect $digest >i2 && jq -e '.[0].name == null' i1 && cmp i1 i2"
slipway inspect --raw web:1 >raw
is "sha256:$(sha256sum <raw | cut -d' ' -f1)" "$digest" "the raw manifest has the digest"
slipway inspect --config web:1 >config
is "sha256:$(sha256sum <config | cut -d' ' -f1)" "$(jq -r .config.digest raw)" "the raw config has its digest"
t "history" sh -c "slipway history --json web:1 >h && jq -e 'length == 1 and .[0].created_by == \"slipway import\" and .[0].size > 1000' h &&
    slipway history web:1 | grep -q 'slipway import'"
t "another platform is refused in words" expect_fail 'web:1: the image is for linux/' slipway inspect --platform linux/s390x web:1
t "no such image, but another tag" expect_fail 'no image "web:2"' slipway history web:2
t "it names what may be meant" sh -c 'slipway tag wbe x 2>&1 | grep -q "did you mean web"'
t "a bad name" expect_status 2 'the repository name must be lower case' slipway tag web:1 Web:2
t "no digest in a new name" expect_status 2 'a new name cannot have a digest' slipway tag web:1 "x@$digest"
t "all names or none" sh -c '! slipway tag web:1 good:1 BAD:1 2>/dev/null && ! slipway inspect good:1 2>/dev/null'

# A second image under an old name; several platforms in one index, made by others.
t "a name moves" sh -c 'slipway import -c "ENV B=c" "$T/busybox.tar" web:1 && slipway inspect web:1 | jq -e ".[0].descriptor.digest != \"'"$digest"'\""'
for arch in amd64 arm64; do
    slipway import --platform linux/$arch -c "LABEL arch=$arch" "$T/busybox.tar" multi:$arch >/dev/null
done
python3 - "$SLIPWAY_ROOT" <<'PY'
import hashlib, json, os, sys
root = sys.argv[1]
index = json.load(open(f"{root}/index.json"))
children = []
for m in index["manifests"]:
    name = m["annotations"]["org.opencontainers.image.ref.name"]
    if name.startswith("docker.io/library/multi:"):
        children.append({k: m[k] for k in ("mediaType", "digest", "size", "platform")})
children.append({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "0" * 64, "size": 5,
                 "platform": {"os": "linux", "architecture": "riscv64"}})
doc = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}).encode()
hex = hashlib.sha256(doc).hexdigest()
open(f"{root}/blobs/sha256/{hex}", "wb").write(doc)
index["manifests"].append({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:" + hex, "size": len(doc),
                           "annotations": {"org.opencontainers.image.ref.name": "multi"}})
json.dump(index, open(f"{root}/index.json", "w"))
PY
t "an index that another tool wrote, under its short name" sh -c 'slipway inspect multi >m && jq -e ".[0].name == \"docker.io/library/multi:latest\" and (.[0].index.manifests | length) == 3" m'
is "$(slipway inspect --platform linux/arm64 multi | jq -r '.[0].config.config.Labels.arch')" arm64 "one platform of it"
t "a platform that is named but not here" expect_fail 'is not in the store' slipway inspect --platform linux/riscv64 multi
t "a platform that is not named" expect_fail 'no image for linux/s390x; there is linux/amd64, linux/arm64, linux/riscv64' slipway inspect --platform linux/s390x multi
is "$(slipway images --json multi:latest | jq -c '.[0].platforms')" '["linux/amd64","linux/arm64"]' "its platforms that are here"
t "an entry we cannot read hides no other" sh -c 'jq ".manifests += [{mediaType: \"a/b\", digest: \"sha512:00\", size: 1}]" "$SLIPWAY_ROOT/index.json" >j && cp j "$SLIPWAY_ROOT/index.json" &&
    slipway images 2>err | grep -q "^web" && grep -q "is passed over" err'

t "rm takes one name" sh -c 'slipway rm web:latest && ! slipway inspect web:latest 2>/dev/null && slipway inspect localhost:5000/a/b:c'
slipway tag localhost:5000/a/b:c again:1
t "rm by id wants to be sure" expect_status 2 'has more than one name (localhost:5000/a/b:c, docker.io/library/again:1); use --force' slipway rm "$id"
t "rm --force takes all" sh -c "slipway rm -f $id >out && grep -c untagged out | grep -qx 2 && ! slipway inspect again:1 2>/dev/null"
t "rm of what is not there" expect_fail 'no image "again:1"' slipway rm again:1
