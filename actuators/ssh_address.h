/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ssh_address: where a host takes commands, as berth.conf writes it.
 */

#include <stdbool.h>

struct arena;
struct err;

/* "user@host[:port]" taken apart. */
struct ssh_address {
    const char *user; /* NULL = the calling user. */
    const char *host;
    unsigned port;
    bool has_port; /* It was said, not taken for granted. */
};

/* Reads '[user@]host[:port]', where an IPv6 address stands in brackets if a port follows.  ERR_INVALID
 * names what is wrong.  Pure. */
int ssh_address_parse(struct arena *arena, const char *text, struct ssh_address *address,
                      struct err *err);
