# SPDX-License-Identifier: Apache-2.0
"""`python -m deploy.envoy.paths`: prints the path of every rpc for JSON over HTTP, as the protos have it."""

import sys
from collections.abc import Iterator

from google.api import annotations_pb2

from deploy.envoy.descriptors import caller_services


def paths() -> Iterator[tuple[str, str, str]]:
    """Return verb, path and full name of each rpc that callers with tokens may use."""
    for service in caller_services():
        for method in service.methods:
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            verb = rule.WhichOneof("pattern")
            yield verb.upper(), getattr(rule, verb), f"{service.full_name}/{method.name}"


if __name__ == "__main__":
    for verb, path, name in sorted(paths(), key=lambda one: one[1]):
        sys.stdout.write(f"{verb:6} {path:80} {name}\n")
