/* SPDX-License-Identifier: Apache-2.0 */
#include "model/es_write.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/desired.h"

#define KIB_PER_MIB UINT64_C(1024)
#define KIB_PER_GIB (KIB_PER_MIB * 1024)

/* Text or an attribute's value.  Blanks that a parser would fold are written as references. */
static void append_escaped(struct text *text, const char *s, bool attribute)
{
    for (; *s != '\0'; s++) {
        switch (*s) {
        case '&':
            text_append(text, "&amp;");
            break;
        case '<':
            text_append(text, "&lt;");
            break;
        case '>':
            text_append(text, "&gt;");
            break;
        case '"':
            text_append(text, attribute ? "&quot;" : "\"");
            break;
        case '\r':
            text_append(text, "&#13;");
            break;
        case '\n':
            text_append(text, attribute ? "&#10;" : "\n");
            break;
        case '\t':
            text_append(text, attribute ? "&#9;" : "\t");
            break;
        default:
            text_append_bytes(text, s, 1);
        }
    }
}

/* '<element id="ID"END', END being '>' or '/>'. */
static void append_start(struct text *text, size_t indent, const char *element, const char *id,
                         const char *end)
{
    text_fill(text, ' ', indent);
    text_printf(text, "<%s id=\"", element);
    append_escaped(text, id, true);
    text_printf(text, "\"%s\n", end);
}

/* '<element>VALUE</element>', or nothing if there is no value. */
static void append_element(struct text *text, size_t indent, const char *element, const char *value)
{
    if (value != NULL) {
        text_fill(text, ' ', indent);
        text_printf(text, "<%s>", element);
        append_escaped(text, value, false);
        text_printf(text, "</%s>\n", element);
    }
}

/* In the largest unit that is exact, as OEDA spells it; nothing if the size is not declared. */
static void append_size(struct text *text, const char *element, uint64_t kib)
{
    if (kib == 0) {
        return;
    }
    if (kib % KIB_PER_GIB == 0) {
        text_printf(text, "      <%s>%" PRIu64 "Gb</%s>\n", element, kib / KIB_PER_GIB, element);
    } else if (kib % KIB_PER_MIB == 0) {
        text_printf(text, "      <%s>%" PRIu64 "Mb</%s>\n", element, kib / KIB_PER_MIB, element);
    } else {
        text_printf(text, "      <%s>%" PRIu64 "Kb</%s>\n", element, kib, element);
    }
}

/* Ids of what has a unique name come from the name, of the rest from its place: padded, so that
 * sorting by id keeps the order. */
static const char *named_id(struct arena *arena, const char *id, const char *name)
{
    return id != NULL ? id : text_format(arena, "%s_id", name);
}

static const char *cluster_id(struct arena *arena, uint32_t index)
{
    return text_format(arena, "cluster_%08" PRIu32 "_id", index + 1);
}

static const char *volume_id(struct arena *arena, const struct desired *desired, uint32_t index)
{
    const char *id = desired->volumes[index].id;

    return id != NULL ? id : text_format(arena, "volume_%08" PRIu32 "_id", index + 1);
}

/* What every machine of ours begins with. */
static void append_machine_start(struct text *text, const char *id, const char *name, bool guest)
{
    append_start(text, 4, "machine", id, ">");
    append_element(text, 6, "hostName", name);
    append_element(text, 6, "machineType", "compute");
    append_element(text, 6, "virtual", guest ? "true" : "false");
    append_element(text, 6, "osType", guest ? "LinuxKVMGuest" : "LinuxKVM");
}

static void append_host(struct text *text, const struct desired *desired, uint32_t index,
                        const uint32_t *guests, const uint32_t *first)
{
    const struct desired_host *host = &desired->hosts[index];

    append_machine_start(text, named_id(text->arena, host->id, host->name), host->name, false);
    append_size(text, "physicalMemorySize", host->memory_kib);
    for (uint32_t i = first[index]; i < first[index + 1]; i++) {
        const struct desired_guest *guest = &desired->guests[guests[i]];

        append_start(text, 6, "machine", named_id(text->arena, guest->id, guest->name), "/>");
    }
    text_append(text, "    </machine>\n");
}

/* The guests ordered by their hosts: those of host h are guests[first[h]] .. guests[first[h + 1] - 1],
 * by name.  A counting sort. */
static uint32_t *group_guests(struct arena *arena, const struct desired *desired, uint32_t *first)
{
    uint32_t *guests = ARENA_ARRAY(arena, uint32_t, desired->guest_count);
    uint32_t *next = ARENA_ARRAY(arena, uint32_t, desired->host_count);

    for (size_t i = 0; i < desired->guest_count; i++) {
        first[desired->guests[i].host + 1]++;
    }
    for (size_t h = 0; h < desired->host_count; h++) {
        first[h + 1] += first[h];
        next[h] = first[h];
    }
    for (size_t i = 0; i < desired->guest_count; i++) {
        guests[next[desired->guests[i].host]++] = (uint32_t)i;
    }
    return guests;
}

static void append_hosts(struct text *text, const struct desired *desired)
{
    uint32_t *first = ARENA_ARRAY(text->arena, uint32_t, desired->host_count + 1);
    const uint32_t *guests = group_guests(text->arena, desired, first);

    for (size_t i = 0; i < desired->host_count; i++) {
        append_host(text, desired, (uint32_t)i, guests, first);
    }
}

static void append_guest(struct text *text, const struct desired *desired,
                         const struct desired_guest *guest)
{
    append_machine_start(text, named_id(text->arena, guest->id, guest->name), guest->name, true);
    if (guest->vcpus != 0) {
        text_printf(text, "      <guestCores>%" PRIu32 "</guestCores>\n", guest->vcpus);
    }
    append_size(text, "guestMemory", guest->memory_kib);
    if (guest->cluster_count > 0) {
        text_append(text, "      <software>\n        <clusters>\n");
        for (uint32_t i = 0; i < guest->cluster_count; i++) {
            uint32_t cluster = desired->cluster_refs[guest->first_cluster + i];

            append_start(text, 10, "cluster", cluster_id(text->arena, cluster), "/>");
        }
        text_append(text, "        </clusters>\n      </software>\n");
    }
    if (guest->volume_count > 0) {
        text_append(text, "      <edvVolumes>\n");
        for (uint32_t i = 0; i < guest->volume_count; i++) {
            uint32_t volume = desired->volume_refs[guest->first_volume + i];

            append_start(text, 8, "edvVolume", volume_id(text->arena, desired, volume), "/>");
        }
        text_append(text, "      </edvVolumes>\n");
    }
    text_append(text, "    </machine>\n");
}

static void append_racks(struct text *text, const struct desired *desired)
{
    bool open = false;

    for (size_t i = 0; i < desired->host_count; i++) {
        const struct desired_host *host = &desired->hosts[i];

        if (host->rack_family == NULL) {
            continue;
        }
        if (!open) {
            text_append(text, "  <esRacks>\n    <esRack id=\"rack_id\">\n");
            open = true;
        }
        append_start(text, 6, "esRackItem", named_id(text->arena, host->id, host->name), ">");
        append_element(text, 8, "rackItemFamily", host->rack_family);
        text_append(text, "      </esRackItem>\n");
    }
    if (open) {
        text_append(text, "    </esRack>\n  </esRacks>\n");
    }
}

static void append_clusters(struct text *text, const struct desired *desired)
{
    if (desired->cluster_count == 0) {
        return;
    }
    text_append(text, "  <software>\n    <clusters>\n");
    for (size_t i = 0; i < desired->cluster_count; i++) {
        append_start(text, 6, "cluster", cluster_id(text->arena, (uint32_t)i), ">");
        append_element(text, 8, "clusterName", desired->clusters[i]);
        text_append(text, "      </cluster>\n");
    }
    text_append(text, "    </clusters>\n  </software>\n");
}

static void append_volumes(struct text *text, const struct desired *desired)
{
    if (desired->volume_count == 0) {
        return;
    }
    text_append(text, "  <storage>\n    <edvVolumes>\n");
    for (size_t i = 0; i < desired->volume_count; i++) {
        const char *id = volume_id(text->arena, desired, (uint32_t)i);

        append_start(text, 6, "edvVolume", id, ">");
        append_element(text, 8, "edvVolumeName", desired->volumes[i].name);
        append_element(text, 8, "edvDevicePath", desired->volumes[i].device);
        text_append(text, "      </edvVolume>\n");
    }
    text_append(text, "    </edvVolumes>\n  </storage>\n");
}

/* Actions nobody has deployed: dropping them would take away what blocks their guests. */
static void append_actions(struct text *text, const struct desired *desired)
{
    bool open = false;

    for (size_t i = 0; i < desired->guest_count; i++) {
        const struct desired_guest *guest = &desired->guests[i];

        if (guest->pending_action == NULL) {
            continue;
        }
        text_append(text, open ? "" : "  <actions>\n");
        open = true;
        append_start(text, 4, "action", guest->pending_action,
                     " merged=\"true\" deployed=\"false\">");
        text_printf(text, "      <subCommand>MIGRATE GUEST HOSTNAME=%s</subCommand>\n",
                    guest->name);
        text_append(text, "    </action>\n");
    }
    text_append(text, open ? "  </actions>\n" : "");
}

void es_write_document(struct text *text, const struct desired *desired)
{
    text_append(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<engineeredSystem xmlns=\"model\">\n"
                      "  <machines>\n");
    append_hosts(text, desired);
    for (size_t i = 0; i < desired->guest_count; i++) {
        append_guest(text, desired, &desired->guests[i]);
    }
    text_append(text, "  </machines>\n");
    append_racks(text, desired);
    append_clusters(text, desired);
    append_volumes(text, desired);
    append_actions(text, desired);
    text_append(text, "</engineeredSystem>\n");
}
