#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a move, told before anything is touched: plan --checks, migrate --dry-run."""

import json
import unittest

from daemon import AWAY, DaemonTest
from world import BLOCKED, CliTest, FAILED, GIB, INVALID, OK, sim_guest

DISK = [{"path": "/dev/exc/v1", "identity": "vol-1"}]
CACHED = [{"path": "/dev/exc/v1", "identity": "vol-1", "cache": "writeback"}]

# What the planner does not see: members of the guest, of the source and of the target, and the one check
# that finds it.
SPOILT = [
    ("block-job", "failed", {"block_job": True}, {}, {}),
    ("cpus", "warned", {"vcpus": 9}, {}, {}),
    ("disk-cache", "failed", {"disks": CACHED}, {}, {"storage": {"/dev/exc/v1": "vol-1"}}),
    ("storage", "failed", {"disks": DISK}, {}, {}),
    ("storage", "failed", {"disks": DISK}, {}, {"storage": {"/dev/exc/v1": "vol-2"}}),
    ("files", "failed", {"files": ["/boot/kernel"]}, {}, {}),
    ("bridges", "failed", {"bridges": ["br7"]}, {}, {}),
    ("target-reachable", "failed", {}, {}, {"hidden": True}),
    ("migration-port", "failed", {}, {}, {"walled": True}),
    ("lock-manager", "failed", {}, {"lock_manager": "sanlock"}, {}),
    ("lock-manager", "warned", {}, {"lock_manager": "nop"}, {"lock_manager": "nop"}),
    ("clocks", "warned", {}, {"clock_ms": 1500}, {}),
]


class Checks(CliTest):
    def spoil(self, guest, source, target):
        self.world.have({"kvm1": [sim_guest("vm1", **guest)], "kvm2": []})
        self.want_a_move()

        def change(fleet):
            fleet["hosts"][0].update(source)
            fleet["hosts"][1].update(target)

        # Through the programs' own lock, as they may still have it.
        self.world.edit_fleet(change)

    def checks(self, status, *args):
        result = self.world.berth("plan", "--checks", "--json", *args)
        self.assert_exit(result, status)
        return [move["checks"] for move in json.loads(result.stdout)["moves"]]

    def test_each_check_that_does_not_pass_is_told_alone_and_says_what_to_change(self):
        for name, result, guest, source, target in SPOILT:
            with self.subTest(name=name, result=result):
                self.spoil(guest, source, target)
                status = BLOCKED if result == "failed" else OK
                [checks] = self.checks(status)
                told = [c for c in checks if c["result"] != "passed"]
                self.assertEqual([(c["name"], c["result"]) for c in told], [(name, result)])
                self.assertTrue(told[0]["change"])
                text = self.world.berth("plan", "--checks")
                self.assert_exit(text, status)
                lines = text.stdout.split("\nChecks of move 1, vm1 kvm1 → kvm2: ")[1].splitlines()
                self.assertEqual(lines[1:], [
                    f"  {result:7}  {name:16}  {told[0]['evidence']}: {told[0]['change']}"
                ])

    def test_a_move_fails_by_the_check_that_was_told(self):
        for name, result, guest, source, target in SPOILT:
            if name not in ("disk-cache", "bridges", "lock-manager"):
                continue  # A move is tried again for minutes after some of the others.
            with self.subTest(name=name, result=result):
                self.spoil(guest, source, target)
                applied = self.world.berth("apply", "--yes")
                self.world.berth("retry", "vm1")  # The next case begins anew.
                if result == "failed":
                    self.assert_exit(applied, FAILED)
                    self.assertIn(f"check '{name}': ", applied.stderr)
                    self.assertEqual(self.world.places()["kvm1"], ["vm1"])
                else:
                    self.assert_exit(applied, OK)
                    self.assertEqual(self.world.places()["kvm2"], ["vm1"])

    def test_what_is_in_order_is_shown_when_it_is_asked_for(self):
        self.want_a_move()
        result = self.world.berth("plan", "--checks")
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, r"\nChecks of move 1, vm1 kvm1 → kvm2: \d+ passed\n$")
        every = self.world.berth("plan", "--checks", "--all")
        self.assert_exit(every, OK)
        [checks] = self.checks(OK)
        self.assertEqual(every.stdout.count("\n  passed   "), len(checks))
        for name in ("state", "uuid", "name", "managed-save", "snapshots", "host-devices", "job",
                     "block-job", "architecture", "version", "machine-type", "cpu-model", "cpus",
                     "memory-charged", "memory-available", "huge-pages", "numa-nodes",
                     "disk-cache", "storage", "files", "bridges", "target-reachable",
                     "migration-port", "clocks", "lock-manager", "hosts"):
            self.assertRegex(every.stdout, rf"\n  passed   {name} ")

    def test_checks_change_nothing(self):
        self.want_a_move()
        self.checks(OK)
        before = self.world.sim.read_bytes()
        self.checks(OK)
        self.assert_exit(self.world.berth("migrate", "vm1", "--to", "kvm2", "--dry-run"), OK)
        self.assertEqual(self.world.sim.read_bytes(), before)
        self.assertFalse(self.world.state.exists())

    def test_a_plan_without_checks_says_nothing_of_them(self):
        self.want_a_move()
        self.assertNotIn("checks", self.world.berth("plan", "--json").stdout)
        self.assertNotIn("Checks", self.world.berth("plan").stdout)

    def test_a_satisfied_fleet_has_nothing_to_check(self):
        result = self.world.berth("plan", "--checks")
        self.assert_exit(result, OK)
        self.assertNotIn("Checks", result.stdout)

    def test_room_that_an_earlier_move_makes_is_not_missed_now(self):
        self.world.have({"kvm1": [sim_guest("vm1", memory_kib=4 * GIB)],
                         "kvm2": [sim_guest("vm2", memory_kib=4 * GIB)], "kvm3": []}, memory_gib=6)
        self.world.want({"kvm1": [], "kvm2": ["vm1"], "kvm3": ["vm2"]})
        [first, second] = self.checks(OK)
        self.assertEqual({c["result"] for c in first}, {"passed"})
        told = [c for c in second if c["result"] != "passed"]
        self.assertEqual([(c["name"], c["result"]) for c in told], [("memory-available", "skipped")])
        self.assertIn("move 1 makes room", told[0]["evidence"])

    def test_a_guest_that_comes_from_a_temporary_host_is_checked_when_it_is_there(self):
        big = {"memory_kib": 4 * GIB}
        self.world.have({"kvm1": [sim_guest("vm1", **big)], "kvm2": [sim_guest("vm2", **big)],
                         "kvm3": []}, memory_gib=6)
        self.world.want({"kvm1": ["vm2"], "kvm2": ["vm1"], "kvm3": []})
        checks = self.checks(OK)
        self.assertEqual(len(checks), 3)
        told = [c for c in checks[2] if c["result"] != "passed"]
        self.assertEqual([(c["name"], c["result"]) for c in told], [("state", "skipped")])
        self.assertIn("when move 1 is done", told[0]["evidence"])

    def test_hosts_that_give_no_answer_are_a_check_that_failed(self):
        self.want_a_move()
        fault = {"op": "preflight", "error": "unreachable", "text": "no route", "times": 1}
        self.world.edit_fleet(lambda fleet: fleet.update(faults=[fault]))
        [checks] = self.checks(BLOCKED)
        told = [c for c in checks if c["result"] == "failed"]
        self.assertEqual([(c["name"], c["evidence"]) for c in told], [("hosts", "no route")])

    def test_a_dry_run_shows_the_checks_of_its_move_and_ends_as_they_do(self):
        self.spoil({"bridges": ["br7"]}, {}, {})
        self.world.want({"kvm1": ["vm1"], "kvm2": []})
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--dry-run")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stdout, r"\n  failed   bridges +'kvm2' has no bridge 'br7': ")
        document = json.loads(
            self.world.berth("migrate", "vm1", "--to", "kvm2", "--dry-run", "--json").stdout)
        [move] = document["plan"]["moves"]
        self.assertIn("bridges", [c["name"] for c in move["checks"] if c["result"] == "failed"])
        self.assertFalse(document["written"])

    def test_wishes_that_contradict_are_refused(self):
        self.want_a_move()
        observed = self.world.folder / "observed.json"
        observed.write_text(self.world.berth("observe").stdout)
        for args in (["--all"], ["--checks", "--dot"], ["--checks", "--observed", observed]):
            with self.subTest(args):
                self.assert_complains(self.world.berth("plan", *args), INVALID, "plan: --")


# Hosts as the exascale profile wants them.
GOOD = {"generation": "X10M", "model": "E5-2L", "cpus": "192 of A", "release": "26.1.0",
        "secure-fabric": "yes", "storage-servers": "cell1, cell2", "live-update": "none"}

# How a guest is moved, the facts in which source and target differ from that, and the check that fails.
RULES = [
    ("live", {"generation": "X9M-2"}, {}, "platform-generation"),
    ("live", {}, {"generation": "X8M-2"}, "platform-generation"),
    ("offline", {"generation": "X8M-2"}, {"generation": "X8M-2"}, None),
    ("offline", {}, {"generation": "X7-2"}, "platform-generation"),
    ("live", {}, {"model": "E6-2L"}, "platform-model"),
    ("offline", {}, {"model": "E6-2L"}, None),
    ("live", {}, {"cpus": "384 of A"}, "platform-cpus"),
    ("live", {"release": "25.2.0"}, {}, "platform-release"),
    ("live", {"release": "26.1.1"}, {}, "platform-release"),
    ("live", {}, {"release": "26.2.0"}, None),
    ("offline", {"release": "25.1.0"}, {"release": "25.1.0"}, None),
    ("live", {}, {"secure-fabric": "no"}, "secure-fabric"),
    ("offline", {}, {"secure-fabric": "no"}, None),
    ("offline", {}, {"storage-servers": "cell1"}, "storage-servers"),
    ("offline", {"live-update": "yes"}, {}, "live-update"),
]


class Platform(CliTest):
    """Rules of the shipped exascale profile."""

    def have(self, source, target, mode="live"):
        self.world.configure(f"[migrate]\nmode = {mode}\n", fleet="profile = exascale\n")
        self.world.have({"kvm1": ["vm1"], "kvm2": []})
        self.want_a_move()

        def change(fleet):
            for host, facts in zip(fleet["hosts"], (source, target)):
                host["facts"] = {name: text for name, text in facts.items() if text is not None}

        self.world.edit_fleet(change)

    def failed(self):
        """name -> evidence and change of the checks that failed."""
        result = self.world.berth("plan", "--checks", "--json")
        [move] = json.loads(result.stdout)["moves"]
        failed = {c["name"]: f"{c['evidence']}: {c['change']}" for c in move["checks"]
                  if c["result"] == "failed"}
        self.assert_exit(result, BLOCKED if failed else OK)
        return failed

    def test_each_rule_is_a_check_that_says_what_was_found_and_what_to_change(self):
        for mode, source, target, name in RULES:
            with self.subTest(mode=mode, source=source, target=target):
                self.have(GOOD | source, GOOD | target, mode)
                failed = self.failed()
                self.assertEqual(list(failed), [name] if name else [])
                for text in failed.values():
                    self.assertRegex(text, "'kvm[12]'.*: [a-z]+")

    def test_a_fact_that_is_not_told_fails_and_never_passes(self):
        names = {"generation": "platform-generation", "model": "platform-model",
                 "cpus": None, "release": "platform-release"}
        for fact in GOOD:
            with self.subTest(fact):
                self.have(GOOD, GOOD | {fact: None})
                failed = self.failed()
                if fact == "cpus":  # libvirt has that, and it is another text.
                    self.assertIn("8 CPUs", failed["platform-cpus"])
                else:
                    [(name, text)] = failed.items()
                    self.assertEqual(name, names.get(fact, fact))
                    self.assertIn(f"'kvm2' does not tell its '{fact}'", text)

    def test_a_move_against_a_rule_is_not_made(self):
        self.have(GOOD, GOOD | {"live-update": "yes"})
        applied = self.world.berth("apply", "--yes")
        self.assert_exit(applied, FAILED)
        self.assertIn("check 'live-update': ", applied.stderr)
        self.assertEqual(self.world.places()["kvm1"], ["vm1"])

    def test_without_a_profile_there_are_no_rules(self):
        self.have(GOOD, {})
        self.assertEqual(len(self.failed()), 7)
        self.world.configure()
        self.assertEqual(self.failed(), {})


class Locks(CliTest):
    """Told when a controller starts, of all hosts at once."""

    WARNING = "WARNING: no lock manager on 'kvm2' keeps others from starting a guest on disks in use"

    def have(self, manager):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]})
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(lock_manager=manager))

    def test_apply_warns_once_of_hosts_without_a_lock_manager(self):
        self.have("nop")
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0].update(lock_manager="nop", guests=[]))
        result = self.world.berth("apply", "--yes")
        self.assertEqual(result.stderr.count("no lock manager on 'kvm1', 'kvm2' keeps"), 1)

    def test_only_hosts_without_one_are_told(self):
        self.have("nop")
        result = self.world.berth("apply", "--yes")
        self.assertEqual(result.stderr.count(self.WARNING), 1)
        self.have("lockd")
        result = self.world.berth("apply", "--yes")
        self.assertNotIn("lock manager on", result.stderr)

    def test_who_only_looks_is_not_warned(self):
        self.have("nop")
        for command in ("plan", "diff", "status"):
            self.assertNotIn("lock manager", self.world.berth(command).stderr)


class DaemonLocks(DaemonTest):
    def test_a_daemon_tells_hosts_without_a_lock_manager_once(self):
        self.world.edit_fleet(lambda fleet: [host.update(lock_manager="nop") for host in fleet["hosts"]])
        daemon = self.start_daemon()
        self.await_said("no-lock-manager", "'kvm1', 'kvm2'")
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)
        self.assertEqual(self.said("no-lock-manager"), 1)


if __name__ == "__main__":
    unittest.main()
