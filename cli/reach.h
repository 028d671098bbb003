/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * reach: the way from a command to its hosts: the actuator that the config's uri names, and one look at
 * every host for the commands that only look.
 */

#include <stddef.h>

#include "model/observed.h"

struct actuator;
struct cli;
struct err;
struct ledger;
struct loop;
struct revision;
struct view;

/* Opens the simulated fleet (uri = sim:FILE) or libvirt; hosts are found by the config's templates when
 * they are asked for, so a file that gains a host needs no new actuator.  'cli' must stay. */
struct actuator *reach_open(struct cli *cli, struct loop *loop, struct err *err);

/* Opens an actuator on plain libvirt URIs, each host called by its URI; a single "sim:FILE" opens that
 * fleet.  '*hosts' are the names to ask for. */
struct actuator *reach_open_uris(struct cli *cli, struct loop *loop, const char *const *uris,
                                 size_t count, const char *const **hosts, size_t *host_count,
                                 struct err *err);

/* Looks at all hosts once through 'actuator', which it closes.  The result lives in cli->arena. */
void reach_look(struct cli *cli, struct loop *loop, struct actuator *actuator,
                const char *const *hosts, size_t count, struct observed *observed);

/* Everything the looking commands need: es.xml at 'es' (NULL: the config's), the journal if there is
 * one, and the hosts: as 'observed_path' recorded them ("-" = stdin), or asked now.  0, or the exit
 * status after printing why not.  Results live in cli->arena; '*ledger' is emptied if nothing was ever
 * journaled, and is not consulted for a recorded observation. */
int reach_view(struct cli *cli, const char *es, const char *observed_path,
               struct revision *revision, struct ledger *ledger, struct view *view);
