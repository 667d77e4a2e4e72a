#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every command has --help and a page, and the page lists exactly the options of the command's table.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# "-x --name" or "- --name", one option a line, as `.It Fl x , Fl Fl name …` says it
options_of_page() {
    sed -n 's/^\.It \(.*\)$/\1/p' "$1" | awk '
        {
            gsub(/\\-/, "-")
            letter = "-"; name = ""
            for (i = 1; i <= NF; i++) {
                if ($i != "Fl") continue
                next_word = $(i + 1)
                if (next_word == "Fl") { name = "--" $(i + 2); i += 2 }
                else if (next_word ~ /^-/) { name = "-" next_word; i++ }
                else if (next_word ~ /^.$/) { letter = "-" next_word; i++ }
            }
            sub(/=.*/, "", name)
            if (name != "" && name != "--help") print letter, name
        }' | sort -u
}
options_of_command() { awk -F '\t' -v name="$1" 'NF > 1 && $1 == name { print $2, $3 }' "$T/list" | sort -u; }

"$SLIPWAY" completion list >"$T/list"
t "the program tells its options" test -s "$T/list"
awk -F '\t' 'NF == 1 && $1 != "" { print $1 }' "$T/list" >"$T/commands"

compare() { # COMMAND PAGE
    options_of_command "$1" >"$T/want"
    options_of_page "$2" >"$T/got"
    diff "$T/want" "$T/got" >"$T/diff" && return 0
    echo "< the command's table, > the page:" >&2
    cat "$T/diff" >&2
    return 1
}
help_of() {
    # shellcheck disable=SC2086 # "ecs deploy" is two words
    "$SLIPWAY" $1 --help >"$T/help" || return 1
    has "$T/help" "usage: slipway $1"
}
page_is_whole() {
    for section in NAME SYNOPSIS DESCRIPTION EXAMPLES; do
        grep -q "^\\.Sh $section" "$1" || { echo "$1 has no $section" >&2; return 1; }
    done
}

while read -r name; do
    page=$SOURCE_DIR/man/slipway-$(echo "$name" | tr ' ' '-').1
    t "slipway $name --help" help_of "$name"
    if t "slipway $name has a page" test -f "$page"; then
        t "$name: the page's options are the command's" compare "$name" "$page"
        t "$name: the page is whole" page_is_whole "$page"
    fi
done <"$T/commands"

for page in "$SOURCE_DIR"/man/slipway-*.1; do
    name=$(basename "$page" .1)
    name=${name#slipway-}
    t "$name: a page, so a command" sh -c 'tr " " "-" <"$1" | grep -qx "$2"' sh "$T/commands" "$name"
done
t "slipway(1) lists the options of every command" compare '' "$SOURCE_DIR/man/slipway.1"
while read -r name; do
    t "slipway(1) names $name" grep -q "Xr slipway-$(echo "$name" | tr ' ' '-') 1" "$SOURCE_DIR/man/slipway.1"
done <"$T/commands"
if can mandoc; then
    # what mandoc cannot know: pages that are not installed yet
    t "mandoc has nothing to say" sh -c '! mandoc -T lint -W style "$1"/man/*.[1-9] | grep -vE "not found: Xr|outdated mandoc.db|longer than 80 bytes|Mdocdate"' sh "$SOURCE_DIR"
else
    skip "mandoc has nothing to say" "$why"
fi
