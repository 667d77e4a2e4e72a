/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

/*
 * TAP from C. A test function makes any number of checks; it fails when one of them did.
 *     TAP_MAIN({"descriptors", descriptors}, {"round trip", round_trip})
 * Checks print file:line on failure and go on; they return whether they held.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_test {
    const char *name;
    void (*run)(void);
};

int tap_main(const struct tap_test *tests, size_t count);
void tap_skip(const char *reason); /* this test did not run, and why; SLIPWAY_TEST_NEED turns it
                                      into a failure */
/* false where posix_spawn() takes a program that is not there for one that ended at once: QEMU's
 * user mode, whose vfork() is a fork(). */
bool tap_spawn_tells(void);

bool tap_check(bool held, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool tap_eq_str(const char *got, const char *want, const char *file, int line, const char *what);
bool tap_eq_int(intmax_t got, intmax_t want, const char *file, int line, const char *what);

#define OK(cond) tap_check((cond), __FILE__, __LINE__, "%s", #cond)
#define OKF(cond, ...) tap_check((cond), __FILE__, __LINE__, __VA_ARGS__)
#define EQ_STR(got, want) tap_eq_str((got), (want), __FILE__, __LINE__, #got)
#define EQ_INT(got, want) tap_eq_int((intmax_t)(got), (intmax_t)(want), __FILE__, __LINE__, #got)

#define TAP_MAIN(...)                                                                              \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct tap_test tests_[] = {__VA_ARGS__};                                     \
        return tap_main(tests_, sizeof(tests_) / sizeof(tests_[0]));                               \
    }

#endif
