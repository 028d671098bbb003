#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""es.xml, berth.conf and recorded observations as people leave them: absent, unreadable, cut short,
wrong in several places at once."""

import json
import os
import re
import unittest

from world import BERTH, CliTest, FAILED, INVALID, OK, es_xml, run

DEFAULT_CONF = "/etc/berth/berth.conf"
READERS = (["validate"], ["observe"], ["diff"], ["plan"], ["explain", "vm1"], ["apply", "--yes"])

# Root may read everything, unless it has left these behind.
UNPRIVILEGED = [] if os.geteuid() != 0 else [
    "setpriv", "--bounding-set=-dac_override,-dac_read_search"
]


class FaultTest(CliTest):
    def assert_faults(self, result, file, *faults):
        """Exit status 2 and exactly these lines 'FILE:LINE: message', each (line, pattern)."""
        self.assert_exit(result, INVALID)
        self.assertEqual(result.stdout, "")
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), len(faults), result.stderr)
        for line, (number, pattern) in zip(lines, faults):
            self.assertRegex(line, f"^{re.escape(str(file))}:{number}: .*{pattern}")


class EsXml(FaultTest):
    def assert_refused(self, text, *faults):
        """By every command that reads the file, with nothing moved and nothing left behind."""
        self.world.es.write_bytes(text.encode() if isinstance(text, str) else text)
        for args in READERS:
            with self.subTest(args):
                self.assert_faults(self.world.berth(*args), self.world.es, *faults)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_an_empty_file_is_refused(self):
        self.assert_refused("", (1, "empty"))

    def test_a_file_cut_short_is_not_well_formed(self):
        text = es_xml({"kvm1": ["vm1"], "kvm2": []})
        self.assert_refused(text[: len(text) // 2], (r"\d+", "not well-formed"))

    def test_a_document_type_is_refused(self):
        text = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n' + es_xml({"kvm1": []})
        self.assert_refused(text, (1, "DOCTYPE"))

    def test_what_is_not_utf_8_is_refused(self):
        text = es_xml({"kvm1": ["vm1"], "kvm2": []}).encode().replace(b"vm1<", b"vm\xff<")
        self.assert_refused(text, (r"\d+", "UTF-8"))

    def test_every_fault_is_named_with_its_line_in_one_run(self):
        text = es_xml({"kvm1": ["vm1"], "kvm2": ["vm2"]}).splitlines()
        size = next(n for n, line in enumerate(text) if "<guestMemory>" in line)
        text[size] = text[size].replace("1GiB", "lots")
        text.insert(5, '<machine id="nobody_id"/>')
        self.assert_refused("\n".join(text), (6, "nobody_id"), (size + 2, "lots"))

    def test_a_fault_stays_on_its_line_whatever_the_file_holds(self):
        text = es_xml({"kvm1": ["vm1"], "kvm2": []}).replace("<hostName>vm1", "<hostName>v&#10;m&#x9b;1")
        self.world.es.write_text(text)
        result = self.world.berth("validate")
        self.assert_exit(result, INVALID)
        for line in result.stderr.splitlines():
            self.assertTrue(line.startswith(f"{self.world.es}:"), result.stderr)
        self.assertNotIn("\u009b", result.stderr)

    def test_validate_prints_the_faults_as_json_too(self):
        self.world.es.write_text("")
        result = self.world.berth("validate", "--json")
        self.assert_exit(result, INVALID)
        printed = json.loads(result.stdout)
        self.assertEqual((printed["format"], printed["valid"]), ("berth.faults/1", False))
        self.assertEqual([fault["line"] for fault in printed["faults"]], [1])

    def test_status_shows_an_invalid_file_as_one_that_nothing_is_done_with(self):
        self.world.es.write_text("")
        result = self.world.berth("status", "--json")
        self.assert_exit(result, OK)
        self.assertIs(json.loads(result.stdout)["valid"], False)
        self.assertIn(f"{self.world.es}:1: ", result.stderr)

    def test_a_file_of_more_than_64_mib_is_not_read_to_its_end(self):
        with open(self.world.es, "wb") as file:
            file.truncate(64 * 1024 * 1024 + 1)
        for args in READERS:
            with self.subTest(args):
                self.assert_complains(self.world.berth(*args), INVALID, "larger than 64 MiB")

    def test_an_absent_file_comes_with_a_hint_how_to_make_one(self):
        self.world.es.unlink()
        for args in READERS:
            with self.subTest(args):
                result = self.world.berth(*args)
                self.assert_complains(result, INVALID, f"'{self.world.es}': No such file")
                self.assertRegex(result.stderr, "\nhint: 'berth discover")

    def test_a_folder_in_its_place_is_said_to_be_one(self):
        self.world.es.unlink()
        self.world.es.mkdir()
        self.assert_complains(self.world.berth("plan"), INVALID, "Is a directory")

    def test_an_unreadable_file_is_named_with_the_reason(self):
        self.world.es.chmod(0)
        for args in READERS:
            with self.subTest(args):
                result = run(UNPRIVILEGED + self.world.command(*args))
                self.assert_complains(result, INVALID, f"'{self.world.es}': Permission denied")

    def test_validate_reads_the_file_it_is_given(self):
        other = self.world.folder / "other.xml"
        other.write_text("<engineeredSystem>")
        self.assert_faults(self.world.berth("validate", other), other, (1, "not well-formed"))
        self.assert_exit(self.world.berth("validate"), OK)


class BerthConf(FaultTest):
    def test_every_fault_is_named_with_its_line_in_one_run(self):
        self.world.conf.write_text(
            "[fleet]\nes_xlm = /x\n\n[migrate]\ntimeout = soon\nmode = live\n[nosuch]\nkey = 1\n"
        )
        faults = [(2, "es_xlm"), (5, "timeout"), ("[78]", "nosuch")]
        for args in (*READERS, ["status"], ["history"], ["retry", "vm1"]):
            with self.subTest(args):
                self.assert_faults(self.world.berth(*args), self.world.conf, *faults)
        self.assertEqual(self.world.places(), {"kvm1": ["vm1"], "kvm2": []})

    def test_a_named_config_must_be_there(self):
        self.world.conf.unlink()
        self.assert_complains(self.world.berth("plan"), INVALID, f"'{self.world.conf}': No such file")

    @unittest.skipIf(os.path.exists(DEFAULT_CONF), f"this machine has {DEFAULT_CONF}")
    def test_the_default_config_need_not_be_there(self):
        result = run([BERTH, "plan"])
        self.assert_complains(result, INVALID, "'/etc/berth/es.xml'")
        self.assertNotIn(DEFAULT_CONF, result.stderr)

    def test_an_unreadable_config_is_named_with_the_reason(self):
        self.world.conf.chmod(0)
        result = run(UNPRIVILEGED + self.world.command("plan"))
        self.assert_complains(result, INVALID, "Permission denied")

    def test_a_fleet_that_is_not_there_is_an_error_of_the_command_not_of_the_file(self):
        self.world.sim.unlink()
        for args in (["observe"], ["plan"], ["apply", "--yes"], ["discover", f"sim:{self.world.sim}"]):
            with self.subTest(args):
                self.assert_complains(self.world.berth(*args), FAILED, re.escape(str(self.world.sim)))


class Recorded(CliTest):
    """--observed FILE."""

    def refused(self, text, pattern):
        path = self.world.folder / "observed.json"
        path.write_text(text)
        for command in (["plan"], ["diff"], ["explain", "vm1"]):
            with self.subTest(command=command, text=text):
                result = self.world.berth(*command, "--observed", path)
                self.assert_complains(result, INVALID, f"observation '{path}': .*{pattern}")

    def test_what_is_no_observation_is_bad_input(self):
        self.refused("", "")
        self.refused("{", "line 1")
        self.refused('{"format":"berth.plan/1","hosts":[]}', "format")
        self.refused('{"format":"berth.observed/1","hosts":[{"name":"kvm1"}]}', "reachable")

    def test_an_absent_observation_is_bad_input(self):
        result = self.world.berth("plan", "--observed", self.world.folder / "absent")
        self.assert_complains(result, INVALID, "absent': No such file")


if __name__ == "__main__":
    unittest.main()
