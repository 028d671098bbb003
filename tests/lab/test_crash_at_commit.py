#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crash_at_commit.c kills at the commit it was told, on the side it was told.  $BERTH_CRASH_SHIM is
the built module."""

import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

BY_STEP = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for n in range(1, 4):
    db.execute("BEGIN"); db.execute("INSERT INTO t VALUES (?)", (n,)); db.execute("COMMIT")
"""
BY_EXEC = """
import ctypes, sys
lib, db = ctypes.CDLL(None), ctypes.c_void_p()
assert lib.sqlite3_open(sys.argv[1].encode(), ctypes.byref(db)) == 0
for n in range(1, 4):
    for sql in (b"BEGIN", b"INSERT INTO t VALUES (%d)" % n, b"COMMIT"):
        assert lib.sqlite3_exec(db, sql, None, None, None) == 0
"""


class CrashAtCommit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def outcome(self, program, number="", when=""):
        """(exit status, rows kept, commits seen) of three transactions of a row each."""
        database, log = self.folder / f"{number}{when}.db", self.folder / f"{number}{when}.log"
        with sqlite3.connect(database) as db:
            db.execute("CREATE TABLE t (n)")
        db.close()
        # Python loads SQLite late, where the shim would not find it; berth is linked with it.
        environment = {
            **os.environ,
            "LD_PRELOAD": f"{os.environ['BERTH_CRASH_SHIM']} libsqlite3.so.0",
            "BERTH_CRASH_COMMIT": str(number),
            "BERTH_CRASH_WHEN": when,
            "BERTH_CRASH_LOG": str(log),
        }
        done = subprocess.run(
            [sys.executable, "-c", program, database], env=environment, check=False
        )
        db = sqlite3.connect(database)
        rows = [row for row, in db.execute("SELECT n FROM t ORDER BY n")]
        db.close()
        return done.returncode, rows, len(log.read_text().splitlines())

    def test_without_a_number_every_commit_is_counted_and_happens(self):
        for program in (BY_STEP, BY_EXEC):
            self.assertEqual(self.outcome(program), (0, [1, 2, 3], 3))
            (self.folder / ".db").unlink()
            (self.folder / ".log").unlink()

    def test_before_loses_the_commit_and_after_keeps_it(self):
        for program in (BY_STEP, BY_EXEC):
            for number in (1, 2, 3):
                rows = list(range(1, number + 1))
                self.assertEqual(
                    self.outcome(program, number, "before"), (-signal.SIGKILL, rows[:-1], number)
                )
                self.assertEqual(
                    self.outcome(program, number, "after"), (-signal.SIGKILL, rows, number)
                )
                for file in self.folder.iterdir():
                    file.unlink()

    def test_a_number_beyond_the_last_commit_changes_nothing(self):
        self.assertEqual(self.outcome(BY_STEP, 4, "before"), (0, [1, 2, 3], 3))


if __name__ == "__main__":
    unittest.main(verbosity=2)
