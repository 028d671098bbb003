#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands that edit es.xml: what they write, what they refuse, and where the guests are afterwards."""

import fcntl
import json
import os
import unittest

from test_terminal import PROMPT, TerminalTest
from world import BERTHD, BLOCKED, CANCELLED, FAILED, GIB, INVALID, OK, await_true, es_xml, sim_guest


class EditTest(TerminalTest):
    def edit(self, *args, status=OK):
        """Runs the command without asking, and returns its JSON."""
        result = self.world.berth(*args, "--yes", "--json")
        self.assert_exit(result, status)
        return json.loads(result.stdout) if result.stdout else None

    def assert_unchanged(self, text):
        self.assertEqual(self.world.es.read_text(), text)

    def assert_file(self, places):
        """The file puts guests there, and is in all else what it was."""
        self.assertEqual(self.world.es.read_text(), es_xml(places))

    def start_daemon(self):
        daemon = self.world.start(BERTHD, "-c", self.world.conf)
        await_true("berthd controls the fleet",
                   lambda: self.world.status()["controller_pid"] == daemon.pid
                   and self.world.status()["acted_on"])
        return daemon


class Migrate(EditTest):
    def test_the_file_is_edited_and_the_guest_moved(self):
        self.world.es.write_text(self.world.es.read_text().replace("\n", "\r\n"), newline="")
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--yes")
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, r"(?s)es.xml:\n  vm1 +kvm1 -> kvm2\n.*1 guest moved")
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})
        with open(self.world.es, newline="") as file:
            text = file.read()
        self.assertEqual(text.count("\r\n"), text.count("\n"))
        self.assertEqual(text.count('<machine id="vm1_id"/>'), 1)
        self.assertEqual(self.world.berth("plan", "--exit-code").returncode, OK)
        self.assertEqual(sorted(p.name for p in self.world.folder.glob("es*")), ["es.xml"])

    def test_json_tells_what_was_written_planned_and_moved(self):
        before = json.loads(self.world.berth("plan", "--json").stdout)["es_xml_sha256"]
        document = self.edit("migrate", "vm1", "--to", "kvm2")
        self.assertEqual(document["format"], "berth.edit/1")
        self.assertEqual(document["changes"], [{"guest": "vm1", "from": "kvm1", "to": "kvm2"}])
        self.assertEqual((document["written"], document["before"]), (True, before))
        self.assertEqual(document["plan"]["es_xml_sha256"], document["after"])
        self.assertEqual([m["guest"] for m in document["plan"]["moves"]], ["vm1"])
        self.assertEqual((document["run"]["format"], document["run"]["moved"]), ("berth.apply/1", 1))
        self.assertIsNone(document["controller_pid"])

    def test_a_dry_run_shows_it_and_changes_nothing(self):
        text = self.world.es.read_text()
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--dry-run")
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, r"(?s)vm1 +kvm1 -> kvm2.*live")
        self.assert_unchanged(text)
        self.assertFalse(self.world.state.exists())
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_other_guests_stay_where_they_are(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.world.want({"kvm1": ["vm1"], "kvm2": ["vm2"]})
        self.edit("migrate", "vm1", "--to", "kvm2")
        self.assertEqual(self.world.places(), {"kvm1": ["vm2"], "kvm2": ["vm1"]})

    def test_a_guest_that_the_file_has_there_already_is_moved_without_an_edit(self):
        self.want_a_move()
        text = self.world.es.read_text()
        self.assertFalse(self.edit("migrate", "vm1", "--to", "kvm2")["written"])
        self.assert_unchanged(text)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})

    def test_what_cannot_be_meant_is_refused(self):
        text = self.world.es.read_text()
        for args, pattern in [
            (["vm9", "--to", "kvm2"], "no guest 'vm9'"),
            (["vm1", "--to", "kvm9"], "no host 'kvm9'"),
            (["vm1"], "--to HOST is missing"),
            (["vm1", "--to", "kvm2", "--mode", "warp"], "'warp' is none of"),
            (["vm1", "--to", "kvm2", "--timeout", "soon"], "'soon' is no time"),
            (["vm1", "--to", "kvm2", "--timeout", "0s"], "'0s' is no time"),
        ]:
            with self.subTest(args):
                self.assert_complains(self.world.berth("migrate", *args, "--yes"), INVALID, pattern)
        self.assert_unchanged(text)

    def test_nobody_is_asked_without_a_terminal(self):
        result = self.world.berth("migrate", "vm1", "--to", "kvm2")
        self.assert_complains(result, INVALID, "nobody can be asked")

    def test_a_guest_that_cannot_be_moved_leaves_the_file_alone(self):
        self.world.have({"kvm1": [sim_guest("vm1", memory_kib=20 * GIB)], "kvm2": []})
        text = self.world.es.read_text()
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertIn("no-capacity", result.stdout)
        self.assertIn("nothing was changed", result.stderr)
        self.assert_unchanged(text)
        document = self.edit("migrate", "vm1", "--to", "kvm2", status=BLOCKED)
        self.assertEqual([b["code"] for b in document["blocked"]], ["no-capacity"])
        self.assertFalse(document["written"])

    def test_a_file_that_would_be_at_fault_is_not_written(self):
        self.world.configure("[host kvm2]\nmemory = 512MiB\n")
        text = self.world.es.read_text()
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--yes")
        self.assert_exit(result, INVALID)
        self.assertRegex(result.stderr, r"(?s)^berth: migrate: .*would be at fault.*es.xml:\d+: .*kvm2")
        self.assert_unchanged(text)

    def test_mode_and_timeout_hold_for_this_run(self):
        self.world.configure("[migrate]\nmode = offline\n[guest vm1]\npriority = 3\n")
        plan = self.edit("migrate", "vm1", "--to", "kvm2", "--dry-run")["plan"]
        self.assertEqual(plan["moves"][0]["mode"], "offline")
        plan = self.edit("migrate", "vm1", "--to", "kvm2", "--mode", "live", "--dry-run")["plan"]
        self.assertEqual(plan["moves"][0]["mode"], "live")
        self.world.edit_fleet(lambda fleet: fleet["durations"].update(migrate_ms=3600_000))
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--yes", "--mode", "live",
                                  "--timeout", "200ms")
        self.assertNotEqual(result.returncode, OK)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_nobody_is_asked_when_there_is_nothing_to_do(self):
        status, shown = self.at_terminal("migrate", "vm1", "--to", "kvm1")
        self.assertEqual(status, OK, shown)
        self.assertNotIn(PROMPT, shown)

    def test_a_no_changes_nothing(self):
        text = self.world.es.read_text()
        status, shown = self.at_terminal("migrate", "vm1", "--to", "kvm2", keys="n\n")
        self.assertEqual(status, CANCELLED, shown)
        self.assertLess(shown.index("kvm1 -> kvm2"), shown.index(PROMPT))
        self.assert_unchanged(text)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_a_yes_shows_the_plan_once_and_moves(self):
        status, shown = self.at_terminal("migrate", "vm1", "--to", "kvm2", keys="y\n")
        self.assertEqual(status, OK, shown)
        self.assertEqual(shown.count("the file puts it there"), 1)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})

    def test_a_link_to_the_file_stays_one(self):
        real = self.world.folder / "real.xml"
        self.world.es.rename(real)
        self.world.es.symlink_to(real.name)
        self.edit("migrate", "vm1", "--to", "kvm2")
        self.assertTrue(self.world.es.is_symlink())
        self.assertEqual(real.read_text(), self.world.es.read_text())
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})

    def test_another_process_at_the_file_is_waited_for_by_a_person(self):
        text = self.world.es.read_text()
        folder = os.open(self.world.folder, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--yes")
        self.assert_exit(result, FAILED)
        self.assertRegex(result.stderr, "(?m)^berth: cannot write '.*es.xml': another process")
        self.assert_unchanged(text)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_a_running_apply_is_not_interfered_with(self):
        self.make_moves_slow()
        apply = self.world.start_apply()
        self.world.await_move()
        text = self.world.es.read_text()
        result = self.world.berth("migrate", "vm1", "--to", "kvm1", "--yes")
        self.assert_complains(result, FAILED, f"in use by pid {apply.pid}")
        self.assert_unchanged(text)

    def test_a_daemon_carries_it_out(self):
        daemon = self.start_daemon()
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--mode", "live", "--yes")
        self.assert_complains(result, INVALID, "--mode: berthd")
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--timeout", "1m", "--yes")
        self.assert_complains(result, INVALID, "--timeout: berthd")
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--mode", "auto", "--timeout",
                                  "10m", "--yes")
        self.assert_exit(result, OK)
        self.assertIn(f"berthd (pid {daemon.pid}) carries it out", result.stderr)
        await_true("vm1 is on kvm2", lambda: self.world.places()["kvm2"] == ["vm1"])


if __name__ == "__main__":
    unittest.main()
