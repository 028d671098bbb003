/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/observed.h"
#include "model/observed_json.h"
#include "tests/runner.h"

#define UUID_1 "c0ffee00-0000-4000-8000-000000000001"
#define UUID_2 "c0ffee00-0000-4000-8000-000000000002"

/* The required members of a guest and of a host. */
#define GUEST(name, uuid)                                                 \
    "{\"name\":\"" name "\",\"uuid\":\"" uuid "\",\"state\":\"running\"," \
    "\"memory_kib\":1024,\"vcpus\":2,\"persistent\":true,\"autostart\":false}"
#define HOST(name, guests)                                                      \
    "{\"name\":\"" name "\",\"reachable\":true,\"memory_kib\":4096,\"cpus\":8," \
    "\"guests\":[" guests "]}"
#define DOCUMENT(hosts) "{\"format\":\"berth.observed/1\",\"hosts\":[" hosts "]}"

/* Everything there is, exactly as it is written. */
static const char full[] =
    "{\"format\":\"berth.observed/1\",\"at\":\"2026-11-23T12:00:00Z\",\"hosts\":[\n"
    " {\"name\":\"kvm1.example.com\",\"reachable\":true,\"as_of\":\"2026-11-23T11:59:58Z\","
    "\"error\":null,\"memory_kib\":1610612736,\"free_kib\":5,\"cpus\":192,\"numa_nodes\":2,\"arch\":\"x86_64\","
    "\"machines\":[\"pc-q35-7.2\",\"q35\"],\"cpu_model\":\"EPYC\",\"cpu_fingerprint\":\"f00d\","
    "\"qemu_version\":7002000,\"libvirt_version\":9000000,\"hostname\":\"kvm1\",\"lock_manager\":\"lockd\",\"guard\":\"holding\","
    "\"hugepages\":[{\"page_kib\":2048,\"total\":8,\"free\":3}],\"guests\":[\n"
    "  {\"name\":\"vm1\",\"uuid\":\"" UUID_1 "\",\"state\":\"paused\","
    "\"reason\":\"postcopy-failed\",\"job\":\"outgoing\",\"memory_kib\":67108864,"
    "\"config_memory_kib\":33554432,\"vcpus\":8,\"persistent\":true,\"autostart\":true,"
    "\"exempt\":true,\"held\":true,\"managed_save\":false,\"snapshots\":0,\"has_nvram\":true,\"has_tpm\":false,\"hostdevs\":2,"
    "\"hugepage_kib\":2048,\"numa_nodes\":0,\"machine\":\"pc-q35-7.2\",\"cpu_mode\":\"custom\",\"owed_start\":true},\n"
    "  {\"name\":\"vm2\",\"uuid\":\"" UUID_2 "\",\"state\":\"shutoff\",\"job\":\"none\","
    "\"memory_kib\":1024,\"vcpus\":1,\"persistent\":true,\"autostart\":false,"
    "\"owed_start\":false}]},\n"
    " {\"name\":\"kvm2.example.com\",\"reachable\":false,\"error\":\"no \\\"route\\\"\","
    "\"memory_kib\":0,\"cpus\":0,\"hugepages\":[],\"guests\":[]}],\"in_flight\":[\n"
    " {\"guest\":\"vm1\",\"from\":\"kvm1.example.com\",\"to\":\"kvm2.example.com\","
    "\"mode\":\"live\",\"since\":\"2026-11-23T11:59:00Z\"},\n"
    " {\"guest\":\"vm9\",\"from\":\"kvm2.example.com\",\"to\":\"kvm1.example.com\","
    "\"mode\":\"cold\",\"foreign\":true}]}\n";

static struct observed read_good(struct arena *arena, const char *json)
{
    struct observed observed = { 0 };
    struct err err;

    ck_assert_msg(observed_json_read(arena, json, strlen(json), &observed, &err) == 0, "%s",
                  err.text);
    return observed;
}

static void assert_refused(const char *json, const char *message)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = { .at_ms = 42 };
    struct err err;

    ck_assert_msg(observed_json_read(&arena, json, strlen(json), &observed, &err) == -1, "%s",
                  json);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_str_eq(err.text, message);
    ck_assert_int_eq(observed.at_ms, 42);
}

static const char *written(struct arena *arena, const struct observed *observed)
{
    struct text text = text_new(arena);

    observed_json_write(&text, observed);
    return text.data;
}

START_TEST(what_is_written_is_read_back_to_the_byte)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(&arena, full);

    ck_assert_str_eq(written(&arena, &observed), full);
}
END_TEST

START_TEST(every_member_reaches_its_field)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(&arena, full);
    const struct observed_host *host = &observed.hosts[0];
    const struct observed_guest *guest = &host->guests[0];

    ck_assert_int_eq(observed.at_ms, INT64_C(1795435200000));
    ck_assert_int_eq(host->as_of_ms, INT64_C(1795435198000));
    ck_assert_ptr_null(host->error);
    ck_assert_uint_eq(host->free_kib, 5);
    ck_assert_uint_eq(host->machine_count, 2);
    ck_assert_uint_eq(host->hugepages[0].total, 8);
    ck_assert_uint_eq(host->qemu_version, 7002000);
    ck_assert_str_eq(host->hostname, "kvm1");
    ck_assert_int_eq(guest->state, GUEST_PAUSED);
    ck_assert_int_eq(guest->reason, GUEST_REASON_POSTCOPY_FAILED);
    ck_assert_int_eq(guest->job, GUEST_JOB_OUTGOING);
    ck_assert_uint_eq(guest->config_memory_kib, 33554432);
    ck_assert_int_eq(guest->managed_save, 0);
    ck_assert_int_eq(guest->has_nvram, 1);
    ck_assert_int_eq(guest->hostdevs, 2);
    ck_assert_int_eq(guest->hugepage_kib, 2048);
    ck_assert_int_eq(guest->numa_nodes, 0);
    ck_assert_uint_eq(host->numa_nodes, 2);
    ck_assert(guest->autostart && guest->exempt && guest->held && guest->owed_start);
    ck_assert_int_eq(host->guard, OBSERVED_GUARD_HOLDING);
    ck_assert_str_eq(host->lock_manager, "lockd");
    ck_assert_ptr_null(observed.hosts[1].lock_manager);
    ck_assert_int_eq(observed.hosts[1].guard, OBSERVED_GUARD_UNKNOWN);
    ck_assert_str_eq(observed.hosts[1].error, "no \"route\"");
    ck_assert_int_eq(observed.in_flight[0].since_ms, INT64_C(1795435140000));
    ck_assert_int_eq(observed.in_flight[1].mode, MOVE_COLD);
    ck_assert(observed.in_flight[1].foreign);
}
END_TEST

/* libvirt allows names that es.xml does not; such a guest is in nobody's file, but it takes room. */
START_TEST(a_guest_may_have_any_name)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(&arena, DOCUMENT(HOST("kvm1", GUEST("win 10", UUID_1))));

    ck_assert_str_eq(observed.hosts[0].guests[0].name, "win 10");
}
END_TEST

START_TEST(an_absent_optional_member_is_unknown)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(&arena, DOCUMENT(HOST("kvm1", GUEST("vm1", UUID_1))));
    const struct observed_host *host = &observed.hosts[0];
    const struct observed_guest *guest = &host->guests[0];

    ck_assert_int_eq(host->as_of_ms, 0);
    ck_assert_uint_eq(host->free_kib, 0);
    ck_assert_uint_eq(host->machine_count, 0);
    ck_assert_ptr_null(host->arch);
    ck_assert_int_eq(guest->reason, GUEST_REASON_UNKNOWN);
    ck_assert_int_eq(guest->job, GUEST_JOB_NONE);
    ck_assert_uint_eq(guest->config_memory_kib, 0);
    ck_assert_int_eq(guest->managed_save, OBSERVED_UNKNOWN);
    ck_assert_int_eq(guest->has_nvram, OBSERVED_UNKNOWN);
    ck_assert_int_eq(guest->has_tpm, OBSERVED_UNKNOWN);
    ck_assert_int_eq(guest->snapshots, OBSERVED_UNKNOWN);
    ck_assert_int_eq(guest->hostdevs, OBSERVED_UNKNOWN);
    ck_assert_ptr_null(guest->machine);
    ck_assert_ptr_null(guest->xml);
}
END_TEST

START_TEST(null_is_the_same_as_absent)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed =
        read_good(&arena, "{\"at\":null,\"hosts\":[{\"name\":\"kvm1\",\"reachable\":false,"
                          "\"free_kib\":null,\"machines\":null,\"hugepages\":null,"
                          "\"memory_kib\":1,\"cpus\":1,\"guests\":[]}],\"in_flight\":null}");

    ck_assert_uint_eq(observed.hosts[0].free_kib, 0);
    ck_assert_uint_eq(observed.in_flight_count, 0);
}
END_TEST

START_TEST(members_of_a_later_version_are_passed_over)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed =
        read_good(&arena, "{\"new\":{\"a\":[1,-2.5e+3,{\"b\":null}],\"c\":\"]}\\\"\"},"
                          "\"hosts\":[{\"new\":[[]],\"name\":\"kvm1\",\"reachable\":true,"
                          "\"memory_kib\":1,\"cpus\":1,\"also\":true,\"guests\":[]}],\"n\":0}");

    ck_assert_uint_eq(observed.host_count, 1);
}
END_TEST

START_TEST(a_reason_of_a_later_version_is_unknown)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(
        &arena, DOCUMENT(HOST("kvm1", "{\"name\":\"vm1\",\"uuid\":\"" UUID_1 "\",\"state\":"
                                      "\"running\",\"reason\":\"teleported\",\"memory_kib\":1,"
                                      "\"vcpus\":1,\"persistent\":true,\"autostart\":true}")));

    ck_assert_int_eq(observed.hosts[0].guests[0].reason, GUEST_REASON_UNKNOWN);
}
END_TEST

START_TEST(the_order_of_the_document_does_not_matter)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed one = read_good(
        &arena,
        DOCUMENT(HOST("kvm2", "") "," HOST("kvm1", GUEST("vm2", UUID_1) "," GUEST("vm1", UUID_2))));
    struct observed two = read_good(
        &arena,
        DOCUMENT(HOST("kvm1", GUEST("vm1", UUID_2) "," GUEST("vm2", UUID_1)) "," HOST("kvm2", "")));

    ck_assert_str_eq(one.hosts[0].name, "kvm1");
    ck_assert_str_eq(one.hosts[0].guests[0].name, "vm1");
    ck_assert_str_eq(written(&arena, &one), written(&arena, &two));
}
END_TEST

START_TEST(a_uuid_is_kept_in_lower_case)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(
        &arena, DOCUMENT(HOST("kvm1", GUEST("vm1", "C0FFEE00-0000-4000-8000-00000000000A"))));

    ck_assert_str_eq(observed.hosts[0].guests[0].uuid, "c0ffee00-0000-4000-8000-00000000000a");
}
END_TEST

START_TEST(the_same_guest_may_be_on_two_hosts)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(
        &arena,
        DOCUMENT(HOST("kvm1", GUEST("vm1", UUID_1)) "," HOST("kvm2", GUEST("vm1", UUID_1))));

    ck_assert_uint_eq(observed.host_count, 2);
}
END_TEST

START_TEST(escapes_mean_their_characters)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed = read_good(
        &arena, "{\"hosts\":[{\"n\\u0061me\":\"kvm\\u0031\",\"reachable\":false,\"error\":"
                "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00\",\"memory_kib\":0,"
                "\"cpus\":0,\"guests\":[]}]}");

    ck_assert_str_eq(observed.hosts[0].name, "kvm1");
    ck_assert_str_eq(observed.hosts[0].error,
                     "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}
END_TEST

START_TEST(what_a_host_says_comes_out_as_valid_json)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct observed_host host = {
        .name = "kvm1",
        .error = "\"\\\n\t\x01\xc2\x9b\x7f"                                   /* Escaped. */
                 "\xc3\xa9\xf0\x9f\x98\x80"                                   /* As it is. */
                 "\xff|\xc3|\xed\xa0\x80|\xc0\x80|\xf5\x80\x80\x80|\xe2\x82", /* No UTF-8. */
    };
    const struct observed observed = { .hosts = &host, .host_count = 1 };
    const char *json = written(&arena, &observed);
    struct observed back = read_good(&arena, json);

    ck_assert_ptr_nonnull(strstr(json, "\"error\":\"\\\"\\\\\\n\\t\\u0001\\u009b\x7f\xc3\xa9"));
    ck_assert_str_eq(back.hosts[0].error,
                     "\"\\\n\t\x01\xc2\x9b\x7f\xc3\xa9\xf0\x9f\x98\x80"
                     "\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
                     "\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
                     "\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

START_TEST(the_largest_numbers_survive)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct observed_host host = {
        .name = "kvm1",
        .memory_kib = UINT64_C(1) << 53,
        .cpus = UINT32_MAX,
    };
    const struct observed observed = { .hosts = &host, .host_count = 1 };
    struct observed back = read_good(&arena, written(&arena, &observed));

    ck_assert_uint_eq(back.hosts[0].memory_kib, UINT64_C(1) << 53);
    ck_assert_uint_eq(back.hosts[0].cpus, UINT32_MAX);
}
END_TEST

#define MEMBER(host_member)                                                          \
    "{\"hosts\":[{\"name\":\"kvm1\",\"reachable\":true,\"memory_kib\":1,\"cpus\":1," \
    "\"guests\":[]," host_member "}]}"
#define TEN "[[[[[[[[[["

static const struct {
    const char *json;
    const char *message;
} refusals[] = {
    /* No JSON. */
    { "", "empty" },
    { " \n", "empty" },
    { "[]", "must be an object" },
    { "{", "line 1: ends too early" },
    { "{\"hosts\":[]", "line 1: ends too early" },
    { "{\"hosts\":[]}\n\nx", "line 3: something follows the end" },
    { "{\"hosts\":[],}", "line 1: expected a member's name in quotes" },
    { "{\"hosts\" []}", "line 1: expected ':'" },
    { "{\n\"hosts\":[]\n\"at\":null}", "line 3: expected ',' or '}'" },
    { "{\"x\":[1 2]}", "line 1: expected ',' or ']'" },
    { "{\"x\":01}", "line 1: not a value" },
    { "{\"x\":1.}", "line 1: not a value" },
    { "{\"x\":tru}", "line 1: not a value" },
    { "{\"x\":\"a", "line 1: ends too early" },
    { "{\"x\":\"a\nb\"}", "line 1: not a valid character of a string" },
    { "{\"x\":\"\\q\"}", "line 1: not a valid character of a string" },
    { "{\"x\":\"\\u0000\"}", "line 1: not a valid character of a string" },
    { "{\"x\":\"\\ud800\"}", "line 1: not a valid character of a string" },
    { "{\"x\":\"\\udc00\\ud800\"}", "line 1: not a valid character of a string" },
    { "{\"x\":\"\xff\"}", "line 1: not a valid character of a string" },
    { "{\"x\":\"\xed\xa0\x80\"}", "line 1: not a valid character of a string" },
    { "{\"x\":" TEN TEN, "nested more than 16 deep" },
    /* No observation. */
    { "{}", "hosts: is missing" },
    { "{\"hosts\":null}", "hosts: is missing" },
    { "{\"hosts\":{}}", "hosts: must be an array" },
    { "{\"hosts\":[7]}", "hosts[0]: must be an object" },
    { "{\"hosts\":[],\"hosts\":[]}", "hosts: is there twice" },
    { "{\"format\":\"berth.observed/2\",\"hosts\":[]}", "format: must be \"berth.observed/1\"" },
    { "{\"at\":\"yesterday\",\"hosts\":[]}", "at: not an instant such as 2026-11-23T12:00:00Z" },
    { "{\"hosts\":[{}]}", "hosts[0].name: is missing" },
    { DOCUMENT(HOST("kvm1", "") "," HOST("-x", "")), "hosts[1].name: not a host name" },
    { DOCUMENT(HOST("k\\u001bvm", "")), "hosts[0].name: not a host name" },
    { DOCUMENT(HOST("kvm1", "") "," HOST("kvm2", "") "," HOST("kvm1", "")),
      "hosts[2].name: 'kvm1' is there twice" },
    { DOCUMENT(HOST("kvm1", GUEST("vm1", "7"))), "hosts[0].guests[0].uuid: not a UUID" },
    { DOCUMENT(HOST("kvm1", GUEST("vm1", UUID_1) "," GUEST("vm2", "C0FFEE00-0000-4000-8000-"
                                                                  "000000000001"))),
      "hosts[0].guests[1].uuid: '" UUID_1 "' is twice on 'kvm1'" },
    { DOCUMENT(HOST("kvm1", "{\"name\":\"vm1\",\"uuid\":\"" UUID_1 "\",\"state\":\"asleep\"}")),
      "hosts[0].guests[0].state: must be one of running, shutoff, paused, crashed, other" },
    { DOCUMENT(HOST("kvm1", "{\"name\":\"vm1\",\"uuid\":\"" UUID_1 "\",\"state\":\"running\"}")),
      "hosts[0].guests[0].memory_kib: is missing" },
    { MEMBER("\"free_kib\":-1"),
      "hosts[0].free_kib: must be an integer from 0 to 9007199254740992" },
    { MEMBER("\"free_kib\":1.0"),
      "hosts[0].free_kib: must be an integer from 0 to 9007199254740992" },
    { MEMBER("\"free_kib\":1e3"),
      "hosts[0].free_kib: must be an integer from 0 to 9007199254740992" },
    { MEMBER("\"free_kib\":\"1\""),
      "hosts[0].free_kib: must be an integer from 0 to 9007199254740992" },
    { MEMBER("\"free_kib\":9007199254740993"),
      "hosts[0].free_kib: must be an integer from 0 to 9007199254740992" },
    { MEMBER("\"free_kib\":18446744073709551617"),
      "hosts[0].free_kib: must be an integer from 0 to 9007199254740992" },
    { MEMBER("\"free_kib\":007"),
      "hosts[0].free_kib: must be an integer from 0 to 9007199254740992" },
    { MEMBER("\"cpus\":1"), "hosts[0].cpus: is there twice" },
    { MEMBER("\"arch\":7"), "hosts[0].arch: must be a string" },
    { MEMBER("\"machines\":[\"q35\",7]"), "hosts[0].machines[1]: must be a string" },
    { MEMBER("\"hugepages\":[{\"page_kib\":1,\"total\":1}]"),
      "hosts[0].hugepages[0].free: is missing" },
    { MEMBER("\"hugepages\":[{\"page_kib\":3000,\"total\":1,\"free\":1}]"),
      "hosts[0].hugepages[0].page_kib: 3000 is no size of huge pages" },
    { MEMBER("\"hugepages\":[{\"page_kib\":4,\"total\":1,\"free\":1}]"),
      "hosts[0].hugepages[0].page_kib: 4 is no size of huge pages" },
    { MEMBER("\"hugepages\":[{\"page_kib\":2048,\"total\":1,\"free\":1},"
             "{\"page_kib\":2048,\"total\":1,\"free\":1}]"),
      "hosts[0].hugepages[1].page_kib: 2048 is there twice" },
    { "{\"hosts\":[{\"name\":\"kvm1\",\"reachable\":1}]}",
      "hosts[0].reachable: must be true or false" },
    { "{\"hosts\":[{\"name\":\"kvm1\",\"reachable\":true,\"memory_kib\":1,"
      "\"cpus\":4294967296,\"guests\":[]}]}",
      "hosts[0].cpus: must be an integer from 0 to 4294967295" },
    { "{\"hosts\":[],\"in_flight\":[{\"guest\":\"vm1\",\"from\":\"a\",\"to\":\"b\","
      "\"mode\":\"warp\"}]}",
      "in_flight[0].mode: must be one of live, offline, cold, stop, forced" },
};

START_TEST(what_is_wrong_is_told_with_its_place)
{
    assert_refused(refusals[_i].json, refusals[_i].message);
}
END_TEST

START_TEST(a_string_that_is_too_long_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text json = text_new(&arena);

    text_append(&json, "{\"hosts\":[{\"name\":\"kvm1\",\"error\":\"");
    text_fill(&json, 'x', 5000);
    text_append(&json, "\"}]}");
    assert_refused(json.data, "hosts[0].error: longer than 4096 bytes");
}
END_TEST

START_TEST(a_string_that_is_passed_over_may_have_any_length)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text json = text_new(&arena);
    struct observed observed;

    text_append(&json, "{\"new\":\"");
    text_fill(&json, 'x', 100000);
    text_append(&json, "\",\"hosts\":[]}");
    observed = read_good(&arena, json.data);
    ck_assert_uint_eq(observed.host_count, 0);
}
END_TEST

START_TEST(a_document_cut_anywhere_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t length = 0; length < sizeof(full) - 2; length++) {
        char *cut = malloc(length); /* So that a sanitizer sees the end. */
        struct observed observed;
        struct err err;

        ck_assert_ptr_nonnull(cut);
        memcpy(cut, full, length);
        ck_assert_int_eq(observed_json_read(&arena, cut, length, &observed, &err), -1);
        free(cut);
    }
}
END_TEST

START_TEST(a_document_beyond_the_limit_is_not_even_looked_at)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed;
    struct err err;

    ck_assert_int_eq(observed_json_read(&arena, "{}", OBSERVED_JSON_MAX_BYTES + 1, &observed, &err),
                     -1);
    ck_assert_str_eq(err.text, "larger than 256 MiB");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("observed_json");
    TCase *tcase = tcase_create("observed_json");

    tcase_add_test(tcase, what_is_written_is_read_back_to_the_byte);
    tcase_add_test(tcase, every_member_reaches_its_field);
    tcase_add_test(tcase, a_guest_may_have_any_name);
    tcase_add_test(tcase, an_absent_optional_member_is_unknown);
    tcase_add_test(tcase, null_is_the_same_as_absent);
    tcase_add_test(tcase, members_of_a_later_version_are_passed_over);
    tcase_add_test(tcase, a_reason_of_a_later_version_is_unknown);
    tcase_add_test(tcase, the_order_of_the_document_does_not_matter);
    tcase_add_test(tcase, a_uuid_is_kept_in_lower_case);
    tcase_add_test(tcase, the_same_guest_may_be_on_two_hosts);
    tcase_add_test(tcase, escapes_mean_their_characters);
    tcase_add_test(tcase, what_a_host_says_comes_out_as_valid_json);
    tcase_add_test(tcase, the_largest_numbers_survive);
    tcase_add_loop_test(tcase, what_is_wrong_is_told_with_its_place, 0, (int)ARRAY_LEN(refusals));
    tcase_add_test(tcase, a_string_that_is_too_long_is_refused);
    tcase_add_test(tcase, a_string_that_is_passed_over_may_have_any_length);
    tcase_add_test(tcase, a_document_cut_anywhere_is_refused);
    tcase_add_test(tcase, a_document_beyond_the_limit_is_not_even_looked_at);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
