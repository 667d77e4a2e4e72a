#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# RUN's network, security, devices, ssh agents, heredocs, users and logs, as root and as an ordinary user.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids

blob() { echo "$STORE/blobs/$(echo "$1" | tr : /)"; }
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$STORE/index.json"; }
top_file() { tar -xOzf "$(blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest x:1)")")")" "$1"; }
sw() { if [ "$who" = root ]; then slipway "$@"; else as_user SSH_AUTH_SOCK="${SSH_AUTH_SOCK-}" slipway "$@"; fi; }
give() { [ "$who" = root ] || chown -R "$test_user:" "$D"; }
# run FLAGS COMMAND [LINES]: with $OPTIONS; what it writes to /out is in $T/got
run() {
    printf 'FROM base:1\n%s\nUSER 0\nRUN mkdir -m 777 /o\n%s\nRUN %s (%s) >/o/out 2>&1\n' "${3-}" "${4-}" "$1" "$2" >"$D/Dockerfile"
    give
    sw build ${OPTIONS-} -f "$D/Dockerfile" -t x:1 "$D/ctx" || return
    top_file o/out >"$T/got"
    cat "$T/got"
}
# file: the Dockerfile from standard input, built; /out of its last layer in $T/got
file() {
    cat >"$D/Dockerfile"
    give
    sw build ${OPTIONS-} -f "$D/Dockerfile" -t x:1 "$D/ctx" || return
    top_file out >"$T/got"
    cat "$T/got"
}
got() { is "$(cat "$T/got")" "$1" "$2"; }

everything() {
    who=$1 OPTIONS=''
    # --- network
    t "$who: the network is this host's" run '' 'readlink /proc/self/ns/net'
    got "$(readlink /proc/self/ns/net)" "$who: ... indeed"
    t "$who: --network=none" run '--network=none' 'ip addr | grep -c "^[0-9]"; ip addr show lo | grep -c "UP"; ping -c 1 -w 2 127.0.0.1 >/dev/null && echo lo; readlink /proc/self/ns/net'
    t "$who: ... lo, up, and nothing else" sh -c "head -n 3 '$T/got' | tr '\n' ' ' | grep -qx '1 1 lo ' && ! grep -qxF '$(readlink /proc/self/ns/net)' '$T/got'"
    t "$who: --network=host is not allowed" expect_fail 'Dockerfile:6: RUN --network=host is not allowed without --allow network.host' run '--network=host' true
    OPTIONS='--allow network.host'
    t "$who: ... unless it is" run '--network=host' 'readlink /proc/self/ns/net'
    got "$(readlink /proc/self/ns/net)" "$who: ... this host's"
    OPTIONS='--network host'
    t "$who: ... or build has it for all" run '--network=host' 'true; true'
    OPTIONS='--network none'
    t "$who: build --network none" run '' 'ip addr | grep -c "^[0-9]"'
    got 1 "$who: ... is for all steps"
    t "$who: ... that say nothing else" expect_fail 'not allowed' run '--network=host' true
    OPTIONS=''
    t "$who: another network" expect_fail 'Dockerfile:6: unknown network "hots"; did you mean host?' run '--network=hots' true
    t "$who: --network bridge" expect_status 2 'unknown network "bridge"' slipway build --network bridge "$D/ctx"
    OPTIONS='--add-host db:10.1.2.3 --add-host six=[fd00::1] --add-host me:host-gateway'
    t "$who: --add-host" run '' 'cat /etc/hosts'
    for line in '10.1.2.3 db' 'fd00::1 six' '127.0.0.1 me' '127.0.0.1 localhost' '127.0.0.1 buildkitsandbox'; do
        t "$who: ... $line" grep -q "^${line%% *}[[:space:]].*${line##* }" "$T/got"
    done
    t "$who: a host that is none" expect_status 2 '--add-host' slipway build --add-host db "$D/ctx"
    OPTIONS='--shm-size 3m --ulimit nofile=77:99 --ulimit core=0'
    t "$who: --shm-size, --ulimit" run '' 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d" " -f2; ulimit -Sn; ulimit -Hn; ulimit -c'
    got "$(printf '3072\n77\n99\n0')" "$who: ... hold"
    OPTIONS='--ulimit nofile=999999999'
    t "$who: a limit above ours" expect_fail 'limit nofile: the hard limit here is' run '' true
    OPTIONS=''

    # --- security and devices
    t "$who: --security=insecure is not allowed" expect_fail 'Dockerfile:6: RUN --security=insecure is not allowed without --allow security.insecure' run '--security=insecure' true
    OPTIONS='--allow security.insecure'
    t "$who: ... unless it is" run '--security=insecure' 'grep -e ^CapEff -e ^Seccomp: /proc/self/status | tr "\t\n" "  "; mkdir -p /mnt/t; mount -t tmpfs x /mnt/t && echo mounted; umount /mnt/t; ls /dev | wc -l'
    t "$who: ... with all capabilities, no filter, mounts" sh -c "head -n 1 '$T/got' | grep -q 'CapEff: 000001ffffffffff Seccomp: 0' && grep -q mounted '$T/got'"
    t "$who: --security=sandbox has none of it" run '--security=sandbox' 'mkdir -p /mnt/t; mount -t tmpfs x /mnt/t || echo refused'
    t "$who: ... indeed" has "$T/got" refused
    OPTIONS=''
    t "$who: a device that is required" expect_fail 'Dockerfile:6: RUN --device: vendor.com/gpu=all is required, and no specification in /etc/cdi, /var/run/cdi or /etc/buildkit/cdi tells of it' run '--device=vendor.com/gpu=all,required' true
    t "$who: one that is not" run '--device=name=vendor.com/gpu=all' 'echo ran'
    got ran "$who: ... is done without"

    # --- heredocs
    t "$who: a heredoc is a script" file <<'D'
FROM base:1
ARG V=value
RUN <<EOF
echo "$V" >/out
  echo indented $((1 + 1)) >>/out
EOF
D
    got "$(printf 'value\nindented 2')" "$who: ... run by the shell"
    t "$who: quoted, with tabs taken off" file <<'D'
FROM base:1
RUN <<-"EOF"
	cat >/out <<'X'
	$V
	X
	EOF
D
    got '$V' "$who: ... as it stands"
    t "$who: several, with a command" file <<'D'
FROM base:1
RUN cat <<A >/out && cat <<'B' >>/out
one $((2 + 3))
A
two $((2 + 3))
B
D
    got "$(printf 'one 5\ntwo $((2 + 3))')" "$who: ... go to the shell"
    t "$who: one with #!" file <<'D'
FROM base:1
SHELL ["/bin/false"]
RUN <<EOF
#!/bin/cat

line
EOF
SHELL ["/bin/sh", "-c"]
RUN <<script
#!/bin/sh
echo "$0" $(stat -c %a "$0") >/out
script
D
    got "/dev/pipes/script 755" "$who: ... is a file of its own"
    t "$who: in ONBUILD" file <<'D'
FROM base:1 AS parent
ONBUILD RUN --mount=type=tmpfs,target=/t --network=none <<EOF
ls -d /t >/out
EOF
FROM parent
D
    got /t "$who: ... with mounts"

    # --- users
    t "$who: USER by name has its groups" run '' 'id; echo $HOME' '' 'USER app'
    got "$(printf 'uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)\n/home/app')" "$who: ... and home"
    t "$who: USER with a group has no others" run '' 'id' '' 'USER app:5'
    got 'uid=1000(app) gid=5 groups=5' "$who: ... indeed"
    t "$who: USER by number, without an entry" run '' 'id -u; id -g; id -G; echo $HOME' '' 'USER 4711'
    got "$(printf '4711\n0\n0\n/')" "$who: ... has group 0"
    t "$who: numbers need no files" run '' 'id -u; id -g' 'RUN rm /etc/passwd /etc/group' 'USER 7:8'
    got "$(printf '7\n8')" "$who: ... at all"
    t "$who: an unknown name is an error of RUN" expect_fail 'Dockerfile:6: USER ghost:' run '' true '' 'USER ghost'
    printf 'FROM base:1\nUSER ghost\nENV A=1\n' >"$D/Dockerfile"; give
    t "$who: ... and only of RUN" sw build -f "$D/Dockerfile" -t x:1 "$D/ctx"
    t "$who: HOME of ENV stays" run '' 'echo $HOME' '' 'ENV HOME=/elsewhere
USER app'
    got /elsewhere "$who: ... as it is"

    # --- the log
    t "$who: a step that fails shows its last lines" expect_fail 'the command failed with exit status 3; all it printed is in ' run '' 'exit 3' 'RUN i=0; while [ $i -lt 30000 ]; do echo "line $i of a long output"; i=$((i+1)); done; echo the end >&2; exit 3'
    cp "$T/err" "$T/long"
    t "$who: ... all of them are in the file" sh -c 'f=$(sed -n "s/.*all it printed is in \([^ ;]*\).*/\1/p" "$1" | tail -n 1) && [ "$(wc -l <"$f")" = 30001 ] && head -n 1 "$f" | grep -qx "line 0 of a long output" && tail -n 1 "$f" | grep -qx "the end"' sh "$T/long"
    t "$who: ... the last ones are shown" has "$T/long" 'line 29999 of a long output'
    logs=$(find "$STORE/cache/logs" -type f | wc -l)
    for command in 'echo 1; false' 'echo 2; false' 'false' 'echo 3'; do
        run '' true "RUN $command" >/dev/null 2>&1
    done
    is "$(find "$STORE/cache/logs" -type f | wc -l)" "$((logs + 2))" "$who: failed steps' logs are kept, when there is something in them"
    i=0
    while [ $i -lt 60 ]; do
        i=$((i + 1))
        : >"$STORE/cache/logs/19700101-0000$(printf %02d $i).log"
    done
    run '' true 'RUN echo 4; false' >/dev/null 2>&1
    is "$(find "$STORE/cache/logs" -type f | wc -l)" 50 "$who: ... fifty of them"
    is "$(find "$STORE/cache/logs" -type f -name '1970*' | wc -l)" "$((50 - logs - 3))" "$who: ... the newest"
}

# A client in the image: the host's own ssh-add with what it needs.
ssh_client() {
    mkdir -p "$D/ctx/ssh"
    cp "$(command -v ssh-add)" "$D/ctx/ssh/"
    ldd "$(command -v ssh-add)" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p' | while read -r lib; do cp "$lib" "$D/ctx/ssh/"; done
    loader=$(basename "$(ldd "$(command -v ssh-add)" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\) .*/\1/p')")
    add="/ssh/$loader --library-path /ssh /ssh/ssh-add"
}
agents() {
    who=$1 OPTIONS=''
    ssh_client
    ssh-keygen -q -t ed25519 -N '' -C 'key one' -f "$D/key1"
    ssh-keygen -q -t ecdsa -N '' -C 'key two' -f "$D/key2"
    ssh-keygen -q -t ed25519 -N 'a passphrase' -C 'key three' -f "$D/key3"
    give
    s='--mount=source=ssh,target=/ssh'
    if [ "$who" = root ]; then start "$T/agent.log" ssh-agent -D -a "$D/agent"; else start "$T/agent.log" as_user ssh-agent -D -a "$D/agent"; fi
    t "$who: an agent" wait_for 5 test -S "$D/agent"
    SSH_AUTH_SOCK=$D/agent
    export SSH_AUTH_SOCK
    if [ "$who" = root ]; then ssh-add -q "$D/key1"; else as_user SSH_AUTH_SOCK="$SSH_AUTH_SOCK" ssh-add -q "$D/key1"; fi
    OPTIONS='--ssh default'
    t "$who: --ssh default is the agent of SSH_AUTH_SOCK" run "$s --mount=type=ssh" "$add -l; echo \$SSH_AUTH_SOCK; stat -c '%a %u:%g %F' \$SSH_AUTH_SOCK"
    t "$who: ... its key is there" has "$T/got" 'key one'
    t "$who: ... at the place that docker has" sh -c "grep -qx /run/buildkit/ssh_agent.0 '$T/got' && grep -qx '600 0:0 socket' '$T/got'"
    t "$who: for another user, at another place" run "$s --mount=type=ssh,target=/s/sock,uid=1000,mode=0660" "$add -l; stat -c '%a %u:%g' /s/sock" '' 'USER app'
    t "$who: ... it is the user's" sh -c "grep -q 'key one' '$T/got' && grep -qx '660 1000:0' '$T/got'"
    t "$who: many connections" run "$s --mount=type=ssh" "for i in 1 2 3 4 5 6 7 8; do $add -l & done; wait"
    is "$(grep -c 'key one' "$T/got")" 8 "$who: ... are all served"
    t "$who: without a mount there is none" run "$s" "$add -l || echo none"
    t "$who: ... indeed" has "$T/got" none
    OPTIONS="--ssh other=$D/agent --ssh keys=$D/key1,$D/key2"
    t "$who: by id: a socket, and keys" run "$s --mount=type=ssh,id=other,target=/a --mount=type=ssh,id=keys,target=/b" "SSH_AUTH_SOCK=/a $add -l | wc -l; SSH_AUTH_SOCK=/b $add -l | wc -l; echo \$SSH_AUTH_SOCK"
    got "$(printf '1\n2\n/a')" "$who: ... each its own"
    t "$who: ... our agent has gone" wait_for 15 sh -c '! pgrep -f "[s]sh-agent -a $1" >/dev/null' sh "$STORE"
    t "$who: ... and its directory" sh -c '! ls "$1/tmp" | grep .' sh "$STORE"
    t "$who: one that was not given" run "$s --mount=type=ssh,id=none" "echo \${SSH_AUTH_SOCK:-unset}"
    got unset "$who: ... is not there"
    t "$who: one that is required" expect_fail 'ssh agent none is required and was not given: --ssh none' run '--mount=type=ssh,id=none,required' true
    OPTIONS="--ssh default=$D/key3"
    t "$who: a key with a passphrase" expect_fail 'ssh-add does not take' run '' true
    OPTIONS="--ssh default=$D/nothing"
    t "$who: a key that is not there" expect_fail "$D/nothing" run '' true
    OPTIONS='--ssh default'
    SSH_AUTH_SOCK=''
    t "$who: no agent" expect_status 2 'SSH_AUTH_SOCK is not set' run '' true
    is "$(find "$STORE/tmp" -mindepth 1 | wc -l)" 0 "$who: nothing is left in tmp/"
    unset SSH_AUTH_SOCK
    OPTIONS=''
}

if can root; then
    STORE=$SLIPWAY_ROOT D=$T/work/d
    busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
    mkdir -p "$D/ctx"
    everything root
    if can ssh-agent; then agents root; else skip "ssh as root" "$why"; fi
else
    skip "RUN's flags as root" "not root"
fi
as_user true
STORE=$USER_HOME/store D=$USER_HOME/d
[ -f "$T/busybox.tar" ] || { busybox_image base:1; }
cp "$T/busybox.tar" "$USER_HOME/"
as_user slipway import --change 'CMD ["/bin/sh"]' "$USER_HOME/busybox.tar" base:1 >/dev/null || { echo "Bail out! no base image"; exit 1; }
mkdir -p "$D/ctx"
everything user
if can ssh-agent; then agents user; else skip "ssh as an ordinary user" "$why"; fi
