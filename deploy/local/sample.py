# SPDX-License-Identifier: Apache-2.0
"""Half a month at Acme, so that the pages of `make up` have something to show. Repeating it changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from deploy.local.seatsco import (
    ASSISTANT,
    EVENT_TYPES,
    NAMED,
    OPENING,
    PREVIEW,
    RESEARCH_EVENT,
    SUMMARY,
    Offer,
    Stubs,
    included_credits,
    team_plan,
)
from meshkit.quantity import MICROS
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import usage_pb2 as usage
from purser.sandbox.v1 import clock_pb2 as sandbox

TODAY = datetime(2025, 6, 18, 15, tzinfo=UTC)
ANN, BOB, CLEO, DAN = PEOPLE = ("ann", "bob", "cleo", "dan")
# What each uses at a time, up to three times on a working day: units of the product, or tokens of AI Research.
HABITS = (
    (ANN, ASSISTANT, "1"),
    (ANN, SUMMARY, "0.5"),
    (BOB, ASSISTANT, "0.5"),
    (CLEO, PREVIEW, "0.8"),
    (DAN, RESEARCH_EVENT, "2500"),
)
SATURDAY = 5


async def play_half_a_month(stubs: Stubs, offer: Offer, signed: contract.Contract) -> None:
    """Buy the pack on 1 June, let Acme's people work until TODAY, cap one of them, and warn at 100 credits.

    Customers are offered the plan by the month.
    """
    await _buy(stubs, offer, signed)
    await stubs.contract.CreatePlanOffer(
        contract.CreatePlanOfferRequest(
            request_id="seatsco-monthly",
            name="Team Plan, monthly",
            description="The same seats and credits, paid month by month.",
            rate_card_id=offer.rate_card,
            subscriptions=[
                team_plan(offer, billing_frequency=contract.BILLING_FREQUENCY_MONTHLY, seats=1, **NAMED)
            ],
            grant_schedules=[included_credits(offer)],
        )
    )
    now = (await stubs.clock.GetTime(sandbox.GetTimeRequest())).now_time
    if now.ToDatetime(tzinfo=UTC) < TODAY:
        await stubs.clock.AdvanceTime(sandbox.AdvanceTimeRequest(new_time=timestamp(TODAY)), timeout=60)
    await stubs.usage.RecordUsage(usage.RecordUsageRequest(events=list(_events())))
    await stubs.ledger_admin.SetSpendCap(
        admin.SetSpendCapRequest(
            request_id="seatsco-cap",
            customer="acme",
            credit_type_id=offer.ai_credits,
            group_key="user_id",
            group_value=DAN,
            limit_micros=200 * MICROS,
        )
    )
    await stubs.alert.CreateAlert(
        alert.CreateAlertRequest(
            request_id="seatsco-alert",
            name="100 credits or fewer are left",
            alert_type=alert.ALERT_TYPE_LOW_BALANCE,
            customer_id=signed.customer_id,
            credit_type_id=offer.ai_credits,
            threshold_micros=100 * MICROS,
        )
    )


async def _buy(stubs: Stubs, offer: Offer, signed: contract.Contract) -> None:
    ordered = await stubs.contract.OrderTopUp(
        contract.OrderTopUpRequest(
            request_id="seatsco-order",
            contract_id=signed.contract_id,
            top_up_pack_id=offer.pack,
            payment_gate=contract.PAYMENT_GATE_EXTERNAL,
        )
    )
    await stubs.contract.ResolveTopUpPayment(
        contract.ResolveTopUpPaymentRequest(
            request_id="seatsco-paid",
            top_up_id=ordered.top_up.top_up_id,
            outcome=contract.PAYMENT_OUTCOME_PAID,
        )
    )


def _events() -> Iterator[usage.UsageEvent]:
    """What Acme's people used on each working day until TODAY, more on some days than on others."""
    for number in range((TODAY - OPENING).days + 1):
        day = OPENING + timedelta(days=number)
        if day.weekday() >= SATURDAY:
            continue
        for turn, (person, used, amount) in enumerate(HABITS):
            at = day + timedelta(hours=9 + turn, minutes=7 * number % 60)
            for again in range((number * 3 + turn * 2) % 4):
                yield _event(f"seatsco-{day:%m%d}-{turn}-{again}", person, used, amount, at=at)


def _event(transaction_id: str, person: str, used: str, amount: str, *, at: datetime) -> usage.UsageEvent:
    event = usage.UsageEvent(
        transaction_id=transaction_id,
        customer="acme",
        event_type=EVENT_TYPES.get(used, used),
        timestamp=timestamp(at),
        properties={"user_id": person},
    )
    if used == RESEARCH_EVENT:
        event.properties.update(tokens=amount, model="atlas", token_kind="output")
    else:
        event.properties["units"] = amount
    return event
