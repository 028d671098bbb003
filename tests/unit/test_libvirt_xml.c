/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/observed.h"
#include "tests/runner.h"

#define UUID "d60176ca-aa33-4f76-866e-f13e640fc12e"

/* A domain whose <devices> are 'devices', with 'head' before them. */
static const char *domain(struct arena *arena, const char *head, const char *devices)
{
    return text_format(arena,
                       "<domain type='kvm'><name>vm1</name><uuid>" UUID "</uuid>"
                       "<memory unit='KiB'>98304</memory><vcpu placement='static'>2</vcpu>"
                       "%s<devices><emulator>/usr/bin/qemu</emulator>%s</devices></domain>",
                       head, devices);
}

static struct libvirt_xml_guest read_guest(struct arena *arena, const char *head,
                                           const char *devices)
{
    struct libvirt_xml_guest guest;
    struct err err;

    ck_assert_msg(libvirt_xml_read_guest(arena, domain(arena, head, devices), &guest, &err) == 0,
                  "%s", err.text);
    return guest;
}

static enum libvirt_xml_source source_of(struct arena *arena, const char *disk)
{
    struct libvirt_xml_guest guest = read_guest(arena, "", disk);

    ck_assert_uint_eq(guest.disk_count, 1);
    return guest.disks[0].source;
}

START_TEST(facts_of_a_guest_are_read)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_xml_guest guest =
        read_guest(&arena,
                   "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><kernel>/boot/k</kernel>"
                   "<initrd>/boot/i</initrd></os><cpu mode='custom'><model>qemu64</model></cpu>",
                   "");

    ck_assert_str_eq(guest.name, "vm1");
    ck_assert_str_eq(guest.uuid, UUID);
    ck_assert_str_eq(guest.virt_type, "kvm");
    ck_assert_str_eq(guest.arch, "x86_64");
    ck_assert_str_eq(guest.machine, "pc-q35-7.2");
    ck_assert_str_eq(guest.emulator, "/usr/bin/qemu");
    ck_assert_str_eq(guest.cpu_mode, "custom");
    ck_assert_str_eq(guest.cpu, "<cpu mode=\"custom\"><model>qemu64</model></cpu>");
    ck_assert_uint_eq(guest.memory_kib, 98304);
    ck_assert_uint_eq(guest.vcpus, 2);
    ck_assert(!guest.has_nvram && !guest.has_tpm);
    ck_assert_uint_eq(guest.hostdevs, 0);
    ck_assert_uint_eq(guest.file_count, 2);
    ck_assert_str_eq(guest.files[0], "/boot/k");
    ck_assert_str_eq(guest.files[1], "/boot/i");
}
END_TEST

#define PAGES(pages) "<memoryBacking><hugepages>" pages "</hugepages></memoryBacking>"
#define CELLS        "<cpu><numa><cell id='0'/><cell id='1'/></numa></cpu>"

START_TEST(huge_pages_of_a_guest_are_seen)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const struct {
        const char *xml;
        int32_t kib;
        bool fallback;
    } cases[] = {
        { "", 0, false },
        { "<memoryBacking><locked/></memoryBacking>", 0, false },
        { PAGES(""), OBSERVED_UNKNOWN, true },
        { PAGES("<page size='2048' unit='KiB'/>"), 2048, false },
        { PAGES("<page size='1048576'/>"), 1048576, false },
        { PAGES("<page size='4' unit='KiB'/>"), 0, false },
        /* One by one for every node of the guest, as OpenStack writes it. */
        { CELLS PAGES("<page size='2048' unit='KiB' nodeset='0'/>"
                      "<page size='2048' unit='KiB' nodeset='1'/>"),
          2048, false },
        { PAGES("<page size='2048' unit='KiB' nodeset='0'/>"), 2048, false },
        /* A part of the guest only, or pages of two sizes. */
        { CELLS PAGES("<page size='2048' unit='KiB' nodeset='1'/>"), OBSERVED_UNKNOWN, false },
        { CELLS PAGES("<page size='2048' unit='KiB' nodeset='0'/>"
                      "<page size='1048576' unit='KiB' nodeset='1'/>"),
          OBSERVED_UNKNOWN, false },
        { CELLS PAGES("<page size='2048' unit='KiB' nodeset='0-9999999999'/>"), OBSERVED_UNKNOWN,
          false },
        /* No size of pages at all. */
        { PAGES("<page size='3000' unit='KiB'/>"), OBSERVED_UNKNOWN, false },
        { PAGES("<page size='2' unit='GiB'/>"), OBSERVED_UNKNOWN, false },
        { PAGES("<page/>"), OBSERVED_UNKNOWN, false },
        /* Memory that was plugged in. */
        { PAGES("<page size='2048' unit='KiB'/>") "<devices><memory model='dimm'><source>"
                                                  "<pagesize unit='KiB'>2048</pagesize></source>"
                                                  "</memory></devices>",
          2048, false },
        { "<devices><memory model='dimm'><source><pagesize unit='KiB'>2048</pagesize></source>"
          "</memory></devices>",
          OBSERVED_UNKNOWN, false },
        { PAGES("") "<devices><memory model='dimm'><source><pagesize unit='KiB'>2048</pagesize>"
                    "</source></memory></devices>",
          OBSERVED_UNKNOWN, false },
    };
    struct libvirt_xml_guest guest;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *xml = text_format(
            &arena, "<domain><name>a</name><uuid>" UUID "</uuid>%s</domain>", cases[i].xml);

        ck_assert_int_eq(libvirt_xml_read_guest(&arena, xml, &guest, &err), 0);
        ck_assert_msg(guest.hugepage_kib == cases[i].kib &&
                          guest.default_pages == cases[i].fallback,
                      "%s: %d KiB, default %d", xml, guest.hugepage_kib, guest.default_pages);
    }
}
END_TEST

START_TEST(pages_of_the_default_size_are_those_of_the_only_pool)
{
    const struct libvirt_xml_guest guest = { .hugepage_kib = OBSERVED_UNKNOWN,
                                             .default_pages = true };
    const struct libvirt_xml_guest ordinary = { 0 };
    const struct observed_hugepages pages[] = { { 2048, 1, 1 }, { 1048576, 1, 1 } };
    struct observed_host host = { .hugepages = pages, .hugepage_count = 1 };

    ck_assert_int_eq(libvirt_xml_hugepages_on(&guest, &host), 2048);
    ck_assert_int_eq(libvirt_xml_hugepages_on(&ordinary, &host), 0);
    host.hugepage_count = 2;
    ck_assert_int_eq(libvirt_xml_hugepages_on(&guest, &host), OBSERVED_UNKNOWN);
    host.hugepage_count = 0;
    ck_assert_int_eq(libvirt_xml_hugepages_on(&guest, &host), OBSERVED_UNKNOWN);
}
END_TEST

START_TEST(numa_nodes_that_a_guest_names_are_seen)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const struct {
        const char *xml;
        int32_t nodes;
    } cases[] = {
        { "", 0 },
        { "<numatune><memory mode='strict' placement='auto'/></numatune>", 0 },
        { "<numatune><memory mode='strict' nodeset='0'/></numatune>", 1 },
        { "<numatune><memory mode='preferred' nodeset='0-2,^1'/></numatune>", 3 },
        { "<numatune><memory nodeset='0-3,^3'/></numatune>", 3 },
        { "<numatune><memory nodeset='0'/><memnode cellid='0' mode='strict' nodeset='1,5'/>"
          "</numatune>",
          6 },
        { "<numatune><memory nodeset='63'/></numatune>", 64 },
        { "<numatune><memory nodeset='64'/></numatune>", OBSERVED_UNKNOWN },
        { "<numatune><memory nodeset='0-'/></numatune>", OBSERVED_UNKNOWN },
        { "<numatune><memory nodeset='0,,1'/></numatune>", OBSERVED_UNKNOWN },
        { "<numatune><memory nodeset='all'/></numatune>", OBSERVED_UNKNOWN },
        { "<numatune><memory nodeset='4294967296'/></numatune>", OBSERVED_UNKNOWN },
    };
    struct libvirt_xml_guest guest;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *xml = text_format(
            &arena, "<domain><name>a</name><uuid>" UUID "</uuid>%s</domain>", cases[i].xml);

        ck_assert_int_eq(libvirt_xml_read_guest(&arena, xml, &guest, &err), 0);
        ck_assert_msg(guest.numa_nodes == cases[i].nodes, "%s: %d", xml, guest.numa_nodes);
    }
}
END_TEST

START_TEST(vcpus_that_are_online_count)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_xml_guest guest;
    struct err err;

    ck_assert_int_eq(
        libvirt_xml_read_guest(&arena,
                               "<domain><name>a</name><uuid>" UUID "</uuid>"
                               "<vcpu current='3'>8</vcpu><memory unit='MiB'>5</memory></domain>",
                               &guest, &err),
        0);
    ck_assert_uint_eq(guest.vcpus, 3);
    ck_assert_uint_eq(guest.memory_kib, 0); /* A unit that libvirt does not write is unknown. */
    ck_assert_str_eq(guest.cpu_mode, "custom");
    ck_assert_ptr_null(guest.cpu);
}
END_TEST

START_TEST(disks_are_read_with_what_makes_them_safe_to_move)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_xml_guest guest = read_guest(
        &arena, "",
        "<disk type='block' device='disk'><driver name='qemu' cache='none'/>"
        "<source dev='/dev/exc/v1'/><target dev='vda'/></disk>"
        "<disk type='file' device='cdrom'><source file='/iso'/><target dev='sda'/></disk>"
        "<disk type='file' device='disk'><source file='/f'/><mirror type='file'/>"
        "<target dev='vdb'/><readonly/></disk>");
    const struct libvirt_xml_disk *disks = guest.disks;

    ck_assert_uint_eq(guest.disk_count, 3);
    ck_assert_str_eq(disks[0].target, "vda");
    ck_assert_int_eq(disks[0].source, LIBVIRT_XML_BLOCK);
    ck_assert_str_eq(disks[0].path, "/dev/exc/v1");
    ck_assert_str_eq(disks[0].cache, "none");
    ck_assert(!disks[0].readonly && !disks[0].removable && !disks[0].job);
    ck_assert(disks[1].readonly && disks[1].removable);
    ck_assert_ptr_null(disks[1].cache);
    ck_assert(disks[2].readonly && !disks[2].removable && disks[2].job);
}
END_TEST

START_TEST(network_disks_are_the_same_everywhere)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_int_eq(source_of(&arena, "<disk type='network'><source protocol='rbd' name='p/i'>"
                                       "<host name='mon1' port='6789'/></source></disk>"),
                     LIBVIRT_XML_NETWORK);
    ck_assert_int_eq(source_of(&arena, "<disk type='network'><source protocol='rbd' name='p/i'/>"
                                       "</disk>"),
                     LIBVIRT_XML_NETWORK);
}
END_TEST

START_TEST(network_disks_reached_through_their_host_are_not_told_apart)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *const hosts[] = { "<host name='localhost'/>",
                                  "<host name='127.0.0.2'/>",
                                  "<host name='::1'/>",
                                  "<host transport='unix' socket='/run/nbd'/>",
                                  "<host name='far'/><host name='localhost'/>",
                                  "" };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        const char *disk = text_format(
            &arena, "<disk type='network'><source protocol='nbd' name='x'>%s</source></disk>",
            hosts[i]);

        ck_assert_msg(source_of(&arena, disk) == LIBVIRT_XML_OTHER, "%s", hosts[i]);
    }
}
END_TEST

START_TEST(a_volume_of_a_pool_is_read_by_their_names)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_xml_guest guest =
        read_guest(&arena, "",
                   "<disk type='volume' device='disk'><driver name='qemu' type='raw' cache='none'/>"
                   "<source pool='p' volume='v' mode='host' index='1'/><target dev='vda'/></disk>"
                   "<disk type='volume' device='cdrom'><target dev='sda'/></disk>");

    ck_assert_int_eq(guest.disks[0].source, LIBVIRT_XML_VOLUME);
    ck_assert_str_eq(guest.disks[0].pool, "p");
    ck_assert_str_eq(guest.disks[0].volume, "v");
    ck_assert_ptr_null(guest.disks[0].path);
    ck_assert_int_eq(guest.disks[1].source, LIBVIRT_XML_NONE);
}
END_TEST

START_TEST(sources_we_do_not_understand_are_said_to_be_other)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_int_eq(source_of(&arena, "<disk type='volume'><source pool='p'/></disk>"),
                     LIBVIRT_XML_OTHER);
    ck_assert_int_eq(source_of(&arena, "<disk type='volume'><source volume='v'/></disk>"),
                     LIBVIRT_XML_OTHER);
    ck_assert_int_eq(source_of(&arena, "<disk type='volume'>"
                                       "<source pool='p' volume='v' mode='direct'/></disk>"),
                     LIBVIRT_XML_OTHER);
    ck_assert_int_eq(source_of(&arena, "<disk type='vhostuser'><source path='/s'/></disk>"),
                     LIBVIRT_XML_OTHER);
    ck_assert_int_eq(source_of(&arena, "<disk type='file' device='cdrom'/>"), LIBVIRT_XML_NONE);
}
END_TEST

START_TEST(devices_of_the_host_are_counted)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_xml_guest guest =
        read_guest(&arena, "",
                   "<hostdev mode='subsystem' type='pci'/><hostdev mode='subsystem' type='mdev'/>"
                   "<interface type='hostdev'/>"
                   "<interface type='hostdev'><teaming type='transient'/></interface>"
                   "<interface type='bridge'><source bridge='vmbr0'/></interface>"
                   "<tpm><backend type='passthrough'/></tpm>");

    ck_assert_uint_eq(guest.hostdevs, 4);
    ck_assert(guest.has_standby);
    ck_assert(!guest.has_tpm);
    ck_assert_uint_eq(guest.bridge_count, 1);
    ck_assert_str_eq(guest.bridges[0], "vmbr0");
}
END_TEST

START_TEST(interfaces_of_the_host_are_its_functions_by_address_and_its_devices_by_name)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char *const names[] = { "0000:3b:02.1", "0012:00:1f.7", "10000:e1:00.0", "eth1",
                                         "vf0" };
    struct libvirt_xml_guest guest = read_guest(
        &arena, "",
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0x10000' bus='0xe1' slot='0x00' function='0x0'/></source></hostdev>"
        "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source>"
        "</hostdev>"
        "<interface type='direct'><source dev='vf0' mode='passthrough'/></interface>"
        "<interface type='direct'><source dev='eth1' mode='bridge'/></interface>"
        "<interface type='direct'><source dev='eth1' mode='bridge'/></interface>"
        "<interface type='network'><source network='pool'/></interface>"
        "<interface type='hostdev'><source>"
        "<address type='pci' domain='0x0000' bus='0x3B' slot='0x02' function='0x1'/></source>"
        "<teaming type='transient' persistent='ua-net0'/></interface>"
        "<interface type='hostdev'><source>"
        "<address type='pci' domain='18' bus='0' slot='0x1f' function='7'/></source></interface>");

    ck_assert_uint_eq(guest.interface_count, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ck_assert_str_eq(guest.interfaces[i], names[i]);
    }
    ck_assert_uint_eq(guest.hostdevs, 3);
}
END_TEST

START_TEST(an_address_that_is_none_names_no_interface)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char *const addresses[] = {
        "",
        "<address type='pci' domain='0x0000' bus='0x3b' slot='0x02'/>",
        "<address type='pci' domain='0x0000' bus='0x100' slot='0x02' function='0x0'/>",
        "<address type='pci' domain='0x0000' bus='0x3b' slot='0x20' function='0x0'/>",
        "<address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='8'/>",
        "<address type='pci' domain='-1' bus='0x3b' slot='0x02' function='0'/>",
        "<address type='pci' domain='0x100000000' bus='0x3b' slot='0x02' function='0'/>",
        "<address type='pci' domain='0x0000' bus='0x3b;' slot='0x02' function='0'/>",
        "<address type='pci' domain='0x0000' bus='' slot='0x02' function='0'/>",
    };

    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct libvirt_xml_guest guest =
            read_guest(&arena, "",
                       text_format(&arena,
                                   "<interface type='hostdev'><source>%s</source></interface>"
                                   "<interface type='direct'><source/></interface>",
                                   addresses[i]));

        ck_assert_msg(guest.interface_count == 0, "%s", addresses[i]);
        ck_assert_uint_eq(guest.hostdevs, 1);
    }
}
END_TEST

START_TEST(a_network_that_gives_functions_from_a_pool_is_told)
{
    ck_assert(libvirt_xml_network_is_pool(
        "<network><name>n</name><forward mode='hostdev' managed='yes'><pf dev='eth0'/></forward>"
        "</network>"));
    ck_assert(!libvirt_xml_network_is_pool("<network><forward mode='nat'/></network>"));
    ck_assert(!libvirt_xml_network_is_pool("<network><name>n</name></network>"));
    ck_assert(!libvirt_xml_network_is_pool("<domain><forward mode='hostdev'/></domain>"));
    ck_assert(!libvirt_xml_network_is_pool("<network><forward mode='hostdev'>"));
}
END_TEST

START_TEST(what_several_interfaces_join_is_named_once)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_xml_guest guest =
        read_guest(&arena, "",
                   "<interface type='bridge'><source bridge='vmbr1'/></interface>"
                   "<interface type='network'><source network='default'/></interface>"
                   "<interface type='bridge'><source bridge='vmbr0'/></interface>"
                   "<interface type='network'><source network='default'/></interface>"
                   "<interface type='bridge'><source bridge='vmbr1'/></interface>");

    ck_assert_uint_eq(guest.bridge_count, 2);
    ck_assert_str_eq(guest.bridges[0], "vmbr0");
    ck_assert_str_eq(guest.bridges[1], "vmbr1");
    ck_assert_uint_eq(guest.network_count, 1);
    ck_assert_str_eq(guest.networks[0], "default");
}
END_TEST

START_TEST(firmware_state_in_files_is_seen)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_xml_guest old =
        read_guest(&arena, "<os><nvram template='/t'>/var/vm1.fd</nvram></os>",
                   "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>");
    struct libvirt_xml_guest new =
        read_guest(&arena, "<os><nvram type='file'><source file='/var/vm2.fd'/></nvram></os>", "");
    struct libvirt_xml_guest automatic = read_guest(&arena, "<os firmware='efi'/>", "");

    ck_assert(old.has_nvram && old.has_tpm);
    ck_assert_str_eq(old.nvram, "/var/vm1.fd");
    ck_assert_str_eq(new.nvram, "/var/vm2.fd");
    ck_assert(automatic.has_nvram);
    ck_assert_ptr_null(automatic.nvram);
}
END_TEST

START_TEST(what_is_no_domain_is_refused)
{
    static const char *const bad[] = {
        "",
        "<domain>",
        "<network><name>a</name></network>",
        "<domain><name>a</name></domain>",
        "<!DOCTYPE domain [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
        "<domain><name>&e;</name><uuid>" UUID "</uuid></domain>",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct libvirt_xml_guest guest;
        struct err err = { 0 };

        ck_assert_msg(libvirt_xml_read_guest(&arena, bad[i], &guest, &err) < 0, "%s", bad[i]);
        ck_assert_int_eq(err.code, ERR_INVALID);
    }
}
END_TEST

START_TEST(xml_beyond_all_reason_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *huge = arena_alloc(&arena, LIBVIRT_XML_MAX_BYTES + 2, 1);
    struct libvirt_xml_guest guest;
    struct err err = { 0 };

    memset(huge, ' ', LIBVIRT_XML_MAX_BYTES + 1);
    ck_assert_int_eq(libvirt_xml_read_guest(&arena, huge, &guest, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

static const char *capabilities(struct arena *arena, const char *microcode, const char *features)
{
    return text_format(
        arena,
        "<capabilities><host><cpu><arch>x86_64</arch><model>Broadwell</model><vendor>Intel</vendor>"
        "<microcode version='%s'/>%s<pages unit='KiB' size='4'/></cpu>"
        "<topology><cells num='2'>"
        "<cell id='0'><pages unit='KiB' size='4'>1000</pages>"
        "<pages unit='KiB' size='2048'>10</pages><pages unit='KiB' size='1048576'>0</pages></cell>"
        "<cell id='1'><pages unit='KiB' size='2048'>5</pages></cell></cells></topology></host>"
        "<guest><os_type>hvm</os_type><arch name='i686'><machine>isapc</machine></arch></guest>"
        "<guest><os_type>hvm</os_type><arch name='x86_64'>"
        "<machine maxCpus='255'>pc-q35-7.2</machine><machine canonical='pc-q35-7.2'>q35</machine>"
        "<domain type='qemu'/><domain type='kvm'><machine>pc-q35-7.2</machine>"
        "<machine>microvm</machine></domain></arch></guest></capabilities>",
        microcode, features);
}

static struct observed_host read_host(struct arena *arena, const char *microcode,
                                      const char *features)
{
    struct observed_host host = { .name = "kvm1", .cpus = 7 };
    struct err err;

    ck_assert_msg(libvirt_xml_read_capabilities(arena, capabilities(arena, microcode, features),
                                                &host, &err) == 0,
                  "%s", err.text);
    return host;
}

START_TEST(capabilities_tell_what_a_host_can_run)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed_host host = read_host(&arena, "1", "<feature name='vme'/>");

    ck_assert_str_eq(host.arch, "x86_64");
    ck_assert_str_eq(host.cpu_model, "Broadwell");
    ck_assert_uint_eq(host.machine_count, 3);
    ck_assert_str_eq(host.machines[0], "microvm");
    ck_assert_str_eq(host.machines[1], "pc-q35-7.2");
    ck_assert_str_eq(host.machines[2], "q35");
    ck_assert_str_eq(host.name, "kvm1");
    ck_assert_uint_eq(host.cpus, 7);
}
END_TEST

START_TEST(huge_pages_are_summed_over_all_nodes)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed_host host = read_host(&arena, "1", "");

    ck_assert_uint_eq(host.hugepage_count, 1);
    ck_assert_uint_eq(host.hugepages[0].page_kib, 2048);
    ck_assert_uint_eq(host.hugepages[0].total, 15);
}
END_TEST

START_TEST(least_pages_are_the_ordinary_ones)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed_host host = { .name = "kvm1" };
    struct err err;
    const char *xml = "<capabilities><host><cpu><arch>aarch64</arch></cpu><topology><cells>"
                      "<cell id='0'><pages unit='KiB' size='64'>9000</pages>"
                      "<pages unit='KiB' size='524288'>3</pages></cell></cells></topology></host>"
                      "</capabilities>";

    ck_assert_int_eq(libvirt_xml_read_capabilities(&arena, xml, &host, &err), 0);
    ck_assert_uint_eq(host.hugepage_count, 1);
    ck_assert_uint_eq(host.hugepages[0].page_kib, 524288);
}
END_TEST

START_TEST(numa_nodes_of_a_host_are_counted_as_far_as_they_go)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct observed_host host = read_host(&arena, "1", "");
    struct err err;
    const char *gap = "<capabilities><host><cpu><arch>ppc64</arch></cpu><topology><cells>"
                      "<cell id='0'/><cell id='1'/><cell id='8'/></cells></topology></host>"
                      "</capabilities>";

    ck_assert_uint_eq(host.numa_nodes, 2);
    ck_assert_int_eq(libvirt_xml_read_capabilities(&arena, gap, &host, &err), 0);
    ck_assert_uint_eq(host.numa_nodes, 2);
}
END_TEST

START_TEST(fingerprints_are_equal_only_for_equal_cpus)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *ab =
        read_host(&arena, "1", "<feature name='a'/><feature name='b'/>").cpu_fingerprint;
    const char *ba =
        read_host(&arena, "1", "<feature name='b'/><feature name='a'/>").cpu_fingerprint;
    const char *a = read_host(&arena, "1", "<feature name='a'/>").cpu_fingerprint;
    const char *newer =
        read_host(&arena, "2", "<feature name='a'/><feature name='b'/>").cpu_fingerprint;

    ck_assert_str_eq(ab, ba); /* The order in which libvirt lists them means nothing. */
    ck_assert_str_ne(ab, a);
    ck_assert_str_ne(ab, newer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_xml");
    TCase *guests = tcase_create("guests");
    TCase *hosts = tcase_create("hosts");

    tcase_add_test(guests, facts_of_a_guest_are_read);
    tcase_add_test(guests, huge_pages_of_a_guest_are_seen);
    tcase_add_test(guests, pages_of_the_default_size_are_those_of_the_only_pool);
    tcase_add_test(guests, numa_nodes_that_a_guest_names_are_seen);
    tcase_add_test(guests, vcpus_that_are_online_count);
    tcase_add_test(guests, disks_are_read_with_what_makes_them_safe_to_move);
    tcase_add_test(guests, network_disks_are_the_same_everywhere);
    tcase_add_test(guests, network_disks_reached_through_their_host_are_not_told_apart);
    tcase_add_test(guests, a_volume_of_a_pool_is_read_by_their_names);
    tcase_add_test(guests, sources_we_do_not_understand_are_said_to_be_other);
    tcase_add_test(guests, devices_of_the_host_are_counted);
    tcase_add_test(guests,
                   interfaces_of_the_host_are_its_functions_by_address_and_its_devices_by_name);
    tcase_add_test(guests, an_address_that_is_none_names_no_interface);
    tcase_add_test(guests, a_network_that_gives_functions_from_a_pool_is_told);
    tcase_add_test(guests, what_several_interfaces_join_is_named_once);
    tcase_add_test(guests, firmware_state_in_files_is_seen);
    tcase_add_test(guests, what_is_no_domain_is_refused);
    tcase_add_test(guests, xml_beyond_all_reason_is_refused);
    tcase_add_test(hosts, capabilities_tell_what_a_host_can_run);
    tcase_add_test(hosts, huge_pages_are_summed_over_all_nodes);
    tcase_add_test(hosts, least_pages_are_the_ordinary_ones);
    tcase_add_test(hosts, numa_nodes_of_a_host_are_counted_as_far_as_they_go);
    tcase_add_test(hosts, fingerprints_are_equal_only_for_equal_cpus);
    suite_add_tcase(suite, guests);
    suite_add_tcase(suite, hosts);
    return runner_run(suite);
}
