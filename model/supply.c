/* SPDX-License-Identifier: Apache-2.0 */
#include "model/supply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/profile.h"

#define NAME_MAX_BYTES   ((size_t)128)
#define DEVICE_MAX_BYTES ((size_t)1024)

#define VOLUME_MAX_BYTES   ((size_t)255)
#define IDENTITY_MAX_BYTES ((size_t)1024)

static const char *const kind_names[SUPPLY_KIND_COUNT] = {
#define SUPPLY_KIND(name, text) [SUPPLY_##name] = text,
    SUPPLY_KINDS
#undef SUPPLY_KIND
};

const char *supply_kind_name(enum supply_kind kind)
{
    return kind < SUPPLY_KIND_COUNT ? kind_names[kind] : NULL;
}

enum supply_kind supply_kind_from_name(const char *name)
{
    return (enum supply_kind)text_index(kind_names, SUPPLY_KIND_COUNT, name);
}

bool supply_is_bridge(enum supply_kind kind)
{
    return kind == SUPPLY_BRIDGE || kind == SUPPLY_NAT_BRIDGE;
}

bool supply_is_name(const char *s)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "_+:@.-";
    size_t length = strspn(s, allowed);

    return length > 0 && length <= NAME_MAX_BYTES && s[length] == '\0' && *s != '-' && *s != '.';
}

bool supply_is_device(const char *s)
{
    size_t length = strnlen(s, DEVICE_MAX_BYTES + 1);

    if (*s != '/' || length > DEVICE_MAX_BYTES || strstr(s, "..") != NULL) {
        return false;
    }
    for (const char *c = s; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\'' || *c == '\\') {
            return false;
        }
    }
    return true;
}

bool supply_is_pci_function(const char *s)
{
    static const char digits[] = "0123456789abcdef";
    size_t domain = strspn(s, digits);
    const char *rest = s + domain; /* ":3b:02.1" */

    return domain >= 4 && domain <= 8 && strlen(rest) == 8 && rest[0] == ':' &&
           strspn(rest + 1, digits) == 2 && rest[3] == ':' && strspn(rest + 4, digits) == 2 &&
           rest[6] == '.' && rest[7] >= '0' && rest[7] <= '7';
}

bool supply_is_volume(const char *s)
{
    size_t length = strnlen(s, VOLUME_MAX_BYTES + 1);

    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f) {
            return false;
        }
    }
    return length > 0 && length <= VOLUME_MAX_BYTES;
}

bool supply_is_identity(const char *s)
{
    size_t length = strnlen(s, IDENTITY_MAX_BYTES + 1);

    for (size_t i = 0; i < length; i++) {
        if (s[i] < ' ' || s[i] > '~') {
            return false;
        }
    }
    return length > 0 && length <= IDENTITY_MAX_BYTES;
}

static int compare(const void *a, const void *b)
{
    const struct supply *left = a;
    const struct supply *right = b;

    if (left->kind != right->kind) {
        return left->kind < right->kind ? -1 : 1;
    }
    return strcmp(left->name, right->name) != 0 ? strcmp(left->name, right->name)
                                                : text_compare(left->volume, right->volume);
}

/* What sorts behind by nothing else must not depend on how qsort() works. */
static int compare_with_device(const void *a, const void *b)
{
    int order = compare(a, b);
    const struct supply *left = a;
    const struct supply *right = b;

    return order != 0 ? order : -text_compare(left->device, right->device);
}

static int check(const struct supply *supply, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    if (supply->kind == SUPPLY_NONE || supply->kind >= SUPPLY_KIND_COUNT) {
        return err_set(err, ERR_INVALID, "no such kind of supply");
    }
    if (supply->name == NULL || !supply_is_name(supply->name)) {
        return err_set(err, ERR_INVALID,
                       "'%.64s' cannot be the name of a %s: letters, digits and "
                       "._-+:@ make one, and no '-' or '.' comes first",
                       supply->name == NULL ? "" : text_visible(&arena, supply->name),
                       supply_kind_name(supply->kind));
    }
    if (supply->device == NULL && supply->kind == SUPPLY_STATE) {
        return err_set(err, ERR_INVALID, "nobody says where %s '%s' is",
                       supply_kind_name(supply->kind), supply->name);
    }
    if (supply->device != NULL && !supply_is_device(supply->device)) {
        return err_set(err, ERR_INVALID,
                       "'%.64s' cannot be the device of %s '%s': it must be an absolute path of "
                       "printable characters, without blanks, quotes and '..'",
                       text_visible(&arena, supply->device), supply_kind_name(supply->kind),
                       supply->name);
    }
    if ((supply->volume != NULL) != (supply->kind == SUPPLY_POOL) ||
        (supply->volume != NULL && !supply_is_volume(supply->volume))) {
        return err_set(err, ERR_INVALID, "%s '%s' has no volume, or one that it cannot have",
                       supply_kind_name(supply->kind), supply->name);
    }
    if (supply->identity != NULL && !supply_is_identity(supply->identity)) {
        return err_set(
            err, ERR_INVALID,
            "'%.64s' cannot be the identity of %s '%s': at most %zu printable characters "
            "make one",
            text_visible(&arena, supply->identity), supply_kind_name(supply->kind), supply->name,
            IDENTITY_MAX_BYTES);
    }
    return 0;
}

static struct supply copy(struct arena *arena, const struct supply *supply)
{
    struct supply own = *supply;

    own.name = arena_strdup(arena, supply->name);
    own.device = arena_strdup_maybe(arena, supply->device);
    own.volume = arena_strdup_maybe(arena, supply->volume);
    own.identity = arena_strdup_maybe(arena, supply->identity);
    return own;
}

int supply_list_make(struct arena *arena, const struct supply *items, size_t count,
                     struct supply_list *list, struct err *err)
{
    struct supply *own;
    size_t kept = 0;

    if (count > SUPPLY_ITEMS_MAX) {
        return err_set(err, ERR_INVALID, "more than %d volumes, bridges and interfaces of a guest",
                       SUPPLY_ITEMS_MAX);
    }
    own = ARENA_ARRAY(arena, struct supply, count);
    for (size_t i = 0; i < count; i++) {
        if (check(&items[i], err) != 0) {
            return -1;
        }
        own[i] = copy(arena, &items[i]);
    }
    if (count > 0) {
        qsort(own, count, sizeof(*own), compare_with_device);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare(&own[kept - 1], &own[i]) != 0) {
            own[kept++] = own[i];
        }
    }
    *list = (struct supply_list){ .items = own, .count = kept };
    return 0;
}

struct supply_list supply_list_copy(struct arena *arena, const struct supply_list *list)
{
    struct supply *own = ARENA_ARRAY(arena, struct supply, list->count);

    for (size_t i = 0; i < list->count; i++) {
        own[i] = copy(arena, &list->items[i]);
    }
    return (struct supply_list){ .items = own, .count = list->count };
}

struct supply_list supply_list_identify(struct arena *arena, const struct supply_list *list,
                                        const struct supply_list *known)
{
    struct supply *own = ARENA_ARRAY(arena, struct supply, list->count);

    assert(known->count == list->count);
    for (size_t i = 0; i < list->count; i++) {
        own[i] = copy(arena, &list->items[i]);
        if (known->items[i].identity != NULL) {
            own[i].identity = arena_strdup(arena, known->items[i].identity);
        }
    }
    return (struct supply_list){ .items = own, .count = list->count };
}

struct supply_list supply_list_of(const struct supply_list *list, enum supply_kind kind)
{
    size_t first = 0;
    size_t end;

    while (first < list->count && list->items[first].kind < kind) {
        first++;
    }
    end = first;
    while (end < list->count && list->items[end].kind == kind) {
        end++;
    }
    return (struct supply_list){ .items = list->count == 0 ? NULL : list->items + first,
                                 .count = end - first };
}

bool supply_list_is_identified(const struct supply_list *list, enum supply_kind kind)
{
    const struct supply_list items = supply_list_of(list, kind);
    bool known = false;

    for (size_t i = 0; i < items.count; i++) {
        known |= items.items[i].identity != NULL;
    }
    return known;
}

uint32_t supply_list_kinds(const struct supply_list *list)
{
    uint32_t kinds = 0;

    for (size_t i = 0; i < list->count; i++) {
        kinds |= SUPPLY_BIT(list->items[i].kind);
    }
    return kinds;
}

const struct supply *supply_list_find(const struct supply_list *list, enum supply_kind kind,
                                      const char *name)
{
    struct supply key = { .kind = kind, .name = name };

    return list->count == 0 ? NULL : bsearch(&key, list->items, list->count, sizeof(key), compare);
}

bool supply_list_has(const struct supply_list *list, enum supply_kind kind, const char *name)
{
    return supply_list_find(list, kind, name) != NULL;
}

static bool is_stored(enum supply_kind kind)
{
    return kind == SUPPLY_VOLUME || kind == SUPPLY_CONFIG;
}

/* What a profile matches names and devices against, and nothing else. */
static void add(const struct profile *profile, const struct supply *supply, struct supply *items,
                size_t *count)
{
    if (profile_takes(profile, supply->kind, supply->name, supply->device)) {
        items[(*count)++] = *supply;
    }
}

/* A volume may be two things: attached, and mounted for its guest's configuration. */
static void add_volumes(const struct profile *profile, const struct desired *desired,
                        const struct desired_guest *guest, struct supply *items, size_t *count)
{
    for (uint32_t i = 0; i < guest->volume_count; i++) {
        const struct desired_volume *volume =
            &desired->volumes[desired->volume_refs[guest->first_volume + i]];
        const char *base = volume->device == NULL ? NULL : strrchr(volume->device, '/');
        const char *name = volume->name != NULL ? volume->name
                           : base != NULL       ? base + 1
                                                : volume->id;

        struct supply supply = { .kind = SUPPLY_VOLUME, .name = name, .device = volume->device };

        add(profile, &supply, items, count);
        supply.kind = SUPPLY_CONFIG;
        add(profile, &supply, items, count);
    }
}

static void add_observed(const struct profile *profile, const struct observed_guest *guest,
                         bool stored_too, struct supply *items, size_t *count)
{
    for (size_t i = 0; i < guest->supplies.count; i++) {
        struct supply supply = guest->supplies.items[i];

        if (supply.kind == SUPPLY_BRIDGE) {
            supply.kind = profile_bridge_kind(profile, supply.name);
        }
        if (stored_too || !is_stored(supply.kind)) {
            add(profile, &supply, items, count);
        }
    }
}

int supply_of_guest(struct arena *arena, const struct profile *profile,
                    const struct desired *desired, const char *guest,
                    const struct observed_guest *observed, struct supply_list *list,
                    struct err *err)
{
    uint32_t index = desired_find_guest(desired, guest);
    const struct desired_guest *wanted = index == DESIRED_NONE ? NULL : &desired->guests[index];
    size_t volumes = wanted == NULL ? 0 : wanted->volume_count;
    size_t others = observed == NULL ? 0 : observed->supplies.count;
    struct supply *items = ARENA_ARRAY(arena, struct supply, volumes * 2 + others);
    size_t count = 0;

    if (volumes > 0) {
        add_volumes(profile, desired, wanted, items, &count);
    }
    if (observed != NULL) {
        add_observed(profile, observed, volumes == 0, items, &count);
    }
    if (supply_list_make(arena, items, count, list, err) != 0) {
        return err_wrap(err, "what '%s' needs on its host", guest);
    }
    return 0;
}
