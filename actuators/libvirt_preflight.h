/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* libvirt_preflight: proves that a guest can move, and touches nothing (migration.md, 'Live'). */

struct check_list;
struct err;
struct libvirt_move;

/* Makes every check of the move, adds it to 'list', and fails with the first that failed. */
int libvirt_preflight_run(struct libvirt_move *move, struct check_list *list, struct err *err);
