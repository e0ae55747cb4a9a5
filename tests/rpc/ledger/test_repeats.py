# SPDX-License-Identifier: Apache-2.0
"""One request_id, one effect: a repetition gets the first answer to the byte, whoever asks it when and how often."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import fault
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

TWINS = 6


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a twin of its own would spoil: made ready by `ready`; `other` is what changes its body."""

    rpc: str
    ready: Callable[[RunningLedger], Awaitable[Any]]
    other: dict[str, object]

    async def call(self, ledger: RunningLedger, request: Any) -> Any:
        stub: Any = ledger.gate if hasattr(ledger.gate, self.rpc) else ledger.admin
        return await getattr(stub, self.rpc)(request)

    def changed(self, request: Any, **fields: object) -> Any:
        changed = type(request)()
        changed.CopyFrom(request)
        for field, value in fields.items():
            setattr(changed, field, value)
        return changed


async def _authorize(ledger: RunningLedger) -> pb.AuthorizeRequest:
    return pb.AuthorizeRequest(
        request_id="the-one",
        customer="acme",
        product_id="prd_assistant",
        credits_micros=400 * CREDIT,
        group_values={"user_id": "ann", "team": "red"},
    )


async def _debit(ledger: RunningLedger) -> pb.DebitRequest:
    return pb.DebitRequest(
        request_id="the-one", customer="acme", product_id="prd_assistant", credits_micros=400 * CREDIT
    )


async def _capture(ledger: RunningLedger) -> pb.CaptureRequest:
    hold = await ledger.authorize(100)
    return pb.CaptureRequest(
        request_id="the-one", customer="acme", hold_id=hold.hold_id, credits_micros=40 * CREDIT
    )


async def _release(ledger: RunningLedger) -> pb.ReleaseRequest:
    hold = await ledger.authorize(100)
    return pb.ReleaseRequest(request_id="the-one", customer="acme", hold_id=hold.hold_id)


async def _extend(ledger: RunningLedger) -> pb.ExtendHoldRequest:
    hold = await ledger.authorize(100)
    return pb.ExtendHoldRequest(
        request_id="the-one", customer="acme", hold_id=hold.hold_id, credits_micros=300 * CREDIT
    )


async def _issue(ledger: RunningLedger) -> admin.IssueGrantRequest:
    return admin.IssueGrantRequest(
        request_id="the-one",
        customer="acme",
        credit_type_id=AI,
        grant_kind=pb.GRANT_KIND_TOP_UP,
        amount_micros=1_000 * CREDIT,
        cost_basis_micros=80 * CREDIT,
        expire_time=timestamp(JUNE + timedelta(hours=1)),
        scope_product_ids=["prd_b", "prd_assistant"],
        source_id="order_1",
    )


async def _set_cap(ledger: RunningLedger) -> admin.SetSpendCapRequest:
    return admin.SetSpendCapRequest(
        request_id="the-one", customer="acme", credit_type_id=AI, group_key="user_id", limit_micros=5
    )


async def _remove_cap(ledger: RunningLedger) -> admin.RemoveSpendCapRequest:
    cap = await ledger.set_cap(5, user="ann")
    return admin.RemoveSpendCapRequest(request_id="the-one", customer="acme", spend_cap_id=cap.spend_cap_id)


async def _void(ledger: RunningLedger) -> admin.VoidGrantRequest:
    (grant,) = await ledger.grants()
    return admin.VoidGrantRequest(
        request_id="the-one", customer="acme", grant_id=grant.grant_id, reason="by mistake", actor="ops"
    )


WRITES = [
    Write("Authorize", _authorize, {"credits_micros": 399 * CREDIT}),
    Write("Debit", _debit, {"quantity_micros": 1}),
    Write("Capture", _capture, {"credits_micros": 41 * CREDIT}),
    Write("Release", _release, {"hold_id": "hld_other"}),
    Write("ExtendHold", _extend, {"credits_micros": 299 * CREDIT}),
    Write("IssueGrant", _issue, {"amount_micros": 999 * CREDIT}),
    Write("VoidGrant", _void, {"reason": "fraud"}),
    Write("SetSpendCap", _set_cap, {"window": admin.CAP_WINDOW_DAY}),
    Write("RemoveSpendCap", _remove_cap, {"spend_cap_id": "cap_other"}),
]
every_write = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.rpc)


def _bytes(answer: Any) -> bytes:
    data: bytes = answer.SerializeToString(deterministic=True)
    return data


@every_write
async def test_the_first_answer_comes_again_after_more_was_done_and_after_a_restart(
    databases: Databases, write: Write
) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        request = await write.ready(ledger)
        first = await write.call(ledger, request)
        await ledger.top_up(50)
        await ledger.debit(20, user="ann")
        again = await write.call(ledger, request)
    ledger.clock.advance(timedelta(days=33))
    async with running_ledger(databases, clock=ledger.clock) as restarted:
        await restarted.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
        after_restart = await write.call(restarted, request)
        await restarted.assert_adds_up()

    assert _bytes(first) == _bytes(again) == _bytes(after_restart)


@every_write
async def test_a_request_id_with_another_body_or_of_another_rpc_is_refused(
    ledger: RunningLedger, write: Write
) -> None:
    await ledger.debit(1, request_id="a-debits")
    request = await write.ready(ledger)
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="a-debits"):
        await write.call(ledger, write.changed(request, request_id="a-debits"))

    await ledger.top_up(100)
    await write.call(ledger, request)

    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="the-one"):
        await write.call(ledger, write.changed(request, **write.other))


@every_write
async def test_twins_that_come_at_once_get_one_answer_and_do_one_thing(
    ledger: RunningLedger, sql: Sql, write: Write
) -> None:
    request = await write.ready(ledger)

    async with sql.transaction():
        # What the writes need is locked until all the twins have asked.
        for table in ("customers", "pools", "spend_caps"):
            await sql.lock(table)
        twins = [asyncio.create_task(write.call(ledger, request)) for _ in range(TWINS)]
        await sql.until_somebody_waits()
    answers = await asyncio.gather(*twins)
    once_more = await write.call(ledger, request)

    assert {_bytes(answer) for answer in answers} == {_bytes(once_more)}
    assert await sql.value("SELECT count(*) FROM ledger.requests WHERE request_id = 'the-one'") == 1
    await ledger.assert_adds_up()


async def test_a_denial_is_not_remembered(ledger: RunningLedger) -> None:
    denied = await ledger.authorize(401, request_id="again")
    await ledger.top_up(1)
    allowed = await ledger.authorize(401, request_id="again")

    assert (denied.decision, allowed.decision) == (pb.DECISION_DENIED, pb.DECISION_ALLOWED)


async def test_a_denied_request_id_may_stand_for_another_request(ledger: RunningLedger) -> None:
    await ledger.debit(401, request_id="again")

    assert (await ledger.debit(400, request_id="again")).decision == pb.DECISION_ALLOWED


async def test_request_ids_of_two_customers_do_not_meet(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_globex")
    await ledger.top_up(5, request_id="same")

    other = await ledger.top_up(7, request_id="same", customer="cus_globex")

    assert other.granted_micros == 7 * CREDIT


async def test_a_fault_is_not_remembered(ledger: RunningLedger) -> None:
    request = {"request_id": "again", "customer": "cus_globex"}
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="cus_globex"):
        await ledger.top_up(7, **request)
    await ledger.tell_customer("cus_globex")

    assert (await ledger.top_up(7, **request)).granted_micros == 7 * CREDIT
