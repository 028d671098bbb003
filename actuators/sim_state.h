/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_state: the files that simulated guests keep of themselves on their hosts (model/state.h): their NVRAM.
 *
 * A file has a version instead of contents, which grows with each start of its guest; a guest that is started
 * where its file is not gets an empty one, as libvirt does.
 */

#include <stdbool.h>

struct check_list;
struct err;
struct op;
struct sim_fleet;
struct sim_guest;
struct sim_host;

/* PROVIDE and WITHDRAW of STATE on 'host', as sim_supply_provide() and sim_supply_withdraw(); 'peer' is the move's
 * other host. */
int sim_state_provide(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                      struct sim_host *peer, const char **note, struct err *err);
int sim_state_withdraw(struct sim_fleet *fleet, const struct op *op, struct sim_host *host,
                       struct sim_host *peer, const char **note, struct err *err);

/* True if 'host' has the file 'path' in its place. */
bool sim_state_is_there(const struct sim_host *host, const char *path);

/* Adds the check of storage that says whether the NVRAM of 'guest' can be copied from 'source' (NULL: the host
 * cannot be asked) to 'target'. */
void sim_state_check(const struct op *op, const struct sim_host *source,
                     const struct sim_host *target, const struct sim_guest *guest,
                     struct check_list *list);

/* Fails with ERR_UNSAFE if one of op->supplies is not on 'host', where the guest would get an empty one. */
int sim_state_check_start(const struct op *op, const struct sim_host *host, struct err *err);

/* 'guest' starts on 'host', and writes. */
void sim_state_start(struct sim_fleet *fleet, struct sim_host *host, const struct sim_guest *guest);
