/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/plan_json.h"

#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "model/check.h"
#include "model/record_json.h"

/* The plan, and what the format tells twice. */
struct document {
    struct plan plan;
    size_t summary_moves;
};

static const char *mode_name(uint32_t mode)
{
    return op_mode_name((enum move_mode)mode);
}

static const char *code_name(uint32_t code)
{
    return plan_code_name((enum plan_code)code);
}

static const char *method_name(uint32_t method)
{
    return plan_method_name((enum plan_method)method);
}

static const char *hop_name(uint32_t detour)
{
    return detour == 0 ? "final" : "detour";
}

/* Members in the order of contract.md §5. */
static const struct record_json_field side_fields[] = {
    { RECORD_JSON_FIELD(plan_side, limit_kib, "limit_kib", U64, REQUIRED) },
    { RECORD_JSON_FIELD(plan_side, before_kib, "before_kib", U64, REQUIRED) },
    { RECORD_JSON_FIELD(plan_side, during_kib, "during_kib", U64, REQUIRED) },
    { RECORD_JSON_FIELD(plan_side, after_kib, "after_kib", U64, REQUIRED) },
};
static const struct record_json_table side_table = RECORD_JSON_TABLE(plan_side, side_fields);

/* "proof" groups two members of the move itself. */
static const struct record_json_field proof_fields[] = {
    { RECORD_JSON_FIELD(plan_move, source, "from", OBJECT, REQUIRED), .table = &side_table },
    { RECORD_JSON_FIELD(plan_move, target, "to", OBJECT, REQUIRED), .table = &side_table },
};
static const struct record_json_table proof_table = RECORD_JSON_TABLE(plan_move, proof_fields);

static const char *kind_name(uint32_t kind)
{
    return check_kind_name((enum check_kind)kind);
}

static const char *result_name(uint32_t result)
{
    return check_result_name((enum check_result)result);
}

static const struct record_json_field check_fields[] = {
    { RECORD_JSON_FIELD(check, kind, "name", ENUM, REQUIRED), .name_of = kind_name,
      .value_count = CHECK_KIND_COUNT },
    { RECORD_JSON_FIELD(check, result, "result", ENUM, REQUIRED), .name_of = result_name,
      .value_count = CHECK_RESULT_COUNT },
    { RECORD_JSON_FIELD(check, evidence, "evidence", TEXT, ALWAYS) },
    { RECORD_JSON_FIELD(check, change, "change", TEXT, OPTIONAL) },
};
static const struct record_json_table check_table = RECORD_JSON_TABLE(check, check_fields);

static const char *source_name(uint32_t source)
{
    return estimate_source_name((enum estimate_source)source);
}

static const struct record_json_field forecast_fields[] = {
    { RECORD_JSON_FIELD(estimate_forecast, source, "from", ENUM, REQUIRED), .name_of = source_name,
      .value_count = ESTIMATE_SOURCE_COUNT },
    { RECORD_JSON_FIELD(estimate_forecast, moves, "moves", U64, REQUIRED) },
    { RECORD_JSON_FIELD(estimate_forecast, likely_ms, "likely_ms", U64, REQUIRED) },
    { RECORD_JSON_FIELD(estimate_forecast, least_ms, "least_ms", U64, REQUIRED) },
    { RECORD_JSON_FIELD(estimate_forecast, most_ms, "most_ms", U64, REQUIRED) },
    { RECORD_JSON_FIELD(estimate_forecast, overran, "overran", BOOL, OPTIONAL) },
    { RECORD_JSON_FIELD(estimate_forecast, written_bytes_s, "written_bytes_s", U64, OPTIONAL) },
};
static const struct record_json_table forecast_table =
    RECORD_JSON_TABLE(estimate_forecast, forecast_fields);

static const struct record_json_field move_fields[] = {
    { RECORD_JSON_FIELD(plan_move, seq, "seq", U32, REQUIRED) },
    { RECORD_JSON_FIELD(plan_move, guest, "guest", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(plan_move, uuid, "uuid", UUID, OPTIONAL) },
    { RECORD_JSON_FIELD(plan_move, from, "from", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(plan_move, to, "to", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(plan_move, mode, "mode", ENUM, REQUIRED), .name_of = mode_name,
      .value_count = MOVE_MODE_COUNT },
    { RECORD_JSON_FIELD(plan_move, detour, "hop", CHOICE, REQUIRED), .name_of = hop_name,
      .value_count = 2 },
    { RECORD_JSON_FIELD(plan_move, memory_kib, "memory_kib", U64, REQUIRED) },
    { RECORD_JSON_FIELD(plan_move, hugepage_kib, "hugepage_kib", U32, OPTIONAL) },
    { .name = "proof",
      .type = RECORD_JSON_OBJECT,
      .presence = RECORD_JSON_REQUIRED,
      .table = &proof_table },
    { RECORD_JSON_FIELD(plan_move, reason, "reason", TEXT, ALWAYS) },
    { RECORD_JSON_FIELD(plan_move, forecast, "forecast", OBJECT, OPTIONAL),
      .table = &forecast_table },
    { RECORD_JSON_FIELD(plan_move, checks, "checks", LIST, OPTIONAL),
      .count_offset = offsetof(struct plan_move, check_count), .table = &check_table,
      .before_item = "\n  " },
};
static const struct record_json_table move_table = RECORD_JSON_TABLE(plan_move, move_fields);

static const struct record_json_field certificate_fields[] = {
    { RECORD_JSON_FIELD(plan_certificate, guests, "guests", TEXTS, ALWAYS),
      .count_offset = offsetof(struct plan_certificate, guest_count) },
    { RECORD_JSON_FIELD(plan_certificate, hosts, "hosts", TEXTS, ALWAYS),
      .count_offset = offsetof(struct plan_certificate, host_count) },
    { RECORD_JSON_FIELD(plan_certificate, unblock, "unblock", TEXTS, ALWAYS),
      .count_offset = offsetof(struct plan_certificate, unblock_count) },
    { RECORD_JSON_FIELD(plan_certificate, proven, "proven", BOOL, ALWAYS) },
};
static const struct record_json_table certificate_table =
    RECORD_JSON_TABLE(plan_certificate, certificate_fields);

static const struct record_json_field block_fields[] = {
    { RECORD_JSON_FIELD(plan_block, guest, "guest", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(plan_block, code, "code", ENUM, REQUIRED), .name_of = code_name,
      .value_count = PLAN_CODE_COUNT },
    { RECORD_JSON_FIELD(plan_block, reason, "reason", TEXT, ALWAYS) },
    { RECORD_JSON_FIELD(plan_block, certificate, "certificate", OBJECT, OPTIONAL),
      .table = &certificate_table },
};
static const struct record_json_table block_table = RECORD_JSON_TABLE(plan_block, block_fields);

static const struct record_json_field summary_fields[] = {
    { RECORD_JSON_FIELD(document, summary_moves, "moves", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, plan.detours, "detours", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, plan.interruptions, "interruptions", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, plan.memory_kib, "memory_kib", U64, REQUIRED) },
};
static const struct record_json_table summary_table = RECORD_JSON_TABLE(document, summary_fields);

static const struct record_json_field document_fields[] = {
    { .name = "format",
      .type = RECORD_JSON_FORMAT,
      .presence = RECORD_JSON_REQUIRED,
      .format = "berth.plan/1" },
    { RECORD_JSON_FIELD(document, plan.es_xml_sha256, "es_xml_sha256", TEXT, ALWAYS) },
    { RECORD_JSON_FIELD(document, plan.complete, "complete", BOOL, REQUIRED) },
    { RECORD_JSON_FIELD(document, plan.method, "method", ENUM, REQUIRED), .name_of = method_name,
      .value_count = PLAN_HEURISTIC + 1 },
    { RECORD_JSON_FIELD(document, plan.optimal, "optimal", BOOL, REQUIRED) },
    { RECORD_JSON_FIELD(document, plan.warnings, "warnings", TEXTS, ALWAYS),
      .count_offset = offsetof(struct document, plan.warning_count) },
    { RECORD_JSON_FIELD(document, plan.moves, "moves", LIST, REQUIRED),
      .count_offset = offsetof(struct document, plan.move_count), .table = &move_table,
      .before_item = "\n " },
    { RECORD_JSON_FIELD(document, plan.blocked, "blocked", LIST, REQUIRED),
      .count_offset = offsetof(struct document, plan.block_count), .table = &block_table,
      .before_item = "\n " },
    { .name = "summary",
      .type = RECORD_JSON_OBJECT,
      .presence = RECORD_JSON_REQUIRED,
      .table = &summary_table },
};
static const struct record_json_table document_table = RECORD_JSON_TABLE(document, document_fields);

void plan_json_write(struct text *text, const struct plan *plan)
{
    const struct document document = { .plan = *plan, .summary_moves = plan->move_count };

    record_json_write(text, &document_table, &document);
    text_append(text, "\n");
}

int plan_json_read(struct arena *arena, const char *bytes, size_t length, struct plan *plan,
                   struct err *err)
{
    struct document document = { 0 };

    if (record_json_read(arena, bytes, length, &document_table, &document, err) != 0) {
        return -1;
    }
    if (document.summary_moves != document.plan.move_count) {
        return err_set(err, ERR_INVALID, "summary.moves: %zu, but there are %zu",
                       document.summary_moves, document.plan.move_count);
    }
    for (size_t i = 0; i < document.plan.move_count; i++) {
        if (document.plan.moves[i].seq != i + 1) {
            return err_set(err, ERR_INVALID, "moves[%zu].seq: must be %zu", i, i + 1);
        }
    }
    *plan = document.plan;
    return 0;
}
