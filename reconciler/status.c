/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/status.h"

#include <string.h>

#include "base/text.h"
#include "diff/diff.h"
#include "diff/plan.h"
#include "model/json_token.h"
#include "model/observed.h"
#include "reconciler/condition.h"
#include "reconciler/drift.h"
#include "reconciler/gauge.h"
#include "reconciler/journal_json.h"
#include "reconciler/json_member.h"
#include "reconciler/ledger.h"

/* Opens the array NAME and an item in it; every item on a line of its own. */
static void begin_array(struct text *json, const char *name)
{
    json_member_name(json, name);
    text_append(json, "[");
}

static void next_item(struct text *json)
{
    json_member_next(json);
    text_append(json, "\n ");
}

static void add_conditions(struct text *json, const struct conditions *conditions)
{
    begin_array(json, "conditions");
    for (enum condition_kind kind = 0; conditions != NULL && kind < CONDITION_KINDS; kind++) {
        const struct condition *condition = &conditions->of[kind];

        next_item(json);
        text_append(json, "{");
        json_member_string(json, "type", condition_kind_name(kind));
        json_member_string(json, "status", condition_status_name(condition->status));
        json_member_instant(json, "since", condition->since_ms);
        json_member_string(json, "message",
                           condition->message[0] == '\0' ? NULL : condition->message);
        text_append(json, "}");
    }
    text_append(json, "]");
}

static void add_moving(struct text *json, const struct status *status)
{
    const struct journal_move *move = status->moving;
    const struct gauge *gauge = status->gauge;

    json_member_name(json, "moving");
    if (move == NULL) {
        text_append(json, "null");
        return;
    }
    text_append(json, "{");
    json_member_string(json, "guest", move->guest);
    json_member_string(json, "from", move->from);
    json_member_string(json, "to", move->to);
    json_member_string(json, "mode", op_mode_name(move->mode));
    json_member_string(json, "hop", move->detour ? "detour" : "final");
    json_member_instant(json, "begun", move->begun_ms);
    json_member_instant(json, "deadline", move->deadline_ms);
    json_member_flag(json, "cancel_requested", move->cancel_requested);
    json_member_string(json, "phase", gauge_phase_name(gauge->raw.phase));
    gauge_json(json, gauge);
    json_member_number(json, "dirty_bytes_s", gauge->raw.dirty_bytes_s);
    json_member_number(json, "iteration", gauge->raw.iteration);
    json_member_number(json, "throttle_percent", gauge->raw.throttle_percent);
    text_append(json, "}");
}

static void add_queue(struct text *json, const struct status *status)
{
    begin_array(json, "queue");
    for (size_t i = 0; i < status->queue_count; i++) {
        const struct plan_move *move = &status->queue[i];

        next_item(json);
        text_append(json, "{");
        json_member_number(json, "seq", move->seq);
        json_member_string(json, "guest", move->guest);
        json_member_string(json, "from", move->from);
        json_member_string(json, "to", move->to);
        json_member_string(json, "mode", op_mode_name(move->mode));
        json_member_string(json, "hop", move->detour ? "detour" : "final");
        json_member_number(json, "memory_kib", move->memory_kib);
        json_member_string(json, "reason", move->reason);
        text_append(json, "}");
    }
    text_append(json, "]");
}

static void add_blocked(struct text *json, const struct status *status)
{
    begin_array(json, "blocked");
    for (size_t i = 0; i < status->block_count; i++) {
        const struct plan_block *block = &status->blocked[i];

        next_item(json);
        text_append(json, "{");
        json_member_string(json, "guest", block->guest);
        json_member_string(json, "code", plan_code_name(block->code));
        json_member_string(json, "reason", block->reason);
        text_append(json, "}");
    }
    text_append(json, "]");
}

static void add_drift(struct text *json, const struct drift *drift)
{
    begin_array(json, "drift");
    for (size_t i = 0; drift != NULL && i < drift->count; i++) {
        const struct drift_item *item = &drift->items[i];

        next_item(json);
        text_append(json, "{");
        json_member_string(json, "guest", item->guest);
        drift_json(json, item);
        json_member_string(json, "text", item->text);
        text_append(json, "}");
    }
    text_append(json, "]");
}

#define ADD_RECORDS(json, name, items, count, print) \
    do {                                             \
        begin_array((json), (name));                 \
        for (size_t i = 0; i < (count); i++) {       \
            next_item(json);                         \
            print((json), &(items)[i]);              \
        }                                            \
        text_append((json), "]");                    \
    } while (0)

/* The ledger was read before the move that is under way was begun. */
static void add_moves(struct text *json, const struct status *status)
{
    const struct ledger *ledger = status->ledger;

    begin_array(json, "moves");
    for (size_t i = 0; i < ledger->move_count; i++) {
        next_item(json);
        journal_json_move(json, &ledger->moves[i]);
    }
    if (status->moving != NULL && ledger_find_move(ledger, status->moving->guest) == NULL) {
        next_item(json);
        journal_json_move(json, status->moving);
    }
    text_append(json, "]");
}

static void add_ledger(struct text *json, const struct ledger *ledger)
{
    ADD_RECORDS(json, "retries", ledger->retries, ledger->retry_count, journal_json_retry);
    ADD_RECORDS(json, "owed_starts", ledger->owed, ledger->owed_count, journal_json_owed);
    ADD_RECORDS(json, "holds", ledger->holds, ledger->hold_count, journal_json_hold);
}

static void add_counts(struct text *json, const struct status *status)
{
    size_t unreachable = 0;

    for (size_t i = 0; i < status->observed->host_count; i++) {
        unreachable += status->observed->hosts[i].reachable ? 0 : 1;
    }
    json_member_name(json, "hosts");
    text_append(json, "{");
    json_member_number(json, "reachable", status->observed->host_count - unreachable);
    json_member_number(json, "unreachable", unreachable);
    text_append(json, "}");
    json_member_name(json, "guests");
    text_append(json, "{");
    for (enum diff_class class = 0; class < DIFF_CLASS_COUNT; class ++) {
        json_member_number(json, diff_class_name(class), status->diff->counts[class]);
    }
    text_append(json, "}");
}

static void add_run(struct text *json, const struct journal_run *run)
{
    json_member_name(json, "last_run");
    text_append(json, "{");
    json_member_string(json, "program", run->program);
    json_member_string(json, "user", run->user);
    json_member_instant(json, "begun", run->begun_ms);
    json_member_instant(json, "ended", run->ended_ms);
    json_member_signed(json, "exit_status", run->exit_status);
    text_append(json, "}");
}

void status_json(struct text *json, const struct status *status)
{
    text_append(json, "{");
    json_member_string(json, "format", "berth.status/1");
    json_member_instant(json, "at", status->at_ms);
    json_member_string(json, "es_xml", status->es_xml);
    json_member_flag(json, "valid", status->valid);
    json_member_string(json, "es_xml_sha256", status->es_digest);
    json_member_flag(json, "acted_on", status->acted_on);
    json_member_signed(json, "controller_pid", status->controller_pid);
    json_member_instant(json, "looked", status->looked_ms);
    json_member_instant(json, "next_look", status->next_look_ms);
    add_conditions(json, status->conditions);
    add_moving(json, status);
    add_queue(json, status);
    add_blocked(json, status);
    add_moves(json, status);
    add_ledger(json, status->ledger);
    add_drift(json, status->drift);
    if (status->observed != NULL) {
        add_counts(json, status);
    }
    if (status->last_run != NULL) {
        add_run(json, status->last_run);
    }
    text_append(json, "}\n");
}

static void add_sighting(struct text *json, const struct diff_guest *guest)
{
    const struct observed_guest *seen = guest->at->guest;

    json_member_string(json, "host", guest->at->host->name);
    json_member_string(json, "uuid", seen->uuid);
    json_member_string(json, "state", observed_state_name(seen->state));
    json_member_string(json, "reason", observed_reason_name(seen->reason));
    json_member_number(json, "memory_kib", seen->memory_kib);
    json_member_number(json, "vcpus", seen->vcpus);
    json_member_flag(json, "autostart", seen->autostart);
}

static void add_guest(struct text *json, const struct diff_guest *guest)
{
    text_append(json, "{");
    json_member_string(json, "name", guest->name);
    json_member_string(json, "class", diff_class_name(guest->class));
    json_member_string(json, "wanted", guest->wanted);
    begin_array(json, "found");
    for (size_t i = 0; i < guest->found_count; i++) {
        json_member_next(json);
        json_token_write_string(json, guest->found[i]);
    }
    text_append(json, "]");
    if (guest->at != NULL) {
        add_sighting(json, guest);
    }
    text_append(json, "}");
}

size_t status_guests_json(struct text *json, const struct status *status, const char *only)
{
    const struct diff *diff = status->diff;
    size_t count = 0;

    text_append(json, "{");
    json_member_string(json, "format", "berth.guests/1");
    json_member_instant(json, "looked", status->looked_ms);
    begin_array(json, "guests");
    for (size_t i = 0; diff != NULL && i < diff->count; i++) {
        if (only == NULL || strcmp(diff->guests[i].name, only) == 0) {
            next_item(json);
            add_guest(json, &diff->guests[i]);
            count++;
        }
    }
    text_append(json, "]}\n");
    return count;
}

static void add_host(struct text *json, const struct observed_host *host)
{
    uint64_t used_kib = 0;
    size_t active = 0;
    size_t held = 0;

    for (size_t i = 0; i < host->guest_count; i++) {
        bool runs = observed_is_active(&host->guests[i]);

        held += host->guests[i].held ? 1 : 0;
        active += runs ? 1 : 0;
        used_kib += runs ? host->guests[i].memory_kib : 0;
    }
    text_append(json, "{");
    json_member_string(json, "name", host->name);
    json_member_flag(json, "reachable", host->reachable);
    json_member_instant(json, "as_of", host->as_of_ms);
    json_member_string(json, "error", host->error);
    json_member_number(json, "memory_kib", host->memory_kib);
    json_member_number(json, "used_kib", used_kib);
    json_member_number(json, "cpus", host->cpus);
    json_member_number(json, "guests", host->guest_count);
    json_member_number(json, "active", active);
    json_member_string(json, "guard", observed_guard_name(host->guard));
    json_member_number(json, "held", held);
    text_append(json, "}");
}

size_t status_hosts_json(struct text *json, const struct status *status, const char *only)
{
    size_t count = 0;

    text_append(json, "{");
    json_member_string(json, "format", "berth.hosts/1");
    json_member_instant(json, "looked", status->looked_ms);
    begin_array(json, "hosts");
    for (size_t i = 0; status->observed != NULL && i < status->observed->host_count; i++) {
        const struct observed_host *host = &status->observed->hosts[i];

        if (only == NULL || strcmp(host->name, only) == 0) {
            next_item(json);
            add_host(json, host);
            count++;
        }
    }
    text_append(json, "]}\n");
    return count;
}
