# SPDX-License-Identifier: Apache-2.0
"""A berthd on a fleet of real hosts: started and ended, its log read, and asked over its socket as any
program may ask it.  $BERTHD is the program."""

import os
import re
import signal
import sys

from fleet import HERE, await_true

sys.path.insert(0, str(HERE.parent / "api"))

from served import Client, request  # noqa: E402

PATIENCE_S = 150  # Over two of its polls.
QUESTION_S = 0.2  # Between two: it answers one user twenty times a second.


def berthd_path():
    path = os.environ.get("BERTHD") or str(HERE.parent.parent / "build/dev/berthd")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"no berthd at '{path}': build it, or set BERTHD")
    return path


class Daemon:
    """At most one lives on a fleet; what each said follows what those before it said."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.process = None

    # -- life --------------------------------------------------------------------------------------

    def start(self):
        """Until it can be asked."""
        with open(self.log_path, "ab") as log:
            self.process = self.fleet.start_process(
                berthd_path(), "-c", self.fleet.work / "berth.conf", log=log
            )
        self.until("berthd answers", lambda: self.looked() is not None)
        return self

    def end(self):
        """As a service manager does; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.fleet.finish(self.process).returncode

    def kill(self):
        self.fleet.kill(self.process)

    def looked(self):
        """When it has last looked at the hosts; None if it has not, or does not answer."""
        if self.process.poll() is not None:
            raise AssertionError(f"berthd has ended\n{self.log()}")
        try:
            return self.status()["looked"]
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    # -- what it says ------------------------------------------------------------------------------

    @property
    def log_path(self):
        return self.fleet.work / "berthd.log"

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def said(self, event, pattern=""):
        """How often, of all that have lived on this fleet since its reset()."""
        return len(re.findall(rf"^event={event}(?!\S).*{pattern}", self.log(), re.M))

    def until_said(self, event, pattern="", times=1):
        self.until(f"'{event} {pattern}' is logged", lambda: self.said(event, pattern) >= times)

    def until(self, what, question):
        try:
            return await_true(what, question, PATIENCE_S, QUESTION_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    # -- what it is asked --------------------------------------------------------------------------

    def ask(self, method, path, body=None):
        """The answer of one request on a connection of its own."""
        with Client(str(self.fleet.work / "state/api.sock")) as client:
            client.say(request(method, path, body))
            return client.answer()

    def document(self, name):
        answer = self.ask("GET", f"/v1/{name}")
        if answer.status != 200:
            raise AssertionError(f"/v1/{name}: {answer.status}: {answer.body.decode()}")
        return answer.json

    def status(self):
        return self.document("status")

    def act(self, verb, **body):
        answer = self.ask("POST", f"/v1/{verb}", body)
        if answer.status != 200:
            raise AssertionError(f"{verb} {body}: {answer.status}: {answer.body.decode()}")

    def condition(self, kind):
        """(status, message) of a condition."""
        for condition in self.status()["conditions"]:
            if condition["type"] == kind:
                return condition["status"], condition["message"]
        raise AssertionError(f"no condition '{kind}'")

    def until_condition(self, kind, wanted):
        """Until it is 'wanted'; returns its message."""
        found = self.until(
            f"{kind} is {wanted}",
            lambda: [c for c in [self.condition(kind)] if c[0] == wanted],
        )
        return found[0][1]
