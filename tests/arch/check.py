#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the rules of docs/style.md that no compiler knows.  Usage: tests/arch/check.py [BUILD_DIR]

Source rules need only the tree; symbol rules read the objects of BUILD_DIR with objdump."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

MAY_INCLUDE = {  # a nested library is named by its path; the longest match owns a file
    "base": set(),
    "model": {"base"},
    "diff": {"base", "model"},
    "actuators": {"base", "model"},
    "reconciler/journal": {"base", "model"},
    "reconciler/api": {"base", "model"},
    "reconciler": {"base", "model", "diff", "actuators", "reconciler/journal", "reconciler/api"},
    "cli": {"base", "model", "diff", "actuators", "reconciler", "reconciler/journal", "reconciler/api"},
}
ONLY_HEADERS = {  # (from, to) -> what of a folder others may see
    ("reconciler", "actuators"): {"actuators/actuator.h"},  # the seam, nothing behind it
    ("cli", "actuators"): {"actuators/actuator.h", "actuators/sim.h", "actuators/libvirt.h",
                             "actuators/libvirt_module.h"},
    ("cli", "reconciler"): {"reconciler/reconciler.h", "reconciler/event.h",
                              "reconciler/calls.h", "reconciler/snapshot.h", "reconciler/source.h",
                              "reconciler/ledger.h", "reconciler/view.h", "reconciler/config.h",
                              "reconciler/order.h", "reconciler/drift.h", "reconciler/status.h",
                              "reconciler/condition.h", "reconciler/gauge.h", "reconciler/hold.h",
                              "reconciler/journal_json.h", "reconciler/json_member.h",
                              "reconciler/event_json.h", "reconciler/force.h", "reconciler/guard.h",
                              "reconciler/headline.h",
                              "reconciler/hook.h", "reconciler/metrics.h",
                              "reconciler/preflight.h", "reconciler/procedure.h", "reconciler/recall.h", "reconciler/reload.h",
                              "reconciler/service.h"}}
CONFINED = {  # external header -> the only files that may include it
    r"libxml/": r"(model/es_xml|actuators/libvirt_xml|cli/relaxng)\.c",
    r"jansson\.h": r"(model/\w+_json|diff/\w+_json|reconciler/api/\w+|cli/\w+|actuators/sim\w*)\.c",
    r"libvirt/": r"actuators/libvirt\w*\.[ch]",
    r"dlfcn\.h": r"base/module\.c",
    r"libssh/": r"actuators/ssh\w*\.[ch]",
    r"sqlite3\.h": r"reconciler/journal/\w+\.[ch]",
    r"sys/inotify\.h": r"reconciler/watch\.c",
    r"uv\.h": r"base/loop_uv\.c",
    r"microhttpd\.h": r"reconciler/api/\w+\.c",
    r"curl/": r"(cli/client|reconciler/webhook)\.c",
    r"ncurses": r"cli/terminal\.c",
    r"ini\.h": r"reconciler/config_lines\.c",
    r"glib": r"reconciler/zone\.c",
    r"regex\.h": r"(reconciler/config_profile|actuators/libvirt_\w+)\.c",
    r"nettle/": r"base/digest\.c",
    r"systemd/": r"reconciler/service\.c",
}
PURE = {"model", "diff"}
PURE_BASE = {"arena", "err", "text", "base", "clock"}  # what pure code may use of base/
PURE_LIBC = {"memcmp", "memcpy", "memmove", "memset", "memchr", "strcmp", "strlen", "strncmp", "strnlen", "strchr",
             "strrchr", "strcspn", "strspn", "strstr", "strcasecmp", "strncasecmp", "snprintf", "vsnprintf", "__snprintf_chk", "__vsnprintf_chk", "__memcpy_chk", "__memset_chk",
             "__memmove_chk", "qsort", "bsearch", "abort", "__assert_fail", "__stack_chk_fail"}
CODECS = {"es_xml", "observed_json", "plan_json", "diff_json"}  # bytes to values and back: a library is allowed
LONG_FUNCTION, LONG_FILE = 80, 800  # worth a look, never a failure

problems = []


def say(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def owner(rel):
    """The library a source file belongs to, or None."""
    parts = pathlib.PurePath(rel).parts
    for depth in (2, 1):
        if "/".join(parts[:depth]) in MAY_INCLUDE and len(parts) > depth:
            return "/".join(parts[:depth])
    return None


def sources():
    for path in sorted(ROOT.rglob("*.[ch]")):
        rel = path.relative_to(ROOT)
        if rel.parts[0] in ("build", "tests", "web"):
            continue
        if owner(rel):
            yield path
        else:
            say(rel, 1, "in no folder that tests/arch/check.py knows")


def check_source(path):
    rel = path.relative_to(ROOT)
    folder = owner(rel)
    lines = path.read_text().split("\n")
    if not lines[0].startswith("/* SPDX-License-Identifier: "):
        say(rel, 1, "first line is not the SPDX line")
    if path.suffix == ".h" and lines[1:2] != ["#pragma once"]:
        say(rel, 2, "headers have '#pragma once' as their second line")
    if len(lines) - 1 > LONG_FILE:
        print(f"note: {rel}: {len(lines) - 1} lines")
    start = 0
    for number, line in enumerate(lines, 1):
        include = re.match(r'#include "([^"]+)"', line)
        if include:
            target = owner(include.group(1))
            if target != folder and target not in MAY_INCLUDE[folder]:
                say(rel, number, f"{folder}/ may not include {include.group(1)}")
            seam = ONLY_HEADERS.get((folder, target))
            if seam and include.group(1) not in seam:
                say(rel, number, f"{folder}/ may include only {', '.join(sorted(seam))} of {target}/")
            if folder in PURE and target == "base" and pathlib.PurePath(include.group(1)).stem not in PURE_BASE:
                say(rel, number, f"pure code may not include {include.group(1)}")
        include = re.match(r"#include <([^>]+)>", line)
        if include:
            for header, place in CONFINED.items():
                if re.match(header, include.group(1)) and not re.fullmatch(place, str(rel)):
                    say(rel, number, f"<{include.group(1)}> belongs to {place}")
        if line == "{":
            start = number
        if line == "}" and start:
            if number - start - 1 > LONG_FUNCTION:
                print(f"note: {rel}:{start}: function of {number - start - 1} lines")
            start = 0
        if path.suffix == ".h" and re.match(r"[a-z][\w *]*\b\w+\(", line) \
                and not line.startswith(("static inline", "typedef", "struct auto_")):
            first = number  # declarations without a blank line between them share one comment
            while lines[first - 2].strip() and not lines[first - 2].rstrip().endswith("*/"):
                first -= 1
            if not lines[first - 2].strip():
                say(rel, number, "exported function without a comment")


def symbols(build):
    """(folder, stem, scope, flags, section, name) of every symbol of our own objects."""
    for obj in sorted(pathlib.Path(build).rglob("*.c.o")):
        match = re.search(r"\.dir/([\w/]+)\.c\.o$", str(obj))
        folder = match and owner(match.group(1) + ".c")
        if not folder or not (ROOT / f"{match.group(1)}.c").exists():
            continue  # an object that outlived its source tells nothing
        stem = pathlib.PurePath(match.group(1)).name
        for line in subprocess.check_output(["objdump", "-t", obj], text=True).splitlines():
            symbol = re.match(r"[0-9a-f]+ (.)(.{6}) (\S+)\s+[0-9a-f]+ +(?:\.hidden )?(\S+)$", line)
            if symbol:
                yield (folder, stem, *symbol.groups())


def check_objects(build):
    """Judge debug or release objects only: sanitizers bring symbols of their own."""
    table = list(symbols(build))
    alive = {(folder, stem) for folder, stem, _, _, _, name in table if name == "__assert_fail"}
    for folder, stem in sorted({(folder, stem) for folder, stem, *_ in table}):
        source = ROOT / folder / f"{stem}.c"
        if re.search(r"^\s+assert\(", source.read_text(), re.M) and (folder, stem) not in alive:
            say(f"{folder}/{stem}.c", 1, "its assertions were compiled away")
    allowed = set(PURE_LIBC) | {name for folder, stem, _, _, section, name in table if section != "*UND*"
                                and (folder in PURE or folder == "base" and stem in PURE_BASE)}
    for folder, stem, scope, flags, section, name in table:
        where = f"{folder}/{stem}.c"
        undefined = section == "*UND*"
        if "F" in flags and scope == "g" and not undefined and name != "main" and not name.startswith(stem + "_"):
            say(where, 1, f"exported symbol '{name}' does not begin with '{stem}_'")
        if "O" in flags and section.startswith((".data", ".bss", ".tbss", ".tdata", "*COM*")) \
                and not section.startswith(".data.rel.ro"):
            say(where, 1, f"mutable variable '{name}' of static storage")
        if undefined and folder in PURE and stem not in CODECS and name not in allowed \
                and not name.startswith("_GLOBAL"):
            say(where, 1, f"pure code references '{name}'")


for source in sources():
    check_source(source)
if len(sys.argv) > 1:
    check_objects(sys.argv[1])
print("\n".join(problems) or "style: ok")
sys.exit(1 if problems else 0)
