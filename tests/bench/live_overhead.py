#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a live move by Berth costs beside 'virsh migrate' with the same flags.

One guest goes back and forth between two real hosts, moved in turn by 'berth apply' and by virsh; whole
commands are timed.  Then 'berth plan' of three hosts, end to end.  Prints medians and ratios of pairs of
one run; figures of different runs or machines do not compare.

usage: live_overhead.py [PAIRS [MBIT]]   (default 9; MBIT limits what a host may send, default: not;
$BERTH: the program, default build/berth)"""

import json
import os
import pathlib
import re
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lab"))
os.environ.setdefault("BERTH", str(ROOT / "build/berth"))

from fleet import Fleet  # noqa: E402

FLAGS = ["--live", "--p2p", "--persistent", "--undefinesource", "--abort-on-error"]


def timed(call):
    begun = time.monotonic()
    result = call()
    return time.monotonic() - begun, result


def by_virsh(fleet, source, target):
    """Seconds and the guest's pause in ms, as libvirt reports it once on the source or target."""
    seconds, _ = timed(
        lambda: fleet.virsh(source, "migrate", *FLAGS, "g1", fleet.uri(target), timeout=120)
    )
    info = fleet.virsh(target, "domjobinfo", "g1", "--completed")
    return seconds, int(re.search(r"Total downtime:\s+(\d+)", info).group(1))


def by_berth(fleet, target):
    fleet.want(g1=target)
    seconds, result = timed(lambda: fleet.berth("apply", "--yes"))
    if result.returncode:
        raise SystemExit(f"berth apply failed: {result.stderr}")
    history = json.loads(fleet.berth("history", "--json").stdout)
    return seconds, history["moves"][-1]["downtime_ms"]


def row(name, values, unit, digits):
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{name:<34} {middle:>9.{digits}f} {unit}   ({low:.{digits}f} .. {high:.{digits}f})")
    return middle


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    berth, virsh, plans = [], [], []
    with Fleet(3) as fleet:
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1", memory=128)
        fleet.lab("attach", "kvm2", "v1")
        if len(sys.argv) > 2:
            for host in ("kvm1", "kvm2"):
                fleet.disturb("rate", host, sys.argv[2])
        by_berth(fleet, "kvm2")  # Warm caches on both ways; not counted.
        by_virsh(fleet, "kvm2", "kvm1")
        for number in range(pairs):
            if number % 2:
                virsh.append(by_virsh(fleet, "kvm1", "kvm2"))
                fleet.want(g1="kvm1")
                berth.append(by_berth(fleet, "kvm1"))
            else:
                berth.append(by_berth(fleet, "kvm2"))
                virsh.append(by_virsh(fleet, "kvm2", "kvm1"))
        fleet.want(g1="kvm1")
        for _ in range(pairs):
            plans.append(timed(lambda: fleet.berth("plan"))[0])
    print(f"{pairs} pairs, alternating; median (least .. most)")
    ours = row("berth apply, whole command", [s for s, _ in berth], "s", 3)
    theirs = row("virsh migrate, whole command", [s for s, _ in virsh], "s", 3)
    row("ratio of each pair", [b[0] / v[0] for b, v in zip(berth, virsh)], " ", 3)
    print(f"{'ratio of the medians':<34} {ours / theirs:>9.3f}")
    row("guest's pause, berth", [d for _, d in berth], "ms", 0)
    row("guest's pause, virsh", [d for _, d in virsh], "ms", 0)
    row("berth plan, 3 hosts, end to end", [p * 1000 for p in plans], "ms", 0)


if __name__ == "__main__":
    main()
