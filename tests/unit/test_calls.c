/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "actuators/actuator.h"
#include "base/base.h"
#include "reconciler/calls.h"
#include "tests/runner.h"

/* An actuator that remembers what it was asked. */
struct recorder {
    struct actuator base; /* First. */
    const char *const *watched;
    size_t watched_count;
};

struct rig {
    struct recorder recorder;
    struct calls calls;
    const struct actuator_notice *noticed;
};

static void record_watch(struct actuator *self, const char *const *hosts, size_t count)
{
    struct recorder *recorder = (struct recorder *)self;

    recorder->watched = hosts;
    recorder->watched_count = count;
}

static const struct actuator_ops recorder_ops = { .name = "recorder", .watch = record_watch };

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){ .recorder.base.ops = &recorder_ops };
    calls_init(&rig->calls, &rig->recorder.base);
}

static void rig_deinit(struct rig *rig)
{
    calls_deinit(&rig->calls);
}

AUTO_VALUE(rig, struct rig, rig_deinit);

static void on_notice(void *context, const struct actuator_notice *notice)
{
    ((struct rig *)context)->noticed = notice;
}

static void tell(struct rig *rig, const struct actuator_notice *notice)
{
    const struct actuator_sink *sink = &rig->recorder.base.sink;

    sink->notice(sink->context, notice);
}

START_TEST(the_hosts_to_watch_reach_the_actuator)
{
    static const char *const hosts[] = { "kvm1", "kvm2" };
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    calls_watch(&rig.calls, hosts, ARRAY_LEN(hosts));
    ck_assert_ptr_eq(rig.recorder.watched, hosts);
    ck_assert_uint_eq(rig.recorder.watched_count, ARRAY_LEN(hosts));
}
END_TEST

START_TEST(a_notice_reaches_whoever_listens_and_is_dropped_if_nobody_does)
{
    const struct actuator_notice notice = { .kind = ACTUATOR_NOTICE_LINK_UP, .host = "kvm1" };
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    tell(&rig, &notice);
    calls_on_notice(&rig.calls, on_notice, &rig);
    ck_assert_ptr_null(rig.noticed);
    tell(&rig, &notice);
    ck_assert_ptr_eq(rig.noticed, &notice);
    rig.noticed = NULL;
    calls_on_notice(&rig.calls, NULL, NULL);
    tell(&rig, &notice);
    ck_assert_ptr_null(rig.noticed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calls");
    TCase *tests = tcase_create("notices");

    tcase_add_test(tests, the_hosts_to_watch_reach_the_actuator);
    tcase_add_test(tests, a_notice_reaches_whoever_listens_and_is_dropped_if_nobody_does);
    suite_add_tcase(suite, tests);
    return runner_run(suite);
}
