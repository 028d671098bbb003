#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hooks: what berthd tells a command and a web server, and that neither can hold it up."""

import http.server
import json
import os
import pathlib
import resource
import signal
import threading
import unittest

from daemon import AWAY, HOME, DaemonTest
from world import BERTHD, FAILED, OK, PATIENCE_S, await_true

TOKEN = "correct-horse-battery-staple"


class HookTest(DaemonTest):
    def start_daemon(self, text="", **options):
        self.world.configure(f"[hooks]\n{text}")
        said = self.said("following")
        daemon = self.world.start(BERTHD, "-c", self.world.conf, **options)
        self.await_said("following", times=said + 1)
        return daemon

    def go(self, places=AWAY):
        """A move, which makes an event 'move-end' and others besides."""
        moves = self.said("move-end", "result=done")
        self.world.want(places)
        self.await_places(places)
        self.await_said("move-end", "result=done", moves + 1)


class Command(HookTest):
    def script(self, text):
        path = self.world.folder / "hook"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def told(self):
        """What the script below has written."""
        lines = [path.read_text() for path in sorted((self.world.folder / "told").glob("[a-z]*"))]
        return [json.loads(line) for line in lines]

    def recorder(self):
        """A script that leaves each event that it gets in a file of its own."""
        told = self.world.folder / "told"
        told.mkdir()
        return self.script(f'cat > "{told}/.$$" && mv "{told}/.$$" "{told}/$BERTH_EVENT.$$"')

    def test_gets_each_event_that_was_asked_for_as_json(self):
        daemon = self.start_daemon(f"command = {self.recorder()}\nevents = move-begin, move-end\n")
        self.go()
        await_true("both were told", lambda: len(self.told()) == 2)
        begin, end = self.told()
        self.assertEqual((begin["event"], begin["move"]["guest"]), ("move-begin", "vm1"))
        self.assertEqual((end["event"], end["move"]["state"]), ("move-end", "done"))
        for member in ("epoch", "seq", "uuid", "begun", "es_xml_sha256"):
            self.assertEqual(begin["move"][member], end["move"][member])
        self.assertEqual(begin["move"]["state"], "open")
        self.assert_ends(daemon)

    def test_gets_what_a_person_wants_to_hear_of_if_nothing_was_asked_for(self):
        daemon = self.start_daemon(f"command = {self.recorder()}\n")
        self.go()
        self.world.es.write_text("<a>")
        await_true("the fault was told", lambda: len(self.told()) == 2)
        self.assertEqual([event["event"] for event in self.told()], ["invalid-file", "move-end"])
        self.assertEqual(self.told()[0]["faults"][0]["line"], 1)
        self.assert_ends(daemon)

    def test_has_the_event_in_its_environment_and_nothing_of_the_daemon_s(self):
        told = self.world.folder / "environment"
        script = self.script(f'env | sort > "{told}.new"; mv "{told}.new" "{told}"')
        daemon = self.start_daemon(f"command = {script}\nevents = move-end\n",
                                   env=os.environ | {"SECRET": "x", "NOTIFY_SOCKET": "/nowhere"})
        self.go()
        await_true("it has run", told.exists)
        variables = dict(line.split("=", 1) for line in told.read_text().splitlines())
        expected = {"BERTH_EVENT": "move-end", "BERTH_GUEST": "vm1", "BERTH_FROM": "kvm1",
                    "BERTH_TO": "kvm2", "BERTH_RESULT": "done"}
        self.assertLessEqual(expected.items(), variables.items())
        self.assertLessEqual(set(variables), set(expected) | {
            "PATH", "HOME", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_"})
        self.assert_ends(daemon)

    def test_that_hangs_is_ended_and_holds_nobody_up(self):
        pids = self.world.folder / "pids"
        script = self.script(f'echo $$ >> "{pids}"; sleep 1000 & wait')
        daemon = self.start_daemon(
            f"command = {script}\ncommand_timeout = 1s\nevents = move-end, move-begin, step\n")
        for places in (AWAY, HOME, AWAY):
            self.go(places)
        self.await_said("hook-failed", 'hook=command about=.* longer than 1 s')
        self.assert_ends(daemon)
        for pid in pids.read_text().split():
            self.assertFalse(pathlib.Path(f"/proc/{pid}/exe").exists(), "it still runs")

    def test_that_hangs_does_not_keep_the_daemon_from_ending(self):
        script = self.script("trap '' TERM; sleep 1000 & wait; sleep 1000")
        daemon = self.start_daemon(f"command = {script}\ncommand_timeout = 1h\nevents = move-end\n")
        self.go()
        self.assert_ends(daemon)
        self.assertEqual(self.said("hook-dropped", "hook=command count=1"), 1, self.log())

    def test_that_fails_is_told_with_what_it_said(self):
        daemon = self.start_daemon(
            f"command = {self.script('echo alas >&2; exit 7')}\nevents = move-end\n")
        self.go()
        self.await_said("hook-output", 'hook=command about=move-end text="alas"')
        self.await_said("hook-failed", "about=move-end .*status 7")
        self.assert_ends(daemon)

    def test_that_says_what_steers_a_terminal_or_ends_a_line_is_made_harmless(self):
        script = self.script("printf '\\033[2Jevent=alarm\\r\"x\\n' >&2")
        daemon = self.start_daemon(f"command = {script}\nevents = move-end\n")
        self.go()
        self.await_said("hook-output", "text=\"\\?\\[2Jevent=alarm\\?'x\"")
        self.assert_ends(daemon)

    def test_that_is_not_there_is_told(self):
        daemon = self.start_daemon("command = /nonexistent/hook\nevents = move-end\n")
        self.go()
        self.await_said("hook-failed", "cannot run '/nonexistent/hook'")
        self.assert_ends(daemon)

    def test_that_is_slow_loses_the_events_for_which_there_is_no_room_and_they_are_counted(self):
        events = ["plan", "move-begin", "step", "move-end"]
        daemon = self.start_daemon(f"command = {self.script('sleep 1000')}\ncommand_timeout = 1h\n"
                                   f"events = {', '.join(events)}\n")
        while sum(map(self.said, events)) < 80:
            self.go(HOME if self.world.places() == AWAY else AWAY)
        self.assert_ends(daemon)
        told = sum(map(self.said, events))
        self.assertEqual(self.said("hook-dropped", f"hook=command count={told}$"), 1, self.log())

    def test_has_its_last_word_of_a_run_that_ends(self):
        self.world.want(AWAY)
        script = self.recorder()
        daemon = self.start_daemon(f"command = {script}\nevents = move-end\n")
        self.await_said("move-end", "result=done")
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(PATIENCE_S), OK)
        self.assertEqual([event["event"] for event in self.told()], ["move-end"])

    def test_is_another_one_after_a_reload(self):
        daemon = self.start_daemon()
        script = self.recorder()
        self.world.configure(f"[hooks]\ncommand = {script}\nevents = reloaded, move-end\n")
        daemon.send_signal(signal.SIGHUP)
        self.await_said("reloaded")
        self.go()
        await_true("both were told", lambda: len(self.told()) == 2)
        self.assert_ends(daemon)


class Server(http.server.ThreadingHTTPServer):
    """Answers as 'answers' says, one status after the other, the last one for ever; None: not at all."""

    daemon_threads = True

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.requests = []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook?key=hidden"

    def close(self):
        self.released.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        status = self.server.answers[0]
        if len(self.server.answers) > 1:
            self.server.answers.pop(0)
        if status is None:
            self.server.released.wait()
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *args):
        pass


class Webhook(HookTest):
    def serve(self, *answers):
        server = Server(*answers)
        self.addCleanup(server.close)
        return server

    def start_for(self, server, text="", events="move-end"):
        return self.start_daemon(f"webhook = {server.url}\nevents = {events}\n{text}")

    def await_requests(self, server, count):
        await_true(f"{count} requests have come", lambda: len(server.requests) >= count)
        self.assertEqual(len(server.requests), count)
        return server.requests

    def test_gets_each_event_as_json_one_after_the_other(self):
        server = self.serve(204)
        daemon = self.start_for(server, events="move-begin, move-end")
        self.go()
        requests = self.await_requests(server, 2)
        self.assertEqual([body["event"] for _, _, body in requests], ["move-begin", "move-end"])
        path, headers, _ = requests[0]
        self.assertEqual(path, "/hook?key=hidden")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertNotIn("Authorization", headers)
        self.assert_ends(daemon)
        self.assertEqual(self.said("hook-failed"), 0)
        self.assertNotIn("hidden", self.log())

    def test_that_fails_for_a_while_gets_it_later(self):
        server = self.serve(500, 503, 200)
        daemon = self.start_for(server)
        self.go()
        requests = self.await_requests(server, 3)
        self.assertEqual([body for _, _, body in requests], [requests[0][2]] * 3)
        self.assert_ends(daemon)
        self.assertEqual(self.said("hook-failed"), 0)

    def test_that_fails_for_ever_is_given_up_and_the_next_event_is_sent(self):
        server = self.serve(500, 500, 500, 500, 500, 200)
        daemon = self.start_for(server)
        self.go()
        self.await_said("hook-failed", "hook=webhook about=move-end .*after 5 tries.*answered 500")
        self.go(HOME)
        self.await_requests(server, 6)
        self.assert_ends(daemon)

    def test_that_refuses_is_not_asked_again_nor_followed_elsewhere(self):
        for status in (403, 302):
            with self.subTest(status):
                server = self.serve(status)
                daemon = self.start_for(server)
                self.go(AWAY if status == 403 else HOME)
                self.await_said("hook-failed", f"answered {status}")
                self.await_requests(server, 1)
                self.assert_ends(daemon)

    def test_that_hangs_holds_nobody_up(self):
        server = self.serve(None)
        daemon = self.start_for(server, "webhook_timeout = 1s\n", "move-end, move-begin, step")
        for places in (AWAY, HOME, AWAY):
            self.go(places)
        await_true("a second try is made", lambda: len(server.requests) >= 2)
        self.assertEqual(server.requests[0][2], server.requests[1][2])
        self.assert_ends(daemon)
        self.assertEqual(self.said("hook-dropped", "hook=webhook"), 1, self.log())

    def test_that_is_not_there_is_told(self):
        server = Server(200)
        server.close()
        daemon = self.start_for(server)
        self.go()
        self.await_said("hook-failed", "cannot reach the webhook")
        self.assert_ends(daemon)

    def write_token(self, mode=0o600):
        path = self.world.folder / "token"
        path.write_text(TOKEN + "\n")
        path.chmod(mode)
        return f"webhook_token_file = {path}\n"

    def test_gets_the_token_and_nobody_else_sees_it(self):
        server = self.serve(200)
        daemon = self.start_for(server, self.write_token())
        self.go()
        _, headers, body = self.await_requests(server, 1)[0]
        self.assertEqual(headers["Authorization"], f"Bearer {TOKEN}")
        self.assertNotIn(TOKEN, json.dumps(body))
        self.assertNotIn(TOKEN, pathlib.Path(f"/proc/{daemon.pid}/cmdline").read_text())
        self.assert_ends(daemon)
        self.assertNotIn(TOKEN, self.log())

    def test_is_not_told_anything_with_a_token_that_others_can_read(self):
        server = self.serve(200)
        daemon = self.start_for(server, self.write_token(0o640))
        self.go()
        self.await_said("hook-failed", "others may read or write it")
        self.assertEqual(server.requests, [])
        self.assert_ends(daemon)

    def test_has_the_last_word_of_a_run_that_fails(self):
        server = self.serve(200)
        daemon = self.start_for(server, events="journal-lost")
        self.world.want(AWAY)
        self.lose_journal(daemon)
        self.assertEqual(daemon.wait(PATIENCE_S), FAILED, self.log())
        self.assertEqual(self.await_requests(server, 1)[0][2]["event"], "journal-lost")

    def lose_journal(self, daemon):
        """The disk is full, as far as this process can tell."""
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, 0))


class Settings(HookTest):
    def assert_refused(self, text, pattern):
        self.world.configure(f"[hooks]\n{text}\n")
        result = self.world.berth("plan")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertRegex(result.stderr, pattern)
        self.assertNotIn("hidden", result.stderr)

    def test_that_would_send_events_unencrypted_to_other_machines_are_refused(self):
        for host in ("example.com", "10.0.0.1:80", "127.0.0.1.example.com", "[::2]", "localhost"):
            with self.subTest(host):
                self.assert_refused(f"webhook = http://{host}/hidden", ":7: 'webhook' is not encrypted")
        self.world.configure("[hooks]\nwebhook_insecure = yes\nwebhook = http://example.com/x\n")
        self.assertEqual(self.world.berth("plan").returncode, OK)

    def test_that_are_wrong_are_refused(self):
        self.assert_refused("webhook = ftp://hidden", ":8: 'webhook' must be")
        self.assert_refused("webhook = https://me:hidden@example.com/", ":8: 'webhook' must be")
        self.assert_refused("webhook = https:///hidden", ":8: 'webhook' must be")
        self.assert_refused("command = hooks/x", ":8: 'command' must be an absolute path")
        self.assert_refused("events = move-end, progress", ":8: 'events' must be names")
        self.assert_refused("events = ", ":8: 'events' must be names")


if __name__ == "__main__":
    unittest.main()
