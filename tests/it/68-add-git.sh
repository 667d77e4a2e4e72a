#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ADD of git repositories: refs, subdirectories, submodules, checksums, .git, what is fetched and when, faults, hostile ones.
. "$(dirname "$0")/../lib.sh"
need git python3 jq skopeo umoci

manifest() { jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"; }
blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
top() { blob "$(jq -r '.layers[-1].digest' "$(blob "$(manifest "$1")")")"; }

# The repositories of this test: config of their own, commits of one time.
export GIT_CONFIG_GLOBAL="$T/gitconfig" GIT_AUTHOR_DATE='1600000000 +0000' GIT_COMMITTER_DATE='1600000000 +0000'
git config --global user.name t
git config --global user.email t@example.org
git config --global init.defaultBranch main
git config --global protocol.file.allow always
git config --global advice.detachedHead false
mkdir -p git ctx
git init -q git/inner && (cd git/inner && echo deep >deep && git add . && git commit -qm inner) || exit 1
git init -q git/sub && (cd git/sub && echo s >s.txt && git add . && git submodule --quiet add ../inner in/ner && git commit -qam sub) || exit 1
git init -q git/repo
cd git/repo || exit 1
mkdir dir
echo a >a
echo x >dir/x
chmod 700 dir/x
ln -s a link
printf 'dir export-ignore\n' >.gitattributes
git add . && git commit -qm one && git tag v1 && git tag -a v1a -m annotated
one=$(git rev-parse HEAD)
git submodule --quiet add ../sub m/sub && git commit -qam two
git checkout -q -b other && echo b >a && git commit -qam three && git checkout -q main
two=$(git rev-parse HEAD)
cd ../.. || exit 1
(cd git/repo && git submodule update --quiet --init --recursive)

start "$T/files.out" "$LIB_DIR/fake/files.py" --dir "$PWD/git" --port-file "$T/port" --log "$PWD/log"
wait_for 20 test -s "$T/port" || { echo "Bail out! no server"; exit 1; }
url=http://127.0.0.1:$(cat "$T/port")/git
for r in inner sub repo; do git clone -q --bare git/$r git/$r.git; done
# Submodules by relative URL, as servers that move need it.
git config -f git/repo/.gitmodules submodule.m/sub.url ../sub.git
git config -f git/sub/.gitmodules submodule.in/ner.url ../inner.git
(cd git/sub && git commit -qam rel && git push -q ../sub.git main)
(cd git/repo/m/sub && git pull -q ../../../sub main && cd ../.. && git add m/sub .gitmodules && git commit -qm rel && git push -q ../repo.git main)
two=$(git -C git/repo rev-parse HEAD)

build() {
    name=$1
    shift
    printf 'FROM scratch\n' >Dockerfile
    for line in "$@"; do printf '%s\n' "$line" >>Dockerfile; done
    : >log
    t "$name" slipway --progress plain build -f Dockerfile -t c:1 ctx || return
    tar -tvzf "$(top c:1)" --numeric-owner >list
}
line() { t "... $1" matches list "$2"; }
content() { is "$(tar -xOzf "$(top c:1)" "$1")" "$2" "... $1 holds \"$2\""; }
refuse() {
    name=$1 want=$2
    shift 2
    printf 'FROM scratch\n' >Dockerfile
    for line in "$@"; do printf '%s\n' "$line" >>Dockerfile; done
    t "$name" expect_fail "$want" slipway build -f Dockerfile ctx
    t "... with its line" has "$T/err" "Dockerfile:2"
}

build "a repository" "ADD $url/repo.git /r/"
line "a file" '^-rw-r--r-- 0/0 .* r/a$'
line "an executable, with git's mode" '^-rwxr-xr-x 0/0 .* r/dir/x$'
line "directories" '^drwxr-xr-x 0/0 .* r/dir/$'
line "a link" ' r/link -> a$'
line "a submodule" ' r/m/sub/s.txt$'
line "a submodule's own" ' r/m/sub/in/ner/deep$'
t "... without .git" lacks list 'r/.git/'
content r/a a
build "again: one question to the server" "ADD $url/repo.git /r/"
t "... the step is remembered" lacks "$T/err" DONE
t "... nothing is fetched" lacks log 'POST /git/sub'
build "a commit by its whole hash" "ADD $url/repo.git#$one /r/"
t "... that is in no way new" lacks list 'm/sub'
build "again: no question at all" "ADD $url/repo.git#$one /r/"
is "$(wc -l <log)" 0 "... no request"
(umask 077; slipway build -q -f Dockerfile -t c:1 --no-cache ctx >/dev/null; tar -tvzf "$(top c:1)" --numeric-owner >list)
line "the umask makes no difference" '^-rw-r--r-- 0/0 .* r/a$'
build "a subdirectory" "ADD $url/repo.git#main:dir /r/"
line "its files" '^-rwxr-xr-x 0/0 .* r/x$'
t "... alone" lacks list 'r/a'
build "a subdirectory in a submodule" "ADD $url/repo.git#:m/sub/in /r/"
line "its files" ' r/ner/deep$'
build "a branch" "ADD $url/repo.git#other /r/"
content r/a b
build "the query form" "ADD $url/repo.git?branch=other&submodules=false /r/"
content r/a b
t "... without submodules" lacks list s.txt
build "a tag" "ADD $url/repo.git#v1 /r/"
content r/a a
build "an annotated tag, its commit's checksum" "ADD --checksum=$(echo "$one" | cut -c1-12) $url/repo.git?tag=v1a /r/"
content r/a a
build "an annotated tag, its own checksum" "ADD --checksum=$(git -C git/repo rev-parse v1a) $url/repo.git?tag=v1a /r/"
build "variables, --chown and --chmod" "ARG REF=other" "ADD --chown=5:6 --chmod=u=rwX,go= $url/repo.git#\$REF /r/"
line "both" '^-rw------- 5/6 .* r/a$'
build "--exclude" "ADD --exclude=dir --exclude=**/*.txt $url/repo.git /r/"
line "the rest" ' r/a$'
t "... not what it names" sh -c '! grep -e r/dir -e s.txt list'
build "another --exclude is another step" "ADD --exclude=a $url/repo.git /r/"
t "... it is carried out" matches "$T/err" '^#1 DONE'
t "... by its own rules" sh -c 'grep "r/dir/x" list && ! grep "r/a$" list'
build "--link" "ADD --link $url/repo.git#v1 /r/"
line "its files" ' r/a$'
build "two repositories" "ADD $url/repo.git#v1 $url/inner.git /r/"
line "one" ' r/a$'
line "the other" ' r/deep$'
build "fetch-by-commit" "ADD $url/repo.git?ref=whatever&commit=$one&fetch-by-commit /r/"
t "... asks no refs" lacks log 'info/refs?service=git-upload-pack 200 x'
build "mtime=commit" "ADD $url/repo.git?mtime=commit /r/"
tar -tvzf "$(top c:1)" --full-time --utc >list
line "is the commit's" ' 2020-09-13 12:26:40 r/a$'
SOURCE_DATE_EPOCH=1700000000 slipway build -q -f Dockerfile -t e:1 ctx >e1
SOURCE_DATE_EPOCH=1700000000 slipway build -q -f Dockerfile -t e:1 --no-cache ctx >e2
t "with SOURCE_DATE_EPOCH twice the same digest" same e1 e2

build "--keep-git-dir" "ADD --keep-git-dir $url/repo.git#main /r/"
mkdir kept && tar -xzf "$(top c:1)" -C kept
is "$(git -C kept/r rev-parse HEAD)" "$two" "... is a repository at that commit"
is "$(git -C kept/r status --porcelain)" "" "... with nothing changed"
is "$(git -C kept/r rev-parse refs/heads/main)" "$two" "... its branch is there"
is "$(git -C kept/r remote get-url origin)" "$url/repo.git" "... and its origin"
t "... git says it is whole" git -C kept/r fsck --no-dangling

(cd git/repo && echo more >"./more" && git add more && git commit -qm more && git push -q ../repo.git main)
before=$(find "$SLIPWAY_ROOT/cache/git" -name '*.pack' | wc -l)
mirrors=$(find "$SLIPWAY_ROOT/cache/git" -mindepth 1 -maxdepth 1 | wc -l)
build "a branch that moved is fetched" "ADD $url/repo.git /r/"
content r/more more
t "... into the mirror that is there" test "$(find "$SLIPWAY_ROOT/cache/git" -name '*.pack' | wc -l)" -gt "$before"
is "$(find "$SLIPWAY_ROOT/cache/git" -mindepth 1 -maxdepth 1 | wc -l)" "$mirrors" "... one a remote"
printf 'local\n' >ctx/file
build "together with a local file" "ADD file $url/repo.git#v1 /r/"
line "the file" ' r/file$'
line "the repository" ' r/dir/x$'

# What others read is what git itself has.
build "for another tool to unpack" "ADD $url/repo.git#v1 /r/"
skopeo copy -q "oci:$SLIPWAY_ROOT:docker.io/library/c:1" oci:oci:c >/dev/null 2>err && umoci unpack --rootless --image oci:c bundle >/dev/null 2>>err
git clone -q git/repo.git checkout && git -C checkout checkout -q v1 && rm -rf checkout/.git
t "... it is what git checks out" diff -r --no-dereference checkout bundle/rootfs/r

# Stages that are made at once want the same things.
rm -rf "$SLIPWAY_ROOT/cache/git" "$SLIPWAY_ROOT/cache/urls"
plain=$(echo "$url" | sed 's,/git$,/plain/repo/a,')
for n in 1 2 3 4; do printf 'FROM scratch AS s%s\nADD %s/repo.git#v1 /r%s/\nADD %s /f%s\n' $n "$url" $n "$plain" $n; done >Dockerfile
printf 'FROM scratch\n' >>Dockerfile
for n in 1 2 3 4; do printf 'COPY --from=s%s / /\n' $n; done >>Dockerfile
: >log
t "four stages at once" slipway build -q --jobs 4 -f Dockerfile -t c:1 ctx
is "$(grep -c 'GET /plain/repo/a' log)" 1 "... the file is asked for once"
is "$(grep -c 'POST /git/repo.git/git-upload-pack' log)" 2 "... the repository, too: its refs, its commit"
tar -tzf "$(top c:1)" >list
line "all is there" '^r4/a$'

# A mirror that a killed fetch left behind.
for m in "$SLIPWAY_ROOT"/cache/git/*; do touch "$m/shallow.lock" "$m/objects/pack/tmp_pack_x"; done
(cd git/repo && echo yet >yet && git add yet && git commit -qm yet && git push -q ../repo.git main)
build "locks of the dead are in nobody's way" "ADD $url/repo.git /r/"
content r/yet yet

# Killed while git fetches: git goes on alone, and whoever wants the mirror waits for it.
rm -rf "$SLIPWAY_ROOT/cache/git"
slow=$(echo "$url" | sed 's,/git$,/gitslow,')
printf 'FROM scratch\nADD %s/repo.git#main /r/\n' "$slow" >Dockerfile
: >log
slipway build -q -f Dockerfile ctx >/dev/null 2>&1 &
pid=$!
wait_for 10 grep -q 'gitslow/repo.git/git-upload-pack 0' log
kill -9 $pid
wait $pid 2>/dev/null
t "after kill -9 in the middle of a fetch" slipway build -q -f Dockerfile -t c:1 ctx
is "$(grep -c 'gitslow/repo.git/git-upload-pack 0' log)" 1 "... what git brought meanwhile is not fetched again"
is "$(ls "$SLIPWAY_ROOT/tmp")" "" "... tmp is empty"

start "$T/daemon" git daemon --base-path="$PWD/git" --export-all --listen=127.0.0.1 --port="$(free_port >port; cat port)" --reuseaddr "$PWD/git"
wait_for 10 git ls-remote "git://127.0.0.1:$(cat port)/repo.git"
mkdir here && cd here && git init -q . && git config url.http://127.0.0.1:1/.insteadOf http:// && cp -r ../ctx . || exit 1
build "settings of the repository one stands in" "ADD $url/repo.git#other /r/"
content r/a b
cd .. || exit 1
git init -q --object-format=sha256 git/long && (cd git/long && echo long >l && git add . && git commit -qm l) && git clone -q --bare git/long git/long.git
build "SHA-256 hashes" "ADD --keep-git-dir $url/long.git /r/"
content r/l long
build "... by hash" "ADD $url/long.git#$(git -C git/long rev-parse HEAD) /r/"
content r/l long
build "git's own protocol" "ADD git://127.0.0.1:$(cat port)/repo.git#v1 /r/"
content r/a a
git -C git/repo.git update-server-info
build "a dumb server" "ADD $(echo "$url" | sed 's,/git$,,')/bare/repo.git#v1 /r/"
content r/a a
# ssh is the host's; this one only shows what git asks of it.
cat >fakessh <<S
#!/bin/sh
echo "\$@" >>$PWD/ssh.log
shift \$((\$# - 1))
exec sh -c "\$1"
S
chmod +x fakessh
GIT_SSH_COMMAND=$PWD/fakessh
export GIT_SSH_COMMAND
build "ssh" "ADD git@example.org:$PWD/git/repo.git#v1 /r/"
content r/a a
t "... by its command" has ssh.log "git@example.org git-upload-pack '$PWD/git/repo.git'"
printf 'FROM scratch\nADD git@example.org:%s/git/repo.git#other /r/\n' "$PWD" >Dockerfile
# shellcheck disable=SC2016 # for the script
sed -i '2i echo "agent $SSH_AUTH_SOCK" >>'"$PWD/ssh.log" fakessh
python3 -c 'import socket, time; s = socket.socket(socket.AF_UNIX); s.bind("agent.sock"); s.listen(1); time.sleep(600)' & on_exit "kill $!"
wait_for 5 test -S agent.sock
t "--ssh default is the agent it asks" slipway build -q --ssh "default=$PWD/agent.sock" -t c:1 -f Dockerfile ctx
t "... and no other" has ssh.log "agent $PWD/agent.sock"
unset GIT_SSH_COMMAND

refuse "a branch that is not there" 'has no branch or tag "nowhere"' "ADD $url/repo.git#nowhere /r/"
refuse "a commit that is not there" "$url/repo.git: commit 0123456789012345678901234567890123456789 is not in the repository" "ADD $url/repo.git#0123456789012345678901234567890123456789 /r/"
refuse "a repository that is not there" "not found" "ADD $url/none.git /r/"
refuse "a wrong checksum" "$url/repo.git: the commit is $one, not one that begins with abcdef" "ADD --checksum=abcdef $url/repo.git#v1 /r/"
refuse "a checksum that disagrees with the URL's" "--checksum and the URL's checksum disagree" "ADD --checksum=abcdef $url/repo.git?commit=$one /r/"
refuse "a subdirectory that is not there" "$url/repo.git: subdir nothing of the repository" "ADD $url/repo.git#v1:nothing /r/"
refuse "a subdirectory that is a link" "subdir link of the repository" "ADD $url/repo.git#v1:link /r/"
refuse "an option for git" "its ref is not one that git allows" "ADD $url/repo.git#--upload-pack=x /r/"
refuse "an option for ssh" 'cannot begin with "-"' "ADD ssh://-oProxyCommand=x/r.git /r/"
refuse "COPY of a repository" "COPY cannot fetch a git repository" "COPY $url/repo.git /r/"
refuse "a login that is wanted" "terminal prompts disabled" "ADD $(echo "$url" | sed 's,/git$,,')/gitauth/repo.git /r/"

# --- credentials
host=$(echo "$url" | sed 's,^http://,,;s,/.*,,')
printf 'git-token\n' >token
printf 'basic %s' "$(printf 'x-access-token:git-token' | base64 -w0)" >header
printf 'FROM scratch\nADD http://%s/gitauth/repo.git#v1 /r/\n' "$host" >Dockerfile
for secret in GIT_AUTH_TOKEN,src=token "GIT_AUTH_TOKEN.$host,src=token" GIT_AUTH_HEADER,src=header "GIT_AUTH_HEADER.$host,src=header"; do
    rm -rf "$SLIPWAY_ROOT/cache/git"
    t "a secret $(echo "$secret" | sed 's/[.,].*//')" slipway build -q --no-cache --secret "id=$secret" -t c:1 -f Dockerfile ctx
done
t "... for another host is of no use" expect_fail "terminal prompts disabled" slipway build --no-cache --secret id=GIT_AUTH_TOKEN.example.org,src=token -f Dockerfile ctx
sed 's,/gitauth,/moved/gitauth,' Dockerfile >moved
t "... a server that has it may not redirect" expect_fail "error: 302" slipway build --no-cache --secret id=GIT_AUTH_TOKEN,src=token -f moved ctx
t "nothing in the store tells it" sh -c "! grep -rqF -e git-token -e '$(cat header)' '$SLIPWAY_ROOT'"
printf 'FROM scratch\nADD http://example.org/r.git /r/\n' >Dockerfile
t "it does not go out in plain text" expect_fail "plain http would tell it" slipway build --secret id=GIT_AUTH_TOKEN,src=token -f Dockerfile ctx

# A password in a URL is the Dockerfile's own secret; no command line, message or file of ours tells it further.
mkdir wrap && printf '#!/bin/sh\necho "$@" >>%s/args\nexec %s "$@"\n' "$PWD" "$(command -v git)" >wrap/git && chmod +x wrap/git
printf 'FROM scratch\nADD --keep-git-dir http://x-access-token:git-token@%s/gitauth/repo.git#v1 /r/\n' "$host" >Dockerfile
t "a password in the URL" env PATH="$PWD/wrap:$PATH" slipway build -q --no-cache -t p:1 -f Dockerfile ctx
t "... git is run" has args "ls-remote"
t "... without it among its arguments" lacks args git-token
tar -xzf "$(top p:1)" -C . r/.git/config && t "... and it is not in the .git" lacks r/.git/config git-token
sed -i 's/#v1/#nowhere/' Dockerfile
t "... nor in an error" expect_fail "git repository http://x-access-token:***@$host/gitauth/repo.git has no branch" slipway build -f Dockerfile ctx
slipway rm p:1 >/dev/null

# Hostile ones: a submodule of this host's files, of a program; a .gitmodules with an option for a URL.
for evil in "$PWD/git/inner" "file://$PWD/git/inner" "ext::sh -c touch% $T/owned" "--upload-pack=touch $T/owned"; do
    rm -rf git/evil git/evil.git
    git init -q git/evil
    (cd git/evil && git submodule --quiet add ../inner in && git config -f .gitmodules submodule.in.url "$evil" && git add . && git commit -qm evil)
    git clone -q --bare git/evil git/evil.git
    refuse "a submodule at $(echo "$evil" | cut -c1-12)" "a submodule can be had by http, https, ssh and git only" "ADD $url/evil.git /r/"
done
t "nothing was run" test ! -e "$T/owned"
rm -rf git/evil git/evil.git
git init -q git/evil
(cd git/evil && mkdir .h && printf '#!/bin/sh\ntouch %s/owned\n' "$T" >.h/post-checkout && chmod +x .h/post-checkout && printf '* filter=x\n' >.gitattributes && git add . && git commit -qm evil)
git clone -q --bare git/evil git/evil.git
build "filters and hooks of a repository are nobody's" "ADD --keep-git-dir $url/evil.git /r/"
t "... none is run" test ! -e "$T/owned"

empty_path=$T/nogit
mkdir -p "$empty_path"
ln -s "$SLIPWAY" "$empty_path/slipway"
printf 'FROM scratch\nADD %s/repo.git#main /r/\n' "$url" >Dockerfile
t "without git the error names the package" expect_fail "install the package git" env PATH="$empty_path" slipway build -f Dockerfile ctx
is "$(ls "$SLIPWAY_ROOT/tmp")" "" "tmp is empty"

if can user; then
    as_user true
    mkdir -p "$USER_HOME/ctx"
    printf 'FROM scratch\nADD %s/repo.git#main /r/\n' "$url" >"$USER_HOME/ctx/Dockerfile"
    t "as an ordinary user" as_user slipway --progress plain build -t c:1 "$USER_HOME/ctx"
    t "... again, remembered" as_user slipway --progress plain build -t c:1 "$USER_HOME/ctx"
    t "... all of it" lacks "$T/err" DONE
    t "... without a sandbox" as_user SLIPWAY_ROOT="$USER_HOME/other" slipway build -q --isolation none "$USER_HOME/ctx"
else
    skip "as an ordinary user" "$why"
fi
