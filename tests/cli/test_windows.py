#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Windows and blackouts of berth.conf, as somebody sees them who runs the commands."""

import json
import unittest

from world import BERTHD, BLOCKED, CliTest, INVALID, OK, await_true

ALWAYS = "[window always]\nopens = minutely\nlasts = 2m\n"
NEVER = "[window never]\nopens = 2020-01-01\nlasts = 1h\n"
FIRST_OF_JANUARY = "[window newyear]\nopens = *-01-01 02:00 Europe/Berlin\nlasts = 2h\n"


class Windows(CliTest):
    def setUp(self):
        super().setUp()
        self.want_a_move()

    def configure(self, window, more):
        self.world.configure(more)
        if window:
            text = self.world.conf.read_text()
            self.world.conf.write_text(text.replace("[fleet]\n", f"[fleet]\nwindow = {window}\n", 1))

    def test_a_guest_that_waits_is_blocked_with_the_window_and_exit_status_4(self):
        self.configure("never", NEVER)
        result = self.world.berth("plan")
        self.assert_exit(result, BLOCKED)
        self.assertIn("  vm1: window: waits for window 'never', which does not open any more\n", result.stdout)
        plan = json.loads(self.world.berth("plan", "--json").stdout)
        self.assertEqual((plan["moves"], [b["code"] for b in plan["blocked"]]), ([], ["window"]))
        self.assertEqual(plan["complete"], False)
        self.assertRegex(self.world.berth("explain", "vm1").stdout, r"It is not moved \(window\): waits for")

    def test_apply_starts_nothing_while_the_window_is_closed(self):
        self.configure("never", NEVER)
        self.assert_exit(self.world.berth("apply", "--yes"), BLOCKED)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_apply_moves_while_the_window_is_open(self):
        self.configure("never, always", NEVER + ALWAYS)
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})

    def test_a_window_of_a_host_closes_it_and_one_of_a_guest_replaces_the_fleets(self):
        self.configure("always", ALWAYS + NEVER + "[host kvm2]\nwindow = never\n")
        self.assertRegex(self.world.berth("plan").stdout, "vm1: window: waits for window 'never' of 'kvm2'")
        self.configure("never", ALWAYS + NEVER + "[guest vm1]\nwindow = always\n")
        self.assert_exit(self.world.berth("plan"), OK)

    def test_a_blackout_holds_everything_or_what_it_names(self):
        blackout = "[blackout b]\nfrom = 2020-01-01\nuntil = 2199-01-01 UTC\n[schedule]\ntimezone = UTC\n"
        self.configure("", blackout)
        result = self.world.berth("plan")
        self.assert_exit(result, BLOCKED)
        self.assertIn("waits for the end of blackout 'b', which is Tue 2199-01-01 00:00 UTC", result.stdout)
        for scope, status in (("host kvm1", BLOCKED), ("host kvm3, guest vm1", BLOCKED), ("guest vm2", OK)):
            with self.subTest(scope):
                self.configure("", blackout.replace("[schedule]", f"applies_to = {scope}\n[schedule]"))
                self.assert_exit(self.world.berth("plan"), status)

    def test_a_recorded_observation_is_planned_for_the_time_it_was_recorded_at(self):
        observed = json.loads(self.world.berth("observe").stdout)
        recorded = self.world.folder / "observed.json"
        self.configure("newyear", FIRST_OF_JANUARY)
        for at, status, opens in (("2026-01-01T01:30:00Z", OK, None), ("2026-01-01T03:00:00Z", BLOCKED, 2027),
                                  ("2026-07-01T00:00:00Z", BLOCKED, 2027)):
            with self.subTest(at):
                recorded.write_text(json.dumps(observed | {"at": at}))
                result = self.world.berth("plan", "--observed", recorded)
                self.assert_exit(result, status)
                if opens:
                    self.assertIn(f"waits for window 'newyear', which opens Fri {opens}-01-01 02:00 CET",
                                  result.stdout)

    def test_a_satisfied_fleet_waits_for_nothing(self):
        self.world.want({"kvm1": ["vm1"], "kvm2": []})
        self.configure("never", NEVER)
        result = self.world.berth("plan")
        self.assert_exit(result, OK)
        self.assertIn("Nothing to do", result.stdout)

    def test_faults_of_windows_are_told_with_file_and_line(self):
        self.configure("nowhere", "[window w]\nopens = 25:00\nlasts = 1h\n")
        result = self.world.berth("plan")
        self.assert_exit(result, INVALID)
        self.assertEqual(result.stderr.splitlines(), [
            f"{self.world.conf}:1: [fleet]: there is no [window nowhere]",
            f"{self.world.conf}:9: 'opens' must be a calendar expression such as Sat 22:00: "
            "hour: 25 is not from 0 to 23"])

    def test_the_daemon_moves_once_the_window_opens(self):
        self.configure("soon", "[window soon]\nopens = *:*:0/5\nlasts = 3s\n")
        self.world.start(BERTHD, "-c", self.world.conf)
        await_true("the guest is moved", lambda: self.world.places()["kvm2"] == ["vm1"])


if __name__ == "__main__":
    unittest.main()
