#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml against a running server, whose documents are written by the functions that berthd uses
($API_SAMPLE): what it answers fits what is described, and what it takes is described, nothing besides."""

import json
import os
import pathlib
import re
import subprocess
import unittest

import jsonschema
import yaml

from served import Served

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SPEC = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def resolve(part):
    while "$ref" in part:
        where = SPEC
        for name in part["$ref"].removeprefix("#/").split("/"):
            where = where[name]
        part = where
    return part


def validator(schema):
    return jsonschema.Draft202012Validator(
        schema | {"components": SPEC["components"]} if "$ref" not in schema else
        {"allOf": [schema], "components": SPEC["components"]},
        format_checker=jsonschema.FormatChecker())


def sample(name):
    return subprocess.run([os.environ["API_SAMPLE"], name], capture_output=True, text=True,
                          check=True).stdout


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        documents = {f"{name}.json": sample(name) for name in
                     ("status", "plan", "guests", "hosts", "history")}
        documents |= {"guests-db1.json": documents["guests.json"],
                      "hosts-a.json": documents["hosts.json"], "metrics.txt": sample("metrics")}
        cls.served = Served(documents=documents)
        cls.served.__enter__()
        cls.addClassCleanup(cls.served.__exit__)

    def check(self, path, method, answer):
        """That the answer is one of those described for the path."""
        responses = SPEC["paths"][path][method.lower()]["responses"]
        response = resolve(responses.get(str(answer.status), responses.get("default")))
        kind = answer.fields["Content-Type"].split(";")[0]
        self.assertIn(kind, response["content"])
        if kind == "application/json":
            validator(response["content"][kind]["schema"]).validate(answer.json)

    def test_the_description_is_sound(self):
        self.assertEqual(SPEC["openapi"], "3.1.0")
        for name, schema in SPEC["components"]["schemas"].items():
            with self.subTest(name):
                jsonschema.Draft202012Validator.check_schema(schema)
        for reference in re.findall(r'\$ref: "(#[^"]+)"', (ROOT / "docs" / "openapi.yaml").read_text()):
            self.assertIsNotNone(resolve({"$ref": reference}))

    def test_a_document_that_does_not_fit_is_noticed(self):
        for name, change in (("Status", {"valid": "yes"}), ("Status", {"format": "other"}),
                             ("Guests", {"guests": [{}]}), ("Hosts", {"hosts": None}),
                             ("Plan", {"blocked": [{"guest": "a", "code": "x", "reason": None}]}),
                             ("History", {"moves": [{"guest": "a b"}]})):
            schema = validator({"$ref": f"#/components/schemas/{name}"})
            good = json.loads(sample(name.lower()))
            with self.subTest(name=name, change=change):
                self.assertTrue(schema.is_valid(good))
                self.assertFalse(schema.is_valid(good | change))
                self.assertFalse(schema.is_valid({}))

    def test_every_document_is_as_described(self):
        for path, name in (("/v1/guests/{name}", "db1"), ("/v1/hosts/{name}", "a"),
                           ("/v1/status", ""), ("/v1/plan", ""), ("/v1/guests", ""),
                           ("/v1/hosts", ""), ("/v1/history", ""), ("/metrics", "")):
            with self.subTest(path):
                answer = self.served.ask("GET", path.format(name=name))
                self.assertEqual(answer.status, 200)
                self.check(path, "get", answer)

    def test_every_error_is_as_described(self):
        for path, method, body, fields, status in (
                ("/v1/guests/{name}", "GET", None, {}, 404), ("/v1/history", "GET", None, {}, 400),
                ("/v1/hold", "POST", "[", {}, 400), ("/v1/hold", "POST", {"guest": "absent"}, {}, 404),
                ("/v1/hold", "POST", {"guest": "refused"}, {}, 409),
                ("/v1/hold", "POST", {"guest": "busy"}, {}, 503),
                ("/v1/hold", "POST", {"reason": "x" * 5000}, {}, 413),
                ("/v1/hold", "POST", {}, {"Content_Type": "text/plain"}, 415),
                ("/v1/hold", "POST", {}, {"Origin": "null"}, 403)):
            with self.subTest(path=path, status=status):
                target = path.format(name="other") + ("?x=1" if path == "/v1/history" else "")
                answer = self.served.ask(method, target, body, **fields)
                self.assertEqual(answer.status, status)
                self.check(path, method, answer)

    def test_acts_take_what_is_described_and_nothing_else(self):
        bodies = ({}, {"guest": "db1"}, {"host": "a"}, {"reason": "x"}, {"guest": "a", "host": "b"},
                  {"guest": "db1", "reason": "x"}, {"guest": 1}, {"color": "red"}, {"guest": "a b"}, [])
        for path, operations in SPEC["paths"].items():
            schema = operations.get("post", {}).get("requestBody", {}).get("content", {}).get(
                "application/json", {}).get("schema")
            if schema is None:
                continue
            for body in bodies:
                with self.subTest(path=path, body=body):
                    answer = self.served.ask("POST", path, body)
                    self.check(path, "post", answer)
                    self.assertEqual(answer.status, 200 if validator(schema).is_valid(body) else 400)
            self.served.until("requests are taken again", # There is a limit to them.
                              lambda: self.served.ask("GET", "/v1/status").status == 200)

    def test_every_method_that_is_taken_is_described_and_no_other(self):
        for path, operations in SPEC["paths"].items():
            allowed = {method.upper() for method in operations}
            allowed |= {"HEAD"} if "GET" in allowed else set()
            target = path.format(name="db1" if "guests" in path else "a")
            answer = self.served.ask("BREW", target)
            with self.subTest(path):
                self.assertEqual(answer.status, 405)
                self.assertEqual(set(answer.fields["Allow"].split(", ")), allowed)
                self.assertLessEqual(allowed, set(METHODS))

    def test_the_paths_of_the_description_are_those_of_the_guide(self):
        text = (ROOT / "docs" / "api.md").read_text()
        for path in SPEC["paths"]:
            with self.subTest(path):
                self.assertIn(path.replace("{name}", "NAME").removeprefix("/v1/"), text)


if __name__ == "__main__":
    unittest.main()
