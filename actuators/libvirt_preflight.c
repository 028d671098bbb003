/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_preflight.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_disk.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_observe.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/text.h"
#include "model/quantity.h"

#define IDENTITY_SHOWN ((size_t)32) /* Bytes of a storage's identity in a sentence. */

/* Where libvirt keeps the state of emulated TPMs, one folder a guest. */
#define TPM_STATE_FOLDER "/var/lib/libvirt/swtpm/"

/* What the checks are about. */
struct check {
    const struct libvirt_move *move;
    virDomainPtr domain; /* On the source. */
    enum guest_state state;
    enum guest_reason reason;
    bool persistent;
    bool live;
    struct libvirt_xml_guest
        guest; /* Of the running process for a live move, else the definition. */
};

/* A path that must be proven to be the same storage on both hosts, and what it is to the guest. */
struct claim {
    const char *what; /* "disk 'vda'" */
    const char *path;
};

/* The questions of one preflight: claims first, then what only has to exist on the target. */
struct questions {
    struct claim *claims;
    size_t claim_count;
    struct libvirt_disk_item *items;
    size_t item_count;
};

static bool is_live(const struct op *op)
{
    return op->mode == MOVE_LIVE;
}

static int read_xml(struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    bool live = check->live || !check->persistent;
    char *xml = virDomainGetXMLDesc(check->domain, live ? 0 : VIR_DOMAIN_XML_INACTIVE);
    int status;

    if (xml == NULL) {
        return libvirt_move_fail_libvirt(move, err);
    }
    status = libvirt_xml_read_guest(move->arena, xml, &check->guest, err);
    free(xml);
    return status < 0 ? err_wrap(err, "guest '%s' on '%s'", move->op->guest, move->op->host) : 0;
}

static int read_source(struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    int persistent;

    if (libvirt_move_find(move, &move->source, &check->domain, err) < 0) {
        return -1;
    }
    if (check->domain == NULL) {
        return libvirt_move_fail(move, err, ERR_NOT_FOUND, "'%s' does not know it", move->op->host);
    }
    persistent = virDomainIsPersistent(check->domain);
    if (persistent < 0) {
        return libvirt_move_fail_libvirt(move, err);
    }
    check->persistent = persistent == 1;
    return libvirt_observe_state(check->domain, move->op->host, &check->state, &check->reason, err);
}

/* Half states and faults, which no move may touch; a pause that its user asked for is none. */
static int check_pause(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;

    if (check->state != GUEST_PAUSED || (check->live && check->reason == GUEST_REASON_USER)) {
        return 0;
    }
    if (check->reason == GUEST_REASON_USER) {
        return libvirt_move_fail(move, err, ERR_UNSAFE,
                                 "it is paused and cannot be shut down: resume it first");
    }
    return libvirt_move_fail(move, err, ERR_UNSAFE, "it is paused (%s): clear that up first",
                             observed_reason_name(check->reason));
}

static int check_state(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    bool cold = move->op->mode == MOVE_COLD;

    if (check_pause(check, err) < 0) {
        return -1;
    }
    if (check->live && check->state != GUEST_RUNNING && check->state != GUEST_PAUSED) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s, not running",
                                 observed_state_name(check->state));
    }
    if (cold && check->state != GUEST_SHUTOFF) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s, not shut off",
                                 observed_state_name(check->state));
    }
    if (!check->live && !check->persistent) {
        return libvirt_move_fail(move, err, ERR_UNSAFE,
                                 "it is transient: stopping it would lose its definition");
    }
    if (!check->live && check->state != GUEST_RUNNING && check->state != GUEST_SHUTOFF) {
        return libvirt_move_fail(move, err, ERR_CONFLICT, "it is %s (%s)",
                                 observed_state_name(check->state),
                                 observed_reason_name(check->reason));
    }
    return 0;
}

static int check_absent(const struct check *check, virDomainPtr found, const char *what,
                        struct err *err)
{
    const struct libvirt_move *move = check->move;
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (found == NULL) {
        return libvirt_error_is(VIR_ERR_NO_DOMAIN) ? 0 : libvirt_move_fail_libvirt(move, err);
    }
    (void)virDomainGetUUIDString(found, uuid);
    return libvirt_move_fail(move, err, ERR_EXISTS,
                             "'%s' already has a guest with its %s ('%s', %s): rename or undefine "
                             "it there",
                             move->op->peer, what, virDomainGetName(found), uuid);
}

static int check_target_free(const struct check *check, struct err *err)
{
    virConnectPtr target = check->move->target.connection;
    AUTO(domain) virDomain *twin = NULL;
    AUTO(domain) virDomain *namesake = NULL;

    twin = virDomainLookupByUUIDString(target, check->move->op->uuid);
    if (check_absent(check, twin, "UUID", err) < 0) {
        return -1;
    }
    namesake = virDomainLookupByName(target, check->move->op->guest);
    return check_absent(check, namesake, "name", err);
}

/* What a move would leave behind or tear apart. */
static int check_attachments(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    int snapshots;

    if (libvirt_move_check_save(move, check->domain, err) < 0) {
        return -1;
    }
    snapshots = virDomainSnapshotNum(check->domain, 0);
    if (snapshots < 0) {
        return libvirt_move_fail_libvirt(move, err);
    }
    if (snapshots > 0) {
        return libvirt_move_fail(move, err, ERR_UNSAFE,
                                 "it has snapshots (%d), which do not move: delete them first",
                                 snapshots);
    }
    if (check->live && check->guest.hostdevs > 0) {
        return libvirt_move_fail(move, err, ERR_INCOMPATIBLE,
                                 "it uses devices of its host (%u): detach them, or move it "
                                 "offline",
                                 check->guest.hostdevs);
    }
    return 0;
}

static int check_jobs(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    enum guest_job job = GUEST_JOB_NONE;

    if (check->state == GUEST_SHUTOFF) {
        return 0;
    }
    if (libvirt_observe_job(check->domain, move->op->host, &job, err) < 0) {
        return -1;
    }
    if (job != GUEST_JOB_NONE) {
        return libvirt_move_fail(move, err, ERR_BUSY, "a job runs on it (%s): let it end first",
                                 observed_job_name(job));
    }
    for (size_t i = 0; i < check->guest.disk_count; i++) {
        if (check->guest.disks[i].job) {
            return libvirt_move_fail(move, err, ERR_BUSY,
                                     "a block job runs on its disk '%s': let it end first",
                                     check->guest.disks[i].target);
        }
    }
    return 0;
}

static int check_versions(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    const struct observed_host *from = &move->source.host;
    const struct observed_host *to = &move->target.host;

    if (!text_equal(from->arch, to->arch)) {
        return libvirt_move_fail(move, err, ERR_INCOMPATIBLE, "'%s' is %s and '%s' is %s",
                                 from->name, from->arch, to->name, to->arch);
    }
    if (!check->live || move->op->live.allow_downgrade) {
        return 0;
    }
    if (to->qemu_version < from->qemu_version || to->libvirt_version < from->libvirt_version) {
        return libvirt_move_fail(move, err, ERR_INCOMPATIBLE,
                                 "'%s' has an older QEMU or libvirt: upgrade it, or set [migrate] "
                                 "allow_downgrade = yes",
                                 to->name);
    }
    return 0;
}

/* Asks the target what its emulator offers for exactly this machine: the answer proves emulator, machine
 * type and virtualisation (KVM or not) at once. */
static int check_machine(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    const struct libvirt_xml_guest *guest = &check->guest;
    char *xml = virConnectGetDomainCapabilities(move->target.connection, guest->emulator,
                                                guest->arch, guest->machine, guest->virt_type, 0);

    if (xml == NULL) {
        (void)libvirt_move_fail_libvirt(move, err);
        err->code = err->code == ERR_UNREACHABLE ? ERR_UNREACHABLE : ERR_INCOMPATIBLE;
        return -1;
    }
    free(xml);
    return 0;
}

/* libvirt compares a bare host-passthrough element with nothing and calls it a superset (migration.md),
 * so such a guest asks for hosts whose CPUs are equal in everything it can see. */
static int check_passthrough(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    const char *from = move->source.host.cpu_fingerprint;
    const char *to = move->target.host.cpu_fingerprint;

    if (!check->live || (from != NULL && to != NULL && strcmp(from, to) == 0)) {
        return 0; /* One that is started anew takes the CPU that it finds. */
    }
    return libvirt_move_fail(move, err, ERR_INCOMPATIBLE,
                             "its CPU mode is %s, and the hosts' CPUs (model, features or "
                             "microcode) are not equal: use a named CPU model, or move it offline",
                             check->guest.cpu_mode);
}

static int check_cpu(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    const struct libvirt_xml_guest *guest = &check->guest;
    const unsigned flags = VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE;

    if (strcmp(guest->cpu_mode, "host-passthrough") == 0 ||
        strcmp(guest->cpu_mode, "maximum") == 0) {
        return check_passthrough(check, err);
    }
    /* A host-model that is not expanded yet becomes whatever the target's is. */
    if (guest->cpu == NULL || strcmp(guest->cpu_mode, "custom") != 0) {
        return 0;
    }
    return virConnectCompareHypervisorCPU(move->target.connection, guest->emulator, guest->arch,
                                          guest->machine, guest->virt_type, guest->cpu, flags) >= 0
               ? 0
               : libvirt_move_fail_libvirt(move, err);
}

/* Beside what is charged to the target: memory it really has now.  A guest on huge pages takes none of
 * it, a cold move starts nobody, and the room for a guest that is stopped early is made only then. */
static int check_memory(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    bool starts = move->op->mode != MOVE_COLD && move->op->mode != MOVE_STOP;
    uint64_t free_kib = libvirt_observe_free_kib(move->target.connection);
    struct text text = text_new(move->arena);

    if (!starts || check->guest.hugepage_kib != 0 || free_kib == 0 ||
        check->guest.memory_kib <= free_kib) {
        return 0;
    }
    quantity_print_size(&text, check->guest.memory_kib);
    text_append(&text, ", and has only ");
    quantity_print_size(&text, free_kib);
    return libvirt_move_fail(move, err, ERR_FAILED,
                             "'%s' would need %s available now: free memory there", move->op->peer,
                             text.data);
}

/* The same for the pool of huge pages that it takes there. */
static int check_pages(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    int32_t page_kib = libvirt_xml_hugepages_on(&check->guest, &move->target.host);
    uint64_t need;
    uint64_t pages;

    if (check->state == GUEST_SHUTOFF || page_kib <= 0) {
        return 0;
    }
    need = (check->guest.memory_kib + (uint64_t)page_kib - 1) / (uint64_t)page_kib;
    pages = libvirt_observe_free_pages(move->target.connection, (uint64_t)page_kib);
    return need <= pages ? 0
                         : libvirt_move_fail(move, err, ERR_FAILED,
                                             "'%s' would need %llu huge pages of %d KiB free now, "
                                             "and has only %llu: free or add some there",
                                             move->op->peer, (unsigned long long)need,
                                             (int)page_kib, (unsigned long long)pages);
}

static int check_nodes(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    int32_t need = check->guest.numa_nodes;

    if (need == OBSERVED_UNKNOWN || (need > 0 && (uint32_t)need > move->target.host.numa_nodes)) {
        return libvirt_move_fail(move, err, ERR_INCOMPATIBLE,
                                 "its memory is bound to NUMA nodes (numatune) that '%s' does not "
                                 "have, or that cannot be told: change or remove numatune",
                                 move->op->peer);
    }
    return 0;
}

/* A page cache on one host does not know what the other has written. */
static int check_caches(const struct check *check, struct err *err)
{
    for (size_t i = 0; check->live && i < check->guest.disk_count; i++) {
        const struct libvirt_xml_disk *disk = &check->guest.disks[i];
        bool cached = disk->cache == NULL ||
                      (strcmp(disk->cache, "none") != 0 && strcmp(disk->cache, "directsync") != 0);

        if (cached && !disk->readonly && disk->path != NULL) {
            return libvirt_move_fail(check->move, err, ERR_UNSAFE,
                                     "its disk '%s' has cache mode '%s': set cache='none'",
                                     disk->target, disk->cache == NULL ? "default" : disk->cache);
        }
    }
    return 0;
}

static void add_claim(struct questions *questions, const char *what, const char *path)
{
    questions->claims[questions->claim_count++] = (struct claim){ what, path };
    questions->items[questions->item_count++] =
        (struct libvirt_disk_item){ .question = LIBVIRT_DISK_IDENTITY, .name = path };
}

static void add_question(struct questions *questions, enum libvirt_disk_question question,
                         const char *name)
{
    questions->items[questions->item_count++] =
        (struct libvirt_disk_item){ .question = question, .name = name };
}

static int claim_disk(const struct check *check, const struct libvirt_xml_disk *disk,
                      struct questions *questions, struct err *err)
{
    const char *what;

    if (disk->readonly || disk->source == LIBVIRT_XML_NONE || disk->source == LIBVIRT_XML_NETWORK) {
        return 0;
    }
    if (disk->source == LIBVIRT_XML_OTHER) {
        return libvirt_move_fail(check->move, err, ERR_UNSAFE,
                                 "cannot prove that its disk '%s' is the same storage on both "
                                 "hosts: use a block device, a file or a network disk",
                                 disk->target);
    }
    what = text_format(check->move->arena, "disk '%s'", disk->target);
    add_claim(questions, what, disk->path);
    return 0;
}

static int claim_firmware(const struct check *check, struct questions *questions, struct err *err)
{
    const struct libvirt_xml_guest *guest = &check->guest;

    if (guest->has_nvram && guest->nvram == NULL) {
        return libvirt_move_fail(check->move, err, ERR_UNSAFE,
                                 "its definition does not say where its NVRAM is: start it once");
    }
    if (guest->has_nvram) {
        add_claim(questions, "the NVRAM", guest->nvram);
    }
    if (guest->has_tpm) {
        add_claim(questions, "the TPM state",
                  text_format(check->move->arena, TPM_STATE_FOLDER "%s", guest->uuid));
    }
    return 0;
}

/* What must exist on the target, as far as it can be asked; libvirt fails on the rest, before anything
 * has moved. */
static void ask_presence(const struct libvirt_xml_guest *guest, struct questions *questions)
{
    for (size_t i = 0; i < guest->file_count; i++) {
        add_question(questions, LIBVIRT_DISK_EXISTS, guest->files[i]);
    }
    for (size_t i = 0; i < guest->disk_count; i++) {
        if (guest->disks[i].readonly && guest->disks[i].path != NULL) {
            add_question(questions, LIBVIRT_DISK_EXISTS, guest->disks[i].path);
        }
    }
    for (size_t i = 0; i < guest->bridge_count; i++) {
        add_question(questions, LIBVIRT_DISK_BRIDGE, guest->bridges[i]);
    }
}

static int gather(const struct check *check, struct questions *questions, struct err *err)
{
    const struct libvirt_xml_guest *guest = &check->guest;
    struct arena *arena = check->move->arena;
    size_t claims = guest->disk_count + 2;

    questions->claims = ARENA_ARRAY(arena, struct claim, claims);
    questions->items =
        ARENA_ARRAY(arena, struct libvirt_disk_item,
                    claims + guest->file_count + guest->disk_count + guest->bridge_count);
    for (size_t i = 0; i < guest->disk_count; i++) {
        if (claim_disk(check, &guest->disks[i], questions, err) < 0) {
            return -1;
        }
    }
    if (claim_firmware(check, questions, err) < 0) {
        return -1;
    }
    ask_presence(guest, questions);
    return 0;
}

static int fail_missing(const struct check *check, const char *what, const char *path,
                        const char *host, struct err *err)
{
    return err_set(err, ERR_INCOMPATIBLE, "%s of '%s' (%s) does not exist on '%s': attach it there",
                   what, check->move->op->guest, path, host);
}

/* The end of an identity: what two storages of one kind differ in comes last. */
static const char *identity_end(const char *identity)
{
    size_t length = strlen(identity);

    return length > IDENTITY_SHOWN ? identity + length - IDENTITY_SHOWN : identity;
}

static int judge_claim(const struct check *check, const struct claim *claim,
                       const struct libvirt_disk_item *from, const struct libvirt_disk_item *to,
                       struct err *err)
{
    const struct op *op = check->move->op;

    if (to->answer == LIBVIRT_DISK_MISSING) {
        return fail_missing(check, claim->what, claim->path, op->peer, err);
    }
    if (from->answer == LIBVIRT_DISK_MISSING) {
        return fail_missing(check, claim->what, claim->path, op->host, err);
    }
    if (from->answer != LIBVIRT_DISK_KNOWN || to->answer != LIBVIRT_DISK_KNOWN) {
        return err_set(err, ERR_UNSAFE,
                       "cannot prove that %s of '%s' (%s) is the same storage on '%s' and '%s': it "
                       "reports no identity",
                       claim->what, op->guest, claim->path, op->host, op->peer);
    }
    if (strcmp(from->identity, to->identity) != 0) {
        return err_set(err, ERR_UNSAFE,
                       "%s of '%s' (%s) is not the same storage on '%s' (%s) as on '%s' (%s): "
                       "attach the same volume to both",
                       claim->what, op->guest, claim->path, op->peer, identity_end(to->identity),
                       op->host, identity_end(from->identity));
    }
    return 0;
}

static int judge_presence(const struct check *check, const struct libvirt_disk_item *item,
                          struct err *err)
{
    const struct libvirt_move *move = check->move;
    bool bridge = item->question == LIBVIRT_DISK_BRIDGE;

    return item->answer != LIBVIRT_DISK_MISSING
               ? 0
               : libvirt_move_fail(move, err, ERR_INCOMPATIBLE, "'%s' has no %s '%s'",
                                   move->op->peer, bridge ? "bridge" : "file", item->name);
}

static struct libvirt_disk_host disk_host(const struct libvirt_move *move,
                                          const struct libvirt_move_end *end)
{
    return (struct libvirt_disk_host){ end->host.name, end->ssh, move->ssh };
}

/* One host's half of the questions; the source's is asked on a thread of its own. */
struct inquiry {
    struct libvirt_disk_host host;
    struct arena arena;
    struct libvirt_disk_item *items;
    size_t count;
    int status;
    struct err err;
};

static void *run_inquiry(void *context)
{
    struct inquiry *inquiry = context;

    (void)pthread_setname_np(pthread_self(), "berth-inquiry");
    inquiry->status = libvirt_disk_ask(&inquiry->arena, &inquiry->host, inquiry->items,
                                       inquiry->count, &inquiry->err);
    return NULL;
}

/* Takes the answers over into the move's arena. */
static void keep_answers(const struct check *check, struct inquiry *inquiry)
{
    for (size_t i = 0; inquiry->status == 0 && i < inquiry->count; i++) {
        if (inquiry->items[i].identity != NULL) {
            inquiry->items[i].identity =
                arena_strdup(check->move->arena, inquiry->items[i].identity);
        }
    }
    arena_deinit(&inquiry->arena);
}

/* Asks the source about the claims, the target about everything: at once, because a connection by SSH
 * takes most of the time before a move. */
static int ask_hosts(const struct check *check, const struct questions *questions,
                     struct libvirt_disk_item *answers, struct err *err)
{
    const struct libvirt_move *move = check->move;
    struct libvirt_disk_host target = disk_host(move, &move->target);
    struct inquiry source = {
        .host = disk_host(move, &move->source),
        .items = answers,
        .count = questions->claim_count,
    };
    pthread_t thread = 0;
    bool threaded;
    int status;

    memcpy(answers, questions->items, source.count * sizeof(*answers));
    threaded = source.count > 0 && libvirt_pool_thread(&thread, run_inquiry, &source) == 0;
    if (!threaded && source.count > 0) {
        (void)run_inquiry(&source);
    }
    status = libvirt_disk_ask(move->arena, &target, questions->items, questions->item_count, err);
    if (threaded) {
        (void)pthread_join(thread, NULL); /* Bounded by the timeout of its command. */
    }
    keep_answers(check, &source);
    if (source.status != 0) {
        *err = source.err;
    }
    return source.status != 0 ? -1 : status;
}

static int judge(const struct check *check, const struct questions *questions,
                 const struct libvirt_disk_item *source, struct err *err)
{
    size_t claims = questions->claim_count;

    for (size_t i = 0; i < claims; i++) {
        if (judge_claim(check, &questions->claims[i], &source[i], &questions->items[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = claims; i < questions->item_count; i++) {
        if (judge_presence(check, &questions->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_storage(const struct check *check, struct err *err)
{
    const struct libvirt_move *move = check->move;
    bool can_ask = move->source.ssh != NULL && move->target.ssh != NULL;
    struct questions questions = { 0 };
    struct libvirt_disk_item *source;

    if (gather(check, &questions, err) < 0) {
        return -1;
    }
    if (questions.claim_count > 0 && !can_ask) {
        return err_set(
            err, ERR_UNSAFE,
            "cannot prove that %s of '%s' (%s) is the same storage on '%s' and '%s': set "
            "[fleet] ssh in berth.conf so that both hosts can be asked",
            questions.claims[0].what, move->op->guest, questions.claims[0].path, move->op->host,
            move->op->peer);
    }
    if (questions.item_count == 0 || !can_ask) {
        return 0;
    }
    source = ARENA_ARRAY(move->arena, struct libvirt_disk_item, questions.claim_count);
    return ask_hosts(check, &questions, source, err) < 0 ? -1
                                                         : judge(check, &questions, source, err);
}

/* A source that cannot be asked: what the target alone can tell. */
static int run_forced(struct check *check, struct err *err)
{
    return check_target_free(check, err);
}

static int run_checks(struct check *check, struct err *err)
{
    static int (*const checks[])(const struct check *, struct err *) = {
        check_state,    check_target_free, check_attachments, check_jobs,
        check_versions, check_machine,     check_cpu,         check_memory,
        check_pages,    check_nodes,       check_caches,      check_storage,
    };

    if (read_source(check, err) < 0 || read_xml(check, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (checks[i](check, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int libvirt_preflight_run(const struct libvirt_move *move, struct err *err)
{
    struct check check = { .move = move, .live = is_live(move->op) };
    int status = move->op->mode == MOVE_FORCED ? run_forced(&check, err) : run_checks(&check, err);

    if (check.domain != NULL) {
        (void)virDomainFree(check.domain);
    }
    return status;
}
