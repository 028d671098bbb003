/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/ring.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

void ring_init(struct ring *ring, int64_t born_ms)
{
    *ring = (struct ring){ .born_ms = born_ms, .first = 1, .next = 1 };
}

static struct ring_event *slot(struct ring *ring, uint64_t number)
{
    return &ring->events[number % API_EVENTS_KEPT];
}

static void drop_first(struct ring *ring)
{
    struct ring_event *event = slot(ring, ring->first);

    ring->bytes -= event->length;
    free(event->bytes);
    *event = (struct ring_event){ .bytes = NULL };
    ring->first++;
}

void ring_deinit(struct ring *ring)
{
    while (ring->first < ring->next) {
        drop_first(ring);
    }
}

/* A line end would end the field; in JSON it stands between tokens only, where a blank does as well. */
static void append_line(struct text *text, const char *json)
{
    size_t start = text->length;

    text_append(text, json);
    for (size_t i = start; i < text->length; i++) {
        if (text->data[i] == '\n' || text->data[i] == '\r') {
            text->data[i] = ' ';
        }
    }
}

void ring_add(struct ring *ring, const char *name, const char *json)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);
    struct ring_event *event;

    text_printf(&text, "id: %" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: ", (uint64_t)ring->born_ms,
                ring->next, name);
    append_line(&text, strlen(json) > API_EVENT_MAX ? "{\"too_large\":true}" : json);
    text_append(&text, "\n\n");
    while (ring->first < ring->next && (ring->next - ring->first == API_EVENTS_KEPT ||
                                        ring->bytes + text.length > RING_MAX_BYTES)) {
        drop_first(ring);
    }
    event = slot(ring, ring->next);
    event->bytes = strdup(text.data);
    if (event->bytes == NULL) {
        abort();
    }
    event->length = text.length;
    ring->bytes += event->length;
    ring->next++;
}

/* The number in an id that this ring gave out; false for any other text. */
static bool read_id(const struct ring *ring, const char *id, uint64_t *number)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *prefix = text_format(&arena, "%" PRIx64 "-", (uint64_t)ring->born_ms);
    size_t length = strlen(prefix);

    return strncmp(id, prefix, length) == 0 && text_to_u64(id + length, UINT64_MAX, number) &&
           *number > 0 && *number < ring->next;
}

uint64_t ring_resume(const struct ring *ring, const char *id, bool *missed)
{
    uint64_t seen;

    *missed = false;
    if (id == NULL) {
        return ring->next;
    }
    if (!read_id(ring, id, &seen)) {
        *missed = true;
        return ring->next;
    }
    *missed = seen + 1 < ring->first;
    return *missed ? ring->first : seen + 1;
}

const struct ring_event *ring_at(const struct ring *ring, uint64_t number)
{
    assert(number >= ring->first && number < ring->next);
    return &ring->events[number % API_EVENTS_KEPT];
}
