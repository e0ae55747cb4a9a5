# SPDX-License-Identifier: Apache-2.0
import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc.aio import AioRpcError, Metadata

from meshkit.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    Invalid,
    InvalidFields,
    Kind,
    MeshError,
    NotFound,
    RequestIdReused,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from meshkit.rpc.status import CODES, DETAILS_KEY, PeerFailed, PeerUnavailable, from_rpc_error, to_status


class ThingNotFound(NotFound):
    reason = "THING_NOT_FOUND"

    def __init__(self, *, thing_id: str) -> None:
        super().__init__(f"thing {thing_id!r} is not known; create it first", thing_id=thing_id)


def over_the_wire(error: MeshError) -> AioRpcError:
    status = to_status(error, "thing.purser")
    trailing = Metadata((DETAILS_KEY, status.SerializeToString()))
    return AioRpcError(CODES[error.kind], Metadata(), trailing, details=status.message)


def with_code(code: grpc.StatusCode) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), details="as the library says")


def test_every_kind_has_the_status_code_of_its_name() -> None:
    assert {kind.name: code.name for kind, code in CODES.items()} == {kind.name: kind.name for kind in Kind}


def test_a_fault_carries_its_reason_its_domain_and_its_metadata() -> None:
    status = to_status(ThingNotFound(thing_id="t1"), "thing.purser")

    info = ErrorInfo()
    assert status.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert status.message == "thing 't1' is not known; create it first"
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "THING_NOT_FOUND",
        "thing.purser",
        {"thing_id": "t1"},
    )


def test_all_bad_fields_are_in_the_details() -> None:
    violations = [FieldViolation(f"field_{number}", "is required") for number in range(5)]

    status = to_status(InvalidFields(violations), "thing.purser")

    request = BadRequest()
    assert status.details[1].Unpack(request)
    assert [violation.field for violation in request.field_violations] == [
        f"field_{number}" for number in range(5)
    ]
    assert status.message.endswith("; and 2 more")


def test_overload_says_when_to_retry() -> None:
    class Full(ResourceExhausted):
        reason = "FULL"

    retry = RetryInfo()

    assert to_status(Full("full"), "thing.purser").details[1].Unpack(retry)
    assert retry.retry_delay.seconds == 1


def test_a_status_always_fits_into_headers() -> None:
    violations = [
        FieldViolation(f"items[{number}].name", "must be " + "long " * 500) for number in range(1_000)
    ]

    told = [to_status(InvalidFields(violations), "d"), to_status(ThingNotFound(thing_id="漢" * 5_000), "d")]

    # Base64 turns 3 bytes into 4; the message is sent a second time, with up to three bytes for each of its bytes.
    assert all(status.ByteSize() * 4 / 3 + len(status.message.encode()) * 3 < 8_192 for status in told)


@pytest.mark.parametrize(
    "kind", [Invalid, NotFound, AlreadyExists, FailedPrecondition, Aborted, ResourceExhausted, Unimplemented]
)
def test_a_peers_fault_keeps_class_reason_message_and_metadata(kind: type[MeshError]) -> None:
    class Said(kind):  # type: ignore[misc, valid-type]
        reason = "SAID"

    heard = from_rpc_error(over_the_wire(Said("so it is", thing_id="t1")))

    assert isinstance(heard, kind)
    assert (heard.kind, heard.reason, heard.message) == (kind.kind, "SAID", "so it is")
    assert heard.metadata == {"thing_id": "t1"}


def test_a_peers_bad_fields_stay_fields() -> None:
    violations = (FieldViolation("name", "is required"),)

    heard = from_rpc_error(over_the_wire(InvalidFields(violations)))

    assert isinstance(heard, InvalidFields)
    assert heard.violations == violations


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED]
)
def test_a_peer_that_does_not_answer_is_named_as_unavailable(code: grpc.StatusCode) -> None:
    heard = from_rpc_error(with_code(code), peer="alert")

    assert isinstance(heard, PeerUnavailable)
    assert isinstance(heard, Unavailable)
    assert (heard.reason, heard.metadata) == ("PEER_UNAVAILABLE", {"peer": "alert"})
    assert heard.message == "alert did not answer (as the library says); safe to retry"


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.PERMISSION_DENIED]
)
def test_a_peers_internal_error_is_passed_on_without_its_text(code: grpc.StatusCode) -> None:
    heard = from_rpc_error(with_code(code), peer="alert")

    assert isinstance(heard, PeerFailed)
    assert heard.metadata == {"peer": "alert", "code": code.name}
    assert "as the library says" not in heard.message


def test_a_fault_without_details_keeps_its_code_as_reason() -> None:
    heard = from_rpc_error(with_code(grpc.StatusCode.UNIMPLEMENTED))

    assert isinstance(heard, Unimplemented)
    assert heard.reason == "UNIMPLEMENTED"


def test_a_reused_request_id_says_what_to_do() -> None:
    error = RequestIdReused(request_id="r1")

    assert (error.reason, error.metadata) == ("REQUEST_ID_REUSED", {"request_id": "r1"})
    assert "use a new id" in error.message
