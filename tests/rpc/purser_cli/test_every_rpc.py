# SPDX-License-Identifier: Apache-2.0
"""Every rpc of the mesh that a token of the vendor may call has a command, and each runs."""

from pathlib import Path

import pytest

from access.policy import policy_of
from purser_cli.rpc.names import rpcs
from tests.support.any_rpc import methods
from tests.support.command_line import CommandLine, asking_by
from tests.support.every_write import record
from tests.support.postgres import Databases

SERVICES = ("catalog", "contract", "ledger", "alert", "audit", "outbox", "sandbox")
VENDOR = {"operator", "viewer", "security", "payments"}


def may_call(service: str) -> set[str]:
    """Return the rpcs that a role of the vendor may call."""
    return {
        method.full_name
        for method in methods(service)
        if policy_of(f"/{method.containing_service.full_name}/{method.name}").roles & VENDOR
    }


def test_every_rpc_of_the_vendor_has_one_command() -> None:
    wanted = set().union(*map(may_call, SERVICES))

    assert wanted - {rpc.method.full_name for rpc in rpcs()} == set()
    names = [(rpc.noun, rpc.verb) for rpc in rpcs()]
    assert len(names) == len(set(names))


@pytest.mark.timeout(300)
async def test_every_write_runs_as_a_command(databases: Databases, tmp_path: Path) -> None:
    run: set[str] = set()

    await record(databases, asking=asking_by(CommandLine(home=tmp_path), run))

    # A dead letter takes ten minutes to become one: test_session.py asks for some that are not there.
    dead_letters = {rpc.method.full_name for rpc in rpcs() if rpc.noun == "dead-letters"}
    assert {rpc.method.full_name for rpc in rpcs() if rpc.is_write} - run - dead_letters == set()
