/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STR_H
#define BASE_STR_H

/* A borrowed slice of bytes; not NUL-ended. Parsers slice the source, so a position is a pointer
 * difference. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *ptr;
    size_t size;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).size, (s).ptr ? (s).ptr : "" /* printf(STR_FMT, STR_ARG(s)) */

struct str str_of(const char *s);                           /* NULL gives the empty slice */
struct str str_slice(struct str s, size_t from, size_t to); /* clamped */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b);
bool str_is_nocase(struct str a, const char *b); /* ASCII */
int str_cmp(struct str a, struct str b);         /* bytes, then length */
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
ptrdiff_t str_find(struct str s, char c);  /* first index, or -1 */
ptrdiff_t str_rfind(struct str s, char c); /* last index, or -1 */
ptrdiff_t str_search(struct str s, const char *needle);
struct str str_trim(struct str s); /* ASCII white space, both ends */
struct str str_trim_left(struct str s);
struct str str_trim_right(struct str s);
/* Cuts at the first sep: *head before it, *rest after it; without sep all is head, rest is empty
 * and false returns. */
bool str_cut(struct str s, char sep, struct str *head, struct str *rest);
bool str_cut_last(struct str s, char sep, struct str *head, struct str *rest);
/* Takes the next line off *rest, without its \n (and \r); false when nothing is left. */
bool str_line(struct str *rest, struct str *line);
/* Whole slice is a number in range, else false. str_size also takes the units b k m g t (powers of
 * 1024, any case, optional "b" or "ib"). */
bool str_u64(struct str s, uint64_t *out);
bool str_i64(struct str s, int64_t *out);
bool str_octal(struct str s, uint32_t *out);
bool str_size(struct str s, uint64_t *out);
/* Edit distance, for "did you mean"; lengths over 64 give 64. */
unsigned str_distance(struct str a, struct str b);
char *str_dup(struct str s); /* NUL-ended copy for free() */

#endif
