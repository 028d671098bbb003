#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berth-guard on a real host, before its libvirtd starts: kvm1 has one, kvm2 has none.  Every order in which
controller and host come back; where guests run is asked of the process table.  $BERTH_GUARD is the program."""

import json
import os
import unittest

from berthd import Daemon
from fleet import Fleet, FleetTest, await_true

fleet = Fleet(hosts=2)
GUARDED = {"fleet.guard": "yes"}
GUESTS = {"g1": "kvm1", "g2": "kvm1"}


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class GuardTest(FleetTest):
    def setUp(self):
        super().setUp()
        fleet.lab("unguard", "kvm1")
        fleet.lab("guard", "kvm1", os.environ["BERTH_GUARD"])

    def reboot(self, host="kvm1"):
        """Its power is cut and comes back; until its libvirt answers."""
        fleet.disturb("crash", host)
        fleet.disturb("boot", host)

    def on(self, *command):
        """What 'command' prints on kvm1."""
        return fleet.lab("on", "kvm1", *command)

    def guard(self, *args):
        return self.on("/usr/local/sbin/berth-guard", *args)

    def status(self):
        return json.loads(self.guard("status", "--json"))

    def autostart_guests(self):
        for guest, host in GUESTS.items():
            fleet.guest(guest, host, autostart=True, memory=80)

    def autostarts(self, guest, host="kvm1"):
        """As libvirt has it."""
        return "enable" in fleet.virsh(host, "dominfo", guest).split("Autostart:")[1].split("\n")[0]

    def assert_held(self, *guests):
        """None of them runs there, and libvirt, which answers, would not start them."""
        self.assertEqual(self.status()["held"], list(guests))
        for guest in guests:
            self.assertNotIn("kvm1", [host for host, _ in fleet.processes(guest)])
            self.assertFalse(self.autostarts(guest))

    def assert_home(self):
        for guest, host in GUESTS.items():
            await_true(f"{guest} runs", lambda g=guest: fleet.processes(g))
            self.assert_runs_once(guest, host)
            self.assertTrue(self.autostarts(guest))


class Unguarded(GuardTest):
    def test_libvirt_starts_guests_before_anybody_could_keep_it_from_that(self):
        fleet.guest("g3", "kvm2", autostart=True, memory=80)
        self.reboot("kvm2")
        self.assertEqual([host for host, _ in fleet.processes("g3")], ["kvm2"])


class HostFirst(GuardTest):
    def test_apply_releases_a_host_that_booted_before_and_the_next_boot_is_held_again(self):
        self.autostart_guests()
        fleet.want(GUARDED, **GUESTS)
        for _ in range(2):  # It boots twice, and nobody sees it.
            self.reboot()
            self.assertEqual(self.status()["state"], "held")
            self.assert_held("g1", "g2")
        self.assert_exit(fleet.berth("apply", "--yes"), 0)
        self.assert_home()
        self.assertEqual(self.status(), self.status() | {"state": "released", "held": []})
        [kinds] = zip(*fleet.journal("SELECT kind FROM event WHERE host = 'kvm1' ORDER BY seq"))
        self.assertEqual(kinds, ("releasing", "released"))
        self.reboot()
        self.assertEqual(self.status()["state"], "held")
        self.assert_held("g1", "g2")
        fleet.lab("stop", "kvm1")  # libvirt's own restart changes nothing.
        fleet.lab("start", "kvm1")
        self.assert_held("g1", "g2")
        fleet.want(None, **GUESTS)
        self.assert_exit(fleet.berth("apply", "--yes"), 0)  # It was not told of guards.
        self.assert_held("g1", "g2")

    def test_a_person_releases_a_host_whose_controller_cannot_reach_it(self):
        self.autostart_guests()
        fleet.disturb("crash", "kvm1")
        fleet.disturb("boot", "kvm1")
        fleet.disturb("cut", "kvm1")
        self.assertEqual(self.status()["held"], ["g1", "g2"])
        self.assertEqual(fleet.processes("g1") + fleet.processes("g2"), [])
        self.assertEqual(self.guard("release", "g2").split(), ["g2"])
        self.assertEqual(fleet.processes("g2"), [])
        self.assertEqual(self.guard("release", "--start").split(), ["g1"])
        fleet.disturb("heal", "kvm1")
        self.assert_runs_once("g1", "kvm1")
        self.assertTrue(self.autostarts("g2"))


class ControllerFirst(GuardTest):
    def test_berthd_releases_a_host_each_time_it_comes_back(self):
        self.autostart_guests()
        fleet.want(GUARDED | {"fleet.poll": "1s"}, **GUESTS)
        daemon = Daemon(fleet).start()
        for times in (1, 2):
            self.reboot()
            daemon.until_said("released", "host=kvm1", times)
            self.assert_home()
        self.assertEqual(daemon.said("alarm"), 0)
        self.assertEqual(daemon.end(), 0)

    def test_a_guest_that_runs_elsewhere_since_stays_held_until_its_definition_is_gone(self):
        self.autostart_guests()
        xml = fleet.work / "g1.xml"
        xml.write_text(fleet.virsh("kvm1", "dumpxml", "--inactive", "g1"))
        fleet.want(GUARDED | {"fleet.poll": "1s"}, g1="kvm2", g2="kvm1")
        fleet.disturb("crash", "kvm1")
        fleet.virsh("kvm2", "define", xml)  # As somebody does who cannot wait.
        fleet.virsh("kvm2", "start", "g1")
        daemon = Daemon(fleet).start()
        fleet.disturb("boot", "kvm1")
        daemon.until_said("released", "host=kvm1 guest=g2")
        self.assert_runs_once("g2", "kvm1")
        self.assert_runs_once("g1", "kvm2")
        daemon.until_said("alarm", "held back on 'kvm1', because 'kvm2' knows it")
        self.assert_held("g1")
        self.assertIn("'kvm1' has booted and is held back", daemon.until_condition("Settled", "false"))
        fleet.virsh("kvm1", "undefine", "g1")
        daemon.until_said("released", "host=kvm1$")
        daemon.until_condition("Settled", "true")
        self.assertEqual(self.status()["held"], [])
        self.assertFalse("g1" in fleet.listed("kvm1", "--all"))
        self.assertEqual(daemon.end(), 0)


class Forced(GuardTest):
    """A guard that was seen at work lets the guests of a dead host run elsewhere."""

    def test_guests_of_a_dead_host_run_elsewhere_and_once_when_it_returns(self):
        self.autostart_guests()
        fleet.want(GUARDED, **GUESTS)
        self.reboot()
        self.assert_exit(fleet.berth("apply", "--yes"), 0)
        self.assert_home()
        fleet.disturb("crash", "kvm1")
        self.assert_exit(fleet.berth("evacuate", "kvm1", "--source-is-dead", "kvm1", "--yes"), 0)
        fleet.disturb("boot", "kvm1")
        self.assert_held("g1", "g2")
        self.assert_exit(fleet.berth("apply", "--yes"), 0)
        for guest in GUESTS:
            self.assert_runs_once(guest, "kvm2")
            self.assert_defined_only_on(guest, "kvm2")
            self.assertTrue(self.autostarts(guest, "kvm2"))
        self.assertEqual(self.status(), self.status() | {"state": "released", "held": []})


if __name__ == "__main__":
    unittest.main()
