# SPDX-License-Identifier: Apache-2.0
"""Overage policies: in CreateContract, SetOveragePolicy and ChangePlan; what the Ledger is sent.

Rules: services/contract/README.md, "Overage".
"""

from typing import Any

import pytest
from grpc import StatusCode

from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.type.v1 import money_pb2
from tests.support.catalog import JUNE
from tests.support.contract import MONTHLY, Desk, RunningContract, day
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

CREDIT = 1_000_000
HARD_STOP = pb.OveragePolicy(mode=pb.OVERAGE_MODE_HARD_STOP)


def usd(micros: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="USD", micros=micros)


def allowing(desk: Desk, **limit: Any) -> pb.OveragePolicy:
    """Return the policy that allows overage in SeatsCo's credits, which cost $1.00 each as overage."""
    limit.setdefault("credit_type_id", desk.sells.credits.credit_type_id)
    return pb.OveragePolicy(mode=pb.OVERAGE_MODE_OVERAGE, limits=[pb.OverageLimit(**limit)])


def a_contract(desk: Desk, customer_id: str, policy: pb.OveragePolicy | None) -> pb.CreateContractRequest:
    request = desk.contract_request(
        customer_id, desk.seats(1, frequency=MONTHLY), schedules=(desk.schedule(),)
    )
    if policy is not None:
        request.overage_policy.CopyFrom(policy)
    return request


async def signed(desk: Desk, policy: pb.OveragePolicy | None) -> pb.Contract:
    customer = await desk.customer()
    answer = await desk.contract.CreateContract(a_contract(desk, customer.customer_id, policy))
    return answer.contract


def setting(desk: Desk, contract_id: str, policy: pb.OveragePolicy) -> pb.SetOveragePolicyRequest:
    return pb.SetOveragePolicyRequest(
        request_id=desk.request_id(), contract_id=contract_id, overage_policy=policy
    )


def last_sent(ledger: RecordingLedger) -> peer_pb.ApplyContractRequest:
    return ledger.told_of(peer_pb.ApplyContractRequest)[-1]


def caps_of(sent: peer_pb.ApplyContractRequest) -> dict[str, int | None]:
    return {
        one.credit_type_id: one.cap_micros if one.HasField("cap_micros") else None
        for one in sent.overage.limits
    }


async def test_a_contract_stops_hard_unless_it_says_otherwise(desk: Desk, ledger: RecordingLedger) -> None:
    contract = await signed(desk, None)

    assert contract.overage_policy == HARD_STOP
    assert not last_sent(ledger).HasField("overage")


async def test_a_policy_is_shown_with_the_conversion_and_sent_in_credits(
    desk: Desk, ledger: RecordingLedger
) -> None:
    policy = allowing(desk, cap_micros=50 * CREDIT)

    contract = await signed(desk, policy)

    policy.limits[0].fiat_per_credit_micros = 1_000_000
    assert contract.overage_policy == policy
    shown = await desk.contract.GetContract(pb.GetContractRequest(contract_id=contract.contract_id))
    assert shown.contract.overage_policy == policy
    assert caps_of(last_sent(ledger)) == {desk.sells.credits.credit_type_id: 50 * CREDIT}


@pytest.mark.parametrize(
    ("limit", "cap_micros"),
    [
        ({}, None),
        ({"fiat_cap": usd(20_000_000)}, 20 * CREDIT),
        ({"cap_micros": 19 * CREDIT, "fiat_cap": usd(20_000_000)}, 19 * CREDIT),
        ({"cap_micros": 21 * CREDIT, "fiat_cap": usd(20_000_000)}, 20 * CREDIT),
        ({"cap_micros": 0}, 0),
    ],
    ids=["without a cap", "in money", "the lower in credits", "the lower in money", "nothing"],
)
async def test_the_lower_cap_counts_and_money_is_converted(
    desk: Desk, ledger: RecordingLedger, limit: dict[str, Any], cap_micros: int | None
) -> None:
    await signed(desk, allowing(desk, **limit))

    assert caps_of(last_sent(ledger)) == {desk.sells.credits.credit_type_id: cap_micros}


async def test_overage_in_the_currency_of_the_card_needs_no_conversion(
    desk: Desk, ledger: RecordingLedger
) -> None:
    await signed(desk, allowing(desk, credit_type_id="USD", fiat_cap=usd(5_000_000)))

    assert caps_of(last_sent(ledger)) == {"USD": 5 * CREDIT}


async def test_overage_without_a_conversion_is_refused(desk: Desk) -> None:
    customer = await desk.customer()
    request = a_contract(desk, customer.customer_id, allowing(desk, credit_type_id="crt_other"))

    with fault(StatusCode.FAILED_PRECONDITION, "CONVERSION_MISSING"):
        await desk.contract.CreateContract(request)

    listed = await desk.contract.ListContracts(pb.ListContractsRequest(customer=customer.customer_id))
    assert not listed.contracts


async def test_a_cap_in_another_currency_is_refused(desk: Desk) -> None:
    customer = await desk.customer()
    euros = money_pb2.Money(currency_code="EUR", micros=1)

    with fault(StatusCode.FAILED_PRECONDITION, "CURRENCY_DIFFERS"):
        await desk.contract.CreateContract(
            a_contract(desk, customer.customer_id, allowing(desk, fiat_cap=euros))
        )


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"mode": 99}, "overage_policy.mode"),
        ({"mode": pb.OVERAGE_MODE_OVERAGE}, "overage_policy.limits"),
        ({"limits": [pb.OverageLimit(credit_type_id="USD")]}, "overage_policy.limits"),
        (
            {"mode": pb.OVERAGE_MODE_OVERAGE, "limits": [pb.OverageLimit()]},
            "overage_policy.limits[0].credit_type_id",
        ),
        (
            {"mode": pb.OVERAGE_MODE_OVERAGE, "limits": [pb.OverageLimit(credit_type_id="USD")] * 2},
            "overage_policy.limits[1].credit_type_id",
        ),
        (
            {
                "mode": pb.OVERAGE_MODE_OVERAGE,
                "limits": [pb.OverageLimit(credit_type_id="USD", cap_micros=-1)],
            },
            "overage_policy.limits[0].cap_micros",
        ),
        (
            {
                "mode": pb.OVERAGE_MODE_OVERAGE,
                "limits": [pb.OverageLimit(credit_type_id="USD", fiat_per_credit_micros=1)],
            },
            "overage_policy.limits[0].fiat_per_credit_micros",
        ),
    ],
)
async def test_a_malformed_policy_is_refused_by_field(desk: Desk, policy: dict[str, Any], field: str) -> None:
    customer = await desk.customer()

    with bad_fields(field):
        await desk.contract.CreateContract(a_contract(desk, customer.customer_id, pb.OveragePolicy(**policy)))
    with bad_fields(field):
        await desk.contract.SetOveragePolicy(setting(desk, "con_1", pb.OveragePolicy(**policy)))


async def test_a_policy_is_replaced_and_removed_with_a_new_version_each_time(
    desk: Desk, ledger: RecordingLedger
) -> None:
    contract = await signed(desk, None)
    set_first = setting(desk, contract.contract_id, allowing(desk, cap_micros=50 * CREDIT))

    changed = await desk.contract.SetOveragePolicy(set_first)
    repeated = await desk.contract.SetOveragePolicy(set_first)
    sent = last_sent(ledger)
    removed = await desk.contract.SetOveragePolicy(setting(desk, contract.contract_id, HARD_STOP))

    assert changed == repeated
    assert changed.contract.overage_policy.limits[0].cap_micros == 50 * CREDIT
    assert (sent.version, caps_of(sent)) == (2, {desk.sells.credits.credit_type_id: 50 * CREDIT})
    assert removed.contract.overage_policy == HARD_STOP
    assert last_sent(ledger).version == 3
    assert not last_sent(ledger).HasField("overage")


async def test_a_policy_stays_when_the_contract_changes_otherwise(
    desk: Desk, ledger: RecordingLedger
) -> None:
    contract = await signed(desk, allowing(desk, cap_micros=50 * CREDIT))

    ended = await desk.contract.EndContract(
        pb.EndContractRequest(
            request_id=desk.request_id(),
            contract_id=contract.contract_id,
            end_option=pb.END_OPTION_PERIOD_END,
        )
    )

    assert ended.contract.overage_policy == contract.overage_policy
    assert caps_of(last_sent(ledger)) == {desk.sells.credits.credit_type_id: 50 * CREDIT}


async def test_the_policy_of_an_ended_or_unknown_contract_cannot_be_set(
    desk: Desk, running: RunningContract
) -> None:
    contract = await signed(desk, None)
    end = pb.EndContractRequest(request_id=desk.request_id(), contract_id=contract.contract_id)
    await desk.contract.EndContract(end)
    await running.advance_to(day(6, 2))

    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await desk.contract.SetOveragePolicy(setting(desk, contract.contract_id, HARD_STOP))
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND"):
        await desk.contract.SetOveragePolicy(setting(desk, "con_none", HARD_STOP))


async def test_the_new_contract_of_a_change_of_plan_has_its_own_policy(
    desk: Desk, ledger: RecordingLedger, running: RunningContract
) -> None:
    old = await signed(desk, allowing(desk, cap_micros=50 * CREDIT))
    await running.advance_to(day(6, 16))
    terms: dict[str, Any] = {
        "contract_id": old.contract_id,
        "rate_card_id": desk.sells.rate_card.rate_card_id,
        "subscriptions": [desk.seats(2, frequency=MONTHLY)],
        "grant_schedules": [desk.schedule()],
    }

    with fault(StatusCode.FAILED_PRECONDITION, "CONVERSION_MISSING"):
        await desk.contract.PreviewPlanChange(
            pb.PreviewPlanChangeRequest(**terms, overage_policy=allowing(desk, credit_type_id="crt_other"))
        )
    changed = await desk.contract.ChangePlan(
        pb.ChangePlanRequest(
            request_id=desk.request_id(), **terms, overage_policy=allowing(desk, cap_micros=7 * CREDIT)
        )
    )

    assert changed.contract.overage_policy.limits[0].cap_micros == 7 * CREDIT
    [sent] = ledger.told_of(peer_pb.ApplyPlanChangeRequest)
    assert caps_of(sent.ended) == {desk.sells.credits.credit_type_id: 50 * CREDIT}
    assert caps_of(sent.begun) == {desk.sells.credits.credit_type_id: 7 * CREDIT}
    assert sent.begun.start_time.ToDatetime() > JUNE.replace(tzinfo=None)
