/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Profile: how one platform gives a host what a guest needs there, and which rules it has for moves, as a
 * value (berth-profile.5).  Reading the file is reconciler/config_profile.h's, running the commands the
 * actuator's.
 *
 * A command is a vector of words.  A placeholder such as {name} is replaced inside its word, after the line
 * has been taken apart, so what it stands for is never a word more; and nothing replaces it that another
 * program could take for more than a name.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/platform.h"
#include "model/supply.h"

struct arena;
struct err;

enum profile_verb {
    PROFILE_PROBE,    /* Status 0: it is there, 1: it is not; anything else is no answer. */
    PROFILE_PROVIDE,  /* Makes it be there. */
    PROFILE_WITHDRAW, /* Makes it be gone. */
    PROFILE_OWNERS,   /* Prints who has the volume attached, one a line. */
    PROFILE_REVOKE,   /* Takes the volume away from {peer}, which is dead. */
    PROFILE_OFFERS,   /* Prints the interfaces that {host} has to give to guests, one a line. */
    PROFILE_IDENTITY, /* Prints which volume is behind {device} on {host}, the same word on every host. */
    PROFILE_STAT,   /* STATE, as all that follow.  Prints type, permissions, owner, group, bytes. */
    PROFILE_SUM,    /* Prints the SHA-256 of {device} first. */
    PROFILE_READ,   /* Prints what is in {device}. */
    PROFILE_CREATE, /* Makes {device} anew, empty, with {permissions}, {owner} and {group}. */
    PROFILE_WRITE,  /* Writes its standard input into {device}, to stay. */
    PROFILE_RENAME, /* {device} is called {new-device} from now on; replaces nothing. */
    PROFILE_SYNC,   /* Renamed to {device}, a file stays so. */
    PROFILE_VERB_COUNT,
};

struct profile_command {
    const char *const *words; /* Up to a NULL; the first is the program. */
    uint32_t line;            /* Where the profile says it, ... */
    const char *key;          /* ... and as what, for people: "[volume] provide"; or NULL. */
};

/* What one verb does: commands that are run one after the other. */
struct profile_commands {
    const struct profile_command *items;
    size_t count;
};

/* One kind of supply. */
struct profile_supply {
    bool given; /* The platform provides this kind. */
    /* Patterns of the names it provides, up to a NULL; NULL: all, of INTERFACE only PCI functions. */
    const char *const *names;
    const char *const *devices; /* The same of devices. */
    struct profile_commands verbs[PROFILE_VERB_COUNT];
    int64_t timeout_ms; /* Of each command. */
    bool shared;        /* VOLUME: two hosts may have it during a live move. */
    bool start;         /* POOL: one that is not active is started; ... */
    bool refresh;       /* ... and one that does not know the volume looks for it. */
    const char *owner;  /* VOLUME: a word, how OWNERS calls {host}. */
    const char *owners_match;
    uint64_t max_bytes; /* STATE: larger files are refused. */
};

/* A value that commands need and only a host knows. */
struct profile_lookup {
    const char *name; /* Its placeholder. */
    struct profile_command command;
    const char *
        match; /* Extended regular expression, its first group or all of it is the value; NULL: the line. */
};

enum profile_source {
    PROFILE_SOURCE_NONE,
    PROFILE_SOURCE_ES,      /* An element of the host in es.xml. */
    PROFILE_SOURCE_LIBVIRT, /* What libvirt says of the host. */
    PROFILE_SOURCE_COMMAND, /* What a command prints there. */
};

/* How a fact is obtained. */
struct profile_fact {
    enum profile_source source;
    const char *element; /* Of ES and LIBVIRT. */
    struct profile_command command;
    const char *match; /* As in a lookup. */
    const char *
        is; /* The fact is "yes" if something of what was printed matches this, else "no"; or NULL. */
};

/* What [state] takes for granted unless it says otherwise, and the most that it may say. */
#define PROFILE_STATE_BYTES     (UINT64_C(64) * 1024 * 1024)
#define PROFILE_STATE_MAX_BYTES (UINT64_C(256) * 1024 * 1024)

/* Of a command that the profile sets no other for: those that obtain facts, and lookups. */
#define PROFILE_TIMEOUT_MS INT64_C(30000)

struct profile {
    const char *name;
    struct profile_supply supplies[SUPPLY_KIND_COUNT];
    const struct profile_lookup *lookups; /* Each uses earlier ones only. */
    size_t lookup_count;
    struct profile_fact facts[PLATFORM_FACT_COUNT];
    struct platform_rules rules;
    bool announce; /* QEMU is asked to announce itself again after a live move. */
};

/* What a command is for; strings may be NULL where it has no such placeholder. */
struct profile_names {
    const char *host; /* Where it runs. */
    const char *peer; /* The other host of the move, or the dead one. */
    const char *guest;
    const char *uuid;
    const char *name; /* Of the supply. */
    const char *device;
    const char *new_device; /* Of STATE, as the next three. */
    const char *permissions;
    const char *owner;
    const char *group;
    const char *const
        *lookups; /* A value or NULL for each of the profile's; NULL: none is known. */
};

/* The platform of which nothing is known but libvirt: it provides libvirt's pools and has no rules.  What
 * configs/profiles/libvirt.conf says. */
const struct profile *profile_default(void);

/* Does the platform provide this kind of supply; and this one of that kind? */
bool profile_provides(const struct profile *profile, enum supply_kind kind);
bool profile_takes(const struct profile *profile, enum supply_kind kind, const char *name,
                   const char *device);

/* Can it take a volume away from a dead host, and tell whether it is gone there? */
bool profile_revokes(const struct profile *profile);

/* What a bridge of this name is to the platform: SUPPLY_NAT_BRIDGE if it provides such by that name, else
 * SUPPLY_BRIDGE. */
enum supply_kind profile_bridge_kind(const struct profile *profile, const char *name);

/* Does the text match the pattern, in which '*' is any text and '?' any byte? */
bool profile_matches(const char *pattern, const char *text);

/* Takes 'text' apart into words: blanks separate them, "..." and '...' hold some together.  NULL, and
 * 'words' up to a NULL from 'arena', or what is wrong with it. */
const char *profile_split(struct arena *arena, const char *text, const char *const **words);

/* NULL if 'words' are a command whose placeholders are known, with the first 'lookup_count' lookups at
 * 'lookups'; else what is wrong with it. */
const char *profile_judge(struct arena *arena, const char *const *words,
                          const struct profile_lookup *lookups, size_t lookup_count);

/* The lookup that has to be made next before 'command' can be expanded, or the profile's 'lookup_count' if
 * there is none. */
size_t profile_missing(const struct profile *profile, const struct profile_command *command,
                       const struct profile_names *names);

/* 'command' with everything replaced, up to a NULL from 'arena'.  ERR_INVALID: a name holds what could
 * mean more than a name to a program, or the command has a placeholder that 'names' has nothing for. */
int profile_expand(struct arena *arena, const struct profile *profile,
                   const struct profile_command *command, const struct profile_names *names,
                   const char *const **argv, struct err *err);

/* The same with one word. */
int profile_expand_word(struct arena *arena, const struct profile *profile, const char *word,
                        const struct profile_names *names, const char **text, struct err *err);

/* A copy whose storage is in 'arena'. */
const struct profile *profile_copy(struct arena *arena, const struct profile *profile);

/* Appends everything that decisions and actions depend on, in one canonical form. */
struct text;
void profile_print(struct text *text, const struct profile *profile);

/* Stable name of 'verb', as the file spells it. */
const char *profile_verb_name(enum profile_verb verb);

/* The command of [state] for 'verb' if the profile gives none, as the file would spell it; NULL: there is none.
 * GNU coreutils have them all. */
const char *profile_state_command(enum profile_verb verb);
