#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages, the completion and configs/berth.conf say what the programs say: each command,
option and key there is, and none besides.  BERTH, BERTHD and BERTH_GUARD name the programs."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MAN = ROOT / "docs" / "man"
COMPLETION = ROOT / "configs" / "completion" / "berth.bash"
SMALL = ROOT / "configs" / "examples" / "small.xml"
BERTH = os.environ["BERTH"]
BERTHD = os.environ["BERTHD"]
GUARD = os.environ["BERTH_GUARD"]
COMMON = {"-c", "--config", "--json", "-h", "--help"}


def run(*command, stdin=""):
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


def output(*command):
    result = run(*command)
    if result.returncode != 0:
        raise AssertionError(f"'{' '.join(command)}' failed: {result.stderr}")
    return result.stdout


def commands():
    """'validate' -> '[ES_XML]', ..., as 'berth help' lists them."""
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", output(BERTH, "help"), re.M).group(1)
    return dict(re.findall(r"^  (\w+) +((?:[\[A-Z]\S+)?) +[a-z]", listed, re.M))


def options(*command):
    """'--out' -> 'FILE' and '-o' -> 'FILE', ..., '' for one without a value, as --help lists them."""
    found = {}
    for letter, name, value in re.findall(r"^  (?:(-\w), |    )(--[\w-]+)(?: ([A-Z]+))? ",
                                          output(*command, "--help"), re.M):
        for option in filter(None, (letter, name)):
            found[option] = value
    return found


def subsections(page):
    """Heading -> lines, for each .Ss of a page."""
    parts = re.split(r"^\.Ss (.*)\n", (MAN / page).read_text(), flags=re.M)
    return {heading: re.split(r"^\.Sh ", body, flags=re.M)[0].splitlines()
            for heading, body in zip(parts[1::2], parts[2::2])}


def documented_options(lines):
    """The same as options(), out of lines such as '.It Fl o , Fl -out Ar FILE'."""
    found = {}
    for line in lines:
        if line.startswith(".It Fl "):
            value = re.search(r" Ar (\S+)$", line)
            for name in re.findall(r"Fl (\S+)", line):
                found["-" + name] = value.group(1) if value else ""
    return found


class Berth1(unittest.TestCase):
    def test_every_command_has_its_section_and_no_other_is_there(self):
        wanted = [" ".join(filter(None, item)) for item in commands().items()]
        self.assertGreaterEqual(len(wanted), 10)
        self.assertEqual(list(subsections("berth.1")), wanted)

    def test_every_option_is_described_under_its_command_and_no_other_is(self):
        sections = {heading.split()[0]: lines for heading, lines in subsections("berth.1").items()}
        for command in commands():
            with self.subTest(command):
                wanted = {name: value for name, value in options(BERTH, command).items()
                          if name not in COMMON}
                self.assertEqual(documented_options(sections[command]), wanted)

    def test_the_common_options_are_described_once(self):
        general = re.split(r"^\.Ss ", (MAN / "berth.1").read_text(), flags=re.M)[0].splitlines()
        for command in commands():
            with self.subTest(command):
                wanted = {name: value for name, value in options(BERTH, command).items() if name in COMMON}
                self.assertEqual(documented_options(general), wanted)

    def test_every_block_code_that_is_given_is_explained_and_no_other_is(self):
        section = re.search(r"^\.Sh BLOCKED GUESTS\n(.*?)^\.Sh ", (MAN / "berth.1").read_text(),
                            re.M | re.S).group(1)
        code = "".join(path.read_text() for folder in ("diff", "reconciler")
                       for path in (ROOT / folder).glob("*.c"))
        given = {name for constant, name in
                 re.findall(r'PLAN_CODE\((\w+), "([\w-]+)"\)', (ROOT / "diff" / "plan.h").read_text())
                 if re.search(rf"\bPLAN_{constant}\b", code)}
        self.assertGreater(len(given), 10)
        self.assertEqual(set(re.findall(r"^\.It Cm (\S+)$", section, re.M)), given)


class Berthd8(unittest.TestCase):
    def test_every_option_is_described_and_no_other_is(self):
        lines = (MAN / "berthd.8").read_text().splitlines()
        wanted = options(BERTHD) | {"--version": ""}
        self.assertEqual(documented_options(lines), wanted)

    def test_every_event_that_is_logged_is_explained(self):
        kinds = re.search(r"^static const struct kind kinds.*?^};", (ROOT / "cli" / "logline.c").read_text(),
                          re.M | re.S).group(0)
        logged = set(re.findall(r'^    \{ "([a-z-]+)"', kinds, re.M))
        names = re.search(r"event_json_name\(.*?\n}\n", (ROOT / "reconciler" / "event_json.c").read_text(), re.S)
        told = set(re.findall(r'"([a-z-]+)"', names.group(0)))
        told -= {"observed", "pass", "progress"}  # Followers are told these, the log is not.
        self.assertLessEqual(told, logged)
        ids = re.findall(r'"([0-9a-f]{32})"', kinds)
        self.assertEqual(len(set(ids)), len(logged))
        section = re.search(r"^\.Sh LOGGING\n(.*?)^\.Sh ", (MAN / "berthd.8").read_text(),
                            re.M | re.S).group(1)
        explained = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\.It Cm (.*)$", section, re.M))))
        self.assertGreater(len(logged), 10)
        self.assertEqual(explained, logged)


class BerthGuard8(unittest.TestCase):
    def setUp(self):
        self.lines = (MAN / "berth-guard.8").read_text().splitlines()

    def test_every_option_is_described_and_no_other_is(self):
        self.assertEqual(documented_options(self.lines), options(GUARD))

    def test_every_verb_is_described_and_no_other_is(self):
        listed = re.search(r"^Verbs:\n((?:  .*\n)+)", output(GUARD, "--help"), re.M).group(1)
        described = [line.split()[2] for line in self.lines if line.startswith(".It Cm ")]
        self.assertEqual(described, re.findall(r"^  (\w+)", listed, re.M))


def accepted_keys():
    """(section, key) of each entry in the table of reconciler/config_key.c."""
    text = (ROOT / "reconciler" / "config_key.c").read_text()
    keys = re.findall(r'^    KEY(?:_FLAGGED)?\((\w+), "(\w+)",', text, re.M)
    count = re.search(r"CONFIG_KEY_COUNT\D+(\d+)",
                      (ROOT / "reconciler" / "config_key.h").read_text()).group(1)
    if len(keys) != int(count):
        raise AssertionError(f"{len(keys)} keys found in config_key.c, which has {count}")
    return {(section.lower(), key) for section, key in keys}


def keys_of_example():
    """(section, key) -> its default, or None for one that is commented out, in configs/berth.conf."""
    found, section = {}, None
    for line in (ROOT / "configs" / "berth.conf").read_text().splitlines():
        header = re.match(r";?\[(\w+)", line)
        entry = re.match(r"(;?)(\w+) *= *(\S+(?: \S+)*)", line)
        if header:
            section = header.group(1)
        elif entry:
            found[section, entry.group(2)] = None if entry.group(1) else entry.group(3)
    return found


def keys_of_page():
    """(section, key) -> its default, or None where a word in italics says what it takes."""
    found = {}
    for heading, lines in subsections("berth.conf.5").items():
        for line in lines:
            entry = re.match(r"\.It Ic (\w+) No = (.*)$", line)
            if entry:
                value = entry.group(2).removeprefix("Pa ")
                found[heading.strip("[]").split()[0], entry.group(1)] = \
                    None if value.startswith("Ar ") else value
    return found


class BerthConf5(unittest.TestCase):
    def test_every_key_is_described_and_no_other_is(self):
        self.assertEqual(set(keys_of_page()), accepted_keys())

    def test_every_event_that_hooks_can_be_told_is_named_and_is_one(self):
        names = re.search(r"known\[\] = {(.*?)};", (ROOT / "reconciler" / "config_hooks.c").read_text(), re.S)
        known = re.findall(r'"([a-z-]+)"', names.group(1))
        self.assertGreater(len(known), 10)
        page = re.search(r"of which these can be told:\n((?:\.Ql .*\n)+)", (MAN / "berth.conf.5").read_text())
        self.assertEqual(re.findall(r"[a-z-]{3,}", page.group(1)), known)
        self.assertEqual(sorted(known), known)
        text = (ROOT / "reconciler" / "event_json.c").read_text()
        told = re.search(r"event_json_name\(.*?\n}\n", text, re.S).group(0)
        self.assertEqual(set(re.findall(r'"([a-z-]+)"', told)) - set(known),
                         {"observed", "pass", "progress", "step-begin", "step-refused",
                          "step-skipped"})

    def test_every_key_is_in_the_example_and_no_other_is(self):
        self.assertEqual(set(keys_of_example()), accepted_keys())

    def test_defaults_are_those_of_the_example(self):
        page, checked = keys_of_page(), 0
        for key, default in keys_of_example().items():
            if default is not None:
                with self.subTest(key):
                    self.assertEqual(page[key], default)
                checked += 1
        self.assertGreater(checked, 10)

    def test_the_program_reads_the_example(self):
        result = run(BERTH, "validate", "-c", ROOT / "configs" / "berth.conf", SMALL)
        self.assertEqual((result.returncode, result.stderr), (0, ""))


class BerthProfile5(unittest.TestCase):
    def test_every_key_is_described_and_no_other_is(self):
        text = (ROOT / "reconciler" / "config_profile.c").read_text()
        keys = set(re.findall(r'SECTION_(\w+), "(\w+)"', text))
        keys |= {("RULES", name) for name in re.findall(r"^    RULE\((\w+),", text, re.M)}
        self.assertGreater(len(keys), 20)
        found = set()
        for heading, lines in subsections("berth-profile.5").items():
            section = {"[v": "SUPPLY", "[p": "SUPPLY", "[s": "SUPPLY", "[l": "LOOKUP", "[f": "FACT", "[r": "RULES"}.get(heading[:2])
            found |= {(section, entry.group(1)) for entry in
                      (re.match(r"\.It Ic (\w+) No = ", line) for line in lines) if entry}
        self.assertEqual(found, keys)

    def test_the_facts_and_checks_of_a_platform_are_named(self):
        header = (ROOT / "model" / "platform.h").read_text()
        facts = re.findall(r'PLATFORM_FACT\(\w+, "([\w-]+)"\)', header)
        page = re.split(r"^\.Ss ", (MAN / "berth-profile.5").read_text(), flags=re.M)
        section = next(part for part in page if part.startswith("[fact NAME]"))
        named = re.search(r"The names are\n(.*?)\nA fact", section, re.S).group(1)
        self.assertEqual(re.findall(r"^\.Ql ([\w-]+)", named, re.M), facts)

    def test_every_check_is_described_and_no_other_is(self):
        kinds = re.findall(r'CHECK_KIND\(\w+, "([\w-]+)"\)', (ROOT / "model" / "check.h").read_text())
        self.assertGreater(len(kinds), 30)
        page = (MAN / "berth.1").read_text()
        section = re.search(r"^\.Sh CHECKS\n(.*?)^\.Sh ", page, re.M | re.S).group(1)
        told = [name for line in re.findall(r"^\.It Cm (.*)$", section, re.M)
                for name in re.findall(r"[a-z][\w-]+", line)]
        self.assertEqual(sorted(told), sorted(kinds))

    def test_the_programs_find_what_is_shipped(self):
        with tempfile.TemporaryDirectory() as folder:
            conf = pathlib.Path(folder, "berth.conf")
            for name in ("libvirt", "exascale"):
                conf.write_text(f"[fleet]\nprofile = {name}\n")
                result = run(BERTH, "validate", "-c", conf, SMALL)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
            conf.write_text("[fleet]\nprofile = nosuch\n")
            self.assertEqual(run(BERTH, "validate", "-c", conf, SMALL).returncode, 2)


# Completes the last argument as bash would, prints what is offered, and FILES where readline is to
# offer the names of files.
COMPLETE = r"""
source "$1"; shift
compopt() { [[ $* = '-o default' ]] && echo FILES; }
timeout() { "${@:2}"; } # However slow this machine is.
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_berth "$1" "${@: -1}" "${*: -2:1}"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.conf = pathlib.Path(cls.folder.name, "berth.conf")
        cls.conf.write_text(f"[fleet]\nes_xml = {SMALL}\nstate_dir = {cls.folder.name}/none\n")

    def complete(self, *words, program=BERTH):
        """What is offered for the last of 'words'; nothing may be said besides."""
        result = run("bash", "--norc", "-c", COMPLETE, "bash", COMPLETION, program, *words)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.split()

    def guests(self, *words):
        return self.complete(words[0], "-c", str(self.conf), *words[1:])

    def test_every_command_is_offered(self):
        self.assertEqual(set(self.complete("")), {*commands(), "help", "--help", "--version"})
        self.assertEqual(self.complete("pl"), ["plan"])
        self.assertEqual(self.complete("help", ""), list(commands()))

    def test_every_option_is_offered_after_its_command_and_no_other_is(self):
        for command in commands():
            with self.subTest(command):
                self.assertEqual(sorted(self.complete(command, "-")), sorted(options(BERTH, command)))

    def test_what_an_option_takes_is_no_argument_of_the_command(self):
        for command in commands():
            for option, value in options(BERTH, command).items():
                with self.subTest(command=command, option=option):
                    offered = self.guests(command, option, "")
                    if value == "FILE":
                        self.assertEqual(offered, ["FILES"])
                    elif value == "GUEST":
                        self.assertEqual(offered, ["db1", "db2", "web1", "web2"])
                    elif value == "MODE":
                        self.assertEqual(offered, ["auto", "live", "offline", "offline-force"])
                    elif value == "STEP":
                        source = (ROOT / "reconciler" / "procedure.c").read_text()
                        self.assertEqual(sorted(offered), sorted(set(re.findall(r'^        \.name = "([A-Z_]+)"', source, re.M))))
                    elif value:
                        self.assertEqual(offered, [])
                    else:
                        self.assertEqual(offered, self.guests(command, ""))

    def test_guests_of_the_file_are_offered_where_a_command_takes_one(self):
        for command, arguments in commands().items():
            with self.subTest(command):
                offered = self.guests(command, "d")
                self.assertEqual(offered, ["db1", "db2"] if "GUEST" in arguments else
                                 ["FILES"] if "ES_XML" in arguments else [])
        self.assertEqual(self.guests("explain", "db1", ""), [])

    def test_the_file_named_on_the_line_is_read(self):
        self.assertEqual(self.complete("explain", "--es", str(SMALL), "web"), ["web1", "web2"])
        self.assertEqual(self.complete("explain", "--es", "=", str(SMALL), "web"), ["web1", "web2"])
        self.assertEqual(self.complete("explain", "--es", "="), ["FILES"])

    def test_what_cannot_be_read_is_passed_over_in_silence(self):
        self.assertEqual(self.complete("explain", "-c", "/nonexistent", ""), [])
        self.assertEqual(self.complete("explain", "--es", str(COMPLETION), ""), [])
        self.assertEqual(self.complete("explain", "", program="/nonexistent/berth"), [])

    def test_nothing_on_the_line_or_printed_by_the_program_is_run(self):
        trap = pathlib.Path(self.folder.name, "trap")
        attack = f"$(touch {trap})`touch {trap}`"
        fake = pathlib.Path(self.folder.name, "fake")
        fake.write_text(f"#!/bin/sh\ncat <<'E'\n {{\"guest\":\"{attack}\"}},\n"
                        " {\"guest\":\"good\"},\n {\"guest\":\"*\"}\nE\n")
        fake.chmod(0o755)
        self.assertEqual(self.complete("explain", "", program=str(fake)), ["good"])
        self.assertEqual(self.complete("explain", "-c", attack, "--es", attack, attack), [])
        self.assertFalse(trap.exists())


if __name__ == "__main__":
    unittest.main()
