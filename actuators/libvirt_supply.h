/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_supply: PROVIDE and WITHDRAW on real hosts, with the commands of the platform's profile: probe, act,
 * and probe again.
 *
 * Only what the probes say counts.  A command whose reply was lost is followed by its effect until it can do
 * nothing more, so that what is told to have failed does not come true later.  Blocking; the thread of a job.
 */

#include <stdint.h>

struct err;
struct libvirt_command_host;
struct libvirt_move;
struct libvirt_move_end;
struct supply_list;

/* 'end', to run the commands of move->op's profile there for as long as it may take. */
struct libvirt_command_host libvirt_supply_host(const struct libvirt_move *move,
                                                const struct libvirt_move_end *end);

/* Carries out move->op, which is PROVIDE or WITHDRAW, on move->source; move->note says why there was less to do
 * than asked. */
int libvirt_supply_run(struct libvirt_move *move, struct err *err);

/* Fails with ERR_UNSAFE if the platform tells that another host than move->source has a volume of move->op
 * attached: nobody may start its guest then. */
int libvirt_supply_check_owners(const struct libvirt_move *move, struct err *err);

/* Which volume the platform says is behind 'path' on 'end', in move->arena; NULL if 'path' is none of move->op's,
 * or the platform does not tell. */
int libvirt_supply_identity(const struct libvirt_move *move, const struct libvirt_move_end *end,
                            const char *path, const char **identity, struct err *err);

/* Fails if an interface of move->op is none that 'target' has to give (ERR_INCOMPATIBLE), or a guest there runs
 * with it (ERR_CONFLICT).  'host' is the target. */
int libvirt_supply_check_interfaces(const struct libvirt_move *move,
                                    const struct libvirt_move_end *target,
                                    struct libvirt_command_host *host, struct err *err);

/* The kinds of which everything in move->op is there on 'end', whose commands run on 'host', and those of which that
 * could be found out.  '*err' says of the first other one why not. */
void libvirt_supply_survey(const struct libvirt_move *move, const struct libvirt_move_end *end,
                           struct libvirt_command_host *host, uint32_t *present, uint32_t *known,
                           struct err *err);
