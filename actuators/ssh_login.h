/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ssh_login: one session with a host's sshd, logged in, over which commands are run (ssh_process.h).
 *
 * Small and strict: the host's key must already be known, the only proof of identity is a key (file or
 * agent), nothing ever prompts.  The user's ssh configuration is not read.  libssh is never let block:
 * every wait is ours and ends by its deadline.  Used by one thread at a time, any.
 */

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct ssh_settings {
    const char *key;         /* Private key file, or NULL: agent and the user's default keys. */
    const char *known_hosts; /* File, or NULL: the user's. */
};

struct ssh_login {
    struct ssh_session_struct *session;
    const char *address; /* As it was given, which is what errors call the host. */
    struct arena arena;
};

/* Logs in at 'address' (ssh_address.h).  '*login' is the caller's.  ERR_INVALID, ERR_DENIED (host key
 * unknown or changed, no key accepted), ERR_UNREACHABLE, ERR_TIMEOUT at 'deadline' (ssh_deadline.h).  Only
 * the look-up of a name, for which resolv.conf(5) has limits, and an agent that does not answer may hold it
 * up for longer. */
int ssh_login_open(const struct ssh_settings *settings, const char *address, int64_t deadline,
                   struct ssh_login **login, struct err *err);

/* Says good-bye, without waiting for an answer.  Nothing of the login may be left in use. */
void ssh_login_close(struct ssh_login *login);

/* After libssh has said that it cannot go on now: waits until it may.  False once 'deadline' has passed. */
bool ssh_login_await(const struct ssh_login *login, int64_t deadline);

/* "cannot WHAT 'root@kvm1' over SSH: ...": that 'deadline' has passed if it has, else what libssh says with
 * 'code', or with ERR_UNREACHABLE if the connection is gone.  Returns -1. */
int ssh_login_fail(const struct ssh_login *login, int64_t deadline, enum err_code code,
                   const char *what, struct err *err);
