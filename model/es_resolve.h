/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * es_resolve: what stands in an es.xml, element by element in the file's order, becomes the desired
 * state: ids are resolved, names checked for uniqueness, every guest's one placement found.
 *
 * A reference may come before its definition, so nothing here happens while the file is read.  Only
 * model/es_reader.c uses this.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

struct arena;
struct desired;
struct faults;

/* A growing array; 'size' bytes an item. */
struct es_list {
    void *items;
    size_t count;
    size_t capacity;
    size_t size;
};

enum es_kind {
    ES_IGNORED, /* A storage cell, a Xen machine, ...: needs nothing. */
    ES_HOST,
    ES_GUEST,
};

/* Slice of es_document.cluster_refs or volume_refs. */
struct es_slice {
    uint32_t first;
    uint32_t count;
};

/* Strings are never NULL unless a comment says so; an absent one is "". */
struct es_machine {
    enum es_kind kind;
    uint32_t line;
    const char *id;
    const char *name;
    uint64_t memory_kib; /* Of the host or the guest; 0 = not declared or not readable. */
    uint32_t vcpus;
    struct es_slice placements; /* References to machines inside it. */
    struct es_slice clusters;
    struct es_slice volumes;
};

/* An id and where it stands: a reference, or how a definition begins. */
struct es_ref {
    const char *id;
    uint32_t line;
};

struct es_cluster {
    struct es_ref own;
    const char *name; /* "" = the id is its name. */
};

struct es_volume {
    struct es_ref own;
    const char *name;
    const char *device;
};

struct es_rack_item {
    struct es_ref machine;
    const char *family;
};

/* An undeployed MIGRATE GUEST. */
struct es_action {
    const char *id;
    const char *guest;
};

struct es_document {
    struct arena *scratch;          /* Of the lists and of what resolving needs. */
    struct es_list machines;        /* struct es_machine */
    struct es_list placements;      /* struct es_ref */
    struct es_list cluster_refs;    /* struct es_ref */
    struct es_list volume_refs;     /* struct es_ref */
    struct es_list clusters;        /* struct es_cluster */
    struct es_list volumes;         /* struct es_volume */
    struct es_list rack_items;      /* struct es_rack_item */
    struct es_list other_ids;       /* struct es_ref: what else a rack may hold (switches, ...). */
    struct es_list pending_actions; /* struct es_action */
    struct es_list machine_layout;  /* struct es_layout_machine, parallel to machines, or empty. */
    struct es_list place_layout;    /* struct es_layout_place, likewise to placements. */
};

/* An empty document. */
struct es_document es_resolve_document(struct arena *scratch);

/* Appends a zeroed item to one of the document's lists; valid until the next append to that list. */
void *es_resolve_append(struct es_document *document, struct es_list *list);

/* Builds the desired state in 'arena' (strings of the document that it keeps are referred to, not
 * copied) and adds a fault for everything that does not fit together; with a fault, '*desired' is
 * not to be used. */
void es_resolve_desired(struct arena *arena, const struct es_document *document,
                        struct desired *desired, struct faults *faults);
