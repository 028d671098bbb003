/* SPDX-License-Identifier: Apache-2.0 */
#include "model/es_resolve.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_layout.h"
#include "model/fault.h"

#define LIST_FIRST_CAPACITY 16

/* A definition under the text it is looked up by. */
struct key {
    const char *text;
    uint32_t item;
};

/* Sorted by text, then item: of definitions with one text the first in the file is found. */
struct keys {
    struct key *items;
    size_t count;
};

/* What resolving has found so far; arrays run parallel to the document's machines. */
struct resolver {
    const struct es_document *document;
    struct arena *arena;
    struct faults *faults;
    struct keys machine_ids;
    struct keys folded_names; /* Of hosts and guests, in lower case. */
    struct keys cluster_ids;
    struct keys volume_ids;
    uint32_t *position;  /* Index in desired's hosts or guests. */
    uint32_t *placed_by; /* Index of the reference that places it, or DESIRED_NONE. */
    bool *shadowed;      /* An earlier machine has its id. */
};

static const struct es_machine *machine_at(const struct resolver *resolver, size_t i)
{
    return (const struct es_machine *)resolver->document->machines.items + i;
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *left = a;
    const struct key *right = b;
    int order = strcmp(left->text, right->text);

    if (order != 0) {
        return order;
    }
    return (left->item > right->item) - (left->item < right->item);
}

static struct keys keys_new(struct arena *arena, size_t capacity)
{
    return (struct keys){ .items = ARENA_ARRAY(arena, struct key, capacity) };
}

static void keys_add(struct keys *keys, const char *text, size_t item)
{
    keys->items[keys->count++] = (struct key){ text, (uint32_t)item };
}

/* Programs write files in order: looking first saves most sorts. */
static void keys_sort(struct keys *keys)
{
    for (size_t i = 1; i < keys->count; i++) {
        if (compare_keys(&keys->items[i - 1], &keys->items[i]) > 0) {
            qsort(keys->items, keys->count, sizeof(*keys->items), compare_keys);
            return;
        }
    }
}

/* Item of the first definition with 'text', or DESIRED_NONE. */
static uint32_t keys_find(const struct keys *keys, const char *text)
{
    size_t low = 0;
    size_t high = keys->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(keys->items[middle].text, text) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < keys->count && strcmp(keys->items[low].text, text) == 0 ? keys->items[low].item
                                                                         : DESIRED_NONE;
}

/* True if item 'i' has the text of the one before; '*first' is where such a run begins. */
static bool keys_repeat(const struct keys *keys, size_t i, size_t *first)
{
    if (i > 0 && strcmp(keys->items[i - 1].text, keys->items[i].text) == 0) {
        return true;
    }
    *first = i;
    return false;
}

/* Lower-case form of a name; the name itself where that is the same. */
static const char *fold(struct arena *arena, const char *name)
{
    char *copy = NULL;

    for (size_t i = 0; name[i] != '\0'; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z') {
            if (copy == NULL) {
                copy = arena_strdup(arena, name);
            }
            copy[i] = (char)(name[i] | 0x20);
        }
    }
    return copy == NULL ? name : copy;
}

static const char *null_if_empty(const char *s)
{
    return *s == '\0' ? NULL : s;
}

static void index_machines(struct resolver *resolver)
{
    size_t count = resolver->document->machines.count;
    struct arena *scratch = resolver->document->scratch;

    resolver->machine_ids = keys_new(scratch, count);
    resolver->folded_names = keys_new(scratch, count);
    for (size_t i = 0; i < count; i++) {
        const struct es_machine *machine = machine_at(resolver, i);

        if (*machine->id != '\0') {
            keys_add(&resolver->machine_ids, machine->id, i);
        }
        if (machine->kind != ES_IGNORED && *machine->name != '\0') {
            keys_add(&resolver->folded_names, fold(scratch, machine->name), i);
        }
    }
    keys_sort(&resolver->machine_ids);
    keys_sort(&resolver->folded_names);
}

/* Two ignored machines with one id harm nobody. */
static void check_machine_ids(struct resolver *resolver)
{
    const struct keys *keys = &resolver->machine_ids;
    size_t first = 0;

    for (size_t i = 0; i < keys->count; i++) {
        const struct es_machine *machine = machine_at(resolver, keys->items[i].item);
        const struct es_machine *earlier;

        if (!keys_repeat(keys, i, &first)) {
            continue;
        }
        earlier = machine_at(resolver, keys->items[first].item);
        resolver->shadowed[keys->items[i].item] = true;
        if (machine->kind != ES_IGNORED || earlier->kind != ES_IGNORED) {
            fault_add(resolver->faults, machine->line,
                      "machine id '%s' is defined twice, first on line %u", machine->id,
                      earlier->line);
        }
    }
}

static void check_names(struct resolver *resolver)
{
    const struct keys *keys = &resolver->folded_names;
    size_t first = 0;

    for (size_t i = 0; i < keys->count; i++) {
        const struct es_machine *machine = machine_at(resolver, keys->items[i].item);
        const struct es_machine *earlier;

        if (!keys_repeat(keys, i, &first)) {
            continue;
        }
        earlier = machine_at(resolver, keys->items[first].item);
        if (strcmp(machine->name, earlier->name) == 0) {
            fault_add(resolver->faults, machine->line,
                      "hostName '%s' is used twice, first on line %u", machine->name,
                      earlier->line);
        } else {
            fault_add(resolver->faults, machine->line,
                      "hostName '%s' differs only in case from '%s' on line %u", machine->name,
                      earlier->name, earlier->line);
        }
    }
}

/* The machines of one kind by name; their indices become known in 'position'. */
static struct keys order(struct resolver *resolver, enum es_kind kind)
{
    size_t count = resolver->document->machines.count;
    struct keys keys = keys_new(resolver->document->scratch, count);

    for (size_t i = 0; i < count; i++) {
        if (machine_at(resolver, i)->kind == kind) {
            keys_add(&keys, machine_at(resolver, i)->name, i);
        }
    }
    keys_sort(&keys);
    for (size_t i = 0; i < keys.count; i++) {
        resolver->position[keys.items[i].item] = (uint32_t)i;
    }
    return keys;
}

static struct desired_host *build_hosts(struct resolver *resolver, struct desired *desired)
{
    struct keys keys = order(resolver, ES_HOST);
    struct desired_host *hosts = ARENA_ARRAY(resolver->arena, struct desired_host, keys.count);

    for (size_t i = 0; i < keys.count; i++) {
        const struct es_machine *machine = machine_at(resolver, keys.items[i].item);

        hosts[i] = (struct desired_host){
            .name = machine->name,
            .id = machine->id,
            .memory_kib = machine->memory_kib,
            .line = machine->line,
        };
    }
    desired->hosts = hosts;
    desired->host_count = keys.count;
    return hosts;
}

/* 'document_index', parallel to the guests, tells which machine each one is. */
static struct desired_guest *build_guests(struct resolver *resolver, struct desired *desired,
                                          const struct key **document_index)
{
    struct keys keys = order(resolver, ES_GUEST);
    struct desired_guest *guests = ARENA_ARRAY(resolver->arena, struct desired_guest, keys.count);

    for (size_t i = 0; i < keys.count; i++) {
        const struct es_machine *machine = machine_at(resolver, keys.items[i].item);

        guests[i] = (struct desired_guest){
            .name = machine->name,
            .id = machine->id,
            .memory_kib = machine->memory_kib,
            .vcpus = machine->vcpus,
            .host = DESIRED_NONE,
            .line = machine->line,
        };
    }
    desired->guests = guests;
    desired->guest_count = keys.count;
    *document_index = keys.items;
    return guests;
}

static void place(struct resolver *resolver, const struct es_machine *host, uint32_t host_index,
                  uint32_t ref_index, struct desired_guest *guests)
{
    const struct es_ref *refs = resolver->document->placements.items;
    const struct es_ref *ref = &refs[ref_index];
    uint32_t found = keys_find(&resolver->machine_ids, ref->id);
    const struct es_machine *machine;
    struct desired_guest *guest;

    if (found == DESIRED_NONE) {
        fault_add(resolver->faults, ref->line,
                  "host '%s' places machine '%s', which is not defined", host->name, ref->id);
        return;
    }
    machine = machine_at(resolver, found);
    if (machine->kind == ES_HOST) {
        fault_add(resolver->faults, ref->line,
                  "host '%s' places '%s', which is a host, not a guest", host->name, machine->name);
    }
    if (machine->kind != ES_GUEST) {
        return;
    }
    guest = &guests[resolver->position[found]];
    if (resolver->placed_by[found] != DESIRED_NONE) {
        fault_add(resolver->faults, ref->line, "guest '%s' is placed twice, first on line %u",
                  machine->name, refs[resolver->placed_by[found]].line);
        return;
    }
    resolver->placed_by[found] = ref_index;
    guest->host = host_index;
}

static void place_guests(struct resolver *resolver, struct desired_guest *guests)
{
    for (size_t i = 0; i < resolver->document->machines.count; i++) {
        const struct es_machine *machine = machine_at(resolver, i);

        if (machine->kind != ES_HOST) {
            continue;
        }
        for (uint32_t k = 0; k < machine->placements.count; k++) {
            place(resolver, machine, resolver->position[i], machine->placements.first + k, guests);
        }
    }
}

/* A guest that shares its id or has none cannot be placed; that fault is already reported. */
static void check_all_placed(struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->document->machines.count; i++) {
        const struct es_machine *machine = machine_at(resolver, i);

        if (machine->kind == ES_GUEST && resolver->placed_by[i] == DESIRED_NONE &&
            !resolver->shadowed[i] && *machine->id != '\0') {
            fault_add(resolver->faults, machine->line, "guest '%s' is placed on no host",
                      machine->name);
        }
    }
}

static const struct es_ref *own_at(const struct es_list *list, size_t i)
{
    const void *item = (const char *)list->items + i * list->size;

    return item;
}

/* The definitions of a list, whose items begin with a struct es_ref, by id. */
static struct keys index_definitions(struct resolver *resolver, const struct es_list *list,
                                     const char *what)
{
    struct keys keys = keys_new(resolver->document->scratch, list->count);
    size_t first = 0;

    for (size_t i = 0; i < list->count; i++) {
        keys_add(&keys, own_at(list, i)->id, i);
    }
    keys_sort(&keys);
    for (size_t i = 0; i < keys.count; i++) {
        if (keys_repeat(&keys, i, &first)) {
            fault_add(resolver->faults, own_at(list, keys.items[i].item)->line,
                      "%s id '%s' is defined twice, first on line %u", what, keys.items[i].text,
                      own_at(list, keys.items[first].item)->line);
        }
    }
    return keys;
}

/* The clusters by name; where one name belongs to several, the id decides.  Returns the index each
 * cluster of the document has among them. */
static uint32_t *build_clusters(struct resolver *resolver, struct desired *desired)
{
    const struct es_cluster *clusters = resolver->document->clusters.items;
    const struct keys *ids = &resolver->cluster_ids;
    size_t count = resolver->document->clusters.count;
    struct keys names = keys_new(resolver->document->scratch, count);
    const char **sorted = ARENA_ARRAY(resolver->arena, const char *, count);
    uint32_t *position = ARENA_ARRAY(resolver->document->scratch, uint32_t, count);

    for (size_t i = 0; i < count; i++) { /* In the order of ids, so that 'item' breaks ties so. */
        const struct es_cluster *cluster = &clusters[ids->items[i].item];

        keys_add(&names, *cluster->name == '\0' ? cluster->own.id : cluster->name, i);
    }
    keys_sort(&names);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = names.items[i].text;
        position[ids->items[names.items[i].item].item] = (uint32_t)i;
    }
    desired->clusters = sorted;
    desired->cluster_count = count;
    return position;
}

/* The volumes by id.  Returns the index each volume of the document has among them. */
static uint32_t *build_volumes(struct resolver *resolver, struct desired *desired)
{
    const struct es_volume *volumes = resolver->document->volumes.items;
    size_t count = resolver->document->volumes.count;
    struct desired_volume *sorted = ARENA_ARRAY(resolver->arena, struct desired_volume, count);
    uint32_t *position = ARENA_ARRAY(resolver->document->scratch, uint32_t, count);

    for (size_t i = 0; i < count; i++) {
        uint32_t item = resolver->volume_ids.items[i].item;

        sorted[i] = (struct desired_volume){
            .id = volumes[item].own.id,
            .name = null_if_empty(volumes[item].name),
            .device = null_if_empty(volumes[item].device),
        };
        position[item] = (uint32_t)i;
    }
    desired->volumes = sorted;
    desired->volume_count = count;
    return position;
}

static int compare_index(const void *a, const void *b)
{
    const uint32_t *left = a;
    const uint32_t *right = b;

    return (*left > *right) - (*left < *right);
}

/* One guest's references to clusters or volumes. */
struct refs {
    const char *what;
    const struct es_ref *items;
    const struct keys *ids;
    const uint32_t *position;
    uint32_t *resolved; /* Room for all guests' together. */
    size_t count;
};

/* Resolves one guest's slice into sorted indices without repetitions; returns how many. */
static uint32_t resolve_slice(struct resolver *resolver, struct refs *refs,
                              const struct es_machine *guest, struct es_slice slice)
{
    uint32_t *own = refs->resolved + refs->count;
    size_t count = 0;
    size_t kept = 0;

    for (size_t i = slice.first; i < slice.first + slice.count; i++) {
        uint32_t found = keys_find(refs->ids, refs->items[i].id);

        if (found == DESIRED_NONE) {
            fault_add(resolver->faults, refs->items[i].line,
                      "guest '%s' refers to %s '%s', which is not defined", guest->name, refs->what,
                      refs->items[i].id);
        } else {
            own[count++] = refs->position[found];
        }
    }
    if (count > 1) {
        qsort(own, count, sizeof(*own), compare_index);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || own[kept - 1] != own[i]) {
            own[kept++] = own[i];
        }
    }
    refs->count += kept;
    return (uint32_t)kept;
}

static void resolve_refs(struct resolver *resolver, struct desired *desired,
                         struct desired_guest *guests, const struct key *document_index)
{
    const struct es_document *document = resolver->document;
    struct refs clusters = {
        .what = "cluster",
        .items = document->cluster_refs.items,
        .ids = &resolver->cluster_ids,
        .position = build_clusters(resolver, desired),
        .resolved = ARENA_ARRAY(resolver->arena, uint32_t, document->cluster_refs.count),
    };
    struct refs volumes = {
        .what = "edvVolume",
        .items = document->volume_refs.items,
        .ids = &resolver->volume_ids,
        .position = build_volumes(resolver, desired),
        .resolved = ARENA_ARRAY(resolver->arena, uint32_t, document->volume_refs.count),
    };

    for (size_t i = 0; i < desired->guest_count; i++) {
        const struct es_machine *machine = machine_at(resolver, document_index[i].item);

        guests[i].first_cluster = (uint32_t)clusters.count;
        guests[i].cluster_count = resolve_slice(resolver, &clusters, machine, machine->clusters);
        guests[i].first_volume = (uint32_t)volumes.count;
        guests[i].volume_count = resolve_slice(resolver, &volumes, machine, machine->volumes);
    }
    desired->cluster_refs = clusters.resolved;
    desired->volume_refs = volumes.resolved;
}

/* The index of everything else that has an id, made only if a rack holds something else. */
static bool is_other(const struct resolver *resolver, struct keys *others, const char *id)
{
    const struct es_list *list = &resolver->document->other_ids;

    if (others->items == NULL) {
        *others = keys_new(resolver->document->scratch, list->count);
        for (size_t i = 0; i < list->count; i++) {
            keys_add(others, own_at(list, i)->id, i);
        }
        keys_sort(others);
    }
    return keys_find(others, id) != DESIRED_NONE;
}

/* A rack holds more than machines (switches, power units); those are known by an id of their own
 * elsewhere in the file.  Of several items for one host the first counts. */
static void resolve_racks(struct resolver *resolver, struct desired_host *hosts)
{
    const struct es_rack_item *items = resolver->document->rack_items.items;
    struct keys others = { 0 };

    for (size_t i = 0; i < resolver->document->rack_items.count; i++) {
        const struct es_ref *ref = &items[i].machine;
        uint32_t found = keys_find(&resolver->machine_ids, ref->id);

        if (found == DESIRED_NONE) {
            if (!is_other(resolver, &others, ref->id)) {
                fault_add(resolver->faults, ref->line,
                          "esRackItem refers to '%s', which is not defined", ref->id);
            }
        } else if (machine_at(resolver, found)->kind == ES_HOST) {
            struct desired_host *host = &hosts[resolver->position[found]];

            if (host->rack_family == NULL) {
                host->rack_family = null_if_empty(items[i].family);
            }
        }
    }
}

/* An action about a guest that is not in the file is somebody else's. */
static void mark_pending(struct resolver *resolver, struct desired_guest *guests)
{
    const struct es_document *document = resolver->document;
    const struct es_action *actions = document->pending_actions.items;

    for (size_t i = 0; i < document->pending_actions.count; i++) {
        uint32_t found =
            keys_find(&resolver->folded_names, fold(document->scratch, actions[i].guest));

        if (found != DESIRED_NONE && machine_at(resolver, found)->kind == ES_GUEST) {
            struct desired_guest *guest = &guests[resolver->position[found]];

            if (guest->pending_action == NULL) {
                guest->pending_action = actions[i].id;
            }
        }
    }
}

struct es_document es_resolve_document(struct arena *scratch)
{
    return (struct es_document){
        .scratch = scratch,
        .machines.size = sizeof(struct es_machine),
        .placements.size = sizeof(struct es_ref),
        .cluster_refs.size = sizeof(struct es_ref),
        .volume_refs.size = sizeof(struct es_ref),
        .clusters.size = sizeof(struct es_cluster),
        .volumes.size = sizeof(struct es_volume),
        .rack_items.size = sizeof(struct es_rack_item),
        .other_ids.size = sizeof(struct es_ref),
        .pending_actions.size = sizeof(struct es_action),
        .machine_layout.size = sizeof(struct es_layout_machine),
        .place_layout.size = sizeof(struct es_layout_place),
    };
}

void *es_resolve_append(struct es_document *document, struct es_list *list)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? LIST_FIRST_CAPACITY : list->capacity * 2;
        void *items = arena_alloc(document->scratch, capacity, list->size);

        if (list->count > 0) {
            memcpy(items, list->items, list->count * list->size);
        }
        list->items = items;
        list->capacity = capacity;
    }
    return (char *)list->items + list->size * list->count++;
}

void es_resolve_desired(struct arena *arena, const struct es_document *document,
                        struct desired *desired, struct faults *faults)
{
    size_t count = document->machines.count;
    struct resolver resolver = {
        .document = document,
        .arena = arena,
        .faults = faults,
        .position = ARENA_ARRAY(document->scratch, uint32_t, count),
        .placed_by = ARENA_ARRAY(document->scratch, uint32_t, count),
        .shadowed = ARENA_ARRAY(document->scratch, bool, count),
    };
    struct desired_host *hosts;
    struct desired_guest *guests;
    const struct key *document_index = NULL;

    memset(resolver.placed_by, 0xff, count * sizeof(*resolver.placed_by)); /* DESIRED_NONE */
    *desired = (struct desired){ 0 };
    index_machines(&resolver);
    check_machine_ids(&resolver);
    check_names(&resolver);
    resolver.cluster_ids = index_definitions(&resolver, &document->clusters, "cluster");
    resolver.volume_ids = index_definitions(&resolver, &document->volumes, "edvVolume");
    hosts = build_hosts(&resolver, desired);
    guests = build_guests(&resolver, desired, &document_index);
    place_guests(&resolver, guests);
    check_all_placed(&resolver);
    resolve_refs(&resolver, desired, guests, document_index);
    resolve_racks(&resolver, hosts);
    mark_pending(&resolver, guests);
}
