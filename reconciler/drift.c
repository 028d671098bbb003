/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/drift.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "diff/diff.h"
#include "model/desired.h"
#include "model/observed.h"
#include "reconciler/json_member.h"
#include "reconciler/ledger.h"

/* A guest can have drifted in place and in size. */
#define ITEMS_A_GUEST 2u

/* How far back word of a drift is looked for: whatever else was told of the guest since is not many. */
#define EVENTS_BACK 32u

/* How far back a move that brought a guest to where it is: tries to bring it on may have failed since. */
#define MOVES_BACK 64u

/* What the journal calls the events of drift. */
#define KIND_BEGAN "drift"
#define KIND_ENDED "drift-over"

/* The items being found. */
struct finder {
    const struct drift_facts *facts;
    const struct drift *before;
    struct drift found;
};

static int compare_items(const void *a, const void *b)
{
    const struct drift_item *left = a;
    const struct drift_item *right = b;
    int order = strcmp(left->guest, right->guest);

    return order != 0 ? order : (int)left->class - (int)right->class;
}

static const struct drift_item *find_item(const struct drift_item *items, size_t count,
                                          const char *guest, enum config_drift_class class)
{
    const struct drift_item key = { .guest = guest, .class = class };

    return count == 0 ? NULL : bsearch(&key, items, count, sizeof(*items), compare_items);
}

static struct drift_item *add(struct finder *finder, const struct diff_guest *guest,
                              enum config_drift_class class, const char *text)
{
    struct drift_item *item = &finder->found.items[finder->found.count++];
    struct arena *arena = &finder->found.arena;

    *item = (struct drift_item){
        .class = class,
        .answer = finder->facts->config->drift[class],
        .guest = arena_strdup(arena, guest->name),
        .wanted = arena_strdup(arena, guest->wanted),
        .text = text,
    };
    if (guest->at != NULL) {
        item->uuid = arena_strdup(arena, guest->at->guest->uuid);
        item->found = arena_strdup(arena, guest->at->host->name);
    }
    return item;
}

/* Hosts are not looked at in one instant: a guest that goes from one to another meanwhile seems to be on none
 * or on both.  It takes another look to tell. */
static void add_if_confirmed(struct finder *finder, const struct diff_guest *guest,
                             enum config_drift_class class, const char *text)
{
    const struct drift *before = finder->before;
    struct drift *found = &finder->found;

    if (drift_find(before, guest->name, class) != NULL ||
        find_item(before->suspects, before->suspect_count, guest->name, class) != NULL) {
        (void)add(finder, guest, class, text);
        return;
    }
    found->suspects[found->suspect_count++] = (struct drift_item){
        .class = class,
        .guest = arena_strdup(&found->arena, guest->name),
    };
}

/* On a host that a move of ours has brought it to: a temporary one, or the place of an earlier file. */
static int is_half_step(const struct finder *finder, const struct diff_guest *guest, bool *is_ours,
                        struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal *journal = finder->facts->ledger->journal;
    struct journal_move *moves;
    size_t count;

    if (journal->ops->moves(journal, &arena, false, guest->name, MOVES_BACK, &moves, &count, err) !=
        0) {
        return -1;
    }
    while (count > 0 && !journal_move_has_arrived(&moves[count - 1])) {
        count--;
    }
    *is_ours = count > 0 && strcmp(moves[count - 1].to, guest->at->host->name) == 0 &&
               strcmp(moves[count - 1].uuid, guest->at->guest->uuid) == 0;
    return 0;
}

/* A definition that is off says nothing of a guest that may run where nobody can look. */
static bool may_be_left_behind(const struct finder *finder, const struct diff_guest *guest)
{
    const struct observed_host *home = observed_find_host(finder->facts->observed, guest->wanted);

    return !observed_is_active(guest->at->guest) && (home == NULL || !home->reachable);
}

static int find_move(struct finder *finder, const struct diff_guest *guest, struct err *err)
{
    const struct drift_item *known =
        drift_find(finder->before, guest->name, CONFIG_DRIFT_OPERATOR_MOVE);
    const char *at = guest->at->host->name;
    bool is_ours = false;

    if (guest->at->guest->job != GUEST_JOB_NONE || may_be_left_behind(finder, guest)) {
        return 0; /* Where somebody moves it to is seen when it is there. */
    }
    if ((known == NULL || known->found == NULL || strcmp(known->found, at) != 0) &&
        is_half_step(finder, guest, &is_ours, err) != 0) {
        return -1;
    }
    add(finder, guest, is_ours ? CONFIG_DRIFT_HALF_STEP : CONFIG_DRIFT_OPERATOR_MOVE,
        text_format(&finder->found.arena,
                    is_ours ? "is on '%s' for now: Berth moved it there on its way to '%s'"
                            : "somebody moved it to '%s'; its place is '%s'",
                    at, guest->wanted));
    return 0;
}

/* Libvirt says of a guest that it did not stop itself and that nobody stopped while it watched: its host, or
 * its daemon and then the guest, went down. */
static bool went_down_with_host(const struct observed_guest *guest)
{
    return guest->state == GUEST_SHUTOFF &&
           (guest->reason == GUEST_REASON_UNKNOWN || guest->reason == GUEST_REASON_DAEMON);
}

static void find_restart(struct finder *finder, const struct diff_guest *guest,
                         const struct journal_place *place)
{
    if (place->running && strcmp(place->uuid, guest->at->guest->uuid) == 0 &&
        went_down_with_host(guest->at->guest)) {
        add(finder, guest, CONFIG_DRIFT_HOST_RESTART,
            text_format(&finder->found.arena,
                        "ran on '%s' and is off since that host, or its libvirt, came up again",
                        guest->wanted));
    }
}

static void find_size(struct finder *finder, const struct diff_guest *guest)
{
    const struct desired_guest *wish = &finder->facts->desired->guests[guest->desired];
    const struct observed_guest *is = guest->at->guest;
    bool other_cpus = wish->vcpus != 0 && wish->vcpus != is->vcpus;
    bool other_memory = wish->memory_kib != 0 && wish->memory_kib != is->memory_kib;

    if (other_cpus || other_memory) {
        add(finder, guest, CONFIG_DRIFT_SIZE,
            text_format(&finder->found.arena,
                        "has %" PRIu32 " vCPUs and %" PRIu64 " MiB, the file says %" PRIu32
                        " and %" PRIu64 " MiB; Berth changes no sizes",
                        is->vcpus, is->memory_kib / 1024,
                        wish->vcpus == 0 ? is->vcpus : wish->vcpus,
                        (wish->memory_kib == 0 ? is->memory_kib : wish->memory_kib) / 1024));
    }
}

static void find_duplicate(struct finder *finder, const struct diff_guest *guest)
{
    struct text text = text_new(&finder->found.arena);

    text_append(&text, "is on more than one host:");
    for (size_t i = 0; i < guest->found_count; i++) {
        text_printf(&text, "%s '%s'", i == 0 ? "" : ",", guest->found[i]);
    }
    add_if_confirmed(finder, guest, CONFIG_DRIFT_DUPLICATE, text.data);
}

static int find_of(struct finder *finder, const struct diff_guest *guest, struct err *err)
{
    const struct journal_place *place = ledger_find_place(finder->facts->ledger, guest->name);

    switch (guest->class) {
    case DIFF_MISPLACED:
        if (place != NULL && strcmp(place->host, guest->wanted) == 0 &&
            find_move(finder, guest, err) != 0) {
            return -1;
        }
        break;
    case DIFF_PLACED:
        if (place != NULL && strcmp(place->host, guest->wanted) == 0) {
            find_restart(finder, guest, place);
        }
        break;
    case DIFF_MISSING:
        if (place != NULL) {
            add_if_confirmed(finder, guest, CONFIG_DRIFT_VANISHED,
                             text_format(&finder->found.arena,
                                         "was on '%s' and no host knows it any more", place->host));
        }
        break;
    case DIFF_DUPLICATE:
        find_duplicate(finder, guest);
        break;
    case DIFF_UNMANAGED:
    case DIFF_UNKNOWN:
    case DIFF_CLASS_COUNT:
        break;
    }
    if (guest->at != NULL && guest->desired != DESIRED_NONE && guest->at->host->reachable) {
        find_size(finder, guest);
    }
    return 0;
}

/* When it was first noticed: by the pass before, or by an earlier run, which left word in the journal. */
static int date(struct finder *finder, struct drift_item *item, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct drift_item *known = drift_find(finder->before, item->guest, item->class);
    struct journal *journal = finder->facts->ledger->journal;
    struct journal_event *events;
    size_t count;

    item->since_ms = finder->facts->now_ms;
    if (known != NULL) {
        item->since_ms = known->since_ms;
        return 0;
    }
    item->is_news = true;
    if (journal->ops->events(journal, &arena, item->guest, EVENTS_BACK, &events, &count, err) !=
        0) {
        return -1;
    }
    for (size_t i = count; i-- > 0 && strcmp(events[i].kind, KIND_ENDED) != 0;) {
        if (strcmp(events[i].kind, KIND_BEGAN) == 0 && strcmp(events[i].text, item->text) == 0) {
            item->since_ms = events[i].at_ms;
            item->is_news = false;
            return 0;
        }
    }
    return 0;
}

static int date_all(struct finder *finder, struct err *err)
{
    for (size_t i = 0; i < finder->found.count; i++) {
        if (date(finder, &finder->found.items[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* A guest on its way, or one that a host which does not answer may have, cannot be told to be back. */
static bool may_end(const struct finder *finder, const struct drift_item *item)
{
    const struct drift_facts *facts = finder->facts;
    const struct diff_guest *guest = diff_find_guest(facts->diff, item->guest);
    const struct observed_host *host =
        item->found == NULL ? NULL : observed_find_host(facts->observed, item->found);

    if ((host != NULL && !host->reachable) ||
        ledger_find_move(facts->ledger, item->guest) != NULL) {
        return false;
    }
    return guest == NULL || (guest->class != DIFF_UNKNOWN &&
                             (guest->at == NULL || guest->at->guest->job == GUEST_JOB_NONE));
}

static void find_ended(struct finder *finder)
{
    struct drift *found = &finder->found;
    struct arena *arena = &found->arena;

    found->ended = ARENA_ARRAY(arena, struct drift_item, finder->before->count + 1);
    for (size_t i = 0; i < finder->before->count; i++) {
        const struct drift_item *item = &finder->before->items[i];

        if (drift_find(found, item->guest, item->class) == NULL && may_end(finder, item)) {
            found->ended[found->ended_count++] = (struct drift_item){
                .class = item->class,
                .answer = item->answer,
                .guest = arena_strdup(arena, item->guest),
                .wanted = arena_strdup(arena, item->wanted),
                .text = text_format(arena, "no longer: %s", item->text),
                .since_ms = item->since_ms,
            };
        }
    }
}

int drift_update(struct drift *drift, const struct drift_facts *facts, struct err *err)
{
    const struct diff *diff = facts->diff;
    struct finder finder = { .facts = facts, .before = drift };
    int status = 0;

    finder.found.items =
        ARENA_ARRAY(&finder.found.arena, struct drift_item, diff->count * ITEMS_A_GUEST + 1);
    finder.found.suspects = ARENA_ARRAY(&finder.found.arena, struct drift_item, diff->count + 1);
    for (size_t i = 0; i < diff->count && status == 0; i++) {
        if (ledger_find_move(facts->ledger, diff->guests[i].name) == NULL) {
            status = find_of(&finder, &diff->guests[i], err);
        }
    }
    if (status != 0 || date_all(&finder, err) != 0) {
        arena_deinit(&finder.found.arena);
        return -1;
    }
    qsort(finder.found.items, finder.found.count, sizeof(*finder.found.items), compare_items);
    find_ended(&finder);
    finder.found.silent = diff->silent;
    arena_deinit(&drift->arena);
    *drift = finder.found;
    return 0;
}

static struct journal_record event_record(const struct drift_facts *facts,
                                          const struct drift_item *item, const char *kind)
{
    return (struct journal_record){
        .kind = JOURNAL_EVENT,
        .event = { .key = ledger_key(facts->ledger),
                   .at_ms = facts->now_ms,
                   .kind = kind,
                   .guest = item->guest,
                   .host = item->found,
                   .text = item->text },
    };
}

static struct journal_record hold_record(const struct drift_facts *facts,
                                         const struct drift_item *item)
{
    return (struct journal_record){
        .kind = JOURNAL_HOLD,
        .hold = { .scope = JOURNAL_SCOPE_GUEST,
                  .name = item->guest,
                  .user = "berthd",
                  .reason = item->text,
                  .since_ms = facts->now_ms },
    };
}

static struct journal_record owed_record(const struct drift_facts *facts,
                                         const struct drift_item *item)
{
    return (struct journal_record){
        .kind = JOURNAL_OWED,
        .owed = { .uuid = item->uuid,
                  .guest = item->guest,
                  .host = item->found,
                  .since_ms = facts->now_ms,
                  .early = true }, /* While it was off, others may have taken its room. */
    };
}

static bool is_held(const struct ledger *ledger, const struct drift_item *item)
{
    return ledger_find_hold(ledger, JOURNAL_SCOPE_FLEET, "") != NULL ||
           ledger_find_hold(ledger, JOURNAL_SCOPE_HOST, item->found) != NULL ||
           ledger_find_hold(ledger, JOURNAL_SCOPE_GUEST, item->guest) != NULL;
}

static bool is_to_start(const struct drift_facts *facts, const struct drift *drift,
                        const struct drift_item *item)
{
    return item->class == CONFIG_DRIFT_HOST_RESTART && item->answer == CONFIG_DRIFT_CORRECT &&
           !drift->silent &&
           timetable_drift_is_due(&facts->config->timetable, item->since_ms, facts->now_ms) &&
           ledger_find_owed(facts->ledger, item->uuid) == NULL && !is_held(facts->ledger, item);
}

struct journal_record *drift_answers(struct arena *arena, const struct drift_facts *facts,
                                     const struct drift *drift, size_t *count)
{
    struct journal_record *records =
        ARENA_ARRAY(arena, struct journal_record, 3 * drift->count + drift->ended_count + 1);
    size_t used = 0;

    for (size_t i = 0; i < drift->count; i++) {
        const struct drift_item *item = &drift->items[i];

        if (item->is_news) {
            records[used++] = event_record(facts, item, KIND_BEGAN);
        }
        if (item->is_news && item->answer == CONFIG_DRIFT_HOLD) {
            records[used++] = hold_record(facts, item);
        }
        if (is_to_start(facts, drift, item)) {
            records[used++] = owed_record(facts, item);
        }
    }
    for (size_t i = 0; i < drift->ended_count; i++) {
        records[used++] = event_record(facts, &drift->ended[i], KIND_ENDED);
    }
    *count = used;
    return records;
}

const char *drift_stays(struct arena *arena, const struct drift_item *item)
{
    bool moves = item->class == CONFIG_DRIFT_OPERATOR_MOVE || item->class == CONFIG_DRIFT_HALF_STEP;

    if (!moves || item->answer == CONFIG_DRIFT_CORRECT ||
        (item->answer == CONFIG_DRIFT_HOLD && !item->is_news)) {
        return NULL; /* The hold itself keeps it, as long as nobody releases it. */
    }
    return text_format(arena, "%s ([drift] operator_move = %s)", item->text,
                       config_drift_answer_name(item->answer));
}

/* A half step of ours is finished at once, whatever the schedule says. */
const char *drift_waits(struct arena *arena, const struct drift_facts *facts,
                        const struct drift_item *item)
{
    const struct timetable *timetable = &facts->config->timetable;
    struct text text = text_new(arena);
    int64_t due_ms;

    if (item->class != CONFIG_DRIFT_OPERATOR_MOVE ||
        timetable_drift_is_due(timetable, item->since_ms, facts->now_ms)) {
        return NULL;
    }
    if (!calendar_next(timetable->drift, facts->now_ms, &due_ms)) {
        return "[schedule] drift names no time to come at which drift is corrected";
    }
    text_append(&text, "somebody moved it; drift is corrected ");
    timetable_print_instant(&text, timetable->drift->zone, due_ms);
    return text.data;
}

const struct drift_item *drift_find(const struct drift *drift, const char *guest,
                                    enum config_drift_class class)
{
    return find_item(drift->items, drift->count, guest, class);
}

void drift_json(struct text *json, const struct drift_item *item)
{
    json_member_string(json, "class", config_drift_class_name(item->class));
    json_member_string(json, "answer", config_drift_answer_name(item->answer));
    json_member_string(json, "wanted", item->wanted);
    json_member_string(json, "found", item->found);
    json_member_instant(json, "since", item->since_ms);
}

void drift_deinit(struct drift *drift)
{
    arena_deinit(&drift->arena);
    *drift = (struct drift){ 0 };
}
