/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_fleet: the simulated hosts and their guests, as values in memory.
 *
 * Here is what happens by itself as time passes: migrations, shutdowns, machines that lose power and
 * boot.  What an operation may do is in sim_rules.h.  Files, clocks and timers are not here: the
 * present is a parameter.  Everything lives in the fleet's arena.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/sim.h"
#include "base/err.h"
#include "model/observed.h"
#include "model/platform.h"

struct arena;

/* A volume as seen under a path, by a guest or by a host. */
struct sim_disk {
    const char *path;
    const char *identity;
    const char *cache; /* Of a guest's: NULL = none. */
};

/* What a device does that is told to take the power of its host away. */
enum sim_fence {
    SIM_FENCE_WORKS,
    SIM_FENCE_FAILS, /* The host stays on, and the device says so. */
    SIM_FENCE_LIES,  /* It stays on, and the device says off, once. */
    SIM_FENCE_LATE,  /* It goes off when the device was given up already. */
    SIM_FENCE_COUNT,
};

/* A storage pool of libvirt's on one host. */
struct sim_pool {
    const char *name;
    bool inactive;
    bool stale;     /* Does not know its volumes until it is refreshed. */
    bool different; /* Is not defined as on other hosts. */
};

/* A file that a guest keeps of itself on its host (sim_state.h). */
struct sim_state {
    const char *path;
    uint64_t version; /* How often its guest has been started with it. */
    int64_t aside_ms; /* Of the move that has put it aside; 0 = it is in its place. */
};

/* Names, sorted. */
struct sim_names {
    const char *const *items;
    size_t count;
};

struct sim_guest {
    const char *name;
    const char *uuid;
    enum guest_state state;
    enum guest_reason reason;
    enum guest_job job; /* NONE or OTHER; migrations are kept in the fleet. */
    uint64_t memory_kib;
    uint64_t config_memory_kib; /* Of the definition; 0 = as memory_kib. */
    uint64_t vcpus;
    uint64_t dirty_mib_s; /* What it writes to its memory a second while it runs. */
    bool persistent;
    bool autostart;
    bool exempt; /* The guard of its host leaves it alone. */
    bool held;   /* The guard of its host has taken its autostart away, until it is released. */
    bool deaf;   /* Hears no shutdown request. */
    bool managed_save;
    bool has_nvram;
    const char *nvram; /* Where it is, which makes it has_nvram; NULL = nobody knows. */
    bool has_tpm;
    uint64_t snapshots;
    uint64_t hostdevs;
    uint64_t hugepage_kib; /* 0 = ordinary pages. */
    uint64_t numa_nodes;
    const char *machine;
    const char *cpu_mode;
    int64_t stops_ms; /* Wall clock at which a requested shutdown is over; 0 = none asked. */
    const struct sim_disk *disks;
    size_t disk_count;
    struct sim_names bridges;    /* That its interfaces join. */
    struct sim_names interfaces; /* Of its host that it has for itself; needed where it starts. */
    struct sim_names configs;    /* Configuration volumes that must be mounted where it starts. */
    struct sim_names files;      /* Kernel, CD images: needed wherever it starts. */
    bool block_job;              /* Somebody copies one of its disks. */
};

struct sim_host {
    const char *name;
    enum sim_power power;
    bool dark; /* It was off when last looked at: turning on boots it. */
    enum observed_guard
        guard; /* Unless NONE, it is at work there: the host boots without starting guests. */
    enum sim_fence fence;
    bool fenced;      /* Its outlet is off: it stays dark, whoever turns it on. */
    int64_t fence_ms; /* Wall clock at which a late fence works; 0 = none was asked. */
    uint64_t memory_kib;
    uint64_t cpus;
    uint64_t numa_nodes;
    uint64_t qemu_version;
    uint64_t libvirt_version;
    const char *hostname; /* NULL = as name. */
    const char *arch;
    const char *cpu_model;
    const char *cpu_fingerprint;
    struct sim_names machines;
    struct sim_names bridges;
    struct sim_names interfaces; /* Set aside for guests. */
    struct sim_names offers;  /* That it has to set aside; none are named: whatever is asked for. */
    struct sim_names configs; /* Configuration volumes that are mounted. */
    struct sim_names decoys;  /* Volumes in whose place it gets another one. */
    const char *lock_manager; /* "nop" = none. */
    int64_t clock_ms;         /* How much its clock is ahead. */
    bool hidden;              /* Other hosts do not reach its libvirt. */
    bool walled;              /* Nor the ports at which it waits for migrations. */
    const struct observed_hugepages *hugepages; /* Sorted by size; 'free' means nothing here. */
    size_t hugepage_count;
    const struct sim_disk *storage; /* Sorted by path. */
    size_t storage_count;
    struct sim_pool *pools; /* Sorted by name. */
    size_t pool_count;
    struct sim_state *states;
    size_t state_count;
    const char *facts[PLATFORM_FACT_COUNT]; /* What it tells of itself; NULL = nobody knows. */
    struct sim_guest *guests;               /* Sorted by name, then UUID. */
    size_t guest_count;
    size_t guest_room;
};

/* A volume of the platform's storage, which hosts have when it is attached to them. */
struct sim_volume {
    const char *name;
    const char *identity; /* NULL = its name. */
    bool shared;          /* To more than one host at a time. */
};

/* A peer-to-peer migration: it goes on whatever becomes of the process that began it. */
struct sim_migration {
    const char *uuid;
    const char *from;
    const char *to;
    int64_t begun_ms; /* Wall clock; 0 = when first looked at. */
    int64_t duration_ms;
    int64_t pass_ms; /* Of 'duration_ms', one pass over all of the memory; 0 = there is but one. */
    uint64_t written_mib_s; /* What the guest writes meanwhile, and how it is helped to its end. */
    uint64_t max_downtime_ms;
    bool auto_converge;
    bool postcopy;
    bool postcopy_first;
    bool endless;    /* Goes on until it is cancelled. */
    bool persistent; /* The copy will be. */
    bool stalled;    /* Makes no progress until it is cancelled. */
    bool cancelled;  /* Asked to end while a side was frozen; ends when it thaws. */
};

enum sim_when {
    SIM_WHEN_BEFORE, /* Fails with nothing done. */
    SIM_WHEN_MIDDLE, /* A migration breaks off half-way; anything else as BEFORE. */
    SIM_WHEN_LOST,   /* The error arrives half-way and the work goes on; anything else as AFTER. */
    SIM_WHEN_AFTER,  /* Done, but the reply is an error. */
    SIM_WHEN_HANG,   /* No reply. */
    SIM_WHEN_TWICE,  /* A notice that comes twice; anything else as BEFORE. */
    SIM_WHEN_COUNT,
};

/* What a fault can meet besides an operation. */
enum sim_target {
    SIM_TARGET_OBSERVE = OP_KIND_COUNT, /* Looking at a host. */
    SIM_TARGET_NOTICE,                  /* A notice on its way. */
};

struct sim_fault {
    unsigned op;       /* An enum op_kind or an enum sim_target. */
    const char *guest; /* NULL = any, as the next. */
    const char *host;
    enum err_code error; /* ERR_NONE: only slow. */
    const char *text;    /* NULL = a standard sentence. */
    enum sim_when when;
    uint64_t times; /* Uses left; >= 1. */
    int64_t delay_ms;
};

struct sim_durations {
    int64_t migrate_ms;
    int64_t migrate_ms_per_gib;
    int64_t downtime_ms;
    int64_t stop_ms;
    int64_t start_ms;
    int64_t define_ms; /* And every other short operation. */
    int64_t observe_ms;
};

struct sim_fleet {
    struct arena *arena;
    struct sim_durations durations;
    struct sim_host *hosts; /* Sorted by name. */
    size_t host_count;
    const struct sim_volume *volumes;
    size_t volume_count;
    struct sim_migration *migrations;
    size_t migration_count;
    size_t migration_room;
    struct sim_fault *faults;
    size_t fault_count;
    bool changed; /* Since it was read; whoever keeps it writes it and clears this. */
};

/* The host called 'name', or NULL. */
struct sim_host *sim_fleet_find_host(const struct sim_fleet *fleet, const char *name);

/* The guest on 'host' with UUID 'uuid', or called 'name'; NULL if there is none.  The pointer is good
 * until a guest is added to or removed from the host. */
struct sim_guest *sim_fleet_find_guest(const struct sim_host *host, const char *uuid);
const struct sim_guest *sim_fleet_find_guest_named(const struct sim_host *host, const char *name);

/* Identity of the storage behind 'path' on 'host', or NULL: none behind a volume that its pool does not give. */
const char *sim_fleet_find_identity(const struct sim_host *host, const char *path);

/* A disk whose path is "/pool/NAME/VOLUME" is one that its guest names as a volume of a pool: 'NAME' and its length,
 * or NULL if it is none.  'VOLUME' follows behind it. */
const char *sim_fleet_pool_name(const char *path, size_t *length);

/* The pool on 'host' that 'path' is in, or NULL. */
struct sim_pool *sim_fleet_find_pool(const struct sim_host *host, const char *path);

/* True if 'name' is among 'names'. */
bool sim_fleet_has_name(const struct sim_names *names, const char *name);

/* True if 'host' can run this type of machine; one that names none can run any. */
bool sim_fleet_knows_machine(const struct sim_host *host, const char *machine);

/* True if a guest's disk goes through a cache of its host. */
bool sim_fleet_is_cached(const struct sim_disk *disk);

/* The migration of 'uuid' away from 'from' (NULL = any host) to 'to' (NULL = any), or NULL. */
struct sim_migration *sim_fleet_find_migration(const struct sim_fleet *fleet, const char *uuid,
                                               const char *from, const char *to);

/* True if the guest has a process on its host. */
bool sim_fleet_is_active(const struct sim_guest *guest);

/* True if it is the target's half of a migration that is not over. */
bool sim_fleet_is_incoming(const struct sim_guest *guest);

/* True if a side of 'migration' is frozen. */
bool sim_fleet_is_frozen(const struct sim_fleet *fleet, const struct sim_migration *migration);

/* Memory of 'host' in pages of 'hugepage_kib' (0 = in ordinary ones) that no process has. */
uint64_t sim_fleet_free_kib(const struct sim_host *host, uint64_t hugepage_kib);

/* Adds a copy of 'guest' to 'host'. */
struct sim_guest *sim_fleet_add_guest(struct sim_fleet *fleet, struct sim_host *host,
                                      const struct sim_guest *guest);

/* Removes 'guest', definition, process and all. */
void sim_fleet_remove_guest(struct sim_fleet *fleet, struct sim_host *host,
                            struct sim_guest *guest);

/* Puts 'guest' into a state; a shutdown that was asked for is forgotten. */
void sim_fleet_set_state(struct sim_fleet *fleet, struct sim_guest *guest, enum guest_state state,
                         enum guest_reason reason);

/* Lets 'guest' shut itself down at the instant 'wall_ms'. */
void sim_fleet_stop_at(struct sim_fleet *fleet, struct sim_guest *guest, int64_t wall_ms);

/* Ends the guest's process, and with it a migration away from 'host'; a transient guest is gone. */
void sim_fleet_end_process(struct sim_fleet *fleet, struct sim_host *host, struct sim_guest *guest,
                           enum guest_reason reason);

/* Begins a migration: 'guest' appears on 'target', paused, starting up. */
void sim_fleet_add_migration(struct sim_fleet *fleet, const struct sim_migration *migration,
                             struct sim_host *target, const struct sim_guest *guest);

/* Ends a migration without success: the target is cleaned up, the source as before. */
void sim_fleet_abort_migration(struct sim_fleet *fleet, struct sim_migration *migration);

/* Brings the fleet to the instant 'wall_ms': machines that were switched, shutdowns and migrations
 * that are over. */
void sim_fleet_advance(struct sim_fleet *fleet, int64_t wall_ms);

/* The instant (wall clock) at which something happens by itself next: a shutdown or a migration is over.
 * INT64_MAX = nothing is under way. */
int64_t sim_fleet_next_ms(const struct sim_fleet *fleet);

/* Uses up the first fault scripted for 'op' (as struct sim_fault has it) on 'host' and 'guest' (may be
 * NULL) and copies it out; false if there is none. */
bool sim_fleet_take_fault(struct sim_fleet *fleet, unsigned op, const char *host, const char *guest,
                          struct sim_fault *fault);

/* The job of 'guest' on 'host'. */
enum guest_job sim_fleet_job(const struct sim_fleet *fleet, const struct sim_host *host,
                             const struct sim_guest *guest);

/* What 'host' answers at 'wall_ms', strings in 'arena' or the fleet's. */
struct observed_host sim_fleet_observe(const struct sim_fleet *fleet, const struct sim_host *host,
                                       struct arena *arena, int64_t wall_ms);
