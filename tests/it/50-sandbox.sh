#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sandboxes without images, as root and as an ordinary user: what a command sees, may do, and leaves behind.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox user subids

SANDBOX=$BUILD/helpers/sandbox
busybox_rootfs "$T/rootfs"
printf '#!/no/such/shell\n' >"$T/rootfs/bin/script"
printf 'just words\n' >"$T/rootfs/bin/words"
chmod 755 "$T/rootfs/bin/script" "$T/rootfs/bin/words"
ln -s ../run/stub/resolv.conf "$T/rootfs/etc/resolv.conf" # as distributions with systemd-resolved have it
mkdir "$T/rootfs/host"
chmod 755 "$T"
cp "$SANDBOX" "$T/sandbox"
echo visible >"$T/shared"

run_root() { "$T/sandbox" "$@"; }
run_user() { as_user "$T/sandbox" "$@"; }
work() { # a fresh work directory in $W
    W=$(mktemp -d "$T/work.XXXXXX")
    if [ "$who" = user ] && [ "$(id -u)" -eq 0 ]; then chown "$test_user:" "$W"; fi
}
# box [option…] -- COMMAND…: one sandbox, its output in $T/box
box() {
    work
    options=''
    while [ "$1" != -- ]; do
        options="$options '$1'"
        shift
    done
    shift
    eval "run_$who $options \"\$T/rootfs\" \"\$W\" \"\$@\"" >"$T/box" 2>"$T/box.err"
    box_status=$?
    cat "$T/box.err" >&2
    return $box_status
}
upper() { (cd "$W/upper-0" && find . -mindepth 1 | sort); }
status_is() {
    want=$1
    shift
    "$@"
    got=$?
    [ "$got" -eq "$want" ] && return 0
    echo "status $got, want $want" >&2
    return 1
}
with_errors() { "$@" 2>"$T/box.err"; }
none_left() { ! pgrep -f "$1" >/dev/null; }

everything() {
    who=$1
    t "$who: a command runs" box -- sh -c 'id -u; id -g; pwd; hostname; echo $$'
    is "$(tr '\n' ' ' <"$T/box")" "0 0 / box 2 " "$who: it is root, in /, second to init"
    is "$(upper)" "" "$who: nothing of the mount points is in the upper directory"
    t "$who: namespaces" box -- sh -c 'for n in mnt pid ipc uts user net; do readlink /proc/self/ns/$n; done'
    for n in mnt pid ipc uts user; do
        here=$(readlink /proc/self/ns/$n)
        t "$who: $n is its own" not grep -qxF "$here" "$T/box"
    done
    t "$who: the network is the host's" has "$T/box" "$(readlink /proc/self/ns/net)"
    t "$who: --none makes a network" box --none -- sh -c 'readlink /proc/self/ns/net; ip addr; cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
    t "$who: ... that is another" lacks "$T/box" "$(readlink /proc/self/ns/net)"
    t "$who: ... with lo up and nothing else" sh -c "grep -q '127.0.0.1/8' '$T/box' && ! grep -q '^2:' '$T/box'"
    t "$who: ... where low ports are free" matches "$T/box" '^0$'

    t "$who: capabilities" box -- grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
    for line in CapInh:0000000000000000 CapPrm:00000000a80425fb CapEff:00000000a80425fb CapBnd:00000000a80425fb \
        CapAmb:0000000000000000 NoNewPrivs:0 Seccomp:2; do
        t "$who: $line" grep -qx "${line%%:*}:[[:space:]]*${line#*:}" "$T/box"
    done
    t "$who: another user" box --user app -- sh -c 'id; grep ^Cap /proc/self/status'
    t "$who: ... with the groups of the image" has "$T/box" 'uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)'
    t "$who: ... has no capability" sh -c "[ \$(grep -c '^Cap\(Prm\|Eff\|Inh\|Amb\):[[:space:]]*0000000000000000' '$T/box') = 4 ]"
    t "$who: ... and may not write where root may" status_is 1 box --user 1000:5 -- touch /etc/x
    t "$who: an unknown user is refused" status_is 125 box --user ghost -- true
    t "$who: ... by name" has "$T/box.err" "unable to find user ghost: no matching entries in the image's /etc/passwd"

    t "$who: masked paths" box -- sh -c 'wc -c </proc/kcore; wc -c </proc/keys; wc -c </proc/timer_list; ls -A /sys/firmware /proc/acpi 2>/dev/null | grep -v :'
    t "$who: ... are empty" not grep -q '[1-9a-z]' "$T/box"
    for path in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/kernel/uevent_helper /proc/irq/default_smp_affinity; do
        t "$who: $path cannot be written" status_is 1 box -- sh -c "echo 1 >$path"
    done
    t "$who: the host's device nodes cannot be changed" status_is 1 box -- chmod 666 /dev/null
    t "$who: devices work" box -- sh -c 'echo x >/dev/null && head -c 4 /dev/urandom | wc -c && head -c 4 /dev/zero | wc -c && ls -l /dev/fd/ >/dev/null && echo y >/dev/shm/y && test -c /dev/tty -a -c /dev/full -a -c /dev/random -a -c /dev/ptmx'
    t "$who: device nodes cannot be made" status_is 1 box -- mknod /dev/disk b 8 0

    t "$who: keyctl, unshare, mount" box -- sh -c 'unshare -U true; unshare -m true; mount -t tmpfs x /tmp; mount -o remount,rw /proc/sys; pivot_root . .; true'
    is "$(grep -c 'Operation not permitted\|Permission denied\|must be superuser\|permission denied' "$T/box.err")" 5 "$who: ... are refused"
    t "$who: init cannot be looked into" status_is 1 box -- cat /proc/1/environ
    t "$who: ... and shows nothing of our command line" box -- cat /proc/1/cmdline
    t "$who: ..." lacks "$T/box" rootfs
    t "$who: no descriptor comes in" box -- sh -c 'ls /proc/self/fd | wc -l'
    is "$(tail -n 1 "$T/box")" 4 "$who: ... 0, 1, 2 and the one that lists"

    t "$who: exit status" status_is 7 box -- sh -c 'exit 7'
    t "$who: ... of a signal" status_is 137 box -- sh -c 'kill -9 $$'
    t "$who: not in PATH is 127" status_is 127 box -- nosuch
    t "$who: ... told" has "$T/box.err" 'exec nosuch: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)'
    t "$who: a missing interpreter" status_is 127 box -- /bin/script
    t "$who: ... is told" has "$T/box.err" 'exec /bin/script: no such file or directory; its interpreter /no/such/shell is missing'
    t "$who: no format is 126" status_is 126 box -- words
    t "$who: ... told" has "$T/box.err" 'exec /bin/words: exec format error: neither a program nor a script with a "#!" line'
    t "$who: no permission is 126" status_is 126 box -- /etc/passwd
    t "$who: ... told" has "$T/box.err" 'exec /etc/passwd: permission denied: the file is not executable (mode 0644)'

    t "$who: a working directory is made" box --cwd /made/here -- pwd
    is "$(cat "$T/box")" /made/here "$who: ... and entered"
    t "$who: hosts and resolv.conf are given, the latter through the image's dangling link" box -- cat /etc/hosts /etc/resolv.conf
    is "$(tr '\t\n' '  ' <"$T/box")" "127.0.0.1 localhost nameserver 192.0.2.1 " "$who: ... as planned"
    t "$who: writing there" box -- sh -c 'echo more >>/etc/hosts; grep -c . /etc/hosts'
    is "$(cat "$T/box"; cat "$W/upper-0/etc/hosts" 2>/dev/null)" 2 "$who: ... works and is thrown away"
    t "$who: mounts" box --mount "$T/shared:/host/file" --mount "$T/rootfs:/host/dir:ro" --tmpfs /host/tmp --file /run/secrets/key=s3cret --file /dev/pipes/script=hello -- \
        sh -c 'cat /host/file /run/secrets/key /dev/pipes/script; echo; ls -l /run/secrets/key; touch /host/tmp/x; ls -ld /host/tmp'
    t "$who: ... are there" sh -c "grep -q visible '$T/box' && grep -q s3cret '$T/box' && grep -q hello '$T/box' && grep -q '^-r--------' '$T/box' && grep -q '^drwxrwxrwt' '$T/box'"
    t "$who: ... leave nothing in the layer" sh -c "! grep -r -e s3cret -e visible '$W/upper-0' && ! find '$W/upper-0' | grep -e secrets -e host/"
    t "$who: a read-only mount" status_is 1 box --mount "$T/rootfs:/host:ro" -- touch /host/x
    t "$who: a read-only root" status_is 1 box --read-only -- touch /x
    t "$who: ... tmpfs on it is not" box --read-only --tmpfs /tmp -- touch /tmp/x
    t "$who: no_new_privs on request" box --nnp -- grep NoNewPrivs /proc/self/status
    t "$who: ... is set" matches "$T/box" '1$'

    t "$who: what it writes is the upper directory" box -- sh -c 'mkdir /d; echo x >/d/f; rm /bin/words; chown 1000:2000 /d/f'
    is "$(upper | tr '\n' ' ')" "./bin ./bin/words ./d ./d/f " "$who: ... and nothing else"
    t "$who: orphans are reaped" box -- sh -c '(sleep 0.1 &) ; (sleep 0.1 &) ; sleep 0.5; ps -o comm | grep -c sleep; true'
    is "$(cat "$T/box")" 0 "$who: ... all"
    t "$who: the end of the first process ends all" box -- sh -c 'setsid sleep 3217'$$' & setsid sh -c "trap : TERM; sleep 3217'$$'" & true'
    t "$who: ... at once" wait_for 3 none_left 'sleep 3217'$$
    t "$who: signals reach the command, through init" status_is 42 box -- sh -c 'trap "exit 42" TERM; kill -TERM 1; sleep 5'

    work
    t "$who: twenty at once" "run_$who" --many 20 "$T/rootfs" "$W" sh -c 'echo $$ >/pid; sleep 0.3'
    is "$(cat "$W"/upper-*/pid | grep -c '^2$')" 20 "$who: ... each for itself"

    work
    t "$who: eight at once from eight threads" "run_$who" --threads --many 8 "$T/rootfs" "$W" sh -c 'echo $$ >/pid; sleep 0.5; echo done >/done'
    is "$(cat "$W"/upper-*/pid "$W"/upper-*/done | sort | uniq -c | sed 's/^ *//' | tr '\n' ' ')" "8 2 8 done " "$who: ... each for itself"
    work
    begun=$(date +%s)
    t "$who: eight cancelled" status_is 125 with_errors "run_$who" --threads --many 8 --cancel 700 "$T/rootfs" "$W" sh -c 'trap "" TERM INT; echo >/begun; setsid sleep 5432'$$' & sleep 5432'$$
    t "$who: ... end at once" [ $(($(date +%s) - begun)) -lt 10 ]
    is "$(ls "$W"/upper-*/begun | wc -l)" 8 "$who: ... had all begun"
    is "$(grep -c '^sandbox: thread: cancelled$' "$T/box.err")" 8 "$who: ... say why"
    t "$who: ... and leave no process" wait_for 3 none_left 'sleep 5432'$$
    work
    t "$who: those that come after the cancelling" status_is 125 with_errors "run_$who" --threads --many 8 --cancel 1 "$T/rootfs" "$W" sh -c 'sleep 5433'$$
    is "$(grep -c '^sandbox: thread: cancelled$' "$T/box.err")" 8 "$who: ... are refused or killed"

    work
    "run_$who" --many 3 "$T/rootfs" "$W" sh -c 'setsid sleep 4321'$$' & trap "" TERM; sleep 4321'$$ >/dev/null 2>&1 &
    t "$who: three that do not listen" wait_for 5 pgrep -f 'sleep 4321'$$
    killed=$(pgrep -f "^$T/sandbox --many 3 $T/rootfs $W" | head -n 1)
    kill -9 "$killed"
    t "$who: kill -9 of ours ends them" wait_for 5 none_left 'sleep 4321'$$
    t "$who: ... and leaves no mount" not grep -q "$W" /proc/self/mountinfo
    t "$who: ... and no process" wait_for 5 none_left "$W"
}

if can root; then
    cp -a "$T/rootfs" "$T/user-rootfs" && chown -Rh "$test_user:" "$T/user-rootfs" # root of the user's namespace owns it there
    everything root
    mknod -m 666 "$T/rootfs/bin/zero" c 1 5
    t "root: a device node of a layer is no device" status_is 1 box -- head -c 1 /bin/zero
    rm "$T/rootfs/bin/zero"
    t "root: is not the host's root" box -- cat /proc/self/uid_map
    t "root: ... for the map is a namespace's" sh -c "[ \$(readlink /proc/self/ns/user) != x ] && grep -q '^ *0 *0 *4294967295$' '$T/box'"
    who=root
    t "root: userns on request" box --isolation userns -- id -u
else
    skip "sandboxes of root" "not root"
fi
[ ! -d "$T/user-rootfs" ] || { rm -rf "$T/rootfs" && mv "$T/user-rootfs" "$T/rootfs"; }
everything user
t "user: ids are subordinate ones" box -- sh -c 'cat /proc/self/uid_map | wc -l'
is "$(cat "$T/box")" 2 "user: ... oneself and a range"
t "user: isolation root is refused" status_is 125 box --isolation root -- true
t "user: ... in words" has "$T/box.err" 'isolation "root" is not possible here: isolation root needs to be started by root'
t "user: rung none refuses to mount" status_is 125 box --isolation none -- true
t "user: ... in words" has "$T/box.err" 'isolation "none" was asked for'
