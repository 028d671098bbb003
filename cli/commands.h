/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The commands of 'berth' (contract.md §6), in the order 'berth help' lists them.  One file each; those that
 * only give an order are all alike and share cmd_steer.c.
 */

struct cli_command;

/* Never NULL; the command describes itself. */
const struct cli_command *cmd_validate_command(void);
const struct cli_command *cmd_discover_command(void);
const struct cli_command *cmd_observe_command(void);
const struct cli_command *cmd_diff_command(void);
const struct cli_command *cmd_plan_command(void);
const struct cli_command *cmd_apply_command(void);
const struct cli_command *cmd_migrate_command(void);
const struct cli_command *cmd_steps_command(void);
const struct cli_command *cmd_drain_command(void);
const struct cli_command *cmd_evacuate_command(void);
const struct cli_command *cmd_undrain_command(void);
const struct cli_command *cmd_rollback_command(void);
const struct cli_command *cmd_status_command(void);
const struct cli_command *cmd_watch_command(void);
const struct cli_command *cmd_history_command(void);
const struct cli_command *cmd_explain_command(void);
const struct cli_command *cmd_steer_cancel(void);
const struct cli_command *cmd_steer_hold(void);
const struct cli_command *cmd_steer_release(void);
const struct cli_command *cmd_steer_retry(void);
const struct cli_command *cmd_steer_check(void);
