#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live moves of a guest with what a platform provides for it (steps.py), disturbed as test_steps.py disturbs
offline ones; and moves of either kind whose controller is killed between or within steps."""

import os
import signal
import unittest

from fleet import await_true
from steps import BLOCKED, DONE, FAILED, StepsTest, fleet, start_fleet

# Commands of configs/profiles/exascale.conf in the order of a live move: where, and how they begin.
LIVE = (
    ("target", "ip link add name vmeth7"),
    ("target", "escli mkvolumeattachment"),
    ("target", "ip link add name vf7"),
    ("source", "ip link delete dev vf7"),
    ("source", "umount"),
    ("source", "escli rmvolumeattachment"),
)

setUpModule = start_fleet


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

    def test_steps_that_come_late_or_lose_their_reply_are_done_again(self):
        self.make()
        self.disturb_all(LIVE, ("lost", "late6"))

    def test_a_command_that_hears_nothing_is_ended_by_force(self):
        self.make()
        self.want()
        self.fault("target", "escli mkvolumeattachment", "deaf", "1")
        self.apply()
        self.assert_safe()
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
        self.make(off=True)
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

    def kill_within(self, side, command):
        """What it had begun goes on without the controller, and acts two seconds later."""
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

    def test_within_a_step(self):
        self.make()
        for side, command in (
            ("target", "ip link add name vf7"),
            ("source", "escli rmvolumeattachment"),
            ("target", "escli mkvolumeattachment"),
            ("source", "ip link delete"),
        ):
            with self.subTest(command):
                self.kill_within(side, command)
                self.assert_ends()
            self.turn()


if __name__ == "__main__":
    unittest.main(verbosity=2)
