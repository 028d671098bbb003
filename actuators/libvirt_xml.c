/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_xml.h"

#include <inttypes.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/text.h"
#include "model/observed.h"

#define ORDINARY_PAGE_KIB 4  /* A definition may name this size too. */
#define NODES_MAX         64 /* Of a set of NUMA nodes that is kept as bits. */

AUTO_POINTER(document, xmlDoc, xmlFreeDoc);
AUTO_POINTER(buffer, xmlBuffer, xmlBufferFree);

static bool is_named(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* First element called 'name' at or after 'node' among its siblings; NULL in, NULL out. */
static const xmlNode *seek(const xmlNode *node, const char *name)
{
    while (node != NULL && !is_named(node, name)) {
        node = node->next;
    }
    return node;
}

static const xmlNode *child(const xmlNode *parent, const char *name)
{
    return parent == NULL ? NULL : seek(parent->children, name);
}

static const xmlNode *next(const xmlNode *node)
{
    return seek(node->next, (const char *)node->name);
}

static size_t count(const xmlNode *parent, const char *name)
{
    size_t found = 0;

    for (const xmlNode *node = child(parent, name); node != NULL; node = next(node)) {
        found++;
    }
    return found;
}

/* Text of the text nodes under 'list', or NULL if there is none. */
static const char *text_of(struct arena *arena, const xmlNode *list)
{
    struct text text = text_new(arena);

    for (; list != NULL; list = list->next) {
        if (list->type == XML_TEXT_NODE && list->content != NULL) {
            text_append(&text, (const char *)list->content);
        }
    }
    return text.length > 0 ? text.data : NULL;
}

static const char *content(struct arena *arena, const xmlNode *node)
{
    return node == NULL ? NULL : text_of(arena, node->children);
}

static const char *attribute(struct arena *arena, const xmlNode *node, const char *name)
{
    if (node == NULL) {
        return NULL;
    }
    for (const xmlAttr *found = node->properties; found != NULL; found = found->next) {
        if (strcmp((const char *)found->name, name) == 0) {
            return text_of(arena, found->children);
        }
    }
    return NULL;
}

static uint64_t number(const char *s)
{
    uint64_t value = 0;

    return s != NULL && text_to_u64(s, UINT64_C(1) << 53, &value) ? value : 0;
}

/* A size in KiB, the only unit that libvirt itself writes; anything else is unknown. */
static uint64_t size_kib(struct arena *arena, const xmlNode *node)
{
    const char *unit = attribute(arena, node, "unit");

    return unit == NULL || strcmp(unit, "KiB") == 0 ? number(content(arena, node)) : 0;
}

static const char *serialise(struct arena *arena, xmlNode *node)
{
    AUTO(buffer) xmlBuffer *buffer = xmlBufferCreate();

    if (buffer == NULL) {
        abort();
    }
    if (xmlNodeDump(buffer, node->doc, node, 0, 0) < 0) {
        return NULL;
    }
    return arena_strdup(arena, (const char *)xmlBufferContent(buffer));
}

static int parse(const char *xml, const char *root, const char *what, xmlDoc **document,
                 struct err *err)
{
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    size_t length = strnlen(xml, LIBVIRT_XML_MAX_BYTES + 1);
    AUTO(document) xmlDoc *read = NULL;
    const xmlNode *top;

    if (length > LIBVIRT_XML_MAX_BYTES) {
        return err_set(err, ERR_INVALID, "cannot read %s XML: larger than %zu MiB", what,
                       LIBVIRT_XML_MAX_BYTES >> 20);
    }
    read = xmlReadMemory(xml, (int)length, NULL, NULL, options);
    if (read == NULL) {
        return err_set(err, ERR_INVALID, "cannot read %s XML: not well-formed", what);
    }
    top = xmlDocGetRootElement(read);
    if (top == NULL || !is_named(top, root) || read->intSubset != NULL) {
        return err_set(err, ERR_INVALID, "cannot read %s XML: not a plain <%s> document", what,
                       root);
    }
    *document = STEAL(read);
    return 0;
}

static bool text_is(const char *s, const char *expected)
{
    return s != NULL && strcmp(s, expected) == 0;
}

/* A name that every host resolves to itself. */
static bool is_loopback(const char *server)
{
    return text_is(server, "localhost") || text_is(server, "::1") ||
           strncmp(server, "127.", strlen("127.")) == 0;
}

/* What lies behind a network source is the same from every host, unless it is reached through the
 * host itself: a socket, or a server called localhost. */
static enum libvirt_xml_source network_source(struct arena *arena, const xmlNode *source)
{
    for (const xmlNode *host = child(source, "host"); host != NULL; host = next(host)) {
        const char *server = attribute(arena, host, "name");

        if (server == NULL || is_loopback(server)) {
            return LIBVIRT_XML_OTHER;
        }
    }
    /* Only RBD may leave its servers to the host's ceph.conf. */
    return child(source, "host") != NULL || text_is(attribute(arena, source, "protocol"), "rbd")
               ? LIBVIRT_XML_NETWORK
               : LIBVIRT_XML_OTHER;
}

/* An iSCSI volume that QEMU reaches by itself is no device of the host. */
static void read_volume(struct arena *arena, const xmlNode *source, struct libvirt_xml_disk *disk)
{
    const char *pool = attribute(arena, source, "pool");
    const char *volume = attribute(arena, source, "volume");

    if (source == NULL) {
        disk->source = LIBVIRT_XML_NONE;
    } else if (pool != NULL && volume != NULL &&
               !text_is(attribute(arena, source, "mode"), "direct")) {
        disk->source = LIBVIRT_XML_VOLUME;
        disk->pool = pool;
        disk->volume = volume;
    }
}

static void read_source(struct arena *arena, const xmlNode *node, struct libvirt_xml_disk *disk)
{
    const xmlNode *source = child(node, "source");
    const char *type = attribute(arena, node, "type");

    disk->source = LIBVIRT_XML_OTHER;
    if (text_is(type, "network")) {
        disk->source = network_source(arena, source);
    } else if (text_is(type, "volume")) {
        read_volume(arena, source, disk);
    } else if (text_is(type, "block") || text_is(type, "file")) {
        bool block = text_is(type, "block");

        disk->path = attribute(arena, source, block ? "dev" : "file");
        disk->source = block ? LIBVIRT_XML_BLOCK : LIBVIRT_XML_FILE;
        if (disk->path == NULL) {
            disk->source = LIBVIRT_XML_NONE;
        }
    }
}

static void read_disk(struct arena *arena, const xmlNode *node, struct libvirt_xml_disk *disk)
{
    const char *device = attribute(arena, node, "device");
    const char *target = attribute(arena, child(node, "target"), "dev");

    disk->target = target == NULL ? "?" : target;
    disk->cache = attribute(arena, child(node, "driver"), "cache");
    disk->removable = text_is(device, "cdrom") || text_is(device, "floppy");
    disk->readonly = text_is(device, "cdrom") || child(node, "readonly") != NULL;
    disk->job = child(node, "mirror") != NULL;
    read_source(arena, node, disk);
}

static void read_disks(struct arena *arena, const xmlNode *devices, struct libvirt_xml_guest *guest)
{
    guest->disks = ARENA_ARRAY(arena, struct libvirt_xml_disk, count(devices, "disk"));
    for (const xmlNode *node = child(devices, "disk"); node != NULL; node = next(node)) {
        read_disk(arena, node, &guest->disks[guest->disk_count++]);
    }
}

/* A part of a PCI address as libvirt writes it, "0x3b"; -1 if it is none up to 'most'. */
static int64_t pci_number(const char *s, uint32_t most)
{
    unsigned long value;
    char *end;

    if (s == NULL || s[0] < '0' || s[0] > '9') {
        return -1;
    }
    value = strtoul(s, &end, 0);
    return *end == '\0' && value <= most ? (int64_t)value : -1;
}

/* The function that <source> of a host device names, as Linux writes it; NULL if it names none. */
static const char *pci_function(struct arena *arena, const xmlNode *source)
{
    const xmlNode *address = child(source, "address");
    int64_t domain = pci_number(attribute(arena, address, "domain"), UINT32_MAX);
    int64_t bus = pci_number(attribute(arena, address, "bus"), 0xff);
    int64_t slot = pci_number(attribute(arena, address, "slot"), 0x1f);
    int64_t function = pci_number(attribute(arena, address, "function"), 7);

    return domain < 0 || bus < 0 || slot < 0 || function < 0
               ? NULL
               : text_format(arena, "%04" PRIx64 ":%02" PRIx64 ":%02" PRIx64 ".%" PRIx64,
                             (uint64_t)domain, (uint64_t)bus, (uint64_t)slot, (uint64_t)function);
}

static void add_interface(struct libvirt_xml_guest *guest, const char *name)
{
    if (name != NULL) {
        guest->interfaces[guest->interface_count++] = name;
    }
}

/* Functions that are passed through without libvirt's knowing them for interfaces. */
static void read_hostdevs(struct arena *arena, const xmlNode *devices,
                          struct libvirt_xml_guest *guest)
{
    for (const xmlNode *node = child(devices, "hostdev"); node != NULL; node = next(node)) {
        guest->hostdevs++;
        if (text_is(attribute(arena, node, "type"), "pci")) {
            add_interface(guest, pci_function(arena, child(node, "source")));
        }
    }
}

/* An interface that is a host device counts as one, unless it is the transient half of a fail-over
 * pair, which QEMU unplugs by itself before a migration. */
static void read_interfaces(struct arena *arena, const xmlNode *devices,
                            struct libvirt_xml_guest *guest)
{
    guest->bridges = ARENA_ARRAY(arena, const char *, count(devices, "interface"));
    guest->networks = ARENA_ARRAY(arena, const char *, count(devices, "interface"));
    guest->interfaces =
        ARENA_ARRAY(arena, const char *, count(devices, "interface") + count(devices, "hostdev"));
    read_hostdevs(arena, devices, guest);
    for (const xmlNode *node = child(devices, "interface"); node != NULL; node = next(node)) {
        const char *type = attribute(arena, node, "type");
        const char *bridge = attribute(arena, child(node, "source"), "bridge");
        const char *network = attribute(arena, child(node, "source"), "network");
        bool standby = text_is(attribute(arena, child(node, "teaming"), "type"), "transient");

        guest->has_standby |= standby;
        if (text_is(type, "hostdev")) {
            guest->hostdevs += standby ? 0 : 1;
            add_interface(guest, pci_function(arena, child(node, "source")));
        } else if (text_is(type, "direct")) {
            add_interface(guest, attribute(arena, child(node, "source"), "dev"));
        } else if (text_is(type, "bridge") && bridge != NULL) {
            guest->bridges[guest->bridge_count++] = bridge;
        } else if (text_is(type, "network") && network != NULL) {
            guest->networks[guest->network_count++] = network;
        }
    }
    guest->bridge_count = text_sort_unique(guest->bridges, guest->bridge_count);
    guest->network_count = text_sort_unique(guest->networks, guest->network_count);
    guest->interface_count = text_sort_unique(guest->interfaces, guest->interface_count);
}

static void read_tpm(struct arena *arena, const xmlNode *devices, struct libvirt_xml_guest *guest)
{
    for (const xmlNode *node = child(devices, "tpm"); node != NULL; node = next(node)) {
        bool emulated = text_is(attribute(arena, child(node, "backend"), "type"), "emulator");

        guest->has_tpm |= emulated;
        guest->hostdevs += emulated ? 0 : 1;
    }
}

static void read_os(struct arena *arena, const xmlNode *os, struct libvirt_xml_guest *guest)
{
    static const char *const names[] = { "kernel", "initrd", "dtb", "loader" };
    const xmlNode *type = child(os, "type");
    const xmlNode *nvram = child(os, "nvram");

    guest->arch = attribute(arena, type, "arch");
    guest->machine = attribute(arena, type, "machine");
    guest->nvram = content(arena, nvram);
    if (guest->nvram == NULL) {
        guest->nvram = attribute(arena, child(nvram, "source"), "file");
    }
    guest->has_nvram = nvram != NULL || text_is(attribute(arena, os, "firmware"), "efi");
    guest->files = ARENA_ARRAY(arena, const char *, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = content(arena, child(os, names[i]));

        if (path != NULL) {
            guest->files[guest->file_count++] = path;
        }
    }
}

/* A guest without <cpu> gets the hypervisor's default model, which is a named one. */
static void read_cpu(struct arena *arena, xmlNode *cpu, struct libvirt_xml_guest *guest)
{
    const char *mode = attribute(arena, cpu, "mode");

    guest->cpu_mode = mode == NULL ? "custom" : mode;
    if (cpu != NULL) {
        guest->cpu = serialise(arena, cpu);
    }
}

static uint32_t read_vcpus(struct arena *arena, const xmlNode *vcpu)
{
    uint64_t most = number(content(arena, vcpu));
    uint64_t current = number(attribute(arena, vcpu, "current"));
    uint64_t vcpus = current != 0 ? current : most;

    return vcpus > UINT32_MAX ? UINT32_MAX : (uint32_t)vcpus;
}

/* The number that '*at' begins with, below NODES_MAX; '*at' is behind it then. */
static bool take_node(const char **at, unsigned *node)
{
    const char *begin = *at;

    *node = 0;
    while (**at >= '0' && **at <= '9' && *node < NODES_MAX) {
        *node = *node * 10 + (unsigned)(*(*at)++ - '0');
    }
    return *at != begin && *node < NODES_MAX;
}

/* The range that '*at' begins with, "3" or "0-3"; '*at' is behind it then. */
static bool take_range(const char **at, unsigned *first, unsigned *last)
{
    if (!take_node(at, first)) {
        return false;
    }
    *last = *first;
    if (**at != '-') {
        return true;
    }
    (*at)++;
    return take_node(at, last);
}

/* Adds the nodes of a list as libvirt writes them, "0-3,^2,8".  False if it is none. */
static bool add_nodes(const char *list, uint64_t *nodes)
{
    for (const char *at = list;; at++) {
        bool without = *at == '^';
        unsigned first;
        unsigned last;

        at += without;
        if (!take_range(&at, &first, &last)) {
            return false;
        }
        for (unsigned node = first; node <= last; node++) {
            *nodes = without ? *nodes & ~(UINT64_C(1) << node) : *nodes | UINT64_C(1) << node;
        }
        if (*at != ',') {
            return *at == '\0';
        }
    }
}

/* True if the page sizes are for all nodes of the guest itself: for all in one word, or one by one. */
static bool back_whole_guest(struct arena *arena, const xmlNode *domain, const xmlNode *hugepages)
{
    size_t cells = count(child(child(domain, "cpu"), "numa"), "cell");
    uint64_t nodes = 0;

    for (const xmlNode *page = child(hugepages, "page"); page != NULL; page = next(page)) {
        const char *set = attribute(arena, page, "nodeset");

        if (set == NULL) {
            return true;
        }
        if (!add_nodes(set, &nodes)) {
            return false;
        }
    }
    cells = cells == 0 ? 1 : cells;
    return cells <= NODES_MAX && (~nodes & UINT64_MAX >> (NODES_MAX - cells)) == 0;
}

/* Of a <page> or <pagesize>, whose number is 'size'; OBSERVED_UNKNOWN if it is none. */
static int32_t page_size(struct arena *arena, const xmlNode *node, const char *size)
{
    const char *unit = attribute(arena, node, "unit");
    uint64_t kib = unit == NULL || strcmp(unit, "KiB") == 0 ? number(size) : 0;

    if (kib == ORDINARY_PAGE_KIB) {
        return 0;
    }
    return observed_is_hugepage_size(kib) ? (int32_t)kib : OBSERVED_UNKNOWN;
}

static int32_t one_page_size(struct arena *arena, const xmlNode *page)
{
    int32_t kib = page_size(arena, page, attribute(arena, page, "size"));

    while ((page = next(page)) != NULL) {
        if (page_size(arena, page, attribute(arena, page, "size")) != kib) {
            return OBSERVED_UNKNOWN;
        }
    }
    return kib;
}

/* Modules that were plugged in may be backed by pages of their own. */
static bool have_modules_pages(struct arena *arena, const xmlNode *devices, int32_t hugepage_kib)
{
    for (const xmlNode *node = child(devices, "memory"); node != NULL; node = next(node)) {
        const xmlNode *size = child(child(node, "source"), "pagesize");

        if (size != NULL && page_size(arena, size, content(arena, size)) != hugepage_kib) {
            return false;
        }
    }
    return true;
}

static void read_pages(struct arena *arena, const xmlNode *domain, struct libvirt_xml_guest *guest)
{
    const xmlNode *hugepages = child(child(domain, "memoryBacking"), "hugepages");
    const xmlNode *page = child(hugepages, "page");

    if (page != NULL) {
        guest->hugepage_kib = back_whole_guest(arena, domain, hugepages)
                                  ? one_page_size(arena, page)
                                  : OBSERVED_UNKNOWN;
    } else if (hugepages != NULL) {
        guest->hugepage_kib = OBSERVED_UNKNOWN;
        guest->default_pages = true;
    }
    if (!have_modules_pages(arena, child(domain, "devices"), guest->hugepage_kib)) {
        guest->hugepage_kib = OBSERVED_UNKNOWN;
        guest->default_pages = false;
    }
}

/* Whatever the mode, libvirt starts a guest only where every node that it names exists. */
static void read_nodes(struct arena *arena, const xmlNode *numatune,
                       struct libvirt_xml_guest *guest)
{
    static const char *const names[] = { "memory", "memnode" };
    uint64_t nodes = 0;
    bool known = true;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        for (const xmlNode *node = child(numatune, names[i]); node != NULL; node = next(node)) {
            const char *set = attribute(arena, node, "nodeset");

            known = known && (set == NULL || add_nodes(set, &nodes));
        }
    }
    guest->numa_nodes = !known       ? OBSERVED_UNKNOWN
                        : nodes == 0 ? 0
                                     : (int32_t)(NODES_MAX - (unsigned)__builtin_clzll(nodes));
}

int libvirt_xml_read_guest(struct arena *arena, const char *xml, struct libvirt_xml_guest *guest,
                           struct err *err)
{
    AUTO(document) xmlDoc *document = NULL;
    struct libvirt_xml_guest read = { 0 };
    xmlNode *cpu;
    const xmlNode *domain;
    const xmlNode *devices;

    if (parse(xml, "domain", "domain", &document, err) < 0) {
        return -1;
    }
    domain = xmlDocGetRootElement(document);
    devices = child(domain, "devices");
    read.name = content(arena, child(domain, "name"));
    read.uuid = content(arena, child(domain, "uuid"));
    if (read.name == NULL || read.uuid == NULL) {
        return err_set(err, ERR_INVALID, "cannot read domain XML: it has no name or no UUID");
    }
    read.virt_type = attribute(arena, domain, "type");
    read.memory_kib = size_kib(arena, child(domain, "memory"));
    read_pages(arena, domain, &read);
    read_nodes(arena, child(domain, "numatune"), &read);
    read.vcpus = read_vcpus(arena, child(domain, "vcpu"));
    read.emulator = content(arena, child(devices, "emulator"));
    read_os(arena, child(domain, "os"), &read);
    for (cpu = domain->children; cpu != NULL && !is_named(cpu, "cpu");) {
        cpu = cpu->next;
    }
    read_cpu(arena, cpu, &read);
    read_interfaces(arena, devices, &read);
    read_tpm(arena, devices, &read);
    read_disks(arena, devices, &read);
    *guest = read;
    return 0;
}

bool libvirt_xml_network_is_pool(const char *xml)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(document) xmlDoc *document = NULL;
    struct err ignored;

    return parse(xml, "network", "network", &document, &ignored) == 0 &&
           text_is(attribute(&arena, child(xmlDocGetRootElement(document), "forward"), "mode"),
                   "hostdev");
}

int32_t libvirt_xml_hugepages_on(const struct libvirt_xml_guest *guest,
                                 const struct observed_host *host)
{
    return guest->default_pages && host->hugepage_count == 1 ? (int32_t)host->hugepages[0].page_kib
                                                             : guest->hugepage_kib;
}

/* Everything that a guest with the host's own CPU sees of it; features in sorted order, because the
 * order in which libvirt lists them means nothing. */
static const char *fingerprint(struct arena *arena, const xmlNode *cpu)
{
    const char **names = ARENA_ARRAY(arena, const char *, count(cpu, "feature"));
    char *hex = ARENA_ARRAY(arena, char, DIGEST_TEXT_SIZE);
    struct text text = text_new(arena);
    size_t named = 0;
    static const char *const parts[] = { "arch", "vendor", "model" };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *part = content(arena, child(cpu, parts[i]));

        text_printf(&text, "%s=%s\n", parts[i], part == NULL ? "" : part);
    }
    text_printf(&text, "microcode=%" PRIu64 "\n",
                number(attribute(arena, child(cpu, "microcode"), "version")));
    for (const xmlNode *node = child(cpu, "feature"); node != NULL; node = next(node)) {
        const char *name = attribute(arena, node, "name");

        if (name != NULL) {
            names[named++] = name;
        }
    }
    named = text_sort_unique(names, named);
    for (size_t i = 0; i < named; i++) {
        text_printf(&text, "+%s\n", names[i]);
    }
    return digest_of(text.data, text.length, hex);
}

/* What 'node' and all below it say, without white space between elements. */
static void print_node(struct arena *arena, const xmlNode *node, struct text *text)
{
    const xmlNode *below = node->children;

    if (node->type == XML_TEXT_NODE && !xmlIsBlankNode(node)) {
        text_printf(text, "%s\n", (const char *)node->content);
    }
    if (node->type != XML_ELEMENT_NODE || is_named(node, "auth") || is_named(node, "initiator")) {
        return;
    }
    text_printf(text, "<%s", (const char *)node->name);
    for (const xmlAttr *found = node->properties; found != NULL; found = found->next) {
        text_printf(text, " %s=%s", (const char *)found->name,
                    attribute(arena, node, (const char *)found->name));
    }
    text_append(text, ">\n");
    for (; below != NULL; below = below->next) {
        print_node(arena, below, text);
    }
    text_append(text, "</>\n");
}

int libvirt_xml_read_pool(struct arena *arena, const char *xml, const char **definition,
                          struct err *err)
{
    AUTO(document) xmlDoc *document = NULL;
    struct text text = text_new(arena);
    const xmlNode *parts[2];
    const xmlNode *top;
    const char *type;

    if (parse(xml, "pool", "storage pool", &document, err) < 0) {
        return -1;
    }
    top = xmlDocGetRootElement(document);
    parts[0] = child(top, "source");
    parts[1] = child(child(top, "target"), "path");
    type = attribute(arena, top, "type");
    text_printf(&text, "%s\n", type != NULL ? type : "");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i] != NULL) {
            print_node(arena, parts[i], &text);
        }
    }
    *definition = text.data;
    return 0;
}

/* The element of <guest> that says what QEMU offers for fully virtual guests of the host's own
 * architecture. */
static const xmlNode *native_arch(struct arena *arena, const xmlNode *top, const char *arch)
{
    for (const xmlNode *guest = child(top, "guest"); guest != NULL; guest = next(guest)) {
        const xmlNode *found = child(guest, "arch");

        if (text_is(content(arena, child(guest, "os_type")), "hvm") &&
            text_is(attribute(arena, found, "name"), arch)) {
            return found;
        }
    }
    return NULL;
}

static size_t add_machines(struct arena *arena, const xmlNode *parent, const char **machines,
                           size_t used)
{
    for (const xmlNode *node = child(parent, "machine"); node != NULL; node = next(node)) {
        const char *name = content(arena, node);

        if (name != NULL) {
            machines[used++] = name;
        }
    }
    return used;
}

/* Each machine type once: libvirt repeats them for every <domain> that differs in anything. */
static void read_machines(struct arena *arena, const xmlNode *top, struct observed_host *host)
{
    const xmlNode *arch = native_arch(arena, top, host->arch);
    size_t room = count(arch, "machine");
    const char **machines;
    size_t used;

    for (const xmlNode *node = child(arch, "domain"); node != NULL; node = next(node)) {
        room += count(node, "machine");
    }
    machines = ARENA_ARRAY(arena, const char *, room);
    used = add_machines(arena, arch, machines, 0);
    for (const xmlNode *node = child(arch, "domain"); node != NULL; node = next(node)) {
        used = add_machines(arena, node, machines, used);
    }
    host->machines = machines;
    host->machine_count = text_sort_unique(machines, used);
}

static void add_pages(struct observed_host *host, struct observed_hugepages *pages,
                      uint64_t page_kib, uint64_t total)
{
    size_t i = 0;

    while (i < host->hugepage_count && pages[i].page_kib != page_kib) {
        i++;
    }
    if (i == host->hugepage_count) {
        host->hugepage_count++;
        pages[i].page_kib = page_kib;
    }
    pages[i].total += total;
}

/* Ordinary pages are listed too, and no others are as small: 4 KiB, or 64 KiB on some machines. */
static uint64_t ordinary_page_kib(struct arena *arena, const xmlNode *cells)
{
    uint64_t least = UINT64_MAX;

    for (const xmlNode *cell = child(cells, "cell"); cell != NULL; cell = next(cell)) {
        for (const xmlNode *node = child(cell, "pages"); node != NULL; node = next(node)) {
            uint64_t page_kib = number(attribute(arena, node, "size"));

            least = page_kib < least ? page_kib : least;
        }
    }
    return least;
}

static void read_cell(struct arena *arena, const xmlNode *cell, uint64_t ordinary_kib,
                      struct observed_host *host, struct observed_hugepages *pages)
{
    for (const xmlNode *node = child(cell, "pages"); node != NULL; node = next(node)) {
        uint64_t page_kib = number(attribute(arena, node, "size"));
        uint64_t total = number(content(arena, node));

        if (page_kib != ordinary_kib && observed_is_hugepage_size(page_kib) && total > 0) {
            add_pages(host, pages, page_kib, total);
        }
    }
}

static const xmlNode *cells_of(const xmlNode *top)
{
    return child(child(child(top, "host"), "topology"), "cells");
}

/* Totals over all NUMA cells, sizes that have pages only. */
static void read_hugepages(struct arena *arena, const xmlNode *top, struct observed_host *host)
{
    const xmlNode *cells = cells_of(top);
    uint64_t ordinary_kib = ordinary_page_kib(arena, cells);
    struct observed_hugepages *pages;
    size_t room = 0;

    for (const xmlNode *cell = child(cells, "cell"); cell != NULL; cell = next(cell)) {
        room += count(cell, "pages");
    }
    pages = ARENA_ARRAY(arena, struct observed_hugepages, room);
    host->hugepages = pages;
    host->hugepage_count = 0;
    for (const xmlNode *cell = child(cells, "cell"); cell != NULL; cell = next(cell)) {
        read_cell(arena, cell, ordinary_kib, host, pages);
    }
    observed_sort_hugepages(pages, host->hugepage_count);
}

/* Nodes are numbered from 0; where a number is missing, those behind it are not counted on. */
static void read_host_nodes(struct arena *arena, const xmlNode *top, struct observed_host *host)
{
    uint64_t nodes = 0;

    host->numa_nodes = 0;
    for (const xmlNode *cell = child(cells_of(top), "cell"); cell != NULL; cell = next(cell)) {
        const char *id = attribute(arena, cell, "id");

        (void)(id != NULL && add_nodes(id, &nodes));
    }
    while (host->numa_nodes < NODES_MAX && (nodes >> host->numa_nodes & 1) != 0) {
        host->numa_nodes++;
    }
}

int libvirt_xml_read_capabilities(struct arena *arena, const char *xml, struct observed_host *host,
                                  struct err *err)
{
    AUTO(document) xmlDoc *document = NULL;
    const xmlNode *top;
    const xmlNode *cpu;

    if (parse(xml, "capabilities", "capabilities", &document, err) < 0) {
        return -1;
    }
    top = xmlDocGetRootElement(document);
    cpu = child(child(top, "host"), "cpu");
    host->arch = content(arena, child(cpu, "arch"));
    if (host->arch == NULL) {
        return err_set(err, ERR_INVALID, "cannot read capabilities XML: no host architecture");
    }
    host->cpu_model = content(arena, child(cpu, "model"));
    host->cpu_fingerprint = host->cpu_model == NULL ? NULL : fingerprint(arena, cpu);
    read_machines(arena, top, host);
    read_hugepages(arena, top, host);
    read_host_nodes(arena, top, host);
    return 0;
}
