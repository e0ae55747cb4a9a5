# SPDX-License-Identifier: Apache-2.0
"""Terms and notice periods: when a contract that renews itself can be ended."""

from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import JUNE
from tests.support.contract import MONTHLY, Desk, RunningContract, day
from tests.support.faults import bad_fields, fault

TICK = timedelta(microseconds=1)
YEAR = pb.ContractTerm(months=12, renews=True, notice_days=30)
SECOND_YEAR_ENDS = day(6, 1, 2027)
LAST_NOTICE = day(5, 2, 2026)  # 30 days before 1 June 2026


async def _sign(desk: Desk, term: pb.ContractTerm, **more: object) -> pb.Contract:
    customer = await desk.customer()
    request = desk.contract_request(customer.customer_id, desk.seats(2, frequency=MONTHLY))
    request.term.CopyFrom(term)
    for name, value in more.items():
        getattr(request, name).CopyFrom(value)
    return (await desk.contract.CreateContract(request)).contract


async def _end(desk: Desk, contract: pb.Contract, **more: object) -> pb.Contract:
    request = pb.EndContractRequest(
        request_id=desk.request_id(),
        contract_id=contract.contract_id,
        **more,  # type: ignore[arg-type]
    )
    return (await desk.contract.EndContract(request)).contract


async def test_a_contract_that_renews_is_open_ended_and_shows_its_term(desk: Desk) -> None:
    contract = await _sign(desk, YEAR)

    assert contract.term == YEAR
    assert not contract.HasField("end_time")
    found = await desk.contract.GetContract(pb.GetContractRequest(contract_id=contract.contract_id))
    assert found.contract == contract


async def test_a_contract_that_does_not_renew_ends_with_its_term(desk: Desk) -> None:
    contract = await _sign(desk, pb.ContractTerm(months=6))

    assert contract.end_time == timestamp(day(12, 1))


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        (JUNE, day(6, 1, 2026)),
        (LAST_NOTICE, day(6, 1, 2026)),
        (LAST_NOTICE + TICK, SECOND_YEAR_ENDS),
        (day(6, 1, 2026), SECOND_YEAR_ENDS),
    ],
)
async def test_notice_ends_the_contract_with_the_first_term_that_it_is_in_time_for(
    desk: Desk, running: RunningContract, at: datetime, ends: datetime
) -> None:
    contract = await _sign(desk, YEAR)
    running.clock.advance_to(at)

    ended = await _end(desk, contract, end_option=pb.END_OPTION_TERM_END)

    assert ended.end_time == timestamp(ends)


async def test_an_end_before_the_term_s_is_refused_and_changes_nothing(
    desk: Desk, running: RunningContract
) -> None:
    contract = await _sign(desk, YEAR)
    earliest = day(6, 1, 2026)

    with fault(StatusCode.FAILED_PRECONDITION, "TERM_NOT_OVER", earliest_end_time=earliest.isoformat()):
        await _end(desk, contract, end_time=timestamp(earliest - TICK))
    with fault(StatusCode.FAILED_PRECONDITION, "TERM_NOT_OVER"):
        await _end(desk, contract)
    with fault(StatusCode.FAILED_PRECONDITION, "TERM_NOT_OVER"):
        await _end(desk, contract, end_option=pb.END_OPTION_PERIOD_END)
    assert (await _end(desk, contract, end_time=timestamp(earliest))).end_time == timestamp(earliest)


async def test_an_operator_can_end_it_anyway_and_an_end_can_be_taken_back(
    desk: Desk, running: RunningContract
) -> None:
    contract = await _sign(desk, YEAR)

    ended = await _end(desk, contract, end_time=timestamp(day(8, 1)), ignores_term=True)
    assert ended.end_time == timestamp(day(8, 1))
    assert not (await _end(desk, contract, end_option=pb.END_OPTION_NEVER)).HasField("end_time")


async def test_a_later_term_is_billed_at_the_prices_and_seats_then_in_force(
    desk: Desk, running: RunningContract
) -> None:
    signed = pb.CreateContractResponse(contract=await _sign(desk, pb.ContractTerm(months=2, renews=True)))
    running.clock.advance_to(day(7, 10))
    await desk.add_seats(signed, 3)

    await running.advance_to(day(8, 1))

    invoices = await desk.invoices(signed)
    assert [line.quantity for line in invoices[-1].lines] == [5]


async def test_without_a_term_that_renews_there_is_no_term_s_end(desk: Desk) -> None:
    for contract in (await _sign(desk, pb.ContractTerm(months=6)), (await desk.sign(desk.seats(1))).contract):
        with fault(StatusCode.FAILED_PRECONDITION, "NO_TERM", contract_id=contract.contract_id):
            await _end(desk, contract, end_option=pb.END_OPTION_TERM_END)
        assert (await _end(desk, contract)).HasField("end_time")


async def test_what_is_wrong_with_a_term_is_named(desk: Desk) -> None:
    with bad_fields("term.months", "term.notice_days"):
        await _sign(desk, pb.ContractTerm(months=0, renews=True, notice_days=367))
    with bad_fields("term.notice_days", "end_time"):
        await _sign(desk, pb.ContractTerm(months=1, notice_days=1), end_time=timestamp(day(8, 1)))
