#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an offline move costs: how long the guest is off, and how long the move takes beside the guest's own
shutdown, per step and beside a person who does the same by hand with virsh and ssh.

One guest with a volume, a configuration volume and a bridge of its own goes back and forth between two real
hosts with the lab's stand-ins for a platform (configs/profiles/exascale.conf), in turn by 'berth apply' and by
hand.  By hand means the same commands on the same hosts without any check, each begun as soon as the one before
is over.  Prints medians of one run; figures of different runs or machines do not compare.

usage: offline_outage.py [PAIRS]   (default 5; $BERTH: the program, default build/berth)"""

import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lab"))
os.environ.setdefault("BERTH", str(ROOT / "build/berth"))

from fleet import Fleet, await_true  # noqa: E402

IMAGES = "/EXAVMIMAGES/GuestImages/g1"
FSTAB = f"/dev/exc/g1_conf {IMAGES} ext4 defaults,nofail 0 0"


def await_up(fleet):
    """A guest hears the power button once it is up."""

    def is_up():
        console = fleet.console("g1")
        return console.rfind("READY") > console.rfind("STOPPING")

    await_true("'g1' is up", is_up)
    time.sleep(1)


def check(result):
    if result.returncode:
        raise SystemExit(f"failed: {result.stdout}{result.stderr}")
    return result.stdout.split()


def by_berth(fleet, target):
    """Whole command, shutdown, outage, and every step, in ms."""
    fleet.want({"migrate.mode": "offline"}, g1=target)
    begun = time.monotonic()
    check(fleet.berth("apply", "--yes"))
    whole = (time.monotonic() - begun) * 1000
    rows = fleet.journal(
        "SELECT kind, supply, host, ended_ms - begun_ms, begun_ms, ended_ms FROM step "
        "WHERE (epoch, seq) = (SELECT epoch, seq FROM move ORDER BY epoch DESC, seq DESC LIMIT 1) "
        "ORDER BY number"
    )
    steps = {f"{kind} {supply}".strip(): ms for kind, supply, _, ms, *_ in rows}
    stopped = next(ended for k, *_, ended in rows if k == "stop")
    started = next(ended for k, *_, ended in rows if k == "start")
    return whole, steps["stop"], started - stopped, steps


class ByHand:
    def __init__(self, fleet):
        self.fleet = fleet
        self.steps = {}

    def step(self, name, call):
        begun = time.monotonic()
        result = call()
        self.steps[name] = (time.monotonic() - begun) * 1000
        return result

    def ssh(self, host, *argv):
        return check(self.fleet.ssh(host, *argv))

    def volumes(self, host):
        (initiator,) = self.ssh(host, "xsh", "lsinitiator")
        for name in ("v1", "g1_conf"):
            (volume,) = self.ssh(
                host, "escli", "lsvolume", "--filter", f"name=ev_{name}", "--attributes", "id"
            )
            yield name, volume, initiator

    def detach(self, host):
        self.ssh(host, "umount", IMAGES)
        self.ssh(host, "sed", "-i", f"\\|{IMAGES} |d", "/etc/fstab")
        for _, volume, initiator in self.volumes(host):
            wanted = f"volume={volume},initiator={initiator}"
            (attachment,) = self.ssh(
                host, "escli", "lsvolumeattachment", "--filter", wanted, "--attributes", "id"
            )
            self.ssh(host, "escli", "rmvolumeattachment", attachment)

    def attach(self, host):
        for name, volume, initiator in self.volumes(host):
            self.ssh(
                *(host, "escli", "mkvolumeattachment", volume, name),
                *("--attributes", f"initiator={initiator}"),
            )
        self.ssh(host, "mkdir", "-p", IMAGES)
        self.ssh(host, "sh", "-c", f"echo '{FSTAB}' >>/etc/fstab")
        self.ssh(host, "mount", IMAGES)

    def bridge(self, host):
        self.ssh(host, "ip", "link", "add", "name", "vmeth7", "type", "bridge")
        self.ssh(host, "ip", "link", "set", "dev", "vmeth7", "up")

    def stop(self, host):
        self.fleet.virsh(host, "shutdown", "g1")
        await_true("off", lambda: self.fleet.state("g1", host) == "shut off")

    def define(self, source, target):
        xml = self.fleet.work / "g1.xml"
        xml.write_text(self.fleet.virsh(source, "dumpxml", "--inactive", "--security-info", "g1"))
        self.fleet.virsh(target, "define", xml)
        self.fleet.virsh(source, "undefine", "g1")

    def move(self, source, target):
        """The same figures as by_berth()."""
        begun = time.monotonic()
        self.step("provide bridge", lambda: self.bridge(target))
        self.step("stop", lambda: self.stop(source))
        stopped = time.monotonic()
        self.step("detach", lambda: self.detach(source))
        self.step("attach", lambda: self.attach(target))
        self.step("define", lambda: self.define(source, target))
        self.step("start", lambda: self.fleet.virsh(target, "start", "g1"))
        started = time.monotonic()
        self.step(
            "withdraw bridge",
            lambda: self.ssh(source, "ip", "link", "delete", "vmeth7", "type", "bridge"),
        )
        whole = (time.monotonic() - begun) * 1000
        return whole, self.steps["stop"], (started - stopped) * 1000, self.steps


def row(name, values):
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{name:<40} {middle:>7.0f} ms   ({low:.0f} .. {high:.0f})")


def report(who, moves):
    print(f"{who}, {len(moves)} moves: median (least .. most)")
    row("guest off, from stopped to started", [outage for _, _, outage, _ in moves])
    row("beside shutdown and start", [w - s - steps["start"] for w, s, _, steps in moves])
    row("whole", [whole for whole, *_ in moves])
    for name in moves[0][3]:
        row(f"  {name}", [steps.get(name, 0) for *_, steps in moves])


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    berth, hand = [], []
    with Fleet(2, platform=True) as fleet:
        for volume in ("v1", "g1_conf"):
            fleet.lab("volume", volume)
        fleet.guest("g1", "kvm1", disk="v1", config="g1_conf", bridge="vmeth7")
        for number in range(pairs + 1):  # The first pair warms caches and is not counted.
            await_up(fleet)
            ours = by_berth(fleet, "kvm2")
            await_up(fleet)
            theirs = ByHand(fleet).move("kvm2", "kvm1")
            if number > 0:
                berth.append(ours)
                hand.append(theirs)
    print("load of the machine: {:.1f} {:.1f} {:.1f}, {} CPUs".format(*os.getloadavg(), os.cpu_count()))
    report("berth apply", berth)
    report("by hand", hand)


if __name__ == "__main__":
    main()
