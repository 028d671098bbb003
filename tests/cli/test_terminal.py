#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal sees: colour, a question before anything moves, a bar that never runs
backwards; and that no name from outside steers the terminal."""

import errno
import json
import os
import pty
import re
import select
import time
import unittest

from world import (BLOCKED, CANCELLED, GIB, OK, PATIENCE_S, CliTest, sim_fleet, sim_guest)

ESCAPE = "\033["
PROMPT = "Go on? [y/N] "

# Each would do harm of its own: colours, an escape sequence, an 8-bit one, a line of its own, a line
# written over, and text that runs the other way.
EVIL = "vm\033[45m\033]0;owned\007\u009b2J\nberth: all is well\r\u202egnp"


class Terminal:
    """A command whose three standard streams are one terminal."""

    def __init__(self, command, env=None):
        self.text = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.pop("NO_COLOR", None)
            os.environ["TERM"] = "xterm"
            os.environ.update(env or {})
            os.execv(command[0], command)

    def read_until(self, wanted=None):
        """Until 'wanted' was shown, or the command ended."""
        end = time.monotonic() + PATIENCE_S
        while wanted is None or wanted not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"waited in vain for {wanted or 'the end'}: {self.text!r}")
            try:
                piece = os.read(self.master, 65536)
            except OSError as error:  # What a terminal says when its last user is gone.
                if error.errno != errno.EIO:
                    raise
                piece = b""
            if not piece:
                if wanted is not None:
                    raise AssertionError(f"ended before {wanted!r}: {self.text!r}")
                break
            self.text += piece.decode(errors="replace")

    def answer(self, keys):
        self.read_until(PROMPT)
        os.write(self.master, keys.encode())

    def wait(self):
        """The exit status."""
        self.read_until()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)


class TerminalTest(CliTest):
    def at_terminal(self, *args, keys=None, env=None):
        """(exit status, what was shown) of 'berth ARGS'."""
        terminal = Terminal(self.world.command(*args), env)
        if keys is not None:
            terminal.answer(keys)
        return terminal.wait(), terminal.text


class Colour(TerminalTest):
    def setUp(self):
        super().setUp()
        self.want_a_move()

    def test_a_terminal_gets_colour(self):
        for command in ("plan", "diff"):
            with self.subTest(command):
                status, shown = self.at_terminal(command)
                self.assertEqual(status, OK)
                self.assertIn(ESCAPE, shown)

    def test_no_color_and_a_dumb_terminal_get_none(self):
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            for command in ("plan", "diff"):
                with self.subTest(env=env, command=command):
                    _, shown = self.at_terminal(command, env=env)
                    self.assertNotIn("\033", shown)

    def test_an_empty_no_color_does_not_count(self):
        self.assertIn(ESCAPE, self.at_terminal("plan", env={"NO_COLOR": ""})[1])

    def test_json_has_no_colour(self):
        _, shown = self.at_terminal("plan", "--json")
        self.assertNotIn("\033", shown)
        self.assertEqual(json.loads(shown)["format"], "berth.plan/1")

    def test_a_dumb_terminal_gets_no_bar_either(self):
        status, shown = self.at_terminal("apply", "--yes", env={"TERM": "dumb"})
        self.assertEqual(status, OK)
        self.assertNotIn("\033", shown)
        self.assertNotIn("\r      [", shown)


class Question(TerminalTest):
    def setUp(self):
        super().setUp()
        self.want_a_move()

    def test_only_a_yes_moves_anything(self):
        for keys in ("n\n", "\n", "no, yes\n", "\004"):
            with self.subTest(keys=keys):
                status, shown = self.at_terminal("apply", keys=keys)
                self.assertEqual(status, CANCELLED, shown)
                self.assertIn("nothing was done", shown)
                self.assertEqual(self.world.places()["kvm1"], ["vm1"])

    def test_a_yes_is_taken_in_any_spelling(self):
        for keys in ("y\n", "Y\n", "yes\n"):
            with self.subTest(keys=keys):
                self.world.have({"kvm1": ["vm1"], "kvm2": []})
                status, shown = self.at_terminal("apply", keys=keys)
                self.assertEqual(status, OK, shown)
                self.assertEqual(self.world.places()["kvm2"], ["vm1"])

    def test_the_plan_is_shown_once_and_before_the_question(self):
        _, shown = self.at_terminal("apply", keys="y\n")
        self.assertEqual(shown.count("the file puts it there"), 1)
        self.assertLess(shown.index("the file puts it there"), shown.index(PROMPT))

    def test_nobody_is_asked_when_there_is_nothing_to_do(self):
        self.world.want({"kvm1": ["vm1"], "kvm2": []})
        status, shown = self.at_terminal("apply")
        self.assertEqual(status, OK)
        self.assertNotIn(PROMPT, shown)

    def test_nobody_is_asked_when_nothing_can_be_done(self):
        self.world.want({"kvm1": ["vm1"], "kvm2": ["vm2"]})
        status, shown = self.at_terminal("apply")
        self.assertEqual(status, BLOCKED)
        self.assertNotIn(PROMPT, shown)

    def test_what_is_shown_is_what_only_leaves(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]})
        status, shown = self.at_terminal("apply", "--only", "vm2", keys="y\n")
        self.assertEqual(status, OK, shown)
        self.assertNotRegex(shown, r"\bvm1\b")
        self.assertNotIn("planned anew", shown)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": ["vm2"]})

    def test_a_host_that_would_start_guests_is_something_to_do(self):
        self.world.conf.write_text(
            self.world.conf.read_text().replace("[fleet]\n", "[fleet]\nguard = yes\n"))
        self.world.want({"kvm1": ["vm1"], "kvm2": []})
        self.world.edit_fleet(lambda fleet: fleet["hosts"][0].update(guard="holding"))
        self.world.edit_fleet(
            lambda fleet: fleet["hosts"][0]["guests"][0].update(state="shutoff", held=True))
        for keys, status, running in (("n\n", CANCELLED, []), ("y\n", OK, ["vm1"])):
            found, shown = self.at_terminal("apply", keys=keys)
            self.assertEqual(found, status, shown)
            self.assertIn("'kvm1' has booted and is held back: its guests may start now", shown)
            self.assertEqual(self.world.places()["kvm1"], running)

    def test_the_question_is_no_result(self):
        command = " ".join(self.world.command("apply"))
        out = self.world.folder / "out"
        terminal = Terminal(["/bin/sh", "-c", f"exec {command} >{out}"])
        terminal.answer("n\n")
        self.assertEqual(terminal.wait(), CANCELLED)
        self.assertNotIn("Go on?", out.read_text())
        self.assertIn("the file puts it there", out.read_text())


class Bar(TerminalTest):
    def test_it_never_runs_backwards_and_is_gone_at_the_end(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []}, durations={"migrate_ms": 1500})
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]})
        status, shown = self.at_terminal("apply", "--yes")
        self.assertEqual(status, OK, shown)
        moves = re.split(r"\[\d/2\] ", shown)[1:]
        self.assertEqual(len(moves), 2)
        for move in moves:
            percent = [int(p) for p in re.findall(r"\] +(\d+) %", move)]
            cells = [bar.count("#") for bar in re.findall(r"\[([#.]+)\]", move)]
            self.assertGreater(len(percent), 1, repr(move))
            self.assertEqual(percent, sorted(percent))
            self.assertEqual(cells, sorted(cells))
            self.assertLessEqual(max(percent), 100)
            self.assertRegex(move, r"\r\033\[K[^\r]*done in")


class NamesFromOutside(TerminalTest):
    """A guest on a host may be called anything; the file names none such, and nobody is harmed."""

    def setUp(self):
        super().setUp()
        self.evil = sim_guest("evil") | {"name": EVIL, "memory_kib": 15 * GIB}
        self.places = {"kvm1": ["vm1"], "kvm2": [self.evil]}
        self.observed = self.world.folder / "observed.json"
        self.observed.write_text(json.dumps(
            sim_fleet(self.places) | {"format": "berth.observed/1", "at": "2026-11-23T12:00:00Z"}))
        fleet = json.loads(self.observed.read_text())
        for host in fleet["hosts"]:
            host["reachable"] = True
            for guest in host["guests"]:
                guest |= {"state": "running", "persistent": True, "autostart": False}
        self.observed.write_text(json.dumps(fleet))
        self.want_a_move()

    def assert_harmless(self, shown):
        """Apart from colours of our own, which are allowed at a terminal."""
        rest = re.sub("\033\\[[0-9;]*m", "", shown).replace("\r\n", "\n")
        self.assertNotRegex(rest, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        if not rest.startswith("{"):  # JSON is for programs.
            self.assertNotRegex(rest, "[\u2028-\u202e\u2066-\u2069]")
        self.assertNotIn("\nberth: all is well", rest)
        self.assertNotIn("\033[45m", shown)

    def test_every_command_that_may_show_it_shows_it_tamed(self):
        for args in (["plan"], ["plan", "--dot"], ["plan", "--json"], ["diff"], ["diff", "--json"],
                     ["explain", "vm1"], ["explain", EVIL], ["explain", EVIL, "--json"]):
            with self.subTest(args):
                _, shown = self.at_terminal(*args, "--observed", str(self.observed))
                self.assertNotEqual(shown, "")
                self.assert_harmless(shown)

    def test_json_keeps_the_name_for_programs(self):
        result = self.world.berth("explain", EVIL, "--observed", self.observed, "--json")
        self.assert_exit(result, OK)
        self.assertEqual(json.loads(result.stdout)["guest"], EVIL)

    def test_explain_tells_which_guest_it_means(self):
        result = self.world.berth("explain", EVIL, "--observed", self.observed)
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, r"^'vm\?\[45m.*' runs on 'kvm2'")
        self.assertEqual(len(result.stdout.splitlines()), 1)

    def test_an_error_that_a_host_words_does_no_harm(self):
        self.world.have({"kvm1": ["vm1"], "kvm2": []})
        fault = {"op": "preflight", "error": "incompatible", "text": EVIL, "times": 99}
        self.world.edit_fleet(lambda fleet: fleet.update(faults=[fault]))
        _, shown = self.at_terminal("apply", "--yes")
        self.assertIn("vm?[45m", shown)
        self.assert_harmless(shown.replace("\r\033[K", ""))
        for args in (["status"], ["status", "--json"], ["history", "vm1"], ["plan"],
                     ["history", "vm1", "--json"]):
            with self.subTest(args):
                _, shown = self.at_terminal(*args)
                self.assertIn("owned", shown)
                self.assert_harmless(shown)

    def test_a_host_that_says_why_it_does_not_answer_does_no_harm(self):
        fault = {"op": "observe", "host": "kvm2", "error": "unreachable", "text": EVIL, "times": 99}
        self.world.have({"kvm1": ["vm1"], "kvm2": []})
        self.world.edit_fleet(lambda fleet: fleet.update(faults=[fault]))
        for args in (["observe"], ["plan"], ["apply", "--yes"]):
            with self.subTest(args):
                _, shown = self.at_terminal(*args)
                self.assertIn("owned", shown)
                self.assert_harmless(shown)

    def test_a_recorded_name_that_is_not_ours_is_refused_in_one_harmless_line(self):
        fleet = json.loads(self.observed.read_text())
        fleet["hosts"][1]["name"] = EVIL
        self.observed.write_text(json.dumps(fleet))
        result = self.world.berth("plan", "--observed", self.observed)
        self.assertLessEqual(len(result.stderr.splitlines()), 2)
        self.assert_harmless(result.stderr)


if __name__ == "__main__":
    unittest.main()
