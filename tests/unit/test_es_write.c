/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_write.h"
#include "tests/runner.h"
#include "tests/unit/read_es_xml.h"

static const char *write_text(struct arena *arena, const struct desired *desired)
{
    struct text text = text_new(arena);

    es_write_document(&text, desired);
    ck_assert_uint_eq(text.length, strlen(text.data));
    return text.data;
}

static void assert_survives(struct arena *arena, const struct desired *desired)
{
    struct desired again = read_text(arena, write_text(arena, desired));
    const char *difference = desired_difference(desired, &again);

    ck_assert_msg(difference == NULL, "%s changed", difference);
}

/* A state with one of everything: values that must be escaped, clusters of one name, absent texts. */
static struct desired one_of_everything(void)
{
    static const struct desired_host hosts[] = {
        { .name = "kvm1", .id = "a&b<c>\"d\"'\t\n\r ", .memory_kib = UINT64_C(1536) << 20 },
        { .name = "kvm2",
          .id = "\xc3\xa9",
          .rack_family = "X10M <new> & \"old\"\r\n'x'",
          .memory_kib = 1025 },
        { .name = "kvm3", .id = "h3" },
    };
    static const char *const clusters[] = { "one", "one", "one & two", "zoo" };
    static const uint32_t cluster_refs[] = { 1, 2, 2 };
    static const struct desired_volume volumes[] = {
        { .id = "v1" },
        { .id = "v2", .name = "sys", .device = "/dev/exc/sys_1" },
        { .id = "v3", .device = "/dev/exc/data" },
    };
    static const uint32_t volume_refs[] = { 0, 1, 2, 1 };
    static const struct desired_guest guests[] = {
        { .name = "vm1",
          .id = "g1",
          .memory_kib = UINT64_C(64) << 20,
          .vcpus = 8,
          .host = 2,
          .first_cluster = 0,
          .cluster_count = 2,
          .first_volume = 0,
          .volume_count = 3 },
        { .name = "vm2",
          .id = "g2",
          .memory_kib = 96 * 1024,
          .host = 0,
          .first_cluster = 2,
          .cluster_count = 1,
          .first_volume = 3,
          .pending_action = "28 <" },
        { .name = "vm3",
          .id = "g3",
          .vcpus = 4096,
          .host = 2,
          .first_cluster = 3,
          .first_volume = 3,
          .volume_count = 1 },
    };

    return (struct desired){
        .hosts = hosts,
        .host_count = ARRAY_LEN(hosts),
        .guests = guests,
        .guest_count = ARRAY_LEN(guests),
        .clusters = clusters,
        .cluster_count = ARRAY_LEN(clusters),
        .cluster_refs = cluster_refs,
        .volumes = volumes,
        .volume_count = ARRAY_LEN(volumes),
        .volume_refs = volume_refs,
    };
}

START_TEST(written_state_reads_back_the_same)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct desired desired = one_of_everything();

    assert_survives(&arena, &desired);
}
END_TEST

START_TEST(written_text_is_the_same_after_reading_it_back)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct desired desired = one_of_everything();
    const char *first = write_text(&arena, &desired);
    struct desired again = read_text(&arena, first);

    ck_assert_str_eq(first, write_text(&arena, &again));
}
END_TEST

START_TEST(empty_state_is_an_empty_document)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct desired desired = { 0 };

    ck_assert_str_eq(write_text(&arena, &desired), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                                   "<engineeredSystem xmlns=\"model\">\n"
                                                   "  <machines>\n"
                                                   "  </machines>\n"
                                                   "</engineeredSystem>\n");
}
END_TEST

/* As 'berth discover' builds it: nothing but names, sizes and places. */
START_TEST(ids_that_are_not_given_come_from_names)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct desired_host host = { .name = "kvm1", .memory_kib = UINT64_C(8) << 20 };
    const struct desired_guest guest = { .name = "vm1", .vcpus = 2, .memory_kib = 98304 };
    const struct desired desired = {
        .hosts = &host, .host_count = 1, .guests = &guest, .guest_count = 1
    };

    ck_assert_str_eq(write_text(&arena, &desired),
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<engineeredSystem xmlns=\"model\">\n"
                     "  <machines>\n"
                     "    <machine id=\"kvm1_id\">\n"
                     "      <hostName>kvm1</hostName>\n"
                     "      <machineType>compute</machineType>\n"
                     "      <virtual>false</virtual>\n"
                     "      <osType>LinuxKVM</osType>\n"
                     "      <physicalMemorySize>8Gb</physicalMemorySize>\n"
                     "      <machine id=\"vm1_id\"/>\n"
                     "    </machine>\n"
                     "    <machine id=\"vm1_id\">\n"
                     "      <hostName>vm1</hostName>\n"
                     "      <machineType>compute</machineType>\n"
                     "      <virtual>true</virtual>\n"
                     "      <osType>LinuxKVMGuest</osType>\n"
                     "      <guestCores>2</guestCores>\n"
                     "      <guestMemory>96Mb</guestMemory>\n"
                     "    </machine>\n"
                     "  </machines>\n"
                     "</engineeredSystem>\n");
}
END_TEST

START_TEST(volumes_without_ids_keep_their_order)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct desired_host host = { .name = "kvm1" };
    struct desired_volume volumes[12] = { 0 };
    uint32_t refs[12];
    const struct desired_guest guest = { .name = "vm1", .volume_count = 12 };
    const struct desired desired = {
        .hosts = &host,
        .host_count = 1,
        .guests = &guest,
        .guest_count = 1,
        .volumes = volumes,
        .volume_count = 12,
        .volume_refs = refs,
    };
    struct desired again;

    for (uint32_t i = 0; i < ARRAY_LEN(volumes); i++) {
        refs[i] = i;
        volumes[i].name = text_format(&arena, "disk%u", 20 - i);
    }
    again = read_text(&arena, write_text(&arena, &desired));
    for (size_t i = 0; i < ARRAY_LEN(volumes); i++) {
        ck_assert_str_eq(again.volumes[i].name, volumes[i].name);
        ck_assert_uint_eq(again.volume_refs[i], i);
    }
}
END_TEST

static const char *const examples[] = { "small.xml", "twelve-hosts.xml" };

START_TEST(examples_survive_writing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *root = getenv("BERTH_SOURCE_DIR");
    struct desired desired;
    struct err err;
    char *bytes = NULL;
    size_t length = 0;

    ck_assert_ptr_nonnull(root);
    ck_assert_msg(file_read(&arena,
                            text_format(&arena, "%s/configs/examples/%s", root, examples[_i]),
                            ES_XML_MAX_BYTES, &bytes, &length, &err) == 0,
                  "%s", err.text);
    desired = read_text(&arena, bytes);
    ck_assert_uint_gt(desired.guest_count, 3);
    assert_survives(&arena, &desired);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("es_write");
    TCase *tcase = tcase_create("write");

    tcase_add_test(tcase, written_state_reads_back_the_same);
    tcase_add_test(tcase, written_text_is_the_same_after_reading_it_back);
    tcase_add_test(tcase, empty_state_is_an_empty_document);
    tcase_add_test(tcase, ids_that_are_not_given_come_from_names);
    tcase_add_test(tcase, volumes_without_ids_keep_their_order);
    tcase_add_loop_test(tcase, examples_survive_writing, 0, ARRAY_LEN(examples));
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
