#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks before a move on real hosts: each is given a reason to fail, and says so.

Not here: managed save at the source, snapshots, host devices, an older QEMU, a machine type that the target lacks and CPUs
that differ block a guest in the plan already, so nothing is asked about it (tests/cli, tests/golden); the
hosts share one QEMU, one CPU and one kernel, so versions, architectures, pages and NUMA nodes cannot differ.
A UUID or name that is taken is in tests/conformance."""

import json
import os
import unittest

from fleet import Fleet, FleetTest

fleet = Fleet(hosts=2)


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class Checks(FleetTest):
    def on(self, host, script):
        return fleet.lab("on", host, "sh", "-c", script)

    def put(self, host, path, text):
        """A file on that host alone; hosts have a /run of their own."""
        self.on(host, f"cat >{path} <<'END'\n{text}END\nchmod 755 {path}")

    def edited_guest(self, edit, **options):
        """Runs on kvm1 with edit(XML) as its definition."""
        fleet.guest("g1", "kvm1", off=True, **options)
        file = fleet.work / "g1.xml"
        file.write_text(edit(fleet.virsh("kvm1", "dumpxml", "--inactive", "g1")))
        fleet.virsh("kvm1", "define", file)
        fleet.virsh("kvm1", "start", "g1")

    def with_device(self, device, **options):
        self.edited_guest(lambda xml: xml.replace("</devices>", device + "</devices>"), **options)

    def checks(self, settings=None, exit_status=0):
        """name -> its checks, of the move of g1 to kvm2; those that passed too."""
        fleet.want(settings, g1="kvm2")
        result = fleet.berth("plan", "--checks", "--json")
        self.assert_exit(result, exit_status)
        [move] = json.loads(result.stdout)["moves"]
        found = {}
        for check in move["checks"]:
            found.setdefault(check["name"], []).append(check)
        return found

    def told(self, checks):
        """What did not pass, but for the lock manager that no lab host has."""
        return {name: [check["result"] for check in items if check["result"] != "passed"]
                for name, items in checks.items()
                if name != "lock-manager" and any(c["result"] != "passed" for c in items)}

    def assert_fails(self, name, evidence, settings=None):
        """This check fails and no other, with an advice, and the guest is where it was."""
        checks = self.checks(settings, exit_status=4)
        told = self.told(checks)
        if name == "emulator":  # Nothing there could compare a CPU.
            self.assertEqual(told.pop("cpu-model"), ["skipped"])
        self.assertEqual(told, {name: ["failed"]})
        [failed] = [c for c in checks[name] if c["result"] == "failed"]
        self.assertRegex(failed["evidence"], evidence)
        self.assertTrue(failed["change"])
        self.assert_runs_once("g1", "kvm1")

    def shared_disk(self):
        fleet.lab("volume", "v1")
        fleet.lab("attach", "kvm1", "v1")
        fleet.lab("attach", "kvm2", "v1")

    def set_in_qemu_conf(self, host, line):
        """libvirtd there does not read it anew; what is asked about is the file."""
        self.on(host, f"cp /etc/libvirt/qemu.conf /run/qemu.conf && echo '{line}' >>/etc/libvirt/qemu.conf")
        self.addCleanup(self.on, host, "cat /run/qemu.conf >/etc/libvirt/qemu.conf")

    def replace_date(self, script):
        """kvm2 has this in place of date; the real one is /run/date."""
        self.on("kvm2", "cp /usr/bin/date /run/date")
        self.put("kvm2", "/run/false-date", "#!/bin/sh\n" + script + "\n")
        self.on("kvm2", "mount --bind /run/false-date /usr/bin/date")
        self.addCleanup(self.on, "kvm2", "umount /usr/bin/date")

    # -- what is in order --------------------------------------------------------------------------

    def test_a_guest_that_can_move_passes_every_check_and_stays(self):
        self.shared_disk()
        fleet.guest("g1", "kvm1", disk="v1")
        checks = self.checks()
        self.assertEqual(self.told(checks), {})
        self.assertEqual([c["result"] for c in checks["lock-manager"]], ["warned"])
        self.assertEqual(
            sorted(checks),
            sorted("hosts state uuid name managed-save snapshots host-devices job block-job "
                   "architecture version machine-type emulator cpu-model cpus memory-charged "
                   "memory-available huge-pages numa-nodes disk-cache networks bridges storage "
                   "files target-reachable migration-port lock-manager clocks".split()))
        self.assert_runs_once("g1", "kvm1")
        self.assertFalse((fleet.work / "state").exists())

    # -- libvirt's knowledge -----------------------------------------------------------------------

    def test_a_disk_that_goes_through_a_cache(self):
        self.shared_disk()
        self.edited_guest(lambda xml: xml.replace("cache='none'", "cache='writeback'"), disk="v1")
        self.assert_fails("disk-cache", "'vda'.*'writeback'")

    def test_an_image_of_its_memory_from_an_earlier_life_on_the_target(self):
        fleet.guest("g1", "kvm1")
        image = "/var/lib/libvirt/qemu/save/g1.save"
        self.on("kvm2", f"mkdir -p {os.path.dirname(image)} && touch {image}")
        self.addCleanup(self.on, "kvm2", f"rm {image}")
        self.assert_fails("managed-save", f"'kvm2' \\({image}\\)")

    def test_a_block_job(self):
        self.shared_disk()
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.virsh("kvm1", "blockcopy", "g1", "vda", "--dest", "/run/copy.raw", "--format", "raw",
                    "--transient-job", "--bandwidth", "1")
        self.assert_fails("block-job", "'vda'")
        fleet.virsh("kvm1", "blockjob", "g1", "vda", "--abort")

    def test_a_network_that_the_target_does_not_have(self):
        self.put("kvm1", "/run/net.xml", "<network><name>n1</name><bridge name='virbr7'/></network>\n")
        self.on("kvm1", "virsh -q net-define /run/net.xml && virsh -q net-start n1")
        self.addCleanup(self.on, "kvm1", "virsh -q net-destroy n1; virsh -q net-undefine n1")
        self.with_device("<interface type='network'><source network='n1'/></interface>")
        self.assert_fails("networks", "'kvm2' has no active network 'n1'")

    def test_a_network_that_takes_functions_of_its_host_from_a_pool(self):
        network = "<network><name>n1</name>{}</network>\n"
        for host, what in (("kvm1", "<bridge name='virbr7'/>"), ("kvm2", "<forward mode='hostdev'/>")):
            self.put(host, "/run/net.xml", network.format(what))
            self.on(host, "virsh -q net-define /run/net.xml && virsh -q net-start n1")
            self.addCleanup(self.on, host, "virsh -q net-destroy n1; virsh -q net-undefine n1")
        self.with_device("<interface type='network'><source network='n1'/></interface>")
        self.assert_fails("networks", "'n1' of 'kvm2' gives it a function of its host")
        checks = self.checks({"migrate.mode": "offline"})
        self.assertIn("from a pool", checks["networks"][0]["evidence"])

    def test_an_emulator_that_the_target_does_not_have(self):
        self.put("kvm1", "/run/qemu-here", '#!/bin/sh\nexec /usr/bin/qemu-system-x86_64 "$@"\n')
        self.edited_guest(lambda xml: xml.replace("/usr/bin/qemu-system-x86_64", "/run/qemu-here"))
        self.assert_fails("emulator", "'kvm2' cannot run it.*/run/qemu-here")

    def test_more_cpus_than_the_target_has_are_a_warning(self):
        fleet.guest("g1", "kvm1", off=True, vcpus=64)
        checks = self.checks()
        self.assertEqual(self.told(checks), {"cpus": ["warned"]})

    # -- what is asked over SSH --------------------------------------------------------------------

    def test_another_disk_behind_the_same_path(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("wrongdisk", "kvm2", "v1")
        self.assert_fails("storage", r"'vda' \(/dev/exc/v1\) is not the same storage on 'kvm2'")

    def test_a_disk_that_the_target_does_not_have(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        self.assert_fails("storage", r"'vda' \(/dev/exc/v1\) does not exist on 'kvm2'")

    def pool(self, host, start=True, folder="/dev/exc"):
        """What is in a folder of the host as its storage pool p1."""
        self.on(host, f"virsh -q pool-define-as p1 dir --target {folder}")
        self.addCleanup(self.on, host, "virsh -q pool-destroy p1; virsh -q pool-undefine p1 || true")
        if start:
            self.on(host, "virsh -q pool-start p1")

    def guest_on_a_volume(self, volume="v1", cache="writethrough"):
        """g1, off on kvm1, whose disk is named as a volume of pool p1.  One that runs takes a file, as libvirt
        makes no block devices of a folder's."""
        fleet.guest("g1", "kvm1", disk="v1", off=True)
        file = fleet.work / "g1.xml"
        xml = fleet.virsh("kvm1", "dumpxml", "--inactive", "g1")
        xml = xml.replace("<disk type='block'", "<disk type='volume'")
        xml = xml.replace("<source dev='/dev/exc/v1'/>", f"<source pool='p1' volume='{volume}'/>")
        file.write_text(xml.replace("cache='none'", f"cache='{cache}'"))  # /run has no O_DIRECT.
        fleet.virsh("kvm1", "define", file)

    def test_a_disk_in_a_pool_is_proven_where_each_host_has_it(self):
        self.shared_disk()
        self.pool("kvm1")
        self.pool("kvm2")
        self.guest_on_a_volume()
        checks = self.checks()
        self.assertEqual(self.told(checks), {})
        [passed] = checks["storage"]
        self.assertIn("'vda', volume 'v1' of pool 'p1' (/dev/exc/v1) is the same", passed["evidence"])
        self.assert_exit(fleet.berth("apply", "--yes"), 0)
        self.assert_defined_only_on("g1", "kvm2")

    def test_a_guest_on_a_file_in_a_pool_moves_offline_to_where_the_target_has_it(self):
        fleet.lab("volume", "v1")
        self.pool("kvm1", folder=fleet.dir / "store")
        self.on("kvm2", f"mkdir /run/mine && mount --bind {fleet.dir}/store /run/mine")
        self.addCleanup(self.on, "kvm2", "umount --lazy /run/mine && rmdir /run/mine")
        self.pool("kvm2", folder="/run/mine")
        self.guest_on_a_volume("v1.img")
        fleet.virsh("kvm1", "start", "g1")
        fleet.want({"migrate.mode": "offline"}, g1="kvm2")
        self.assert_exit(fleet.berth("apply", "--yes"), 0)
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assertIn('"/run/mine/v1.img"', self.on("kvm2", "cat /var/log/libvirt/qemu/g1.log"))

    def test_a_pool_that_has_become_another_since_the_guest_started(self):
        fleet.lab("volume", "v1")
        self.on("kvm1", "mkdir /run/old && truncate -s 8M /run/old/v1.img")
        self.addCleanup(self.on, "kvm1", "rm -r /run/old")
        self.pool("kvm1", folder="/run/old")
        self.pool("kvm2", folder=fleet.dir / "store")
        self.guest_on_a_volume("v1.img")
        fleet.virsh("kvm1", "start", "g1")
        self.on("kvm1", "virsh -q pool-destroy p1; virsh -q pool-undefine p1")
        self.pool("kvm1", folder=fleet.dir / "store")
        self.assert_not_proven("'vda' of the guest that runs is not .*/store/v1.img", "start it anew",
                               {"migrate.mode": "offline"})

    def test_another_disk_behind_the_same_volume(self):
        self.shared_disk()
        fleet.lab("wrongdisk", "kvm2", "v1")
        self.pool("kvm1")
        self.pool("kvm2")
        self.guest_on_a_volume()
        self.assert_not_proven("'vda', volume 'v1' of pool 'p1' .* is not the same storage on 'kvm2'")

    def assert_not_proven(self, evidence, change="", settings=None):
        checks = self.checks(settings, exit_status=4)
        self.assertEqual(self.told(checks), {"storage": ["failed"]})
        [failed] = checks["storage"]
        self.assertRegex(failed["evidence"], evidence)
        self.assertIn(change, failed["change"])
        self.assertNotIn("g1", fleet.listed("kvm2", "--all"))

    def test_a_pool_that_the_target_lacks_or_that_the_profile_does_not_let_be(self):
        profile = fleet.work / "left-alone.conf"
        profile.write_text("[pool]\nstart = no\nrefresh = no\n")
        alone = {"fleet.profile": profile}
        self.shared_disk()
        self.pool("kvm1")
        self.guest_on_a_volume()
        self.assert_not_proven("'kvm2' has no storage pool 'p1'", "define")
        fleet.lab("detach", "kvm2", "v1")
        self.pool("kvm2", start=False)
        self.assert_not_proven("'p1'.*is not active on 'kvm2'", "virsh pool-start p1", alone)
        self.on("kvm2", "virsh -q pool-start p1")
        fleet.lab("attach", "kvm2", "v1")
        self.assert_not_proven("'p1' on 'kvm2' knows no volume 'v1'", "virsh pool-refresh p1", alone)
        self.on("kvm2", "virsh -q pool-refresh p1")
        self.assertEqual(self.told(self.checks(alone)), {})

    def assert_provides(self, settings=None, status=0):
        """The pool of the target is brought about, and told; what 'apply' says."""
        self.assertEqual(self.told(self.checks(settings))["storage"], ["skipped"])
        result = fleet.berth("apply", "--yes")
        self.assert_exit(result, status)
        self.assertIn("provide its storage pools on kvm2", result.stderr)
        self.assertIn("v1", self.on("kvm2", "virsh -q vol-list p1"))
        return result

    def test_a_pool_that_has_not_started_is_started_for_a_guest_that_is_off(self):
        self.shared_disk()
        self.pool("kvm1")
        self.pool("kvm2", start=False)
        self.guest_on_a_volume()
        self.assert_provides()
        self.assert_defined_only_on("g1", "kvm2")

    def test_a_pool_that_does_not_know_the_volume_is_refreshed_for_a_guest_that_runs(self):
        self.pool("kvm1", folder=fleet.dir / "store")
        self.pool("kvm2", folder=fleet.dir / "store")
        fleet.lab("volume", "v1")
        self.on("kvm1", "virsh -q pool-refresh p1")
        self.guest_on_a_volume("v1.img")
        fleet.virsh("kvm1", "start", "g1")
        self.assert_provides({"migrate.mode": "offline"})
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")

    def test_a_live_move_starts_the_pool_and_is_left_to_what_libvirt_thinks_of_its_storage(self):
        """A folder of one host is no shared storage to libvirt, whoever else has it."""
        fleet.lab("volume", "v1")
        self.pool("kvm1", folder=fleet.dir / "store")
        self.pool("kvm2", start=False, folder=fleet.dir / "store")
        self.guest_on_a_volume("v1.img", cache="none")
        fleet.virsh("kvm1", "start", "g1")
        result = self.assert_provides({"migrate.mode": "live"}, status=1)
        self.assertIn("without shared storage is unsafe", result.stderr)
        self.assert_runs_once("g1", "kvm1")

    def test_a_pool_that_is_not_defined_as_the_source_s_is_not_started(self):
        fleet.lab("volume", "v1")
        self.pool("kvm1", folder=fleet.dir / "store")
        self.pool("kvm2", start=False, folder="/run")
        self.guest_on_a_volume("v1.img")
        self.assert_not_proven("'p1', .* is not defined on 'kvm2' as on 'kvm1' .*, and is not started",
                               "define it")
        self.assertIn("inactive", self.on("kvm2", "virsh -q pool-list --all"))

    def test_a_bridge_that_the_target_does_not_have_ends_the_move_by_its_name(self):
        self.on("kvm1", "ip link add vmbr7 type bridge && ip link set vmbr7 up")
        self.addCleanup(self.on, "kvm1", "ip link del vmbr7")
        self.with_device("<interface type='bridge'><source bridge='vmbr7'/></interface>")
        self.assert_fails("bridges", "'kvm2' has no bridge 'vmbr7'")
        applied = fleet.berth("apply", "--yes")
        self.assert_exit(applied, 1)
        self.assertIn("check 'bridges': 'kvm2' has no bridge 'vmbr7': create it there", applied.stderr)
        self.assert_runs_once("g1", "kvm1")

    def test_an_image_that_the_target_does_not_have(self):
        self.on("kvm1", "truncate -s 1M /run/cd.iso")
        self.with_device("<disk type='file' device='cdrom'><source file='/run/cd.iso'/>"
                         "<target dev='sda' bus='sata'/><readonly/></disk>")
        self.assert_fails("files", "'kvm2' has no file '/run/cd.iso'")

    def test_a_libvirt_that_the_source_does_not_reach(self):
        fleet.guest("g1", "kvm1")
        self.assert_fails("target-reachable", "kvm2:16999: refused",
                          {"host kvm2.peer_uri": "qemu+tcp://kvm2:16999/system"})

    def test_a_port_that_the_source_does_not_get_through_to(self):
        fleet.guest("g1", "kvm1")
        self.set_in_qemu_conf("kvm2", 'migration_host = "10.99.0.250"')
        self.assert_fails("migration-port", r"10\.99\.0\.250:49152")

    def test_a_port_that_migrate_uri_names_is_the_one_that_is_tried(self):
        fleet.guest("g1", "kvm1")
        checks = self.checks({"migrate.migrate_uri": "tcp://%h:49200"})
        self.assertIn("kvm2:49200", checks["migration-port"][0]["evidence"])

    def test_lock_managers_that_differ_and_that_agree(self):
        fleet.guest("g1", "kvm1")
        self.set_in_qemu_conf("kvm1", 'lock_manager = "sanlock"')
        [check] = self.checks(exit_status=4)["lock-manager"]
        self.assertEqual(check["result"], "failed")
        self.assertIn("sanlock on 'kvm1' and none on 'kvm2'", check["evidence"])
        self.set_in_qemu_conf("kvm2", 'lock_manager = "sanlock"')
        [check] = self.checks()["lock-manager"]
        self.assertEqual(check["result"], "passed")

    def test_clocks_that_are_apart_are_a_warning(self):
        fleet.guest("g1", "kvm1")
        self.replace_date('echo $(( $(/run/date "$@") + 3600000 ))')
        checks = self.checks()
        self.assertEqual(self.told(checks), {"clocks": ["warned"]})
        self.assertRegex(checks["clocks"][0]["evidence"], "(59 min|1 h)")

    def test_a_clock_that_tells_nonsense_is_not_believed(self):
        fleet.guest("g1", "kvm1")
        self.replace_date("echo half past eight")
        self.assertEqual(self.told(self.checks()), {"clocks": ["skipped"]})

    def test_a_host_that_hangs_is_waited_for_no_longer_than_its_time(self):
        fleet.guest("g1", "kvm1")
        self.replace_date("exec sleep 600")
        checks = self.checks(exit_status=4)
        told = self.told(checks)
        self.assertEqual(told.pop("files"), ["failed"])  # The kernel on kvm2 cannot be proven.
        self.assertEqual(set(sum(told.values(), [])), {"skipped"})
        self.assertEqual(
            sorted(told), ["clocks", "managed-save", "migration-port", "target-reachable"])
        self.on("kvm2", "kill $(cat /proc/[0-9]*/stat | awk '$2 == \"(sleep)\" {print $1}')")

    def test_hosts_that_may_not_be_asked_over_ssh(self):
        self.shared_disk()
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.want(g1="kvm2")
        conf = fleet.work / "berth.conf"
        conf.write_text("".join(line for line in conf.read_text().splitlines(True)
                                if not line.startswith("ssh = ")))
        result = fleet.berth("plan", "--checks", "--json")
        self.assert_exit(result, 4)
        [move] = json.loads(result.stdout)["moves"]
        by_name = {check["name"]: check for check in move["checks"]}
        self.assertEqual(by_name["storage"]["result"], "failed")
        for name in ("managed-save", "files", "target-reachable", "migration-port",
                     "lock-manager", "clocks"):
            self.assertEqual(by_name[name]["result"], "skipped")
            self.assertIn("[fleet] ssh", by_name[name]["change"])

    def test_a_source_that_takes_no_commands_leaves_what_the_target_tells(self):
        fleet.guest("g1", "kvm1")
        told = self.told(self.checks({"host kvm1.ssh": "root@%h:2222"}))
        self.assertEqual(told, {"target-reachable": ["skipped"], "migration-port": ["skipped"],
                                "clocks": ["skipped"]})

    def test_everything_that_is_wrong_is_told_at_once(self):
        self.shared_disk()
        self.edited_guest(lambda xml: xml.replace("cache='none'", "cache='writeback'"), disk="v1")
        fleet.lab("detach", "kvm2", "v1")
        told = self.told(self.checks({"host kvm2.peer_uri": "qemu+tcp://kvm2:16999/system"}, 4))
        self.assertEqual(told, {"disk-cache": ["failed"], "storage": ["failed"],
                                "target-reachable": ["failed"]})


if __name__ == "__main__":
    unittest.main()
