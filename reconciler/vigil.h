/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Vigil: the watch over a migration under way that says when a person must look.
 *
 * libvirt's calls have no time limit, so a host that stands still shows by its silence alone.  If it is the
 * source, QEMU copies on without it and then leaves the guest paused at the switchover until libvirt runs there
 * again: somebody must know long before any deadline.  Nothing is decided here, the move goes on to its own end.
 * Loop thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "actuators/actuator.h"
#include "base/loop.h"

struct arena;

/* What is amiss. */
enum vigil_trouble {
    VIGIL_SILENT,     /* The source has told nothing for a while. */
    VIGIL_COPY,       /* The guest runs at the source, and nothing more of it is sent. */
    VIGIL_SWITCHOVER, /* It is paused to change sides, and does not. */
    VIGIL_POSTCOPY,   /* It runs at the target and waits for memory that does not come. */
    VIGIL_TROUBLE_COUNT,
};

typedef void vigil_fn(void *context, enum vigil_trouble trouble);

struct vigil {
    struct loop *loop;
    struct loop_timer timer;
    vigil_fn *notice;
    void *context;
    enum actuator_phase phase;
    uint64_t sent;    /* The most bytes that were seen sent. */
    int64_t heard_ms; /* When the source last told something, ... */
    int64_t moved_ms; /* ... and something new. */
    uint32_t told;    /* A bit for each trouble. */
};

/* Begins to watch.  notice(context) is called for each trouble, but not for one that was told before. */
void vigil_begin(struct vigil *vigil, struct loop *loop, vigil_fn *notice, void *context);

/* Takes what the source has just told. */
void vigil_feed(struct vigil *vigil, const struct actuator_progress *progress);

/* Marks 'trouble' as told; false if it was before. */
bool vigil_tell(struct vigil *vigil, enum vigil_trouble trouble);

/* Ends the watch and keeps what was told; a zero-initialised one is allowed. */
void vigil_end(struct vigil *vigil);

/* How long 'trouble' lasts before it is noticed. */
int64_t vigil_patience_ms(enum vigil_trouble trouble);

/* What may have become of 'guest' on its way, and what a person can do about it. */
const char *vigil_text(struct arena *arena, enum vigil_trouble trouble, const char *guest,
                       const char *from, const char *to);
