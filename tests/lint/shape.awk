# SPDX-License-Identifier: Apache-2.0
# How long a file, a function and a line may be, how deep it may nest (style.md §0, §13). Counts braces outside text and comments.
function bad(line, text) { printf "%s:%d: %s\n", FILENAME, line, text; failed = 1 }
# $0 without its strings, characters and comments
function code(line, out, c, i, n, two) {
    out = ""
    n = length(line)
    for (i = 1; i <= n; i++) {
        c = substr(line, i, 1)
        two = substr(line, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
        } else if (two == "/*") {
            in_comment = 1
            i++
        } else if (two == "//") {
            return out "//"
        } else if (c == "\"" || c == "'") {
            for (i++; i <= n && substr(line, i, 1) != c; i++)
                if (substr(line, i, 1) == "\\")
                    i++
            out = out "\"\""
        } else
            out = out c
    }
    return out
}
FNR == 1 {
    in_comment = in_function = depth = 0
    signature = 1
}
{
    # clang-format holds code to 100; this holds what it leaves alone
    if (length($0) > 130 && $0 !~ /https?:/ && FILENAME !~ /(^|\/)tests\//)
        bad(FNR, "line of " length($0) " columns")
    text = code($0)
    if (text ~ /\/\//)
        bad(FNR, "// comment")
    if ($0 ~ /(^|[^A-Za-z])(TODO|FIXME)([^A-Za-z]|$)/ && $0 !~ /#[0-9]+/)
        bad(FNR, "TODO without an issue number")
    if (FNR == 601 && FILENAME !~ /tests\//)
        bad(FNR, "file of more than 600 lines")
    if (!in_function && text ~ /^{/) {
        in_function = FNR
        depth = deepest = 0
    } else if (!in_function && text ~ /^[a-z_].*[^;,]$/ && text !~ /=/)
        name = text
    if (in_function) {
        for (i = 1; i <= length(text); i++) {
            c = substr(text, i, 1)
            depth += (c == "{") - (c == "}")
            if (depth > deepest && (deepest = depth) == 6)
                bad(FNR, "nests 5 deep: " name)
        }
        if (depth == 0) {
            # a test may be one long table
            if (FNR - in_function + 1 > 70 && FILENAME !~ /(^|\/)tests\/unit\//)
                bad(in_function, "function of " FNR - in_function + 1 " lines (70): " name)
            in_function = 0
        }
    }
}
END { exit failed }
