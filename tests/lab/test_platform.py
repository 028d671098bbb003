#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's stand-ins for a platform: what they do is real, and so are their faults.  Needs no berth."""

import unittest

from fleet import LAB, Fleet, FleetTest, await_true

fleet = Fleet(hosts=2, platform=True)


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class Storage(FleetTest):
    def say(self, host, *argv):
        result = fleet.ssh(host, *argv)
        self.assert_exit(result, 0)
        return result.stdout.split()

    def volume(self, name):
        (volume,) = self.say("kvm1", "escli", "lsvolume", *self.by(f"name=ev_{name}"), "id")
        return volume

    @staticmethod
    def by(wanted):
        return "--filter", wanted, "--attributes"

    def attach(self, host, volume, device):
        (initiator,) = self.say(host, "xsh", "lsinitiator")
        return fleet.ssh(
            *(host, "escli", "mkvolumeattachment", volume, device),
            *("--attributes", f"initiator={initiator}"),
        )

    def attachment(self, host, volume):
        wanted = self.by(f"volume={volume},hostName={host}")
        return self.say("kvm1", "escli", "lsvolumeattachment", *wanted, "id")

    def test_a_host_attaches_a_volume_and_gives_it_back(self):
        fleet.lab("volume", "v1")
        volume = self.volume("v1")
        self.assertEqual(fleet.ssh("kvm2", "test", "-b", "/dev/exc/v1").returncode, 1)
        self.assert_exit(self.attach("kvm2", volume, "v1"), 0)
        self.assertEqual(fleet.ssh("kvm2", "test", "-b", "/dev/exc/v1").returncode, 0)
        self.assertEqual(fleet.attached("v1"), ["kvm2"])
        twice = self.attach("kvm2", volume, "v1")
        self.assertEqual(twice.returncode, 1)
        self.assertIn("has an attachment", twice.stderr)
        (attachment,) = self.attachment("kvm2", volume)
        self.say("kvm2", "escli", "rmvolumeattachment", attachment)
        self.assertEqual((fleet.attached("v1"), self.attachment("kvm2", volume)), ([], []))
        self.assertEqual(fleet.ssh("kvm2", "test", "-e", "/dev/exc/v1").returncode, 1)

    def test_a_volume_in_use_stays(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1", no_wait=True)
        (attachment,) = self.attachment("kvm1", self.volume("v1"))
        for host, reason in (("kvm1", "in use"), ("kvm2", "has power")):
            with self.subTest(host):
                result = fleet.ssh(host, "escli", "rmvolumeattachment", attachment)
                self.assertEqual(result.returncode, 1)
                self.assertIn(reason, result.stderr)
        self.assertEqual(fleet.attached("v1"), ["kvm1"])

    def test_the_storage_takes_a_volume_away_from_a_host_without_power(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm2", disk="v1", no_wait=True)
        (attachment,) = self.attachment("kvm2", self.volume("v1"))
        fleet.disturb("crash", "kvm2")
        self.say("kvm1", "escli", "rmvolumeattachment", attachment)
        self.assertEqual(fleet.attached("v1"), [])
        fleet.disturb("boot", "kvm2")
        self.assertEqual(fleet.ssh("kvm2", "test", "-e", "/dev/exc/v1").returncode, 1)

    def test_a_second_host_that_attaches_a_volume_starts_its_guest_a_second_time(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        self.assert_exit(self.attach("kvm2", self.volume("v1"), "v1"), 0)
        fleet.virsh("kvm2", "create", fleet.dir / "g1.xml")
        self.assertEqual([host for host, _ in fleet.processes("g1")], ["kvm1", "kvm2"])
        await_true("one sees the other", lambda: "DISK-CONFLICT" in fleet.console("g1"))

    def test_a_configuration_volume_is_mounted_again_after_a_power_cut(self):
        fleet.lab("volume", "g1_conf")
        fleet.guest("g1", "kvm1", config="g1_conf", off=True)
        self.assertEqual(fleet.mounted("g1"), (["kvm1"], ["kvm1"]))
        fleet.disturb("crash", "kvm1")
        fleet.disturb("boot", "kvm1")
        self.assertEqual(fleet.mounted("g1"), (["kvm1"], ["kvm1"]))
        self.say("kvm1", "umount", "/EXAVMIMAGES/GuestImages/g1")
        self.assertEqual(fleet.mounted("g1"), ([], ["kvm1"]))

    def test_a_host_has_an_etc_of_its_own(self):
        self.say("kvm1", "sh", "-c", "echo '# mine' >/etc/fstab.new; mv /etc/fstab.new /etc/fstab")
        self.assertEqual(self.say("kvm1", "cat", "/etc/fstab"), ["#", "mine"])
        self.assertEqual(self.say("kvm2", "cat", "/etc/fstab"), [])
        self.say("kvm1", "sh", "-c", ": >/etc/fstab")


class Faults(FleetTest):
    def add(self, bridge, host="kvm1"):
        return fleet.ssh(
            host, *("timeout", "--kill-after=5", "1"), "ip", "link", "add", bridge, "type", "bridge"
        )

    def test_a_command_without_a_fault_is_the_hosts_own(self):
        self.assertEqual(self.add("br7").returncode, 0)
        self.assertEqual(fleet.bridged("br7"), ["kvm1"])

    def test_one_that_fails_does_nothing_as_often_as_it_was_told(self):
        fleet.disturb("fault", "kvm1", "ip link add", "fail", "2")
        results = [self.add("br7") for _ in range(3)]
        self.assertEqual([r.returncode for r in results], [1, 1, 0])
        self.assertIn("ip: told to fail", results[0].stderr)

    def test_a_fault_is_of_one_host_and_of_commands_that_begin_so(self):
        fleet.disturb("fault", "kvm1", "ip link add br7", "fail")
        fleet.disturb("fault", "kvm1", "ip link delete", "fail")
        self.assertEqual(self.add("br7").returncode, 1)
        self.assertEqual(self.add("br8").returncode, 0)
        self.assertEqual(self.add("br7", host="kvm2").returncode, 0)
        fleet.disturb("fault", "kvm1", "clear")
        self.assertEqual(self.add("br7").returncode, 0)

    def test_one_that_hangs_ends_when_it_is_asked_to(self):
        fleet.disturb("fault", "kvm1", "ip link add", "hang", "1")
        self.assertEqual(self.add("br7").returncode, 124)
        self.assertEqual(fleet.bridged("br7"), [])
        self.assertNotIn("sleep", fleet.lab("on", "kvm1", "ps", "-eo", "comm"))

    def test_one_that_is_deaf_ends_by_force_only(self):
        fleet.disturb("fault", "kvm1", "ip link add", "deaf", "1")
        self.assertNotIn(self.add("br7").returncode, (0, 124))
        self.assertEqual(fleet.bridged("br7"), [])
        self.assertNotIn("sleep", fleet.lab("on", "kvm1", "ps", "-eo", "comm"))

    def test_one_that_is_late_acts_after_it_was_asked_to_end(self):
        fleet.disturb("fault", "kvm1", "ip link add", "late4", "1")
        self.assertEqual(self.add("br7").returncode, 124)
        self.assertEqual(fleet.bridged("br7"), ["kvm1"])

    def test_one_whose_reply_is_lost_has_acted(self):
        fleet.disturb("fault", "kvm1", "ip link add", "lost", "1")
        self.assertEqual(self.add("br7").returncode, 255)
        self.assertEqual(fleet.bridged("br7"), ["kvm1"])
        self.assertEqual(self.add("br8").returncode, 0)

    def test_wrong_faults_are_named(self):
        for argv, reason in (
            (["kvm1", "ip", "dance"], "no kind 'dance'"),
            (["kvm1", "reboot", "fail"], "no stand-in for 'reboot'"),
            (["kvm1", "ip", "fail", "often"], "times 'often'"),
            (["kvm9", "ip", "fail"], "no host 'kvm9'"),
        ):
            with self.subTest(argv):
                result = fleet.run(LAB, "fault", *argv)
                self.assertEqual(result.returncode, 1)
                self.assertIn(reason, result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
