# SPDX-License-Identifier: Apache-2.0
"""ApplyCustomer, ApplyMetrics, ApplyRateCard, ApplyContract: what the Ledger is told, in any order, once or twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import (
    AI,
    AUGUST,
    CREDIT,
    JULY,
    JUNE,
    RunningLedger,
    a_rate,
    a_schedule,
    running_ledger,
)
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)
DENIED, ALLOWED = pb.DECISION_DENIED, pb.DECISION_ALLOWED


async def test_an_older_customer_is_ignored_and_the_version_in_force_is_told(ledger: RunningLedger) -> None:
    assert await ledger.tell_customer("cus_acme", "acme-2", version=3, is_suspended=True) == 3

    for version in (2, 3):
        assert await ledger.tell_customer("cus_acme", "acme", version=version) == 3

    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="acme"):
        await ledger.authorize(1)
    assert (await ledger.authorize(1, customer="acme-2")).denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED


async def test_an_alias_may_go_to_another_customer_in_either_order(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_globex", "globex", "acme")
    await ledger.tell_customer("cus_acme", version=2)
    taken_first = await ledger.authorize(1, customer="acme")
    await ledger.tell_customer("cus_globex", "globex", version=2)
    await ledger.tell_customer("cus_acme", "acme", version=3)
    given_first = await ledger.authorize(1, customer="acme")

    assert (taken_first.denial_reason, given_first.decision) == (pb.DENIAL_REASON_NOT_ENTITLED, ALLOWED)


async def test_an_alias_named_twice_is_one_alias(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_acme", "acme", "a", "acme", version=2)

    assert (await ledger.authorize(1, customer="a")).decision == ALLOWED


async def test_an_older_product_is_ignored(ledger: RunningLedger) -> None:
    doubled = peer_pb.QuantityConversion(priced_micros=2, per_micros=1)
    assert await ledger.tell_product("prd_assistant", conversion=doubled, version=4) == 4

    assert await ledger.tell_product("prd_assistant", version=3) == 4

    assert (await ledger.authorize(0, quantity_micros=1_000_000)).held_micros == 24 * CREDIT


async def test_a_product_keeps_its_group_keys_because_spends_are_counted_by_them(
    ledger: RunningLedger,
) -> None:
    await ledger.tell_product("prd_preview", group_keys=("user_id", "team"))

    for others in (("user_id",), ("user_id", "team", "feature"), ("user_id", "feature")):
        with bad_fields("group_keys", "conversion"):
            await ledger.tell_product("prd_preview", group_keys=others, version=2)
    same = await ledger.tell_product("prd_preview", group_keys=("team", "user_id"), version=2)
    older = await ledger.tell_product("prd_preview", group_keys=("feature",), version=1)

    assert (same, older) == (2, 2)


async def test_a_used_product_keeps_its_conversion_and_a_used_rate_its_price(ledger: RunningLedger) -> None:
    doubled = peer_pb.QuantityConversion(priced_micros=2, per_micros=1)
    await ledger.tell_product("prd_assistant", conversion=doubled, version=2)
    rate = a_rate(rate_id="rat_1", price_micros=CREDIT)
    await ledger.tell_card(a_rate(rate_id="rat_1"), version=2)
    await ledger.tell_card(rate, version=3)
    assert (await ledger.debit(0, quantity_micros=1_000_000)).debited_micros == 2 * CREDIT

    with bad_fields("group_keys", "conversion"):
        await ledger.tell_product("prd_assistant", version=3)
    for other in (
        a_rate(rate_id="rat_1", price_micros=2 * CREDIT),
        a_rate("prd_preview", rate_id="rat_1", price_micros=CREDIT),
        a_rate(rate_id="rat_1", price_micros=CREDIT, credit_type_id="crt_other"),
    ):
        with bad_fields("rates"):
            await ledger.tell_card(other, version=4)
    with bad_fields("rates"):
        await ledger.tell_card(rate, rate_card_id="rcd_other")
    await ledger.tell_product("prd_assistant", conversion=doubled, name="Renamed", version=3)
    await ledger.tell_card(a_rate(rate_id="rat_1", price_micros=CREDIT, end=AUGUST), version=4)

    assert (await ledger.debit(0, quantity_micros=1_000_000)).debited_micros == 2 * CREDIT
    await ledger.assert_adds_up()


async def test_a_newer_card_replaces_all_its_rates_and_an_older_is_ignored(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_preview")
    assert await ledger.tell_card(a_rate("prd_preview"), version=5) == 5

    for version in (4, 5):
        assert await ledger.tell_card(a_rate(), version=version) == 5

    assert (await ledger.authorize(1)).denial_reason == pb.DENIAL_REASON_NOT_ENTITLED
    assert (await ledger.authorize(1, product_id="prd_preview")).decision == ALLOWED


async def test_contract_card_and_product_are_told_in_any_order(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sign_acme()
        with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND"):
            await ledger.authorize(1)
        await ledger.tell_product("prd_assistant")
        before = await ledger.authorize(1)
        await ledger.tell_card(a_rate())
        after = await ledger.authorize(1)

    assert (before.denial_reason, after.decision) == (pb.DENIAL_REASON_NOT_ENTITLED, ALLOWED)


async def test_a_contract_told_twice_grants_once(ledger: RunningLedger) -> None:
    for version in (1, 2, 2):
        await ledger.apply_contract(seats=4, credits_per_seat=100, start=JUNE, version=version)

    assert [one.granted_micros for one in await ledger.grants()] == [400 * CREDIT]
    await ledger.assert_adds_up()


async def test_a_newer_contract_may_end_it_and_an_older_cannot_bring_it_back(ledger: RunningLedger) -> None:
    assert await ledger.apply_contract(seats=4, credits_per_seat=100, start=JUNE, end=JULY, version=3) == 3

    assert await ledger.apply_contract(seats=4, credits_per_seat=100, start=JUNE, version=2) == 3

    ledger.clock.advance_to(JULY)
    assert (await ledger.authorize(1)).denial_reason == pb.DENIAL_REASON_NOT_ENTITLED
    assert len(await ledger.grants()) == 1


async def test_a_contract_that_began_months_ago_grants_each_month_that_passed(databases: Databases) -> None:
    async with running_ledger(databases, at=datetime(2025, 8, 15, tzinfo=UTC)) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()

        grants = await ledger.grants()

        assert [one.effective_time.ToDatetime(UTC).month for one in grants] == [6, 7, 8]
        assert [one.expired_micros // CREDIT for one in grants] == [400, 400, 0]
        assert (await ledger.pool()).available_micros == 400 * CREDIT
        await ledger.assert_adds_up()


async def test_a_contract_that_begins_later_grants_nothing_before(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme(start=JULY)
        before = await ledger.pool()
        ledger.clock.advance_to(JULY)
        after = await ledger.pool()

    assert (before.available_micros, after.available_micros) == (0, 400 * CREDIT)


async def test_of_two_contracts_that_price_a_product_the_one_that_began_first_does(
    ledger: RunningLedger,
) -> None:
    await ledger.tell_card(a_rate(price_micros=99 * CREDIT), rate_card_id="rcd_dear")
    await ledger.apply_contract(
        contract_id="con_2", rate_card_id="rcd_dear", start=JUNE + timedelta(days=1), schedules=[]
    )
    ledger.clock.advance(timedelta(days=2))

    told = await ledger.gate.GetDecision(
        pb.GetDecisionRequest(
            customer="acme", ask=pb.DecisionAsk(product_id="prd_assistant", quantity_micros=1_000_000)
        )
    )

    assert (told.contract_id, told.credits_micros) == ("con_1", 12 * CREDIT)


async def test_a_schedule_may_grant_without_seats_and_for_several_periods(ledger: RunningLedger) -> None:
    await ledger.apply_contract(
        contract_id="con_2",
        start=JUNE,
        schedules=[
            a_schedule(
                grant_schedule_id="sch_2",
                subscription_id="",
                unit_amount_micros=7 * CREDIT,
                commit_duration=2,
            )
        ],
    )

    (grant,) = [one for one in await ledger.grants() if one.grant_schedule_id == "sch_2"]

    assert (grant.granted_micros, grant.expire_time) == (
        7 * CREDIT,
        timestamp(datetime(2025, 8, 1, tzinfo=UTC)),
    )


async def test_a_contract_of_an_unknown_customer_is_not_taken(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="cus_nobody"):
        await ledger.apply_contract(start=JUNE, customer_id="cus_nobody")


async def test_a_product_keeps_its_filters(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.peer.ApplyMetrics(
        peer_pb.ApplyMetricsRequest(
            request_id="r",
            product_id="prd_filtered",
            version=1,
            name="Filtered",
            billable_metric_id="met_1",
            event_type="ai_call",
            aggregation=peer_pb.AGGREGATION_COUNT,
            filters=[
                peer_pb.PropertyFilter(property="model", exists=True),
                peer_pb.PropertyFilter(property="tier", in_values=["pro", "max"]),
                peer_pb.PropertyFilter(property="region", not_in_values=["test"]),
            ],
        )
    )

    kept = await sql.rows(
        "SELECT filters::text, sum_property FROM ledger.products WHERE product_id = 'prd_filtered'"
    )
    assert kept == [
        {
            "filters": '[{"values": [], "property": "model", "is_negated": false},'
            ' {"values": ["pro", "max"], "property": "tier", "is_negated": false},'
            ' {"values": ["test"], "property": "region", "is_negated": true}]',
            "sum_property": None,
        }
    ]


@pytest.fixture
async def bare(databases: Databases) -> Any:
    async with running_ledger(databases) as running:
        await running.tell_customer("cus_acme", "acme")
        yield running


async def test_every_bad_field_of_what_is_told_is_named(bare: RunningLedger) -> None:
    with bad_fields("request_id", "customer_id", "version", "aliases[0]"):
        await bare.peer.ApplyCustomer(peer_pb.ApplyCustomerRequest(aliases=[""]))
    with bad_fields(
        *("request_id", "product_id", "version", "name", "billable_metric_id", "event_type", "aggregation"),
        *(
            "filters[0].property",
            "filters[1].in_values[0]",
            "filters[2].not_in_values[1]",
            "group_keys[0]",
        ),
    ):
        await bare.peer.ApplyMetrics(
            peer_pb.ApplyMetricsRequest(
                aggregation=77,  # type: ignore[arg-type]
                filters=[
                    peer_pb.PropertyFilter(),
                    peer_pb.PropertyFilter(property="p", in_values=["\x00"]),
                    peer_pb.PropertyFilter(property="p", not_in_values=["x", "\x00"]),
                ],
                group_keys=[""],
            )
        )
    with bad_fields("aggregated_property", "filters[0].in_values"):
        await bare.peer.ApplyMetrics(
            peer_pb.ApplyMetricsRequest(
                request_id="r",
                product_id="prd_1",
                version=1,
                name="n",
                billable_metric_id="met_1",
                event_type="e",
                aggregation=peer_pb.AGGREGATION_SUM,
                filters=[peer_pb.PropertyFilter(property="p", in_values=["x"], not_in_values=["y"])],
            )
        )


async def test_every_bad_field_of_a_card_is_named(bare: RunningLedger) -> None:
    with bad_fields(
        *("request_id", "rate_card_id", "version", "rates[0].rate_id", "rates[0].product_id"),
        *(
            "rates[0].credit_type_id",
            "rates[0].price_micros",
            "rates[0].per_micros",
            "rates[0].effective_time",
        ),
    ):
        await bare.peer.ApplyRateCard(
            peer_pb.ApplyRateCardRequest(rates=[peer_pb.UsageRate(price_micros=-1, per_micros=0)])
        )
    with bad_fields("rates[0].end_time"):
        await bare.tell_card(a_rate(start=JUNE, end=JUNE))
    with bad_fields("rates[1].effective_time"):
        await bare.tell_card(
            a_rate(start=JUNE), a_rate(start=JUNE, end=JULY, rate_id="rat_2"), a_rate(start=JULY)
        )


async def test_a_product_and_its_rates_are_taken_with_everything_that_catalog_may_give(
    ledger: RunningLedger, sql: Sql
) -> None:
    tiers = [
        peer_pb.RateTier(up_to_micros=1_000 * CREDIT, price_micros=CREDIT, per_micros=CREDIT),
        peer_pb.RateTier(price_micros=CREDIT, per_micros=4 * CREDIT),
    ]
    product = peer_pb.ApplyMetricsRequest(
        request_id="r",
        product_id="prd_tokens",
        version=1,
        name="Tokens",
        billable_metric_id="met_1",
        event_type="ai_call",
        aggregation=peer_pb.AGGREGATION_UNIQUE,
        aggregated_property="session",
        conversion=peer_pb.QuantityConversion(
            priced_micros=1, per_micros=1_000, rounding=peer_pb.QUANTITY_ROUNDING_HALF_UP
        ),
        pricing_dimensions=[
            peer_pb.PricingDimension(key="model", property="ai_model"),
            peer_pb.PricingDimension(
                key="context",
                property="prompt_tokens",
                bands=[
                    peer_pb.DimensionBand(value="short", up_to_micros=200_000 * CREDIT),
                    peer_pb.DimensionBand(value="long"),
                ],
            ),
        ],
    )
    wrong = a_rate("prd_tokens", rate_id="rat_1", dimension_values={"model": "large"})
    right = a_rate(
        "prd_tokens",
        rate_id="rat_2",
        price_micros=0,
        per_micros=0,
        rate_type=peer_pb.RATE_TYPE_GRADUATED,
        tiers=tiers,
        dimension_values={"model": "large"},
        corrects_rate_id="rat_1",
        create_time=timestamp(JUNE),
    )
    mistyped = a_rate(
        "prd_tokens", rate_id="rat_3", rate_type=peer_pb.RATE_TYPE_PACKAGE, start=JULY, is_withdrawn=True
    )

    assert (await ledger.peer.ApplyMetrics(product)).version == 1
    assert await ledger.tell_card(a_rate(), wrong, right, mistyped, version=2) == 2

    assert await sql.rows(
        "SELECT aggregation, aggregated_property, conversion #>> '{rounding}' AS rounding,"
        " pricing_dimensions #>> '{1,bands,0,value}' AS band FROM ledger.products WHERE product_id = 'prd_tokens'"
    ) == [{"aggregation": "UNIQUE", "aggregated_property": "session", "rounding": "HALF_UP", "band": "short"}]
    assert await sql.rows(
        "SELECT rate_id, rate_type, jsonb_array_length(tiers) AS tiers, dimension_values ->> 'model' AS model,"
        " corrects_rate_id, create_time, is_withdrawn FROM ledger.rates WHERE product_id = 'prd_tokens' ORDER BY 1"
    ) == [
        {
            "rate_id": rate_id,
            "rate_type": rate_type,
            "tiers": tiers_,
            "model": model,
            "corrects_rate_id": corrects,
            "create_time": created,
            "is_withdrawn": withdrawn,
        }
        for rate_id, rate_type, tiers_, model, corrects, created, withdrawn in (
            ("rat_1", "FLAT", None, "large", None, None, False),
            ("rat_2", "GRADUATED", 2, "large", "rat_1", JUNE, False),
            ("rat_3", "PACKAGE", None, None, None, None, True),
        )
    ]


async def test_every_bad_field_of_dimensions_and_tiers_is_named(bare: RunningLedger) -> None:
    with bad_fields("conversion.priced_micros", "conversion.per_micros", "pricing_dimensions[0].property"):
        await bare.peer.ApplyMetrics(
            peer_pb.ApplyMetricsRequest(
                request_id="r",
                product_id="prd_1",
                version=1,
                name="n",
                billable_metric_id="met_1",
                event_type="e",
                aggregation=peer_pb.AGGREGATION_MAX,
                aggregated_property="tokens",
                conversion=peer_pb.QuantityConversion(),
                pricing_dimensions=[peer_pb.PricingDimension(key="model")],
            )
        )
    with bad_fields("rates[0].tiers[0].per_micros", "rates[0].tiers[0].up_to_micros", "rates[1].rate_type"):
        await bare.tell_card(
            a_rate(rate_type=peer_pb.RATE_TYPE_GRADUATED, tiers=[peer_pb.RateTier(up_to_micros=1)]),
            a_rate("prd_preview", rate_type=99),
        )
    with bad_fields("rates[1].rate_id", "rates[2].corrects_rate_id"):
        await bare.tell_card(
            a_rate(), a_rate(start=JULY, rate_id=a_rate().rate_id), a_rate("prd_1", corrects_rate_id="rat_x")
        )


async def test_the_gate_prices_with_the_latest_correction_of_a_rate(ledger: RunningLedger) -> None:
    root = a_rate(rate_id="rat_1")
    corrections = [
        a_rate(
            rate_id=f"rat_{price}",
            price_micros=price * CREDIT,
            corrects_rate_id="rat_1",
            create_time=timestamp(JUNE + price * TICK),
        )
        for price in (20, 30)
    ]

    await ledger.tell_card(root, *corrections, version=2)

    assert (await ledger.authorize(0, quantity_micros=1_000_000)).held_micros == 30 * CREDIT


@pytest.mark.parametrize(
    "more",
    [
        {"is_withdrawn": True},
        {"dimension_values": {"model": "large"}},
    ],
    ids=["withdrawn", "of a dimension that the product does not have"],
)
async def test_a_rate_that_prices_nothing_entitles_to_nothing(
    ledger: RunningLedger, more: dict[str, Any]
) -> None:
    await ledger.tell_card(a_rate(**more), version=2)

    assert (await ledger.authorize(1)).denial_reason == pb.DENIAL_REASON_NOT_ENTITLED


async def test_every_bad_field_of_a_contract_is_named(bare: RunningLedger) -> None:
    with bad_fields(
        *("request_id", "customer_id", "contract_id", "version", "rate_card_id", "start_time", "end_time"),
        *("subscriptions[0].subscription_id", "subscriptions[0].initial_quantity"),
        *(
            f"grant_schedules[0].{name}"
            for name in (
                *(
                    "grant_schedule_id",
                    "product_id",
                    "credit_type_id",
                    "unit_amount_micros",
                    "subscription_id",
                ),
                *("frequency", "anchor_time", "priority", "period_proration", "commit_duration"),
                "scope_product_ids[0]",
            )
        ),
    ):
        await bare.peer.ApplyContract(
            peer_pb.ApplyContractRequest(
                version=-1,
                end_time=timestamp(datetime(1970, 1, 1, tzinfo=UTC)),
                subscriptions=[peer_pb.SubscriptionSeats(initial_quantity=-1)],
                grant_schedules=[peer_pb.ScheduleTerms(subscription_id="sub_other", scope_product_ids=[""])],
            )
        )
    with bad_fields("end_time"):
        await bare.apply_contract(start=JULY, end=JUNE)


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("unit_amount_micros", 10**12, 10**12 + 1),
        ("priority", 1_000, 1_001),
        ("commit_duration", 120, 121),
    ],
)
async def test_a_schedules_figures_have_bounds(
    bare: RunningLedger, field: str, right: int, wrong: int
) -> None:
    await bare.apply_contract(seats=1_000_000, start=JUNE, schedules=[a_schedule(**{field: right})])
    with bad_fields(f"grant_schedules[0].{field}"):
        await bare.apply_contract(start=JUNE, version=2, schedules=[a_schedule(**{field: wrong})])
    await bare.assert_adds_up()


async def test_a_contract_begins_before_the_calendar_ends(bare: RunningLedger) -> None:
    end = datetime(9000, 1, 1, tzinfo=UTC)
    with bad_fields("start_time"):
        await bare.apply_contract(start=end)
    await bare.apply_contract(
        start=end - TICK,
        schedules=[a_schedule(frequency=peer_pb.GRANT_FREQUENCY_ANNUAL, commit_duration=120)],
    )
    bare.clock.advance_to(end)

    assert (await bare.grants())[0].expire_time.ToDatetime(UTC).year == 9119


async def test_credit_types_of_a_contract_are_pools_of_their_own(ledger: RunningLedger) -> None:
    await ledger.apply_contract(
        contract_id="con_2",
        start=JUNE,
        schedules=[a_schedule(grant_schedule_id="sch_2", subscription_id="", credit_type_id="crt_image")],
    )

    pools = (await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="acme"))).pools

    assert [(one.credit_type_id, one.available_micros // CREDIT) for one in pools] == [
        (AI, 400),
        ("crt_image", 100),
    ]
    assert (await ledger.authorize(401)).decision == DENIED
