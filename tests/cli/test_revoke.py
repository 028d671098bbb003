#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A dead host's guest whose volumes the platform takes away from it: they are its protection when the host
returns, and no other is needed."""

import json
import unittest

from world import BLOCKED, CliTest, FAILED, OK, sim_guest

PROFILE = """\
[volume]
devices  = /dev/exc/*
probe    = test -b {device}
provide  = attach {name}
withdraw = detach {name}
"""
BRIDGES = """\
[bridge]
probe    = test -d /sys/class/net/{name}/bridge
provide  = ip link add name {name} type bridge
withdraw = ip link delete dev {name} type bridge
"""
REVOKES = PROFILE + "owners = owners {name}\nowner = {host}\nrevoke = detach {name} {peer}\n"
AT_HOME = {"kvm1": ["vm1"], "kvm2": []}
VOLUMES = {"vm1": ["v1"]}


class Revoke(CliTest):
    def live_with(self, profile):
        """vm1 runs on kvm1, which would start it again; a controller has seen it, and kvm1 is dead now."""
        path = self.world.folder / "mine.conf"
        path.write_text(profile)
        self.world.configure(fleet=f"profile = {path}\n")
        disk = {"path": "/dev/exc/v1", "identity": "v1"}
        guest = sim_guest("vm1", autostart=True, disks=[disk], bridges=["br7"])
        self.world.have({"kvm1": [guest], "kvm2": []}, volumes=[{"name": "v1"}])
        there = {"storage": {"/dev/exc/v1": "v1"}, "bridges": ["br7"]}
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0].update(there))
        self.world.want(AT_HOME, VOLUMES)
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.power("off")

    def power(self, state):
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0].update(power=state))

    def force(self):
        return self.world.berth("migrate", "vm1", "--to", "kvm2", "--mode", "offline-force",
                                "--source-is-dead", "kvm1", "--yes")

    def fleet(self):
        self.world.berth("observe")
        return {host["name"]: host for host in json.loads(self.world.sim.read_text())["hosts"]}

    def test_the_guest_runs_elsewhere_and_its_volume_is_nowhere_else(self):
        self.live_with(REVOKES + BRIDGES)
        result = self.force()
        self.assert_exit(result, OK)
        self.assertEqual(self.world.places()["kvm2"], ["vm1"])
        self.power("on")
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        fleet = self.fleet()
        self.assertEqual(fleet["kvm1"].get("storage", {}), {})
        self.assertEqual(fleet["kvm1"].get("bridges", []), [])  # Swept with the definition.
        self.assertEqual(fleet["kvm2"]["storage"], {"/dev/exc/v1": "v1"})
        self.assertEqual(fleet["kvm2"]["bridges"], ["br7"])  # By the definition that the journal has.
        self.assertEqual(fleet["kvm1"]["guests"], [])
        self.assertEqual(self.world.places()["kvm2"], ["vm1"])

    def test_a_platform_that_cannot_take_them_away_is_no_protection(self):
        self.live_with(PROFILE)
        result = self.force()
        self.assertIn(result.returncode, (FAILED, BLOCKED), result.stderr)
        self.assertIn("run twice", result.stdout + result.stderr)
        self.assertEqual(self.world.places().get("kvm2", []), [])


if __name__ == "__main__":
    unittest.main()
