# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# For tests of COPY, ADD and WORKDIR, after lib.sh: what a Dockerfile gives, looked at with tar.
#
#   build NAME LINE…    builds FROM base:1 and these lines with ./ctx as c:1, then again without the cache: a check NAME that
#                       it works and gives the same digest. ./list is then tar's listing of the last layer.
#   begin LINE          the Dockerfile's first line from here on, for `FROM base:1`
#   line NAME ERE       a check: ./list has a line that matches;  no_line NAME ERE: it has none
#   content PATH        prints a file of the last layer
#   refused NAME TEXT LINE…   a check: the build fails and says TEXT
#   layer_file IMAGE [N]      the blob of a layer, counted from 1, the last one by default

copy_first='FROM base:1'
SOURCE_DATE_EPOCH=1700000000
export SOURCE_DATE_EPOCH

blob() { echo "$SLIPWAY_ROOT/blobs/$(echo "$1" | tr : /)"; }
manifest_of() {
    jq -r --arg n "docker.io/library/$1" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n) | .digest' "$SLIPWAY_ROOT/index.json"
}
layer_file() { blob "$(jq -r ".layers[${2:-0} - 1].digest" "$(blob "$(manifest_of "$1")")")"; }

begin() { copy_first=$1; }
dockerfile() {
    printf '%s\n' "$copy_first" >Dockerfile
    for copy_line in "$@"; do printf '%s\n' "$copy_line" >>Dockerfile; done
}
twice() {
    copy_once=$(slipway build -q -f Dockerfile -t c:1 ctx) || return
    copy_again=$(slipway build -q --no-cache -f Dockerfile -t c:1 ctx) || return
    is "$copy_once" "$copy_again"
}
build() {
    copy_name=$1
    shift
    dockerfile "$@"
    t "$copy_name" twice || {
        : >list
        return 1
    }
    tar -tvzf "$(layer_file c:1)" --numeric-owner >list
}
line() { t "... $1" matches list "$2"; }
no_line() { t "... $1" not grep -qE -e "$2" list; }
content() { tar -xOzf "$(layer_file c:1)" "$1"; }
refused() {
    copy_name=$1 copy_text=$2
    shift 2
    dockerfile "$@"
    t "$copy_name" expect_fail "$copy_text" slipway build -f Dockerfile ctx
}
