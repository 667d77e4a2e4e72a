#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Isolation chroot: a stage in a plain directory, layers found by scans. The same layers, byte for byte, as with an overlay.
# shellcheck disable=SC2016 # Dockerfiles expand their own variables
. "$(dirname "$0")/../lib.sh"
need root user busybox jq

export SOURCE_DATE_EPOCH=1700000000
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$2/index.json"; }
# diff_ids IMAGE STORE: one a line
diff_ids() {
    d_config=$(jq -r .config.digest "$2/blobs/$(manifest "$1" "$2" | tr : /)") &&
        jq -r '.rootfs.diff_ids[]' "$2/blobs/$(echo "$d_config" | tr : /)"
}
# In two stores, so that neither takes a step from the other.
mkdir ctx
busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
cp -a "$SLIPWAY_ROOT" "$T/other"
chroot_build() {
    case $BUILD in
    *-san*) slipway --progress plain build --isolation chroot "$@" ;; # leaks are not found in a container
    *) on_host docker-default slipway --progress plain build "$@" ;;  # which finds that isolation by itself
    esac
}
# equal NAME [OPTION...]: the Dockerfile on stdin gives the same layers on both rungs
equal() {
    e_name=$1
    shift
    cat >ctx/Dockerfile
    t "$e_name: builds with an overlay" slipway --root "$T/other" --progress plain build --isolation root -t e:1 "$@" ctx
    t "$e_name: builds in a plain directory" chroot_build -t e:1 "$@" ctx
    diff_ids e:1 "$T/other" >want
    diff_ids e:1 "$SLIPWAY_ROOT" >got
    t "$e_name: the same layers" diff want got
    cmp -s want got || list_both
}
list_both() {
    for l_store in "$T/other" "$SLIPWAY_ROOT"; do
        jq -r '.layers[].digest' "$l_store/blobs/$(manifest e:1 "$l_store" | tr : /)" | while read -r l_digest; do
            tar --numeric-owner --xattrs --full-time -tvvf "$l_store/blobs/$(echo "$l_digest" | tr : /)" 2>&1
        done >"list-$(basename "$l_store")"
    done
    diag "$(diff list-other "list-$(basename "$SLIPWAY_ROOT")" | head -40)"
}

equal "files made, changed, removed" <<'D'
FROM base:1
RUN mkdir /a && echo 1 >/a/f && echo 2 >/a/g && ln -s f /a/l && mkfifo /a/p && touch "/a/odd name" /a-b
RUN echo 3 >>/a/f && rm /a/g /etc/group && chmod 600 /etc/passwd
RUN true
RUN rm -r /a && echo new >/a
RUN rm /a && mkdir -p /a/b && echo 4 >/a/b/c
D
equal "modes and owners alone" <<'D'
FROM base:1
RUN chmod 4755 /bin/busybox
RUN chown app:extra /home/app && chown -h 5:6 /bin/ls && chown -R root:root /etc
RUN chmod 755 /etc /bin && chmod 1777 /tmp
D
equal "files opened for writing, and not written to" <<'D'
FROM base:1
RUN true >>/etc/passwd && : 3<>/etc/group
RUN touch /tmp/x && rm /tmp/x
RUN chmod 644 /etc/passwd && chown 0:0 /etc/passwd
RUN cp -p /etc/passwd /tmp/p && cat /tmp/p >/etc/passwd && touch -r /tmp/p /etc/passwd && rm /tmp/p
D
equal "links" <<'D'
FROM base:1
RUN echo one >/one && ln /one /two && ln /one /three && ln /etc/passwd /root/passwd
RUN echo more >>/two
RUN rm /one && ln /three /four
RUN ln /bin/busybox /tmp/b && rm /tmp/b
RUN cat /two /three /four >/all
D
equal "directories renamed, removed, made again" <<'D'
FROM base:1
RUN mkdir -p /d/e/f /g && echo 1 >/d/e/f/1 && echo 2 >/d/2 && echo 3 >/g/3
RUN mv /d/e /d/h
RUN mv /d /new
RUN rm -r /g && mkdir /g && echo 4 >/g/4
RUN rm -r /g && mkdir /g
RUN mkdir /tmp/s /tmp/u && mv /tmp/s /new/s && mv /tmp/u /new/u && rmdir /new/u && mkdir /new/u
RUN rm /etc/group && mkdir /etc/group && rm /bin/ls && mkdir /bin/ls
D
# A program with its libraries, as they lie here.
with_libraries() {
    for w_file in "$1" $(ldd "$1" | grep -o '/[^ ]*'); do
        mkdir -p "ctx/root$(dirname "$w_file")" && cp -L "$w_file" "ctx/root$w_file" || return 1
    done
}
setcap=$(command -v setcap) && with_libraries "$setcap"
equal "bits and capabilities" <<D
FROM base:1
COPY root /
RUN cp /bin/busybox /bin/raw && $setcap cap_net_raw+ep /bin/raw
RUN chown app /bin/raw; cp /bin/busybox /bin/su2 && chmod 6755 /bin/su2 && mkdir -m 2775 /shared && chown app:extra /shared
RUN ln -s / /root/self; rm -rf /root/self
D
t "... which are in a layer" sh -c 'for l in "$1"/blobs/sha256/*; do zcat "$l" 2>/dev/null; done | grep -qa SCHILY.xattr.security.capability=' - "$SLIPWAY_ROOT"
printf one >ctx/a
equal "layers in between, stages, mounts from them" <<'D'
FROM base:1 AS one
RUN mkdir -p /out/sub && echo x >/out/sub/x && ln /out/sub/x /out/y
COPY a /out/
RUN rm /out/y && echo 2 >/out/z
WORKDIR /work/dir
RUN echo >here
FROM one AS two
RUN rm -r /out/sub
FROM base:1
COPY --from=one /out /got
RUN rm /got/a
COPY a /got/b
COPY --link a /etc/
RUN --mount=from=two,target=/mnt/two,source=/out ls /mnt/two >/listed && cat /mnt/two/z >>/listed
RUN --mount=target=/ctx,rw ls /ctx >>/listed && touch /ctx/scratch
RUN --mount=type=tmpfs,target=/t touch /t/x
RUN cat /listed
D
equal "who runs, and where" --build-arg WHO=me <<'D'
FROM base:1
ARG WHO
USER app
WORKDIR /home/app/deep/er
RUN id -u >id && id -G >>id && echo "$WHO $HOME $PWD" >>id && touch x
USER 0
RUN rm x && cat >y <<E
text
E
RUN <<E
#!/bin/sh
set -e
echo script >/script
E
D

# --- mounts that are put in and taken out ---

echo "top-secret-value-of-mine" >secret
cat >ctx/Dockerfile <<'D'
FROM base:1
RUN --mount=type=cache,target=/root/c,id=c1 --mount=type=cache,target=/home/app/d,id=c2,uid=1000,mode=700 \
    echo one >>/root/c/n && wc -l </root/c/n && stat -c '%u %a' /home/app/d
RUN --mount=type=cache,target=/root/c,id=c1 echo two >>/root/c/n && wc -l </root/c/n
RUN --mount=type=cache,target=/var/c,id=c1,readonly cat /var/c/n && echo three >/var/c/n
RUN --mount=type=cache,target=/root/c,id=c1 cat /root/c/n
RUN --mount=type=secret,id=s cat /run/secrets/s | rev && stat -c '%u %a' /run/secrets/s
USER app
RUN --mount=type=secret,id=s,target=/home/app/s,uid=1000,mode=400,required wc -c </home/app/s
RUN cat /home/app/s 2>/dev/null || echo nothing
D
t "caches and secrets" chroot_build --secret id=s,src=secret -t m:1 ctx
cp "$T/err" out
t "... a cache keeps what it was given, with its owner and mode" matches out '^#[0-9]* 1000 700$'
t "... from step to step" matches out '^#[0-9]* 2$'
t "... and a read-only one is not written to" lacks out "#4 three"
t "... a secret is there for its step" matches out '^#[0-9]* enim-fo-eulav-terces-pot$'
t "... for the user that may see it" matches out '^#[0-9]* 25$'
t "... and for no other" matches out '^#[0-9]* nothing$'
t "... and nowhere in the store" not grep -rqF top-secret-value-of-mine "$SLIPWAY_ROOT"
t "mount points leave nothing" not sh -c 'for l in "$1"/blobs/sha256/*; do tar -tzf "$l" 2>/dev/null; done | grep -E "^(root/c|home/app/[ds]\$|run|var/c|proc/|sys/|dev/)"' - "$SLIPWAY_ROOT"
t "nothing is left in the store's tmp" sh -c '[ -z "$(ls -A "$1/tmp")" ]' - "$SLIPWAY_ROOT"
cat >ctx/Dockerfile <<'D'
FROM base:1
RUN --mount=type=cache,target=/a,id=c1 --mount=type=cache,target=/b,id=c1 true
D
t "a cache in two places is refused" expect_fail "a cache that stands twice in one step cannot be shown with isolation chroot" chroot_build -t m:1 ctx

# --- what a command may not ---

cat >ctx/Dockerfile <<'D'
FROM base:1
RUN test "$(nproc)" -gt 0 && test "$(grep -c ^processor /proc/cpuinfo)" -gt 0 && test ! -e /proc/self; kill -9 $PPID; kill -9 1; echo still here
RUN --network=none wget -q http://127.0.0.1:1/ 2>&1 | grep -q 'not supported' && nc -l -p 1 -w 1 2>&1 | grep -q 'not supported' && echo no network
RUN ls /dev | tr '\n' ' ' && echo x >/dev/null && head -c 3 /dev/zero | wc -c && test "$(stat -c %a /dev/shm)" = 1777
RUN (setsid sh -c 'sleep 4321 & sleep 4321' &) ; sleep 4321 & sleep 0.1
D
sed -i "s/sleep 4321/&$$/g; s/sleep 5432/&$$/g" ctx/Dockerfile # not those of another run of this test
t "a command in its cage" chroot_build --no-cache -t m:1 ctx
cp "$T/err" out
t "... kills nobody outside" has out "still here"
t "... network none" has out "no network"
t "... has the devices it needs" has out "fd full null pts random shm stderr stdin stdout tty urandom zero"
t "... leaves no process" not pgrep -f 'sleep 4321'$$
printf 'FROM base:1\nRUN cat /proc/self/status\n' >ctx/Dockerfile
t "a failed step is told what is missing" expect_fail "isolation chroot has no /proc/self and no /dev/fd" chroot_build ctx
printf 'FROM base:1\nUSER app\nRUN --security=insecure false\n' >ctx/Dockerfile
printf 'FROM base:1\nRUN mknod /hidden c 0 0\n' >ctx/Dockerfile
t "a device that means a whiteout is refused" expect_fail "/hidden is a device 0:0" chroot_build ctx

# --- the end by force ---

# Is there a keeper of the program that is tested?
keepers() {
    for k in $(pgrep -x slipway-keeper); do
        case $(readlink "/proc/$k/exe") in "$(readlink -f "$SLIPWAY")"*) return 0 ;; esac
    done
    return 1
}
# killed SIGNAL: slipway gets it in the middle of a step with a secret and a cache
killed() {
    env --default-signal=INT slipway build --isolation chroot --no-cache --secret id=s,src=secret -t k:1 ctx >/dev/null 2>&1 &
    k_pid=$!
    if ! wait_for 10 pgrep -f 'sleep 5432'$$ || ! grep -rqF top-secret-value-of-mine "$SLIPWAY_ROOT/tmp"; then
        echo "the secret was never there" >&2
        kill -9 "$k_pid"
        return 1
    fi
    kill "-$1" "$k_pid"
    wait "$k_pid"
    wait_for 5 not pgrep -f 'sleep 5432'$$ && wait_for 5 not keepers
}
cat >ctx/Dockerfile <<'D'
FROM base:1
RUN --mount=type=cache,target=/root/c,id=c1 --mount=type=secret,id=s trap '' TERM INT; echo kept >>/root/c/n; (trap '' TERM; setsid sleep 5432 &) ; sleep 5432
D
sed -i "s/sleep 4321/&$$/g; s/sleep 5432/&$$/g" ctx/Dockerfile # not those of another run of this test
for signal in KILL INT TERM; do
    t "SIG$signal ends all that runs" killed $signal
    t "... and no secret stays" not grep -rqF top-secret-value-of-mine "$SLIPWAY_ROOT"
done
printf 'FROM base:1\nRUN --mount=type=cache,target=/root/c,id=c1 cat /root/c/n\n' >ctx/Dockerfile
t "the next build needs no repair" chroot_build --no-cache -t k:1 ctx
t "... and has the cache" matches "$T/err" '^#[0-9]* kept$'
t "... and the store is clean" sh -c '[ -z "$(ls -A "$1/tmp")" ]' - "$SLIPWAY_ROOT"

# --- containers ---

t "run" expect_status 7 "" slipway run --isolation chroot --network none base:1 sh -c 'test "$(id -u)" = 0 && touch /x && exit 7'
t "run: a private network is refused by name" expect_status 125 "isolation chroot has no private network: take --network host or none" slipway run --isolation chroot base:1 true
t "run: volumes, too" expect_status 125 "nothing of the host can be mounted on /x with isolation chroot" slipway run --isolation chroot --network none -v /tmp:/x base:1 true
t "run: a root that is read-only, too" expect_status 125 "isolation chroot cannot make the root read-only" slipway run --isolation chroot --network none --read-only base:1 true

# --- isolation none: everything but RUN, for a user who may do nothing ---

mkdir -p plain/archive/d && echo 1 >plain/archive/d/f && tar --owner=77 --group=88 --mtime=@1600000000 -cf plain/t.tar -C plain/archive . && rm -r plain/archive
echo a >plain/a
cat >plain/Dockerfile <<'D'
FROM base:1 AS one
COPY --chown=app:extra --chmod=640 a /x/
ADD t.tar /tar
WORKDIR /home/app/w
USER app
WORKDIR z
FROM base:1
COPY --from=one /x /tar /y/
COPY --from=one /home/app /h
COPY --link a /l
D
home=$(on_host_home user-no-userns)
cp -r plain "$T/busybox.tar" "$home"
chmod -R a+rX "$home/plain" "$home/busybox.tar"
cd "$home" || exit 1
t "none: an image" on_host user-no-userns slipway import --change 'CMD ["/bin/sh"]' busybox.tar base:1
t "none: everything but RUN" on_host user-no-userns env SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH slipway build -t p:1 plain
t "... as root has it" slipway --root "$T/other" build --isolation root -t p:1 plain
diff_ids p:1 "$T/other" >"$T/work/want"
diff_ids p:1 "$home/store" >"$T/work/got"
t "... the same layers" diff "$T/work/want" "$T/work/got"
printf 'FROM base:1\nCOPY --chown=app:extra --chmod=640 a /x/\nRUN stat -c "%%u %%g %%a" /x/a\n' >plain/D2
t "none: a RUN says why" expect_fail "no command can be run here: " on_host user-no-userns env SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH slipway build -f plain/D2 plain
t "... and runs where it can, with the owners that none could not keep" as_user env SLIPWAY_ROOT="$home/store" SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH slipway --progress plain build -f plain/D2 plain
t "... which are right" matches "$T/err" '^#[0-9]* 1000 2000 640$'

# --- isolation in-place: the container's own root ---

cd "$T/work" || exit 1
busybox_rootfs box && mkdir -p box/proc box/dev box/store box/usr/bin && mknod -m 666 box/dev/null c 1 3
for file in "$SLIPWAY" $(ldd "$SLIPWAY" | grep -o '/[^ ]*'); do
    mkdir -p "box$(dirname "$file")" && cp -L "$file" "box$file"
done
echo "what was here before" >box/etc/group
echo mine >box/usr/bin/kept
cat >in-place.Dockerfile <<'D'
FROM base:1
RUN cat /etc/group >/seen && mkdir -p /a/b && echo 1 >/a/b/c && chown 5:6 /a/b/c
COPY Dockerfile /a/d
RUN rm /etc/passwd && rm -r /a/b && mkdir /a/b && chmod 4755 /bin/busybox && ln /seen /seen2
RUN --mount=type=secret,id=s --mount=type=tmpfs,target=/t cat /run/secrets/s | wc -c >/size && touch /t/x
RUN --network=none true
D
mkdir -p box/ctx one-ctx
cp in-place.Dockerfile one-ctx/Dockerfile
cp -r one-ctx/. box/ctx/
cp "$T/busybox.tar" secret box/
in_box() {
    unshare --mount ${alone---pid} --fork chroot box /bin/sh -c 'mount -t proc proc /proc && exec "$@"' - env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SLIPWAY_ROOT=/store SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH "$@"
}
cp -a box low # as a container has it: an overlay
t "in-place: an image" in_box "$SLIPWAY" import --change 'CMD ["/bin/sh"]' /busybox.tar base:1
t "in-place: only in a container to be thrown away" expect_fail "this does not look like a container to be thrown away" in_box "$SLIPWAY" build --isolation in-place /ctx
: >box/.dockerenv
alone=''
t "in-place: never on a machine, whatever marks it has" expect_fail "this is a machine: its own process namespace is ours" in_box "$SLIPWAY" build --isolation in-place /ctx
unset alone
t "in-place: only where nothing else runs" expect_fail "others use it: process " in_box /bin/sh -c 'setsid sleep 30 >/dev/null 2>&1 </dev/null & sleep 0.3; exec "$@"' - "$SLIPWAY" build --isolation in-place /ctx
t "in-place: builds" in_box "$SLIPWAY" --progress plain build --isolation in-place --secret id=s,src=/secret -t i:1 /ctx
t "... with a warning" has "$T/err" "the image is unpacked over this container's root"
t "... as root does it elsewhere" slipway --root "$T/other" build --isolation root --secret id=s,src=secret -t i:1 one-ctx
diff_ids i:1 "$T/other" >want
diff_ids i:1 box/store >got
t "... the same layers" diff want got
t "... on the root itself" test -e box/seen2
t "... which keeps what is not the image's" grep -q mine box/usr/bin/kept
t "... and no secret stays" not grep -rqF top-secret-value-of-mine box --exclude=secret --exclude-dir=proc
# Stages follow each other in the one root: the second waits for the first half way, the last two have another base.
cat >one-ctx/Dockerfile <<'D'
FROM base:1 AS two
RUN mkdir /two && ls -d /one /from-two /home/app/x >/two/f 2>&1; cat /etc/passwd /etc/group >>/two/f; ls -l /bin/ls | wc -l >>/two/f
FROM base:1 AS one
RUN mkdir -p /one/deep && echo 1 >/one/deep/f && ln /one/deep/f /one/g && rm /etc/passwd && echo one >/etc/group && echo /x >/home/app/x
COPY --from=two /two /from-two
RUN cat /from-two/f >/one/h && chmod 700 /from-two && rm /bin/ls
FROM scratch AS small
COPY --from=base:1 /bin /bin
RUN ls -d /one /two /from-two /home/app/x >/seen 2>&1; mkdir /one && touch /one/mine
FROM base:1
RUN mkdir /one /end && ls /two /from-two >/end/f 2>&1; echo 5 >/one/f; rm /etc/group
COPY --from=one /one /got
COPY --from=small /seen /one /small/
RUN --mount=from=one,target=/mnt/one,source=/from-two cat /got/h && cat /one/f && ls -d /two /from-two /etc/group >/end/g 2>&1; rm -r /got/deep
D
cp one-ctx/Dockerfile box/ctx/
echo mine >box/kept
t "in-place: stages with RUN follow each other" in_box "$SLIPWAY" --progress plain build --no-cache --isolation in-place --jobs 4 -t i:2 /ctx
t "... as root makes them" slipway --root "$T/other" build --no-cache --isolation root -t i:2 one-ctx
diff_ids i:2 "$T/other" >want
diff_ids i:2 box/store >got
is "$(wc -l <want)" 5 "... with its layers"
t "... the same layers" diff want got
t "... the last one stays on the root" test -e box/end/g
is "$(ls -d box/two box/from-two box/seen 2>/dev/null)" "" "... the others do not"
is "$(cat box/kept box/usr/bin/kept; ls box/ctx)" "mine
mine
Dockerfile" "... and what is not theirs does"
echo new >box/small/new
t "in-place: another build finds nothing of the last one" in_box "$SLIPWAY" build --no-cache --isolation in-place -t i:2 /ctx
diff_ids i:2 box/store >got
t "... the same layers" diff want got
is "$(cat box/small/new)" new "... but what was put there in between"
cp one-ctx/Dockerfile low/ctx/
: >low/.dockerenv
ln low/usr/bin/kept low/usr/bin/kept2
mkdir up wk over
cat >over.sh <<'S'
mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=wk over && mount -t proc proc over/proc || exit 1
in_over() { chroot over env -i PATH=/usr/bin:/bin HOME=/root SLIPWAY_ROOT=/store SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"; }
in_over "$1" import --change 'CMD ["/bin/sh"]' /busybox.tar base:1 && in_over "$1" build --isolation in-place -t i:2 /ctx &&
    cat over/usr/bin/kept over/usr/bin/kept2
S
t "in-place: a root on an overlay" unshare --mount --pid --fork sh over.sh "$SLIPWAY"
is "$(grep -c mine "$T/out")" 2 "... which keeps what is not theirs"
diff_ids i:2 up/store >got
t "... the same layers" diff want got
printf 'FROM base:1 AS one\nRUN echo >/one && false\nFROM base:1\nRUN echo >/two\nCOPY --from=one /one /\n' >box/ctx/Dockerfile
t "in-place: a stage that fails ends the build" expect_fail "the command failed with exit status 1" in_box "$SLIPWAY" build --isolation in-place /ctx
cp "$SOURCE_DIR/testdata/certs/one" box/ca.pem
printf 'FROM base:1\nRUN mkdir -p /etc/ssl/certs && echo own >/etc/ssl/certs/ca-certificates.crt\nRUN grep -c BEGIN /etc/ssl/certs/ca-certificates.crt $SSL_CERT_FILE; false\n' >box/ctx/Dockerfile
t "in-place: a step with --ca-bundle that fails" expect_fail "the command failed with exit status 1" in_box "$SLIPWAY" --progress plain build --isolation in-place --ca-bundle /ca.pem /ctx
t "... had it, in both files" matches "$T/err" '/etc/ssl/certs/ca-certificates.crt:1'
t "... indeed" matches "$T/err" '/dev/ca-certificates/bundle.pem:1'
is "$(cat box/etc/ssl/certs/ca-certificates.crt; ls -d box/dev/ca-certificates 2>&1)" "own
ls: cannot access 'box/dev/ca-certificates': No such file or directory" "... and the root has it no more"
t "in-place: containers are not run" expect_status 2 "a container is not run with isolation in-place" in_box "$SLIPWAY" run --isolation in-place base:1 true
printf 'FROM base:1\nRUN echo >/half; sleep 5; false\n' >box/ctx/Dockerfile
in_box sh -c '"$1" build --isolation in-place /ctx & sleep 0.1; while [ ! -e /half ] && kill -0 $!; do sleep 0.1; done; kill -9 $!; wait' - "$SLIPWAY" >/dev/null 2>&1
t "in-place: after a build that was killed the root is not taken" expect_fail "a build that was killed left this container's root half made" in_box "$SLIPWAY" build --isolation in-place /ctx

# --- a store in which no overlay can be written to: on another one ---

cat >ctx/Dockerfile <<'D'
FROM base:1 AS one
RUN mkdir /a && echo 1 >/a/f && ln /a/f /a/g && chown 5:6 /a/f && chmod 4755 /bin/busybox && rm /etc/group
COPY a /a/
RUN --mount=type=cache,target=/root/c --mount=type=tmpfs,target=/t echo x >>/root/c/n && rm -r /a && mkdir /a && echo 2 >/a/h && true >>/etc/passwd
FROM base:1
COPY --from=one /a /b
RUN --mount=from=one,target=/one,rw --mount=target=/ctx cp -r /one/a /c && touch /one/new && ls /ctx >/listed && test -e /proc/self/status
D
mkdir l u w m
cat >nested.sh <<'S'
set -e
mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m
export SLIPWAY_ROOT=$PWD/m/store
slipway import --change 'CMD ["/bin/sh"]' "$1/busybox.tar" base:1
slipway --progress plain build --isolation root -t e:1 ctx
slipway run --network none e:1 sh -c 'touch /x && cat /b/h'
S
t "an overlay under the store: builds with isolation root" unshare -m sh nested.sh "$T"
t "... and runs" has "$T/out" 2
t "... which says why it looks at every file" matches "$T/err" "no overlay can be written to in the store .*/m/store"
t "... as elsewhere" slipway --root "$T/other" build --isolation root -t e:1 ctx
diff_ids e:1 "$T/other" >want
diff_ids e:1 u/store >got
t "... the same layers" diff want got
mkdir m2
t "... and with isolation userns" on_host "kubernetes+overlay=$PWD/m2" env ASAN_OPTIONS=detect_leaks=0 SLIPWAY_ROOT="$PWD/m2/store" \
    sh -c 'slipway import --change "CMD [\"/bin/sh\"]" "$1" base:1 && slipway -v --progress plain build -t e:1 ctx' - "$T/busybox.tar"
diff_ids e:1 m2.upper/store >got
t "... the same layers" diff want got
t "... with namespaces" lacks "$T/err" "isolation chroot"
