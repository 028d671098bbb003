/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lookup: the number that belongs to a name, in constant time.  A container and nothing more: it holds
 * no rule of planning, so planner and verifier may both use it.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#define LOOKUP_NONE UINT32_MAX

struct arena;
struct lookup_slot;

struct lookup {
    struct lookup_slot *slots;
    size_t mask; /* Slots less one; their number is a power of two. */
};

/* An empty table with room for 'count' names. */
struct lookup lookup_new(struct arena *arena, size_t count);

/* Enters 'name', which must outlive the table.  A name that is there already keeps its first value. */
void lookup_add(struct lookup *lookup, const char *name, uint32_t value);

/* The value of 'name', or LOOKUP_NONE. */
uint32_t lookup_find(const struct lookup *lookup, const char *name);

/* Names that are members of the structs of an array: &array[0].name, sizeof(array[0]), and how many. */
struct lookup_names {
    const char *const *first;
    size_t stride;
    size_t count;
};

/* Enters each with its index, as lookup_add() would one by one, but sooner. */
void lookup_add_all(struct lookup *lookup, struct lookup_names names);

/* The value of each, as lookup_find() would find it. */
void lookup_find_all(const struct lookup *lookup, struct lookup_names names, uint32_t *values);
