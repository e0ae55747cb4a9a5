# SPDX-License-Identifier: Apache-2.0
"""What was used, by product, person and day, on a page and as CSV."""

import asyncio
import csv
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from meshkit.quantity import MICROS
from meshkit.rpc.fields import timestamp
from purser.ledger.v1.usage_pb2 import (
    USAGE_WINDOW_DAY,
    USAGE_WINDOW_SPAN,
    GetUsageRequest,
    GetUsageResponse,
    ListTopSpendersRequest,
    UsageSum,
)
from services.portal.customer.names import balance_of, business_time, credit_type_names, product_names
from services.portal.faults import WrongInput
from services.portal.formats import instant
from services.portal.i18n import N_
from services.portal.mesh import PAGE_ROWS, listed
from services.portal.rendering import gettext_of, page
from services.portal.session import Viewer, viewer_of

NAME = N_("Usage")
PERSON: Final = "user_id"
ROWS_MAX: Final = 10_000
ROWS_SHOWN_MAX: Final = 200
DAY: Final = timedelta(days=1)
DAYS_MAX: Final = 400
# What a program for tables would take for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
BY: Final = {"": N_("By product and day"), "person": N_("By person, product and day")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The days that are asked about: both included, in UTC, as the Ledger adds usage up."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return datetime(self.last.year, self.last.month, self.last.day, tzinfo=UTC) + DAY


@dataclass(frozen=True, slots=True)
class Total:
    """What was used by one product, one person or on one day."""

    name: str
    micros: int
    uses: int


async def show(request: Request) -> Response:
    """Show the sums of a span of days; by default the usage period."""
    viewer = viewer_of(request)
    now = business_time(await balance_of(viewer))
    spans = await _suggested(viewer, now)
    span = _span(request, spans["period"])
    credit_types = await credit_type_names(viewer)
    days, by_person, products = await asyncio.gather(
        _sums(viewer, span, window=USAGE_WINDOW_DAY),
        _sums(viewer, span, window=USAGE_WINDOW_SPAN, group_key=PERSON),
        product_names(viewer),
    )
    sums = days.sums
    people = _totals(by_person.sums, lambda one: one.group_value)
    nobody = sum(one.credits_micros for one in sums) - sum(one.micros for one in people)
    return page(
        request,
        "customer/usage.html",
        span=span,
        spans=spans,
        days=_by_day(span, sums),
        products=_totals(sums, lambda one: products.get(one.product_id, one.product_id)),
        people=people,
        nobody=nobody,
        credits=sorted({credit_types.get(one.credit_type_id, one.credit_type_id) for one in sums}),
        total=sum(one.credits_micros for one in sums),
        is_complete=days.is_complete and by_person.is_complete,
        rows_max=ROWS_SHOWN_MAX,
        by=BY,
    )


async def download(request: Request) -> Response:
    """Send one row for each day and product, or for each day, product and person."""
    viewer = viewer_of(request)
    now = business_time(await balance_of(viewer))
    span = _span(request, (await _suggested(viewer, now))["period"])
    group_key = PERSON if request.query_params.get("by") == "person" else ""
    asked = _request(viewer, span, window=USAGE_WINDOW_DAY, group_key=group_key)
    products, credit_types = await asyncio.gather(product_names(viewer), credit_type_names(viewer))
    # Before the answer begins: its status can say that something is wrong, a row of it cannot.
    first = await viewer.mesh.usage.GetUsage(asked)

    def row(one: UsageSum) -> list[str]:
        day = instant(one.window.start_time).date().isoformat()
        named = products.get(one.product_id, one.product_id), credit_types.get(one.credit_type_id, "")
        person = [one.group_value] if group_key else []
        amounts = _decimal(one.quantity_micros), _decimal(one.credits_micros), str(one.uses)
        return [day, *map(_cell, (*person, *named)), *amounts]

    heading = [
        "day_utc",
        *([PERSON] if group_key else []),
        "product",
        "credit_type",
        "quantity",
        "credits",
        "uses",
    ]
    name = f"usage-{span.first}-{span.last}{'-by-person' if group_key else ''}.csv"
    return StreamingResponse(
        _csv(viewer, asked, first, heading, row),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


async def _csv(
    viewer: Viewer,
    asked: GetUsageRequest,
    answer: GetUsageResponse,
    heading: Sequence[str],
    row: Callable[[UsageSum], Sequence[str]],
) -> AsyncIterator[str]:
    yield _lines([heading])
    while True:
        yield _lines([row(one) for one in answer.sums])
        if not answer.next_page_token:
            return
        asked.page_token = answer.next_page_token
        answer = await viewer.mesh.usage.GetUsage(asked)


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _decimal(micros: int) -> str:
    """Return micros as a plain decimal number, the same in every language."""
    whole, rest = divmod(abs(micros), MICROS)
    return f"{'-' if micros < 0 else ''}{whole}.{rest:06d}".rstrip("0").rstrip(".")


async def _suggested(viewer: Viewer, now: datetime) -> dict[str, Span]:
    """Return the spans that are offered: the usage period so far, the one before it, and the last 30 days."""
    today = now.date()
    month = Span(first=today - 29 * DAY, last=today)
    spans = {"period": month, "month": month}
    period = await _period(viewer, now)
    if period is not None:
        spans["period"] = Span(first=period[0].date(), last=today)
        before = await _period(viewer, period[0] - timedelta(microseconds=1))
        if before is not None and before[0] < period[0]:
            spans["before"] = Span(
                first=before[0].date(), last=(before[1] - timedelta(microseconds=1)).date()
            )
    return spans


async def _period(viewer: Viewer, at: datetime) -> tuple[datetime, datetime] | None:
    balance = await balance_of(viewer)
    if not balance.pools:
        return None
    answer = await viewer.mesh.usage.ListTopSpenders(
        ListTopSpendersRequest(
            customer=viewer.customer_id,
            credit_type_id=balance.pools[0].credit_type_id,
            group_key=PERSON,
            period_time=timestamp(at),
            spenders_max=1,
        )
    )
    if not answer.HasField("period"):
        return None
    return instant(answer.period.start_time), instant(answer.period.end_time)


def _span(request: Request, default: Span) -> Span:
    first, last = (request.query_params.get(name, "") for name in ("from", "to"))
    if not first and not last:
        return default
    try:
        span = Span(first=date.fromisoformat(first), last=date.fromisoformat(last))
    except ValueError:
        raise WrongInput(
            gettext_of(request)(N_("Enter both days, such as 2025-06-01 and 2025-06-30."))
        ) from None
    if not DAY <= span.end - span.start <= DAYS_MAX * DAY:
        raise WrongInput(gettext_of(request)(N_("Choose at least one day and at most 400.")))
    return span


def _request(viewer: Viewer, span: Span, *, window: Any, group_key: str = "") -> GetUsageRequest:
    return GetUsageRequest(
        customer=viewer.customer_id,
        start_time=timestamp(span.start),
        end_time=timestamp(span.end),
        window=window,
        group_key=group_key,
        page_size=PAGE_ROWS,
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    sums: Sequence[UsageSum]
    is_complete: bool


async def _sums(viewer: Viewer, span: Span, *, window: Any, group_key: str = "") -> _Sums:
    asked = _request(viewer, span, window=window, group_key=group_key)
    complete = True

    async def get(request: GetUsageRequest) -> GetUsageResponse:
        nonlocal complete
        answer = await viewer.mesh.usage.GetUsage(request)
        complete = complete and answer.is_complete
        return answer

    sums = await listed(get, asked, "sums", rows_max=ROWS_MAX)
    return _Sums(sums, complete and len(sums) < ROWS_MAX)


def _totals(sums: Sequence[UsageSum], name: Callable[[UsageSum], str]) -> list[Total]:
    """Return the totals by name, the largest first."""
    micros: defaultdict[str, int] = defaultdict(int)
    uses: defaultdict[str, int] = defaultdict(int)
    for one in sums:
        micros[name(one)] += one.credits_micros
        uses[name(one)] += one.uses
    return sorted(
        (Total(one, micros[one], uses[one]) for one in micros), key=lambda one: (-one.micros, one.name)
    )


def _by_day(span: Span, sums: Sequence[UsageSum]) -> list[tuple[date, int]]:
    used: defaultdict[date, int] = defaultdict(int)
    for one in sums:
        used[instant(one.window.start_time).date()] += one.credits_micros
    days = (span.last - span.first).days + 1
    return [(day, used[day]) for day in (span.first + number * DAY for number in range(days))]


ROUTES: Sequence[Route] = (
    Route("/usage", show),
    Route("/usage.csv", download),
)
