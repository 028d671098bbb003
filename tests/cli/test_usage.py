#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What every command has in common: help, bad usage, and where its output goes."""

import json
import re
import subprocess
import unittest

from world import BERTH, BERTHD, CliTest, FAILED, INVALID, OK, PENDING, run

# Command -> arguments it must have, and those it may have besides.
ARGUMENTS = {
    "validate": ([], ["es.xml"]),
    "discover": (["sim:x"], None),
    "observe": ([], []),
    "diff": ([], []),
    "plan": ([], []),
    "apply": ([], []),
    "migrate": (["vm1"], []),
    "steps": (["vm1"], []),
    "drain": (["kvm1"], []),
    "evacuate": (["kvm1"], []),
    "undrain": (["kvm1"], []),
    "rollback": (["1"], []),
    "status": ([], []),
    "watch": ([], []),
    "history": ([], ["vm1"]),
    "explain": (["vm1"], []),
    "cancel": ([], ["vm1"]),
    "hold": ([], ["vm1"]),
    "release": ([], ["vm1"]),
    "retry": (["vm1"], []),
    "check": ([], []),
}


def listed():
    return re.findall(r"^  (\w+) ", run([BERTH, "help"]).stdout.split("Commands:")[1], re.M)


class Usage(CliTest):
    def assert_bad_usage(self, *args):
        result = run([BERTH, *args])
        self.assert_complains(result, INVALID, f"{args[0]}: ")
        self.assertEqual(result.stderr.splitlines()[1], f"hint: try 'berth {args[0]} --help'")

    def test_help_lists_the_commands_that_these_tests_know(self):
        self.assertEqual(listed(), list(ARGUMENTS))

    def test_help_goes_to_stdout_alone(self):
        for args in (["help"], ["--help"], ["-h"], ["--version"],
                     *([name, "--help"] for name in listed()), *(["help", name] for name in listed())):
            with self.subTest(args):
                result = run([BERTH, *args])
                self.assert_exit(result, OK)
                self.assertNotEqual(result.stdout, "")
                self.assertEqual(result.stderr, "")

    def test_no_command_at_all_is_bad_usage_with_the_usage_on_stderr(self):
        result = run([BERTH])
        self.assert_exit(result, INVALID)
        self.assertEqual(result.stdout, "")
        self.assertIn("usage: berth COMMAND", result.stderr)

    def test_an_unknown_command_is_named_with_a_hint(self):
        result = run([BERTH, "paln"])
        self.assert_complains(result, INVALID, "'paln'")
        self.assertEqual(result.stderr.splitlines()[1], "hint: 'berth help' lists the commands")

    def test_an_unknown_option_is_bad_usage(self):
        for name, (needed, _) in ARGUMENTS.items():
            with self.subTest(name):
                self.assert_bad_usage(name, *needed, "--nosuch")
                self.assert_bad_usage(name, *needed, "-Z")

    def test_an_option_without_its_value_is_bad_usage(self):
        self.assert_bad_usage("plan", "--es")
        self.assert_bad_usage("plan", "-c")
        self.assert_bad_usage("plan", "--json=yes")

    def test_a_missing_argument_is_bad_usage(self):
        for name in ("discover", "migrate", "drain", "evacuate", "undrain", "rollback", "explain", "retry"):
            with self.subTest(name):
                self.assert_bad_usage(name)

    def test_one_argument_too_many_is_bad_usage(self):
        for name, (needed, more) in ARGUMENTS.items():
            if more is not None:
                with self.subTest(name):
                    self.assert_bad_usage(name, *needed, *more, "surplus")

    def test_berthd_takes_no_argument(self):
        result = run([BERTHD, "surplus"])
        self.assert_complains(result, INVALID, "berthd: ")
        self.assertEqual(result.stderr.splitlines()[1], "hint: try 'berthd --help'")

    def test_a_limit_that_is_no_number_is_bad_usage(self):
        for limit in ("", "-1", "many", "99999999999999999999"):
            with self.subTest(limit):
                self.assert_complains(self.world.berth("history", "--limit", limit), INVALID, "--limit")


class Output(CliTest):
    """The result on stdout, whole or not at all; everything else on stderr."""

    def results(self):
        """Arguments of each command that prints a result in this world, with its exit status."""
        sim = f"sim:{self.world.sim}"
        return {
            ("validate",): OK,
            ("discover", sim): OK,
            ("observe",): OK,
            ("diff", "--exit-code"): PENDING,
            ("plan", "--exit-code"): PENDING,
            ("apply", "--dry-run"): OK,
            ("migrate", "vm1", "--to", "kvm2", "--dry-run"): OK,
            ("drain", "kvm1", "--dry-run"): OK,
            ("rollback", "1", "--dry-run"): OK,
            ("status",): OK,
            ("explain", "vm1"): OK,
            ("history", "vm1"): OK,
            ("steps", "vm1"): OK,
        }

    def setUp(self):
        super().setUp()
        self.want_a_move()
        self.assert_exit(self.world.berth("apply", "--yes"), OK)  # So that history has something.
        self.world.want({"kvm1": ["vm1"], "kvm2": []})

    def test_a_result_is_alone_on_stdout_and_nothing_else_is_said(self):
        for args, status in self.results().items():
            with self.subTest(args):
                result = self.world.berth(*args)
                self.assert_exit(result, status)
                self.assertNotEqual(result.stdout, "")
                self.assertEqual(result.stderr, "")

    def test_json_of_every_command_parses_and_has_a_format(self):
        formats = {}
        for args, status in self.results().items():
            with self.subTest(args):
                result = self.world.berth(*args, "--json")
                self.assert_exit(result, status)
                formats[args[0]] = json.loads(result.stdout)["format"]
        result = self.world.berth("apply", "--yes", "--json")
        self.assert_exit(result, OK)
        formats["apply"] = json.loads(result.stdout)["format"]
        special = {"discover": "observed", "observe": "observed", "validate": "faults",
                   "migrate": "edit", "drain": "edit", "rollback": "edit"}
        for name, format_ in formats.items():
            self.assertEqual(format_, f"berth.{special.get(name, name)}/1", name)
        self.assertEqual(set(formats) | {"watch", "cancel", "hold", "release", "retry", "check", "undrain", "evacuate"},
                         set(ARGUMENTS))

    def test_a_full_disk_behind_stdout_is_an_error(self):
        for args in (*self.results(), ("plan", "--json"), ("plan", "--dot"), ("plan", "--help")):
            with self.subTest(args), open("/dev/full", "w") as full:
                result = self.world.berth(*args, stdout=full)
                self.assert_complains(result, FAILED, "cannot write the result: No space left")
        for args in (["help"], ["--version"]):
            with self.subTest(args), open("/dev/full", "w") as full:
                self.assert_complains(run([BERTH, *args], stdout=full), FAILED, "No space left")

    def test_a_closed_stdout_is_an_error(self):
        for args in self.results():
            with self.subTest(args):
                result = run(["sh", "-c", '"$@" >&-', "sh", *self.world.command(*args)])
                self.assert_complains(result, FAILED, "cannot write the result: Bad file descriptor")

    def test_a_reader_that_went_away_is_an_error_and_no_silent_death(self):
        for args in self.results():
            with self.subTest(args):
                reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
                reader.wait()
                with reader.stdin as pipe:
                    result = self.world.berth(*args, stdout=pipe)
                self.assert_complains(result, FAILED, "cannot write the result: Broken pipe")

    def test_moves_go_on_when_nobody_can_read_of_them(self):
        with open("/dev/full", "w") as full:
            result = self.world.berth("apply", "--yes", stdout=full)
        self.assert_exit(result, FAILED)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})
        self.assertEqual(result.stderr.count("cannot write the result"), 1)

    def test_all_standard_streams_may_be_closed(self):
        command = ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *self.world.command("apply", "--yes")]
        self.assert_exit(run(command), FAILED)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})
        self.assert_exit(self.world.berth("plan", "--exit-code"), OK)

    def test_without_a_terminal_there_is_no_escape_sequence(self):
        for args in (*self.results(), ("apply", "--yes")):
            with self.subTest(args):
                result = self.world.berth(*args)
                self.assertNotIn("\033", result.stdout + result.stderr)
                self.assertNotIn("\r", result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
