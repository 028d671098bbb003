/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "model/fault.h"
#include "model/profile.h"
#include "reconciler/config.h"
#include "reconciler/config_profile.h"
#include "tests/runner.h"
#include "tests/unit/scratch.h"

static const char *shipped(struct arena *arena, const char *name)
{
    return text_format(arena, "%s/configs/profiles/%s.conf", getenv("BERTH_SOURCE_DIR"), name);
}

static const char *write_file(struct arena *arena, const struct scratch *scratch, const char *name,
                              const char *text)
{
    const char *path = text_format(arena, "%s/%s", scratch->path, name);
    struct err err;

    ck_assert_int_eq(file_replace_unsynced(path, text, strlen(text), 0600, &err), 0);
    return path;
}

static const struct profile *read_path(struct arena *arena, const char *path)
{
    struct faults faults = fault_list(arena);
    const struct profile *profile = NULL;
    struct err err = { 0 };

    ck_assert_msg(config_profile_read(arena, path, &profile, &faults, &err) == 0, "%s",
                  faults.count > 0 ? faults.items[0].text : err.text);
    return profile;
}

static const struct profile *read_good(struct arena *arena, const char *text)
{
    AUTO(scratch) struct scratch scratch = scratch_new();

    return read_path(arena, write_file(arena, &scratch, "mine.conf", text));
}

/* Every fault as "LINE: text\n". */
static const char *faults_of(struct arena *arena, const char *profile_text)
{
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct faults faults = fault_list(arena);
    const struct profile *profile = NULL;
    struct text text = text_new(arena);
    struct err err = { 0 };

    ck_assert_int_eq(config_profile_read(arena,
                                         write_file(arena, &scratch, "mine.conf", profile_text),
                                         &profile, &faults, &err),
                     -1);
    ck_assert_int_eq(err.code, ERR_NONE);
    ck_assert_ptr_null(profile);
    for (size_t i = 0; i < faults.count; i++) {
        text_printf(&text, "%u: %s\n", faults.items[i].line, faults.items[i].text);
    }
    return text.data;
}

static const char *printed(struct arena *arena, const struct profile *profile)
{
    struct text text = text_new(arena);

    profile_print(&text, profile);
    return text.data;
}

START_TEST(the_shipped_libvirt_profile_is_what_holds_without_one)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(printed(&arena, read_path(&arena, shipped(&arena, "libvirt"))),
                     printed(&arena, profile_default()));
}
END_TEST

START_TEST(the_shipped_exascale_profile_provides_what_guests_there_need)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile *profile = read_path(&arena, shipped(&arena, "exascale"));

    ck_assert_str_eq(profile->name, "exascale");
    ck_assert(profile_takes(profile, SUPPLY_VOLUME, "vm1_sys", "/dev/exc/vm1_sys"));
    ck_assert(!profile_takes(profile, SUPPLY_VOLUME, "disk", "/dev/sda"));
    ck_assert(profile_takes(profile, SUPPLY_BRIDGE, "vmbondeth0.310", NULL));
    ck_assert(!profile_takes(profile, SUPPLY_BRIDGE, "vmbondeth0", NULL));
    ck_assert(profile->supplies[SUPPLY_VOLUME].shared);
    ck_assert(!profile_provides(profile, SUPPLY_INTERFACE));
    ck_assert_str_eq(profile->rules.live_generation, "X10M");
    ck_assert_int_eq(profile->rules.same_model, PLATFORM_LIVE);
    ck_assert_int_eq(profile->rules.live_update, PLATFORM_ALWAYS);
    ck_assert(profile->announce);
}
END_TEST

/* Every command of the shipped profile, with names as they are: it can be expanded, and none of its words
 * comes from two. */
START_TEST(each_command_of_the_shipped_exascale_profile_can_be_run)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile *profile = read_path(&arena, shipped(&arena, "exascale"));
    const char **values = ARENA_ARRAY(&arena, const char *, profile->lookup_count);
    const struct profile_names names = { .host = "kvm1",
                                         .peer = "kvm2",
                                         .guest = "vm1",
                                         .uuid = "5b1a4f2e-7a35-4a6e-9c0e-2f8f6f0d9a11",
                                         .name = "vm1_conf",
                                         .device = "/dev/exc/vm1_conf",
                                         .lookups = values };
    size_t expanded = 0;

    for (size_t i = 0; i < profile->lookup_count; i++) {
        values[i] = "2:72ebb8a56fba4e97b4716c25981702cb";
    }
    for (enum supply_kind kind = 0; kind < SUPPLY_KIND_COUNT; kind++) {
        for (enum profile_verb verb = 0; verb < PROFILE_VERB_COUNT; verb++) {
            const struct profile_commands *commands = &profile->supplies[kind].verbs[verb];

            for (size_t i = 0; i < commands->count; i++, expanded++) {
                const char *const *argv;
                struct err err;

                ck_assert_int_eq(
                    profile_expand(&arena, profile, &commands->items[i], &names, &argv, &err), 0);
                for (size_t j = 0; argv[j] != NULL; j++) {
                    ck_assert_ptr_null(strstr(argv[j], "{n"));
                    ck_assert_ptr_null(strstr(argv[j], "{d"));
                }
            }
        }
    }
    ck_assert_uint_gt(expanded, 15);
}
END_TEST

START_TEST(every_key_is_read)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile *profile = read_good(&arena, "[lookup volume-id]\n"
                                                      "command = look {name}   ; a comment\n"
                                                      "match = ^id (.*)$\n"
                                                      "[volume]\n"
                                                      "names = v* w*\n"
                                                      "devices = /dev/v/*\n"
                                                      "probe = test -b {device}\n"
                                                      "provide = attach {volume-id}\n"
                                                      "provide = settle\n"
                                                      "withdraw = detach {volume-id}\n"
                                                      "timeout = 5s\n"
                                                      "shared = yes\n"
                                                      "owners = owners {name}\n"
                                                      "owners_match = ([a-z]+)\n"
                                                      "owner = {host}\n"
                                                      "revoke = detach {volume-id} {peer}\n"
                                                      "identity = identity {device}\n"
                                                      "[interface]\n"
                                                      "probe = p\n"
                                                      "provide = q\n"
                                                      "withdraw = r\n"
                                                      "offers = ls /there\n"
                                                      "[pool]\n"
                                                      "names = p*\n"
                                                      "refresh = no\n"
                                                      "[fact release]\n"
                                                      "from = command\n"
                                                      "command = imageinfo -ver\n"
                                                      "match = [0-9.]+\n"
                                                      "[fact generation]\n"
                                                      "from = es:rackItemFamily\n"
                                                      "[fact cpus]\n"
                                                      "from = libvirt:cpus\n"
                                                      "[fact live-update]\n"
                                                      "from = command\n"
                                                      "command = update --list\n"
                                                      "is = outstanding\n"
                                                      "[rules]\n"
                                                      "live_generation = X10M\n"
                                                      "live_release = 26.1\n"
                                                      "offline_generation = X8M-2\n"
                                                      "offline_release = 25.1\n"
                                                      "same_cpus = live\n"
                                                      "target_release = offline\n"
                                                      "live_update = always\n"
                                                      "secure_fabric = no\n"
                                                      "announce = yes\n");
    const struct profile_supply *volume = &profile->supplies[SUPPLY_VOLUME];

    ck_assert(profile->supplies[SUPPLY_POOL].start && !profile->supplies[SUPPLY_POOL].refresh);
    ck_assert(profile_takes(profile, SUPPLY_POOL, "p1", NULL));
    ck_assert(!profile_takes(profile, SUPPLY_POOL, "q1", NULL));
    ck_assert_str_eq(profile->name, "mine");
    ck_assert_uint_eq(profile->lookup_count, 1);
    ck_assert_str_eq(profile->lookups[0].name, "volume-id");
    ck_assert_str_eq(profile->lookups[0].match, "^id (.*)$");
    ck_assert_str_eq(profile->lookups[0].command.words[1], "{name}");
    ck_assert_ptr_null(profile->lookups[0].command.words[2]);
    ck_assert_str_eq(volume->names[1], "w*");
    ck_assert_str_eq(volume->devices[0], "/dev/v/*");
    ck_assert_uint_eq(volume->verbs[PROFILE_PROVIDE].count, 2);
    ck_assert_str_eq(volume->verbs[PROFILE_PROVIDE].items[1].words[0], "settle");
    ck_assert_uint_eq(volume->verbs[PROFILE_PROVIDE].items[1].line, 9);
    ck_assert_str_eq(volume->verbs[PROFILE_PROVIDE].items[1].key, "[volume] provide");
    ck_assert_str_eq(profile->lookups[0].command.key, "[lookup volume-id] command");
    ck_assert_str_eq(profile->facts[PLATFORM_RELEASE].command.key, "[fact release] command");
    ck_assert_int_eq(volume->timeout_ms, 5000);
    ck_assert(volume->shared);
    ck_assert_str_eq(volume->owner, "{host}");
    ck_assert_uint_eq(volume->verbs[PROFILE_REVOKE].count, 1);
    ck_assert_str_eq(volume->verbs[PROFILE_IDENTITY].items[0].words[0], "identity");
    ck_assert_str_eq(profile->supplies[SUPPLY_INTERFACE].verbs[PROFILE_OFFERS].items[0].words[1],
                     "/there");
    ck_assert_int_eq(profile->facts[PLATFORM_GENERATION].source, PROFILE_SOURCE_ES);
    ck_assert_int_eq(profile->facts[PLATFORM_CPUS].source, PROFILE_SOURCE_LIBVIRT);
    ck_assert_str_eq(profile->facts[PLATFORM_LIVE_UPDATE].is, "outstanding");
    ck_assert_int_eq(profile->rules.target_release, PLATFORM_OFFLINE);
    ck_assert_int_eq(profile->rules.secure_fabric, PLATFORM_NEVER);
    ck_assert(profile->announce);
}
END_TEST

START_TEST(a_state_section_needs_nothing_more)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile *plain = read_good(&arena, "[state]\n");
    const struct profile_supply *state = &plain->supplies[SUPPLY_STATE];
    const struct profile *own =
        read_good(&arena, "[state]\nread = sudo -n cat -- {device}\nmax_size = 1MiB\n");

    ck_assert(profile_takes(plain, SUPPLY_STATE, SUPPLY_NVRAM, "/nvram/vm1_VARS.fd"));
    ck_assert_uint_eq(state->max_bytes, PROFILE_STATE_BYTES);
    for (enum profile_verb verb = 0; verb < PROFILE_VERB_COUNT; verb++) {
        ck_assert_uint_eq(state->verbs[verb].count, profile_state_command(verb) != NULL);
    }
    state = &own->supplies[SUPPLY_STATE];
    ck_assert_uint_eq(state->max_bytes, 1024 * 1024);
    ck_assert_uint_eq(state->verbs[PROFILE_READ].count, 1);
    ck_assert_str_eq(state->verbs[PROFILE_READ].items[0].words[0], "sudo");
    ck_assert_str_eq(state->verbs[PROFILE_SUM].items[0].words[0], "sha256sum");
}
END_TEST

/* What a host says of a file is passed on to another: as names and numbers, or not at all. */
START_TEST(each_command_of_a_state_section_is_one_vector_of_words)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct profile *profile = read_good(&arena, "[state]\n");
    const struct profile_supply *state = &profile->supplies[SUPPLY_STATE];
    const struct profile_names good = { .device = "/nvram/vm1_VARS.fd",
                                        .new_device = "/nvram/vm1_VARS.fd.berth-moved-1",
                                        .permissions = "600",
                                        .owner = "libvirt-qemu",
                                        .group = "kvm" };
    const char *const *argv;
    struct err err;

    for (enum profile_verb verb = 0; verb < PROFILE_VERB_COUNT; verb++) {
        for (size_t i = 0; i < state->verbs[verb].count; i++) {
            ck_assert_int_eq(
                profile_expand(&arena, profile, &state->verbs[verb].items[i], &good, &argv, &err),
                0);
        }
    }
    for (size_t i = 0; i < 6; i++) {
        struct profile_names bad = good;

        bad.permissions = i == 0 ? "u+s" : i == 1 ? "00600" : bad.permissions;
        bad.owner = i == 2 ? "-x" : i == 3 ? "a b" : bad.owner;
        bad.group = i == 4 ? "" : i == 5 ? "a:b" : bad.group;
        ck_assert_int_eq(profile_expand(&arena, profile, &state->verbs[PROFILE_CREATE].items[0],
                                        &bad, &argv, &err),
                         -1);
    }
    profile_expand(&arena, profile, &state->verbs[PROFILE_CREATE].items[0], &good, &argv, &err);
    ck_assert_str_eq(argv[2], "--mode=600");
}
END_TEST

static const struct {
    const char *text;
    const char *faults;
} wrong[] = {
    { "[state]\nprovide = x\n",
      "2: 'provide' is not for [state]: see 'create', 'write' and 'rename'\n" },
    { "[state]\nmax_size = 1GiB\n",
      "2: 'max_size' must be a size from 1KiB to 256MiB, such as 4MiB\n" },
    { "[volume]\nprobe = x\nprovide = x\nwithdraw = x\nread = x\n",
      "5: [volume] has no key 'read'\n" },
    { "x = y\n", "1: 'x' stands before any section\n" },
    { "[nosuch]\nx = y\n", "1: unknown section [nosuch]\n" },
    { "[]\n", "1: unknown section []\n" },
    { "[volume\n", "1: not a section header such as [fleet]\n" },
    { "[volume x]\n", "1: [volume] takes no name\n" },
    { "[rules x]\n", "1: [rules] takes no name\n" },
    { "[rules]\n[rules]\n", "2: [rules] is there twice, first on line 1\n" },
    { "[rules]\nnosuch = 1\n", "2: [rules] has no key 'nosuch'\n" },
    { "[rules]\n\x1b[2J = 1\n", "2: [rules] has no key '?[2J'\n" },
    { "[rules]\nannounce = maybe\n", "2: 'announce' must be yes or no\n" },
    { "[rules]\nannounce = yes\nannounce = no\n",
      "3: 'announce' is there twice, first on line 2\n" },
    { "[rules]\nsame_model = yes\n", "2: 'same_model' must be live, offline, always or no\n" },
    { "[rules]\nlive_generation = 10\n",
      "2: 'live_generation' must be a generation such as X10M or X8M-2\n" },
    { "[rules]\nlive_release = new\n", "2: 'live_release' must be a release such as 26.1\n" },
    { "[rules]\nsame_model = live\nlive_release = 26.1\n",
      "1: a rule needs [fact model]\n1: a rule needs [fact release]\n" },
    { "[bridge]\nprobe = p\n", "1: [bridge] needs 'provide'\n1: [bridge] needs 'withdraw'\n" },
    { "[pool]\nprobe = p\n", "2: [pool] has no key 'probe'\n" },
    { "[pool]\nstart = maybe\n", "2: 'start' must be yes or no\n" },
    { "[bridge]\nprobe = p\nprovide = q\nwithdraw = r\nstart = yes\n",
      "5: [bridge] has no key 'start'\n" },
    { "[bridge]\nprobe = p\nprovide = q\nwithdraw = r\nshared = yes\n",
      "5: [bridge] has no key 'shared'\n" },
    { "[bridge]\nprobe = p\nprovide = q\nwithdraw = r\noffers = o\n",
      "5: [bridge] has no key 'offers'\n" },
    { "[interface]\nprobe = p\nprovide = q\nwithdraw = r\noffers = o\noffers = o\nowners = o\n",
      "6: 'offers' is there twice, first on line 5\n7: [interface] has no key 'owners'\n" },
    { "[bridge]\nprobe = {name}\nprovide = q\nwithdraw = r\n",
      "2: 'probe' must have no placeholder such as {name} in the name of a program\n" },
    { "[bridge]\nprobe = sh -c \"test -d {name}\"\nprovide = q\nwithdraw = r\n",
      "2: 'probe' must have no placeholder such as {name} in program text: give it as an argument\n" },
    { "[bridge]\nprobe = p {nosuch}\nprovide = q\nwithdraw = r\n",
      "2: 'probe' has the placeholder {nosuch}, which no [lookup] before it is for\n" },
    { "[bridge]\nprobe = p \"x\nprovide =\nwithdraw = r\n",
      "2: 'probe' has a quote that does not end\n3: 'provide' must not be empty\n" },
    { "[bridge]\nprobe = p\nprovide = q\nwithdraw = r\ntimeout = 0s\n",
      "5: 'timeout' must be a duration of at least 1s, such as 30s\n" },
    { "[volume]\nprobe = p\nprovide = q\nwithdraw = r\nowners = o\n",
      "1: [volume] needs 'owner'\n" },
    { "[volume]\nprobe = p\nprovide = q\nwithdraw = r\nowner = {host}\n",
      "5: 'owner' is for 'owners', which is not given\n" },
    { "[volume]\nprobe = p\nprovide = q\nwithdraw = r\nowners = o\nowner = a b\n",
      "6: 'owner' must be one word\n" },
    { "[lookup]\ncommand = x\n",
      "1: [lookup NAME]: '' is not a name of small letters, digits and '-', or one that a placeholder "
      "has already\n" },
    { "[lookup name]\ncommand = x\n",
      "1: [lookup NAME]: 'name' is not a name of small letters, digits and '-', or one that a "
      "placeholder has already\n" },
    { "[lookup a]\ncommand = x\n[lookup a]\ncommand = y\n",
      "3: [lookup NAME]: 'a' is not a name of small letters, digits and '-', or one that a placeholder "
      "has already\n" },
    { "[lookup a]\n", "1: [lookup a] needs 'command'\n" },
    { "[lookup a]\ncommand = x {a}\n",
      "2: 'command' has the placeholder {a}, which no [lookup] before it is for\n" },
    { "[lookup a]\ncommand = x {b}\n[lookup b]\ncommand = x\n",
      "2: 'command' has the placeholder {b}, which no [lookup] before it is for\n" },
    { "[lookup a]\ncommand = x\nmatch = (\n",
      "3: 'match' is no extended regular expression: Unmatched ( or \\(\n" },
    { "[lookup a]\ncommand = x\nmatch =\n", "3: 'match' must not be empty\n" },
    { "[fact shoe-size]\nfrom = command\n",
      "1: [fact NAME]: nothing asks for the fact 'shoe-size'\n" },
    { "[fact model]\n", "1: [fact model] needs 'from'\n" },
    { "[fact model]\nfrom = command\n", "1: [fact model] needs 'command'\n" },
    { "[fact model]\nfrom = es:nosuch\n",
      "2: 'from' must be command, es:rackItemFamily or libvirt:cpus\n" },
    { "[fact model]\nfrom = libvirt:cpus\ncommand = x\n", "3: 'command' needs 'from = command'\n" },
    { "[fact model]\nfrom = command\ncommand = x\nmatch = a\nis = b\n",
      "4: 'match' and 'is' exclude each other\n" },
    { "[fact model]\nfrom = es:rackItemFamily\n[fact model]\nfrom = es:rackItemFamily\n",
      "3: [fact model] is there twice, first on line 1\n" },
    { "nonsense\n", "1: not a section, 'key = value' or comment\n" },
};

START_TEST(what_is_wrong_is_told_with_its_line)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(faults_of(&arena, wrong[_i].text), wrong[_i].faults);
}
END_TEST

START_TEST(a_verb_has_a_bounded_number_of_commands)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    text_append(&text, "[bridge]\nprobe = p\nwithdraw = w\n");
    for (unsigned i = 0; i < 17; i++) {
        text_append(&text, "provide = x\n");
    }
    ck_assert_str_eq(faults_of(&arena, text.data), "20: 'provide' is there too often\n");
}
END_TEST

static struct config read_config(struct arena *arena, const char *path, struct faults *faults)
{
    struct config config = config_default();
    struct err err = { 0 };

    (void)config_read(arena, path, &config, faults, &err);
    ck_assert_int_eq(err.code, ERR_NONE);
    return config;
}

START_TEST(berth_conf_names_a_profile_by_its_path)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct faults faults = fault_list(&arena);
    const char *path =
        write_file(&arena, &scratch, "berth.conf",
                   text_format(&arena, "[fleet]\nprofile = %s\n", shipped(&arena, "exascale")));
    struct config config = read_config(&arena, path, &faults);
    struct config other = config_default();
    char digest[65];
    char default_digest[65];

    ck_assert_uint_eq(faults.count, 0);
    ck_assert_str_eq(config.policy.profile->name, "exascale");
    ck_assert_str_eq(other.policy.profile->name, "libvirt");
    config_policy_digest(&config, digest);
    config_policy_digest(&other, default_digest);
    ck_assert_str_ne(digest, default_digest);
}
END_TEST

START_TEST(faults_of_a_profile_are_faults_of_the_berth_conf_that_names_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(scratch) struct scratch scratch = scratch_new();
    struct faults faults = fault_list(&arena);
    const char *profile = write_file(&arena, &scratch, "bad.conf", "\n[nosuch]\n");
    const char *path = write_file(&arena, &scratch, "berth.conf",
                                  text_format(&arena, "\n[fleet]\nprofile = %s\n", profile));
    struct config config = read_config(&arena, path, &faults);

    ck_assert_uint_eq(faults.count, 1);
    ck_assert_uint_eq(faults.items[0].line, 2);
    ck_assert_str_eq(faults.items[0].text,
                     text_format(&arena, "'profile': %s:2: unknown section [nosuch]", profile));
    ck_assert_str_eq(config.policy.profile->name, "libvirt");
}
END_TEST

START_TEST(a_profile_that_is_not_there_is_a_fault)
{
    static const char *const names[] = { "nosuch", "/nosuch/x.conf", "..", "a b", "/" };
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO(scratch) struct scratch scratch = scratch_new();
        struct faults faults = fault_list(&arena);
        const char *path = write_file(&arena, &scratch, "berth.conf",
                                      text_format(&arena, "[fleet]\nprofile = %s\n", names[i]));

        (void)read_config(&arena, path, &faults);
        ck_assert_uint_eq(faults.count, 1);
        ck_assert_msg(strncmp(faults.items[0].text, "'profile': ", 11) == 0, "%s",
                      faults.items[0].text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_profile");
    TCase *tcase = tcase_create("profile");

    tcase_add_test(tcase, the_shipped_libvirt_profile_is_what_holds_without_one);
    tcase_add_test(tcase, the_shipped_exascale_profile_provides_what_guests_there_need);
    tcase_add_test(tcase, each_command_of_the_shipped_exascale_profile_can_be_run);
    tcase_add_test(tcase, every_key_is_read);
    tcase_add_test(tcase, a_state_section_needs_nothing_more);
    tcase_add_test(tcase, each_command_of_a_state_section_is_one_vector_of_words);
    tcase_add_loop_test(tcase, what_is_wrong_is_told_with_its_line, 0, (int)ARRAY_LEN(wrong));
    tcase_add_test(tcase, a_verb_has_a_bounded_number_of_commands);
    tcase_add_test(tcase, berth_conf_names_a_profile_by_its_path);
    tcase_add_test(tcase, faults_of_a_profile_are_faults_of_the_berth_conf_that_names_it);
    tcase_add_test(tcase, a_profile_that_is_not_there_is_a_fault);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
