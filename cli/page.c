/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/page.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/document.h"

#define LABEL_COLUMNS 12
#define ITEMS_MAX     20 /* Of one kind: the rest is counted. */
#define MIB           (1024 * 1024)

/* How long before the document was made, or after. */
static const char *ago(struct arena *arena, const struct json_t *status, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t ms = document_instant(status, "at") - wall_ms;

    return arena_strdup(arena, clock_format_duration(ms < 0 ? -ms : ms, text));
}

const char *page_move(struct arena *arena, const struct json_t *move)
{
    const char *hop = document_word(arena, move, "hop");

    return text_format(arena, "%s: %s -> %s, %s%s", document_word(arena, move, "guest"),
                       document_word(arena, move, "from"), document_word(arena, move, "to"),
                       document_word(arena, move, "mode"),
                       strcmp(hop, "detour") == 0 ? " (on its way: a temporary host)" : "");
}

/* A copy that does not end by itself takes at least what is left of this pass. */
static const char *time_left(struct arena *arena, const struct json_t *moving)
{
    char left[CLOCK_TEXT_SIZE];

    (void)clock_format_duration(document_number(moving, "left_ms"), left);
    return text_format(arena, document_flag(moving, "converges") ? "%s left" : "more than %s left",
                       left);
}

const char *page_moving(struct arena *arena, const struct json_t *moving)
{
    struct text text = text_new(arena);
    int64_t rate = document_number(moving, "rate_bytes_s");
    int64_t left_ms = document_number(moving, "left_ms");

    text_printf(&text, "%s, %s, %" PRId64 " %%", page_move(arena, moving),
                document_word(arena, moving, "phase"), document_number(moving, "percent"));
    if (rate > 0) {
        text_printf(&text, ", %" PRId64 " MiB/s", rate / MIB);
    }
    if (document_number(moving, "throttle_percent") > 0) {
        text_printf(&text, ", slowed by %" PRId64 " %%",
                    document_number(moving, "throttle_percent"));
    }
    if (rate > 0 && left_ms >= 0) {
        text_printf(&text, ", %s", time_left(arena, moving));
    }
    if (document_flag(moving, "cancel_requested")) {
        text_append(&text, ", is being cancelled");
    }
    return text.data;
}

const char *page_block(struct arena *arena, const struct json_t *block)
{
    return text_format(arena, "%s: %s: %s", document_word(arena, block, "guest"),
                       document_word(arena, block, "code"), document_word(arena, block, "reason"));
}

const char *page_retry(struct arena *arena, const struct json_t *status, const struct json_t *retry)
{
    const char *guest = document_word(arena, retry, "guest");
    const char *reason = document_word(arena, retry, "reason");

    if (document_flag(retry, "parked")) {
        return text_format(arena, "%s: %s; 'berth retry %s' tries again", guest, reason, guest);
    }
    return text_format(
        arena, "%s: %s; tried %" PRId64 " time%s, next in %s; 'berth retry %s' tries at once",
        guest, reason, document_number(retry, "attempts"),
        document_number(retry, "attempts") == 1 ? "" : "s",
        ago(arena, status, document_instant(retry, "next")), guest);
}

const char *page_hold(struct arena *arena, const struct json_t *hold)
{
    const char *name = document_string(arena, hold, "name");
    const char *reason = document_string(arena, hold, "reason");
    char since[CLOCK_TEXT_SIZE];

    return text_format(arena, "%s%s by %s since %s%s%s; 'berth release%s%s' lets go",
                       name == NULL                                               ? "the fleet"
                       : strcmp(document_word(arena, hold, "scope"), "host") == 0 ? "host "
                                                                                  : "",
                       name == NULL ? "" : name, document_word(arena, hold, "user"),
                       clock_format(document_instant(hold, "since"), since),
                       reason == NULL ? "" : ": ", reason == NULL ? "" : reason,
                       name == NULL ? "" : " ", name == NULL ? "" : name);
}

const char *page_drift(struct arena *arena, const struct json_t *status, const struct json_t *drift)
{
    int64_t since_ms = document_instant(drift, "since");

    return text_format(arena, "%s %s (%s%s%s)", document_word(arena, drift, "guest"),
                       document_word(arena, drift, "text"), document_word(arena, drift, "answer"),
                       since_ms == 0 ? "" : ", for ",
                       since_ms == 0 ? "" : ago(arena, status, since_ms));
}

bool page_is_false(struct arena *arena, const struct json_t *condition)
{
    return strcmp(document_word(arena, condition, "status"), "false") == 0;
}

const char *page_condition(struct arena *arena, const struct json_t *status,
                           const struct json_t *condition)
{
    int64_t since_ms = document_instant(condition, "since");

    return text_format(arena, "%s%s%s: %s", document_word(arena, condition, "type"),
                       since_ms == 0 ? "" : " for ",
                       since_ms == 0 ? "" : ago(arena, status, since_ms),
                       document_word(arena, condition, "message"));
}

/* The page as it grows. */
struct page {
    struct text *text;
    const struct json_t *status;
    size_t width;
};

static void print_line(struct page *page, const char *label, const char *sentence)
{
    struct text *text = page->text;
    size_t column = LABEL_COLUMNS;

    text_printf(text, "%-*s", LABEL_COLUMNS, label);
    for (bool first = true; *sentence != '\0'; first = false) {
        size_t bytes = strcspn(sentence, " ");
        size_t columns = text_columns(sentence, bytes);

        if (!first && page->width != 0 && column + 1 + columns > page->width) {
            text_append(text, "\n");
            text_fill(text, ' ', LABEL_COLUMNS);
            column = LABEL_COLUMNS;
        } else if (!first) {
            text_append(text, " ");
            column++;
        }
        text_append_bytes(text, sentence, bytes);
        column += columns;
        sentence += bytes + (sentence[bytes] == ' ');
    }
    text_append(text, "\n");
}

/* Counts what was not shown of 'count' items. */
static void print_rest(struct page *page, size_t count)
{
    if (count > ITEMS_MAX) {
        print_line(page, "",
                   text_format(page->text->arena, "and %zu more: 'berth status --json' has them",
                               count - ITEMS_MAX));
    }
}

static const struct json_t *find_condition(const struct page *page, const char *type)
{
    for (size_t i = 0; i < document_count(page->status, "conditions"); i++) {
        const struct json_t *condition = document_item(page->status, "conditions", i);

        if (text_equal(document_string(page->text->arena, condition, "type"), type)) {
            return condition;
        }
    }
    return NULL;
}

static void print_file(struct page *page)
{
    struct arena *arena = page->text->arena;
    const struct json_t *status = page->status;
    const char *file = document_word(arena, status, "es_xml");
    const char *digest = document_string(arena, status, "es_xml_sha256");
    const char *revision = digest == NULL ? "" : text_format(arena, "revision %.12s", digest);
    const struct json_t *valid = find_condition(page, "DesiredValid");
    const char *why = document_string(arena, valid, "message");

    if (!document_flag(status, "valid")) {
        print_line(page, "es.xml",
                   text_format(arena, "%s is not valid%s%s%s%s%s", file, why == NULL ? "" : ": ",
                               why == NULL ? "" : why,
                               digest == NULL ? ", nothing is done with it" : "; ", revision,
                               digest == NULL ? "" : " stays in force"));
        return;
    }
    print_line(page, "es.xml",
               text_format(arena, "%s, %s%s", file, revision,
                           document_flag(status, "acted_on")
                               ? ""
                               : " (not acted on yet: see 'berth plan')"));
}

static void print_controller(struct page *page)
{
    struct arena *arena = page->text->arena;
    const struct json_t *status = page->status;
    int64_t pid = document_number(status, "controller_pid");
    int64_t looked_ms = document_instant(status, "looked");
    int64_t next_ms = document_instant(status, "next_look");
    struct text text = text_new(arena);

    if (pid == 0) {
        print_line(page, "controller", "none is acting");
        return;
    }
    text_printf(&text, "pid %" PRId64 " is acting", pid);
    if (looked_ms != 0) {
        text_printf(&text, ", looked at the hosts %s ago", ago(arena, status, looked_ms));
    }
    if (next_ms > document_instant(status, "at")) {
        text_printf(&text, ", looks again in %s", ago(arena, status, next_ms));
    }
    print_line(page, "controller", text.data);
}

static void print_last_run(struct page *page)
{
    struct arena *arena = page->text->arena;
    const struct json_t *run = document_object(page->status, "last_run");
    char at[CLOCK_TEXT_SIZE];
    struct text text = text_new(arena);

    if (run == NULL) {
        return;
    }
    text_printf(&text, "%s by %s at %s", document_word(arena, run, "program"),
                document_word(arena, run, "user"),
                clock_format(document_instant(run, "begun"), at));
    if (document_instant(run, "ended") != 0) {
        text_printf(&text, ", ended with status %" PRId64, document_number(run, "exit_status"));
    } else {
        text_append(&text, document_number(page->status, "controller_pid") != 0
                               ? ", goes on"
                               : ", did not end: 'berth apply' takes up what it left");
    }
    print_line(page, "last run", text.data);
}

/* What is not as it should be, unless another part of the page says it with more words. */
static void print_conditions(struct page *page)
{
    static const char *const told_below[] = { "DesiredValid", "Unblocked", "AsLeft", "Released" };
    struct arena *arena = page->text->arena;
    size_t count = document_count(page->status, "conditions");
    size_t wrong = 0;
    size_t unknown = 0;

    for (size_t i = 0; i < count; i++) {
        const struct json_t *condition = document_item(page->status, "conditions", i);
        const char *type = document_word(arena, condition, "type");

        unknown += strcmp(document_word(arena, condition, "status"), "unknown") == 0;
        if (!page_is_false(arena, condition)) {
            continue;
        }
        wrong++;
        if (text_index(told_below, ARRAY_LEN(told_below), type) == ARRAY_LEN(told_below)) {
            print_line(page, "attention", page_condition(arena, page->status, condition));
        }
    }
    if (count > 0 && wrong + unknown == 0) {
        print_line(page, "state", "all is well: every guest is in its place");
    }
}

/* Moves that were begun and have not ended; the running one is told with more words. */
static void print_moves(struct page *page)
{
    struct arena *arena = page->text->arena;
    const struct json_t *moving = document_object(page->status, "moving");
    const char *running = document_string(arena, moving, "guest");
    bool acts = document_number(page->status, "controller_pid") != 0;

    if (moving != NULL) {
        print_line(page, "moving", page_moving(arena, moving));
    }
    for (size_t i = 0; i < document_count(page->status, "moves"); i++) {
        const struct json_t *move = document_item(page->status, "moves", i);
        const char *why = document_string(arena, move, "text");

        if (running == NULL || strcmp(running, document_word(arena, move, "guest")) != 0) {
            print_line(page, acts ? "moving" : "unfinished",
                       text_format(arena, "%s, begun %s ago%s%s%s", page_move(arena, move),
                                   ago(arena, page->status, document_instant(move, "begun")),
                                   document_flag(move, "unclear") ? ", unclear" : "",
                                   why == NULL ? "" : ": ", why == NULL ? "" : why));
        }
    }
}

static void print_queue(struct page *page)
{
    size_t count = document_count(page->status, "queue");

    for (size_t i = 0; i < count && i < ITEMS_MAX; i++) {
        print_line(page, i == 0 ? "queue" : "",
                   page_move(page->text->arena, document_item(page->status, "queue", i)));
    }
    print_rest(page, count);
}

/* Which failed under another revision no longer wait. */
static bool waits(const struct page *page, const struct json_t *retry)
{
    struct arena *arena = page->text->arena;
    const char *digest = document_string(arena, retry, "es_xml_sha256");

    return digest == NULL ||
           text_equal(digest, document_string(arena, page->status, "es_xml_sha256"));
}

/* The retry of 'guest', waiting or parked, or NULL. */
static const struct json_t *find_retry(const struct page *page, const char *guest)
{
    for (size_t i = 0; i < document_count(page->status, "retries"); i++) {
        const struct json_t *retry = document_item(page->status, "retries", i);

        if (waits(page, retry) &&
            text_equal(document_string(page->text->arena, retry, "guest"), guest)) {
            return retry;
        }
    }
    return NULL;
}

/* True of what the guest's retry says as well, and with it when it is tried again. */
static bool is_told_as_retry(const struct page *page, const struct json_t *block)
{
    struct arena *arena = page->text->arena;
    const struct json_t *retry = find_retry(page, document_word(arena, block, "guest"));
    const char *reason = retry == NULL ? NULL : document_string(arena, retry, "reason");

    return retry != NULL && (strcmp(document_word(arena, block, "code"), "backoff") == 0 ||
                             (reason != NULL && strncmp(document_word(arena, block, "reason"),
                                                        reason, strlen(reason)) == 0));
}

static void print_retries(struct page *page)
{
    struct arena *arena = page->text->arena;
    size_t count = document_count(page->status, "retries");

    for (size_t i = 0; i < count && i < ITEMS_MAX; i++) {
        const struct json_t *retry = document_item(page->status, "retries", i);

        if (waits(page, retry)) {
            print_line(page, document_flag(retry, "parked") ? "parked" : "waiting",
                       page_retry(arena, page->status, retry));
        }
    }
    print_rest(page, count);
}

static void print_blocked(struct page *page)
{
    struct arena *arena = page->text->arena;
    size_t count = document_count(page->status, "blocked");

    for (size_t i = 0; i < count && i < ITEMS_MAX; i++) {
        const struct json_t *block = document_item(page->status, "blocked", i);

        if (!is_told_as_retry(page, block)) {
            print_line(page, "blocked", page_block(arena, block));
        }
    }
    print_rest(page, count);
}

static void print_rest_of_ledger(struct page *page)
{
    struct arena *arena = page->text->arena;
    const struct json_t *status = page->status;

    for (size_t i = 0; i < document_count(status, "holds") && i < ITEMS_MAX; i++) {
        print_line(page, "held", page_hold(arena, document_item(status, "holds", i)));
    }
    print_rest(page, document_count(status, "holds"));
    for (size_t i = 0; i < document_count(status, "drift") && i < ITEMS_MAX; i++) {
        print_line(page, "drift", page_drift(arena, status, document_item(status, "drift", i)));
    }
    print_rest(page, document_count(status, "drift"));
    for (size_t i = 0; i < document_count(status, "owed_starts"); i++) {
        const struct json_t *owed = document_item(status, "owed_starts", i);

        print_line(page, "owed start",
                   text_format(arena, "%s: was stopped on '%s' and must run again",
                               document_word(arena, owed, "guest"),
                               document_word(arena, owed, "host")));
    }
}

static void print_fleet(struct page *page)
{
    struct arena *arena = page->text->arena;
    const struct json_t *hosts = document_object(page->status, "hosts");
    const struct json_t *guests = document_object(page->status, "guests");
    static const char *const classes[] = { "misplaced", "missing", "duplicate", "unknown",
                                           "unmanaged" };
    struct text text = text_new(arena);

    if (hosts == NULL || guests == NULL) {
        return;
    }
    text_printf(&text, "%" PRId64 " of %" PRId64 " hosts answer, %" PRId64 " guests are placed",
                document_number(hosts, "reachable"),
                document_number(hosts, "reachable") + document_number(hosts, "unreachable"),
                document_number(guests, "placed"));
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (document_number(guests, classes[i]) > 0) {
            text_printf(&text, ", %" PRId64 " %s", document_number(guests, classes[i]), classes[i]);
        }
    }
    print_line(page, "fleet", text.data);
}

void page_print(struct text *text, const struct json_t *status, size_t width)
{
    struct page page = { text, status, width };

    print_file(&page);
    print_controller(&page);
    print_last_run(&page);
    print_fleet(&page);
    print_conditions(&page);
    print_moves(&page);
    print_queue(&page);
    print_blocked(&page);
    print_retries(&page);
    print_rest_of_ledger(&page);
}
