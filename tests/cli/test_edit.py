#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands that edit es.xml: what they write, what they refuse, and where the guests are afterwards."""

import fcntl
import json
import os
import unittest

from test_terminal import PROMPT, Terminal, TerminalTest
from world import (BERTHD, BLOCKED, CANCELLED, FAILED, FOR_EVER_MS, GIB, INVALID, OK, await_true, es_xml,
                   sim_guest)


# Longer than these tests will be run.
BLACKOUT = "[blackout ever]\nfrom = 2000-01-01\nuntil = 2100-01-01\napplies_to = fleet\n"


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

    def is_controlled_by(self, daemon):
        result = self.world.berth("status", "--json")
        status = json.loads(result.stdout) if result.returncode == OK else {}
        return status.get("controller_pid") == daemon.pid and status["acted_on"]

    def start_daemon(self):
        daemon = self.world.start(BERTHD, "-c", self.world.conf)
        await_true("berthd controls the fleet", lambda: self.is_controlled_by(daemon))
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
        self.assertEqual(document["controller_pid"], 0)

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

    def test_a_file_that_changes_while_a_person_thinks_is_left_as_it_is(self):
        terminal = Terminal(self.world.command("migrate", "vm1", "--to", "kvm2"))
        terminal.read_until(PROMPT)
        text = self.world.es.read_text() + "<!-- edited meanwhile -->\n"
        self.world.replace(self.world.es, text)
        terminal.answer("y\n")
        self.assertEqual(terminal.wait(), FAILED, terminal.text)
        self.assertRegex(terminal.text, "berth: cannot write '.*es.xml': it was changed meanwhile")
        self.assert_unchanged(text)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})
        self.assertEqual(sorted(p.name for p in self.world.folder.glob("es*")), ["es.xml"])

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
        self.assertIn("berthd carries it out", result.stderr)
        self.assertIn("1 guest moved", result.stdout)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})
        document = self.edit("migrate", "vm1", "--to", "kvm1")
        self.assertEqual(document["controller_pid"], daemon.pid)
        self.assertEqual((document["run"]["format"], document["run"]["moved"]), ("berth.apply/1", 1))


class Drain(EditTest):
    def setUp(self):
        super().setUp()
        self.places = {"kvm1": ["db1", "db2", "web"], "kvm2": ["mail"], "kvm3": []}
        self.world.have(self.places)
        self.world.want(self.places)

    def hosts_in_file(self):
        plan = self.world.berth("diff", "--json", "--observed", "-", stdin=json.dumps(
            {"format": "berth.observed/1", "at": "2026-01-01T00:00:00Z", "hosts": []}))
        return {g["guest"]: g["wanted"] for g in json.loads(plan.stdout)["guests"]}

    def test_a_drained_host_is_empty_in_the_file_and_in_fact(self):
        result = self.world.berth("drain", "kvm1", "--yes")
        self.assert_exit(result, OK)
        self.assertEqual(self.world.places()["kvm1"], [])
        self.assertNotIn("kvm1", self.hosts_in_file().values())
        self.assertIn("'kvm1' is drained", result.stderr)
        self.assertEqual(self.world.berth("plan", "--exit-code").returncode, OK)

    def test_an_empty_host_is_drained_without_an_edit(self):
        text = self.world.es.read_text()
        result = self.world.berth("drain", "kvm3", "--yes")
        self.assert_exit(result, OK)
        self.assertIn("'kvm3' is drained", result.stderr)
        self.assert_unchanged(text)

    def test_a_leftover_definition_is_not_drained(self):
        self.world.have(self.places | {"kvm3": [sim_guest("web", state="shutoff")]})
        result = self.world.berth("drain", "kvm3", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stderr, "'kvm3' is not drained: it has web")

    def test_a_dry_run_shows_the_choice_and_changes_nothing(self):
        text = self.world.es.read_text()
        result = self.world.berth("drain", "kvm1", "--dry-run")
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, r"db1 +kvm1 -> kvm\d\n +db2 +kvm1 -> kvm\d\n +web")
        self.assertNotIn("drained", result.stderr)
        self.assert_unchanged(text)
        self.assertEqual(self.world.places(), self.places)

    def test_who_cannot_leave_is_named_and_nothing_is_changed(self):
        self.world.configure("[guest db2]\npin = yes\n")
        text = self.world.es.read_text()
        document = self.edit("drain", "kvm1", status=BLOCKED)
        self.assertEqual([(b["guest"], b["code"]) for b in document["blocked"]], [("db2", "pinned")])
        result = self.world.berth("drain", "kvm1", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stdout, "db2 stays: pinned: ")
        self.assertIn("--partial", result.stderr)
        self.assert_unchanged(text)

    def test_partial_takes_the_others_away(self):
        self.world.configure("[guest db2]\npin = yes\n")
        result = self.world.berth("drain", "kvm1", "--yes", "--partial")
        self.assert_exit(result, BLOCKED)
        self.assertEqual(self.world.places()["kvm1"], ["db2"])
        self.assertRegex(result.stderr, "'kvm1' is not drained: it has db2")

    def test_a_host_in_maintenance_can_be_drained_and_is_no_target(self):
        self.world.configure("[host kvm1]\nmaintenance = yes\n[host kvm3]\nmaintenance = yes\n")
        self.edit("drain", "kvm1")
        self.assertEqual(sorted(self.world.places()["kvm2"]), ["db1", "db2", "mail", "web"])

    def test_an_unknown_host_is_refused(self):
        for command in ("drain", "undrain"):
            with self.subTest(command):
                result = self.world.berth(command, "kvm9", "--yes")
                self.assert_complains(result, INVALID, "no host 'kvm9'")

    def test_a_daemon_carries_it_out(self):
        self.start_daemon()
        result = self.world.berth("drain", "kvm1", "--yes")
        self.assert_exit(result, OK)
        self.assertIn("berthd carries it out", result.stderr)
        self.assertIn("'kvm1' is drained", result.stderr)
        self.assertEqual(self.world.places()["kvm1"], [])
        self.assert_exit(self.world.berth("undrain", "kvm1", "--yes"), OK)
        self.assertEqual(sorted(self.world.places()["kvm1"]), ["db1", "db2", "web"])

    def test_outside_of_a_window_only_a_daemon_takes_the_edit(self):
        self.world.configure(BLACKOUT)
        text = self.world.es.read_text()
        document = self.edit("drain", "kvm1", status=BLOCKED)
        self.assertEqual({b["code"] for b in document["blocked"]}, {"window"})
        self.assertEqual(len(document["changes"]), 3)  # They would have where to go.
        self.assert_unchanged(text)
        self.start_daemon()
        result = self.world.berth("drain", "kvm1", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stdout, "web: window: waits for")
        self.assertNotIn("kvm1", self.hosts_in_file().values())
        self.assertEqual(self.world.places(), self.places)

    def test_undrain_brings_back_who_left(self):
        self.edit("drain", "kvm1")
        result = self.world.berth("undrain", "kvm1", "--yes")
        self.assert_exit(result, OK)
        self.assertEqual({h: sorted(g) for h, g in self.world.places().items()},
                         {h: sorted(g) for h, g in self.places.items()})

    def test_undrain_leaves_alone_who_was_put_elsewhere_since(self):
        self.edit("drain", "kvm1")
        now = self.hosts_in_file()
        other = {"kvm2": "kvm3", "kvm3": "kvm2"}[now["web"]]
        self.edit("migrate", "web", "--to", other)
        self.edit("undrain", "kvm1")
        self.assertEqual(self.hosts_in_file(),
                         {"db1": "kvm1", "db2": "kvm1", "web": other, "mail": "kvm2"})

    def test_undrain_without_a_drain_does_nothing(self):
        text = self.world.es.read_text()
        for args in ([], ["--json"]):
            result = self.world.berth("undrain", "kvm1", "--yes", *args)
            self.assert_exit(result, OK)
            self.assertIn("nothing to bring back", result.stderr)
        self.assertFalse(json.loads(result.stdout)["written"])
        self.edit("drain", "kvm1")
        self.edit("undrain", "kvm1")
        again = self.world.berth("undrain", "kvm1", "--yes")
        self.assert_exit(again, OK)
        self.assertIn("nothing to bring back", again.stderr)
        self.assertNotEqual(self.world.es.read_text(), "")
        self.assertEqual(len(self.world.es.read_text()), len(text))

    def test_undrain_of_a_host_without_room_changes_nothing(self):
        self.edit("drain", "kvm1")
        text = self.world.es.read_text()
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0].update(memory_kib=GIB // 2))
        result = self.world.berth("undrain", "kvm1", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stdout, "db1 stays: no-capacity")
        self.assert_unchanged(text)


    def test_a_guest_on_its_way_is_brought_back_by_the_daemon(self):
        self.world.edit_fleet(lambda fleet: fleet["durations"].update(migrate_ms=FOR_EVER_MS))
        self.start_daemon()
        self.world.start(*self.world.command("migrate", "web", "--to", "kvm3", "--yes"))
        self.world.await_move()
        self.world.start(*self.world.command("undrain", "kvm1", "--yes"))
        await_true("web is to be back", lambda: self.hosts_in_file()["web"] == "kvm1")

    def test_a_guest_on_its_way_is_not_edited_without_a_daemon(self):
        self.world.edit_fleet(lambda fleet: fleet["durations"].update(migrate_ms=FOR_EVER_MS))
        self.world.want(self.places | {"kvm1": ["db1", "db2"], "kvm3": ["web"]})
        apply = self.world.start_apply()
        self.world.await_move()
        apply.kill()
        apply.wait()
        document = self.edit("migrate", "web", "--to", "kvm2", status=BLOCKED)
        self.assertEqual([b["code"] for b in document["blocked"]], ["in-flight"])


class Rollback(EditTest):
    def revisions(self):
        """Newest first."""
        result = self.world.berth("history", "--revisions", "--json")
        return sorted(json.loads(result.stdout)["revisions"], key=lambda r: r["number"])

    def test_an_earlier_file_comes_back_byte_for_byte_and_moves_nothing_yet(self):
        text = "<!-- kept -->\n" + self.world.es.read_text()
        self.world.es.write_text(text)
        self.edit("migrate", "vm1", "--to", "kvm2")
        first = self.revisions()[1]
        self.assertEqual([r["number"] for r in self.revisions()], [1, 2])
        document = self.edit("rollback", first["es_xml_sha256"][:8])
        self.assertEqual(document["changes"], [{"guest": "vm1", "from": "kvm2", "to": "kvm1"}])
        self.assertIsNone(document["run"])
        self.assert_unchanged(text)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_a_number_says_how_far_back(self):
        self.edit("migrate", "vm1", "--to", "kvm2")
        result = self.world.berth("rollback", "2", "--yes")
        self.assert_exit(result, OK)
        self.assertIn("'berth apply' carries it out", result.stderr)
        self.assert_file({"kvm1": ["vm1"], "kvm2": []})

    def test_the_list_names_digests_and_times(self):
        self.edit("migrate", "vm1", "--to", "kvm2")
        lines = self.world.berth("history", "--revisions").stdout.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[1], r"^ +1  \d{4}-\d\d-\d\d.*  [0-9a-f]{12}$")
        limited = self.world.berth("history", "--revisions", "-n", "1").stdout.splitlines()
        self.assertEqual(limited, lines[1:])

    def test_what_names_no_revision_is_refused(self):
        self.edit("migrate", "vm1", "--to", "kvm2")
        text = self.world.es.read_text()
        for name in ("0", "3", "99999", "abc", "123456789", "ABCDEF", "../../etc", "", "x" * 5000):
            with self.subTest(name[:20]):
                self.assert_complains(self.world.berth("rollback", name, "--yes"), INVALID,
                                      "rollback: .*revision")
        self.assert_unchanged(text)

    def test_nothing_was_journaled_yet(self):
        self.assert_complains(self.world.berth("rollback", "1", "--yes"), INVALID, "no revision 1")
        self.assertEqual(self.world.berth("history", "--revisions").stdout, "")
        self.assertEqual(self.revisions(), [])

    def test_a_damaged_text_is_not_written(self):
        self.edit("migrate", "vm1", "--to", "kvm2")
        text = self.world.es.read_text()
        digest = self.revisions()[1]["es_xml_sha256"]
        with open(self.world.state / "objects" / digest, "a") as file:
            file.write("x")
        result = self.world.berth("rollback", "2", "--yes")
        self.assert_exit(result, FAILED)
        self.assert_unchanged(text)


if __name__ == "__main__":
    unittest.main()
