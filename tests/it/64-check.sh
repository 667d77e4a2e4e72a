#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway build --check and --call: each of docker's 22 build checks is made by a Dockerfile and not by its mended
# twin; exit status, JSON, `# check=`, the summary of an ordinary build; outline, targets and --print-ast.
# shellcheck disable=SC2016 # Dockerfiles expand their own variables
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq

busybox_image base:1 'ENV BASE_VERSION=1' || { echo "Bail out! no base image"; exit 1; }
# The store is an OCI layout: read it with jq, not with our own program.
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
config() { blob "$(jq -r .config.digest "$(blob "$(manifest "$1")")")"; }
mkdir -p ctx
echo a >ctx/a
echo b >ctx/secret.txt
echo secret.txt >ctx/.dockerignore

args='' # more options for these
# shellcheck disable=SC2086
rules() { slipway build --call=check,format=json,ignorestatus=true $args ctx | jq -r '.warnings[].ruleName' | sort -u | tr '\n' ' '; }

# RULE, the text of its message, a Dockerfile that violates it and no other, its twin.
# shellcheck disable=SC2086
rule() {
    printf '%b' "$3" >ctx/Dockerfile
    t "$1" expect_status 1 '' slipway build --check $args ctx
    t "... with its text" has "$T/out" "$2"
    t "... with its excerpt" matches "$T/out" '^ +[0-9]+ \| >>> '
    is "$(rules)" "$1 " "... and no other"
    printf '%b' "$4" >ctx/Dockerfile
    t "... and its twin is sound" slipway build --check $args ctx
    is "$(cat "$T/out")" "Check complete, no warnings found." "... which it says"
}

rule StageNameCasing "Stage name 'Web' should be lowercase" 'FROM base:1 AS Web\n' 'FROM base:1 AS web\n'
rule FromAsCasing "'as' and 'FROM' keywords' casing do not match" 'FROM base:1 as web\n' 'FROM base:1 AS web\n'
rule NoEmptyContinuation 'Empty continuation line' 'FROM base:1\nRUN true \\\n\n  && true\n' 'FROM base:1\nRUN true \\\n# and\n  && true\n'
rule ConsistentInstructionCasing "Command 'run' should match the case of the command majority (uppercase)" 'FROM base:1\nrun true\n' 'FROM base:1\nRUN true\n'
rule DuplicateStageName 'Duplicate stage name "b", stage names should be unique' 'FROM base:1 AS b\nFROM base:1 AS b\n' 'FROM base:1 AS b\nFROM base:1 AS c\n'
rule ReservedStageName 'Stage name should not use the same name as reserved stage "context"' 'FROM base:1 AS context\n' 'FROM base:1 AS ctx\n'
rule JSONArgsRecommended 'JSON arguments recommended for CMD to prevent unintended behavior related to OS signals' 'FROM base:1\nCMD sleep 1\n' 'FROM base:1\nCMD ["sleep", "1"]\n'
rule MaintainerDeprecated 'Maintainer instruction is deprecated in favor of using label' 'FROM base:1\nMAINTAINER me\n' 'FROM base:1\nLABEL org.opencontainers.image.authors=me\n'
rule UndefinedArgInFrom "FROM argument 'TAG' is not declared" 'FROM base:${TAG:-1}\n' 'ARG TAG\nFROM base:${TAG:-1}\n'
rule WorkdirRelativePath 'Relative workdir "app" can have unexpected results if the base image changes' 'FROM base:1\nWORKDIR app\n' 'FROM base:1\nWORKDIR /app\nWORKDIR sub\n'
rule UndefinedVar "Usage of undefined variable '\$BASE_VERSON' (did you mean \$BASE_VERSION?)" 'FROM base:1\nLABEL v=$BASE_VERSON\n' 'FROM base:1\nLABEL v=$BASE_VERSION\n'
rule MultipleInstructionsDisallowed 'Multiple CMD instructions should not be used in the same stage because only the last one will be used' 'FROM base:1\nCMD ["a"]\nCMD ["b"]\n' 'FROM base:1 AS a\nCMD ["a"]\nFROM a\nCMD ["b"]\n'
rule LegacyKeyValueFormat '"ENV key=value" should be used instead of legacy "ENV key value" format' 'FROM base:1\nENV a b\n' 'FROM base:1\nENV a=b\n'
rule RedundantTargetPlatform 'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior' 'FROM --platform=$TARGETPLATFORM base:1\n' 'FROM --platform=$BUILDPLATFORM base:1\n'
rule SecretsUsedInArgOrEnv 'Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")' 'FROM base:1\nARG API_TOKEN\n' 'FROM base:1\nARG API_TOKEN_FILE\n'
args='--build-arg TAG=1'
rule InvalidDefaultArgInFrom 'Default value for ARG base:$TAG results in empty or invalid base image name' 'ARG TAG\nFROM base:$TAG\n' 'ARG TAG=1\nFROM base:$TAG\n'
args=''
rule FromPlatformFlagConstDisallowed 'FROM --platform flag should not use constant value "linux/amd64"' 'FROM --platform=linux/amd64 scratch\n' 'FROM --platform=linux/amd64 scratch AS tool-amd64\n'
rule CopyIgnoredFile 'Attempting to Copy file "secret.txt" that is excluded by .dockerignore' 'FROM base:1\nCOPY secret.txt /\n' 'FROM base:1\nCOPY a /\n'
rule InvalidDefinitionDescription 'Comment for FROM should follow the format: `# web <description>`' '# check=experimental=InvalidDefinitionDescription\n\n# the web server\nFROM base:1 AS web\n' '# check=experimental=all\n\n# web is the server\nFROM base:1 AS web\n'
rule ExposeProtoCasing "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase" 'FROM base:1\nEXPOSE 80/TCP\n' 'FROM base:1\nEXPOSE 80/tcp\n'
rule ExposeInvalidFormat "EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'" 'FROM base:1\nEXPOSE 127.0.0.1:80:80\n' 'FROM base:1\nEXPOSE 80\n'

# A base image for another platform, and one whose layers nobody needs.
if can registry && start_registry; then
    busybox_rootfs fs && tar -C fs -cf fs.tar .
    slipway import --platform linux/riscv64 fs.tar "$REGISTRY/other:1" >/dev/null && slipway push "$REGISTRY/other:1" >/dev/null 2>&1
    slipway tag base:1 "$REGISTRY/same:1" >/dev/null && slipway push "$REGISTRY/same:1" >/dev/null 2>&1
    platform=$(jq -r '"\(.os)/\(.architecture)"' "$(config base:1)")
    rule InvalidBaseImagePlatform "Base image $REGISTRY/other:1 was pulled with platform \"linux/riscv64\", expected \"$platform\" for current build" "FROM $REGISTRY/other:1\n" "FROM $REGISTRY/same:1\n"
    # A build takes it, says so, and the image says what it is.
    printf 'FROM %s/other:1\nLABEL a=b\n' "$REGISTRY" >ctx/Dockerfile
    slipway rm "$REGISTRY/other:1" >/dev/null
    t "a build is warned" slipway build -t foreign:1 ctx
    t "... by the rule" has "$T/err" ' - InvalidBaseImagePlatform: Base image '
    t "... and the image is for what its base is for" json "$(config foreign:1)" '.architecture == "riscv64"'
    is "$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "docker.io/library/foreign:1") | .platform.architecture' "$SLIPWAY_ROOT/index.json")" riscv64 "... in its descriptor too"
    printf 'FROM %s/other:1 AS o\nFROM o\nCOPY a /\n' "$REGISTRY" >ctx/Dockerfile
    t "... and one that is made from it is, too" slipway build -t foreign:2 ctx
    is "$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "docker.io/library/foreign:2") | .platform.architecture' "$SLIPWAY_ROOT/index.json")" riscv64 "... by its descriptor"
    mkdir empty
    printf 'FROM %s/same:1\nLABEL v=$BASE_VERSION\n' "$REGISTRY" >ctx/Dockerfile
    t "a base image that the store lacks is asked for its config" env SLIPWAY_ROOT="$T/work/empty" "$SLIPWAY" build --check ctx
    is "$(requests 'GET /v2/same/blobs/')" 1 "... and for nothing else"
    is "$(SLIPWAY_ROOT=$T/work/empty "$SLIPWAY" images -q)" "" "... and gets no name"
else
    skip "InvalidBaseImagePlatform" "$why"
fi
printf 'FROM 127.0.0.1:1/gone:1\nENV a b\n' >ctx/Dockerfile
t "a base image that cannot be had is an error" expect_fail '127.0.0.1:1/gone' slipway build --check ctx
t "... but not for the outline" slipway build --call=outline ctx

# Exit status and forms.
printf 'FROM base:1 as x\nMAINTAINER me\n' >ctx/Dockerfile
t "text" expect_status 1 '' slipway build --check ctx
t "... begins with the count" matches "$T/out" '^Check complete, 2 warnings have been found!$'
t "... has docker's line" matches "$T/out" '^WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/$'
t "--call=lint is the same" expect_status 1 '' slipway build --call=lint ctx
t "ignorestatus=true" slipway build --call=check,ignorestatus=true ctx
slipway build --call=check,format=json ctx >json
is $? 1 "JSON has the same exit status"
t "... and docker's keys" json json '.warnings | length == 2 and (.[0] | .ruleName == "FromAsCasing" and .url == "https://docs.docker.com/go/dockerfile/rule/from-as-casing/" and (.detail | startswith("\u0027as\u0027 and \u0027FROM\u0027 keywords")) and (.description | length > 0) and .location.ranges == [{"start": {"line": 1}, "end": {"line": 1}}])'
jq -r '.sources[0].data' json | base64 -d >source
t "... and the source" same source ctx/Dockerfile
t "one warning" expect_status 1 '' slipway build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing ctx
t "... is one" has "$T/out" 'Check complete, 1 warning has been found!'
printf 'FROM base:1 as x\nMAINTAINER me\nBADCMD\n' >ctx/Dockerfile
t "warnings come before an error" expect_fail 'Dockerfile:3: unknown instruction "BADCMD"' slipway build --check ctx
t "... both" has "$T/out" 'WARNING: FromAsCasing'
slipway build --call=check,format=json ctx >json 2>/dev/null
t "... in JSON too" json json '(.warnings | length == 2) and .buildError.message == "Dockerfile:3: unknown instruction \"BADCMD\"" and .buildError.location.ranges[0].start.line == 3'
t "a build says both, too" expect_fail 'Dockerfile:3: unknown instruction "BADCMD"' slipway build ctx
t "... in short" has "$T/err" ' - MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)'
printf 'FROM base:${TGA}\n' >ctx/Dockerfile
t "... a FROM that cannot be read, too" expect_fail 'Dockerfile:1: ' slipway build ctx
t "... in short " has "$T/err" " - UndefinedArgInFrom: FROM argument 'TGA' is not declared (line 1)"
t "a method that is none" expect_status 2 'build, check, outline, targets' slipway build --call=chekc ctx
t "two questions" expect_status 2 'exclude each other' slipway build --check --call=targets ctx
printf 'FROM base:1\n' >ctx/Dockerfile
slipway build --check -t asked:1 ctx >/dev/null
t "nothing is built or tagged" sh -c '! grep -q asked "$SLIPWAY_ROOT/index.json"'

# `# check=` for the file and for one instruction; an ordinary build.
printf '# check=skip=MaintainerDeprecated\nFROM base:1 as x\nMAINTAINER me\n# check=skip=all for now\nENV a b\nENV c d\n' >ctx/Dockerfile
is "$(rules)" "FromAsCasing LegacyKeyValueFormat " "check= leaves rules out, for the file and for one instruction"
t "a build says it in short, and succeeds" slipway build -t checked:1 ctx
t "... with the count" has "$T/err" ' 2 warnings found (use --check to expand):'
t "... and the lines" has "$T/err" " - FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 2)"
slipway build --metadata-file meta ctx >/dev/null 2>&1
t "... and the metadata file has docker's form of them" json meta '.["buildx.build.warnings"] | length == 2 and (.[0] | (.short | @base64d) == "FromAsCasing: \u0027as\u0027 and \u0027FROM\u0027 keywords\u0027 casing do not match (line 2)" and .level == 1 and (.url | endswith("from-as-casing/")) and .range[0].start.line == 2 and (.sourceInfo.data | @base64d | startswith("# check=")))'
t "... on standard error only" lacks "$T/out" warning
printf 'FROM base:1 AS a\nENV a b\nFROM a AS b\nENV c d\nFROM a AS c\nENV e f\n' >ctx/Dockerfile
t "a target" slipway build --target b ctx
is "$(grep -c LegacyKeyValueFormat "$T/err")" 2 "... is checked with what it needs, and no more"
printf 'FROM base:1 AS a\nONBUILD ARG FIRED=1\nFROM a\nLABEL x=$FIRED\n' >ctx/Dockerfile
t "triggers count for the stage that they fire in" slipway build --check ctx
printf '# check=error=true\nFROM base:1 as x\nRUN touch /ran\n' >ctx/Dockerfile
t "error=true fails the build" expect_fail 'lint violation found for rules: FromAsCasing' slipway build -t strict:1 ctx
t "... before its first step" lacks "$T/err" 'RUN touch'
t "... and has no image" sh -c '! grep -q strict "$SLIPWAY_ROOT/index.json"'
t "... unless the build argument says otherwise" slipway build -t strict:1 --build-arg BUILDKIT_DOCKERFILE_CHECK='skip=all;error=true' ctx
t "... --check says it too" expect_fail 'lint violation found' slipway build --check ctx
printf '# check=error=true\nFROM base:1 AS x\nLABEL v=$BASE_VERSION\n' >ctx/Dockerfile
t "... and looks at the base image first" slipway build ctx
printf '# check=skip\nFROM base:1\n' >ctx/Dockerfile
t "options that cannot be read are an error" expect_fail 'Dockerfile:1: check option "skip"' slipway build ctx
t "... with its line" has "$T/err" '>>> # check=skip'
printf 'FROM base:1\nRUN ['"'a'"']\n' >ctx/Dockerfile
t "our own warnings come on standard error, and are no violation" slipway build --check ctx
t "... by line" has "$T/err" 'Dockerfile:2: RUN […] is not JSON'
mkdir lower
printf 'FROM base:1\n' >lower/dockerfile
t "dockerfile is read where there is no Dockerfile" slipway build --check lower
printf '# check=skip=Nothing\nFROM base:1\n' >ctx/Dockerfile
t "a rule that does not exist is told" slipway build --check ctx
t "... by name" has "$T/err" 'there is no build check "Nothing"'

# Outline, targets, the parsed file.
cat >ctx/Dockerfile <<'D'
# syntax=docker/dockerfile:1
# TAG of the base image
ARG TAG=1
# build makes it
FROM base:${TAG} AS build
# LEVEL of optimisation
ARG LEVEL=2
ARG BASE=$BASE_VERSION
# web serves it
FROM build AS web
COPY <<E /x
body
E
D
t "targets" slipway build --call=targets ctx
printf 'TARGET        DESCRIPTION\nbuild         makes it\nweb (default) serves it\n' >want
t "... as docker prints them" same "$T/out" want
t "outline" slipway build --call outline --build-arg LEVEL=3 ctx
printf 'TARGET:      web\nDESCRIPTION: serves it\n\nBUILD ARG   VALUE   DESCRIPTION\nTAG         1       of the base image\nLEVEL       3       of optimisation\nBASE        1\n\n' >want
t "... as docker prints it" same "$T/out" want
slipway build --call=outline,format=json --target build ctx >json
t "... in JSON" json json '.name == "build" and (.args | map(.name) == ["TAG", "LEVEL", "BASE"]) and .args[1].description == "of optimisation"'
slipway build --call=targets,format=json ctx >json
t "targets in JSON" json json '(.targets | map(.name) == ["build", "web"]) and .targets[0].base == "base:${TAG}" and .targets[1].default == true and .targets[0].location.ranges[0].start.line == 5'
slipway build --print-ast ctx >json
t "--print-ast gives every line" json json '.version == 1 and .directives[0].name == "syntax" and (.comments | length == 4) and (.instructions | map(.instruction) == ["ARG", "FROM", "ARG", "ARG", "FROM", "COPY"]) and .instructions[5].lines == [11, 13] and .instructions[5].heredocs[0].lines == [12, 13] and .instructions[5].words[1].text == "/x"'
slipway build --print-ast ctx >again
t "... the same every time" same json again
t "a syntax directive is accepted" slipway build -v ctx
t "... and noted" has "$T/err" 'debug: syntax docker/dockerfile:1'
t "another syntax is an error" expect_fail 'build argument BUILDKIT_SYNTAX: syntax "example.com/x" is not supported' slipway build --build-arg BUILDKIT_SYNTAX=example.com/x ctx
t "questions need no store that can be written" env SLIPWAY_ROOT=/proc/nowhere "$SLIPWAY" build --call=targets ctx
tar -C ctx -cf ctx.tar Dockerfile
t "an archive is asked" sh -c 'slipway build --call=targets - <ctx.tar'
t "... and answers" has "$T/out" 'web (default) serves it'
t "a Dockerfile from standard input, too" sh -c 'printf "FROM base:1 as x\n" | slipway build --call=check,ignorestatus=true -'
t "... with its name in the excerpt" matches "$T/out" '^Dockerfile:1$'
t "... and parsed" sh -c 'printf "FROM base:1 as x\n" | slipway build --print-ast -f - ctx | jq -e ".instructions[0].stage == \"x\""'
if can user; then
    cp -a ctx "$USER_HOME/"
    chmod -R a+rX "$USER_HOME"
    t "an ordinary user asks" as_user sh -c 'slipway build --call=targets ~/ctx'
    t "... and is answered" has "$T/out" 'web (default) serves it'
else
    skip "an ordinary user asks" "$why"
fi
