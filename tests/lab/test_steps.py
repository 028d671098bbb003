#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Offline moves of a guest with what a platform provides for it (steps.py).  Every command on a host, and every
start, fails, hangs, comes too late or loses its reply; then a second run ends what the first one left.  In the end
the guest runs once, and volumes, mount, bridges, interface and definition are on its host and nowhere else.

  each step fails                        Offline.test_a_step_that_fails_...
  each hangs, is late, loses its reply   Offline.test_steps_that_...
  a person takes them in another order   ByHand
  the start, the shutdown                Starts
  what must not be begun at all          Refusals
  a controller that is killed, and live moves   test_steps_live.py"""

import json
import re
import unittest

from fleet import await_true
from steps import BLOCKED, DONE, FAILED, HOSTS, StepsTest, fleet, start_fleet

# Commands of configs/profiles/exascale.conf in the order of an offline move: where, and how they begin.
OFFLINE = (
    ("target", "ip link add name vmeth7"),
    ("source", "ip link delete dev vf7"),
    ("source", "umount"),
    ("source", "escli rmvolumeattachment"),
    ("target", "escli mkvolumeattachment"),
    ("target", "mv"),
    ("target", "mount"),
    ("target", "ip link add name vf7"),
    ("source", "ip link delete dev vmeth7"),
)
# Each fails in another way: before the guest is down, where it comes from, where it goes, half way there.
FAILING = (
    ("target", "ip link set"),
    ("source", "escli rmvolumeattachment"),
    ("target", "escli mkvolumeattachment"),
    ("target", "mount"),
    ("target", "ip link add name vf7"),
)
FUNCTIONS = """[interface]
offers   = ls /run/functions
probe    = test -e /run/given/{name}
provide  = touch /run/given/{name}
withdraw = rm -f /run/given/{name}
"""
setUpModule = start_fleet


class Offline(StepsTest):
    def steps(self, guest):
        result = fleet.berth("steps", "--json", guest)
        self.assert_exit(result, DONE)
        return {step["step"]: step for step in json.loads(result.stdout)["steps"]}

    def test_a_move_brings_along_what_its_platform_provides(self):
        self.make(autostart=True)
        for _ in range(2):
            self.want()
            self.assert_ends()
            self.assertEqual(fleet.listed(self.target, "--all", "--autostart"), ["g1"])
            self.turn()

    def test_a_guest_that_is_off_brings_along_the_same(self):
        self.make(off=True)
        self.want()
        self.assert_exit(self.apply(), DONE)
        self.assert_whole("kvm2", runs=False)
        self.assertEqual(fleet.boots("g1"), 0)

    def test_what_another_guest_uses_stays(self):
        self.make()
        fleet.guest("g2", "kvm1", bridge="vmeth7", nat="vmnat7", interface="vf7", off=True)
        self.want()
        self.assert_exit(self.apply(), DONE)
        for hosts in (fleet.bridged("vmeth7"), fleet.bridged("vmnat7"), fleet.given("vf7")):
            self.assertEqual(hosts, ["kvm1", "kvm2"])
        steps = self.steps("g1")
        for step in ("DETACH_INTERFACES", "REMOVE_BRIDGES", "REMOVE_NAT_BRIDGE_SRC"):
            self.assertEqual((steps[step]["state"], steps[step]["text"]), ("done", "kept: used by 'g2'"))

    def test_a_device_that_the_profile_does_not_name_is_its_hosts_own(self):
        """Every guest there may have a macvtap on it."""
        fleet.guest("g1", "kvm1", bridge="vmeth7", interface="eth0", off=True)
        self.source, self.target = HOSTS
        self.want()
        self.assert_exit(self.apply(), DONE)
        self.assert_defined_only_on("g1", "kvm2")
        for host in HOSTS:
            self.assertEqual(fleet.ssh(host, "test", "-e", "/sys/class/net/eth0").returncode, 0)
        steps = self.steps("g1")
        self.assertEqual(steps["CREATE_BRIDGES"]["state"], "done")
        for step in ("CREATE_NAT_BRIDGE_TGT", "DETACH_INTERFACES", "ATTACH_INTERFACES", "REMOVE_NAT_BRIDGE_SRC"):
            self.assertEqual(steps[step]["state"], "skipped")
            self.assertIn("provides nothing of the kind", steps[step]["text"])

    def test_a_pci_function_follows_a_guest_that_is_off_to_a_host_that_has_it(self):
        """No lab host has one: here the platform keeps a file for each."""
        address = "<address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/>"
        device = f"<interface type='hostdev' managed='no'><source>{address}</source></interface></devices>"
        fleet.guest("g1", "kvm1", off=True)
        file = fleet.work / "g1.xml"
        file.write_text(fleet.virsh("kvm1", "dumpxml", "--inactive", "g1").replace("</devices>", device))
        fleet.virsh("kvm1", "define", file)
        for host, functions in (("kvm1", "3b:02.0 3b:02.1"), ("kvm2", "5e:02.0 5e:02.1")):
            fleet.lab("on", host, "mkdir", "-p", "/run/given", "/run/functions")
            fleet.lab("on", host, "touch", *(f"/run/functions/0000:{x}" for x in functions.split()))
        fleet.lab("on", "kvm1", "touch", "/run/given/0000:3b:02.1")
        self.source, self.target = HOSTS
        self.want()
        profile = fleet.work / "platform.conf"
        profile.write_text(re.sub(r"(?ms)^\[interface\].*", FUNCTIONS, profile.read_text()))
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertIn("'0000:3b:02.1', which 'kvm2' does not have: it has '0000:5e:02.0' and others", self.text(result))
        self.assert_defined_only_on("g1", "kvm1")
        fleet.lab("on", "kvm2", "touch", "/run/functions/0000:3b:02.1")
        fleet.berth("retry", "g1")
        self.assert_exit(self.apply(), DONE)
        self.assert_defined_only_on("g1", "kvm2")
        given = [fleet.lab("on", host, "ls", "/run/given").split() for host in HOSTS]
        self.assertEqual(given, [[], ["0000:3b:02.1"]])

    def test_a_step_that_fails_is_done_again_or_turns_the_move_round(self):
        self.make()
        self.fail_each(FAILING)

    def test_a_step_that_fails_for_good_stops_the_guest_once_and_leaves_everything_at_the_source(self):
        self.make()
        result = self.fail_for_good("target", "escli mkvolumeattachment")
        self.assert_whole("kvm1")
        self.assertIn("([volume] provide: escli mkvolumeattachment ", self.text(result))
        self.assertIn("asked to stop in vain 1 time", self.text(fleet.berth("explain", "g1")))
        self.assertIn("'berth retry g1' tries at once", self.text(result))
        self.assert_exit(self.apply(), BLOCKED)
        self.await_up()
        self.assertEqual(fleet.boots("g1"), 2)
        self.assert_ends()

    def test_steps_that_hang_or_come_late_or_lose_their_reply_are_done_again(self):
        self.make()
        self.disturb_all(OFFLINE, ("lost", "hang", "late6"))

    def test_another_volume_in_place_of_its_own_is_found_out_before_the_guest_is_there(self):
        self.make()
        self.want()
        self.fault("target", "escli mkvolumeattachment", "wrong")
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertRegex(self.text(result), "is not the same storage on 'kvm2' .* as on 'kvm1'")
        self.assert_whole("kvm1")
        self.assert_ends()


class ByHand(StepsTest):
    def take(self, *steps):
        for step in steps:
            result = self.step(step)
            self.assert_exit(result, DONE)
            self.assertIn(f"      {step}: ", self.text(result))
            self.assert_safe()

    def step(self, *step):
        return fleet.berth("migrate", "g1", "--to", self.target, "--mode", "offline", "--yes",
                           *(("--step", *step) if step else ()))

    def refused(self, step, *missing):
        result = self.step(step)
        self.assert_exit(result, BLOCKED)
        for other in missing:
            self.assertIn(f"({other} brings that about)", self.text(result))

    def test_steps_in_another_order_than_the_procedure_s_are_taken_or_refused_and_taken_back(self):
        self.make(autostart=True)
        self.want()
        self.await_up()
        self.refused("DETACH_VOLUMES", "STOP_GUEST")
        self.assert_whole("kvm1")
        self.take("STOP_GUEST", "MIGRATE_GUEST", "DETACH_VOLUMES")
        self.assert_defined_only_on("g1", "kvm2")
        self.refused("STARTUP_GUEST", "CREATE_BRIDGES", "ATTACH_VOLUMES", "ATTACH_INTERFACES")
        self.assertEqual(fleet.attached("v1"), [])
        self.assert_exit(fleet.berth("cancel", "g1"), DONE)
        self.assert_whole("kvm1")
        self.assert_exit(fleet.berth("release", "g1"), DONE)
        self.await_up()
        self.take("STOP_GUEST", "DETACH_VOLUMES", "ATTACH_VOLUMES", "DETACH_INTERFACES", "MIGRATE_GUEST")
        self.assertEqual(fleet.attached("v1"), ["kvm2"])
        self.refused("REMOVE_BRIDGES", "STARTUP_GUEST")
        self.assert_exit(self.step(), DONE)
        self.assert_whole("kvm2")
        self.assertEqual(fleet.listed("kvm2", "--all", "--autostart"), ["g1"])


class State(StepsTest):
    """A guest that boots through OVMF, and keeps its UEFI variables in a file of its host."""

    nvram = "/var/lib/libvirt/qemu/nvram/g1_VARS.fd"
    template = "/usr/share/OVMF/OVMF_VARS.fd"

    def make_uefi(self):
        fleet.guest("g1", "kvm1", memory=256, off=True)
        file = fleet.work / "g1.xml"
        firmware = (
            "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>"
            f"<nvram template='{self.template}'>{self.nvram}</nvram><kernel>"
        )
        xml = fleet.virsh("kvm1", "dumpxml", "--inactive", "g1")
        file.write_text(xml.replace("<kernel>", firmware))
        fleet.virsh("kvm1", "define", file)
        fleet.virsh("kvm1", "start", "g1")
        await_true("'g1' is up", lambda: "READY" in fleet.console("g1"))
        self.source, self.target = HOSTS

    def files(self, host):
        """Its NVRAM, in its place and put aside: owner, permissions and contents."""
        found = {}
        for path in fleet.lab("on", host, "find", "/var/lib/libvirt/qemu/nvram", "-type", "f").split():
            kind = "place" if path == self.nvram else re.sub(r".*(moved|coming).*", r"\1", path)
            self.assertNotIn(kind, found)
            stat = fleet.lab("on", host, "stat", "--format=%U:%G %a", path).strip()
            found[kind] = (stat, fleet.lab("on", host, "sha256sum", path).split()[0])
        return found

    def want_copied(self):
        self.want()
        profile = fleet.work / "platform.conf"
        profile.write_text(profile.read_text() + "\n[state]\n")

    def test_uefi_variables_go_with_their_guest_while_it_is_off(self):
        self.make_uefi()
        self.want()
        result = self.apply()
        self.assert_exit(result, BLOCKED)
        self.assertIn("its NVRAM file would stay behind on 'kvm1'", self.text(result))
        self.want_copied()
        self.assert_exit(self.apply(), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        aside = self.files("kvm1")
        self.assertEqual(list(aside), ["moved"])
        self.assertEqual(list(self.files("kvm2")), ["place"])
        empty = fleet.lab("on", "kvm1", "sha256sum", self.template).split()[0]
        self.assertNotEqual(aside["moved"][1], empty, "its firmware has written nothing")
        self.assertIn(self.nvram, fleet.virsh("kvm2", "dumpxml", "--inactive", "g1"))
        steps = json.loads(fleet.berth("steps", "--json", "g1").stdout)["steps"]
        self.assertEqual([step["state"] for step in steps if step["step"] == "COPY_STATE"], ["done"])

        self.await_up()
        fleet.virsh("kvm2", "shutdown", "g1")
        # Of its process alone libvirt may not have heard yet.
        await_true("'g1' is off", lambda: fleet.state("g1", "kvm2") == "shut off")
        before = self.files("kvm2")["place"]
        self.turn()
        self.want_copied()
        self.assert_exit(self.apply(), DONE)
        self.assert_defined_only_on("g1", "kvm1")
        self.assertEqual(self.files("kvm2"), {"moved": before})
        self.assertEqual(self.files("kvm1"), {"moved": aside["moved"], "place": before})

        self.turn()
        fleet.lab("on", "kvm2", "cp", self.template, self.nvram)
        foreign = self.files("kvm2")
        self.want_copied()
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertIn(f"'kvm2' has another '{self.nvram}' already than 'kvm1'", self.text(result))
        self.assertEqual(self.files("kvm2"), foreign)
        self.assertEqual(self.files("kvm1"), {"moved": aside["moved"], "place": before})


class Starts(StepsTest):
    def test_a_start_that_fails_gives_the_guest_back_to_its_source(self):
        self.make()
        self.want()
        self.fault("target", "hook g1 prepare begin", "fail")
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertIn("Hook script", self.text(result))
        self.assert_whole("kvm1")
        self.assert_ends()

    def test_a_start_whose_reply_is_lost_is_a_success(self):
        self.make()
        self.want()
        self.fault("target", "hook g1 started begin", "lost", "1")
        self.apply()
        self.assert_safe()
        self.assertEqual(self.where(), "kvm2")
        self.assert_ends()
        self.assertEqual(fleet.boots("g1"), 2)

    def test_a_shutdown_whose_reply_is_lost_goes_on(self):
        self.make()
        self.want()
        self.fault("source", "hook g1 release end", "lost", "1")
        self.apply()
        self.assert_safe()
        self.assert_ends()
        self.await_up()
        self.assertEqual(fleet.boots("g1"), 2)

    def test_a_start_that_times_out_and_then_succeeds_makes_no_second_copy(self):
        self.make()
        self.want(**{"migrate.start_timeout": "1s"})
        self.fault("target", "hook g1 prepare begin", "late40", "1")
        result = self.apply()
        self.assertRegex(self.text(result), "start")
        self.assert_safe()
        await_true("the late start succeeds", lambda: fleet.processes("g1"))
        self.assertEqual(self.where(), "kvm2")
        self.assert_ends()


class Refusals(StepsTest):
    def refused(self, *words):
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        for word in words:
            self.assertIn(word, self.text(result))
        self.assert_whole("kvm1")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_guest_deaf_to_the_power_button_runs_on_with_all_it_has(self):
        self.make(kind="deaf")
        self.want(**{"migrate.stop_timeout": "2s"})
        self.refused("g1")
        self.assert_alive("g1")

    def test_a_target_without_room_gets_nothing(self):
        self.make()
        for guest in ("g2", "g3"):
            fleet.guest(guest, "kvm2", no_wait=True)
        self.want(**{"host kvm2.memory": "256MiB"})
        self.refused("kvm2")

    def test_an_interface_that_the_target_does_not_have_is_seen_before_it_is_stopped(self):
        """Its definition names one that has another name there."""
        self.make(interface="vf77")
        self.want()
        self.refused("its definition names interface 'vf77', which 'kvm2' does not have")

    def test_an_old_image_of_its_memory_on_the_target_is_seen_before_it_is_stopped(self):
        self.make()
        image = fleet.dir / "kvm2/var/qemu/save/g1.save"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.touch()
        self.addCleanup(image.unlink)
        self.want()
        self.refused("kvm2", "/var/lib/libvirt/qemu/save/g1.save")


if __name__ == "__main__":
    unittest.main(verbosity=2)
