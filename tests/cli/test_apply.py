#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""'berth apply' when it is cancelled, killed, started twice, or cannot write down what it does: the
guest is on one host, and the next run brings it where it belongs."""

import json
import os
import resource
import signal
import subprocess
import unittest

from world import (BLOCKED, CANCELLED, FAILED, INVALID, OK, PATIENCE_S, CliTest, await_true, run, sim_guest)

FULL_DISK = """
mount -t tmpfs -o size=$1,mode=0700 none "$2" || exit 77
dd if=/dev/zero of="$2/ballast" bs=4096 2>/dev/null
truncate -s -$3 "$2/ballast"
shift 3
"$@"
"""


def can_mount():
    if os.geteuid() != 0:
        return False
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


class ApplyTest(CliTest):
    def assert_at(self, host):
        """'vm1' runs there, and nowhere else."""
        places = {"kvm1": [], "kvm2": []} | {host: ["vm1"]}
        self.assertEqual(self.world.places(), places)

    def assert_settled(self, status=OK):
        """An apply that nothing stands in the way of brings the guest home."""
        self.world.edit_fleet(lambda fleet: fleet["durations"].update(migrate_ms=30))
        self.assert_exit(self.world.berth("apply", "--yes"), status)
        self.assert_at("kvm2")
        self.assertEqual(self.world.status()["moves"], [])

    def assert_ends(self, process, status):
        self.assertEqual(process.wait(PATIENCE_S), status, self.world.log.read_text())

    def await_word(self, word):
        await_true(f"'{word}' is said", lambda: word in self.world.log.read_text())


class Cancelled(ApplyTest):
    def setUp(self):
        super().setUp()
        self.make_moves_slow()
        self.apply = self.world.start_apply()
        self.world.await_move()

    def test_a_signal_ends_the_move_with_its_guest_where_it_was(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                self.apply.send_signal(number)
                self.assert_ends(self.apply, CANCELLED)
                self.assert_at("kvm1")
                self.assertEqual(self.world.status()["moves"], [])
                self.assertRegex(self.world.berth("history").stdout.splitlines()[-1], "cancelled")
                self.apply = self.world.start_apply()
                self.world.await_move()

    def test_a_second_signal_leaves_at_once_and_the_next_run_settles_the_move(self):
        # A target that stands still keeps the cancellation from taking effect.
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(power="frozen"))
        self.apply.send_signal(signal.SIGINT)
        self.await_word("cancelling")
        self.apply.send_signal(signal.SIGINT)
        self.assert_ends(self.apply, CANCELLED)
        self.await_word("leaving")
        self.assertEqual([move["guest"] for move in self.world.status()["moves"]], ["vm1"])
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(power="on"))
        self.assert_settled()

    def test_a_killed_run_is_adopted_by_the_next_one(self):
        self.apply.kill()
        self.assert_ends(self.apply, -signal.SIGKILL)
        self.assertRegex(self.world.berth("status").stdout, "unfinished .*vm1")
        result = self.world.berth("plan")
        self.assert_exit(result, BLOCKED)
        self.assertIn("in-flight", result.stdout)
        self.world.edit_fleet(lambda fleet: fleet["migrations"][0].update(duration_ms=1))
        self.assert_settled()
        self.assertRegex(self.world.berth("history", "vm1").stdout, "adopt|done")

    def test_a_second_apply_is_refused_with_the_pid_of_the_first(self):
        for args in (["apply", "--yes"], ["retry", "vm1"]):
            with self.subTest(args):
                result = self.world.berth(*args)
                self.assert_complains(result, FAILED, f"in use by pid {self.apply.pid}$")
        self.assertEqual(self.world.status()["controller_pid"], self.apply.pid)
        self.assertIsNone(self.apply.poll())

    def test_looking_commands_work_while_another_run_acts(self):
        for args in (["diff"], ["observe"], ["status"], ["history"], ["explain", "vm1"], ["validate"]):
            with self.subTest(args):
                self.assert_exit(self.world.berth(*args), OK)


class Reported(ApplyTest):
    def test_json_is_one_document_that_counts_what_was_moved(self):
        self.want_a_move()
        result = self.world.berth("apply", "--yes", "--json")
        self.assert_exit(result, OK)
        document = json.loads(result.stdout)
        self.assertEqual((document["format"], document["moved"], document["failed"]),
                         ("berth.apply/1", 1, 0))
        self.assert_at("kvm2")


class Released(ApplyTest):
    """kvm1 has booted, and its guard holds two guests back."""

    def setUp(self):
        super().setUp()
        self.world.conf.write_text(
            self.world.conf.read_text().replace("[fleet]\n", "[fleet]\nguard = yes\n"))
        held = {"state": "shutoff", "held": True}
        self.world.have({"kvm1": [sim_guest("vm1", **held), sim_guest("vm2", **held)], "kvm2": []})
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0].update(guard="holding"))
        self.world.want({"kvm1": ["vm1", "vm2"], "kvm2": []})

    def test_a_host_starts_what_its_guard_held_and_that_is_said(self):
        result = self.world.berth("apply", "--yes")
        self.assert_exit(result, OK)
        self.assertIn("kvm1 has booted: its guests may start\n", result.stderr)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1", "vm2"], "kvm2": []})

    def test_who_asks_for_one_guest_has_no_other_released(self):
        result = self.world.berth("apply", "--yes", "--only", "vm2")
        self.assert_exit(result, OK)
        self.assertIn("kvm1 has booted: vm2 may start\n", result.stderr)
        self.assertEqual(self.world.places(), {"kvm1": ["vm2"], "kvm2": []})

    def test_a_release_that_fails_is_said_and_is_a_failure(self):
        self.world.edit_fleet(lambda fleet: fleet.update(
            faults=[{"op": "release", "error": "unreachable", "text": "no way there", "times": 9}]))
        result = self.world.berth("apply", "--yes")
        self.assert_exit(result, FAILED)
        self.assertIn("NOT RELEASED: kvm1: no way there\n", result.stderr)

    def test_history_tells_of_it(self):
        self.world.berth("apply", "--yes")
        self.assertRegex(self.world.berth("history").stdout, r"kvm1 +releasing: .*\n.*kvm1 +released: ")


class StateDirectory(ApplyTest):
    def setUp(self):
        super().setUp()
        self.want_a_move()

    def test_a_plain_file_in_its_place_is_refused(self):
        self.world.state.write_text("keep me")
        result = self.world.berth("apply", "--yes")
        self.assert_complains(result, INVALID, f"'{self.world.state}': .*no folder")
        self.assert_at("kvm1")
        self.assertEqual(self.world.state.read_text(), "keep me")

    def test_a_folder_that_cannot_be_made_is_named(self):
        (self.world.folder / "file").write_text("")
        text = self.world.conf.read_text().replace(str(self.world.state), f"{self.world.folder}/file/state")
        self.world.conf.write_text(text)
        result = self.world.berth("apply", "--yes")
        self.assertIn(result.returncode, (FAILED, INVALID))
        self.assertRegex(result.stderr, f"^berth: .*'{self.world.folder}/file")
        self.assert_at("kvm1")

    def test_looking_commands_make_none(self):
        for args in (["plan"], ["diff"], ["observe"], ["status"], ["history"], ["explain", "vm1"]):
            with self.subTest(args):
                self.assert_exit(self.world.berth(*args), OK)
        self.assertFalse(self.world.state.exists())

    def test_a_limit_on_file_sizes_moves_nothing_unrecorded_and_loses_nothing(self):
        for pages in (0, 1, 2, 4, 6, 8, 12, 16, 24, 32):
            with self.subTest(pages=pages):
                self.world.have({"kvm1": ["vm1"], "kvm2": []})
                limit = max(4096 * pages, 2 * len(self.world.sim.read_bytes()))
                result = run(
                    self.world.command("apply", "--yes"),
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
                )
                self.assertIn(result.returncode, (OK, FAILED), result.stderr)
                if result.returncode == FAILED:
                    self.assertRegex(result.stderr, r"cannot .*'?\S+'?: .*")
                self.assert_settled()

    @unittest.skipUnless(can_mount(), "needs root, to mount a small file system")
    def test_a_full_disk_is_a_clear_error_and_moves_nothing_unrecorded(self):
        self.world.state.mkdir(mode=0o700)
        said = []
        for spare in range(0, 320, 16):  # KiB
            with self.subTest(spare=spare):
                self.world.have({"kvm1": ["vm1"], "kvm2": []})
                command = self.world.command("apply", "--yes")
                result = run(["unshare", "-m", "sh", "-c", FULL_DISK, "sh", "512k", self.world.state,
                              f"{spare}K", *command])
                self.assertIn(result.returncode, (OK, FAILED), result.stderr)
                home = self.world.places()
                if result.returncode == FAILED:
                    said.append(result.stderr)
                    self.assertRegex(result.stderr, "(?m)^(berth|STOPPED): .*(full|No space left)")
                    self.assertIn(home, ({"kvm1": ["vm1"], "kvm2": []}, {"kvm1": [], "kvm2": ["vm1"]}))
                else:
                    self.assert_at("kvm2")
                if "[1/1]" not in result.stderr:
                    self.assert_at("kvm1")
        self.assertGreater(len(said), 2)


if __name__ == "__main__":
    unittest.main()
