/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool retryable;
} codes[] = {
#define ERR_CODE(name, text, retryable) [ERR_##name] = { text, retryable },
    ERR_CODES
#undef ERR_CODE
};

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list args;

    assert(code != ERR_NONE);
    err->code = code;
    err->os_errno = 0;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return -1;
}

int err_set_errno(struct err *err, enum err_code code, int os_errno, const char *fmt, ...)
{
    va_list args;
    size_t used;

    assert(code != ERR_NONE);
    err->code = code;
    err->os_errno = os_errno;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    used = strnlen(err->text, sizeof(err->text));
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerrordesc_np(os_errno));
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char inner[ERR_TEXT_SIZE];
    va_list args;
    int used;

    memcpy(inner, err->text, sizeof(inner));
    va_start(args, fmt);
    used = vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof(err->text)) {
        size_t room = sizeof(err->text) - (size_t)used;
        size_t length = strnlen(inner, sizeof(inner));

        if (room > 2) {
            size_t copy = length < room - 3 ? length : room - 3;

            memcpy(err->text + used, ": ", 2);
            memcpy(err->text + used + 2, inner, copy);
            err->text[(size_t)used + 2 + copy] = '\0';
        }
    }
    return -1;
}

const char *err_code_name(enum err_code code)
{
    assert((size_t)code < ARRAY_LEN(codes));
    return codes[code].name;
}

enum err_code err_code_from_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strcmp(codes[i].name, name) == 0) {
            return (enum err_code)i;
        }
    }
    return ERR_INTERNAL;
}

bool err_is_retryable(const struct err *err)
{
    assert((size_t)err->code < ARRAY_LEN(codes));
    return codes[err->code].retryable;
}
