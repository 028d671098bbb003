/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_xml: the few facts that decide about a move, read from libvirt's domain and capabilities
 * XML.
 *
 * The XML comes from a host: size is bounded, no entity is expanded and no network asked.  Values live
 * in the caller's arena.  Pure but for libxml2.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct observed_host;

#define LIBVIRT_XML_MAX_BYTES ((size_t)16 * 1024 * 1024)

enum libvirt_xml_source {
    LIBVIRT_XML_NONE,    /* An empty drive. */
    LIBVIRT_XML_FILE,    /* A file or folder, by path. */
    LIBVIRT_XML_BLOCK,   /* A block device, by path. */
    LIBVIRT_XML_VOLUME,  /* A volume of a storage pool, by their names. */
    LIBVIRT_XML_NETWORK, /* By protocol and servers: the same from every host ... */
    LIBVIRT_XML_OTHER,   /* ... and what cannot be told: vhost-user, local sockets. */
};

struct libvirt_xml_disk {
    const char *target; /* "vda" */
    enum libvirt_xml_source source;
    const char *path; /* FILE and BLOCK. */
    const char *pool; /* VOLUME, as the next. */
    const char *volume;
    const char *cache; /* NULL = the hypervisor's default. */
    bool removable;    /* CD-ROM or floppy. */
    bool readonly;
    bool job; /* A block job mirrors it. */
};

struct libvirt_xml_guest {
    const char *name;
    const char *uuid;
    const char *virt_type; /* "kvm", "qemu"; the other texts may be NULL too. */
    const char *arch;
    const char *machine;
    const char *emulator;
    const char *cpu_mode;
    const char *cpu; /* The <cpu> element, as XML. */
    uint64_t memory_kib;
    int32_t hugepage_kib; /* As in observed_guest; of pages of several kinds OBSERVED_UNKNOWN. */
    bool
        default_pages; /* Huge pages of whatever size is its host's default: hugepage_kib is unknown. */
    int32_t numa_nodes; /* As in observed_guest. */
    uint32_t vcpus;
    bool has_nvram;
    const char *nvram; /* Path. */
    bool has_tpm;      /* Emulated: its state is in files. */
    uint32_t hostdevs;
    struct libvirt_xml_disk *disks;
    size_t disk_count;
    const char **files; /* Kernel, initrd, device tree, loader: needed wherever it runs. */
    size_t file_count;
    const char **bridges; /* Host bridges that its interfaces join; sorted, each once. */
    size_t bridge_count;
    const char **networks; /* libvirt's networks that its interfaces join; likewise. */
    size_t network_count;
    /* Of its host: PCI functions, "0000:3b:02.1", and devices that it has a macvtap on, "eth1"; likewise. */
    const char **interfaces;
    size_t interface_count;
    bool
        has_standby; /* An interface of it is the half of a fail-over pair that QEMU unplugs before a migration. */
};

/* Reads a domain; anything that is not one is ERR_INVALID. */
int libvirt_xml_read_guest(struct arena *arena, const char *xml, struct libvirt_xml_guest *guest,
                           struct err *err);

/* Size of the pages that 'guest' takes on 'host', as in observed_guest: huge pages of the default size are
 * those of its only pool, if it has just one. */
int32_t libvirt_xml_hugepages_on(const struct libvirt_xml_guest *guest,
                                 const struct observed_host *host);

/* True if a network of libvirt gives its guests PCI functions of the host from a pool. */
bool libvirt_xml_network_is_pool(const char *xml);

/* Reads a storage pool: '*definition', in 'arena', is equal for two that have the same type, the same source and the
 * same place, whatever they are called and contain.  How a host authenticates is its own. */
int libvirt_xml_read_pool(struct arena *arena, const char *xml, const char **definition,
                          struct err *err);

/* Reads virConnectGetCapabilities(): fills arch, cpu_model, cpu_fingerprint, machines,
 * numa_nodes and hugepages (sizes and totals; free is 0) of 'host' and leaves its other members alone. */
int libvirt_xml_read_capabilities(struct arena *arena, const char *xml, struct observed_host *host,
                                  struct err *err);
