# SPDX-License-Identifier: Apache-2.0
"""What a document shows, as texts: amounts and dates in the customer's language and time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from meshkit.currency import minor_unit_micros
from meshkit.period import Period
from meshkit.quantity import MICROS, Money
from services.contract.documents.labels import has_labels, labels_of
from services.contract.documents.usage_view import UsageFormatter, UsageView
from services.contract.domain.commands.invoices import InvoiceDetails
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, InvoiceStatus, total_of
from services.contract.domain.invoice_parties import LANGUAGE_DEFAULT, BillingDetails, Party
from services.contract.domain.usage.progress import InvoiceUsage

DECIMALS_OF_MICROS = 6
_ADDED = (InvoiceLineKind.TAX, InvoiceLineKind.ACCOUNT_CREDIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One line of charges."""

    description: str
    period: str
    quantity: str
    unit_price: str
    share: str
    exact: str
    carried: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SumView:
    """A line of the totals. note: explains it in small print."""

    text: str
    amount: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceView:
    """All texts of an invoice's document."""

    language: str
    labels: Mapping[str, str]
    state: str
    status: str
    number: str
    invoice_date: str
    service_date: str
    seller: Party | None
    buyer: Party
    lines: Sequence[LineView]
    subtotal: str
    added: Sequence[SumView]
    total: str
    settled: Sequence[SumView]
    due: str
    currency: str
    explained: str
    title: str
    usage: UsageView | None


class InvoiceFormatter:
    """Formats one invoice. billing: whose language and time zone it has, and the buyer as long as it is a draft."""

    def __init__(self, details: InvoiceDetails, billing: BillingDetails) -> None:
        self._details = details
        self._billing = billing
        self._labels = labels_of(billing.language)
        self._locale = _locale(billing.language)
        self._zone = ZoneInfo(billing.time_zone)
        self._currency = details.invoice.total.currency_code
        self._decimals = len(str(MICROS // minor_unit_micros(self._currency))) - 1

    def view(self) -> InvoiceView:
        invoice, parties = self._details.invoice, self._details.parties
        charges = [line for line in invoice.lines if line.kind not in _ADDED]
        is_statement = invoice.status is InvoiceStatus.STATEMENT
        return InvoiceView(
            language=self._billing.language if has_labels(self._billing.language) else LANGUAGE_DEFAULT,
            labels=self._labels,
            state=self._state(),
            status=invoice.status.value.lower(),
            number=invoice.number,
            invoice_date="" if invoice.finalize_time is None else self._date(invoice.finalize_time),
            service_date=self._date(invoice.issue_time, UTC),
            seller=None if parties is None else parties.seller,
            buyer=self._billing.party if parties is None else parties.buyer,
            lines=[self._line(line) for line in charges],
            subtotal=self._money(total_of(charges, self._currency)),
            added=[self._added(line) for line in invoice.lines if line.kind in _ADDED],
            total=self._money(invoice.total),
            settled=[*self._payments(), *self._credit_notes()],
            due=self._money(invoice.due),
            currency=self._currency,
            explained=self._labels["explained"].format(currency=self._currency),
            title=self._labels["statement_title" if is_statement else "invoice"],
            usage=None if self._details.usage is None else self._usage(self._details.usage),
        )

    def _usage(self, usage: InvoiceUsage) -> UsageView:
        formatter = UsageFormatter(
            self._labels,
            number=lambda micros: self._number(micros, 0, DECIMALS_OF_MICROS),
            date=lambda at: format_date(at.astimezone(UTC), "medium", locale=self._locale),
        )
        is_draft = self._details.invoice.status is InvoiceStatus.DRAFT
        time = format_datetime(usage.refresh_time, "medium", tzinfo=self._zone, locale=self._locale)
        return formatter.view(
            usage,
            period=self._period(usage.span),
            refreshed=self._labels["refreshed"].format(time=time) if is_draft else "",
        )

    def _state(self) -> str:
        return {
            InvoiceStatus.DRAFT: self._labels["draft"],
            InvoiceStatus.OPEN: self._labels["open"],
            InvoiceStatus.PAID: self._labels["paid"],
            InvoiceStatus.VOID: self._labels["void"],
            InvoiceStatus.STATEMENT: self._labels["statement"],
        }[self._details.invoice.status]

    def _line(self, line: InvoiceLine) -> LineView:
        is_overage = line.kind is InvoiceLineKind.OVERAGE
        return LineView(
            description=line.description,
            period="" if line.span is None else self._period(line.span),
            quantity=self._credits(line)
            if is_overage
            else format_decimal(line.quantity, locale=self._locale),
            unit_price=self._number(line.unit_price.micros, self._decimals, DECIMALS_OF_MICROS),
            share="1" if is_overage else _share(line),
            exact=self._exact(line.exact_micros),
            carried=self._exact(line.carried_micros) if line.carried_micros else "",
            amount=self._money(line.total),
        )

    def _credits(self, line: InvoiceLine) -> str:
        """Return the credits of a line of overage; its share makes them exact."""
        credits = line.quantity * line.share.fraction * MICROS
        return self._number(credits.numerator, 0, DECIMALS_OF_MICROS)

    def _added(self, line: InvoiceLine) -> SumView:
        note = ""
        if line.kind is InvoiceLineKind.TAX:
            note = f"{self._money(line.unit_price)} × {_share(line)} = {self._exact(line.exact_micros)}"
            if line.carried_micros:
                note += f" + {self._exact(line.carried_micros)}"
        return SumView(text=line.description, amount=self._money(line.total), note=note)

    def _payments(self) -> list[SumView]:
        return [
            SumView(
                text=f"{self._labels['payment']} {self._date(payment.payment_time)}",
                amount=self._money(-payment.amount),
                note=payment.reference,
            )
            for payment in self._details.payments
        ]

    def _credit_notes(self) -> list[SumView]:
        sums = []
        for note in self._details.credit_notes:
            facts = [f"{self._labels['of_which_tax']} {self._money(note.tax)}"] if note.tax else []
            if note.account_credit:
                facts.append(f"{self._money(note.account_credit)} {self._labels['kept']}")
            sums.append(
                SumView(
                    text=f"{self._labels['credit_note']} {note.number}, {self._date(note.finalize_time)}",
                    amount=self._money(-note.off_due),
                    note=", ".join([note.reason, *facts]),
                )
            )
        return sums

    def _money(self, money: Money) -> str:
        return self._number(money.micros, self._decimals, self._decimals)

    def _exact(self, micros: int) -> str:
        return self._number(micros, DECIMALS_OF_MICROS, DECIMALS_OF_MICROS)

    def _number(self, micros: int, decimals_min: int, decimals_max: int) -> str:
        decimals = "0" * decimals_min + "#" * (decimals_max - decimals_min)
        pattern = f"#,##0.{decimals}" if decimals else "#,##0"
        number = Decimal(micros).scaleb(-DECIMALS_OF_MICROS)
        return format_decimal(number, format=pattern, locale=self._locale)

    def _date(self, at: datetime, zone: tzinfo | None = None) -> str:
        return format_date(at.astimezone(zone or self._zone), "long", locale=self._locale)

    def _period(self, span: Period) -> str:
        # Periods are counted in UTC, whatever the customer's time zone.
        is_whole_days = all(at.astimezone(UTC).time() == datetime.min.time() for at in (span.start, span.end))

        def text(at: datetime) -> str:
            if is_whole_days:
                return format_date(at.astimezone(UTC), "medium", locale=self._locale)
            return format_datetime(at, "medium", tzinfo=UTC, locale=self._locale)

        return self._labels["period"].format(start=text(span.start), end=text(span.end))


def _share(line: InvoiceLine) -> str:
    share = line.share
    return "1" if share.numerator == share.denominator else f"{share.numerator}/{share.denominator}"


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(LANGUAGE_DEFAULT)
