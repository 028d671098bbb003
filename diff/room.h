/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Room: the hosts that take guests, by how much memory of each kind is left on them, so that a temporary host is
 * found without looking at them all.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

struct arena;
struct fleet;
struct room;

/* Indexes the hosts of 'fleet' that answer and take guests. */
struct room *room_new(struct arena *arena, const struct fleet *fleet);

/* The charge of 'host' in memory of kind 'pool' has changed. */
void room_update(struct room *room, uint32_t pool, uint32_t host);

/* The first host that may have 'kib' of that kind left, the fullest first, and the one after 'host';
 * FLEET_NONE after the last.  Hosts with nearly equal room come in no particular, but always the same, order. */
uint32_t room_first(const struct room *room, uint32_t pool, uint64_t kib);
uint32_t room_next(const struct room *room, uint32_t pool, uint32_t host);

/* The first host with less than 'kib' left, the emptiest first, and the one after it. */
uint32_t room_first_below(const struct room *room, uint32_t pool, uint64_t kib);
uint32_t room_next_below(const struct room *room, uint32_t pool, uint32_t host);
