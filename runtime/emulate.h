/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_EMULATE_H
#define RUNTIME_EMULATE_H

/*
 * Which foreign architectures this kernel can run, found by running: a program of a few
 * instructions that exits 0 is executed in a child. What runs it, the processor itself (386 on
 * amd64) or an emulator in binfmt_misc, does not matter.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* arch as OCI names it. 0 when programs for it run here; -1 with the name of the missing emulator
 * and the remedy. */
int emulate_check(const char *arch, struct err *err);
/* The same without words. false for architectures that emulate.c has no program for. */
bool emulate_runs(const char *arch);
/* "amd64", "arm64": this machine's; "unknown" when it is none of ours. */
const char *emulate_native(void);
/* The program itself, an ELF file that needs nothing: how many bytes; 0 for an architecture that is
 * not known. */
#define EMULATE_PROGRAM_MAX 160
size_t emulate_program(const char *arch, unsigned char out[static EMULATE_PROGRAM_MAX]);
/* Those that emulate_check() knows, NULL-ended. */
extern const char *const emulate_archs[];

#endif
