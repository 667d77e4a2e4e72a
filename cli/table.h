/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

/* Columns on stdout in the manner of docker's lists, and figures for people. */
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/strv.h"

struct table {
    size_t columns;
    struct strv cells; /* row by row; the first row is the heading */
};

void table_release(struct table *t);
void table_cell(struct table *t, const char *text); /* foreign text is escaped */
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t);

#define HUMAN_SIZE 24
/* "187MB": powers of 1000, three digits, as docker prints sizes. */
const char *human_size(uint64_t bytes, char out[static HUMAN_SIZE]);
#define HUMAN_AGO_SIZE 40
/* "3 days ago"; NULL or a text that is no time gives "N/A". */
const char *human_ago(const char *rfc3339, time_t now, char out[static HUMAN_AGO_SIZE]);
/* The first 12 digits of a digest. */
#define SHORT_ID_SIZE 13
const char *short_id(const char *digest, char out[static SHORT_ID_SIZE]);

void print_json(const json_t *value); /* indented, on stdout */

#endif
