#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab's stand-ins for a platform: what they do is real, and so are their faults.  Needs no berth."""

import unittest

from fleet import LAB, Fleet, FleetTest

fleet = Fleet(hosts=2, platform=True)


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class Faults(FleetTest):
    def tearDown(self):
        for host, bridge in (line.split() for line in fleet.lab("bridges").splitlines()):
            fleet.lab("on", host, "ip", "link", "delete", bridge)

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

    def test_one_that_hangs_ends_by_force_only(self):
        fleet.disturb("fault", "kvm1", "ip link add", "hang", "1")
        self.assertNotEqual(self.add("br7").returncode, 0)
        self.assertEqual(fleet.bridged("br7"), [])
        self.assertNotIn("sleep", fleet.lab("on", "kvm1", "ps", "-eo", "comm"))

    def test_one_that_is_late_acts_after_it_was_asked_to_end(self):
        fleet.disturb("fault", "kvm1", "ip link add", "late", "1")
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
