/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Release: hosts that have booted are told to start what their guard holds back, one host or guest at a time.
 * For the files of the controller; what may be released is guard.h's.
 */

#include <stdbool.h>

struct reconciler;

/* Begins the next release that is due, in a run for one guest only that guest's; the pass goes on after it.  False if there is none, or berth.conf
 * knows of no guards.  A person is told of each guest that stays held back for something only a person can
 * end. */
bool release_next(struct reconciler *reconciler);
