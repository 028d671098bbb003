#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berthd: follows the file, keeps the last good one, is the only one that acts, and ends when told to."""

import os
import re
import shutil
import subprocess
import time
import unittest

from daemon import AWAY, HOME, DaemonTest
from world import (BERTHD, FAILED, FOR_EVER_MS, INVALID, OK, PATIENCE_S, await_true, es_xml, run)


class Overruled(DaemonTest):
    def move_slowly_and_change_the_file(self, text):
        self.world.configure(text)
        self.make_moves_slow()
        daemon = self.start_daemon()
        self.world.await_move()
        self.world.want(HOME)
        return daemon

    def test_move_that_the_new_file_does_not_want_is_cancelled_where_that_is_asked_for(self):
        daemon = self.move_slowly_and_change_the_file("[migrate]\noverruled = cancel\n")
        self.await_said("order", "verb=cancel .*name=vm1 .*wants it on 'kvm1'")
        self.await_said("move-end", "result=cancelled")
        self.assertEqual(self.world.places(), HOME)
        self.world.edit_fleet(lambda fleet: fleet["durations"].update(migrate_ms=10))
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)

    def test_move_that_the_new_file_does_not_want_is_finished_first_otherwise(self):
        daemon = self.move_slowly_and_change_the_file("")
        self.finish_move()
        self.await_said("move-end", "result=done")
        self.await_said("move-begin", "to=kvm1")
        self.finish_move()
        self.await_places(HOME)
        self.assertEqual(self.said("order"), 0)
        self.assert_ends(daemon)


class Follows(DaemonTest):
    def test_each_edit_of_the_file_until_it_is_told_to_end(self):
        daemon = self.start_daemon()
        for places in (AWAY, HOME, AWAY):
            self.world.want(places)
            self.await_places(places)
        self.await_said("move-end", "result=done", 3)
        self.assert_ends(daemon)
        for line in self.log().splitlines():
            self.assertRegex(line, "^event=[a-z-]+( |$)")

    def test_a_file_that_is_written_in_place(self):
        daemon = self.start_daemon()
        self.world.es.write_text(es_xml(AWAY))
        self.await_places(AWAY)
        self.assert_ends(daemon)

    def test_a_file_that_was_not_there_at_first(self):
        self.world.es.unlink()
        daemon = self.start_daemon()
        self.await_said("unreadable-file")
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)

    def test_the_last_good_file_is_kept_while_a_save_is_faulty(self):
        both = {"kvm1": [], "kvm2": ["vm1", "vm2"]}
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []}, durations={"migrate_ms": FOR_EVER_MS})
        self.world.want(both)
        daemon = self.start_daemon()
        self.world.await_move()
        lines = es_xml(HOME).splitlines()
        lines.insert(4, '<machine id="nobody_id"/>')
        self.world.replace(self.world.es, "\n".join(lines))
        self.finish_move()
        await_true("the first move is over", lambda: self.said("move-end", "result=done"))
        self.await_said("invalid-file", "line=5 ")
        self.finish_move()
        await_true("both guests have moved",
                   lambda: {h: sorted(g) for h, g in self.world.places().items()} == both)
        self.await_said("move-end", "result=done", 2)
        self.assertEqual(self.said("invalid-file"), 1, self.log())
        self.world.want({"kvm1": ["vm2"], "kvm2": ["vm1"]})
        self.finish_move()
        self.await_places({"kvm1": ["vm2"], "kvm2": ["vm1"]})
        self.assert_ends(daemon)

    def test_a_pipe_in_place_of_the_file_keeps_nobody_waiting(self):
        daemon = self.start_daemon()
        self.world.es.unlink()
        os.mkfifo(self.world.es)
        self.await_said("unreadable-file", "no plain file")
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)

    def test_each_faulty_save_is_told_once_with_file_and_line(self):
        daemon = self.start_daemon()
        for number, text in enumerate(("", "<a>", "\n\n<b>"), start=1):
            self.world.replace(self.world.es, text)
            self.await_said("invalid-file", times=number)
        self.world.want(AWAY)
        self.await_places(AWAY)
        told = re.findall(r"^event=invalid-file file=(\S+) line=(\d+) text=", self.log(), re.M)
        self.assertEqual([file for file, _ in told], [str(self.world.es)] * 3)
        self.assertEqual(told[0][1], "1")
        self.assert_ends(daemon)


class Saves(DaemonTest):
    """Each save is seen, in whatever way a program makes it; the next one, too."""

    def assert_follows(self, *ways):
        daemon = self.start_daemon()
        for number, way in enumerate(ways):
            places = HOME if number % 2 else AWAY
            way(es_xml(places))
            self.await_places(places)
        self.await_said("move-end", "result=done", len(ways))
        self.assertEqual(self.said("polled-file"), 0, self.log())
        self.assert_ends(daemon)

    def shell(self, script, text):
        """With $new, a file that holds 'text', and es.xml in the current directory."""
        new = self.world.folder / "source"
        new.write_text(text)
        subprocess.run(["sh", "-ec", script], cwd=self.world.folder, check=True,
                       env=os.environ | {"new": str(new)})

    def test_as_cp_install_and_mv_make_them(self):
        self.assert_follows(lambda text: self.shell('cp "$new" es.xml', text),
                            lambda text: self.shell('install -m 644 "$new" es.xml', text),
                            lambda text: self.shell('mv "$new" es.xml', text),
                            lambda text: self.shell('rm es.xml; sleep 0.3; cp "$new" es.xml', text))

    def test_as_vim_makes_them(self):
        dance = 'mv es.xml es.xml~; cat "$new" > es.xml; rm es.xml~'
        self.assert_follows(*[lambda text: self.shell(dance, text)] * 3)

    def test_as_sed_makes_them(self):
        swap = "sed -i -e s/kvm1/kvm0/g -e s/kvm2/kvm1/g -e s/kvm0/kvm2/g es.xml"
        self.assert_follows(*[lambda _: self.shell(swap, "")] * 3)

    def test_in_pieces(self):
        def write(text):
            with self.world.es.open("w") as file:
                for at in range(0, len(text), 100):
                    file.write(text[at:at + 100])
                    file.flush()
                    time.sleep(0.05)

        self.assert_follows(write, write)

    def test_by_switching_links_as_a_config_map_does(self):
        folder = self.world.folder

        def switch(text):
            revision = folder / f"..{len(list(folder.iterdir()))}"
            revision.mkdir()
            (revision / "es.xml").write_text(text)
            (folder / "..tmp").symlink_to(revision.name)
            (folder / "..tmp").rename(folder / "..data")

        self.world.es.unlink()
        switch(es_xml(HOME))
        self.world.es.symlink_to("..data/es.xml")
        self.assert_follows(switch, switch, switch)

    def test_in_a_directory_that_is_made_anew(self):
        folder = self.world.folder / "etc"

        def renew(text):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "es.xml").write_text(text)

        renew(es_xml(HOME))
        self.world.es.unlink()
        self.world.es.symlink_to("etc/es.xml")
        self.assert_follows(renew, renew, renew)

    def test_behind_more_directories_than_are_watched(self):
        deep = self.world.folder.joinpath(*["d"] * 70)
        deep.mkdir(parents=True)
        self.world.want(HOME)
        self.world.es.rename(deep / "es.xml")
        self.world.es.symlink_to(deep / "es.xml")
        daemon = self.start_daemon()
        self.await_said("polled-file", "more than 64 directories")
        (deep / "es.xml").write_text(es_xml(AWAY))
        self.await_places(AWAY)
        self.await_said("move-end", "result=done")
        self.assertEqual(self.said("polled-file"), 1, self.log())
        self.assert_ends(daemon)

    def test_a_thousand_at_once(self):
        daemon = self.start_daemon()
        for number in range(1000):
            self.world.replace(self.world.es, f"{es_xml(HOME)}<!-- {number} -->")
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.await_said("move-end", "result=done")
        self.assert_ends(daemon)


class KeepsTheLastGoodFile(DaemonTest):
    def move_home(self):
        """As somebody else does while the daemon is not there."""
        def change(fleet):
            first, second = fleet["hosts"]
            first["guests"], second["guests"] = second["guests"], []

        self.world.edit_fleet(change)
        self.assertEqual(self.world.places(), HOME)

    def test_across_a_restart_with_a_faulty_one(self):
        self.world.want(AWAY)
        daemon = self.start_daemon()
        self.await_places(AWAY)
        self.await_said("move-end", "result=done")
        self.assert_ends(daemon)
        self.move_home()
        self.world.es.write_text(es_xml(AWAY)[:200])
        self.assert_exit(self.world.berth("apply", "--yes"), INVALID)
        self.assertEqual(self.world.places(), HOME)
        daemon = self.start_daemon()
        self.await_places(AWAY)
        self.assertEqual(self.said("invalid-file"), 1, self.log())
        self.world.want(AWAY)
        self.await_said("valid-file")
        self.assert_ends(daemon)


class Ends(DaemonTest):
    def test_a_move_under_way_goes_on_and_is_taken_up_by_the_next_start(self):
        self.make_moves_slow()
        daemon = self.start_daemon()
        self.world.await_move()
        self.assert_ends(daemon)
        self.assertEqual([move["guest"] for move in self.world.status()["moves"]], ["vm1"])
        self.finish_move()
        daemon = self.start_daemon()
        self.await_places(AWAY)
        self.await_said("move-end", "result=done")
        self.assertEqual(self.said("move-begin"), 1)
        self.assert_ends(daemon)

    def test_a_killed_daemon_leaves_the_same_behind(self):
        self.make_moves_slow()
        daemon = self.start_daemon()
        self.world.await_move()
        daemon.kill()
        daemon.wait(PATIENCE_S)
        self.finish_move()
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.assertEqual(self.world.places(), AWAY)


class OnlyOne(DaemonTest):
    def test_whoever_acts_besides_is_refused_with_its_pid(self):
        daemon = self.start_daemon()
        pid = f"in use by pid {daemon.pid}$"
        self.assert_complains(run([BERTHD, "-c", self.world.conf]), FAILED, pid)
        self.assertEqual(self.world.status()["controller_pid"], daemon.pid)
        self.assertIsNone(daemon.poll())
        self.assert_ends(daemon)
        self.assertEqual(self.world.status()["controller_pid"], 0)
        self.assert_exit(self.world.berth("apply", "--yes"), OK)

    def test_a_config_it_cannot_use_is_told_at_once(self):
        self.world.conf.write_text("[fleet]\nes_xlm = /x\n")
        result = run([BERTHD, "-c", self.world.conf])
        self.assert_exit(result, INVALID)
        self.assertRegex(result.stderr, f"^{self.world.conf}:2: ")


if __name__ == "__main__":
    unittest.main()
