/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rest: what happens between passes: the run ends, or waits for a timer, for the file, for hosts that tell of
 * changes.  For the files of the controller. */

#include <stdint.h>

struct actuator_notice;
struct reconciler;

/* What hosts tell by themselves is looked at when they have ceased to tell for this long, at the latest this
 * long after the first notice; and a fleet that never ceases is looked at no more often than this many
 * times what a look takes. */
#define REST_NOTICE_QUIET_MS INT64_C(100)
#define REST_NOTICE_LIMIT_MS INT64_C(500)
#define REST_NOTICE_LOOKS    4

/* Nothing can be done now. */
void rest_begin(struct reconciler *reconciler);

/* What rests is woken; a pass under way sees that it has been overtaken; a move goes on. */
void rest_wake(struct reconciler *reconciler);

/* Follows the file, on whose last good revision the controller falls back. */
void rest_follow_file(struct reconciler *reconciler);

/* A calls_notice_fn and a loop_fn: a host tells of a change; hosts have ceased to. */
void rest_on_notice(void *context, const struct actuator_notice *notice);
void rest_on_heard(void *context);
