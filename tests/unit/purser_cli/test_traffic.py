# SPDX-License-Identifier: Apache-2.0
"""The traffic of `purser demo-data`: plausible, the same for the same seed, and within its budget."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from purser_cli.demo.traffic import NIGHTLY, Sold, Use, people, traffic

MONDAY = datetime(2025, 6, 2, tzinfo=UTC)
MONTH = timedelta(days=28)
CHAT = Sold(
    product_id="prd_chat",
    name="Chat",
    event_type="ai.chat",
    credits_per_unit=Decimal("0.5"),
    quantity_property="units",
    properties={"model": ("large", "small"), "team": ("demo",)},
)
SEARCH = Sold(
    product_id="prd_search",
    name="Search",
    event_type="ai.search",
    credits_per_unit=Decimal(3),
    quantity_property="units",
)


def month(
    *, seed: int = 1, users: int = 8, start: datetime = MONDAY, end: datetime = MONDAY + MONTH
) -> list[Use]:
    return list(
        traffic(
            [CHAT, SEARCH],
            customer="acme",
            seed=seed,
            users=users,
            credits_per_day=Decimal(12),
            start=start,
            end=end,
        )
    )


def cost(uses: list[Use]) -> Decimal:
    prices = {one.event_type: one.credits_per_unit for one in (CHAT, SEARCH)}
    return sum((Decimal(one.properties["units"]) * prices[one.event_type] for one in uses), Decimal(0))


def test_a_seed_makes_the_same_month_and_another_seed_another_one() -> None:
    assert month() == month()
    assert month() != month(seed=2)


def test_a_day_is_the_same_whatever_else_is_asked_for() -> None:
    days = timedelta(days=3)
    alone = month(start=MONDAY + days, end=MONDAY + days + timedelta(days=1))

    assert alone == [one for one in month() if one.at.date() == (MONDAY + days).date()]


def test_every_use_has_its_own_id_and_they_are_in_order_and_in_the_span() -> None:
    uses = month()

    assert len({one.transaction_id for one in uses}) == len(uses)
    assert [one.at for one in uses] == sorted(one.at for one in uses)
    assert all(MONDAY <= one.at < MONDAY + MONTH for one in uses)


def test_workdays_are_busier_than_weekends_and_nights() -> None:
    by_day = Counter(one.at.weekday() for one in month())
    by_hour = Counter(one.at.hour for one in month())

    assert min(by_day[day] for day in range(5)) > 3 * max(by_day[5], by_day[6])
    assert by_hour[9] > 5 * by_hour[20]
    assert by_hour[12] < by_hour[10]


def test_people_differ_and_a_job_runs_every_night() -> None:
    uses = month()
    by_person = Counter(one.properties["user_id"] for one in uses)

    assert set(people(8)) | {NIGHTLY} == set(by_person)
    assert by_person[NIGHTLY] == MONTH.days
    assert all(one.at.hour == 2 for one in uses if one.properties["user_id"] == NIGHTLY)
    assert max(by_person.values()) > 1.5 * min(by_person[name] for name in people(8))


def test_a_month_costs_what_it_should() -> None:
    workdays, weekends, nights = 20 * 12, 8 * Decimal("1.44"), 28 * Decimal("1.2")

    assert abs(cost(month()) - (workdays + weekends + nights)) < 15


def test_properties_are_what_metrics_and_prices_read() -> None:
    chats = [one for one in month() if one.event_type == "ai.chat"]

    assert {one.properties["model"] for one in chats} == {"large", "small"}
    assert {one.properties["team"] for one in chats} == {"support", "sales", "product", "operations"} - (
        {"operations"} if not any(one.properties["user_id"] == NIGHTLY for one in chats) else set()
    )
    assert len(people(40)) == len(set(people(40))) == 40
