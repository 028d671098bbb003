/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Revive: a command has guests of a dead host started elsewhere, one after the other, by a controller that runs or
 * else by itself.  Whether a guest may be started is the controller's to judge (reconciler/force.h).
 */

struct edit;
struct text;

/* What 'edit' begins with: looks at the hosts, and at what the journal knows of those that do not answer; whoever may
 * not be started elsewhere for all that is known now is kept out of the plan.  0, or the exit status after printing why not, also if 'host', which may be NULL, answers. */
int revive_look(struct edit *edit, const char *host);

/* Makes the moves of edit->plan, in their order; the file is written.  The place of a guest whose move was refused
 * or has failed is put back.  Prints what came of it, or gives it to 'json'.  The exit status. */
int revive_guests(struct edit *edit, struct text *json);
