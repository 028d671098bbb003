#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that speak with a berthd: a real one on a simulated fleet, and servers that are none."""

import json
import os
import pwd
import signal
import unittest

from daemon import AWAY, HOME, STATUS, ClientTest, http
from world import BLOCKED, CANCELLED, FAILED, INVALID, OK, PATIENCE_S, await_true


class Status(ClientTest):
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


class Steers(ClientTest):
    """Through berthd where one runs, into the journal where none does: the same words and effects."""

    def assert_done(self, pattern, *args):
        result = self.world.berth(*args)
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, pattern)

    def holds(self):
        return [(hold["scope"], hold["name"], hold["reason"]) for hold in self.world.status()["holds"]]

    def test_a_cancelled_move_leaves_its_guest_where_it_was_until_it_is_released(self):
        self.start_slow_move()
        self.assert_done("cancel requested: 'vm1' stays", "cancel", "vm1")
        await_true("the move is over", lambda: not self.world.status()["moves"])
        self.assertEqual(self.world.places(), HOME)
        page = self.world.berth("status").stdout
        self.assertRegex(page, r"(?m)^blocked +vm1: held: ")
        self.assertRegex(page, r"(?m)^held +vm1 by \S+ since .*'berth release vm1'")
        self.assert_done("'vm1' may be moved again", "release", "vm1")
        self.finish_move()
        self.await_places(AWAY)

    def test_what_moves_is_cancelled_without_naming_it(self):
        self.start_slow_move()
        result = self.world.berth("cancel", "--json")
        self.assert_exit(result, OK)
        self.assertEqual(json.loads(result.stdout)["format"], "berth.cancel/1")
        await_true("the move is over", lambda: not self.world.status()["moves"])
        self.assertEqual(self.world.places(), HOME)

    def test_nothing_is_cancelled_where_nothing_moves(self):
        self.assert_complains(self.world.berth("cancel"), FAILED, "no berthd runs")
        self.start_daemon()
        for args in ([], ["vm1"]):
            self.assert_complains(self.world.berth("cancel", *args), FAILED, "cannot cancel")

    def test_a_hold_keeps_everything_a_host_or_a_guest_from_moving_until_its_release(self):
        for daemon in (None, self.start_daemon):
            process = daemon() if daemon else None
            for name, scope in ((None, "fleet"), ("kvm2", "host"), ("vm1", "guest")):
                with self.subTest(scope, daemon=bool(daemon)):
                    names = [name] if name else []
                    self.assert_done("is held: nothing of it", "hold", *names, "--reason", "new\ndisk")
                    self.assertEqual(self.holds(), [(scope, name, "new\ndisk")])
                    page = self.world.berth("status").stdout
                    self.assertRegex(page, r"(?m)^held .* by \S+ since \S+: new\?disk")
                    self.assert_exit(self.world.berth("plan"), OK)
                    self.want_a_move()
                    self.assertRegex(self.world.berth("plan").stdout, "vm1: held: ")
                    self.world.want(HOME)
                    self.assert_done("may be moved again", "release", *names)
                    self.assertEqual(self.holds(), [])
                    self.assert_complains(self.world.berth("release", *names), FAILED, "nobody holds it")
            if process:
                process.kill()

    def test_a_hold_of_what_left_the_file_is_released_when_it_is_said_what_it_was(self):
        for daemon in (None, self.start_daemon):
            with self.subTest(daemon=bool(daemon)):
                self.world.want(HOME)
                if daemon:
                    daemon()
                self.assert_done("'vm1' is held", "hold", "vm1")
                self.world.want({"kvm1": [], "kvm2": []})
                self.assert_complains(self.world.berth("release", "vm1"), INVALID, "say whether")
                self.assert_done("'vm1' may be moved again", "release", "vm1", "--guest")
                self.assertEqual(self.holds(), [])

    def test_a_hold_outlives_berthd(self):
        daemon = self.start_daemon()
        self.assert_done("'vm1' is held", "hold", "vm1")
        daemon.kill()
        daemon.wait(PATIENCE_S)
        self.want_a_move()
        self.start_daemon()
        await_true("vm1 is blocked", lambda: self.world.status()["blocked"])
        self.assertEqual(self.world.status()["blocked"][0]["code"], "held")
        self.assertEqual(self.world.places(), HOME)

    def test_a_name_that_the_file_does_not_have_is_refused(self):
        for daemon in (None, self.start_daemon):
            if daemon:
                daemon()
            for verb in ("hold", "release", "retry", "cancel"):
                with self.subTest(verb, daemon=bool(daemon)):
                    self.assert_complains(self.world.berth(verb, "nobody"), INVALID, "'nobody'")
            self.assert_complains(self.world.berth("retry", "kvm1"), INVALID, "'kvm1'")
            self.assertEqual(self.holds(), [])

    def test_a_faulty_file_keeps_nobody_from_holding(self):
        self.start_daemon()
        self.world.replace(self.world.es, "<a>")
        self.assert_done("the fleet is held", "hold")
        self.assert_done("'vm1' is held", "hold", "vm1", "--guest")
        result = self.world.berth("hold", "vm1")
        self.assert_exit(result, INVALID)
        self.assertIn(f"{self.world.es}:1: ", result.stderr)
        self.assertRegex(result.stderr, "cannot tell what 'vm1' is\nhint: .*--guest or --host")
        self.assert_complains(self.world.berth("hold", "kvm1", "--guest"), FAILED, "no such guest")

    def test_a_reason_without_end_is_refused(self):
        for daemon in (None, self.start_daemon):
            if daemon:
                daemon()
            result = self.world.berth("hold", "--reason", "x" * 600)
            self.assert_complains(result, INVALID, "the reason is longer")
            self.assertEqual(self.holds(), [])

    def test_check_makes_berthd_look_at_once(self):
        self.assert_complains(self.world.berth("check"), FAILED, "no berthd runs")
        self.start_daemon()
        before = self.world.status()["next_look"]
        await_true("time has passed", lambda: self.world.status()["at"] > self.world.status()["looked"])
        self.assert_done("are looked at now", "check")
        await_true("it has looked again", lambda: self.world.status()["next_look"] != before)


class History(ClientTest):
    def test_orders_stand_between_the_moves_with_who_gave_them(self):
        self.start_daemon()
        self.world.want(AWAY)
        self.assert_exit(self.world.berth("apply"), OK)
        self.assert_exit(self.world.berth("hold", "vm1"), OK)
        self.assert_exit(self.world.berth("release", "vm1"), OK)
        self.assert_exit(self.world.berth("hold"), OK)
        user = pwd.getpwuid(os.getuid()).pw_name
        lines = self.world.berth("history").stdout.splitlines()
        wanted = ["vm1 +kvm1 -> kvm2 +live +done", f"vm1 +hold by {user}$", f"vm1 +release by {user}$",
                  rf"\(the fleet\) +hold by {user}$"]
        self.assertEqual(len(lines), len(wanted), lines)
        for line, pattern in zip(lines, wanted):
            self.assertRegex(line, rf"^\S+Z  {pattern}")
        self.assertEqual(self.world.berth("history", "-n", "2").stdout.splitlines(), lines[2:])
        document = json.loads(self.world.berth("history", "--json").stdout)
        self.assertEqual([move["guest"] for move in document["moves"]], ["vm1"])
        self.assertEqual([(event["kind"], event["guest"], event["text"]) for event in document["events"]],
                         [("hold", "vm1", user), ("release", "vm1", user), ("hold", None, user)])
        ofguest = json.loads(self.world.berth("history", "vm1", "--json").stdout)
        self.assertEqual([event["kind"] for event in ofguest["events"]], ["hold", "release"])
        self.assertNotEqual(ofguest["moves"][0]["steps"], [])


class Follows(ClientTest):
    """What changes the fleet looks on while berthd does it, and tells what a run of its own would."""

    def test_a_move_under_way_to_its_end_without_asking(self):
        self.start_slow_move()
        apply = self.start_following("apply")
        self.await_line(apply, "is under way")
        self.finish_move()
        self.assertEqual(apply.wait(PATIENCE_S), OK)
        said = apply.stdout.read()
        self.assertIn("1 guest moved", said)
        self.assertIn("1 move, 1 GiB", said)  # The plan that it is a move of.
        self.assertNotIn("Nothing to do", said)
        self.assertEqual(self.world.places(), AWAY)

    def test_what_was_saved_just_before(self):
        self.start_daemon()
        for number, places in enumerate((AWAY, HOME, AWAY)):
            self.world.want(places)
            result = self.world.berth("apply", "--json")
            self.assert_exit(result, OK)
            self.assertEqual(json.loads(result.stdout)["moved"], 1, number)
            self.assertEqual(self.world.places(), places)

    def test_nothing_to_do_is_told(self):
        self.start_daemon()
        result = self.world.berth("apply")
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, r"^Nothing to do.*\n\Z")

    def test_a_blocked_guest_is_told_with_its_reason(self):
        self.start_daemon()
        self.assert_exit(self.world.berth("hold", "vm1"), OK)
        self.want_a_move()
        result = self.world.berth("apply")
        self.assert_exit(result, BLOCKED)
        self.assertIn("vm1: held: ", result.stdout)
        result = self.world.berth("apply", "--json")
        self.assert_exit(result, BLOCKED)
        self.assertEqual([b["code"] for b in json.loads(result.stdout)["blocked"]], ["held"])

    def test_a_move_that_fails_is_told_with_its_reason(self):
        fault = {"op": "migrate", "error": "unsafe", "text": "a disk is not shared", "times": 1}
        self.world.edit_fleet(lambda fleet: fleet.update(faults=[fault]))
        self.start_daemon()
        result = self.world.berth("migrate", "vm1", "--to", "kvm2", "--yes")
        self.assert_exit(result, FAILED)
        self.assertIn("a disk is not shared", result.stderr)
        self.assertIn("1 move failed", result.stdout)

    def test_the_guest_that_was_asked_for_and_not_others(self):
        self.world.have({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.world.want({"kvm1": ["vm1", "vm2"], "kvm2": []})
        self.start_daemon()
        self.assert_exit(self.world.berth("hold", "vm2"), OK)
        self.world.want({"kvm1": [], "kvm2": ["vm1", "vm2"]})
        self.assert_exit(self.world.berth("apply", "--only", "vm1"), OK)
        self.assert_exit(self.world.berth("apply", "--only", "vm2"), BLOCKED)
        self.assert_complains(self.world.berth("apply", "--only", "vm9"), INVALID, "no guest 'vm9'")

    def test_a_signal_ends_the_looking_on_and_not_the_move(self):
        self.start_slow_move()
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                apply = self.start_following("apply")
                self.await_line(apply, "is under way")
                apply.send_signal(number)
                self.assertEqual(apply.wait(PATIENCE_S), CANCELLED)
                self.assertIn("berthd goes on", apply.stderr.read())
        self.assertEqual(self.world.status()["moving"]["guest"], "vm1")

    def test_a_berthd_that_is_started_anew(self):
        daemon = self.start_slow_move()
        apply = self.start_following("apply")
        self.await_line(apply, "is under way")
        daemon.kill()
        daemon.wait(PATIENCE_S)
        self.await_line(apply, "does not answer: waiting")
        self.start_daemon()
        self.finish_move()
        self.assertEqual(apply.wait(PATIENCE_S), OK)
        self.assertEqual(self.world.places(), AWAY)

    def test_a_berthd_that_is_gone_for_good_until_it_is_given_up(self):
        daemon = self.start_slow_move()
        apply = self.start_following("apply")
        self.await_line(apply, "is under way")
        daemon.kill()
        daemon.wait(PATIENCE_S)
        self.assertEqual(apply.wait(PATIENCE_S), FAILED)
        self.assertRegex(apply.stderr.read(), "(?m)^berth: cannot ask berthd at ")

    def test_a_file_that_is_spoilt_meanwhile(self):
        self.start_slow_move()
        apply = self.start_following("apply")
        self.await_line(apply, "is under way")
        self.world.replace(self.world.es, "<a>")
        self.finish_move()
        self.assertEqual(apply.wait(PATIENCE_S), INVALID)

    def test_events_that_are_none(self):
        pass_event = b"event: pass\ndata: {}\n\n"
        rest = STATUS | {"next_look": "2026-11-24T12:01:00Z"}
        for events in (b"event: move-begin\ndata: {\n\n", b"event: move-end\ndata: {\"move\":7}\n\n",
                       b"event: step\ndata: {\"op\":\"fly\",\"host\":\"x\"}\n\n",
                       b"event: progress\ndata: []\n\n", b"event: plan\ndata: 7\n\n", b"\0\xff\n\n",
                       b"event: move-begin\ndata: {\"move\":{\"guest\":\"a\",\"from\":\"b\",\"to\":\"c\","
                       b"\"mode\":\"warp\",\"state\":\"open\"}}\n\n"):
            def talk(connection, request, events=events):
                if b"/v1/events" in request:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + events + pass_event)
                    connection.recv(1)
                elif b"/v1/status" in request:
                    digest = json.loads(self.world.berth("plan", "--json").stdout)["es_xml_sha256"]
                    connection.sendall(http(rest | {"es_xml_sha256": digest}))
                else:
                    connection.sendall(http({"message": "looks"}))

            with self.subTest(events), self.fake(talk, several=True):
                self.assert_exit(self.world.berth("apply"), OK)

    def test_an_event_without_end_and_a_stream_that_is_refused(self):
        def pour(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\ndata: ")
            while True:
                connection.sendall(b"x" * 100000)

        def refuse(connection):
            connection.sendall(http({"error": {"code": "busy", "message": "no"}}, "503 Busy"))

        for stream, pattern in ((pour, "cannot ask berthd"), (refuse, "HTTP status 503")):
            def talk(connection, request, stream=stream):
                if b"/v1/events" in request:
                    stream(connection)
                connection.sendall(http(STATUS))

            with self.subTest(pattern), self.fake(talk, several=True):
                result = self.world.berth("apply")
                self.assert_exit(result, FAILED)
                self.assertRegex(result.stderr, pattern)


class Strangers(ClientTest):
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
