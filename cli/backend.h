/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * backend: what the control API of berthd shows and does: documents are the reconciler's and the journal's,
 * acts are orders for it.  Loop thread.
 */

#include "reconciler/api/api.h"

struct journal;
struct metrics;
struct reconciler;

struct backend {
    struct reconciler *reconciler;
    struct journal *journal;
    struct metrics *metrics;
    struct api *api;   /* Where answers go; set after api_open(). */
    unsigned openings; /* How many there have been: an answer is for the one that asked. */
};

/* The seam of 'backend', which must stay as long as it is used. */
struct api_backend backend_seam(struct backend *backend);
