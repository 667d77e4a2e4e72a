#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Flags of COPY and ADD: --parents, --exclude, --link, --chmod, --chown. Each image is built twice.
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/copy.sh"
need busybox jq umoci

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }

# --- --parents: the cases of BuildKit's own test, and what its reference says ---

mkdir -p ctx/test/a/b/c/d/e ctx/test/a/b2/c/d/e ctx/test/a/b/c2/d/e ctx/test/a/b/c2/d/e2
touch ctx/test/a/b/c/d/foo ctx/test/a/b/c/d/e/bay ctx/test/a/b2/c/d/e/bar ctx/test/a/b/c2/d/e/baz ctx/test/a/b/c2/d/e2/baz
chmod 750 ctx/test/a
build "--parents keeps the directories of a source" 'COPY --parents test/a/b/c/d/foo /out/'
line "the file" ' out/test/a/b/c/d/foo$'
no_line "and nothing else of its directory" 'bay$'
line "its directories look as in the source" '^drwxr-x--- 0/0 .* out/test/a/$'
build "a source that begins with ./ or / is the same" 'COPY --parents ./test/a/b/c/d /out/'
line "a directory comes with all that is in it" ' out/test/a/b/c/d/e/bay$'
build "/./ says where the kept part begins" 'COPY --parents /test/a/b/./c/d /out/'
line "kept" ' out/c/d/foo$'
no_line "not kept" ' out/(test|a)/'
build "only the first /./ counts" 'COPY --parents /test/a/./b/./c /out/'
line "kept from there" ' out/b/c/d/foo$'
build "one at the end does not" 'COPY --parents /test/a/b/c/d/. /out/'
line "all is kept" ' out/test/a/b/c/d/foo$'
build "wildcards behind it" 'COPY --parents /test/a/./*/c /out/'
line "the first" ' out/b/c/d/foo$'
line "the second" ' out/b2/c/d/e/bar$'
build "wildcards before it, and ** behind it" 'COPY --parents /test/a/b*/./c/**/e /out/'
line "from the first" ' out/c/d/e/bay$'
line "from the second" ' out/c/d/e/bar$'
no_line "what does not match" 'foo$'
build "several sources" 'COPY --parents /test/a/b/c*/./d/**/baz /test/a/b*/./c/**/bar /out/'
line "one" ' out/d/e/baz$'
line "two" ' out/d/e2/baz$'
line "three" ' out/c/d/e/bar$'
no_line "no other" '(bay|foo)$'
build "** takes any number of directories, none too" 'COPY --parents test/a/b/**/e /out/'
line "deep" ' out/test/a/b/c/d/e/bay$'
build "a destination without a slash is a directory all the same" 'COPY --parents test/a/b2 /out'
line "so" ' out/test/a/b2/c/d/e/bar$'
build "the whole context" 'COPY --parents . /out/'
line "all" ' out/test/a/b/c2/d/e2/baz$'
refused "a path that is not there is an error" 'Dockerfile:2: "test/nowhere" is not in the build context' 'COPY --parents test/nowhere /out/'
refused "one behind /./ too" '"test/a/nowhere" is not in the build context' 'COPY --parents test/a/./nowhere /out/'
refused "one before it too, whatever comes behind" '"test/z" is not in the build context' 'COPY --parents test/z/./*.c /out/'
refused "a file before it" '"test/a/b/c/d/foo" is a file; before "/./" --parents needs a directory' 'COPY --parents test/a/b/c/d/foo/./* /out/'
build "a wildcard that matches nothing is not" 'COPY --parents /test/a/b9*/c /test/a/b/./c9* /out/'
is "$(sed 's/.* //' list)" "out/" "... and makes the destination"
ln -s b ctx/test/a/way
build "a link is copied as a link" 'COPY --parents test/a/way /out/'
line "so" ' out/test/a/way -> b$'
refused "and not followed" 'test/a/way is a symbolic link, and --parents follows none' 'COPY --parents test/a/way/c /out/'
build "but before /./ it is" 'COPY --parents test/a/way/./c/d/foo /out/'
line "so" ' out/c/d/foo$'
build "an existing directory of the image takes the source's mode" 'RUN mkdir -p /out/test/a && chmod 700 /out /out/test /out/test/a' 'COPY --parents test/a/b/c/d/foo /out/'
line "a nested one" '^drwxr-x--- 0/0 .* out/test/a/$'
line "not the destination itself" '^drwx------ 0/0 .* out/$'
build "--parents=false is none" 'COPY --parents=false test/a/b/c/d/foo /out/'
line "so" ' out/foo$'
build "--parents --from a stage" 'RUN mkdir -p /s/t && touch /s/t/u && chown -R 7:8 /s' 'FROM base:1' 'COPY --from=0 --parents /s/./t/u /out/'
line "owners are kept" '^drwxr-xr-x 7/8 .* out/t/$'
line "so" '^-rw-r--r-- 7/8 .* out/t/u$'
dockerfile 'COPY --parents test/a/b/c/d/foo /out/'
slipway build -q -f Dockerfile -t c:1 ctx >/dev/null
t "the history tells of --parents" sh -c 'slipway history --no-trunc c:1 2>/dev/null | grep -q "COPY --parents test/a/b/c/d/foo /out/" || slipway history c:1 | grep -q "COPY --parents"'
rm -r ctx/test

# --- --exclude ---

mkdir -p ctx/src/sub/deep ctx/hom ctx/node_modules/x
touch ctx/src/a.go ctx/src/a_test.go ctx/src/sub/b_test.go ctx/src/sub/b.go ctx/src/sub/deep/keep.txt ctx/src/sub/deep/c.txt ctx/hom/h.txt ctx/hom.txt ctx/hom.md ctx/homer ctx/node_modules/x/y
chmod 711 ctx/src/sub/deep
build "--exclude leaves out what matches, in the source itself" 'COPY --exclude=*_test.go src /d/'
line "kept" ' d/a.go$'
no_line "left out" ' d/a_test.go$'
line "* does not reach deeper" ' d/sub/b_test.go$'
build "** does" 'COPY --exclude=**/*_test.go src /d/'
no_line "left out everywhere" '_test.go$'
line "the rest is there" ' d/sub/b.go$'
build "it repeats" 'COPY --exclude=*.go --exclude=sub/*.go src /d/'
no_line "none of both" '\.go$'
line "the rest is there" ' d/sub/deep/c.txt$'
build "a directory goes with all that is in it" 'COPY --exclude=sub src /d/'
no_line "gone" ' d/sub'
build "! puts back" 'COPY --exclude=sub --exclude=!sub/deep/keep.txt src /d/'
line "kept" ' d/sub/deep/keep.txt$'
no_line "left out" '(c.txt|b.go)$'
line "with the directories it stands in" '^drwx--x--x 0/0 .* d/sub/deep/$'
build "files that a wildcard names" 'COPY --exclude=*.txt --exclude=*.md hom* /d/'
line "kept" ' d/homer$'
no_line "left out" '(hom.txt|hom.md|h.txt)$'
build "files that are named" 'COPY --exclude=*.md hom.txt hom.md /d'
line "one is left, so the destination is its name" ' d$'
build "all of a directory" 'COPY --exclude=* src /d/'
is "$(sed 's/.* //' list)" "d/" "... leaves the directory"
build "variables are not expanded" 'ENV X=*.go' 'COPY --exclude=$X src /d/'
line "so nothing matches" ' d/a.go$'
build "ADD has it too" 'ADD --exclude=sub src /d/'
no_line "gone" ' d/sub'
build "with --parents it counts from where the kept part begins" 'COPY --parents --exclude=sub/deep src/./sub /d/'
line "kept" ' d/sub/b.go$'
no_line "gone" 'deep'
build "from a stage" 'COPY src /src' 'FROM base:1' 'COPY --from=0 --exclude=sub/b* --exclude=*.go /src /d/'
line "kept" ' d/sub/deep/c.txt$'
no_line "left out" '\.go$'
refused "a bad pattern is told with its line, before anything is built" 'Dockerfile:3: --exclude: pattern "[a": malformed [class]' 'RUN false' 'COPY --exclude=[a src /d/'
refused "! alone" '--exclude: "!" without a pattern' 'COPY --exclude=! src /d/'

# --- --link ---

build "--link: the parents are its own, 0755" 'RUN mkdir -p /own/x && chown 9:9 /own && chmod 700 /own' 'COPY --link src/a.go /own/x/'
line "whatever the image says" '^drwxr-xr-x 0/0 .* own/$'
line "the file" '^-rw-r--r-- 0/0 .* own/x/a.go$'
umoci unpack --rootless --image "$SLIPWAY_ROOT:docker.io/library/c:1" un >/dev/null 2>umoci.err && t "so it is in the image, umoci says" test "$(stat -c %a un/rootfs/own)" = 755
rm -rf un
build "... links of the image are not followed" 'RUN mkdir /real && ln -s /real /way' 'COPY --link src/a.go /way/'
line "a directory takes the link's place" '^drwxr-xr-x 0/0 .* way/$'
line "so" ' way/a.go$'
build "... without it they are" 'RUN mkdir /real && ln -s /real /way' 'COPY src/a.go /way/'
line "so" ' real/a.go$'
build "... an existing directory is not known" 'COPY --link src/a.go /tmp'
line "the name is the file's" '^-rw-r--r-- 0/0 .* tmp$'
build "... with --chmod it is as without" 'RUN mkdir /real && ln -s /real /way' 'COPY --link --chmod=600 src/a.go /way/'
line "followed" '^-rw------- 0/0 .* real/a.go$'
build "... --link=false is none" 'COPY --link=false src/a.go /tmp'
line "so" ' tmp/a.go$'
build "... --chown makes the parents its own too" 'COPY --link --chown=3:4 src/a.go /l/m/'
line "the parent" '^drwxr-xr-x 3/4 .* l/$'
build "... names are looked up in the image" 'COPY --link --chown=app src/a.go /l/'
line "so" '1000/1000 .* l/a.go$'
build "... ADD has it" 'RUN mkdir /real && ln -s /real /way' 'ADD --link src/a.go /way/'
line "so" ' way/a.go$'
tar -cf ctx/l.tar -C ctx src
build "... for an archive too" 'RUN mkdir /real && ln -s /real /way' 'ADD --link l.tar /way/'
line "so" ' way/src/a.go$'
no_line "and nothing follows the link" real
build "... heredocs" 'COPY --link <<f /way/' 'x' 'f'
line "so" '^-rw-r--r-- 0/0 .* way/f$'
build "... into the working directory" 'WORKDIR /w' 'COPY --link src/a.go .'
line "so" ' w/a.go$'
layer_of() { jq -r '.layers[-1].digest' "$(blob "$(manifest_of "$1")")"; }
steps() { slipway build -f Dockerfile -t "$1" ctx 2>&1 | tee log; }
dockerfile 'RUN echo 1 >/base' 'COPY --link src /d/'
steps l:1 >/dev/null
dockerfile 'RUN echo 2 >/base' 'COPY --link src /d/'
steps l:2 >/dev/null
t "another base: the step is remembered" sh -c 'grep -A1 "COPY --link" log | grep -q CACHED'
is "$(layer_of l:1)" "$(layer_of l:2)" "... and the layer is the same"
rm -rf "$SLIPWAY_ROOT"/cache/index/* "$SLIPWAY_ROOT"/cache/steps/* "$SLIPWAY_ROOT"/trees/*
begin 'FROM base:1'
dockerfile 'COPY --link --chown=1:2 src /d/'
t "the base is not looked into" slipway build -q -f Dockerfile ctx
is "$(ls "$SLIPWAY_ROOT/cache/index" | wc -l) $(ls "$SLIPWAY_ROOT/trees" | wc -l)" "1 0" "... the new layer has the only index, and nothing is unpacked"
begin 'FROM scratch'
dockerfile 'COPY --link src /d/'
steps l:3 >/dev/null
is "$(layer_of l:1)" "$(layer_of l:3)" "... as it is on nothing"
begin 'FROM base:1'

# --- --chmod ---

mkdir -p ctx/m/sub
touch ctx/m/plain ctx/m/run ctx/m/sub/in
chmod 600 ctx/m/plain; chmod 700 ctx/m/run; chmod 770 ctx/m/sub
ln -s plain ctx/m/link
build "--chmod octal" 'COPY --chmod=640 m /d'
line "a file" '^-rw-r----- 0/0 .* d/plain$'
line "a directory too" '^drw-r----- 0/0 .* d/sub/$'
line "made parents too" '^drw-r----- 0/0 .* d/$'
line "not a link" '^lrwxrwxrwx 0/0 .* d/link -> plain$'
build "... with set-id and sticky bits" 'COPY --chmod=7755 m/plain /s/'
line "the file" '^-rwsr-sr-t 0/0 .* s/plain$'
line "not the made parent" '^drwxr-xr-x 0/0 .* s/$'
build "... 0" 'COPY --chmod=0 m/plain /s/'
line "so" '^---------- 0/0 .* s/plain$'
build "... a variable" 'ARG MODE=4711' 'COPY --chmod=$MODE m/plain /s/'
line "so" '^-rws--x--x 0/0 .* s/plain$'
build "... a variable that is empty is none" 'ARG MODE' 'COPY --chmod=$MODE m/plain /s/'
line "so" '^-rw------- 0/0 .* s/plain$'
build "--chmod symbolic: u=rwX,go=rX" 'COPY --chmod=u=rwX,go=rX m /d'
line "a file" '^-rw-r--r-- 0/0 .* d/plain$'
line "one that can be run" '^-rwxr-xr-x 0/0 .* d/run$'
line "a directory" '^drwxr-xr-x 0/0 .* d/sub/$'
line "made parents are 0755" '^drwxr-xr-x 0/0 .* d/$'
build "... +x" 'COPY --chmod=+x m/plain /d/'
line "so" '^-rwx--x--x 0/0 .* d/plain$'
build "... g=u" 'COPY --chmod=g=u m/run /d/'
line "so" '^-rwxrwx--- 0/0 .* d/run$'
build "... heredocs" 'COPY --chmod=u+x,go-r <<f /d/' 'x' 'f'
line "so" '^-rwx------ 0/0 .* d/f$'
build "... of what ADD unpacks" 'COPY --from=base:1 /etc/passwd /x'
tar -cf ctx/t.tar -C ctx m
build "... ADD" 'ADD --chmod=go= --chown=4 t.tar /d/'
line "so" '^-rw------- 4/4 .* d/m/plain$'
refused "9 is no digit of it" '--chmod=900 is neither octal (0 to 7777) nor of the form' 'COPY --chmod=900 m /d'
refused "10000 is too much" '--chmod=10000 is neither' 'COPY --chmod=10000 m /d'
refused "letters that mean nothing" '--chmod=u+q is neither' 'COPY --chmod=u+q m /d'

# --- --chown ---

build "--chown: a user of the image brings the primary group" 'RUN echo joe:x:70:71::/:/bin/sh >>/etc/passwd && echo crew:x:72: >>/etc/group' 'COPY --chown=joe m/plain /d/'
line "so" '70/71 .* d/plain$'
line "made parents too" '^drwxr-xr-x 70/71 .* d/$'
build "... and a group" 'RUN echo joe:x:70:71::/:/bin/sh >>/etc/passwd && echo crew:x:72: >>/etc/group' 'COPY --chown=joe:crew m/plain /d/'
line "so" '70/72 .* d/plain$'
build "... a number and a group's name" 'RUN echo crew:x:72: >>/etc/group' 'COPY --chown=5:crew m/plain /d/'
line "so" ' 5/72 .* d/plain$'
build "... a number is both" 'COPY --chown=5 m/plain /d/'
line "so" ' 5/5 .* d/plain$'
build "... also where the image has that user" 'COPY --chown=1000 m/plain /d/'
line "so" ' 1000/1000 .* d/plain$'
build "... two numbers" 'COPY --chown=5:6 m/link m/sub /d/'
line "of all" ' 5/6 .* d/in$'
build "... links too" 'COPY --chown=5:6 m /d/'
line "so" '^lrwxrwxrwx 5/6 .* d/link'
build "... root needs no passwd" 'USER 5' 'COPY --chown=root m/plain /d/'
line "so" ' 0/0 .* d/plain$'
build "... a variable" 'ARG U=7' 'COPY --chown=$U:${U}1 m/plain /d/'
line "so" ' 7/71 .* d/plain$'
build "... set-id bits stay" 'COPY --chown=5 --chmod=4755 m/plain /d/'
line "so" '^-rwsr-xr-x 5/5 .* d/plain$'
build "without it USER does not matter" 'USER app' 'COPY m/plain /d/'
line "so" ' 0/0 .* d/plain$'
build "... a passwd that is a link inside the image" 'RUN mkdir /real && mv /etc/passwd /real/p && ln -s /../../real/p /etc/passwd' 'COPY --chown=app m/plain /d/'
line "so" ' 1000/1000 .* d/plain$'
refused "a passwd that is no file" '/etc/passwd is a directory, not a file' 'RUN rm /etc/passwd && mkdir /etc/passwd' 'COPY --chown=app m/plain /d/'
refused "one that is out of all measure" '/etc/passwd is larger than' 'RUN head -c 20000000 /dev/zero >/etc/passwd' 'COPY --chown=app m/plain /d/'
build "numbers do not care" 'RUN rm /etc/passwd && mkdir /etc/passwd' 'COPY --chown=4:5 m/plain /d/'
line "so" ' 4/5 .* d/plain$'
refused "a name that is not in passwd is an error with its line" 'Dockerfile:2: --chown=nobody-here: unable to find user nobody-here' 'COPY --chown=nobody-here m/plain /d/'
refused "a group that is not in group too" 'Dockerfile:2: --chown=app:nothing-here: unable to find group nothing-here' 'COPY --chown=app:nothing-here m/plain /d/'
begin 'FROM scratch'
refused "names need the files" 'unable to find user app' 'COPY --chown=app m/plain /d/'
build "numbers do not" 'COPY --chown=8:9 m/plain /d/'
line "so" ' 8/9 .* d/plain$'
