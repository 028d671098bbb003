/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * reach: the way from a command to its hosts: the actuator that the config's uri names, and one look at
 * every host for the commands that only look.
 */

#include <stddef.h>

#include "base/base.h"
#include "model/observed.h"
#include "reconciler/ledger.h"
#include "reconciler/source.h"
#include "reconciler/view.h"

struct actuator;
struct cli;
struct err;
struct loop;
struct reconciler_world;

/* Opens the simulated fleet (uri = sim:FILE) or libvirt; hosts are found by the config's templates when
 * they are asked for, so a file that gains a host needs no new actuator.  'cli' must stay. */
struct actuator *reach_open(struct cli *cli, struct loop *loop, struct err *err);

/* Opens what a controller acts by, on the loop that 'world' has: the config's journal and hosts.  0, or the exit
 * status after printing why not; then nothing is open. */
int reach_open_world(struct cli *cli, struct reconciler_world *world);

/* Closes both. */
void reach_close_world(struct reconciler_world *world);

/* Opens an actuator on plain libvirt URIs, each host called by its URI; a single "sim:FILE" opens that
 * fleet.  '*hosts' are the names to ask for. */
struct actuator *reach_open_uris(struct cli *cli, struct loop *loop, const char *const *uris,
                                 size_t count, const char *const **hosts, size_t *host_count,
                                 struct err *err);

/* Looks at all hosts once through 'actuator', which it closes.  The result lives in cli->arena. */
void reach_look(struct cli *cli, struct loop *loop, struct actuator *actuator,
                const char *const *hosts, size_t count, struct observed *observed);

/* What a looking command looks at. */
struct reach_sight {
    const char *es;       /* File in place of the config's es_xml, or NULL. */
    const char *observed; /* A recorded observation ("-" = stdin) in place of the hosts, or NULL. */
    struct revision revision;
    struct ledger ledger; /* Empty if nothing was ever journaled, or for a recorded observation. */
    struct view view;
};

/* The two options that fill 'sight', for a command's table. */
#define REACH_SIGHT_OPTIONS(sight)                                                                \
    { .name = "es",                                                                               \
      .value = "FILE",                                                                            \
      .help = "read FILE in place of the config's es_xml",                                        \
      .text = &(sight).es },                                                                      \
    {                                                                                             \
        .name = "observed", .value = "FILE",                                                      \
        .help = "use a recorded observation ('-': stdin), ask no host", .text = &(sight).observed \
    }

/* Reads es.xml, the journal if there is one, and the hosts.  0, or the exit status after printing why not.
 * Results live in cli->arena. */
int reach_see(struct cli *cli, struct reach_sight *sight);

/* The same for the revision that sight->revision holds already. */
int reach_see_revision(struct cli *cli, struct reach_sight *sight);

/* Releases what reach_see() filled; also when it failed. */
void reach_sight_deinit(struct reach_sight *sight);

AUTO_VALUE(sight, struct reach_sight, reach_sight_deinit);
