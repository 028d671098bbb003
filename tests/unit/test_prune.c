/* SPDX-License-Identifier: Apache-2.0 */

/* Random journals that are pruned: what is open or needed is there as before, what is not is gone, and the
 * test's own rule says which is which. */

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "reconciler/journal/journal.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"
#include "tests/unit/scratch.h"

#define SEEDS   12
#define KEYS    1500
#define GUESTS  6
#define NEWEST  8
#define DAY_MS  (INT64_C(24) * 3600 * 1000)
#define NOW     (1000 * DAY_MS + INT64_C(1700000000000))
#define BEFORE  (NOW - 400 * DAY_MS)
#define SPARED  300 /* Keys from the first on that go however new they are. */
#define SWEEPS  40
#define RECORDS 400 /* Of one batch; of one thing there are few. */
#define ROOM    10

struct bench {
    struct arena arena;
    struct scratch scratch;
    char state_dir[128];
    struct loop *loop;
    struct journal *journal;
    struct dice dice;
    struct journal_record batch[RECORDS];
    size_t count;

    struct journal_move moves[KEYS + 1]; /* By seq; guest NULL: that key is no move. */
    struct journal_event events[KEYS + 1];
    bool known[GUESTS];
    bool owed[GUESTS];
    bool leftover[GUESTS];
    uint64_t attested; /* seq of a move. */
    char active_plan[DIGEST_TEXT_SIZE];
    char newest_revision[DIGEST_TEXT_SIZE];
};

static struct bench bench;

static size_t roll(size_t sides)
{
    return (size_t)dice_roll(&bench.dice, sides);
}

static bool coin(void)
{
    return roll(2) == 0;
}

static const char *guest_name(size_t guest)
{
    return text_format(&bench.arena, "vm%zu", guest);
}

static const char *guest_uuid(size_t guest)
{
    return text_format(&bench.arena, "11111111-2222-3333-4444-55555555550%zu", guest);
}

static size_t guest_of(const char *name)
{
    return (size_t)(name[2] - '0');
}

static void take_answer(void *context, enum journal_result result, const struct err *err)
{
    (void)context;
    ck_assert_msg(result == JOURNAL_COMMITTED, "%s", err == NULL ? "" : err->text);
    loop_stop(bench.loop);
}

static struct journal_record *add(enum journal_kind kind)
{
    struct journal_record *record = &bench.batch[bench.count++];

    *record = (struct journal_record){ .kind = kind };
    return record;
}

static void put_all(void)
{
    const struct journal_batch batch = { .epoch = 1, .records = bench.batch, .count = bench.count };

    bench.count = 0;
    journal_submit(bench.journal, &batch, take_answer, NULL);
    loop_run(bench.loop);
}

static void put(void)
{
    if (bench.count + ROOM > RECORDS) {
        put_all();
    }
}

static void add_object(const char *bytes, char digest[DIGEST_TEXT_SIZE])
{
    struct journal_object *object = &add(JOURNAL_OBJECT)->object;

    object->bytes = bytes;
    object->length = strlen(bytes);
    (void)digest_of(bytes, object->length, object->digest);
    memcpy(digest, object->digest, DIGEST_TEXT_SIZE);
}

/* Time goes on with the keys, but for a clock that was set back now and then. */
static int64_t instant_of(uint64_t seq)
{
    int64_t at = NOW - 1000 * DAY_MS + (int64_t)seq * 1000 * DAY_MS / KEYS;

    return roll(20) == 0 ? at - (int64_t)roll(300) * DAY_MS : at;
}

static void put_move(uint64_t seq)
{
    size_t guest = roll(GUESTS);
    char digest[DIGEST_TEXT_SIZE];
    struct journal_step *step;
    struct journal_move move = {
        .key = { 1, seq },
        .run = 1,
        .guest = guest_name(guest),
        .uuid = guest_uuid(guest),
        .from = "kvm1",
        .to = "kvm2",
        .original = GUEST_RUNNING,
        .begun_ms = instant_of(seq),
        .state = roll(30) == 0 ? JOURNAL_MOVE_OPEN : JOURNAL_MOVE_DONE,
    };

    move.ended_ms = move.state == JOURNAL_MOVE_OPEN ? 0 : move.begun_ms + 1000;
    add_object(text_format(&bench.arena, "<domain>%zu</domain>", roll(40)), digest);
    memcpy(move.xml_digest, digest, DIGEST_TEXT_SIZE);
    bench.moves[seq] = move;
    add(JOURNAL_MOVE)->move = move;
    step = &add(JOURNAL_STEP)->step;
    *step = (struct journal_step){ .move = { 1, seq }, .number = 1, .host = "kvm1", .begun_ms = 1 };
    put();
}

static void put_event(uint64_t seq)
{
    const struct journal_event event = {
        .key = { 1, seq }, .at_ms = instant_of(seq), .kind = "alarm", .text = "x"
    };

    bench.events[seq] = event;
    add(JOURNAL_EVENT)->event = event;
    put();
}

static void put_plan(uint64_t seq)
{
    struct journal_plan plan = { .key = { 1, seq }, .run = 1, .at_ms = instant_of(seq) };

    add_object(text_format(&bench.arena, "plan %zu", (size_t)seq), plan.plan_digest);
    plan.replaced_ms = seq > KEYS / 10 || coin() ? plan.at_ms + 1 : 0;
    if (plan.replaced_ms == 0) { /* A very old one that is followed still, unless another comes. */
        memcpy(bench.active_plan, plan.plan_digest, DIGEST_TEXT_SIZE);
    }
    add(JOURNAL_PLAN)->plan = plan;
    put();
}

static void put_run(uint64_t seq)
{
    add(JOURNAL_RUN)->run = (struct journal_run){
        .key = { 1, seq }, .program = "berthd", .user = "root", .begun_ms = instant_of(seq)
    };
    put();
}

static void put_past(void)
{
    put_run(1);
    for (uint64_t seq = 2; seq <= KEYS; seq++) {
        size_t what = roll(10);

        if (what < 4) {
            put_move(seq);
        } else if (what < 8) {
            put_event(seq);
        } else if (what == 8) {
            put_plan(seq);
        } else {
            put_run(seq);
        }
    }
    put_all();
}

static int64_t long_ago(void)
{
    return BEFORE - (int64_t)(1 + roll(500)) * DAY_MS;
}

/* Of each guest some of what can be open about it, all of it old. */
static void put_guest(size_t guest)
{
    struct journal_place place = { .guest = guest_name(guest), .host = "kvm1" };
    struct journal_definition definition = { .at_ms = long_ago() };

    bench.known[guest] = coin();
    bench.owed[guest] = roll(4) == 0;
    bench.leftover[guest] = roll(4) == 0;
    place.uuid = guest_uuid(guest);
    place.at_ms = long_ago();
    place.forgotten = !bench.known[guest] || coin();
    add(JOURNAL_PLACE)->place = place;
    if (bench.known[guest] && place.forgotten) {
        place.forgotten = false;
        add(JOURNAL_SIGHTING)->place = place;
    }
    add(JOURNAL_OWED)->owed = (struct journal_owed){ .uuid = place.uuid,
                                                     .guest = place.guest,
                                                     .host = "kvm1",
                                                     .since_ms = long_ago(),
                                                     .paid = !bench.owed[guest] };
    add(JOURNAL_LEFTOVER)->leftover =
        (struct journal_leftover){ .uuid = place.uuid,
                                   .host = "kvm2",
                                   .guest = place.guest,
                                   .to = "kvm1",
                                   .since_ms = long_ago(),
                                   .cleared = !bench.leftover[guest] };
    put();
    add_object(text_format(&bench.arena, "<domain>of %zu</domain>", guest), definition.digest);
    definition.guest = place.guest;
    definition.uuid = place.uuid;
    add(JOURNAL_DEFINITION)->definition = definition;
    add(JOURNAL_RETRY)->retry =
        (struct journal_retry){ .guest = place.guest, .failed_ms = long_ago(), .cleared = coin() };
    add(JOURNAL_HOLD)->hold = (struct journal_hold){ .scope = JOURNAL_SCOPE_GUEST,
                                                     .name = place.guest,
                                                     .user = "root",
                                                     .since_ms = long_ago(),
                                                     .released = coin() };
    put();
}

static void put_revisions(void)
{
    for (size_t i = 0; i < 30; i++) {
        struct journal_revision revision = { .at_ms = BEFORE - (int64_t)(31 - i) * DAY_MS };

        add_object(text_format(&bench.arena, "<file>%zu</file>", i), revision.digest);
        memcpy(bench.newest_revision, revision.digest, DIGEST_TEXT_SIZE);
        add(JOURNAL_REVISION)->revision = revision;
        put();
    }
}

static void put_attest(void)
{
    for (uint64_t seq = 2; seq < KEYS && bench.attested == 0; seq++) {
        if (bench.moves[seq].guest != NULL && bench.moves[seq].ended_ms != 0) {
            bench.attested = seq;
        }
    }
    add(JOURNAL_ATTEST)->attest = (struct journal_attest){
        .key = { 1, bench.attested }, .host = "kvm1", .user = "root", .at_ms = long_ago()
    };
    put_all();
}

/* Windows one after the other, as a controller goes through them; how many had something. */
static size_t prune_all(void)
{
    struct journal_prune prune = { .last = KEYS - 1, .spare = SPARED, .before_ms = BEFORE };
    size_t removed = 0;

    do {
        struct err err;
        bool found = false;

        ck_assert_int_eq(bench.journal->ops->find_old(bench.journal, &prune, &found, &err), 0);
        ck_assert_uint_le(prune.upto - prune.after, 100);
        if (found) {
            add(JOURNAL_PRUNE)->prune = prune;
            put_all();
            removed++;
        }
        prune.after = prune.upto;
    } while (prune.upto < prune.last);
    return removed;
}

/* Everything open, line by line, with whether the objects that it names can be read. */
#define LIST(type, op, ...)                                                                       \
    do {                                                                                          \
        struct type *items_;                                                                      \
        size_t count_;                                                                            \
        struct err err_;                                                                          \
        ck_assert_int_eq(bench.journal->ops->op(bench.journal, &bench.arena, __VA_ARGS__ &items_, \
                                                &count_, &err_),                                  \
                         0);                                                                      \
        for (size_t i_ = 0; i_ < count_; i_++) {                                                  \
            print_##type(&text, &items_[i_]);                                                     \
        }                                                                                         \
    } while (0)

static void print_object(struct text *text, const char *digest)
{
    struct err err = { 0 };
    size_t length;
    char *bytes;

    if (bench.journal->ops->object(bench.journal, &bench.arena, digest, &bytes, &length, &err) ==
        0) {
        text_printf(text, " %s\n", bytes);
    } else {
        text_printf(text, " LOST %s\n", digest);
    }
}

static void print_journal_move(struct text *text, const struct journal_move *move)
{
    struct journal_step *steps;
    struct err err;
    size_t count;

    ck_assert_int_eq(
        bench.journal->ops->steps(bench.journal, &bench.arena, move->key, &steps, &count, &err), 0);
    text_printf(text, "move %d, %zu steps", (int)move->key.seq, count);
    print_object(text, move->xml_digest);
}

static void print_journal_owed(struct text *text, const struct journal_owed *owed)
{
    text_printf(text, "owed %s\n", owed->guest);
}

static void print_journal_retry(struct text *text, const struct journal_retry *retry)
{
    text_printf(text, "retry %s\n", retry->guest);
}

static void print_journal_hold(struct text *text, const struct journal_hold *hold)
{
    text_printf(text, "hold %s\n", hold->name);
}

static void print_journal_place(struct text *text, const struct journal_place *place)
{
    text_printf(text, "place %s\n", place->guest);
}

static void print_journal_attest(struct text *text, const struct journal_attest *attest)
{
    text_printf(text, "attest %d\n", (int)attest->key.seq);
}

static void print_journal_leftover(struct text *text, const struct journal_leftover *leftover)
{
    text_printf(text, "leftover %s\n", leftover->guest);
}

static void print_journal_definition(struct text *text, const struct journal_definition *definition)
{
    size_t guest = guest_of(definition->guest);

    if (bench.known[guest] || bench.owed[guest] || bench.leftover[guest]) {
        text_printf(text, "definition %s", definition->guest);
        print_object(text, definition->digest);
    }
}

static const char *tell_open(void)
{
    struct text text = text_new(&bench.arena);
    struct journal_plan plan;
    uint64_t seq = 0;
    struct err err;

    LIST(journal_move, moves, true, NULL, 0, );
    LIST(journal_owed, owed, );
    LIST(journal_retry, retries, );
    LIST(journal_hold, holds, );
    LIST(journal_place, places, );
    LIST(journal_place, sightings, );
    LIST(journal_attest, attests, );
    LIST(journal_leftover, leftovers, );
    LIST(journal_definition, definitions, );
    ck_assert_int_eq(bench.journal->ops->active_plan(bench.journal, &bench.arena, &plan, &err), 0);
    ck_assert_str_eq(plan.plan_digest, bench.active_plan);
    print_object(&text, plan.plan_digest);
    print_object(&text, bench.newest_revision);
    ck_assert_int_eq(bench.journal->ops->next_seq(bench.journal, &seq, &err), 0);
    text_printf(&text, "next %d\n", (int)seq);
    return text.data;
}

static bool is_old(uint64_t seq, int64_t at_ms)
{
    return seq < KEYS && (seq <= SPARED || at_ms < BEFORE);
}

/* The rule, once more. */
static bool is_move_kept(const struct journal_move *move)
{
    size_t guest = guest_of(move->guest);
    size_t later = 0;

    if (move->ended_ms == 0 || !is_old(move->key.seq, move->ended_ms) || bench.owed[guest] ||
        bench.leftover[guest] || move->key.seq == bench.attested) {
        return true;
    }
    for (uint64_t seq = move->key.seq + 1; seq <= KEYS; seq++) {
        const struct journal_move *other = &bench.moves[seq];

        later += other->guest != NULL && guest_of(other->guest) == guest ? 1 : 0;
    }
    return bench.known[guest] && later < NEWEST;
}

static void check_past(void)
{
    struct journal_move *moves;
    struct journal_event *events;
    struct err err;
    size_t count;
    size_t at = 0;

    ck_assert_int_eq(bench.journal->ops->moves(bench.journal, &bench.arena, false, NULL, 0, &moves,
                                               &count, &err),
                     0);
    for (uint64_t seq = 1; seq <= KEYS; seq++) {
        bool there = at < count && moves[at].key.seq == seq;

        at += there ? 1 : 0;
        ck_assert_msg(there == (bench.moves[seq].guest != NULL && is_move_kept(&bench.moves[seq])),
                      "move %d is %s", (int)seq, there ? "there" : "gone");
    }
    ck_assert_int_eq(
        bench.journal->ops->events(bench.journal, &bench.arena, NULL, 0, &events, &count, &err), 0);
    at = 0;
    for (uint64_t seq = 1; seq <= KEYS; seq++) {
        bool there = at < count && events[at].key.seq == seq;

        at += there ? 1 : 0;
        ck_assert_msg(there ==
                          (bench.events[seq].kind != NULL && !is_old(seq, bench.events[seq].at_ms)),
                      "event %d is %s", (int)seq, there ? "there" : "gone");
    }
}

static int64_t number_of(const char *sql)
{
    const char *path = text_format(&bench.arena, "%s/journal.db", bench.state_dir);
    sqlite3_stmt *statement;
    int64_t number;
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return number;
}

/* Of what is no more than history nothing old is left, and no object without a row that names it. */
static void check_rest(void)
{
    const char *path = text_format(&bench.arena, "%s/objects", bench.state_dir);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int64_t files = 0;

    ck_assert_int_eq(
        number_of(text_format(&bench.arena, "SELECT count(*) FROM plan WHERE seq <= %d", SPARED)),
        1);
    ck_assert_int_eq(
        number_of(text_format(&bench.arena, "SELECT count(*) FROM run WHERE seq BETWEEN 2 AND %d",
                              SPARED)),
        0);
    ck_assert_int_eq(number_of("SELECT count(*) FROM step WHERE NOT EXISTS (SELECT 1 FROM move"
                               " WHERE move.epoch = step.epoch AND move.seq = step.seq)"),
                     0);
    ck_assert_int_eq(number_of("SELECT (SELECT count(*) FROM owed WHERE paid = 1)"
                               " + (SELECT count(*) FROM hold WHERE released = 1)"
                               " + (SELECT count(*) FROM retry WHERE cleared = 1)"
                               " + (SELECT count(*) FROM leftover WHERE cleared = 1)"),
                     0);
    ck_assert_int_eq(number_of("SELECT count(*) FROM revision"), 1);
    while ((entry = readdir(folder)) != NULL) {
        files += entry->d_name[0] == '.' ? 0 : 1;
    }
    (void)closedir(folder);
    ck_assert_int_eq(files, number_of("SELECT count(*) FROM (SELECT digest FROM revision"
                                      " UNION SELECT digest FROM definition"
                                      " UNION SELECT plan_digest FROM plan"
                                      " UNION SELECT xml_digest FROM move)"));
}

/* Objects are swept a few at a time, beside rows. */
static void sweep_all(void)
{
    for (size_t i = 0; i < SWEEPS; i++) {
        add(JOURNAL_PRUNE)->prune = (struct journal_prune){ .last = KEYS - 1 };
        put_all();
    }
}

static void set_up(uint64_t seed)
{
    struct err err = { 0 };

    bench = (struct bench){ .scratch = scratch_new(), .dice = { seed } };
    (void)snprintf(bench.state_dir, sizeof(bench.state_dir), "%s/state", bench.scratch.path);
    bench.loop = loop_manual_new(NOW);
    bench.journal = journal_open_inline(bench.loop, bench.state_dir, &err);
    ck_assert_msg(bench.journal != NULL, "%s", err.text);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void tear_down(void)
{
    journal_close(bench.journal);
    loop_manual_free(bench.loop);
    ck_assert_int_eq(nftw(bench.state_dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    arena_deinit(&bench.arena);
    scratch_deinit(&bench.scratch);
}

START_TEST(what_is_open_or_needed_stays_and_everything_else_that_is_old_goes)
{
    const char *before;

    set_up((uint64_t)_i);
    put_past();
    for (size_t guest = 0; guest < GUESTS; guest++) {
        put_guest(guest);
    }
    put_revisions();
    put_attest();
    before = tell_open();
    ck_assert_ptr_null(strstr(before, "LOST"));
    ck_assert_uint_gt(prune_all(), 0);
    sweep_all();
    ck_assert_str_eq(tell_open(), before);
    check_past();
    (void)prune_all(); /* Places go once their definitions have. */
    ck_assert_uint_eq(prune_all(), 0);
    sweep_all();
    check_rest();
    ck_assert_str_eq(tell_open(), before);
    tear_down();
}
END_TEST

START_TEST(nothing_is_let_go_of_that_is_neither_old_nor_too_much)
{
    struct journal_prune prune = { .last = KEYS - 1, .before_ms = NOW - 3000 * DAY_MS };
    struct err err;
    bool found = true;

    set_up(1);
    put_past();
    while (prune.upto < prune.last) {
        ck_assert_int_eq(bench.journal->ops->find_old(bench.journal, &prune, &found, &err), 0);
        ck_assert(!found);
        prune.after = prune.upto;
    }
    tear_down();
}
END_TEST

START_TEST(the_end_of_an_empty_journal_is_found_at_once)
{
    struct journal_prune prune = { .after = 7, .last = 100 };
    struct err err;
    bool found = true;

    set_up(1);
    ck_assert_int_eq(bench.journal->ops->find_old(bench.journal, &prune, &found, &err), 0);
    ck_assert(!found);
    ck_assert_uint_eq(prune.upto, 100);
    tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prune");
    TCase *tcase = tcase_create("prune");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, what_is_open_or_needed_stays_and_everything_else_that_is_old_goes, 0,
                        SEEDS);
    tcase_add_test(tcase, nothing_is_let_go_of_that_is_neither_old_nor_too_much);
    tcase_add_test(tcase, the_end_of_an_empty_journal_is_found_at_once);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
