/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_EMULATORS_H
#define RUNTIME_EMULATORS_H

/*
 * Emulators (QEMU's user mode) for the sandboxes of a session. Nothing is looked for or registered
 * before the first sandbox for another architecture asks; then all that are found are registered in
 * the sandboxes' own binfmt_misc (runtime/binfmt.h), and the host needs no set-up.
 *
 * An emulator is a static program of this machine's own: it runs in roots that have none of its
 * libraries. Found are, first come: the one that was given; qemu-ARCH-static and qemu-ARCH in PATH,
 * /usr/local/bin, /usr/bin.
 */
#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "runtime/emulate.h"

struct session;

struct emulator {
    char *name; /* where it is from; NULL: none */
    int fd;     /* valid with name */
    bool asked; /* it is known whether it runs: */
    bool emulated;
    struct err failure; /* it does not, and why */
};

/* In a session. Zero bytes are the empty value. */
struct emulators {
    pthread_mutex_t lock;
    bool looked; /* on the host */
    struct emulator archs[EMULATE_ARCHS];
};
void emulators_release(struct emulators *e);

/* Takes fd, a file open for reading; name: what it is called, for errors. ERR_USAGE: not an
 * emulator that could work, or an architecture that is not known. Before the first question. */
int emulators_give(struct emulators *e, const char *arch, int fd, const char *name,
                   struct err *err);
/*
 * Makes programs for arch run in the session's sandboxes. *emulated: not by the processor itself.
 * ERR_SYSTEM with the remedy when they do not. For any thread; the answer is remembered.
 */
int emulators_need(struct session *session, const char *arch, bool *emulated, struct err *err);
/* By what, for people: "/usr/bin/qemu-aarch64-static", "what the host registered in binfmt_misc",
 * "the processor itself". After emulators_need(). Borrowed. */
const char *emulators_name(struct session *session, const char *arch);

#endif
