/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "actuators/sim_member.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define FORMAT          "berth.sim/1"
#define MEMORY_MAX      (INT64_C(1) << 53)
#define DURATION_MAX    (INT64_C(366) * 24 * 3600 * 1000)
#define MIB_S_MAX       (INT64_C(1) << 30)
#define DOWNTIME_MAX    2000
#define INSTANT_MAX     (INT64_C(1) << 53)
#define PATH_SIZE       96
#define HOSTS_MAX       100000
#define GUESTS_MAX      1000000
#define LIST_MAX        100000 /* Of anything else. */
#define SHORT_LIST_MAX  256
#define DISKS_MAX       64 /* As sim_xml reads back. */
#define NODES_MAX       64
#define DEFAULT_MACHINE "pc-q35-7.2"

#define TABLE(list, fallback)                                               \
    {                                                                       \
        .members = (list), .count = ARRAY_LEN(list), .defaults = (fallback) \
    }
#define TEXT(type, field, what)                                                    \
    {                                                                              \
        .name = #field, .kind = SIM_MEMBER_##what, .offset = offsetof(type, field) \
    }
#define REQUIRED(type, field, what)                                                 \
    {                                                                               \
        .name = #field, .kind = SIM_MEMBER_##what, .offset = offsetof(type, field), \
        .required = true                                                            \
    }
#define WORD(type, field, whose)                                                  \
    {                                                                             \
        .name = #field, .kind = SIM_MEMBER_WORD, .offset = offsetof(type, field), \
        .words = SIM_WORDS_##whose                                                \
    }
#define NUMBER(type, field, least, most)                                            \
    {                                                                               \
        .name = #field, .kind = SIM_MEMBER_NUMBER, .offset = offsetof(type, field), \
        .required = (least) > 0, .min = (least), .max = (most)                      \
    }
#define FLAG(type, field)                                                        \
    {                                                                            \
        .name = #field, .kind = SIM_MEMBER_FLAG, .offset = offsetof(type, field) \
    }
#define OTHER(what, how)                         \
    {                                            \
        .name = (what), .kind = SIM_MEMBER_##how \
    }

static const struct sim_durations default_durations = {
    .migrate_ms = 1000,
    .migrate_ms_per_gib = 100,
    .downtime_ms = 60,
    .stop_ms = 500,
    .start_ms = 300,
    .define_ms = 20,
    .observe_ms = 10,
};

static const char *const no_facts[PLATFORM_FACT_COUNT] = { NULL };

static const struct sim_guest default_guest = {
    .state = GUEST_RUNNING,
    .persistent = true,
    .machine = DEFAULT_MACHINE,
    .cpu_mode = "custom",
};

static const struct sim_host default_host = {
    .numa_nodes = 1,
    .qemu_version = 7002000,
    .libvirt_version = 9000000,
    .arch = "x86_64",
    .cpu_model = "qemu64",
    .cpu_fingerprint = "simulated",
    .lock_manager = "lockd",
};

static const struct sim_migration default_migration = { .persistent = true };
static const struct sim_fault default_fault = { .times = 1 };
static const struct observed_hugepages default_hugepages = { 0 };
static const struct sim_disk default_disk = { .cache = NULL };
static const struct sim_pool default_pool = { .name = NULL };
static const struct sim_state default_state = { .version = 0 };
static const struct sim_volume default_volume = { .identity = NULL };

static const struct sim_member duration_members[] = {
    NUMBER(struct sim_durations, migrate_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, migrate_ms_per_gib, 0, DURATION_MAX),
    NUMBER(struct sim_durations, downtime_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, stop_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, start_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, define_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, observe_ms, 0, DURATION_MAX),
};

static const struct sim_member guest_members[] = {
    REQUIRED(struct sim_guest, name, NAME),
    REQUIRED(struct sim_guest, uuid, UUID),
    WORD(struct sim_guest, state, STATE),
    WORD(struct sim_guest, reason, REASON),
    WORD(struct sim_guest, job, JOB),
    NUMBER(struct sim_guest, memory_kib, 1, MEMORY_MAX),
    NUMBER(struct sim_guest, config_memory_kib, 0, MEMORY_MAX),
    NUMBER(struct sim_guest, vcpus, 1, UINT32_MAX),
    NUMBER(struct sim_guest, dirty_mib_s, 0, MIB_S_MAX),
    FLAG(struct sim_guest, persistent),
    FLAG(struct sim_guest, autostart),
    FLAG(struct sim_guest, exempt),
    FLAG(struct sim_guest, held),
    FLAG(struct sim_guest, deaf),
    FLAG(struct sim_guest, managed_save),
    FLAG(struct sim_guest, has_nvram),
    TEXT(struct sim_guest, nvram, PLAIN),
    FLAG(struct sim_guest, has_tpm),
    FLAG(struct sim_guest, block_job),
    NUMBER(struct sim_guest, snapshots, 0, INT32_MAX),
    NUMBER(struct sim_guest, hostdevs, 0, INT32_MAX),
    NUMBER(struct sim_guest, hugepage_kib, 0, INT32_MAX),
    NUMBER(struct sim_guest, numa_nodes, 0, NODES_MAX),
    TEXT(struct sim_guest, machine, PLAIN),
    TEXT(struct sim_guest, cpu_mode, PLAIN),
    NUMBER(struct sim_guest, stops_ms, 0, INSTANT_MAX),
    OTHER("disks", NESTED),
    OTHER("bridges", NESTED),
    OTHER("interfaces", NESTED),
    OTHER("configs", NESTED),
    OTHER("files", NESTED),
    OTHER("owed_start", PASSED),
};

static const struct sim_member disk_members[] = {
    REQUIRED(struct sim_disk, path, PLAIN),
    REQUIRED(struct sim_disk, identity, PLAIN),
    TEXT(struct sim_disk, cache, PLAIN),
};

static const struct sim_member state_members[] = {
    REQUIRED(struct sim_state, path, PLAIN),
    NUMBER(struct sim_state, version, 0, INSTANT_MAX),
    NUMBER(struct sim_state, aside_ms, 0, INSTANT_MAX),
};

static const struct sim_member volume_members[] = {
    REQUIRED(struct sim_volume, name, PLAIN),
    TEXT(struct sim_volume, identity, PLAIN),
    FLAG(struct sim_volume, shared),
};

static const struct sim_member pool_members[] = {
    REQUIRED(struct sim_pool, name, PLAIN),
    FLAG(struct sim_pool, inactive),
    FLAG(struct sim_pool, stale),
    FLAG(struct sim_pool, different),
};

static const struct sim_member hugepage_members[] = {
    NUMBER(struct observed_hugepages, page_kib, 1, MEMORY_MAX),
    NUMBER(struct observed_hugepages, total, 0, MEMORY_MAX),
    NUMBER(struct observed_hugepages, free, 0, MEMORY_MAX),
};

#define FACT(constant, what)                                 \
    {                                                        \
        .name = (what), .kind = SIM_MEMBER_PROSE,            \
        .offset = sizeof(const char *) * PLATFORM_##constant \
    }

/* Of the array in struct sim_host. */
static const struct sim_member fact_members[PLATFORM_FACT_COUNT] = {
#define PLATFORM_FACT(name, text) FACT(name, text),
    PLATFORM_FACTS
#undef PLATFORM_FACT
};

static const struct sim_member host_members[] = {
    REQUIRED(struct sim_host, name, NAME),
    WORD(struct sim_host, power, POWER),
    FLAG(struct sim_host, dark),
    WORD(struct sim_host, guard, GUARD),
    WORD(struct sim_host, fence, FENCE),
    FLAG(struct sim_host, fenced),
    NUMBER(struct sim_host, fence_ms, 0, INSTANT_MAX),
    NUMBER(struct sim_host, memory_kib, 1, MEMORY_MAX),
    NUMBER(struct sim_host, cpus, 1, UINT32_MAX),
    NUMBER(struct sim_host, numa_nodes, 0, NODES_MAX),
    NUMBER(struct sim_host, qemu_version, 0, INT32_MAX),
    NUMBER(struct sim_host, libvirt_version, 0, INT32_MAX),
    TEXT(struct sim_host, hostname, NAME),
    TEXT(struct sim_host, arch, PLAIN),
    TEXT(struct sim_host, cpu_model, PLAIN),
    TEXT(struct sim_host, cpu_fingerprint, PLAIN),
    TEXT(struct sim_host, lock_manager, PLAIN),
    NUMBER(struct sim_host, clock_ms, -DURATION_MAX, DURATION_MAX),
    FLAG(struct sim_host, hidden),
    FLAG(struct sim_host, walled),
    OTHER("machines", NESTED),
    OTHER("bridges", NESTED),
    OTHER("interfaces", NESTED),
    OTHER("offers", NESTED),
    OTHER("configs", NESTED),
    OTHER("decoys", NESTED),
    OTHER("hugepages", NESTED),
    OTHER("storage", NESTED),
    OTHER("pools", NESTED),
    OTHER("states", NESTED),
    OTHER("facts", NESTED),
    OTHER("guests", NESTED),
    OTHER("reachable", PASSED),
    OTHER("as_of", PASSED),
    OTHER("error", PASSED),
    OTHER("free_kib", PASSED),
};

static const struct sim_member migration_members[] = {
    { .name = "guest",
      .kind = SIM_MEMBER_UUID,
      .offset = offsetof(struct sim_migration, uuid),
      .required = true },
    REQUIRED(struct sim_migration, from, NAME),
    REQUIRED(struct sim_migration, to, NAME),
    NUMBER(struct sim_migration, begun_ms, 0, INSTANT_MAX),
    NUMBER(struct sim_migration, duration_ms, 0, DURATION_MAX),
    NUMBER(struct sim_migration, pass_ms, 0, DURATION_MAX),
    NUMBER(struct sim_migration, written_mib_s, 0, MIB_S_MAX),
    NUMBER(struct sim_migration, max_downtime_ms, 0, DOWNTIME_MAX),
    FLAG(struct sim_migration, auto_converge),
    FLAG(struct sim_migration, postcopy),
    FLAG(struct sim_migration, postcopy_first),
    FLAG(struct sim_migration, endless),
    FLAG(struct sim_migration, persistent),
    FLAG(struct sim_migration, stalled),
    FLAG(struct sim_migration, cancelled),
};

static const struct sim_member fault_members[] = {
    { .name = "op",
      .kind = SIM_MEMBER_WORD,
      .offset = offsetof(struct sim_fault, op),
      .required = true,
      .words = SIM_WORDS_OP },
    TEXT(struct sim_fault, guest, NAME),
    TEXT(struct sim_fault, host, NAME),
    WORD(struct sim_fault, error, ERROR),
    TEXT(struct sim_fault, text, PROSE),
    WORD(struct sim_fault, when, WHEN),
    { .name = "times",
      .kind = SIM_MEMBER_NUMBER,
      .offset = offsetof(struct sim_fault, times),
      .min = 1,
      .max = INT32_MAX },
    NUMBER(struct sim_fault, delay_ms, 0, DURATION_MAX),
};

static const struct sim_member fleet_members[] = {
    { .name = "format", .kind = SIM_MEMBER_NESTED, .required = true },
    OTHER("durations", NESTED),
    OTHER("faults", NESTED),
    OTHER("migrations", NESTED),
    OTHER("volumes", NESTED),
    OTHER("hosts", NESTED),
};

static const struct sim_table durations_table = TABLE(duration_members, &default_durations);
static const struct sim_table guest_table = TABLE(guest_members, &default_guest);
static const struct sim_table disk_table = TABLE(disk_members, &default_disk);
static const struct sim_table pool_table = TABLE(pool_members, &default_pool);
static const struct sim_table state_table = TABLE(state_members, &default_state);
static const struct sim_table volume_table = TABLE(volume_members, &default_volume);
static const struct sim_table hugepage_table = TABLE(hugepage_members, &default_hugepages);
static const struct sim_table fact_table = TABLE(fact_members, no_facts);
static const struct sim_table host_table = TABLE(host_members, &default_host);
static const struct sim_table migration_table = TABLE(migration_members, &default_migration);
static const struct sim_table fault_table = TABLE(fault_members, &default_fault);
static const struct sim_table fleet_table = TABLE(fleet_members, NULL);

/* Number of items of the array 'name' in 'json'; none if it is absent. */
static int list_size(json_t *json, const char *name, size_t max, const char *where, size_t *count,
                     struct err *err)
{
    json_t *list = json_object_get(json, name);

    if (list != NULL && !json_is_array(list)) {
        return err_set(err, ERR_INVALID, "%s.%s: must be an array", where, name);
    }
    if (json_array_size(list) > max) {
        return err_set(err, ERR_INVALID, "%s.%s: has more than %zu items", where, name, max);
    }
    *count = json_array_size(list);
    return 0;
}

/* Reads the array 'name' of objects of 'size' bytes that 'table' describes. */
static int read_list(struct arena *arena, json_t *json, const char *name, size_t max,
                     const struct sim_table *table, size_t size, const char *where, void **items,
                     size_t *count, struct err *err)
{
    char *objects;

    if (list_size(json, name, max, where, count, err) != 0) {
        return -1;
    }
    objects = arena_alloc(arena, *count, size);
    for (size_t i = 0; i < *count; i++) {
        char path[PATH_SIZE];
        char *object = objects + i * size;

        (void)snprintf(path, sizeof(path), "%s.%s[%zu]", where, name, i);
        if (table->defaults != NULL) {
            memcpy(object, table->defaults, size);
        }
        if (sim_member_read(arena, json_array_get(json_object_get(json, name), i), table, path,
                            object, err) != 0) {
            return -1;
        }
    }
    *items = objects;
    return 0;
}

static int compare_disks(const void *a, const void *b)
{
    return strcmp(((const struct sim_disk *)a)->path, ((const struct sim_disk *)b)->path);
}

static int compare_hosts(const void *a, const void *b)
{
    return strcmp(((const struct sim_host *)a)->name, ((const struct sim_host *)b)->name);
}

static int compare_guests(const void *a, const void *b)
{
    const struct sim_guest *left = a;
    const struct sim_guest *right = b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : strcmp(left->uuid, right->uuid);
}

static int read_storage(struct arena *arena, json_t *json, const char *where, struct sim_host *host,
                        struct err *err)
{
    json_t *storage = json_object_get(json, "storage");
    struct sim_disk *disks;
    const char *path;
    json_t *identity;

    if (storage == NULL) {
        return 0;
    }
    if (!json_is_object(storage) || json_object_size(storage) > LIST_MAX) {
        return err_set(err, ERR_INVALID, "%s.storage: must be an object of at most %d paths", where,
                       LIST_MAX);
    }
    disks = ARENA_ARRAY(arena, struct sim_disk, json_object_size(storage));
    json_object_foreach(storage, path, identity)
    {
        const char *s = json_string_value(identity);

        if (!sim_member_is_plain(path) || s == NULL || !sim_member_is_plain(s)) {
            return err_set(err, ERR_INVALID, "%s.storage: path and identity must be %s", where,
                           sim_member_plain_rule());
        }
        disks[host->storage_count].path = arena_strdup(arena, path);
        disks[host->storage_count++].identity = arena_strdup(arena, s);
    }
    qsort(disks, host->storage_count, sizeof(*disks), compare_disks);
    host->storage = disks;
    return 0;
}

static int read_storage_pools(struct arena *arena, json_t *json, const char *where,
                              struct sim_host *host, struct err *err)
{
    void *pools = NULL;
    int status = read_list(arena, json, "pools", SHORT_LIST_MAX, &pool_table,
                           sizeof(struct sim_pool), where, &pools, &host->pool_count, err);

    host->pools = pools;
    return status;
}

/* Reads the array 'name' of texts, sorted; 'fallback' alone if it is absent, or nothing. */
static int read_names(struct arena *arena, json_t *json, const char *name, const char *fallback,
                      const char *where, struct sim_names *names, struct err *err)
{
    json_t *list = json_object_get(json, name);
    const char **items;

    if (list_size(json, name, SHORT_LIST_MAX, where, &names->count, err) != 0) {
        return -1;
    }
    items = ARENA_ARRAY(arena, const char *, names->count + 1);
    for (size_t i = 0; i < names->count; i++) {
        const char *s = json_string_value(json_array_get(list, i));

        if (s == NULL || !sim_member_is_plain(s)) {
            return err_set(err, ERR_INVALID, "%s.%s[%zu]: must be %s", where, name, i,
                           sim_member_plain_rule());
        }
        items[i] = arena_strdup(arena, s);
    }
    if (list == NULL && fallback != NULL) {
        items[names->count++] = fallback;
    }
    text_sort(items, names->count, sizeof(*items));
    names->items = items;
    return 0;
}

/* libvirt knows a domain of a host by its name and by its UUID: neither may be there twice. */
static int check_guests(struct arena *arena, const struct sim_host *host, const char *where,
                        struct err *err)
{
    const char **uuids = ARENA_ARRAY(arena, const char *, host->guest_count);

    for (size_t i = 0; i < host->guest_count; i++) {
        uuids[i] = host->guests[i].uuid;
        if (i > 0 && strcmp(host->guests[i].name, host->guests[i - 1].name) == 0) {
            return err_set(err, ERR_INVALID, "%s.guests: '%s' is there twice", where,
                           host->guests[i].name);
        }
    }
    text_sort(uuids, host->guest_count, sizeof(*uuids));
    for (size_t i = 1; i < host->guest_count; i++) {
        if (strcmp(uuids[i], uuids[i - 1]) == 0) {
            return err_set(err, ERR_INVALID, "%s.guests: UUID '%s' is there twice", where,
                           uuids[i]);
        }
    }
    return 0;
}

static int read_guests(struct arena *arena, json_t *json, const char *where, struct sim_host *host,
                       struct err *err)
{
    void *items = NULL;

    if (read_list(arena, json, "guests", GUESTS_MAX, &guest_table, sizeof(struct sim_guest), where,
                  &items, &host->guest_count, err) != 0) {
        return -1;
    }
    host->guests = items;
    host->guest_room = host->guest_count;
    for (size_t i = 0; i < host->guest_count; i++) {
        json_t *guest = json_array_get(json_object_get(json, "guests"), i);
        char path[PATH_SIZE + 32]; /* Within 'where', which has PATH_SIZE. */
        void *disks = NULL;

        (void)snprintf(path, sizeof(path), "%s.guests[%zu]", where, i);
        if (read_list(arena, guest, "disks", DISKS_MAX, &disk_table, sizeof(struct sim_disk), path,
                      &disks, &host->guests[i].disk_count, err) != 0 ||
            read_names(arena, guest, "bridges", NULL, path, &host->guests[i].bridges, err) != 0 ||
            read_names(arena, guest, "interfaces", NULL, path, &host->guests[i].interfaces, err) !=
                0 ||
            read_names(arena, guest, "configs", NULL, path, &host->guests[i].configs, err) != 0 ||
            read_names(arena, guest, "files", NULL, path, &host->guests[i].files, err) != 0) {
            return -1;
        }
        host->guests[i].disks = disks;
        if (host->guests[i].hugepage_kib > 0 &&
            !observed_is_hugepage_size(host->guests[i].hugepage_kib)) {
            return err_set(err, ERR_INVALID, "%s.hugepage_kib: must be a size of huge pages", path);
        }
        if (!host->guests[i].persistent && host->guests[i].state == GUEST_SHUTOFF) {
            return err_set(err, ERR_INVALID, "%s: a transient guest cannot be shut off", path);
        }
        /* Migrations are told by 'migrations' alone, so that the two cannot contradict. */
        if (host->guests[i].job != GUEST_JOB_OTHER) {
            host->guests[i].job = GUEST_JOB_NONE;
        }
    }
    if (host->guest_count > 0) {
        qsort(host->guests, host->guest_count, sizeof(*host->guests), compare_guests);
    }
    return check_guests(arena, host, where, err);
}

static int read_pools(struct arena *arena, json_t *json, const char *where, struct sim_host *host,
                      struct err *err)
{
    struct observed_hugepages *pools;
    void *items = NULL;

    if (read_list(arena, json, "hugepages", SHORT_LIST_MAX, &hugepage_table, sizeof(*pools), where,
                  &items, &host->hugepage_count, err) != 0) {
        return -1;
    }
    pools = items;
    host->hugepages = pools;
    for (size_t i = 0; i < host->hugepage_count; i++) {
        if (!observed_is_hugepage_size(pools[i].page_kib) ||
            pools[i].total > (uint64_t)MEMORY_MAX / pools[i].page_kib ||
            observed_find_hugepages(host->hugepages, host->hugepage_count, pools[i].page_kib) !=
                &pools[i]) {
            return err_set(err, ERR_INVALID,
                           "%s.hugepages[%zu]: must be pages of a size of their own, within a "
                           "host's memory",
                           where, i);
        }
    }
    observed_sort_hugepages(pools, host->hugepage_count);
    return 0;
}

static int read_facts(struct arena *arena, json_t *json, const char *where, struct sim_host *host,
                      struct err *err)
{
    json_t *facts = json_object_get(json, "facts");
    char path[PATH_SIZE + 32]; /* Within 'where', which has PATH_SIZE. */

    (void)snprintf(path, sizeof(path), "%s.facts", where);
    return facts == NULL ? 0 : sim_member_read(arena, facts, &fact_table, path, host->facts, err);
}

static int read_states(struct arena *arena, json_t *json, const char *where, struct sim_host *host,
                       struct err *err)
{
    void *items = NULL;

    if (read_list(arena, json, "states", DISKS_MAX, &state_table, sizeof(struct sim_state), where,
                  &items, &host->state_count, err) != 0) {
        return -1;
    }
    host->states = items;
    return 0;
}

static int read_host(struct arena *arena, json_t *json, size_t index, struct sim_host *host,
                     struct err *err)
{
    char where[PATH_SIZE];

    (void)snprintf(where, sizeof(where), "hosts[%zu]", index);
    *host = default_host;
    return sim_member_read(arena, json, &host_table, where, host, err) == 0 &&
                   read_pools(arena, json, where, host, err) == 0 &&
                   read_storage(arena, json, where, host, err) == 0 &&
                   read_storage_pools(arena, json, where, host, err) == 0 &&
                   read_states(arena, json, where, host, err) == 0 &&
                   read_facts(arena, json, where, host, err) == 0 &&
                   read_names(arena, json, "machines", DEFAULT_MACHINE, where, &host->machines,
                              err) == 0 &&
                   read_names(arena, json, "bridges", NULL, where, &host->bridges, err) == 0 &&
                   read_names(arena, json, "interfaces", NULL, where, &host->interfaces, err) ==
                       0 &&
                   read_names(arena, json, "offers", NULL, where, &host->offers, err) == 0 &&
                   read_names(arena, json, "configs", NULL, where, &host->configs, err) == 0 &&
                   read_names(arena, json, "decoys", NULL, where, &host->decoys, err) == 0 &&
                   read_guests(arena, json, where, host, err) == 0
               ? 0
               : -1;
}

static int read_hosts(struct arena *arena, json_t *json, struct sim_fleet *fleet, struct err *err)
{
    if (list_size(json, "hosts", HOSTS_MAX, "fleet", &fleet->host_count, err) != 0) {
        return -1;
    }
    fleet->hosts = ARENA_ARRAY(arena, struct sim_host, fleet->host_count);
    for (size_t i = 0; i < fleet->host_count; i++) {
        json_t *host = json_array_get(json_object_get(json, "hosts"), i);

        if (read_host(arena, host, i, &fleet->hosts[i], err) != 0) {
            return -1;
        }
    }
    qsort(fleet->hosts, fleet->host_count, sizeof(*fleet->hosts), compare_hosts);
    for (size_t i = 1; i < fleet->host_count; i++) {
        if (strcmp(fleet->hosts[i].name, fleet->hosts[i - 1].name) == 0) {
            return err_set(err, ERR_INVALID, "hosts: '%s' is there twice", fleet->hosts[i].name);
        }
    }
    return 0;
}

static int check_migrations(const struct sim_fleet *fleet, struct err *err)
{
    for (size_t i = 0; i < fleet->migration_count; i++) {
        const struct sim_migration *migration = &fleet->migrations[i];

        if (sim_fleet_find_host(fleet, migration->from) == NULL ||
            sim_fleet_find_host(fleet, migration->to) == NULL ||
            strcmp(migration->from, migration->to) == 0) {
            return err_set(err, ERR_INVALID, "migrations[%zu]: must lead from one host to another",
                           i);
        }
    }
    return 0;
}

static int read_fleet(struct arena *arena, json_t *json, struct sim_fleet *fleet, struct err *err)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    json_t *durations = json_object_get(json, "durations");
    void *migrations = NULL;
    void *faults = NULL;
    void *volumes = NULL;

    if (sim_member_read(arena, json, &fleet_table, "fleet", fleet, err) != 0) {
        return -1;
    }
    if (!text_equal(format, FORMAT)) {
        return err_set(err, ERR_INVALID, "fleet.format: must be '" FORMAT "'");
    }
    if (durations != NULL && sim_member_read(arena, durations, &durations_table, "durations",
                                             &fleet->durations, err) != 0) {
        return -1;
    }
    if (read_hosts(arena, json, fleet, err) != 0 ||
        read_list(arena, json, "migrations", LIST_MAX, &migration_table,
                  sizeof(struct sim_migration), "fleet", &migrations, &fleet->migration_count,
                  err) != 0 ||
        read_list(arena, json, "faults", LIST_MAX, &fault_table, sizeof(struct sim_fault), "fleet",
                  &faults, &fleet->fault_count, err) != 0 ||
        read_list(arena, json, "volumes", LIST_MAX, &volume_table, sizeof(struct sim_volume),
                  "fleet", &volumes, &fleet->volume_count, err) != 0) {
        return -1;
    }
    fleet->volumes = volumes;
    fleet->migrations = migrations;
    fleet->migration_room = fleet->migration_count;
    fleet->faults = faults;
    return check_migrations(fleet, err);
}

int sim_json_read(struct arena *arena, const char *bytes, size_t length, struct sim_fleet *fleet,
                  struct err *err)
{
    struct sim_fleet read = { .arena = arena, .durations = default_durations };
    json_error_t error;
    json_t *json;
    int status;

    if (length > SIM_JSON_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "larger than %zu MiB", SIM_JSON_MAX_BYTES / 1024 / 1024);
    }
    json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        return err_set(err, ERR_INVALID, "line %d: %s", error.line, error.text);
    }
    status = read_fleet(arena, json, &read, err);
    json_decref(json);
    if (status == 0) {
        *fleet = read;
    }
    return status;
}

static void write_list(struct text *text, const char *name, const struct sim_table *table,
                       const void *items, size_t size, size_t count)
{
    text_printf(text, ",\n \"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        text_append(text, i == 0 ? "\n  " : ",\n  ");
        sim_member_write(text, table, (const char *)items + i * size);
        text_append(text, "}");
    }
    text_append(text, "]");
}

static void write_names(struct text *text, const char *name, const struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (i == 0) {
            text_printf(text, ",\"%s\":[", name);
        } else {
            text_append(text, ",");
        }
        sim_member_write_string(text, names->items[i]);
    }
    text_append(text, names->count > 0 ? "]" : "");
}

static void write_guest(struct text *text, const struct sim_guest *guest)
{
    sim_member_write(text, &guest_table, guest);
    for (size_t i = 0; i < guest->disk_count; i++) {
        text_append(text, i == 0 ? ",\"disks\":[" : ",");
        sim_member_write(text, &disk_table, &guest->disks[i]);
        text_append(text, "}");
    }
    text_append(text, guest->disk_count > 0 ? "]" : "");
    write_names(text, "bridges", &guest->bridges);
    write_names(text, "interfaces", &guest->interfaces);
    write_names(text, "configs", &guest->configs);
    write_names(text, "files", &guest->files);
    text_append(text, "}");
}

static void write_facts(struct text *text, const struct sim_host *host)
{
    for (size_t i = 0; i < PLATFORM_FACT_COUNT; i++) {
        if (host->facts[i] != NULL) {
            text_append(text, ",\"facts\":");
            sim_member_write(text, &fact_table, host->facts);
            text_append(text, "}");
            return;
        }
    }
}

static void write_hardware(struct text *text, const struct sim_host *host)
{
    text_append(text, host->machines.count == 0 ? ",\"machines\":[]" : "");
    write_names(text, "machines", &host->machines);
    write_names(text, "bridges", &host->bridges);
    write_names(text, "interfaces", &host->interfaces);
    write_names(text, "offers", &host->offers);
    write_names(text, "configs", &host->configs);
    write_names(text, "decoys", &host->decoys);
    for (size_t i = 0; i < host->hugepage_count; i++) {
        text_append(text, i == 0 ? ",\"hugepages\":[" : ",");
        sim_member_write(text, &hugepage_table, &host->hugepages[i]);
        text_append(text, i + 1 == host->hugepage_count ? "}]" : "}");
    }
    for (size_t i = 0; i < host->storage_count; i++) {
        text_append(text, i == 0 ? ",\"storage\":{" : ",");
        sim_member_write_string(text, host->storage[i].path);
        text_append(text, ":");
        sim_member_write_string(text, host->storage[i].identity);
        text_append(text, i + 1 == host->storage_count ? "}" : "");
    }
    if (host->pool_count > 0) {
        write_list(text, "pools", &pool_table, host->pools, sizeof(*host->pools), host->pool_count);
    }
    for (size_t i = 0; i < host->state_count; i++) {
        text_append(text, i == 0 ? ",\"states\":[" : ",");
        sim_member_write(text, &state_table, &host->states[i]);
        text_append(text, i + 1 == host->state_count ? "}]" : "}");
    }
    write_facts(text, host);
}

static void write_host(struct text *text, const struct sim_host *host)
{
    sim_member_write(text, &host_table, host);
    write_hardware(text, host);
    text_append(text, ",\"guests\":[");
    for (size_t i = 0; i < host->guest_count; i++) {
        text_append(text, i == 0 ? "\n   " : ",\n   ");
        write_guest(text, &host->guests[i]);
    }
    text_append(text, "]}");
}

void sim_json_write(struct text *text, const struct sim_fleet *fleet)
{
    text_append(text, "{\"format\":\"" FORMAT "\",\n \"durations\":");
    sim_member_write(text, &durations_table, &fleet->durations);
    text_append(text, "}");
    write_list(text, "faults", &fault_table, fleet->faults, sizeof(*fleet->faults),
               fleet->fault_count);
    write_list(text, "migrations", &migration_table, fleet->migrations, sizeof(*fleet->migrations),
               fleet->migration_count);
    if (fleet->volume_count > 0) {
        write_list(text, "volumes", &volume_table, fleet->volumes, sizeof(*fleet->volumes),
                   fleet->volume_count);
    }
    text_append(text, ",\n \"hosts\":[");
    for (size_t i = 0; i < fleet->host_count; i++) {
        text_append(text, i == 0 ? "\n  " : ",\n  ");
        write_host(text, &fleet->hosts[i]);
    }
    text_append(text, "]}\n");
}
