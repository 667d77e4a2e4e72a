#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# COPY and ADD: what lands where, with which mode, owner and type; .dockerignore; archives; hostile names.
. "$(dirname "$0")/../lib.sh"
need busybox jq setfattr setcap

manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
top() { blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest "$1")")")"; }

busybox_image base:1 'ENV X=1' || { echo "Bail out! no base image"; exit 1; }
mkdir -p ctx/dir/deep ctx/other ctx/secret
echo f >ctx/f; echo g >ctx/g.txt; echo h >ctx/h.txt
echo 1 >ctx/dir/one; echo 2 >ctx/dir/deep/two; chmod 700 ctx/dir/deep; chmod 4755 ctx/dir/one
echo s >ctx/secret/s; echo k >ctx/secret/keep
ln -s ../f ctx/dir/link; ln -s /etc/passwd ctx/dir/abs; ln -s dir ctx/dirlink
ln ctx/f ctx/other/hard; ln ctx/f ctx/other/hard2
mkfifo ctx/other/pipe
printf '# comment\nsecret/*\n!secret/keep\n**/*.skip\n' >ctx/.dockerignore
echo no >ctx/dir/x.skip
cp /bin/true ctx/other/capable && setcap cap_net_raw+ep ctx/other/capable 2>/dev/null
setfattr -n user.note -v hello ctx/g.txt

# case NAME LINE… : builds FROM base:1 plus the lines, lists the top layer in ./list
build() {
    name=$1
    shift
    printf 'FROM base:1\n' >Dockerfile
    for line in "$@"; do printf '%s\n' "$line" >>Dockerfile; done
    t "$name" slipway build -q -f Dockerfile -t c:1 ctx || return
    tar -tvzf "$(top c:1)" --numeric-owner >list
}
line() { t "... $1" matches list "$2"; }

build "a file to a new directory" 'COPY f /new/dir/'
line "the file" '^-rw-r--r-- 0/0 .* new/dir/f$'
line "made parents are 0755" '^drwxr-xr-x 0/0 .* new/dir/$'
build "a file to a new name" 'COPY f /srv/name'
line "the name" ' srv/name$'
build "a directory's contents" 'COPY dir /d'
line "setuid kept" '^-rwsr-xr-x 0/0 .* d/one$'
line "nested directory takes the source's mode" '^drwx------ 0/0 .* d/deep/$'
line "links are copied as links" ' d/link -> ../f$'
line "absolute ones too" ' d/abs -> /etc/passwd$'
t "... ignored files are not there" lacks list skip
chmod 2700 ctx/dir
build "a destination that is not there is made: 0755, whatever the source has" 'COPY dir /d'
line "so it is" '^drwxr-xr-x 0/0 .* d/$'
line "the source's own mode goes no further up than what is in it" '^drwx------ 0/0 .* d/deep/$'
build "so it is from another stage" 'RUN mkdir /o && chown 5:5 /o && chmod 711 /o && touch /o/a' 'FROM base:1' 'COPY --from=0 /o /d'
line "made" '^drwxr-xr-x 0/0 .* d/$'
t "a directory cannot take a file's place" sh -c 'printf "FROM base:1\nCOPY dir /etc/passwd\n" >Dockerfile; ! slipway build -f Dockerfile ctx 2>err && grep -q "cannot put a directory at /etc/passwd: the image has a file there" err'
chmod 755 ctx/dir
build "a link named as source is followed" 'COPY dirlink /d'
line "its contents" ' d/one$'
build "wildcards" 'COPY *.txt /w/'
line "first" ' w/g.txt$'
line "second" ' w/h.txt$'
tar --xattrs --xattrs-include='*' -tvvf "$(top c:1)" >xl 2>/dev/null
t "extended attributes are kept" has xl user.note
build "a wildcard that matches nothing is no error" 'COPY f nothing* /w/'
build "hard links stay links" 'COPY f other /o/'
line "one inode" ' o/hard link to o/f$'
line "a pipe stays one" '^prw-r--r-- 0/0 .* o/pipe$'
python3 - "$(top c:1)" <<'P' >cap
import sys, tarfile
print([k for m in tarfile.open(sys.argv[1]) if m.name == "o/capable" for k in m.pax_headers])
P
if getcap ctx/other/capable | grep -q cap_net_raw; then t "file capabilities are kept" has cap security.capability; fi
build ".dockerignore's ! puts back" 'COPY secret /s/'
line "kept" ' s/keep$'
t "... the rest is left out" lacks list 's/s$'
t "an ignored source says why" sh -c 'printf "FROM base:1\nCOPY secret/s /x\n" >Dockerfile; ! slipway build -f Dockerfile ctx 2>err && grep -q "ignore file leaves it out" err'
build "an existing directory keeps its looks" 'COPY f /tmp/'
line "tmp" '^drwxrwxrwt 0/0 .* tmp/$'
build "into an existing directory without a slash" 'COPY f /tmp'
line "below it" ' tmp/f$'
build "--chown by number stands for both" 'COPY --chown=55 dir /d'
line "both" '^-rwsr-xr-x 55/55 .* d/one$'
build "--chown by name takes the primary group" 'COPY --chown=app f /d/'
line "group" '1000/1000 .* d/f$'
line "made parents too" '^drwxr-xr-x 1000/1000 .* d/$'
build "symbolic --chmod" 'COPY --chmod=u=rwX,go= dir /d'
line "file" '^-rwx------ .* d/one$'
build "a link in the destination is followed, inside the image" 'RUN ln -s /srv/../../real /way && mkdir /real' 'COPY f /way/'
line "lands there" ' real/f$'
build "a heredoc" 'COPY <<one <<two /h/' 'first $X' 'one' 'second' 'two'
line "one" '^-rw-r--r-- 0/0 .* h/one$'
is "$(tar -xOzf "$(top c:1)" h/one)" "first 1" "... expanded"
build "WORKDIR makes relative destinations" 'WORKDIR /w/x' 'COPY f y/'
line "there" ' w/x/y/f$'

tar -czf ctx/a.tar.gz --owner=5 --group=6 --numeric-owner -C ctx dir f
xz -c ctx/f >ctx/plain.xz
build "ADD unpacks an archive" 'ADD a.tar.gz /u/'
line "with its owners" '5/6 .* u/dir/one$'
build "ADD keeps what is no archive" 'ADD plain.xz f /u/'
line "as it is" ' u/plain.xz$'
build "COPY never unpacks" 'COPY a.tar.gz /u/'
line "as it is" ' u/a.tar.gz$'
python3 - <<'P'
import tarfile, io
with tarfile.open("ctx/evil.tar", "w") as t:
    i = tarfile.TarInfo("../../evil"); i.size = 1; t.addfile(i, io.BytesIO(b"x"))
P
t "ADD refuses an archive that climbs out" sh -c 'printf "FROM base:1\nADD evil.tar /u/\n" >Dockerfile; ! slipway build -f Dockerfile ctx 2>err && grep -q "Dockerfile:2" err && grep -q "\.\./" err'
t "a source cannot climb out of the context" sh -c 'printf "FROM base:1\nCOPY ../../../etc/passwd /x\n" >Dockerfile; ! slipway build -f Dockerfile ctx 2>err && grep -q "not in the build context" err'
ln -s /etc ctx/outside
t "nor through a link" sh -c 'printf "FROM base:1\nCOPY outside/passwd /x\n" >Dockerfile; ! slipway build -f Dockerfile ctx 2>err && grep -q "not in the build context" err'
t "two sources for one file name" sh -c 'printf "FROM base:1\nCOPY *.txt /one\n" >Dockerfile; ! slipway build -f Dockerfile ctx 2>err && grep -q "end it with" err'
build "COPY --from a stage keeps owners" 'RUN mkdir /p && echo x >/p/q && chown 9:9 /p/q' 'FROM base:1' 'COPY --from=0 /p /p'
line "owner" '9/9 .* p/q$'
build "COPY --from an image" 'COPY --from=base:1 /etc/group /g'
line "there" ' g$'
printf 'FROM base:1\nRUN true\n' >Dockerfile
t "RUN without one says why, before anything else fails" expect_fail 'Dockerfile:2: no command can be run here: isolation "none" was asked for' slipway build --isolation none -f Dockerfile ctx
t "FROM scratch needs no sandbox" sh -c 'printf "FROM scratch\nCOPY f /\nCMD [\"/f\"]\n" >Dockerfile; slipway build -q --isolation none -f Dockerfile -t s:1 ctx'

# A file that changes under the copy: the layer may hold either content, so nothing may be remembered under the old one's name.
head -c 150000000 /dev/zero >ctx/growing
printf 'FROM scratch\nCOPY growing /\n' >Dockerfile
slipway build -q -f Dockerfile -t g:1 ctx >/dev/null 2>err &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 0.02; printf 'x' | dd of=ctx/growing bs=1 conv=notrunc seek="$i" 2>/dev/null; done
wait $pid
t "a file that changes under COPY is told" has err 'changed while it was'
