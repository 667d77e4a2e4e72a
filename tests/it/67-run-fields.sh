#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a RUN step is remembered by: each field that could change its result, changed alone, is a miss; what could not is a hit.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
busybox_image other:1 || { echo "Bail out! no base image"; exit 1; }
rm -rf ctx
mkdir -p ctx/sub
echo a >ctx/a
echo b >ctx/sub/b
echo hidden >ctx/ign
echo ign >ctx/.dockerignore
echo 12345678secret >secret

# One RUN, the last step: is it remembered? $1 becomes its flags, $2 lines before it, $3 its text, $4 options of build.
file() {
    printf 'FROM base:1 AS one\nRUN mkdir /d && echo 1 >/d/f && echo 2 >/g\nFROM base:1\n%s\nRUN %s %s\n' "${2-}" "${1-}" "${3-true}" >Dockerfile
}
built() { # options…
    slipway --progress plain build "$@" -f Dockerfile -t f:1 ctx >"$T/built.out" 2>"$T/built" || { cat "$T/built" >&2; return 1; }
    n=$(sed -n 's/^#\([0-9]*\) \[stage-1 [0-9]*\/[0-9]*\] RUN.*/\1/p' "$T/built" | tail -n 1)
    cat "$T/built" >&2
    grep -q "^#$n CACHED" "$T/built" && echo hit || echo miss
}
# hit NAME / miss NAME: the same instruction as in `was`, after one change, which stands in the environment:
# FLAGS LINES TEXT OPTIONS of before, and new ones after "--"
compare() { # hit|miss NAME FLAGS LINES TEXT OPTIONS -- FLAGS LINES TEXT OPTIONS
    want=$1 name=$2
    file "$3" "$4" "$5"
    built $6 >/dev/null || { not_ok "$name: the first build"; return; }
    is "$(built $6)" hit "$name: again is remembered"
    file "$8" "$9" "${10}"
    is "$(built ${11})" "$want" "$name: changed alone is a $want"
}
m='--mount=source=sub,target=/m'
compare miss "text" '' '' true '' -- '' '' 'true; true' ''
compare miss "form" '' '' '["/bin/true"]' '' -- '' '' '/bin/true' ''
compare miss "SHELL" '' '' true '' -- '' 'SHELL ["/bin/sh", "-ec"]' true ''
compare miss "USER" '' 'USER 0' true '' -- '' 'USER 0:5' true ''
compare miss "WORKDIR" '' 'WORKDIR /' true '' -- '' 'WORKDIR /etc' true ''
compare miss "ENV" '' 'ENV A=1' true '' -- '' 'ENV A=2' true ''
compare miss "ARG" '' 'ARG B=1' true '' -- '' 'ARG B=1' true '--build-arg B=2'
compare hit "ARG that is not declared" '' '' true '' -- '' '' true '--build-arg A=2'
compare hit "proxy" '' '' true '--build-arg HTTP_PROXY=a' -- '' '' true '--build-arg HTTP_PROXY=b'
compare miss "--network of RUN" '' '' true '' -- '--network=none' '' true ''
compare hit "--network of RUN, as it is anyway" '' '' true '' -- '--network=default' '' true ''
compare miss "--network of build" '' '' : '' -- '' '' : '--network none'
compare hit "both the same" '' '' true '--network none' -- '--network=none' '' true ''
compare miss "--security" '' '' true '--allow security.insecure' -- '--security=insecure' '' true '--allow security.insecure'
compare hit "--allow" '' '' true '' -- '' '' true '--allow network.host'
compare miss "--add-host" '' '' true '--add-host a:10.0.0.1' -- '' '' true '--add-host a:10.0.0.2'
compare miss "--shm-size" '' '' true '' -- '' '' true '--shm-size 1m'
compare miss "--ulimit soft" '' '' true '--ulimit nofile=10:20' -- '' '' true '--ulimit nofile=11:20'
compare miss "--ulimit hard" '' '' true '--ulimit nofile=10:20' -- '' '' true '--ulimit nofile=10:21'
compare miss "--ulimit name" '' '' true '--ulimit nproc=50:60' -- '' '' true '--ulimit core=50:60'
compare miss "a mount" '' '' true '' -- '--mount=type=tmpfs,target=/t' '' true ''
compare miss "type" '--mount=type=tmpfs,target=/t' '' true '' -- '--mount=type=cache,target=/t' '' true ''
compare miss "target" "$m" '' true '' -- '--mount=source=sub,target=/n' '' true ''
compare miss "source" "$m" '' true '' -- '--mount=source=a,target=/m' '' true ''
compare miss "rw" "$m" '' true '' -- "$m,rw" '' true ''
compare miss "from" "$m" '' true '' -- '--mount=from=one,source=d,target=/m' '' true ''
compare miss "source of a stage" '--mount=from=one,source=d,target=/m' '' true '' -- '--mount=from=one,source=g,target=/m' '' true ''
compare miss "size" '--mount=type=tmpfs,target=/t' '' true '' -- '--mount=type=tmpfs,target=/t,size=1m' '' true ''
compare miss "id" '--mount=type=cache,target=/t' '' true '' -- '--mount=type=cache,target=/t,id=x' '' true ''
compare miss "sharing" '--mount=type=cache,target=/t' '' true '' -- '--mount=type=cache,target=/t,sharing=locked' '' true ''
compare miss "mode" '--mount=type=cache,target=/t' '' true '' -- '--mount=type=cache,target=/t,mode=0700' '' true ''
compare miss "uid" '--mount=type=cache,target=/t,uid=1' '' true '' -- '--mount=type=cache,target=/t,uid=2' '' true ''
compare miss "gid" '--mount=type=cache,target=/t,gid=1' '' true '' -- '--mount=type=cache,target=/t,gid=2' '' true ''
compare miss "variable of a secret" '--mount=type=secret,id=k,env=A' '' true '' -- '--mount=type=secret,id=k,env=B' '' true ''
compare miss "required" '--mount=type=secret,id=k' '' true '--secret id=k,src=secret' -- '--mount=type=secret,id=k,required' '' true '--secret id=k,src=secret'
compare hit "a secret's being given" '--mount=type=secret,id=k' '' true '' -- '--mount=type=secret,id=k' '' true '--secret id=k,src=secret'
echo another-value >secret
compare hit "its value" '--mount=type=secret,id=k' '' true '' -- '--mount=type=secret,id=k' '' true '--secret id=k,src=secret'
compare miss "variables in a mount" '--mount=source=${S},target=/m' 'ARG S=sub' true '' -- '--mount=source=${S},target=/m' 'ARG S=a' true ''

# The content that is mounted.
content() { # hit|miss NAME COMMAND: after COMMAND a context that is mounted whole
    file '--mount=target=/ctx'
    built >/dev/null
    is "$(built)" hit "$2: before"
    sh -c "$3"
    is "$(built)" "$1" "$2: is a $1"
}
content hit "times" 'find ctx -exec touch -d "2001-01-01 00:00" {} +'
content hit "what is left out" 'echo other >ctx/ign'
content miss "content" 'echo A >ctx/a'
content miss "content of the same size and time" 'touch -r ctx/a stamp; echo Z >ctx/a; touch -r stamp ctx/a'
content miss "a name" 'mv ctx/sub/b ctx/sub/c'
content miss "a mode" 'chmod 755 ctx/a'
content miss "a directory's mode" 'chmod 700 ctx/sub'
content miss "a new file" 'touch ctx/new'
content miss "a link" 'ln -s a ctx/link'
content miss "a link's target" 'ln -sfn sub ctx/link'
content miss "an empty directory" 'mkdir ctx/empty'
content miss "the ignore file's effect" 'echo "*.md" >>ctx/.dockerignore'
setfattr -n user.x -v 1 ctx/a 2>/dev/null && content miss "an attribute" 'setfattr -n user.x -v 2 ctx/a'
if can root; then content hit "owners, which are not to be seen" 'chown -R 5:6 ctx'; fi
file '--mount=source=sub,target=/m'
built >/dev/null
echo changed >ctx/a
is "$(built)" hit "what is not mounted does not count"
file '--mount=from=one,source=d,target=/m'
built >/dev/null
sed -i 's/echo 2/echo 3/' Dockerfile
is "$(built)" hit "a stage that was made anew, with the same files where the mount looks"
sed -i 's/echo 1/echo 4/' Dockerfile
is "$(built)" miss "and with others"
