/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_ATTEMPT_H
#define RUNTIME_ATTEMPT_H

/* Doing a thing to see whether it can be done, in a child that is thrown away. */
#include "base/err.h"

/* 0, or -1 and the child's own error; ERR_SYSTEM, EPIPE when it ended without a word. */
int attempt_in_child(int (*run)(void *arg, struct err *err), void *arg, struct err *err);

#endif
