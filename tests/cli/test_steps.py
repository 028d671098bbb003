# SPDX-License-Identifier: Apache-2.0
"""A platform's steps on the command line: how they are told while a move goes on and afterwards, and how a
person runs them one by one."""

import json
import unittest

from daemon import DaemonTest
from world import BLOCKED, FAILED, INVALID, OK, sim_guest

PROFILE = """\
[bridge]
probe    = true
provide  = true
withdraw = true
[volume]
probe    = true
provide  = true
withdraw = true
"""
NAMES = ["CREATE_BRIDGES", "CREATE_NAT_BRIDGE_TGT", "STOP_GUEST", "DETACH_INTERFACES", "DETACH_VOLUMES",
         "ATTACH_VOLUMES", "COPY_STATE", "MIGRATE_GUEST", "ATTACH_INTERFACES", "STARTUP_GUEST",
         "REMOVE_BRIDGES", "REMOVE_NAT_BRIDGE_SRC"]
SKIPPED = {"CREATE_NAT_BRIDGE_TGT", "DETACH_INTERFACES", "COPY_STATE", "ATTACH_INTERFACES",
           "REMOVE_NAT_BRIDGE_SRC"}
DONE = [name for name in NAMES if name not in SKIPPED]


class StepsTest(DaemonTest):
    """vm1, with a volume and a bridge, is to go from kvm1 to kvm2, where vm2 is."""

    def setUp(self):
        super().setUp()
        profile = self.world.folder / "profile.conf"
        profile.write_text(PROFILE)
        self.world.configure("[migrate]\nmode = offline\n", fleet=f"profile = {profile}\n")
        self.lay_out()

    def lay_out(self, **members):
        vm1 = sim_guest("vm1", bridges=["br7"], disks=[{"path": "/dev/exc/v1", "identity": "v1"}])
        self.world.have({"kvm1": [vm1], "kvm2": ["vm2"]}, volumes=[{"name": "v1"}], **members)

        def furnish(fleet):
            fleet["hosts"][0].update(bridges=["br7"], storage={"/dev/exc/v1": "v1"})

        self.world.edit_fleet(furnish)
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]}, volumes={"vm1": ["v1"]})

    def steps(self):
        result = self.world.berth("steps", "vm1", "--json")
        self.assert_exit(result, OK)
        return json.loads(result.stdout)

    def states(self):
        return {step["step"]: step["state"] for step in self.steps()["steps"]}

    def hosts(self):
        return {host["name"]: host for host in json.loads(self.world.sim.read_text())["hosts"]}

    def assert_moved(self):
        hosts = self.hosts()
        self.assertEqual(hosts["kvm2"]["storage"], {"/dev/exc/v1": "v1"})
        self.assertEqual(hosts["kvm2"]["bridges"], ["br7"])
        self.assertNotIn("storage", hosts["kvm1"])
        self.assertNotIn("bridges", hosts["kvm1"])
        self.assertEqual({guest["name"]: guest.get("state", "running") for guest in hosts["kvm2"]["guests"]},
                         {"vm1": "running", "vm2": "running"})
        self.assertEqual(hosts["kvm1"].get("guests", []), [])


class Telling(StepsTest):
    def test_a_guest_that_was_never_moved_has_no_steps(self):
        result = self.world.berth("steps", "vm1")
        self.assert_exit(result, OK)
        self.assertEqual(result.stdout, "vm1 has not been moved\n")
        self.assertEqual(self.steps(), {"format": "berth.steps/1", "guest": "vm1", "steps": []})

    def test_each_step_is_told_when_it_begins_and_when_it_ends_and_why_it_is_skipped(self):
        result = self.world.berth("apply", "--yes")
        self.assert_exit(result, OK)
        self.assert_moved()
        for name in DONE:
            self.assertRegex(result.stderr, rf"(?m)^      {name}: .* kvm[12] \.\.\.$")
            self.assertRegex(result.stderr, rf"(?m)^      {name}: .* kvm[12]: \d")
        for name in SKIPPED:
            self.assertIn(f"      {name}: skipped, the platform provides nothing of the kind", result.stderr)

    def test_after_the_move_every_step_is_done_or_skipped_with_the_reason(self):
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        told = self.steps()
        self.assertEqual([step["step"] for step in told["steps"]], NAMES)
        self.assertEqual((told["state"], told["mode"], told["next"]), ("done", "offline", None))
        self.assertEqual({step["step"] for step in told["steps"] if step["state"] == "done"}, set(DONE))
        self.assertEqual({step["step"] for step in told["steps"] if step["state"] == "skipped"}, SKIPPED)
        text = self.world.berth("steps", "vm1").stdout
        self.assertRegex(text, r"(?m)^    done       STOP_GUEST on kvm1, ")
        self.assertRegex(text, r"(?m)^    skipped    DETACH_INTERFACES: the platform provides nothing")

    def test_a_step_that_keeps_failing_is_told_with_the_reason_and_the_guest_is_back(self):
        self.lay_out(faults=[{"op": "provide", "host": "kvm2", "error": "denied", "text": "no rights on kvm2",
                              "times": 99}])
        result = self.world.berth("apply", "--yes")
        self.assert_exit(result, FAILED)
        self.assertIn("no rights on kvm2", result.stderr)
        told = self.steps()
        self.assertEqual(told["state"], "failed")
        first = told["steps"][0]
        self.assertEqual((first["step"], first["state"]), ("CREATE_BRIDGES", "failed"))
        self.assertIn("no rights on kvm2", first["text"])
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": ["vm2"]})
        self.assertNotIn("bridges", self.hosts()["kvm2"])

    def test_a_live_move_is_told_by_its_operations(self):
        self.world.configure("", fleet=f"profile = {self.world.folder / 'profile.conf'}\n")
        self.lay_out()
        self.world.edit_fleet(lambda fleet: fleet["volumes"][0].update(shared=True))
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.assert_moved()
        steps = self.steps()["steps"]
        self.assertEqual({step["state"] for step in steps}, {"done"})
        names = [step["step"] for step in steps]
        self.assertEqual(names, ["preflight", "CREATE_BRIDGES", "ATTACH_VOLUMES", "preflight", "migrate",
                                 "DETACH_VOLUMES", "REMOVE_BRIDGES"])

    def test_history_tells_what_each_operation_was_about(self):
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        moves = json.loads(self.world.berth("history", "vm1", "--json").stdout)["moves"]
        about = [(step["op"], step.get("supply")) for step in moves[0]["steps"]]
        self.assertIn(("withdraw", "volume"), about)
        self.assertRegex(self.world.berth("history", "vm1").stdout, r"withdraw +volume on kvm1: done")


class Pools(StepsTest):
    """Its disk is a volume of a storage pool of libvirt, and no profile is named."""

    def lay_out(self, pool=None, behind="v1", mode="live"):
        disk = {"path": "/pool/p1/v1", "identity": "v1"}
        self.world.configure(f"[migrate]\nmode = {mode}\n")
        self.world.have({"kvm1": [sim_guest("vm1", disks=[disk])], "kvm2": ["vm2"]})

        def furnish(fleet):
            fleet["hosts"][0].update(pools=[{"name": "p1"}], storage={"/pool/p1/v1": "v1"})
            fleet["hosts"][1].update(pools=[{"name": "p1", **(pool or {})}], storage={"/pool/p1/v1": behind})

        self.world.edit_fleet(furnish)
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]})

    def move(self, *layout, status=OK, **options):
        self.lay_out(*layout, **options)
        result = self.world.berth("apply", "--yes")
        self.assert_exit(result, status)
        self.assertEqual("vm1" in self.world.places().get("kvm2", []), status == OK)
        return result.stderr

    def test_a_target_s_pool_is_started_or_refreshed_told_and_left_so(self):
        for mode in ("live", "offline"):
            for state in ("inactive", "stale"):
                with self.subTest(f"{mode}, {state}"):
                    self.assertIn("ATTACH_VOLUMES: provide its storage pools on kvm2",
                                  self.move({state: True}, mode=mode))
                    self.assertEqual(self.hosts()["kvm2"]["pools"], [{"name": "p1"}])

    def test_a_pool_that_is_in_order_makes_no_step(self):
        self.assertNotIn("pools", self.move())

    def test_other_storage_behind_its_pool_is_found_while_the_guest_runs_on(self):
        for mode in ("live", "offline"):
            with self.subTest(mode):
                said = self.move({"inactive": True}, behind="other", mode=mode, status=FAILED)
                self.assertIn("is not the same storage on 'kvm2'", said)
                self.assertNotIn("STOP_GUEST: shut", said)

    def test_a_pool_defined_otherwise_is_refused_and_not_started(self):
        self.assertIn("'p1' of 'kvm2' is not defined as",
                      self.move({"inactive": True, "different": True}, status=FAILED))
        self.assertTrue(self.hosts()["kvm2"]["pools"][0]["inactive"])


class ByHand(StepsTest):
    def setUp(self):
        super().setUp()
        self.world.want({"kvm1": ["vm1"], "kvm2": ["vm2"]}, volumes={"vm1": ["v1"]})

    def migrate(self, *args):
        return self.world.berth("migrate", "vm1", "--to", "kvm2", "--mode", "offline", "--yes", *args)

    def take(self, *names):
        for name in names:
            self.assert_exit(self.migrate("--step", name), OK)

    def guest(self, host):
        return {guest["name"]: guest for guest in self.hosts()[host].get("guests", [])}.get("vm1")

    def test_a_move_goes_step_by_step_to_its_end(self):
        for i, name in enumerate(DONE):
            result = self.migrate("--step", name)
            self.assert_exit(result, OK)
            states = self.states()
            self.assertEqual([states[done] for done in DONE[:i + 1]], ["done"] * (i + 1), name)
            if i + 1 < len(DONE):
                self.assertEqual(self.steps()["next"], DONE[i + 1])
                self.assertTrue(self.steps()["by_hand"])
                self.assertIn(f"{DONE[i + 1]} comes next", result.stderr)
        self.assertEqual(self.steps()["state"], "done")
        self.assert_moved()
        self.assert_exit(self.world.berth("apply", "--yes"), OK)

    def test_one_step_does_what_it_says_and_nothing_more(self):
        self.take("CREATE_BRIDGES")
        self.assertEqual(self.hosts()["kvm2"]["bridges"], ["br7"])
        self.assertEqual(self.guest("kvm1").get("state", "running"), "running")
        self.take("STOP_GUEST")
        self.assertEqual(self.guest("kvm1")["state"], "shutoff")
        self.assertEqual(self.hosts()["kvm1"]["storage"], {"/dev/exc/v1": "v1"})
        self.take("DETACH_VOLUMES")
        self.assertNotIn("storage", self.hosts()["kvm1"])
        self.assertNotIn("storage", self.hosts()["kvm2"])
        self.assertIsNone(self.guest("kvm2"))

    def test_a_step_is_refused_with_what_does_not_hold_and_the_step_that_brings_it_about(self):
        before = self.world.es.read_text(), self.world.sim.read_text()
        result = self.migrate("--step", "DETACH_VOLUMES")
        self.assert_complains(result, BLOCKED, r"DETACH_VOLUMES is refused: it is not shut off on 'kvm1' "
                                               r"\(STOP_GUEST brings that about\)")
        self.assertEqual((self.world.es.read_text(), self.world.sim.read_text()), before)
        self.assertEqual(self.steps()["steps"], [])
        self.take("STOP_GUEST")
        fleet = self.world.sim.read_text()
        result = self.migrate("--step", "STARTUP_GUEST")
        for step in ("CREATE_BRIDGES", "DETACH_VOLUMES", "ATTACH_VOLUMES", "MIGRATE_GUEST"):
            self.assertIn(f"({step} brings that about)", result.stderr)
        self.assertNotIn("STOP_GUEST brings", result.stderr)
        self.assert_exit(result, BLOCKED)
        self.assertEqual(self.world.sim.read_text(), fleet)

    def test_it_is_told_who_has_the_move_and_what_each_step_waits_for(self):
        self.take("STOP_GUEST")
        told = self.steps()
        after = {step["step"]: step["after"] for step in told["steps"]}
        self.assertEqual((told["owner"], told["controller_pid"]), ("hand", 0))
        self.assertEqual(after["CREATE_BRIDGES"], [])
        self.assertEqual(after["STOP_GUEST"], [])
        self.assertEqual(after["DETACH_VOLUMES"], [])
        self.assertEqual(after["ATTACH_VOLUMES"], ["DETACH_VOLUMES"])
        self.assertEqual(after["REMOVE_BRIDGES"], ["MIGRATE_GUEST", "STARTUP_GUEST"])
        text = self.world.berth("steps", "vm1").stdout
        self.assertRegex(text, r"(?m)^    remaining  ATTACH_VOLUMES on kvm2, after DETACH_VOLUMES$")
        self.assertIn("it is run by hand, step by step", text)
        daemon = self.start_daemon()
        self.await_said("following")
        self.assertEqual((self.steps()["owner"], self.steps()["controller_pid"]), ("hand", daemon.pid))
        self.assert_ends(daemon)
        self.assert_exit(self.migrate(), OK)
        self.assertEqual(self.steps()["owner"], None)

    def test_a_refusal_is_foretold_by_a_dry_run(self):
        self.take("STOP_GUEST")
        self.assert_complains(self.migrate("--dry-run", "--step", "ATTACH_VOLUMES"), BLOCKED, "DETACH_VOLUMES brings")
        self.assert_exit(self.migrate("--dry-run", "--step", "DETACH_VOLUMES"), OK)
        self.assertEqual(self.states()["DETACH_VOLUMES"], "remaining")

    def test_steps_are_taken_in_any_order_in_which_each_finds_what_it_builds_upon(self):
        for order in ("STOP_GUEST MIGRATE_GUEST DETACH_VOLUMES CREATE_BRIDGES ATTACH_VOLUMES STARTUP_GUEST "
                      "REMOVE_BRIDGES",
                      "STOP_GUEST DETACH_VOLUMES MIGRATE_GUEST ATTACH_VOLUMES CREATE_BRIDGES STARTUP_GUEST "
                      "REMOVE_BRIDGES"):
            with self.subTest(order):
                self.setUp()
                self.take(*order.split())
                self.assertEqual(self.steps()["state"], "done")
                self.assert_moved()

    def test_a_guest_that_somebody_has_started_again_is_stopped_again(self):
        self.take("STOP_GUEST")
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0]["guests"][0].update(state="running"))
        self.assert_complains(self.migrate("--step", "DETACH_VOLUMES"), BLOCKED, "STOP_GUEST brings that about")
        self.take("STOP_GUEST", "DETACH_VOLUMES")
        self.assertEqual(self.guest("kvm1")["state"], "shutoff")

    def test_a_step_that_is_done_or_skipped_is_not_taken_again(self):
        self.take("CREATE_BRIDGES")
        result = self.migrate("--step", "CREATE_BRIDGES")
        self.assert_exit(result, OK)
        self.assertIn("CREATE_BRIDGES: nothing to do, it is done already", result.stderr)
        result = self.migrate("--step", "DETACH_INTERFACES")
        self.assert_exit(result, OK)
        self.assertIn("DETACH_INTERFACES: nothing to do, the platform provides nothing", result.stderr)
        self.assertEqual(self.states()["STOP_GUEST"], "next")

    def test_without_a_step_all_that_is_left_is_done(self):
        for taken in (["CREATE_BRIDGES"], ["CREATE_BRIDGES", "STOP_GUEST", "DETACH_VOLUMES"],
                      ["STOP_GUEST", "MIGRATE_GUEST"], ["STOP_GUEST", "MIGRATE_GUEST", "DETACH_VOLUMES"]):
            with self.subTest(taken):
                self.setUp()
                self.take(*taken)
                self.assert_exit(self.migrate(), OK)
                self.assert_moved()
                self.assertEqual(self.steps()["state"], "done")

    def assert_back(self):
        hosts = self.hosts()
        self.assertEqual(self.guest("kvm1").get("state", "running"), "running")
        self.assertEqual(hosts["kvm1"]["storage"], {"/dev/exc/v1": "v1"})
        self.assertEqual(hosts["kvm1"]["bridges"], ["br7"])
        self.assertIsNone(self.guest("kvm2"))
        self.assertNotIn("storage", hosts["kvm2"])
        self.assertNotIn("bridges", hosts["kvm2"])
        self.assertEqual(self.steps()["state"], "cancelled")

    HALF_WAY = (["STOP_GUEST"], ["CREATE_BRIDGES", "STOP_GUEST", "DETACH_VOLUMES"],
                ["STOP_GUEST", "DETACH_VOLUMES", "ATTACH_VOLUMES"],
                ["STOP_GUEST", "MIGRATE_GUEST", "DETACH_VOLUMES", "ATTACH_VOLUMES", "CREATE_BRIDGES"])

    def test_who_stopped_half_way_goes_back_to_where_the_guest_came_from(self):
        for taken in self.HALF_WAY:
            with self.subTest(taken):
                self.setUp()
                self.take(*taken)
                result = self.world.berth("migrate", "vm1", "--to", "kvm1", "--mode", "offline", "--yes")
                self.assert_exit(result, OK)
                self.assertIn("vm1: back to kvm1, by hand", result.stderr)
                self.assert_back()
                self.assert_exit(self.world.berth("apply", "--yes"), OK)
                self.assertIsNone(self.guest("kvm2"))

    def test_a_cancel_takes_back_what_was_done_by_hand(self):
        for taken in self.HALF_WAY:
            with self.subTest(taken):
                self.setUp()
                self.take(*taken)
                result = self.world.berth("cancel", "vm1", "--json")
                self.assert_exit(result, OK)
                self.assertEqual(json.loads(result.stdout)["format"], "berth.cancel/1")
                self.assert_back()
                self.assert_exit(self.world.berth("apply", "--yes"), BLOCKED)
                self.assertIsNone(self.guest("kvm2"), "it is held")
        self.assert_complains(self.world.berth("cancel", "vm1"), FAILED, "no berthd runs")

    def test_the_way_back_is_one_and_only_before_the_guest_has_arrived(self):
        self.take("CREATE_BRIDGES", "STOP_GUEST")
        back = ("migrate", "vm1", "--to", "kvm1", "--mode", "offline", "--yes")
        self.assert_complains(self.world.berth(*back, "--step", "STARTUP_GUEST"), INVALID, "as a whole")
        self.assert_exit(self.world.berth(*back, "--dry-run"), OK)
        self.assertEqual(self.guest("kvm1")["state"], "shutoff")
        self.take("DETACH_VOLUMES", "ATTACH_VOLUMES", "MIGRATE_GUEST", "STARTUP_GUEST")
        self.assert_complains(self.world.berth(*back), BLOCKED, "runs on 'kvm2' already")
        self.take("REMOVE_BRIDGES")
        self.assert_moved()

    def test_nobody_else_goes_on_with_it_or_starts_its_guest(self):
        self.take("CREATE_BRIDGES", "STOP_GUEST")
        for only in ([], ["--only", "vm1"]):
            result = self.world.berth("apply", "--yes", *only)
            self.assert_exit(result, BLOCKED)
            self.assertIn("is run by hand", result.stderr)
            self.assertEqual(self.guest("kvm1")["state"], "shutoff")
            self.assertEqual(self.states()["DETACH_VOLUMES"], "next")
        self.take("DETACH_VOLUMES")

    def test_a_step_that_fails_leaves_the_move_where_it_was_and_may_be_taken_again(self):
        self.take("CREATE_BRIDGES", "STOP_GUEST", "DETACH_VOLUMES")
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(storage={"/dev/exc/v1": "another"}))
        result = self.migrate("--step", "ATTACH_VOLUMES")
        self.assert_exit(result, FAILED)
        self.assertIn("another volume is at '/dev/exc/v1'", result.stderr)
        self.assertEqual(self.states()["ATTACH_VOLUMES"], "failed")
        self.assertNotIn("storage", self.hosts()["kvm1"])
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].pop("storage"))
        self.take("ATTACH_VOLUMES", "MIGRATE_GUEST", "STARTUP_GUEST", "REMOVE_BRIDGES")
        self.assert_moved()

    def test_another_volume_in_place_of_its_own_is_found_by_a_later_run_too(self):
        self.take("CREATE_BRIDGES", "STOP_GUEST", "DETACH_VOLUMES")
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].update(decoys=["v1"]))
        for _ in range(2):
            result = self.migrate("--step", "ATTACH_VOLUMES")
            self.assert_exit(result, FAILED)
            self.assertIn("ATTACH_VOLUMES: prove that its volumes are the same: ", result.stderr)
            self.assertIn("not the same storage on 'kvm2' (another-volume) as on 'kvm1' (v1)", result.stderr)
            self.assertEqual(self.states()["ATTACH_VOLUMES"], "failed")
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1].pop("decoys"))
        self.assert_exit(self.migrate(), FAILED)
        self.assertEqual(self.guest("kvm1").get("state", "running"), "running")

    def test_while_berthd_runs_it_is_refused_with_what_to_do(self):
        self.start_daemon()
        self.await_said("following")
        before = self.world.es.read_text()
        result = self.migrate("--step", "CREATE_BRIDGES")
        self.assert_complains(result, INVALID, r"--step: berthd \(pid \d+\) controls the fleet")
        self.assertIn("hint: 'systemctl stop berthd && berth migrate vm1 --to kvm2 --mode offline --step "
                      "CREATE_BRIDGES; systemctl start berthd'", result.stderr)
        self.assertNotIn("bridges", self.hosts()["kvm2"])
        self.assertEqual(self.world.es.read_text(), before)

    def test_a_berthd_takes_back_what_was_done_by_hand_when_it_is_told_to(self):
        self.take("STOP_GUEST", "MIGRATE_GUEST", "DETACH_VOLUMES", "CREATE_BRIDGES")
        self.start_daemon()
        self.await_said("move-unclear", "is run by hand")
        for wish in (["--to", "kvm2"], ["--to", "kvm1"]):
            result = self.world.berth("migrate", "vm1", *wish, "--mode", "offline", "--yes")
            self.assert_complains(result, INVALID, r"vm1: berthd \(pid \d+\) controls the fleet")
            self.assertIn(f"berth migrate vm1 {' '.join(wish)} --mode offline; systemctl start", result.stderr)
        self.assert_exit(self.world.berth("cancel", "vm1"), OK)
        self.await_said("move-end")
        self.assert_back()
        status = self.world.berth("status").stdout
        self.assertIn("held", status)

    def test_a_berthd_that_is_started_in_between_leaves_the_guest_as_it_is(self):
        self.take("CREATE_BRIDGES", "STOP_GUEST")
        daemon = self.start_daemon()
        self.await_said("move-unclear", "is run by hand")
        self.await_said("following")
        self.assert_ends(daemon)
        self.assertEqual(self.guest("kvm1")["state"], "shutoff")
        self.assertEqual(self.states()["DETACH_VOLUMES"], "next")
        self.assert_exit(self.migrate(), OK)
        self.assert_moved()

    def test_a_step_is_one_of_an_offline_move_and_has_a_name(self):
        self.assert_complains(self.migrate("--step", "STOP"), INVALID, "'STOP' is none of CREATE_BRIDGES .*STOP_GUEST")
        for mode in ("live", "auto", "offline-force"):
            result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--mode", mode, "--yes", "--step",
                                      "STOP_GUEST")
            self.assert_complains(result, INVALID, "is for --mode offline")


if __name__ == "__main__":
    unittest.main()
