# SPDX-License-Identifier: Apache-2.0
"""What is compared between the Ledger and the model of usage after every step."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.simulation.usage_catalog import CHAT
from tests.simulation.usage_model import Book
from tests.simulation.usage_model_customers import Customers
from tests.simulation.usage_model_sums import sums, used
from tests.support.ledger import AI, JUNE, RunningLedger
from tests.support.ledger_sql import Sql

PERIOD, DAY = apb.CAP_WINDOW_BILLING_PERIOD, apb.CAP_WINDOW_DAY
# Customer, pool, user; a product of the pool; the window.
CAPS = [
    ("cus_acme", AI, "ann", "prd_flat", PERIOD),
    ("cus_acme", AI, "bob", "prd_flat", DAY),
    ("cus_globex", CHAT, "ann", "prd_extra", PERIOD),
]
SPAN = timedelta(days=32)

Sums = dict[Any, tuple[int, ...]]


class Looks:
    """Compares balances, grants, caps, meters, entries and sums."""

    def __init__(self, customers: Customers, replicas: Sequence[RunningLedger], sql: Sql) -> None:
        self.customers, self.replicas, self.sql = customers, replicas, sql

    async def agree(self, replica: int) -> None:
        """Check everybody's balances, grants and caps, meters, entries and sums."""
        for customer, book in self.customers.books.items():
            await self._balances_agree(customer, book, replica)
            await self._caps_agree(customer, book, replica)
        await self.meters_agree()
        await self._entries_agree()
        await self._sums_agree(replica)

    async def grants(self, customer: str, replica: int) -> list[pb.Grant]:
        request = apb.ListGrantsRequest(customer=customer, page_size=500)
        return list((await self.replicas[replica].admin.ListGrants(request)).grants)

    async def _balances_agree(self, customer: str, book: Book, replica: int) -> None:
        told = await self.replicas[replica].gate.GetBalance(pb.GetBalanceRequest(customer=customer))
        seen = {one.credit_type_id: (one.available_micros, one.shortfall_micros) for one in told.pools}
        short: dict[str, int] = defaultdict(int)
        for line in book.lines:
            short[line.use.pool] += 0 if line.grant else line.left
        wanted = {pool: (book.available(pool), short[pool]) for pool in book.monthly}
        same(seen, wanted, f"balances of {customer} at {book.now}")
        grants = await self.grants(customer, replica)
        same(
            sorted(map(_grant_seen, grants)),
            sorted(_grant_wanted(book, one) for one in book.grants),
            customer,
        )

    async def _caps_agree(self, customer: str, book: Book, replica: int) -> None:
        for owner, pool, user, product, window in CAPS:
            if owner == customer:
                ask = pb.DecisionAsk(product_id=product, credits_micros=1, group_values={"user_id": user})
                told = await self.replicas[replica].gate.GetDecision(
                    pb.GetDecisionRequest(customer=customer, ask=ask)
                )
                wanted = used(book, pool, user, window == DAY)
                same([cap.used_micros for cap in told.spend_caps], [wanted], user)

    async def meters_agree(self) -> None:
        """Check every meter's quantity and cost, and that the entries add up to them."""
        wanted = {
            (customer, meter[1], meter[2]): book.figures(meter)
            for customer, book in self.customers.books.items()
            for meter in {use.meter for use in book.uses if use.meter}
        }
        wanted = {meter: figures for meter, figures in wanted.items() if any(figures)}
        for of, question in (("meters", _METERS), ("entries by meter", _ENTRIES)):
            rows = [tuple(row.values()) for row in await self.sql.rows(question)]
            same({row[:3]: row[3:] for row in rows if any(row[3:])}, wanted, of)

    async def _entries_agree(self) -> None:
        spends: dict[Any, int] = defaultdict(int)
        for customer, book in self.customers.books.items():
            for line in book.lines:
                spends[customer, line.use.pool, line.use.user, line.use.time] += line.left
        rows = [tuple(row.values()) for row in await self.sql.rows(_SPENDS)]
        wanted = {key: cost for key, cost in spends.items() if cost}
        same({row[:-1]: row[-1] for row in rows if row[-1]}, wanted, "entries by user and time")

    async def _sums_agree(self, replica: int) -> None:
        """Check all sums by hour and user, by day and model, and by usage period and user."""
        of_user = lambda use: (use.user, "") if use.user else None  # noqa: E731
        of_model = lambda use: ("", use.values.get("model", ""))  # noqa: E731
        day = lambda use, _: use.time.replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: E731
        hour = lambda use, _: use.time.replace(minute=0, second=0, microsecond=0)  # noqa: E731
        period = lambda use, book: book.prices.period(use.time)  # noqa: E731
        for window, of_window, key, named in (
            (usage.USAGE_WINDOW_HOUR, hour, of_user, {"group_key": "user_id"}),
            (usage.USAGE_WINDOW_DAY, day, of_model, {"dimension_key": "model"}),
            (usage.USAGE_WINDOW_USAGE_PERIOD, period, of_user, {"group_key": "user_id"}),
        ):
            span = SPAN if window == usage.USAGE_WINDOW_HOUR else 12 * SPAN
            wanted = self._sums_wanted(of_window, key)
            first, last = (pick((one[2] for one in wanted), default=JUNE) for pick in (min, max))
            first = first.replace(hour=0, minute=0)
            seen: Sums = {}
            for part in range((last - first) // span + 1):
                seen |= await self._sums_seen(replica, first + part * span, span, window=window, **named)
            same(seen, wanted, f"sums by {usage.UsageWindow.Name(window)}")

    def _sums_wanted(self, of_window: Callable[[Thing, Book], datetime], key: Callable[[Thing], Any]) -> Sums:
        found: Sums = {}
        for customer, book in self.customers.books.items():
            found |= sums(
                book,
                lambda use, customer=customer, book=book: (  # type: ignore[misc]
                    (named := key(use))
                    and (customer, named[0], of_window(use, book), named[1], use.product, use.pool)
                ),
            )
        return found

    async def _sums_seen(self, replica: int, start: datetime, span: timedelta, **named: Any) -> Sums:
        asked = usage.GetUsageRequest(
            start_time=timestamp(start), end_time=timestamp(start + span), page_size=500, **named
        )
        found: Sums = {}
        while True:
            told = await self.replicas[replica].usage.GetUsage(asked)
            assert told.is_complete
            for one in told.sums:
                begin = one.window.start_time.ToDatetime(UTC)
                key = (one.customer_id, one.group_value, begin, one.dimension_value, one.product_id)
                figures = (one.quantity_micros, one.credits_micros, one.shortfall_micros, one.uses)
                found |= {(*key, one.credit_type_id): figures} if any(figures) else {}
            if not told.next_page_token:
                return found
            asked.page_token = told.next_page_token


def same(seen: Any, wanted: Any, of: object) -> None:
    assert seen == wanted, f"{of}: {seen} instead of {wanted}"


_METERS = """
    SELECT customer_id, root_rate_id, period_start, quantity_micros, cost_micros FROM ledger.meters
"""
_ENTRIES = """
    SELECT customer_id, root_rate_id, usage_period_start, sum(quantity_micros)::bigint,
        sum(shortfall_micros - amount_micros)::bigint AS cost
    FROM ledger.entries WHERE root_rate_id IS NOT NULL GROUP BY 1, 2, 3
"""
_SPENDS = """
    SELECT customer_id, credit_type_id, coalesce(group_values->>'user_id', '') AS user, effective_time,
        sum(shortfall_micros - amount_micros)::bigint
    FROM ledger.entries WHERE product_id IS NOT NULL GROUP BY 1, 2, 3, 4
"""


def _grant_seen(one: pb.Grant) -> tuple[Any, ...]:
    start = one.effective_time.ToNanoseconds()
    left = (one.held_micros, one.expired_micros, one.voided_micros)
    return one.credit_type_id, start, one.granted_micros, one.captured_micros, *left


def _grant_wanted(book: Book, one: Thing) -> tuple[Any, ...]:
    rest, held = book.rest(one), book.held(one)
    expired = rest if one.end <= book.now else 0
    start = timestamp(one.start).ToNanoseconds()
    return one.pool, start, one.granted, one.captured, held, expired, one.voided
