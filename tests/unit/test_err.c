/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "tests/runner.h"

/* A message that cannot fit. */
static const char *long_text(char *buffer, size_t size)
{
    memset(buffer, 'x', size - 1);
    buffer[size - 1] = '\0';
    return buffer;
}

START_TEST(a_failure_carries_its_code_and_sentence)
{
    struct err err = { .os_errno = 7 };

    ck_assert_int_eq(err_set(&err, ERR_NOT_FOUND, "no host '%s'", "kvm9"), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_int_eq(err.os_errno, 0);
    ck_assert_str_eq(err.text, "no host 'kvm9'");
}
END_TEST

START_TEST(a_failed_system_call_is_told_in_words)
{
    struct err err;

    ck_assert_int_eq(err_set_errno(&err, ERR_IO, ENOENT, "cannot read '%s'", "/x"), -1);
    ck_assert_int_eq(err.os_errno, ENOENT);
    ck_assert_str_eq(err.text, "cannot read '/x': No such file or directory");
}
END_TEST

START_TEST(context_goes_before_the_sentence_and_keeps_the_code)
{
    struct err err;

    (void)err_set_errno(&err, ERR_IO, EIO, "cannot read");
    ck_assert_int_eq(err_wrap(&err, "host %s", "kvm1"), -1);
    ck_assert_int_eq(err.code, ERR_IO);
    ck_assert_int_eq(err.os_errno, EIO);
    ck_assert_str_eq(err.text, "host kvm1: cannot read: Input/output error");
}
END_TEST

START_TEST(a_sentence_that_does_not_fit_is_cut)
{
    char buffer[2 * ERR_TEXT_SIZE];
    struct err err;

    (void)err_set(&err, ERR_IO, "%s", long_text(buffer, sizeof(buffer)));
    ck_assert_uint_eq(strlen(err.text), ERR_TEXT_SIZE - 1);
    (void)err_set_errno(&err, ERR_IO, EIO, "%s", buffer);
    ck_assert_uint_eq(strlen(err.text), ERR_TEXT_SIZE - 1);
}
END_TEST

START_TEST(context_of_every_length_leaves_a_terminated_sentence)
{
    char buffer[2 * ERR_TEXT_SIZE];

    for (size_t length = 0; length < sizeof(buffer); length++) {
        struct err err;

        (void)err_set(&err, ERR_BUSY, "inner");
        memset(buffer, 'c', sizeof(buffer));
        (void)err_wrap(&err, "%.*s", (int)length, buffer);
        ck_assert_uint_lt(strnlen(err.text, sizeof(err.text)), sizeof(err.text));
        if (length + strlen(": inner") < sizeof(err.text)) {
            ck_assert_uint_eq(strlen(err.text), length + strlen(": inner"));
            ck_assert_str_eq(err.text + length, ": inner");
        } else {
            ck_assert_uint_eq(strspn(err.text, "c"),
                              length < sizeof(err.text) ? length : sizeof(err.text) - 1);
        }
    }
}
END_TEST

START_TEST(wrapping_a_full_sentence_keeps_its_beginning)
{
    char buffer[2 * ERR_TEXT_SIZE];
    struct err err;

    (void)err_set(&err, ERR_IO, "%s", long_text(buffer, sizeof(buffer)));
    (void)err_wrap(&err, "host");
    ck_assert_uint_eq(strlen(err.text), ERR_TEXT_SIZE - 1);
    ck_assert_int_eq(strncmp(err.text, "host: xxx", 9), 0);
}
END_TEST

START_TEST(every_code_has_a_name_that_leads_back)
{
    for (int code = 0; code < ERR_CODE_COUNT; code++) {
        const char *name = err_code_name((enum err_code)code);

        ck_assert_ptr_nonnull(name);
        ck_assert_int_eq(err_code_from_name(name), code);
    }
}
END_TEST

START_TEST(a_name_of_a_later_version_is_internal)
{
    ck_assert_int_eq(err_code_from_name("quantum"), ERR_INTERNAL);
    ck_assert_int_eq(err_code_from_name(""), ERR_INTERNAL);
}
END_TEST

static const struct {
    enum err_code code;
    bool retryable;
} retries[] = {
    { ERR_TIMEOUT, true },   { ERR_UNREACHABLE, true },
    { ERR_BUSY, true },      { ERR_CONFLICT, true },
    { ERR_IO, true },        { ERR_FAILED, true },
    { ERR_INVALID, false },  { ERR_INCOMPATIBLE, false },
    { ERR_DENIED, false },   { ERR_UNSAFE, false },
    { ERR_REFUSED, false },  { ERR_CANCELLED, false },
    { ERR_EXISTS, false },   { ERR_NOT_FOUND, false },
    { ERR_INTERNAL, false },
};

START_TEST(only_what_can_pass_is_worth_a_retry)
{
    const struct err err = { .code = retries[_i].code };

    ck_assert_int_eq(err_is_retryable(&err), retries[_i].retryable);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("err");
    TCase *tcase = tcase_create("err");

    tcase_add_test(tcase, a_failure_carries_its_code_and_sentence);
    tcase_add_test(tcase, a_failed_system_call_is_told_in_words);
    tcase_add_test(tcase, context_goes_before_the_sentence_and_keeps_the_code);
    tcase_add_test(tcase, a_sentence_that_does_not_fit_is_cut);
    tcase_add_test(tcase, context_of_every_length_leaves_a_terminated_sentence);
    tcase_add_test(tcase, wrapping_a_full_sentence_keeps_its_beginning);
    tcase_add_test(tcase, every_code_has_a_name_that_leads_back);
    tcase_add_test(tcase, a_name_of_a_later_version_is_internal);
    tcase_add_loop_test(tcase, only_what_can_pass_is_worth_a_retry, 0, (int)ARRAY_LEN(retries));
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
