#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a live move by Berth costs beside 'virsh migrate' with the same flags.

One guest goes back and forth between two real hosts, moved in turn by 'berth apply' and by virsh;
whole commands are timed, and what is left of them without QEMU's copying, which varies most and is
the same for both.  Then how long the proof before a move takes when several guests move in one run,
which logs in to a host once, and 'berth plan' of three hosts, end to end.  Prints medians and
ratios of pairs of one run; figures of different runs or machines do not compare.

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
    """Seconds, and ms of the guest's pause and of QEMU's copying, which libvirt reports once."""
    seconds, _ = timed(
        lambda: fleet.virsh(source, "migrate", *FLAGS, "g1", fleet.uri(target), timeout=120)
    )
    info = fleet.virsh(target, "domjobinfo", "g1", "--completed")
    pause, copying = (
        int(re.search(what + r":\s+(\d+)", info).group(1))
        for what in ("Total downtime", "Time elapsed")
    )
    return seconds, pause, copying


def apply(fleet):
    seconds, result = timed(lambda: fleet.berth("apply", "--yes"))
    if result.returncode:
        raise SystemExit(f"berth apply failed: {result.stderr}")
    return seconds


def by_berth(fleet, target):
    """Seconds; ms of the guest's pause and QEMU's copying, and of the proof before the move."""
    fleet.want(g1=target)
    seconds = apply(fleet)
    move = json.loads(fleet.berth("history", "--json").stdout)["moves"][-1]
    steps = dict(
        fleet.journal(
            "SELECT kind, ended_ms - begun_ms FROM step WHERE seq = (SELECT max(seq) FROM move)"
        )
    )
    return seconds, move["downtime_ms"], move["total_ms"], steps["preflight"]


def proofs(fleet, rounds):
    """Ms of the proof before the first move of a run, and before the others."""
    guests = [f"p{number}" for number in range(3)]
    for guest in guests:
        fleet.lab("volume", guest)
        fleet.guest(guest, "kvm1", disk=guest, memory=96)
        fleet.lab("attach", "kvm2", guest)
    first, later = [], []
    for number in range(rounds):
        target = "kvm1" if number % 2 else "kvm2"
        fleet.want(**{guest: target for guest in guests})
        apply(fleet)
        steps = fleet.journal(
            "SELECT ended_ms - begun_ms FROM step WHERE kind = 'preflight' "
            "ORDER BY epoch DESC, seq DESC LIMIT 3"
        )
        *others, begun = (ms for (ms,) in steps)
        first.append(begun)
        later += others
    return first, later


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
        first, later = proofs(fleet, pairs // 2 + 1)
    print(f"{pairs} pairs, alternating; median (least .. most)")
    ours = row("berth apply, whole command", [b[0] for b in berth], "s", 3)
    theirs = row("virsh migrate, whole command", [v[0] for v in virsh], "s", 3)
    row("ratio of each pair", [b[0] / v[0] for b, v in zip(berth, virsh)], " ", 3)
    print(f"{'ratio of the medians':<34} {ours / theirs:>9.3f}")
    row("guest's pause, berth", [b[1] for b in berth], "ms", 0)
    row("guest's pause, virsh", [v[1] for v in virsh], "ms", 0)
    row("QEMU's copying, berth", [b[2] for b in berth], "ms", 0)
    row("QEMU's copying, virsh", [v[2] for v in virsh], "ms", 0)
    row("beyond QEMU's copying, berth", [b[0] * 1000 - b[2] for b in berth], "ms", 0)
    row("beyond QEMU's copying, virsh", [v[0] * 1000 - v[2] for v in virsh], "ms", 0)
    row("of which proof, berth", [b[3] for b in berth], "ms", 0)
    row("proof, first move of a run", first, "ms", 0)
    row("proof, later moves of a run", later, "ms", 0)
    row("berth plan, 3 hosts, end to end", [p * 1000 for p in plans], "ms", 0)


if __name__ == "__main__":
    main()
