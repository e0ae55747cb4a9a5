# SPDX-License-Identifier: Apache-2.0
"""A short crash test of the import, and its recount; `make crash-import` runs a long one."""

import random
from pathlib import Path

import pytest

from tests.simulation.conftest import Plan
from tests.simulation.crash_import import IMPORTER, LEDGER, POSTGRES, TARGETS, crash_import, plan_of, verdict
from tests.simulation.crash_import_recount import _of_entries, _of_events, _of_meters, write_file


# It takes some 10 s on an idle machine, and minutes on a busy one, where it must succeed too.
@pytest.mark.timeout(1_800)
async def test_each_event_of_a_file_is_counted_once_although_importer_ledger_and_postgresql_are_killed(
    plan: Plan,
) -> None:
    outcome = await crash_import(4_000, 3, plan.seed)

    assert outcome.is_good, "\n".join(verdict(outcome))
    assert verdict(outcome)[0] == "4,000 events, 3 kills: each event was counted exactly once."
    assert outcome.kills == {IMPORTER: 1, LEDGER: 1, POSTGRES: 1}


def test_everything_is_killed_in_turn_at_moments_that_are_spread_over_the_file() -> None:
    plan = plan_of(100_000, 12, random.Random(1))

    assert [stored for stored, _ in plan] == sorted(stored for stored, _ in plan)
    assert all(
        100_000 * number <= stored * 13 <= 100_000 * (number + 1) for number, (stored, _) in enumerate(plan)
    )
    assert sorted(targets for _, targets in plan) == sorted(2 * TARGETS)


def test_the_recount_finds_what_was_lost_done_twice_or_done_wrong(tmp_path: Path) -> None:
    lines = write_file(tmp_path / "usage.jsonl", 3, random.Random(1))
    first, second, third = (
        {"customer_id": customer, "transaction_id": name, "status": "ACCEPTED"} for customer, name in lines
    )
    units = list(lines.values())
    counted = [
        one | {"times": 1, "quantity": micros, "cost": 12 * micros}
        for one, micros in zip((first, second, third), units, strict=True)
    ]
    total = sum(units)
    customer = first["customer_id"]

    assert list(_of_events(lines, [first, second, third])) == []
    assert len(list(_of_events(lines, [first, second]))) == 1
    assert len(list(_of_events(lines, [first, second, third | {"status": "NO_MATCH"}]))) == 1
    assert len(list(_of_events(lines, [first, second, third | {"transaction_id": "tx-9"}]))) == 2
    assert list(_of_entries(lines, counted)) == []
    assert len(list(_of_entries(lines, counted[:2]))) == 1
    assert len(list(_of_entries(lines, [*counted[:2], counted[2] | {"times": 2}]))) == 1
    assert len(list(_of_entries(lines, [*counted[:2], counted[2] | {"cost": 1}]))) == 1
    for change, findings in ((0, 0), (1, 1)):
        meters = [
            {"customer_id": name, "quantity": sums, "cost": 12 * sums + change * (name == customer)}
            for name, sums in _sums(lines).items()
        ]
        assert len(list(_of_meters(lines, meters))) == findings
    assert total == sum(_sums(lines).values())


def _sums(lines: dict[tuple[str, str], int]) -> dict[str, int]:
    return {
        customer: sum(micros for (owner, _), micros in lines.items() if owner == customer)
        for customer in {customer for customer, _ in lines}
    }
