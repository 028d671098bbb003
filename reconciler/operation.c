/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/operation.h"

#include "base/base.h"
#include "base/err.h"
#include "model/desired.h"
#include "model/policy.h"
#include "model/profile.h"
#include "reconciler/config.h"
#include "reconciler/fencing.h"
#include "reconciler/ledger.h"
#include "reconciler/look.h"
#include "reconciler/stage.h"

#define QUICK_TIMEOUT_MS  INT64_C(60000)
#define SUPPLY_TIMEOUT_MS INT64_C(120000)

bool operation_is_migration(enum op_kind kind)
{
    return kind == OP_MIGRATE || kind == OP_ADOPT;
}

/* One thing after the other is probed, made and probed again. */
static int64_t supplies_timeout_ms(const struct supply_list *supplies)
{
    return SUPPLY_TIMEOUT_MS * (int64_t)(supplies->count + 1);
}

int64_t operation_timeout_ms(enum op_kind kind, const struct policy *policy,
                             const struct supply_list *supplies)
{
    if (kind == OP_STOP) {
        return policy->stop_timeout_ms;
    }
    if (stage_is_supply_op(kind)) {
        return supplies_timeout_ms(supplies);
    }
    if (kind == OP_FENCE) {
        return FENCING_TIMEOUT_MS;
    }
    return kind == OP_START ? policy->start_timeout_ms : QUICK_TIMEOUT_MS;
}

const char *operation_host(const struct journal_move *move, unsigned side)
{
    return side == 0 ? move->from : move->to;
}

static int read_live(struct arena *arena, const struct policy *policy,
                     const struct journal_move *move, struct op_live *live, struct err *err)
{
    *live = (struct op_live){
        .persistent = move->persistent,
        .max_downtime_ms = policy->max_downtime_ms,
        .bandwidth_mib_s = policy->bandwidth_mib_s,
        .parallel = policy->parallel,
        .tls = policy->tls,
        .auto_converge = policy_guest_auto_converge(policy, move->guest),
        .postcopy = policy_guest_postcopy(policy, move->guest) || move->fallback,
        .postcopy_first = move->fallback,
        .allow_downgrade = policy->allow_downgrade,
        .announce = policy->profile->announce,
    };
    if (policy->migrate_uri == NULL) {
        return 0;
    }
    live->migrate_uri = config_expand(arena, policy->migrate_uri, move->to, err);
    return live->migrate_uri == NULL ? -1 : 0;
}

/* What is to be defined, or defined again if its guest turns out to run. */
static int read_xml(struct arena *arena, const struct ledger *ledger,
                    const struct journal_move *move, const struct look *look, enum op_kind kind,
                    unsigned side, const char **xml, struct err *err)
{
    const struct observed_guest *guest = look_guest(look, kind == OP_DEFINE ? 0 : side);
    struct journal *journal = ledger->journal;
    char *bytes;
    size_t length;

    bool forced = move->mode == MOVE_FORCED && kind == OP_PREFLIGHT;

    *xml = NULL;
    if (kind != OP_DEFINE && kind != OP_UNDEFINE && !forced) {
        return 0;
    }
    if (guest != NULL && guest->xml != NULL && (kind == OP_UNDEFINE || side == 1)) {
        *xml = guest->xml;
        return 0;
    }
    if (journal->ops->object(journal, arena, move->xml_digest, &bytes, &length, err) != 0) {
        return -1;
    }
    *xml = bytes;
    return 0;
}

int operation_build(struct arena *arena, const struct policy *policy, const struct ledger *ledger,
                    const struct journal_move *move, const struct supply_list *supplies,
                    const struct look *look, const struct step *step, struct op *op,
                    struct err *err)
{
    enum op_kind kind = step->op;
    bool two_sided = operation_is_migration(kind) ||
                     (kind == OP_PREFLIGHT && move->mode != MOVE_FORCED && !stage_is_proof(step));
    const char *other = operation_host(move, 1 - step->side);

    *op = (struct op){
        .kind = kind,
        .epoch = ledger->epoch,
        .guest = move->guest,
        .uuid = move->uuid,
        .host = operation_host(move, step->side),
        .peer = two_sided                      ? move->to
                : step->supply == SUPPLY_STATE ? other
                                               : NULL,
        .mode = move->mode,
        .enable = true,
        .timeout_ms = operation_timeout_ms(kind, policy, supplies),
        .supply = step->supply,
        .begun_ms = move->begun_ms,
        .back = (kind == OP_PROVIDE && step->side == 0) || (kind == OP_WITHDRAW && step->side == 1),
        .prepared = step->prepared,
    };
    if (kind == OP_PREFLIGHT || kind == OP_START || stage_is_supply_op(kind)) {
        op->supplies = *supplies;
        op->profile = policy->profile;
        op->other = two_sided ? NULL : other;
    }
    return read_live(arena, policy, move, &op->live, err) == 0
               ? read_xml(arena, ledger, move, look, kind, step->side, &op->xml, err)
               : -1;
}

void operation_tell_families(struct op *op, const struct desired *desired)
{
    bool forced = op->mode == MOVE_FORCED; /* Of its target alone. */
    const char *const hosts[] = { forced ? NULL : op->host, forced ? op->host : op->peer };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        uint32_t host = hosts[i] == NULL ? DESIRED_NONE : desired_find_host(desired, hosts[i]);

        op->family[i] = host == DESIRED_NONE ? NULL : desired->hosts[host].rack_family;
    }
}
