/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ssh_process: one command on a host, from its beginning to its end, over a login that is lent to it.
 *
 * Begun in two steps, so that a login which turns out to be dead is known to have run nothing.  The thread
 * that uses the login.
 */

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct ssh_login;
struct ssh_process;

/* Bytes of standard error that are kept: the last ones. */
#define SSH_PROCESS_MAX_STDERR ((size_t)1024)

struct ssh_output {
    int status;         /* Exit status of the command, or -1 if a signal ended it. */
    const char *signal; /* Its name without "SIG", or NULL. */
    const char *out;
    size_t out_length;
    const char *err;  /* What it wrote to standard error, its last SSH_PROCESS_MAX_STDERR bytes. */
    int64_t begun_ms; /* Also after a failure: CLOCK_MONOTONIC when the host was asked to run it; 0:
                         it was not. */
};

struct ssh_order {
    const char *line;  /* For the login shell there (ssh_command.h). */
    const char *input; /* Its standard input, which ends there; may be NULL if its length is 0. */
    size_t input_length;
    size_t max_output; /* Bytes of standard output that are believed. */
};

/* Makes room for a command on the host, which takes an answer from it, and sends nothing of the command.
 * '*process' is the caller's and must end before the login. */
int ssh_process_new(const struct ssh_login *login, int64_t deadline, struct ssh_process **process,
                    struct err *err);

/* Runs 'order' to its end, once, filling '*output' from 'arena'.  0 whatever its status.  ERR_UNREACHABLE
 * and ERR_TIMEOUT (at 'deadline') leave it open what became of it; ERR_FAILED if the host did not take it,
 * or it said more than 'max_output' bytes.  A command that is given up may go on there.  After a failure
 * the login is of no more use. */
int ssh_process_run(struct ssh_process *process, const struct ssh_order *order, int64_t deadline,
                    struct arena *arena, struct ssh_output *output, struct err *err);

/* Lets go of the command; the login is the caller's again. */
void ssh_process_free(struct ssh_process *process);
