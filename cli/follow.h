/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * follow: a command looks on while the berthd that runs carries the plan out, and shows what it would show of
 * a run of its own, until nothing is left that can be done now.
 */

struct cli;
struct daemon;
struct run_request;

/* Asks 'daemon' to look now, and follows it until the revision of es.xml with 'digest' is carried out, or a newer
 * one; what becomes of request->only alone counts.  SIGINT and SIGTERM end the following, not the moves.  The exit
 * status, as of a run of one's own. */
int follow_moves(struct cli *cli, struct daemon *daemon, const struct run_request *request,
                 const char *digest);
