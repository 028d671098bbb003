#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What became of a move that was left open?  Each row of the settle table (diff/settle.c), on real
hosts: a run is killed right after it committed to an operation, both hosts are brought into the
row's state, and berth is run again.  Where the guest is, is asked of the process table and of
libvirt; then what berth said.

Source | target | verdict, and the test below it; L = live, O = offline or cold:

  unreachable | any | wait
    Patience.test_silent_hosts_and_half_states_get_their_time (guest 'from')
  any | unreachable | wait
    Patience.test_silent_hosts_and_half_states_get_their_time (guest 'to')
  post-copy | any, any | post-copy | alarm
    PostCopy.test_a_post_copy_under_way_is_touched_on_neither_side
  post-copy failed | any | alarm
    PostCopy.test_a_failed_post_copy_is_touched_on_neither_side
    PostCopy.test_a_failed_post_copy_whose_target_is_gone_is_left_alone
  job | any | adopt
    Live.test_a_migration_under_way_is_followed_to_its_end
  running | absent | did not happen
    Live.test_a_migration_that_never_began_is_planned_anew
  running | paused (migration) | after a minute: destroy target
    Patience.test_silent_hosts_and_half_states_get_their_time (guest 'incoming')
  running | off, ours | undefine target
    Offline.test_our_definition_on_the_target_of_a_guest_that_runs_is_removed
  running | off, not ours | hold
    Live.test_a_foreign_definition_of_a_live_guest_is_not_ours_to_remove
  running | running | alarm
    Live.test_a_guest_that_runs_twice_is_touched_on_neither_side
  running | paused (user), paused otherwise | alarm
    Live.test_a_running_guest_with_a_paused_twin_is_touched_on_neither_side
  paused (migration) | running | after a minute: destroy source
    Patience.test_silent_hosts_and_half_states_get_their_time (guest 'outgoing')
  paused (migration) | paused (migration) | after a minute: destroy target
    Patience.test_silent_hosts_and_half_states_get_their_time (guest 'halves')
  paused (migration) | absent | resume source
    Live.test_a_guest_that_stands_still_at_the_source_alone_runs_on
  paused (migration) | off | alarm
    Live.test_a_standing_guest_whose_target_may_have_run_is_left_to_a_person
  paused (user) | absent | did not happen
    Live.test_a_guest_paused_by_its_user_moves_and_stays_paused
  absent | running | done
    Live.test_a_migration_that_ended_unseen_is_done
  absent | paused (user) | done
    Live.test_an_arrived_guest_that_was_paused_is_done
  off | running | sweep source
    Live.test_a_stale_definition_at_the_source_is_swept
  off | absent | L: stays off
    Live.test_a_guest_that_ended_by_itself_stays_off
  off | absent | O: go on
    Offline.test_a_stopped_guest_goes_on_with_its_move
    Offline.test_a_guest_that_was_off_moves_on_and_stays_off
  off | off, same | O: undefine source, go on
    Offline.test_a_definition_on_both_hosts_leaves_the_source
  off | off, ours but changed | O: undefine target, go on
    Offline.test_a_changed_definition_of_ours_is_made_anew
  off | off, not ours | O: hold
    Offline.test_a_foreign_definition_of_an_offline_guest_is_not_ours_to_remove
  off (migrated) | off | L: sweep source
    Live.test_a_guest_that_ended_after_it_arrived_stays_off
  off | off | L: hold
    Live.test_a_foreign_definition_beside_a_guest_that_ended_is_left_to_a_person
  absent | off | O: start it
    Offline.test_an_owed_start_is_paid_on_the_target
  absent | off | L: stays off
    Live.test_a_guest_that_ended_on_its_target_stays_off
  absent | absent | on a third host: plan from there
    Live.test_a_guest_found_on_a_third_host_is_moved_from_there
  absent | absent | a host is silent: wait
    Live.test_a_lost_guest_may_be_on_a_silent_host
  absent | absent | nowhere: alarm
    Live.test_a_guest_that_is_nowhere_is_missing
  anything else | alarm
    Live.test_what_nobody_thought_of_is_left_to_a_person

Not provoked: paused (starting up), the other half state, which libvirt itself ends when it loses
the source or is started again; and paused (user) in place of running beside a source that is off
or paused (migration), which the same rows decide.
"""

import collections
import json
import os
import re
import signal
import unittest

from fleet import LAB, Fleet, FleetTest, await_true, berth_path

DONE, FAILED = 0, 1
OFF, RUNNING, PAUSED, ABSENT = "shut off", "running", "paused", "absent"
# The operations of a move in the order in which berth commits to them, one commit each.
OPERATIONS = {
    "live": ["migrate"],
    "offline": ["stop", "define", "undefine", "start"],
    "cold": ["define", "undefine"],
}

Picture = collections.namedtuple("Picture", "states definitions processes")

fleet = Fleet(hosts=3)


def setUpModule():
    berth_path()
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class Case:
    """A guest on 'source' whose move to 'target' a killed controller left open, right after it
    committed to 'operation' and before it began it.  Each has a controller of its own, so that
    several can be patient at the same time."""

    commits = None  # How many commits lead to the first operation of a move.

    def __init__(
        self, operation="migrate", mode="live", guest="g1", hosts=("kvm1", "kvm2"), **options
    ):
        self.guest, self.mode = guest, mode
        self.source, self.target = hosts
        self.dir = fleet.work / guest
        self.dir.mkdir()
        # Only a guest that is up can be asked to go down, or writes faster than it is copied.
        booted = mode == "offline" or "kind" in options
        fleet.guest(guest, self.source, off=mode == "cold", no_wait=not booted, **options)
        fleet.lab("es", self.dir / "es.xml", f"{guest}={self.target}")
        mode = "offline" if mode == "offline" else "auto"
        fleet.lab("conf", self.dir / "berth.conf", "--set", f"migrate.mode={mode}")
        self.xml = self.dir / "guest.xml"
        self.xml.write_text(self.virsh("source", "dumpxml", "--inactive", "--security-info", guest))
        self.leave_open(operation)

    # -- leaving a move open -----------------------------------------------------------------------

    def step(self):
        """(operation, state) of the journal's last step, or None."""
        moves = self.history()
        steps = moves[-1]["steps"] if moves else []
        return (steps[-1]["op"], steps[-1]["state"]) if steps else None

    def has_journal(self):
        """False if it was killed on its way to the format of today: nothing was begun then."""
        result = self.berth("history", self.guest)
        return "an earlier version of berth" not in result.stderr

    def kill_after(self, commit):
        env = {"LD_PRELOAD": os.environ["BERTH_CRASH_SHIM"], "BERTH_CRASH_WHEN": "after"}
        result = self.berth("apply", "--yes", env={**env, "BERTH_CRASH_COMMIT": str(commit)})
        if result.returncode != -signal.SIGKILL:
            raise AssertionError(f"no commit {commit}: {result}")

    def leave_open(self, operation):
        if Case.commits is None:
            # Nothing is touched before the first operation, so the journal may be thrown away.
            for Case.commits in range(1, 30):
                self.kill_after(Case.commits)
                if self.has_journal() and self.step():
                    break
                fleet.run("rm", "-r", self.dir / "state")
            if operation != self.step()[0]:
                fleet.run("rm", "-r", self.dir / "state")
        if not (self.dir / "state").exists():
            self.kill_after(Case.commits + OPERATIONS[self.mode].index(operation))
        if self.step() != (operation, "intended"):
            raise AssertionError(f"left open at {self.step()}, not before '{operation}'")

    # -- acting behind berth's back ----------------------------------------------------------------

    def host(self, side):
        return {"source": self.source, "target": self.target}.get(side, side)

    def virsh(self, side, *args):
        return fleet.virsh(self.host(side), *args)

    def define(self, side, changed=False):
        """A definition, or another one of the same guest."""
        path = self.xml
        if changed:
            path = self.dir / "changed.xml"
            path.write_text(self.xml.read_text().replace("</name>", "</name><title>x</title>"))
        self.virsh(side, "define", path)

    def start(self, side):
        self.define(side)
        self.virsh(side, "start", self.guest)

    def end(self, side):
        self.virsh(side, "destroy", self.guest)

    def forget(self, side):
        self.virsh(side, "undefine", self.guest)

    def stand_still(self, side):
        """Paused (migration), as a migration that lost its other end leaves it."""
        saved = self.dir / "saved"
        if not saved.exists():
            self.virsh(self.source, "save", self.guest, saved)
        self.virsh(side, "restore", saved, "--paused")

    def migrate(self, to, *flags):
        return fleet.virsh(self.source, *self.migrate_command(to, *flags))

    def migrate_command(self, to, *flags):
        where = fleet.uri(self.host(to))
        return ["migrate", "--live", "--p2p", "--persistent", *flags, self.guest, where]

    def start_migration(self, *flags):
        """Somebody else's, and slow: 'reset' lifts the limit."""
        fleet.disturb("rate", self.source, "20")
        command = self.migrate_command("target", "--undefinesource", *flags)
        other = fleet.start_process("virsh", "-q", "-c", fleet.uri(self.source), *command)
        await_true("it is under way", lambda: "Outgoing" in self.job())
        return other

    def job(self):
        return self.virsh("source", "domjobinfo", self.guest)

    # -- what is true, and what berth says ---------------------------------------------------------

    def berth(self, command, *args, env=None):
        return fleet.finish(self.start_berth(command, *args, env=env))

    def start_berth(self, command, *args, env=None):
        return fleet.start_process(
            berth_path(), command, "-c", self.dir / "berth.conf", *args, env=env
        )

    def apply(self):
        return self.berth("apply", "--yes")

    def history(self):
        return json.loads(self.berth("history", "--json", self.guest).stdout)["moves"]

    def status(self):
        return json.loads(self.berth("status", "--json").stdout)

    def reason(self, side):
        """'running (booted)', ..., or 'absent'."""
        host = self.host(side)
        if self.guest not in fleet.listed(host, "--all"):
            return ABSENT
        return fleet.virsh(host, "domstate", "--reason", self.guest).strip()

    def picture(self):
        """All there is to touch."""
        known = [h for h in fleet.hosts if self.guest in fleet.listed(h, "--all")]
        return Picture(
            {h: self.reason(h) for h in known},
            {h: fleet.virsh(h, "dumpxml", "--inactive", self.guest) for h in known},
            fleet.processes(self.guest),
        )


class RowTest(FleetTest):
    def assert_row(self, case, source, target):
        """The hosts are in the state that the test is about."""
        for side, state in (("source", source), ("target", target)):
            self.assertRegex(case.reason(side), rf"^{state}", side)

    def assert_left_alone(self, case, result, words, before):
        """Nothing was touched, and berth says what it found and that it goes on being unsettled."""
        self.assertEqual(case.picture(), before)
        self.assert_exit(result, FAILED)
        self.assertRegex(result.stderr, words)
        (move,) = case.status()["moves"]
        self.assertEqual((move["guest"], move["state"]), (case.guest, "open"))
        self.assertTrue(move["unclear"], "the status must show that it is not settled")
        self.assertRegex(move["text"], words)
        self.assertEqual(case.history()[-1]["state"], "open")
        plan = json.loads(case.berth("plan", "--json").stdout)
        self.assertEqual(plan["moves"], [], "a guest that is not settled is not planned")

    def left_alone(self, case, words):
        before = case.picture()
        self.assert_left_alone(case, case.apply(), words, before)

    def assert_in_place(self, case, state=RUNNING):
        """On the target and nowhere else, and nothing is left to do."""
        if state == OFF:
            self.assertEqual(fleet.processes(case.guest), [])
        else:
            self.assert_runs_once(case.guest, case.target)
        self.assert_defined_only_on(case.guest, case.target)
        self.assertEqual(fleet.state(case.guest, case.target), state)
        status = case.status()
        self.assertEqual((status["moves"], status["retries"], status["owed_starts"]), ([], [], []))

    def converges(self, case, state=RUNNING):
        self.assert_exit(case.apply(), DONE)
        self.assert_in_place(case, state)

    def assert_settled_as(self, case, state, operation=None, side=None):
        """How the move that was left open ended, and with which operation on which side."""
        move = case.history()[0]
        self.assertEqual(move["state"], state, move)
        if operation:
            done = [(s["op"], s["host"]) for s in move["steps"] if s["state"] == "done"]
            self.assertEqual(done[-1], (operation, case.host(side)), move["steps"])


class Table(unittest.TestCase):
    def test_every_row_names_a_test_that_is_there(self):
        names = re.findall(r"^    (\w+)\.(test_\w+)", __doc__, re.M)
        classes = {"Live": Live, "PostCopy": PostCopy, "Offline": Offline, "Patience": Patience}
        for group, name in names:
            self.assertTrue(hasattr(classes[group], name), f"{group}.{name}")
        there = {n for c in classes.values() for n in vars(c) if n.startswith("test_")}
        self.assertEqual({n for _, n in names}, there)


class Live(RowTest):
    def test_a_migration_that_never_began_is_planned_anew(self):
        case = Case()
        self.assert_row(case, RUNNING, ABSENT)
        process = fleet.pid("g1")
        self.converges(case)
        self.assertNotEqual(fleet.pid("g1"), process)
        self.assert_settled_as(case, "failed")
        self.assertEqual([m["state"] for m in case.history()], ["failed", "done"])

    def test_a_migration_under_way_is_followed_to_its_end(self):
        case = Case(kind="busy", memory=192)
        other = case.start_migration()
        self.assert_row(case, RUNNING, PAUSED)
        berth = case.start_berth("apply", "--yes")
        await_true("it is adopted", lambda: case.step() == ("adopt", "intended"))
        fleet.disturb("rate", "kvm1", "0")
        self.assert_exit(fleet.finish(berth), DONE)
        self.assert_exit(fleet.finish(other), 0)
        self.assert_in_place(case)
        self.assert_settled_as(case, "done", "adopt", "source")

    def test_a_foreign_definition_of_a_live_guest_is_not_ours_to_remove(self):
        case = Case()
        case.define("target")
        self.assert_row(case, RUNNING, OFF)
        self.left_alone(case, "a person must say which one stays")
        case.forget("target")
        self.converges(case)

    def test_a_guest_that_runs_twice_is_touched_on_neither_side(self):
        case = Case()
        case.start("target")
        self.assert_row(case, RUNNING, RUNNING)
        self.left_alone(case, "neither side is touched")
        self.assertEqual([h for h, _ in fleet.processes("g1")], ["kvm1", "kvm2"])
        case.end("target")
        case.forget("target")
        self.converges(case)

    def test_a_running_guest_with_a_paused_twin_is_touched_on_neither_side(self):
        case = Case()
        case.start("target")
        case.virsh("target", "suspend", "g1")
        self.assert_row(case, RUNNING, r"paused \(user\)")
        self.left_alone(case, "neither side is touched")
        case.virsh("target", "resume", "g1")
        case.virsh("target", "qemu-monitor-command", "g1", '{"execute":"stop"}')
        self.assert_row(case, RUNNING, r"paused \(unknown\)")
        self.left_alone(case, "neither side is touched")

    def test_a_guest_that_stands_still_at_the_source_alone_runs_on(self):
        case = Case()
        case.stand_still("source")
        self.assert_row(case, r"paused \(migrating\)", ABSENT)
        self.converges(case)
        self.assert_settled_as(case, "failed", "resume", "source")

    def test_a_standing_guest_whose_target_may_have_run_is_left_to_a_person(self):
        case = Case()
        case.stand_still("source")
        case.define("target")
        self.assert_row(case, r"paused \(migrating\)", OFF)
        self.left_alone(case, "neither side is touched")
        case.forget("target")
        self.converges(case)

    def test_a_guest_paused_by_its_user_moves_and_stays_paused(self):
        case = Case()
        case.virsh("source", "suspend", "g1")
        self.assert_row(case, r"paused \(user\)", ABSENT)
        self.converges(case, PAUSED)
        self.assert_settled_as(case, "failed")

    def test_a_migration_that_ended_unseen_is_done(self):
        case = Case()
        case.migrate("target", "--undefinesource")
        self.assert_row(case, ABSENT, RUNNING)
        process = fleet.pid("g1")
        self.converges(case)
        self.assertEqual(fleet.pid("g1"), process)
        self.assert_settled_as(case, "done")
        self.assertEqual(len(case.history()), 1)

    def test_an_arrived_guest_that_was_paused_is_done(self):
        case = Case()
        case.migrate("target", "--undefinesource")
        case.virsh("target", "suspend", "g1")
        self.assert_row(case, ABSENT, r"paused \(user\)")
        self.converges(case, PAUSED)
        self.assert_settled_as(case, "done")

    def test_a_stale_definition_at_the_source_is_swept(self):
        case = Case()
        case.migrate("target")
        self.assert_row(case, r"shut off \(migrated\)", RUNNING)
        process = fleet.pid("g1")
        self.converges(case)
        self.assertEqual(fleet.pid("g1"), process)
        self.assert_settled_as(case, "done", "undefine", "source")

    def test_a_guest_that_ended_by_itself_stays_off(self):
        case = Case()
        case.end("source")
        self.assert_row(case, OFF, ABSENT)
        self.converges(case, OFF)
        moves = [(m["mode"], m["state"]) for m in case.history()]
        self.assertEqual(moves, [("live", "failed"), ("cold", "done")])

    def test_a_guest_that_ended_after_it_arrived_stays_off(self):
        case = Case()
        case.migrate("target")
        case.end("target")
        self.assert_row(case, r"shut off \(migrated\)", OFF)
        self.converges(case, OFF)
        self.assert_settled_as(case, "done", "undefine", "source")

    def test_a_foreign_definition_beside_a_guest_that_ended_is_left_to_a_person(self):
        case = Case()
        case.end("source")
        case.define("target")
        self.assert_row(case, OFF, OFF)
        self.left_alone(case, "a person must say which one stays")
        case.forget("source")
        self.converges(case, OFF)
        self.assert_settled_as(case, "done")

    def test_a_guest_that_ended_on_its_target_stays_off(self):
        case = Case()
        case.migrate("target", "--undefinesource")
        case.end("target")
        self.assert_row(case, ABSENT, OFF)
        self.converges(case, OFF)
        self.assert_settled_as(case, "done")

    def test_a_guest_found_on_a_third_host_is_moved_from_there(self):
        case = Case()
        case.migrate("kvm3", "--undefinesource")
        self.assert_row(case, ABSENT, ABSENT)
        self.converges(case)
        moves = [(m["from"], m["state"]) for m in case.history()]
        self.assertEqual(moves, [("kvm1", "failed"), ("kvm3", "done")])

    def test_a_lost_guest_may_be_on_a_silent_host(self):
        case = Case()
        case.migrate("kvm3", "--undefinesource")
        fleet.disturb("freeze", "kvm3")
        result = case.apply()
        self.assert_exit(result, FAILED)
        self.assertIn("kvm3", result.stderr)
        self.assertEqual([h for h, _ in fleet.processes("g1")], ["kvm3"])
        fleet.disturb("thaw", "kvm3")
        self.converges(case)

    def test_a_guest_that_is_nowhere_is_missing(self):
        case = Case()
        case.end("source")
        case.forget("source")
        self.assert_row(case, ABSENT, ABSENT)
        self.left_alone(case, "no host knows it")
        case.start("source")
        self.converges(case)

    def test_what_nobody_thought_of_is_left_to_a_person(self):
        case = Case()
        case.virsh("source", "qemu-monitor-command", "g1", '{"execute":"stop"}')
        self.assert_row(case, r"paused \(unknown\)", ABSENT)
        self.left_alone(case, "neither side is touched")
        case.virsh("source", "resume", "g1")
        stranger = case.dir / "stranger.xml"
        uuid = fleet.uuid("g1", "kvm1")
        stranger.write_text(case.xml.read_text().replace(uuid, uuid[::-1]))
        case.virsh("target", "define", stranger)
        self.left_alone(case, "neither side is touched")
        case.forget("target")
        self.converges(case)


class PostCopy(RowTest):
    def tearDown(self):
        # A QEMU that waits for memory which never comes cannot be ended in any other way.
        for host in ("kvm1", "kvm2"):
            fleet.disturb("crash", host)

    def begin(self, case):
        """In post-copy: it runs on the target, much of its memory is still at the source."""
        other = case.start_migration("--postcopy")
        switch = ["virsh", "-q", "-c", fleet.uri("kvm1"), "migrate-postcopy", "g1"]
        await_true("it is told to", lambda: not fleet.run(LAB, "ctl", *switch).returncode)
        await_true("it runs there", lambda: case.reason("target") == "running (post-copy)")
        return other

    def test_a_post_copy_under_way_is_touched_on_neither_side(self):
        case = Case(kind="busy", memory=192)
        other = self.begin(case)
        processes = fleet.processes("g1")
        result = case.apply()
        self.assertIsNone(other.poll(), "the post-copy ended too soon to tell")
        self.assert_row(case, r"paused \(post-copy\)", r"running \(post-copy\)")
        self.assertEqual(fleet.processes("g1"), processes)
        self.assert_exit(result, FAILED)
        self.assertIn("neither side is touched", result.stderr)
        fleet.disturb("rate", "kvm1", "0")
        self.assert_exit(fleet.finish(other), 0)
        self.converges(case)
        self.assert_settled_as(case, "done")

    def failed(self, case):
        """Berth touches neither side of a post-copy that failed, whatever becomes of its target."""
        processes = fleet.processes("g1")
        result = case.apply()
        self.assert_exit(result, FAILED)
        self.assertIn("neither side is touched", result.stderr)
        self.assertEqual(fleet.processes("g1"), processes)
        self.assertEqual(case.reason("source"), "paused (post-copy failed)")
        self.assertEqual([m["state"] for m in case.history()], ["open"])

    def test_a_failed_post_copy_is_touched_on_neither_side(self):
        case = Case(kind="busy", memory=192)
        self.begin(case)
        case.virsh("source", "domjobabort", "--postcopy", "g1")
        # Until its QEMU has noticed, and that may be never, the target has it as under way.
        self.assert_row(case, r"paused \(post-copy failed\)", r"running \(post-copy")
        self.failed(case)

    def test_a_failed_post_copy_whose_target_is_gone_is_left_alone(self):
        case = Case(kind="busy", memory=192)
        other = self.begin(case)
        os.kill(dict(fleet.processes("g1"))["kvm2"], signal.SIGKILL)
        self.assertNotEqual(fleet.finish(other).returncode, 0)
        self.assert_row(case, r"paused \(post-copy failed\)", f"{OFF}|{ABSENT}")
        self.failed(case)


class Offline(RowTest):
    def test_our_definition_on_the_target_of_a_guest_that_runs_is_removed(self):
        case = Case("undefine", "offline")
        case.virsh("source", "start", "g1")
        self.assert_row(case, RUNNING, OFF)
        await_true("'g1' is up again", lambda: fleet.boots("g1") == 2)
        self.converges(case)
        self.assert_settled_as(case, "failed", "undefine", "target")

    def test_a_stopped_guest_goes_on_with_its_move(self):
        case = Case("define", "offline", autostart=True)
        self.assert_row(case, OFF, ABSENT)
        self.assertEqual(case.status()["owed_starts"][0]["guest"], "g1")
        self.converges(case)
        self.assert_settled_as(case, "done")
        self.assertEqual(fleet.listed("kvm2", "--autostart"), ["g1"])

    def test_a_guest_that_was_off_moves_on_and_stays_off(self):
        case = Case("define", "cold")
        self.assert_row(case, OFF, ABSENT)
        self.converges(case, OFF)
        self.assertEqual(fleet.boots("g1"), 0)

    def test_a_definition_on_both_hosts_leaves_the_source(self):
        case = Case("undefine", "offline")
        self.assert_row(case, OFF, OFF)
        self.converges(case)
        self.assert_settled_as(case, "done")

    def test_a_changed_definition_of_ours_is_made_anew(self):
        case = Case("undefine", "offline")
        case.define("target", changed=True)
        self.assert_row(case, OFF, OFF)
        self.converges(case)
        self.assert_settled_as(case, "done")
        self.assertNotIn("<title>", case.virsh("target", "dumpxml", "g1"))

    def test_a_foreign_definition_of_an_offline_guest_is_not_ours_to_remove(self):
        case = Case("stop", "offline")
        case.end("source")
        case.define("target", changed=True)
        self.assert_row(case, OFF, OFF)
        self.left_alone(case, "a person must say which one stays")
        case.forget("target")
        self.converges(case)

    def test_an_owed_start_is_paid_on_the_target(self):
        case = Case("start", "offline")
        self.assert_row(case, ABSENT, OFF)
        self.converges(case)
        self.assert_settled_as(case, "done", "start", "target")


class Patience(RowTest):
    """Rows that take a minute or more, all at the same time."""

    def test_silent_hosts_and_half_states_get_their_time(self):
        silent = [
            Case(guest="from", hosts=("kvm1", "kvm2")),
            Case(guest="to", hosts=("kvm2", "kvm1")),
        ]
        incoming = Case(guest="incoming", hosts=("kvm2", "kvm3"))
        outgoing = Case(guest="outgoing", hosts=("kvm2", "kvm3"))
        halves = Case(guest="halves", hosts=("kvm2", "kvm3"))
        incoming.stand_still("target")
        incoming.virsh("source", "start", "incoming")
        outgoing.stand_still("source")
        outgoing.start("target")
        halves.stand_still("source")
        halves.stand_still("target")
        still = r"paused \(migrating\)"
        self.assert_row(incoming, RUNNING, still)
        self.assert_row(outgoing, still, RUNNING)
        self.assert_row(halves, still, still)
        survivor = dict(fleet.processes("outgoing"))["kvm3"]
        before = [case.picture() for case in silent]
        fleet.disturb("freeze", "kvm1")
        cases = [*silent, incoming, outgoing, halves]
        results = [fleet.finish(b) for b in [c.start_berth("apply", "--yes") for c in cases]]
        processes = [fleet.processes(case.guest) for case in silent]
        fleet.disturb("thaw", "kvm1")
        for case, result, picture, running in zip(silent, results, before, processes):
            with self.subTest(case.guest):
                self.assertEqual(running, picture.processes)
                self.assert_left_alone(case, result, "'kvm1' does not answer", picture)
        for case in silent:
            self.converges(case)
        for case, state, operation, side in (
            (incoming, "failed", "destroy", "target"),
            (outgoing, "done", "undefine", "source"),
            (halves, "failed", "resume", "source"),
        ):
            with self.subTest(case.guest):
                self.assert_settled_as(case, state, operation, side)
                self.converges(case)
        self.assertEqual(fleet.processes("outgoing"), [("kvm3", survivor)])
        steps = [(s["op"], s["host"]) for s in halves.history()[0]["steps"]]
        self.assertIn(("destroy", "kvm3"), steps)


if __name__ == "__main__":
    unittest.main(verbosity=2)
