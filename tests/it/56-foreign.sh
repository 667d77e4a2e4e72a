#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Other architectures: programs of them run in RUN and run with nothing registered on the host, as root and as an ordinary user.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay user subids network mmdebstrap dpkg jq python3 skopeo readelf strace
chmod 755 "$T"

native=$(uname -m)
[ "$native" = x86_64 ] || { echo "1..0 # SKIP written for an x86-64 machine, this is $native"; tap_plan=0; exit 0; }
foreign=$("$SOURCE_DIR/tests/setup/foreign" 2>foreign.log) || { not_ok "emulators out of Debian's package"; diag "$(cat foreign.log)"; exit 1; }
guest=$BUILD/helpers/guest
cp -R "$foreign/bin" "$T/emulators"
chmod -R a+rX "$T/emulators"
registered() { find /proc/sys/fs/binfmt_misc -mindepth 1 2>/dev/null | sort; }
registered >registered.before

mkdir -p ctx/root/bin ctx/root/etc ctx/root/sub/bin
cp "$foreign/busybox-arm64" ctx/root/bin/busybox
cp "$foreign/busybox-arm64" ctx/root/sub/bin/busybox
for applet in sh uname cat id cp chmod chroot kill echo true sleep; do ln -s busybox ctx/root/bin/$applet; done
printf 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' >ctx/root/etc/passwd
for arch in amd64 386 arm64 arm riscv64 ppc64le s390x; do "$guest" $arch >ctx/guest-$arch; done
"$guest" arm64 euid >ctx/euid
chmod 755 ctx/guest-* ctx/euid

cat >ctx/Dockerfile <<'D'
FROM scratch AS base
COPY root /
COPY euid /
CMD ["/bin/sh"]
FROM base AS steps
RUN uname -m >/machine
RUN chmod 4755 /euid && /bin/chroot /sub /bin/busybox uname -m >/inner
USER app
RUN ["/euid"]
USER root
RUN /bin/cat /proc/self/cmdline >/cmdline
D

# $1: who; the rest: before the command
one() {
    who=$1
    shift
    t "$who: steps of another architecture" "$@" slipway build --platform linux/arm64 --target steps --output type=image,name=foreign:1 --output type=local,dest="$OUT" "$T/work/ctx"
    is "$(cat "$OUT/machine" "$OUT/inner")" "aarch64
aarch64" "$who: ... also in a root of the step's own"
    is "$(tr '\0' ' ' <"$OUT/cmdline")" "/bin/cat /proc/self/cmdline " "$who: ... with their own arguments"
    t "$who: the image says so" "$@" slipway inspect foreign:1
    t "$who: ..." has "$T/out" '"architecture": "arm64"'
    t "$who: run" expect_status 7 '' "$@" slipway run --network none --platform linux/arm64 foreign:1 sh -c 'uname -m; exit 7'
    is "$(cat "$T/out")" aarch64 "$who: ... it is one"
    t "$who: a step that crashes is told of its emulator" expect_fail 'under the emulator' "$@" slipway build --platform linux/arm64 --target crash -f "$T/work/crash" "$T/work/ctx"
    t "$who: an emulator by name" "$@" env PATH=/usr/bin:/bin "$BIN" run --network none --emulator arm64="$T/emulators/qemu-aarch64-static" --platform linux/arm64 foreign:1 true
}
printf 'FROM foreign:1 AS crash\nRUN kill -SEGV $$\n' >crash
chmod -R a+rX "$T/work"

OUT=$T/root-out BIN=$SLIPWAY
PATH=$T/emulators:$PATH
export PATH
one root
mkdir -p "$USER_HOME/out" "$USER_HOME/bin" "$USER_HOME/only"
cp "$T"/emulators/* "$USER_HOME/bin/"
cp "$SLIPWAY" "$USER_HOME/only/slipway"
if can root; then
    chown "$test_user" "$USER_HOME/out" "$USER_HOME/only"
else
    ln -s "$T"/emulators/* "$T/bin/" # what as_user has in its PATH
fi
OUT=$USER_HOME/out/x BIN=$USER_HOME/only/slipway
one "an ordinary user" as_user

printf 'FROM scratch\nCOPY euid /\nCOPY root /\nRUN chown 7:8 /machine /etc/passwd 2>/dev/null; chmod 4755 /euid; id -u >/made\n' >single
t "isolation single, too" as_user slipway --root "$USER_HOME/single-store" build --isolation single --platform linux/arm64 --output type=tar,dest="$USER_HOME/out/single.tar" -f "$T/work/single" "$T/work/ctx"
is "$(tar -tvf "$USER_HOME/out/single.tar" etc/passwd | awk '{print $2}')" 7/8 "... with its owners"

# Seven at once, into one index.
printf 'FROM scratch\nARG TARGETARCH\nCOPY guest-$TARGETARCH /probe\nRUN ["/probe"]\n' >all
t "all architectures in one build" slipway build --platform linux/amd64,linux/386,linux/arm64,linux/arm/v7,linux/arm/v6,linux/riscv64,linux/ppc64le,linux/s390x --output type=oci,dest=all.tar -f all ctx
mkdir all.d && tar -xf all.tar -C all.d
skopeo inspect --raw oci:all.d >index.json 2>skopeo.err
t "... one index" json index.json '[.manifests[].platform | .os + "/" + .architecture + (if .variant then "/" + .variant else "" end)] | sort == ["linux/386","linux/amd64","linux/arm/v6","linux/arm/v7","linux/arm64","linux/ppc64le","linux/riscv64","linux/s390x"]'
for pair in 'arm64 AArch64' 'ppc64le PowerPC64' 's390x IBM' 'arm ARM'; do
    arch=${pair%% *}
    rm -rf one.d
    skopeo --override-arch "$arch" copy -q oci:all.d dir:one.d 2>skopeo.err
    layer=$(jq -r '.layers[0].digest | sub("sha256:"; "")' one.d/manifest.json)
    tar -xOf "one.d/$layer" probe >probe
    t "... $arch has its own file" sh -c "readelf -h probe | grep -q 'Machine:.*${pair#* }'"
done

# What the build platform does is done once.
cat >once <<'D'
FROM --platform=$BUILDPLATFORM foreign:native AS build
ARG BUILDPLATFORM
RUN echo "for $BUILDPLATFORM on $(uname -m)" >/made
FROM scratch
COPY --from=build /made /made
D
busybox_image foreign:native
t "a stage of the build platform" slipway --progress plain build --platform linux/amd64,linux/arm64,linux/riscv64 --output type=local,dest=once.d -f once ctx
cp "$T/err" once.err
is "$(grep -c CACHED once.err)" 2 "... is made once, and taken twice"
is "$(cat once.d/linux_riscv64/made)" "for linux/amd64 on x86_64" "... natively"

# From an image, which is not run.
tar -C "$T/emulators" --transform 's,^\./,usr/bin/,' -cf emulators.tar .
t "emulators in an image" slipway import emulators.tar emulators:1
t "... are used" env PATH=/usr/bin:/bin "$SLIPWAY" run --network none --emulator arm64=image:emulators:1 --platform linux/arm64 foreign:1 uname -m
is "$(cat "$T/out")" aarch64 "... and work"
t "an image without" expect_status 125 'image foreign:native: it has no qemu-aarch64-static or qemu-aarch64 in /usr/bin' slipway run --emulator arm64=image:foreign:native foreign:native true
t "what is no emulator" expect_status 2 'dynamically linked' slipway run --emulator arm64=/bin/ls foreign:native true
t "... nor a program of this machine" expect_status 2 'it is a program for arm64, and this is amd64' slipway run --emulator arm64="$foreign/busybox-arm64" foreign:native true
t "... nor a program" expect_status 2 'not a program' slipway run --emulator arm64=/etc/passwd foreign:native true
t "... nor for anything" expect_status 2 'no emulator for "mips" can be used; there are amd64' slipway run --emulator mips=/bin/ls foreign:native true
t "... nor for what needs none" expect_status 2 "programs for amd64 are this machine's own" slipway run --emulator amd64="$T/emulators/qemu-i386-static" foreign:native true
t "an emulator for another one" expect_status 125 'cannot run the smallest program' slipway run --emulator arm64="$T/emulators/qemu-riscv64-static" --platform linux/arm64 foreign:1 true

# Programs of another architecture in the image.
cp ctx/guest-amd64 ctx/guest-arm64 ctx/guest-386 ctx/guest-s390x .
cat >mixed <<'D'
FROM foreign:1 AS tools
COPY guest-amd64 /tool
RUN sleep 1; cat /bin/busybox >/made
FROM foreign:1
COPY --from=tools /made /made
COPY guest-arm64 /right
COPY guest-amd64 guest-s390x /opt/
RUN cp /opt/guest-amd64 /usr-copy; cp /made /also
D
wrong='mixed:7: the image is for linux/arm64, but programs and libraries of this step are not: 1 for amd64 (/opt/guest-amd64), 1 for s390x (/opt/guest-s390x)'
mixed() { slipway --progress plain build "$@" -t mixed:1 -f mixed ctx; }
t "a build that copies programs of others" mixed --platform linux/arm64
cp "$T/err" mixed.err
t "... is warned, by line and file" has mixed.err "warning: $wrong"
t "... also of what RUN makes" has mixed.err 'warning: mixed:8: the image is for linux/arm64, but programs and libraries of this step are not: 1 for amd64 (/usr-copy)'
is "$(grep -c warning: mixed.err)" 2 "... not of tools, nor of what fits"
t "... and told what ran under an emulator" matches mixed.err '^2 steps ran [0-9.]+ s under an emulator:$'
t "... by step" matches mixed.err '^ +[0-9.]+ s  mixed:3: RUN sleep 1; cat /bin/busybox >/made \(linux/arm64\)$'
t "... and which stage could be native" matches mixed.err '^stage tools \(line 1\) ran [0-9.]+ s under an emulator, and only files are taken from it: FROM --platform=.BUILDPLATFORM'
t "remembered steps" mixed --platform linux/arm64
t "... warn too" has "$T/err" "warning: $wrong"
t "... and ran under nothing" lacks "$T/err" 'under an emulator'
slipway rm mixed:1 >/dev/null
t "--strict-platform" expect_fail "$wrong (--strict-platform)" mixed --strict-platform --platform linux/arm64
t "... tags nothing" not slipway inspect mixed:1
printf 'FROM scratch\nCOPY guest-386 guest-amd64 guest-arm64 /lib/\n' >fits
t "several architectures in a native build are no matter" slipway build -f fits ctx
t "... of words" lacks "$T/err" warning:
printf 'FROM scratch\nCOPY guest-arm64 /app\n' >alien
t "a native build of nothing that fits" slipway build -f alien ctx
t "... is" has "$T/err" 'warning: alien:2: the image is for linux/amd64, but programs and libraries of this step are not: 1 for arm64 (/app)'

# Where there is none.
hidden() { unshare --mount sh -c 'for f in /usr/bin/qemu-* /usr/local/bin/qemu-*; do [ ! -e "$f" ] || mount --bind /dev/null "$f"; done; PATH=/usr/bin:/bin exec "$@"' sh "$@"; }
if can root && ! ctx/guest-s390x 2>/dev/null; then
    t "no emulator: the line, the remedy" expect_fail 'Dockerfile:6: programs for arm64 do not run on this machine (amd64)' hidden "$SLIPWAY" build --no-cache --platform linux/arm64 ctx
    t "... " has "$T/err" 'apt-get install qemu-user-static) or name one: --emulator arm64=PATH'
    t "... nothing but RUN needs one" hidden "$SLIPWAY" build --no-cache --platform linux/arm64 --target base ctx
    t "isolation chroot has no registrations of its own" expect_fail 'programs for arm64 do not run on this machine' slipway build --isolation chroot --no-cache --platform linux/arm64 ctx
fi

# What a host has registered, in a namespace that plays the host: without emulators to be found it is used, and stays what it is.
printf 'FROM scratch\nARG TARGETARCH\nCOPY guest-$TARGETARCH /probe\nRUN ["/probe"]\n' >all
cat >"$USER_HOME/host" <<'H'
mkdir -p "$HOME/binfmt" && mount -t binfmt_misc binfmt_misc "$HOME/binfmt" && printf %s "$1" >"$HOME/binfmt/register" || exit 9
shift
"$@" || exit
cd "$HOME/binfmt" && echo *
H
line=$("$guest" riscv64 register "$USER_HOME/bin/qemu-riscv64-static")
host() { as_user env PATH="$HIDDEN" unshare --user --map-root-user --map-auto --mount sh "$USER_HOME/host" "$line" "$BIN" --root "$USER_HOME/host-store" "$@"; }
HIDDEN=$USER_HOME/only:/usr/bin:/bin BIN=$USER_HOME/only/slipway
if ls /usr/bin/qemu-*64* /usr/local/bin/qemu-*64* >/dev/null 2>&1; then
    diag "this machine has emulators of its own: no host without any can be played"
else
    t "what the host has registered" host build --platform linux/riscv64 -f "$T/work/all" "$T/work/ctx"
    is "$(tail -n 1 "$T/out")" "qemu-riscv64 register status" "... is used, and left alone"
    t "... and not beside others" expect_fail 'what the host may have registered does not count' host build --no-cache --jobs 1 --emulator arm64="$USER_HOME/bin/qemu-aarch64-static" --platform linux/arm64,linux/riscv64 -f "$T/work/all" "$T/work/ctx"
    t "one that would be lost by another's" expect_fail 'which would be lost: give that emulator too (--emulator riscv64=PATH)' host build --no-cache --jobs 1 --emulator arm64="$USER_HOME/bin/qemu-aarch64-static" --platform linux/riscv64,linux/arm64 -f "$T/work/all" "$T/work/ctx"
fi

# Who needs none pays nothing, and the host is as it was.
printf 'FROM foreign:native\nRUN true\n' >plain
if can root; then # newuidmap gains nothing under strace
    t "a native build" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=fsopen -o calls "$SLIPWAY" build -f plain ctx
    t "... has no binfmt_misc" lacks calls binfmt_misc
fi
registered >registered.after
t "the host's registrations are as they were" same registered.before registered.after
t "doctor names them" slipway doctor
t "..." matches "$T/out" '^yes  riscv64 '
t "... by what" has "$T/out" "by $T/emulators/qemu-riscv64-static"
