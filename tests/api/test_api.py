#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the control API answers whom: documents, acts, events, and the rules of who may ask."""

import json
import os
import pathlib
import signal
import socket
import stat
import unittest

from served import STATUS, Client, Served, request

TOKEN = "correct-horse-battery-staple"


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        names = ("status", "plan", "guests", "guests-db1", "hosts", "hosts-kvm1", "history")
        documents = {f"{name}.json": json.dumps({"name": name}) for name in names}
        cls.served = Served(documents=documents | {"metrics.txt": "up 1\n"})
        cls.served.__enter__()
        cls.addClassCleanup(cls.served.__exit__)

    def test_each_document_is_the_backends(self):
        for path, name in (("status", "status"), ("plan", "plan"), ("guests", "guests"),
                           ("guests/db1", "guests-db1"), ("hosts", "hosts"),
                           ("hosts/kvm1", "hosts-kvm1"), ("history", "history")):
            with self.subTest(path):
                answer = self.served.ask("GET", f"/v1/{path}")
                self.assertEqual((answer.status, answer.json), (200, {"name": name}))
                self.assertEqual(answer.fields["Content-Type"], "application/json")
                self.assertEqual(answer.fields["Cache-Control"], "no-store")

    def test_metrics_are_text_as_prometheus_wants_it(self):
        answer = self.served.ask("GET", "/metrics")
        self.assertEqual((answer.status, answer.body), (200, b"up 1\n"))
        self.assertEqual(answer.fields["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")

    def test_head_is_get_without_the_body(self):
        whole = self.served.ask("GET", "/v1/status")
        head = self.served.ask("HEAD", "/v1/status")
        self.assertEqual((head.status, head.fields["Content-Length"]),
                         (200, whole.fields["Content-Length"]))

    def test_the_query_of_history_reaches_the_backend(self):
        self.assertEqual(self.served.ask(
            "GET", "/v1/history?guest=db1&limit=7&since=2026-11-23T12:00:00Z").status, 200)
        self.assertEqual(self.served.asked(),
                         {"guest": "db1", "host": "", "limit": "7", "since": "1795435200000"})
        self.assertEqual(self.served.ask("GET", "/v1/history").status, 200)
        self.assertEqual(self.served.asked(),
                         {"guest": "", "host": "", "limit": "50", "since": "0"})

    def test_a_query_that_does_not_fit_is_refused(self):
        for query in ("history?limit=0", "history?limit=-1", "history?limit=100001",
                      "history?limit=1x", "history?limit", "history?guest=a/b", "history?guest=",
                      "history?since=yesterday", "history?limit=1&limit=2", "history?color=red",
                      "status?limit=1", "history?guest=db1%00x", "history?%00=1",
                      "guests/db1?guest=db2"):
            with self.subTest(query):
                answer = self.served.ask("GET", f"/v1/{query}")
                self.assertEqual((answer.status, answer.code), (400, "invalid"))

    def test_what_is_not_there_is_404(self):
        for path in ("/", "/v1", "/v1/", "/v1/nothing", "/v1/status/", "/v1/guests/",
                     "/v1/guests/a/b", "/v1/guests/..", "/v1/guests/a%2fb", "/v1/plan/db1",
                     "/v1/metrics", "/metrics/", "/v2/status", "/v1/guests/other",
                     "/v1/guests/" + "a" * 64, "/v1/guests/%ff"):
            with self.subTest(path):
                answer = self.served.ask("GET", path)
                self.assertEqual((answer.status, answer.code), (404, "not-found"))

    def test_another_method_is_405_and_the_right_ones_are_told(self):
        for method, path, allow in (("POST", "/v1/status", "GET, HEAD"),
                                    ("DELETE", "/v1/guests/db1", "GET, HEAD"),
                                    ("GET", "/v1/hold", "POST"), ("PUT", "/v1/hold", "POST"),
                                    ("BREW", "/metrics", "GET, HEAD")):
            with self.subTest(f"{method} {path}"):
                answer = self.served.ask(method, path)
                self.assertEqual((answer.status, answer.fields["Allow"], answer.code),
                                 (405, allow, "method-not-allowed"))

    def test_one_connection_serves_one_request_after_the_other(self):
        with self.served.client() as client:
            for _ in range(3):
                client.say(request("GET", "/v1/plan"))
                self.assertEqual(client.answer().json, {"name": "plan"})


class Acts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = Served()
        cls.served.__enter__()
        cls.addClassCleanup(cls.served.__exit__)

    def act(self, verb, body=None, **fields):
        return self.served.ask("POST", f"/v1/{verb}", body, **fields)

    def test_each_verb_reaches_the_backend_with_what_was_said(self):
        for verb, body, told in (
                ("cancel", None, "guest= host= reason="),
                ("cancel", {"guest": "db1"}, "guest=db1 host= reason="),
                ("hold", {"guest": "db1", "reason": "disk é"}, "guest=db1 host= reason=disk é"),
                ("hold", {"host": "kvm1.example.com"}, "guest= host=kvm1.example.com reason="),
                ("hold", {}, "guest= host= reason="),
                ("release", {"host": "kvm1"}, "guest= host=kvm1 reason="),
                ("retry", {"guest": "now"}, "guest=now host= reason="),
                ("check", {}, "guest= host= reason="),
                ("force", {"guest": "db1", "to": "kvm2"}, "guest=db1 host= reason= to=kvm2"),
                ("force", {"guest": "db1", "to": "kvm2", "source_is_dead": "kvm1"},
                 "guest=db1 host= reason= to=kvm2 dead=kvm1")):
            with self.subTest(verb=verb, body=body):
                answer = self.act(verb, body)
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.json["message"], f"verb={verb} {told} user=root")
                self.assertEqual(answer.json["verb"], verb)
                self.assertEqual(answer.json["guest"], (body or {}).get("guest"))

    def test_others_are_served_while_an_act_waits(self):
        with self.served.client() as waiting:
            waiting.say(request("POST", "/v1/hold", {"guest": "slow"}))
            self.assertEqual(self.served.ask("GET", "/v1/status").json, STATUS)
            self.assertEqual(waiting.answer().json["guest"], "slow")

    def test_an_error_of_the_backend_has_its_status_and_sentence(self):
        for guest, status, code in (("refused", 409, "refused"), ("absent", 404, "not-found"),
                                    ("busy", 503, "busy")):
            with self.subTest(guest):
                answer = self.act("hold", {"guest": guest})
                self.assertEqual((answer.status, answer.code), (status, code))
                self.assertEqual(answer.json["error"]["message"], f"the backend says '{guest}'")

    def test_a_body_that_does_not_fit_is_refused(self):
        for verb, body in (("hold", "{"), ("hold", "[]"), ("hold", "null"), ("hold", '"db1"'),
                           ("hold", '{"guest":"db1"} x'), ("hold", '{"guest":1}'),
                           ("hold", '{"guest":"a b"}'), ("hold", '{"guest":""}'),
                           ("hold", '{"guest":"a\\u0000b"}'), ("hold", '{"guest":null}'),
                           ("hold", '{"guest":"a","guest":"b"}'), ("hold", '{"color":"red"}'),
                           ("hold", '{"guest":"a","host":"b"}'), ("retry", "{}"),
                           ("retry", '{"host":"a"}'), ("check", '{"guest":"a"}'),
                           ("cancel", '{"guest":"a","reason":"b"}'), ("force", "{}"),
                           ("force", '{"guest":"a"}'), ("force", '{"to":"a"}'),
                           ("force", '{"guest":"a","to":"b c"}'), ("hold", '{"guest":"a","to":"b"}'),
                           ("force", '{"guest":"a","to":"b","source_is_dead":7}'), ("hold", '{"guest":"\xff"}'),
                           ("hold", '{"%s":"x"}' % ("n" * 3000)), ("hold", "[" * 2000)):
            with self.subTest(verb=verb, body=body):
                answer = self.act(verb, body)
                self.assertEqual((answer.status, answer.code), (400, "invalid"))

    def test_a_body_of_another_type_is_415(self):
        for kind in (None, "text/plain", "application/x-www-form-urlencoded",
                     "multipart/form-data; boundary=x", "application/jsonx"):
            with self.subTest(kind):
                answer = self.act("hold", {}, Content_Type=kind)
                self.assertEqual((answer.status, answer.code), (415, "unsupported-type"))
        self.assertEqual(self.act("hold", {}, Content_Type="application/json; charset=utf-8").status,
                         200)

    def test_a_body_that_is_too_large_is_413(self):
        self.assertEqual(self.act("hold", {"reason": "x" * 4000}).status, 200)
        answer = self.act("hold", {"reason": "x" * 5000})
        self.assertEqual((answer.status, answer.code), (413, "too-large"))
        with self.served.client() as client: # Without saying so before.
            client.say(request("POST", "/v1/hold", Content_Type="application/json",
                               Transfer_Encoding="chunked"))
            client.say("1000\r\n" + " " * 4096 + "\r\n" + "10\r\n" + " " * 16 + "\r\n0\r\n\r\n")
            self.assertEqual(client.answer().status, 413)

    def test_a_body_may_come_in_pieces_and_chunks(self):
        with self.served.client() as client:
            client.say(request("POST", "/v1/hold", Content_Type="application/json",
                               Transfer_Encoding="chunked"))
            for part in ('{"gu', 'est":', '"db1"}'):
                client.say(f"{len(part):x}\r\n{part}\r\n")
            client.say("0\r\n\r\n")
            self.assertEqual(client.answer().json["guest"], "db1")

    def test_a_page_of_the_web_may_not_act(self):
        answer = self.act("hold", {}, Origin="http://localhost")
        self.assertEqual((answer.status, answer.code), (403, "denied"))

    def test_a_caller_that_goes_while_its_act_waits_is_no_trouble(self):
        with self.served.client() as client:
            client.say(request("POST", "/v1/hold", {"guest": "slow"}))
        self.assertEqual(self.act("hold", {"guest": "slow"}).status, 200)


class Events(unittest.TestCase):
    def setUp(self):
        self.served = Served()
        self.served.__enter__()
        self.addCleanup(self.served.__exit__)

    def follow(self, path="/v1/events", **fields):
        """A client that has read the head and the first lines of a stream."""
        client = self.served.client()
        self.addCleanup(client.socket.close)
        client.say(f"GET {path} HTTP/1.0\r\n" + # Not chunked, so what comes is the stream itself.
                   "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in fields.items()) + "\r\n")
        head = client.until(b"\r\n\r\n")
        self.assertIn(b" 200 ", head)
        self.assertIn(b"Content-Type: text/event-stream", head)
        self.assertEqual(client.until(b"\n\n"), b"retry: 2000")
        return client

    def event(self, client):
        fields = dict(line.split(": ", 1) for line in client.until(b"\n\n").decode().split("\n"))
        return fields.get("id"), fields["event"], fields["data"]

    def test_everybody_who_follows_gets_every_event_in_order(self):
        clients = [self.follow() for _ in range(3)]
        for number in range(20):
            self.served.publish("move", f'{{"n":{number}}}')
        for client in clients:
            events = [self.event(client) for _ in range(20)]
            self.assertEqual([data for _, _, data in events],
                             [f'{{"n":{number}}}' for number in range(20)])
            self.assertEqual(len({id for id, _, _ in events}), 20)

    def test_a_reader_that_was_away_gets_what_it_missed(self):
        client = self.follow()
        for number in range(4):
            self.served.publish("move", str(number))
        seen = [self.event(client) for _ in range(4)]
        for again in (self.follow(Last_Event_ID=seen[1][0]),
                      self.follow(f"/v1/events?since={seen[1][0]}")):
            self.assertEqual([self.event(again) for _ in range(2)], seen[2:])

    def test_a_reader_that_was_away_too_long_is_told_so(self):
        client = self.follow()
        self.served.publish("move", "0")
        first, _, _ = self.event(client)
        for number in range(1, 400):
            self.served.publish("move", str(number))
            self.event(client)
        again = self.follow(Last_Event_ID=first)
        self.assertEqual(self.event(again), (None, "missed", "{}"))
        self.assertEqual(self.event(again)[2], str(400 - 256))

    def test_an_id_that_is_none_of_ours_is_as_good_as_having_missed_everything(self):
        for id in ("1", "0-1", "x", "18446744073709551616", "-"):
            with self.subTest(id):
                self.assertEqual(self.event(self.follow(Last_Event_ID=id)),
                                 (None, "missed", "{}"))

    def test_an_id_of_an_earlier_life_is_not_taken_for_one_of_this(self):
        client = self.follow()
        self.served.publish("move", "0")
        earlier, _, _ = self.event(client)
        client.socket.close()
        self.assertEqual(self.served.stop(), (0, ""))
        self.served.start()
        self.assertEqual(self.event(self.follow(Last_Event_ID=earlier))[1], "missed")

    def test_an_event_that_is_too_large_is_told_without_its_contents(self):
        client = self.follow()
        self.served.publish("plan", '"' + "x" * 70000 + '"')
        self.assertEqual(self.event(client)[1:], ("plan", '{"too_large":true}'))
        self.served.publish("plan", '"' + "x" * 60000 + '"')
        self.assertEqual(len(self.event(client)[2]), 60002)

    def test_a_line_end_within_an_event_does_not_end_it(self):
        client = self.follow()
        self.served.publish("plan", '{"a":\r1}')
        self.assertEqual(self.event(client)[1:], ("plan", '{"a": 1}'))

    def test_a_quiet_stream_says_that_it_lives(self):
        client = self.follow()
        self.assertEqual(client.until(b"\n\n"), b":")

    def test_streams_end_with_the_server(self):
        client = self.follow()
        self.assertEqual(self.served.stop(), (0, ""))
        self.assertTrue(client.ended())

    def test_head_of_the_events_is_no_stream(self):
        for _ in range(20):
            self.assertEqual(self.served.ask("HEAD", "/v1/events").status, 200)
        self.follow()


class Socket(unittest.TestCase):
    def test_it_is_for_the_owner_alone_where_there_is_no_group(self):
        with Served() as served:
            self.assertEqual(stat.S_IMODE(os.stat(served.socket).st_mode), 0o600)

    def test_it_goes_with_the_server(self):
        with Served() as served:
            self.assertEqual(served.stop(), (0, ""))
            self.assertFalse(os.path.exists(served.socket))

    def test_one_that_a_dead_server_left_is_replaced(self):
        with Served() as served:
            served.process.send_signal(signal.SIGKILL)
            served.process.communicate()
            self.assertTrue(os.path.exists(served.socket))
            served.start()
            self.assertEqual(served.ask("GET", "/v1/status").json, STATUS)

    def test_one_on_which_somebody_listens_is_left_alone(self):
        with Served() as served:
            with self.assertRaisesRegex(RuntimeError, "^busy: cannot listen on .*: another program does"):
                Served(socket_path=served.socket).__enter__()
            self.assertEqual(served.ask("GET", "/v1/status").json, STATUS)

    def test_what_is_no_socket_is_left_alone(self):
        served = Served()
        self.addCleanup(served.__exit__)
        pathlib.Path(served.socket).write_text("precious")
        with self.assertRaisesRegex(RuntimeError, "^invalid: .*something else"):
            served.start()
        self.assertEqual(pathlib.Path(served.socket).read_text(), "precious")

    def test_the_socket_of_a_successor_is_not_removed(self):
        with Served() as served:
            os.rename(served.socket, served.socket + ".old")
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(served.socket)
                self.assertEqual(served.stop(), (0, ""))
                self.assertTrue(os.path.exists(served.socket))

    def test_a_path_that_cannot_be_is_told(self):
        for path, reason in (("/nonexistent/api.sock", "^io: .*No such file"),
                             ("/tmp/" + "x" * 120, "^invalid: .*longer than 107 bytes")):
            with self.subTest(path), self.assertRaisesRegex(RuntimeError, reason):
                Served(socket_path=path).__enter__()

    def test_a_group_that_does_not_exist_is_told(self):
        for key in ("group", "admin_group"):
            with self.subTest(key), self.assertRaisesRegex(
                    RuntimeError, "^invalid: cannot serve the group 'no-such': no such group"):
                Served(f"{key}=no-such").__enter__()


class Tcp(unittest.TestCase):
    def serve(self, *arguments, token=None):
        served = Served(*arguments, tcp=True)
        self.addCleanup(served.__exit__)
        if token is not None:
            path = served.folder / "token"
            path.write_text(token)
            path.chmod(0o600)
            served.arguments.append(f"token_file={path}")
        return served.start()

    def test_everybody_reads_and_nobody_acts_without_a_token_configured(self):
        served = self.serve()
        self.assertEqual(served.ask("GET", "/v1/status", tcp=True).json, STATUS)
        for fields in ({}, {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer "}):
            with self.subTest(fields):
                answer = served.ask("POST", "/v1/hold", {}, tcp=True, **fields)
                self.assertIn(answer.status, (401, 403))
        self.assertEqual(served.ask("POST", "/v1/hold", {}, tcp=True).status, 403)

    def test_who_knows_the_token_acts(self):
        served = self.serve(token=TOKEN + "\n")
        for scheme in ("Bearer", "bearer"):
            answer = served.ask("POST", "/v1/hold", {}, tcp=True, Authorization=f"{scheme} {TOKEN}")
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.json["message"].endswith("user=token"))
        self.assertEqual(served.ask("GET", "/v1/status", tcp=True).status, 200)

    def test_a_wrong_token_is_401_whatever_is_asked(self):
        served = self.serve(token=TOKEN)
        for given in ("Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer  {TOKEN}",
                      f"Basic {TOKEN}", TOKEN, "Bearer"):
            for method, path, body in (("POST", "/v1/hold", {}), ("GET", "/v1/status", None)):
                with self.subTest(given=given, method=method):
                    answer = served.ask(method, path, body, tcp=True, Authorization=given)
                    self.assertEqual((answer.status, answer.code), (401, "unauthorized"))
                    self.assertEqual(answer.fields["WWW-Authenticate"], "Bearer")
        answer = served.ask("POST", "/v1/hold", {}, tcp=True)
        self.assertEqual((answer.status, answer.code), (401, "unauthorized"))

    def test_the_unix_socket_asks_for_no_token(self):
        self.assertEqual(self.serve(token=TOKEN).ask("POST", "/v1/hold", {}).status, 200)

    def test_a_name_of_another_machine_is_refused(self):
        served = self.serve(token=TOKEN)
        for host in ("evil.example.com", "localhost.evil.example.com", "127.0.0.1.evil.example.com",
                     "127.0.0.2", "", "[::1].evil", "evil:80", None):
            with self.subTest(host):
                answer = served.ask("GET", "/v1/status", tcp=True, Host=host)
                self.assertIn(answer.status, (400, 403))
                self.assertNotEqual(answer.body, json.dumps(STATUS).encode())
        for host in ("localhost", f"localhost:{served.port}", "127.0.0.1:1", "[::1]:80", "LOCALHOST"):
            with self.subTest(host):
                self.assertEqual(served.ask("GET", "/v1/status", tcp=True, Host=host).status, 200)

    def test_a_page_of_the_web_may_not_act_even_with_the_token(self):
        answer = self.serve(token=TOKEN).ask("POST", "/v1/hold", {}, tcp=True, Origin="null",
                                             Authorization=f"Bearer {TOKEN}")
        self.assertEqual(answer.status, 403)

    def test_no_answer_lets_a_page_of_the_web_read_it(self):
        answer = self.serve().ask("GET", "/v1/status", tcp=True, Origin="http://evil.example.com")
        self.assertNotIn("Access-Control-Allow-Origin", answer.fields)

    def test_only_loopback_is_listened_on(self):
        for address in ("0.0.0.0:8420", "192.0.2.1:8420", "[::]:8420", "localhost:8420", "8420",
                        "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", ":8420",
                        "128.0.0.1:8420", "127.1:8420"):
            with self.subTest(address), self.assertRaisesRegex(
                    RuntimeError, "^invalid: cannot listen on .*: want a loopback address"):
                Served(f"listen={address}").__enter__()

    def test_an_address_in_use_is_told_and_the_socket_is_not_left(self):
        first = self.serve()
        second = Served(f"listen=127.0.0.1:{first.port}")
        self.addCleanup(second.__exit__)
        with self.assertRaisesRegex(RuntimeError, "^busy: cannot listen on"):
            second.start()
        self.assertFalse(os.path.exists(second.socket))

    def test_a_token_that_others_can_read_or_that_is_none_is_refused(self):
        served = Served(tcp=True)
        self.addCleanup(served.__exit__)
        path = served.folder / "token"
        served.arguments.append(f"token_file={path}")
        for text, mode, reason in ((TOKEN, 0o644, "^denied: "), (TOKEN, 0o640, "^denied: "),
                                   (TOKEN, 0o602, "^denied: "), ("", 0o600, "^invalid: "),
                                   ("short", 0o600, "^invalid: "), ("x" * 513, 0o600, "^invalid: "),
                                   (f"{TOKEN}\n{TOKEN}\n", 0o600, "^invalid: "),
                                   (f"two words {TOKEN}", 0o600, "^invalid: ")):
            with self.subTest(text=text, mode=mode):
                path.write_text(text)
                path.chmod(mode)
                with self.assertRaisesRegex(RuntimeError, reason) as caught:
                    served.start()
                self.assertNotIn(TOKEN, str(caught.exception))
        path.unlink()
        with self.assertRaisesRegex(RuntimeError, "^not-found: "):
            served.start()
        path.mkdir(mode=0o700)
        with self.assertRaisesRegex(RuntimeError, "^invalid: .*not a plain file"):
            served.start()


if __name__ == "__main__":
    unittest.main()
