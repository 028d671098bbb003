/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Faults: everything that is wrong with an input file, each with its line, collected in one run and
 * printed as "FILE:LINE: message".  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct arena;

struct fault {
    uint32_t line; /* From 1; 0 = the file as a whole. */
    const char *text;
};

/* Kept in the order found until faults_sort().  At most FAULTS_MAX are kept, the rest counted. */
#define FAULTS_MAX 1000

struct faults {
    struct arena *arena;
    struct fault *items;
    size_t count;
    size_t capacity;
    size_t dropped; /* Found beyond FAULTS_MAX. */
};

/* An empty list whose storage comes from 'arena'. */
struct faults fault_list(struct arena *arena);

/* Adds one fault. */
void fault_add(struct faults *faults, uint32_t line, const char *fmt, ...) PRINTF(3, 4);

/* Sorts by line, then text, and drops exact repetitions. */
void fault_sort(struct faults *faults);
