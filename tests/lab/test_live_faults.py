#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What happens to live moves: whatever breaks, and whoever says stop, in the end the guest runs exactly once
and a person was told what to do.  The fleet, not berth, is asked where the guests are.

  stop: while the target gets ready             Stop.test_while_the_target_gets_ready_by_the_api
  stop: while memory is copied                  Stop.test_while_memory_is_copied_by_a_signal
                                                Stop.test_while_memory_is_copied_from_another_terminal
  stop: at the switchover                       Stop.test_between_the_hosts_either_side_is_the_end
  stop: after post-copy began                   Stop.test_after_post_copy_has_begun_it_is_refused
                                                Stop.test_at_the_beginning_of_post_copy_a_signal_is_answered
  stop: at the deadline                         test_live.py, and below
  held until released, across a restart         Stop, test_berthd.Orders
  libvirtd killed, of the source, of the target Break.test_programs_that_die
  target runs out of memory                     Break.test_programs_that_die (its QEMU killed, as the kernel
                                                does it), Break.test_short_faults (its QEMU gets no memory)
  cable out for 5 s                             Break.test_short_faults
  cable out for ever, target host crashed       Break.test_long_faults
  target's libvirtd frozen before the start     Break.test_long_faults
  source's libvirtd frozen mid-copy             Break.test_short_faults
  controller killed                             test_berth_moves.CrashAtEveryCommit, test_settle_rows.py;
                                                here: Restart
  CPU, machine type, disk cache, name           Refuse.test_what_the_target_cannot_run_stays
  another disk, missing volume                  test_berth_moves.Refusals
  missing bridge, and everything that is only
  asked for by 'plan --checks'                  test_checks.py
  writes and pings                              Load
"""

import contextlib
import json
import os
import re
import signal
import sqlite3
import time
import unittest

from berthd import Daemon, berthd_path
from fleet import Fleet, FleetTest, await_true, berth_path

DONE, FAILED, BLOCKED, CANCELLED = 0, 1, 4, 5
SLOW_MBIT = "20"  # A small guest takes half a minute over it.
PAIRS = (("kvm1", "kvm2"), ("kvm3", "kvm4"), ("kvm5", "kvm6"))

# Asked by libvirt on the target of a migration before anything is copied: as long as the file is there the
# migration does not get beyond its setup.
GATE = """#!/bin/sh
while [ "$2" = migrate ] && [ -e "/run/closed-$1" ]; do sleep 0.1; done
"""

fleet = Fleet(hosts=6)


def setUpModule():
    berth_path()
    berthd_path()
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet
    for _, target in PAIRS:
        put(target, "/etc/libvirt/hooks/qemu", GATE)
        restart_libvirtd(target)  # Hooks are looked for when it starts.


def on(host, script):
    return fleet.lab("on", host, "sh", "-c", script)


def put(host, path, text):
    """A file on that host alone."""
    on(host, f"mkdir -p $(dirname {path}) && cat >{path} <<'END'\n{text}END\nchmod 755 {path}")


def kill_libvirtd(host):
    """What started it starts it again."""
    on(host, "kill -KILL $(cat /run/libvirt/libvirtd.pid)")


def restart_libvirtd(host):
    fleet.lab("stop", host)
    fleet.lab("start", host)


def limit_memory(host, limit):
    """Of libvirtd and so of every QEMU that it starts."""
    on(host, f"prlimit --pid $(cat /run/libvirt/libvirtd.pid) --data={limit}:")


def state(host, guest):
    return fleet.virsh(host, "domstate", "--reason", guest).strip()


class Move:
    """A guest that belongs on another host, and a berth of its own that knows those two hosts only."""

    def __init__(self, guest="g1", hosts=PAIRS[0], settings=None, **options):
        self.guest = guest
        self.source, self.target = hosts
        self.dir = fleet.work / guest
        self.dir.mkdir()
        self.process = None
        fleet.guest(guest, self.source, **options)
        fleet.lab("es", self.dir / "es.xml", f"{guest}={self.target}")
        others = "|".join(h for h in fleet.hosts if h not in hosts)
        text = (self.dir / "es.xml").read_text()
        text = re.sub(rf' *<machine id="(?:{others})_id">.*?\n    </machine>\n', "", text, flags=re.S)
        text = re.sub(rf'\n.*<esRackItem id="(?:{others})_id">.*', "", text)
        (self.dir / "es.xml").write_text(text)
        sets = [word for key, value in (settings or {}).items() for word in ("--set", f"{key}={value}")]
        fleet.lab("conf", self.dir / "berth.conf", *sets)

    # -- berth -------------------------------------------------------------------------------------

    def start(self, command="apply", *args):
        with open(self.dir / "stderr", "ab") as log:
            return fleet.start_process(berth_path(), command, "-c", self.dir / "berth.conf", *args, log=log)

    def said(self):
        """What berth has said to stderr so far, all runs of it."""
        return (self.dir / "stderr").read_text(errors="replace")

    def lives(self):
        if self.process.poll() is not None:
            raise AssertionError(f"berth has ended\n{self.said()}")
        return True

    def until_said(self, words):
        try:
            await_true(f"berth says '{words}'", lambda: re.search(words, self.said()))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()}") from None

    def begin(self):
        self.process = self.start("apply", "--yes")
        return self

    def begin_copy(self):
        """Until its memory is on its way, which takes a while unless hurry() helps."""
        fleet.disturb("rate", self.source, SLOW_MBIT)
        self.begin()
        await_true(f"'{self.guest}' is being copied", lambda: self.lives() and self.is_copied())
        return self

    def hurry(self):
        fleet.disturb("rate", self.source, "0")

    def end(self):
        return fleet.finish(self.process)

    def run(self, *command):
        return fleet.finish(self.start(*command))

    def history(self):
        return json.loads(self.run("history", "--json").stdout)["moves"]

    # -- the fleet ---------------------------------------------------------------------------------

    def job(self):
        return fleet.virsh(self.source, "domjobinfo", self.guest)

    def is_set_up(self):
        return "Outgoing" in self.job()

    def is_copied(self):
        return re.search(r"Data processed: +[1-9]", self.job())

    def close_gate(self):
        on(self.target, f"touch /run/closed-{self.guest}")

    def open_gate(self):
        on(self.target, f"rm /run/closed-{self.guest}")


class MoveTest(FleetTest):
    def assert_once(self, move, where):
        """It has run all the time, is on that side now and on no other, and is defined there alone."""
        host = {"source": move.source, "target": move.target}[where]
        self.assert_runs_once(move.guest, host)
        self.assert_defined_only_on(move.guest, host)
        self.assert_alive(move.guest)
        self.assertEqual(fleet.boots(move.guest), 1)

    def assert_first(self, move, outcome, words="^$"):
        """How its first attempt ended, by what it tells a person; returns the move of the journal."""
        first = move.history()[0]
        self.assertEqual(first["state"], outcome, first)
        self.assertRegex(first["text"] or "", words)
        return first

    def assert_breaks_off(self, move, words):
        """The first attempt failed with these words; then Berth has tried again by itself."""
        self.assert_exit(move.end(), FAILED)  # One attempt has.
        self.assert_first(move, "failed", words)
        self.assertEqual(move.history()[-1]["state"], "done")
        self.assert_once(move, "target")


class Stop(MoveTest):
    def daemon(self, settings=None):
        """A berthd that is about to move 'g1' slowly."""
        daemon = Daemon(fleet)
        fleet.guest("g1", "kvm1")
        fleet.want(settings, g1="kvm1")
        daemon.start()
        daemon.until_condition("InPlace", "true")
        fleet.disturb("rate", "kvm1", SLOW_MBIT)
        fleet.want(settings, g1="kvm2")
        return daemon

    def copied(self):
        return re.search(r"Data processed: +[1-9]", fleet.virsh("kvm1", "domjobinfo", "g1"))

    def assert_cancelled(self, daemon):
        """Its guest runs where it was, untouched, until it is released."""
        daemon.until_said("move-end", "guest=g1 .*result=cancelled")
        daemon.until("'g1' is held", lambda: [
            (b["guest"], b["code"]) for b in daemon.status()["blocked"]] == [("g1", "held")])
        self.assert_runs_once("g1", "kvm1")
        self.assert_defined_only_on("g1", "kvm1")
        self.assert_alive("g1")
        fleet.disturb("rate", "kvm1", "0")
        self.assert_exit(fleet.berth("release", "g1"), DONE)
        daemon.until("'g1' has moved", lambda: [h for h, _ in fleet.processes("g1")] == ["kvm2"])
        daemon.until("it is at rest", lambda: not daemon.status()["moving"])
        self.assertEqual(daemon.end(), 0)
        self.assertEqual(fleet.boots("g1"), 1)

    def test_while_the_target_gets_ready_by_the_api(self):
        on("kvm2", "touch /run/closed-g1")
        daemon = self.daemon()
        await_true("it is set up", lambda: "Outgoing" in fleet.virsh("kvm1", "domjobinfo", "g1"))
        daemon.act("cancel", guest="g1")
        moving = daemon.status()["moving"]  # Until the migration is seen gone.
        self.assertEqual((moving["guest"], moving["cancel_requested"], moving["phase"]), ("g1", True, "setup"))
        on("kvm2", "rm /run/closed-g1")
        self.assert_cancelled(daemon)

    def test_while_memory_is_copied_from_another_terminal(self):
        daemon = self.daemon()
        await_true("it is being copied", self.copied)
        self.assert_exit(fleet.berth("cancel", "g1"), DONE)
        self.assert_cancelled(daemon)

    def test_while_memory_is_copied_by_a_signal(self):
        move = Move().begin_copy()
        move.process.send_signal(signal.SIGINT)
        self.assert_exit(move.end(), CANCELLED)
        self.assert_first(move, "cancelled", "cancelled; it stays where it was")
        self.assert_once(move, "source")

    def test_between_the_hosts_either_side_is_the_end(self):
        """All is copied, and a target's libvirtd that is frozen does not let it run: it may be too late."""
        move = Move().begin_copy()
        fleet.disturb("freeze", move.target)
        move.hurry()
        await_true("it stands still", lambda: state(move.source, "g1") == "paused (migrating)")
        move.process.send_signal(signal.SIGINT)
        move.until_said("ALARM: g1: 'g1' (is paused between 'kvm1' and 'kvm2' .*see to libvirt on 'kvm2'"
                        "|may be paused: .*, or on 'kvm2' if that is the one that does not answer)")
        fleet.disturb("thaw", move.target)
        self.assert_exit(move.end(), CANCELLED)
        [ended] = move.history()
        self.assertIn(ended["state"], ("done", "cancelled"))
        self.assert_once(move, "target" if ended["state"] == "done" else "source")

    def test_after_post_copy_has_begun_it_is_refused(self):
        daemon = self.daemon({"migrate.postcopy": "yes"})
        await_true("it is being copied", self.copied)
        fleet.virsh("kvm1", "migrate-postcopy", "g1")
        daemon.until("berthd knows", lambda: (daemon.status()["moving"] or {}).get("phase") == "post-copy")
        fleet.berth("cancel", "g1")
        daemon.until_said("alarm", "guest=g1 .*cannot be cancelled any more")
        fleet.disturb("rate", "kvm1", "0")
        daemon.until_said("move-end", "guest=g1 .*result=done")
        self.assertEqual(daemon.end(), 0)
        self.assert_runs_once("g1", "kvm2")
        self.assert_alive("g1")

    def test_at_the_beginning_of_post_copy_a_signal_is_answered(self):
        move = Move(settings={"migrate.postcopy": "yes"}).begin_copy()
        fleet.virsh(move.source, "migrate-postcopy", "g1")
        # Until QEMU has gone over to it, a cancel would still end the move; Berth may not have noticed yet.
        await_true("post-copy", lambda: "post-copy" in state(move.source, "g1"), pause_s=0.01)
        move.process.send_signal(signal.SIGINT)
        move.until_said("ALARM: g1: cannot be cancelled any more")
        move.hurry()
        move.end()
        self.assertTrue(self.assert_first(move, "done")["postcopy"])
        self.assert_once(move, "target")


class Break(MoveTest):
    def test_programs_that_die(self):
        target, source, memory = [Move(f"g{i}", hosts).begin_copy() for i, hosts in enumerate(PAIRS)]
        kill_libvirtd(target.target)
        kill_libvirtd(source.source)
        os.kill(dict(fleet.processes(memory.guest))[memory.target], signal.SIGKILL)
        for move, words in (
            (target, "'kvm1' does not reach libvirt on 'kvm2': see that it runs there"),
            (source, "libvirt on 'kvm3' was lost: see that it runs"),
            (memory, "see /var/log/libvirt/qemu/g2.log on 'kvm6'"),
        ):
            with self.subTest(words):
                move.until_said("cannot migrate")
                self.assertIn(move.source, dict(fleet.processes(move.guest)))
                move.hurry()
                self.assert_breaks_off(move, words)

    def test_short_faults(self):
        cable, frozen = [Move(f"g{i}", hosts).begin_copy() for i, hosts in enumerate(PAIRS[:2])]
        memory = Move("g2", PAIRS[2])
        limit_memory(memory.target, 1000 * 1000 * 1000)
        self.addCleanup(limit_memory, memory.target, "unlimited")
        memory.begin()
        fleet.disturb("cut", cable.target)
        fleet.disturb("freeze", frozen.source)
        frozen.hurry()
        time.sleep(5)  # So long the cable is out.
        fleet.disturb("heal", cable.target)
        cable.hurry()
        frozen.until_said("ALARM: g1: 'g1' may be paused: 'kvm3' has told nothing.*restart libvirt on 'kvm3'")
        self.assertTrue(self.stands_still("g1"))
        self.assertIn(frozen.source, dict(fleet.processes("g1")))
        fleet.disturb("thaw", frozen.source)
        with self.subTest("the cable is out for a moment"):
            self.assert_exit(cable.end(), DONE)
            self.assert_once(cable, "target")
        with self.subTest("the source's libvirtd stands still"):
            self.assert_exit(frozen.end(), DONE, FAILED)  # It may have been given up meanwhile.
            self.assertEqual(frozen.history()[-1]["state"], "done")
            self.assert_once(frozen, "target")
        with self.subTest("the target's QEMU gets no memory"):
            self.assert_exit(memory.end(), FAILED)
            self.assert_first(memory, "failed", "Cannot allocate memory.*: see /var/log/libvirt/qemu/g2.log")
            self.assert_once(memory, "source")

    def stands_still(self, guest):
        before = fleet.beat(guest)
        with contextlib.suppress(AssertionError):
            await_true("", lambda: fleet.beat(guest) > before, patience_s=2)
            return False
        return True

    def test_long_faults(self):
        cable = Move("g0", PAIRS[0], {"migrate.timeout": "25s"}).begin_copy()
        crash = Move("g1", PAIRS[1]).begin_copy()
        frozen = Move("g2", PAIRS[2], {"migrate.timeout": "15s"})
        frozen.close_gate()
        frozen.begin()
        await_true("'g2' is set up", frozen.is_set_up)
        fleet.disturb("cut", cable.target)
        fleet.disturb("crash", crash.target)
        fleet.disturb("freeze", frozen.target)
        frozen.open_gate()
        crash.until_said("cannot migrate")
        self.assertIn("kvm3", dict(fleet.processes("g1")))
        fleet.disturb("boot", crash.target)
        crash.hurry()
        for move, words in ((cable, "within 25 s and was cancelled; it runs on at 'kvm1': "),
                            (frozen, "within 15 s .*runs on at 'kvm5'.*'kvm6' did not get ready: see to libvirt")):
            move.until_said(words)
            self.assert_alive(move.guest)
        fleet.disturb("heal", cable.target)
        cable.hurry()
        fleet.disturb("thaw", frozen.target)
        with self.subTest("the target host has crashed"):
            self.assert_breaks_off(crash, "'kvm3' does not reach libvirt on 'kvm4': see that it runs there")
        with self.subTest("the cable is out for ever"):
            self.assert_breaks_off(cable, "within 25 s")
        with self.subTest("the target's libvirtd stood still from before the start to after the deadline"):
            self.assert_breaks_off(frozen, "within 15 s")


class Refuse(MoveTest):
    def edit_capabilities(self, host, edit):
        """What libvirt there believes that its QEMU can do."""
        folder = fleet.dir / host / "cache/qemu/capabilities"
        kept = {file: file.read_text() for file in folder.glob("*.xml")}

        def replace(texts):
            for file, text in texts.items():
                file.write_text(text)
            restart_libvirtd(host)

        self.addCleanup(replace, kept)
        replace({file: edit(text) for file, text in kept.items()})

    def defined_anew(self, move, edit):
        """The guest is started again by an edited definition."""
        file = move.dir / "guest.xml"
        file.write_text(edit(fleet.virsh(move.source, "dumpxml", "--inactive", move.guest)))
        fleet.virsh(move.source, "define", file)
        fleet.virsh(move.source, "start", move.guest)

    def take_name_meanwhile(self, move):
        """While Berth asks the target about its clock, which is after it has asked about names."""
        other = move.dir / "other.xml"
        text = fleet.virsh(move.source, "dumpxml", "--inactive", move.guest)
        other.write_text(text.replace(fleet.uuid(move.guest, move.source), "11111111-2222-4333-8444-555555555555"))
        on(move.target, "cp /usr/bin/date /run/date")
        put(move.target, "/run/false-date",
            f'#!/bin/sh\nvirsh -q define {other} >/run/defined 2>&1\nexec /run/date "$@"\n')
        on(move.target, "mount --bind /run/false-date /usr/bin/date")
        self.addCleanup(on, move.target, "umount /usr/bin/date")

    def test_what_the_target_cannot_run_stays(self):
        self.edit_capabilities("kvm2", lambda text: re.sub(
            r" *<machine type='tcg' name='pc-q35-7\.2'.*\n", "", text))
        self.edit_capabilities("kvm4", lambda text: re.sub(
            r"(<property name='cx16' type='boolean' value=)'true' migratable='yes'", r"\1'false'", text))
        machine, cpu, name = [Move(f"g{i}", hosts) for i, hosts in enumerate(PAIRS)]
        fleet.lab("volume", "v3")
        fleet.lab("attach", "kvm6", "v3")
        cache = Move("g3", PAIRS[2], off=True, disk="v3")
        self.defined_anew(cache, lambda text: text.replace("cache='none'", "cache='writeback'"))
        self.take_name_meanwhile(name)
        processes = {m: fleet.processes(m.guest) for m in (machine, cpu, cache, name)}
        for move in (machine, cpu, name, cache):
            move.begin()
        for move, status, words in (
            (machine, BLOCKED, "'kvm2' does not have its machine type 'pc-q35-7.2': update QEMU there"),
            (cpu, FAILED, "check 'cpu-model': 'kvm4' cannot be .*cx16: give it a CPU model that both hosts have"),
            (cache, FAILED, "check 'disk-cache': .*'writeback'"),
            (name, FAILED, "the target has got a guest of its name meanwhile.*: rename or remove that one"),
        ):
            with self.subTest(words):
                result = move.end()
                self.assertRegex(result.stdout + move.said(), words)
                self.assert_exit(result, status)
                self.assertEqual(fleet.processes(move.guest), processes[move], "it was touched")


class Restart(MoveTest):
    def test_who_takes_a_move_over_keeps_its_deadline_and_its_rung(self):
        move = Move(kind="busy", memory=192, settings={"migrate.timeout": "30s", "migrate.auto_converge": "no"})
        fleet.disturb("rate", "kvm1", "200")
        move.begin()
        await_true("the limit of the pause was raised", lambda: self.limit_ms() > 300)
        row = "SELECT begun_ms, deadline_ms FROM move"
        [before] = self.journal(move, row)
        fleet.kill(move.process)
        reached = self.limit_ms()
        move.begin()
        move.until_said("left its move from kvm1 to kvm2")
        self.assertGreaterEqual(self.limit_ms(), reached)
        self.assert_exit(move.end(), FAILED)
        self.assertEqual(self.journal(move, row)[0], before)
        first = self.assert_first(move, "failed", "within 30 s and was cancelled; it runs on at 'kvm1'")
        self.assertTrue(first["overran"])
        self.assert_once(move, "source")

    def limit_ms(self):
        return int(fleet.virsh("kvm1", "migrate-getmaxdowntime", "g1"))

    def journal(self, move, sql):
        with contextlib.closing(sqlite3.connect(f"file:{move.dir}/state/journal.db?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()


class Load(MoveTest):
    PINGS, EVERY_S = 200, 0.1

    def test_no_write_is_lost_or_made_twice_and_no_more_pings_than_the_pause_explains(self):
        fleet.lab("volume", "v1")
        fleet.lab("attach", "kvm2", "v1")
        move = Move(kind="writer", disk="v1", ip=110)
        fleet.disturb("rate", "kvm1", "100")
        await_true("it writes", lambda: fleet.beat("g1") > 20)
        ping = fleet.start_process("busybox", "ping", "-q", "-i", str(self.EVERY_S), "-c", str(self.PINGS),
                                   "10.99.0.110")
        self.assert_exit(move.begin().end(), DONE)
        moved_at = fleet.beat("g1")
        out = fleet.finish(ping).stdout
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) packets received", out).groups())
        [done] = move.history()
        self.assertEqual(sent, self.PINGS)
        self.assertGreater(done["downtime_ms"], 0)
        self.assertLessEqual(sent - received, done["downtime_ms"] / 1000 / self.EVERY_S + 2, done)
        self.assertNotIn("duplicates", out)
        await_true("it goes on to write", lambda: fleet.beat("g1") > moved_at + 20)
        self.assert_once(move, "target")
        fleet.virsh("kvm2", "destroy", "g1")
        self.assert_every_write_is_there("v1")

    def assert_every_write_is_there(self, volume):
        """Of the last 4096 numbers that the guest has written each is in its sector, but for the one that it
        was about to write at last."""
        data = (fleet.dir / "store" / f"{volume}.img").read_bytes()
        numbers = [int(data[512 * i : 512 * i + 20].split(b"\0")[0] or 0) for i in range(4097)]
        last = numbers[0]
        self.assertGreater(last, 40)
        wrong = [(n, numbers[1 + n % 4096]) for n in range(max(1, last - 4094), last)
                 if numbers[1 + n % 4096] != n]
        self.assertEqual(wrong, [])
        self.assert_no_disk_conflict("g1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
