/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/document.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

int document_parse(struct document *document, const char *bytes, size_t length, const char *format,
                   struct err *err)
{
    json_error_t error;
    json_t *root = json_loadb(bytes, length, 0, &error);
    const char *is = json_string_value(json_object_get(root, "format"));

    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, ERR_FAILED, "the answer is no JSON object: %.100s",
                       root == NULL ? error.text : "another value");
    }
    if (format != NULL && !text_equal(is, format)) {
        AUTO(arena) struct arena arena = ARENA_INIT;

        (void)err_set(err, ERR_INCOMPATIBLE,
                      "the answer is '%.32s', not '%s': is berthd of this version?",
                      is == NULL ? "" : text_visible(&arena, is), format);
        json_decref(root);
        return -1;
    }
    document->root = root;
    return 0;
}

void document_deinit(struct document *document)
{
    json_decref(document->root);
    document->root = NULL;
}

const char *document_string(struct arena *arena, const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value == NULL ? NULL : text_visible(arena, arena_strdup(arena, value));
}

const char *document_word(struct arena *arena, const json_t *object, const char *name)
{
    const char *value = document_string(arena, object, name);

    return value == NULL ? "?" : value;
}

int64_t document_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

bool document_flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

int64_t document_instant(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    int64_t wall_ms;

    return value != NULL && clock_parse(value, &wall_ms) ? wall_ms : 0;
}

const json_t *document_object(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_object(value) ? value : NULL;
}

bool document_is_number(const json_t *object, const char *name)
{
    return json_is_integer(json_object_get(object, name));
}

size_t document_count(const json_t *object, const char *name)
{
    return json_array_size(json_object_get(object, name));
}

const json_t *document_item(const json_t *object, const char *name, size_t index)
{
    const json_t *value = json_array_get(json_object_get(object, name), index);

    return json_is_object(value) ? value : NULL;
}
