#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How a Dockerfile is read: lines, directives, flags, JSON, words and variables. Each fact is in an image's config as skopeo
# reads it, in a file as tar lists it, or in the words and the place of an error.
# shellcheck disable=SC2016 # Dockerfiles expand their own variables
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need userns overlay busybox jq skopeo

busybox_image base:1 || { echo "Bail out! no base image"; exit 1; }
mkdir -p ctx/d
echo x >ctx/file
echo y >'ctx/two words'
echo z >'ctx/d$ollar'
# reads TEXT [OPTIONS…]: it builds; its config in ./c. printf's escapes work in TEXT
reads() {
    rm -rf img
    printf '%b' "$1" >Dockerfile
    shift
    slipway build -q -f Dockerfile -o type=oci,dest=img,tar=false "$@" ctx && skopeo inspect --config --raw oci:img >c
}
row() { # NAME TEXT JQ [OPTIONS…]
    row_name=$1 row_text=$2 row_jq=$3
    shift 3
    t "$row_name" reads "$row_text" "$@"
    t "... $(printf %.100s "$row_jq")" json c "$row_jq"
}
# word NAME WORD WANT: LABEL w=WORD is WANT, where a=alpha b= p=/usr/local/lib/x.tar.gz
word() {
    printf 'FROM scratch\nARG a=alpha b= p=/usr/local/lib/x.tar.gz s="one two" n=12 é=accent\nLABEL w=%s\n' "$2" >Dockerfile
    rm -rf img
    if slipway build -q -f Dockerfile -o type=oci,dest=img,tar=false ctx >/dev/null 2>err && skopeo inspect --config --raw oci:img >c; then
        is "$(jq -r .config.Labels.w c)" "$3" "$1: $2"
    else
        not_ok "$1: $2"
        diag "$(cat err)"
    fi
}
# refused NAME TEXT ERROR [OPTIONS…]
refused() {
    printf '%b' "$2" >Dockerfile
    re_name=$1 re_error=$3
    shift 3
    t "$re_name" expect_fail "$re_error" slipway build -f Dockerfile -o type=oci,dest=img,tar=false "$@" ctx
}
L='.config.Labels'
bom='\0357\0273\0277'

# --- lines
row "a byte order mark before the first line" "${bom}FROM scratch\nLABEL a=1\n" "$L.a == \"1\""
row "... before a directive too" "${bom}# escape=\`\nFROM scratch\nLABEL a=1 \`\n b=2\n" "$L == {\"a\":\"1\",\"b\":\"2\"}"
refused "... but not before the second" "FROM scratch\n${bom}LABEL a=1\n" 'Dockerfile:2: unknown instruction'
row "line ends of another system" "# escape=\`\r\nFROM scratch\r\nLABEL a=1 \`\r\n# said\r\n  b=\"2 3\"\r\n\r\nENV X=y\r\n" "$L == {\"a\":\"1\",\"b\":\"2 3\"} and (.config.Env | index(\"X=y\")) != null"
row "a mark, such line ends and the other escape together" "${bom}# escape=\`\r\nFROM scratch\r\nLABEL a=C:\\\\\\\\dir \`\r\n b=\`\$x\r\n" "$L == {\"a\":\"C:\\\\\\\\dir\",\"b\":\"\$x\"}"
row "no newline at the end" 'FROM scratch\nLABEL a=1' "$L.a == \"1\""
row "instructions in any case" 'from scratch As Base\nlaBel a=1\nFrOm base aS x\nlabel b=2\nHealthCheck NoNe\n' "$L == {\"a\":\"1\",\"b\":\"2\"} and .config.Healthcheck.Test == [\"NONE\"]"
row "HEALTHCHECK cmd in any case" 'FROM scratch\nHEALTHCHECK --retries=1 cMd ["a"]\n' '.config.Healthcheck == {"Test":["CMD","a"],"Retries":1}'
row "blanks before instructions and comments" '  FROM scratch\n\t LABEL a=1\n   # a comment\n \t\n\tLABEL b=2\n' "$L == {\"a\":\"1\",\"b\":\"2\"}"
row "blanks within a command stay" 'FROM scratch\nCMD echo  a   b\n' '.config.Cmd[2] == "echo  a   b"'
row "# within a line is data" 'FROM scratch\nLABEL a=1#2 b="# 3"\nCMD echo a # b\n' "$L == {\"a\":\"1#2\",\"b\":\"# 3\"} and .config.Cmd[2] == \"echo a # b\""
row "a comment between continued lines goes, the line goes on" 'FROM scratch\nLABEL a=1 \\\n# one\n   # two \\\n\t#three\n b=2\n' "$L == {\"a\":\"1\",\"b\":\"2\"}"
row "an empty line between them too, with a warning" 'FROM scratch\nLABEL a=1 \\\n\n  \n b=2\n' "$L == {\"a\":\"1\",\"b\":\"2\"}"
t "... that it says" sh -c 'slipway build --check -f Dockerfile ctx | grep -q NoEmptyContinuation'
row "blanks after the escape" 'FROM scratch\nLABEL a=1 \\ \t \n b=2\n' "$L == {\"a\":\"1\",\"b\":\"2\"}"
row "two escapes at the end of a line are no continuation" 'FROM scratch\nCMD echo a\\\\\nLABEL b=2\n' "$L == {\"b\":\"2\"} and .config.Cmd[2] == \"echo a\\\\\\\\\""
row "a line of the escape alone goes on" 'FROM scratch\nLABEL a=1 \\\n\\\nb=2\n' "$L == {\"a\":\"1\",\"b\":\"2\"}"
row "a continuation joins without a blank" 'FROM scratch\nLABEL a=on\\\ne\n' "$L.a == \"one\""
row "... whose next line keeps its own" 'FROM scratch\nCMD echo a\\\n   b\n' '.config.Cmd[2] == "echo a   b"'
row "a continuation at the end of the file" 'FROM scratch\nLABEL a=1 \\' "$L.a == \"1\""
row "... followed by comments only" 'FROM scratch\nLABEL a=1 \\\n# end\n' "$L.a == \"1\""
refused "an empty file" '' 'Dockerfile: no instructions in it'
refused "one of comments" '# a\n\n# b\n' 'Dockerfile: no instructions in it'
refused "one without FROM" 'ARG a=1\n' 'no FROM'
refused "an instruction before FROM" '# c\nRUN x\n' 'Dockerfile:2:'
refused "an unknown instruction" 'FROM scratch\n\nENTRYPONT x\n' 'Dockerfile:3: unknown instruction "ENTRYPONT"; did you mean ENTRYPOINT?'
t "... with its excerpt" matches "$T/err" '^ +3 \| >>> ENTRYPONT x'
refused "an instruction without arguments" 'FROM scratch\nENV\n' 'Dockerfile:2:'
long() { python3 -c 'import sys; n = int(sys.argv[1]); print("FROM scratch"); print("LABEL a=" + "x" * (n - 8))' "$1" >Dockerfile; }
long 65535
rm -rf img
t "a line of 65,535 bytes" slipway build -q -f Dockerfile -o type=oci,dest=img,tar=false ctx
is "$(skopeo inspect --config --raw oci:img | jq '.config.Labels.a | length')" 65527 "... is whole"
long 65536
t "one more" expect_fail 'Dockerfile:2: line is longer than 65535 bytes' slipway build -q -f Dockerfile ctx

# --- directives
row "escape=, its blanks and its case" '#  EsCaPe  =  `  \nFROM scratch\nLABEL a=1 `\n b=\\n\n' "$L == {\"a\":\"1\",\"b\":\"\\\\n\"}"
row "syntax= is noted" '# syntax=docker/dockerfile:1.7-labs\n# escape=`\nFROM scratch\nLABEL a=`"1\n' "$L.a == \"\\\"1\""
row "a comment ends the directives" '# hello\n# escape=`\nFROM scratch\nLABEL a=`x\n' "$L.a == \"\`x\""
row "an empty line too" '\n# escape=`\nFROM scratch\nLABEL a=`x\n' "$L.a == \"\`x\""
row "an unknown one too" '# unknown=1\n# escape=`\nFROM scratch\nLABEL a=`x\n' "$L.a == \"\`x\""
row "#! too" '#!/usr/bin/env slipway\n# escape=`\nFROM scratch\nLABEL a=`x\n' "$L.a == \"\`x\""
row "after an instruction it is a comment" 'FROM scratch\n# escape=`\nLABEL a=`x\n' "$L.a == \"\`x\""
refused "escape= of another character" '# escape=x\nFROM scratch\n' 'Dockerfile:1:'
refused "a directive twice" '# escape=`\n# escape=\\\nFROM scratch\n' 'Dockerfile:2:'
refused "... in other letters" '# escape=`\n# ESCAPE=`\nFROM scratch\n' 'Dockerfile:2:'

# --- flags
row "a flag's value in quotes, with variables" 'FROM base:1\nARG o=1000:2000\nCOPY --chown="$o" --chmod='"'600'"' file /f\n' '.rootfs.diff_ids | length == 2'
t "... is carried out" sh -c 'slipway build -q -f Dockerfile -o type=tar,dest=o.tar ctx && tar --numeric-owner -tvf o.tar | grep -q "^-rw------- 1000/2000 .* f$"'
refused "-- ends the flags" 'FROM scratch\nCOPY -- --chown=1 /\n' '--chown=1'
for form in '--link' '--link=true' '--link=false'; do
    row "COPY $form" "FROM scratch\nCOPY $form file /\n" '.rootfs.diff_ids | length == 1'
done
refused "--link=" 'FROM scratch\nCOPY --link= file /\n' 'Dockerfile:2:'
refused "--link=1" 'FROM scratch\nCOPY --link=1 file /\n' 'is neither true nor false'
refused "--link=maybe" 'FROM scratch\nCOPY --link=maybe file /\n' 'Dockerfile:2:'
refused "an unknown flag" 'FROM scratch\nCOPY --chwon=1 file /\n' 'did you mean --chown'
refused "a flag of another instruction" 'FROM scratch\nCOPY --mount=type=bind file /\n' 'Dockerfile:2:'
refused "a flag twice" 'FROM scratch\nCOPY --chown=1 --chown=2 file /\n' 'Dockerfile:2:'
refused "a flag without its value" 'FROM scratch\nCOPY --chown file /\n' 'Dockerfile:2:'
refused "a flag of an instruction that has none" 'FROM scratch\nENV --x=1 a=b\n' 'Dockerfile:2:'
row "--exclude repeats" 'FROM scratch\nCOPY --exclude=file --exclude=d* . /\n' '.rootfs.diff_ids | length == 1'
t "... and each counts" sh -c 'slipway build -q -f Dockerfile -o type=tar,dest=o.tar ctx && [ "$(tar -tf o.tar)" = "two words" ]'

# --- JSON
row "JSON with blanks around" 'FROM scratch\nCMD   [ "a" ,"b c", "\\u0041" ]  \n' '.config.Cmd == ["a","b c","A"]'
row "JSON over lines" 'FROM scratch\nCMD ["a", \\\n# one\n "b"]\n' '.config.Cmd == ["a","b"]'
refused "an element that is no string" 'FROM scratch\nCMD ["a", 1]\n' 'Dockerfile:2:'
row "what is no JSON is a command" "FROM scratch\nCMD ['a']\n" '.config.Cmd == ["/bin/sh","-c","['"'a'"']"]'
row "... so is text behind it" 'FROM scratch\nCMD ["a"] b\n' '.config.Cmd == ["/bin/sh","-c","[\"a\"] b"]'
row "... and a comma too many" 'FROM scratch\nENTRYPOINT ["a",]\n' '.config.Entrypoint == ["/bin/sh","-c","[\"a\",]"]'
refused "COPY of what is no JSON" "FROM scratch\nCOPY ['file', '/']\n" 'Dockerfile:2:'
row "names with blanks" 'FROM scratch\nCOPY ["two words", "/to here/"]\n' '.rootfs.diff_ids | length == 1'
t "... arrive" sh -c 'slipway build -q -f Dockerfile -o type=tar,dest=o.tar ctx && tar -tf o.tar | grep -qx "to here/two words"'
row "VOLUME in both forms" 'FROM scratch\nARG v=/c\nVOLUME ["/a b", "$v"] \nVOLUME $v/d /e\n' '(.config.Volumes | keys) == ["/a b","/c","/c/d","/e"]'

# --- words
word plain 'x' x
word "a variable" '$a' alpha
word "in braces" '${a}bet' alphabet
word "by its longest name" '$ab.$a.' '.alpha.'
word "digits" '[$1x]' '[x]'
word "special names" '[$@$*$#$?$-$!$0]' '[]'
word "a letter beyond ASCII" '$é' accent
word "a dollar that is none" 'a$.b$' 'a$.b$'
word "an escaped one" '\$a' '$a'
word "in double quotes" '"$a  b"' 'alpha  b'
word "in single quotes" "'\$a'" '$a'
word "joined" "'\$a'\"\$a\"\$a" '$aalphaalpha'
word "a value with a blank is one word" '$s' 'one two'
word "escapes in double quotes" '"\$\"\\\n"' '$"\\n'
word "escapes outside" '\a\"\\' 'a"\'
word "an escape in single quotes" "'\\a'" '\a'
word "quotes in quotes" "\"it's\"" "it's"
word "empty" '""' ''
word default '${none:-d}${b:-e}' de
word "default, colon left out" '${none-d}[${b-e}]' 'd[]'
word alternative '${a:+A}[${b:+B}][${none:+N}]' 'A[][]'
word "alternative, colon left out" '${a+A}${b+B}[${none+N}]' 'AB[]'
word required '${a:?why}' alpha
word "nested" '${none:-${b:-${a}}}' alpha
word "a blank in braces" '"${none:-x y}"' 'x y'
word "prefix, shortest" '${p#*/}' usr/local/lib/x.tar.gz
word "prefix, longest" '${p##*/}' x.tar.gz
word "suffix, shortest" '${p%.*}' /usr/local/lib/x.tar
word "suffix, longest" '${p%%.*}' /usr/local/lib/x
word "a single character" '${a#?}' lpha
word "a pattern that is not there" '${a#z}' alpha
word "brackets are themselves" '${a#[a-z]}' alpha
word "an escaped star" '${a#\*}' alpha
word replace '${a/a/4}' 4lpha
word "replace all" '${a//a/4}' 4lph4
word "replace greedily" '${p/\/*\//:}' :x.tar.gz
word "replace by nothing" '${a//a/}' lph
word "a slash in it" '${p//\//-}' -usr-local-lib-x.tar.gz
word "a variable as pattern" '${p%$none}' /usr/local/lib/x.tar.gz
for bad in '${}' '${:x}' '${{' '${a' '${a!x}' '${a:#x}' '${a:%x}' '"open' "'open" '${none:?}' '${b:?}'; do
    refused "no word: $bad" "FROM scratch\nARG a=1 b=\nLABEL w=$bad\n" 'Dockerfile:3:'
done
refused "the words of \${v:?…}" 'FROM scratch\nLABEL w=${none:?give it}\n' 'give it'
refused "... without the colon" 'FROM scratch\nLABEL w=${none?give it}\n' 'give it'

# --- where words are expanded
row "in ENV and LABEL, names too" 'FROM scratch\nARG n=name v=val\nENV $n=$v\nLABEL $n.$v="${v}ue"\n' "$L == {\"name.val\":\"value\"} and (.config.Env | index(\"name=val\")) != null"
row "one instruction sees what was before it" 'FROM scratch\nENV a=1\nENV a=2 b=$a\nLABEL a=$a b=$b\n' "$L == {\"a\":\"2\",\"b\":\"1\"}"
row "EXPOSE, split after it" 'FROM scratch\nARG p="80 81-82/UDP"\nEXPOSE $p 83\n' '(.config.ExposedPorts | keys) == ["80/tcp","81/udp","82/udp","83/tcp"]'
row "STOPSIGNAL, USER, WORKDIR, VOLUME" 'FROM scratch\nARG s=TERM u=9 w=/w/x\nSTOPSIGNAL SIG$s\nUSER $u:${u}1\nWORKDIR $w\nVOLUME $w/v\n' '.config.StopSignal == "SIGTERM" and .config.User == "9:91" and .config.WorkingDir == "/w/x" and (.config.Volumes | keys) == ["/w/x/v"]'
row "not in CMD, ENTRYPOINT, HEALTHCHECK, SHELL" 'FROM scratch\nARG a=1\nSHELL ["/$a","-c"]\nCMD ["$a"]\nENTRYPOINT echo $a "$a"\nHEALTHCHECK CMD $a\n' '.config.Shell == ["/$a","-c"] and .config.Cmd == ["$a"] and .config.Entrypoint[2] == "echo $a \"$a\"" and .config.Healthcheck.Test[1] == "$a"'
row "nor in MAINTAINER and ONBUILD" 'FROM scratch\nARG a=1\nMAINTAINER $a\nONBUILD LABEL x=$a\n' '.author == "$a" and .config.OnBuild == ["LABEL x=$a"]'
row "in FROM, of globals only" 'ARG B=base V=1\nFROM ${B}:${V} AS s\nLABEL v=[$V]\nFROM s\n' "$L.v == \"[]\""
refused "not in a stage's name" 'ARG V=1\nFROM scratch AS s$V\n' 'Dockerfile:2: stage name'
printf '%s\n' 'FROM base:1 AS from' 'RUN echo o >/o' 'FROM base:1' 'ARG a=1 f=file m=640 o=7:8 d=/dest' 'COPY --chown=$o --chmod=$m $f $d/' 'COPY d\$ollar $d/' \
    'COPY <<EOT $d/here' '[$a] "$a" '"'\$a'"' \$a ${f%le}' 'EOT' 'COPY <<"EOT" $d/there' '$a' 'EOT' \
    'RUN --mount=type=bind,from=from,source=/$none/o,target=$d/b cat $d/b >$d/run && a=2 && echo $a "${a#x}" >>$d/run' >Dockerfile
t "COPY, heredocs, RUN --mount" slipway build -q -f Dockerfile -o out ctx
is "$(stat -c '%a %u:%g' out/dest/file 2>/dev/null)" "$(if [ "$(id -u)" = 0 ]; then echo "640 7:8"; else stat -c '%a %u:%g' out/dest/file; fi)" "... --chown, --chmod, source and destination"
is "$(cat 'out/dest/d$ollar')" z "... an escaped name"
is "$(cat out/dest/here)" '[1] "1" '"'1'"' $a fi' "... a heredoc's body, its quotes kept"
is "$(cat out/dest/there)" '$a' "... not that of a quoted one"
is "$(tr '\n' ' ' <out/dest/run)" 'o 2 2 ' "... mount options, and RUN's text left to the shell"
refused "COPY --from=\$x" 'FROM scratch AS s\nFROM scratch\nARG x=s\nCOPY --from=$x file /\n' 'Dockerfile:4:'
refused "--mount=from=\$x" 'FROM base:1 AS s\nFROM base:1\nARG x=s\nRUN --mount=type=bind,from=$x,target=/m true\n' 'Dockerfile:4:'
row "--exclude is not" 'FROM scratch\nARG x=file\nCOPY --exclude=$x . /\n' '.rootfs.diff_ids | length == 1'
t "... expanded" sh -c 'slipway build -q -f Dockerfile -o type=tar,dest=o.tar ctx && tar -tf o.tar | grep -qx file'

# --- the forms of ENV, LABEL and ARG
row "ENV's old form" 'FROM scratch\nENV a b=c  d "e"\nENV f  $a\n' '.config.Env[1:] == ["a=b=c  d e","f=b=c  d e"]'
row "... an = in the first word is the new" 'FROM scratch\nENV a=b c=d\n' '(.config.Env | index("c=d")) != null'
refused "a later word without =" 'FROM scratch\nENV a=b c\n' 'Dockerfile:2:'
refused "ENV of a name alone" 'FROM scratch\nENV a\n' 'Dockerfile:2:'
refused "ENV without a name" 'FROM scratch\nENV =b\n' 'Dockerfile:2:'
row "values with =" 'FROM scratch\nENV a=b=c\nLABEL x.y/z=a=b "q r"="s=t"\n' "(.config.Env | index(\"a=b=c\")) != null and $L == {\"x.y/z\":\"a=b\",\"q r\":\"s=t\"}"
row "UTF-8" 'FROM scratch\nLABEL grüße="wörld ✓"\nWORKDIR /dír\n' "$L == {\"grüße\":\"wörld ✓\"} and .config.WorkingDir == \"/dír\""

# --- questions
printf 'FROM base:1 AS a\nRUN x \\\n  y\nCOPY <<E /f\nbody\nE\n' >Dockerfile
t "--print-ast" sh -c 'slipway build --print-ast -f Dockerfile ctx >ast'
t "... is JSON with spans of lines" json ast '[.instructions[] | [.instruction, .lines]] == [["FROM",[1,1]],["RUN",[2,3]],["COPY",[4,6]]]'
t "... and heredocs" json ast '.instructions[2] | tostring | contains("body")'
printf '# t is the target of it all\nFROM base:1 AS t\n# v is the version\nARG v=1\nRUN echo $v\nFROM base:1\n' >Dockerfile
t "--call=targets" slipway build --call=targets -f Dockerfile ctx
t "... with its words" has "$T/out" 'the target of it all'
t "--call=outline" slipway build --call=outline --target t -f Dockerfile ctx
t "... with the arguments and theirs" has "$T/out" 'the version'

# --- errors of a step
printf 'FROM base:1\nRUN for i in $(seq 200); do echo line $i; done; \\\n  exit 7\n' >Dockerfile
t "a failing step" expect_fail 'Dockerfile:2: ' slipway build -f Dockerfile ctx
t "... has its excerpt, all its lines" sh -c "grep -Eq '2 \\| >>> RUN for' '$T/expected' && grep -Eq '3 \\| >>> +exit 7' '$T/expected'"
t "... its exit status" matches "$T/expected" '(status|code):? 7'
t "... the end of what it printed" has "$T/expected" 'line 200'
log=$(grep -o '[^ ]*/cache/logs/[^ ]*' "$T/expected" | tail -n 1)
t "... and the path of all of it" sh -c "[ \$(grep -c '^line ' '$log') -eq 200 ]"
