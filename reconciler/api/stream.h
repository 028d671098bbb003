/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Stream: one reader of the ring, at its own pace.  A reader that is too slow for the ring is cut off, and
 * comes back with the id of the last event it has seen.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct api;
struct request;

struct stream {
    struct api *api;
    struct request *request; /* NULL once that has ended: nothing is read then. */
    char prologue[128];
    size_t prologue_length;
    size_t prologue_sent;
    uint64_t next;  /* Number of the event to send. */
    size_t offset;  /* Bytes of it that have gone. */
    bool heartbeat; /* Is due. */
    bool over;
    int64_t active_ms; /* When it last took something. */
};

/* A stream for 'request' that goes on after the event 'last_id' (or NULL). */
struct stream *stream_new(struct request *request, const char *last_id);
void stream_free(struct stream *stream);

/* Fills 'buffer' with what is to go next: a count, 0 if there is nothing yet (the request is then
 * suspended), -1 if it has ended. */
ssize_t stream_read(struct stream *stream, char *buffer, size_t size);

/* There may be something to send. */
void stream_wake(struct stream *stream);

/* Lets nothing more out. */
void stream_end(struct stream *stream);

/* Once in a while: a heartbeat if it is due; ends it if its reader has gone or is stuck. */
void stream_check(struct stream *stream);
