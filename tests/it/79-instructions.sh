#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What implementers miss of each instruction, in one image after the other: configs as skopeo reads them, files as umoci unpacks
# and tar lists them.
# shellcheck disable=SC2016 # Dockerfiles expand their own variables
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need root userns overlay busybox jq skopeo umoci

busybox_image base:1 'ENV E=base' 'CMD ["base"]' 'LABEL l=base' || { echo "Bail out! no base image"; exit 1; }
busybox_image base:2 'LABEL l=two' || { echo "Bail out! no base image"; exit 1; }
mkdir -p ctx/d/sub
echo x >ctx/file
echo y >ctx/d/sub/y
# reads TEXT [OPTIONS…]: it builds; its config in ./c, its OCI layout in ./img. printf's escapes work in TEXT
reads() {
    rm -rf img
    printf '%b' "$1" >Dockerfile
    shift
    slipway build -q -f Dockerfile -o type=oci,dest=img,tar=false,name=x:1 "$@" ctx && skopeo inspect --config --raw oci:img >c
}
row() { # NAME TEXT JQ [OPTIONS…]
    row_name=$1 row_text=$2 row_jq=$3
    shift 3
    t "$row_name" reads "$row_text" "$@"
    t "... $(printf %.100s "$row_jq")" json c "$row_jq"
}
refused() { # NAME TEXT ERROR [OPTIONS…]
    printf '%b' "$2" >Dockerfile
    re_name=$1 re_error=$3
    shift 3
    t "$re_name" expect_fail "$re_error" slipway build -f Dockerfile -o type=oci,dest=img,tar=false "$@" ctx
}
# unpacked: what umoci makes of ./img, in ./root
unpacked() {
    rm -rf root
    umoci unpack --image "img:$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' img/index.json)" root >umoci.log 2>&1 || { cat umoci.log >&2; return 1; }
}
looks() { # PATH MODE:UID:GID[:KIND]
    looks_got=$(stat -c '%a:%u:%g:%F' "root/rootfs/$1") || return 1
    case $looks_got in
    "$2"*) return 0 ;;
    esac
    echo "$1 is $looks_got, want $2" >&2
    return 1
}
layers='(.rootfs.diff_ids | length)'

# --- FROM
row "a stage's name shadows an image, in any case" 'FROM base:2 AS Base\nFROM bASE\nLABEL m=1\n' '.config.Labels == {"l":"two","m":"1"}'
row "... one with a tag does not" 'FROM base:2 AS base\nFROM base:1\n' '.config.Labels.l == "base"'
row "the later of two stages with a name" 'FROM base:1 AS s\nFROM base:2 AS s\nFROM s\n' '.config.Labels.l == "two"'
row "a stage's name has letters, digits, -, _ and ." 'FROM base:2 AS a-b_c.9\nFROM a-b_c.9\n' '.config.Labels.l == "two"'
for bad in 9a _a a/b a:b é; do
    refused "... not $bad" "FROM base:1 AS $bad\n" 'Dockerfile:1: stage name'
done
refused "FROM of two words" 'FROM base:1 AS\n' 'Dockerfile:1:'
refused "... without AS" 'FROM base:1 is x\n' 'Dockerfile:1:'
refused "... of four" 'FROM base:1 AS x y\n' 'Dockerfile:1:'
refused "... of nothing" 'ARG n\nFROM $n\n' 'Dockerfile:2:'
refused "a stage that comes later is an image" 'FROM later AS first\nFROM base:1 AS later\n' 'Dockerfile:1:' --target first --registry-endpoint docker.io=http://127.0.0.1:1
row "scratch has no layer, but a PATH" 'FROM scratch\nENV A=1\n' "$layers == 0 and .config.Env == [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"A=1\"]"
row "an image's own PATH stays" 'FROM base:1\nENV PATH=/mine\nRUN ["/bin/true"]\n' '[.config.Env[] | select(startswith("PATH="))] == ["PATH=/mine"]'
t "time of a base is not that of the image" sh -c '[ "$(jq -r .created c)" != "$(skopeo inspect --config --raw oci:img | jq -r ".history[0].created")" ]'
if can registry && start_registry; then
    slipway tag base:2 "$REGISTRY/two:1" && digest=$(slipway push -q "$REGISTRY/two:1") && slipway tag base:1 "$REGISTRY/two:1" && slipway push -q "$REGISTRY/two:1" >/dev/null
    slipway rm "$REGISTRY/two:1" >/dev/null
    row "of a tag and a digest the digest counts" "FROM $REGISTRY/two:1@${digest#*@}\n" '.config.Labels.l == "two"'
    row "COPY --from an image" "FROM scratch\nCOPY --from=$REGISTRY/two:1 /etc/passwd /p\n" "$layers == 1"
    t "... which was asked for" test "$(requests 'GET /v2/two/manifests/1')" -ge 1
else
    skip "a tag and a digest" "$why"
fi

# --- ARG, ENV: their forms
row "ARG of several" 'FROM scratch\nARG a=1 b c="3 4"\nLABEL x="$a$b$c"\n' '.config.Labels.x == "13 4"'
row "ENV over a base's" 'FROM base:1\nENV E=$E/more\n' '(.config.Env | index("E=base/more")) != null and ([.config.Env[] | select(startswith("E="))] | length) == 1'

# --- RUN
row "RUN in both forms" 'FROM base:1\nENV V=env\nRUN echo "$V" >/shell\nRUN ["/bin/sh", "-c", "echo $0 \\"$1\\" >/exec", "a", "$V"]\n' "$layers == 3"
t "umoci unpacks it" unpacked
is "$(cat root/rootfs/shell) $(cat root/rootfs/exec)" 'env a $V' "... the exec form knows no variables"
t "no stub of the sandbox is left" sh -c '[ ! -e root/rootfs/etc/resolv.conf ] && [ ! -e root/rootfs/etc/hosts ] && [ -z "$(ls -A root/rootfs/proc root/rootfs/sys root/rootfs/dev 2>/dev/null | grep -v :)" ]'
row "RUN with SHELL" 'FROM base:1\nSHELL ["/bin/sh", "-ec"]\nRUN false || true; echo $- >/flags\n' '.config.Shell == ["/bin/sh","-ec"]'
t "... runs in it" sh -c 'slipway build -q -f Dockerfile -o type=local,dest=o1 ctx && grep -q e o1/flags'
refused "RUN of an exec form that is not there" 'FROM base:1\nRUN ["/nowhere"]\n' 'Dockerfile:2: '

# --- COPY --from
printf 'FROM base:1 AS one\nWORKDIR /w\nRUN echo 1 >rel && echo 1 >/rel\nFROM base:1 AS two\nRUN echo 2 >/rel\nFROM scratch\nCOPY --from=one rel /a\nCOPY --from=0 w/rel /b\nCOPY --from=TWO rel /c\nCOPY --from=ctx2 f /d\n' >Dockerfile
mkdir -p ctx2
echo named >ctx2/f
t "COPY --from a stage's name, number, a named context" slipway build -q -f Dockerfile --build-context ctx2=ctx2 -o o2 ctx
is "$(cat o2/a o2/b o2/c o2/d | tr '\n' ' ')" "1 1 2 named " "... each from its root, not its working directory"
refused "COPY --from itself" 'FROM base:1 AS me\nCOPY --from=me /etc/passwd /p\n' 'Dockerfile:2:'
refused "... a number that is none yet" 'FROM base:1\nCOPY --from=1 /etc/passwd /p\nFROM base:2\n' 'Dockerfile:2:' --target 0
refused "... what is not there" 'FROM base:1 AS s\nFROM scratch\nCOPY --from=s /nowhere /p\n' 'Dockerfile:3: "nowhere" is not in'
row "a named context counts before stage and image" 'FROM base:1 AS s\nLABEL l=stage\nFROM s\n' '.config.Labels.l == "two"' --build-context s=docker-image://base:2

# --- COPY's and ADD's flags
row "owners and modes" 'FROM base:1\nCOPY --chown=app file /made/by/app\nCOPY --chown=app:0 --chmod=4750 file /s\nCOPY --chown=7 --chmod=u=rwX,go= d /dir\nADD --chown=8:9 --chmod=g+w file /t/\n' "$layers == 5"
t "umoci unpacks it" unpacked
t "a user brings its group" looks made/by/app 644:1000:1000
t "... its made parents too" looks made 755:1000:1000
t "an explicit group, setuid" looks s 4750:1000:0
t "a number is both" looks dir/sub/y 600:7:7
t "symbolic X is for directories" looks dir/sub 700:7:7
t "ADD has them" looks t/file 664:8:9
refused "a user that the image lacks" 'FROM base:1\nCOPY --chown=nobody-here file /\n' 'Dockerfile:2:'
refused "a mode that is none" 'FROM base:1\nCOPY --chmod=888 file /\n' 'Dockerfile:2:'
refused "--checksum on COPY" 'FROM base:1\nCOPY --checksum=sha256:00 file /\n' 'Dockerfile:2:'
refused "--checksum on a file of the context" "FROM base:1\nADD --checksum=sha256:$(printf x | sha256sum | cut -c1-64) file /\n" 'Dockerfile:2:'
row "--link follows no link of the image, and its parents are plain" 'FROM base:1\nRUN mkdir -m 700 /p && chown 5 /p && ln -s /etc /way\nCOPY --link file /p/q/f\nCOPY --link file /way/f\n' "$layers == 4"
t "umoci unpacks it" unpacked
t "... the parent is 0755 of root" looks p 755:0:0:directory
t "... the link gave way" looks way 755:0:0:directory
t "... and nothing went where it led" test ! -e root/rootfs/etc/f
(cd ctx && tar -czf plain.tgz d && cp plain.tgz noname && echo no tar >not.tar)
row "ADD unpacks by content, by a wildcard too" 'FROM scratch\nADD noname /a/\nADD plai* /b/\nADD not.tar /c/\nADD --unpack=false noname /d/\n' "$layers == 4"
t "umoci unpacks it" unpacked
t "... so" sh -c '[ -e root/rootfs/a/d/sub/y ] && [ -e root/rootfs/b/d/sub/y ] && [ -f root/rootfs/c/not.tar ] && [ -f root/rootfs/d/noname ]'
t "COPY unpacks nothing" sh -c 'printf "FROM scratch\nCOPY noname /a/\n" >Dockerfile; slipway build -q -f Dockerfile -o o3 ctx && [ -f o3/a/noname ]'

mkdir -p ctx/m/1 ctx/m/2
if mount -t tmpfs tmpfs ctx/m/1 && mount -t tmpfs tmpfs ctx/m/2; then
    on_exit "umount '$PWD/ctx/m/1' '$PWD/ctx/m/2'"
    echo one >ctx/m/1/f && ln ctx/m/1/f ctx/m/1/g
    echo two >ctx/m/2/f && ln ctx/m/2/f ctx/m/2/g
    is "$(stat -c %i ctx/m/1/f)" "$(stat -c %i ctx/m/2/f)" "two files of one number, on two devices"
    row "are two" 'FROM scratch\nCOPY m /m/\n' "$layers == 1"
    t "umoci unpacks it" unpacked
    is "$(cat root/rootfs/m/1/f root/rootfs/m/1/g root/rootfs/m/2/f root/rootfs/m/2/g | tr '\n' ' ')" "one one two two " "... each with its own"
    is "$(stat -c %h root/rootfs/m/1/f root/rootfs/m/2/g | tr '\n' ' ')" "2 2 " "... and its links"
    umount ctx/m/1 && umount ctx/m/2 && mount -t tmpfs tmpfs ctx/m/1 && mount -t tmpfs tmpfs ctx/m/2
    echo one >ctx/m/1/f && ln ctx/m/1/f ctx/m/1/g
    echo one >ctx/m/2/f && ln ctx/m/2/f ctx/m/2/g
    t "the same, all of one content" reads 'FROM scratch\nCOPY m /m/\n'
    t "umoci unpacks it" unpacked
    is "$(stat -c %h root/rootfs/m/1/f root/rootfs/m/2/g | tr '\n' ' ')" "2 2 " "... still two files"
else
    skip "two devices" "no tmpfs mount"
fi

# --- WORKDIR, USER, VOLUME
row "WORKDIR's directories are USER's, all that are made" 'FROM base:1\nUSER app\nWORKDIR /opt/a\nWORKDIR b/c/\nVOLUME /vol\nRUN touch mine && id -u >mine\nUSER 12345\nRUN id -u >/tmp/n && id -g >>/tmp/n\n' '.config.WorkingDir == "/opt/a/b/c" and .config.User == "12345"'
t "umoci unpacks it" unpacked
t "one" looks opt/a 755:1000:1000
t "two" looks opt/a/b 755:1000:1000
t "a parent too" looks opt 755:1000:1000
is "$(tr '\n' ' ' <root/rootfs/tmp/n)" "12345 0 " "a number that passwd lacks has group 0"
t "VOLUME makes no directory" test ! -e root/rootfs/vol
row "what RUN writes to a volume stays" 'FROM base:1\nVOLUME /v\nRUN mkdir -p /v && echo kept >/v/f\n' '.config.Volumes == {"/v":{}}'
t "umoci unpacks it" unpacked
is "$(cat root/rootfs/v/f)" kept "... so"
row "a WORKDIR that is there makes no layer" 'FROM base:1\nWORKDIR /etc\nWORKDIR /\n' "$layers == 1 and .config.WorkingDir == \"/\""
refused "a user that is not there, at its RUN" 'FROM base:1\nUSER nobody-here\nRUN true\n' 'Dockerfile:3:'

# --- CMD, ENTRYPOINT, and what only the config has
row "ENTRYPOINT takes away the base's CMD" 'FROM base:1\nENTRYPOINT ["e"]\n' '.config.Cmd == null'
row "... not one of this stage, wherever it stands" 'FROM base:1\nENTRYPOINT ["e"]\nCMD ["c"]\nENTRYPOINT ["f"]\n' '.config.Cmd == ["c"] and .config.Entrypoint == ["f"]'
row "STOPSIGNAL by number" 'FROM scratch\nSTOPSIGNAL 9\n' '.config.StopSignal == "9"'
row "STOPSIGNAL by name, without SIG" 'FROM scratch\nSTOPSIGNAL TERM\n' '.config.StopSignal == "TERM"'
row "EXPOSE's ranges, protocols in small letters" 'FROM scratch\nEXPOSE 1-3/TCP 9/sctp 5/Udp\n' '(.config.ExposedPorts | keys) == ["1/tcp","2/tcp","3/tcp","5/udp","9/sctp"]'
row "EXPOSE of a mapping" 'FROM scratch\nEXPOSE 127.0.0.1:8080:80\n' '(.config.ExposedPorts | keys) == ["80/tcp"]'
row "a HEALTHCHECK's defaults are the runtime's" 'FROM scratch\nHEALTHCHECK --interval=0s --retries=0 CMD x y\n' '.config.Healthcheck == {"Test":["CMD-SHELL","x y"]}'
row "... all of it, with fractions and units" 'FROM scratch\nHEALTHCHECK --interval=1h2m3.5s --timeout=1500us --start-period=1ms --start-interval=2m --retries=1 CMD ["x"]\n' '.config.Healthcheck == {"Test":["CMD","x"],"Interval":3723500000000,"Timeout":1500000,"StartPeriod":1000000,"StartInterval":120000000000,"Retries":1}'
row "LABEL and --label, MAINTAINER" 'FROM base:1\nLABEL l=file m=file\nMAINTAINER  me <me@x>\n' '.config.Labels == {"l":"cli","m":"file"} and .author == "me <me@x>"' --label l=cli
row "SHELL, ONBUILD, HEALTHCHECK are in OCI configs, and inherited" 'FROM base:1 AS a\nSHELL ["/bin/sh","-xc"]\nHEALTHCHECK CMD h\nFROM a\nONBUILD RUN echo\nCMD c\n' '.config.Shell == ["/bin/sh","-xc"] and .config.Healthcheck.Test == ["CMD-SHELL","h"] and .config.OnBuild == ["RUN echo"] and .config.Cmd == ["/bin/sh","-xc","c"] and .config.ArgsEscaped == true'
refused "SHELL in shell form" 'FROM scratch\nSHELL /bin/sh -c\n' 'Dockerfile:2:'

# --- ONBUILD
printf 'FROM base:1\nONBUILD ARG v=1\nONBUILD COPY <<E /here\n[$v]\nE\nONBUILD COPY --from=base:2 /etc/passwd /p\nONBUILD RUN --mount=type=bind,target=/m cat /m/file >/x\nONBUILD WORKDIR /ob\n' >Dockerfile
t "an image with triggers" slipway build -q -f Dockerfile -t trigger:1 ctx
row "they fire" 'FROM trigger:1\nCMD ["after"]\n' '.config.WorkingDir == "/ob" and (.config.OnBuild // []) == [] and .config.Cmd == ["after"]' --build-arg v=2
t "umoci unpacks it" unpacked
is "$(cat root/rootfs/here root/rootfs/x | tr '\n' ' ')" "[2] x " "... heredocs and mounts too"
t "... and COPY --from" test -s root/rootfs/p
for bad in 'ONBUILD RUN x' 'FROM x' 'MAINTAINER x' 'NOPE x' ''; do
    refused "no trigger: ONBUILD $bad" "FROM base:1\nONBUILD $bad\n" 'Dockerfile:2:'
done

# --- jobs: as many at once as there are cores, without a word
if [ "$(nproc)" -ge 2 ]; then
    start barrier.log python3 "$SOURCE_DIR/tests/fake/barrier.py"
    wait_for 10 test -s barrier.log
    port=$(cat barrier.log)
    printf 'FROM base:1 AS left\nRUN timeout 20 nc 127.0.0.1 %s </dev/null >/f\nFROM base:1 AS right\nRUN timeout 20 nc 127.0.0.1 %s </dev/null >/f # other\nFROM scratch\nCOPY --from=left /f /l\nCOPY --from=right /f /r\n' "$port" "$port" >Dockerfile
    t "two stages meet, without --jobs" slipway build -q -f Dockerfile -o o4 ctx
    is "$(cat o4/l o4/r | tr '\n' ' ')" "both are here both are here " "... so both ran at once"
else
    skip "two stages meet" "one core"
fi
