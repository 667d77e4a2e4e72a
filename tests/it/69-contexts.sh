#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build contexts: standard input, archives, URLs, repositories; Dockerfiles from elsewhere; ignore files; --build-context.
. "$(dirname "$0")/../lib.sh"
need git python3 jq busybox xz bzip2 zstd skopeo

manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
top() { blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest "$1")")")"; }
list() { tar -tvzf "$(top c:1)" --numeric-owner >list; }
line() { t "... $1" matches list "$2"; }
build() { # NAME, then what follows `build -t c:1`
    build_name=$1
    shift
    t "$build_name" slipway --progress plain build -t c:1 "$@" && list
}

mkdir -p ctx/sub www
printf 'FROM scratch\nCOPY . /all/\n' >ctx/Dockerfile
printf 'FROM scratch\nCOPY sub /other/\n' >ctx/sub/Other
echo a >ctx/a
echo secret >ctx/secret
printf 'secret\n' >ctx/.dockerignore
ln -s a ctx/link
ln ctx/a ctx/hard
mkfifo ctx/sub/pipe
chmod 4750 ctx/sub
setfattr -n user.note -v hello ctx/a 2>/dev/null
tar -cf ctx.tar --xattrs -C ctx .
for z in gzip bzip2 xz zstd; do $z -c ctx.tar >ctx.tar.$z; done

# --- standard input
build "a tar on standard input" - <ctx.tar
line "its files" '^-rw-r--r-- 0/0 .* all/a$'
line "hard links" ' all/hard link to all/a$'
line "symbolic links" ' all/link -> a$'
line "pipes" '^p.* all/sub/pipe$'
line "modes" '^drwsr-x--- 0/0 .* all/sub/$'
line "an ignore file in an archive is one file of many" ' all/secret$'
is "$(ls "$SLIPWAY_ROOT/tmp")" "" "... what was unpacked is gone"
if getfattr -n user.note ctx/a >/dev/null 2>&1; then
    tar --xattrs --xattrs-include='*' -tvvf "$(top c:1)" >xl 2>/dev/null
    t "... attributes" has xl user.note
fi
for z in gzip bzip2 xz zstd; do
    build "... compressed: $z" - <ctx.tar.$z
    line "its files" ' all/a$'
done
build "... through a pipe, with --file inside it" -f sub/Other - <ctx.tar
line "that one's" ' other/pipe$'
(cd ctx && tar --format=v7 -cf ../v7.tar Dockerfile a)
build "a tar without a magic" - <v7.tar
line "its files" ' all/a$'
build "an archive by its path" ctx.tar.xz
line "its files" ' all/a$'
t "a Dockerfile on standard input" sh -c "printf 'FROM scratch\nCOPY <<x /x\nhello\nx\n' | slipway build -t c:1 -" && list
line "is built" ' x$'
t "... has an empty context" sh -c "printf 'FROM scratch\nCOPY a /\n' | slipway build - 2>err; grep -q 'Dockerfile:2: .*\"a\" is not in the build context' err"
t "--file - beside a directory" sh -c "printf 'FROM scratch\nCOPY a /in/\n' | slipway build -t c:1 -f - ctx" && list
line "sees the directory" ' in/a$'
t "... and its ignore file" sh -c "printf 'FROM scratch\nCOPY secret /\n' | slipway build -f - ctx 2>err; grep -q 'the ignore file leaves it out' err"
t "standard input cannot be both" expect_status 2 "standard input cannot be both" slipway build -f - - <ctx.tar
t "two Dockerfiles are one too many" sh -c "echo 'FROM scratch' | slipway build -f x - 2>err; grep -q 'standard input is a Dockerfile, and --file x is another' err"
t "empty standard input is told" expect_fail "standard input is empty" slipway build - </dev/null
t "a directory that is not there" expect_fail "build context nowhere" slipway build nowhere
t "a file that is no archive" expect_status 2 "neither a directory nor an archive" slipway build ctx/a
t "another scheme" expect_status 2 "want a directory, an archive" slipway build ftp://127.0.0.1/x.tar
t "an archive without a Dockerfile" sh -c "tar -cf - -C ctx a | slipway build - 2>err; grep -q 'build context: open Dockerfile: No such file' err"

# --- hostile archives
python3 - <<'P'
import io, tarfile
def tar(name, *entries):
    with tarfile.open(name, "w") as t:
        for path, kind, link in entries:
            i = tarfile.TarInfo(path); i.type = kind; i.linkname = link or ""
            if kind == tarfile.REGTYPE: i.size = 4
            t.addfile(i, io.BytesIO(b"evil") if kind == tarfile.REGTYPE else None)
F, S, H, D, C = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE
tar("climb.tar", ("../climbed", F, None))
tar("absolute.tar", ("Dockerfile", F, None), ("out", S, "/"), ("out/tmp/evil-absolute", F, None), ("dots", S, "../../../../../../tmp"), ("dots/evil-dots", F, None))
tar("hard.tar", ("l", H, "../../../../etc/passwd"))
tar("linked.tar", ("s", S, "/etc/passwd"), ("h", H, "s"), ("h", F, None))
tar("device.tar", ("dev/null", C, None))
bomb = tarfile.TarInfo("bomb"); bomb.size = 2**50
open("bomb.tar", "wb").write(bomb.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024)
tar("replace.tar", ("x", F, None), ("x", D, None), ("x/Dockerfile", F, None), ("y", D, None), ("y/z", F, None), ("y", F, None))
P
t "a path that climbs out" expect_fail 'leads out of its root' slipway build climb.tar
t "a hard link that climbs out" expect_fail 'leads out of its root' slipway build hard.tar
t "a device is named" expect_fail "dev/null: a character device; a build context holds no devices" slipway build device.tar
t "too much names the limit" expect_fail "bomb: the archive unpacks to more than 256 GiB (EXTRACT_SIZE_MAX)" slipway build bomb.tar
printf 'FROM scratch\nCOPY x/Dockerfile y /r/\n' >replace.Dockerfile
build "what comes later replaces what came before" -f - replace.tar <replace.Dockerfile
line "a file by a directory" ' r/Dockerfile$'
line "a directory by a file" '^-.* r/y$'
t "links lead inside" expect_fail "Dockerfile:1" slipway build absolute.tar
t "... nothing came out" test ! -e /tmp/evil-absolute -a ! -e /tmp/evil-dots
t "a file in a link's place" expect_fail "Dockerfile" slipway build linked.tar
t "... the host's file is what it was" sh -c '! grep -q evil /etc/passwd'
printf 'FROM scratch\nCOPY out/tmp/evil-absolute /\n' >deep.Dockerfile
build "a file below an absolute link is inside" -f - absolute.tar <deep.Dockerfile
line "there" ' evil-absolute$'

# --- URLs and repositories
cp ctx.tar.gzip www/ctx.tgz
cp ctx/Dockerfile www/plain.Dockerfile
printf 'FROM scratch\nCOPY context /c\n' >www/self.Dockerfile
export GIT_CONFIG_GLOBAL="$T/gitconfig"
git config --global user.name t
git config --global user.email t@example.org
git config --global init.defaultBranch main
git init -q www/repo && cp ctx/Dockerfile ctx/a ctx/secret ctx/.dockerignore www/repo && mkdir www/repo/sub && cp ctx/sub/Other www/repo/sub/Dockerfile && sed -i 's/sub/Dockerfile/' www/repo/sub/Dockerfile &&
    git -C www/repo add . && git -C www/repo commit -qm one && git clone -q --bare www/repo www/repo.git
start "$T/files.out" "$LIB_DIR/fake/files.py" --dir "$PWD/www" --port-file "$T/port" --log "$PWD/log"
wait_for 20 test -s "$T/port" || { echo "Bail out! no server"; exit 1; }
url=http://127.0.0.1:$(cat "$T/port")
build "an archive by URL" "$url/etag/ctx.tgz"
line "its files" ' all/a$'
: >log
build "... again" "$url/etag/ctx.tgz"
t "... is one conditional request" matches log '^GET /etag/ctx.tgz 304 '
is "$(grep -c CACHED "$T/err")" 2 "... and its step is remembered"
build "a Dockerfile by URL" "$url/plain/self.Dockerfile"
line "with itself as context" ' c$'
build "--file URL beside a directory" -f "$url/plain/plain.Dockerfile" ctx
line "sees the directory" ' all/a$'
build "a repository" "$url/git/repo.git"
line "its files" ' all/a$'
line "no ignore file applies" ' all/secret$'
build "a repository's directory" "$url/git/repo.git#main:sub"
line "with its own Dockerfile" ' other/Dockerfile$|other$'
build "the query form, --file inside it" -f sub/Dockerfile "$url/git/repo.git?branch=main"
build "--file - beside a repository" -f - "$url/git/repo.git" <ctx/Dockerfile
line "sees the repository" ' all/a$'
printf 'FROM scratch\nCOPY .git/HEAD /\n' >g.Dockerfile
t "without its .git" expect_fail '".git/HEAD" is not in the build context' slipway build -f - "$url/git/repo.git" <g.Dockerfile
build "BUILDKIT_CONTEXT_KEEP_GIT_DIR keeps it" --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 -f - "$url/git/repo.git" <g.Dockerfile
t "the checks look into a repository, too" slipway build --check "$url/git/repo.git"
t "... and an archive" slipway build --check - <ctx.tar
t "a repository that is not there" expect_fail "none.git" slipway build "$url/git/none.git"
t "a URL that is not there" expect_fail "the server answers 404" slipway build "$url/plain/none.tar"

# --- ignore files
printf 'a\n' >ctx/Dockerfile.dockerignore
build "<Dockerfile>.dockerignore comes first" ctx
t "... it leaves out a" lacks list ' all/a'
line "and not what .dockerignore says" ' all/secret$'
rm ctx/Dockerfile.dockerignore
cp ctx/.dockerignore keep
printf '*\n!a\n' >ctx/.dockerignore
build "an ignore file that leaves out everything, itself and the Dockerfile" ctx
is "$(grep -c . list)" 2 "... leaves what it puts back"
printf 'x\n!\n' >ctx/.dockerignore
t "a lone ! is told with its line" expect_fail '.dockerignore:2: "!" without a pattern' slipway build ctx
printf 'x\n\n[a\n' >ctx/.dockerignore
t "so is a class that does not end" expect_fail '.dockerignore:3: pattern "[a": malformed [class]' slipway build ctx
printf '\357\273\277secret\r\n # a\r\n' >ctx/.dockerignore
build "a byte order mark, line ends of another system" ctx
t "... are none of the pattern" lacks list all/secret
mv keep ctx/.dockerignore
mv ctx/.dockerignore ctx/ignore.real && ln -s ignore.real ctx/.dockerignore
build "an ignore file that is a link" ctx
t "... works" lacks list all/secret
rm ctx/.dockerignore && mv ctx/ignore.real ctx/.dockerignore

# --- named contexts
busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
slipway save -o base.tar base:1 && mkdir layout && tar -xf base.tar -C layout
mkdir named && echo n >named/n && echo s >named/secret && printf 'secret\n' >named/.dockerignore
cat >n.Dockerfile <<'D'
FROM scratch
COPY --from=files . /n/
D
build "a directory" -f n.Dockerfile --build-context files=named ctx
line "its files" ' n/n$'
t "... less what its ignore file leaves out" lacks list n/secret
build "a repository" -f n.Dockerfile --build-context "files=$url/git/repo.git#main" ctx
line "its files, no ignore file" ' n/secret$'
build "an archive by URL" -f n.Dockerfile --build-context "files=$url/plain/ctx.tgz" ctx
line "its files" ' n/a$'
build "a file by URL" -f n.Dockerfile --build-context "files=$url/plain/plain.Dockerfile" ctx
line "is called context" ' n/context$'
if can userns && can overlay; then
    printf 'FROM base:1\nRUN --mount=type=bind,from=files,target=/m cat /m/n >/got\n' >m.Dockerfile
    build "RUN --mount from= a directory" -f m.Dockerfile --build-context files=named ctx
    is "$(tar -xOzf "$(top c:1)" got)" n "... reads its file"
    printf 'FROM base:1\nRUN --mount=from=files,target=/m cat /m/a >/got\n' >m.Dockerfile
    build "RUN --mount from= a repository" -f m.Dockerfile --build-context "files=$url/git/repo.git" ctx
    is "$(tar -xOzf "$(top c:1)" got)" a "... reads its file"
else
    skip "RUN --mount from= a context" "$why"
fi
printf 'FROM scratch\nCOPY --from=files /etc/passwd /p\n' >i.Dockerfile
build "an image" -f i.Dockerfile --build-context files=docker-image://base:1 ctx
line "its file" ' p$'
build "an OCI layout" -f i.Dockerfile --build-context "files=oci-layout://$PWD/layout" ctx
line "its file" ' p$'
digest=$(jq -r '.manifests[0].digest' layout/index.json)
build "... by digest" -f i.Dockerfile --build-context "files=oci-layout://layout@$digest" ctx
SLIPWAY_ROOT=$T/fresh slipway build -q -f i.Dockerfile --build-context "files=oci-layout://layout:1" ctx >/dev/null 2>err
is "$?" 0 "... by tag, into an empty store" || cat err
t "... a tag that is not there" expect_fail 'no image in it is called "2"' slipway build -f i.Dockerfile --build-context files=oci-layout://layout:2 ctx
cp -r layout broken && for b in broken/blobs/sha256/*; do printf x >>"$b"; done
t "... blobs that are not what they say" expect_fail "its content is not what its digest says" env SLIPWAY_ROOT="$T/fresh2" slipway build -f i.Dockerfile --build-context files=oci-layout://broken ctx

cat >o.Dockerfile <<'D'
FROM nowhere/image:9 AS stage
RUN false
FROM stage
COPY a /a
D
build "FROM: it comes before stages" -f o.Dockerfile --build-context stage=docker-image://base:1 ctx
is "$(jq '.layers | length' "$(blob "$(manifest c:1)")")" "$(($(jq '.layers | length' "$(blob "$(manifest base:1)")") + 1))" "... the stage of that name is not built"
printf 'FROM docker.io/library/thing\nCOPY a /a\n' >f.Dockerfile
build "FROM a directory" -f f.Dockerfile --build-context thing=named ctx
is "$(jq '.layers | length' "$(blob "$(manifest c:1)")")" 2 "... is a layer of its files, and the next"
skopeo inspect --config "oci:$SLIPWAY_ROOT:docker.io/library/c:1" >config 2>err
t "... other tools read it" json config '.rootfs.diff_ids | length == 2'
build "FROM an image in its place" -f f.Dockerfile --build-context thing:latest=docker-image://scratch ctx
is "$(jq '.layers | length' "$(blob "$(manifest c:1)")")" 1 "... scratch is nothing"
echo N >named/n
build "a file that changes in one" -f n.Dockerfile --build-context files=named ctx
is "$(tar -xOzf "$(top c:1)" n/n)" N "... is seen"
build "again" -f n.Dockerfile --build-context files=named ctx
t "... is remembered" lacks "$T/err" DONE
t "no directory" expect_status 2 "not a directory" slipway build --build-context x=nowhere ctx
t "no value" expect_status 2 "want NAME=VALUE" slipway build --build-context x ctx
t "another kind" expect_status 2 "a context is a directory, docker-image://" slipway build --build-context x=ftp://y ctx
t "standard input" expect_status 2 "standard input can only be the main context" slipway build --build-context x=- ctx
t "a bake target" expect_status 2 "target: is for bake files alone" slipway build --build-context x=target:y ctx
t "no name" expect_status 2 "is no name of a stage or an image" slipway build --build-context 'X Y=named' ctx
is "$(ls "$SLIPWAY_ROOT/tmp")" "" "tmp is empty"

# --- what a killed build leaves, the next takes away
mkfifo never
slipway build - <never >/dev/null 2>&1 &
pid=$!
exec 9>never
cat ctx.tar >&9
slipway build -q "$url/slow/ctx.tgz" >/dev/null 2>&1 &
slow=$!
sleep 0.5
kill -9 $pid $slow
exec 9>&-
wait $pid $slow 2>/dev/null
build "after kill -9" - <ctx.tar
is "$(ls "$SLIPWAY_ROOT/tmp")" "" "... nothing of the dead is left"

if can user; then
    as_user true
    cp ctx.tar ctx.tar.xz "$USER_HOME"
    cp -r layout named n.Dockerfile i.Dockerfile "$USER_HOME"
    chown -R --reference="$USER_HOME" "$USER_HOME" 2>/dev/null
    t "an ordinary user: a tar" as_user sh -c 'slipway build -q -t c:1 - <"$HOME/ctx.tar.xz"'
    t "... a repository" as_user slipway build -q -t c:1 "$url/git/repo.git"
    t "... a named directory" as_user sh -c 'cd && slipway build -q -f n.Dockerfile --build-context files=named named'
    t "... an OCI layout" as_user sh -c 'cd && slipway build -q -f i.Dockerfile --build-context files=oci-layout://layout named'
    t "... no tmp is left" as_user sh -c '[ -z "$(ls "$SLIPWAY_ROOT/tmp")" ]'
    t "... without a sandbox" as_user sh -c 'slipway build -q --isolation none -t c:1 - <"$HOME/ctx.tar.xz"'
else
    skip "an ordinary user" "$why"
fi
