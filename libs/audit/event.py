# SPDX-License-Identifier: Apache-2.0
"""One record: who wrote what, when. It is made from the present call (access.current_call)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from access import CLOCK, Call, current_call
from audit.change import change_of, ids_in, printable

PREFIX: Final = "aud"
# request_id of a write that was refused may be any text.
REQUEST_ID_CHARACTERS_MAX: Final = 64


class Outcome(Enum):
    """Whether the write was done."""

    DONE = "DONE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """A write, done or refused. Each field is described in protos/purser/audit/v1/audit.proto."""

    audit_event_id: str
    event_time: datetime
    outcome: Outcome
    subject: str
    roles: tuple[str, ...]
    address: str
    rpc: str
    request_id: str
    target_ids: tuple[str, ...]
    change: str
    reason: str = ""
    left_out: int = 0


def present_event(effect: object, *, event_id: str, at: datetime) -> AuditEvent:
    """Return the record of the present call's write. effect: plain data with the ids of what it made or changed."""
    return _event(current_call(), effect, event_id=event_id, at=at)


def due_event(work: str, effect: object, *, event_id: str, at: datetime) -> AuditEvent:
    """Return the record of what fell due by the clock, whoever's call noticed it. work: its name, such as "bill"."""
    return _event(Call(CLOCK, work), effect, event_id=event_id, at=at)


def refused_event(call: Call, *, event_id: str, at: datetime, reason: str, left_out: int) -> AuditEvent:
    """Return the record of a refused write. left_out: how many before it were not recorded."""
    return _event(
        call, (), event_id=event_id, at=at, outcome=Outcome.REFUSED, reason=reason, left_out=left_out
    )


def _event(
    call: Call,
    effect: object,
    *,
    event_id: str,
    at: datetime,
    outcome: Outcome = Outcome.DONE,
    reason: str = "",
    left_out: int = 0,
) -> AuditEvent:
    request = call.request
    change, in_request = ("", {}) if request is None else change_of(request)
    return AuditEvent(
        audit_event_id=event_id,
        event_time=at,
        outcome=outcome,
        subject=call.caller.subject,
        roles=tuple(sorted(call.caller.roles)),
        address=call.address,
        rpc=call.rpc,
        request_id=printable(getattr(request, "request_id", ""), REQUEST_ID_CHARACTERS_MAX),
        target_ids=ids_in((in_request, effect)),
        change=change,
        reason=reason,
        left_out=left_out,
    )
