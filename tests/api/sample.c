/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The documents of a fleet in which everything that is told has happened, by the functions that berthd writes
 * them with, for tests/api:
 *
 *   sample metrics-empty | metrics | status | guests | hosts | plan | history
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/diff.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "model/fault.h"
#include "model/observed_json.h"
#include "model/policy.h"
#include "reconciler/condition.h"
#include "reconciler/drift.h"
#include "reconciler/event.h"
#include "reconciler/gauge.h"
#include "reconciler/journal_json.h"
#include "reconciler/ledger.h"
#include "reconciler/metrics.h"
#include "reconciler/source.h"
#include "reconciler/status.h"

#define GIB        ((uint64_t)1024 * 1024)
#define STARTED_MS INT64_C(1764000000500)
#define MINUTE_MS  INT64_C(60000)

static void end_move(struct metrics *metrics, struct journal_move move, int64_t elapsed_ms)
{
    const struct event event = {
        .kind = EVENT_MOVE_END,
        .move = &move,
        .elapsed_ms = elapsed_ms,
    };

    metrics_count(metrics, &event);
}

static void count_plan(struct metrics *metrics)
{
    struct plan_move moves[] = {
        { .guest = "db1", .from = "a", .to = "b", .mode = MOVE_LIVE, .memory_kib = 10 * GIB },
    };
    const struct plan plan = { .moves = moves, .move_count = 1, .bandwidth_mib_s = 1024 };
    const struct event event = { .kind = EVENT_PLAN, .plan = &plan };

    metrics_count(metrics, &event);
    memset(moves, 0, sizeof(moves)); /* A plan is valid during the call alone. */
}

static void count_all(struct metrics *metrics)
{
    static const enum event_kind once[] = { EVENT_OBSERVED, EVENT_OBSERVED,     EVENT_RETRY,
                                            EVENT_ALARM,    EVENT_JOURNAL_LOST, EVENT_PROGRESS };
    const struct err failure = { .code = ERR_UNREACHABLE };
    struct journal_move move = {
        .guest = "db1",
        .from = "a",
        .to = "b",
        .mode = MOVE_LIVE,
        .state = JOURNAL_MOVE_DONE,
        .bytes = 1000,
        .total_ms = 9000,
        .downtime_ms = 120,
    };

    for (size_t i = 0; i < ARRAY_LEN(once); i++) {
        const struct event event = { .kind = once[i] };

        metrics_count(metrics, &event);
    }
    count_plan(metrics);
    end_move(metrics, move, 15000); /* 10 s were promised. */
    move.guest = "db2";
    move.downtime_ms = 5000;
    end_move(metrics, move, 2 * 60 * MINUTE_MS);
    move.total_ms = 0; /* Nothing is known of its downtime. */
    end_move(metrics, move, 1000);
    move.mode = MOVE_OFFLINE;
    end_move(metrics, move, 1001);
    move.state = JOURNAL_MOVE_FAILED;
    end_move(metrics, move, 5);
    move.to = "a";
    end_move(metrics, move, 5); /* A restart. */
    metrics_count(metrics, &(struct event){ .kind = EVENT_PASS, .elapsed_ms = 7 });
    metrics_count(metrics, &(struct event){ .kind = EVENT_PASS });
    metrics_count(metrics, &(struct event){ .kind = EVENT_RELEASE });
    metrics_count(metrics, &(struct event){ .kind = EVENT_RELEASE });
    metrics_count(metrics, &(struct event){ .kind = EVENT_RELEASE, .err = &failure });
}

static struct journal_move sample_move(void)
{
    return (struct journal_move){
        .key = { 1, 7 },
        .guest = "db1",
        .uuid = "00000000-0000-4000-8000-000000000001",
        .from = "a",
        .to = "b",
        .mode = MOVE_LIVE,
        .begun_ms = STARTED_MS,
        .error = ERR_TIMEOUT,
        .error_text = "took too long",
    };
}

static void fill_ledger(struct arena *arena, struct ledger *ledger)
{
    ledger->retries = ARENA_ARRAY(arena, struct journal_retry, 3);
    ledger->retry_count = 3;
    for (size_t i = 0; i < 3; i++) {
        ledger->retries[i] = (struct journal_retry){
            .guest = "db1",
            .code = ERR_FAILED,
            .attempts = 2,
            .next_ms = STARTED_MS,
            .reason = "it failed",
        };
    }
    ledger->retries[1].next_ms = INT64_MAX;
    ledger->moves = ARENA_ARRAY(arena, struct journal_move, 1);
    ledger->move_count = 1;
    ledger->moves[0] = sample_move();
    ledger->owed = ARENA_ARRAY(arena, struct journal_owed, 2);
    ledger->owed_count = 2;
    ledger->owed[0] = (struct journal_owed){ .guest = "db1", .host = "a", .since_ms = STARTED_MS };
    ledger->owed[1] = (struct journal_owed){ .guest = "db2", .host = "a", .since_ms = STARTED_MS };
    ledger->holds = ARENA_ARRAY(arena, struct journal_hold, 4);
    ledger->hold_count = 4;
    for (size_t i = 0; i < 4; i++) {
        ledger->holds[i] = (struct journal_hold){
            .scope = i == 0 ? JOURNAL_SCOPE_FLEET : JOURNAL_SCOPE_GUEST,
            .name = i == 0 ? "" : "db1",
            .user = "root",
            .since_ms = STARTED_MS,
            .reason = i == 1 ? "disk" : NULL,
        };
    }
}

static void fill_drift(struct arena *arena, struct drift *drift)
{
    drift->items = ARENA_ARRAY(arena, struct drift_item, 2);
    drift->count = 2;
    for (size_t i = 0; i < 2; i++) {
        drift->items[i] = (struct drift_item){
            .guest = "db1",
            .class = i == 0 ? CONFIG_DRIFT_OPERATOR_MOVE : CONFIG_DRIFT_VANISHED,
            .answer = CONFIG_DRIFT_REPORT,
            .wanted = "a",
            .found = i == 0 ? "b" : NULL,
            .text = "it is not there",
            .since_ms = STARTED_MS - (i == 0 ? 90 : 5) * 1000,
        };
    }
}

/* db1 is in its place, db2 nowhere, a stranger is there, and one host does not answer. */
static const char es_xml[] =
    "<engineeredSystem xmlns='model'><machines>"
    "<machine id='a_id'><hostName>a</hostName><machineType>compute</machineType>"
    "<virtual>false</virtual><osType>LinuxKVM</osType><machine id='db1_id'/>"
    "<machine id='db2_id'/></machine>"
    "<machine id='b_id'><hostName>b</hostName><machineType>compute</machineType>"
    "<virtual>false</virtual><osType>LinuxKVM</osType></machine>"
    "<machine id='db1_id'><hostName>db1</hostName><machineType>compute</machineType>"
    "<virtual>true</virtual><osType>LinuxKVMGuest</osType><guestCores>1</guestCores>"
    "<guestMemory>1GiB</guestMemory></machine>"
    "<machine id='db2_id'><hostName>db2</hostName><machineType>compute</machineType>"
    "<virtual>true</virtual><osType>LinuxKVMGuest</osType><guestCores>1</guestCores>"
    "<guestMemory>1GiB</guestMemory></machine></machines></engineeredSystem>";
static const char observed_json[] =
    "{\"format\":\"berth.observed/1\",\"at\":\"2025-11-24T16:00:00Z\",\"hosts\":["
    "{\"name\":\"a\",\"reachable\":true,\"as_of\":\"2025-11-24T16:00:00Z\","
    "\"memory_kib\":67108864,\"cpus\":8,\"guests\":["
    "{\"name\":\"db1\",\"uuid\":\"00000000-0000-4000-8000-000000000001\",\"state\":\"running\","
    "\"memory_kib\":1048576,\"vcpus\":1,\"persistent\":true,\"autostart\":false},"
    "{\"name\":\"stranger\",\"uuid\":\"00000000-0000-4000-8000-000000000002\","
    "\"state\":\"shutoff\",\"memory_kib\":1048576,\"vcpus\":1,\"persistent\":true,"
    "\"autostart\":true,\"held\":true}]},"
    "{\"name\":\"b\",\"reachable\":false,\"error\":\"no answer\",\"memory_kib\":0,\"cpus\":0,"
    "\"guests\":[]}],\"in_flight\":[]}";

static void read_fleet(struct arena *arena, struct status *status)
{
    const struct policy policy = policy_default();
    struct revision *revision = ARENA_NEW(arena, struct revision);
    struct observed *observed = ARENA_NEW(arena, struct observed);
    struct diff *diff = ARENA_NEW(arena, struct diff);
    struct faults faults = fault_list(arena);
    struct err err;

    if (source_check(arena, es_xml, sizeof(es_xml) - 1, &policy, revision, &faults) != 0 ||
        observed_json_read(arena, observed_json, sizeof(observed_json) - 1, observed, &err) != 0) {
        abort();
    }
    *diff = diff_compute(arena, &revision->desired, observed);
    status->observed = observed;
    status->diff = diff;
}

static const struct plan_block sample_blocked[] = {
    { .guest = "x", .code = PLAN_HELD, .reason = "root holds it" },
    { .guest = "y", .code = PLAN_HELD, .reason = "root holds it" },
    { .guest = "z", .code = PLAN_DEADLOCK, .reason = "no order is possible" },
};
static const struct plan_move sample_queue[] = {
    { .seq = 1, .guest = "db1", .from = "a", .to = "b", .memory_kib = GIB, .reason = "the file" },
};

static void fill(struct arena *arena, struct status *status)
{
    struct drift *drift = ARENA_NEW(arena, struct drift);
    struct ledger *ledger = ARENA_NEW(arena, struct ledger);
    struct conditions *conditions = ARENA_NEW(arena, struct conditions);

    fill_drift(arena, drift);
    fill_ledger(arena, ledger);
    condition_set(conditions, CONDITION_DESIRED_VALID, STARTED_MS, NULL);
    condition_set(conditions, CONDITION_RELEASED, STARTED_MS, "root holds everything");
    *status = (struct status){
        .at_ms = STARTED_MS,
        .es_xml = "/etc/berth/es.xml",
        .es_digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        .valid = true,
        .controller_pid = 42,
        .ledger = ledger,
        .conditions = conditions,
        .moving = &ledger->moves[0],
        .gauge = ARENA_NEW(arena, struct gauge),
        .queue = sample_queue,
        .queue_count = ARRAY_LEN(sample_queue),
        .blocked = sample_blocked,
        .block_count = ARRAY_LEN(sample_blocked),
        .drift = drift,
        .looked_ms = STARTED_MS,
        .next_look_ms = STARTED_MS + MINUTE_MS,
    };
    read_fleet(arena, status);
}

static void write_metrics(struct text *text, const struct status *status, bool full)
{
    struct metrics metrics;

    metrics_init(&metrics, STARTED_MS);
    if (full) {
        count_all(&metrics);
    }
    metrics_write(text, &metrics, status);
    metrics_deinit(&metrics);
}

static void write_plan(struct text *text)
{
    const struct plan plan = {
        .es_xml_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        .moves = sample_queue,
        .move_count = ARRAY_LEN(sample_queue),
        .blocked = sample_blocked,
        .block_count = ARRAY_LEN(sample_blocked),
    };

    plan_json_write(text, &plan);
}

static void write_history(struct text *text)
{
    const struct journal_move move = sample_move();
    const struct journal_event event = {
        .key = { 1, 8 },
        .at_ms = STARTED_MS,
        .kind = "alarm",
        .text = "look",
    };

    text_append(text, "{\"format\":\"berth.history/1\",\"moves\":[");
    journal_json_move(text, &move);
    text_append(text, "],\"events\":[");
    journal_json_event(text, &event);
    text_append(text, "]}\n");
}

int main(int argc, char **argv)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *name = argc > 1 ? argv[1] : "";
    struct status status = { .at_ms = STARTED_MS };
    struct text text = text_new(&arena);

    if (strcmp(name, "metrics-empty") == 0) {
        write_metrics(&text, &status, false);
    }
    fill(&arena, &status);
    if (strcmp(name, "metrics") == 0) {
        write_metrics(&text, &status, true);
    } else if (strcmp(name, "status") == 0) {
        status_json(&text, &status);
    } else if (strcmp(name, "guests") == 0) {
        (void)status_guests_json(&text, &status, NULL);
    } else if (strcmp(name, "hosts") == 0) {
        (void)status_hosts_json(&text, &status, NULL);
    } else if (strcmp(name, "plan") == 0) {
        write_plan(&text);
    } else if (strcmp(name, "history") == 0) {
        write_history(&text);
    }
    return text.length == 0 || fputs(text.data, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
