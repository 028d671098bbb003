/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * exempt: guests that berth-guard leaves to libvirt, as /etc/berth/guard.conf names them:
 *
 *     # comment
 *     exempt = dns1 infra-*
 *
 * Blanks separate names; '*', '?' and '[...]' match as in a shell.  The key may come again.
 */

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

struct exempt {
    const char **patterns; /* As they are written there. */
    size_t count;
};

/* Reads 'path' into 'arena'; a file that is not there exempts nobody.  ERR_INVALID: "PATH:LINE: ...", and
 * '*exempt' is empty: who is unsure holds back. */
int exempt_read(struct arena *arena, const char *path, struct exempt *exempt, struct err *err);

/* True if 'guest' is left to libvirt. */
bool exempt_has(const struct exempt *exempt, const char *guest);
