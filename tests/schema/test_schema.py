#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""configs/es.rng accepts the examples and whatever else a file may hold, and refuses broken parts."""

import pathlib
import shutil
import subprocess
import unittest

CONFIGS = pathlib.Path(__file__).resolve().parent.parent.parent / "configs"
SMALL = (CONFIGS / "examples" / "small.xml").read_text()

ACCEPTED = {
    "elements nobody knows": ("<machines>", "<patches><patch id='1'>x</patch></patches><machines>"),
    "elements of another namespace": ("<hostName>kvm1", "<x xmlns='urn:x'/><hostName>kvm1"),
    "attributes nobody knows": ("<machines>", "<machines count='7'>"),
    "a storage cell without anything": ("<machines>", "<machines><machine/>"),
    "a Xen machine": ("<machines>", "<machines><machine id='x'><osType>LinuxGuest</osType>"
                                    "<virtual>true</virtual><guestMemory>?</guestMemory></machine>"),
    "a LinuxKVM machine that is virtual": ("<machines>", "<machines><machine><osType>LinuxKVM</osType>"
                                                         "<virtual>true</virtual></machine>"),
    "a size with a fraction": ("128Mb", "0.125 GiB"),
}

REFUSED = {
    "another root": ("engineeredSystem", "system"),
    "a host without a name": ("<hostName>kvm1</hostName>", ""),
    "a host name with a blank": ("<hostName>kvm1</hostName>", "<hostName>kvm 1</hostName>"),
    "a host with two names": ("<hostName>kvm1</hostName>",
                              "<hostName>kvm1</hostName><hostName>kvm9</hostName>"),
    "a host without id": ('<machine id="kvm1_id">', "<machine>"),
    "a placement without id": ('<machine id="db1_id"/>', "<machine/>"),
    "a size that is none": ("128Mb", "128 megs"),
    "no vCPU": ("<guestCores>1<", "<guestCores>0<"),
    "too many vCPUs": ("<guestCores>1<", "<guestCores>4097<"),
    "a cluster without id": ('<cluster id="db_id"/>', "<cluster/>"),
}


def validates(text):
    result = subprocess.run(["xmllint", "--noout", "--nonet", "--relaxng", CONFIGS / "es.rng", "-"],
                            input=text.encode(), capture_output=True, timeout=60)
    if result.returncode not in (0, 3):  # 3 = does not validate
        raise AssertionError(result.stderr.decode())
    return result.returncode == 0


@unittest.skipUnless(shutil.which("xmllint"), "xmllint is not installed")
class Schema(unittest.TestCase):
    def test_examples_validate(self):
        for path in sorted((CONFIGS / "examples").glob("*.xml")):
            with self.subTest(path.name):
                self.assertTrue(validates(path.read_text()))

    def test_what_is_not_read_is_let_through(self):
        for sentence, (old, new) in ACCEPTED.items():
            with self.subTest(sentence):
                self.assertIn(old, SMALL)
                self.assertTrue(validates(SMALL.replace(old, new)))

    def test_broken_parts_are_refused(self):
        for sentence, (old, new) in REFUSED.items():
            with self.subTest(sentence):
                self.assertIn(old, SMALL)
                self.assertFalse(validates(SMALL.replace(old, new)))


if __name__ == "__main__":
    unittest.main()
