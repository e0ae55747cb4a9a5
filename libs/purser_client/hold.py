# SPDX-License-Identifier: Apache-2.0
"""The hold of one AI call, and what its caller reports as used."""

from collections.abc import Sequence
from dataclasses import dataclass

from purser_client.amounts import Amount, actual_of
from purser_client.answers import CaptureResult, LedgerHold
from purser_client.lines import Line, used_lines


@dataclass(frozen=True, slots=True)
class ActualUsage:
    """What the caller reports as used: an amount, or lines. Neither: all that was held."""

    amount: Amount | None
    lines: tuple[Line, ...] = ()


class Hold:
    """What `authorize` gives to its block. Report what was used with `capture`, inside the block.

    However the block ends, the amount of the last `capture` is captured. Without a `capture` the hold is released.
    So an exception, a cancellation or an early return before the first `capture` costs the customer nothing. After
    a `capture`, the usage is still billed: it happened.

    A hold without a `capture` is also released when the block ends normally. It is not captured whole. Either
    default is wrong for someone who forgets `capture`. This one loses our own money on every call, so the first test
    shows it. The other one would occasionally, and unnoticed, bill customers for calls that failed and were handled
    inside the block.

    requested: the amount that was requested; None if `lines` were.
    ledger_hold: None when the gate failed open: nothing is held, and what is captured is recorded and billed later.
    """

    def __init__(
        self,
        *,
        customer: str,
        requested: Amount | None,
        ledger_hold: LedgerHold | None,
        lines: tuple[Line, ...] = (),
    ) -> None:
        self.customer = customer
        self.requested = requested
        self.lines = lines
        self.ledger_hold = ledger_hold
        self.actual: ActualUsage | None = None
        self.capture_result: CaptureResult | None = None
        self.is_recorded = False
        self._has_ended = False

    @property
    def is_failed_open(self) -> bool:
        """The Ledger did not decide: it was unreachable, and this gate lets calls through then."""
        return self.ledger_hold is None

    def capture(
        self, actual: Amount | int | str | None = None, *, lines: Sequence[Line] | None = None
    ) -> None:
        """Report what was used so far. The last call counts; it is sent when the block ends.

        actual: whole units or credits, in the measure of the authorize (or a Quantity or Credits). An amount above
        the hold draws the rest from available credits. lines: of a hold of lines, those that were used, by the products
        and properties that were authorized; the others were not used. Neither: all that was held.
        After the block, `capture_result` holds the result, or `is_recorded` is True if the Ledger was unreachable and
        the gate has a spool.
        Raises TypeError and ValueError as amounts.py and lines.py say, RuntimeError after the block.
        """
        self._require_open()
        self.actual = ActualUsage(self._amount_of(actual), self._lines_of(lines))

    def release(self) -> None:
        """Cancel any earlier `capture`: nothing was used. Raises RuntimeError after the block."""
        self._require_open()
        self.actual = None

    def end(self) -> None:
        """Accept no more calls: the block has ended."""
        self._has_ended = True

    def _amount_of(self, actual: Amount | int | str | None) -> Amount | None:
        if actual is None:
            return None
        if self.requested is None:
            raise TypeError("lines were authorized, so one amount does not say of which; give lines=")
        return actual_of(actual, self.requested)

    def _lines_of(self, lines: Sequence[Line] | None) -> tuple[Line, ...]:
        if lines is None:
            return ()
        products = {one.product for one in self.lines}
        for one in lines:
            if one.product not in products:
                raise ValueError(
                    f"no line of {one.product!r} was authorized; authorize one of 0 for what may be used"
                )
        return used_lines(lines)

    def _require_open(self) -> None:
        if self._has_ended:
            raise RuntimeError(
                "the hold's block has ended; capture or release inside `async with gate.authorize(…)`"
            )
