#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a step may do and use: capabilities, security options; as root and as an ordinary user.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids

D=$USER_HOME/d
mkdir -p "$D/ctx"
sw() { if [ "$who" = root ]; then slipway "$@"; else as_user slipway "$@"; fi; }
# step OPTIONS COMMAND: one RUN; what it prints in $T/said
step() {
    printf 'FROM base:1\nRUN %s\n' "$2" >"$D/ctx/Dockerfile"
    # shellcheck disable=SC2086 # options are words
    sw build --progress plain $1 -t x:1 "$D/ctx" >"$T/said" 2>&1
    step_status=$?
    cat "$T/said" >&2
    return $step_status
}
everything() {
    who=$1
    # --- capabilities
    t "$who: docker's fourteen" step '' 'grep -e CapBnd -e CapEff -e NoNewPrivs -e Seccomp: /proc/self/status'
    t "$who: ... indeed" sh -c "grep -q 'CapEff:.*00000000a80425fb' '$T/said' && grep -q 'NoNewPrivs:.*0' '$T/said' && grep -q 'Seccomp:.*2' '$T/said'"
    t "$who: --cap-drop" step '--cap-drop NET_RAW --cap-drop CAP_MKNOD' 'grep CapBnd /proc/self/status'
    t "$who: ... are gone" has "$T/said" 00000000a00405fb
    t "$who: --cap-add" step '--cap-drop ALL --cap-add sys_admin --cap-add chown' 'grep CapBnd /proc/self/status; mount -t tmpfs x /mnt 2>/dev/null || mkdir /mnt && mount -t tmpfs x /mnt && echo mounted; chroot / true || echo no chroot'
    t "$who: ... alone, and the filter lets their calls pass" sh -c "grep -q 0000000000200001 '$T/said' && grep -q mounted '$T/said' && grep -q 'no chroot' '$T/said'"
    t "$who: the same step without them is another" step '' 'echo once'
    t "$who: ... not remembered" sh -c "grep -q once '$T/said'"
    t "$who: with --cap-drop" step '--cap-drop KILL' 'echo once'
    t "$who: ... a miss" has "$T/said" once
    t "$who: an unknown one" expect_status 2 'unknown capability "FLY"' slipway build --cap-add FLY "$D/ctx"

    # --- security options
    t "$who: no-new-privileges" step '--security-opt no-new-privileges' 'grep NoNewPrivs /proc/self/status'
    t "$who: ... holds" matches "$T/said" 'NoNewPrivs:.*1'
    t "$who: seccomp=unconfined" step '--security-opt seccomp=unconfined' 'grep Seccomp: /proc/self/status; unshare -n true && echo unshared; cat /proc/kcore | head -c 1 | wc -c'
    t "$who: ... no filter, but the masks" sh -c "grep -q 'Seccomp:.*0' '$T/said' && grep -q unshared '$T/said' && grep -Eq ' 0\$' '$T/said'"
    t "$who: run has them too" sw run --security-opt seccomp:unconfined --security-opt no-new-privileges:true --cap-add ALL --cap-drop CHOWN x:1 grep -e NoNew -e Seccomp: -e CapEff /proc/self/status
    t "$who: ... all of them" sh -c "grep -q 'NoNewPrivs:.*1' '$T/out' && grep -q 'Seccomp:.*0' '$T/out' && grep -q 'CapEff:.*000001fffffffffe' '$T/out'"
    t "$who: a profile" expect_status 2 'a profile of one'"'"'s own is not carried out' slipway build --security-opt seccomp=x.json "$D/ctx"
    t "$who: SELinux" expect_status 2 'no SELinux label is ever set' slipway run --security-opt label=type:t x:1
}
t "a base" busybox_image base:1
t "and for the user" sh -c 'slipway save -o base.tar base:1 && chmod 644 base.tar'
cp base.tar "$USER_HOME/base.tar"
t "... there" as_user slipway load -i "$USER_HOME/base.tar"
chown -R "$test_user:" "$D"
everything root
everything user
