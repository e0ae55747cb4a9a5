# SPDX-License-Identifier: Apache-2.0
"""`purser demo-data` records a month once, and the Ledger's sums agree with it."""

from datetime import UTC, datetime

import pytest

from purser_cli.exits import DONE, WRONG
from tests.rpc.purser_cli.conftest import CommandMesh
from tests.support.command_line import CommandLine
from tests.support.mesh import advance

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_demo_data_fills_a_month_and_repeated_records_nothing(
    running: CommandMesh, user: CommandLine
) -> None:
    await advance(running.acme.stubs, datetime(2025, 6, 27, 18, tzinfo=UTC))

    first = await user.run("demo-data", "--customer", "acme", "--days", "20", "--users", "5")
    again = await user.run("demo-data", "--customer", "acme", "--days", "20", "--users", "5")
    other = await user.run("demo-data", "--customer", "acme", "--days", "2", "--users", "5", "--seed", "2")

    assert (first.status, again.status, other.status) == (DONE, DONE, DONE)
    accepted = int(first.out.splitlines()[1].split()[0])
    assert first.out.splitlines()[1].split()[1] == "accepted"
    assert again.out.splitlines()[1].split() == [str(accepted), "recorded", "before"]
    assert "accepted" in other.out
    spent = await user.run(
        "usage", "top-spenders", "acme", running.acme.offer.ai_credits, "--group-key", "user_id"
    )
    assert {"ann", "bob", "nightly-report"} <= {line.split()[0] for line in spent.out.splitlines() if line}
    assert (await user.run("verify", "--customer", "acme")).status == DONE


async def test_demo_data_for_nobody_says_what_is_missing(user: CommandLine) -> None:
    await user.run("customer", "create", "--name", "Globex", "--aliases", "globex")

    assert (
        "no contract of 'globex' prices a usage product now"
        in (await user.run("demo-data", "--customer", "globex")).err
    )
    wrong = await user.run("demo-data", "--customer", "acme", "--credits", "much")
    assert (wrong.status, wrong.err) == (WRONG, "purser: --credits: 'much' is not a number, such as 12.5\n")
    assert (await user.run("demo-data", "--customer", "acme", "--credits", "0")).status == WRONG
    assert (await user.run("demo-data", "--customer", "acme", "--days", "35")).status == WRONG
