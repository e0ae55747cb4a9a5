# SPDX-License-Identifier: Apache-2.0
"""The hold of one AI call, and what its caller reports as used."""

from dataclasses import dataclass

from purser_client.amounts import Amount, actual_of
from purser_client.answers import CaptureResult, LedgerHold


@dataclass(frozen=True, slots=True)
class ActualUsage:
    """What the caller reports as used; amount None: all that was held."""

    amount: Amount | None


class Hold:
    """What `authorize` gives to its block. Report what was used with `capture`, inside the block.

    However the block ends, the amount of the last `capture` is captured. Without a `capture` the hold is released.
    So an exception, a cancellation or an early return before the first `capture` costs the customer nothing. After
    a `capture`, the usage is still billed: it happened.

    A hold without a `capture` is also released when the block ends normally. It is not captured whole. Either
    default is wrong for someone who forgets `capture`. This one loses our own money on every call, so the first test
    shows it. The other one would occasionally, and unnoticed, bill customers for calls that failed and were handled
    inside the block.

    ledger_hold: None when the gate failed open: nothing is held, and what is captured is recorded and billed later.
    """

    def __init__(self, *, customer: str, requested: Amount, ledger_hold: LedgerHold | None) -> None:
        self.customer = customer
        self.requested = requested
        self.ledger_hold = ledger_hold
        self.actual: ActualUsage | None = None
        self.capture_result: CaptureResult | None = None
        self.is_recorded = False
        self._has_ended = False

    @property
    def is_failed_open(self) -> bool:
        """The Ledger did not decide: it was unreachable, and this gate lets calls through then."""
        return self.ledger_hold is None

    def capture(self, actual: Amount | int | str | None = None) -> None:
        """Report what was used so far. The last call counts; it is sent when the block ends.

        actual: whole units or credits, in the measure of the authorize (or a Quantity or Credits). An amount above
        the hold draws the rest from available credits. None: all that was held. After the block, `capture_result`
        holds the result, or `is_recorded` is True if the Ledger was unreachable and the gate has a spool.
        Raises TypeError and ValueError as amounts.py says, RuntimeError after the block.
        """
        self._require_open()
        self.actual = ActualUsage(None if actual is None else actual_of(actual, self.requested))

    def release(self) -> None:
        """Cancel any earlier `capture`: nothing was used. Raises RuntimeError after the block."""
        self._require_open()
        self.actual = None

    def end(self) -> None:
        """Accept no more calls: the block has ended."""
        self._has_ended = True

    def _require_open(self) -> None:
        if self._has_ended:
            raise RuntimeError(
                "the hold's block has ended; capture or release inside `async with gate.authorize(…)`"
            )
