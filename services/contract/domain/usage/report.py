# SPDX-License-Identifier: Apache-2.0
"""What a contract has used, as its invoices show it. Source: services/contract/README.md, "Usage on invoices"."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final, assert_never

from meshkit.quantity import Credits, Quantity
from services.contract.domain.ids import CreditTypeId, ProductId


class UsageDetail(Enum):
    """How finely usage is divided, the finest first."""

    GROUP_AND_GRANT = "GROUP_AND_GRANT"
    PRODUCT_AND_GRANT = "PRODUCT_AND_GRANT"
    PRODUCT_AND_KIND = "PRODUCT_AND_KIND"


_DETAILS: Final = tuple(UsageDetail)
_ANY_CREDITS: Final = CreditTypeId("")
_ANY_PRODUCT: Final = ProductId("")


class CreditSource(Enum):
    """Where credits came from."""

    INCLUDED = "INCLUDED"
    TOP_UP = "TOP_UP"
    PROMOTIONAL = "PROMOTIONAL"
    ROLLOVER = "ROLLOVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """The grants that paid: of one source, product and start. source_id: such as a top-up. Empty and None: of any."""

    source: CreditSource
    product_id: str = ""
    source_id: str = ""
    effective_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePayment:
    """What one payer paid."""

    payer: Payer
    credits: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """Usage of one product by one group value, such as a user; empty: of all, or of nobody known.

    Amounts are negative if more was taken back than used. overage: credits that are billed as money; uncovered: credits
    that nothing covered and nobody pays.
    """

    credit_type_id: CreditTypeId
    product_id: ProductId
    product_name: str
    group_value: str
    quantity: Quantity
    paid_by: tuple[UsagePayment, ...]
    overage: Credits = Credits(0)
    uncovered: Credits = Credits(0)

    @property
    def credits(self) -> Credits:
        """What the usage cost, whoever paid."""
        return (
            sum((one.credits for one in self.paid_by), start=Credits.zero()) + self.overage + self.uncovered
        )

    @property
    def is_empty(self) -> bool:
        return not (self.quantity.micros or self.paid_by or self.overage or self.uncovered)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """Usage in lines, in order of credit type, product name and group value; no line is empty."""

    detail: UsageDetail = UsageDetail.GROUP_AND_GRANT
    lines: tuple[UsageLine, ...] = ()

    @property
    def rows(self) -> int:
        """How many amounts it shows."""
        return sum(max(1, len(line.paid_by)) for line in self.lines)

    @property
    def total(self) -> UsageLine | None:
        """All usage in one line, by source of the credits, whatever the product and the credit type; None: no usage."""
        alike = (replace(line, credit_type_id=_ANY_CREDITS, product_id=_ANY_PRODUCT) for line in self.lines)
        return next(iter(_merged(alike, UsageDetail.PRODUCT_AND_KIND)), None)

    def plus(self, more: "UsageReport") -> "UsageReport":
        """Return the usage of both, divided as the coarser one is."""
        detail = _DETAILS[max(_DETAILS.index(self.detail), _DETAILS.index(more.detail))]
        return UsageReport(detail=detail, lines=_merged([*self.lines, *more.lines], detail))

    def limited(self, rows_max: int) -> "UsageReport":
        """Return it as finely divided as `rows_max` rows allow; by kind whatever it takes."""
        report = self
        for detail in _DETAILS[_DETAILS.index(self.detail) + 1 :]:
            if report.rows <= rows_max:
                break
            report = UsageReport(detail=detail, lines=_merged(self.lines, detail))
        return report


def _merged(lines: Iterable[UsageLine], detail: UsageDetail) -> tuple[UsageLine, ...]:
    whole: dict[tuple[CreditTypeId, ProductId, str], UsageLine] = {}
    payments: defaultdict[tuple[CreditTypeId, ProductId, str], defaultdict[Payer, Credits]] = defaultdict(
        lambda: defaultdict(Credits.zero)
    )
    for line in lines:
        group_value = line.group_value if detail is UsageDetail.GROUP_AND_GRANT else ""
        key = line.credit_type_id, line.product_id, group_value
        before = whole.get(key)
        whole[key] = replace(
            line,
            group_value=group_value,
            quantity=line.quantity if before is None else before.quantity + line.quantity,
            paid_by=(),
            overage=line.overage if before is None else before.overage + line.overage,
            uncovered=line.uncovered if before is None else before.uncovered + line.uncovered,
        )
        for one in line.paid_by:
            payments[key][_payer(one.payer, detail)] += one.credits
    merged = (replace(line, paid_by=_payments(payments[key])) for key, line in whole.items())
    return tuple(sorted((line for line in merged if not line.is_empty), key=_order))


def _payer(payer: Payer, detail: UsageDetail) -> Payer:
    match detail:
        case UsageDetail.GROUP_AND_GRANT | UsageDetail.PRODUCT_AND_GRANT:
            return payer
        case UsageDetail.PRODUCT_AND_KIND:
            return Payer(source=payer.source)
        case _:
            assert_never(detail)


def _payments(by_payer: dict[Payer, Credits]) -> tuple[UsagePayment, ...]:
    """Return what was paid, in the order in which credits burn: included first, then by start."""
    sources = tuple(CreditSource)

    def order(payment: UsagePayment) -> tuple[int, str, str, str]:
        payer = payment.payer
        start = "" if payer.effective_time is None else payer.effective_time.isoformat()
        return sources.index(payer.source), start, payer.product_id, payer.source_id

    payments = [UsagePayment(payer=payer, credits=credits) for payer, credits in by_payer.items() if credits]
    return tuple(sorted(payments, key=order))


def _order(line: UsageLine) -> tuple[str, str, str, str]:
    return line.credit_type_id, line.product_name, line.product_id, line.group_value
