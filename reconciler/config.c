/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/config.h"

#include <assert.h>
#include <ini.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "model/fault.h"
#include "model/quantity.h"

#define LINE_MAX_BYTES    ((size_t)INI_MAX_LINE - 3) /* inih cuts what is longer. */
#define ECHO_MAX_BYTES    64
#define EXPANSION_MAX     ((size_t)4096)
#define EXAMPLE_HOST      "kvm1.example.com"
#define OVERCOMMIT_MAX    1000 /* vCPUs a CPU. */
#define MAX_DOWNTIME_MS   2000 /* QEMU's is an estimate; the real pause must stay under 4 s. */
#define MAX_PARALLEL      255  /* QEMU's multifd-channels is a byte. */
#define MAX_BANDWIDTH_MIB (UINT64_C(1) << 20)
#define MAX_CPUS          (UINT64_C(1) << 20)
#define MAX_PRIORITY      1000000

/* A [host NAME] section while it is read; the two halves part at the end. */
struct host_section {
    struct config_host connection;
    struct policy_host policy;
    uint32_t line;
};

struct guest_section {
    struct policy_guest policy;
    uint32_t line;
};

enum section {
    SECTION_NONE, /* Before the first, or one that is a fault: its keys are passed over. */
    SECTION_FLEET,
    SECTION_CAPACITY,
    SECTION_MIGRATE,
    SECTION_HOST,
    SECTION_GUEST,
    SECTION_COUNT,
};

static const char *const section_names[SECTION_COUNT] = {
    [SECTION_NONE] = "",           [SECTION_FLEET] = "fleet", [SECTION_CAPACITY] = "capacity",
    [SECTION_MIGRATE] = "migrate", [SECTION_HOST] = "host",   [SECTION_GUEST] = "guest",
};

/* Stores the value 'text' in 'member'; false if it is not what the key takes.  Strings live in
 * 'arena'. */
typedef bool parse_fn(struct arena *arena, const char *text, void *member);

static bool parse_text(struct arena *arena, const char *text, void *member)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            return false;
        }
    }
    *(const char **)member = arena_strdup(arena, text);
    return *text != '\0';
}

static bool parse_template(struct arena *arena, const char *text, void *member)
{
    struct err err;

    return parse_text(arena, text, member) &&
           config_expand(arena, text, EXAMPLE_HOST, &err) != NULL;
}

static bool parse_size(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return quantity_parse_size(text, member);
}

static bool parse_room(struct arena *arena, const char *text, void *member)
{
    return parse_size(arena, text, member) && *(uint64_t *)member > 0;
}

static bool parse_bandwidth(struct arena *arena, const char *text, void *member)
{
    uint64_t kib;

    (void)arena;
    if (!quantity_parse_size(text, &kib) || kib % 1024 != 0 || kib / 1024 > MAX_BANDWIDTH_MIB) {
        return false;
    }
    *(uint64_t *)member = kib / 1024;
    return true;
}

static bool parse_reserve(struct arena *arena, const char *text, void *member)
{
    struct policy_reserve reserve = { 0 };
    size_t length = strlen(text);
    uint64_t percent;

    if (length == 0 || text[length - 1] != '%') {
        if (!quantity_parse_size(text, &reserve.kib)) {
            return false;
        }
    } else {
        if (!text_to_u64(text_copy(arena, text, length - 1), 100, &percent)) {
            return false;
        }
        reserve.percent = (uint32_t)percent;
    }
    *(struct policy_reserve *)member = reserve;
    return true;
}

static bool parse_duration(struct arena *arena, const char *text, void *member)
{
    int64_t ms;

    (void)arena;
    if (!quantity_parse_duration(text, &ms) || ms == 0) {
        return false;
    }
    *(int64_t *)member = ms;
    return true;
}

static bool parse_downtime(struct arena *arena, const char *text, void *member)
{
    int64_t ms;

    if (!parse_duration(arena, text, &ms) || ms > MAX_DOWNTIME_MS) {
        return false;
    }
    *(uint32_t *)member = (uint32_t)ms;
    return true;
}

/* "1", "1.5", "0.125" in thousandths. */
static bool parse_overcommit(struct arena *arena, const char *text, void *member)
{
    const char *point = strchrnul(text, '.');
    const char *digits = *point == '.' ? point + 1 : "0";
    size_t count = strlen(digits);
    uint64_t whole;
    uint64_t milli;

    if (!text_to_u64(text_copy(arena, text, (size_t)(point - text)), OVERCOMMIT_MAX, &whole) ||
        count > 3 || !text_to_u64(digits, 999, &milli)) {
        return false;
    }
    for (; count < 3; count++) {
        milli *= 10;
    }
    *(uint32_t *)member = (uint32_t)(whole * 1000 + milli);
    return whole + milli > 0;
}

static bool parse_u32(const char *text, uint64_t min, uint64_t max, void *member)
{
    uint64_t value;

    if (!text_to_u64(text, max, &value) || value < min) {
        return false;
    }
    *(uint32_t *)member = (uint32_t)value;
    return true;
}

static bool parse_parallel(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_u32(text, 0, MAX_PARALLEL, member);
}

static bool parse_cpus(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_u32(text, 1, MAX_CPUS, member);
}

static bool parse_priority(struct arena *arena, const char *text, void *member)
{
    bool negative = *text == '-';
    uint64_t value;

    (void)arena;
    if (!text_to_u64(text + negative, MAX_PRIORITY, &value)) {
        return false;
    }
    *(int32_t *)member = negative ? -(int32_t)value : (int32_t)value;
    return true;
}

/* Stores whether 'text' is the second of two words. */
static bool parse_either(const char *text, const char *no, const char *yes, void *member)
{
    if (strcmp(text, no) != 0 && strcmp(text, yes) != 0) {
        return false;
    }
    *(bool *)member = strcmp(text, yes) == 0;
    return true;
}

static bool parse_bool(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_either(text, "no", "yes", member);
}

static bool parse_not(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_either(text, "yes", "no", member);
}

static bool parse_pending(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_either(text, "block", "adopt", member);
}

static bool parse_mode(struct arena *arena, const char *text, void *member)
{
    static const char *const names[] = {
        [POLICY_MODE_AUTO] = "auto",
        [POLICY_MODE_LIVE] = "live",
        [POLICY_MODE_OFFLINE] = "offline",
    };
    size_t index = text_index(names, ARRAY_LEN(names), text);

    (void)arena;
    *(enum policy_mode *)member = (enum policy_mode)index;
    return index < ARRAY_LEN(names);
}

static bool parse_cpu_policy(struct arena *arena, const char *text, void *member)
{
    static const char *const names[] = {
        [POLICY_CPU_WARN] = "warn",
        [POLICY_CPU_STRICT] = "strict",
    };
    size_t index = text_index(names, ARRAY_LEN(names), text);

    (void)arena;
    *(enum policy_cpu *)member = (enum policy_cpu)index;
    return index < ARRAY_LEN(names);
}

/* What a value must be, in the words of a fault.  The value itself is never echoed: a URI or a key put
 * in the wrong place may hold a secret. */
#define IS_TEXT     "must be text, not empty and without control characters"
#define IS_TEMPLATE "must be text in which '%' stands only in %h, %s and %%"
#define IS_SIZE     "must be a size such as 512MiB or 8GiB"
#define IS_DURATION "must be a duration such as 90s, 10m or 2h"
#define IS_BOOL     "must be yes or no"
#define IS_MODE     "must be auto, live or offline"

/* 'base' is config, policy, host_section or guest_section, as the section goes. */
#define KEY(section_, name_, type_, expected_, base, member)                    \
    {                                                                           \
        .section = SECTION_##section_, .name = (name_), .parse = parse_##type_, \
        .expected = (expected_), .offset = offsetof(struct base, member),       \
    }
/* The same for a key that sets a flag when it is given. */
#define KEY_FLAGGED(section_, name_, type_, expected_, base, member, flag)      \
    {                                                                           \
        .section = SECTION_##section_, .name = (name_), .parse = parse_##type_, \
        .expected = (expected_), .offset = offsetof(struct base, member),       \
        .given = offsetof(struct base, flag),                                   \
    }

struct key {
    enum section section;
    const char *name;
    parse_fn *parse;
    const char *expected;
    size_t offset;
    size_t given; /* Offset of a bool, or 0. */
};

static const struct key keys[] = {
    KEY(FLEET, "es_xml", text, IS_TEXT, config, es_xml),
    KEY(FLEET, "state_dir", text, IS_TEXT, config, state_dir),
    KEY(FLEET, "uri", template, IS_TEMPLATE, config, uri),
    KEY(FLEET, "peer_uri", template, IS_TEMPLATE, config, peer_uri),
    KEY(FLEET, "ssh", template, IS_TEMPLATE, config, ssh),
    KEY(FLEET, "ssh_key", text, IS_TEXT, config, ssh_key),
    KEY(FLEET, "ssh_known_hosts", text, IS_TEXT, config, ssh_known_hosts),
    KEY(CAPACITY, "host_reserve", reserve, "must be a size such as 8GiB, or 0% to 100%", policy,
        reserve),
    KEY(CAPACITY, "guest_overhead", size, IS_SIZE, policy, guest_overhead_kib),
    KEY(CAPACITY, "cpu_overcommit", overcommit,
        "must be a number such as 1.5, above 0, with at most three decimals", policy,
        cpu_overcommit_milli),
    KEY(CAPACITY, "cpu_policy", cpu_policy, "must be warn or strict", policy, cpu_policy),
    KEY(CAPACITY, "charge_off", bool, IS_BOOL, policy, charge_off),
    KEY(MIGRATE, "mode", mode, IS_MODE, policy, mode),
    KEY(MIGRATE, "timeout", duration, IS_DURATION, policy, timeout_ms),
    KEY(MIGRATE, "stop_timeout", duration, IS_DURATION, policy, stop_timeout_ms),
    KEY(MIGRATE, "max_downtime", downtime, "must be a duration of at most 2s, such as 500ms",
        policy, max_downtime_ms),
    KEY(MIGRATE, "bandwidth", bandwidth,
        "must be a size a second in whole MiB, such as 500MiB, or 0 for no limit", policy,
        bandwidth_mib_s),
    KEY(MIGRATE, "parallel", parallel, "must be a number of connections from 0 to 255", policy,
        parallel),
    KEY(MIGRATE, "tls", bool, IS_BOOL, policy, tls),
    KEY(MIGRATE, "migrate_uri", template, IS_TEMPLATE, policy, migrate_uri),
    KEY(MIGRATE, "postcopy", bool, IS_BOOL, policy, postcopy),
    KEY(MIGRATE, "allow_downgrade", bool, IS_BOOL, policy, allow_downgrade),
    KEY(MIGRATE, "pending_actions", pending, "must be block or adopt", policy,
        adopt_pending_actions),
    KEY(HOST, "uri", template, IS_TEMPLATE, host_section, connection.uri),
    KEY(HOST, "peer_uri", template, IS_TEMPLATE, host_section, connection.peer_uri),
    KEY(HOST, "ssh", template, IS_TEMPLATE, host_section, connection.ssh),
    KEY(HOST, "memory", room, IS_SIZE, host_section, policy.memory_kib),
    KEY(HOST, "cpus", cpus, "must be a number of CPUs", host_section, policy.cpus),
    KEY_FLAGGED(HOST, "reserve", reserve, "must be a size such as 8GiB, or 0% to 100%",
                host_section, policy.reserve, policy.has_reserve),
    KEY(HOST, "maintenance", bool, IS_BOOL, host_section, policy.maintenance),
    KEY_FLAGGED(GUEST, "mode", mode, IS_MODE, guest_section, policy.mode, policy.has_mode),
    KEY(GUEST, "pin", bool, IS_BOOL, guest_section, policy.pin),
    KEY(GUEST, "park", bool, IS_BOOL, guest_section, policy.park),
    KEY(GUEST, "detour", not, IS_BOOL, guest_section, policy.no_detour),
    KEY_FLAGGED(GUEST, "postcopy", bool, IS_BOOL, guest_section, policy.postcopy,
                policy.has_postcopy),
    KEY(GUEST, "priority", priority, "must be a whole number from -1000000 to 1000000",
        guest_section, policy.priority),
};

/* The file while it is read. */
struct reader {
    struct arena *arena;
    struct faults *faults;
    struct config config;
    struct host_section *hosts;
    size_t host_count;
    struct guest_section *guests;
    size_t guest_count;
    uint32_t line;
    enum section section;
    uint32_t section_lines[SECTION_COUNT]; /* Where each that comes once was begun. */
    uint32_t key_lines[ARRAY_LEN(keys)];   /* Where each key of this section was given, or 0. */
};

/* 's' fit to be shown: a terminal must not get to see an escape sequence of a file. */
static const char *echo(struct arena *arena, const char *s)
{
    char *copy = text_copy(arena, s, strnlen(s, ECHO_MAX_BYTES));

    for (char *c = copy; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return copy;
}

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

static void open_host(struct reader *reader, const char *name)
{
    reader->hosts =
        make_room(reader->arena, reader->hosts, reader->host_count, sizeof(*reader->hosts));
    reader->hosts[reader->host_count++] = (struct host_section){
        .connection = { .name = name },
        .policy = { .name = name },
        .line = reader->line,
    };
}

static void open_guest(struct reader *reader, const char *name)
{
    reader->guests =
        make_room(reader->arena, reader->guests, reader->guest_count, sizeof(*reader->guests));
    reader->guests[reader->guest_count++] = (struct guest_section){
        .policy = { .name = name },
        .line = reader->line,
    };
}

/* Opens the section 'kind' of one host or guest.  Sections that are there twice are found at the end. */
static bool open_named(struct reader *reader, enum section section, const char *name)
{
    if (!text_is_host_name(name)) {
        fault_add(reader->faults, reader->line, "[%s NAME]: '%s' is not a host name",
                  section_names[section], echo(reader->arena, name));
        return false;
    }
    if (section == SECTION_HOST) {
        open_host(reader, name);
    } else {
        open_guest(reader, name);
    }
    return true;
}

static bool open_single(struct reader *reader, enum section section, const char *name)
{
    uint32_t *first = &reader->section_lines[section];

    if (*name != '\0') {
        fault_add(reader->faults, reader->line, "[%s] takes no name", section_names[section]);
        return false;
    }
    if (*first != 0) {
        fault_add(reader->faults, reader->line, "[%s] is there twice, first on line %" PRIu32,
                  section_names[section], *first);
        return false;
    }
    *first = reader->line;
    return true;
}

static const char *const blanks = " \t\r";

/* Copy of the 'length' bytes at 's' without blanks around them. */
static char *trim(struct arena *arena, const char *s, size_t length)
{
    size_t first = 0;

    while (first < length && strchr(blanks, s[first]) != NULL) {
        first++;
    }
    while (length > first && strchr(blanks, s[length - 1]) != NULL) {
        length--;
    }
    return text_copy(arena, s + first, length - first);
}

static void open_section(struct reader *reader, const char *kind, const char *name)
{
    size_t section = text_index(section_names, SECTION_COUNT, kind);
    bool good;

    reader->section = SECTION_NONE;
    reader->section_lines[SECTION_NONE] = reader->line;
    memset(reader->key_lines, 0, sizeof(reader->key_lines));
    if (section == SECTION_COUNT || section == SECTION_NONE) {
        fault_add(reader->faults, reader->line, "unknown section [%s]", echo(reader->arena, kind));
        return;
    }
    good = section == SECTION_HOST || section == SECTION_GUEST
               ? open_named(reader, (enum section)section, name)
               : open_single(reader, (enum section)section, name);
    reader->section = good ? (enum section)section : SECTION_NONE;
}

/* Reads "[KIND]" or "[KIND NAME]", a comment behind it allowed. */
static void read_header(struct reader *reader, const char *line)
{
    const char *end = strchr(line, ']');
    const char *rest = end == NULL ? NULL : end + 1 + strspn(end + 1, blanks);
    const char *inside;
    size_t kind;

    if (rest == NULL || (*rest != '\0' && *rest != ';' && *rest != '#')) {
        reader->section = SECTION_NONE;
        reader->section_lines[SECTION_NONE] = reader->line;
        fault_add(reader->faults, reader->line, "not a section header such as [fleet]");
        return;
    }
    inside = trim(reader->arena, line + 1, (size_t)(end - line) - 1);
    kind = strcspn(inside, blanks);
    open_section(reader, text_copy(reader->arena, inside, kind),
                 trim(reader->arena, inside + kind, strlen(inside + kind)));
}

/* The struct that the keys of the open section belong to. */
static void *section_base(struct reader *reader)
{
    switch (reader->section) {
    case SECTION_FLEET:
        return &reader->config;
    case SECTION_CAPACITY:
    case SECTION_MIGRATE:
        return &reader->config.policy;
    case SECTION_HOST:
        return &reader->hosts[reader->host_count - 1];
    case SECTION_GUEST:
        return &reader->guests[reader->guest_count - 1];
    case SECTION_NONE:
    case SECTION_COUNT:
        break;
    }
    return NULL;
}

static size_t find_key(enum section section, const char *name)
{
    size_t i = 0;

    while (i < ARRAY_LEN(keys) && (keys[i].section != section || strcmp(keys[i].name, name) != 0)) {
        i++;
    }
    return i;
}

static void read_key(struct reader *reader, const char *name, const char *value)
{
    size_t index = find_key(reader->section, name);
    const char *section = section_names[reader->section];
    char *base = section_base(reader);

    if (index == ARRAY_LEN(keys)) {
        fault_add(reader->faults, reader->line, "[%s] has no key '%s'", section,
                  echo(reader->arena, name));
        return;
    }
    if (reader->key_lines[index] != 0) {
        fault_add(reader->faults, reader->line, "'%s' is there twice, first on line %" PRIu32, name,
                  reader->key_lines[index]);
        return;
    }
    reader->key_lines[index] = reader->line;
    if (!keys[index].parse(reader->arena, value, base + keys[index].offset)) {
        fault_add(reader->faults, reader->line, "'%s' %s", name, keys[index].expected);
        return;
    }
    if (keys[index].given != 0) {
        *(bool *)(base + keys[index].given) = true;
    }
}

/* inih's handler. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
    struct reader *reader = user;

    (void)section;
    if (reader->section != SECTION_NONE) {
        read_key(reader, name, value);
    } else if (reader->section_lines[SECTION_NONE] == 0) {
        fault_add(reader->faults, reader->line, "'%s' stands before any section",
                  echo(reader->arena, name));
    }
    return 1;
}

/* inih gets one line at a time.  Given the whole file it cuts the names of sections at 50 bytes, which
 * would give one host's settings to another, knows only the first malformed line, and takes an indented
 * key for the rest of the value above. */
static void read_line(struct reader *reader, const char *line)
{
    line += strspn(line, blanks);
    reader->line++;
    if (*line == '\0' || *line == ';' || *line == '#') {
        return;
    }
    if (strlen(line) > LINE_MAX_BYTES) {
        fault_add(reader->faults, reader->line, "longer than %zu bytes", LINE_MAX_BYTES);
    } else if (*line == '[') {
        read_header(reader, line);
    } else if (ini_parse_string(line, on_key, reader) != 0) {
        fault_add(reader->faults, reader->line, "not a section, 'key = value' or comment");
    }
}

static void read_lines(struct reader *reader, char *bytes, size_t length)
{
    char *line = bytes;

    if (strncmp(line, "\xef\xbb\xbf", 3) == 0) { /* A byte order mark. */
        line += 3;
    }
    while (line < bytes + length) {
        char *end = memchr(line, '\n', (size_t)(bytes + length - line));

        if (end == NULL) {
            end = bytes + length;
        }
        *end = '\0';
        if (strlen(line) < (size_t)(end - line)) {
            fault_add(reader->faults, reader->line + 1, "holds a NUL byte");
        }
        read_line(reader, line);
        line = end + 1;
    }
}

static int compare_hosts(const void *a, const void *b)
{
    const struct host_section *left = a;
    const struct host_section *right = b;
    int order = strcmp(left->policy.name, right->policy.name);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static int compare_guests(const void *a, const void *b)
{
    const struct guest_section *left = a;
    const struct guest_section *right = b;
    int order = strcmp(left->policy.name, right->policy.name);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static void finish_hosts(struct reader *reader)
{
    size_t count = reader->host_count;
    struct config_host *connections = ARENA_ARRAY(reader->arena, struct config_host, count);
    struct policy_host *policies = ARENA_ARRAY(reader->arena, struct policy_host, count);

    if (count > 1) {
        qsort(reader->hosts, count, sizeof(*reader->hosts), compare_hosts);
    }
    for (size_t i = 0; i < count; i++) {
        const struct host_section *host = &reader->hosts[i];

        if (i > 0 && strcmp(host[-1].policy.name, host->policy.name) == 0) {
            fault_add(reader->faults, host->line,
                      "[host %s] is there twice, first on line %" PRIu32, host->policy.name,
                      host[-1].line);
        }
        connections[i] = host->connection;
        policies[i] = host->policy;
    }
    reader->config.hosts = connections;
    reader->config.host_count = count;
    reader->config.policy.hosts = policies;
    reader->config.policy.host_count = count;
}

static void finish_guests(struct reader *reader)
{
    size_t count = reader->guest_count;
    struct policy_guest *policies = ARENA_ARRAY(reader->arena, struct policy_guest, count);

    if (count > 1) {
        qsort(reader->guests, count, sizeof(*reader->guests), compare_guests);
    }
    for (size_t i = 0; i < count; i++) {
        const struct guest_section *guest = &reader->guests[i];

        if (i > 0 && strcmp(guest[-1].policy.name, guest->policy.name) == 0) {
            fault_add(reader->faults, guest->line,
                      "[guest %s] is there twice, first on line %" PRIu32, guest->policy.name,
                      guest[-1].line);
        }
        policies[i] = guest->policy;
    }
    reader->config.policy.guests = policies;
    reader->config.policy.guest_count = count;
}

struct config config_default(void)
{
    return (struct config){
        .es_xml = "/etc/berth/es.xml",
        .state_dir = "/var/lib/berth",
        .uri = "qemu+ssh://root@%h/system?no_tty=1",
        .policy = policy_default(),
    };
}

int config_read(struct arena *arena, const char *path, struct config *config, struct faults *faults,
                struct err *err)
{
    struct reader reader = { .arena = arena, .faults = faults, .config = config_default() };
    char *bytes;
    size_t length;

    assert(faults->count == 0);
    if (file_read(arena, path, CONFIG_MAX_BYTES, &bytes, &length, err) != 0) {
        return -1;
    }
    read_lines(&reader, bytes, length);
    finish_hosts(&reader);
    finish_guests(&reader);
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
                      echo(arena, host));
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
    text_printf(text, "guest %s %d %d %d %d %d %d %d %" PRId32 "\n", guest->name, guest->has_mode,
                (int)guest->mode, guest->pin, guest->park, guest->no_detour, guest->has_postcopy,
                guest->postcopy, guest->priority);
}

void config_policy_digest(const struct config *config, char hex[65])
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct policy *policy = &config->policy;
    struct text text = text_new(&arena);

    text_printf(&text, "capacity %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu32 " %d %d\n",
                policy->reserve.kib, policy->reserve.percent, policy->guest_overhead_kib,
                policy->cpu_overcommit_milli, (int)policy->cpu_policy, policy->charge_off);
    text_printf(&text, "migrate %d %" PRId64 " %" PRId64 " %" PRIu32 " %" PRIu64 " %" PRIu32,
                (int)policy->mode, policy->timeout_ms, policy->stop_timeout_ms,
                policy->max_downtime_ms, policy->bandwidth_mib_s, policy->parallel);
    text_printf(&text, " %d %d %d %d %s\n", policy->tls, policy->postcopy, policy->allow_downgrade,
                policy->adopt_pending_actions,
                policy->migrate_uri == NULL ? "" : policy->migrate_uri);
    for (size_t i = 0; i < policy->host_count; i++) {
        print_host(&text, &policy->hosts[i]);
    }
    for (size_t i = 0; i < policy->guest_count; i++) {
        print_guest(&text, &policy->guests[i]);
    }
    (void)digest_of(text.data, text.length, hex);
}
