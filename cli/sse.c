/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define RETRY_MAX_MS (60u * 1000)

void sse_init(struct sse *sse, sse_event_fn *event, void *context)
{
    *sse = (struct sse){ .event = event, .context = context };
    sse->data = malloc(SSE_EVENT_MAX + 1);
    sse->line = malloc(SSE_EVENT_MAX + 1);
    if (sse->data == NULL || sse->line == NULL) {
        abort();
    }
}

void sse_deinit(struct sse *sse)
{
    free(sse->data);
    free(sse->line);
}

void sse_restart(struct sse *sse)
{
    sse->name[0] = '\0';
    sse->data_length = 0;
    sse->line_length = 0;
    sse->after_cr = false;
}

static bool add_data(struct sse *sse, const char *value)
{
    size_t length = strlen(value);

    if (length + 1 > SSE_EVENT_MAX - sse->data_length) {
        return false;
    }
    memcpy(sse->data + sse->data_length, value, length);
    sse->data_length += length;
    sse->data[sse->data_length++] = '\n';
    return true;
}

static bool take_field(struct sse *sse, const char *field, const char *value)
{
    uint64_t retry_ms;

    if (strcmp(field, "data") == 0) {
        return add_data(sse, value);
    }
    if (strcmp(field, "event") == 0) {
        (void)snprintf(sse->name, sizeof(sse->name), "%s", value);
    } else if (strcmp(field, "id") == 0 && strlen(value) < sizeof(sse->id)) {
        strcpy(sse->id, value);
    } else if (strcmp(field, "retry") == 0 && text_to_u64(value, RETRY_MAX_MS, &retry_ms)) {
        sse->retry_ms = (int64_t)retry_ms;
    }
    return true;
}

/* An empty line ends an event; one without data is none. */
static void end_event(struct sse *sse)
{
    if (sse->data_length > 0) {
        sse->data[sse->data_length - 1] = '\0';
        sse->event(sse->context, sse->name[0] == '\0' ? "message" : sse->name, sse->data);
    }
    sse->name[0] = '\0';
    sse->data_length = 0;
}

static bool end_line(struct sse *sse)
{
    char *colon;
    char *value;

    sse->line[sse->line_length] = '\0';
    sse->line_length = 0;
    if (sse->line[0] == '\0') {
        end_event(sse);
        return true;
    }
    colon = strchr(sse->line, ':');
    value = colon == NULL ? sse->line + strlen(sse->line) : colon + 1;
    if (colon != NULL) {
        *colon = '\0';
        value += *value == ' ';
    }
    return take_field(sse, sse->line, value);
}

bool sse_feed(struct sse *sse, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        bool ends = c == '\r' || (c == '\n' && !sse->after_cr);

        if (!ends && c != '\n') {
            if (sse->line_length == SSE_EVENT_MAX) {
                return false;
            }
            sse->line[sse->line_length++] = c;
        }
        sse->after_cr = c == '\r';
        if (ends && !end_line(sse)) {
            return false;
        }
    }
    return true;
}
