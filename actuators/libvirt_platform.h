/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_platform: what the platform's profile has both hosts asked before a move: the facts that its rules need
 * (model/platform.h), and whether what it provides for the guest is there.
 *
 * Both hosts are asked at once, and nothing is changed on either.  Blocking; the thread of the move.
 */

struct check_list;
struct libvirt_move;

/* Adds the checks of move->op, and fills move->present and move->known. */
void libvirt_platform_run(struct libvirt_move *move, struct check_list *list);
