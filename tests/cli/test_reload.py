#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: berthd reads berth.conf anew, takes it whole or not at all, and between two moves."""

import signal
import unittest

from daemon import AWAY, HOME, DaemonTest
from test_drift import move
from test_service import Manager
from world import BERTHD, await_true, es_xml

BOTH_AWAY = {"kvm1": [], "kvm2": ["vm1", "vm2"]}


class ReloadTest(DaemonTest):
    def reload(self, daemon, text, event="reloaded"):
        """With 'text' behind the settings that every world has, until 'event' is logged once more."""
        said = self.said(event)
        self.world.configure(text)
        daemon.send_signal(signal.SIGHUP)
        self.await_said(event, times=said + 1)

    def start_following(self, *args, **options):
        daemon = super().start_daemon(*args, **options)
        self.await_said("following", times=self.said("started"))
        return daemon


class Takes(ReloadTest):
    def test_what_a_host_may_take(self):
        self.world.configure("[host kvm2]\nmaintenance = yes\n")
        self.world.want(AWAY)
        daemon = self.start_following()
        self.await_said("blocked", "guest=vm1 code=maintenance")
        self.reload(daemon, "")
        self.await_places(AWAY)
        self.reload(daemon, "[host kvm1]\nmaintenance = yes\n")
        self.world.want(HOME)
        self.await_said("blocked", "guest=vm1 code=maintenance", 2)
        self.assert_ends(daemon)
        self.assertEqual(self.world.places(), AWAY)

    def test_another_answer_to_drift(self):
        self.world.configure("[drift]\noperator_move = report\n")
        daemon = self.start_following()
        self.await_said("plan", "complete=yes")
        self.world.edit_fleet(lambda fleet: move(fleet, "vm1", "kvm2"))
        self.await_said("drift", "class=operator-move answer=report")
        self.await_said("blocked", "guest=vm1 code=policy")
        self.reload(daemon, "[drift]\noperator_move = correct\n")
        self.await_places(HOME)
        self.assert_ends(daemon)

    def test_windows(self):
        self.world.configure("[window never]\nopens = 2020-01-01\nlasts = 1h\n"
                             "[host kvm2]\nwindow = never\n")
        self.world.want(AWAY)
        daemon = self.start_following()
        self.await_said("blocked", "guest=vm1 code=window")
        self.reload(daemon, "")
        self.await_places(AWAY)
        self.assert_ends(daemon)

    def test_it_once_the_move_under_way_is_over(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []}, durations={"migrate_ms": 3600_000})
        self.world.want(BOTH_AWAY)
        daemon = self.start_following()
        self.world.await_move()
        self.world.configure("[host kvm2]\nmaintenance = yes\n")
        daemon.send_signal(signal.SIGHUP)
        daemon.send_signal(signal.SIGHUP)
        self.finish_move()
        self.await_said("move-end", "result=done")
        self.await_said("blocked", "code=maintenance")
        self.assertLess(self.log().index("event=move-end"), self.log().index("event=reloaded"))
        self.assertEqual((self.said("move-begin"), self.said("reloaded")), (1, 1), self.log())
        self.assert_ends(daemon)

    def test_a_fault_of_es_xml_that_only_the_new_settings_make(self):
        daemon = self.start_following()
        self.await_said("plan", "complete=yes")
        small = "[host kvm1]\nmemory = 512MiB\n"
        self.reload(daemon, small)
        self.await_said("invalid-file")
        self.reload(daemon, small)
        self.await_said("invalid-file", times=2)
        self.reload(daemon, "")
        self.await_said("valid-file")
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)

    def test_it_as_often_as_it_is_asked_to(self):
        daemon = self.start_following()
        for number in range(20):
            self.reload(daemon, f"[guest vm1]\npriority = {number}\n")
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)


class Refuses(ReloadTest):
    def test_a_faulty_file_whole_and_says_its_lines(self):
        daemon = self.start_following()
        self.reload(daemon, "[host kvm2]\nmaintenance = yes\nnonsense = 1\n[drift]\nsize = hold\n",
                    "invalid-config")
        self.await_said("invalid-config", f"file={self.world.conf} line=(9|11) ", 2)
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assertEqual(self.said("reloaded"), 0)
        self.reload(daemon, "")
        self.assert_ends(daemon)

    def test_a_file_that_is_not_there(self):
        daemon = self.start_following()
        self.world.conf.unlink()
        daemon.send_signal(signal.SIGHUP)
        self.await_said("unreadable-config", f"file={self.world.conf}")
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)

    def test_an_api_that_cannot_be_opened_and_keeps_the_one_before(self):
        daemon = self.start_following()
        self.reload(daemon, "[host kvm2]\nmaintenance = yes\n[api]\ngroup = no-such-group\n",
                    "unreadable-config")
        self.assertEqual(self.said("unreadable-config", "no-such-group"), 1)
        self.assertTrue((self.world.state / "api.sock").is_socket())
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)


class Api(ReloadTest):
    def test_moves_to_where_it_is_wanted(self):
        daemon = self.start_following()
        other = self.world.folder / "other.sock"
        await_true("it is there", (self.world.state / "api.sock").is_socket)
        self.reload(daemon, f"[api]\nsocket = {other}\n")
        self.assertTrue(other.is_socket())
        self.assertFalse((self.world.state / "api.sock").exists())
        self.reload(daemon, "")
        self.assertTrue((self.world.state / "api.sock").is_socket())
        self.assertFalse(other.exists())
        self.assert_ends(daemon)


class NeedsARestart(ReloadTest):
    def test_for_what_is_said_and_nothing_else(self):
        daemon = self.start_following()
        self.reload(daemon, "[host kvm2]\nssh = root@kvm2\nreserve = 5%\n[host kvm9]\nuri = x://%h\n")
        self.assertEqual(self.said("restart-needed", r"\[host kvm2\] ssh, \[host kvm9\] uri"), 1,
                         self.log())
        conf = self.world.conf.read_text()
        self.world.conf.write_text(conf.replace("es.xml", "other.xml").split("[host")[0])
        daemon.send_signal(signal.SIGHUP)
        self.await_said("reloaded", times=2)
        self.assertEqual(self.said("restart-needed", 'text="es_xml"'), 1, self.log())
        self.world.es.write_text(es_xml(AWAY))
        self.await_places(AWAY)
        self.assert_ends(daemon)


class Told(ReloadTest):
    def test_the_service_manager_when_it_begins_and_when_it_is_done(self):
        manager = Manager(self.world.folder)
        self.addCleanup(manager.socket.close)
        daemon = self.world.start(BERTHD, "-c", self.world.conf,
                                  env={"NOTIFY_SOCKET": str(manager.path)})
        manager.await_told("READY=1")
        self.reload(daemon, "")
        manager.await_told("READY=1", times=2)
        self.reload(daemon, "nonsense", "invalid-config")
        manager.await_told("READY=1", times=3)
        told = [text for text in manager.hear() if text in ("READY=1", "RELOADING=1")]
        self.assertEqual(told, ["READY=1"] + ["RELOADING=1", "READY=1"] * 2)
        self.assert_ends(daemon)


if __name__ == "__main__":
    unittest.main()
