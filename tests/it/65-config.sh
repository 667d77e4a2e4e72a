#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The image config that instructions make, one by one, and the history: as skopeo reads it out of an OCI layout.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq skopeo

export SOURCE_DATE_EPOCH=1700000000
busybox_image base:1 'ENV FROMBASE=1' 'LABEL base=yes' 'EXPOSE 7/tcp' 'USER app' || { echo "Bail out! no base image"; exit 1; }
unset SOURCE_DATE_EPOCH
mkdir -p ctx
echo x >ctx/file
config() { skopeo inspect --config --raw oci:img; }
# build TEXT [OPTIONS…]: config in ./c; printf's escapes work
build() {
    rm -rf img
    printf '%b' "$1" >Dockerfile
    shift
    slipway build -q -f Dockerfile -o type=oci,dest=img,tar=false "$@" ctx && config >c
}
row() { # NAME TEXT JQ [OPTIONS…]
    row_name=$1 row_text=$2 row_jq=$3
    shift 3
    t "$row_name: builds" build "$row_text" "$@"
    t "... $row_jq" json c "$row_jq"
}
refused() { # NAME TEXT ERROR
    printf '%b' "$2" >Dockerfile
    t "$1" expect_fail "$3" slipway build -f Dockerfile -o type=oci,dest=img,tar=false ctx
}

row "FROM scratch" 'FROM scratch\nCOPY file /\n' '.config.Env == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] and .os == "linux" and .architecture != null and .created != null'
row "a base's config is inherited" 'FROM base:1\n' '.config.User == "app" and .config.Labels == {"base":"yes"} and .config.ExposedPorts == {"7/tcp":{}} and (.config.Env | index("FROMBASE=1") != null) and .config.Cmd == ["/bin/sh"]'
row "ENV" 'FROM base:1\nENV A=1 B="$A x" FROMBASE=2\nENV C d e\nENV A=3\n' '[.config.Env[] | select(test("^(A|B|C|FROMBASE)="))] == ["FROMBASE=2","A=3","B= x","C=d e"]'
row "LABEL" 'FROM base:1\nENV v=w\nLABEL a=1 "b c"="$v" base=no\n' '.config.Labels == {"a":"1","b c":"w","base":"no"}'
row "--label wins over LABEL" 'FROM base:1\nLABEL a=1 b=2\n' '.config.Labels == {"a":"9","b":"2","base":"yes"}' --label a=9
row "EXPOSE" 'FROM scratch\nARG p="90 91/udp"\nEXPOSE 80 443/TCP 53/udp 8000-8002/tcp $p\n' '(.config.ExposedPorts | keys) == ["443/tcp","53/udp","80/tcp","8000/tcp","8001/tcp","8002/tcp","90/tcp","91/udp"]'
row "VOLUME" 'FROM scratch\nVOLUME /a /b\nVOLUME ["/c d"]\n' '(.config.Volumes | keys) == ["/a","/b","/c d"]'
row "USER" 'FROM scratch\nARG u=7\nUSER $u:8\n' '.config.User == "7:8"'
row "WORKDIR" 'FROM base:1\nUSER 0\nWORKDIR /a\nWORKDIR b\nENV d=c\nWORKDIR $d/\n' '.config.WorkingDir == "/a/b/c" and (.rootfs.diff_ids | length) == 4'
row "CMD, shell form" 'FROM scratch\nCMD echo $HOME "a b"\n' '.config.Cmd == ["/bin/sh","-c","echo $HOME \u0022a b\u0022"] and .config.ArgsEscaped == true'
row "CMD, exec form" 'FROM scratch\nCMD ["a","$b"]\n' '.config.Cmd == ["a","$b"]'
row "the last CMD counts" 'FROM scratch\nCMD ["a"]\nCMD ["b"]\n' '.config.Cmd == ["b"]'
row "CMD []" 'FROM base:1\nCMD []\n' '.config.Cmd == null'
row "ENTRYPOINT resets the base's CMD" 'FROM base:1\nENTRYPOINT ["e"]\n' '.config.Entrypoint == ["e"] and .config.Cmd == null'
row "... not the stage's own" 'FROM base:1\nCMD ["c"]\nENTRYPOINT e $f\n' '.config.Entrypoint == ["/bin/sh","-c","e $f"] and .config.Cmd == ["c"]'
row "ENTRYPOINT []" 'FROM scratch AS a\nENTRYPOINT ["x"]\nFROM a\nENTRYPOINT []\n' '.config.Entrypoint == null'
row "CMD of a parent stage is inherited, so reset" 'FROM scratch AS a\nCMD ["x"]\nFROM a\nENTRYPOINT ["y"]\n' '.config.Cmd == null'
row "SHELL" 'FROM base:1\nSHELL ["/bin/sh","-e","-c"]\nCMD x\nENTRYPOINT y\n' '.config.Shell == ["/bin/sh","-e","-c"] and .config.Cmd == ["/bin/sh","-e","-c","x"] and .config.Entrypoint == ["/bin/sh","-e","-c","y"]'
row "SHELL of a parent stage" 'FROM base:1 AS a\nSHELL ["/bin/sh","-ec"]\nFROM a\nCMD x\n' '.config.Shell == ["/bin/sh","-ec"] and .config.Cmd == ["/bin/sh","-ec","x"]'
row "STOPSIGNAL" 'FROM scratch\nARG s=SIGQUIT\nSTOPSIGNAL $s\n' '.config.StopSignal == "SIGQUIT"'
row "HEALTHCHECK, shell form" 'FROM scratch\nHEALTHCHECK --interval=1m30s --timeout=5s --start-period=2s --start-interval=500ms --retries=4 CMD curl $x || exit 1\n' '.config.Healthcheck == {"Test":["CMD-SHELL","curl $x || exit 1"],"Interval":90000000000,"Timeout":5000000000,"StartPeriod":2000000000,"StartInterval":500000000,"Retries":4}'
row "HEALTHCHECK, exec form" 'FROM scratch\nHEALTHCHECK CMD ["a","b"]\n' '.config.Healthcheck == {"Test":["CMD","a","b"]}'
row "HEALTHCHECK NONE" 'FROM scratch AS a\nHEALTHCHECK CMD x\nFROM a\nHEALTHCHECK none\n' '.config.Healthcheck == {"Test":["NONE"]}'
row "ONBUILD" 'FROM scratch\nONBUILD RUN a && b\nONBUILD copy . /src\n' '.config.OnBuild == ["RUN a && b","copy . /src"] and (.history | length) == 0'
row "MAINTAINER" 'FROM scratch\nMAINTAINER Jane <jane@example.org>\n' '.author == "Jane <jane@example.org>"'

refused "STOPSIGNAL of no signal" 'FROM scratch\nSTOPSIGNAL SIGNOPE\n' 'Dockerfile:2: STOPSIGNAL: "SIGNOPE" is no signal'
refused "HEALTHCHECK under a millisecond" 'FROM scratch\nHEALTHCHECK --interval=1us CMD x\n' 'Dockerfile:2:'
refused "HEALTHCHECK with a bad duration" 'FROM scratch\nHEALTHCHECK --timeout=5 CMD x\n' 'Dockerfile:2:'
refused "HEALTHCHECK with negative retries" 'FROM scratch\nHEALTHCHECK --retries=-1 CMD x\n' 'Dockerfile:2:'
refused "HEALTHCHECK of an unknown type" 'FROM scratch\nHEALTHCHECK EXEC x\n' 'Dockerfile:2:'
refused "HEALTHCHECK NONE with a command" 'FROM scratch\nHEALTHCHECK NONE x\n' 'Dockerfile:2:'
refused "SHELL in shell form" 'FROM scratch\nSHELL /bin/sh -c\n' 'Dockerfile:2:'
refused "EXPOSE of no port" 'FROM scratch\nEXPOSE 70000\n' 'Dockerfile:2:'
refused "EXPOSE of a range backwards" 'FROM scratch\nEXPOSE 90-80\n' 'Dockerfile:2:'
refused "EXPOSE of no protocol" 'FROM scratch\nEXPOSE 80/icmp\n' 'Dockerfile:2:'
refused "ONBUILD of ONBUILD" 'FROM scratch\nONBUILD ONBUILD RUN x\n' 'Dockerfile:2:'
refused "ONBUILD FROM" 'FROM scratch\nONBUILD FROM x\n' 'Dockerfile:2:'
refused "a VOLUME that is nothing" 'FROM scratch\nVOLUME $nothing\n' 'Dockerfile:2: VOLUME'

# --- history: the words that scanners look for ---
t "every instruction" build 'FROM base:1\nARG a=1 b\nENV c="d e" f=g\nUSER 0:0\nWORKDIR /w\nCOPY --chown=1:2 --chmod=600 file ./\nADD file /z\nRUN echo hi\nRUN ["true","x y"]\nLABEL l="m n"\nEXPOSE 80 81\nVOLUME /v\nSTOPSIGNAL 9\nSHELL ["/bin/sh","-ec"]\nHEALTHCHECK --retries=3 CMD h i\nENTRYPOINT ["p","q r"]\nCMD s t\nMAINTAINER me\nWORKDIR /\nONBUILD RUN no\n'
jq -r '.history[] | select(.comment == "buildkit.dockerfile.v0") | "\(if .empty_layer then "-" else "L" end) \(.created_by)"' c >got
cat >want <<'H'
- ARG a=1 b
- ENV c=d e f=g
- USER 0:0
L WORKDIR /w
L COPY --chown=1:2 --chmod=600 file ./ # buildkit
L ADD file /z # buildkit
L RUN |2 a=1 b= /bin/sh -c echo hi # buildkit
L RUN |2 a=1 b= true x y # buildkit
- LABEL l=m n
- EXPOSE [80/tcp 81/tcp]
- VOLUME [/v]
- STOPSIGNAL 9
- SHELL [/bin/sh -ec]
- HEALTHCHECK {Test:[CMD-SHELL h i] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:3}
- ENTRYPOINT ["p" "q r"]
- CMD ["/bin/sh" "-ec" "s t"]
- MAINTAINER me
- WORKDIR /
H
t "history is worded as docker's builder words it" same got want
t "... each entry has a time, layers and entries agree" json c '(all(.history[]; .created != null)) and ((.history | map(select(.empty_layer != true)) | length) == (.rootfs.diff_ids | length))'

# --- SOURCE_DATE_EPOCH ---
text='FROM base:1\nUSER 0\nENV a=b\nCOPY file /new\nRUN touch /made && mkdir /dir\n'
touch -d @1600000000 ctx/file
t "SOURCE_DATE_EPOCH of the environment" env SOURCE_DATE_EPOCH=1650000000 sh -c 'printf "$1" >Dockerfile; rm -rf img; slipway build -q -f Dockerfile -o type=oci,dest=img,tar=false ctx' sh "$text"
config >c
cp -a img img.env
t "... is the image's time" json c '.created == "2022-04-15T05:20:00Z"'
t "... and that of the new history, the base's keeps its own" json c '([.history[] | select(.comment == "buildkit.dockerfile.v0") | .created] | unique) == ["2022-04-15T05:20:00Z"]'
t "as a build argument it is the same image" build "$text" --build-arg SOURCE_DATE_EPOCH=1650000000
is "$(jq -r '.manifests[0].digest' img/index.json)" "$(jq -r '.manifests[0].digest' img.env/index.json)" "... byte by byte"
layer() { jq -r ".layers[$1].digest" "img/blobs/$(jq -r '.manifests[0].digest' img/index.json | tr : /)" | tr : /; }
TZ=UTC tar --full-time -tvzf "img/blobs/$(layer -1)" >list
t "times in new layers are cut there" sh -c 'grep -q "2022-04-15 05:20:00 made" list && ! grep -v "2022-04-15 05:20:00\|1970" list'
TZ=UTC tar --full-time -tvzf "img/blobs/$(layer -2)" >list
t "... earlier ones stay" grep -q '2020-09-13 12:26:40 new' list
TZ=UTC tar --full-time -tvzf "img/blobs/$(layer 0)" >list
t "... and the base's layer is untouched" matches list '2023-11-14 22:13:20 (./)?bin/busybox'
t "--build-arg wins over the environment" env SOURCE_DATE_EPOCH=5 sh -c 'rm -rf img; slipway build -q -f Dockerfile -o type=oci,dest=img,tar=false --build-arg SOURCE_DATE_EPOCH=1650000000 ctx'
is "$(jq -r '.manifests[0].digest' img/index.json)" "$(jq -r '.manifests[0].digest' img.env/index.json)" "... with the same digest"
t "ARG shows it to a step" env SOURCE_DATE_EPOCH=77 sh -c 'printf "FROM base:1\nARG SOURCE_DATE_EPOCH\nRUN test \$SOURCE_DATE_EPOCH = 77\n" >Dockerfile; slipway build -f Dockerfile ctx'
t "a time that is none" expect_status 2 'SOURCE_DATE_EPOCH: "context"' slipway build --build-arg SOURCE_DATE_EPOCH=context ctx
printf "FROM base:1\n" >Dockerfile
t "rewrite-timestamp=true is what is done" env SOURCE_DATE_EPOCH=5 slipway build -f Dockerfile -o type=image,rewrite-timestamp=true ctx
t "... =false is refused" env SOURCE_DATE_EPOCH=5 sh -c '! slipway build -f Dockerfile -o type=image,rewrite-timestamp=false ctx 2>err && grep -q "never later" err'
t "... =true without a time says that it does nothing" sh -c 'slipway build -f Dockerfile -o type=image,rewrite-timestamp=true ctx 2>err && grep -q "no effect without SOURCE_DATE_EPOCH" err'
