/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * What went wrong, told once. Owned by the caller, passed last, untouched on success, nothing to
 * free. `kind` and `code` are for programs (exit status, retry), `text` for people: lower case, no
 * full stop, one line, names the thing, the place (file:line where there is one) and the remedy.
 */
enum err_kind {
    ERR_NONE,
    ERR_USAGE,   /* the command line: exit status 2 */
    ERR_INPUT,   /* a file or document that a user or a stranger wrote is wrong */
    ERR_SYSTEM,  /* a system call failed; code is errno */
    ERR_REMOTE,  /* a server refused; code is its HTTP status where it has one */
    ERR_NETWORK, /* no server answered; code is ours (see base/http.h) */
    ERR_COMMAND, /* a program we ran failed; code is its exit status, 128 + n for signal n */
};

struct err {
    enum err_kind kind;
    int code;
    char text[1000];
};

/* All four return -1. Text that does not fit is cut, with "..." at its end. err may not be NULL. */
int err_set(struct err *err, enum err_kind kind, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* ERR_SYSTEM with code errno; appends ": " and strerror(errno). */
int err_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts context before: "fmt: old text". Kind and code stay. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts more after: "old text fmt" (a remedy, a hint). Kind and code stay. */
int err_add(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A broken invariant of ours: prints the place and aborts. Never for input. */
#define BUG_ON(cond)                                                                               \
    do {                                                                                           \
        if (cond)                                                                                  \
            err_bug(__FILE__, __LINE__, #cond);                                                    \
    } while (0)
void err_bug(const char *file, int line, const char *what) __attribute__((noreturn));

#endif
