/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Config: berth.conf (contract.md §3) as a value, read with inih.  Unknown sections, unknown keys and
 * values that do not parse are faults with line numbers, all in one run.
 */

#include <stddef.h>

#include "model/policy.h"
#include "reconciler/api/api.h"
#include "reconciler/hook.h"
#include "reconciler/timetable.h"

#define CONFIG_MAX_BYTES       ((size_t)1024 * 1024)
#define CONFIG_DEFAULT_PATH    "/etc/berth/berth.conf"
#define CONFIG_DEFAULT_SOCKET  "/run/berth/api.sock"
#define CONFIG_DEFAULT_POLL_MS INT64_C(60000)

#define CONFIG_DEFAULT_HISTORY_DAYS    400u
#define CONFIG_DEFAULT_HISTORY_RECORDS 200000u

struct arena;
struct err;
struct faults;

struct config_host {
    const char *name;
    const char *uri; /* Or NULL, as the others. */
    const char *peer_uri;
    const char *ssh;
    const char *fence; /* Name of what takes its power away. */
    const char *fence_port;
};

/* A fence device and the agent that speaks with it ([fence NAME]). */
struct config_fence {
    const char *name;
    const char *agent;   /* Path of the program. */
    const char *options; /* Template, words "option=value"; config_fence_of(): a line each. */
    const char *secrets; /* File of more of them, or NULL. */
};

/* How what differs from the file, although the file is the same, came to differ (reconciler/drift.h), and
 * what to do about it: [drift] of berth.conf. */
enum config_drift_class {
    CONFIG_DRIFT_OPERATOR_MOVE, /* Somebody moved the guest. */
    CONFIG_DRIFT_HALF_STEP,     /* A move of ours left it on the way. */
    CONFIG_DRIFT_HOST_RESTART,  /* It ran, and is off since its host came up again. */
    CONFIG_DRIFT_VANISHED,      /* No host knows it any more. */
    CONFIG_DRIFT_DUPLICATE,     /* More than one host has it. */
    CONFIG_DRIFT_SIZE,          /* Other cores or memory than the file says. */
    CONFIG_DRIFT_CLASSES,
};

enum config_drift_answer {
    CONFIG_DRIFT_REPORT,  /* Show it, leave it. */
    CONFIG_DRIFT_CORRECT, /* Bring the guest back, or start it. */
    CONFIG_DRIFT_ADOPT,   /* Write where it is into es.xml. */
    CONFIG_DRIFT_HOLD,    /* Hold the guest until a person releases it. */
    CONFIG_DRIFT_ANSWERS,
};

struct config {
    const char *path; /* Where it was read from. */
    const char *es_xml;
    const char *state_dir;
    int64_t poll_ms;             /* A daemon looks at the hosts at least this often. */
    uint32_t history_days;       /* The past that the journal keeps: so old, ... */
    uint32_t history_records;    /* ... and so many moves, events, plans and runs. */
    const char *uri;             /* Template. */
    const char *peer_uri;        /* Template; NULL = uri. */
    const char *ssh;             /* Template "user@%h[:port]"; NULL = derived from an ssh uri. */
    const char *ssh_key;         /* Or NULL. */
    const char *ssh_known_hosts; /* Or NULL. */
    bool guard;                  /* Hosts are asked for berth-guard. */
    const char *profile;         /* [fleet] profile, or NULL; what it says is policy.profile. */
    const struct config_host *hosts; /* Sorted by name. */
    size_t host_count;
    const struct config_fence *fences; /* Sorted by name. */
    size_t fence_count;
    struct policy policy;
    enum config_drift_answer drift[CONFIG_DRIFT_CLASSES];
    struct timetable timetable;
    struct hook_config hooks;
    struct api_config api; /* 'socket' NULL: ask config_socket(). */
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

/* What fences 'host': 'options' are lines, with its port among them.  ERR_NOT_FOUND: nothing does. */
int config_fence_of(struct arena *arena, const struct config *config, const char *host,
                    struct config_fence *fence, struct err *err);

/* Where the control API's Unix socket is, or is to be: as set, else CONFIG_DEFAULT_SOCKET with the default
 * state_dir and "api.sock" in any other, so that controllers of several fleets do not meet. */
const char *config_socket(struct arena *arena, const struct config *config);

/* SHA-256 over everything in 'config' that a decision depends on (policy, not connections nor
 * when). */
void config_policy_digest(const struct config *config, char hex[65]);

/* Stable names: of a class as status and journal show it, and of its answer as berth.conf says it. */
const char *config_drift_class_name(enum config_drift_class class);
const char *config_drift_answer_name(enum config_drift_answer answer);
