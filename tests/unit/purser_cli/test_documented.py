# SPDX-License-Identifier: Apache-2.0
"""The documents show commands and options that exist; help and completion say what there is."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.database import SOURCE_ROOT
from purser.audit.v1 import audit_pb2
from purser_cli.rpc import comments
from purser_cli.rpc.names import command_name, rpc_named, rpcs, singular
from purser_cli.rpc.options import options_of, request_of
from tests.support.command_line import CommandLine

DOCUMENTS = ("README.md", "libs/purser_cli/README.md")
EXAMPLE = re.compile(r"^(?:\.venv/bin/)?purser [^#|\n]+", re.MULTILINE)


def _examples() -> list[str]:
    blocks = [
        block
        for document in DOCUMENTS
        for block in re.findall(
            r"^```sh\n(.*?)^```$", (SOURCE_ROOT / document).read_text(), re.MULTILINE | re.DOTALL
        )
    ]
    return sorted({example.strip() for block in blocks for example in EXAMPLE.findall(block)})


@pytest.mark.parametrize("example", _examples())
def test_every_documented_command_has_its_options(example: str, tmp_path: Path) -> None:
    words = shlex.split(example)[1:]

    ended = CommandLine(home=tmp_path).run_here(*words, "--help")

    assert ended.status == 0, ended.err
    assert ended.out.startswith("Usage: purser ")


def test_an_option_that_does_not_exist_is_caught(tmp_path: Path) -> None:
    ended = CommandLine(home=tmp_path).run_here("customer", "list", "--colour", "red", "--help")

    assert (ended.status, "No such option: --colour" in ended.err) == (2, True)


def test_every_rpc_and_option_has_a_help_text() -> None:
    mute = [rpc.method.full_name for rpc in rpcs() if not comments.of_rpc(rpc.method)]
    mute += [
        option.field.full_name
        for rpc in rpcs()
        for option in options_of(rpc)
        if not comments.of_field(option.field)
    ]

    assert mute == []


def test_help_names_amounts_without_the_unit_of_the_wire(tmp_path: Path) -> None:
    told = CommandLine(home=tmp_path).run_here("grant", "issue", "--help").out

    assert "--amount DECIMAL" in told
    assert "--expire-time TIME" in told
    assert "10^6" not in told
    assert "One of: included, top-up, promotional, rollover." in " ".join(told.split())


@pytest.mark.parametrize(
    ("rpc", "name"),
    [
        ("ListRateCards", ("rate-card", "list")),
        ("CreateAPIKey", ("api-key", "create")),
        ("ListPolicies", ("policy", "list")),
        ("GetStatus", ("status", "get")),
        ("ChangeSeats", ("seats", "change")),
    ],
)
def test_an_rpc_without_a_better_name_is_noun_and_verb(rpc: str, name: tuple[str, str]) -> None:
    assert command_name(rpc) == name


def test_a_request_id_that_is_a_filter_is_no_idempotency_key() -> None:
    audit = rpc_named("ListAuditEvents")

    made = request_of(audit, {"request_id": "grant-1"}, new_id=lambda: "made")

    assert not audit.is_write
    assert made == audit_pb2.ListAuditEventsRequest(request_id="grant-1")
    assert request_of(audit, {}, new_id=lambda: "made") == audit_pb2.ListAuditEventsRequest()
    assert request_of(rpc_named("ResumeAlert"), {}, new_id=lambda: "made").request_id == "made"  # type: ignore[attr-defined]


def test_nouns_that_end_like_plurals_stay() -> None:
    assert [singular(noun) for noun in ("status", "address", "entries")] == ["status", "address", "entry"]


def test_a_shell_completes_nouns_options_and_enum_values() -> None:
    def completed(line: str, at: int) -> list[str]:
        variables = {
            **os.environ,
            "_PURSER_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(at),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "purser_cli"],
            env=variables,
            cwd=SOURCE_ROOT,
            capture_output=True,
            text=True,
        )
        return ended.stdout.split()

    assert completed("purser gran", 1) == ["grant", "grant-schedule"]
    assert completed("purser grant issue --grant-k", 3) == ["--grant-kind"]
    assert completed("purser grant issue --grant-kind p", 4) == ["promotional"]
