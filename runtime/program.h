/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

/* Which file a command is, and why it cannot be executed, in words. For use inside a sandbox's
 * root. */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/*
 * The shell's search (execvp(3)): a name with a slash is itself; else the first executable file in
 * the directories of path (NULL: the usual ones). ERR_COMMAND 127 when there is none, 126 when what
 * there is may not be executed.
 */
int program_find(const char *name, const char *path, char **program, struct err *err);
/* Why execve(program) gave this errno: ERR_COMMAND 127 or 126. arch: the image's, as OCI names it;
 * NULL: unknown. */
int program_explain(const char *program, int code, const char *arch, struct err *err);

/* Pure: what the first bytes of a file say about who executes it. */
struct program_head {
    enum { PROGRAM_OTHER, PROGRAM_SCRIPT, PROGRAM_ELF } kind;
    struct str interpreter; /* of a script: after "#!"; borrowed */
    const char *machine;    /* ELF: as uname says it, or NULL when unknown to us */
    bool is64, little;
    size_t table_offset; /* ELF: of the program headers */
    size_t entry_size, entry_count;
};
void program_parse(struct str bytes, struct program_head *head);
/* Pure: where PT_INTERP lies, from the bytes of the program headers; false when there is none. */
bool program_interpreter(const struct program_head *head, struct str table, size_t *offset,
                         size_t *size);
/* "amd64" → "x86_64"; the name itself when unknown. */
const char *program_machine(const char *arch);

#endif
