/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/settle.h"

#include <assert.h>
#include <stddef.h>

#include "base/base.h"
#include "base/text.h"
#include "model/observed.h"

/* Sets of views, so that a row reads like its line in migration.md. */
enum {
    UNREACHABLE = 1U << SETTLE_UNREACHABLE,
    ABSENT = 1U << SETTLE_ABSENT,
    OFF_MIGRATED = 1U << SETTLE_OFF_MIGRATED,
    SHUT_OFF = 1U << SETTLE_OFF | OFF_MIGRATED,
    RUNNING = 1U << SETTLE_RUNNING,
    JOB = 1U << SETTLE_RUNNING_JOB,
    PAUSED_USER = 1U << SETTLE_PAUSED_USER,
    PAUSED_MIGRATION = 1U << SETTLE_PAUSED_MIGRATION,
    PAUSED_POSTCOPY = 1U << SETTLE_PAUSED_POSTCOPY,
    PAUSED_OTHER = 1U << SETTLE_PAUSED_OTHER,
    ARRIVED = RUNNING | PAUSED_USER,
    ANY = (1U << SETTLE_VIEW_COUNT) - 1,
};

enum moves {
    EACH,
    LIVE,
    OFFLINE, /* And cold. */
};

enum condition {
    ALWAYS,
    STEADY, /* Nothing changed for SETTLE_PATIENCE_MS. */
    MADE,   /* We made the target's definition. */
    SAME,   /* The target's definition equals the journaled one. */
};

struct row {
    uint32_t source;
    uint32_t target;
    enum moves moves;
    enum condition condition;
    enum settle_verdict verdict;
};

/* migration.md, 'Settle': the first matching row decides.  The last one matches everything, so that
 * what nobody thought of is left alone. */
/* clang-format off */
static const struct row rows[] = {
    /* source, target, moves, condition, verdict */
    { UNREACHABLE,      ANY,                    EACH,    ALWAYS, SETTLE_WAIT },
    { ANY,              UNREACHABLE,            EACH,    ALWAYS, SETTLE_WAIT },
    { PAUSED_POSTCOPY,  ANY,                    EACH,    ALWAYS, SETTLE_ALARM },
    { ANY,              PAUSED_POSTCOPY,        EACH,    ALWAYS, SETTLE_ALARM },
    { JOB,              ANY,                    EACH,    ALWAYS, SETTLE_ADOPT },
    { RUNNING,          ABSENT,                 EACH,    ALWAYS, SETTLE_NOT_HAPPENED },
    { RUNNING,          PAUSED_MIGRATION,       EACH,    STEADY, SETTLE_DESTROY_TARGET },
    { RUNNING,          PAUSED_MIGRATION,       EACH,    ALWAYS, SETTLE_WAIT },
    { RUNNING,          SHUT_OFF,               EACH,    MADE,   SETTLE_UNDEFINE_TARGET },
    { RUNNING,          SHUT_OFF,               EACH,    ALWAYS, SETTLE_HOLD },
    { RUNNING,          ARRIVED | PAUSED_OTHER, EACH,    ALWAYS, SETTLE_ALARM },
    { PAUSED_MIGRATION, ARRIVED,                EACH,    STEADY, SETTLE_DESTROY_SOURCE },
    { PAUSED_MIGRATION, ARRIVED,                EACH,    ALWAYS, SETTLE_WAIT },
    { PAUSED_MIGRATION, PAUSED_MIGRATION,       EACH,    STEADY, SETTLE_DESTROY_TARGET },
    { PAUSED_MIGRATION, PAUSED_MIGRATION,       EACH,    ALWAYS, SETTLE_WAIT },
    { PAUSED_MIGRATION, ABSENT,                 EACH,    ALWAYS, SETTLE_RESUME_SOURCE },
    /* The target may have run and written. */
    { PAUSED_MIGRATION, SHUT_OFF,               EACH,    ALWAYS, SETTLE_ALARM },
    { PAUSED_USER,      ABSENT,                 EACH,    ALWAYS, SETTLE_NOT_HAPPENED },
    { ABSENT,           ARRIVED,                EACH,    ALWAYS, SETTLE_DONE },
    { SHUT_OFF,         ARRIVED,                EACH,    ALWAYS, SETTLE_SWEEP_SOURCE },
    { SHUT_OFF,         ABSENT,                 LIVE,    ALWAYS, SETTLE_ENDED },
    { SHUT_OFF,         ABSENT,                 OFFLINE, ALWAYS, SETTLE_STOPPED },
    { SHUT_OFF,         SHUT_OFF,               OFFLINE, SAME,   SETTLE_DEFINED_TWICE },
    { SHUT_OFF,         SHUT_OFF,               OFFLINE, MADE,   SETTLE_UNDEFINE_TARGET },
    { OFF_MIGRATED,     SHUT_OFF,               LIVE,    ALWAYS, SETTLE_SWEEP_SOURCE },
    { SHUT_OFF,         SHUT_OFF,               EACH,    ALWAYS, SETTLE_HOLD },
    { ABSENT,           SHUT_OFF,               EACH,    ALWAYS, SETTLE_DONE_OFF },
    { ABSENT,           ABSENT,                 EACH,    ALWAYS, SETTLE_LOST },
    { ANY,              ANY,                    EACH,    ALWAYS, SETTLE_ALARM },
};
/* clang-format on */

static const char *const view_names[SETTLE_VIEW_COUNT] = {
    [SETTLE_UNREACHABLE] = "unreachable",
    [SETTLE_ABSENT] = "absent",
    [SETTLE_OFF] = "off",
    [SETTLE_OFF_MIGRATED] = "off-migrated",
    [SETTLE_RUNNING] = "running",
    [SETTLE_RUNNING_JOB] = "running-job",
    [SETTLE_PAUSED_USER] = "paused-user",
    [SETTLE_PAUSED_MIGRATION] = "paused-migration",
    [SETTLE_PAUSED_POSTCOPY] = "paused-postcopy",
    [SETTLE_PAUSED_OTHER] = "paused-other",
    [SETTLE_OTHER] = "other",
};

static const char *const verdict_names[SETTLE_VERDICT_COUNT] = {
    [SETTLE_WAIT] = "wait",
    [SETTLE_ALARM] = "alarm",
    [SETTLE_HOLD] = "hold",
    [SETTLE_ADOPT] = "adopt",
    [SETTLE_NOT_HAPPENED] = "not-happened",
    [SETTLE_DESTROY_TARGET] = "destroy-target",
    [SETTLE_UNDEFINE_TARGET] = "undefine-target",
    [SETTLE_DESTROY_SOURCE] = "destroy-source",
    [SETTLE_RESUME_SOURCE] = "resume-source",
    [SETTLE_SWEEP_SOURCE] = "sweep-source",
    [SETTLE_STOPPED] = "stopped",
    [SETTLE_ENDED] = "ended",
    [SETTLE_DEFINED_TWICE] = "defined-twice",
    [SETTLE_DONE] = "done",
    [SETTLE_DONE_OFF] = "done-off",
    [SETTLE_LOST] = "lost",
};

static const char *const verdict_texts[SETTLE_VERDICT_COUNT] = {
    [SETTLE_WAIT] =
        "a host does not answer, or a half state of a migration may still end by itself: look "
        "again later",
    [SETTLE_ALARM] =
        "the two hosts show a state that cannot be put right without risk: neither side is "
        "touched, a person must look",
    [SETTLE_HOLD] =
        "nothing is at risk, but both hosts have a definition of the guest: a person must say "
        "which one stays",
    [SETTLE_ADOPT] = "the guest is being migrated right now: follow it to its end",
    [SETTLE_NOT_HAPPENED] = "the guest is at the source as if nothing had been done",
    [SETTLE_DESTROY_TARGET] =
        "the migration is over and left an incoming process on the target: end that process",
    [SETTLE_UNDEFINE_TARGET] =
        "the guest did not move and left our definition on the target: remove that definition",
    [SETTLE_DESTROY_SOURCE] =
        "the guest lives on the target and left a paused process at the source: end that process",
    [SETTLE_RESUME_SOURCE] =
        "the migration is over, the guest stands still at the source and is not on the target: let "
        "it run on",
    [SETTLE_SWEEP_SOURCE] =
        "the guest is on the target: remove the definition that it left at the source",
    [SETTLE_STOPPED] = "the guest is shut off at the source and has not moved yet",
    [SETTLE_ENDED] =
        "the guest is shut off at the source and not on the target: it ended by itself and stays "
        "off",
    [SETTLE_DEFINED_TWICE] =
        "the guest is shut off and defined on both hosts, on the target as intended: remove the "
        "definition at the source",
    [SETTLE_DONE] = "the guest is on the target and not at the source",
    [SETTLE_DONE_OFF] = "the guest is on the target, shut off, and not at the source",
    [SETTLE_LOST] = "the guest is on neither host: look on all hosts",
};

/* Incoming, and nothing says that it has run here: then ending it loses nothing. */
static bool is_incoming(const struct observed_guest *guest)
{
    if (guest->reason == GUEST_REASON_MIGRATION || guest->reason == GUEST_REASON_STARTING_UP) {
        return guest->state == GUEST_PAUSED;
    }
    if (guest->job != GUEST_JOB_INCOMING) {
        return false;
    }
    if (guest->state == GUEST_PAUSED) {
        return guest->reason == GUEST_REASON_USER || guest->reason == GUEST_REASON_UNKNOWN;
    }
    return guest->state == GUEST_SHUTOFF || guest->state == GUEST_OTHER;
}

/* A guest in post-copy runs on the target while part of its memory is still at the source: it lives
 * in both places, whatever its state is called. */
static bool is_postcopy(const struct observed_guest *guest)
{
    return (guest->state == GUEST_RUNNING || guest->state == GUEST_PAUSED) &&
           (guest->reason == GUEST_REASON_POSTCOPY ||
            guest->reason == GUEST_REASON_POSTCOPY_FAILED);
}

static enum settle_view view_of_state(const struct observed_guest *guest)
{
    switch (guest->state) {
    case GUEST_RUNNING:
        return SETTLE_RUNNING;
    case GUEST_SHUTOFF:
        return guest->reason == GUEST_REASON_MIGRATED ? SETTLE_OFF_MIGRATED : SETTLE_OFF;
    case GUEST_PAUSED:
        return guest->reason == GUEST_REASON_USER ? SETTLE_PAUSED_USER : SETTLE_PAUSED_OTHER;
    case GUEST_CRASHED:
    case GUEST_OTHER:
    case GUEST_STATE_COUNT:
        break;
    }
    return SETTLE_OTHER;
}

static enum settle_view view_of_guest(const struct observed_guest *guest)
{
    if (is_postcopy(guest)) { /* First: one that failed keeps its job, and nothing comes of it. */
        return SETTLE_PAUSED_POSTCOPY;
    }
    if (guest->job == GUEST_JOB_OUTGOING) {
        return SETTLE_RUNNING_JOB;
    }
    if (is_incoming(guest)) {
        return SETTLE_PAUSED_MIGRATION;
    }
    return view_of_state(guest);
}

enum settle_view settle_view_of(const struct observed_host *host, const char *guest,
                                const char *uuid)
{
    const struct observed_guest *found = NULL;

    if (host == NULL || !host->reachable) {
        return SETTLE_UNREACHABLE;
    }
    for (size_t i = 0; i < host->guest_count; i++) {
        bool has_name = text_equal(host->guests[i].name, guest);
        bool has_uuid = text_equal(host->guests[i].uuid, uuid);

        if (has_name != has_uuid) {
            return SETTLE_OTHER;
        }
        if (has_name) {
            found = &host->guests[i];
        }
    }
    return found == NULL ? SETTLE_ABSENT : view_of_guest(found);
}

static bool holds(enum condition condition, const struct settle_facts *facts)
{
    switch (condition) {
    case STEADY:
        return facts->unchanged_ms >= SETTLE_PATIENCE_MS;
    case MADE:
        return facts->target_made;
    case SAME:
        return facts->target_same;
    case ALWAYS:
        break;
    }
    return true;
}

static bool row_matches(const struct row *row, enum settle_view source, enum settle_view target,
                        const struct settle_facts *facts)
{
    return (row->source >> source & 1U) != 0 && (row->target >> target & 1U) != 0 &&
           (row->moves == EACH || (row->moves == LIVE) == facts->live) &&
           holds(row->condition, facts);
}

enum settle_verdict settle_judge(enum settle_view source, enum settle_view target,
                                 const struct settle_facts *facts)
{
    const struct row *row = rows;

    assert(source < SETTLE_VIEW_COUNT && target < SETTLE_VIEW_COUNT);
    while (!row_matches(row, source, target, facts)) {
        row++;
        assert(row < rows + ARRAY_LEN(rows));
    }
    return row->verdict;
}

const char *settle_view_name(enum settle_view view)
{
    assert(view < SETTLE_VIEW_COUNT);
    return view_names[view];
}

const char *settle_verdict_name(enum settle_verdict verdict)
{
    assert(verdict < SETTLE_VERDICT_COUNT);
    return verdict_names[verdict];
}

const char *settle_verdict_text(enum settle_verdict verdict)
{
    assert(verdict < SETTLE_VERDICT_COUNT);
    return verdict_texts[verdict];
}
