#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real host without power that would start its guest again, and no fence, no guard: the platform takes the guest's
volumes away from it before the guest runs elsewhere, and what it has left is swept when it comes back."""

import unittest

from fleet import Fleet, FleetTest, await_true

DONE = 0
fleet = Fleet(hosts=2, platform=True)


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class Revoked(FleetTest):
    def test_a_guest_with_autostart_runs_once_though_its_host_boots(self):
        for volume in ("v1", "g1_conf"):
            fleet.lab("volume", volume)
        fleet.guest("g1", "kvm1", disk="v1", config="g1_conf", bridge="vmeth7", autostart=True)
        fleet.want({}, g1="kvm1")
        self.assert_exit(fleet.berth("apply", "--yes"), DONE)
        fleet.disturb("crash", "kvm1")
        forced = fleet.berth("migrate", "g1", "--to", "kvm2", "--mode", "offline-force",
                             "--source-is-dead", "kvm1", "--yes")
        self.assert_exit(forced, DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assertEqual((fleet.attached("v1"), fleet.attached("g1_conf")), (["kvm2"], ["kvm2"]))
        self.assertEqual(fleet.journal("SELECT host, protection FROM leftover"), [("kvm1", "revoked")])
        fleet.disturb("boot", "kvm1")
        await_true("its host tells of the guest", lambda: "g1" in fleet.listed("kvm1", "--all"))
        self.assert_runs_once("g1", "kvm2")
        self.assert_exit(fleet.berth("apply", "--yes"), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assertEqual((fleet.attached("v1"), fleet.attached("g1_conf")), (["kvm2"], ["kvm2"]))
        self.assertEqual((fleet.mounted("g1"), fleet.bridged("vmeth7")), ((["kvm2"], ["kvm2"]), ["kvm2"]))
        self.assert_no_disk_conflict("g1")


class Identity(FleetTest):
    def test_a_device_that_does_not_tell_its_volume_is_proven_by_the_platform(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1", autostart=True)
        fleet.disturb("crash", "kvm1")
        fleet.disturb("boot", "kvm1")  # After that its device has lost the name of what is behind it.
        await_true("the guest runs again", lambda: fleet.processes("g1"))
        fleet.want({}, g1="kvm2")
        self.assert_exit(fleet.berth("apply", "--yes"), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assertEqual(fleet.attached("v1"), ["kvm2"])


if __name__ == "__main__":
    unittest.main()
