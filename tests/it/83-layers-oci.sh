#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our layers in an image, judged by umoci, skopeo and buildah; the layers they write, unpacked by us.
. "$(dirname "$0")/../lib.sh"
need root umoci skopeo jq python3 setfattr
layers=$BUILD/helpers/layers

describe() {
    (
        cd "$1" || exit 1
        find . -mindepth 1 \( -type d -printf '%y %m %U:%G %.10T@ %p\n' -o -type l -printf '%y %U:%G %p -> %l\n' -o \
            -printf '%y %m %U:%G %s %.10T@ %n %p\n' \) | LC_ALL=C sort
        find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2
    )
}
same_tree() {
    describe "$1" >left
    describe "$2" >right
    diff -u left right >&2
}

long=$(printf '%0120d' 7)
mkdir -p tree/bin tree/etc tree/tmp "tree/$long/$long"
head -c 2500000 /dev/urandom >tree/bin/random
seq 1 400000 >tree/bin/text
ln tree/bin/text tree/bin/hard
ln -s bin/text tree/link
echo long >"tree/$long/$long/$long"
echo 'root:x:0:0::/:/bin/sh' >tree/etc/passwd
mkfifo tree/pipe
chmod 1777 tree/tmp
chmod 4755 tree/bin/text
chown 1000:2000 tree/etc/passwd
mkdir -p upper/etc upper/tmp
mknod upper/link c 0 0 && mknod upper/bin c 0 0 && rmdir upper/tmp && mkdir upper/tmp && setfattr -n user.overlay.opaque -v y upper/tmp 2>/dev/null
echo two >upper/etc/passwd
: >tree/tmp/old && : >upper/tmp/new
find tree upper -exec touch -h -d @1500000000 {} +

# image TAG LAYER-LINE…: an image of layers as `layers write` printed them, in the store, by hand.
image() {
    python3 - "$@" <<'END'
import hashlib, json, sys
root = "store/"
def blob(data):
    digest = hashlib.sha256(data).hexdigest()
    open(root + "blobs/sha256/" + digest, "wb").write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}
tag, lines = sys.argv[1], [line.split() for line in sys.argv[2:]]
kind = "application/vnd.oci.image."
packing = {b"\x1f\x8b": "+gzip", b"\x28\xb5": "+zstd"}
layers = []
for diff, digest, size, *_ in lines:
    magic = open(root + "blobs/" + digest.replace(":", "/"), "rb").read(2)
    layers.append({"mediaType": kind + "layer.v1.tar" + packing.get(magic, ""), "digest": digest, "size": int(size)})
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers",
    "diff_ids": [line[0] for line in lines]}, "history": [{"created_by": "test"} for _ in lines]}).encode()
manifest = json.dumps({"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": dict(
    blob(config), mediaType=kind + "config.v1+json"), "layers": layers}).encode()
entry = dict(blob(manifest), mediaType=kind + "manifest.v1+json", annotations={"org.opencontainers.image.ref.name": tag})
index = json.load(open(root + "index.json"))
index["manifests"] = [m for m in index["manifests"] if m.get("annotations") != entry["annotations"]] + [entry]
json.dump(index, open(root + "index.json", "w"))
END
}

mkdir want && cp -a tree/. want/ && rm -rf want/link want/bin want/tmp/old && echo two >want/etc/passwd && : >want/tmp/new
chown 0:0 want/etc/passwd
touch -d @1500000000 want want/etc want/tmp want/tmp/new want/etc/passwd
chmod 755 want/tmp && chown 0:0 want/tmp # as upper's own directory says
for codec in gzip zstd none; do
    "$layers" write --codec $codec store tree >base.line && "$layers" upper --codec $codec store upper >top.line
    t "$codec: an image of two layers" image $codec "$(cat base.line)" "$(cat top.line)"
    t "$codec: skopeo reads it" sh -c 'skopeo inspect oci:store:$1 >/dev/null' - $codec
    t "$codec: skopeo copies it, and checks every digest" skopeo copy -q oci:store:$codec dir:copied
    rm -rf copied
    if [ $codec != zstd ]; then # umoci of Debian 12 knows no zstd
        rm -rf bundle
        t "$codec: umoci unpacks it" umoci unpack --image store:$codec bundle
        t "$codec: ... as it should be" same_tree want bundle/rootfs
    fi
done
if command -v buildah >/dev/null; then
    storage="--root $T/containers --runroot $T/run --storage-driver vfs"
    for codec in gzip zstd; do
        # shellcheck disable=SC2086 # words
        t "$codec: buildah pulls it" sh -c "buildah $storage pull -q oci:store:$codec"
        # shellcheck disable=SC2086
        t "$codec: ... mounts it" sh -c "container=\$(buildah $storage from oci:store:$codec) && buildah $storage mount \$container >mounted"
        t "$codec: ... as it should be" same_tree want "$(cat mounted)"
    done
    buildah $storage rm -a >/dev/null 2>&1
    buildah $storage rmi -af >/dev/null 2>&1
fi

# The other way: umoci writes a layer over ours; we unpack it and see whiteouts where it put them.
rm -rf bundle
t "umoci unpacks again" umoci unpack --image store:gzip bundle
rm -rf bundle/rootfs/etc && echo made >bundle/rootfs/made && ln bundle/rootfs/made bundle/rootfs/made2
t "umoci writes a layer" umoci repack --image store:theirs bundle
manifest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "theirs") | .digest' store/index.json)
digest=$(jq -r '.layers[-1].digest' "store/blobs/sha256/${manifest#*:}")
config=$(jq -r '.config.digest' "store/blobs/sha256/${manifest#*:}")
diffid=$(jq -r '.rootfs.diff_ids[-1]' "store/blobs/sha256/${config#*:}")
t "we index it" sh -c '"$1" index store "$2" "$3" >index' - "$layers" "$digest" "$diffid"
t "... a whiteout" matches index '^whiteout .* etc$'
t "... a file and its hard link" matches index '^file .* made2 -> made$'
t "we unpack it" sh -c '"$1" tree store "$2" "$3" >tree.path' - "$layers" "$digest" "$diffid"
t "... the whiteout is a device 0:0" sh -c 'test "$(stat -c "%F %t:%T" "$(cat tree.path)/etc")" = "character special file 0:0"'
t "... the file is there" sh -c 'test "$(cat "$(cat tree.path)/made")" = made'
