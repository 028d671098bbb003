/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Look: what both hosts of a move say of its guest, read as source, target, source; if the two source
 * readings differ in what matters, again (migration.md).  Loop thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "diff/settle.h"
#include "model/observed.h"

struct calls;

#define LOOK_DEADLINE_MS INT64_C(10000)
#define LOOK_HASTY_MS    INT64_C(3000)

typedef void look_done_fn(void *context);

struct look {
    struct calls *calls;
    const char *guest;
    const char *uuid;
    const char *hosts[2]; /* Source, target. */
    look_done_fn *done;
    void *context;

    struct arena arena; /* Holds the readings. */
    struct observed_host readings[2];
    enum settle_view views[2];
    uint64_t ticket; /* 0 = nothing under way. */
    unsigned stage;
    unsigned rounds;
    bool hasty;  /* Its source is taken for dead: once it has been silent it gets LOOK_HASTY_MS. */
    bool silent; /* It was, in the last look. */
};

/* A look whose source is taken for dead; those that begin after it are, too. */
void look_hasten(struct look *look);

/* Begins to look; done(context) is called when 'views' and 'readings' are filled.  Strings must stay
 * until then.  A target equal to the source is read once. */
void look_begin(struct look *look, struct calls *calls, const char *guest, const char *uuid,
                const char *source, const char *target, look_done_fn *done, void *context);

/* The guest as the source (0) or target (1) told it, or NULL. */
const struct observed_guest *look_guest(const struct look *look, size_t side);

/* Gives up what is under way and releases the readings. */
void look_deinit(struct look *look);
