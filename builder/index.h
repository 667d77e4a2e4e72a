/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_INDEX_H
#define BUILDER_INDEX_H

/*
 * The path index of one layer: every path the layer names, sorted (entry_path_cmp), with metadata.
 * A file that is mapped, not parsed; checked whole when it is opened, so that lookups need not
 * check. It is the truth about metadata; trees/ is the truth about content. Directories that the
 * layer only implies are there too, marked.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "builder/entry.h"
#include "builder/stream.h"

struct index; /* an open index; read-only, any number of threads */

#define INDEX_NONE SIZE_MAX

/* dir_fd/name, mapped. 1 found, 0 no such file (or one of another version or damaged: make it
 * again), -1. */
int index_open(int dir_fd, const char *name, struct index **index, struct err *err);
/* The same from memory; bytes are copied. For tests and for fresh indexes. NULL: not a valid index,
 * and why. */
struct index *index_from_bytes(const void *bytes, size_t size, struct err *err);
void index_close(struct index *index); /* NULL is fine */

size_t index_count(const struct index *index);
/* The i-th path in order; pointers are borrowed from the index, xattrs too (valid while it is
 * open). */
void index_get(const struct index *index, size_t i, struct entry *e);
const char *index_path(const struct index *index, size_t i);
size_t index_find(const struct index *index,
                  const char *path); /* INDEX_NONE when the layer does not name it */
/* Children of a directory: for (i = index_child(x, dir); i < index_end(x, dir); i = index_end(x,
 * i)). */
size_t index_child(const struct index *index, size_t dir);
size_t index_end(const struct index *index, size_t i); /* the first path after i and all below it */
/* Content kept in the index itself: of etc/passwd and etc/group when small. False: look in the
 * tree. */
bool index_content(const struct index *index, size_t i, struct str *content);
bool index_keeps_content(const struct entry *e);

/* Making one. Entries in any order; the same path again: the last one wins. */
struct index_builder;

struct index_builder *index_builder_new(void);
void index_builder_free(struct index_builder *b); /* NULL is fine */
/*
 * Copies e. Refused (ERR_INPUT): a parent that is not a directory, a hard link to nothing or to a
 * directory, a path longer than PATH_MAX. index_builder_content: the bytes of the file added last,
 * when index_keeps_content() it.
 */
int index_builder_add(struct index_builder *b, const struct entry *e, struct err *err);
void index_builder_content(struct index_builder *b, struct str content);
/* Sends the bytes of the file; nothing may be added after. */
int index_builder_end(struct index_builder *b, struct sink to, struct err *err);

#endif
