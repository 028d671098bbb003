/* SPDX-License-Identifier: Apache-2.0 */

/* A year of edits and moves: once the journal holds as much as it is to keep, it does not grow any more, on
 * the disk neither. */

#include <check.h>
#include <dirent.h>
#include <sys/stat.h>

#include "base/base.h"
#include "base/loop.h"
#include "base/text.h"
#include "life.h"
#include "tests/runner.h"
#include "world.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define KEPT    15 /* Days. */

static const struct world_guest there[] = {
    { "vm1", "kvm1", "kvm2", "running", 64, true, false, NULL },
};
static const struct world_guest here[] = {
    { "vm1", "kvm1", "kvm1", "running", 64, true, false, NULL },
};

static struct world world;
static struct life *living;
static struct loop_timer timer;
static const char *files[2];
static size_t saves;

/* The file of the day: another text each time, so that each is a revision. */
static void save(void *context)
{
    (void)context;
    world.es_xml = text_format(&world.arena, "%s<!-- %zu -->\n", files[saves % 2], saves);
    saves++;
    life_notice_save(living);
    loop_timer_start(living->loop, &timer, 12 * HOUR_MS, save, NULL);
}

static void on_began(void *context, struct life *life)
{
    (void)context;
    living = life;
    timer = (struct loop_timer){ 0 }; /* The loop of the life before is gone. */
    loop_timer_start(life->loop, &timer, HOUR_MS, save, NULL);
}

static int64_t bytes_of(const char *name)
{
    struct stat status;

    ck_assert_int_eq(stat(text_format(&world.arena, "%s/%s", world.state_dir, name), &status), 0);
    return status.st_size;
}

static int64_t count_objects(void)
{
    DIR *folder = opendir(text_format(&world.arena, "%s/objects", world.state_dir));
    int64_t count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

static void follow(int64_t days)
{
    world.follow_ms = days * DAY_MS;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert(!world.killed);
    ck_assert_ptr_nonnull(world_runs_on(&world, "vm1"));
    ck_assert_uint_eq(world_open_moves(&world), 0);
}

START_TEST(a_year_of_moves_takes_no_more_room_than_the_part_of_it_that_is_kept)
{
    static const struct life_hooks hooks = { .began = on_began };
    struct journal_move *moves;
    int64_t objects;
    int64_t bytes;
    size_t count;

    world_init(&world, 1024, there, 1, "");
    files[0] = world.es_xml;
    world_want(&world, here, 1);
    files[1] = world.es_xml;
    world.hooks = &hooks;
    world.config.poll_ms = 6 * HOUR_MS;
    world.config.history_days = KEPT;
    follow(3 * KEPT);
    count = world_moves(&world, &moves);
    ck_assert_uint_ge(count, 2 * KEPT);
    ck_assert_uint_le(count, 2 * KEPT + 12);
    objects = count_objects();
    bytes = bytes_of("journal.db");
    follow(365 - 3 * KEPT);
    ck_assert_uint_gt(saves, 700);
    count = world_moves(&world, &moves);
    ck_assert_uint_ge(count, 2 * KEPT);
    ck_assert_uint_le(count, 2 * KEPT + 12);
    ck_assert_int_le(count_objects(), objects + objects / 4);
    ck_assert_int_le(bytes_of("journal.db"), bytes + bytes / 4);
    ck_assert_uint_le(world_revisions(&world), 2 * KEPT + 12);
    world_deinit(&world);
}
END_TEST

START_TEST(runs_that_end_at_once_prune_too_each_another_part)
{
    struct journal_move *moves;

    world_init(&world, 1024, there, 1, "");
    files[0] = world.es_xml;
    world_want(&world, here, 1);
    files[1] = world.es_xml;
    world.config.history_days = KEPT;
    for (size_t day = 0; day < 6 * KEPT; day++) {
        world.es_xml = files[day % 2];
        world_live(&world, WORLD_KILL_NEVER, 0);
        world_wait(&world, DAY_MS);
    }
    ck_assert_uint_ge(world_moves(&world, &moves), KEPT);
    ck_assert_uint_le(world_moves(&world, &moves), 2 * KEPT);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history");
    TCase *tcase = tcase_create("history");
    int status;

    tcase_add_test(tcase, a_year_of_moves_takes_no_more_room_than_the_part_of_it_that_is_kept);
    tcase_add_test(tcase, runs_that_end_at_once_prune_too_each_another_part);
    tcase_set_timeout(tcase, 300);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
