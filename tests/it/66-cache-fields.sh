#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a copy is remembered by: each field that decides about its layer, changed alone, is a miss; what does not decide is a hit.
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/copy.sh"
need busybox jq setfattr

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
unset SOURCE_DATE_EPOCH

# last: how the last step of ./Dockerfile fares, "hit" or "miss"
last() {
    slipway build --progress plain -f Dockerfile -t c:1 ctx >/dev/null 2>log || { cat log >&2; echo failed; return; }
    if grep -E '^#[0-9]+ (CACHED|DONE)' log | tail -n 1 | grep -q CACHED; then echo hit; else echo miss; fi
}
# fresh LINE…: the Dockerfile with the state ./ctx is in, remembered
fresh() {
    dockerfile "$@"
    last >/dev/null
    is "$(last)" hit "nothing changed: ${1:-}"
}
changed() { is "$(last)" miss "$1"; }
unchanged() { is "$(last)" hit "$1"; }

make_context() {
    rm -rf ctx
    mkdir -p ctx/d/sub
    echo one >ctx/d/a
    echo two >ctx/d/b
    ln -s a ctx/d/link
    ln ctx/d/b ctx/d/sub/hard
    echo ignored >ctx/d/x.log
    echo '*.nothing' >ctx/.dockerignore
}

# --- fields of what is copied ---

make_context
fresh 'COPY d /d/'
mv ctx/d/a ctx/d/c; changed "a file's name"
mv ctx/d/c ctx/d/a; unchanged "... and back"
mv ctx/d/sub ctx/d/sup; changed "a directory's name"
mv ctx/d/sup ctx/d/sub
chmod 600 ctx/d/a; changed "a file's mode"
chmod 4755 ctx/d/a; changed "a set-id bit"
chmod 644 ctx/d/a; unchanged "... and back"
chmod 700 ctx/d/sub; changed "a directory's mode"
chmod 755 ctx/d/sub; unchanged "... and back"
ln -sfn b ctx/d/link; changed "a link's target"
ln -sfn a ctx/d/link; unchanged "... and back"
rm ctx/d/link; echo one >ctx/d/link; changed "a file in a link's place"
rm ctx/d/link; ln -s a ctx/d/link
echo on3 >ctx/d/a; changed "content"
echo one >ctx/d/a; unchanged "... and back"
setfattr -n user.note -v 1 ctx/d/a; changed "an attribute"
setfattr -n user.note -v 2 ctx/d/a; changed "an attribute's value"
setfattr -x user.note ctx/d/a; unchanged "... and back"
setfattr -n user.note -v 1 ctx/d/sub; changed "a directory's attribute"
setfattr -x user.note ctx/d/sub
echo '**/*.log' >>ctx/.dockerignore; changed "a rule of the ignore file"
echo '*.nothing' >ctx/.dockerignore; unchanged "... and back"
echo '*.other' >ctx/.dockerignore; unchanged "a rule that leaves out nothing"
rm ctx/d/sub/hard; cp ctx/d/b ctx/d/sub/hard; changed "a hard link that is a file of its own"
rm ctx/d/sub/hard; ln ctx/d/b ctx/d/sub/hard
mkfifo ctx/d/p; changed "a pipe"
rm ctx/d/p; unchanged "... gone"
[ "$(id -u)" -ne 0 ] || { chown 5:6 ctx/d/a; unchanged "a file's owner, which becomes 0:0"; }
touch ctx/unrelated; unchanged "a file that is not copied"

# --- times ---

find ctx -exec touch -h -d '2001-02-03 04:05:06' {} +; unchanged "mtimes of everything"
find ctx -exec touch -h {} +; unchanged "... again"
printf 'RUN true\n' >>Dockerfile; last >/dev/null
find ctx -exec touch -h -d '2001-02-03 04:05:07' {} +
is "$(last)" hit "... and hits all the way"
t "... every step" not grep -E '^#[0-9]+ DONE' log
cp -a ctx other; mv ctx first; mv other ctx; dockerfile 'COPY d /d/'; unchanged "the same context elsewhere"
rm -rf ctx; mv first ctx

# Same size, same mtime: ctime tells, and a file that is too young to tell is read again.
echo one >ctx/d/a; touch -d '2001-02-03 04:05:06' ctx/d/a
last >/dev/null
echo 0ne >ctx/d/a; touch -d '2001-02-03 04:05:06' ctx/d/a
changed "a file rewritten with its size and mtime"
sleep 0.1; last >/dev/null
echo zne >ctx/d/a; touch -d '2001-02-03 04:05:06' ctx/d/a
changed "... once its digest was remembered too"
is "$(content d/a)" zne "... and the layer has the new content"

# --- fields of the instruction ---

make_context
fresh 'COPY d /d/'
dockerfile 'COPY d /e/'; changed "the destination"
dockerfile 'COPY d/a /f'; changed "a file's destination"; dockerfile 'COPY d/a /f/'; changed "... as a directory"
dockerfile 'COPY --chown=1 d /d/'; changed "--chown"
dockerfile 'COPY --chown=1:2 d /d/'; changed "... its group"
dockerfile 'COPY --chmod=600 d /d/'; changed "--chmod"
dockerfile 'COPY --chmod=u=rwX,go= d /d/'; changed "... symbolic"
dockerfile 'COPY --exclude=link d /d/'; changed "--exclude"
dockerfile 'COPY --exclude=*.log --exclude=sub d /d/'; changed "... another one"
dockerfile 'COPY --parents d /d/'; changed "--parents"
dockerfile 'COPY --parents ./d/./sub /d/'; changed "... from elsewhere on"
dockerfile 'ADD d /d/'; changed "ADD"
dockerfile 'COPY d/. /d/'; unchanged "another way to say the same"
dockerfile 'COPY <<f /d/' 1 f; changed "a heredoc"
dockerfile 'COPY <<f /d/' 2 f; changed "... its body"
dockerfile 'COPY <<g /d/' 2 g; changed "... its name"
dockerfile 'ARG X=3' 'COPY <<g /d/' '$X' g; changed "... a variable in it"
dockerfile 'ARG X=4' 'COPY <<g /d/' '$X' g; changed "... its value"
dockerfile 'ARG X=4' 'ARG UNUSED=1' 'COPY <<g /d/' '$X' g; unchanged "a variable that is not used"
dockerfile 'ARG D=d' 'COPY $D /d/'; unchanged "a variable that comes to the same"
tar -cf ctx/t.tar -C ctx d
fresh 'ADD t.tar /u/'
dockerfile 'ADD --chmod=600 t.tar /u/'; changed "--chmod of an archive"
dockerfile 'ADD --chmod=u=rwX t.tar /u/'; changed "... symbolic"
dockerfile 'ADD --chmod=u=rX t.tar /u/'; changed "... another"
dockerfile 'ADD --chown=3 t.tar /u/'; changed "--chown of an archive"
dockerfile 'ADD t.tar /v/'; changed "an archive's destination"
dockerfile 'ADD --unpack=false t.tar /u/'; changed "--unpack"

# --- what it meets in the image ---

fresh 'RUN mkdir /t' 'COPY d/a /t/'
dockerfile 'RUN mkdir /t && touch /elsewhere && touch -d 2001-01-01 /t && true' 'COPY d/a /t/'; unchanged "a directory that is repeated has another time"
dockerfile 'RUN mkdir /t && chmod 700 /t' 'COPY d/a /t/'; changed "... mode"
dockerfile 'RUN mkdir /t && chown 5 /t' 'COPY d/a /t/'; changed "... owner"
dockerfile 'RUN mkdir /t && touch -d 2001-01-01 /t' 'COPY d/a /t/'; last >/dev/null
dockerfile 'RUN mkdir /t && touch /x && touch -d 2001-01-01 /t' 'COPY d/a /t/'; unchanged "other files do not matter"
dockerfile 'RUN ln -s /tmp /t' 'COPY d/a /t/'; changed "a link in the destination"
dockerfile 'RUN true' 'COPY d/a /t/'; changed "a directory that is not there"
fresh 'RUN echo 1 >/x' 'COPY d/a /root-file'
dockerfile 'RUN echo 2 >/x' 'COPY d/a /root-file'; unchanged "another base, the same copy"
fresh 'RUN echo u:x:7:7::/:/bin/sh >>/etc/passwd' 'COPY --chown=u d/a /o/'
dockerfile 'RUN echo u:x:8:8::/:/bin/sh >>/etc/passwd' 'COPY --chown=u d/a /o/'; changed "the number of --chown's name"
fresh 'RUN mkdir /way' 'COPY --link d /way/'
dockerfile 'RUN ln -s /tmp /way' 'COPY --link d /way/'; unchanged "--link meets nothing"

# --- from a stage: by what is in the files, not by the layers that hold them ---

stage='FROM base:1 AS b'
two() { printf '%s\n' "$stage" "$1" 'FROM base:1' "${2:-COPY --from=b /out /out}" >Dockerfile; }
two 'RUN mkdir /out && echo bin >/out/bin && echo 1 >/log'
last >/dev/null
unchanged "a stage that is remembered"
two 'RUN mkdir /out && echo bin >/out/bin && echo 2 >/log'; unchanged "a stage made again to the same files"
two 'RUN mkdir /out && echo bon >/out/bin && echo 2 >/log'; changed "content from a stage"
two 'RUN mkdir /out && echo bin >/out/bin && chmod 755 /out/bin'; changed "mode from a stage"
two 'RUN mkdir /out && echo bin >/out/bin && chown 3 /out/bin'; changed "owner from a stage"
two 'RUN mkdir /out && echo bin >/out/bon'; changed "name from a stage"
two 'RUN mkdir /out && echo bin >/out/bin && ln /out/bin /out/bin2'; changed "a hard link from a stage"
two 'RUN mkdir /out && echo bin >/out/bin && echo bin >/out/bin2'; changed "... a file in its place"
two 'RUN mkdir /out && ln -s a /out/l'; changed "a link from a stage"
two 'RUN mkdir /out && ln -s b /out/l'; changed "... its target"
printf '%s\n' "$stage" 'COPY d/a /out/bin' 'FROM base:1' 'COPY --from=b /out /out' >Dockerfile; echo bin >ctx/d/a
unchanged "the same file by another instruction"
setfattr -n user.note -v 1 ctx/d/a; changed "an attribute from a stage"
setfattr -n user.note -v 2 ctx/d/a; changed "... its value"
setfattr -x user.note ctx/d/a; unchanged "... gone"
t "digests are remembered beside the layers" test -n "$(ls "$SLIPWAY_ROOT/cache/sums")"
for file in "$SLIPWAY_ROOT"/cache/sums/*; do echo rubbish >"$file"; done
unchanged "damaged digests count as none"
for file in "$SLIPWAY_ROOT"/cache/sums/*; do rm "$file"; done
unchanged "so do missing ones"
printf 'FROM base:1\nCOPY --from=base:1 /etc/passwd /p\n' >Dockerfile
last >/dev/null
unchanged "from an image"
