#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Berth promises about real guests on real hosts.  Every test edits es.xml, lets berth act and
then asks the fleet, not berth, where the guests are.  $BERTH is the program under test."""

import json
import os
import re
import shutil
import signal
import time
import unittest

from fleet import Fleet, FleetTest, await_true, berth_path

# Prints a line for each RARP frame, which is how QEMU tells switches where a guest is, of guest's address.
LISTENER = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x8035)) as wire:
    wire.bind(("br0", 0))
    print("ready", flush=True)
    while True:
        if wire.recv(2048)[6:12].hex(":") == sys.argv[1]:
            print("announced", flush=True)
"""

# A host of this size has room for two small guests beside the reserve.
ROOM_FOR_TWO = "256MiB"
DONE, FAILED, INVALID, BLOCKED = 0, 1, 2, 4

fleet = Fleet(hosts=3)


def setUpModule():
    berth_path()
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


class BerthTest(FleetTest):
    def apply(self, *args):
        return fleet.berth("apply", "--yes", *args)

    def plan(self):
        result = fleet.berth("plan", "--json")
        self.assert_exit(result, DONE, 3, BLOCKED)
        return json.loads(result.stdout)

    def blocked(self, guest):
        """The block of 'guest' in the plan."""
        found = [b for b in self.plan()["blocked"] if b["guest"] == guest]
        self.assertEqual(len(found), 1, f"blocks of {guest}")
        return found[0]

    def assert_settled(self):
        plan = self.plan()
        self.assertEqual((plan["moves"], plan["blocked"], plan["complete"]), ([], [], True))

    def text(self, result):
        return result.stdout + result.stderr


class Moves(BerthTest):
    def test_editing_es_xml_moves_a_running_guest_live(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("attach", "kvm2", "v1")
        fleet.want(g1="kvm1")
        self.assert_exit(self.apply(), DONE)
        self.assert_runs_once("g1", "kvm1")
        fleet.want(g1="kvm2")
        self.assert_exit(self.apply(), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)
        self.assert_settled()

    def test_an_offline_move_ends_with_the_same_guest_running_again(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("attach", "kvm2", "v1")
        uuid = fleet.uuid("g1", "kvm1")
        fleet.want({"migrate.mode": "offline"}, g1="kvm2")
        self.assert_exit(self.apply(), DONE)
        await_true("'g1' is up again", lambda: fleet.boots("g1") == 2)
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assertEqual(fleet.uuid("g1", "kvm2"), uuid)
        self.assertIn("STOPPING", fleet.console("g1"))
        self.assert_settled()

    def test_a_guest_that_is_off_moves_and_stays_off(self):
        fleet.guest("g1", "kvm1", off=True)
        uuid = fleet.uuid("g1", "kvm1")
        fleet.want(g1="kvm3")
        self.assert_exit(self.apply(), DONE)
        self.assert_defined_only_on("g1", "kvm3")
        self.assertEqual((fleet.uuid("g1", "kvm3"), fleet.state("g1", "kvm3")), (uuid, "shut off"))
        self.assertEqual(fleet.boots("g1"), 0)

    def test_a_drained_host_is_empty_and_its_guests_come_back(self):
        for guest in ("g1", "g2"):
            fleet.guest(guest, "kvm1")
        fleet.guest("off", "kvm1", off=True)
        fleet.want(g1="kvm1", g2="kvm1", off="kvm1")
        result = fleet.berth("drain", "kvm1", "--yes")
        self.assert_exit(result, DONE)
        self.assertIn("'kvm1' is drained", result.stderr)
        self.assertEqual(fleet.listed("kvm1", "--all"), [])
        for guest in ("g1", "g2"):
            self.assert_alive(guest)
            self.assertEqual(fleet.boots(guest), 1)
        self.assert_settled()
        self.assert_exit(fleet.berth("undrain", "kvm1", "--yes"), DONE)
        for guest in ("g1", "g2"):
            self.assert_runs_once(guest, "kvm1")
            self.assert_defined_only_on(guest, "kvm1")
        self.assert_defined_only_on("off", "kvm1")
        self.assertEqual(fleet.boots("off"), 0)
        self.assert_settled()

    def test_a_move_waits_for_the_one_that_makes_room(self):
        fleet.guest("first", "kvm1")
        fleet.guest("second", "kvm2")
        fleet.guest("third", "kvm2")
        fleet.want(
            {f"host {h}.memory": ROOM_FOR_TWO for h in fleet.hosts},
            first="kvm2",
            second="kvm3",
            third="kvm2",
        )
        self.assertEqual(
            [(m["guest"], m["to"]) for m in self.plan()["moves"]],
            [("second", "kvm3"), ("first", "kvm2")],
        )
        self.assert_exit(self.apply(), DONE)
        for guest, host in (("first", "kvm2"), ("second", "kvm3"), ("third", "kvm2")):
            self.assert_runs_once(guest, host)
        self.assert_settled()

    def test_two_guests_swap_full_hosts_by_way_of_a_third(self):
        for number, guest in enumerate(("a1", "a2", "b1", "b2")):
            fleet.guest(guest, "kvm1" if number < 2 else "kvm2")
        fleet.want(
            {f"host {h}.memory": ROOM_FOR_TWO for h in fleet.hosts},
            a1="kvm2",
            a2="kvm1",
            b1="kvm1",
            b2="kvm2",
        )
        self.assert_exit(self.apply(), DONE)
        for guest, host in (("a1", "kvm2"), ("a2", "kvm1"), ("b1", "kvm1"), ("b2", "kvm2")):
            self.assert_runs_once(guest, host)
            self.assertEqual(fleet.boots(guest), 1)

    def test_two_guests_swap_full_hosts_because_one_may_be_stopped_early(self):
        for number, guest in enumerate(("a1", "a2", "b1", "b2")):
            fleet.guest(guest, "kvm1" if number < 2 else "kvm2", autostart=True)
        settings = {f"host {h}.memory": ROOM_FOR_TWO for h in fleet.hosts}
        settings |= {"host kvm3.maintenance": "yes", "guest a1.park": "yes"}
        fleet.want(settings, a1="kvm2", a2="kvm1", b1="kvm1", b2="kvm2")
        self.assertEqual(
            [(m["guest"], m["mode"]) for m in self.plan()["moves"]],
            [("a1", "stop"), ("b1", "live"), ("a1", "offline")],
        )
        self.assert_exit(self.apply(), DONE)
        await_true("'a1' is up again", lambda: fleet.boots("a1") == 2)
        for guest, host in (("a1", "kvm2"), ("a2", "kvm1"), ("b1", "kvm1"), ("b2", "kvm2")):
            self.assert_runs_once(guest, host)
            self.assert_defined_only_on(guest, host)
        for guest in ("a2", "b1", "b2"):
            self.assertEqual(fleet.boots(guest), 1)
        self.assertIn("STOPPING", fleet.console("a1"))
        self.assertEqual(sorted(fleet.listed("kvm1", "--all", "--autostart")), ["a2", "b1"])
        self.assertEqual(sorted(fleet.listed("kvm2", "--all", "--autostart")), ["a1", "b2"])
        self.assert_settled()

    def test_only_moves_the_guest_it_names(self):
        fleet.guest("g1", "kvm1")
        fleet.guest("g2", "kvm1")
        fleet.want(g1="kvm2", g2="kvm2")
        self.apply("--only", "g1")
        self.assert_runs_once("g1", "kvm2")
        self.assert_runs_once("g2", "kvm1")

    def test_a_transient_guest_moves_live_and_stays_transient(self):
        fleet.guest("g1", "kvm1", transient=True)
        fleet.want(g1="kvm2")
        self.assert_exit(self.apply(), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assertEqual(fleet.listed("kvm2", "--transient"), ["g1"])
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_paused_guest_moves_live_and_stays_paused(self):
        fleet.guest("g1", "kvm1", paused=True)
        fleet.want(g1="kvm2")
        self.assert_exit(self.apply(), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assertEqual(fleet.state("g1", "kvm2"), "paused")
        fleet.virsh("kvm2", "resume", "g1")
        self.assert_alive("g1")

    def test_autostart_survives_every_kind_of_move(self):
        for guest, options in (("live", {}), ("again", {}), ("cold", {"off": True})):
            fleet.guest(guest, "kvm1", autostart=True, **options)
        fleet.want({"guest again.mode": "offline"}, live="kvm2", again="kvm2", cold="kvm2")
        self.assert_exit(self.apply(), DONE)
        self.assertEqual(
            sorted(fleet.listed("kvm2", "--all", "--autostart")), ["again", "cold", "live"]
        )
        self.assertEqual(sorted(fleet.listed("kvm2")), ["again", "live"])

    def announcements(self, mac):
        """A question: how often the network has been told of the address from now on."""
        told = fleet.work / "told"
        with told.open("w") as output:
            fleet.start_process("python3", "-c", LISTENER, mac, out=output)
        await_true("the listener listens", lambda: "ready" in told.read_text())
        return lambda: told.read_text().count("announced")

    def test_a_profile_may_want_a_guest_to_be_announced_again(self):
        fleet.guest("g1", "kvm1", ip=101)
        announced = self.announcements("52:54:00:99:00:65")
        fleet.want(g1="kvm2")
        self.assert_exit(self.apply(), DONE)
        await_true("QEMU announces it by itself", announced)
        await_true("it has done so", lambda: self.is_quiet(announced))
        once = announced()
        profile = fleet.work / "announce.conf"
        profile.write_text("[rules]\nannounce = yes\n")
        fleet.want({"fleet.profile": str(profile)}, g1="kvm1")
        result = self.apply()
        self.assert_exit(result, DONE)
        await_true("it is announced more often", lambda: announced() > 2 * once)
        self.assertNotIn("did not announce", self.text(result))
        self.assert_runs_once("g1", "kvm1")
        self.assert_alive("g1")

    def is_quiet(self, announced):
        before = announced()
        time.sleep(2)
        return announced() == before

    def test_discover_describes_a_fleet_that_is_in_its_place(self):
        fleet.guest("g1", "kvm1")
        fleet.guest("g2", "kvm2", off=True)
        fleet.guest("g3", "kvm3", transient=True)
        fleet.want()
        found = fleet.berth("discover", *map(fleet.uri, fleet.hosts))
        self.assert_exit(found, DONE)
        for guest in ("g1", "g2", "g3"):
            self.assertIn(guest, found.stdout)
        (fleet.work / "es.xml").write_text(found.stdout)
        self.assert_exit(fleet.berth("validate", fleet.work / "es.xml"), DONE)
        self.assert_settled()


class Refusals(BerthTest):
    def test_a_target_without_room_is_named_and_nothing_moves(self):
        for guest in ("g2", "g3"):
            fleet.guest(guest, "kvm2")
        fleet.guest("g1", "kvm1")
        fleet.want({"host kvm2.memory": ROOM_FOR_TWO}, g1="kvm2", g2="kvm2", g3="kvm2")
        # The file asks for more than berth.conf declares for kvm2: a fault of the file.
        result = self.apply()
        self.assert_exit(result, INVALID)
        self.assertRegex(self.text(result), r"es\.xml:\d+: .*kvm2")
        # An unlisted guest takes the room instead: the file is sound, the fleet has no room.
        fleet.want({"host kvm2.memory": ROOM_FOR_TWO}, g1="kvm2")
        result = self.apply()
        self.assert_exit(result, BLOCKED)
        self.assertIn("kvm2", self.text(result))
        self.assertEqual(self.blocked("g1")["code"], "no-capacity")
        self.assert_runs_once("g1", "kvm1")

    def test_a_guest_with_a_managed_save_image_is_left_alone(self):
        fleet.guest("g1", "kvm1")
        fleet.lab("save", "g1", "kvm1")
        fleet.want(g1="kvm2")
        self.assertEqual(self.blocked("g1")["code"], "unsafe")
        result = self.apply()
        self.assert_exit(result, BLOCKED)
        self.assertIn("g1", self.text(result))
        self.assertEqual(fleet.listed("kvm1", "--all", "--with-managed-save"), ["g1"])
        self.assert_defined_only_on("g1", "kvm1")

    def test_an_image_of_its_memory_from_an_earlier_life_is_never_restored(self):
        fleet.guest("g1", "kvm1")
        uuid = fleet.uuid("g1", "kvm1")
        fleet.lab("save", "g1", "kvm1")
        image = fleet.dir / "kvm2/var/qemu/save/g1.save"
        image.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(fleet.dir / "kvm1/var/qemu/save/g1.save", image)
        self.addCleanup(image.unlink, missing_ok=True)
        fleet.virsh("kvm1", "start", "g1")
        # Without SSH nobody sees it before libvirt would restore it.
        fleet.want({"migrate.mode": "offline"}, g1="kvm2")
        conf = fleet.work / "berth.conf"
        conf.write_text(re.sub(r"(?m)^ssh = .*\n", "", conf.read_text()))
        result = self.apply()
        self.assert_exit(result, FAILED)
        self.assertIn("remove /var/lib/libvirt/qemu/save/g1.save", self.text(result))
        self.assertEqual(fleet.processes("g1"), [])
        image.unlink()
        self.apply()  # Its first move ends where it began, which counts as failed.
        self.assert_runs_once("g1", "kvm2")
        self.assert_defined_only_on("g1", "kvm2")
        self.assertEqual(fleet.uuid("g1", "kvm2"), uuid)
        await_true("it has booted anew", lambda: fleet.boots("g1") > 1)

    def test_a_transient_guest_does_not_move_offline(self):
        fleet.guest("g1", "kvm1", transient=True)
        fleet.want({"migrate.mode": "offline"}, g1="kvm2")
        self.assert_exit(self.apply(), FAILED, BLOCKED)
        self.assert_runs_once("g1", "kvm1")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_guest_that_ignores_the_power_button_is_not_killed(self):
        fleet.guest("g1", "kvm1", kind="deaf")
        fleet.want({"migrate.mode": "offline", "migrate.stop_timeout": "3s"}, g1="kvm2")
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertIn("g1", self.text(result))
        self.assert_runs_once("g1", "kvm1")
        self.assert_alive("g1")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_another_disk_behind_the_same_path_is_refused(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("wrongdisk", "kvm2", "v1")
        process = fleet.pid("g1")
        for mode in ("auto", "offline"):
            with self.subTest(mode):
                fleet.want({"migrate.mode": mode}, g1="kvm2")
                result = self.apply()
                self.assert_exit(result, FAILED, BLOCKED)
                self.assertRegex(self.text(result), "vda|/dev/exc/v1")
                self.assert_runs_once("g1", "kvm1")
                self.assertEqual(fleet.pid("g1"), process)
        self.assert_alive("g1")

    def test_a_disk_that_the_target_lacks_is_refused(self):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        process = fleet.pid("g1")
        fleet.want(g1="kvm2")
        result = self.apply()
        self.assert_exit(result, FAILED, BLOCKED)
        self.assertRegex(self.text(result), "vda|/dev/exc/v1")
        self.assertEqual(fleet.processes("g1"), [("kvm1", process)])

    def test_an_invalid_file_moves_nothing(self):
        fleet.guest("g1", "kvm1")
        fleet.want(g1="kvm2")
        text = (fleet.work / "es.xml").read_text()
        for broken in (
            text[: len(text) // 2],
            text.replace('<machine id="g1_id"/>', '<machine id="g9_id"/>'),
            text.replace("96MB", "96 furlongs"),
            "",
        ):
            (fleet.work / "es.xml").write_text(broken)
            result = self.apply()
            self.assert_exit(result, INVALID)
            self.assertRegex(result.stderr, r"es\.xml:\d+: ")
        self.assert_runs_once("g1", "kvm1")

    def test_a_second_controller_is_refused_with_the_pid_of_the_first(self):
        fleet.guest("g1", "kvm1", kind="busy", memory=192)
        fleet.disturb("rate", "kvm1", "50")
        fleet.want(g1="kvm2")
        first = fleet.start_berth("apply", "--yes")
        await_true(
            "the migration is under way",
            lambda: "Outgoing" in fleet.virsh("kvm1", "domjobinfo", "g1"),
        )
        second = self.apply()
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(first.pid), second.stderr)
        fleet.disturb("rate", "kvm1", "0")
        self.assert_exit(fleet.finish(first), DONE)
        self.assert_runs_once("g1", "kvm2")


class Faults(BerthTest):
    def test_a_crashed_host_is_named_and_the_others_go_on(self):
        self.unreachable("crash")

    def test_a_frozen_host_is_named_and_the_others_go_on(self):
        self.unreachable("freeze")
        self.assertEqual([h for h, _ in fleet.processes("there")], ["kvm3"])

    def unreachable(self, fault):
        fleet.guest("g1", "kvm1")
        fleet.guest("there", "kvm3")
        fleet.guest("stuck", "kvm2")
        fleet.want(g1="kvm2", there="kvm1", stuck="kvm3")
        fleet.disturb(fault, "kvm3")
        result = self.apply()
        self.assert_exit(result, BLOCKED)
        self.assertIn("kvm3", self.text(result))
        self.assertEqual([h for h, _ in fleet.processes("g1")], ["kvm2"])
        self.assertEqual([h for h, _ in fleet.processes("stuck")], ["kvm2"])

    def test_a_migration_of_somebody_else_is_left_alone_and_reported(self):
        fleet.guest("g1", "kvm1", kind="busy", memory=192)
        fleet.disturb("rate", "kvm1", "50")
        other = fleet.start_process(
            "virsh",
            "-q",
            "-c",
            fleet.uri("kvm1"),
            "migrate",
            "--live",
            "--p2p",
            "--persistent",
            "--undefinesource",
            "g1",
            fleet.uri("kvm2"),
        )
        await_true(
            "the migration is under way",
            lambda: "Outgoing" in fleet.virsh("kvm1", "domjobinfo", "g1"),
        )
        fleet.want(g1="kvm3")
        result = self.apply()
        self.assert_exit(result, BLOCKED)
        self.assertIn("g1", self.text(result))
        self.assertIsNone(other.poll(), "the other migration was ended")
        fleet.disturb("rate", "kvm1", "0")
        self.assert_exit(fleet.finish(other), 0)
        self.assert_runs_once("g1", "kvm2")
        self.assert_exit(self.apply(), DONE)
        self.assert_runs_once("g1", "kvm3")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_a_killed_controllers_live_migration_is_adopted(self):
        fleet.guest("g1", "kvm1", kind="busy", memory=192)
        fleet.disturb("rate", "kvm1", "50")
        fleet.want(g1="kvm2")
        first = fleet.start_berth("apply", "--yes")
        await_true(
            "the migration is under way",
            lambda: "Outgoing" in fleet.virsh("kvm1", "domjobinfo", "g1"),
        )
        fleet.kill(first)
        second = fleet.start_berth("apply", "--yes")
        self.assertIn("Outgoing", fleet.virsh("kvm1", "domjobinfo", "g1"))
        fleet.disturb("rate", "kvm1", "0")
        self.assert_exit(fleet.finish(second), DONE)
        self.assert_runs_once("g1", "kvm2")
        self.assertEqual(fleet.boots("g1"), 1)


class Transports(BerthTest):
    """The ways to a host's libvirt that the README names."""

    def test_a_guest_moves_through_the_ssh_program(self):
        # The program has a configuration of its own; here it must not look for one.
        uri = f"qemu+ssh://root@%h/system?keyfile={fleet.dir}/id&no_tty=1&no_verify=1"
        fleet.guest("g1", "kvm1")
        fleet.want({"fleet.uri": uri, "fleet.peer_uri": "qemu+tcp://%h/system"}, g1="kvm2")
        self.assert_exit(self.apply(), DONE)
        self.assert_runs_once("g1", "kvm2")

    def test_a_host_describes_itself_through_its_socket(self):
        fleet.guest("g1", "kvm1")
        text = fleet.lab("on", "kvm1", berth_path(), "discover", "qemu:///system")
        self.assertIn("<hostName>kvm1</hostName>", text)
        self.assertIn("<hostName>g1</hostName>", text)


class CrashAtEveryCommit(BerthTest):
    """SIGKILL right before and right after each commit; a second run must converge."""

    def crashes(self, mode, when):
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1", autostart=True)
        fleet.lab("attach", "kvm2", "v1")
        uuid = fleet.uuid("g1", "kvm1")
        at, to = "kvm1", "kvm2"
        for number in range(1, 100):
            fleet.want({"migrate.mode": mode}, g1=to)
            crashed = fleet.berth(
                "apply",
                "--yes",
                env={
                    "LD_PRELOAD": os.environ["BERTH_CRASH_SHIM"],
                    "BERTH_CRASH_COMMIT": str(number),
                    "BERTH_CRASH_WHEN": when,
                },
            )
            if crashed.returncode != -signal.SIGKILL:
                break
            with self.subTest(f"{when} commit {number} of a move from {at} to {to}"):
                self.assertLessEqual(len(fleet.processes("g1")), 2)
                self.assert_exit(self.apply(), DONE)
                self.assert_runs_once("g1", to)
                self.assert_defined_only_on("g1", to)
                self.assert_alive("g1")
                self.assertEqual(fleet.uuid("g1", to), uuid)
                self.assertEqual(fleet.listed(to, "--all", "--autostart"), ["g1"])
            at, to = to, at
        self.assert_exit(crashed, DONE)
        self.assertGreater(
            number, 3, "fewer commits than an intent, its operation and its outcome need"
        )
        self.assert_runs_once("g1", to)
        self.assert_settled()

    def test_before_every_commit_of_a_live_move(self):
        self.crashes("live", "before")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_after_every_commit_of_a_live_move(self):
        self.crashes("live", "after")
        self.assertEqual(fleet.boots("g1"), 1)

    def test_before_every_commit_of_an_offline_move(self):
        self.crashes("offline", "before")

    def test_after_every_commit_of_an_offline_move(self):
        self.crashes("offline", "after")


if __name__ == "__main__":
    unittest.main(verbosity=2)
