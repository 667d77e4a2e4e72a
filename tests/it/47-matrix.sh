#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same Dockerfiles on every rung, in hosts of every kind and stores on every file system: the same layers, byte for byte.
# shellcheck disable=SC2086 # commands in variables are words
. "$(dirname "$0")/../lib.sh"
need root user subids userns overlay busybox jq setcap python3

# The base: foreign owners, a link's owner, an id past any map, capabilities, hard links.
busybox_rootfs root || { echo "Bail out! no root file system"; exit 1; }
touch root/etc/owned root/etc/far root/etc/attr && chown 33:44 root/etc/owned && chown 70000:70001 root/etc/far && chmod 4755 root/etc/owned
setfattr -n user.note -v base root/etc/attr
ln -s nowhere root/etc/link && chown -h 7:8 root/etc/link
mkdir -p root/srv/deep/er && chown -R 1000:2000 root/srv && mkfifo root/srv/pipe && chown 5:6 root/srv/pipe && echo 1 >root/srv/deep/er/f && ln root/srv/deep/er/f root/srv/deep/g
cp "$(command -v setcap)" root/bin/
for lib in $(ldd "$(command -v setcap)" | grep -o '/[^ :]*\.so[^ ]*'); do mkdir -p "root$(dirname "$lib")" && cp -L "$lib" "root$lib"; done
tar -C root --sort=name --mtime=@1700000000 --numeric-owner --xattrs -cf base.tar . && rm -rf root
mkdir ctx && echo f >ctx/f && mkdir -p ctx/d/e && echo g >ctx/d/e/g && ln ctx/d/e/g ctx/d/h && ln -s e ctx/d/l && chmod 700 ctx/d/e && chmod 711 ctx/f
touch arc && chown 12:34 arc && tar --numeric-owner --mtime=@1600000000 -cf ctx/a.tar arc
find ctx -exec touch -h -d @1650000000 {} +

cat >all.Dockerfile <<'D'
FROM base:1 AS one
RUN stat -c '%u:%g %a %n' /etc/owned /etc/far /srv && stat -c '%u:%g %n' /etc/link /srv/pipe >/seen && cat /seen
RUN echo web:x:1500:1500::/:/bin/sh >>/etc/passwd && echo web:x:1500: >>/etc/group && mkdir -p /data/in && echo x >/data/in/x && chown -R web:web /data
RUN cd /data && ln -s in l && chown -h 7:8 l && ln in/x hard && mkfifo p && chown 9:10 p && chown 65534 in/x
RUN cd /data && touch s t && chmod 6755 s && chown 11:12 s && chmod 4750 s && chmod 2755 t && chown 0:5 t && chmod 1777 in
RUN cd /data && mv in moved && cp -a l l2 && cp -a moved copy && tar -cf /t.tar moved l && mkdir out && tar -C out -xf /t.tar && rm /t.tar
RUN cp /bin/busybox /cap && setcap cap_net_raw+ep /cap && cp /bin/busybox /lost && setcap cap_net_raw+ep /lost && chown 3 /lost
RUN chown 21:22 /etc/owned && chown -h 23:24 /etc/link && rm /srv/pipe && chmod 600 /etc/far
RUN mv /srv/deep /srv/renamed && rm /srv/renamed/er/f && mkdir /srv/deep && echo 2 >/srv/renamed/g
RUN rm -r /srv/renamed /home && mkdir /srv/renamed /home && touch /home/new
RUN rm -r /home && mkdir /home; touch /home/a && rm /home/a
RUN echo 1 >/a && rm /a && mkdir /a && rmdir /a && ln -s / /a && rm /a && mkdir -p /a/b/c && chmod 711 /a/b
RUN mkdir "/n a m e" && touch "/n a m e/$(printf 'x%.0s' $(seq 200))" /data/ünï /data/-r && dd if=/dev/zero of=/data/sparse bs=1 count=1 seek=1000000 2>/dev/null
RUN : >>/etc/passwd; chmod 644 /etc/group; chown 0:0 /etc/group; true
COPY --chown=app:extra f d /copied/
COPY --chmod=4640 f /copied/mode
ADD a.tar /added/
WORKDIR /work/dir
USER app
RUN id -u >/tmp/id && id -G >>/tmp/id && touch /tmp/mine && mkdir /tmp/dir && umask 077 && touch /tmp/dir/closed
USER 1500:7
RUN id >/tmp/id2 2>&1; ln -s /etc /tmp/l; (chown 0 /tmp/l 2>/dev/null && exit 1) || true
FROM base:1
COPY --from=one /data /data
COPY --from=one --chown=3:4 /srv /srv2
RUN --mount=from=one,target=/m,source=/tmp cp -a /m /from && rm /from/l && cd /from && stat -c '%u:%g %a %n' * >/list
RUN --mount=type=cache,target=/c,uid=1000 --mount=type=tmpfs,target=/t touch /c/x /t/x && stat -c %u /c >/cache
COPY --link --chown=77 f /linked/
D
# 130 layers: more than a page of names, and more than the overlay's old limit.
{ echo 'FROM base:1'; for n in $(seq 126); do echo "COPY f /n/$n"; done; echo 'RUN rm /n/1 && mv /n/2 /n/x && ls /n | wc -l >/count && echo f >/n/3'; echo 'RUN ls /n >/list'; } >many.Dockerfile
chmod -R a+rX . "$T" && chmod 700 ctx/d/e

layers() { jq -r --arg n "docker.io/library/$2" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$1/index.json" | tr : / | sed "s|^|$1/blobs/|" | xargs jq -r '.layers[].digest'; }
listing() { for l in $(layers "$1" "$2"); do echo "= layer" && tar --numeric-owner --full-time -tvzf "$1/blobs/sha256/${l#*:}" --xattrs --xattrs-include='*' 2>&1; done; }
# on NAME HOME STORE COMMAND…: both images there, compared with what rung root gave
on() {
    o_name=$1 o_home=$2 o_store=$3
    shift 3
    mkdir -p "$o_home/work"
    cp -a base.tar ctx all.Dockerfile many.Dockerfile "$o_home/work/"
    [ "$o_home" = "$T/root" ] || chown -R --reference "$o_home" "$o_home/work"
    for o_image in one all many; do
        o_file=$o_image o_target=''
        [ $o_image != one ] || o_file=all o_target='--target one'
        t "$o_name: $o_image" "$@" sh -c "cd $o_home/work && export SOURCE_DATE_EPOCH=1700000000 && { slipway import base.tar base:1 >/dev/null && exec slipway --progress plain build -t $o_image:1 $o_target -f $o_file.Dockerfile ctx; }" || continue
        layers "$o_store" "$o_image:1" >got
        if [ ! -f "want.$o_image" ]; then
            cp got "want.$o_image"
            listing "$o_store" "$o_image:1" >"list.$o_image"
            t "... has its layers" test "$(wc -l <got)" -gt 5
            continue
        fi
        t "... the same layers" cmp "want.$o_image" got ||
            { listing "$o_store" "$o_image:1" >list.got; diag "$(diff "list.$o_image" list.got | head -n 20)"; }
    done
}
host() { # SPEC: as root there
    mkdir -p "$T/h/store"
    h_store=$T/h/store
    case $1 in *overlay=*) h_store=$T/h/store.upper ;; esac
    on "$1" "$T/h" "$h_store" on_host "$1" env SLIPWAY_ROOT="$T/h/store"
    rm -rf "$T/h"
}
user_host() {
    u_home=$(on_host_home "$1")
    on "$1" "$u_home" "$u_home/store" on_host "$1"
    on_host "$1" slipway prune --all --force >/dev/null 2>&1
    remove_tree "$u_home/store"
    remove_tree "$u_home/work"
}
on root "$T/root" "$T/root/store" env SLIPWAY_ROOT="$T/root/store"
t "the image has what it should" sh -c "grep -q '65534/1500 .* data/hard' list.one && grep -q '^-rwsr-x---. 11/12 ' list.one && grep -q '70000/70001 .* etc/far' list.one && grep -q 1000/2000.*copied/f list.one"
cp list.one "$T/list.one"
rm -rf "$T/root"
host docker-default
host kubernetes
host single-root
host no-userns
user_host user-container
user_host single
user_host kubernetes-user
user_host user-nnp
# A store on a container's own root, which is an overlay.
host "overlay=$T/h/store"
host "kubernetes+overlay=$T/h/store"
host "docker-default+overlay=$T/h/store"

# Stores on file systems of every kind: as root, and in a container that may not mount.
for fs in ext4 xfs btrfs; do
    if ! command -v mkfs.$fs >/dev/null; then
        skip "a store on $fs" "no mkfs.$fs"
        continue
    fi
    truncate -s 400M "$T/$fs.img" && mkdir "$T/$fs" && mkfs.$fs -q "$T/$fs.img" >"$T/mkfs" 2>&1 && mount -o loop "$T/$fs.img" "$T/$fs" 2>"$T/mkfs" || {
        skip "a store on $fs" "$(tail -n 1 "$T/mkfs")"
        continue
    }
    on_exit "umount $T/$fs"
    mkdir "$T/$fs/a" "$T/$fs/b"
    on "root, store on $fs" "$T/$fs/a" "$T/$fs/a/store" env SLIPWAY_ROOT="$T/$fs/a/store"
    on "docker-default, store on $fs" "$T/$fs/b" "$T/$fs/b/store" on_host docker-default env SLIPWAY_ROOT="$T/$fs/b/store"
done
