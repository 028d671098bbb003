/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/config_key.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/un.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/loopback.h"
#include "base/text.h"
#include "model/quantity.h"
#include "reconciler/config_hooks.h"
#include "reconciler/zone.h"

#define EXAMPLE_HOST      "kvm1.example.com"
#define OVERCOMMIT_MAX    1000 /* vCPUs a CPU. */
#define MAX_DOWNTIME_MS   2000 /* QEMU's is an estimate; the real pause must stay under 4 s. */
#define MAX_PARALLEL      255  /* QEMU's multifd-channels is a byte. */
#define MAX_OUTAGES       1000
#define MAX_DAYS          36500
#define MIN_RECORDS       1000
#define MAX_RECORDS       10000000
#define MAX_BANDWIDTH_MIB (UINT64_C(1) << 20)
#define MAX_CPUS          (UINT64_C(1) << 20)
#define MAX_PRIORITY      1000000
#define FENCE_AGENTS      "/usr/sbin"
#define POLL_MIN_MS       INT64_C(1000)
#define POLL_MAX_MS       (INT64_C(24) * 3600 * 1000)

static const char *const section_names[CONFIG_KEY_SECTIONS] = {
    [CONFIG_KEY_NONE] = "",
    [CONFIG_KEY_FLEET] = "fleet",
    [CONFIG_KEY_CAPACITY] = "capacity",
    [CONFIG_KEY_MIGRATE] = "migrate",
    [CONFIG_KEY_DRIFT] = "drift",
    [CONFIG_KEY_API] = "api",
    [CONFIG_KEY_HOOKS] = "hooks",
    [CONFIG_KEY_HOST] = "host",
    [CONFIG_KEY_GUEST] = "guest",
    [CONFIG_KEY_FENCE] = "fence",
    [CONFIG_KEY_WINDOW] = "window",
    [CONFIG_KEY_BLACKOUT] = "blackout",
    [CONFIG_KEY_SCHEDULE] = "schedule",
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

static bool parse_socket(struct arena *arena, const char *text, void *member)
{
    return parse_text(arena, text, member) &&
           strlen(text) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

static bool parse_listen(struct arena *arena, const char *text, void *member)
{
    union loopback address;
    socklen_t size;

    return loopback_parse(text, &address, &size) && parse_text(arena, text, member);
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

static bool parse_poll(struct arena *arena, const char *text, void *member)
{
    int64_t *poll_ms = member;

    return parse_duration(arena, text, member) && *poll_ms >= POLL_MIN_MS &&
           *poll_ms <= POLL_MAX_MS;
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

static bool parse_outages(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_u32(text, 1, MAX_OUTAGES, member);
}

static bool parse_days(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_u32(text, 1, MAX_DAYS, member);
}

static bool parse_records(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_u32(text, MIN_RECORDS, MAX_RECORDS, member);
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

static bool parse_overruled(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_either(text, "finish", "cancel", member);
}

static bool parse_mode(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return policy_mode_from_name(text, member);
}

static bool parse_fallback(struct arena *arena, const char *text, void *member)
{
    static const char *const names[] = {
        [POLICY_FALLBACK_NONE] = "none",
        [POLICY_FALLBACK_OFFLINE] = "offline",
        [POLICY_FALLBACK_POSTCOPY] = "postcopy",
    };
    size_t index = text_index(names, ARRAY_LEN(names), text);

    (void)arena;
    *(enum policy_fallback *)member = (enum policy_fallback)index;
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

/* Stores the answer called 'text' if it is one of those in 'allowed', a bit each. */
static bool parse_answer(const char *text, unsigned allowed, void *member)
{
    for (enum config_drift_answer answer = 0; answer < CONFIG_DRIFT_ANSWERS; answer++) {
        if ((allowed >> answer & 1U) != 0 && strcmp(text, config_drift_answer_name(answer)) == 0) {
            *(enum config_drift_answer *)member = answer;
            return true;
        }
    }
    return false;
}

#define ANSWER(name) (1U << CONFIG_DRIFT_##name)

static bool parse_drift_move(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_answer(text, ANSWER(CORRECT) | ANSWER(REPORT) | ANSWER(ADOPT) | ANSWER(HOLD),
                        member);
}

static bool parse_drift_step(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_answer(text, ANSWER(CORRECT) | ANSWER(HOLD), member);
}

static bool parse_drift_restart(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_answer(text, ANSWER(CORRECT) | ANSWER(REPORT) | ANSWER(HOLD), member);
}

static bool parse_drift_seen(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_answer(text, ANSWER(REPORT) | ANSWER(HOLD), member);
}

static bool parse_drift_size(struct arena *arena, const char *text, void *member)
{
    (void)arena;
    return parse_answer(text, ANSWER(REPORT), member);
}

static bool parse_calendar(struct arena *arena, const char *text, void *member)
{
    struct err err;

    return calendar_parse(arena, text, member, &err) == 0;
}

static bool parse_drift(struct arena *arena, const char *text, void *member)
{
    return strcmp(text, "continuous") == 0 || parse_calendar(arena, text, member);
}

static bool parse_zone(struct arena *arena, const char *text, void *member)
{
    AUTO(zone) struct zone *zone = zone_open(text);

    *(const char **)member = arena_strdup(arena, text);
    return zone != NULL;
}

/* The next of the values with commas between them at '*s', without blanks around it; NULL behind the
 * last. */
static const char *take_listed(struct arena *arena, const char **s)
{
    const char *first = *s;
    size_t length;

    if (first == NULL) {
        return NULL;
    }
    length = strcspn(first, ",");
    *s = first[length] == ',' ? first + length + 1 : NULL;
    return text_trim(arena, first, length, " \t");
}

static size_t count_listed(const char *s)
{
    size_t count = 1;

    for (; *s != '\0'; s++) {
        count += *s == ',';
    }
    return count;
}

static bool parse_gate(struct arena *arena, const char *text, void *member)
{
    const char **names = ARENA_ARRAY(arena, const char *, count_listed(text));
    struct timetable_gate gate = { .names = names };
    const char *name;

    while ((name = take_listed(arena, &text)) != NULL) {
        if (!text_is_host_name(name)) {
            return false;
        }
        names[gate.count++] = name;
    }
    *(struct timetable_gate *)member = gate;
    return true;
}

static bool parse_events(struct arena *arena, const char *text, void *member)
{
    struct hook_config *hooks = member;
    const char **names = ARENA_ARRAY(arena, const char *, count_listed(text));
    const char *name;

    hooks->events = names;
    hooks->event_count = 0;
    while ((name = take_listed(arena, &text)) != NULL) {
        if (!config_hooks_is_event(name)) {
            return false;
        }
        names[hooks->event_count++] = name;
    }
    return true;
}

static bool parse_path(struct arena *arena, const char *text, void *member)
{
    return parse_text(arena, text, member) && *text == '/';
}

/* A program of the fence-agents project by its name, or any by its path. */
static bool parse_agent(struct arena *arena, const char *text, void *member)
{
    bool is_name = text_is_host_name(text);

    *(const char **)member =
        is_name ? text_format(arena, FENCE_AGENTS "/%s", text) : arena_strdup(arena, text);
    return is_name || (parse_text(arena, text, member) && *text == '/');
}

/* What berth.conf says others may read. */
static bool is_fence_option(const char *word, size_t length)
{
    static const char *const refused[] = { "action", "password", "passwd" };
    size_t name = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    if (name == 0 || name >= length || word[name] != '=') {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (name == strlen(refused[i]) && strncmp(word, refused[i], name) == 0) {
            return false;
        }
    }
    return true;
}

static bool parse_fence_options(struct arena *arena, const char *text, void *member)
{
    for (const char *word = text; *word != '\0';) {
        size_t length = strcspn(word, " \t");

        if (length > 0 && !is_fence_option(word, length)) {
            return false;
        }
        word += length;
        word += strspn(word, " \t");
    }
    return parse_template(arena, text, member);
}

static bool parse_fence_port(struct arena *arena, const char *text, void *member)
{
    return parse_text(arena, text, member) && strpbrk(text, " \t") == NULL;
}

static bool parse_name(struct arena *arena, const char *text, void *member)
{
    *(const char **)member = arena_strdup(arena, text);
    return text_is_host_name(text);
}

static bool parse_url(struct arena *arena, const char *text, void *member)
{
    *(const char **)member = arena_strdup(arena, text);
    return config_hooks_is_url(text);
}

/* The name behind 'kind' and blanks, or NULL. */
static const char *name_behind(const char *s, const char *kind)
{
    size_t length = strlen(kind);
    size_t blanks = strncmp(s, kind, length) == 0 ? strspn(s + length, " \t") : 0;

    return blanks > 0 && text_is_host_name(s + length + blanks) ? s + length + blanks : NULL;
}

static bool parse_scope(struct arena *arena, const char *text, void *member)
{
    const char **hosts = ARENA_ARRAY(arena, const char *, count_listed(text));
    const char **guests = ARENA_ARRAY(arena, const char *, count_listed(text));
    struct timetable_scope scope = { .hosts = hosts, .guests = guests };
    const char *item;

    while ((item = take_listed(arena, &text)) != NULL) {
        const char *host = name_behind(item, "host");
        const char *guest = name_behind(item, "guest");

        if (host != NULL) {
            hosts[scope.host_count++] = host;
        } else if (guest != NULL) {
            guests[scope.guest_count++] = guest;
        } else if (strcmp(item, "fleet") == 0) {
            scope.fleet = true;
        } else {
            return false;
        }
    }
    *(struct timetable_scope *)member = scope;
    return true;
}

/* What a value must be, in the words of a fault.  The value itself is never echoed: a URI or a key put
 * in the wrong place may hold a secret. */
#define IS_TEXT     "must be text, not empty and without control characters"
#define IS_TEMPLATE "must be text in which '%' stands only in %h, %s and %%"
#define IS_SIZE     "must be a size such as 512MiB or 8GiB"
#define IS_DURATION "must be a duration such as 90s, 10m or 2h"
#define IS_BOOL     "must be yes or no"
#define IS_MODE     "must be auto, live or offline"
#define IS_FALLBACK "must be none, offline or postcopy"
#define IS_CALENDAR "must be a calendar expression such as Sat 22:00"
#define IS_GATE     "must be names of [window NAME] sections, with commas between them"

/* 'base' is config, policy or a config_key struct, as the section goes. */
#define KEY(section_, name_, type_, expected_, base, member)                       \
    {                                                                              \
        .section = CONFIG_KEY_##section_, .name = (name_), .parse = parse_##type_, \
        .expected = (expected_), .offset = offsetof(struct base, member),          \
    }
/* The same for a key that sets a flag when it is given. */
#define KEY_FLAGGED(section_, name_, type_, expected_, base, member, flag)         \
    {                                                                              \
        .section = CONFIG_KEY_##section_, .name = (name_), .parse = parse_##type_, \
        .expected = (expected_), .offset = offsetof(struct base, member),          \
        .given = offsetof(struct base, flag),                                      \
    }

struct key {
    enum config_key_section section;
    const char *name;
    parse_fn *parse;
    const char *expected;
    size_t offset;
    size_t given; /* Offset of a bool, or 0. */
};

static const struct key keys[] = {
    KEY(FLEET, "es_xml", text, IS_TEXT, config, es_xml),
    KEY(FLEET, "state_dir", text, IS_TEXT, config, state_dir),
    KEY(FLEET, "poll", poll, "must be a duration from 1s to 24h", config, poll_ms),
    KEY(FLEET, "history_days", days, "must be a number of days from 1 to 36500", config,
        history_days),
    KEY(FLEET, "history_records", records, "must be a number from 1000 to 10000000", config,
        history_records),
    KEY(FLEET, "uri", template, IS_TEMPLATE, config, uri),
    KEY(FLEET, "peer_uri", template, IS_TEMPLATE, config, peer_uri),
    KEY(FLEET, "ssh", template, IS_TEMPLATE, config, ssh),
    KEY(FLEET, "ssh_key", text, IS_TEXT, config, ssh_key),
    KEY(FLEET, "ssh_known_hosts", text, IS_TEXT, config, ssh_known_hosts),
    KEY(FLEET, "profile", text, IS_TEXT, config, profile),
    KEY(FLEET, "guard", bool, IS_BOOL, config, guard),
    KEY(FLEET, "window", gate, IS_GATE, config, timetable.fleet),
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
    KEY(MIGRATE, "start_timeout", duration, IS_DURATION, policy, start_timeout_ms),
    KEY(MIGRATE, "outage_wait", duration, IS_DURATION, policy, outage_wait_ms),
    KEY(MIGRATE, "outage_limit", outages, "must be a number from 1 to 1000", policy, outage_limit),
    KEY(MIGRATE, "max_downtime", downtime, "must be a duration of at most 2s, such as 500ms",
        policy, max_downtime_ms),
    KEY(MIGRATE, "bandwidth", bandwidth,
        "must be a size a second in whole MiB, such as 500MiB, or 0 for no limit", policy,
        bandwidth_mib_s),
    KEY(MIGRATE, "parallel", parallel, "must be a number of connections from 0 to 255", policy,
        parallel),
    KEY(MIGRATE, "tls", bool, IS_BOOL, policy, tls),
    KEY(MIGRATE, "migrate_uri", template, IS_TEMPLATE, policy, migrate_uri),
    KEY(MIGRATE, "auto_converge", bool, IS_BOOL, policy, auto_converge),
    KEY(MIGRATE, "postcopy", bool, IS_BOOL, policy, postcopy),
    KEY(MIGRATE, "fallback", fallback, IS_FALLBACK, policy, fallback),
    KEY(MIGRATE, "allow_downgrade", bool, IS_BOOL, policy, allow_downgrade),
    KEY(MIGRATE, "pending_actions", pending, "must be block or adopt", policy,
        adopt_pending_actions),
    KEY(MIGRATE, "overruled", overruled, "must be finish or cancel", policy, cancel_overruled),
    KEY(DRIFT, "operator_move", drift_move, "must be correct, report, adopt or hold", config,
        drift[CONFIG_DRIFT_OPERATOR_MOVE]),
    KEY(DRIFT, "half_step", drift_step, "must be correct or hold", config,
        drift[CONFIG_DRIFT_HALF_STEP]),
    KEY(DRIFT, "host_restart", drift_restart, "must be correct, report or hold", config,
        drift[CONFIG_DRIFT_HOST_RESTART]),
    KEY(DRIFT, "vanished", drift_seen, "must be report or hold", config,
        drift[CONFIG_DRIFT_VANISHED]),
    KEY(DRIFT, "duplicate", drift_seen, "must be report or hold", config,
        drift[CONFIG_DRIFT_DUPLICATE]),
    KEY(DRIFT, "size", drift_size, "must be report", config, drift[CONFIG_DRIFT_SIZE]),
    KEY(API, "socket", socket, "must be a path of at most 107 bytes", config, api.socket),
    KEY(API, "group", text, IS_TEXT, config, api.group),
    KEY(API, "admin_group", text, IS_TEXT, config, api.admin_group),
    KEY(API, "listen", listen, "must be a loopback address such as 127.0.0.1:8420", config,
        api.listen),
    KEY(API, "token_file", text, IS_TEXT, config, api.token_file),
    KEY(HOOKS, "events", events, "must be names of events, with commas between them", config,
        hooks),
    KEY(HOOKS, "command", path, "must be an absolute path", config, hooks.command),
    KEY(HOOKS, "command_timeout", duration, IS_DURATION, config, hooks.command_timeout_ms),
    KEY(HOOKS, "webhook", url,
        "must be an https: URL (http: to 127.0.0.1 or [::1], or with webhook_insecure = yes) without a "
        "user or a password",
        config, hooks.webhook),
    KEY(HOOKS, "webhook_timeout", duration, IS_DURATION, config, hooks.webhook_timeout_ms),
    KEY(HOOKS, "webhook_token_file", path, "must be an absolute path", config,
        hooks.webhook_token_file),
    KEY(HOOKS, "webhook_insecure", bool, IS_BOOL, config, hooks.webhook_insecure),
    KEY(HOST, "uri", template, IS_TEMPLATE, config_key_host, connection.uri),
    KEY(HOST, "peer_uri", template, IS_TEMPLATE, config_key_host, connection.peer_uri),
    KEY(HOST, "ssh", template, IS_TEMPLATE, config_key_host, connection.ssh),
    KEY(HOST, "memory", room, IS_SIZE, config_key_host, policy.memory_kib),
    KEY(HOST, "cpus", cpus, "must be a number of CPUs", config_key_host, policy.cpus),
    KEY_FLAGGED(HOST, "reserve", reserve, "must be a size such as 8GiB, or 0% to 100%",
                config_key_host, policy.reserve, policy.has_reserve),
    KEY(HOST, "maintenance", bool, IS_BOOL, config_key_host, policy.maintenance),
    KEY(HOST, "window", gate, IS_GATE, config_key_host, gate),
    KEY(HOST, "fence", name, "must be the name of a [fence NAME] section", config_key_host,
        connection.fence),
    KEY(HOST, "fence_port", fence_port, "must be one word: what the fence calls this host",
        config_key_host, connection.fence_port),
    KEY_FLAGGED(GUEST, "mode", mode, IS_MODE, config_key_guest, policy.mode, policy.has_mode),
    KEY(GUEST, "pin", bool, IS_BOOL, config_key_guest, policy.pin),
    KEY(GUEST, "park", bool, IS_BOOL, config_key_guest, policy.park),
    KEY(GUEST, "detour", not, IS_BOOL, config_key_guest, policy.no_detour),
    KEY_FLAGGED(GUEST, "postcopy", bool, IS_BOOL, config_key_guest, policy.postcopy,
                policy.has_postcopy),
    KEY_FLAGGED(GUEST, "auto_converge", bool, IS_BOOL, config_key_guest, policy.auto_converge,
                policy.has_auto_converge),
    KEY_FLAGGED(GUEST, "fallback", fallback, IS_FALLBACK, config_key_guest, policy.fallback,
                policy.has_fallback),
    KEY(GUEST, "priority", priority, "must be a whole number from -1000000 to 1000000",
        config_key_guest, policy.priority),
    KEY(GUEST, "window", gate, IS_GATE, config_key_guest, gate),
    KEY(FENCE, "agent", agent, "must be the name of a fence agent, or a path", config_key_fence,
        fence.agent),
    KEY(FENCE, "options", fence_options,
        "must be words option=value, none of them action; a password belongs into the file of 'secrets'",
        config_key_fence, fence.options),
    KEY(FENCE, "secrets", path, "must be an absolute path", config_key_fence, fence.secrets),
    KEY_FLAGGED(WINDOW, "opens", calendar, IS_CALENDAR, config_key_window, opens, has_opens),
    KEY_FLAGGED(WINDOW, "lasts", duration, IS_DURATION, config_key_window, lasts_ms, has_lasts),
    KEY_FLAGGED(BLACKOUT, "from", calendar, IS_CALENDAR, config_key_blackout, from, has_from),
    KEY_FLAGGED(BLACKOUT, "until", calendar, IS_CALENDAR, config_key_blackout, until, has_until),
    KEY(BLACKOUT, "applies_to", scope, "must be fleet, or a list such as host kvm1, guest vm1",
        config_key_blackout, scope),
    KEY(SCHEDULE, "drift", drift, IS_CALENDAR ", or continuous", config_key_schedule, drift),
    KEY(SCHEDULE, "timezone", zone,
        "must be UTC or a time zone that this machine knows, such as Europe/Berlin",
        config_key_schedule, timezone),
};

_Static_assert(ARRAY_LEN(keys) == CONFIG_KEY_COUNT, "CONFIG_KEY_COUNT is not the number of keys");

const char *config_key_section_name(enum config_key_section section)
{
    assert(section < CONFIG_KEY_SECTIONS);
    return section_names[section];
}

enum config_key_section config_key_section_from_name(const char *name)
{
    size_t index = text_index(section_names, CONFIG_KEY_SECTIONS, name);

    return index == CONFIG_KEY_SECTIONS ? CONFIG_KEY_NONE : (enum config_key_section)index;
}

size_t config_key_find(enum config_key_section section, const char *name)
{
    size_t i = 0;

    while (i < ARRAY_LEN(keys) && (keys[i].section != section || strcmp(keys[i].name, name) != 0)) {
        i++;
    }
    return i;
}

/* What 'value' must be, and with a calendar what is wrong with it. */
static const char *explain(struct arena *arena, const struct key *key, const char *value)
{
    struct calendar calendar;
    struct err err;

    if ((key->parse != parse_calendar && key->parse != parse_drift) ||
        calendar_parse(arena, value, &calendar, &err) == 0) {
        return key->expected;
    }
    return text_format(arena, "%s: %s", key->expected, err.text);
}

const char *config_key_store(struct arena *arena, size_t index, const char *value, void *base)
{
    const struct key *key = &keys[index];

    if (key->given != 0) {
        *(bool *)((char *)base + key->given) = true;
    }
    return key->parse(arena, value, (char *)base + key->offset) ? NULL : explain(arena, key, value);
}
