# SPDX-License-Identifier: Apache-2.0
"""The short form of `make rolling`."""

from pathlib import Path

import pytest

from tests.rolling.run import roll
from tests.support.postgres import Databases


@pytest.mark.timeout(600)  # twelve processes start
async def test_callers_see_no_error_while_a_replica_of_every_service_is_restarted(
    databases: Databases, tmp_path: Path
) -> None:
    outcome = await roll(
        databases, tmp_path, rounds=1, replicas=1, drain_seconds=0.2, age_seconds=2, pause_seconds=0.05
    )

    assert outcome.errors == []
    assert outcome.restarts == ["catalog-0", "contract-0", "ledger-0", "alert-0"]
    assert outcome.units_spent == outcome.units_told > 0
    assert min(tally.answered for tally in outcome.tallies.values()) > 0
    assert outcome.is_consistent
    assert not outcome.deaths
