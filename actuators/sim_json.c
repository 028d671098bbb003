/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define FORMAT          "berth.sim/1"
#define PLAIN_MAX       1024
#define MEMORY_MAX      (INT64_C(1) << 53)
#define DURATION_MAX    (INT64_C(366) * 24 * 3600 * 1000)
#define INSTANT_MAX     (INT64_C(1) << 53)
#define PATH_SIZE       96
#define HOSTS_MAX       100000
#define GUESTS_MAX      1000000
#define LIST_MAX        100000 /* Of anything else. */
#define SHORT_LIST_MAX  256
#define DISKS_MAX       64 /* As sim_xml reads back. */
#define DEFAULT_MACHINE "pc-q35-7.2"

enum kind {
    KIND_NAME,
    KIND_UUID,
    KIND_PLAIN,
    KIND_PROSE,
    KIND_NUMBER,
    KIND_FLAG,
    KIND_STATE,
    KIND_REASON,
    KIND_JOB,
    KIND_POWER,
    KIND_WHEN,
    KIND_CODE,
    KIND_OP,
    KIND_LIST,   /* Read and written by a function of its own. */
    KIND_PASSED, /* A member of an observation that says nothing about a simulated fleet. */
};

struct member {
    const char *name;
    enum kind kind;
    size_t offset;
    bool required;
    int64_t min;
    int64_t max;
};

struct table {
    const struct member *members;
    size_t count;
    const void *defaults;
};

#define TABLE(list, fallback)                                               \
    {                                                                       \
        .members = (list), .count = ARRAY_LEN(list), .defaults = (fallback) \
    }
#define TEXT(type, field, kind)                                 \
    {                                                           \
#field, KIND_##kind, offsetof(type, field), false, 0, 0 \
    }
#define REQUIRED(type, field, kind)                            \
    {                                                          \
#field, KIND_##kind, offsetof(type, field), true, 0, 0 \
    }
#define NUMBER(type, field, min, max)                                      \
    {                                                                      \
#field, KIND_NUMBER, offsetof(type, field), (min)> 0, (min), (max) \
    }
#define FLAG(type, field)                                     \
    {                                                         \
#field, KIND_FLAG, offsetof(type, field), false, 0, 0 \
    }
#define OTHER(name, kind)                 \
    {                                     \
        name, KIND_##kind, 0, false, 0, 0 \
    }

static const char *const power_names[SIM_POWER_COUNT] = {
    [SIM_POWER_ON] = "on",
    [SIM_POWER_OFF] = "off",
    [SIM_POWER_FROZEN] = "frozen",
};

static const char *const when_names[SIM_WHEN_COUNT] = {
    [SIM_WHEN_BEFORE] = "before", [SIM_WHEN_MIDDLE] = "middle", [SIM_WHEN_LOST] = "lost",
    [SIM_WHEN_AFTER] = "after",   [SIM_WHEN_HANG] = "hang",
};

static const struct sim_durations default_durations = {
    .migrate_ms = 1000,
    .migrate_ms_per_gib = 100,
    .downtime_ms = 60,
    .stop_ms = 500,
    .start_ms = 300,
    .define_ms = 20,
    .observe_ms = 10,
};

static const struct sim_guest default_guest = {
    .state = GUEST_RUNNING,
    .persistent = true,
    .machine = DEFAULT_MACHINE,
    .cpu_mode = "custom",
};

static const struct sim_host default_host = {
    .qemu_version = 7002000,
    .libvirt_version = 9000000,
    .arch = "x86_64",
    .cpu_model = "qemu64",
    .cpu_fingerprint = "simulated",
};

static const struct sim_migration default_migration = { .persistent = true };
static const struct sim_fault default_fault = { .times = 1 };
static const struct observed_hugepages default_hugepages = { 0 };

static const struct member duration_members[] = {
    NUMBER(struct sim_durations, migrate_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, migrate_ms_per_gib, 0, DURATION_MAX),
    NUMBER(struct sim_durations, downtime_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, stop_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, start_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, define_ms, 0, DURATION_MAX),
    NUMBER(struct sim_durations, observe_ms, 0, DURATION_MAX),
};

static const struct member guest_members[] = {
    REQUIRED(struct sim_guest, name, NAME),
    REQUIRED(struct sim_guest, uuid, UUID),
    TEXT(struct sim_guest, state, STATE),
    TEXT(struct sim_guest, reason, REASON),
    TEXT(struct sim_guest, job, JOB),
    NUMBER(struct sim_guest, memory_kib, 1, MEMORY_MAX),
    NUMBER(struct sim_guest, config_memory_kib, 0, MEMORY_MAX),
    NUMBER(struct sim_guest, vcpus, 1, UINT32_MAX),
    FLAG(struct sim_guest, persistent),
    FLAG(struct sim_guest, autostart),
    FLAG(struct sim_guest, deaf),
    FLAG(struct sim_guest, managed_save),
    FLAG(struct sim_guest, has_nvram),
    FLAG(struct sim_guest, has_tpm),
    NUMBER(struct sim_guest, snapshots, 0, INT32_MAX),
    NUMBER(struct sim_guest, hostdevs, 0, INT32_MAX),
    TEXT(struct sim_guest, machine, PLAIN),
    TEXT(struct sim_guest, cpu_mode, PLAIN),
    NUMBER(struct sim_guest, stops_ms, 0, INSTANT_MAX),
    OTHER("disks", LIST),
    OTHER("owed_start", PASSED),
};

static const struct member disk_members[] = {
    REQUIRED(struct sim_disk, path, PLAIN),
    REQUIRED(struct sim_disk, identity, PLAIN),
};

static const struct member hugepage_members[] = {
    NUMBER(struct observed_hugepages, page_kib, 1, MEMORY_MAX),
    NUMBER(struct observed_hugepages, total, 0, MEMORY_MAX),
    NUMBER(struct observed_hugepages, free, 0, MEMORY_MAX),
};

static const struct member host_members[] = {
    REQUIRED(struct sim_host, name, NAME),
    TEXT(struct sim_host, power, POWER),
    FLAG(struct sim_host, dark),
    NUMBER(struct sim_host, memory_kib, 1, MEMORY_MAX),
    NUMBER(struct sim_host, cpus, 1, UINT32_MAX),
    NUMBER(struct sim_host, qemu_version, 0, INT32_MAX),
    NUMBER(struct sim_host, libvirt_version, 0, INT32_MAX),
    TEXT(struct sim_host, hostname, NAME),
    TEXT(struct sim_host, arch, PLAIN),
    TEXT(struct sim_host, cpu_model, PLAIN),
    TEXT(struct sim_host, cpu_fingerprint, PLAIN),
    OTHER("machines", LIST),
    OTHER("hugepages", LIST),
    OTHER("storage", LIST),
    OTHER("guests", LIST),
    OTHER("reachable", PASSED),
    OTHER("as_of", PASSED),
    OTHER("error", PASSED),
    OTHER("free_kib", PASSED),
};

static const struct member migration_members[] = {
    { "guest", KIND_UUID, offsetof(struct sim_migration, uuid), true, 0, 0 },
    REQUIRED(struct sim_migration, from, NAME),
    REQUIRED(struct sim_migration, to, NAME),
    NUMBER(struct sim_migration, begun_ms, 0, INSTANT_MAX),
    NUMBER(struct sim_migration, duration_ms, 0, DURATION_MAX),
    FLAG(struct sim_migration, persistent),
    FLAG(struct sim_migration, stalled),
    FLAG(struct sim_migration, cancelled),
};

static const struct member fault_members[] = {
    REQUIRED(struct sim_fault, op, OP),
    TEXT(struct sim_fault, guest, NAME),
    TEXT(struct sim_fault, host, NAME),
    TEXT(struct sim_fault, error, CODE),
    TEXT(struct sim_fault, text, PROSE),
    TEXT(struct sim_fault, when, WHEN),
    { "times", KIND_NUMBER, offsetof(struct sim_fault, times), false, 1, INT32_MAX },
    NUMBER(struct sim_fault, delay_ms, 0, DURATION_MAX),
};

static const struct member fleet_members[] = {
    { "format", KIND_LIST, 0, true, 0, 0 },
    OTHER("durations", LIST),
    OTHER("faults", LIST),
    OTHER("migrations", LIST),
    OTHER("hosts", LIST),
};

static const struct table durations_table = TABLE(duration_members, &default_durations);
static const struct table guest_table = TABLE(guest_members, &default_guest);
static const struct table disk_table = TABLE(disk_members, NULL);
static const struct table hugepage_table = TABLE(hugepage_members, &default_hugepages);
static const struct table host_table = TABLE(host_members, &default_host);
static const struct table migration_table = TABLE(migration_members, &default_migration);
static const struct table fault_table = TABLE(fault_members, &default_fault);
static const struct table fleet_table = TABLE(fleet_members, NULL);

bool sim_json_is_plain(const char *s)
{
    size_t length = strnlen(s, PLAIN_MAX + 1);

    for (size_t i = 0; i < length; i++) {
        if (s[i] <= ' ' || s[i] > '~' || strchr("<>&'\"", s[i]) != NULL) {
            return false;
        }
    }
    return length >= 1 && length <= PLAIN_MAX;
}

/* ERR_CODE_COUNT for no such name: err_code_from_name() falls back to a real code. */
static enum err_code code_from_name(const char *name)
{
    enum err_code code = err_code_from_name(name);

    return strcmp(err_code_name(code), name) == 0 ? code : ERR_CODE_COUNT;
}

static bool op_from_name(const char *name, unsigned *op)
{
    *op = op_kind_from_name(name);
    return *op < OP_KIND_COUNT || strcmp(name, "observe") == 0;
}

/* Reads the name of an enumeration's value; false if there is none of that name. */
static bool read_enum(enum kind kind, const char *name, unsigned *value)
{
    switch (kind) {
    case KIND_STATE:
        return (*value = observed_state_from_name(name)) < GUEST_STATE_COUNT;
    case KIND_REASON:
        return (*value = observed_reason_from_name(name)) < GUEST_REASON_COUNT;
    case KIND_JOB:
        return (*value = observed_job_from_name(name)) < GUEST_JOB_COUNT;
    case KIND_POWER:
        return (*value = (unsigned)text_index(power_names, SIM_POWER_COUNT, name)) <
               SIM_POWER_COUNT;
    case KIND_WHEN:
        return (*value = (unsigned)text_index(when_names, SIM_WHEN_COUNT, name)) < SIM_WHEN_COUNT;
    case KIND_CODE:
        return (*value = code_from_name(name)) < ERR_CODE_COUNT;
    case KIND_OP:
        return op_from_name(name, value);
    case KIND_NAME:
    case KIND_UUID:
    case KIND_PLAIN:
    case KIND_PROSE:
    case KIND_NUMBER:
    case KIND_FLAG:
    case KIND_LIST:
    case KIND_PASSED:
        break;
    }
    return false;
}

static const char *enum_name(enum kind kind, unsigned value)
{
    switch (kind) {
    case KIND_STATE:
        return observed_state_name(value);
    case KIND_REASON:
        return observed_reason_name(value);
    case KIND_JOB:
        return observed_job_name(value);
    case KIND_POWER:
        return power_names[value];
    case KIND_WHEN:
        return when_names[value];
    case KIND_CODE:
        return err_code_name(value);
    case KIND_OP:
        return value == OP_KIND_COUNT ? "observe" : op_kind_name(value);
    case KIND_NAME:
    case KIND_UUID:
    case KIND_PLAIN:
    case KIND_PROSE:
    case KIND_NUMBER:
    case KIND_FLAG:
    case KIND_LIST:
    case KIND_PASSED:
        break;
    }
    return "";
}

/* What a member of 'kind' must be, for the sentence that refuses it. */
static const char *kind_wants(enum kind kind)
{
    switch (kind) {
    case KIND_NAME:
        return "a host name";
    case KIND_UUID:
        return "a UUID";
    case KIND_PLAIN:
        return "1 to 1024 printable characters without quotes and <>&";
    case KIND_PROSE:
        return "a sentence of less than 256 bytes";
    case KIND_NUMBER:
        return "a whole number within its range";
    case KIND_FLAG:
        return "true or false";
    case KIND_STATE:
    case KIND_REASON:
    case KIND_JOB:
    case KIND_POWER:
    case KIND_WHEN:
    case KIND_CODE:
    case KIND_OP:
        return "one of the names in docs/simulation.md";
    case KIND_LIST:
    case KIND_PASSED:
        break;
    }
    return "something else";
}

static bool text_fits(enum kind kind, const char *s)
{
    return kind == KIND_NAME    ? text_is_host_name(s)
           : kind == KIND_UUID  ? text_is_uuid(s)
           : kind == KIND_PLAIN ? sim_json_is_plain(s)
                                : strnlen(s, ERR_TEXT_SIZE) < ERR_TEXT_SIZE;
}

/* Reads 'json' into the place of 'member' in 'object'; false if it does not fit. */
static bool read_value(struct arena *arena, json_t *json, const struct member *member, void *object)
{
    void *place = (char *)object + member->offset;
    const char *s = json_string_value(json);

    switch (member->kind) {
    case KIND_LIST:
    case KIND_PASSED:
        return true;
    case KIND_FLAG:
        *(bool *)place = json_is_true(json);
        return json_is_boolean(json);
    case KIND_NUMBER:
        *(int64_t *)place = json_integer_value(json);
        return json_is_integer(json) && json_integer_value(json) >= member->min &&
               json_integer_value(json) <= member->max;
    case KIND_NAME:
    case KIND_UUID:
    case KIND_PLAIN:
    case KIND_PROSE:
        if (s == NULL || !text_fits(member->kind, s)) {
            return false;
        }
        *(const char **)place = arena_strdup(arena, s);
        return true;
    case KIND_STATE:
    case KIND_REASON:
    case KIND_JOB:
    case KIND_POWER:
    case KIND_WHEN:
    case KIND_CODE:
    case KIND_OP:
        return s != NULL && read_enum(member->kind, s, place);
    }
    return false;
}

static int unknown_member(json_t *json, const struct table *table, const char *where,
                          struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value)
    {
        size_t i = 0;

        while (i < table->count && strcmp(table->members[i].name, key) != 0) {
            i++;
        }
        if (i == table->count) {
            return err_set(err, ERR_INVALID, "%s.%.64s: no such member", where, key);
        }
    }
    return err_set(err, ERR_INVALID, "%s: no such member", where);
}

/* Reads the members of 'json' that 'table' knows into 'object', which holds the defaults. */
static int read_object(struct arena *arena, json_t *json, const struct table *table,
                       const char *where, void *object, struct err *err)
{
    size_t found = 0;

    if (!json_is_object(json)) {
        return err_set(err, ERR_INVALID, "%s: must be an object", where);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct member *member = &table->members[i];
        json_t *value = json_object_get(json, member->name);

        if (value == NULL && member->required) {
            return err_set(err, ERR_INVALID, "%s.%s: is missing", where, member->name);
        }
        if (value == NULL) {
            continue;
        }
        found++;
        if (!read_value(arena, value, member, object)) {
            return err_set(err, ERR_INVALID, "%s.%s: must be %s", where, member->name,
                           kind_wants(member->kind));
        }
    }
    return found == json_object_size(json) ? 0 : unknown_member(json, table, where, err);
}

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
                     const struct table *table, size_t size, const char *where, void **items,
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
        if (read_object(arena, json_array_get(json_object_get(json, name), i), table, path, object,
                        err) != 0) {
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

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
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

        if (!sim_json_is_plain(path) || s == NULL || !sim_json_is_plain(s)) {
            return err_set(err, ERR_INVALID, "%s.storage: path and identity must be %s", where,
                           kind_wants(KIND_PLAIN));
        }
        disks[host->storage_count].path = arena_strdup(arena, path);
        disks[host->storage_count++].identity = arena_strdup(arena, s);
    }
    qsort(disks, host->storage_count, sizeof(*disks), compare_disks);
    host->storage = disks;
    return 0;
}

static int read_machines(struct arena *arena, json_t *json, const char *where,
                         struct sim_host *host, struct err *err)
{
    json_t *list = json_object_get(json, "machines");
    const char **machines;

    if (list_size(json, "machines", SHORT_LIST_MAX, where, &host->machine_count, err) != 0) {
        return -1;
    }
    machines = ARENA_ARRAY(arena, const char *, host->machine_count + 1);
    for (size_t i = 0; i < host->machine_count; i++) {
        const char *s = json_string_value(json_array_get(list, i));

        if (s == NULL || !sim_json_is_plain(s)) {
            return err_set(err, ERR_INVALID, "%s.machines[%zu]: must be %s", where, i,
                           kind_wants(KIND_PLAIN));
        }
        machines[i] = arena_strdup(arena, s);
    }
    if (list == NULL) {
        machines[host->machine_count++] = DEFAULT_MACHINE;
    }
    qsort(machines, host->machine_count, sizeof(*machines), compare_names);
    host->machines = machines;
    return 0;
}

static int compare_uuids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
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
    if (host->guest_count > 0) {
        qsort(uuids, host->guest_count, sizeof(*uuids), compare_uuids);
    }
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
        char path[PATH_SIZE];
        void *disks = NULL;

        (void)snprintf(path, sizeof(path), "%s.guests[%zu]", where, i);
        if (read_list(arena, guest, "disks", DISKS_MAX, &disk_table, sizeof(struct sim_disk), path,
                      &disks, &host->guests[i].disk_count, err) != 0) {
            return -1;
        }
        host->guests[i].disks = disks;
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

static int read_host(struct arena *arena, json_t *json, size_t index, struct sim_host *host,
                     struct err *err)
{
    char where[PATH_SIZE];
    void *pages = NULL;

    (void)snprintf(where, sizeof(where), "hosts[%zu]", index);
    *host = default_host;
    if (read_object(arena, json, &host_table, where, host, err) != 0 ||
        read_list(arena, json, "hugepages", SHORT_LIST_MAX, &hugepage_table,
                  sizeof(struct observed_hugepages), where, &pages, &host->hugepage_count,
                  err) != 0) {
        return -1;
    }
    host->hugepages = pages;
    return read_storage(arena, json, where, host, err) == 0 &&
                   read_machines(arena, json, where, host, err) == 0 &&
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

    if (read_object(arena, json, &fleet_table, "fleet", fleet, err) != 0) {
        return -1;
    }
    if (!text_equal(format, FORMAT)) {
        return err_set(err, ERR_INVALID, "fleet.format: must be '" FORMAT "'");
    }
    if (durations != NULL &&
        read_object(arena, durations, &durations_table, "durations", &fleet->durations, err) != 0) {
        return -1;
    }
    if (read_hosts(arena, json, fleet, err) != 0 ||
        read_list(arena, json, "migrations", LIST_MAX, &migration_table,
                  sizeof(struct sim_migration), "fleet", &migrations, &fleet->migration_count,
                  err) != 0 ||
        read_list(arena, json, "faults", LIST_MAX, &fault_table, sizeof(struct sim_fault), "fleet",
                  &faults, &fleet->fault_count, err) != 0) {
        return -1;
    }
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

static void write_string(struct text *text, const char *s)
{
    text_append(text, "\"");
    for (; *s != '\0'; s++) {
        size_t safe =
            strcspn(s, "\"\\\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                       "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");

        text_append_bytes(text, s, safe);
        s += safe;
        if (*s == '\0') {
            break;
        }
        if (*s == '"' || *s == '\\') {
            text_fill(text, '\\', 1);
            text_fill(text, *s, 1);
        } else {
            text_printf(text, "\\u%04x", (unsigned)*s);
        }
    }
    text_append(text, "\"");
}

static void write_value(struct text *text, const struct member *member, const void *place)
{
    switch (member->kind) {
    case KIND_FLAG:
        text_append(text, *(const bool *)place ? "true" : "false");
        break;
    case KIND_NUMBER:
        text_printf(text, "%" PRId64, *(const int64_t *)place);
        break;
    case KIND_NAME:
    case KIND_UUID:
    case KIND_PLAIN:
    case KIND_PROSE:
        write_string(text, *(const char *const *)place);
        break;
    case KIND_STATE:
    case KIND_REASON:
    case KIND_JOB:
    case KIND_POWER:
    case KIND_WHEN:
    case KIND_CODE:
    case KIND_OP:
        write_string(text, enum_name(member->kind, *(const unsigned *)place));
        break;
    case KIND_LIST:
    case KIND_PASSED:
        break;
    }
}

static bool same_value(const struct member *member, const void *a, const void *b)
{
    switch (member->kind) {
    case KIND_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case KIND_NUMBER:
        return *(const int64_t *)a == *(const int64_t *)b;
    case KIND_NAME:
    case KIND_UUID:
    case KIND_PLAIN:
    case KIND_PROSE:
        return text_equal(*(const char *const *)a, *(const char *const *)b);
    case KIND_STATE:
    case KIND_REASON:
    case KIND_JOB:
    case KIND_POWER:
    case KIND_WHEN:
    case KIND_CODE:
    case KIND_OP:
        return *(const unsigned *)a == *(const unsigned *)b;
    case KIND_LIST:
    case KIND_PASSED:
        break;
    }
    return true;
}

/* Appends the members of 'object' that are required or not at their default, without the closing
 * brace. */
static void open_object(struct text *text, const struct table *table, const void *object)
{
    const char *before = "{";

    for (size_t i = 0; i < table->count; i++) {
        const struct member *member = &table->members[i];
        const void *place = (const char *)object + member->offset;

        if (member->kind == KIND_LIST || member->kind == KIND_PASSED ||
            (!member->required &&
             same_value(member, place, (const char *)table->defaults + member->offset))) {
            continue;
        }
        text_append(text, before);
        text_append(text, "\"");
        text_append(text, member->name);
        text_append(text, "\":");
        write_value(text, member, place);
        before = ",";
    }
    if (before[0] == '{') {
        text_append(text, before);
    }
}

static void write_list(struct text *text, const char *name, const struct table *table,
                       const void *items, size_t size, size_t count)
{
    text_printf(text, ",\n \"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        text_append(text, i == 0 ? "\n  " : ",\n  ");
        open_object(text, table, (const char *)items + i * size);
        text_append(text, "}");
    }
    text_append(text, "]");
}

static void write_guest(struct text *text, const struct sim_guest *guest)
{
    open_object(text, &guest_table, guest);
    for (size_t i = 0; i < guest->disk_count; i++) {
        text_append(text, i == 0 ? ",\"disks\":[" : ",");
        open_object(text, &disk_table, &guest->disks[i]);
        text_append(text, "}");
    }
    text_append(text, guest->disk_count > 0 ? "]}" : "}");
}

static void write_hardware(struct text *text, const struct sim_host *host)
{
    text_append(text, ",\"machines\":[");
    for (size_t i = 0; i < host->machine_count; i++) {
        text_append(text, i == 0 ? "" : ",");
        write_string(text, host->machines[i]);
    }
    text_append(text, "]");
    for (size_t i = 0; i < host->hugepage_count; i++) {
        text_append(text, i == 0 ? ",\"hugepages\":[" : ",");
        open_object(text, &hugepage_table, &host->hugepages[i]);
        text_append(text, i + 1 == host->hugepage_count ? "}]" : "}");
    }
    for (size_t i = 0; i < host->storage_count; i++) {
        text_append(text, i == 0 ? ",\"storage\":{" : ",");
        write_string(text, host->storage[i].path);
        text_append(text, ":");
        write_string(text, host->storage[i].identity);
        text_append(text, i + 1 == host->storage_count ? "}" : "");
    }
}

static void write_host(struct text *text, const struct sim_host *host)
{
    open_object(text, &host_table, host);
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
    open_object(text, &durations_table, &fleet->durations);
    text_append(text, "}");
    write_list(text, "faults", &fault_table, fleet->faults, sizeof(*fleet->faults),
               fleet->fault_count);
    write_list(text, "migrations", &migration_table, fleet->migrations, sizeof(*fleet->migrations),
               fleet->migration_count);
    text_append(text, ",\n \"hosts\":[");
    for (size_t i = 0; i < fleet->host_count; i++) {
        text_append(text, i == 0 ? "\n  " : ",\n  ");
        write_host(text, &fleet->hosts[i]);
    }
    text_append(text, "]}\n");
}
