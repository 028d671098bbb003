/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/config_hooks.h"

#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/loopback.h"
#include "base/text.h"
#include "reconciler/hook.h"

#define COMMAND_TIMEOUT_MS 30000
#define WEBHOOK_TIMEOUT_MS 10000

static const char *const known[] = {
    "alarm",           "backoff",        "drift",        "drift-over",      "following",
    "forecast",        "invalid-config", "invalid-file", "journal-lost",    "move-begin",
    "move-end",        "move-resume",    "move-unclear", "no-lock-manager", "order",
    "parked",          "plan",           "polled-file",  "release-failed",  "released",
    "reloaded",        "restart-needed", "step",         "swept",           "unreadable-config",
    "unreadable-file", "valid-file",
};

static const char *const usual[] = {
    "alarm", "move-end", "move-unclear", "parked", "drift", "invalid-file", "journal-lost",
};

struct hook_config config_hooks_default(void)
{
    return (struct hook_config){
        .events = usual,
        .event_count = ARRAY_LEN(usual),
        .command_timeout_ms = COMMAND_TIMEOUT_MS,
        .webhook_timeout_ms = WEBHOOK_TIMEOUT_MS,
    };
}

bool config_hooks_is_event(const char *name)
{
    return text_index(known, ARRAY_LEN(known), name) < ARRAY_LEN(known);
}

/* Behind 'scheme', or NULL. */
static const char *authority_of(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);

    return strncmp(url, scheme, length) == 0 ? url + length : NULL;
}

bool config_hooks_is_url(const char *text)
{
    const char *authority = authority_of(text, "https://");
    size_t length;

    if (authority == NULL) {
        authority = authority_of(text, "http://");
    }
    if (authority == NULL) {
        return false;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return false;
        }
    }
    length = strcspn(authority, "/?#");
    return length > 0 && memchr(authority, '@', length) == NULL;
}

/* "127.0.0.1:8080", with a port or without. */
static bool is_loopback(const char *authority)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *host = text_copy(&arena, authority, strcspn(authority, "/?#"));
    union loopback address;
    socklen_t size;

    return loopback_parse(host, &address, &size) ||
           loopback_parse(text_format(&arena, "%s:80", host), &address, &size);
}

bool config_hooks_is_exposed(const struct hook_config *hooks)
{
    const char *authority = hooks->webhook == NULL ? NULL : authority_of(hooks->webhook, "http://");

    return authority != NULL && !hooks->webhook_insecure && !is_loopback(authority);
}
