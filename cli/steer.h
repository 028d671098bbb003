/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * steer: commands that tell the controller what a person wants (reconciler/order.h).  A berthd that runs is
 * told; where none does, what holds until somebody takes it back goes into the journal.
 */

#include <stdbool.h>

#include "reconciler/order.h"

struct cli;

struct steer {
    enum order_verb verb;
    const char *name;   /* What it is about, or NULL: everything. */
    bool guest;         /* It is a guest, ... */
    bool host;          /* ... a host; neither: the file tells. */
    const char *reason; /* In the caller's words, or NULL. */
};

/* The two options that tell what the name is, for a command's table. */
#define STEER_OPTIONS(steer)                                                      \
    { .name = "guest", .help = "the name is a guest's", .flag = &(steer).guest }, \
    {                                                                             \
        .name = "host", .help = "the name is a host's", .flag = &(steer).host     \
    }

/* Gives the order and prints what was done.  The exit status. */
int steer_run(struct cli *cli, const struct steer *steer);
