/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Door: lets callers in from a listener, or turns them away.
 */

#include "base/loop.h"
#include "reconciler/api/listener.h"

struct api;

struct door {
    struct api *api;
    struct listener listener; /* LISTENER_CLOSED: nobody comes this way. */
    struct loop_watch watch;
    struct loop_timer pause; /* Armed while descriptors have run out. */
};

/* Lets callers in from now on.  One who may not come in is told why and let go. */
void door_open(struct door *door);

/* Lets nobody in any more and closes the listener. */
void door_close(struct door *door);
