/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_store: where a simulated fleet is kept between accesses: a file shared by processes, or memory.
 *
 * An access is sim_store_enter(), any use of the fleet, sim_store_leave().  Entering takes the lock
 * FILE.lock, reads the file unless it is the one already in memory, and brings the fleet to the
 * present; leaving replaces the file if anything changed.  One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct sim_fleet;
struct sim_store;

/* A store on the file 'path', which need not be readable yet. */
struct sim_store *sim_store_new_file(const char *path);

/* A store in memory that begins with the fleet in 'length' bytes of JSON. */
struct sim_store *sim_store_new_memory(const char *bytes, size_t length, struct err *err);

/* Releases the store; the file stays. */
void sim_store_free(struct sim_store *store);

/* Begins an access at 'wall_ms'; '*fleet' is valid until sim_store_leave().  On failure there is nothing
 * to leave. */
int sim_store_enter(struct sim_store *store, int64_t wall_ms, struct sim_fleet **fleet,
                    struct err *err);

/* Ends the access.  On failure the file is as it was and what was changed is forgotten. */
int sim_store_leave(struct sim_store *store, struct err *err);

/* A number that is another one whenever the fleet in memory may be another one.  Asks nobody. */
uint64_t sim_store_version(const struct sim_store *store);

/* True if other processes can reach the fleet too. */
bool sim_store_is_shared(const struct sim_store *store);

/* True if the file is no longer the one that was read or written last.  Takes no lock. */
bool sim_store_is_stale(const struct sim_store *store);

/* Replaces the whole fleet by 'length' bytes of JSON, outside of an access. */
int sim_store_replace(struct sim_store *store, const char *bytes, size_t length, struct err *err);
