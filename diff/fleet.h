/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fleet: hosts and guests as the planner works on them: numbers instead of names, flat arrays, and two
 * changes, fleet_move() and fleet_stop(), which fleet_take_back() undoes exactly.
 *
 * Index order is name order for hosts and for guests, so that comparing indices compares names.  Guest
 * i is desired->guests[i]; guests that are not in the file are only the room they take.  Pure; belongs
 * to the planner, and the verifier must not use it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/plan.h"
#include "model/op.h"

#define FLEET_NONE UINT32_MAX

struct arena;
struct diff;
struct diff_guest;
struct observed_guest;
struct observed_host;

/* Memory of one kind on one host. */
struct fleet_memory {
    uint64_t limit_kib; /* What guests may take of it. */
    uint64_t charged_kib;
    uint64_t unlisted_kib; /* Of that, what guests take that are not in the file: they stay. */
};

struct fleet_host {
    const char *name;
    const struct observed_host *seen; /* NULL = not in the observation. */
    bool reachable;                   /* It answered: it may send, and receive unless ... */
    bool maintenance;                 /* ... it takes nobody. */
    struct fleet_memory ordinary;     /* Whatever no pool of huge pages has; see fleet_memory(). */
    uint64_t vcpu_limit;              /* UINT64_MAX = unknown. */
    uint64_t vcpu_file;               /* What the file puts here, and who is not in the file. */
    uint64_t vcpus;                   /* Charged now. */
    uint32_t occupants;               /* First of a list of places. */
};

/* A guest of the file on a host: one for each sighting, and one for each end of a move in flight. */
struct fleet_place {
    uint32_t guest;
    uint32_t host;
    uint32_t next; /* Of the host's occupants; FLEET_NONE ends the list. */
    uint32_t previous;
};

struct fleet_guest {
    const char *name;
    const struct diff_guest *diff;
    const struct observed_guest *seen; /* Where it is; NULL unless 'at' is known. */
    uint32_t at;                       /* Host, or FLEET_NONE. */
    uint32_t origin;                   /* Where it was when the fleet was built. */
    uint32_t goal;                     /* Host of the file. */
    uint32_t place;                    /* Its one place, if it may move. */
    uint64_t charge_kib;               /* What it takes where it is ... */
    uint32_t pool;                     /* ... of this kind of memory, wherever it goes. */
    uint32_t vcpus;                    /* Likewise. */
    bool in_flight;                    /* Some migration of it is under way. */
    bool waiting;                      /* To be moved: nothing but room and order forbids it. */
    bool hopeless;                     /* It waits, but no order whatever can bring it home. */
    bool displaceable;                 /* In its place, but may leave it for a while. */
    bool no_detour;                    /* Policy lets it go to its own host only. */
    bool park;                         /* It runs or shall run, and may be stopped early. */
    bool stopped;                      /* By a stop: it takes no room where it is defined. */
    uint32_t hops;                     /* Moves made of it. */
    enum move_mode mode;               /* Of its first hop, once waiting or displaceable. */
    enum move_mode later_mode;         /* Of the hops after it. */
    enum plan_code blocked; /* Why it is not moved; PLAN_CODE_COUNT = it is not blocked. */
};

struct fleet {
    const struct plan_input *input;
    struct fleet_host *hosts;
    size_t host_count;
    struct fleet_guest *guests;
    size_t guest_count;
    struct fleet_place *places;
    size_t place_count;
    /* Kinds of memory: ordinary, and one for each size of huge pages that backs some guest.  A fleet
     * without such guests has just the one. */
    size_t pool_count;
    uint32_t page_sizes;        /* A bit for each of these sizes: its number of KiB. */
    struct fleet_memory *pools; /* By account, less those of ordinary memory. */
};

/* Indexes the world of 'input' as 'diff' found it: who is charged where, and what every host may
 * hold.  Guests begin neither waiting nor blocked. */
struct fleet fleet_build(struct arena *arena, const struct plan_input *input,
                         const struct diff *diff);

/* How many accounts there are: one for each kind of memory on each host, fleet_nowhere() too. */
static inline size_t fleet_account_count(const struct fleet *fleet)
{
    return fleet->pool_count * (fleet->host_count + 1);
}

/* Number of the memory of kind 'pool' on 'host', below fleet_account_count(); that of ordinary memory is
 * the host's own.  For arrays beside the fleet. */
static inline size_t fleet_account(const struct fleet *fleet, uint32_t pool, uint32_t host)
{
    return pool * (fleet->host_count + 1) + host;
}

/* The memory of kind 'pool' on 'host'. */
static inline struct fleet_memory *fleet_memory(const struct fleet *fleet, uint32_t pool,
                                                uint32_t host)
{
    return pool == 0 ? &fleet->hosts[host].ordinary
                     : &fleet->pools[fleet_account(fleet, pool - 1, host)];
}

/* The memory that 'guest' takes its share of on 'host'. */
static inline struct fleet_memory *fleet_memory_for(const struct fleet *fleet, uint32_t guest,
                                                    uint32_t host)
{
    return fleet_memory(fleet, fleet->guests[guest].pool, host);
}

/* Number of the memory that 'guest' takes its share of on 'host'. */
static inline size_t fleet_account_for(const struct fleet *fleet, uint32_t guest, uint32_t host)
{
    return fleet_account(fleet, fleet->guests[guest].pool, host);
}

/* The kind of memory that a guest of the observation takes, by the size of its pages.  One whose pages are
 * unknown is charged to ordinary memory; whether it may move is compat's affair. */
uint32_t fleet_find_pool(const struct fleet *fleet, int32_t hugepage_kib);

/* Size of a pool's pages; 0 = ordinary. */
uint32_t fleet_page_kib(const struct fleet *fleet, uint32_t pool);

/* Takes 'guest' from the host it is on and puts it on 'host'.  Its charge goes along; a stopped guest
 * is charged again and runs. */
void fleet_move(struct fleet *fleet, uint32_t guest, uint32_t host);

/* Stops 'guest' where it is: it stays defined there and takes no room until it is moved. */
void fleet_stop(struct fleet *fleet, uint32_t guest);

/* Takes back the last change of 'guest': it was on 'host' before, and 'stopped' there or not. */
void fleet_take_back(struct fleet *fleet, uint32_t guest, uint32_t host, bool stopped);

/* A host that is none: it holds anybody, and is no more than a place to take a guest out of the way. */
uint32_t fleet_nowhere(const struct fleet *fleet);

/* How 'guest' makes its next hop. */
enum move_mode fleet_mode(const struct fleet *fleet, uint32_t guest);

/* True if 'guest' may take part in a plan. */
bool fleet_is_movable(const struct fleet *fleet, uint32_t guest);

/* A guest on 'host' that 'guest' must be apart from (planner.md, 'Apart'), or FLEET_NONE: both are in
 * one cluster and the file puts them on different hosts. */
uint32_t fleet_find_rival(const struct fleet *fleet, uint32_t guest, uint32_t host);

/* The one that comes after 'rival' by name, which may be FLEET_NONE for the first. */
uint32_t fleet_next_rival(const struct fleet *fleet, uint32_t guest, uint32_t host, uint32_t rival);

/* True if two guests must be apart. */
bool fleet_are_rivals(const struct fleet *fleet, uint32_t a, uint32_t b);

/* True if 'guest' waits and has not reached its host yet. */
bool fleet_is_left(const struct fleet *fleet, uint32_t guest);

/* The host called 'name', or FLEET_NONE. */
uint32_t fleet_find_host(const struct fleet *fleet, const char *name);
