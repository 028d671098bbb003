/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whatever the bytes: no crash; what is taken is JSON in the eyes of jansson too, what is written of it
 * as well, and reading that back gives the same bytes again.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/observed.h"
#include "model/observed_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* jansson keeps numbers that we pass over, and refuses those that do not fit. */
static void require_json(const char *bytes, size_t length)
{
    json_error_t error;
    json_t *value = json_loadb(bytes, length, 0, &error);

    require(value != NULL || json_error_code(&error) == json_error_numeric_overflow);
    json_decref(value);
}

static struct text written(struct arena *arena, const struct observed *observed)
{
    struct text text = text_new(arena);

    observed_json_write(&text, observed);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed observed;
    struct observed again;
    struct err err = { 0 };
    struct text first;
    struct text second;

    if (observed_json_read(&arena, (const char *)bytes, length, &observed, &err) != 0) {
        require(err.code == ERR_INVALID && strnlen(err.text, ERR_TEXT_SIZE) < ERR_TEXT_SIZE);
        return 0;
    }
    require_json((const char *)bytes, length);
    first = written(&arena, &observed);
    require_json(first.data, first.length);
    require(observed_json_read(&arena, first.data, first.length, &again, &err) == 0);
    second = written(&arena, &again);
    require(second.length == first.length && memcmp(second.data, first.data, first.length) == 0);
    return 0;
}
