#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berth-guard on a host below a folder: libvirt's autostart links are taken out of its sight at boot and
given back, and none is lost, wherever the program is killed.  $BERTH_GUARD is the program, $KILL_AT_CALL
what kills it at its N-th change of a file."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import uuid

from world import FAILED, INVALID, OK, run

GUARD = os.environ["BERTH_GUARD"]
KILLER = os.environ["KILL_AT_CALL"]
KILLED = 137
# A kill is looked for at each call; a run that needs more calls than this has gone astray.
CALLS_MAX = 500
# Hundreds of hosts are made: where waiting for the disk costs nothing, if there is such a place.
FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# Stands in for virsh: what it was asked is a line of 'asked', a guest's state is a file.
VIRSH = """#!/bin/sh
folder={folder}
[ "$*" = "-q -c qemu:///system $4 --domain $6" ] || exit 9
echo "$4 $6" >>"$folder/asked"
[ ! -e "$folder/broken-$4" ] || {{ echo "error: no $4 today"; echo "error: sorry"; exit 1; }} >&2
case $4 in
    domstate) cat "$folder/state-$6" 2>/dev/null || echo 'shut off' ;;
    start) echo running >"$folder/state-$6" ;;
esac
"""


class Host:
    """A host's files; guests named in 'autostart' start by themselves."""

    def __init__(self, folder, new=True):
        self.root = pathlib.Path(folder)
        self.definitions = self.root / "etc/libvirt/qemu"
        self.links = self.definitions / "autostart"
        self.store = self.root / "var/lib/berth-guard"
        self.held = self.store / "held"
        self.conf = self.root / "etc/berth/guard.conf"
        self.virsh = self.root / "virsh"
        if new:
            self.make()

    def make(self):
        for path in (self.links, self.conf.parent, self.root / "var/lib", self.root / "run"):
            path.mkdir(parents=True)
        self.virsh.write_text(VIRSH.format(folder=self.root))
        self.virsh.chmod(0o755)
        self.boot()

    def copy(self):
        """Beside it, and gone with it."""
        folder = self.root / "copy"
        ignore = shutil.ignore_patterns("copy")
        return Host(shutil.copytree(self.root, folder, symlinks=True, ignore=ignore), new=False)

    def boot(self):
        path = self.root / "proc/sys/kernel/random/boot_id"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{uuid.uuid4()}\n")
        shutil.rmtree(self.root / "run")
        (self.root / "run").mkdir()

    def start_libvirt(self):
        """Returns whom it starts."""
        path = self.root / "run/libvirt/qemu/autostarted"
        first = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return self.linked() if first else []

    def define(self, *guests, autostart=True):
        for guest in guests:
            (self.definitions / f"{guest}.xml").write_text("<domain/>")
            if autostart:
                (self.links / f"{guest}.xml").symlink_to(f"/etc/libvirt/qemu/{guest}.xml")

    def undefine(self, guest):
        (self.definitions / f"{guest}.xml").unlink()

    @staticmethod
    def names(folder):
        return sorted(p.name[:-4] for p in folder.glob("*.xml")) if folder.exists() else []

    def linked(self):
        return self.names(self.links)

    def kept(self):
        return self.names(self.held)

    def command(self, *args):
        return [GUARD, *args, "--root", self.root]

    def guard(self, *args, **options):
        return run(self.command(*args), **options)

    def with_virsh(self, *args):
        return self.guard(*args, "--virsh", self.virsh)

    def asked(self):
        path = self.root / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def record(self):
        """What is written down of this boot."""
        path = self.store / "boot"
        boot, state = path.read_text().split() if path.exists() else ("", "")
        return state if boot == self.boot_id() else ""

    def boot_id(self):
        return (self.root / "proc/sys/kernel/random/boot_id").read_text().strip()

    def status(self):
        return json.loads(self.guard("status", "--json").stdout)


class GuardTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="berth-guard-", dir=FOLDER)
        self.addCleanup(shutil.rmtree, folder)
        self.host = Host(folder)

    def assert_did(self, result, *guests, status=OK):
        """It ended so, and named these guests."""
        self.assertEqual((result.returncode, result.stdout.split()), (status, list(guests)),
                         result.stdout + result.stderr)

    def assert_silent(self, result, *guests):
        self.assert_did(result, *guests)
        self.assertEqual(result.stderr, "")

    def hold(self, *guests):
        self.host.define(*guests)
        self.assert_silent(self.host.guard("hold"), *guests)


class Hold(GuardTest):
    def test_libvirt_starts_nobody_after_a_hold(self):
        self.hold("g1", "g2")
        self.assertEqual((self.host.kept(), self.host.start_libvirt()), (["g1", "g2"], []))
        self.assertEqual(self.host.status()["state"], "held")

    def test_a_link_keeps_its_target(self):
        self.hold("g1")
        self.assertEqual(os.readlink(self.host.held / "g1.xml"), "/etc/libvirt/qemu/g1.xml")
        self.host.guard("release")
        self.assertEqual(os.readlink(self.host.links / "g1.xml"), "/etc/libvirt/qemu/g1.xml")

    def test_a_host_without_guests_is_held_too(self):
        self.host.links.rmdir()
        self.assert_silent(self.host.guard("hold"))
        self.assertEqual(self.host.status()["state"], "held")

    def test_a_second_hold_of_a_boot_takes_no_more(self):
        self.hold("g1")
        self.host.start_libvirt()
        self.host.define("g2")
        self.assert_did(self.host.guard("hold"))
        self.assertEqual((self.host.kept(), self.host.linked()), (["g1"], ["g2"]))

    def test_the_next_boot_is_held_again_with_what_the_last_one_left(self):
        self.hold("g1")
        self.host.start_libvirt()
        self.host.define("g2")
        self.host.boot()
        self.assert_silent(self.host.guard("hold"), "g2")
        self.assertEqual((self.host.kept(), self.host.start_libvirt()), (["g1", "g2"], []))

    def test_a_link_that_is_in_both_places_becomes_one(self):
        self.hold("g1")
        self.host.boot()
        (self.host.links / "g1.xml").symlink_to("elsewhere.xml")
        self.assert_silent(self.host.guard("hold"), "g1")
        self.assertEqual((self.host.kept(), self.host.linked()), (["g1"], []))
        self.assertEqual(os.readlink(self.host.held / "g1.xml"), "elsewhere.xml")

    def test_nothing_is_held_after_a_release_of_the_boot(self):
        self.assert_silent(self.host.guard("release"))
        self.host.define("g1")
        self.assert_did(self.host.guard("hold"))
        self.assertEqual(self.host.start_libvirt(), ["g1"])

    def test_what_is_no_link_to_a_guest_is_left_alone_and_told(self):
        for name in ("README", ".xml", "g2.xml.once"):
            (self.host.links / name).symlink_to("x")
        (self.host.links / "plain.xml").write_text("<domain/>")
        self.host.define("g1")
        result = self.host.guard("hold")
        self.assert_did(result, "g1")
        self.assertEqual(re.findall(r"/autostart/([\w.]+)' is no link", result.stderr),
                         [".xml", "README", "g2.xml.once", "plain.xml"])
        self.assertEqual(len(list(self.host.links.iterdir())), 4)

    def test_names_of_any_shape_are_held(self):
        names = ["a b", "-x", "$(touch x)", "äö", "..", "a'b\"c", "tab\tinside", "x" * 200]
        self.host.define(*names)
        self.assertEqual(self.host.guard("hold").returncode, OK)
        self.assertEqual((self.host.linked(), self.host.kept()), ([], sorted(names)))
        self.assertEqual(sorted(self.host.status()["held"]), sorted(names))
        self.assertEqual(self.host.guard("release").returncode, OK)
        self.assertEqual((self.host.linked(), self.host.kept()), (sorted(names), []))

    def test_libvirt_that_was_there_first_is_told_and_nothing_is_touched(self):
        self.host.define("g1")
        self.host.start_libvirt()
        result = self.host.guard("hold")
        self.assert_did(result)
        self.assertIn("libvirt has started its guests already", result.stderr)
        self.assertEqual((self.host.linked(), self.host.status()["state"]), (["g1"], "late"))
        self.host.boot()
        self.assert_silent(self.host.guard("hold"), "g1")
        self.assertEqual(self.host.status()["state"], "held")

    def test_what_cannot_be_kept_is_not_taken_and_the_boot_does_not_count(self):
        self.host.define("g1", "g2")
        self.host.held.mkdir(parents=True)
        (self.host.held / "g1.xml").mkdir()  # A link cannot take its place.
        self.assert_did(self.host.guard("hold"), "g2", status=FAILED)
        self.assertEqual((self.host.linked(), self.host.status()["state"]), (["g1"], "partly"))
        (self.host.held / "g1.xml").rmdir()
        self.assert_silent(self.host.guard("hold"), "g1")
        self.assertEqual(self.host.status()["state"], "held")

    def test_without_a_boot_id_nothing_is_done(self):
        self.host.define("g1")
        (self.host.root / "proc/sys/kernel/random/boot_id").write_text("today")
        result = self.host.guard("hold")
        self.assert_did(result, status=FAILED)
        self.assertIn("berth-guard: cannot tell which boot this is", result.stderr)
        self.assertEqual(self.host.linked(), ["g1"])

    def test_a_record_that_is_not_ours_counts_as_none(self):
        self.hold("g1")
        for record in (b"", b"\0" * 300, b"held", b"nobody held\n", b"x" * 100000):
            with self.subTest(record[:20]):
                (self.host.store / "boot").write_bytes(record)
                self.assertEqual(self.host.status()["state"], "missed")


class Exempt(GuardTest):
    def test_exempt_guests_start_by_themselves(self):
        self.host.conf.write_text("# who we need to come up\nexempt = dns1  infra-*\n\nexempt=x?\n")
        self.host.define("dns1", "g1", "infra-a", "x1", "x12")
        self.assert_silent(self.host.guard("hold"), "g1", "x12")
        self.assertEqual(self.host.start_libvirt(), ["dns1", "infra-a", "x1"])

    def test_status_says_who_is_exempt(self):
        self.host.conf.write_text("exempt = dns1 infra-*\n")
        self.host.guard("hold")
        self.assertEqual(self.host.status()["exempt"], ["dns1", "infra-*"])
        self.host.conf.write_text("exempt = dns1\nelse\n")
        result = self.host.guard("status", "--json")
        self.assertEqual((result.returncode, json.loads(result.stdout)["exempt"]), (INVALID, []))

    def test_who_became_exempt_while_held_is_given_back(self):
        self.hold("g1", "g2")
        self.host.conf.write_text("exempt = g1\n")
        self.host.boot()
        self.assert_silent(self.host.guard("hold"))
        self.assertEqual((self.host.kept(), self.host.start_libvirt()), (["g2"], ["g1"]))

    def test_a_fault_of_the_file_exempts_nobody(self):
        self.host.define("g1")
        for text in ("exempt = g1\nexcept = g2\n", "g1\n", "exempt = g1\n\0", "exempt = " + "g " * 2000):
            with self.subTest(text[:30]):
                self.host.conf.write_text(text)
                self.host.boot()
                result = self.host.guard("hold")
                self.assertEqual((result.returncode, self.host.linked()), (INVALID, []))
                self.assertRegex(result.stderr, r"guard.conf:\d+: .*every guest is held back")
                self.host.guard("release")


class Release(GuardTest):
    def test_every_guest_is_given_back_and_named(self):
        self.hold("g1", "g2")
        self.host.start_libvirt()
        self.assert_silent(self.host.guard("release"), "g1", "g2")
        self.assertEqual((self.host.linked(), self.host.kept()), (["g1", "g2"], []))
        self.assertEqual(self.host.status()["state"], "released")

    def test_a_second_release_names_nobody(self):
        self.hold("g1")
        self.host.guard("release")
        self.assert_silent(self.host.guard("release"))

    def test_a_released_host_is_held_at_its_next_boot(self):
        self.hold("g1")
        self.host.guard("release")
        self.host.boot()
        self.assertEqual(self.host.status()["state"], "missed")
        self.assert_silent(self.host.guard("hold"), "g1")
        self.assertEqual(self.host.start_libvirt(), [])

    def test_guests_by_name_leave_the_others_held(self):
        self.hold("g1", "g2")
        self.assert_silent(self.host.guard("release", "g2"), "g2")
        self.assertEqual((self.host.linked(), self.host.kept()), (["g2"], ["g1"]))
        self.assertEqual(self.host.status()["state"], "held")
        self.assert_did(self.host.guard("hold"))
        self.assertEqual(self.host.linked(), ["g2"])

    def test_a_name_that_is_not_held_is_told(self):
        self.hold("g1")
        result = self.host.guard("release", "g2", "../boot")
        self.assert_did(result)
        self.assertEqual(result.stderr.count("is not held back: nothing to do"), 2)
        self.assertEqual(self.host.kept(), ["g1"])

    def test_a_guest_that_is_defined_no_more_gets_no_link(self):
        self.hold("g1", "g2")
        self.host.undefine("g1")
        result = self.host.guard("release")
        self.assert_did(result, "g2")
        self.assertIn("guest 'g1' is not defined here any more", result.stderr)
        self.assertEqual((self.host.linked(), self.host.kept()), (["g2"], []))

    def test_no_link_is_forgotten_while_the_definitions_cannot_be_seen(self):
        self.hold("g1")
        self.host.definitions.rename(self.host.root / "aside")
        self.host.guard("release")
        self.assertEqual(self.host.linked(), ["g1"])

    def test_releasing_a_boot_that_was_not_held_does_not_make_it_look_so(self):
        self.host.start_libvirt()
        self.assert_silent(self.host.guard("release"))
        self.assertEqual(self.host.status()["state"], "missed")
        self.host.guard("hold")
        self.assert_silent(self.host.guard("release"))
        self.assertEqual(self.host.status()["state"], "late")


class Libvirt(GuardTest):
    """--virsh: libvirt on the host is told."""

    def setUp(self):
        super().setUp()
        self.hold("g1", "g2")
        self.host.start_libvirt()

    def break_virsh(self, command):
        (self.host.root / f"broken-{command}").touch()

    def test_libvirt_is_told_of_the_autostart(self):
        self.assert_silent(self.host.with_virsh("release"), "g1", "g2")
        self.assertEqual(self.host.asked(), ["autostart g1", "autostart g2"])
        self.assertEqual(self.host.linked(), ["g1", "g2"])

    def test_libvirt_that_cannot_be_told_finds_the_link_later(self):
        self.break_virsh("autostart")
        result = self.host.with_virsh("release", "g1")
        self.assert_did(result, "g1")
        self.assertIn("failed: error: no autostart today error: sorry: libvirt takes note when it starts",
                      result.stderr)
        self.assertEqual(self.host.linked(), ["g1"])

    def test_a_virsh_that_is_not_there_is_as_one_that_fails(self):
        result = self.host.guard("release", "g1", "--virsh", "/nonexistent/virsh")
        self.assert_did(result, "g1")
        self.assertIn("cannot run '/nonexistent/virsh'", result.stderr)

    def test_start_starts_those_that_are_off(self):
        (self.host.root / "state-g2").write_text("running\n")
        self.assert_silent(self.host.with_virsh("release", "--start"), "g1", "g2")
        self.assertEqual([a for a in self.host.asked() if a.startswith("start")], ["start g1"])
        self.assertEqual(self.host.status()["state"], "released")

    def test_a_guest_that_cannot_be_started_stays_held_and_is_tried_again(self):
        self.break_virsh("start")
        result = self.host.with_virsh("release", "--start")
        self.assert_did(result, status=FAILED)
        self.assertIn("no start today", result.stderr)
        self.assertEqual((self.host.kept(), self.host.status()["state"]), (["g1", "g2"], "held"))
        (self.host.root / "broken-start").unlink()
        self.assert_silent(self.host.with_virsh("release", "--start"), "g1", "g2")

    def test_nobody_can_be_started_below_another_root(self):
        result = self.host.guard("release", "--start")
        self.assert_did(result, status=INVALID)
        self.assertEqual(self.host.kept(), ["g1", "g2"])


class Killed(GuardTest):
    """At every change of a file, one after the other, on a host made anew each time."""

    def run_killed(self, number, *args):
        return run([KILLER, number, *self.host.command(*args)],
                   env={"ASAN_OPTIONS": "detect_leaks=0"})  # Which does not work while it is traced.

    def each_kill(self, prepare, *args):
        """Yields after a kill at each call, until the run comes to its end."""
        for number in range(1, CALLS_MAX):
            with tempfile.TemporaryDirectory(prefix="berth-guard-", dir=FOLDER) as folder:
                self.host = Host(folder)
                prepare()
                result = self.run_killed(number, *args)
                with self.subTest(call=number):
                    self.assertIn(result.returncode, (OK, KILLED), result.stderr)
                    yield number
            if result.returncode == OK:
                self.assertGreater(number, 10)  # It was killed indeed.
                return
        self.fail("it never came to its end")

    def everywhere(self):
        return sorted({*self.host.linked(), *self.host.kept()})

    def test_a_hold_that_is_killed_loses_no_link_and_whatever_comes_next_completes_it(self):
        for _ in self.each_kill(lambda: self.host.define("g1", "g2"), "hold"):
            self.assertEqual(self.everywhere(), ["g1", "g2"])
            if self.host.record() == "held":  # Said of nothing less than all.
                self.assertEqual(self.host.linked(), [])
            other = self.host.copy()
            self.assertEqual(self.host.guard("hold").returncode, OK)
            self.assertEqual((self.host.kept(), self.host.start_libvirt()), (["g1", "g2"], []))
            other.start_libvirt()
            self.assertEqual(other.guard("release").returncode, OK)
            self.assertEqual((other.linked(), other.kept()), (["g1", "g2"], []))

    def test_a_release_that_is_killed_loses_no_link_and_whatever_comes_next_completes_it(self):
        def prepare():
            self.host.define("g1", "g2")
            self.host.guard("hold")
            self.host.start_libvirt()

        for _ in self.each_kill(prepare, "release"):
            self.assertEqual(self.everywhere(), ["g1", "g2"])
            if self.host.record() == "released":  # Likewise.
                self.assertEqual(self.host.kept(), [])
            other = self.host.copy()
            self.assertEqual(self.host.guard("release").returncode, OK)
            self.assertEqual((self.host.linked(), self.host.kept()), (["g1", "g2"], []))
            self.assertEqual(self.host.record(), "released")
            other.boot()  # It went down within the release.
            self.assertEqual(other.guard("hold").returncode, OK)
            self.assertEqual((other.kept(), other.start_libvirt()), (["g1", "g2"], []))

    def test_a_killed_start_is_made_up_for(self):
        def prepare():
            self.host.define("g1", "g2")
            self.host.guard("hold")

        args = ("release", "--start", "--virsh", self.host.virsh)
        for _ in self.each_kill(prepare, *args):
            self.assertEqual(self.host.guard(*args).returncode, OK)
            self.assertEqual(self.host.linked(), ["g1", "g2"])


class Words(GuardTest):
    def test_status_names_who_is_held(self):
        self.hold("g1", "g2")
        result = self.host.guard("status")
        self.assertEqual((result.returncode, result.stdout),
                         (OK, "this boot was held back\nheld back: g1\nheld back: g2\n"))
        self.assertEqual(self.host.status(), {
            "format": "berth.guard/1", "state": "held", "held": ["g1", "g2"], "exempt": [], "strange": [],
            "boot": self.host.boot_id()})

    def test_status_fails_where_the_boot_was_not_held(self):
        for prepare, words in ((lambda: None, "'systemctl enable berth-guard' does"),
                               (self.host.start_libvirt, "'systemctl enable berth-guard' does"),
                               (lambda: self.host.guard("hold"), "libvirt was there first")):
            prepare()
            result = self.host.guard("status")
            self.assertEqual(result.returncode, FAILED)
            self.assertIn(words, result.stdout)

    def test_status_changes_nothing(self):
        self.host.guard("status")
        self.assertFalse(self.host.store.exists())

    def test_bad_usage_is_told(self):
        for args, words in (((), "a verb is missing"), (("hlod",), "'hlod': no such verb"),
                            (("hold", "g1"), "hold: too many arguments"), (("status", "--jason"), "--jason")):
            result = self.host.guard(*args)
            self.assertEqual((result.returncode, result.stdout), (INVALID, ""))
            self.assertRegex(result.stderr, f"{words}.*\nhint: try 'berth-guard --help'\n$")

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        self.host.define("g1")
        with open("/dev/full", "w") as full:
            result = run(self.host.command("hold"), stdout=full)
        self.assertEqual((result.returncode, self.host.kept()), (FAILED, ["g1"]))
        self.assertIn("cannot write the result", result.stderr)

    def test_it_needs_nothing_but_the_c_library(self):
        libraries = run([GUARD], env={"LD_TRACE_LOADED_OBJECTS": "1"}).stdout
        foreign = re.findall(r"^\s*(lib(?!c\.|m\.|gcc|[a-z]*san|dl|rt|pthread|resolv|stdc)\w+)", libraries, re.M)
        self.assertEqual(foreign, [])

    def test_two_at_once_take_turns(self):
        self.host.define(*(f"g{i}" for i in range(20)))
        both = [subprocess.Popen(list(map(str, self.host.command("hold"))), stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL) for _ in range(2)]
        said = sorted(sum((p.communicate()[0].split() for p in both), []))
        self.assertEqual([p.returncode for p in both], [OK, OK])
        self.assertEqual(len(said), 20)
        self.assertEqual((len(self.host.kept()), self.host.linked()), (20, []))


if __name__ == "__main__":
    unittest.main()
