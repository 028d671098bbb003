/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ring: the newest events, as the bytes that go over an event stream (HTML standard, 'Server-sent events').
 * Every stream reads from the one ring, so that a reader who falls behind costs nothing and loses the
 * events that have gone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconciler/api/api.h"

#define RING_MAX_BYTES ((size_t)1024 * 1024)

struct ring_event {
    char *bytes; /* "id: ...\nevent: ...\ndata: ...\n\n" */
    size_t length;
};

struct ring {
    int64_t born_ms; /* Part of every id: what an earlier process gave out is not ours. */
    struct ring_event events[API_EVENTS_KEPT]; /* Number n is at n % API_EVENTS_KEPT. */
    uint64_t first;                            /* Number of the oldest; from 1. */
    uint64_t next;                             /* Number of the one to come. */
    size_t bytes;
};

/* An empty ring; 'born_ms' is the wall clock. */
void ring_init(struct ring *ring, int64_t born_ms);
void ring_deinit(struct ring *ring);

/* Adds an event; the oldest give way.  A line end in 'json' becomes a blank. */
void ring_add(struct ring *ring, const char *name, const char *json);

/* Where a stream goes on whose reader has seen the event 'id', or NULL.  '*missed': events after it have
 * gone, or nobody can tell. */
uint64_t ring_resume(const struct ring *ring, const char *id, bool *missed);

/* The event with 'number', first <= number < next. */
const struct ring_event *ring_at(const struct ring *ring, uint64_t number);
