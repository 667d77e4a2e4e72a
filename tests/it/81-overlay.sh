#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A layer taken from a real overlay's upper directory and unpacked again shows what the overlay showed: once as root, once
# as an ordinary user in a namespace.
. "$(dirname "$0")/../lib.sh"
need overlay setfattr setcap unshare
layers=$BUILD/helpers/layers

# Run in the mount namespace of its own: mounts, changes, takes the layer, unpacks it, mounts again, compares.
cat >play.sh <<'END'
set -eu
layers=$1 store=$2 change=$3 dir=$4
mkdir -p "$dir" && cd "$dir"
mkdir lower upper work merged view upper2 work2
cd lower
mkdir -p dir/deep gone keep/sub opaque/old links a-dir
echo one >dir/one; echo two >dir/deep/two; echo bye >gone/file; echo f >file; echo k >keep/k; echo o >opaque/o
echo x >opaque/old/x; echo l >links/a; ln links/a links/b; ln -s file symlink; echo data >mode; echo a >a-dir/x
mkdir perm && chmod 1777 perm && echo p >perm/p
cd ..
mount -t overlay overlay -o "lowerdir=lower,upperdir=upper,workdir=work,userxattr,index=off,xino=off" merged
(cd merged && eval "$change")
find merged -mindepth 1 \( -type d -printf '%y %m %U:%G %T@ %P\n' -o -type l -printf '%y %l %P\n' -o \
    -printf '%y %m %U:%G %s %P\n' \) | sed 's/\(1[0-9]*\)\.[0-9]* /\1 /' | LC_ALL=C sort >want
(cd merged && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2; getcap -r . 2>/dev/null | sort) >>want
umount merged
set -- $("$layers" upper "$store" upper)
"$layers" index "$store" "$2" "$1" >index
tree=$("$layers" tree "$store" "$2" "$1")
mount -t overlay overlay -o "lowerdir=$tree:lower,upperdir=upper2,workdir=work2,userxattr,index=off,xino=off" view
find view -mindepth 1 \( -type d -printf '%y %m %U:%G %T@ %P\n' -o -type l -printf '%y %l %P\n' -o \
    -printf '%y %m %U:%G %s %P\n' \) | sed 's/\(1[0-9]*\)\.[0-9]* /\1 /' | LC_ALL=C sort >got
(cd view && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2; getcap -r . 2>/dev/null | sort) >>got
umount view
# The layer of that tree itself, and of the same change again, is the same.
set -- "$1" $("$layers" upper "$store" "$tree")
[ "$1" = "$2" ] || { echo "the tree's own layer is $2, not $1" >&2; exit 1; }
cat index
diff -u want got >&2
END

number=0
# try NAME CHANGE [INDEX-LINE-ERE…]: as root and as a user
try() {
    name=$1 change=$2
    shift 2
    number=$((number + 1))
    # shellcheck disable=SC2086 # words
    t "$name" $namespace sh play.sh "$layers" "$T/store-root" "$change" "$T/root-$number"
    [ $# -eq 0 ] || cp "$T/out" found
    for line in "$@"; do t "... $line" matches found "$line"; done
    [ -z "$users" ] || t "$name, as a user" as_user unshare --user --map-root-user --map-auto --mount sh "$T/work/play.sh" "$layers" \
        "$USER_HOME/layers" "$change" "$USER_HOME/t-$number"
}
users='' namespace='unshare --mount'
[ "$(id -u)" -eq 0 ] || namespace='unshare --user --map-root-user --map-auto --mount'
if can user && can subids && can userns; then users=yes; else diag "only as root: $why"; fi

try "a file changed" 'echo more >>file' '^file +0644 0:0 7 [0-9]+ file$'
try "a file made" 'echo new >new; mkdir -p p/q; echo r >p/q/r'
try "a file removed" 'rm file' '^whiteout .* file$'
try "directories removed: whiteouts share an inode" 'rm -r gone dir file symlink' '^whiteout .* gone$' '^whiteout .* dir$' '^whiteout .* symlink$'
try "a directory made anew" 'rm -r opaque; mkdir opaque; echo n >opaque/n' '^directory .* opaque opaque$' '^file .* opaque/n$'
try "a directory made anew and empty" 'rm -r opaque; mkdir opaque' '^directory .* opaque opaque$'
try "a directory emptied" 'rm -r opaque/*' '^whiteout .* opaque/o$' '^whiteout .* opaque/old$'
try "a directory renamed" 'mv keep kept' '^whiteout .* keep$' '^directory .* kept( opaque)?$' '^file .* kept/k$'
try "a directory in a file'\''s place" 'rm file; mkdir file; echo in >file/in' '^directory .* file opaque$'
try "a file in a directory'\''s place" 'rm -r dir; echo f >dir' '^file .* dir$'
try "a link in a directory'\''s place" 'rm -r dir; ln -s keep dir' '^symbolic link .* dir -> keep$'
try "removed and made again" 'rm file; echo again >file' '^file .* file$'
try "mode only" 'chmod 4711 mode' '^file +4711 .* mode$'
try "a directory'\''s mode only" 'chmod 700 perm' '^directory +0700 .* perm$'
try "a sticky directory is kept" 'echo q >perm/q' '^directory +1777 .* perm$'
try "one of two hard links written" 'echo w >>links/a' '^file .* links/a$'
try "hard links made" 'echo h >h1; ln h1 h2; ln h1 p-link; mkdir s; ln h1 s/h3; ln symlink sl2' '^file .* h2 -> h1$' '^file .* s/h3 -> h1$'
try "a hard link to a lower file" 'ln file file2' '^file .* file2( -> file)?$'
try "whiteout, then a new tree in it" 'rm -r dir; mkdir -p dir/deep/er; echo n >dir/deep/er/n; rm -r dir/deep; echo x >dir/x'
try "capabilities" 'cp /bin/true capable; setcap cap_net_raw+ep capable' '^file .* capable security.capability='
try "user attributes" 'setfattr -n user.mine -v yes file; setfattr -n user.dir -v too dir' 'file user.mine=yes$' ' dir user.dir=too$'
try "owners" 'chown 33:44 file; chown -h 55:66 symlink; chown 77 dir' '^file +0644 33:44 .* file$' '^symbolic link 0777 55:66' '^directory .* 77:0 .* dir$'
try "odd files" 'mkfifo pipe; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")"; rm sock; ln -s x dangling'
try "names that sort oddly" 'mkdir a; echo 1 >a/x; echo 2 >a-dir/y; echo 3 >a.b; echo 4 >"a b"; rm a-dir/x' '^whiteout .* a-dir/x$'
try "nothing" 'true'

# A socket is no part of a layer.
mkdir up && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("up/sock")' && echo f >up/f
t "a socket is left out" sh -c 'set -- "$1" $("$1" upper store up) && "$1" index store "$3" "$2" >index && ! grep -q sock index && grep -q " f$" index' - "$layers"
# What only a reference would be kept of is refused.
mkdir up2 && echo x >up2/f && setfattr -n user.overlay.redirect -v /elsewhere up2/f
t "a redirect is refused" expect_fail "f: the overlay kept only a reference to a lower file (redirect or metacopy), not the change" "$layers" upper store up2
mkdir up3 && echo x >up3/f && setfattr -n user.overlay.metacopy up3/f
t "a metacopy is refused" expect_fail "not the change" "$layers" upper store up3
mkdir up4 && echo x >up4/f && setfattr -n user.overlay.origin -v x up4/f && setfattr -n user.overlay.impure -v y up4
t "overlay's other attributes stay behind" sh -c 'set -- "$1" $("$1" upper store up4) && "$1" index store "$3" "$2" >index && ! grep overlay index' - "$layers"
# A tree of attribute whiteouts (where no device can be made) reads the same.
mkdir -p up5/d && : >up5/d/gone && setfattr -n user.overlay.whiteout up5/d/gone && setfattr -n user.overlay.opaque -v x up5/d
t "whiteouts that are attributes" sh -c 'set -- "$1" $("$1" upper store up5) && "$1" index store "$3" "$2" | grep -q "^whiteout .* d/gone$"' - "$layers"
