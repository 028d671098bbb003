/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_platform.h"

#include <inttypes.h>
#include <pthread.h>

#include "actuators/libvirt_command.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_supply.h"
#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"
#include "model/platform.h"
#include "model/profile.h"

/* One host, and what it is asked on a thread of its own. */
struct inquiry {
    const struct libvirt_move *move;
    const struct libvirt_move_end *end;
    bool is_target;
    const struct profile *profile;
    const char *family; /* By es.xml, or NULL. */
    struct arena arena; /* Of the answers, while they are made. */
    struct platform_host host;
    uint32_t present;
    uint32_t known;
    struct err err;     /* Why a supply is not known. */
    struct err refusal; /* Of the target: why it cannot give an interface. */
};

static struct platform_value tell(struct arena *arena, const struct err *err)
{
    return (struct platform_value){ .why = arena_strdup(arena, err->text) };
}

/* All lines in order, so that a list does not differ by how it was written. */
static struct platform_value sorted_lines(struct arena *arena, const char *out)
{
    struct text text = text_new(arena);
    const char **lines = NULL;
    struct err err;
    size_t count;

    if (libvirt_command_find(arena, out, NULL, &lines, &count, &err) < 0) {
        return tell(arena, &err);
    }
    if (count == 0) {
        return (struct platform_value){ .why = "its command says nothing" };
    }
    text_sort(lines, count, sizeof(*lines));
    for (size_t i = 0; i < count; i++) {
        text_printf(&text, "%s%s", i == 0 ? "" : ", ", text_visible(arena, lines[i]));
    }
    return (struct platform_value){ .text = text.data };
}

static struct platform_value matching(struct arena *arena, const struct profile_fact *fact,
                                      const char *name, const char *out)
{
    const char *value;
    struct err err;

    if (libvirt_command_pick(arena, out, fact->match, name, &value, &err) < 0) {
        return tell(arena, &err);
    }
    return (struct platform_value){ .text = text_visible(arena, value) };
}

static struct platform_value whether(struct arena *arena, const struct profile_fact *fact,
                                     const char *out)
{
    const char **items = NULL;
    struct err err;
    size_t count;

    if (libvirt_command_find(arena, out, fact->is, &items, &count, &err) < 0) {
        return tell(arena, &err);
    }
    return (struct platform_value){ .text = count > 0 ? "yes" : "no" };
}

static struct platform_value ask_command(const struct inquiry *inquiry,
                                         struct libvirt_command_host *host, enum platform_fact fact)
{
    const struct profile_fact *source = &inquiry->profile->facts[fact];
    const char *name = platform_fact_name(fact);
    const struct profile_names names = { .host = inquiry->end->host.name,
                                         .guest = inquiry->move->op->guest,
                                         .uuid = inquiry->move->op->uuid };
    struct arena *arena = host->arena;
    struct ssh_output output = { 0 };
    struct err err;

    if (libvirt_command_run(host, &source->command, &names, PROFILE_TIMEOUT_MS, &output, &err) <
            0 ||
        libvirt_command_check(host, text_format(arena, "find out '%s'", name), &output, &err) < 0) {
        return tell(arena, &err);
    }
    if (source->is != NULL) {
        return whether(arena, source, output.out);
    }
    return source->match == NULL ? sorted_lines(arena, output.out)
                                 : matching(arena, source, name, output.out);
}

static struct platform_value ask_fact(const struct inquiry *inquiry,
                                      struct libvirt_command_host *host, enum platform_fact fact)
{
    const struct observed_host *seen = &inquiry->end->host;

    switch (inquiry->profile->facts[fact].source) {
    case PROFILE_SOURCE_NONE:
        break;
    case PROFILE_SOURCE_ES:
        return (struct platform_value){ .text = inquiry->family,
                                        .why = "es.xml has no rackItemFamily of it" };
    case PROFILE_SOURCE_LIBVIRT:
        if (seen->cpu_model == NULL) {
            return (struct platform_value){ .why = "libvirt does not say" };
        }
        return (struct platform_value){ .text = text_format(host->arena, "%" PRIu32 " CPUs %s",
                                                            seen->cpus, seen->cpu_model) };
    case PROFILE_SOURCE_COMMAND:
        return ask_command(inquiry, host, fact);
    }
    return (struct platform_value){ 0 };
}

static void ask(struct inquiry *inquiry)
{
    const struct op *op = inquiry->move->op;
    struct libvirt_command_host host = libvirt_supply_host(inquiry->move, inquiry->end);

    host.arena = &inquiry->arena; /* Of a thread of its own. */
    inquiry->host.name = inquiry->end->host.name;
    for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
        if (platform_needs(&inquiry->profile->rules, op->mode, fact)) {
            inquiry->host.facts[fact] = ask_fact(inquiry, &host, fact);
        }
    }
    libvirt_supply_survey(inquiry->move, inquiry->end, &host, &inquiry->present, &inquiry->known,
                          &inquiry->err);
    if (inquiry->is_target) {
        (void)libvirt_supply_check_interfaces(inquiry->move, inquiry->end, &host,
                                              &inquiry->refusal);
    }
}

static void *run_thread(void *context)
{
    (void)pthread_setname_np(pthread_self(), "berth-platform");
    ask(context);
    return NULL;
}

/* A forced move has no source that could be asked. */
static void ask_both(struct inquiry *source, struct inquiry *target)
{
    bool asked = source->move->op->mode != MOVE_FORCED;
    pthread_t thread = 0;
    bool threaded = asked && libvirt_pool_thread(&thread, run_thread, source) == 0;

    if (asked && !threaded) {
        ask(source);
    }
    ask(target);
    if (threaded) {
        (void)pthread_join(thread, NULL); /* Bounded by the timeouts of its commands. */
    }
}

/* What comes to the target before the guest: of a live move all that two hosts can have at once. */
#define BROUGHT_BEFORE                                                                       \
    (SUPPLY_BIT(SUPPLY_BRIDGE) | SUPPLY_BIT(SUPPLY_NAT_BRIDGE) | SUPPLY_BIT(SUPPLY_VOLUME) | \
     SUPPLY_BIT(SUPPLY_INTERFACE) | SUPPLY_BIT(SUPPLY_POOL))

static void judge_supplies(const struct inquiry *source, const struct inquiry *target,
                           struct check_list *list)
{
    const struct op *op = source->move->op;
    uint32_t kinds = supply_list_kinds(&op->supplies);
    const struct inquiry *silent = op->mode != MOVE_FORCED && source->known != kinds ? source
                                   : target->known != kinds                          ? target
                                                                                     : NULL;

    if (kinds == 0) {
        return;
    }
    if (silent != NULL) {
        check_fail(
            list, CHECK_SUPPLIES, silent->err.code == ERR_NONE ? ERR_FAILED : silent->err.code,
            "run that command there by hand, or correct the profile", "%s", silent->err.text);
    } else if (target->refusal.code != ERR_NONE) {
        check_fail(list, CHECK_SUPPLIES, target->refusal.code,
                   "see that it is there and free, or have the definition name another", "%s",
                   target->refusal.text);
    } else if (op->prepared && (kinds & BROUGHT_BEFORE & ~target->present) != 0) {
        check_fail(list, CHECK_SUPPLIES, ERR_CONFLICT, "see who took it away again",
                   "'%s' does not have all that the platform has provided there",
                   target->host.name);
    } else {
        check_pass(list, CHECK_SUPPLIES, "%s",
                   target->present == kinds
                       ? "the target has all that the platform provides for it"
                       : "what the platform provides for it is brought to the target before it");
    }
}

static struct inquiry inquiry_to(const struct libvirt_move *move,
                                 const struct libvirt_move_end *end, const char *family)
{
    return (struct inquiry){
        .move = move,
        .end = end,
        .profile = op_profile(move->op),
        .family = family,
        .arena = ARENA_INIT,
    };
}

void libvirt_platform_run(struct libvirt_move *move, struct check_list *list)
{
    const struct op *op = move->op;
    bool forced = op->mode == MOVE_FORCED; /* op->host is its target. */
    struct inquiry source = inquiry_to(move, &move->source, op->family[0]);
    struct inquiry target = inquiry_to(move, forced ? &move->source : &move->target, op->family[1]);

    target.is_target = true;
    ask_both(&source, &target);
    judge_supplies(&source, &target, list);
    platform_judge(list, &source.profile->rules, op->mode, &source.host, &target.host);
    move->present[0] = source.present;
    move->present[1] = target.present;
    move->known[0] = source.known;
    move->known[1] = target.known;
    arena_deinit(&source.arena);
    arena_deinit(&target.arena);
}
