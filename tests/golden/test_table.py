#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds README.md against the golden cases: every block code is shown, and every case has its reason."""

import pathlib
import re
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PLAN_H = HERE.parent.parent / "diff" / "plan.h"


def codes():
    """What a plan may say, in contract.md's order."""
    return re.findall(r'PLAN_CODE\([A-Z_]+, "([a-z-]+)"\)', PLAN_H.read_text())


def rows():
    """(first cell, names in the second) of every row of every table."""
    for line in (HERE / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 2 and re.fullmatch(r"\w+(, \w+)*", cells[1]) \
                and cells[1] != "case":
            yield cells[0], cells[1].split(", ")


def cases():
    return {path.parent.name for path in HERE.glob("*/es.xml")}


def is_shown(case, code):
    return re.search(rf"^  \S+: {code}: \S", (HERE / case / "plan.txt").read_text(), re.M)


class Table(unittest.TestCase):
    def test_every_block_code_is_shown_by_each_case_that_is_named_for_it(self):
        named = {cell.strip("`"): names for cell, names in rows() if cell.startswith("`")}
        self.assertEqual(sorted(named), sorted(codes()))
        for code, names in named.items():
            for case in names:
                with self.subTest(code=code, case=case):
                    self.assertTrue(is_shown(case, code))

    def test_every_case_is_named_and_every_name_is_a_case(self):
        self.assertEqual({name for _, names in rows() for name in names}, cases())

    def test_there_are_block_codes(self):
        self.assertIn("no-capacity", codes())


if __name__ == "__main__":
    unittest.main()
