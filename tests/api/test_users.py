#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what over the Unix socket, by asking as other users: needs root to become them."""

import json
import os
import socket
import stat
import unittest

from served import STATUS, Client, Served, request

READERS, ADMINS, OTHERS = 60, 37, 100 # games, operator, users: every Debian has them.
SOMEBODY, SOMEBODY_ELSE = 4321, 4322


def ask_as(uid, gid, groups, address, data):
    """What a process of that user and those groups gets for 'data', or the name of the error.  Forked, not
    run: others may not be able to reach this Python."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            with Client(address) as client:
                try:
                    client.say(data)
                    client.socket.shutdown(socket.SHUT_WR)
                except BrokenPipeError:
                    pass # It has been told already, and has not been heard.
                client.ended()
                answer = client.rest
        except OSError as error:
            answer = type(error).__name__.encode()
        os.write(writing, answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer.decode()


class Users(unittest.TestCase):
    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "these need root, to become other users")

    def serve(self, *arguments, user=None):
        served = Served(*arguments, user=user)
        self.addCleanup(served.__exit__)
        return served.start()

    def ask(self, served, data, uid=SOMEBODY, gid=SOMEBODY, groups=()):
        return ask_as(uid, gid, list(groups), served.socket, data)

    def judge(self, served, **who):
        """What the user gets: (reads, acts), each a status or the name of an error."""
        answers = (self.ask(served, request("GET", "/v1/status"), **who),
                   self.ask(served, request("POST", "/v1/hold", {"guest": "db1"}), **who))
        return tuple(int(answer.split(" ")[1]) if answer.startswith("HTTP/1.1 ") else answer.strip()
                     for answer in answers)

    def with_groups(self, **options):
        return self.serve("group=games", "admin_group=operator", **options)

    def test_the_socket_belongs_to_the_group(self):
        status = os.stat(self.with_groups().socket)
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid),
                         (0o660, 0, READERS))

    def test_root_reads_and_acts(self):
        self.assertEqual(self.judge(self.with_groups(), uid=0, gid=0), (200, 200))

    def test_root_reads_and_acts_where_another_user_serves(self):
        self.assertEqual(self.judge(self.serve(user=SOMEBODY), uid=0, gid=0), (200, 200))

    def test_the_user_who_serves_reads_and_acts_and_another_one_gets_nothing(self):
        served = self.serve(user=SOMEBODY)
        self.assertEqual(self.judge(served, uid=SOMEBODY), (200, 200))
        self.assertEqual(self.judge(served, uid=SOMEBODY_ELSE), ("PermissionError",) * 2)

    def test_members_of_the_group_read(self):
        served = self.with_groups()
        for who in ({"gid": READERS}, {"groups": [READERS]},
                    {"groups": [OTHERS, READERS] + list(range(5000, 5100))}):
            with self.subTest(who):
                self.assertEqual(self.judge(served, **who), (200, 403))

    def test_members_of_both_groups_act(self):
        served = self.with_groups()
        for who in ({"gid": READERS, "groups": [ADMINS]}, {"groups": [READERS, ADMINS]},
                    {"gid": ADMINS, "groups": [READERS]}):
            with self.subTest(who):
                self.assertEqual(self.judge(served, **who), (200, 200))

    def test_nobody_else_gets_so_far(self):
        served = self.with_groups()
        for who in ({}, {"gid": OTHERS, "groups": [1, 2, 3]}, {"groups": [ADMINS]}):
            with self.subTest(who):
                self.assertEqual(self.judge(served, **who), ("PermissionError",) * 2)

    def test_nobody_else_is_served_even_where_the_socket_lets_everybody_in(self):
        served = self.with_groups()
        os.chmod(served.socket, 0o666)
        for who in ({}, {"gid": OTHERS, "groups": [1, 2, 3]}):
            with self.subTest(who):
                self.assertEqual(self.judge(served, **who), (403, 403))
                self.assertNotIn(json.dumps(STATUS),
                                 self.ask(served, request("GET", "/v1/status"), **who))
        self.assertEqual(self.judge(served, groups=[ADMINS]), (200, 200))

    def test_without_groups_there_are_only_root_and_the_user_who_serves(self):
        served = self.serve()
        os.chmod(served.socket, 0o666)
        self.assertEqual(self.judge(served, groups=[READERS, ADMINS, 0]), (403, 403))

    def test_a_user_without_a_name_is_known_by_number_and_others_by_name(self):
        served = self.with_groups()
        for uid, name in ((SOMEBODY, f"uid {SOMEBODY}"), (65534, "nobody")):
            answer = self.ask(served, request("POST", "/v1/hold", {"guest": "db1"}), uid=uid,
                              groups=[READERS, ADMINS])
            self.assertIn(f"user={name}\"", answer)

    def test_a_group_that_the_server_cannot_give_its_socket_to_is_told(self):
        served = Served("group=games", user=SOMEBODY)
        self.addCleanup(served.__exit__)
        with self.assertRaisesRegex(RuntimeError, "^denied: cannot give .* to its group"):
            served.start()
        self.assertFalse(os.path.exists(served.socket))

    def test_one_user_cannot_take_the_places_of_another(self):
        served = self.with_groups()
        greedy = [served.client() for _ in range(16)] # Root's.
        for client in greedy:
            self.addCleanup(client.socket.close)
            client.say(request("GET", "/v1/status"))
            self.assertEqual(client.answer().status, 200)
        with served.client() as client:
            self.assertEqual(client.answer().status, 503)
        self.assertEqual(self.judge(served, groups=[READERS]), (200, 403))

    def test_a_token_of_another_user_is_refused(self):
        served = Served(tcp=True, user=SOMEBODY)
        self.addCleanup(served.__exit__)
        token = served.folder / "token"
        token.write_text("correct-horse-battery-staple")
        served.arguments.append(f"token_file={token}")
        for owner, mode, reason in ((SOMEBODY_ELSE, 0o600, "^io: |^denied: "),
                                    (SOMEBODY, 0o644, "^denied: ")):
            os.chown(token, owner, -1)
            token.chmod(mode)
            with self.subTest(owner=owner, mode=mode), self.assertRaisesRegex(RuntimeError, reason):
                served.start()
        token.chmod(0o600)
        served.start()


if __name__ == "__main__":
    unittest.main()
