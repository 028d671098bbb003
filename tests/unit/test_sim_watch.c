/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "actuators/sim.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/file.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "model/op.h"
#include "tests/runner.h"

#define WALL_MS INT64_C(1795435200000)
#define UUID_1  "5b1a4f2e-7a35-4a6e-9c0e-2f8f6f0d9a11"

/* Two hosts; vm1 on kvm1 in state %s.  %s before: faults. */
#define FLEET                                                                             \
    "{\"format\":\"berth.sim/1\",\"faults\":[%s],\"hosts\":["                             \
    "{\"name\":\"kvm1\",\"memory_kib\":8388608,\"cpus\":8,\"guests\":[{\"name\":\"vm1\"," \
    "\"uuid\":\"" UUID_1 "\",\"memory_kib\":1048576,\"vcpus\":2,\"state\":\"%s\"}]},"     \
    "{\"name\":\"kvm2\",\"memory_kib\":8388608,\"cpus\":8}]"
#define END "}"

/* vm1 is under way from kvm1 to kvm2. */
#define MIGRATION                                                                   \
    ",\"migrations\":[{\"guest\":\"" UUID_1 "\",\"from\":\"kvm1\",\"to\":\"kvm2\"," \
    "\"duration_ms\":5000}]" END

struct rig {
    struct loop *loop;
    struct actuator *actuator;
    struct arena arena;
    struct text heard; /* Every notice as "kind host guest; ". */
    bool calling;
    bool may_fail;
    bool closes; /* The actuator, from the first notice. */
};

static const char *const kinds[] = { "iteration", "job-ended", "lifecycle", "many", "down", "up" };

static void on_done(void *context, const struct actuator_completion *completion)
{
    const struct rig *rig = context;

    ck_assert_msg(rig->may_fail || completion->status == 0, "%s", completion->err.text);
}

static void on_notice(void *context, const struct actuator_notice *notice)
{
    struct rig *rig = context;

    ck_assert(!rig->calling);
    ck_assert_int_eq(notice->guest == NULL, notice->kind >= ACTUATOR_NOTICE_MANY);
    text_printf(&rig->heard, "%s %s%s%s; ", kinds[notice->kind], notice->host,
                notice->guest != NULL ? " " : "", notice->guest != NULL ? notice->guest : "");
    if (rig->closes) {
        actuator_close(STEAL(rig->actuator));
        rig->closes = false;
    }
}

static struct rig *rig_listen(struct actuator *actuator, struct loop *loop)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    ck_assert_ptr_nonnull(rig);
    ck_assert_ptr_nonnull(actuator);
    rig->loop = loop;
    rig->actuator = actuator;
    rig->actuator->sink = (struct actuator_sink){ rig, on_done, NULL, on_notice };
    rig->heard = text_new(&rig->arena);
    return rig;
}

static struct rig *rig_new(const char *faults, const char *state)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *json = text_format(&arena, FLEET END, faults, state);
    struct loop *loop = loop_manual_new(WALL_MS);
    struct err err = { 0 };

    return rig_listen(sim_open_memory(loop, json, strlen(json), &err), loop);
}

static void rig_free(struct rig *rig)
{
    if (rig->actuator != NULL) {
        actuator_close(rig->actuator);
    }
    loop_manual_free(rig->loop);
    arena_deinit(&rig->arena);
    free(rig);
}

AUTO_POINTER(rig, struct rig, rig_free);

static void watch(struct rig *rig, const char *first, const char *second)
{
    const char *const hosts[] = { first, second };

    rig->calling = true;
    actuator_watch(rig->actuator, hosts, first == NULL ? 0 : second == NULL ? 1 : 2);
    rig->calling = false;
}

static void start(struct rig *rig, enum op_kind kind)
{
    const struct op op = {
        .kind = kind,
        .guest = "vm1",
        .uuid = UUID_1,
        .host = "kvm1",
        .peer = kind == OP_MIGRATE ? "kvm2" : NULL,
        .timeout_ms = 60000,
        .live = { .persistent = true, .max_downtime_ms = 1000 },
    };

    rig->calling = true;
    actuator_start(rig->actuator, &op, 1);
    rig->calling = false;
}

static void power(struct rig *rig, const char *host, enum sim_power power)
{
    struct err err = { 0 };

    rig->calling = true;
    ck_assert_int_eq(sim_set_power(rig->actuator, host, power, &err), 0);
    rig->calling = false;
}

/* What was heard since the last time, having let 'ms' pass. */
static const char *heard(struct rig *rig, int64_t ms)
{
    const char *text;

    loop_manual_advance(rig->loop, ms);
    text = rig->heard.data;
    rig->heard = text_new(&rig->arena);
    return text;
}

/* A memory fleet's watch must leave a loop that has nothing else to do at rest. */
START_TEST(a_watched_host_is_heard_and_a_quiet_fleet_is_quiet)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");

    watch(rig, "kvm1", NULL);
    ck_assert_str_eq(heard(rig, 0), "up kvm1; ");
    loop_manual_limit(rig->loop, 10);
    loop_run(rig->loop);
    ck_assert(!loop_manual_is_exhausted(rig->loop));
    ck_assert_str_eq(heard(rig, 60000), "");
}
END_TEST

START_TEST(a_guest_that_starts_or_stops_is_told_where_it_is)
{
    AUTO(rig) struct rig *rig = rig_new("", "shutoff");

    watch(rig, "kvm1", "kvm2");
    ck_assert_str_eq(heard(rig, 0), "up kvm1; up kvm2; ");
    start(rig, OP_START);
    ck_assert_str_eq(heard(rig, 2000), "lifecycle kvm1 vm1; ");
    start(rig, OP_STOP);
    ck_assert_str_eq(heard(rig, 2000), "lifecycle kvm1 vm1; ");
}
END_TEST

START_TEST(a_migration_is_told_on_both_hosts_as_it_begins_and_ends)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");

    watch(rig, "kvm1", "kvm2");
    (void)heard(rig, 0);
    start(rig, OP_MIGRATE);
    ck_assert_str_eq(heard(rig, 100), "iteration kvm1 vm1; lifecycle kvm2 vm1; ");
    ck_assert_str_eq(heard(rig, 5000), "lifecycle kvm1 vm1; lifecycle kvm2 vm1; ");
}
END_TEST

START_TEST(a_migration_that_is_cancelled_is_told_at_its_target)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");

    rig->may_fail = true;
    watch(rig, "kvm1", "kvm2");
    (void)heard(rig, 0);
    start(rig, OP_MIGRATE);
    (void)heard(rig, 100);
    actuator_cancel(rig->actuator, 1);
    ck_assert_str_eq(heard(rig, 1000), "lifecycle kvm2 vm1; ");
}
END_TEST

START_TEST(a_job_that_ends_is_told)
{
    AUTO(rig) struct rig *rig = rig_new("", "running\",\"job\":\"other");
    const char *json = text_format(&rig->arena, FLEET END, "", "running");
    struct err err = { 0 };

    watch(rig, "kvm1", NULL);
    (void)heard(rig, 0);
    ck_assert_msg(sim_load(rig->actuator, json, strlen(json), &err) == 0, "%s", err.text);
    ck_assert_str_eq(heard(rig, 0), "job-ended kvm1 vm1; ");
}
END_TEST

/* Nobody asks anything meanwhile: the end of what is under way is noticed by itself. */
START_TEST(what_ends_by_itself_is_told_though_nobody_looks)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");
    const char *json = text_format(&rig->arena, FLEET MIGRATION, "", "running");
    struct err err = { 0 };

    watch(rig, "kvm1", "kvm2");
    (void)heard(rig, 0);
    ck_assert_msg(sim_load(rig->actuator, json, strlen(json), &err) == 0, "%s", err.text);
    ck_assert_str_eq(heard(rig, 4999), "iteration kvm1 vm1; lifecycle kvm2 vm1; ");
    ck_assert_str_eq(heard(rig, 1), "lifecycle kvm1 vm1; lifecycle kvm2 vm1; ");
}
END_TEST

START_TEST(a_host_that_nobody_watches_or_knows_is_silent)
{
    AUTO(rig) struct rig *rig = rig_new("", "shutoff");

    watch(rig, "kvm2", "kvm9");
    ck_assert_str_eq(heard(rig, 0), "up kvm2; ");
    start(rig, OP_START);
    ck_assert_str_eq(heard(rig, 2000), "");
    power(rig, "kvm1", SIM_POWER_OFF);
    ck_assert_str_eq(heard(rig, 2000), "");
}
END_TEST

START_TEST(a_host_that_is_let_go_is_silent_at_once)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");

    watch(rig, "kvm1", "kvm2");
    (void)heard(rig, 0);
    power(rig, "kvm1", SIM_POWER_OFF); /* Its notice is on its way. */
    watch(rig, "kvm2", NULL);
    ck_assert_str_eq(heard(rig, 30000), "");
    watch(rig, NULL, NULL);
    power(rig, "kvm2", SIM_POWER_OFF);
    ck_assert_str_eq(heard(rig, 30000), "");
}
END_TEST

START_TEST(the_same_set_again_loses_and_repeats_nothing)
{
    AUTO(rig) struct rig *rig = rig_new("", "shutoff");

    watch(rig, "kvm1", "kvm2");
    (void)heard(rig, 0);
    start(rig, OP_START);
    watch(rig, "kvm2", "kvm1");
    ck_assert_str_eq(heard(rig, 2000), "lifecycle kvm1 vm1; ");
    watch(rig, "kvm1", "kvm1");
    ck_assert_str_eq(heard(rig, 2000), "");
}
END_TEST

START_TEST(a_power_cut_loses_the_link_and_a_boot_brings_it_back)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");

    watch(rig, "kvm1", "kvm2");
    (void)heard(rig, 0);
    power(rig, "kvm1", SIM_POWER_OFF);
    ck_assert_str_eq(heard(rig, 60000), "down kvm1; ");
    power(rig, "kvm1", SIM_POWER_ON);
    ck_assert_str_eq(heard(rig, 60000), "up kvm1; "); /* Its guests are the whole's affair. */
}
END_TEST

START_TEST(a_frozen_host_is_given_up_after_a_while_and_one_that_thaws_before_tells_what_changed)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");

    watch(rig, "kvm1", "kvm2");
    (void)heard(rig, 0);
    start(rig, OP_MIGRATE);
    (void)heard(rig, 100);
    power(rig, "kvm2", SIM_POWER_FROZEN);
    ck_assert_str_eq(heard(rig, 19999), "");
    power(rig, "kvm2", SIM_POWER_ON);
    ck_assert_str_eq(heard(rig, 1000), "lifecycle kvm1 vm1; lifecycle kvm2 vm1; ");
    power(rig, "kvm2", SIM_POWER_FROZEN);
    ck_assert_str_eq(heard(rig, 19999), "");
    ck_assert_str_eq(heard(rig, 1), "down kvm2; ");
    power(rig, "kvm2", SIM_POWER_ON);
    ck_assert_str_eq(heard(rig, 0), "up kvm2; ");
}
END_TEST

START_TEST(a_scripted_fault_loses_doubles_or_delays_a_notice)
{
    static const struct {
        const char *fault;
        const char *soon;
        const char *later;
    } cases[] = {
        { "\"when\":\"lost\"", "up kvm2; ", "" },
        { "\"when\":\"twice\"", "up kvm1; up kvm1; up kvm2; ", "" },
        { "\"when\":\"twice\",\"delay_ms\":500", "up kvm1; up kvm2; ", "up kvm1; " },
        { "\"delay_ms\":500", "up kvm2; ", "up kvm1; " },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        AUTO(rig)
        struct rig *rig =
            rig_new(text_format(&arena, "{\"op\":\"notice\",\"host\":\"kvm1\",%s}", cases[i].fault),
                    "running");

        watch(rig, "kvm1", "kvm2");
        ck_assert_str_eq(heard(rig, 499), cases[i].soon);
        ck_assert_str_eq(heard(rig, 1), cases[i].later);
    }
}
END_TEST

START_TEST(the_actuator_may_be_closed_from_a_notice)
{
    AUTO(rig) struct rig *rig = rig_new("", "running");

    rig->closes = true;
    watch(rig, "kvm1", "kvm2");
    ck_assert_str_eq(heard(rig, 60000), "up kvm1; ");
}
END_TEST

START_TEST(a_file_that_another_process_replaces_is_noticed)
{
    char folder[] = "/tmp/berth-watch-XXXXXX";
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err = { 0 };
    const char *path;
    const char *json;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = text_format(&arena, "%s/fleet.json", folder);
    json = text_format(&arena, FLEET END, "", "running");
    ck_assert_int_eq(file_replace(path, json, strlen(json), 0600, &err), 0);
    {
        struct loop *loop = loop_manual_new(WALL_MS);
        AUTO(rig) struct rig *rig = rig_listen(sim_open(loop, path, &err), loop);

        watch(rig, "kvm1", "kvm2");
        ck_assert_str_eq(heard(rig, 1000), "up kvm1; up kvm2; ");
        json = text_format(&arena, FLEET END, "", "paused");
        ck_assert_int_eq(file_replace(path, json, strlen(json), 0600, &err), 0);
        ck_assert_str_eq(heard(rig, 1000), "lifecycle kvm1 vm1; ");
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_str_eq(heard(rig, 1000), "");
        ck_assert_int_eq(file_replace(path, json, strlen(json), 0600, &err), 0);
        ck_assert_str_eq(heard(rig, 1000), "");
    }
    (void)unlink(path);
    (void)unlink(text_format(&arena, "%s.lock", path));
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {
        a_watched_host_is_heard_and_a_quiet_fleet_is_quiet,
        a_guest_that_starts_or_stops_is_told_where_it_is,
        a_migration_is_told_on_both_hosts_as_it_begins_and_ends,
        a_migration_that_is_cancelled_is_told_at_its_target,
        a_job_that_ends_is_told,
        what_ends_by_itself_is_told_though_nobody_looks,
        a_host_that_nobody_watches_or_knows_is_silent,
        a_host_that_is_let_go_is_silent_at_once,
        the_same_set_again_loses_and_repeats_nothing,
        a_power_cut_loses_the_link_and_a_boot_brings_it_back,
        a_frozen_host_is_given_up_after_a_while_and_one_that_thaws_before_tells_what_changed,
        a_scripted_fault_loses_doubles_or_delays_a_notice,
        the_actuator_may_be_closed_from_a_notice,
        a_file_that_another_process_replaces_is_noticed,
    };
    Suite *suite = suite_create("sim_watch");
    TCase *tests = tcase_create("watch");

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return runner_run(suite);
}
