/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_observe.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_connection.h"
#include "actuators/libvirt_error.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* VIR_DOMAIN_PAUSED_API_ERROR, which newer hosts may report but older headers do not have. */
#define VIR_DOMAIN_PAUSED_API_ERROR_9_2 14

/* Properties that libvirt tells of all guests at once, as a list of those that have them. */
enum trait {
    TRAIT_PERSISTENT,
    TRAIT_AUTOSTART,
    TRAIT_MANAGED_SAVE,
    TRAIT_SNAPSHOTS,
    TRAIT_COUNT,
};

static const unsigned trait_flags[TRAIT_COUNT] = {
    [TRAIT_PERSISTENT] = VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
    [TRAIT_AUTOSTART] = VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
    [TRAIT_MANAGED_SAVE] = VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
    [TRAIT_SNAPSHOTS] = VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT,
};

/* UUIDs of the guests that have one trait, sorted. */
struct uuid_set {
    const char **uuids;
    size_t count;
};

/* One look under way. */
struct look {
    struct arena *arena;
    virConnectPtr connection;
    const char *host;
    const struct observed_host *node; /* What is known of it already. */
    struct uuid_set traits[TRAIT_COUNT];
};

typedef virDomainStatsRecordPtr stats_list;

static void free_stats(stats_list *list)
{
    virDomainStatsRecordListFree(list);
}

AUTO_POINTER(stats, stats_list, free_stats);

enum guest_state libvirt_observe_state_of(int state)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
        return GUEST_RUNNING;
    case VIR_DOMAIN_PAUSED:
        return GUEST_PAUSED;
    case VIR_DOMAIN_SHUTOFF:
        return GUEST_SHUTOFF;
    case VIR_DOMAIN_CRASHED:
        return GUEST_CRASHED;
    default:
        return GUEST_OTHER;
    }
}

static enum guest_reason pick(const enum guest_reason *reasons, size_t count, int reason)
{
    return reason >= 0 && (size_t)reason < count ? reasons[reason] : GUEST_REASON_UNKNOWN;
}

static enum guest_reason running_reason(int reason)
{
    static const enum guest_reason reasons[] = {
        [VIR_DOMAIN_RUNNING_BOOTED] = GUEST_REASON_BOOTED,
        [VIR_DOMAIN_RUNNING_MIGRATED] = GUEST_REASON_MIGRATED,
        [VIR_DOMAIN_RUNNING_RESTORED] = GUEST_REASON_RESTORED,
        [VIR_DOMAIN_RUNNING_FROM_SNAPSHOT] = GUEST_REASON_FROM_SNAPSHOT,
        [VIR_DOMAIN_RUNNING_UNPAUSED] = GUEST_REASON_UNPAUSED,
        [VIR_DOMAIN_RUNNING_MIGRATION_CANCELED] = GUEST_REASON_MIGRATION_CANCELED,
        [VIR_DOMAIN_RUNNING_SAVE_CANCELED] = GUEST_REASON_SAVE_CANCELED,
        [VIR_DOMAIN_RUNNING_WAKEUP] = GUEST_REASON_WAKEUP,
        [VIR_DOMAIN_RUNNING_CRASHED] = GUEST_REASON_CRASHED,
        [VIR_DOMAIN_RUNNING_POSTCOPY] = GUEST_REASON_POSTCOPY,
        [VIR_DOMAIN_RUNNING_POSTCOPY_FAILED] = GUEST_REASON_POSTCOPY_FAILED,
    };

    return pick(reasons, ARRAY_LEN(reasons), reason);
}

static enum guest_reason paused_reason(int reason)
{
    static const enum guest_reason reasons[] = {
        [VIR_DOMAIN_PAUSED_USER] = GUEST_REASON_USER,
        [VIR_DOMAIN_PAUSED_MIGRATION] = GUEST_REASON_MIGRATION,
        [VIR_DOMAIN_PAUSED_SAVE] = GUEST_REASON_SAVE,
        [VIR_DOMAIN_PAUSED_DUMP] = GUEST_REASON_DUMP,
        [VIR_DOMAIN_PAUSED_IOERROR] = GUEST_REASON_IO_ERROR,
        [VIR_DOMAIN_PAUSED_WATCHDOG] = GUEST_REASON_WATCHDOG,
        [VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = GUEST_REASON_FROM_SNAPSHOT,
        [VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = GUEST_REASON_SHUTTING_DOWN,
        [VIR_DOMAIN_PAUSED_SNAPSHOT] = GUEST_REASON_SNAPSHOT,
        [VIR_DOMAIN_PAUSED_CRASHED] = GUEST_REASON_CRASHED,
        [VIR_DOMAIN_PAUSED_STARTING_UP] = GUEST_REASON_STARTING_UP,
        [VIR_DOMAIN_PAUSED_POSTCOPY] = GUEST_REASON_POSTCOPY,
        [VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] = GUEST_REASON_POSTCOPY_FAILED,
        [VIR_DOMAIN_PAUSED_API_ERROR_9_2] = GUEST_REASON_API_ERROR,
    };

    return pick(reasons, ARRAY_LEN(reasons), reason);
}

static enum guest_reason shutoff_reason(int reason)
{
    static const enum guest_reason reasons[] = {
        [VIR_DOMAIN_SHUTOFF_SHUTDOWN] = GUEST_REASON_SHUTDOWN,
        [VIR_DOMAIN_SHUTOFF_DESTROYED] = GUEST_REASON_DESTROYED,
        [VIR_DOMAIN_SHUTOFF_CRASHED] = GUEST_REASON_CRASHED,
        [VIR_DOMAIN_SHUTOFF_MIGRATED] = GUEST_REASON_MIGRATED,
        [VIR_DOMAIN_SHUTOFF_SAVED] = GUEST_REASON_SAVED,
        [VIR_DOMAIN_SHUTOFF_FAILED] = GUEST_REASON_FAILED,
        [VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT] = GUEST_REASON_FROM_SNAPSHOT,
        [VIR_DOMAIN_SHUTOFF_DAEMON] = GUEST_REASON_DAEMON,
    };

    return pick(reasons, ARRAY_LEN(reasons), reason);
}

enum guest_reason libvirt_observe_reason_of(int state, int reason)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING:
        return running_reason(reason);
    case VIR_DOMAIN_PAUSED:
        return paused_reason(reason);
    case VIR_DOMAIN_SHUTOFF:
        return shutoff_reason(reason);
    case VIR_DOMAIN_CRASHED:
        return GUEST_REASON_CRASHED;
    default:
        return GUEST_REASON_UNKNOWN;
    }
}

uint64_t libvirt_observe_free_kib(virConnectPtr connection)
{
    const char *const names[] = { VIR_NODE_MEMORY_STATS_FREE, VIR_NODE_MEMORY_STATS_BUFFERS,
                                  VIR_NODE_MEMORY_STATS_CACHED };
    const int cells = VIR_NODE_MEMORY_STATS_ALL_CELLS;
    virNodeMemoryStats stats[16];
    int count = 0;
    uint64_t sum = 0;

    if (virNodeGetMemoryStats(connection, cells, NULL, &count, 0) < 0 ||
        count > (int)ARRAY_LEN(stats) ||
        virNodeGetMemoryStats(connection, cells, stats, &count, 0) < 0) {
        return 0;
    }
    for (int i = 0; i < count; i++) {
        for (size_t j = 0; j < ARRAY_LEN(names); j++) {
            sum += strcmp(stats[i].field, names[j]) == 0 ? stats[i].value : 0;
        }
    }
    return sum;
}

uint64_t libvirt_observe_free_pages(virConnectPtr connection, uint64_t page_kib)
{
    unsigned size = (unsigned)page_kib;
    unsigned long long pages = 0;

    return virNodeGetFreePages(connection, 1, &size, -1, 1, &pages, 0) > 0 ? pages : 0;
}

int libvirt_observe_state(virDomainPtr domain, const char *host, enum guest_state *state,
                          enum guest_reason *reason, struct err *err)
{
    const char *name = virDomainGetName(domain); /* Before: even this resets libvirt's error. */
    int code;
    int why;

    if (virDomainGetState(domain, &code, &why, 0) < 0) {
        return libvirt_error_set(err, "cannot ask '%s' for the state of guest '%s'", host, name);
    }
    *state = libvirt_observe_state_of(code);
    *reason = libvirt_observe_reason_of(code, why);
    return 0;
}

static enum guest_job job_of(virTypedParameterPtr parameters, int count)
{
    int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;

    (void)virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    switch (operation) {
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
        return GUEST_JOB_OUTGOING;
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
        return GUEST_JOB_INCOMING;
    default:
        return GUEST_JOB_OTHER;
    }
}

/* What a refusal to tell means; -1 if it is none.  On the target of a migration libvirt sends us to the
 * source: that is how an incoming one shows.  A guest that has just ended is refused too, and has no
 * job.  Whatever else keeps libvirt from telling is a job as far as moving the guest goes. */
static int judge_refusal(virDomainPtr domain, enum guest_job *job)
{
    int number = virGetLastErrorCode();

    if (number == VIR_ERR_OPERATION_UNSUPPORTED || number == VIR_ERR_OPERATION_INVALID) {
        *job = virDomainIsActive(domain) == 1 ? GUEST_JOB_INCOMING : GUEST_JOB_NONE;
        return 0;
    }
    if (number == VIR_ERR_NO_DOMAIN ||
        libvirt_error_code(number, virGetLastErrorDomain()) == ERR_UNREACHABLE) {
        return -1;
    }
    *job = GUEST_JOB_OTHER;
    return 0;
}

int libvirt_observe_job(virDomainPtr domain, const char *host, enum guest_job *job, struct err *err)
{
    const char *name = virDomainGetName(domain);
    virTypedParameterPtr parameters = NULL;
    int count = 0;
    int type = VIR_DOMAIN_JOB_NONE;

    if (virDomainGetJobStats(domain, &type, &parameters, &count, 0) < 0) {
        int judged = judge_refusal(domain, job);

        return judged == 0 ? 0
                           : libvirt_error_set(err, "cannot ask '%s' for the job of guest '%s'",
                                               host, name);
    }
    *job = type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED
               ? job_of(parameters, count)
               : GUEST_JOB_NONE;
    virTypedParamsFree(parameters, count);
    return 0;
}

static const char *uuid_of(struct arena *arena, virDomainPtr domain)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    (void)virDomainGetUUIDString(domain, uuid); /* Local: fails for a NULL domain only. */
    return arena_strdup(arena, uuid);
}

static int read_trait(struct look *look, enum trait trait, struct err *err)
{
    struct uuid_set *set = &look->traits[trait];
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(look->connection, &domains, trait_flags[trait]);

    if (count < 0) {
        return libvirt_error_set(err, "cannot list the guests of '%s'", look->host);
    }
    set->count = (size_t)count;
    set->uuids = ARENA_ARRAY(look->arena, const char *, set->count);
    for (size_t i = 0; i < set->count; i++) {
        set->uuids[i] = uuid_of(look->arena, domains[i]);
        (void)virDomainFree(domains[i]);
    }
    free(domains);
    text_sort(set->uuids, set->count, sizeof(*set->uuids));
    return 0;
}

static bool has_trait(const struct look *look, enum trait trait, const char *uuid)
{
    const struct uuid_set *set = &look->traits[trait];

    return text_find(uuid, set->uuids, set->count, sizeof(*set->uuids)) != NULL;
}

static int32_t count_snapshots(const struct look *look, virDomainPtr domain, const char *uuid)
{
    int count;

    if (!has_trait(look, TRAIT_SNAPSHOTS, uuid)) {
        return 0;
    }
    count = virDomainSnapshotNum(domain, 0);
    return count < 0 ? OBSERVED_UNKNOWN : count;
}

static void read_state(const struct _virDomainStatsRecord *record, struct observed_guest *guest)
{
    int state = VIR_DOMAIN_NOSTATE;
    int reason = 0;

    (void)virTypedParamsGetInt(record->params, record->nparams, "state.state", &state);
    (void)virTypedParamsGetInt(record->params, record->nparams, "state.reason", &reason);
    guest->state = libvirt_observe_state_of(state);
    guest->reason = libvirt_observe_reason_of(state, reason);
}

static void add_supplies(enum supply_kind kind, const char *const *names, size_t name_count,
                         struct supply *items, size_t *count)
{
    for (size_t i = 0; i < name_count; i++) {
        if (supply_is_name(names[i])) {
            items[(*count)++] = (struct supply){ .kind = kind, .name = names[i] };
        }
    }
}

/* What the platform may have to provide: bridges, interfaces, volumes by the name that their device ends
 * in, and its NVRAM.  What can be no name of a supply is none of the platform's. */
static struct supply_list read_supplies(struct arena *arena, const struct libvirt_xml_guest *facts)
{
    struct supply *items = ARENA_ARRAY(
        arena, struct supply, facts->bridge_count + facts->interface_count + facts->disk_count + 1);
    struct supply_list list = { .count = 0 };
    size_t count = 0;
    struct err err;

    add_supplies(SUPPLY_BRIDGE, facts->bridges, facts->bridge_count, items, &count);
    add_supplies(SUPPLY_INTERFACE, facts->interfaces, facts->interface_count, items, &count);
    for (size_t i = 0; i < facts->disk_count; i++) {
        const struct libvirt_xml_disk *disk = &facts->disks[i];
        const char *base = disk->source == LIBVIRT_XML_BLOCK ? strrchr(disk->path, '/') : NULL;

        if (base != NULL && supply_is_name(base + 1) && supply_is_device(disk->path)) {
            items[count++] =
                (struct supply){ .kind = SUPPLY_VOLUME, .name = base + 1, .device = disk->path };
        }
        if (disk->source == LIBVIRT_XML_VOLUME && supply_is_name(disk->pool) &&
            supply_is_volume(disk->volume)) {
            items[count++] =
                (struct supply){ .kind = SUPPLY_POOL, .name = disk->pool, .volume = disk->volume };
        }
    }
    if (facts->nvram != NULL && supply_is_device(facts->nvram)) {
        items[count++] =
            (struct supply){ .kind = SUPPLY_STATE, .name = SUPPLY_NVRAM, .device = facts->nvram };
    }
    return supply_list_make(arena, items, count, &list, &err) == 0 ? list
                                                                   : (struct supply_list){ 0 };
}

/* What the definition says, read again at each look: it may have been edited.  A transient guest has
 * only its live one. */
static int read_definition(const struct look *look, virDomainPtr domain,
                           struct observed_guest *guest, struct err *err)
{
    unsigned flags = VIR_DOMAIN_XML_SECURE | (guest->persistent ? VIR_DOMAIN_XML_INACTIVE : 0);
    struct libvirt_xml_guest facts;
    char *xml = virDomainGetXMLDesc(domain, flags);
    int status;

    if (xml == NULL) {
        return libvirt_error_set(err, "cannot read the definition of guest '%s' on '%s'",
                                 guest->name, look->host);
    }
    guest->xml = arena_strdup(look->arena, xml);
    free(xml);
    status = libvirt_xml_read_guest(look->arena, guest->xml, &facts, err);
    if (status < 0) {
        return err_wrap(err, "guest '%s' on '%s'", guest->name, look->host);
    }
    guest->config_memory_kib = facts.memory_kib;
    guest->memory_kib = facts.memory_kib;
    guest->vcpus = facts.vcpus;
    guest->has_nvram = facts.has_nvram ? 1 : 0;
    guest->has_tpm = facts.has_tpm ? 1 : 0;
    guest->hostdevs = (int32_t)facts.hostdevs;
    guest->machine = facts.machine;
    guest->cpu_mode = facts.cpu_mode;
    guest->hugepage_kib = libvirt_xml_hugepages_on(&facts, look->node);
    guest->numa_nodes = facts.numa_nodes;
    guest->supplies = read_supplies(look->arena, &facts);
    return 0;
}

/* What backs the guest now.  Where that is not what its definition says, nobody can tell what it will
 * take elsewhere. */
static int read_live_memory(const struct look *look, virDomainPtr domain,
                            struct observed_guest *guest, struct err *err)
{
    struct libvirt_xml_guest facts;
    char *xml = virDomainGetXMLDesc(domain, 0);
    int status;

    if (xml == NULL) {
        return libvirt_error_set(err, "cannot read the live definition of guest '%s' on '%s'",
                                 guest->name, look->host);
    }
    status = libvirt_xml_read_guest(look->arena, xml, &facts, err);
    free(xml);
    if (status < 0) {
        return err_wrap(err, "guest '%s' on '%s'", guest->name, look->host);
    }
    if (libvirt_xml_hugepages_on(&facts, look->node) != guest->hugepage_kib) {
        guest->hugepage_kib = OBSERVED_UNKNOWN;
    }
    if (facts.numa_nodes != guest->numa_nodes) {
        guest->numa_nodes = OBSERVED_UNKNOWN;
    }
    return 0;
}

/* Only where there is more than one kind of memory, or of place for it. */
static bool has_kinds_of_memory(const struct observed_host *host)
{
    return host->hugepage_count > 0 || host->numa_nodes > 1;
}

/* What a guest with a process really has; what libvirt calls 'maxMem' includes hot-plugged memory. */
static int read_live(const struct look *look, virDomainPtr domain, struct observed_guest *guest,
                     struct err *err)
{
    virDomainInfo info;

    if (virDomainGetInfo(domain, &info) < 0) {
        return libvirt_error_set(err, "cannot ask '%s' about guest '%s'", look->host, guest->name);
    }
    guest->memory_kib = info.maxMem;
    guest->vcpus = info.nrVirtCpu;
    if (guest->persistent && has_kinds_of_memory(look->node) &&
        read_live_memory(look, domain, guest, err) < 0) {
        return -1;
    }
    return libvirt_observe_job(domain, look->host, &guest->job, err);
}

static int read_guest(const struct look *look, const struct _virDomainStatsRecord *record,
                      struct observed_guest *guest, struct err *err)
{
    *guest = (struct observed_guest){
        .name = arena_strdup(look->arena, virDomainGetName(record->dom)),
        .uuid = uuid_of(look->arena, record->dom),
    };
    read_state(record, guest);
    guest->persistent = has_trait(look, TRAIT_PERSISTENT, guest->uuid);
    guest->autostart = has_trait(look, TRAIT_AUTOSTART, guest->uuid);
    guest->managed_save = has_trait(look, TRAIT_MANAGED_SAVE, guest->uuid) ? 1 : 0;
    guest->snapshots = count_snapshots(look, record->dom, guest->uuid);
    if (read_definition(look, record->dom, guest, err) < 0) {
        return -1;
    }
    return observed_is_active(guest) ? read_live(look, record->dom, guest, err) : 0;
}

static int read_guests(const struct look *look, const stats_list *list, size_t count,
                       struct observed_host *host, struct err *err)
{
    struct observed_guest *guests = ARENA_ARRAY(look->arena, struct observed_guest, count);
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        struct err failure;

        if (read_guest(look, list[i], &guests[used], &failure) == 0) {
            used++;
        } else if (failure.code != ERR_NOT_FOUND) {
            *err = failure;
            return -1;
        }
    }
    observed_sort_guests(guests, used);
    host->guests = guests;
    host->guest_count = used;
    return 0;
}

/* Free huge pages over all NUMA cells; the sizes are those that the capabilities named. */
static void read_free_pages(const struct look *look, struct observed_host *host)
{
    struct observed_hugepages *pages =
        ARENA_ARRAY(look->arena, struct observed_hugepages, host->hugepage_count);

    for (size_t i = 0; i < host->hugepage_count; i++) {
        pages[i] = host->hugepages[i];
        pages[i].free = libvirt_observe_free_pages(look->connection, pages[i].page_kib);
    }
    host->hugepages = pages;
}

static int read_node(const struct look *look, struct observed_host *host, struct err *err)
{
    virNodeInfo info;

    if (virNodeGetInfo(look->connection, &info) < 0) {
        return libvirt_error_set(err, "cannot ask '%s' for its size", look->host);
    }
    host->memory_kib = info.memory;
    host->cpus = info.cpus;
    host->free_kib = libvirt_observe_free_kib(look->connection);
    read_free_pages(look, host);
    return 0;
}

int libvirt_observe_host(struct arena *arena, virConnectPtr connection, struct observed_host *host,
                         struct err *err)
{
    /* The state alone: other groups would ask each QEMU, and wait for it. */
    const unsigned groups = VIR_DOMAIN_STATS_STATE;
    struct look look = {
        .arena = arena, .connection = connection, .host = host->name, .node = host
    };
    AUTO(stats) stats_list *list = NULL;
    int count;

    if (read_node(&look, host, err) < 0) {
        return -1;
    }
    count = virConnectGetAllDomainStats(connection, groups, &list, 0);
    if (count < 0) {
        return libvirt_error_set(err, "cannot look at the guests of '%s'", host->name);
    }
    /* After the guests: one that appears in between must not look as if it had no trait. */
    for (enum trait trait = 0; trait < TRAIT_COUNT; trait++) {
        if (read_trait(&look, trait, err) < 0) {
            return -1;
        }
    }
    return read_guests(&look, list, (size_t)count, host, err);
}
