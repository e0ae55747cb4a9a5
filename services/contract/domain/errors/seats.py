# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a change of seats."""

from meshkit.errors import (
    FailedPrecondition,
    NotFound,
)


class SeatsBelowZero(FailedPrecondition):
    """At some instant the number of seats would be negative."""

    reason = "SEATS_BELOW_ZERO"

    def __init__(self, *, subscription_id: str, at: str, quantity: str) -> None:
        super().__init__(
            f"subscription {subscription_id!r} would have {quantity} seats at {at}; remove fewer",
            subscription_id=subscription_id,
            at=at,
            quantity=quantity,
        )


class TooFewSeats(FailedPrecondition):
    """At some instant more seat ids would have a seat than there are seats."""

    reason = "TOO_FEW_SEATS"

    def __init__(self, *, subscription_id: str, at: str, quantity: str, assigned: str) -> None:
        super().__init__(
            f"subscription {subscription_id!r} would have {quantity} seats at {at}, and {assigned} assigned ids;"
            " unassign ids, or add seats",
            subscription_id=subscription_id,
            at=at,
            quantity=quantity,
            assigned=assigned,
        )


class SeatAlreadyAssigned(FailedPrecondition):
    """The id would get a second seat."""

    reason = "SEAT_ALREADY_ASSIGNED"

    def __init__(self, *, seat_id: str, at: str) -> None:
        super().__init__(
            f"{seat_id!r} has a seat at {at} already; an id has one seat", seat_id=seat_id, at=at
        )


class SeatNotAssigned(FailedPrecondition):
    """The id has no seat that it could lose."""

    reason = "SEAT_NOT_ASSIGNED"

    def __init__(self, *, seat_id: str, at: str) -> None:
        super().__init__(
            f"{seat_id!r} has no seat at {at}; ListSeats lists who has one", seat_id=seat_id, at=at
        )


class SeatChangeNotFound(NotFound):
    """No seat change of the contract has the id, or it is void."""

    reason = "SEAT_CHANGE_NOT_FOUND"

    def __init__(self, *, contract_id: str, seat_change_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no seat change {seat_change_id!r}; ListSeatChanges lists all that count",
            contract_id=contract_id,
            seat_change_id=seat_change_id,
        )


class SeatChangeInEffect(FailedPrecondition):
    """The change has taken effect, and only says who has a seat."""

    reason = "SEAT_CHANGE_IN_EFFECT"

    def __init__(self, *, seat_change_id: str, effective_time: str) -> None:
        super().__init__(
            f"seat change {seat_change_id!r} took effect at {effective_time} and changed seat ids only;"
            " assign, unassign or transfer them back with ChangeSeats",
            seat_change_id=seat_change_id,
            effective_time=effective_time,
        )


class SeatChangePeriodOver(FailedPrecondition):
    """The change took effect in a billing period that is over."""

    reason = "SEAT_CHANGE_PERIOD_OVER"

    def __init__(self, *, seat_change_id: str, effective_time: str, open_from_time: str) -> None:
        super().__init__(
            f"seat change {seat_change_id!r} took effect at {effective_time}, before the open billing period, which"
            f" began at {open_from_time}; make the opposite change with ChangeSeats, and give money back with"
            " CreateCreditNote",
            seat_change_id=seat_change_id,
            effective_time=effective_time,
            open_from_time=open_from_time,
        )


class SeatsPromised(FailedPrecondition):
    """An end that was set ahead charges the seats by use when it passes."""

    reason = "SEATS_PROMISED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"seats of subscription {subscription_id!r} that are not billed yet are charged by use at an end that was"
            " set ahead; take them away with ChangeSeats",
            subscription_id=subscription_id,
        )


class PeriodNotBilled(FailedPrecondition):
    """The open billing period has no price yet, so what its seats cost is not known."""

    reason = "PERIOD_NOT_BILLED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"the open billing period of subscription {subscription_id!r} is not billed yet; repeat the call"
            " when it is",
            subscription_id=subscription_id,
        )


class SeatsNotNamed(FailedPrecondition):
    """The seats of the subscription are only counted."""

    reason = "SEATS_NOT_NAMED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"the seats of subscription {subscription_id!r} are only counted; NameSeats makes them named seats",
            subscription_id=subscription_id,
        )


class SeatsAlreadyNamed(FailedPrecondition):
    """The seats of the subscription are named already."""

    reason = "SEATS_ALREADY_NAMED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"the seats of subscription {subscription_id!r} are named already; ChangeSeats assigns them",
            subscription_id=subscription_id,
        )


class SeatsByVendor(FailedPrecondition):
    """The contract has more named seats than one change can carry over."""

    reason = "SEATS_BY_VENDOR"

    def __init__(self, *, contract_id: str, seat_ids_max: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has more than {seat_ids_max} named seats, so the vendor changes its plan;"
            " ask them",
            contract_id=contract_id,
            seat_ids_max=seat_ids_max,
        )
