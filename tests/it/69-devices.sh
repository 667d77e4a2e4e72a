#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# RUN --device: devices of the Container Device Interface, as root and as an ordinary user. What the command sees of them, what
# the image does not, what needs --allow, and what of a specification counts for the cache.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq user subids

blob() { echo "$STORE/blobs/$(echo "$1" | tr : /)"; }
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$STORE/index.json"; }
layer() { blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest x:1)")")"; }
sw() { if [ "$who" = root ]; then slipway "$@"; else as_user slipway "$@"; fi; }
give() { [ "$who" = root ] || chown -R "$test_user:" "$D"; }
# run FLAGS COMMAND: with $OPTIONS; what it writes to /o/out is in $T/got
run() {
    printf 'FROM base:1\nRUN mkdir -m 777 /o\nRUN %s (%s) >/o/out 2>&1\n' "$1" "$2" >"$D/Dockerfile"
    give
    sw --progress plain build --cdi-spec-dir "$D/cdi" --cdi-spec-dir "$D/later" ${OPTIONS-} -f "$D/Dockerfile" -t x:1 "$D/ctx" || return
    tar -xOzf "$(layer)" o/out >"$T/got"
    cat "$T/got"
}
got() { is "$(cat "$T/got")" "$1" "$2"; }
number() { stat -c '%t:%T' "$1"; }

everything() {
    who=$1 OPTIONS='--allow device'
    mkdir -p "$D/cdi" "$D/later" "$D/ctx" "$D/lib"
    echo driver >"$D/lib/file"
    mkfifo -m 600 "$D/pipe"
    cat >"$D/cdi/vendor.yaml" <<Y
cdiVersion: "0.6.0"
kind: vendor1.com/device
containerEdits:
  env: [ SPEC=yes ]
devices:
- name: foo
  annotations:
    org.mobyproject.buildkit.device.class: fast
  containerEdits:
    env: [ FOO=injected, PATH=/bin ]
    deviceNodes:
    - path: /dev/foo/zero
      hostPath: /dev/zero
      type: c
      major: 1
      minor: 5
      permissions: rw
    mounts:
    - hostPath: $D/lib
      containerPath: /opt/vendor/lib
      options: [ ro, nosuid, nodev, noexec, rbind, rprivate ]
- name: free
  annotations:
    org.mobyproject.buildkit.device.autoallow: "true"
  containerEdits:
    env: [ FREE=1 ]
Y
    cat >"$D/cdi/odd.json" <<J
{"cdiVersion": "1.0.0", "kind": "odd.com/device", "devices": [
 {"name": "hook", "containerEdits": {"hooks": [{"hookName": "createContainer", "path": "/bin/true"}]}},
 {"name": "gone", "containerEdits": {"deviceNodes": [{"path": "/dev/gone"}]}},
 {"name": "other", "containerEdits": {"deviceNodes": [{"path": "/dev/null", "type": "c", "major": 9, "minor": 9}]}},
 {"name": "file", "containerEdits": {"deviceNodes": [{"path": "$D/lib/file"}]}},
 {"name": "owned", "containerEdits": {"deviceNodes": [{"path": "/dev/mine", "hostPath": "/dev/null", "uid": 5, "permissions": "r"}]}},
 {"name": "pipe", "containerEdits": {"deviceNodes": [{"path": "/dev/pipe", "hostPath": "$D/pipe", "type": "p"}]}},
 {"name": "group", "containerEdits": {"additionalGids": [44]}}]}
J
    t "$who: a device in a step" run '--device=vendor1.com/device=foo' 'echo $FOO $SPEC $PATH; stat -c %t:%T /dev/foo/zero; head -c 3 /dev/foo/zero | od -An -tx1; cat /opt/vendor/lib/file; echo x >/opt/vendor/lib/new || echo kept; grep /opt/vendor/lib /proc/self/mountinfo | grep -o "ro,[a-z,]*noexec"'
    got "$(printf 'injected yes /bin\n%s\n 00 00 00\ndriver\n/bin/sh: can'"'"'t create /opt/vendor/lib/new: Read-only file system\nkept\nro,nosuid,nodev,noexec' "$(number /dev/zero)")" "$who: ... its node, mount and variables"
    tar -tzf "$(layer)" >list
    is "$(sort list | tr '\n' ' ')" "o/ o/out " "$who: nothing of it is in the layer"
    t "$who: nor in the config" sh -c "! grep -q injected '$(blob "$(jq -r .config.digest "$(blob "$(manifest x:1)")")")'"
    t "$who: not in the next step" run '' 'echo "[$FOO]"; ls /dev/foo /opt 2>&1 | wc -l'
    got "$(printf '[]\n2')" "$who: ... indeed"
    t "$who: the same, from the cache" run '--device=vendor1.com/device=foo' 'echo $FOO $SPEC'
    t "$who: ... once more" run '--device=vendor1.com/device=foo' 'echo $FOO $SPEC'
    t "$who: ... a hit" lacks "$T/err" DONE
    sed -i 's/FOO=injected/FOO=changed/' "$D/cdi/vendor.yaml"
    t "$who: another specification" run '--device=vendor1.com/device=foo' 'echo $FOO $SPEC'
    got 'changed yes' "$who: ... is a miss"
    t "$who: the first of a kind" run '--device=vendor1.com/device' 'echo $FOO$FREE'
    got changed "$who: ... by name"
    t "$who: all of a kind" run '--device=vendor1.com/device=*' 'echo $FOO$FREE'
    got changed1 "$who: ... so"
    t "$who: a class" run '--device=name=vendor1.com/device=fast,required=true' 'echo $FOO$FREE'
    got changed "$who: ... so"
    t "$who: two devices" run '--device=vendor1.com/device=foo --device=vendor1.com/device=free' 'echo $FOO$FREE'
    got changed1 "$who: ... both"
    printf '{"cdiVersion":"0.6.0","kind":"vendor1.com/device","devices":[{"name":"foo","containerEdits":{"env":["FOO=later"]}}]}' >"$D/later/v.json"
    t "$who: a later directory" run '--device=vendor1.com/device=foo' 'echo $FOO$SPEC'
    got later "$who: ... counts"
    echo '{' >"$D/later/v.json"
    t "$who: a broken file" run '--device=vendor1.com/device=foo' 'echo $FOO'
    got changed "$who: ... takes nothing away"
    t "$who: ... but is told" has "$T/err" "$D/later/v.json: line"
    rm "$D/later/v.json"
    mkfifo "$D/later/v.json"
    t "$who: a pipe for a file is not waited for" run '--device=vendor1.com/device=foo' 'echo $FOO once more'
    t "$who: ... but told" has "$T/err" "$D/later/v.json: "
    rm "$D/later/v.json"
    t "$who: a node" run '--device=odd.com/device=pipe' 'chmod 777 /dev/pipe || echo kept; (echo through >/dev/pipe &) ; cat </dev/pipe'
    t "$who: ... takes what is written" grep -qx through "$T/got"
    is "$(stat -c %a "$D/pipe")" 600 "$who: ... but no other mode on the host"
    t "$who: groups" run '--device=odd.com/device=group' 'id -G'
    t "$who: ... are added" grep -qw 44 "$T/got"
    t "$who: an owner that the node cannot have" run '--device=odd.com/device=owned' 'stat -c %t:%T /dev/mine'
    got "$(number /dev/null)" "$who: ... leaves the node as it is"
    t "$who: ... with a warning" has "$T/err" '/dev/mine keeps the owner, the mode and the permissions that /dev/null has here'

    t "$who: a device that is not there" run '--device=vendor1.com/device=none' 'echo ran'
    got ran "$who: ... is done without"
    t "$who: ... with a warning" has "$T/err" 'RUN --device=vendor1.com/device=none: there is no such device'
    t "$who: unless it is required" expect_fail 'Dockerfile:3: RUN --device: vendor1.com/device=none is required' run '--device=vendor1.com/device=none,required' true
    t "$who: ... which is told before anything is built" lacks "$T/err" '] RUN mkdir'
    t "$who: one with hooks" expect_fail "Dockerfile:3: RUN --device: device odd.com/device=hook ($D/cdi/odd.json) needs hooks, which is not supported" run '--device=odd.com/device=hook' true
    t "$who: one whose node is gone" expect_fail 'RUN --device: device node /dev/gone: No such file or directory' run '--device=odd.com/device=gone' true
    t "$who: ... with its line" has "$T/err" 'Dockerfile:3'
    t "$who: one whose node is another" expect_fail 'RUN --device: /dev/null is character device 1:3 here, and not what the specification says' run '--device=odd.com/device=other' true
    t "$who: one whose node is none" expect_fail 'is no device node' run '--device=odd.com/device=file' true
    OPTIONS=''
    t "$who: without --allow" expect_fail 'Dockerfile:3: RUN --device: device vendor1.com/device=foo is not allowed without --allow device=vendor1.com/device=foo' run '--device=vendor1.com/device=foo' true
    t "$who: one that allows itself" run '--device=vendor1.com/device=free' 'echo $FREE'
    got 1 "$who: ... needs none"
    OPTIONS='--allow device=vendor1.com/device=foo'
    t "$who: --allow for one" run '--device=vendor1.com/device=foo' 'echo ok'
    t "$who: ... is not for others" expect_fail 'odd.com/device=group is not allowed' run '--device=odd.com/device=group' true
    if [ "$who" = root ]; then
        OPTIONS='--allow device --isolation chroot'
        t "$who: where nothing can be mounted" expect_fail 'RUN --device: /dev/pipe needs a mount, and isolation chroot and in-place have none' run '--device=odd.com/device=pipe' true
        t "$who: ... groups can be had all the same" run '--device=odd.com/device=group' 'id -G'
        t "$who: ... and are" grep -qw 44 "$T/got"
    fi
    OPTIONS='--allow device=odd.com/device'
    t "$who: --allow for a kind" run '--device=odd.com/device=group' 'echo ok'
}

if can root; then
    STORE=$SLIPWAY_ROOT D=$T/work/d
    busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
    everything root
else
    skip "devices as root" "not root"
fi
as_user true
STORE=$USER_HOME/store D=$USER_HOME/d
[ -f "$T/busybox.tar" ] || { busybox_image base:1; }
cp "$T/busybox.tar" "$USER_HOME/"
as_user slipway import --change 'CMD ["/bin/sh"]' "$USER_HOME/busybox.tar" base:1 >/dev/null || { echo "Bail out! no base image"; exit 1; }
everything user
