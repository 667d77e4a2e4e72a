#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What maintainer scripts do, on every rung: packages with accounts, setuid programs and devices of their own; the same owners, modes,
# attributes and names as root gets, of everything.
. "$(dirname "$0")/../lib.sh"
need root user subids userns overlay jq mmdebstrap

packages='openssh-server man-db cron sudo dbus'
cache=${SLIPWAY_TEST_CACHE:-$SOURCE_DIR/.cache}
work=$T/setup && mkdir "$work" && chmod 755 "$work"
# shellcheck source=tests/setup/debian.sh
. "$SOURCE_DIR/tests/setup/debian.sh"
# The packages lie in the base, so that a step needs no network.
base=$cache/debian-apt-$(printf '%s' "$packages" | sha256sum | cut -c 1-16).tar
if [ ! -f "$base" ]; then
    mkdir -p "$cache"
    apt-config dump 2>/dev/null | grep -iE '^Acquire::(https?::proxy|Check-(Valid-Until|Date)|Retries)' >"$work/apt.conf"
    # shellcheck disable=SC2016 # mmdebstrap's own $1
    TMPDIR=$work mmdebstrap --quiet --variant=apt --mode=root --aptopt='Apt::Install-Recommends "false"' --aptopt="$work/apt.conf" \
        --customize-hook='chroot "$1" apt-get -qq -y --download-only install '"$packages"' >/dev/null' \
        --skip=cleanup/apt bookworm "$work/base.tar" "$(debian_sources)" >log 2>&1 || { diag "$(tail -n 5 log)"; echo "Bail out! no base"; exit 1; }
    mv "$work/base.tar" "$base.$$" && mv "$base.$$" "$base"
fi
cat >Dockerfile <<D
FROM debian:apt
RUN DEBIAN_FRONTEND=noninteractive apt-get -y --no-download install $packages >/log 2>&1 || { tail -n 30 /log; exit 1; }
RUN useradd -m -u 1234 app && mkdir -p /srv/app/data && touch /srv/app/data/f && chown -R app:app /srv/app && chmod 2750 /srv/app/data && printf 'app ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/app
RUN su app -c 'touch ~/by-su && id -un' && rm -rf /var/log/apt && getent passwd messagebus && stat -c '%U:%G %a' /usr/bin/crontab /usr/bin/sudo /usr/lib/dbus-1.0/dbus-daemon-launch-helper
USER app
RUN echo "sudo gives \$(sudo -n id -u 2>&1)"
D
# Sizes and times are not the step's to choose; caches have what was at hand.
listing() {
    for l in $(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "docker.io/library/made:1") | .digest' "$1/index.json" |
        tr : / | sed "s|^|$1/blobs/|" | xargs jq -r '.layers[1:][].digest'); do
        echo "= layer" && tar --numeric-owner --xattrs --xattrs-include='*' -tvzf "$1/blobs/sha256/${l#*:}" 2>&1
    done | awk '$1 ~ /^[bc]/ {print; next} {$3 = $4 = $5 = ""; print}' | grep -vE ' (var/cache/(man|debconf|ldconfig)/|tmp/)'
}
# on NAME HOME COMMAND…
on() {
    o_name=$1 o_home=$2
    shift 2
    mkdir -p "$o_home/work/ctx"
    cp Dockerfile "$o_home/work/ctx"
    [ "$o_home" = "$T/root" ] || chown -R --reference "$o_home" "$o_home/work"
    t "$o_name: installs" "$@" sh -c "cd $o_home/work && slipway import - debian:apt >/dev/null && exec slipway --progress plain build -t made:1 ctx" <"$base" || return
    cp "$T/err" "said.$o_name"
    listing "$o_home/store" >got
    [ -f want ] || cp got want
    t "... the files that root gets" diff want got
    t "... steps see their owners" has "said.$o_name" 'root:crontab 2755'
    # no_new_privs there, as the manual says
    o_sudo='sudo gives 0'
    [ "$o_name" != chroot ] || o_sudo='sudo gives sudo: The "no new privileges" flag is set'
    t "... sudo does what it should" has "said.$o_name" "$o_sudo"
    remove_tree "$o_home/store"
}
on root "$T/root" env SLIPWAY_ROOT="$T/root/store"
t "much has come" test "$(wc -l <want)" -gt 1000
on userns "$(on_host_home user-container)" on_host user-container
on single "$(on_host_home single)" on_host single
on chroot "$T/chroot" on_host docker-default env SLIPWAY_ROOT="$T/chroot/store"
