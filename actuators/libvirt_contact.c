/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_contact.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static int compare_name(const void *name, const void *item)
{
    return strcmp(name, (*(struct libvirt_contact *const *)item)->name);
}

struct libvirt_contact *libvirt_contact_find(const struct libvirt_contacts *contacts,
                                             const char *name)
{
    struct libvirt_contact **found = contacts->count == 0
                                         ? NULL
                                         : bsearch(name, contacts->items, contacts->count,
                                                   sizeof(struct libvirt_contact *), compare_name);

    return found == NULL ? NULL : *found;
}

/* Room for one more; doubling, so that what earlier arrays leave in the arena stays small. */
static void reserve(struct libvirt_contacts *contacts, struct arena *arena)
{
    size_t capacity = contacts->capacity == 0 ? 16 : 2 * contacts->capacity;
    struct libvirt_contact **items;

    if (contacts->count < contacts->capacity) {
        return;
    }
    items = ARENA_ARRAY(arena, struct libvirt_contact *, capacity);
    for (size_t i = 0; i < contacts->count; i++) {
        items[i] = contacts->items[i];
    }
    contacts->items = items;
    contacts->capacity = capacity;
}

struct libvirt_contact *libvirt_contact_add(struct libvirt_contacts *contacts, struct arena *arena,
                                            const char *name)
{
    struct libvirt_contact *contact = ARENA_NEW(arena, struct libvirt_contact);
    size_t at;

    contact->name = arena_strdup(arena, name);
    reserve(contacts, arena);
    for (at = contacts->count++; at > 0 && strcmp(contacts->items[at - 1]->name, name) > 0; at--) {
        contacts->items[at] = contacts->items[at - 1];
    }
    contacts->items[at] = contact;
    return contact;
}
