/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/parse.h"

#define AROUND_ONE 2 /* lines before and after a single failing line, … */
#define AROUND_MANY 1
#define LINE_SHOWN 200
#define HEAD_SHOWN 12 /* of a long failing instruction its first and last lines are enough */
#define TAIL_SHOWN 4

static void show_line(struct buf *out, unsigned number, bool marked, struct str line)
{
    size_t shown = line.size;

    while (shown > LINE_SHOWN ||
           (shown > 0 && shown < line.size && (line.ptr[shown] & 0xc0) == 0x80))
        shown = shown > LINE_SHOWN ? LINE_SHOWN : shown - 1;
    buf_addf(out, " %3u | %s ", number, marked ? ">>>" : "   ");
    buf_add_escaped(out, str_slice(line, 0, shown));
    buf_adds(out, shown < line.size ? " …\n" : "\n");
}

static const char rule[] = "--------------------\n";

void dockerfile_excerpt(const struct dockerfile *doc, unsigned first_line, unsigned last_line,
                        struct buf *out)
{
    struct str rest = buf_str(&doc->source), line;
    unsigned around = first_line == last_line ? AROUND_ONE : AROUND_MANY;
    unsigned from = first_line > around ? first_line - around : 1;
    bool is_long = last_line - first_line >= HEAD_SHOWN + TAIL_SHOWN;
    bool begun = false;

    if (first_line == 0 || last_line < first_line)
        return;
    if (str_starts(rest, "\xef\xbb\xbf"))
        rest = str_slice(rest, 3, rest.size);
    for (unsigned i = 1; str_line(&rest, &line); i++) {
        if (i > last_line && i - last_line > around)
            break;
        if (is_long && i == first_line + HEAD_SHOWN)
            buf_adds(out, "     | >>> …\n");
        if (i < from || (is_long && i >= first_line + HEAD_SHOWN && i + TAIL_SHOWN <= last_line))
            continue;
        if (!begun)
            buf_addf(out, "%s:%u\n%s", doc->name, first_line, rule);
        begun = true;
        show_line(out, i, i >= first_line && i <= last_line, line);
    }
    if (begun)
        buf_adds(out, rule);
}
