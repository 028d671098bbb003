/* SPDX-License-Identifier: Apache-2.0 */

/* What a platform provides for a guest: its names, its order, its text. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/profile.h"
#include "model/supply.h"
#include "model/supply_json.h"
#include "tests/runner.h"

static const struct supply some[] = {
    { .kind = SUPPLY_VOLUME, .name = "vm1_u01", .device = "/dev/exc/vm1_u01" },
    { .kind = SUPPLY_BRIDGE, .name = "vmbondeth1" },
    { .kind = SUPPLY_VOLUME, .name = "vm1_sys", .device = "/dev/exc/vm1_sys" },
    { .kind = SUPPLY_BRIDGE, .name = "vmbondeth0" },
    { .kind = SUPPLY_BRIDGE, .name = "vmbondeth1" },
    { .kind = SUPPLY_INTERFACE, .name = "0000:3b:02.1" },
};

static const char some_text[] =
    "{\"format\":\"berth.supplies/1\",\"items\":["
    "{\"kind\":\"bridge\",\"name\":\"vmbondeth0\"},{\"kind\":\"bridge\",\"name\":\"vmbondeth1\"},"
    "{\"kind\":\"interface\",\"name\":\"0000:3b:02.1\"},"
    "{\"kind\":\"volume\",\"name\":\"vm1_sys\",\"device\":\"/dev/exc/vm1_sys\"},"
    "{\"kind\":\"volume\",\"name\":\"vm1_u01\",\"device\":\"/dev/exc/vm1_u01\"}]}";

static struct supply_list make(struct arena *arena, const struct supply *items, size_t count)
{
    struct supply_list list;
    struct err err;

    ck_assert_msg(supply_list_make(arena, items, count, &list, &err) == 0, "%s", err.text);
    return list;
}

START_TEST(every_kind_has_a_name_that_leads_back)
{
    for (enum supply_kind kind = SUPPLY_NONE; kind < SUPPLY_KIND_COUNT; kind++) {
        ck_assert_int_eq(supply_kind_from_name(supply_kind_name(kind)), kind);
    }
    ck_assert_int_eq(supply_kind_from_name("network"), SUPPLY_KIND_COUNT);
}
END_TEST

START_TEST(what_could_be_an_option_a_path_or_shell_code_is_no_name)
{
    static const char *const good[] = {
        "v", "vm1_sys", "exa01vm01.example.com", "0000:3b:02.1", "a@b+c-d", "_x", "9"
    };
    static const char *const bad[] = { "",      "-rf", ".hidden",  "a b",  "a;b",
                                       "$(id)", "a/b", "a\nb",     "a'b",  "a\"b",
                                       "a\\b",  "..",  "\xc3\xa9", "a{b}", "a\x7f" };
    char longest[130];

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        ck_assert_msg(supply_is_name(good[i]), "'%s'", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_msg(!supply_is_name(bad[i]), "'%s'", bad[i]);
    }
    memset(longest, 'x', sizeof(longest));
    longest[129] = '\0';
    ck_assert(!supply_is_name(longest));
    longest[128] = '\0';
    ck_assert(supply_is_name(longest));
}
END_TEST

START_TEST(a_device_is_an_absolute_path_of_plain_characters)
{
    static const char *const bad[] = { "",       "dev/x",    "/dev/../x", "/dev/a b", "/dev/a\nb",
                                       "/dev/'", "/dev/a\\", "/dev/\"",   "/dev/\x01" };

    ck_assert(supply_is_device("/dev/exc/vm1_sys_95d9"));
    ck_assert(supply_is_device("/dev/disk/by-id/wwn-0x5000@1:2,3=4"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_msg(!supply_is_device(bad[i]), "'%s'", bad[i]);
    }
}
END_TEST

START_TEST(a_pci_function_is_told_by_the_form_of_its_address)
{
    static const char *const good[] = { "0000:3b:02.1", "10000:e1:00.0", "0000:00:1f.7" };
    static const char *const bad[] = { "",
                                       "vf0",
                                       "3b:02.1",
                                       "000:3b:02.1",
                                       "000000000:3b:02.1",
                                       "0000:3B:02.1",
                                       "0000:3b:02.8",
                                       "0000:3b:02.1 ",
                                       "0000:3b:02",
                                       "0000.3b.02.1",
                                       "0000:3b:02.1.1",
                                       "cafe" };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        ck_assert_msg(supply_is_pci_function(good[i]) && supply_is_name(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_msg(!supply_is_pci_function(bad[i]), "%s", bad[i]);
    }
}
END_TEST

START_TEST(a_list_is_sorted_and_has_each_thing_once)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct supply_list list = make(&arena, some, ARRAY_LEN(some));

    ck_assert_uint_eq(list.count, 5);
    ck_assert_str_eq(list.items[0].name, "vmbondeth0");
    ck_assert_str_eq(list.items[4].name, "vm1_u01");
    ck_assert_ptr_ne(list.items[4].name, some[0].name);
}
END_TEST

START_TEST(of_one_volume_told_with_and_without_its_device_the_device_stays)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct supply volumes[] = { { .kind = SUPPLY_VOLUME, .name = "v" },
                                      { .kind = SUPPLY_VOLUME, .name = "v", .device = "/dev/v" } };
    const struct supply_list list = make(&arena, volumes, ARRAY_LEN(volumes));

    ck_assert_uint_eq(list.count, 1);
    ck_assert_str_eq(list.items[0].device, "/dev/v");
}
END_TEST

START_TEST(a_list_tells_its_kinds_and_the_part_of_each)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct supply_list list = make(&arena, some, ARRAY_LEN(some));
    const struct supply_list empty = { .count = 0 };

    ck_assert_uint_eq(supply_list_kinds(&list), SUPPLY_BIT(SUPPLY_BRIDGE) |
                                                    SUPPLY_BIT(SUPPLY_INTERFACE) |
                                                    SUPPLY_BIT(SUPPLY_VOLUME));
    ck_assert_uint_eq(supply_list_of(&list, SUPPLY_VOLUME).count, 2);
    ck_assert_str_eq(supply_list_of(&list, SUPPLY_VOLUME).items[0].name, "vm1_sys");
    ck_assert_uint_eq(supply_list_of(&list, SUPPLY_CONFIG).count, 0);
    ck_assert(supply_list_has(&list, SUPPLY_BRIDGE, "vmbondeth1"));
    ck_assert(!supply_list_has(&list, SUPPLY_VOLUME, "vmbondeth1"));
    ck_assert_uint_eq(supply_list_kinds(&empty), 0);
    ck_assert_uint_eq(supply_list_of(&empty, SUPPLY_BRIDGE).count, 0);
    ck_assert(!supply_list_has(&empty, SUPPLY_BRIDGE, "x"));
}
END_TEST

START_TEST(a_name_that_is_none_makes_no_list_and_is_named)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const struct supply bad[] = {
        { .kind = SUPPLY_VOLUME, .name = "-rf" },
        { .kind = SUPPLY_VOLUME },
        { .kind = SUPPLY_VOLUME, .name = "v", .device = "/dev/\x1b[2J" },
        { .kind = SUPPLY_NONE, .name = "v" },
        { .kind = SUPPLY_KIND_COUNT, .name = "v" }
    };
    struct supply_list list;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_int_eq(supply_list_make(&arena, &bad[i], 1, &list, &err), -1);
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_ptr_null(strchr(err.text, '\x1b'));
    }
    ck_assert_int_eq(supply_list_make(&arena, &bad[0], 1, &list, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "'-rf'"));
}
END_TEST

START_TEST(a_list_is_the_same_text_in_whatever_order_it_was_told)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct supply turned[ARRAY_LEN(some)];
    struct supply_list list = make(&arena, some, ARRAY_LEN(some));

    ck_assert_str_eq(supply_json_write(&arena, &list), some_text);
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        turned[i] = some[ARRAY_LEN(some) - 1 - i];
    }
    list = make(&arena, turned, ARRAY_LEN(turned));
    ck_assert_str_eq(supply_json_write(&arena, &list), some_text);
}
END_TEST

START_TEST(a_text_is_read_back_to_the_same_list)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct supply_list list = { .count = 0 };
    struct err err;

    ck_assert_int_eq(supply_json_read(&arena, some_text, strlen(some_text), &list, &err), 0);
    ck_assert_str_eq(supply_json_write(&arena, &list), some_text);
    list = supply_list_copy(&arena, &list);
    ck_assert_str_eq(supply_json_write(&arena, &list), some_text);
}
END_TEST

START_TEST(what_a_volume_was_is_kept_with_it_and_bounded)
{
    const struct supply told = {
        .kind = SUPPLY_VOLUME, .name = "v", .device = "/dev/v", .identity = "wwid:naa.600 1"
    };
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct supply untold = told;
    struct supply_list list;
    struct supply_list read;
    struct err err = { 0 };
    char long_one[1026];
    const char *text;

    ck_assert_int_eq(supply_list_make(&arena, &told, 1, &list, &err), 0);
    text = supply_json_write(&arena, &list);
    ck_assert_int_eq(supply_json_read(&arena, text, strlen(text), &read, &err), 0);
    ck_assert_str_eq(read.items[0].identity, told.identity);
    list = supply_list_copy(&arena, &read);
    ck_assert_str_eq(list.items[0].identity, told.identity);
    untold.identity = NULL;
    list = supply_list_identify(&arena, &(struct supply_list){ &untold, 1 }, &read);
    ck_assert_str_eq(list.items[0].identity, told.identity);
    list = supply_list_identify(&arena, &read, &(struct supply_list){ &untold, 1 });
    ck_assert_str_eq(list.items[0].identity, told.identity);

    memset(long_one, 'x', sizeof(long_one));
    long_one[1025] = '\0';
    ck_assert(!supply_is_identity(long_one));
    long_one[1024] = '\0';
    ck_assert(supply_is_identity(long_one));
    ck_assert(!supply_is_identity(""));
    ck_assert(!supply_is_identity("a\nb"));
    untold.identity = "a\nb";
    ck_assert_int_eq(supply_list_make(&arena, &untold, 1, &list, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "'v'"));
}
END_TEST

START_TEST(volumes_of_one_pool_are_told_apart_and_a_pool_without_one_is_none)
{
    const struct supply pools[] = { { .kind = SUPPLY_POOL, .name = "p", .volume = "b c" },
                                    { .kind = SUPPLY_POOL, .name = "p", .volume = "a" },
                                    { .kind = SUPPLY_POOL, .name = "p", .volume = "a" } };
    const struct supply bad[] = { { .kind = SUPPLY_POOL, .name = "p" },
                                  { .kind = SUPPLY_POOL, .name = "p", .volume = "" },
                                  { .kind = SUPPLY_POOL, .name = "p", .volume = "a\nb" },
                                  { .kind = SUPPLY_VOLUME, .name = "p", .volume = "a" } };
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct supply_list list;
    struct supply_list read;
    struct err err = { 0 };
    const char *text;

    ck_assert_int_eq(supply_list_make(&arena, pools, ARRAY_LEN(pools), &list, &err), 0);
    ck_assert_uint_eq(list.count, 2);
    text = supply_json_write(&arena, &list);
    ck_assert_int_eq(supply_json_read(&arena, text, strlen(text), &read, &err), 0);
    ck_assert_str_eq(read.items[0].volume, "a");
    ck_assert_str_eq(read.items[1].volume, "b c");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_int_eq(supply_list_make(&arena, &bad[i], 1, &list, &err), -1);
    }
}
END_TEST

START_TEST(a_text_that_is_no_list_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char *const bad[] = {
        "",
        "[]",
        "{\"items\":[{\"kind\":\"network\",\"name\":\"x\"}]}",
        "{\"items\":[{\"kind\":\"\",\"name\":\"x\"}]}",
        "{\"items\":[{\"kind\":\"volume\",\"name\":\"-x\"}]}",
        "{\"items\":[{\"kind\":\"volume\"}]}",
        "{\"items\":[{\"kind\":\"volume\",\"name\":\"x\",\"device\":\"x\"}]}",
        "{\"items\":[]} x",
    };
    struct supply_list list;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_msg(supply_json_read(&arena, bad[i], strlen(bad[i]), &list, &err) == -1, "%s",
                      bad[i]);
        ck_assert_int_eq(err.code, ERR_INVALID);
    }
}
END_TEST

/* vm1 has two volumes, the second of which has its configuration too; vm2 has none. */
static const struct desired_volume volumes[] = {
    { "v0", "vm1_sys", "/dev/exc/vm1_sys_95d9" },
    { "v1", NULL, "/dev/exc/vm1_conf" },
};
static const uint32_t volume_refs[] = { 0, 1 };
static const struct desired_guest guests[] = { { .name = "vm1", .volume_count = 2 },
                                               { .name = "vm2" } };
static const struct desired desired = {
    .guests = guests,
    .guest_count = 2,
    .volumes = volumes,
    .volume_count = 2,
    .volume_refs = volume_refs,
};
static const struct supply used[] = {
    { .kind = SUPPLY_BRIDGE, .name = "br7" },
    { .kind = SUPPLY_BRIDGE, .name = "vmnat0" },
    { .kind = SUPPLY_VOLUME, .name = "vm1_x", .device = "/dev/exc/vm1_x" }
};
static const struct observed_guest observed = { .supplies = { used, ARRAY_LEN(used) } };
static const char *const conf_names[] = { "*_conf", NULL };
static const char *const nat_names[] = { "vmnat*", NULL };

static struct profile platform(void)
{
    return (struct profile){
        .name = "p",
        .supplies = { [SUPPLY_BRIDGE] = { .given = true },
                      [SUPPLY_NAT_BRIDGE] = { .given = true, .names = nat_names },
                      [SUPPLY_VOLUME] = { .given = true },
                      [SUPPLY_CONFIG] = { .given = true, .names = conf_names } },
    };
}

START_TEST(a_guest_gets_the_volumes_of_the_file_and_the_bridges_of_its_definition)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile profile = platform();
    struct supply_list list;
    struct err err;

    ck_assert_int_eq(supply_of_guest(&arena, &profile, &desired, "vm1", &observed, &list, &err), 0);
    ck_assert_str_eq(supply_json_write(&arena, &list),
                     "{\"format\":\"berth.supplies/1\",\"items\":["
                     "{\"kind\":\"bridge\",\"name\":\"br7\"},"
                     "{\"kind\":\"nat-bridge\",\"name\":\"vmnat0\"},"
                     "{\"kind\":\"volume\",\"name\":\"vm1_conf\",\"device\":\"/dev/exc/vm1_conf\"},"
                     "{\"kind\":\"volume\",\"name\":\"vm1_sys\","
                     "\"device\":\"/dev/exc/vm1_sys_95d9\"},"
                     "{\"kind\":\"config\",\"name\":\"vm1_conf\","
                     "\"device\":\"/dev/exc/vm1_conf\"}]}");
}
END_TEST

START_TEST(where_the_file_names_no_volume_the_disks_of_the_definition_are_taken)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile profile = platform();
    struct supply_list list;
    struct err err;

    ck_assert_int_eq(supply_of_guest(&arena, &profile, &desired, "vm2", &observed, &list, &err), 0);
    ck_assert(supply_list_has(&list, SUPPLY_VOLUME, "vm1_x"));
    ck_assert_int_eq(supply_of_guest(&arena, &profile, &desired, "gone", NULL, &list, &err), 0);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(a_platform_that_provides_nothing_gives_a_guest_nothing)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct supply_list list;
    struct err err;

    ck_assert_int_eq(
        supply_of_guest(&arena, profile_default(), &desired, "vm1", &observed, &list, &err), 0);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(a_volume_of_the_file_whose_name_cannot_be_passed_on_is_told_with_its_guest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct desired_volume evil[] = { { "v0", "$(reboot)", "/dev/x" }, volumes[1] };
    const struct profile profile = platform();
    struct desired file = desired;
    struct supply_list list;
    struct err err;

    file.volumes = evil;
    ck_assert_int_eq(supply_of_guest(&arena, &profile, &file, "vm1", NULL, &list, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "'vm1'"));
    ck_assert_ptr_nonnull(strstr(err.text, "$(reboot)"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("supply");
    TCase *tcase = tcase_create("supply");

    tcase_add_test(tcase, every_kind_has_a_name_that_leads_back);
    tcase_add_test(tcase, what_could_be_an_option_a_path_or_shell_code_is_no_name);
    tcase_add_test(tcase, a_device_is_an_absolute_path_of_plain_characters);
    tcase_add_test(tcase, a_pci_function_is_told_by_the_form_of_its_address);
    tcase_add_test(tcase, a_list_is_sorted_and_has_each_thing_once);
    tcase_add_test(tcase, of_one_volume_told_with_and_without_its_device_the_device_stays);
    tcase_add_test(tcase, a_list_tells_its_kinds_and_the_part_of_each);
    tcase_add_test(tcase, a_name_that_is_none_makes_no_list_and_is_named);
    tcase_add_test(tcase, a_list_is_the_same_text_in_whatever_order_it_was_told);
    tcase_add_test(tcase, a_text_is_read_back_to_the_same_list);
    tcase_add_test(tcase, what_a_volume_was_is_kept_with_it_and_bounded);
    tcase_add_test(tcase, volumes_of_one_pool_are_told_apart_and_a_pool_without_one_is_none);
    tcase_add_test(tcase, a_text_that_is_no_list_is_refused);
    tcase_add_test(tcase, a_guest_gets_the_volumes_of_the_file_and_the_bridges_of_its_definition);
    tcase_add_test(tcase, where_the_file_names_no_volume_the_disks_of_the_definition_are_taken);
    tcase_add_test(tcase, a_platform_that_provides_nothing_gives_a_guest_nothing);
    tcase_add_test(tcase,
                   a_volume_of_the_file_whose_name_cannot_be_passed_on_is_told_with_its_guest);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
