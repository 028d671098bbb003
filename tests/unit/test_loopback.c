/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <check.h>

#include "base/base.h"
#include "base/loopback.h"
#include "tests/runner.h"

START_TEST(loopback_addresses_are_read)
{
    union loopback address;
    socklen_t size;

    ck_assert(loopback_parse("127.0.0.1:8420", &address, &size));
    ck_assert_int_eq(address.any.sa_family, AF_INET);
    ck_assert_uint_eq(size, sizeof(address.in));
    ck_assert_uint_eq(ntohs(address.in.sin_port), 8420);
    ck_assert_uint_eq(ntohl(address.in.sin_addr.s_addr), INADDR_LOOPBACK);
    ck_assert(loopback_parse("127.255.1.2:1", &address, &size));
    ck_assert(loopback_parse("[::1]:65535", &address, &size));
    ck_assert_int_eq(address.any.sa_family, AF_INET6);
    ck_assert_uint_eq(size, sizeof(address.in6));
    ck_assert_uint_eq(ntohs(address.in6.sin6_port), 65535);
    ck_assert_mem_eq(&address.in6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
}
END_TEST

START_TEST(nothing_else_is)
{
    static const char *const texts[] = {
        "",
        ":",
        ":8420",
        "8420",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:+1",
        "127.0.0.1: 1",
        "127.0.0.1:1 ",
        "127.1:8420",
        "0.0.0.0:8420",
        "128.0.0.1:8420",
        "126.255.255.255:8420",
        "192.0.2.1:8420",
        "localhost:8420",
        "::1:8420",
        "[::]:8420",
        "[::2]:8420",
        "[::1:8420",
        "[::ffff:127.0.0.1]:8420",
        "1111111111111111111111111111111111111111111111111111:1",
    };
    union loopback address;
    socklen_t size;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        ck_assert_msg(!loopback_parse(texts[i], &address, &size), "'%s' was read", texts[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loopback");
    TCase *tcase = tcase_create("loopback");

    tcase_add_test(tcase, loopback_addresses_are_read);
    tcase_add_test(tcase, nothing_else_is);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
