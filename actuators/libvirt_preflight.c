/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_preflight.h"

#include <inttypes.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_move.h"
#include "actuators/libvirt_observe.h"
#include "actuators/libvirt_origin.h"
#include "actuators/libvirt_platform.h"
#include "actuators/libvirt_state.h"
#include "actuators/libvirt_survey.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/text.h"
#include "model/check.h"
#include "model/quantity.h"

AUTO_POINTER(network, virNetwork, virNetworkFree);

/* What the checks are about. */
struct preflight {
    const struct libvirt_move *move;
    struct check_list *list;
    virDomainPtr domain; /* On the source; NULL: it is not known there. */
    enum guest_state state;
    enum guest_reason reason;
    bool persistent;
    bool live;
    struct libvirt_xml_guest
        guest; /* Of the running process for a live move, else the definition. */
};

/* libvirt does not say: the check fails with its words.  Right after the call that failed. */
static void fail_libvirt(const struct preflight *preflight, enum check_kind kind)
{
    struct err err;

    (void)libvirt_error_set(&err, "cannot be told");
    check_fail_err(preflight->list, kind, &err);
}

static int read_xml(struct preflight *preflight, struct err *err)
{
    const struct libvirt_move *move = preflight->move;
    bool live = preflight->live || !preflight->persistent;
    char *xml = virDomainGetXMLDesc(preflight->domain, live ? 0 : VIR_DOMAIN_XML_INACTIVE);
    int status;

    if (xml == NULL) {
        return libvirt_error_set(err, "its definition cannot be read");
    }
    status = libvirt_xml_read_guest(move->arena, xml, &preflight->guest, err);
    free(xml);
    return status;
}

static int read_source(struct preflight *preflight, struct err *err)
{
    const struct libvirt_move *move = preflight->move;
    int persistent;

    if (libvirt_move_find(move, &move->source, &preflight->domain, err) < 0) {
        return -1;
    }
    if (preflight->domain == NULL) {
        return err_set(err, ERR_NOT_FOUND, "'%s' does not know it", move->op->host);
    }
    persistent = virDomainIsPersistent(preflight->domain);
    if (persistent < 0) {
        return libvirt_error_set(err, "whether it is persistent cannot be told");
    }
    preflight->persistent = persistent == 1;
    return libvirt_observe_state(preflight->domain, move->op->host, &preflight->state,
                                 &preflight->reason, err) == 0
               ? read_xml(preflight, err)
               : -1;
}

static bool is_paused_by_user(const struct preflight *preflight)
{
    return preflight->state == GUEST_PAUSED && preflight->reason == GUEST_REASON_USER;
}

/* Half states and faults, which no move may touch; a pause that its user asked for is none. */
static void fail_paused(const struct preflight *preflight)
{
    if (is_paused_by_user(preflight)) {
        check_fail(preflight->list, CHECK_STATE, ERR_UNSAFE, "resume it first",
                   "it is paused and cannot be shut down");
    } else {
        check_fail(preflight->list, CHECK_STATE, ERR_UNSAFE, "clear that up first",
                   "it is paused (%s)", observed_reason_name(preflight->reason));
    }
}

/* Is its state one that a move of this mode begins with? */
static bool is_fitting(const struct preflight *preflight)
{
    bool running = preflight->state == GUEST_RUNNING;
    bool off = preflight->state == GUEST_SHUTOFF;

    if (preflight->live) {
        return running || is_paused_by_user(preflight);
    }
    return off || (running && preflight->move->op->mode != MOVE_COLD);
}

static void check_state(const struct preflight *preflight)
{
    const char *state = observed_state_name(preflight->state);
    struct check_list *list = preflight->list;

    if (preflight->state == GUEST_PAUSED && !is_fitting(preflight)) {
        fail_paused(preflight);
    } else if (!preflight->live && !preflight->persistent) {
        check_fail(list, CHECK_STATE, ERR_UNSAFE, "define it, or move it live",
                   "it is transient: stopping it would lose its definition");
    } else if (!is_fitting(preflight)) {
        check_fail(list, CHECK_STATE, ERR_CONFLICT, "plan anew",
                   "it is %s (%s), which is no beginning of a move that is '%s'", state,
                   observed_reason_name(preflight->reason),
                   op_mode_name(preflight->move->op->mode));
    } else {
        check_pass(list, CHECK_STATE, "it is %s on '%s'", state, preflight->move->op->host);
    }
}

static void check_absent(const struct preflight *preflight, enum check_kind kind,
                         virDomainPtr found)
{
    const char *target = preflight->move->op->peer;
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (found == NULL && libvirt_error_is(VIR_ERR_NO_DOMAIN)) {
        check_pass(preflight->list, kind, "'%s' has no guest of this %s", target,
                   kind == CHECK_UUID ? "UUID" : "name");
    } else if (found == NULL) {
        fail_libvirt(preflight, kind);
    } else {
        (void)virDomainGetUUIDString(found, uuid);
        check_fail(preflight->list, kind, ERR_EXISTS, "rename or undefine it there",
                   "'%s' already has a guest of this %s ('%s', %s)", target,
                   kind == CHECK_UUID ? "UUID" : "name", virDomainGetName(found), uuid);
    }
}

static void check_uuid(const struct preflight *preflight)
{
    AUTO(domain) virDomain *twin = NULL;

    twin =
        virDomainLookupByUUIDString(preflight->move->target.connection, preflight->move->op->uuid);
    check_absent(preflight, CHECK_UUID, twin);
}

static void check_name(const struct preflight *preflight)
{
    AUTO(domain) virDomain *namesake = NULL;

    namesake =
        virDomainLookupByName(preflight->move->target.connection, preflight->move->op->guest);
    check_absent(preflight, CHECK_NAME, namesake);
}

/* What a move would leave behind or tear apart. */

static void check_save(const struct preflight *preflight)
{
    int exists = virDomainHasManagedSaveImage(preflight->domain, 0);

    if (exists < 0) {
        fail_libvirt(preflight, CHECK_SAVE);
    } else if (exists > 0) {
        check_fail(preflight->list, CHECK_SAVE, ERR_UNSAFE,
                   "start it or remove the image with 'virsh managedsave-remove'",
                   "it has a managed save image");
    } else {
        check_pass(preflight->list, CHECK_SAVE, "it has no managed save image");
    }
}

static void check_snapshots(const struct preflight *preflight)
{
    int snapshots = virDomainSnapshotNum(preflight->domain, 0);

    if (snapshots < 0) {
        fail_libvirt(preflight, CHECK_SNAPSHOTS);
    } else if (snapshots > 0) {
        check_fail(preflight->list, CHECK_SNAPSHOTS, ERR_UNSAFE, "delete them first",
                   "it has snapshots (%d), which do not move", snapshots);
    } else {
        check_pass(preflight->list, CHECK_SNAPSHOTS, "it has no snapshots");
    }
}

static void check_hostdevs(const struct preflight *preflight)
{
    if (preflight->guest.hostdevs > 0) {
        check_fail(preflight->list, CHECK_HOSTDEVS, ERR_INCOMPATIBLE,
                   "detach them, or move it offline", "it uses devices of its host (%u)",
                   preflight->guest.hostdevs);
    } else {
        check_pass(preflight->list, CHECK_HOSTDEVS, "it uses no device of its host");
    }
}

static void check_job(const struct preflight *preflight)
{
    enum guest_job job = GUEST_JOB_NONE;
    struct err err;

    if (preflight->state != GUEST_SHUTOFF &&
        libvirt_observe_job(preflight->domain, preflight->move->op->host, &job, &err) < 0) {
        check_fail_err(preflight->list, CHECK_JOB, &err);
    } else if (job != GUEST_JOB_NONE) {
        check_fail(preflight->list, CHECK_JOB, ERR_BUSY, "let it end first",
                   "a job runs on it (%s)", observed_job_name(job));
    } else {
        check_pass(preflight->list, CHECK_JOB, "no job runs on it");
    }
}

static void check_block_job(const struct preflight *preflight)
{
    const struct libvirt_xml_guest *guest = &preflight->guest;
    size_t busy = 0;

    for (size_t i = 0; preflight->state != GUEST_SHUTOFF && i < guest->disk_count; i++) {
        if (guest->disks[i].job) {
            check_fail(preflight->list, CHECK_BLOCK_JOB, ERR_BUSY, "let it end first",
                       "a block job runs on its disk '%s'", guest->disks[i].target);
            busy++;
        }
    }
    if (busy == 0) {
        check_pass(preflight->list, CHECK_BLOCK_JOB, "no block job runs on its disks");
    }
}

/* What the target is. */

static void check_arch(const struct preflight *preflight)
{
    const struct observed_host *from = &preflight->move->source.host;
    const struct observed_host *to = &preflight->move->target.host;

    if (text_equal(from->arch, to->arch)) {
        check_pass(preflight->list, CHECK_ARCH, "both hosts are %s", to->arch);
    } else {
        check_fail(preflight->list, CHECK_ARCH, ERR_INCOMPATIBLE,
                   "place it on a host of its own architecture", "'%s' is %s and '%s' is %s",
                   from->name, from->arch, to->name, to->arch);
    }
}

static const char *version_text(const struct preflight *preflight, const struct observed_host *host)
{
    return text_format(preflight->move->arena,
                       "QEMU %" PRIu64 ".%" PRIu64 ".%" PRIu64 " and libvirt %" PRIu64 ".%" PRIu64
                       ".%" PRIu64,
                       host->qemu_version / 1000000, host->qemu_version / 1000 % 1000,
                       host->qemu_version % 1000, host->libvirt_version / 1000000,
                       host->libvirt_version / 1000 % 1000, host->libvirt_version % 1000);
}

static void check_version(const struct preflight *preflight)
{
    const struct observed_host *from = &preflight->move->source.host;
    const struct observed_host *to = &preflight->move->target.host;
    const char *have = version_text(preflight, from);
    const char *need = version_text(preflight, to);

    if (to->qemu_version >= from->qemu_version && to->libvirt_version >= from->libvirt_version) {
        check_pass(preflight->list, CHECK_VERSION, "'%s' has %s, '%s' has %s", from->name, have,
                   to->name, need);
    } else if (preflight->move->op->live.allow_downgrade) {
        check_warn(preflight->list, CHECK_VERSION, NULL,
                   "'%s' has %s, older than %s of '%s', and allow_downgrade = yes", to->name, need,
                   have, from->name);
    } else {
        check_fail(preflight->list, CHECK_VERSION, ERR_INCOMPATIBLE,
                   "upgrade it, or set [migrate] allow_downgrade = yes",
                   "'%s' has an older QEMU or libvirt (%s, and '%s' %s)", to->name, need,
                   from->name, have);
    }
}

static void check_machine(const struct preflight *preflight)
{
    const struct observed_host *to = &preflight->move->target.host;
    const char *machine = preflight->guest.machine;

    if (machine == NULL || to->machine_count == 0) {
        check_skip(preflight->list, CHECK_MACHINE, NULL,
                   "left to the emulator: its machine type or those of '%s' are not told",
                   to->name);
    } else if (observed_has_machine(to, machine)) {
        check_pass(preflight->list, CHECK_MACHINE, "'%s' has '%s'", to->name, machine);
    } else {
        check_fail(preflight->list, CHECK_MACHINE, ERR_INCOMPATIBLE,
                   "update QEMU there, or change the type", "'%s' has no machine type '%s'",
                   to->name, machine);
    }
}

/* Asks the target what its emulator offers for exactly this machine: the answer proves emulator, machine
 * type and virtualisation (KVM or not) at once. */
static void check_emulator(const struct preflight *preflight)
{
    const struct libvirt_move *move = preflight->move;
    const struct libvirt_xml_guest *guest = &preflight->guest;
    char *xml = virConnectGetDomainCapabilities(move->target.connection, guest->emulator,
                                                guest->arch, guest->machine, guest->virt_type, 0);
    struct err err;

    if (xml == NULL) {
        (void)libvirt_error_set(&err, "'%s' cannot run it", move->op->peer);
        check_fail(preflight->list, CHECK_EMULATOR,
                   err.code == ERR_UNREACHABLE ? ERR_UNREACHABLE : ERR_INCOMPATIBLE,
                   "install what it names there", "%s", err.text);
        return;
    }
    free(xml);
    check_pass(preflight->list, CHECK_EMULATOR, "'%s' can run it with %s (%s)", move->op->peer,
               guest->emulator == NULL ? "its emulator" : guest->emulator,
               guest->virt_type == NULL ? "?" : guest->virt_type);
}

static bool has_failed(const struct check_list *list, enum check_kind kind)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind == kind && list->items[i].result == CHECK_FAILED) {
            return true;
        }
    }
    return false;
}

/* libvirt compares a bare host-passthrough element with nothing and calls it a superset (migration.md),
 * so such a guest asks for hosts whose CPUs are equal in everything it can see. */
static void check_passthrough(const struct preflight *preflight)
{
    const struct libvirt_move *move = preflight->move;
    const char *from = move->source.host.cpu_fingerprint;
    const char *to = move->target.host.cpu_fingerprint;

    if (!preflight->live) {
        check_pass(preflight->list, CHECK_CPU, "started anew, it takes the CPU that it finds");
    } else if (from != NULL && text_equal(from, to)) {
        check_pass(preflight->list, CHECK_CPU, "the hosts' CPUs are equal");
    } else {
        check_fail(preflight->list, CHECK_CPU, ERR_INCOMPATIBLE,
                   "use a named CPU model, or move it offline",
                   "its CPU mode is %s, and the hosts' CPUs (model, features or microcode) are not "
                   "equal",
                   preflight->guest.cpu_mode);
    }
}

static void check_cpu(const struct preflight *preflight)
{
    const struct libvirt_move *move = preflight->move;
    const struct libvirt_xml_guest *guest = &preflight->guest;
    const unsigned flags = VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE;

    if (text_equal(guest->cpu_mode, "host-passthrough") || text_equal(guest->cpu_mode, "maximum")) {
        check_passthrough(preflight);
    } else if (has_failed(preflight->list, CHECK_EMULATOR)) {
        check_skip(preflight->list, CHECK_CPU, NULL, "only its emulator could tell");
    } else if (guest->cpu == NULL || !text_equal(guest->cpu_mode, "custom")) {
        check_pass(preflight->list, CHECK_CPU,
                   "it asks for no model, or becomes whatever its host's is");
    } else if (virConnectCompareHypervisorCPU(move->target.connection, guest->emulator, guest->arch,
                                              guest->machine, guest->virt_type, guest->cpu,
                                              flags) >= 0) {
        check_pass(preflight->list, CHECK_CPU, "'%s' can be the CPU that it sees", move->op->peer);
    } else {
        struct err err;

        (void)libvirt_error_set(&err, "'%s' cannot be the CPU that it sees", move->op->peer);
        check_fail(preflight->list, CHECK_CPU, err.code,
                   "give it a CPU model that both hosts have, or move it offline", "%s", err.text);
    }
}

/* More than there are is allowed, and slow. */
static void check_cpus(const struct preflight *preflight)
{
    const struct libvirt_move *move = preflight->move;
    uint32_t need = preflight->guest.vcpus;
    virNodeInfo node;

    if (virNodeGetInfo(move->target.connection, &node) < 0) {
        fail_libvirt(preflight, CHECK_CPUS);
    } else if (need > node.cpus) {
        check_warn(preflight->list, CHECK_CPUS, "give it fewer",
                   "it has %u CPUs, and '%s' has only %u", need, move->op->peer, node.cpus);
    } else {
        check_pass(preflight->list, CHECK_CPUS, "it has %u, '%s' has %u", need, move->op->peer,
                   node.cpus);
    }
}

/* What the target has left. */

/* Beside what is charged to the target: memory it really has now.  A guest on huge pages takes none of
 * it, a cold move starts nobody, and the room for a guest that is stopped early is made only then. */
static void check_memory(const struct preflight *preflight)
{
    const struct libvirt_move *move = preflight->move;
    bool starts = move->op->mode != MOVE_COLD && move->op->mode != MOVE_STOP;
    uint64_t need = preflight->guest.memory_kib;
    const char *need_text = quantity_size_text(move->arena, need);
    uint64_t free_kib;

    if (!starts || preflight->guest.hugepage_kib != 0) {
        check_pass(preflight->list, CHECK_MEMORY, "it takes no ordinary memory there");
        return;
    }
    free_kib = libvirt_observe_free_kib(move->target.connection);
    if (free_kib == 0) {
        check_skip(preflight->list, CHECK_MEMORY, NULL, "'%s' does not say what is available",
                   move->op->peer);
    } else if (need > free_kib) {
        check_fail(preflight->list, CHECK_MEMORY, ERR_FAILED, "free memory there",
                   "'%s' would need %s available now, and has only %s", move->op->peer, need_text,
                   quantity_size_text(move->arena, free_kib));
    } else {
        check_pass(preflight->list, CHECK_MEMORY, "it needs %s, '%s' has %s available", need_text,
                   move->op->peer, quantity_size_text(move->arena, free_kib));
    }
}

/* The same for the pool of huge pages that it takes there. */
static void check_pages(const struct preflight *preflight)
{
    const struct libvirt_move *move = preflight->move;
    int32_t page_kib = libvirt_xml_hugepages_on(&preflight->guest, &move->target.host);
    uint64_t need;
    uint64_t pages;

    if (preflight->state == GUEST_SHUTOFF || page_kib <= 0) {
        check_pass(preflight->list, CHECK_PAGES, "it takes no huge pages there");
        return;
    }
    need = (preflight->guest.memory_kib + (uint64_t)page_kib - 1) / (uint64_t)page_kib;
    pages = libvirt_observe_free_pages(move->target.connection, (uint64_t)page_kib);
    if (need > pages) {
        check_fail(preflight->list, CHECK_PAGES, ERR_FAILED, "free or add some there",
                   "'%s' would need %" PRIu64 " huge pages of %d KiB free now, and has only "
                   "%" PRIu64,
                   move->op->peer, need, (int)page_kib, pages);
    } else {
        check_pass(preflight->list, CHECK_PAGES,
                   "it needs %" PRIu64 " of %d KiB, '%s' has %" PRIu64 " free", need, (int)page_kib,
                   move->op->peer, pages);
    }
}

static void check_nodes(const struct preflight *preflight)
{
    const char *target = preflight->move->op->peer;
    uint32_t have = preflight->move->target.host.numa_nodes;
    int32_t need = preflight->guest.numa_nodes;

    if (need == OBSERVED_UNKNOWN || (need > 0 && (uint32_t)need > have)) {
        check_fail(preflight->list, CHECK_NODES, ERR_INCOMPATIBLE, "change or remove numatune",
                   "its memory is bound to NUMA nodes (numatune) that '%s' does not have, or that "
                   "cannot be told",
                   target);
    } else {
        check_pass(preflight->list, CHECK_NODES, "'%s' has the NUMA nodes that it is bound to",
                   target);
    }
}

/* A page cache on one host does not know what the other has written. */
static void check_cache(const struct preflight *preflight)
{
    size_t cached = 0;

    for (size_t i = 0; i < preflight->guest.disk_count; i++) {
        const struct libvirt_xml_disk *disk = &preflight->guest.disks[i];
        bool safe = text_equal(disk->cache, "none") || text_equal(disk->cache, "directsync");
        bool local = disk->path != NULL || disk->source == LIBVIRT_XML_VOLUME;

        if (!safe && !disk->readonly && local) {
            check_fail(preflight->list, CHECK_CACHE, ERR_UNSAFE, "set cache='none'",
                       "its disk '%s' has cache mode '%s'", disk->target,
                       disk->cache == NULL ? "default" : disk->cache);
            cached++;
        }
    }
    if (cached == 0) {
        check_pass(preflight->list, CHECK_CACHE, "no disk goes through a cache of its host");
    }
}

/* A function that libvirt itself takes from a pool of its host, and gives back. */
static void judge_network(const struct preflight *preflight, virNetworkPtr network,
                          const char *name, size_t *wrong)
{
    char *xml = virNetworkGetXMLDesc(network, 0);
    bool is_pool;

    if (xml == NULL) {
        (*wrong)++;
        fail_libvirt(preflight, CHECK_NETWORKS);
        return;
    }
    is_pool = libvirt_xml_network_is_pool(xml);
    free(xml);
    if (is_pool && preflight->live && !preflight->guest.has_standby) {
        (*wrong)++;
        check_fail(preflight->list, CHECK_NETWORKS, ERR_INCOMPATIBLE,
                   "detach it, or move it offline",
                   "network '%s' of '%s' gives it a function of its host, which does not move live",
                   name, preflight->move->op->peer);
    } else if (is_pool) {
        check_pass(preflight->list, CHECK_NETWORKS,
                   "network '%s' of '%s' gives it a function of its host from a pool of libvirt's",
                   name, preflight->move->op->peer);
    }
}

static void check_network(const struct preflight *preflight, const char *name, size_t *wrong)
{
    const struct libvirt_move *move = preflight->move;
    AUTO(network) virNetwork *network = virNetworkLookupByName(move->target.connection, name);

    if (network != NULL && virNetworkIsActive(network) == 1) {
        judge_network(preflight, network, name, wrong);
        return;
    }
    (*wrong)++;
    if (network == NULL && !libvirt_error_is(VIR_ERR_NO_NETWORK)) {
        fail_libvirt(preflight, CHECK_NETWORKS);
        return;
    }
    check_fail(preflight->list, CHECK_NETWORKS, ERR_INCOMPATIBLE,
               network == NULL ? "define it there" : "start it there",
               "'%s' has no active network '%s'", move->op->peer, name);
}

static void check_networks(const struct preflight *preflight)
{
    const struct libvirt_xml_guest *guest = &preflight->guest;
    size_t wrong = 0;

    for (size_t i = 0; i < guest->network_count; i++) {
        check_network(preflight, guest->networks[i], &wrong);
    }
    if (wrong == 0) {
        check_pass(preflight->list, CHECK_NETWORKS, "%s",
                   guest->network_count == 0 ? "it needs no network of libvirt's"
                                             : "the target has those of libvirt's that it needs");
    }
}

static void survey(const struct preflight *preflight)
{
    libvirt_survey_run(preflight->move, &preflight->guest, preflight->list);
}

enum need {
    NEED_NOTHING,    /* The target alone can tell. */
    NEED_DEFINITION, /* It can with the guest's definition. */
    NEED_GUEST,
    NEED_LIVE, /* The guest, and only of a live move. */
};

/* In the order in which they are told; those of the last line are many, and named by whoever makes them. */
static const struct {
    enum check_kind kind;
    enum need need;
    void (*run)(const struct preflight *preflight);
} checks[] = {
    { CHECK_STATE, NEED_GUEST, check_state },
    { CHECK_UUID, NEED_NOTHING, check_uuid },
    { CHECK_NAME, NEED_NOTHING, check_name },
    { CHECK_SAVE, NEED_GUEST, check_save },
    { CHECK_SNAPSHOTS, NEED_GUEST, check_snapshots },
    { CHECK_HOSTDEVS, NEED_LIVE, check_hostdevs },
    { CHECK_JOB, NEED_GUEST, check_job },
    { CHECK_BLOCK_JOB, NEED_GUEST, check_block_job },
    { CHECK_ARCH, NEED_GUEST, check_arch },
    { CHECK_VERSION, NEED_LIVE, check_version },
    { CHECK_MACHINE, NEED_DEFINITION, check_machine },
    { CHECK_EMULATOR, NEED_DEFINITION, check_emulator },
    { CHECK_CPU, NEED_DEFINITION, check_cpu },
    { CHECK_CPUS, NEED_DEFINITION, check_cpus },
    { CHECK_MEMORY, NEED_DEFINITION, check_memory },
    { CHECK_PAGES, NEED_DEFINITION, check_pages },
    { CHECK_NODES, NEED_DEFINITION, check_nodes },
    { CHECK_CACHE, NEED_LIVE, check_cache },
    { CHECK_NETWORKS, NEED_DEFINITION, check_networks },
    { CHECK_STORAGE, NEED_DEFINITION, survey },
};

/* A host that has stopped answering would be waited for again by each check that asks it. */
static bool is_lost(const struct check_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct check *check = &list->items[i];

        if (check->result == CHECK_FAILED &&
            (check->code == ERR_UNREACHABLE || check->code == ERR_TIMEOUT)) {
            return true;
        }
    }
    return false;
}

/* Of a forced move there is a definition, and nobody who could be asked for more of the guest. */
static bool is_asked(const struct preflight *preflight, enum need need)
{
    bool forced = preflight->move->op->mode == MOVE_FORCED;

    switch (need) {
    case NEED_NOTHING:
    case NEED_DEFINITION:
        return true;
    case NEED_GUEST:
        return !forced;
    case NEED_LIVE:
        break;
    }
    return preflight->live;
}

static void run_checks(const struct preflight *preflight)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        bool readable = checks[i].need == NEED_NOTHING || preflight->guest.uuid != NULL;

        if (!is_asked(preflight, checks[i].need)) {
            continue;
        }
        if (is_lost(preflight->list)) {
            check_skip(preflight->list, checks[i].kind, NULL,
                       "not asked, as a host has stopped answering");
        } else if (readable) {
            checks[i].run(preflight);
        } else if (checks[i].kind != CHECK_STATE) {
            check_skip(preflight->list, checks[i].kind, NULL, "its definition is not known");
        }
    }
}

static int read_definition(struct preflight *preflight, struct err *err)
{
    const struct op *op = preflight->move->op;

    preflight->persistent = true;
    preflight->state = GUEST_SHUTOFF;
    return op->xml == NULL
               ? err_set(err, ERR_NOT_FOUND, "its definition is not known")
               : libvirt_xml_read_guest(preflight->move->arena, op->xml, &preflight->guest, err);
}

/* A forced move is one whose source cannot be asked. */
static void begin(struct preflight *preflight)
{
    const struct op *op = preflight->move->op;
    bool forced = op->mode == MOVE_FORCED;
    struct err err;

    if (forced) {
        check_pass(preflight->list, CHECK_HOSTS, "libvirt of '%s' answers", op->peer);
    } else {
        check_pass(preflight->list, CHECK_HOSTS, "libvirt of '%s' and '%s' answers", op->host,
                   op->peer);
    }
    if ((forced ? read_definition(preflight, &err) : read_source(preflight, &err)) < 0) {
        preflight->guest = (struct libvirt_xml_guest){ 0 };
        check_fail_err(preflight->list, CHECK_STATE, &err);
    }
}

static int run_preflight(struct libvirt_move *move, struct check_list *list, struct err *err)
{
    struct preflight preflight = {
        .move = move,
        .list = list,
        .live = move->op->mode == MOVE_LIVE,
    };

    begin(&preflight);
    run_checks(&preflight);
    if (!is_lost(list)) {
        libvirt_platform_run(move, list);
        libvirt_origin_learn(move, list);
        libvirt_state_check(move, list);
    }
    if (preflight.domain != NULL) {
        (void)virDomainFree(preflight.domain);
    }
    return check_judge(list, move->op->guest, move->op->host, move->op->peer, err);
}

/* A forced move has one host here: whatever compares two finds it equal to itself. */
int libvirt_preflight_run(struct libvirt_move *move, struct check_list *list, struct err *err)
{
    struct libvirt_move alone = *move;
    struct op op = *move->op;
    int status;

    if (op.supply != SUPPLY_NONE) {
        libvirt_origin_prove(move, list);
        return check_judge(list, op.guest, NULL, op.host, err);
    }
    if (op.mode != MOVE_FORCED) {
        return run_preflight(move, list, err);
    }
    op.peer = op.host;
    alone.op = &op;
    alone.target = move->source;
    status = run_preflight(&alone, list, err);
    memcpy(move->present, alone.present, sizeof(move->present));
    memcpy(move->known, alone.known, sizeof(move->known));
    return status;
}
