/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Obstacle: why a waiting guest that no order was found for stays where it is, in numbers and in
 * sentences a person can act on (planner.md, 'Impossible?').  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "diff/plan.h"

struct arena;
struct fleet;
struct obstacle_map;

/* Prepares the explanations of one fleet, in the state that the plan leaves it in: who is left, what
 * each host could hold if they all left, which hosts have room.  What is tried out on the fleet is taken
 * back. */
struct obstacle_map *obstacle_map_new(struct arena *arena, struct fleet *fleet);

/* The block of 'guest', which is left (fleet_is_left()). */
struct plan_block obstacle_explain(struct arena *arena, const struct obstacle_map *map,
                                   uint32_t guest);
