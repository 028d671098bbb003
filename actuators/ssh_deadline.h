/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ssh_deadline: the instant by which a call to a host must have ended, on the monotonic clock.
 *
 * Whatever a call does shares one of these, so that no step of it can take another's time.  Any thread.
 */

#include <stdint.h>

/* The instant 'delay_ms' from now. */
int64_t ssh_deadline_in(int64_t delay_ms);

/* Milliseconds that are left, 0 once it has passed; fits poll(). */
int ssh_deadline_left_ms(int64_t deadline);
