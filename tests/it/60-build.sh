#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway build: stages, RUN in sandboxes, metadata, the step cache, reproducible digests, errors with their place.
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq

# The store is an OCI layout: read it with jq and tar, not with our own program.
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
config() { blob "$(jq -r .config.digest "$(blob "$(manifest "$1")")")"; }
top() { blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest "$1")")")"; }
layers() { jq '.layers | length' "$(blob "$(manifest "$1")")"; }

export SOURCE_DATE_EPOCH=1700000000 # the base has the same config wherever it is imported
busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
unset SOURCE_DATE_EPOCH
mkdir -p ctx/sub
echo one >ctx/a
echo two >ctx/sub/b
cat >ctx/Dockerfile <<'D'
# two stages, and one that nothing needs
ARG BASE=base:1
FROM $BASE AS builder
ARG WHO=nobody
ENV GREETING="hello $WHO"
WORKDIR /src
COPY . .
RUN echo "$GREETING" >made && cat a sub/b >>made && id -u >uid
FROM base:1 AS unused
RUN false
FROM base:1
LABEL org.example.name=test multi="a b"
ENV A=1 B=$PATH
EXPOSE 80 53/udp
VOLUME /data
USER app
WORKDIR /home/app/work
COPY --from=builder /src/made /srv/
COPY --chown=app:extra --chmod=640 a /srv/b
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s CMD test -f /srv/made
ENTRYPOINT ["/bin/cat"]
CMD ["/srv/made"]
D
t "a two-stage file builds" slipway build -t app:1 --build-arg WHO=world ctx
is "$(cat "$T/out")" "$(manifest app:1)" "stdout is the manifest's digest, nothing else"
first=$(manifest app:1)
c=$(config app:1)
t "the config has what the file says" json "$c" '.config | .User == "app" and .WorkingDir == "/home/app/work" and .Entrypoint == ["/bin/cat"] and .Cmd == ["/srv/made"] and .StopSignal == "SIGQUIT" and .Labels == {"org.example.name":"test","multi":"a b"} and .ExposedPorts == {"80/tcp":{},"53/udp":{}} and .Volumes == {"/data":{}} and .Healthcheck.Interval == 5000000000'
t "ENV is expanded and kept in order" json "$c" '.config.Env | index("A=1") and (map(select(startswith("B=/"))) | length == 1)'
t "history has a line an instruction, layers match it" json "$c" '(.history | map(select(.empty_layer != true)) | length) == (.rootfs.diff_ids | length)'
tar -tvzf "$(top app:1)" --numeric-owner >list
t "--chown and --chmod reach the layer" matches list '^-rw-r----- 1000/2000 .* srv/b$'
tar -xOzf "$(top app:1)" srv/b >b
t "content is the context's" same b ctx/a
work=$(blob "$(jq -r '.layers[-3].digest' "$(blob "$(manifest app:1)")")")
tar -tvzf "$work" --numeric-owner >list
t "WORKDIR is USER's" matches list '^drwxr-xr-x 1000/1000 .* home/app/work/$'

t "again: every step is remembered" slipway --progress plain build -t app:1 --build-arg WHO=world ctx
t "... and none is carried out" lacks "$T/err" DONE
is "$(manifest app:1)" "$first" "... and the digest is the same"
touch ctx/a ctx/sub/b
t "touching mtimes changes nothing" sh -c 'slipway --progress plain build -t app:1 --build-arg WHO=world ctx >out 2>err && [ "$(cat out)" = '"$first"' ] && ! grep DONE err'
slipway --progress plain build -t app:2 --build-arg WHO=moon ctx >/dev/null 2>err
t "another ARG runs RUN again" matches err 'CACHED|DONE'
t "... but neither WORKDIR nor the COPY before it" sh -c '[ "$(grep -c CACHED err)" -ge 3 ]'
cp -p ctx/a keep
printf 'ONE\n' >ctx/a
touch -r keep ctx/a
slipway --progress plain build -t app:1 --build-arg WHO=world ctx >/dev/null 2>err
t "the same size and mtime does not hide a change" sh -c "[ $(manifest app:1) != $first ]"
tar -xOzf "$(top app:1)" srv/b >b
is "$(cat b)" ONE "... the new content is there"

cat >run.Dockerfile <<'D'
FROM base:1
RUN echo x >/x && chmod 4711 /x && ln /x /y && ln -s x /z && mkdir -m 1777 /d && touch /d/f
RUN rm /y && rm -r /d && mkdir /d && echo new >/d/g && mv /home/app /home/app2
USER app
RUN id -u >/tmp/id; id -G >>/tmp/id; echo $HOME >>/tmp/id; pwd >>/tmp/id
D
t "RUN's changes become layers" slipway build -f run.Dockerfile -t run:1 ctx
is "$(layers run:1)" 4 "one layer a RUN"
tar -tvzf "$(blob "$(jq -r '.layers[1].digest' "$(blob "$(manifest run:1)")")")" --numeric-owner >list
t "setuid, links and sticky bits are kept" sh -c 'grep -q "^-rws--x--x 0/0 .* x$" list && grep -q " y link to x$" list && grep -q " z -> x$" list && grep -q "^drwxrwxrwt 0/0 .* d/$" list'
tar -tzf "$(blob "$(jq -r '.layers[2].digest' "$(blob "$(manifest run:1)")")")" | sort >list
t "removed names become whiteouts" sh -c 'grep -qx ".wh.y" list && grep -qx "home/.wh.app" list && grep -qx "d/.wh..wh..opq" list && grep -qx "d/g" list'
t "no stub of the sandbox is in any layer" sh -c '! grep -E "resolv.conf|hosts|^proc|^dev|^sys" list'
tar -xOzf "$(top run:1)" tmp/id >id
cat >bell.Dockerfile <<'D'
FROM base:1
RUN printf 'col\tumn\033[31m\007\n' && false
D
t "a failing command's words are shown, its control bytes are not obeyed" sh -c 'slipway --progress plain build -f bell.Dockerfile ctx 2>err; grep -q "$(printf "^#.*col\tumn")" err && grep -q "$(printf "^col\tumn")" err && ! grep -q "$(printf "[\033\007]")" err'
is "$(tr '\n' ' ' <id)" "1000 1000 2000 /home/app / " "USER gives uid, groups and HOME"

cat >repro.Dockerfile <<'D'
FROM base:1
WORKDIR /w
COPY . .
RUN touch new && mkdir -p deep/er && echo x >deep/er/x && chown -R 7:8 deep
D
export SOURCE_DATE_EPOCH=1700000000
t "with SOURCE_DATE_EPOCH" slipway build -f repro.Dockerfile -t repro:1 ctx
repro=$(manifest repro:1)
sleep 1.1
t "... carried out again" slipway build --no-cache -f repro.Dockerfile -t repro:2 ctx
is "$(manifest repro:2)" "$repro" "... gives the same digest"
if can user; then
    cp -a ctx repro.Dockerfile "$T/busybox.tar" "$USER_HOME/"
    chmod -R a+rX "$USER_HOME"
    t "an ordinary user builds it" as_user SOURCE_DATE_EPOCH=1700000000 sh -c 'slipway import --change "CMD [\"/bin/sh\"]" ~/busybox.tar base:1 >/dev/null && slipway build -f ~/repro.Dockerfile -t repro:3 ~/ctx'
    is "$(tail -n 1 "$T/out")" "$repro" "... to the very same digest"
else
    skip "an ordinary user builds it" "$why"
fi
unset SOURCE_DATE_EPOCH

{ echo FROM base:1; yes 'RUN true' | head -n 6; } >same.Dockerfile
t "the same layer may stand many times in a stack" slipway build -f same.Dockerfile -t same:1 ctx
is "$(layers same:1)" 7 "... each time as a layer"
t "--iidfile, --metadata-file and -q agree" sh -c 'slipway build -q -f repro.Dockerfile -t repro:1 --iidfile iid --metadata-file meta ctx >id && [ "$(cat id)" = "$(cat iid)" ] && [ "$(jq -r ".[\"containerimage.config.digest\"]" meta)" = "$(cat iid)" ]'
is "$(jq -r '.["containerimage.digest"]' meta)" "$(manifest repro:1)" "... the metadata has the manifest's digest"
t "--target stops at a stage" slipway build --target builder -t b:1 ctx
t "... whose config has its own WORKDIR" json "$(config b:1)" '.config.WorkingDir == "/src"'

# Errors: the place, the excerpt, the remedy.
bad() {
    printf '%b' "$2" >bad.Dockerfile
    t "$1" expect_fail "$3" slipway build -f bad.Dockerfile -t bad:1 ctx
    cp "$T/expected" seen
    [ $# -lt 4 ] || t "... with $4" has seen "$4"
}
bad "unknown instruction" 'FROM base:1\nRUNN true\n' 'bad.Dockerfile:2: unknown instruction "RUNN"' '>>> RUNN true'
bad "a failing RUN says its line and status" 'FROM base:1\nRUN true\nRUN echo out; echo problem >&2; exit 7\n' 'bad.Dockerfile:3: ' 'exit status 7'
t "... and shows the excerpt" has seen '>>> RUN echo out'
t "... and the output" has seen problem
bad "a missing source" 'FROM base:1\nCOPY nothing /x\n' 'bad.Dockerfile:2: "nothing" is not in the build context'
bad "an unknown owner" 'FROM base:1\nCOPY --chown=ghost a /x\n' 'bad.Dockerfile:2: --chown=ghost'
bad "a file where a directory stands" 'FROM base:1\nCOPY sub /etc/passwd\n' 'bad.Dockerfile:2:' '/etc/passwd'
bad "a device that is not there" 'FROM base:1\nRUN --device=a.com/b=c,required true\n' 'bad.Dockerfile:2:' 'a.com/b=c is required'
bad "a command that is not there" 'FROM base:1\nRUN ["/bin/nothing"]\n' 'bad.Dockerfile:2:' '/bin/nothing'
t "an unknown target" expect_status 2 'nowhere' slipway build --target nowhere ctx
t "a context that is not there" expect_fail 'no/such' slipway build no/such
t "no Dockerfile" expect_fail 'Dockerfile' slipway build ctx/sub
t "nothing bad was tagged" sh -c '! grep -q "library/bad:1" "$SLIPWAY_ROOT/index.json"'
t "nothing is left in tmp/ but shared stubs" sh -c '! ls "$SLIPWAY_ROOT/tmp" | grep -v stub | grep .'

# kill -9 in the middle: the sandbox goes too, and the next build is right.
cat >slow.Dockerfile <<'D'
FROM base:1
RUN echo begun >/begun && (sleep 61.5 & sleep 61.5)
D
slipway build -f slow.Dockerfile -t slow:1 ctx >/dev/null 2>&1 &
pid=$!
t "a long RUN runs" wait_for 10 pgrep -f 'sleep 61.5'
kill -9 $pid
gone() { ! pgrep -f 'sleep 61.5'; }
t "kill -9 of slipway ends its sandbox" wait_for 5 gone
t "... and the store goes on" slipway build -f run.Dockerfile -t run:1 ctx

# Steps that change nothing make one and the same layer; an overlay takes a directory once.
mkdir -p same
printf 'FROM base:1\nRUN echo x >/x\nRUN true\nRUN rm /x\nRUN true\nRUN true\nRUN test ! -e /x && echo x >/x\nRUN true\nRUN test "$(cat /x)" = x\n' >same/Dockerfile
t "equal layers may stand in one stack" slipway build -t same:1 same

# Tools colour what they print wherever it goes.
printf 'FROM base:1\nRUN printf "a \\033[1;31mred\\033[0m word\\n"; printf "tail\\033["; printf "\\n\\033[38;5;1"; echo; printf "bell \\007\\n"\n' >same/Dockerfile
t "colours are taken out of a step's output" slipway --progress plain build --no-cache -t same:2 same
cp "$T/err" colours
t "... the words stay" matches colours '^#[0-9]+ a red word$'
t "... half a sequence is nothing" matches colours '^#[0-9]+ tail'
t "... other control bytes are escaped" has colours 'bell \x07'
