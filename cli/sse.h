/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SSE: an event stream (HTML standard, 'Server-sent events') taken apart as its bytes come in, in pieces
 * of any size.  An event that is larger than it may be ends the stream: the sender is none of ours.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSE_EVENT_MAX ((size_t)128 * 1024) /* Bytes of one event; ours are half of that at most. */
#define SSE_ID_SIZE   64
#define SSE_NAME_SIZE 32

/* An event has come: valid during the call. */
typedef void sse_event_fn(void *context, const char *name, const char *data);

struct sse {
    sse_event_fn *event;
    void *context;
    char id[SSE_ID_SIZE]; /* Of the newest event: where to go on; "" = none. */
    int64_t
        retry_ms; /* How long to wait before coming back, as the sender wants it; 0 = not said. */

    /* Of the event that is coming. */
    char name[SSE_NAME_SIZE];
    char *data;
    size_t data_length;
    char *line;
    size_t line_length;
    bool after_cr; /* A line feed now belongs to the line end before. */
};

/* A stream that begins. */
void sse_init(struct sse *sse, sse_event_fn *event, void *context);
void sse_deinit(struct sse *sse);

/* The stream was cut and begins again: what was half there is gone, where to go on is not. */
void sse_restart(struct sse *sse);

/* Takes 'length' bytes.  False: an event is too large. */
bool sse_feed(struct sse *sse, const char *bytes, size_t length);
