/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_xml.h"

#include <inttypes.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "actuators/sim_member.h"
#include "base/arena.h"
#include "base/text.h"

#define DISKS_MAX     64
#define NAMES_MAX     256
#define BRIDGE        "    <interface bridge='"
#define INTERFACE     "    <hostdev interface='"
#define CONFIG        "    <config volume='"
#define FILE_         "    <file path='"
#define XML_MAX_BYTES ((size_t)256 * 1024)

static void write_names(struct text *text, const char *before, const struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        text_printf(text, "%s%s'/>\n", before, names->items[i]);
    }
}

static void write_devices(struct text *text, const struct sim_guest *guest)
{
    text_append(text, "  <devices>\n");
    for (size_t i = 0; i < guest->disk_count; i++) {
        text_printf(text,
                    "    <disk type='block' device='disk'>\n"
                    "      <source dev='%s'/>\n"
                    "      <serial>%s</serial>\n",
                    guest->disks[i].path, guest->disks[i].identity);
        if (guest->disks[i].cache != NULL) {
            text_printf(text, "      <driver cache='%s'/>\n", guest->disks[i].cache);
        }
        text_append(text, "    </disk>\n");
    }
    write_names(text, BRIDGE, &guest->bridges);
    write_names(text, INTERFACE, &guest->interfaces);
    write_names(text, CONFIG, &guest->configs);
    write_names(text, FILE_, &guest->files);
    if (guest->hostdevs > 0) {
        text_printf(text, "    <hostdev count='%" PRIu64 "'/>\n", guest->hostdevs);
    }
    if (guest->has_tpm) {
        text_append(text, "    <tpm/>\n");
    }
    text_append(text, "  </devices>\n");
}

/* What backs its memory, and where on the host. */
static void write_memory(struct text *text, const struct sim_guest *guest)
{
    if (guest->hugepage_kib > 0) {
        text_printf(text,
                    "  <memoryBacking><hugepages><page size='%" PRIu64
                    "' unit='KiB'/></hugepages></memoryBacking>\n",
                    guest->hugepage_kib);
    }
    if (guest->numa_nodes > 0) {
        text_printf(text,
                    "  <numatune><memory mode='strict' nodeset='0-%" PRIu64 "'/></numatune>\n",
                    guest->numa_nodes - 1);
    }
}

char *sim_xml_write(struct arena *arena, const struct sim_guest *guest)
{
    struct text text = text_new(arena);
    uint64_t memory_kib =
        guest->config_memory_kib != 0 ? guest->config_memory_kib : guest->memory_kib;

    text_printf(&text,
                "<domain type='sim'>\n"
                "  <name>%s</name>\n"
                "  <uuid>%s</uuid>\n"
                "  <memory unit='KiB'>%" PRIu64 "</memory>\n"
                "  <vcpu>%" PRIu64 "</vcpu>\n",
                guest->name, guest->uuid, memory_kib, guest->vcpus);
    write_memory(&text, guest);
    text_printf(&text, "  <os>\n    <type machine='%s'>hvm</type>\n", guest->machine);
    if (guest->nvram != NULL) {
        text_printf(&text, "    <nvram>%s</nvram>\n", guest->nvram);
    } else if (guest->has_nvram) {
        text_append(&text, "    <nvram/>\n");
    }
    text_printf(&text, "  </os>\n  <cpu mode='%s'/>\n", guest->cpu_mode);
    write_devices(&text, guest);
    if (guest->deaf) {
        text_append(&text, "  <metadata><deaf/></metadata>\n");
    }
    text_append(&text, "</domain>\n");
    return text.data;
}

/* Moves '*at' behind the next 'before' and copies what follows, up to 'end'; NULL if there is none. */
static char *next_value(struct arena *arena, const char **at, const char *before, char end)
{
    const char *begin = strstr(*at, before);
    const char *stop;

    if (begin == NULL) {
        return NULL;
    }
    begin += strlen(before);
    stop = strchr(begin, end);
    if (stop == NULL) {
        return NULL;
    }
    *at = stop;
    return text_copy(arena, begin, (size_t)(stop - begin));
}

static bool next_number(struct arena *arena, const char **at, const char *before, char end,
                        uint64_t *number)
{
    const char *value = next_value(arena, at, before, end);

    return value != NULL && text_to_u64(value, UINT64_C(1) << 53, number);
}

/* The cache of a disk that ends at the next end tag. */
static const char *read_cache(struct arena *arena, const char *at)
{
    const char *end = strstr(at, "</disk>");
    const char *cache = next_value(arena, &at, "<driver cache='", '\'');

    return end != NULL && cache != NULL && at < end ? cache : NULL;
}

/* Every name that follows 'before'. */
static struct sim_names read_names(struct arena *arena, const char *at, const char *before)
{
    const char **items = ARENA_ARRAY(arena, const char *, NAMES_MAX);
    struct sim_names names = { items, 0 };

    while (names.count < NAMES_MAX &&
           (items[names.count] = next_value(arena, &at, before, '\'')) != NULL) {
        names.count++;
    }
    return names;
}

static void read_disks(struct arena *arena, const char *at, struct sim_guest *guest)
{
    struct sim_disk *disks = ARENA_ARRAY(arena, struct sim_disk, DISKS_MAX);
    size_t count = 0;

    while (count < DISKS_MAX) {
        disks[count].path = next_value(arena, &at, "<source dev='", '\'');
        disks[count].identity = next_value(arena, &at, "<serial>", '<');
        if (disks[count].path == NULL || disks[count].identity == NULL) {
            break;
        }
        disks[count].cache = read_cache(arena, at);
        count++;
    }
    guest->disks = disks;
    guest->disk_count = count;
}

static bool are_plain(const struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!sim_member_is_plain(names->items[i])) {
            return false;
        }
    }
    return true;
}

static bool is_sound(const struct sim_guest *guest)
{
    for (size_t i = 0; i < guest->disk_count; i++) {
        if (!sim_member_is_plain(guest->disks[i].path) ||
            !sim_member_is_plain(guest->disks[i].identity) ||
            (guest->disks[i].cache != NULL && !sim_member_is_plain(guest->disks[i].cache))) {
            return false;
        }
    }
    return text_is_host_name(guest->name) && text_is_uuid(guest->uuid) && guest->memory_kib > 0 &&
           guest->vcpus > 0 && guest->vcpus <= UINT32_MAX && guest->hostdevs <= INT32_MAX &&
           (guest->hugepage_kib == 0 || observed_is_hugepage_size(guest->hugepage_kib)) &&
           (guest->nvram == NULL || sim_member_is_plain(guest->nvram)) &&
           guest->numa_nodes <= INT32_MAX && sim_member_is_plain(guest->machine) &&
           sim_member_is_plain(guest->cpu_mode) && are_plain(&guest->bridges) &&
           are_plain(&guest->interfaces) && are_plain(&guest->configs) && are_plain(&guest->files);
}

/* Picks the values out; that the rest is as it should be shows when the result is written again. */
int sim_xml_read(struct arena *arena, const char *xml, struct sim_guest *guest, struct err *err)
{
    struct sim_guest read = { .state = GUEST_SHUTOFF, .persistent = true };
    const char *at = xml;
    bool found;

    if (strnlen(xml, XML_MAX_BYTES + 1) > XML_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "cannot read a definition: larger than %zu KiB",
                       XML_MAX_BYTES / 1024);
    }
    read.name = next_value(arena, &at, "<name>", '<');
    read.uuid = next_value(arena, &at, "<uuid>", '<');
    found = next_number(arena, &at, "<memory unit='KiB'>", '<', &read.memory_kib) &&
            next_number(arena, &at, "<vcpu>", '<', &read.vcpus);
    (void)next_number(arena, &at, "<page size='", '\'', &read.hugepage_kib);
    if (next_number(arena, &at, "<memory mode='strict' nodeset='0-", '\'', &read.numa_nodes)) {
        read.numa_nodes++;
    }
    read.machine = next_value(arena, &at, "<type machine='", '\'');
    read.has_nvram = strstr(at, "<nvram/>") != NULL;
    read.nvram = next_value(arena, &at, "<nvram>", '<');
    read.cpu_mode = next_value(arena, &at, "<cpu mode='", '\'');
    if (!found || read.name == NULL || read.uuid == NULL || read.machine == NULL ||
        read.cpu_mode == NULL) {
        return err_set(err, ERR_INVALID,
                       "cannot read a definition: it lacks name, uuid, memory, "
                       "vcpu, machine or cpu mode");
    }
    read_disks(arena, at, &read);
    read.bridges = read_names(arena, at, BRIDGE);
    read.interfaces = read_names(arena, at, INTERFACE);
    read.configs = read_names(arena, at, CONFIG);
    read.files = read_names(arena, at, FILE_);
    (void)next_number(arena, &at, "<hostdev count='", '\'', &read.hostdevs);
    read.has_tpm = strstr(at, "<tpm/>") != NULL;
    read.deaf = strstr(at, "<deaf/>") != NULL;
    if (!is_sound(&read) || strcmp(sim_xml_write(arena, &read), xml) != 0) {
        return err_set(err, ERR_INVALID,
                       "cannot read the definition of '%.64s': not what a simulated host writes",
                       read.name);
    }
    *guest = read;
    return 0;
}
