#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real host that only seems dead, its guests running on and writing: 'berth evacuate' has its power cut first, and
they run elsewhere once.  $BERTH is the program under test; no berthd runs, so what it knows of the host is what the
journal has."""

import unittest

from fleet import HERE, LAB, Fleet, FleetTest

DONE = 0

fleet = Fleet(hosts=3)


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class Evacuate(FleetTest):
    def setUp(self):
        super().setUp()
        secret = fleet.work / "fence.secret"
        secret.write_text("password=let me\n")
        secret.chmod(0o600)
        fence = {"fence lab.agent": HERE / "fence_lab", "fence lab.options": f"lab={LAB} id={fleet.id}",
                 "fence lab.secrets": secret, "host kvm1.fence": "lab", "host kvm1.fence_port": "kvm1"}
        # Room for one of them on kvm2.
        self.settings = fence | {"host kvm2.memory": "160MiB", "guest g2.priority": "1"}
        for number in (1, 2):
            fleet.lab("volume", f"v{number}")
            for host in fleet.hosts:
                fleet.lab("attach", host, f"v{number}")
            fleet.guest(f"g{number}", "kvm1", memory=80, disk=f"v{number}")
        fleet.want(self.settings, g1="kvm1", g2="kvm1")
        self.assert_exit(fleet.berth("apply", "--yes"), DONE)

    def assert_elsewhere(self):
        self.assert_runs_once("g2", "kvm2")  # The important one was the first to choose.
        self.assert_runs_once("g1", "kvm3")
        for guest in ("g1", "g2"):
            self.assert_alive(guest)
            self.assert_no_disk_conflict(guest)

    def test_silent_host_with_running_guests_loses_its_power_and_is_swept_when_it_is_back(self):
        fleet.disturb("cut", "kvm1")
        self.assertEqual([h for g in ("g1", "g2") for h, _ in fleet.processes(g)], ["kvm1", "kvm1"])
        result = fleet.berth("evacuate", "kvm1", "--yes")
        self.assert_exit(result, DONE)
        self.assertIn("2 guests moved", result.stdout)
        self.assert_elsewhere()
        fleet.disturb("heal", "kvm1")
        fleet.disturb("boot", "kvm1")
        self.assert_exit(fleet.berth("apply", "--yes"), DONE)
        self.assert_defined_only_on("g1", "kvm3")
        self.assert_defined_only_on("g2", "kvm2")
        self.assert_elsewhere()


if __name__ == "__main__":
    unittest.main()
