#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands that only look: what they answer, and with which exit status."""

import json
import os
import random
import unittest

from world import BERTH, BLOCKED, CANCELLED, CliTest, FAILED, GIB, INVALID, OK, PENDING, run, sim_guest


class Statuses(CliTest):
    def test_a_satisfied_fleet_has_an_empty_plan_and_no_difference(self):
        for args in (["plan"], ["plan", "--exit-code"], ["diff"], ["diff", "--exit-code"]):
            with self.subTest(args):
                self.assert_exit(self.world.berth(*args), OK)
        self.assertEqual(self.world.berth("diff").stdout, "")
        self.assertIn("Nothing to do", self.world.berth("plan").stdout)
        plan = json.loads(self.world.berth("plan", "--json").stdout)
        self.assertEqual((plan["moves"], plan["blocked"], plan["complete"]), ([], [], True))

    def test_pending_changes_are_told_by_the_exit_status_only_when_asked_for(self):
        self.want_a_move()
        for command in ("plan", "diff"):
            with self.subTest(command):
                self.assert_exit(self.world.berth(command), OK)
                self.assert_exit(self.world.berth(command, "--exit-code"), PENDING)

    def forecast(self, *args):
        (move,) = json.loads(self.world.berth("plan", "--json", *args).stdout)["moves"]
        return move["forecast"]

    def test_earlier_moves_tell_how_long_one_takes_and_without_any_its_size_does(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.world.want({"kvm1": ["vm2"], "kvm2": ["vm1"]})
        self.assertEqual((self.forecast()["from"], self.forecast()["moves"]), ("size", 0))
        self.assertNotIn("How long", self.world.berth("plan").stdout)
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        (move,) = json.loads(self.world.berth("history", "--json").stdout)["moves"]
        self.world.want({"kvm1": ["vm1", "vm2"], "kvm2": []})
        own = self.forecast()
        self.assertEqual((own["from"], own["moves"], own["likely_ms"]),
                         ("guest", 1, move["total_ms"]))
        self.assertIn("How long live moves take: 1 as the same guest's", self.world.berth("plan").stdout)
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]})
        self.assertEqual((self.forecast()["from"], self.forecast()["moves"]), ("fleet", 1))
        recorded = self.world.folder / "recorded.json"
        recorded.write_text(self.world.berth("observe").stdout)
        self.assertEqual(self.forecast("--observed", recorded)["from"], "size")

    def at_a_terminal(self, answer, *args):
        """What it prints to somebody who gives this answer to its question."""
        ours, its = os.openpty()
        try:
            os.write(ours, answer)
            return self.world.berth(*args, stdin=its)
        finally:
            os.close(ours)
            os.close(its)

    def test_who_is_about_to_move_a_guest_sees_how_long_it_takes(self):
        here, there = {"kvm1": ["vm1"], "kvm2": []}, {"kvm1": [], "kvm2": ["vm1"]}
        self.world.have(here)
        self.world.want(there)
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        told = "How long live moves take: 1 as the same guest's"
        migrate = ("migrate", "vm1", "--to", "kvm1")
        self.assertIn(told, self.world.berth(*migrate, "--dry-run").stdout)
        plan = json.loads(self.world.berth(*migrate, "--dry-run", "--json").stdout)["plan"]
        self.assertEqual(plan["moves"][0]["forecast"]["from"], "guest")
        self.assertIn(told, self.at_a_terminal(b"n\n", *migrate).stdout)
        self.world.want(here)
        self.assertEqual(self.world.berth("apply", "--dry-run").stdout, self.world.berth("plan").stdout)
        plan = json.loads(self.world.berth("apply", "--dry-run", "--json").stdout)
        self.assertEqual(plan["moves"][0]["forecast"]["from"], "guest")
        result = self.at_a_terminal(b"n\n", "apply")
        self.assertIn(told, result.stdout)
        self.assert_exit(result, CANCELLED)
        self.assertEqual(self.world.places(), there)
        result = self.at_a_terminal(b"y\n", "apply")
        self.assert_exit(result, OK)
        self.assertEqual(result.stdout.count(told), 1)
        self.assertEqual(self.world.places(), here)

    def test_a_dry_run_of_apply_is_blocked_where_a_guest_is(self):
        self.world.have({"kvm1": ["vm1"], "kvm2": []})
        self.world.want({"kvm1": ["vm1"], "kvm2": ["vm3"]})
        self.assert_exit(self.world.berth("apply", "--dry-run"), BLOCKED)
        self.assert_exit(self.world.berth("apply", "--dry-run", "--only", "vm1"), OK)
        self.assert_exit(self.world.berth("apply", "--dry-run", "--only", "nobody"), INVALID)

    def test_a_blocked_guest_is_told_also_when_other_moves_are_possible(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []}, memory_gib=2)
        self.world.want({"kvm1": ["vm1"], "kvm2": ["vm2", "vm3"]})
        for args in (["plan"], ["plan", "--exit-code"], ["plan", "--json"], ["plan", "--dot"]):
            with self.subTest(args):
                self.assert_exit(self.world.berth(*args), BLOCKED)
        plan = json.loads(self.world.berth("plan", "--json").stdout)
        self.assertEqual([move["guest"] for move in plan["moves"]], ["vm2"])
        self.assertEqual([(b["guest"], b["code"]) for b in plan["blocked"]], [("vm3", "missing")])
        self.assertRegex(self.world.berth("plan").stdout, "vm3: missing: ")

    def test_apply_moves_what_it_can_and_tells_what_is_blocked(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.world.want({"kvm1": ["vm1"], "kvm2": ["vm2", "vm3"]})
        result = self.world.berth("apply", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stdout, "vm3: missing: ")
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": ["vm2"]})

    def test_apply_with_only_moves_that_guest_alone(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]})
        self.assert_exit(self.world.berth("apply", "--yes", "--only", "vm2"), OK)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": ["vm2"]})
        result = self.world.berth("apply", "--yes", "--only", "vm3")
        self.assert_complains(result, INVALID, "no guest 'vm3'")

    def test_a_host_that_does_not_answer_makes_observe_fail_but_print(self):
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(power="off"))
        result = self.world.berth("observe")
        self.assert_exit(result, FAILED)
        self.assertRegex(result.stderr, "^berth: host 'kvm2' is not reachable: ")
        hosts = json.loads(result.stdout)["hosts"]
        self.assertEqual([host["reachable"] for host in hosts], [True, False])

    def test_a_guest_whose_target_does_not_answer_is_blocked(self):
        self.want_a_move()
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(power="off"))
        for args in (["plan"], ["apply", "--yes"]):
            with self.subTest(args):
                result = self.world.berth(*args)
                self.assert_exit(result, BLOCKED)
                self.assertIn("unreachable-host", result.stdout)

    def test_explain_knows_every_guest_and_no_other(self):
        self.want_a_move()
        result = self.world.berth("explain", "vm1")
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, "^'vm1' runs on 'kvm1' and belongs on 'kvm2'")
        self.assert_complains(self.world.berth("explain", "vm9"), FAILED, "'vm9'")

    def test_a_guest_that_does_not_wait_cannot_be_retried(self):
        self.assert_complains(self.world.berth("retry", "vm1"), FAILED, "neither held, parked nor waiting")

    def test_a_refused_move_parks_its_guest_until_a_retry(self):
        self.want_a_move()
        # Once: a second try in the same run, before the journal has the parking, would succeed.
        fault = {"op": "preflight", "error": "incompatible", "text": "no such CPU", "times": 1}
        self.world.edit_fleet(lambda fleet: fleet.update(faults=[fault]))
        result = self.world.berth("apply", "--yes")
        self.assert_exit(result, FAILED)
        self.assertIn("no such CPU", result.stderr)
        moves = json.loads(self.world.berth("history", "--json").stdout)["moves"]
        self.assertEqual([m["state"] for m in moves], ["failed"])
        self.assert_exit(self.world.berth("apply", "--yes"), BLOCKED)
        self.assertEqual(self.world.places()["kvm1"], ["vm1"])
        self.assertRegex(self.world.berth("status").stdout, "parked +vm1: .*no such CPU")
        result = self.world.berth("retry", "vm1", "--json")
        self.assert_exit(result, OK)
        self.assertEqual(json.loads(result.stdout)["format"], "berth.retry/1")
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.assertEqual(self.world.places()["kvm2"], ["vm1"])

    def test_a_failed_move_is_in_the_history_with_its_reason(self):
        self.want_a_move()
        fault = {"op": "migrate", "error": "unsafe", "text": "a disk is not shared", "times": 99}
        self.world.edit_fleet(lambda fleet: fleet.update(faults=[fault]))
        self.assert_exit(self.world.berth("apply", "--yes"), FAILED)
        self.assertEqual(self.world.places()["kvm1"], ["vm1"])
        moves = json.loads(self.world.berth("history", "--json").stdout)["moves"]
        self.assertEqual({(m["guest"], m["state"], m["error"]) for m in moves},
                         {("vm1", "failed", "unsafe")})
        self.assertIn("a disk is not shared", self.world.berth("history", "vm1").stdout)


class FromFilesAlone(CliTest):
    """plan --es FILE --observed FILE: no config, state directory, daemon or host."""

    def setUp(self):
        super().setUp()
        guests = {f"kvm{n}": [f"vm{n}a", f"vm{n}b"] for n in range(1, 6)}
        wanted = dict(zip(guests, [*list(guests.values())[1:], guests["kvm1"]]))
        self.world.have(guests, memory_gib=11)  # 8 of them are reserved by default.
        self.world.want(wanted)
        self.observed = self.world.folder / "observed.json"
        self.assert_exit(self.world.berth("observe", "--out", self.observed), OK)
        self.empty = self.world.folder / "empty"
        self.empty.mkdir()

    def plan(self, *args, observed=None):
        command = [BERTH, "plan", "--es", self.world.es, "--observed", observed or self.observed, *args]
        return run(["env", "-i", *command], cwd=self.empty)

    def test_nothing_but_the_two_files_is_needed(self):
        self.world.conf.unlink()
        self.world.sim.unlink()
        result = self.plan("--json")
        self.assert_exit(result, OK)
        plan = json.loads(result.stdout)
        self.assertTrue(plan["complete"])
        self.assertEqual({m["guest"] for m in plan["moves"] if m["hop"] == "final"},
                         {f"vm{n}{letter}" for n in range(1, 6) for letter in "ab"})
        self.assertEqual(list(self.empty.iterdir()), [])
        self.assertFalse(self.world.state.exists())

    def test_a_state_directory_that_cannot_be_used_is_not_looked_at(self):
        self.world.state.write_text("")
        self.assert_exit(self.world.berth("plan", "--observed", self.observed), OK)

    def test_the_same_input_gives_the_same_bytes(self):
        for form in ([], ["--json"], ["--dot"]):
            with self.subTest(form):
                first = self.plan(*form)
                self.assert_exit(first, OK)
                self.assertEqual(self.plan(*form).stdout, first.stdout)

    def test_the_order_of_hosts_and_guests_in_the_observation_does_not_matter(self):
        first = self.plan("--json").stdout
        observed = json.loads(self.observed.read_text())
        dice = random.Random(1)
        dice.shuffle(observed["hosts"])
        for host in observed["hosts"]:
            dice.shuffle(host["guests"])
        other = self.world.folder / "shuffled.json"
        other.write_text(json.dumps(observed))
        self.assertEqual(self.plan("--json", observed=other).stdout, first)

    def test_the_observation_may_come_from_stdin(self):
        command = [BERTH, "plan", "--es", self.world.es, "--observed", "-", "--json"]
        result = run(command, stdin=self.observed.read_text())
        self.assert_exit(result, OK)
        self.assertEqual(result.stdout, self.plan("--json").stdout)

    def test_the_plan_of_a_recording_is_that_of_the_fleet_it_was_taken_from(self):
        result = self.world.berth("plan", "--json")
        self.assert_exit(result, OK)
        self.assertEqual(
            self.world.berth("plan", "--json", "--observed", self.observed).stdout, result.stdout
        )


class Discover(CliTest):
    def discover(self, *args):
        return self.world.berth("discover", f"sim:{self.world.sim}", *args)

    def test_what_is_discovered_is_a_file_that_asks_for_nothing(self):
        guests = ["vm1", sim_guest("vm2", state="shutoff", memory_kib=3 * GIB + 1024, vcpus=3)]
        self.world.have({"kvm1": guests, "kvm2": ["vm3"], "kvm3": []})
        result = self.discover()
        self.assert_exit(result, OK)
        self.world.es.write_text(result.stdout)
        self.assert_exit(self.world.berth("validate"), OK)
        self.assert_exit(self.world.berth("plan", "--exit-code"), OK)
        self.assert_exit(self.world.berth("diff", "--exit-code"), OK)
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.assertEqual(self.discover().stdout, result.stdout)

    def test_what_is_discovered_can_be_edited_into_a_move(self):
        text = self.discover().stdout
        moved = text.replace('<machine id="vm1_id"/>', "", 1).replace(
            "<hostName>kvm2</hostName>", '<hostName>kvm2</hostName><machine id="vm1_id"/>')
        self.world.es.write_text(moved)
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["vm1"]})

    def test_as_json_it_is_an_observation_that_plan_reads(self):
        path = self.world.folder / "observed.json"
        path.write_text(self.discover("--json").stdout)
        self.assert_exit(self.world.berth("plan", "--observed", path, "--exit-code"), OK)

    def test_hosts_that_do_not_answer_are_not_left_out_silently(self):
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(power="off"))
        self.assert_complains(self.discover(), FAILED, "cannot describe 'kvm2'")


if __name__ == "__main__":
    unittest.main()
