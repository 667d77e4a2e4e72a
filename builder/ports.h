/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PORTS_H
#define BUILDER_PORTS_H

/* EXPOSE's [[ip:]host:]port[-port][/protocol]: only the container's side counts. Pure. */
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

/* Appends "80/tcp", one for each port of a range. */
int ports_parse(struct str spec, struct strv *out, struct err *err);

#endif
