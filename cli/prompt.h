/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

/* Questions on the user's terminal, which may be there even when stdin and stdout lead elsewhere.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* One line, without its end. secret: not shown while typed. -1 with ERR_USAGE when there is no
 * terminal. */
int prompt_line(const char *question, bool secret, struct buf *out, struct err *err);

#endif
