/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reload: berth.conf while a controller runs.  The config in force has one address for as long as the
 * controller lives.  Another one is read whole or not at all, waits, and takes its place as a pass begins,
 * when no move is under way and nothing holds on to the one before.
 *
 * How hosts are reached and where the file and the state directory are does not change while it runs: that
 * takes a restart, which a controller survives at any time.  Loop thread.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "reconciler/config.h"

struct err;
struct faults;

struct reload {
    const char *path;
    bool optional;              /* Without the file the defaults hold. */
    const struct config *began; /* What the controller was started with; the caller's. */
    struct config config;       /* In force. */
    struct arena arena;         /* Of 'config', once it has been taken. */
    struct config next;         /* Valid while 'waits'. */
    struct arena next_arena;
    bool waits;
};

/* The controller is started with 'config', read from 'path'; the caller keeps both. */
void reload_init(struct reload *reload, const char *path, bool optional,
                 const struct config *config);

/* Reads the file anew; what it says waits, in place of what waited before.  -1 with 'faults' filled or, if
 * there are none, with '*err': nothing changes. */
int reload_read(struct reload *reload, struct faults *faults, struct err *err);

/* What the waiting config wants other than the controller was started with, and gets by a restart only:
 * "uri, [host kvm1] ssh" in 'arena'; NULL = nothing. */
const char *reload_restart(const struct reload *reload, struct arena *arena);

/* Lets what waits be forgotten. */
void reload_drop(struct reload *reload);

/* Puts what waits in force; false if nothing does. */
bool reload_take(struct reload *reload);

/* Releases everything. */
void reload_deinit(struct reload *reload);
