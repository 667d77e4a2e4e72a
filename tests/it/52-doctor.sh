#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway doctor: what the host allows, in words and as JSON, and what it says where it allows nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay user subids jq busybox
chmod 755 "$T"

slipway doctor >said
is $? 0 "doctor finds a way"
t "... and says which" matches said '^RUN and slipway run are carried out with isolation (root|userns)$'
t "as JSON" slipway doctor --json
cp "$T/out" doctor.json
t "... with a verdict on each" json doctor.json '.run == true and (.probes | length) > 8 and all(.probes[]; .name and .what and (.ok or (.why | length > 10)))'
t "... this machine's programs run" json doctor.json '[.probes[] | select(.name == "amd64" or .name == "arm64") | .ok] | any'
t "nothing is left in the store" sh -c '[ -z "$(ls -A "$SLIPWAY_ROOT")" ]'
t "as an ordinary user" as_user slipway doctor --json
cp "$T/out" doctor.json
t "... userns" json doctor.json '.isolation == "userns" and .run'
t "... root is not for users" json doctor.json '.probes[] | select(.name == "root") | .why | contains("needs to be started by root")'

t "... in words and as a name, with what helps" json doctor.json 'all(.probes[] | select(.ok | not); has("error") and has("remedy") and has("errno"))'
t "... in milliseconds (10 on an idle machine)" json doctor.json '.took_us > 0 and .took_us < 2000000'

# Hosts that allow less. doctor SPEC RUNG: what it says there goes to doctor.json
doctor() {
    on_host "$1" slipway doctor --json >doctor.json 2>doctor.err
    t "$1: $2" json doctor.json ".isolation == \"$2\" and .run == $([ "$2" = none ] && echo false || echo true)"
}
says() { t "... $1: $2" json doctor.json "[.probes[] | select(.name == \"$1\") | .ok == false and .error == $(jq -n --arg x "$2" 'if $x == "" then null else $x end') and (\"\(.why) \(.remedy)\" | contains(\"$3\"))] == [true]"; }
if ! can root; then
    skip "hosts that allow less" "not root"
    exit
fi
doctor docker-default chroot
says root EPERM "start it with --security-opt seccomp=unconfined"
says userns EPERM "start it with --security-opt seccomp=unconfined"
says tun EACCES "--device /dev/net/tun"
says cgroup EROFS "limits hold for single processes only"
KUBERNETES_SERVICE_HOST=10.0.0.1 doctor docker-default chroot
says userns EPERM "securityContext.seccompProfile.type Unconfined"
doctor docker-default-user none
says single EPERM "start it with --security-opt seccomp=unconfined"
says chroot EPERM "needs to be started by root"
doctor kubernetes userns
says root EPERM "lacks CAP_SYS_ADMIN"
says proc EPERM "masked"
doctor kubernetes-user single
doctor "kubernetes+overlay=$SLIPWAY_ROOT" userns
says overlay EINVAL "put it on a volume"
doctor restricted none
says privileges EPERM no_new_privs
doctor single single
says userns ENOENT "/etc/subuid gives user 4321 no subordinate ids"
says userns ENOENT "as root: echo 4321:"
says ids EINVAL "only 1 id"
doctor single-root single
says root EINVAL "only 1 id"
doctor no-userns root
says userns ENOSPC "sysctl -w user.max_user_namespaces"
doctor user-no-userns none
says userns ENOSPC "sysctl -w user.max_user_namespaces"
doctor user-no-newuidmap single
says userns ENOENT "as root: $(. /etc/os-release && [ "$ID" = debian ] && echo apt-get install uidmap)"
doctor user-nnp single
says userns "" "newuidmap failed with status 1"
says userns "" "newuidmap gains nothing under no_new_privs"
doctor ubuntu-apparmor none
says single EACCES "a security module"
on_host ubuntu-apparmor slipway doctor >said
t "in plain words: why no better one" has said "isolation single is not used: map ids: write"
t "... and the end of it" matches said '^RUN and slipway run are not possible here; every other instruction is$'

# An account that lost its line in /etc/subuid, and one with few ids.
nobody_ids() {
    unshare --mount sh -c "mount --bind $1 /etc/subuid && exec setpriv --reuid $test_user --regid $test_user --init-groups env -i PATH=$USER_HOME/bin:/usr/bin:/bin:/usr/sbin HOME=$USER_HOME slipway doctor --json" >doctor.json 2>doctor.err
}
: >none
nobody_ids "$PWD/none"
t "no line in /etc/subuid: one id is left" json doctor.json '.isolation == "single" and .run'
says userns ENOENT "as root: usermod --add-subuids 100000-165535 --add-subgids"
echo "$test_user:700000:1000" >few
nobody_ids "$PWD/few"
t "few ids are enough to begin with" json doctor.json '.isolation == "userns" and .run'
says ids EINVAL "as root: usermod --add-subuids 701000-766535"
# What a build says there: the rung, why no better one, what helps.
busybox_image base:1
printf 'FROM base:1\nRUN true\n' >Dockerfile
on_host docker-default slipway --progress plain build . >build.out 2>build.err
t "a build tells which rung, and why no better one" has build.err "isolation chroot: commands run in a plain directory, for namespaces cannot be had here (root: make a mount namespace: Operation not permitted; userns, single: make a user namespace: Operation not permitted; the container's seccomp profile forbids it"
on_host kubernetes slipway --progress plain build --no-cache . >build.out 2>build.err
t "... nothing where there is nothing to gain" lacks build.err isolation
t "a rung that was asked for says what would help" expect_fail 'isolation "userns" is not possible here: make a user namespace: Operation not permitted; the container' on_host docker-default slipway build --isolation userns .
