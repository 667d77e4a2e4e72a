#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# save and load: OCI and docker archives to and from skopeo and ourselves; hostile archives.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
export T
need skopeo jq busybox

export SOURCE_DATE_EPOCH=1700000000
busybox_image web:1 'ENV A=b' || { echo "Bail out! no image"; exit 1; }
echo two >two && tar --mtime=@1600000000 -cf two.tar two && slipway import two.tar two:1 >/dev/null
slipway tag web:1 h.example:5000/other/name:x
digest() { slipway images --json "$1" | jq -r '.[0].digest'; }
fresh() { rm -rf "$T/other"; slipway --root "$T/other" "$@"; }
there() { slipway --root "$T/other" images --json "$1" | jq -r '.[0].digest'; }
web=$(digest web:1) two=$(digest two:1)

for format in oci docker; do
    t "$format: save" slipway save --format $format -o $format.tar web:1 h.example:5000/other/name:x two:1
    t "$format: save to a pipe gives the same" sh -c "slipway save --format $format web:1 h.example:5000/other/name:x two:1 | cmp - $format.tar"
    t "$format: skopeo reads it" sh -c "skopeo inspect $format-archive:$format.tar:docker.io/library/web:1 >s && jq -e '.Env | index(\"A=b\")' s"
    t "$format: skopeo copies it" skopeo copy -q "$format-archive:$format.tar:h.example:5000/other/name:x" "dir:d-$format"
    t "$format: load" fresh load -i $format.tar
    is "$(there web:1) $(there h.example:5000/other/name:x) $(there two:1)" "$web $web $two" "$format: the same digests came back"
    gzip -k $format.tar && zstd -q $format.tar
    for z in gz zst; do
        t "$format: load by pipe, $z" sh -c "rm -rf '$T/other'; slipway --root '$T/other' load <$format.tar.$z >out"
        is "$(wc -l <out) $(there web:1)" "3 $web" "$format: whole from $z"
    done
done
t "docker's manifest.json" sh -c "tar -xOf docker.tar manifest.json | jq -e '(.[0].RepoTags == [\"web:1\", \"h.example:5000/other/name:x\"]) and (.[0].Layers | length) == 1'"
t "docker's repositories" sh -c "tar -xOf docker.tar repositories | jq -e '.web[\"1\"] | length == 64'"

# What others write: skopeo's docker archives have plain layers and links.
skopeo copy -q "oci:$SLIPWAY_ROOT:docker.io/library/web:1" docker-archive:sk-docker.tar:web:1
skopeo copy -q "oci:$SLIPWAY_ROOT:docker.io/library/web:1" oci-archive:sk-oci.tar:docker.io/library/web:1
for kind in docker oci; do
    t "skopeo's $kind archive" fresh load -i sk-$kind.tar
    is "$(there web:1)" "$web" "skopeo's $kind archive: the same digest"
done
t "a name of one's own" sh -c 'slipway --root "$T/other" load -i sk-oci.tar -t mine:7 >out && grep -q "^docker.io/library/mine:7 sha256:" out'
t "but not for many images" expect_status 2 'the archive has more than one image' fresh load -i oci.tar -t mine:7

# Docker of today: an OCI layout of plain layers, and manifest.json beside it. Docker of old: layer.tar in directories, with links.
python3 - "$SLIPWAY_ROOT" "$web" <<'PY'
import gzip, hashlib, io, json, sys, tarfile, zlib
root, digest = sys.argv[1:]
blob = lambda d: open(f"{root}/blobs/" + d.replace(":", "/"), "rb").read()
manifest = json.loads(blob(digest))
config, layer = blob(manifest["config"]["digest"]), gzip.decompress(blob(manifest["layers"][0]["digest"]))
hexof = lambda b: hashlib.sha256(b).hexdigest()

def archive(name, entries):
    with tarfile.open(name, "w") as tar:
        for path, data in entries:
            info = tarfile.TarInfo(path)
            if isinstance(data, tuple):
                info.type, info.linkname = data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))

def modern(layer, names=True):
    d = lambda t, b: {"mediaType": t, "digest": "sha256:" + hexof(b), "size": len(b)}
    m = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": d("application/vnd.oci.image.config.v1+json", config),
                    "layers": [d("application/vnd.oci.image.layer.v1.tar", layer)]}).encode()
    entry = d("application/vnd.oci.image.manifest.v1+json", m)
    index = {"schemaVersion": 2, "manifests": [entry]}
    docker = [{"Config": "blobs/sha256/" + hexof(config), "RepoTags": ["web:today"], "Layers": ["blobs/sha256/" + hexof(layer)]}]
    return [("blobs/sha256/" + hexof(b), b) for b in (config, layer, m)] + [("index.json", json.dumps(index).encode()), ("manifest.json", json.dumps(docker).encode()),
            ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')]

def old(layer, tags=["web:old"], name=None, config=config):
    name = name or "a" * 64 + "/layer.tar"
    docker = [{"Config": hexof(config) + ".json", "RepoTags": tags, "Layers": ["b" * 64 + "/layer.tar"]}]
    return [(hexof(config) + ".json", config), ("a" * 64 + "/VERSION", b"1.0"), ("a" * 64 + "/json", b"{}"), (name, layer),
            ("b" * 64 + "/layer.tar", (tarfile.SYMTYPE, "../" + "a" * 64 + "/layer.tar")), ("manifest.json", json.dumps(docker).encode())]

archive("today.tar", modern(layer))
archive("old.tar", old(layer))
archive("old-gzip.tar", old(gzip.compress(layer)))
archive("unnamed.tar", old(layer, tags=None))
# hostile
archive("wrong-name.tar", [("blobs/sha256/" + "1" * 64, b"other bytes"), ("index.json", b'{"manifests":[]}')])
swapped = bytearray(layer); swapped[-2000] ^= 1
archive("wrong-layer.tar", old(bytes(swapped[:1024]) + layer[:0] + bytes(1024)))
archive("wrong-gzip.tar", old(gzip.compress(bytes(10240))))
archive("no-layer.tar", [e for e in old(layer) if not e[0].endswith("layer.tar")])
archive("loop.tar", [e for e in old(layer) if e[0] != "a" * 64 + "/layer.tar"] + [("a" * 64 + "/layer.tar", (tarfile.SYMTYPE, "../" + "b" * 64 + "/layer.tar"))])
archive("passwd.tar", [(hexof(config) + ".json", config), ("layer.tar", (tarfile.SYMTYPE, "/etc/passwd")),
        ("manifest.json", json.dumps([{"Config": "/etc/passwd", "RepoTags": ["evil:1"], "Layers": ["layer.tar"]}]).encode())])
archive("climb.tar", [("../../../../../../tmp/slipway-escape.json", b"{}")] + old(layer))
archive("device.tar", [("x", (tarfile.CHRTYPE, ""))] + old(layer))
archive("big-index.tar", [("index.json", b" " * (9 << 20))])
archive("bad-index.tar", [("index.json", b"{")])
archive("empty-index.tar", [("index.json", b'{"manifests":[]}')])
bad = modern(layer)
archive("missing-blob.tar", [e for e in bad if e[0] != "blobs/sha256/" + hexof(layer)])
lie = json.loads(bad[3][1]); lie["manifests"][0]["size"] = 7
archive("wrong-size.tar", bad[:3] + [("index.json", json.dumps(lie).encode())])
archive("two-layers.tar", [(n, d if n != "manifest.json" else json.dumps([{"Config": hexof(config) + ".json", "RepoTags": ["a:1"], "Layers": []}]).encode()) for n, d in old(layer)])
archive("bad-tag.tar", old(layer, tags=["Not A Name", "fine:1"]))
PY
t "docker save of today" fresh load -i today.tar
t "... under the name of manifest.json" sh -c 'slipway --root "$T/other" inspect web:today | jq -e ".[0].manifest.layers[0].mediaType == \"application/vnd.oci.image.layer.v1.tar\""'
for kind in old old-gzip; do
    t "docker save of old: $kind" fresh load -i $kind.tar
    is "$(slipway --root "$T/other" inspect --config web:old)" "$(slipway inspect --config web:1)" "$kind: the same image id"
done
t "without a name" sh -c 'rm -rf "$T/other"; slipway --root "$T/other" load -i unnamed.tar | grep -q "^<none> sha256:"'
t "a name that is none is told, the rest is loaded" sh -c 'rm -rf "$T/other"; slipway --root "$T/other" load -i bad-tag.tar >out 2>err && grep -q "^docker.io/library/fine:1 " out && grep -q "Not A Name" err'

refused() { # TEXT FILE: and no name comes of it
    rm -rf "$T/other"
    expect_fail "$1" slipway --root "$T/other" load -i "$2" && is "$(slipway --root "$T/other" images --json)" '[]'
}
t "a blob under a wrong digest" refused 'its bytes have the digest sha256:' wrong-name.tar
t "a layer that the config does not promise" refused 'the config promises' wrong-layer.tar
t "a compressed one" refused 'layer.tar' wrong-gzip.tar
t "a missing layer" refused 'the archive lacks' no-layer.tar
t "links in a circle" refused 'the archive lacks' loop.tar
t "links out of the archive open nothing" refused 'the archive lacks "etc/passwd"' passwd.tar
t "names that climb" refused '../../../../../../tmp/slipway-escape.json' climb.tar
t "devices" refused 'has no place in an archive of images' device.tar
t "an index of nine megabytes" refused 'index.json: larger than the limit' big-index.tar
t "an index that is no JSON" refused 'index.json: line 1' bad-index.tar
t "an index of nothing" refused 'it names no image' empty-index.tar
t "a missing blob" refused 'the archive lacks the blob sha256:' missing-blob.tar
t "a size that lies" refused 'where 7 are announced' wrong-size.tar
t "too few layers" refused 'manifest.json has 0 layers but the config names 1' two-layers.tar
t "a tar of other things" refused 'neither an OCI nor a docker archive' two.tar
t "no tar at all" refused 'not a tar header' "$LIB_DIR/lib.sh"
head -c 100000 oci.tar.gz >cut.gz && head -c 300000 docker.tar >cut.tar
t "cut gzip" refused 'end' cut.gz
t "a cut tar" refused '' cut.tar
t "nothing escaped" test ! -e /tmp/slipway-escape.json

# A damaged store must not give an archive that looks good; no half an archive is left.
layer=$(slipway inspect --raw web:1 | jq -r '.layers[0].digest' | tr : /)
cp "$SLIPWAY_ROOT/blobs/$layer" whole
printf X | dd of="$SLIPWAY_ROOT/blobs/$layer" bs=1 seek=1000 conv=notrunc 2>/dev/null
t "damage is seen on the way out" expect_fail 'is damaged: its bytes have another digest' slipway save -o damaged.tar web:1
t "... and no archive is left" sh -c 'test -z "$(ls damaged.tar* 2>/dev/null)"'
t "... and loading the image again mends it" sh -c "slipway load -i oci.tar >/dev/null 2>mended && grep -q 'was damaged' mended && cmp '$SLIPWAY_ROOT/blobs/$layer' whole"
t "one platform of an image with one" expect_fail 'the image is for linux/' slipway save --platform linux/s390x -o x.tar web:1
t "an unknown format" expect_status 2 'neither oci nor docker' slipway save --format zip web:1
