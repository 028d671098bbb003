/* SPDX-License-Identifier: Apache-2.0 */

/* A day in the life of one controller: hundreds of edits, faulty saves, guests moved and stopped behind its
 * back, hosts that fall silent, people who hold and release.  What it holds in memory and in open files does
 * not grow. */

#include <check.h>
#include <dirent.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdint.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/loop.h"
#include "base/text.h"
#include "life.h"
#include "model/observed.h"
#include "reconciler/event.h"
#include "reconciler/order.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"
#include "world.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define HOSTS     4
#define GUESTS    8
#define FILES     16
#define QUARTERS  4

/* What chance makes of the peaks of two quarters: a few blocks of an arena. */
#define NOISE_BYTES (INT64_C(1024) * 1024)

/* SQLite's cache grows with the journal, up to 2 MiB by its default, and has a few tables of its own. */
#define SQLITE_BYTES_MAX (INT64_C(3) * 1024 * 1024)

static const char *const host_names[HOSTS] = { "kvm1", "kvm2", "kvm3", "kvm4" };
static const char *const guest_names[GUESTS] = { "vm1", "vm2", "vm3", "vm4",
                                                 "vm5", "vm6", "vm7", "vm8" };

struct day {
    struct world world;
    struct life *life;
    struct loop_timer timer;
    struct dice dice;
    const char *files[FILES]; /* Made before the day: what the test holds does not grow either. */
    const char *faulty;
    size_t passes;
    size_t drifts;
    size_t moves;
    int64_t heap[QUARTERS]; /* The most bytes in use in each quarter of the day, SQLite's aside. */
    int64_t descriptors[QUARTERS];
};

static struct day day;

/* The same day everywhere. */
static size_t roll(size_t sides)
{
    return (size_t)dice_roll(&day.dice, sides);
}

static int64_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

static void raise_to(int64_t *most, int64_t value)
{
    *most = value > *most ? value : *most;
}

/* Sanitizers allocate by themselves: of them mallinfo2() knows nothing, and they look for leaks in their own
 * way. */
static void measure(void)
{
    int64_t quarter = loop_now_ms(day.life->loop) * QUARTERS / DAY_MS;
    struct mallinfo2 heap = mallinfo2();
    int64_t sqlite = sqlite3_memory_used();

    if (quarter < QUARTERS) {
        raise_to(&day.heap[quarter], (int64_t)(heap.uordblks + heap.hblkhd) - sqlite);
        raise_to(&day.descriptors[quarter], count_descriptors());
    }
    ck_assert_int_le(sqlite, SQLITE_BYTES_MAX);
}

/* As somebody's virsh does it. */
static void move_by_hand(void *context, struct sim_fleet *fleet)
{
    struct sim_host *from = &fleet->hosts[roll(HOSTS)];
    struct sim_host *to = &fleet->hosts[roll(HOSTS)];
    struct sim_guest *guest = &from->guests[0];

    (void)context;
    if (from != to && from->guest_count > 0 &&
        sim_fleet_find_migration(fleet, guest->uuid, NULL, NULL) == NULL) {
        sim_fleet_add_guest(fleet, to, guest);
        sim_fleet_remove_guest(fleet, from, guest);
        fleet->changed = true;
    }
}

static void restart_host(void *context, struct sim_fleet *fleet)
{
    struct sim_host *host = &fleet->hosts[roll(HOSTS)];

    (void)context;
    host->power = SIM_POWER_ON;
    for (size_t i = 0; i < host->guest_count; i++) {
        if (host->guests[i].state == GUEST_RUNNING &&
            sim_fleet_find_migration(fleet, host->guests[i].uuid, NULL, NULL) == NULL) {
            sim_fleet_set_state(fleet, &host->guests[i], GUEST_SHUTOFF, GUEST_REASON_UNKNOWN);
        }
    }
    fleet->changed = true;
}

static void freeze_or_thaw(void *context, struct sim_fleet *fleet)
{
    struct sim_host *host = &fleet->hosts[roll(HOSTS)];

    (void)context;
    host->power = host->power == SIM_POWER_ON ? SIM_POWER_FROZEN : SIM_POWER_ON;
    fleet->changed = true;
}

static void give_order(void)
{
    enum order_verb verb = roll(3) == 0 ? ORDER_HOLD : ORDER_RELEASE;

    life_order(day.life, verb, guest_names[roll(GUESTS)]);
}

static void save(const char *es_xml)
{
    day.world.es_xml = es_xml;
    life_notice_save(day.life);
}

static void meddle(void *context)
{
    size_t what = roll(20);

    if (day.life->over) {
        return;
    }
    if (what < 12) {
        save(day.files[roll(FILES)]);
    } else if (what == 12) {
        save(roll(2) == 0 ? day.faulty : NULL);
    } else if (what < 16) {
        life_edit(day.life, move_by_hand, NULL);
    } else if (what == 16) {
        life_edit(day.life, restart_host, NULL);
    } else if (what == 17) {
        life_edit(day.life, freeze_or_thaw, NULL);
    } else {
        give_order();
    }
    loop_timer_start(day.life->loop, &day.timer, (int64_t)roll(4 * MINUTE_MS), meddle, context);
}

static void begin(void *context, struct life *life)
{
    day.life = life;
    loop_timer_start(life->loop, &day.timer, MINUTE_MS, meddle, context);
}

static void count(void *context, const struct event *event)
{
    (void)context;
    day.passes += event->kind == EVENT_PASS;
    day.drifts += event->kind == EVENT_DRIFT;
    day.moves += event->kind == EVENT_MOVE_END && event->move->state == JOURNAL_MOVE_DONE;
    if (event->kind == EVENT_PASS) {
        measure();
    }
}

static void prepare(struct world_guest guests[GUESTS])
{
    for (size_t i = 0; i < GUESTS; i++) {
        guests[i] = (struct world_guest){ .name = guest_names[i],
                                          .host = host_names[i % HOSTS],
                                          .wanted = host_names[i % HOSTS],
                                          .state = "running",
                                          .memory_mib = 64 };
    }
    world_init_hosts(&day.world, (const unsigned[HOSTS]){ 1024, 1024, 1024, 1024 }, HOSTS, guests,
                     GUESTS, "{\"op\":\"migrate\",\"error\":\"timeout\",\"times\":50}");
    for (size_t f = 0; f < FILES; f++) {
        for (size_t i = 0; i < GUESTS; i++) {
            guests[i].wanted = host_names[roll(HOSTS)];
        }
        world_want(&day.world, guests, GUESTS);
        day.files[f] = day.world.es_xml;
    }
    day.faulty = text_format(&day.world.arena, "%.300s", day.world.es_xml);
}

START_TEST(day_of_edits_ends_with_no_more_memory_and_files_in_use_than_it_began_with)
{
    static const struct life_hooks hooks = { .began = begin, .told = count };
    struct world_guest guests[GUESTS];

    prepare(guests);
    day.world.config.drift[CONFIG_DRIFT_HOST_RESTART] = CONFIG_DRIFT_CORRECT;
    day.world.hooks = &hooks;
    day.world.follow_ms = DAY_MS;
    world_live(&day.world, WORLD_KILL_NEVER, 0);
    ck_assert_uint_gt(day.passes, 1440); /* More than the polls alone. */
    ck_assert_uint_gt(day.moves, 500);
    ck_assert_uint_gt(day.drifts, 50);
    for (int i = 0; i < QUARTERS; i++) {
    }
    ck_assert_int_le(day.heap[QUARTERS - 1], day.heap[1] + NOISE_BYTES);
    ck_assert_int_eq(day.descriptors[QUARTERS - 1], day.descriptors[0]);
    world_deinit(&day.world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("day");
    TCase *tcase = tcase_create("day");
    int status;

    world_set_up();
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase,
                   day_of_edits_ends_with_no_more_memory_and_files_in_use_than_it_began_with);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
