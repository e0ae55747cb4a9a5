# SPDX-License-Identifier: Apache-2.0
"""A short crash test; `make crash` runs a long one."""

import os
from pathlib import Path

import pytest

from tests.simulation.conftest import Plan
from tests.simulation.crash import crash
from tests.simulation.crash_report import verdict


# Four kills take 10 s on an idle machine, and minutes on a busy one, where they must succeed too.
@pytest.mark.timeout(1_800)
async def test_what_was_acknowledged_survives_kill_9_of_ledgers_and_postgresql_and_is_done_once(
    plan: Plan,
) -> None:
    outcome = await crash(4, plan.seed, cut_share=0.03)

    assert outcome.is_good, "\n".join(verdict(outcome))
    assert verdict(outcome)[0] == "4 kills: nothing acknowledged was lost, nothing was done twice."


@pytest.mark.skipif(
    "PURSER_CITUS_PROGRAMS" not in os.environ,
    reason="PURSER_CITUS_PROGRAMS names no folder of the programs of a PostgreSQL 18 with Citus",
)
@pytest.mark.timeout(1_800)
async def test_what_was_acknowledged_survives_kill_9_of_nodes_of_citus_and_is_done_once(plan: Plan) -> None:
    programs = Path(os.environ["PURSER_CITUS_PROGRAMS"])

    outcome = await crash(4, plan.seed, cut_share=0.03, citus=programs)

    assert outcome.is_good, "\n".join(verdict(outcome))
    assert {"Citus worker", "Citus coordinator"} <= outcome.back_seconds.keys()
