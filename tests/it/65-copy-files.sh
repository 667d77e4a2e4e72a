#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What COPY, ADD and WORKDIR make of files: sources, wildcards, destinations, links, kinds of files, owners. Each image is built twice.
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/copy.sh"
need busybox jq setfattr umoci skopeo python3

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
names() { sed 's/^.* [0-9][0-9]:[0-9][0-9] //' list | tr '\n' ' '; }

# --- sources ---

mkdir -p ctx/one/sub ctx/two/sub ctx/three 'ctx/with space' ctx/é
echo 1 >ctx/one/a; echo 2 >ctx/two/b; echo 2 >ctx/two/a; echo 3 >ctx/one/sub/x; echo 4 >ctx/two/sub/y
echo s >'ctx/with space/a file'; echo 5 >ctx/é/ü; echo b >'ctx/arr[0].txt'; echo d >ctx/.hidden; echo f >ctx/f
chmod 700 ctx/one/sub; chmod 711 ctx/two/sub
build "a directory's contents, not the directory" 'COPY one /d/'
is "$(names)" "d/ d/a d/sub/ d/sub/x " "... so"
build "a trailing slash of a source means nothing" 'COPY one/ /d'
is "$(names)" "d/ d/a d/sub/ d/sub/x " "... so"
build "a leading one is the context's top" 'COPY /one/a /d/'
is "$(names)" "d/ d/a " "... so"
build ".. does not lead out" 'COPY ../../one/../one/a /d/'
is "$(names)" "d/ d/a " "... so"
build "several directories merge, the later wins" 'COPY one two /d/'
is "$(names)" "d/ d/a d/b d/sub/ d/sub/x d/sub/y " "... so"
is "$(content d/a)" 2 "... the later file"
line "the later directory's mode" '^drwx--x--x 0/0 .* d/sub/$'
build "directories alone need no slash" 'COPY one two /d'
is "$(names)" "d/ d/a d/b d/sub/ d/sub/x d/sub/y " "... so"
build "after a directory a file goes into it" 'COPY one f /d'
is "$(names)" "d/ d/a d/f d/sub/ d/sub/x " "... so"
refused "but two files do not share a name" '2 sources match, but /d is not a directory; end it with "/" to make it one' 'COPY f one/a /d'
build "spaces, in JSON form" 'COPY ["with space/a file", "/the d/"]'
is "$(names)" "the d/ the d/a file " "... so"
build "a variable" 'ARG S=one' 'COPY $S/a ${S}/sub /$S/'
is "$(names)" "one/ one/a one/x " "... so"
build "one that comes to nothing is the whole, as docker has it" 'COPY $NONE /d/'
line "so" ' d/one/sub/x$'
refused "a source that is not there" 'Dockerfile:2: "nowhere" is not in the build context' 'COPY nowhere /d/'

# --- wildcards ---

build "* takes part of a name" 'COPY t* /d/'
is "$(names)" "d/ d/a d/b d/sub/ d/sub/y " "... so"
build "* takes names with a dot in front" 'COPY .hid* /d/'
is "$(names)" "d/ d/.hidden " "... so"
build "? is one character, whatever its bytes" 'COPY ?/? /d/'
is "$(names | tr -d '\\0-9')" "$(printf 'd/ d/%s ' "$(ls -b ctx/é | tr -d '\\0-9')")" "... so" || true
build "[…] is one of several" 'COPY [ot]*/a /d/'
is "$(content d/a)" 2 "... the later of two"
build "[[] is the bracket itself" 'COPY arr[[]0].txt /d/'
is "$(names)" "d/ d/arr[0].txt " "... so"
build "so is \\[, once the word's own escapes are taken away" 'COPY ["arr\\\\[0].txt", "/d/"]'
is "$(names)" "d/ d/arr[0].txt " "... so"
build "* does not match /" 'COPY */x /d/'
is "$(names)" "" "... no match is no error, and makes nothing"
build "wildcards on several levels" 'COPY */*/[xy] /d/'
is "$(names)" "d/ d/x d/y " "... so"
build "the optional file" 'COPY f nowher[e] /d/'
is "$(names)" "d/ d/f " "... so"
build "one match keeps a destination that is a name" 'COPY on*/a /name'
is "$(names)" "name " "... so"
refused "a directory before the wildcard must be there" '"nowhere" is not in the build context' 'COPY nowhere/* /d/'
refused "a pattern that is none" 'is malformed' 'COPY [ot /d/'

# --- destinations ---

build "a name" 'COPY f /x/name'
is "$(names)" "x/ x/name " "... so"
build "a directory" 'COPY f /x/name/'
is "$(names)" "x/ x/name/ x/name/f " "... so"
build "/. says directory too" 'COPY f /x/name/.'
is "$(names)" "x/ x/name/ x/name/f " "... so"
build "the working directory" 'WORKDIR /w' 'COPY f .'
is "$(names)" "w/ w/f " "... so"
build "relative to it" 'WORKDIR /w' 'COPY f a/b'
is "$(names)" "w/ w/a/ w/a/b " "... so"
build ".. in it is taken by its text, and clamped" 'WORKDIR /w' 'COPY f ../../../v/g'
is "$(names)" "v/ v/g " "... so"
build "a directory that exists takes the file" 'COPY f /tmp'
is "$(names)" "tmp/ tmp/f " "... so"
line "and keeps its looks" '^drwxrwxrwt 0/0 .* tmp/$'
build "... a directory's contents too" 'RUN mkdir -m 700 /e && chown 4:4 /e && mkdir -m 711 /e/sub && chown 4:4 /e/sub' 'COPY one /e'
line "it keeps its owner and mode" '^drwx------ 4/4 .* e/$'
line "one in it takes those of the source" '^drwx------ 0/0 .* e/sub/$'
build "a file replaces a file" 'COPY f /etc/passwd'
is "$(content etc/passwd)" f "... so"
build "a link in its place too" 'RUN ln -s /etc/group /l' 'COPY f one/a /'
build "... named by directory" 'RUN mkdir /z && ln -s /etc/group /z/f' 'COPY f /z/'
line "it is a file now" '^-rw-r--r-- 0/0 .* z/f$'
refused "a file over a directory" 'cannot put a file at /etc/f: the image has a directory there' 'RUN mkdir /etc/f' 'COPY f /etc/'
refused "a directory over a file" 'cannot put a directory at /etc/sub: the image has a file there' 'RUN touch /etc/sub' 'COPY one /etc/'
refused "a directory's contents over a file" 'cannot put a directory at /etc/passwd: the image has a file there' 'COPY one /etc/passwd'
refused "a file with a slash" 'destination /etc/passwd/ is a file in the image, not a directory' 'COPY f /etc/passwd/'
refused "through a file" '/etc/passwd is a file, not a directory' 'COPY f /etc/passwd/x/y'
mkdir ctx/four; mkdir ctx/four/a
refused "two sources of different kinds for one place" 'two sources want /d/a: a file and a directory' 'COPY one four /d/'

# --- links ---

ln -s one ctx/way; ln -s way/a ctx/far; ln -s ../../../../one/a ctx/up; ln -s /one ctx/abs; ln -s loop ctx/loop; ln -s nowhere ctx/dangling
mkdir ctx/links; ln -s ../f ctx/links/rel; ln -s /etc/passwd ctx/links/abs; ln -s nowhere ctx/links/dangling
build "a link that is named is followed" 'COPY far /d/'
is "$(content d/far)" 1 "... to its end, and keeps its name"
build "on the way too" 'COPY way/sub /d/'
is "$(names)" "d/ d/x " "... so"
build "to a directory" 'COPY way /d/'
is "$(names)" "d/ d/a d/sub/ d/sub/x " "... so"
build "never out of the context" 'COPY up abs/a /d/'
is "$(names)" "d/ d/a d/up " "... so"
refused "one that leads nowhere" '"dangling" is not in the build context' 'COPY dangling /d/'
refused "one that leads to itself" 'symbolic links' 'COPY loop /d/'
build "a wildcard's match is followed" 'COPY fa* /d/'
is "$(content d/far)" 1 "... so"
build "in between it is not" 'COPY wa*/a /d/'
is "$(names)" "" "... so"
build "found in a directory they are copied" 'COPY links /d/'
line "relative" '^lrwxrwxrwx 0/0 .* d/rel -> ../f$'
line "absolute" ' d/abs -> /etc/passwd$'
line "dangling" ' d/dangling -> nowhere$'
build "the destination's are followed inside the image" 'RUN mkdir -p /real/in && ln -s /../../real /way' 'COPY f /way/in/'
is "$(names)" "real/ real/in/ real/in/f " "... so"
build "the last one too" 'RUN ln -s /etc/motd2 /way' 'COPY f /way'
is "$(names)" "etc/ etc/motd2 " "... so"
build "also when it leads to what is not there" 'RUN ln -s /made/here /way' 'COPY f /way/'
is "$(names)" "made/ made/here/ made/here/f " "... so"
refused "not below it" 'cannot put a directory at /d/sub: the image has a symbolic link there' 'RUN mkdir /d && ln -s /etc /d/sub' 'COPY one /d/'
build "from a stage they are followed inside the stage" 'RUN mkdir /s && ln -s /etc/passwd /s/p && ln -s ../../../etc /s/e' 'FROM base:1' 'COPY --from=0 /s/p /s/e/group /d/'
is "$(names)" "d/ d/group d/p " "... so"
line "as the file" '^-rw-r--r-- 0/0 .* d/p$'

# --- hard links, attributes, kinds ---

mkdir ctx/hard; echo h >ctx/hard/x; ln ctx/hard/x ctx/hard/y; ln ctx/hard/x ctx/hlink
build "names of one file stay one" 'COPY hard hlink /d/'
line "the first" '^hrw-r--r-- 0/0 .* d/x link to d/hlink$'
line "the second" '^hrw-r--r-- 0/0 .* d/y link to d/hlink$'
build "from a stage" 'RUN mkdir /s && echo a >/s/a && ln /s/a /s/b && cp /s/a /s/c' 'FROM base:1' 'COPY --from=0 /s /d/'
line "so" ' d/b link to d/a$'
line "and no others" '^-rw-r--r-- 0/0 .* d/c$'
build "two layers of a stage do not mix" 'RUN mkdir /s && echo a >/s/a && ln /s/a /s/b' 'RUN echo c >/s/c && ln /s/c /s/d' 'FROM base:1' 'COPY --from=0 /s /d/'
line "one" ' d/b link to d/a$'
line "two" ' d/d link to d/c$'
echo x >ctx/attr; setfattr -n user.note -v hello ctx/attr
mkdir ctx/attrs; setfattr -n user.dir -v there ctx/attrs; mkdir ctx/attrs/in; setfattr -n user.dir -v in ctx/attrs/in
xattrs() { python3 -c '
import sys, tarfile
for m in tarfile.open(sys.argv[1]):
    for k, v in sorted(m.pax_headers.items()):
        if k.startswith("SCHILY.xattr."): print(m.name, k[13:], v.encode("utf-8", "surrogateescape").hex())' "$(layer_file c:1)"; }
build "attributes are kept" 'COPY attr attrs /d/'
is "$(xattrs)" "d/attr user.note 68656c6c6f
d/in user.dir 696e" "... of files and of directories in a directory"
if [ "$(id -u)" -eq 0 ] && command -v setcap >/dev/null && cp /bin/true ctx/cap && setcap cap_net_raw+ep ctx/cap 2>/dev/null; then
    build "file capabilities are kept" 'COPY cap /d/'
    is "$(xattrs)" "d/cap security.capability 0100000200200000000000000000000000000000" "... so"
    build "with --chown and --chmod too" 'COPY --chown=5:6 --chmod=4755 cap /d/'
    is "$(xattrs)" "d/cap security.capability 0100000200200000000000000000000000000000" "... so"
    line "with set-id bit and owner" '^-rwsr-xr-x 5/6 .* d/cap$'
    build "from a stage" 'COPY cap /d/' 'FROM base:1' 'COPY --from=0 --chown=5 /d/cap /e/'
    is "$(xattrs)" "e/cap security.capability 0100000200200000000000000000000000000000" "... so"
    rm -f ctx/cap
else
    skip "file capabilities are kept" "not root, or no setcap"
fi
mkdir ctx/modes; touch ctx/modes/setuid ctx/modes/setgid; mkdir ctx/modes/sticky; chmod 4755 ctx/modes/setuid; chmod 2711 ctx/modes/setgid; chmod 1777 ctx/modes/sticky
build "set-id and sticky bits are kept" 'COPY modes /d/'
line "setuid" '^-rwsr-xr-x 0/0 .* d/setuid$'
line "setgid" '^-rwx--s--x 0/0 .* d/setgid$'
line "sticky" '^drwxrwxrwt 0/0 .* d/sticky/$'
mkdir ctx/kinds; mkfifo ctx/kinds/pipe; touch ctx/kinds/file
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("ctx/kinds/sock")'
[ "$(id -u)" -ne 0 ] || { mknod ctx/kinds/null c 1 3 && mknod ctx/kinds/loop b 7 9; } 2>/dev/null
build "a pipe is a pipe" 'COPY kinds /d/'
line "so" '^prw-r--r-- 0/0 .* d/pipe$'
if [ -c ctx/kinds/null ]; then
    line "a device is a device" '^crw-r--r-- 0/0 +1,3 .* d/null$'
    line "of both kinds" '^brw-r--r-- 0/0 +7,9 .* d/loop$'
    build "from a stage" 'COPY kinds /d/' 'FROM base:1' 'COPY --from=0 /d /e/'
    line "so" '^crw-r--r-- 0/0 +1,3 .* e/null$'
fi
no_line "a socket is left out" sock
dockerfile 'COPY kinds /d/'
slipway build -q --no-cache -f Dockerfile ctx >/dev/null 2>err
t "... and told" has err 'kinds/sock is a socket'
refused "a socket that is named says so" 'it is a socket' 'COPY kinds/sock /d/'
truncate -s 300M ctx/sparse; printf tail | dd of=ctx/sparse bs=1 seek=200000000 conv=notrunc 2>/dev/null
build "a sparse file" 'COPY sparse /d/'
is "$(tar -xOzf "$(layer_file c:1)" d/sparse | sha256sum)" "$(sha256sum <ctx/sparse)" "... has its content"
t "... and is small" test "$(stat -c %s "$(layer_file c:1)")" -lt 2000000
rm ctx/sparse

# --- archives ---

mkdir -p tree/in && echo a >tree/in/a && ln -s a tree/in/l && ln tree/in/a tree/in/h && chmod 700 tree tree/in
tar --sort=name -cf ctx/t1.tar -C tree . && echo b >tree/in/b && tar -czf ctx/t2.tgz -C tree ./in/b
build "ADD unpacks, by content" 'ADD t1.tar /u/'
line "a file" ' u/in/a$'
line "a hard link" ' u/in/h link to u/in/a$'
line "a link" ' u/in/l -> a$'
line "a directory's mode" '^drwx------ 0/0 .* u/in/$'
line "the archive's own top has no say about the destination" '^drwxr-xr-x 0/0 .* u/$'
build "... an existing one is left as it is" 'ADD t1.tar /tmp'
line "so" '^drwxrwxrwt 0/0 .* tmp/$'
build "... by a wildcard, several" 'ADD t?.t* /u/'
line "of the first" ' u/in/a$'
line "of the second" ' u/in/b$'
build "... links of the image on the way are followed inside it" 'RUN mkdir /real && ln -s /../real /u' 'ADD t1.tar /u/'
line "so" ' real/in/a$'
build "... also behind the destination" 'RUN mkdir -p /u /real && ln -s /../real /u/in' 'ADD t2.tgz /u/'
line "so" ' real/b$'
build "... --chown is for all of it" 'ADD --chown=5:6 t1.tar /u/'
line "so" ' 5/6 .* u/in/a$'
build "... what is after it is beside it" 'ADD t1.tar f /u'
line "so" ' u/f$'
refused "... not over a file" 'cannot unpack an archive at /etc/passwd: the image has a file there' 'ADD t1.tar /etc/passwd'
build "... --unpack=false: a file" 'ADD --unpack=false t1.tar /u/'
is "$(names)" "u/ u/t1.tar " "... so"

# --- from stages and images ---

build "a stage by name, in any case" 'RUN mkdir /s && echo 1 >/s/f && chown 3:4 /s/f && chmod 600 /s/f' 'FROM base:1 AS Second' 'COPY --from=0 /s /t' 'FROM base:1' 'COPY --from=SECOND /t/f /d/'
line "owner and mode are kept" '^-rw------- 3/4 .* d/f$'
build "paths are from its root, not its WORKDIR" 'WORKDIR /etc' 'FROM base:1' 'COPY --from=0 etc/passwd /d/'
is "$(names)" "d/ d/passwd " "... so"
build "an image" 'COPY --from=base:1 /etc/passwd /d/'
is "$(names)" "d/ d/passwd " "... so"
build "what a later layer removed is not there" 'RUN touch /a /b' 'RUN rm /a' 'FROM base:1' 'COPY --from=0 /a* /b /d/'
is "$(names)" "d/ d/b " "... so"
refused "a variable in --from says what to do" 'write FROM with the variable, AS a name, and copy from that' 'COPY --from=$X f /d/'
refused "a stage without the file says which" 'Dockerfile:3: "nowhere" is not in stage' 'FROM base:1' 'COPY --from=0 nowhere /d/'

# --- heredocs ---

build "heredocs: several, each a file" 'ENV X=1' 'COPY <<one <<"two" <<-three /h/' '$X ${X:+y}' 'one' '$X' 'two' '	tab' 'three'
is "$(names)" "h/ h/one h/three h/two " "... so"
line "0644" '^-rw-r--r-- 0/0 .* h/one$'
is "$(content h/one)" "1 y" "... expanded"
is "$(content h/two)" '$X' "... quoted: not"
is "$(content h/three)" tab "... <<-: without tabs"
build "one, to a name" 'COPY <<EOF /etc/conf' 'x' 'EOF'
is "$(names)" "etc/ etc/conf " "... so"
build "beside files" 'COPY f <<EOF /h/' 'x' 'EOF'
is "$(names)" "h/ h/EOF h/f " "... so"

# --- WORKDIR ---

build "WORKDIR is made, with its parents, for USER" 'USER app' 'WORKDIR /a/b'
line "the parent" '^drwxr-xr-x 1000/1000 .* a/$'
line "itself" '^drwxr-xr-x 1000/1000 .* a/b/$'
build "a number is both" 'USER 77' 'WORKDIR /a'
line "so" '^drwxr-xr-x 77/77 .* a/$'
build "user and group" 'USER 7:8' 'WORKDIR /a'
line "so" '^drwxr-xr-x 7/8 .* a/$'
build "relative to the one before; a slash at its end does not count" 'WORKDIR /a/' 'WORKDIR b/' 'WORKDIR ../c'
is "$(names)" "a/ a/c/ " "... so"
is "$(skopeo inspect --config "oci:$SLIPWAY_ROOT:docker.io/library/c:1" | jq -r .config.WorkingDir)" /a/c "... so"
build "one that is there is left as it is" 'USER app' 'WORKDIR /tmp'
is "$(skopeo inspect --config "oci:$SLIPWAY_ROOT:docker.io/library/c:1" | jq '.rootfs.diff_ids | length')" "$(jq '.layers | length' "$(blob "$(manifest_of base:1)")")" "... and makes no layer"
build "/ makes none either" 'WORKDIR /'
build "links are followed" 'RUN ln -s /srv /way' 'WORKDIR /way/in'
is "$(names)" "srv/ srv/in/ " "... so"
refused "a file in its way" 'WORKDIR /etc/passwd is a file in the image' 'WORKDIR /etc/passwd'
refused "a USER that is not there" 'USER nobody-here: unable to find user' 'USER nobody-here' 'WORKDIR /new'
begin 'FROM base:1 AS x'
build "the base image's is not made again" 'WORKDIR /gone' 'RUN rmdir /gone' 'FROM x' 'COPY f /x'
no_line "so" gone
begin 'FROM base:1'

# --- what is wrong is wrong though nothing matches, and nothing is a root, too ---

for pattern in 'x[z' 'a[' 'none/[' 'q[^]'; do
    dockerfile "COPY $pattern /x/"
    t "a malformed wildcard: $pattern" expect_fail 'Dockerfile:2: ' slipway build -q -f Dockerfile -t c:1 ctx
done
printf '%s\n' 'FROM scratch AS e' 'FROM base:1' 'COPY --from=e /x* /a/' 'COPY --from=e / /b/' 'RUN --mount=from=e,target=/m ls /m >/c' >Dockerfile
t "a stage with nothing in it has a root" slipway build -q -f Dockerfile -t c:1 ctx
printf '%s\n' 'FROM scratch AS e' 'FROM base:1' 'COPY --from=e /x /a/' >Dockerfile
t "... and no file" expect_fail '"x" is not in stage e' slipway build -q -f Dockerfile -t c:1 ctx

# --- the whole, as others see it ---

dockerfile 'COPY one /d/' 'COPY --chown=3:4 hard /h/' 'COPY links /l/' 'COPY modes /m/'
slipway build -q -f Dockerfile -t c:1 ctx >/dev/null
umoci unpack --rootless --image "$SLIPWAY_ROOT:docker.io/library/c:1" un >/dev/null 2>umoci.err || cat umoci.err
t "umoci: content" same un/rootfs/d/sub/x ctx/one/sub/x
is "$(stat -c %a un/rootfs/d/sub)" 700 "umoci: mode"
t "umoci: hard links" test un/rootfs/h/x -ef un/rootfs/h/y
is "$(readlink un/rootfs/l/rel)" ../f "umoci: links"
is "$(stat -c %a un/rootfs/m/sticky)" 1777 "umoci: sticky"

# --- an ordinary user gets the same bytes, whatever the files are ---

if [ "$(id -u)" -eq 0 ] && can user; then
    rm -rf ctx && mkdir -p ctx/k && mkdir -m 1777 ctx/k/st && mkfifo ctx/k/p && touch ctx/k/owned && ln ctx/k/owned ctx/k/same
    chown 5:6 ctx/k/owned; chmod 4755 ctx/k/owned; setfattr -n user.x -v 1 ctx/k/owned
    cp /bin/true ctx/k/cap; setcap cap_net_raw+ep ctx/k/cap; mknod ctx/k/null c 1 3
    printf '%s\n' 'FROM scratch' 'COPY k /d/' 'COPY --chown=9:8 --chmod=600 k /e/' 'COPY --link --exclude=c* k /f/' >Dockerfile
    printf '%s\n' 'FROM c:1 AS a' 'FROM scratch' 'COPY --from=a --parents /./d /g' >Dockerfile.from
    cp -a ctx Dockerfile Dockerfile.from "$USER_HOME"
    ours() { # DOCKERFILE NAME
        our_user=$(as_user SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH sh -c "cd && slipway build -q -f $1 -t $2 ctx") &&
            is "$our_user" "$(slipway build -q -f "$1" -t "$2" ctx)"
    }
    t "an ordinary user: the same digest" ours Dockerfile c:1
    t "... from a stage" ours Dockerfile.from c:2
else
    skip "an ordinary user: the same digest" "not root, or no ordinary account"
fi
