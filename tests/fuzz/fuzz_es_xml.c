/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes are either faults or a desired state that survives being written and read again, and in which
 * every guest can be moved to another host by editing the bytes, or is refused with a reason.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_edit.h"
#include "model/es_write.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "model/policy.h"
#include "model/validate.h"

#define EDITS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what, const char *written)
{
    if (!holds) {
        (void)fprintf(stderr, "%s\n%s\n", what, written);
        abort();
    }
}

static void check_faults(const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->items[i];

        require(strpbrk(fault->text, "\n\r\x1b") == NULL, "a fault is not one line", fault->text);
        require(i == 0 || faults->items[i - 1].line <= fault->line, "faults are not sorted",
                fault->text);
    }
}

static void check_state(struct arena *arena, const struct desired *desired)
{
    struct faults faults = fault_list(arena);
    struct policy policy = policy_default();
    struct text text = text_new(arena);
    struct desired again = { 0 };
    const char *difference;

    validate_capacity(desired, &policy, &faults);
    es_write_document(&text, desired);
    faults = fault_list(arena);
    if (es_xml_read(arena, text.data, text.length, &again, &faults) != 0) {
        require(false, faults.items[0].text, text.data);
    }
    difference = desired_difference(desired, &again);
    require(difference == NULL, difference, text.data);
}

/* The editor checks its result itself: here it must neither crash nor give up for a reason of its own. */
static void check_edits(struct arena *arena, const char *bytes, size_t length,
                        const struct desired *desired)
{
    for (size_t i = 0; i < desired->guest_count && i < EDITS_MAX; i++) {
        const struct desired_guest *guest = &desired->guests[i];
        const struct es_edit edit = {
            .guest = guest->name,
            .host = desired->hosts[(guest->host + 1) % desired->host_count].name,
        };
        const char *edited;
        size_t edited_length;
        struct err err;

        if (es_edit_apply(arena, bytes, length, &edit, 1, &edited, &edited_length, &err) != 0) {
            require(err.code == ERR_REFUSED && strstr(err.text, "namespace") != NULL, err.text,
                    edit.guest);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);
    struct desired desired = { 0 };

    if (es_xml_read(&arena, (const char *)data, size, &desired, &faults) == 0) {
        check_state(&arena, &desired);
        check_edits(&arena, (const char *)data, size, &desired);
    } else {
        require(faults.count > 0, "refused without a fault", "");
        check_faults(&faults);
    }
    return 0;
}
