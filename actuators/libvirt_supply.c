/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_supply.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_command.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_state.h"
#include "actuators/libvirt_storage.h"
#include "actuators/libvirt_xml.h"
#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "model/op.h"
#include "model/profile.h"
#include "model/supply.h"

#define POLL_MS   INT64_C(250)
#define SETTLE_MS INT64_C(10000) /* A device may come or go a little later than its command ends. */
#define OWNERS_MS \
    INT64_C(20000) /* To ask who else has a guest's volumes, however long its start may take. */
#define ABSENT 1   /* What a probe says of a thing that is not there. */

enum presence {
    PRESENCE_NONE,
    PRESENCE_SOME, /* Some probes say yes, some no. */
    PRESENCE_ALL,
};

/* One thing on one host. */
struct errand {
    struct libvirt_command_host *host;
    const struct profile_supply *supply;
    const struct supply *item;
    struct profile_names names;
};

static struct errand errand_for(const struct libvirt_move *move, struct libvirt_command_host *host,
                                const char *name, const struct supply *item)
{
    return (struct errand){
        .host = host,
        .supply = &host->profile->supplies[item->kind],
        .item = item,
        .names = { .host = name,
                   .peer = move->op->other,
                   .guest = move->op->guest,
                   .uuid = move->op->uuid,
                   .name = item->name,
                   .device = item->device },
    };
}

/* "provide volume 'v1'" */
static const char *describe(const struct errand *errand, enum profile_verb verb)
{
    return text_format(errand->host->arena, "%s %s '%s'", profile_verb_name(verb),
                       supply_kind_name(errand->item->kind), errand->item->name);
}

/* Runs one command of a verb; '*output' is of one that ran to its end. */
static int run_command(const struct errand *errand, const struct profile_command *command,
                       enum profile_verb verb, struct ssh_output *output, struct err *err)
{
    if (libvirt_command_run(errand->host, command, &errand->names, errand->supply->timeout_ms,
                            output, err) < 0) {
        return err_wrap(err, "cannot %s", describe(errand, verb));
    }
    return 0;
}

/* The same of one that must succeed. */
static int run_to_success(const struct errand *errand, const struct profile_command *command,
                          enum profile_verb verb, struct ssh_output *output, struct err *err)
{
    return run_command(errand, command, verb, output, err) < 0
               ? -1
               : libvirt_command_check(errand->host, describe(errand, verb), output, err);
}

static int probe(const struct errand *errand, enum presence *presence, struct err *err)
{
    const struct profile_commands *probes = &errand->supply->verbs[PROFILE_PROBE];
    size_t there = 0;

    for (size_t i = 0; i < probes->count; i++) {
        struct ssh_output output = { 0 };

        if (run_command(errand, &probes->items[i], PROFILE_PROBE, &output, err) < 0) {
            return -1;
        }
        if (output.status != ABSENT &&
            libvirt_command_check(errand->host, describe(errand, PROFILE_PROBE), &output, err) <
                0) {
            return -1;
        }
        there += output.status == 0;
    }
    *presence = there == probes->count ? PRESENCE_ALL : there == 0 ? PRESENCE_NONE : PRESENCE_SOME;
    return 0;
}

/* Runs the commands of 'verb' up to the first that fails. */
static int act(const struct errand *errand, enum profile_verb verb, struct err *err)
{
    const struct profile_commands *commands = &errand->supply->verbs[verb];

    for (size_t i = 0; i < commands->count; i++) {
        struct ssh_output output = { 0 };

        if (run_to_success(errand, &commands->items[i], verb, &output, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Has the thing become 'wanted' by 'end_ms'? */
static bool await(const struct libvirt_move *move, const struct errand *errand,
                  enum presence wanted, int64_t end_ms)
{
    for (;;) {
        enum presence presence = PRESENCE_SOME;
        struct err ignored;

        if (probe(errand, &presence, &ignored) == 0 && presence == wanted) {
            return true;
        }
        if (libvirt_pool_now_ms() >= end_ms ||
            libvirt_pool_wait(move->job, POLL_MS) == LIBVIRT_JOB_ABANDONED) {
            return false;
        }
    }
}

/* Makes the thing 'wanted' by the commands of 'verb'; '*done' is false if it was so already. */
static int change(const struct libvirt_move *move, const struct errand *errand,
                  enum profile_verb verb, enum presence wanted, bool *done, struct err *err)
{
    enum presence presence = PRESENCE_SOME;
    struct err failure;
    int64_t end_ms;
    int status;

    if (probe(errand, &presence, err) < 0) {
        return -1;
    }
    *done = presence != wanted;
    if (presence == wanted) {
        return 0;
    }
    status = act(errand, verb, &failure);
    end_ms = status == 0 ? libvirt_pool_now_ms() + SETTLE_MS : errand->host->over_ms;
    if (await(move, errand, wanted, end_ms)) {
        return 0; /* Whatever the reply was. */
    }
    if (status < 0) {
        *err = failure;
        return -1;
    }
    return err_set(err, ERR_FAILED,
                   "cannot %s: its commands succeeded, and it is %s '%s' all the same",
                   describe(errand, verb),
                   wanted == PRESENCE_ALL ? "not there on" : "still there on", errand->names.host);
}

static bool is_named(const char *const *names, size_t count, const char *name)
{
    return text_index(names, count, name) < count;
}

/* Does the guest with this definition use the thing? */
static bool uses(const struct libvirt_xml_guest *guest, const struct supply *item)
{
    if (supply_is_bridge(item->kind)) {
        return is_named(guest->bridges, guest->bridge_count, item->name);
    }
    if (item->kind == SUPPLY_INTERFACE) {
        return is_named(guest->interfaces, guest->interface_count, item->name);
    }
    for (size_t i = 0; i < guest->disk_count; i++) {
        const struct libvirt_xml_disk *disk = &guest->disks[i];

        if (item->device != NULL && (text_equal(disk->path, item->device) ||
                                     text_equal(disk->volume, strrchr(item->device, '/') + 1))) {
            return true;
        }
    }
    return false;
}

/* By the definition that 'flags' choose; one that cannot be read uses everything. */
static bool domain_uses(const struct libvirt_move *move, virDomainPtr domain, unsigned flags,
                        const struct supply *item)
{
    char *xml = virDomainGetXMLDesc(domain, flags);
    struct libvirt_xml_guest guest;
    struct err ignored;
    bool used;

    if (xml == NULL) {
        return !libvirt_error_is(VIR_ERR_NO_DOMAIN);
    }
    used = libvirt_xml_read_guest(move->arena, xml, &guest, &ignored) < 0 || uses(&guest, item);
    free(xml);
    return used;
}

/* The name of another guest of the host that uses the thing, in '*user', or NULL; 'which' of its guests are asked
 * is as in virConnectListAllDomains(). */
static int find_user(const struct libvirt_move *move, const struct libvirt_move_end *end,
                     unsigned which, const struct supply *item, const char **user, struct err *err)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(end->connection, &domains, which);

    *user = NULL;
    if (count < 0) {
        return libvirt_move_fail_libvirt(move, err);
    }
    for (int i = 0; i < count; i++) {
        char uuid[VIR_UUID_STRING_BUFLEN] = "";

        (void)virDomainGetUUIDString(domains[i], uuid);
        if (*user == NULL && strcmp(uuid, move->op->uuid) != 0 &&
            (domain_uses(move, domains[i], 0, item) ||
             domain_uses(move, domains[i], VIR_DOMAIN_XML_INACTIVE, item))) {
            *user = arena_strdup(move->arena, virDomainGetName(domains[i]));
        }
        (void)virDomainFree(domains[i]);
    }
    free(domains);
    return 0;
}

/* Nothing is taken away from a guest that runs. */
static int check_off(const struct libvirt_move *move, struct err *err)
{
    int active = libvirt_move_is_active(move, &move->source, err);

    return active <= 0
               ? active
               : libvirt_move_fail(move, err, ERR_BUSY, "it is not off there, and needs them");
}

struct libvirt_command_host libvirt_supply_host(const struct libvirt_move *move,
                                                const struct libvirt_move_end *end)
{
    return (struct libvirt_command_host){
        .arena = move->arena,
        .profile = op_profile(move->op),
        .ssh = move->ssh,
        .address = end->ssh,
        .end_ms = libvirt_pool_now_ms() + move->op->timeout_ms,
    };
}

static int withdraw_item(struct libvirt_move *move, const struct errand *errand, bool *done,
                         struct err *err)
{
    const char *user = NULL;

    if (find_user(move, &move->source, 0, errand->item, &user, err) < 0) {
        return -1;
    }
    if (user != NULL) {
        move->note = text_format(move->arena, "kept: used by '%s'", user);
        *done = true;
        return 0;
    }
    return change(move, errand, PROFILE_WITHDRAW, PRESENCE_NONE, done, err);
}

/* Who has the volume attached, but for the host itself; an empty list if nobody tells. */
static int find_others(const struct errand *errand, const char ***others, size_t *count,
                       struct err *err)
{
    const struct profile_commands *owners = &errand->supply->verbs[PROFILE_OWNERS];
    struct libvirt_command_host *host = errand->host;
    struct ssh_output output = { 0 };
    const char *self;
    size_t kept = 0;

    *count = 0;
    if (owners->count == 0) {
        return 0;
    }
    if (libvirt_command_word(host, errand->supply->owner, &errand->names,
                             errand->supply->timeout_ms, &self, err) < 0 ||
        run_to_success(errand, &owners->items[0], PROFILE_OWNERS, &output, err) < 0 ||
        libvirt_command_find(host->arena, output.out, errand->supply->owners_match, others, count,
                             err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < *count; i++) {
        if (strcmp((*others)[i], self) != 0) {
            (*others)[kept++] = (*others)[i];
        }
    }
    *count = kept;
    return 0;
}

/* A forced move takes the volume away from the dead host first, which would have it back when it returns. */
static int revoke_from_dead(const struct libvirt_move *move, const struct errand *errand,
                            struct err *err)
{
    const char **others = NULL;
    size_t count;

    if (move->op->mode != MOVE_FORCED || move->op->other == NULL ||
        errand->supply->verbs[PROFILE_REVOKE].count == 0) {
        return 0;
    }
    if (find_others(errand, &others, &count, err) < 0) {
        return -1;
    }
    return count == 0 ? 0 : act(errand, PROFILE_REVOKE, err);
}

static int change_item(struct libvirt_move *move, const struct errand *errand, bool *done,
                       struct err *err)
{
    if (errand->item->kind == SUPPLY_POOL) {
        return libvirt_storage_provide(move, errand->item, done, err);
    }
    if (move->op->kind == OP_WITHDRAW) {
        return withdraw_item(move, errand, done, err);
    }
    if (errand->item->kind == SUPPLY_VOLUME && revoke_from_dead(move, errand, err) < 0) {
        return -1;
    }
    return change(move, errand, PROFILE_PROVIDE, PRESENCE_ALL, done, err);
}

int libvirt_supply_run(struct libvirt_move *move, struct err *err)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, move->op->supply);
    struct libvirt_command_host host = libvirt_supply_host(move, &move->source);
    bool any = false;

    if (move->op->supply == SUPPLY_STATE) {
        return libvirt_state_run(move, err);
    }
    if (!profile_provides(host.profile, move->op->supply)) {
        return libvirt_move_fail(move, err, ERR_REFUSED, "profile '%s' has no [%s]",
                                 host.profile->name, supply_kind_name(move->op->supply));
    }
    if (move->op->supply == SUPPLY_POOL && move->op->kind == OP_WITHDRAW) {
        move->note = "kept: it is the host's own";
        return 0;
    }
    if (move->op->kind == OP_WITHDRAW && check_off(move, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < items.count; i++) {
        const struct errand errand =
            errand_for(move, &host, move->source.host.name, &items.items[i]);
        bool done = false;

        if (change_item(move, &errand, &done, err) < 0) {
            return -1;
        }
        any = any || done;
    }
    if (!any) {
        move->note = move->op->kind == OP_PROVIDE ? "already there" : "already gone";
        move->present[0] = move->op->kind == OP_PROVIDE ? SUPPLY_BIT(move->op->supply) : 0;
    }
    return 0;
}

int libvirt_supply_check_owners(const struct libvirt_move *move, struct err *err)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, SUPPLY_VOLUME);
    struct libvirt_command_host host = libvirt_supply_host(move, &move->source);

    host.end_ms = libvirt_pool_now_ms() + OWNERS_MS;
    for (size_t i = 0; i < items.count; i++) {
        const struct errand errand =
            errand_for(move, &host, move->source.host.name, &items.items[i]);
        const char **others = NULL;
        size_t count;

        if (find_others(&errand, &others, &count, err) < 0) {
            return -1;
        }
        if (count > 0) {
            return libvirt_move_fail(move, err, ERR_UNSAFE,
                                     "volume '%s' is attached to another host too (%.60s): take it "
                                     "away from there first",
                                     items.items[i].name, text_visible(move->arena, others[0]));
        }
    }
    return 0;
}

static int ask_identity(const struct errand *errand, const char **identity, struct err *err)
{
    const struct profile_commands *commands = &errand->supply->verbs[PROFILE_IDENTITY];
    struct ssh_output output = { 0 };

    *identity = NULL;
    if (commands->count == 0) {
        return 0;
    }
    return run_to_success(errand, &commands->items[0], PROFILE_IDENTITY, &output, err) < 0
               ? -1
               : libvirt_command_pick(errand->host->arena, output.out, NULL,
                                      profile_verb_name(PROFILE_IDENTITY), identity, err);
}

int libvirt_supply_identity(const struct libvirt_move *move, const struct libvirt_move_end *end,
                            const char *path, const char **identity, struct err *err)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, SUPPLY_VOLUME);
    struct libvirt_command_host host = libvirt_supply_host(move, end);

    *identity = NULL;
    for (size_t i = 0; i < items.count; i++) {
        if (text_equal(items.items[i].device, path)) {
            const struct errand errand = errand_for(move, &host, end->host.name, &items.items[i]);

            return ask_identity(&errand, identity, err);
        }
    }
    return 0;
}

/* Is it one of those that its host has to give? */
static int check_offered(const struct errand *errand, struct err *err)
{
    const struct profile_commands *commands = &errand->supply->verbs[PROFILE_OFFERS];
    struct arena *arena = errand->host->arena;
    struct ssh_output output = { 0 };
    const char **offers = NULL;
    size_t count = 0;

    if (commands->count == 0) {
        return 0;
    }
    if (run_to_success(errand, &commands->items[0], PROFILE_OFFERS, &output, err) < 0 ||
        libvirt_command_find(arena, output.out, NULL, &offers, &count, err) < 0) {
        return -1;
    }
    if (is_named(offers, count, errand->item->name)) {
        return 0;
    }
    return err_set(err, ERR_INCOMPATIBLE,
                   "its definition names interface '%s', which '%s' does not have: it has %s",
                   errand->item->name, errand->names.host,
                   count == 0 ? "none"
                              : text_format(arena, "'%.60s'%s", text_visible(arena, offers[0]),
                                            count > 1 ? " and others" : ""));
}

static int check_unused(const struct libvirt_move *move, const struct libvirt_move_end *target,
                        const struct supply *item, struct err *err)
{
    const char *user = NULL;

    if (find_user(move, target, VIR_CONNECT_LIST_DOMAINS_ACTIVE, item, &user, err) < 0) {
        return -1;
    }
    return user == NULL ? 0
                        : err_set(err, ERR_CONFLICT, "interface '%s' of '%s' is in use by '%s'",
                                  item->name, target->host.name, user);
}

int libvirt_supply_check_interfaces(const struct libvirt_move *move,
                                    const struct libvirt_move_end *target,
                                    struct libvirt_command_host *host, struct err *err)
{
    const struct supply_list items = supply_list_of(&move->op->supplies, SUPPLY_INTERFACE);

    for (size_t i = 0; i < items.count; i++) {
        const struct errand errand = errand_for(move, host, target->host.name, &items.items[i]);

        if (check_offered(&errand, err) < 0 ||
            check_unused(move, target, &items.items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Is it there on 'end', by the platform's commands or by libvirt? */
static int look(const struct libvirt_move *move, const struct libvirt_move_end *end,
                struct libvirt_command_host *host, const struct supply *item,
                enum presence *presence, struct err *err)
{
    const struct errand errand = errand_for(move, host, end->host.name, item);
    bool there = false;

    if (item->kind != SUPPLY_POOL) {
        return probe(&errand, presence, err);
    }
    if (libvirt_storage_probe(end, item, &there, err) < 0) {
        return -1;
    }
    *presence = there ? PRESENCE_ALL : PRESENCE_NONE;
    return 0;
}

void libvirt_supply_survey(const struct libvirt_move *move, const struct libvirt_move_end *end,
                           struct libvirt_command_host *host, uint32_t *present, uint32_t *known,
                           struct err *err)
{
    const struct supply_list *supplies = &move->op->supplies;

    *known = supply_list_kinds(supplies);
    *present = *known;
    for (size_t i = 0; i < supplies->count; i++) {
        const struct supply *item = &supplies->items[i];
        enum presence presence = PRESENCE_SOME;
        struct err failure;

        if ((*known & SUPPLY_BIT(item->kind)) != 0 &&
            look(move, end, host, item, &presence, &failure) < 0) {
            *known &= ~SUPPLY_BIT(item->kind);
            if (err->code == ERR_NONE) {
                *err = failure;
            }
        }
        if (presence != PRESENCE_ALL) {
            *present &= ~SUPPLY_BIT(item->kind);
        }
    }
}
