/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/stream.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "reconciler/api/http.h"
#include "reconciler/api/request.h"
#include "reconciler/api/server.h"

/* Of the first lines: how soon to come back, and whether events were missed in between. */
static const char retry_line[] = "retry: 2000\n\n";
static const char missed_event[] = "event: missed\ndata: {}\n\n";
static const char heartbeat[] = ":\n\n";

struct stream *stream_new(struct request *request, const char *last_id)
{
    struct api *api = request->connection->api;
    struct stream *stream = HEAP_NEW(struct stream);
    bool missed;

    stream->api = api;
    stream->request = request;
    stream->next = ring_resume(&api->ring, last_id, &missed);
    stream->active_ms = loop_now_ms(api->loop);
    stream->prologue_length = (size_t)snprintf(stream->prologue, sizeof(stream->prologue), "%s%s",
                                               retry_line, missed ? missed_event : "");
    api->stream_count++;
    return stream;
}

void stream_free(struct stream *stream)
{
    stream->api->stream_count--;
    if (stream->request != NULL) {
        stream->request->stream = NULL;
    }
    free(stream);
}

/* Copies as much of 'bytes' from '*sent' on as fits, and advances '*sent'. */
static size_t copy_part(char *buffer, size_t size, const char *bytes, size_t length, size_t *sent)
{
    size_t count = length - *sent < size ? length - *sent : size;

    memcpy(buffer, bytes + *sent, count);
    *sent += count;
    return count;
}

static size_t copy_events(struct stream *stream, char *buffer, size_t size)
{
    struct ring *ring = &stream->api->ring;
    size_t count = 0;

    while (count < size && stream->next < ring->next) {
        const struct ring_event *event = ring_at(ring, stream->next);

        count +=
            copy_part(buffer + count, size - count, event->bytes, event->length, &stream->offset);
        if (stream->offset == event->length) {
            stream->next++;
            stream->offset = 0;
        }
    }
    return count;
}

/* The next event has gone before it was sent, or sent whole. */
static bool has_fallen_behind(const struct stream *stream)
{
    return stream->next < stream->api->ring.first;
}

ssize_t stream_read(struct stream *stream, char *buffer, size_t size)
{
    size_t count;

    if (stream->over || has_fallen_behind(stream)) {
        return -1;
    }
    count =
        copy_part(buffer, size, stream->prologue, stream->prologue_length, &stream->prologue_sent);
    count += copy_events(stream, buffer + count, size - count);
    if (count == 0 && stream->heartbeat && size >= sizeof(heartbeat) - 1) {
        count = sizeof(heartbeat) - 1;
        memcpy(buffer, heartbeat, count);
    }
    stream->heartbeat = false;
    if (count == 0) {
        http_suspend(stream->request);
        return 0;
    }
    stream->active_ms = loop_now_ms(stream->api->loop);
    return (ssize_t)count;
}

void stream_wake(struct stream *stream)
{
    http_resume(stream->request);
}

void stream_end(struct stream *stream)
{
    stream->over = true;
    stream_wake(stream);
}

/* While suspended nobody else looks at the socket.  A reader who has closed it, or will send nothing more,
 * is gone: over TCP the one cannot be told from the other. */
static bool is_deserted(const struct stream *stream)
{
    struct pollfd socket = { .fd = stream->request->connection->fd, .events = POLLRDHUP };

    return poll(&socket, 1, 0) > 0;
}

void stream_check(struct stream *stream)
{
    int64_t quiet_ms = loop_now_ms(stream->api->loop) - stream->active_ms;

    if (stream->request->suspended) {
        if (is_deserted(stream)) {
            stream_end(stream);
        } else if (quiet_ms >= stream->api->heartbeat_ms) {
            stream->heartbeat = true;
            stream_wake(stream);
        }
    } else if (quiet_ms >= stream->api->request_ms || has_fallen_behind(stream)) {
        connection_cut(stream->request->connection);
    }
}
