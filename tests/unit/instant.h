/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Instants for tests, as people write them.
 */

#include <check.h>
#include <stdint.h>

#include "base/clock.h"

/* "2023-11-14T23:00:00Z" in milliseconds since 1970. */
static inline int64_t instant(const char *text)
{
    int64_t ms = 0;

    ck_assert_msg(clock_parse(text, &ms), "%s", text);
    return ms;
}
