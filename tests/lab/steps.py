# SPDX-License-Identifier: Apache-2.0
"""A guest that goes back and forth between two hosts with what a platform provides for it: a volume, a
configuration volume that is mounted on its host, a bridge and a NAT bridge of its own, and an interface of its host;
and the ways to disturb that."""

import unittest

from fleet import Fleet, FleetTest, await_true, berth_path

DONE, FAILED, BLOCKED = 0, 1, 4
HOSTS = ("kvm1", "kvm2")

fleet = Fleet(hosts=2, platform=True)


def start_fleet():
    """A test module's setUpModule()."""
    berth_path()
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class StepsTest(FleetTest):
    """One guest that goes back and forth."""

    mode = "offline"

    def make(self, **options):
        for volume in ("v1", "g1_conf"):
            fleet.lab("volume", volume)
        needs = {"disk": "v1", "config": "g1_conf", "bridge": "vmeth7", "nat": "vmnat7", "interface": "vf7"}
        self.interface = options.get("interface", "vf7")
        fleet.guest("g1", "kvm1", **{**needs, **options})
        self.source, self.target = HOSTS
        self.assert_whole("kvm1", runs="off" not in options)

    def turn(self):
        self.source, self.target = self.target, self.source

    def want(self, **settings):
        fleet.want({"migrate.mode": self.mode, **settings}, g1=self.target)

    def apply(self, env=None):
        self.await_up()
        return fleet.berth("apply", "--yes", env=env)

    def fault(self, side, command, kind, *times):
        fleet.disturb("fault", {"source": self.source, "target": self.target}[side], command, kind, *times)

    def clear(self):
        for host in HOSTS:
            fleet.disturb("fault", host, "clear")

    def await_up(self):
        """A guest hears the power button once it is up."""

        def is_up():
            console = fleet.console("g1")
            return not fleet.processes("g1") or console.rfind("READY") > console.rfind("STOPPING")

        await_true("'g1' is up", is_up)

    def text(self, result):
        return result.stdout + result.stderr

    def where(self):
        """The host it runs on; fails unless there is exactly one."""
        hosts = [host for host, _ in fleet.processes("g1")]
        self.assertEqual(len(hosts), 1, "processes of g1")
        return hosts[0]

    def assert_safe(self):
        """Whatever happened: it has not run twice, and its volumes follow it."""
        self.assertLessEqual(len(fleet.processes("g1")), 1)
        self.assert_no_disk_conflict("g1")
        for host, _ in fleet.processes("g1"):
            self.assertIn(host, fleet.attached("v1"))

    def assert_whole(self, host, runs=True):
        if runs:
            self.assert_runs_once("g1", host)
        else:
            self.assertEqual(fleet.processes("g1"), [])
        self.assert_defined_only_on("g1", host)
        self.assertEqual(fleet.attached("v1"), [host], "v1 is attached to")
        self.assertEqual(fleet.attached("g1_conf"), [host], "g1_conf is attached to")
        self.assertEqual(fleet.mounted("g1"), ([host], [host]), "g1_conf is mounted on, in fstab of")
        self.assertEqual(fleet.bridged("vmeth7"), [host], "vmeth7 is on")
        self.assertEqual(fleet.bridged("vmnat7"), [host], "vmnat7 is on")
        self.assertEqual(fleet.given(self.interface), [host], f"{self.interface} is on")

    def assert_ends(self):
        """A run without faults brings it to its target."""
        self.clear()
        fleet.berth("retry", "g1")
        result = self.apply()
        self.assert_exit(result, DONE)
        self.assert_whole(self.target)
        return result

    def fail_each(self, commands):
        """Each command fails twice, so that the move turns round or stands still, then succeeds."""
        for side, command in commands:
            with self.subTest(f"'{command}' fails on the {side}, {self.target}"):
                self.want()
                self.fault(side, command, "fail", "2")
                result = self.apply()
                self.assert_exit(result, DONE, FAILED)
                self.assertIn(f"{command.split()[0]}: told to fail", self.text(result))
                self.assert_ends()
            self.turn()

    def fail_for_good(self, side, command):
        """It is tried until nobody expects anything of it; the guest runs on meanwhile."""
        self.want()
        self.fault(side, command, "fail")
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertIn("told to fail", self.text(result))
        self.assert_safe()
        return result

    def disturb_all(self, commands, kinds):
        """Each command is disturbed once, all in one move, in turn by one of 'kinds'."""
        for first in range(len(kinds)):
            with self.subTest(f"{kinds[first]} comes first, to {self.target}"):
                self.want()
                for number, (side, command) in enumerate(commands):
                    self.fault(side, command, kinds[(first + number) % len(kinds)], "1")
                for _ in commands:
                    result = self.apply()
                    self.assert_safe()
                    if result.returncode == DONE:
                        break
                    fleet.berth("retry", "g1")  # A person goes on at once.
                self.assert_ends()
            self.turn()
