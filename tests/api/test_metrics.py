#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is counted and how it is written, read back strictly; $API_SAMPLE is the program."""

import os
import pathlib
import re
import subprocess
import unittest

from prometheus import parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def metrics(which):
    text = subprocess.run([os.environ["API_SAMPLE"], which], capture_output=True, text=True,
                          check=True).stdout
    return parse(text)


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.samples, cls.types = metrics("metrics")

    def value(self, name, **labels):
        return self.samples[name, frozenset(labels.items())]

    def test_moves_are_counted_by_mode_and_result_and_a_restart_is_none(self):
        self.assertEqual(self.value("berth_moves_total", mode="live", result="done"), 3)
        self.assertEqual(self.value("berth_moves_total", mode="offline", result="done"), 1)
        self.assertEqual(self.value("berth_moves_total", mode="offline", result="failed"), 1)
        self.assertEqual(self.value("berth_moves_total", mode="cold", result="cancelled"), 0)
        self.assertEqual(sum(value for (name, _), value in self.samples.items()
                             if name == "berth_moves_total"), 5)
        self.assertEqual(self.value("berth_move_bytes_total"), 5000)

    def test_durations_are_of_moves_that_got_there(self):
        name = "berth_move_duration_seconds"
        self.assertEqual(self.value(f"{name}_count"), 4)
        self.assertEqual(self.value(f"{name}_sum"), 15 + 7200 + 1 + 1.001)
        for bound, count in (("1.000", 1), ("5.000", 2), ("10.000", 2), ("30.000", 3),
                             ("3600.000", 3), ("+Inf", 4)):
            self.assertEqual(self.value(f"{name}_bucket", le=bound), count)

    def test_downtime_that_was_not_reported_is_not_counted_as_none(self):
        name = "berth_move_downtime_seconds"
        self.assertEqual(self.value(f"{name}_count"), 2)
        self.assertEqual(self.value(f"{name}_sum"), 5.12)
        self.assertEqual(self.value(f"{name}_bucket", le="0.100"), 0)
        self.assertEqual(self.value(f"{name}_bucket", le="0.200"), 1)
        self.assertEqual(self.value(f"{name}_bucket", le="4.000"), 1)

    def test_estimates_are_held_against_what_moves_of_the_plan_took(self):
        self.assertEqual(self.value("berth_estimate_error_ratio_count"), 1)
        self.assertEqual(self.value("berth_estimate_error_ratio_sum"), 0.5)

    def test_passes_and_mishaps_are_counted(self):
        for name, value in (("passes", 2), ("plans", 1), ("retries", 1), ("alarms", 1),
                            ("journal_errors", 1)):
            self.assertEqual(self.value(f"berth_{name}_total"), value)
        self.assertEqual(self.value("berth_pass_duration_seconds_count"), 2)
        self.assertEqual(self.value("berth_pass_duration_seconds_bucket", le="0.001"), 1)
        self.assertEqual(self.value("berth_pass_duration_seconds_bucket", le="0.010"), 2)

    def test_releases_are_counted_by_what_came_of_them(self):
        self.assertEqual(self.value("berth_releases_total", result="done"), 2)
        self.assertEqual(self.value("berth_releases_total", result="failed"), 1)

    def test_how_things_are_is_of_the_status(self):
        self.assertEqual(self.value("berth_guests", **{"class": "placed"}), 1)
        self.assertEqual(self.value("berth_guests", **{"class": "unmanaged"}), 1)
        self.assertEqual(self.value("berth_blocked_guests", code="held"), 2)
        self.assertEqual(self.value("berth_blocked_guests", code="deadlock"), 1)
        self.assertEqual(self.value("berth_blocked_guests", code="pinned"), 0)
        self.assertEqual(self.value("berth_backoff_guests"), 2)
        self.assertEqual(self.value("berth_parked_guests"), 1)
        self.assertEqual(self.value("berth_open_moves"), 1)
        self.assertEqual(self.value("berth_owed_starts"), 2)
        self.assertEqual(self.value("berth_holds"), 4)
        self.assertEqual(self.value("berth_drift_guests"), 2)
        self.assertEqual(self.value("berth_drift_age_seconds"), 90)
        self.assertEqual(self.value("berth_host_reachable", host="a"), 1)
        self.assertEqual(self.value("berth_host_reachable", host="b"), 0)
        self.assertEqual(self.value("berth_host_held_guests", host="a"), 1)
        self.assertEqual(self.value("berth_host_held_guests", host="b"), 0)
        self.assertEqual(self.value("berth_host_last_seen_timestamp_seconds", host="a"), 1764000000)
        self.assertEqual(self.value("berth_desired_valid"), 1)

    def test_what_is_not_known_is_not_shown_as_nothing(self):
        samples, _ = metrics("metrics-empty")
        names = {name for name, _ in samples}
        self.assertIn("berth_moves_total", names)
        self.assertEqual(samples["berth_desired_valid", frozenset()], 0)
        for name in ("berth_guests", "berth_host_reachable", "berth_parked_guests",
                     "berth_drift_age_seconds"):
            self.assertNotIn(name, names)

    def test_every_metric_is_described_and_no_other_is(self):
        listed = re.findall(r"^\| `(\w+)(?:\{[\w,]+\})?` \|",
                            (ROOT / "docs" / "api.md").read_text(), re.M)
        self.assertEqual(sorted(listed), sorted(self.types))


class Parser(unittest.TestCase):
    def test_what_is_wrong_is_noticed(self):
        good = "# HELP a_total x\n# TYPE a_total counter\na_total 1\n"
        self.assertEqual(parse(good)[0], {("a_total", frozenset()): 1})
        for bad in (good[:-1], good + "a_total 2\n", good + good, good.replace(" 1\n", "\n"),
                    good.replace(" 1\n", " x\n"), good.replace(" 1\n", " -1\n"),
                    good.replace("a_total 1", 'a_total{b="c} 1'), good.replace("_total", ""),
                    good.replace("a_total 1", 'a_total{b="c",b="d"} 1'), good + "\n",
                    good.replace("counter", "color"), good.split("\n", 1)[1], "a 1\n",
                    "# HELP a_seconds x\n# TYPE a_seconds histogram\na_seconds_count 1\n"):
            with self.subTest(bad), self.assertRaises(ValueError):
                parse(bad)


if __name__ == "__main__":
    unittest.main()
