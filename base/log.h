/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/* Lines on stderr for people. One of the two rooms with mutable statics (the level). Safe from any
 * thread. Never hand these a credential. stdout is not theirs. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* LOG_INFO at start */
enum log_level log_get_level(void);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* "slipway: …" */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* "warning: …" */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* "debug: …", with -v */

#endif
