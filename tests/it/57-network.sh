#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --dns, --dns-search, --dns-option: resolv.conf of RUN and of run, as root and as an ordinary user; nothing of it in the image.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids

D=$USER_HOME/d
mkdir -p "$D/ctx"
sw() { if [ "$who" = root ]; then slipway "$@"; else as_user slipway "$@"; fi; }
cat >"$D/ctx/Dockerfile" <<'F'
FROM base:1
RUN cat /etc/resolv.conf; echo made >/made
F
# The files of the image, which the same options make again from what is remembered.
no_trace() {
    sw build --dns 192.0.2.1 --dns 2001:db8::1 --dns-search a.example --dns-search b.example --dns-option ndots:3 -o type=tar "$D/ctx" >"$T/files.tar" || return
    tar -tf "$T/files.tar" | grep -qx made && ! tar -xOf "$T/files.tar" | grep -qa 192.0.2.1
}
everything() {
    who=$1
    sw build --no-cache --progress plain -t x:1 --dns 192.0.2.1 --dns 2001:db8::1 --dns-search a.example --dns-search b.example --dns-option ndots:3 "$D/ctx" >"$T/said" 2>&1
    for line in 'nameserver 192.0.2.1' 'nameserver 2001:db8::1' 'search a.example b.example' 'options ndots:3'; do
        t "$who: build: $line" has "$T/said" "$line"
    done
    is "$(grep -c ' nameserver ' "$T/said")" 2 "$who: ... and no server of the host's"
    t "$who: nothing of it is in the image" no_trace
    sw build -t x:1 "$D/ctx" >"$T/said" 2>&1
    t "$who: another resolv.conf is another step" lacks "$T/said" CACHED
    sw build --dns 192.0.2.1 --dns 2001:db8::1 --dns-search a.example --dns-search b.example --dns-option ndots:3 -t x:1 "$D/ctx" >"$T/said" 2>&1
    t "$who: ... and the same one is remembered" matches "$T/said" 'CACHED|cached'
    t "$who: run" sw run --dns 192.0.2.9 --dns-search . x:1 cat /etc/resolv.conf
    t "$who: ... its server" sh -c "grep -qx 'nameserver 192.0.2.9' '$T/out' && ! grep -q ^search '$T/out'"
}
t "a base" busybox_image base:1
t "and for the user" user_image base:1
chown -R "$test_user:" "$D"
everything root
everything user

# --- a network of a step's own
cat >"$D/ctx/Dockerfile" <<'F'
FROM base:1
RUN mkdir -m 777 /o; readlink /proc/self/ns/net >/o/ns; ip -4 addr show scope global | grep -c inet >/o/inet; ip route | grep -c '^default' >/o/route; nc -w 2 127.0.0.1 PORT </dev/null >/dev/null 2>&1 && echo reached >/o/loop; true
RUN readlink /proc/self/ns/net >/o/ns2
RUN --network=none ip -4 addr show scope global | wc -l >/o/none
FROM scratch
COPY --from=0 /o /
F
start listen.log python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
while True: s.accept()[0].close()'
wait_for 10 test -s listen.log
sed -i "s/PORT/$(cat listen.log)/" "$D/ctx/Dockerfile"
if command -v pasta >/dev/null && : <>/dev/net/tun; then
    t "--network private" slipway build --network private -q -o private "$D/ctx"
    t "is not this host's" test "$(cat private/ns)" != "$(readlink /proc/self/ns/net)"
    t "... nor another step's" test "$(cat private/ns)" != "$(cat private/ns2)"
    is "$(cat private/inet) $(cat private/route)" "1 1" "has an address and a way out"
    t "does not lead to what listens on this host's loopback" test ! -e private/loop
    is "$(cat private/none)" 0 "a RUN with none of its own has none"
    t "leaves no helper behind" sh -c 'for p in /proc/[0-9]*; do [ "$(readlink "$p/ns/net" 2>/dev/null)" != "$(cat private/ns)" ] || exit 1; done'
    t "is another step than with the host's" sh -c 'slipway build --progress plain -o host "$1" 2>err && ! grep -q CACHED err' sh "$D/ctx"
    t "with the host's the server is reached" test -e host/loop
else
    skip "--network private" "no pasta, or no /dev/net/tun"
fi
mkdir "$T/broken" && printf '#!/bin/sh\nexit 1\n' >"$T/broken/pasta" && chmod 755 "$T/broken/pasta"
if : <>/dev/net/tun; then
    t "a pasta that gives nothing" expect_fail 'Dockerfile:2: --network=private: pasta gave the network no address' env PATH="$T/broken:$PATH" slipway build --network private --no-cache "$D/ctx"
    is "$(find "$SLIPWAY_ROOT/tmp" -mindepth 1 | wc -l)" 0 "... and leaves nothing of the step"
else
    skip "a pasta that gives nothing" "no /dev/net/tun"
fi
mkdir "$T/bare" && ln -s "$(command -v slipway)" "$T/bare/slipway"
t "without pasta it is refused" expect_fail '--network=private: pasta is not in PATH; it comes with the package passt' env PATH="$T/bare" slipway build --network private --no-cache "$D/ctx"
t "... with the line" has "$T/expected" 'Dockerfile:2'
sed 's/--network=none/--network=private/' "$D/ctx/Dockerfile" >"$D/Private"
t "a RUN cannot ask for it" expect_fail '--network=private is for the command line: build --network private' slipway build -f "$D/Private" "$D/ctx"

t "a server by name" expect_status 2 '--dns: server "ns.example" is no address' slipway build --dns ns.example "$D/ctx"
t "a search of two words" expect_status 2 '--dns-search: domain "a b" is no name of a domain' slipway run --dns-search 'a b' x:1
