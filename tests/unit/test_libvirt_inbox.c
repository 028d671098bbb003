/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_inbox.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/loop_manual.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "tests/runner.h"

#define FLOOD 20000

struct rig {
    struct loop *loop;
    struct libvirt_inbox *inbox;
    struct arena arena;
    struct text heard; /* Every notice as "kind guest; ", the host's own as "kind; ". */
    size_t count;
    bool closes; /* From the first notice. */
    pthread_t thread;
};

static const char *const kinds[] = { "iteration", "job-ended", "lifecycle", "many", "down", "up" };

static void on_notice(void *context, const struct actuator_notice *notice)
{
    struct rig *rig = context;

    ck_assert(pthread_equal(pthread_self(), rig->thread));
    ck_assert_str_eq(notice->host, "kvm1");
    text_printf(&rig->heard, "%s%s%s; ", kinds[notice->kind], notice->guest != NULL ? " " : "",
                notice->guest != NULL ? notice->guest : "");
    rig->count++;
    if (rig->closes) {
        libvirt_inbox_close(STEAL(rig->inbox));
    }
    if (rig->closes || notice->kind == ACTUATOR_NOTICE_LINK_DOWN) {
        loop_stop(rig->loop);
    }
}

static void rig_init(struct rig *rig, struct loop *loop)
{
    *rig = (struct rig){ .loop = loop };
    rig->heard = text_new(&rig->arena);
    rig->thread = pthread_self();
    rig->inbox = libvirt_inbox_new(loop, "kvm1", on_notice, rig);
}

static void rig_deinit(struct rig *rig)
{
    if (rig->inbox != NULL) {
        libvirt_inbox_close(rig->inbox);
    }
    arena_deinit(&rig->arena);
}

AUTO_VALUE(rig, struct rig, rig_deinit);
AUTO_POINTER(manual, struct loop, loop_manual_free);
AUTO_POINTER(uv, struct loop, loop_uv_free);

static const char *heard(struct rig *rig)
{
    const char *text;

    loop_run(rig->loop);
    text = rig->heard.data;
    rig->heard = text_new(&rig->arena);
    return text;
}

START_TEST(a_notice_is_delivered_by_the_loop_and_not_before)
{
    AUTO(manual) struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;

    rig_init(&rig, loop);
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    ck_assert_uint_eq(rig.count, 0);
    ck_assert_str_eq(heard(&rig), "lifecycle vm1; ");
    ck_assert_str_eq(heard(&rig), "");
}
END_TEST

START_TEST(notices_of_one_guest_become_the_weightiest)
{
    AUTO(manual) struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;

    rig_init(&rig, loop);
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_ITERATION, "vm1");
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_JOB_ENDED, "vm2");
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_ITERATION, "vm1");
    ck_assert_str_eq(heard(&rig), "lifecycle vm1; job-ended vm2; ");
}
END_TEST

START_TEST(too_many_guests_become_one_notice_of_the_host)
{
    AUTO(manual) struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;

    rig_init(&rig, loop);
    for (int i = 0; i < LIBVIRT_INBOX_GUESTS; i++) {
        libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, text_format(&rig.arena, "vm%d", i));
    }
    (void)heard(&rig);
    ck_assert_uint_eq(rig.count, LIBVIRT_INBOX_GUESTS);
    for (int i = 0; i <= LIBVIRT_INBOX_GUESTS; i++) {
        libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, text_format(&rig.arena, "vm%d", i));
    }
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    ck_assert_str_eq(heard(&rig), "many; ");
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    ck_assert_str_eq(heard(&rig), "lifecycle vm1; ");
}
END_TEST

START_TEST(the_loss_of_the_link_outweighs_everything)
{
    AUTO(manual) struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;

    rig_init(&rig, loop);
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LINK_DOWN, NULL);
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_MANY, NULL);
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm2");
    ck_assert_str_eq(heard(&rig), "down; ");
}
END_TEST

START_TEST(a_name_that_is_too_long_is_not_kept)
{
    AUTO(manual) struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;
    char name[LIBVIRT_INBOX_NAME_MAX + 2] = { 0 };

    rig_init(&rig, loop);
    memset(name, 'x', LIBVIRT_INBOX_NAME_MAX);
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, name);
    ck_assert_str_eq(heard(&rig), text_format(&rig.arena, "lifecycle %s; ", name));
    name[LIBVIRT_INBOX_NAME_MAX] = 'x';
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, name);
    ck_assert_str_eq(heard(&rig), "many; ");
}
END_TEST

START_TEST(nothing_is_delivered_once_it_is_closed)
{
    AUTO(manual) struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;
    struct libvirt_inbox *inbox;

    rig_init(&rig, loop);
    inbox = rig.inbox;
    libvirt_inbox_hold(inbox);
    libvirt_inbox_put(inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    libvirt_inbox_close(STEAL(rig.inbox));
    libvirt_inbox_put(inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm2");
    ck_assert_str_eq(heard(&rig), "");
    libvirt_inbox_release(inbox);
}
END_TEST

START_TEST(closing_from_a_notice_ends_the_delivery)
{
    AUTO(manual) struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;

    rig_init(&rig, loop);
    rig.closes = true;
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm2");
    ck_assert_str_eq(heard(&rig), "lifecycle vm1; ");
}
END_TEST

/* The address sanitizer's case: who frees it is the loop's last call. */
START_TEST(a_loop_that_ends_first_frees_what_it_had_on_its_way)
{
    struct loop *loop = loop_manual_new(0);
    AUTO(rig) struct rig rig;

    rig_init(&rig, loop);
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    libvirt_inbox_close(STEAL(rig.inbox));
    loop_manual_free(loop);
    ck_assert_uint_eq(rig.count, 0);
}
END_TEST

/* What libvirt's event thread does on a bad day; the last thing it says is that the link is gone. */
static void *flood(void *context)
{
    static const char *const guests[] = { "vm1", "vm2", "vm3" };
    struct libvirt_inbox *inbox = context;

    for (size_t i = 0; i < FLOOD; i++) {
        libvirt_inbox_put(inbox, ACTUATOR_NOTICE_LIFECYCLE, guests[i % ARRAY_LEN(guests)]);
    }
    libvirt_inbox_put(inbox, ACTUATOR_NOTICE_LINK_DOWN, NULL);
    libvirt_inbox_release(inbox);
    return NULL;
}

START_TEST(a_flood_from_another_thread_arrives_and_ends)
{
    AUTO(uv) struct loop *loop = loop_uv_new();
    AUTO(rig) struct rig rig;
    pthread_t thread;

    rig_init(&rig, loop);
    libvirt_inbox_hold(rig.inbox);
    ck_assert_int_eq(pthread_create(&thread, NULL, flood, rig.inbox), 0);
    loop_run(loop);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_ge(rig.count, 1);
    ck_assert_uint_le(rig.count, FLOOD + 1);
    ck_assert_str_eq(rig.heard.data + rig.heard.length - strlen("down; "), "down; ");
}
END_TEST

START_TEST(an_inbox_may_be_closed_in_a_flood)
{
    AUTO(uv) struct loop *loop = loop_uv_new();
    AUTO(rig) struct rig rig;
    pthread_t thread;

    rig_init(&rig, loop);
    rig.closes = true;
    libvirt_inbox_put(rig.inbox, ACTUATOR_NOTICE_LIFECYCLE, "vm1");
    libvirt_inbox_hold(rig.inbox);
    ck_assert_int_eq(pthread_create(&thread, NULL, flood, rig.inbox), 0);
    loop_run(loop);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(rig.count, 1);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {
        a_notice_is_delivered_by_the_loop_and_not_before,
        notices_of_one_guest_become_the_weightiest,
        too_many_guests_become_one_notice_of_the_host,
        the_loss_of_the_link_outweighs_everything,
        a_name_that_is_too_long_is_not_kept,
        nothing_is_delivered_once_it_is_closed,
        closing_from_a_notice_ends_the_delivery,
        a_loop_that_ends_first_frees_what_it_had_on_its_way,
        a_flood_from_another_thread_arrives_and_ends,
        an_inbox_may_be_closed_in_a_flood,
    };
    Suite *suite = suite_create("libvirt_inbox");
    TCase *tests = tcase_create("inbox");

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        tcase_add_test(tests, all[i]);
    }
    suite_add_tcase(suite, tests);
    return runner_run(suite);
}
