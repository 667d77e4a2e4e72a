#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway run: an image's config and the options over it, published ports, signals, a terminal, nothing left behind.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox user subids curl

chmod 755 "$T"
as() { # root|user COMMAND…
    as_who=$1
    shift
    if [ "$as_who" = root ]; then "$@"; else as_user "$@"; fi
}
on() { # the same, with both outputs kept: $T/said, $T/said.err
    as "$@" >"$T/said" 2>"$T/said.err"
    on_status=$?
    cat "$T/said"
    cat "$T/said.err" >&2
    return $on_status
}
status_is() {
    si_want=$1
    shift
    "$@"
    si_got=$?
    [ "$si_got" -eq "$si_want" ] && return 0
    echo "status $si_got, want $si_want" >&2
    return 1
}
image() { # one import for all: busybox with a config worth running
    busybox_rootfs "$T/rootfs"
    mkdir "$T/rootfs/www" && echo '<h1>it works</h1>' >"$T/rootfs/www/index.html"
    head -c 3000000 /dev/urandom >"$T/rootfs/www/big"
    tar -C "$T/rootfs" --owner=0 --group=0 --numeric-owner -cf "$T/image.tar" .
    chmod 644 "$T/image.tar"
}
lines() { tr '\n' ' ' <"$T/said"; }
store_of() { if [ "$1" = root ]; then echo "$SLIPWAY_ROOT"; else echo "$USER_HOME/store"; fi; }
nothing_left() { [ -z "$(ls -A "$(store_of "$1")/tmp")" ]; }
answers() { curl -sf --max-time 5 "http://$1/" | grep -q 'it works'; }
gone() { ! pgrep -f "$1" >/dev/null; }
# publish WHO LOG [option…] IMAGE COMMAND…: in the background, pid in $started, its address in $address
publish() {
    p_who=$1 p_log=$2
    shift 2
    rm -f "$p_log" # or the last one's lines are taken for this one's
    if [ "$p_who" = root ]; then start "$p_log" slipway run "$@"; else start "$p_log" as_user slipway run "$@"; fi
    wait_for 10 grep -q 'of the container is' "$p_log" || { cat "$p_log" >&2; return 1; }
    address=$(sed -n 's/^port [0-9]* of the container is //p' "$p_log" | head -n 1)
    address=$(echo "$address" | sed 's/^\*/127.0.0.1/')
    on_exit "kill -9 $(ours) 2>/dev/null"
}
ours() { # the slipway that was started last, also when it is a shell's child (as_user is a function)
    case $(ps -o comm= -p "$started") in
    slipway) echo "$started" ;;
    *) pgrep -P "$started" | head -n 1 ;;
    esac
}
below() { # every process below a process
    for b_pid in $(pgrep -P "$1"); do
        echo "$b_pid"
        below "$b_pid"
    done
}
none_of() { # PID…: none of them is alive
    [ $# -gt 0 ] || return 1
    for n_pid; do
        [ ! -d "/proc/$n_pid" ] || return 1
    done
}
end_with() { # SIGNAL
    pid=$(ours)
    kill "-$1" "$pid"
}

image
everything() {
    who=$1
    t "$who: import" on "$who" slipway import -c 'CMD ["echo","from cmd"]' -c 'ENV A=image B=kept' -c 'USER app' -c 'WORKDIR /www' "$T/image.tar" web:1
    t "$who: the image's command" on "$who" slipway run web:1
    is "$(cat "$T/said")" "from cmd" "$who: ... ran"
    t "$who: config and options" on "$who" slipway run -e A=option -e C=d=e -e HOMEPAGE web:1 sh -c 'echo $A $B $C $HOME; id -u; id -g; pwd; echo ${HOMEPAGE-unset}; hostname'
    t "$who: ... go together" matches "$T/said" '^option kept d=e /home/app$'
    is "$(lines | cut -d' ' -f5-8)" "1000 1000 /www unset" "$who: ... user, directory"
    t "$who: -u, -w, --hostname, --entrypoint" on "$who" slipway run --rm -u 0:extra -w /tmp -h box --entrypoint sh web:1 -c 'id -u; id -g; pwd; hostname; cat /etc/hostname; grep -c box /etc/hosts; echo $HOME'
    is "$(lines)" "0 2000 /tmp box box 1 /root " "$who: ... are heard"
    t "$who: an option after the image is the command's" on "$who" slipway run web:1 echo -e A --rm
    is "$(cat "$T/said")" "A --rm" "$who: ... argument"
    t "$who: --add-host" on "$who" slipway run --add-host db:192.0.2.7 web:1 grep -w db /etc/hosts
    t "$who: volumes" on "$who" slipway run -u 0 -v "$T/rootfs/www:/data:ro" --tmpfs /scratch:size=1m web:1 sh -c 'cat /data/index.html && ! touch /data/x && touch /scratch/x && df -k /scratch | tail -n 1'
    t "$who: ... show the host's files" has "$T/said" 'it works'
    t "$who: --read-only" status_is 1 on "$who" slipway run -u 0 --read-only web:1 touch /x
    t "$who: --cap-drop" on "$who" slipway run -u 0 --cap-drop ALL --cap-add chown web:1 grep CapEff /proc/self/status
    t "$who: ... and --cap-add" matches "$T/said" '0000000000000001$'
    t "$who: standard input is empty" on "$who" sh -c 'echo in | slipway run web:1 cat'
    is "$(cat "$T/said")" "" "$who: ... without -i"
    t "$who: standard input is passed on" on "$who" sh -c 'echo in | slipway run -i web:1 cat'
    is "$(cat "$T/said")" in "$who: ... with -i"
    t "$who: --network host" on "$who" slipway run --network host web:1 readlink /proc/self/ns/net
    is "$(cat "$T/said")" "$(readlink /proc/self/ns/net)" "$who: ... is the host's"
    t "$who: --network none" on "$who" slipway run --network none web:1 ip addr
    t "$who: ... is lo" lacks "$T/said" '2:'
    t "$who: by id" on "$who" sh -c 'slipway run "$(slipway images -q | head -n 1)" true'

    t "$who: exit status" status_is 9 on "$who" slipway run web:1 sh -c 'exit 9'
    t "$who: not found is 127" status_is 127 on "$who" slipway run web:1 nosuch
    t "$who: ... told once" has "$T/said.err" 'slipway: exec nosuch: not found in PATH'
    t "$who: not executable is 126" status_is 126 on "$who" slipway run web:1 /etc/passwd
    t "$who: an unknown user is 125" status_is 125 on "$who" slipway run -u ghost web:1 true
    t "$who: no such image is 125" status_is 125 on "$who" slipway run --pull never nosuch:1 true
    t "$who: an image for another machine" on "$who" slipway import --platform linux/s390x "$T/image.tar" other:1
    t "$who: ... is refused" status_is 125 on "$who" slipway run --platform linux/s390x other:1 true
    t "$who: ... naming the emulator" has "$T/said.err" 'qemu-s390x'

    t "$who: a published port" publish "$who" "$T/log" -u 0 -p 127.0.0.1::80 web:1 httpd -f -p 0.0.0.0:80 -h /www
    t "$who: ... answers" wait_for 5 answers "$address"
    t "$who: ... with all of a large file" sh -c "curl -sf http://$address/big | cmp - '$T/rootfs/www/big'"
    t "$who: ... many times at once" sh -c "seq 200 | xargs -P 20 -I{} curl -sf -o /dev/null http://$address/index.html"
    port=${address##*:}
    t "$who: ... and is not open elsewhere" not curl -sf --max-time 2 -o /dev/null "http://$(hostname -I | cut -d' ' -f1):$port/"
    t "$who: a taken port is refused" status_is 125 on "$who" slipway run -p "127.0.0.1:$port:80" web:1 true
    t "$who: ... in words" has "$T/said.err" "publish port 80: listen on 127.0.0.1:$port: Address already in use"
    pid=$(ours)
    t "$who: no descriptor is lost" sh -c "[ \$(ls /proc/$pid/fd | wc -l) -lt 40 ]"
    kill -TERM "$pid"
    t "$who: SIGTERM ends it" wait_for 5 gone 'httpd -f -p 0.0.0.0:80'
    t "$who: ... and leaves nothing" wait_for 5 nothing_left "$who"

    t "$who: a service on 127.0.0.1" publish "$who" "$T/log" -p 127.0.0.1::8080 web:1 httpd -f -p 127.0.0.1:8080 -h /www
    t "$who: ... answers too" wait_for 5 answers "$address"
    end_with TERM
    t "$who: a service on ::1" publish "$who" "$T/log" -p 8081 web:1 httpd -f -p '[::1]:8081' -h /www
    t "$who: ... answers too" wait_for 5 answers "$address"
    t "$who: ... over IPv6 as well" wait_for 5 answers "[::1]:${address##*:}"
    end_with TERM
    # Half-closed: the client has said all it has to say, the answer still comes, slowly.
    t "$who: a half-closed connection" publish "$who" "$T/log" -p 127.0.0.1::7000 web:1 sh -c 'while :; do nc -l -p 7000 -e sh -c "wc -c; sleep 0.5; echo late"; done'
    is "$(python3 -c '
import socket, sys, time
for attempt in range(50):
    try:
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        s.sendall(bytes(200000)); s.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: s.recv(4096), b""))
    except OSError:
        answer = b""
    if answer: break
    time.sleep(0.1) # nobody listens yet
print(answer.decode().replace("\n", " "))' "${address##*:}")" "200000 late " "$who: ... brings the whole answer"

    end_with TERM

    rm -f "$T/log"
    start "$T/log" as "$who" slipway run web:1 sh -c 'trap "echo caught; exit 3" INT; echo up; sleep 5433'$$' & wait'
    t "$who: a command with a trap" wait_for 5 grep -q up "$T/log"
    end_with INT
    t "$who: SIGINT is passed on" wait_for 5 grep -q caught "$T/log"
    rm -f "$T/log"
    start "$T/log" as "$who" slipway run web:1 sh -c 'trap "" INT TERM; echo up; sleep 5434'$$
    t "$who: a command that does not listen" wait_for 5 grep -q up "$T/log"
    pid=$(ours)
    kill -INT "$pid"
    sleep 1 # two that come together are one
    t "$who: one SIGINT is not enough" pgrep -f '^sleep 5434'$$
    kill -INT "$pid"
    t "$who: a second one kills" wait_for 5 gone 'sleep 5434'$$

    rm -f "$T/log"
    start "$T/log" as "$who" slipway run -p 127.0.0.1::80 web:1 sh -c 'trap "" INT TERM HUP; setsid sleep 5435'$$' & echo up; sleep 5435'$$
    t "$who: another" wait_for 5 grep -q up "$T/log"
    pid=$(ours)
    helpers=$(below "$pid")
    kill -9 "$pid"
    t "$who: kill -9 of slipway ends the container" wait_for 5 gone 'sleep 5435'$$
    t "$who: ... and its network and all helpers" wait_for 5 none_of $helpers
    wait_for 5 not kill -0 "$pid"
    t "$who: ... and the next run removes what is left" on "$who" slipway run web:1 true
    t "$who: ... all" nothing_left "$who"

    t "$who: a terminal" on "$who" python3 - <<'PY'
import os, pty, sys
out = b""
pid, fd = pty.fork()
if pid == 0:
    os.execvp("slipway", ["slipway", "run", "-it", "web:1", "sh", "-c", 'tty; read x; echo "got $x"; exit 4'])
os.write(fd, b"typed\n")
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    out += piece
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(out.decode())
sys.exit(0 if status == 4 and b"/dev/pts/0" in out and b"got typed" in out else 1)
PY
    t "$who: -t alone" on "$who" slipway run -t web:1 sh -c 'test -t 0 -a -t 1 -a -t 2 && tty'
    t "$who: ... is a terminal" has "$T/said" /dev/pts/0
    as "$who" slipway rm web:1 other:1 >/dev/null 2>&1
}

if can root; then everything root; else skip "runs of root" "not root"; fi
everything user
for words in '-d:--detach is not carried out' '--name=x:--name is not carried out' '--network=moon:unknown network "moon"' \
    '--isolation=moon:unknown isolation "moon"' '-v=data\:/x:named volumes are not carried out' \
    '-p=80\:80/udp:protocol "udp" is not carried out' '--cap-add=FLY:unknown capability "FLY"' '--pull=maybe:unknown --pull "maybe"'; do
    option=$(echo "$words" | sed 's/\\:/@/g; s/:.*//; s/@/:/g; s/^\(-.\)=/\1/')
    text=$(echo "$words" | sed 's/\\:/@/g; s/^[^:]*://')
    busybox_image refuse:1 2>/dev/null
    t "$option is refused by name" expect_status 2 "$text" slipway run "$option" refuse:1 true
done
t "a variable without a name is refused" expect_status 2 "variable \"=x\" has no name" slipway run -e =x refuse:1 true
