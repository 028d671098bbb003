# SPDX-License-Identifier: Apache-2.0
"""A platform's steps on the command line: how they are told while a move goes on and afterwards, and how a
person runs them one by one."""

import json
import unittest

from world import FAILED, OK, CliTest, sim_guest

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
         "ATTACH_VOLUMES", "MIGRATE_GUEST", "ATTACH_INTERFACES", "STARTUP_GUEST", "REMOVE_BRIDGES",
         "REMOVE_NAT_BRIDGE_SRC"]
SKIPPED = {"CREATE_NAT_BRIDGE_TGT", "DETACH_INTERFACES", "ATTACH_INTERFACES", "REMOVE_NAT_BRIDGE_SRC"}
DONE = [name for name in NAMES if name not in SKIPPED]


class StepsTest(CliTest):
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
        names = [step["step"] for step in self.steps()["steps"]]
        self.assertEqual(names, ["preflight", "CREATE_BRIDGES", "ATTACH_VOLUMES", "preflight", "migrate",
                                 "DETACH_VOLUMES", "REMOVE_BRIDGES"])

    def test_history_tells_what_each_operation_was_about(self):
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        moves = json.loads(self.world.berth("history", "vm1", "--json").stdout)["moves"]
        about = [(step["op"], step.get("supply")) for step in moves[0]["steps"]]
        self.assertIn(("withdraw", "volume"), about)
        self.assertRegex(self.world.berth("history", "vm1").stdout, r"withdraw +volume on kvm1: done")


if __name__ == "__main__":
    unittest.main()
