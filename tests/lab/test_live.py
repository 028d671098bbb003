#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live moves of a guest that rewrites its memory faster than a limited link carries it away.  Each ends: the
guest is moved, or runs on where it was on purpose, and the history says why.  Passes are counted, time is
not."""

import json
import re
import unittest

from fleet import Fleet, FleetTest, await_true, berth_path

DONE, FAILED = 0, 1
MBIT = "200"
PAUSE_MAX_MS = 4000
PATIENCE_S = 300  # for a whole move

fleet = Fleet(hosts=2)


def setUpModule():
    berth_path()
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


def passes(host="kvm1"):
    """How often the running migration has begun to go over the memory of g1; 0 if there is none."""
    info = fleet.virsh(host, "domjobinfo", "g1")
    found = re.search(r"Iteration:\s+(\d+)", info)
    return int(found.group(1)) if found and "Outgoing" in info else 0


class BusyGuest(FleetTest):
    def setUp(self):
        super().setUp()
        fleet.guest("g1", "kvm1", kind="busy", memory=192)
        await_true("'g1' is up", lambda: fleet.beat("g1") > 5)
        fleet.disturb("rate", "kvm1", MBIT)

    def apply(self, **settings):
        fleet.want({f"migrate.{key}": value for key, value in settings.items()}, g1="kvm2")
        return fleet.berth("apply", "--yes", timeout=PATIENCE_S)

    def history(self):
        """The moves as the journal has them, and as a person reads them."""
        moves = json.loads(fleet.berth("history", "--json").stdout)["moves"]
        return moves, fleet.berth("history").stdout

    def assert_overran(self, move, text):
        self.assertEqual((move["mode"], move["state"], move["error"]), ("live", "failed", "timeout"))
        self.assertTrue(move["overran"])
        self.assertRegex(text, r"did not finish moving to 'kvm2' within .*runs on at 'kvm1': "
                               r"after \d+ passes it still wrote \d+ MiB/s")

    def test_what_plain_libvirt_never_ends_is_moved_or_stays_on_purpose(self):
        plain = fleet.start_process("virsh", "-q", "-c", fleet.uri("kvm1"), "migrate", "--live", "--p2p",
                                    "--persistent", "--undefinesource", "g1", fleet.uri("kvm2"))
        await_true("plain libvirt makes ten passes in vain", lambda: passes() >= 10, PATIENCE_S)
        fleet.virsh("kvm1", "domjobabort", "g1")
        self.assertNotEqual(fleet.finish(plain).returncode, DONE)
        self.assert_runs_once("g1", "kvm1")

        result = self.apply(timeout="180s")
        (move,), text = self.history()
        self.assertEqual(move["predicted_ms"], -1)
        if result.returncode == DONE:
            self.assert_runs_once("g1", "kvm2")
            self.assertGreater(move["throttle_percent"], 0)
            self.assertGreater(move["downtime_ms"], 0)
            self.assertLessEqual(move["downtime_ms"], PAUSE_MAX_MS)
            self.assertIn("predicted not to converge, slowed down by", text)
        else:
            self.assert_exit(result, FAILED)
            self.assert_runs_once("g1", "kvm1")
            self.assert_overran(move, text)
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_guest_that_may_not_be_slowed_down_runs_on_where_it_was(self):
        result = self.apply(timeout="30s", auto_converge="no")
        self.assert_exit(result, FAILED)
        self.assert_runs_once("g1", "kvm1")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1, "nobody asked to stop it")
        moves, text = self.history()
        for move in moves:
            self.assert_overran(move, text)
            self.assertEqual(move["throttle_percent"], 0)

    def test_its_fallback_stops_it_only_after_a_live_move_has_overrun(self):
        result = self.apply(timeout="30s", auto_converge="no", fallback="offline")
        self.assert_exit(result, DONE)
        await_true("'g1' is up again", lambda: fleet.boots("g1") == 2)
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        (live, offline), text = self.history()
        self.assert_overran(live, text)
        self.assertEqual((offline["mode"], offline["state"]), ("offline", "done"))
        self.assertTrue(offline["fallback"])
        self.assertIn("because a live move was not done in time", text)

    def test_its_fallback_finishes_it_by_postcopy(self):
        result = self.apply(timeout="30s", auto_converge="no", fallback="postcopy")
        self.assert_exit(result, DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)
        (first, second), text = self.history()
        self.assert_overran(first, text)
        self.assertFalse(first["postcopy"])
        self.assertTrue(second["postcopy"] and second["fallback"])

    def test_who_adopts_a_migration_climbs_on(self):
        fleet.want({"migrate.timeout": "300s", "migrate.auto_converge": "no",
                    "migrate.postcopy": "yes"}, g1="kvm2")
        first = fleet.start_berth("apply", "--yes")
        await_true("the first pass is over", lambda: passes() >= 2, PATIENCE_S)
        fleet.kill(first)
        self.assert_exit(fleet.berth("apply", "--yes", timeout=PATIENCE_S), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)
        (move,), _ = self.history()
        self.assertTrue(move["postcopy"])


if __name__ == "__main__":
    unittest.main()
