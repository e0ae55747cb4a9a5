# SPDX-License-Identifier: Apache-2.0
"""What a source_id stands for: one grant on one set of terms; and those of top-ups are Contract's alone."""

from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql

TERMS: dict[str, object] = {
    "product_id": "prd_pack",
    "effective_time": timestamp(JUNE),
    "expire_time": timestamp(JULY),
    "scope_product_ids": ["prd_a", "prd_b"],
}


def _paid(ledger: RunningLedger, top_up_id: str = "top_1", **more: object) -> peer_pb.IssueTopUpGrantRequest:
    """What Contract tells of a paid top-up of 1,000 credits; `more` overrides fields."""
    told: dict[str, object] = {
        "request_id": ledger.request_id(),
        "customer_id": "cus_acme",
        "top_up_id": top_up_id,
        "credit_type_id": AI,
        "amount_micros": 1_000 * CREDIT,
        "cost_basis_micros": 80 * CREDIT,
        "effective_time": timestamp(JUNE),
    }
    return peer_pb.IssueTopUpGrantRequest(**(told | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("credit_type_id", "crt_image"),
        ("grant_kind", pb.GRANT_KIND_PROMOTIONAL),
        ("product_id", "prd_other"),
        ("product_id", ""),
        ("amount_micros", 5 * CREDIT + 1),
        ("cost_basis_micros", 80 * CREDIT - 1),
        ("priority", 99),
        ("effective_time", timestamp(JUNE + timedelta(microseconds=1))),
        ("expire_time", timestamp(JULY + timedelta(microseconds=1))),
        ("expire_time", None),
        ("scope_product_ids", ["prd_a"]),
    ],
)
async def test_a_known_source_on_other_terms_is_refused_and_the_terms_are_named(
    ledger: RunningLedger, field: str, other: object
) -> None:
    first = await ledger.top_up(5, source_id="order-1", **TERMS)

    with fault(
        StatusCode.ALREADY_EXISTS,
        "SOURCE_ID_REUSED",
        source_id="order-1",
        grant_id=first.grant_id,
        terms=field,
    ):
        await ledger.top_up(5, source_id="order-1", **{**TERMS, field: other})

    assert (await ledger.pool()).available_micros == 405 * CREDIT


async def test_a_known_source_on_the_same_terms_says_which_grant_it_has(ledger: RunningLedger) -> None:
    first = await ledger.top_up(5, source_id="order-1", priority=100, **TERMS)
    same = {**TERMS, "scope_product_ids": ["prd_b", "prd_a"], "priority": 0}
    left_out = await ledger.top_up(5, source_id="order-2")
    ledger.clock.advance(timedelta(days=1))

    with fault(StatusCode.ALREADY_EXISTS, "GRANT_ALREADY_EXISTS", grant_id=first.grant_id):
        await ledger.top_up(5, source_id="order-1", **same)
    with fault(StatusCode.ALREADY_EXISTS, "GRANT_ALREADY_EXISTS", grant_id=left_out.grant_id):
        await ledger.top_up(5, source_id="order-2")


async def test_all_terms_that_differ_are_named(ledger: RunningLedger) -> None:
    await ledger.top_up(5, source_id="order-1")

    with fault(StatusCode.ALREADY_EXISTS, "SOURCE_ID_REUSED", terms="amount_micros,priority"):
        await ledger.top_up(6, source_id="order-1", priority=1)


async def test_a_voided_or_spent_grant_still_is_that_of_its_source(ledger: RunningLedger) -> None:
    first = await ledger.top_up(5, source_id="order-1")
    await ledger.debit(403)
    await ledger.void(first.grant_id)

    with fault(StatusCode.ALREADY_EXISTS, "GRANT_ALREADY_EXISTS", grant_id=first.grant_id):
        await ledger.top_up(5, source_id="order-1")


async def test_the_source_of_a_top_up_is_contracts_alone(ledger: RunningLedger) -> None:
    with fault(StatusCode.INVALID_ARGUMENT, "SOURCE_ID_RESERVED", source_id="top_1"):
        await ledger.top_up(5, source_id="top_1")

    granted = (await ledger.peer.IssueTopUpGrant(_paid(ledger))).grant
    assert (granted.source_id, granted.available_micros) == ("top_1", 1_000 * CREDIT)
    await ledger.top_up(5, source_id="top")
    await ledger.top_up(5, source_id="order-top_1")


async def test_a_top_up_on_other_terms_is_refused_and_on_the_same_ones_it_is_there(
    ledger: RunningLedger,
) -> None:
    granted = (await ledger.peer.IssueTopUpGrant(_paid(ledger))).grant

    with fault(StatusCode.ALREADY_EXISTS, "GRANT_ALREADY_EXISTS", grant_id=granted.grant_id):
        await ledger.peer.IssueTopUpGrant(_paid(ledger))
    with fault(StatusCode.ALREADY_EXISTS, "SOURCE_ID_REUSED", terms="amount_micros"):
        await ledger.peer.IssueTopUpGrant(_paid(ledger, amount_micros=1_000 * CREDIT - 1))


async def test_a_paid_top_up_is_not_swallowed_by_an_older_grant_under_its_id(
    ledger: RunningLedger, sql: Sql
) -> None:
    tiny = await ledger.top_up(0, amount_micros=1, source_id="order-1")
    # As IssueGrant stored it when it accepted such a source.
    await sql.execute("UPDATE ledger.grants SET source_id = 'top_1' WHERE source_id = 'order-1'")

    with fault(StatusCode.ALREADY_EXISTS, "SOURCE_ID_REUSED", grant_id=tiny.grant_id, terms="amount_micros"):
        await ledger.peer.IssueTopUpGrant(_paid(ledger))

    assert (await ledger.pool()).available_micros == 400 * CREDIT + 1
    await ledger.assert_adds_up()
