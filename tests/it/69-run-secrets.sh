#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A secret that gets into anything the build keeps fails the build: the line and the place are named, the value never is.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
mkdir -p ctx/sub
VALUE='s3cr3t/Value+of=39 bytes, not to be seen'
printf '%s\n' "$VALUE" >secret
{ echo '-----BEGIN KEY-----'; for i in 1 2 3 4 5 6 7 8; do echo "line $i of a key that is long enough to be wrapped by base64"; done; echo '-----END KEY-----'; } >key
echo harmless >ctx/a
printf 'before %s after\n' "$VALUE" >ctx/leak
echo 'ctx/none' >ctx/sub/b
S='--mount=type=secret,id=tok'
K='--mount=type=secret,id=key'
# bad NAME ID WHAT LINES: the build fails at a line, the error has ID and WHAT, and neither it nor the store has the value
bad() {
    name=$1 id=$2 what=$3
    shift 3
    printf 'FROM base:1\nRUN true\n' >Dockerfile
    printf "$@" >>Dockerfile
    t "$name: refused" expect_fail "$what" slipway --progress plain build ${OPTIONS-} --secret id=tok,src=secret --secret id=key,src=key -f Dockerfile -t bad:1 ctx
    cp "$T/err" said
    t "$name: the secret is named, and the line" matches said "^slipway: .*Dockerfile:[3-9].*secret $id"
    t "$name: the value is not" lacks said 's3cr3t'
    t "$name: ... nor in the store" sh -c '! grep -rqF -e s3cr3t -e "line 3 of a key" "$SLIPWAY_ROOT/cache" "$SLIPWAY_ROOT/index.json" "$SLIPWAY_ROOT/tmp"'
    t "$name: nothing got a name" sh -c '! grep -q "library/bad:1" "$SLIPWAY_ROOT/index.json"'
    t "$name: no layer holds it" sh -c 'for b in "$SLIPWAY_ROOT"/blobs/sha256/*; do (gzip -dc "$b" 2>/dev/null || cat "$b") | grep -qF -e s3cr3t -e "line 3 of a key" && exit 1; done; exit 0'
}
bad "a file" tok 'is in the layer, in /app/conf' "RUN $S mkdir /app && cat /run/secrets/tok >/app/conf\n"
bad "in the middle of a big file" tok 'in /big' "RUN $S (head -c 3000001 /dev/zero; cat /run/secrets/tok; head -c 3000000 /dev/zero) >/big\n"
bad "base64" tok 'in /b' "RUN $S base64 </run/secrets/tok >/b\n"
bad "base64, one byte on" tok 'in /b' "RUN $S (printf x; cat /run/secrets/tok) | base64 -w 0 >/b\n"
bad "base64, two bytes on" tok 'in /b' "RUN $S (printf xy; cat /run/secrets/tok; echo and more) | base64 -w 0 >/b\n"
bad "a key" key 'in /root/.ssh/id' "RUN $K mkdir -p /root/.ssh && cp /run/secrets/key /root/.ssh/id\n"
bad "a key, in lines of base64" key 'in /k' "RUN $K base64 /run/secrets/key >/k\n"
bad "a file's name" tok 'as the name of a file' "RUN $S mkdir -p \"/x/\$(cat /run/secrets/tok)\"\n"
bad "a link" tok 'in the link or the attributes of /l' "RUN $S ln -s \"\$(cat /run/secrets/tok)\" /l\n"
bad "a variable of the step" tok 'in /env' "RUN --mount=type=secret,id=tok,env=TOK env >/env\n"
bad "COPY" tok 'in /c/leak' "COPY leak /c/\n"
bad "COPY of a heredoc" tok 'in /h' "COPY <<EOF /h\nx $VALUE\nEOF\n"
bad "RUN's own text" tok "is in the step's text"  "RUN true '$VALUE'\n"
bad "ENV" tok 'is in the image'"'"'s config, at config.Env[' "ENV TOK=\"$VALUE\"\n"
bad "LABEL" tok 'at config.Labels' "LABEL a=\"$VALUE\"\n"
OPTIONS="--build-arg T=aVerySecretArgument1 --secret id=arg,env=SECRET_ARG"
SECRET_ARG=aVerySecretArgument1
export SECRET_ARG
bad "ARG, by the history" arg 'at history[' "ARG T\nRUN true; true\n"
OPTIONS=''
bad "what is printed" tok 'the command printed the value of secret' "RUN $S cat /run/secrets/tok; echo after\n"
t "... its place is taken" has said '[secret tok]'
bad "what a failing step prints" tok 'all it printed is in' "RUN $S echo \"key: \$(cat /run/secrets/tok).\"; false\n"
t "... in the log, too" sh -c 'cat "$SLIPWAY_ROOT"/cache/logs/* | grep -qF "key: [secret tok]."'
bad "piece by piece" tok 'the command printed' "RUN $S for i in \$(cat /run/secrets/tok | fold -w 1 | sed \"s/ /_/g\"); do printf %%s \"\$i\" | tr _ \" \"; sleep 0.01; done; echo\n"

t "--label" expect_status 2 'the value of secret tok is in a --label' slipway build --label "a=$VALUE" --secret id=tok,src=secret ctx
t "... not shown" lacks "$T/err" s3cr3t

# What is no leak.
printf 'FROM base:1\nRUN %s test -s /run/secrets/tok && md5sum /run/secrets/tok && mkdir -p /etc/app && touch /etc/app/x\nRUN --mount=type=cache,target=/c %s cp /run/secrets/tok /c/\nCOPY a /\n' "$S" "$S" >Dockerfile
t "a secret that is only used" slipway --progress plain build --secret id=tok,src=secret -f Dockerfile -t good:1 ctx
printf 'FROM base:1\nRUN echo 1234567 >/x\n' >Dockerfile
printf 1234567 >short
t "a value of 7 bytes is not looked for" slipway build --secret id=tok,src=short -f Dockerfile -t good:2 ctx
printf 'FROM base:1\nCOPY leak /\n' >Dockerfile
t "without secrets nothing is looked for" slipway build -f Dockerfile -t good:3 ctx
t "a remembered layer is not searched" slipway build --secret id=tok,src=secret -f Dockerfile -t good:4 ctx
t "... with --no-cache it is" expect_fail 'in /leak' slipway build --no-cache --secret id=tok,src=secret -f Dockerfile -t good:5 ctx

# The ways to give one.
give() { # WANT OPTION…: md5 of what arrives
    want=$(printf %s "$1" | md5sum | cut -d' ' -f1)
    shift
    printf 'FROM base:1\nRUN --mount=type=secret,id=tok [ "$(md5sum </run/secrets/tok)" = "%s  -" ]\n' "$want" >Dockerfile
    slipway build --no-cache "$@" -f Dockerfile -t g:1 ctx
}
TOK_ENV=from-the-environment tok=by-its-name
export TOK_ENV tok
printf 'from a file' >file
printf 'by id' >"id,with comma"
t "src" give 'from a file' --secret id=tok,src=file
t "source, type=file" give 'from a file' --secret type=file,id=tok,source=file
t "env" give "$TOK_ENV" --secret id=tok,env=TOK_ENV
t "type=env" give "$TOK_ENV" --secret type=env,id=tok,src=TOK_ENV
t "id alone: the variable" give "$tok" --secret id=tok
t "quotes" give 'by id' --secret 'id=tok,"src=id,with comma"'
unset tok
cp file tok
t "id alone: the file" give 'from a file' --secret id=tok
t "the last one counts" give 'from a file' --secret id=tok,env=TOK_ENV --secret id=tok,src=file
t "a variable that is not set is empty" give '' --secret id=tok,env=TOK_UNSET
t "... and told" has "$T/err" 'the variable TOK_UNSET is not set'
t "a file that is not there" expect_fail 'secret tok: ' slipway build --secret id=tok,src=no/such ctx
head -c 600000 /dev/zero >big
t "one that is too big" expect_fail '' slipway build --secret id=tok,src=big ctx
t "no id" expect_status 2 'there is no id' slipway build --secret src=file ctx
t "an unknown key" expect_status 2 'unknown key "file"' slipway build --secret id=tok,file=x ctx
t "both" expect_status 2 'give src or env, not both' slipway build --secret id=tok,src=file,env=TOK_ENV ctx

# Nothing shows the value while a step runs: not in any command line, and in no environment but the step's own.
printf 'FROM base:1\nRUN --mount=type=secret,id=tok sleep 3\n' >Dockerfile
start run.log slipway build --no-cache --secret id=tok,src=secret -f Dockerfile -t run:1 ctx
t "a step that has a secret" wait_for 10 pgrep -x sleep
t "no process shows it" sh -c 'head -c 12 secret >pattern; ! cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n" | grep -qF -f pattern'
