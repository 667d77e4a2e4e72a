/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_EMULATE_H
#define RUNTIME_EMULATE_H

/*
 * Processors other than this machine's: what is known of each. Whether one can be had here is found
 * by running: a program of a few instructions that exits 0 is executed in a child. What runs it,
 * the processor itself (386 on amd64) or an emulator in binfmt_misc, does not matter.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Those that are known, as OCI names them, NULL-ended; an architecture is also its index here. */
extern const char *const emulate_archs[];
#define EMULATE_ARCHS 7
int emulate_find(const char *arch); /* -1: not known */

/* Do programs for it run in this process's place? false for what is not known. */
bool emulate_runs(const char *arch);
/* "amd64", "arm64": this machine's; "unknown" when it is none of ours. */
const char *emulate_native(void);
/* This machine's processor may have it too (386 on amd64, arm on arm64). */
bool emulate_may_be_native(size_t arch);
/* "qemu-aarch64", as emulators are called. */
const char *emulate_program_name(size_t arch);
/* The probe itself, an ELF file that needs nothing: how many bytes; 0 for an architecture that is
 * not known. */
#define EMULATE_PROGRAM_MAX 160
size_t emulate_program(const char *arch, unsigned char out[static EMULATE_PROGRAM_MAX]);
/*
 * A line for binfmt_misc's "register" (Documentation/admin-guide/binfmt-misc.rst): programs and
 * libraries of this class, byte order and machine. Flags: F the interpreter is opened at once, and
 * so reaches every root; P the program's own argv[0] is kept; C (and with it O) set-user-id
 * programs gain what they would natively.
 */
void emulate_registration(size_t arch, const char *interpreter, struct buf *out);

#endif
