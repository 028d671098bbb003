/* SPDX-License-Identifier: Apache-2.0 */
#include "model/observed_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/observed.h"
#include "model/record_json.h"

static const char *state_name(uint32_t state)
{
    return observed_state_name((enum guest_state)state);
}

static const char *reason_name(uint32_t reason)
{
    return observed_reason_name((enum guest_reason)reason);
}

static const char *job_name(uint32_t job)
{
    return observed_job_name((enum guest_job)job);
}

static const char *guard_name(uint32_t guard)
{
    return observed_guard_name((enum observed_guard)guard);
}

static const char *mode_name(uint32_t mode)
{
    return op_mode_name((enum move_mode)mode);
}

/* Members in the order of contract.md §4. */
static const struct record_json_field guest_fields[] = {
    { RECORD_JSON_FIELD(observed_guest, name, "name", TEXT, REQUIRED) },
    { RECORD_JSON_FIELD(observed_guest, uuid, "uuid", UUID, REQUIRED) },
    { RECORD_JSON_FIELD(observed_guest, state, "state", ENUM, REQUIRED), .name_of = state_name,
      .value_count = GUEST_STATE_COUNT },
    { RECORD_JSON_FIELD(observed_guest, reason, "reason", ENUM, OPTIONAL), .name_of = reason_name,
      .value_count = GUEST_REASON_COUNT, .other_is_zero = true },
    { RECORD_JSON_FIELD(observed_guest, job, "job", ENUM, ALWAYS), .name_of = job_name,
      .value_count = GUEST_JOB_COUNT },
    { RECORD_JSON_FIELD(observed_guest, memory_kib, "memory_kib", U64, REQUIRED) },
    { RECORD_JSON_FIELD(observed_guest, config_memory_kib, "config_memory_kib", U64, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, vcpus, "vcpus", U32, REQUIRED) },
    { RECORD_JSON_FIELD(observed_guest, persistent, "persistent", BOOL, REQUIRED) },
    { RECORD_JSON_FIELD(observed_guest, autostart, "autostart", BOOL, REQUIRED) },
    { RECORD_JSON_FIELD(observed_guest, exempt, "exempt", BOOL, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, held, "held", BOOL, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, managed_save, "managed_save", MAYBE, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, snapshots, "snapshots", COUNT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, has_nvram, "has_nvram", MAYBE, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, has_tpm, "has_tpm", MAYBE, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, hostdevs, "hostdevs", COUNT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, hugepage_kib, "hugepage_kib", COUNT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, numa_nodes, "numa_nodes", COUNT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, machine, "machine", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, cpu_mode, "cpu_mode", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_guest, owed_start, "owed_start", BOOL, ALWAYS) },
};
static const struct record_json_table guest_table = RECORD_JSON_TABLE(observed_guest, guest_fields);

static const struct record_json_field hugepages_fields[] = {
    { RECORD_JSON_FIELD(observed_hugepages, page_kib, "page_kib", U64, REQUIRED) },
    { RECORD_JSON_FIELD(observed_hugepages, total, "total", U64, REQUIRED) },
    { RECORD_JSON_FIELD(observed_hugepages, free, "free", U64, REQUIRED) },
};
static const struct record_json_table hugepages_table =
    RECORD_JSON_TABLE(observed_hugepages, hugepages_fields);

static const struct record_json_field host_fields[] = {
    { RECORD_JSON_FIELD(observed_host, name, "name", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(observed_host, reachable, "reachable", BOOL, REQUIRED) },
    { RECORD_JSON_FIELD(observed_host, as_of_ms, "as_of", INSTANT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, error, "error", TEXT, ALWAYS) },
    { RECORD_JSON_FIELD(observed_host, memory_kib, "memory_kib", U64, REQUIRED) },
    { RECORD_JSON_FIELD(observed_host, free_kib, "free_kib", U64, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, cpus, "cpus", U32, REQUIRED) },
    { RECORD_JSON_FIELD(observed_host, numa_nodes, "numa_nodes", U32, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, arch, "arch", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, machines, "machines", TEXTS, OPTIONAL),
      .count_offset = offsetof(struct observed_host, machine_count) },
    { RECORD_JSON_FIELD(observed_host, cpu_model, "cpu_model", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, cpu_fingerprint, "cpu_fingerprint", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, qemu_version, "qemu_version", U64, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, libvirt_version, "libvirt_version", U64, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, hostname, "hostname", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, lock_manager, "lock_manager", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_host, guard, "guard", ENUM, OPTIONAL), .name_of = guard_name,
      .value_count = OBSERVED_GUARD_COUNT, .other_is_zero = true },
    { RECORD_JSON_FIELD(observed_host, hugepages, "hugepages", LIST, ALWAYS),
      .count_offset = offsetof(struct observed_host, hugepage_count), .table = &hugepages_table },
    { RECORD_JSON_FIELD(observed_host, guests, "guests", LIST, REQUIRED),
      .count_offset = offsetof(struct observed_host, guest_count), .table = &guest_table,
      .before_item = "\n  " },
};
static const struct record_json_table host_table = RECORD_JSON_TABLE(observed_host, host_fields);

static const struct record_json_field move_fields[] = {
    { RECORD_JSON_FIELD(observed_move, guest, "guest", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(observed_move, from, "from", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(observed_move, to, "to", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(observed_move, mode, "mode", ENUM, REQUIRED), .name_of = mode_name,
      .value_count = MOVE_MODE_COUNT },
    { RECORD_JSON_FIELD(observed_move, since_ms, "since", INSTANT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed_move, foreign, "foreign", BOOL, OPTIONAL) },
};
static const struct record_json_table move_table = RECORD_JSON_TABLE(observed_move, move_fields);

static const struct record_json_field observed_fields[] = {
    { .name = "format",
      .type = RECORD_JSON_FORMAT,
      .presence = RECORD_JSON_ALWAYS,
      .format = "berth.observed/1" },
    { RECORD_JSON_FIELD(observed, at_ms, "at", INSTANT, OPTIONAL) },
    { RECORD_JSON_FIELD(observed, hosts, "hosts", LIST, REQUIRED),
      .count_offset = offsetof(struct observed, host_count), .table = &host_table,
      .before_item = "\n " },
    { RECORD_JSON_FIELD(observed, in_flight, "in_flight", LIST, ALWAYS),
      .count_offset = offsetof(struct observed, in_flight_count), .table = &move_table,
      .before_item = "\n " },
};
static const struct record_json_table observed_table = RECORD_JSON_TABLE(observed, observed_fields);

/* A text that must be unique, and its place in the document. */
struct key {
    const char *text;
    size_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *left = a;
    const struct key *right = b;
    int order = strcmp(left->text, right->text);

    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

/* Place of the first key that repeats an earlier one, or 'count'.  Sorts 'keys'. */
static size_t find_repetition(struct key *keys, size_t count)
{
    size_t found = count;

    if (count > 1) {
        qsort(keys, count, sizeof(*keys), compare_keys);
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(keys[i - 1].text, keys[i].text) == 0 && keys[i].index < found) {
            found = keys[i].index;
        }
    }
    return found;
}

static int check_uuids(struct arena *arena, const struct observed_host *host, size_t host_index,
                       struct err *err)
{
    struct key *keys = ARENA_ARRAY(arena, struct key, host->guest_count);
    size_t repeated;

    for (size_t i = 0; i < host->guest_count; i++) {
        keys[i] = (struct key){ .text = host->guests[i].uuid, .index = i };
    }
    repeated = find_repetition(keys, host->guest_count);
    if (repeated == host->guest_count) {
        return 0;
    }
    return err_set(err, ERR_INVALID, "hosts[%zu].guests[%zu].uuid: '%s' is twice on '%s'",
                   host_index, repeated, host->guests[repeated].uuid, host->name);
}

static int check_guest_pages(const struct observed_host *host, size_t host_index, struct err *err)
{
    for (size_t i = 0; i < host->guest_count; i++) {
        int32_t kib = host->guests[i].hugepage_kib;

        if (kib > 0 && !observed_is_hugepage_size((uint64_t)kib)) {
            return err_set(err, ERR_INVALID,
                           "hosts[%zu].guests[%zu].hugepage_kib: %d is no size of huge pages",
                           host_index, i, (int)kib);
        }
    }
    return 0;
}

static int check_pools(const struct observed_host *host, size_t host_index, struct err *err)
{
    for (size_t i = 0; i < host->hugepage_count; i++) {
        const struct observed_hugepages *pages = &host->hugepages[i];

        if (!observed_is_hugepage_size(pages->page_kib)) {
            return err_set(err, ERR_INVALID,
                           "hosts[%zu].hugepages[%zu].page_kib: %llu is no size of huge pages",
                           host_index, i, (unsigned long long)pages->page_kib);
        }
        if (observed_find_hugepages(host->hugepages, host->hugepage_count, pages->page_kib) !=
            pages) {
            return err_set(err, ERR_INVALID,
                           "hosts[%zu].hugepages[%zu].page_kib: %llu is there twice", host_index, i,
                           (unsigned long long)pages->page_kib);
        }
    }
    return 0;
}

static int check_names(struct arena *arena, const struct observed *observed, struct err *err)
{
    struct key *keys = ARENA_ARRAY(arena, struct key, observed->host_count);
    size_t repeated;

    for (size_t i = 0; i < observed->host_count; i++) {
        keys[i] = (struct key){ .text = observed->hosts[i].name, .index = i };
    }
    repeated = find_repetition(keys, observed->host_count);
    if (repeated == observed->host_count) {
        return 0;
    }
    return err_set(err, ERR_INVALID, "hosts[%zu].name: '%s' is there twice", repeated,
                   observed->hosts[repeated].name);
}

static int check(struct arena *arena, const struct observed *observed, struct err *err)
{
    for (size_t i = 0; i < observed->host_count; i++) {
        if (check_uuids(arena, &observed->hosts[i], i, err) != 0 ||
            check_guest_pages(&observed->hosts[i], i, err) != 0 ||
            check_pools(&observed->hosts[i], i, err) != 0) {
            return -1;
        }
    }
    return check_names(arena, observed, err);
}

/* By guest, then by everything else: a total order. */
static int compare_moves(const void *a, const void *b)
{
    const struct observed_move *left = a;
    const struct observed_move *right = b;
    int order = strcmp(left->guest, right->guest);

    order = order != 0 ? order : strcmp(left->from, right->from);
    order = order != 0 ? order : strcmp(left->to, right->to);
    order = order != 0 ? order
                       : (left->since_ms > right->since_ms) - (left->since_ms < right->since_ms);
    order = order != 0 ? order : (left->mode > right->mode) - (left->mode < right->mode);
    return order != 0 ? order : left->foreign - right->foreign;
}

/* What was read is read-only, so the sorted arrays are copies. */
static const struct observed_guest *sort_guests(struct arena *arena,
                                                const struct observed_host *host)
{
    struct observed_guest *guests = ARENA_ARRAY(arena, struct observed_guest, host->guest_count);

    if (host->guest_count > 0) {
        memcpy(guests, host->guests, host->guest_count * sizeof(*guests));
        observed_sort_guests(guests, host->guest_count);
    }
    return guests;
}

static const char *const *sort_machines(struct arena *arena, const struct observed_host *host)
{
    const char **machines = ARENA_ARRAY(arena, const char *, host->machine_count);

    if (host->machine_count > 0) {
        memcpy(machines, host->machines, host->machine_count * sizeof(*machines));
        text_sort(machines, host->machine_count, sizeof(*machines));
    }
    return machines;
}

static const struct observed_hugepages *sort_pools(struct arena *arena,
                                                   const struct observed_host *host)
{
    struct observed_hugepages *pages =
        ARENA_ARRAY(arena, struct observed_hugepages, host->hugepage_count);

    if (host->hugepage_count > 0) {
        memcpy(pages, host->hugepages, host->hugepage_count * sizeof(*pages));
        observed_sort_hugepages(pages, host->hugepage_count);
    }
    return pages;
}

static const struct observed_host *sort_hosts(struct arena *arena, const struct observed *observed)
{
    struct observed_host *hosts = ARENA_ARRAY(arena, struct observed_host, observed->host_count);

    for (size_t i = 0; i < observed->host_count; i++) {
        hosts[i] = observed->hosts[i];
        hosts[i].guests = sort_guests(arena, &hosts[i]);
        hosts[i].machines = sort_machines(arena, &hosts[i]);
        hosts[i].hugepages = sort_pools(arena, &hosts[i]);
    }
    observed_sort_hosts(hosts, observed->host_count);
    return hosts;
}

static const struct observed_move *sort_moves(struct arena *arena, const struct observed *observed)
{
    struct observed_move *moves =
        ARENA_ARRAY(arena, struct observed_move, observed->in_flight_count);

    if (observed->in_flight_count > 0) {
        memcpy(moves, observed->in_flight, observed->in_flight_count * sizeof(*moves));
        qsort(moves, observed->in_flight_count, sizeof(*moves), compare_moves);
    }
    return moves;
}

int observed_json_read(struct arena *arena, const char *bytes, size_t length,
                       struct observed *observed, struct err *err)
{
    struct observed result = { 0 };

    if (length > OBSERVED_JSON_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "larger than %zu MiB",
                       OBSERVED_JSON_MAX_BYTES / (1024 * 1024));
    }
    if (record_json_read(arena, bytes, length, &observed_table, &result, err) != 0 ||
        check(arena, &result, err) != 0) {
        return -1;
    }
    result.hosts = sort_hosts(arena, &result);
    result.in_flight = sort_moves(arena, &result);
    *observed = result;
    return 0;
}

void observed_json_write(struct text *text, const struct observed *observed)
{
    record_json_write(text, &observed_table, observed);
    text_append(text, "\n");
}
