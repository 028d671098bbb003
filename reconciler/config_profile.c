/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/config_profile.h"

#include <assert.h>
#include <inttypes.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "model/fault.h"
#include "model/profile.h"
#include "model/quantity.h"
#include "reconciler/config_lines.h"

#define SUFFIX       ".conf"
#define COMMANDS_MAX 16 /* Of one verb. */
#define LOOKUPS_MAX  64
#define KEYS_MAX     64

/* What the open section is read into. */
enum section {
    SECTION_NONE,
    SECTION_SUPPLY,
    SECTION_LOOKUP,
    SECTION_FACT,
    SECTION_RULES,
};

struct reader {
    struct arena *arena;
    struct faults *faults;
    struct profile profile;
    struct profile_lookup *lookups;
    uint32_t line;
    const char *key; /* That is being read. */
    enum section section;
    bool begun; /* A section, good or not. */
    enum supply_kind supply;
    enum platform_fact fact;
    uint32_t section_line;
    uint32_t key_lines[KEYS_MAX]; /* Where each key of this section was given, or 0. */
    uint32_t supply_lines[SUPPLY_KIND_COUNT];
    uint32_t fact_lines[PLATFORM_FACT_COUNT];
    uint32_t rules_line;
};

/* Stores 'value' in 'member'; NULL, or what it must be in words that go behind the key's name. */
typedef const char *parse_fn(struct reader *reader, const char *value, void *member);

/* The section as the file spells it. */
static const char *section_text(const struct reader *reader)
{
    switch (reader->section) {
    case SECTION_SUPPLY:
        return text_format(reader->arena, "[%s]", supply_kind_name(reader->supply));
    case SECTION_LOOKUP:
        return text_format(reader->arena, "[lookup %s]",
                           reader->lookups[reader->profile.lookup_count - 1].name);
    case SECTION_FACT:
        return text_format(reader->arena, "[fact %s]", platform_fact_name(reader->fact));
    case SECTION_RULES:
        return "[rules]";
    case SECTION_NONE:
        break;
    }
    return "";
}

/* How many lookups a command may use: the one that is being read is none of them. */
static size_t usable_lookups(const struct reader *reader)
{
    return reader->profile.lookup_count - (reader->section == SECTION_LOOKUP);
}

static const char *parse_command(struct reader *reader, const char *value, void *member)
{
    struct profile_command *command = member;
    const char *const *words;
    const char *wrong = profile_split(reader->arena, value, &words);

    if (wrong == NULL) {
        wrong = profile_judge(reader->arena, words, reader->lookups, usable_lookups(reader));
    }
    if (wrong == NULL) {
        *command = (struct profile_command){
            .words = words,
            .line = reader->line,
            .key = text_format(reader->arena, "%s %s", section_text(reader), reader->key),
        };
    }
    return wrong;
}

static const char *parse_commands(struct reader *reader, const char *value, void *member)
{
    struct profile_commands *commands = member;
    struct profile_command *items =
        ARENA_ARRAY(reader->arena, struct profile_command, commands->count + 1);
    const char *wrong;

    if (commands->count == COMMANDS_MAX) {
        return "is there too often";
    }
    wrong = parse_command(reader, value, &items[commands->count]);
    if (wrong != NULL) {
        return wrong;
    }
    if (commands->count > 0) {
        memcpy(items, commands->items, commands->count * sizeof(*items));
    }
    *commands = (struct profile_commands){ .items = items, .count = commands->count + 1 };
    return NULL;
}

/* One word with placeholders. */
static const char *parse_word(struct reader *reader, const char *value, void *member)
{
    const char *const *words;
    const char *wrong = profile_split(reader->arena, value, &words);
    const char *const command[] = { "program", wrong == NULL ? words[0] : "", NULL };

    if (wrong == NULL && words[1] != NULL) {
        wrong = "must be one word";
    }
    if (wrong == NULL) {
        wrong = profile_judge(reader->arena, command, reader->lookups, usable_lookups(reader));
    }
    if (wrong == NULL) {
        *(const char **)member = words[0];
    }
    return wrong;
}

static const char *parse_patterns(struct reader *reader, const char *value, void *member)
{
    return profile_split(reader->arena, value, member);
}

static const char *parse_regex(struct reader *reader, const char *value, void *member)
{
    char reason[128];
    regex_t regex;
    int status = regcomp(&regex, value, REG_EXTENDED | REG_NEWLINE);

    if (status != 0) {
        (void)regerror(status, &regex, reason, sizeof(reason));
        return text_format(reader->arena, "is no extended regular expression: %s", reason);
    }
    regfree(&regex);
    *(const char **)member = arena_strdup(reader->arena, value);
    return *value == '\0' ? "must not be empty" : NULL;
}

static const char *parse_duration(struct reader *reader, const char *value, void *member)
{
    int64_t ms;

    (void)reader;
    if (!quantity_parse_duration(value, &ms) || ms < 1000) {
        return "must be a duration of at least 1s, such as 30s";
    }
    *(int64_t *)member = ms;
    return NULL;
}

static const char *parse_file_size(struct reader *reader, const char *value, void *member)
{
    uint64_t kib;

    (void)reader;
    if (!quantity_parse_size(value, &kib) || kib == 0 || kib > PROFILE_STATE_MAX_BYTES / 1024) {
        return "must be a size from 1KiB to 256MiB, such as 4MiB";
    }
    *(uint64_t *)member = kib * 1024;
    return NULL;
}

static const char *parse_bool(struct reader *reader, const char *value, void *member)
{
    (void)reader;
    *(bool *)member = strcmp(value, "yes") == 0;
    return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 ? NULL : "must be yes or no";
}

static const char *parse_scope(struct reader *reader, const char *value, void *member)
{
    enum platform_scope scope = platform_scope_from_name(value);

    (void)reader;
    *(enum platform_scope *)member = scope;
    return scope == PLATFORM_SCOPE_COUNT ? "must be live, offline, always or no" : NULL;
}

static const char *parse_generation(struct reader *reader, const char *value, void *member)
{
    const char *wrong = platform_bad_generation(value);

    if (wrong == NULL) {
        *(const char **)member = arena_strdup(reader->arena, value);
    }
    return wrong;
}

static const char *parse_release(struct reader *reader, const char *value, void *member)
{
    const char *wrong = platform_bad_release(value);

    if (wrong == NULL) {
        *(const char **)member = arena_strdup(reader->arena, value);
    }
    return wrong;
}

/* What can be asked for behind "es:" and "libvirt:". */
static const char *const es_elements[] = { "rackItemFamily" };
static const char *const libvirt_elements[] = { "cpus" };

static const char *parse_from(struct reader *reader, const char *value, void *member)
{
    struct profile_fact *fact = member;
    const char *colon = strchr(value, ':');
    const char *element = colon == NULL ? "" : colon + 1;

    if (strcmp(value, "command") == 0) {
        fact->source = PROFILE_SOURCE_COMMAND;
    } else if (strncmp(value, "es:", 3) == 0 &&
               text_index(es_elements, ARRAY_LEN(es_elements), element) < ARRAY_LEN(es_elements)) {
        fact->source = PROFILE_SOURCE_ES;
    } else if (strncmp(value, "libvirt:", 8) == 0 &&
               text_index(libvirt_elements, ARRAY_LEN(libvirt_elements), element) <
                   ARRAY_LEN(libvirt_elements)) {
        fact->source = PROFILE_SOURCE_LIBVIRT;
    } else {
        return "must be command, es:rackItemFamily or libvirt:cpus";
    }
    fact->element = arena_strdup(reader->arena, element);
    return NULL;
}

#define VERB(verb) offsetof(struct profile_supply, verbs[PROFILE_##verb])

static const struct key {
    enum section section;
    const char *name;
    parse_fn *parse;
    size_t offset;
    bool repeats;
    enum supply_kind only; /* Of the section of this kind alone; NONE: of all. */
} keys[] = {
    { SECTION_SUPPLY, "names", parse_patterns, offsetof(struct profile_supply, names), false,
      SUPPLY_NONE },
    { SECTION_SUPPLY, "devices", parse_patterns, offsetof(struct profile_supply, devices), false,
      SUPPLY_NONE },
    { SECTION_SUPPLY, "probe", parse_commands, VERB(PROBE), true, SUPPLY_NONE },
    { SECTION_SUPPLY, "provide", parse_commands, VERB(PROVIDE), true, SUPPLY_NONE },
    { SECTION_SUPPLY, "withdraw", parse_commands, VERB(WITHDRAW), true, SUPPLY_NONE },
    { SECTION_SUPPLY, "timeout", parse_duration, offsetof(struct profile_supply, timeout_ms), false,
      SUPPLY_NONE },
    { SECTION_SUPPLY, "shared", parse_bool, offsetof(struct profile_supply, shared), false,
      SUPPLY_VOLUME },
    { SECTION_SUPPLY, "offers", parse_commands, VERB(OFFERS), false, SUPPLY_INTERFACE },
    { SECTION_SUPPLY, "owners", parse_commands, VERB(OWNERS), false, SUPPLY_VOLUME },
    { SECTION_SUPPLY, "owners_match", parse_regex, offsetof(struct profile_supply, owners_match),
      false, SUPPLY_VOLUME },
    { SECTION_SUPPLY, "owner", parse_word, offsetof(struct profile_supply, owner), false,
      SUPPLY_VOLUME },
    { SECTION_SUPPLY, "revoke", parse_commands, VERB(REVOKE), true, SUPPLY_VOLUME },
    { SECTION_SUPPLY, "identity", parse_commands, VERB(IDENTITY), false, SUPPLY_VOLUME },
    { SECTION_SUPPLY, "start", parse_bool, offsetof(struct profile_supply, start), false,
      SUPPLY_POOL },
    { SECTION_SUPPLY, "refresh", parse_bool, offsetof(struct profile_supply, refresh), false,
      SUPPLY_POOL },
    { SECTION_SUPPLY, "max_size", parse_file_size, offsetof(struct profile_supply, max_bytes),
      false, SUPPLY_STATE },
    { SECTION_SUPPLY, "stat", parse_commands, VERB(STAT), false, SUPPLY_STATE },
    { SECTION_SUPPLY, "sum", parse_commands, VERB(SUM), false, SUPPLY_STATE },
    { SECTION_SUPPLY, "read", parse_commands, VERB(READ), false, SUPPLY_STATE },
    { SECTION_SUPPLY, "create", parse_commands, VERB(CREATE), false, SUPPLY_STATE },
    { SECTION_SUPPLY, "write", parse_commands, VERB(WRITE), false, SUPPLY_STATE },
    { SECTION_SUPPLY, "rename", parse_commands, VERB(RENAME), false, SUPPLY_STATE },
    { SECTION_SUPPLY, "sync", parse_commands, VERB(SYNC), false, SUPPLY_STATE },
    { SECTION_LOOKUP, "command", parse_command, offsetof(struct profile_lookup, command), false,
      SUPPLY_NONE },
    { SECTION_LOOKUP, "match", parse_regex, offsetof(struct profile_lookup, match), false,
      SUPPLY_NONE },
    { SECTION_FACT, "from", parse_from, 0, false, SUPPLY_NONE },
    { SECTION_FACT, "command", parse_command, offsetof(struct profile_fact, command), false,
      SUPPLY_NONE },
    { SECTION_FACT, "match", parse_regex, offsetof(struct profile_fact, match), false,
      SUPPLY_NONE },
    { SECTION_FACT, "is", parse_regex, offsetof(struct profile_fact, is), false, SUPPLY_NONE },
#define RULE(name, parse)                                                                     \
    {                                                                                         \
        SECTION_RULES, #name, parse, offsetof(struct profile, rules.name), false, SUPPLY_NONE \
    }
    RULE(live_generation, parse_generation),
    RULE(live_release, parse_release),
    RULE(offline_generation, parse_generation),
    RULE(offline_release, parse_release),
    RULE(same_model, parse_scope),
    RULE(same_cpus, parse_scope),
    RULE(target_release, parse_scope),
    RULE(secure_fabric, parse_scope),
    RULE(storage_servers, parse_scope),
    RULE(live_update, parse_scope),
#undef RULE
    { SECTION_RULES, "announce", parse_bool, offsetof(struct profile, announce), false,
      SUPPLY_NONE },
};

_Static_assert(ARRAY_LEN(keys) <= KEYS_MAX, "KEYS_MAX is too small");

static void *section_base(struct reader *reader)
{
    switch (reader->section) {
    case SECTION_SUPPLY:
        return &reader->profile.supplies[reader->supply];
    case SECTION_LOOKUP:
        return &reader->lookups[reader->profile.lookup_count - 1];
    case SECTION_FACT:
        return &reader->profile.facts[reader->fact];
    case SECTION_RULES:
        return &reader->profile;
    case SECTION_NONE:
        break;
    }
    return NULL;
}

/* libvirt itself provides pools: the section has none of the keys about commands. */
static bool is_of_section(const struct reader *reader, const struct key *key)
{
    bool of_all = key->only == SUPPLY_NONE &&
                  (reader->section != SECTION_SUPPLY || reader->supply != SUPPLY_POOL ||
                   strcmp(key->name, "names") == 0);

    return key->section == reader->section && (of_all || key->only == reader->supply);
}

static size_t find_key(const struct reader *reader, const char *name)
{
    size_t i = 0;

    while (i < ARRAY_LEN(keys) &&
           (!is_of_section(reader, &keys[i]) || strcmp(keys[i].name, name) != 0)) {
        i++;
    }
    return i;
}

static void read_key(struct reader *reader, const char *name, const char *value)
{
    size_t index = find_key(reader, name);
    const char *wrong;

    if (index == ARRAY_LEN(keys)) {
        fault_add(reader->faults, reader->line, "%s has no key '%s'", section_text(reader),
                  config_lines_echo(reader->arena, name));
        return;
    }
    if (reader->key_lines[index] != 0 && !keys[index].repeats) {
        fault_add(reader->faults, reader->line, "'%s' is there twice, first on line %" PRIu32, name,
                  reader->key_lines[index]);
        return;
    }
    reader->key_lines[index] = reader->line;
    reader->key = name;
    wrong = keys[index].parse(reader, value, (char *)section_base(reader) + keys[index].offset);
    if (wrong != NULL) {
        fault_add(reader->faults, reader->line, "'%s' %s", name, wrong);
    }
}

static void on_key(void *context, uint32_t line, const char *name, const char *value)
{
    struct reader *reader = context;

    reader->line = line;
    if (reader->section != SECTION_NONE) {
        read_key(reader, name, value);
    } else if (!reader->begun) {
        fault_add(reader->faults, line, "'%s' stands before any section",
                  config_lines_echo(reader->arena, name));
    }
}

/* Has the open section the key called 'name'? */
static bool is_given(const struct reader *reader, const char *name)
{
    size_t index = find_key(reader, name);

    return index < ARRAY_LEN(keys) && reader->key_lines[index] != 0;
}

static void need(struct reader *reader, const char *name)
{
    if (!is_given(reader, name)) {
        fault_add(reader->faults, reader->section_line, "%s needs '%s'", section_text(reader),
                  name);
    }
}

static void refuse(struct reader *reader, const char *name, const char *why)
{
    if (is_given(reader, name)) {
        fault_add(reader->faults, reader->key_lines[find_key(reader, name)], "'%s' %s", name, why);
    }
}

/* Its verbs are known, and so is a command for each. */
static void close_state(struct reader *reader)
{
    struct profile_supply *state = &reader->profile.supplies[SUPPLY_STATE];

    refuse(reader, "provide", "is not for [state]: see 'create', 'write' and 'rename'");
    refuse(reader, "withdraw", "is not for [state]: see 'rename'");
    for (enum profile_verb verb = 0; verb < PROFILE_VERB_COUNT; verb++) {
        const char *text = profile_state_command(verb);

        if (text != NULL && state->verbs[verb].count == 0) {
            const char *wrong;

            reader->key = profile_verb_name(verb);
            wrong = parse_commands(reader, text, &state->verbs[verb]);
            assert(wrong == NULL);
            (void)wrong;
        }
    }
}

static void close_supply(struct reader *reader)
{
    if (reader->supply == SUPPLY_POOL) {
        return;
    }
    if (reader->supply == SUPPLY_STATE) {
        close_state(reader);
        return;
    }
    need(reader, "probe");
    need(reader, "provide");
    need(reader, "withdraw");
    if (is_given(reader, "owners")) {
        need(reader, "owner");
    } else {
        refuse(reader, "owner", "is for 'owners', which is not given");
        refuse(reader, "owners_match", "is for 'owners', which is not given");
    }
}

static void close_fact(struct reader *reader)
{
    need(reader, "from");
    if (reader->profile.facts[reader->fact].source == PROFILE_SOURCE_COMMAND) {
        need(reader, "command");
        if (is_given(reader, "is")) {
            refuse(reader, "match", "and 'is' exclude each other");
        }
    } else {
        refuse(reader, "command", "needs 'from = command'");
        refuse(reader, "match", "needs 'from = command'");
        refuse(reader, "is", "needs 'from = command'");
    }
}

/* What the section that ends here lacks. */
static void close_section(struct reader *reader)
{
    switch (reader->section) {
    case SECTION_SUPPLY:
        close_supply(reader);
        break;
    case SECTION_LOOKUP:
        need(reader, "command");
        break;
    case SECTION_FACT:
        close_fact(reader);
        break;
    case SECTION_RULES:
    case SECTION_NONE:
        break;
    }
}

/* Notes where the section was begun; false if that is the second time. */
static bool begin_once(struct reader *reader, const char *section, uint32_t *first)
{
    if (*first != 0) {
        fault_add(reader->faults, reader->line, "[%s] is there twice, first on line %" PRIu32,
                  section, *first);
        return false;
    }
    *first = reader->line;
    return true;
}

static bool open_supply(struct reader *reader, enum supply_kind kind, const char *name)
{
    if (*name != '\0') {
        fault_add(reader->faults, reader->line, "[%s] takes no name", supply_kind_name(kind));
        return false;
    }
    if (!begin_once(reader, supply_kind_name(kind), &reader->supply_lines[kind])) {
        return false;
    }
    reader->supply = kind;
    reader->profile.supplies[kind].given = true;
    reader->profile.supplies[kind].timeout_ms = PROFILE_TIMEOUT_MS;
    reader->profile.supplies[kind].start = kind == SUPPLY_POOL;
    reader->profile.supplies[kind].refresh = kind == SUPPLY_POOL;
    reader->profile.supplies[kind].max_bytes = kind == SUPPLY_STATE ? PROFILE_STATE_BYTES : 0;
    return true;
}

/* Is 'name' one that placeholders may have, and that no other has? */
static bool is_free(struct reader *reader, const char *name)
{
    const char *const command[] = { "program", text_format(reader->arena, "{%s}", name), NULL };

    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name) && *name != '\0' &&
           profile_judge(reader->arena, command, reader->lookups, reader->profile.lookup_count) !=
               NULL;
}

static bool open_lookup(struct reader *reader, const char *name)
{
    if (!is_free(reader, name)) {
        fault_add(reader->faults, reader->line,
                  "[lookup NAME]: '%s' is not a name of small letters, digits and '-', or one that "
                  "a placeholder has already",
                  config_lines_echo(reader->arena, name));
        return false;
    }
    if (reader->profile.lookup_count == LOOKUPS_MAX) {
        fault_add(reader->faults, reader->line, "more than %d lookups", LOOKUPS_MAX);
        return false;
    }
    reader->lookups[reader->profile.lookup_count++] =
        (struct profile_lookup){ .name = arena_strdup(reader->arena, name) };
    return true;
}

static bool open_fact(struct reader *reader, const char *name)
{
    enum platform_fact fact = platform_fact_from_name(name);

    if (fact == PLATFORM_FACT_COUNT) {
        fault_add(reader->faults, reader->line, "[fact NAME]: nothing asks for the fact '%s'",
                  config_lines_echo(reader->arena, name));
        return false;
    }
    reader->fact = fact;
    return begin_once(reader, text_format(reader->arena, "fact %s", name),
                      &reader->fact_lines[fact]);
}

static bool open_rules(struct reader *reader, const char *name)
{
    if (*name != '\0') {
        fault_add(reader->faults, reader->line, "[rules] takes no name");
        return false;
    }
    return begin_once(reader, "rules", &reader->rules_line);
}

/* The kind of section that begins, if it is a good one. */
static enum section open_section(struct reader *reader, const char *kind, const char *name)
{
    enum supply_kind supply = supply_kind_from_name(kind);

    if (supply != SUPPLY_KIND_COUNT && supply != SUPPLY_NONE) {
        return open_supply(reader, supply, name) ? SECTION_SUPPLY : SECTION_NONE;
    }
    if (strcmp(kind, "lookup") == 0) {
        return open_lookup(reader, name) ? SECTION_LOOKUP : SECTION_NONE;
    }
    if (strcmp(kind, "fact") == 0) {
        return open_fact(reader, name) ? SECTION_FACT : SECTION_NONE;
    }
    if (strcmp(kind, "rules") == 0) {
        return open_rules(reader, name) ? SECTION_RULES : SECTION_NONE;
    }
    fault_add(reader->faults, reader->line, "unknown section [%s]",
              config_lines_echo(reader->arena, kind));
    return SECTION_NONE;
}

static void on_section(void *context, uint32_t line, const char *kind, const char *name)
{
    struct reader *reader = context;

    close_section(reader);
    reader->line = line;
    reader->section_line = line;
    reader->begun = true;
    memset(reader->key_lines, 0, sizeof(reader->key_lines));
    reader->section = kind == NULL ? SECTION_NONE : open_section(reader, kind, name);
}

/* Every rule has its fact. */
static void check_rules(struct reader *reader)
{
    for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
        const struct platform_rules *rules = &reader->profile.rules;

        if (reader->fact_lines[fact] == 0 &&
            (platform_needs(rules, MOVE_LIVE, fact) || platform_needs(rules, MOVE_OFFLINE, fact))) {
            fault_add(reader->faults, reader->rules_line, "a rule needs [fact %s]",
                      platform_fact_name(fact));
        }
    }
}

/* "exascale" of "/usr/share/berth/profiles/exascale.conf". */
static const char *name_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t length = strlen(base);

    if (length > strlen(SUFFIX) && strcmp(base + length - strlen(SUFFIX), SUFFIX) == 0) {
        length -= strlen(SUFFIX);
    }
    return text_copy(arena, base, length);
}

const char *config_profile_path(struct arena *arena, const char *name, struct err *err)
{
    if (strchr(name, '/') != NULL) {
        return arena_strdup(arena, name);
    }
    if (!text_is_host_name(name)) {
        (void)err_set(err, ERR_INVALID, "'%s' is neither a profile's name nor a path",
                      config_lines_echo(arena, name));
        return NULL;
    }
    return program_find_data(arena, text_format(arena, "profiles/%s%s", name, SUFFIX), err);
}

int config_profile_read(struct arena *arena, const char *path, const struct profile **profile,
                        struct faults *faults, struct err *err)
{
    struct profile *result = ARENA_NEW(arena, struct profile);
    struct reader reader = { .arena = arena,
                             .faults = faults,
                             .profile = { .name = name_of(arena, path) },
                             .lookups = ARENA_ARRAY(arena, struct profile_lookup, LOOKUPS_MAX) };
    const struct config_lines lines = {
        .arena = arena, .faults = faults, .context = &reader, .section = on_section, .key = on_key
    };
    char *bytes;
    size_t length;

    assert(faults->count == 0);
    if (file_read(arena, path, CONFIG_PROFILE_MAX_BYTES, &bytes, &length, err) != 0) {
        return -1;
    }
    config_lines_read(&lines, bytes, length);
    close_section(&reader);
    check_rules(&reader);
    fault_sort(faults);
    if (faults->count > 0) {
        return -1;
    }
    reader.profile.lookups = reader.lookups;
    *result = reader.profile;
    *profile = result;
    return 0;
}
