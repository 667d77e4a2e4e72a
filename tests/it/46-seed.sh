#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The seed case, testdata/svelte-app, on every rung: npm's install and build, rm of a directory of the base, COPY between stages.
# The same owners, modes and names everywhere, and what nginx serves is there.
. "$(dirname "$0")/../lib.sh"
need root user subids userns overlay busybox jq python3 network

"$SOURCE_DIR/tests/setup/standins" build >tars 2>log || { diag "$(tail -n 5 log)"; echo "Bail out! no stand-ins"; exit 1; }
# What npm resolves on the way is not the step's own: times aside, names, owners and modes are compared, of all but its caches.
listing() {
    for l in $(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "docker.io/library/app:1") | .digest' "$1/index.json" |
        tr : / | sed "s|^|$1/blobs/|" | xargs jq -r '.layers[].digest'); do
        echo "= layer" && tar --numeric-owner -tvzf "$1/blobs/sha256/${l#*:}" | awk '{$3 = $4 = $5 = ""; print}'
    done
}
# on NAME HOME COMMAND…: builds there, in HOME/store
on() {
    o_name=$1 o_home=$2
    shift 2
    mkdir -p "$o_home/work"
    cp -r "$SOURCE_DIR/testdata/svelte-app" "$o_home/work/app"
    while read -r o_kind o_tar; do cp "$o_tar" "$o_home/work/$o_kind.tar"; done <tars
    [ "$o_home" = "$T/root" ] || chown -R --reference "$o_home" "$o_home/work"
    t "$o_name: builds" "$@" sh -c "cd $o_home/work && slipway import --change 'CMD [\"/bin/sh\"]' node.tar node:alpine >/dev/null && slipway import nginx.tar nginx:alpine >/dev/null && exec slipway --progress plain build ${isolation:+--isolation $isolation} -t app:1 app" || return
    listing "$o_home/store" >got
    [ -f want ] || cp got want
    t "... the image that root gets" diff want got
    t "... with the page" grep -q 'usr/share/nginx/html/build/bundle.js' got
    remove_tree "$o_home/work"
    remove_tree "$o_home/store"
}
on root "$T/root" env SLIPWAY_ROOT="$T/root/store"
on userns "$(on_host_home user-container)" on_host user-container
on single "$(on_host_home single)" on_host single
on chroot "$T/chroot" on_host docker-default env SLIPWAY_ROOT="$T/chroot/store"

# in-place: in a root of its own with slipway, its libraries and what the build is given, and with docker's mounts.
in_box() {
    b_box=$T/in-place/box
    busybox_rootfs "$b_box" && mkdir -p "$b_box/proc" "$b_box/dev" "$b_box$T/in-place" || return 1
    for b_file in "$SLIPWAY" $(ldd "$SLIPWAY" | grep -o '/[^ ]*'); do
        mkdir -p "$b_box$(dirname "$b_file")" && cp -L "$b_file" "$b_box$b_file" || return 1
    done
    for b_node in null:3 zero:5 random:8 urandom:9; do mknod -m 666 "$b_box/dev/${b_node%:*}" c 1 "${b_node#*:}"; done
    : >"$b_box/.dockerenv"
    mv "$T/in-place/work" "$b_box$T/in-place/"
    # shellcheck disable=SC2016 # for the shell in the box
    unshare --mount --pid --fork sh -c '
        for file in /etc/hosts /etc/resolv.conf; do
            [ ! -e $file ] || { : >>"$1$file" && mount --bind $file "$1$file"; } || exit 1
        done
        mount -t proc proc "$1/proc" && exec chroot "$@"' - "$b_box" env PATH="$(dirname "$SLIPWAY"):/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root \
        SLIPWAY_ROOT="$T/in-place/store" "$@" && mv "$b_box$T/in-place/store" "$T/in-place/store"
}
isolation=in-place on in-place "$T/in-place" in_box
