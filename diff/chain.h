/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Chain: who waits for whom in a fleet as a plan leaves it: for the reasons that people read, and for a
 * proof by arithmetic that somebody cannot move, in fleets of any size.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/prospect.h"

struct arena;
struct fleet;

/* A certificate is for reading: who waits for whom is followed this far. */
#define CHAIN_MAX 16

/* Guests that wait for one another, the one that is asked about first, and the hosts they wait for. */
struct chain {
    uint32_t guests[CHAIN_MAX];
    size_t guest_count;
    uint32_t hosts[CHAIN_MAX];
    size_t host_count;
};

/* The guests that are left, by the host they want to leave. */
struct chain_map {
    struct fleet *fleet;
    struct prospect_leaving *leaving; /* By account: what they take there together. */
    uint32_t *first;                  /* By host, in the order of names; FLEET_NONE = nobody. */
    uint32_t *next;                   /* By guest. */
};

/* Looks at who is left in 'fleet', nobody of whom is marked hopeless. */
struct chain_map chain_map_new(struct arena *arena, struct fleet *fleet);

/* Adds one that is not in it yet.  False if there is no room for it. */
bool chain_add_guest(struct chain *chain, uint32_t guest);
bool chain_add_host(struct chain *chain, uint32_t host);

/* True if 'host' is among those the chain waits for. */
bool chain_has_host(const struct chain *chain, uint32_t host);

/* Makes 'hosts' those that the guests belong on and, if they are several, are on. */
void chain_find_hosts(struct chain *chain, const struct fleet *fleet);

/* Everybody 'guest' waits for, directly or by way of others. */
struct chain chain_follow(const struct chain_map *map, uint32_t guest);

/* Leaves an irreducible set in the chain, as blocking_find() does, its hosts included; by arithmetic alone:
 * somebody's host can never hold it, so those who wait for its leaving wait for ever.  False, and the chain
 * as it was, if arithmetic does not tell.  The fleet is as before afterwards. */
bool chain_reduce(const struct chain_map *map, struct chain *chain);
