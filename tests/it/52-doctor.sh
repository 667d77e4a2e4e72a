#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway doctor: what the host allows, in words and as JSON, and what it says where it allows nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay user subids jq
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

# Hosts that allow less, made from this one.
as_user sh -c 'unshare --user --map-root-user sh -c "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all --inh-caps -all slipway doctor --json"' >none.json 2>none.err
t "no user namespaces: no RUN" json none.json '.isolation == "none" and .run == false'
t "... with the kernel's reason and the remedy" json none.json '.probes[] | select(.name == "userns") | .why | contains("No space left on device") and contains("sysctl -w user.max_user_namespaces")'
if can root; then
    unshare --mount sh -c "mount --bind /dev/null /etc/subuid && setpriv --reuid $test_user --regid $test_user --init-groups env -i PATH=$USER_HOME/bin:/usr/bin:/bin HOME=$USER_HOME slipway doctor --json" >none.json 2>none.err
    t "no subordinate ids: one id is left" json none.json '.isolation == "single" and .run'
    t "... with the remedy" json none.json ".probes[] | select(.name == \"userns\") | .why | contains(\"/etc/subuid gives user $test_user no subordinate ids; as root: usermod --add-subuids 100000-165535 $test_user\")"
    unshare --mount sh -c "mount --bind /dev/null /usr/bin/newuidmap && setpriv --reuid $test_user --regid $test_user --init-groups env -i PATH=$USER_HOME/bin:/usr/bin:/bin HOME=$USER_HOME slipway doctor --json" >none.json 2>none.err
    t "no newuidmap: one id is left" json none.json '.isolation == "single" and .run'
    t "... named" json none.json '.probes[] | select(.name == "userns") | .why | contains("newuidmap")'
    setpriv --no-new-privs --reuid "$test_user" --regid "$test_user" --init-groups env -i PATH="$USER_HOME/bin:/usr/bin:/bin" HOME="$USER_HOME" slipway doctor --json >none.json 2>none.err
    t "no_new_privs: one id is left" json none.json '.isolation == "single" and .run'
    t "... newuidmap's words and the likely cause" json none.json '.probes[] | select(.name == "userns") | .why | contains("newuidmap failed with status") and contains("no_new_privs")'
    # Root of a container that may unshare but not mount: capabilities as Docker leaves them.
    setpriv --bounding-set=-all,+chown,+dac_override,+fsetid,+fowner,+setgid,+setuid,+setfcap,+setpcap,+kill --inh-caps=-all \
        slipway doctor --json >none.json 2>none.err
    t "root without CAP_SYS_ADMIN: a user namespace written directly" json none.json '.isolation == "userns" and .run'
else
    skip "hosts that allow less" "not root"
fi
