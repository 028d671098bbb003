#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drift: what differs though the file did not change is noticed when it happens, and answered as [drift] says."""

import sqlite3
import unittest

from daemon import AWAY, HOME, DaemonTest
from world import OK, await_true, es_xml, sim_guest


def move(fleet, guest, to):
    """As somebody's 'virsh migrate' does it."""
    for host in fleet["hosts"]:
        for found in [g for g in host["guests"] if g["name"] == guest]:
            host["guests"].remove(found)
            next(h for h in fleet["hosts"] if h["name"] == to)["guests"].append(found)
            return


class Drift(DaemonTest):
    def start(self, text=""):
        self.world.configure(text)
        daemon = self.start_daemon()
        await_true("vm1 was seen in its place", self.seen)
        return daemon

    def seen(self, host="kvm1"):
        """True once the journal has vm1 in its place on 'host': read as any reader may."""
        try:
            with sqlite3.connect(f"file:{self.world.state}/journal.db?mode=ro", uri=True) as db:
                return ("vm1", host) in db.execute("SELECT guest, host FROM place").fetchall()
        except sqlite3.OperationalError:
            return False

    def move_away(self):
        self.world.edit_fleet(lambda fleet: move(fleet, "vm1", "kvm2"))

    def test_guest_that_somebody_moved_is_brought_back(self):
        daemon = self.start()
        self.move_away()
        self.await_said("drift", "class=operator-move answer=correct")
        self.await_places(HOME)
        self.await_said("drift-over")
        self.assert_ends(daemon)
        history = self.world.berth("history").stdout
        self.assertRegex(history, r"(?s)drift: somebody.*kvm2 -> kvm1.*drift-over: ")

    def test_guest_that_somebody_moved_is_only_reported_where_that_is_asked_for(self):
        daemon = self.start("[drift]\noperator_move = report\n")
        self.move_away()
        self.await_said("drift", "class=operator-move answer=report")
        self.await_said("blocked", "guest=vm1 code=policy")
        self.assert_ends(daemon)
        self.assertEqual(self.world.places(), AWAY)
        self.assertEqual(self.said("move-begin"), 0)

    def test_file_follows_the_fleet_where_that_is_asked_for(self):
        before = self.world.es.read_text().replace("<machines>", "<machines><!-- kept -->")
        self.world.es.write_text(before)
        daemon = self.start("[drift]\noperator_move = adopt\n")
        self.move_away()
        await_true("the file says so", lambda: "kvm2" in self.placed())
        self.await_said("drift-over")
        self.assert_ends(daemon)
        self.assertEqual(self.world.places(), AWAY)
        self.assertIn("<!-- kept -->", self.world.es.read_text())
        self.assertEqual(self.said("move-begin"), 0)
        self.assert_exit(self.world.berth("plan"), OK)

    def placed(self):
        text = self.world.es.read_text()
        return text[:text.index('<machine id="vm1_id"/>')].rsplit("<hostName>", 1)[1]

    def test_guest_that_is_to_be_held_waits_for_a_person(self):
        daemon = self.start("[drift]\noperator_move = hold\n")
        self.move_away()
        self.await_said("drift", "answer=hold")
        self.await_said("blocked", "guest=vm1 code=(policy|held)")
        self.assert_ends(daemon)
        self.assertEqual(self.world.places(), AWAY)
        holds = self.world.status()["holds"]
        self.assertEqual([(h["name"], h["user"]) for h in holds], [("vm1", "berthd")])

    def test_guest_that_went_down_with_its_host_is_started_where_that_is_asked_for(self):
        daemon = self.start("[drift]\nhost_restart = correct\n")

        def stop(fleet):
            fleet["hosts"][0]["guests"][0].update(state="shutoff", reason="unknown")

        self.world.edit_fleet(stop)
        self.await_said("drift", "class=host-restart answer=correct")
        self.await_places(HOME)
        self.await_said("drift-over")
        self.assert_ends(daemon)

    def test_guest_that_went_down_with_its_host_is_left_alone_unless_asked_for(self):
        daemon = self.start()
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0]["guests"][0].update(
            state="shutoff", reason="unknown"))
        self.await_said("drift", "class=host-restart answer=report")
        self.assert_ends(daemon)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": []})

    def test_guest_that_is_gone_is_told_once(self):
        daemon = self.start()
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0]["guests"].clear())
        self.await_said("drift", "class=vanished")
        self.assert_ends(daemon)
        daemon = self.start()
        self.await_said("plan", times=2)
        self.assert_ends(daemon)
        self.assertEqual(self.said("drift"), 1)

    def test_size_that_differs_is_reported_and_nothing_is_changed(self):
        daemon = self.start()
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0]["guests"][0].update(vcpus=4))
        self.await_said("drift", "class=size answer=report .*4 vCPUs.*the file says 1")
        self.assert_ends(daemon)

    def test_new_wish_of_the_file_is_no_drift(self):
        daemon = self.start()
        self.world.want(AWAY)
        self.await_places(AWAY)
        await_true("vm1 was seen in its new place", lambda: self.seen("kvm2"))
        self.world.replace(self.world.es, es_xml(HOME))
        self.await_places(HOME)
        self.assert_ends(daemon)
        self.assertEqual(self.said("drift"), 0)

    def test_duplicate_is_told_and_neither_copy_touched(self):
        daemon = self.start()
        self.world.edit_fleet(lambda fleet: fleet["hosts"][1]["guests"].append(
            sim_guest("vm1", state="shutoff")))
        self.await_said("drift", "class=duplicate answer=report .*'kvm1', 'kvm2'")
        self.assert_ends(daemon)
        self.assertEqual(self.said("move-begin"), 0)


if __name__ == "__main__":
    unittest.main()
