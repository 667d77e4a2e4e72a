/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

/*
 * Steps begun, advanced, finished: in place on a terminal, one line per finished step otherwise. On
 * stderr. Safe from any thread; log lines and progress do not tear each other. With log.c the only
 * mutable statics.
 */
#include <stddef.h>
#include <stdint.h>

enum progress_mode {
    PROGRESS_AUTO,
    PROGRESS_PLAIN,
    PROGRESS_TTY,
    PROGRESS_QUIET,
    PROGRESS_JSON, /* base/progress_json.h; all else that is said becomes a warning of it */
};
enum progress_end { PROGRESS_DONE, PROGRESS_CACHED, PROGRESS_FAILED, PROGRESS_SKIPPED };

void progress_set_mode(enum progress_mode mode);
/* "auto", "plain", "tty", "quiet", "none" (the same), "rawjson". -1: no such mode. */
int progress_mode_parse(const char *name, enum progress_mode *mode);
/* A step begins; the number names it in the calls below. Title is one line, e.g. "[builder 2/8] RUN
 * npm install". */
int progress_begin(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void progress_advance(int step, uint64_t done, uint64_t total); /* bytes; total 0 = unknown */
/* Output of the step's own program; whole lines are shown as they come, with the step's number
 * before them. */
void progress_output(int step, const void *bytes, size_t size);
/* What a step's command used, for PROGRESS_JSON: id as of progress_json_usage(). */
void progress_usage(int step, const char *id, uint64_t value);
void progress_finish(int step, enum progress_end how,
                     const char *note); /* note: NULL or a few words */
/* Takes the in-place lines off the terminal, before anything else is printed there. Log does it by
 * itself. */
void progress_clear(void);
/* The terminal is the calling thread's: whoever else has something to say waits until it resumes.
 */
void progress_hold(void);
void progress_resume(void);
/* Writes whole lines to stderr between the in-place ones; for base/log, and for what no line of the
 * log can hold. */
void progress_write_line(const char *bytes, size_t size);

#endif
