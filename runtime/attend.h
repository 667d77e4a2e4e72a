/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_ATTEND_H
#define RUNTIME_ATTEND_H

/*
 * A running sandbox attended from the foreground until it ends: signals passed on, ports served, a
 * terminal relayed. INT, TERM, HUP, QUIT, USR1, USR2 go to the command; INT or TERM a second time
 * kills. attend_begin() blocks these signals, so it comes before any thread, and attend_end() puts
 * things back.
 */
#include <stdbool.h>
#include <signal.h>

#include "base/err.h"
#include "runtime/run.h"

struct forward;

struct attend {
    int signal_fd;
    sigset_t before;
    bool begun;
    int terminal_fd; /* where what the terminal shows goes */
    /* What else is to be served meanwhile: also(also_arg) when also_fd can be read. NULL: nothing
     */
    void (*also)(void *arg);
    void *also_arg;
    int also_fd;
};
#define ATTEND_CLOSED                                                                              \
    {                                                                                              \
        .signal_fd = -1, .terminal_fd = 1                                                          \
    }

int attend_begin(struct attend *a, struct err *err);
/* For an attend_run() in a thread that is not the first, early and in the first: changes of the
 * terminal's size, which are no signal to who does not block them. */
void attend_keep_resizes(void);
void attend_end(struct attend *a);
/* As run_wait(). forward: NULL for none. interactive: with a terminal, our standard input is its
 * keyboard. */
int attend_run(struct attend *a, struct run *run, struct forward *forward, bool interactive,
               int *status, struct err *err);
/* Rows and columns of our terminal; false when standard input and output are none. */
bool attend_terminal_size(unsigned short *rows, unsigned short *columns);

#endif
