#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What becomes of a guest that rewrites 64 of its 192 MiB for ever, over a link that cannot keep up: moved in
turn by 'berth apply' and by 'virsh migrate --live --p2p' with the same deadline.  Prints how many were moved,
and medians of time and of the guest's pause.

usage: live_busy.py [PAIRS [MBIT [DEADLINE_S]]]   (default 3 200 90; $BERTH: the program, default build/berth)"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lab"))
os.environ.setdefault("BERTH", str(ROOT / "build/berth"))

from fleet import Fleet, await_true  # noqa: E402

FLAGS = ["--live", "--p2p", "--persistent", "--undefinesource", "--abort-on-error"]


def by_virsh(fleet, deadline_s):
    """(moved, seconds, pause in ms)"""
    begun = time.monotonic()
    process = fleet.start_process("virsh", "-q", "-c", fleet.uri("kvm1"), "migrate", *FLAGS, "g1",
                                  fleet.uri("kvm2"))
    try:
        moved = process.wait(deadline_s) == 0
    except subprocess.TimeoutExpired:
        fleet.virsh("kvm1", "domjobabort", "g1")
        moved = False
    fleet.finish(process)
    seconds = time.monotonic() - begun
    if not moved:
        return False, seconds, 0
    info = fleet.virsh("kvm2", "domjobinfo", "g1", "--completed")
    return True, seconds, int(re.search(r"Total downtime:\s+(\d+)", info).group(1))


def by_berth(fleet, deadline_s):
    fleet.want({"migrate.timeout": f"{deadline_s}s"}, g1="kvm2")
    begun = time.monotonic()
    fleet.berth("apply", "--yes", timeout=2 * deadline_s + 60)
    seconds = time.monotonic() - begun
    move = json.loads(fleet.berth("history", "--json").stdout)["moves"][0]
    return move["state"] == "done", seconds, move["downtime_ms"]


def one(fleet, how, mbit, deadline_s):
    fleet.reset()
    fleet.guest("g1", "kvm1", kind="busy", memory=192)
    await_true("'g1' is up", lambda: fleet.beat("g1") > 5)
    fleet.disturb("rate", "kvm1", mbit)
    return how(fleet, deadline_s)


def report(name, results):
    moved = [result for result in results if result[0]]
    print(f"{name:<16} moved {len(moved)} of {len(results)}")
    for index, what, unit in ((1, "whole command", "s"), (2, "pause", "ms")):
        values = [result[index] for result in moved]
        if values:
            print(f"{'':<16} {what:<14} {statistics.median(values):>8.1f} {unit}   "
                  f"({min(values):.1f} .. {max(values):.1f})")


def main():
    pairs, mbit, deadline_s = (int(a) for a in (sys.argv[1:] + ["3", "200", "90"][len(sys.argv) - 1:]))
    results = {by_berth: [], by_virsh: []}
    with Fleet(2) as fleet:
        for number in range(2 * pairs):
            how = (by_berth, by_virsh, by_virsh, by_berth)[number % 4]
            results[how].append(one(fleet, how, str(mbit), deadline_s))
    print(f"{pairs} pairs, alternating, {mbit} Mbit/s, deadline {deadline_s} s; median (least .. most)")
    report("berth apply", results[by_berth])
    report("virsh migrate", results[by_virsh])


if __name__ == "__main__":
    main()
