# SPDX-License-Identifier: Apache-2.0
"""The usage on a document, as texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meshkit.quantity import Credits
from services.contract.domain.usage.progress import InvoiceUsage
from services.contract.domain.usage.report import (
    CreditSource,
    UsageDetail,
    UsageLine,
    UsagePayment,
)

_SOURCES: Final = {
    CreditSource.INCLUDED: "included",
    CreditSource.TOP_UP: "top_up",
    CreditSource.PROMOTIONAL: "promotional",
    CreditSource.ROLLOVER: "rollover",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLineView:
    """Usage of one product by one user."""

    product: str
    user: str
    units: str
    credits: str
    paid_by: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """All texts about usage. is_by_user: whether lines name users."""

    period: str
    refreshed: str
    is_by_user: bool
    has_units: bool
    lines: Sequence[UsageLineView]
    total: UsageLineView | None


class UsageFormatter:
    """Formats usage. number: of millionths; date: of an instant."""

    def __init__(
        self,
        labels: Mapping[str, str],
        *,
        number: Callable[[int], str],
        date: Callable[[datetime], str],
    ) -> None:
        self._labels = labels
        self._number = number
        self._date = date

    def view(self, usage: InvoiceUsage, *, period: str, refreshed: str) -> UsageView:
        lines = usage.report.lines
        total = usage.report.total
        return UsageView(
            period=period,
            refreshed=refreshed,
            is_by_user=usage.report.detail is UsageDetail.GROUP_AND_GRANT,
            has_units=any(line.quantity.micros for line in lines),
            lines=[self._line(line) for line in lines],
            total=None if total is None else self._line(total),
        )

    def _line(self, line: UsageLine) -> UsageLineView:
        return UsageLineView(
            product=line.product_name,
            user=line.group_value or "–",
            units=self._number(line.quantity.micros) if line.quantity.micros else "",
            credits=self._number(line.credits.micros),
            paid_by=[
                *(self._payment(one) for one in line.paid_by),
                *self._uncovered(line.overage, line.uncovered),
            ],
        )

    def _payment(self, payment: UsagePayment) -> str:
        payer = payment.payer
        text = self._labels[_SOURCES[payer.source]]
        if payer.effective_time is not None:
            text = self._labels["of_date"].format(what=text, date=self._date(payer.effective_time))
        return f"{text}: {self._number(payment.credits.micros)}"

    def _uncovered(self, overage: Credits, uncovered: Credits) -> list[str]:
        amounts = (("overage", overage), ("uncovered", uncovered))
        return [f"{self._labels[name]}: {self._number(one.micros)}" for name, one in amounts if one]
