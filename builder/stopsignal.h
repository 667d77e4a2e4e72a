/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STOPSIGNAL_H
#define BUILDER_STOPSIGNAL_H

/* Signals by name ("SIGTERM", "term", "RTMIN+3") or number, as STOPSIGNAL takes them. Pure. */
#include "base/str.h"

int stopsignal_parse(struct str text); /* the number (x86-64 and arm64 agree), or -1 */

#endif
