/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Store: the SQLite implementation behind journal.h, as its own files see it.
 */

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "base/loop.h"
#include "reconciler/journal/journal.h"
#include "reconciler/journal/prune.h"

struct store_request;

struct store_list {
    struct store_request *first;
    struct store_request *last;
};

struct store {
    struct journal base; /* First: a struct journal of ours is a struct store. */
    struct loop *loop;   /* NULL: opened for reading. */
    char *state_dir;
    int lock_fd;     /* -1: opened for reading. */
    sqlite3 *writer; /* The commit thread's while there is one, as the next. */
    struct prune_sweep sweep;
    sqlite3 *reader; /* The loop thread's. */
    bool is_inline;
    struct loop_timer timer; /* Inline: delivers what is finished. */

    pthread_t thread;
    pthread_mutex_t mutex; /* Of what follows. */
    pthread_cond_t wake;
    bool closing;
    struct store_list waiting;  /* For the commit thread. */
    struct store_list finished; /* For their callbacks. */
};

static inline struct store *store_of(struct journal *journal)
{
    return (struct store *)journal;
}
