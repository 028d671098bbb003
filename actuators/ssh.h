/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ssh: commands on hosts, over logins that are kept from one to the next.
 *
 * A login is lent to one command at a time; when it comes back it waits for the next one to the same
 * address, some minutes at most, because logging in takes ten times as long as most commands.  One that
 * has died meanwhile is replaced before anything is sent over it; a command is never sent twice.
 *
 * Used by many threads at once.  Each user joins before it uses it and leaves when it is done; whoever
 * leaves last frees it.  So it can be closed while commands are under way that may take their time.
 */

#include <stddef.h>
#include <stdint.h>

#include "actuators/ssh_login.h"
#include "actuators/ssh_process.h"

struct arena;
struct err;
struct ssh;

/* Logins that are kept: to one address, and in all. */
#define SSH_KEPT_MAX_EACH ((size_t)2)
#define SSH_KEPT_MAX      ((size_t)64)

/* For how long one is kept that nobody uses. */
#define SSH_KEPT_MS (INT64_C(10) * 60 * 1000)

struct ssh_call {
    const char *const *argv; /* Program and arguments, up to a NULL (ssh_command.h). */
    const char *input;       /* Its standard input, or NULL: nothing. */
    size_t input_length;     /* Its bytes; 0: it is a text, up to its NUL. */
    int64_t timeout_ms;      /* For everything, logging in included. */
    size_t max_output;       /* Bytes of standard output that are believed. */
};

/* Logs in to nobody yet.  Copies 'settings', which hold for every login: others need another ssh.  The
 * caller has joined. */
struct ssh *ssh_open(const struct ssh_settings *settings);

/* One user more; 'ssh' itself. */
struct ssh *ssh_join(struct ssh *ssh);

/* One user less. */
void ssh_leave(struct ssh *ssh);

/* The caller leaves, and no login is kept any more.  Waits for nobody. */
void ssh_close(struct ssh *ssh);

/* Runs a command at 'address' ("user@host[:port]") and fills '*output' from 'arena'.  0 if it ran to its
 * end, whatever its status.  ERR_INVALID, ERR_DENIED (host key unknown or changed, no key accepted) and
 * ERR_UNREACHABLE or ERR_TIMEOUT while connecting mean that it was not begun; after ERR_UNREACHABLE,
 * ERR_TIMEOUT or ERR_FAILED (it said more than 'max_output' bytes, say) it may have been, and may go on
 * there; output->begun_ms tells in any case whether that can be.  Blocks until it is over, 'timeout_ms' at most. */
int ssh_run(struct ssh *ssh, struct arena *arena, const char *address, const struct ssh_call *call,
            struct ssh_output *output, struct err *err);

/* Fails with ERR_FAILED unless the command at 'address' ended with status 0; 'what' says what it was to do:
 * "cannot WHAT on 'root@kvm1': exit status 3: ..." and the end of what it wrote to standard error. */
int ssh_check(struct arena *arena, const char *address, const char *what,
              const struct ssh_output *output, struct err *err);

/* Ends the logins that have been idle for 'idle_ms' or longer.  When to call again, in ms from now; -1 if none
 * is kept. */
int64_t ssh_tidy(struct ssh *ssh, int64_t idle_ms);
