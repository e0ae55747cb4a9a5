# SPDX-License-Identifier: Apache-2.0
"""What the user reads when a call fails. The services' texts are kept; they say what to do."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from purser_cli.exits import DENIED, REFUSED, RETRY, WRONG, Failed

DETAILS_KEY = "grpc-status-details-bin"
STATUSES = {
    StatusCode.INVALID_ARGUMENT: WRONG,
    StatusCode.OUT_OF_RANGE: WRONG,
    StatusCode.NOT_FOUND: REFUSED,
    StatusCode.ALREADY_EXISTS: REFUSED,
    StatusCode.FAILED_PRECONDITION: REFUSED,
    StatusCode.UNIMPLEMENTED: REFUSED,
    StatusCode.UNAUTHENTICATED: DENIED,
    StatusCode.PERMISSION_DENIED: DENIED,
}


class CallFailed(Failed):
    """A call that a service refused, or did not answer. reason: UPPER_SNAKE, empty if the service gave none."""

    def __init__(self, text: str, *, status: int, reason: str) -> None:
        super().__init__(text, status=status)
        self.reason = reason


def failure(error: grpc.RpcError, *, where: str, token: str) -> CallFailed:
    """Return the failure that a call's error means. where: the service and its address. token: what was sent."""
    code, text = error.code(), str(error.details() or "")
    status = STATUSES.get(code, RETRY)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in _details(error):
        detail.Unpack(info)
        detail.Unpack(bad)
    if status == RETRY and not info.reason:
        text = _unreachable(where, code, text)
    elif code is StatusCode.UNIMPLEMENTED and not info.reason:
        text = f"{where} does not offer this: its version is older, or it is not in sandbox mode"
    lines = [f"{info.reason}: {text}" if info.reason else text]
    if bad.field_violations:
        lines = [f"{info.reason}: the request has wrong fields"]
    lines += [f"  --{_option(one.field)}: {one.description}" for one in bad.field_violations]
    if code is StatusCode.UNAUTHENTICATED:
        lines[0] += f" ({_state_of(token)}); then run: purser login"
    if code is StatusCode.PERMISSION_DENIED and (roles := claims(token).get("roles")):
        lines[0] += f" (yours: {', '.join(map(str, roles)) if isinstance(roles, list) else roles})"
    return CallFailed("\n".join(lines), status=status, reason=info.reason)


def claims(token: str) -> dict[str, object]:
    """Return what a token says, unverified; nothing if it is no JWT."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def expiry(token: str) -> datetime | None:
    """Return when a token ends, as it says itself."""
    end = claims(token).get("exp")
    try:
        return datetime.fromtimestamp(end, tz=UTC) if isinstance(end, int | float) else None
    except (OverflowError, OSError, ValueError):
        return None


def _state_of(token: str) -> str:
    ended = expiry(token)
    return f"it is valid until {ended:%Y-%m-%d %H:%M} UTC" if ended else "it is not a JWT"


def _details(error: grpc.RpcError) -> list[Any]:
    trailing: Any = error.trailing_metadata() or ()
    for key, value in trailing:
        if key == DETAILS_KEY:
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []


def _unreachable(where: str, code: StatusCode, text: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return f"{where} has a certificate that is not trusted; give its authority: --ca FILE"
    if "WRONG_VERSION_NUMBER" in text:
        return f"{where} does not speak TLS; if that is intended, use --insecure"
    if code is StatusCode.DEADLINE_EXCEEDED:
        return f"{where} did not answer in time; try again, or give it longer: --timeout SECONDS"
    if "Socket closed" in text:
        return f"{where} closed the connection; if it speaks TLS, leave --insecure out"
    if code is StatusCode.UNAVAILABLE:
        return f"{where} did not answer: {text.splitlines()[0] if text else code.name}"
    return f"{where} failed: {code.name}: {text}"


def _option(field: str) -> str:
    name, dot, rest = field.partition(".")
    unit = " (in millionths)" if field.endswith("_micros") else ""
    return name.removesuffix("_micros").replace("_", "-") + dot + rest + unit
