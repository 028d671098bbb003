/* SPDX-License-Identifier: Apache-2.0 */

/* berth-guard: holds back, on a KVM host, what libvirt would start at boot, until the controller has seen that
 * none of it runs elsewhere.  It stands alone: libc, base/, and the words of JSON. */

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/exempt.h"
#include "cli/holdback.h"
#include "cli/virsh.h"
#include "model/json_token.h"

#define CONF "/etc/berth/guard.conf"

/* As of berth (docs/man/berth-guard.8). */
enum guard_exit {
    GUARD_OK = 0,
    GUARD_FAILED = 1,
    GUARD_INVALID = 2, /* Bad usage or guard.conf. */
};

struct guard {
    struct arena arena;
    struct holdback holdback;
    const char *root;  /* "" = this system. */
    const char *virsh; /* NULL: libvirt is not asked. */
    bool json;
    bool start;
    int status; /* The worst so far. */
};

struct verb {
    const char *name;
    const char *arguments;
    const char *summary;
    int arguments_max;
    void (*run)(struct guard *guard, char **arguments);
};

static void complain(const char *fmt, ...) PRINTF(1, 2);

static void complain(const char *fmt, ...)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text line = text_new(&arena);
    char words[2 * ERR_TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    text_printf(&line, "berth-guard: %s\n", text_visible(&arena, words));
    (void)fflush(stdout);
    (void)fputs(line.data, stderr);
}

static void fail(struct guard *guard, const struct err *err)
{
    complain("%s", err->text);
    if (guard->status == GUARD_OK) {
        guard->status = err->code == ERR_INVALID ? GUARD_INVALID : GUARD_FAILED;
    }
}

/* At once: whoever reads it knows what was done, whatever comes next. */
static void print_guest(struct guard *guard, const char *guest)
{
    printf("%s\n", text_visible(&guard->arena, guest));
    (void)fflush(stdout);
}

static void tell_strange(const struct holdback_names *strange, const char *folder)
{
    for (size_t i = 0; i < strange->count; i++) {
        complain("'%.200s/%.200s' is no link to a guest's definition: left alone", folder,
                 strange->items[i]);
    }
}

/* A fault exempts nobody. */
static struct exempt read_exempt(struct guard *guard)
{
    const char *path = text_format(&guard->arena, "%s" CONF, guard->root);
    struct exempt exempt;
    struct err err;

    if (exempt_read(&guard->arena, path, &exempt, &err) != 0) {
        complain("%s: every guest is held back", err.text);
        guard->status = GUARD_INVALID;
    }
    return exempt;
}

/* What an earlier boot left held back and is exempt now. */
static void give_exempt(struct guard *guard, const struct exempt *exempt)
{
    struct holdback *holdback = &guard->holdback;
    struct holdback_names guests;
    struct holdback_names strange;
    struct err err;

    if (holdback_list_held(&guard->arena, holdback, &guests, &strange, &err) != 0) {
        fail(guard, &err);
        return;
    }
    for (size_t i = 0; i < guests.count; i++) {
        if (exempt_has(exempt, guests.items[i]) &&
            (holdback_give(holdback, guests.items[i], &err) != 0 ||
             holdback_forget(holdback, guests.items[i], &err) != 0)) {
            fail(guard, &err);
        }
    }
}

/* Drops from 'guests' those that are exempt. */
static void leave_out(struct holdback_names *guests, const struct exempt *exempt)
{
    size_t kept = 0;

    for (size_t i = 0; i < guests->count; i++) {
        if (!exempt_has(exempt, guests->items[i])) {
            guests->items[kept++] = guests->items[i];
        }
    }
    guests->count = kept;
}

/* Copies first, all of them, and one wait for the disk: a host with many guests is to boot quickly.  False:
 * not all is held back. */
static bool take_links(struct guard *guard, struct holdback_names *guests)
{
    const struct holdback *holdback = &guard->holdback;
    size_t kept = 0;
    size_t taken = 0;
    size_t count = guests->count;
    struct err err;

    for (size_t i = 0; i < count; i++) {
        if (holdback_keep(holdback, guests->items[i], &err) != 0) {
            fail(guard, &err);
        } else {
            guests->items[kept++] = guests->items[i];
        }
    }
    if (holdback_sync(holdback, &err) != 0) {
        fail(guard, &err);
        return false;
    }
    for (size_t i = 0; i < kept; i++) {
        if (holdback_take(holdback, guests->items[i], &err) != 0) {
            fail(guard, &err);
        } else {
            print_guest(guard, guests->items[i]);
            taken++;
        }
    }
    if (holdback_sync(holdback, &err) != 0) {
        fail(guard, &err);
    }
    return taken == count;
}

static enum holdback_state hold_links(struct guard *guard)
{
    struct exempt exempt = read_exempt(guard);
    struct holdback_names guests;
    struct holdback_names strange;
    struct err err;

    give_exempt(guard, &exempt);
    if (holdback_list_links(&guard->arena, &guard->holdback, &guests, &strange, &err) != 0) {
        fail(guard, &err);
        return HOLDBACK_PARTLY;
    }
    tell_strange(&strange, guard->holdback.autostart);
    leave_out(&guests, &exempt);
    return take_links(guard, &guests) ? HOLDBACK_HELD : HOLDBACK_PARTLY;
}

static void hold(struct guard *guard, char **arguments)
{
    struct holdback *holdback = &guard->holdback;
    enum holdback_state state;
    struct err err;

    (void)arguments;
    if (holdback_lock(holdback, &err) != 0) {
        fail(guard, &err);
        return;
    }
    if (holdback->state == HOLDBACK_RELEASED || holdback->state == HOLDBACK_HELD) {
        complain("this boot is %s already: nothing to do", holdback_state_name(holdback->state));
        return;
    }
    if (holdback_is_late(holdback)) {
        complain(
            "libvirt has started its guests already: nothing is held back before the next boot");
        state = holdback->state == HOLDBACK_PARTLY ? HOLDBACK_PARTLY : HOLDBACK_LATE;
    } else {
        state = hold_links(guard);
    }
    if (holdback_mark(holdback, state, &err) != 0) {
        fail(guard, &err);
    }
}

/* libvirt, where it runs, believes that the guest has no autostart until it is told; then the link is there.
 * Where it cannot be told, it finds the link when it starts the next time. */
static void tell_libvirt(struct guard *guard, const char *guest)
{
    struct err err;

    if (guard->virsh != NULL &&
        virsh_run(&guard->arena, guard->virsh, "autostart", guest, NULL, &err) != 0) {
        complain("%s: libvirt takes note when it starts the next time", err.text);
    }
}

/* A guest that runs already is fine: an earlier release may have got as far. */
static int start_guest(struct guard *guard, const char *guest, struct err *err)
{
    const char *state;

    if (!guard->start) {
        return 0;
    }
    if (virsh_run(&guard->arena, guard->virsh, "domstate", guest, &state, err) != 0) {
        return -1;
    }
    if (strcmp(state, "shut off") != 0 && strcmp(state, "crashed") != 0) {
        return 0;
    }
    return virsh_run(&guard->arena, guard->virsh, "start", guest, NULL, err);
}

/* Ours is forgotten last: what was not done to the end is done again. */
static void release_guest(struct guard *guard, const char *guest)
{
    struct holdback *holdback = &guard->holdback;
    bool defined = holdback_is_defined(holdback, guest);
    struct err err;

    if (defined) {
        tell_libvirt(guard, guest);
        if (holdback_give(holdback, guest, &err) != 0 || start_guest(guard, guest, &err) != 0) {
            fail(guard, &err);
            return;
        }
        print_guest(guard, guest);
    } else {
        complain("guest '%.200s' is not defined here any more: its autostart is forgotten", guest);
    }
    if (holdback_forget(holdback, guest, &err) != 0) {
        fail(guard, &err);
    }
}

static void release_named(struct guard *guard, const struct holdback_names *held, char **names)
{
    for (; *names != NULL; names++) {
        if (text_index(held->items, held->count, *names) < held->count) {
            release_guest(guard, *names);
        } else {
            complain("guest '%.200s' is not held back: nothing to do", *names);
        }
    }
}

/* Where libvirt has started without us, or not all was held back, saying that the boot was released would
 * hide that. */
static void mark_released(struct guard *guard)
{
    struct holdback *holdback = &guard->holdback;
    bool early = holdback->state == HOLDBACK_MISSED && !holdback_is_late(holdback);
    struct err err;

    if ((early || holdback->state == HOLDBACK_HELD) &&
        holdback_mark(holdback, HOLDBACK_RELEASED, &err) != 0) {
        fail(guard, &err);
    }
}

static void release(struct guard *guard, char **arguments)
{
    struct holdback *holdback = &guard->holdback;
    struct holdback_names held;
    struct holdback_names strange;
    struct err err;

    if (holdback_lock(holdback, &err) != 0 ||
        holdback_list_held(&guard->arena, holdback, &held, &strange, &err) != 0) {
        fail(guard, &err);
        return;
    }
    if (*arguments != NULL) {
        release_named(guard, &held, arguments);
        return;
    }
    tell_strange(&strange, holdback->held);
    for (size_t i = 0; i < held.count; i++) {
        release_guest(guard, held.items[i]);
    }
    if (guard->status == GUARD_OK) {
        mark_released(guard);
    }
}

static const char *explain(enum holdback_state state)
{
    switch (state) {
    case HOLDBACK_HELD:
        return "this boot was held back";
    case HOLDBACK_RELEASED:
        return "this boot is released";
    case HOLDBACK_LATE:
        return "this boot was not held back: libvirt was there first; it counts from the next boot on";
    case HOLDBACK_PARTLY:
        return "this boot was not held back as a whole: see 'journalctl -u berth-guard'";
    case HOLDBACK_MISSED:
    case HOLDBACK_STATE_COUNT:
        break;
    }
    return "this boot was not held back: 'systemctl enable berth-guard' does, from the next boot on";
}

static void write_names(struct text *text, const char *member, const struct holdback_names *names)
{
    text_printf(text, ",\"%s\":[", member);
    for (size_t i = 0; i < names->count; i++) {
        text_append(text, i == 0 ? "" : ",");
        json_token_write_string(text, names->items[i]);
    }
    text_append(text, "]");
}

static void print_json(struct guard *guard, const struct holdback_names *held,
                       const struct holdback_names *strange)
{
    const struct exempt exempt = read_exempt(guard);
    const struct holdback_names patterns = { exempt.patterns, exempt.count };
    struct text text = text_new(&guard->arena);

    text_append(&text, "{\"format\":\"berth.guard/1\",\"state\":");
    json_token_write_string(&text, holdback_state_name(guard->holdback.state));
    text_append(&text, ",\"boot\":");
    json_token_write_string(&text, guard->holdback.boot);
    write_names(&text, "held", held);
    write_names(&text, "exempt", &patterns);
    write_names(&text, "strange", strange);
    printf("%s}\n", text.data);
}

static void show(struct guard *guard, char **arguments)
{
    const struct holdback *holdback = &guard->holdback;
    struct holdback_names held;
    struct holdback_names strange;
    struct err err;

    (void)arguments;
    if (holdback_list_held(&guard->arena, holdback, &held, &strange, &err) != 0) {
        fail(guard, &err);
        return;
    }
    if (holdback->state != HOLDBACK_HELD && holdback->state != HOLDBACK_RELEASED) {
        guard->status = GUARD_FAILED;
    }
    if (guard->json) {
        print_json(guard, &held, &strange);
        return;
    }
    printf("%s\n", explain(holdback->state));
    for (size_t i = 0; i < held.count; i++) {
        printf("held back: %s\n", text_visible(&guard->arena, held.items[i]));
    }
    tell_strange(&strange, holdback->held);
}

static const struct verb verbs[] = {
    { "hold", "", "at boot, before libvirt: keep it from starting guests", 0, hold },
    { "release", "[GUEST]...", "let libvirt have guests again; print whom it would have started",
      10000, release },
    { "status", "", "how this boot stands, and who is held back", 0, show },
};

static void print_help(void)
{
    printf("usage: berth-guard VERB [options]\n\n"
           "Holds back what libvirt would start as this host boots, until it is released.\n\n"
           "Verbs:\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        printf("  %-8s%-12s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
    }
    printf("\nOptions:\n"
           "      --json                 status: print it as JSON\n"
           "      --start                release: start them, too\n"
           "      --root DIR             the system below DIR, whose libvirt is not asked\n"
           "      --virsh PROGRAM        ask libvirt by PROGRAM in place of virsh\n"
           "  -h, --help                 print this\n"
           "      --version              print the version\n");
}

static int bad_usage(void)
{
    (void)fputs("hint: try 'berth-guard --help'\n", stderr);
    return GUARD_INVALID;
}

enum {
    OPTION_JSON = 256,
    OPTION_START,
    OPTION_ROOT,
    OPTION_VIRSH,
    OPTION_VERSION
};

/* -1: go on. */
static int parse(struct guard *guard, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, OPTION_JSON },
        { "start", no_argument, NULL, OPTION_START },
        { "root", required_argument, NULL, OPTION_ROOT },
        { "virsh", required_argument, NULL, OPTION_VIRSH },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, OPTION_VERSION },
        { 0 },
    };
    const char *virsh = NULL;
    bool elsewhere = false;
    int found;

    while ((found = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (found) {
        case OPTION_JSON:
            guard->json = true;
            break;
        case OPTION_START:
            guard->start = true;
            break;
        case OPTION_ROOT:
            guard->root = optarg;
            elsewhere = true;
            break;
        case OPTION_VIRSH:
            virsh = optarg;
            break;
        case OPTION_VERSION:
            printf("berth-guard %s\n", BERTH_VERSION);
            return GUARD_OK;
        case 'h':
            print_help();
            return GUARD_OK;
        default:
            return bad_usage();
        }
    }
    guard->virsh = virsh != NULL || elsewhere ? virsh : "virsh";
    return -1;
}

static int run_verb(struct guard *guard, const struct verb *verb, char **arguments)
{
    int count = 0;
    struct err err;

    while (arguments[count] != NULL) {
        count++;
    }
    if (count > verb->arguments_max) {
        complain("%s: too many arguments", verb->name);
        return bad_usage();
    }
    if (guard->start && guard->virsh == NULL) {
        complain("--start: nobody can be started below '%.200s'", guard->root);
        return bad_usage();
    }
    if (holdback_open(&guard->arena, guard->root, &guard->holdback, &err) != 0) {
        fail(guard, &err);
        return GUARD_FAILED;
    }
    verb->run(guard, arguments);
    holdback_close(&guard->holdback);
    return guard->status;
}

static int run(struct guard *guard, int argc, char **argv)
{
    int status = parse(guard, argc, argv);

    if (status >= 0) {
        return status;
    }
    if (optind == argc) {
        complain("a verb is missing");
        return bad_usage();
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[optind], verbs[i].name) == 0) {
            return run_verb(guard, &verbs[i], argv + optind + 1);
        }
    }
    complain("'%.100s': no such verb", argv[optind]);
    return bad_usage();
}

int main(int argc, char **argv)
{
    struct guard guard = { .holdback = HOLDBACK_INIT, .root = "" };
    int status = run(&guard, argc, argv);

    arena_deinit(&guard.arena);
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && status == GUARD_OK) {
        complain("cannot write the result: %s", strerror(errno));
        return GUARD_FAILED;
    }
    return status;
}
