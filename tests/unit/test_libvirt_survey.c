/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdint.h>

#include "actuators/libvirt_survey.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "tests/runner.h"

START_TEST(an_endpoint_is_what_a_uri_is_reached_at)
{
    static const struct {
        const char *uri;
        unsigned port;
        const char *endpoint; /* NULL = none. */
    } cases[] = {
        { "qemu+ssh://root@kvm2/system?no_tty=1", 0, "kvm2:22" },
        { "qemu+ssh://root@kvm2:2222/system", 0, "kvm2:2222" },
        { "qemu+libssh2://kvm2/system", 0, "kvm2:22" },
        { "qemu+tcp://kvm2.example.com/system", 0, "kvm2.example.com:16509" },
        { "qemu+tls://10.0.0.2/system", 0, "10.0.0.2:16514" },
        { "qemu://kvm2/system", 0, "kvm2:16514" },
        { "qemu+tcp://[fd00::2]/system", 0, "fd00::2:16509" },
        { "qemu+tcp://[fd00::2]:99/system", 0, "fd00::2:99" },
        { "tcp://kvm2", 49152, "kvm2:49152" },
        { "tcp://kvm2:49160", 49152, "kvm2:49160" },
        { "qemu+unix:///system", 0, NULL },
        { "qemu:///system", 0, NULL },
        { "qemu+ssh://kvm2:port/system", 0, NULL },
        { "qemu+ssh://kvm2:0/system", 0, NULL },
        { "qemu+tcp://$(id)/system", 0, NULL },
        { "qemu+tcp://-o/system", 0, NULL },
        { "qemu+tcp://a;b/system", 0, NULL },
        { "kvm2", 0, NULL },
        { "", 0, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *endpoint = libvirt_survey_endpoint(&arena, cases[i].uri, cases[i].port);

        ck_assert_msg(text_equal(endpoint, cases[i].endpoint), "%s: %s", cases[i].uri,
                      endpoint == NULL ? "none" : endpoint);
    }
}
END_TEST

START_TEST(clocks_are_as_far_apart_as_their_readings_allow)
{
    static const struct {
        struct libvirt_survey_reading a;
        struct libvirt_survey_reading b;
        int64_t least_ms;
        int64_t most_ms;
    } cases[] = {
        { { 1000, 0, 0 }, { 1000, 0, 0 }, 0, 0 },
        { { 1000, 0, 0 }, { 4000, 0, 0 }, 3000, 3000 },
        { { 4000, 0, 0 }, { 1000, 0, 0 }, 3000, 3000 },
        /* Each may have been read at any instant of half a second. */
        { { 1000, 0, 500 }, { 1000, 0, 500 }, 0, 500 },
        { { 4000, 0, 500 }, { 1000, 0, 500 }, 2500, 3500 },
        { { 1000, 0, 500 }, { 4000, 0, 500 }, 2500, 3500 },
        /* One was asked two seconds later. */
        { { 1000, 0, 100 }, { 3000, 2000, 2100 }, 0, 100 },
        { { 1000, 0, 5000 }, { 3000, 0, 5000 }, 0, 7000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t least = -1;
        int64_t most = -1;

        libvirt_survey_compare(&cases[i].a, &cases[i].b, &least, &most);
        ck_assert_int_eq(least, cases[i].least_ms);
        ck_assert_int_eq(most, cases[i].most_ms);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_survey");
    TCase *tcase = tcase_create("survey");

    tcase_add_test(tcase, an_endpoint_is_what_a_uri_is_reached_at);
    tcase_add_test(tcase, clocks_are_as_far_apart_as_their_readings_allow);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
