# SPDX-License-Identifier: Apache-2.0
"""Leave to make one AI call, and what the caller says became of it."""

from dataclasses import dataclass

from purser_client.amounts import Amount, actual_of
from purser_client.answers import Captured, Held


@dataclass(frozen=True, slots=True)
class Actual:
    """What the caller says was used; None: all that was held."""

    amount: Amount | None


class Hold:
    """What the block of `authorize` gets. Say what was used with `capture`, inside the block.

    When the block ends, however it ends, the last word of `capture` is captured; without one the hold is
    released. So an exception, a cancellation or an early return before the first `capture` costs the customer
    nothing, and one after it still bills what was used: the usage happened.

    An uncaptured hold is released at a normal end too, not captured whole. Both defaults forget something when
    `capture` is forgotten; this one forgets money of ours, every time, so that the first test sees it; the other
    would bill customers for calls that failed and were handled inside the block, now and then, unseen.

    held: None when the gate failed open: nothing is held, and what is captured is recorded to be billed later.
    """

    def __init__(self, *, customer: str, asked: Amount, held: Held | None) -> None:
        self.customer = customer
        self.asked = asked
        self.held = held
        self.actual: Actual | None = None
        self.captured: Captured | None = None
        self.is_recorded = False
        self._has_ended = False

    @property
    def is_failed_open(self) -> bool:
        """Nobody was asked: the Ledger was unreachable, and the gate is to let calls through then."""
        return self.held is None

    def capture(self, actual: Amount | int | str | None = None) -> None:
        """Say what was used so far; the last word counts. Sent when the block ends.

        actual: whole units or credits, as was asked for (or a Quantity or Credits); more than was held is drawn
        from what is available; None: all that was held. After the block: `captured` is what came of it, or
        `is_recorded` is True if the Ledger was unreachable and there is a spool. Raises TypeError, ValueError,
        RuntimeError after the block.
        """
        self._require_open()
        self.actual = Actual(None if actual is None else actual_of(actual, self.asked))

    def release(self) -> None:
        """Take back any `capture`: nothing was used. Raises RuntimeError after the block."""
        self._require_open()
        self.actual = None

    def end(self) -> None:
        """Take no more words: the block has ended."""
        self._has_ended = True

    def _require_open(self) -> None:
        if self._has_ended:
            raise RuntimeError(
                "the hold's block has ended; capture or release inside `async with gate.authorize(…)`"
            )
