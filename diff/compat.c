/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/compat.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "diff/fleet.h"
#include "model/observed.h"
#include "model/policy.h"
#include "model/profile.h"
#include "model/supply.h"

static const char *const check_names[COMPAT_CHECK_COUNT] = {
    [COMPAT_PAUSE] = "why the guest is paused",
    [COMPAT_MANAGED_SAVE] = "managed save image",
    [COMPAT_SNAPSHOTS] = "snapshots",
    [COMPAT_NVRAM] = "NVRAM file",
    [COMPAT_TPM] = "emulated TPM",
    [COMPAT_HOSTDEVS] = "host devices",
    [COMPAT_ARCH] = "architecture",
    [COMPAT_MACHINE] = "machine type",
    [COMPAT_CPU] = "CPU model",
    [COMPAT_QEMU] = "QEMU version",
    [COMPAT_LIBVIRT] = "libvirt version",
    [COMPAT_PAGES] = "size of memory pages",
    [COMPAT_NUMA] = "NUMA nodes",
};

/* One guest on its way between two hosts. */
struct pair {
    struct compat *compat;
    const struct observed_guest *guest;
    const struct observed_host *source;
    const struct observed_host *target;
    enum move_mode mode;
    struct compat_objection *objection;
};

typedef bool check_fn(const struct pair *pair);

/* Longest reason; two host names of full length and a sentence fit. */
#define REASON_SIZE 1024

/* Notes an objection; returns false, so that callers can write 'return object(...)'. */
PRINTF(3, 4)
static bool object(const struct pair *pair, enum plan_code code, const char *fmt, ...)
{
    char reason[REASON_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    pair->objection->code = code;
    pair->objection->reason = arena_strdup(pair->compat->arena, reason);
    return false;
}

/* A check that cannot be made: passed over and counted on a recorded observation, else in the way. */
static bool unknown(const struct pair *pair, enum compat_check check, enum plan_code code,
                    const char *question, const char *host)
{
    if (pair->compat->fleet->input->recorded) {
        pair->compat->skipped[check]++;
        return true;
    }
    return object(pair, code, "cannot tell %s: '%s' did not report it (%s)", question, host,
                  check_names[check]);
}

static bool check_managed_save(const struct pair *pair)
{
    const struct observed_guest *guest = pair->guest;

    if (guest->managed_save == 1 ||
        (guest->state == GUEST_SHUTOFF && guest->reason == GUEST_REASON_SAVED)) {
        return object(
            pair, PLAN_UNSAFE,
            "it has a managed save image on '%s', which would be lost: start it there, or "
            "remove the image (virsh managedsave-remove)",
            pair->source->name);
    }
    return guest->managed_save == 0 ||
           unknown(pair, COMPAT_MANAGED_SAVE, PLAN_UNSAFE, "whether it has a managed save image",
                   pair->source->name);
}

static bool check_snapshots(const struct pair *pair)
{
    if (pair->guest->snapshots > 0) {
        return object(pair, PLAN_UNSAFE,
                      "it has %d snapshot%s, which would not move along: delete them first",
                      (int)pair->guest->snapshots, pair->guest->snapshots == 1 ? "" : "s");
    }
    return pair->guest->snapshots == 0 || unknown(pair, COMPAT_SNAPSHOTS, PLAN_UNSAFE,
                                                  "whether it has snapshots", pair->source->name);
}

/* Does the platform copy the NVRAM of a guest that is off? */
static bool copies_nvram(const struct pair *pair)
{
    const struct supply *nvram =
        supply_list_find(&pair->guest->supplies, SUPPLY_STATE, SUPPLY_NVRAM);

    return nvram != NULL && profile_takes(pair->compat->fleet->input->policy->profile, SUPPLY_STATE,
                                          nvram->name, nvram->device);
}

static bool check_nvram(const struct pair *pair)
{
    bool copied;

    if (pair->guest->has_nvram != 1) {
        return pair->guest->has_nvram == 0 ||
               unknown(pair, COMPAT_NVRAM, PLAN_UNSAFE, "whether it has an NVRAM file",
                       pair->source->name);
    }
    copied = copies_nvram(pair);
    if (copied && pair->mode == MOVE_LIVE) {
        return object(pair, PLAN_UNSAFE,
                      "its NVRAM file is on '%s' and is copied only while it is off: set mode = "
                      "offline",
                      pair->source->name);
    }
    return (copied && pair->mode != MOVE_FORCED) ||
           object(pair, PLAN_UNSAFE,
                  "its NVRAM file would stay behind on '%s': move it by hand, with that file, "
                  "or let the platform's profile copy it ([state])",
                  pair->source->name);
}

static bool check_tpm(const struct pair *pair)
{
    if (pair->guest->has_tpm == 1) {
        return object(
            pair, PLAN_UNSAFE,
            "the state of its emulated TPM would stay behind on '%s': move it by hand, with "
            "that state, or remove the TPM",
            pair->source->name);
    }
    return pair->guest->has_tpm == 0 ||
           unknown(pair, COMPAT_TPM, PLAN_UNSAFE, "whether it has an emulated TPM",
                   pair->source->name);
}

static bool check_hostdevs(const struct pair *pair)
{
    if (pair->guest->hostdevs > 0) {
        return object(
            pair, PLAN_INCOMPATIBLE,
            "it uses %d device%s of '%s' and cannot move while it runs: detach %s, or set "
            "mode = offline",
            (int)pair->guest->hostdevs, pair->guest->hostdevs == 1 ? "" : "s", pair->source->name,
            pair->guest->hostdevs == 1 ? "it" : "them");
    }
    return pair->guest->hostdevs == 0 ||
           unknown(pair, COMPAT_HOSTDEVS, PLAN_INCOMPATIBLE, "whether it uses devices of its host",
                   pair->source->name);
}

static bool check_arch(const struct pair *pair)
{
    const char *have = pair->source->arch;
    const char *need = pair->target->arch;

    if (have == NULL || need == NULL) {
        return unknown(pair, COMPAT_ARCH, PLAN_INCOMPATIBLE,
                       "whether both hosts have one architecture",
                       have == NULL ? pair->source->name : pair->target->name);
    }
    return strcmp(have, need) == 0 ||
           object(pair, PLAN_INCOMPATIBLE,
                  "'%s' is %s and '%s' is %s: place it on a host of its own architecture",
                  pair->target->name, need, pair->source->name, have);
}

static bool check_machine(const struct pair *pair)
{
    const char *machine = pair->guest->machine;
    const struct observed_host *target = pair->target;

    if (machine == NULL || target->machine_count == 0) {
        return unknown(pair, COMPAT_MACHINE, PLAN_INCOMPATIBLE,
                       "whether the target has its machine type",
                       machine == NULL ? pair->source->name : target->name);
    }
    return observed_has_machine(target, machine) ||
           object(pair, PLAN_INCOMPATIBLE,
                  "'%s' does not have its machine type '%s': update QEMU there, or change the type",
                  target->name, machine);
}

/* Other CPU modes name what they need; only libvirt on the target can compare that (preflight). */
static bool is_host_cpu(const char *mode)
{
    return strcmp(mode, "host-passthrough") == 0 || strcmp(mode, "maximum") == 0;
}

static bool check_cpu(const struct pair *pair)
{
    const char *have = pair->source->cpu_fingerprint;
    const char *need = pair->target->cpu_fingerprint;

    if (pair->guest->cpu_mode == NULL) {
        return unknown(pair, COMPAT_CPU, PLAN_INCOMPATIBLE, "which CPU it was given",
                       pair->source->name);
    }
    if (!is_host_cpu(pair->guest->cpu_mode)) {
        return true;
    }
    if (have == NULL || need == NULL) {
        return unknown(pair, COMPAT_CPU, PLAN_INCOMPATIBLE,
                       "whether both hosts have equal CPUs, as its CPU is the host's",
                       have == NULL ? pair->source->name : pair->target->name);
    }
    return strcmp(have, need) == 0 ||
           object(pair, PLAN_INCOMPATIBLE,
                  "its CPU is that of '%s' (%s), and the one of '%s' differs in model, features or "
                  "microcode: make the hosts equal, give it a CPU model both have, or set mode = "
                  "offline",
                  pair->source->name, pair->guest->cpu_mode, pair->target->name);
}

static const char *version_text(const struct pair *pair, uint64_t version)
{
    return text_format(pair->compat->arena, "%u.%u.%u", (unsigned)(version / 1000000),
                       (unsigned)(version / 1000 % 1000), (unsigned)(version % 1000));
}

static bool check_version(const struct pair *pair, enum compat_check check, const char *program,
                          uint64_t have, uint64_t need)
{
    if (pair->compat->fleet->input->policy->allow_downgrade) {
        return true;
    }
    if (have == 0 || need == 0) {
        return unknown(pair, check, PLAN_INCOMPATIBLE,
                       "whether the target is older than the source",
                       have == 0 ? pair->source->name : pair->target->name);
    }
    return need >= have ||
           object(pair, PLAN_INCOMPATIBLE,
                  "%s %s on '%s' is older than %s on '%s': update it, or set allow_downgrade = yes",
                  program, version_text(pair, need), pair->target->name, version_text(pair, have),
                  pair->source->name);
}

static bool check_qemu(const struct pair *pair)
{
    return check_version(pair, COMPAT_QEMU, "QEMU", pair->source->qemu_version,
                         pair->target->qemu_version);
}

static bool check_libvirt(const struct pair *pair)
{
    return check_version(pair, COMPAT_LIBVIRT, "libvirt", pair->source->libvirt_version,
                         pair->target->libvirt_version);
}

/* Where no host has huge pages there is one kind of memory only. */
static bool check_pages(const struct pair *pair)
{
    return pair->guest->hugepage_kib != OBSERVED_UNKNOWN ||
           (pair->source->hugepage_count == 0 && pair->target->hugepage_count == 0) ||
           unknown(pair, COMPAT_PAGES, PLAN_INCOMPATIBLE,
                   "whether it takes ordinary memory or huge pages of one size, now and by its "
                   "definition",
                   pair->source->name);
}

/* libvirt starts a guest only where every node that it names exists.  Node 0 is everywhere. */
static bool check_numa(const struct pair *pair)
{
    int32_t need = pair->guest->numa_nodes;

    if (need == OBSERVED_UNKNOWN) {
        return pair->source->numa_nodes <= 1 ||
               unknown(pair, COMPAT_NUMA, PLAN_INCOMPATIBLE,
                       "which NUMA nodes it is bound to, now and by its definition",
                       pair->source->name);
    }
    if (need <= 1) {
        return true;
    }
    if (pair->target->numa_nodes == 0) {
        return unknown(pair, COMPAT_NUMA, PLAN_INCOMPATIBLE,
                       "whether the target has the NUMA nodes it is bound to", pair->target->name);
    }
    return pair->target->numa_nodes >= (uint32_t)need ||
           object(pair, PLAN_INCOMPATIBLE,
                  "it is bound to NUMA node %d (numatune), and '%s' has %u node%s: change its "
                  "binding, or place it on a host that has that node",
                  (int)need - 1, pair->target->name, pair->target->numa_nodes,
                  pair->target->numa_nodes == 1 ? "" : "s");
}

static const struct {
    check_fn *check;
    bool live_only;
} checks[] = {
    { check_managed_save, false }, { check_snapshots, false }, { check_nvram, false },
    { check_tpm, false },          { check_hostdevs, true },   { check_arch, false },
    { check_machine, false },      { check_cpu, true },        { check_qemu, true },
    { check_libvirt, true },       { check_pages, false },     { check_numa, false },
};

static struct pair pair_of(struct compat *compat, uint32_t guest, uint32_t from, uint32_t to,
                           struct compat_objection *objection)
{
    const struct fleet *fleet = compat->fleet;

    return (struct pair){
        .compat = compat,
        .guest = fleet->guests[guest].seen,
        .source = fleet->hosts[from].seen,
        .target = fleet->hosts[to].seen,
        .objection = objection,
    };
}

/* A paused guest may follow a live migration only if a person paused it: everything else is a fault
 * or a half state that a move would carry along or make worse. */
static bool judge_pause(const struct pair *pair, bool offline)
{
    enum guest_reason reason = pair->guest->reason;

    if (reason == GUEST_REASON_UNKNOWN &&
        !unknown(pair, COMPAT_PAUSE, PLAN_UNSAFE, "why it is paused", pair->source->name)) {
        return false;
    }
    if (reason == GUEST_REASON_MIGRATION || reason == GUEST_REASON_STARTING_UP) {
        return object(
            pair, PLAN_UNCLEAR,
            "it is paused on '%s' by a migration that nobody follows: find out which side "
            "is good, then resume or remove this one",
            pair->source->name);
    }
    if (reason == GUEST_REASON_SAVE || reason == GUEST_REASON_DUMP ||
        reason == GUEST_REASON_SNAPSHOT) {
        return object(pair, PLAN_IN_FLIGHT, "it is paused on '%s' by a job (%s) that is under way",
                      pair->source->name, observed_reason_name(reason));
    }
    if (reason != GUEST_REASON_USER && reason != GUEST_REASON_UNKNOWN) {
        return object(pair, PLAN_UNSAFE, "it is paused on '%s' (%s): mend the cause and resume it",
                      pair->source->name, observed_reason_name(reason));
    }
    if (offline) {
        return object(
            pair, PLAN_UNSAFE,
            "it is paused and mode = offline would stop it: resume it, or set mode = auto");
    }
    return true;
}

/* An offline move undefines the guest on its way, and a transient guest is nothing but its process. */
static bool judge_offline(const struct pair *pair)
{
    return pair->guest->persistent ||
           object(pair, PLAN_UNSAFE,
                  "it is transient: stopping it on '%s' would end it for good; define it, or set "
                  "mode = live",
                  pair->source->name);
}

bool compat_choose_mode(struct compat *compat, uint32_t guest, enum move_mode *mode,
                        struct compat_objection *objection)
{
    const struct fleet *fleet = compat->fleet;
    struct pair pair =
        pair_of(compat, guest, fleet->guests[guest].at, fleet->guests[guest].goal, objection);
    bool offline =
        policy_guest_mode(fleet->input->policy, fleet->guests[guest].name) == POLICY_MODE_OFFLINE;

    switch (pair.guest->state) {
    case GUEST_RUNNING:
        *mode = offline ? MOVE_OFFLINE : MOVE_LIVE;
        return !offline || judge_offline(&pair);
    case GUEST_PAUSED:
        *mode = MOVE_LIVE;
        return judge_pause(&pair, offline);
    case GUEST_SHUTOFF:
        *mode = pair.guest->owed_start ? MOVE_OFFLINE : MOVE_COLD;
        return judge_offline(&pair);
    case GUEST_CRASHED:
        return object(
            &pair, PLAN_UNSAFE,
            "it has crashed on '%s' and its process is still there: destroy or restart it",
            pair.source->name);
    case GUEST_OTHER:
    case GUEST_STATE_COUNT:
        break;
    }
    return object(&pair, PLAN_UNCLEAR,
                  "it is neither running nor off on '%s' (%s): wait until it is, or look at it",
                  pair.source->name, observed_reason_name(pair.guest->reason));
}

bool compat_judge_hop(struct compat *compat, uint32_t guest, uint32_t from, uint32_t to,
                      enum move_mode mode, struct compat_objection *objection)
{
    struct pair pair = pair_of(compat, guest, from, to, objection);

    pair.mode = mode;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if ((!checks[i].live_only || mode == MOVE_LIVE) && !checks[i].check(&pair)) {
            return false;
        }
    }
    return true;
}

bool compat_judge(struct compat *compat, uint32_t guest, uint32_t host, enum move_mode mode,
                  struct compat_objection *objection)
{
    return compat_judge_hop(compat, guest, compat->fleet->guests[guest].at, host, mode, objection);
}

const char *compat_check_name(enum compat_check check)
{
    assert(check < COMPAT_CHECK_COUNT);
    return check_names[check];
}
