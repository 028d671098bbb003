/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "model/fault.h"
#include "reconciler/config.h"
#include "tests/runner.h"

#define GIB (UINT64_C(1024) * 1024)

/* A file of one test's. */
struct scratch {
    char path[32];
};

static void scratch_deinit(struct scratch *scratch)
{
    (void)unlink(scratch->path);
}

AUTO_VALUE(scratch, struct scratch, scratch_deinit);

static struct scratch scratch_new(const void *bytes, size_t length)
{
    struct scratch scratch = { .path = "/tmp/berth-conf-XXXXXX" };
    int fd = mkstemp(scratch.path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
    (void)close(fd);
    return scratch;
}

static struct config read_good(struct arena *arena, const char *text)
{
    AUTO(scratch) struct scratch scratch = scratch_new(text, strlen(text));
    struct faults faults = fault_list(arena);
    struct config config = { 0 };
    struct err err = { 0 };

    ck_assert_msg(config_read(arena, scratch.path, &config, &faults, &err) == 0, "%s",
                  faults.count > 0 ? faults.items[0].text : err.text);
    return config;
}

/* Every fault as "LINE: text\n". */
static const char *faults_of(struct arena *arena, const char *bytes, size_t length)
{
    AUTO(scratch) struct scratch scratch = scratch_new(bytes, length);
    struct faults faults = fault_list(arena);
    struct config config = { .host_count = 42 };
    struct text text = text_new(arena);
    struct err err = { 0 };

    ck_assert_int_eq(config_read(arena, scratch.path, &config, &faults, &err), -1);
    ck_assert_int_eq(err.code, ERR_NONE);
    ck_assert_uint_eq(config.host_count, 42);
    for (size_t i = 0; i < faults.count; i++) {
        text_printf(&text, "%u: %s\n", faults.items[i].line, faults.items[i].text);
    }
    return text.data;
}

START_TEST(an_empty_file_gives_the_defaults_of_the_contract)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(&arena, "");

    ck_assert_str_eq(config.es_xml, "/etc/berth/es.xml");
    ck_assert_str_eq(config.state_dir, "/var/lib/berth");
    ck_assert_str_eq(config.uri, "qemu+ssh://root@%h/system?no_tty=1");
    ck_assert_ptr_null(config.peer_uri);
    ck_assert_ptr_null(config.ssh);
    ck_assert_uint_eq(config.policy.reserve.kib, 8 * GIB);
    ck_assert_int_eq(config.policy.timeout_ms, 600000);
    ck_assert_ptr_null(config.policy.migrate_uri);
    ck_assert_uint_eq(config.host_count, 0);
    ck_assert_int_eq(strncmp(config.path, "/tmp/berth-conf-", 16), 0);
}
END_TEST

START_TEST(the_example_that_is_installed_says_what_the_defaults_are)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *root = getenv("BERTH_SOURCE_DIR");
    struct faults faults = fault_list(&arena);
    struct config defaults = config_default();
    struct config config;
    struct err err;
    char example[DIGEST_TEXT_SIZE];
    char expected[DIGEST_TEXT_SIZE];
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/configs/berth.conf", root == NULL ? "." : root);
    ck_assert_msg(config_read(&arena, path, &config, &faults, &err) == 0, "%s",
                  faults.count > 0 ? faults.items[0].text : err.text);
    config_policy_digest(&config, example);
    config_policy_digest(&defaults, expected);
    ck_assert_str_eq(example, expected);
    ck_assert_str_eq(config.es_xml, defaults.es_xml);
    ck_assert_str_eq(config.state_dir, defaults.state_dir);
    ck_assert_str_eq(config.uri, defaults.uri);
}
END_TEST

START_TEST(every_key_that_the_example_hides_is_a_key)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *root = getenv("BERTH_SOURCE_DIR");
    struct config config;
    struct err err;
    char path[4096];
    char *bytes;
    size_t length;

    (void)snprintf(path, sizeof(path), "%s/configs/berth.conf", root == NULL ? "." : root);
    ck_assert_int_eq(file_read(&arena, path, CONFIG_MAX_BYTES, &bytes, &length, &err), 0);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == ';' && (i == 0 || bytes[i - 1] == '\n')) {
            bytes[i] = ' ';
        }
    }
    config = read_good(&arena, bytes);
    ck_assert_uint_eq(config.host_count, 1);
    ck_assert_uint_eq(config.policy.guest_count, 1);
    ck_assert_str_eq(config.ssh_key, "/etc/berth/id_ed25519");
}
END_TEST

START_TEST(every_key_reaches_its_field)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(
        &arena, "[fleet]\nes_xml = e.xml\nstate_dir=state\nuri = sim:fleet.json\n"
                "peer_uri = qemu://%h/\nssh = admin@%h:2222\nssh_key = key\nssh_known_hosts = kh\n"
                "guard = yes\nhistory_days = 30\nhistory_records = 1000\n"
                "[capacity]\nhost_reserve = 10%\nguest_overhead = 512MiB\ncpu_overcommit = 1.25\n"
                "cpu_policy = strict\ncharge_off = no\n"
                "[migrate]\nmode = offline\ntimeout = 90s\nstop_timeout = 2h\n"
                "start_timeout = 3m\noutage_wait = 20m\noutage_limit = 4\n"
                "max_downtime = 300ms\nbandwidth = 1GiB\nparallel = 4\ntls = yes\n"
                "migrate_uri = tcp://%s.mig\npostcopy = yes\nallow_downgrade = yes\n"
                "auto_converge = no\nfallback = postcopy\n"
                "pending_actions = adopt\n"
                "[api]\nsocket = s.sock\ngroup = g\nadmin_group = a\nlisten = [::1]:80\n"
                "token_file = t\n");
    const struct policy *policy = &config.policy;

    ck_assert_str_eq(config.es_xml, "e.xml");
    ck_assert_str_eq(config.state_dir, "state");
    ck_assert_str_eq(config.uri, "sim:fleet.json");
    ck_assert_str_eq(config.peer_uri, "qemu://%h/");
    ck_assert_str_eq(config.ssh, "admin@%h:2222");
    ck_assert_str_eq(config.ssh_key, "key");
    ck_assert_str_eq(config.ssh_known_hosts, "kh");
    ck_assert(config.guard);
    ck_assert_uint_eq(config.history_days, 30);
    ck_assert_uint_eq(config.history_records, 1000);
    ck_assert_uint_eq(policy->reserve.kib, 0);
    ck_assert_uint_eq(policy->reserve.percent, 10);
    ck_assert_uint_eq(policy->guest_overhead_kib, 512 * 1024);
    ck_assert_uint_eq(policy->cpu_overcommit_milli, 1250);
    ck_assert_int_eq(policy->cpu_policy, POLICY_CPU_STRICT);
    ck_assert(!policy->charge_off);
    ck_assert_int_eq(policy->mode, POLICY_MODE_OFFLINE);
    ck_assert_int_eq(policy->timeout_ms, 90000);
    ck_assert_int_eq(policy->stop_timeout_ms, 7200000);
    ck_assert_int_eq(policy->start_timeout_ms, 180000);
    ck_assert_int_eq(policy->outage_wait_ms, 1200000);
    ck_assert_uint_eq(policy->outage_limit, 4);
    ck_assert_uint_eq(policy->max_downtime_ms, 300);
    ck_assert_uint_eq(policy->bandwidth_mib_s, 1024);
    ck_assert_uint_eq(policy->parallel, 4);
    ck_assert(policy->tls && policy->postcopy && policy->allow_downgrade);
    ck_assert(policy->adopt_pending_actions && !policy->auto_converge);
    ck_assert_int_eq(policy->fallback, POLICY_FALLBACK_POSTCOPY);
    ck_assert_str_eq(policy->migrate_uri, "tcp://%s.mig");
    ck_assert_str_eq(config.api.socket, "s.sock");
    ck_assert_str_eq(config.api.group, "g");
    ck_assert_str_eq(config.api.admin_group, "a");
    ck_assert_str_eq(config.api.listen, "[::1]:80");
    ck_assert_str_eq(config.api.token_file, "t");
}
END_TEST

START_TEST(sections_of_hosts_and_guests_are_sorted_by_name)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config =
        read_good(&arena, "[host kvm2]\nmaintenance = yes\n[guest vm2]\npin = yes\n"
                          "[ host   kvm1 ] ; the first\nuri = qemu://x/\nmemory = 1TiB\ncpus = 96\n"
                          "reserve = 0\nssh = a@b\npeer_uri = qemu://y/\n[host kvm3]\n"
                          "[guest vm1]\nmode = live\npark = yes\ndetour = no\npostcopy = no\n"
                          "auto_converge = no\nfallback = offline\npriority = -5\n");
    const struct policy_host *host = policy_find_host(&config.policy, "kvm1");
    const struct policy_guest *guest = policy_find_guest(&config.policy, "vm1");

    ck_assert_uint_eq(config.host_count, 3);
    ck_assert_str_eq(config.hosts[0].uri, "qemu://x/");
    ck_assert_str_eq(config.hosts[0].peer_uri, "qemu://y/");
    ck_assert_str_eq(config.hosts[0].ssh, "a@b");
    ck_assert_ptr_null(config.hosts[1].uri);
    ck_assert_ptr_nonnull(host);
    ck_assert_uint_eq(host->memory_kib, 1024 * GIB);
    ck_assert_uint_eq(host->cpus, 96);
    ck_assert(host->has_reserve && host->reserve.kib == 0 && host->reserve.percent == 0);
    ck_assert(!host->maintenance);
    ck_assert(policy_find_host(&config.policy, "kvm2")->maintenance);
    ck_assert_ptr_nonnull(guest);
    ck_assert(guest->has_mode && guest->mode == POLICY_MODE_LIVE);
    ck_assert(guest->park && guest->no_detour && !guest->pin);
    ck_assert(guest->has_postcopy && !guest->postcopy);
    ck_assert(guest->has_auto_converge && !guest->auto_converge);
    ck_assert(guest->has_fallback && guest->fallback == POLICY_FALLBACK_OFFLINE);
    ck_assert_int_eq(guest->priority, -5);
    ck_assert(policy_find_guest(&config.policy, "vm2")->pin);
    ck_assert(!policy_find_guest(&config.policy, "vm2")->has_mode);
}
END_TEST

START_TEST(fence_of_a_host_has_its_options_a_line_each)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(
        &arena, "[fence bmc]\nagent = fence_ipmilan\noptions = ip=%s-bmc.example.com  lanplus=1\n"
                "secrets = /etc/berth/bmc.secret\n[fence pdu]\nagent = /opt/bin/cut\n"
                "[host kvm1.example.com]\nfence = bmc\n[host kvm2]\nfence = pdu\n"
                "fence_port = 7\n[host kvm3]\ncpus = 1\n");
    struct config_fence fence;
    struct err err;

    ck_assert_int_eq(config_fence_of(&arena, &config, "kvm1.example.com", &fence, &err), 0);
    ck_assert_str_eq(fence.agent, "/usr/sbin/fence_ipmilan");
    ck_assert_str_eq(fence.options, "ip=kvm1-bmc.example.com\nlanplus=1\n");
    ck_assert_str_eq(fence.secrets, "/etc/berth/bmc.secret");
    ck_assert_int_eq(config_fence_of(&arena, &config, "kvm2", &fence, &err), 0);
    ck_assert_str_eq(fence.agent, "/opt/bin/cut");
    ck_assert_str_eq(fence.options, "port=7\n");
    ck_assert_ptr_null(fence.secrets);
    ck_assert_int_eq(config_fence_of(&arena, &config, "kvm3", &fence, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_int_eq(config_fence_of(&arena, &config, "kvm4", &fence, &err), -1);
    ck_assert(policy_find_host(&config.policy, "kvm2")->fenced);
    ck_assert(!policy_find_host(&config.policy, "kvm3")->fenced);
}
END_TEST

static void check_faults(struct arena *arena, const char *text, const char *expected)
{
    ck_assert_str_eq(faults_of(arena, text, strlen(text)), expected);
}

START_TEST(fence_that_could_not_be_used_is_a_fault)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    check_faults(&arena, "[host kvm1]\nfence = bmc\n", "1: [host kvm1]: there is no [fence bmc]\n");
    check_faults(&arena, "[fence bmc]\noptions = a=b\n", "1: [fence bmc] names no 'agent'\n");
    check_faults(&arena, "[host kvm1]\nfence_port = 7\n",
                 "1: [host kvm1]: 'fence_port' is of no use without 'fence'\n");
}
END_TEST

START_TEST(a_section_is_told_from_another_by_its_whole_name)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config =
        read_good(&arena, "[host a-very-long-host-name-of-more-than-fifty-letters.example.com]\n"
                          "cpus = 1\n"
                          "[host a-very-long-host-name-of-more-than-fifty-letters.example.org]\n"
                          "cpus = 2\n");

    ck_assert_uint_eq(config.host_count, 2);
    ck_assert_uint_eq(config.policy.hosts[0].cpus, 1);
    ck_assert_uint_eq(config.policy.hosts[1].cpus, 2);
}
END_TEST

START_TEST(layout_does_not_matter)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config =
        read_good(&arena, "\xef\xbb\xbf# a comment\r\n;another\r\n\r\n[fleet]\r\n"
                          "  uri=qemu://%h/?a=1;b   ; %h = hostName\r\n"
                          "\tes_xml : /x/es.xml\n   state_dir   =   /s   ");

    ck_assert_str_eq(config.uri, "qemu://%h/?a=1;b");
    ck_assert_str_eq(config.es_xml, "/x/es.xml");
    ck_assert_str_eq(config.state_dir, "/s");
}
END_TEST

START_TEST(everything_that_is_wrong_is_told_in_one_run)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char text[] = "early = 1\n"            /* 1 */
                               "[fleet]\n"              /* 2 */
                               "urii = x\n"             /* 3 */
                               "uri = a\n"              /* 4 */
                               "uri = b\n"              /* 5 */
                               "just words\n"           /* 6 */
                               "[capacity\n"            /* 7 */
                               "ignored = here\n"       /* 8 */
                               "[color]\n"              /* 9 */
                               "ignored = too\n"        /* 10 */
                               "[migrate x]\n"          /* 11 */
                               "[fleet]\n"              /* 12 */
                               "[host]\n"               /* 13 */
                               "[guest a b]\n"          /* 14 */
                               "[host kvm1] trailing\n" /* 15 */
                               "[host kvm1]\n"          /* 16 */
                               "cpus = many\n"          /* 17 */
                               "[guest vm1]\n"          /* 18 */
                               "[host kvm1]\n"          /* 19 */
                               "[guest vm1]\n";         /* 20 */

    ck_assert_str_eq(faults_of(&arena, text, sizeof(text) - 1),
                     "1: 'early' stands before any section\n"
                     "3: [fleet] has no key 'urii'\n"
                     "5: 'uri' is there twice, first on line 4\n"
                     "6: not a section, 'key = value' or comment\n"
                     "7: not a section header such as [fleet]\n"
                     "9: unknown section [color]\n"
                     "11: [migrate] takes no name\n"
                     "12: [fleet] is there twice, first on line 2\n"
                     "13: [host NAME]: '' is not a host name\n"
                     "14: [guest NAME]: 'a b' is not a host name\n"
                     "15: not a section header such as [fleet]\n"
                     "17: 'cpus' must be a number of CPUs\n"
                     "19: [host kvm1] is there twice, first on line 16\n"
                     "20: [guest vm1] is there twice, first on line 18\n");
}
END_TEST

/* "NAME opens CALENDAR for MS, ..." and so on: all that a timetable says. */
static const char *print_timetable(struct arena *arena, const struct timetable *timetable)
{
    struct text text = text_new(arena);
    char from[CLOCK_TEXT_SIZE];
    char until[CLOCK_TEXT_SIZE];

    for (size_t i = 0; i < timetable->window_count; i++) {
        text_printf(&text, "%s: %s for %lld\n", timetable->windows[i].name,
                    calendar_text(arena, &timetable->windows[i].opens),
                    (long long)timetable->windows[i].lasts_ms);
    }
    for (size_t i = 0; i < timetable->blackout_count; i++) {
        const struct timetable_blackout *blackout = &timetable->blackouts[i];

        text_printf(&text, "%s: %s to %s%s, %zu hosts, %zu guests\n", blackout->name,
                    clock_format(blackout->from_ms, from), clock_format(blackout->until_ms, until),
                    blackout->scope.fleet ? " fleet" : "", blackout->scope.host_count,
                    blackout->scope.guest_count);
    }
    return text.data;
}

START_TEST(windows_and_blackouts_are_sorted_and_meant_in_the_zone_of_the_schedule)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(
        &arena, "[window night]\nopens = Mon..Fri 22:00\nlasts = 6h\n"
                "[fleet]\nwindow = night,day\n"
                "[window day]\nopens = daily UTC\nlasts = 90s\n"
                "[blackout xmas]\nfrom = 2026-12-24 12:00\nuntil = 2027-01-02\n"
                "[blackout audit]\nfrom = 2026-03-01 UTC\nuntil = 2026-03-02 UTC\n"
                "applies_to = host kvm1 , guest vm1,host  kvm2\n"
                "[blackout all]\nfrom = 2026-03-01 UTC\nuntil = 2026-03-02 UTC\n"
                "applies_to = fleet\n"
                "[host kvm2]\nwindow = day\n[host kvm1]\ncpus = 1\n[guest vm1]\nwindow = night\n"
                "[schedule]\ndrift = Sat 03:00\ntimezone = Europe/Berlin\n");
    const struct timetable *timetable = &config.timetable;

    ck_assert_str_eq(
        print_timetable(&arena, timetable),
        "day: *-*-* 00:00:00 UTC for 90000\n"
        "night: Mon..Fri *-*-* 22:00:00 Europe/Berlin for 21600000\n"
        "all: 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z fleet, 0 hosts, 0 guests\n"
        "audit: 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z, 2 hosts, 1 guests\n"
        "xmas: 2026-12-24T11:00:00Z to 2027-01-01T23:00:00Z fleet, 0 hosts, 0 guests\n");
    ck_assert_str_eq(timetable->blackouts[1].scope.hosts[1], "kvm2");
    ck_assert_str_eq(timetable->blackouts[1].scope.guests[0], "vm1");
    ck_assert_uint_eq(timetable->fleet.count, 2);
    ck_assert_ptr_eq(timetable->fleet.windows[0], &timetable->windows[1]);
    ck_assert_ptr_eq(timetable->fleet.windows[1], &timetable->windows[0]);
    ck_assert_ptr_eq(timetable_find_host(timetable, "kvm2")->windows[0], &timetable->windows[0]);
    ck_assert_ptr_null(timetable_find_host(timetable, "kvm1"));
    ck_assert_ptr_eq(timetable_find_guest(timetable, "vm1")->windows[0], &timetable->windows[1]);
    ck_assert_ptr_null(timetable_find_guest(timetable, "vm2"));
    ck_assert_str_eq(calendar_text(&arena, timetable->drift), "Sat *-*-* 03:00:00 Europe/Berlin");
}
END_TEST

START_TEST(without_a_timetable_moves_start_and_drift_is_corrected_at_any_time)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(&arena, "[schedule]\ndrift = continuous\n");

    ck_assert_uint_eq(config.timetable.window_count, 0);
    ck_assert_uint_eq(config.timetable.fleet.count, 0);
    ck_assert_ptr_null(config.timetable.drift);
    ck_assert_ptr_null(config.timetable.zone);
    ck_assert(timetable_drift_is_due(&config.timetable, 5, 5));
}
END_TEST

START_TEST(drift_is_due_from_the_first_time_after_it_was_seen)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(&arena, "[schedule]\ndrift = 03:00 UTC\n");
    int64_t seen_ms;
    int64_t due_ms;

    ck_assert(clock_parse("2026-11-24T22:00:00Z", &seen_ms));
    ck_assert(clock_parse("2026-11-25T03:00:00Z", &due_ms));
    ck_assert(!timetable_drift_is_due(&config.timetable, seen_ms, seen_ms));
    ck_assert(!timetable_drift_is_due(&config.timetable, seen_ms, due_ms - 1));
    ck_assert(timetable_drift_is_due(&config.timetable, seen_ms, due_ms));
    ck_assert(timetable_drift_is_due(&config.timetable, seen_ms, due_ms + 3600000));
    ck_assert(!timetable_drift_is_due(&config.timetable, due_ms, due_ms + 3600000));
}
END_TEST

START_TEST(a_timetable_that_makes_no_sense_is_told_with_its_lines)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char text[] = "[fleet]\n"               /* 1 */
                               "window = day, nowhere\n" /* 2 */
                               "[window day]\n"          /* 3 */
                               "[window a b]\n"          /* 4 */
                               "[window day]\n"          /* 5 */
                               "opens = 25:00\n"         /* 6 */
                               "lasts = 0s\n"            /* 7 */
                               "[blackout x]\n"          /* 8 */
                               "from = 2026-12-24\n"     /* 9 */
                               "until = 2026-12-24\n"    /* 10 */
                               "[blackout x]\n"          /* 11 */
                               "from = 12-24\n"          /* 12 */
                               "until = 2026-02-30\n"    /* 13 */
                               "[blackout y]\n"          /* 14 */
                               "until = 2026-01-01\n"    /* 15 */
                               "[host kvm1]\n"           /* 16 */
                               "window = night\n"        /* 17 */
                               "[guest vm1]\n"           /* 18 */
                               "window = evening\n"      /* 19 */
                               "[blackout berlin]\n"     /* 20 */
                               "from = 2026-03-29 02:30 Europe/Berlin\n"
                               "until = 2026-04-01\n"
                               "[schedule x]\n"; /* 23 */

    ck_assert_str_eq(faults_of(&arena, text, sizeof(text) - 1),
                     "1: [fleet]: there is no [window nowhere]\n"
                     "3: [window day] has no 'lasts'\n"
                     "3: [window day] has no 'opens'\n"
                     "4: [window NAME]: 'a b' is not a name\n"
                     "5: [window day] is there twice, first on line 3\n"
                     "6: 'opens' must be a calendar expression such as Sat 22:00: hour: 25 is not "
                     "from 0 to 23\n"
                     "7: 'lasts' must be a duration such as 90s, 10m or 2h\n"
                     "8: [blackout x]: 'until' is not after 'from'\n"
                     "11: [blackout x] is there twice, first on line 8\n"
                     "11: [blackout x]: 'from' must be one instant, such as 2026-12-24 18:00\n"
                     "11: [blackout x]: 'until' never comes\n"
                     "14: [blackout y] has no 'from'\n"
                     "16: [host kvm1]: there is no [window night]\n"
                     "18: [guest vm1]: there is no [window evening]\n"
                     "20: [blackout berlin]: 'from' never comes\n"
                     "23: [schedule] takes no name\n");
}
END_TEST

#define SIZE     "must be a size such as 512MiB or 8GiB"
#define DURATION "must be a duration such as 90s, 10m or 2h"
#define RESERVE  "must be a size such as 8GiB, or 0% to 100%"
#define DOWNTIME "must be a duration of at most 2s, such as 500ms"
#define RATE     "must be a size a second in whole MiB, such as 500MiB, or 0 for no limit"
#define OVER     "must be a number such as 1.5, above 0, with at most three decimals"
#define TEXT     "must be text, not empty and without control characters"
#define SOCKET   "must be a path of at most 107 bytes"
#define FENCE_OPTIONS \
    "must be words option=value, none of them action; a password belongs into the file of 'secrets'"
#define TEMPLATE "must be text in which '%' stands only in %h, %s and %%"
#define PRIORITY "must be a whole number from -1000000 to 1000000"

#define GATE     "must be names of [window NAME] sections, with commas between them"
#define CALENDAR "must be a calendar expression such as Sat 22:00"
#define SCOPE    "must be fleet, or a list such as host kvm1, guest vm1"

static const struct {
    const char *section;
    const char *key;
    const char *value;
    const char *expected;
} bad_values[] = {
    { "fleet", "es_xml", "", TEXT },
    { "fleet", "es_xml", "a\x1b[0m", TEXT },
    { "fleet", "uri", "qemu://%x/", TEMPLATE },
    { "fleet", "uri", "qemu://host/%", TEMPLATE },
    { "fleet", "ssh", "", TEMPLATE },
    { "capacity", "host_reserve", "101%", RESERVE },
    { "capacity", "host_reserve", "-1%", RESERVE },
    { "capacity", "host_reserve", "%", RESERVE },
    { "capacity", "host_reserve", "8 GiBs", RESERVE },
    { "capacity", "guest_overhead", "lots", SIZE },
    { "capacity", "guest_overhead", "", SIZE },
    { "capacity", "cpu_overcommit", "0", OVER },
    { "capacity", "cpu_overcommit", "0.000", OVER },
    { "capacity", "cpu_overcommit", "1.2345", OVER },
    { "capacity", "cpu_overcommit", "1.", OVER },
    { "capacity", "cpu_overcommit", ".5", OVER },
    { "capacity", "cpu_overcommit", "1e3", OVER },
    { "capacity", "cpu_overcommit", "1.2.3", OVER },
    { "capacity", "cpu_overcommit", "1001", OVER },
    { "capacity", "cpu_policy", "maybe", "must be warn or strict" },
    { "capacity", "charge_off", "true", "must be yes or no" },
    { "migrate", "mode", "Live", "must be auto, live or offline" },
    { "migrate", "timeout", "0s", DURATION },
    { "migrate", "timeout", "10", DURATION },
    { "migrate", "stop_timeout", "5 minutes", DURATION },
    { "migrate", "start_timeout", "0s", DURATION },
    { "migrate", "max_downtime", "2001ms", DOWNTIME },
    { "migrate", "max_downtime", "3s", DOWNTIME },
    { "migrate", "bandwidth", "100KiB", RATE },
    { "migrate", "bandwidth", "2000TiB", RATE },
    { "migrate", "parallel", "256", "must be a number of connections from 0 to 255" },
    { "migrate", "outage_wait", "0", DURATION },
    { "fleet", "history_days", "0", "must be a number of days from 1 to 36500" },
    { "fleet", "history_records", "999", "must be a number from 1000 to 10000000" },
    { "migrate", "outage_limit", "0", "must be a number from 1 to 1000" },
    { "migrate", "outage_limit", "1001", "must be a number from 1 to 1000" },
    { "migrate", "migrate_uri", "tcp://%i", TEMPLATE },
    { "migrate", "pending_actions", "ignore", "must be block or adopt" },
    { "migrate", "overruled", "yes", "must be finish or cancel" },
    { "fleet", "poll", "0s", "must be a duration from 1s to 24h" },
    { "fleet", "poll", "999ms", "must be a duration from 1s to 24h" },
    { "fleet", "poll", "25h", "must be a duration from 1s to 24h" },
    { "drift", "operator_move", "ignore", "must be correct, report, adopt or hold" },
    { "drift", "host_restart", "adopt", "must be correct, report or hold" },
    { "drift", "vanished", "correct", "must be report or hold" },
    { "drift", "size", "correct", "must be report" },
    { "api", "socket", "", SOCKET },
    { "api", "socket",
      "/run/this/is/a/path/of/108/bytes/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxx",
      SOCKET },
    { "api", "group", "", TEXT },
    { "api", "listen", "0.0.0.0:80", "must be a loopback address such as 127.0.0.1:8420" },
    { "api", "listen", "localhost", "must be a loopback address such as 127.0.0.1:8420" },
    { "host kvm1", "memory", "0", SIZE },
    { "host kvm1", "cpus", "0", "must be a number of CPUs" },
    { "host kvm1", "reserve", "5 %", RESERVE },
    { "host kvm1", "maintenance", "on", "must be yes or no" },
    { "host kvm1", "fence", "a b", "must be the name of a [fence NAME] section" },
    { "host kvm1", "fence_port", "a b", "must be one word: what the fence calls this host" },
    { "fence f", "agent", "bin/agent", "must be the name of a fence agent, or a path" },
    { "fence f", "options", "ip=1 action=on", FENCE_OPTIONS },
    { "fence f", "options", "password=x", FENCE_OPTIONS },
    { "fence f", "options", "ip", FENCE_OPTIONS },
    { "fence f", "options", "ip=%i", FENCE_OPTIONS },
    { "fence f", "secrets", "secret", "must be an absolute path" },
    { "guest vm1", "mode", "cold", "must be auto, live or offline" },
    { "guest vm1", "detour", "never", "must be yes or no" },
    { "guest vm1", "priority", "1000001", PRIORITY },
    { "guest vm1", "priority", "--1", PRIORITY },
    { "guest vm1", "priority", "+1", PRIORITY },
    { "guest vm1", "priority", "-", PRIORITY },
    { "fleet", "window", "", GATE },
    { "host kvm1", "window", "a,,b", GATE },
    { "guest vm1", "window", "a b", GATE },
    { "window w", "opens", "Funday",
      CALENDAR ": weekday: not the name of a day, such as Mon or Monday" },
    { "blackout b", "applies_to", "everything", SCOPE },
    { "blackout b", "applies_to", "host", SCOPE },
    { "blackout b", "applies_to", "host kvm1 guest vm1", SCOPE },
    { "blackout b", "applies_to", "", SCOPE },
    { "schedule", "drift", "", CALENDAR ", or continuous: it is empty" },
    { "schedule", "timezone", "Europe/Nowhere",
      "must be UTC or a time zone that this machine knows, such as Europe/Berlin" },
};

START_TEST(a_value_that_does_not_fit_is_told_without_echoing_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *text = text_format(&arena, "[%s]\n%s = %s\n", bad_values[_i].section,
                                   bad_values[_i].key, bad_values[_i].value);
    const char *expected =
        text_format(&arena, "2: '%s' %s\n", bad_values[_i].key, bad_values[_i].expected);

    /* A section that needs more than this key says so besides. */
    ck_assert_pstr_eq(strstr(faults_of(&arena, text, strlen(text)), "2: "), expected);
}
END_TEST

START_TEST(controllers_of_several_fleets_have_sockets_of_their_own)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = config_default();

    ck_assert_str_eq(config_socket(&arena, &config), "/run/berth/api.sock");
    config = read_good(&arena, "[fleet]\nstate_dir = /var/lib/berth\n");
    ck_assert_str_eq(config_socket(&arena, &config), "/run/berth/api.sock");
    config = read_good(&arena, "[fleet]\nstate_dir = /srv/two\n");
    ck_assert_str_eq(config_socket(&arena, &config), "/srv/two/api.sock");
    config = read_good(&arena, "[fleet]\nstate_dir = /srv/two\n[api]\nsocket = /run/x\n");
    ck_assert_str_eq(config_socket(&arena, &config), "/run/x");
}
END_TEST

static const struct {
    const char *text;
    uint32_t milli;
} overcommits[] = {
    { "1", 1000 },  { "1.0", 1000 },  { "1.5", 1500 },     { "0.5", 500 },
    { "0.001", 1 }, { "2.05", 2050 }, { "1000", 1000000 }, { "03.250", 3250 },
};

START_TEST(over_commit_is_read_exactly)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(
        &arena, text_format(&arena, "[capacity]\ncpu_overcommit = %s\n", overcommits[_i].text));

    ck_assert_uint_eq(config.policy.cpu_overcommit_milli, overcommits[_i].milli);
}
END_TEST

START_TEST(escape_sequences_of_a_file_do_not_reach_the_terminal)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char text[] = "[fl\x1b[31m]\n[fleet]\nk\x1b[0m\xff = secret\n";

    ck_assert_str_eq(faults_of(&arena, text, sizeof(text) - 1),
                     "1: unknown section [fl?[31m]\n3: [fleet] has no key 'k?[0m?'\n");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_refused_and_a_long_comment_is_not)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    text_append(&text, "# ");
    text_fill(&text, 'c', 1000);
    text_append(&text, "\n[fleet]\nuri = ");
    text_fill(&text, 'u', 191);
    (void)read_good(&arena, text.data);
    text_append(&text, "u\n");
    ck_assert_str_eq(faults_of(&arena, text.data, text.length), "3: longer than 197 bytes\n");
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char text[] = "[fleet]\nuri = a\0b\n";

    ck_assert_str_eq(faults_of(&arena, text, sizeof(text) - 1), "2: holds a NUL byte\n");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error_not_a_fault)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);
    struct config config;
    struct err err;

    ck_assert_int_eq(config_read(&arena, "/nonexistent/berth.conf", &config, &faults, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_uint_eq(faults.count, 0);
}
END_TEST

static const struct {
    const char *template;
    const char *expanded; /* NULL = refused. */
} expansions[] = {
    { "", "" },
    { "sim:FILE", "sim:FILE" },
    { "qemu+ssh://root@%h/system", "qemu+ssh://root@kvm1.example.com/system" },
    { "tcp://%s.mig:49152", "tcp://kvm1.mig:49152" },
    { "%h%s%%", "kvm1.example.comkvm1%" },
    { "100%%", "100%" },
    { "%%h", "%h" },
    { "%", NULL },
    { "%d", NULL },
    { "a%", NULL },
};

START_TEST(a_template_is_filled_in)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err = { 0 };
    const char *text = config_expand(&arena, expansions[_i].template, "kvm1.example.com", &err);

    if (expansions[_i].expanded == NULL) {
        ck_assert_ptr_null(text);
        ck_assert_int_eq(err.code, ERR_INVALID);
    } else {
        ck_assert_str_eq(text, expansions[_i].expanded);
    }
}
END_TEST

START_TEST(a_host_that_is_no_host_name_never_reaches_a_template)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err = { 0 };

    ck_assert_ptr_null(config_expand(&arena, "qemu+ssh://%h/", "a/?command=reboot", &err));
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_ptr_null(config_expand(&arena, "%h", "-oProxyCommand", &err));
}
END_TEST

START_TEST(an_expansion_is_bounded)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text template = text_new(&arena);
    struct err err = { 0 };

    for (int i = 0; i < 400; i++) {
        text_append(&template, "%h");
    }
    ck_assert_ptr_null(config_expand(&arena, template.data, "kvm1.example.com", &err));
    ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

START_TEST(a_hosts_own_address_wins)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(&arena, "[fleet]\nuri = qemu://%h/fleet\n"
                                             "[host kvm1]\nuri = qemu://%s/own\n"
                                             "[host kvm2]\npeer_uri = qemu://%h/peer\n");
    struct err err = { 0 };

    ck_assert_str_eq(config_uri(&arena, &config, "kvm1", &err), "qemu://kvm1/own");
    ck_assert_str_eq(config_peer_uri(&arena, &config, "kvm1", &err), "qemu://kvm1/own");
    ck_assert_str_eq(config_uri(&arena, &config, "kvm2", &err), "qemu://kvm2/fleet");
    ck_assert_str_eq(config_peer_uri(&arena, &config, "kvm2", &err), "qemu://kvm2/peer");
    ck_assert_str_eq(config_uri(&arena, &config, "kvm3", &err), "qemu://kvm3/fleet");
    config.peer_uri = "qemu://%h/all";
    ck_assert_str_eq(config_peer_uri(&arena, &config, "kvm1", &err), "qemu://kvm1/all");
    ck_assert_int_eq(err.code, ERR_NONE);
}
END_TEST

static const struct {
    const char *uri;
    const char *ssh;
} derived[] = {
    { "qemu+ssh://root@%h/system?no_tty=1", "root@kvm1.example.com" },
    { "qemu+ssh://root@%h:2222/system", "root@kvm1.example.com:2222" },
    { "qemu+libssh://admin@%s", "admin@kvm1" },
    { "qemu+libssh2://admin@%s?x=/y@z", "admin@kvm1" },
    { "qemu+ssh://admin:secret@%h/system", "admin@kvm1.example.com" },
    { "qemu+ssh://%h/system", "kvm1.example.com" },
    { "qemu+ssh:///system", NULL },
    { "qemu+tls://root@%h/system", NULL },
    { "qemu:///system?a=+ssh://x@y", NULL },
    { "sim:fleet+ssh.json", NULL },
};

START_TEST(where_commands_run_is_taken_from_an_ssh_uri)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = config_default();
    struct err err = { 0 };
    const char *ssh;

    config.uri = derived[_i].uri;
    ssh = config_ssh(&arena, &config, "kvm1.example.com", &err);
    ck_assert_int_eq(err.code, ERR_NONE);
    ck_assert_pstr_eq(ssh, derived[_i].ssh);
}
END_TEST

START_TEST(where_commands_run_can_be_said)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config =
        read_good(&arena, "[fleet]\nuri = qemu+ssh://root@%h/system\nssh = fleet@%h:2222\n"
                          "[host kvm1]\nssh = own@10.0.0.1\n[host kvm2]\n");
    struct err err = { 0 };

    ck_assert_str_eq(config_ssh(&arena, &config, "kvm1", &err), "own@10.0.0.1");
    ck_assert_str_eq(config_ssh(&arena, &config, "kvm2", &err), "fleet@kvm2:2222");
}
END_TEST

static const char *digest_with(struct arena *arena, const char *text)
{
    char *hex = arena_alloc(arena, DIGEST_TEXT_SIZE, 1);
    struct config config = read_good(arena, text);

    config_policy_digest(&config, hex);
    return hex;
}

/* Each alone changes what would be decided. */
static const char *const decisive[] = {
    "[capacity]\nhost_reserve = 9GiB\n",
    "[capacity]\nhost_reserve = 8%\n",
    "[capacity]\nguest_overhead = 1MiB\n",
    "[capacity]\ncpu_overcommit = 1.001\n",
    "[capacity]\ncpu_policy = strict\n",
    "[capacity]\ncharge_off = no\n",
    "[migrate]\nmode = live\n",
    "[migrate]\ntimeout = 11m\n",
    "[migrate]\nstop_timeout = 6m\n",
    "[migrate]\nstart_timeout = 3m\n",
    "[migrate]\noutage_wait = 16m\n",
    "[migrate]\noutage_limit = 4\n",
    "[migrate]\nmax_downtime = 300ms\n",
    "[migrate]\nbandwidth = 1MiB\n",
    "[migrate]\nparallel = 2\n",
    "[migrate]\ntls = yes\n",
    "[migrate]\nmigrate_uri = tcp://%h\n",
    "[migrate]\npostcopy = yes\n",
    "[migrate]\nauto_converge = no\n",
    "[migrate]\nfallback = offline\n",
    "[migrate]\nfallback = postcopy\n",
    "[migrate]\nallow_downgrade = yes\n",
    "[migrate]\npending_actions = adopt\n",
    "[host kvm1]\nmemory = 1GiB\n",
    "[host kvm2]\nmemory = 1GiB\n",
    "[host kvm1]\ncpus = 1\n",
    "[host kvm1]\nreserve = 0\n",
    "[host kvm1]\nreserve = 1%\n",
    "[host kvm1]\nmaintenance = yes\n",
    "[guest vm1]\nmode = auto\n",
    "[guest vm1]\npin = yes\n",
    "[guest vm1]\npark = yes\n",
    "[guest vm1]\ndetour = no\n",
    "[guest vm1]\npostcopy = yes\n",
    "[guest vm1]\npostcopy = no\n",
    "[guest vm1]\nauto_converge = yes\n",
    "[guest vm1]\nauto_converge = no\n",
    "[guest vm1]\nfallback = none\n",
    "[guest vm1]\nfallback = offline\n",
    "[guest vm1]\nfallback = postcopy\n",
    "[guest vm1]\npriority = 1\n",
};

START_TEST(every_setting_that_decides_changes_the_digest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *hex = digest_with(&arena, decisive[_i]);

    ck_assert_str_ne(hex, digest_with(&arena, ""));
    for (size_t i = 0; i < ARRAY_LEN(decisive); i++) {
        const char *other = digest_with(&arena, decisive[i]);

        if (i == (size_t)_i) {
            ck_assert_str_eq(other, hex);
        } else {
            ck_assert_str_ne(other, hex);
        }
    }
}
END_TEST

START_TEST(connections_windows_and_layout_do_not_change_the_digest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(digest_with(&arena, ""),
                     digest_with(&arena, "[fleet]\nuri = sim:x\nes_xml = y\nssh = a@b\n"
                                         "[host kvm1]\nuri = qemu:///\nssh = c@d\n"));
    ck_assert_str_eq(digest_with(&arena, ""),
                     digest_with(&arena, "[fleet]\nwindow = w\n[window w]\nopens = daily\n"
                                         "lasts = 1h\n[host kvm1]\nwindow = w\n"));
    ck_assert_str_eq(digest_with(&arena, "[host b]\ncpus = 1\n[host a]\ncpus = 2\n"),
                     digest_with(&arena, "# x\n[host a]\ncpus=2\n[host b]\ncpus=1\n"));
}
END_TEST

START_TEST(hooks_are_told_what_was_asked_for_or_else_the_usual)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct config config = read_good(&arena, "");

    ck_assert_ptr_null(config.hooks.command);
    ck_assert_ptr_null(config.hooks.webhook);
    ck_assert_uint_eq(config.hooks.event_count, 7);
    ck_assert_int_eq(config.hooks.command_timeout_ms, 30000);
    config = read_good(&arena, "[hooks]\nevents = alarm , step\ncommand = /x y\n"
                               "webhook = http://[::1]:8080/a?b\nwebhook_timeout = 2s\n");
    ck_assert_uint_eq(config.hooks.event_count, 2);
    ck_assert_str_eq(config.hooks.events[0], "alarm");
    ck_assert_str_eq(config.hooks.events[1], "step");
    ck_assert_str_eq(config.hooks.command, "/x y");
    ck_assert_str_eq(config.hooks.webhook, "http://[::1]:8080/a?b");
    ck_assert_int_eq(config.hooks.webhook_timeout_ms, 2000);
}
END_TEST

static void add_reading(TCase *tcase)
{
    tcase_add_test(tcase, an_empty_file_gives_the_defaults_of_the_contract);
    tcase_add_test(tcase, the_example_that_is_installed_says_what_the_defaults_are);
    tcase_add_test(tcase, every_key_that_the_example_hides_is_a_key);
    tcase_add_test(tcase, every_key_reaches_its_field);
    tcase_add_test(tcase, sections_of_hosts_and_guests_are_sorted_by_name);
    tcase_add_test(tcase, fence_of_a_host_has_its_options_a_line_each);
    tcase_add_test(tcase, fence_that_could_not_be_used_is_a_fault);
    tcase_add_test(tcase, a_section_is_told_from_another_by_its_whole_name);
    tcase_add_test(tcase, layout_does_not_matter);
    tcase_add_test(tcase, everything_that_is_wrong_is_told_in_one_run);
    tcase_add_test(tcase, windows_and_blackouts_are_sorted_and_meant_in_the_zone_of_the_schedule);
    tcase_add_test(tcase, without_a_timetable_moves_start_and_drift_is_corrected_at_any_time);
    tcase_add_test(tcase, drift_is_due_from_the_first_time_after_it_was_seen);
    tcase_add_test(tcase, a_timetable_that_makes_no_sense_is_told_with_its_lines);
    tcase_add_loop_test(tcase, a_value_that_does_not_fit_is_told_without_echoing_it, 0,
                        (int)ARRAY_LEN(bad_values));
    tcase_add_loop_test(tcase, over_commit_is_read_exactly, 0, (int)ARRAY_LEN(overcommits));
    tcase_add_test(tcase, escape_sequences_of_a_file_do_not_reach_the_terminal);
    tcase_add_test(tcase, a_line_that_is_too_long_is_refused_and_a_long_comment_is_not);
    tcase_add_test(tcase, a_nul_byte_is_refused);
    tcase_add_test(tcase, a_file_that_cannot_be_read_is_an_error_not_a_fault);
    tcase_add_test(tcase, hooks_are_told_what_was_asked_for_or_else_the_usual);
}

static void add_using(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_template_is_filled_in, 0, (int)ARRAY_LEN(expansions));
    tcase_add_test(tcase, a_host_that_is_no_host_name_never_reaches_a_template);
    tcase_add_test(tcase, an_expansion_is_bounded);
    tcase_add_test(tcase, a_hosts_own_address_wins);
    tcase_add_loop_test(tcase, where_commands_run_is_taken_from_an_ssh_uri, 0,
                        (int)ARRAY_LEN(derived));
    tcase_add_test(tcase, where_commands_run_can_be_said);
    tcase_add_test(tcase, controllers_of_several_fleets_have_sockets_of_their_own);
    tcase_add_loop_test(tcase, every_setting_that_decides_changes_the_digest, 0,
                        (int)ARRAY_LEN(decisive));
    tcase_add_test(tcase, connections_windows_and_layout_do_not_change_the_digest);
}

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *reading = tcase_create("reading");
    TCase *using = tcase_create("using");

    add_reading(reading);
    add_using(using);
    suite_add_tcase(suite, reading);
    suite_add_tcase(suite, using);
    return runner_run(suite);
}
