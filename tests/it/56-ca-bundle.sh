#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --ca-bundle: what commands and the builder trust for one build, and no layer, config or key ever has. Judged by curl, openssl,
# git and Debian's own update-ca-certificates.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox curl openssl git python3 registry jq update-ca-certificates

make_ca || { echo "Bail out! no certificates"; exit 1; }
mkdir -p www ctx
echo here >www/f
python3 - "$TLS_CERT" "$TLS_KEY" www >"$T/port" 2>/dev/null <<'PY' &
import functools, http.server, ssl, sys
cert, key, top = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=top))
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
PY
on_exit "stop $!"
wait_for 20 test -s "$T/port" || { echo "Bail out! no server"; exit 1; }
url=https://localhost:$(cat "$T/port")

# An image with the programs of this host, and a bundle as Debian has it.
busybox_rootfs root || { echo "Bail out! no busybox"; exit 1; }
mkdir -p root/etc/ssl/certs root/usr/share/ca-certificates root/usr/local/share/ca-certificates root/usr/sbin root/etc/ca-certificates/update.d
for p in "$(command -v curl)" "$(command -v openssl)"; do
    for f in "$p" $(ldd "$p" | grep -o '/[^ ]*'); do
        mkdir -p "root$(dirname "$f")"
        cp -L "$f" "root$f"
    done
done
cp /usr/sbin/update-ca-certificates root/usr/sbin/
cp -L /etc/ssl/openssl.cnf root/etc/ssl/ 2>/dev/null
mkdir -p root/usr/lib/ssl && ln -sfn /etc/ssl/certs root/usr/lib/ssl/certs && ln -sfn /etc/ssl/openssl.cnf root/usr/lib/ssl/openssl.cnf
self() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$T/tls/$1.key" -out "$T/tls/$1.pem" "${2--days}" "${3-7}" 2>/dev/null; }
self of-image
self of-step
self third
cp "$T/tls/of-image.pem" root/usr/share/ca-certificates/of-image.crt
cp "$T/tls/of-step.pem" root/usr/share/ca-certificates/other.crt
cat "$T/tls/of-image.pem" "$T/tls/of-step.pem" >bundle # of one alone rehash would make a link to it
cp bundle root/etc/ssl/certs/ca-certificates.crt
printf 'of-image.crt\nother.crt\n' >root/etc/ca-certificates.conf
tar -C root --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -cf base.tar .
cp "$T/tls/third.pem" ctx/of-step.crt
ca=$CA_FILE

store() { slipway import base.tar base:1 >"$T/import" 2>&1 || cat "$T/import"; }
store
build() { SOURCE_DATE_EPOCH=1700000001 slipway --progress plain build -f Dockerfile -t c:1 "$@" ctx; }
file() { printf 'FROM base:1\n' >Dockerfile; printf '%s\n' "$@" >>Dockerfile; }
manifest() { jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "docker.io/library/c:1") | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
layer() { jq -r ".layers[$1].digest" "$(blob "$(manifest)")"; }
list() { tar -tzf "$(blob "$(layer -1)")" >"$T/list"; cat "$T/list"; }
content() { tar -xOzf "$(blob "$(layer -1)")" "$1"; }
# Nothing of the authority, nor the mark, is anywhere in a store, once unpacked or as it is.
clean() {
    python3 - "$1" "$ca" <<'PY'
import gzip, os, re, sys
root, pem = sys.argv[1:]
line = open(pem, "rb").read().split(b"\n")[2]
for top, dirs, files in os.walk(root):
    for name in files:
        path = os.path.join(top, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        data = open(path, "rb").read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        if line in data or re.search(rb"slipway --ca-bundle [0-9a-f]{16}", data):
            sys.exit(path)
PY
}

get="curl -sSf $url/f -o /got"
bare="env -u SSL_CERT_FILE -u CURL_CA_BUNDLE"
file "RUN $get"
t "without it the server is unknown" expect_fail "the command failed with exit status 60" build
t "with it curl gets its file" build --ca-bundle "$ca"
is "$(list)" got "... which is all of the layer"
t "... not the authority, anywhere" clean "$SLIPWAY_ROOT"
t "... nor in the config" not grep -Eq 'ca-bundle|SSL_CERT_FILE|ca-certificates' "$(blob "$(jq -r .config.digest "$(blob "$(manifest)")")")"
t "the next build remembers the step without it" build
t "... indeed" has "$T/err" CACHED
file "RUN $bare $get"
t "programs that know no variable find it in the image's bundle" build --ca-bundle "$ca"
is "$(list)" got "... and the layer has no bundle"
file "USER app" "RUN echo | openssl s_client -verify_return_error -connect ${url#https://} 2>&1 | tee /tmp/said | grep -q 'Verify return code: 0' || { cat /tmp/said; exit 1; }"
t "openssl trusts it, as another user" build --ca-bundle "$ca"

file 'RUN echo "$SSL_CERT_FILE $CURL_CA_BUNDLE $GIT_SSL_CAINFO $REQUESTS_CA_BUNDLE $PIP_CERT $AWS_CA_BUNDLE $NODE_EXTRA_CA_CERTS" >/vars; stat -c %a $SSL_CERT_FILE >>/vars; ! echo x >>$SSL_CERT_FILE'
t "all variables are there, for the step" build --ca-bundle "$ca"
d=/dev/ca-certificates
is "$(content vars)" "$d/bundle.pem $d/bundle.pem $d/bundle.pem $d/bundle.pem $d/bundle.pem $d/bundle.pem $d/own.pem
444" "... and lead to files nobody can change"
file 'ENV SSL_CERT_FILE=/mine' 'ARG PIP_CERT=/pip' 'RUN echo "$SSL_CERT_FILE $PIP_CERT $CURL_CA_BUNDLE" >/vars'
t "what ENV and ARG set" build --ca-bundle "$ca"
is "$(content vars)" "/mine /pip $d/bundle.pem" "... stays"

# What writes bundles.
file 'COPY of-step.crt /usr/local/share/ca-certificates/of-step.crt' 'RUN update-ca-certificates >/dev/null'
t "update-ca-certificates, without it" build
t "... makes a bundle" sh -c 'tar -tzf "$1" | grep -qx etc/ssl/certs/ca-certificates.crt' - "$(blob "$(layer -1)")"
plain=$(layer -1)
slipway prune --all >/dev/null 2>&1
rm -rf "$SLIPWAY_ROOT" && store
t "update-ca-certificates, with it" build --ca-bundle "$ca"
is "$(layer -1)" "$plain" "... makes the same layer"
t "... and nothing else of the store has it" clean "$SLIPWAY_ROOT"
b=/etc/ssl/certs/ca-certificates.crt
for how in "cat /usr/share/ca-certificates/of-image.crt >>$b" "sed -i '1s/BEGIN/BEGIN/' $b" "(echo first; cat $b) >/n && cat /n >$b && rm /n" "cat $b >/n && mv /n $b && echo more >>$b" \
    "mv $b /x && cp /x $b && echo more >>$b && mv /x $b.old && rm $b.old"; do
    file "RUN $how"
    t "$how: without it" build --no-cache
    content "${b#/}" >want 2>/dev/null
    t "... with it" build --no-cache --ca-bundle "$ca"
    content "${b#/}" >got 2>/dev/null
    t "... the bundle is the same" same want got
done
file "RUN rm $b"
t "a bundle that is removed" build --ca-bundle "$ca"
is "$(list)" "etc/
etc/ssl/
etc/ssl/certs/
etc/ssl/certs/.wh.ca-certificates.crt" "... is removed"
file "RUN chmod 600 $b"
t "one whose mode is changed" build --ca-bundle "$ca"
is "$(content "${b#/}")" "$(cat bundle)" "... has its own bytes"
file "RUN cp $b /root/copy"
t "a copy of it elsewhere is an error" expect_fail "what --ca-bundle gives to this build alone is in the layer, in /root/copy" build --ca-bundle "$ca"
t "... and stays nowhere" clean "$SLIPWAY_ROOT"

# An image without one: programs trust what this host trusts, and the image gets none.
busybox_image bare:1 || { echo "Bail out! no base image"; exit 1; }
printf 'FROM bare:1\nRUN grep -c BEGIN $SSL_CERT_FILE >/n; grep -c BEGIN $NODE_EXTRA_CA_CERTS >>/n\n' >Dockerfile
cat "$T/tls/of-image.pem" "$T/tls/of-step.pem" >system.pem
t "an image without a bundle" env SSL_CERT_FILE="$PWD/system.pem" sh -c 'slipway build -q -f Dockerfile -t c:1 --ca-bundle "$1" ctx' - "$ca"
is "$(content n)" '3
1' "... gets this host's and ours, by variables"
is "$(list)" n "... and no file"
t "this host's own, by name" env SSL_CERT_FILE="$PWD/system.pem" sh -c 'slipway build -q --no-cache -f Dockerfile -t c:1 --ca-bundle host ctx'
is "$(content n)" '2
2' "... is all there is"

# The builder's own requests.
git init -q www/repo && git -C www/repo -c user.name=t -c user.email=t@t commit -q --allow-empty -m one && (echo x >www/repo/x && cd www/repo && git add x && git -c user.name=t -c user.email=t@t commit -qm two && git update-server-info)
start_registry --tls || { echo "Bail out! no registry"; exit 1; }
slipway tag bare:1 "localhost:$REGISTRY_PORT/b:1" >/dev/null && slipway push --ca-file "$ca" "localhost:$REGISTRY_PORT/b:1" >/dev/null 2>&1 || echo "Bail out! no push"
slipway rm "localhost:$REGISTRY_PORT/b:1" >/dev/null
printf 'FROM localhost:%s/b:1\nADD %s/f /f\nADD %s/repo/.git#master /g\n' "$REGISTRY_PORT" "$url" "$url" >Dockerfile
[ -f www/repo/.git/refs/heads/master ] || sed -i s/#master/#main/ Dockerfile
t "without it nothing is fetched" expect_fail "certificate" slipway build --pull -f Dockerfile -t c:1 ctx
t "registry, ADD of a URL and of a repository" slipway --progress plain build --pull --ca-bundle "$ca" -f Dockerfile -t c:1 ctx
t "... are here" sh -c 'tar -tzf "$1" | grep -qx g/x' - "$(blob "$(layer -1)")"
t "... beside --ca-file" slipway build -q --pull --no-cache --ca-bundle "$ca" --ca-file "$T/tls/of-step.pem" -f Dockerfile -t c:1 ctx
t "... and the other way round" slipway build -q --pull --no-cache --ca-bundle "$T/tls/of-step.pem" --ca-file "$ca" -f Dockerfile -t c:1 ctx
t "--check asks with it too" slipway build --check --ca-bundle "$ca" -f Dockerfile ctx

# Containers.
t "slipway run without it" expect_status 60 "" slipway run --network host base:1 curl -sS "$url/f"
t "slipway run with it" slipway run --network host --ca-bundle "$ca" base:1 curl -sSf "$url/f"
t "... read-only, in the image's bundle" slipway run --network host --read-only --ca-bundle "$ca" base:1 env -u SSL_CERT_FILE -u CURL_CA_BUNDLE curl -sSf "$url/f"
slipway rm "localhost:$REGISTRY_PORT/b:1" >/dev/null
t "... and its image is fetched with it" slipway run --pull always --ca-bundle "$ca" "localhost:$REGISTRY_PORT/b:1" true

# What is no bundle.
file 'RUN true'
refuse() { t "$1" expect_status 2 "$3" build --ca-bundle "$2"; }
refuse "no such file" none "--ca-bundle: open none: No such file or directory"
: >empty
refuse "an empty file" empty "--ca-bundle empty: there is no PEM certificate in it"
cat "$ca" "$T/tls/of-step.key" >key
refuse "a private key in it" key "--ca-bundle key: block 2 is a PRIVATE KEY, and only certificates are wanted"
sed '3s/^./!/' "$ca" >broken
refuse "broken text" broken "--ca-bundle broken: block 1 is broken PEM"
refuse "a directory" ctx "--ca-bundle: ctx: read: Is a directory"
openssl req -new -key "$T/tls/of-step.key" -subj '/CN=old one' -out "$T/tls/old.csr" 2>/dev/null
mkdir "$T/tls/authority" && : >"$T/tls/authority/index" && echo 01 >"$T/tls/authority/serial"
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = %s/index\nserial = %s/serial\nnew_certs_dir = %s\ndefault_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n' \
    "$T/tls/authority" "$T/tls/authority" "$T/tls/authority" >"$T/tls/authority.cnf"
openssl ca -batch -config "$T/tls/authority.cnf" -selfsign -keyfile "$T/tls/of-step.key" -in "$T/tls/old.csr" -startdate 20010101000000Z \
    -enddate 20020203000000Z -notext -out old.pem 2>"$T/old.log" || cat "$T/old.log"
t "one that is out of date" build --ca-bundle old.pem
t "... is warned of" has "$T/err" 'warning: --ca-bundle old.pem: the certificate of CN=old one expired on 2002-02-03'

# The other rungs: the same layer.
file "RUN $bare $get && touch -d @1600000000 /got"
want=$(t_digest() { build --no-cache --ca-bundle "$ca" >/dev/null 2>&1 && layer -1; }; t_digest)
for rung in single chroot; do
    (
        SLIPWAY_ROOT=$T/store-$rung
        store
        build --isolation $rung --ca-bundle "$ca" >"$T/$rung.log" 2>&1 || cat "$T/$rung.log" >&2
        layer -1 >"$T/$rung.layer"
    )
    is "$(cat "$T/$rung.layer")" "$want" "isolation $rung: the same layer"
    t "... nothing else has it" clean "$T/store-$rung"
done
if can user; then
    cp -r ctx Dockerfile base.tar "$ca" "$USER_HOME/" && chmod -R a+rX "$USER_HOME"
    t "an ordinary user" as_user SOURCE_DATE_EPOCH=1700000001 sh -c 'cd && slipway import base.tar base:1 >/dev/null && slipway --progress plain build -f Dockerfile -t c:1 --ca-bundle ca.pem ctx'
    SLIPWAY_ROOT=$USER_HOME/store
    is "$(layer -1)" "$want" "... the same layer"
    t "... nothing else has it" clean "$USER_HOME/store"
else
    skip "an ordinary user" "$why"
fi
