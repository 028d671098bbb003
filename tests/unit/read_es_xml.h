/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Valid files for tests.
 */

#include <check.h>
#include <string.h>

#include "model/desired.h"
#include "model/es_xml.h"
#include "model/fault.h"

/* Reads an es.xml that has no faults. */
static inline struct desired read_text(struct arena *arena, const char *xml)
{
    struct faults faults = fault_list(arena);
    struct desired desired = { 0 };

    if (es_xml_read(arena, xml, strlen(xml), &desired, &faults) != 0) {
        ck_abort_msg("line %u: %s\n%s", faults.items[0].line, faults.items[0].text, xml);
    }
    return desired;
}
