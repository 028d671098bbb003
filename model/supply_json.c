/* SPDX-License-Identifier: Apache-2.0 */
#include "model/supply_json.h"

#include "base/base.h"
#include "base/text.h"
#include "model/record_json.h"
#include "model/supply.h"

static const char *kind_name(uint32_t kind)
{
    return supply_kind_name((enum supply_kind)kind);
}

static const struct record_json_field supply_fields[] = {
    { RECORD_JSON_FIELD(supply, kind, "kind", ENUM, REQUIRED), .name_of = kind_name,
      .value_count = SUPPLY_KIND_COUNT },
    { RECORD_JSON_FIELD(supply, name, "name", TEXT, REQUIRED) },
    { RECORD_JSON_FIELD(supply, device, "device", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(supply, volume, "volume", TEXT, OPTIONAL) },
    { RECORD_JSON_FIELD(supply, identity, "identity", TEXT, OPTIONAL) },
};
static const struct record_json_table supply_table = RECORD_JSON_TABLE(supply, supply_fields);

static const struct record_json_field list_fields[] = {
    { .name = "format",
      .type = RECORD_JSON_FORMAT,
      .presence = RECORD_JSON_ALWAYS,
      .format = "berth.supplies/1" },
    { RECORD_JSON_FIELD(supply_list, items, "items", LIST, ALWAYS),
      .count_offset = offsetof(struct supply_list, count), .table = &supply_table },
};
static const struct record_json_table list_table = RECORD_JSON_TABLE(supply_list, list_fields);

char *supply_json_write(struct arena *arena, const struct supply_list *list)
{
    struct text text = text_new(arena);

    record_json_write(&text, &list_table, list);
    return text.data;
}

int supply_json_read(struct arena *arena, const char *bytes, size_t length,
                     struct supply_list *list, struct err *err)
{
    struct supply_list raw;

    if (record_json_read(arena, bytes, length, &list_table, &raw, err) != 0) {
        return -1;
    }
    return supply_list_make(arena, raw.items, raw.count, list, err);
}
