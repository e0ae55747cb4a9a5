# SPDX-License-Identifier: Apache-2.0
"""The state of an alert for one customer and group value."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from meshkit.distance import check_distance
from meshkit.quantity import Credits
from services.alert.domain.alert import Alert, AlertId, CustomerId

SEQUENCE_BEFORE_ALL = 0  # the Ledger counts from 1


class AlertState(Enum):
    """EVALUATING: no observation by the Ledger yet. OK: not crossed. IN_ALARM: crossed."""

    EVALUATING = "EVALUATING"
    OK = "OK"
    IN_ALARM = "IN_ALARM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """An observation by the Ledger. sequence: grows with each one of the same alert, customer and group value."""

    alert_id: AlertId
    customer_id: CustomerId
    group_value: str
    in_alarm: bool
    value: Credits
    sequence: int
    observe_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStatus:
    """The newest observation. While EVALUATING, observe_time is None and value has no meaning.

    quiet_until: end of the quiet period of the last notification, if the alert has one. notified_state: the state that
    was notified last, while a change since then waits for that end; otherwise None.
    """

    alert_id: AlertId
    customer_id: CustomerId
    group_value: str
    state: AlertState
    value: Credits
    observe_time: datetime | None
    sequence: int
    quiet_until: datetime | None = None
    notified_state: AlertState | None = None

    @property
    def last_notified(self) -> AlertState:
        """The state that was notified last."""
        return self.state if self.notified_state is None else self.notified_state


def unobserved(alert: Alert, customer_id: CustomerId, group_value: str) -> AlertStatus:
    """Return the status of a customer and group value before the first observation."""
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
    """Return the status after an observation. A late or repeated one (sequence not higher) changes nothing.

    Raises NoticeTooFarAhead, NoticeTooFarBehind.
    """
    check_distance(crossing.sequence, known=status.sequence, field="sequence")
    if crossing.sequence > status.sequence:
        return replace(
            status,
            state=AlertState.IN_ALARM if crossing.in_alarm else AlertState.OK,
            value=crossing.value,
            observe_time=crossing.observe_time,
            sequence=crossing.sequence,
        )
    return status


def held_back(status: AlertStatus, *, last_notified: AlertState, at: datetime) -> AlertStatus | None:
    """Return the status with a change that waits for the end of its quiet period; None if it need not wait."""
    if status.quiet_until is None or at >= status.quiet_until:
        return None
    return replace(status, notified_state=None if status.state is last_notified else last_notified)


def notified(status: AlertStatus, *, quiet_period: timedelta, at: datetime) -> AlertStatus:
    """Return the status once its state is notified: the next notification comes after the quiet period."""
    return replace(status, notified_state=None, quiet_until=at + quiet_period if quiet_period else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingReceipt:
    """The response to an observation: the Ledger need not send it again."""
