# SPDX-License-Identifier: Apache-2.0
"""Burn-down order: total, the same however grants are listed, and exact."""

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits.burn_down import allocate, burn_down_key, in_burn_down_order, rank
from services.ledger.domain.credits.grant import Grant, hold_from
from tests.unit.ledger.builders import (
    ASSISTANT,
    AUGUST,
    IMAGES,
    JULY,
    JUNE,
    PROPERTY,
    SEARCH,
    TICK,
    a_grant,
    when,
)

NOW = when("06-15")

# Each row: what decides, the grant drawn first, the one drawn after it. The later one wins all criteria below.
ORDER = [
    (
        "the lower priority",
        a_grant(priority=1, paid=9, end=None, start=JUNE + TICK, grant_id="z"),
        a_grant(priority=2, only_for=[ASSISTANT], paid=0, end=JULY, grant_id="a"),
    ),
    (
        "the narrower scope",
        a_grant(only_for=[ASSISTANT], paid=9, end=None, start=JUNE + TICK, grant_id="z"),
        a_grant(only_for=[ASSISTANT, IMAGES], paid=0, end=JULY, grant_id="a"),
    ),
    (
        "any scope before none",
        a_grant(only_for=[ASSISTANT, IMAGES, SEARCH], paid=9, start=JUNE + TICK, grant_id="z"),
        a_grant(paid=0, end=JULY, grant_id="a"),
    ),
    (
        "the free one before the paid",
        a_grant(paid=0, end=None, start=JUNE + TICK, grant_id="z"),
        a_grant(paid=1, end=JULY, grant_id="a"),
    ),
    (
        "not how much was paid",
        a_grant(paid=9, end=JULY, grant_id="z"),
        a_grant(paid=1, end=AUGUST, grant_id="a"),
    ),
    (
        "the earlier expiry",
        a_grant(end=JULY, start=JUNE + TICK, create_time=JUNE + TICK, grant_id="z"),
        a_grant(end=JULY + TICK, grant_id="a"),
    ),
    (
        "any expiry before none",
        a_grant(end=AUGUST, start=JUNE + TICK, create_time=JUNE + TICK, grant_id="z"),
        a_grant(end=None, grant_id="a"),
    ),
    (
        "the earlier beginning",
        a_grant(start=JUNE, create_time=JUNE + TICK, grant_id="z"),
        a_grant(start=JUNE + TICK, create_time=JUNE, grant_id="a"),
    ),
    (
        "the one made earlier",
        a_grant(create_time=JUNE, grant_id="z"),
        a_grant(create_time=JUNE + TICK, grant_id="a"),
    ),
    ("the lower id", a_grant(grant_id="a"), a_grant(grant_id="b")),
]


@st.composite
def some_grants(draw: st.DrawFn) -> list[Grant]:
    """Grants that often agree in most criteria; ids are unique, as they are."""
    instants = st.sampled_from([JUNE, JUNE + TICK, when("06-10")])
    ends = st.sampled_from([None, JULY, AUGUST, NOW, NOW + TICK])
    scopes = st.sampled_from([(), (ASSISTANT,), (IMAGES,), (ASSISTANT, IMAGES)])
    count = draw(st.integers(0, 8))
    return [
        a_grant(
            draw(st.integers(0, 50)),
            grant_id=f"grt_{number}",
            priority=draw(st.integers(1, 2)),
            start=draw(instants),
            end=draw(ends),
            create_time=draw(instants),
            paid=draw(st.integers(0, 2)),
            only_for=draw(scopes),
        )
        for number in draw(st.permutations(range(count)))
    ]


@pytest.mark.parametrize(("first", "second"), [row[1:] for row in ORDER], ids=[row[0] for row in ORDER])
def test_each_criterion_decides_before_all_that_come_after_it(first: Grant, second: Grant) -> None:
    assert in_burn_down_order([second, first], at=NOW) == [first, second]


@PROPERTY
@given(some_grants())
def test_the_order_is_total(grants: list[Grant]) -> None:
    keys = [burn_down_key(grant) for grant in in_burn_down_order(grants, at=NOW)]

    assert all(one < next_one for one, next_one in pairwise(keys))


@PROPERTY
@given(some_grants(), st.data(), st.integers(0, 500))
def test_the_draws_do_not_depend_on_how_grants_are_listed(
    grants: list[Grant], data: st.DataObject, amount: int
) -> None:
    shuffled = data.draw(st.permutations(grants))

    drawn = allocate(in_burn_down_order(shuffled, at=NOW), Credits.of(amount))

    assert drawn == allocate(in_burn_down_order(grants, at=NOW), Credits.of(amount))


@PROPERTY
@given(some_grants(), st.integers(0, 500_000_000))
def test_draws_and_what_is_uncovered_come_to_exactly_the_amount(grants: list[Grant], micros: int) -> None:
    drawn = allocate(in_burn_down_order(grants, at=NOW), Credits(micros))

    assert sum(draw.amount.micros for draw in drawn.draws) + drawn.uncovered.micros == micros
    assert drawn.uncovered == max(Credits(0), Credits(micros) - rank(grants, at=NOW).rest)


@PROPERTY
@given(some_grants(), st.integers(0, 500_000_000))
def test_a_grant_gives_at_most_once_and_never_more_than_its_rest(grants: list[Grant], micros: int) -> None:
    rests = {grant.grant_id: grant.rest for grant in grants}

    draws = allocate(in_burn_down_order(grants, at=NOW), Credits(micros)).draws

    assert len({draw.grant_id for draw in draws}) == len(draws)
    assert all(Credits(0) < draw.amount <= rests[draw.grant_id] for draw in draws)


@PROPERTY
@given(some_grants(), st.integers(0, 500_000_000))
def test_a_grant_gives_only_when_all_before_it_have_given_everything(
    grants: list[Grant], micros: int
) -> None:
    ordered = in_burn_down_order(grants, at=NOW)

    draws = {draw.grant_id: draw.amount for draw in allocate(ordered, Credits(micros)).draws}

    touched = [number for number, grant in enumerate(ordered) if grant.grant_id in draws]
    before_the_last = ordered[: max(touched, default=0)]
    assert all(draws.get(grant.grant_id, Credits(0)) == grant.rest for grant in before_the_last)


def test_what_is_held_cannot_be_drawn() -> None:
    drawn = allocate([a_grant(100, held=70, captured=10)], Credits.of(100))

    assert [draw.amount for draw in drawn.draws] == [Credits.of(20)]
    assert drawn.uncovered == Credits.of(80)


@pytest.mark.parametrize(
    ("at", "credits"),
    [(JUNE - TICK, 0), (JUNE, 100), (JULY - TICK, 100), (JULY, 0)],
    ids=["before its beginning", "at its beginning", "before its expiry", "at its expiry"],
)
def test_a_grant_lives_from_its_beginning_until_just_before_its_expiry(at: datetime, credits: int) -> None:
    assert rank([a_grant(100, end=JULY)], at=at).rest == Credits.of(credits)


def test_a_scoped_grant_is_available_to_its_products_only() -> None:
    grants = [a_grant(100, only_for=[ASSISTANT]), a_grant(30, grant_id="grt_2")]

    assert rank(grants, at=NOW, product_id=ASSISTANT).rest == Credits.of(130)
    assert rank(grants, at=NOW, product_id=IMAGES).rest == Credits.of(30)
    assert rank(grants, at=NOW).rest == Credits.of(130)


def test_a_ranking_ends_when_a_grant_begins_or_dies_and_not_before() -> None:
    grants = [a_grant(100, end=JULY), a_grant(50, start=when("06-20"), end=AUGUST, grant_id="grt_later")]

    before, between, after = (rank(grants, at=at) for at in (NOW, when("06-20"), JULY))

    assert [before.end, between.end, after.end] == [when("06-20"), JULY, AUGUST]
    assert (before.is_of(when("06-20") - TICK), before.is_of(when("06-20"))) == (True, False)
    assert (between.is_of(when("06-20") - TICK), after.is_of(JULY - TICK)) == (False, False)
    assert (before.is_of(JUNE), before.is_of(JUNE - TICK)) == (True, False)
    assert [ranking.rest for ranking in (before, between, after)] == [
        Credits.of(100),
        Credits.of(150),
        Credits.of(50),
    ]


@PROPERTY
@given(some_grants(), st.data())
def test_a_ranking_after_changes_of_amounts_is_the_one_that_would_be_made_anew(
    grants: list[Grant], data: st.DataObject
) -> None:
    pool = {grant.grant_id: grant for grant in grants}
    ranking = rank(grants, at=NOW, product_id=ASSISTANT)
    for _ in range(data.draw(st.integers(0, 4)) if grants else 0):
        before = pool[data.draw(st.sampled_from(sorted(pool)))]
        after = hold_from(before, Credits(data.draw(st.integers(0, before.rest.micros))))
        pool[before.grant_id] = after
        ranking = ranking.after(before, after)

    anew = rank(pool.values(), at=NOW, product_id=ASSISTANT)
    assert (list(ranking.grant_ids), ranking) == (list(anew.grant_ids), anew)
