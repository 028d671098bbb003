/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Replay: the world as the verifier sees it while it makes a plan's moves, one by one.  It reads who is
 * charged where from the observation on its own: nothing here is shared with the planner, which must
 * not use it.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/lookup.h"
#include "model/op.h"

#define REPLAY_NONE LOOKUP_NONE

struct arena;
struct desired_host;
struct observed_guest;
struct observed_host;
struct plan_input;

/* Memory of one kind on one host.  Every host has ordinary memory; an account of huge pages is opened when
 * it is first asked for. */
struct replay_account {
    uint64_t page_kib; /* 0 = ordinary. */
    uint64_t limit_kib;
    uint64_t used_kib;
    struct replay_account *next;
};

/* The file's hosts come first, each by its index there, then those that were only observed. */
struct replay_host {
    const char *name;
    const struct observed_host *seen; /* NULL = not in the observation. */
    const struct desired_host *declared;
    struct replay_account memory;
    uint64_t cpu_limit;
    uint64_t cpu_listed; /* What the file puts here, and unlisted guests. */
    uint64_t cpu_used;
    uint32_t first; /* Of the stays here. */
};

/* A guest of the file staying on a host. */
struct replay_stay {
    uint32_t guest;
    uint32_t host;
    uint32_t next;
    uint64_t kib;
    uint64_t page_kib; /* Of the memory that it takes. */
    uint64_t vcpus;
};

/* A guest of the file, by its index there. */
struct replay_guest {
    const struct observed_guest *seen; /* These three are of use if it was seen once. */
    uint32_t host;
    uint32_t stay;
    uint32_t sightings;
    uint64_t vcpus; /* The most that any sighting or the file says. */
    bool moving;    /* In flight before the plan begins. */
    bool stopped;   /* By a stop move: it takes no room until it is moved. */
    bool started;   /* By an offline move, whatever was seen of it. */
};

struct replay {
    struct arena *arena;
    const struct plan_input *input;
    struct lookup host_names;
    struct lookup guest_names;
    struct replay_host *hosts;
    size_t host_count;
    struct replay_guest *guests;
    struct replay_stay *stays;
    size_t stay_count;
};

/* The world of 'input' before the first move. */
struct replay replay_build(struct arena *arena, const struct plan_input *input);

/* Index of a host or guest, or REPLAY_NONE. */
uint32_t replay_find_host(const struct replay *replay, const char *name);
uint32_t replay_find_guest(const struct replay *replay, const char *name);

/* The account of 'host' for pages of this size, 0 = ordinary ones. */
struct replay_account *replay_account(struct replay *replay, uint32_t host, uint64_t page_kib);

/* Moves a guest that was seen once to 'host', or only stops it (MOVE_STOP). */
void replay_move(struct replay *replay, uint32_t guest, uint32_t host, enum move_mode mode);
