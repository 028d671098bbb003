/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Owed: where a guest that Berth stopped, and owes a start, stands by what all hosts say.  Pure.
 */

#include <stdbool.h>

struct observed;
struct observed_guest;

/* True if a host that answers runs it. */
bool owed_is_running(const struct observed *observed, const char *uuid);

/* True if any host, as last seen, has a process of it: then it must not be started. */
bool owed_is_active(const struct observed *observed, const char *uuid);

/* The guest where it may be started, and the name of that host: off there, and known to no other host, not
 * even to one that does not answer now.  NULL if there is no such place. */
const struct observed_guest *owed_find_startable(const struct observed *observed, const char *uuid,
                                                 const char **host);
