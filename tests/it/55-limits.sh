#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a step may do and use: capabilities, security options, cgroups; as root and as an ordinary user.
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
    t "$who: run --ulimit, --shm-size" sw run --ulimit nofile=77:99 --shm-size 3m x:1 sh -c 'ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d" " -f2'
    is "$(tr '\n' ' ' <"$T/out")" '77 99 3072 ' "$who: ... hold"
    t "$who: a profile" expect_status 2 'a profile of one'"'"'s own is not carried out' slipway build --security-opt seccomp=x.json "$D/ctx"
    t "$who: SELinux" expect_status 2 'no SELinux label is ever set' slipway run --security-opt label=type:t x:1
}
limits_of_root() {
    who=root
    t "enough memory" step '--memory 64m' 'head -c 10000000 /dev/zero | tail >/dev/null; echo done'
    t "too little" expect_fail 'out of memory: the step needs more than --memory gives it' step '--memory 32m --memory-swap 32m' 'head -c 100000000 /dev/zero | tail >/dev/null'
    t "three processes, each below it" step '--memory 48m --memory-swap 48m' 'for i in 1 2 3; do (head -c 25000000 /dev/zero | tail -c 25000000 | (sleep 0.2; tail -c 1) | wc -c) & done; wait'
    t "... are too much together" has "$T/said" Killed
    t "--pids-limit" expect_fail "can't fork" step '--pids-limit 5' 'for i in 1 2 3 4 5 6 7 8; do sleep 0.1 & done; wait'
    t "--cpuset-cpus" step '--cpuset-cpus 0' 'nproc'
    t "... one" matches "$T/said" ' 1$'
    t "--cpus" step '--cpus 0.2' 'cat /proc/self/cgroup; cat $(find /sys/fs/cgroup -name cpu.cfs_quota_us -path "*slipway-*") /dev/null'
    t "... in a cgroup of its own" has "$T/said" /slipway-
    t "... by its quota" has "$T/said" ' 20000'
    t "a processor that is none" expect_fail cpuset.cpus step '--cpuset-cpus 4095' true
    t "a parent that is none" expect_fail 'make cgroup' step '--cgroup-parent /no/where' true
    t "run: too little" expect_status 137 'out of memory' slipway run -m 32m --memory-swap 32m x:1 sh -c 'head -c 100000000 /dev/zero | tail >/dev/null'
    is "$(find /sys/fs/cgroup -name 'slipway-*' -path '*slipway-[0-9]*' 2>/dev/null | grep -c "slipway-$$-")" 0 "no cgroup of this test is left"
    # --- what a killed one leaves goes with the next
    printf 'FROM base:1\nRUN sleep 30\n' >"$D/ctx/Dockerfile"
    slipway build --pids-limit 50 --no-cache -t y:1 "$D/ctx" >/dev/null 2>&1 &
    killed=$!
    t "a step is under way" wait_for 10 sh -c "find /sys/fs/cgroup -name 'slipway-$killed-*' | grep -q ."
    kill -9 "$killed"
    wait "$killed" 2>/dev/null
    t "the next" step '--pids-limit 50' true
    t "... removes what a killed one left" wait_for 5 sh -c "! find /sys/fs/cgroup -name 'slipway-$killed-*' | grep -q ."
}
t "a base" busybox_image base:1
t "and for the user" user_image base:1
chown -R "$test_user:" "$D"
everything root
everything user
# Where a cgroup can be had: at once by root, on this host's hierarchies.
if mkdir "/sys/fs/cgroup/memory/slipway-test-$$" 2>/dev/null; then
    rmdir "/sys/fs/cgroup/memory/slipway-test-$$"
    limits_of_root
else
    diag "no memory cgroup of version 1 here: limits are tested as an ordinary user's alone"
fi
# --- an ordinary user without a cgroup: limits of processes, and words
who=user
t "user: --memory holds for a process" expect_fail 'the command failed' step '--memory 64m' 'head -c 200000000 /dev/zero | tail >/dev/null'
t "user: ... with a warning" has "$T/said" '--memory holds for each process of a step alone, not for all together: make cgroup'
t "user: --pids-limit" step '--pids-limit 200' 'ulimit -u || ulimit -p; grep processes /proc/self/limits'
t "user: ... as a limit of the user" sh -c "grep -q -e '--pids-limit counts all processes of the user' '$T/said' && grep -q 'Max processes *200' '$T/said'"
t "user: --cpus" expect_fail '--cpus, --cpu-quota and --cpu-period: that takes a cgroup' step '--cpus 1' true

t "-m of nothing" expect_status 2 '--memory: "1m": want 6m or more' slipway build -m 1m "$D/ctx"
t "--cpus twice" expect_status 2 '--cpus: it says what --cpu-quota' slipway build --cpus 1 --cpu-quota 5000 "$D/ctx"
t "swap alone" expect_status 2 '--memory-swap: it needs --memory' slipway run --memory-swap 1g x:1
