#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests of a real host without power are started elsewhere by force: fenced by an agent that really cuts it, or on
a person's word; with a fence that lies, fails or is late; and the host comes back.  Where guests run is asked of the
process table."""

import unittest

from berthd import Daemon
from fleet import HERE, LAB, Fleet, FleetTest

fleet = Fleet(hosts=3)


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class ForceTest(FleetTest):
    """g1 is on kvm1 and belongs there; the file wants it on kvm2 from the moment that its host is gone."""

    def begin(self, autostart, fence=None, off=False):
        settings = {"fleet.poll": "2s"}
        if fence:
            (fleet.dir / "fence").write_text(fence)
            secret = fleet.work / "fence.secret"
            secret.write_text("password=let me\n")
            secret.chmod(0o600)
            settings.update({"fence lab.agent": HERE / "fence_lab",
                             "fence lab.options": f"lab={LAB} id={fleet.id}",
                             "fence lab.secrets": secret,
                             "host kvm1.fence": "lab", "host kvm1.fence_port": "kvm1"})
        fleet.lab("volume", "v1")
        for host in fleet.hosts:
            fleet.lab("attach", host, "v1")
        fleet.guest("g1", "kvm1", memory=80, disk="v1", autostart=autostart, off=off)
        fleet.want(settings, g1="kvm1")
        self.settings = settings
        self.daemon = Daemon(fleet).start()
        self.addCleanup(lambda: self.daemon.process.poll() is not None or self.daemon.kill())
        self.daemon.until("the guest is known",
                          lambda: fleet.journal("SELECT 1 FROM place JOIN definition USING (uuid)"))

    def lose(self, command="crash"):
        fleet.disturb(command, "kvm1")

    def force(self, **more):
        fleet.want(self.settings, g1="kvm2")
        return self.ask(**more)

    def ask(self, **more):
        return self.daemon.ask("POST", "/v1/force", {"guest": "g1", "to": "kvm2", **more})

    def assert_begun(self, answer):
        self.assertEqual(answer.status, 200, answer.body)

    def ended(self):
        return [row for row in fleet.journal(
            "SELECT state, error_text FROM move WHERE mode = 'forced' AND state <> 'open' ORDER BY seq")]

    def until_ended(self, times=1):
        self.daemon.until("the forced move has ended", lambda: len(self.ended()) == times)
        return self.ended()[-1]

    def leftovers(self):
        return fleet.journal("SELECT host, protection FROM leftover WHERE cleared = 0")

    def until_swept(self):
        self.daemon.until("the leftover is swept", lambda: not self.leftovers())
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assert_alive("g1")

    def return_host(self):
        fleet.disturb("boot", "kvm1")


class Fenced(ForceTest):
    def test_guest_with_autostart_runs_elsewhere_until_its_host_is_cleaned_and_comes_back(self):
        self.begin(autostart=True, fence="works")
        self.lose()
        self.assert_begun(self.force())
        self.assertEqual(self.until_ended(), ("done", None))
        self.assert_runs_once("g1", "kvm2")
        self.assertIn("Autostart:      enable", fleet.virsh("kvm2", "dominfo", "g1"))
        self.assertEqual(self.leftovers(), [("kvm1", "fenced")])
        self.assertNotIn("let me", self.daemon.log())
        # Its power stays away until a person has seen to what libvirt would start.
        (fleet.dir / "kvm1/etc/qemu/autostart/g1.xml").unlink()
        self.return_host()
        self.until_swept()

    def test_fence_that_lies_fails_and_is_late_never_lets_a_silent_hosts_guest_run_twice(self):
        self.begin(autostart=False, fence="lies")
        self.lose("cut")
        self.assert_begun(self.force())
        state, text = self.until_ended()
        self.assertEqual(state, "failed")
        self.assertIn("still on", text)
        self.assertIn("the outlet does not answer", text)
        self.assertNotIn("g1", fleet.listed("kvm2", "--all"))
        self.assertEqual([h for h, _ in fleet.processes("g1")], ["kvm1"])
        (fleet.dir / "fence").write_text("late")
        self.assert_begun(self.force())
        self.assertEqual(self.until_ended(2), ("done", None))
        self.assert_runs_once("g1", "kvm2")


class Attested(ForceTest):
    def test_guest_without_autostart_runs_elsewhere_on_a_persons_word_and_its_host_is_swept(self):
        self.begin(autostart=False)
        answer = self.ask(source_is_dead="kvm1")
        self.assertEqual(answer.status, 409, answer.body)  # It answers.
        self.lose()
        answer = self.force()
        self.assertEqual(answer.status, 409)
        self.assertIn("--source-is-dead=kvm1", answer.json["error"]["message"])
        self.assert_begun(self.force(source_is_dead="kvm1"))
        self.assertEqual(self.until_ended(), ("done", None))
        self.assert_runs_once("g1", "kvm2")
        self.assertEqual(self.leftovers(), [("kvm1", "autostart-off")])
        self.assertEqual(fleet.journal("SELECT host, user, used FROM attest"), [("kvm1", "root", 1)])
        self.return_host()
        self.until_swept()


if __name__ == "__main__":
    unittest.main(verbosity=2)
