/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* Forced into every translation unit (-include): these do not compile. Each has a better form in
 * base/. */
#include <dirent.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* with _FORTIFY_SOURCE glibc makes macros of some of them under clang */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok strtok_r strncpy strncat atoi atol atoll  \
    atof
#pragma GCC poison gmtime localtime ctime asctime system popen tmpnam mktemp nftw gets

#endif
