#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --on-error=shell: a shell where a step failed, as root and as an ordinary user, with and without an overlay.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids python3

D=$USER_HOME/d
mkdir -p "$D/ctx"
echo hidden-value >"$D/secret"
# typed LOG COMMAND…: the command on a terminal of 30 rows; standard input is typed line by line, each when a prompt stands there. Its status.
cat >typed.py <<'E2'
import os, pty, re, select, struct, sys, termios, fcntl, time
lines = sys.stdin.read().splitlines()
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))
seen, end = b"", time.time() + 40
prompt = re.compile(rb'[\r\n]/\w* [#$] (\x1b\[6n)?\Z') # at the beginning of a line, and nothing more for a while
while time.time() < end:
    ready = select.select([fd], [], [], 0.2)[0]
    if ready:
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        seen += got
    elif lines and prompt.search(seen[-200:]):
        line = lines.pop(0)
        if line == 'RESIZE':
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 44, 120, 0, 0))
            time.sleep(0.3)
            line = lines.pop(0)
        os.write(fd, line.encode() + b'\n')
        seen += b'\n'
open(sys.argv[1], 'wb').write(seen)
if time.time() >= end:
    os.kill(pid, 9)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
E2
chmod 644 typed.py
cp typed.py "$USER_HOME/"
cat >"$D/ctx/Dockerfile" <<'F'
FROM base:1
ENV COLOUR=blue
RUN mkdir /w && chown app /w && echo before >/w/before
WORKDIR /w
USER app
RUN --mount=type=cache,target=/c,uid=1000,mode=777 --mount=type=secret,id=s,target=/s,mode=444 --mount=type=tmpfs,target=/t echo half >half; echo kept >/c/kept; false
F
cat >lines <<'L'
echo id=$(id -un) pwd=$(pwd) colour=$COLOUR half=$(cat half) before=$(cat before)
echo cache=$(cat /c/kept) secret=$(cat /s) terminal=$(tty | cut -c1-8) size=$(stty size)
RESIZE
echo size=$(stty size)
echo more >more; exit 3
L
everything() {
    who=$1 rung=$2
    shift 2
    t "$who, $rung: the build fails" expect_status 1 '' "$@" python3 "$USER_HOME/typed.py" "$D/log-$who-$rung" "$SLIPWAY" build --isolation "$rung" --on-error=shell --secret "id=s,src=$D/secret" --progress plain -t x:1 "$D/ctx" <lines
    tr -d '\r\033' <"$D/log-$who-$rung" >"$T/log"
    t "$who, $rung: ... after its shell" has "$T/log" 'a shell where it did'
    t "$who, $rung: ... with user, directory, environment, files" has "$T/log" 'id=app pwd=/w colour=blue half=half before=before'
    t "$who, $rung: ... with mounts and a terminal" matches "$T/log" '^cache=kept secret=hidden-value terminal=(/dev/|not a tt).* size=30 100'
    t "$who, $rung: ... that changes its size" has "$T/log" 'size=44 120'
    t "$who, $rung: ... and says so at the end" sh -c "tail -n 3 '$T/log' | grep -q 'Dockerfile:6: the command failed with exit status 1'"
    t "$who, $rung: nothing is kept" expect_fail 'no image' "$@" "$SLIPWAY" inspect x:1
    sed 's/; false$/; ls/' "$D/ctx/Dockerfile" >"$D/Dockerfile.good"
    t "$who, $rung: the store is as before" "$@" "$SLIPWAY" build --isolation "$rung" --secret "id=s,src=$D/secret" -f "$D/Dockerfile.good" -t y:1 "$D/ctx"
    t "$who, $rung: ... the next build has none of it" sh -c "! grep -q ' more' '$T/err'"
}
t "a base" busybox_image base:1
t "and for the user" user_image base:1
chown -R "$test_user:" "$D"
everything root auto env
everything user auto as_user
everything root chroot env
# --- a network of the step's own: the shell has one, too
if command -v pasta >/dev/null && : <>/dev/net/tun; then
    printf 'FROM base:1\nRUN readlink /proc/self/ns/net; false\n' >"$D/ctx/Dockerfile"
    printf 'echo routes=$(ip route | grep -c ^default) ns=$(readlink /proc/self/ns/net)\nexit\n' >lines
    t "a private network: the build fails" expect_status 1 '' python3 typed.py private.log "$SLIPWAY" build --network private --on-error=shell --progress plain "$D/ctx" <lines
    t "... after a shell with a way out" has private.log "routes=1 ns=net:["
    t "... that is not this host's" lacks private.log "ns=$(readlink /proc/self/ns/net)"
    t "... and no helper stays" sh -c 'for p in /proc/[0-9]*; do ! grep -qF "$(readlink "$p/ns/net" 2>/dev/null || echo none)" private.log || exit 1; done'
else
    skip "a private network" "no pasta, or no /dev/net/tun"
fi
# --- owners of links, where they are recorded
printf 'FROM base:1\nRUN ln -s x /l && chown -h app /l; false\n' >"$D/ctx/Dockerfile"
cat >lines <<'L'
ln -s x /m; chown -h 7 /m; stat -c "%n-%u" /l /m
exit
L
slipway --root "$T/single" load -i "$T/user-image.tar" >/dev/null
t "isolation single" expect_status 1 '' python3 typed.py "$D/log" slipway --root "$T/single" build --isolation single --on-error=shell "$D/ctx" <lines
tr -d '\r' <"$D/log" >"$T/log"
t "... has the owners that the step gave" matches "$T/log" '^/l-1000$'
t "... and gives others" matches "$T/log" '^/m-7$'
# --- two stages that fail, and the result in a file: one shell, and what the others say comes after it
cat >"$D/ctx/Dockerfile" <<'F'
FROM base:1 AS a
RUN sleep 1; echo a-fails; exit 3
FROM base:1 AS b
RUN sleep 2; echo b-fails; exit 4
FROM base:1
COPY --from=a / /a
COPY --from=b / /b
F
cat >lines <<'L'
sleep 2; echo in-the-shell $((40 + 2))
exit 7
L
# shellcheck disable=SC2016 # expanded there
t "two stages that fail" expect_status 1 '' python3 typed.py "$D/log" sh -c 'slipway build --on-error=shell --progress plain --jobs 3 "$1" >"$1/../result"' - "$D/ctx" <lines
tr -d '\r' <"$D/log" >"$T/log"
is "$(grep -c 'a shell where it did' "$T/log")" 1 "... one shell"
t "... that says of what" has "$T/log" 'the command failed with exit status 3'
is "$(grep -E -o '^(#[0-9]+ b-fails|in-the-shell 42)' "$T/log" | sed 's/^#[0-9]* //')" 'in-the-shell 42
b-fails' "... the other waits"
t "... the error is the step's" has "$T/log" 'slipway: Dockerfile:2: the command failed with exit status 3'
is "$(cat "$D/result")" '' "... nothing of it in the result"
# --- authorities are there too, once
make_ca
printf 'FROM base:1\nRUN mkdir -p /etc/ssl/certs && echo own >/etc/ssl/certs/ca-certificates.crt\nRUN false\n' >"$D/ctx/Dockerfile"
cat >lines <<'L'
echo own=$(grep -c own $SSL_CERT_FILE) ours=$(grep -c BEGIN $SSL_CERT_FILE) image=$(grep -c BEGIN /etc/ssl/certs/ca-certificates.crt)
exit
L
t "a shell with --ca-bundle" expect_status 1 '' python3 typed.py "$D/log" slipway build --on-error=shell --ca-bundle "$CA_FILE" "$D/ctx" <lines
t "... has it once" has "$D/log" 'own=1 ours=1 image=1'
t "without a terminal" expect_status 2 '--on-error=shell needs a terminal' slipway build --on-error shell "$D/ctx" </dev/null
t "another way" expect_status 2 '--on-error debug: there are shell and fail' slipway build --on-error debug "$D/ctx"
