#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What comes out of a build: --output in all its types, codecs, annotations, metadata; judged by tar, skopeo, umoci and zstd.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq skopeo umoci zstd registry

export SOURCE_DATE_EPOCH=1700000000
busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
unset SOURCE_DATE_EPOCH
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
named() { grep -q "\"docker.io/library/$1\"" "$SLIPWAY_ROOT/index.json"; }
mkdir -p ctx
head -c 300000 /dev/zero >ctx/zero
echo hello >ctx/hello
cat >ctx/Dockerfile <<'D'
FROM base:1 AS make
RUN mkdir -p /out/bin /out/closed /out/opt && echo prog >/out/bin/prog && chmod 4755 /out/bin/prog && ln /out/bin/prog /out/bin/again && ln -s ../bin/prog /out/opt/link && ln -s /etc/passwd /out/abs && echo gone >/out/gone && chmod 0555 /out/closed && chown 7:8 /out/opt && mkfifo /out/fifo && echo x >/out/bin/zz
FROM scratch
COPY --from=make /out /
COPY hello zero /data/
FROM base:1 AS app
COPY zero /zero
RUN echo one >/one
D
# --- files ---
t "-o DIR" slipway build --target 1 -o out ctx
is "$(cat "$T/out")" "" "... says nothing on standard output"
is "$(stat -c %a out/bin/prog)" 4755 "... keeps modes"
is "$(stat -c %i out/bin/prog)" "$(stat -c %i out/bin/again)" "... and hard links"
is "$(readlink out/opt/link) $(readlink out/abs)" "../bin/prog /etc/passwd" "... and symbolic links, as they are"
is "$(stat -c %a out/closed) $(stat -c %F out/fifo)" "555 fifo" "... and closed directories, and pipes"
t "... contents are the context's" same out/data/zero ctx/zero
[ "$(id -u)" -ne 0 ] || is "$(stat -c %u:%g out/opt)" 7:8 "... root gets the image's owners"
t "nothing temporary is left" sh -c '! find out -name ".slipway*" | grep .'
t "the build gave no name and no image" sh -c '! jq -e ".manifests[] | select(.annotations == null)" "$SLIPWAY_ROOT/index.json"'
echo mine >out/mine
echo changed >out/bin/prog
t "again over it" slipway build --target 1 -o out ctx
is "$(cat out/mine) $(cat out/bin/prog)" "mine prog" "... puts right what changed, leaves what is mine"
t "mode=delete removes what is not of the build" slipway build --target 1 -o type=local,dest=out,mode=delete ctx
t "... all of it" sh -c '[ ! -e out/mine ] && [ -e out/bin/prog ] && [ -d out/closed ]'
t "... but never where we are" expect_status 2 'mode=delete: . holds .; give it a directory of its own' slipway build --target 1 -o type=local,dest=.,mode=delete ctx
t "... nor the context" expect_status 2 'mode=delete: ctx holds ctx;' slipway build --target 1 -o type=local,dest=ctx,mode=delete ctx
t "... nor a named one, through links" sh -c 'mkdir -p deep/er && ln -s deep shallow && ! slipway build --target 1 --build-context n=deep/er -o type=local,dest=shallow,mode=delete ctx 2>err && grep -q "shallow holds deep/er" err'
t "... nor the store" sh -c '! slipway build --target 1 -o type=local,dest="$SLIPWAY_ROOT/..",mode=delete ctx 2>err && grep -q "mode=delete" err'
mkdir -p away trap
ln -s ../away trap/bin
ln -s ../away/file trap/gone
t "links in the directory are not followed" slipway build --target 1 -o trap ctx
is "$(find away | wc -l) $(stat -c %F trap/bin) $(cat trap/gone)" "1 directory gone" "... they are replaced"
mkdir -p blocked/gone
t "a directory in a file's place is an error" expect_fail 'blocked: gone is a directory there and a file in the build' slipway build --target 1 -o blocked ctx
t "a file for a directory" expect_fail 'is not a directory' slipway build --target 1 -o ctx/hello ctx

mkdir real
ln -s real linked
t "a directory that is named by a link" slipway build --target 1 -o linked ctx
t "... is the one it leads to" sh -c '[ -L linked ] && [ -e real/bin/prog ]'
mkdir here
t "-o ." sh -c 'cd here && slipway build --target 1 -o . ../ctx && [ -e bin/prog ]'
t "a path of several new directories" sh -c 'slipway build --target 1 -o new/a/b ctx && [ -e new/a/b/bin/prog ]'
t "kill -9 while files are written" sh -c 'slipway build --target 1 -o killed ctx & pid=$!; while [ ! -d killed ] && kill -0 $pid; do :; done; kill -9 $pid; wait $pid; ! find killed -name ".slipway*" | grep .'

# --- tar ---
t "-o - is a tar on standard output" sh -c 'slipway build --target 1 -o - ctx >o.tar'
tar -tvf o.tar --numeric-owner >list
t "... with modes and owners" sh -c 'grep -q "^-rwsr-xr-x 0/0 .* bin/prog$\|^-rwsr-xr-x 0/0 .* bin/again$" list && grep -q "^drwxr-xr-x 7/8 .* opt/$" list && grep -q "^prw" list'
t "... and links" sh -c 'grep -q "^hrwsr-xr-x .* link to bin/" list && grep -q "opt/link -> ../bin/prog$" list'
mkdir untar && tar -C untar -xf o.tar
t "... whole" sh -c 'cmp untar/data/zero ctx/zero && cmp untar/bin/again untar/bin/prog'
t "type=tar,dest=FILE" slipway build --target 1 -o type=tar,dest=f.tar ctx
t "... the same bytes" same f.tar o.tar
t "files of a stage with a base" slipway build --target app -o type=tar,dest=app.tar ctx
t "... are base and layers" sh -c 'tar -tf app.tar >list && grep -qx bin/busybox list && grep -qx one list && grep -qx etc/passwd list'
printf 'FROM base:1\nRUN echo x >/a && ln /a /b && ln /a /c && ln /a /d\nRUN rm /a && rm /c && echo y >/c\n' >links.Dockerfile
t "hard links whose first name a later layer hides" slipway build -f links.Dockerfile -o type=tar,dest=links.tar -o links ctx
t "... are links in a tar" sh -c 'tar -tvf links.tar | grep -q " d link to b$" && tar -tvf links.tar | grep -q "^-.* c$"'
t "... and in a directory" sh -c '[ "$(stat -c %i links/b)" = "$(stat -c %i links/d)" ] && [ "$(stat -c %h links/b)" = 2 ] && [ "$(cat links/c)" = y ]'
t "no directory for a tar" expect_fail 'no/such' slipway build --target 1 -o type=tar,dest=no/such/f.tar ctx
t "a directory is no tar" expect_fail 'out is a directory' slipway build --target 1 -o type=tar,dest=out ctx

# --- images ---
t "type=oci" slipway build --target app -t app:1 -o type=oci,dest=app.oci ctx
t "... is what skopeo reads" skopeo inspect --config oci-archive:app.oci
t "... under its name" sh -c 'tar -xOf app.oci index.json | jq -e ".manifests[0].annotations[\"org.opencontainers.image.ref.name\"] == \"docker.io/library/app:1\""'
t "... which the store does not get" not named app:1
t "type=oci,tar=false" slipway build --target app -t app:1 -o type=oci,dest=layout,tar=false ctx
t "... is a layout that umoci unpacks" sh -c 'umoci unpack --rootless --image layout:docker.io/library/app:1 bundle >umoci 2>&1 || umoci unpack --image layout:docker.io/library/app:1 bundle'
t "... with its files" sh -c 'cmp bundle/rootfs/zero ctx/zero && [ "$(cat bundle/rootfs/one)" = one ]'
t "a second image beside it" slipway build --target make -t make:1 -o type=oci,dest=layout,tar=false ctx
is "$(jq -r '.manifests | length' layout/index.json)" 2 "... both are listed"
t "a name again" slipway build --target make -t app:1 -o type=oci,dest=layout,tar=false ctx
is "$(jq -r '.manifests | length' layout/index.json)" 2 "... is replaced"
t "type=docker,dest=FILE" slipway build --target app -t app:1 -o type=docker,dest=app.docker ctx
t "... is what docker load takes" sh -c 'tar -xOf app.docker manifest.json | jq -e ".[0].RepoTags == [\"app:1\"]" && skopeo inspect docker-archive:app.docker'
t "type=docker alone is the store" slipway build --target app -t app:1 -o type=docker ctx
t "... with the name" named app:1
gzip_digest=$(manifest app:1)

# --- codecs ---
types() { jq -r '[.layers[].mediaType | sub(".*tar"; "")] | join(" ")' "$(blob "$1")"; }
is "$(types "$gzip_digest")" "+gzip +gzip +gzip" "gzip is the default"
t "compression=zstd" slipway build --target app -o type=image,name=app:z,compression=zstd ctx
is "$(types "$(manifest app:z)")" "+gzip +zstd +zstd" "... for new layers, not for the base's"
top=$(blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest app:z)")")")
t "... zstd reads them" sh -c 'zstd -dc <"$1" | tar -xO one | grep -qx one' sh "$top"
is "$(jq -r .config.digest "$(blob "$(manifest app:z)")")" "$(jq -r .config.digest "$(blob "$gzip_digest")")" "... the config, and so the id, is the same"
t "force-compression=true" slipway build --target app -o type=image,name=app:f,compression=zstd,force-compression=true ctx
is "$(types "$(manifest app:f)")" "+zstd +zstd +zstd" "... for the base's too"
t "again" slipway --progress plain build --target app -o type=image,name=app:f,compression=zstd,force-compression=true ctx
t "... nothing is compressed twice" lacks "$T/err" 'compress layer'
t "compression=uncompressed" slipway build --target app -o type=image,name=app:u,compression=uncompressed ctx
is "$(types "$(manifest app:u)")" "+gzip  " "... plain tars"
t "compression-level=9" slipway build --target app -o type=image,name=app:9,compression-level=9 ctx
t "... other bytes" sh -c '[ "$1" != "$2" ]' sh "$(manifest app:9)" "$gzip_digest"
t "back to the default" slipway build --target app -t app:1 ctx
is "$(manifest app:1)" "$gzip_digest" "... the digest from before: the cache knows no codec"
t "steps first made as zstd" slipway build --no-cache --target app -o type=image,name=app:z2,compression=zstd ctx
t "... are gzip for who wants gzip" slipway build --target app -t app:3 ctx
is "$(types "$(manifest app:3)")" "+gzip +gzip +gzip" "... all of them"
gzip_digest=$(manifest app:3) # RUN was carried out again: another time of creation
t "oci-mediatypes=false" slipway build --target app -o type=image,name=app:d,oci-mediatypes=false ctx
t "... is Docker's schema 2" json "$(blob "$(manifest app:d)")" '.mediaType == "application/vnd.docker.distribution.manifest.v2+json" and .config.mediaType == "application/vnd.docker.container.image.v1+json" and all(.layers[]; .mediaType == "application/vnd.docker.image.rootfs.diff.tar.gzip")'
t "several outputs in one run" slipway build --target app -t app:4 -o type=image -o type=image,name=app:5,compression=zstd -o type=tar,dest=m.tar -o mdir ctx
t "... all are there" sh -c '[ -f m.tar ] && [ -f mdir/one ]'
t "... with their codecs" sh -c '[ "$1" = "+gzip +gzip +gzip" ] && [ "$2" = "+gzip +zstd +zstd" ]' sh "$(types "$(manifest app:4)")" "$(types "$(manifest app:5)")"
t "one name for two images" expect_status 2 'give the name docker.io/library/app:6 to different images' slipway build --target app -t app:6 -o type=image -o type=image,compression=zstd ctx
t "... gives none" not named app:6

# --- names ---
t "name-canonical" slipway build --target app -o type=image,name=app:7,name-canonical=true ctx
t "... the digest is a name" named "app@$(manifest app:7)"
t "dangling-name-prefix" slipway build --target app -o type=image,dangling-name-prefix=lost ctx
t "... is a name beside others" named "lost@$gzip_digest"
t "store=false" slipway build --target app -t app:8 -o type=image,store=false ctx
t "... gives no name" not named app:8
t "unpack=true" slipway build --target app -t app:8 -o type=image,unpack=true ctx

# --- registry ---
start_registry
t "type=registry" slipway build --target app -o "type=registry,name=$REGISTRY/app:1,registry.insecure=true" ctx
is "$(cat "$T/out")" "$REGISTRY/app@$gzip_digest" "... prints what was pushed"
t "... skopeo finds it" skopeo inspect --tls-verify=false "docker://$REGISTRY/app:1"
t "... the store has no such name" sh -c '! grep -q "$1" "$SLIPWAY_ROOT/index.json"' sh "$REGISTRY/app:1"
t "push-by-digest" slipway build --target app -o "type=image,name=$REGISTRY/app,push=true,push-by-digest=true,compression=zstd" ctx
digest=$(sed 's/.*@//' "$T/out")
t "... it is there" skopeo inspect --tls-verify=false "docker://$REGISTRY/app@$digest"
t "... and no tag is" sh -c 'skopeo list-tags --tls-verify=false "docker://$1/app" | jq -e ".Tags == [\"1\"]"' sh "$REGISTRY"
t "--push is an image of the store too" slipway build --push --target app -t "$REGISTRY/app:2" ctx
t "... with its name" grep -q "$REGISTRY/app:2" "$SLIPWAY_ROOT/index.json"
t "--push beside files" slipway build --push --target app -t "$REGISTRY/app:3" -o both ctx
t "... does both" sh -c '[ -f both/one ] && skopeo inspect --tls-verify=false "docker://$1/app:3"' sh "$REGISTRY"
t "a push that fails" expect_fail '127.0.0.1:1' slipway build --push --target app -t 127.0.0.1:1/x:1 -o type=tar,dest=never.tar -o never ctx
t "... leaves nothing: no archive, no files, no name" sh -c '[ ! -e never.tar ] && [ ! -e never ] && ! ls | grep slipway- && ! grep -q 127.0.0.1:1 "$SLIPWAY_ROOT/index.json"'
t "two names, one of which cannot be pushed" expect_fail '127.0.0.1:1' slipway build --push --target app -t "$REGISTRY/app:both" -t 127.0.0.1:1/x:1 ctx
t "... moves no tag" sh -c '! skopeo list-tags --tls-verify=false "docker://$1/app" | grep both' sh "$REGISTRY"
t "two names" slipway build --push --target app -t "$REGISTRY/app:both" -t "$REGISTRY/other:1" ctx
is "$(wc -l <"$T/out")" 2 "... are two lines"
t "... and two tags" sh -c 'skopeo inspect --tls-verify=false "docker://$1/app:both" && skopeo inspect --tls-verify=false "docker://$1/other:1"' sh "$REGISTRY"
t "--push without a name" expect_status 2 'push needs a name' slipway build --push ctx

# --- annotations, labels, metadata ---
t "--annotation and --label" slipway build --target app -t app:a --annotation a.b=c --annotation manifest:d=e --annotation manifest-descriptor:x=y --label l=m --metadata-file meta --iidfile iid ctx
t "... are in the manifest" json "$(blob "$(manifest app:a)")" '.annotations == {"a.b":"c","d":"e"}'
t "... in the descriptor" sh -c 'jq -e ".manifests[] | select(.annotations[\"org.opencontainers.image.ref.name\"] == \"docker.io/library/app:a\") | .annotations.x == \"y\"" "$SLIPWAY_ROOT/index.json"'
t "... and in the config" json "$(blob "$(jq -r .config.digest "$(blob "$(manifest app:a)")")")" '.config.Labels.l == "m"'
t "the metadata has BuildKit's keys" json meta '(."containerimage.descriptor" | .mediaType == "application/vnd.oci.image.manifest.v1+json" and .digest != null and .size > 0 and .annotations.x == "y" and .annotations["config.digest"] != null and .annotations["org.opencontainers.image.created"] != null and .platform.os == "linux") and ."image.name" == "docker.io/library/app:a" and (."buildx.build.ref" | test("^slipway/slipway/[a-z0-9]{25}$"))'
is "$(jq -r '."containerimage.digest"' meta)" "$(manifest app:a)" "... the manifest's digest"
is "$(cat iid)" "$(jq -r '."containerimage.config.digest"' meta)" "... and the config's, as in --iidfile"
t "an index annotation without an index" expect_status 2 'has none' slipway build --target app --annotation index:a=b ctx
t "BUILDKIT_MULTI_PLATFORM=1 makes an index" slipway build --target app -t app:i --build-arg BUILDKIT_MULTI_PLATFORM=1 --annotation index:a=b --metadata-file meta ctx
t "... with the annotation" json "$(blob "$(manifest app:i)")" '.mediaType == "application/vnd.oci.image.index.v1+json" and .annotations == {"a":"b"} and (.manifests | length) == 1 and .manifests[0].platform.os == "linux"'
is "$(jq -r '."containerimage.digest"' meta)" "$(manifest app:i)" "... whose digest is told"
t "annotation keys of an output" slipway build --target app -t app:k -o type=image,annotation.k=v ctx
t "... are that output's" json "$(blob "$(manifest app:k)")" '.annotations == {"k":"v"}'
printf 'very-secret-value' >secret
t "a secret in an annotation" expect_status 2 'the value of secret s is in an annotation' slipway build --target app --secret id=s,src=secret --annotation a=very-secret-value ctx
t "-q prints the id" slipway build -q --target app -t app:1 ctx
is "$(cat "$T/out")" "$(jq -r .config.digest "$(blob "$gzip_digest")")" "... and nothing else"
is "$(cat "$T/err")" "" "... anywhere"

# --- progress ---
t "--progress rawjson" slipway --progress rawjson build --no-cache --target app -t app:1 ctx
cp "$T/err" events
t "... is JSON, all of it" sh -c 'jq -es "length > 3" events && ! grep -v "^{" events'
t "... steps begin and end" sh -c 'jq -se "[.[] | .vertexes[]? | select(.completed and (.name | contains(\"RUN echo one\")))] | length == 1" events'
t "what a step used" sh -c 'printf "FROM base:1\nRUN i=0; while [ \$i -lt 20000 ]; do i=\$((i + 1)); done; head -c 30000000 /dev/zero | tail -c 30000000 >/dev/null\n" | BUILDKIT_PROGRESS=rawjson slipway build --no-cache -f - ctx 2>events && jq -rse "[.[] | .statuses[]?] | map({(.id): .current}) | add | .cpu > 1000 and .cpu < 60000000 and .memory > 20000000 and .memory < 500000000 and has(\"read\") and has(\"written\")" events'
t "a step's output" sh -c 'printf "FROM base:1\nRUN echo words; false\n" | BUILDKIT_PROGRESS=rawjson slipway build -f - ctx 2>events; [ $? = 1 ] && jq -rse "[.[] | .logs[]?.data | @base64d] == [\"words\n\"]" events'
t "... the failure" sh -c 'jq -se "[.[] | .vertexes[]? | select(.error)] | length == 1" events'
t "... and the error" sh -c 'jq -rse ".[] | .warnings[]?.short | @base64d" events | grep -q "exit status 1"'
t "--progress none" slipway --progress none build --no-cache --target app -t app:1 ctx
is "$(cat "$T/err")" "" "... says nothing"
t "no such mode" expect_status 2 'BUILDKIT_PROGRESS: "loud"' env BUILDKIT_PROGRESS=loud slipway build ctx
t "the command line wins" env BUILDKIT_PROGRESS=loud slipway --progress plain build --target app ctx

# --- several targets, several platforms ---
cat >multi.Dockerfile <<'D'
FROM scratch AS bin
ARG TARGETARCH
COPY <<E /$TARGETARCH
for $TARGETARCH
E
COPY <<E /both
$TARGETARCH
E
FROM scratch AS doc
COPY hello /hello
D
t "a docker archive of two platforms" expect_status 2 'its archives hold one platform' slipway build -f multi.Dockerfile --target bin --platform linux/amd64,linux/arm64 -o type=docker,dest=x ctx
t "an OCI archive of two platforms" slipway build -f multi.Dockerfile --target bin --platform linux/amd64,linux/arm64 -t multi:2 -o type=oci,dest=multi.oci ctx
t "... holds both" sh -c 'skopeo inspect --override-arch arm64 --config oci-archive:multi.oci | jq -e ".architecture == \"arm64\"" && skopeo inspect --override-arch amd64 --config oci-archive:multi.oci | jq -e ".architecture == \"amd64\""'
t "two targets, each with its names" slipway build -f multi.Dockerfile --target bin=bin:1,bin:2 --target doc=doc:1 --metadata-file meta ctx
is "$(tr '\n' ' ' <"$T/out")" "$(manifest bin:1) $(manifest doc:1) " "... a digest each"
is "$(manifest bin:2)" "$(manifest bin:1)" "... and both names"
t "... the metadata has both" json meta "(keys == [\"bin\",\"doc\"]) and .doc.\"containerimage.digest\" == \"$(manifest doc:1)\" and .bin.\"image.name\" == \"docker.io/library/bin:1,docker.io/library/bin:2\""
t "... pushed in one go" slipway build -f multi.Dockerfile --push --target "bin=$REGISTRY/bin:1" --target "doc=$REGISTRY/doc:1" ctx
t "... both are there" sh -c 'skopeo inspect --tls-verify=false "docker://$1/bin:1" && skopeo inspect --tls-verify=false "docker://$1/doc:1"' sh "$REGISTRY"
t "files of two targets" slipway build -f multi.Dockerfile --target bin --target doc -o two ctx
t "... have directories" sh -c '[ -f two/bin/both ] && cmp two/doc/hello ctx/hello && [ "$(ls two | wc -l)" = 2 ]'
t "-t for two targets" expect_status 2 'say --target STAGE=NAME' slipway build -f multi.Dockerfile -t x --target bin --target doc ctx
t "an archive of two targets" expect_status 2 'an archive is of one target' slipway build -f multi.Dockerfile --target bin --target doc -o type=tar,dest=x.tar ctx
t "a target twice" expect_status 2 '--target bin is given twice' slipway build -f multi.Dockerfile --target bin --target bin ctx
t "one target with a name" slipway build -f multi.Dockerfile --target doc=doc:3 ctx
t "... has it" named doc:3

t "two platforms" slipway build -f multi.Dockerfile --target bin --platform linux/amd64,linux/arm64 --platform linux/amd64 -t multi:1 --annotation 'manifest[linux/arm64]:a=b' --metadata-file meta ctx
t "... are an index" json "$(blob "$(manifest multi:1)")" '.mediaType == "application/vnd.oci.image.index.v1+json" and ([.manifests[].platform.architecture] == ["amd64","arm64"])'
t "... each image has its own config" sh -c 'for i in 0 1; do m=$SLIPWAY_ROOT/blobs/$(jq -r ".manifests[$i].digest" "$1" | tr : /); jq -r .architecture "$SLIPWAY_ROOT/blobs/$(jq -r .config.digest "$m" | tr : /)"; done | xargs | grep -qx "amd64 arm64"' sh "$(blob "$(manifest multi:1)")"
t "... an annotation goes to its platform" sh -c 'for i in 0 1; do jq -c .annotations "$SLIPWAY_ROOT/blobs/$(jq -r ".manifests[$i].digest" "$1" | tr : /)"; done | xargs | grep -qx "null {a:b}"' sh "$(blob "$(manifest multi:1)")"
is "$(jq -r '."containerimage.digest"' meta)" "$(manifest multi:1)" "... the index's digest is told"
t "... and pushed whole" slipway build -f multi.Dockerfile --target bin --platform linux/amd64,linux/arm64 --push -t "$REGISTRY/multi:1" ctx
t "... for skopeo to copy" skopeo copy --all --src-tls-verify=false "docker://$REGISTRY/multi:1" dir:copied
t "files of two platforms" slipway build -f multi.Dockerfile --target bin --platform linux/amd64,linux/arm64 -o plat -o type=tar,dest=plat.tar ctx
t "... have directories" sh -c '[ "$(cat plat/linux_arm64/both)" = arm64 ] && [ "$(cat plat/linux_amd64/amd64)" = "for amd64" ]'
t "... in a tar too" sh -c 'tar -tf plat.tar | grep -qx linux_arm64/arm64'
t "platform-split=false with the same name twice" expect_fail 'both is in the files of linux/amd64 and of another platform' slipway build -f multi.Dockerfile --target bin --platform linux/amd64,linux/arm64 -o type=local,dest=flat,platform-split=false ctx
t "platform-split=true for one platform" slipway build -f multi.Dockerfile --target bin --platform linux/arm64 -o type=local,dest=one,platform-split=true ctx
t "... makes a directory" test -f one/linux_arm64/arm64

# --- refusals ---
t "a key that the type has not" expect_status 2 'push: type=local has no such key' slipway build -o type=local,dest=x,push=true ctx
t "estargz" expect_status 2 'estargz layers are not made here' slipway build -o type=image,compression=estargz ctx
t "two on standard output" expect_status 2 'only one can go to standard output' slipway build -o - -o type=oci,dest=- ctx
t "--iidfile without an image" expect_status 2 'no output is an image' slipway build -o x --iidfile i ctx
legacy() { t "$1 is taken" slipway build --target app $1 ctx; }
legacy "--compress --rm --force-rm --disable-content-trust"
legacy "--builder default --provenance=false --sbom=false --attest type=provenance,disabled=true"
legacy "--memory 0 --memory-swap 0 -c 0 --cpu-quota -1 --rm=false"
refused() { t "$1 is refused with a remedy" expect_status 2 "$2" slipway build --target app $1 ctx; }
legacy "--isolation default"
refused "--isolation hyperv" 'hyperv'
refused "--squash" 'COPY --from=STAGE'
refused "--provenance=true" 'attestations are not made'
refused "--sbom=true" 'attestations are not made'
refused "--attest type=sbom" 'attestations are not made'

# --- an ordinary user ---
if can user; then
    cp -a ctx "$T/busybox.tar" "$USER_HOME/"
    chmod -R a+rX "$USER_HOME"
    t "an ordinary user gets files" as_user SOURCE_DATE_EPOCH=1700000000 sh -c 'slipway import --change "CMD [\"/bin/sh\"]" ~/busybox.tar base:1 >/dev/null && slipway build --target 1 -o ~/out -o type=tar,dest="$HOME/u.tar" ~/ctx'
    is "$(stat -c %U:%a "$USER_HOME/out/bin/prog") $(stat -c %U "$USER_HOME/out/opt")" "$(stat -c %U "$USER_HOME"):4755 $(stat -c %U "$USER_HOME")" "... that are the user's"
    t "... and a tar with the image's owners" sh -c 'tar -tvf "$1" --numeric-owner | grep -q "^drwxr-xr-x 7/8 .* opt/$"' sh "$USER_HOME/u.tar"
    t "... again, over closed directories" as_user SOURCE_DATE_EPOCH=1700000000 sh -c 'slipway build --target 1 -o type=local,dest="$HOME/out",mode=delete ~/ctx'
else
    skip "an ordinary user gets files" "$why"
fi
