#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that speak with a berthd: a real one on a simulated fleet, and servers that are none."""

import signal
import unittest

from daemon import STATUS, DaemonTest, http
from world import FAILED, OK, PATIENCE_S, await_true


class Status(DaemonTest):
    def test_is_told_by_berthd_where_one_runs_and_by_the_journal_where_none_does(self):
        daemon = self.start_slow_move()
        page = self.world.berth("status")
        self.assert_exit(page, OK)
        self.assertRegex(page.stdout, rf"(?m)^controller +pid {daemon.pid} is acting, looked at")
        self.assertRegex(page.stdout, r"(?m)^moving +vm1: kvm1 -> kvm2, live, \w+, \d+ %")
        self.assertRegex(page.stdout, r"(?m)^attention +InPlace .*1 of 1 guests")
        status = self.world.status()
        self.assertEqual(status["moving"]["guest"], "vm1")
        daemon.kill()
        daemon.wait()
        page = self.world.berth("status")
        self.assert_exit(page, OK)
        self.assertRegex(page.stdout, r"(?m)^controller +none is acting$")
        self.assertRegex(page.stdout, r"(?m)^unfinished +vm1: kvm1 -> kvm2")
        self.assertRegex(page.stdout, r"(?m)^last run +berthd .* did not end")
        self.assertEqual(set(status) - set(self.world.status()), {"hosts", "guests"})

    def test_of_a_fleet_in_order_says_that_all_is_well(self):
        self.start_daemon()
        await_true("all is well", lambda: "all is well" in self.world.berth("status").stdout)

    def test_names_the_line_of_a_file_that_is_not_valid_and_what_stays_in_force(self):
        self.start_daemon()
        await_true("it has looked", lambda: self.world.status()["looked"])
        self.world.replace(self.world.es, "\n<a>")
        await_true("it has seen the fault", lambda: not self.world.status()["valid"])
        page = self.world.berth("status")
        self.assert_exit(page, OK)
        self.assertRegex(page.stdout, rf"is not valid: {self.world.es}:2: .*stays in force")

    def test_of_a_faulty_file_without_berthd_names_its_line_too(self):
        self.world.replace(self.world.es, "\n<a>")
        page = self.world.berth("status")
        self.assert_exit(page, OK)
        self.assertRegex(page.stdout, rf"is not valid: {self.world.es}:2: ")
        (condition,) = [c for c in self.world.status()["conditions"] if c["type"] == "DesiredValid"]
        self.assertEqual(condition["status"], "false")

    def test_is_told_by_the_journal_when_berthd_left_its_socket_behind(self):
        daemon = self.start_daemon()
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(PATIENCE_S)
        self.assertTrue(self.socket.is_socket())
        self.assertRegex(self.world.berth("status").stdout, "controller +none")


    def test_of_a_state_directory_whose_path_no_socket_can_have(self):
        self.world.state = self.world.folder / ("a" * 150)
        self.world.configure()
        self.assertRegex(self.world.berth("status").stdout, "controller +none")


class Strangers(DaemonTest):
    """Whatever listens in berthd's place, a command ends soon, with an error of one line."""

    def assert_refused(self, talk, pattern, *args):
        with self.fake(talk):
            self.assert_complains(self.world.berth(*(args or ["status"])), FAILED, pattern)

    def test_an_answer_that_is_no_status(self):
        for body, pattern in ((b"", "no JSON"), (b"{", "no JSON"), (b"[]", "no JSON object"),
                              (b"\xff\xfe{}", "no JSON"), (b"{}", "is berthd of this version"),
                              ({"format": "berth.status/2"}, "'berth.status/2', not 'berth.status/1'"),
                              ({"format": "\x1b[2J"}, r"'\?\[2J'"), (b"[" * 100000, "no JSON")):
            with self.subTest(body[:20] if isinstance(body, bytes) else body):
                self.assert_refused(lambda c, _, body=body: c.sendall(http(body)), pattern)

    def test_an_answer_that_is_no_http(self):
        for answer in (b"", b"\0" * 1000, b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n"):
            with self.subTest(answer[:20]):
                self.assert_refused(lambda c, _, answer=answer: c.sendall(answer), "cannot ask berthd|no JSON")

    def test_an_answer_that_breaks_off(self):
        self.assert_refused(lambda c, _: c.sendall(http(STATUS, length=100000)), "cannot ask berthd")

    def test_an_answer_without_end(self):
        def pour(connection, _):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"[" * 1000000)

        self.assert_refused(pour, "its answer has no end")

    def test_an_error_that_is_said_in_words_or_is_not(self):
        said = {"error": {"code": "busy", "message": "too\nmany"}}
        self.assert_refused(lambda c, _: c.sendall(http(said, "503 Busy")), r"too\?many")
        self.assert_refused(lambda c, _: c.sendall(http(b"no", "404 No")), "answers .* with status 404")
        self.assert_refused(lambda c, _: c.sendall(http({"error": 7}, "500 No")), "with status 500")

    def test_it_is_not_led_elsewhere(self):
        answer = http(b"", "302 Found").replace(b"\r\n\r\n", b"\r\nLocation: file:///etc/passwd\r\n\r\n")
        self.assert_refused(lambda c, _: c.sendall(answer), "with status 302")

    def test_a_proxy_of_the_environment_is_not_asked(self):
        with self.fake(lambda c, _: c.sendall(http(STATUS))):
            env = {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
            result = self.world.berth("status", env=env)
        self.assert_exit(result, OK)
        self.assertIn("pid 7 is acting", result.stdout)

    def test_a_status_of_nothing_but_wrong_types_is_shown_as_far_as_it_goes(self):
        wrong = STATUS | {name: 7 for name in ("conditions", "moving", "queue", "blocked", "retries", "at")}
        with self.fake(lambda c, _: c.sendall(http(wrong))):
            result = self.world.berth("status")
        self.assert_exit(result, OK)
        self.assertIn("pid 7 is acting", result.stdout)


if __name__ == "__main__":
    unittest.main()
