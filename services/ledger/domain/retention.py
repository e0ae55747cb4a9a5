# SPDX-License-Identifier: Apache-2.0
"""How long stored responses, ended holds, delivered notices and reports are kept; which slot holds a stored response.

Responses are stored in three slots. Time is divided into generations of 35 days; generation g uses slot g mod 3. A
response is written to the slot of its instant. A lookup also reads the slot before that one. The slot after it is
emptied in time. So a response is found for at least 35 days, and is dropped after at most 71.

A request has one effect, although each slot has its own unique key. Suppose that a request is written at t and again,
by any replica, at u ≥ t:

- t and u in one generation: the slot's unique key rejects the second write.
- t on the last day of a generation (the *seam*), u in the next: responses of the seam are written to the next slot
  too, so the second write violates that slot's unique key.
- t before the seam, u in the next generation: the first write ended more than a day before. The statement that writes
  at u reads the slot before its own, and finds the response.

This requires that clocks differ by less than a day and that statements end within a day; they end within seconds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SLOTS = 3
GENERATION = timedelta(days=35)
SEAM = timedelta(days=1)
# An ended hold is kept for 70 days after its creation and 35 days after its expiry: a capture may come late, and a
# second capture after that one must still get HOLD_ALREADY_RESOLVED.
HOLDS_KEPT_AFTER_CREATION = timedelta(days=70)
HOLDS_KEPT_AFTER_EXPIRY = timedelta(days=35)
NOTICES_KEPT = timedelta(days=7)
# The report of shadow mode: a year can be compared with the one before.
SHADOW_DENIALS_KEPT = timedelta(days=400)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Places:
    """The slots that an answer is written to, one or two, and the slot that may have an earlier one."""

    written: tuple[int, ...]
    earlier: int


def generation_at(at: datetime) -> int:
    """Return the number of the generation that contains `at`."""
    return (at - _EPOCH) // GENERATION


def generation_start(generation: int) -> datetime:
    """Return the first instant of a generation."""
    return _EPOCH + generation * GENERATION


def places_at(at: datetime) -> Places:
    """Return where an answer given at `at` is written, and where else an earlier one may be."""
    first, last = generation_at(at), generation_at(at + SEAM)
    return Places(tuple(g % SLOTS for g in range(first, last + 1)), (first - 1) % SLOTS)


def generation_to_prepare(at: datetime) -> int | None:
    """Return the generation whose slot can be emptied now; None if other replicas may already write to that slot.

    They may from one day before the seam on, because clocks may differ.
    """
    following = generation_at(at) + 1
    return following if at < generation_start(following) - 2 * SEAM else None
