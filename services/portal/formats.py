# SPDX-License-Identifier: Apache-2.0
"""Amounts and times as people read them, in a language and a time zone. Nothing here decides anything."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_timedelta
from babel.numbers import (
    format_currency,
    format_decimal,
    format_percent,
    get_currency_precision,
    parse_decimal,
)
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.quantity import MICROS
from purser.type.v1.money_pb2 import Money

PLACES_MAX = 6
_DATES = {"en": "en_GB"}

Instant = datetime | Timestamp


def instant(time: Instant) -> datetime:
    """Return an instant as an aware datetime."""
    return time.ToDatetime(UTC) if isinstance(time, Timestamp) else time


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats of one viewer. now: the wall clock's time of the request, for `ago`."""

    language: str
    zone: ZoneInfo
    now: datetime

    def credits(self, micros: int, places: int = 2) -> str:
        """Return credits × 10^6 with at most `places` (≤ 6) decimals, rounded down: never more than there is."""
        assert 0 <= places <= PLACES_MAX
        return self._decimal(micros, places)

    def micros(self, text: str) -> int:
        """Return amount × 10^6 of what a person typed, such as "1,000.5" in English. Raises ValueError."""
        amount = parse_decimal(text.strip(), locale=self.language, strict=True)
        micros = amount * MICROS
        if not amount.is_finite() or micros != micros.to_integral_value() or abs(micros) >= 2**63:
            raise ValueError(text)
        return int(micros)

    def quantity(self, micros: int) -> str:
        """Return units × 10^6, exactly."""
        return self._decimal(micros, PLACES_MAX)

    def count(self, number: int) -> str:
        """Return a whole number."""
        return str(format_decimal(number, locale=self.language))

    def money(self, money: Money) -> str:
        """Return money with its currency; fractions of the smallest coin are shown if there are any."""
        amount = Decimal(money.micros) / MICROS
        code = money.currency_code or "USD"
        whole = str(format_currency(amount, code, locale=self.language))
        if _is_exact(amount, code):
            return whole
        return str(format_currency(amount, code, locale=self.language, decimal_quantization=False))

    def percent(self, part: int, whole: int) -> str:
        """Return a share in whole percent, rounded down; of nothing it is 0 %."""
        share = Decimal(part * 100 // whole) / 100 if whole else Decimal(0)
        return str(format_percent(share, locale=self.language))

    def day(self, day: date) -> str:
        """Return a day without its year, such as "3 Jul"."""
        return str(
            format_skeleton("MMMd", datetime(day.year, day.month, day.day, tzinfo=UTC), locale=self._dates)
        )

    def date(self, time: Instant | date) -> str:
        """Return the day, such as "3 Jul 2025"."""
        if isinstance(time, Timestamp | datetime):
            time = instant(time).astimezone(self.zone).date()
        return str(format_date(time, "medium", locale=self._dates))

    def time(self, time: Instant) -> str:
        """Return day and time in the viewer's zone."""
        return f"{self.date(time)}, {self.hour(time)}"

    def hour(self, time: Instant) -> str:
        """Return hour and minute only, such as "14:00"."""
        return str(format_skeleton("Hm", instant(time), self.zone, locale=self._dates))

    def iso(self, time: Instant) -> str:
        """Return the instant for machines, such as the attribute `datetime`."""
        return instant(time).astimezone(UTC).isoformat().replace("+00:00", "Z")

    def ago(self, time: Instant, now: Instant | None = None) -> str:
        """Return the distance in words, such as "3 hours ago" or "in 2 days", from `now` or the wall clock's time."""
        since: timedelta = instant(time) - (self.now if now is None else instant(now))
        return str(format_timedelta(since, add_direction=True, threshold=1.2, locale=self.language))

    @property
    def _dates(self) -> str:
        """The day before the month, as most readers of English write it."""
        return _DATES.get(self.language, self.language)

    def _decimal(self, micros: int, places: int) -> str:
        shown = (Decimal(micros) / MICROS).quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN)
        return str(
            format_decimal(shown, "#,##0." + "#" * places, locale=self.language, decimal_quantization=False)
        )


def _is_exact(amount: Decimal, code: str) -> bool:
    return amount == amount.quantize(Decimal(1).scaleb(-get_currency_precision(code)))
