#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berth watch: a screen on a terminal, lines elsewhere."""

import json
import os
import pathlib
import signal
import termios
import unittest

from daemon import AWAY, STATUS, ClientTest, http
from vt100 import Vt100
from world import CANCELLED, FAILED, OK, PATIENCE_S, await_true


class WatchTest(ClientTest):
    def watch(self, **options):
        terminal = Vt100(self.world.command("watch"), **options)
        self.addCleanup(terminal.close)
        self.addCleanup(self.kill, terminal)
        return terminal

    def record(self, terminal):
        """Where everything goes that is written from now on."""
        seen = []
        draw = terminal.draw
        terminal.draw = lambda text: (seen.append(text), draw(text))
        return seen

    def kill(self, terminal):
        try:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass # It has ended as it should.

    def assert_given_back(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.master), terminal.before)


class Screen(WatchTest):
    def test_shows_the_fleet_the_move_and_what_has_happened(self):
        self.start_slow_move()
        terminal = self.watch()
        terminal.await_text(r"^vm1: kvm1 -> kvm2, live, \w+, ")
        terminal.await_text(r"^\[[#.]{40}\] +\d+ %$")
        terminal.await_text(r"^  kvm1 +\[[#.]+\] 1 GiB of 16 GiB, 1 guests$")
        terminal.await_text(r"^  vm1 +misplaced: is on kvm1, belongs on kvm2$")
        terminal.await_text(r"^InPlace .*1 of 1 guests")
        self.finish_move()
        terminal.await_text(r"^all is well$")
        terminal.await_text(r"^\S+Z  move-end +vm1: kvm1 -> kvm2, live: done$")
        terminal.await_text(r"^  kvm2 +\[[#.]+\] 1 GiB of 16 GiB, 1 guests$")
        terminal.await_text("Not in their place", gone=True)
        terminal.type("q")
        self.assertEqual(terminal.wait(), OK)
        self.assert_given_back(terminal)

    def test_follows_the_size_of_its_window(self):
        self.start_daemon()
        terminal = self.watch(rows=24, columns=80)
        terminal.await_text(r"^  kvm2 +\[")
        for rows, columns in ((10, 40), (3, 20), (1, 1), (60, 200), (24, 80)):
            terminal.set_size(rows, columns)
            if columns >= 20:
                terminal.await_text("^2026-|^20[0-9][0-9]-")
            if rows >= 10:
                terminal.await_text(r"\Aq quit|^q quit")
                self.assertEqual(terminal.lines()[rows - 1][:6], "q quit")
        terminal.type("q")
        self.assertEqual(terminal.wait(), OK)

    def test_scrolls_and_tells_its_keys(self):
        hosts = {f"host{number:02}": [] for number in range(40)}
        self.world.have(hosts | {"host00": ["vm1"]})
        self.world.want(hosts | {"host00": ["vm1"]})
        self.start_daemon()
        terminal = self.watch()
        terminal.await_text(r"^  host00 ")
        for key, shown in (("j", "1 above"), ("\033OB", "2 above"), ("k", "1 above"), (" ", "13 above"),
                           ("\033OA", "12 above"), ("?", r"^q, Ctrl-C +quit"), ("h", "^  host00 ")):
            terminal.type(key)
            terminal.await_text(shown)
        terminal.type("\x03")
        self.assertEqual(terminal.wait(), OK)
        self.assert_given_back(terminal)

    def test_gives_the_terminal_back_whatever_ends_it(self):
        self.start_daemon()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number):
                terminal = self.watch()
                terminal.await_text("^Hosts")
                self.assertNotEqual(termios.tcgetattr(terminal.master), terminal.before)
                os.kill(terminal.pid, number)
                self.assertEqual(terminal.wait(), CANCELLED)
                self.assert_given_back(terminal)

    def test_gives_the_terminal_back_while_it_is_stopped(self):
        self.start_daemon()
        terminal = self.watch()
        terminal.await_text("^Hosts")
        os.kill(terminal.pid, signal.SIGTSTP)  # A shell would see to it that Ctrl-Z does.
        stat = pathlib.Path(f"/proc/{terminal.pid}/stat")
        await_true("it has stopped", lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T")
        self.assert_given_back(terminal)
        terminal.read(0)
        terminal.clear()
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.await_text("^Hosts")
        terminal.type("q")
        self.assertEqual(terminal.wait(), OK)

    def test_waits_for_a_berthd_that_is_started_anew(self):
        daemon = self.start_daemon()
        terminal = self.watch()
        terminal.await_text("^all is well$")
        daemon.kill()
        daemon.wait(PATIENCE_S)
        terminal.await_text("^cannot ask berthd at |has ended the event stream")
        self.world.want(AWAY)
        self.start_daemon()
        terminal.await_text("^all is well$")
        terminal.await_text(r"^  kvm2 .* 1 guests$")

    def test_colour_is_for_those_who_want_it(self):
        self.start_daemon()
        for env, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            with self.subTest(env):
                terminal = self.watch(env=env)
                seen = self.record(terminal)
                await_true("it draws", lambda: terminal.read(0.1) and "all is well" in "".join(seen))
                self.assertEqual("\033[32m" in "".join(seen), coloured)

    def test_a_name_from_outside_steers_nothing(self):
        evil = "vm\033[2J\033]0;owned\007\u009b2J\r\u202egnp"
        hosts = {"format": "berth.hosts/1", "hosts": [{"name": evil, "reachable": True}]}
        block = {"guest": evil, "code": evil, "reason": evil}

        def talk(connection, request):
            if b"/v1/events" in request:
                data = json.dumps({"event": "alarm", "at": evil, "guest": evil, "text": evil})
                connection.sendall(f"HTTP/1.1 200 OK\r\n\r\nevent: {evil[:9]}\ndata: {data}\n\n".encode())
                connection.recv(1)
            document = hosts if b"/v1/hosts" in request else STATUS | {"blocked": [block], "es_xml": evil}
            connection.sendall(http(document))

        with self.fake(talk, several=True):
            terminal = self.watch()
            seen = self.record(terminal)
            terminal.await_text(r"^  vm\?\[2J\?\]0;owned\?\?2J\?\?gnp: vm")
            terminal.await_text(r"  vm\?\[2J\?\]0 +vm\?\[2J\?\]0;owned")
            terminal.type("q")
            self.assertEqual(terminal.wait(), OK)
        for harm in ("\033[2J", "\033]0", "\u009b", "\u202e"):
            self.assertNotIn(harm, "".join(seen))

    def test_a_terminal_that_cannot_be_drawn_on_is_told(self):
        self.start_daemon()
        terminal = self.watch(env={"TERM": "nosuch"})
        self.assertNotEqual(terminal.wait(), OK)
        self.assertIn("cannot draw on a terminal of the type 'nosuch'", terminal.text().replace("\n", ""))


class Lines(WatchTest):
    def start_lines(self, *args):
        watch = self.start_following("watch", *args)
        self.await_line(watch, "tells events from now on")
        return watch

    def test_each_event_is_a_line_where_there_is_no_terminal(self):
        self.start_daemon()
        watch = self.start_lines()
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_exit(self.world.berth("hold", "vm1", "--reason", "new\ndisk"), OK)
        for wanted in (r"^\S+Z  plan +1 moves, 0 blocked$", r"^\S+Z  move-begin +vm1: kvm1 -> kvm2, live$",
                       r"^\S+Z  move-end +vm1: kvm1 -> kvm2, live: done$",
                       r"^\S+Z  order +hold vm1 by \S+: new\?disk$"):
            line = next(line for line in watch.stdout if line.split()[1] == wanted.split()[1])
            self.assertRegex(line, wanted)

    def test_json_is_a_line_an_event_too(self):
        self.start_daemon()
        watch = self.start_lines("--json")
        self.world.want(AWAY)
        events = (json.loads(line) for line in watch.stdout)
        end = next(event for event in events if event["event"] == "move-end")
        self.assertEqual(end["move"]["state"], "done")

    def test_a_berthd_that_is_started_anew_is_waited_for(self):
        daemon = self.start_daemon()
        watch = self.start_lines()
        daemon.kill()
        daemon.wait(PATIENCE_S)
        self.await_line(watch, "waiting for it")
        self.start_daemon()
        self.await_line(watch, "tells events from now on")
        self.world.want(AWAY)
        self.assertTrue(any("move-end" in line for line in watch.stdout))

    def test_a_reader_that_went_away_ends_it(self):
        self.start_daemon()
        watch = self.start_lines()
        watch.stdout.close()
        self.world.want(AWAY)
        self.assertEqual(watch.wait(PATIENCE_S), FAILED)
        watch.stdout = open(os.devnull)

    def test_without_a_berthd_there_is_nothing_to_watch(self):
        self.assert_complains(self.world.berth("watch"), FAILED, "no berthd runs")


if __name__ == "__main__":
    unittest.main()
