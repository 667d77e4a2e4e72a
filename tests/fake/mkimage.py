#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes an OCI image layout that slipway had no hand in: tests hand it to skopeo or to the faulty registry.
Usage: mkimage.py DIR NAME [--platform OS/ARCH[/VARIANT]]... [--layer SIZE]... [--seed TEXT] [--docker] [--plain] [--attestation]
One platform gives a manifest, more give an index. Layers are tars, gzipped unless --plain, with one file
of SIZE pseudo-random bytes.
Prints a JSON object: digest and mediaType of what NAME stands for, and all blobs with their sizes."""
import argparse, gzip, hashlib, io, json, os, random, tarfile

OCI = {"index": "application/vnd.oci.image.index.v1+json", "manifest": "application/vnd.oci.image.manifest.v1+json",
       "config": "application/vnd.oci.image.config.v1+json", "layer": "application/vnd.oci.image.layer.v1.tar+gzip"}
DOCKER = {"index": "application/vnd.docker.distribution.manifest.list.v2+json",
          "manifest": "application/vnd.docker.distribution.manifest.v2+json",
          "config": "application/vnd.docker.container.image.v1+json",
          "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip"}

p = argparse.ArgumentParser()
p.add_argument("dir")
p.add_argument("name")
p.add_argument("--platform", action="append", default=[])
p.add_argument("--layer", action="append", type=int, default=[])
p.add_argument("--seed", default="")
p.add_argument("--docker", action="store_true")
p.add_argument("--plain", action="store_true")
p.add_argument("--attestation", action="store_true")
o = p.parse_args()
types = dict(DOCKER if o.docker else OCI)
if o.plain:
    types["layer"] = types["layer"].removesuffix("+gzip").removesuffix(".gzip")
blobs = {}
os.makedirs(os.path.join(o.dir, "blobs/sha256"), exist_ok=True)


def put(data, kind):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(o.dir, "blobs/sha256", digest), "wb") as f:
        f.write(data)
    blobs["sha256:" + digest] = len(data)
    return {"mediaType": types[kind], "digest": "sha256:" + digest, "size": len(data)}


class Noise(io.RawIOBase):
    """Pseudo-random bytes, a mebibyte at a time."""

    def __init__(self, seed):
        self.random, self.rest = random.Random(seed), b""

    def read(self, size=-1):
        self.rest = self.rest or self.random.randbytes(1 << 20)
        piece, self.rest = self.rest[:size], self.rest[size:]
        return piece


def layer(seed, size):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as t:
        info = tarfile.TarInfo("data-" + hashlib.sha256(seed.encode()).hexdigest()[:8])
        info.size = size
        t.addfile(info, Noise(seed))
    raw = raw.getvalue()
    return put(raw if o.plain else gzip.compress(raw, 1, mtime=0), "layer"), "sha256:" + hashlib.sha256(raw).hexdigest()


def manifest(platform, layers):
    os_name, arch, *variant = platform.split("/")
    config = {"architecture": arch, "os": os_name, "config": {"Cmd": ["/bin/true"]},
              "rootfs": {"type": "layers", "diff_ids": [d for _, d in layers]},
              "history": [{"created_by": "mkimage"} for _ in layers]}
    if variant:
        config["variant"] = variant[0]
    doc = {"schemaVersion": 2, "mediaType": types["manifest"], "config": put(json.dumps(config).encode(), "config"),
           "layers": [l for l, _ in layers]}
    return put(json.dumps(doc, indent=3).encode(), "manifest")


platforms = o.platform or ["linux/amd64"]
entries = []
for platform in platforms:
    os_name, arch, *variant = platform.split("/")
    # the first layer is the same for every platform, as a base of scripts would be
    layers = [layer(f"{o.seed}/{i}/{platform if i else ''}", size) for i, size in enumerate(o.layer or [100000])]
    entry = manifest(platform, layers)
    if len(platforms) > 1:
        entry["platform"] = {"os": os_name, "architecture": arch, **({"variant": variant[0]} if variant else {})}
    entries.append(entry)
if o.attestation:
    entry = manifest("unknown/unknown", [layer(f"{o.seed}/attestation", 100)])
    entry["platform"] = {"os": "unknown", "architecture": "unknown"}
    entry["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    entries.append(entry)
root = dict(entries[0])
if len(entries) > 1:
    root = put(json.dumps({"schemaVersion": 2, "mediaType": types["index"], "manifests": entries}, indent=2).encode(), "index")
named = dict(root, annotations={"org.opencontainers.image.ref.name": o.name})
index = os.path.join(o.dir, "index.json")
doc = json.load(open(index)) if os.path.exists(index) else {"schemaVersion": 2, "manifests": []}
doc["manifests"] = [m for m in doc["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] != o.name] + [named]
with open(index, "w") as f:
    json.dump(doc, f)
with open(os.path.join(o.dir, "oci-layout"), "w") as f:
    f.write('{"imageLayoutVersion":"1.0.0"}')
print(json.dumps({"digest": root["digest"], "mediaType": root["mediaType"], "blobs": blobs}))
