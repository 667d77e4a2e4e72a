#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Ctrl-C and SIGTERM end a build whose step will not hear of it: within two seconds, with nothing left.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need root userns overlay busybox user subids

MARK=${$}543 # seconds to sleep: no other run of this test has the same
D=$USER_HOME/d
mkdir -p "$D"
cat >"$D/Dockerfile" <<E
FROM base:1
RUN trap '' INT TERM HUP QUIT; (sleep $MARK & setsid sleep $MARK & setsid sh -c 'sleep $MARK & sleep $MARK') & sleep $MARK & while :; do sleep $MARK; done
E
SLEEPERS=6
sleepers() { pgrep -f "sleep $MARK" >/dev/null; }
asleep() { [ "$(pgrep -c -f "^sleep $MARK\$")" -ge $SLEEPERS ]; }
cgroups() { find /sys/fs/cgroup -name "slipway-$1-*" 2>/dev/null | grep .; }
# slipway itself and what it forks: all run this program, or the user's copy of it.
helpers() {
    for h_pid in $(pgrep slipway); do
        case $(readlink "/proc/$h_pid/exe") in "$T"/* | "$USER_HOME"/*) return 0 ;; esac
        grep -qzFx "SLIPWAY_ROOT=$SLIPWAY_ROOT" "/proc/$h_pid/environ" 2>/dev/null && return 0
    done
    return 1
}
mounts() { grep -F -e "$T/" -e "$USER_HOME/" /proc/mounts; }
now_ms() { date +%s%3N; }
# ended SIGNAL STATUS COMMAND…: signalled in the middle of its step: INT to the group, as a terminal does it
ended() {
    e_signal=$1 e_want=$2
    shift 2
    mounts >"$T/mounts.before"
    setsid env --default-signal=INT,TERM "$@" >"$T/said" 2>&1 &
    e_pid=$!
    if ! wait_for 20 asleep || ! helpers; then
        echo "the step was never there" >&2
        cat "$T/said" >&2
        kill -9 "-$e_pid"
        return 1
    fi
    e_from=$(now_ms)
    if [ "$e_signal" = INT ]; then kill -INT "-$e_pid"; else kill "-$e_signal" "$e_pid"; fi
    wait "$e_pid"
    e_status=$?
    wait_for 5 not sleepers && wait_for 5 not helpers || return 1
    e_took=$(($(now_ms) - e_from))
    echo "status $e_status after $e_took ms" >&2
    [ "$e_status" -eq "$e_want" ] && [ "$e_took" -le 2000 ]
}
nothing_left() {
    mounts >"$T/mounts.after"
    same "$T/mounts.before" "$T/mounts.after" && not cgroups "$e_pid"
}
# all WHO COMMAND…
all() {
    a_who=$1
    shift
    t "$a_who: Ctrl-C ends all that runs, in time" ended INT 130 "$@"
    t "$a_who: ... no mount and no cgroup stays" nothing_left
    t "$a_who: so does SIGTERM" ended TERM 143 "$@"
    t "$a_who: ... nothing stays" nothing_left
}
of_user() {
    u_who=$1
    shift
    all "$u_who" setpriv --reuid "$test_user" --regid "$test_user" --init-groups --inh-caps=-all -- \
        env HOME="$USER_HOME" SLIPWAY_ROOT="$USER_HOME/store" "$USER_HOME/bin/slipway" build --progress plain --no-cache "$@" -t x:1 "$D"
}

t "a base" busybox_image base:1
t "and for the user" user_image base:1
chown -R "$test_user:" "$D"
all root slipway build --progress plain --no-cache -t x:1 "$D"
all "root, chroot" slipway build --progress plain --no-cache --isolation chroot -t x:1 "$D"
of_user user
rm -rf "$USER_HOME/store" # that one is of real owners
t "user, single: a base" as_user slipway load -i "$USER_HOME/user-image.tar"
of_user "user, single" --isolation single
if mkdir "/sys/fs/cgroup/pids/slipway-test-$$" 2>/dev/null; then
    rmdir "/sys/fs/cgroup/pids/slipway-test-$$"
    all "root, in a cgroup" slipway build --progress plain --no-cache --pids-limit 100 -t x:1 "$D"
    t "... nor when it is killed" ended KILL 137 slipway build --progress plain --no-cache --pids-limit 100 -t x:1 "$D"
    t "... nothing stays" nothing_left
else
    diag "no cgroup of version 1 can be made here"
fi
