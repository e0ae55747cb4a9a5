# SPDX-License-Identifier: Apache-2.0
"""The crash test in short; `make crash` runs it for long."""

from tests.simulation.conftest import Plan
from tests.simulation.crash import PATIENCE_SECONDS, crash


async def test_what_was_acknowledged_survives_kill_9_of_ledgers_and_postgresql_and_is_done_once(
    plan: Plan,
) -> None:
    outcome = await crash(4, plan.seed, cut_share=0.03)

    assert outcome.wrong == []
    assert outcome.kills == 4
    assert outcome.slowest_seconds < PATIENCE_SECONDS
