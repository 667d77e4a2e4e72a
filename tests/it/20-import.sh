#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# import: tars of every compression, from files and pipes, judged by umoci; --change; archives that are refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
export T
need umoci skopeo jq busybox

export SOURCE_DATE_EPOCH=1700000000
busybox_rootfs root || { echo "Bail out! no root file system"; exit 1; }
ln root/etc/passwd root/etc/passwd.link
ln -s ../etc/group root/var/group
mkdir -m 1777 root/sticky
printf 'x%.0s' $(seq 1 200) >name && touch "root/$(cat name)"
truncate -s 1M root/holes
tar -C root --sort=name --mtime=@1600000000 --numeric-owner --owner=7 --group=8 -cf root.tar .
gzip -nk root.tar && zstd -q root.tar && xz -k root.tar && bzip2 -k root.tar

# as an ordinary user umoci maps every owner to its own
unpack() {
    if [ "$(id -u)" -eq 0 ]; then umoci unpack --image "$1" "$2"; else umoci unpack --rootless --image "$1" "$2"; fi
}
listing() { (cd "$1" && find . ! -name . -printf '%p %y %m %s %l %T@ %n\n' | sed 's/\([0-9]\)\.0* /\1 /' | grep -v ' d ' | LC_ALL=C sort); }
mkdir want && tar -C want -xpf root.tar --no-same-owner
for kind in tar tar.gz tar.zst tar.xz tar.bz2; do
    t "$kind" slipway import root.$kind "from:$kind"
    t "$kind by pipe" sh -c "cat root.$kind | slipway import - pipe:$kind"
    is "$(slipway inspect --raw "from:$kind")" "$(slipway inspect --raw "pipe:$kind")" "$kind: file and pipe give the same"
    skopeo copy -q "oci:$SLIPWAY_ROOT:docker.io/library/from:$kind" "oci:l-$kind:x" && t "$kind: umoci unpacks it" unpack "l-$kind:x" "u-$kind"
    listing want >a
    listing "u-$kind/rootfs" >b
    t "$kind: the files are the archive's" same a b
done
is "$(for k in tar tar.gz tar.zst; do slipway inspect --config from:$k | jq -r '.rootfs.diff_ids[0]'; done | sort -u)" \
    "sha256:$(sha256sum <root.tar | cut -d' ' -f1)" "plain, gzip and zstd keep the tar byte for byte"

t "changes" slipway import -m 'made here' -c 'CMD ["a", "b"]' -c 'ENV A=b C="d e"' -c 'ENTRYPOINT /x y' -c 'EXPOSE 80 53/udp' -c 'WORKDIR /w' -c 'USER 7:8' \
    -c 'LABEL k="v w"' -c 'VOLUME /data' -c 'STOPSIGNAL SIGINT' root.tar changed:1
slipway inspect --config changed:1 >c
t "Env" json c '.config.Env | index("A=b") and index("C=d e")'
t "Entrypoint and Cmd" json c '.config.Entrypoint == ["/bin/sh", "-c", "/x y"]'
t "the rest" json c '.config.ExposedPorts == {"80/tcp": {}, "53/udp": {}} and .config.WorkingDir == "/w" and .config.User == "7:8" and .config.Labels.k == "v w" and .config.Volumes == {"/data": {}} and .config.StopSignal == "SIGINT"'
t "one entry of history" json c '(.history | length) == 1 and .history[0].comment == "made here" and .created == "2023-11-14T22:13:20Z"'
t "another platform" sh -c 'slipway import --platform linux/arm/v7 root.tar arm:1 && slipway inspect --config arm:1 | jq -e ".architecture == \"arm\" and .variant == \"v7\""'
t "twice the same" sh -c 'slipway import root.tar twice:1 >1 && slipway import root.tar twice:2 >2 && cmp 1 2'

t "RUN is no change" expect_status 2 '--change RUN: it does more than change' slipway import -c 'RUN true' root.tar x:1
t "an error names the change" expect_fail "root.tar: --change 'ENV': ENV needs NAME=VALUE" slipway import -c 'USER 5' -c 'ENV' root.tar x:1
t "... also one of its meaning" expect_fail "root.tar: --change 'STOPSIGNAL FOO': STOPSIGNAL: " slipway import -c 'STOPSIGNAL FOO' root.tar x:1
t "FROM is no change" expect_status 2 '--change FROM' slipway import -c 'FROM x' root.tar x:1
t "a slip in a change costs no reading" expect_fail 'EXPOS' slipway import -c 'EXPOS 80' /dev/zero x:1
t "not a tar" expect_fail 'not a tar header' slipway import "$LIB_DIR/lib.sh" x:1
t "an empty file" expect_fail 'the archive is empty' slipway import /dev/null x:1
t "cut gzip" sh -c 'head -c 5000 root.tar.gz | slipway import - x:1 2>err; test $? -eq 1 && grep -q "ends" err'
t "a cut tar" sh -c 'head -c 100000 root.tar | slipway import - x:1 2>err; test $? -eq 1 && cat err >&2'
t "no such file" expect_fail 'open absent.tar: No such file' slipway import absent.tar x:1
t "a directory" expect_fail 'directory' slipway import root x:1
python3 - <<'PY'
import io, tarfile
def make(name, *entries):
    with tarfile.open(name, "w") as tar:
        for path, kind, link in entries:
            info = tarfile.TarInfo(path)
            info.type, info.linkname = kind, link
            tar.addfile(info)
make("climb.tar", ("../../../../tmp/slipway-escape", tarfile.REGTYPE, ""))
make("link.tar", ("etc", tarfile.SYMTYPE, "/etc"), ("etc/slipway-escape", tarfile.REGTYPE, ""))
make("odd.tar", ("a", b"Z", ""))
PY
t "a name that climbs is refused" expect_fail '../../../../tmp/slipway-escape' slipway import climb.tar x:1
t "an unknown kind of entry is refused" expect_fail 'a' slipway import odd.tar x:1
t "none of it left a name" sh -c '! slipway inspect x:1 2>/dev/null'
t "none of it left the store" test ! -e /tmp/slipway-escape -a ! -e /etc/slipway-escape
slipway prune >/dev/null
t "and prune leaves no rubbish" sh -c 'test -z "$(ls -A "$SLIPWAY_ROOT/tmp")"'
