#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab itself: it and its faults are real, and it leaves nothing behind.  Needs no berth."""

import os
import pathlib
import signal
import subprocess
import sys
import unittest

from fleet import HERE, LAB, Fleet, FleetTest, LabError, await_true

fleet = Fleet(hosts=3)


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


# Makes a fleet with a guest and a disk, says its id and waits for its end.
KEEPER = """
import time
from fleet import Fleet
fleet = Fleet(hosts=2).start()
fleet.lab("volume", "v1")
fleet.guest("g1", "kvm1", disk="v1")
print(fleet.id, flush=True)
time.sleep(1000)
"""


def lines_of(*argv):
    return subprocess.check_output(argv, text=True).splitlines()


def processes_of(lab_id):
    """Services of a host carry the id in their environment, its QEMUs a path in their arguments."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if f"/berth-lab-{lab_id}/".encode() in command or (
            f"BERTH_LAB_ID={lab_id}".encode() in environment.split(b"\0")
        ):
            yield command.decode().replace("\0", " ")


def traces(lab_id):
    """Everything of a fleet that can be seen from outside it."""
    loops = lines_of("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")
    mounts = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return [
        *(s.split()[0] for s in lines_of("ip", "netns", "list") if s.startswith(f"b{lab_id}-")),
        # A host that is gone took the path along by which it knew the file.
        *(line for line in loops if f"/berth-lab-{lab_id}/" in line or "(deleted)" in line),
        *(line for line in mounts if f"berth-lab-{lab_id}" in line or f"/b{lab_id}-" in line),
        *(str(path) for path in pathlib.Path("/run").glob(f"berth-lab-{lab_id}*")),
        *processes_of(lab_id),
    ]


class Guests(FleetTest):
    def test_a_guest_boots_and_beats(self):
        fleet.guest("g1", "kvm1")
        self.assert_runs_once("g1", "kvm1")
        self.assert_alive("g1")
        fleet.lab("check")

    def test_check_fails_when_a_guest_that_should_run_does_not(self):
        fleet.guest("g1", "kvm1")
        fleet.virsh("kvm1", "destroy", "g1")
        with self.assertRaisesRegex(LabError, "guest 'g1': processes on ''"):
            fleet.lab("check")

    def test_the_power_button_ends_a_guest_unless_it_is_deaf(self):
        fleet.guest("ears", "kvm1")
        fleet.guest("stone", "kvm2", kind="deaf")
        fleet.virsh("kvm1", "shutdown", "ears")
        fleet.virsh("kvm2", "shutdown", "stone")
        await_true("'ears' is off", lambda: fleet.state("ears", "kvm1") == "shut off")
        self.assert_alive("stone")

    def test_options_make_the_guest_they_name(self):
        fleet.guest("off", "kvm1", off=True)
        fleet.guest("gone", "kvm1", transient=True)
        fleet.guest("still", "kvm1", paused=True, memory=112)
        fleet.guest("auto", "kvm1", autostart=True, off=True)
        self.assertEqual(fleet.state("off", "kvm1"), "shut off")
        self.assertEqual(fleet.state("still", "kvm1"), "paused")
        self.assertEqual(fleet.listed("kvm1", "--transient"), ["gone"])
        self.assertEqual(fleet.listed("kvm1", "--all", "--autostart"), ["auto"])
        self.assertIn("114688 KiB", fleet.virsh("kvm1", "dominfo", "still"))

    def test_managed_save_keeps_the_guests_memory_in_a_file(self):
        fleet.guest("g1", "kvm1")
        fleet.lab("save", "g1", "kvm1")
        self.assertEqual(fleet.listed("kvm1", "--all", "--with-managed-save"), ["g1"])
        self.assertEqual(fleet.processes("g1"), [])
        fleet.virsh("kvm1", "start", "g1")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_live_migration_keeps_the_guest_running(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("attach", "kvm2", "v1")
        fleet.virsh(
            "kvm1",
            "migrate",
            "--live",
            "--p2p",
            "--persistent",
            "--undefinesource",
            "g1",
            fleet.uri("kvm2"),
        )
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)


class Faults(FleetTest):
    def test_nothing_but_good_order_keeps_a_disk_from_having_two_writers(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("attach", "kvm2", "v1")
        fleet.virsh("kvm2", "create", fleet.dir / "g1.xml")
        self.assertEqual([h for h, _ in fleet.processes("g1")], ["kvm1", "kvm2"])
        await_true(
            "the guests see each other's writes", lambda: "DISK-CONFLICT" in fleet.console("g1")
        )
        with self.assertRaisesRegex(LabError, "two writers"):
            fleet.lab("check")

    def test_a_wrong_disk_has_the_same_path_and_size(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("wrongdisk", "kvm2", "v1")
        sizes = [
            fleet.lab("on", h, "blockdev", "--getsize64", "/dev/exc/v1") for h in ("kvm1", "kvm2")
        ]
        self.assertEqual(*sizes)
        files = {
            fleet.lab(
                "on",
                h,
                "sh",
                "-c",
                "cat /sys/block/$(basename $(readlink /dev/exc/v1))/loop/backing_file",
            )
            for h in ("kvm1", "kvm2")
        }
        self.assertEqual(len(files), 2)

    def test_a_crash_ends_the_guests_and_a_boot_brings_back_the_definitions(self):
        fleet.guest("g1", "kvm2")
        fleet.guest("g2", "kvm2", autostart=True)
        fleet.disturb("crash", "kvm2")
        self.assertEqual(fleet.processes("g1") + fleet.processes("g2"), [])
        with self.assertRaisesRegex(LabError, "not running"):
            fleet.lab("on", "kvm2", "true")
        fleet.disturb("boot", "kvm2")
        self.assertEqual(fleet.state("g1", "kvm2"), "shut off")
        await_true("libvirt starts 'g2'", lambda: fleet.state("g2", "kvm2") == "running")

    def test_what_was_attached_to_a_host_still_is_when_it_boots(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm2", disk="v1", autostart=True)
        fleet.disturb("crash", "kvm2")
        fleet.disturb("boot", "kvm2")
        await_true("libvirt starts 'g1'", lambda: fleet.state("g1", "kvm2") == "running")
        self.assertEqual(fleet.attached("v1"), ["kvm2"])

    def test_a_frozen_host_does_not_answer_and_its_guests_run_on(self):
        fleet.guest("g1", "kvm2")
        fleet.disturb("freeze", "kvm2")
        self.assertNotEqual(
            fleet.run(
                LAB, "ctl", "timeout", "2", "virsh", "-c", fleet.uri("kvm2"), "list"
            ).returncode,
            0,
        )
        self.assert_alive("g1")
        fleet.disturb("thaw", "kvm2")
        self.assertEqual(fleet.listed("kvm2"), ["g1"])

    def test_a_stopped_libvirtd_refuses_and_its_guests_run_on(self):
        fleet.guest("g1", "kvm2")
        process = fleet.pid("g1")
        fleet.disturb("stop", "kvm2")
        with self.assertRaisesRegex(LabError, "Connection refused"):
            fleet.virsh("kvm2", "list")
        self.assert_alive("g1")
        fleet.disturb("start", "kvm2")
        self.assertEqual(fleet.listed("kvm2"), ["g1"])
        self.assertEqual(fleet.pid("g1"), process)

    def test_a_cut_cable_is_silent_until_it_heals(self):
        fleet.disturb("cut", "kvm3")
        self.assertNotEqual(
            fleet.run(
                LAB, "ctl", "timeout", "2", "virsh", "-c", fleet.uri("kvm3"), "list"
            ).returncode,
            0,
        )
        fleet.disturb("heal", "kvm3")
        self.assertEqual(fleet.listed("kvm3"), [])

    def test_ssh_reaches_every_host_with_the_fleets_key_and_known_hosts(self):
        for host in fleet.hosts:
            name = fleet.lab(
                "ctl",
                "ssh",
                "-i",
                fleet.dir / "id",
                "-o",
                f"UserKnownHostsFile={fleet.dir}/known_hosts",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "BatchMode=yes",
                f"root@{host}",
                "hostname",
            )
            self.assertEqual(name.strip(), host)


class Ends(unittest.TestCase):
    """These make fleets of their own."""

    def test_down_leaves_nothing_behind(self):
        with Fleet(hosts=2) as other:
            lab_id = other.id
            other.lab("volume", "v1")
            other.guest("g1", "kvm1", disk="v1")
            other.lab("attach", "kvm2", "v1")
            other.lab("crash", "kvm2")
            other.start_process("sleep", "1000")
            self.assertGreater(len(traces(lab_id)), 10)
            other.lab("down")
            self.assertEqual(traces(lab_id), [])

    def keeper(self):
        """A test program with a fleet: the process, and the fleet's id."""
        child = subprocess.Popen(
            [sys.executable, "-c", KEEPER],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=HERE,
        )
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        lab_id = child.stdout.readline().strip()
        self.assertGreater(len(traces(lab_id)), 10)
        return child, lab_id

    def test_a_killed_test_program_takes_its_fleet_along(self):
        child, lab_id = self.keeper()
        child.send_signal(signal.SIGKILL)
        child.wait()
        await_true("every trace is gone", lambda: not traces(lab_id))

    def test_a_terminated_test_program_takes_its_fleet_along(self):
        child, lab_id = self.keeper()
        child.send_signal(signal.SIGTERM)
        child.wait()
        self.assertEqual(traces(lab_id), [])

    def test_sweep_cleans_what_a_killed_up_left(self):
        environment = {**os.environ, "BERTH_LAB_ID": "half"}
        subprocess.run([LAB, "sweep"], env=environment, check=True)
        child = subprocess.Popen([LAB, "up", "4"], env=environment, start_new_session=True)
        await_true("a host is being made", lambda: "bhalf-kvm2" in traces("half"))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self.assertNotEqual(traces("half"), [])
        refused = subprocess.run(
            [LAB, "up", "1"], env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(refused.returncode, 1)
        self.assertIn("run 'lab down'", refused.stderr)
        subprocess.run([LAB, "sweep"], env=environment, check=True)
        self.assertEqual(traces("half"), [])

    def test_an_up_that_cannot_end_well_says_why_and_leaves_nothing(self):
        environment = {**os.environ, "BERTH_LAB_ID": "bad"}
        subprocess.run([LAB, "sweep"], env=environment, check=True)
        subprocess.run(["ip", "netns", "add", "bbad-kvm2"], check=True)  # a name that 'up' needs
        failed = subprocess.run(
            [LAB, "up", "2"], env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(failed.returncode, 1)
        self.assertIn("bbad-kvm2", failed.stderr)
        self.assertEqual(traces("bad"), [])

    def test_wrong_arguments_are_named(self):
        for argv, reason in (
            (["up", "x"], "number of hosts 'x'"),
            (["up", "1", "2"], "usage: lab up"),
            (["dance"], "no command 'dance'"),
            (["on", "kvm9", "true"], "no host 'kvm9'"),
            (["guest", "a/b", "kvm1"], "guest 'a/b': not a name"),
            (["guest", "g", "kvm1", "--memory"], "'--memory' needs a value"),
            (["guest", "g", "kvm1", "--disk", "none"], "no volume 'none'"),
            (["rate", "kvm1", "fast"], "rate 'fast'"),
            (["es", "f", "g1"], "want GUEST=HOST"),
        ):
            with self.subTest(argv):
                result = fleet.run(LAB, *argv)
                self.assertEqual(result.returncode, 1)
                self.assertIn(reason, result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
