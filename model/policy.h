/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Policy: what berth.conf says about capacity and moves (contract.md §3), as a value for the pure
 * core.  Reading the file is reconciler/config.h's; connection settings stay there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile;

enum policy_mode {
    POLICY_MODE_AUTO, /* Live if the guest runs, cold if it is off. */
    POLICY_MODE_LIVE,
    POLICY_MODE_OFFLINE,
};

/* What becomes of a guest whose live move was cancelled at its deadline because the copy did not end. */
enum policy_fallback {
    POLICY_FALLBACK_NONE,     /* It stays where it is, and live is tried again later. */
    POLICY_FALLBACK_OFFLINE,  /* It is stopped, moved and started. */
    POLICY_FALLBACK_POSTCOPY, /* Live, finished on the target after one pass over its memory. */
};

enum policy_cpu {
    POLICY_CPU_WARN,
    POLICY_CPU_STRICT,
};

/* Memory a host keeps for itself: an amount or a share. */
struct policy_reserve {
    uint64_t kib;
    uint32_t percent; /* 0..100; used when 'kib' is 0. */
};

struct policy_host {
    const char *name;    /* hostName in es.xml. */
    uint64_t memory_kib; /* Caps what libvirt reports; 0 = not set. */
    uint32_t cpus;       /* 0 = not set. */
    bool has_reserve;
    struct policy_reserve reserve;
    bool maintenance; /* Takes no guest. */
    bool fenced;      /* There is a device that takes its power away. */
};

struct policy_guest {
    const char *name;
    bool has_mode;
    enum policy_mode mode;
    bool pin;       /* Never moved. */
    bool park;      /* May be stopped early to free memory. */
    bool no_detour; /* detour = no: never sent to a temporary host. */
    bool has_postcopy;
    bool postcopy;
    bool has_auto_converge;
    bool auto_converge;
    bool has_fallback;
    enum policy_fallback fallback;
    bool fell_back; /* Of one pass: 'mode' is what its fallback says, not what the file does. */
    int32_t priority;
};

struct policy {
    struct policy_reserve reserve; /* [capacity] host_reserve */
    uint64_t guest_overhead_kib;
    uint32_t cpu_overcommit_milli; /* 1000 = one vCPU a CPU. */
    enum policy_cpu cpu_policy;
    bool charge_off; /* Shut-off guests take room where they are defined. */

    enum policy_mode mode; /* [migrate] mode */
    int64_t timeout_ms;
    int64_t stop_timeout_ms;
    int64_t start_timeout_ms;
    int64_t outage_wait_ms;   /* At least, after a move that cost its guest something in vain. */
    uint32_t outage_limit;    /* So many stops in vain, then its guest is left alone. */
    uint32_t max_downtime_ms; /* <= 2000 */
    uint64_t bandwidth_mib_s; /* 0 = no limit. */
    uint32_t parallel;        /* Connections of one migration; 0 or 1 = one. */
    bool tls;
    bool auto_converge; /* QEMU may slow a guest down that writes faster than is copied. */
    bool postcopy;
    enum policy_fallback fallback;
    bool allow_downgrade;
    bool adopt_pending_actions; /* pending_actions = adopt */
    bool cancel_overruled;      /* A new file may end a move that it does not want any more. */
    const char *migrate_uri;    /* "tcp://%h" of the target, or NULL. */

    const struct profile *profile; /* Of the fleet's platform; never NULL. */

    const struct policy_host *hosts; /* Sorted by name, unique. */
    size_t host_count;
    const struct policy_guest *guests; /* Sorted by name, unique. */
    size_t guest_count;
};

/* The defaults of contract.md §3, with no per-host or per-guest settings. */
struct policy policy_default(void);

/* Settings of one host or guest, or NULL if the file has none. */
const struct policy_host *policy_find_host(const struct policy *policy, const char *name);
const struct policy_guest *policy_find_guest(const struct policy *policy, const char *name);

/* The mode that people call 'name', in '*mode'; false, and '*mode' as it was, if none is called so. */
bool policy_mode_from_name(const char *name, enum policy_mode *mode);

/* The mode that applies to 'guest': its own, else the fleet's. */
enum policy_mode policy_guest_mode(const struct policy *policy, const char *guest);

/* What else applies to 'guest': its own setting, else the fleet's. */
bool policy_guest_postcopy(const struct policy *policy, const char *guest);
bool policy_guest_auto_converge(const struct policy *policy, const char *guest);
enum policy_fallback policy_guest_fallback(const struct policy *policy, const char *guest);

/* How important 'guest' is: the higher, the more; 0 if nothing is said. */
int32_t policy_guest_priority(const struct policy *policy, const char *guest);

/* Memory 'host' may give to guests out of 'memory_kib' (what libvirt or es.xml reports): capped by
 * the host's own setting, less its reserve; never below 0. */
uint64_t policy_usable_kib(const struct policy *policy, const char *host, uint64_t memory_kib);
