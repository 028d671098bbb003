/* SPDX-License-Identifier: Apache-2.0 */
#include "model/profile.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

/* Longest value of a lookup that is believed. */
#define VALUE_MAX_BYTES ((size_t)256)

static const char *const verb_names[PROFILE_VERB_COUNT] = {
    [PROFILE_PROBE] = "probe",       [PROFILE_PROVIDE] = "provide", [PROFILE_WITHDRAW] = "withdraw",
    [PROFILE_OWNERS] = "owners",     [PROFILE_REVOKE] = "revoke",   [PROFILE_OFFERS] = "offers",
    [PROFILE_IDENTITY] = "identity", [PROFILE_STAT] = "stat",       [PROFILE_SUM] = "sum",
    [PROFILE_READ] = "read",         [PROFILE_CREATE] = "create",   [PROFILE_WRITE] = "write",
    [PROFILE_RENAME] = "rename",     [PROFILE_SYNC] = "sync",
};

static const char *const state_commands[PROFILE_VERB_COUNT] = {
    [PROFILE_PROBE] = "test -e {device}",
    [PROFILE_STAT] = "stat --format=%F|%a|%U|%G|%s -- {device}",
    [PROFILE_SUM] = "sha256sum -- {device}",
    [PROFILE_READ] = "cat -- {device}",
    [PROFILE_CREATE] = "install --no-target-directory --mode={permissions} --owner={owner} "
                       "--group={group} -- /dev/null {device}",
    [PROFILE_WRITE] = "dd of={device} bs=64k iflag=fullblock conv=nocreat,fsync status=none",
    [PROFILE_RENAME] = "mv --no-clobber --no-target-directory -- {device} {new-device}",
    [PROFILE_SYNC] = "sync -- {device}",
};

/* What is replaced without a lookup. */
enum placeholder {
    PLACEHOLDER_HOST,
    PLACEHOLDER_PEER,
    PLACEHOLDER_GUEST,
    PLACEHOLDER_UUID,
    PLACEHOLDER_NAME,
    PLACEHOLDER_DEVICE,
    PLACEHOLDER_DEVICE_NAME, /* The last part of the device's path. */
    PLACEHOLDER_NEW_DEVICE,  /* Of the commands of [state] alone, as the rest. */
    PLACEHOLDER_PERMISSIONS,
    PLACEHOLDER_OWNER,
    PLACEHOLDER_GROUP,
    PLACEHOLDER_COUNT,
};

static const char *const placeholder_names[PLACEHOLDER_COUNT] = {
    [PLACEHOLDER_HOST] = "host",
    [PLACEHOLDER_PEER] = "peer",
    [PLACEHOLDER_GUEST] = "guest",
    [PLACEHOLDER_UUID] = "uuid",
    [PLACEHOLDER_NAME] = "name",
    [PLACEHOLDER_DEVICE] = "device",
    [PLACEHOLDER_DEVICE_NAME] = "device-name",
    [PLACEHOLDER_NEW_DEVICE] = "new-device",
    [PLACEHOLDER_PERMISSIONS] = "permissions",
    [PLACEHOLDER_OWNER] = "owner",
    [PLACEHOLDER_GROUP] = "group",
};

static const char blanks[] = " \t";
static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

const struct profile *profile_default(void)
{
    static const struct profile libvirt = {
        .name = "libvirt",
        .supplies = { [SUPPLY_POOL] = { .given = true,
                                        .timeout_ms = PROFILE_TIMEOUT_MS,
                                        .start = true,
                                        .refresh = true } },
    };

    return &libvirt;
}

bool profile_provides(const struct profile *profile, enum supply_kind kind)
{
    assert(kind < SUPPLY_KIND_COUNT);
    return profile->supplies[kind].given;
}

bool profile_matches(const char *pattern, const char *text)
{
    const char *star = NULL; /* The last one, and what it has swallowed up to. */
    const char *swallowed = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            swallowed = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++swallowed;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

/* True if 'text' matches one of 'patterns', or there are none to match. */
static bool matches_any(const char *const *patterns, const char *text)
{
    for (size_t i = 0; patterns != NULL && patterns[i] != NULL; i++) {
        if (text != NULL && profile_matches(patterns[i], text)) {
            return true;
        }
    }
    return patterns == NULL;
}

bool profile_takes(const struct profile *profile, enum supply_kind kind, const char *name,
                   const char *device)
{
    const struct profile_supply *supply = &profile->supplies[kind];

    /* A device of its host that a guest has a macvtap on may be the one that every guest there uses. */
    if (kind == SUPPLY_INTERFACE && supply->names == NULL && !supply_is_pci_function(name)) {
        return false;
    }
    return profile_provides(profile, kind) && matches_any(supply->names, name) &&
           matches_any(supply->devices, device);
}

bool profile_revokes(const struct profile *profile)
{
    const struct profile_supply *volume = &profile->supplies[SUPPLY_VOLUME];

    return volume->verbs[PROFILE_REVOKE].count > 0 && volume->verbs[PROFILE_OWNERS].count > 0;
}

enum supply_kind profile_bridge_kind(const struct profile *profile, const char *name)
{
    return profile_takes(profile, SUPPLY_NAT_BRIDGE, name, NULL) ? SUPPLY_NAT_BRIDGE
                                                                 : SUPPLY_BRIDGE;
}

/* Reads one word at '*text', past it.  NULL if a quote does not end. */
static const char *split_one(struct arena *arena, const char **text)
{
    struct text word = text_new(arena);
    const char *s = *text;

    while (*s != '\0' && strchr(blanks, *s) == NULL) {
        bool quoted = *s == '"' || *s == '\'';
        const char *end = quoted ? strchr(s + 1, *s) : s + strcspn(s, " \t\"'");

        if (end == NULL) {
            return NULL;
        }
        s += quoted;
        text_append_bytes(&word, s, (size_t)(end - s));
        s = end + quoted;
    }
    *text = s;
    return word.data;
}

const char *profile_split(struct arena *arena, const char *text, const char *const **words)
{
    const char **items = ARENA_ARRAY(arena, const char *, strlen(text) / 2 + 2);
    size_t count = 0;

    for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
        items[count] = split_one(arena, &text);
        if (items[count++] == NULL) {
            return "has a quote that does not end";
        }
    }
    if (count == 0) {
        return "must not be empty";
    }
    *words = items;
    return NULL;
}

/* The placeholder that begins at 's', which is a '{', and its length; 0 if none does. */
static size_t placeholder_length(const char *s)
{
    size_t length = strspn(s + 1, letters);

    return length > 0 && s[1 + length] == '}' ? length : 0;
}

/* The first placeholder in 'word' from 'from' on, in '*name'; where it begins, or NULL. */
static const char *find_placeholder(struct arena *arena, const char *from, const char **name)
{
    for (const char *s = strchr(from, '{'); s != NULL; s = strchr(s + 1, '{')) {
        size_t length = placeholder_length(s);

        if (length > 0) {
            *name = text_copy(arena, s + 1, length);
            return s;
        }
    }
    return NULL;
}

static size_t find_lookup(const struct profile_lookup *lookups, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(lookups[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* NULL, or what is wrong with the placeholders of 'word'. */
static const char *judge_word(struct arena *arena, const char *word,
                              const struct profile_lookup *lookups, size_t lookup_count,
                              const char *refused)
{
    const char *name;

    for (const char *s = word; (s = find_placeholder(arena, s, &name)) != NULL; s++) {
        if (refused != NULL) {
            return text_format(arena, "must have no placeholder such as {%s} in %s", name, refused);
        }
        if (text_index(placeholder_names, PLACEHOLDER_COUNT, name) == PLACEHOLDER_COUNT &&
            find_lookup(lookups, lookup_count, name) == lookup_count) {
            return text_format(
                arena, "has the placeholder {%s}, which no [lookup] before it is for", name);
        }
    }
    return NULL;
}

/* Is what follows 'word', such as "-c" or "-xe", a program's text to a shell, perl and their like? */
static bool announces_code(const char *word)
{
    size_t length = strlen(word);

    return length >= 2 && word[0] == '-' && word[1] != '-' &&
           (word[length - 1] == 'c' || word[length - 1] == 'e');
}

static const char *last_part(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* To these "-e" is something else. */
static bool takes_no_code(const char *program)
{
    static const char *const programs[] = { "test", "[", "grep" };

    return text_index(programs, ARRAY_LEN(programs), last_part(program)) < ARRAY_LEN(programs);
}

const char *profile_judge(struct arena *arena, const char *const *words,
                          const struct profile_lookup *lookups, size_t lookup_count)
{
    const char *wrong = words[0][0] == '\0' ? "has an empty name of a program" : NULL;
    bool plain = takes_no_code(words[0]);

    for (size_t i = 0; words[i] != NULL && wrong == NULL; i++) {
        const char *refused = i == 0 ? "the name of a program"
                              : !plain && announces_code(words[i - 1])
                                  ? "program text: give it as an argument"
                                  : NULL;

        wrong = judge_word(arena, words[i], lookups, lookup_count, refused);
    }
    return wrong;
}

/* Marks the lookups that 'command' names. */
static void mark_needed(struct arena *arena, const struct profile *profile,
                        const struct profile_command *command, bool *needed)
{
    const char *name;

    for (size_t i = 0; command->words[i] != NULL; i++) {
        for (const char *s = command->words[i]; (s = find_placeholder(arena, s, &name)) != NULL;
             s++) {
            size_t lookup = find_lookup(profile->lookups, profile->lookup_count, name);

            if (lookup < profile->lookup_count) {
                needed[lookup] = true;
            }
        }
    }
}

static bool is_known(const struct profile_names *names, size_t lookup)
{
    return names->lookups != NULL && names->lookups[lookup] != NULL;
}

size_t profile_missing(const struct profile *profile, const struct profile_command *command,
                       const struct profile_names *names)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    bool *needed = ARENA_ARRAY(&scratch, bool, profile->lookup_count + 1);
    size_t first = profile->lookup_count;

    mark_needed(&scratch, profile, command, needed);
    for (size_t i = profile->lookup_count; i-- > 0;) { /* Each uses earlier ones only. */
        if (needed[i] && !is_known(names, i)) {
            mark_needed(&scratch, profile, &profile->lookups[i].command, needed);
            first = i;
        }
    }
    return first;
}

/* Could 's' mean more than a name to a program that gets it as a word, or within one? */
static bool is_plain(const char *s)
{
    size_t length =
        strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@+/=-");

    return length > 0 && length <= VALUE_MAX_BYTES && s[length] == '\0' && *s != '-';
}

/* A path that is passed on as it is. */
static bool is_plain_device(const char *s)
{
    return s != NULL && supply_is_device(s) && is_plain(s);
}

/* A name as in passwd(5), or a number. */
static bool is_account(const char *s)
{
    return s != NULL && supply_is_name(s) && strchr(s, ':') == NULL;
}

static bool are_permissions(const char *s)
{
    size_t length = s == NULL ? 0 : strspn(s, "01234567");

    return length > 0 && length <= 4 && s[length] == '\0';
}

/* What a placeholder stands for, and whether that may stand in a command. */
struct value {
    const char *text; /* NULL: nothing. */
    bool good;
};

static struct value value_of(const struct profile_names *names, enum placeholder placeholder)
{
    switch (placeholder) {
    case PLACEHOLDER_HOST:
        return (struct value){ names->host, names->host != NULL && text_is_host_name(names->host) };
    case PLACEHOLDER_PEER:
        return (struct value){ names->peer, names->peer != NULL && text_is_host_name(names->peer) };
    case PLACEHOLDER_GUEST:
        return (struct value){ names->guest,
                               names->guest != NULL && text_is_host_name(names->guest) };
    case PLACEHOLDER_UUID:
        return (struct value){ names->uuid, names->uuid != NULL && text_is_uuid(names->uuid) };
    case PLACEHOLDER_NAME:
        return (struct value){ names->name, names->name != NULL && supply_is_name(names->name) };
    case PLACEHOLDER_DEVICE:
        return (struct value){ names->device, is_plain_device(names->device) };
    case PLACEHOLDER_DEVICE_NAME:
        return (struct value){ last_part(names->device), names->device != NULL &&
                                                             supply_is_device(names->device) &&
                                                             is_plain(last_part(names->device)) };
    case PLACEHOLDER_NEW_DEVICE:
        return (struct value){ names->new_device, is_plain_device(names->new_device) };
    case PLACEHOLDER_PERMISSIONS:
        return (struct value){ names->permissions, are_permissions(names->permissions) };
    case PLACEHOLDER_OWNER:
        return (struct value){ names->owner, is_account(names->owner) };
    case PLACEHOLDER_GROUP:
        return (struct value){ names->group, is_account(names->group) };
    case PLACEHOLDER_COUNT:
        break;
    }
    return (struct value){ NULL, false };
}

/* The value of the placeholder or lookup called 'name'. */
static struct value find_value(const struct profile *profile, const struct profile_names *names,
                               const char *name)
{
    size_t placeholder = text_index(placeholder_names, PLACEHOLDER_COUNT, name);
    size_t lookup = find_lookup(profile->lookups, profile->lookup_count, name);
    const char *text;

    if (placeholder < PLACEHOLDER_COUNT) {
        return value_of(names, (enum placeholder)placeholder);
    }
    text =
        lookup < profile->lookup_count && is_known(names, lookup) ? names->lookups[lookup] : NULL;
    return (struct value){ text, text != NULL && is_plain(text) };
}

int profile_expand_word(struct arena *arena, const struct profile *profile, const char *word,
                        const struct profile_names *names, const char **text, struct err *err)
{
    struct text out = text_new(arena);
    const char *name;
    const char *s;

    for (; (s = find_placeholder(arena, word, &name)) != NULL; word = s + strlen(name) + 2) {
        struct value value = find_value(profile, names, name);

        if (value.text == NULL) {
            return err_set(err, ERR_INVALID,
                           "a command of profile '%s' needs {%s}, and there is none", profile->name,
                           name);
        }
        if (!value.good) {
            return err_set(err, ERR_INVALID,
                           "'%.100s' cannot be {%s} of a command: a program could take it for more "
                           "than a name",
                           text_visible(arena, value.text), name);
        }
        text_append_bytes(&out, word, (size_t)(s - word));
        text_append(&out, value.text);
    }
    text_append(&out, word);
    *text = out.data;
    return 0;
}

static size_t count_words(const char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL) {
        count++;
    }
    return count;
}

int profile_expand(struct arena *arena, const struct profile *profile,
                   const struct profile_command *command, const struct profile_names *names,
                   const char *const **argv, struct err *err)
{
    size_t count = count_words(command->words);
    const char **words = ARENA_ARRAY(arena, const char *, count + 1);

    for (size_t i = 0; i < count; i++) {
        if (profile_expand_word(arena, profile, command->words[i], names, &words[i], err) != 0) {
            return -1;
        }
    }
    *argv = words;
    return 0;
}

static const char *const *copy_words(struct arena *arena, const char *const *words)
{
    size_t count = words == NULL ? 0 : count_words(words);
    const char **copies = ARENA_ARRAY(arena, const char *, count + 1);

    for (size_t i = 0; i < count; i++) {
        copies[i] = arena_strdup(arena, words[i]);
    }
    return words == NULL ? NULL : copies;
}

static struct profile_command copy_command(struct arena *arena,
                                           const struct profile_command *command)
{
    return (struct profile_command){ .words = copy_words(arena, command->words),
                                     .line = command->line,
                                     .key = arena_strdup_maybe(arena, command->key) };
}

static struct profile_commands copy_commands(struct arena *arena,
                                             const struct profile_commands *commands)
{
    struct profile_command *items = ARENA_ARRAY(arena, struct profile_command, commands->count);

    for (size_t i = 0; i < commands->count; i++) {
        items[i] = copy_command(arena, &commands->items[i]);
    }
    return (struct profile_commands){ .items = items, .count = commands->count };
}

static struct profile_supply copy_supply(struct arena *arena, const struct profile_supply *supply)
{
    struct profile_supply own = *supply;

    own.names = copy_words(arena, supply->names);
    own.devices = copy_words(arena, supply->devices);
    for (enum profile_verb verb = 0; verb < PROFILE_VERB_COUNT; verb++) {
        own.verbs[verb] = copy_commands(arena, &supply->verbs[verb]);
    }
    own.owner = arena_strdup_maybe(arena, supply->owner);
    own.owners_match = arena_strdup_maybe(arena, supply->owners_match);
    return own;
}

static const struct profile_lookup *copy_lookups(struct arena *arena, const struct profile *profile)
{
    struct profile_lookup *lookups =
        ARENA_ARRAY(arena, struct profile_lookup, profile->lookup_count);

    for (size_t i = 0; i < profile->lookup_count; i++) {
        const struct profile_lookup *lookup = &profile->lookups[i];

        lookups[i] = (struct profile_lookup){
            .name = arena_strdup(arena, lookup->name),
            .command = copy_command(arena, &lookup->command),
            .match = arena_strdup_maybe(arena, lookup->match),
        };
    }
    return lookups;
}

static struct platform_rules copy_rules(struct arena *arena, const struct platform_rules *rules)
{
    struct platform_rules own = *rules;

    own.live_generation = arena_strdup_maybe(arena, rules->live_generation);
    own.live_release = arena_strdup_maybe(arena, rules->live_release);
    own.offline_generation = arena_strdup_maybe(arena, rules->offline_generation);
    own.offline_release = arena_strdup_maybe(arena, rules->offline_release);
    return own;
}

const struct profile *profile_copy(struct arena *arena, const struct profile *profile)
{
    struct profile *own = ARENA_NEW(arena, struct profile);

    *own = *profile;
    own->name = arena_strdup(arena, profile->name);
    for (enum supply_kind kind = 0; kind < SUPPLY_KIND_COUNT; kind++) {
        own->supplies[kind] = copy_supply(arena, &profile->supplies[kind]);
    }
    own->lookups = copy_lookups(arena, profile);
    for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
        own->facts[fact].element = arena_strdup_maybe(arena, profile->facts[fact].element);
        own->facts[fact].command = copy_command(arena, &profile->facts[fact].command);
        own->facts[fact].match = arena_strdup_maybe(arena, profile->facts[fact].match);
        own->facts[fact].is = arena_strdup_maybe(arena, profile->facts[fact].is);
    }
    own->rules = copy_rules(arena, &profile->rules);
    return own;
}

static void print_words(struct text *text, const char *key, const char *const *words)
{
    text_printf(text, "%s", key);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        text_printf(text, " %zu:%s", strlen(words[i]), words[i]);
    }
    text_append(text, "\n");
}

static const char *shown(const char *s)
{
    return s == NULL ? "" : s;
}

static void print_supply(struct text *text, enum supply_kind kind,
                         const struct profile_supply *supply)
{
    text_printf(text, "[%s] %lld %d %d %d %s %s %" PRIu64 "\n", supply_kind_name(kind),
                (long long)supply->timeout_ms, supply->shared, supply->start, supply->refresh,
                shown(supply->owner), shown(supply->owners_match), supply->max_bytes);
    print_words(text, "names", supply->names);
    print_words(text, "devices", supply->devices);
    for (enum profile_verb verb = 0; verb < PROFILE_VERB_COUNT; verb++) {
        for (size_t i = 0; i < supply->verbs[verb].count; i++) {
            print_words(text, verb_names[verb], supply->verbs[verb].items[i].words);
        }
    }
}

static void print_fact(struct text *text, enum platform_fact fact,
                       const struct profile_fact *source)
{
    text_printf(text, "[fact %s] %d %s %s %s\n", platform_fact_name(fact), (int)source->source,
                shown(source->element), shown(source->match), shown(source->is));
    print_words(text, "command", source->command.words);
}

void profile_print(struct text *text, const struct profile *profile)
{
    const struct platform_rules *rules = &profile->rules;

    text_printf(text, "profile %s %d\n", profile->name, profile->announce);
    for (enum supply_kind kind = 0; kind < SUPPLY_KIND_COUNT; kind++) {
        if (profile->supplies[kind].given) {
            print_supply(text, kind, &profile->supplies[kind]);
        }
    }
    for (size_t i = 0; i < profile->lookup_count; i++) {
        text_printf(text, "[lookup %s] %s\n", profile->lookups[i].name,
                    shown(profile->lookups[i].match));
        print_words(text, "command", profile->lookups[i].command.words);
    }
    for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
        if (profile->facts[fact].source != PROFILE_SOURCE_NONE) {
            print_fact(text, fact, &profile->facts[fact]);
        }
    }
    text_printf(text, "rules %s %s %s %s", shown(rules->live_generation),
                shown(rules->live_release), shown(rules->offline_generation),
                shown(rules->offline_release));
    text_printf(text, " %d %d %d %d %d %d\n", (int)rules->same_model, (int)rules->same_cpus,
                (int)rules->target_release, (int)rules->secure_fabric, (int)rules->storage_servers,
                (int)rules->live_update);
}

const char *profile_verb_name(enum profile_verb verb)
{
    assert(verb < PROFILE_VERB_COUNT);
    return verb_names[verb];
}

const char *profile_state_command(enum profile_verb verb)
{
    assert(verb < PROFILE_VERB_COUNT);
    return state_commands[verb];
}
