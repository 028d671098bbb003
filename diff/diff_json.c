/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/diff_json.h"

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "diff/diff.h"
#include "model/record_json.h"

/* What the document tells: of the guests, those that are not placed. */
struct document {
    const struct diff_guest *guests;
    size_t guest_count;
    size_t counts[DIFF_CLASS_COUNT];
};

static const char *class_name(uint32_t class)
{
    return diff_class_name((enum diff_class) class);
}

static const struct record_json_field guest_fields[] = {
    { RECORD_JSON_FIELD(diff_guest, name, "guest", NAME, REQUIRED) },
    { RECORD_JSON_FIELD(diff_guest, class, "class", ENUM, REQUIRED), .name_of = class_name,
      .value_count = DIFF_CLASS_COUNT },
    { RECORD_JSON_FIELD(diff_guest, wanted, "wanted", NAME, ALWAYS) },
    { RECORD_JSON_FIELD(diff_guest, found, "found", TEXTS, ALWAYS),
      .count_offset = offsetof(struct diff_guest, found_count) },
};
static const struct record_json_table guest_table = RECORD_JSON_TABLE(diff_guest, guest_fields);

static const struct record_json_field counts_fields[] = {
    { RECORD_JSON_FIELD(document, counts[DIFF_PLACED], "placed", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, counts[DIFF_MISPLACED], "misplaced", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, counts[DIFF_MISSING], "missing", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, counts[DIFF_DUPLICATE], "duplicate", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, counts[DIFF_UNMANAGED], "unmanaged", SIZE, REQUIRED) },
    { RECORD_JSON_FIELD(document, counts[DIFF_UNKNOWN], "unknown", SIZE, REQUIRED) },
};
_Static_assert(ARRAY_LEN(counts_fields) == DIFF_CLASS_COUNT, "a class without its count");
static const struct record_json_table counts_table = RECORD_JSON_TABLE(document, counts_fields);

static const struct record_json_field document_fields[] = {
    { .name = "format",
      .type = RECORD_JSON_FORMAT,
      .presence = RECORD_JSON_REQUIRED,
      .format = "berth.diff/1" },
    { RECORD_JSON_FIELD(document, guests, "guests", LIST, REQUIRED),
      .count_offset = offsetof(struct document, guest_count), .table = &guest_table,
      .before_item = "\n " },
    { .name = "counts",
      .type = RECORD_JSON_OBJECT,
      .presence = RECORD_JSON_REQUIRED,
      .table = &counts_table },
};
static const struct record_json_table document_table = RECORD_JSON_TABLE(document, document_fields);

void diff_json_write(struct text *text, const struct diff *diff)
{
    struct document document = { 0 };
    struct diff_guest *guests = ARENA_ARRAY(text->arena, struct diff_guest, diff->count);

    for (size_t i = 0; i < diff->count; i++) {
        if (diff->guests[i].class != DIFF_PLACED) {
            guests[document.guest_count++] = diff->guests[i];
        }
    }
    for (size_t i = 0; i < DIFF_CLASS_COUNT; i++) {
        document.counts[i] = diff->counts[i];
    }
    document.guests = guests;
    record_json_write(text, &document_table, &document);
    text_append(text, "\n");
}
