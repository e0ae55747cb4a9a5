# SPDX-License-Identifier: Apache-2.0
"""What is told about a pool."""

from meshkit.quantity import Credits
from services.ledger.domain.credits.balance import Balances, balance_of, balances_of
from tests.unit.ledger.builders import AUGUST, JULY, TICK, a_grant, an_account, when

NOON = when("06-15 12:00")


def test_a_balance_tells_what_is_available_and_held_of_active_grants_only() -> None:
    account = an_account(
        a_grant(100, grant_id="grt_1", captured=10, held=20),
        a_grant(50, grant_id="grt_2", priority=2),
        a_grant(70, grant_id="grt_dead", end=NOON),
        a_grant(70, grant_id="grt_coming", start=NOON + TICK),
    )

    balance = balance_of(account, at=NOON)

    assert (balance.available, balance.held, balance.remaining) == (
        Credits.of(120),
        Credits.of(20),
        Credits.of(140),
    )
    assert [grant.grant_id for grant in balance.grants] == ["grt_1", "grt_2"]


def test_a_balance_tells_how_much_is_lost_next_and_when() -> None:
    account = an_account(
        a_grant(100, grant_id="grt_spent", end=when("06-20"), captured=100),
        a_grant(100, grant_id="grt_1", end=JULY, held=30, captured=10),
        a_grant(5, grant_id="grt_2", end=JULY),
        a_grant(100, grant_id="grt_3", end=AUGUST),
        a_grant(100, grant_id="grt_4"),
    )

    balance = balance_of(account, at=NOON)

    assert (balance.next_expire_time, balance.next_expiring) == (JULY, Credits.of(95))


def test_what_never_expires_is_never_lost_next() -> None:
    balance = balance_of(an_account(a_grant(100)), at=NOON)

    assert (balance.next_expire_time, balance.next_expiring) == (None, Credits(0))


def test_a_pool_that_is_settled_past_the_instant_asked_for_is_told_as_of_then() -> None:
    ahead = an_account(a_grant(100, end=NOON), settled_time=NOON)
    behind = an_account(a_grant(70, end=NOON), settled_time=NOON - TICK)

    together = balances_of([ahead, behind], at=NOON - TICK)

    assert [pool.available for pool in together.pools] == [Credits(0), Credits.of(70)]
    assert together.at == NOON
    assert balances_of([behind], at=NOON - TICK).at == NOON - TICK
    assert balances_of([], at=NOON) == Balances(pools=(), at=NOON)
