# SPDX-License-Identifier: Apache-2.0
"""Answers that are no success, in Metronome's form: {"message": …} with a status, and whether to repeat the request."""

from collections.abc import Iterable, Mapping

from google.rpc import status_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc import StatusCode
from grpc.aio import AioRpcError
from starlette.responses import Response

from meshkit.errors import FieldViolation
from meshkit.rpc.status import DETAILS_KEY
from services.edge.json_text import write_json

JSON_TYPE = "application/json"
RETRY = "x-should-retry"

# Another request or another state is needed: the SDK must not repeat it. It never repeats 400, 401, 403 and 404.
_STATUSES: Mapping[StatusCode, int] = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.ABORTED: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 503,
    StatusCode.CANCELLED: 503,
}
_FINAL = (StatusCode.ALREADY_EXISTS, StatusCode.UNIMPLEMENTED)


class Refused(Exception):
    """The edge itself refuses the request. message: what is wrong and what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class InvalidBody(Refused):
    """Fields are wrong or cannot be expressed; all of them are named."""

    def __init__(self, violations: Iterable[FieldViolation]) -> None:
        super().__init__(400, "; ".join(f"{wrong.field} {wrong.description}" for wrong in violations))


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    return Response(write_json(value), status, headers, JSON_TYPE)


def refusal_answer(refused: Refused) -> Response:
    """Return the response to a request that the edge refuses."""
    return json_answer(refused.status, {"message": refused.message}, {RETRY: "false"})


def fault_answer(error: AioRpcError) -> Response:
    """Return the response to a request whose rpc failed."""
    code = error.code()
    status = _STATUSES.get(code, 500)
    info, violations, wait = _details(error)
    headers = {RETRY: "false"} if code in _FINAL else {}
    if wait is not None:
        headers["retry-after"] = str(wait)
    elif status == 503:
        headers["retry-after"] = "1"
    text = (
        "; ".join(f"{wrong.field} {wrong.description}" for wrong in violations)
        or error.details()
        or code.name
    )
    return json_answer(status, {"message": f"{text} ({info.reason})" if info.reason else text}, headers)


def _details(error: AioRpcError) -> tuple[ErrorInfo, list[FieldViolation], int | None]:
    info, request, retry, wait = ErrorInfo(), BadRequest(), RetryInfo(), None
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(retry):
                    wait = max(1, -(-retry.retry_delay.ToMilliseconds() // 1_000))
                else:
                    detail.Unpack(info) or detail.Unpack(request)
    return info, [FieldViolation(one.field, one.description) for one in request.field_violations], wait
