/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "actuators/libvirt_guard.h"
#include "base/arena.h"
#include "base/base.h"
#include "tests/runner.h"

static struct libvirt_guard read_guard(struct arena *arena, const char *bytes)
{
    return libvirt_guard_read(arena, bytes, strlen(bytes));
}

START_TEST(only_a_boot_that_was_held_in_time_is_protected)
{
    static const struct {
        const char *bytes;
        enum observed_guard state;
    } cases[] = {
        { "{\"format\":\"berth.guard/1\",\"state\":\"held\"}\n", OBSERVED_GUARD_HOLDING },
        { "{\"format\":\"berth.guard/1\",\"state\":\"released\"}", OBSERVED_GUARD_RELEASED },
        { "{\"format\":\"berth.guard/1\",\"state\":\"late\"}", OBSERVED_GUARD_NONE },
        { "{\"format\":\"berth.guard/1\",\"state\":\"partly\"}", OBSERVED_GUARD_NONE },
        { "{\"format\":\"berth.guard/1\",\"state\":\"missed\",\"new\":1}", OBSERVED_GUARD_NONE },
        { "{\"format\":\"berth.guard/1\",\"state\":\"of a later version\"}", OBSERVED_GUARD_NONE },
        { "{\"format\":\"berth.guard/2\",\"state\":\"held\"}", OBSERVED_GUARD_UNKNOWN },
        { "{\"format\":\"berth.guard/1\"}", OBSERVED_GUARD_UNKNOWN },
        { "{\"format\":\"berth.guard/1\",\"state\":\"held\"", OBSERVED_GUARD_UNKNOWN },
        { "{\"format\":\"berth.guard/1\",\"state\":\"held\",\"held\":\"g1\"}",
          OBSERVED_GUARD_UNKNOWN },
        { "Welcome to kvm1\n", OBSERVED_GUARD_UNKNOWN },
        { "", OBSERVED_GUARD_UNKNOWN },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;

        ck_assert_msg(read_guard(&arena, cases[i].bytes).state == cases[i].state, "%s",
                      cases[i].bytes);
    }
}
END_TEST

START_TEST(who_is_exempt_is_told_by_name_or_pattern)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_guard guard = read_guard(
        &arena,
        "{\"format\":\"berth.guard/1\",\"state\":\"released\",\"exempt\":[\"dns1\",\"infra-*\"]}");
    const struct observed_guest guests[] = { { .name = "dns1" },
                                             { .name = "dns12" },
                                             { .name = "infra-a" } };
    struct observed_host host = { .guests = guests, .guest_count = ARRAY_LEN(guests) };

    libvirt_guard_apply(&arena, &guard, &host);
    ck_assert(host.guests[0].exempt && !host.guests[1].exempt && host.guests[2].exempt);
}
END_TEST

START_TEST(who_is_held_back_has_autostart_whatever_libvirt_says)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_guard guard = read_guard(
        &arena, "{\"format\":\"berth.guard/1\",\"state\":\"held\",\"held\":[\"vm1\",\"gone\"]}");
    const struct observed_guest guests[] = { { .name = "vm1" },
                                             { .name = "vm2" },
                                             { .name = "vm3", .autostart = true } };
    struct observed_host host = { .guests = guests, .guest_count = ARRAY_LEN(guests) };

    libvirt_guard_apply(&arena, &guard, &host);
    ck_assert_int_eq(host.guard, OBSERVED_GUARD_HOLDING);
    ck_assert(host.guests[0].held && host.guests[0].autostart);
    ck_assert(!host.guests[1].held && !host.guests[1].autostart);
    ck_assert(!host.guests[2].held && host.guests[2].autostart);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_guard");
    TCase *tcase = tcase_create("guard");

    tcase_add_test(tcase, only_a_boot_that_was_held_in_time_is_protected);
    tcase_add_test(tcase, who_is_exempt_is_told_by_name_or_pattern);
    tcase_add_test(tcase, who_is_held_back_has_autostart_whatever_libvirt_says);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
