/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Supplies: what must be there on a host, beside libvirt, for a guest to run there: bridges, interfaces and
 * volumes that the platform attaches to one host at a time.
 *
 * Which kinds a platform provides is its profile's to say; what a guest needs of them is kept with its move
 * as a canonical text.  Names go into commands on hosts: what could be taken for an option or a path is none.
 * Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct desired;
struct err;
struct observed_guest;
struct profile;

/* The names are part of the journal and of "berth.steps/1". */
#define SUPPLY_KINDS                                                                              \
    SUPPLY_KIND(NONE, "")                 /* Of operations that are not about supplies. */        \
    SUPPLY_KIND(BRIDGE, "bridge")         /* A bridge that the guest's interfaces join. */        \
    SUPPLY_KIND(NAT_BRIDGE, "nat-bridge") /* One that only its host is behind. */                 \
    SUPPLY_KIND(INTERFACE, "interface") /* An interface of the host that is the guest's alone. */ \
    SUPPLY_KIND(VOLUME, "volume")       /* A volume that is attached to hosts one by one. */      \
    SUPPLY_KIND(CONFIG, "config")       /* The guest's configuration volume, mounted there. */    \
    SUPPLY_KIND(POOL, "pool")   /* A storage pool of libvirt's, active and with a volume. */      \
    SUPPLY_KIND(STATE, "state") /* A file that holds what the guest keeps of itself. */

enum supply_kind {
#define SUPPLY_KIND(name, text) SUPPLY_##name,
    SUPPLY_KINDS
#undef SUPPLY_KIND
        SUPPLY_KIND_COUNT,
};

#define SUPPLY_ITEMS_MAX 4096 /* Of one guest. */

/* The name of the STATE that is its UEFI variables. */
#define SUPPLY_NVRAM "nvram"

struct supply {
    enum supply_kind kind; /* Not NONE. */
    const char *name;      /* Of the bridge, the interface or the volume (edvVolumeName). */
    const char
        *device; /* Path of the volume on a host that has it, of STATE the file's; or NULL. */
    const char *volume; /* POOL: the volume in it, of which its host must know. */
    const char *
        identity; /* VOLUME and POOL: what was behind it where its guest was when the move began, as
                              the checks learnt it; NULL: nobody could tell. */
};

/* Sorted by kind, name and volume; no two of one kind have the same name, but for volumes of one pool. */
struct supply_list {
    const struct supply *items;
    size_t count;
};

/* A set of kinds is a mask of these. */
#define SUPPLY_BIT(kind) (UINT32_C(1) << (kind))

/* Stable names, and back; the reverse returns the COUNT value for no such name. */
const char *supply_kind_name(enum supply_kind kind);
enum supply_kind supply_kind_from_name(const char *name);

/* True of both kinds of bridges. */
bool supply_is_bridge(enum supply_kind kind);

/* True if 's' may be the name of a supply: 1 to 128 letters, digits and "._-+:@", no '-' or '.' first. */
bool supply_is_name(const char *s);

/* True if 's' may be a device: an absolute path of at most 1024 printable ASCII characters without blanks,
 * quotes, backslashes and ".." . */
bool supply_is_device(const char *s);

/* True if 's' is the address of a PCI function as Linux writes it, "0000:3b:02.1"; no network device can be
 * called so. */
bool supply_is_pci_function(const char *s);

/* True if 's' may be the name of a volume in a pool: 1 to 255 bytes, none of them a control character. */
bool supply_is_volume(const char *s);

/* True if 's' may be an identity: 1 to 1024 printable ASCII characters. */
bool supply_is_identity(const char *s);

/* A list of copies of the 'count' supplies at 'items', in order, one for each
 * kind, name and volume (of several the one with the greatest device), in 'arena'.  ERR_INVALID names what cannot be one. */
int supply_list_make(struct arena *arena, const struct supply *items, size_t count,
                     struct supply_list *list, struct err *err);

/* A copy whose strings are in 'arena'. */
struct supply_list supply_list_copy(struct arena *arena, const struct supply_list *list);

/* The same with the identities that 'known' has of its items, which are these. */
struct supply_list supply_list_identify(struct arena *arena, const struct supply_list *list,
                                        const struct supply_list *known);

/* The part of 'list' that is of 'kind'; shares its items. */
struct supply_list supply_list_of(const struct supply_list *list, enum supply_kind kind);

/* True if 'list' has something of 'kind' that has an identity. */
bool supply_list_is_identified(const struct supply_list *list, enum supply_kind kind);

/* The kinds that 'list' has something of. */
uint32_t supply_list_kinds(const struct supply_list *list);

/* The one of 'kind', which is not POOL, called 'name' in 'list', or NULL; and whether there is one. */
const struct supply *supply_list_find(const struct supply_list *list, enum supply_kind kind,
                                      const char *name);
bool supply_list_has(const struct supply_list *list, enum supply_kind kind, const char *name);

/* What the platform of 'profile' provides for the guest called 'guest': of the volumes that es.xml names for it,
 * or, if it names none, of its disks, and of the bridges and interfaces that its definition uses ('observed',
 * which may be NULL).  In 'arena'.  ERR_INVALID: one of them has a name that cannot be passed on. */
int supply_of_guest(struct arena *arena, const struct profile *profile,
                    const struct desired *desired, const char *guest,
                    const struct observed_guest *observed, struct supply_list *list,
                    struct err *err);
