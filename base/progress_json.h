/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROGRESS_JSON_H
#define BASE_PROGRESS_JSON_H

/*
 * Progress for programs: one JSON object a line, in the form of BuildKit's SolveStatus, which
 * readers of `docker buildx build --progress=rawjson` know. slipway-build(1) is its manual.
 *
 *     {"vertexes":[{"digest":D,"name":N,"started":T}]}                                     begun
 *     {"vertexes":[{"digest":D,"name":N,"started":T,"completed":T,"cached":true,"error":E}]}
 *     {"statuses":[{"id":"bytes","vertex":D,"current":N,"total":N,"timestamp":T}]}
 *     {"statuses":[{"id":"cpu","vertex":D,"current":N,"timestamp":T}]}     used, at a step's end
 *     {"logs":[{"vertex":D,"stream":1,"data":BASE64,"timestamp":T}]}
 *     {"warnings":[{"vertex":"","level":1,"short":BASE64}]}                 what is said besides
 * D names a step in this run alone. Times are RFC 3339. Each call appends one line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"

struct progress_vertex {
    int number;
    const char *name;
    struct timespec started;
};

void progress_json_begin(struct buf *out, const struct progress_vertex *v);
/* error: NULL, or why it failed. */
void progress_json_end(struct buf *out, const struct progress_vertex *v, struct timespec now,
                       bool cached, const char *error);
void progress_json_status(struct buf *out, const struct progress_vertex *v, struct timespec now,
                          uint64_t done, uint64_t total);
/* What a step used: id "cpu" in microseconds, "memory", "read" and "written" in bytes. */
void progress_json_usage(struct buf *out, const struct progress_vertex *v, struct timespec now,
                         const char *id, uint64_t value);
void progress_json_log(struct buf *out, const struct progress_vertex *v, struct timespec now,
                       struct str bytes);
void progress_json_note(struct buf *out, struct str text);

#endif
