#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our tars read by others, others' tars read by us: GNU tar, bsdtar, busybox, Python.
. "$(dirname "$0")/../lib.sh"
need tar bsdtar python3 setfattr busybox
layers=$BUILD/helpers/layers

# What a directory holds, one line a file: everything a tar can say. Directory sizes are the file system's own.
describe() {
    (
        cd "$1" || exit 1
        find . -mindepth 1 \( -type d -printf '%y %m %U:%G %.10T@ %p\n' -o -type l -printf '%y %U:%G %p -> %l\n' -o \
            -printf '%y %m %U:%G %s %.10T@ %n %p\n' \) | LC_ALL=C sort
        find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2
        [ -z "${XATTRS:-}" ] || find . | LC_ALL=C sort | while read -r file; do getfattr -h -d -m '^user\.' "$file" 2>/dev/null; done
    )
}
same_tree() {
    describe "$1" >left
    describe "$2" >right
    diff -u left right >&2
}
unpack() { # WITH ARCHIVE: into a fresh ./out
    chmod -R u+rwx out 2>/dev/null
    rm -rf out
    mkdir out
    case $1 in
    ours) "$layers" untar "$2" out ;;
    gnu) tar -C out --xattrs --xattrs-include='user.*' -xpf "$2" ;;
    bsdtar) bsdtar -C out -xpf "$2" ;;
    busybox) busybox tar -C out -xpf "$2" ;;
    python) python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall("out")' "$2" ;;
    esac
}

# --- a tree with everything in it ---------------------------------------------------------------------------------
long=$(printf '%0120d' 7)
mkdir -p "tree/usr/share/$long/$long" tree/empty tree/spaces\ and\ more
echo hello >tree/hello
: >tree/nothing
head -c 3000000 /dev/urandom >tree/random
echo deep >"tree/usr/share/$long/$long/$long"
echo odd >"$(printf 'tree/new\nline\ttab\033esc')"
echo utf >tree/"$(printf 'ca\303\261on')"
printf 'bad' >"$(printf 'tree/latin-\361')"
echo star >'tree/st*r [x] "q" \back'
ln tree/hello tree/spaces\ and\ more/hard
ln -s ../../etc/passwd tree/link
ln -s "$long/$long" tree/longlink
ln -s /nonexistent tree/dangling
mkfifo tree/pipe
chmod 4711 tree/hello
chmod 1777 tree/empty
chmod 0400 tree/random
touch -h -d @1234567890 tree/link tree/hello tree/nothing tree/random
touch -d @0 "tree/spaces and more"
[ "$(id -u)" -ne 0 ] || chown -h 12345:54321 tree/nothing tree/link
find tree -exec touch -h -d @1500000000 {} +

t "we write it" sh -c '"$1" tar tree >ours.tar' - "$layers"
t "the same again is the same" sh -c '"$1" tar tree | cmp - ours.tar' - "$layers"
for reader in ours gnu bsdtar python; do
    t "$reader unpacks it" unpack $reader ours.tar
    t "... and it is the same" same_tree tree out
done
# busybox tar keeps no PAX names of over 100 bytes, and turns odd bytes into others when listing only.
mkdir small && cp -a tree/hello tree/empty tree/nothing small/ && ln -s ../../etc/passwd small/link # busybox leaves links' owners
[ "$(id -u)" -eq 0 ] || chmod 755 small/hello small/empty # only root gets setuid and sticky bits from it
touch -h -d @1500000000 small/link small
t "a small one for busybox" sh -c '"$1" tar small >small.tar' - "$layers"
t "busybox unpacks it" unpack busybox small.tar
t "... and it is the same" same_tree small out
t "GNU tar finds no difference" sh -c 'tar -C tree --compare -f ours.tar' -
is "$(tar -tvf ours.tar --numeric-owner 2>&1 >/dev/null)" "" "GNU tar has nothing to warn of"
t "names have no ./ but the root" sh -c '! tar -tf ours.tar | grep -v "^\./$" | grep -q "^\./"'
t "no name of an owner is in it" sh -c 'python3 -c "
import tarfile
for e in tarfile.open(\"ours.tar\"): assert e.uname == e.gname == \"\", e.name
"'

# --- others write, we read ------------------------------------------------------------------------------------------
gnu() { tar -C tree --format="$1" -cf theirs.tar .; }
for format in gnu pax; do
    t "GNU tar writes $format" gnu $format
    t "... we unpack it" unpack ours theirs.tar
    t "... and it is the same" same_tree tree out
done
for format in pax gnutar; do
    t "bsdtar writes $format" sh -c 'LC_ALL=C.UTF-8 bsdtar -C tree --format=$1 --no-xattrs -cf theirs.tar . ; test -s theirs.tar' - $format
    t "... we unpack it" unpack ours theirs.tar
    t "... and it is the same" same_tree tree out
done
for format in GNU_FORMAT PAX_FORMAT; do
    t "Python writes $format" python3 -c "import tarfile
with tarfile.open('theirs.tar', 'w', format=tarfile.$format) as tar: tar.add('tree', '.')"
    t "... we unpack it" unpack ours theirs.tar
    t "... and it is the same" same_tree tree out
done
for format in v7 oldgnu ustar; do
    t "GNU tar writes $format" sh -c 'tar -C small --format=$1 -cf theirs.tar .' - $format
    t "... we unpack it" unpack ours theirs.tar
    t "... and it is the same" same_tree small out
done
t "busybox writes" sh -c 'busybox tar -C small -cf theirs.tar .'
t "... we unpack it" unpack ours theirs.tar
t "... and it is the same" same_tree small out

# --- sparse -----------------------------------------------------------------------------------------------------------
mkdir sparse
for at in 0 40960 1000448 5000192 9999360; do
    printf 'data at %s' $at | dd of=sparse/holes bs=1 seek=$at conv=notrunc status=none
done
truncate -s 20000000 sparse/holes
truncate -s 1000000 sparse/onlyhole
i=0
while [ $i -lt 60 ]; do
    printf 'piece %s' $i | dd of=sparse/many bs=1 seek=$((i * 65536)) conv=notrunc status=none
    i=$((i + 1))
done
echo after >sparse/zlast
find sparse -exec touch -d @1500000000 {} +
for how in --format=gnu '--format=pax --sparse-version=0.0' '--format=pax --sparse-version=0.1' \
    '--format=pax --sparse-version=1.0'; do
    # shellcheck disable=SC2086 # words
    t "GNU tar writes sparse files, $how" tar -C sparse -S $how -cf theirs.tar .
    t "... its archive is small" test "$(stat -c %s theirs.tar)" -lt 1000000
    t "... we unpack it" unpack ours theirs.tar
    t "... and it is the same" same_tree sparse out
    t "... with its holes" test "$(du -k out/holes | cut -f1)" -lt 200
done

# --- attributes -------------------------------------------------------------------------------------------------------
if setfattr -n user.probe -v y sparse/zlast 2>/dev/null; then
    mkdir attrs && echo a >attrs/file && mkdir attrs/dir
    setfattr -n user.text -v 'with = and
newline' attrs/file
    setfattr -n user.binary -v 0s/wABAgP+ attrs/dir
    setfattr -n user.empty attrs/file
    find attrs -exec touch -d @1500000000 {} +
    XATTRS=yes
    t "we write attributes" sh -c '"$1" tar attrs >ours.tar' - "$layers"
    for reader in ours gnu bsdtar; do
        t "$reader unpacks them" unpack $reader ours.tar
        t "... and they are the same" same_tree attrs out
    done
    t "GNU tar writes attributes" tar -C attrs --format=pax --xattrs --xattrs-include='user.*' -cf theirs.tar .
    t "... we unpack them" unpack ours theirs.tar
    t "... and they are the same" same_tree attrs out
    t "bsdtar writes attributes" bsdtar -C attrs --format=pax --xattrs -cf theirs.tar .
    t "... we unpack them" unpack ours theirs.tar
    t "... and they are the same" same_tree attrs out
    XATTRS=''
else
    skip "attributes" "no user.* attributes on this file system"
fi

# --- compressed -------------------------------------------------------------------------------------------------------
t "we write again" sh -c '"$1" tar tree >ours.tar' - "$layers"
pack() {
    case $1 in
    gzip) gzip -9c ours.tar ;;
    members) split -b 700000 --filter='gzip -1c' ours.tar ;;
    zstd) zstd -qc ours.tar ;;
    frames) split -b 700000 --filter='zstd -q -5 -c' ours.tar ;;
    long) zstd -q --long=27 -c ours.tar ;;
    python) python3 -c 'import gzip, sys; sys.stdout.buffer.write(gzip.compress(open("ours.tar", "rb").read()))' ;;
    esac >packed
}
for how in gzip members zstd frames long python; do
    case $how in
    zstd | frames | long) command -v zstd >/dev/null || { skip "$how" "no zstd"; continue; } ;;
    esac
    t "packed by $how" pack $how
    t "... we unpack it" unpack ours packed
    t "... and it is the same" same_tree tree out
done
