/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Heap: memory of what lives by itself, from its creation to free().
 *
 * Exhausting it aborts, as it does in base/arena.h.
 */

#include <stddef.h>
#include <stdlib.h>

/* 'size' zeroed bytes; the caller's, free() releases them. */
static inline __attribute__((returns_nonnull, malloc, alloc_size(1))) void *heap_alloc(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

#define HEAP_NEW(type) ((type *)heap_alloc(sizeof(type)))
