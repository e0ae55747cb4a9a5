# SPDX-License-Identifier: Apache-2.0
"""What callers of the gate may send, and what they get back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from meshkit.errors import InvalidFields
from meshkit.quantity import INT64_MAX, Credits, Quantity, Ratio
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.credits.balance import Balances, balance_of
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.grant import GrantId, GrantKind
from services.ledger.domain.gate.commands import ExplainAsk, ExplainHold
from services.ledger.domain.gate.decision import (
    CREDITS_MAX,
    Authorized,
    Captured,
    Debited,
    DenialReason,
    Extended,
    Released,
)
from services.ledger.domain.gate.explanation import Explanation
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import CapUse
from services.ledger.domain.gate.windows import CapWindow, window_at
from services.ledger.wire import amounts
from services.ledger.wire.credits import grants
from services.ledger.wire.gate import batches, decisions, gate
from tests.unit.ledger.builders import (
    AI,
    ASSISTANT,
    IMAGES,
    JULY,
    JUNE,
    a_cap,
    a_grant,
    an_account,
    an_entitlement,
    fields_refused,
    units,
)

HOLD = HoldId("hld_1")
FIVE = Credits.of(5)
TOO_LONG = "x" * 201


def an_authorize(**more: Any) -> pb.AuthorizeRequest:
    told: dict[str, Any] = {
        "request_id": "r1",
        "customer": "acme",
        "product_id": "prd_1",
        "credits_micros": 1,
    }
    return pb.AuthorizeRequest(**(told | more))


def an_extension(**more: Any) -> pb.ExtendHoldRequest:
    told: dict[str, Any] = {"request_id": "r1", "customer": "acme", "hold_id": "hld_1", "credits_micros": 1}
    return pb.ExtendHoldRequest(**(told | more))


# Each row: what reads the request, a request in which everything is wrong, and the fields to be named.
ALL_WRONG: list[tuple[Callable[[Any], object], object, set[str]]] = [
    (
        gate.authorize_from_wire,
        pb.AuthorizeRequest(hold_ttl=Duration(seconds=0), group_values={"": ""}),
        {
            "request_id",
            "customer",
            "product_id",
            "quantity_micros",
            "hold_ttl",
            "group_values",
            "group_values[]",
        },
    ),
    (
        gate.authorize_from_wire,
        pb.AuthorizeRequest(
            request_id="a b",
            customer=TOO_LONG,
            product_id=" ",
            quantity_micros=0,
            hold_ttl=Duration(seconds=-1),
        ),
        {"request_id", "customer", "product_id", "quantity_micros", "hold_ttl"},
    ),
    (
        gate.capture_from_wire,
        pb.CaptureRequest(credits_micros=-1),
        {"request_id", "customer", "hold_id", "credits_micros"},
    ),
    (gate.release_from_wire, pb.ReleaseRequest(), {"request_id", "customer", "hold_id"}),
    (gate.extend_hold_from_wire, pb.ExtendHoldRequest(), {"request_id", "customer", "hold_id", "hold_ttl"}),
    (
        gate.extend_hold_from_wire,
        pb.ExtendHoldRequest(quantity_micros=-5, hold_ttl=Duration(seconds=90_000)),
        {"request_id", "customer", "hold_id", "hold_ttl", "quantity_micros"},
    ),
    (
        gate.debit_from_wire,
        pb.DebitRequest(credits_micros=0, group_values={"user_id": "a\nb"}),
        {"request_id", "customer", "product_id", "credits_micros", "group_values[user_id]"},
    ),
    (grants.balance_from_wire, pb.GetBalanceRequest(credit_type_id=TOO_LONG), {"customer", "credit_type_id"}),
    (decisions.explain_from_wire, pb.GetDecisionRequest(), {"customer", "hold_id"}),
    (decisions.explain_from_wire, pb.GetDecisionRequest(hold_id=""), {"customer", "hold_id"}),
    (
        decisions.explain_from_wire,
        pb.GetDecisionRequest(ask=pb.DecisionAsk()),
        {"customer", "product_id", "quantity_micros"},
    ),
    (batches.authorize_from_wire, pb.AuthorizeBatchRequest(), {"items"}),
    (batches.debit_from_wire, pb.DebitBatchRequest(items=[pb.DebitRequest()] * 1_001), {"items"}),
]


@pytest.mark.parametrize(("from_wire", "request_", "fields"), ALL_WRONG)
def test_all_bad_fields_are_named_at_once(
    from_wire: Callable[[Any], object], request_: object, fields: set[str]
) -> None:
    assert fields_refused(from_wire, request_) == fields


def test_an_authorize_is_read_as_it_was_sent() -> None:
    command = gate.authorize_from_wire(
        pb.AuthorizeRequest(
            request_id="r1",
            customer="acme",
            product_id="prd_1",
            quantity_micros=1_500_000,
            group_values={"user_id": "ann"},
            hold_ttl=Duration(seconds=90, nanos=500_000_000),
            allow_partial=True,
        )
    )

    assert (command.request_id, command.customer, command.product_id) == ("r1", "acme", "prd_1")
    assert command.amount == Quantity(1_500_000)
    assert command.group_values == {"user_id": "ann"}
    assert command.hold_ttl == timedelta(seconds=90.5)
    assert command.allow_partial


# Each row: seconds, nanoseconds, and the time to live; None: refused.
@pytest.mark.parametrize(
    ("seconds", "nanos", "ttl"),
    [
        (0, 999_999_999, None),
        (1, 0, timedelta(seconds=1)),
        (86_400, 0, timedelta(hours=24)),
        (86_400, 1_000, None),
        (-1, 0, None),
        (10**13, 0, None),
    ],
)
def test_a_hold_lives_from_one_second_to_a_day(seconds: int, nanos: int, ttl: timedelta | None) -> None:
    life = Duration(seconds=seconds, nanos=nanos)

    if ttl is None:
        assert fields_refused(gate.authorize_from_wire, an_authorize(hold_ttl=life)) == {"hold_ttl"}
        assert fields_refused(gate.extend_hold_from_wire, an_extension(hold_ttl=life)) == {"hold_ttl"}
    else:
        assert gate.authorize_from_wire(an_authorize(hold_ttl=life)).hold_ttl == ttl
        assert gate.extend_hold_from_wire(an_extension(hold_ttl=life)).hold_ttl == ttl


def test_a_hold_lives_five_minutes_unless_told_and_an_extension_keeps_its_life() -> None:
    assert gate.authorize_from_wire(an_authorize()).hold_ttl == timedelta(minutes=5)
    assert gate.extend_hold_from_wire(an_extension()).hold_ttl is None


@pytest.mark.parametrize(
    ("group_values", "fields"),
    [
        ({f"key_{n}": "v" for n in range(10)}, set()),
        ({f"key_{n}": "v" for n in range(11)}, {"group_values"}),
        ({"k" * 64: "v" * 200}, set()),
        ({"k" * 65: "v"}, {"group_values"}),
        ({"key": "v" * 201}, {"group_values[key]"}),
        ({"key": ""}, {"group_values[key]"}),
        ({"": "v"}, {"group_values"}),
    ],
    ids=["ten", "eleven", "longest", "long key", "long value", "no value", "no key"],
)
def test_group_values_are_at_most_ten_and_none_is_empty(
    group_values: dict[str, str], fields: set[str]
) -> None:
    request = an_authorize(group_values=group_values)

    if fields:
        assert fields_refused(gate.authorize_from_wire, request) == fields
    else:
        assert gate.authorize_from_wire(request).group_values == group_values


# Each row: what is asked for, and whether an ask and a capture may be of that much.
@pytest.mark.parametrize(
    ("amount", "may_ask", "may_capture"),
    [
        ({"quantity_micros": -1}, False, False),
        ({"quantity_micros": 0}, False, True),
        ({"quantity_micros": 1}, True, True),
        ({"quantity_micros": INT64_MAX}, True, True),
        ({"credits_micros": 0}, False, True),
        ({"credits_micros": 1}, True, True),
        ({"credits_micros": CREDITS_MAX.micros}, True, True),
        ({"credits_micros": CREDITS_MAX.micros + 1}, False, False),
    ],
)
def test_an_ask_is_for_something_and_a_capture_may_be_of_nothing(
    amount: dict[str, Any], may_ask: bool, may_capture: bool
) -> None:
    name, micros = next(iter(amount.items()))
    told = Quantity(micros) if name == "quantity_micros" else Credits(micros)
    ask = pb.DebitRequest(request_id="r1", customer="acme", product_id="prd_1", **amount)
    capture = pb.CaptureRequest(request_id="r1", customer="acme", hold_id="hld_1", **amount)

    if may_ask:
        assert gate.debit_from_wire(ask).amount == told
    else:
        assert fields_refused(gate.debit_from_wire, ask) == {name}
    if may_capture:
        assert gate.capture_from_wire(capture).actual == told
    else:
        assert fields_refused(gate.capture_from_wire, capture) == {name}


def test_a_capture_without_an_amount_is_of_all_that_is_held() -> None:
    command = gate.capture_from_wire(pb.CaptureRequest(request_id="r1", customer="acme", hold_id="hld_1"))

    assert command.actual is None


def test_the_same_body_has_the_same_fingerprint_and_another_has_another() -> None:
    one = gate.authorize_from_wire(an_authorize(group_values={"a": "1", "b": "2"}))
    same = gate.authorize_from_wire(an_authorize(group_values={"b": "2", "a": "1"}))
    other = gate.authorize_from_wire(an_authorize(group_values={"a": "1", "b": "3"}))
    debit = gate.debit_from_wire(
        pb.DebitRequest(request_id="r1", customer="acme", product_id="prd_1", credits_micros=1)
    )

    assert one.fingerprint == same.fingerprint
    assert len({one.fingerprint, other.fingerprint, debit.fingerprint}) == 3


def test_each_item_of_a_batch_is_read_or_refused_by_itself() -> None:
    items = batches.authorize_from_wire(
        pb.AuthorizeBatchRequest(items=[an_authorize(), an_authorize(customer=""), an_authorize()])
    )

    assert [isinstance(item, InvalidFields) for item in items] == [False, True, False]


def test_every_denial_reason_has_its_own_on_the_wire() -> None:
    sent = {reason: amounts.reason_to_wire(reason) for reason in DenialReason}

    assert {reason: pb.DenialReason.Name(number) for reason, number in sent.items()} == {
        reason: f"DENIAL_REASON_{reason.value}" for reason in DenialReason
    }
    assert set(pb.DenialReason.values()) - set(sent.values()) == {pb.DENIAL_REASON_UNSPECIFIED}


def test_a_denial_is_told_with_its_reason_and_an_allowance_without() -> None:
    denied = gate.authorize_to_wire(
        Authorized(
            reason=DenialReason.INSUFFICIENT_CREDITS,
            credit_type_id=AI,
            available=FIVE,
            affordable=FIVE,
            affordable_quantity=units(2),
        )
    )
    allowed = gate.authorize_to_wire(
        Authorized(
            reason=None, hold_id=HOLD, held=FIVE, held_quantity=units(1), expire_time=JULY, credit_type_id=AI
        )
    )

    assert (denied.decision, denied.denial_reason) == (
        pb.DECISION_DENIED,
        pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
    )
    assert (denied.hold_id, denied.HasField("expire_time")) == ("", False)
    assert (denied.available_micros, denied.affordable_credits_micros) == (5_000_000, 5_000_000)
    assert denied.affordable_quantity_micros == 2_000_000
    assert (allowed.decision, allowed.denial_reason) == (
        pb.DECISION_ALLOWED,
        pb.DENIAL_REASON_UNSPECIFIED,
    )
    assert (allowed.hold_id, allowed.held_micros, allowed.held_quantity_micros) == (
        "hld_1",
        5_000_000,
        1_000_000,
    )
    assert allowed.expire_time == timestamp(JULY)


def test_answers_of_captures_releases_extensions_and_debits_are_told_whole() -> None:
    captured = gate.capture_to_wire(
        Captured(
            captured=Credits(1),
            overage=Credits(5),
            released=Credits(2),
            shortfall=Credits(3),
            is_late=True,
            credit_type_id=AI,
            available=Credits(4),
        )
    )
    released = gate.release_to_wire(Released(released=Credits(1), credit_type_id=AI, available=Credits(2)))
    extended = gate.extend_hold_to_wire(
        Extended(
            reason=DenialReason.SPEND_CAP_REACHED,
            held=Credits(1),
            overage=Credits(6),
            expire_time=JULY,
            credit_type_id=AI,
            available=Credits(2),
            affordable=Credits(3),
        )
    )
    debited = gate.debit_to_wire(
        Debited(reason=None, debited=Credits(1), overage=Credits(7), credit_type_id=AI)
    )

    assert captured == pb.CaptureResponse(
        captured_micros=1,
        overage_micros=5,
        released_micros=2,
        shortfall_micros=3,
        is_late=True,
        credit_type_id=AI,
        available_micros=4,
    )
    assert released == pb.ReleaseResponse(released_micros=1, credit_type_id=AI, available_micros=2)
    assert extended == pb.ExtendHoldResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=pb.DENIAL_REASON_SPEND_CAP_REACHED,
        held_micros=1,
        overage_held_micros=6,
        credit_type_id=AI,
        available_micros=2,
        affordable_credits_micros=3,
        expire_time=timestamp(JULY),
    )
    assert debited == pb.DebitResponse(
        decision=pb.DECISION_ALLOWED, debited_micros=1, overage_micros=7, credit_type_id=AI
    )


def test_a_total_beyond_the_wire_is_told_as_the_largest_there_is() -> None:
    answer = gate.release_to_wire(
        Released(released=Credits(0), credit_type_id=AI, available=Credits(INT64_MAX + 1))
    )

    assert answer.available_micros == INT64_MAX


@pytest.mark.parametrize("kind", GrantKind)
def test_a_grant_is_told_with_all_its_figures(kind: GrantKind) -> None:
    grant = a_grant(
        100,
        kind=kind,
        captured=10,
        held=20,
        end=JULY,
        paid=80,
        only_for=[IMAGES, ASSISTANT],
        schedule_id="sch_1",
    )

    sent = grants.grant_to_wire(grant, AI, at=JUNE)

    assert pb.GrantKind.Name(sent.grant_kind) == f"GRANT_KIND_{kind.value}"
    assert (sent.granted_micros, sent.captured_micros, sent.held_micros) == (
        100_000_000,
        10_000_000,
        20_000_000,
    )
    assert sent.available_micros == 70_000_000
    assert list(sent.scope_product_ids) == [ASSISTANT, IMAGES]
    assert (sent.effective_time, sent.expire_time) == (timestamp(JUNE), timestamp(JULY))
    assert (sent.grant_schedule_id, sent.source_id, sent.cost_basis_micros) == ("sch_1", "", 80)


def test_a_grant_that_never_expires_has_no_expire_time_and_a_dead_one_nothing_available() -> None:
    assert not grants.grant_to_wire(a_grant(), AI, at=JUNE).HasField("expire_time")
    assert grants.grant_to_wire(a_grant(end=JULY), AI, at=JULY).available_micros == 0


def test_a_balance_is_told_for_its_instant_pool_by_pool() -> None:
    balances = Balances(pools=(balance_of(an_account(a_grant(100, held=30)), at=JUNE),), at=JUNE)

    sent = grants.balance_to_wire(balances)

    assert sent.as_of_time == timestamp(JUNE)
    assert [(pool.available_micros, pool.held_micros, pool.remaining_micros) for pool in sent.pools] == [
        (70_000_000, 30_000_000, 100_000_000)
    ]
    assert not sent.pools[0].HasField("next_expire_time")


def test_a_decision_is_asked_for_by_hold_or_by_ask() -> None:
    of_hold = decisions.explain_from_wire(pb.GetDecisionRequest(customer="acme", hold_id="hld_1"))
    of_ask = decisions.explain_from_wire(
        pb.GetDecisionRequest(customer="acme", ask=pb.DecisionAsk(product_id="prd_1", credits_micros=5))
    )

    assert of_hold == ExplainHold(customer="acme", hold_id=HOLD)
    assert isinstance(of_ask, ExplainAsk)
    assert (of_ask.product_id, of_ask.amount) == ("prd_1", Credits(5))


def test_a_decision_is_told_with_what_it_rests_on() -> None:
    cap = a_cap(100, user="ann")
    use = CapUse(cap, "ann", FIVE, window_at(CapWindow.BILLING_PERIOD, anchor=JUNE, at=JUNE))
    told = Explanation(
        reason=None,
        credits=FIVE,
        credit_type_id=AI,
        entitlement=an_entitlement(price=Ratio(12, 7)),
        draws=(Draw(GrantId("grt_1"), FIVE),),
        grants=(a_grant(100),),
        caps=(use,),
        decide_time=JUNE,
        expire_time=None,
        available=FIVE,
    )

    sent = decisions.explain_to_wire(told)

    assert (sent.decision, sent.contract_id) == (pb.DECISION_ALLOWED, "con_1")
    assert (sent.price_micros, sent.per_micros) == (12, 7)
    assert [(draw.grant_id, draw.amount_micros) for draw in sent.draws] == [("grt_1", 5_000_000)]
    assert [grant.grant_id for grant in sent.grants] == ["grt_1"]
    assert [(one.spend_cap_id, one.used_micros) for one in sent.spend_caps] == [("cap_1", 5_000_000)]
    assert sent.spend_caps[0].window_end_time == timestamp(JULY)
    assert not sent.HasField("expire_time")
