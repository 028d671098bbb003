#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Callers that are slow, silent, greedy or mad: each of them costs at most its own place, and whoever else
asks is answered as if they were not there."""

import json
import random
import resource
import socket
import unittest

from served import PATIENCE_S, STATUS, Served, request

PEER_MAX = 16
LARGE = json.dumps({"text": "x" * (8 << 20)})


class ServedTest(unittest.TestCase):
    """Nothing here measures time: a server that waited for one of these callers would never answer the
    other, and the test would end by PATIENCE_S."""

    arguments = ()

    def setUp(self):
        self.served = Served(*self.arguments, tcp=True, documents={"status.json": json.dumps(STATUS),
                                                                   "plan.json": LARGE})
        self.served.__enter__()
        self.addCleanup(self.served.__exit__)
        self.descriptors = self.served.threads_and_descriptors()[1]

    def client(self, tcp=False):
        client = self.served.client(tcp)
        self.addCleanup(client.socket.close)
        return client

    def assert_others_are_served(self, tcp=False):
        self.assertEqual(self.served.ask("GET", "/v1/status", tcp=tcp).json, STATUS)

    def assert_nothing_is_left(self):
        self.served.until("its descriptors are closed", lambda: self.served.threads_and_descriptors()
                          == (1, self.descriptors))


class Hostile(ServedTest):
    def test_there_is_one_thread(self):
        self.assert_others_are_served()
        self.assertEqual(self.served.threads_and_descriptors()[0], 1)

    def test_one_user_has_sixteen_connections_and_is_told_when_it_wants_more(self):
        held = [self.client() for _ in range(PEER_MAX)]
        for client in held:
            client.say(request("GET", "/v1/status"))
            self.assertEqual(client.answer().status, 200)
        answer = self.client().answer()
        self.assertEqual((answer.status, answer.code), (503, "busy"))
        self.assertEqual(answer.fields["Retry-After"], "1")
        self.assert_others_are_served(tcp=True)
        held.pop().socket.close()
        self.served.until("a place is free", lambda: self.served.ask("GET", "/v1/status").status == 200)

    def test_a_thousand_callers_at_once_are_no_trouble(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        clients = [self.client() for _ in range(1000)]
        self.assert_others_are_served(tcp=True)
        turned_away = 0
        for client in clients[PEER_MAX:]:
            turned_away += client.answer().status == 503
        self.assertEqual(turned_away, 1000 - PEER_MAX)
        for client in clients:
            client.socket.close()
        self.assert_nothing_is_left()
        self.assert_others_are_served()

    def test_running_out_of_descriptors_is_survived(self):
        limit = self.descriptors + 5
        resource.prlimit(self.served.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        clients = [self.client() for _ in range(10)] # More than it has descriptors for.
        for client in clients[:3]:
            client.say(request("GET", "/v1/nothing"))
            self.assertEqual(client.answer().status, 404)
        for client in clients:
            client.socket.close()
        self.served.until("others are served",
                          lambda: self.served.ask("GET", "/v1/status").status == 200)
        self.assert_nothing_is_left()

    def test_a_head_of_ten_megabytes_is_refused_and_not_read(self):
        client = self.client()
        try:
            client.say(b"GET /v1/status HTTP/1.1\r\nX: " + b"x" * (10 << 20) + b"\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.ended()
        self.assertRegex(client.rest.split(b"\r\n")[0], rb"^(HTTP/1.1 4\d\d .*)?$")
        self.assert_others_are_served()
        self.assert_nothing_is_left()

    def test_a_target_of_a_megabyte_is_refused(self):
        client = self.client()
        try:
            client.say(b"GET /v1/" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.ended()
        self.assertNotIn(b" 200 ", client.rest)
        self.assert_others_are_served()

    def test_a_thousand_fields_and_arguments_are_no_trouble(self):
        with self.served.client() as client:
            client.say("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n" + "".join(
                f"X{number}: y\r\n" for number in range(1000)) + "\r\n")
            client.ended()
        with self.served.client() as client:
            client.say(request("GET", "/v1/history?" + "&".join("limit=1" for _ in range(1000))))
            client.socket.shutdown(socket.SHUT_WR)
            client.ended()
            self.assertNotIn(b" 200 ", client.rest)
        self.assert_others_are_served()

    def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(self):
        for length in (4097, 10 << 30, 1 << 64):
            with self.subTest(length), self.served.client() as client:
                client.say(request("POST", "/v1/hold", Content_Type="application/json",
                                   Content_Length=length))
                client.ended()
                self.assertRegex(client.rest.split(b"\r\n")[0], rb"^HTTP/1.1 4(13|00) ")

    def test_an_endless_body_is_not_kept(self):
        client = self.client()
        client.say(request("POST", "/v1/hold", Content_Type="application/json",
                           Transfer_Encoding="chunked"))
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(256): # 16 MiB.
            client.say(chunk)
        client.say("0\r\n\r\n")
        self.assertEqual(client.answer().status, 413)
        self.assertLess(self.resident_kib(), 32 * 1024)

    def resident_kib(self):
        with open(f"/proc/{self.served.process.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def test_garbage_is_refused_or_ended(self):
        draw = random.Random(20261124)
        heads = [b"", b"\0", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff" * 5000,
                 b"GET /v1/status HTTP/1.1\r\n: \r\n\r\n", b"GET /v1/status HTTP/1.1\r\nHost\r\n\r\n",
                 b"POST /v1/hold HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"POST /v1/hold HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST /v1/hold HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                 b"GET /%zz%00%2e%2e/%c0%ae HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), # TLS
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
        heads += [draw.randbytes(draw.randrange(1, 3000)) for _ in range(100)]
        valid = request("POST", "/v1/hold", {"guest": "db1"})
        for _ in range(100): # Valid but for a byte or two.
            bent = bytearray(valid)
            for _ in range(draw.randrange(1, 3)):
                bent[draw.randrange(len(bent))] = draw.randrange(256)
            heads.append(bytes(bent))
        for begin in range(0, len(heads), PEER_MAX):
            clients = [self.client() for _ in heads[begin:begin + PEER_MAX]]
            for client, head in zip(clients, heads[begin:]):
                try:
                    client.say(head)
                    client.socket.shutdown(socket.SHUT_WR)
                except OSError: # It has been refused already.
                    pass
            for client in clients:
                self.assertTrue(client.ended())
                client.socket.close()
        self.assert_nothing_is_left()
        self.served.until("the quota is there again",
                          lambda: self.served.ask("GET", "/v1/status").status == 200)

    def test_pipelined_requests_are_answered_in_order(self):
        with self.served.client() as client:
            client.say(request("GET", "/v1/status") + request("POST", "/v1/hold", {"guest": "slow"})
                       + request("GET", "/v1/status") + request("HEAD", "/v1/status")
                       + request("POST", "/v1/hold", {"guest": "now"}))
            self.assertEqual(client.answer().json, STATUS)
            self.assertEqual(client.answer().json["guest"], "slow")
            self.assertEqual(client.answer().json, STATUS)
            self.assertEqual(client.answer(has_body=False).status, 200)
            self.assertEqual(client.answer().json["guest"], "now")

    def test_too_many_requests_are_429_until_some_time_has_gone(self):
        with self.served.client() as client:
            client.say(request("GET", "/v1/status") * 100)
            for _ in range(100):
                self.assertEqual(client.answer().status, 200)
        statuses = [self.served.ask("GET", "/v1/status").status for _ in range(200)]
        self.assertIn(429, statuses)
        self.assert_others_are_served(tcp=True)
        self.served.until("the quota is there again",
                          lambda: self.served.ask("GET", "/v1/status").status == 200)

    def test_half_closed_callers_get_their_answers(self):
        for tcp in (False, True):
            for body in (None, {"guest": "slow"}):
                with self.subTest(tcp=tcp, body=body), self.served.client() as client:
                    client.say(request("POST", "/v1/hold", body) if body else
                               request("GET", "/v1/status"))
                    client.socket.shutdown(socket.SHUT_WR)
                    self.assertEqual(client.answer().status, 200)
                    self.assertTrue(client.ended())

    def test_a_head_cut_short_leaves_nothing(self):
        for cut in (1, 10, 30, 60):
            with self.served.client() as client:
                client.say(request("POST", "/v1/hold", {"guest": "db1"})[:cut])
        self.assert_nothing_is_left()

    def test_an_act_that_waits_when_the_server_ends_is_answered(self):
        client = self.client()
        client.say(request("POST", "/v1/hold", {"guest": "never"}))
        self.served.ask("GET", "/v1/status") # The act has come, too.
        self.assertEqual(self.served.stop(), (0, ""))
        answer = client.answer()
        self.assertEqual((answer.status, answer.code), (503, "busy"))


class TimesOut(ServedTest):
    """What the server gives up waiting for, sooner than it would for its users."""

    arguments = ("request_ms=4000", "act_ms=4000")

    def test_silent_callers_delay_nobody_and_are_ended(self):
        silent = [self.client() for _ in range(PEER_MAX - 1)]
        self.assert_others_are_served()
        for client in silent:
            self.assertTrue(client.ended())
        self.assert_nothing_is_left()

    def test_what_dribbles_in_is_ended_all_the_same(self):
        head = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n"
        chunked = request("POST", "/v1/hold", Content_Type="application/json",
                          Transfer_Encoding="chunked")
        alive = []
        for begin, more, tcp in ((head, "X: y\r\n", False), (head, "X: y\r\n", True),
                                 (chunked, "1\r\n \r\n", False), (chunked, "1\r\n \r\n", True)):
            client = self.client(tcp)
            client.say(begin)
            client.socket.settimeout(0.2)
            alive.append((client, more))
        for _ in range(PATIENCE_S): # Some bytes a second from each, for longer than they may.
            alive = [(client, more) for client, more in alive if self.goes_on(client, more)]
            self.assert_others_are_served()
        self.assertEqual(alive, [])

    def goes_on(self, client, more):
        try:
            client.say(more)
            return client.more()
        except TimeoutError:
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def test_an_act_that_is_never_answered_is_answered_for_the_backend(self):
        with self.served.client() as client:
            client.say(request("POST", "/v1/hold", {"guest": "never"}))
            self.assert_others_are_served()
            answer = client.answer()
            self.assertEqual((answer.status, answer.code), (503, "timeout"))

    def test_an_answer_that_is_not_taken_is_dropped(self):
        clients = [self.client(), self.client(tcp=True)]
        for client in clients:
            client.say(request("GET", "/v1/plan"))
            client.until(b"\r\n\r\n")
            self.assertEqual(self.served.ask("GET", "/v1/status").json, STATUS)
        self.assert_nothing_is_left()
        for client in clients:
            client.ended()
            self.assertLess(len(client.rest), len(LARGE))


class SlowReaders(ServedTest):
    def follow(self, tcp=False):
        client = self.client(tcp)
        client.say(request("GET", "/v1/events"))
        client.until(b"retry: ")
        return client

    def test_answers_that_are_not_taken_are_bounded_together(self):
        clients = [self.client() for _ in range(12)] + [self.client(tcp=True) for _ in range(4)]
        for client in clients: # 8 MiB each: together more than there may be.
            client.say(request("GET", "/v1/plan"))
        self.served.until("there are too many", lambda: self.served.ask("GET", "/v1/status").status == 503)
        for client in clients:
            client.socket.close()
        self.assertEqual(self.served.ask("GET", "/v1/status").json, STATUS)

    def test_who_follows_and_never_reads_is_dropped_and_others_are_not(self):
        reader = self.follow()
        for tcp in (False, True):
            self.follow(tcp)
        for number in range(2000): # 8 MiB: more than sockets and ring hold.
            self.served.publish("move", f'"{number}{"x" * 4096}"')
            reader.until(f'"{number}x'.encode())
        reader.socket.close()
        self.assert_nothing_is_left()

    def test_sixteen_follow_and_no_more(self):
        followers = [self.follow() for _ in range(8)] + [self.follow(tcp=True) for _ in range(8)]
        answer = self.served.ask("GET", "/v1/events")
        self.assertEqual((answer.status, answer.code), (503, "busy"))
        self.served.publish("move", "1")
        for follower in followers:
            follower.until(b"event: move")
        followers.pop().socket.close() # Noticed although nothing is sent.
        self.served.until("there is room again",
                          lambda: self.served.ask("HEAD", "/v1/events").status == 200)

    def test_who_stops_following_leaves_nothing(self):
        for tcp in (False, True):
            self.follow(tcp).socket.close()
            half = self.follow(tcp)
            half.socket.shutdown(socket.SHUT_WR)
            self.assertTrue(half.ended())
            half.socket.close()
        self.assert_nothing_is_left()


if __name__ == "__main__":
    unittest.main()
