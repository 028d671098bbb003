/* SPDX-License-Identifier: Apache-2.0 */
#include "model/desired.h"

#include <stdbool.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"

/* Both arrays hold structs whose first member is the name they are sorted by. */
static uint32_t find(const char *name, const void *items, size_t count, size_t size)
{
    const char *item = text_find(name, items, count, size);

    return item == NULL ? DESIRED_NONE : (uint32_t)((size_t)(item - (const char *)items) / size);
}

/* One of the things in which two states may differ. */
struct likeness {
    bool same;
    const char *what;
};

static const char *first_difference(const struct likeness *likenesses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!likenesses[i].same) {
            return likenesses[i].what;
        }
    }
    return NULL;
}

static const char *host_difference(const struct desired_host *a, const struct desired_host *b)
{
    const struct likeness likenesses[] = {
        { text_equal(a->name, b->name), "a host's name" },
        { text_equal(a->id, b->id), "a host's id" },
        { text_equal(a->rack_family, b->rack_family), "a host's rack family" },
        { a->memory_kib == b->memory_kib, "a host's memory" },
    };

    return first_difference(likenesses, ARRAY_LEN(likenesses));
}

static const char *guest_difference(const struct desired_guest *a, const struct desired_guest *b)
{
    const struct likeness likenesses[] = {
        { text_equal(a->name, b->name), "a guest's name" },
        { text_equal(a->id, b->id), "a guest's id" },
        { a->memory_kib == b->memory_kib, "a guest's memory" },
        { a->vcpus == b->vcpus, "a guest's vCPUs" },
        { a->host == b->host, "a guest's host" },
        { a->first_cluster == b->first_cluster, "a guest's first cluster" },
        { a->cluster_count == b->cluster_count, "a guest's number of clusters" },
        { a->first_volume == b->first_volume, "a guest's first volume" },
        { a->volume_count == b->volume_count, "a guest's number of volumes" },
        { text_equal(a->pending_action, b->pending_action), "a guest's pending action" },
    };

    return first_difference(likenesses, ARRAY_LEN(likenesses));
}

static const char *volume_difference(const struct desired_volume *a, const struct desired_volume *b)
{
    const struct likeness likenesses[] = {
        { text_equal(a->id, b->id), "a volume's id" },
        { text_equal(a->name, b->name), "a volume's name" },
        { text_equal(a->device, b->device), "a volume's device" },
    };

    return first_difference(likenesses, ARRAY_LEN(likenesses));
}

static const char *refs_difference(const struct desired *a, const struct desired *b)
{
    for (size_t i = 0; i < a->guest_count; i++) {
        const struct desired_guest *guest = &a->guests[i];
        size_t clusters = guest->cluster_count * sizeof(*a->cluster_refs);
        size_t volumes = guest->volume_count * sizeof(*a->volume_refs);

        if (clusters > 0 && memcmp(a->cluster_refs + guest->first_cluster,
                                   b->cluster_refs + guest->first_cluster, clusters) != 0) {
            return "a guest's clusters";
        }
        if (volumes > 0 && memcmp(a->volume_refs + guest->first_volume,
                                  b->volume_refs + guest->first_volume, volumes) != 0) {
            return "a guest's volumes";
        }
    }
    return NULL;
}

uint32_t desired_find_host(const struct desired *desired, const char *name)
{
    return find(name, desired->hosts, desired->host_count, sizeof(*desired->hosts));
}

uint32_t desired_find_guest(const struct desired *desired, const char *name)
{
    return find(name, desired->guests, desired->guest_count, sizeof(*desired->guests));
}

const char *desired_host_of(const struct desired *desired, const char *guest)
{
    uint32_t index = desired_find_guest(desired, guest);

    return index == DESIRED_NONE ? NULL : desired->hosts[desired->guests[index].host].name;
}

static const char *count_difference(const struct desired *a, const struct desired *b)
{
    const struct likeness likenesses[] = {
        { a->host_count == b->host_count, "the number of hosts" },
        { a->guest_count == b->guest_count, "the number of guests" },
        { a->cluster_count == b->cluster_count, "the number of clusters" },
        { a->volume_count == b->volume_count, "the number of volumes" },
    };

    return first_difference(likenesses, ARRAY_LEN(likenesses));
}

const char *desired_difference(const struct desired *a, const struct desired *b)
{
    const char *difference = count_difference(a, b);

    if (difference != NULL) {
        return difference;
    }
    for (size_t i = 0; i < a->host_count && difference == NULL; i++) {
        difference = host_difference(&a->hosts[i], &b->hosts[i]);
    }
    for (size_t i = 0; i < a->guest_count && difference == NULL; i++) {
        difference = guest_difference(&a->guests[i], &b->guests[i]);
    }
    for (size_t i = 0; i < a->cluster_count && difference == NULL; i++) {
        difference = text_equal(a->clusters[i], b->clusters[i]) ? NULL : "a cluster's name";
    }
    for (size_t i = 0; i < a->volume_count && difference == NULL; i++) {
        difference = volume_difference(&a->volumes[i], &b->volumes[i]);
    }
    return difference != NULL ? difference : refs_difference(a, b);
}
