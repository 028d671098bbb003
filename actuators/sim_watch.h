/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sim_watch: notices of what changes on watched hosts of a simulated fleet.
 *
 * It keeps what it last saw of each host and compares: after an access of this process, when something
 * that is under way ends, and, where the fleet is a file, when another process has replaced it.  So it
 * tells what libvirt would tell of the difference, not how it came about.  Faults scripted for "notice"
 * lose, double and delay what it tells.  Loop thread.
 */

#include <stddef.h>

struct actuator_notice;
struct loop;
struct sim_store;
struct sim_watch;

typedef void sim_watch_fn(void *context, const struct actuator_notice *notice);

/* A watch over no hosts; notice(context) is called from timers of 'loop' alone and may free it. */
struct sim_watch *sim_watch_new(struct loop *loop, struct sim_store *store, sim_watch_fn *notice,
                                void *context);

/* Watches exactly these hosts, as actuator_watch() says. */
void sim_watch_set(struct sim_watch *watch, const char *const *hosts, size_t count);

/* Looks soon, if the fleet has changed: after every access. */
void sim_watch_touch(struct sim_watch *watch);

/* Ends the watch; what is on its way is not told. */
void sim_watch_free(struct sim_watch *watch);
