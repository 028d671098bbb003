/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_state: PROVIDE and WITHDRAW of the files that a guest keeps of itself (model/state.h) on real hosts,
 * and what has to be known of them before a move and a start.
 *
 * Contents go through this program: hosts need no way to one another.  Blocking; the thread of a job.
 */

#include <stdbool.h>

struct check_list;
struct err;
struct libvirt_move;
struct op;

/* Carries out move->op, which is about STATE, on move->source; move->target is the move's other host.  move->note
 * says why there was nothing to do. */
int libvirt_state_run(struct libvirt_move *move, struct err *err);

/* True if the move of 'op', which is PREFLIGHT, copies the file at 'path'. */
bool libvirt_state_is_copied(const struct op *op, const char *path);

/* Adds the checks of storage that say whether the files of move->op can be copied. */
void libvirt_state_check(struct libvirt_move *move, struct check_list *list);

/* Fails with ERR_UNSAFE if a file of move->op is not on move->source, as libvirt would make an empty one for the
 * guest that starts there. */
int libvirt_state_check_start(const struct libvirt_move *move, struct err *err);
