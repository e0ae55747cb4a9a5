# SPDX-License-Identifier: Apache-2.0
"""How long answers, ended holds and heard notices are kept, and in which slot an answer is.

Answers are kept in three slots. Time is cut into generations of 35 days, and generation g is kept in slot g mod 3. An
answer is written to the slot of its instant, and looked for in the slot before it too; the slot after it is emptied in
time. So an answer is found for 35 days at least, and dropped after 71 at most.

The same request has one effect, although each slot has a unique key of its own. Let a request be written at t and
again, by whatever replica, at u ≥ t:

- in one generation: the slot's unique key lets one of them in.
- t on the last day of a generation, u in the next: what is written on that day, the *seam*, is written to the next
  slot as well, so they meet at that slot's unique key.
- t before that day, u in the next generation: the first was over a day ago. Whoever writes at u looks into the slot
  before its own, after its statement began, and finds the answer.

It takes clocks that agree to a day, and statements that end within one: theirs end within seconds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SLOTS = 3
GENERATION = timedelta(days=35)
SEAM = timedelta(days=1)
# An ended hold is kept for 70 days after it was made, and for 35 after its time was up: a capture may come late, and
# a second capture after that one is still to be told HOLD_ALREADY_RESOLVED.
HOLDS_KEPT_AFTER_CREATION = timedelta(days=70)
HOLDS_KEPT_AFTER_EXPIRY = timedelta(days=35)
NOTICES_KEPT = timedelta(days=7)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Places:
    """The slots that an answer is written to, one or two, and the slot that may have an earlier one."""

    written: tuple[int, ...]
    earlier: int


def generation_at(at: datetime) -> int:
    """Return the number of the generation that an instant is in."""
    return (at - _EPOCH) // GENERATION


def generation_start(generation: int) -> datetime:
    """Return the first instant of a generation."""
    return _EPOCH + generation * GENERATION


def places_at(at: datetime) -> Places:
    """Return where an answer given at `at` is written, and where else an earlier one may be."""
    first, last = generation_at(at), generation_at(at + SEAM)
    return Places(tuple(g % SLOTS for g in range(first, last + 1)), (first - 1) % SLOTS)


def generation_to_prepare(at: datetime) -> int | None:
    """Return the generation whose slot is to be empty soon; None when it is too late for it, since it is written to.

    Too late is from one day before the seam on, so that clocks may differ.
    """
    following = generation_at(at) + 1
    return following if at < generation_start(following) - 2 * SEAM else None
