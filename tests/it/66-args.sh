#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ARG and ENV: who sees what, from where on, and what of it a step's key holds.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq

busybox_image base:1 'ENV OLD=base' || { echo "Bail out! no base image"; exit 1; }
mkdir -p ctx
echo x >ctx/file
file() { printf '%b' "$1" >Dockerfile; }
# says NAME TEXT WANT [OPTIONS…]: the file system has /out with WANT
says() {
    says_name=$1 says_want=$3
    file "$2"
    shift 3
    rm -rf out
    t "$says_name" slipway build -f Dockerfile -o out "$@" ctx
    is "$(cat out/out 2>/dev/null)" "$says_want" "... \"$says_want\""
}
tail='\nFROM scratch\nCOPY --from=a /out /\n'

says "a global ARG is for FROM lines" "ARG v=1\nARG BASE=base:\$v\nFROM \$BASE AS a\nRUN echo \"[\$v]\" >/out$tail" '[]'
says "ARG without a value brings it into the stage" "ARG v=1\nFROM base:1 AS a\nARG v\nRUN echo \"[\$v]\" >/out$tail" '[1]'
says "a stage's default counts before the global value" "ARG v=1\nFROM base:1 AS a\nARG v=2\nRUN echo \"[\$v]\" >/out$tail" '[2]'
says "--build-arg counts before both" "ARG v=1\nFROM base:1 AS a\nARG v=2\nRUN echo \"[\$v]\" >/out$tail" '[3]' --build-arg v=3
says "... for FROM too" "ARG BASE=nowhere\nFROM \$BASE AS a\nRUN echo ok >/out$tail" 'ok' --build-arg BASE=base:1
says "globals may use earlier globals" "ARG x=base\nARG y=\$x:1\nFROM \$y AS a\nRUN echo ok >/out$tail" 'ok'
says "defaults may use what stands before, also in one line" "FROM base:1 AS a\nARG x=1 y=\$x-2\nRUN echo \"[\$y]\" >/out$tail" '[1-2]'
says "an ARG without any value is not set" "FROM base:1 AS a\nARG v\nRUN echo \"[\${v-unset}]\" >/out$tail" '[unset]'
says "a child stage has its parent's ARGs and ENV" "FROM base:1 AS p\nARG v=1\nENV e=2\nFROM p AS a\nRUN echo \"[\$v\$e]\" >/out$tail" '[12]'
says "a sibling does not" "FROM base:1 AS p\nARG v=1\nFROM base:1 AS a\nRUN echo \"[\$v]\" >/out$tail" '[]'
says "ENV after ARG wins" "FROM base:1 AS a\nARG v=1\nENV v=2\nRUN echo \"[\$v]\" >/out$tail" '[2]' --build-arg v=9
says "ARG after ENV wins" "FROM base:1 AS a\nENV v=2\nARG v=1\nRUN echo \"[\$v]\" >/out$tail" '[1]'
says "... over the base's too" "FROM base:1 AS a\nARG OLD=new\nRUN echo \"[\$OLD]\" >/out$tail" '[new]'
says "before its line an ARG is nothing" "FROM base:1 AS a\nENV e=[\$v]\nARG v=1\nRUN echo \$e >/out$tail" '[]'
says "words of one ENV see what was before it" "FROM base:1 AS a\nENV x=1\nENV x=2 y=\$x\nRUN echo \"[\$x\$y]\" >/out$tail" '[21]'
export GIVEN='from outside'
says "--build-arg K is the environment's" "FROM base:1 AS a\nARG GIVEN=d\nRUN echo \"[\$GIVEN]\" >/out$tail" '[from outside]' --build-arg GIVEN
unset GIVEN
says "... and nothing when it is not there" "FROM base:1 AS a\nARG GIVEN=d\nRUN echo \"[\$GIVEN]\" >/out$tail" '[d]' --build-arg GIVEN
says "an empty --build-arg is a value" "FROM base:1 AS a\nARG v=d\nRUN echo \"[\$v]\" >/out$tail" '[]' --build-arg v=
says "the last --build-arg of a name counts" "FROM base:1 AS a\nARG v\nRUN echo \"[\$v]\" >/out$tail" '[2]' --build-arg v=1 --build-arg v=2

arch=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
says "platform ARGs are there once declared" "FROM base:1 AS a\nARG TARGETPLATFORM\nARG TARGETOS TARGETARCH BUILDPLATFORM BUILDOS BUILDARCH\nRUN echo \$TARGETPLATFORM \$TARGETOS \$TARGETARCH \$BUILDPLATFORM \$BUILDOS \$BUILDARCH >/out$tail" "linux/$arch linux $arch linux/$arch linux $arch"
says "... not before" "FROM base:1 AS a\nRUN echo \"[\$TARGETPLATFORM]\" >/out$tail" '[]'
says "... with what has no value set and empty" "FROM base:1 AS a\nARG TARGETVARIANT TARGETOSVERSION BUILDVARIANT BUILDOSVERSION\nRUN echo \"[\${TARGETVARIANT-u}\${TARGETOSVERSION-u}\${BUILDVARIANT-u}\${BUILDOSVERSION-u}]\" >/out$tail" '[]'
says "... in FROM without declaring" "FROM --platform=\$BUILDPLATFORM base:1 AS a\nRUN echo ok >/out$tail" ok
says "... and --build-arg overrides them" "FROM base:1 AS a\nARG TARGETARCH\nRUN echo \"[\$TARGETARCH]\" >/out$tail" '[mine]' --build-arg TARGETARCH=mine
says "TARGETSTAGE is default" "FROM base:1 AS a\nARG TARGETSTAGE\nRUN echo \"[\$TARGETSTAGE]\" >/out$tail" '[default]'
file 'FROM base:1 AS a\nARG TARGETSTAGE\nRUN test "$TARGETSTAGE" = a\n'
t "... or the target's name" slipway build -f Dockerfile --target a ctx

says "proxies reach steps undeclared, in both spellings" "FROM base:1 AS a\nRUN echo \$HTTP_PROXY \$http_proxy \$ALL_PROXY \$no_proxy >/out$tail" 'http://p http://p q r' --build-arg HTTP_PROXY=http://p --build-arg ALL_PROXY=q --build-arg no_proxy=r
file 'FROM base:1\nRUN echo "$HTTPS_PROXY" >/out\n'
slipway build -f Dockerfile -t p:1 --build-arg HTTPS_PROXY=http://secret.example ctx >/dev/null 2>&1
t "... but no history" sh -c '! grep -rl secret.example "$SLIPWAY_ROOT/blobs"'
t "... and no key" sh -c 'slipway --progress plain build -f Dockerfile -t p:2 --build-arg HTTPS_PROXY=http://other ctx 2>err && grep -q CACHED err && ! grep -q DONE err'
file 'FROM base:1\nARG HTTPS_PROXY\nRUN echo "$HTTPS_PROXY" >/out\n'
slipway build -f Dockerfile --build-arg HTTPS_PROXY=http://one ctx >/dev/null 2>&1
t "... unless declared" sh -c 'slipway --progress plain build -f Dockerfile --build-arg HTTPS_PROXY=http://two ctx 2>err && grep -q DONE err'

# --- what a change of an ARG runs again ---
file 'FROM base:1\nRUN echo before >/x\nCOPY file /one\nARG v=1\nCOPY file /two\nARG w=1\nCOPY file /three$w\nRUN echo after >/y\n'
slipway build -f Dockerfile --build-arg v=1 ctx >/dev/null 2>&1
slipway --progress plain build -f Dockerfile --build-arg v=2 ctx >/dev/null 2>err
is "$(grep -c CACHED err) $(grep -c DONE err)" "4 1" "an ARG that only RUN can see runs RUN again, nothing before it and no COPY"
slipway --progress plain build -f Dockerfile --build-arg v=2 --build-arg w=2 ctx >/dev/null 2>err
is "$(grep -c CACHED err) $(grep -c DONE err)" "3 2" "an ARG in a COPY runs from there"
file 'FROM base:1\nARG v\nENV e=fixed\nWORKDIR /w\nRUN echo x >/y\n'
slipway build -f Dockerfile --build-arg v=1 ctx >/dev/null 2>&1
slipway --progress plain build -f Dockerfile --build-arg v=2 ctx >/dev/null 2>err
is "$(grep -c CACHED err)" 1 "WORKDIR does not see ARGs it does not use"

# --- what nobody takes ---
file 'FROM base:1\nARG a\n'
t "an argument that no ARG takes" slipway build -f Dockerfile --build-arg a=1 --build-arg b=2 ctx
t "... is told" has "$T/err" 'build argument b is not consumed'
t "... and the other not" lacks "$T/err" 'argument a'
t "proxies, platforms and control arguments are always taken" slipway build -f Dockerfile --build-arg http_proxy=x --build-arg TARGETARCH="$arch" --build-arg BUILDKIT_BUILD_NAME=n --build-arg SOURCE_DATE_EPOCH=1 ctx
t "... silently" lacks "$T/err" 'not consumed'
t "BUILDKIT_SANDBOX_HOSTNAME names the sandbox" sh -c 'printf "FROM base:1\nRUN test \$(hostname) = abc\n" >Dockerfile; slipway build -f Dockerfile --build-arg BUILDKIT_SANDBOX_HOSTNAME=abc ctx'
t "... and is part of the key" sh -c '! slipway build -f Dockerfile --build-arg BUILDKIT_SANDBOX_HOSTNAME=def ctx 2>err'
t "BUILDKIT_SBOM_SCAN_STAGE is no variable" sh -c 'printf "FROM base:1\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nRUN test -z \"\$BUILDKIT_SBOM_SCAN_STAGE\"\n" >Dockerfile; slipway build -f Dockerfile ctx'
t "BUILDKIT_INLINE_CACHE writes a cache into the config" sh -c 'slipway build -f Dockerfile -t cached:1 --build-arg BUILDKIT_INLINE_CACHE=1 ctx 2>err && grep -q slipway.cache.v1 "$SLIPWAY_ROOT"/blobs/sha256/*'
file 'FROM base:1\nARG n\nRUN --mount=type=cache,target=/c echo $n >>/c/log; cp /c/log /out\n'
mounted() { slipway build -f Dockerfile -o out --build-arg n="$1" --build-arg BUILDKIT_CACHE_MOUNT_NS="$2" ctx >/dev/null 2>&1 && tr '\n' ' ' <out/out; }
is "$(mounted 1 a)$(mounted 2 b)$(mounted 3 a)$(mounted 4 '')" "1 2 1 3 4 " "BUILDKIT_CACHE_MOUNT_NS tells caches apart"
t "one that nobody knows is refused" expect_status 2 'BUILDKIT_NEW is not carried out' slipway build -f Dockerfile --build-arg BUILDKIT_NEW=x ctx
