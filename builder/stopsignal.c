/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stopsignal.h"

#include <stddef.h>

#include "base/scope.h"

/* Real-time signals as the C library counts them: two are its own. */
#define RTMIN 34
#define RTMAX 64

/* By number: names[1] is HUP. */
static const char *const names[] = {
    NULL,   "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};

static const struct {
    const char *name;
    int number;
} others[] = {{"IOT", 6}, {"CLD", 17}, {"POLL", 29}, {"RTMIN", RTMIN}, {"RTMAX", RTMAX}};

int stopsignal_parse(struct str text)
{
    uint64_t number;

    if (str_u64(text, &number))
        return number >= 1 && number <= RTMAX ? (int)number : -1;
    if (str_is_nocase(str_slice(text, 0, 3), "SIG"))
        text = str_slice(text, 3, text.size);
    for (size_t i = 1; i < ARRAY_SIZE(names); i++)
        if (str_is_nocase(text, names[i]))
            return (int)i;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (str_is_nocase(text, others[i].name))
            return others[i].number;
    if (str_is_nocase(str_slice(text, 0, 6), "RTMIN+") &&
        str_u64(str_slice(text, 6, text.size), &number))
        return number <= RTMAX - RTMIN ? RTMIN + (int)number : -1;
    if (str_is_nocase(str_slice(text, 0, 6), "RTMAX-") &&
        str_u64(str_slice(text, 6, text.size), &number))
        return number <= RTMAX - RTMIN ? RTMAX - (int)number : -1;
    return -1;
}
