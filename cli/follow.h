/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * follow: a command looks on while the berthd that runs carries the plan out, and shows what it would show of
 * a run of its own, until nothing is left that can be done now.
 */

struct cli;
struct daemon;
struct text;

struct follow_request {
    const char *only;   /* What becomes of this guest alone counts, or NULL. */
    const char *agreed; /* The plan as a person has seen it already, or NULL. */
    const char *digest; /* Of the revision of es.xml that berthd is to have taken up. */
    struct text
        *json; /* Gets the result as a "berth.apply/1" object; NULL: it is printed as text. */
};

/* Asks 'daemon' to look now, and follows it.  SIGINT and SIGTERM end the following, not the moves.  The exit
 * status, as of a run of one's own. */
int follow_moves(struct cli *cli, struct daemon *daemon, const struct follow_request *request);
