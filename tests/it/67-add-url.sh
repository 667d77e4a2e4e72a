#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ADD of URLs: names, modes, times, checksums, archives, what is asked of the server and when, faults; ADD --unpack.
. "$(dirname "$0")/../lib.sh"
need python3 jq xz bzip2 zstd git openssl

manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
top() { blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest "$1")")")"; }
mkdir -p www ctx
start "$T/files.out" "$LIB_DIR/fake/files.py" --dir "$PWD/www" --port-file "$T/port" --log "$PWD/log"
wait_for 20 test -s "$T/port" || { echo "Bail out! no server"; exit 1; }
port=$(cat "$T/port")
url=http://127.0.0.1:$port

printf 'hello\n' >www/f.txt
touch -d '2020-03-04 05:06:07 UTC' www/f.txt
mkdir -p pack/sub
echo one >pack/one
echo two >pack/sub/two
chmod 640 pack/one
tar -cf www/a.tar --owner=7 --group=8 --numeric-owner -C pack one sub
for z in gzip bzip2 xz zstd; do $z -c www/a.tar >www/a.tar.$z; done
cp www/a.tar.gzip ctx/local.tgz
sum=sha256:$(sha256sum www/f.txt | cut -d' ' -f1)

# build LINE… : FROM scratch and the lines; the top layer's listing in ./list
build() {
    name=$1
    shift
    printf 'FROM scratch\n' >Dockerfile
    for line in "$@"; do printf '%s\n' "$line" >>Dockerfile; done
    : >log
    t "$name" slipway --progress plain build -f Dockerfile -t c:1 ctx || return
    tar -tvzf "$(top c:1)" --numeric-owner --full-time >list
}
line() { t "... $1" matches list "$2"; }
refuse() {
    name=$1 want=$2
    shift 2
    printf 'FROM scratch\n' >Dockerfile
    for line in "$@"; do printf '%s\n' "$line" >>Dockerfile; done
    t "$name" expect_fail "$want" slipway build -f Dockerfile ctx
    t "... with its line" has "$T/err" "Dockerfile:2"
}

build "a URL to a directory" "ADD $url/plain/f.txt?x=y#z /d/"
line "its name, mode 0600, the time of Last-Modified" '^-rw------- 0/0 +6 2020-03-04 05:06:07 d/f.txt$'
is "$(tar -xOzf "$(top c:1)" d/f.txt)" hello "... and its content"
is "$(wc -l <log)" 1 "... one request"
build "again: one conditional request" "ADD $url/plain/f.txt?x=y#z /d/"
t "... answered by 304" matches log '^GET /plain/f.txt\?x=y 304 Wed, 04 Mar 2020'
t "... and the step is remembered" matches "$T/err" 'CACHED'
t "... nothing is carried out" lacks "$T/err" DONE
build "a URL to a file's name" "ADD $url/etag/f.txt /name"
line "that name; without Last-Modified the time is 0" '^-rw------- 0/0 +6 1970-01-01 00:00:00 name$'
build "an ETag is sent back" "ADD $url/etag/f.txt /name"
t "... and answered by 304" matches log '^GET /etag/f.txt 304 "'
printf 'other\n' >www/f.txt
build "a file that changed is fetched" "ADD $url/etag/f.txt /name"
t "... by the same request" matches log '^GET /etag/f.txt 200 "'
is "$(tar -xOzf "$(top c:1)" name)" other "... and is the new one"
printf 'hello\n' >www/f.txt
touch -d '2020-03-04 05:06:07 UTC' www/f.txt
build "a URL without validators is asked for anew" "ADD $url/bare/f.txt /name"
build "... each time" "ADD $url/bare/f.txt /name"
t "... without a condition" matches log '^GET /bare/f.txt 200 $'
t "... but for the same bytes the step is remembered" sh -c "[ \$(grep -c CACHED '$T/err') = 2 ]"
build "a URL without a name" "ADD $url/?x=y /d/"
line "is __unnamed__" ' d/__unnamed__$'
build "--checksum" "ADD --checksum=$sum $url/plain/f.txt /d/"
build "with a checksum that is known nothing is asked" "ADD --checksum=$sum $url/plain/f.txt /d/"
is "$(wc -l <log)" 0 "... no request at all"
build "a checksum in a variable" "ARG SUM=$sum" "ADD --checksum=\$SUM $url/plain/f.txt /d/"
build "--chown and --chmod" "ADD --chown=5:6 --chmod=755 $url/plain/f.txt /x/y/"
line "both" '^-rwxr-xr-x 5/6 .* x/y/f.txt$'
build "redirects are followed" "ADD $url/moved/moved/plain/f.txt /r/"
line "the name is the first URL's" ' r/f.txt$'
build "an escaped name" "ADD $url/plain/f%2Etxt /r/"
line "is decoded" ' r/f.txt$'
build "several at once, beside local files" "ADD $url/plain/f.txt $url/etag/a.tar local.tgz /m/"
line "the first" ' m/f.txt$'
line "an archive by URL stays one" '^-rw------- .* m/a.tar$'
line "a local one is unpacked" '^-rw-r----- 7/8 .* m/one$'
for z in gzip bzip2 xz zstd; do
    build "--unpack of a URL: $z" "ADD --unpack=true $url/plain/a.tar.$z /u/"
    line "its files, with their owners" '^-rw-r----- 7/8 .* u/one$'
    line "... below directories" '^-rw-r--r-- 7/8 .* u/sub/two$'
done
build "--unpack of a plain tar" "ADD --unpack $url/plain/a.tar /u/"
line "its files" ' u/sub/two$'
build "--unpack of what is no archive" "ADD --unpack $url/plain/f.txt /u/"
line "copies it" ' u/f.txt$'
build "--unpack=false keeps a local archive" "ADD --unpack=false local.tgz /u/"
line "as it is" ' u/local.tgz$'
build "a wildcard unpacks too" "ADD *.tgz /u/"
line "its files" ' u/one$'
build "--link" "ADD --link $url/plain/f.txt /l/"
line "its file" '^-rw------- .* l/f.txt$'
build "a body that was cut is asked for again" "ADD $url/cut-once/f.txt /d/"
is "$(grep -c cut-once log)" 2 "... two requests"
build "a slow body is waited for" "ADD $url/slow/f.txt /d/"

refuse "a file that is not there" "127.0.0.1:$port/plain/nothing: the server answers 404" "ADD $url/plain/nothing /"
refuse "a server that refuses" "the server answers 403; --secret id=HTTP_AUTH_TOKEN_<host>" "ADD $url/status/403 /"
bad=sha256:0000000000000000000000000000000000000000000000000000000000000000
refuse "a wrong checksum names both digests" "its digest is $sum, not $bad" "ADD --checksum=$bad $url/plain/f.txt /"
refuse "a checksum that is none" "a checksum is sha256: and 64 hexadecimal digits" "ADD --checksum=md5:00 $url/plain/f.txt /"
refuse "a checksum for two" "ADD --checksum takes one source, not 2" "ADD --checksum=$sum $url/plain/f.txt $url/etag/f.txt /d/"
refuse "a checksum for a local file" "ADD --checksum is for URLs and git repositories" "ADD --checksum=$sum local.tgz /"
refuse "--keep-git-dir for a URL" "keep-git-dir is for git repositories" "ADD --keep-git-dir $url/plain/f.txt /"
refuse "COPY of a URL" "COPY cannot fetch a URL: $url/plain/f.txt; ADD does" "COPY $url/plain/f.txt /"
refuse "a body that is cut at every try" "cut" "ADD $url/cut/f.txt /"
refuse "too large names the limit" "DOWNLOAD_MAX" "ADD $url/huge /"
refuse "a circle of redirects" "redirect" "ADD $url/loop /"
refuse "a password in a URL" "a user and a password cannot stand in it" "ADD http://me:secret@127.0.0.1:$port/plain/f.txt /"
t "what was refused left nothing in tmp" sh -c "[ -z \"\$(ls '$SLIPWAY_ROOT/tmp')\" ]"

# --- credentials
printf 'let-me-in\n' >token
printf 'Custom x' >header
printf 'FROM scratch\nADD %s/auth/f.txt /d/\n' "$url" >Dockerfile
t "without a credential the server refuses" expect_fail "the server answers 401; --secret id=HTTP_AUTH_TOKEN_<host>" slipway build -f Dockerfile ctx
t "a token" slipway build -q --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=token -t c:1 -f Dockerfile ctx
printf 'FROM scratch\nADD %s/raw/f.txt /d/\n' "$url" >Dockerfile
t "a header" slipway build -q --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=header -t c:1 -f Dockerfile ctx
printf 'FROM scratch\nADD %s/away/%s/raw/f.txt /d/\n' "$url" "$(free_port)" >Dockerfile
t "... does not follow to another port" expect_fail "Dockerfile:2" slipway build --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=header -f Dockerfile ctx
printf 'FROM scratch\nADD http://example.org/x /d/\n' >Dockerfile
t "... nor goes out in plain text" expect_fail "plain http would tell it" slipway build --secret id=HTTP_AUTH_HEADER_example.org,src=header -f Dockerfile ctx
printf 'a\nb' >lines
printf 'FROM scratch\nADD %s/raw/f.txt /d/\n' "$url" >Dockerfile
t "... nor is more than a line" expect_fail "control bytes cannot stand in" slipway build --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=lines -f Dockerfile ctx
t "nothing in the store tells them" sh -c "! grep -rq -e 'let-me-in' -e 'Custom x' '$SLIPWAY_ROOT'"

# --- TLS
make_ca
start "$T/tls.out" "$LIB_DIR/fake/files.py" --dir "$PWD/www" --port-file "$T/tls.port" --log "$PWD/tls.log" --tls "$TLS_CERT" "$TLS_KEY"
wait_for 20 test -s "$T/tls.port"
tls=127.0.0.1:$(cat "$T/tls.port")
printf 'FROM scratch\nADD https://%s/auth/f.txt /d/\n' "$tls" >Dockerfile
t "https" slipway build -q --ca-file "$CA_FILE" --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=token -t c:1 -f Dockerfile ctx
t "... of an unknown authority" expect_fail "certificate" slipway build --no-cache --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=token -f Dockerfile ctx
t "... --insecure" slipway build -q --no-cache --insecure "$tls" --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=token -f Dockerfile ctx
git init -q www/r && (cd www/r && git config user.name t && git config user.email t@example.org && echo r >r && git add . && git commit -qm r)
printf 'FROM scratch\nADD https://%s/git/r/.git /d/\n' "$tls" >Dockerfile
cp "$CA_FILE" ca.pem
t "git by https" slipway build -q --ca-file ca.pem -t c:1 -f Dockerfile ctx
t "... of an unknown authority" expect_fail "certificate" slipway build --no-cache -f Dockerfile ctx
t "... --insecure" slipway build -q --no-cache --insecure "$tls" -f Dockerfile ctx

if can user; then
    mkdir -p "$USER_HOME/ctx"
    printf 'FROM scratch\nADD %s/plain/f.txt /d/\nADD --unpack %s/plain/a.tar.xz /u/\n' "$url" "$url" >"$USER_HOME/ctx/Dockerfile"
    as_user true
    t "as an ordinary user" as_user slipway --progress plain build -t c:1 "$USER_HOME/ctx"
    : >log
    t "... again" as_user slipway --progress plain build -t c:1 "$USER_HOME/ctx"
    t "... all remembered" lacks "$T/err" DONE
    is "$(grep -c ' 304 ' log)" 2 "... two conditional requests"
else
    skip "as an ordinary user" "$why"
fi
