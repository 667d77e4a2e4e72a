#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Layers that a stranger wrote: refused in words, and nothing is touched outside the tree. As root and as a user.
. "$(dirname "$0")/../lib.sh"
need python3 zstd
layers=$BUILD/helpers/layers

cat >make.py <<'END'
import io, os, struct, subprocess, sys, tarfile
D, S, H, C, B, F = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE
def tar(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, kind, *rest in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = 0o755, 1500000000
            data = b""
            if kind == "f":
                data = rest[0] if rest else b"x"
                info.size = len(data)
            else:
                info.type = kind
                if kind in (S, H): info.linkname = rest[0]
                if kind in (C, B): info.devmajor, info.devminor = rest
                if kind == D and rest: info.pax_headers = rest[0]
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()
def xattr(name, value): return {"SCHILY.xattr." + name: value}
outside = os.getcwd() + "/outside"
cases = {
    "up": tar(("../outside/up", "f")),
    "up-inside": tar(("a", D), ("a/../../outside/up", "f")),
    "absolute": tar(("/outside-absolute", "f")),
    "through-absolute-link": tar(("a", S, outside), ("a/x", "f")),
    "through-relative-link": tar(("a", S, ".."), ("a/x", "f")),
    "through-two-links": tar(("d", D), ("d/a", S, "b"), ("d/b", S, outside), ("d/a/x", "f")),
    "over-link": tar(("a", S, outside + "/victim"), ("a", "f", b"new")),
    "dir-over-link": tar(("a", S, outside), ("a", D), ("a/x", "f", b"new")),
    "hard-link-up": tar(("a", H, "../outside/victim")),
    "hard-link-absolute": tar(("a", H, outside + "/victim")),
    "hard-link-through-link": tar(("a", S, outside), ("b", H, "a/victim")),
    "hard-link-to-link": tar(("a", S, outside + "/victim"), ("b", H, "a"), ("b", "f", b"new")),
    "hard-link-missing": tar(("a", H, "b")),
    "hard-link-directory": tar(("d", D), ("a", H, "d")),
    "whiteout-up": tar(("d", D), ("d/.wh...", "f")),
    "whiteout-nothing": tar((".wh.", "f")),
    "whiteout-inside": tar((".wh.a/b", "f")),
    "opaque-file": tar(("a", "f"), ("a/.wh..wh..opq", "f")),
    "opaque-link": tar(("a", S, outside), ("a/.wh..wh..opq", "f")),
    "forged-opaque": tar(("d", D, xattr("user.overlay.opaque", "y"))),
    "forged-whiteout": tar(("d", D, xattr("user.overlay.whiteout", "y"))),
    "forged-redirect": tar(("d", D, xattr("trusted.overlay.redirect", "/etc"))),
    "forged-metacopy": tar(("d", D, xattr("user.overlay.metacopy", "x"))),
    "forged-device": tar(("etc", C, 0, 0)),
    "device": tar(("null", C, 1, 3), ("sda", B, 8, 0), ("f", "f")),
    "file-as-directory": tar(("a", "f"), ("a/b", "f")),
    "root-is-a-file": tar((".", "f")),
    "long-name": tar(("x" * 5000, "f")),
    "long-component": tar(("x" * 300, "f")),
    "control": tar(("a\x1b[31m\nb", "f"), ("a\x1b[31m\nb/c", "f")),
    "checksum": bytes([tar(("a", "f"))[0] ^ 1]) + tar(("a", "f"))[1:],
    "cut": tar(("a", "f", b"x" * 5000))[:3000],
    "xz": b"\xfd7zXZ\0" + b"\0" * 600,
    "deep": tar(*[("/".join(["d"] * n), D) for n in (1, 500, 1500)], ("/".join(["d"] * 1500) + "/f", "f")),
}
head = tar(("big", "f", b""))[:512]
sizes = {"huge": 0o77777777777}
for name, size in sizes.items():
    h = bytearray(head); h[124:136] = b"%011o\0" % size; h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h); cases[name] = bytes(h) + b"x" * 5000
os.makedirs("tars", exist_ok=True)
for name, data in cases.items(): open("tars/" + name, "wb").write(data)
# 6 GiB of zero bytes in some KB: no layer is like that.
one = tar(("zeros", "f", b""))[:512]
h = bytearray(one); size = 6 << 30; h[124:136] = b"%011o\0" % size; h[148:156] = b" " * 8
h[148:156] = b"%06o\0 " % sum(h)
pack = lambda data: subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout
with open("tars/bomb", "wb") as out:
    out.write(pack(bytes(h)))
    block = pack(b"\0" * (64 << 20))
    for _ in range(96): out.write(block)
END
t "the tars are made" python3 make.py
mkdir outside && echo safe >outside/victim

# untar NAME: unpacks into a fresh ./out; status and words are the helper's. Nothing beside it may change.
untar() {
    chmod -R u+rwx out 2>/dev/null
    rm -rf out
    mkdir out
    "$layers" untar "tars/$1" out
}
safe() {
    [ "$(ls -A outside)" = victim ] && [ "$(cat outside/victim)" = safe ] && [ ! -e /outside-absolute ] &&
        [ ! -e x ] && [ ! -e "$T/up" ] && return 0
    ls -laR outside >&2
    return 1
}
refused() { # NAME TEXT
    t "$1 is refused" expect_fail "$2" untar "$1"
    t "... and nothing happened outside" safe
}
tamed() { # NAME CHECK
    t "$1 is tamed" untar "$1"
    t "... as it should be" sh -c "$2"
    t "... and nothing happened outside" safe
}

refused up 'the path "../outside/up" leads out of the root'
refused up-inside 'leads out of the root'
refused through-absolute-link '"a/x": "a" is a symbolic link in this layer, not a directory'
refused through-relative-link '"a/x": "a" is a symbolic link in this layer, not a directory'
refused through-two-links '"d/a/x": "d/a" is a symbolic link in this layer, not a directory'
refused hard-link-up 'leads out of the root'
refused hard-link-absolute 'is a hard link to'
refused hard-link-through-link '"b" is a hard link to "a/victim", which is not there'
refused hard-link-missing '"a" is a hard link to "b", which is not there'
refused hard-link-directory '"a" is a hard link to the directory "d"'
refused whiteout-up 'is no whiteout'
refused whiteout-nothing 'is no whiteout'
refused whiteout-inside 'is no whiteout'
refused opaque-file '"a" is marked opaque, but it is not a directory'
refused opaque-link '"a" is marked opaque, but it is not a directory'
refused forged-opaque 'the extended attribute user.overlay.opaque is not a layer'
refused forged-whiteout 'the extended attribute user.overlay.whiteout is not a layer'
refused forged-redirect 'the extended attribute trusted.overlay.redirect is not a layer'
refused forged-metacopy 'the extended attribute user.overlay.metacopy is not a layer'
refused file-as-directory '"a/b": "a" is a file in this layer, not a directory'
refused root-is-a-file 'the root of a layer is a file'
refused checksum 'its checksum is wrong'
refused cut 'the archive ends in the middle of an entry'
refused huge 'the archive ends in the middle of an entry'
refused xz 'compressed with xz; only gzip and zstd are supported here'
refused long-component 'File name too long'
tamed absolute 'test "$(cat out/outside-absolute)" = x'
tamed over-link 'test ! -L out/a && test "$(cat out/a)" = new'
tamed dir-over-link 'test ! -L out/a && test "$(cat out/a/x)" = new'
tamed hard-link-to-link 'test -L out/a && test ! -L out/b && test "$(cat out/b)" = new'
tamed device 'test ! -b out/sda && test "$(stat -c %t:%T out/null 2>/dev/null || echo 0:0)" = 0:0 && test -f out/f'

# The store's own way: import makes the index, and refuses the same things in words.
into_store() { "$layers" import store "tars/$1"; }
for name in up hard-link-missing forged-opaque file-as-directory root-is-a-file; do
    t "$name does not come into the store" expect_fail "" into_store $name
done
t "a device 0:0 does not come into the store" expect_fail '"etc" is a device 0:0, which would hide a file' into_store forged-device
t "a path of 5000 bytes does not come into the store" expect_fail 'a path of more than 4095 bytes' into_store long-name
t "a terminal is not spoken to" expect_fail 'a?[31m?b/c' into_store control
t "nothing of it is in the store" sh -c 'test -z "$(ls store/trees)" && test -z "$(ls store/cache/index)"'
t "a directory 1500 deep is unpacked" sh -c 'set -- "$1" $("$1" import store tars/deep) && "$1" tree store "$3" "$2"' - "$layers"

# A blob that was pulled: read for its index, so that the test needs no room for what it grows to.
bomb() {
    digest=$(sha256sum tars/bomb | cut -d' ' -f1)
    cp tars/bomb "store/blobs/sha256/$digest"
    "$layers" index store "sha256:$digest" "sha256:$digest"
}
t "a bomb is refused" expect_fail "it unpacks to more than" bomb
t "... and leaves nothing behind" sh -c 'test -z "$(ls store/tmp)"'

# As an ordinary user, in the namespace a build runs in: owners it does not have, devices it may not make.
if can user && can subids && can userns; then
    python3 - <<'END'
import io, tarfile
with tarfile.open("tars/owners", "w", format=tarfile.PAX_FORMAT) as t:
    for name, uid, mode in (("mine", 0, 0o4755), ("sub", 1000, 0o4755), ("far", 4000000000, 0o6755)):
        info = tarfile.TarInfo(name); info.uid = info.gid = uid; info.mode = mode; info.size = 1
        t.addfile(info, io.BytesIO(b"x"))
    info = tarfile.TarInfo(".wh.gone"); t.addfile(info)
END
    cp -r tars "$USER_HOME/tars" && chmod -R a+rX "$USER_HOME/tars"
    in_ns() { as_user unshare --user --map-root-user --map-auto sh -c "cd && rm -rf out && mkdir out && $1"; }
    t "a user's namespace: owners" in_ns "'$layers' untar tars/owners out && stat -c '%n %u:%g %a' out/*"
    cp "$T/out" owners
    t "... in range" has owners "out/sub 1000:1000 4755"
    t "... out of range: nobody's rights are lent" has owners "out/far 0:0 755"
    t "... a whiteout is a device 0:0" in_ns "'$layers' untar tars/owners out && test \"\$(stat -c '%F %t:%T' out/gone)\" = 'character special file 0:0'"
    t "... devices are left out" in_ns "'$layers' untar tars/device out && test -f out/f && test ! -b out/sda"
    t "... a link is not written through" expect_fail "not a directory" in_ns "'$layers' untar tars/through-absolute-link out"
else
    skip "a user's namespace" "$why"
fi
