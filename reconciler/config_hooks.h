/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* config_hooks: what [hooks] of berth.conf takes that other sections do not.  For reconciler/config.c and
 * reconciler/config_key.c.  Pure. */

#include <stdbool.h>

struct hook_config;

/* The section's defaults: the events that a person wants to hear of, and nobody to tell them to. */
struct hook_config config_hooks_default(void);

/* True if 'name' is an event that hooks can be told: one of event_json_name() that does not come every
 * second. */
bool config_hooks_is_event(const char *name);

/* True if 'text' is the URL of a web server, without a user and a password, which belong into no URL.  What
 * else may be wrong with it, its server tells. */
bool config_hooks_is_url(const char *text);

/* True if what 'hooks' send would leave this machine unencrypted although nobody said that it may. */
bool config_hooks_is_exposed(const struct hook_config *hooks);
