/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Quota: how many connections and requests each peer has had, so that one of them cannot use up what is
 * there for all.  Pure; time is a parameter.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUOTA_PEERS           32
#define QUOTA_REQUESTS_BURST  100 /* At once ... */
#define QUOTA_REQUESTS_SECOND 20  /* ... and from then on. */

struct quota_peer {
    uint64_t key;
    size_t connections;
    int64_t level_milli; /* Thousandths of a request used up. */
    int64_t at_ms;       /* When 'level_milli' was true; 0 = the place is free. */
};

struct quota {
    struct quota_peer peers[QUOTA_PEERS];
};

/* Counts a connection of the peer 'key'; false if it has 'most' already, or if too many others are there. */
bool quota_enter(struct quota *quota, uint64_t key, size_t most, int64_t now_ms);

/* The end of a connection that was counted. */
void quota_leave(struct quota *quota, uint64_t key);

/* Counts a request of a peer that has a connection; false if that is too many in too short a time. */
bool quota_spend(struct quota *quota, uint64_t key, int64_t now_ms);
