#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Base images as other builders write them: layers without their parent directories, Docker media types, empty layers.
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
# An OCI archive made by hand: busybox, then a layer that has only files, as jib and bazel write them.
python3 - "$T/busybox.tar" foreign <<'P'
import hashlib, io, json, os, sys, tarfile
base, out = open(sys.argv[1], "rb").read(), sys.argv[2]
os.makedirs(out + "/blobs/sha256")
def put(data):
    name = hashlib.sha256(data).hexdigest()
    open(f"{out}/blobs/sha256/{name}", "wb").write(data)
    return {"digest": "sha256:" + name, "size": len(data)}
buf = io.BytesIO()
with tarfile.open(fileobj=buf, mode="w") as t:
    for name in ("tmp/file", "root/deep/er/file"):
        i = tarfile.TarInfo(name); i.size = 1; t.addfile(i, io.BytesIO(b"x"))
empty = io.BytesIO()
tarfile.open(fileobj=empty, mode="w").close()
layers = [base, buf.getvalue(), empty.getvalue(), buf.getvalue()]
config = json.dumps({"architecture": os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"), "os": "linux",
    "config": {"Env": ["PATH=/bin"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]}}).encode()
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **put(config)},
    "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", **put(l)} for l in layers]}).encode()
json.dump({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.docker.distribution.manifest.v2+json", **put(manifest),
    "annotations": {"org.opencontainers.image.ref.name": "docker.io/library/foreign:1"}}]}, open(out + "/index.json", "w"))
open(out + "/oci-layout", "w").write('{"imageLayoutVersion": "1.0.0"}')
P
tar -C foreign -cf foreign.tar .
t "a foreign image loads" slipway load -i foreign.tar
mkdir ctx
printf 'FROM foreign:1\nRUN ls -ld /tmp /root /root/deep && rm /tmp/file && touch /tmp/new\n' >ctx/Dockerfile
t "RUN over it" slipway --progress plain build -t f:1 ctx
cp "$T/err" seen
t "a directory that a layer only implies looks as the layer below says" matches seen 'drwxrwxrwt .* /tmp$'
t "... here too" matches seen 'drwx------ .* /root$'
t "... and one that nobody describes is 0755" matches seen 'drwxr-xr-x .* /root/deep$'
t "run sees the same" sh -c 'slipway run --rm foreign:1 ls -ld /tmp | grep -q drwxrwxrwt'
m=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "docker.io/library/f:1") | .digest' "$SLIPWAY_ROOT/index.json")
top=$(jq -r '.layers[-1].digest' "$SLIPWAY_ROOT/blobs/$(echo "$m" | tr : /)")
tar -tvzf "$SLIPWAY_ROOT/blobs/$(echo "$top" | tr : /)" >list
t "the new layer keeps the mode" matches list '^drwxrwxrwt .* tmp/$'
t "... and the whiteout" matches list 'tmp/.wh.file$'
