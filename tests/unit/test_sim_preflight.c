/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "actuators/sim_json.h"
#include "actuators/sim_preflight.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"
#include "tests/runner.h"

#define VM1 "00000000-0000-4000-8000-000000000001"
#define VM2 "00000000-0000-4000-8000-000000000002"

/* Two hosts of 8 GiB that differ in nothing; vm1 of 2 GiB runs on kvm1.  %s: more of vm1, of kvm1, the
 * room of kvm2, and more of it. */
#define FLEET                                                                               \
    "{\"format\":\"berth.sim/1\",\"hosts\":[{\"name\":\"kvm1\",\"memory_kib\":8388608,"     \
    "\"cpus\":8,\"guests\":[{\"name\":\"vm1\",\"uuid\":\"" VM1 "\",\"memory_kib\":2097152," \
    "\"vcpus\":2%s}]%s},{\"name\":\"kvm2\"%s%s}]}"

#define GUEST_THERE(name, uuid)                                                         \
    ",\"guests\":[{\"name\":\"" name "\",\"uuid\":\"" uuid "\",\"memory_kib\":1048576," \
    "\"vcpus\":1,\"state\":\"shutoff\"}]"

#define ROOM ",\"memory_kib\":8388608,\"cpus\":8"

static struct check_list check_move(struct arena *arena, const char *json, enum move_mode mode,
                                    const char *uuid)
{
    struct check_list list = check_list(arena);
    const struct op op = { .kind = OP_PREFLIGHT,
                           .guest = "vm1",
                           .uuid = uuid,
                           .host = "kvm1",
                           .peer = "kvm2",
                           .mode = mode };
    struct sim_fleet fleet;
    struct err err;

    ck_assert_msg(sim_json_read(arena, json, strlen(json), &fleet, &err) == 0, "%s", err.text);
    sim_preflight_run(&fleet, &op, &fleet.hosts[0], &fleet.hosts[1], &list);
    return list;
}

/* What is not like the others: each case spoils one check, and no other. */
START_TEST(each_check_finds_what_it_looks_for_and_nothing_else)
{
    static const struct {
        enum check_kind kind;
        enum check_result result;
        enum err_code code;
        enum move_mode mode;
        const char *guest;
        const char *source;
        const char *target;
        const char *room; /* NULL = ROOM. */
    } cases[] = {
        { CHECK_STATE, CHECK_FAILED, ERR_CONFLICT, MOVE_LIVE, ",\"state\":\"shutoff\"", "", "",
          NULL },
        { CHECK_STATE, CHECK_FAILED, ERR_CONFLICT, MOVE_COLD, "", "", "", NULL },
        { CHECK_STATE, CHECK_FAILED, ERR_UNSAFE, MOVE_LIVE,
          ",\"state\":\"paused\",\"reason\":\"io-error\"", "", "", NULL },
        { CHECK_STATE, CHECK_FAILED, ERR_UNSAFE, MOVE_OFFLINE,
          ",\"state\":\"paused\",\"reason\":\"user\"", "", "", NULL },
        { CHECK_STATE, CHECK_FAILED, ERR_UNSAFE, MOVE_OFFLINE, ",\"persistent\":false", "", "",
          NULL },
        { CHECK_STATE, CHECK_FAILED, ERR_CONFLICT, MOVE_LIVE, ",\"state\":\"crashed\"", "", "",
          NULL },
        { CHECK_UUID, CHECK_FAILED, ERR_EXISTS, MOVE_LIVE, "", "", GUEST_THERE("other", VM1),
          NULL },
        { CHECK_NAME, CHECK_FAILED, ERR_EXISTS, MOVE_LIVE, "", "", GUEST_THERE("vm1", VM2), NULL },
        { CHECK_SAVE, CHECK_FAILED, ERR_UNSAFE, MOVE_LIVE, ",\"managed_save\":true", "", "", NULL },
        { CHECK_SNAPSHOTS, CHECK_FAILED, ERR_UNSAFE, MOVE_LIVE, ",\"snapshots\":2", "", "", NULL },
        { CHECK_HOSTDEVS, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, ",\"hostdevs\":1", "", "",
          NULL },
        { CHECK_JOB, CHECK_FAILED, ERR_BUSY, MOVE_LIVE, ",\"job\":\"other\"", "", "", NULL },
        { CHECK_BLOCK_JOB, CHECK_FAILED, ERR_BUSY, MOVE_LIVE, ",\"block_job\":true", "", "", NULL },
        { CHECK_ARCH, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, "", "", ",\"arch\":\"aarch64\"",
          NULL },
        { CHECK_VERSION, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, "", "",
          ",\"qemu_version\":7001000", NULL },
        { CHECK_VERSION, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, "", "",
          ",\"libvirt_version\":8000000", NULL },
        { CHECK_MACHINE, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, "", "",
          ",\"machines\":[\"pc-q35-6.2\"]", NULL },
        { CHECK_CPU, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE,
          ",\"cpu_mode\":\"host-passthrough\"", "", ",\"cpu_fingerprint\":\"other\"", NULL },
        { CHECK_CPUS, CHECK_WARNED, ERR_NONE, MOVE_LIVE, "", "", "",
          ",\"memory_kib\":8388608,\"cpus\":1" },
        { CHECK_MEMORY, CHECK_FAILED, ERR_FAILED, MOVE_LIVE, "", "", "",
          ",\"memory_kib\":1048576,\"cpus\":8" },
        { CHECK_PAGES, CHECK_FAILED, ERR_FAILED, MOVE_LIVE, ",\"hugepage_kib\":2048",
          ",\"hugepages\":[{\"page_kib\":2048,\"total\":1024}]", "", NULL },
        { CHECK_NODES, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, ",\"numa_nodes\":2", "", "",
          NULL },
        { CHECK_CACHE, CHECK_FAILED, ERR_UNSAFE, MOVE_LIVE,
          ",\"disks\":[{\"path\":\"/dev/v1\",\"identity\":\"vol-1\",\"cache\":\"writeback\"}]", "",
          ",\"storage\":{\"/dev/v1\":\"vol-1\"}", NULL },
        { CHECK_STORAGE, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE,
          ",\"disks\":[{\"path\":\"/dev/v1\",\"identity\":\"vol-1\"}]", "", "", NULL },
        { CHECK_STORAGE, CHECK_FAILED, ERR_UNSAFE, MOVE_COLD,
          ",\"disks\":[{\"path\":\"/dev/v1\",\"identity\":\"vol-1\"}],\"state\":\"shutoff\"", "",
          ",\"storage\":{\"/dev/v1\":\"vol-2\"}", NULL },
        { CHECK_STORAGE, CHECK_FAILED, ERR_UNSAFE, MOVE_LIVE, ",\"has_nvram\":true", "", "", NULL },
        { CHECK_STORAGE, CHECK_FAILED, ERR_UNSAFE, MOVE_LIVE, ",\"has_tpm\":true", "", "", NULL },
        { CHECK_FILES, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, ",\"files\":[\"/boot/kernel\"]",
          "", "", NULL },
        { CHECK_BRIDGES, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, ",\"bridges\":[\"br7\"]",
          ",\"bridges\":[\"br7\"]", ",\"bridges\":[\"br8\"]", NULL },
        { CHECK_REACH, CHECK_FAILED, ERR_FAILED, MOVE_LIVE, "", "", ",\"hidden\":true", NULL },
        { CHECK_PORT, CHECK_FAILED, ERR_FAILED, MOVE_LIVE, "", "", ",\"walled\":true", NULL },
        { CHECK_LOCKS, CHECK_FAILED, ERR_INCOMPATIBLE, MOVE_LIVE, "", "",
          ",\"lock_manager\":\"sanlock\"", NULL },
        { CHECK_LOCKS, CHECK_WARNED, ERR_NONE, MOVE_LIVE, "", ",\"lock_manager\":\"nop\"",
          ",\"lock_manager\":\"nop\"", NULL },
        { CHECK_CLOCKS, CHECK_WARNED, ERR_NONE, MOVE_LIVE, "", "", ",\"clock_ms\":-1500", NULL },
        { CHECK_CLOCKS, CHECK_WARNED, ERR_NONE, MOVE_LIVE, "", "", ",\"clock_ms\":1001", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *json =
            text_format(&arena, FLEET, cases[i].guest, cases[i].source,
                        cases[i].room == NULL ? ROOM : cases[i].room, cases[i].target);
        struct check_list list = check_move(&arena, json, cases[i].mode, VM1);
        size_t found = 0;

        for (size_t j = 0; j < list.count; j++) {
            const struct check *check = &list.items[j];

            if (check->result == CHECK_PASSED) {
                ck_assert_ptr_null(check->change);
                continue;
            }
            ck_assert_msg(check->kind == cases[i].kind && check->result == cases[i].result &&
                              check->code == cases[i].code,
                          "case %zu: %s %s: %s", i, check_kind_name(check->kind),
                          check_result_name(check->result), check->evidence);
            ck_assert_ptr_nonnull(check->change);
            found++;
        }
        ck_assert_msg(found == 1, "case %zu: %s", i, check_kind_name(cases[i].kind));
    }
}
END_TEST

START_TEST(everything_that_is_wrong_is_told_at_once)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *json = text_format(&arena, FLEET, ",\"snapshots\":1,\"managed_save\":true", "",
                                   ROOM, ",\"walled\":true");
    struct check_list list = check_move(&arena, json, MOVE_LIVE, VM1);

    ck_assert_uint_eq(check_count(list.items, list.count, CHECK_FAILED), 3);
}
END_TEST

START_TEST(what_only_a_live_move_needs_is_looked_at_only_then)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *json =
        text_format(&arena, FLEET, ",\"hostdevs\":1", "", ROOM,
                    ",\"walled\":true,\"hidden\":true,\"clock_ms\":5000,\"qemu_version\":1");
    struct check_list live = check_move(&arena, json, MOVE_LIVE, VM1);
    struct check_list offline = check_move(&arena, json, MOVE_OFFLINE, VM1);

    ck_assert_uint_eq(check_count(live.items, live.count, CHECK_FAILED), 4);
    ck_assert_uint_eq(check_count(live.items, live.count, CHECK_WARNED), 1);
    ck_assert_uint_eq(check_count(offline.items, offline.count, CHECK_PASSED), offline.count);
}
END_TEST

START_TEST(a_guest_that_its_source_does_not_know_leaves_only_the_target_to_ask)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *json = text_format(&arena, FLEET, "", "", ROOM, "");
    struct check_list list = check_move(&arena, json, MOVE_LIVE, VM2);

    ck_assert_uint_eq(check_count(list.items, list.count, CHECK_FAILED), 1);
    ck_assert_uint_eq(check_count(list.items, list.count, CHECK_PASSED), 3);
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].result == CHECK_FAILED) {
            ck_assert_int_eq(list.items[i].kind, CHECK_STATE);
            ck_assert_int_eq(list.items[i].code, ERR_NOT_FOUND);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_preflight");
    TCase *tcase = tcase_create("checks");

    tcase_add_test(tcase, each_check_finds_what_it_looks_for_and_nothing_else);
    tcase_add_test(tcase, everything_that_is_wrong_is_told_at_once);
    tcase_add_test(tcase, what_only_a_live_move_needs_is_looked_at_only_then);
    tcase_add_test(tcase, a_guest_that_its_source_does_not_know_leaves_only_the_target_to_ask);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
