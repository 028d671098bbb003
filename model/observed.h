/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Observation: what every host said, and when (contract.md §4), as values.
 *
 * Hosts are sorted by name and unique; a host's guests are sorted by name, then UUID.  An unreachable
 * host is UNKNOWN, never empty: it carries the guests it had when last seen.  A member that was not
 * reported is 'unknown' (NULL, 0 or OBSERVED_UNKNOWN, as noted), and whoever needs it must not guess.
 * Everything lives in the arena it was built in.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/op.h"
#include "model/supply.h"

struct arena;

#define OBSERVED_UNKNOWN (-1)

enum guest_state {
    GUEST_RUNNING,
    GUEST_SHUTOFF,
    GUEST_PAUSED,
    GUEST_CRASHED, /* The process is still there and holds memory. */
    GUEST_OTHER,   /* Being shut down, suspended by itself, no state. */
    GUEST_STATE_COUNT,
};

/* Why the guest is in its state: libvirt's virDomain*Reason, one vocabulary for all states. */
#define GUEST_REASONS                                                                              \
    GUEST_REASON(UNKNOWN, "unknown")                                                               \
    GUEST_REASON(BOOTED, "booted")                                                                 \
    GUEST_REASON(MIGRATED, "migrated") /* Running: arrived.  Shut off: left. */                    \
    GUEST_REASON(RESTORED, "restored")                                                             \
    GUEST_REASON(FROM_SNAPSHOT, "from-snapshot")                                                   \
    GUEST_REASON(UNPAUSED, "unpaused")                                                             \
    GUEST_REASON(MIGRATION_CANCELED, "migration-canceled")                                         \
    GUEST_REASON(SAVE_CANCELED, "save-canceled")                                                   \
    GUEST_REASON(WAKEUP, "wakeup")                                                                 \
    GUEST_REASON(CRASHED, "crashed")                                                               \
    GUEST_REASON(USER, "user")                                                                     \
    GUEST_REASON(MIGRATION, "migration") /* Paused: a migration's own half state. */               \
    GUEST_REASON(SAVE, "save")                                                                     \
    GUEST_REASON(DUMP, "dump")                                                                     \
    GUEST_REASON(IO_ERROR, "io-error")                                                             \
    GUEST_REASON(WATCHDOG, "watchdog")                                                             \
    GUEST_REASON(SHUTTING_DOWN, "shutting-down")                                                   \
    GUEST_REASON(SNAPSHOT, "snapshot")                                                             \
    GUEST_REASON(STARTING_UP, "starting-up") /* Paused: an incoming guest before its first run. */ \
    GUEST_REASON(POSTCOPY, "postcopy")                                                             \
    GUEST_REASON(POSTCOPY_FAILED, "postcopy-failed")                                               \
    GUEST_REASON(API_ERROR, "api-error")                                                           \
    GUEST_REASON(SHUTDOWN, "shutdown")                                                             \
    GUEST_REASON(DESTROYED, "destroyed")                                                           \
    GUEST_REASON(SAVED, "saved")                                                                   \
    GUEST_REASON(FAILED, "failed")                                                                 \
    GUEST_REASON(DAEMON, "daemon")

enum guest_reason {
#define GUEST_REASON(name, text) GUEST_REASON_##name,
    GUEST_REASONS
#undef GUEST_REASON
        GUEST_REASON_COUNT,
};

/* The domain job that runs on this side. */
enum guest_job {
    GUEST_JOB_NONE,
    GUEST_JOB_OUTGOING, /* A migration away from this host. */
    GUEST_JOB_INCOMING,
    GUEST_JOB_OTHER, /* Backup, save, dump, ... */
    GUEST_JOB_COUNT,
};

struct observed_guest {
    const char *name;
    const char *uuid;
    enum guest_state state;
    enum guest_reason reason;
    enum guest_job job;
    uint64_t
        memory_kib; /* Live maximum, hot-plugged included; never the balloon's current value. */
    uint64_t config_memory_kib; /* Inactive definition's; 0 = unknown. */
    uint32_t vcpus;
    bool persistent;
    bool autostart;
    bool exempt; /* The berth-guard of its host lets that start it as it boots. */
    bool held;   /* berth-guard keeps its host from starting it; it has autostart all the same. */
    bool owed_start;     /* Berth stopped it and owes it a start (from the journal). */
    int8_t managed_save; /* 0, 1 or OBSERVED_UNKNOWN, as the next two. */
    int8_t has_nvram;
    int8_t has_tpm;
    int32_t snapshots; /* Or OBSERVED_UNKNOWN. */
    int32_t hostdevs;  /* Or OBSERVED_UNKNOWN. */
    int32_t
        hugepage_kib;    /* Size of the pages it is backed by; 0 = ordinary, or OBSERVED_UNKNOWN. */
    int32_t numa_nodes;  /* It is bound to nodes of its host, all below this one; 0 = to none, or
                             OBSERVED_UNKNOWN. */
    const char *machine; /* Machine type; NULL = unknown. */
    const char *cpu_mode; /* "custom", "host-model", "host-passthrough", ...; NULL = unknown. */
    struct supply_list
        supplies;    /* What its definition uses that a platform may have to provide: bridges,
                                    interfaces of the host, disks on block devices.  Never in JSON. */
    const char *xml; /* Inactive definition with security info; NULL = not read.  Never in JSON. */
};

/* The pages of one size that a host has set aside, over all its NUMA nodes.  Ordinary memory of the host
 * is what all of them leave. */
struct observed_hugepages {
    uint64_t page_kib; /* Unique on the host. */
    uint64_t total;
    uint64_t free;
};

/* What berth-guard does on a host (berth-guard(8)). */
enum observed_guard {
    OBSERVED_GUARD_UNKNOWN,  /* It was not asked, or gave no answer. */
    OBSERVED_GUARD_NONE,     /* It is not there, or was not in time before libvirt. */
    OBSERVED_GUARD_HOLDING,  /* It has held back what libvirt would have started in this boot. */
    OBSERVED_GUARD_RELEASED, /* And has been told to let that start. */
    OBSERVED_GUARD_COUNT,
};

struct observed_host {
    const char *name; /* hostName in es.xml. */
    bool reachable;
    int64_t as_of_ms;  /* Wall clock of the answer that this describes; 0 = never answered. */
    const char *error; /* Why it is not reachable, or NULL. */
    uint64_t memory_kib;
    uint64_t free_kib; /* Actually available now; 0 = unknown. */
    uint32_t cpus;
    uint32_t numa_nodes;      /* Nodes 0 up to this one exist; 0 = unknown. */
    uint64_t qemu_version;    /* libvirt's form, 7002000 = 7.2.0; 0 = unknown. */
    uint64_t libvirt_version; /* Same form. */
    enum observed_guard guard;
    const char *lock_manager; /* Of its QEMU driver, "nop" = none; NULL = unknown. */
    const char *hostname;     /* What the host calls itself; NULL = unknown. */
    const char *arch;         /* NULL = unknown, as the next two. */
    const char *cpu_model;
    const char *cpu_fingerprint; /* Equal only if model, features and microcode are. */
    const char *const *machines; /* Machine types its QEMU knows, aliases included, sorted. */
    size_t machine_count;        /* 0 = unknown. */
    const struct observed_hugepages *hugepages; /* Sorted by size; none = it has no huge pages. */
    size_t hugepage_count;
    const struct observed_guest *guests;
    size_t guest_count;
};

/* A move whose outcome is not settled: reserved on both hosts. */
struct observed_move {
    const char *guest;
    const char *from;
    const char *to;
    enum move_mode mode;
    int64_t since_ms;
    bool foreign; /* Nobody's intent of ours: never adopted or aborted. */
};

struct observed {
    int64_t at_ms;
    const struct observed_host *hosts;
    size_t host_count;
    const struct observed_move *in_flight; /* Sorted by guest. */
    size_t in_flight_count;
};

/* Stable names of contract.md §4, and back; the reverse returns the COUNT value for no such name. */
const char *observed_state_name(enum guest_state state);
const char *observed_reason_name(enum guest_reason reason);
const char *observed_job_name(enum guest_job job);
enum guest_state observed_state_from_name(const char *name);
enum guest_reason observed_reason_from_name(const char *name);
enum guest_job observed_job_from_name(const char *name);

/* "unknown", "none", "holding" and "released"; the reverse as above. */
const char *observed_guard_name(enum observed_guard guard);
enum observed_guard observed_guard_from_name(const char *name);

/* The host called 'name', or NULL. */
const struct observed_host *observed_find_host(const struct observed *observed, const char *name);

/* The guest on 'host' with UUID 'uuid', or NULL; the same by name. */
const struct observed_guest *observed_find_guest(const struct observed_host *host,
                                                 const char *uuid);
const struct observed_guest *observed_find_guest_named(const struct observed_host *host,
                                                       const char *name);

/* The first pool of pages of 'page_kib', or NULL. */
const struct observed_hugepages *observed_find_hugepages(const struct observed_hugepages *pages,
                                                         size_t count, uint64_t page_kib);

/* True if 'machine' is among the machine types of 'host'. */
bool observed_has_machine(const struct observed_host *host, const char *machine);

/* True if pages of this size can exist: a power of two, from 8 KiB (the least above any ordinary page) to
 * 1 TiB. */
bool observed_is_hugepage_size(uint64_t kib);

/* Deep copy of one host into 'arena', 'xml' of its guests included. */
struct observed_host observed_copy_host(struct arena *arena, const struct observed_host *host);

/* Sorts guests by name, then UUID: the order every host's array must have. */
void observed_sort_guests(struct observed_guest *guests, size_t count);

/* Sorts pools by the size of their pages. */
void observed_sort_hugepages(struct observed_hugepages *pages, size_t count);

/* Sorts hosts by name. */
void observed_sort_hosts(struct observed_host *hosts, size_t count);

/* True if the guest has a process on its host, or its memory counts as if it had one. */
bool observed_is_active(const struct observed_guest *guest);

/* Running, paused or shut off: what a guest that is moved now is to be like afterwards. */
enum guest_state observed_lasting_state(const struct observed_guest *guest);
