/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/logline.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/err.h"
#include "reconciler/service.h"

#define FIELD_MAX 512u

/* Ids are random and stay as they are for ever: people search for them. */
struct kind {
    const char *name;
    int priority;
    const char *id;
};

static const struct kind kinds[] = {
    { "alarm", LOG_CRIT, "c5b15bd536494177b109ad2edf1ecf26" },
    { "api-closed", LOG_ERR, "1df16e451c7b4826b2eb3ad249ba8c46" },
    { "backoff", LOG_NOTICE, "fa2d102dd18f419f940de3ba8ba367fd" },
    { "blocked", LOG_NOTICE, "6dca8b7976a249eaa971a3e918a3796e" },
    { "drift", LOG_NOTICE, "6f9362ffc6c9486bb2e288cbe7a436d4" },
    { "drift-over", LOG_INFO, "dea1cf24aa5148f3a5eefb305de80a85" },
    { "ending", LOG_INFO, "cec6294905d743aeb80d8836e9e86d64" },
    { "few-descriptors", LOG_WARNING, "fb0395a50de145739d206bc35a1b3e6c" },
    { "following", LOG_INFO, "e39271edf8974af79cac39503b87bce0" },
    { "forecast", LOG_INFO, "ace31a4c70404e2486deee2e04e060a1" },
    { "hook-dropped", LOG_WARNING, "37b78223b9134f2cac55289e6911fc2f" },
    { "hook-failed", LOG_WARNING, "6641090f92a74d28bf046b2d49e5fbef" },
    { "hook-output", LOG_INFO, "c808e6673c834548a943f7f93d4fa51e" },
    { "host-unreachable", LOG_WARNING, "1903398840364a88916be63bd683e69e" },
    { "invalid-config", LOG_ERR, "9000b0895395448a84df62d00c3c8a9a" },
    { "invalid-file", LOG_ERR, "3e702d3298184df88ab4e70e12a3b28b" },
    { "journal-lost", LOG_CRIT, "6da41128f4274dd69bf1f77b05478929" },
    { "move-begin", LOG_INFO, "797a5badb6a04b6b8a54a2713322595e" },
    { "move-end", LOG_INFO, "0675d9c4e7ec4ff3a5a8e44f7246251a" },
    { "move-resume", LOG_NOTICE, "140a67f65098429598001d1fa6071061" },
    { "move-unclear", LOG_ERR, "31a9b695431f43e09b2d55ee4128aa3d" },
    { "no-lock-manager", LOG_WARNING, "44db1e6c98b84e568fc4d9524ef20f24" },
    { "order", LOG_NOTICE, "96793ca50dc34233a1ccf4c59b8b1b45" },
    { "parked", LOG_WARNING, "3b70e71234e149cf8e87321045d4b45a" },
    { "plan", LOG_INFO, "93d04d540ceb4f8c911f503ef1bb4448" },
    { "polled-file", LOG_WARNING, "e219569d34da43bd836619b877dab2e8" },
    { "release-failed", LOG_ERR, "ae40cd35730945a0981e7aa136d79782" },
    { "released", LOG_NOTICE, "82e4348118bf48f392dc2d591f2a68cc" },
    { "reloaded", LOG_NOTICE, "e6f2de79db594c24a8ce20b44d6cfd6d" },
    { "restart-needed", LOG_WARNING, "c7e658096c7d4d5ebbd5cf45307a1f8f" },
    { "started", LOG_INFO, "0a7b76a1ec34406c9dc6a74806371d14" },
    { "step", LOG_INFO, "3cc986ab6744426096447995592231b8" },
    { "step-begin", LOG_INFO, "ff7a87eb53b6475ca625390ff666383c" },
    { "step-refused", LOG_WARNING, "9ebfdde2c12cd6c168636dc39d5be22f" },
    { "step-skipped", LOG_INFO, "edbda1a2788245d8aa93bf0db63724d0" },
    { "swept", LOG_NOTICE, "5d2f8e0c6b1a4f37a9c4e7130b86d2f9" },
    { "unreadable-config", LOG_ERR, "ab2d3f5b2f414a1eb5fcbe8fa9a19795" },
    { "unreadable-file", LOG_ERR, "1ea7c98c29b542b7bb8011783399477c" },
    { "valid-file", LOG_NOTICE, "5510e1b56a2b473f85891c8edd0e7b14" },
};

static const struct kind *find_kind(const char *name)
{
    size_t i = 0;

    while (i < ARRAY_LEN(kinds) && strcmp(kinds[i].name, name) != 0) {
        i++;
    }
    assert(i < ARRAY_LEN(kinds));
    return &kinds[i];
}

static void add_field(struct logline *line, const char *field)
{
    assert(line->count < LOGLINE_FIELDS_MAX);
    line->fields[line->count++] = field;
}

/* "downtime_ms" is BERTH_DOWNTIME_MS. */
static void add_key(struct logline *line, const char *key, const char *value)
{
    char *field = text_format(&line->arena, "BERTH_%s=%s", key, value);

    for (char *c = field; *c != '='; c++) {
        if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
    add_field(line, field);
}

void logline_begin(struct logline *line, const char *name)
{
    const struct kind *kind = find_kind(name);

    *line = (struct logline){ .priority = kind->priority };
    line->text = text_new(&line->arena);
    text_printf(&line->text, "event=%s", name);
    add_key(line, "event", name);
    add_field(line, text_format(&line->arena, "MESSAGE_ID=%s", kind->id));
}

void logline_add(struct logline *line, const char *key, const char *fmt, ...)
{
    char value[FIELD_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    text_printf(&line->text, " %s=%s", key, value);
    add_key(line, key, value);
}

void logline_quote(struct logline *line, const char *key, const char *value)
{
    const char *visible = text_visible(&line->arena, value);

    text_printf(&line->text, " %s=\"", key);
    for (const char *c = visible; *c != '\0'; c++) {
        text_append_bytes(&line->text, *c == '"' ? "'" : c, 1);
    }
    text_append(&line->text, "\"");
    add_key(line, key, visible);
}

/* False: the journal has not taken it. */
static bool write_entry(struct logline *line)
{
    struct err err;

    add_field(line, text_format(&line->arena, "PRIORITY=%d", line->priority));
    add_field(line, text_format(&line->arena, "MESSAGE=%s", line->text.data));
    return service_log(line->fields, line->count, &err) == 0;
}

void logline_end(struct logline *line)
{
    if (!service_is_journal(STDERR_FILENO) || !write_entry(line)) {
        (void)fprintf(stderr, "%s\n", line->text.data);
    }
    arena_deinit(&line->arena);
}
