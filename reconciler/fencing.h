/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fencing: makes certain that one silent host does not run a guest.
 *
 * It is looked at first: a host that answers is not fenced, because others live on it; it says itself
 * whether it knows the guest.  One that does not answer loses its power.  Loop thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct actuator_completion;
struct calls;

/* 'err' NULL: the guest does not run there.  'note' says why without fencing, or is NULL. */
typedef void fencing_done_fn(void *context, const struct err *err, const char *note);

struct fencing {
    struct calls *calls;
    uint64_t epoch;
    const char *host;
    const char *guest;
    const char *uuid;
    bool silent; /* It was found so just now, and need not be asked again. */
    fencing_done_fn *done;
    void *context;
    uint64_t ticket; /* 0 = nothing is under way. */
};

/* For a device to do it, and to be believed. */
#define FENCING_TIMEOUT_MS INT64_C(60000)

/* Begins; done(context) is called once, from the loop.  Strings must stay until then.  ERR_CONFLICT: the host
 * answers and knows the guest. */
void fencing_begin(struct fencing *fencing, const struct fencing *what);

/* Gives it up; nothing is called.  What was begun at the device may go on. */
void fencing_drop(struct fencing *fencing);
