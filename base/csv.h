/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

/*
 * One line of comma separated values (RFC 4180 §2), as options such as --output type=local,dest=x
 * have it: a field that begins with a double quote ends with one, and holds "" for each quote in
 * it. Pure.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

/* Appends the fields. ERR_USAGE: a quote inside a bare field, text after a closing quote, no
 * closing quote, a line break or NUL outside quotes. An empty text has no fields. */
int csv_fields(struct str text, struct strv *fields, struct err *err);
/* A value as Go's strconv.ParseBool takes it, which is what scripts were written for: 1, t, T,
 * true, TRUE, True and their opposites. ERR_USAGE. */
int csv_bool(const char *value, bool *out, struct err *err);

#endif
