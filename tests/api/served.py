# SPDX-License-Identifier: Apache-2.0
"""A running control API over the backend of tests/api/server.c, and clients for it.  $API_SERVER is the
program."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

PATIENCE_S = 60 # More than the longest that the server waits for anything.
STATUS = {"format": "berth.status/1"}


class Answer:
    """One HTTP answer, read off a socket or out of bytes."""

    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.version, status, *_ = lines[0].split(" ")
        self.status = int(status)
        self.fields = dict(line.split(": ", 1) for line in lines[1:])
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]


class Client:
    """A connection that says exactly what it is told to."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        try:
            self.socket.connect(address) # Waits for room in the queue; not so with a timeout.
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(PATIENCE_S)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def more(self):
        """Reads on; False at the end."""
        try:
            part = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            part = b""
        self.rest += part
        return part != b""

    def until(self, mark):
        while mark not in self.rest:
            if not self.more():
                raise EOFError(f"no {mark!r} in {self.rest[-300:]!r}")
        part, self.rest = self.rest.split(mark, 1)
        return part

    def answer(self, has_body=True):
        head = self.until(b"\r\n\r\n")
        answer = Answer(head, b"")
        length = int(answer.fields.get("Content-Length", 0)) if has_body else 0
        while len(self.rest) < length:
            if not self.more():
                raise EOFError("the body ends too early")
        answer.body, self.rest = self.rest[:length], self.rest[length:]
        return answer

    def ended(self):
        """Waits for the end; what came before it is in self.rest."""
        while self.more():
            pass
        return True


def request(method, path, body=None, **fields):
    """The bytes of a request; a field with '_' for '-', None leaves it out."""
    fields = {"Host": "localhost"} | {k.replace("_", "-"): v for k, v in fields.items()}
    if body is not None:
        body = body if isinstance(body, str) else json.dumps(body)
        fields = {"Content-Type": "application/json", "Content-Length": len(body.encode())} | fields
    head = "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v is not None)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body or ''}".encode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """The server in a folder of its own; leaving ends it and says so if it had not ended well."""

    def __init__(self, *arguments, tcp=False, user=None, documents=None, socket_path=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-api-"))
        self.folder.chmod(0o755)
        self.documents = self.folder / "documents"
        self.documents.mkdir()
        self.socket = socket_path or str(self.folder / "api.sock")
        self.port = free_port() if tcp else None
        self.arguments = list(arguments) + [f"documents={self.documents}"]
        if tcp:
            self.arguments.append(f"listen=127.0.0.1:{self.port}")
        self.user = user
        self.program = os.environ["API_SERVER"]
        if user is not None: # Who may not reach where it was built.
            self.program = shutil.copy(self.program, self.folder)
            os.chown(self.folder, user, -1)
            os.chown(self.documents, user, -1)
        for name, value in (documents or {"status.json": json.dumps(STATUS)}).items():
            (self.documents / name).write_text(value)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [self.program, self.socket, *self.arguments], user=self.user,
            group=self.user, extra_groups=None if self.user is None else [], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n": # It has ended, and said why.
            _, said = self.process.communicate(timeout=PATIENCE_S)
            self.process = None
            raise RuntimeError(said.decode())
        return self

    def stop(self):
        """Ends it by end of input; its exit status and what it said."""
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said.decode()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        try:
            if self.process is not None and self.process.returncode is None:
                status, said = self.stop()
                if (status, said) != (0, ""):
                    raise AssertionError(f"the server ended with {status}: {said}")
        finally:
            if self.process is not None:
                self.process.kill()
                self.process.wait()
                for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                    stream.close()
            shutil.rmtree(self.folder)

    def client(self, tcp=False):
        return Client(("127.0.0.1", self.port) if tcp else self.socket)

    def ask(self, method, path, body=None, tcp=False, **fields):
        with self.client(tcp) as client:
            client.say(request(method, path, body, **fields))
            return client.answer(has_body=method != "HEAD")

    def asked(self):
        """What the backend was asked for last."""
        return dict(part.split("=") for part in (self.documents / "asked").read_text().split())

    def publish(self, name, text="{}"):
        self.process.stdin.write(f"{name} {text}\n".encode())
        self.process.stdin.flush()

    def threads_and_descriptors(self):
        base = pathlib.Path("/proc", str(self.process.pid))
        return len(list((base / "task").iterdir())), len(list((base / "fd").iterdir()))

    def until(self, what, condition, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.02)
        raise AssertionError(f"waited in vain until {what}")
