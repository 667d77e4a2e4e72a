#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The file system's odd corners in an image: names, depth, links, mounts, attributes, times, ignore files, archives, and which stages are built.
# shellcheck disable=SC2016,SC2154,SC1003 # Dockerfiles expand their own variables; test_user is of the library; a \ that ends a word is meant
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/copy.sh"
need busybox jq setfattr umoci skopeo python3

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
names() { sed 's/^.* [0-9][0-9]:[0-9][0-9] //' list | tr '\n' ' '; }
new_context() { rm -rf ctx && mkdir ctx; }
# held WANT: python's reading of the last layer below c/ is the directory WANT: names as bytes, kinds, modes, contents, links
held() {
    python3 - "$(layer_file c:1)" "$1" <<'P'
import os, stat, sys, tarfile
got, want = {}, {}
with tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as layer:
    for m in layer:
        text = layer.extractfile(m).read() if m.isreg() else os.fsencode(m.linkname) if m.issym() else b""
        got[os.fsencode(m.name)] = (m.mode if not m.issym() else 0, m.isreg(), m.isdir(), text)
def walk(fd, prefix):
    for name in os.listdir(fd):
        st = os.stat(name, dir_fd=fd, follow_symlinks=False)
        path, text = prefix + b"/" + os.fsencode(name), b""
        if stat.S_ISDIR(st.st_mode):
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
            walk(child, path)
            os.close(child)
        elif stat.S_ISLNK(st.st_mode):
            text = os.fsencode(os.readlink(name, dir_fd=fd))
        else:
            with open(os.open(name, os.O_RDONLY, dir_fd=fd), "rb") as f: text = f.read()
        link = stat.S_ISLNK(st.st_mode)
        want[path] = (0 if link else stat.S_IMODE(st.st_mode), stat.S_ISREG(st.st_mode), stat.S_ISDIR(st.st_mode), text)
sys.setrecursionlimit(10000)
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
walk(os.open(sys.argv[2], os.O_RDONLY), b"c")
got.pop(b"c", None)
for path in sorted(set(got) | set(want)):
    if got.get(path) != want.get(path): sys.exit("%r: %r, want %r" % (path[-80:], got.get(path), want.get(path)))
P
}

# --- names of any bytes ---

new_context
python3 - <<'P'
import os
os.chdir(b"ctx")
for n in (b"new\nline", b"tab\there", b"\xff\xfe\x80", b"-rf", b"--link", b"a" * 255, b"\xc3\xa9" * 127, b" lead", b"trail ", b"back\\slash", b"q'\"", b"\x01\x7f",
          b"*", b"[x]", b"%s", b"$X", b"#c", b"!n", b"a=b", b"..x", b"...", b"e\r"):
    open(n, "wb").write(n)
    os.makedirs(b"d/" + n[:240] + b".d")
    os.symlink(n, b"d/" + n[:240] + b".l")
P
build "names of all bytes" 'COPY . /c/'
t "... are in the layer as they are" held ctx
umoci unpack --rootless --image "$SLIPWAY_ROOT:docker.io/library/c:1" un >/dev/null 2>umoci.err || cat umoci.err
t "... and for umoci" diff -r --no-dereference ctx un/rootfs/c
rm -rf un
build "... a RUN sees them" 'COPY . /c/' 'RUN find /c -type f -exec sh -c '\''for f; do printf %s "${f##*/}" | cmp -s - "$f" || echo "$f"; done'\'' sh {} + >/bad; find /c | wc -l >/n'
is "$(content bad)" "" "... with their contents"
build "... named in JSON form" 'COPY ["new\nline", "tab\there", "--link", "/q/"]'
is "$(names)" 'q/ q/--link q/new\nline q/tab\there ' "... so"
build "... -- ends the flags" 'COPY -- --link -rf /q/'
is "$(names)" 'q/ q/--link q/-rf ' "... so"
build "... ? is one character of UTF-8, or one byte that is none" 'COPY ?rf ??? /q/'
is "$(names)" 'q/ q/-rf q/... q/..x q/[x] q/a=b q/q'\''" q/\377\376\200 ' "... so"

# --- depth ---

new_context
python3 - <<'P'
import os
fd = os.open("ctx", os.O_RDONLY)
for i in range(2000):
    os.mkdir("d", dir_fd=fd)
    fd, old = os.open("d", os.O_RDONLY, dir_fd=fd), fd
    os.close(old)
os.write(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=fd), b"leaf")
P
build "two thousand directories in one another" 'COPY . /c/'
t "... are in the layer" held ctx
build "... a RUN and a mount see them" 'COPY . /c/' 'RUN --mount=target=/m find /c /m -name leaf | wc -c >/n'
is "$(content n)" 8016 "... both" # two times /c, 2000 of /d, /leaf and a line end
long=$(printf '%0250d/%050d' 0 0)
refused "a path that is longer than any system call takes" 'a path of more than 4095 bytes' "COPY . /$long/"
refused "... that a RUN makes" 'Dockerfile:2: make the layer: "' 'RUN n=$(printf %0200d 1); p=$n; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do p=$p/$n; done; mkdir -p $p && cd $p && mkdir -p $n/$n/$n'
new_context
python3 - <<'P'
import os
fd = os.open("ctx", os.O_RDONLY)
for i in range(30):
    os.mkdir("n" * 200, dir_fd=fd)
    fd = os.open("n" * 200, os.O_RDONLY, dir_fd=fd)
P
refused "... in the context" 'File name too long' 'COPY . /c/'
is "$(find "$SLIPWAY_ROOT/tmp" -mindepth 1 -maxdepth 1 ! -name '*stub*')" "" "nothing is left of what was refused"

# --- links in circles ---

new_context
mkdir -p ctx/d/sub
ln -s self ctx/d/self; ln -s .. ctx/d/parent; ln -s ../.. ctx/d/sub/pp; ln -s . ctx/d/dot; ln -s a ctx/d/b; ln -s b ctx/d/a
build "links to themselves, to parents" 'COPY . /c/'
t "... are links" held ctx
build "... named" 'COPY d/parent/d/dot/sub /c/'
is "$(names)" "c/ c/pp -> ../.. " "... are followed"
refused "... but not in a circle" 'd/self: more than 40 symbolic links' 'COPY d/sel* /c/'
refused "a path through a pipe" '"d/pipe/x" is not in the build context' 'COPY d/pipe/x /c/'

# --- what cannot be read ---

if [ "$(id -u)" -eq 0 ] && can user; then
    as_user true
    home=$USER_HOME/closed
    mkdir -p "$home/ctx/ok" "$home/ctx/closed" "$home/ctx/unlisted"
    echo a >"$home/ctx/ok/a"; echo s >"$home/ctx/closed/s"; echo f >"$home/ctx/secret"; echo u >"$home/ctx/unlisted/u"
    chown -R "$test_user:" "$home"; chown root: "$home/ctx/closed" "$home/ctx/secret" "$home/ctx/unlisted"; chmod 0 "$home/ctx/closed" "$home/ctx/secret"; chmod 444 "$home/ctx/unlisted"
    closed() { # IGNORE-FILE LINE
        printf '%s\n' 'FROM scratch' "$2" >"$home/Dockerfile"
        rm -f "$home/ctx/.dockerignore"
        [ -z "$1" ] || printf '%b' "$1" >"$home/ctx/.dockerignore"
        as_user SOURCE_DATE_EPOCH=1 sh -c 'cd "$HOME/closed" && slipway build -q -f Dockerfile -o type=tar,dest=o.tar ctx'
    }
    t "a directory that cannot be read" expect_fail 'Dockerfile:2: build context ctx: open closed: Permission denied' closed '' 'COPY . /c/'
    t "a file that cannot be read" expect_fail 'Dockerfile:2: build context ctx: open secret: Permission denied' closed '' 'COPY secret /c/'
    t "a directory that can be listed and not entered" expect_fail 'unlisted/u: Permission denied' closed '' 'COPY unlisted /c/'
    t "... they are nobody's concern when something else is copied" closed '' 'COPY ok /c/'
    t "... nor where the ignore file leaves them out" closed 'closed\nsecret\nunlisted\n' 'COPY . /c/'
    is "$(tar -tf "$home/o.tar" | tr '\n' ' ')" "c/ c/.dockerignore c/ok/ c/ok/a " "... they are not there"
    t "... by a star" closed '*\n!ok\n' 'COPY --parents ./**/a /c/'
    t "what lies in one that is left out cannot be put back" expect_fail 'Permission denied' closed 'closed\n!closed/s\n' 'COPY . /c/'
else
    skip "what cannot be read" "not root, or no ordinary account"
fi

# --- mounts in the context, hard links across them; links whose other names are elsewhere ---

new_context
mkdir -p outside ctx/d; echo h >outside/h; ln outside/h ctx/d/one; ln outside/h ctx/d/two; ln outside/h ctx/other
build "names of one file, others outside" 'COPY d /d/' 'COPY d/one /alone'
line "one alone is a file" '^-rw-r--r-- 0/0 .* alone$'
is "$(tar -tvzf "$(layer_file c:1 -1)" | sed 's/^.* [0-9][0-9]:[0-9][0-9] //' | tr '\n' ' ')" "d/ d/one d/two link to d/one " "... two are links"
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    mkdir ctx/m1 ctx/m2 ctx/bound; echo b >outside/b
    # Each fresh tmpfs numbers its files alike: only the device tells these files from one another.
    cat >mounted.sh <<'M'
mount -t tmpfs one ctx/m1 && mount -t tmpfs two ctx/m2 && mount --bind outside ctx/bound || exit 1
for m in 1 2; do chmod 755 ctx/m$m; echo $m >ctx/m$m/f; ln ctx/m$m/f ctx/m$m/g; done
[ "$(stat -c %i ctx/m1/f)" = "$(stat -c %i ctx/m2/f)" ] || echo "the inodes differ"
"$@"
M
    dockerfile 'COPY . /c/'
    t "other file systems in the context, with the same inode numbers" unshare -m sh mounted.sh slipway build -q -f Dockerfile -t c:1 ctx
    t "... indeed the same" lacks "$T/out" differ
    tar -tvzf "$(layer_file c:1)" >list
    is "$(content c/m1/f) $(content c/m2/f) $(content c/bound/b)" "1 2 b" "... each has its content"
    line "links are within each" ' c/m1/g link to c/m1/f$'
    line "so" ' c/m2/g link to c/m2/f$'
    line "a bind mount of the same one is of the same files" ' c/d/one link to c/bound/h$'
    dockerfile 'RUN --mount=target=/m cat /m/m1/g /m/m2/g /m/bound/b >/o'
    t "a mount of the context has them" unshare -m sh mounted.sh slipway build -q -f Dockerfile -t c:1 ctx
    is "$(content o | tr '\n' ' ')" "1 2 b " "... too"
else
    skip "other file systems in the context" "no mounts here"
fi

# --- attributes ---

xattrs() { python3 -c '
import sys, tarfile
for m in tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape"):
    for k, v in sorted(m.pax_headers.items()):
        if k.startswith("SCHILY.xattr."): print(m.name, k[13:], len(v) if len(v) > 100 else v.encode("utf-8", "surrogateescape").hex())' "$(layer_file c:1)"; }
new_context
mkdir ctx/x; echo u >ctx/x/u
setfattr -n user.empty -v '' ctx/x/u; setfattr -n user.bytes -v 0x000a0d3dff ctx/x/u; setfattr -n user.big -v "$(printf '%03000d' 0)" ctx/x/u
if [ "$(id -u)" -eq 0 ] && command -v setcap >/dev/null; then
    cp /bin/true ctx/x/cap; setcap cap_net_raw+ep ctx/x/cap; chmod 4755 ctx/x/cap
    # what describes this host, not the file
    setfattr -n security.selinux -v label ctx/x/u; setfattr -n trusted.x -v 1 ctx/x/u
fi
want='x u user.big 3000
x u user.bytes 000a0d3dff
x u user.empty '
[ ! -e ctx/x/cap ] || want="x cap security.capability 0100000200200000000000000000000000000000
$want"
build "attributes of a user, and capabilities" 'COPY x /c/'
is "$(xattrs | sed 's,^c/,x ,')" "$want" "... are kept, those of the host are not"
build "... from a stage, after a RUN changed the files" 'COPY x /c/' 'RUN mv /c/u /c/v && touch /c/*' 'FROM base:1' 'COPY --from=0 /c /d'
is "$(xattrs | sed 's,^d/v,x u,; s,^d/,x ,')" "$want" "... too"
[ ! -e ctx/x/cap ] || line "set-id bits with them" '^-rwsr-xr-x 0/0 .* d/cap$'
setfattr -n 'user.a=b' -v 1 ctx/x/u
refused "a name that no tar can hold is told" 'x/u: c/u: a tar cannot hold the extended attribute name "user.a=b"' 'COPY x /c/'

# --- names that mean something in layers ---

new_context
mkdir ctx/d; echo w >ctx/d/.wh.x; touch ctx/.wh..wh..opq ctx/f
for copy in 'COPY d /c/' 'COPY .wh* /c/' 'COPY f /.wh.f' 'COPY f /.wh.d/f' 'WORKDIR /.wh.w' 'RUN mkdir -p /d/.wh.r'; do
    refused "$copy" 'a layer cannot hold a name that begins with ".wh."' "$copy"
done
build "... left out" 'COPY --exclude=**/.wh.* . /c/'
is "$(names)" "c/ c/d/ c/f " "... the rest goes"

# --- an image whose directories are links ---

new_context
mkdir -p ctx/lib/x; echo l >ctx/lib/x/l; echo e >ctx/e
merged='RUN mkdir -p /usr/lib && ln -s usr/lib /lib && ln -s /../../usr/lib /out'
build "into a directory that is a link" "$merged" 'COPY lib /lib'
line "what it leads to" ' usr/lib/x/l$'
no_line "the link stays" ' lib'
build "a link that would lead out of the image" "$merged" 'COPY e /out/../../../../etc/e' 'COPY e /out/deep/e'
line "does not" ' usr/lib/deep/e$'
refused "the whole over such links" 'cannot put a directory at /lib: the image has a symbolic link there' "$merged" 'COPY . /'
build "... from a stage that has them too" "$merged" 'RUN touch /lib/new' 'FROM base:1' "$merged" 'COPY --from=0 / /'
line "a link is a link" '^lrwxrwxrwx .* lib -> usr/lib$'
line "and what it leads to is there" ' usr/lib/new$'

# --- times, and what a RUN that only changes looks writes ---

unset SOURCE_DATE_EPOCH
new_context
mkdir -p ctx/one/sub; echo 1 >ctx/one/a; touch -d '2002-02-02 00:00 UTC' ctx/one/a; touch -d '2003-03-03 00:00 UTC' ctx/one/sub ctx/one
dockerfile 'RUN mkdir -m 711 /e && mkdir /e/sub && touch -d "2001-01-01 00:00" /e/sub /e' 'COPY one /e' 'RUN chmod 600 /e/a && chown 9:8 /e/sub'
t "times" slipway build -q -f Dockerfile -t c:1 ctx
tar -tvzf "$(layer_file c:1 -1)" --numeric-owner --utc >list
line "a destination that exists keeps its own" '^drwx--x--x 0/0 .* 2001-01-01 00:00 e/$'
line "a directory in it takes the source's" ' 2003-03-03 00:00 e/sub/$'
line "a file keeps its own" ' 2002-02-02 00:00 e/a$'
tar -tvzf "$(layer_file c:1)" --numeric-owner --utc >list
line "chmod alone: the whole file, with its time" '^-rw------- 0/0 +2 2002-02-02 00:00 e/a$'
line "chown alone: the directory" '^drwxr-xr-x 9/8 .* 2003-03-03 00:00 e/sub/$'
is "$(content e/a)" 1 "... its content is in it"
export SOURCE_DATE_EPOCH=1700000000

# --- a context that changes meanwhile: the image is of one state, or there is an error ---

new_context
mkdir ctx/d; i=0; while [ $i -lt 400 ]; do echo $i >ctx/d/$i; i=$((i + 1)); done
dockerfile 'COPY . /c/'
(while :; do mv ctx/d ctx/e 2>/dev/null; mv ctx/e ctx/d 2>/dev/null; rm -f ctx/d/1*; for i in 1 10 11 12 13; do echo $i >ctx/d/$i; done; done) 2>/dev/null &
churn=$!
bad=''
for try in 1 2 3 4 5 6 7 8; do
    if slipway build -q --no-cache -f Dockerfile -t c:1 ctx >/dev/null 2>err; then
        numbers=$(tar -xOzf "$(layer_file c:1)" 2>&1) || bad="$bad $try: $numbers"
        ! echo "$numbers" | grep -qv '^[0-9]*$' || bad="$bad $try: $numbers"
    else
        grep -qE 'Dockerfile:2: .*(No such file|changed while|not in the build context)' err || bad="$bad $try: $(tail -n 1 err)"
    fi
done
kill $churn
wait $churn 2>/dev/null
is "$bad" "" "files that come and go while they are copied: a whole layer, or an error that says so"

# --- ignore files: BuildKit's rules, one pattern at a time ---

new_context
mkdir -p ctx/sub/deep ctx/lib; touch ctx/a ctx/b ctx/c.md ctx/x.go 'ctx/#hash' 'ctx/!bang' 'ctx/sp ace' ctx/é ctx/.hid ctx/sub/a ctx/sub/c.md ctx/sub/README.md ctx/sub/deep/a ctx/lib/l 'ctx/back\slash' 'ctx/q?'
cat >ignored.py <<'P'
import subprocess, sys, tarfile
rows = [  # the ignore file, and what it leaves out; None: all but lib
    ("a", "a"), ("/a", "a"), ("./a", "a"), ("a/", "a"), ("sub/../a", "a"), ("/../a", "a"), ("../a", ""), ("*/a", "sub/a"), ("**/a", "a sub/a sub/deep/a"),
    ("  a  ", "a"), ("a\t", "a"), ("a\r\nb\r\n", "a b"), ("\ufeffa\nb", "a b"), ("\ufeff#a", ""), ("b\n\ufeffa", "b"), ("a\n\n\nb", "a b"), ("# a", ""), (" #hash", "#hash"), ("\\#hash", "#hash"),
    ("!a", ""), ("a\n! a", ""), ("!a\na", "a"), ("a\n!/a", ""), ("\\!bang", "!bang"), ("sp ace", "sp ace"), ("back\\slash", ""), ("back\\\\slash", "back\\slash"), ("q\\?", "q?"),
    ("?", "a b é"), ("[a-c]", "a b"), ("[^a]", "b é"), ("[!a]", "a"), ("[c-a]", ""), ("x.g[m-p]", "x.go"), (".", ""), ("/", ""), ("..", ""), ("{a,b}", ""),
    ("sub", "sub/ sub/README.md sub/a sub/c.md sub/deep/ sub/deep/a"), ("sub/**", "sub/README.md sub/a sub/c.md sub/deep/ sub/deep/a"),
    ("sub\n!sub/a", "sub/README.md sub/c.md sub/deep/ sub/deep/a"), ("sub\n!sub/deep/a", "sub/README.md sub/a sub/c.md"), ("sub/*\n!sub/deep\nsub/deep/a", "sub/README.md sub/a sub/c.md sub/deep/a"),
    ("**/*.md\n!sub/README.md", "c.md sub/c.md"), ("**/deep", "sub/deep/ sub/deep/a"), ("**/deep/**", "sub/deep/a"), ("su**/a", "sub/a sub/deep/a"), ("**b/a", "sub/a"), ("sub/**/a", "sub/a sub/deep/a"),
    ("*/*", "lib/l sub/README.md sub/a sub/c.md sub/deep/ sub/deep/a"), ("lib\n!lib", ""), ("*\n!lib", None), ("**/\n!lib", None), ("*/\n!lib/**", None),
]
def build(text):
    with open("ctx/.dockerignore", "wb") as f: f.write(text.encode())
    with open("o.tar", "wb") as out: subprocess.run([sys.argv[1], "build", "-q", "-f", "ignored.Dockerfile", "-o", "-", "ctx"], stdout=out, check=True)
    with tarfile.open("o.tar") as tar: return {m.name + "/" * m.isdir() for m in tar} - {".dockerignore"}
whole, bad = build(""), 0
for text, want in rows:
    left_out = whole - build(text)
    expected = whole - {"lib/", "lib/l"} if want is None else {w.replace("+", " ") for w in want.replace("sp ace", "sp+ace").split()}
    if left_out != expected:
        bad += 1
        print("%r leaves out %s" % (text, sorted(left_out)))
sys.exit(bad > 0)
P
printf 'FROM scratch\nCOPY . /\n' >ignored.Dockerfile
t "every pattern of an ignore file leaves out what it should" python3 ignored.py "$SLIPWAY"
dockerfile 'COPY . /c/'
for pattern in '!' '! ' '[a' '[]' '[a-]' 'a\' '[a\]'; do
    printf 'b\n%s\n' "$pattern" >ctx/.dockerignore
    t "a pattern that is none: $pattern" expect_fail 'Dockerfile:2: build context: .dockerignore:2: ' slipway build -q -f Dockerfile ctx
done
printf 'b\n' >ctx/.dockerignore
build "the rules are the context's, not a stage's" 'COPY --from=base:1 /etc/passwd /x/b' 'FROM base:1' 'COPY --from=0 /x /y'
is "$(names)" "y/ y/b " "... so"
rm ctx/.dockerignore; ln -s nowhere ctx/.dockerignore
refused "an ignore file that is a link to nothing" 'build context: .dockerignore is a symbolic link to what is not there' 'COPY . /c/'
rm ctx/.dockerignore; ln -s .dockerignore ctx/.dockerignore
refused "... to itself" '.dockerignore: Too many levels of symbolic links' 'COPY . /c/'
rm ctx/.dockerignore; mkfifo ctx/.dockerignore
dockerfile 'COPY . /c/'
t "... that is a pipe" expect_fail '.dockerignore is not a file' timeout 10 slipway build -q -f Dockerfile ctx
rm ctx/.dockerignore; mkdir ctx/.dockerignore
refused "... that is a directory" '.dockerignore is not a file' 'COPY . /c/'
ln -s nowhere Dockerfile.dockerignore
rmdir ctx/.dockerignore
refused "... beside the Dockerfile" 'Dockerfile.dockerignore is a symbolic link to what is not there' 'COPY . /c/'
rm Dockerfile.dockerignore

# --- what ADD takes for an archive: tar, once compressed with what docker knows ---

new_context
mkdir w; echo a >w/a; tar -cf w/t.tar -C w a
python3 -c 'import zipfile; zipfile.ZipFile("ctx/z.zip", "w").write("w/a")'
gzip -c w/t.tar | gzip -c >ctx/twice.tgz; xz --format=lzma -c w/t.tar >ctx/t.lzma; gzip -c w/a >ctx/a.gz; : >ctx/empty; head -c 10240 /dev/zero >ctx/zeros
cp ctx/* w
build "what is no tar, or packed in another way" 'ADD twice.tgz t.lzma a.gz z.zip empty zeros /u/'
is "$(names)" "u/ u/a.gz u/empty u/t.lzma u/twice.tgz u/z.zip u/zeros " "... is a file"
mkdir o; tar -xzf "$(layer_file c:1)" -C o
t "... as it was" sh -c 'for f in o/u/*; do cmp "$f" "w/${f##*/}" || exit 1; done'
cat w/t.tar w/a >ctx/more.tar
build "bytes behind a tar's end" 'ADD more.tar /u/'
is "$(names)" "u/ u/a " "... are nothing"
head -c 600 w/t.tar >ctx/cut.tar
refused "a tar that is cut" 'Dockerfile:2: cut.tar: the archive cannot be read' 'ADD cut.tar /u/'

# --- heredocs, what other scripts leave out ---

build "a file descriptor before a heredoc" 'RUN 3<<E cat <&3 >/o' 'three' 'E'
is "$(content o)" three "... is the shell's"
build "JSON form has none" 'RUN ["/bin/sh", "-c", "echo \"$0\" >/o", "<<E"]'
is "$(content o)" '<<E' "... the word stays"
printf 'FROM base:1\r\nCOPY <<E f /h/\r\na\r\nE\r\n' >Dockerfile
echo f >ctx/f
t "a Dockerfile with line ends of another system" slipway build -q -f Dockerfile -t c:1 ctx
content h/E >body; printf 'a\r\n' >want
t "... the body keeps its bytes" same body want
refused "a heredoc as destination" 'Dockerfile:2: the destination of COPY may not be a heredoc' 'COPY f <<E' x E
refused "one that does not end" 'Dockerfile:2: heredoc <<E has no line "E" that ends it' 'COPY <<E /x' x

# --- stages that nothing needs are not even resolved; circles cannot be ---

echo f >ctx/f
printf '%s\n' 'FROM 127.0.0.1:1/none:1 AS before' 'RUN false' 'FROM base:1 AS used' 'FROM used' 'COPY f /x' 'FROM 127.0.0.1:1/none:2 AS after' >Dockerfile
t "only what the target needs is resolved, and built" slipway build -q --target 2 -f Dockerfile -t c:1 ctx
is "$(skopeo inspect --config "oci:$SLIPWAY_ROOT:docker.io/library/c:1" | jq -c '[.history[-1].created_by, (.rootfs.diff_ids | length)]')" '["COPY f /x # buildkit",2]' "... stage 2, by its number"
t "... a name is in any case" slipway build -q --target USED -f Dockerfile -t c:1 ctx
is "$(jq -r .config.digest "$(blob "$(manifest_of c:1)")")" "$(slipway build -q --target 1 -f Dockerfile ctx)" "... the same as its number"
t "... the last one is the default" expect_fail 'Dockerfile:6: ' slipway build -q -f Dockerfile ctx
t "a stage that is not there" expect_status 2 'Dockerfile has no stage "usde"; did you mean "used"?' slipway build -q --target usde -f Dockerfile ctx
refused "a copy from itself" 'Dockerfile:2: COPY --from names the stage it stands in' 'COPY --from=0 /x /x'
refused "two that want each other" 'Dockerfile:2: COPY --from names stage b, which begins later, on line 3' 'COPY --from=b /x /x' 'FROM base:1 AS b' 'COPY --from=0 /x /x'
refused "a mount of what comes later" 'Dockerfile:2: RUN --mount: from names stage b, which begins later' 'RUN --mount=from=b,target=/x true' 'FROM base:1 AS b'
printf '%s\n' 'FROM base:1 AS m' 'ONBUILD COPY --from=z /etc/passwd /p' 'FROM m AS z' >Dockerfile
t "a trigger that would make a circle" expect_fail "ONBUILD:1: COPY --from names the stage it stands in" slipway build -q -f Dockerfile ctx
# excerpt WANT-LINES…: what stands between the place and the error, blanks at the ends of lines taken off
excerpt() {
    printf '%s\n' "$@" >want
    sed -n '/^Dockerfile:[0-9]*$/,/^slipway: /p' "$T/err" | sed '$d; s/ *$//' >got
    same got want
}
printf '%s\n' 'FROM base:1' 'ENV A=1' 'ENV B=1' 'RUN exit 9' 'ENV C=1' 'ENV D=1' 'ENV E=1' >Dockerfile
t "a failure" expect_fail 'Dockerfile:4: the command failed with exit status 9' slipway build -f Dockerfile ctx
t "... has docker's excerpt: two lines before, two behind" excerpt 'Dockerfile:4' -------------------- '   2 |     ENV A=1' '   3 |     ENV B=1' '   4 | >>> RUN exit 9' '   5 |     ENV C=1' '   6 |     ENV D=1' --------------------
printf '%s\n' 'FROM base:1' 'ENV A=1' 'ENV B=1' 'RUN \' ' exit 9' 'ENV C=1' 'ENV D=1' >Dockerfile
t "one of two lines" expect_fail 'Dockerfile:4: the command failed with exit status 9' slipway build -f Dockerfile ctx
t "... has one, as docker" excerpt 'Dockerfile:4' -------------------- '   3 |     ENV B=1' '   4 | >>> RUN \' '   5 | >>>  exit 9' '   6 |     ENV C=1' --------------------
printf '%s\n' 'FROM base:1' 'RUNN x' >Dockerfile
t "a mistake" expect_fail 'Dockerfile:2: unknown instruction "RUNN"; did you mean RUN?' slipway build -f Dockerfile ctx
t "... has it, too" excerpt 'Dockerfile:2' -------------------- '   1 |     FROM base:1' '   2 | >>> RUNN x' --------------------
