#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berthd on real hosts: it follows the file, hears of what is done behind its back, outlives whatever
happens to hosts and to itself, and does what a person asks.  The fleet, not berthd, is asked where the
guests are.  $BERTH and $BERTHD are the programs under test."""

import datetime
import re
import unittest

from berthd import Daemon, berthd_path
from fleet import Fleet, FleetTest, await_true, berth_path

fleet = Fleet(hosts=4)


def setUpModule():
    berth_path()
    berthd_path()
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class DaemonTest(FleetTest):
    def setUp(self):
        super().setUp()
        self.daemon = Daemon(fleet)

    def start(self, settings=None, **placement):
        """On a file that wants this, until every guest has been seen in its place."""
        fleet.want(settings, **placement)
        self.daemon.start()
        self.daemon.until_condition("InPlace", "true")
        self.daemon.until("places are kept", lambda: self.kept_places() == sorted(placement.items()))

    def kept_places(self):
        return sorted(fleet.journal("SELECT guest, host FROM place"))

    def until_runs(self, guest, host):
        self.daemon.until(
            f"'{guest}' runs on '{host}' alone",
            lambda: [h for h, _ in fleet.processes(guest)] == [host],
        )

    def until_quiet(self):
        """Everybody is where the file says and nothing is under way."""

        def is_quiet():
            status = self.daemon.status()
            return (
                not status["moving"]
                and not status["moves"]
                and not status["queue"]
                and self.condition_of(status, "InPlace") == "true"
            )

        self.daemon.until("nothing is left to do", is_quiet)

    def condition_of(self, status, kind):
        return next(c["status"] for c in status["conditions"] if c["type"] == kind)

    def begin_slow_move(self, **others):
        """'g1' is on its way from kvm1 to kvm2 until hurry(); 'others' are in their places."""
        fleet.guest("g1", "kvm1", kind="busy", memory=192)
        self.start(g1="kvm1", **others)
        fleet.disturb("rate", "kvm1", "50")
        fleet.want(g1="kvm2", **others)
        self.until_migrates()

    def until_migrates(self):
        await_true("'g1' is on its way", self.migrates)

    def migrates(self):
        return "Outgoing" in fleet.virsh("kvm1", "domjobinfo", "g1")

    def hurry(self):
        fleet.disturb("rate", "kvm1", "0")

    def moved_by_hand(self, guest, source, target):
        """As an operator does it who knows nothing of Berth."""
        fleet.virsh(
            source, "migrate", "--live", "--p2p", "--persistent", "--undefinesource",
            guest, fleet.uri(target),
        )

    def assert_ends(self):
        self.assertEqual(self.daemon.end(), 0, self.daemon.log())

    def assert_moves(self, *moves):
        """These and no others were begun since the start of the test."""
        begun = re.findall(r"^event=move-begin guest=(\S+) from=(\S+) to=(\S+)", self.daemon.log(), re.M)
        self.assertEqual(begun, list(moves))


class Follows(DaemonTest):
    def test_a_saved_file_moves_the_guest_it_moves(self):
        fleet.guest("g1", "kvm1")
        self.start(g1="kvm1")
        fleet.want(g1="kvm2")
        self.until_runs("g1", "kvm2")
        self.until_quiet()
        self.assert_ends()
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)
        self.assert_moves(("g1", "kvm1", "kvm2"))

    def test_of_saves_within_a_second_the_last_counts(self):
        fleet.guest("g1", "kvm1")
        self.start(g1="kvm1")
        fleet.want(g1="kvm2")
        fleet.want(g1="kvm3")
        self.until_runs("g1", "kvm3")
        self.until_quiet()
        self.assert_ends()
        self.assert_runs_once("g1", "kvm3")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_save_during_a_move_counts_after_it(self):
        self.begin_slow_move()
        fleet.want(g1="kvm3")
        self.hurry()
        self.until_runs("g1", "kvm3")
        self.until_quiet()
        self.assert_ends()
        self.assert_runs_once("g1", "kvm3")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_faulty_file_is_told_with_its_line_and_touches_nobody(self):
        fleet.guest("g1", "kvm1")
        self.start(g1="kvm1")
        process = fleet.pid("g1")
        fleet.lab("es", fleet.work / "good.xml", "g1=kvm2")
        good = (fleet.work / "good.xml").read_text()
        lines = good.replace('"g1_id"/>', '"g9_id"/>').splitlines()
        fault = 1 + next(number for number, line in enumerate(lines) if "g9_id" in line)
        self.save("\n".join(lines))
        message = self.daemon.until_condition("DesiredValid", "false")
        self.assertRegex(message, rf"^{re.escape(str(fleet.work))}/es\.xml:{fault}: .*g9_id")
        self.daemon.act("check")
        self.daemon.until_said("order", "verb=check")
        self.assertEqual(fleet.processes("g1"), [("kvm1", process)])
        self.assert_moves()
        self.save(good)
        self.assertIsNone(self.daemon.until_condition("DesiredValid", "true"))
        self.until_runs("g1", "kvm2")
        self.until_quiet()
        self.assert_ends()

    def save(self, text):
        (fleet.work / "es.new").write_text(text)
        (fleet.work / "es.new").rename(fleet.work / "es.xml")

    def test_a_move_waits_for_its_window_and_begins_when_it_opens(self):
        fleet.guest("g1", "kvm1")
        now = datetime.datetime.now(datetime.timezone.utc)
        opens = now.replace(microsecond=0) + datetime.timedelta(seconds=15)
        settings = {
            "fleet.window": "soon",
            "window soon.opens": f"{opens:%Y-%m-%d %H:%M:%S} UTC",
            "window soon.lasts": "1h",
        }
        self.start(settings, g1="kvm1")
        fleet.want(settings, g1="kvm2")
        waits = self.daemon.until("'g1' waits", lambda: self.daemon.status()["blocked"])
        self.assertEqual([(b["guest"], b["code"]) for b in waits], [("g1", "window")])
        self.assertIn("'soon'", waits[0]["reason"])
        self.until_runs("g1", "kvm2")
        self.until_quiet()
        [(begun_ms,)] = fleet.journal("SELECT begun_ms FROM move")
        self.assertGreaterEqual(begun_ms, opens.timestamp() * 1000)
        self.assert_ends()


class Drift(DaemonTest):
    """A guest that somebody moves is heard of, not found by the poll: before that was to come."""

    def drifts(self, answer):
        fleet.guest("g1", "kvm1")
        self.start({"drift.operator_move": answer}, g1="kvm1")
        self.daemon.act("check")  # The next poll is a minute away.
        self.daemon.until_said("order", "verb=check")
        self.daemon.until("it rests", lambda: self.daemon.status()["next_look"])
        poll = self.daemon.status()["next_look"]
        self.moved_by_hand("g1", "kvm1", "kvm2")
        self.daemon.until_said("drift", f"guest=g1 class=operator-move answer={answer}")
        # A look in the last instant of the migration may have seen the guest on both hosts.
        kept = "SELECT at_ms FROM event WHERE kind = 'drift' AND text LIKE 'somebody moved it%'"
        [(at_ms,)] = self.daemon.until("that is kept", lambda: fleet.journal(kept))
        noticed = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.timezone.utc)
        self.assertLess(noticed, datetime.datetime.fromisoformat(poll.replace("Z", "+00:00")))

    def test_a_guest_moved_by_hand_is_brought_back(self):
        self.drifts("correct")
        self.until_runs("g1", "kvm1")
        self.daemon.until_said("drift-over", "guest=g1")
        self.until_quiet()
        self.assert_ends()
        self.assert_runs_once("g1", "kvm1")
        self.assert_defined_only_on("g1", "kvm1")
        self.assertEqual(fleet.boots("g1"), 1)
        self.assert_moves(("g1", "kvm2", "kvm1"))

    def test_a_guest_moved_by_hand_is_only_reported_where_that_is_asked_for(self):
        self.drifts("report")
        [drift] = self.daemon.status()["drift"]
        self.assertEqual((drift["wanted"], drift["found"]), ("kvm1", "kvm2"))
        self.assertRegex(self.daemon.until_condition("AsLeft", "false"), "^g1 somebody moved it to 'kvm2'")
        self.daemon.act("check")
        self.daemon.until_said("order", "verb=check", 2)
        self.assert_ends()
        self.assert_runs_once("g1", "kvm2")
        self.assert_moves()

    def test_the_file_follows_a_guest_moved_by_hand_where_that_is_asked_for(self):
        before = '<machine id="g1_id"/>'
        self.drifts("adopt")
        self.daemon.until_said("drift-over", "guest=g1")
        self.until_quiet()
        text = (fleet.work / "es.xml").read_text()
        self.assertIn("<hostName>kvm2</hostName>", text[: text.index(before)])
        self.assertNotIn("<hostName>kvm3</hostName>", text[: text.index(before)])
        self.assert_ends()
        self.assert_runs_once("g1", "kvm2")
        self.assert_moves()


class Hosts(DaemonTest):
    """Whatever a host does, its guests are left alone and the others are served."""

    def test_a_libvirtd_that_is_started_again_is_missed_and_heard_again(self):
        fleet.guest("g1", "kvm1")
        fleet.guest("g2", "kvm2")
        self.start({"drift.operator_move": "report"}, g1="kvm1", g2="kvm2")
        process = fleet.pid("g2")
        fleet.disturb("stop", "kvm2")
        self.assertRegex(self.daemon.until_condition("HostsReachable", "false"), "^kvm2: .")
        fleet.want({"drift.operator_move": "report"}, g1="kvm3", g2="kvm2")
        self.until_runs("g1", "kvm3")
        fleet.disturb("start", "kvm2")
        self.assertIsNone(self.daemon.until_condition("HostsReachable", "true"))
        self.assertEqual(fleet.processes("g2"), [("kvm2", process)])
        self.moved_by_hand("g2", "kvm2", "kvm4")
        self.daemon.until_said("drift", "guest=g2")
        self.assert_ends()
        self.assert_moves(("g1", "kvm1", "kvm3"))

    def test_silent_hosts_are_told_and_the_others_are_served(self):
        fleet.guest("g1", "kvm1")
        fleet.guest("g3", "kvm3")
        fleet.guest("g4", "kvm4")
        self.start(g1="kvm1", g3="kvm3", g4="kvm4")
        processes = fleet.processes("g3") + fleet.processes("g4")
        fleet.disturb("freeze", "kvm3")
        fleet.disturb("cut", "kvm4")
        fleet.want(g1="kvm2", g3="kvm3", g4="kvm4")
        self.daemon.until_condition("HostsReachable", "false")
        # Each is missed in its own time.
        self.daemon.until("both are missed", lambda: re.search(
            "^kvm3: .*and 1 more$", self.daemon.condition("HostsReachable")[1] or ""))
        for host in self.daemon.document("hosts")["hosts"]:
            silent = host["name"] in ("kvm3", "kvm4")
            self.assertEqual((host["reachable"], bool(host["error"])), (not silent, silent))
        self.until_runs("g1", "kvm2")
        fleet.disturb("thaw", "kvm3")
        fleet.disturb("heal", "kvm4")
        self.assertIsNone(self.daemon.until_condition("HostsReachable", "true"))
        self.until_quiet()
        self.assertEqual(fleet.processes("g3") + fleet.processes("g4"), processes)
        self.assert_ends()
        self.assert_moves(("g1", "kvm1", "kvm2"))

    def test_a_guest_that_went_down_with_its_host_is_started_once_where_that_is_asked_for(self):
        fleet.guest("g2", "kvm2")
        self.start({"drift.host_restart": "correct"}, g2="kvm2")
        fleet.disturb("crash", "kvm2")
        self.daemon.until_condition("HostsReachable", "false")
        fleet.disturb("boot", "kvm2")
        self.daemon.until_said("drift", "guest=g2 class=host-restart answer=correct")
        self.daemon.until("'g2' is up again", lambda: fleet.boots("g2") == 2)
        self.daemon.until_said("drift-over", "guest=g2 class=host-restart")
        self.until_quiet()
        self.daemon.act("check")
        self.daemon.until_said("order", "verb=check")
        self.until_quiet()
        self.assert_ends()
        self.assert_runs_once("g2", "kvm2")
        self.assertEqual(fleet.boots("g2"), 2)
        self.assertEqual(self.daemon.said("step", "op=start"), 1, self.daemon.log())
        self.assert_moves(("g2", "kvm2", "kvm2"))


class Ends(DaemonTest):
    def test_a_killed_daemons_move_is_taken_up_by_the_next(self):
        self.begin_slow_move()
        self.daemon.kill()
        self.assertTrue(self.migrates())
        self.taken_up()

    def test_a_daemon_that_is_told_to_end_leaves_the_move_to_the_next(self):
        self.begin_slow_move()
        self.assert_ends()
        self.assertTrue(self.migrates())
        self.taken_up()

    def taken_up(self):
        self.daemon.start()
        self.daemon.until_said("move-resume", "guest=g1 from=kvm1 to=kvm2")
        self.hurry()
        self.until_runs("g1", "kvm2")
        self.until_quiet()
        self.assert_ends()
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)
        self.assert_moves(("g1", "kvm1", "kvm2"))
        self.assertEqual(self.daemon.said("step", "op=adopt .*result=done"), 1, self.daemon.log())


class Orders(DaemonTest):
    def test_what_is_held_and_cancelled_stays_so_across_a_restart(self):
        fleet.guest("g2", "kvm2")
        self.begin_slow_move(g2="kvm2")
        self.daemon.act("cancel", guest="g1")
        self.daemon.until_said("move-end", "guest=g1 .*result=cancelled")
        self.daemon.act("hold", guest="g2", reason="its disk is being replaced")
        fleet.want(g1="kvm3", g2="kvm3")
        self.until_blocked("g1", "g2")
        self.assert_ends()
        self.daemon.start()
        self.until_blocked("g1", "g2")
        self.assertEqual(
            [(h["name"], h["reason"]) for h in self.daemon.status()["holds"] if h["name"] == "g2"],
            [("g2", "its disk is being replaced")],
        )
        self.assert_moves(("g1", "kvm1", "kvm2"))
        self.hurry()
        self.daemon.act("release", guest="g2")
        self.until_runs("g2", "kvm3")
        self.until_blocked("g1")
        self.daemon.act("release", guest="g1")
        self.until_runs("g1", "kvm3")
        self.until_quiet()
        self.assert_ends()
        for guest in ("g1", "g2"):
            self.assert_runs_once(guest, "kvm3")
            self.assertEqual(fleet.boots(guest), 1)

    def until_blocked(self, *guests):
        """These and no others are held."""
        wanted = [(guest, "held") for guest in guests]
        self.daemon.until(
            f"{guests} are held",
            lambda: [(b["guest"], b["code"]) for b in self.daemon.status()["blocked"]] == wanted,
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
