/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_REMEDY_H
#define RUNTIME_REMEDY_H

/*
 * What helps against what a host does not allow, in the words of this distribution and this kind of
 * container. The failure itself was found by doing; only here are settings read, to tell which of
 * its causes it was.
 */
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* probe: a rung ("userns") or a probe of runtime/doctor.h; uid: who started us, for in a session we
 * are another. Appends one line, or nothing where no help is known. */
void remedy_for(const char *probe, uid_t uid, const struct err *why, struct buf *out);
/* The same, onto the failure: "; remedy". */
void remedy_add(const char *probe, uid_t uid, struct err *err);

/* Pure: the command that installs newuidmap, emulators …, by an os-release text: its ID, else the
 * first of ID_LIKE that is known (os-release(5)). NULL when none is. */
enum remedy_package { REMEDY_UIDMAP, REMEDY_PASST };
const char *remedy_install(struct str os_release, enum remedy_package package);
/* Pure: the first id, 100000 or above, behind all ranges of a /etc/subuid text. */
uint32_t remedy_free_ids(struct str subuid);

#endif
