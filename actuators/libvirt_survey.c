/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_survey.h"

#include <pthread.h>
#include <string.h>

#include "actuators/libvirt_endpoint.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_question.h"
#include "actuators/libvirt_state.h"
#include "actuators/libvirt_supply.h"
#include "actuators/libvirt_volume.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/text.h"
#include "model/check.h"
#include "model/op.h"

#define IDENTITY_SHOWN ((size_t)32) /* Bytes of a storage's identity in a sentence. */
#define OTHER_MAX      8            /* Questions to a host beside those about paths and bridges. */
#define FIRST_PORT     49152        /* Of migrations, unless qemu.conf says otherwise. */
#define CLOSE_MS       1000         /* Clocks that are no further apart are close. */

/* Where libvirt keeps the state of emulated TPMs, one folder a guest. */
#define TPM_STATE_FOLDER "/var/lib/libvirt/swtpm/"

#define SET_SSH "set [fleet] ssh in berth.conf so that both hosts can be asked"

/* A path that must be proven to be the same storage on both hosts, and what it is to the guest. */
struct claim {
    const char *what;      /* "disk 'vda'" */
    const char *path;      /* On the source. */
    const char *peer_path; /* On the target: another only of a volume in a pool. */
};

/* One host, the questions to it, and how asking went. */
struct side {
    struct libvirt_question_host host;
    struct libvirt_question *items; /* The claims first. */
    size_t count;
    struct libvirt_question *lock;  /* Among the items, as the next. */
    struct libvirt_question *clock; /* Of a live move. */
    int64_t asked_ms;
    int64_t answered_ms;
    struct arena arena; /* Of the answers, while they are made. */
    int status;
    struct err err;
};

struct survey {
    const struct libvirt_move *move;
    const struct libvirt_xml_guest *guest;
    struct check_list *list;
    bool live;
    bool can_ask;
    struct claim *claims;
    size_t claim_count;
    bool unproven; /* A disk or the NVRAM is none of them, which has been noted. */
    bool unfound;  /* A file is none of those asked about, which has been noted. */
    struct side source;
    struct side target;
    struct libvirt_question *files; /* To the target, as the next four. */
    size_t file_count;
    struct libvirt_question *bridges;
    struct libvirt_question *save;
    struct libvirt_question *migration_host; /* Of a live move, as the next two. */
    struct libvirt_question *migration_port;
    struct libvirt_question *reach; /* To the source; NULL: there is no such way by TCP. */
};

static struct libvirt_question *ask_about(struct side *side, enum libvirt_question_kind kind,
                                          const char *name)
{
    struct libvirt_question *item = &side->items[side->count++];

    *item = (struct libvirt_question){ .kind = kind, .name = name };
    return item;
}

/* What is claimed of the guest's storage. */

static void add_claim(struct survey *survey, const char *what, const char *path,
                      const char *peer_path)
{
    survey->claims[survey->claim_count++] = (struct claim){ what, path, peer_path };
    (void)ask_about(&survey->source, LIBVIRT_QUESTION_IDENTITY, path);
    (void)ask_about(&survey->target, LIBVIRT_QUESTION_IDENTITY, peer_path);
}

/* Each host has it where its own pool says. */
static void claim_volume(struct survey *survey, const struct libvirt_xml_disk *disk)
{
    const struct libvirt_move *move = survey->move;
    const char *path = libvirt_volume_path(move, &move->source, disk, CHECK_STORAGE, survey->list);
    const char *peer_path = NULL;

    if (path != NULL && libvirt_volume_is_used(move, disk, path, survey->list)) {
        peer_path = libvirt_volume_path(move, &move->target, disk, CHECK_STORAGE, survey->list);
    }
    if (peer_path != NULL) {
        add_claim(survey,
                  text_format(move->arena, "disk '%s', volume '%s' of pool '%s'", disk->target,
                              disk->volume, disk->pool),
                  path, peer_path);
    } else {
        survey->unproven = true;
    }
}

static void claim_disk(struct survey *survey, const struct libvirt_xml_disk *disk)
{
    if (disk->readonly || disk->source == LIBVIRT_XML_NONE || disk->source == LIBVIRT_XML_NETWORK) {
        return;
    }
    if (disk->source == LIBVIRT_XML_OTHER) {
        check_fail(
            survey->list, CHECK_STORAGE, ERR_UNSAFE, "use a block device, a file or a network disk",
            "cannot prove that its disk '%s' is the same storage on both hosts", disk->target);
        survey->unproven = true;
        return;
    }
    if (disk->source == LIBVIRT_XML_VOLUME) {
        claim_volume(survey, disk);
        return;
    }
    add_claim(survey, text_format(survey->move->arena, "disk '%s'", disk->target), disk->path,
              disk->path);
}

static void claim_firmware(struct survey *survey)
{
    const struct libvirt_xml_guest *guest = survey->guest;

    if (guest->has_nvram && guest->nvram == NULL) {
        check_fail(survey->list, CHECK_STORAGE, ERR_UNSAFE, "start it once",
                   "its definition does not say where its NVRAM is");
        survey->unproven = true;
    } else if (guest->has_nvram && !libvirt_state_is_copied(survey->move->op, guest->nvram)) {
        add_claim(survey, "the NVRAM", guest->nvram, guest->nvram);
    }
    if (guest->has_tpm) {
        const char *state = text_format(survey->move->arena, TPM_STATE_FOLDER "%s", guest->uuid);

        add_claim(survey, "the TPM state", state, state);
    }
}

static void make_claims(struct survey *survey)
{
    const struct libvirt_xml_guest *guest = survey->guest;
    struct arena *arena = survey->move->arena;
    size_t claims = guest->disk_count + 2;
    size_t most = claims + guest->file_count + guest->disk_count + guest->bridge_count + OTHER_MAX;

    survey->claims = ARENA_ARRAY(arena, struct claim, claims);
    survey->source.items = ARENA_ARRAY(arena, struct libvirt_question, most);
    survey->target.items = ARENA_ARRAY(arena, struct libvirt_question, most);
    for (size_t i = 0; i < guest->disk_count; i++) {
        claim_disk(survey, &guest->disks[i]);
    }
    claim_firmware(survey);
}

/* What must exist on the target, as far as it can be asked; libvirt fails on the rest, before anything
 * has moved. */
static void ask_presence(struct survey *survey)
{
    const struct libvirt_xml_guest *guest = survey->guest;
    struct side *target = &survey->target;

    survey->files = &target->items[target->count];
    for (size_t i = 0; i < guest->file_count; i++) {
        (void)ask_about(target, LIBVIRT_QUESTION_EXISTS, guest->files[i]);
    }
    for (size_t i = 0; i < guest->disk_count; i++) {
        const struct libvirt_xml_disk *disk = &guest->disks[i];
        const char *path = disk->path;

        if (disk->readonly && disk->source == LIBVIRT_XML_VOLUME) {
            path = libvirt_volume_path(survey->move, &survey->move->target, disk, CHECK_FILES,
                                       survey->list);
            survey->unfound |= path == NULL;
        }
        if (disk->readonly && path != NULL) {
            (void)ask_about(target, LIBVIRT_QUESTION_EXISTS, path);
        }
    }
    survey->file_count = (size_t)(&target->items[target->count] - survey->files);
    survey->bridges = &target->items[target->count];
    for (size_t i = 0; i < guest->bridge_count; i++) {
        (void)ask_about(target, LIBVIRT_QUESTION_BRIDGE, guest->bridges[i]);
    }
}

/* libvirt speaks of the images of guests that it knows, and would restore one of an earlier life of this one. */
static void ask_leftovers(struct survey *survey)
{
    const char *path =
        text_format(survey->move->arena, LIBVIRT_SAVE_FOLDER "%s.save", survey->move->op->guest);

    survey->save = ask_about(&survey->target, LIBVIRT_QUESTION_EXISTS, path);
}

/* What the way from the source to the target depends on. */
static void ask_way(struct survey *survey)
{
    const struct libvirt_move *move = survey->move;
    const char *endpoint = move->target.peer_uri == NULL
                               ? NULL
                               : libvirt_endpoint_of(move->arena, move->target.peer_uri, 0);

    if (endpoint != NULL) {
        survey->reach = ask_about(&survey->source, LIBVIRT_QUESTION_CONNECT, endpoint);
    }
    survey->migration_host = ask_about(&survey->target, LIBVIRT_QUESTION_SETTING, "migration_host");
    survey->migration_port =
        ask_about(&survey->target, LIBVIRT_QUESTION_SETTING, "migration_port_min");
}

/* The clock is asked last, so that it is read right before the answer comes. */
static void ask_hosts_selves(struct survey *survey)
{
    struct side *sides[] = { &survey->source, &survey->target };

    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        sides[i]->lock = ask_about(sides[i], LIBVIRT_QUESTION_SETTING, "lock_manager");
        if (survey->live) {
            sides[i]->clock = ask_about(sides[i], LIBVIRT_QUESTION_CLOCK, NULL);
        }
    }
}

/* Asking. */

static void run_side(struct side *side)
{
    side->asked_ms = libvirt_pool_now_ms();
    side->status =
        libvirt_question_ask(&side->arena, &side->host, side->items, side->count, &side->err);
    side->answered_ms = libvirt_pool_now_ms();
}

static void *run_thread(void *context)
{
    (void)pthread_setname_np(pthread_self(), "berth-inquiry");
    run_side(context);
    return NULL;
}

/* Takes the answers over into the move's arena. */
static void keep_answers(const struct survey *survey, struct side *side)
{
    for (size_t i = 0; side->status == 0 && i < side->count; i++) {
        if (side->items[i].text != NULL) {
            side->items[i].text = arena_strdup(survey->move->arena, side->items[i].text);
        }
    }
    arena_deinit(&side->arena);
}

/* Both at once, because a connection by SSH takes most of the time before a move. */
static void ask_both(struct survey *survey)
{
    pthread_t thread = 0;
    bool threaded = libvirt_pool_thread(&thread, run_thread, &survey->source) == 0;

    if (!threaded) {
        run_side(&survey->source);
    }
    run_side(&survey->target);
    if (threaded) {
        (void)pthread_join(thread, NULL); /* Bounded by the timeout of its command. */
    }
    keep_answers(survey, &survey->source);
    keep_answers(survey, &survey->target);
}

/* The host that could not be asked, or NULL. */
static const struct side *find_silent(const struct survey *survey)
{
    return survey->source.status != 0   ? &survey->source
           : survey->target.status != 0 ? &survey->target
                                        : NULL;
}

/* True if nothing can be said of 'kind', which has been noted. */
static bool is_unasked(const struct survey *survey, enum check_kind kind)
{
    const struct side *silent = find_silent(survey);

    if (!survey->can_ask) {
        check_skip(survey->list, kind, SET_SSH, "hosts can only be asked over SSH");
    } else if (silent != NULL) {
        check_skip(survey->list, kind, NULL, "could not be asked: %s", silent->err.text);
    }
    return !survey->can_ask || silent != NULL;
}

/* Judging. */

#define BROUGHT "it is brought there before the guest, and looked at then"

/* True if the platform brings this to the target before the guest, and has not yet. */
static bool is_brought(const struct survey *survey, enum check_kind kind, const char *name)
{
    const struct op *op = survey->move->op;
    const struct supply_list *supplies = &op->supplies;

    for (size_t i = 0; !op->prepared && i < supplies->count; i++) {
        const struct supply *item = &supplies->items[i];

        if ((kind == CHECK_STORAGE && item->kind != SUPPLY_STATE &&
             text_equal(item->device, name)) ||
            (kind == CHECK_BRIDGES && supply_is_bridge(item->kind) &&
             strcmp(item->name, name) == 0) ||
            (kind == CHECK_FILES && item->kind == SUPPLY_CONFIG)) {
            return true;
        }
    }
    return false;
}

/* The end of an identity: what two storages of one kind differ in comes last. */
static const char *identity_end(const char *identity)
{
    size_t length = strlen(identity);

    return length > IDENTITY_SHOWN ? identity + length - IDENTITY_SHOWN : identity;
}

static void compare_claim(const struct survey *survey, const struct claim *claim, const char *from,
                          const char *to)
{
    const struct op *op = survey->move->op;

    if (from == NULL || to == NULL) {
        check_fail(survey->list, CHECK_STORAGE, ERR_UNSAFE, "use storage that reports an identity",
                   "cannot prove that %s (%s) is the same storage on '%s' and '%s'", claim->what,
                   claim->path, op->host, op->peer);
    } else if (strcmp(from, to) != 0) {
        check_fail(survey->list, CHECK_STORAGE, ERR_UNSAFE, "attach the same volume to both",
                   "%s (%s) is not the same storage on '%s' (%s) as on '%s' (%s)", claim->what,
                   claim->path, op->peer, identity_end(to), op->host, identity_end(from));
    } else {
        check_pass(survey->list, CHECK_STORAGE, "%s (%s) is the same storage on both hosts (%s)",
                   claim->what, claim->path, identity_end(to));
    }
}

/* A device that does not tell itself which storage it is may be one that the platform has attached. */
static void judge_by_platform(const struct survey *survey, const struct claim *claim)
{
    const struct libvirt_move *move = survey->move;
    const char *from = NULL;
    const char *to = NULL;
    struct err err;

    if (libvirt_supply_identity(move, &move->source, claim->path, &from, &err) < 0 ||
        (from != NULL &&
         libvirt_supply_identity(move, &move->target, claim->peer_path, &to, &err) < 0)) {
        check_fail_err(survey->list, CHECK_STORAGE, &err);
    } else {
        compare_claim(survey, claim, from, to);
    }
}

static void judge_claim(const struct survey *survey, const struct claim *claim,
                        const struct libvirt_question *from, const struct libvirt_question *to)
{
    const struct op *op = survey->move->op;
    bool missing =
        to->answer == LIBVIRT_QUESTION_MISSING || from->answer == LIBVIRT_QUESTION_MISSING;

    if (missing && is_brought(survey, CHECK_STORAGE, claim->peer_path)) {
        check_skip(survey->list, CHECK_STORAGE, NULL, "%s (%s): " BROUGHT, claim->what,
                   claim->peer_path);
    } else if (missing) {
        bool there = to->answer != LIBVIRT_QUESTION_MISSING;

        check_fail(survey->list, CHECK_STORAGE, ERR_INCOMPATIBLE, "attach it there",
                   "%s (%s) does not exist on '%s'", claim->what,
                   there ? claim->path : claim->peer_path, there ? op->host : op->peer);
    } else if (op->mode == MOVE_FORCED) {
        check_warn(survey->list, CHECK_STORAGE, NULL,
                   "%s (%s) exists on '%s'; its dead host cannot tell whether it is the same",
                   claim->what, claim->peer_path, op->peer);
    } else if (from->answer == LIBVIRT_QUESTION_KNOWN && to->answer == LIBVIRT_QUESTION_KNOWN) {
        compare_claim(survey, claim, from->text, to->text);
    } else {
        judge_by_platform(survey, claim);
    }
}

static void judge_storage(const struct survey *survey)
{
    const struct op *op = survey->move->op;
    const struct side *silent = find_silent(survey);

    if (survey->claim_count == 0 && survey->unproven) {
        return;
    }
    if (survey->claim_count == 0) {
        check_pass(survey->list, CHECK_STORAGE, "it writes to no disk of its host");
    } else if (!survey->can_ask) {
        check_fail(survey->list, CHECK_STORAGE, ERR_UNSAFE, SET_SSH,
                   "cannot prove that %s (%s) is the same storage on '%s' and '%s'",
                   survey->claims[0].what, survey->claims[0].path, op->host, op->peer);
    } else if (silent != NULL) {
        check_fail_err(survey->list, CHECK_STORAGE, &silent->err);
    }
    for (size_t i = 0; survey->can_ask && silent == NULL && i < survey->claim_count; i++) {
        judge_claim(survey, &survey->claims[i], &survey->source.items[i], &survey->target.items[i]);
    }
}

static void judge_leftovers(const struct survey *survey)
{
    const char *target = survey->move->op->peer;

    if (!survey->can_ask) {
        check_skip(survey->list, CHECK_SAVE, SET_SSH, "hosts can only be asked over SSH");
    } else if (survey->target.status != 0) {
        check_skip(survey->list, CHECK_SAVE, NULL, "'%s' could not be asked: %s", target,
                   survey->target.err.text);
    } else if (survey->save->answer == LIBVIRT_QUESTION_MISSING) {
        check_pass(survey->list, CHECK_SAVE, "nor is one left on '%s'", target);
    } else {
        check_fail(survey->list, CHECK_SAVE, ERR_UNSAFE, "remove that file there",
                   "an image of its memory that is older than its disks is left on '%s' (%s)",
                   target, survey->save->name);
    }
}

/* Things that must be there on the target, called 'what' one by one. */
static void judge_presence(const struct survey *survey, enum check_kind kind, const char *what,
                           const char *change, const struct libvirt_question *items, size_t count)
{
    const char *target = survey->move->op->peer;
    size_t missing = 0;

    if (count == 0) {
        check_pass(survey->list, kind, "it needs no %s", what);
        return;
    }
    if (!survey->can_ask) {
        check_skip(survey->list, kind, SET_SSH, "hosts can only be asked over SSH");
        return;
    }
    if (survey->target.status != 0) {
        check_fail_err(survey->list, kind, &survey->target.err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].answer != LIBVIRT_QUESTION_MISSING) {
            continue;
        }
        if (is_brought(survey, kind, items[i].name)) {
            check_skip(survey->list, kind, NULL, "%s '%s': " BROUGHT, what, items[i].name);
        } else {
            check_fail(survey->list, kind, ERR_INCOMPATIBLE, change, "'%s' has no %s '%s'", target,
                       what, items[i].name);
        }
        missing++;
    }
    if (missing == 0) {
        check_pass(survey->list, kind, "'%s' has %s '%s'%s", target, what, items[0].name,
                   count == 1 ? "" : " and the others");
    }
}

static void judge_reach(const struct survey *survey)
{
    const struct op *op = survey->move->op;
    const struct libvirt_question *reach = survey->reach;
    struct check_list *list = survey->list;

    if (is_unasked(survey, CHECK_REACH)) {
        return;
    }
    if (reach == NULL) {
        check_skip(list, CHECK_REACH, NULL, "'%s' is not reached over TCP (%s)", op->peer,
                   survey->move->target.peer_uri == NULL ? "no URI"
                                                         : survey->move->target.peer_uri);
    } else if (reach->answer != LIBVIRT_QUESTION_KNOWN) {
        check_skip(list, CHECK_REACH, "install bash and coreutils there",
                   "'%s' has no program that could try", op->host);
    } else if (strcmp(reach->text, LIBVIRT_QUESTION_OPEN) == 0) {
        check_pass(list, CHECK_REACH, "'%s' reaches libvirt of '%s' (%s)", op->host, op->peer,
                   reach->name);
    } else {
        check_fail(list, CHECK_REACH, ERR_FAILED,
                   "let libvirt listen there, open the firewall, or correct peer_uri",
                   "'%s' does not reach libvirt of '%s' (%s: %s)", op->host, op->peer, reach->name,
                   reach->text);
    }
}

/* Where the migration's own connection goes: by migrate_uri, else by the target's qemu.conf, else by its
 * name and libvirt's default.  NULL: it cannot be told. */
static const char *migration_endpoint(const struct survey *survey)
{
    const struct libvirt_move *move = survey->move;
    const struct libvirt_question *host = survey->migration_host;
    const struct libvirt_question *least = survey->migration_port;
    const char *name =
        host->answer == LIBVIRT_QUESTION_KNOWN ? host->text : move->target.host.hostname;
    uint64_t port = FIRST_PORT;

    if (least->answer == LIBVIRT_QUESTION_KNOWN && !text_to_u64(least->text, 65535, &port)) {
        return NULL;
    }
    if (move->op->live.migrate_uri != NULL) {
        return libvirt_endpoint_of(move->arena, move->op->live.migrate_uri, (unsigned)port);
    }
    return name == NULL
               ? NULL
               : libvirt_endpoint_of(move->arena, text_format(move->arena, "tcp://%s", name),
                                     (unsigned)port);
}

/* libvirt opens a port only while a migration comes in.  But a host that refuses lets the question through,
 * and a firewall that does not is silent or forbids it. */
static void judge_port(const struct survey *survey)
{
    const struct op *op = survey->move->op;
    const char *endpoint;
    struct side probe = { .host = survey->source.host };
    struct libvirt_question *item;

    if (is_unasked(survey, CHECK_PORT)) {
        return;
    }
    endpoint = migration_endpoint(survey);
    if (endpoint == NULL) {
        check_skip(survey->list, CHECK_PORT, NULL,
                   "it cannot be told where '%s' will wait for the migration", op->peer);
        return;
    }
    probe.items = ARENA_ARRAY(survey->move->arena, struct libvirt_question, 1);
    item = ask_about(&probe, LIBVIRT_QUESTION_CONNECT, endpoint);
    run_side(&probe);
    keep_answers(survey, &probe);
    if (probe.status != 0 || item->answer != LIBVIRT_QUESTION_KNOWN) {
        check_skip(survey->list, CHECK_PORT, NULL, "could not be tried: %s",
                   probe.status != 0 ? probe.err.text : "the source has no program for it");
    } else if (strcmp(item->text, LIBVIRT_QUESTION_OPEN) == 0 ||
               strcmp(item->text, LIBVIRT_QUESTION_REFUSED) == 0) {
        check_pass(survey->list, CHECK_PORT,
                   "'%s' gets through to %s (%s; libvirt listens during a migration only)",
                   op->host, endpoint, item->text);
    } else {
        check_fail(survey->list, CHECK_PORT, ERR_FAILED,
                   "open the ports for migrations there (TCP, from this one on), or set [migrate] "
                   "migrate_uri",
                   "'%s' does not get through to %s (%s)", op->host, endpoint, item->text);
    }
}

static const char *lock_name(const struct libvirt_question *lock)
{
    return lock->answer == LIBVIRT_QUESTION_KNOWN ? lock->text : "none";
}

static void judge_locks(const struct survey *survey)
{
    const struct op *op = survey->move->op;
    const struct libvirt_question *from = survey->source.lock;
    const struct libvirt_question *to = survey->target.lock;

    if (is_unasked(survey, CHECK_LOCKS)) {
        return;
    }
    if (from->answer == LIBVIRT_QUESTION_MISSING || to->answer == LIBVIRT_QUESTION_MISSING) {
        check_skip(survey->list, CHECK_LOCKS, "let the user of [fleet] ssh read it",
                   "/etc/libvirt/qemu.conf of '%s' cannot be read",
                   from->answer == LIBVIRT_QUESTION_MISSING ? op->host : op->peer);
    } else if (strcmp(lock_name(from), lock_name(to)) != 0) {
        check_fail(survey->list, CHECK_LOCKS, ERR_INCOMPATIBLE,
                   "set the same lock_manager in qemu.conf of both",
                   "lock_manager is %s on '%s' and %s on '%s'", lock_name(from), op->host,
                   lock_name(to), op->peer);
    } else if (from->answer != LIBVIRT_QUESTION_KNOWN || strcmp(from->text, "nop") == 0) {
        check_warn(survey->list, CHECK_LOCKS, "set lock_manager in qemu.conf of both",
                   "no lock manager keeps others from starting a guest on disks in use");
    } else {
        check_pass(survey->list, CHECK_LOCKS, "both hosts use %s", from->text);
    }
}

static bool read_clock(const struct side *side, struct libvirt_survey_reading *reading)
{
    uint64_t ms = 0;

    if (side->clock->answer != LIBVIRT_QUESTION_KNOWN ||
        !text_to_u64(side->clock->text, INT64_MAX / 4, &ms)) {
        return false;
    }
    *reading = (struct libvirt_survey_reading){ (int64_t)ms, side->asked_ms, side->answered_ms };
    return true;
}

static void judge_clocks(const struct survey *survey)
{
    const struct op *op = survey->move->op;
    struct libvirt_survey_reading from;
    struct libvirt_survey_reading to;
    char apart[CLOCK_TEXT_SIZE];
    int64_t least_ms;
    int64_t most_ms;

    if (is_unasked(survey, CHECK_CLOCKS)) {
        return;
    }
    if (!read_clock(&survey->source, &from) || !read_clock(&survey->target, &to)) {
        check_skip(survey->list, CHECK_CLOCKS, NULL,
                   "a host does not tell its time in milliseconds");
        return;
    }
    libvirt_survey_compare(&from, &to, &least_ms, &most_ms);
    if (least_ms > CLOSE_MS) {
        check_warn(survey->list, CHECK_CLOCKS, "let both follow the same time servers",
                   "the clocks of '%s' and '%s' are %s apart", op->host, op->peer,
                   clock_format_duration(least_ms, apart));
    } else {
        check_pass(survey->list, CHECK_CLOCKS, "no more than %s apart, as far as can be told",
                   clock_format_duration(most_ms, apart));
    }
}

static void judge(const struct survey *survey)
{
    const struct libvirt_xml_guest *guest = survey->guest;

    judge_leftovers(survey);
    judge_storage(survey);
    if (survey->file_count > 0 || !survey->unfound) {
        judge_presence(survey, CHECK_FILES, "file", "copy it there", survey->files,
                       survey->file_count);
    }
    judge_presence(survey, CHECK_BRIDGES, "bridge", "create it there", survey->bridges,
                   guest->bridge_count);
    if (survey->live) {
        judge_reach(survey);
        judge_port(survey);
        judge_clocks(survey);
    }
    judge_locks(survey);
}

static struct libvirt_question_host question_host(const struct libvirt_move *move,
                                                  const struct libvirt_move_end *end)
{
    return (struct libvirt_question_host){ .name = end->host.name,
                                           .address = end->ssh,
                                           .ssh = move->ssh };
}

void libvirt_survey_run(const struct libvirt_move *move, const struct libvirt_xml_guest *guest,
                        struct check_list *list)
{
    struct survey survey = {
        .move = move,
        .guest = guest,
        .list = list,
        .live = move->op->mode == MOVE_LIVE,
        .can_ask = move->source.ssh != NULL && move->target.ssh != NULL,
        .source.host = question_host(move, &move->source),
        .target.host = question_host(move, &move->target),
    };

    make_claims(&survey);
    ask_presence(&survey);
    ask_leftovers(&survey);
    if (survey.live) {
        ask_way(&survey);
    }
    ask_hosts_selves(&survey);
    if (survey.can_ask) {
        ask_both(&survey);
    }
    judge(&survey);
}

void libvirt_survey_compare(const struct libvirt_survey_reading *a,
                            const struct libvirt_survey_reading *b, int64_t *least_ms,
                            int64_t *most_ms)
{
    int64_t low = (a->clock_ms - a->answered_ms) - (b->clock_ms - b->asked_ms);
    int64_t high = (a->clock_ms - a->asked_ms) - (b->clock_ms - b->answered_ms);

    *least_ms = low > 0 ? low : high < 0 ? -high : 0;
    *most_ms = high > -low ? high : -low;
}
