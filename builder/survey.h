/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SURVEY_H
#define BUILDER_SURVEY_H

/*
 * The ELF programs and libraries of a layer, counted by the processor they are for. Files for what
 * no image is for (BPF, graphics cards), object files and cores do not count. Pure.
 *     [{"arch": "arm64", "files": 3, "path": "usr/bin/sed"}, …]
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/elf.h"

#define SURVEY_MAX 16 /* more than elf_arch() has */

struct survey_row {
    char arch[16];
    uint64_t files;
    char *path; /* of the first */
};

struct survey {
    struct survey_row rows[SURVEY_MAX];
    size_t count;
};

void survey_release(struct survey *s);
void survey_copy(struct survey *to, const struct survey *from); /* `to` is empty */
json_t *survey_to_json(const struct survey *s);                 /* new */
int survey_from_json(const json_t *list, struct survey *s, struct err *err);

/* The first bytes of one file, as they pass. Zero bytes are the beginning of a file. */
struct survey_head {
    unsigned char bytes[ELF_HEAD_SIZE];
    size_t size;
};
void survey_feed(struct survey_head *head, const void *bytes, size_t size);
void survey_file(struct survey *s, const struct survey_head *head, const char *path);

/*
 * Those that do not run on a machine for `arch`: how many, and what to say of them, as in "3 are
 * for amd64 (such as /usr/bin/sed)". 386 runs on amd64. *right (or NULL): how many do.
 */
uint64_t survey_strangers(const struct survey *s, const char *arch, uint64_t *right,
                          struct buf *out);

#endif
