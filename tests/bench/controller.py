#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast berthd answers and what it costs while nothing happens.

From a save of es.xml to the first thing asked of a host, and from something that happens to a guest to a
status that shows it: on a small simulated fleet and on three real hosts.  CPU and memory of a berthd that
rests: with three real hosts, and with 500 simulated ones and 10,000 guests, where the time of a pass is
told too.  Figures of different runs or machines do not compare.

usage: controller.py [ROUNDS [SECONDS]]   (default 15, and 60 of rest; $BERTH, $BERTHD: the programs, default
those of build/; real hosts need root and are left out without)"""

import json
import os
import pathlib
import re
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
for folder in ("lab", "cli", "api"):
    sys.path.insert(0, str(ROOT / "tests" / folder))
os.environ.setdefault("BERTH", str(ROOT / "build/berth"))
os.environ.setdefault("BERTHD", str(ROOT / "build/berthd"))

from berthd import Daemon  # noqa: E402
from fleet import Fleet  # noqa: E402
from served import Client, request  # noqa: E402
from world import BERTHD, World, es_xml, sim_guest  # noqa: E402

HOSTS, GUESTS = 500, 10000
PATIENCE_S = 60


class Watcher:
    """Follows a berthd's events, each with the instant at which it came."""

    def __init__(self, socket):
        self.socket = socket
        self.client = Client(socket)
        self.client.say(request("GET", "/v1/events"))
        self.client.until(b"\r\n\r\n")
        self.news = threading.Condition()
        self.events = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                text = self.client.until(b"\n\n").decode()
            except (EOFError, OSError):
                return
            now = time.monotonic()
            data = re.search(r"^data: (.*)$", text, re.M)
            if data:
                with self.news:
                    self.events.append((now, json.loads(data.group(1))))
                    self.news.notify()

    def forget(self):
        with self.news:
            self.events.clear()

    def until(self, fits):
        """The instant at which the first event came, since forget(), that fits."""
        end = time.monotonic() + PATIENCE_S
        seen = 0
        with self.news:
            while True:
                for at, event in self.events[seen:]:
                    seen += 1
                    if fits(event):
                        return at
                if not self.news.wait(end - time.monotonic()):
                    raise SystemExit(f"no such event came; {len(self.events)} others did")

    def ask(self, method, path, body=None):
        """Answered in turn with everything else, and by one that was asked too often after a while."""
        while True:
            with Client(self.socket) as client:
                client.say(request(method, path, body))
                answer = client.answer()
            if answer.status == 200:
                return answer.body.decode()
            if answer.status != 429:
                raise SystemExit(f"{path}: {answer.status}: {answer.body.decode()}")
            time.sleep(1)

    def look(self):
        """One pass, from its being asked for to its end; its seconds as /metrics has them."""
        before = self.passes()
        self.forget()
        self.ask("POST", "/v1/check", {})
        self.until(lambda event: event["event"] == "pass")
        return self.passes() - before

    def passes(self):
        text = self.ask("GET", "/metrics")
        return float(re.search(r"^berth_pass_duration_seconds_sum (\S+)", text, re.M).group(1))


def is_event(name, **members):
    return lambda event: event["event"] == name and all(
        event.get(key) == value for key, value in members.items()
    )


def row(what, values, unit, digits=0):
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"  {what:<44} {middle:>9.{digits}f} {unit:<3} ({low:.{digits}f} .. {high:.{digits}f})")


def save_to_action(watcher, saves):
    """Milliseconds from each save to the first operation that a host is asked for."""
    took = []
    for save in saves:
        watcher.forget()
        begun = time.monotonic()
        save()
        took.append((watcher.until(is_event("step-begin")) - begun) * 1000)
        watcher.until(is_event("move-end"))
        watcher.until(lambda event: event["event"] == "plan" and event["moves"] == 0)
        time.sleep(0.5)  # At rest, as at most times.
    return took


def event_to_status(watcher, happenings):
    """Milliseconds from the end of each happening to an answer that shows it."""
    took = []
    for happen, path, shows in happenings:
        watcher.forget()
        happen()
        begun = time.monotonic()
        while not shows(watcher.ask("GET", path)):
            watcher.until(is_event("pass"))
            watcher.forget()
        took.append((time.monotonic() - begun) * 1000)
        time.sleep(2)  # At rest, and rarely enough to be answered.
    return took


def cpu_s(pid):
    """All threads, ended ones too."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(watcher, pid, seconds):
    """What it costs while nothing happens: its poll, once a minute, is part of that."""
    watcher.look()
    begun = cpu_s(pid)
    time.sleep(seconds)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    print(f"  CPU in {seconds} s of rest {(cpu_s(pid) - begun) * 1000:>29.0f} ms")
    for what, key in (("resident", "VmRSS"), ("most ever resident", "VmHWM")):
        kib = int(re.search(rf"^{key}:\s+(\d+)", status, re.M).group(1))
        print(f"  {what:<44} {kib / 1024:>9.1f} MiB")


def start_on(world):
    """Tells how long it takes until every guest has been seen and written down, and a pass is over again."""
    world.start(BERTHD, "-c", world.conf)
    begun = time.monotonic()
    while time.monotonic() < begun + PATIENCE_S:
        try:
            watcher = Watcher(str(world.state / "api.sock"))
            watcher.look()
            watcher.look()  # Asked for in the journal, behind what the first pass has written down.
            row("first start to rest", [(time.monotonic() - begun) * 1000], "ms")
            return watcher
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.05)
    raise SystemExit(f"berthd does not answer\n{world.log.read_text()}")


def drift(world, to):
    """The guest is moved at once by somebody else."""

    def change(fleet):
        hosts = {host["name"]: host for host in fleet["hosts"]}
        for host in hosts.values():
            host.setdefault("guests", []).clear()
        hosts[to]["guests"].append(sim_guest("vm1"))

    return lambda: world.edit_fleet(change)


def small_simulated(rounds):
    print("simulated, 2 hosts")
    home, away = {"kvm1": ["vm1"], "kvm2": []}, {"kvm1": [], "kvm2": ["vm1"]}
    world = World()
    try:
        world.have(home)
        world.want(home)
        world.configure("[drift]\noperator_move = report\n")
        watcher = start_on(world)
        saves = [lambda p=(home if n % 2 else away): world.want(p) for n in range(2 * (rounds // 2))]
        row("save to first operation", save_to_action(watcher, saves), "ms")
        happenings = [
            (drift(world, host), "/v1/guests/vm1", lambda text, h=host: f'"host":"{h}"' in text)
            for host in (("kvm2", "kvm1")[n % 2] for n in range(rounds))
        ]
        row("event to status", event_to_status(watcher, happenings), "ms")
    finally:
        world.close()


def large_simulated(rounds, seconds):
    print(f"simulated, {HOSTS} hosts and {GUESTS:,} guests")
    each = GUESTS // HOSTS
    places = {f"kvm{h}": [f"vm{h * each + g}" for g in range(each)] for h in range(HOSTS)}
    world = World()
    try:
        world.have(places, memory_gib=64)
        world.replace(world.es, es_xml(places))
        watcher = start_on(world)
        pid = world.processes[-1].pid
        begun = cpu_s(pid)
        row("a pass", [watcher.look() * 1000 for _ in range(rounds)], "ms")
        row("its CPU, mean", [(cpu_s(pid) - begun) * 1000 / rounds], "ms")
        rest(watcher, pid, seconds)
    finally:
        world.close()


def real(rounds, seconds):
    print("real, 3 hosts")
    with Fleet(3) as fleet:
        daemon = Daemon(fleet)
        fleet.guest("g1", "kvm1")
        fleet.guest("g2", "kvm2")

        texts = {}
        for host in ("kvm2", "kvm1"):
            fleet.want(g1=host, g2="kvm2")
            texts[host] = (fleet.work / "es.xml").read_text()

        def save(host):
            (fleet.work / "es.new").write_text(texts[host])
            (fleet.work / "es.new").rename(fleet.work / "es.xml")

        daemon.start()
        watcher = Watcher(str(fleet.work / "state/api.sock"))
        row("a pass", [watcher.look() * 1000 for _ in range(rounds)], "ms")
        saves = [lambda host=("kvm2", "kvm1")[n % 2]: save(host) for n in range(rounds)]
        row("save to first operation", save_to_action(watcher, saves), "ms")
        happenings = [
            (
                lambda verb=verb: fleet.virsh("kvm2", verb, "g2"),
                "/v1/guests/g2",
                lambda text, state=state: f'"state":"{state}"' in text,
            )
            for verb, state in ((("suspend", "paused"), ("resume", "running"))[n % 2] for n in range(rounds))
        ]
        row("event to status", event_to_status(watcher, happenings), "ms")
        rest(watcher, daemon.process.pid, seconds)
        daemon.end()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    print(f"{rounds} rounds; medians (least .. most)")
    small_simulated(rounds)
    large_simulated(rounds, seconds)
    if os.geteuid() == 0:
        real(rounds, seconds)


if __name__ == "__main__":
    main()
