/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_origin: what is behind a stopped guest's volumes, learnt where it comes from while it has them, and
 * proven where it goes once it has them there: the two never have them at the same time.
 *
 * Each is one question to one host, over SSH; where a device does not tell itself, the platform's profile may
 * (berth-profile.5, 'identity').  Blocking; the thread of the move.
 */

struct check_list;
struct libvirt_move;

/* Fills move->supplies with those of move->op and what is behind its volumes on move->source; of a move that is
 * live or forced with nothing.  A volume of which nobody can tell makes a check that warns. */
void libvirt_origin_learn(struct libvirt_move *move, struct check_list *list);

/* Adds a check for each of move->op's supplies of its kind that has an identity: is it the same on move->source,
 * which is where the guest goes?  Else, or if that cannot be told, it fails with ERR_UNSAFE. */
void libvirt_origin_prove(const struct libvirt_move *move, struct check_list *list);
