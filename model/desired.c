/* SPDX-License-Identifier: Apache-2.0 */
#include "model/desired.h"

#include <stdlib.h>
#include <string.h>

/* Both arrays hold structs whose first member is the name they are sorted by. */
static int compare_name(const void *name, const void *item)
{
    return strcmp(name, *(const char *const *)item);
}

static uint32_t find(const char *name, const void *items, size_t count, size_t size)
{
    const char *item = count == 0 ? NULL : bsearch(name, items, count, size, compare_name);

    return item == NULL ? DESIRED_NONE : (uint32_t)((size_t)(item - (const char *)items) / size);
}

uint32_t desired_find_host(const struct desired *desired, const char *name)
{
    return find(name, desired->hosts, desired->host_count, sizeof(*desired->hosts));
}

uint32_t desired_find_guest(const struct desired *desired, const char *name)
{
    return find(name, desired->guests, desired->guest_count, sizeof(*desired->guests));
}
