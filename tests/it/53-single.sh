#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Isolation single: one id, owners recorded. The layer is that of a root build: by tar's listing and by its digest.
# shellcheck disable=SC2016 # shells of other users expand
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need root user userns overlay busybox jq setcap setpriv dpkg-deb
export T SOURCE_DATE_EPOCH=1700000000

busybox_rootfs root || { echo "Bail out! no root file system"; exit 1; }
# What is in the base already: foreign owners, a link's owner, an id past any map.
touch root/etc/owned root/etc/far && chown 33:44 root/etc/owned && chown 70000:70001 root/etc/far && chmod 4755 root/etc/owned
ln -s nowhere root/etc/link && chown -h 7:8 root/etc/link
mkdir root/srv && chown 1000:2000 root/srv && mkfifo root/srv/pipe && chown 5:6 root/srv/pipe
cp -p "$(command -v setcap)" "$T/setcap"
cp "$(command -v setpriv)" "$T/setpriv"
cp "$BUILD/helpers/owners" root/bin/
# dpkg itself, and a package for it.
for tool in dpkg dpkg-deb dpkg-split tar; do rm -f "root/bin/$tool" && cp -L "$(command -v $tool)" root/bin/; done
for tool in ldconfig start-stop-daemon; do ln -sf busybox root/bin/$tool; done
mkdir -p root/var/lib/dpkg/updates root/var/lib/dpkg/info && touch root/var/lib/dpkg/status root/var/lib/dpkg/available
mkdir -p deb/DEBIAN deb/opt/p/sub && printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: p <p@example.com>\nDescription: p\n' >deb/DEBIAN/control
printf '#!/bin/sh\nset -e\nchown -R 50:51 /opt/p/sub\nchmod 2750 /opt/p/sub\nchown -h 52:53 /opt/p/l\n' >deb/DEBIAN/postinst && chmod 755 deb/DEBIAN/postinst
touch deb/opt/p/f deb/opt/p/sub/g && ln -s f deb/opt/p/l && chown 33:44 deb/opt/p/f && chmod 4755 deb/opt/p/f && chown 60:61 deb/opt/p && find deb -exec touch -hd @1700000000 {} +
dpkg-deb -b deb p.deb >/dev/null && rm -rf deb
for lib in $(ldd "$T/setcap" "$T/setpriv" root/bin/dpkg root/bin/dpkg-deb root/bin/tar | grep -o '/[^ :]*\.so[^ ]*'); do mkdir -p "root$(dirname "$lib")" && cp -L "$lib" "root$lib"; done
rm -f root/bin/setpriv && cp "$T/setcap" "$T/setpriv" root/bin/
tar -C root --sort=name --mtime=@1700000000 --numeric-owner -cf base.tar .
rm -rf root
mkdir ctx && echo f >ctx/f && chmod 755 . ctx && mkdir arc && touch arc/a && chown 12:34 arc/a && mv p.deb ctx/ && tar -C arc --numeric-owner -cf ctx/a.tar a

cat >Dockerfile <<'D'
FROM base:1
RUN stat -c '%u:%g %a %n' /etc/owned /etc/far /srv && stat -c '%u:%g %n' /etc/link /srv/pipe >/seen && cat /seen
RUN echo web:x:1500:1500::/:/bin/sh >>/etc/passwd && echo web:x:1500: >>/etc/group && mkdir -p /data/in && echo x >/data/in/x && chown -R web:web /data && stat -c '%U:%G' /data/in/x
RUN cd /data && ln -s in l && chown -h 7:8 l && ln in/x hard && mkfifo p && chown 9:10 p && chown 70000 in/x && stat -c '%u:%g' hard
RUN cd /data && touch s && chmod 6755 s && chown 11:12 s && stat -c '%a' s && cp bin s 2>/dev/null; chmod 4750 s
RUN cd /data && mv in moved && cp -a l l2 && cp -a moved copy && tar -cf /t.tar moved l && mkdir out && tar -C out -xf /t.tar && rm /t.tar
RUN cp /bin/busybox /cap && setcap cap_net_raw+ep /cap && cp /bin/busybox /lost && setcap cap_net_raw+ep /lost && chown 3 /lost
RUN chown 21:22 /etc/owned && chown -h 23:24 /etc/link && rm /srv/pipe
RUN /bin/setpriv --reuid 1500 --regid 1501 --groups 7,8 sh -c 'id -u && id -G && touch /tmp/su && mkdir /tmp/sud && ln -s a /tmp/sul' && stat -c '%u:%g' /tmp/su
COPY --chown=app:extra f /copied/
RUN mkdir -m 2775 /shared && chown 0:50 /shared && cd /shared && touch f && mkdir d && ln -s f l && mkfifo p && touch d/g && stat -c '%g %n' * d/g
RUN mkdir /owners && cd /owners && owners && rm -r exec script
COPY p.deb /
RUN dpkg -i p.deb && rm -rf p.deb /var/log/dpkg.log /var/lib/dpkg/* && stat -c '%u:%g %a %n' /opt/p/*
ADD a.tar /added/
WORKDIR /work
USER app
RUN id -u && id -G && touch /tmp/mine && echo more >>/tmp/mine && mkdir /tmp/dir && (chown 0 /tmp/mine && exit 1 || true) && (chown 0 /etc/far 2>&1 | grep -q 'not permitted')
RUN --mount=type=cache,target=/c,uid=1000,gid=2000 stat -c '%u:%g' /c && touch /c/x && stat -c '%u:%g' /c/x
D

# On a disk, where a number that is free is given again at once; /dev/shm counts on.
disk=$(mktemp -d /var/tmp/slipway-53.XXXXXX) && on_exit "rm -rf $disk"
ln -s "$disk" "$T/single"

layers() { jq -r '.manifests[0].digest' "$1/index.json" | tr : / | sed "s|^|$1/blobs/|" | xargs jq -r '.layers[].digest'; }
listing() { for l in $(layers "$1"); do echo "= layer"; tar -tvzf "$1/blobs/sha256/${l#*:}" --numeric-owner --xattrs --xattrs-include='*'; done; }
build() { slipway import base.tar base:1 >/dev/null && slipway build --progress=plain --no-cache "$@" -t made:1 ctx -f Dockerfile && slipway rm base:1 >/dev/null; }

t "the rung root" build --isolation root
looks() { grep -oE '^#[0-9]+ (daemon|peer|attributes|bits|nameless|group|numbers|ids|keep|edge|flags|signal|exec|root|[0-9]+:[0-9]+|[0-9]+ [a-z/]+$).*' "$1" | cut -d' ' -f2-; }
looks "$T/err" >want.looks
t "root in the rung single" env SLIPWAY_ROOT="$T/single" sh -c 'slipway import base.tar base:1 >/dev/null && slipway build --progress=plain --isolation single -t made:1 -f Dockerfile ctx && slipway rm base:1 >/dev/null'
cp "$T/err" said
looks said >got.looks
t "... looks are many" [ "$(wc -l <want.looks)" -gt 130 ]
t "... what processes see and are told is what root's do" diff want.looks got.looks
t "... owners of lower layers are seen" has said '33:44 4755 /etc/owned'
t "... past any map too" has said '70000:70001 644 /etc/far'
t "... of a link" has said '7:8 /etc/link'
t "... of a pipe" has said '5:6 /srv/pipe'
listing "$T/store" >want
listing "$T/single" >got
t "root has layers" has want "data/moved/"
t "the layers list as root's" diff want got
layers "$T/store" >want
layers "$T/single" >got
t "... and are the same bytes" diff want got
t "a file capability is kept, and one that chown cleared is not" sh -c 'for l in $(cat got); do zcat "$T/single/blobs/sha256/${l#*:}"; done | grep -ao SCHILY.xattr.security.capability | wc -l | grep -qx 1'
t "the store is not for other rungs" env SLIPWAY_ROOT="$T/single" sh -c 'slipway import base.tar base:2 >/dev/null; printf "FROM base:2\nRUN echo new >/new\n" | slipway build --isolation root -f - ctx 2>&1 | grep -q "was used with isolation single"'

# An ordinary user without subordinate ids.
cp -r base.tar ctx Dockerfile "$USER_HOME/" && chown -R "$test_user:" "$USER_HOME"
poor() { unshare --mount sh -c 'mount --bind /dev/null /etc/subuid && shift 0 && exec setpriv --reuid '"$test_user"' --regid '"$test_user"' --init-groups --inh-caps=-all -- env -i PATH="$0/bin:/usr/bin:/bin" HOME="$0" SLIPWAY_ROOT="$0/store" SOURCE_DATE_EPOCH=1700000000 "$@"' "$USER_HOME" "$@"; }
t "a user without subordinate ids" poor sh -c 'cd && slipway import base.tar base:1 >/dev/null && slipway build --progress=plain -t made:1 -f Dockerfile ctx && slipway rm base:1 >/dev/null'
t "... is told of the rung, and why no better one" has "$T/err" "isolation single: owners are recorded, for only one id can be had here (userns: /etc/subuid gives user $test_user no subordinate ids"
layers "$USER_HOME/store" >got
t "... has the layers of root" diff want got
# Its store on an overlay, as in a container: stages are plain directories.
mkdir "$USER_HOME/ov" "$USER_HOME/up" "$USER_HOME/wk" && chown "$test_user:" "$USER_HOME/ov" "$USER_HOME/up"
t "a store on an overlay" unshare --mount sh -c 'cd "$1" && mount -t overlay overlay -o lowerdir=ov,upperdir=up,workdir=wk ov && mount --bind /dev/null /etc/subuid && exec setpriv --reuid "$2" --regid "$2" --init-groups --inh-caps=-all -- env -i PATH="$1/bin:/usr/bin:/bin" HOME="$1" SLIPWAY_ROOT="$1/ov/store" SOURCE_DATE_EPOCH=1700000000 sh -c "cd && slipway import base.tar base:1 >/dev/null && slipway build --progress=plain -t made:1 -f Dockerfile ctx && slipway rm base:1 >/dev/null && slipway run --user 0 made:1 stat -c %u:%g /data/l >seen && cat seen >&2"' - "$USER_HOME" "$test_user"
t "... is told so" has "$T/err" "stages are plain directories"
looks "$T/err" >got.looks
is "$(tail -n1 "$T/err")" 7:8 "... where owners of links are seen"
t "... and processes see what they do elsewhere" diff want.looks got.looks
layers "$USER_HOME/up/store" >got
t "... has the layers of root" diff want got
t "slipway run" poor slipway run made:1 id -u
is "$(cat "$T/out")" 1000 "... as the image's user"
t "devices" poor sh -c 'cd && printf "FROM made:1\nUSER 0\nRUN mknod /c c 1 3 && mknod -m 600 /b b 8 1 && chown 5 /b && test -c /c && ln /c /c2\nRUN stat -c %%t:%%T /c /b && mv /c /d && cp -a /b /b2\n" >D2 && slipway build --progress=plain -t dev:1 -f D2 ctx'
t "... are in the layer" sh -c 'for b in "$0"/store/blobs/sha256/*; do tar -tvzf "$b" --numeric-owner 2>/dev/null; done >dev; grep -q "^crw-r--r-- 0/0 *1,3 .* d$" dev && grep -q "^brw------- 5/0 *8,1 .* b2$" dev && grep -q "^h.* c2 link to c$" dev' "$USER_HOME"
mkdir devs && mknod devs/null c 1 3 && mknod -m 640 devs/disk b 8 1 && chown 5:6 devs/disk && tar -C devs --numeric-owner -cf "$USER_HOME/devs.tar" null disk
t "devices of a base" poor sh -c 'cd && tar -xf base.tar --wildcards "./bin/*" "./lib*" "./etc/passwd" && slipway import devs.tar devs:1 >/dev/null && slipway import base.tar base:1 >/dev/null && printf "FROM devs:1\nCOPY --from=base:1 /bin /bin\nCOPY --from=base:1 /lib /lib\nRUN [\"/bin/busybox\", \"stat\", \"-c\", \"%%F %%t:%%T %%u:%%g %%a %%n\", \"null\", \"disk\"]\n" >D3 && slipway build --progress=plain -f D3 ctx'
t "... are seen" matches "$T/err" 'character special file 1:3 0:0 644 null$'
t "... with their owners" matches "$T/err" 'block special file 8:1 5:6 640 disk$'
# Has the user a recorder?
recorded() { for p in /proc/[0-9]*; do [ "$(cat "$p/comm" 2>/dev/null)" = slipway-record ] && awk '/^Uid/ { print $2 }' "$p/status"; done 2>/dev/null | grep -qx "$(id -u "$test_user")"; }
printf 'FROM made:1\nRUN sleep 1000\n' >"$USER_HOME/D4"
poor sh -c 'cd && echo $$ >pid && exec slipway build --progress=plain --no-cache -f D4 ctx' 2>/dev/null &
t "a step has a recorder" wait_for 10 recorded
kill -9 "$(cat "$USER_HOME/pid")"
t "... which ends with a killed build" wait_for 10 not recorded
# With a range of ids, what is past it is recorded too.
printf 'FROM base:1\nRUN chmod 600 /etc/far\n' >Dfar
slipway import base.tar base:1 >/dev/null
t "an id past the map: root" slipway build --progress=plain --no-cache --isolation root -t far:1 -f Dfar ctx
t "... a user with a range of ids" as_user sh -c 'cd && export SOURCE_DATE_EPOCH=1700000000 SLIPWAY_ROOT=$HOME/ranged && slipway import base.tar base:1 >/dev/null && printf "FROM base:1\nRUN chmod 600 /etc/far\n" >Dfar && slipway build --progress=plain --isolation userns -t far:1 -f Dfar ctx'
last() { jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] | test("far:1$")) | .digest' "$1/index.json" | tr : / | sed "s|^|$1/blobs/|" | xargs jq -r '.layers[-1].digest'; }
is "$(last "$USER_HOME/ranged")" "$(last "$T/store")" "... has the layer of root"
t "du and prune" poor sh -c 'slipway du && slipway rm made:1 dev:1 devs:1 base:1 && slipway prune --all && [ -z "$(ls -A "$SLIPWAY_ROOT/trees")" ]'
