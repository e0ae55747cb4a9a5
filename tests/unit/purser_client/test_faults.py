# SPDX-License-Identifier: Apache-2.0
"""An error is the same whether it ended a single call or came as one item of a batch."""

import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from meshkit.errors import FieldViolation, InvalidFields, MeshError, NotFound, ResourceExhausted
from meshkit.rpc.status import CODES, DETAILS_KEY, to_status
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import (
    Credits,
    Denial,
    DenialReason,
    Denied,
    FullCap,
    GateUnreachable,
    LedgerFault,
    Quantity,
    ReachedCap,
    SpoolBroken,
    SpoolFull,
)
from purser_client.faults import fault_of_call, fault_of_status
from purser_client.wire import denial_reason_from_wire


class CustomerNotFound(NotFound):
    reason = "CUSTOMER_NOT_FOUND"


class Overloaded(ResourceExhausted):
    reason = "QUEUE_FULL"
    retry_after = timedelta(milliseconds=1_500)


def told(error: MeshError) -> tuple[LedgerFault, LedgerFault]:
    """Return the error of a single call, and of an item of a batch."""
    status = to_status(error, "ledger.purser")
    trailers = Metadata((DETAILS_KEY, status.SerializeToString()))
    call = AioRpcError(CODES[error.kind], Metadata(), trailers, details=status.message)
    return fault_of_call(call), fault_of_status(status)


def parts(fault: LedgerFault) -> tuple[object, ...]:
    return (
        *(fault.code, fault.reason, fault.message, fault.metadata, fault.violations, fault.retry_after),
        str(fault),
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            CustomerNotFound("who is 'x'?", customer="x"),
            (StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", {"customer": "x"}, (), None),
        ),
        (
            InvalidFields(
                [FieldViolation("customer", "is required"), FieldViolation("hold_ttl", "is too long")]
            ),
            (
                StatusCode.INVALID_ARGUMENT,
                "INVALID_FIELDS",
                {"count": "2"},
                (FieldViolation("customer", "is required"), FieldViolation("hold_ttl", "is too long")),
                None,
            ),
        ),
        (
            Overloaded("full"),
            (StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", {}, (), timedelta(milliseconds=1_500)),
        ),
    ],
)
def test_a_fault_keeps_all_details_of_its_status(error: MeshError, expected: tuple[object, ...]) -> None:
    alone, in_batch = told(error)

    assert (alone.code, alone.reason, alone.metadata, alone.violations, alone.retry_after) == expected
    assert parts(alone) == parts(in_batch) == parts(alone.copy())


def test_a_fault_can_be_pickled() -> None:
    fault = told(InvalidFields([FieldViolation("customer", "is required")]))[0]
    denial = Denial(
        reason=DenialReason.NOT_ENTITLED,
        available=Credits.of(1),
        affordable=Quantity.of(2),
        affordable_credits=Credits.of(3),
        credit_type_id="crt_ai",
    )

    for error in (fault, GateUnreachable(fault, 3), SpoolFull(fault, 3), Denied(denial), SpoolBroken("no")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
    assert parts(pickle.loads(pickle.dumps(fault))) == parts(fault)


def test_a_fault_without_details_has_its_code_as_reason() -> None:
    fault = fault_of_call(AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata(), details=None))

    assert (fault.reason, fault.message) == ("UNAVAILABLE", "UNAVAILABLE")


def test_a_code_that_gRPC_does_not_have_is_unknown() -> None:
    assert fault_of_status(Status(code=99)).code is StatusCode.UNKNOWN


@pytest.mark.parametrize("reason", [value for value in pb.DenialReason.values() if value])
def test_every_denial_reason_of_the_proto_has_a_name(reason: "pb.DenialReason") -> None:
    assert pb.DenialReason.Name(reason) == f"DENIAL_REASON_{denial_reason_from_wire(reason)}"


def test_a_denial_reason_of_a_newer_server_is_unknown() -> None:
    assert denial_reason_from_wire(99) is DenialReason.UNKNOWN  # type: ignore[arg-type]


def test_a_denial_says_what_would_be_allowed() -> None:
    denied = Denied(
        Denial(
            reason=DenialReason.INSUFFICIENT_CREDITS,
            available=Credits.of("30.5"),
            affordable=Quantity.of(2),
            affordable_credits=Credits.of(30),
            credit_type_id="crt_ai",
        )
    )

    assert str(denied) == (
        "INSUFFICIENT_CREDITS: 30.5 credits are available; 30 of them, or 2 units, would be allowed"
    )
    capped = replace(
        denied.denial,
        reason=DenialReason.SPEND_CAP_REACHED,
        reached_cap=ReachedCap(
            spend_cap_id="cap_1",
            group_key="user_id",
            group_value="user_1234",
            limit=Credits.of(1_000),
            used=Credits.of(970),
            reset_time=datetime(2025, 7, 1, tzinfo=UTC),
        ),
    )
    assert str(Denied(capped)) == (
        "SPEND_CAP_REACHED: 30.5 credits are available; 30 of them, or 2 units, would be allowed;"
        " user_id 'user_1234' has used 970 of 1000 credits, and can go on at 2025-07-01T00:00:00+00:00"
    )
    cap = capped.reached_cap
    assert cap is not None
    for subject, of_it in (
        ("prd_1", replace(cap, group_key="", group_value="", product="prd_1")),
        ("cgr_1", replace(cap, group_key="", group_value="", cap_group_id="cgr_1")),
        ("the customer", replace(cap, group_key="", group_value="")),
    ):
        assert f"; {subject} has used 970 of" in str(Denied(replace(capped, reached_cap=of_it)))
    full = replace(
        denied.denial,
        reason=DenialReason.TOO_MANY_IN_FLIGHT,
        full_cap=FullCap(
            concurrency_cap_id="ccp_1",
            group_key="user_id",
            group_value="user_1234",
            product="",
            holds_max=5,
            open_holds=5,
            free_time=datetime(2025, 7, 1, tzinfo=UTC),
        ),
    )
    assert str(Denied(full)).endswith(
        "; user_id 'user_1234' has 5 of 5 holds open, and can open one more at 2025-07-01T00:00:00+00:00"
    )
    assert full.full_cap is not None
    of_product = replace(
        full.full_cap, group_key="", product="prd_1", holds_max=0, open_holds=0, free_time=None
    )
    assert str(Denied(replace(full, full_cap=of_product))).endswith("; prd_1 has 0 of 0 holds open")
    assert (denied.reason, denied.available) == (DenialReason.INSUFFICIENT_CREDITS, Credits.of("30.5"))
    assert (denied.affordable, denied.affordable_credits) == (Quantity.of(2), Credits.of(30))
