/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config_key: what berth.conf may say: its sections, their keys, and what each takes (contract.md §3).
 * For reconciler/config.c, which knows the file around them.
 */

#include <stddef.h>
#include <stdint.h>

#include "model/policy.h"
#include "reconciler/calendar.h"
#include "reconciler/config.h"
#include "reconciler/timetable.h"

struct arena;

enum config_key_section {
    CONFIG_KEY_NONE, /* Before the first, or one that is a fault. */
    CONFIG_KEY_FLEET,
    CONFIG_KEY_CAPACITY,
    CONFIG_KEY_MIGRATE,
    CONFIG_KEY_DRIFT,
    CONFIG_KEY_API,
    CONFIG_KEY_HOOKS,
    CONFIG_KEY_HOST,
    CONFIG_KEY_GUEST,
    CONFIG_KEY_FENCE,
    CONFIG_KEY_WINDOW,
    CONFIG_KEY_BLACKOUT,
    CONFIG_KEY_SCHEDULE,
    CONFIG_KEY_SECTIONS,
};

/* What every struct of a section that has a name begins with. */
struct config_key_head {
    const char *name;
    uint32_t line;
};

/* A [host NAME] section while it is read; the two halves part at the end, and get their names then. */
struct config_key_host {
    struct config_key_head head;
    struct config_host connection;
    struct policy_host policy;
    struct timetable_gate gate;
};

/* The same of [guest NAME]. */
struct config_key_guest {
    struct config_key_head head;
    struct policy_guest policy;
    struct timetable_gate gate;
};

/* The same of [fence NAME]. */
struct config_key_fence {
    struct config_key_head head;
    struct config_fence fence;
};

/* The same of [window NAME], [blackout NAME] and [schedule].  What was given but is no calendar has no
 * hours. */
struct config_key_window {
    struct config_key_head head;
    bool has_opens;
    bool has_lasts;
    struct calendar opens;
    int64_t lasts_ms;
};

struct config_key_blackout {
    struct config_key_head head;
    bool has_from;
    bool has_until;
    struct calendar from;
    struct calendar until;
    struct timetable_scope scope; /* Empty = not given. */
};

struct config_key_schedule {
    const char *timezone;  /* NULL = not given. */
    struct calendar drift; /* The same without hours. */
};

#define CONFIG_KEY_COUNT 82

/* The name in brackets, and the section of it; CONFIG_KEY_NONE if there is none. */
const char *config_key_section_name(enum config_key_section section);
enum config_key_section config_key_section_from_name(const char *name);

/* Index of the key called 'name' in 'section', or CONFIG_KEY_COUNT. */
size_t config_key_find(enum config_key_section section, const char *name);

/* Stores 'value' in 'base', the struct that the section of the key 'index' fills: config (FLEET, DRIFT, API, HOOKS),
 * policy (CAPACITY, MIGRATE) or the config_key struct of its own.  Strings live in 'arena'.  NULL, or what the
 * value must be, in words that go behind the key's name. */
const char *config_key_store(struct arena *arena, size_t index, const char *value, void *base);
