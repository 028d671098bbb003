/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_migrate: live migrations, peer to peer, so that one goes on when this process dies
 * (migration.md), and following one that already runs.
 */

struct err;
struct libvirt_move;

/* Migrates move->op's guest and reports progress until the migration has ended, either way.  A cancelled
 * one is aborted; what really happened is the result. */
int libvirt_migrate_run(struct libvirt_move *move, struct err *err);

/* Follows the outgoing migration until there is none.  0: whoever asked looks at both hosts to learn how
 * it ended.  ERR_CANCELLED: it was cancelled and the guest still runs on the source. */
int libvirt_migrate_adopt(struct libvirt_move *move, struct err *err);
