# SPDX-License-Identifier: Apache-2.0
"""Where an alert stands for one customer and group value."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from meshkit.quantity import Credits
from services.alert.domain.alert import Alert, AlertId, CustomerId

SEQUENCE_BEFORE_ALL = 0  # the Ledger counts from 1


class AlertState(Enum):
    """EVALUATING: not told by the Ledger yet. OK: not crossed. IN_ALARM: crossed."""

    EVALUATING = "EVALUATING"
    OK = "OK"
    IN_ALARM = "IN_ALARM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """What the Ledger saw; `sequence` grows with every observation of the alert, customer and group value."""

    alert_id: AlertId
    customer_id: CustomerId
    group_value: str
    in_alarm: bool
    value: Credits
    sequence: int
    observe_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStatus:
    """The newest observation; `observe_time` is None and `value` means nothing while EVALUATING."""

    alert_id: AlertId
    customer_id: CustomerId
    group_value: str
    state: AlertState
    value: Credits
    observe_time: datetime | None
    sequence: int


def unobserved(alert: Alert, customer_id: CustomerId, group_value: str) -> AlertStatus:
    """Return where an alert stands before its first observation of a customer and group value."""
    return AlertStatus(
        alert_id=alert.alert_id,
        customer_id=customer_id,
        group_value=group_value,
        state=AlertState.EVALUATING,
        value=Credits.zero(),
        observe_time=None,
        sequence=SEQUENCE_BEFORE_ALL,
    )


def observe(status: AlertStatus, crossing: Crossing) -> AlertStatus:
    """Return the status after an observation; a late or repeated one (sequence not above) changes nothing."""
    if crossing.sequence > status.sequence:
        return replace(
            status,
            state=AlertState.IN_ALARM if crossing.in_alarm else AlertState.OK,
            value=crossing.value,
            observe_time=crossing.observe_time,
            sequence=crossing.sequence,
        )
    return status


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingReceipt:
    """The response to an observation: the Ledger need not send it again."""
