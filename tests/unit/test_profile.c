/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/profile.h"
#include "tests/runner.h"

#define UUID "5b1a4f2e-7a35-4a6e-9c0e-2f8f6f0d9a11"

static const struct profile_names good = { .host = "kvm1.example.com",
                                           .peer = "kvm2.example.com",
                                           .guest = "vm1.example.com",
                                           .uuid = UUID,
                                           .name = "vm1_u01",
                                           .device = "/dev/exc/vm1_u01" };

static struct profile_command command_of(struct arena *arena, const char *text)
{
    struct profile_command command = { 0 };

    ck_assert_ptr_null(profile_split(arena, text, &command.words));
    return command;
}

/* The words with '|' between them. */
static const char *joined(struct arena *arena, const char *const *words)
{
    struct text text = text_new(arena);

    for (size_t i = 0; words[i] != NULL; i++) {
        text_printf(&text, "%s%s", i == 0 ? "" : "|", words[i]);
    }
    return text.data;
}

static const char *expanded(struct arena *arena, const char *text,
                            const struct profile_names *names)
{
    struct profile_command command = command_of(arena, text);
    const char *const *argv;
    struct err err;

    ck_assert_msg(profile_expand(arena, profile_default(), &command, names, &argv, &err) == 0, "%s",
                  err.text);
    return joined(arena, argv);
}

START_TEST(a_line_is_split_at_blanks_and_quotes_hold_words_together)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        { "a", "a" },
        { "  a \t b  ", "a|b" },
        { "a \"b c\" d", "a|b c|d" },
        { "a 'b \"c\"'", "a|b \"c\"" },
        { "a \"it's\"", "a|it's" },
        { "a b\"c d\"e", "a|bc de" },
        { "a \"\" b", "a||b" },
        { "a $HOME ; b", "a|$HOME|;|b" },
        { "a \\n", "a|\\n" },
    };
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ck_assert_str_eq(joined(&arena, command_of(&arena, cases[i].text).words), cases[i].words);
    }
}
END_TEST

START_TEST(a_line_without_words_or_with_an_open_quote_is_wrong)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *const *words = NULL;

    ck_assert_ptr_nonnull(profile_split(&arena, "", &words));
    ck_assert_ptr_nonnull(profile_split(&arena, " \t", &words));
    ck_assert_ptr_nonnull(profile_split(&arena, "a \"b", &words));
    ck_assert_ptr_nonnull(profile_split(&arena, "a 'b", &words));
    ck_assert_ptr_null(words);
}
END_TEST

START_TEST(placeholders_are_replaced_inside_their_words)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(expanded(&arena, "attach --to={host} {name}@{device} {device-name}", &good),
                     "attach|--to=kvm1.example.com|vm1_u01@/dev/exc/vm1_u01|vm1_u01");
    ck_assert_str_eq(expanded(&arena, "x {guest}{uuid} {peer}", &good),
                     "x|vm1.example.com" UUID "|kvm2.example.com");
    ck_assert_str_eq(expanded(&arena, "x \"{device} /mnt/{guest} xfs\"", &good),
                     "x|/dev/exc/vm1_u01 /mnt/vm1.example.com xfs");
}
END_TEST

START_TEST(braces_that_are_no_placeholder_stay)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(expanded(&arena, "x {} {Name} { {na me} {name }a{ {{name}}", &good),
                     "x|{}|{Name}|{|{na|me}|{name|}a{|{vm1_u01}");
}
END_TEST

START_TEST(what_replaces_a_placeholder_is_not_replaced_again)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char *const values[] = { "name" };
    const struct profile_lookup lookups[] = { { .name = "id" } };
    struct profile profile = { .name = "p", .lookups = lookups, .lookup_count = 1 };
    struct profile_names names = good;
    struct profile_command command = command_of(&arena, "x {{id}}");
    const char *const *argv;
    struct err err;

    names.lookups = values;
    ck_assert_int_eq(profile_expand(&arena, &profile, &command, &names, &argv, &err), 0);
    ck_assert_str_eq(joined(&arena, argv), "x|{name}");
}
END_TEST

/* Names as nobody should give them, each of which a shell or a program would take for something else. */
static const char *const hostile[] = {
    "",          "-rf",      "--help",   "a b",     "a;reboot", "$(reboot)", "`reboot`", "a|b",
    "a&b",       "a>b",      "a<b",      "'",       "\"",       "a'b",       "a\"b",     "a\nb",
    "a\tb",      "a\\b",     "*",        "a?",      "[a]",      "{name}",    "a,b=c",    "#a",
    "~root",     "!x",       "%s",       "a\x01",   "a\x7f",    "\xc3\xa4",  "(a)",      "a=b c",
    "../../etc", "/dev/a b", "/dev/a;b", "/dev/$a", "/dev/..",  "/dev/a,b",  "/dev/a&b",
};

START_TEST(a_name_that_could_mean_more_than_a_name_is_refused_wherever_it_is_used)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char *const placeholders[] = { "{host}", "{peer}",   "{guest}",      "{uuid}",
                                                "{name}", "{device}", "{device-name}" };

    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        const struct profile_names names = { .host = hostile[i],
                                             .peer = hostile[i],
                                             .guest = hostile[i],
                                             .uuid = hostile[i],
                                             .name = hostile[i],
                                             .device = hostile[i] };

        for (size_t j = 0; j < ARRAY_LEN(placeholders); j++) {
            struct profile_command command =
                command_of(&arena, text_format(&arena, "x %s", placeholders[j]));
            const char *const *argv = NULL;
            struct err err;

            ck_assert_msg(
                profile_expand(&arena, profile_default(), &command, &names, &argv, &err) == -1,
                "%s of '%s'", placeholders[j], hostile[i]);
            ck_assert_int_eq(err.code, ERR_INVALID);
            ck_assert_ptr_null(argv);
        }
    }
}
END_TEST

START_TEST(a_looked_up_value_that_could_mean_more_than_a_name_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile_lookup lookups[] = { { .name = "id" } };
    struct profile profile = { .name = "p", .lookups = lookups, .lookup_count = 1 };
    struct profile_command command = command_of(&arena, "x {id}");

    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct profile_names names = good;
        const char *const *argv = NULL;
        struct err err;

        if (hostile[i][0] == '/' || hostile[i][0] == '.') {
            continue; /* A path may be looked up; what it says is that host's own. */
        }
        names.lookups = &hostile[i];
        ck_assert_msg(profile_expand(&arena, &profile, &command, &names, &argv, &err) == -1, "'%s'",
                      hostile[i]);
    }
}
END_TEST

START_TEST(a_placeholder_without_a_value_is_an_error)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct profile_command command = command_of(&arena, "x {device}");
    struct profile_names names = good;
    const char *const *argv;
    struct err err;

    names.device = NULL;
    ck_assert_int_eq(profile_expand(&arena, profile_default(), &command, &names, &argv, &err), -1);
    ck_assert_str_eq(err.text, "a command of profile 'libvirt' needs {device}, and there is none");
}
END_TEST

START_TEST(neither_a_program_nor_its_text_may_hold_a_placeholder)
{
    static const char *const bad[] = {
        "{name}",
        "/bin/{name}",
        "\"\" x",
        "x {nosuch}",
        "sh -c 'rm {name}'",
        "sh -ec {name}",
        "bash -c \"a {host}\"",
        "perl -e {name}",
        "env sh -c {guest}",
    };
    static const char *const fine[] = { "x {name}",
                                        "sh -c 'rm $1' sh {name}",
                                        "x --c {name}",
                                        "x - {name}",
                                        "x -cx {name}",
                                        "test -e {name}",
                                        "/bin/grep -e {name} /etc/fstab" };
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_msg(profile_judge(&arena, command_of(&arena, bad[i]).words, NULL, 0) != NULL,
                      "%s", bad[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        ck_assert_msg(profile_judge(&arena, command_of(&arena, fine[i]).words, NULL, 0) == NULL,
                      "%s", fine[i]);
    }
}
END_TEST

START_TEST(lookups_are_made_in_the_order_in_which_they_need_each_other)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile_lookup lookups[] = {
        { .name = "volume", .command = command_of(&arena, "x {name}") },
        { .name = "other", .command = command_of(&arena, "x") },
        { .name = "self", .command = command_of(&arena, "x {host}") },
        { .name = "attachment", .command = command_of(&arena, "x {volume} {self}") },
    };
    struct profile profile = { .name = "p",
                               .lookups = lookups,
                               .lookup_count = ARRAY_LEN(lookups) };
    struct profile_command command = command_of(&arena, "detach {attachment}");
    const char *values[ARRAY_LEN(lookups)] = { NULL };
    struct profile_names names = good;

    ck_assert_uint_eq(profile_missing(&profile, &command, &names), 0);
    names.lookups = values;
    ck_assert_uint_eq(profile_missing(&profile, &command, &names), 0);
    values[0] = "v";
    ck_assert_uint_eq(profile_missing(&profile, &command, &names), 2);
    values[2] = "s";
    ck_assert_uint_eq(profile_missing(&profile, &command, &names), 3);
    values[3] = "a";
    ck_assert_uint_eq(profile_missing(&profile, &command, &names), profile.lookup_count);
    values[0] = NULL; /* What it was needed for is known. */
    ck_assert_uint_eq(profile_missing(&profile, &command, &names), profile.lookup_count);
}
END_TEST

START_TEST(patterns_match_as_file_names_do)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } cases[] = {
        { "a", "a", true },
        { "a", "ab", false },
        { "*", "", true },
        { "*", "abc", true },
        { "a*", "abc", true },
        { "*c", "abc", true },
        { "a*c", "abbc", true },
        { "a*c", "abcb", false },
        { "a?c", "abc", true },
        { "a?c", "ac", false },
        { "?", "", false },
        { "*a*b*", "xaxxbx", true },
        { "*aab", "aaaaab", true },
        { "a**", "a", true },
        { "vmbondeth*.*", "vmbondeth0", false },
        { "vmbondeth*.*", "vmbondeth0.310", true },
        { "/dev/exc/*", "/dev/exc/v", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ck_assert_msg(profile_matches(cases[i].pattern, cases[i].text) == cases[i].matches,
                      "'%s' '%s'", cases[i].pattern, cases[i].text);
    }
}
END_TEST

START_TEST(a_platform_takes_what_its_patterns_name)
{
    static const char *const bridges[] = { "vmbond*", "vmeth*", NULL };
    static const char *const nat[] = { "vmnat*", NULL };
    static const char *const devices[] = { "/dev/exc/*", NULL };
    struct profile profile = { .name = "p" };

    profile.supplies[SUPPLY_BRIDGE] = (struct profile_supply){ .given = true, .names = bridges };
    profile.supplies[SUPPLY_NAT_BRIDGE] = (struct profile_supply){ .given = true, .names = nat };
    profile.supplies[SUPPLY_VOLUME] = (struct profile_supply){ .given = true, .devices = devices };
    ck_assert(profile_takes(&profile, SUPPLY_BRIDGE, "vmeth1", NULL));
    ck_assert(!profile_takes(&profile, SUPPLY_BRIDGE, "br0", NULL));
    ck_assert(profile_takes(&profile, SUPPLY_VOLUME, "anything", "/dev/exc/v"));
    ck_assert(!profile_takes(&profile, SUPPLY_VOLUME, "anything", "/dev/sda"));
    ck_assert(!profile_takes(&profile, SUPPLY_VOLUME, "anything", NULL));
    ck_assert(!profile_takes(&profile, SUPPLY_CONFIG, "anything", "/dev/exc/v"));
    ck_assert_int_eq(profile_bridge_kind(&profile, "vmnat0"), SUPPLY_NAT_BRIDGE);
    ck_assert_int_eq(profile_bridge_kind(&profile, "vmeth1"), SUPPLY_BRIDGE);
}
END_TEST

START_TEST(of_interfaces_a_platform_takes_pci_functions_and_other_devices_only_by_name)
{
    static const char *const some[] = { "vf*", "0000:3b:*", NULL };
    struct profile profile = { .supplies = { [SUPPLY_INTERFACE] = { .given = true } } };

    ck_assert(profile_takes(&profile, SUPPLY_INTERFACE, "0000:3b:02.1", NULL));
    ck_assert(!profile_takes(&profile, SUPPLY_INTERFACE, "eth0", NULL));
    ck_assert(!profile_takes(&profile, SUPPLY_INTERFACE, "vf0", NULL));
    profile.supplies[SUPPLY_INTERFACE].names = some;
    ck_assert(profile_takes(&profile, SUPPLY_INTERFACE, "0000:3b:02.1", NULL));
    ck_assert(!profile_takes(&profile, SUPPLY_INTERFACE, "0000:5e:02.1", NULL));
    ck_assert(profile_takes(&profile, SUPPLY_INTERFACE, "vf0", NULL));
    ck_assert(!profile_takes(&profile, SUPPLY_INTERFACE, "eth0", NULL));
    profile.supplies[SUPPLY_INTERFACE].given = false;
    ck_assert(!profile_takes(&profile, SUPPLY_INTERFACE, "vf0", NULL));
}
END_TEST

START_TEST(the_default_provides_nothing_but_pools_and_has_no_rules)
{
    const struct profile *profile = profile_default();

    for (enum supply_kind kind = 0; kind < SUPPLY_KIND_COUNT; kind++) {
        ck_assert_int_eq(profile_provides(profile, kind), kind == SUPPLY_POOL);
    }
    for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
        for (enum move_mode mode = 0; mode < MOVE_MODE_COUNT; mode++) {
            ck_assert(!platform_needs(&profile->rules, mode, fact));
        }
    }
    ck_assert(!profile->announce);
}
END_TEST

START_TEST(a_copy_says_the_same_and_outlives_its_original)
{
    AUTO(arena) struct arena kept = ARENA_INIT;
    const struct profile *copy;
    struct text printed = text_new(&kept);
    struct text again = text_new(&kept);

    {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const struct profile_lookup lookups[] = {
            { .name = "id", .command = command_of(&arena, "look {name}"), .match = "(.*)" },
        };
        struct profile_command probe = command_of(&arena, "test -b {device}");
        struct profile profile = { .name = "p", .lookups = lookups, .lookup_count = 1 };

        profile.supplies[SUPPLY_VOLUME] = (struct profile_supply){
            .given = true, .names = command_of(&arena, "a* b*").words, .owner = "{id}"
        };
        profile.supplies[SUPPLY_VOLUME].verbs[PROFILE_PROBE] =
            (struct profile_commands){ .items = &probe, .count = 1 };
        profile.facts[PLATFORM_RELEASE] =
            (struct profile_fact){ .source = PROFILE_SOURCE_COMMAND,
                                   .command = command_of(&arena, "imageinfo -ver") };
        profile.rules.live_release = text_format(&arena, "26.1");
        profile_print(&printed, &profile);
        copy = profile_copy(&kept, &profile);
    }
    profile_print(&again, copy);
    ck_assert_str_eq(again.data, printed.data);
    ck_assert_ptr_nonnull(strstr(printed.data, "26.1"));
    ck_assert_ptr_nonnull(strstr(printed.data, "9:imageinfo"));
    ck_assert_ptr_nonnull(strstr(printed.data, "{device}"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile");
    TCase *tcase = tcase_create("profile");

    tcase_add_test(tcase, a_line_is_split_at_blanks_and_quotes_hold_words_together);
    tcase_add_test(tcase, a_line_without_words_or_with_an_open_quote_is_wrong);
    tcase_add_test(tcase, placeholders_are_replaced_inside_their_words);
    tcase_add_test(tcase, braces_that_are_no_placeholder_stay);
    tcase_add_test(tcase, what_replaces_a_placeholder_is_not_replaced_again);
    tcase_add_test(tcase, a_name_that_could_mean_more_than_a_name_is_refused_wherever_it_is_used);
    tcase_add_test(tcase, a_looked_up_value_that_could_mean_more_than_a_name_is_refused);
    tcase_add_test(tcase, a_placeholder_without_a_value_is_an_error);
    tcase_add_test(tcase, neither_a_program_nor_its_text_may_hold_a_placeholder);
    tcase_add_test(tcase, lookups_are_made_in_the_order_in_which_they_need_each_other);
    tcase_add_test(tcase, patterns_match_as_file_names_do);
    tcase_add_test(tcase, a_platform_takes_what_its_patterns_name);
    tcase_add_test(tcase,
                   of_interfaces_a_platform_takes_pci_functions_and_other_devices_only_by_name);
    tcase_add_test(tcase, the_default_provides_nothing_but_pools_and_has_no_rules);
    tcase_add_test(tcase, a_copy_says_the_same_and_outlives_its_original);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
