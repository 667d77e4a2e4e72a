#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# RUN --mount of every type, as root and as an ordinary user: what the command sees, and that the layer has none of it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids

blob() { echo "$STORE/blobs/$(echo "$1" | tr : /)"; }
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$STORE/index.json"; }
# Layers and config are read by an uncompressing tar and by jq, never by slipway.
diff_id() { jq -r '.rootfs.diff_ids[-1]' "$(blob "$(jq -r .config.digest "$(blob "$(manifest "$1")")")")"; }
top() { tar -tvzf "$(blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest "$1")")")")" --numeric-owner; }
top_file() { tar -xOzf "$(blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest "$1")")")")" "$2"; }
sw() { if [ "$who" = root ]; then slipway "$@"; else as_user $EPOCH slipway "$@"; fi; }
give() { case $who in root*) ;; *) chown -R "$test_user:" "$D" ;; esac; }
# run NAME FLAGS COMMAND: one RUN on base:1 with these flags, its standard output in the layer's file /out; then $D/out
run() {
    name=$1 flags=$2
    shift 2
    { echo 'FROM base:1 AS one'
      echo 'RUN mkdir -p /d/e && echo hi >/d/f && ln -s f /d/l && ln -s d /dl && chown 5:6 /d/f'
      echo 'FROM base:1'
      [ -z "${USER_LINE-}" ] || echo "$USER_LINE"
      echo 'WORKDIR /w'
      echo 'USER 0'
      [ -z "${USER_LINE-}" ] || echo "$USER_LINE"
      printf 'RUN %s (%s) >/tmp/out 2>&1\n' "$flags" "$*"; } >"$D/Dockerfile"
    give
    sw build ${OPTIONS-} -f "$D/Dockerfile" -t "$name:1" "$D/ctx" || return 1
    top_file "$name:1" tmp/out >"$T/got"
    cat "$T/got"
}
t_is() { is "$(cat "$T/got")" "$1" "$2"; }
locked_pair() { # two processes at once that both want the cache `both` with this sharing; what it holds then; the second word: how long one waits for the other
    for n in 1 2; do
        printf 'FROM base:1\nRUN --mount=type=cache,id=both-%s,target=/c,sharing=%s touch /c/in-%s; i=0; while [ $(ls /c | grep -c in-) -lt 2 ] && [ $i -lt %s ]; do sleep 0.1; i=$((i+1)); done; ls /c | grep -c in- >>/c/seen; sleep 0.3; rm /c/in-%s; cat /c/seen >/n\n' "$1" "$1" $n $2 $n >"$D/Dockerfile.$n"
    done
    give
    sw build --no-cache -f "$D/Dockerfile.1" -t p1:1 "$D/ctx" >"$T/p1" 2>&1 & one=$!
    sw build --no-cache -f "$D/Dockerfile.2" -t p2:1 "$D/ctx" >"$T/p2" 2>&1 & two=$!
    wait $one && wait $two && cat "$(find "$STORE/cache/mounts" -name seen -newer "$D/Dockerfile.2" 2>/dev/null | head -n 1)"
}

# Two processes that want a shared cache which is not there yet: six times, for it is a race.
new_pairs() {
    for id in 1 2 3 4 5 6; do
        for n in 1 2; do
            printf 'FROM base:1\nRUN --mount=type=cache,id=new-%s,target=/c touch /c/in-%s; i=0; until [ -e /c/in-%s ]; do [ $i -lt 50 ] || exit 1; sleep 0.1; i=$((i+1)); done\n' $id $n $((3 - n)) >"$D/Dockerfile.$n"
        done
        give
        sw build --no-cache -f "$D/Dockerfile.1" -t p1:1 "$D/ctx" >"$T/p1" 2>&1 & one=$!
        sw build --no-cache -f "$D/Dockerfile.2" -t p2:1 "$D/ctx" >"$T/p2" 2>&1 & two=$!
        if wait $one && wait $two; then printf 'met '; else printf 'missed '; fi
    done
}

# A layer of all that the context's mount shows: the same for everybody who builds it.
copied() {
    printf 'FROM base:1\nRUN --mount=target=/ctx cp -a /ctx /copy\n' >"$D/Dockerfile"; give
    sw build --no-cache -f "$D/Dockerfile" -t copied:1 "$D/ctx" >/dev/null 2>&1 && diff_id copied:1
}

everything() {
    who=$1
    digest=$(copied)
    if [ -n "${first_digest-}" ]; then
        is "$digest" "$first_digest" "$who: what the mount shows is what root sees"
    else
        first_digest=$digest
        t "$who: a copy of the context" [ -n "$digest" ]
    fi
    # --- bind
    t "$who: the context is there" run b '--mount=target=/ctx' 'cd /ctx && find . | sort | tr "\n" " "; cat a sub/b; stat -c "%u:%g" a sub sub/b . | tr "\n" " "'
    t_is "$(printf '. ./.dockerignore ./a ./lnk ./put ./put/back ./sub ./sub/b A\nB\n0:0 0:0 0:0 0:0 ')" "$who: ... without what the ignore file leaves out, and belongs to root"
    t "$who: ... it is read-only" run b '--mount=target=/ctx' 'touch /ctx/x || echo refused; rm /ctx/a || echo refused'
    t "$who: ... said so" grep -c refused "$T/got"
    is "$(cat "$T/out")" 2 "$who: ... twice"
    t "$who: rw: may be written" run b '--mount=target=/ctx,rw' 'echo new >/ctx/a; rm /ctx/sub/b; mkdir /ctx/ign; cat /ctx/a; ls /ctx/sub | wc -l'
    t_is "$(printf 'new\n0')" "$who: ... and removed from"
    is "$(cat "$D/ctx/a" "$D/ctx/sub/b" | tr '\n' ' ')" "A B " "$who: ... the context is as it was"
    t "$who: a part of it, through a link" run b '--mount=source=lnk,target=/s' 'ls /s; cat /s/b'
    t_is "$(printf 'b\nB')" "$who: ... is there"
    t "$who: one file" run b '--mount=source=a,target=/etc/one,ro' 'cat /etc/one; echo x >/etc/one || echo ro'
    t "$who: ... is there" sh -c "grep -qx A '$T/got' && grep -qx ro '$T/got'"
    t "$who: one file, writable" run b '--mount=source=a,target=one,rw' 'echo x >>one; cat /w/one | tr "\n" " "'
    t_is 'A x ' "$who: ... is a copy"
    t "$who: what is not there is told" expect_fail 'Dockerfile:6: RUN --mount on /s: "nothing" is not in the build context' run b '--mount=source=nothing,target=/s' true
    t "$who: what is left out is told" expect_fail 'the ignore file leaves it out' run b '--mount=source=ign/x,target=/s' true
    t "$who: a stage" run b '--mount=from=one,source=/d,target=/s' 'ls -l /s | tail -n +2 | cut -c1-10 | tr "\n" " "; cat /s/l; stat -c %u:%g /s/f; touch /s/x || echo ro'
    t "$who: ... is there, with its owners, read-only" sh -c "head -n 1 '$T/got' | grep -qx 'drwxr-xr-x -rw-r--r-- lrwxrwxrwx hi' && grep -qx 5:6 '$T/got' && grep -qx ro '$T/got'"
    t "$who: a stage by number, through a link, writable" run b '--mount=from=0,source=dl,target=s,rw' 'echo more >>s/f; cat s/f | tr "\n" " "'
    t_is 'hi more ' "$who: ... is there"
    t "$who: ... and again as it was" run b '--mount=from=0,source=dl,target=s,rw' 'cat s/f; true'
    t_is hi "$who: ... what was written is gone"
    t "$who: an image" run b '--mount=from=base:1,target=/i' 'ls -d /i/bin /i/etc/passwd | tr "\n" " "'
    t_is '/i/bin /i/etc/passwd ' "$who: ... is there"
    t "$who: a stage's file that is not there" expect_fail '"/no" is not in stage one' run b '--mount=from=one,source=/no,target=/s' true
    t "$who: variables in a target" run b '--mount=target=$HOMEX/ctx,source=${NOPE:-sub}' 'ls /ctx'
    t_is b "$who: ... are expanded"

    # --- nothing of it in the layer
    printf 'FROM base:1\nWORKDIR /w\nRUN echo x >/x\n' >"$D/Dockerfile"; give
    t "$who: a RUN without mounts" sw build --no-cache -f "$D/Dockerfile" -t plain:1 "$D/ctx"
    printf 'FROM base:1\nWORKDIR /w\nRUN --mount=target=/etc/deep/er/ctx --mount=type=cache,target=/var/c --mount=type=tmpfs,target=t --mount=type=secret,id=k --mount=source=a,target=/etc/af echo x >/x; ls -d /etc/deep/er/ctx/a /var/c /w/t /run/secrets/k /etc/af\n' >"$D/Dockerfile"; give
    t "$who: ... and with them" sw build --no-cache --secret "id=k,src=$D/secret" -f "$D/Dockerfile" -t mounted:1 "$D/ctx"
    is "$(diff_id plain:1)" "$(diff_id mounted:1)" "$who: ... give the same layer"
    is "$(top mounted:1 | sed 's/.* //' | tr '\n' ' ')" "x " "$who: ... with nothing but the file"
    printf 'FROM base:1\nRUN --mount=type=tmpfs,target=/new/place mkdir -p /new && echo kept >/new/file\n' >"$D/Dockerfile"; give
    t "$who: a mount point beside which the command writes" sw build -f "$D/Dockerfile" -t beside:1 "$D/ctx"
    is "$(top beside:1 | sed 's/.* //' | tr '\n' ' ')" "new/ new/file " "$who: ... leaves what was written"

    # Where a layer hides the stub of a mount point, it is made in the step's own directory and taken away again.
    for mount in '' '--mount=type=tmpfs,target=/p/q/m --mount=type=cache,target=/etc/cfg/c'; do
        printf 'FROM base:1\nRUN mkdir -p /p/q /etc/cfg && touch /p/q/x /etc/cfg/x\nRUN rm -rf /p/q /etc/cfg && mkdir /p/q\nRUN %s echo x >/x\n' "$mount" >"$D/Dockerfile"; give
        t "$who: mount points that a layer hides ($mount)" sw build -f "$D/Dockerfile" -t "hidden:${#mount}" "$D/ctx"
        [ -z "$mount" ] || is "$(top "hidden:${#mount}" | sed 's/.* //' | tr '\n' ' ')" "x " "$who: ... leave nothing"
    done

    # --- cache
    t "$who: a cache begins empty" run c '--mount=type=cache,target=/c' 'ls -A /c | wc -l; stat -c "%a %u:%g" /c; echo one >/c/f'
    t_is "$(printf '0\n755 0:0')" "$who: ... as root's"
    t "$who: ... and stays" run c '--mount=type=cache,id=/c,target=elsewhere' 'cat elsewhere/f; echo two >>elsewhere/f'
    t_is one "$who: ... under its id"
    t "$who: ... read-only" run c '--mount=type=cache,target=/c,ro' 'cat /c/f | tr "\n" " "; touch /c/x || echo ro'
    t "$who: ... indeed" sh -c "grep -q '^one two ' '$T/got' && grep -q 'ro$' '$T/got'"
    t "$who: its content is not in the key" run c '--mount=type=cache,target=/c,ro' 'cat /c/f | tr "\n" " "; touch /c/x || echo ro'
    USER_LINE='USER 1000'
    t "$who: owner and mode" run c '--mount=type=cache,target=/cu,uid=1000,gid=7,mode=0700' 'stat -c "%a %u:%g" /cu; touch /cu/mine && echo ok'
    t_is "$(printf '700 1000:7\nok')" "$who: ... are what was asked for"
    USER_LINE=''
    t "$who: it may begin with something" run c '--mount=type=cache,target=/seeded,from=one,source=/d' 'ls /seeded | tr "\n" " "; stat -c %u:%g /seeded/f; cat /seeded/l; echo changed >/seeded/f'
    t_is "$(printf 'e f l 5:6\nhi')" "$who: ... as it is there"
    t "$who: ... once" run c '--mount=type=cache,target=/seeded,from=one,source=/d' 'cat /seeded/f; true'
    t_is changed "$who: ... then it is its own"
    t "$who: twice in one step" run c '--mount=type=cache,id=tw,target=/c1,sharing=locked --mount=type=cache,id=tw,target=/c2,sharing=locked' 'touch /c1/x; ls /c2'
    t_is x "$who: ... is one"
    is "$(locked_pair locked 15 | sort | tr '\n' ' ')" "1 1 " "$who: locked: one after the other"
    is "$(locked_pair private 15 | tr '\n' ' ')" "1 " "$who: private: each its own"
    is "$(locked_pair shared 100 | sort | tail -n 1)" "2" "$who: shared: both at once"
    is "$(new_pairs)" "met met met met met met " "$who: shared: whoever makes it, the other does not wait for the step"
    # kill -9 lets go of a lock, leaves nothing half made, and the next one goes on.
    printf 'FROM base:1\nRUN --mount=type=cache,id=killed,target=/c,sharing=locked --mount=target=/ctx,rw touch /c/begun; sleep 60\n' >"$D/Dockerfile"; give
    if [ "$who" = root ]; then slipway build --no-cache -f "$D/Dockerfile" "$D/ctx" >/dev/null 2>&1 & else as_user sh -c 'exec slipway build --no-cache -f "$0/Dockerfile" "$0/ctx"' "$D" >/dev/null 2>&1 & fi
    t "$who: a step with a locked cache" wait_for 10 sh -c 'find "$1/cache/mounts" -name begun | grep -q .' sh "$STORE"
    kill -9 "$(pgrep -f "slipway build --no-cache -f $D/Dockerfile" | head -n 1)"
    begun=$(date +%s)
    t "$who: ... that is killed" run c '--mount=type=cache,id=killed,target=/c,sharing=locked' 'ls /c'
    t_is begun "$who: ... lets the next one have it"
    t "$who: ... at once" [ $(($(date +%s) - begun)) -lt 10 ]
    many=$(i=0; while [ $i -lt 40 ]; do printf -- '--mount=type=%s,target=/m/%s ' "$([ $((i % 2)) = 0 ] && echo cache || echo bind,source=sub)" $i; i=$((i + 1)); done)
    t "$who: forty mounts" run c "$many" 'ls /m | wc -l'
    t_is 40 "$who: ... are all there"
    du_bytes=$(sw du --json 2>/dev/null | jq .bytes) disk=$(if [ "$who" = root ]; then du -sB1 "$STORE" | cut -f1; else echo "$du_bytes"; fi)
    is "$du_bytes" "$disk" "$who: du knows them"
    t "$who: prune --all takes them" sw prune --all
    is "$(find "$STORE/cache/mounts" -mindepth 1 2>/dev/null | wc -l)" 0 "$who: ... all"

    # --- tmpfs
    t "$who: tmpfs" run t '--mount=type=tmpfs,target=/t,size=64k --mount=type=tmpfs,target=/etc' 'stat -c %a /t /etc; ls -A /t /etc | wc -l; head -c 100000 /dev/zero >/t/big || echo full; stat -c %s /t/big'
    t "$who: ... everybody's, or like what it covers, and no bigger than asked" sh -c "head -n 2 '$T/got' | tr '\n' ' ' | grep -qx '1777 755 ' && grep -q full '$T/got' && grep -qx 65536 '$T/got'"

    # --- secret
    OPTIONS="--secret id=k,src=$D/secret"
    t "$who: a secret" run s '--mount=type=secret,id=k --mount=type=secret,id=k,target=there/key,mode=0440,uid=3,gid=4' 'stat -c "%a %u:%g" /run/secrets/k /w/there/key; wc -c </run/secrets/k; md5sum </w/there/key | cut -c1-8; echo x >/run/secrets/k || echo ro'
    t "$who: ... with owner and mode, read-only" sh -c "head -n 2 '$T/got' | tr '\n' ' ' | grep -qx '400 0:0 440 3:4 ' && grep -qx '$(wc -c <"$D/secret")' '$T/got' && grep -qx '$(md5sum <"$D/secret" | cut -c1-8)' '$T/got' && grep -q ro '$T/got'"
    t "$who: as a variable" run s '--mount=type=secret,id=k,env=KEY' 'printf %s "$KEY" | md5sum | cut -c1-8; ls /run/secrets 2>/dev/null | wc -l'
    t_is "$(printf '%s\n0' "$(md5sum <"$D/secret" | cut -c1-8)")" "$who: ... and no file"
    OPTIONS=''
    t "$who: one that was not given" run s '--mount=type=secret,id=none' 'ls /run/secrets/none 2>/dev/null || echo none'
    t_is none "$who: ... is not there"
    t "$who: one that is required" expect_fail 'secret none is required and was not given: --secret id=none,src=FILE' run s '--mount=type=secret,id=none,required' true

    # --- refusals
    t "$who: the root as target" expect_fail 'Dockerfile:6: RUN --mount=target=/../: target /../ is the root itself' run r '--mount=target=/../' true
    t "$who: mode on a bind" expect_fail 'option "mode" is not for type bind' run r '--mount=target=/a,mode=1' true
    t "$who: buildah's options" expect_fail 'option "z" is buildah' run r '--mount=target=/a,z' true
    is "$(find "$STORE/tmp" -mindepth 1 | wc -l)" 0 "$who: nothing is left in tmp/"
}

prepare() {
    D=$1
    mkdir -p "$D/ctx/sub" "$D/ctx/ign" "$D/ctx/put"
    echo A >"$D/ctx/a"; echo B >"$D/ctx/sub/b"; echo X >"$D/ctx/ign/x"; echo S >"$D/ctx/sub/skip"; echo P >"$D/ctx/put/back"; echo Q >"$D/ctx/put/out"
    ln -s sub "$D/ctx/lnk"
    printf 'ign\nsub/skip\nput\n!put/back\n' >"$D/ctx/.dockerignore"
    echo 'not-in-any-layer-1' >"$D/secret"
}

EPOCH=SOURCE_DATE_EPOCH=1700000000
export SOURCE_DATE_EPOCH=1700000000
if can root; then
    STORE=$SLIPWAY_ROOT
    busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
    prepare "$T/work/root"
    everything root
    digest=$(who='root, files of somebody'; chown -R 1000:1000 "$D/ctx"; sw() { slipway "$@"; }; copied)
    is "$digest" "$first_digest" "root: whose files they are makes no difference"
    chown 1001 "$D/ctx/a"
    digest=$(who='root, files of many'; sw() { slipway "$@"; }; copied)
    is "$digest" "$first_digest" "root: ... nor that they are of several owners"
    # Files of other owners cannot be shown as they lie.
    chown -R 1000:1000 "$D/ctx"
    who='root, files of somebody'
    sw() { slipway "$@"; }
    t "$who: the context" run b '--mount=target=/ctx' 'cd /ctx && find . | sort | tr "\n" " "; cat a sub/b; stat -c "%u:%g" a sub sub/b . | tr "\n" " "; readlink lnk; touch x || echo ro'
    t "$who: ... looks the same" sh -c "head -n 3 '$T/got' | tr '\n' ' ' | grep -q '^. ./.dockerignore ./a ./lnk ./put ./put/back ./sub ./sub/b A B 0:0 0:0 0:0 0:0 sub' && grep -q ro '$T/got'"
    t "$who: ... rw" run b '--mount=target=/ctx,rw' 'cd /ctx; echo new >>a; rm sub/b; echo x >sub/y; cat a | tr "\n" " "; ls sub | tr "\n" " "; stat -c %u:%g a sub/y sub | tr "\n" " "'
    t_is 'A new y 0:0 0:0 0:0 ' "$who: ... too"
    is "$(stat -c %u:%g "$D/ctx/a" "$D/ctx/sub"; cat "$D/ctx/a" "$D/ctx/sub/b")" "$(printf '1000:1000\n1000:1000\nA\nB')" "$who: ... the context is as it was"
    t "$who: ... one file" run b '--mount=source=a,target=/f' 'stat -c %u:%g /f; cat /f'
    t_is "$(printf '0:0\nA')" "$who: ... too"
    # Shown as it lies where this kernel can map its owner on this file system; else copied.
    slipway -v build --no-cache -f "$D/Dockerfile" "$D/ctx" >/dev/null 2>"$T/said"
    if grep -q 'cannot be mapped' "$T/said"; then skip "$who: nothing is copied" "no idmapped mounts here"; else t "$who: nothing is copied" lacks "$T/said" 'copied for a mount'; fi
    chown 7:8 "$D/ctx/put/back"
    t "$who: several owners" run b '--mount=target=/ctx' 'stat -c %u:%g /ctx/a /ctx/put/back /ctx | sort -u; cat /ctx/a'
    t_is "$(printf '0:0\nA')" "$who: ... are one to see"
    slipway -v build --no-cache -f "$D/Dockerfile" "$D/ctx" >/dev/null 2>"$T/said"
    t "$who: ... by a copy" has "$T/said" 'copied for a mount'
    ln "$D/ctx/a" "$D/ctx/hard"
    mkfifo "$D/ctx/pipe"
    truncate -s 1M "$D/ctx/hole"
    chmod 4711 "$D/ctx/sub/b"
    touch -d '2001-02-03 04:05:06Z' "$D/ctx/sub/b" "$D/ctx/sub"
    mkdir -m 1700 "$D/ctx/odd"
    t "$who: every kind of file" run b '--mount=target=/ctx' 'cd /ctx; [ "$(stat -c %i a)" = "$(stat -c %i hard)" ] && echo linked; stat -c "%F %a %s %Y" pipe hole sub/b sub odd | sed "s/ [0-9]*$//;t" | tr "\n" ";"; stat -c %Y sub/b sub'
    t "$who: ... stays what it is" sh -c "grep -qx linked '$T/got' && grep -q 'fifo 644 0;regular file 644 1048576;regular file 4711 2;directory 755 [0-9]*;directory 1700 [0-9]*;' '$T/got' && [ \$(grep -c 981173106 '$T/got') = 2 ]"
    chown 0:0 "$D/ctx/a"
    mkdir -p "$D/named/n"
    echo N >"$D/named/n/f"
    OPTIONS="--build-context other=$D/named"
    t "$who: a named context" run b '--mount=from=other,target=/o' 'cat /o/n/f; stat -c %u:%g /o/n/f'
    t_is "$(printf 'N\n0:0')" "$who: ... is there"
    OPTIONS=''
    sw() { if [ "$who" = root ]; then slipway "$@"; else as_user $EPOCH slipway "$@"; fi; }
else
    skip "RUN --mount as root" "not root"
fi
as_user true
STORE=$USER_HOME/store
[ -f "$T/busybox.tar" ] || { busybox_image base:1; }
cp "$T/busybox.tar" "$USER_HOME/"
as_user $EPOCH slipway import --change 'CMD ["/bin/sh"]' "$USER_HOME/busybox.tar" base:1 >/dev/null || { echo "Bail out! no base image"; exit 1; }
prepare "$USER_HOME/d"
everything user
