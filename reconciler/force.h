/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Force: a person's wish to start a guest of a dead host elsewhere (migration.md, 'Forced').
 */

#include <stdint.h>

struct force_request {
    const char *guest; /* Of the file. */
    const char *to;    /* Host of the file, where it is to run. */
    const char
        *dead; /* Host that the person attests to be dead, or NULL: only fencing proves it. */
    const char *user; /* Who asks. */
    int64_t
        patience_ms; /* Withdrawn, and answered ERR_BUSY, if it has not begun by then; 0 = waits. */
};
