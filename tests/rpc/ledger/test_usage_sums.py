# SPDX-License-Identifier: Apache-2.0
"""GetUsage and ListTopSpenders: what was used, by whom, for what and when."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import usage_pb2 as usage
from services.ledger.operations.usage import summing
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

TICK, HOUR, DAY = timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1)
SPAN, BY_HOUR, BY_DAY = usage.USAGE_WINDOW_SPAN, usage.USAGE_WINDOW_HOUR, usage.USAGE_WINDOW_DAY
BY_MONTH, BY_PERIOD = usage.USAGE_WINDOW_MONTH, usage.USAGE_WINDOW_USAGE_PERIOD


async def get(ledger: RunningLedger, **more: object) -> usage.GetUsageResponse:
    """Return acme's usage of June, not divided; `more` overrides fields."""
    asked: dict[str, object] = {
        "customer": "acme",
        "start_time": timestamp(JUNE),
        "end_time": timestamp(JULY),
        "window": SPAN,
    }
    return await ledger.usage.GetUsage(usage.GetUsageRequest(**(asked | more)))  # type: ignore[arg-type]


async def sums(ledger: RunningLedger, **more: object) -> list[tuple[str, str, int, int, int]]:
    """Return group value, dimension value, units, credits and uses of each sum."""
    return [
        (
            one.group_value,
            one.dimension_value,
            one.quantity_micros // CREDIT,
            one.credits_micros // CREDIT,
            one.uses,
        )
        for one in (await get(ledger, **more)).sums
    ]


def windows(found: usage.GetUsageResponse) -> list[tuple[datetime, datetime, int]]:
    """Return start, end and uses of each window."""
    return [
        (
            one.window.start_time.ToDatetime(UTC),
            one.window.end_time.ToDatetime(UTC),
            one.uses,
        )
        for one in found.sums
    ]


async def test_gated_and_reported_usage_are_added_up_together(ledger: RunningLedger) -> None:
    await ledger.debit(4, user="ann")
    hold = await ledger.authorize(0, user="ann", quantity_micros=3 * CREDIT)
    await ledger.capture(hold.hold_id, None, quantity_micros=2 * CREDIT)
    await record(ledger, an_event("tx-1", "40"))

    found = await get(ledger)

    assert found.is_complete
    assert list(found.sums) == [
        usage.UsageSum(
            customer_id="cus_acme",
            window=found.sums[0].window,
            product_id="prd_assistant",
            credit_type_id=AI,
            quantity_micros=42 * CREDIT,
            credits_micros=508 * CREDIT,
            shortfall_micros=108 * CREDIT,
            uses=3,
        )
    ]
    assert windows(found) == [(JUNE, JULY, 3)]


async def test_usage_that_costs_nothing_is_counted(ledger: RunningLedger) -> None:
    await ledger.tell_card(a_rate(price_micros=0, rate_id="rat_free"), version=2)

    await record(ledger, an_event("tx-1", "3"))
    await ledger.debit(0, user="ann", quantity_micros=2 * CREDIT)

    assert await sums(ledger) == [("", "", 5, 0, 2)]


async def test_usage_is_added_up_by_the_values_of_a_group_key(ledger: RunningLedger) -> None:
    await record(
        ledger, an_event("tx-1", "1"), an_event("tx-2", "2", user="bob"), an_event("tx-3", user=None)
    )

    assert await sums(ledger, group_key="user_id") == [("ann", "", 1, 12, 1), ("bob", "", 2, 24, 1)]
    assert await sums(ledger, group_key="user_id", group_value="bob") == [("bob", "", 2, 24, 1)]
    assert await sums(ledger, group_key="team_id") == []
    assert await sums(ledger) == [("", "", 4, 48, 3)]


async def test_only_properties_that_the_metric_lists_are_counted(ledger: RunningLedger) -> None:
    await ledger.debit(1, group_values={"user_id": "ann", "note": "x"})

    assert await sums(ledger, group_key="user_id") == [("ann", "", 0, 1, 1)]
    assert await sums(ledger, group_key="note") == []


async def test_usage_is_added_up_by_product_and_by_pricing_dimension(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_tokens", dimensions=("model",), event_type="tokens")
    await ledger.tell_card(a_rate(), a_rate("prd_tokens", price_micros=CREDIT), version=2)
    await record(
        ledger,
        an_event("tx-1", "1"),
        an_event("tx-2", "2", event_type="tokens", model="large"),
        an_event("tx-3", "3", event_type="tokens", model="small"),
        an_event("tx-4", "4", event_type="tokens"),
    )

    of_tokens = {"product_id": "prd_tokens"}
    assert [one.product_id for one in (await get(ledger)).sums] == ["prd_assistant", "prd_tokens"]
    assert await sums(ledger, **of_tokens) == [("", "", 9, 9, 3)]
    assert await sums(ledger, **of_tokens, dimension_key="model") == [
        ("", "", 4, 4, 1),
        ("", "large", 2, 2, 1),
        ("", "small", 3, 3, 1),
    ]
    assert await sums(ledger, **of_tokens, dimension_key="model", group_key="user_id") == [
        ("ann", "", 4, 4, 1),
        ("ann", "large", 2, 2, 1),
        ("ann", "small", 3, 3, 1),
    ]


async def test_dimension_values_too_long_for_an_index_are_added_up(ledger: RunningLedger) -> None:
    keys = tuple(f"dimension_{number}" for number in range(5))
    await ledger.tell_product("prd_tokens", dimensions=keys, event_type="tokens")
    await ledger.tell_card(a_rate(), a_rate("prd_tokens", price_micros=CREDIT), version=2)
    long = {
        key: "".join(chr(0x10000 + 7 * place + number) for place in range(200))
        for number, key in enumerate(keys)
    }

    await record(
        ledger, an_event("tx-1", event_type="tokens", **long), an_event("tx-2", event_type="tokens", **long)
    )

    found = await sums(ledger, product_id="prd_tokens", dimension_key="dimension_4")
    assert found == [("", long["dimension_4"], 2, 2, 2)]
    await ledger.assert_adds_up()


async def test_windows_are_hours_days_months_and_usage_periods(ledger: RunningLedger) -> None:
    """Acme's periods begin on the 1st; a customer of the 15th has others."""
    await ledger.tell_customer("cus_globex", "globex")
    middle = JUNE + 14 * DAY + HOUR / 2
    await ledger.apply_contract(
        start=middle, customer_id="cus_globex", contract_id="con_2", subscriptions=[], schedules=[]
    )
    ledger.clock.advance_to(JULY + 15 * DAY)
    times = [
        middle,
        middle + HOUR,
        JULY - TICK,
        JULY,
        JULY + 14 * DAY + HOUR / 2 - TICK,
        JULY + 14 * DAY + HOUR / 2,
    ]
    events = [an_event(f"tx-{number}", at=time, customer="globex") for number, time in enumerate(times)]
    await record(ledger, *events)
    asked = {"customer": "globex", "end_time": timestamp(AUGUST)}
    floor = middle - HOUR / 2

    by_hour = await get(ledger, customer="globex", window=BY_HOUR)
    by_day = await get(ledger, **asked, window=BY_DAY)
    by_month = await get(ledger, **asked, window=BY_MONTH)
    by_period = await get(ledger, **asked, window=BY_PERIOD)
    cut = await get(ledger, customer="globex", window=BY_MONTH, start_time=timestamp(floor + HOUR))

    assert windows(by_hour) == [(at, at + HOUR, 1) for at in (floor, floor + HOUR, JULY - HOUR)]
    assert windows(by_day)[0] == (JUNE + 14 * DAY, JUNE + 15 * DAY, 2)
    assert [uses for _, _, uses in windows(by_day)] == [2, 1, 1, 2]
    assert windows(by_month) == [(JUNE, JULY, 3), (JULY, AUGUST, 3)]
    july_period = JULY + 14 * DAY + HOUR / 2
    assert windows(by_period) == [(middle, july_period, 5), (july_period, july_period + 31 * DAY, 1)]
    assert windows(cut) == [(floor + HOUR, JULY, 2)]


async def test_all_customers_are_read_page_by_page(ledger: RunningLedger) -> None:
    for number in range(3):
        customer = f"cus_{number}"
        await ledger.tell_customer(customer)
        await ledger.apply_contract(
            start=JUNE, customer_id=customer, contract_id=f"con_{number}", subscriptions=[], schedules=[]
        )
        await record(
            ledger,
            *(an_event(f"tx-{user}-{at}", at=JUNE + at * HOUR, customer=customer, user=user)
              for user in ("ann", "bob") for at in range(3)),
        )  # fmt: skip
    asked = {"customer": "", "window": BY_HOUR, "group_key": "user_id"}
    ledger.clock.advance_to(JUNE + DAY)

    whole = await get(ledger, **asked)
    pages = []
    token = ""
    while not pages or token:
        page = await get(ledger, **asked, page_size=4, page_token=token)
        pages.append(list(page.sums))
        token = page.next_page_token

    assert [len(page) for page in pages] == [4, 4, 4, 4, 2]
    assert [one for page in pages for one in page] == list(whole.sums)
    names = [(one.customer_id, one.group_value, one.window.start_time.seconds) for one in whole.sums]
    assert names == sorted(names)
    assert {one.uses for one in whole.sums} == {1}


async def test_a_token_is_refused_with_other_filters(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1"), an_event("tx-2", user="bob"))
    asked = {"group_key": "user_id", "page_size": 1}
    token = (await get(ledger, **asked)).next_page_token

    others: list[dict[str, object]] = [
        {"customer": ""},
        {"window": BY_DAY},
        {"group_key": ""},
        {"product_id": "prd_assistant"},
        {"end_time": timestamp(AUGUST)},
        {"dimension_key": "model"},
    ]
    for other in others:
        with bad_fields("page_token"):
            await get(ledger, **(asked | other), page_token=token)
    assert [one.group_value for one in (await get(ledger, **asked, page_token=token)).sums] == ["bob"]


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"window": usage.USAGE_WINDOW_UNSPECIFIED}, ["window"]),
        ({"start_time": None}, ["start_time"]),
        ({"end_time": None}, ["end_time"]),
        ({"end_time": timestamp(JUNE)}, ["end_time"]),
        ({"start_time": timestamp(JUNE + TICK)}, ["start_time"]),
        ({"end_time": timestamp(JULY + HOUR / 2)}, ["end_time"]),
        ({"end_time": timestamp(JUNE + 400 * DAY + HOUR)}, ["end_time"]),
        ({"end_time": timestamp(JUNE + 32 * DAY + HOUR), "window": BY_HOUR}, ["end_time"]),
        ({"end_time": Timestamp(seconds=-1)}, ["end_time"]),
        ({"group_value": "ann"}, ["group_key"]),
        ({"group_key": "x" * 65}, ["group_key"]),
        ({"page_size": -1}, ["page_size"]),
    ],
)
async def test_a_malformed_question_names_its_fields(
    ledger: RunningLedger, more: dict[str, object], fields: list[str]
) -> None:
    with bad_fields(*fields):
        await get(ledger, **more)


async def test_the_longest_spans_are_answered(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1"))

    year = await get(ledger, end_time=timestamp(JUNE + 400 * DAY))
    month = await get(ledger, end_time=timestamp(JUNE + 32 * DAY), window=BY_HOUR)
    periods = await get(ledger, start_time=timestamp(JUNE - TICK), window=BY_PERIOD)

    assert [len(found.sums) for found in (year, month, periods)] == [1, 1, 1]


async def test_an_unknown_customer_is_a_fault(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await get(ledger, customer="nobody")


async def test_a_read_says_when_there_is_too_much_to_add_up(
    ledger: RunningLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.top_up(1, customer="globex")
    await record(ledger, an_event("tx-1"))
    await ledger.add_up()
    monkeypatch.setattr(summing, "STEPS_PER_READ_MAX", 0)
    monkeypatch.setattr(summing, "ENTRIES_PER_STEP_MAX", 0)
    await record(ledger, an_event("tx-2"))

    complete = [(await get(ledger, customer=name)).is_complete for name in ("acme", "globex", "")]
    top = [(await top_spenders(ledger, customer=name)).is_complete for name in ("acme", "globex")]

    assert complete == [False, True, False]
    assert top == [False, True]


async def test_two_replicas_add_up_the_same_usage(ledger: RunningLedger, databases: Databases) -> None:
    async with running_ledger(databases, clock=ledger.clock) as other:
        for number in range(10):
            await record(ledger, an_event(f"tx-{number}-a"))
            await record(other, an_event(f"tx-{number}-b"))

        assert await sums(other) == await sums(ledger) == [("", "", 20, 240, 20)]
        await ledger.assert_adds_up()


async def top_spenders(ledger: RunningLedger, **more: object) -> usage.ListTopSpendersResponse:
    """Return acme's top users; `more` overrides fields."""
    asked: dict[str, object] = {"customer": "acme", "credit_type_id": AI, "group_key": "user_id"}
    request = usage.ListTopSpendersRequest(**(asked | more))  # type: ignore[arg-type]
    return await ledger.usage.ListTopSpenders(request)


async def test_the_top_spenders_of_a_usage_period_come_first(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_extra", event_type="extra")
    await ledger.tell_card(a_rate(), a_rate("prd_extra", price_micros=CREDIT), version=2)
    await record(
        ledger,
        an_event("tx-1", "1", user="ann"),
        an_event("tx-2", "3", user="bob"),
        an_event("tx-3", "2", user="eve"),
        an_event("tx-4", "1", user="ann", at=JUNE + HOUR),
        an_event("tx-5", "90", user="ann", event_type="extra"),
    )
    ledger.clock.advance_to(JULY)
    await ledger.debit(1, user="joe")

    june = await top_spenders(ledger, period_time=timestamp(JULY - TICK))
    two = await top_spenders(ledger, period_time=timestamp(JUNE), spenders_max=2)
    of_product = await top_spenders(ledger, period_time=timestamp(JUNE), product_id="prd_assistant")
    now = await top_spenders(ledger)

    assert [(one.group_value, one.credits_micros // CREDIT, one.uses) for one in june.spenders] == [
        ("ann", 114, 3),
        ("bob", 36, 1),
        ("eve", 24, 1),
    ]
    assert june.period.start_time == timestamp(JUNE)
    assert june.period.end_time == timestamp(JULY)
    assert june.is_complete
    assert [one.group_value for one in two.spenders] == ["ann", "bob"]
    assert [one.group_value for one in of_product.spenders] == ["bob", "ann", "eve"]
    assert [(one.group_value, one.credits_micros) for one in now.spenders] == [("joe", CREDIT)]


async def test_equal_spenders_come_by_value_and_10_are_listed_by_default(ledger: RunningLedger) -> None:
    await record(
        ledger, *(an_event(f"tx-{number}", "0.1", user=f"user_{number:03}") for number in range(101))
    )

    ten = await top_spenders(ledger)
    hundred = await top_spenders(ledger, spenders_max=100)

    assert [one.group_value for one in ten.spenders] == [f"user_{number:03}" for number in range(10)]
    assert len(hundred.spenders) == 100
    with bad_fields("spenders_max"):
        await top_spenders(ledger, spenders_max=101)


async def test_a_customer_without_a_contract_has_no_period(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_globex", "globex")

    found = await top_spenders(ledger, customer="globex")

    assert not found.HasField("period")
    assert not found.spenders
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await top_spenders(ledger, customer="nobody")
    with bad_fields("credit_type_id", "group_key"):
        await top_spenders(ledger, credit_type_id="", group_key="")
