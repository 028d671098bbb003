/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Headline: what is going on, in one line for people who glance at it.  Pure. */

struct status;
struct text;

/* Appends it, without a line end: "moving vm1 from kvm1 to kvm2 (live, 40 %), then 2 more; 1 guest waits". */
void headline_write(struct text *text, const struct status *status);
