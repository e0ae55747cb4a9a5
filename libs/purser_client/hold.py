# SPDX-License-Identifier: Apache-2.0
"""The hold of one AI call, and what its caller reports as used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from purser_client.amounts import Amount, actual_of
from purser_client.answers import CaptureResult, Denial, LedgerHold
from purser_client.lines import Line, used_lines


@dataclass(frozen=True, slots=True)
class ActualUsage:
    """What the caller reports as used: an amount, or lines. Neither: all that was held."""

    amount: Amount | None
    lines: tuple[Line, ...] = ()


class Leased(Protocol):
    """What a hold asks of its lease. The values are made only when somebody asks: most callers never do."""

    def ledger_hold(self) -> LedgerHold:
        """Return what the lease reserves for the call."""
        ...

    def capture_result(self) -> CaptureResult | None:
        """Return what the call used, after its block; None if nothing."""
        ...

    async def extend(self, additional: Amount | None, deadline: timedelta) -> Denial | None:
        """Reserve more. Raises GateUnreachable, LedgerFault."""
        ...


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
    leased: the lease that serves the call; None if the Ledger decided it.
    """

    __slots__ = (
        "_capture_result",
        "_has_ended",
        "_ledger_hold",
        "actual",
        "customer",
        "is_recorded",
        "leased",
        "lines",
        "requested",
    )

    def __init__(
        self,
        *,
        customer: str,
        requested: Amount | None,
        ledger_hold: LedgerHold | None,
        lines: tuple[Line, ...] = (),
        leased: Leased | None = None,
    ) -> None:
        self.customer = customer
        self.requested = requested
        self.lines = lines
        self.leased = leased
        self.actual: ActualUsage | None = None
        self.is_recorded = False
        self._ledger_hold = ledger_hold
        self._capture_result: CaptureResult | None = None
        self._has_ended = False

    @property
    def is_failed_open(self) -> bool:
        """The Ledger did not decide: it was unreachable, and this gate lets calls through then."""
        return self._ledger_hold is None and self.leased is None

    @property
    def is_leased(self) -> bool:
        """The call was decided in this process, from a lease. Its usage is reported within a second."""
        return self.leased is not None

    @property
    def ledger_hold(self) -> LedgerHold | None:
        """What is held for the call; of a lease, what the lease reserves for it."""
        return self._ledger_hold if self.leased is None else self.leased.ledger_hold()

    @ledger_hold.setter
    def ledger_hold(self, held: LedgerHold) -> None:
        self._ledger_hold = held

    @property
    def capture_result(self) -> CaptureResult | None:
        """What was captured, after the block. Of a lease, `captured` is rounded up to a millionth of a credit."""
        return self._capture_result if self.leased is None else self.leased.capture_result()

    @capture_result.setter
    def capture_result(self, result: CaptureResult) -> None:
        self._capture_result = result

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
