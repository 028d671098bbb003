# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format 0.0.4, read strictly: what a scraper might forgive is an error here."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?\d+(?:\.\d+)?|[+-]Inf|NaN)")
TYPES = ("counter", "gauge", "histogram")
UNITS = ("_total", "_seconds", "_bytes", "_ratio", "_info")


def parse(text):
    """(name, labels as a frozenset of pairs) -> value, of all samples, and name -> type.  ValueError says
    what is wrong, with its line."""
    samples, types, helps = {}, {}, {}
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    family = None
    for number, line in enumerate(text[:-1].split("\n"), 1):
        comment = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if comment:
            kind, family, rest = comment.groups()
            known = helps if kind == "HELP" else types
            if family in known or any(name_of(name, types) == family for name, _ in samples):
                raise ValueError(f"{number}: {kind} of {family} is there twice or late")
            if kind == "TYPE" and (rest not in TYPES or family not in helps):
                raise ValueError(f"{number}: '{rest}' is no type, or has no HELP")
            known[family] = rest
            continue
        match = SAMPLE.fullmatch(line)
        if not match:
            raise ValueError(f"{number}: not a sample: {line!r}")
        name, labels, value = match.groups()
        if name_of(name, types) != family or family not in types:
            raise ValueError(f"{number}: {name} stands outside of its family")
        pairs = [tuple(label.split("=", 1)) for label in re.findall(LABEL, labels or "")]
        key = (name, frozenset((label, unescape(quoted)) for label, quoted in pairs))
        if key in samples or len(key[1]) != len(pairs) or len({l for l, _ in pairs}) != len(pairs):
            raise ValueError(f"{number}: {line!r} is there twice, or one of its labels")
        samples[key] = float(value)
    for family, kind in types.items():
        check_family(family, kind, {key: value for key, value in samples.items()
                                    if name_of(key[0], types) == family})
    return samples, types


def name_of(name, types):
    """The family of a sample."""
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix) and types.get(name.removesuffix(suffix)) == "histogram":
            return name.removesuffix(suffix)
    return name


def unescape(quoted):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), quoted[1:-1])


def check_family(family, kind, samples):
    if not samples and kind != "gauge":
        raise ValueError(f"{family} has no sample")
    if (kind == "counter") != family.endswith("_total"):
        raise ValueError(f"{family}: exactly counters end in _total")
    if kind == "histogram":
        check_histogram(family, samples)
        if not family.endswith(UNITS):
            raise ValueError(f"{family} has no unit")
    if kind != "gauge" and any(value < 0 for value in samples.values()):
        raise ValueError(f"{family} is negative")


def check_histogram(family, samples):
    buckets = [(float(dict(labels)["le"]), value) for (name, labels), value in samples.items()
               if name == f"{family}_bucket"]
    count = samples.get((f"{family}_count", frozenset()))
    if buckets != sorted(buckets) or [v for _, v in buckets] != sorted(v for _, v in buckets):
        raise ValueError(f"{family}: buckets do not ascend")
    if not buckets or buckets[-1] != (float("inf"), count) or \
            (f"{family}_sum", frozenset()) not in samples:
        raise ValueError(f"{family}: the last bucket is not the count, or the sum is missing")
