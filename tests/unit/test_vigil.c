/* SPDX-License-Identifier: Apache-2.0 */

/* When a person is told that a migration under way stands still, and what. */

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/actuator.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/loop_manual.h"
#include "reconciler/vigil.h"
#include "tests/runner.h"

#define EVERY_MS 200
#define LONG_MS  120000

struct rig {
    struct loop *loop;
    struct vigil vigil;
    struct actuator_progress progress;
    unsigned told[VIGIL_TROUBLE_COUNT];
    int64_t told_ms; /* The last one. */
};

static void on_trouble(void *context, enum vigil_trouble trouble)
{
    struct rig *rig = context;

    rig->told[trouble]++;
    rig->told_ms = loop_now_ms(rig->loop);
}

static void init(struct rig *rig)
{
    *rig = (struct rig){ .loop = loop_manual_new(0) };
    vigil_begin(&rig->vigil, rig->loop, on_trouble, rig);
}

static void deinit(struct rig *rig)
{
    vigil_end(&rig->vigil);
    loop_manual_free(rig->loop);
}

/* The source tells of 'phase' for 'ms', with 'bytes' more sent each time. */
static void hear(struct rig *rig, enum actuator_phase phase, uint64_t bytes, int64_t ms)
{
    rig->progress.phase = phase;
    for (; ms > 0; ms -= EVERY_MS) {
        rig->progress.processed_bytes += bytes;
        vigil_feed(&rig->vigil, &rig->progress);
        loop_manual_advance(rig->loop, EVERY_MS);
    }
}

static unsigned told(const struct rig *rig)
{
    unsigned sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(rig->told); i++) {
        sum += rig->told[i];
    }
    return sum;
}

START_TEST(nothing_is_told_of_a_copy_that_goes_on_however_long_it_takes)
{
    struct rig rig;

    init(&rig);
    hear(&rig, ACTUATOR_PHASE_SETUP, 0, LONG_MS);
    hear(&rig, ACTUATOR_PHASE_MEMORY, 1, LONG_MS);
    hear(&rig, ACTUATOR_PHASE_POSTCOPY, 1, LONG_MS);
    hear(&rig, ACTUATOR_PHASE_SWITCHOVER, 1, LONG_MS);
    ck_assert_uint_eq(told(&rig), 0);
    deinit(&rig);
}
END_TEST

START_TEST(a_source_that_falls_silent_is_told_of_once)
{
    struct rig rig;

    init(&rig);
    hear(&rig, ACTUATOR_PHASE_MEMORY, 1, 5000);
    loop_manual_advance(rig.loop, LONG_MS);
    ck_assert_uint_eq(rig.told[VIGIL_SILENT], 1);
    ck_assert_uint_eq(told(&rig), 1);
    ck_assert_int_le(rig.told_ms, 5000 + vigil_patience_ms(VIGIL_SILENT) + 1000);
    hear(&rig, ACTUATOR_PHASE_MEMORY, 1, 5000);
    loop_manual_advance(rig.loop, LONG_MS);
    ck_assert_uint_eq(told(&rig), 1);
    deinit(&rig);
}
END_TEST

START_TEST(a_source_that_has_told_nothing_at_all_is_told_of)
{
    struct rig rig;

    init(&rig);
    loop_manual_advance(rig.loop, LONG_MS);
    ck_assert_uint_eq(rig.told[VIGIL_SILENT], 1);
    deinit(&rig);
}
END_TEST

struct halt {
    enum actuator_phase phase;
    enum vigil_trouble trouble;
};

static const struct halt halts[] = {
    { ACTUATOR_PHASE_MEMORY, VIGIL_COPY },
    { ACTUATOR_PHASE_SWITCHOVER, VIGIL_SWITCHOVER },
    { ACTUATOR_PHASE_CLEANUP, VIGIL_SWITCHOVER },
    { ACTUATOR_PHASE_POSTCOPY, VIGIL_POSTCOPY },
};

START_TEST(a_migration_that_stands_still_is_told_of_once_by_where_it_stands)
{
    const struct halt *halt = &halts[_i];
    struct rig rig;

    init(&rig);
    hear(&rig, ACTUATOR_PHASE_MEMORY, 1, 5000);
    hear(&rig, halt->phase, 1, 1000);
    hear(&rig, halt->phase, 0, vigil_patience_ms(halt->trouble) - 1000);
    ck_assert_uint_eq(told(&rig), 0);
    hear(&rig, halt->phase, 0, LONG_MS);
    ck_assert_uint_eq(rig.told[halt->trouble], 1);
    ck_assert_uint_eq(told(&rig), 1);
    deinit(&rig);
}
END_TEST

START_TEST(what_was_told_once_is_not_told_of_the_next_migration)
{
    struct rig rig;

    init(&rig);
    ck_assert(vigil_tell(&rig.vigil, VIGIL_SILENT));
    ck_assert(!vigil_tell(&rig.vigil, VIGIL_SILENT));
    vigil_begin(&rig.vigil, rig.loop, on_trouble, &rig);
    loop_manual_advance(rig.loop, LONG_MS);
    ck_assert_uint_eq(told(&rig), 0);
    deinit(&rig);
}
END_TEST

START_TEST(nothing_is_told_after_the_end)
{
    struct rig rig;
    struct vigil never = { 0 };

    init(&rig);
    vigil_end(&rig.vigil);
    vigil_end(&never);
    loop_manual_advance(rig.loop, LONG_MS);
    ck_assert_uint_eq(told(&rig), 0);
    deinit(&rig);
}
END_TEST

static const char *const advices[VIGIL_TROUBLE_COUNT] = {
    [VIGIL_SILENT] = "restart libvirt on 'here', or on 'there' if that is the one",
    [VIGIL_COPY] = "it runs on at 'here': see to the network between them, or cancel",
    [VIGIL_SWITCHOVER] = "see to libvirt on 'there'",
    [VIGIL_POSTCOPY] = "neither may be restarted",
};

START_TEST(every_trouble_is_told_with_what_to_do)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *text = vigil_text(&arena, (enum vigil_trouble)_i, "vm", "here", "there");

    ck_assert_msg(strstr(text, advices[_i]) != NULL, "%s", text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vigil");
    TCase *tcase = tcase_create("vigil");

    tcase_add_test(tcase, nothing_is_told_of_a_copy_that_goes_on_however_long_it_takes);
    tcase_add_test(tcase, a_source_that_falls_silent_is_told_of_once);
    tcase_add_test(tcase, a_source_that_has_told_nothing_at_all_is_told_of);
    tcase_add_loop_test(tcase, a_migration_that_stands_still_is_told_of_once_by_where_it_stands, 0,
                        (int)ARRAY_LEN(halts));
    tcase_add_test(tcase, what_was_told_once_is_not_told_of_the_next_migration);
    tcase_add_test(tcase, nothing_is_told_after_the_end);
    tcase_add_loop_test(tcase, every_trouble_is_told_with_what_to_do, 0, VIGIL_TROUBLE_COUNT);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
