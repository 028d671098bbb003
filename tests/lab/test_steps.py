#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Moves of a guest with what a platform provides for it: a volume, a configuration volume that is mounted
on its host, and a bridge of its own.  Every command on a host, and every start, fails, hangs, comes too late
or loses its reply; then a second run ends what the first one left.  In the end the guest runs once, and
volumes, mount, bridge and definition are on its host and nowhere else.

Which case is where:

  each step of a move fails                     test_a_step_that_fails_... of Offline and Live
  each hangs, is late, loses its reply          test_steps_that_... of both
  the start                                     Starts
  a controller that is killed                   Crashes
  what must not be begun at all                 Refusals"""

import os
import signal
import unittest

from fleet import Fleet, FleetTest, await_true, berth_path

DONE, FAILED, BLOCKED = 0, 1, 4
HOSTS = ("kvm1", "kvm2")

# Commands of configs/profiles/exascale.conf in the order of an offline move: where, and how they begin.
OFFLINE = (
    ("target", "ip link add"),
    ("target", "ip link set"),
    ("source", "umount"),
    ("source", "mv"),
    ("source", "escli rmvolumeattachment"),
    ("target", "escli mkvolumeattachment"),
    ("target", "mv"),
    ("target", "mount"),
    ("source", "ip link delete"),
)
# Of these those that fail differently.
FAILING = tuple(step for step in OFFLINE if step[1] not in ("ip link add", "mv"))
LIVE = (
    ("target", "ip link add"),
    ("target", "escli mkvolumeattachment"),
    ("source", "umount"),
    ("source", "escli rmvolumeattachment"),
    ("source", "ip link delete"),
)

fleet = Fleet(hosts=2, platform=True)


def setUpModule():
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
        fleet.guest("g1", "kvm1", disk="v1", config="g1_conf", bridge="vmeth7", **options)
        self.source, self.target = HOSTS
        self.assert_whole("kvm1")

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
                self.assert_ends()
            self.turn()


class Offline(StepsTest):
    def test_a_move_brings_along_what_its_platform_provides(self):
        self.make(autostart=True)
        for _ in range(2):
            self.want()
            self.assert_ends()
            self.assertEqual(fleet.listed(self.target, "--all", "--autostart"), ["g1"])
            self.turn()

    def test_a_guest_that_is_off_brings_along_the_same(self):
        for volume in ("v1", "g1_conf"):
            fleet.lab("volume", volume)
        fleet.guest("g1", "kvm1", disk="v1", config="g1_conf", bridge="vmeth7", off=True)
        self.source, self.target = HOSTS
        self.want()
        self.assert_exit(self.apply(), DONE)
        self.assert_whole("kvm2", runs=False)
        self.assertEqual(fleet.boots("g1"), 0)

    def test_a_bridge_that_another_guest_uses_stays(self):
        self.make()
        fleet.guest("g2", "kvm1", bridge="vmeth7", off=True)
        self.want()
        self.assert_exit(self.apply(), DONE)
        self.assertEqual(fleet.bridged("vmeth7"), ["kvm1", "kvm2"])

    def test_a_step_that_fails_is_done_again_or_turns_the_move_round(self):
        self.make()
        self.fail_each(FAILING)

    def test_a_step_that_fails_for_good_leaves_everything_at_the_source(self):
        self.make()
        self.fail_for_good("target", "escli mkvolumeattachment")
        self.assert_whole("kvm1")
        self.assert_ends()

    def test_steps_that_hang_or_come_late_or_lose_their_reply_are_done_again(self):
        self.make()
        self.disturb_all(OFFLINE, ("lost", "hang", "late6"))


class Live(StepsTest):
    mode = "live"

    def tearDown(self):
        if fleet.id:
            self.assertEqual(fleet.boots("g1"), 1, "it has booted again")

    def test_a_move_brings_along_what_its_platform_provides(self):
        self.make(autostart=True)
        for _ in range(2):
            self.want()
            self.assert_ends()
            self.assertEqual(fleet.listed(self.target, "--all", "--autostart"), ["g1"])
            self.turn()

    def test_a_step_that_fails_is_done_again_or_turns_the_move_round(self):
        self.make()
        self.fail_each(LIVE)

    def test_a_step_that_fails_for_good_after_the_guest_arrived_leaves_the_move_open(self):
        self.make()
        self.fail_for_good("source", "escli rmvolumeattachment")
        self.assert_runs_once("g1", "kvm2")
        self.assert_ends()

    def test_a_migration_that_fails_takes_back_what_was_prepared(self):
        self.make()
        self.want()
        self.fault("target", "hook g1 prepare begin", "fail")
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assert_whole("kvm1")
        self.assert_ends()

    def test_steps_that_hang_or_come_late_or_lose_their_reply_are_done_again(self):
        self.make()
        self.disturb_all(LIVE, ("lost", "hang", "late6"))

    def test_a_command_that_hears_nothing_is_ended_by_force(self):
        self.make()
        self.want()
        self.fault("target", "escli mkvolumeattachment", "deaf", "1")
        self.apply()
        self.assert_safe()
        self.assert_ends()


class Starts(StepsTest):
    def test_a_start_that_fails_gives_the_guest_back_to_its_source(self):
        self.make()
        self.want()
        self.fault("target", "hook g1 prepare begin", "fail")
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertIn("Hook script", self.text(result))
        self.assert_whole("kvm1")
        self.assert_ends()

    def test_a_start_whose_reply_is_lost_is_a_success(self):
        self.make()
        self.want()
        self.fault("target", "hook g1 started begin", "lost", "1")
        self.apply()
        self.assert_safe()
        self.assertEqual(self.where(), "kvm2")
        self.assert_ends()
        self.assertEqual(fleet.boots("g1"), 2)

    def test_a_shutdown_whose_reply_is_lost_goes_on(self):
        self.make()
        self.want()
        self.fault("source", "hook g1 release end", "lost", "1")
        self.apply()
        self.assert_safe()
        self.assert_ends()
        self.await_up()
        self.assertEqual(fleet.boots("g1"), 2)

    def test_a_start_that_times_out_and_then_succeeds_makes_no_second_copy(self):
        self.make()
        self.want(**{"migrate.start_timeout": "1s"})
        self.fault("target", "hook g1 prepare begin", "late40", "1")
        result = self.apply()
        self.assertRegex(self.text(result), "start")
        self.assert_safe()
        await_true("the late start succeeds", lambda: fleet.processes("g1"))
        self.assertEqual(self.where(), "kvm2")
        self.assert_ends()


class Crashes(StepsTest):
    """The controller is killed, and a second one comes."""

    def crash(self, number):
        return self.apply(
            env={
                "LD_PRELOAD": os.environ["BERTH_CRASH_SHIM"],
                "BERTH_CRASH_COMMIT": str(number),
                "BERTH_CRASH_WHEN": "before" if number % 2 else "after",
            }
        )

    def test_between_the_steps_of_a_guest_that_is_off(self):
        """They are those of an offline move but for the shutdown and the start, and quick."""
        for volume in ("v1", "g1_conf"):
            fleet.lab("volume", volume)
        fleet.guest("g1", "kvm1", disk="v1", config="g1_conf", bridge="vmeth7", off=True)
        self.source, self.target = HOSTS
        for number in range(1, 100):
            self.want()
            crashed = self.crash(number)
            if crashed.returncode != -signal.SIGKILL:
                break
            with self.subTest(f"commit {number}"):
                self.assert_exit(self.apply(), DONE)
                self.assert_whole(self.target, runs=False)
            self.turn()
        self.assert_exit(crashed, DONE)
        self.assertGreater(number, 12, "fewer commits than there are steps")

    def test_within_a_step(self):
        """What it had begun goes on without it, and acts while its successor does."""
        self.make()
        for side, command in (
            ("target", "ip link add"),
            ("source", "escli rmvolumeattachment"),
            ("target", "escli mkvolumeattachment"),
            ("source", "ip link delete"),
        ):
            with self.subTest(command):
                self.want()
                self.fault(side, command, "late2", "1")
                self.await_up()
                log = fleet.dir / {"source": self.source, "target": self.target}[side] / "standin.log"
                before = log.read_text().count("late2") if log.exists() else 0
                first = fleet.start_berth("apply", "--yes")
                await_true(
                    f"'{command}' has begun",
                    lambda: log.exists() and log.read_text().count("late2") > before,
                )
                fleet.kill(first)
                self.assert_safe()
                self.assert_ends()
            self.turn()


class Refusals(StepsTest):
    def refused(self, *words):
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        for word in words:
            self.assertIn(word, self.text(result))
        self.assert_whole("kvm1")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_guest_deaf_to_the_power_button_runs_on_with_all_it_has(self):
        self.make(kind="deaf")
        self.want(**{"migrate.stop_timeout": "2s"})
        self.refused("g1")
        self.assert_alive("g1")

    def test_a_target_without_room_gets_nothing(self):
        self.make()
        for guest in ("g2", "g3"):
            fleet.guest(guest, "kvm2", no_wait=True)
        self.want(**{"host kvm2.memory": "256MiB"})
        self.refused("kvm2")

    def test_an_old_image_of_its_memory_on_the_target_is_seen_before_it_is_stopped(self):
        self.make()
        image = fleet.dir / "kvm2/var/qemu/save/g1.save"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.touch()
        self.addCleanup(image.unlink)
        self.want()
        self.refused("kvm2", "/var/lib/libvirt/qemu/save/g1.save")


if __name__ == "__main__":
    unittest.main(verbosity=2)
