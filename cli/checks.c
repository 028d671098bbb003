/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/checks.h"

#include "actuators/actuator.h"
#include "base/err.h"
#include "base/loop_uv.h"
#include "cli/cli.h"
#include "cli/reach.h"
#include "diff/plan.h"
#include "reconciler/calls.h"
#include "reconciler/preflight.h"

static void stop_loop(void *context)
{
    loop_stop(context);
}

int checks_make(struct cli *cli, const struct reach_sight *sight, struct plan *plan)
{
    struct loop *loop = loop_uv_new();
    struct preflight preflight;
    struct calls calls;
    struct err err;
    struct actuator *actuator = reach_open(cli, loop, &err);
    const struct preflight_world world = {
        .loop = loop,
        .calls = &calls,
        .arena = &cli->arena,
        .policy = &cli->config.policy,
        .ledger = &sight->ledger,
        .observed = &sight->view.observed,
        .desired = &sight->revision.desired,
    };

    if (actuator == NULL) {
        loop_uv_free(loop);
        return cli_fail(&err);
    }
    calls_init(&calls, actuator);
    preflight_begin(&preflight, &world, plan, stop_loop, loop);
    loop_run(loop);
    actuator_close(actuator);
    preflight_deinit(&preflight);
    calls_deinit(&calls);
    loop_uv_free(loop);
    return 0;
}

bool checks_failed(const struct plan *plan)
{
    for (size_t i = 0; i < plan->move_count; i++) {
        if (check_count(plan->moves[i].checks, plan->moves[i].check_count, CHECK_FAILED) > 0) {
            return true;
        }
    }
    return false;
}
