/* SPDX-License-Identifier: Apache-2.0 */

/* Somebody asks a controller that follows the file how things stand, between any two of its steps: what it
 * found stays true until it has found something else, whatever it is asked to do meanwhile. */

#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "life.h"
#include "reconciler/reconciler.h"
#include "reconciler/status.h"
#include "tests/runner.h"
#include "world.h"

/* Somebody gives orders in a row, faster than a look is over. */
#define ORDER_EVERY_MS 40
#define LOOK_MS        "{\"op\":\"observe\",\"times\":1000000,\"delay_ms\":100}"

static const struct world_guest guests[] = {
    { .name = "vm1", .host = "kvm1", .wanted = "kvm1", .state = "running", .memory_mib = 64 },
    { .name = "vm2", .host = "kvm2", .wanted = "kvm3", .state = "running", .memory_mib = 64 },
};

static struct world world;
static struct life *living;
static struct loop_timer ordering;
static int64_t orders_from_ms;
static size_t answers;
static size_t answered;

static void on_answer(void *context, const struct err *err, const char *text)
{
    (void)context;
    (void)text;
    answered += err == NULL;
}

static void order(void *context)
{
    const struct order check = { .verb = ORDER_CHECK, .scope = JOURNAL_SCOPE_COUNT, .user = "me" };

    reconciler_order(living->reconciler, &check, NULL, on_answer, NULL);
    loop_timer_start(living->loop, &ordering, ORDER_EVERY_MS, order, context);
}

static void begin(void *context, struct life *life)
{
    (void)context;
    living = life;
}

static void begin_ordering(void *context, struct life *life)
{
    begin(context, life);
    loop_timer_start(life->loop, &ordering, orders_from_ms, order, NULL);
}

static void ask(void *context)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);
    struct status status;

    (void)context;
    if (living->over) {
        return;
    }
    status = reconciler_status(living->reconciler);
    if (status.looked_ms == 0) {
        return;
    }
    answers++;
    ck_assert_uint_eq(status_guests_json(&text, &status, NULL), ARRAY_LEN(guests));
    ck_assert_msg(strstr(text.data, "\"name\":\"vm1\",\"class\":\"placed\"") != NULL, "%s",
                  text.data);
    ck_assert_msg(strstr(text.data, "\"name\":\"vm2\",\"class\":\"placed\"") != NULL ||
                      strstr(text.data, "\"name\":\"vm2\",\"class\":\"misplaced\"") != NULL,
                  "%s", text.data);
    ck_assert_uint_eq(status_hosts_json(&text, &status, "kvm1"), 1);
    status_json(&text, &status);
}

static void live(const struct life_hooks *hooks, int64_t ms)
{
    answers = 0;
    answered = 0;
    world.hooks = hooks;
    world.follow_ms = ms;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ordering = (struct loop_timer){ 0 };
}

START_TEST(whoever_asks_while_orders_overtake_looks_is_told_what_was_found)
{
    static const struct life_hooks hooks = { .began = begin_ordering, .ran = ask };

    world_init(&world, 1024, guests, ARRAY_LEN(guests), LOOK_MS);
    orders_from_ms = 5000;
    live(&hooks, 10000);
    ck_assert_uint_gt(answers, 100);
    ck_assert_uint_gt(answered, 100);
    world_deinit(&world);
}
END_TEST

START_TEST(orders_that_never_cease_keep_nobody_from_being_moved)
{
    static const struct life_hooks hooks = { .began = begin_ordering };

    world_init(&world, 1024, guests, ARRAY_LEN(guests), LOOK_MS);
    orders_from_ms = 10;
    live(&hooks, 60000);
    ck_assert_str_eq(world_state(&world, "vm2", "kvm3"), "running");
    world_deinit(&world);
}
END_TEST

/* Both hosts have it, and only the move that is written down explains that: the journal is read anew in each
 * pass. */
START_TEST(whoever_asks_while_a_move_is_stuck_is_told_what_was_found)
{
    static const struct life_hooks hooks = { .began = begin, .ran = ask };
    const struct world_guest copy = {
        .name = "vm2", .host = "kvm3", .wanted = "kvm3", .state = "shutoff", .memory_mib = 64
    };

    world_init(&world, 1024, guests, ARRAY_LEN(guests), LOOK_MS);
    world_live(&world, WORLD_KILL_BEFORE_CALL, 2);
    world_add(&world, &copy, 1);
    live(&hooks, 300000);
    ck_assert_uint_eq(world_open_moves(&world), 1);
    ck_assert_uint_gt(answers, 10);
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("asking");
    TCase *tcase = tcase_create("asking");
    int status;

    world_set_up();
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, whoever_asks_while_orders_overtake_looks_is_told_what_was_found);
    tcase_add_test(tcase, orders_that_never_cease_keep_nobody_from_being_moved);
    tcase_add_test(tcase, whoever_asks_while_a_move_is_stuck_is_told_what_was_found);
    suite_add_tcase(suite, tcase);
    status = runner_run(suite);
    world_tear_down();
    return status;
}
