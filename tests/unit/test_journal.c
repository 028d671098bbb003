/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The journal on real files: what is acknowledged is kept, what is not is not, whatever happens to the
 * disk, the process or the file in between.
 */

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/loop_manual.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "reconciler/journal/journal.h"
#include "tests/runner.h"

#define UUID_A  "11111111-2222-3333-4444-555555555501"
#define UUID_B  "11111111-2222-3333-4444-555555555502"
#define BEGUN   INT64_C(1764000000000)
#define NOBODY  65534
#define DIGEST0 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* Of "". */

/* Of one test: a folder that goes away with it, and whether a test needs more than this. */
struct bench {
    struct arena arena;
    struct loop *loop;
    bool threaded;
    char folder[PATH_MAX];
    char state_dir[PATH_MAX];
    char database[PATH_MAX];
};

static struct bench bench;

/* What was there, and what was referred to, when everything was synced. */
static struct syncing {
    unsigned calls;
    unsigned files;
    unsigned rows;
    bool fails;
} syncing;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void set_up_bench(bool threaded)
{
    const char *base = getenv("TMPDIR");

    bench = (struct bench){ .threaded = threaded };
    syncing = (struct syncing){ 0 };
    (void)snprintf(bench.folder, sizeof(bench.folder), "%s/berth-journal-XXXXXX",
                   base == NULL ? "/tmp" : base);
    ck_assert_ptr_nonnull(mkdtemp(bench.folder));
    (void)snprintf(bench.state_dir, sizeof(bench.state_dir), "%.200s/state", bench.folder);
    (void)snprintf(bench.database, sizeof(bench.database), "%.200s/journal.db", bench.state_dir);
    bench.loop = threaded ? loop_uv_new() : loop_manual_new(BEGUN);
}

static void set_up_inline(void)
{
    set_up_bench(false);
}

static void set_up_threaded(void)
{
    set_up_bench(true);
}

static void tear_down(void)
{
    if (bench.threaded) {
        loop_uv_free(bench.loop);
    } else {
        loop_manual_free(bench.loop);
    }
    arena_deinit(&bench.arena);
    (void)chmod(bench.state_dir, 0700);
    (void)nftw(bench.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static struct journal *open_journal(void)
{
    struct err err = { 0 };
    struct journal *journal = bench.threaded
                                  ? journal_open(bench.loop, bench.state_dir, &err)
                                  : journal_open_inline(bench.loop, bench.state_dir, &err);

    ck_assert_msg(journal != NULL, "%s", err.text);
    return journal;
}

static struct err open_refused(enum err_code code)
{
    struct err err = { 0 };
    struct journal *journal = journal_open(bench.loop, bench.state_dir, &err);

    ck_assert_ptr_null(journal);
    ck_assert_msg(err.code == code, "%s: %s", err_code_name(err.code), err.text);
    return err;
}

static struct err read_refused(enum err_code code)
{
    struct err err = { 0 };
    struct journal *journal = journal_open_readonly(bench.state_dir, &err);

    ck_assert_ptr_null(journal);
    ck_assert_msg(err.code == code, "%s: %s", err_code_name(err.code), err.text);
    return err;
}

struct answer {
    unsigned calls;
    enum journal_result result;
    struct err err;
    bool stops; /* The loop, once it is there. */
};

static void take_answer(void *context, enum journal_result result, const struct err *err)
{
    struct answer *answer = context;

    answer->calls++;
    answer->result = result;
    ck_assert((err == NULL) == (result == JOURNAL_COMMITTED));
    if (err != NULL) {
        answer->err = *err;
    }
    if (answer->stops) {
        loop_stop(bench.loop);
    }
}

/* Submits and runs the loop until the answer is there. */
static struct answer put_as(struct journal *journal, uint64_t epoch,
                            const struct journal_record *records, size_t count)
{
    struct answer answer = { .stops = true };
    struct journal_batch batch = { .epoch = epoch, .records = records, .count = count };

    journal_submit(journal, &batch, take_answer, &answer);
    ck_assert_uint_eq(answer.calls, 0);
    loop_run(bench.loop);
    ck_assert_uint_eq(answer.calls, 1);
    return answer;
}

static void put(struct journal *journal, const struct journal_record *records, size_t count)
{
    struct answer answer = put_as(journal, 1, records, count);

    ck_assert_msg(answer.result == JOURNAL_COMMITTED, "%s", answer.err.text);
}

static struct journal_record move_record(uint64_t seq, const char *guest)
{
    return (struct journal_record){
        .kind = JOURNAL_MOVE,
        .move = { .key = { 1, seq },
                  .run = 1,
                  .guest = guest,
                  .uuid = UUID_A,
                  .from = "kvm1",
                  .to = "kvm2",
                  .original = GUEST_RUNNING,
                  .begun_ms = BEGUN,
                  .deadline_ms = BEGUN + 600000 },
    };
}

static struct journal_record step_record(uint64_t seq, uint32_t number)
{
    return (struct journal_record){
        .kind = JOURNAL_STEP,
        .step = { .move = { 1, seq },
                  .number = number,
                  .kind = OP_MIGRATE,
                  .host = "kvm1",
                  .begun_ms = BEGUN },
    };
}

static struct journal_record event_record(uint64_t seq, const char *guest, const char *text)
{
    return (struct journal_record){
        .kind = JOURNAL_EVENT,
        .event = { .key = { 1, seq },
                   .at_ms = BEGUN,
                   .kind = "alarm",
                   .guest = guest,
                   .text = text },
    };
}

static struct journal_record object_record(const char *bytes)
{
    struct journal_record record = { .kind = JOURNAL_OBJECT };

    record.object.bytes = bytes;
    record.object.length = strlen(bytes);
    (void)digest_of(bytes, strlen(bytes), record.object.digest);
    return record;
}

static struct journal_move *read_moves(struct journal *journal, bool open_only, const char *guest,
                                       size_t limit, size_t *count)
{
    struct err err = { 0 };
    struct journal_move *moves = NULL;

    ck_assert_msg(journal->ops->moves(journal, &bench.arena, open_only, guest, limit, &moves, count,
                                      &err) == 0,
                  "%s", err.text);
    return moves;
}

static size_t count_moves(struct journal *journal)
{
    size_t count;

    (void)read_moves(journal, false, NULL, 0, &count);
    return count;
}

static uint64_t read_next_seq(struct journal *journal)
{
    struct err err = { 0 };
    uint64_t seq = 0;

    ck_assert_msg(journal->ops->next_seq(journal, &seq, &err) == 0, "%s", err.text);
    return seq;
}

static int read_object(struct journal *journal, const char *digest, char **bytes, struct err *err)
{
    size_t length;

    return journal->ops->object(journal, &bench.arena, digest, bytes, &length, err);
}

/* Changes the database behind the journal's back. */
static void tamper(const char *sql)
{
    sqlite3 *db;
    char *why = NULL;

    ck_assert_int_eq(sqlite3_open(bench.database, &db), SQLITE_OK);
    (void)sqlite3_exec(db, sql, NULL, NULL, &why);
    ck_assert_msg(why == NULL, "%s", why);
    (void)sqlite3_close(db);
}

static void make_journal(void)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { move_record(1, "vm1"), object_record("<domain/>") };

    put(journal, records, ARRAY_LEN(records));
    journal_close(journal);
}

static unsigned mode_of(const char *name)
{
    struct stat status;

    ck_assert_msg(stat(text_format(&bench.arena, "%s/%s", bench.state_dir, name), &status) == 0,
                  "no %s", name);
    return status.st_mode & 07777;
}

static void overwrite(const char *path, off_t at, const char *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, strlen(bytes), at), (ssize_t)strlen(bytes));
    (void)close(fd);
}

static char *object_path(const char *digest)
{
    return text_format(&bench.arena, "%s/objects/%s", bench.state_dir, digest);
}

START_TEST(state_directory_is_for_its_owner_only_whatever_the_umask)
{
    static const char *const files[] = { "lock", "journal.db", "journal.db-wal", "journal.db-shm" };
    mode_t old = umask(0);
    struct journal *journal = open_journal();
    struct journal_record record = object_record("<domain/>");

    put(journal, &record, 1);
    (void)umask(old);
    ck_assert_uint_eq(mode_of("."), 0700);
    ck_assert_uint_eq(mode_of("objects"), 0700);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        ck_assert_msg(mode_of(files[i]) == 0600, "%s has mode %04o", files[i], mode_of(files[i]));
    }
    ck_assert_uint_eq(mode_of(text_format(&bench.arena, "objects/%s", record.object.digest)), 0600);
    journal_close(journal);
}
END_TEST

#define MANY 100

static unsigned count_files(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    unsigned count = 0;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count;
}

static unsigned count_definitions(void)
{
    struct err err = { 0 };
    struct journal *journal = journal_open_readonly(bench.state_dir, &err);
    struct journal_definition *items;
    size_t count;

    ck_assert_msg(journal != NULL, "%s", err.text);
    ck_assert_int_eq(journal->ops->definitions(journal, &bench.arena, &items, &count, &err), 0);
    journal_close(journal);
    return (unsigned)count;
}

/* Takes the place of libc's. */
int syncfs(int fd)
{
    (void)fd;
    syncing.calls++;
    syncing.files = count_files(object_path(""));
    syncing.rows = count_definitions();
    errno = EIO;
    return syncing.fails ? -1 : 0;
}

/* Definitions of MANY guests, each after its text. */
static struct journal_record *many_definitions(void)
{
    struct journal_record *records =
        ARENA_ARRAY(&bench.arena, struct journal_record, (size_t)2 * MANY);

    for (size_t i = 0; i < MANY; i++) {
        struct journal_definition *definition = &records[2 * i + 1].definition;

        records[2 * i] = object_record(text_format(&bench.arena, "<domain>%zu</domain>", i));
        records[2 * i + 1].kind = JOURNAL_DEFINITION;
        *definition = (struct journal_definition){
            .guest = text_format(&bench.arena, "vm%zu", i),
            .uuid = text_format(&bench.arena, "11111111-2222-3333-4444-%012zu", i),
            .at_ms = BEGUN,
        };
        memcpy(definition->digest, records[2 * i].object.digest, sizeof(definition->digest));
    }
    return records;
}

START_TEST(many_objects_of_a_batch_are_synced_at_once_before_anything_refers_to_them)
{
    const struct journal_record *records = many_definitions();
    struct journal *journal = open_journal();

    put(journal, records, (size_t)2 * MANY);
    ck_assert_uint_eq(syncing.calls, 1);
    ck_assert_uint_eq(syncing.files, MANY);
    ck_assert_uint_eq(syncing.rows, 0);
    ck_assert_uint_eq(count_definitions(), MANY);
    journal_close(journal);
}
END_TEST

START_TEST(batch_whose_objects_cannot_be_synced_is_not_kept)
{
    const struct journal_record *records = many_definitions();
    struct journal *journal = open_journal();
    struct answer answer;

    syncing.fails = true;
    answer = put_as(journal, 1, records, (size_t)2 * MANY);
    ck_assert_int_eq(answer.result, JOURNAL_FAILED);
    ck_assert_ptr_nonnull(strstr(answer.err.text, "cannot sync"));
    ck_assert_uint_eq(count_definitions(), 0);
    journal_close(journal);
}
END_TEST

START_TEST(state_directory_that_others_can_write_to_is_refused)
{
    struct err err;

    ck_assert_int_eq(mkdir(bench.state_dir, 0700), 0);
    ck_assert_int_eq(chmod(bench.state_dir, 0770), 0);
    err = open_refused(ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "others can write to it"));
    ck_assert_int_eq(access(bench.database, F_OK), -1);
}
END_TEST

START_TEST(file_in_place_of_the_state_directory_is_refused)
{
    overwrite(bench.state_dir, 0, "hello");
    (void)open_refused(ERR_INVALID);
}
END_TEST

static const struct journal_move full_move = {
    .key = { 1, 7 },
    .run = 3,
    .guest = "vm1.example.com",
    .uuid = UUID_A,
    .from = "kvm1.example.com",
    .to = "kvm2.example.com",
    .mode = MOVE_FORCED,
    .detour = true,
    .original = GUEST_PAUSED,
    .autostart = true,
    .persistent = true,
    .xml_digest = DIGEST0,
    .target_digest = DIGEST0,
    .es_digest = DIGEST0,
    .begun_ms = BEGUN,
    .deadline_ms = BEGUN + 1,
    .ended_ms = BEGUN + 2,
    .state = JOURNAL_MOVE_ROLLED_BACK,
    .tried = true,
    .back = true,
    .target_made = true,
    .source_removed = true,
    .cancel_requested = true,
    .unclear = true,
    .error = ERR_TIMEOUT,
    .error_text = "cannot stop 'vm1': it \"sleeps\"; DROP TABLE move",
    .total_ms = 4,
    .downtime_ms = 5,
    .bytes = INT64_MAX,
    .iterations = 6,
    .predicted_ms = INT64_MAX,
    .written_bytes_s = 7,
    .throttle_percent = 99,
    .postcopy = true,
    .overran = true,
    .fallback = true,
    .supplies_digest = DIGEST0,
    .made = 6,
    .by_hand = true,
};

/* The same as a journal of 'version' can have it. */
static struct journal_move full_move_of(int version)
{
    struct journal_move move = full_move;

    if (version < 4) {
        move.predicted_ms = 0;
        move.written_bytes_s = 0;
        move.throttle_percent = 0;
        move.postcopy = false;
        move.overran = false;
        move.fallback = false;
    }
    if (version < 5) {
        move.supplies_digest[0] = '\0';
        move.made = 0;
        move.by_hand = false;
    }
    return move;
}

static void check_move(const struct journal_move *actual, const struct journal_move *expected)
{
    ck_assert_uint_eq(actual->key.epoch, expected->key.epoch);
    ck_assert_uint_eq(actual->key.seq, expected->key.seq);
    ck_assert_uint_eq(actual->run, expected->run);
    ck_assert_str_eq(actual->guest, expected->guest);
    ck_assert_str_eq(actual->uuid, expected->uuid);
    ck_assert_str_eq(actual->from, expected->from);
    ck_assert_str_eq(actual->to, expected->to);
    ck_assert_int_eq(actual->mode, expected->mode);
    ck_assert(actual->detour == expected->detour);
    ck_assert_int_eq(actual->original, expected->original);
    ck_assert(actual->autostart == expected->autostart);
    ck_assert(actual->persistent == expected->persistent);
    ck_assert_str_eq(actual->xml_digest, expected->xml_digest);
    ck_assert_str_eq(actual->target_digest, expected->target_digest);
    ck_assert_str_eq(actual->es_digest, expected->es_digest);
    ck_assert_int_eq(actual->begun_ms, expected->begun_ms);
    ck_assert_int_eq(actual->deadline_ms, expected->deadline_ms);
    ck_assert_int_eq(actual->ended_ms, expected->ended_ms);
    ck_assert_int_eq(actual->state, expected->state);
    ck_assert(actual->tried == expected->tried);
    ck_assert(actual->back == expected->back);
    ck_assert(actual->target_made == expected->target_made);
    ck_assert(actual->source_removed == expected->source_removed);
    ck_assert(actual->cancel_requested == expected->cancel_requested);
    ck_assert(actual->unclear == expected->unclear);
    ck_assert_int_eq(actual->error, expected->error);
    ck_assert_pstr_eq(actual->error_text, expected->error_text);
    ck_assert_int_eq(actual->total_ms, expected->total_ms);
    ck_assert_int_eq(actual->downtime_ms, expected->downtime_ms);
    ck_assert_uint_eq(actual->bytes, expected->bytes);
    ck_assert_uint_eq(actual->iterations, expected->iterations);
    ck_assert_int_eq(actual->predicted_ms, expected->predicted_ms);
    ck_assert_uint_eq(actual->written_bytes_s, expected->written_bytes_s);
    ck_assert_uint_eq(actual->throttle_percent, expected->throttle_percent);
    ck_assert(actual->postcopy == expected->postcopy);
    ck_assert(actual->overran == expected->overran);
    ck_assert(actual->fallback == expected->fallback);
    ck_assert_str_eq(actual->supplies_digest, expected->supplies_digest);
    ck_assert_uint_eq(actual->made, expected->made);
    ck_assert(actual->by_hand == expected->by_hand);
}

START_TEST(every_member_of_a_move_is_read_back)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { { .kind = JOURNAL_MOVE, .move = full_move },
                                        move_record(8, "vm2") };
    struct journal_move *moves;
    size_t count;

    put(journal, records, ARRAY_LEN(records));
    moves = read_moves(journal, false, NULL, 0, &count);
    ck_assert_uint_eq(count, 2);
    check_move(&moves[0], &full_move);
    check_move(&moves[1], &records[1].move);
    journal_close(journal);
}
END_TEST

START_TEST(every_member_of_a_step_is_read_back)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { step_record(2, UINT32_MAX), step_record(2, 1),
                                        step_record(3, 1) };
    struct journal_step *steps;
    struct err err;
    size_t count;

    records[0].step.kind = OP_DESTROY;
    records[0].step.state = JOURNAL_STEP_UNCLEAR;
    records[0].step.error_text = "no answer";
    records[0].step.ended_ms = BEGUN + 9;
    records[0].step.supply = SUPPLY_CONFIG;
    records[0].step.note = "already there";
    put(journal, records, ARRAY_LEN(records));
    ck_assert_int_eq(journal->ops->steps(journal, &bench.arena, (struct journal_key){ 1, 2 },
                                         &steps, &count, &err),
                     0);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(steps[0].number, 1);
    ck_assert_ptr_null(steps[0].error_text);
    ck_assert_int_eq(steps[0].supply, SUPPLY_NONE);
    ck_assert_ptr_null(steps[0].note);
    ck_assert_uint_eq(steps[1].move.epoch, 1);
    ck_assert_uint_eq(steps[1].move.seq, 2);
    ck_assert_uint_eq(steps[1].number, UINT32_MAX);
    ck_assert_int_eq(steps[1].kind, OP_DESTROY);
    ck_assert_str_eq(steps[1].host, "kvm1");
    ck_assert_int_eq(steps[1].state, JOURNAL_STEP_UNCLEAR);
    ck_assert_str_eq(steps[1].error_text, "no answer");
    ck_assert_int_eq(steps[1].begun_ms, BEGUN);
    ck_assert_int_eq(steps[1].ended_ms, BEGUN + 9);
    ck_assert_int_eq(steps[1].supply, SUPPLY_CONFIG);
    ck_assert_str_eq(steps[1].note, "already there");
    journal_close(journal);
}
END_TEST

static struct journal_record owed_record(const char *uuid, const char *guest, bool paid)
{
    return (struct journal_record){
        .kind = JOURNAL_OWED,
        .owed = { .uuid = uuid, .guest = guest, .host = "kvm1", .since_ms = BEGUN, .paid = paid },
    };
}

START_TEST(owed_start_is_listed_until_it_is_paid)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { owed_record(UUID_B, "vm2", false),
                                        owed_record(UUID_A, "vm1", false) };
    struct journal_record paid = owed_record(UUID_A, "vm1", true);
    struct journal_owed *owed;
    struct err err;
    size_t count;

    records[0].owed.early = true;
    records[1].owed.autostart = true;
    put(journal, records, ARRAY_LEN(records));
    ck_assert_int_eq(journal->ops->owed(journal, &bench.arena, &owed, &count, &err), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(owed[0].guest, "vm1");
    ck_assert_str_eq(owed[0].uuid, UUID_A);
    ck_assert_str_eq(owed[0].host, "kvm1");
    ck_assert_int_eq(owed[0].since_ms, BEGUN);
    ck_assert(!owed[0].paid && owed[0].autostart && !owed[0].early);
    ck_assert(owed[1].early && !owed[1].autostart);
    put(journal, &paid, 1);
    ck_assert_int_eq(journal->ops->owed(journal, &bench.arena, &owed, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(owed[0].uuid, UUID_B);
    journal_close(journal);
}
END_TEST

START_TEST(guest_has_one_retry_until_it_is_cleared)
{
    struct journal *journal = open_journal();
    struct journal_record record = {
        .kind = JOURNAL_RETRY,
        .retry = { .guest = "vm1",
                   .es_digest = DIGEST0,
                   .code = ERR_INCOMPATIBLE,
                   .attempts = 3,
                   .next_ms = INT64_MAX,
                   .reason = "CPU differs",
                   .observed_digest = DIGEST0,
                   .off_ms = BEGUN,
                   .outages = 4,
                   .failed_ms = BEGUN + 1 },
    };
    struct journal_retry *retries;
    struct err err;
    size_t count;

    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->retries(journal, &bench.arena, &retries, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(retries[0].guest, "vm1");
    ck_assert_str_eq(retries[0].es_digest, DIGEST0);
    ck_assert_int_eq(retries[0].code, ERR_INCOMPATIBLE);
    ck_assert_uint_eq(retries[0].attempts, 3);
    ck_assert_int_eq(retries[0].next_ms, INT64_MAX);
    ck_assert_str_eq(retries[0].reason, "CPU differs");
    ck_assert_str_eq(retries[0].observed_digest, DIGEST0);
    ck_assert_int_eq(retries[0].off_ms, BEGUN);
    ck_assert_uint_eq(retries[0].outages, 4);
    ck_assert_int_eq(retries[0].failed_ms, BEGUN + 1);
    record.retry.code = ERR_TIMEOUT;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->retries(journal, &bench.arena, &retries, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(retries[0].code, ERR_TIMEOUT);
    record.retry.cleared = true;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->retries(journal, &bench.arena, &retries, &count, &err), 0);
    ck_assert_uint_eq(count, 0);
    journal_close(journal);
}
END_TEST

static struct journal_record revision_record(const char *text, int64_t at_ms)
{
    struct journal_record record = { .kind = JOURNAL_REVISION, .revision = { .at_ms = at_ms } };

    (void)digest_of(text, strlen(text), record.revision.digest);
    return record;
}

START_TEST(revision_acted_on_again_becomes_the_newest)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { revision_record("a", 10), revision_record("b", 20),
                                        revision_record("c", 30), revision_record("a", 40) };
    struct journal_revision *revisions;
    struct err err;
    size_t count;

    put(journal, records, ARRAY_LEN(records));
    ck_assert_int_eq(journal->ops->revisions(journal, &bench.arena, 2, &revisions, &count, &err),
                     0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(revisions[0].digest, records[2].revision.digest);
    ck_assert_str_eq(revisions[1].digest, records[0].revision.digest);
    ck_assert_int_eq(revisions[1].at_ms, 40);
    journal_close(journal);
}
END_TEST

START_TEST(definition_of_a_guest_is_its_last_one)
{
    struct journal *journal = open_journal();
    struct journal_record old = object_record("<domain>1</domain>");
    struct journal_record new = object_record("<domain>2</domain>");
    struct journal_record records[] = {
        old,
        { .kind = JOURNAL_DEFINITION, .definition = { UUID_A, "vm1", "", 10, NULL } },
        new,
        { .kind = JOURNAL_DEFINITION, .definition = { UUID_A, "vm1", "", 20, "told" } },
    };
    struct journal_definition *definitions;
    struct err err;
    size_t count;
    char *bytes;

    memcpy(records[1].definition.digest, old.object.digest, DIGEST_TEXT_SIZE);
    memcpy(records[3].definition.digest, new.object.digest, DIGEST_TEXT_SIZE);
    put(journal, records, ARRAY_LEN(records));
    ck_assert_int_eq(journal->ops->definitions(journal, &bench.arena, &definitions, &count, &err),
                     0);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(definitions[0].uuid, UUID_A);
    ck_assert_str_eq(definitions[0].guest, "vm1");
    ck_assert_int_eq(definitions[0].at_ms, 20);
    ck_assert_str_eq(definitions[0].supplies, "told");
    ck_assert_int_eq(read_object(journal, definitions[0].digest, &bytes, &err), 0);
    ck_assert_str_eq(bytes, "<domain>2</domain>");
    journal_close(journal);
}
END_TEST

START_TEST(run_is_read_back_and_its_end_replaces_it)
{
    struct journal *journal = open_journal();
    struct journal_record record = {
        .kind = JOURNAL_RUN,
        .run = { .key = { 1, 4 }, .program = "berth apply", .user = "ann", .begun_ms = BEGUN },
    };
    struct journal_run *runs;
    struct err err;
    size_t count;

    put(journal, &record, 1);
    record.run.ended_ms = BEGUN + 5;
    record.run.exit_status = 4;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->runs(journal, &bench.arena, 0, &runs, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(runs[0].key.seq, 4);
    ck_assert_str_eq(runs[0].program, "berth apply");
    ck_assert_str_eq(runs[0].user, "ann");
    ck_assert_int_eq(runs[0].begun_ms, BEGUN);
    ck_assert_int_eq(runs[0].ended_ms, BEGUN + 5);
    ck_assert_int_eq(runs[0].exit_status, 4);
    journal_close(journal);
}
END_TEST

START_TEST(active_plan_is_the_newest_that_was_not_replaced)
{
    struct journal *journal = open_journal();
    struct journal_record record = {
        .kind = JOURNAL_PLAN,
        .plan = { .key = { 1, 5 },
                  .run = 4,
                  .es_digest = DIGEST0,
                  .policy_digest = DIGEST0,
                  .plan_digest = DIGEST0,
                  .at_ms = BEGUN },
    };
    struct journal_plan plan;
    struct err err;

    ck_assert_int_eq(journal->ops->active_plan(journal, &bench.arena, &plan, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->active_plan(journal, &bench.arena, &plan, &err), 0);
    ck_assert_uint_eq(plan.key.seq, 5);
    ck_assert_uint_eq(plan.run, 4);
    ck_assert_str_eq(plan.es_digest, DIGEST0);
    ck_assert_str_eq(plan.policy_digest, DIGEST0);
    ck_assert_str_eq(plan.plan_digest, DIGEST0);
    ck_assert_int_eq(plan.at_ms, BEGUN);
    record.plan.replaced_ms = BEGUN + 1;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->active_plan(journal, &bench.arena, &plan, &err), -1);
    journal_close(journal);
}
END_TEST

START_TEST(events_are_the_newest_of_one_guest_or_of_all_in_order)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { event_record(1, "vm1", "one"), event_record(2, NULL, "two"),
                                        event_record(3, "vm1", "three"),
                                        event_record(4, "vm1", "four") };
    struct journal_event *events;
    struct err err;
    size_t count;

    put(journal, records, ARRAY_LEN(records));
    ck_assert_int_eq(journal->ops->events(journal, &bench.arena, "vm1", 2, &events, &count, &err),
                     0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(events[0].text, "three");
    ck_assert_str_eq(events[1].text, "four");
    ck_assert_int_eq(journal->ops->events(journal, &bench.arena, NULL, 3, &events, &count, &err),
                     0);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(events[0].text, "two");
    ck_assert_str_eq(events[0].kind, "alarm");
    ck_assert_int_eq(events[0].at_ms, BEGUN);
    ck_assert_ptr_null(events[0].guest);
    ck_assert_ptr_null(events[0].host);
    journal_close(journal);
}
END_TEST

START_TEST(open_moves_are_listed_until_they_end_and_history_keeps_the_newest)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { move_record(3, "vm1"), move_record(1, "vm2"),
                                        move_record(2, "vm1") };
    struct journal_move *moves;
    size_t count;

    records[1].move.state = JOURNAL_MOVE_DONE;
    put(journal, records, ARRAY_LEN(records));
    moves = read_moves(journal, true, NULL, 0, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(moves[0].key.seq, 2);
    ck_assert_uint_eq(moves[1].key.seq, 3);
    moves = read_moves(journal, false, NULL, 2, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(moves[0].key.seq, 2);
    ck_assert_uint_eq(moves[1].key.seq, 3);
    moves = read_moves(journal, false, "vm2", 9, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(moves[0].key.seq, 1);
    (void)read_moves(journal, true, "vm2", 9, &count);
    ck_assert_uint_eq(count, 0);
    journal_close(journal);
}
END_TEST

START_TEST(next_seq_follows_the_greatest_of_the_current_epoch)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { move_record(5, "vm1"), event_record(9, NULL, "x") };

    ck_assert_uint_eq(read_next_seq(journal), 1);
    put(journal, records, ARRAY_LEN(records));
    ck_assert_uint_eq(read_next_seq(journal), 10);
    ck_assert_int_eq(put_as(journal, 2, NULL, 0).result, JOURNAL_COMMITTED);
    ck_assert_uint_eq(read_next_seq(journal), 1);
    journal_close(journal);
}
END_TEST

START_TEST(older_epoch_is_fenced_for_good)
{
    struct journal *journal = open_journal();
    struct journal_record record = move_record(1, "vm1");
    struct answer answer;

    ck_assert_int_eq(put_as(journal, 3, NULL, 0).result, JOURNAL_COMMITTED);
    journal_close(journal);
    journal = open_journal();
    answer = put_as(journal, 2, &record, 1);
    ck_assert_int_eq(answer.result, JOURNAL_FENCED);
    ck_assert_int_eq(answer.err.code, ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(answer.err.text, "epoch 3"));
    ck_assert_uint_eq(count_moves(journal), 0);
    ck_assert_int_eq(put_as(journal, 3, &record, 1).result, JOURNAL_COMMITTED);
    journal_close(journal);
}
END_TEST

START_TEST(record_that_cannot_be_kept_sinks_its_whole_batch)
{
    struct journal *journal = open_journal();
    struct journal_record good = move_record(1, "vm1");
    struct journal_record bad[] = { move_record(2, "no name"), move_record(2, "vm1"),
                                    move_record(2, "vm1"),     move_record(2, NULL),
                                    move_record(2, "vm1"),     move_record(2, "vm1") };
    static const char *const columns[] = { "'guest'", "'bytes'", "'begun_ms'",
                                           "'guest'", "'uuid'",  "'xml_digest'" };

    bad[1].move.bytes = (uint64_t)INT64_MAX + 1;
    bad[2].move.begun_ms = -1;
    bad[4].move.uuid = "1";
    bad[5].move.xml_digest[0] = 'x';
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct journal_record batch[] = { good, bad[i] };
        struct answer answer = put_as(journal, 1, batch, ARRAY_LEN(batch));

        ck_assert_int_eq(answer.result, JOURNAL_FAILED);
        ck_assert_int_eq(answer.err.code, ERR_INVALID);
        ck_assert_msg(strstr(answer.err.text, columns[i]) != NULL, "%s", answer.err.text);
        ck_assert_uint_eq(count_moves(journal), 0);
    }
    put(journal, &good, 1);
    journal_close(journal);
}
END_TEST

START_TEST(strings_and_bytes_may_go_after_submitting)
{
    struct journal *journal = open_journal();
    struct answer answer = { .stops = true };
    char guest[] = "vm1";
    char text[] = "<domain/>";
    char digest[DIGEST_TEXT_SIZE];
    struct journal_record records[] = { move_record(1, guest), object_record(text) };
    struct journal_batch batch = { .epoch = 1, .records = records, .count = ARRAY_LEN(records) };
    struct err err;
    char *bytes;
    size_t count;

    memcpy(digest, records[1].object.digest, sizeof(digest));
    journal_submit(journal, &batch, take_answer, &answer);
    memset(guest, 'x', 3);
    memset(text, 'x', strlen(text));
    memset(records, 0, sizeof(records));
    loop_run(bench.loop);
    ck_assert_int_eq(answer.result, JOURNAL_COMMITTED);
    ck_assert_str_eq(read_moves(journal, false, NULL, 0, &count)[0].guest, "vm1");
    ck_assert_int_eq(read_object(journal, digest, &bytes, &err), 0);
    ck_assert_str_eq(bytes, "<domain/>");
    journal_close(journal);
}
END_TEST

struct order {
    struct journal *journal;
    unsigned next;
};

struct place {
    struct order *order;
    unsigned number;
};

static void check_order(void *context, enum journal_result result, const struct err *err)
{
    struct place *place = context;
    struct order *order = place->order;

    (void)err;
    ck_assert_int_eq(result, JOURNAL_COMMITTED);
    ck_assert_uint_eq(place->number, order->next);
    if (++order->next == 10) {
        loop_stop(bench.loop);
    }
}

START_TEST(answers_come_in_the_order_of_submitting)
{
    struct order order = { .journal = open_journal() };
    struct place places[10];

    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        struct journal_record record = move_record(i + 1, "vm1");
        struct journal_batch batch = { .epoch = 1, .records = &record, .count = 1 };

        places[i] = (struct place){ &order, i };
        journal_submit(order.journal, &batch, check_order, &places[i]);
    }
    ck_assert_uint_eq(order.next, 0);
    loop_run(bench.loop);
    ck_assert_uint_eq(order.next, 10);
    ck_assert_uint_eq(count_moves(order.journal), 10);
    journal_close(order.journal);
}
END_TEST

static void submit_then_close(void *context, enum journal_result result, const struct err *err)
{
    struct order *order = context;
    struct journal_record record = move_record(2 + order->next, "vm1");
    struct journal_batch batch = { .epoch = 1, .records = &record, .count = 1 };

    (void)err;
    ck_assert_int_eq(result, JOURNAL_COMMITTED);
    order->next++;
    if (order->next < 3) {
        journal_submit(order->journal, &batch, submit_then_close, order);
    } else {
        journal_close(order->journal);
        loop_stop(bench.loop);
    }
}

START_TEST(callback_may_submit_and_close)
{
    struct order order = { .journal = open_journal() };
    struct journal_record record = move_record(1, "vm1");
    struct journal_batch batch = { .epoch = 1, .records = &record, .count = 1 };
    struct journal *journal;

    journal_submit(order.journal, &batch, submit_then_close, &order);
    loop_run(bench.loop);
    ck_assert_uint_eq(order.next, 3);
    journal = open_journal();
    ck_assert_uint_eq(count_moves(journal), 3);
    journal_close(journal);
}
END_TEST

static void stop_loop(void *context)
{
    (void)context;
    loop_stop(bench.loop);
}

START_TEST(closing_keeps_what_is_under_way_and_calls_nobody)
{
    struct journal *journal = open_journal();
    struct answer answers[5] = { 0 };

    for (uint64_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct journal_record record = move_record(i + 1, "vm1");
        struct journal_batch batch = { .epoch = 1, .records = &record, .count = 1 };

        journal_submit(journal, &batch, take_answer, &answers[i]);
    }
    journal_close(journal);
    loop_post(bench.loop, stop_loop, NULL);
    loop_run(bench.loop);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        ck_assert_uint_eq(answers[i].calls, 0);
    }
    journal = open_journal();
    ck_assert_uint_eq(count_moves(journal), ARRAY_LEN(answers));
    journal_close(journal);
}
END_TEST

START_TEST(second_controller_is_refused_with_the_pid_of_the_first)
{
    struct journal *journal = open_journal();
    struct err err = open_refused(ERR_BUSY);

    ck_assert_str_eq(err.text, text_format(&bench.arena, "state directory '%s' is in use by pid %d",
                                           bench.state_dir, (int)getpid()));
    ck_assert_int_eq(journal_holder(bench.state_dir), getpid());
    journal_close(journal);
    ck_assert_int_eq(journal_holder(bench.state_dir), 0);
    journal_close(open_journal());
}
END_TEST

/* What a forked child is told to do; it never returns into the test. */
static pid_t start_child(void (*work)(int pipe), int *from)
{
    int ends[2];
    pid_t pid;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)close(ends[0]);
        work(ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    *from = ends[0];
    return pid;
}

static void hold_the_lock(int pipe)
{
    struct loop *loop = loop_manual_new(BEGUN);
    struct err err;

    if (journal_open_inline(loop, bench.state_dir, &err) == NULL || write(pipe, "y", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        (void)pause();
    }
}

START_TEST(lock_vanishes_with_the_process_that_held_it)
{
    int from;
    char ready = 0;
    pid_t child = start_child(hold_the_lock, &from);
    struct err err;

    ck_assert_int_eq(read(from, &ready, 1), 1);
    ck_assert_int_eq(journal_holder(bench.state_dir), child);
    err = open_refused(ERR_BUSY);
    ck_assert_ptr_nonnull(
        strstr(err.text, text_format(&bench.arena, "in use by pid %d", (int)child)));
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    (void)close(from);
    ck_assert_int_eq(journal_holder(bench.state_dir), 0);
    journal_close(open_journal());
}
END_TEST

/* Says after each acknowledged batch how far it is: every batch is a move, its step and an object. */
static void write_without_end(int pipe)
{
    struct err err = { 0 };
    struct journal *journal;

    bench.loop = bench.threaded ? loop_uv_new() : loop_manual_new(BEGUN);
    journal = bench.threaded ? journal_open(bench.loop, bench.state_dir, &err)
                             : journal_open_inline(bench.loop, bench.state_dir, &err);
    if (journal == NULL) {
        _exit(1);
    }
    for (uint64_t seq = 1;; seq++) {
        char text[32];
        struct answer answer = { .stops = true };
        struct journal_record records[] = { move_record(seq, "vm1"), step_record(seq, 1), { 0 } };
        struct journal_batch batch = { .epoch = 1, .records = records, .count = 3 };

        (void)snprintf(text, sizeof(text), "<domain>%d</domain>", (int)seq);
        records[2] = object_record(text);
        memcpy(records[0].move.xml_digest, records[2].object.digest, DIGEST_TEXT_SIZE);
        journal_submit(journal, &batch, take_answer, &answer);
        loop_run(bench.loop);
        if (answer.result != JOURNAL_COMMITTED || write(pipe, &seq, sizeof(seq)) < 0) {
            _exit(1);
        }
    }
}

static void check_integrity(void)
{
    sqlite3 *db;
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_open(bench.database, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), "ok");
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
}

static void check_batches_are_whole(struct journal *journal, uint64_t acknowledged)
{
    size_t count;
    struct journal_move *moves = read_moves(journal, false, NULL, 0, &count);

    ck_assert_uint_ge(count, acknowledged);
    for (size_t i = 0; i < count; i++) {
        struct journal_step *steps;
        struct err err;
        size_t step_count;
        char *bytes;

        ck_assert_uint_eq(moves[i].key.seq, i + 1);
        ck_assert_int_eq(
            journal->ops->steps(journal, &bench.arena, moves[i].key, &steps, &step_count, &err), 0);
        ck_assert_uint_eq(step_count, 1);
        ck_assert_int_eq(read_object(journal, moves[i].xml_digest, &bytes, &err), 0);
    }
}

START_TEST(killed_writer_leaves_every_acknowledged_batch_whole)
{
    int from;
    pid_t child = start_child(write_without_end, &from);
    uint64_t acknowledged = 0;
    uint64_t last = 0;
    struct journal *journal;

    while (acknowledged < (uint64_t)(20 + 7 * _i)) {
        ck_assert_int_eq(read(from, &acknowledged, sizeof(acknowledged)), sizeof(acknowledged));
    }
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    while (read(from, &last, sizeof(last)) == sizeof(last)) {
        acknowledged = last;
    }
    (void)close(from);
    journal = journal_open_readonly(bench.state_dir, &(struct err){ 0 });
    ck_assert_ptr_nonnull(journal);
    check_batches_are_whole(journal, acknowledged);
    journal_close(journal);
    journal = open_journal();
    check_batches_are_whole(journal, acknowledged);
    journal_close(journal);
    check_integrity();
}
END_TEST

START_TEST(reader_sees_whole_batches_while_another_process_writes)
{
    int from;
    pid_t child = start_child(write_without_end, &from);
    uint64_t acknowledged = 0;
    struct journal *journal;

    ck_assert_int_eq(read(from, &acknowledged, sizeof(acknowledged)), sizeof(acknowledged));
    journal = journal_open_readonly(bench.state_dir, &(struct err){ 0 });
    ck_assert_ptr_nonnull(journal);
    while (acknowledged < 60) {
        if (acknowledged % 8 == 0) {
            check_batches_are_whole(journal, acknowledged);
        }
        ck_assert_int_eq(read(from, &acknowledged, sizeof(acknowledged)), sizeof(acknowledged));
    }
    check_batches_are_whole(journal, acknowledged);
    journal_close(journal);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    (void)close(from);
}
END_TEST

static size_t count_entries(void)
{
    DIR *folder = opendir(bench.state_dir);
    size_t count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

START_TEST(reading_where_nothing_was_journaled_creates_nothing)
{
    struct err err = read_refused(ERR_NOT_FOUND);

    ck_assert_ptr_nonnull(strstr(err.text, bench.database));
    ck_assert_int_eq(access(bench.state_dir, F_OK), -1);
    ck_assert_int_eq(mkdir(bench.state_dir, 0700), 0);
    (void)read_refused(ERR_NOT_FOUND);
    ck_assert_uint_eq(count_entries(), 2);
}
END_TEST

START_TEST(reading_changes_nothing_in_the_state_directory)
{
    struct journal *journal;
    size_t before;

    make_journal();
    ck_assert_int_eq(unlink(text_format(&bench.arena, "%s/lock", bench.state_dir)), 0);
    before = count_entries();
    journal = journal_open_readonly(bench.state_dir, &(struct err){ 0 });
    ck_assert_ptr_nonnull(journal);
    ck_assert_uint_eq(count_moves(journal), 1);
    ck_assert_uint_eq(count_entries(), before);
    journal_close(journal);
    ck_assert_uint_eq(count_entries(), before);
}
END_TEST

START_TEST(restored_copy_without_its_log_is_readable)
{
    struct journal *journal;
    size_t before;

    make_journal();
    ck_assert_int_eq(unlink(text_format(&bench.arena, "%s-wal", bench.database)), 0);
    ck_assert_int_eq(unlink(text_format(&bench.arena, "%s-shm", bench.database)), 0);
    before = count_entries();
    journal = journal_open_readonly(bench.state_dir, &(struct err){ 0 });
    ck_assert_ptr_nonnull(journal);
    ck_assert_uint_eq(count_moves(journal), 1);
    journal_close(journal);
    ck_assert_uint_eq(count_entries(), before);
    journal = open_journal();
    ck_assert_uint_eq(count_moves(journal), 1);
    journal_close(journal);
}
END_TEST

static int read_only_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)ftw;
    return chmod(path, type == FTW_DP ? 0555 : 0444);
}

/* As a user to whom read-only means something. */
static void count_moves_as_nobody(int pipe)
{
    struct err err = { 0 };
    struct journal *journal;
    char count;

    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
        _exit(1);
    }
    journal = journal_open_readonly(bench.state_dir, &err);
    count = journal == NULL ? 'x' : (char)('0' + count_moves(journal));
    _exit(write(pipe, &count, 1) == 1 ? 0 : 1);
}

START_TEST(read_only_directory_is_readable)
{
    char count = 0;
    int from;
    pid_t child;

    make_journal();
    ck_assert_int_eq(nftw(bench.folder, read_only_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    child = start_child(count_moves_as_nobody, &from);
    ck_assert_int_eq(read(from, &count, 1), 1);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    (void)close(from);
    (void)chmod(bench.folder, 0700);
    ck_assert_int_eq(count, '1');
}
END_TEST

START_TEST(journal_of_a_later_version_is_refused)
{
    make_journal();
    tamper("PRAGMA user_version = 99");
    ck_assert_ptr_nonnull(strstr(open_refused(ERR_REFUSED).text, "a later version of berth"));
    ck_assert_ptr_nonnull(strstr(read_refused(ERR_REFUSED).text, "use that version"));
    ck_assert_int_eq(journal_holder(bench.state_dir), 0);
}
END_TEST

START_TEST(database_of_another_program_is_refused_and_left_alone)
{
    ck_assert_int_eq(mkdir(bench.state_dir, 0700), 0);
    tamper("CREATE TABLE theirs (x); PRAGMA user_version = 1");
    ck_assert_ptr_nonnull(strstr(open_refused(ERR_REFUSED).text, "no journal of berth"));
    (void)read_refused(ERR_REFUSED);
    ck_assert_int_eq(access(text_format(&bench.arena, "%s-wal", bench.database), F_OK), -1);
}
END_TEST

START_TEST(file_that_was_created_and_never_filled_becomes_a_journal)
{
    ck_assert_int_eq(mkdir(bench.state_dir, 0700), 0);
    overwrite(bench.database, 0, "");
    (void)read_refused(ERR_NOT_FOUND);
    make_journal();
}
END_TEST

START_TEST(file_that_is_no_database_is_refused_by_name)
{
    struct err err;

    make_journal();
    overwrite(bench.database, 0, "Dear reader,    ");
    err = open_refused(ERR_INVALID);
    ck_assert_msg(strstr(err.text, bench.database) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "restore a copy") != NULL, "%s", err.text);
    (void)read_refused(ERR_INVALID);
}
END_TEST

START_TEST(damaged_page_is_found_when_the_journal_is_opened)
{
    struct err err;
    char noise[4000];

    make_journal();
    memset(noise, 'x', sizeof(noise) - 1);
    noise[sizeof(noise) - 1] = '\0';
    for (off_t page = 1; page < 30; page++) {
        overwrite(bench.database, page * 4096, noise);
    }
    err = open_refused(ERR_INVALID);
    ck_assert_msg(strstr(err.text, bench.database) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "restore a copy") != NULL, "%s", err.text);
}
END_TEST

START_TEST(row_that_cannot_be_ours_is_an_error_that_names_its_place)
{
    static const struct {
        const char *sql;
        const char *place;
    } cases[] = {
        { "UPDATE move SET mode = 'flying'", "table 'move', column 'mode': 'flying'" },
        { "UPDATE move SET state = 'OPEN'", "column 'state'" },
        { "UPDATE move SET original = ''", "column 'original'" },
        { "UPDATE move SET seq = -1", "column 'seq'" },
        { "UPDATE move SET detour = 2", "column 'detour'" },
        { "UPDATE move SET deadline_ms = 9223372036854775807", "column 'deadline_ms'" },
        { "UPDATE move SET guest = 'a' || char(27) || '[2J'", "column 'guest'" },
        { "UPDATE move SET guest = cast(x'610062' AS TEXT)", "column 'guest'" },
        { "UPDATE move SET uuid = 'x'", "column 'uuid'" },
        { "UPDATE move SET xml_digest = '../../etc/passwd'", "column 'xml_digest'" },
        { "UPDATE move SET error_text = printf('%.*c', 70000, 'x')", "column 'error_text'" },
    };
    struct journal *journal;
    struct journal_move *moves;
    struct err err = { 0 };
    size_t count;

    make_journal();
    tamper(cases[_i].sql);
    journal = open_journal();
    ck_assert_int_eq(
        journal->ops->moves(journal, &bench.arena, false, NULL, 0, &moves, &count, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_msg(strstr(err.text, cases[_i].place) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, bench.database) != NULL, "%s", err.text);
    journal_close(journal);
}
END_TEST

#define ROW_CASES 11

START_TEST(error_code_of_a_later_version_reads_as_internal)
{
    struct journal *journal;
    size_t count;

    make_journal();
    tamper("UPDATE move SET error = 'eclipse'");
    journal = open_journal();
    ck_assert_int_eq(read_moves(journal, false, NULL, 0, &count)[0].error, ERR_INTERNAL);
    journal_close(journal);
}
END_TEST

START_TEST(object_that_does_not_match_its_name_is_refused_and_can_be_written_again)
{
    struct journal *journal = open_journal();
    struct journal_record record = object_record("<domain/>");
    struct err err = { 0 };
    char *bytes;

    put(journal, &record, 1);
    overwrite(object_path(record.object.digest), 0, "<DOMAIN/>");
    ck_assert_int_eq(read_object(journal, record.object.digest, &bytes, &err), -1);
    ck_assert_int_eq(err.code, ERR_IO);
    ck_assert_msg(strstr(err.text, record.object.digest) != NULL, "%s", err.text);
    put(journal, &record, 1);
    ck_assert_int_eq(read_object(journal, record.object.digest, &bytes, &err), 0);
    ck_assert_str_eq(bytes, "<domain/>");
    journal_close(journal);
}
END_TEST

START_TEST(object_is_written_once)
{
    struct journal *journal = open_journal();
    struct journal_record record = object_record("<domain/>");
    struct stat first;
    struct stat second;

    put(journal, &record, 1);
    ck_assert_int_eq(stat(object_path(record.object.digest), &first), 0);
    put(journal, &record, 1);
    ck_assert_int_eq(stat(object_path(record.object.digest), &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
    journal_close(journal);
}
END_TEST

START_TEST(object_under_a_name_that_is_not_its_digest_is_refused)
{
    struct journal *journal = open_journal();
    struct journal_record record = object_record("<domain/>");
    struct err err = { 0 };
    char *bytes;

    memcpy(record.object.digest, DIGEST0, DIGEST_TEXT_SIZE);
    ck_assert_int_eq(put_as(journal, 1, &record, 1).result, JOURNAL_FAILED);
    ck_assert_int_eq(read_object(journal, DIGEST0, &bytes, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_int_eq(read_object(journal, "../lock", &bytes, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    journal_close(journal);
}
END_TEST

START_TEST(half_written_object_of_a_killed_writer_is_swept)
{
    const char *leftover;

    make_journal();
    leftover = object_path(DIGEST0 ".AbCdEf");
    overwrite(leftover, 0, "half");
    journal_close(open_journal());
    ck_assert_int_eq(access(leftover, F_OK), -1);
}
END_TEST

/* Fills the journal until it says no, and checks that exactly what it took is there. */
static uint64_t fill_until_refused(struct journal *journal, struct answer *answer)
{
    char *text = arena_alloc(&bench.arena, 4001, 1);
    uint64_t seq = 1;

    memset(text, 'x', 4000);
    for (; seq < 4000; seq++) {
        struct journal_record record = event_record(seq, "vm1", text);

        *answer = put_as(journal, 1, &record, 1);
        if (answer->result != JOURNAL_COMMITTED) {
            break;
        }
    }
    ck_assert_uint_lt(seq, 4000);
    ck_assert_uint_gt(seq, 1);
    ck_assert_uint_eq(read_next_seq(journal), seq);
    ck_assert_msg(strstr(answer->err.text, "cannot write the journal in") != NULL, "%s",
                  answer->err.text);
    return seq;
}

/* SIGXFSZ's default would end us; ignored, a write beyond the limit fails with EFBIG. */
START_TEST(file_that_may_not_grow_loses_nothing_and_recovers)
{
    struct journal *journal = open_journal();
    struct rlimit old;
    struct rlimit small;
    struct answer answer;
    struct journal_record record;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    uint64_t seq;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){ .rlim_cur = 1024 * 1024, .rlim_max = old.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    seq = fill_until_refused(journal, &answer);
    ck_assert(answer.result == JOURNAL_FAILED || answer.result == JOURNAL_UNKNOWN);
    ck_assert_int_eq(answer.err.code, ERR_IO);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    record = event_record(seq, "vm1", "again");
    put(journal, &record, 1);
    journal_close(journal);
    journal = open_journal();
    ck_assert_uint_eq(read_next_seq(journal), seq + 1);
    journal_close(journal);
    check_integrity();
}
END_TEST

static void fill_small_disk(int pipe)
{
    struct journal *journal;
    struct journal_record record;
    struct answer answer;
    char *reserve = text_format(&bench.arena, "%s/reserve", bench.folder);
    uint64_t seq;

    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", bench.folder, "tmpfs", 0, "size=2m,mode=0700") != 0) {
        (void)!write(pipe, "m", 1);
        _exit(0);
    }
    bench.loop = bench.threaded ? loop_uv_new() : loop_manual_new(BEGUN);
    overwrite(reserve, 0, "");
    journal = open_journal();
    ck_assert_int_eq(posix_fallocate(open(reserve, O_WRONLY), 0, 512 * 1024), 0);
    seq = fill_until_refused(journal, &answer);
    ck_assert_int_eq(answer.result, JOURNAL_FAILED);
    ck_assert_int_eq(answer.err.code, ERR_IO);
    ck_assert_msg(strstr(answer.err.text, "database or disk is full") != NULL, "%s",
                  answer.err.text);
    ck_assert_int_eq(truncate(reserve, 0), 0);
    record = event_record(seq, "vm1", "again");
    put(journal, &record, 1);
    journal_close(journal);
    journal = open_journal();
    ck_assert_uint_eq(read_next_seq(journal), seq + 1);
    journal_close(journal);
    check_integrity();
    (void)!write(pipe, "y", 1);
}

START_TEST(full_disk_loses_nothing_and_room_makes_it_work_again)
{
    char result = 'n';
    int from;
    pid_t child = start_child(fill_small_disk, &from);

    (void)!read(from, &result, 1);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    (void)close(from);
    if (result == 'm') {
        (void)fprintf(stderr, "full disk: cannot mount a tmpfs here; only the file size limit of "
                              "the test before was proven\n");
        return;
    }
    ck_assert_int_eq(result, 'y');
}
END_TEST

/* A file system whose fsync of the log fails while 'breaks' is set: a shim over SQLite's own. */
struct shim {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    sqlite3_io_methods methods;
    const sqlite3_io_methods *real_methods;
    bool breaks;
};

static struct shim shim;

static int shim_sync(sqlite3_file *file, int flags)
{
    return shim.breaks ? SQLITE_IOERR_FSYNC : shim.real_methods->xSync(file, flags);
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    int status = shim.real->xOpen(shim.real, name, file, flags, out_flags);

    (void)vfs;
    if (status == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        shim.real_methods = file->pMethods;
        shim.methods = *file->pMethods;
        shim.methods.xSync = shim_sync;
        file->pMethods = &shim.methods;
    }
    return status;
}

START_TEST(commit_whose_sync_fails_is_unknown_and_can_be_put_again)
{
    struct journal_record record = move_record(1, "vm1");
    struct journal *journal;
    struct answer answer;

    shim = (struct shim){ .real = sqlite3_vfs_find(NULL) };
    shim.vfs = *shim.real;
    shim.vfs.zName = "shim";
    shim.vfs.xOpen = shim_open;
    ck_assert_int_eq(sqlite3_vfs_register(&shim.vfs, 1), SQLITE_OK);
    journal = open_journal();
    shim.breaks = true;
    answer = put_as(journal, 1, &record, 1);
    ck_assert_int_eq(answer.result, JOURNAL_UNKNOWN);
    ck_assert_int_eq(answer.err.code, ERR_IO);
    ck_assert_msg(strstr(answer.err.text, bench.database) != NULL, "%s", answer.err.text);
    shim.breaks = false;
    put(journal, &record, 1);
    ck_assert_uint_eq(count_moves(journal), 1);
    journal_close(journal);
    (void)sqlite3_vfs_unregister(&shim.vfs);
    check_integrity();
}
END_TEST

START_TEST(journal_of_every_version_opens_and_says_what_it_said)
{
    const int version = _i;
    const char *source = getenv("BERTH_SOURCE_DIR");
    char *sql;
    size_t length;
    size_t count;
    struct err err;
    struct journal *journal;
    struct journal_move *moves;
    struct journal_owed *owed;
    struct journal_retry *retries;
    struct journal_leftover *left;
    struct journal_place *sightings;
    struct journal_move expected = full_move_of(version);

    ck_assert_msg(source != NULL, "BERTH_SOURCE_DIR is not set: run by ctest, or set it");
    ck_assert_int_eq(
        file_read(&bench.arena,
                  text_format(&bench.arena, "%s/tests/journal/v%d.sql", source, version),
                  1024 * 1024, &sql, &length, &err),
        0);
    ck_assert_int_eq(mkdir(bench.state_dir, 0700), 0);
    tamper(sql);
    journal = open_journal();
    moves = read_moves(journal, false, NULL, 0, &count);
    ck_assert_uint_eq(count, 2);
    check_move(&moves[0], &expected);
    ck_assert_int_eq(moves[1].state, JOURNAL_MOVE_OPEN);
    ck_assert_int_eq(journal->ops->owed(journal, &bench.arena, &owed, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(owed[0].guest, "vm1.example.com");
    ck_assert(owed[0].autostart == (version > 2) && owed[0].early == (version > 2));
    ck_assert_int_eq(journal->ops->retries(journal, &bench.arena, &retries, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert(retries[0].overran == (version > 3));
    ck_assert_int_eq(retries[0].off_ms, version > 5 ? 1764000005000 : retries[0].next_ms);
    ck_assert_uint_eq(retries[0].outages, version > 5 ? 2 : 0);
    ck_assert_int_eq(retries[0].failed_ms, version > 5 ? 1764000002000 : 0);
    ck_assert_int_eq(journal->ops->leftovers(journal, &bench.arena, &left, &count, &err), 0);
    ck_assert_uint_eq(count, version > 4 ? 1 : 0);
    ck_assert_uint_eq(count == 0 ? 0 : left[0].key.seq, version > 5 ? 7 : 0);
    ck_assert_int_eq(journal->ops->sightings(journal, &bench.arena, &sightings, &count, &err), 0);
    ck_assert_uint_eq(count, version > 5 ? 1 : 0);
    ck_assert_uint_eq(read_next_seq(journal), 13);
    journal_close(journal);
    check_integrity();
}
END_TEST

static struct journal_record hold_record(enum journal_scope scope, const char *name, bool released)
{
    return (struct journal_record){
        .kind = JOURNAL_HOLD,
        .hold = { .scope = scope,
                  .name = name,
                  .user = "alice",
                  .reason = "disk change",
                  .since_ms = BEGUN,
                  .released = released },
    };
}

START_TEST(hold_is_listed_until_it_is_released)
{
    struct journal *journal = open_journal();
    struct journal_record records[] = { hold_record(JOURNAL_SCOPE_GUEST, "vm1", false),
                                        hold_record(JOURNAL_SCOPE_HOST, "kvm1", false),
                                        hold_record(JOURNAL_SCOPE_FLEET, "", false) };
    struct journal_record released = hold_record(JOURNAL_SCOPE_HOST, "kvm1", true);
    struct journal_hold *holds;
    size_t count;
    struct err err;

    put(journal, records, ARRAY_LEN(records));
    put(journal, &released, 1);
    ck_assert_int_eq(journal->ops->holds(journal, &bench.arena, &holds, &count, &err), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(holds[0].scope, JOURNAL_SCOPE_FLEET);
    ck_assert_int_eq(holds[1].scope, JOURNAL_SCOPE_GUEST);
    ck_assert_str_eq(holds[1].name, "vm1");
    ck_assert_str_eq(holds[1].user, "alice");
    ck_assert_str_eq(holds[1].reason, "disk change");
    ck_assert_int_eq(holds[1].since_ms, BEGUN);
    journal_close(journal);
}
END_TEST

START_TEST(last_place_of_a_guest_is_listed_until_it_is_forgotten)
{
    struct journal *journal = open_journal();
    struct journal_record record = {
        .kind = JOURNAL_PLACE,
        .place = { .guest = "vm1", .uuid = UUID_A, .host = "kvm1", .at_ms = BEGUN },
    };
    struct journal_place *places;
    size_t count;
    struct err err;

    put(journal, &record, 1);
    record.place.host = "kvm2";
    record.place.running = true;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->places(journal, &bench.arena, &places, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(places[0].host, "kvm2");
    ck_assert_str_eq(places[0].uuid, UUID_A);
    ck_assert(places[0].running);
    ck_assert(!places[0].autostart && !places[0].guarded);
    record.place.autostart = true;
    record.place.guarded = true;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->places(journal, &bench.arena, &places, &count, &err), 0);
    ck_assert(places[0].autostart && places[0].guarded);
    record.place.forgotten = true;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->places(journal, &bench.arena, &places, &count, &err), 0);
    ck_assert_uint_eq(count, 0);
    journal_close(journal);
}
END_TEST

START_TEST(sighting_of_a_guest_is_listed_beside_its_place_until_it_is_forgotten)
{
    struct journal *journal = open_journal();
    struct journal_record record = {
        .kind = JOURNAL_SIGHTING,
        .sighting = { .guest = "vm1",
                      .uuid = UUID_A,
                      .host = "kvm2",
                      .running = true,
                      .at_ms = BEGUN,
                      .autostart = true,
                      .guarded = true },
    };
    struct journal_record place = {
        .kind = JOURNAL_PLACE,
        .place = { .guest = "vm1", .uuid = UUID_A, .host = "kvm1", .at_ms = BEGUN },
    };
    struct journal_place *sightings;
    size_t count;
    struct err err;

    put(journal, &place, 1);
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->sightings(journal, &bench.arena, &sightings, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(sightings[0].host, "kvm2");
    ck_assert(sightings[0].running && sightings[0].autostart && sightings[0].guarded);
    record.sighting.forgotten = true;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->sightings(journal, &bench.arena, &sightings, &count, &err), 0);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(journal->ops->places(journal, &bench.arena, &sightings, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    journal_close(journal);
}
END_TEST

START_TEST(attestation_is_listed_until_it_is_used_or_withdrawn)
{
    struct journal *journal = open_journal();
    struct journal_record record = {
        .kind = JOURNAL_ATTEST,
        .attest = { .key = { 1, 7 }, .host = "kvm1", .user = "alice", .at_ms = BEGUN },
    };
    struct journal_attest *attests;
    size_t count;
    struct err err;

    put(journal, &record, 1);
    record.attest.key.seq = 8;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->attests(journal, &bench.arena, &attests, &count, &err), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(attests[0].key.seq, 7);
    ck_assert_str_eq(attests[0].host, "kvm1");
    ck_assert_str_eq(attests[0].user, "alice");
    ck_assert_int_eq(attests[0].at_ms, BEGUN);
    record.attest.withdrawn = true;
    put(journal, &record, 1);
    record.attest.key.seq = 7;
    record.attest.withdrawn = false;
    record.attest.used = true;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->attests(journal, &bench.arena, &attests, &count, &err), 0);
    ck_assert_uint_eq(count, 0);
    journal_close(journal);
}
END_TEST

START_TEST(leftover_is_listed_until_it_is_cleared)
{
    struct journal *journal = open_journal();
    struct journal_record record = {
        .kind = JOURNAL_LEFTOVER,
        .leftover = { .uuid = UUID_A,
                      .host = "kvm2",
                      .guest = "vm1",
                      .to = "kvm3",
                      .since_ms = BEGUN,
                      .key = { 1, 7 } },
    };
    struct journal_leftover *leftovers;
    size_t count;
    struct err err;

    for (unsigned i = 0; i < JOURNAL_PROTECTION_COUNT; i++) {
        record.leftover.protection = (enum journal_protection)i;
        put(journal, &record, 1);
        ck_assert_int_eq(journal->ops->leftovers(journal, &bench.arena, &leftovers, &count, &err),
                         0);
        ck_assert_uint_eq(count, 1);
        ck_assert_int_eq(leftovers[0].protection, i);
    }
    record.leftover.host = "kvm1";
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->leftovers(journal, &bench.arena, &leftovers, &count, &err), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(leftovers[0].host, "kvm1");
    ck_assert_str_eq(leftovers[1].guest, "vm1");
    ck_assert_str_eq(leftovers[1].to, "kvm3");
    ck_assert(leftovers[1].key.epoch == 1 && leftovers[1].key.seq == 7);
    record.leftover.cleared = true;
    put(journal, &record, 1);
    ck_assert_int_eq(journal->ops->leftovers(journal, &bench.arena, &leftovers, &count, &err), 0);
    ck_assert_uint_eq(count, 1);
    journal_close(journal);
}
END_TEST

START_TEST(only_a_move_that_is_done_and_changed_the_host_has_arrived)
{
    struct journal_move move = { .from = "kvm1", .to = "kvm2", .mode = MOVE_LIVE };

    for (enum journal_move_state i = 0; i < JOURNAL_MOVE_STATE_COUNT; i++) {
        move.state = i;
        ck_assert_int_eq(journal_move_has_arrived(&move), i == JOURNAL_MOVE_DONE);
    }
    move.state = JOURNAL_MOVE_DONE;
    move.mode = MOVE_STOP;
    ck_assert(!journal_move_has_arrived(&move));
    move.mode = MOVE_OFFLINE;
    ck_assert(journal_move_has_arrived(&move));
    move.to = "kvm1";
    ck_assert(!journal_move_has_arrived(&move));
}
END_TEST

START_TEST(names_of_states_lead_back_to_them)
{
    for (enum journal_move_state i = 0; i < JOURNAL_MOVE_STATE_COUNT; i++) {
        ck_assert_int_eq(journal_move_state_from_name(journal_move_state_name(i)), i);
    }
    for (enum journal_step_state i = 0; i < JOURNAL_STEP_STATE_COUNT; i++) {
        ck_assert_int_eq(journal_step_state_from_name(journal_step_state_name(i)), i);
    }
    for (enum journal_scope i = 0; i < JOURNAL_SCOPE_COUNT; i++) {
        ck_assert_int_eq(journal_scope_from_name(journal_scope_name(i)), i);
    }
    ck_assert_int_eq(journal_scope_from_name("x"), JOURNAL_SCOPE_COUNT);
    ck_assert_int_eq(journal_move_state_from_name("x"), JOURNAL_MOVE_STATE_COUNT);
    ck_assert_int_eq(journal_step_state_from_name("x"), JOURNAL_STEP_STATE_COUNT);
}
END_TEST

/* What both ways of committing promise. */
static TCase *promises(const char *name, void (*set_up)(void))
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, state_directory_is_for_its_owner_only_whatever_the_umask);
    tcase_add_test(tcase,
                   many_objects_of_a_batch_are_synced_at_once_before_anything_refers_to_them);
    tcase_add_test(tcase, batch_whose_objects_cannot_be_synced_is_not_kept);
    tcase_add_test(tcase, every_member_of_a_move_is_read_back);
    tcase_add_test(tcase, older_epoch_is_fenced_for_good);
    tcase_add_test(tcase, record_that_cannot_be_kept_sinks_its_whole_batch);
    tcase_add_test(tcase, strings_and_bytes_may_go_after_submitting);
    tcase_add_test(tcase, answers_come_in_the_order_of_submitting);
    tcase_add_test(tcase, callback_may_submit_and_close);
    tcase_add_test(tcase, closing_keeps_what_is_under_way_and_calls_nobody);
    tcase_add_test(tcase, second_controller_is_refused_with_the_pid_of_the_first);
    tcase_add_loop_test(tcase, killed_writer_leaves_every_acknowledged_batch_whole, 0, 3);
    tcase_add_test(tcase, reader_sees_whole_batches_while_another_process_writes);
    tcase_add_test(tcase, file_that_may_not_grow_loses_nothing_and_recovers);
    tcase_add_test(tcase, full_disk_loses_nothing_and_room_makes_it_work_again);
    tcase_add_test(tcase, commit_whose_sync_fails_is_unknown_and_can_be_put_again);
    return tcase;
}

static TCase *records(void)
{
    TCase *tcase = tcase_create("records");

    tcase_add_checked_fixture(tcase, set_up_inline, tear_down);
    tcase_add_test(tcase, every_member_of_a_step_is_read_back);
    tcase_add_test(tcase, owed_start_is_listed_until_it_is_paid);
    tcase_add_test(tcase, hold_is_listed_until_it_is_released);
    tcase_add_test(tcase, last_place_of_a_guest_is_listed_until_it_is_forgotten);
    tcase_add_test(tcase, attestation_is_listed_until_it_is_used_or_withdrawn);
    tcase_add_test(tcase, leftover_is_listed_until_it_is_cleared);
    tcase_add_test(tcase, sighting_of_a_guest_is_listed_beside_its_place_until_it_is_forgotten);
    tcase_add_test(tcase, guest_has_one_retry_until_it_is_cleared);
    tcase_add_test(tcase, revision_acted_on_again_becomes_the_newest);
    tcase_add_test(tcase, definition_of_a_guest_is_its_last_one);
    tcase_add_test(tcase, run_is_read_back_and_its_end_replaces_it);
    tcase_add_test(tcase, active_plan_is_the_newest_that_was_not_replaced);
    tcase_add_test(tcase, events_are_the_newest_of_one_guest_or_of_all_in_order);
    tcase_add_test(tcase, open_moves_are_listed_until_they_end_and_history_keeps_the_newest);
    tcase_add_test(tcase, next_seq_follows_the_greatest_of_the_current_epoch);
    tcase_add_loop_test(tcase, row_that_cannot_be_ours_is_an_error_that_names_its_place, 0,
                        ROW_CASES);
    tcase_add_test(tcase, error_code_of_a_later_version_reads_as_internal);
    tcase_add_test(tcase, object_that_does_not_match_its_name_is_refused_and_can_be_written_again);
    tcase_add_test(tcase, object_is_written_once);
    tcase_add_test(tcase, object_under_a_name_that_is_not_its_digest_is_refused);
    tcase_add_test(tcase, half_written_object_of_a_killed_writer_is_swept);
    tcase_add_test(tcase, only_a_move_that_is_done_and_changed_the_host_has_arrived);
    tcase_add_test(tcase, names_of_states_lead_back_to_them);
    return tcase;
}

static TCase *files(void)
{
    TCase *tcase = tcase_create("files");

    tcase_add_checked_fixture(tcase, set_up_inline, tear_down);
    tcase_add_test(tcase, state_directory_that_others_can_write_to_is_refused);
    tcase_add_test(tcase, file_in_place_of_the_state_directory_is_refused);
    tcase_add_test(tcase, lock_vanishes_with_the_process_that_held_it);
    tcase_add_test(tcase, reading_where_nothing_was_journaled_creates_nothing);
    tcase_add_test(tcase, reading_changes_nothing_in_the_state_directory);
    tcase_add_test(tcase, restored_copy_without_its_log_is_readable);
    tcase_add_test(tcase, read_only_directory_is_readable);
    tcase_add_test(tcase, journal_of_a_later_version_is_refused);
    tcase_add_test(tcase, database_of_another_program_is_refused_and_left_alone);
    tcase_add_test(tcase, file_that_was_created_and_never_filled_becomes_a_journal);
    tcase_add_test(tcase, file_that_is_no_database_is_refused_by_name);
    tcase_add_test(tcase, damaged_page_is_found_when_the_journal_is_opened);
    tcase_add_loop_test(tcase, journal_of_every_version_opens_and_says_what_it_said, 1, 7);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("journal");

    suite_add_tcase(suite, promises("threaded", set_up_threaded));
    suite_add_tcase(suite, promises("inline", set_up_inline));
    suite_add_tcase(suite, records());
    suite_add_tcase(suite, files());
    return runner_run(suite);
}
