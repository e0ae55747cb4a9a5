# SPDX-License-Identifier: Apache-2.0
"""Short drills; `make restore-drill` runs long ones."""

from pathlib import Path

import pytest

from tests.simulation.conftest import Plan
from tests.simulation.recovery.drill import fail_over, restore

ANSWERS = 60


# Each takes 10 s on an idle machine, and minutes on a busy one, where it must succeed too.
@pytest.mark.timeout(1_800)
async def test_nothing_that_was_answered_is_lost_when_a_synchronous_standby_is_promoted(
    plan: Plan, tmp_path: Path
) -> None:
    drill = await fail_over(tmp_path, plan.seed, answers=ANSWERS)

    assert drill.wrong == []


@pytest.mark.timeout(1_800)
async def test_requests_of_the_minutes_that_a_restore_loses_are_answered_anew_and_take_effect_once(
    plan: Plan, tmp_path: Path
) -> None:
    drill = await restore(tmp_path, plan.seed, answers=ANSWERS)

    assert drill.wrong == []
