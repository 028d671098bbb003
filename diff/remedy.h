/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Remedy: what would untie guests that wait for each other, tried out on the fleet before a person is
 * told (planner.md, 'Impossible?').  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

struct chain;
struct fleet;

/* The smallest guest of the chain that brings them all home, itself too, if it waits on a host that has
 * room for it and nothing else; FLEET_NONE if none does.  The fleet is as before afterwards. */
uint32_t remedy_by_detour(struct fleet *fleet, const struct chain *chain);

/* Likewise if it is stopped where it is until its host has room; only guests that run and are not allowed
 * it yet. */
uint32_t remedy_by_park(struct fleet *fleet, const struct chain *chain);

/* True if the first of the chain comes home once 'guest', another of it, is out of the way for good. */
bool remedy_by_leaving(struct fleet *fleet, const struct chain *chain, uint32_t guest);
