#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berthd as a service: what it tells the service manager and the system's journal.  The test is both: it
listens where systemd would."""

import os
import pathlib
import resource
import signal
import socket
import struct
import unittest

from daemon import AWAY, DaemonTest
from world import BERTHD, OK, PATIENCE_S, await_true

INTERVAL_S = 0.2  # Of the watchdog.


class Manager:
    """The end of a NOTIFY_SOCKET that a service manager has."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.told = []

    def hear(self):
        """All that was told so far, 'NAME=value' each."""
        while True:
            try:
                self.told += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.told

    def await_told(self, text, times=1):
        await_true(f"'{text}' was told", lambda: self.hear().count(text) >= times)

    def statuses(self):
        return [text.removeprefix("STATUS=") for text in self.hear() if text.startswith("STATUS=")]


class ServiceTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.manager = Manager(self.world.folder)
        self.addCleanup(self.manager.socket.close)

    def start_service(self, **environment):
        environment = {"NOTIFY_SOCKET": str(self.manager.path)} | environment
        return self.world.start(BERTHD, "-c", self.world.conf, env=os.environ | environment)


class Tells(ServiceTest):
    def test_that_it_is_ready_once_it_follows_the_file_and_that_it_ends(self):
        daemon = self.start_service()
        self.manager.await_told("READY=1")
        self.assertEqual(self.said("following"), 1)
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assertNotIn("STOPPING=1", self.manager.hear())
        self.assert_ends(daemon)
        self.assertEqual(self.manager.hear().count("STOPPING=1"), 1)
        self.assertEqual(self.manager.hear().count("READY=1"), 1)

    def test_that_it_is_ready_with_a_faulty_file_too(self):
        self.world.es.write_text("<a>")
        daemon = self.start_service()
        self.manager.await_told("READY=1")
        self.manager.await_told("STATUS=waiting for an es.xml that can be acted on")
        self.assert_ends(daemon)

    def test_nothing_of_the_kind_when_it_cannot_start(self):
        other = self.start_daemon()
        self.assertNotEqual(self.start_service().wait(PATIENCE_S), OK)
        self.assertEqual(self.manager.hear(), [])
        self.assert_ends(other)

    def test_what_goes_on_in_words(self):
        self.make_moves_slow()
        daemon = self.start_service()
        await_true("a move is shown", lambda: any(
            text.startswith("moving vm1 from kvm1 to kvm2 (live") for text in self.manager.statuses()))
        self.world.es.write_text("<a>")
        self.finish_move()
        await_true("a faulty file is shown", lambda: self.manager.statuses()[-1] ==
                   "nothing is moving; es.xml is faulty, its last good contents stay in force")
        self.assert_ends(daemon)
        told = self.manager.statuses()
        self.assertFalse([one for one, next in zip(told, told[1:]) if one == next], told)


class Watchdog(ServiceTest):
    def start_watched(self, **environment):
        return self.start_service(WATCHDOG_USEC=str(int(INTERVAL_S * 1e6)), **environment)

    def test_is_fed_for_as_long_as_the_loop_turns(self):
        daemon = self.start_watched()
        self.manager.await_told("WATCHDOG=1", times=5)
        daemon.send_signal(signal.SIGSTOP)
        before = len(self.drain())
        self.assertEqual(len(self.drain(wait_s=4 * INTERVAL_S)), before)
        daemon.send_signal(signal.SIGCONT)
        self.manager.await_told("WATCHDOG=1", times=before + 5)
        self.assert_ends(daemon)

    def drain(self, wait_s=INTERVAL_S):
        """What is told within so long: a daemon that is stopped tells nothing, however long."""
        self.manager.socket.settimeout(wait_s)
        try:
            while True:
                self.manager.told += self.manager.socket.recv(65536).decode().splitlines()
        except TimeoutError:
            self.manager.socket.setblocking(False)
        return self.manager.told

    def test_of_another_process_is_not_fed(self):
        daemon = self.start_watched(WATCHDOG_PID="1")
        self.manager.await_told("READY=1")
        self.assert_ends(daemon)
        self.assertNotIn("WATCHDOG=1", self.manager.hear())


def entry(datagram):
    """The fields of an entry in the journal's native protocol (systemd's 'Journal Native Protocol')."""
    fields = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = struct.unpack("<Q", datagram[:8])[0]
            value, datagram = datagram[8:8 + length], datagram[8 + length + 1:]
        fields[name.decode()] = value.decode()
    return fields


class Journal(ServiceTest):
    """With stderr a socket that JOURNAL_STREAM names, and the journal's own socket in a namespace in which
    only berthd is."""

    def setUp(self):
        super().setUp()
        self.path = self.world.folder / "journal"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.entries = []

    def start_in_namespace(self, stream):
        script = ('mount -t tmpfs none /run && mkdir -p /run/systemd/journal && '
                  'touch /run/systemd/journal/socket && '
                  'mount --bind "$1" /run/systemd/journal/socket && exec "$2" -c "$3"')
        with open(self.world.log, "ab") as log:
            status = os.fstat(log.fileno())
        return self.world.start(
            "unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", self.path, BERTHD,
            self.world.conf,
            env=os.environ | {"JOURNAL_STREAM": stream or f"{status.st_dev}:{status.st_ino}"})

    def read(self):
        while True:
            try:
                self.entries.append(entry(self.socket.recv(1 << 20)))
            except BlockingIOError:
                return self.entries

    def await_entry(self, **fields):
        return await_true(f"an entry has {fields}", lambda: next(
            (found for found in self.read() if fields.items() <= found.items()), None))

    def test_entries_have_fields(self):
        self.world.want(AWAY)
        daemon = self.start_in_namespace(None)
        begin = self.await_entry(BERTH_EVENT="move-begin")
        self.assertEqual((begin["BERTH_GUEST"], begin["BERTH_FROM"], begin["BERTH_TO"]),
                         ("vm1", "kvm1", "kvm2"))
        self.assertEqual(begin["MESSAGE"], "event=move-begin guest=vm1 from=kvm1 to=kvm2 mode=live")
        self.assertEqual(begin["PRIORITY"], "6")
        self.assertRegex(begin["MESSAGE_ID"], "^[0-9a-f]{32}$")
        end = self.await_entry(BERTH_EVENT="move-end", BERTH_RESULT="done")
        self.assertNotEqual(end["MESSAGE_ID"], begin["MESSAGE_ID"])
        self.world.es.write_text("<a>")
        fault = self.await_entry(BERTH_EVENT="invalid-file", PRIORITY="3")
        self.assertEqual(fault["BERTH_LINE"], "1")
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(PATIENCE_S), OK)
        self.assertEqual(self.log(), "")

    def test_lines_stay_lines_where_stderr_is_something_else(self):
        daemon = self.start_in_namespace("1:2")
        self.await_said("following")
        self.assert_ends(daemon)
        self.assertEqual(self.read(), [])


class Limits(ServiceTest):
    def start_with(self, soft, hard):
        return self.world.start(BERTHD, "-c", self.world.conf, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (soft, hard)))

    def test_too_few_descriptors_for_the_hosts_are_told_once(self):
        self.world.want(AWAY)
        daemon = self.start_with(100, 200)
        self.await_places(AWAY)
        self.await_said("move-end", "result=done")
        self.assert_ends(daemon)
        self.assertEqual(self.said("few-descriptors", "limit=200 needed=272"), 1, self.log())

    def test_as_many_descriptors_are_taken_as_may_be(self):
        daemon = self.start_with(100, 400)
        self.await_said("following")
        self.assertIn("400", pathlib.Path(f"/proc/{daemon.pid}/limits").read_text().split(
            "Max open files")[1].split()[0])
        self.world.want(AWAY)
        self.await_places(AWAY)
        self.assert_ends(daemon)
        self.assertEqual(self.said("few-descriptors"), 0)


class Ends(ServiceTest):
    def test_however_often_it_is_told_to(self):
        self.make_moves_slow()
        daemon = self.start_service()
        self.world.await_move()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            try:
                daemon.send_signal(signum)
            except ProcessLookupError:
                break
        self.assertEqual(daemon.wait(PATIENCE_S), OK, self.log())
        self.assertEqual(self.said("ending"), 1)
        self.finish_move()
        daemon = self.start_daemon()
        self.await_places(AWAY)
        self.await_said("move-end", "result=done")
        self.assertEqual(self.said("move-begin"), 1)
        self.assert_ends(daemon)


if __name__ == "__main__":
    unittest.main()
