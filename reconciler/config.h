/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Config: berth.conf (contract.md §3) as a value, read with inih.  Unknown sections, unknown keys and
 * values that do not parse are faults with line numbers, all in one run.
 */

#include <stddef.h>

#include "model/policy.h"

#define CONFIG_MAX_BYTES    ((size_t)1024 * 1024)
#define CONFIG_DEFAULT_PATH "/etc/berth/berth.conf"

struct arena;
struct err;
struct faults;

struct config_host {
    const char *name;
    const char *uri; /* Or NULL, as the others. */
    const char *peer_uri;
    const char *ssh;
};

struct config {
    const char *path; /* Where it was read from. */
    const char *es_xml;
    const char *state_dir;
    const char *uri;             /* Template. */
    const char *peer_uri;        /* Template; NULL = uri. */
    const char *ssh;             /* Template "user@%h[:port]"; NULL = derived from an ssh uri. */
    const char *ssh_key;         /* Or NULL. */
    const char *ssh_known_hosts; /* Or NULL. */
    const struct config_host *hosts; /* Sorted by name. */
    size_t host_count;
    struct policy policy;
};

/* The defaults of contract.md §3. */
struct config config_default(void);

/* Reads 'path'.  -1 with 'faults' filled (the file is wrong) or with '*err' (it cannot be read; then
 * faults->count is 0). */
int config_read(struct arena *arena, const char *path, struct config *config, struct faults *faults,
                struct err *err);

/* 'template' with %h = 'host', %s = its first label, %% = %.  NULL and '*err' for another '%'. */
const char *config_expand(struct arena *arena, const char *template, const char *host,
                          struct err *err);

/* The URI of 'host' as we reach it, and as other hosts reach it. */
const char *config_uri(struct arena *arena, const struct config *config, const char *host,
                       struct err *err);
const char *config_peer_uri(struct arena *arena, const struct config *config, const char *host,
                            struct err *err);

/* "user@host[:port]" for commands on 'host': its own setting, the fleet's, or taken from an ssh uri;
 * NULL without error if there is none. */
const char *config_ssh(struct arena *arena, const struct config *config, const char *host,
                       struct err *err);

/* SHA-256 over everything in 'config' that a decision depends on (policy, not connections). */
void config_policy_digest(const struct config *config, char hex[65]);
