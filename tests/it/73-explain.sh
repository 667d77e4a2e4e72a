#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slipway build --explain: why each step was remembered or not.
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
mkdir -p ctx/sub
echo a >ctx/a
echo b >ctx/sub/b
ln -s a ctx/link
cat >ctx/Dockerfile <<'D'
FROM base:1 AS tools
ARG VERSION=1
ENV MODE=fast
COPY . /src
RUN echo "$VERSION" >/version
FROM base:1
COPY --from=tools /version /version
RUN cat /version
D
explain() { slipway --progress plain build --explain "$@" -t x:1 ctx; }
# The lines below the step whose line matches, up to the next step.
below() { awk -v want="$1" '/^stage /{ on = index($0, want) > 0; next } on && /^  /' "$T/err"; }

t "a first build" explain
t "says that it is one" has "$T/err" 'nothing of it was built here before'
t "again" explain
is "$(grep -c '^  hit$' "$T/err")/$(grep -c '^  not needed$' "$T/err")/$(grep -c '^  miss' "$T/err")" "2/2/0" "two hits, and what they read is not needed"
t "each step has its stage and line" has "$T/err" 'stage tools, line 4: COPY . /src'

echo changed >ctx/a
echo new >ctx/sub/new
rm ctx/sub/b
ln -sfn sub ctx/link
chmod 755 ctx/Dockerfile
t "other files" explain
below 'COPY . /src' >list
t "content" has list '    file a has another content'
t "a new one" has list '    file sub/new is new'
t "one that is gone" has list '    file sub/b is gone'
t "a link" has list '    file link points elsewhere'
t "a mode" has list '    file Dockerfile has another mode'
is "$(grep -c '    file' list)" 5 "and no other"
below 'RUN echo' >list
t "the step above it is the same" has list 'the step itself is the same: what is below it'
below 'COPY --from=tools' >list
t "and what it gave is what it was" has list 'hit: what is below it was made anew, and is the same'

t "another argument" explain --build-arg VERSION=2
below 'RUN echo' >list
t "by its name, with both values" has list '    ARG VERSION: "1" became "2"'
is "$(grep -c '^    ' list)" 1 "and nothing else"
sed -i 's/MODE=fast/MODE=slow/' ctx/Dockerfile
t "another variable" explain --build-arg VERSION=2
below 'RUN echo' >list
t "likewise" has list '    ENV MODE: "fast" became "slow"'
sed -i 's/echo "$VERSION"/echo  "$VERSION"/' ctx/Dockerfile
t "another command" explain --build-arg VERSION=2
below 'RUN echo' >list
t "with both texts" has list '    argv 2: "echo "$VERSION" >/version" became "echo  "$VERSION" >/version"'
sed -i 's/^RUN cat/USER 5\nRUN --network=none cat/' ctx/Dockerfile
t "user and network" explain --build-arg VERSION=2
below 'RUN --network=none cat' >list
t "the user" has list '    user is new: "5"'
t "the network" has list '    network'
t "nothing changed, --no-cache" explain --build-arg VERSION=2 --no-cache
t "is said to be for that" has "$T/err" '--no-cache: nothing was to be remembered'
rm -rf "$SLIPWAY_ROOT/cache/steps"
t "records that are gone" explain --build-arg VERSION=2
t "are told" has "$T/err" 'what it gave is not in the store any more'
sed -i 's/^RUN --network=none cat.*/RUN false/' ctx/Dockerfile
t "a build that fails explains, too" expect_fail 'exit status 1' slipway build --explain -t x:1 ctx
t "up to where it came" has "$T/err" 'RUN false'
t "without --explain nothing is said" slipway build -t x:1 --target tools ctx
t "not a word" lacks "$T/err" 'line 4'
t "an ordinary build is what the next is held against" slipway build -q --build-arg VERSION=3 --target tools ctx
t "another" slipway build --explain --build-arg VERSION=4 --target tools ctx
t "so it is told with that one's value" has "$T/err" 'ARG VERSION: "3" became "4"'
echo 87654321secret >secret
t "a secret" slipway build --explain --secret id=s,src=secret -t x:1 --target tools ctx
t "is nowhere in what is kept" not grep -r 87654321secret "$SLIPWAY_ROOT/cache"
