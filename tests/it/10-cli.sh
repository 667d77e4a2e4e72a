#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command line's frame: help, exit statuses, suggestions, completion, closed and full standard outputs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
export T

t "help" sh -c 'slipway --help >out && grep -q "^usage: slipway" out && grep -q "^  images " out'
t "help of one command, three ways" sh -c 'slipway images --help >a && slipway help images >b && slipway images -h >c &&
    cmp a b && cmp a c && grep -q "^usage: slipway images" a && grep -q -- "--digests" a'
t "help of a group" sh -c 'slipway ecs --help | grep -q "^  ecs deploy"'
t "no command" expect_status 2 'no command given' slipway
t "unknown command" expect_status 2 'unknown command "imagse"; did you mean images?' slipway imagse
t "unknown command, nothing near" expect_status 2 'unknown command "frobnicate"' slipway frobnicate
t "half of a two-word command" expect_status 2 'ecs: which command? see slipway ecs --help' slipway ecs
t "wrong half" expect_status 2 'unknown command "ecs deplyo"; did you mean ecs deploy?' slipway ecs deplyo
t "unknown option" expect_status 2 'images: unknown option --digest; did you mean --digests?' slipway images --digest
t "unknown letter" expect_status 2 'images: unknown option -z' slipway images -z
t "missing value" expect_status 2 'option --output needs a value: FILE' slipway save x --output
t "value where none belongs" expect_status 2 'option --json takes no value but true or false' slipway images --json=x
t "flag with a value" sh -c 'test "$(slipway images --json=true)" = "[]"'
t "missing argument" expect_status 2 'tag: missing argument: IMAGE NAME...' slipway tag one
t "too many arguments" expect_status 2 'did not expect "b"' slipway images a b
t "no arguments" expect_status 2 'version: takes no arguments, got "x"' slipway version x
t "what to read next" sh -c 'slipway images --nope 2>&1 | grep -qx "see slipway images --help"'
t "options of the program stand before or after" sh -c 'slipway --root "$T/r1" images && slipway images --root "$T/r1" &&
    test -f "$T/r1/oci-layout"'
t "progress is checked" expect_status 2 'option --progress: "loud" is not auto, plain, tty, quiet, none or rawjson' slipway --progress loud images
t "version" sh -c 'slipway version | grep -Eq "^slipway [0-9.]+ linux/" && slipway --version | grep -q ^slipway &&
    slipway version --json | jq -e .version'
t "a failure is status 1" expect_fail 'no image "absent" in the store' slipway inspect absent

# Readers of ours that go away, and disks that fill up.
t "a closed pipe ends it quietly" sh -c 'i=0; while [ $i -lt 300 ]; do echo x; i=$((i + 1)); done >/dev/null
    { slipway completion list; echo $? >status; } 2>err | true; test ! -s err'
if [ -w /dev/full ]; then
    t "a full standard output is a failure" expect_fail 'write standard output: No space left' sh -c 'slipway version >/dev/full'
else
    skip "a full standard output is a failure" "no /dev/full"
fi
t "a closed standard output is a failure" expect_fail 'write standard output: Bad file descriptor' sh -c 'slipway version >&-'
t "standard descriptors may be closed" sh -c 'slipway images >&- 2>&- <&-; slipway images <&- && slipway version >out 2>&- && test -s out'
t "a store that cannot be" expect_fail 'store /proc/nowhere: ' slipway --root /proc/nowhere images
t "a directory that is no store" sh -c 'mkdir home && echo x >home/file && ! slipway --root home images 2>err &&
    grep -q "is neither a store nor an empty directory: it holds \"file\"" err && test "$(ls home)" = file'

if command -v bash >/dev/null; then
    cat >complete.bash <<'B'
source <(slipway completion bash)
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _slipway; echo "${COMPREPLY[*]}"; }
set -e
[[ $(try slipway ima) == images ]]
[[ " $(try slipway images --d) " == *" --digests "* ]]
[[ " $(try slipway images --di) " != *" --raw "* ]]
[[ " $(try slipway ecs d) " == *" deploy "* ]]
[[ " $(try slipway ecs deploy --clu) " == *" --cluster "* ]]
[[ " $(try slipway save -o x --fo) " == *" --format "* ]]
B
    t "completion" bash complete.bash
else
    skip "completion" "no bash"
fi
