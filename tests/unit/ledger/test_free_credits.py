# SPDX-License-Identifier: Apache-2.0
"""How much of free credits is withheld. Source: services/ledger/README.md, "Free credits"."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Cadence
from meshkit.quantity import Credits
from services.ledger.domain.credits.free_credits import FreeAllowance, FreeCredits
from services.ledger.domain.credits.schedule import GrantFrequency, Schedule
from tests.unit.ledger.builders import JUNE, a_schedule

MONTH, QUARTER, DAY = Cadence(months=1), Cadence(months=3), Cadence(days=1)


def _free(contract_id: str, frequency: GrantFrequency = GrantFrequency.MONTHLY) -> Schedule:
    return replace(a_schedule(), contract_id=contract_id, frequency=frequency, is_free=True)


def _known(
    contract_id: str, credits: int, start: datetime = JUNE, cadence: Cadence = MONTH, withheld: int = 0
) -> FreeCredits:
    return FreeCredits(
        contract_id=contract_id,
        cadence=cadence,
        period_start=start,
        granted=Credits.of(credits),
        withheld=Credits.of(withheld),
    )


@pytest.mark.parametrize(
    ("known", "start", "withheld"),
    [
        ([], JUNE, 0),
        ([_known("con_1", 60)], JUNE, 60),
        ([_known("con_1", 60), _known("con_3", 30)], JUNE, 90),
        ([_known("con_1", 60), _known("con_3", 50)], JUNE, 100),  # more than there is
        ([_known("con_2", 60)], JUNE, 0),  # its own
        ([_known("con_1", 60), _known("con_2", 10, withheld=40)], JUNE, 20),  # 40 were withheld before
        ([_known("con_1", 60), _known("con_2", 10, withheld=70)], JUNE, 0),
        ([_known("con_1", 60, JUNE + timedelta(days=29))], JUNE, 60),
        ([_known("con_1", 60, datetime(2025, 7, 1, tzinfo=UTC))], JUNE, 0),  # of the next usage period
        ([_known("con_1", 60)], datetime(2025, 7, 1, tzinfo=UTC), 0),
        ([_known("con_1", 60, cadence=QUARTER)], datetime(2025, 8, 31, tzinfo=UTC), 60),
        ([_known("con_1", 60, cadence=QUARTER)], datetime(2025, 9, 1, tzinfo=UTC), 0),
        ([_known("con_1", 60, cadence=Cadence(days=31))], datetime(2025, 7, 1, tzinfo=UTC), 0),
        ([_known("con_1", 60, cadence=Cadence(days=32))], datetime(2025, 7, 1, tzinfo=UTC), 60),
    ],
)
def test_what_others_were_granted_in_the_usage_period_is_withheld_once(
    known: list[FreeCredits], start: datetime, withheld: int
) -> None:
    allowance = FreeAllowance(known, anchor=JUNE)

    assert allowance.withhold(_free("con_2"), start, Credits.of(100)) == Credits.of(withheld)


def test_usage_periods_are_counted_from_the_customers_anchor() -> None:
    start = datetime(2025, 6, 16, tzinfo=UTC)
    known = [_known("con_1", 60)]

    same = FreeAllowance(known, anchor=JUNE).withhold(_free("con_2"), start, Credits.of(100))
    next_one = FreeAllowance(known, anchor=start).withhold(_free("con_2"), start, Credits.of(100))

    assert (same, next_one) == (Credits.of(60), Credits(0))


@given(
    grants=st.lists(
        st.tuples(
            st.sampled_from(["con_1", "con_2", "con_3"]),
            st.integers(0, 59),
            st.integers(0, 200),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_in_each_usage_period_a_customer_has_what_the_contract_that_grants_most_would_have_alone(
    grants: list[tuple[str, int, int, bool]],
) -> None:
    allowance = FreeAllowance(anchor=JUNE)
    granted = {0: 0, 1: 0}
    alone: dict[tuple[int, str], int] = {}
    for contract_id, day, credits, is_daily in sorted(grants, key=lambda one: one[1]):
        start = JUNE + timedelta(days=day)
        month = 0 if day < 30 else 1
        schedule = _free(contract_id, GrantFrequency.DAILY if is_daily else GrantFrequency.MONTHLY)

        withheld = allowance.withhold(schedule, start, Credits.of(credits))

        granted[month] += credits - withheld.micros // 1_000_000
        alone[month, contract_id] = alone.get((month, contract_id), 0) + credits
        most = max(of_contract for (of, _), of_contract in alone.items() if of == month)
        assert granted[month] == most
