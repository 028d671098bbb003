# SPDX-License-Identifier: Apache-2.0
"""A berthd beside tests of its own and of commands that speak with it, and servers that only say they are one."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading

from world import BERTHD, OK, PATIENCE_S, CliTest, await_true

HOME = {"kvm1": ["vm1"], "kvm2": []}
AWAY = {"kvm1": [], "kvm2": ["vm1"]}
STATUS = {"format": "berth.status/1", "at": "2026-11-24T12:00:00Z", "es_xml": "/es.xml", "valid": True,
          "es_xml_sha256": "0" * 64, "acted_on": True, "controller_pid": 7}


class DaemonTest(CliTest):
    """What a berthd does, and what it logs."""

    def start_daemon(self):
        """Until it acts: only one that holds the state directory says that it has started."""
        said = self.said("started")
        daemon = self.world.start(BERTHD, "-c", self.world.conf)
        await_true("berthd has started", lambda: self.said("started") > said)
        return daemon

    def log(self):
        return self.world.log.read_text() if self.world.log.exists() else ""

    def said(self, event, pattern=""):
        return len(re.findall(rf"^event={event}(?!\S).*{pattern}", self.log(), re.M))

    def await_said(self, event, pattern="", times=1):
        await_true(f"'{event}' is logged", lambda: self.said(event, pattern) >= times)

    def await_places(self, places):
        await_true(f"the guests are at {places}", lambda: self.world.places() == places)

    def finish_move(self):
        """Lets the migration under way come to its end."""
        self.world.await_move()
        self.world.edit_fleet(lambda fleet: fleet["migrations"][0].update(duration_ms=1))

    def assert_ends(self, daemon):
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(PATIENCE_S), OK, self.log())
        self.assertEqual(self.said("ending"), self.said("started"))


class ClientTest(DaemonTest):
    """What commands see that speak with one."""

    @property
    def socket(self):
        return self.world.state / "api.sock"

    def start_daemon(self):
        """Until it can be asked and has looked at the fleet."""
        daemon = self.world.start(BERTHD, "-c", self.world.conf)
        await_true("berthd has looked", lambda: self.is_served() and self.world.status()["looked"])
        return daemon

    def is_served(self):
        with socket.socket(socket.AF_UNIX) as knock:
            return knock.connect_ex(str(self.socket)) == 0

    def start_slow_move(self):
        """A berthd that moves vm1 until somebody ends it."""
        self.make_moves_slow()
        daemon = self.start_daemon()
        self.world.await_move()
        return daemon

    def start_following(self, *args):
        """A command beside the test, with streams of its own."""
        process = subprocess.Popen(self.world.command(*args), stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.world.processes.append(process)
        return process

    def await_line(self, process, text):
        """Reads what the process says on stderr, up to a line with 'text'."""
        for line in process.stderr:
            if text in line:
                return
        raise AssertionError(f"it ended without saying '{text}'")

    @contextlib.contextmanager
    def fake(self, talk, several=False):
        """talk(connection, request) answers whoever asks where berthd would listen; 'several' at a time."""
        self.world.state.mkdir(mode=0o700, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket))
            listener.listen()

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        if several:
                            threading.Thread(target=answer, args=(connection,), daemon=True).start()
                        else:
                            answer(connection)

            def answer(connection):
                with connection, contextlib.suppress(OSError):
                    request = connection.recv(65536)
                    if request: # Whoever only knocks says nothing.
                        talk(connection, request)

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                yield
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                self.socket.unlink()


def http(body, status="200 OK", length=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n"
            "Connection: close\r\n\r\n").encode() + body
