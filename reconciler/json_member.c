/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/json_member.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/json_token.h"

void json_member_next(struct text *json)
{
    if (json->length > 0 && strchr("{[", json->data[json->length - 1]) == NULL) {
        text_append(json, ",");
    }
}

void json_member_name(struct text *json, const char *name)
{
    json_member_next(json);
    text_printf(json, "\"%s\":", name);
}

void json_member_string(struct text *json, const char *name, const char *value)
{
    json_member_name(json, name);
    json_token_write_string(json, value);
}

void json_member_number(struct text *json, const char *name, uint64_t value)
{
    json_member_name(json, name);
    json_token_write_number(json, value);
}

void json_member_signed(struct text *json, const char *name, int64_t value)
{
    json_member_name(json, name);
    text_printf(json, "%" PRId64, value);
}

void json_member_flag(struct text *json, const char *name, bool value)
{
    json_member_name(json, name);
    text_append(json, value ? "true" : "false");
}

void json_member_instant(struct text *json, const char *name, int64_t wall_ms)
{
    char at[CLOCK_TEXT_SIZE];

    json_member_name(json, name);
    if (wall_ms == 0) {
        text_append(json, "null");
    } else {
        text_printf(json, "\"%s\"", clock_format(wall_ms, at));
    }
}
