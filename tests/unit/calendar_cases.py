#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints tests/unit/calendar_cases.h: when expressions elapse, by systemd-analyze.

    tests/unit/calendar_cases.py | clang-format >tests/unit/calendar_cases.h

By hand, where systemd is installed.  Every expression is written so that it stands for the same points
whatever the time zone of the machine."""

import os
import re
import subprocess

ITERATIONS = 5
PLAIN = "2026-01-01 00:00:00"
CASES = [
    (PLAIN, [
        "minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly",
        "annually", "Hourly", "weekly Pacific/Auckland", "daily UTC", "monthly Europe/Berlin",
        "Sat,Thu,Mon..Wed,Sat..Sun", "Wed *-1", "Wed..Wed,Wed *-1", "Wed, 17:48",
        "Wed..Sat,Tue 2027-10-15 1:2:3", "*-*-7 0:0:0", "10-15", "monday *-12-* 17:00",
        "Mon,Fri *-*-3,1,2 *:30:45", "12,14,13,12:20,10,30", "12..14:10,20,30",
        "mon,fri *-1/2-1,3 *:30:45", "03-05 08:05:40", "08:05:40", "05:40", "Sat,Sun 12-05 08:05:40",
        "Sat,Sun 08:05:40", "2027-03-05 05:40", "2027-02..04-05", "2027-03-05 05:40 UTC", "2027-03-05",
        "*:2/3", "*:0/15", "0/6:0", "*:*:0/20", "1..9/4:30", "2020-01-01", "2020..2022-*-*",
        "2028-02-29", "*-02-29", "*-02-30", "2100-02-29", "2026/5-06-01", "Fri *-*-13", "*-*-31",
        "*-*~1", "*-02~03", "Mon *-05~07/1", "*-*~1..3", "*-*~1..3/2", "*-*~01..03,05", "*-2~1 12:00",
        "*-*~28", "2199-12-31 23:59:59", "Mon Europe/Berlin", "Mon..Fri 22:00 Europe/Berlin",
        "22:00 America/New_York", "*-*-01 03:00 Asia/Kolkata", "Sun 04:00 Australia/Lord_Howe",
    ]),
    ("2028-02-28 12:00:00", ["daily", "*-02-29", "*-02~1", "*-*-29 06:30"]),
    ("2026-01-31 23:59:59", ["minutely", "*:*:59", "*-*-31 23:59:59", "monthly"]),
    # Clocks go forward and back.  Not from within the second of two hours: there alone systemd counts it.
    ("2026-03-28 00:00:00", ["02:30 Europe/Berlin", "*:0/30 Europe/Berlin", "03:00 Europe/Berlin"]),
    ("2026-03-29 00:00:00", ["*:0/30 Europe/Berlin", "02..03:15,45 Europe/Berlin"]),
    ("2026-10-24 00:00:00", ["02:30 Europe/Berlin", "03:00 Europe/Berlin", "02:00 Europe/Berlin"]),
    ("2026-10-24 23:30:00", ["*:0/30 Europe/Berlin", "*:*:0/20 Europe/Berlin"]),
    ("2026-10-25 00:30:00", ["*:0/15 Europe/Berlin", "02:15 Europe/Berlin", "02:45 Europe/Berlin"]),
    ("2026-03-07 00:00:00", ["02:30 America/New_York", "01:59:59 America/New_York"]),
    ("2026-03-08 06:30:00", ["*:0/30 America/New_York"]),
    ("2026-10-31 00:00:00", ["01:30 America/New_York", "*-*-01 01:00 America/New_York"]),
    ("2026-11-01 05:10:00", ["*:0/20 America/New_York", "01:00 America/New_York"]),
    # Half an hour, in the south: back in April, forward in October.
    ("2026-04-03 00:00:00", ["01:45 Australia/Lord_Howe", "02:00 Australia/Lord_Howe"]),
    ("2026-04-04 14:00:00", ["*:0/15 Australia/Lord_Howe"]),
    ("2026-10-02 00:00:00", ["02:15 Australia/Lord_Howe", "02:30 Australia/Lord_Howe"]),
    ("2026-10-03 15:00:00", ["*:0/15 Australia/Lord_Howe"]),
    # Midnight itself is left out there, and comes twice there.
    ("2026-09-04 00:00:00", ["daily America/Santiago", "00:30 America/Santiago"]),
    ("2026-04-03 12:00:00", ["23:30 America/Santiago", "daily America/Santiago"]),
    ("2026-03-28 00:00:00", ["02:30 Asia/Kolkata", "02:30 UTC"]),
    ("2036-10-25 12:00:00", ["02:30 Europe/Berlin"]),
]


def elapses(expression, base):
    out = subprocess.run(
        ["systemd-analyze", "calendar", f"--iterations={ITERATIONS}", f"--base-time={base} UTC", expression],
        env=os.environ | {"TZ": "UTC", "LC_ALL": "C"}, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+) (\S+) UTC", out)
    if not found and "Next elapse: never" not in out:
        raise SystemExit(f"cannot read: {out}")
    return [f"{day}T{time}Z" for day, time in found]


print("/* SPDX-License-Identifier: Apache-2.0 */")
print("#pragma once\n")
print("/* When expressions elapse, by systemd-analyze.  Written by calendar_cases.py. */\n")
print(f"#define CALENDAR_CASE_INSTANTS {ITERATIONS}\n")
print("static const struct {")
print("    const char *expression;\n    const char *base;")
print("    const char *instants[CALENDAR_CASE_INSTANTS]; /* NULL = no further. */")
print("} calendar_cases[] = {")
for base, expressions in CASES:
    for expression in expressions:
        instants = [f'"{instant}"' for instant in elapses(expression, base)] or ["NULL"]
        lines = ",\n        ".join(instants)
        print(f'    {{ "{expression}",\n      "{base.replace(" ", "T")}Z",\n      {{ {lines} }} }},')
print("};")
