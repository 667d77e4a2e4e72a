# SPDX-License-Identifier: Apache-2.0
# Who may include whom (style.md §2): rooms look downward only, a library's header has one door, threads start in one place,
# a .c file includes its own header first, a header's guard spells its path. Prints "file:line: what is wrong".
BEGIN {
    see["base"] = "base"
    see["aws"] = "aws base"
    see["registry"] = "registry base"
    see["runtime"] = "runtime base"
    see["builder"] = "builder registry runtime base"
    see["deploy"] = "deploy registry aws base"
    see["cli"] = "cli deploy builder registry runtime aws base"

    # library header (a prefix) -> the files that may name it (a pattern)
    door["curl/"] = "^base/http[a-z_]*\\.[ch]$"
    door["openssl/"] = "^base/(hash|certs)\\.[ch]$"
    door["jansson.h"] = "^base/json\\.[ch]$"
    door["seccomp.h"] = "^runtime/seccomp[a-z_]*\\.[ch]$"
    door["zlib.h"] = "^builder/(compress|inflate)[a-z_]*\\.[ch]$"
    door["libdeflate.h"] = "^builder/(compress|inflate)[a-z_]*\\.[ch]$"
    door["zstd"] = "^builder/(compress|inflate)[a-z_]*\\.[ch]$"
    door["archive"] = "^builder/archive[a-z_]*\\.[ch]$"
    door["yaml.h"] = "^base/yaml\\.[ch]$"
}
function bad(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failed = 1 }
function room_of(path, parts) { split(path, parts, "/"); return parts[1] }

FNR == 1 {
    FILENAME_ = FILENAME
    sub(/^\.\//, "", FILENAME_)
    room = room_of(FILENAME_)
    includes = 0
    own = ""
    if (FILENAME_ ~ /\.c$/) {
        own = FILENAME_
        sub(/\.c$/, ".h", own)
        if ((getline line < own) < 0)
            own = ""
        else
            close(own)
    }
    guard = ""
    if (FILENAME_ ~ /\.h$/) {
        guard = toupper(FILENAME_)
        gsub(/[^A-Z0-9]/, "_", guard)
    }
    # tests/unit/<room>_<file>.c stands beside its room
    as = room
    if (FILENAME_ ~ /^tests\/unit\//) {
        as = FILENAME_
        sub(/^tests\/unit\//, "", as)
        sub(/_.*/, "", as)
    }
    if ($0 !~ /SPDX-License-Identifier: Apache-2\.0/)
        bad("first line is not the licence line")
}
/^#ifndef/ && guard != "" {
    if ($2 != guard)
        bad("guard is " $2 ", should be " guard)
    guard = ""
}
/^[ \t]*#[ \t]*include/ {
    text = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", text)
    if (text !~ /^"/ && text !~ /^</)
        next
    local = text ~ /^"/
    name = text
    name = substr(name, 2)
    sub(/[">].*$/, "", name)
    includes++
    if (includes == 1 && own != "" && name != own)
        bad("own header \"" own "\" is not first")
    if (local) {
        target = room_of(name)
        if (name !~ /\//)
            bad("include \"" name "\": say it from the root")
        else if (target == "tests") {
            if (room != "tests")
                bad("includes a test's header")
        } else if (as in see && index(" " see[as] " ", " " target " ") == 0 &&
                   !(FILENAME_ ~ /^registry\/ecr[a-z_]*\.[ch]$/ && target == "aws") &&
                   !(FILENAME_ ~ /^tests\/unit\/registry_ecr/ && target == "aws"))
            bad(as " may not see " target " (\"" name "\")")
    } else if (room != "tests") {
        for (prefix in door)
            if (index(name, prefix) == 1 && FILENAME_ !~ door[prefix])
                bad("<" name "> belongs behind its one door " door[prefix])
    }
}
/pthread_create|thrd_create/ && FILENAME_ !~ /^base\/pool\.c$/ && room != "tests" && $0 !~ /\/\*|^ \*/ { bad("threads start in base/pool only") }
END { exit failed }
