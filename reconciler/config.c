/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "model/fault.h"
#include "model/profile.h"
#include "reconciler/config_hooks.h"
#include "reconciler/config_key.h"
#include "reconciler/config_lines.h"
#include "reconciler/config_profile.h"
#include "reconciler/config_timetable.h"

#define EXPANSION_MAX ((size_t)4096)

/* The sections of one kind, each a struct that begins with config_key_head. */
struct sections {
    void *items; /* In the order of the file; sorted by name at the end. */
    size_t count;
};

/* The file while it is read. */
struct reader {
    struct arena *arena;
    struct faults *faults;
    struct config config;
    struct sections named[CONFIG_KEY_SECTIONS]; /* Those that have a name. */
    struct config_key_schedule schedule;
    uint32_t line;
    enum config_key_section section;
    uint32_t section_lines[CONFIG_KEY_SECTIONS]; /* Where each that comes once was begun. */
    uint32_t key_lines[CONFIG_KEY_COUNT]; /* Where each key of this section was given, or 0. */
};

/* Room for one more after 'count' items: at every power of two they move to twice the room. */
static void *make_room(struct arena *arena, void *items, size_t count, size_t size)
{
    void *larger;

    if (count != 0 && (count & (count - 1)) != 0) {
        return items;
    }
    larger = arena_alloc(arena, count == 0 ? 1 : count * 2, size);
    if (count != 0) {
        memcpy(larger, items, count * size);
    }
    return larger;
}

/* Sizes of what sections that have a name are read into; 0 for one that comes once. */
static const size_t named_sizes[CONFIG_KEY_SECTIONS] = {
    [CONFIG_KEY_HOST] = sizeof(struct config_key_host),
    [CONFIG_KEY_GUEST] = sizeof(struct config_key_guest),
    [CONFIG_KEY_FENCE] = sizeof(struct config_key_fence),
    [CONFIG_KEY_WINDOW] = sizeof(struct config_key_window),
    [CONFIG_KEY_BLACKOUT] = sizeof(struct config_key_blackout),
};

static struct config_key_head *named_at(struct reader *reader, enum config_key_section section,
                                        size_t index)
{
    return (void *)((char *)reader->named[section].items + index * named_sizes[section]);
}

/* Opens a section with a name.  Sections that are there twice are found at the end. */
static bool open_named(struct reader *reader, enum config_key_section section, const char *name)
{
    struct sections *sections = &reader->named[section];

    if (!text_is_host_name(name)) {
        fault_add(reader->faults, reader->line, "[%s NAME]: '%s' is not a %sname",
                  config_key_section_name(section), config_lines_echo(reader->arena, name),
                  section == CONFIG_KEY_HOST || section == CONFIG_KEY_GUEST ? "host " : "");
        return false;
    }
    sections->items =
        make_room(reader->arena, sections->items, sections->count, named_sizes[section]);
    *named_at(reader, section, sections->count++) =
        (struct config_key_head){ .name = name, .line = reader->line };
    return true;
}

static bool open_single(struct reader *reader, enum config_key_section section, const char *name)
{
    uint32_t *first = &reader->section_lines[section];

    if (*name != '\0') {
        fault_add(reader->faults, reader->line, "[%s] takes no name",
                  config_key_section_name(section));
        return false;
    }
    if (*first != 0) {
        fault_add(reader->faults, reader->line, "[%s] is there twice, first on line %" PRIu32,
                  config_key_section_name(section), *first);
        return false;
    }
    *first = reader->line;
    return true;
}

/* 'kind' is NULL if the header is none. */
static void open_section(struct reader *reader, const char *kind, const char *name)
{
    enum config_key_section section;
    bool good;

    reader->section = CONFIG_KEY_NONE;
    reader->section_lines[CONFIG_KEY_NONE] = reader->line;
    memset(reader->key_lines, 0, sizeof(reader->key_lines));
    if (kind == NULL) {
        return;
    }
    section = config_key_section_from_name(kind);
    if (section == CONFIG_KEY_NONE) {
        fault_add(reader->faults, reader->line, "unknown section [%s]",
                  config_lines_echo(reader->arena, kind));
        return;
    }
    good = named_sizes[section] != 0 ? open_named(reader, section, name)
                                     : open_single(reader, section, name);
    reader->section = good ? section : CONFIG_KEY_NONE;
}

/* The struct that the keys of the open section belong to. */
static void *section_base(struct reader *reader)
{
    switch (reader->section) {
    case CONFIG_KEY_FLEET:
    case CONFIG_KEY_DRIFT:
    case CONFIG_KEY_API:
    case CONFIG_KEY_HOOKS:
        return &reader->config;
    case CONFIG_KEY_CAPACITY:
    case CONFIG_KEY_MIGRATE:
        return &reader->config.policy;
    case CONFIG_KEY_HOST:
    case CONFIG_KEY_GUEST:
    case CONFIG_KEY_FENCE:
    case CONFIG_KEY_WINDOW:
    case CONFIG_KEY_BLACKOUT:
        return named_at(reader, reader->section, reader->named[reader->section].count - 1);
    case CONFIG_KEY_SCHEDULE:
        return &reader->schedule;
    case CONFIG_KEY_NONE:
    case CONFIG_KEY_SECTIONS:
        break;
    }
    return NULL;
}

static void read_key(struct reader *reader, const char *name, const char *value)
{
    size_t index = config_key_find(reader->section, name);
    const char *section = config_key_section_name(reader->section);
    const char *expected;

    if (index == CONFIG_KEY_COUNT) {
        fault_add(reader->faults, reader->line, "[%s] has no key '%s'", section,
                  config_lines_echo(reader->arena, name));
        return;
    }
    if (reader->key_lines[index] != 0) {
        fault_add(reader->faults, reader->line, "'%s' is there twice, first on line %" PRIu32, name,
                  reader->key_lines[index]);
        return;
    }
    reader->key_lines[index] = reader->line;
    expected = config_key_store(reader->arena, index, value, section_base(reader));
    if (expected != NULL) {
        fault_add(reader->faults, reader->line, "'%s' %s", name, expected);
    }
}

static void on_section(void *context, uint32_t line, const char *kind, const char *name)
{
    struct reader *reader = context;

    reader->line = line;
    open_section(reader, kind, name);
}

static void on_key(void *context, uint32_t line, const char *name, const char *value)
{
    struct reader *reader = context;

    reader->line = line;
    if (reader->section != CONFIG_KEY_NONE) {
        read_key(reader, name, value);
    } else if (reader->section_lines[CONFIG_KEY_NONE] == 0) {
        fault_add(reader->faults, line, "'%s' stands before any section",
                  config_lines_echo(reader->arena, name));
    }
}

static int compare_heads(const void *a, const void *b)
{
    const struct config_key_head *left = a;
    const struct config_key_head *right = b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

/* Sorts the sections of one kind; no two of them may have the same name. */
static struct sections sort_named(struct reader *reader, enum config_key_section section)
{
    struct sections sections = reader->named[section];

    if (sections.count > 1) {
        qsort(sections.items, sections.count, named_sizes[section], compare_heads);
    }
    for (size_t i = 1; i < sections.count; i++) {
        const struct config_key_head *before = named_at(reader, section, i - 1);
        const struct config_key_head *head = named_at(reader, section, i);

        if (strcmp(before->name, head->name) == 0) {
            fault_add(reader->faults, head->line, "[%s %s] is there twice, first on line %" PRIu32,
                      config_key_section_name(section), head->name, before->line);
        }
    }
    return sections;
}

static const struct config_fence *find_fence(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->fence_count; i++) {
        if (strcmp(config->fences[i].name, name) == 0) {
            return &config->fences[i];
        }
    }
    return NULL;
}

static void finish_hosts(struct reader *reader, struct sections sections)
{
    const struct config_key_host *hosts = sections.items;
    struct config_host *connections =
        ARENA_ARRAY(reader->arena, struct config_host, sections.count);
    struct policy_host *policies = ARENA_ARRAY(reader->arena, struct policy_host, sections.count);

    for (size_t i = 0; i < sections.count; i++) {
        connections[i] = hosts[i].connection;
        connections[i].name = hosts[i].head.name;
        policies[i] = hosts[i].policy;
        policies[i].name = hosts[i].head.name;
        policies[i].fenced = hosts[i].connection.fence != NULL;
    }
    reader->config.hosts = connections;
    reader->config.host_count = sections.count;
    reader->config.policy.hosts = policies;
    reader->config.policy.host_count = sections.count;
}

static void finish_guests(struct reader *reader, struct sections sections)
{
    const struct config_key_guest *guests = sections.items;
    struct policy_guest *policies = ARENA_ARRAY(reader->arena, struct policy_guest, sections.count);

    for (size_t i = 0; i < sections.count; i++) {
        policies[i] = guests[i].policy;
        policies[i].name = guests[i].head.name;
    }
    reader->config.policy.guests = policies;
    reader->config.policy.guest_count = sections.count;
}

static void finish_fences(struct reader *reader, struct sections sections, struct sections hosts)
{
    const struct config_key_fence *items = sections.items;
    const struct config_key_host *of = hosts.items;
    struct config_fence *fences = ARENA_ARRAY(reader->arena, struct config_fence, sections.count);

    for (size_t i = 0; i < sections.count; i++) {
        fences[i] = items[i].fence;
        fences[i].name = items[i].head.name;
        if (fences[i].agent == NULL) {
            fault_add(reader->faults, items[i].head.line, "[fence %s] names no 'agent'",
                      fences[i].name);
        }
    }
    reader->config.fences = fences;
    reader->config.fence_count = sections.count;
    for (size_t i = 0; i < hosts.count; i++) {
        const char *fence = of[i].connection.fence;

        if (fence != NULL && find_fence(&reader->config, fence) == NULL) {
            fault_add(reader->faults, of[i].head.line, "[host %s]: there is no [fence %s]",
                      of[i].head.name, fence);
        } else if (fence == NULL && of[i].connection.fence_port != NULL) {
            fault_add(reader->faults, of[i].head.line,
                      "[host %s]: 'fence_port' is of no use without 'fence'", of[i].head.name);
        }
    }
}

static void finish_named(struct reader *reader)
{
    struct sections fences = sort_named(reader, CONFIG_KEY_FENCE);
    struct sections hosts = sort_named(reader, CONFIG_KEY_HOST);
    struct sections guests = sort_named(reader, CONFIG_KEY_GUEST);
    struct sections windows = sort_named(reader, CONFIG_KEY_WINDOW);
    struct sections blackouts = sort_named(reader, CONFIG_KEY_BLACKOUT);
    const struct config_timetable timetable = {
        .windows = windows.items,
        .window_count = windows.count,
        .blackouts = blackouts.items,
        .blackout_count = blackouts.count,
        .schedule = reader->schedule,
        .fleet = reader->config.timetable.fleet,
        .fleet_line = reader->section_lines[CONFIG_KEY_FLEET],
        .hosts = hosts.items,
        .host_count = hosts.count,
        .guests = guests.items,
        .guest_count = guests.count,
    };

    finish_hosts(reader, hosts);
    finish_guests(reader, guests);
    finish_fences(reader, fences, hosts);
    reader->config.timetable = config_timetable_build(reader->arena, &timetable, reader->faults);
}

/* After the last line, because another key may allow it. */
static void finish_hooks(struct reader *reader)
{
    if (config_hooks_is_exposed(&reader->config.hooks)) {
        fault_add(reader->faults, reader->section_lines[CONFIG_KEY_HOOKS],
                  "'webhook' is not encrypted and leaves this machine: use https:, or set "
                  "webhook_insecure = yes");
    }
}

/* Its faults are told as those of the section that names it. */
static void finish_profile(struct reader *reader)
{
    uint32_t line = reader->section_lines[CONFIG_KEY_FLEET];
    struct faults faults = fault_list(reader->arena);
    const char *name = reader->config.profile;
    struct err err = { 0 };
    const char *path = name == NULL ? NULL : config_profile_path(reader->arena, name, &err);

    if (path != NULL) {
        (void)config_profile_read(reader->arena, path, &reader->config.policy.profile, &faults,
                                  &err);
    }
    if (err.code != ERR_NONE) {
        fault_add(reader->faults, line, "'profile': %s", err.text);
    }
    for (size_t i = 0; i < faults.count; i++) {
        fault_add(reader->faults, line, "'profile': %s:%" PRIu32 ": %s", path, faults.items[i].line,
                  faults.items[i].text);
    }
}

struct config config_default(void)
{
    return (struct config){
        .es_xml = "/etc/berth/es.xml",
        .state_dir = "/var/lib/berth",
        .poll_ms = CONFIG_DEFAULT_POLL_MS,
        .history_days = CONFIG_DEFAULT_HISTORY_DAYS,
        .history_records = CONFIG_DEFAULT_HISTORY_RECORDS,
        .uri = "qemu+ssh://root@%h/system?no_tty=1",
        .policy = policy_default(),
        .hooks = config_hooks_default(),
        .drift = {
            [CONFIG_DRIFT_OPERATOR_MOVE] = CONFIG_DRIFT_CORRECT,
            [CONFIG_DRIFT_HALF_STEP] = CONFIG_DRIFT_CORRECT,
        },
    };
}

int config_read(struct arena *arena, const char *path, struct config *config, struct faults *faults,
                struct err *err)
{
    struct reader reader = { .arena = arena, .faults = faults, .config = config_default() };
    const struct config_lines lines = {
        .arena = arena, .faults = faults, .context = &reader, .section = on_section, .key = on_key
    };
    char *bytes;
    size_t length;

    assert(faults->count == 0);
    if (file_read(arena, path, CONFIG_MAX_BYTES, &bytes, &length, err) != 0) {
        return -1;
    }
    config_lines_read(&lines, bytes, length);
    finish_named(&reader);
    finish_hooks(&reader);
    finish_profile(&reader);
    fault_sort(faults);
    if (faults->count > 0) {
        return -1;
    }
    reader.config.path = arena_strdup(arena, path);
    *config = reader.config;
    return 0;
}

/* Appends what '%c' stands for; false if it is nothing. */
static bool expand_one(struct text *text, char c, const char *host)
{
    if (c == 'h') {
        text_append(text, host);
    } else if (c == 's') {
        text_append_bytes(text, host, strcspn(host, "."));
    } else if (c == '%') {
        text_append(text, "%");
    } else {
        return false;
    }
    return true;
}

const char *config_expand(struct arena *arena, const char *template, const char *host,
                          struct err *err)
{
    struct text text = text_new(arena);

    if (!text_is_host_name(host)) { /* What it could do inside a URI is anyone's guess. */
        (void)err_set(err, ERR_INVALID, "cannot expand a template: '%s' is not a host name",
                      config_lines_echo(arena, host));
        return NULL;
    }
    for (const char *c = template; *c != '\0'; c++) {
        if (*c != '%') {
            text_append_bytes(&text, c, 1);
        } else if (!expand_one(&text, *++c, host)) {
            (void)err_set(err, ERR_INVALID,
                          "cannot expand a template for '%s': '%%' without h, s or %% behind it",
                          host);
            return NULL;
        }
        if (text.length > EXPANSION_MAX) {
            (void)err_set(err, ERR_INVALID,
                          "cannot expand a template for '%s': longer than %zu bytes", host,
                          EXPANSION_MAX);
            return NULL;
        }
    }
    return text.data;
}

static int compare_name(const void *name, const void *host)
{
    return strcmp(name, ((const struct config_host *)host)->name);
}

/* The settings of 'host', all NULL if the file has none. */
static struct config_host find_host(const struct config *config, const char *host)
{
    const struct config_host *found = config->host_count == 0
                                          ? NULL
                                          : bsearch(host, config->hosts, config->host_count,
                                                    sizeof(*config->hosts), compare_name);

    return found == NULL ? (struct config_host){ .name = host } : *found;
}

const char *config_uri(struct arena *arena, const struct config *config, const char *host,
                       struct err *err)
{
    struct config_host own = find_host(config, host);

    return config_expand(arena, own.uri != NULL ? own.uri : config->uri, host, err);
}

const char *config_peer_uri(struct arena *arena, const struct config *config, const char *host,
                            struct err *err)
{
    struct config_host own = find_host(config, host);
    const char *template = own.peer_uri != NULL ? own.peer_uri : config->peer_uri;

    return template != NULL ? config_expand(arena, template, host, err)
                            : config_uri(arena, config, host, err);
}

/* "user@host[:port]" out of a URI that libvirt reaches over SSH, or NULL.  A password in it stays
 * behind. */
static const char *ssh_of_uri(struct arena *arena, const char *uri)
{
    const char *scheme_end = strstr(uri, "://");
    const char *plus = strchr(uri, '+');
    char *authority;
    char *at;
    char *colon;

    if (scheme_end == NULL || plus == NULL || plus > scheme_end ||
        (strncmp(plus, "+ssh:", 5) != 0 && strncmp(plus, "+libssh:", 8) != 0 &&
         strncmp(plus, "+libssh2:", 9) != 0)) {
        return NULL;
    }
    authority = text_copy(arena, scheme_end + 3, strcspn(scheme_end + 3, "/?#"));
    at = strrchr(authority, '@');
    colon = strchr(authority, ':');
    if (at != NULL && colon != NULL && colon < at) {
        return text_format(arena, "%.*s%s", (int)(colon - authority), authority, at);
    }
    return *authority == '\0' ? NULL : authority;
}

const char *config_ssh(struct arena *arena, const struct config *config, const char *host,
                       struct err *err)
{
    struct config_host own = find_host(config, host);
    const char *template = own.ssh != NULL ? own.ssh : config->ssh;
    const char *uri;

    if (template != NULL) {
        return config_expand(arena, template, host, err);
    }
    uri = config_uri(arena, config, host, err);
    return uri == NULL ? NULL : ssh_of_uri(arena, uri);
}

int config_fence_of(struct arena *arena, const struct config *config, const char *host,
                    struct config_fence *fence, struct err *err)
{
    struct config_host own = find_host(config, host);
    const struct config_fence *found = own.fence == NULL ? NULL : find_fence(config, own.fence);
    static const char blanks[] = " \t\r";
    struct text lines = text_new(arena);
    const char *words;

    if (found == NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot fence '%s': berth.conf names no fence for it",
                       host);
    }
    words = config_expand(arena, found->options == NULL ? "" : found->options, host, err);
    if (words == NULL) {
        return -1;
    }
    while (*(words += strspn(words, blanks)) != '\0') {
        size_t length = strcspn(words, blanks);

        text_append_bytes(&lines, words, length);
        text_append(&lines, "\n");
        words += length;
    }
    if (own.fence_port != NULL) {
        text_printf(&lines, "port=%s\n", own.fence_port);
    }
    *fence = *found;
    fence->options = lines.data;
    return 0;
}

const char *config_socket(struct arena *arena, const struct config *config)
{
    if (config->api.socket != NULL) {
        return config->api.socket;
    }
    return strcmp(config->state_dir, config_default().state_dir) == 0
               ? CONFIG_DEFAULT_SOCKET
               : text_format(arena, "%s/api.sock", config->state_dir);
}

static void print_host(struct text *text, const struct policy_host *host)
{
    bool says_something =
        host->memory_kib != 0 || host->cpus != 0 || host->has_reserve || host->maintenance;

    if (says_something) { /* Else it is there for its connection alone. */
        text_printf(text, "host %s %" PRIu64 " %" PRIu32 " %d %" PRIu64 " %" PRIu32 " %d\n",
                    host->name, host->memory_kib, host->cpus, host->has_reserve, host->reserve.kib,
                    host->reserve.percent, host->maintenance);
    }
}

static void print_guest(struct text *text, const struct policy_guest *guest)
{
    text_printf(text, "guest %s %d %d %d %d %d %d %d", guest->name, guest->has_mode,
                (int)guest->mode, guest->pin, guest->park, guest->no_detour, guest->has_postcopy,
                guest->postcopy);
    text_printf(text, " %d %d %d %d %" PRId32 "\n", guest->has_auto_converge, guest->auto_converge,
                guest->has_fallback, (int)guest->fallback, guest->priority);
}

void config_policy_digest(const struct config *config, char hex[65])
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct policy *policy = &config->policy;
    struct text text = text_new(&arena);

    text_printf(&text, "capacity %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu32 " %d %d\n",
                policy->reserve.kib, policy->reserve.percent, policy->guest_overhead_kib,
                policy->cpu_overcommit_milli, (int)policy->cpu_policy, policy->charge_off);
    text_printf(
        &text, "migrate %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu32 " %" PRIu64 " %" PRIu32,
        (int)policy->mode, policy->timeout_ms, policy->stop_timeout_ms, policy->start_timeout_ms,
        policy->max_downtime_ms, policy->bandwidth_mib_s, policy->parallel);
    text_printf(&text, " %" PRId64 " %" PRIu32, policy->outage_wait_ms, policy->outage_limit);
    text_printf(&text, " %d %d %d %d %d %d %s\n", policy->tls, policy->auto_converge,
                policy->postcopy, (int)policy->fallback, policy->allow_downgrade,
                policy->adopt_pending_actions,
                policy->migrate_uri == NULL ? "" : policy->migrate_uri);
    profile_print(&text, policy->profile);
    for (size_t i = 0; i < policy->host_count; i++) {
        print_host(&text, &policy->hosts[i]);
    }
    for (size_t i = 0; i < policy->guest_count; i++) {
        print_guest(&text, &policy->guests[i]);
    }
    (void)digest_of(text.data, text.length, hex);
}

const char *config_drift_class_name(enum config_drift_class class)
{
    static const char *const names[CONFIG_DRIFT_CLASSES] = {
        [CONFIG_DRIFT_OPERATOR_MOVE] = "operator-move", [CONFIG_DRIFT_HALF_STEP] = "half-step",
        [CONFIG_DRIFT_HOST_RESTART] = "host-restart",   [CONFIG_DRIFT_VANISHED] = "vanished",
        [CONFIG_DRIFT_DUPLICATE] = "duplicate",         [CONFIG_DRIFT_SIZE] = "size",
    };

    assert(class < CONFIG_DRIFT_CLASSES);
    return names[class];
}

const char *config_drift_answer_name(enum config_drift_answer answer)
{
    static const char *const names[CONFIG_DRIFT_ANSWERS] = {
        [CONFIG_DRIFT_REPORT] = "report",
        [CONFIG_DRIFT_CORRECT] = "correct",
        [CONFIG_DRIFT_ADOPT] = "adopt",
        [CONFIG_DRIFT_HOLD] = "hold",
    };

    assert(answer < CONFIG_DRIFT_ANSWERS);
    return names[answer];
}
