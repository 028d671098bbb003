#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands of users who are not root, who ask a berthd that is: needs root to become them."""

import os
import pathlib
import shutil
import unittest

from daemon import HOME, ClientTest
from world import BERTH, FAILED, OK, await_true, run

READERS, ADMINS = 60, 37 # games, operator: every Debian has them.
SOMEBODY = 4321


class Callers(ClientTest):
    def setUp(self):
        super().setUp()
        self.assertEqual(os.geteuid(), 0, "these need root, to become other users")
        self.world.folder.chmod(0o755)
        for file in (BERTH, *pathlib.Path(BERTH).parent.glob("berth-client-*.so")):
            shutil.copy(file, self.world.folder) # Where they are others may not be able to reach.
        self.configure("group = games\nadmin_group = operator\n")
        self.start_daemon()

    @property
    def socket(self):
        return self.world.folder / "api.sock"

    def configure(self, text):
        self.world.configure(f"[api]\nsocket = {self.socket}\n{text}")

    def ask(self, *args, groups=()):
        """'berth ARGS' by somebody of these groups."""
        command = [self.world.folder / "berth", args[0], "-c", self.world.conf, *args[1:]]
        return run(command, user=SOMEBODY, group=SOMEBODY, extra_groups=list(groups),
                   cwd=self.world.folder)

    def test_who_may_read_is_told_and_may_not_act(self):
        result = self.ask("status", groups=[READERS])
        self.assert_exit(result, OK)
        self.assertIn("is acting", result.stdout)
        for args in (["hold"], ["check"], ["cancel"]):
            self.assert_complains(self.ask(*args, groups=[READERS]), FAILED, "may|not allowed")
        self.assertEqual(self.world.status()["holds"], [])

    def test_who_may_act_holds_under_their_own_name(self):
        self.assert_exit(self.ask("hold", "vm1", groups=[READERS, ADMINS]), OK)
        (hold,) = self.world.status()["holds"]
        self.assertEqual((hold["name"], hold["user"]), ("vm1", f"uid {SOMEBODY}"))
        self.assert_exit(self.ask("release", "vm1", groups=[READERS, ADMINS]), OK)
        self.want_a_move()
        result = self.ask("apply", groups=[READERS, ADMINS])
        self.assert_exit(result, OK)
        self.assertIn("the file puts it there", result.stdout) # The plan; how long it takes is a guess here.
        self.assertNotIn("journal", result.stderr)
        self.assertNotEqual(self.world.places(), HOME)

    def test_nobody_else_is_told_anything_but_which_group_may(self):
        for args in (["status"], ["hold"], ["apply", "--yes"], ["watch"]):
            with self.subTest(args):
                self.assert_complains(self.ask(*args), FAILED, "only root and members of the group 'games' may")

    def test_without_a_group_there_is_root_alone(self):
        self.configure("")
        for process in self.world.processes:
            process.kill()
            process.wait()
        self.start_daemon()
        await_true("root is told", lambda: self.world.status()["looked"])
        self.assert_complains(self.ask("status", groups=[READERS]), FAILED, "cannot ask berthd")


if __name__ == "__main__":
    unittest.main()
