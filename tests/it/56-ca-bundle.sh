#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --ca-bundle: steps trust its certificates, the builder too; no layer has them, whatever a step does to the image's bundle.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids openssl python3

D=$USER_HOME/d
mkdir -p "$D/ctx"
make_ca
cp "$CA_FILE" "$D/ca.pem"
mark=$(sed -n 2p "$D/ca.pem")
sw() { if [ "$who" = root ]; then slipway "$@"; else as_user slipway "$@"; fi; }
blob() { echo "$ROOT/blobs/$(echo "$1" | tr : /)"; }
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$ROOT/index.json"; }
layers() { jq -c '[.layers[].digest]' "$(blob "$(manifest "$1")")"; }
# All bytes of an image's layers and its config.
bytes() {
    jq -r '.layers[].digest' "$(blob "$(manifest "$1")")" | while read -r digest; do zcat "$(blob "$digest")"; done
    cat "$(blob "$(jq -r .config.digest "$(blob "$(manifest "$1")")")")"
}
no_trace() { bytes "$1" >"$T/bytes" && [ -s "$T/bytes" ] && ! grep -aqF -e "$mark" -e 'ca-bundle adds' "$T/bytes"; }
# make NAME OPTIONS: the Dockerfile from standard input
make() {
    cat >"$D/ctx/Dockerfile"
    name=$1
    shift
    sw build --progress plain -t "$name" "$@" "$D/ctx" >"$T/said" 2>&1 || { cat "$T/said" >&2; return 1; }
}
holds() { is "$(sw run "$1" cat /etc/ssl/cert.pem | tr '\n' ' ')" "$2"; }
has_none() { sw run "$1" find / -xdev -path '/etc/ssl*' -o -xdev -name '*ca-bundle*' >"$T/found" && cat "$T/found" && ! [ -s "$T/found" ]; }
everything() {
    who=$1 ROOT=$2
    make base:2 <<'F'
FROM base:1
RUN mkdir -p /etc/ssl/certs /etc/pki/tls/certs && echo 'the image'"'"'s' >/etc/ssl/certs/ca-certificates.crt && chmod 640 /etc/ssl/certs/ca-certificates.crt && \
    ln -s certs/ca-certificates.crt /etc/ssl/cert.pem && touch -d '2001-02-03 04:05:06' /etc/ssl/certs/ca-certificates.crt
F
    for step in 'cp /etc/hostname /made' 'rm -f /etc/ssl/certs/x; echo a >/etc/ssl/certs/x; cp -p /etc/ssl/certs/x /made'; do
        t "$who: a step ($step)" make plain:1 --no-cache --isolation "$3" <<F
FROM base:2
RUN $step; touch -d '2001-02-03 04:05:06' /made /etc/ssl/certs /etc/ssl/certs/x /
F
        t "$who: ... with certificates" make with:1 --no-cache --isolation "$3" --ca-bundle "$D/ca.pem" <<F
FROM base:2
RUN $step; touch -d '2001-02-03 04:05:06' /made /etc/ssl/certs /etc/ssl/certs/x /
F
        is "$(layers with:1)" "$(layers plain:1)" "$who: ... makes the same layers"
    done
    t "$who: what it sees" make seen:1 --no-cache --isolation "$3" --ca-bundle "$D/ca.pem" <<F
FROM base:2
ENV PIP_CERT=/mine
RUN for f in /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /run/slipway-ca-bundle.crt; do echo "\$f \$(head -n 1 \$f) \$(grep -c 'BEGIN CERT' \$f) \$(stat -c '%a %u' \$f)"; done; echo "\$SSL_CERT_FILE \$NODE_EXTRA_CA_CERTS \$PIP_CERT"
F
    t "$who: ... in its bundle" has "$T/said" "/etc/ssl/certs/ca-certificates.crt the image's 1 640 0"
    t "$who: ... by its other name" has "$T/said" "/etc/ssl/cert.pem the image's 1"
    t "$who: ... and in a file" has "$T/said" "/run/slipway-ca-bundle.crt the image's 1 444 0"
    t "$who: ... that variables name, but for its own" has "$T/said" '/run/slipway-ca-bundle.crt /run/slipway-ca-bundle.crt /mine'
    t "$who: ... no trace of them" no_trace seen:1
    t "$who: a bundle written anew, by rename" make new:1 --no-cache --isolation "$3" --ca-bundle "$D/ca.pem" <<'F'
FROM base:2
RUN echo fresh >/etc/ssl/certs/tmp && mv -f /etc/ssl/certs/tmp /etc/ssl/certs/ca-certificates.crt
F
    t "$who: ... is the step's" holds new:1 'fresh ' 
    t "$who: a bundle that is added to" make more:1 --no-cache --isolation "$3" --ca-bundle "$D/ca.pem" <<'F'
FROM base:2
RUN echo more >>/etc/ssl/certs/ca-certificates.crt
F
    t "$who: ... has that alone" holds more:1 "the image's more "
    t "$who: ... no trace" no_trace more:1
    t "$who: one that is removed" make gone:1 --no-cache --isolation "$3" --ca-bundle "$D/ca.pem" <<'F'
FROM base:2
RUN rm /etc/ssl/certs/ca-certificates.crt
F
    t "$who: ... stays so" expect_fail '' sw run gone:1 cat /etc/ssl/cert.pem
    t "$who: an image without a bundle" make none:1 --no-cache --isolation "$3" --ca-bundle "$D/ca.pem" <<F
FROM base:1
RUN grep -c 'BEGIN CERT' "\$CURL_CA_BUNDLE"; ls /etc/ssl 2>&1; true
F
    t "$who: ... gets none" has_none none:1
    t "$who: it is no part of a step's key" make new:2 --isolation "$3" <<'F'
FROM base:2
RUN echo fresh >/etc/ssl/certs/tmp && mv -f /etc/ssl/certs/tmp /etc/ssl/certs/ca-certificates.crt
F
    is "$(layers new:2)" "$(layers new:1)" "$who: ... it was remembered"
}
t "a base" busybox_image base:1
t "and for the user" sh -c 'slipway save -o base.tar base:1 && chmod 644 base.tar'
cp base.tar "$USER_HOME/base.tar"
t "... there" as_user slipway load -i "$USER_HOME/base.tar"
chown -R "$test_user:" "$D"
everything root "$SLIPWAY_ROOT" auto
who=user
everything user "$(as_user sh -c 'echo "$SLIPWAY_ROOT"')" auto
everything root "$SLIPWAY_ROOT" chroot

# --- the builder itself
mkdir www && echo content >www/file
port=$(free_port)
start www.log python3 -c "
import http.server, ssl, functools
s = http.server.HTTPServer(('127.0.0.1', $port), functools.partial(http.server.SimpleHTTPRequestHandler, directory='www'))
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
c.load_cert_chain('$TLS_CERT', '$TLS_KEY')
s.socket = c.wrap_socket(s.socket, server_side=True)
s.serve_forever()"
t "a server" wait_for 10 sh -c "curl -s --cacert '$CA_FILE' https://127.0.0.1:$port/file >/dev/null"
printf 'FROM base:1\nADD https://127.0.0.1:%s/file /f\n' "$port" >"$D/ctx/Dockerfile"
t "ADD does not trust it" expect_fail 'certificate' slipway build "$D/ctx"
t "... but with --ca-bundle" slipway build --ca-bundle "$D/ca.pem" "$D/ctx"

t "no file" expect_status 2 '--ca-bundle' slipway build --ca-bundle /no/file "$D/ctx"
t "no certificate" expect_status 2 'there is no certificate in it' slipway build --ca-bundle "$D/ctx/Dockerfile" "$D/ctx"
t "a key" expect_status 2 'there is a private key in it' slipway build --ca-bundle "$TLS_KEY" "$D/ctx"
[ -s /etc/ssl/certs/ca-certificates.crt ] && t "host" slipway build --ca-bundle host --ca-file "$CA_FILE" "$D/ctx"
