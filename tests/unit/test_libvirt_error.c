/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_observe.h"
#include "base/arena.h"
#include "base/base.h"
#include "tests/runner.h"

static bool is_retried(int number, int domain)
{
    const struct err err = { .code = libvirt_error_code(number, domain) };

    return err_is_retryable(&err);
}

START_TEST(what_no_retry_can_change_is_permanent)
{
    static const int numbers[] = {
        VIR_ERR_MIGRATE_UNSAFE, VIR_ERR_CPU_INCOMPATIBLE, VIR_ERR_CONFIG_UNSUPPORTED,
        VIR_ERR_DOM_EXIST,      VIR_ERR_ACCESS_DENIED,    VIR_ERR_AUTH_FAILED,
        VIR_ERR_XML_ERROR,      VIR_ERR_NO_DOMAIN,        VIR_ERR_OPERATION_UNSUPPORTED,
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        ck_assert_msg(!is_retried(numbers[i], VIR_FROM_QEMU), "error number %d", numbers[i]);
    }
}
END_TEST

START_TEST(what_may_pass_is_retried)
{
    static const int numbers[] = {
        VIR_ERR_OPERATION_TIMEOUT, VIR_ERR_RPC,          VIR_ERR_RESOURCE_BUSY,
        VIR_ERR_INTERNAL_ERROR,    VIR_ERR_SYSTEM_ERROR, VIR_ERR_OPERATION_INVALID,
        VIR_ERR_OPERATION_FAILED,  VIR_ERR_NO_CONNECT,
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        ck_assert_msg(is_retried(numbers[i], VIR_FROM_QEMU), "error number %d", numbers[i]);
    }
}
END_TEST

START_TEST(a_lost_connection_is_an_unreachable_host)
{
    ck_assert_int_eq(libvirt_error_code(VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC), ERR_UNREACHABLE);
    ck_assert_int_eq(libvirt_error_code(VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC), ERR_UNREACHABLE);
    ck_assert_int_eq(libvirt_error_code(VIR_ERR_SYSTEM_ERROR, VIR_FROM_QEMU), ERR_FAILED);
}
END_TEST

START_TEST(libvirts_text_follows_ours)
{
    struct err err = { 0 };

    libvirt_error_silence();
    ck_assert_ptr_null(virConnectOpen("nonsense://host/"));
    ck_assert_int_eq(libvirt_error_set(&err, "cannot connect to '%s'", "kvm1"), -1);
    ck_assert_msg(strncmp(err.text, "cannot connect to 'kvm1': ", 26) == 0, "%s", err.text);
    ck_assert_uint_gt(strlen(err.text), 26);
}
END_TEST

START_TEST(an_error_that_libvirt_does_not_explain_is_one)
{
    struct err err = { 0 };

    ck_assert_int_eq(virInitialize(), 0); /* Before it there is no place for a last error. */
    virResetLastError();
    ck_assert_int_eq(libvirt_error_set(&err, "cannot do it"), -1);
    ck_assert_int_eq(err.code, ERR_FAILED);
    ck_assert_str_eq(err.text, "cannot do it: libvirt gives no reason");
}
END_TEST

START_TEST(connections_through_ssh_never_prompt)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(libvirt_connection_uri(&arena, "qemu+ssh://root@h/system", "/k"),
                     "qemu+ssh://root@h/system?no_tty=1&keyfile=/k");
    ck_assert_str_eq(libvirt_connection_uri(&arena, "qemu+ssh://h/system?keyfile=/mine", "/k"),
                     "qemu+ssh://h/system?keyfile=/mine&no_tty=1");
    ck_assert_str_eq(libvirt_connection_uri(&arena, "qemu+ssh://h/system?no_tty=1", NULL),
                     "qemu+ssh://h/system?no_tty=1");
}
END_TEST

START_TEST(other_connections_are_opened_as_they_are_written)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(libvirt_connection_uri(&arena, "qemu+tcp://h/system", "/k"),
                     "qemu+tcp://h/system");
    ck_assert_str_eq(libvirt_connection_uri(&arena, "qemu:///system", "/k"), "qemu:///system");
}
END_TEST

START_TEST(states_keep_their_reasons)
{
    ck_assert_int_eq(libvirt_observe_state_of(VIR_DOMAIN_RUNNING), GUEST_RUNNING);
    ck_assert_int_eq(libvirt_observe_state_of(VIR_DOMAIN_BLOCKED), GUEST_RUNNING);
    ck_assert_int_eq(libvirt_observe_state_of(VIR_DOMAIN_PMSUSPENDED), GUEST_OTHER);
    ck_assert_int_eq(libvirt_observe_reason_of(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR),
                     GUEST_REASON_IO_ERROR);
    ck_assert_int_eq(libvirt_observe_reason_of(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP),
                     GUEST_REASON_STARTING_UP);
    ck_assert_int_eq(libvirt_observe_reason_of(VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED),
                     GUEST_REASON_MIGRATED);
}
END_TEST

START_TEST(reasons_of_a_later_libvirt_are_unknown)
{
    ck_assert_int_eq(libvirt_observe_reason_of(VIR_DOMAIN_RUNNING, 1000), GUEST_REASON_UNKNOWN);
    ck_assert_int_eq(libvirt_observe_reason_of(VIR_DOMAIN_PAUSED, -1), GUEST_REASON_UNKNOWN);
    ck_assert_int_eq(libvirt_observe_reason_of(1000, 1), GUEST_REASON_UNKNOWN);
    ck_assert_int_eq(libvirt_observe_state_of(1000), GUEST_OTHER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_error");
    TCase *errors = tcase_create("errors");
    TCase *words = tcase_create("words");

    tcase_add_test(errors, what_no_retry_can_change_is_permanent);
    tcase_add_test(errors, what_may_pass_is_retried);
    tcase_add_test(errors, a_lost_connection_is_an_unreachable_host);
    tcase_add_test(errors, libvirts_text_follows_ours);
    tcase_add_test(errors, an_error_that_libvirt_does_not_explain_is_one);
    tcase_add_test(words, connections_through_ssh_never_prompt);
    tcase_add_test(words, other_connections_are_opened_as_they_are_written);
    tcase_add_test(words, states_keep_their_reasons);
    tcase_add_test(words, reasons_of_a_later_libvirt_are_unknown);
    suite_add_tcase(suite, errors);
    suite_add_tcase(suite, words);
    return runner_run(suite);
}
