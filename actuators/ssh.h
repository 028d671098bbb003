/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ssh: one command on one host, with its output.
 *
 * Small and strict: the host's key must already be known, the only proof of identity is a key (file or
 * agent), nothing ever prompts, output is bounded and everything ends by its deadline.  The user's ssh
 * configuration is not read.  Any thread; blocking.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

struct ssh_settings {
    const char *key;         /* Private key file, or NULL: agent and the user's default keys. */
    const char *known_hosts; /* File, or NULL: the user's. */
};

/* "user@host[:port]" taken apart. */
struct ssh_spec {
    const char *user; /* NULL = the calling user. */
    const char *host;
    unsigned port;
};

struct ssh_command {
    const char *command; /* For the login shell there. */
    const char *input;   /* Its standard input. */
    int64_t timeout_ms;  /* For everything, the connection included. */
    size_t max_output;   /* Bytes of standard output. */
};

struct ssh_output {
    int status; /* Exit status of the command, or -1 if a signal ended it. */
    const char *out;
    size_t out_length;
    const char *err; /* What it wrote to stderr, cut after the first KiB. */
};

/* Reads '[user@]host[:port]', where an IPv6 address stands in brackets if a port follows.  ERR_INVALID
 * names what is wrong. */
int ssh_parse_spec(struct arena *arena, const char *spec, struct ssh_spec *parsed, struct err *err);

/* 's' quoted for a POSIX shell, so that it is one word with exactly these bytes, whatever they are. */
const char *ssh_quote(struct arena *arena, const char *s);

/* Runs 'command' on 'spec'.  0 if it ran to its end, whatever its status.  Fails with ERR_DENIED (host key
 * unknown or changed, no key accepted), ERR_UNREACHABLE, ERR_TIMEOUT, or ERR_FAILED for more than
 * 'max_output' bytes. */
int ssh_run(struct arena *arena, const struct ssh_settings *settings, const char *spec,
            const struct ssh_command *command, struct ssh_output *output, struct err *err);
