/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Desired state: what es.xml says (contract.md §2), as values.
 *
 * Everything lives in the arena it was read into.  Hosts and guests are sorted by name and unique;
 * references between them are indices into those arrays.  Pure; read-only once built.
 */

#include <stddef.h>
#include <stdint.h>

#define DESIRED_NONE UINT32_MAX

struct desired_host {
    const char *name;        /* hostName. */
    const char *id;          /* Meaningless but for references. */
    const char *rack_family; /* rackItemFamily, or NULL. */
    uint64_t memory_kib;     /* physicalMemorySize; 0 = not declared. */
    uint32_t line;
};

struct desired_guest {
    const char *name; /* hostName = libvirt domain name. */
    const char *id;
    uint64_t memory_kib;    /* 0 = not declared. */
    uint32_t vcpus;         /* 0 = not declared. */
    uint32_t host;          /* Index into hosts: where it belongs. */
    uint32_t line;          /* Of its definition. */
    uint32_t first_cluster; /* Slice of cluster_refs. */
    uint32_t cluster_count;
    uint32_t first_volume; /* Slice of volume_refs. */
    uint32_t volume_count;
    const char *pending_action; /* Id of an undeployed MIGRATE GUEST action, or NULL. */
};

struct desired_volume {
    const char *id;
    const char *name;   /* edvVolumeName, or NULL. */
    const char *device; /* edvDevicePath, or NULL. */
};

struct desired {
    const struct desired_host *hosts; /* Sorted by name. */
    size_t host_count;
    const struct desired_guest *guests; /* Sorted by name. */
    size_t guest_count;
    const char *const *clusters; /* Names (clusterName, else the id), sorted. */
    size_t cluster_count;
    const uint32_t *cluster_refs; /* Indices into clusters. */
    const struct desired_volume *volumes;
    size_t volume_count;
    const uint32_t *volume_refs; /* Indices into volumes. */
};

/* Index of the host or guest called 'name', or DESIRED_NONE. */
uint32_t desired_find_host(const struct desired *desired, const char *name);
uint32_t desired_find_guest(const struct desired *desired, const char *name);

/* The name of the host that the guest called 'guest' belongs on, or NULL if there is no such guest. */
const char *desired_host_of(const struct desired *desired, const char *guest);

/* What differs first between two desired states but for lines, as "a guest's host", or NULL. */
const char *desired_difference(const struct desired *a, const struct desired *b);
