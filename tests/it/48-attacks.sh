#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Hostile Dockerfiles, images and steps, on every rung: nothing outside of the root is read, written or signalled.
# Each of these was seen to come through when what holds it off was taken out.
# shellcheck disable=SC2086 # $run and $home are words
. "$(dirname "$0")/../lib.sh"
need root user subids userns busybox python3 jq

outside=$T/outside marker=$T/outside/marker
mkdir "$outside" && echo "only the host knows" >"$marker" && printf 'evil:x:7:7:::\n' >"$outside/passwd"
chmod 777 "$outside" && chmod 666 "$outside"/*
ls -lnAR --time-style=full-iso "$outside" >"$T/before"
disk=$(python3 -c 'import os; d = os.stat("/").st_dev; print(os.major(d), os.minor(d))')

# Images: a plain one; one whose every directory of note is a link to the outside.
busybox_rootfs root && cp "$BUILD/helpers/attack" root/attack
tarball() { tar -C "$1" --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -cf "$2" .; }
ln -s "$outside" root/abs && ln -s "../../../../../../../../..$outside" root/rel && ln -s "$marker" root/file
tarball root plain.tar
evil() { # NAME LINK TARGET…: an image where these are links
    rm -rf evil
    cp -a root evil
    e_name=$1
    shift
    while [ $# -gt 1 ]; do
        rm -rf "evil/$1"
        ln -s "$2" "evil/$1"
        shift 2
    done
    tarball evil "$e_name.tar"
}
evil links etc/resolv.conf "$marker" etc/hosts "$marker" etc/hostname "$marker" etc/passwd "$outside/passwd" etc/group "$outside/passwd"
evil dev dev "$outside"
evil etc etc "$outside"
evil tmp tmp "$outside" var "$outside" root "$outside"
mkdir deep && cd deep && python3 -c '
import io, tarfile
with tarfile.open("../through.tar", "w") as t:
    def put(name, kind=tarfile.REGTYPE, link=""):
        i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.mode = 0o755
        i.size = 1 if kind == tarfile.REGTYPE else 0
        t.addfile(i, io.BytesIO(b"x"))
    put("abs/through"); put("own", tarfile.SYMTYPE, "'"$outside"'"); put("own/through"); put("rel/through")
with tarfile.open("../up.tar", "w") as t:
    i = tarfile.TarInfo("../../../../../../../../..'"$outside"'/up"); i.size = 1; t.addfile(i, io.BytesIO(b"x"))
with tarfile.open("../hard.tar", "w") as t:
    i = tarfile.TarInfo("hard"); i.type = tarfile.LNKTYPE; i.linkname = "file"; t.addfile(i)
    i = tarfile.TarInfo("hard"); i.size = 1; t.addfile(i, io.BytesIO(b"x"))
'
cd .. || exit 1
# Images that grow: a path 100,000 deep, ten gibibytes of nothing.
python3 -c '
import tarfile
with tarfile.open("steep.tar", "w", format=tarfile.PAX_FORMAT) as t:
    i = tarfile.TarInfo("/".join(["d"] * 100000)); i.type = tarfile.DIRTYPE; t.addfile(i)'
truncate -s 10G root/sparse && tar -C root --sparse -cf sparse.tar . && rm root/sparse
mkdir ctx && echo f >ctx/f && mkdir ctx/dir && echo g >ctx/dir/g && ln -s "$outside" ctx/out && ln -s "$marker" ctx/file
mv through.tar up.tar hard.tar ctx
chmod -R a+rX . "$T"

# rung NAME RUN HOME: how slipway is started there, and a place both sides can write
rung() {
    rung=$1 run=$2 home=$3
    mkdir -p "$home/a"
    cp -r ctx ./*.tar "$home/a/"
    [ "$home" = "$T/chroot" ] || [ "$home" = "$T/root" ] || chown -R --reference "$home" "$home/a"
    for r_image in plain links dev etc tmp; do
        $run slipway import "$home/a/$r_image.tar" "$r_image:1" >"$T/log" 2>&1 || { not_ok "$rung: import $r_image"; cat "$T/log"; }
    done
}
build() { # the Dockerfile is on stdin
    $run env BUILDER_SECRET=hunter2-of-the-builder timeout 60 slipway --progress plain build --no-cache -f - "$@" "$home/a/ctx"
}
inside() { # ATTACK [ARGUMENT…]: a step that tries it
    i_words=$(for i_word in "$@"; do printf ', "%s"' "$i_word"; done)
    printf 'FROM plain:1\nRUN ["/attack"%s]\n' "$i_words" >Dockerfile
    build <Dockerfile
}
untouched() {
    ls -lnAR --time-style=full-iso "$outside" >"$T/after"
    cmp -s "$T/before" "$T/after" && return 0
    diff "$T/before" "$T/after" >&2
    rm -rf "${outside:?}"/*
    echo "only the host knows" >"$marker" && printf 'evil:x:7:7:::\n' >"$outside/passwd" && chmod 666 "$outside"/*
    ls -lnAR --time-style=full-iso "$outside" >"$T/before"
    return 1
}
# wrote NAME: the Dockerfile on stdin may build or not, but not hang, and the outside stays as it is
wrote() {
    w_name=$1
    shift
    build --build-arg "OUT=$outside" -o "type=local,dest=$home/got" "$@" >"$T/log" 2>&1
    w_status=$?
    if [ $w_status -gt 1 ] || grep -rqs 'only the host knows' "$home/got"; then
        not_ok "$rung: $w_name: status $w_status"
        diag "$(tail -n 20 "$T/log")"
    fi
    t "$rung: $w_name" untouched
    rm -rf "$home/got"
}

steps() {
    # shellcheck disable=SC3045 # dash has it
    ulimit -c unlimited
    for s_attack in descriptors signals trace sysctls calls core; do
        t "$rung: a step's $s_attack" inside $s_attack
    done
    t "$rung: a step's /proc" inside proc hunter2-of-the-builder "$marker"
    t "$rung: a step breaks out of its root" inside breakout "$marker"
    # A container that may make devices can open what its own cgroup lets it: no matter of ours.
    [ "$rung" = chroot ] || t "$rung: a step reads the disk" inside disk $disk
    t "$rung: a step hurts another" build --jobs 4 <<'D'
FROM plain:1 AS victim
RUN sleep 1 && echo alive >/alive
FROM plain:1 AS one
RUN ["/attack", "signals"]
FROM plain:1 AS two
RUN ["/attack", "trace"]
FROM plain:1
COPY --from=victim /alive /
COPY --from=one /attack /one
COPY --from=two /attack /two
D
    t "$rung: descriptors where there are mounts" build --secret "id=s,src=$home/a/ctx/f" <<'D'
FROM plain:1
RUN --mount=type=secret,id=s,target=/s --mount=type=cache,target=/c --mount=target=/ctx ["/attack", "descriptors"]
D
    t "$rung: what was in reach is untouched" untouched
}

links() {
    wrote "COPY and ADD through links" <<'D'
FROM plain:1
ARG OUT
COPY f /abs/x
COPY f /rel/x
COPY f /file
COPY dir/ /abs/
COPY --chown=5 dir /rel/sub
COPY --link f /abs/link
COPY f /proc/self/root$OUT/proc
COPY f /proc/1/root$OUT/proc1
COPY f ../../../../../../../..$OUT/up
COPY <<E /abs/here
x
E
D
    wrote "ADD of an archive through links" <<'D'
FROM plain:1
ADD through.tar /
D
    wrote "ADD of an archive below a link" <<'D'
FROM plain:1
ADD through.tar /abs/
D
    wrote "ADD of an archive with names that go up" <<'D'
FROM plain:1
ADD up.tar /tmp/
D
    wrote "ADD of an archive with a hard link to a link" <<'D'
FROM plain:1
ADD hard.tar /
D
    wrote "WORKDIR through links" <<'D'
FROM plain:1
WORKDIR /abs/w
RUN touch here; true
WORKDIR /rel/w
COPY f ./
D
    wrote "VOLUME through links" <<'D'
FROM plain:1
VOLUME /abs/v /rel/v
RUN touch /abs/v/x /rel/v/x; true
D
    wrote "mounts on links" --secret "id=s,src=$home/a/ctx/f" <<'D'
FROM plain:1
RUN --mount=type=bind,source=f,target=/abs/m true
RUN --mount=type=cache,target=/rel/c touch /rel/c/x
RUN --mount=type=tmpfs,target=/abs/t touch /abs/t/x
RUN --mount=type=secret,id=s,target=/abs/s true
RUN --mount=type=secret,id=s,target=/file true
RUN --mount=type=cache,target=/proc/self/root/p touch /p/x; true
D
    wrote "a step writes through links" <<'D'
FROM plain:1
RUN echo x >/abs/run; echo x >/file; echo x >/rel/run; true
D
    wrote "files of the host, as an image's links" <<'D'
FROM links:1
RUN echo x >>/etc/resolv.conf; echo x >>/etc/hosts; true
USER 5
RUN true
D
    wrote "USER by a file of the host" <<'D'
FROM links:1
USER evil
RUN id -u >/id
FROM scratch
COPY --from=0 /id /file /
D
    for l_image in dev etc tmp; do
        printf 'FROM %s:1\nRUN true\nRUN touch /dev/x /etc/x /tmp/x /var/x; true\n' $l_image >Dockerfile
        wrote "an image whose /$l_image is a link" <Dockerfile
        printf 'FROM %s:1\nCOPY f /etc/x\nWORKDIR /tmp/w\nUSER app\nRUN --mount=type=secret,id=s cat /run/secrets/s\n' $l_image >Dockerfile
        wrote "... and its files" --secret "id=s,src=$home/a/ctx/f" <Dockerfile
    done
    wrote "reading through links of another stage" <<'D'
FROM plain:1
RUN --mount=type=bind,from=plain:1,source=/abs,target=/m cat /m/marker >/1; cat /abs/marker >/2; true
FROM scratch
COPY --from=0 /abs/marker /got
D
    wrote "reading through links of the context" <<'D'
FROM scratch
COPY out/marker /got
D
    wrote "reading a link of the context through a mount" <<'D'
FROM plain:1
RUN --mount=target=/ctx cat /ctx/out/marker /ctx/file >/1; true
FROM scratch
COPY --from=0 /1 /
D
}

sizes() {
    t "$rung: a path that does not end" expect_fail "a name of more than" $run slipway import "$home/a/steep.tar" steep:1
    t "$rung: a file of nothing" $run slipway import "$home/a/sparse.tar" sparse:1
    z_before=$(du -sk "$home" | cut -f1)
    t "... under a step" build <<'D'
FROM sparse:1
RUN test $(stat -c %s /sparse) -eq 10737418240 && test $(du -k /sparse | cut -f1) -lt 1000
D
    t "... takes no room" test $(($(du -sk "$home" | cut -f1) - z_before)) -lt 20000
}

everything() {
    rung "$@"
    steps
    links
    sizes
}
# All of it in containers of the launcher's: should a sandbox break, its step meets no process but slipway's.
everything root "on_host container env SLIPWAY_ROOT=$T/root/store" "$T/root"
everything userns "on_host user-container" "$(on_host_home user-container)"
everything single "on_host single+container" "$(on_host_home single)"
everything chroot "on_host docker-default env SLIPWAY_ROOT=$T/chroot/store" "$T/chroot"
