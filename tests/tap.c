/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static bool failed;
static const char *skipped;

void tap_skip(const char *reason)
{
    skipped = reason;
}

bool tap_spawn_tells(void)
{
    char name[] = "/no/such/program";
    char *argv[] = {name, NULL}, *env[] = {NULL};
    pid_t pid;

    if (posix_spawn(&pid, name, NULL, NULL, argv, env) != 0)
        return true;
    waitpid(pid, NULL, 0);
    return false;
}

bool tap_check(bool held, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    if (held)
        return true;
    failed = true;
    printf("# %s:%d: failed: ", file, line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    return false;
}

bool tap_eq_str(const char *got, const char *want, const char *file, int line, const char *what)
{
    if (got == want || (got && want && strcmp(got, want) == 0))
        return true;
    return tap_check(false, file, line, "%s\n#   got:  %s\n#   want: %s", what,
                     got ? got : "(null)", want ? want : "(null)");
}

bool tap_eq_int(intmax_t got, intmax_t want, const char *file, int line, const char *what)
{
    if (got == want)
        return true;
    return tap_check(false, file, line, "%s: got %jd, want %jd", what, got, want);
}

/* "userns,overlay" in SLIPWAY_TEST_NEED: a skip whose reason begins with such a word is a failure.
 */
static bool needed(const char *reason)
{
    const char *need = getenv("SLIPWAY_TEST_NEED");
    size_t size = strcspn(reason, ": ");

    for (; need && *need; need += strcspn(need, ","), need += *need == ',')
        if (strcspn(need, ",") == size && strncmp(need, reason, size) == 0)
            return true;
    return false;
}

int tap_main(const struct tap_test *tests, size_t count)
{
    int failures = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        failed = false;
        skipped = NULL;
        tests[i].run();
        if (skipped && needed(skipped))
            tap_check(false, __FILE__, __LINE__, "needed, but skipped: %s", skipped);
        if (failed)
            failures++;
        printf("%sok %zu - %s%s%s\n", failed ? "not " : "", i + 1, tests[i].name,
               skipped && !failed ? " # SKIP " : "", skipped && !failed ? skipped : "");
    }
    return failures ? 1 : 0;
}
