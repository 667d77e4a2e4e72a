#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Isolation chroot: a stage in a plain directory, layers found by scans. The same layers, byte for byte, as with an overlay.
# shellcheck disable=SC2016 # Dockerfiles expand their own variables
. "$(dirname "$0")/../lib.sh"
need root busybox jq setcap

export SOURCE_DATE_EPOCH=1700000000
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$2/index.json"; }
# diff_ids IMAGE STORE: one a line
diff_ids() {
    d_config=$(jq -r .config.digest "$2/blobs/$(manifest "$1" "$2" | tr : /)") &&
        jq -r '.rootfs.diff_ids[]' "$2/blobs/$(echo "$d_config" | tr : /)"
}
layer_file() { echo "$SLIPWAY_ROOT/blobs/$(jq -r '.layers[-1].digest' "$SLIPWAY_ROOT/blobs/$(manifest "$1" "$SLIPWAY_ROOT" | tr : /)" | tr : /)"; }
# In two stores, so that neither takes a step from the other.
mkdir ctx
busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
cp -a "$SLIPWAY_ROOT" "$T/other"
chroot_build() { slipway --progress plain build --isolation chroot "$@"; }
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
    [ -s want ] && cmp -s want got || list_both
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
RUN mkdir /tmp/s && mv /tmp/s /new/s && rmdir /new/s && mkdir /new/s
RUN rm /etc/group && mkdir /etc/group && rm /bin/ls && mkdir /bin/ls
D
equal "bits and capabilities" <<D
FROM base:1
#COPY setcap /bin/
RUN cp /bin/busybox /bin/su2 && chmod 6755 /bin/su2 && mkdir -m 2775 /shared && chown app:extra /shared
RUN ln -s / /root/self; rm -rf /root/self
D
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
