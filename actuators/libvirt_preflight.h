/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* libvirt_preflight: proves that a guest can move, and touches nothing (migration.md, 'Live'). */

struct err;
struct libvirt_move;

/* Checks one by one; the first that fails is the result and its text says what to change. */
int libvirt_preflight_run(const struct libvirt_move *move, struct err *err);
