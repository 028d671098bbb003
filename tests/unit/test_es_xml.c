/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "tests/runner.h"

/* A document with one machine a line: the first is on line 3. */
#define DOCUMENT(machines, rest)           \
    "<engineeredSystem xmlns=\"model\">\n" \
    "<machines>\n" machines "</machines>\n" rest "</engineeredSystem>\n"
#define HOST(id, name, inner)                                                      \
    "<machine id=\"" id "\"><hostName>" name "</hostName><virtual>false</virtual>" \
    "<osType>LinuxKVM</osType>" inner "</machine>\n"
#define GUEST(id, name, inner)                                                    \
    "<machine id=\"" id "\"><hostName>" name "</hostName><virtual>true</virtual>" \
    "<osType>LinuxKVMGuest</osType>" inner "</machine>\n"
#define PLACE(id) "<machine id=\"" id "\"/>"
#define CELL \
    "<machine id=\"cell\"><hostName>cell 1!</hostName><osType>LinuxDom0</osType></machine>\n"

#define TEN(s)      s s s s s s s s s s
#define HUNDRED(s)  TEN(TEN(s))
#define THOUSAND(s) TEN(HUNDRED(s))

struct fixture {
    struct arena arena;
    struct faults faults;
    struct desired desired;
    int result;
};

static void deinit(struct fixture *fixture)
{
    arena_deinit(&fixture->arena);
}

AUTO_VALUE(fixture, struct fixture, deinit);

static void read_bytes(struct fixture *fixture, const char *bytes, size_t length)
{
    *fixture = (struct fixture){ .arena = ARENA_INIT };
    fixture->faults = fault_list(&fixture->arena);
    fixture->result =
        es_xml_read(&fixture->arena, bytes, length, &fixture->desired, &fixture->faults);
}

static void read_text(struct fixture *fixture, const char *text)
{
    read_bytes(fixture, text, strlen(text));
}

/* Every fault as "LINE: text\n". */
static const char *listing(struct fixture *fixture)
{
    struct text text = text_new(&fixture->arena);

    for (size_t i = 0; i < fixture->faults.count; i++) {
        text_printf(&text, "%u: %s\n", fixture->faults.items[i].line,
                    fixture->faults.items[i].text);
    }
    return text.data;
}

static void assert_sound(struct fixture *fixture)
{
    ck_assert_str_eq(listing(fixture), "");
    ck_assert_int_eq(fixture->result, 0);
}

START_TEST(hosts_guests_and_placement_are_read)
{
    AUTO(fixture) struct fixture fixture;
    const struct desired *desired = &fixture.desired;

    read_text(&fixture,
              DOCUMENT(HOST("h2", "kvm2",
                            PLACE("g1") "<physicalMemorySize>1.5TB"
                                        "</physicalMemorySize>") HOST("h1", "kvm1", PLACE("g2"))
                           GUEST("g1", "web",
                                 "<guestCores>8</guestCores>"
                                 "<guestMemory>64Gb</guestMemory>") GUEST("g2", "db", ""),
                       ""));
    assert_sound(&fixture);
    ck_assert_uint_eq(desired->host_count, 2);
    ck_assert_str_eq(desired->hosts[0].name, "kvm1");
    ck_assert_str_eq(desired->hosts[0].id, "h1");
    ck_assert_uint_eq(desired->hosts[0].memory_kib, 0);
    ck_assert_uint_eq(desired->hosts[0].line, 4);
    ck_assert_uint_eq(desired->hosts[1].memory_kib, UINT64_C(1536) << 20);
    ck_assert_uint_eq(desired->guest_count, 2);
    ck_assert_str_eq(desired->guests[0].name, "db");
    ck_assert_uint_eq(desired->guests[0].host, 0);
    ck_assert_uint_eq(desired->guests[0].vcpus, 0);
    ck_assert_uint_eq(desired->guests[0].memory_kib, 0);
    ck_assert_str_eq(desired->guests[1].name, "web");
    ck_assert_str_eq(desired->guests[1].id, "g1");
    ck_assert_uint_eq(desired->guests[1].host, 1);
    ck_assert_uint_eq(desired->guests[1].vcpus, 8);
    ck_assert_uint_eq(desired->guests[1].memory_kib, UINT64_C(64) << 20);
    ck_assert_uint_eq(desired->guests[1].line, 5);
    ck_assert_ptr_null(desired->guests[1].pending_action);
}
END_TEST

START_TEST(placement_follows_references_and_never_the_text_of_ids)
{
    AUTO(fixture) struct fixture fixture;

    read_text(&fixture, DOCUMENT(GUEST("kvm1_vm1_id", "vm1", "") HOST("kvm1_id", "kvm1", "")
                                     HOST("kvm2_id", "kvm2", PLACE("kvm1_vm1_id")),
                                 ""));
    assert_sound(&fixture);
    ck_assert_str_eq(fixture.desired.hosts[fixture.desired.guests[0].host].name, "kvm2");
}
END_TEST

START_TEST(clusters_volumes_and_racks_are_resolved_wherever_they_stand)
{
    AUTO(fixture) struct fixture fixture;
    const struct desired *desired = &fixture.desired;
    const struct desired_guest *guest;

    read_text(
        &fixture,
        "<engineeredSystem>"
        "<esRacks><esRack><esRackItem id='h'><rackItemFamily> X10M\n</rackItemFamily></esRackItem>"
        "<esRackItem id='switch1'/><esRackItem id='cell'/></esRack></esRacks>"
        "<storage><edvVolumes><edvVolume id='v2'><edvVolumeName>data</edvVolumeName></edvVolume>"
        "<edvVolume id='v1'><edvDevicePath>/dev/exc/sys_1</edvDevicePath></edvVolume></edvVolumes>"
        "</storage>"
        "<machines>" HOST("h", "kvm1", PLACE("g")) GUEST(
            "g", "vm1",
            "<software><clusters><cluster id='c2'/><cluster id='c1'/><cluster id='c2'/></clusters>"
            "</software><edvVolumes><edvVolume id='v1'/><edvVolume id='v2'/></edvVolumes>") CELL
        "</machines>"
        "<software><clusters><cluster id='c1'><clusterName>prod</clusterName></cluster>"
        "<cluster id='c2'/><cluster id='c0'><clusterName>zoo</clusterName></cluster></clusters>"
        "</software><switches><switch id='switch1'/></switches></engineeredSystem>");
    assert_sound(&fixture);
    ck_assert_str_eq(desired->hosts[0].rack_family, "X10M");
    ck_assert_uint_eq(desired->cluster_count, 3);
    ck_assert_str_eq(desired->clusters[0], "c2"); /* It has no name: its id is. */
    ck_assert_str_eq(desired->clusters[1], "prod");
    ck_assert_str_eq(desired->clusters[2], "zoo");
    guest = &desired->guests[0];
    ck_assert_uint_eq(guest->cluster_count, 2);
    ck_assert_uint_eq(desired->cluster_refs[guest->first_cluster], 0);
    ck_assert_uint_eq(desired->cluster_refs[guest->first_cluster + 1], 1);
    ck_assert_uint_eq(guest->volume_count, 2);
    ck_assert_uint_eq(desired->volume_count, 2);
    ck_assert_str_eq(desired->volumes[0].id, "v1");
    ck_assert_str_eq(desired->volumes[0].device, "/dev/exc/sys_1");
    ck_assert_ptr_null(desired->volumes[0].name);
    ck_assert_str_eq(desired->volumes[1].name, "data");
    ck_assert_ptr_null(desired->volumes[1].device);
}
END_TEST

START_TEST(guests_own_slices_of_references_in_their_own_order)
{
    AUTO(fixture) struct fixture fixture;
    const struct desired *desired = &fixture.desired;

    read_text(
        &fixture,
        DOCUMENT(
            HOST("h", "kvm1", PLACE("z") PLACE("a")) GUEST(
                "z", "z1", "<software><clusters><cluster id='c1'/></clusters></software>")
                GUEST("a", "a1", "<software><clusters><cluster id='c2'/></clusters></software>"),
            "<software><clusters><cluster id='c1'/><cluster id='c2'/></clusters>"
            "</software>"));
    assert_sound(&fixture);
    ck_assert_str_eq(desired->clusters[desired->cluster_refs[desired->guests[0].first_cluster]],
                     "c2");
    ck_assert_str_eq(desired->clusters[desired->cluster_refs[desired->guests[1].first_cluster]],
                     "c1");
}
END_TEST

/* Documents that differ from what one expects, and are sound all the same. */
static const struct {
    const char *sentence;
    const char *xml;
    size_t hosts;
    size_t guests;
} sound[] = {
    { "a file without machines is sound", "<engineeredSystem/>", 0, 0 },
    { "namespaces do not matter",
      "<m:engineeredSystem xmlns:m='urn:a'><m:machines><m:machine id='h'><m:hostName>k</m:hostName>"
      "<m:osType>LinuxKVM</m:osType><m:virtual>false</m:virtual></m:machine></m:machines>"
      "</m:engineeredSystem>",
      1, 0 },
    { "an undeclared prefix does not matter",
      "<engineeredSystem><q:machines><q:machine id='h'><q:hostName>k</q:hostName>"
      "<osType>LinuxKVM</osType><virtual>false</virtual></q:machine></q:machines>"
      "</engineeredSystem>",
      1, 0 },
    { "storage cells, Xen and unknown machines need nothing",
      DOCUMENT(CELL "<machine/><machine id='x'><osType>LinuxGuest</osType><virtual>true</virtual>"
                    "<guestMemory>lots</guestMemory><guestCores>many</guestCores>"
                    "<software><clusters><cluster id='nowhere'/></clusters></software></machine>\n",
               ""),
      0, 0 },
    { "an osType alone does not make a host or a guest",
      DOCUMENT("<machine id='a'><osType>LinuxKVM</osType><virtual>true</virtual></machine>\n"
               "<machine id='b'><osType>LinuxKVMGuest</osType><virtual>false</virtual></machine>\n"
               "<machine id='c'><osType>LinuxKVM</osType></machine>\n",
               ""),
      0, 0 },
    { "a host may refer to an ignored machine", DOCUMENT(HOST("h", "k", PLACE("cell")) CELL, ""), 1,
      0 },
    { "ignored machines may share an id", DOCUMENT(CELL CELL, ""), 0, 0 },
    { "a reference inside an ignored machine or a guest is no placement",
      DOCUMENT("<machine id='x'><osType>LinuxDom0</osType>" PLACE("g") "</machine>\n" HOST(
                   "h", "k", PLACE("g")) GUEST("g", "vm", PLACE("g") PLACE("nowhere")),
               ""),
      1, 1 },
    { "a machine elsewhere is a reference of somebody else",
      DOCUMENT(HOST("h", "k", PLACE("g")) GUEST("g", "vm", ""),
               "<other><machine id='nowhere'/><machines><machine id='g'/></machines></other>\n"),
      1, 1 },
    { "a nested machine with more than an id is no placement",
      DOCUMENT(HOST("h", "k", PLACE("g") "<machine id='g'><a/></machine>") GUEST("g", "vm", ""),
               ""),
      1, 1 },
    { "a reference may be written with an end tag and blanks",
      DOCUMENT(HOST("h", "k", "<machine id='g'> <!-- here --> </machine>") GUEST("g", "vm", ""),
               ""),
      1, 1 },
    { "text may come in pieces, with blanks, CDATA, entities and comments",
      DOCUMENT(HOST("h", "\n kv<![CDATA[m]]><!-- x -->&#49;\t", "<a><hostName>no</hostName></a>"),
               ""),
      1, 0 },
    { "text of an unknown element inside a field is not the field's",
      DOCUMENT(HOST("h", "kvm<i>no</i>1", ""), ""), 1, 0 },
    { "references to characters are characters in ids too",
      DOCUMENT(HOST("h", "k", PLACE("a&amp;&#38;b")) GUEST("a&#38;&amp;b", "vm", ""), ""), 1, 1 },
    { "a byte order mark and a UTF-8 declaration are fine",
      "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><engineeredSystem/>", 0, 0 },
    { "US-ASCII is UTF-8 too", "<?xml version='1.0' encoding='US-ASCII'?><engineeredSystem/>", 0,
      0 },
    { "true and false may be capitals",
      DOCUMENT("<machine id='h'><hostName>k</hostName><osType>LinuxKVM</osType>"
               "<virtual>FALSE</virtual></machine>\n",
               ""),
      1, 0 },
    { "two clusters may have one name",
      DOCUMENT("", "<software><clusters><cluster id='1'><clusterName>c</clusterName></cluster>"
                   "<cluster id='2'><clusterName>c</clusterName></cluster></clusters></software>"),
      0, 0 },
};

START_TEST(sound_documents_have_no_fault)
{
    AUTO(fixture) struct fixture fixture;

    read_text(&fixture, sound[_i].xml);
    ck_assert_msg(fixture.result == 0, "%s: %s", sound[_i].sentence, listing(&fixture));
    ck_assert_msg(fixture.desired.host_count == sound[_i].hosts, "%s", sound[_i].sentence);
    ck_assert_msg(fixture.desired.guest_count == sound[_i].guests, "%s", sound[_i].sentence);
}
END_TEST

#define NAME_RULE " is not a host name: letters, digits, '-', '_' and '.' only, 253 bytes at most\n"
#define SIZE_RULE \
    " is not a size: a number, then K, M, G or T with B or iB or neither, a whole number of KiB\n"
#define ONE_HOST(inner)  DOCUMENT(HOST("h", "kvm1", inner), "")
#define ONE_GUEST(inner) DOCUMENT(HOST("h", "kvm1", PLACE("g")) GUEST("g", "vm1", inner), "")

/* Each rule of the contract with all the faults that a document breaking it has. */
static const struct {
    const char *sentence;
    const char *xml;
    const char *faults;
} broken[] = {
    { "an empty file is a fault", "", "1: the file is empty\n" },
    { "a blank file is empty", " \n\t\r\n", "1: the file is empty\n" },
    { "a file cut short is not well-formed", "<engineeredSystem>\n<machines>\n<machine id=\"h\"",
      "3: not well-formed: attributes construct error\n" },
    { "a missing end tag is named with its line", "<engineeredSystem>\n<a>\n</engineeredSystem>",
      "3: not well-formed: Opening and ending tag mismatch: a line 2 and engineeredSystem\n" },
    { "two attributes of one name are not well-formed", "<engineeredSystem a='1' a='2'/>",
      "1: not well-formed: Attribute a redefined\n" },
    { "text behind the end is not well-formed", "<engineeredSystem/>\nmore",
      "2: not well-formed: Extra content at the end of the document\n" },
    { "an undefined entity is not well-formed", "<engineeredSystem>&a;</engineeredSystem>",
      "1: not well-formed: Entity 'a' not defined\n" },
    { "what was found before the end of well-formedness is reported too",
      "<engineeredSystem><machines>\n" HOST("h", "kvm 1", "") "</machine>",
      "2: hostName 'kvm 1'" NAME_RULE
      "3: not well-formed: Opening and ending tag mismatch: machines line 1 and machine\n" },
    { "a DOCTYPE is a fault", "<!DOCTYPE engineeredSystem>\n<engineeredSystem/>",
      "1: a DOCTYPE is not allowed\n" },
    { "no entity of a DOCTYPE is ever declared or expanded",
      "<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>\n"
      "<!ENTITY c '&b;&b;'>]>\n<engineeredSystem>&c;</engineeredSystem>",
      "2: a DOCTYPE is not allowed\n" },
    { "bytes that are not UTF-8 are a fault",
      "<engineeredSystem>\n<a>caf\xe9</a></engineeredSystem>",
      "2: not UTF-8: byte 0xe9 at offset 25\n" },
    { "an overlong form is not UTF-8", "<engineeredSystem a='\xc0\xaf'/>",
      "1: not UTF-8: byte 0xc0 at offset 21\n" },
    { "a surrogate is not UTF-8", "<engineeredSystem a='\xed\xa0\x80'/>",
      "1: not UTF-8: byte 0xed at offset 21\n" },
    { "a character cut off by the end is not UTF-8", "<engineeredSystem/>\xe2\x82",
      "1: not UTF-8: byte 0xe2 at offset 19\n" },
    { "a UTF-16 mark is not UTF-8", "\xff\xfe<", "1: not UTF-8: byte 0xff at offset 0\n" },
    { "a declaration of another encoding is a fault",
      "<?xml version='1.0' encoding='ISO-8859-1'?>\n<engineeredSystem/>",
      "1: not UTF-8: the file declares 'ISO-8859-1'\n" },
    { "a control character is not well-formed", "<engineeredSystem>\x01</engineeredSystem>",
      "1: not well-formed: PCDATA invalid Char value 1\n" },
    { "another root is no es.xml", "<html/>",
      "1: the first element is 'html', not 'engineeredSystem'\n" },
    { "endless nesting is a fault", "<engineeredSystem>\n" HUNDRED("<a>"),
      "2: elements are nested more than 100 deep\n" },

    { "a host needs a hostName",
      DOCUMENT("<machine id='h'><osType>LinuxKVM</osType><virtual>false</virtual></machine>\n", ""),
      "3: machine 'h' has no hostName\n" },
    { "a hostName must not be empty", DOCUMENT(HOST("h", " ", ""), ""),
      "3: hostName ''" NAME_RULE },
    { "a hostName must be a host name", DOCUMENT(HOST("h", "a/../b", ""), ""),
      "3: hostName 'a/../b'" NAME_RULE },
    { "a hostName of other letters is none", DOCUMENT(HOST("h", "kvm\xc3\xa9", ""), ""),
      "3: hostName 'kvm\xc3\xa9'" NAME_RULE },
    { "a line feed does not break a fault's line",
      DOCUMENT(HOST("h\x7f", "kvm1", PLACE("a&#10;b")), ""),
      "3: host 'kvm1' places machine 'a?b', which is not defined\n" },
    { "a field given twice is a fault", ONE_HOST("<hostName>kvm2</hostName>"),
      "3: a second hostName\n" },
    { "a field too long is a fault",
      ONE_HOST("<physicalMemorySize>" THOUSAND("12345") "</physicalMemorySize>"),
      "3: physicalMemorySize is longer than 4096 bytes\n" },
    { "a host needs an id", DOCUMENT(HOST("", "kvm1", ""), ""), "3: machine 'kvm1' has no id\n" },
    { "a guest needs an id",
      DOCUMENT("<machine><hostName>vm1</hostName><virtual>true</virtual>"
               "<osType>LinuxKVMGuest</osType></machine>\n",
               ""),
      "3: machine 'vm1' has no id\n" },

    { "a size must parse", ONE_GUEST("\n<guestMemory>64 gigs</guestMemory>"),
      "5: guestMemory '64 gigs'" SIZE_RULE },
    { "a size must not be negative", ONE_GUEST("<guestMemory>-1</guestMemory>"),
      "4: guestMemory '-1'" SIZE_RULE },
    { "a size must not overflow", ONE_GUEST("<guestMemory>99999999999999999999T</guestMemory>"),
      "4: guestMemory '99999999999999999999T'" SIZE_RULE },
    { "a size must be exact in KiB", ONE_HOST("<physicalMemorySize>1.3K</physicalMemorySize>"),
      "3: physicalMemorySize '1.3K'" SIZE_RULE },
    { "a size must not be empty", ONE_HOST("<physicalMemorySize/>"),
      "3: physicalMemorySize ''" SIZE_RULE },
    { "no size is nothing", ONE_GUEST("<guestMemory>0 GB</guestMemory>"),
      "4: guestMemory '0 GB' is nothing at all\n" },
    { "no guest has no vCPU", ONE_GUEST("<guestCores>0</guestCores>"),
      "4: guestCores '0' is not a number from 1 to 4096\n" },
    { "no guest has 4097 vCPUs", ONE_GUEST("<guestCores>4097</guestCores>"),
      "4: guestCores '4097' is not a number from 1 to 4096\n" },
    { "vCPUs are whole", ONE_GUEST("<guestCores>1.5</guestCores>"),
      "4: guestCores '1.5' is not a number from 1 to 4096\n" },
    { "vCPUs do not overflow", ONE_GUEST("<guestCores>18446744073709551617</guestCores>"),
      "4: guestCores '18446744073709551617' is not a number from 1 to 4096\n" },

    { "two definitions with one id name both lines",
      DOCUMENT(HOST("x", "kvm1", "") HOST("x", "kvm2", ""), ""),
      "4: machine id 'x' is defined twice, first on line 3\n" },
    { "a host and a cell with one id are two definitions",
      DOCUMENT(CELL HOST("cell", "kvm1", ""), ""),
      "4: machine id 'cell' is defined twice, first on line 3\n" },
    { "a guest behind another with its id is not called unplaced",
      DOCUMENT(HOST("h", "kvm1", PLACE("g")) GUEST("g", "vm1", "") GUEST("g", "vm2", ""), ""),
      "5: machine id 'g' is defined twice, first on line 4\n" },
    { "one hostName for two names both lines",
      DOCUMENT(HOST("h", "kvm1", PLACE("g")) GUEST("g", "kvm1", ""), ""),
      "4: hostName 'kvm1' is used twice, first on line 3\n" },
    { "hostNames that differ only in case are one",
      DOCUMENT(HOST("a", "kvm1", "") HOST("c", "kvm2", "") HOST("b", "KVM1", ""), ""),
      "5: hostName 'KVM1' differs only in case from 'kvm1' on line 3\n" },
    { "a third definition names the first",
      DOCUMENT(HOST("x", "kvm1", "") HOST("x", "kvm2", "") HOST("x", "kvm3", ""), ""),
      "4: machine id 'x' is defined twice, first on line 3\n"
      "5: machine id 'x' is defined twice, first on line 3\n" },
    { "a cluster id is defined once",
      DOCUMENT("",
               "<software><clusters><cluster id='c'/>\n<cluster id='c'/></clusters></software>"),
      "5: cluster id 'c' is defined twice, first on line 4\n" },
    { "a volume id is defined once",
      DOCUMENT("", "<storage><edvVolumes><edvVolume id='v'/>\n<edvVolume id='v'/></edvVolumes>"
                   "</storage>"),
      "5: edvVolume id 'v' is defined twice, first on line 4\n" },

    { "a placement must resolve", ONE_HOST(PLACE("g")),
      "3: host 'kvm1' places machine 'g', which is not defined\n" },
    { "a placement without id resolves to nothing", ONE_HOST("<machine/>"),
      "3: host 'kvm1' places machine '', which is not defined\n" },
    { "a host is placed on no host",
      DOCUMENT(HOST("a", "kvm1", PLACE("b")) HOST("b", "kvm2", ""), ""),
      "3: host 'kvm1' places 'kvm2', which is a host, not a guest\n" },
    { "a guest is placed somewhere", DOCUMENT(HOST("h", "kvm1", "") GUEST("g", "vm1", ""), ""),
      "4: guest 'vm1' is placed on no host\n" },
    { "a guest is placed once",
      DOCUMENT(HOST("a", "kvm1", PLACE("g")) HOST("b", "kvm2", PLACE("g")) GUEST("g", "vm1", ""),
               ""),
      "4: guest 'vm1' is placed twice, first on line 3\n" },
    { "a guest is placed once even on one host",
      DOCUMENT(HOST("a", "kvm1", PLACE("g") PLACE("g")) GUEST("g", "vm1", ""), ""),
      "3: guest 'vm1' is placed twice, first on line 3\n" },
    { "a guest's cluster must resolve",
      ONE_GUEST("<software><clusters><cluster id='c'/></clusters></software>"),
      "4: guest 'vm1' refers to cluster 'c', which is not defined\n" },
    { "a guest's volume must resolve", ONE_GUEST("<edvVolumes><edvVolume id='v'/></edvVolumes>"),
      "4: guest 'vm1' refers to edvVolume 'v', which is not defined\n" },
    { "a rack item must resolve",
      DOCUMENT("", "<esRacks><esRack><esRackItem id='h'/></esRack></esRacks>"),
      "4: esRackItem refers to 'h', which is not defined\n" },

    { "all faults of a file come in one run, by line",
      DOCUMENT(HOST("h", "kvm1", PLACE("nobody")) GUEST("g", "vm1", "<guestCores>x</guestCores>")
                   GUEST("i", "VM1", "<guestMemory>y</guestMemory>"),
               ""),
      "3: host 'kvm1' places machine 'nobody', which is not defined\n"
      "4: guest 'vm1' is placed on no host\n"
      "4: guestCores 'x' is not a number from 1 to 4096\n"
      "5: guest 'VM1' is placed on no host\n"
      "5: guestMemory 'y'" SIZE_RULE
      "5: hostName 'VM1' differs only in case from 'vm1' on line 4\n" },
};

START_TEST(broken_documents_have_exactly_these_faults)
{
    AUTO(fixture) struct fixture fixture;
    const char *found;

    read_text(&fixture, broken[_i].xml);
    found = listing(&fixture);
    ck_assert_msg(strcmp(found, broken[_i].faults) == 0, "%s: got\n%s", broken[_i].sentence, found);
    ck_assert_msg(fixture.result == -1, "%s", broken[_i].sentence);
    ck_assert_msg(fixture.desired.hosts == NULL, "%s: desired was written", broken[_i].sentence);
}
END_TEST

START_TEST(file_of_more_than_64_mib_is_refused_unread)
{
    AUTO(fixture) struct fixture fixture;

    read_bytes(&fixture, "<", ES_XML_MAX_BYTES + 1);
    ck_assert_str_eq(listing(&fixture), "0: larger than 64 MiB\n");
}
END_TEST

START_TEST(nul_byte_is_not_utf_8)
{
    AUTO(fixture) struct fixture fixture;
    const char utf16[] = "<\0e\0/\0>\0";

    read_bytes(&fixture, utf16, sizeof(utf16) - 1);
    ck_assert_str_eq(listing(&fixture), "1: not UTF-8: byte 0x00 at offset 1\n");
}
END_TEST

START_TEST(bad_byte_is_found_at_every_offset)
{
    char document[] = "<engineeredSystem><!-- 0123456789 --></engineeredSystem>";

    for (size_t i = 0; i < sizeof(document) - 1; i++) {
        AUTO(fixture) struct fixture fixture;
        char kept = document[i];
        char *expected;

        document[i] = (char)0x80;
        read_text(&fixture, document);
        expected = text_format(&fixture.arena, "1: not UTF-8: byte 0x80 at offset %zu\n", i);
        ck_assert_str_eq(listing(&fixture), expected);
        document[i] = kept;
    }
}
END_TEST

START_TEST(every_prefix_of_a_file_is_refused)
{
    static const char document[] =
        "<?xml version=\"1.0\"?>" ONE_GUEST("<guestCores>1</guestCores>");
    size_t whole = sizeof(document) - 2; /* The last line feed may be missing. */

    for (size_t length = 0; length <= whole; length++) {
        AUTO(fixture) struct fixture fixture;

        read_bytes(&fixture, document, length);
        ck_assert_int_eq(fixture.result, length == whole ? 0 : -1);
        ck_assert_uint_eq(fixture.faults.count, length == whole ? 0 : 1);
    }
}
END_TEST

START_TEST(lines_beyond_65535_are_counted)
{
    AUTO(fixture) struct fixture fixture;
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    text_append(&text, "<engineeredSystem>");
    text_fill(&text, '\n', 70000);
    text_append(&text, "<machines>" HOST("h", "k!", "") "\n</machine>");
    read_text(&fixture, text.data);
    ck_assert_uint_eq(fixture.faults.count, 2);
    ck_assert_uint_eq(fixture.faults.items[0].line, 70001);
    ck_assert_uint_eq(fixture.faults.items[1].line, 70003);
}
END_TEST

START_TEST(id_longer_than_any_is_refused)
{
    AUTO(fixture) struct fixture fixture;
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    text_append(&text, "<engineeredSystem><software><clusters><cluster id='");
    text_fill(&text, 'x', 513);
    text_append(&text, "'/></clusters></software></engineeredSystem>");
    read_text(&fixture, text.data);
    ck_assert_str_eq(listing(&fixture), "1: an id is longer than 512 bytes\n");
}
END_TEST

START_TEST(thousands_of_faults_are_counted_and_the_first_kept)
{
    AUTO(fixture) struct fixture fixture;

    read_text(&fixture, DOCUMENT(THOUSAND(HOST("h", "!", "")), ""));
    ck_assert_int_eq(fixture.result, -1);
    ck_assert_uint_eq(fixture.faults.count, FAULTS_MAX);
    ck_assert_uint_gt(fixture.faults.dropped, 0);
}
END_TEST

#define ACTION(attributes, command) \
    "<action " attributes "><subCommand>" command "</subCommand></action>\n"

/* What becomes of guest vm1 with these actions. */
static const struct {
    const char *sentence;
    const char *actions;
    const char *pending;
} actions[] = {
    { "an undeployed migration is pending",
      ACTION("id='28' merged='true' deployed='false'",
             "MIGRATE GUEST HOSTNAME=vm1 MODE=OFFLINE SRCHOST=a TGTHOST=b"),
      "28" },
    { "a deployed migration is done",
      ACTION("id='28' deployed='true'", "MIGRATE GUEST HOSTNAME=vm1"), NULL },
    { "a migration that does not say is pending", ACTION("id='28'", "MIGRATE GUEST HOSTNAME=vm1"),
      "28" },
    { "only 'true' means deployed", ACTION("id='1' deployed='yes'", "MIGRATE GUEST HOSTNAME=vm1"),
      "1" },
    { "words may be in either case and spread over lines",
      ACTION("id='1'", "\n  migrate\n guest\tTGTHOST=b hostname=VM1\n"), "1" },
    { "a value may be quoted", ACTION("id='1'", "MIGRATE GUEST HOSTNAME='vm1'"), "1" },
    { "an unknown guest is somebody else's", ACTION("id='1'", "MIGRATE GUEST HOSTNAME=vm2"), NULL },
    { "a host is no guest", ACTION("id='1'", "MIGRATE GUEST HOSTNAME=kvm1"), NULL },
    { "other commands move nothing", ACTION("id='1'", "ALTER GUEST HOSTNAME=vm1"), NULL },
    { "a command that only begins alike is another",
      ACTION("id='1'", "MIGRATE GUESTS HOSTNAME=vm1"), NULL },
    { "a migration that names no guest blocks none", ACTION("id='1'", "MIGRATE GUEST HOSTNAME="),
      NULL },
    { "an action without id still blocks", ACTION("", "MIGRATE GUEST HOSTNAME=vm1"), "?" },
    { "the first of two counts",
      ACTION("id='7'", "MIGRATE GUEST HOSTNAME=vm1") ACTION("id='3'", "MIGRATE GUEST HOSTNAME=vm1"),
      "7" },
    { "a deployed one before it hides nothing",
      ACTION("id='7' deployed='true'", "MIGRATE GUEST HOSTNAME=vm1")
          ACTION("id='8' deployed='false'", "MIGRATE GUEST HOSTNAME=vm1"),
      "8" },
};

START_TEST(undeployed_migrations_mark_their_guest)
{
    AUTO(fixture) struct fixture fixture;
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *pending;

    read_text(&fixture, text_format(&arena,
                                    DOCUMENT(HOST("h", "kvm1", PLACE("g")) GUEST("g", "vm1", ""),
                                             "<actions>%s</actions>"),
                                    actions[_i].actions));
    assert_sound(&fixture);
    pending = fixture.desired.guests[0].pending_action;
    ck_assert_msg(text_equal(pending, actions[_i].pending), "%s: got %s", actions[_i].sentence,
                  pending == NULL ? "none" : pending);
}
END_TEST

START_TEST(order_of_elements_changes_nothing_but_lines)
{
    AUTO(fixture) struct fixture one;
    AUTO(fixture) struct fixture two;

    read_text(&one, DOCUMENT(HOST("h1", "a", PLACE("g2")) HOST("h2", "b", PLACE("g1"))
                                 GUEST("g1", "x", "") GUEST("g2", "y", ""),
                             ""));
    read_text(&two, DOCUMENT(GUEST("g2", "y", "") HOST("h2", "b", PLACE("g1")) GUEST("g1", "x", "")
                                 HOST("h1", "a", PLACE("g2")),
                             ""));
    assert_sound(&one);
    assert_sound(&two);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_str_eq(one.desired.hosts[i].name, two.desired.hosts[i].name);
        ck_assert_str_eq(one.desired.guests[i].name, two.desired.guests[i].name);
        ck_assert_uint_eq(one.desired.guests[i].host, two.desired.guests[i].host);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, hosts_guests_and_placement_are_read);
    tcase_add_test(tcase, placement_follows_references_and_never_the_text_of_ids);
    tcase_add_test(tcase, clusters_volumes_and_racks_are_resolved_wherever_they_stand);
    tcase_add_test(tcase, guests_own_slices_of_references_in_their_own_order);
    tcase_add_loop_test(tcase, sound_documents_have_no_fault, 0, ARRAY_LEN(sound));
    tcase_add_loop_test(tcase, broken_documents_have_exactly_these_faults, 0, ARRAY_LEN(broken));
    tcase_add_test(tcase, file_of_more_than_64_mib_is_refused_unread);
    tcase_add_test(tcase, nul_byte_is_not_utf_8);
    tcase_add_test(tcase, bad_byte_is_found_at_every_offset);
    tcase_add_test(tcase, every_prefix_of_a_file_is_refused);
    tcase_add_test(tcase, lines_beyond_65535_are_counted);
    tcase_add_test(tcase, id_longer_than_any_is_refused);
    tcase_add_test(tcase, thousands_of_faults_are_counted_and_the_first_kept);
    tcase_add_loop_test(tcase, undeployed_migrations_mark_their_guest, 0, ARRAY_LEN(actions));
    tcase_add_test(tcase, order_of_elements_changes_nothing_but_lines);
}

int main(void)
{
    Suite *suite = suite_create("es_xml");
    TCase *tcase = tcase_create("read");

    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
